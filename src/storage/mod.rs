//! The only code that speaks to a database, and the only place that knows which one runs.
//!
//! The way in is [`Db::read`] and [`Db::write`] with a tenant's [`TenantScope`], which hands out a [`Repo`] that sees this tenant's rows
//! only; work across tenants goes through [`Db::read_installation`] and [`Db::write_installation`]. Reads run in a bounded pool of
//! threads. On SQLite all writes go to one thread that commits in groups; on PostgreSQL each write is a transaction that is run
//! again after a serialization failure. A write's closure holds SQL only and owns its input, as it may run more than once.

mod assertion_grants;
mod audit;
mod backchannel_requests;
mod bulk;
mod changes;
mod client_uses;
mod clients;
mod connection;
mod consents;
mod db;
mod deletion;
mod device_codes;
mod device_secrets;
mod domains;
mod error;
mod expiry;
mod external_subjects;
mod feed;
mod grants;
mod health;
mod held;
mod idempotency;
mod initial_access_tokens;
mod installation;
mod keys;
mod links;
mod logout_deliveries;
mod migrations;
mod overview;
mod postgres;
mod progress;
mod pushed_requests;
mod repo;
mod request_codes;
mod resources;
mod schema;
mod scope;
mod search;
mod sessions;
mod single_use;
mod spending;
mod sqlite;
mod tenants;
mod throttle;
mod types;
mod users;

pub use assertion_grants::WordOf;
pub use audit::EventFilter;
pub use backchannel_requests::OverdueRequest;
pub use bulk::{KnownPeople, KnownStage, KnownTenant, WholeTenant};
pub use changes::{Change, Entity, Notice};
pub use client_uses::{Unused, UnusedClient};
pub use db::{DatabaseKind, Db, DbOptions, Location, PoolGauges};
pub use deletion::Erasure;
pub use domains::DOMAINS_MAX;
pub use error::{Result, StorageError};
pub use expiry::{Expired, LookedAt};
pub use feed::Feed;
pub use grants::{DetailedClient, DetailedGrant, GrantSummary};
pub use health::DatabaseHealth;
pub use held::{HeldGrant, HeldSession};
pub use idempotency::{Once, UsedKey};
pub use installation::Installation;
pub use logout_deliveries::{ClaimedDelivery, FrontChannelClient};
pub use migrations::{MigrationState, SchemaError, migrate, migration_state};
pub use overview::{COUNTED, Counted};
pub use repo::{Page, PageRequest, Repo};
pub use resources::{DEPENDENTS_MAX, DependentClient, RESOURCES_MAX, Tie};
pub use schema::TENANT_TABLES;
pub use scope::TenantScope;
pub use sessions::SessionGrants;
pub use tenants::{LoadedTenant, NewTenant};
