//! Keys that verify: one, and a set of them.

use std::fmt;

use josekit::jwk::Jwk;
use josekit::jws::{ES256, EdDSA, JwsVerifier, PS256, RS256};
use serde_json::{Map, Value};

use super::KeyError;
use crate::jose::jws::{Compact, Header, JwsError, MAX_KID, Type};
use crate::protocol::algorithm::SigningAlgorithm;
use crate::protocol::jwks::{MAX_KEYS, check_key};

/// A public key, ready to verify by each algorithm that it is good for.
pub struct VerificationKey {
    kid: Option<String>,
    verifiers: Vec<(SigningAlgorithm, Box<dyn JwsVerifier>)>,
}

impl VerificationKey {
    /// Reads a public JWK. One without `alg` is good for every algorithm of its type; `use` and `key_ops` must allow verifying, where
    /// they are there (RFC 7517 §4.2, §4.3).
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let members = jwk.as_object().ok_or(KeyError::Malformed)?;
        check_key(members).map_err(|_| KeyError::Malformed)?;
        let kid = match members.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= MAX_KID => Some(kid.clone()),
            Some(_) => return Err(KeyError::Malformed),
        };
        let plain = plain(members)?;
        let verifiers = algorithms_of(members)?
            .into_iter()
            .map(|algorithm| Ok((algorithm, verifier(algorithm, &plain)?)))
            .collect::<Result<_, KeyError>>()?;
        Ok(Self { kid, verifiers })
    }

    /// Its name.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    fn verifier(&self, algorithm: SigningAlgorithm) -> Option<&dyn JwsVerifier> {
        let algorithm = algorithm.oldest_name();
        let (_, verifier) = self.verifiers.iter().find(|(of, _)| *of == algorithm)?;
        Some(&**verifier)
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// Whether a token's signature is that of the public key that came along with it; whose key that is nobody says.
pub fn verifies(jwk: &Map<String, Value>, token: &Compact<'_>) -> Result<bool, KeyError> {
    check_key(jwk).map_err(|_| KeyError::Malformed)?;
    let algorithm = token.header.algorithm;
    if !algorithm.is_among(&algorithms_of(jwk)?) {
        return Err(KeyError::Malformed);
    }
    Ok(verifier(algorithm, &plain(jwk)?)?
        .verify(token.signing_input.as_bytes(), &token.signature)
        .is_ok())
}

/// What josekit needs, and nothing it could stumble over, such as `x5c`.
fn plain(jwk: &Map<String, Value>) -> Result<Jwk, KeyError> {
    let mut plain = Map::new();
    for name in ["kty", "crv", "x", "y", "n", "e", "use", "key_ops"] {
        if let Some(value) = jwk.get(name) {
            plain.insert(name.to_owned(), value.clone());
        }
    }
    Jwk::from_map(plain).map_err(|_| KeyError::Malformed)
}

/// What the key is good for, each by its oldest name.
fn algorithms_of(jwk: &Map<String, Value>) -> Result<Vec<SigningAlgorithm>, KeyError> {
    let of_type: &[SigningAlgorithm] = match jwk.get("kty").and_then(Value::as_str) {
        Some("RSA") => &[SigningAlgorithm::Rs256, SigningAlgorithm::Ps256],
        Some("EC") => &[SigningAlgorithm::Es256],
        // X25519, the other curve of this type, is for encryption.
        Some("OKP") if jwk.get("crv").and_then(Value::as_str) == Some("Ed25519") => {
            &[SigningAlgorithm::EdDsa]
        }
        _ => return Err(KeyError::Malformed),
    };
    match jwk.get("alg") {
        None => Ok(of_type.to_vec()),
        Some(Value::String(name)) => {
            let named = name
                .parse::<SigningAlgorithm>()
                .map(SigningAlgorithm::oldest_name);
            named
                .ok()
                .filter(|algorithm| of_type.contains(algorithm))
                .map(|algorithm| vec![algorithm])
                .ok_or(KeyError::Malformed)
        }
        Some(_) => Err(KeyError::Malformed),
    }
}

