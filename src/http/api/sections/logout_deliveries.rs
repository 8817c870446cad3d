//! Logout tokens on their way to clients (OpenID Connect Back-Channel Logout), and what goes by the same queue: what is to be told of backchannel
//! authentication requests (OpenID Connect CIBA).

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use uuid::Uuid;

use super::Section;
use crate::clock::Timestamp;
use crate::domain::ids::LogoutDeliveryId;
use crate::domain::logout_delivery::{DeliveryKind, DeliveryState, LogoutDelivery as Record};
use crate::flows::admin::{Area, Permission};
use crate::http::api::answer::{Answer, Refusal};
use crate::http::api::call::Call;
use crate::http::api::operation::{Operation, Parameter};

/// This section.
pub const SECTION: Section = Section {
    title: "Logout deliveries",
    description: "When a session ends, each client that was used in it and has a `backchannel_logout_uri` is sent a logout token. One that doesn't answer is tried again for a day, at growing distances. What is to be told of backchannel authentication requests goes the same way, and is tried for an hour: that there is something to be had, tokens, and that a person is asked.",
    operations: &[
        Operation::get(
            "listLogoutDeliveries",
            "/tenants/{tenant}/logout-deliveries",
            |call| Box::pin(list(call)),
        )
        .says(
            "List logout deliveries",
            "The newest first. Delivered ones are kept for a day, failed ones for thirty.",
        )
        .needs(Permission::Read(Area::Clients))
        .asks(&[Parameter {
            name: "state",
            description: "Only those in this state.",
            required: false,
            schema: state,
        }])
        .lists::<LogoutDelivery>(),
        Operation::get(
            "getLogoutDelivery",
            "/tenants/{tenant}/logout-deliveries/{logout_delivery}",
            |call| Box::pin(get(call)),
        )
        .says("Show a logout delivery", "")
        .needs(Permission::Read(Area::Clients))
        .gives::<LogoutDelivery>(),
        Operation::post(
            "retryLogoutDelivery",
            "/tenants/{tenant}/logout-deliveries/{logout_delivery}/retry",
            |call| Box::pin(retry(call)),
        )
        .says(
            "Try a logout delivery again",
            "At once. One that is older than a day, or than an hour where it isn't of a sign-out, fails for good where that doesn't succeed either; one that was delivered is refused.",
        )
        .needs(Permission::Write(Area::Clients))
        .gives::<LogoutDelivery>(),
    ],
};

/// Something that is to be delivered, or was, or couldn't be.
#[derive(Serialize, JsonSchema)]
struct LogoutDelivery {
    /// Permanent.
    id: Uuid,
    /// What it is.
    kind: DeliveryKind,
    /// Who is told; of a notice to a person, whose request it is about.
    client_id: Uuid,
    /// Which session ended: `sid` of the ID tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Uuid>,
    /// Which backchannel authentication request it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Uuid>,
    /// `iss` of the token.
    issuer: String,
    /// Where it stands.
    state: DeliveryState,
    /// How often it was tried.
    attempts: u32,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Timestamp>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// When the session ended, or there was something to tell.
    created_at: Timestamp,
    /// When it was delivered or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
}

fn state(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": DeliveryState::ALL.map(DeliveryState::as_str) })
}

fn view(delivery: &Record) -> LogoutDelivery {
    LogoutDelivery {
        id: delivery.id.uuid(),
        client_id: delivery.client_id.uuid(),
        kind: delivery.kind,
        session_id: (delivery.kind == DeliveryKind::Logout).then(|| delivery.session_id.uuid()),
        request_id: delivery.request_id.map(|id| id.uuid()),
        issuer: delivery.issuer.clone(),
        state: delivery.state,
        attempts: delivery.attempts,
        next_attempt_at: delivery.due_at.filter(|_| !delivery.claimed),
        last_error: delivery.last_error.clone(),
        created_at: delivery.created_at,
        ended_at: delivery.ended_at,
    }
}

async fn list(call: Call) -> Answer {
    let state =
        match call.parameter("state") {
            None => None,
            Some(name) => Some(DeliveryState::parse(name).ok_or_else(|| {
                Refusal::parameter("state", "must be pending, delivered or failed")
            })?),
        };
    let page = call
        .provider
        .list_logout_deliveries(call.tenant(), state, call.page()?)
        .await?;
    Ok(call.list(page, view))
}

async fn get(call: Call) -> Answer {
    let id: LogoutDeliveryId = call.id("logout_delivery")?;
    let found = call
        .provider
        .load_logout_delivery(call.tenant(), id)
        .await?;
    Ok(call.show(&view(&found)))
}

async fn retry(call: Call) -> Answer {
    let id: LogoutDeliveryId = call.id("logout_delivery")?;
    let retried = call
        .provider
        .retry_logout_delivery(call.tenant(), id, &call.by())
        .await?;
    Ok(call.show(&view(&retried)))
}
