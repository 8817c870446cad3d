//! Resources (APIs) of a tenant. They are part of what caches keep of the tenant.

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde::Deserialize;
use uuid::Uuid;

use super::changes::Entity;
use super::connection::AnyConnection;
use super::error::{Result, StorageError};
use super::repo::{Page, PageRequest, Repo};
use super::schema::{clients, resources, scoped};
use super::types::{DbInstant, DbUuid};
use crate::domain::ids::{ClientId, ResourceId, TenantId};
use crate::domain::resource::Resource;

/// As many as a tenant's cached context may hold.
pub const RESOURCES_MAX: i64 = 500;

/// As many clients as are told to depend on a resource.
pub const DEPENDENTS_MAX: usize = 200;

/// As many clients as are read at a time to find them.
const DEPENDENTS_READ: i64 = 500;

/// A client that loses something with a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependentClient {
    /// Which.
    pub id: ClientId,
    /// What it is called.
    pub name: String,
    /// By what.
    pub tie: Tie,
}

/// What ties a client to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// It names it, as its default audience or among those that it may ask for.
    Name,
    /// It may ask for scope-tokens that no other resource of the tenant knows.
    Scope,
    /// It may ask for types of authorization details, each of which is one resource's.
    DetailsType,
    /// It may exchange tokens for it, or adds scope-tokens to them that no other resource of the tenant knows.
    Exchange,
}

/// What ties a client to resources, in its metadata.
#[derive(Deserialize)]
struct Ties {
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    default_audience: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    authorization_details_types: Vec<String>,
    #[serde(default)]
    token_exchange_targets: Vec<String>,
    #[serde(default)]
    token_exchange_scope: Option<String>,
}

impl Ties {
    /// The tie to a resource, which alone has these scope-tokens. Of several, the one by which people would miss it first.
    fn tie(&self, resource: &Resource, own: &BTreeSet<&str>) -> Option<Tie> {
        let is_it = |name: &String| *name == resource.identifier;
        let is_own = |scope: &Option<String>| {
            let mut tokens = scope.iter().flat_map(|scope| scope.split(' '));
            tokens.any(|token| own.contains(token))
        };
        let is_type = |name: &String| resource.details_types.iter().any(|kind| kind.name == *name);
        if self
            .default_audience
            .iter()
            .chain(&self.resources)
            .any(is_it)
        {
            Some(Tie::Name)
        } else if is_own(&self.scope) {
            Some(Tie::Scope)
        } else if self.authorization_details_types.iter().any(is_type) {
            Some(Tie::DetailsType)
        } else if self.token_exchange_targets.iter().any(is_it)
            || is_own(&self.token_exchange_scope)
        {
            Some(Tie::Exchange)
        } else {
            None
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = resources)]
struct ResourceRow {
    id: DbUuid,
    identifier: String,
    name: String,
    scopes: String,
    version: i64,
    created_at: DbInstant,
    details_types: String,
}

impl TryFrom<ResourceRow> for Resource {
    type Error = StorageError;

    fn try_from(row: ResourceRow) -> Result<Self> {
        Ok(Self {
            id: ResourceId::from(row.id.0),
            identifier: row.identifier,
            name: row.name,
            scopes: serde_json::from_str(&row.scopes)
                .map_err(|_| StorageError::Corrupt("resources.scopes"))?,
            details_types: serde_json::from_str(&row.details_types)
                .map_err(|_| StorageError::Corrupt("resources.details_types"))?,
            version: row.version,
            created_at: row.created_at.0,
        })
    }
}

/// A resource's row as it is inserted, alone or with many.
#[derive(Insertable)]
#[diesel(table_name = resources, treat_none_as_default_value = false)]
pub(super) struct NewResourceRow<'a> {
    tenant_id: DbUuid,
    id: DbUuid,
    identifier: &'a str,
    name: &'a str,
    scopes: String,
    version: i64,
    created_at: DbInstant,
    details_types: String,
}

impl<'a> NewResourceRow<'a> {
    pub(super) fn new(tenant: TenantId, resource: &'a Resource) -> Result<Self> {
        Ok(Self {
            tenant_id: DbUuid::from(tenant),
            id: DbUuid::from(resource.id),
            identifier: &resource.identifier,
            name: &resource.name,
            scopes: scopes_text(resource)?,
            version: resource.version,
            created_at: DbInstant(resource.created_at),
            details_types: details_types_text(resource)?,
        })
    }
}

pub(super) fn list(connection: &mut AnyConnection, tenant: TenantId) -> Result<Vec<Resource>> {
    scoped::resources(tenant)
        .select(ResourceRow::as_select())
        .order(resources::id.asc())
        .limit(RESOURCES_MAX)
        .load::<ResourceRow>(connection)?
        .into_iter()
        .map(Resource::try_from)
        .collect()
}

fn scopes_text(resource: &Resource) -> Result<String> {
    serde_json::to_string(&resource.scopes)
        .map_err(|_| StorageError::Corrupt("a resource's scopes"))
}

