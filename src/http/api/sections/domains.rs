//! Custom domains.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Section;
use crate::clock::Timestamp;
use crate::domain::address::{Domain as Record, DomainStage};
use crate::domain::ids::DomainId;
use crate::flows::admin::{AdminError, Area, Permission, VERIFICATION_PATH, verification_record};
use crate::http::api::answer::{Answer, Refusal};
use crate::http::api::call::Call;
use crate::http::api::operation::Operation;

/// This section.
pub const SECTION: Section = Section {
    title: "Domains",
    description: "Further addresses at which the tenant is an issuer in full, once it has proved that they are its own.",
    operations: &[
        Operation::get("listDomains", "/tenants/{tenant}/domains", |call| {
            Box::pin(list(call))
        })
        .says("List domains", "In the order of their making.")
        .needs(Permission::Read(Area::Domains))
        .lists::<Domain>(),
        Operation::post("createDomain", "/tenants/{tenant}/domains", |call| {
            Box::pin(create(call))
        })
        .says(
            "Add a domain",
            "It serves nothing until it is verified; the answer says what proves it.",
        )
        .needs(Permission::Write(Area::Domains))
        .takes::<NewDomain>()
        .makes::<Domain>(),
        // Before the routes of a single domain, which would take the word for an identifier.
        Operation::post(
            "resetCanonicalDomain",
            "/tenants/{tenant}/domains/reset-canonical",
            |call| Box::pin(reset_canonical(call)),
        )
        .says(
            "Make the installation's own address canonical again",
            "Links name the tenant's address by `public_url` from now on; every domain works as before.",
        )
        .needs(Permission::Write(Area::Domains)),
        Operation::get("getDomain", "/tenants/{tenant}/domains/{domain}", |call| {
            Box::pin(get(call))
        })
        .says("Show a domain", "")
        .needs(Permission::Read(Area::Domains))
        .gives::<Domain>(),
        Operation::post(
            "verifyDomain",
            "/tenants/{tenant}/domains/{domain}/verify",
            |call| Box::pin(verify(call)),
        )
        .says(
            "Verify a domain",
            "Looks for the proof now, in the TXT record and in the file: one is enough. Nothing happens where it is verified already.",
        )
        .needs(Permission::Write(Area::Domains))
        .gives::<Domain>(),
        Operation::post(
            "makeDomainCanonical",
            "/tenants/{tenant}/domains/{domain}/set-canonical",
            |call| Box::pin(set_canonical(call)),
        )
        .says(
            "Make a domain the canonical address",
            "Links name it from now on; every other address works as before.",
        )
        .needs(Permission::Write(Area::Domains))
        .gives::<Domain>(),
        Operation::delete(
            "deleteDomain",
            "/tenants/{tenant}/domains/{domain}",
            |call| Box::pin(delete(call)),
        )
        .says(
            "Remove a domain",
            "Tokens that name it as their issuer are refused from now on.",
        )
        .needs(Permission::Write(Area::Domains)),
    ],
};

/// A custom domain.
#[derive(Serialize, JsonSchema)]
struct Domain {
    /// Permanent.
    id: Uuid,
    /// The address.
    origin: String,
    /// `pending` or `verified`.
    state: &'static str,
    /// The name of a TXT record that proves it, while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_record: Option<String>,
    /// Where a file is looked for that proves it, while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_url: Option<String>,
    /// What either has to hold, while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_token: Option<String>,
    /// When it was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<Timestamp>,
    /// Whether links name it.
    canonical: bool,
    /// When it was added.
    created_at: Timestamp,
}

/// A domain to be added.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewDomain {
    /// An address without path or query, like `https://login.example.com`.
    #[schemars(url)]
    origin: String,
}

fn view(domain: &Record) -> Domain {
    let (state, token, verified_at) = match &domain.stage {
        DomainStage::Pending { verification_token } => {
            ("pending", Some(verification_token.clone()), None)
        }
        DomainStage::Verified { verified_at } => ("verified", None, Some(*verified_at)),
    };
    Domain {
        id: domain.id.uuid(),
        origin: domain.origin.clone(),
        state,
        verification_record: token
            .is_some()
            .then(|| verification_record(&domain.origin))
            .flatten(),
        verification_url: token
            .is_some()
            .then(|| format!("{}{VERIFICATION_PATH}", domain.origin)),
        verification_token: token,
        verified_at,
        canonical: domain.canonical,
        created_at: domain.created_at,
    }
}

/// The flows call the field by its name at the command line.
fn in_words_of_the_api(error: AdminError) -> Refusal {
    match error {
        AdminError::Invalid { field, reason } if field == "domain" => AdminError::Invalid {
            field: "origin".to_owned(),
            reason,
        }
        .into(),
        error => error.into(),
    }
}

async fn find(call: &Call) -> Result<Record, Refusal> {
    let id: DomainId = call.id("domain")?;
    Ok(call.provider.load_domain_by_id(call.tenant(), id).await?)
}

async fn list(call: Call) -> Answer {
    let page = call
        .provider
        .list_domains(call.tenant(), call.page()?)
        .await?;
    Ok(call.list(page, view))
}

async fn create(call: Call) -> Answer {
    let new: NewDomain = call.json()?;
    let made = call
        .provider
        .add_domain(call.tenant(), &new.origin, &call.by_once()?)
        .await;
    let domain = match made {
        Err(AdminError::Repeated) => {
            let before = call.repeated(call.tenant()).await?;
            call.provider
                .load_domain_by_id(call.tenant(), DomainId::from(before.made))
                .await?
        }
        made => made.map_err(in_words_of_the_api)?,
    };
    Ok(call.made(
        &format!("/tenants/{}/domains/{}", call.tenant().slug(), domain.id),
        None,
        &view(&domain),
    ))
}

async fn get(call: Call) -> Answer {
    Ok(call.show(&view(&find(&call).await?)))
}

async fn verify(call: Call) -> Answer {
    let domain = find(&call).await?;
    call.provider
        .verify_domain(call.tenant(), &domain.origin, &call.by())
        .await?;
    get(call).await
}

async fn set_canonical(call: Call) -> Answer {
    let domain = find(&call).await?;
    call.provider
        .set_canonical_domain(call.tenant(), Some(&domain.origin), &call.by())
        .await?;
    get(call).await
}

async fn reset_canonical(call: Call) -> Answer {
    call.provider
        .set_canonical_domain(call.tenant(), None, &call.by())
        .await?;
    Ok(call.done())
}

async fn delete(call: Call) -> Answer {
    let domain = find(&call).await?;
    call.provider
        .remove_domain(call.tenant(), &domain.origin, &call.by())
        .await?;
    Ok(call.done())
}
