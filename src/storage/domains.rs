//! Custom domains of a tenant. Who owns a verified origin stands in a table of its own, whose key isn't a tenant's: one origin has
//! one owner in the whole installation, while any number of tenants may claim it unproved.

use diesel::prelude::*;

use super::changes::Entity;
use super::connection::AnyConnection;
use super::error::Result;
use super::repo::{Page, PageRequest, Repo};
use super::schema::{domain_owners, domains, scoped};
use super::types::{DbInstant, DbUuid};
use crate::clock::Timestamp;
use crate::domain::address::{Domain, DomainStage};
use crate::domain::ids::{DomainId, TenantId};

/// As many as a tenant's cached context may hold.
pub const DOMAINS_MAX: i64 = 100;

#[derive(Queryable, Selectable)]
#[diesel(table_name = domains)]
struct DomainRow {
    id: DbUuid,
    origin: String,
    verification_token: String,
    verified_at: Option<DbInstant>,
    canonical: bool,
    created_at: DbInstant,
}

impl From<DomainRow> for Domain {
    fn from(row: DomainRow) -> Self {
        Self {
            id: DomainId::from(row.id.0),
            origin: row.origin,
            stage: match row.verified_at {
                Some(at) => DomainStage::Verified { verified_at: at.0 },
                None => DomainStage::Pending {
                    verification_token: row.verification_token,
                },
            },
            canonical: row.canonical,
            created_at: row.created_at.0,
        }
    }
}

/// A domain's row as it is inserted, alone or with many.
#[derive(Insertable)]
#[diesel(table_name = domains, treat_none_as_default_value = false)]
pub(super) struct NewDomainRow<'a> {
    tenant_id: DbUuid,
    id: DbUuid,
    origin: &'a str,
    verification_token: &'a str,
    verified_at: Option<DbInstant>,
    canonical: bool,
    created_at: DbInstant,
}

impl<'a> NewDomainRow<'a> {
    pub(super) fn new(tenant: TenantId, domain: &'a Domain) -> Self {
        let (verification_token, verified_at) = match &domain.stage {
            DomainStage::Pending { verification_token } => (verification_token.as_str(), None),
            DomainStage::Verified { verified_at } => ("", Some(DbInstant(*verified_at))),
        };
        Self {
            tenant_id: DbUuid::from(tenant),
            id: DbUuid::from(domain.id),
            origin: &domain.origin,
            verification_token,
            verified_at,
            canonical: domain.canonical && verified_at.is_some(),
            created_at: DbInstant(domain.created_at),
        }
    }
}

pub(super) fn list(connection: &mut AnyConnection, tenant: TenantId) -> Result<Vec<Domain>> {
    let rows = scoped::domains(tenant)
        .select(DomainRow::as_select())
        .order(domains::id.asc())
        .limit(DOMAINS_MAX)
        .load::<DomainRow>(connection)?;
    Ok(rows.into_iter().map(Domain::from).collect())
}

