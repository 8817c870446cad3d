//! JWK thumbprints by SHA-256 (RFC 7638 §3, RFC 8037 §2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// The members that make a key what it is, in their order; none for a key type that is unknown here.
pub(super) fn required_members(key_type: &str) -> Option<&'static [&'static str]> {
    match key_type {
        "RSA" => Some(&["e", "kty", "n"]),
        "EC" => Some(&["crv", "kty", "x", "y"]),
        "OKP" => Some(&["crv", "kty", "x"]),
        _ => None,
    }
}

/// The thumbprint of a public (or private) key, base64url; `None` when a member that counts is missing.
pub fn thumbprint(jwk: &Map<String, Value>) -> Option<String> {
    digest(jwk).map(|hash| URL_SAFE_NO_PAD.encode(hash))
}

/// The thumbprint as the hash that it is.
pub fn digest(jwk: &Map<String, Value>) -> Option<[u8; 32]> {
    let members = required_members(jwk.get("kty")?.as_str()?)?;
    let mut canonical = Vec::with_capacity(members.len());
    for name in members {
        let value = jwk.get(*name)?.as_str()?;
        // RFC 7638 §3.3: these members' characters need no escaping; what would is no key's.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !value.bytes().all(plain) {
            return None;
        }
        canonical.push(format!("\"{name}\":\"{value}\""));
    }
    let canonical = format!("{{{}}}", canonical.join(","));
    Some(Sha256::digest(canonical).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(jwk: Value) -> Option<String> {
        thumbprint(jwk.as_object().unwrap())
    }

    #[test]
    fn the_example_of_rfc_7638_holds() {
        let jwk = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29"
        });
        assert_eq!(
            of(jwk).as_deref(),
            Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
        );
    }

    #[test]
    fn the_example_of_rfc_8037_holds() {
        // Appendix A.3
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": "ignored"});
        assert_eq!(
            of(jwk).as_deref(),
            Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
        );
    }

    #[test]
    fn only_what_makes_a_key_counts() {
        let key = json!({"kty": "EC", "crv": "P-256", "x": "a", "y": "b"});
        assert_eq!(
            of(key.clone()),
            of(json!({"y": "b", "use": "sig", "x": "a", "crv": "P-256", "kty": "EC", "kid": "k"}))
        );
        assert_ne!(
            of(key),
            of(json!({"kty": "EC", "crv": "P-256", "x": "b", "y": "a"}))
        );
        for none in [
            json!({}),
            json!({"kty": "oct", "k": "a"}),
            json!({"kty": "EC", "crv": "P-256", "x": "a"}),
            json!({"kty": "EC", "crv": "P-256", "x": "a\"", "y": "b"}),
        ] {
            assert_eq!(of(none), None);
        }
    }
}
