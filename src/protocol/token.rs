//! The token endpoint ([RFC 6749 §4.1.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3), §4.4.2, §5, §6, RFC 7523 §2.1, RFC 8628 §3.4, RFC 8693 §2): requests by
//! grant, and the answer.
//!
//! Left out: the resource owner's password (§4.3), which RFC 9700 §2.4 forbids.

use std::fmt;

use serde::Serialize;

use super::authorization::{read_resources, read_scope};
use super::authorization_details::AuthorizationDetails;
use super::client_metadata::GrantType;
use super::dpop::Confirmation;
use super::errors::OAuthError;
use super::native_sso::{NativeSsoRequest, read_device_secret};
use super::params::Params;
use super::pkce::CodeVerifier;
use super::resource::ResourceIndicator;
use super::scope::Scope;
use super::token_exchange::{ExchangeRequest, TokenKind};
use crate::secret::PlainSecret;

/// The longest code or token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 16_384;

/// A token request whose parameters are each syntactically sound. Who sends it is [`super::client_authentication`]'s matter.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// The grant and what belongs to it.
    pub grant: TokenGrant,
    /// The secret of the device, where it has one already (OpenID Connect Native SSO §3.3).
    pub device_secret: Option<PlainSecret>,
    /// The APIs that the access token is for (RFC 8707); none means those of the grant.
    pub resources: Vec<ResourceIndicator>,
    /// What it is to allow in objects (RFC 9396 §6); none means those of the grant.
    pub authorization_details: AuthorizationDetails,
}

/// What a token request offers in exchange.
#[derive(Debug, Clone)]
pub enum TokenGrant {
    /// An authorization code (RFC 6749 §4.1.3).
    AuthorizationCode {
        /// The code.
        code: PlainSecret,
        /// The redirect URI of the authorization request.
        redirect_uri: Option<String>,
        /// The verifier (RFC 7636 §4.5).
        code_verifier: Option<CodeVerifier>,
    },
    /// A refresh token (RFC 6749 §6).
    RefreshToken {
        /// The refresh token.
        refresh_token: PlainSecret,
        /// A narrower scope; none means that of the grant.
        scope: Option<Scope>,
    },
    /// The client's own credentials (RFC 6749 §4.4.2).
    ClientCredentials {
        /// The scope that is asked for.
        scope: Option<Scope>,
    },
    /// A device code (RFC 8628 §3.4).
    DeviceCode {
        /// The code.
        device_code: PlainSecret,
    },
    /// The name of a backchannel authentication request (OpenID Connect CIBA §10.1).
    Ciba {
        /// The name.
        auth_req_id: PlainSecret,
    },
    /// What somebody else says of a person (RFC 7523 §2.1).
    JwtBearer {
        /// The JWT.
        assertion: PlainSecret,
        /// The scope that is asked for.
        scope: Option<Scope>,
    },
    /// Another token (RFC 8693 §2.1).
    TokenExchange(Box<ExchangeRequest>),
    /// An ID token of another application and the secret of the device that both are on (OpenID Connect Native SSO §4.2).
    NativeSso(Box<NativeSsoRequest>),
}

impl TokenGrant {
    /// Which grant type this is.
    pub const fn grant_type(&self) -> GrantType {
        match self {
            Self::AuthorizationCode { .. } => GrantType::AuthorizationCode,
            Self::RefreshToken { .. } => GrantType::RefreshToken,
            Self::ClientCredentials { .. } => GrantType::ClientCredentials,
            Self::DeviceCode { .. } => GrantType::DeviceCode,
            Self::Ciba { .. } => GrantType::Ciba,
            Self::JwtBearer { .. } => GrantType::JwtBearer,
            Self::TokenExchange(_) | Self::NativeSso(_) => GrantType::TokenExchange,
        }
    }
}

