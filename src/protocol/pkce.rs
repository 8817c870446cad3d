//! Proof Key for Code Exchange ([RFC 7636](https://www.rfc-editor.org/rfc/rfc7636)).
//!
//! Only `S256`: `plain` protects nothing from whoever can read the authorization request, and is refused (RFC 9700 §2.1.1).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The `code_challenge` of an authorization request, made by S256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeChallenge([u8; 32]);

/// Why a challenge or verifier was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PkceError {
    /// `code_challenge_method` is `plain`, absent (which means `plain`) or unknown.
    #[error("code_challenge_method must be S256")]
    Method,
    /// Not the base64url text of a SHA-256 digest.
    #[error(
        "code_challenge must be the base64url encoding, without padding, of a SHA-256 digest (43 characters)"
    )]
    Challenge,
    /// Not 43 to 128 unreserved characters.
    #[error("code_verifier must be 43 to 128 characters of A-Z, a-z, 0-9, '-', '.', '_', '~'")]
    Verifier,
}

impl CodeChallenge {
    /// The only `code_challenge_method`.
    pub const METHOD: &'static str = "S256";

    /// Reads `code_challenge` and `code_challenge_method` of an authorization request.
    pub fn parse(challenge: &str, method: Option<&str>) -> Result<Self, PkceError> {
        // RFC 7636 §4.3: an absent method means "plain".
        if method != Some(Self::METHOD) {
            return Err(PkceError::Method);
        }
        Self::from_text(challenge)
    }

    fn from_text(challenge: &str) -> Result<Self, PkceError> {
        if challenge.len() != 43 {
            return Err(PkceError::Challenge);
        }
        let digest = URL_SAFE_NO_PAD
            .decode(challenge)
            .map_err(|_| PkceError::Challenge)?;
        digest
            .try_into()
            .map(Self)
            .map_err(|_| PkceError::Challenge)
    }

    /// Whether this verifier was the challenge's origin (RFC 7636 §4.6), compared in constant time.
    pub fn matches(&self, verifier: &CodeVerifier) -> bool {
        let digest: [u8; 32] = Sha256::digest(verifier.0.as_bytes()).into();
        self.0.ct_eq(&digest).into()
    }
}

impl fmt::Display for CodeChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl Serialize for CodeChallenge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CodeChallenge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_text(&text).map_err(de::Error::custom)
    }
}

/// The `code_verifier` of a token request: syntactically sound, secret until then.
#[derive(Clone)]
pub struct CodeVerifier(zeroize::Zeroizing<String>);

impl CodeVerifier {
    /// Checks the syntax of RFC 7636 §4.1.
    pub fn parse(verifier: &str) -> Result<Self, PkceError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if (43..=128).contains(&verifier.len()) && verifier.bytes().all(allowed) {
            Ok(Self(zeroize::Zeroizing::new(verifier.to_owned())))
        } else {
            Err(PkceError::Verifier)
        }
    }
}

impl fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeVerifier(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 Appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn appendix_b() {
        let challenge = CodeChallenge::parse(CHALLENGE, Some("S256")).unwrap();
        assert!(challenge.matches(&CodeVerifier::parse(VERIFIER).unwrap()));
        let other = VERIFIER.replace('d', "e");
        assert!(!challenge.matches(&CodeVerifier::parse(&other).unwrap()));
        assert_eq!(challenge.to_string(), CHALLENGE);
        let json = serde_json::to_string(&challenge).unwrap();
        assert_eq!(
            serde_json::from_str::<CodeChallenge>(&json).unwrap(),
            challenge
        );
    }

    #[test]
    fn plain_is_refused_whether_named_or_implied() {
        for method in [None, Some("plain"), Some("s256"), Some("")] {
            assert_eq!(
                CodeChallenge::parse(CHALLENGE, method),
                Err(PkceError::Method)
            );
        }
    }

    #[test]
    fn malformed_challenges_and_verifiers() {
        let padded = format!("{CHALLENGE}=");
        for challenge in [
            "",
            &CHALLENGE[1..],
            &padded,
            &CHALLENGE.replace('-', "+"),
            &CHALLENGE.replace('M', "N"),
        ] {
            assert_eq!(
                CodeChallenge::parse(challenge, Some("S256")),
                Err(PkceError::Challenge),
                "{challenge}"
            );
        }
        let long = "a".repeat(129);
        let foreign = "é".repeat(43);
        for verifier in [
            "",
            &VERIFIER[1..],
            &long,
            &foreign,
            &VERIFIER.replace('-', "+"),
        ] {
            assert!(CodeVerifier::parse(verifier).is_err(), "{verifier}");
        }
        assert!(CodeVerifier::parse(&"~".repeat(128)).is_ok());
    }

    #[test]
    fn a_verifier_is_not_printed() {
        let verifier = CodeVerifier::parse(VERIFIER).unwrap();
        assert!(!format!("{verifier:?}").contains("dBjf"));
    }
}
