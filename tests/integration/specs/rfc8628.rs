//! Device authorization (RFC 8628): the codes, the pages where a person enters and confirms one, and the polls.

use std::time::Duration;

use actix_web::http::Method;
use serde_json::{Value, json};
use tessera::domain::address::{Domain, DomainStage};
use tessera::domain::audit::Origin;
use tessera::domain::ids::{DomainId, UserId};
use tessera::domain::settings::RegistrationPolicy;
use tessera::flows::authorize::Decision;
use tessera::flows::browser::SessionCookie;
use tessera::flows::decoupled::Answered;
use tessera::flows::device::Found;
use tessera::flows::tenancy::TenantAt;

use super::registration::{client_of, register, registered};
use super::registration_management::Held;
use super::seed::{Scene, at_once, text};
use crate::support::app::{TestApp, TestClient, TestTenant, app_test, on_both};
use crate::support::browser::{Browser, Page};
use crate::support::dpop::Prover;
use crate::support::http::Answer;
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::secrets::expect_not_kept;
use crate::support::sector::Sector;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const SCOPE: &str = "openid profile offline_access";

/// An application on televisions.
async fn television(app: &TestApp, tenant: &TestTenant, more: Value) -> TestClient {
    let mut metadata = json!({
        "client_name": "Living room", "grant_types": [GRANT, "refresh_token"], "token_endpoint_auth_method": "none", "scope": SCOPE,
    });
    for (name, value) in more.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    app.client(tenant, metadata).await
}

/// A tenant with a person and such an application.
pub async fn scene(app: TestApp) -> Scene {
    let mut scene = Scene::new(app).await;
    let client = television(&scene.app, &scene.tenant, json!({})).await;
    scene.rp = scene.with(&client).with_scope(SCOPE);
    scene
}

async fn ask(rp: &RelyingParty, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![("scope", rp.scope.as_str())];
    form.extend_from_slice(more);
    rp.authenticated("/device_authorization", &form)
        .send()
        .await
}

/// What a device got.
pub struct Codes {
    pub device: String,
    user: String,
    complete: String,
}

#[track_caller]
fn codes(answer: &Answer) -> Codes {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let body = answer.json();
    Codes {
        device: text(&body, "device_code").to_owned(),
        user: text(&body, "user_code").to_owned(),
        complete: text(&body, "verification_uri_complete").to_owned(),
    }
}

pub async fn begin(scene: &Scene) -> Codes {
    codes(&ask(&scene.rp, &[]).await)
}

pub async fn poll(rp: &RelyingParty, device: &str) -> Answer {
    rp.token(&[("grant_type", GRANT), ("device_code", device)])
        .await
}

/// A browser that is signed in, at the page for codes.
async fn at_the_page(scene: &Scene) -> (Browser, Page) {
    let mut browser = scene.app.browser();
    let page = browser.open(&scene.tenant.url("/device")).await;
    let page = browser.sign_in(&page, &scene.user).await;
    page.expect_id("user_code");
    (browser, page)
}

/// The page that asks.
pub async fn question(scene: &Scene, codes: &Codes) -> (Browser, Page) {
    let (mut browser, page) = at_the_page(scene).await;
    let page = browser.submit(&page, &[("user_code", &codes.user)]).await;
    page.expect_id("allow").expect_id("deny");
    (browser, page)
}

async fn decide(scene: &Scene, codes: &Codes, decision: &str) -> (Browser, Page) {
    let (mut browser, page) = question(scene, codes).await;
    let done = browser.submit(&page, &[("decision", decision)]).await;
    assert_eq!(done.answer.status, 200, "{}", done.answer.body);
    (browser, done)
}

/// The page says that no device waits with this code.
#[track_caller]
fn expect_unknown(page: &Page) {
    assert_eq!(page.answer.status, 400, "{}", page.answer.body);
    assert!(
        page.answer.body.contains("No device is waiting"),
        "{}",
        page.answer.body
    );
    page.expect_id("user_code");
}

/// Sends what a command of the documentation sends.
pub async fn documented(scene: &Scene, block: &str, values: &[(&str, &str)]) -> Answer {
    let command = values
        .iter()
        .fold(block.replace("\\\n", " "), |text, (name, value)| {
            text.replace(name, value)
        });
    let mut words = command.split_whitespace().peekable();
    let path = words
        .find_map(|word| word.strip_prefix("$ISSUER"))
        .expect("an address")
        .to_owned();
    let mut form: Vec<(String, String)> = Vec::new();
    let mut basic = None;
    while let Some(word) = words.next() {
        let mut given = words.next().unwrap_or_default().to_owned();
        // A quoted word may hold spaces.
        while given.matches('"').count() % 2 == 1 {
            given = format!("{given} {}", words.next().expect("the other quote"));
        }
        let given = given.replace('"', "");
        match word {
            "-d" => form.extend(
                given
                    .split_once('=')
                    .map(|(name, value)| (name.to_owned(), value.to_owned())),
            ),
            "-u" => {
                basic = given
                    .split_once(':')
                    .map(|(id, secret)| (id.to_owned(), secret.to_owned()));
            }
            other => panic!("{other} in {command}"),
        }
    }
    let form: Vec<_> = form
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let request = scene.app.post(&scene.tenant.url(&path), &form);
    match basic {
        Some((id, secret)) => request.basic(&id, &secret).send().await,
        None => request.send().await,
    }
}

fn interval(scene: &Scene) -> Vec<String> {
    scene
        .app
        .database
        .raw()
        .texts("SELECT CAST(poll_interval AS TEXT) AS value FROM device_codes")
}

