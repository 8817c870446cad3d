//! When clients are used, and the end of those that registered themselves (RFC 7591) and that nobody uses.
//!
//! A client is used when it proves who it is at an endpoint, when it gets a code or a token, and when it asks for its registration. That is noted
//! once a day for each client, in memory, and written down with others by a job: no request waits for it. What is lost when a process is killed is
//! a minute of notes, and a client that is in use is noted again the next day.
//!
//! A client is deleted and not disabled first: nobody has asked for it for as long as its tenant's administrators said, what is disabled goes on
//! counting among those that may have registered, and whoever comes back registers anew.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::admin::delete_client_row;
use super::provider::Provider;
use super::tenancy::Tenant;
use crate::clock::Timestamp;
use crate::domain::audit::{Act, Actor, Event};
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, TenantId};
use crate::storage::{StorageError, UnusedClient};

/// The most notes that wait. Beyond them uses go unnoted until these are written, which happens each minute.
const WAITING: usize = 100_000;

/// Notes in one transaction.
const BATCH: usize = 500;

/// Tenants that are looked at in one go.
const TENANTS: i64 = 100;

/// Clients that end in one go, each in a transaction of its own: what hangs on one may be much.
const CLIENTS: i64 = 100;

/// What was used, and when. In the order of ids, in which nodes don't wait for each other's rows, and in which rows were made: neighbours among
/// these are mostly neighbours in the table, so that many of them change few pages.
type Notes = BTreeMap<(TenantId, ClientId), Timestamp>;

/// The uses that a process has seen and nobody has written down.
#[derive(Default)]
pub struct ClientUses(Mutex<Notes>);

impl ClientUses {
    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What some notes came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Of so many clients a use was written down.
    pub clients: usize,
    /// Whether there were as many notes as are written at once. What comes meanwhile waits for the next time.
    pub more: bool,
}

/// How far a look for unused clients has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ended {
    /// So many clients were deleted.
    pub clients: usize,
    /// After which tenant to go on; none where all were looked at.
    pub reached: Option<TenantId>,
}

impl Provider {
    /// Notes that a client is used.
    pub(super) fn note_use(&self, tenant: &Tenant, client: &Client) {
        let now = self.now();
        if !client.last_used.is_due(now) {
            return;
        }
        let mut waiting = self.client_uses.lock();
        if waiting.len() < WAITING && client.last_used.note(now) {
            waiting.insert((tenant.id(), client.id), now);
        }
    }

    /// Writes down what was noted; says of how many clients.
    pub async fn write_client_uses(&self) -> Result<usize, StorageError> {
        let mut written = 0;
        loop {
            let some = self.write_some_client_uses().await?;
            written += some.clients;
            if !some.more {
                return Ok(written);
            }
        }
    }

    /// Writes down some of what was noted, in one transaction.
    pub async fn write_some_client_uses(&self) -> Result<Written, StorageError> {
        let batch: Vec<_> = {
            let mut waiting = self.client_uses.lock();
            std::iter::from_fn(|| waiting.pop_first())
                .take(BATCH)
                .collect()
        };
        if batch.is_empty() {
            return Ok(Written::default());
        }
        let (sent, more) = (batch.clone(), batch.len() == BATCH);
        let write = self
            .db
            .write_installation(move |all| all.note_client_uses(&sent));
        match write.await {
            Ok(clients) => Ok(Written { clients, more }),
            Err(error) => {
                let mut kept = self.client_uses.lock();
                for (client, at) in batch {
                    kept.entry(client).or_insert(at);
                }
                Err(error)
            }
        }
    }

    /// Deletes clients that registered themselves and weren't used for as long as their tenant allows: some of the tenants after `after`.
    pub async fn end_unused_clients(&self, after: Option<TenantId>) -> Result<Ended, StorageError> {
        let unused = self
            .db
            .read_installation(move |all| all.list_unused_clients(after, TENANTS, CLIENTS))
            .await?;
        let mut ended = Ended {
            clients: 0,
            reached: unused.reached,
        };
        for client in unused.clients {
            let (tenant, id) = (client.tenant.id(), client.id);
            match self.end_unused_client(client).await {
                Ok(is_gone) => ended.clients += usize::from(is_gone),
                // One with so many grants that they can't be deleted in time must not keep the others, of other tenants too, from their turn.
                Err(error) => {
                    tracing::warn!(%error, tenant = %tenant, client = %id, "a client that nobody uses can't be deleted");
                }
            }
        }
        Ok(ended)
    }

    async fn end_unused_client(&self, unused: UnusedClient) -> Result<bool, StorageError> {
        let UnusedClient {
            tenant,
            id,
            before,
            days,
        } = unused;
        let write = self.db.write(&tenant, move |repo| {
            // It may have been used since, its tenant may want it otherwise, or another node was quicker.
            if !repo.hold_unused_client(id, days, before)? {
                return Ok(false);
            }
            let Some(client) = repo.find_client(id)? else {
                return Ok(false);
            };
            let detail = json!({
                "client_name": client.metadata.client_name, "reason": "unused", "unused_client_days": days,
                "last_used_at": client.last_used.at(),
            });
            let event = Event::new(Act::ClientDeleted, Actor::System).detail(detail);
            delete_client_row(repo, id, event)
        });
        write.await
    }
}
