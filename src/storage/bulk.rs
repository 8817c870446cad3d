//! Many rows in one statement: whole tenants, and many people of one tenant.
//!
//! What an import makes is new: no cache of any node can hold it but as "there is no such tenant". So a group of new tenants leaves one
//! note in the change feed, at which every node forgets which slugs it took for unknown, and new people leave none.

use std::collections::HashSet;

use diesel::prelude::*;
use uuid::Uuid;

use super::audit::NewEventRow;
use super::changes::Entity;
use super::clients::{NewClientRow, NewOriginRow};
use super::connection::{AnyConnection, on_backend};
use super::consents::NewConsentRow;
use super::domains::NewDomainRow;
use super::error::Result;
use super::external_subjects::NewSubjectRow;
use super::installation::Installation;
use super::keys::NewKeyRow;
use super::repo::Repo;
use super::resources::NewResourceRow;
use super::schema::{
    audit_events, client_origins, clients, consents, domains, external_subjects, resources,
    role_assignments, scoped, signing_keys, tenants, users,
};
use super::scope::TenantScope;
use super::tenants::NewTenantRow;
use super::types::{DbInstant, DbUuid};
use super::users::{NewRoleRow, NewUserRow};
use crate::domain::address::Domain;
use crate::domain::audit::Event;
use crate::domain::client::Client;
use crate::domain::consent::Consent;
use crate::domain::external_subject::ExternalSubject;
use crate::domain::ids::TenantId;
use crate::domain::key::KeyRecord;
use crate::domain::resource::Resource;
use crate::domain::tenant::{TenantRecord, TenantStatus};
use crate::domain::user::User;

/// Rows of one statement: the widest row has 16 values, and SQLite takes 32,766 of them, PostgreSQL 65,535.
const ROWS: usize = 1_000;

/// Names or identifiers that are looked for at once.
const NAMES: usize = 1_000;

/// A tenant with everything that it begins with.
#[derive(Clone, Debug)]
pub struct WholeTenant {
    /// Its record.
    pub record: TenantRecord,
    /// Its data key, sealed under the master key.
    pub sealed_data_key: Vec<u8>,
    /// Its signing keys.
    pub keys: Vec<KeyRecord>,
    /// Its domains, none of them verified: who owns an origin is decided one by one.
    pub domains: Vec<Domain>,
    /// Its resources.
    pub resources: Vec<Resource>,
    /// Its people, their roles among what they are.
    pub users: Vec<User>,
    /// Its clients.
    pub clients: Vec<Client>,
    /// What its people have allowed its clients.
    pub consents: Vec<Consent>,
    /// What issuers of assertions call its people.
    pub external_subjects: Vec<ExternalSubject>,
    /// What is written down about it.
    pub events: Vec<Event>,
}

/// A tenant that is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownTenant {
    /// Its identifier.
    pub id: TenantId,
    /// Its slug.
    pub slug: String,
    /// Where it stands.
    pub stage: KnownStage,
}

/// Where a tenant that is there already stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownStage {
    /// It is in use, or suspended.
    Whole,
    /// An import of it is under way, or was interrupted.
    BeingImported,
    /// It is being deleted.
    BeingDeleted,
}

/// Inserts all rows of a table, as many a statement as fit.
macro_rules! insert_all {
    ($connection:expr, $table:ident, $rows:expr) => {{
        let rows = $rows;
        for rows in rows.chunks(ROWS) {
            on_backend!(&mut *$connection, inner => diesel::insert_into($table::table).values(rows).execute(inner))?;
        }
    }};
}

/// The rows of people and of what they administer.
fn insert_people<'a>(
    connection: &mut AnyConnection,
    people: impl Iterator<Item = (TenantId, &'a User)> + Clone,
) -> Result<()> {
    let rows = people.clone().map(|(id, user)| NewUserRow::new(id, user));
    insert_all!(connection, users, rows.collect::<Result<Vec<_>>>()?);
    let roles = people.flat_map(|(id, user)| NewRoleRow::of(id, user));
    insert_all!(connection, role_assignments, roles.collect::<Vec<_>>());
    Ok(())
}