impl Repo<'_> {
    /// How many domains there are, to be held against [`DOMAINS_MAX`] by whoever adds one and has held the tenant before.
    pub fn count_domains(&mut self) -> Result<i64> {
        Ok(scoped::domains(self.tenant)
            .count()
            .get_result(self.connection)?)
    }

    /// Adds a domain. A conflict: the tenant has it already, or, of a verified one, another tenant owns it.
    pub fn insert_domain(&mut self, domain: &Domain) -> Result<()> {
        diesel::insert_into(domains::table)
            .values(NewDomainRow::new(self.tenant, domain))
            .execute(self.connection)?;
        if matches!(domain.stage, DomainStage::Verified { .. }) {
            self.insert_owner(domain.id, &domain.origin)?;
        }
        self.note(Entity::Tenant, self.tenant)
    }

    /// All domains in the order of their making.
    pub fn list_domains(&mut self) -> Result<Vec<Domain>> {
        list(self.connection, self.tenant)
    }

    /// Lists domains in the order of their making, a page at a time.
    pub fn list_domain_page(&mut self, page: PageRequest) -> Result<Page<Domain>> {
        // A tenant has few of them, and its cached context holds them all anyway.
        let items = list(self.connection, self.tenant)?
            .into_iter()
            .filter(|domain| page.after.is_none_or(|after| domain.id.uuid() > after))
            .collect();
        Ok(Page::cut(items, page, |domain| domain.id.uuid()))
    }

    /// Finds a domain of this tenant.
    pub fn find_domain(&mut self, id: DomainId) -> Result<Option<Domain>> {
        let row = scoped::domains(self.tenant)
            .filter(domains::id.eq(DbUuid::from(id)))
            .select(DomainRow::as_select())
            .get_result(self.connection)
            .optional()?;
        Ok(row.map(Domain::from))
    }

    /// Finds a domain of this tenant by its origin.
    pub fn find_domain_by_origin(&mut self, origin: &str) -> Result<Option<Domain>> {
        let row = scoped::domains(self.tenant)
            .filter(domains::origin.eq(origin.to_owned()))
            .select(DomainRow::as_select())
            .get_result(self.connection)
            .optional()?;
        Ok(row.map(Domain::from))
    }

    /// Writes down that a domain was proved to be the tenant's; `false` where it was before, or there is no such domain. A conflict:
    /// another tenant owns it.
    pub fn verify_domain(&mut self, id: DomainId) -> Result<bool> {
        let origin = scoped::domains(self.tenant)
            .filter(domains::id.eq(DbUuid::from(id)))
            .filter(domains::verified_at.is_null())
            .select(domains::origin)
            .get_result::<String>(self.connection)
            .optional()?;
        let Some(origin) = origin else {
            return Ok(false);
        };
        self.insert_owner(id, &origin)?;
        self.set_verified_at(id, self.clock.now())?;
        self.note(Entity::Tenant, self.tenant)?;
        Ok(true)
    }

    fn set_verified_at(&mut self, id: DomainId, at: Timestamp) -> Result<()> {
        diesel::update(scoped::domains(self.tenant).filter(domains::id.eq(DbUuid::from(id))))
            .set(domains::verified_at.eq(Some(DbInstant(at))))
            .execute(self.connection)?;
        Ok(())
    }

    fn insert_owner(&mut self, id: DomainId, origin: &str) -> Result<()> {
        diesel::insert_into(domain_owners::table)
            .values((
                domain_owners::origin.eq(origin.to_owned()),
                domain_owners::tenant_id.eq(DbUuid::from(self.tenant)),
                domain_owners::domain_id.eq(DbUuid::from(id)),
            ))
            .execute(self.connection)?;
        Ok(())
    }

    /// Makes a verified domain the canonical address, or, with none, the template's; `false` where there is no such verified domain.
    pub fn set_canonical_domain(&mut self, id: Option<DomainId>) -> Result<bool> {
        if let Some(id) = id {
            let verified = scoped::domains(self.tenant)
                .filter(domains::id.eq(DbUuid::from(id)))
                .filter(domains::verified_at.is_not_null())
                .count()
                .get_result::<i64>(self.connection)?;
            if verified == 0 {
                return Ok(false);
            }
        }
        diesel::update(scoped::domains(self.tenant))
            .set(domains::canonical.eq(false))
            .execute(self.connection)?;
        if let Some(id) = id {
            diesel::update(scoped::domains(self.tenant).filter(domains::id.eq(DbUuid::from(id))))
                .set(domains::canonical.eq(true))
                .execute(self.connection)?;
        }
        self.note(Entity::Tenant, self.tenant)?;
        Ok(true)
    }

    /// Removes a domain; another tenant may prove it theirs from then on.
    pub fn delete_domain(&mut self, id: DomainId) -> Result<bool> {
        // Its row in `domain_owners` goes with it.
        let deleted =
            diesel::delete(scoped::domains(self.tenant).filter(domains::id.eq(DbUuid::from(id))))
                .execute(self.connection)?;
        if deleted == 1 {
            self.note(Entity::Tenant, self.tenant)?;
        }
        Ok(deleted == 1)
    }
}
