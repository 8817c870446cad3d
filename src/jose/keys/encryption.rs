//! Keys of others that are encrypted to, and our own that decrypt (RFC 7518 §4.3, §4.6; RFC 8037 §3.2).

use std::fmt;
use std::sync::Arc;

use josekit::jwe::enc::aescbc_hmac::AescbcHmacJweEncryption;
use josekit::jwe::enc::aesgcm::AesgcmJweEncryption;
use josekit::jwe::{
    ECDH_ES, JweContentEncryption, JweDecrypter, JweEncrypter, JweHeader, RSA_OAEP_256,
};
use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use josekit::jwk::alg::rsa::RsaKeyPair;
use josekit::jwk::{Jwk, KeyPair as _};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::signing::{KeyError, RsaBits};
use super::thumbprint::{required_members, thumbprint};
use crate::jose::jws::MAX_KID;
use crate::protocol::encryption::{ContentEncryption, KeyManagementAlgorithm};
use crate::protocol::jwks::{check_key, may_encrypt_by};

/// A public key of somebody else, ready to encrypt to. Cheap to clone.
#[derive(Clone)]
pub struct EncryptionKey(Arc<Recipient>);

struct Recipient {
    algorithm: KeyManagementAlgorithm,
    kid: Option<String>,
    encrypter: Box<dyn JweEncrypter>,
}

impl EncryptionKey {
    /// The key of a set that is encrypted to by this algorithm: the first that is said to be for encryption, else the first of which nothing
    /// else is said (RFC 7517 §4.2 to §4.4).
    pub fn choose<'k>(
        keys: impl Iterator<Item = &'k Map<String, Value>> + Clone,
        algorithm: KeyManagementAlgorithm,
    ) -> Option<Self> {
        let said = keys.clone().filter(|key| key.contains_key("use"));
        let unsaid = keys.filter(|key| !key.contains_key("use"));
        said.chain(unsaid)
            .find_map(|key| Self::from_jwk(key, algorithm).ok())
    }

    /// Reads a public key that may be encrypted to by this algorithm.
    pub fn from_jwk(
        jwk: &Map<String, Value>,
        algorithm: KeyManagementAlgorithm,
    ) -> Result<Self, KeyError> {
        check_key(jwk).map_err(|_| KeyError::Malformed)?;
        if !may_encrypt_by(jwk, algorithm) {
            return Err(KeyError::Malformed);
        }
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= MAX_KID => Some(kid.clone()),
            Some(_) => return Err(KeyError::Malformed),
        };
        // What josekit needs, and nothing it could stumble over: `use`, `alg` and `key_ops` were looked at.
        let members = jwk.get("kty").and_then(Value::as_str);
        let members = members
            .and_then(required_members)
            .ok_or(KeyError::Malformed)?;
        let plain: Map<String, Value> = members
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), jwk.get(*name)?.clone())))
            .collect();
        let plain = Jwk::from_map(plain).map_err(|_| KeyError::Malformed)?;
        let encrypter: Result<Box<dyn JweEncrypter>, _> = match algorithm {
            KeyManagementAlgorithm::RsaOaep256 => RSA_OAEP_256
                .encrypter_from_jwk(&plain)
                .map(|encrypter| Box::new(encrypter) as _),
            KeyManagementAlgorithm::EcdhEs => ECDH_ES
                .encrypter_from_jwk(&plain)
                .map(|encrypter| Box::new(encrypter) as _),
        };
        Ok(Self(Arc::new(Recipient {
            algorithm,
            kid,
            encrypter: encrypter.map_err(|_| KeyError::Malformed)?,
        })))
    }

    /// How it is encrypted to.
    pub fn algorithm(&self) -> KeyManagementAlgorithm {
        self.0.algorithm
    }

    /// Its name, as its owner published it.
    pub fn kid(&self) -> Option<&str> {
        self.0.kid.as_deref()
    }

    /// Encrypts in compact form; `cty` says what the content is.
    pub fn encrypt(
        &self,
        enc: ContentEncryption,
        cty: Option<&str>,
        content: &[u8],
    ) -> Result<String, KeyError> {
        let mut header = JweHeader::new();
        header.set_token_type("JWT");
        header.set_content_encryption(enc.as_str());
        if let Some(cty) = cty {
            header.set_content_type(cty);
        }
        if let Some(kid) = &self.0.kid {
            header.set_key_id(kid);
        }
        josekit::jwe::serialize_compact(content, &header, &*self.0.encrypter)
            .map_err(|_| KeyError::Encrypt)
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptionKey")
            .field("algorithm", &self.0.algorithm)
            .field("kid", &self.0.kid)
            .finish_non_exhaustive()
    }
}

