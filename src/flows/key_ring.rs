//! A tenant's keys, ready to sign and to verify, and its JWKS as bytes.

use bytes::Bytes;
use serde_json::json;

use crate::clock::Timestamp;
use crate::domain::ids::{KeyId, TenantId};
use crate::domain::key::{KeyRecord, KeyStage};
use crate::jose::keys::{KeyError, SigningKey, VerificationKey, VerificationKeys};
use crate::jose::seal::{DataKey, SealContext, SealError};
use crate::protocol::SigningAlgorithm;

/// A key that can sign within a period.
#[derive(Clone)]
struct Signer {
    key: SigningKey,
    created_at: Timestamp,
    from: Timestamp,
    until: Option<Timestamp>,
}

/// A tenant's keys at a moment.
pub struct KeyRing {
    signers: Vec<Signer>,
    verification: VerificationKeys,
    jwks: Bytes,
    /// When a published key leaves the set, so that the ring has to be built again.
    stale_at: Option<Timestamp>,
}

/// Why a ring can't be built: what is stored doesn't open or isn't a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The sealed private key doesn't open.
    #[error("a signing key can't be unsealed: {0}")]
    Seal(#[from] SealError),
    /// It opens, but isn't a key.
    #[error("a signing key can't be read: {0}")]
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
    /// Builds signers and verifiers of all keys that are published at `now`.
    pub fn build(
        tenant: TenantId,
        records: &[KeyRecord],
        data_key: &DataKey,
        now: Timestamp,
    ) -> Result<Self, KeyRingError> {
        let published: Vec<_> = records
            .iter()
            .filter(|record| record.is_published(now))
            .collect();
        let mut signers = Vec::new();
        let mut stale_at = None::<Timestamp>;
        for record in &published {
            let (from, until) = match record.stage {
                KeyStage::Published { signs_from } => (signs_from, None),
                KeyStage::Retired {
                    signs_from,
                    retired_at,
                    removed_at,
                } => {
                    stale_at = Some(stale_at.map_or(removed_at, |at| at.min(removed_at)));
                    if retired_at <= now {
                        continue;
                    }
                    (signs_from, Some(retired_at))
                }
                KeyStage::Revoked { .. } => continue,
            };
            let private =
                data_key.open(seal_context(tenant, record.id), &record.sealed_private_jwk)?;
            let key = SigningKey::from_private_jwk(record.algorithm, &record.kid, &private)?;
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
            // However many they are: a tenant with many keys still has to work.
            verification: VerificationKeys::new(
                published
                    .iter()
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

    /// Whether the algorithm's youngest key is older than `age` at `now`, and no successor waits.
    pub fn wants_rotation(
        &self,
        algorithm: SigningAlgorithm,
        now: Timestamp,
        age: chrono::Duration,
    ) -> bool {
        let mut of_algorithm = self
            .signers
            .iter()
            .filter(|signer| signer.key.algorithm() == algorithm)
            .peekable();
        of_algorithm.peek().is_some() && of_algorithm.all(|signer| now - signer.created_at >= age)
    }

    /// The published keys, to verify our own tokens.
    pub fn verification(&self) -> &VerificationKeys {
        &self.verification
    }

    /// The JWKS document.
    pub fn jwks(&self) -> Bytes {
        self.jwks.clone()
    }

    /// Whether a key has left the set since this was built.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.stale_at.is_some_and(|at| at <= now)
    }
}
