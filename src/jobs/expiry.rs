//! The end of rows whose life is over, and before that what is to be said of some. Any number of nodes may do this at once: each deletes what it finds, in small batches.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::time::sleep;

use crate::clock::Timestamp;
use crate::domain::ids::TenantId;
use crate::flows::Provider;
use crate::storage::{Installation, LookedAt, StorageError};

/// How often a node looks.
const INTERVAL: Duration = Duration::from_mins(1);

/// Rows of a kind per transaction: a few milliseconds of the writer's time.
const BATCH: i64 = 500;

/// How often grants whose code nobody redeemed, and audit events that their tenants don't keep, are looked for among all: of the former some
/// have to wait for the end of a session, and the latter are counted in days.
const DAY: chrono::Duration = chrono::Duration::days(1);

/// So many looks for each of them a minute, so that they take seconds of it however many there are.
const LOOKS: usize = 50;

/// Between two batches others get their turn.
const PAUSE: Duration = Duration::from_millis(50);

/// How far the looks among all have come.
#[derive(Default)]
struct Looks {
    /// When they began anew.
    begun: Option<Timestamp>,
    /// The end of the code up to which grants were looked at.
    codes: Option<Timestamp>,
    /// The tenant up to which audit events were looked at.
    events: Option<TenantId>,
}

/// Sweeps every minute, without end.
pub async fn run(provider: Arc<Provider>) {
    let mut looks = Looks::default();
    loop {
        // Nodes that were started together shall not sweep together.
        let [jitter] = provider.clock.random_bytes::<1>();
        sleep(INTERVAL + Duration::from_millis(u64::from(jitter) * 40)).await;
        if let Err(error) = provider.expire_backchannel_requests().await {
            tracing::warn!(%error, "requests that nobody answered can't be written down; another try in a minute");
        }
        let now = provider.clock.now();
        if looks.begun.is_none_or(|begun| now >= begun + DAY) {
            looks = Looks {
                begun: Some(now),
                ..Looks::default()
            };
        }
        match round(&provider, &mut looks).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "expired rows were deleted"),
            Err(error) => {
                tracing::warn!(%error, "expired rows can't be deleted; another try in a minute");
            }
        }
    }
}

/// Deletes all that has expired, and of the grants whose code nobody redeemed and of the events those among the next ones; says how many rows.
async fn round(provider: &Provider, looks: &mut Looks) -> Result<usize, StorageError> {
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
    total += look(provider, &mut looks.codes, |all, batch, from| {
        all.delete_unredeemed(batch, from)
    })
    .await?;
    total += look(provider, &mut looks.events, |all, batch, from| {
        all.delete_old_events(batch, from)
    })
    .await?;
    Ok(total)
}

/// Deletes so many rows at the most among those after a place.
type Delete<Place> =
    fn(&mut Installation<'_>, i64, Option<Place>) -> Result<LookedAt<Place>, StorageError>;

/// Looks at some more after `reached`, and says how many rows went.
async fn look<Place: Copy + Send + 'static>(
    provider: &Provider,
    reached: &mut Option<Place>,
    delete: Delete<Place>,
) -> Result<usize, StorageError> {
    let mut total = 0;
    for _ in 0..LOOKS {
        let from = *reached;
        let looked = provider
            .db
            .write_installation(move |all| delete(all, BATCH, from))
            .await?;
        *reached = looked.reached;
        total += looked.deleted;
        if !looked.more {
            break;
        }
        sleep(PAUSE).await;
    }
    Ok(total)
}
