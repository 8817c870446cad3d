//! The life of keys: made when first needed, followed by a successor that is published before it signs, revoked at once. A key that others
//! encrypt to is followed by one that is used at once, and decrypts on for a while.

use std::sync::Arc;

use super::admin::By;
use super::key_ring::seal_context;
use super::provider::{FlowError, Provider};
use super::tenancy::Tenant;
use crate::clock::{Timestamp, span};
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::ids::{KeyId, TenantId};
use crate::domain::key::{KeyAlgorithm, KeyRecord, KeyStage};
use crate::domain::settings::TenantSettings;
use crate::jose::keys::{GeneratedDecryptionKey, GeneratedKey, SigningKey};
use crate::jose::seal::DataKey;
use crate::protocol::{KeyManagementAlgorithm, SigningAlgorithm};

/// Clock differences between us and verifiers, in seconds, granted on top of a token's life.
const SKEW: i64 = 300;

/// How a rotation takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationStart {
    /// The successor is published first, so that every verifier knows it by the time it signs.
    PublishedFirst,
    /// It signs at once: verifiers that cache the old set must ask again.
    Immediately,
}

/// What must hold for a rotation, looked at in the transaction that does it: of several who want it at once, one gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnlyIf {
    /// Every key of the algorithm is at least so old.
    OlderThan(chrono::Duration),
    /// This is the algorithm's youngest key, and not withdrawn.
    Youngest(KeyId),
}

/// An algorithm's key where there was none, as far as was known.
#[derive(Debug)]
pub(super) enum FirstKey {
    /// It was made.
    Made(KeyRecord),
    /// Somebody else had made one by then.
    Known(KeyRecord),
}

impl Provider {
    /// The key that signs for the tenant at this moment; made where the algorithm has none yet, and followed by a successor when it
    /// has come of age.
    pub async fn signer(
        &self,
        tenant: &Arc<Tenant>,
        algorithm: SigningAlgorithm,
    ) -> Result<SigningKey, FlowError> {
        let now = self.now();
        let age = span(self.config.key_rotation_age);
        if let Some(key) = tenant.keys.signer(algorithm, now) {
            let key = key.clone();
            if tenant.keys.wants_rotation(algorithm.into(), now, age) {
                let rotation = self.rotate_key(
                    tenant,
                    algorithm,
                    RotationStart::PublishedFirst,
                    Actor::System,
                    Origin::default(),
                    Some(OnlyIf::OlderThan(age)),
                );
                // Boxed, as below: whoever has something signed has room for neither.
                Box::pin(rotation).await?;
            }
            return Ok(key);
        }
        Box::pin(self.ensure_key(tenant, algorithm)).await
    }

    /// Makes the algorithm's first key unless there is one by now.
    pub async fn ensure_key(
        &self,
        tenant: &Arc<Tenant>,
        algorithm: SigningAlgorithm,
    ) -> Result<SigningKey, FlowError> {
        let record = match self
            .ensure_record(tenant, algorithm.into(), &By::system())
            .await?
        {
            FirstKey::Made(record) | FirstKey::Known(record) => record,
        };
        let private = tenant.data_key().open(
            seal_context(tenant.id(), record.id),
            &record.sealed_private_jwk,
        )?;
        Ok(SigningKey::from_private_jwk(
            algorithm,
            &record.kid,
            &private,
        )?)
    }

    /// Makes the keys that others encrypt to, where there are none yet.
    pub async fn ensure_encryption_keys(&self, tenant: &Arc<Tenant>) -> Result<(), FlowError> {
        for algorithm in KeyManagementAlgorithm::ALL {
            if !tenant.keys.has(algorithm.into(), self.now()) {
                self.ensure_record(tenant, algorithm.into(), &By::system())
                    .await?;
            }
        }
        Ok(())
    }

