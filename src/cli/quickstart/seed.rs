//! What quickstart makes: two tenants that look alike, each with people, clients and an API, and operators of the installation.

use std::sync::Arc;

use serde_json::{Value, json};

use super::demo::DemoApp;
use super::memory::{Credentials, Document, OperatorEntry, TenantEntry};
use crate::clock::Clock;
use crate::domain::resource::ResourceScope;
use crate::domain::role::Role;
use crate::domain::tenant::SYSTEM_SLUG;
use crate::flows::admin::{AdminError, By, NewResource, NewUser};
use crate::flows::{Provider, Tenant};
use crate::protocol::claims::StandardClaims;
use crate::protocol::client_metadata::ClientMetadata;
use crate::protocol::email::EmailAddress;
use crate::secret::PlainSecret;

/// The scope that the demo API asks for.
pub const API_SCOPE: &str = "hello:read";

/// Slug, name, and the ordinary person of each tenant.
const TENANTS: [(&str, &str, &str, &str); 2] = [
    ("acme", "Acme Rockets", "Ana", "Acosta"),
    ("globex", "Globex Corporation", "Gil", "Garcia"),
];

/// The audience of a tenant's part of the demo API.
pub fn audience(demo: &DemoApp, slug: &str) -> String {
    format!("{}/api/{slug}", demo.url())
}

/// Makes everything and says what it was.
pub async fn seed(provider: &Provider, demo: &DemoApp) -> Result<Document, AdminError> {
    let by = By::command_line();
    let mut tenants = Vec::new();
    for (slug, name, given_name, family_name) in TENANTS {
        let tenant = provider.create_tenant(slug, name, &by).await?;
        tenants.push(TenantEntry {
            slug: slug.to_owned(),
            name: name.to_owned(),
            issuer: tenant.issuers[0].to_string(),
            users: people(provider, &tenant, given_name, family_name, &by).await?,
            clients: clients(provider, &tenant, demo, &by).await?,
        });
    }
    Ok(Document {
        tenants,
        operator: operator(provider, &by).await?,
        demo_app: demo.url().to_owned(),
        console: console(provider),
    })
}

/// Where operators administer the installation.
fn console(provider: &Provider) -> String {
    format!("{}/console", provider.config.public_url.issuer(SYSTEM_SLUG))
}

/// A password that nobody else has: five groups of letters that are told apart easily.
fn invent_password(clock: &Clock) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let random = clock.random_bytes::<20>();
    let groups = random.chunks(4).map(|group| {
        group
            .iter()
            .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
            .collect::<String>()
    });
    groups.collect::<Vec<_>>().join("-")
}

async fn person(
    provider: &Provider,
    tenant: &Tenant,
    email: &str,
    claims: Value,
    roles: Vec<Role>,
    by: &By,
) -> Result<Credentials, AdminError> {
    let password = invent_password(&provider.clock);
    let address = EmailAddress::parse(email).map_err(|error| invalid("email", &error))?;
    let claims: StandardClaims =
        serde_json::from_value(claims).map_err(|error| invalid("claims", &error))?;
    let named: Vec<String> = roles.iter().map(ToString::to_string).collect();
    let new = NewUser {
        email_verified: true,
        password: Some(PlainSecret::new(password.clone())),
        claims,
        roles,
        ..NewUser::new(address)
    };
    provider.create_user(tenant, new, by).await?;
    Ok(Credentials {
        email: email.to_owned(),
        password,
        roles: named,
    })
}

async fn people(
    provider: &Provider,
    tenant: &Tenant,
    given_name: &str,
    family_name: &str,
    by: &By,
) -> Result<Vec<Credentials>, AdminError> {
    let slug = tenant.slug().as_str();
    let ordinary = json!({
        "name": format!("{given_name} {family_name}"), "given_name": given_name, "family_name": family_name,
        "locale": "en-GB", "zoneinfo": "Europe/Copenhagen",
        "address": { "locality": "Aarhus", "country": "Denmark" }, "phone_number": "+4587123456",
    });
    let email = format!("{}@{slug}.example", given_name.to_lowercase());
    Ok(vec![
        person(provider, tenant, &email, ordinary, Vec::new(), by).await?,
        person(
            provider,
            tenant,
            &format!("admin@{slug}.example"),
            json!({ "name": "Alex Admin" }),
            vec![Role::Administrator],
            by,
        )
        .await?,
    ])
}

async fn clients(
    provider: &Provider,
    tenant: &Arc<Tenant>,
    demo: &DemoApp,
    by: &By,
) -> Result<Vec<Value>, AdminError> {
    let slug = tenant.slug().as_str().to_owned();
    let audience = audience(demo, &slug);
    let scope = ResourceScope {
        name: API_SCOPE.to_owned(),
        description: Some("Let the demo API greet you".to_owned()),
    };
    let api = NewResource {
        identifier: audience.clone(),
        name: Some("Demo API".to_owned()),
        scopes: vec![scope],
        details_types: Vec::new(),
    };
    provider.create_resource(tenant, api, by).await?;
    // With its resource.
    let tenant = &provider.load_tenant_named(&slug).await?;
    let standard = "openid profile email address phone offline_access";
    let all = [
        json!({
            "client_name": "Demo application", "client_uri": demo.url(),
            "redirect_uris": [demo.redirect_uri(&slug)], "post_logout_redirect_uris": [demo.post_logout_redirect_uri(&slug)],
            "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "client_secret_basic",
            "scope": format!("{standard} {API_SCOPE}"),
        }),
        json!({
            "client_name": "Single-page application", "token_endpoint_auth_method": "none",
            "redirect_uris": ["http://localhost:5173/callback"], "post_logout_redirect_uris": ["http://localhost:5173/"],
            "grant_types": ["authorization_code", "refresh_token"], "scope": format!("{standard} {API_SCOPE}"),
        }),
        json!({
            "client_name": "Nightly job", "token_endpoint_auth_method": "client_secret_basic",
            "grant_types": ["client_credentials"], "response_types": [], "scope": API_SCOPE, "default_audience": audience,
        }),
    ];
    let mut registered = Vec::new();
    for metadata in all {
        let metadata =
            ClientMetadata::from_json(metadata).map_err(|error| invalid("metadata", &error))?;
        let client = provider.create_client(tenant, metadata, by).await?;
        registered.push(client.response());
    }
    Ok(registered)
}

async fn operator(provider: &Provider, by: &By) -> Result<OperatorEntry, AdminError> {
    let system = provider.ensure_system_tenant().await?;
    let program = provider
        .create_operator_program("Quickstart operator", by)
        .await?;
    let email = "operator@system.example";
    let user = person(
        provider,
        &system,
        email,
        json!({ "name": "Olga Operator" }),
        vec![Role::Administrator],
        by,
    )
    .await?;
    Ok(OperatorEntry {
        client_id: program.client.id.to_string(),
        client_secret: program
            .secret
            .as_ref()
            .map(|secret| secret.expose().to_owned())
            .unwrap_or_default(),
        issuer: system.issuers[0].to_string(),
        users: vec![user],
    })
}

fn invalid(field: &str, error: &impl std::fmt::Display) -> AdminError {
    AdminError::Invalid {
        field: field.to_owned(),
        reason: error.to_string(),
    }
}
