//! The tokens by which clients may be registered (RFC 7591 §3), as `client` lists, ends and tells of them.

use serde_json::json;

use super::open;
use super::output::{Failure, Listing, Report, fields, list, moment};
use crate::config::Flags;
use crate::domain::ids::InitialAccessTokenId;
use crate::domain::settings::RegistrationPolicy;
use crate::flows::Tenant;
use crate::flows::admin::{By, IssuedInitialAccessToken};
use crate::protocol::discovery::paths;

/// The tokens by which clients may be registered.
pub(super) async fn initial_access_tokens(
    tenant: &str,
    listing: Listing,
    flags: Flags,
) -> Result<Report, Failure> {
    let provider = open::command(flags).await?;
    let tenant = provider.load_tenant_named(tenant).await?;
    let page = listing
        .collect(async |page| provider.list_initial_access_tokens(&tenant, page).await)
        .await?;
    let rows = page
        .items
        .iter()
        .map(|token| {
            vec![
                token.id.to_string(),
                token.name.clone(),
                format!("{}/{}", token.uses, token.max_uses),
                moment(token.expires_at),
            ]
        })
        .collect::<Vec<_>>();
    let page = page.map(|token| {
        json!({
            "id": token.id, "name": token.name, "uses": token.uses, "max_uses": token.max_uses,
            "created_at": token.created_at, "expires_at": token.expires_at,
        })
    });
    Ok(list(
        "initial_access_tokens",
        &page,
        &["ID", "NAME", "USED", "GOOD UNTIL"],
        &rows,
        "This tenant has no initial access tokens.",
    ))
}

/// Ends one of them.
pub(super) async fn revoke_initial_access_token(
    tenant: &str,
    token_id: InitialAccessTokenId,
    flags: Flags,
) -> Result<Report, Failure> {
    let provider = open::command(flags).await?;
    let tenant = provider.load_tenant_named(tenant).await?;
    provider
        .revoke_initial_access_token(&tenant, token_id, &By::command_line())
        .await?;
    let text = format!(
        "The token {token_id} is revoked: no client can be registered with it any more. Those that were stay."
    );
    Ok(Report::new(json!({ "revoked": { "id": token_id } }), text))
}

/// A token that was made, and what to do with it.
pub(super) fn initial_access_token(made: &IssuedInitialAccessToken, tenant: &Tenant) -> Report {
    let IssuedInitialAccessToken { record, token } = made;
    let endpoint = format!("{}{}", tenant.canonical, paths::REGISTER);
    let closed = tenant.settings().registration == RegistrationPolicy::Closed;
    let document = json!({
        "id": record.id, "name": record.name, "token": token.expose(), "registration_endpoint": endpoint,
        "max_uses": record.max_uses, "expires_at": record.expires_at,
    });
    let mut text = fields(&[
        ("registration endpoint", endpoint),
        ("initial access token", token.expose().to_owned()),
        ("clients", record.max_uses.to_string()),
        ("good until", moment(record.expires_at)),
    ]);
    text.push_str("\nThe token is shown this once.\n");
    if closed {
        text.push_str("The tenant's setting `registration` is `closed`: nothing can be registered before it is `token` or `open`.\n");
    }
    Report::new(document, text)
}
