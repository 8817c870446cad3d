//! `prompt` and `display` ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)): which pages an authorization
//! request demands or forbids, and how they shall look.
//!
//! Left out: `create` (Initiating User Registration), which comes with self-registration.

use std::fmt;

use super::errors::OAuthError;

/// One value of `prompt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prompt {
    /// No page at all.
    None,
    /// Sign in again, session or not.
    Login,
    /// Ask for consent again.
    Consent,
    /// Choose among accounts.
    SelectAccount,
}

impl Prompt {
    /// Every value, in the order in which discovery announces them.
    pub const ALL: [Self; 4] = [Self::None, Self::Login, Self::Consent, Self::SelectAccount];

    /// The registered text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
        }
    }
}

/// The values of one `prompt` parameter: `none` stands alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PromptSet(Vec<Prompt>);

impl PromptSet {
    /// Reads the parameter. An unknown value is an error, as the client would rely on it.
    pub fn parse(text: &str) -> Result<Self, OAuthError> {
        let mut prompts = Vec::new();
        for name in text.split(' ').filter(|name| !name.is_empty()) {
            let prompt = Prompt::ALL
                .into_iter()
                .find(|prompt| prompt.as_str() == name)
                .ok_or_else(|| {
                    OAuthError::invalid_request(
                        "prompt must be made of none, login, consent, select_account",
                    )
                })?;
            if !prompts.contains(&prompt) {
                prompts.push(prompt);
            }
        }
        if prompts.contains(&Prompt::None) && prompts.len() > 1 {
            // OpenID Connect Core §3.1.2.1: "If this parameter contains none with any other value, an error is returned."
            return Err(OAuthError::invalid_request(
                "prompt=none can't be combined with another value",
            ));
        }
        Ok(Self(prompts))
    }

    /// Whether this value is among them.
    pub fn contains(&self, prompt: Prompt) -> bool {
        self.0.contains(&prompt)
    }

    /// The set without one value: what is left to do once that has been done.
    #[must_use]
    pub fn without(&self, prompt: Prompt) -> Self {
        Self(
            self.0
                .iter()
                .copied()
                .filter(|own| *own != prompt)
                .collect(),
        )
    }
}

impl fmt::Display for PromptSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, prompt) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(prompt.as_str())?;
        }
        Ok(())
    }
}

/// How the pages shall look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Display {
    /// A whole page.
    Page,
    /// A popup window.
    Popup,
    /// A device with a touch screen.
    Touch,
    /// A feature phone.
    Wap,
}

impl Display {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Page, Self::Popup, Self::Touch, Self::Wap];

    /// The registered text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Popup => "popup",
            Self::Touch => "touch",
            Self::Wap => "wap",
        }
    }

    /// The value of this name; an unknown one is no error.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|display| display.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_stands_alone() {
        let none = PromptSet::parse("none").unwrap();
        assert!(none.contains(Prompt::None) && none.without(Prompt::None) == PromptSet::default());
        for text in [
            "none login",
            "consent none",
            "create",
            "Login",
            "login,consent",
        ] {
            assert!(PromptSet::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_combine() {
        let prompts = PromptSet::parse("login  consent login").unwrap();
        assert_eq!(prompts.to_string(), "login consent");
        assert_eq!(prompts.without(Prompt::Login).to_string(), "consent");
        assert_eq!(PromptSet::parse("").unwrap(), PromptSet::default());
    }

    #[test]
    fn an_unknown_display_is_ignored() {
        assert_eq!(Display::find("popup"), Some(Display::Popup));
        assert_eq!(Display::find("hologram"), None);
    }
}
