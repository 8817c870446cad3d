//! Signing keys: made, sealed and opened as private JWKs, and ready to sign.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use josekit::jwk::alg::ed::{EdCurve, EdKeyPair};
use josekit::jwk::alg::rsa::RsaKeyPair;
use josekit::jwk::{Jwk, KeyPair as _};
use josekit::jws::{ES256, EdDSA, JwsSigner, PS256, RS256};
use serde::Serialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::thumbprint::{required_members, thumbprint};
use super::verification::VerificationKey;
use crate::protocol::algorithm::SigningAlgorithm;
use crate::protocol::json::write_json;

/// The types whose headers every key holds ready; others are made when they are needed.
pub const TYPES_WITH_READY_HEADERS: [&str; 3] = ["at+jwt", "JWT", "logout+jwt"];

/// A key can't be made, read or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key can't be made.
    #[error("a key can't be generated")]
    Generate,
    /// The JWK is malformed, or its key doesn't fit the algorithm.
    #[error("the key is malformed or doesn't fit its algorithm")]
    Malformed,
    /// The claims can't be written as JSON.
    #[error("the claims can't be serialised")]
    Claims,
    /// Signing failed.
    #[error("signing failed")]
    Sign,
    /// Encryption failed.
    #[error("encryption failed")]
    Encrypt,
}

/// The size of an RSA key's modulus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RsaBits(u32);

impl RsaBits {
    /// A size of 2048 (RFC 7518 §3.3) to 8192 bits in whole bytes; `None` for any other.
    pub const fn new(bits: u32) -> Option<Self> {
        if bits >= 2_048 && bits <= 8_192 && bits.is_multiple_of(8) {
            Some(Self(bits))
        } else {
            None
        }
    }

    pub(super) const fn bits(self) -> u32 {
        self.0
    }
}

impl Default for RsaBits {
    fn default() -> Self {
        Self(2_048)
    }
}

/// A key that was just made: the one time when its private part is at hand.
pub struct GeneratedKey {
    /// The key, ready to sign.
    pub key: SigningKey,
    /// The private JWK, to be sealed and kept.
    pub private_jwk: Zeroizing<Vec<u8>>,
}

/// A key ready to sign. Cheap to clone; clones share the signer.
#[derive(Clone)]
pub struct SigningKey(Arc<Parts>);

struct Parts {
    algorithm: SigningAlgorithm,
    kid: String,
    public_jwk: Value,
    signer: Box<dyn JwsSigner>,
    /// `type → base64url(header) ‖ "."` for [`TYPES_WITH_READY_HEADERS`].
    headers: Vec<(&'static str, String)>,
}

impl SigningKey {
    /// Makes a new key, named by its thumbprint. Its randomness is OpenSSL's own, as josekit has it. An RSA key takes a tenth of a
    /// second and more, the others microseconds.
    pub fn generate(
        algorithm: SigningAlgorithm,
        rsa_bits: RsaBits,
    ) -> Result<GeneratedKey, KeyError> {
        let jwk = match algorithm {
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
                RsaKeyPair::generate(rsa_bits.0).map(|pair| pair.to_jwk_key_pair())
            }
            SigningAlgorithm::Es256 => {
                EcKeyPair::generate(EcCurve::P256).map(|pair| pair.to_jwk_key_pair())
            }
            SigningAlgorithm::EdDsa | SigningAlgorithm::Ed25519 => {
                EdKeyPair::generate(EdCurve::Ed25519).map(|pair| pair.to_jwk_key_pair())
            }
        }
        .map_err(|_| KeyError::Generate)?;
        let private_jwk =
            Zeroizing::new(serde_json::to_vec(jwk.as_ref()).map_err(|_| KeyError::Generate)?);
        let kid = thumbprint(jwk.as_ref()).ok_or(KeyError::Generate)?;
        let key = Self::from_private_jwk(algorithm, &kid, &private_jwk)?;
        Ok(GeneratedKey { key, private_jwk })
    }

