//! A tenant's keys, ready to sign, to verify and to decrypt, and its JWKS as bytes. What one kind is for the other is never used for.

use bytes::Bytes;
use serde_json::json;

use crate::clock::Timestamp;
use crate::domain::ids::{KeyId, TenantId};
use crate::domain::key::{KeyAlgorithm, KeyRecord, KeyStage};
use crate::jose::keys::{DecryptionKey, KeyError, SigningKey, VerificationKey, VerificationKeys};
use crate::jose::seal::{DataKey, SealContext, SealError};
use crate::protocol::{KeyManagementAlgorithm, SigningAlgorithm};

/// A key that can sign within a period.
#[derive(Clone)]
struct Signer {
    key: SigningKey,
    created_at: Timestamp,
    from: Timestamp,
    until: Option<Timestamp>,
}

/// A key that decrypts until a moment.
#[derive(Clone)]
struct Decrypter {
    key: DecryptionKey,
    created_at: Timestamp,
    /// Whether it is the one that others are told of.
    is_current: bool,
    until: Option<Timestamp>,
}

/// A tenant's keys at a moment.
pub struct KeyRing {
    signers: Vec<Signer>,
    decrypters: Vec<Decrypter>,
    verification: VerificationKeys,
    jwks: Bytes,
    /// When a published key leaves the set, so that the ring has to be built again.
    stale_at: Option<Timestamp>,
}

