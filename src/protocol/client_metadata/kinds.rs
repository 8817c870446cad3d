//! The values that fields choose from.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

/// How a client gets tokens (RFC 7591 §2, `grant_types`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// The authorization code (RFC 6749 §4.1).
    AuthorizationCode,
    /// The refresh token (RFC 6749 §6).
    RefreshToken,
    /// The client's own credentials (RFC 6749 §4.4).
    ClientCredentials,
    /// The code that a device shows (RFC 8628).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
    /// A person who is asked by the back channel (OpenID Connect CIBA).
    #[serde(rename = "urn:openid:params:grant-type:ciba")]
    Ciba,
    /// Another token (RFC 8693).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
    /// What somebody else says of a person (RFC 7523 §2.1).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:jwt-bearer")]
    JwtBearer,
    /// Tokens from the authorization endpoint (RFC 6749 §4.2, OpenID Connect Core §3.2, §3.3): nothing that the token endpoint takes.
    Implicit,
}

impl GrantType {
    /// Every grant type, in the order in which discovery announces them.
    pub const ALL: [Self; 8] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::Ciba,
        Self::TokenExchange,
        Self::JwtBearer,
        Self::Implicit,
    ];

    /// Whether the token endpoint may answer it with an ID token.
    pub const fn gives_id_token(self) -> bool {
        matches!(
            self,
            Self::AuthorizationCode | Self::RefreshToken | Self::DeviceCode | Self::Ciba
        )
    }

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::Ciba => "urn:openid:params:grant-type:ciba",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::Implicit => "implicit",
        }
    }
}

/// What the authorization endpoint answers with (RFC 7591 §2, `response_types`; OAuth 2.0 Multiple Response Type Encoding Practices §3, §5).
///
/// Left out: `token` alone, which says nothing of who signed in and is no OpenID Connect flow, and `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub enum ResponseType {
    /// An authorization code (RFC 6749 §4.1.1).
    #[serde(rename = "code")]
    Code,
    /// An ID token.
    #[serde(rename = "id_token")]
    IdToken,
    /// An ID token and an access token.
    #[serde(rename = "id_token token")]
    IdTokenToken,
    /// A code and an ID token.
    #[serde(rename = "code id_token")]
    CodeIdToken,
    /// A code and an access token.
    #[serde(rename = "code token")]
    CodeToken,
    /// All three.
    #[serde(rename = "code id_token token")]
    CodeIdTokenToken,
}

impl ResponseType {
    /// Every response type, in the order in which discovery announces them.
    pub const ALL: [Self; 6] = [
        Self::Code,
        Self::IdToken,
        Self::IdTokenToken,
        Self::CodeIdToken,
        Self::CodeToken,
        Self::CodeIdTokenToken,
    ];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::IdToken => "id_token",
            Self::IdTokenToken => "id_token token",
            Self::CodeIdToken => "code id_token",
            Self::CodeToken => "code token",
            Self::CodeIdTokenToken => "code id_token token",
        }
    }

    /// Whether the answer holds a code.
    pub const fn has_code(self) -> bool {
        !matches!(self, Self::IdToken | Self::IdTokenToken)
    }

    /// Whether the answer holds an ID token.
    pub const fn has_id_token(self) -> bool {
        !matches!(self, Self::Code | Self::CodeToken)
    }

    /// Whether the answer holds an access token.
    pub const fn has_access_token(self) -> bool {
        matches!(
            self,
            Self::IdTokenToken | Self::CodeToken | Self::CodeIdTokenToken
        )
    }

    /// Whether a token comes by the front channel: through the browser.
    pub const fn is_front_channel(self) -> bool {
        self.has_id_token() || self.has_access_token()
    }

    /// The grant types that have to be registered with it (OpenID Connect Dynamic Client Registration §2, `response_types`).
    pub const fn grant_types(self) -> &'static [GrantType] {
        match (self.has_code(), self.is_front_channel()) {
            (true, false) => &[GrantType::AuthorizationCode],
            (true, true) => &[GrantType::AuthorizationCode, GrantType::Implicit],
            (false, _) => &[GrantType::Implicit],
        }
    }
}

