//! What a client may publish as its keys ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517), [RFC 7518 §6](https://www.rfc-editor.org/rfc/rfc7518#section-6),
//! [RFC 8037 §2](https://www.rfc-editor.org/rfc/rfc8037#section-2)): public asymmetric keys of sound size, nothing else.
//!
//! Only the shape is checked here; whether a point lies on its curve is the signature check's to find out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::encryption::KeyManagementAlgorithm;

/// The most keys a set may hold.
pub const MAX_KEYS: usize = 20;

/// Members that only a private or symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a key set was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJwks {
    /// Not an object with an array `keys`.
    #[error("must be an object with a member 'keys' that is an array of objects")]
    Shape,
    /// None, or more than [`MAX_KEYS`].
    #[error("must hold 1 to 20 keys")]
    Count,
    /// A private member is there.
    #[error(
        "contains a private key: register the public part only, and consider this key compromised"
    )]
    Private,
    /// A symmetric or unknown key type or curve.
    #[error(
        "contains a key of an unsupported type; use RSA, EC with P-256, or OKP with Ed25519 or X25519"
    )]
    Type,
    /// A required member is missing, no base64url, or of a wrong length.
    #[error("contains a key with a missing or malformed member")]
    Member,
    /// An RSA modulus under 2048 or over 8192 bits.
    #[error("contains an RSA key that is shorter than 2048 or longer than 8192 bits")]
    Size,
    /// Two keys share one `kid`.
    #[error("contains two keys with the same kid")]
    DuplicateKid,
}

/// Checks a client's key set.
pub fn check_public(jwks: &Value) -> Result<(), InvalidJwks> {
    let keys = jwks
        .get("keys")
        .and_then(Value::as_array)
        .ok_or(InvalidJwks::Shape)?;
    if keys.is_empty() || keys.len() > MAX_KEYS {
        return Err(InvalidJwks::Count);
    }
    let mut kids = Vec::new();
    for key in keys {
        let key = key.as_object().ok_or(InvalidJwks::Shape)?;
        check_key(key)?;
        match key.get("kid") {
            None => {}
            Some(Value::String(kid)) if kid.len() > 256 => return Err(InvalidJwks::Member),
            Some(Value::String(kid)) if kids.contains(&kid) => {
                return Err(InvalidJwks::DuplicateKid);
            }
            Some(Value::String(kid)) => kids.push(kid),
            Some(_) => return Err(InvalidJwks::Member),
        }
    }
    Ok(())
}

/// Checks one public key.
pub fn check_key(key: &Map<String, Value>) -> Result<(), InvalidJwks> {
    if PRIVATE_MEMBERS
        .iter()
        .any(|member| key.contains_key(*member))
    {
        return Err(InvalidJwks::Private);
    }
    let curve = key.get("crv").and_then(Value::as_str);
    match (key.get("kty").and_then(Value::as_str), curve) {
        (Some("RSA"), _) => check_rsa(key),
        (Some("EC"), Some("P-256")) => {
            let sound = bytes(key, "x")?.len() == 32 && bytes(key, "y")?.len() == 32;
            if sound {
                Ok(())
            } else {
                Err(InvalidJwks::Member)
            }
        }
        (Some("OKP"), Some("Ed25519" | "X25519")) if bytes(key, "x")?.len() == 32 => Ok(()),
        (Some("OKP"), Some("Ed25519" | "X25519")) => Err(InvalidJwks::Member),
        _ => Err(InvalidJwks::Type),
    }
}

/// Whether one may encrypt to a key in this way: it is of the right type, and neither `use`, `alg` nor `key_ops` says otherwise (RFC 7517 §4.2 to
/// §4.4).
pub fn may_encrypt_by(key: &Map<String, Value>, algorithm: KeyManagementAlgorithm) -> bool {
    let text = |member: &str| {
        key.get(member)
            .map(|value| value.as_str().unwrap_or_default())
    };
    let operations = match (algorithm, text("kty"), text("crv")) {
        (KeyManagementAlgorithm::RsaOaep256, Some("RSA"), _) => ["encrypt", "wrapKey"],
        (KeyManagementAlgorithm::EcdhEs, Some("EC"), Some("P-256"))
        | (KeyManagementAlgorithm::EcdhEs, Some("OKP"), Some("X25519")) => {
            ["deriveKey", "deriveBits"]
        }
        _ => return false,
    };
    let operations_allow = match key.get("key_ops") {
        None => true,
        Some(Value::Array(named)) => named
            .iter()
            .filter_map(Value::as_str)
            .any(|named| operations.contains(&named)),
        Some(_) => false,
    };
    operations_allow
        && text("use").is_none_or(|named| named == "enc")
        && text("alg").is_none_or(|named| named == algorithm.as_str())
}