/// A key of our own that decrypts. Cheap to clone.
#[derive(Clone)]
pub struct DecryptionKey(Arc<Own>);

struct Own {
    algorithm: KeyManagementAlgorithm,
    kid: String,
    public_jwk: Value,
    decrypter: Box<dyn JweDecrypter>,
}

/// A decryption key that was just made.
pub struct GeneratedDecryptionKey {
    /// The key.
    pub key: DecryptionKey,
    /// The private JWK, to be sealed and kept.
    pub private_jwk: Zeroizing<Vec<u8>>,
}

impl DecryptionKey {
    /// Makes a new key, named by its thumbprint.
    pub fn generate(
        algorithm: KeyManagementAlgorithm,
        rsa_bits: RsaBits,
    ) -> Result<GeneratedDecryptionKey, KeyError> {
        let jwk = match algorithm {
            KeyManagementAlgorithm::RsaOaep256 => {
                RsaKeyPair::generate(rsa_bits.bits()).map(|pair| pair.to_jwk_key_pair())
            }
            KeyManagementAlgorithm::EcdhEs => {
                EcKeyPair::generate(EcCurve::P256).map(|pair| pair.to_jwk_key_pair())
            }
        }
        .map_err(|_| KeyError::Generate)?;
        let private_jwk =
            Zeroizing::new(serde_json::to_vec(jwk.as_ref()).map_err(|_| KeyError::Generate)?);
        let kid = thumbprint(jwk.as_ref()).ok_or(KeyError::Generate)?;
        let key = Self::from_private_jwk(algorithm, &kid, &private_jwk)?;
        Ok(GeneratedDecryptionKey { key, private_jwk })
    }

    /// Reads a key that was made before.
    pub fn from_private_jwk(
        algorithm: KeyManagementAlgorithm,
        kid: &str,
        private_jwk: &[u8],
    ) -> Result<Self, KeyError> {
        let jwk = Jwk::from_bytes(private_jwk).map_err(|_| KeyError::Malformed)?;
        let decrypter: Result<Box<dyn JweDecrypter>, _> = match algorithm {
            KeyManagementAlgorithm::RsaOaep256 => RSA_OAEP_256
                .decrypter_from_jwk(&jwk)
                .map(|decrypter| Box::new(decrypter) as _),
            // josekit takes other curves, too.
            KeyManagementAlgorithm::EcdhEs if jwk.curve() == Some("P-256") => ECDH_ES
                .decrypter_from_jwk(&jwk)
                .map(|decrypter| Box::new(decrypter) as _),
            KeyManagementAlgorithm::EcdhEs => return Err(KeyError::Malformed),
        };
        let public_jwk = public_part(jwk.as_ref(), algorithm, kid).ok_or(KeyError::Malformed)?;
        Ok(Self(Arc::new(Own {
            algorithm,
            kid: kid.to_owned(),
            public_jwk,
            decrypter: decrypter.map_err(|_| KeyError::Malformed)?,
        })))
    }

    /// What it decrypts by.
    pub fn algorithm(&self) -> KeyManagementAlgorithm {
        self.0.algorithm
    }

    /// Its name.
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// The public part as it is published: with `kid`, `use` and `alg`.
    pub fn public_jwk(&self) -> &Value {
        &self.0.public_jwk
    }

