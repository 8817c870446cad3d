//! Somebody who administers the tenant `acme` and is signed in there, in one browser.

use chrono::TimeDelta;
use tessera::domain::ids::{SessionId, UserId};
use tessera::domain::role::Role;
use tessera::domain::session::Session;
use tessera::domain::user::{User, UserStatus};
use tessera::flows::Provider;
use tessera::flows::tenancy::Tenant;
use tessera::protocol::email::EmailAddress;
use tessera::secret::{Handle, Purpose};

use super::world::{Answer, World};

/// What the browser's part of CSRF tokens is made of: 32 bytes of zero.
const SEED: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Makes the person and the session; returns the session's cookie.
pub async fn begin(provider: &Provider, tenant: &Tenant) -> String {
    let now = provider.now();
    let user = User {
        id: UserId::from(provider.clock.uuid_v7()),
        email: EmailAddress::parse("grace@acme.example").expect("an address"),
        email_verified: true,
        status: UserStatus::Active,
        claims: serde_json::from_str(r#"{"name":"Grace Example"}"#).expect("claims"),
        password: None,
        roles: Vec::new(),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let handle = Handle::generate(&provider.clock);
    let session = Session {
        id: SessionId::from(handle.id()),
        user_id: user.id,
        proof: handle.hash(tenant.handle_key(), Purpose::Session),
        auth_time: now,
        amr: vec!["pwd".to_owned()],
        user_agent: String::new(),
        address: "127.0.0.1".to_owned(),
        last_used_at: now,
        expires_at: now + TimeDelta::days(30),
        ended_at: None,
        lineage: SessionId::from(handle.id()),
    };
    let write = provider.db.write(tenant, move |repo| {
        repo.insert_user(&user)?;
        repo.grant_role(user.id, Role::Administrator)?;
        repo.insert_session(&session)
    });
    write.await.expect("somebody is signed in");
    handle.to_text(Purpose::Session).expose().to_owned()
}

/// Enters the console; returns what stands in inputs for the browser's cookies, and for the tokens of its forms.
pub fn words(world: &World, session: &str) -> Vec<(&'static str, String)> {
    let mut cookies = vec![
        ("tessera_session".to_owned(), session.to_owned()),
        ("tessera_csrf".to_owned(), SEED.to_owned()),
    ];
    let console = visit(world, &mut cookies, "/t/acme/console");
    let account = visit(world, &mut cookies, "/t/acme/account/password");
    let field: Vec<String> = cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    vec![
        ("{cookies}", field.join("; ")),
        ("{console}", csrf(&console)),
        ("{account}", csrf(&account)),
    ]
}

/// Follows redirects within the server, and keeps the cookies that come.
fn visit(world: &World, cookies: &mut Vec<(String, String)>, path: &str) -> Answer {
    let mut path = path.to_owned();
    for _ in 0..10 {
        let field: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: text/html\r\nCookie: {}\r\n\r\n",
            field.join("; ")
        );
        let answer = world.send(request.as_bytes());
        for (name, value) in &answer.fields {
            if name == "set-cookie"
                && let Some((name, value)) = value
                    .split(';')
                    .next()
                    .and_then(|pair| pair.split_once('='))
            {
                cookies.retain(|(own, _)| own != name);
                cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        match answer.field("location") {
            Some(location) => {
                location
                    .strip_prefix("http://localhost")
                    .unwrap_or(location)
                    .clone_into(&mut path);
            }
            None => return answer,
        }
    }
    panic!("redirected without an end, to {path}")
}

/// The token of a page's form.
fn csrf(page: &Answer) -> String {
    let token = page
        .body
        .split_once("name=\"csrf\" value=\"")
        .and_then(|(_, rest)| rest.split('"').next());
    token
        .unwrap_or_else(|| panic!("{} without a form: {}", page.status, page.body))
        .to_owned()
}