    /// Reads a key that was made before, as [`GeneratedKey::private_jwk`] has it.
    pub fn from_private_jwk(
        algorithm: SigningAlgorithm,
        kid: &str,
        private_jwk: &[u8],
    ) -> Result<Self, KeyError> {
        let jwk = Jwk::from_bytes(private_jwk).map_err(|_| KeyError::Malformed)?;
        let signer: Box<dyn JwsSigner> = match algorithm {
            SigningAlgorithm::Rs256 => Box::new(
                RS256
                    .signer_from_jwk(&jwk)
                    .map_err(|_| KeyError::Malformed)?,
            ),
            SigningAlgorithm::Ps256 => Box::new(
                PS256
                    .signer_from_jwk(&jwk)
                    .map_err(|_| KeyError::Malformed)?,
            ),
            SigningAlgorithm::Es256 => Box::new(
                ES256
                    .signer_from_jwk(&jwk)
                    .map_err(|_| KeyError::Malformed)?,
            ),
            // josekit takes Ed448 for EdDSA too; discovery and `half_hash` mean Ed25519.
            SigningAlgorithm::EdDsa | SigningAlgorithm::Ed25519
                if jwk.curve() == Some("Ed25519") =>
            {
                Box::new(
                    EdDSA
                        .signer_from_jwk(&jwk)
                        .map_err(|_| KeyError::Malformed)?,
                )
            }
            SigningAlgorithm::EdDsa | SigningAlgorithm::Ed25519 => {
                return Err(KeyError::Malformed);
            }
        };
        let public_jwk = public_part(jwk.as_ref(), algorithm, kid).ok_or(KeyError::Malformed)?;
        let headers = TYPES_WITH_READY_HEADERS
            .map(|typ| (typ, encoded_header(algorithm, kid, typ)))
            .into();
        Ok(Self(Arc::new(Parts {
            algorithm,
            kid: kid.to_owned(),
            public_jwk,
            signer,
            headers,
        })))
    }

    /// What it signs by.
    pub fn algorithm(&self) -> SigningAlgorithm {
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

    /// The key that verifies what this one signs.
    pub fn verification_key(&self) -> Result<VerificationKey, KeyError> {
        VerificationKey::from_jwk(&self.0.public_jwk)
    }

    /// Signs `claims` as a JWT of type `typ`, in compact form.
    pub fn sign_jwt(&self, typ: &str, claims: &impl Serialize) -> Result<String, KeyError> {
        let claims = write_json(claims).map_err(|_| KeyError::Claims)?;
        let parts = &*self.0;
        let made;
        let ready = parts.headers.iter().find(|(ready, _)| *ready == typ);
        let header = if let Some((_, header)) = ready {
            header
        } else {
            made = encoded_header(parts.algorithm, &parts.kid, typ);
            &made
        };
        let signature_length = parts.signer.signature_len();
        let mut token = String::with_capacity(
            header.len() + (claims.len() + signature_length).div_ceil(3) * 4 + 8,
        );
        token.push_str(header);
        URL_SAFE_NO_PAD.encode_string(&claims, &mut token);
        let signature = parts
            .signer
            .sign(token.as_bytes())
            .map_err(|_| KeyError::Sign)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&signature, &mut token);
        Ok(token)
    }
}

#[cfg(test)]
impl SigningKey {
    /// Signs any header over any payload, for tests that attack.
    pub(crate) fn sign_text(&self, header: &str, payload: &str) -> String {
        let input = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload)
        );
        let signature = self.0.signer.sign(input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.0.algorithm)
            .field("kid", &self.0.kid)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for GeneratedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeneratedKey")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// The members that verify, chosen by name, so that no private one can slip through.
fn public_part(jwk: &Map<String, Value>, algorithm: SigningAlgorithm, kid: &str) -> Option<Value> {
    let members = required_members(jwk.get("kty")?.as_str()?)?;
    let mut public = Map::new();
    for name in members {
        public.insert((*name).to_owned(), jwk.get(*name)?.clone());
    }
    public.insert("kid".to_owned(), kid.into());
    public.insert("use".to_owned(), "sig".into());
    public.insert("alg".to_owned(), algorithm.as_str().into());
    Some(Value::Object(public))
}