impl TokenRequest {
    /// Reads the body of a request.
    pub fn from_params(params: &Params) -> Result<Self, OAuthError> {
        let name = params.require("grant_type", 256)?;
        let unsupported = || {
            OAuthError::unsupported_grant_type(
                "grant_type must be authorization_code, refresh_token, client_credentials, urn:ietf:params:oauth:grant-type:device_code, urn:openid:params:grant-type:ciba, urn:ietf:params:oauth:grant-type:token-exchange or urn:ietf:params:oauth:grant-type:jwt-bearer",
            )
        };
        let grant_type = GrantType::ALL
            .into_iter()
            .find(|own| own.as_str() == name)
            .ok_or_else(unsupported)?;
        let grant = match grant_type {
            GrantType::AuthorizationCode => TokenGrant::AuthorizationCode {
                code: secret(params, "code")?,
                redirect_uri: params
                    .get_bounded("redirect_uri", super::uri::MAX_URI)?
                    .map(str::to_owned),
                code_verifier: read_code_verifier(params)?,
            },
            GrantType::RefreshToken => TokenGrant::RefreshToken {
                refresh_token: secret(params, "refresh_token")?,
                scope: read_scope(params)?,
            },
            GrantType::ClientCredentials => TokenGrant::ClientCredentials {
                scope: read_scope(params)?,
            },
            GrantType::DeviceCode => TokenGrant::DeviceCode {
                device_code: secret(params, "device_code")?,
            },
            GrantType::Ciba => TokenGrant::Ciba {
                auth_req_id: secret(params, "auth_req_id")?,
            },
            GrantType::JwtBearer => TokenGrant::JwtBearer {
                assertion: secret(params, "assertion")?,
                scope: read_scope(params)?,
            },
            GrantType::TokenExchange if NativeSsoRequest::is_meant(params)? => {
                TokenGrant::NativeSso(Box::new(NativeSsoRequest::from_params(params)?))
            }
            GrantType::TokenExchange => {
                TokenGrant::TokenExchange(Box::new(ExchangeRequest::from_params(params)?))
            }
            // RFC 6749 §4.2: its tokens come from the authorization endpoint.
            GrantType::Implicit => return Err(unsupported()),
        };
        let device_secret = match grant_type {
            GrantType::AuthorizationCode | GrantType::RefreshToken => read_device_secret(params)?,
            _ => None,
        };
        Ok(Self {
            grant,
            device_secret,
            resources: read_resources(params)?,
            authorization_details: AuthorizationDetails::from_params(params)?,
        })
    }
}

/// Reads a parameter that holds a secret.
pub(super) fn secret(params: &Params, name: &str) -> Result<PlainSecret, OAuthError> {
    params
        .require(name, MAX_TOKEN)
        .map(|text| PlainSecret::new(text.to_owned()))
}

/// RFC 7636 §4.6: a verifier that can't fit is an `invalid_grant`, whatever is wrong with it.
fn read_code_verifier(params: &Params) -> Result<Option<CodeVerifier>, OAuthError> {
    let verifier = params
        .get("code_verifier")?
        .map(CodeVerifier::parse)
        .transpose();
    verifier.map_err(|error| OAuthError::invalid_grant(error.to_string()))
}

/// The successful answer (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3). It must be sent with `Cache-Control: no-store`.
#[derive(Clone, Serialize)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// What it is, where it was exchanged for another (RFC 8693 §2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<TokenKind>,
    /// How it is used.
    pub token_type: TokenType,
    /// Its life in seconds.
    pub expires_in: i64,
    /// A refresh token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The scope of the access token; always said, although only a difference must be.
    #[serde(skip_serializing_if = "Scope::is_empty")]
    pub scope: Scope,
    /// What the access token allows in objects (RFC 9396 §7).
    #[serde(skip_serializing_if = "AuthorizationDetails::is_empty")]
    pub authorization_details: AuthorizationDetails,
    /// The ID token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// The secret of the device (OpenID Connect Native SSO §3.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_secret: Option<String>,
}

/// How an access token is used (RFC 6749 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum TokenType {
    /// By whoever bears it (RFC 6750), with the certificate that it may be bound to.
    Bearer,
    /// By whoever proves to hold its key (RFC 9449 §5).
    #[serde(rename = "DPoP")]
    Dpop,
}

impl TokenType {
    /// That of an access token, by what it is bound to.
    pub const fn of(confirmation: Option<Confirmation>) -> Self {
        match confirmation {
            Some(Confirmation::Key(_)) => Self::Dpop,
            // RFC 8705 §3 leaves the type as it is.
            Some(Confirmation::Certificate(_)) | None => Self::Bearer,
        }
    }

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
}

