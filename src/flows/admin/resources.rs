//! Resources: the APIs of a tenant that accept tokens, with their audience and scopes.

use serde_json::json;

use super::error::{AdminError, By, on_conflict};
use super::once::Claim;
use crate::domain::audit::Act;
use crate::domain::ids::ResourceId;
use crate::domain::resource::{Resource, ResourceScope};
use crate::domain::tenant::check_display_name;
use crate::flows::provider::Provider;
use crate::flows::scopes::{OF_PERSONS, admin_api};
use crate::flows::tenancy::Tenant;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::is_scope_token;

/// As many scopes as one request may name.
const SCOPES_MAX: usize = 100;

/// The beginning of scope-tokens that are this server's own.
const OWN_PREFIX: &str = "tessera:";

/// A resource to be made.
#[derive(Clone, Debug)]
pub struct NewResource {
    /// The absolute URI that stands as `aud` in its tokens.
    pub identifier: String,
    /// What people read on the consent page; the identifier unless told.
    pub name: Option<String>,
    /// The scopes that it understands.
    pub scopes: Vec<ResourceScope>,
}

impl Provider {
    /// Makes a resource.
    pub async fn create_resource(
        &self,
        tenant: &Tenant,
        new: NewResource,
        by: &By,
    ) -> Result<Resource, AdminError> {
        self.check_resource(&new)?;
        let name = new.name.unwrap_or_else(|| {
            new.identifier
                .chars()
                .take(crate::domain::tenant::DISPLAY_NAME_MAX)
                .collect()
        });
        check_display_name(&name).map_err(|error| AdminError::invalid("name", error))?;
        let resource = Resource {
            id: ResourceId::from(self.clock.uuid_v7()),
            identifier: new.identifier,
            name,
            scopes: new.scopes,
            version: 1,
            created_at: self.now(),
        };
        let claim = by.claim(tenant, resource.id.uuid(), None, &self.clock)?;
        let (stored, by) = (resource.clone(), by.clone());
        let written = self.db.write(tenant, move |repo| {
            Claim::check(claim.as_ref(), repo)?;
            if repo
                .find_resource_by_identifier(&stored.identifier)?
                .is_some()
            {
                return Ok(false);
            }
            Claim::write(claim.as_ref(), repo)?;
            repo.insert_resource(&stored)?;
            repo.record(by.event(Act::ResourceCreated).detail(
                json!({ "identifier": stored.identifier, "scopes": scope_names(&stored) }),
            ))?;
            Ok(true)
        });
        // The name is free, so a conflict is the bound on their number, or somebody who was faster.
        if written.await.map_err(|error| {
            on_conflict(error.clone(), || AdminError::refused(error.to_string()))
        })? {
            Ok(resource)
        } else {
            Err(AdminError::Exists {
                kind: "resource",
                name: resource.identifier,
            })
        }
    }

    fn check_resource(&self, new: &NewResource) -> Result<(), AdminError> {
        ResourceIndicator::parse(&new.identifier)
            .map_err(|error| AdminError::invalid("identifier", error))?;
        if new.identifier == admin_api(self) {
            return Err(AdminError::invalid(
                "identifier",
                "is that of the administration API of this server",
            ));
        }
        let names = new
            .scopes
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
        for description in new
            .scopes
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

    /// All resources of the tenant in the order of their making.
    pub async fn list_resources(&self, tenant: &Tenant) -> Result<Vec<Resource>, AdminError> {
        Ok(self.db.read(tenant, |repo| repo.list_resources()).await?)
    }

    /// Deletes a resource: its tokens can't be refreshed or asked for any more; those that are out expire.
    pub async fn delete_resource(
        &self,
        tenant: &Tenant,
        identifier: &str,
        by: &By,
    ) -> Result<Resource, AdminError> {
        let (wanted, by) = (identifier.to_owned(), by.clone());
        let deleted = self.db.write(tenant, move |repo| {
            let Some(resource) = repo.find_resource_by_identifier(&wanted)? else {
                return Ok(None);
            };
            repo.delete_resource(resource.id)?;
            repo.record(
                by.event(Act::ResourceDeleted)
                    .detail(json!({ "identifier": resource.identifier })),
            )?;
            Ok(Some(resource))
        });
        let missing = || AdminError::NotFound {
            kind: "resource",
            name: identifier.to_owned(),
            list: "tessera resource list",
        };
        deleted.await?.ok_or_else(missing)
    }
}

fn scope_names(resource: &Resource) -> Vec<&str> {
    resource
        .scopes
        .iter()
        .map(|scope| scope.name.as_str())
        .collect()
}