    /// The algorithm's key that is used at this moment, made where there is none; the audit says by whom.
    pub(super) async fn ensure_record(
        &self,
        tenant: &Arc<Tenant>,
        algorithm: KeyAlgorithm,
        by: &By,
    ) -> Result<FirstKey, FlowError> {
        let now = self.now();
        // One of those who need it at once makes it: an RSA key costs a tenth of a second's work, and all but one were thrown away.
        let turn = tokio::time::timeout(self.config.database_timeout, tenant.first_key.lock());
        let _turn = turn.await.map_err(|_| FlowError::Busy)?;
        let known = self.db.read(&**tenant, |repo| repo.list_keys()).await?;
        if let Some(known) = known
            .into_iter()
            .find(|known| signs_already(known, algorithm, now))
        {
            return Ok(FirstKey::Known(self.made_beside(tenant, known)));
        }
        let record = self
            .new_key(tenant.id(), tenant.data_key(), algorithm, now)
            .await?;
        let (created, by) = (record.clone(), by.clone());
        let existing = self
            .db
            .write(&**tenant, move |repo| {
                // Another node may be about to make one.
                repo.hold_tenant()?;
                let keys = repo.list_keys()?;
                if let Some(known) = keys
                    .iter()
                    .find(|known| signs_already(known, algorithm, now))
                {
                    return Ok(Some(known.clone()));
                }
                repo.insert_key(&created, now)?;
                repo.record(key_event(
                    Act::KeyCreated,
                    by.actor.clone(),
                    &by.origin,
                    &created,
                ))?;
                Ok(None)
            })
            .await?;
        Ok(match existing {
            None => FirstKey::Made(record),
            Some(known) => FirstKey::Known(self.made_beside(tenant, known)),
        })
    }

    /// A key that was made a moment ago, by another process or beside us: whoever gets its first token finds it in our JWKS, too.
    fn made_beside(&self, tenant: &Tenant, known: KeyRecord) -> KeyRecord {
        self.forget_tenant(tenant.slug());
        known
    }

    /// Gives the algorithm a successor. `None` where what must hold for it doesn't.
    pub async fn rotate_key(
        &self,
        tenant: &Arc<Tenant>,
        algorithm: impl Into<KeyAlgorithm>,
        start: RotationStart,
        actor: Actor,
        origin: Origin,
        only_if: Option<OnlyIf>,
    ) -> Result<Option<KeyRecord>, FlowError> {
        let (algorithm, now) = (algorithm.into(), self.now());
        let ahead = span(self.config.key_publish_ahead);
        // Nobody has to know a key before somebody encrypts to it.
        let signs_from = if start == RotationStart::Immediately || algorithm.is_encryption() {
            now
        } else {
            now + ahead
        };
        let record = self
            .new_key(tenant.id(), tenant.data_key(), algorithm, signs_from)
            .await?;
        let removed_at = signs_from + retention(tenant.settings());
        let created = record.clone();
        let done = self
            .db
            .write(&**tenant, move |repo| {
                repo.hold_tenant()?;
                let keys = repo.list_keys()?;
                let live = keys.iter().filter(|key| {
                    key.algorithm == algorithm && matches!(key.stage, KeyStage::Published { .. })
                });
                let holds = match only_if {
                    None => true,
                    Some(OnlyIf::OlderThan(age)) => {
                        !live.clone().any(|key| now - key.created_at < age)
                    }
                    // They come with the youngest first.
                    Some(OnlyIf::Youngest(id)) => {
                        live.clone().next().is_some_and(|key| key.id == id)
                    }
                };
                if !holds {
                    return Ok(false);
                }
                // Those too that were to sign until a later one took over: nothing signs beside the successor, nor again once that is revoked.
                let ending = keys
                    .iter()
                    .filter(|key| key.algorithm == algorithm && key.goes_on_after(signs_from));
                for key in ending {
                    repo.retire_key(key.id, signs_from, removed_at)?;
                }
                repo.insert_key(&created, signs_from)?;
                repo.record(key_event(Act::KeyRotated, actor.clone(), &origin, &created))?;
                Ok(true)
            })
            .await?;
        Ok(done.then_some(record))
    }

