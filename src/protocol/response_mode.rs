//! Response modes: how the answer to an authorization request travels (OAuth 2.0 Multiple Response Type Encoding Practices §2.1, OAuth 2.0
//! Form Post Response Mode).
//!
//! Left out for now: the `.jwt` modes of JARM.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where the response parameters stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of the redirect URI: the default for `response_type=code`.
    #[default]
    Query,
    /// In the fragment of the redirect URI.
    Fragment,
    /// In the body of a form that the browser posts to the redirect URI.
    FormPost,
}

impl ResponseMode {
    /// Every mode, in the order in which discovery announces them.
    pub const ALL: [Self; 3] = [Self::Query, Self::Fragment, Self::FormPost];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }
}

impl fmt::Display for ResponseMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is none of [`ResponseMode::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unsupported response_mode; use one of query, fragment, form_post")]
pub struct UnsupportedResponseMode;

impl FromStr for ResponseMode {
    type Err = UnsupportedResponseMode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == name)
            .ok_or(UnsupportedResponseMode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for mode in ResponseMode::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
        }
        assert_eq!("jwt".parse::<ResponseMode>(), Err(UnsupportedResponseMode));
    }
}
