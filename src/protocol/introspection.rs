//! Token introspection ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)): request and answer.
//!
//! Left out: signed answers (RFC 9701).

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::access_token::AccessTokenClaims;
use super::errors::OAuthError;
use super::params::Params;
use super::revocation::TokenTypeHint;
use super::token;
use crate::secret::PlainSecret;

/// An introspection request.
#[derive(Debug, Clone)]
pub struct IntrospectionRequest {
    /// The token to look into.
    pub token: PlainSecret,
    /// What it may be.
    pub token_type_hint: Option<TokenTypeHint>,
}

impl IntrospectionRequest {
    /// Reads the body of a request.
    pub fn from_params(params: &Params) -> Result<Self, OAuthError> {
        Ok(Self {
            token: token::secret(params, "token")?,
            token_type_hint: TokenTypeHint::from_params(params)?,
        })
    }
}

/// The answer.
#[derive(Debug, Clone)]
pub enum IntrospectionResponse {
    /// The token is not good, or whoever asks may not know. RFC 7662 §2.2: nothing else is said.
    Inactive,
    /// The token is good.
    Active(Box<ActiveToken>),
}

/// What is said of a token that is good.
#[derive(Debug, Clone, Serialize)]
pub struct ActiveToken {
    /// The claims, those of the JWT form whatever form the token has.
    #[serde(flatten)]
    pub claims: AccessTokenClaims,
    /// `Bearer` or `DPoP` for an access token; nothing for a refresh token, which is no credential for an API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<token::TokenType>,
    /// A name for the person, for people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

impl Serialize for IntrospectionResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Active<'a> {
            active: bool,
            #[serde(flatten)]
            token: &'a ActiveToken,
        }

        match self {
            Self::Inactive => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("active", &false)?;
                map.end()
            }
            Self::Active(token) => Active {
                active: true,
                token,
            }
            .serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::access_token::tests::example;

    #[test]
    fn inactive_says_nothing_else() {
        assert_eq!(
            serde_json::to_string(&IntrospectionResponse::Inactive).unwrap(),
            r#"{"active":false}"#
        );
    }

    #[test]
    fn active_repeats_the_claims() {
        let token = ActiveToken {
            claims: example(),
            token_type: Some(token::TokenType::Bearer),
            username: None,
        };
        let json = serde_json::to_value(IntrospectionResponse::Active(Box::new(token))).unwrap();
        assert_eq!(json["active"], true);
        assert_eq!(json["token_type"], "Bearer");
        assert_eq!(json["iss"], "https://id.example.com/t/acme");
        assert_eq!(json["tenant"], "acme");
        assert!(json.get("username").is_none());
    }
}
