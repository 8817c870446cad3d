//! Response modes: how the answer to an authorization request travels (OAuth 2.0 Multiple Response Type Encoding Practices §2.1, OAuth 2.0
//! Form Post Response Mode, and the `.jwt` modes of JARM §2.3). How an answer becomes a JWT is `jarm`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where the response parameters stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum ResponseMode {
    /// In the query of the redirect URI: the default for `response_type=code`.
    #[default]
    #[serde(rename = "query")]
    Query,
    /// In the fragment of the redirect URI: the default where a token is among them.
    #[serde(rename = "fragment")]
    Fragment,
    /// In the body of a form that the browser posts to the redirect URI.
    #[serde(rename = "form_post")]
    FormPost,
    /// Signed, in the query.
    #[serde(rename = "query.jwt")]
    QueryJwt,
    /// Signed, in the fragment.
    #[serde(rename = "fragment.jwt")]
    FragmentJwt,
    /// Signed, in a form.
    #[serde(rename = "form_post.jwt")]
    FormPostJwt,
    /// Signed, in the query or the fragment, as would be the default without.
    #[serde(rename = "jwt")]
    Jwt,
}

impl ResponseMode {
    /// Every mode, in the order in which discovery announces them.
    pub const ALL: [Self; 7] = [
        Self::Query,
        Self::Fragment,
        Self::FormPost,
        Self::QueryJwt,
        Self::FragmentJwt,
        Self::FormPostJwt,
        Self::Jwt,
    ];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
            Self::QueryJwt => "query.jwt",
            Self::FragmentJwt => "fragment.jwt",
            Self::FormPostJwt => "form_post.jwt",
            Self::Jwt => "jwt",
        }
    }

    /// The mode by which an answer travels, an error too: what was asked for, or else the default, which is never the query where a token could be in
    /// it (Multiple Response Types §3, §5; JARM §2.3.1).
    #[must_use]
    pub fn in_force(requested: Option<Self>, front_channel: bool) -> Self {
        match (requested, front_channel) {
            (None | Some(Self::Query), true) => Self::Fragment,
            (Some(Self::Jwt | Self::QueryJwt), true) => Self::FragmentJwt,
            (Some(Self::Jwt), false) => Self::QueryJwt,
            (requested, _) => requested.unwrap_or_default(),
        }
    }

    /// Whether the answer is in the query by name, where no token may be.
    pub const fn is_query(self) -> bool {
        matches!(self, Self::Query | Self::QueryJwt)
    }

    /// Whether the answer is a JWT.
    pub const fn is_signed(self) -> bool {
        matches!(
            self,
            Self::QueryJwt | Self::FragmentJwt | Self::FormPostJwt | Self::Jwt
        )
    }
}

impl fmt::Display for ResponseMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is none of [`ResponseMode::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "unsupported response_mode; use one of query, fragment, form_post, query.jwt, fragment.jwt, form_post.jwt, jwt"
)]
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
        for name in ["JWT", "jwt.query", "fragment.JWT", "form_post.", "none", ""] {
            assert_eq!(
                name.parse::<ResponseMode>(),
                Err(UnsupportedResponseMode),
                "{name}"
            );
        }
    }

    #[test]
    fn no_token_ever_travels_in_a_query() {
        let requested = ResponseMode::ALL.map(Some).into_iter().chain([None]);
        for requested in requested {
            let mode = ResponseMode::in_force(requested, true);
            assert!(!mode.is_query() && mode != ResponseMode::Jwt, "{mode}");
            let plain = ResponseMode::in_force(requested, false);
            assert_ne!(plain, ResponseMode::Jwt);
            for mode in [mode, plain] {
                assert_eq!(
                    mode.is_signed(),
                    requested.is_some_and(ResponseMode::is_signed)
                );
            }
        }
        // JARM §2.3.4, Multiple Response Types §2.1
        for (requested, code, token) in [
            (None, ResponseMode::Query, ResponseMode::Fragment),
            (
                Some(ResponseMode::Jwt),
                ResponseMode::QueryJwt,
                ResponseMode::FragmentJwt,
            ),
        ] {
            assert_eq!(ResponseMode::in_force(requested, false), code);
            assert_eq!(ResponseMode::in_force(requested, true), token);
        }
        let form = Some(ResponseMode::FormPost);
        assert_eq!(
            ResponseMode::in_force(form, true),
            ResponseMode::in_force(form, false)
        );
    }
}
