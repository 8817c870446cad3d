//! Who asks.

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::Section;
use crate::domain::role::Role;
use crate::flows::admin::{Area, Permission, Subject};
use crate::http::api::call::Call;
use crate::http::api::operation::Operation;

/// This section.
pub const SECTION: Section = Section {
    title: "Who asks",
    description: "What a token may do here.",
    operations: &[
        Operation::get("me", "/me", |call| Box::pin(async move { Ok(me(&call)) }))
            .says(
                "Who the token speaks for",
                "The tenant whose token it is, the roles there, and what they permit.",
            )
            .gives::<Caller>(),
    ],
};

/// Who a token speaks for.
#[derive(Serialize, JsonSchema)]
struct Caller {
    /// `user` or `client`.
    kind: &'static str,
    /// The identifier of the person or the client.
    id: Uuid,
    /// The slug of the tenant whose token it is.
    tenant: String,
    /// Whether it may do everything in every tenant.
    operator: bool,
    /// What is administered there.
    roles: Vec<Role>,
    /// What that permits, as `users:read`.
    permissions: Vec<String>,
}

fn me(call: &Call) -> HttpResponse {
    let principal = &call.principal;
    let (kind, id) = match principal.subject {
        Subject::User(id) => ("user", id.uuid()),
        Subject::Client(id) => ("client", id.uuid()),
    };
    let permissions = Area::ALL
        .into_iter()
        .flat_map(|area| [Permission::Read(area), Permission::Write(area)])
        .filter(|permission| principal.may(*permission))
        .map(|permission| permission.name())
        .collect();
    call.show(&Caller {
        kind,
        id,
        tenant: principal.home.slug().to_string(),
        operator: principal.is_operator(),
        roles: principal.roles.clone(),
        permissions,
    })
}