/// Why a ring can't be built: what is stored doesn't open or isn't a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The sealed private key doesn't open.
    #[error("a key can't be unsealed: {0}")]
    Seal(#[from] SealError),
    /// It opens, but isn't a key.
    #[error("a key can't be read: {0}")]
    Key(#[from] KeyError),
}

/// How a private key is bound to its row.
pub fn seal_context(tenant: TenantId, id: KeyId) -> SealContext {
    SealContext {
        tenant: tenant.uuid(),
        table: "signing_keys",
        row: id.uuid(),
    }
}

impl KeyRing {
    /// Builds signers and verifiers of all keys that are published at `now`, and, where the tenant takes encrypted requests, what decrypts
    /// them.
    pub fn build(
        tenant: TenantId,
        records: &[KeyRecord],
        data_key: &DataKey,
        now: Timestamp,
        takes_encrypted: bool,
    ) -> Result<Self, KeyRingError> {
        let wanted = |record: &&KeyRecord| takes_encrypted || !record.algorithm.is_encryption();
        let published: Vec<_> = records
            .iter()
            .filter(wanted)
            .filter(|record| record.is_published(now))
            .collect();
        let mut decrypters = Vec::new();
        let mut signers = Vec::new();
        let mut stale_at = None::<Timestamp>;
        for record in records.iter().filter(wanted) {
            if !record.is_good(now) {
                continue;
            }
            let open =
                || data_key.open(seal_context(tenant, record.id), &record.sealed_private_jwk);
            let algorithm = match record.algorithm {
                KeyAlgorithm::Signing(algorithm) => algorithm,
                KeyAlgorithm::Encryption(algorithm) => {
                    let until = match record.stage {
                        KeyStage::Retired { removed_at, .. } => Some(removed_at),
                        _ => None,
                    };
                    stale_at = stale_at.into_iter().chain(until).min();
                    decrypters.push(Decrypter {
                        key: DecryptionKey::from_private_jwk(algorithm, &record.kid, &open()?)?,
                        created_at: record.created_at,
                        is_current: record.is_published(now),
                        until,
                    });
                    continue;
                }
            };
            let (from, until) = match record.stage {
                KeyStage::Published { signs_from } => (signs_from, None),
                KeyStage::Retired {
                    signs_from,
                    retired_at,
                    removed_at,
                } => {
                    stale_at = stale_at.into_iter().chain([removed_at]).min();
                    if retired_at <= now {
                        continue;
                    }
                    (signs_from, Some(retired_at))
                }
                KeyStage::Revoked { .. } => continue,
            };
            let key = SigningKey::from_private_jwk(algorithm, &record.kid, &open()?)?;
            signers.push(Signer {
                key,
                created_at: record.created_at,
                from,
                until,
            });
        }
        // The youngest first, so that a successor takes over at its moment.
        signers.sort_by_key(|signer| std::cmp::Reverse(signer.from));
        let jwks = json!({ "keys": published.iter().map(|record| &record.public_jwk).collect::<Vec<_>>() });
        Ok(Self {
            signers,
            decrypters,
            // However many they are: a tenant with many keys still has to work.
            verification: VerificationKeys::new(
                published
                    .iter()
                    .filter(|record| !record.algorithm.is_encryption())
                    .map(|record| VerificationKey::from_jwk(&record.public_jwk))
                    .collect::<Result<_, _>>()?,
            ),
            jwks: jwks.to_string().into_bytes().into(),
            stale_at,
        })
    }

    /// The key that signs at `now`.
    pub fn signer(&self, algorithm: SigningAlgorithm, now: Timestamp) -> Option<&SigningKey> {
        let usable = |signer: &&Signer| {
            signer.key.algorithm() == algorithm
                && signer.from <= now
                && signer.until.is_none_or(|until| now < until)
        };
        self.signers.iter().find(usable).map(|signer| &signer.key)
    }

    /// Our keys that may be meant by what is encrypted so: the one of this name, or without a name those that others are told of.
    pub fn decrypters<'r>(
        &'r self,
        algorithm: KeyManagementAlgorithm,
        kid: Option<&'r str>,
        now: Timestamp,
    ) -> impl Iterator<Item = &'r DecryptionKey> {
        self.decrypters
            .iter()
            .filter(move |own| own.key.algorithm() == algorithm)
            .filter(move |own| own.until.is_none_or(|until| now < until))
            .filter(move |own| kid.map_or(own.is_current, |kid| own.key.kid() == kid))
            .map(|own| &own.key)
    }

    /// The algorithms by which one may encrypt to a key of ours that is published.
    pub fn encryption_algorithms(&self) -> impl Iterator<Item = KeyManagementAlgorithm> {
        KeyManagementAlgorithm::ALL.into_iter().filter(|algorithm| {
            let mut own = self.decrypters.iter();
            own.any(|own| own.is_current && own.key.algorithm() == *algorithm)
        })
    }

    /// Whether there is a key of the algorithm that is used at `now`.
    pub fn has(&self, algorithm: KeyAlgorithm, now: Timestamp) -> bool {
        match algorithm {
            KeyAlgorithm::Signing(algorithm) => self.signer(algorithm, now).is_some(),
            KeyAlgorithm::Encryption(algorithm) => {
                self.encryption_algorithms().any(|own| own == algorithm)
            }
        }
    }

    /// Whether the algorithm's youngest key is older than `age` at `now`, and no successor waits.
    pub fn wants_rotation(
        &self,
        algorithm: KeyAlgorithm,
        now: Timestamp,
        age: chrono::Duration,
    ) -> bool {
        let signers = self
            .signers
            .iter()
            .filter(|signer| algorithm == signer.key.algorithm())
            .map(|signer| signer.created_at);
        let decrypters = self
            .decrypters
            .iter()
            .filter(|own| algorithm == KeyAlgorithm::Encryption(own.key.algorithm()))
            .map(|own| own.created_at);
        let mut of_algorithm = signers.chain(decrypters).peekable();
        of_algorithm.peek().is_some() && of_algorithm.all(|created_at| now - created_at >= age)
    }

    /// The published keys, to verify our own tokens.
    pub fn verification(&self) -> &VerificationKeys {
        &self.verification
    }

    /// The JWKS document.
    pub fn jwks(&self) -> Bytes {
        self.jwks.clone()
    }

    /// Whether a key has left the set since this was built. The time is asked for only where one is to leave it.
    pub fn is_stale(&self, now: impl FnOnce() -> Timestamp) -> bool {
        self.stale_at.is_some_and(|at| at <= now())
    }
}
