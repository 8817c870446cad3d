//! The end of clients that registered themselves and that nobody uses; when clients were used last.

use std::time::Duration;

use serde_json::{Value, json};
use tessera::domain::settings::RegistrationPolicy;
use tessera::jobs::client_uses::sweep;

use super::registration::{client_of, governed, registered};
use crate::support::admin::Admin;
use crate::support::app::{TestApp, TestTenant, app_test};
use crate::support::http::Answer;
use crate::support::relying_party::RelyingParty;

const DAY: Duration = Duration::from_hours(24);

fn metadata() -> Value {
    json!({
        "redirect_uris": ["https://relying.example/callback"], "grant_types": ["authorization_code", "refresh_token"],
        "id_token_signed_response_alg": "ES256",
    })
}

/// An open tenant that ends clients after so many days, or never.
async fn ending(app: &TestApp, slug: &str, days: u32) -> TestTenant {
    let tenant = governed(app, slug, RegistrationPolicy::Open).await;
    app.change_settings(&tenant, |settings| {
        settings.unused_client_days = days;
        settings.refresh_token_idle_lifetime = 90 * 86_400;
    })
    .await;
    tenant
}

fn text<'a>(document: &'a Value, name: &str) -> &'a str {
    document[name].as_str().expect("a text")
}

/// What a client's own registration answers.
async fn own(app: &TestApp, document: &Value) -> Answer {
    app.get(text(document, "registration_client_uri"))
        .bearer(text(document, "registration_access_token"))
        .send()
        .await
}

async fn ids(app: &TestApp, tenant: &TestTenant) -> Vec<String> {
    let loaded = app.load(tenant).await;
    let all = tessera::storage::PageRequest {
        limit: None,
        after: None,
    };
    let read = app
        .provider
        .db
        .read(&*loaded, move |repo| repo.list_clients(all));
    let found = read.await.expect("runs").items;
    found.iter().map(|client| client.id.to_string()).collect()
}