    /// The key of the content, as the header and the encrypted key give it; whatever is wrong with them.
    pub(in crate::jose) fn content_key(
        &self,
        enc: ContentEncryption,
        header: &Map<String, Value>,
        encrypted_key: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let header = JweHeader::from_map(header.clone()).ok()?;
        let encrypted_key = (!encrypted_key.is_empty()).then_some(encrypted_key);
        let method = content_encryption(enc);
        let key = self
            .0
            .decrypter
            .decrypt(encrypted_key, &*method, &header)
            .ok()?;
        Some(Zeroizing::new(key.into_owned()))
    }
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecryptionKey")
            .field("algorithm", &self.0.algorithm)
            .field("kid", &self.0.kid)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for GeneratedDecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeneratedDecryptionKey")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

fn content_encryption(enc: ContentEncryption) -> Box<dyn JweContentEncryption> {
    match enc {
        ContentEncryption::A128CbcHs256 => Box::new(AescbcHmacJweEncryption::A128cbcHs256),
        ContentEncryption::A128Gcm => Box::new(AesgcmJweEncryption::A128gcm),
        ContentEncryption::A256Gcm => Box::new(AesgcmJweEncryption::A256gcm),
    }
}

/// The members by which others encrypt, chosen by name, so that no private one can slip through.
fn public_part(
    jwk: &Map<String, Value>,
    algorithm: KeyManagementAlgorithm,
    kid: &str,
) -> Option<Value> {
    let mut public = Map::new();
    for name in required_members(jwk.get("kty")?.as_str()?)? {
        public.insert((*name).to_owned(), jwk.get(*name)?.clone());
    }
    public.insert("kid".to_owned(), kid.into());
    public.insert("use".to_owned(), "enc".into());
    public.insert("alg".to_owned(), algorithm.as_str().into());
    Some(Value::Object(public))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(keys: &[Value]) -> Vec<Map<String, Value>> {
        keys.iter()
            .filter_map(|key| key.as_object().cloned())
            .collect()
    }

    fn ec(more: Value) -> Value {
        let made = DecryptionKey::generate(KeyManagementAlgorithm::EcdhEs, RsaBits::default());
        let mut key = made.unwrap().key.public_jwk().clone();
        for (name, value) in more.as_object().unwrap() {
            if value.is_null() {
                key.as_object_mut().unwrap().remove(name);
            } else {
                key[name] = value.clone();
            }
        }
        key
    }

    fn chosen(keys: &[Value]) -> Option<String> {
        let keys = set(keys);
        let key = EncryptionKey::choose(keys.iter(), KeyManagementAlgorithm::EcdhEs)?;
        key.kid().map(str::to_owned)
    }

    #[test]
    fn the_key_that_says_that_it_is_for_this_goes_first() {
        let plain = ec(json!({ "kid": "plain", "use": null, "alg": null }));
        let own = ec(json!({ "kid": "own" }));
        assert_eq!(chosen(&[plain.clone(), own]).as_deref(), Some("own"));
        assert_eq!(chosen(&[plain]).as_deref(), Some("plain"));
        for other in [
            json!({ "use": "sig" }),
            json!({ "alg": "ES256" }),
            json!({ "alg": "ECDH-ES+A128KW" }),
            json!({ "key_ops": ["sign"] }),
            json!({ "crv": "P-384" }),
            json!({ "x": "AAAA" }),
            json!({ "d": "AAAA" }),
            json!({ "kid": 1 }),
        ] {
            assert_eq!(chosen(&[ec(other.clone())]), None, "{other}");
        }
        assert!(chosen(&[ec(json!({ "key_ops": ["deriveKey"], "use": null }))]).is_some());
        assert!(chosen(&[ec(json!({ "key_ops": ["deriveBits"] }))]).is_some());
    }

    #[test]
    fn a_point_off_the_curve_is_no_key() {
        let (one, other) = (ec(json!({})), ec(json!({})));
        assert_eq!(
            chosen(&[ec(json!({ "x": one["x"], "y": other["y"] }))]),
            None
        );
    }

    #[test]
    fn a_published_key_has_a_name_a_use_and_nothing_private() {
        for algorithm in KeyManagementAlgorithm::ALL {
            let made = DecryptionKey::generate(algorithm, RsaBits::default()).unwrap();
            let public = made.key.public_jwk().as_object().unwrap();
            let mut names: Vec<_> = public.keys().map(String::as_str).collect();
            names.sort_unstable();
            let expected: &[&str] = match algorithm {
                KeyManagementAlgorithm::RsaOaep256 => &["alg", "e", "kid", "kty", "n", "use"],
                KeyManagementAlgorithm::EcdhEs => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            };
            assert_eq!(names, expected);
            assert_eq!(public["use"], "enc");
            assert!(!format!("{made:?}").contains("\"d\""));
            let again =
                DecryptionKey::from_private_jwk(algorithm, made.key.kid(), &made.private_jwk);
            assert_eq!(again.unwrap().public_jwk(), made.key.public_jwk());
        }
    }
}