impl fmt::Display for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is none of [`ResponseType::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "unsupported response type; use one of code, id_token, id_token token, code id_token, code token, code id_token token"
)]
pub struct UnsupportedResponseType;

impl FromStr for ResponseType {
    type Err = UnsupportedResponseType;

    /// RFC 6749 §3.1.1: "the order of values does not matter"
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|own| same_values(own.as_str(), name))
            .ok_or(UnsupportedResponseType)
    }
}

impl<'de> Deserialize<'de> for ResponseType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// Whether two space-delimited lists hold the same values, in whatever order.
pub fn same_values(one: &str, other: &str) -> bool {
    let sorted = |text: &str| {
        let mut values: Vec<_> = text.split(' ').map(str::to_owned).collect();
        values.sort_unstable();
        values
    };
    one == other || one.len() == other.len() && sorted(one) == sorted(other)
}

/// How a client proves who it is at the token endpoint (OpenID Connect Core §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenEndpointAuthMethod {
    /// Not at all: a public client.
    None,
    /// Its secret by HTTP Basic authentication: the default of RFC 7591 §2.
    #[default]
    ClientSecretBasic,
    /// Its secret in the body.
    ClientSecretPost,
    /// A JWT whose HMAC is made with its secret (OpenID Connect Core §9).
    ClientSecretJwt,
    /// A JWT signed by its own key (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// A certificate that an authority issued to it, at the TLS layer (RFC 8705 §2.1).
    TlsClientAuth,
    /// A certificate of its own, whose key it has registered (RFC 8705 §2.2).
    SelfSignedTlsClientAuth,
}

impl TokenEndpointAuthMethod {
    /// Every method, in the order in which discovery announces them.
    pub const ALL: [Self; 7] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::ClientSecretJwt,
        Self::PrivateKeyJwt,
        Self::TlsClientAuth,
        Self::SelfSignedTlsClientAuth,
        Self::None,
    ];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
        }
    }

    /// Whether the method needs a secret that we hand out.
    pub const fn uses_secret(self) -> bool {
        matches!(
            self,
            Self::ClientSecretBasic | Self::ClientSecretPost | Self::ClientSecretJwt
        )
    }

    /// Whether the method is a certificate at the TLS layer.
    pub const fn uses_certificate(self) -> bool {
        matches!(self, Self::TlsClientAuth | Self::SelfSignedTlsClientAuth)
    }

    /// Whether the method needs that secret itself, and not only what can be compared with it.
    pub const fn reads_secret(self) -> bool {
        matches!(self, Self::ClientSecretJwt)
    }
}

/// What kind of application a client is (OpenID Connect Dynamic Client Registration §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// Runs on a web server or in a browser.
    #[default]
    Web,
    /// Runs on the person's device (RFC 8252).
    Native,
}

/// Whether clients can recognise one person among each other (OpenID Connect Core §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// The same `sub` for every client.
    #[default]
    Public,
    /// A `sub` of its own for each sector.
    Pairwise,
}

/// What an access token looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessTokenFormat {
    /// A JWT (RFC 9068), verified with nothing but the issuer's keys.
    #[default]
    Jwt,
    /// A handle that only introspection can resolve.
    Opaque,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_a_response_types_values_does_not_matter() {
        for own in ResponseType::ALL {
            let backwards: Vec<_> = own.as_str().split(' ').rev().collect();
            assert_eq!(backwards.join(" ").parse(), Ok(own));
            let json = serde_json::to_string(&own).unwrap();
            assert_eq!(json, format!("\"{own}\""));
            assert_eq!(serde_json::from_str::<ResponseType>(&json).unwrap(), own);
        }
        assert_eq!(
            "token id_token code".parse(),
            Ok(ResponseType::CodeIdTokenToken)
        );
        for name in [
            "",
            "token",
            "none",
            "code code",
            "id_token id_token",
            "code  token",
            " code",
            "code ",
            "CODE",
            "code,token",
            "code id_token token token",
        ] {
            assert_eq!(
                name.parse::<ResponseType>(),
                Err(UnsupportedResponseType),
                "{name}"
            );
        }
    }

    #[test]
    fn what_an_answer_holds_is_in_its_types_name() {
        for own in ResponseType::ALL {
            let has = |value: &str| own.as_str().split(' ').any(|known| known == value);
            assert_eq!(own.has_code(), has("code"));
            assert_eq!(own.has_id_token(), has("id_token"));
            assert_eq!(own.has_access_token(), has("token"));
            assert_eq!(own.is_front_channel(), has("id_token") || has("token"));
            let grants = own.grant_types();
            assert_eq!(
                grants.contains(&GrantType::AuthorizationCode),
                own.has_code()
            );
            assert_eq!(
                grants.contains(&GrantType::Implicit),
                own.is_front_channel()
            );
        }
    }
}
