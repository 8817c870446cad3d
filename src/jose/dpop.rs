//! Proofs of possession, read and verified (RFC 9449 §4.2, §4.3): whoever sends one holds the key that is in it, and means this request.
//!
//! Everything that costs next to nothing is looked at before the signature. That a nonce is one of the server's, and that a proof is taken
//! once, is for the layers above to say.

use std::time::Duration;

use serde_json::{Map, Value};

use super::claims::{ClaimError, Present, find_string, load_date, load_string, seconds};
pub use super::from_issuer::MAX_JTI;
use super::jws::{Compact, JwsError, Type};
use super::keys::{digest, verifies};
use crate::protocol::SigningAlgorithm;
use crate::protocol::dpop::{TYP, Thumbprint, access_token_hash, normalise_uri};
use crate::protocol::jwks::check_key;

/// The longest proof that is looked at, in bytes: one by an RSA key of 4096 bits, with an address and a nonce of the longest, fits.
pub const MAX_PROOF: usize = 8 * 1_024;
/// The longest modulus of an RSA key, in characters: 4096 bits. A longer one is nobody's need, and costs whoever verifies.
const MAX_MODULUS: usize = 683;

/// Why a proof is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It is longer than [`MAX_PROOF`].
    #[error("the proof is longer than 8 KiB")]
    TooLong,
    /// Its form, type, algorithm or signature.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// Its key isn't a public one, of a sound kind and size, and of the algorithm's.
    #[error(
        "the header jwk must be a public key that fits alg: RSA of 2048 to 4096 bits, EC with P-256, or OKP with Ed25519"
    )]
    Key,
    /// A claim.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// `jti` is empty or too long.
    #[error("the claim jti must have 1 to 256 characters")]
    JwtId,
    /// `htm` is of another request.
    #[error("the claim htm must be the method of the request")]
    Method,
    /// `htu` is of another request.
    #[error("the claim htu must be the address of the request, without query and fragment")]
    Uri,
    /// `iat` lies too far back.
    #[error(
        "the claim iat lies too far in the past: make a new proof for each request, and check the clock"
    )]
    Old,
    /// `ath` is of another access token, or isn't there.
    #[error("the claim ath must be the hash of the access token")]
    AccessToken,
}

/// What a proof must meet.
#[derive(Debug, Clone, Copy)]
pub struct ProofRules<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// The address at which it arrived, by what the server knows of itself.
    pub uri: &'a str,
    /// The access token that came along, where one is presented.
    pub access_token: Option<&'a str>,
    /// What it may be signed by.
    pub algorithms: &'a [SigningAlgorithm],
    /// How far `iat` may lie from the present, either way.
    pub leeway: Duration,
    /// The present, in seconds since 1970.
    pub unix: i64,
}

/// A proof that says the right things; its signature was not looked at.
#[derive(Debug)]
pub struct UnverifiedProof<'t> {
    compact: Compact<'t>,
    key: Map<String, Value>,
    nonce: Option<String>,
    proof: Proof,
}

/// A proof that is good if it wasn't seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The key that its sender holds.
    pub thumbprint: Thumbprint,
    /// Its name, to be taken once for each key.
    pub jti: String,
    /// When it stops being taken, and its name may be forgotten; seconds since 1970.
    pub remember_until: i64,
}

impl<'t> UnverifiedProof<'t> {
    /// Reads a proof and holds what it says against the request.
    pub fn parse(text: &'t str, rules: ProofRules<'_>) -> Result<Self, ProofError> {
        if text.len() > MAX_PROOF {
            return Err(ProofError::TooLong);
        }
        let (compact, key) = Compact::parse_with_key(text)?;
        Type::Required(&[TYP]).check(compact.header.typ.as_deref())?;
        if !compact.header.algorithm.is_among(rules.algorithms) {
            return Err(JwsError::Algorithm.into());
        }
        let thumbprint = check_public(&key)?;
        let claims = compact.claims()?;
        let jti = load_string(&claims, "jti")?;
        if jti.is_empty() || jti.len() > MAX_JTI {
            return Err(ProofError::JwtId);
        }
        // Methods are case-sensitive (RFC 9110 §9.1).
        if load_string(&claims, "htm")? != rules.method {
            return Err(ProofError::Method);
        }
        let (htu, own) = (load_string(&claims, "htu")?, normalise_uri(rules.uri));
        if own.is_none() || normalise_uri(htu) != own {
            return Err(ProofError::Uri);
        }
        let made_at = load_date(&claims, "iat")?;
        // Neither `exp` nor `nbf` is asked of a proof; whoever says them means them.
        Present::new(rules.unix, rules.leeway).check_where_present(&claims)?;
        let leeway = seconds(rules.leeway);
        if rules.unix > made_at.saturating_add(leeway) {
            return Err(ProofError::Old);
        }
        if let Some(token) = rules.access_token
            && find_string(&claims, "ath")? != Some(&*access_token_hash(token))
        {
            return Err(ProofError::AccessToken);
        }
        Ok(Self {
            nonce: find_string(&claims, "nonce")?.map(ToOwned::to_owned),
            proof: Proof {
                thumbprint,
                jti: jti.to_owned(),
                // A second more, as `iat` is a whole one.
                remember_until: made_at.saturating_add(leeway).saturating_add(1),
            },
            compact,
            key,
        })
    }

    /// The server's nonce that it carries, as it says.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// The key that it claims its sender to hold.
    pub fn thumbprint(&self) -> Thumbprint {
        self.proof.thumbprint
    }

    /// Verifies the signature by the key that came along.
    pub fn verify(self) -> Result<Proof, ProofError> {
        match verifies(&self.key, &self.compact) {
            Ok(true) => Ok(self.proof),
            Ok(false) => Err(JwsError::Signature.into()),
            Err(_) => Err(ProofError::Key),
        }
    }
}

/// RFC 9449 §4.3, points 5 to 7: a public key, and one that can be verified by at a sane price.
fn check_public(key: &Map<String, Value>) -> Result<Thumbprint, ProofError> {
    check_key(key).map_err(|_| ProofError::Key)?;
    let modulus = key.get("n").and_then(Value::as_str).unwrap_or_default();
    if modulus.len() > MAX_MODULUS {
        return Err(ProofError::Key);
    }
    digest(key).map(Thumbprint::new).ok_or(ProofError::Key)
}

#[cfg(test)]
mod tests;
