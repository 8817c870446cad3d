//! A tenant's keys and the stages of their life: those that sign, and those that others encrypt to.
//!
//! `Published` (seen in JWKS, not used yet) → `Signing` → `Retired` (verifies what it signed until all of that has expired) →
//! removed; `Revoked` at once from any of them. A key that is encrypted to is used as soon as it is published, and leaves JWKS when it is retired: it
//! decrypts on, for those who kept it.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::KeyId;
use crate::clock::Timestamp;
use crate::protocol::algorithm::SigningAlgorithm;
use crate::protocol::encryption::KeyManagementAlgorithm;

/// What a key is for, and by what: no name belongs to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum KeyAlgorithm {
    /// It signs.
    Signing(SigningAlgorithm),
    /// It is encrypted to.
    Encryption(KeyManagementAlgorithm),
}

impl KeyAlgorithm {
    /// Every algorithm.
    pub fn all() -> impl Iterator<Item = Self> {
        SigningAlgorithm::ALL.into_iter().map(Self::Signing).chain(
            KeyManagementAlgorithm::ALL
                .into_iter()
                .map(Self::Encryption),
        )
    }

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signing(algorithm) => algorithm.as_str(),
            Self::Encryption(algorithm) => algorithm.as_str(),
        }
    }

    /// Whether it is encrypted to.
    pub const fn is_encryption(self) -> bool {
        matches!(self, Self::Encryption(_))
    }
}

impl From<SigningAlgorithm> for KeyAlgorithm {
    fn from(algorithm: SigningAlgorithm) -> Self {
        Self::Signing(algorithm)
    }
}

impl From<KeyManagementAlgorithm> for KeyAlgorithm {
    fn from(algorithm: KeyManagementAlgorithm) -> Self {
        Self::Encryption(algorithm)
    }
}

impl PartialEq<SigningAlgorithm> for KeyAlgorithm {
    fn eq(&self, other: &SigningAlgorithm) -> bool {
        *self == Self::Signing(*other)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is none that a key is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "unsupported algorithm; use one of RS256, ES256, PS256, EdDSA, Ed25519, or of RSA-OAEP-256, ECDH-ES for encryption"
)]
pub struct UnsupportedKeyAlgorithm;

impl FromStr for KeyAlgorithm {
    type Err = UnsupportedKeyAlgorithm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or(UnsupportedKeyAlgorithm)
    }
}

/// A key of a tenant, without its private half.
#[derive(Clone, Debug, Serialize)]
pub struct KeyRecord {
    /// The row's identifier.
    pub id: KeyId,
    /// The public name: the RFC 7638 thumbprint.
    pub kid: String,
    /// What it is for.
    pub algorithm: KeyAlgorithm,
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

/// Where a key stands.
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

/// What a key is good for at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// In JWKS, and not in use yet.
    Published,
    /// Tokens are signed by it.
    Signing,
    /// Others encrypt to it.
    Encrypting,
    /// What was made by it is still verified, or decrypted.
    Retired,
    /// Nothing is good by it any more, as everything has expired.
    Removed,
    /// Nothing is good by it any more, as somebody said so.
    Revoked,
}

impl KeyState {
    /// Its name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Signing => "signing",
            Self::Encrypting => "encrypting",
            Self::Retired => "retired",
            Self::Removed => "removed",
            Self::Revoked => "revoked",
        }
    }
}

impl KeyRecord {
    /// What the key is good for at `now`.
    pub fn state(&self, now: Timestamp) -> KeyState {
        let used = if self.algorithm.is_encryption() {
            KeyState::Encrypting
        } else {
            KeyState::Signing
        };
        match self.stage {
            KeyStage::Retired { removed_at, .. } if now >= removed_at => KeyState::Removed,
            KeyStage::Retired { retired_at, .. } if now >= retired_at => KeyState::Retired,
            KeyStage::Published { signs_from } | KeyStage::Retired { signs_from, .. }
                if now < signs_from =>
            {
                KeyState::Published
            }
            KeyStage::Published { .. } | KeyStage::Retired { .. } => used,
            KeyStage::Revoked { .. } => KeyState::Revoked,
        }
    }

    /// Whether the key is the one that signs, or that is encrypted to, at `now`.
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

    /// Whether the key signs, or will, at some time after `at`.
    pub fn goes_on_after(&self, at: Timestamp) -> bool {
        match self.stage {
            KeyStage::Published { .. } => true,
            KeyStage::Retired { retired_at, .. } => at < retired_at,
            KeyStage::Revoked { .. } => false,
        }
    }

    /// Whether the key is in JWKS at `now`.
    pub fn is_published(&self, now: Timestamp) -> bool {
        match self.stage {
            KeyStage::Published { .. } => true,
            KeyStage::Retired { retired_at, .. } if self.algorithm.is_encryption() => {
                now < retired_at
            }
            KeyStage::Retired { removed_at, .. } => now < removed_at,
            KeyStage::Revoked { .. } => false,
        }
    }

    /// Whether anything is still verified or decrypted by the key at `now`.
    pub fn is_good(&self, now: Timestamp) -> bool {
        match self.stage {
            KeyStage::Published { .. } => true,
            KeyStage::Retired { removed_at, .. } => now < removed_at,
            KeyStage::Revoked { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration};

    use super::*;
    use crate::protocol::KeyManagementAlgorithm;

    #[test]
    fn a_key_is_said_to_be_what_it_is_good_for() {
        let at = |hour: i64| DateTime::UNIX_EPOCH + Duration::hours(hour);
        let states = |algorithm: KeyAlgorithm, stage: KeyStage| {
            let key = KeyRecord {
                id: KeyId::from(uuid::Uuid::nil()),
                kid: "k".to_owned(),
                algorithm,
                stage,
                public_jwk: serde_json::Value::Null,
                sealed_private_jwk: Vec::new(),
                created_at: at(0),
            };
            let told = [0, 1, 2, 3].map(|hour| (key.state(at(hour)), key.signs(at(hour))));
            for (state, signs) in told {
                let used = matches!(state, KeyState::Signing | KeyState::Encrypting);
                assert_eq!(used, signs, "{stage:?}");
            }
            told.map(|(state, _)| state.as_str())
        };
        let signing = KeyAlgorithm::Signing(SigningAlgorithm::Es256);
        let published = KeyStage::Published { signs_from: at(1) };
        let retired = KeyStage::Retired {
            signs_from: at(1),
            retired_at: at(2),
            removed_at: at(3),
        };
        let overtaken = KeyStage::Retired {
            signs_from: at(2),
            retired_at: at(1),
            removed_at: at(3),
        };
        let revoked = KeyStage::Revoked { revoked_at: at(1) };
        assert_eq!(
            states(signing, published),
            ["published", "signing", "signing", "signing"]
        );
        assert_eq!(
            states(signing, retired),
            ["published", "signing", "retired", "removed"]
        );
        assert_eq!(
            states(signing, overtaken),
            ["published", "retired", "retired", "removed"],
            "another took over before its time came"
        );
        assert_eq!(states(signing, revoked), ["revoked"; 4]);
        let encryption = KeyAlgorithm::Encryption(KeyManagementAlgorithm::EcdhEs);
        assert_eq!(
            states(encryption, published),
            ["published", "encrypting", "encrypting", "encrypting"]
        );
    }
}
