//! What a process keeps of what is stored, in bounds, and how it hears of what others change.

use std::collections::HashSet;
use std::hash::RandomState;
use std::sync::Arc;

use uuid::Uuid;

use super::UserState;
use crate::clock::Timestamp;
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, GrantId, TenantId, UserId};
use crate::flows::cache::{Cache, Dependent};
use crate::flows::tenancy::Tenant;
use crate::protocol::slug::Slug;
use crate::storage::{Change, Entity, GrantSummary, Notice};

/// The tokens of a tenant that were revoked one by one.
pub(super) enum RevokedTokens {
    /// These.
    These(HashSet<Uuid>),
    /// More than are kept: each has to be asked for, until this moment.
    TooMany { until: Timestamp },
}

/// How many clients are kept for each tenant that is.
const CLIENTS_PER_TENANT: usize = 3;
const USERS: usize = 50_000;
const GRANTS: usize = 100_000;
const ORIGINS: usize = 20_000;
const SLUGS: usize = 20_000;
const POLLS: usize = 20_000;

/// So many tokens that were revoked one by one are kept of a tenant.
pub(super) const REVOKED_TOKENS: u32 = 1_000;

pub(super) struct Caches {
    pub(super) tenants: Cache<TenantId, Arc<Tenant>>,
    /// Whose a slug is. It may be another's by now: what is found by it is held against it.
    pub(super) slugs: Cache<Slug, TenantId>,
    /// Tenants once more, kept when everything is to be loaded again, though not when this tenant is known to have changed: verifiers get
    /// its keys by it while the database is away.
    pub(super) last_known: Cache<TenantId, Arc<Tenant>>,
    /// The slug of each custom domain's origin; to be held against the tenant, too.
    pub(super) domains: Cache<String, Slug>,
    /// Slugs and origins that no tenant has, so that strangers can't have each miss cost a query.
    pub(super) unknown: Cache<String, (), RandomState>,
    pub(super) clients: Cache<(TenantId, ClientId), Arc<Client>>,
    pub(super) users: Cache<(TenantId, UserId), Arc<UserState>>,
    /// They hang on their people.
    pub(super) grants: Dependent<(TenantId, GrantId), GrantSummary>,
    pub(super) revoked: Cache<TenantId, Arc<RevokedTokens>>,
    /// When whoever waits for a device code or a backchannel request polled last, at this node.
    pub(super) polls: Cache<(TenantId, Uuid), Timestamp>,
    /// Whether an origin may call from a browser; that hangs on the tenant's clients.
    pub(super) origins: Dependent<(TenantId, String), bool, RandomState>,
}

impl Caches {
    /// Of so many tenants.
    pub(super) fn new(tenants: usize) -> Self {
        Self {
            tenants: Cache::new(tenants),
            slugs: Cache::new(tenants),
            last_known: Cache::new(tenants),
            domains: Cache::new(SLUGS),
            unknown: Cache::of_strangers(SLUGS),
            clients: Cache::new(tenants.saturating_mul(CLIENTS_PER_TENANT).max(1_000)),
            users: Cache::new(USERS),
            grants: Dependent::new(GRANTS),
            revoked: Cache::new(tenants),
            polls: Cache::new(POLLS),
            origins: Dependent::of_strangers(ORIGINS),
        }
    }

    pub(super) fn hear(&self, notice: &Notice<'_>) {
        match notice {
            Notice::Changes(changes) => {
                changes.iter().for_each(|change| self.hear_change(*change));
                if changes.iter().any(|change| change.entity == Entity::Tenant) {
                    // A slug or origin that was unknown may be a tenant's now.
                    self.unknown.clear();
                }
            }
            Notice::Everything => {
                // Whose a slug or a domain is stays: it is held against the tenant anyway.
                self.tenants.clear();
                self.unknown.clear();
                self.clients.clear();
                self.users.clear();
                self.grants.clear();
                self.revoked.clear();
                self.origins.clear();
            }
        }
    }

    fn hear_change(&self, change: Change) {
        let tenant = change.tenant;
        match change.entity {
            Entity::Tenant => {
                self.tenants.remove(&tenant);
                self.last_known.remove(&tenant);
            }
            Entity::Client => {
                self.clients.remove(&(tenant, ClientId::from(change.id)));
                self.origins.changed(&tenant);
            }
            Entity::User => {
                let user = (tenant, UserId::from(change.id));
                self.users.remove(&user);
                self.grants.changed(&user);
            }
            Entity::RevokedToken => self.revoked.remove(&tenant),
            Entity::LogoutDelivery => {}
            Entity::Grant => self.grants.remove(&(tenant, GrantId::from(change.id))),
        }
    }
}