impl Installation<'_> {
    /// Makes tenants with everything in them. Every row carries the identifier of a tenant that is made here, in this transaction: a
    /// conflict where a slug or an identifier is another's, and nothing of another tenant can be touched.
    pub fn insert_whole_tenants(&mut self, all: &[&WholeTenant]) -> Result<()> {
        let now = DbInstant(self.clock.now());
        let connection = &mut *self.connection;
        let rows = all
            .iter()
            .map(|whole| NewTenantRow::new(&whole.record, &whole.sealed_data_key, now));
        insert_all!(connection, tenants, rows.collect::<Result<Vec<_>>>()?);
        /// Something of all tenants, each with its tenant's identifier.
        macro_rules! each {
            ($field:ident) => {
                all.iter()
                    .flat_map(|whole| whole.$field.iter().map(move |item| (whole.record.id, item)))
            };
        }
        let rows = each!(keys).map(|(id, key)| NewKeyRow::new(id, key));
        insert_all!(connection, signing_keys, rows.collect::<Vec<_>>());
        let rows = each!(domains).map(|(id, domain)| NewDomainRow::new(id, domain));
        insert_all!(connection, domains, rows.collect::<Vec<_>>());
        let rows = each!(resources).map(|(id, resource)| NewResourceRow::new(id, resource));
        insert_all!(connection, resources, rows.collect::<Result<Vec<_>>>()?);
        insert_people(connection, each!(users))?;
        let rows = each!(clients).map(|(id, client)| NewClientRow::new(id, client));
        insert_all!(connection, clients, rows.collect::<Result<Vec<_>>>()?);
        let rows = each!(clients).flat_map(|(id, client)| NewOriginRow::of(id, client));
        insert_all!(connection, client_origins, rows.collect::<Vec<_>>());
        let rows = each!(consents).map(|(id, consent)| NewConsentRow::new(id, consent));
        insert_all!(connection, consents, rows.collect::<Result<Vec<_>>>()?);
        let rows = each!(external_subjects).map(|(id, name)| NewSubjectRow::new(id, name));
        insert_all!(connection, external_subjects, rows.collect::<Vec<_>>());
        let clock = self.clock;
        let rows = each!(events).map(|(id, event)| NewEventRow::new(id, event.clone(), clock));
        insert_all!(connection, audit_events, rows.collect::<Result<Vec<_>>>()?);
        match all.first() {
            Some(first) => self.note(first.record.id, Entity::Tenant, first.record.id),
            None => Ok(()),
        }
    }

    /// Those of these tenants that are there already, by slug or by identifier.
    pub fn find_known_tenants(
        &mut self,
        slugs: &[&str],
        ids: &[TenantId],
    ) -> Result<Vec<KnownTenant>> {
        type Row = (DbUuid, String, String, Option<Vec<u8>>);
        let columns = (
            tenants::id,
            tenants::slug,
            tenants::status,
            tenants::sealed_data_key,
        );
        let mut rows = Vec::<Row>::new();
        for slugs in slugs.chunks(NAMES) {
            let slugs = slugs.iter().map(|slug| (*slug).to_owned());
            let query = tenants::table.filter(tenants::slug.eq_any(slugs.collect::<Vec<_>>()));
            rows.extend(query.select(columns).load::<Row>(self.connection)?);
        }
        for ids in ids.chunks(NAMES) {
            let ids = ids.iter().map(|id| DbUuid::from(*id));
            let query = tenants::table.filter(tenants::id.eq_any(ids.collect::<Vec<_>>()));
            rows.extend(query.select(columns).load::<Row>(self.connection)?);
        }
        let known = rows.into_iter().map(|(id, slug, status, key)| KnownTenant {
            id: TenantId::from(id.0),
            slug,
            stage: match key {
                _ if status != TenantStatus::Deleting.as_str() => KnownStage::Whole,
                Some(_) => KnownStage::BeingImported,
                None => KnownStage::BeingDeleted,
            },
        });
        Ok(known.collect())
    }

    /// Says that the import of a tenant goes on; `None` where somebody has begun to delete it, so that it mustn't.
    pub fn continue_import(&mut self, id: TenantId) -> Result<Option<TenantScope>> {
        let changed = diesel::update(
            tenants::table
                .filter(tenants::id.eq(DbUuid::from(id)))
                .filter(tenants::status.eq(TenantStatus::Deleting.as_str()))
                .filter(tenants::sealed_data_key.is_not_null()),
        )
        .set(tenants::updated_at.eq(DbInstant(self.clock.now())))
        .execute(self.connection)?;
        Ok((changed == 1).then(|| TenantScope::of_stored(id)))
    }

    /// Opens a tenant whose import is complete; `false` where somebody has begun to delete it.
    pub fn finish_import(&mut self, tenant: &TenantRecord) -> Result<bool> {
        let changed = diesel::update(
            tenants::table
                .filter(tenants::id.eq(DbUuid::from(tenant.id)))
                .filter(tenants::status.eq(TenantStatus::Deleting.as_str()))
                .filter(tenants::sealed_data_key.is_not_null()),
        )
        .set((
            tenants::status.eq(tenant.status.as_str()),
            tenants::updated_at.eq(DbInstant(tenant.updated_at)),
        ))
        .execute(self.connection)?;
        if changed == 1 {
            self.note(tenant.id, Entity::Tenant, tenant.id)?;
        }
        Ok(changed == 1)
    }
}

