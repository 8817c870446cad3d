//! The rotation of the master key: every tenant's data key is sealed anew, in one transaction with the fingerprint.

use super::error::{AdminError, By};
use crate::domain::audit::Act;
use crate::flows::provider::Provider;
use crate::jose::seal::{DataKey, MasterKey};
use crate::storage::{StorageError, TenantScope};

/// Data keys read at once.
const PAGE: i64 = 200;

/// What became of a rotation.
enum Rotated {
    Tenants(usize),
    /// The database's fingerprint isn't that of the key this process has.
    OtherKey,
}

impl Provider {
    /// Seals every data key under `new` instead of the present master key; says how many. All or nothing: where this fails, the present
    /// key is the right one still. Running nodes go on with the tenants that they hold, and take the new key where its file has taken the old
    /// one's place; those that get it from the environment have to be started again.
    pub async fn rotate_master_key(&self, new: &MasterKey, by: &By) -> Result<usize, AdminError> {
        let system = self.ensure_system_tenant().await?;
        let scope: TenantScope = *AsRef::<TenantScope>::as_ref(&*system);
        let (old, new, clock, by) = (self.master(), new.clone(), self.clock.clone(), by.clone());
        let rotated = self.db.write_installation(move |all| {
            // First, as it takes the lock that keeps new tenants out.
            if !all.replace_master_key_fingerprint(&old.fingerprint(), &new.fingerprint())? {
                return Ok(Rotated::OtherKey);
            }
            let (mut after, mut count) = (None, 0);
            loop {
                let page = all.list_data_keys(after, PAGE)?;
                let Some((last, _)) = page.last() else { break };
                after = Some(*last);
                for (tenant, sealed) in &page {
                    let unreadable = |_| StorageError::Corrupt("tenants.sealed_data_key");
                    let key =
                        DataKey::open_under(&old, tenant.uuid(), sealed).map_err(unreadable)?;
                    let sealed = key
                        .seal_under(&new, tenant.uuid(), &clock)
                        .map_err(unreadable)?;
                    all.replace_data_key(*tenant, &sealed)?;
                    count += 1;
                }
            }
            let detail = serde_json::json!({ "tenants": count, "fingerprint": new.fingerprint() });
            all.tenant(scope, |repo| {
                repo.record(by.event(Act::MasterKeyRotated).detail(detail))
            })?;
            Ok(Rotated::Tenants(count))
        });
        match rotated.await? {
            Rotated::Tenants(count) => Ok(count),
            Rotated::OtherKey => Err(AdminError::refused(
                "the master key was rotated by somebody else at the same time; nothing was changed",
            )),
        }
    }
}
