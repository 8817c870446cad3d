//! Initial access tokens, by which clients register themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Section;
use crate::clock::Timestamp;
use crate::domain::ids::InitialAccessTokenId;
use crate::domain::initial_access_token::{InitialAccessToken as Record, LIFETIME, MAX_USES};
use crate::flows::admin::{
    AdminError, Area, IssuedInitialAccessToken, NewInitialAccessToken, Permission,
};
use crate::http::api::answer::{Answer, Refusal};
use crate::http::api::call::Call;
use crate::http::api::operation::Operation;

/// This section.
pub const SECTION: Section = Section {
    title: "Initial access tokens",
    description: "Whoever holds one may register clients at the tenant's registration endpoint (RFC 7591), where the setting `registration` is `token` or `open`.",
    operations: &[
        Operation::get(
            "listInitialAccessTokens",
            "/tenants/{tenant}/initial-access-tokens",
            |call| Box::pin(list(call)),
        )
        .says(
            "List initial access tokens",
            "In the order of their making; used and expired ones too, for a month.",
        )
        .needs(Permission::Read(Area::Clients))
        .lists::<InitialAccessToken>(),
        Operation::post(
            "createInitialAccessToken",
            "/tenants/{tenant}/initial-access-tokens",
            |call| Box::pin(create(call)),
        )
        .says(
            "Make an initial access token",
            "The answer holds it this once. A client that is registered with it may use `client_credentials` too.",
        )
        .needs(Permission::Write(Area::Clients))
        .takes::<Wanted>()
        .makes::<InitialAccessToken>(),
        Operation::get(
            "getInitialAccessToken",
            "/tenants/{tenant}/initial-access-tokens/{initial_access_token}",
            |call| Box::pin(get(call)),
        )
        .says(
            "Show an initial access token",
            "Without the token itself, which nobody can read.",
        )
        .needs(Permission::Read(Area::Clients))
        .gives::<InitialAccessToken>(),
        Operation::delete(
            "deleteInitialAccessToken",
            "/tenants/{tenant}/initial-access-tokens/{initial_access_token}",
            |call| Box::pin(delete(call)),
        )
        .says(
            "Revoke an initial access token",
            "Clients that were registered with it stay.",
        )
        .needs(Permission::Write(Area::Clients)),
    ],
};

/// An initial access token.
#[derive(Serialize, JsonSchema)]
struct InitialAccessToken {
    /// Permanent.
    id: Uuid,
    /// What it is for.
    name: String,
    /// The token, shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// How many clients were registered with it.
    uses: u32,
    /// How many may be.
    max_uses: u32,
    /// When it was made.
    created_at: Timestamp,
    /// Until when it is good.
    expires_at: Timestamp,
}

/// An initial access token to be made.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewInitialAccessToken")]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// What it is for.
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// How many clients may be registered with it; 1 unless told.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = MAX_USES))]
    max_uses: u32,
    /// For how many seconds it is good; a week unless told.
    #[serde(default = "week")]
    #[schemars(range(min = *LIFETIME.start(), max = *LIFETIME.end()))]
    expires_in: u32,
}

fn one() -> u32 {
    NewInitialAccessToken::for_one(String::new()).max_uses
}

fn week() -> u32 {
    NewInitialAccessToken::for_one(String::new()).lifetime
}

fn view(record: &Record) -> InitialAccessToken {
    InitialAccessToken {
        id: record.id.uuid(),
        name: record.name.clone(),
        token: None,
        uses: record.uses,
        max_uses: record.max_uses,
        created_at: record.created_at,
        expires_at: record.expires_at,
    }
}

async fn find(call: &Call) -> Result<Record, Refusal> {
    let id: InitialAccessTokenId = call.id("initial_access_token")?;
    Ok(call
        .provider
        .load_initial_access_token(call.tenant(), id)
        .await?)
}

async fn list(call: Call) -> Answer {
    let page = call
        .provider
        .list_initial_access_tokens(call.tenant(), call.page()?)
        .await?;
    Ok(call.list(page, view))
}

async fn create(call: Call) -> Answer {
    let wanted: Wanted = call.json()?;
    let new = NewInitialAccessToken {
        name: wanted.name,
        max_uses: wanted.max_uses,
        lifetime: wanted.expires_in,
    };
    let made = call
        .provider
        .create_initial_access_token(call.tenant(), new, &call.by_once()?)
        .await;
    let (record, token) = match made {
        Err(AdminError::Repeated) => {
            let before = call.repeated(call.tenant()).await?;
            let id = InitialAccessTokenId::from(before.made);
            let record = call
                .provider
                .load_initial_access_token(call.tenant(), id)
                .await?;
            (record, before.secret)
        }
        made => {
            let IssuedInitialAccessToken { record, token } = made?;
            (record, Some(token))
        }
    };
    let path = format!(
        "/tenants/{}/initial-access-tokens/{}",
        call.tenant().slug(),
        record.id
    );
    let document = InitialAccessToken {
        token: token.map(|token| token.expose().to_owned()),
        ..view(&record)
    };
    Ok(call.made(&path, None, &document))
}

async fn get(call: Call) -> Answer {
    let record = find(&call).await?;
    Ok(call.show(&view(&record)))
}

async fn delete(call: Call) -> Answer {
    let id: InitialAccessTokenId = call.id("initial_access_token")?;
    call.provider
        .revoke_initial_access_token(call.tenant(), id, &call.by())
        .await?;
    Ok(call.done())
}
