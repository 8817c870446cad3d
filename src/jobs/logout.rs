//! Delivers logout tokens (OpenID Connect Back-Channel Logout). Any number of nodes may do this at once: each delivery is taken by one of them
//! for a while. The node that writes one wakes its own job, so that a notice usually goes out within a second; what it leaves behind when it
//! ends is found by the others when the while is over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::time::sleep;
use tokio::task::{JoinError, JoinSet};

use crate::domain::ids::TenantId;
use crate::flows::Provider;
use crate::flows::provider::FlowError;

/// Deliveries that run at once on a node: half of the outward requests that may.
const RUNNING: usize = 32;

/// How long nobody looks who isn't woken.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// What is due and can't be taken yet, as its tenant has enough under way, isn't asked for more often.
const SHORTEST_SLEEP: Duration = Duration::from_millis(250);

/// Delivers without end; what is under way when it is dropped is taken up again when its lease runs out.
pub async fn run(provider: Arc<Provider>) {
    let mut deliverer = Deliverer::new(provider);
    loop {
        let pause = match deliverer.take_up().await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(%error, "logout tokens can't be delivered; another try in seconds");
                LONGEST_SLEEP / 2
            }
        };
        let provider = Arc::clone(&deliverer.provider);
        tokio::select! {
            () = deliverer.one_ended(), if deliverer.is_busy() => {}
            () = provider.deliveries.woken() => {}
            () = sleep(pause) => {}
        }
    }
}

/// Delivers all that is due now, whatever comes of it: for tests, which own the clock.
pub async fn deliver_due(provider: &Arc<Provider>) -> Result<(), FlowError> {
    let mut deliverer = Deliverer::new(Arc::clone(provider));
    loop {
        deliverer.take_up().await?;
        if !deliverer.is_busy() {
            return Ok(());
        }
        deliverer.one_ended().await;
    }
}

/// What is under way on this node.
struct Deliverer {
    provider: Arc<Provider>,
    running: JoinSet<TenantId>,
    /// Of each tenant that has any.
    by_tenant: HashMap<TenantId, usize>,
    /// How many of one tenant may: the rest of its outward requests is for its clients' keys.
    per_tenant: usize,
}

impl Deliverer {
    fn new(provider: Arc<Provider>) -> Self {
        let per_tenant = (provider.config.egress_concurrency.get() / 2).clamp(1, RUNNING / 2);
        Self {
            provider,
            running: JoinSet::new(),
            by_tenant: HashMap::new(),
            per_tenant,
        }
    }

    fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    /// Begins what is due and has room; says when to look again.
    async fn take_up(&mut self) -> Result<Duration, FlowError> {
        while let Some(ended) = self.running.try_join_next() {
            self.note_end(ended);
        }
        let now = self.provider.now();
        let free = RUNNING.saturating_sub(self.running.len());
        // A read first: the writer has better to do than to learn that nothing is there.
        let next = self.provider.next_logout_delivery().await?;
        if next.is_some_and(|next| next <= now) && free > 0 {
            let room = self.by_tenant.iter();
            let room = room.map(|(id, count)| (*id, self.per_tenant.saturating_sub(*count)));
            let claimed = self
                .provider
                .claim_logout_deliveries(free, self.per_tenant, room.collect())
                .await?;
            for one in claimed {
                let (tenant, provider) = (one.tenant.id(), Arc::clone(&self.provider));
                *self.by_tenant.entry(tenant).or_default() += 1;
                self.running.spawn_local(async move {
                    if let Err(error) = provider.attempt_logout_delivery(one).await {
                        tracing::warn!(%error, "what came of a logout token can't be written down");
                    }
                    tenant
                });
            }
        }
        let until = next.map_or(LONGEST_SLEEP, |next| {
            (next - now).to_std().unwrap_or(Duration::ZERO)
        });
        Ok(until.clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
    }

    async fn one_ended(&mut self) {
        if let Some(ended) = self.running.join_next().await {
            self.note_end(ended);
        }
    }

    /// A delivery that panicked leaves its tenant's count until nothing is under way.
    fn note_end(&mut self, ended: Result<TenantId, JoinError>) {
        let tenant = ended.inspect_err(|error| tracing::error!(%error, "a delivery panicked"));
        if let Ok(tenant) = tenant
            && let Some(count) = self.by_tenant.get_mut(&tenant)
        {
            *count -= 1;
            if *count == 0 {
                self.by_tenant.remove(&tenant);
            }
        }
        if self.running.is_empty() {
            self.by_tenant.clear();
        }
    }
}
