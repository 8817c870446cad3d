//! Encryption algorithms: the explicit lists of RFC 7518 §4.1 and §5.1 names that this provider encrypts and decrypts by.
//!
//! Left out on purpose: `RSA1_5`, whose padding is an oracle (RFC 8725 §3.2); RSA-OAEP by SHA-1, which of all profiles
//! only that of Open Finance Brazil asks for; `dir` and every other
//! algorithm by a shared secret, which a client's secret is not meant for; and those that wrap a key once more.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the key of the content comes to whoever decrypts (JWE `alg`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum KeyManagementAlgorithm {
    /// RSAES OAEP with SHA-256 ([RFC 7518 §4.3](https://www.rfc-editor.org/rfc/rfc7518#section-4.3)).
    #[serde(rename = "RSA-OAEP-256")]
    RsaOaep256,
    /// Direct key agreement by ephemeral Diffie-Hellman ([RFC 7518 §4.6](https://www.rfc-editor.org/rfc/rfc7518#section-4.6)).
    #[serde(rename = "ECDH-ES")]
    EcdhEs,
}

impl KeyManagementAlgorithm {
    /// Every algorithm, in the order in which discovery announces them.
    pub const ALL: [Self; 2] = [Self::RsaOaep256, Self::EcdhEs];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::EcdhEs => "ECDH-ES",
        }
    }
}

impl fmt::Display for KeyManagementAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the content is encrypted (JWE `enc`).
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum ContentEncryption {
    /// AES in CBC mode with HMAC by SHA-256 ([RFC 7518 §5.2.3](https://www.rfc-editor.org/rfc/rfc7518#section-5.2.3)). Every specification that
    /// has such metadata makes it the default where an `alg` stands without an `enc`.
    #[default]
    #[serde(rename = "A128CBC-HS256")]
    A128CbcHs256,
    /// AES-128 in Galois/Counter mode ([RFC 7518 §5.3](https://www.rfc-editor.org/rfc/rfc7518#section-5.3)).
    #[serde(rename = "A128GCM")]
    A128Gcm,
    /// AES-256 in Galois/Counter mode ([RFC 7518 §5.3](https://www.rfc-editor.org/rfc/rfc7518#section-5.3)).
    #[serde(rename = "A256GCM")]
    A256Gcm,
}

impl ContentEncryption {
    /// Every method, in the order in which discovery announces them.
    pub const ALL: [Self; 3] = [Self::A128CbcHs256, Self::A128Gcm, Self::A256Gcm];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A128Gcm => "A128GCM",
            Self::A256Gcm => "A256GCM",
        }
    }
}

impl fmt::Display for ContentEncryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is none that is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unsupported encryption algorithm")]
pub struct UnsupportedEncryption;

impl FromStr for KeyManagementAlgorithm {
    type Err = UnsupportedEncryption;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|own| own.as_str() == name)
            .ok_or(UnsupportedEncryption)
    }
}

impl FromStr for ContentEncryption {
    type Err = UnsupportedEncryption;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|own| own.as_str() == name)
            .ok_or(UnsupportedEncryption)
    }
}

/// What a client has encrypted, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encryption {
    /// How the key comes to it.
    pub alg: KeyManagementAlgorithm,
    /// How the content is encrypted.
    pub enc: ContentEncryption,
}

impl Encryption {
    /// Of a pair of metadata members; none without an `alg`.
    pub fn of(alg: Option<KeyManagementAlgorithm>, enc: Option<ContentEncryption>) -> Option<Self> {
        alg.map(|alg| Self {
            alg,
            enc: enc.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_in_text_and_json() {
        for alg in KeyManagementAlgorithm::ALL {
            assert_eq!(alg.as_str().parse(), Ok(alg));
            assert_eq!(serde_json::to_string(&alg).unwrap(), format!("\"{alg}\""));
        }
        for enc in ContentEncryption::ALL {
            assert_eq!(enc.as_str().parse(), Ok(enc));
            assert_eq!(serde_json::to_string(&enc).unwrap(), format!("\"{enc}\""));
        }
    }

    #[test]
    fn what_is_weak_or_by_a_secret_does_not_exist() {
        for name in [
            "RSA1_5",
            "RSA-OAEP",
            "dir",
            "A128KW",
            "A256GCMKW",
            "PBES2-HS256+A128KW",
            "ECDH-ES+A128KW",
            "rsa-oaep-256",
            "none",
            "",
        ] {
            assert!(name.parse::<KeyManagementAlgorithm>().is_err(), "{name}");
        }
        for name in ["A192GCM", "A256CBC-HS512", "a128gcm", "none", ""] {
            assert!(name.parse::<ContentEncryption>().is_err(), "{name}");
        }
    }

    #[test]
    fn the_content_has_a_default() {
        let of = |enc| Encryption::of(Some(KeyManagementAlgorithm::EcdhEs), enc).map(|own| own.enc);
        assert_eq!(of(None), Some(ContentEncryption::A128CbcHs256));
        assert_eq!(
            of(Some(ContentEncryption::A256Gcm)),
            Some(ContentEncryption::A256Gcm)
        );
        assert_eq!(Encryption::of(None, None), None);
    }
}
