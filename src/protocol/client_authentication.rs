//! Client authentication: what a request presents ([RFC 6749 §2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3),
//! [RFC 7521 §4.2](https://www.rfc-editor.org/rfc/rfc7521#section-4.2)), and what the claims of an assertion must say
//! ([RFC 7523 §3](https://www.rfc-editor.org/rfc/rfc7523#section-3)).
//!
//! Whether a secret or a signature is right is decided above. Left out: `client_secret_jwt`, mutual TLS.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::access_token::Audience;
use super::authorization::{MAX_CLIENT_ID, MAX_JWT};
use super::client_metadata::TokenEndpointAuthMethod;
use super::errors::OAuthError;
use super::params::{Params, decode_form};
use crate::secret::{MAX_CLIENT_SECRET, PlainSecret};

/// The only `client_assertion_type` (RFC 7523 §2.2).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest life of an assertion, in seconds from now.
pub const MAX_ASSERTION_LIFE: i64 = 3600;
/// By how many seconds the client's clock may differ from ours.
const SKEW: i64 = 30;

/// RFC 7617 demands padding, some clients leave it out; nothing is ambiguous without it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a request presents to say which client it is from. Nothing is verified yet.
#[derive(Debug, Clone)]
pub enum ClientCredentials {
    /// A `client_id` alone: a public client.
    None {
        /// Who it claims to be.
        client_id: String,
    },
    /// A secret by HTTP Basic authentication.
    Basic {
        /// Who it claims to be.
        client_id: String,
        /// The secret.
        secret: PlainSecret,
    },
    /// A secret in the body.
    Post {
        /// Who it claims to be.
        client_id: String,
        /// The secret.
        secret: PlainSecret,
    },
    /// A signed assertion, whose subject is the client.
    Assertion {
        /// Who it claims to be, where the request says so outside of the assertion.
        client_id: Option<String>,
        /// The JWT.
        assertion: PlainSecret,
    },
}

impl ClientCredentials {
    /// Reads them from the values of all `Authorization` headers and from the body.
    pub fn from_request(authorization: &[&str], body: &Params) -> Result<Self, OAuthError> {
        let client_id = body
            .get_bounded("client_id", MAX_CLIENT_ID)?
            .map(str::to_owned);
        let secret = body.get("client_secret")?;
        let assertion = read_assertion(body)?;
        match (authorization, secret, assertion) {
            ([], None, None) => client_id
                .map(|client_id| Self::None { client_id })
                .ok_or_else(|| {
                    OAuthError::invalid_client("the request does not say which client it is from")
                }),
            ([header], None, None) => {
                let (basic_id, secret) = parse_basic(header)?;
                // RFC 6749 §3.2.1 lets client_id stand in the body too; it can't name somebody else.
                if client_id.is_some_and(|client_id| client_id != basic_id) {
                    return Err(OAuthError::invalid_request(
                        "client_id differs from that of the Authorization header",
                    ));
                }
                Ok(Self::Basic {
                    client_id: basic_id,
                    secret,
                })
            }
            ([], Some(secret), None) => {
                let client_id =
                    client_id.ok_or_else(|| OAuthError::invalid_request("client_id is missing"))?;
                Ok(Self::Post {
                    client_id,
                    secret: bounded_secret(secret.to_owned())?,
                })
            }
            ([], None, Some(assertion)) => Ok(Self::Assertion {
                client_id,
                assertion,
            }),
            // RFC 6749 §2.3: "The client MUST NOT use more than one authentication method in each request."
            _ => Err(OAuthError::invalid_request(
                "the request uses more than one way to authenticate the client",
            )),
        }
    }

    /// Which method this is.
    pub const fn method(&self) -> TokenEndpointAuthMethod {
        match self {
            Self::None { .. } => TokenEndpointAuthMethod::None,
            Self::Basic { .. } => TokenEndpointAuthMethod::ClientSecretBasic,
            Self::Post { .. } => TokenEndpointAuthMethod::ClientSecretPost,
            Self::Assertion { .. } => TokenEndpointAuthMethod::PrivateKeyJwt,
        }
    }
}

