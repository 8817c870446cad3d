//! Sessions of people.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use uuid::Uuid;

use super::Section;
use crate::clock::Timestamp;
use crate::domain::device_secret::DeviceSecret as Shared;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::session::Session as Record;
use crate::flows::admin::{Area, Permission};
use crate::http::api::answer::{Answer, Refusal};
use crate::http::api::call::Call;
use crate::http::api::operation::{Operation, Parameter};

/// This section.
pub const SECTION: Section = Section {
    title: "Sessions",
    description: "Where people are signed in.",
    operations: &[
        Operation::get("listSessions", "/tenants/{tenant}/sessions", |call| Box::pin(list(call)))
            .says("List a person's sessions", "Those that are alive, the newest first.")
            .needs(Permission::Read(Area::Sessions))
            .asks(&[Parameter { name: "user", description: "Whose.", required: true, schema: user }])
            .lists::<Session>(),
        Operation::delete("endSessions", "/tenants/{tenant}/sessions", |call| Box::pin(end_all(call)))
            .says("End all sessions of a person", "And everything that was granted in them, offline access too.")
            .needs(Permission::Write(Area::Sessions))
            .asks(&[Parameter { name: "user", description: "Whose.", required: true, schema: user }]),
        Operation::get("getSession", "/tenants/{tenant}/sessions/{session}", |call| Box::pin(get(call)))
            .says("Show a session", "One that has ended too, for a month.")
            .needs(Permission::Read(Area::Sessions))
            .gives::<Session>(),
        Operation::delete("endSession", "/tenants/{tenant}/sessions/{session}", |call| Box::pin(end(call)))
            .says("End a session", "And everything that was granted in it, offline access too. Nothing happens where it has ended already.")
            .needs(Permission::Write(Area::Sessions)),
        Operation::delete("unshareSession", "/tenants/{tenant}/sessions/{session}/device-secrets", |call| Box::pin(unshare(call)))
            .says("End a session's sharing", "No further application on the device signs in by it. The session goes on, and so do the tokens that applications have.")
            .needs(Permission::Write(Area::Sessions)),
    ],
};

/// A person signed in, in one browser.
#[derive(Serialize, JsonSchema)]
struct Session {
    /// Permanent; `sid` of the ID tokens.
    id: Uuid,
    /// Who.
    user_id: Uuid,
    /// When they signed in.
    auth_time: Timestamp,
    /// How (RFC 8176).
    amr: Vec<String>,
    /// The browser's word for itself.
    user_agent: String,
    /// From which address.
    address: String,
    /// When it was used last, to about five minutes.
    last_used_at: Timestamp,
    /// When it ends by itself at the latest.
    expires_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    /// The secrets by which applications on the device share it (OpenID Connect Native SSO).
    device_secrets: Vec<DeviceSecret>,
}

/// A secret by which the applications of a group on a device share a session.
#[derive(Serialize, JsonSchema)]
struct DeviceSecret {
    /// Permanent.
    id: Uuid,
    /// The application to which it was handed out.
    client_id: Uuid,
    /// When.
    created_at: Timestamp,
    /// When an application signed in by it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
}

/// A person's identifier.
fn user(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "uuid" })
}

fn view(session: &Record, shared: &[Shared]) -> Session {
    let own = shared.iter().filter(|one| one.session_id == session.id);
    Session {
        id: session.id.uuid(),
        user_id: session.user_id.uuid(),
        auth_time: session.auth_time,
        amr: session.amr.clone(),
        user_agent: session.user_agent.clone(),
        address: session.address.clone(),
        last_used_at: session.last_used_at,
        expires_at: session.expires_at,
        ended_at: session.ended_at,
        device_secrets: own
            .map(|one| DeviceSecret {
                id: one.id.uuid(),
                client_id: one.client_id.uuid(),
                created_at: one.created_at,
                last_used_at: one.last_used_at,
            })
            .collect(),
    }
}

/// The person whom the query names, and who is there.
pub(super) async fn named_user(call: &Call) -> Result<UserId, Refusal> {
    let id: UserId = call
        .parsed("user", "a UUID")?
        .ok_or_else(|| Refusal::parameter("user", "has to be named"))?;
    Ok(call.provider.load_user(call.tenant(), id).await?.id)
}

async fn list(call: Call) -> Answer {
    let user = named_user(&call).await?;
    let page = call
        .provider
        .list_sessions(call.tenant(), user, call.page()?)
        .await?;
    let ids = page.items.iter().map(|session| session.id).collect();
    let shared = call.provider.list_shared(call.tenant(), ids).await?;
    Ok(call.list(page, |session| view(session, &shared)))
}

async fn end_all(call: Call) -> Answer {
    let user = named_user(&call).await?;
    call.provider
        .end_sessions(call.tenant(), user, &call.by())
        .await?;
    Ok(call.done())
}

async fn find(call: &Call) -> Result<Record, Refusal> {
    let id: SessionId = call.id("session")?;
    Ok(call.provider.load_session(call.tenant(), id).await?)
}

async fn get(call: Call) -> Answer {
    let session = find(&call).await?;
    let shared = call
        .provider
        .list_shared(call.tenant(), vec![session.id])
        .await?;
    Ok(call.show(&view(&session, &shared)))
}

async fn unshare(call: Call) -> Answer {
    let session = find(&call).await?;
    call.provider
        .unshare_session(call.tenant(), &session, &call.by())
        .await?;
    Ok(call.done())
}

async fn end(call: Call) -> Answer {
    let session = find(&call).await?;
    call.provider
        .end_session(call.tenant(), &session, &call.by())
        .await?;
    Ok(call.done())
}
