//! The rows of a deleted tenant. The act is the destruction of its data key; this is the clearing up, which whoever comes next can
//! finish, on any number of nodes at once.

use std::time::Duration;

use crate::domain::ids::TenantId;
use crate::flows::provider::Provider;
use crate::storage::{Erasure, StorageError};

/// Rows per transaction: a few milliseconds of the writer's time.
const BATCH: usize = 500;

/// Between two batches others get their turn.
const PAUSE: Duration = Duration::from_millis(20);

/// Interrupted deletions looked up at once; more wait for the next time.
const TENANTS: i64 = 100;

impl Provider {
    /// Deletes all rows of a tenant whose deletion was begun.
    pub(super) async fn erase_tenant(&self, id: TenantId) -> Result<(), StorageError> {
        loop {
            let step = self
                .db
                .write_installation(move |all| all.erase_tenant(id, BATCH));
            if step.await? == Erasure::Done {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Finishes the deletions that were interrupted; how many tenants are gone now.
    pub async fn finish_deletions(&self) -> Result<usize, StorageError> {
        let begun = self
            .db
            .read_installation(|all| all.list_tenants_being_deleted(TENANTS))
            .await?;
        for id in &begun {
            self.erase_tenant(*id).await?;
        }
        Ok(begun.len())
    }
}
