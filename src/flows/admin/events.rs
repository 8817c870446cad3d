//! What happened in a tenant: its audit events with the names of those whom they concern, and how it is doing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use uuid::Uuid;

use super::authority::Principal;
use super::error::AdminError;
use crate::domain::audit::{Act, RecordedEvent};
use crate::domain::ids::{ClientId, EventId, UserId};
use crate::domain::key::KeyRecord;
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;
use crate::storage::{self, Counted, EventFilter, PageRequest, Repo};

/// Events, and what the people and clients in them are called. Who was deleted has no name.
#[derive(Clone, Debug, Default)]
pub struct EventList {
    /// The events, the newest first.
    pub events: Vec<RecordedEvent>,
    /// Where the next page begins.
    pub next: Option<Uuid>,
    /// Addresses of people.
    pub people: BTreeMap<UserId, String>,
    /// Names of clients.
    pub clients: BTreeMap<ClientId, String>,
    /// What operators are called, for whoever may know it: see [`Provider::name_operators`].
    pub operators: BTreeMap<Uuid, String>,
}

/// How a tenant is doing.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// People.
    pub users: Counted,
    /// Clients, the console's own included.
    pub clients: Counted,
    /// Sign-ins of the last day and of the last seven.
    pub sign_ins: (Counted, Counted),
    /// Those that failed.
    pub failures: (Counted, Counted),
    /// The signing keys.
    pub keys: Vec<KeyRecord>,
    /// Whether somebody is administrator here whose account is open.
    pub has_administrator: bool,
}

/// Who acted, where that is a person or a client of the tenant.
pub fn actor_of(event: &RecordedEvent) -> (Option<UserId>, Option<ClientId>) {
    let id = event.actor.get("id").and_then(serde_json::Value::as_str);
    match event.actor.get("kind").and_then(serde_json::Value::as_str) {
        Some("user") => (id.and_then(|id| id.parse().ok()), None),
        Some("client") => (None, id.and_then(|id| id.parse().ok())),
        _ => (None, None),
    }
}

/// Which operator acted, by the identifier that they have in the tenant `system`.
pub fn operator_of(event: &RecordedEvent) -> Option<Uuid> {
    let said = |name: &str| event.actor.get(name).and_then(serde_json::Value::as_str);
    let id = said("id").filter(|_| said("kind") == Some("operator"))?;
    Uuid::try_parse(id).ok()
}

fn with_names(repo: &mut Repo<'_>, mut list: EventList) -> storage::Result<EventList> {
    for event in &list.events {
        let (person, client) = actor_of(event);
        for id in [event.user_id, person].into_iter().flatten() {
            if let std::collections::btree_map::Entry::Vacant(place) = list.people.entry(id)
                && let Some(user) = repo.find_user(id)?
            {
                place.insert(user.email.as_str().to_owned());
            }
        }
        for id in [event.client_id, client].into_iter().flatten() {
            if let std::collections::btree_map::Entry::Vacant(place) = list.clients.entry(id)
                && let Some(client) = repo.find_client(id)?
            {
                place.insert(client.name());
            }
        }
    }
    Ok(list)
}

impl Provider {
    /// Lists events, the newest first.
    pub async fn list_events(
        &self,
        tenant: &Tenant,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<EventList, AdminError> {
        let read = self.db.read(tenant, move |repo| {
            let found = repo.list_events(&filter, page)?;
            let list = EventList {
                events: found.items,
                next: found.next,
                ..EventList::default()
            };
            with_names(repo, list)
        });
        Ok(read.await?)
    }

    /// One event, as a list of one.
    pub async fn load_event(&self, tenant: &Tenant, id: EventId) -> Result<EventList, AdminError> {
        let read = self.db.read(tenant, move |repo| {
            let list = EventList {
                events: repo.find_event(id)?.into_iter().collect(),
                ..EventList::default()
            };
            with_names(repo, list)
        });
        let found = read.await?;
        if found.events.is_empty() {
            return Err(AdminError::NotFound {
                kind: "event",
                name: id.to_string(),
                list: None,
            });
        }
        Ok(found)
    }

    /// Adds what the operators in a list of this tenant's events are called, where the reader may know it: they are people and programs of the
    /// tenant `system`, so whoever is neither an operator nor reads that tenant's own events goes without.
    pub async fn name_operators(
        &self,
        tenant: &Tenant,
        list: EventList,
        reader: &Principal,
    ) -> Result<EventList, AdminError> {
        let wanted: BTreeSet<_> = list.events.iter().filter_map(operator_of).collect();
        if wanted.is_empty() || !(reader.is_operator() || tenant.record.is_system()) {
            return Ok(list);
        }
        let system = self.system_tenant().await?;
        let read = self.db.read(&*system, move |repo| {
            let mut operators = BTreeMap::new();
            for id in &wanted {
                let name = match repo.find_user(UserId::from(*id))? {
                    Some(user) => Some(user.email.as_str().to_owned()),
                    None => repo
                        .find_client(ClientId::from(*id))?
                        .map(|client| client.name()),
                };
                operators.extend(name.map(|name| (*id, name)));
            }
            Ok(operators)
        });
        Ok(EventList {
            operators: read.await?,
            ..list
        })
    }

    /// How the tenant is doing.
    pub async fn overview(&self, tenant: &Tenant) -> Result<Overview, AdminError> {
        let (day, week) = (
            self.now() - Duration::days(1),
            self.now() - Duration::days(7),
        );
        let read = self.db.read(tenant, move |repo| {
            let mut both = |act| {
                Ok::<_, storage::StorageError>((
                    repo.count_some_events(act, day)?,
                    repo.count_some_events(act, week)?,
                ))
            };
            let (sign_ins, failures) = (both(Act::SignInSucceeded)?, both(Act::SignInFailed)?);
            Ok(Overview {
                users: repo.count_some_users()?,
                clients: repo.count_some_clients()?,
                sign_ins,
                failures,
                keys: repo.list_keys()?,
                has_administrator: repo.has_administrator()?,
            })
        });
        Ok(read.await?)
    }
}
