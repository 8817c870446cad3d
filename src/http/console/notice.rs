//! What the next page says of what was just done, once.

use serde::{Deserialize, Serialize};

use super::layout::Shell;

/// "Ada was disabled." It travels sealed in a cookie, so that no address and nobody else can put words there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Notice {
    message: String,
    name: Option<String>,
    undo: Option<Undo>,
}

/// A form with one button that takes it back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Undo {
    /// Where it is sent, below the console's address.
    pub action: String,
    /// What is sent.
    pub fields: Vec<(String, String)>,
}

impl Notice {
    /// A message that stands alone.
    pub fn new(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            name: None,
            undo: None,
        }
    }

    /// With the message's argument `$name`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        // A cookie has little room.
        self.name = Some(name.into().chars().take(120).collect());
        self
    }

    /// With a way back: a form sent to `action`, which lies below the console's address.
    #[must_use]
    pub fn undo(mut self, action: &str, fields: &[(&str, &str)]) -> Self {
        self.undo = Some(Undo {
            action: action.to_owned(),
            fields: fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        });
        self
    }

    /// The words.
    pub fn text(&self, page: &Shell<'_>) -> String {
        match &self.name {
            Some(name) => page.f(&self.message, "name", name),
            None => page.t(&self.message).into_owned(),
        }
    }

    /// The way back.
    pub fn way_back(&self) -> Option<&Undo> {
        self.undo.as_ref()
    }
}
