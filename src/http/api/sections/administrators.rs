//! Who administers.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::Section;
use crate::domain::ids::UserId;
use crate::domain::role::Role;
use crate::domain::user::User;
use crate::flows::admin::{Area, Permission};
use crate::http::api::answer::{Answer, Refusal};
use crate::http::api::call::Call;
use crate::http::api::operation::Operation;

/// This section.
pub const SECTION: Section = Section {
    title: "Administrators",
    description: "Who administers what: `administrator` everything of the tenant, `user-manager` people, `client-manager` applications and APIs, `auditor` reads all of it. An administrator of the tenant `system` is an operator.",
    operations: &[
        Operation::get("listAdministrators", "/tenants/{tenant}/administrators", |call| Box::pin(list(call)))
            .says("List whoever administers something", "In the order of their making.")
            .needs(Permission::Read(Area::Administrators))
            .lists::<Administrator>(),
        Operation::put("grantRole", "/tenants/{tenant}/administrators/{user}/roles/{role}", |call| Box::pin(grant(call)))
            .says("Grant a role", "Counts at once, for tokens that are out too. With it ends that by which somebody with less power could become them: names at issuers, links that a user manager made, and a password that a user manager chose or made the link for, with its sessions; make a link then. Nothing happens where it is held already.")
            .needs(Permission::Write(Area::Administrators)),
        Operation::delete("revokeRole", "/tenants/{tenant}/administrators/{user}/roles/{role}", |call| Box::pin(revoke(call)))
            .says("Take a role away", "Counts at once. Nothing happens where it isn't held. `administrator` is refused (409) where nobody else would be left who holds it and can sign in (has a password and isn't disabled), unless an operator asks.")
            .needs(Permission::Write(Area::Administrators)),
    ],
};

/// Somebody who administers.
#[derive(Serialize, JsonSchema)]
struct Administrator {
    /// Who.
    user_id: Uuid,
    /// Their address.
    email: String,
    /// Their name.
    name: Option<String>,
    /// Whether they can sign in.
    active: bool,
    /// What they administer.
    roles: Vec<Role>,
}

fn view(user: &User) -> Administrator {
    Administrator {
        user_id: user.id.uuid(),
        email: user.email.to_string(),
        name: user.claims.name.clone(),
        active: user.is_active(),
        roles: user.roles.clone(),
    }
}

async fn list(call: Call) -> Answer {
    let page = call
        .provider
        .list_administrators(call.tenant(), call.page()?)
        .await?;
    Ok(call.list(page, view))
}

async fn find(call: &Call) -> Result<(User, Role), Refusal> {
    let (id, role): (UserId, Role) = (call.id("user")?, call.id("role")?);
    Ok((call.provider.load_user(call.tenant(), id).await?, role))
}

async fn grant(call: Call) -> Answer {
    let (user, role) = find(&call).await?;
    call.provider
        .grant_role(call.tenant(), &user, role, &call.by())
        .await?;
    Ok(call.done())
}

async fn revoke(call: Call) -> Answer {
    let (user, role) = find(&call).await?;
    call.provider
        .revoke_role(call.tenant(), &user, role, &call.by())
        .await?;
    Ok(call.done())
}
