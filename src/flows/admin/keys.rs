//! Signing keys as administrators see and change them; their life itself is in `flows::keys`.

use std::sync::Arc;

use super::authority::{Area, Permission};
use super::error::{AdminError, By};
use crate::domain::key::{KeyAlgorithm, KeyRecord, KeyStage};
use crate::flows::keys::{FirstKey, OnlyIf, RotationStart};
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;
use crate::storage::{Page, PageRequest};

/// How many keys of a tenant may be published when another one is asked for: verifiers set limits to the sets that they read.
const PUBLISHED_MAX: usize = 20;

fn no_key(kid: &str) -> AdminError {
    AdminError::NotFound {
        kind: "key",
        name: kid.to_owned(),
        list: Some("tessera key list"),
    }
}

impl Provider {
    /// Lists the tenant's signing keys, the youngest first, withdrawn ones too.
    pub async fn list_signing_keys(
        &self,
        tenant: &Tenant,
        page: PageRequest,
    ) -> Result<Page<KeyRecord>, AdminError> {
        Ok(self
            .db
            .read(tenant, move |repo| repo.list_key_page(page))
            .await?)
    }

    /// The key of this name.
    pub async fn load_signing_key(
        &self,
        tenant: &Tenant,
        kid: &str,
    ) -> Result<KeyRecord, AdminError> {
        let wanted = kid.to_owned();
        let found = self
            .db
            .read(tenant, move |repo| repo.find_key(&wanted))
            .await?;
        found.ok_or_else(|| no_key(kid))
    }

    /// Gives a key a successor for its algorithm. Refuses with [`AdminError::Stale`] where it has one already, so that a repeated
    /// request makes no second one.
    pub async fn rotate_signing_key(
        &self,
        tenant: &Arc<Tenant>,
        kid: &str,
        start: RotationStart,
        by: &By,
    ) -> Result<KeyRecord, AdminError> {
        by.check(Permission::Write(Area::Keys))?;
        let key = self.load_signing_key(tenant, kid).await?;
        if !matches!(key.stage, KeyStage::Published { .. }) {
            return Err(AdminError::Stale("signing key"));
        }
        self.check_room_for_key(tenant).await?;
        let made = self
            .rotate_key(
                tenant,
                key.algorithm,
                start,
                by.actor.clone(),
                by.origin.clone(),
                Some(OnlyIf::Youngest(key.id)),
            )
            .await?;
        made.ok_or(AdminError::Stale("signing key"))
    }

    /// Gives each algorithm's key a successor, or that of one algorithm; where it has none yet, it gets its first. Returns what was made.
    pub async fn rotate_signing_keys(
        &self,
        tenant: &Arc<Tenant>,
        algorithm: Option<KeyAlgorithm>,
        start: RotationStart,
        by: &By,
    ) -> Result<Vec<KeyRecord>, AdminError> {
        by.check(Permission::Write(Area::Keys))?;
        let now = self.now();
        let algorithms = match algorithm {
            Some(algorithm) => vec![algorithm],
            None => KeyAlgorithm::all()
                .filter(|algorithm| tenant.keys.has(*algorithm, now))
                .collect(),
        };
        if algorithms.iter().any(|own| own.is_encryption())
            && !tenant.settings().request_object_encryption
        {
            return Err(AdminError::refused(
                "this tenant publishes no key to encrypt to; switch its setting request_object_encryption on first",
            ));
        }
        let mut made_keys = Vec::new();
        for algorithm in algorithms {
            // A successor needs somebody who signs until it does; one that somebody else made a moment ago is such a key.
            if !tenant.keys.has(algorithm, now)
                && let FirstKey::Made(first) = self.ensure_record(tenant, algorithm, by).await?
            {
                made_keys.push(first);
                continue;
            }
            self.check_room_for_key(tenant).await?;
            let made = self
                .rotate_key(
                    tenant,
                    algorithm,
                    start,
                    by.actor.clone(),
                    by.origin.clone(),
                    None,
                )
                .await?;
            made_keys.extend(made);
        }
        Ok(made_keys)
    }

    async fn check_room_for_key(&self, tenant: &Tenant) -> Result<(), AdminError> {
        let now = self.now();
        let keys = self.db.read(tenant, |repo| repo.list_keys()).await?;
        let published = keys.iter().filter(|key| key.is_published(now)).count();
        if published < PUBLISHED_MAX {
            return Ok(());
        }
        Err(AdminError::refused(format!(
            "{published} keys are published, and more than {PUBLISHED_MAX} are too many for some verifiers; wait until the oldest \
             has left the set, or revoke one"
        )))
    }

    /// Withdraws a key at once: nothing that it signed is accepted any more. Another one signs in its place. One that is withdrawn
    /// already stays so.
    pub async fn revoke_signing_key(
        &self,
        tenant: &Arc<Tenant>,
        kid: &str,
        by: &By,
    ) -> Result<KeyRecord, AdminError> {
        by.check(Permission::Write(Area::Keys))?;
        let revoked = self
            .revoke_key(tenant, kid, by.actor.clone(), by.origin.clone())
            .await?;
        revoked.ok_or_else(|| no_key(kid))
    }
}