fn read_assertion(body: &Params) -> Result<Option<PlainSecret>, OAuthError> {
    match (
        body.get("client_assertion_type")?,
        body.get_bounded("client_assertion", MAX_JWT)?,
    ) {
        (None, None) => Ok(None),
        (Some(JWT_BEARER), Some(assertion)) => Ok(Some(PlainSecret::new(assertion.to_owned()))),
        (Some(JWT_BEARER), None) => Err(OAuthError::invalid_request("client_assertion is missing")),
        (None, Some(_)) => Err(OAuthError::invalid_request(
            "client_assertion_type is missing",
        )),
        (Some(_), _) => Err(OAuthError::invalid_client(format!(
            "client_assertion_type must be {JWT_BEARER}"
        ))),
    }
}

/// RFC 6749 §2.3.1: both parts are form-encoded before Basic authentication joins them by a colon.
fn parse_basic(header: &str) -> Result<(String, PlainSecret), OAuthError> {
    let malformed =
        || OAuthError::invalid_client("the Authorization header holds no HTTP Basic credentials");
    let (scheme, encoded) = header.split_once(' ').ok_or_else(malformed)?;
    // RFC 9110 §11.1: the scheme is case-insensitive
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > 4096 {
        return Err(malformed());
    }
    let decoded = zeroize::Zeroizing::new(
        BASE64
            .decode(encoded.trim_matches(' '))
            .map_err(|_| malformed())?,
    );
    let colon = decoded
        .iter()
        .position(|byte| *byte == b':')
        .ok_or_else(malformed)?;
    let client_id = decode_form(&decoded[..colon]).ok_or_else(malformed)?;
    let secret = decode_form(&decoded[colon + 1..]).ok_or_else(malformed)?;
    if client_id.is_empty() || client_id.len() > MAX_CLIENT_ID {
        return Err(malformed());
    }
    Ok((client_id, bounded_secret(secret)?))
}

fn bounded_secret(secret: String) -> Result<PlainSecret, OAuthError> {
    let secret = PlainSecret::new(secret);
    if secret.expose().len() > MAX_CLIENT_SECRET {
        return Err(OAuthError::invalid_client("client authentication failed"));
    }
    Ok(secret)
}

/// The `WWW-Authenticate` header that goes with `invalid_client` (RFC 6749 §5.2). The realm is the issuer.
pub fn basic_challenge(issuer: &str) -> String {
    format!(
        "Basic realm=\"{}\", charset=\"UTF-8\"",
        issuer.replace(['"', '\\'], "")
    )
}

/// The claims of a client's assertion, its signature verified.
#[derive(Debug, Clone, Deserialize)]
pub struct AssertionClaims {
    /// Who made it: the client.
    pub iss: String,
    /// Whom it is about: the client.
    pub sub: String,
    /// Whom it is meant for.
    pub aud: Audience,
    /// When it expires, in seconds since 1970; fractions are allowed by RFC 7519 §2.
    #[serde(deserialize_with = "super::access_token::numeric_date")]
    pub exp: i64,
    /// From when it holds.
    #[serde(
        default,
        deserialize_with = "super::access_token::optional_numeric_date"
    )]
    pub nbf: Option<i64>,
    /// When it was made.
    #[serde(
        default,
        deserialize_with = "super::access_token::optional_numeric_date"
    )]
    pub iat: Option<i64>,
    /// Its identifier, good for one use.
    pub jti: String,
}

/// Why an assertion is refused. The client learns `invalid_client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAssertion {
    /// `iss` or `sub` is not the client.
    #[error("the assertion's iss and sub must both be the client_id")]
    Party,
    /// `aud` is none of ours, or more than one.
    #[error("the assertion's aud must be one string: the issuer or the token endpoint's URL")]
    Audience,
    /// Expired.
    #[error("the assertion has expired")]
    Expired,
    /// `exp` lies too far ahead.
    #[error("the assertion's exp must lie within an hour")]
    LongLived,
    /// `nbf` or `iat` lies ahead.
    #[error("the assertion is not valid yet; check the client's clock")]
    Early,
    /// `jti` is empty or too long.
    #[error("the assertion's jti must be 1 to 256 characters")]
    Identifier,
}