    /// Withdraws a key at once and, where it was the algorithm's last that signs, makes another. `None` where there is no such key.
    pub async fn revoke_key(
        &self,
        tenant: &Arc<Tenant>,
        kid: &str,
        actor: Actor,
        origin: Origin,
    ) -> Result<Option<KeyRecord>, FlowError> {
        let kid = kid.to_owned();
        let keys = self.db.read(&**tenant, |repo| repo.list_keys()).await?;
        let Some(target) = keys.into_iter().find(|key| key.kid == kid) else {
            return Ok(None);
        };
        if matches!(target.stage, KeyStage::Revoked { .. }) {
            return Ok(Some(target));
        }
        let now = self.now();
        let successor = self
            .new_key(tenant.id(), tenant.data_key(), target.algorithm, now)
            .await?;
        let (id, algorithm, revoked) = (target.id, target.algorithm, target.clone());
        let removed_at = now + retention(tenant.settings());
        self.db
            .write(&**tenant, move |repo| {
                repo.hold_tenant()?;
                if !repo.revoke_key(id)? {
                    return Ok(());
                }
                repo.record(key_event(Act::KeyRevoked, actor.clone(), &origin, &revoked))?;
                let keys = repo.list_keys()?;
                let others = keys.iter().filter(|key| key.algorithm == algorithm);
                // One that signs until the revoked one was to take over is no successor, and signs no more either.
                let is_followed = |key: &KeyRecord| {
                    matches!(key.stage, KeyStage::Published { .. }) && key.signs(now)
                };
                if !others.clone().any(is_followed) {
                    for key in others.filter(|key| key.signs(now)) {
                        repo.retire_key(key.id, now, removed_at)?;
                    }
                    repo.insert_key(&successor, now)?;
                    repo.record(key_event(
                        Act::KeyCreated,
                        actor.clone(),
                        &origin,
                        &successor,
                    ))?;
                }
                Ok(())
            })
            .await?;
        Ok(Some(KeyRecord {
            stage: KeyStage::Revoked { revoked_at: now },
            ..target
        }))
    }

    /// Makes a key that signs from a moment on, for a tenant that may not be stored yet.
    pub(super) async fn new_key(
        &self,
        tenant: TenantId,
        data_key: &DataKey,
        algorithm: KeyAlgorithm,
        signs_from: Timestamp,
    ) -> Result<KeyRecord, FlowError> {
        let (kid, public_jwk, private_jwk) = match algorithm {
            KeyAlgorithm::Signing(algorithm) => {
                let GeneratedKey { key, private_jwk } = self.generate_key(algorithm).await?;
                (key.kid().to_owned(), key.public_jwk().clone(), private_jwk)
            }
            KeyAlgorithm::Encryption(algorithm) => {
                let made = self.generate_decryption_key(algorithm).await?;
                let GeneratedDecryptionKey { key, private_jwk } = made;
                (key.kid().to_owned(), key.public_jwk().clone(), private_jwk)
            }
        };
        let id = KeyId::from(self.clock.uuid_v7());
        let sealed = data_key.seal(seal_context(tenant, id), &private_jwk, &self.clock)?;
        Ok(KeyRecord {
            id,
            kid,
            algorithm,
            stage: KeyStage::Published { signs_from },
            public_jwk,
            sealed_private_jwk: sealed,
            created_at: self.now(),
        })
    }
}

/// Whether a key signs at `now`, and nothing has taken over from it.
fn signs_already(key: &KeyRecord, algorithm: KeyAlgorithm, now: Timestamp) -> bool {
    key.algorithm == algorithm
        && matches!(key.stage, KeyStage::Published { signs_from } if signs_from <= now)
}

/// How long a retired key stays published: until everything that it signed has expired.
fn retention(settings: &TenantSettings) -> chrono::Duration {
    // A client may have its own, longer life for access tokens; a day is the most that anybody may set.
    let longest = i64::from(
        settings
            .access_token_lifetime
            .max(settings.id_token_lifetime)
            .max(86_400),
    );
    chrono::Duration::seconds(longest + SKEW)
}

pub(super) fn key_event(act: Act, actor: Actor, origin: &Origin, key: &KeyRecord) -> Event {
    Event::new(act, actor)
        .from(origin)
        .detail(serde_json::json!({ "kid": key.kid, "algorithm": key.algorithm }))
}
