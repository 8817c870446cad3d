//! People.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Section;
use crate::clock::Timestamp;
use crate::domain::ids::UserId;
use crate::domain::role::Role;
use crate::domain::user::{User as Record, UserStatus};
use crate::flows::admin::{AdminError, Area, CreatedUser, IssuedLink, NewUser as New, Permission};
use crate::http::api::answer::{Answer, Refusal};
use crate::http::api::call::Call;
use crate::http::api::operation::{Operation, Parameter, search_text};
use crate::protocol::claims::StandardClaims;
use crate::protocol::email::{EmailAddress, InvalidEmail};
use crate::secret::PlainSecret;

/// This section.
pub const SECTION: Section = Section {
    title: "People",
    description: "Who signs in. Nothing tells a password or its hash.",
    operations: &[
        Operation::get("listUsers", "/tenants/{tenant}/users", |call| Box::pin(list(call)))
            .says("List people", "In the order of their making.")
            .needs(Permission::Read(Area::Users))
            .asks(&[Parameter { name: "search", description: "A part of the email address or of the name.", required: false, schema: search_text }])
            .lists::<User>(),
        Operation::post("createUser", "/tenants/{tenant}/users", |call| Box::pin(create(call)))
            .says("Make a person", "Without a password the answer holds a one-time link by which they set one; it is shown this once.")
            .needs(Permission::Write(Area::Users))
            .takes::<NewUser>()
            .makes::<MadeUser>()
            .tagged(),
        Operation::get("getUser", "/tenants/{tenant}/users/{user}", |call| Box::pin(get(call)))
            .says("Show a person", "")
            .needs(Permission::Read(Area::Users))
            .gives::<User>()
            .tagged(),
        Operation::patch::<UserChange>("updateUser", "/tenants/{tenant}/users/{user}", |call| Box::pin(update(call)))
            .says("Change a person", "Roles are under administrators, the password is the person's own.")
            .needs(Permission::Write(Area::Users))
            .gives::<User>(),
        Operation::delete("deleteUser", "/tenants/{tenant}/users/{user}", |call| Box::pin(delete(call)))
            .says("Delete a person", "With their sessions, consents and grants, for good. The last administrator is refused (409), unless an operator asks.")
            .needs(Permission::Write(Area::Users)),
        Operation::post("disableUser", "/tenants/{tenant}/users/{user}/disable", |call| Box::pin(disable(call)))
            .says("Disable a person", "Ends their sessions and revokes what they granted. Nothing happens where they are disabled already. The last administrator is refused (409), unless an operator asks.")
            .needs(Permission::Write(Area::Users))
            .gives::<User>()
            .tagged(),
        Operation::post("enableUser", "/tenants/{tenant}/users/{user}/enable", |call| Box::pin(enable(call)))
            .says("Enable a person", "Nothing happens where they are active already.")
            .needs(Permission::Write(Area::Users))
            .gives::<User>()
            .tagged(),
        Operation::delete("removeRequestCode", "/tenants/{tenant}/users/{user}/request-code", |call| Box::pin(remove_request_code(call)))
            .says("Remove a person's code for requests", "The code (`user_code`) without which no application asks them by the back channel. Nothing happens where they have none; setting one is the person's own.")
            .needs(Permission::Write(Area::Users)),
        Operation::post("resetPassword", "/tenants/{tenant}/users/{user}/reset-password", |call| Box::pin(reset(call)))
            .says("Let a person set another password", "The answer holds a one-time link, shown this once. The present password holds until it is used.")
            .needs(Permission::Write(Area::Users))
            .gives::<OneTimeLink>(),
    ],
};

/// A person.
#[derive(Serialize, JsonSchema)]
struct User {
    /// Permanent; `sub` of their tokens unless the client's subjects are pairwise.
    id: Uuid,
    /// The address that they sign in with.
    email: String,
    /// Whether the address is known to be theirs.
    email_verified: bool,
    /// `active` or `disabled`.
    status: &'static str,
    /// Since when they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<Timestamp>,
    /// Whether they have set a password.
    has_password: bool,
    /// What they administer.
    roles: Vec<Role>,
    /// What the standard claims say of them.
    claims: StandardClaims,
    /// Grows with every change.
    version: i64,
    /// When they were made.
    created_at: Timestamp,
    /// When they were changed last.
    updated_at: Timestamp,
}

/// A link by which a person sets a password, good once.
#[derive(Serialize, JsonSchema)]
struct OneTimeLink {
    /// Whoever opens it sets the password: hand it over by a way on which nobody else reads.
    url: String,
    /// Until when it is good.
    expires_at: Timestamp,
}

/// A person who was made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreatedUser")]
struct MadeUser {
    #[serde(flatten)]
    user: User,
    /// Where no password was given; in the answer to a repeated request for as long as something is known of the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<OneTimeLink>,
}