fn verifier(algorithm: SigningAlgorithm, jwk: &Jwk) -> Result<Box<dyn JwsVerifier>, KeyError> {
    let verifier: Result<Box<dyn JwsVerifier>, _> = match algorithm {
        SigningAlgorithm::Rs256 => RS256
            .verifier_from_jwk(jwk)
            .map(|verifier| Box::new(verifier) as _),
        SigningAlgorithm::Ps256 => PS256
            .verifier_from_jwk(jwk)
            .map(|verifier| Box::new(verifier) as _),
        SigningAlgorithm::Es256 => ES256
            .verifier_from_jwk(jwk)
            .map(|verifier| Box::new(verifier) as _),
        SigningAlgorithm::EdDsa | SigningAlgorithm::Ed25519 => EdDSA
            .verifier_from_jwk(jwk)
            .map(|verifier| Box::new(verifier) as _),
    };
    verifier.map_err(|_| KeyError::Malformed)
}

/// How a token chooses its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChoice {
    /// By `kid`, which must be there: tokens of our own.
    ByKid,
    /// By `kid`, or without one where exactly one key fits the algorithm: tokens of clients.
    ByKidOrOnly,
}

/// What a token must be.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// Its type.
    pub typ: Type<'a>,
    /// The algorithms that are accepted.
    pub algorithms: &'a [SigningAlgorithm],
    /// How its key is chosen.
    pub choice: KeyChoice,
}

impl<'a> Expect<'a> {
    /// A token of our own.
    pub const fn own(typ: Type<'a>, algorithms: &'a [SigningAlgorithm]) -> Self {
        Self {
            typ,
            algorithms,
            choice: KeyChoice::ByKid,
        }
    }
}

/// A token whose signature and type are right. Its claims were signed; whether they are good here and now is still to be checked.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The header.
    pub header: Header,
    /// The claims.
    pub claims: Map<String, Value>,
}

/// The keys that one party may have signed with.
#[derive(Debug, Default)]
pub struct VerificationKeys(Vec<VerificationKey>);

impl VerificationKeys {
    /// A set of these.
    pub fn new(keys: Vec<VerificationKey>) -> Self {
        Self(keys)
    }

    /// Reads a JWK set that somebody else publishes. Keys that aren't for signing, or aren't understood, are passed over (RFC 7517
    /// §5); a private key, and more than 20 keys, are an error.
    pub fn from_jwks(jwks: &Value) -> Result<Self, KeyError> {
        let keys = jwks
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(KeyError::Malformed)?;
        if keys.len() > MAX_KEYS || keys.iter().any(|key| key.get("d").is_some()) {
            return Err(KeyError::Malformed);
        }
        Ok(Self(
            keys.iter()
                .filter_map(|key| VerificationKey::from_jwk(key).ok())
                .collect(),
        ))
    }

    /// Whether the set holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks a token's form, type, algorithm and signature.
    pub fn verify(&self, token: &str, expect: Expect<'_>) -> Result<Verified, JwsError> {
        self.verify_compact(Compact::parse(token)?, expect)
    }

    /// [`VerificationKeys::verify`] for a token that was taken apart before.
    pub fn verify_compact(
        &self,
        token: Compact<'_>,
        expect: Expect<'_>,
    ) -> Result<Verified, JwsError> {
        // RFC 8725 §3.1: the list is ours, and the key's algorithm is the key's.
        if !token.header.algorithm.is_among(expect.algorithms) {
            return Err(JwsError::Algorithm);
        }
        expect.typ.check(token.header.typ.as_deref())?;
        self.choose(&token.header, expect.choice)?
            .verify(token.signing_input.as_bytes(), &token.signature)
            .map_err(|_| JwsError::Signature)?;
        let claims = token.claims()?;
        Ok(Verified {
            header: token.header,
            claims,
        })
    }

    fn choose(&self, header: &Header, choice: KeyChoice) -> Result<&dyn JwsVerifier, JwsError> {
        if header.kid.is_none() && choice == KeyChoice::ByKid {
            return Err(JwsError::AmbiguousKey);
        }
        let mut fitting = self
            .0
            .iter()
            .filter(|key| header.kid.is_none() || key.kid == header.kid)
            .filter_map(|key| key.verifier(header.algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(verifier), None) => Ok(verifier),
            (Some(_), Some(_)) => Err(JwsError::AmbiguousKey),
            (None, _) => Err(JwsError::UnknownKey),
        }
    }
}

#[cfg(test)]
mod tests;