impl TokenResponse {
    /// The answer's body. It is long for its access token, in which the writer of JSON would look for what to escape letter by letter, longer than all
    /// the rest takes. Fails where it can't be written.
    pub fn into_json(mut self) -> serde_json::Result<String> {
        const BEFORE: &str = r#"{"access_token":""#;
        // Without a stop at the first, which a processor does many bytes at a time.
        let is_escaped = self.access_token.bytes().fold(false, |found, byte| {
            found | matches!(byte, 0..b' ' | b'"' | b'\\')
        });
        if is_escaped {
            return serde_json::to_string(&self);
        }
        let token = std::mem::take(&mut self.access_token);
        let json = serde_json::to_string(&self)?;
        let Some(rest) = json.strip_prefix(BEFORE) else {
            self.access_token = token;
            return serde_json::to_string(&self);
        };
        Ok([BEFORE, &token, rest].concat())
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("token_type", &self.token_type)
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ErrorCode;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn read(body: &str) -> Result<TokenRequest, OAuthError> {
        TokenRequest::from_params(&Params::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn an_answer_is_the_same_json_as_by_the_writer() {
        let whole = TokenResponse {
            access_token: "h.p-_.s".into(),
            issued_token_type: Some(TokenKind::AccessToken),
            token_type: TokenType::Dpop,
            expires_in: 300,
            refresh_token: Some("r\"".into()),
            scope: "openid a".parse().unwrap(),
            authorization_details: AuthorizationDetails::default(),
            id_token: Some("i".into()),
            device_secret: None,
        };
        let bare = TokenResponse {
            issued_token_type: None,
            refresh_token: None,
            id_token: None,
            scope: Scope::default(),
            ..whole.clone()
        };
        for token in [
            "h.p-_.s",
            "",
            "quoted\"",
            "back\\slash",
            "line\n",
            "é\u{7f}",
        ] {
            for answer in [&whole, &bare] {
                let mut answer = answer.clone();
                token.clone_into(&mut answer.access_token);
                let written = serde_json::to_string(&answer).unwrap();
                assert_eq!(answer.into_json().unwrap(), written);
            }
        }
    }

    #[test]
    fn each_grant() {
        let request = read(&format!("grant_type=authorization_code&code=c&redirect_uri=https%3A%2F%2Fa.example%2F&code_verifier={VERIFIER}&resource=urn:a&resource=urn:b")).unwrap();
        assert_eq!(request.resources.len(), 2);
        let TokenGrant::AuthorizationCode {
            code,
            redirect_uri,
            code_verifier,
        } = request.grant
        else {
            panic!()
        };
        assert_eq!(
            (code.expose(), redirect_uri.as_deref()),
            ("c", Some("https://a.example/"))
        );
        assert!(code_verifier.is_some());

        let request = read("grant_type=refresh_token&refresh_token=r&scope=a+b").unwrap();
        let TokenGrant::RefreshToken {
            refresh_token,
            scope,
        } = request.grant
        else {
            panic!()
        };
        assert_eq!(
            (refresh_token.expose(), scope.unwrap().to_string().as_str()),
            ("r", "a b")
        );

        let request = read("grant_type=client_credentials&scope=").unwrap();
        assert!(matches!(
            request.grant,
            TokenGrant::ClientCredentials { scope: None }
        ));
    }

    #[test]
    fn faults() {
        let wide = format!("grant_type=client_credentials&scope={}", "a+".repeat(2000));
        for (body, code) in [
            ("", ErrorCode::InvalidRequest),
            (
                "grant_type=password&username=a&password=b",
                ErrorCode::UnsupportedGrantType,
            ),
            (
                "grant_type=Authorization_Code&code=c",
                ErrorCode::UnsupportedGrantType,
            ),
            ("grant_type=authorization_code", ErrorCode::InvalidRequest),
            (
                "grant_type=authorization_code&code=",
                ErrorCode::InvalidRequest,
            ),
            (
                "grant_type=authorization_code&code=a&code=b",
                ErrorCode::InvalidRequest,
            ),
            (
                "grant_type=authorization_code&grant_type=refresh_token&code=a",
                ErrorCode::InvalidRequest,
            ),
            (
                "grant_type=authorization_code&code=a&code_verifier=short",
                ErrorCode::InvalidGrant,
            ),
            ("grant_type=refresh_token", ErrorCode::InvalidRequest),
            (
                "grant_type=client_credentials&scope=%22",
                ErrorCode::InvalidScope,
            ),
            (
                "grant_type=client_credentials&resource=relative",
                ErrorCode::InvalidTarget,
            ),
            (
                "grant_type=urn:ietf:params:oauth:grant-type:device_code",
                ErrorCode::InvalidRequest,
            ),
            (
                "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=a&device_code=b",
                ErrorCode::InvalidRequest,
            ),
            (
                "grant_type=device_code&device_code=a",
                ErrorCode::UnsupportedGrantType,
            ),
            (
                "grant_type=urn:openid:params:grant-type:ciba",
                ErrorCode::InvalidRequest,
            ),
            (
                "grant_type=urn:ietf:params:oauth:grant-type:token-exchange",
                ErrorCode::InvalidRequest,
            ),
            (&wide, ErrorCode::InvalidRequest),
        ] {
            assert_eq!(read(body).unwrap_err().code, code, "{body}");
        }
    }

    #[test]
    fn the_answer_leaves_out_what_is_not_there_and_debug_tells_no_token() {
        let response = TokenResponse {
            access_token: "a.b.c".into(),
            issued_token_type: None,
            token_type: TokenType::Bearer,
            expires_in: 300,
            refresh_token: None,
            scope: Scope::empty(),
            authorization_details: AuthorizationDetails::default(),
            device_secret: None,
            id_token: None,
        };
        let json = serde_json::to_value(&response).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 300})
        );
        assert!(!format!("{response:?}").contains("a.b.c"));
        let request = read("grant_type=refresh_token&refresh_token=hush").unwrap();
        assert!(!format!("{request:?}").contains("hush"));
    }
}