/// A person to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// The address that they sign in with.
    #[schemars(email, length(max = 254))]
    email: String,
    /// Whether the address is known to be theirs.
    #[serde(default)]
    email_verified: bool,
    /// A password that the tenant's policy accepts; without it they get a link to set one.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    password: Option<String>,
    /// What they administer; nobody gives what they haven't got.
    #[serde(default)]
    roles: Vec<Role>,
    /// What the standard claims say of them.
    #[serde(default)]
    claims: StandardClaims,
}

/// What can be changed of a person.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    /// The address that they sign in with.
    #[schemars(email, length(max = 254))]
    email: String,
    /// Whether the address is known to be theirs. Another address is not, unless the same patch says so; one that differs in capitals alone is
    /// the same.
    #[serde(default)]
    email_verified: bool,
    /// What the standard claims say of them.
    #[serde(default)]
    claims: StandardClaims,
}

fn view(user: &Record) -> User {
    let (status, disabled_at) = match user.status {
        UserStatus::Active => ("active", None),
        UserStatus::Disabled { since } => ("disabled", Some(since)),
    };
    User {
        id: user.id.uuid(),
        email: user.email.to_string(),
        email_verified: user.email_verified,
        status,
        disabled_at,
        has_password: user.password.is_some(),
        roles: user.roles.clone(),
        claims: user.claims.clone(),
        version: user.version,
        created_at: user.created_at,
        updated_at: user.updated_at,
    }
}

fn link(issued: &IssuedLink) -> OneTimeLink {
    OneTimeLink {
        url: issued.url.expose().to_owned(),
        expires_at: issued.expires_at,
    }
}

fn email(text: &str) -> Result<EmailAddress, Refusal> {
    EmailAddress::parse(text).map_err(|error: InvalidEmail| {
        Refusal::new("invalid_value", error.to_string()).at("/email".to_owned())
    })
}

async fn find(call: &Call) -> Result<Record, Refusal> {
    let id: UserId = call.id("user")?;
    Ok(call.provider.load_user(call.tenant(), id).await?)
}

async fn list(call: Call) -> Answer {
    let search = call.search()?;
    let page = call
        .provider
        .list_users(call.tenant(), search, call.page()?)
        .await?;
    Ok(call.list(page, view))
}

async fn create(call: Call) -> Answer {
    let new: NewUser = call.json()?;
    let new = New {
        email: email(&new.email)?,
        email_verified: new.email_verified,
        password: new.password.map(PlainSecret::new),
        claims: new.claims,
        roles: new.roles,
    };
    let made = match call
        .provider
        .create_user(call.tenant(), new, &call.by_once()?)
        .await
    {
        Err(AdminError::Repeated) => before(&call).await?,
        made => made?,
    };
    Ok(call.made(
        &format!("/tenants/{}/users/{}", call.tenant().slug(), made.user.id),
        Some(made.user.version),
        &MadeUser {
            user: view(&made.user),
            link: made.link.as_ref().map(link),
        },
    ))
}

/// What the same request made before.
async fn before(call: &Call) -> Result<CreatedUser, Refusal> {
    let tenant = call.tenant();
    let before = call.repeated(tenant).await?;
    let user = call
        .provider
        .load_user(tenant, UserId::from(before.made))
        .await?;
    let link = match before.secret {
        Some(url) => call.provider.find_issued_link(tenant, url).await?,
        None => None,
    };
    Ok(CreatedUser { user, link })
}

async fn get(call: Call) -> Answer {
    let user = find(&call).await?;
    Ok(call.show_version(user.version, &view(&user)))
}

async fn update(call: Call) -> Answer {
    let mut user = find(&call).await?;
    call.check_version(user.version)?;
    let changed: UserChange = call.patched(&UserChange {
        email: user.email.to_string(),
        email_verified: user.email_verified,
        claims: user.claims.clone(),
    })?;
    let said = call.patches("email_verified")?;
    user.claims = changed.claims;
    let user = user.with_address(
        email(&changed.email)?,
        said.then_some(changed.email_verified),
    );
    let user = call
        .provider
        .update_user(call.tenant(), user, &call.by())
        .await?;
    Ok(call.show_version(user.version, &view(&user)))
}

async fn delete(call: Call) -> Answer {
    let user = find(&call).await?;
    call.provider
        .delete_user(call.tenant(), &user, &call.by())
        .await?;
    Ok(call.done())
}

async fn disable(call: Call) -> Answer {
    let user = find(&call).await?;
    call.provider
        .disable_user(call.tenant(), user.id, &call.by())
        .await?;
    get(call).await
}

async fn enable(call: Call) -> Answer {
    let user = find(&call).await?;
    call.provider
        .enable_user(call.tenant(), user.id, &call.by())
        .await?;
    get(call).await
}

async fn remove_request_code(call: Call) -> Answer {
    let user = find(&call).await?;
    call.provider
        .remove_request_code(call.tenant(), user.id, &call.by())
        .await?;
    Ok(call.done())
}

async fn reset(call: Call) -> Answer {
    let user = find(&call).await?;
    let issued = call
        .provider
        .reset_password(call.tenant(), &user, &call.by())
        .await?;
    Ok(call.show(&link(&issued)))
}
