//! Resources: the APIs of a tenant that accept tokens, with their audience and scopes.

use serde_json::json;

use super::authority::{Area, Permission};
use super::error::{AdminError, By, on_conflict};
use super::once::Claim;
use crate::domain::audit::Act;
use crate::domain::ids::ResourceId;
use crate::domain::resource::SCOPES_MAX;
use crate::domain::resource::{Resource, ResourceScope};
use crate::domain::tenant::check_display_name;
use crate::flows::provider::Provider;
use crate::flows::scopes::{OF_PERSONS, admin_api};
use crate::flows::tenancy::Tenant;
use crate::protocol::authorization_details::{DetailsType, MAX_TYPES};
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::is_scope_token;
use crate::storage::{DependentClient, Page, PageRequest, RESOURCES_MAX};

/// The beginning of scope-tokens that are this server's own.
const OWN_PREFIX: &str = "tessera:";

/// The longest that the types of one resource may be as JSON: a tenant's context in memory holds them all.
const TYPES_BYTES_MAX: usize = 16_384;

/// A resource to be made.
#[derive(Clone, Debug)]
pub struct NewResource {
    /// The absolute URI that stands as `aud` in its tokens.
    pub identifier: String,
    /// What people read on the consent page; the identifier unless told.
    pub name: Option<String>,
    /// The scopes that it understands.
    pub scopes: Vec<ResourceScope>,
    /// The types of authorization details that it understands.
    pub details_types: Vec<DetailsType>,
}

impl Provider {
    /// Makes a resource.
    pub async fn create_resource(
        &self,
        tenant: &Tenant,
        new: NewResource,
        by: &By,
    ) -> Result<Resource, AdminError> {
        by.check(Permission::Write(Area::Resources))?;
        let name = self.check_resource(&new)?;
        let resource = Resource {
            id: ResourceId::from(self.clock.uuid_v7()),
            identifier: new.identifier,
            name,
            scopes: new.scopes,
            details_types: new.details_types,
            version: 1,
            created_at: self.now(),
        };
        let claim = by.claim(tenant, resource.id.uuid(), None, &self.clock)?;
        let (stored, by) = (resource.clone(), by.clone());
        let written = self.db.write(tenant, move |repo| {
            // Whoever makes another at this moment, of the same identifier or type or the last that there is room for, comes before or after this.
            repo.hold_tenant()?;
            Claim::check(claim.as_ref(), repo)?;
            if repo
                .find_resource_by_identifier(&stored.identifier)?
                .is_some()
            {
                return Ok(Err(taken(&stored.identifier)));
            }
            if repo.count_resources()? >= RESOURCES_MAX {
                return Ok(Err(AdminError::refused(format!(
                    "a tenant has at most {RESOURCES_MAX} resources"
                ))));
            }
            if let Some(name) = type_of_another(&repo.list_resources()?, &stored) {
                return Ok(Err(taken_type(&name)));
            }
            Claim::write(claim.as_ref(), repo)?;
            repo.insert_resource(&stored)?;
            repo.record(by.event(Act::ResourceCreated).detail(
                json!({ "identifier": stored.identifier, "scopes": scope_names(&stored) }),
            ))?;
            Ok(Ok(()))
        });
        written
            .await
            .map_err(|error| on_conflict(error, || taken(&resource.identifier)))??;
        Ok(resource)
    }

    /// What a new resource has to be; its name is there afterwards.
    pub(super) fn check_resource(&self, new: &NewResource) -> Result<String, AdminError> {
        ResourceIndicator::parse(&new.identifier)
            .map_err(|error| AdminError::invalid("identifier", error))?;
        if new.identifier == admin_api(self) {
            return Err(AdminError::invalid(
                "identifier",
                "is that of the administration API of this server",
            ));
        }
        check_scopes(&new.scopes)?;
        check_types(&new.details_types)?;
        let name = new.name.clone().unwrap_or_else(|| {
            new.identifier
                .chars()
                .take(crate::domain::tenant::DISPLAY_NAME_MAX)
                .collect()
        });
        check_display_name(&name).map_err(|error| AdminError::invalid("name", error))?;
        Ok(name)
    }

    /// Lists resources in the order of their making; `search` is a part of the identifier or the name.
    pub async fn list_resources(
        &self,
        tenant: &Tenant,
        search: Option<String>,
        page: PageRequest,
    ) -> Result<Page<Resource>, AdminError> {
        Ok(self
            .db
            .read(tenant, move |repo| {
                repo.search_resources(search.as_deref(), page)
            })
            .await?)
    }

    /// The resource of this id.
    pub async fn load_resource(
        &self,
        tenant: &Tenant,
        id: ResourceId,
    ) -> Result<Resource, AdminError> {
        let found = self
            .db
            .read(tenant, move |repo| repo.find_resource(id))
            .await?;
        found.ok_or_else(|| no_resource(id))
    }

    /// The resource of this identifier.
    pub async fn load_resource_named(
        &self,
        tenant: &Tenant,
        identifier: &str,
    ) -> Result<Resource, AdminError> {
        let wanted = identifier.to_owned();
        let found = self
            .db
            .read(tenant, move |repo| {
                repo.find_resource_by_identifier(&wanted)
            })
            .await?;
        found.ok_or_else(|| no_resource(identifier))
    }

    /// Clients that name the resource or have its scopes.
    pub async fn list_dependent_clients(
        &self,
        tenant: &Tenant,
        resource: &Resource,
    ) -> Result<Vec<DependentClient>, AdminError> {
        let resource = resource.clone();
        Ok(self
            .db
            .read(tenant, move |repo| repo.list_dependent_clients(&resource))
            .await?)
    }

