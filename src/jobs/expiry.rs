//! The end of rows whose life is over, and before that what is to be said of some. Any number of nodes may do this at once: each deletes what it finds, in small batches.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::time::sleep;

use crate::clock::Timestamp;
use crate::flows::Provider;
use crate::storage::StorageError;

/// How often a node looks.
const INTERVAL: Duration = Duration::from_mins(1);

/// Rows of a kind per transaction: a few milliseconds of the writer's time.
const BATCH: i64 = 500;

/// How often grants whose code nobody redeemed are looked for among all: some have to wait for the end of a session.
const DAY: chrono::Duration = chrono::Duration::days(1);

/// So many looks for them a minute, so that they take seconds of it however many grants there are.
const LOOKS: usize = 50;

/// Between two batches others get their turn.
const PAUSE: Duration = Duration::from_millis(50);

/// Sweeps every minute, without end.
pub async fn run(provider: Arc<Provider>) {
    let (mut begun, mut looked_at) = (None, None);
    loop {
        // Nodes that were started together shall not sweep together.
        let [jitter] = provider.clock.random_bytes::<1>();
        sleep(INTERVAL + Duration::from_millis(u64::from(jitter) * 40)).await;
        if let Err(error) = provider.expire_backchannel_requests().await {
            tracing::warn!(%error, "requests that nobody answered can't be written down; another try in a minute");
        }
        let now = provider.clock.now();
        if begun.is_none_or(|begun| now >= begun + DAY) {
            (begun, looked_at) = (Some(now), None);
        }
        match round(&provider, &mut looked_at).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "expired rows were deleted"),
            Err(error) => {
                tracing::warn!(%error, "expired rows can't be deleted; another try in a minute");
            }
        }
    }
}

/// Deletes all that has expired, and of the grants whose code nobody redeemed those among the next ones; says how many rows.
async fn round(
    provider: &Provider,
    looked_at: &mut Option<Timestamp>,
) -> Result<usize, StorageError> {
    let mut total = 0;
    loop {
        let expired = provider
            .db
            .write_installation(|all| all.delete_ended_rows(BATCH))
            .await?;
        total += expired.total();
        if !expired.more {
            break;
        }
        sleep(PAUSE).await;
    }
    for _ in 0..LOOKS {
        let from = *looked_at;
        let looked = provider
            .db
            .write_installation(move |all| all.delete_unredeemed(BATCH, from))
            .await?;
        *looked_at = looked.reached;
        total += looked.deleted;
        if !looked.more {
            break;
        }
        sleep(PAUSE).await;
    }
    Ok(total)
}
