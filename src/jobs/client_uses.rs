//! Writes down when clients were used, and ends those that registered themselves and that nobody uses. Any number of nodes may do this at
//! once: each writes what it saw itself, and a client that two of them find unused is deleted by one.
//!
//! Each minute some of the tenants that end such clients are looked at, and the next the following ones: however many there are, a round costs
//! the same, and where no tenant asks for it, one look at an index without entries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;

use crate::domain::ids::TenantId;
use crate::flows::Provider;
use crate::storage::StorageError;

/// How often a node writes and looks.
const INTERVAL: Duration = Duration::from_mins(1);

/// After some were written, so many times as long as that took nothing is: with many tenants the first minute of a day, or of a node, has many
/// to write, and requests want the database meanwhile.
const REST: u32 = 4;

/// Writes and looks every minute, without end.
pub async fn run(provider: Arc<Provider>) {
    // Somewhere among the tenants, so that those at the end get their turn where processes don't live long.
    let mut after = Some(TenantId::from(uuid::Uuid::from_bytes(
        provider.clock.random_bytes(),
    )));
    loop {
        let [jitter] = provider.clock.random_bytes::<1>();
        sleep(INTERVAL + Duration::from_millis(u64::from(jitter) * 40)).await;
        match round(&provider, after).await {
            Ok(next) => after = next,
            Err(error) => {
                tracing::warn!(%error, "uses of clients can't be written down; another try in a minute");
            }
        }
    }
}

/// Writes what was noted and looks at some tenants; says after which of them to go on.
async fn round(
    provider: &Provider,
    after: Option<TenantId>,
) -> Result<Option<TenantId>, StorageError> {
    // First what this node knows, as it decides who is unused.
    loop {
        let begun = Instant::now();
        if !provider.write_some_client_uses().await?.more {
            break;
        }
        sleep(begun.elapsed() * REST).await;
    }
    let ended = provider.end_unused_clients(after).await?;
    if ended.clients > 0 {
        tracing::info!(
            clients = ended.clients,
            "clients that nobody used were deleted"
        );
    }
    Ok(ended.reached)
}

/// Writes what was noted and looks at every tenant; says how many clients are gone. For tests, which own the clock.
pub async fn sweep(provider: &Provider) -> Result<usize, StorageError> {
    provider.write_client_uses().await?;
    let (mut total, mut after) = (0, None);
    loop {
        let ended = provider.end_unused_clients(after).await?;
        total += ended.clients;
        after = ended.reached;
        if after.is_none() {
            return Ok(total);
        }
    }
}