fn details_types_text(resource: &Resource) -> Result<String> {
    serde_json::to_string(&resource.details_types)
        .map_err(|_| StorageError::Corrupt("a resource's types of authorization details"))
}

impl Repo<'_> {
    /// How many resources there are, to be held against [`RESOURCES_MAX`] by whoever adds one and has held the tenant before.
    pub fn count_resources(&mut self) -> Result<i64> {
        Ok(scoped::resources(self.tenant)
            .count()
            .get_result(self.connection)?)
    }

    /// Adds a resource. A conflict: the identifier is another's.
    pub fn insert_resource(&mut self, resource: &Resource) -> Result<()> {
        let row = NewResourceRow::new(self.tenant, resource)?;
        diesel::insert_into(resources::table)
            .values(row)
            .execute(self.connection)?;
        self.note(Entity::Tenant, self.tenant)
    }

    /// Finds a resource by the URI that stands as `aud` in its tokens.
    pub fn find_resource_by_identifier(&mut self, identifier: &str) -> Result<Option<Resource>> {
        scoped::resources(self.tenant)
            .filter(resources::identifier.eq(identifier.to_owned()))
            .select(ResourceRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(Resource::try_from)
            .transpose()
    }

    /// Finds a resource.
    pub fn find_resource(&mut self, id: ResourceId) -> Result<Option<Resource>> {
        scoped::resources(self.tenant)
            .filter(resources::id.eq(DbUuid::from(id)))
            .select(ResourceRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(Resource::try_from)
            .transpose()
    }

    /// All resources in the order of their making.
    pub fn list_resources(&mut self) -> Result<Vec<Resource>> {
        list(self.connection, self.tenant)
    }

    /// Lists resources in the order of their making, a page at a time; `search` is a part of the identifier or the name.
    pub fn search_resources(
        &mut self,
        search: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<Resource>> {
        let wanted = search.map(|text| text.trim().to_lowercase());
        let fits = |resource: &Resource| {
            wanted.as_ref().is_none_or(|wanted| {
                resource.identifier.to_lowercase().contains(wanted)
                    || resource.name.to_lowercase().contains(wanted)
            })
        };
        // A tenant has few of them, and its cached context holds them all anyway.
        let items = list(self.connection, self.tenant)?
            .into_iter()
            .filter(|resource| page.after.is_none_or(|after| resource.id.uuid() > after))
            .filter(fits)
            .collect();
        Ok(Page::cut(items, page, |resource| resource.id.uuid()))
    }

    /// Replaces name, scopes and types if nobody changed the resource since; `false` where somebody did.
    pub fn update_resource(&mut self, resource: &Resource) -> Result<bool> {
        let changed = diesel::update(
            scoped::resources(self.tenant)
                .filter(resources::id.eq(DbUuid::from(resource.id)))
                .filter(resources::version.eq(resource.version)),
        )
        .set((
            resources::name.eq(resource.name.clone()),
            resources::scopes.eq(scopes_text(resource)?),
            resources::details_types.eq(details_types_text(resource)?),
            resources::version.eq(resource.version + 1),
        ))
        .execute(self.connection)?;
        if changed == 1 {
            self.note(Entity::Tenant, self.tenant)?;
        }
        Ok(changed == 1)
    }

    /// Clients that lose something with a resource, in the order of their making; the first [`DEPENDENTS_MAX`] where there are more.
    pub fn list_dependent_clients(&mut self, resource: &Resource) -> Result<Vec<DependentClient>> {
        let others = list(self.connection, self.tenant)?;
        let knows = |token: &str| {
            let mut others = others.iter().filter(|other| other.id != resource.id);
            others.any(|other| other.understands(token))
        };
        let own: BTreeSet<&str> = resource
            .scopes
            .iter()
            .map(|scope| scope.name.as_str())
            .filter(|token| !knows(token))
            .collect();
        let mut found = Vec::new();
        let mut after = DbUuid(Uuid::nil());
        loop {
            let rows = scoped::clients(self.tenant)
                .filter(clients::id.gt(after))
                .select((clients::id, clients::name, clients::metadata))
                .order(clients::id.asc())
                .limit(DEPENDENTS_READ)
                .load::<(DbUuid, String, String)>(self.connection)?;
            let Some((last, ..)) = rows.last() else {
                return Ok(found);
            };
            after = *last;
            for (id, name, metadata) in rows {
                let metadata: Ties = serde_json::from_str(&metadata)
                    .map_err(|_| StorageError::Corrupt("client metadata"))?;
                if let Some(tie) = metadata.tie(resource, &own) {
                    let id = ClientId::from(id.0);
                    found.push(DependentClient { id, name, tie });
                }
                if found.len() == DEPENDENTS_MAX {
                    return Ok(found);
                }
            }
        }
    }

    /// Deletes a resource.
    pub fn delete_resource(&mut self, id: ResourceId) -> Result<bool> {
        let deleted = diesel::delete(
            scoped::resources(self.tenant).filter(resources::id.eq(DbUuid::from(id))),
        )
        .execute(self.connection)?;
        if deleted == 1 {
            self.note(Entity::Tenant, self.tenant)?;
        }
        Ok(deleted == 1)
    }
}
