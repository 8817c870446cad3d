//! What happened: the audit.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Section;
use crate::clock::Timestamp;
use crate::domain::audit::{Act, RecordedEvent};
use crate::domain::ids::EventId;
use crate::flows::admin::{Area, Permission};
use crate::http::api::answer::{Answer, Refusal};
use crate::http::api::call::Call;
use crate::http::api::operation::{Operation, Parameter};
use crate::storage::{EventFilter, Page};

/// This section.
pub const SECTION: Section = Section {
    title: "Events",
    description: "What happened, and who did it. Nothing here can be changed.",
    operations: &[
        Operation::get("listEvents", "/tenants/{tenant}/events", |call| {
            Box::pin(list(call))
        })
        .says("List events", "The newest first.")
        .needs(Permission::Read(Area::Events))
        .asks(&[
            Parameter {
                name: "act",
                description: "Only these acts.",
                required: false,
                schema: act,
            },
            Parameter {
                name: "user",
                description: "Only what concerns this person.",
                required: false,
                schema: identifier,
            },
            Parameter {
                name: "client",
                description: "Only what concerns this client.",
                required: false,
                schema: identifier,
            },
            Parameter {
                name: "since",
                description: "Only from this moment on.",
                required: false,
                schema: moment,
            },
            Parameter {
                name: "until",
                description: "Only before this moment.",
                required: false,
                schema: moment,
            },
        ])
        .lists::<AuditEvent>(),
        Operation::get("getEvent", "/tenants/{tenant}/events/{event}", |call| {
            Box::pin(get(call))
        })
        .says("Show an event", "")
        .needs(Permission::Read(Area::Events))
        .gives::<AuditEvent>(),
    ],
};

/// Something that happened.
#[derive(Serialize, JsonSchema)]
struct AuditEvent {
    /// Permanent, in the order of time.
    id: Uuid,
    /// When.
    at: Timestamp,
    /// What, as `user.created`.
    act: String,
    /// Who did it: `kind` is `user`, `client`, `operator`, `command_line`, `system` or `anonymous`, `id` names the first three.
    actor: Value,
    /// The person concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Uuid>,
    /// The client concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<Uuid>,
    /// The request, as the server's log names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Where the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Whatever else explains it.
    detail: Value,
}

fn identifier(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "uuid" })
}

fn moment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

fn act(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<_> = Act::ALL.iter().map(|act| act.as_str()).collect();
    json_schema!({ "type": "string", "enum": names })
}

fn view(event: &RecordedEvent) -> AuditEvent {
    AuditEvent {
        id: event.id.uuid(),
        at: event.at,
        act: event.act.clone(),
        actor: event.actor.clone(),
        user_id: event.user_id.map(Into::into),
        client_id: event.client_id.map(Into::into),
        request_id: event.request_id.clone(),
        address: event.address.clone(),
        detail: event.detail.clone(),
    }
}

/// A time that both databases know.
fn time(call: &Call, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
    let moment = call.parsed::<Timestamp>(name, "a time as of RFC 3339")?;
    match moment {
        Some(moment) if !EventFilter::may_be_asked(moment) => Err(Refusal::parameter(
            name,
            "must be a time of the years 0 to 9999",
        )),
        moment => Ok(moment),
    }
}

async fn list(call: Call) -> Answer {
    let act = match call.parameter("act") {
        None => None,
        Some(name) => Some(
            Act::parse(name)
                .ok_or_else(|| Refusal::parameter("act", "must be the name of an act"))?,
        ),
    };
    let filter = EventFilter {
        act,
        user_id: call.parsed("user", "a UUID")?,
        client_id: call.parsed("client", "a UUID")?,
        since: time(&call, "since")?,
        until: time(&call, "until")?,
    };
    let found = call
        .provider
        .list_events(call.tenant(), filter, call.page()?)
        .await?;
    let page = Page {
        items: found.events,
        next: found.next,
    };
    Ok(call.list(page, view))
}

async fn get(call: Call) -> Answer {
    let id: EventId = call.id("event")?;
    let found = call.provider.load_event(call.tenant(), id).await?;
    let event = found.events.first().ok_or_else(Refusal::not_found)?;
    Ok(call.show(&view(event)))
}