fn encoded_header(algorithm: SigningAlgorithm, kid: &str, typ: &str) -> String {
    let header = json!({"alg": algorithm.as_str(), "kid": kid, "typ": typ}).to_string();
    let mut encoded = URL_SAFE_NO_PAD.encode(header);
    encoded.push('.');
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::jws::Type;
    use crate::jose::keys::{Expect, VerificationKeys};

    fn generate(algorithm: SigningAlgorithm) -> GeneratedKey {
        SigningKey::generate(algorithm, RsaBits::default()).unwrap()
    }

    #[test]
    fn every_algorithm_signs_what_its_public_key_verifies() {
        for algorithm in SigningAlgorithm::ALL {
            let GeneratedKey { key, private_jwk } = generate(algorithm);
            let again = SigningKey::from_private_jwk(algorithm, key.kid(), &private_jwk).unwrap();
            assert_eq!(again.public_jwk(), key.public_jwk());
            let keys = VerificationKeys::new(vec![key.verification_key().unwrap()]);
            for typ in ["at+jwt", "JWT", "logout+jwt", "other+jwt"] {
                let token = again
                    .sign_jwt(typ, &json!({"sub": "é\"", "exp": 1}))
                    .unwrap();
                let verified = keys
                    .verify(&token, Expect::own(Type::Required(&[typ]), &[algorithm]))
                    .unwrap();
                assert_eq!(verified.header.algorithm, algorithm);
                assert_eq!(verified.header.typ.as_deref(), Some(typ));
                assert_eq!(verified.header.kid.as_deref(), Some(key.kid()));
                assert_eq!(verified.claims["sub"], "é\"");
            }
        }
    }

    #[test]
    fn a_published_key_has_a_name_a_use_and_nothing_private() {
        for algorithm in SigningAlgorithm::ALL {
            let key = generate(algorithm).key;
            let public = key.public_jwk().as_object().unwrap();
            let mut names = public.keys().map(String::as_str).collect::<Vec<_>>();
            names.sort_unstable();
            let expected: &[&str] = match algorithm {
                SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
                    &["alg", "e", "kid", "kty", "n", "use"]
                }
                SigningAlgorithm::Es256 => &["alg", "crv", "kid", "kty", "use", "x", "y"],
                SigningAlgorithm::EdDsa | SigningAlgorithm::Ed25519 => {
                    &["alg", "crv", "kid", "kty", "use", "x"]
                }
            };
            assert_eq!(names, expected);
            assert_eq!(
                (&public["use"], &public["alg"]),
                (&json!("sig"), &json!(algorithm.as_str()))
            );
            assert_eq!(thumbprint(public).as_deref(), Some(key.kid()));
        }
    }

    #[test]
    fn coordinates_keep_their_leading_zeros() {
        // One key in 256 has a coordinate that begins with a zero.
        for _ in 0..600 {
            let key = generate(SigningAlgorithm::Es256).key;
            for name in ["x", "y"] {
                assert_eq!(key.public_jwk()[name].as_str().map(str::len), Some(43));
            }
        }
    }

    #[test]
    fn keys_that_do_not_fit_their_algorithm_are_refused() {
        let ec = generate(SigningAlgorithm::Es256).private_jwk;
        let ed = generate(SigningAlgorithm::EdDsa).private_jwk;
        for (algorithm, jwk) in [
            (SigningAlgorithm::Rs256, ec.as_slice()),
            (SigningAlgorithm::Ps256, &ed),
            (SigningAlgorithm::Es256, &ed),
            (SigningAlgorithm::EdDsa, &ec),
            (SigningAlgorithm::Es256, b"{}"),
            (SigningAlgorithm::Es256, b"[]"),
            (SigningAlgorithm::Es256, b"\xff"),
        ] {
            assert_eq!(
                SigningKey::from_private_jwk(algorithm, "k", jwk).err(),
                Some(KeyError::Malformed)
            );
        }
        let ed448 = serde_json::to_vec(
            EdKeyPair::generate(EdCurve::Ed448)
                .unwrap()
                .to_jwk_key_pair()
                .as_ref(),
        )
        .unwrap();
        assert!(SigningKey::from_private_jwk(SigningAlgorithm::EdDsa, "k", &ed448).is_err());
        let p384 = serde_json::to_vec(
            EcKeyPair::generate(EcCurve::P384)
                .unwrap()
                .to_jwk_key_pair()
                .as_ref(),
        )
        .unwrap();
        assert!(SigningKey::from_private_jwk(SigningAlgorithm::Es256, "k", &p384).is_err());
    }

    #[test]
    fn rsa_keys_are_of_a_sound_size() {
        assert!(
            RsaBits::new(2_048).is_some()
                && RsaBits::new(4_096).is_some()
                && RsaBits::new(8_192).is_some()
        );
        assert!(
            RsaBits::new(2_040).is_none()
                && RsaBits::new(2_049).is_none()
                && RsaBits::new(16_384).is_none()
        );
        let key = SigningKey::generate(SigningAlgorithm::Ps256, RsaBits::new(3_072).unwrap())
            .unwrap()
            .key;
        let modulus = URL_SAFE_NO_PAD
            .decode(key.public_jwk()["n"].as_str().unwrap())
            .unwrap();
        assert_eq!(modulus.len() * 8, 3_072);
    }

    #[test]
    fn the_example_of_rfc_8037_is_signed_alike() {
        // Appendix A.4; its header has no kid, so that only the signature is compared, over its own input.
        let jwk = br#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let key = SigningKey::from_private_jwk(SigningAlgorithm::EdDsa, "k", jwk).unwrap();
        let signature = key
            .0
            .signer
            .sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
            .unwrap();
        assert_eq!(
            URL_SAFE_NO_PAD.encode(signature),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn nothing_private_is_printed() {
        let generated = generate(SigningAlgorithm::Es256);
        let printed = format!("{generated:?}");
        let private: Value = serde_json::from_slice(&generated.private_jwk).unwrap();
        assert!(
            !printed.contains(private["d"].as_str().unwrap()),
            "{printed}"
        );
    }
}
