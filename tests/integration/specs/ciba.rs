//! OpenID Connect CIBA: the request, the person's answer, and the polls. What clients are told is `ciba_delivery`'s.

use std::time::Duration;

use actix_web::http::Method;
use serde_json::{Value, json};
use tessera::domain::address::{Domain, DomainStage};
use tessera::domain::ids::DomainId;
use tessera::jose::keys::{RsaBits, SigningKey};
use tessera::protocol::SigningAlgorithm;

use super::jar::encode;
use super::registration::initial_access_token;
use super::rfc8628::documented;
use super::seed::{Scene, at_once, text};
use crate::support::admin::Admin;
use crate::support::app::{TestApp, TestClient, TestTenant, app_test};
use crate::support::browser::{Browser, Page};
use crate::support::dpop::Prover;
use crate::support::http::Answer;
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::secrets::expect_not_kept;

pub const GRANT: &str = "urn:openid:params:grant-type:ciba";
pub const SCOPE: &str = "openid profile offline_access";

/// A call centre's program.
pub async fn caller(app: &TestApp, tenant: &TestTenant, more: Value) -> TestClient {
    let mut metadata = json!({
        "client_name": "Call centre", "grant_types": [GRANT, "refresh_token"], "backchannel_token_delivery_mode": "poll",
        "token_endpoint_auth_method": "client_secret_basic", "scope": SCOPE,
    });
    for (name, value) in more.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    app.client(tenant, metadata).await
}

/// A tenant where people are asked, with a person and such a client.
pub async fn scene(app: TestApp) -> Scene {
    let mut scene = Scene::new(app).await;
    scene
        .app
        .change_settings(&scene.tenant, |settings| {
            settings.backchannel_authentication = true;
        })
        .await;
    let client = caller(&scene.app, &scene.tenant, json!({})).await;
    scene.rp = scene.with(&client).with_scope(SCOPE);
    scene
}

pub async fn ask(rp: &RelyingParty, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![("scope", rp.scope.as_str())];
    form.extend_from_slice(more);
    rp.authenticated("/backchannel_authentication", &form)
        .send()
        .await
}

/// Asks for the scene's person; gives the request's name.
pub async fn begin(scene: &Scene, rp: &RelyingParty) -> String {
    let asked = ask(
        rp,
        &[
            ("login_hint", &scene.user.email),
            ("binding_message", "W4SCT"),
        ],
    )
    .await;
    text(&asked.expect_ok().json(), "auth_req_id").to_owned()
}

pub async fn poll(rp: &RelyingParty, name: &str) -> Answer {
    rp.token(&[("grant_type", GRANT), ("auth_req_id", name)])
        .await
}

/// A browser that is signed in, at the list of requests.
pub async fn at_the_list(scene: &Scene) -> (Browser, Page) {
    let mut browser = scene.app.browser();
    let page = browser.open(&scene.tenant.url("/account/requests")).await;
    let page = browser.sign_in(&page, &scene.user).await;
    assert_eq!(page.url.as_str(), scene.tenant.url("/account/requests"));
    (browser, page)
}

/// Where the requests of a list are answered, the youngest first.
pub fn listed(scene: &Scene, page: &Page) -> Vec<String> {
    let parts = page.answer.body.split("/account/requests/").skip(1);
    parts
        .filter_map(|rest| rest.split('"').next())
        .map(|id| scene.tenant.url(&format!("/account/requests/{id}")))
        .collect()
}

/// The page that asks, for the youngest request.
pub async fn question(scene: &Scene) -> (Browser, Page) {
    let (mut browser, list) = at_the_list(scene).await;
    let page = browser.open(&listed(scene, &list)[0]).await;
    page.expect_id("allow").expect_id("deny");
    (browser, page)
}

/// The person's answer to the youngest request.
pub async fn decide(scene: &Scene, decision: &str) -> (Browser, Page) {
    let (mut browser, page) = question(scene).await;
    let done = browser.submit(&page, &[("decision", decision)]).await;
    assert_eq!(done.answer.status, 200, "{}", done.answer.body);
    (browser, done)
}

/// The page says that no such request waits.
#[track_caller]
fn expect_gone(page: &Page) {
    assert_eq!(page.answer.status, 404, "{}", page.answer.body);
    assert!(
        page.answer.body.contains("No such request waits for you"),
        "{}",
        page.answer.body
    );
    assert!(!page.answer.body.contains("id=\"allow\""));
}

fn interval(scene: &Scene) -> Vec<String> {
    scene
        .app
        .database
        .raw()
        .texts("SELECT CAST(poll_interval AS TEXT) AS value FROM backchannel_requests")
}

fn key() -> SigningKey {
    let key = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default());
    key.expect("a key").key
}

/// Where a tenant has another address.
async fn second_address(scene: &Scene) -> &'static str {
    let domain = Domain {
        id: DomainId::from(scene.app.provider.clock.uuid_v7()),
        origin: "https://login.acme.example".into(),
        stage: DomainStage::Pending {
            verification_token: "token".into(),
        },
        canonical: false,
        created_at: scene.app.provider.now(),
    };
    scene
        .write(move |repo| {
            repo.insert_domain(&domain)?;
            repo.verify_domain(domain.id)
        })
        .await;
    "https://login.acme.example"
}

