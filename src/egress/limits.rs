//! How many outward requests a tenant may have under way, and how many may wait behind those.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// Requests that may wait for each that may run.
const WAITING_PER_RUNNING: usize = 4;

/// Counts by tenant. A tenant without requests takes no room, and the sum over all tenants is bounded.
#[derive(Clone)]
pub(super) struct TenantLimits {
    slots: Arc<Mutex<HashMap<Uuid, Slot>>>,
    per_tenant: usize,
    total: usize,
}

struct Slot {
    running: Arc<Semaphore>,
    present: usize,
}

/// A request's place in the line; it leaves when dropped.
pub(super) struct Place {
    limits: TenantLimits,
    tenant: Uuid,
    running: Arc<Semaphore>,
}

impl TenantLimits {
    pub(super) fn new(per_tenant: usize, total: usize) -> Self {
        Self {
            slots: Arc::default(),
            per_tenant,
            total,
        }
    }

    /// Takes a place in the tenant's line; `None` when the line is full.
    pub(super) fn enter(&self, tenant: Uuid) -> Option<Place> {
        let mut slots = self.lock();
        if slots.values().map(|slot| slot.present).sum::<usize>() >= self.total {
            return None;
        }
        let slot = slots.entry(tenant).or_insert_with(|| Slot {
            running: Arc::new(Semaphore::new(self.per_tenant)),
            present: 0,
        });
        if slot.present >= self.per_tenant * (1 + WAITING_PER_RUNNING) {
            return None;
        }
        slot.present += 1;
        Some(Place {
            limits: self.clone(),
            tenant,
            running: Arc::clone(&slot.running),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits for the turn.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.running).acquire_owned().await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut slots = self.limits.lock();
        if let Some(slot) = slots.get_mut(&self.tenant) {
            slot.present -= 1;
            if slot.present == 0 {
                slots.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_by_tenant_and_in_sum() {
        let limits = TenantLimits::new(2, 12);
        let (acme, globex) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let places: Vec<_> = (0..10).map_while(|_| limits.enter(acme)).collect();
        assert_eq!(places.len(), 10);
        assert!(limits.enter(acme).is_none());
        let others: Vec<_> = (0..10).map_while(|_| limits.enter(globex)).collect();
        assert_eq!(others.len(), 2);
        drop(others);
        drop(places);
        assert!(limits.lock().is_empty());
    }
}
