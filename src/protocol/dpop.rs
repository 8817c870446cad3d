//! Proofs of possession ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)): what a request, a token and a challenge say of the key that a
//! token is bound to.
//!
//! Whether a proof is sound is `jose::dpop`'s matter.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::algorithm::SigningAlgorithm;
use super::bearer::write_challenge;
use super::errors::OAuthError;
use super::params::Params;
use super::uri::{MAX_URI, percent_encoding_is_sound};

/// The `typ` header of a proof (§4.2).
pub const TYP: &str = "dpop+jwt";
/// The header field that carries a proof (§4.1).
pub const HEADER: &str = "dpop";
/// The header field that carries a nonce for the next proof (§8).
pub const NONCE_HEADER: &str = "dpop-nonce";
/// What a proof may be signed by: everything asymmetric that this provider verifies (§4.3, point 5).
pub const ALGORITHMS: &[SigningAlgorithm] = &SigningAlgorithm::ALL;

/// The thumbprint of a public key by SHA-256 (RFC 7638), `jkt`, or that of a certificate, `x5t#S256`. It isn't secret: whoever sees a bound token
/// sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// From the hash itself.
    pub const fn new(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// The hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads what was kept; `None` unless it has 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The parameter `dpop_jkt` of an authorization request (§10).
    pub fn from_params(params: &Params) -> Result<Option<Self>, OAuthError> {
        let text = params.get("dpop_jkt")?;
        text.map(str::parse)
            .transpose()
            .map_err(|error: InvalidThumbprint| OAuthError::invalid_request(error.to_string()))
    }
}

/// The text is no thumbprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "dpop_jkt must be a JWK thumbprint by SHA-256 (RFC 7638): 43 characters of base64url without padding"
)]
pub struct InvalidThumbprint;

impl FromStr for Thumbprint {
    type Err = InvalidThumbprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 43 {
            return Err(InvalidThumbprint);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| InvalidThumbprint)?;
        Self::from_slice(&bytes).ok_or(InvalidThumbprint)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The claim `cnf` of a bound token (§6.1, RFC 8705 §3.1): what it is bound to, which is one thing. A binding of another kind isn't understood,
/// so that a token that has one is refused rather than taken for one that anybody may bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Confirmation {
    /// A key, by its thumbprint.
    #[serde(rename = "jkt")]
    Key(Thumbprint),
    /// A certificate, by the hash of its DER.
    #[serde(rename = "x5t#S256")]
    Certificate(Thumbprint),
}

impl Confirmation {
    /// The key, if it is one.
    pub const fn key(self) -> Option<Thumbprint> {
        match self {
            Self::Key(key) => Some(key),
            Self::Certificate(_) => None,
        }
    }

    /// The certificate, if it is one.
    pub const fn certificate(self) -> Option<Thumbprint> {
        match self {
            Self::Certificate(certificate) => Some(certificate),
            Self::Key(_) => None,
        }
    }
}

/// What a proof's `htu` and the address of a request are compared by (§4.3, point 9): without query and fragment, and normalised by syntax
/// and scheme (RFC 3986 §6.2.2, §6.2.3). `None` for what is no address of the web in one reading only.
pub fn normalise_uri(text: &str) -> Option<String> {
    let plain = |byte: u8| (0x21..=0x7e).contains(&byte) && byte != b'\\';
    if text.len() > MAX_URI || !text.bytes().all(plain) || !percent_encoding_is_sound(text) {
        return None;
    }
    let mut url = Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "http" | "https");
    if !web || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    Some(normalise_escapes(url.as_str()))
}

/// RFC 3986 §6.2.2.1, §6.2.2.2: what needs no escape has none, and what has one has capital letters in it.
fn normalise_escapes(text: &str) -> String {
    let mut parts = text.split('%');
    let mut normal = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Each has two digits: the text was looked at.
        let escaped = part
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                normal.push(byte.into());
                normal.push_str(&part[2..]);
            }
            Some(_) => {
                normal.push('%');
                normal.push_str(&part[..2].to_ascii_uppercase());
                normal.push_str(&part[2..]);
            }
            None => {
                normal.push('%');
                normal.push_str(part);
            }
        }
    }
    normal
}

/// What a proof's `ath` must be for this access token (§4.2).
pub fn access_token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token))
}

/// The `WWW-Authenticate` header of a refusal to whoever presented a bound token (§7.1), or might.
#[derive(Debug, Clone, Copy)]
pub struct DpopChallenge<'a> {
    /// The realm: the issuer.
    pub realm: &'a str,
    /// What is wrong; nothing where no bound token was presented.
    pub error: Option<&'a OAuthError>,
}