/// Which of some people are there already.
#[derive(Clone, Debug, Default)]
pub struct KnownPeople {
    /// The keys of their addresses.
    pub email_keys: HashSet<String>,
    /// Their identifiers.
    pub ids: HashSet<Uuid>,
}

impl KnownPeople {
    /// Whether this one's address or identifier is taken.
    pub fn holds(&self, user: &User) -> bool {
        self.email_keys.contains(user.email.key()) || self.ids.contains(&user.id.uuid())
    }
}

impl Repo<'_> {
    /// Which of these people are there already, by address or by identifier.
    pub fn find_known_people(&mut self, people: &[User]) -> Result<KnownPeople> {
        let mut known = KnownPeople::default();
        for people in people.chunks(NAMES) {
            let keys = people.iter().map(|user| user.email.key().to_owned());
            let ids = people.iter().map(|user| DbUuid::from(user.id));
            let by_address = scoped::users(self.tenant)
                .filter(users::email_key.eq_any(keys.collect::<Vec<_>>()));
            let keys = by_address.select(users::email_key);
            known
                .email_keys
                .extend(keys.load::<String>(self.connection)?);
            let by_id =
                scoped::users(self.tenant).filter(users::id.eq_any(ids.collect::<Vec<_>>()));
            let ids = by_id.select(users::id).load::<DbUuid>(self.connection)?;
            known.ids.extend(ids.into_iter().map(|id| id.0));
        }
        Ok(known)
    }

    /// Adds many people with their roles. A conflict: an address or an identifier is another's.
    pub fn insert_users(&mut self, people: &[&User]) -> Result<()> {
        let tenant = self.tenant;
        insert_people(self.connection, people.iter().map(|user| (tenant, *user)))
    }

    /// Writes many events down.
    pub fn record_all(&mut self, events: &[Event]) -> Result<()> {
        let (tenant, clock) = (self.tenant, self.clock);
        let rows = events
            .iter()
            .map(|event| NewEventRow::new(tenant, event.clone(), clock));
        insert_all!(
            self.connection,
            audit_events,
            rows.collect::<Result<Vec<_>>>()?
        );
        Ok(())
    }

    /// Adds many clients. A conflict: an identifier is another's.
    pub fn insert_clients(&mut self, all: &[Client]) -> Result<()> {
        let tenant = self.tenant;
        let rows = all.iter().map(|client| NewClientRow::new(tenant, client));
        insert_all!(self.connection, clients, rows.collect::<Result<Vec<_>>>()?);
        let rows = all
            .iter()
            .flat_map(|client| NewOriginRow::of(tenant, client));
        insert_all!(self.connection, client_origins, rows.collect::<Vec<_>>());
        Ok(())
    }

    /// Adds many names at issuers. A conflict: an issuer calls somebody so already, or the person isn't there.
    pub fn insert_external_subjects(&mut self, all: &[ExternalSubject]) -> Result<()> {
        let tenant = self.tenant;
        let rows = all.iter().map(|name| NewSubjectRow::new(tenant, name));
        insert_all!(self.connection, external_subjects, rows.collect::<Vec<_>>());
        Ok(())
    }

    /// Adds many consents. A conflict: one is there already, or person or client isn't.
    pub fn insert_consents(&mut self, all: &[Consent]) -> Result<()> {
        let tenant = self.tenant;
        let rows = all
            .iter()
            .map(|consent| NewConsentRow::new(tenant, consent));
        insert_all!(self.connection, consents, rows.collect::<Result<Vec<_>>>()?);
        Ok(())
    }
}