/// Whether a set that was checked holds a key that one may encrypt to in this way.
pub fn holds_key_for(jwks: &Value, algorithm: KeyManagementAlgorithm) -> bool {
    let keys = jwks.get("keys").and_then(Value::as_array);
    keys.into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .any(|key| may_encrypt_by(key, algorithm))
}

fn check_rsa(key: &Map<String, Value>) -> Result<(), InvalidJwks> {
    let (modulus, exponent) = (bytes(key, "n")?, bytes(key, "e")?);
    let modulus = &modulus[modulus.iter().take_while(|byte| **byte == 0).count()..];
    let bits = modulus.first().map_or(0, |first| {
        modulus.len() * 8 - first.leading_zeros() as usize
    });
    if !(2048..=8192).contains(&bits) {
        return Err(InvalidJwks::Size);
    }
    // An exponent of 1 makes every message its own signature; a huge one makes verification a weapon.
    let odd = exponent.last().is_some_and(|last| last % 2 == 1);
    if odd && exponent != [1] && exponent.first() != Some(&0) && exponent.len() <= 4 {
        Ok(())
    } else {
        Err(InvalidJwks::Member)
    }
}

fn bytes(key: &Map<String, Value>, member: &str) -> Result<Vec<u8>, InvalidJwks> {
    let text = key
        .get(member)
        .and_then(Value::as_str)
        .ok_or(InvalidJwks::Member)?;
    if text.len() > 2048 {
        return Err(InvalidJwks::Size);
    }
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| InvalidJwks::Member)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 7517 Appendix A.1, and RFC 8037 Appendix A.2.
    const PUBLIC: &str = include_str!("../../tests/fixtures/rfc7517-public-keys.json");

    fn with(member: &str, value: Value) -> Value {
        let mut jwks: Value = serde_json::from_str(PUBLIC).unwrap();
        jwks["keys"][0][member] = value;
        jwks
    }

    #[test]
    fn the_specifications_public_keys() {
        assert_eq!(check_public(&serde_json::from_str(PUBLIC).unwrap()), Ok(()));
    }

    #[test]
    fn private_and_symmetric_keys() {
        for member in PRIVATE_MEMBERS {
            assert_eq!(
                check_public(&with(member, "AQAB".into())),
                Err(InvalidJwks::Private),
                "{member}"
            );
        }
        assert_eq!(
            check_public(&with("kty", "oct".into())),
            Err(InvalidJwks::Type)
        );
        assert_eq!(
            check_public(&json!({"keys": [{"kty": "oct", "k": "AQAB"}]})),
            Err(InvalidJwks::Private)
        );
    }

    #[test]
    fn malformed_keys() {
        let key: Value = serde_json::from_str::<Value>(PUBLIC).unwrap()["keys"][0].clone();
        let n = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
        let rsa = |n: String, e: &str| json!({"keys": [{"kty": "RSA", "n": n, "e": e}]});
        assert_eq!(check_public(&rsa(n(256), "AQAB")), Ok(()));
        for (jwks, fault) in [
            (json!({}), InvalidJwks::Shape),
            (json!({"keys": {}}), InvalidJwks::Shape),
            (json!({"keys": ["x"]}), InvalidJwks::Shape),
            (json!({"keys": []}), InvalidJwks::Count),
            (
                json!({"keys": vec![key.clone(); MAX_KEYS + 1]}),
                InvalidJwks::Count,
            ),
            (
                json!({"keys": [key.clone(), key]}),
                InvalidJwks::DuplicateKid,
            ),
            (with("x", "AQAB".into()), InvalidJwks::Member),
            (with("y", "?".into()), InvalidJwks::Member),
            (with("kid", 7.into()), InvalidJwks::Member),
            (with("crv", "secp256k1".into()), InvalidJwks::Type),
            (rsa(n(128), "AQAB"), InvalidJwks::Size),
            (rsa(n(1025), "AQAB"), InvalidJwks::Size),
            (rsa(n(4096), "AQAB"), InvalidJwks::Size),
            (rsa(n(256), "AQ"), InvalidJwks::Member),
            (rsa(n(256), "AQAC"), InvalidJwks::Member),
            (rsa(n(256), &n(32)), InvalidJwks::Member),
        ] {
            assert_eq!(check_public(&jwks), Err(fault), "{jwks}");
        }
    }
}
