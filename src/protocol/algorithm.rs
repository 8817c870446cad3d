//! Signature algorithms: the explicit list of RFC 7518 §3.1 and RFC 8037 §3.1 names that this provider makes and accepts.
//!
//! Ed25519 has two names: `EdDSA`, which RFC 8037 gave to two curves and [RFC 9864 §4.1](https://www.rfc-editor.org/rfc/rfc9864#section-4.1) deprecates, and
//! `Ed25519`. What others sign is taken by either name, whichever was registered; what is signed here bears the name that its client asked for,
//! by a key that is published under that name, as verifiers hold the two against each other.
//!
//! Left out on purpose: `none`, and every HMAC algorithm, which would let a public key be taken for a shared secret. The one place for HS256,
//! `client_secret_jwt`, has a type of its own, so that it can't get in elsewhere.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An asymmetric JWS algorithm.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 ([RFC 7518 §3.3](https://www.rfc-editor.org/rfc/rfc7518#section-3.3)).
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PSS with SHA-256 ([RFC 7518 §3.5](https://www.rfc-editor.org/rfc/rfc7518#section-3.5)).
    #[serde(rename = "PS256")]
    Ps256,
    /// ECDSA on P-256 with SHA-256 ([RFC 7518 §3.4](https://www.rfc-editor.org/rfc/rfc7518#section-3.4)).
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519 ([RFC 8037 §3.1](https://www.rfc-editor.org/rfc/rfc8037#section-3.1)).
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// The same by its own name ([RFC 9864 §2.2](https://www.rfc-editor.org/rfc/rfc9864#section-2.2)).
    Ed25519,
}

impl SigningAlgorithm {
    /// Every algorithm, in the order in which discovery announces them.
    pub const ALL: [Self; 5] = [
        Self::Rs256,
        Self::Es256,
        Self::Ps256,
        Self::EdDsa,
        Self::Ed25519,
    ];

    /// The registered name, as `alg` carries it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// Of two names for one algorithm the older one: what is done is the same.
    #[must_use]
    pub const fn oldest_name(self) -> Self {
        match self {
            Self::Ed25519 => Self::EdDsa,
            other => other,
        }
    }

    /// Whether what is signed by this one is taken where these are, by whichever name.
    pub fn is_among(self, accepted: &[Self]) -> bool {
        accepted
            .iter()
            .any(|own| own.oldest_name() == self.oldest_name())
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is none of [`SigningAlgorithm::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unsupported signature algorithm; use one of RS256, ES256, PS256, EdDSA, Ed25519")]
pub struct UnsupportedAlgorithm;

impl FromStr for SigningAlgorithm {
    type Err = UnsupportedAlgorithm;

    /// Names are case-sensitive (RFC 7515 §4.1.1).
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or(UnsupportedAlgorithm)
    }
}

/// What a client's assertion may be signed by (OpenID Connect Core §9): its key, or by HMAC with its secret.
///
/// HS256 alone of the three (RFC 7518 §3.2): a secret of ours has 256 random bits, which a longer hash makes no better, and HS512 wants keys
/// longer than its text.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[expect(missing_docs, reason = "the first five are those of SigningAlgorithm")]
pub enum AssertionAlgorithm {
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "PS256")]
    Ps256,
    #[serde(rename = "EdDSA")]
    EdDsa,
    Ed25519,
    /// HMAC with SHA-256 ([RFC 7518 §3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)).
    #[serde(rename = "HS256")]
    Hs256,
}

impl AssertionAlgorithm {
    /// Every algorithm, in the order in which discovery announces them.
    pub const ALL: [Self; 6] = [
        Self::Rs256,
        Self::Es256,
        Self::Ps256,
        Self::EdDsa,
        Self::Ed25519,
        Self::Hs256,
    ];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self.asymmetric() {
            Some(algorithm) => algorithm.as_str(),
            None => "HS256",
        }
    }

    /// The algorithm of a key; none for that of a secret.
    pub const fn asymmetric(self) -> Option<SigningAlgorithm> {
        match self {
            Self::Rs256 => Some(SigningAlgorithm::Rs256),
            Self::Es256 => Some(SigningAlgorithm::Es256),
            Self::Ps256 => Some(SigningAlgorithm::Ps256),
            Self::EdDsa => Some(SigningAlgorithm::EdDsa),
            Self::Ed25519 => Some(SigningAlgorithm::Ed25519),
            Self::Hs256 => None,
        }
    }
}

impl FromStr for AssertionAlgorithm {
    type Err = UnsupportedAlgorithm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or(UnsupportedAlgorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assertions_know_every_algorithm_and_one_more() {
        for algorithm in AssertionAlgorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            let json = serde_json::to_string(&algorithm).unwrap();
            assert_eq!(json, format!("\"{}\"", algorithm.as_str()));
        }
        let keys = AssertionAlgorithm::ALL
            .into_iter()
            .filter_map(AssertionAlgorithm::asymmetric);
        assert!(keys.eq(SigningAlgorithm::ALL));
        for name in ["none", "HS384", "HS512", "hs256", ""] {
            assert!(name.parse::<AssertionAlgorithm>().is_err(), "{name}");
        }
    }

    #[test]
    fn names_round_trip_in_text_and_json() {
        for algorithm in SigningAlgorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            let json = serde_json::to_string(&algorithm).unwrap();
            assert_eq!(json, format!("\"{algorithm}\""));
            assert_eq!(
                serde_json::from_str::<SigningAlgorithm>(&json).unwrap(),
                algorithm
            );
        }
    }

    #[test]
    fn two_names_are_one_algorithm() {
        use SigningAlgorithm::{Ed25519, EdDsa, Es256, Ps256, Rs256};
        assert!(Ed25519.is_among(&[Es256, EdDsa]) && EdDsa.is_among(&[Ed25519]));
        assert!(!Ed25519.is_among(&[Rs256, Es256, Ps256]) && !Es256.is_among(&[EdDsa, Ed25519]));
        assert!(!Ps256.is_among(&[Rs256]) && !Rs256.is_among(&[]));
        // The other curve of EdDSA isn't known by any name.
        assert!("Ed448".parse::<SigningAlgorithm>().is_err());
    }

    #[test]
    fn none_and_symmetric_algorithms_do_not_exist() {
        for name in ["none", "None", "HS256", "rs256", "", "RS512"] {
            assert_eq!(
                name.parse::<SigningAlgorithm>(),
                Err(UnsupportedAlgorithm),
                "{name}"
            );
        }
    }
}