impl AssertionClaims {
    /// Checks what RFC 7523 §3 asks for, at a time in seconds since 1970. That `jti` is new is to be checked above, until [`AssertionClaims::keep_until`].
    pub fn check(
        &self,
        client_id: &str,
        audiences: &[&str],
        now: i64,
    ) -> Result<(), InvalidAssertion> {
        if self.iss != client_id || self.sub != client_id {
            return Err(InvalidAssertion::Party);
        }
        if !self
            .aud
            .as_single()
            .is_some_and(|aud| audiences.contains(&aud))
        {
            return Err(InvalidAssertion::Audience);
        }
        if self.exp <= now.saturating_sub(SKEW) {
            return Err(InvalidAssertion::Expired);
        }
        if self.exp > now.saturating_add(MAX_ASSERTION_LIFE + SKEW) {
            return Err(InvalidAssertion::LongLived);
        }
        let soonest = now.saturating_add(SKEW);
        if [self.nbf, self.iat]
            .into_iter()
            .flatten()
            .any(|start| start > soonest)
        {
            return Err(InvalidAssertion::Early);
        }
        if !(1..=256).contains(&self.jti.len()) {
            return Err(InvalidAssertion::Identifier);
        }
        Ok(())
    }

    /// Until when its `jti` must be remembered, in seconds since 1970: the last moment at which [`AssertionClaims::check`] accepts it.
    pub const fn keep_until(&self) -> i64 {
        self.exp.saturating_add(SKEW)
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::ErrorCode;

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn read(authorization: &[&str], body: &str) -> Result<ClientCredentials, ErrorCode> {
        ClientCredentials::from_request(authorization, &Params::parse(body.as_bytes()).unwrap())
            .map_err(|error| error.code)
    }

    #[test]
    fn basic_decodes_both_parts() {
        // RFC 6749 §2.3.1, and a pair in which everything needs encoding.
        for (header, id, password) in [
            (
                "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW".to_owned(),
                "s6BhdRkqt3",
                "gX1fBat3bV",
            ),
            (basic("a%3Ab+c:%25%C3%A9%3A:d"), "a:b c", "%é::d"),
            (basic("a:").replace("Basic", "bAsIc"), "a", ""),
            (basic("a:bb").trim_end_matches('=').to_owned(), "a", "bb"),
        ] {
            let Ok(ClientCredentials::Basic { client_id, secret }) = read(&[&header], "client_id=")
            else {
                panic!("{header}")
            };
            assert_eq!((client_id.as_str(), secret.expose()), (id, password));
        }
        assert!(read(&[&basic("a:b")], "client_id=a").is_ok());
    }

    #[test]
    fn the_other_methods() {
        let method = |body: &str| read(&[], body).unwrap().method();
        assert_eq!(method("client_id=a"), TokenEndpointAuthMethod::None);
        assert_eq!(
            method("client_id=a&client_secret="),
            TokenEndpointAuthMethod::None
        );
        assert_eq!(
            method("client_id=a&client_secret=b"),
            TokenEndpointAuthMethod::ClientSecretPost
        );
        let assertion = format!("client_assertion_type={JWT_BEARER}&client_assertion=x.y.z");
        assert_eq!(method(&assertion), TokenEndpointAuthMethod::PrivateKeyJwt);
        assert_eq!(
            method(&format!("{assertion}&client_id=a")),
            TokenEndpointAuthMethod::PrivateKeyJwt
        );
    }

    #[test]
    fn faults() {
        use ErrorCode::{InvalidClient, InvalidRequest};
        let assertion = format!("client_assertion_type={JWT_BEARER}&client_assertion=x.y.z");
        let (good, long) = (
            basic("a:b"),
            basic(&format!("a:{}", "b".repeat(MAX_CLIENT_SECRET + 1))),
        );
        let posted = format!(
            "client_id=a&client_secret={}",
            "b".repeat(MAX_CLIENT_SECRET + 1)
        );
        let cases: [(&[&str], &str, ErrorCode); 20] = [
            (&[], "", InvalidClient),
            (&[], "client_secret=b", InvalidRequest),
            (&[], &posted, InvalidClient),
            (&[], "client_id=a&client_id=b", InvalidRequest),
            (
                &[],
                "client_id=a&client_secret=b&client_secret=c",
                InvalidRequest,
            ),
            (
                &[],
                &format!("{assertion}&client_secret=b&client_id=a"),
                InvalidRequest,
            ),
            (&[], "client_assertion=x.y.z", InvalidRequest),
            (
                &[],
                &format!("client_assertion_type={JWT_BEARER}"),
                InvalidRequest,
            ),
            (
                &[],
                "client_assertion_type=saml&client_assertion=x",
                InvalidClient,
            ),
            (&[&good], "client_secret=b", InvalidRequest),
            (&[&good], &assertion, InvalidRequest),
            (&[&good, &good], "", InvalidRequest),
            (&[&good], "client_id=other", InvalidRequest),
            (&["Bearer abc"], "client_id=a", InvalidClient),
            (&["Basic"], "", InvalidClient),
            (&["Basic !!!"], "", InvalidClient),
            (&[&basic("no colon")], "", InvalidClient),
            (&[&basic(":b")], "", InvalidClient),
            (&[&basic("a:%zz")], "", InvalidClient),
            (&[&long], "", InvalidClient),
        ];
        for (authorization, body, code) in cases {
            assert_eq!(
                read(authorization, body).unwrap_err(),
                code,
                "{authorization:?} {body}"
            );
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let shown = format!(
            "{:?} {:?}",
            read(&[&basic("a:hush")], ""),
            read(&[], "client_id=a&client_secret=hush")
        );
        assert!(!shown.contains("hush"));
    }

    const NOW: i64 = 1_700_000_000;

    fn assertion(members: serde_json::Value) -> Option<AssertionClaims> {
        let mut claims = serde_json::json!({"iss": "c", "sub": "c", "aud": "https://id.example", "exp": NOW + 60, "jti": "j"});
        for (name, value) in members.as_object().unwrap() {
            claims[name] = value.clone();
        }
        serde_json::from_value(claims).ok()
    }

    #[test]
    fn assertions() {
        use InvalidAssertion::{Audience, Early, Expired, Identifier, LongLived, Party};
        for (members, verdict) in [
            (serde_json::json!({}), Ok(())),
            (
                serde_json::json!({"aud": "https://id.example/token", "iat": NOW, "nbf": NOW + 10, "extra": 1}),
                Ok(()),
            ),
            (serde_json::json!({"exp": 1_700_000_060.5}), Ok(())),
            (serde_json::json!({"iss": "d"}), Err(Party)),
            (serde_json::json!({"sub": "d"}), Err(Party)),
            (
                serde_json::json!({"aud": "https://other.example"}),
                Err(Audience),
            ),
            (
                serde_json::json!({"aud": ["https://id.example"]}),
                Err(Audience),
            ),
            (
                serde_json::json!({"aud": ["https://id.example", "https://other.example"]}),
                Err(Audience),
            ),
            (serde_json::json!({"exp": NOW - 60}), Err(Expired)),
            (serde_json::json!({"exp": i64::MIN}), Err(Expired)),
            (
                serde_json::json!({"exp": NOW + 10 * 365 * 86_400}),
                Err(LongLived),
            ),
            (serde_json::json!({"exp": i64::MAX}), Err(LongLived)),
            (serde_json::json!({"nbf": NOW + 61}), Err(Early)),
            (serde_json::json!({"iat": NOW + 61}), Err(Early)),
            (serde_json::json!({"jti": ""}), Err(Identifier)),
            (serde_json::json!({"jti": "j".repeat(257)}), Err(Identifier)),
        ] {
            let claims = assertion(members.clone()).unwrap();
            assert_eq!(
                claims.check(
                    "c",
                    &["https://id.example", "https://id.example/token"],
                    NOW
                ),
                verdict,
                "{members}"
            );
        }
        for members in [
            serde_json::json!({"exp": null}),
            serde_json::json!({"exp": "soon"}),
            serde_json::json!({"jti": null}),
            serde_json::json!({"aud": 1}),
        ] {
            assert!(assertion(members).is_none());
        }
    }

    #[test]
    fn an_identifier_is_kept_as_long_as_the_assertion_is_accepted() {
        let claims = assertion(serde_json::json!({})).unwrap();
        assert!(
            claims
                .check("c", &["https://id.example"], claims.keep_until() - 1)
                .is_ok()
        );
        assert!(
            claims
                .check("c", &["https://id.example"], claims.keep_until())
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn never_panics(header in any::<String>(), pair in any::<Vec<u8>>()) {
            let encoded = format!("Basic {}", STANDARD.encode(&pair));
            let _ = read(&[&header], "");
            let _ = read(&[&encoded], "");
        }
    }
}