app_test! {
    /// §3.1 to §3.5: the whole of it.
    async fn a_person_signs_in_on_a_device(app: TestApp) {
        let scene = scene(app).await;
        let answer = ask(&scene.rp, &[]).await;
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), (Some("no-store"), Some("no-cache")));
        let body = answer.json();
        assert_eq!(body.as_object().map(serde_json::Map::len), Some(6));
        assert_eq!((&body["expires_in"], &body["interval"]), (&json!(600), &json!(5)));
        assert_eq!(text(&body, "verification_uri"), scene.tenant.url("/device"));
        let codes = codes(&answer);
        assert_eq!(codes.complete, scene.tenant.url(&format!("/device?user_code={}", codes.user)));
        assert!(codes.device.starts_with("tsd_") && codes.user.len() == 9 && codes.user.as_bytes()[4] == b'-', "{body}");
        poll(&scene.rp, &codes.device).await.expect_error(400, "authorization_pending");
        let (mut browser, page) = question(&scene, &codes).await;
        // What a person needs to know whether it is theirs.
        for shown in ["Living room", codes.user.as_str(), "127.0.0.1", "just now", "Ana Example", "See your name and profile", "Go on only if you have just started this yourself"] {
            assert!(page.answer.body.contains(shown), "{shown}: {}", page.answer.body);
        }
        scene.app.time.advance(Duration::from_secs(5));
        poll(&scene.rp, &codes.device).await.expect_error(400, "authorization_pending");
        let done = browser.submit(&page, &[("decision", "allow")]).await;
        assert!(done.answer.body.contains("Your device is connected"), "{}", done.answer.body);
        // Whoever is answered needn't wait.
        let answer = poll(&scene.rp, &codes.device).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let tokens = answer.expect_ok().json();
        assert_eq!(tokens["scope"], SCOPE);
        let id = claims(text(&tokens, "id_token"));
        assert_eq!((&id["sub"], &id["iss"], &id["aud"]), (&json!(scene.user.id.to_string()), &json!(scene.tenant.issuer), &json!(scene.rp.client.client_id())));
        assert!(id["at_hash"].is_string() && id["sid"].is_string() && id["nonce"].is_null(), "{id}");
        assert_eq!(scene.rp.userinfo(text(&tokens, "access_token")).await.expect_ok().json()["name"], "Ana Example");
        let refreshed = scene.rp.refreshed(text(&tokens, "refresh_token")).await;
        assert!(scene.is_active(&refreshed.access_token).await);
        assert_eq!((scene.events("consent.granted"), scene.events("grant.created")), (1, 1));
        let detail = scene.app.database.raw().texts("SELECT detail AS value FROM audit_events WHERE act = 'grant.created'");
        assert!(detail[0].contains("\"address\":\"127.0.0.1\""), "{detail:?}");
        // The person finds it among their applications, and ends it there.
        let page = browser.open(&scene.tenant.url("/account/applications")).await;
        assert!(page.answer.body.contains("Living room"));
        let withdraw = page.hidden("withdraw").or_else(|| page.answer.body.split("name=\"withdraw\" value=\"").nth(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()));
        browser.submit(&page, &[("withdraw", &withdraw.expect("a button"))]).await;
        scene.rp.refresh(refreshed.refresh()).await.expect_error(400, "invalid_grant");
    }

    /// §3.3.1: a code in the address fills the field in, and the person still confirms it twice.
    async fn a_code_in_the_address_is_confirmed_too(app: TestApp) {
        let scene = scene(app).await;
        let codes = begin(&scene).await;
        let mut browser = scene.app.browser();
        let page = browser.open(&codes.complete).await;
        page.expect_id("password");
        let page = browser.sign_in(&page, &scene.user).await;
        page.expect_id("user_code");
        assert!(page.answer.body.contains(&format!("value=\"{}\"", codes.user)), "{}", page.answer.body);
        poll(&scene.rp, &codes.device).await.expect_error(400, "authorization_pending");
        let page = browser.submit(&page, &[("user_code", &codes.user)]).await;
        page.expect_id("allow");
        browser.submit(&page, &[("decision", "allow")]).await;
        poll(&scene.rp, &codes.device).await.expect_ok();
        // Looking at addresses is no guess: nothing was counted, nothing looked up.
        let mut browser = browser.clone();
        for _ in 0..30 {
            let page = browser.open(&scene.tenant.url("/device?user_code=BBBB-BBBB")).await;
            assert_eq!(page.answer.status, 200);
        }
        let again = begin(&scene).await;
        let page = browser.open(&again.complete).await;
        browser.submit(&page, &[("user_code", &again.user)]).await.expect_id("allow");
    }

    /// §6.1: as people type.
    async fn a_code_is_taken_however_it_is_typed(app: TestApp) {
        let scene = scene(app).await;
        let codes = begin(&scene).await;
        let letters = codes.user.replace('-', "");
        let (mut browser, page) = at_the_page(&scene).await;
        for typed in [letters.to_lowercase(), format!(" {} {} ", &letters[..3], &letters[3..]), codes.user.replace('-', "–"), codes.user.to_lowercase()] {
            let page = browser.submit(&page, &[("user_code", &typed)]).await;
            page.expect_id("allow");
            assert!(page.answer.body.contains(&codes.user));
        }
        for typed in ["WDJB", "WDJB-MJH1", "AEIO-UAEI", "%00", "é", &"W".repeat(5_000)] {
            expect_unknown(&browser.submit(&page, &[("user_code", typed)]).await);
        }
        let empty = browser.submit(&page, &[("user_code", " ")]).await;
        assert_eq!(empty.answer.status, 400);
        assert!(empty.answer.body.contains("Enter the code that your device shows") && empty.answer.body.contains("id=\"user_code-problem\""));
    }

    async fn a_refusal_is_told_and_final(app: TestApp) {
        let scene = scene(app).await;
        let codes = begin(&scene).await;
        let (mut browser, done) = decide(&scene, &codes, "deny").await;
        assert!(done.answer.body.contains("Nothing was allowed"));
        for _ in 0..2 {
            poll(&scene.rp, &codes.device).await.expect_error(400, "access_denied");
        }
        let page = browser.open(&codes.complete).await;
        expect_unknown(&browser.submit(&page, &[("user_code", &codes.user)]).await);
        poll(&scene.rp, &codes.device).await.expect_error(400, "access_denied");
        assert_eq!((scene.events("consent.denied"), scene.events("grant.created")), (1, 0));
    }

    /// §5.4: whoever enters a code that was sent around gives its sender what it is for.
    async fn the_administration_is_no_devices(app: TestApp) {
        let scene = scene(app).await;
        let client = scene.app.client(&scene.tenant, json!({
            "client_name": "Console of a television", "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "token_endpoint_auth_method": "none",
            "scope": "openid tessera:admin",
        })).await;
        let rp = scene.with(&client);
        let asked = |form: Vec<(&'static str, &'static str)>| { let rp = rp.clone(); async move { rp.authenticated("/device_authorization", &form).send().await } };
        asked(vec![("scope", "openid tessera:admin")]).await.expect_error(400, "invalid_scope");
        assert_eq!(asked(Vec::new()).await.status, 200);
        let kept = scene.app.database.raw().texts("SELECT scope AS value FROM device_codes").concat();
        assert!(!kept.contains("tessera:admin"), "{kept}");
    }

    /// §3.5: `expired_token`, for people and devices alike.
    async fn a_code_expires(app: TestApp) {
        let scene = scene(app).await;
        let (unseen, allowed, looked_at) = (begin(&scene).await, begin(&scene).await, begin(&scene).await);
        decide(&scene, &allowed, "allow").await;
        let (mut browser, page) = question(&scene, &looked_at).await;
        scene.app.time.advance(Duration::from_secs(599));
        poll(&scene.rp, &unseen.device).await.expect_error(400, "authorization_pending");
        scene.app.time.advance(Duration::from_secs(1));
        for codes in [&unseen, &allowed, &looked_at] {
            poll(&scene.rp, &codes.device).await.expect_error(400, "expired_token");
        }
        expect_unknown(&browser.submit(&page, &[("decision", "allow")]).await);
        let page = browser.open(&unseen.complete).await;
        expect_unknown(&browser.submit(&page, &[("user_code", &unseen.user)]).await);
        assert_eq!(scene.events("grant.created"), 1);
        let sweep = async || scene.app.provider.db.write_installation(|all| all.delete_expired(100)).await.expect("runs");
        scene.app.time.advance(Duration::from_hours(1));
        assert_eq!(sweep().await.device_codes, 0);
        scene.app.time.advance(Duration::from_secs(1));
        assert_eq!(sweep().await.device_codes, 3);
        poll(&scene.rp, &unseen.device).await.expect_error(400, "invalid_grant");
        // Its grant is kept for another day, and still knows it.
        poll(&scene.rp, &allowed.device).await.expect_error(400, "expired_token");
    }

    /// The life is the tenant's to say.
    async fn its_life_is_a_setting(app: TestApp) {
        let scene = scene(app).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.device_code_lifetime = 60).await;
        let answer = ask(&scene.rp, &[]).await;
        assert_eq!(answer.json()["expires_in"], 60);
        scene.app.time.advance(Duration::from_mins(1));
        poll(&scene.rp, &codes(&answer).device).await.expect_error(400, "expired_token");
    }

    /// §3.5: `slow_down` adds five seconds each time, and is remembered.
    async fn a_device_that_asks_too_often_waits_longer(app: TestApp) {
        let scene = scene(app).await;
        let codes = begin(&scene).await;
        let pending = async || { poll(&scene.rp, &codes.device).await.expect_error(400, "authorization_pending"); };
        let slow = async || { poll(&scene.rp, &codes.device).await.expect_error(400, "slow_down"); };
        pending().await;
        scene.app.time.advance(Duration::from_secs(4));
        slow().await;
        assert_eq!(interval(&scene), ["10"]);
        scene.app.time.advance(Duration::from_secs(9));
        slow().await;
        assert_eq!(interval(&scene), ["15"]);
        scene.app.time.advance(Duration::from_secs(15));
        pending().await;
        scene.app.time.advance(Duration::from_millis(14_600));
        pending().await;
        // However long somebody hammers, the row is written as often as the interval has steps.
        for _ in 0..20 {
            slow().await;
        }
        assert_eq!(interval(&scene), ["60"]);
        // Each node by itself, and each device.
        let node = scene.second_node().await;
        let mut there = scene.rp.clone();
        there.move_to(&node.http);
        poll(&there, &codes.device).await.expect_error(400, "authorization_pending");
        let other = begin(&scene).await;
        poll(&scene.rp, &other.device).await.expect_error(400, "authorization_pending");
        // A clock that is set back makes nobody wait.
        scene.app.time.rewind(Duration::from_hours(1));
        poll(&scene.rp, &other.device).await.expect_error(400, "authorization_pending");
        scene.app.time.advance(Duration::from_hours(1));
        // The person's answer comes through all the same.
        decide(&scene, &codes, "allow").await;
        poll(&scene.rp, &codes.device).await.expect_ok();
    }

    /// A device that waits asks once, and writes nothing.
    async fn waiting_costs_one_statement(app: TestApp) {
        let scene = scene(app).await;
        let codes = begin(&scene).await;
        let statements = || scene.app.provider.db.gauges().statements;
        let mut least = u64::MAX;
        for _ in 0..5 {
            scene.app.time.advance(Duration::from_secs(6));
            let before = statements();
            poll(&scene.rp, &codes.device).await.expect_error(400, "authorization_pending");
            least = least.min(statements() - before);
        }
        assert_eq!(least, READ);
        // The look at the device, and what an authorization code costs; the least of several, as the change feed is looked at now and then.
        let mut redemption = u64::MAX;
        for _ in 0..3 {
            let codes = begin(&scene).await;
            decide(&scene, &codes, "allow").await;
            let before = statements();
            poll(&scene.rp, &codes.device).await.expect_ok();
            redemption = redemption.min(statements() - before);
        }
        assert!(redemption <= READ + 5, "{redemption}");
    }

    /// Nor does one that proves by which key it waits: the proof is spent when there is something to be had.
    async fn waiting_with_a_proof_writes_nothing(app: TestApp) {
        let scene = scene(app).await;
        let codes = begin(&scene).await;
        let prover = Prover::new(&scene.app.provider.clock);
        let rows = || scene.app.database.raw().count("dpop_proofs");
        let form = [("grant_type", GRANT), ("device_code", codes.device.as_str())];
        for _ in 0..3 {
            scene.app.time.advance(Duration::from_secs(6));
            scene.rp.proved(&prover, &form).await.expect_error(400, "authorization_pending");
        }
        scene.rp.with_proof("a.b.c", &form).await.expect_error(400, "invalid_dpop_proof");
        assert_eq!(rows(), 0);
        decide(&scene, &codes, "allow").await;
        let answer = scene.rp.proved(&prover, &form).await.expect_ok().json();
        assert_eq!((answer["token_type"].as_str(), rows()), (Some("DPoP"), 1));
    }

    /// As with authorization codes: one redemption, and a second one ends what the first gave.
    async fn a_code_is_good_for_one_redemption(app: TestApp) {
        let scene = scene(app).await;
        let codes = begin(&scene).await;
        decide(&scene, &codes, "allow").await;
        let tokens = poll(&scene.rp, &codes.device).await.expect_ok().json();
        assert!(scene.is_active(text(&tokens, "access_token")).await);
        // Long after the code has ended, and its row.
        scene.app.time.advance(Duration::from_secs(200));
        poll(&scene.rp, &codes.device).await.expect_error(400, "invalid_grant");
        assert!(!scene.is_active(text(&tokens, "access_token")).await);
        scene.rp.refresh(text(&tokens, "refresh_token")).await.expect_error(400, "invalid_grant");
        assert_eq!(scene.events("grant.replay_detected"), 1);

        let later = begin(&scene).await;
        decide(&scene, &later, "allow").await;
        let tokens = poll(&scene.rp, &later.device).await.expect_ok().json();
        scene.app.time.advance(Duration::from_hours(20));
        scene.app.provider.db.write_installation(|all| all.delete_expired(100)).await.expect("runs");
        assert_eq!(scene.app.database.raw().count("device_codes"), 0);
        poll(&scene.rp, &later.device).await.expect_error(400, "invalid_grant");
        scene.rp.refresh(text(&tokens, "refresh_token")).await.expect_error(400, "invalid_grant");
        assert_eq!(scene.events("grant.replay_detected"), 2);
    }

    async fn of_many_redemptions_one_wins(app: TestApp) {
        let scene = scene(app).await;
        let node = scene.second_node().await;
        let codes = begin(&scene).await;
        decide(&scene, &codes, "allow").await;
        let answers = at_once((0..16).map(|number| {
            let (mut rp, device) = (scene.rp.clone(), codes.device.clone());
            if number % 2 == 0 {
                rp.move_to(&node.http);
            }
            async move { poll(&rp, &device).await }
        })).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.expect_error(400, "invalid_grant");
        }
    }

    async fn of_many_answers_the_first_counts(app: TestApp) {
        let scene = scene(app).await;
        let codes = begin(&scene).await;
        let (mut browser, page) = question(&scene, &codes).await;
        let (mut other, theirs) = question(&scene, &codes).await;
        let answers = at_once([("allow", &browser, &page), ("deny", &other, &theirs), ("allow", &other, &theirs), ("deny", &browser, &page)].map(|(decision, browser, page)| {
            let (mut browser, page) = (browser.clone(), page.clone());
            async move { browser.submit(&page, &[("decision", decision)]).await.answer }
        })).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert_eq!(scene.events("consent.granted") + scene.events("consent.denied"), 1);
        expect_unknown(&browser.submit(&page, &[("decision", "allow")]).await);
        expect_unknown(&other.submit(&theirs, &[("decision", "deny")]).await);
    }

    /// SECURITY, "Tenancy": the codes of one tenant, client or address are nothing to another.
    async fn codes_are_bound_to_client_tenant_and_address(app: TestApp) {
        let scene = scene(app).await;
        let globex = scene.app.tenant("globex").await;
        let theirs = RelyingParty::new(&scene.app, &globex, &television(&scene.app, &globex, json!({})).await).with_scope(SCOPE);
        let other = scene.with(&television(&scene.app, &scene.tenant, json!({})).await);
        let codes = begin(&scene).await;
        decide(&scene, &codes, "allow").await;
        for rp in [&other, &theirs] {
            poll(rp, &codes.device).await.expect_error(400, "invalid_grant");
        }
        // A client of one tenant is nobody at the other.
        let mut stranger = scene.rp.clone();
        stranger.issuer.clone_from(&globex.issuer);
        ask(&stranger, &[]).await.expect_error(401, "invalid_client");
        poll(&stranger, &codes.device).await.expect_error(401, "invalid_client");
        let waiting = begin(&scene).await;
        for rp in [&other, &theirs] {
            poll(rp, &waiting.device).await.expect_error(400, "invalid_grant");
        }
        let there = scene.app.user(&globex, "bo@globex.example", "a long enough password").await;
        let mut browser = scene.app.browser();
        let page = browser.open(&globex.url("/device")).await;
        let page = browser.sign_in(&page, &there).await;
        expect_unknown(&browser.submit(&page, &[("user_code", &waiting.user)]).await);
        // Nor at another address of the tenant.
        let domain = Domain {
            id: DomainId::from(scene.app.provider.clock.uuid_v7()), origin: "https://login.acme.example".into(),
            stage: DomainStage::Pending { verification_token: "token".into() }, canonical: false, created_at: scene.app.provider.now(),
        };
        scene.write(move |repo| { repo.insert_domain(&domain)?; repo.verify_domain(domain.id) }).await;
        let mut elsewhere = scene.rp.clone();
        elsewhere.issuer = "https://login.acme.example".into();
        for codes in [&codes, &waiting] {
            poll(&elsewhere, &codes.device).await.expect_error(400, "invalid_grant");
        }
        let mut browser = scene.app.browser();
        let page = browser.open("https://login.acme.example/device").await;
        let page = browser.sign_in(&page, &scene.user).await;
        expect_unknown(&browser.submit(&page, &[("user_code", &waiting.user)]).await);
        let own = ask(&elsewhere, &[]).await;
        assert!(text(&own.json(), "verification_uri").starts_with("https://login.acme.example/"));
        // The right row with another proof, other handles of ours, and nonsense.
        let mixed = format!("{}{}", &codes.device[..26], &waiting.device[26..]);
        let user = waiting.user.clone();
        for wrong in [mixed.as_str(), &codes.device.replacen("tsd", "tsc", 1), "tsc_x", "", "tsd_", "%00", &user, &"x".repeat(5_000)] {
            let answer = poll(&scene.rp, wrong).await;
            assert!(["invalid_grant", "invalid_request"].contains(&answer.error().as_str()), "{wrong}: {}", answer.body);
        }
        // Neither is it an authorization code, or a refresh token.
        let code = codes.device.replacen("tsd", "tsc", 1);
        let answer = scene.rp.token(&[("grant_type", "authorization_code"), ("code", &code)]).await;
        answer.expect_error(400, "unauthorized_client");
        let both = scene.with(&television(&scene.app, &scene.tenant, json!({
            "grant_types": [GRANT, "authorization_code", "refresh_token"], "redirect_uris": ["https://tv.example/callback"],
        })).await).with_scope(SCOPE);
        let own = self::codes(&ask(&both, &[]).await);
        decide(&scene, &own, "allow").await;
        both.redeem(&own.device.replacen("tsd", "tsc", 1)).await.expect_error(400, "invalid_grant");
        both.redeem(&own.device).await.expect_error(400, "invalid_grant");
        // Not even where nothing else would stand in its way.
        let lax = scene.with(&television(&scene.app, &scene.tenant, json!({
            "grant_types": [GRANT, "authorization_code"], "redirect_uris": ["https://tv.example/callback"], "token_endpoint_auth_method": "client_secret_basic", "require_pkce": false,
        })).await).with_scope("openid");
        let theirs = self::codes(&ask(&lax, &[]).await);
        decide(&scene, &theirs, "allow").await;
        for code in [theirs.device.as_str(), &theirs.device.replacen("tsd", "tsc", 1)] {
            lax.token(&[("grant_type", "authorization_code"), ("code", code)]).await.expect_error(400, "invalid_grant");
        }
        poll(&lax, &theirs.device).await.expect_ok();
        poll(&both, &own.device).await.expect_ok();
        poll(&scene.rp, &codes.device).await.expect_ok();
    }

    /// §3.1: who may ask.
    async fn only_clients_of_this_grant_may_ask(app: TestApp) {
        let scene = scene(app).await;
        let web = scene.with(&scene.app.web_client(&scene.tenant).await);
        ask(&web, &[]).await.expect_error(400, "unauthorized_client");
        web.token(&[("grant_type", GRANT), ("device_code", "tsd_x")]).await.expect_error(400, "unauthorized_client");
        let confidential = scene.with(&television(&scene.app, &scene.tenant, json!({ "token_endpoint_auth_method": "client_secret_basic" })).await);
        let asked = codes(&ask(&confidential, &[]).await);
        decide(&scene, &asked, "allow").await;
        let (url, id) = (scene.tenant.url("/device_authorization"), confidential.client.client_id());
        for request in [
            scene.app.post(&url, &[]), scene.app.post(&url, &[("client_id", &id)]), scene.app.post(&url, &[]).basic(&id, "wrong"),
            scene.app.post(&url, &[("client_id", "018f3a4e-1111-7222-8333-444455556666")]),
            scene.app.post(&scene.tenant.url("/token"), &[("client_id", &id), ("grant_type", GRANT), ("device_code", &asked.device)]),
        ] {
            request.send().await.expect_error(401, "invalid_client");
        }
        let tokens = poll(&confidential, &asked.device).await.expect_ok().json();
        // A client that authenticates keeps its refresh token.
        let refreshed = confidential.refreshed(text(&tokens, "refresh_token")).await;
        assert_eq!(refreshed.refresh(), text(&tokens, "refresh_token"));
        // One that was deregistered meanwhile.
        let codes = begin(&scene).await;
        let client = scene.rp.client.id;
        scene.write(move |repo| repo.delete_client(client)).await;
        poll(&scene.rp, &codes.device).await.expect_error(401, "invalid_client");
    }

    /// What is asked for is checked as it is at the authorization endpoint.
    async fn scope_and_resource_are_checked(app: TestApp) {
        let scene = scene(app).await;
        scene.app.resource(&scene.tenant, "https://films.example", &["films:read"]).await;
        let rp = scene.with(&television(&scene.app, &scene.tenant, json!({ "scope": "openid profile films:read", "grant_types": [GRANT] })).await).with_scope("openid films:read");
        let many = "a".repeat(9_000);
        for (more, error) in [
            ([("scope", "openid")], "invalid_request"),
            ([("resource", "https://nobody.example")], "invalid_target"),
            ([("resource", "relative")], "invalid_target"),
        ] {
            ask(&rp, &more).await.expect_error(400, error);
        }
        for (form, error) in [
            ([("scope", "openid sorcery")], "invalid_scope"), ([("scope", "openid email")], "invalid_scope"), ([("scope", "\"")], "invalid_scope"), ([("scope", many.as_str())], "invalid_request"),
        ] {
            rp.authenticated("/device_authorization", &form).send().await.expect_error(400, error);
        }
        assert_eq!(scene.app.database.raw().count("device_codes"), 0);
        let asked = codes(&ask(&rp, &[("resource", "https://films.example")]).await);
        let (mut browser, page) = question(&scene, &asked).await;
        assert!(page.answer.body.contains("films:read"), "{}", page.answer.body);
        browser.submit(&page, &[("decision", "allow")]).await;
        let tokens = poll(&rp, &asked.device).await.expect_ok().json();
        let access = claims(text(&tokens, "access_token"));
        assert_eq!((&access["aud"], &access["scope"]), (&json!("https://films.example"), &json!("openid films:read")));
        assert!(tokens["refresh_token"].is_null());
        // Without a scope it is what the client registered, less what has to be said.
        let answer = rp.authenticated("/device_authorization", &[]).send().await;
        let asked = codes(&answer);
        decide(&scene, &asked, "allow").await;
        let tokens = poll(&rp, &asked.device).await.expect_ok().json();
        assert_eq!(tokens["scope"], "profile films:read");
        assert!(tokens["id_token"].is_null());
        // A narrower one at the token endpoint, and none that wasn't allowed.
        let asked = codes(&ask(&rp, &[]).await);
        decide(&scene, &asked, "allow").await;
        rp.token(&[("grant_type", GRANT), ("device_code", &asked.device), ("resource", "https://films.example")]).await.expect_error(400, "invalid_target");
    }

    /// So many devices of a client wait, and so many are let in from an address.
    async fn there_are_so_many_codes_and_no_more(app: TestApp) {
        let scene = scene(app).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.device_code_limit = 2).await;
        let first = begin(&scene).await;
        begin(&scene).await;
        let answer = ask(&scene.rp, &[]).await;
        answer.expect_error(503, "temporarily_unavailable");
        assert!(answer.header("retry-after").is_some());
        // Another client's are its own; one that is decided on makes room, and so does time.
        let other = scene.with(&television(&scene.app, &scene.tenant, json!({})).await);
        codes(&ask(&other, &[]).await);
        decide(&scene, &first, "deny").await;
        begin(&scene).await;
        ask(&scene.rp, &[]).await.expect_error(503, "temporarily_unavailable");
        scene.app.time.advance(Duration::from_mins(10));
        begin(&scene).await;
        scene.app.change_settings(&scene.tenant, |settings| { settings.device_code_limit = 1000; settings.device_code_rate = 9; }).await;
        for _ in 0..2 {
            begin(&scene).await;
        }
        for rp in [&scene.rp, &other] {
            ask(rp, &[]).await.expect_error(429, "too_many_requests");
        }
        // A client that authenticates answers for its own devices.
        let confidential = scene.with(&television(&scene.app, &scene.tenant, json!({ "token_endpoint_auth_method": "client_secret_basic" })).await);
        codes(&ask(&confidential, &[]).await);
        scene.app.time.advance(Duration::from_hours(1));
        begin(&scene).await;
    }

    /// OpenID Connect Core §8.1: a sector is proved by answers that are sent there. A device's are sent nowhere.
    async fn a_stranger_learns_no_other_applications_names_of_people(app: TestApp) {
        let scene = scene(app).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.registration = RegistrationPolicy::Open).await;
        let callback = "https://clinic.example/callback";
        let clinic = scene.app.client(&scene.tenant, json!({ "redirect_uris": [callback], "scope": "openid", "subject_type": "pairwise" })).await;
        let real = scene.with(&clinic).with_scope("openid").sign_in(&mut scene.app.browser(), &scene.user).await.id_claims()["sub"].clone();
        let sub_at = async |client: &TestClient| {
            let rp = scene.with(client).with_scope("openid");
            let asked = codes(&ask(&rp, &[]).await);
            decide(&scene, &asked, "allow").await;
            let tokens = poll(&rp, &asked.device).await.expect_ok().json();
            claims(text(&tokens, "id_token"))["sub"].clone()
        };
        let by_device = json!({
            "grant_types": [GRANT], "redirect_uris": [callback], "scope": "openid", "subject_type": "pairwise", "id_token_signed_response_alg": "ES256",
        });
        let with = |more: Value| {
            let mut metadata = by_device.clone();
            for (name, value) in more.as_object().expect("an object") {
                metadata[name] = value.clone();
            }
            metadata
        };
        let stranger = registered(&scene.app, &scene.tenant, by_device.clone()).await;
        let subs = [sub_at(&client_of(&stranger)).await, sub_at(&client_of(&registered(&scene.app, &scene.tenant, by_device.clone()).await)).await];
        assert!(subs[0] != real && subs[1] != real && subs[0] != subs[1], "{real} {subs:?}");
        // An administrator says whose a client is.
        let own = scene.app.client(&scene.tenant, json!({ "grant_types": [GRANT], "redirect_uris": [callback], "scope": "openid", "subject_type": "pairwise" })).await;
        assert_eq!(sub_at(&own).await, real);
        // An array proves nothing either to which anybody can point; keys that stand in it do, as long as the client has to use them.
        let keys = "https://clinic.example/jwks";
        let sector = Sector::start(json!([callback, keys]));
        let both = json!(["authorization_code", GRANT]);
        for more in [
            json!({ "grant_types": both }), json!({ "sector_identifier_uri": sector.url() }), json!({ "sector_identifier_uri": sector.url(), "redirect_uris": [] }),
            json!({ "sector_identifier_uri": sector.url(), "grant_types": both }), json!({ "sector_identifier_uri": sector.url(), "jwks_uri": keys }),
            json!({ "sector_identifier_uri": sector.url(), "jwks_uri": "https://evil.example/jwks", "token_endpoint_auth_method": "private_key_jwt" }),
        ] {
            let refused = register(&scene.app, &scene.tenant, &with(more.clone())).await;
            refused.expect_error(400, "invalid_client_metadata");
            let described = refused.json()["error_description"].to_string();
            assert!(described.contains("sector_identifier_uri"), "{more}: {described}");
        }
        let proved = json!({ "grant_types": both, "sector_identifier_uri": sector.url(), "jwks_uri": keys, "token_endpoint_auth_method": "private_key_jwt" });
        registered(&scene.app, &scene.tenant, with(proved)).await;
        // Nor is a sector taken by a change, by one who has tokens already.
        let elsewhere = "https://elsewhere.example/callback";
        let by_browser = json!({ "redirect_uris": [elsewhere], "scope": "openid", "id_token_signed_response_alg": "ES256" });
        let public = Held::of(registered(&scene.app, &scene.tenant, by_browser.clone()).await);
        let moved = public.change(&json!({ "redirect_uris": [callback] }));
        public.put(&scene.app, &moved).await.expect_ok();
        public.put(&scene.app, &public.change(&json!({ "redirect_uris": [callback], "subject_type": "pairwise" }))).await.expect_error(400, "invalid_client_metadata");
        let mut pairwise = by_browser;
        pairwise["subject_type"] = json!("pairwise");
        let pairwise = Held::of(registered(&scene.app, &scene.tenant, pairwise).await);
        pairwise.put(&scene.app, &pairwise.change(&json!({ "redirect_uris": ["https://elsewhere.example/two"] }))).await.expect_ok();
        for members in [json!({ "redirect_uris": [callback] }), json!({ "redirect_uris": [callback], "sector_identifier_uri": sector.url() })] {
            pairwise.put(&scene.app, &pairwise.change(&members)).await.expect_error(400, "invalid_client_metadata");
        }
        let device = Held::of(stranger);
        device.put(&scene.app, &device.change(&json!({ "grant_types": ["authorization_code"] }))).await.expect_error(400, "invalid_client_metadata");
        device.put(&scene.app, &device.change(&json!({ "client_name": "Television" }))).await.expect_ok();
    }

    /// §5.1: a person has so many tries, right ones included.
    async fn guessing_is_stopped(app: TestApp) {
        let scene = scene(app).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.lockout.attempts = 4).await;
        let codes = begin(&scene).await;
        let (mut browser, page) = at_the_page(&scene).await;
        // A device of one's own buys no tries.
        browser.submit(&page, &[("user_code", &codes.user)]).await.expect_id("allow");
        for guess in ["BBBB-BBBB", "CCCC-CCCC", "DDDD-DDDD"] {
            expect_unknown(&browser.submit(&page, &[("user_code", guess)]).await);
        }
        for _ in 0..3 {
            let stopped = browser.submit(&page, &[("user_code", &codes.user)]).await;
            assert_eq!(stopped.answer.status, 429, "the right one isn't looked at either");
            stopped.expect_id("problem").expect_id("user_code");
            assert!(stopped.answer.body.contains("Too many attempts"));
        }
        assert_eq!(scene.events("device_code.guessing_stopped"), 1);
        // From another browser of theirs it is the same person; another person isn't hindered.
        let (mut theirs, page) = at_the_page(&scene).await;
        assert_eq!(theirs.submit(&page, &[("user_code", &codes.user)]).await.answer.status, 429);
        let bo = scene.app.user(&scene.tenant, "bo@acme.example", "a long enough password").await;
        let mut other = scene.app.browser();
        let page = other.open(&codes.complete).await;
        let page = other.sign_in(&page, &bo).await;
        other.submit(&page, &[("user_code", &codes.user)]).await.expect_id("allow");
        scene.app.time.advance(Duration::from_mins(15));
        let codes = begin(&scene).await;
        let (mut browser, page) = at_the_page(&scene).await;
        browser.submit(&page, &[("user_code", &codes.user)]).await.expect_id("allow");
    }

    async fn of_many_guesses_at_once_so_many_are_looked_at(app: TestApp) {
        let scene = scene(app).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.lockout.attempts = 5).await;
        let (browser, page) = at_the_page(&scene).await;
        let answers = at_once((0..24).map(|_| {
            let (mut browser, page) = (browser.clone(), page.clone());
            async move { browser.submit(&page, &[("user_code", "BBBB-BBBB")]).await.answer }
        })).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 400).count(), 5);
        assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 19);
    }

    /// Many accounts of one network, and many networks of one tenant.
    async fn guessing_together_is_stopped_too(app: TestApp) {
        let scene = scene(app).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.lockout.attempts = 3).await;
        let codes = begin(&scene).await;
        let (browser, _) = at_the_page(&scene).await;
        let tenant = scene.loaded().await;
        let at = TenantAt { issuer: tenant.issuers[0].clone(), tenant: tenant.clone(), rest: String::new(), alias: None };
        let cookie = SessionCookie::parse(browser.cookie("tessera_session"));
        let person = scene.app.provider.find_signed_in(&at, &cookie, None).await.expect("runs").remove(0);
        let guess = async |address: &str, code: &str| {
            let mut somebody = person.clone();
            somebody.user.id = UserId::from(scene.app.provider.clock.uuid_v7());
            let origin = Origin { request_id: None, address: Some(address.to_owned()) };
            scene.app.provider.find_device(&at, &somebody, code, &origin).await.expect("runs")
        };
        // Neighbours of one IPv6 network are one.
        for number in 0..15 {
            assert!(matches!(guess(&format!("2001:db8::{number}"), "BBBB-BBBB").await, Found::Unknown));
        }
        assert!(matches!(guess("2001:db8::ffff", &codes.user).await, Found::Throttled { minutes: 15 }));
        assert!(matches!(guess("198.51.100.1", &codes.user).await, Found::Device(_)));
        for number in 15..60 {
            assert!(matches!(guess(&format!("203.0.113.{number}"), "BBBB-BBBB").await, Found::Unknown));
        }
        assert!(matches!(guess("198.51.100.2", &codes.user).await, Found::Throttled { .. }), "a tenant's people guess so often together");
        assert!(matches!(guess("203.0.113.200", "BBBB-BBBB").await, Found::Throttled { .. }));
        scene.app.time.advance(Duration::from_mins(15));
        let codes = begin(&scene).await;
        assert!(matches!(guess("2001:db8::1", &codes.user).await, Found::Device(_)));
    }

    /// §5.4: whatever was allowed before, and whatever the client is: the person is asked.
    async fn a_person_is_always_asked(app: TestApp) {
        let scene = scene(app).await;
        let trusted = scene.with(&television(&scene.app, &scene.tenant, json!({ "skip_consent": true })).await).with_scope(SCOPE);
        for rp in [&scene.rp, &trusted] {
            for _ in 0..2 {
                let asked = codes(&ask(rp, &[]).await);
                let (_, page) = question(&scene, &asked).await;
                page.expect_id("device-warning");
                poll(rp, &asked.device).await.expect_error(400, "authorization_pending");
                decide(&scene, &asked, "allow").await;
                poll(rp, &asked.device).await.expect_ok();
            }
        }
    }

    /// A form of another origin, of another purpose or with another's token; a question that was put to somebody else.
    async fn answers_come_from_whoever_was_asked(app: TestApp) {
        let scene = scene(app).await;
        let codes = begin(&scene).await;
        let (mut browser, page) = question(&scene, &codes).await;
        let (ticket, csrf) = (page.hidden("device").expect("a device"), page.hidden("csrf").expect("a token"));
        let url = scene.tenant.url("/device/confirm");
        let own = scene.tenant.issuer.split("/t/").next().expect("an origin").to_owned();
        let form = [("device", ticket.as_str()), ("csrf", &csrf), ("decision", "allow")];
        assert_eq!(browser.post_from(&url, &form, Some("https://evil.example")).await.status, 403);
        let entering = browser.open(&scene.tenant.url("/device")).await;
        let other_form = entering.hidden("csrf").expect("a token");
        for csrf in ["", "x", &other_form] {
            let form = [("device", ticket.as_str()), ("csrf", csrf), ("decision", "allow")];
            assert_eq!(browser.post_from(&url, &form, Some(&own)).await.status, 403, "{csrf}");
        }
        let form = [("user_code", codes.user.as_str()), ("csrf", &csrf)];
        assert_eq!(browser.post_from(&scene.tenant.url("/device"), &form, Some(&own)).await.status, 403, "a token of the other form");
        for decision in ["", "maybe", "Allow"] {
            let form = [("device", ticket.as_str()), ("csrf", &csrf), ("decision", decision)];
            browser.post_from(&url, &form, Some(&own)).await.expect_error(400, "invalid_request");
        }
        // Somebody else follows the address, or sends the form.
        let bo = scene.app.user(&scene.tenant, "bo@acme.example", "a long enough password").await;
        let mut other = scene.app.browser();
        let theirs = other.open(&scene.tenant.url("/device")).await;
        other.sign_in(&theirs, &bo).await;
        expect_unknown(&other.open(page.url.as_str()).await);
        let mine = begin(&scene).await;
        let theirs = other.open(&mine.complete).await;
        let theirs = other.submit(&theirs, &[("user_code", &mine.user)]).await;
        let csrf = theirs.hidden("csrf").expect("a token");
        let form = [("device", ticket.as_str()), ("csrf", &csrf), ("decision", "allow")];
        let answer = other.post_from(&url, &form, Some(&own)).await;
        assert_eq!(answer.status, 400);
        for ticket in ["", "x", &ticket[..63], &"A".repeat(64), &format!("{ticket}A")] {
            let page = browser.open(&format!("{url}?device={ticket}")).await;
            expect_unknown(&page);
        }
        // Nobody is signed in: first things first.
        let page = scene.app.browser().open(page.url.as_str()).await;
        page.expect_id("password");
        poll(&scene.rp, &codes.device).await.expect_error(400, "authorization_pending");
        // What the address says of the code isn't believed.
        let page = browser.open(&format!("{url}?device={ticket}&user_code=BBBB-BBBB")).await;
        page.expect_id("allow");
        assert!(!page.answer.body.contains("BBBB-BBBB"), "{}", page.answer.body);
        browser.submit(&page, &[("decision", "allow")]).await;
        poll(&scene.rp, &codes.device).await.expect_ok();
    }

    /// The page names who decides. Whoever came in their place meanwhile wasn't asked.
    async fn the_person_who_was_named_decides(app: TestApp) {
        let scene = scene(app).await;
        let codes = begin(&scene).await;
        let (mut browser, page) = at_the_page(&scene).await;
        let bo = scene.app.user(&scene.tenant, "bo@acme.example", "a long enough password").await;
        let elsewhere = browser.open(&scene.tenant.url(&format!("/login?return_to=%2Fdevice%3Fuser_code%3D{}&elsewhere=1", codes.user))).await;
        let second = browser.sign_in(&elsewhere, &bo).await;
        assert!(second.answer.body.contains("bo@acme.example") && second.answer.body.contains(&codes.user), "{}", second.answer.body);
        // The first page is Ana's still, and so is what comes of it.
        let asked = browser.submit(&page, &[("user_code", &codes.user)]).await;
        assert!(asked.answer.body.contains("ana@acme.example"), "{}", asked.answer.body);
        browser.submit(&asked, &[("decision", "allow")]).await;
        let tokens = poll(&scene.rp, &codes.device).await.expect_ok().json();
        assert_eq!(claims(text(&tokens, "id_token"))["sub"], scene.user.id.to_string());
    }

    /// A sign-in leads back here, and nowhere else.
    async fn signing_in_leads_back_with_the_code(app: TestApp) {
        let scene = scene(app).await;
        for (return_to, expected) in [
            ("/device?user_code=WDJB-MJHT", "/device?user_code=WDJB-MJHT"), ("/device?user_code=wdjbmjht", "/device?user_code=WDJB-MJHT"), ("/device", "/device"),
            ("/device?user_code=%3Cscript%3E", "/account"), ("/device?user_code=WDJB-MJHT&x=1", "/account"), ("/device?x=WDJB-MJHT", "/account"), ("/device/../console", "/account"),
            ("//evil.example/device?user_code=WDJB-MJHT", "/account"), ("https://evil.example/device?user_code=WDJB-MJHT", "/account"),
        ] {
            let mut browser = scene.app.browser();
            let mut url = url::Url::parse(&scene.tenant.url("/login")).expect("a URL");
            url.query_pairs_mut().append_pair("return_to", return_to);
            let page = browser.open(url.as_str()).await;
            let page = browser.sign_in(&page, &scene.user).await;
            assert_eq!(page.url.as_str(), scene.tenant.url(expected), "{return_to}");
        }
    }

    /// A client whose people have to have signed in lately.
    async fn an_old_sign_in_is_renewed_where_the_client_wants_that(app: TestApp) {
        let scene = scene(app).await;
        let strict = scene.with(&television(&scene.app, &scene.tenant, json!({ "default_max_age": 0 })).await).with_scope(SCOPE);
        let (mut browser, page) = at_the_page(&scene).await;
        scene.app.time.advance(Duration::from_mins(6));
        let asked = codes(&ask(&strict, &[]).await);
        let page = browser.submit(&page, &[("user_code", &asked.user)]).await;
        page.expect_id("password");
        let page = browser.sign_in(&page, &scene.user).await;
        let page = browser.submit(&page, &[("user_code", &asked.user)]).await;
        page.expect_id("allow");
        // Who takes their time at the question is asked anew as well, before it is shown again and before an answer counts.
        scene.app.time.advance(Duration::from_mins(6));
        browser.open(page.url.as_str()).await.expect_id("password");
        let page = browser.submit(&page, &[("decision", "allow")]).await;
        page.expect_id("password");
        poll(&strict, &asked.device).await.expect_error(400, "authorization_pending");
        let page = browser.sign_in(&page, &scene.user).await;
        assert!(page.url.query().is_some_and(|query| query.contains(&asked.user)), "the code is filled in: {}", page.url);
        let page = browser.submit(&page, &[("user_code", &asked.user)]).await;
        browser.submit(&page, &[("decision", "allow")]).await.answer.expect_ok();
        poll(&strict, &asked.device).await.expect_ok();
        let lax = begin(&scene).await;
        scene.app.time.advance(Duration::from_mins(6));
        let page = browser.open(&lax.complete).await;
        browser.submit(&page, &[("user_code", &lax.user)]).await.expect_id("allow");
    }

    /// Between permission and poll: a session that ends, an account that is closed, a scope that is taken away.
    async fn what_ends_meanwhile_ends_it(app: TestApp) {
        let scene = scene(app).await;
        let short = scene.with(&television(&scene.app, &scene.tenant, json!({ "scope": "openid profile", "grant_types": [GRANT] })).await).with_scope("openid profile");
        let asked = codes(&ask(&short, &[]).await);
        let (mut browser, _) = decide(&scene, &asked, "allow").await;
        let page = browser.open(&scene.tenant.url("/logout")).await;
        browser.submit(&page, &[("logout", "1")]).await;
        poll(&short, &asked.device).await.expect_error(400, "invalid_grant");
        // Signed out between question and answer.
        let asked = begin(&scene).await;
        let (mut browser, page) = question(&scene, &asked).await;
        let mut elsewhere = browser.clone();
        let out = elsewhere.open(&scene.tenant.url("/logout")).await;
        elsewhere.submit(&out, &[("logout", "1")]).await;
        let page = browser.submit(&page, &[("decision", "allow")]).await;
        page.expect_id("password");
        poll(&scene.rp, &asked.device).await.expect_error(400, "authorization_pending");

        // And between the two looks at the session that an answer takes.
        let asked = begin(&scene).await;
        let (mut browser, page) = question(&scene, &asked).await;
        let (tenant, provider) = (scene.loaded().await, &scene.app.provider);
        let at = TenantAt { issuer: tenant.issuers[0].clone(), tenant: tenant.clone(), rest: String::new(), alias: None };
        let cookie = SessionCookie::parse(browser.cookie("tessera_session"));
        let people = provider.find_signed_in(&at, &cookie, None).await.expect("runs");
        let ticket = page.hidden("device").expect("a device");
        let (waiting, person) = provider.load_device(&at, &people, &ticket).await.expect("runs").expect("it waits");
        let out = browser.open(&scene.tenant.url("/logout")).await;
        browser.submit(&out, &[("logout", "1")]).await;
        for decision in [Decision::Allow, Decision::Deny] {
            let decided = provider.decide_device(&at, (&waiting, person), decision, &Origin::default()).await;
            assert_eq!(decided.expect("runs"), Answered::SignedOut);
        }
        poll(&scene.rp, &asked.device).await.expect_error(400, "authorization_pending");

        let asked = begin(&scene).await;
        decide(&scene, &asked, "allow").await;
        scene.set_disabled(true).await;
        poll(&scene.rp, &asked.device).await.expect_error(400, "invalid_grant");
        scene.set_disabled(false).await;
        // The refusal spent nothing.
        let tokens = poll(&scene.rp, &asked.device).await.expect_ok().json();
        // What hangs on a session dies with it.
        assert!(scene.is_active(text(&tokens, "access_token")).await);
    }

    /// A tenant that wants none of it says so everywhere.
    async fn a_tenant_may_have_none_of_it(app: TestApp) {
        let scene = scene(app).await;
        let metadata = async || scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        let said = metadata().await;
        assert_eq!(said["device_authorization_endpoint"], scene.tenant.url("/device_authorization"));
        assert!(said["grant_types_supported"].as_array().expect("a list").contains(&json!(GRANT)));
        let codes = begin(&scene).await;
        let (mut browser, page) = question(&scene, &codes).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.device_authorization = false).await;
        let said = metadata().await;
        assert!(said["device_authorization_endpoint"].is_null() && !said["grant_types_supported"].as_array().expect("a list").contains(&json!(GRANT)), "{said}");
        ask(&scene.rp, &[]).await.expect_error(400, "unauthorized_client");
        poll(&scene.rp, &codes.device).await.expect_error(400, "unauthorized_client");
        browser.open(&codes.complete).await.answer.expect_error(404, "not_found");
        browser.submit(&page, &[("decision", "allow")]).await.answer.expect_error(404, "not_found");
        assert_eq!(scene.events("consent.granted"), 0);
    }

    /// What is kept is no use to whoever reads it.
    async fn codes_are_kept_as_hashes(app: TestApp) {
        let scene = scene(app).await;
        let codes = begin(&scene).await;
        let mut raw = scene.app.database.raw();
        for decided in [false, true] {
            if decided {
                decide(&scene, &codes, "allow").await;
            }
            for secret in [&codes.device, &codes.user] {
                expect_not_kept(&mut raw, "device_codes", secret);
            }
        }
    }

    async fn only_posted_forms_of_a_sane_size(app: TestApp) {
        let scene = scene(app).await;
        let url = scene.tenant.url("/device_authorization");
        let answer = scene.app.get(&url).send().await;
        answer.expect_error(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("POST"));
        scene.app.http.post(&url).body("application/json", "{}").send().await.expect_error(400, "invalid_request");
        scene.app.http.post(&url).body("application/x-www-form-urlencoded", "x".repeat(1 << 20)).send().await.expect_error(413, "request_too_large");
        let twice = scene.rp.authenticated("/device_authorization", &[("scope", "openid"), ("scope", "openid")]).send().await;
        twice.expect_error(400, "invalid_request");
        let preflight = scene.app.http.request(Method::OPTIONS, &url).header("origin", "https://evil.example").header("access-control-request-method", "POST").send().await;
        assert_eq!(preflight.header("access-control-allow-origin"), None);
    }

    /// What the documentation shows is what is sent and answered.
    async fn the_documentation_tells_the_truth(app: TestApp) {
        let page = include_str!("../../../docs/src/device-authorization.md");
        let scene = scene(app).await;
        let id = scene.rp.client.client_id();
        let blocks: Vec<&str> = page.split("```").skip(1).step_by(2).collect();
        let shown: Value = serde_json::from_str(blocks[2].strip_prefix("json").expect("the answer")).expect("JSON");
        let asked = documented(&scene, blocks[1], &[("$CLIENT_ID", &id)]).await;
        let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&asked.json()), keys(&shown));
        for (name, value) in [("expires_in", json!(600)), ("interval", json!(5))] {
            assert_eq!((&asked.json()[name], &shown[name]), (&value, &value));
        }
        assert_eq!(text(&shown, "verification_uri_complete"), format!("{}?user_code={}", text(&shown, "verification_uri"), text(&shown, "user_code")));
        let codes = codes(&asked);
        decide(&scene, &codes, "allow").await;
        documented(&scene, blocks[3], &[("$CLIENT_ID", &id), ("$DEVICE_CODE", &codes.device)]).await.expect_ok();
    }

    /// In the language of whoever reads it.
    async fn the_pages_speak_german_too(app: TestApp) {
        let scene = scene(app).await;
        let mut browser = Browser::new(scene.app.http.clone().with_header("accept-language", "de"));
        let page = browser.open(&scene.tenant.url("/device")).await;
        let page = browser.sign_in(&page, &scene.user).await;
        assert!(page.answer.body.contains("Gerät verbinden"), "{}", page.answer.body);
        let codes = begin(&scene).await;
        let page = browser.submit(&page, &[("user_code", &codes.user)]).await;
        assert!(page.answer.body.contains("Code auf dem Gerät") && page.answer.body.contains("gerade selbst begonnen"), "{}", page.answer.body);
        let page = browser.submit(&page, &[("decision", "allow")]).await;
        assert!(page.answer.body.contains("Ihr Gerät ist verbunden"));
    }
}

