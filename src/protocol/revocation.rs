//! Token revocation ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)): the request. The answer has no body, and a token that is not known is no error.

use super::errors::OAuthError;
use super::params::Params;
use super::token;
use crate::secret::PlainSecret;

/// What a token is, in the client's opinion (RFC 7009 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenTypeHint {
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
}

impl TokenTypeHint {
    /// Reads the hint. One that is not known is ignored: it only says where to look first.
    pub fn from_params(params: &Params) -> Result<Option<Self>, OAuthError> {
        Ok(match params.get("token_type_hint")? {
            Some("access_token") => Some(Self::AccessToken),
            Some("refresh_token") => Some(Self::RefreshToken),
            _ => None,
        })
    }
}

/// A revocation request.
#[derive(Debug, Clone)]
pub struct RevocationRequest {
    /// The token to revoke.
    pub token: PlainSecret,
    /// What it may be.
    pub token_type_hint: Option<TokenTypeHint>,
}

impl RevocationRequest {
    /// Reads the body of a request.
    pub fn from_params(params: &Params) -> Result<Self, OAuthError> {
        Ok(Self {
            token: token::secret(params, "token")?,
            token_type_hint: TokenTypeHint::from_params(params)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<RevocationRequest, OAuthError> {
        RevocationRequest::from_params(&Params::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn the_hint_only_hints() {
        let request = read("token=45ghiukldjahdnhzdauz&token_type_hint=refresh_token").unwrap();
        assert_eq!(
            (request.token.expose(), request.token_type_hint),
            ("45ghiukldjahdnhzdauz", Some(TokenTypeHint::RefreshToken))
        );
        assert_eq!(
            read("token=a&token_type_hint=pizza")
                .unwrap()
                .token_type_hint,
            None
        );
    }

    #[test]
    fn a_token_is_required_once() {
        for body in [
            "",
            "token=",
            "token=a&token=b",
            "token=a&token_type_hint=x&token_type_hint=y",
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