impl fmt::Display for DpopChallenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_challenge(f, "DPoP", self.realm, self.error)?;
        f.write_str(", algs=\"")?;
        for (position, algorithm) in ALGORITHMS.iter().enumerate() {
            let space = if position == 0 { "" } else { " " };
            write!(f, "{space}{algorithm}")?;
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::protocol::ErrorCode;

    /// RFC 9449 §6.1.
    const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    #[test]
    fn a_thumbprint_has_one_spelling() {
        let read: Thumbprint = JKT.parse().unwrap();
        assert_eq!(read.to_string(), JKT);
        assert_eq!(Thumbprint::from_slice(read.as_bytes()), Some(read));
        let long = format!("{JKT}A");
        for wrong in [
            "",
            &JKT[..42],
            &long,
            // The last character has two bits that belong to no byte.
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4J",
            "0ZcOCORZNYy+DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4=",
        ] {
            assert_eq!(
                wrong.parse::<Thumbprint>(),
                Err(InvalidThumbprint),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_binding_that_is_not_understood_is_an_error() {
        let read = |value| serde_json::from_value::<Confirmation>(value);
        let bound = read(json!({ "jkt": JKT })).unwrap();
        assert_eq!(serde_json::to_value(bound).unwrap(), json!({ "jkt": JKT }));
        let certificate = read(json!({ "x5t#S256": JKT })).unwrap();
        assert_eq!(
            (certificate.key(), certificate.certificate()),
            (None, JKT.parse().ok())
        );
        for value in [
            json!({}),
            json!({ "kid": JKT }),
            json!({ "jkt": JKT, "x5t#S256": JKT }),
            json!({ "jkt": null }),
            json!(JKT),
        ] {
            assert!(read(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn addresses_are_compared_as_what_they_mean() {
        let normal = |text| normalise_uri(text).unwrap();
        let own = normal("https://id.example.com/t/acme/token");
        for same in [
            "https://id.example.com/t/acme/token?a=b",
            "https://id.example.com/t/acme/token#x",
            "HTTPS://ID.Example.COM/t/acme/token",
            "https://id.example.com:443/t/acme/token",
            "https://id.example.com/t/./acme/x/../token",
            "https://id.example.com/t/acm%65/token",
        ] {
            assert_eq!(normal(same), own, "{same}");
        }
        assert_eq!(normal("http://a.example"), normal("http://a.example:80/"));
        assert_eq!(
            normal("https://a.example/%2f%c3%a9"),
            "https://a.example/%2F%C3%A9"
        );
        for other in [
            "http://id.example.com/t/acme/token",
            "https://id.example.com:8443/t/acme/token",
            "https://id.example.com/t/acme/token/",
            "https://id.example.com/t/acme/Token",
            "https://id.example.com/t/globex/token",
            "https://id.example.com/t%2Facme/token",
            "https://id.example.com.evil.example/t/acme/token",
        ] {
            assert_ne!(normal(other), own, "{other}");
        }
        let long = format!("https://id.example.com/{}", "a".repeat(MAX_URI));
        for none in [
            "",
            "/t/acme/token",
            "id.example.com/t/acme/token",
            "urn:x",
            "ftp://id.example.com/",
            "https://user@id.example.com/t/acme/token",
            "https://user:pass@id.example.com/t/acme/token",
            "https:\\\\id.example.com/t/acme/token",
            " https://id.example.com/t/acme/token",
            "https://id.example.com/t/ac\nme/token",
            "https://idé.example.com/t/acme/token",
            "https://id.example.com/t/acme/%2%65",
            "https://id.example.com/t/acme/%",
            &long,
        ] {
            assert_eq!(normalise_uri(none), None, "{none}");
        }
    }

    #[test]
    fn the_example_of_an_access_token_hash() {
        // RFC 9449 §7.1: the token of figure 12 and the `ath` of figure 13.
        assert_eq!(
            access_token_hash("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
            "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
        );
    }

    #[test]
    fn challenges() {
        let bare = DpopChallenge {
            realm: "https://id.example",
            error: None,
        };
        assert_eq!(
            bare.to_string(),
            "DPoP realm=\"https://id.example\", algs=\"RS256 ES256 PS256 EdDSA Ed25519\""
        );
        let error = OAuthError::new(ErrorCode::UseDpopNonce, "say \"please\"");
        let full = DpopChallenge {
            error: Some(&error),
            ..bare
        };
        assert_eq!(
            full.to_string(),
            "DPoP realm=\"https://id.example\", error=\"use_dpop_nonce\", error_description=\"say 'please'\", algs=\"RS256 ES256 PS256 EdDSA Ed25519\""
        );
    }

    proptest! {
        #[test]
        fn what_is_normal_stays_so(text in "https?://[a-zA-Z0-9.-]{1,20}(:[0-9]{1,4})?/([a-zA-Z0-9%/._~-]|%[0-9a-fA-F]{2}){0,20}") {
            if let Some(normal) = normalise_uri(&text) {
                prop_assert_eq!(normalise_uri(&normal), Some(normal.clone()), "{}", normal);
            }
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = normalise_uri(&text);
            let _ = text.parse::<Thumbprint>();
        }
    }
}
