//! The end of deletions that were interrupted: a tenant whose data key is destroyed and whose rows are still there. One query finds
//! them all, and any number of nodes may go on with the same one.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::time::sleep;

use crate::flows::Provider;

/// How often a node looks.
const INTERVAL: Duration = Duration::from_mins(1);

/// Looks every minute, without end; what is under way elsewhere is helped along.
pub async fn run(provider: Arc<Provider>) {
    loop {
        // At the start too: an interruption is often the end of a process.
        match provider.finish_deletions().await {
            Ok(0) => {}
            Ok(tenants) => tracing::info!(tenants, "interrupted deletions were finished"),
            Err(error) => {
                tracing::warn!(%error, "a deletion can't be finished; another try in a minute");
            }
        }
        let [jitter] = provider.clock.random_bytes::<1>();
        sleep(INTERVAL + Duration::from_millis(u64::from(jitter) * 40)).await;
    }
}
