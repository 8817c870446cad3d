//! Client authentication: what a request presents ([RFC 6749 §2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3),
//! [RFC 7521 §4.2](https://www.rfc-editor.org/rfc/rfc7521#section-4.2)).
//!
//! Whether a secret or an assertion is right is decided above, as is whether a certificate at the TLS layer is the client's: in the request
//! itself it leaves a `client_id` alone (RFC 8705 §2).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::authorization::{MAX_CLIENT_ID, MAX_JWT};
use super::client_metadata::TokenEndpointAuthMethod;
use super::errors::OAuthError;
use super::params::{Params, decode_form};
use crate::secret::{MAX_CLIENT_SECRET, PlainSecret};

/// The only `client_assertion_type` (RFC 7523 §2.2).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// RFC 7617 demands padding, some clients leave it out; nothing is ambiguous without it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a request presents to say which client it is from. Nothing is verified yet.
#[derive(Debug, Clone)]
pub enum ClientCredentials {
    /// A `client_id` alone: a public client, or one that shows a certificate.
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

    /// Which method this is; none for an assertion, whose algorithm tells.
    pub const fn method(&self) -> Option<TokenEndpointAuthMethod> {
        match self {
            Self::None { .. } => Some(TokenEndpointAuthMethod::None),
            Self::Basic { .. } => Some(TokenEndpointAuthMethod::ClientSecretBasic),
            Self::Post { .. } => Some(TokenEndpointAuthMethod::ClientSecretPost),
            Self::Assertion { .. } => None,
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
        assert_eq!(method("client_id=a"), Some(TokenEndpointAuthMethod::None));
        assert_eq!(
            method("client_id=a&client_secret="),
            Some(TokenEndpointAuthMethod::None)
        );
        assert_eq!(
            method("client_id=a&client_secret=b"),
            Some(TokenEndpointAuthMethod::ClientSecretPost)
        );
        let assertion = format!("client_assertion_type={JWT_BEARER}&client_assertion=x.y.z");
        assert_eq!(method(&assertion), None);
        assert_eq!(method(&format!("{assertion}&client_id=a")), None);
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

    proptest! {
        #[test]
        fn never_panics(header in any::<String>(), pair in any::<Vec<u8>>()) {
            let encoded = format!("Basic {}", STANDARD.encode(&pair));
            let _ = read(&[&header], "");
            let _ = read(&[&encoded], "");
        }
    }
}