    /// Replaces name, scopes and types by those of `changed`, provided that nobody changed the resource since it was read. Its identifier
    /// stays: another one is another API.
    pub async fn update_resource(
        &self,
        tenant: &Tenant,
        changed: Resource,
        by: &By,
    ) -> Result<Resource, AdminError> {
        by.check(Permission::Write(Area::Resources))?;
        check_display_name(&changed.name).map_err(|error| AdminError::invalid("name", error))?;
        check_scopes(&changed.scopes)?;
        check_types(&changed.details_types)?;
        let (id, by) = (changed.id, by.clone());
        let written = self.db.write(tenant, move |repo| {
            if repo.find_resource(id)?.is_none() {
                return Ok(Ok(None));
            }
            repo.hold_tenant()?;
            if let Some(name) = type_of_another(&repo.list_resources()?, &changed) {
                return Ok(Err(name));
            }
            let done = repo.update_resource(&changed)?;
            if done {
                repo.record(by.event(Act::ResourceUpdated).detail(
                    json!({ "identifier": changed.identifier, "scopes": scope_names(&changed) }),
                ))?;
            }
            Ok(Ok(Some(done)))
        });
        match written.await?.map_err(|name| taken_type(&name))? {
            Some(true) => self.load_resource(tenant, id).await,
            Some(false) => Err(AdminError::Stale("resource")),
            None => Err(no_resource(id)),
        }
    }

    /// Deletes a resource: its tokens can't be refreshed or asked for any more; those that are out expire.
    pub async fn delete_resource(
        &self,
        tenant: &Tenant,
        id: ResourceId,
        by: &By,
    ) -> Result<Resource, AdminError> {
        by.check(Permission::Write(Area::Resources))?;
        let by = by.clone();
        let deleted = self.db.write(tenant, move |repo| {
            let Some(resource) = repo.find_resource(id)? else {
                return Ok(None);
            };
            if !repo.delete_resource(resource.id)? {
                return Ok(None);
            }
            repo.record(
                by.event(Act::ResourceDeleted)
                    .detail(json!({ "identifier": resource.identifier })),
            )?;
            Ok(Some(resource))
        });
        deleted.await?.ok_or_else(|| no_resource(id))
    }
}

fn taken(identifier: &str) -> AdminError {
    AdminError::Exists {
        kind: "resource",
        name: identifier.to_owned(),
    }
}

fn no_resource(name: impl ToString) -> AdminError {
    AdminError::NotFound {
        kind: "resource",
        name: name.to_string(),
        list: Some("tessera resource list"),
    }
}

fn check_scopes(scopes: &[ResourceScope]) -> Result<(), AdminError> {
    let names = scopes
        .iter()
        .map(|scope| scope.name.as_str())
        .collect::<Vec<_>>();
    if names.is_empty() || names.len() > SCOPES_MAX {
        return Err(AdminError::invalid(
            "scope",
            format!("a resource has 1 to {SCOPES_MAX} scopes"),
        ));
    }
    for (position, name) in names.iter().enumerate() {
        let reason = if !is_scope_token(name) {
            "is no scope-token (RFC 6749 section 3.3): visible ASCII characters without space, quote and backslash"
        } else if OF_PERSONS.contains(name) || name.starts_with(OWN_PREFIX) {
            "has a meaning of its own (OpenID Connect, or this server's) and can't be a resource's"
        } else if names[..position].contains(name) {
            "is named twice"
        } else {
            continue;
        };
        return Err(AdminError::invalid(
            "scope",
            format!("`{}` {reason}", name.chars().take(64).collect::<String>()),
        ));
    }
    for description in scopes
        .iter()
        .filter_map(|scope| scope.description.as_deref())
    {
        check_display_name(description).map_err(|_| {
            AdminError::invalid(
                "description",
                "has 1 to 200 characters, no control characters and no space at its ends",
            )
        })?;
    }
    Ok(())
}

/// What the types of one resource must be.
fn check_types(types: &[DetailsType]) -> Result<(), AdminError> {
    let invalid = |reason: String| AdminError::invalid("authorization_details_types", reason);
    if types.len() > MAX_TYPES {
        return Err(invalid(format!("a resource has at most {MAX_TYPES} types")));
    }
    for (position, kind) in types.iter().enumerate() {
        kind.check().map_err(invalid)?;
        if types
            .iter()
            .take(position)
            .any(|other| other.name == kind.name)
        {
            return Err(invalid(format!("`{}` is named twice", kind.name)));
        }
    }
    let size = serde_json::to_string(types).map_or(usize::MAX, |text| text.len());
    if size > TYPES_BYTES_MAX {
        return Err(invalid(format!(
            "the types of one resource have at most {TYPES_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

/// A type that another resource of the tenant has already: requests name a type, and no resource beside it.
pub(super) fn type_of_another(known: &[Resource], resource: &Resource) -> Option<String> {
    let others = known
        .iter()
        .filter(|known| known.identifier != resource.identifier)
        .flat_map(|known| &known.details_types);
    let mut names = others.map(|kind| &kind.name);
    names
        .find(|name| {
            resource
                .details_types
                .iter()
                .any(|kind| kind.name == **name)
        })
        .cloned()
}

fn taken_type(name: &str) -> AdminError {
    AdminError::invalid(
        "authorization_details_types",
        format!("another resource of this tenant has the type `{name}`"),
    )
}

fn scope_names(resource: &Resource) -> Vec<&str> {
    resource
        .scopes
        .iter()
        .map(|scope| scope.name.as_str())
        .collect()
}
