//! A tenant's signing keys and the stages of their life.
//!
//! `Published` (seen in JWKS, not used yet) → `Signing` → `Retired` (verifies what it signed until all of that has expired) →
//! removed; `Revoked` at once from any of them.

use serde::Serialize;

use super::ids::KeyId;
use crate::clock::Timestamp;
use crate::protocol::algorithm::SigningAlgorithm;

/// A signing key of a tenant, without its private half.
#[derive(Clone, Debug, Serialize)]
pub struct KeyRecord {
    /// The row's identifier.
    pub id: KeyId,
    /// The public name: the RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// Where it stands.
    #[serde(flatten)]
    pub stage: KeyStage,
    /// The public JWK.
    pub public_jwk: serde_json::Value,
    /// The private JWK, sealed under the tenant's data key.
    #[serde(skip)]
    pub sealed_private_jwk: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Where a signing key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum KeyStage {
    /// In JWKS, and signing from `signs_from` on.
    Published {
        /// When it takes over.
        signs_from: Timestamp,
    },
    /// Signs no more; in JWKS until everything that it signed has expired.
    Retired {
        /// When it had taken over.
        signs_from: Timestamp,
        /// When it stopped.
        retired_at: Timestamp,
        /// When it leaves JWKS.
        removed_at: Timestamp,
    },
    /// Withdrawn at once: not in JWKS, and nothing that it signed is accepted.
    Revoked {
        /// When.
        revoked_at: Timestamp,
    },
}

impl KeyRecord {
    /// Whether the key may sign at `now`.
    pub fn signs(&self, now: Timestamp) -> bool {
        match self.stage {
            KeyStage::Published { signs_from } => signs_from <= now,
            KeyStage::Retired {
                signs_from,
                retired_at,
                ..
            } => signs_from <= now && now < retired_at,
            KeyStage::Revoked { .. } => false,
        }
    }

    /// Whether the key is in JWKS at `now`.
    pub fn is_published(&self, now: Timestamp) -> bool {
        match self.stage {
            KeyStage::Published { .. } => true,
            KeyStage::Retired { removed_at, .. } => now < removed_at,
            KeyStage::Revoked { .. } => false,
        }
    }
}
