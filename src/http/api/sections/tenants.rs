//! Tenants, their settings and their look.

use std::sync::Arc;

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Section;
use crate::clock::Timestamp;
use crate::domain::branding::Branding;
use crate::domain::settings::TenantSettings;
use crate::domain::tenant::{DISPLAY_NAME_MAX, TenantRecord, TenantStatus};
use crate::flows::admin::{AdminError, Area, Permission};
use crate::flows::tenancy::Tenant as LoadedTenant;
use crate::http::api::answer::{Answer, Refusal};
use crate::http::api::call::Call;
use crate::http::api::operation::{Operation, Parameter, search_text};
use crate::protocol::slug;

/// This section.
pub const SECTION: Section = Section {
    title: "Tenants",
    description: "Made, suspended and deleted by operators; name, settings and look are their administrators' too.",
    operations: &[
        Operation::get("listTenants", "/tenants", |call| Box::pin(list(call)))
            .says("List tenants", "In the order of their slugs. With `search`, those whose slug begins so come first, and after them those whose name does, by name.")
            .needs(Permission::Read(Area::Tenants))
            .asks(&[Parameter { name: "search", description: "The beginning of a slug or of a name.", required: false, schema: search_text }])
            .lists::<Tenant>(),
        Operation::post("createTenant", "/tenants", |call| Box::pin(create(call)))
            .says("Make a tenant", "It has a signing key at once and serves from the moment of the answer.")
            .needs(Permission::Write(Area::Tenants))
            .takes::<NewTenant>()
            .makes::<Tenant>()
            .tagged(),
        Operation::get("getTenant", "/tenants/{tenant}", |call| Box::pin(async move { Ok(shown(&call, call.tenant())) }))
            .says("Show a tenant", "")
            .needs(Permission::Read(Area::Settings))
            .gives::<Tenant>()
            .tagged(),
        Operation::patch::<TenantChange>("updateTenant", "/tenants/{tenant}", |call| Box::pin(rename(call)))
            .says("Change a tenant's name", "The slug stays: it is part of the tenant's address, and so of every token.")
            .needs(Permission::Write(Area::Settings))
            .gives::<Tenant>(),
        Operation::delete("deleteTenant", "/tenants/{tenant}", |call| Box::pin(delete(call)))
            .says("Delete a tenant", "With its people, clients, keys and everything else, for good. Its tokens are refused from this moment on.")
            .needs(Permission::Write(Area::Tenants)),
        Operation::post("suspendTenant", "/tenants/{tenant}/suspend", |call| Box::pin(suspend(call)))
            .says("Suspend a tenant", "Everything but its keys and its metadata answers 403 until it is resumed. Nothing happens where it is suspended already.")
            .needs(Permission::Write(Area::Tenants))
            .gives::<Tenant>()
            .tagged(),
        Operation::post("resumeTenant", "/tenants/{tenant}/resume", |call| Box::pin(resume(call)))
            .says("Resume a tenant", "Nothing happens where it is active already.")
            .needs(Permission::Write(Area::Tenants))
            .gives::<Tenant>()
            .tagged(),
        Operation::get("getSettings", "/tenants/{tenant}/settings", |call| Box::pin(async move { Ok(settings(&call, call.tenant())) }))
            .says("Show a tenant's settings", "Lifetimes are in seconds.")
            .needs(Permission::Read(Area::Settings))
            .gives::<TenantSettings>()
            .tagged(),
        Operation::patch::<TenantSettings>("updateSettings", "/tenants/{tenant}/settings", |call| Box::pin(change_settings(call)))
            .says("Change a tenant's settings", "A setting that is `null` takes its default again.")
            .needs(Permission::Write(Area::Settings))
            .gives::<TenantSettings>(),
        Operation::get("getBranding", "/tenants/{tenant}/branding", |call| Box::pin(async move { Ok(branding(&call, call.tenant())) }))
            .says("Show a tenant's look", "")
            .needs(Permission::Read(Area::Settings))
            .gives::<Branding>()
            .tagged(),
        Operation::patch::<Branding>("updateBranding", "/tenants/{tenant}/branding", |call| Box::pin(change_branding(call)))
            .says("Change a tenant's look", "What is `null` is Tessera's own again.")
            .needs(Permission::Write(Area::Settings))
            .gives::<Branding>(),
    ],
};