app_test! {
    /// §7, §10.1, §11: the whole of it, by polling.
    async fn a_person_answers_elsewhere(app: TestApp) {
        let scene = scene(app).await;
        let answer = ask(&scene.rp, &[("login_hint", "Ana@ACME.example"), ("binding_message", "W4SCT <b>")]).await;
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), (Some("no-store"), Some("no-cache")));
        let body = answer.expect_ok().json();
        assert_eq!(body.as_object().map(serde_json::Map::len), Some(3));
        assert_eq!((&body["expires_in"], &body["interval"]), (&json!(300), &json!(5)));
        let name = text(&body, "auth_req_id").to_owned();
        assert!(name.starts_with("tsb_"), "{name}");
        poll(&scene.rp, &name).await.expect_error(400, "authorization_pending");
        // Wherever they are in their account they see that something waits.
        let (mut browser, list) = at_the_list(&scene).await;
        for path in ["/account", "/account/password", "/account/sessions", "/account/applications", "/account/requests"] {
            let page = browser.open(&scene.tenant.url(path)).await;
            assert!(page.answer.body.contains("One request waits for your answer."), "{path}: {}", page.answer.body);
        }
        assert!(list.answer.body.contains("Call centre") && list.answer.body.contains("W4SCT &#60;b&#62;"), "{}", list.answer.body);
        let page = browser.open(&listed(&scene, &list)[0]).await;
        for shown in ["Call centre", "W4SCT &#60;b&#62;", "just now", "within 5 minutes", "Ana Example", "See your name and profile", "exactly this text"] {
            assert!(page.answer.body.contains(shown), "{shown}: {}", page.answer.body);
        }
        page.expect_id("request-warning").expect_id("binding-message");
        scene.app.time.advance(Duration::from_secs(5));
        poll(&scene.rp, &name).await.expect_error(400, "authorization_pending");
        let done = browser.submit(&page, &[("decision", "allow")]).await;
        assert!(done.answer.body.contains("You have allowed it"), "{}", done.answer.body);
        // Whoever is answered needn't wait.
        let answer = poll(&scene.rp, &name).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let tokens = answer.expect_ok().json();
        assert_eq!(tokens["scope"], SCOPE);
        let id = claims(text(&tokens, "id_token"));
        assert_eq!((&id["sub"], &id["iss"], &id["aud"]), (&json!(scene.user.id.to_string()), &json!(scene.tenant.issuer), &json!(scene.rp.client.client_id())));
        assert!(id["at_hash"].is_string() && id["sid"].is_string() && id["nonce"].is_null() && id["auth_time"].is_number(), "{id}");
        assert_eq!(scene.rp.userinfo(text(&tokens, "access_token")).await.expect_ok().json()["name"], "Ana Example");
        let refreshed = scene.rp.refreshed(text(&tokens, "refresh_token")).await;
        assert!(scene.is_active(&refreshed.access_token).await);
        assert_eq!((scene.events("backchannel_request.created"), scene.events("consent.granted"), scene.events("grant.created")), (1, 1, 1));
        let events = scene.app.database.raw().texts("SELECT detail AS value FROM audit_events").concat();
        assert!(events.contains("W4SCT"), "{events}");
        expect_not_kept(&mut scene.app.database.raw(), "backchannel_requests", &name);
        // The person finds it among their applications, and ends it there.
        let page = browser.open(&scene.tenant.url("/account/applications")).await;
        assert!(page.answer.body.contains("Call centre"));
        browser.submit(&page, &[("withdraw", &scene.rp.client.client_id())]).await;
        scene.rp.refresh(refreshed.refresh()).await.expect_error(400, "invalid_grant");
        let empty = browser.open(&scene.tenant.url("/account/requests")).await;
        assert!(empty.answer.body.contains("Nothing waits for your answer"));
    }

    /// §7.1, §7.1.2, §13: what is refused, and with which code.
    async fn requests_are_checked(app: TestApp) {
        let scene = scene(app).await;
        scene.app.resource(&scene.tenant, "https://calls.example", &["calls:read"]).await;
        let hint = ("login_hint", scene.user.email.as_str());
        let (long, far) = ("x".repeat(65), "9".repeat(70));
        let access = scene.app.web_client(&scene.tenant).await;
        let web = scene.with(&access).with_scope("openid");
        let others = web.sign_in(&mut scene.app.browser(), &scene.user).await;
        let others = others.id_token.expect("an ID token");
        for (more, error) in [
            (vec![], "invalid_request"), (vec![("login_hint", "")], "invalid_request"), (vec![hint, hint], "invalid_request"),
            (vec![hint, ("id_token_hint", "a.b.c")], "invalid_request"), (vec![("login_hint_token", "a.b.c")], "invalid_request"),
            (vec![("id_token_hint", "a.b.c")], "invalid_request"), (vec![("id_token_hint", others.as_str())], "invalid_request"),
            (vec![hint, ("binding_message", &long)], "invalid_binding_message"), (vec![hint, ("binding_message", "a\u{202e}b")], "invalid_binding_message"),
            (vec![hint, ("requested_expiry", "0")], "invalid_request"), (vec![hint, ("requested_expiry", &far)], "invalid_request"),
            (vec![hint, ("user_code", "tr4m-linie-9")], "invalid_request"), (vec![hint, ("authorization_details", r#"[{"type":"payment"}]"#)], "invalid_authorization_details"),
            (vec![hint, ("request", "a.b.c")], "invalid_request"), (vec![hint, ("resource", "https://nobody.example")], "invalid_target"),
            (vec![hint, ("claims", "{")], "invalid_request"), (vec![hint, ("scope", "openid")], "invalid_request"),
            (vec![hint, ("claims", r#"{"id_token":{"acr":{"essential":true,"value":"urn:gold"}}}"#)], "unmet_authentication_requirements"),
            (vec![hint, ("claims", r#"{"id_token":{"sub":{"value":"018f3a4e-1111-7222-8333-444455556666"}}}"#)], "unknown_user_id"),
            (vec![("login_hint", "nobody@acme.example")], "unknown_user_id"), (vec![("login_hint", "018f3a4e-1111-7222-8333-444455556666")], "unknown_user_id"),
            (vec![("login_hint", "é \" OR 1=1 --")], "unknown_user_id"),
        ] {
            ask(&scene.rp, &more).await.expect_error(400, error);
        }
        let post = async |form: &[(&str, &str)]| scene.rp.authenticated("/backchannel_authentication", form).send().await;
        for scope in ["profile", "", "openid email", "openid calls:read", "openid \""] {
            post(&[hint, ("scope", scope)]).await.expect_error(400, "invalid_scope");
        }
        post(&[hint]).await.expect_error(400, "invalid_scope");
        scene.app.change_settings(&scene.tenant, |settings| settings.require_acr_values = true).await;
        ask(&scene.rp, &[hint, ("acr_values", "urn:gold")]).await.expect_error(400, "unmet_authentication_requirements");
        ask(&scene.rp, &[hint, ("acr_values", "urn:gold urn:tessera:acr:password")]).await.expect_ok();
        let ruling = scene.with(&caller(&scene.app, &scene.tenant, json!({ "scope": "openid tessera:admin" })).await).with_scope("openid tessera:admin");
        ask(&ruling, &[hint]).await.expect_error(400, "invalid_scope");
        assert_eq!(scene.app.database.raw().count("backchannel_requests"), 1);
        // Forms of a sane size, posted, and from no browser.
        let url = scene.tenant.url("/backchannel_authentication");
        let answer = scene.app.get(&url).send().await;
        answer.expect_error(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("POST"));
        scene.app.http.post(&url).body("application/json", "{}").send().await.expect_error(400, "invalid_request");
        scene.app.http.post(&url).body("application/x-www-form-urlencoded", "x".repeat(1 << 20)).send().await.expect_error(413, "request_too_large");
        let preflight = scene.app.http.request(Method::OPTIONS, &url).header("origin", "https://calls.example").header("access-control-request-method", "POST").send().await;
        assert_eq!(preflight.header("access-control-allow-origin"), None);
    }

    /// §7.1: whom a hint means, for clients with public subjects and with pairwise ones.
    async fn a_hint_means_one_person_or_nobody(app: TestApp) {
        let scene = scene(app).await;
        let id = scene.user.id.to_string();
        ask(&scene.rp, &[("login_hint", &id)]).await.expect_ok();
        decide(&scene, "allow").await;
        let both = json!({ "grant_types": [GRANT, "authorization_code"], "redirect_uris": ["https://calls.example/callback"], "skip_consent": true, "scope": "openid" });
        let mut pairwise = both.clone();
        pairwise["subject_type"] = json!("pairwise");
        for metadata in [both, pairwise] {
            let rp = scene.with(&caller(&scene.app, &scene.tenant, metadata.clone()).await).with_scope("openid");
            let signed_in = rp.sign_in(&mut scene.app.browser(), &scene.user).await;
            let (token, sub) = (signed_in.id_token.clone().expect("an ID token"), signed_in.id_claims()["sub"].as_str().expect("a sub").to_owned());
            // Expired ones, too.
            scene.app.time.advance(Duration::from_hours(1));
            let name = text(&ask(&rp, &[("id_token_hint", &token)]).await.expect_ok().json(), "auth_req_id").to_owned();
            decide(&scene, "allow").await;
            let tokens = poll(&rp, &name).await.expect_ok().json();
            assert_eq!(claims(text(&tokens, "id_token"))["sub"], sub);
            // By another's name for them nobody is found, or it would be told who they are there.
            if metadata["subject_type"] == "pairwise" {
                assert_ne!(sub, id);
                for hint in [&id, &sub] {
                    ask(&rp, &[("login_hint", hint)]).await.expect_error(400, "unknown_user_id");
                }
                ask(&rp, &[("login_hint", &scene.user.email)]).await.expect_ok();
                decide(&scene, "deny").await;
            }
        }
        let name = begin(&scene, &scene.rp).await;
        decide(&scene, "allow").await;
        let held = poll(&scene.rp, &name).await.expect_ok().json();
        // Whoever may not sign in isn't known, and of people who aren't a client is told so often.
        scene.set_disabled(true).await;
        for _ in 0..30 {
            ask(&scene.rp, &[("login_hint", &scene.user.email)]).await.expect_error(400, "unknown_user_id");
        }
        scene.set_disabled(false).await;
        for hint in [scene.user.email.as_str(), "nobody@acme.example"] {
            ask(&scene.rp, &[("login_hint", hint)]).await.expect_error(429, "too_many_requests");
        }
        // Whose ID token the client holds it may ask all the same: whoever typed those names can't have typed that.
        ask(&scene.rp, &[("id_token_hint", text(&held, "id_token"))]).await.expect_ok();
        scene.app.time.advance(Duration::from_hours(1));
        ask(&scene.rp, &[("login_hint", &scene.user.email)]).await.expect_ok();
    }

    /// Nobody is worn down by prompts.
    async fn a_person_is_asked_so_often(app: TestApp) {
        let scene = scene(app).await;
        scene.app.change_settings(&scene.tenant, |settings| { settings.backchannel_request_limit = 2; settings.backchannel_request_rate = 4; }).await;
        let hint = [("login_hint", scene.user.email.as_str())];
        for _ in 0..2 {
            ask(&scene.rp, &hint).await.expect_ok();
        }
        ask(&scene.rp, &hint).await.expect_error(429, "too_many_requests");
        // Others have their own share, and so has another person.
        let mut callers = Vec::new();
        for _ in 0..5 {
            callers.push(scene.with(&caller(&scene.app, &scene.tenant, json!({})).await));
        }
        scene.app.user(&scene.tenant, "bo@acme.example", "a long enough password").await;
        ask(&scene.rp, &[("login_hint", "bo@acme.example")]).await.expect_ok();
        for rp in &callers[..4] {
            for _ in 0..2 {
                ask(rp, &hint).await.expect_ok();
            }
        }
        ask(&callers[4], &hint).await.expect_error(429, "too_many_requests");
        // One that is decided on makes room, though not for ever.
        decide(&scene, "deny").await;
        ask(&callers[4], &hint).await.expect_ok();
        scene.app.time.advance(Duration::from_mins(5));
        ask(&scene.rp, &hint).await.expect_ok();
        ask(&scene.rp, &hint).await.expect_error(429, "too_many_requests");
        scene.app.time.advance(Duration::from_hours(1));
        ask(&scene.rp, &hint).await.expect_ok();
        // All together, five times as often: one was counted above.
        for (number, rp) in callers.iter().enumerate() {
            for _ in 0..4 {
                let answer = ask(rp, &hint).await;
                if number == 4 && answer.status != 200 {
                    answer.expect_error(429, "too_many_requests");
                    return;
                }
                answer.expect_ok();
                decide(&scene, "deny").await;
            }
        }
        panic!("twenty-one requests to one person in an hour");
    }

    /// §11: `slow_down` adds five seconds each time, and waiting writes nothing.
    async fn a_client_that_asks_too_often_waits_longer(app: TestApp) {
        let scene = scene(app).await;
        let name = begin(&scene, &scene.rp).await;
        let pending = async || { poll(&scene.rp, &name).await.expect_error(400, "authorization_pending"); };
        let slow = async || { poll(&scene.rp, &name).await.expect_error(400, "slow_down"); };
        pending().await;
        scene.app.time.advance(Duration::from_secs(4));
        slow().await;
        assert_eq!(interval(&scene), ["10"]);
        scene.app.time.advance(Duration::from_secs(9));
        slow().await;
        scene.app.time.advance(Duration::from_secs(15));
        pending().await;
        for _ in 0..20 {
            slow().await;
        }
        assert_eq!(interval(&scene), ["60"]);
        let other = begin(&scene, &scene.rp).await;
        let statements = || scene.app.provider.db.gauges().statements;
        let mut least = u64::MAX;
        for _ in 0..5 {
            scene.app.time.advance(Duration::from_secs(6));
            let before = statements();
            poll(&scene.rp, &other).await.expect_error(400, "authorization_pending");
            least = least.min(statements() - before);
        }
        assert_eq!(least, 3, "a transaction that reads one row");
        decide(&scene, "allow").await;
        poll(&scene.rp, &other).await.expect_ok();
    }

    /// §11: a refusal is told and final, and so is the end.
    async fn a_refusal_and_the_end_are_told(app: TestApp) {
        let scene = scene(app).await;
        let denied = begin(&scene, &scene.rp).await;
        let (mut browser, done) = decide(&scene, "deny").await;
        assert!(done.answer.body.contains("Nothing was allowed"));
        for _ in 0..2 {
            poll(&scene.rp, &denied).await.expect_error(400, "access_denied");
        }
        assert_eq!((scene.events("consent.denied"), scene.events("grant.created")), (1, 0));
        // For as long as was wished, within what the tenant allows.
        for (wished, granted) in [("60", 60), ("1", 30), ("99999999999", 300)] {
            let asked = ask(&scene.rp, &[("login_hint", &scene.user.email), ("requested_expiry", wished)]).await.expect_ok().json();
            assert_eq!(asked["expires_in"], granted, "{wished}");
            decide(&scene, "deny").await;
        }
        let allowed = begin(&scene, &scene.rp).await;
        decide(&scene, "allow").await;
        let unseen = begin(&scene, &scene.rp).await;
        let (mut other, page) = question(&scene).await;
        scene.app.time.advance(Duration::from_secs(299));
        poll(&scene.rp, &unseen).await.expect_error(400, "authorization_pending");
        assert_eq!(scene.app.provider.expire_backchannel_requests().await.expect("runs"), 0);
        scene.app.time.advance(Duration::from_secs(1));
        for name in [&unseen, &allowed] {
            poll(&scene.rp, name).await.expect_error(400, "expired_token");
        }
        expect_gone(&other.submit(&page, &[("decision", "allow")]).await);
        // Written down once.
        assert_eq!(scene.app.provider.expire_backchannel_requests().await.expect("runs"), 1);
        assert_eq!(scene.app.provider.expire_backchannel_requests().await.expect("runs"), 0);
        assert_eq!(scene.events("backchannel_request.expired"), 1);
        poll(&scene.rp, &unseen).await.expect_error(400, "expired_token");
        let sweep = async || scene.app.provider.db.write_installation(|all| all.delete_expired(100)).await.expect("runs");
        scene.app.time.advance(Duration::from_hours(2));
        assert_eq!(sweep().await.backchannel_requests, 2);
        scene.app.time.advance(Duration::from_secs(1));
        assert_eq!(sweep().await.backchannel_requests, 4);
        poll(&scene.rp, &unseen).await.expect_error(400, "invalid_grant");
        // A tenant that can't be loaded keeps no other's request from its end.
        let app = &scene.app;
        let globex = app.tenant("globex").await;
        app.change_settings(&globex, |settings| settings.backchannel_authentication = true).await;
        let kim = app.user(&globex, "kim@globex.example", "a long enough password").await;
        let theirs = RelyingParty::new(app, &globex, &caller(app, &globex, json!({})).await).with_scope(SCOPE);
        ask(&theirs, &[("login_hint", &kim.email)]).await.expect_ok();
        app.time.advance(Duration::from_secs(1));
        begin(&scene, &scene.rp).await;
        app.time.advance(Duration::from_mins(5));
        app.database.raw().execute("UPDATE tenants SET sealed_data_key = (SELECT sealed_data_key FROM tenants WHERE slug = 'acme') WHERE slug = 'globex'").expect("broken");
        let node = scene.second_node().await;
        assert_eq!(node.provider.expire_backchannel_requests().await.expect("runs"), 1);
        assert_eq!(scene.events("backchannel_request.expired"), 2);
        poll(&scene.rp, &allowed).await.expect_error(400, "expired_token");
        let empty = browser.open(&scene.tenant.url("/account/requests")).await;
        assert!(listed(&scene, &empty).is_empty());
    }

    /// One answer counts, one redemption, and a second redemption ends what the first gave.
    async fn of_many_the_first_counts(app: TestApp) {
        let scene = scene(app).await;
        let node = scene.second_node().await;
        let name = begin(&scene, &scene.rp).await;
        let (browser, page) = question(&scene).await;
        let (other, theirs) = question(&scene).await;
        let answers = at_once([("allow", &browser, &page), ("deny", &other, &theirs), ("allow", &other, &theirs), ("deny", &browser, &page)].map(|(decision, browser, page)| {
            let (mut browser, page) = (browser.clone(), page.clone());
            async move { browser.submit(&page, &[("decision", decision)]).await.answer }
        })).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert_eq!(scene.events("consent.granted") + scene.events("consent.denied"), 1);
        let mut browser = browser;
        expect_gone(&browser.submit(&page, &[("decision", "allow")]).await);
        poll(&scene.rp, &name).await;

        let name = begin(&scene, &scene.rp).await;
        decide(&scene, "allow").await;
        let answers = at_once((0..8).map(|number| {
            let (mut rp, name) = (scene.rp.clone(), name.clone());
            if number % 2 == 0 {
                rp.move_to(&node.http);
            }
            async move { poll(&rp, &name).await }
        })).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.expect_error(400, "invalid_grant");
        }
        let name = begin(&scene, &scene.rp).await;
        decide(&scene, "allow").await;
        let tokens = poll(&scene.rp, &name).await.expect_ok().json();
        scene.app.time.advance(Duration::from_hours(3));
        scene.app.provider.db.write_installation(|all| all.delete_expired(100)).await.expect("runs");
        assert_eq!(scene.app.database.raw().count("backchannel_requests"), 0);
        poll(&scene.rp, &name).await.expect_error(400, "invalid_grant");
        scene.rp.refresh(text(&tokens, "refresh_token")).await.expect_error(400, "invalid_grant");
        assert_eq!(scene.events("grant.replay_detected"), 2);
    }

    /// SECURITY, "Tenancy": what is one tenant's, client's, person's or address's is nothing to another.
    async fn requests_are_bound_to_client_person_tenant_and_address(app: TestApp) {
        let scene = scene(app).await;
        let globex = scene.app.tenant("globex").await;
        scene.app.change_settings(&globex, |settings| settings.backchannel_authentication = true).await;
        let theirs = RelyingParty::new(&scene.app, &globex, &caller(&scene.app, &globex, json!({})).await).with_scope(SCOPE);
        let other = scene.with(&caller(&scene.app, &scene.tenant, json!({})).await);
        // The person of one tenant is nobody in the other, by whatever hint.
        for hint in [scene.user.email.as_str(), &scene.user.id.to_string()] {
            ask(&theirs, &[("login_hint", hint)]).await.expect_error(400, "unknown_user_id");
        }
        let allowed = begin(&scene, &scene.rp).await;
        decide(&scene, "allow").await;
        let waiting = begin(&scene, &scene.rp).await;
        for rp in [&other, &theirs] {
            for name in [&allowed, &waiting] {
                poll(rp, name).await.expect_error(400, "invalid_grant");
            }
        }
        let mut stranger = scene.rp.clone();
        stranger.issuer.clone_from(&globex.issuer);
        ask(&stranger, &[("login_hint", &scene.user.email)]).await.expect_error(401, "invalid_client");
        poll(&stranger, &allowed).await.expect_error(401, "invalid_client");
        // Another tenant's person, and another person of this one.
        let (_, page) = question(&scene).await;
        let id = page.url.path().rsplit('/').next().expect("an id").to_owned();
        let there = scene.app.user(&globex, "bo@globex.example", "a long enough password").await;
        let here = scene.app.user(&scene.tenant, "bo@acme.example", "a long enough password").await;
        for (tenant, user) in [(&globex, &there), (&scene.tenant, &here)] {
            let mut browser = scene.app.browser();
            let url = tenant.url(&format!("/account/requests/{id}"));
            let login = browser.open(&url).await;
            let seen = browser.sign_in(&login, user).await;
            expect_gone(&seen);
            assert!(!seen.answer.body.contains("W4SCT") && !seen.answer.body.contains("Call centre"), "{}", seen.answer.body);
            let unknown = browser.open(&tenant.url("/account/requests/018f3a4e-1111-7222-8333-444455556666")).await;
            assert_eq!(unknown.answer.body.replace("018f3a4e-1111-7222-8333-444455556666", &id).len(), seen.answer.body.len());
            // With a token that is good for forms of this purpose, theirs.
            let rp = if user.id == here.id { &other } else { &theirs };
            ask(rp, &[("login_hint", &user.email)]).await.expect_ok();
            let list = browser.open(&tenant.url("/account/requests")).await;
            let own = list.answer.body.split("/account/requests/").nth(1).and_then(|rest| rest.split('"').next()).expect("their own").to_owned();
            let own = browser.open(&tenant.url(&format!("/account/requests/{own}"))).await;
            let csrf = own.hidden("csrf").expect("a token");
            let origin = tenant.issuer.split("/t/").next().expect("an origin").to_owned();
            let answer = browser.post_from(&url, &[("csrf", &csrf), ("decision", "allow")], Some(&origin)).await;
            assert_eq!(answer.status, 404, "{}", answer.body);
        }
        // Nor at another address of the tenant.
        let issuer = second_address(&scene).await;
        let mut elsewhere = scene.rp.clone();
        issuer.clone_into(&mut elsewhere.issuer);
        for name in [&allowed, &waiting] {
            poll(&elsewhere, name).await.expect_error(400, "invalid_grant");
        }
        let mut browser = scene.app.browser();
        let login = browser.open(&format!("{issuer}/account/requests/{id}")).await;
        expect_gone(&browser.sign_in(&login, &scene.user).await);
        // The right row with another proof, other handles of ours, and nonsense.
        let mixed = format!("{}{}", &allowed[..26], &waiting[26..]);
        let other_way = format!("{}{}", &waiting[..26], &allowed[26..]);
        for wrong in [mixed.as_str(), &other_way, &allowed.replacen("tsb", "tsc", 1), &allowed.replacen("tsb", "tsd", 1), "tsb_", "x", &id, &"x".repeat(5_000)] {
            poll(&scene.rp, wrong).await.expect_error(400, "invalid_grant");
        }
        // Neither is it a code of another kind.
        let lax = scene.with(&caller(&scene.app, &scene.tenant, json!({
            "grant_types": [GRANT, "authorization_code", "urn:ietf:params:oauth:grant-type:device_code"], "redirect_uris": ["https://calls.example/callback"], "require_pkce": false,
        })).await).with_scope("openid");
        let own = begin(&scene, &lax).await;
        decide(&scene, "allow").await;
        for name in [own.as_str(), &own.replacen("tsb", "tsc", 1)] {
            lax.token(&[("grant_type", "authorization_code"), ("code", name)]).await.expect_error(400, "invalid_grant");
        }
        for name in [own.as_str(), &own.replacen("tsb", "tsd", 1)] {
            lax.token(&[("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", name)]).await.expect_error(400, "invalid_grant");
        }
        poll(&lax, &own).await.expect_ok();
        poll(&scene.rp, &allowed).await.expect_ok();
    }

    /// §4, §7.1: who may ask.
    async fn only_clients_of_this_grant_may_ask(app: TestApp) {
        let scene = scene(app).await;
        let hint = ("login_hint", scene.user.email.as_str());
        let web = scene.with(&scene.app.web_client(&scene.tenant).await);
        ask(&web, &[hint]).await.expect_error(400, "unauthorized_client");
        web.token(&[("grant_type", GRANT), ("auth_req_id", "tsb_x")]).await.expect_error(400, "unauthorized_client");
        let (url, id) = (scene.tenant.url("/backchannel_authentication"), scene.rp.client.client_id());
        for request in [
            scene.app.post(&url, &[hint]), scene.app.post(&url, &[("client_id", &id), hint]), scene.app.post(&url, &[hint]).basic(&id, "wrong"),
            scene.app.post(&url, &[("client_id", "018f3a4e-1111-7222-8333-444455556666"), hint]),
        ] {
            request.send().await.expect_error(401, "invalid_client");
        }
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let keys = json!({ "keys": [key().public_jwk()] });
        for (more, field) in [
            (json!({ "backchannel_token_delivery_mode": null }), "backchannel_token_delivery_mode"),
            (json!({ "backchannel_token_delivery_mode": "pull" }), "backchannel_token_delivery_mode"),
            (json!({ "token_endpoint_auth_method": "none" }), "grant_types"),
            (json!({ "backchannel_token_delivery_mode": "ping" }), "backchannel_client_notification_endpoint"),
            (json!({ "backchannel_token_delivery_mode": "push" }), "backchannel_client_notification_endpoint"),
            (json!({ "backchannel_client_notification_endpoint": "http://calls.example/told" }), "backchannel_client_notification_endpoint"),
            (json!({ "backchannel_client_notification_endpoint": "https://u:p@calls.example/told" }), "backchannel_client_notification_endpoint"),
            (json!({ "backchannel_client_notification_endpoint": "https://calls.example/told", "backchannel_token_delivery_mode": "push", "dpop_bound_access_tokens": true }), "backchannel_token_delivery_mode"),
            (json!({ "backchannel_authentication_request_signing_alg": "ES256" }), "backchannel_authentication_request_signing_alg"),
            (json!({ "backchannel_authentication_request_signing_alg": "HS256", "jwks": keys }), "backchannel_authentication_request_signing_alg"),
            (json!({ "backchannel_authentication_request_signing_alg": "none", "jwks": keys }), "backchannel_authentication_request_signing_alg"),
        ] {
            let mut metadata = json!({ "client_name": "Caller", "grant_types": [GRANT], "backchannel_token_delivery_mode": "poll", "scope": "openid" });
            for (name, value) in more.as_object().expect("an object") {
                metadata[name] = value.clone();
            }
            let made = admin.post("/tenants/acme/clients", &metadata).await;
            assert!(made.status == 422 && made.body.contains(field), "{more}: {} {}", made.status, made.body);
        }
        // A client that registers itself says the same of itself, and needs somebody who vouches for it.
        scene.app.change_settings(&scene.tenant, |settings| settings.registration = tessera::domain::settings::RegistrationPolicy::Open).await;
        let own = json!({ "client_name": "Own", "grant_types": [GRANT], "backchannel_token_delivery_mode": "ping", "backchannel_client_notification_endpoint": "https://own.example/told", "backchannel_user_code_parameter": true, "scope": "openid" });
        let register = || scene.app.http.post(&scene.tenant.url("/register")).body("application/json", own.to_string());
        register().send().await.expect_error(400, "invalid_client_metadata");
        let vouching = initial_access_token(&admin, &scene.tenant, &json!({ "name": "Callers" })).await;
        let made = register().bearer(text(&vouching, "token")).send().await;
        assert_eq!((made.status, made.json()["backchannel_token_delivery_mode"].as_str(), made.json()["backchannel_user_code_parameter"].as_bool()), (201, Some("ping"), Some(true)), "{}", made.body);
    }

    /// What a tenant doesn't allow isn't there, and isn't announced.
    async fn a_tenant_may_have_none_of_it(app: TestApp) {
        let scene = scene(app).await;
        let metadata = async || scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        let said = metadata().await;
        assert_eq!(said["backchannel_authentication_endpoint"], scene.tenant.url("/backchannel_authentication"));
        assert_eq!(said["backchannel_token_delivery_modes_supported"], json!(["poll", "ping", "push"]));
        assert_eq!(said["backchannel_user_code_parameter_supported"], json!(true));
        assert!(said["backchannel_authentication_request_signing_alg_values_supported"].as_array().is_some_and(|all| all.contains(&json!("ES256")) && !all.contains(&json!("none"))));
        assert!(said["grant_types_supported"].as_array().expect("a list").contains(&json!(GRANT)));
        let name = begin(&scene, &scene.rp).await;
        let (mut browser, page) = question(&scene).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.backchannel_authentication = false).await;
        let said = metadata().await;
        assert!(!said.to_string().contains("backchannel_authentication") && !said.to_string().contains("backchannel_token") && !said.to_string().contains("backchannel_user"), "{said}");
        assert!(!said["grant_types_supported"].as_array().expect("a list").contains(&json!(GRANT)));
        ask(&scene.rp, &[("login_hint", &scene.user.email)]).await.expect_error(400, "unauthorized_client");
        poll(&scene.rp, &name).await.expect_error(400, "unauthorized_client");
        browser.submit(&page, &[("decision", "allow")]).await.answer.expect_error(404, "not_found");
        browser.open(&scene.tenant.url("/account/requests")).await.answer.expect_error(404, "not_found");
        let home = browser.open(&scene.tenant.url("/account")).await;
        assert!(home.answer.status == 200 && !home.answer.body.contains("/account/requests"), "{}", home.answer.body);
        assert_eq!(scene.events("consent.granted"), 0);
    }

    /// A form of another origin, of another purpose or with another's token; signing in leads back, and nowhere else.
    async fn answers_come_from_our_own_page(app: TestApp) {
        let scene = scene(app).await;
        let name = begin(&scene, &scene.rp).await;
        let (mut browser, page) = question(&scene).await;
        let (url, csrf) = (page.url.to_string(), page.hidden("csrf").expect("a token"));
        let own = scene.tenant.issuer.split("/t/").next().expect("an origin").to_owned();
        let allow = [("csrf", csrf.as_str()), ("decision", "allow")];
        assert_eq!(browser.post_from(&url, &allow, Some("https://evil.example")).await.status, 403);
        let device = browser.open(&scene.tenant.url("/account/applications")).await;
        let other_form = browser.open(&scene.tenant.url("/account/password")).await.hidden("csrf").expect("a token");
        drop(device);
        for csrf in ["", "x", &other_form] {
            assert_eq!(browser.post_from(&url, &[("csrf", csrf), ("decision", "allow")], Some(&own)).await.status, 403, "{csrf}");
        }
        for decision in ["", "maybe", "Allow"] {
            browser.post_from(&url, &[("csrf", &csrf), ("decision", decision)], Some(&own)).await.expect_error(400, "invalid_request");
        }
        poll(&scene.rp, &name).await.expect_error(400, "authorization_pending");
        // Signed out between question and answer.
        let mut elsewhere = browser.clone();
        let out = elsewhere.open(&scene.tenant.url("/logout")).await;
        elsewhere.submit(&out, &[("logout", "1")]).await;
        let login = browser.submit(&page, &[("decision", "allow")]).await;
        login.expect_id("password");
        let back = browser.sign_in(&login, &scene.user).await;
        assert_eq!(back.url.as_str(), url);
        browser.submit(&back, &[("decision", "allow")]).await.answer.expect_ok();
        poll(&scene.rp, &name).await.expect_ok();
        let path = url.strip_prefix(&scene.tenant.issuer).expect("a path").to_owned();
        for (return_to, expected) in [
            (path.as_str(), path.as_str()), ("/account/requests", "/account/requests"), ("/account/requests/x", "/account"),
            (&format!("{path}?x=1"), "/account"), (&format!("{path}/../../console"), "/account"), ("//evil.example/account/requests", "/account"),
        ] {
            let mut browser = scene.app.browser();
            let mut url = url::Url::parse(&scene.tenant.url("/login")).expect("a URL");
            url.query_pairs_mut().append_pair("return_to", return_to);
            let page = browser.open(url.as_str()).await;
            let page = browser.sign_in(&page, &scene.user).await;
            assert_eq!(page.url.as_str(), scene.tenant.url(expected), "{return_to}");
        }
    }

    /// Whatever was allowed before, the person is asked; and signs in anew where the client wants that.
    async fn a_person_is_always_asked_and_fresh(app: TestApp) {
        let scene = scene(app).await;
        let trusted = scene.with(&caller(&scene.app, &scene.tenant, json!({ "skip_consent": true })).await).with_scope(SCOPE);
        for _ in 0..2 {
            let name = begin(&scene, &trusted).await;
            poll(&trusted, &name).await.expect_error(400, "authorization_pending");
            decide(&scene, "allow").await;
            poll(&trusted, &name).await.expect_ok();
        }
        let strict = scene.with(&caller(&scene.app, &scene.tenant, json!({ "default_max_age": 0 })).await).with_scope(SCOPE);
        let (mut browser, list) = at_the_list(&scene).await;
        drop(list);
        scene.app.time.advance(Duration::from_mins(6));
        let name = begin(&scene, &strict).await;
        let list = browser.open(&scene.tenant.url("/account/requests")).await;
        let address = listed(&scene, &list)[0].clone();
        let page = browser.open(&address).await;
        page.expect_id("password");
        // Nor does the answer count without.
        let other = begin(&scene, &scene.rp).await;
        let list = browser.open(&scene.tenant.url("/account/requests")).await;
        let lax = browser.open(&listed(&scene, &list)[0]).await;
        let csrf = lax.hidden("csrf").expect("a token");
        let own = scene.tenant.issuer.split("/t/").next().expect("an origin").to_owned();
        let answer = browser.post_from(&address, &[("csrf", &csrf), ("decision", "allow")], Some(&own)).await;
        assert_eq!(answer.status, 303);
        poll(&strict, &name).await.expect_error(400, "authorization_pending");
        browser.submit(&lax, &[("decision", "allow")]).await.answer.expect_ok();
        poll(&scene.rp, &other).await.expect_ok();
        let page = browser.sign_in(&page, &scene.user).await;
        assert_eq!(page.url.as_str(), address);
        browser.submit(&page, &[("decision", "allow")]).await.answer.expect_ok();
        poll(&strict, &name).await.expect_ok();
    }

    /// Between permission and poll: a session that ends, an account that is closed; and a key that tokens are bound to.
    async fn what_ends_meanwhile_ends_it(app: TestApp) {
        let scene = scene(app).await;
        let short = scene.with(&caller(&scene.app, &scene.tenant, json!({ "scope": "openid profile", "grant_types": [GRANT] })).await).with_scope("openid profile");
        let name = begin(&scene, &short).await;
        let (mut browser, _) = decide(&scene, "allow").await;
        let page = browser.open(&scene.tenant.url("/logout")).await;
        browser.submit(&page, &[("logout", "1")]).await;
        poll(&short, &name).await.expect_error(400, "invalid_grant");
        let name = begin(&scene, &scene.rp).await;
        decide(&scene, "allow").await;
        scene.set_disabled(true).await;
        poll(&scene.rp, &name).await.expect_error(400, "invalid_grant");
        scene.set_disabled(false).await;
        // Neither did it spend anything, nor does a proof while there is nothing to be had.
        let rows = || scene.app.database.raw().count("dpop_proofs");
        let prover = Prover::new(&scene.app.provider.clock);
        let waiting = begin(&scene, &scene.rp).await;
        scene.rp.proved(&prover, &[("grant_type", GRANT), ("auth_req_id", &waiting)]).await.expect_error(400, "authorization_pending");
        assert_eq!(rows(), 0);
        let bound = scene.rp.proved(&prover, &[("grant_type", GRANT), ("auth_req_id", &name)]).await.expect_ok().json();
        assert_eq!((bound["token_type"].as_str(), rows()), (Some("DPoP"), 1));
        assert_eq!(claims(text(&bound, "access_token"))["cnf"]["jkt"], prover.jkt());
        // Tokens for an API, and claims one by one.
        scene.app.resource(&scene.tenant, "https://calls.example", &["calls:read"]).await;
        let rp = scene.with(&caller(&scene.app, &scene.tenant, json!({ "scope": "openid email calls:read" })).await).with_scope("openid calls:read");
        let asked = ask(&rp, &[("login_hint", &scene.user.email), ("resource", "https://calls.example"), ("claims", r#"{"id_token":{"email":null}}"#)]).await.expect_ok().json();
        let (_, page) = question(&scene).await;
        assert!(page.answer.body.contains("calls:read"), "{}", page.answer.body);
        assert!(page.answer.body.contains("See your email address"), "a single claim is shown as what it stands for: {}", page.answer.body);
        decide(&scene, "allow").await;
        let tokens = poll(&rp, text(&asked, "auth_req_id")).await.expect_ok().json();
        let access = claims(text(&tokens, "access_token"));
        assert_eq!((&access["aud"], &access["scope"]), (&json!("https://calls.example"), &json!("openid calls:read")));
        assert_eq!(claims(text(&tokens, "id_token"))["email"], "ana@acme.example");
        assert!(tokens["refresh_token"].is_null());
    }

    /// §7.1.1: signed requests, where the client registered to send them.
    async fn signed_requests(app: TestApp) {
        let scene = scene(app).await;
        let (own, foreign) = (key(), key());
        let metadata = json!({ "backchannel_authentication_request_signing_alg": "ES256", "jwks": { "keys": [own.public_jwk()] } });
        let rp = scene.with(&caller(&scene.app, &scene.tenant, metadata).await).with_scope(SCOPE);
        let now = scene.app.provider.clock.unix();
        let id = rp.client.client_id();
        let number = std::cell::Cell::new(0);
        let object = |key: &SigningKey, change: Value| {
            number.set(number.get() + 1);
            let mut claims = json!({
                "iss": id, "aud": scene.tenant.issuer, "iat": now, "nbf": now, "exp": now + 300, "jti": format!("jti-{}", number.get()),
                "scope": "openid profile", "login_hint": scene.user.email, "binding_message": "SIGNED", "requested_expiry": 120,
            });
            for (name, value) in change.as_object().expect("an object") {
                if value.is_null() {
                    claims.as_object_mut().expect("an object").remove(name);
                } else {
                    claims[name] = value.clone();
                }
            }
            key.sign_jwt("JWT", &claims).expect("signed")
        };
        let send = async |object: &str, more: &[(&str, &str)]| {
            let mut form = vec![("request", object)];
            form.extend_from_slice(more);
            rp.authenticated("/backchannel_authentication", &form).send().await
        };
        let good = object(&own, json!({}));
        let asked = send(&good, &[]).await.expect_ok().json();
        assert_eq!(asked["expires_in"], 120);
        let (_, page) = question(&scene).await;
        assert!(page.answer.body.contains("SIGNED"));
        decide(&scene, "allow").await;
        let tokens = poll(&rp, text(&asked, "auth_req_id")).await.expect_ok().json();
        assert_eq!(tokens["scope"], "openid profile");
        // Once.
        send(&good, &[]).await.expect_error(400, "invalid_request");
        for change in [
            json!({ "jti": null }), json!({ "jti": "" }), json!({ "jti": "x".repeat(257) }), json!({ "jti": 1 }), json!({ "iat": null }), json!({ "nbf": null }), json!({ "exp": null }),
            json!({ "iss": null }), json!({ "iss": "somebody" }), json!({ "aud": null }), json!({ "aud": "https://other.example" }), json!({ "sub": id }),
            json!({ "exp": now - 60 }), json!({ "nbf": now + 60 }), json!({ "iat": now + 60 }), json!({ "exp": now + 3_601 }), json!({ "nbf": now - 3_700, "exp": now - 100 }),
            json!({ "request": "a.b.c" }), json!({ "login_hint": ["a"] }),
        ] {
            send(&object(&own, change.clone()), &[]).await.expect_error(400, "invalid_request");
        }
        send(&object(&own, json!({ "scope": "profile" })), &[]).await.expect_error(400, "invalid_scope");
        send(&object(&own, json!({ "login_hint": "nobody@acme.example" })), &[]).await.expect_error(400, "unknown_user_id");
        send(&object(&foreign, json!({})), &[]).await.expect_error(400, "invalid_request");
        let forged = good.rsplit_once('.').map(|(signed, _)| format!("{signed}.AAAA")).expect("three parts");
        send(&forged, &[]).await.expect_error(400, "invalid_request");
        let unsigned = format!("{}.{}.", encode(&json!({ "alg": "none" })), good.split('.').nth(1).expect("claims"));
        send(&unsigned, &[]).await.expect_error(400, "invalid_request");
        // Nothing stands beside it, and nothing without it.
        for beside in [("scope", "openid"), ("login_hint", "ana@acme.example"), ("binding_message", "BESIDE")] {
            send(&object(&own, json!({})), &[beside]).await.expect_error(400, "invalid_request");
        }
        ask(&rp, &[("login_hint", &scene.user.email)]).await.expect_error(400, "invalid_request");
        // Two at once, on two nodes: one.
        let node = scene.second_node().await;
        let twice = object(&own, json!({}));
        let answers = at_once((0..4).map(|number| {
            let (mut rp, object) = (rp.clone(), twice.clone());
            if number % 2 == 0 {
                rp.move_to(&node.http);
            }
            async move { rp.authenticated("/backchannel_authentication", &[("request", &object)]).send().await }
        })).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    }

    /// FAPI 2.0: poll or ping, something to compare, signed where messages are, and bound tokens.
    async fn profiles_demand_more(app: TestApp) {
        let scene = scene(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let own = key();
        let metadata = |profile: &str, more: Value| {
            let mut metadata = json!({
                "client_name": "Bank", "grant_types": [GRANT], "backchannel_token_delivery_mode": "poll", "token_endpoint_auth_method": "private_key_jwt",
                "jwks": { "keys": [own.public_jwk()] }, "scope": "openid", "security_profile": profile, "backchannel_client_notification_endpoint": "https://bank.example/told",
                "introspection_signed_response_alg": "ES256",
            });
            for (name, value) in more.as_object().expect("an object") {
                metadata[name] = value.clone();
            }
            metadata
        };
        for (profile, more, field) in [
            ("fapi2_security", json!({ "backchannel_token_delivery_mode": "push" }), "backchannel_token_delivery_mode"),
            ("fapi2_security", json!({ "backchannel_authentication_request_signing_alg": "RS256" }), "backchannel_authentication_request_signing_alg"),
            ("fapi2_message_signing", json!({}), "backchannel_authentication_request_signing_alg"),
        ] {
            let made = admin.post("/tenants/acme/clients", &metadata(profile, more)).await;
            assert!(made.status == 422 && made.body.contains(field), "{profile}: {}", made.body);
        }
        let signing = metadata("fapi2_message_signing", json!({ "backchannel_authentication_request_signing_alg": "ES256" }));
        assert_eq!(admin.post("/tenants/acme/clients", &signing).await.status, 201);
        let client = scene.app.client(&scene.tenant, metadata("fapi2_security", json!({}))).await;
        let assertion = || {
            let clock = &scene.app.provider.clock;
            let claims = json!({ "iss": client.client_id(), "sub": client.client_id(), "aud": scene.tenant.issuer, "iat": clock.unix(), "exp": clock.unix() + 60, "jti": clock.uuid_v7() });
            own.sign_jwt("JWT", &claims).expect("signed")
        };
        let send = async |path: &str, more: &[(&str, &str)]| {
            let assertion = assertion();
            let mut form = vec![("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), ("client_assertion", assertion.as_str())];
            form.extend_from_slice(more);
            scene.app.post(&scene.tenant.url(path), &form).send().await
        };
        let asked = [("scope", "openid"), ("login_hint", scene.user.email.as_str())];
        send("/backchannel_authentication", &asked).await.expect_error(400, "invalid_binding_message");
        let asked = send("/backchannel_authentication", &[asked[0], asked[1], ("binding_message", "W4SCT")]).await.expect_ok().json();
        decide(&scene, "allow").await;
        // No token that whoever finds it could use.
        send("/token", &[("grant_type", GRANT), ("auth_req_id", text(&asked, "auth_req_id"))]).await.expect_error(400, "invalid_request");
        let mut told = scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        assert!(told["backchannel_token_delivery_modes_supported"].as_array().is_some_and(|modes| modes.contains(&json!("push"))));
        scene.app.change_settings(&scene.tenant, |settings| settings.security_profile = tessera::protocol::fapi::SecurityProfile::Fapi2Security).await;
        told = scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        assert_eq!(told["backchannel_token_delivery_modes_supported"], json!(["poll", "ping"]));
        // §7.1: the endpoint is an audience of assertions, where the issuer alone isn't demanded.
        scene.app.change_settings(&scene.tenant, |settings| settings.security_profile = tessera::protocol::fapi::SecurityProfile::None).await;
        let plain = scene.app.client(&scene.tenant, metadata("none", json!({}))).await;
        let clock = &scene.app.provider.clock;
        let claims = json!({ "iss": plain.client_id(), "sub": plain.client_id(), "aud": scene.tenant.url("/backchannel_authentication"), "exp": clock.unix() + 60, "jti": clock.uuid_v7() });
        let assertion = own.sign_jwt("JWT", &claims).expect("signed");
        let form = [
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), ("client_assertion", assertion.as_str()),
            ("scope", "openid"), ("login_hint", scene.user.email.as_str()),
        ];
        scene.app.post(&scene.tenant.url("/backchannel_authentication"), &form).send().await.expect_ok();
    }

    /// What the documentation shows is what is sent and answered.
    async fn the_documentation_tells_the_truth(app: TestApp) {
        let page = include_str!("../../../docs/src/ciba.md");
        let scene = scene(app).await;
        let (id, secret) = (scene.rp.client.client_id(), scene.rp.client.secret().to_owned());
        let blocks: Vec<&str> = page.split("```").skip(1).step_by(2).collect();
        let shown: Value = serde_json::from_str(blocks[2].strip_prefix("json").expect("the answer")).expect("JSON");
        let values = [("$CLIENT_ID", id.as_str()), ("$CLIENT_SECRET", secret.as_str())];
        let asked = documented(&scene, blocks[1], &values).await.expect_ok().json();
        let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&asked), keys(&shown));
        for (name, value) in [("expires_in", json!(300)), ("interval", json!(5))] {
            assert_eq!((&asked[name], &shown[name]), (&value, &value));
        }
        decide(&scene, "allow").await;
        let values = [values[0], values[1], ("$AUTH_REQ_ID", text(&asked, "auth_req_id"))];
        documented(&scene, blocks[3], &values).await.expect_ok();
    }

    /// In the language of whoever reads it.
    async fn the_pages_speak_german_too(app: TestApp) {
        let scene = scene(app).await;
        let name = begin(&scene, &scene.rp).await;
        let mut browser = Browser::new(scene.app.http.clone().with_header("accept-language", "de"));
        let page = browser.open(&scene.tenant.url("/account/requests")).await;
        let page = browser.sign_in(&page, &scene.user).await;
        assert!(page.answer.body.contains("Anfragen an Sie") && page.answer.body.contains("Eine Anfrage wartet auf Ihre Antwort."), "{}", page.answer.body);
        let page = browser.open(&listed(&scene, &page)[0]).await;
        assert!(page.answer.body.contains("Sind Sie das, bei Call centre?") && page.answer.body.contains("innerhalb von 5 Minuten"), "{}", page.answer.body);
        let page = browser.submit(&page, &[("decision", "allow")]).await;
        assert!(page.answer.body.contains("Sie haben es erlaubt"));
        poll(&scene.rp, &name).await.expect_ok();
    }
}