app_test! {
    /// Of two clients the one that is used stays; the other one ends with all that it had, as by an ordinary deletion, and nobody else's does.
    async fn who_registered_and_is_not_used_ends(app: TestApp) {
        let tenant = ending(&app, "acme", 30).await;
        let never = ending(&app, "globex", 0).await;
        let by_administrator = app.web_client(&tenant).await;
        let unused = registered(&app, &tenant, metadata()).await;
        let gone = registered(&app, &tenant, metadata()).await;
        let used = registered(&app, &tenant, metadata()).await;
        let elsewhere = registered(&app, &never, metadata()).await;
        let person = app.user(&tenant, "ana@acme.example", "a long enough password").await;
        let rp = |document: &Value| RelyingParty::new(&app, &tenant, &client_of(document)).with_scope("openid offline_access");
        let (going, staying) = (rp(&gone), rp(&used));
        let mut browser = app.browser();
        let lost = going.sign_in(&mut browser, &person).await;
        let kept = staying.sign_in(&mut browser, &person).await;
        assert_eq!(sweep(&app.provider).await.expect("runs"), 0);
        let consents = || app.database.raw().count("consents");
        assert_eq!(consents(), 2);
        // Half the time later one of them is used.
        app.time.advance(DAY * 16);
        staying.refreshed(kept.refresh()).await;
        assert_eq!(sweep(&app.provider).await.expect("runs"), 0);
        // Noted to the day: a whole day is added to the thirty.
        app.time.advance(DAY * 15);
        assert_eq!(sweep(&app.provider).await.expect("runs"), 0);
        own(&app, &unused).await.expect_ok();
        app.time.advance(Duration::from_secs(1));
        // Asking for its registration was a use; it is noted first.
        assert_eq!(sweep(&app.provider).await.expect("runs"), 1);
        own(&app, &unused).await.expect_ok();
        let left = ids(&app, &tenant).await;
        assert!(!left.contains(&going.client.client_id()) && left.contains(&staying.client.client_id()) && left.contains(&by_administrator.client_id()));
        let answer = own(&app, &gone).await;
        assert_eq!((answer.status, answer.header("www-authenticate").is_some_and(|told| told.contains("invalid_token"))), (401, true));
        going.refresh(lost.refresh()).await.expect_error(401, "invalid_client");
        going.userinfo(&lost.access_token).await.expect_error(401, "invalid_token");
        assert_eq!(consents(), 1);
        staying.refreshed(kept.refresh()).await;
        // The first one too, in its time; a tenant that doesn't ask for it keeps everybody.
        app.time.advance(DAY * 31 + Duration::from_secs(1));
        staying.refreshed(kept.refresh()).await;
        assert_eq!(sweep(&app.provider).await.expect("runs"), 1);
        assert_eq!(own(&app, &unused).await.status, 401);
        own(&app, &elsewhere).await.expect_ok();
        let admin = Admin::program(&app, &tenant).await;
        let events = admin.get("/tenants/acme/events?act=client.deleted").await.expect_ok().json();
        let events = events["items"].as_array().expect("a list").clone();
        assert_eq!(events.len(), 2);
        assert_eq!((&events[1]["client_id"], &events[1]["actor"], &events[1]["detail"]["reason"]), (&gone["client_id"], &json!({ "kind": "system" }), &json!("unused")));
        assert_eq!(events[1]["detail"]["unused_client_days"], 30);
        assert_eq!(sweep(&app.provider).await.expect("runs"), 0);
        // One that can't be deleted keeps no other from its end.
        for name in ["Broken", "Next"] {
            registered(&app, &tenant, json!({ "client_name": name, "redirect_uris": ["https://relying.example/callback"] })).await;
        }
        app.database.raw().execute("UPDATE clients SET metadata = '{' WHERE name = 'Broken'").expect("broken");
        app.time.advance(DAY * 31 + Duration::from_secs(1));
        staying.refreshed(kept.refresh()).await;
        assert_eq!(sweep(&app.provider).await.expect("runs"), 1);
        assert_eq!(app.database.raw().texts("SELECT name AS value FROM clients WHERE name IN ('Broken', 'Next')"), ["Broken"]);
    }

    /// The days begin anew with the setting and with a tenant that is opened again: nobody could have known, or have used anything.
    async fn the_days_are_counted_from_the_setting_at_the_earliest(app: TestApp) {
        let tenant = ending(&app, "acme", 0).await;
        let document = registered(&app, &tenant, metadata()).await;
        app.time.advance(DAY * 400);
        let set = async |days: u32| app.change_settings(&tenant, |settings| settings.unused_client_days = days).await;
        let swept = async || sweep(&app.provider).await.expect("runs");
        set(10).await;
        assert_eq!(swept().await, 0);
        app.time.advance(DAY * 11);
        assert_eq!(swept().await, 0);
        // Another setting doesn't begin anew.
        app.change_settings(&tenant, |settings| settings.registration_rate = 7).await;
        let by = tessera::flows::admin::By::command_line();
        app.provider.suspend_tenant(tenant.slug.as_str(), &by).await.expect("suspended");
        app.time.advance(DAY * 12);
        assert_eq!(swept().await, 0, "of a suspended tenant nothing ends");
        app.provider.resume_tenant(tenant.slug.as_str(), &by).await.expect("resumed");
        assert_eq!(swept().await, 0);
        app.time.advance(DAY * 11);
        assert_eq!(swept().await, 0);
        set(0).await;
        app.time.advance(DAY * 100);
        assert_eq!(swept().await, 0);
        set(1).await;
        app.time.advance(DAY * 2 + Duration::from_secs(1));
        // What the listing saw is looked at again where it is deleted: the days, when they were set, and the last use.
        let (loaded, now) = (app.load(&tenant).await, app.provider.now());
        let id = text(&document, "client_id").parse().expect("a client_id");
        let held = async |days: u32, before| {
            let write = app.provider.db.write(&*loaded, move |repo| repo.hold_unused_client(id, days, before));
            write.await.expect("runs")
        };
        assert!(!held(2, now).await && !held(1, now - DAY * 3).await && held(1, now).await);
        app.provider.suspend_tenant(tenant.slug.as_str(), &by).await.expect("suspended");
        assert!(!held(1, now).await);
        app.provider.resume_tenant(tenant.slug.as_str(), &by).await.expect("resumed");
        app.time.advance(DAY * 2 + Duration::from_secs(1));
        assert_eq!(swept().await, 1);
        assert_eq!(own(&app, &document).await.status, 401);
    }

    /// A use costs one write a day, by a job; requests pay for none. What is told is the day, of every client.
    async fn uses_are_noted_once_a_day(app: TestApp) {
        let tenant = app.tenant("acme").await;
        let machine = app.machine_client(&tenant, "").await;
        let public = app.public_client(&tenant).await;
        let rp = RelyingParty::new(&app, &tenant, &machine);
        let path = format!("/tenants/acme/clients/{}", machine.client_id());
        let written = async || app.provider.write_client_uses().await.expect("runs");
        let told = async |id: &str| {
            let admin = Admin::program(&app, &tenant).await;
            admin.get(&format!("/tenants/acme/clients/{id}")).await.expect_ok().json()
        };
        written().await;
        assert_eq!(told(&machine.client_id()).await.get("last_used_at"), None);
        // Whoever only names a client, or fails to be it, doesn't use it.
        rp.authenticated("/token", &[("grant_type", "refresh_token"), ("refresh_token", "tsrf_x")]);
        app.post(&tenant.url("/token"), &[("grant_type", "client_credentials"), ("client_id", &machine.client_id()), ("client_secret", "wrong")]).send().await.expect_error(401, "invalid_client");
        app.post(&tenant.url("/token"), &[("grant_type", "authorization_code"), ("client_id", &public.client_id()), ("code", "x"), ("redirect_uri", public.redirect_uri())]).send().await;
        written().await;
        assert_eq!(told(&machine.client_id()).await.get("last_used_at"), None);
        assert_eq!(told(&public.client_id()).await.get("last_used_at"), None);
        written().await;
        rp.client_credentials(&[]).await;
        let first = app.provider.now();
        rp.client_credentials(&[]).await;
        assert_eq!(written().await, 1);
        app.time.advance(Duration::from_secs(24 * 3600 - 5));
        rp.client_credentials(&[]).await;
        assert_eq!(written().await, 0);
        let at = |document: &Value| chrono::DateTime::parse_from_rfc3339(text(document, "last_used_at")).expect("a time").timestamp();
        let document = told(&machine.client_id()).await;
        assert_eq!(at(&document), first.timestamp());
        let admin = Admin::program(&app, &tenant).await;
        let tag = admin.get(&path).await.expect_ok().header("etag").map(ToOwned::to_owned);
        app.time.advance(Duration::from_secs(10));
        rp.client_credentials(&[]).await;
        assert!(written().await >= 1);
        let admin = Admin::program(&app, &tenant).await;
        let answer = admin.get(&path).await.expect_ok();
        assert_eq!((at(&answer.json()) - first.timestamp(), answer.header("etag").map(ToOwned::to_owned)), (86_405, tag), "a use is no change");
        // A node that restarts notes it from what is stored.
        let node = app.second_node();
        let mut elsewhere = RelyingParty::new(&app, &tenant, &machine);
        elsewhere.move_to(&node.http);
        elsewhere.client_credentials(&[]).await;
        assert_eq!(node.provider.write_client_uses().await.expect("runs"), 0);
    }
}
