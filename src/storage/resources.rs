//! Resources (APIs) of a tenant. They are part of what caches keep of the tenant.

use diesel::prelude::*;

use super::changes::Entity;
use super::connection::AnyConnection;
use super::error::{Result, StorageError};
use super::repo::Repo;
use super::schema::{insert_scoped, resources, scoped};
use super::types::{DbInstant, DbUuid};
use crate::domain::ids::{ResourceId, TenantId};
use crate::domain::resource::Resource;

/// As many as a tenant's cached context may hold.
const RESOURCES_MAX: i64 = 500;

#[derive(Queryable, Selectable)]
#[diesel(table_name = resources)]
struct ResourceRow {
    id: DbUuid,
    identifier: String,
    name: String,
    scopes: String,
    created_at: DbInstant,
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
            created_at: row.created_at.0,
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

impl Repo<'_> {
    /// Adds a resource. A conflict: the identifier is another's, or there are too many.
    pub fn insert_resource(&mut self, resource: &Resource) -> Result<()> {
        let count = scoped::resources(self.tenant)
            .count()
            .get_result::<i64>(self.connection)?;
        if count >= RESOURCES_MAX {
            return Err(StorageError::Conflict(format!(
                "a tenant has at most {RESOURCES_MAX} resources"
            )));
        }
        insert_scoped!(
            self,
            resources,
            (
                resources::id.eq(DbUuid::from(resource.id)),
                resources::identifier.eq(resource.identifier.clone()),
                resources::name.eq(resource.name.clone()),
                resources::scopes.eq(serde_json::to_string(&resource.scopes)
                    .map_err(|_| StorageError::Corrupt("a resource's scopes"))?),
                resources::created_at.eq(DbInstant(resource.created_at)),
            )
        )
        .execute(self.connection)?;
        self.note(Entity::Tenant, self.tenant)
    }

    /// Finds a resource by the URI that stands as `aud` in its tokens.
    pub fn find_resource_by_identifier(&mut self, identifier: &str) -> Result<Option<Resource>> {
        scoped::resources(self.tenant)
            .filter(resources::identifier.eq(identifier.to_owned()))
            .select(ResourceRow::as_select())
            .first(self.connection)
            .optional()?
            .map(Resource::try_from)
            .transpose()
    }

    /// All resources in the order of their making.
    pub fn list_resources(&mut self) -> Result<Vec<Resource>> {
        list(self.connection, self.tenant)
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
