//! What people allowed to applications.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use uuid::Uuid;

use super::Section;
use super::sessions::named_user;
use crate::clock::Timestamp;
use crate::domain::ids::{ClientId, UserId};
use crate::flows::admin::{Area, ConsentOf, Permission};
use crate::http::api::answer::{Answer, Refusal};
use crate::http::api::call::Call;
use crate::http::api::operation::{Operation, Parameter};

/// This section.
pub const SECTION: Section = Section {
    title: "Consents",
    description: "What people allowed to applications.",
    operations: &[
        Operation::get("listConsents", "/tenants/{tenant}/consents", |call| Box::pin(list(call)))
            .says("List a person's consents", "In the order of the applications' making.")
            .needs(Permission::Read(Area::Consents))
            .asks(&[Parameter { name: "user", description: "Whose.", required: true, schema: user }])
            .lists::<Consent>(),
        Operation::delete("withdrawConsent", "/tenants/{tenant}/consents/{user}/{client}", |call| Box::pin(withdraw(call)))
            .says("Withdraw a person's consent", "And everything that the application got by it. The person is asked again when they come back to it.")
            .needs(Permission::Write(Area::Consents)),
    ],
};

/// What a person allowed an application.
#[derive(Serialize, JsonSchema)]
struct Consent {
    /// Who.
    user_id: Uuid,
    /// To which client.
    client_id: Uuid,
    /// Its name.
    client_name: Option<String>,
    /// Everything that it may, wherever it counts, parted by spaces.
    scope: String,
    /// The APIs at which it may do some of it.
    resources: Vec<String>,
    /// When first.
    created_at: Timestamp,
    /// When last.
    updated_at: Timestamp,
}

/// A person's identifier.
fn user(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "uuid" })
}

fn view(of: &ConsentOf) -> Consent {
    let permissions = &of.consent.permissions;
    Consent {
        user_id: of.consent.user_id.uuid(),
        client_id: of.consent.client_id.uuid(),
        client_name: of.client.metadata.client_name.clone(),
        scope: permissions.scope().to_string(),
        resources: permissions.resources().map(ToOwned::to_owned).collect(),
        created_at: of.consent.created_at,
        updated_at: of.consent.updated_at,
    }
}

async fn list(call: Call) -> Answer {
    let user = named_user(&call).await?;
    let page = call
        .provider
        .list_consents(call.tenant(), user, call.page()?)
        .await?;
    Ok(call.list(page, view))
}

async fn withdraw(call: Call) -> Answer {
    let (user, client): (UserId, ClientId) = (call.id("user")?, call.id("client")?);
    let withdrawn = call
        .provider
        .withdraw_consent(call.tenant(), user, client, &call.by())
        .await?;
    if withdrawn {
        Ok(call.done())
    } else {
        Err(Refusal::not_found())
    }
}
