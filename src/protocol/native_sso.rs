//! OpenID Connect [Native SSO for Mobile Apps 1.0](https://openid.net/specs/openid-connect-native-sso-1_0.html): the applications of one vendor on a
//! device share a person's session, by an ID token and a device secret.
//!
//! A token request that redeems a code or refreshes may carry the device secret (§3.3); an exchange offers it as its actor token (§4.2).
//! Left out: ID tokens as what an exchange asks for by `requested_token_type`; one comes in any case.

use super::authorization::read_scope;
use super::errors::OAuthError;
use super::params::Params;
use super::scope::Scope;
use super::token::{MAX_TOKEN, secret};
use super::token_exchange::{ExchangeRequest, TokenKind};
use crate::secret::PlainSecret;

/// What a device secret is as an actor token (§4.1).
pub const DEVICE_SECRET: &str = "urn:openid:params:token-type:device-secret";

/// The longest name of a group of applications, in bytes.
pub const MAX_GROUP: usize = 64;

/// Whether this can be the name of a group of applications.
pub fn is_group(name: &str) -> bool {
    (1..=MAX_GROUP).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads the device secret that comes with a code or a refresh token (§3.3).
pub fn read_device_secret(params: &Params) -> Result<Option<PlainSecret>, OAuthError> {
    let text = params.get_bounded("device_secret", MAX_TOKEN)?;
    Ok(text.map(|text| PlainSecret::new(text.to_owned())))
}

/// A token exchange by a device secret (§4.2), but its resources, which every token request may name.
#[derive(Debug, Clone)]
pub struct NativeSsoRequest {
    /// An ID token of another application of the group.
    pub id_token: PlainSecret,
    /// The device secret.
    pub device_secret: PlainSecret,
    /// What for.
    pub scope: Option<Scope>,
    /// In which form the access token is to be.
    pub requested: TokenKind,
    /// Whose tokens are asked for: the issuer.
    pub audience: String,
}

impl NativeSsoRequest {
    /// Whether the body of a token exchange offers a device secret.
    pub fn is_meant(params: &Params) -> Result<bool, OAuthError> {
        Ok(params.get_bounded("actor_token_type", 256)? == Some(DEVICE_SECRET))
    }

    /// Reads the body of a request.
    pub fn from_params(params: &Params) -> Result<Self, OAuthError> {
        let requested = ExchangeRequest::read_requested(params)?;
        let kind = TokenKind::read(params, "subject_token_type")?;
        if kind != Some(TokenKind::IdToken) {
            return Err(OAuthError::invalid_request(
                "beside a device secret the subject_token is an ID token: subject_token_type must be urn:ietf:params:oauth:token-type:id_token",
            ));
        }
        let mut audiences = ExchangeRequest::read_audiences(params)?;
        let audience = match (audiences.pop(), audiences.is_empty()) {
            (Some(only), true) => only,
            (None, _) => {
                return Err(OAuthError::invalid_request(
                    "audience is missing: beside a device secret it is the issuer",
                ));
            }
            _ => {
                return Err(OAuthError::invalid_target(
                    "beside a device secret there is one audience: the issuer",
                ));
            }
        };
        Ok(Self {
            id_token: secret(params, "subject_token")?,
            device_secret: secret(params, "actor_token")?,
            scope: read_scope(params)?,
            requested,
            audience,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ErrorCode;

    fn read(body: &str) -> Result<NativeSsoRequest, OAuthError> {
        let params = Params::parse(body.as_bytes()).unwrap();
        assert!(NativeSsoRequest::is_meant(&params)?);
        NativeSsoRequest::from_params(&params)
    }

    /// §4.2.
    const EXAMPLE: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
         &audience=https%3A%2F%2Flogin.example.net\
         &subject_token=eyJ.id.token\
         &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid_token\
         &actor_token=95twdf3w4y6wvftw35634t\
         &actor_token_type=urn%3Aopenid%3Aparams%3Atoken-type%3Adevice-secret";

    #[test]
    fn the_specifications_example() {
        let request = read(EXAMPLE).unwrap();
        assert_eq!(request.id_token.expose(), "eyJ.id.token");
        assert_eq!(request.device_secret.expose(), "95twdf3w4y6wvftw35634t");
        assert_eq!(request.audience, "https://login.example.net");
        assert_eq!(request.requested, TokenKind::AccessToken);
        assert!(request.scope.is_none());
        let other = Params::parse(b"actor_token_type=urn:ietf:params:oauth:token-type:jwt");
        assert!(!NativeSsoRequest::is_meant(&other.unwrap()).unwrap());
    }

    #[test]
    fn faults() {
        let without = |name: &str| {
            let rest = EXAMPLE.split('&');
            let kept = rest.filter(|pair| !pair.starts_with(&format!("{name}=")));
            kept.collect::<Vec<_>>().join("&")
        };
        for (body, code) in [
            (without("audience"), ErrorCode::InvalidRequest),
            (
                format!("{EXAMPLE}&audience=other"),
                ErrorCode::InvalidTarget,
            ),
            (without("subject_token"), ErrorCode::InvalidRequest),
            (without("subject_token_type"), ErrorCode::InvalidRequest),
            (without("actor_token"), ErrorCode::InvalidRequest),
            (
                format!("{EXAMPLE}&actor_token=b"),
                ErrorCode::InvalidRequest,
            ),
            (format!("{EXAMPLE}&scope=%22"), ErrorCode::InvalidScope),
            (
                EXAMPLE.replace("id_token", "access_token"),
                ErrorCode::InvalidRequest,
            ),
            (
                format!("{EXAMPLE}&requested_token_type=urn:ietf:params:oauth:token-type:id_token"),
                ErrorCode::InvalidRequest,
            ),
        ] {
            assert_eq!(read(&body).unwrap_err().code, code, "{body}");
        }
    }

    #[test]
    fn groups_have_short_visible_names() {
        assert!(is_group("acme-mobile") && is_group(&"x".repeat(64)));
        for name in ["", "two words", "é", "a\n", &"x".repeat(65)] {
            assert!(!is_group(name), "{name:?}");
        }
    }
}