/// The statements of a transaction that reads one row.
const READ: u64 = 3;

/// Whoever has an IPv6 /48 has 65,536 networks, and takes up no client's codes with them.
#[test]
fn a_site_has_no_more_than_its_share_of_the_codes() {
    on_both("trusted_proxies = ['127.0.0.1']\n", |app| async move {
        let scene = scene(app).await;
        let settings = scene.loaded().await.settings().clone();
        assert_eq!(
            (settings.device_code_limit, settings.device_code_rate),
            (1000, 100)
        );
        scene
            .app
            .change_settings(&scene.tenant, |settings| settings.device_code_limit = 160)
            .await;
        let from = async |rp: &RelyingParty, address: &str| {
            let asked = rp.authenticated("/device_authorization", &[("scope", "openid")]);
            asked.header("x-forwarded-for", address).send().await
        };
        for network in 0..10 {
            for _ in 0..2 {
                codes(&from(&scene.rp, &format!("2001:db8:0:ff{network:02x}::1")).await);
            }
        }
        for address in ["2001:db8:0:ff00::1", "2001:db8::1"] {
            from(&scene.rp, address)
                .await
                .expect_error(429, "too_many_requests");
        }
        // Others' devices aren't held up, nor another client's.
        codes(&from(&scene.rp, "2001:db8:1::1").await);
        codes(&from(&scene.rp, "198.51.100.9").await);
        let other = television(&scene.app, &scene.tenant, json!({})).await;
        codes(&from(&scene.with(&other), "2001:db8:0:ff00::1").await);
        // By the time at which those have lapsed there are more.
        scene
            .app
            .time
            .advance(Duration::from_secs(settings.device_code_lifetime.into()));
        codes(&from(&scene.rp, "2001:db8::1").await);
    });
}
