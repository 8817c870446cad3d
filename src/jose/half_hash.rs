//! `at_hash` and `c_hash` (OpenID Connect Core §3.1.3.6, §3.3.2.11): what binds an ID token to the token or code beside it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256, Sha512};

use crate::protocol::algorithm::SigningAlgorithm;

/// The left-most half of the hash of `value`, by the hash of the algorithm that signs the ID token. Ed25519 hashes by SHA-512
/// (RFC 8032 §5.1), and so do its ID tokens.
pub fn half_hash(algorithm: SigningAlgorithm, value: &str) -> String {
    match algorithm {
        SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 | SigningAlgorithm::Es256 => {
            URL_SAFE_NO_PAD.encode(&Sha256::digest(value)[..16])
        }
        SigningAlgorithm::EdDsa | SigningAlgorithm::Ed25519 => {
            URL_SAFE_NO_PAD.encode(&Sha512::digest(value)[..32])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_openid_connect_core_hold() {
        // Appendix A.3 (access token) and A.4 (code), both for RS256.
        let access_token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(
            half_hash(SigningAlgorithm::Rs256, access_token),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
        let code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk";
        assert_eq!(
            half_hash(SigningAlgorithm::Rs256, code),
            "LDktKdoQak3Pk0cnXxCltA"
        );
    }

    #[test]
    fn the_algorithm_chooses_the_hash() {
        for algorithm in [SigningAlgorithm::Ps256, SigningAlgorithm::Es256] {
            assert_eq!(
                half_hash(algorithm, "token"),
                half_hash(SigningAlgorithm::Rs256, "token")
            );
        }
        // FIPS 180-4: SHA-512 of "abc" begins with ddaf35a1…, 32 bytes of it are 43 characters.
        let hash = half_hash(SigningAlgorithm::EdDsa, "abc");
        assert_eq!(
            URL_SAFE_NO_PAD.decode(&hash).unwrap()[..4],
            [0xdd, 0xaf, 0x35, 0xa1]
        );
        assert_eq!(hash.len(), 43);
    }
}