/// A tenant.
#[derive(Serialize, JsonSchema)]
struct Tenant {
    /// Permanent.
    id: Uuid,
    /// Its name in addresses.
    slug: String,
    /// What people read.
    name: String,
    /// Whether it serves.
    status: TenantStatus,
    /// The issuer of its tokens at its first address.
    issuer: String,
    /// Grows with every change of name, settings and look.
    version: i64,
    /// When it was made.
    created_at: Timestamp,
    /// When it was changed last.
    updated_at: Timestamp,
}

/// A tenant to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    /// Its name in addresses: small letters, digits and single hyphens between them.
    #[schemars(length(max = slug::LENGTH_MAX), regex(pattern = slug::PATTERN))]
    slug: String,
    /// What people read.
    #[schemars(length(min = 1, max = DISPLAY_NAME_MAX))]
    name: String,
}

/// A tenant's name.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TenantChange {
    /// What people read.
    #[schemars(length(min = 1, max = DISPLAY_NAME_MAX))]
    name: String,
}

fn view(call: &Call, record: &TenantRecord) -> Tenant {
    Tenant {
        id: record.id.uuid(),
        slug: record.slug.to_string(),
        name: record.name.clone(),
        status: record.status,
        issuer: call.provider.config.public_url.issuer(record.slug.as_str()),
        version: record.version,
        created_at: record.created_at,
        updated_at: record.updated_at,
    }
}

fn shown(call: &Call, tenant: &LoadedTenant) -> HttpResponse {
    call.show_version(tenant.record.version, &view(call, &tenant.record))
}

fn settings(call: &Call, tenant: &LoadedTenant) -> HttpResponse {
    call.show_version(tenant.record.version, &tenant.record.settings)
}

fn branding(call: &Call, tenant: &LoadedTenant) -> HttpResponse {
    call.show_version(tenant.record.version, &tenant.record.branding)
}

async fn list(call: Call) -> Answer {
    let search = call.search()?;
    let page = call.provider.list_tenants(search, call.page()?).await?;
    Ok(call.list(page, |record| view(&call, record)))
}

async fn create(call: Call) -> Answer {
    let new: NewTenant = call.json()?;
    let by = call.by_once()?;
    let tenant = match call.provider.create_tenant(&new.slug, &new.name, &by).await {
        Err(AdminError::Repeated) => {
            let system = call.provider.system_tenant().await?;
            let before = call.repeated(&system).await?;
            let tenant = call.provider.load_tenant_named(&new.slug).await?;
            // Deleted since, and its slug given to another.
            if tenant.id().uuid() != before.made {
                return Err(Refusal::not_found());
            }
            tenant
        }
        made => made?,
    };
    Ok(call.made(
        &format!("/tenants/{}", tenant.slug()),
        Some(tenant.record.version),
        &view(&call, &tenant.record),
    ))
}

/// Stores the record as changed by whoever asks, if it is still the version that they know.
async fn store(
    call: &Call,
    change: impl FnOnce(&mut TenantRecord) -> Result<(), Refusal>,
) -> Result<Arc<LoadedTenant>, Refusal> {
    let mut record = call.tenant().record.clone();
    call.check_version(record.version)?;
    change(&mut record)?;
    Ok(call.provider.update_tenant(record, &call.by()).await?)
}

async fn rename(call: Call) -> Answer {
    let tenant = store(&call, |record| {
        let current = TenantChange {
            name: record.name.clone(),
        };
        record.name = call.patched::<TenantChange>(&current)?.name;
        Ok(())
    })
    .await?;
    Ok(shown(&call, &tenant))
}

async fn change_settings(call: Call) -> Answer {
    let tenant = store(&call, |record| {
        record.settings = call.patched(&record.settings)?;
        Ok(())
    })
    .await?;
    Ok(settings(&call, &tenant))
}

async fn change_branding(call: Call) -> Answer {
    let tenant = store(&call, |record| {
        record.branding = call.patched(&record.branding)?;
        Ok(())
    })
    .await?;
    Ok(branding(&call, &tenant))
}

async fn suspend(call: Call) -> Answer {
    call.provider
        .suspend_tenant(call.tenant().slug().as_str(), &call.by())
        .await?;
    again(&call).await
}

async fn resume(call: Call) -> Answer {
    call.provider
        .resume_tenant(call.tenant().slug().as_str(), &call.by())
        .await?;
    again(&call).await
}

async fn again(call: &Call) -> Answer {
    let tenant = call
        .provider
        .load_tenant_named(call.tenant().slug().as_str())
        .await?;
    Ok(shown(call, &tenant))
}

async fn delete(call: Call) -> Answer {
    call.provider
        .delete_tenant(call.tenant().slug().as_str(), &call.by())
        .await?;
    Ok(call.done())
}
