//! Token introspection ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)): request and answer, which may be asked for as a JWT
//! ([RFC 9701](https://www.rfc-editor.org/rfc/rfc9701)).

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::access_token::AccessTokenClaims;
use super::algorithm::SigningAlgorithm;
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

/// The media type of signed answers (RFC 9701 §4).
pub const SIGNED_MEDIA_TYPE: &str = "application/token-introspection+jwt";
/// The `typ` header of signed answers (RFC 9701 §5).
pub const SIGNED_TYP: &str = "token-introspection+jwt";
/// RFC 9701 §6, of `introspection_signed_response_alg`: "The default, if omitted, is RS256."
pub const DEFAULT_ALGORITHM: SigningAlgorithm = SigningAlgorithm::Rs256;

/// Whether an `Accept` header asks for a signed answer by name; whatever is content with anything gets JSON.
pub fn wants_signed(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(SIGNED_MEDIA_TYPE));
        // RFC 9110 §12.4.2: a weight of 0 means "not acceptable".
        let refused = |part: &str| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.bytes().all(|byte| b"0.".contains(&byte)))
        };
        named && !parts.any(refused)
    })
}

/// A signed answer's claims (RFC 9701 §5). There is neither `sub` nor `exp`, so that it passes for no token of the person's.
#[derive(Debug, Clone, Serialize)]
pub struct SignedIntrospection {
    /// The issuer that answers.
    pub iss: String,
    /// Who asked.
    pub aud: String,
    /// When.
    pub iat: i64,
    /// The answer.
    pub token_introspection: IntrospectionResponse,
}

/// The answer.
#[derive(Debug, Clone)]
pub enum IntrospectionResponse {
    /// The token is not good, or whoever asks may not know. RFC 7662 §2.2: nothing else is said.
    Inactive,
    /// The token is good.
    Active(ActiveToken),
}

/// What is said of a token that is good.
#[derive(Debug, Clone, Serialize)]
pub struct ActiveToken {
    /// The claims, those of the JWT form whatever form the token has.
    #[serde(flatten)]
    pub claims: Box<AccessTokenClaims>,
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
    fn signed_answers_are_asked_for_by_name() {
        for accept in [
            "application/token-introspection+jwt",
            "Application/Token-Introspection+JWT",
            "application/json;q=0.5, application/token-introspection+jwt;q=1",
            "application/token-introspection+jwt; q=0.1,*/*",
        ] {
            assert!(wants_signed(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/*",
            "application/json",
            "application/jwt",
            "application/token-introspection+jwt;q=0",
            "application/token-introspection+jwt; q=0.000, application/json",
            "application/token-introspection+jwtx",
        ] {
            assert!(!wants_signed(accept), "{accept}");
        }
    }

    #[test]
    fn active_repeats_the_claims() {
        let token = ActiveToken {
            claims: Box::new(example()),
            token_type: Some(token::TokenType::Bearer),
            username: None,
        };
        let json = serde_json::to_value(IntrospectionResponse::Active(token)).unwrap();
        assert_eq!(json["active"], true);
        assert_eq!(json["token_type"], "Bearer");
        assert_eq!(json["iss"], "https://id.example.com/t/acme");
        assert_eq!(json["tenant"], "acme");
        assert!(json.get("username").is_none());
    }
}
