//! APIs and their scopes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Section;
use crate::clock::Timestamp;
use crate::domain::ids::ResourceId;
use crate::domain::resource::{Resource as Record, ResourceScope, SCOPES_MAX};
use crate::domain::tenant::DISPLAY_NAME_MAX;
use crate::flows::admin::{AdminError, Area, NewResource as New, Permission};
use crate::http::api::answer::{Answer, Refusal};
use crate::http::api::call::Call;
use crate::http::api::operation::{Operation, Parameter, search_text};
use crate::protocol::authorization_details::{DetailsType, MAX_TYPES};

/// This section.
pub const SECTION: Section = Section {
    title: "Resources",
    description: "The tenant's APIs: what stands as `aud` in tokens, and the scopes that each understands.",
    operations: &[
        Operation::get("listResources", "/tenants/{tenant}/resources", |call| Box::pin(list(call)))
            .says("List resources", "In the order of their making.")
            .needs(Permission::Read(Area::Resources))
            .asks(&[Parameter { name: "search", description: "A part of the identifier or of the name.", required: false, schema: search_text }])
            .lists::<Resource>(),
        Operation::post("createResource", "/tenants/{tenant}/resources", |call| Box::pin(create(call)))
            .says("Register a resource", "")
            .needs(Permission::Write(Area::Resources))
            .takes::<NewResource>()
            .makes::<Resource>()
            .tagged(),
        Operation::get("getResource", "/tenants/{tenant}/resources/{resource}", |call| Box::pin(get(call)))
            .says("Show a resource", "")
            .needs(Permission::Read(Area::Resources))
            .gives::<Resource>()
            .tagged(),
        Operation::patch::<ResourceChange>("updateResource", "/tenants/{tenant}/resources/{resource}", |call| Box::pin(update(call)))
            .says("Change a resource", "The identifier stays: services compare it with `aud`. A scope that is taken away is gone from the next token on.")
            .needs(Permission::Write(Area::Resources))
            .gives::<Resource>(),
        Operation::delete("deleteResource", "/tenants/{tenant}/resources/{resource}", |call| Box::pin(delete(call)))
            .says("Delete a resource", "Nobody gets tokens for it any more; those that are out expire.")
            .needs(Permission::Write(Area::Resources)),
    ],
};

/// An API.
#[derive(Serialize, JsonSchema)]
struct Resource {
    /// Permanent.
    id: Uuid,
    /// The absolute URI that stands as `aud` in its tokens.
    identifier: String,
    /// What people read on the consent page.
    name: String,
    /// What it understands.
    scopes: Vec<ResourceScope>,
    /// The types of authorization details that it understands (RFC 9396).
    authorization_details_types: Vec<DetailsType>,
    /// Grows with every change.
    version: i64,
    /// When it was made.
    created_at: Timestamp,
}

/// An API to be registered.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewResource {
    /// The absolute URI that stands as `aud` in its tokens.
    #[schemars(url)]
    identifier: String,
    /// What people read on the consent page; the identifier unless told.
    #[serde(default)]
    #[schemars(length(min = 1, max = DISPLAY_NAME_MAX))]
    name: Option<String>,
    /// What it understands.
    #[schemars(length(min = 1, max = SCOPES_MAX))]
    scopes: Vec<ResourceScope>,
    /// The types of authorization details that it understands (RFC 9396). No two resources have one of the same name.
    #[serde(default)]
    #[schemars(length(max = MAX_TYPES))]
    authorization_details_types: Vec<DetailsType>,
}

/// What can be changed of an API.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResourceChange {
    /// What people read on the consent page.
    #[schemars(length(min = 1, max = DISPLAY_NAME_MAX))]
    name: String,
    /// What it understands.
    #[schemars(length(min = 1, max = SCOPES_MAX))]
    scopes: Vec<ResourceScope>,
    /// The types of authorization details that it understands (RFC 9396). No two resources have one of the same name.
    #[schemars(length(max = MAX_TYPES))]
    authorization_details_types: Vec<DetailsType>,
}

fn view(resource: &Record) -> Resource {
    Resource {
        id: resource.id.uuid(),
        identifier: resource.identifier.clone(),
        name: resource.name.clone(),
        scopes: resource.scopes.clone(),
        authorization_details_types: resource.details_types.clone(),
        version: resource.version,
        created_at: resource.created_at,
    }
}

/// The flows speak of one scope, the documents of all.
fn in_words_of_the_api(error: AdminError) -> Refusal {
    match error {
        AdminError::Invalid { field, reason } if field == "scope" || field == "description" => {
            AdminError::Invalid {
                field: "scopes".to_owned(),
                reason,
            }
            .into()
        }
        error => error.into(),
    }
}

async fn find(call: &Call) -> Result<Record, Refusal> {
    let id: ResourceId = call.id("resource")?;
    Ok(call.provider.load_resource(call.tenant(), id).await?)
}

async fn list(call: Call) -> Answer {
    let search = call.search()?;
    let page = call
        .provider
        .list_resources(call.tenant(), search, call.page()?)
        .await?;
    Ok(call.list(page, view))
}

async fn create(call: Call) -> Answer {
    let new: NewResource = call.json()?;
    let new = New {
        identifier: new.identifier,
        name: new.name,
        scopes: new.scopes,
        details_types: new.authorization_details_types,
    };
    let made = call
        .provider
        .create_resource(call.tenant(), new, &call.by_once()?)
        .await;
    let resource = match made {
        Err(AdminError::Repeated) => {
            let before = call.repeated(call.tenant()).await?;
            call.provider
                .load_resource(call.tenant(), ResourceId::from(before.made))
                .await?
        }
        made => made.map_err(in_words_of_the_api)?,
    };
    Ok(call.made(
        &format!(
            "/tenants/{}/resources/{}",
            call.tenant().slug(),
            resource.id
        ),
        Some(resource.version),
        &view(&resource),
    ))
}

async fn get(call: Call) -> Answer {
    let resource = find(&call).await?;
    Ok(call.show_version(resource.version, &view(&resource)))
}

async fn update(call: Call) -> Answer {
    let mut resource = find(&call).await?;
    call.check_version(resource.version)?;
    let changed: ResourceChange = call.patched(&ResourceChange {
        name: resource.name.clone(),
        scopes: resource.scopes.clone(),
        authorization_details_types: resource.details_types.clone(),
    })?;
    resource.name = changed.name;
    resource.scopes = changed.scopes;
    resource.details_types = changed.authorization_details_types;
    let resource = call
        .provider
        .update_resource(call.tenant(), resource, &call.by())
        .await
        .map_err(in_words_of_the_api)?;
    Ok(call.show_version(resource.version, &view(&resource)))
}

async fn delete(call: Call) -> Answer {
    let id: ResourceId = call.id("resource")?;
    call.provider
        .delete_resource(call.tenant(), id, &call.by())
        .await?;
    Ok(call.done())
}
