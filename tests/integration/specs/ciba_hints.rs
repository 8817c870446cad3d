//! OpenID Connect CIBA: permissions in detail, what somebody else signed of a person, and the codes that people set.

use std::time::Duration;

use serde_json::{Value, json};
use tessera::domain::role::Role;
use tessera::jose::keys::{RsaBits, SigningKey};
use tessera::protocol::SigningAlgorithm;

use super::ciba::{
    GRANT, SCOPE, ask, at_the_list, begin, caller, decide, listed, poll, question, scene,
};
use super::console::administrator;
use super::console_settings::press;
use super::rfc8628::documented;
use super::seed::{Scene, at_once, text};
use crate::support::admin::Admin;
use crate::support::app::app_test;
use crate::support::browser::{Browser, Page};
use crate::support::relying_party::{RelyingParty, claims};

pub const BANK: &str = "https://bank.example.com/api";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const IDP: &str = "https://idp.example.org";
const PAGE: &str = include_str!("../../../docs/src/ciba.md");

fn payment(actions: &[&str]) -> Value {
    json!([{ "type": "payment", "actions": actions, "amount": "123.50", "payee": "Merchant A" }])
}

/// A bank's API, and a client of the scene's that may use its type.
pub async fn bank(scene: &Scene, more: Value) -> RelyingParty {
    let types = json!([{
        "type": "payment", "actions": ["initiate", "status"], "fields": { "amount": "text", "payee": "text" }, "required": ["amount"],
        "words": { "en": "Pay {amount} EUR to {payee}" },
    }]);
    scene
        .app
        .resource_with(&scene.tenant, BANK, &["accounts:read"], types)
        .await;
    let mut metadata = json!({ "authorization_details_types": ["payment"] });
    for (name, value) in more.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    let client = caller(&scene.app, &scene.tenant, metadata).await;
    scene.with(&client).with_scope(SCOPE)
}

fn key() -> SigningKey {
    let key = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default());
    key.expect("a key").key
}

/// The fences of the documentation below a heading.
fn shown(heading: &str) -> Vec<&'static str> {
    let part = PAGE.split(heading).nth(1).expect("the heading");
    let part = part.split("\n## ").next().expect("its text");
    part.split("```").skip(1).step_by(2).collect()
}

async fn set_code(scene: &Scene, browser: &mut Browser, code: &str, act: &str) -> Page {
    let list = browser.open(&scene.tenant.url("/account/requests")).await;
    browser.submit(&list, &[("code", code), ("do", act)]).await
}

app_test! {
    /// RFC 9396: asked for, shown, granted, narrowed, and seen by the person; what may not be asked for any more is neither listed nor counted.
    async fn what_is_asked_for_in_detail(app: TestApp) {
        let scene = scene(app).await;
        let rp = bank(&scene, json!({})).await;
        let details = payment(&["initiate", "status"]);
        let asking = async |rp: &RelyingParty, details: &str, more: &[(&str, &str)]| {
            let form = [("login_hint", scene.user.email.as_str()), ("authorization_details", details)];
            ask(rp, &[&form[..], more].concat()).await
        };
        let wrong = json!([{ "type": "payment", "amount": "1", "extra": 1 }]).to_string();
        for (text, more) in [
            (payment(&["steal"]).to_string(), vec![]), (wrong, vec![]), (r#"[{"type":"loan"}]"#.to_owned(), vec![]), ("{}".to_owned(), vec![]), ("[{}]".to_owned(), vec![]),
            (r#"[{"type":"payment"}]"#.to_owned(), vec![]), (json!([{ "type": "payment", "amount": "x".repeat(5000) }]).to_string(), vec![]),
        ] {
            asking(&rp, &text, &more).await.expect_error(400, "invalid_authorization_details");
        }
        asking(&scene.rp, &details.to_string(), &[]).await.expect_error(400, "invalid_authorization_details");
        let asked = asking(&rp, &details.to_string(), &[]).await.expect_ok().json();
        let (_, page) = question(&scene).await;
        assert!(page.answer.body.contains("Pay 123.50 EUR to Merchant A"), "{}", page.answer.body);
        let (mut browser, _) = decide(&scene, "allow").await;
        let name = [("grant_type", GRANT), ("auth_req_id", text(&asked, "auth_req_id"))];
        let (wider, narrow) = (json!([{ "type": "payment", "amount": "9" }]).to_string(), payment(&["status"]));
        let narrower = narrow.to_string();
        rp.token(&[&name[..], &[("authorization_details", wider.as_str())]].concat()).await.expect_error(400, "invalid_authorization_details");
        let tokens = rp.token(&[&name[..], &[("authorization_details", narrower.as_str())]].concat()).await.expect_ok().json();
        let access = claims(text(&tokens, "access_token"));
        assert_eq!((&tokens["authorization_details"], &access["authorization_details"], &access["aud"]), (&narrow, &narrow, &json!(BANK)));
        let again = rp.refresh(text(&tokens, "refresh_token")).await.expect_ok().json();
        assert_eq!(again["authorization_details"], details);
        let seen = browser.open(&scene.tenant.url("/account/applications")).await;
        assert!(seen.answer.body.contains("Pay 123.50 EUR to Merchant A"), "{}", seen.answer.body);
        let audit = scene.app.database.raw().texts("SELECT detail AS value FROM audit_events");
        let told = audit.iter().filter(|detail| detail.contains("payment")).count();
        assert!(told >= 2 && !audit.iter().any(|detail| detail.contains("Merchant") || detail.contains("123.50")), "{audit:?}");
        // A type that is narrowed meanwhile, and a client that may ask nobody any more: no such request, and none is counted.
        asking(&rp, &details.to_string(), &[]).await.expect_ok();
        begin(&scene, &scene.rp).await;
        let list = browser.open(&scene.tenant.url("/account/requests")).await;
        let waiting = listed(&scene, &list);
        assert!(waiting.len() == 2 && list.answer.body.contains("2 requests wait"), "{}", list.answer.body);
        let tenant = scene.loaded().await;
        let mut api = tenant.resources.iter().find(|own| own.identifier == BANK).expect("the API").clone();
        api.details_types[0].actions.retain(|action| action != "initiate");
        scene.write(move |repo| repo.update_resource(&api)).await;
        for path in ["/account", "/account/requests"] {
            let page = browser.open(&scene.tenant.url(path)).await;
            assert!(page.answer.body.contains("One request waits"), "{path}: {}", page.answer.body);
        }
        let gone = browser.open(&waiting[1]).await;
        assert_eq!(gone.answer.status, 404);
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let change = json!({ "grant_types": ["client_credentials"], "backchannel_token_delivery_mode": null });
        let changed = admin.patch(&format!("/tenants/acme/clients/{}", scene.rp.client.client_id()), &change).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        for path in ["/account", "/account/sessions", "/account/requests"] {
            let page = browser.open(&scene.tenant.url(path)).await;
            assert!(!page.answer.body.contains("request waits") && !page.answer.body.contains("requests wait for"), "{path}: {}", page.answer.body);
        }
    }

    /// §7.1, `login_hint_token`: whose word counts, to whom, of whom, for how long, and once.
    #[expect(clippy::too_many_lines, reason = "one tenant for many refusals")]
    async fn somebody_else_says_whom(app: TestApp) {
        let scene = scene(app).await;
        let (own, strange) = (key(), key());
        let other = scene.with(&caller(&scene.app, &scene.tenant, json!({})).await).with_scope(SCOPE);
        scene.app.resource(&scene.tenant, "https://orders.example.com/api", &["orders:read"]).await;
        let both = json!({ "grant_types": [GRANT, BEARER], "scope": "openid orders:read", "backchannel_user_code_parameter": true });
        let both = scene.with(&caller(&scene.app, &scene.tenant, both).await).with_scope("openid");
        let elsewhere = scene.app.tenant("globex").await;
        let trust = async |subjects: &str| {
            let issuers = json!([{ "issuer": IDP, "jwks": { "keys": [own.public_jwk()] }, "clients": [scene.rp.client.client_id(), both.client.client_id()], "subjects": subjects, "scope": if subjects == "stored" { "orders:read" } else { "" } }]);
            scene.app.change_settings(&scene.tenant, |settings| {
                settings.assertion_issuers = serde_json::from_value(issuers.clone()).expect("issuers");
                settings.backchannel_request_limit = 20;
            }).await;
        };
        let clock = &scene.app.provider.clock;
        let now = clock.unix();
        let says = |change: &Value| {
            let [payload, ..] = shown("## By somebody else's word")[..] else { panic!("an example") };
            let mut said: Value = serde_json::from_str(payload.strip_prefix("json").expect("JSON")).expect("JSON");
            for (name, value) in [("aud", json!(scene.tenant.issuer)), ("iat", json!(now)), ("exp", json!(now + 60)), ("jti", json!(clock.uuid_v7()))] {
                said[name] = value;
            }
            for (name, value) in change.as_object().expect("an object") {
                if value.is_null() {
                    said.as_object_mut().expect("an object").remove(name);
                } else {
                    said[name] = value.clone();
                }
            }
            said
        };
        let signed = |change: &Value| own.sign_jwt("JWT", &says(change)).expect("a JWT");
        let hinted = async |rp: &RelyingParty, token: &str| ask(rp, &[("login_hint_token", token)]).await;
        // Nobody's, until an administrator names somebody.
        hinted(&scene.rp, &signed(&json!({}))).await.expect_error(400, "invalid_request");
        trust("stored").await;
        hinted(&scene.rp, &signed(&json!({}))).await.expect_error(400, "unknown_user_id");
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let name = json!({ "user_id": scene.user.id.to_string(), "issuer": IDP, "subject": "mike" });
        assert_eq!(admin.post("/tenants/acme/external-subjects", &name).await.status, 201);
        // As the documentation has it.
        let [_, command, answer] = shown("## By somebody else's word")[..] else { panic!("three blocks") };
        let token = signed(&json!({}));
        let (id, secret) = (scene.rp.client.client_id(), scene.rp.client.secret().to_owned());
        let values = [("$CLIENT_ID", id.as_str()), ("$CLIENT_SECRET", secret.as_str()), ("$LOGIN_HINT_TOKEN", token.as_str())];
        let asked = documented(&scene, command, &values).await.expect_ok().json();
        let answer: Value = serde_json::from_str(answer.strip_prefix("json").expect("JSON")).expect("JSON");
        let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&asked), names(&answer));
        decide(&scene, "allow").await;
        let tokens = poll(&scene.rp, text(&asked, "auth_req_id")).await.expect_ok().json();
        assert_eq!(claims(text(&tokens, "id_token"))["sub"], json!(scene.user.id.to_string()));
        // Once, on all nodes.
        hinted(&scene.rp, &token).await.expect_error(400, "invalid_request");
        let (node, twice) = (scene.second_node().await, signed(&json!({})));
        let answers = at_once((0..4).map(|number| {
            let (mut rp, token) = (scene.rp.clone(), twice.clone());
            if number % 2 == 0 {
                rp.move_to(&node.http);
            }
            async move { rp.authenticated("/backchannel_authentication", &[("scope", "openid"), ("login_hint_token", &token)]).send().await }
        })).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
        // Each claim, each key, each client.
        let by = |iss: &str, sub: &str| json!({ "sub_id": { "format": "iss_sub", "iss": iss, "sub": sub } });
        for (change, error) in [
            (json!({ "iss": "https://evil.example" }), "invalid_request"), (json!({ "iss": null }), "invalid_request"), (json!({ "aud": elsewhere.issuer }), "invalid_request"),
            (json!({ "aud": [scene.tenant.issuer] }), "invalid_request"), (json!({ "aud": scene.tenant.url("/token") }), "invalid_request"), (json!({ "aud": null }), "invalid_request"),
            (json!({ "exp": null }), "invalid_request"), (json!({ "exp": now + 331 }), "invalid_request"), (json!({ "nbf": now + 31 }), "invalid_request"), (json!({ "iat": now + 31 }), "invalid_request"),
            (json!({ "jti": null }), "invalid_request"), (json!({ "jti": "" }), "invalid_request"), (json!({ "exp": now - 30 }), "expired_login_hint_token"),
            (json!({ "sub_id": null }), "invalid_request"), (json!({ "sub_id": "mike" }), "invalid_request"), (json!({ "sub_id": { "format": "uri", "uri": "urn:mike" } }), "invalid_request"),
            (by("https://other.example", "mike"), "unknown_user_id"), (by(&scene.tenant.issuer, "mike"), "unknown_user_id"), (by(IDP, "eve"), "unknown_user_id"),
            (json!({ "sub_id": { "format": "email", "email": scene.user.email }, "email_verified": true }), "unknown_user_id"),
        ] {
            hinted(&scene.rp, &signed(&change)).await.expect_error(400, error);
        }
        for token in [
            strange.sign_jwt("JWT", &says(&json!({}))).expect("a JWT"), own.sign_jwt("at+jwt", &says(&json!({}))).expect("a JWT"), own.sign_jwt("authorization-grant+jwt", &says(&json!({}))).expect("a JWT"),
            strange.sign_jwt("JWT", &says(&json!({ "exp": now - 30 }))).expect("a JWT"), format!("{}.", signed(&json!({})).rsplit_once('.').expect("a signature").0), "a.b.c".to_owned(),
        ] {
            hinted(&scene.rp, &token).await.expect_error(400, "invalid_request");
        }
        // An issuer that isn't there, and one that says nothing to this client, look alike.
        let (unlisted, unknown) = (hinted(&other, &signed(&json!({}))).await, hinted(&scene.rp, &signed(&json!({ "iss": "https://evil.example" }))).await);
        assert_eq!((unlisted.status, unlisted.body), (400, unknown.body));
        // What is used up as a hint is no assertion any more, and the other way round; and what is a hint alone never was one.
        let bring = async |assertion: &str| both.token(&[("grant_type", BEARER), ("assertion", assertion)]).await;
        let by_name = json!({ "sub_id": null, "sub": "mike" });
        let (first, second) = (signed(&by_name), signed(&by_name));
        hinted(&both, &first).await.expect_ok();
        bring(&first).await.expect_error(400, "invalid_grant");
        bring(&second).await.expect_ok();
        hinted(&both, &second).await.expect_error(400, "invalid_request");
        bring(&own.sign_jwt("login-hint+jwt", &says(&by_name)).expect("a JWT")).await.expect_error(400, "invalid_grant");
        // Whoever is to ask the person for their code brings the same one again: it is good until somebody is asked by it.
        let (mut browser, _) = at_the_list(&scene).await;
        set_code(&scene, &mut browser, "tr4m-linie-9", "set").await.answer.expect_ok();
        let kept = signed(&by_name);
        let coded = async |code: &[(&str, &str)]| ask(&both, &[&[("login_hint_token", kept.as_str())], code].concat()).await;
        coded(&[]).await.expect_error(400, "missing_user_code");
        coded(&[("user_code", "tr4m-linie-8")]).await.expect_error(400, "invalid_user_code");
        coded(&[("user_code", "tr4m-linie-9")]).await.expect_ok();
        coded(&[("user_code", "tr4m-linie-9")]).await.expect_error(400, "invalid_request");
        set_code(&scene, &mut browser, "", "remove").await.answer.expect_ok();
        // The other ways to name somebody.
        for change in [json!({ "sub_id": null, "sub": "mike" }), json!({ "sub_id": { "format": "opaque", "id": "mike" } }), json!({ "sub_id": { "format": "opaque", "id": "mike" }, "sub": "eve" })] {
            hinted(&scene.rp, &signed(&change)).await.expect_ok();
        }
        hinted(&scene.rp, &own.sign_jwt("login-hint+jwt", &says(&json!({}))).expect("a JWT")).await.expect_ok();
        trust("id").await;
        let own_id = scene.user.id.to_string();
        let there = scene.app.user(&elsewhere, "ana@acme.example", "a long enough password").await;
        for (change, known) in [(by(&scene.tenant.issuer, &own_id), true), (json!({ "sub_id": null, "sub": own_id }), true), (by(IDP, &own_id), false), (by(&scene.tenant.issuer, &there.id.to_string()), false)] {
            let answer = hinted(&scene.rp, &signed(&change)).await;
            assert_eq!(answer.status == 200, known, "{change}: {}", answer.body);
        }
        trust("email").await;
        let by_email = |verified: Value| json!({ "sub_id": { "format": "email", "email": scene.user.email }, "email_verified": verified });
        hinted(&scene.rp, &signed(&by_email(json!(true)))).await.expect_ok();
        for verified in [json!(false), json!("true"), Value::Null] {
            hinted(&scene.rp, &signed(&by_email(verified))).await.expect_error(400, "unknown_user_id");
        }
        // Beside a name, too.
        let beside = |verified: Value| json!({ "sub_id": null, "sub": "mike", "email": scene.user.email, "email_verified": verified });
        hinted(&scene.rp, &signed(&beside(json!(true)))).await.expect_ok();
        for verified in [json!(false), json!("true"), Value::Null] {
            hinted(&scene.rp, &signed(&beside(verified))).await.expect_error(400, "unknown_user_id");
        }
        let user = scene.user.id;
        scene.write(move |repo| {
            let mut user = repo.find_user(user)?.expect("the person");
            user.email_verified = false;
            repo.update_user(&user)
        }).await;
        hinted(&scene.rp, &signed(&by_email(json!(true)))).await.expect_error(400, "unknown_user_id");
        // What names nobody isn't a guess: whoever brings it goes on being told.
        for _ in 0..31 {
            hinted(&scene.rp, &signed(&by_email(json!(false)))).await.expect_error(400, "unknown_user_id");
        }
    }

    /// §7.1, `user_code`: whoever has set one is asked by those who bring it.
    #[expect(clippy::too_many_lines, reason = "one tenant for many refusals")]
    async fn people_are_asked_with_their_code(app: TestApp) {
        let scene = scene(app).await;
        scene.app.change_settings(&scene.tenant, |settings| {
            settings.backchannel_request_limit = 20;
            settings.lockout.attempts = 5;
            settings.lockout.window = 600;
        }).await;
        let codes = json!({ "backchannel_user_code_parameter": true });
        let mut callers = Vec::new();
        for _ in 0..6 {
            callers.push(scene.with(&caller(&scene.app, &scene.tenant, codes.clone()).await).with_scope("openid"));
        }
        let rp = &callers[0];
        let hint = ("login_hint", scene.user.email.as_str());
        let with = async |rp: &RelyingParty, code: &str| ask(rp, &[hint, ("user_code", code)]).await;
        // Whoever has none is asked, whatever is sent.
        with(rp, "tr4m-linie-9").await.expect_ok();
        ask(&scene.rp, &[hint]).await.expect_ok();
        let (mut browser, list) = at_the_list(&scene).await;
        list.expect_id("code").expect_id("submit");
        assert!(list.answer.body.contains("No code is set") && !list.answer.body.contains("id=\"remove\""), "{}", list.answer.body);
        for (code, said) in [("12345", "A code has 6 to 32"), ("with space", "A code has 6 to 32"), ("ümläutig", "A code has 6 to 32"), ("111111", "guessed first"), ("456789", "guessed first"), ("123123", "guessed first"), ("121212", "guessed first"), ("Passw0rd!", "guessed first"), ("ana@acme", "guessed first")] {
            let page = set_code(&scene, &mut browser, code, "set").await;
            assert!(page.answer.status == 400 && page.answer.body.contains(said), "{code}: {}", page.answer.body);
        }
        assert_eq!(set_code(&scene, &mut browser, "tr4m-linie-9", "other").await.answer.status, 400);
        let list = browser.open(&scene.tenant.url("/account/requests")).await;
        let done = browser.submit(&list, &[("code", " tr4m-linie-9 "), ("do", "set")]).await;
        assert!(done.answer.status == 200 && done.answer.body.contains("The code is set"), "{}", done.answer.body);
        done.expect_id("remove");
        assert!(!done.answer.body.contains("tr4m"), "{}", done.answer.body);
        let forged = browser.post_from(&scene.tenant.url("/account/requests"), &[("do", "remove")], None).await;
        assert_eq!(forged.status, 403, "{}", forged.body);
        // Each of those who ask, by each hint.
        ask(&scene.rp, &[hint]).await.expect_error(400, "missing_user_code");
        with(&scene.rp, "tr4m-linie-9").await.expect_error(400, "invalid_request");
        ask(rp, &[hint]).await.expect_error(400, "missing_user_code");
        ask(rp, &[hint, ("user_code", "")]).await.expect_error(400, "missing_user_code");
        with(rp, "tr4m").await.expect_error(400, "invalid_user_code");
        with(rp, "tr4m-linie-9").await.expect_ok();
        ask(rp, &[("login_hint", "nobody@acme.example"), ("user_code", "tr4m-linie-9")]).await.expect_error(400, "unknown_user_id");
        let asked = scene.app.database.raw().count("backchannel_requests");
        // As often as a wrong password: right ones aren't looked at then, and don't count before.
        for _ in 0..6 {
            with(rp, "tr4m-linie-9").await.expect_ok();
        }
        for _ in 0..5 {
            with(rp, "tr4m-linie-8").await.expect_error(400, "invalid_user_code");
        }
        for code in ["tr4m-linie-8", "tr4m-linie-9"] {
            with(rp, code).await.expect_error(429, "too_many_requests");
        }
        assert_eq!((scene.events("request_code.guessing_stopped"), scene.events("request_code.set")), (1, 1));
        // By one, not by the others; unless all of them guess.
        with(&callers[1], "tr4m-linie-9").await.expect_ok();
        for other in &callers[1..5] {
            for _ in 0..5 {
                with(other, "tr4m-linie-8").await.expect_error(400, "invalid_user_code");
            }
        }
        // Who filled what all share is written down, and nobody who has to wait for it: whoever brings the right code, as often as they like.
        for _ in 0..6 {
            with(&callers[5], "tr4m-linie-9").await.expect_error(429, "too_many_requests");
        }
        let stopped = async || {
            let admin = Admin::program(&scene.app, &scene.tenant).await;
            let listed = admin.get("/tenants/acme/events?act=request_code.guessing_stopped").await.expect_ok().json();
            let items = listed["items"].as_array().expect("a list").clone();
            items.into_iter().map(|event| (text(&event, "client_id").to_owned(), text(&event["detail"], "limit").to_owned())).collect::<Vec<_>>()
        };
        let by = |number: usize, limit: &str| (callers[number].client.client_id(), limit.to_owned());
        let mut expected = vec![by(4, "all_clients"), by(0, "client_and_person")];
        let mut told = stopped().await;
        told.sort();
        expected.sort();
        assert_eq!(told, expected);
        // A guess asks for nothing, and takes nothing from the person's own count.
        assert_eq!(scene.app.database.raw().count("backchannel_requests"), asked + 7);
        scene.app.time.advance(Duration::from_secs(601));
        // Many at once, on two nodes: no more are looked at than may be.
        let node = scene.second_node().await;
        let answers = at_once((0..20).map(|number| {
            let mut rp = rp.clone();
            if number % 2 == 0 {
                rp.move_to(&node.http);
            }
            let form = [("scope".to_owned(), "openid".to_owned()), ("login_hint".to_owned(), scene.user.email.clone()), ("user_code".to_owned(), format!("wrong-{number:04}"))];
            async move {
                let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                rp.authenticated("/backchannel_authentication", &form).send().await
            }
        })).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 400).count(), 5);
        scene.app.time.advance(Duration::from_secs(601));
        // Neither the code nor anything that leads to it is written down, and the same one of another person is kept as another.
        let eve = scene.app.user(&scene.tenant, "eve@acme.example", "a long enough password").await;
        let manager = scene.app.user(&scene.tenant, "lee@acme.example", "a long enough password").await;
        let mut hers = scene.app.browser();
        let page = hers.open(&scene.tenant.url("/account/requests")).await;
        let page = hers.sign_in(&page, &eve).await;
        hers.submit(&page, &[("code", "tr4m-linie-9"), ("do", "set")]).await.answer.expect_ok();
        let kept = scene.app.database.raw().texts("SELECT DISTINCT CAST(length(request_code_hash) AS TEXT) AS value FROM users WHERE request_code_hash IS NOT NULL");
        assert_eq!(kept, ["32"]);
        let kept = scene.app.database.raw().texts("SELECT CAST(count(DISTINCT request_code_hash) AS TEXT) AS value FROM users");
        assert_eq!(kept, ["2"]);
        let audit = scene.app.database.raw().texts("SELECT detail AS value FROM audit_events").concat();
        assert!(!audit.contains("tr4m"), "{audit}");
        // A few guesses at each of many people, and none at all, come to an end as well: then it isn't told of anybody.
        for number in 0..100 {
            let whom = ("login_hint", if number % 2 == 0 { &scene.user.email } else { &eve.email }.as_str());
            if number < 8 {
                ask(&callers[5], &[whom, ("user_code", "tr4m-linie-8")]).await.expect_error(400, "invalid_user_code");
            } else {
                ask(&callers[5], &[whom]).await.expect_error(400, "missing_user_code");
            }
        }
        for email in [&scene.user.email, &eve.email, "nobody@acme.example", "lee@acme.example"] {
            for code in [&[("user_code", "tr4m-linie-9")][..], &[]] {
                ask(&callers[5], &[&[("login_hint", email)], code].concat()).await.expect_error(429, "too_many_requests");
            }
        }
        assert_eq!(stopped().await.iter().filter(|one| **one == by(5, "all_people")).count(), 1);
        with(&callers[1], "tr4m-linie-9").await.expect_ok();
        // Changed, and removed, by its owner or an administrator; never by somebody who may not.
        let done = set_code(&scene, &mut browser, "0ther-code", "set").await;
        done.answer.expect_ok();
        for wrong in ["tr4m-linie-9", "0THER-CODE"] {
            with(rp, wrong).await.expect_error(400, "invalid_user_code");
        }
        with(rp, "0ther-code").await.expect_ok();
        let done = set_code(&scene, &mut browser, "", "remove").await;
        assert!(done.answer.body.contains("The code is removed"), "{}", done.answer.body);
        ask(&scene.rp, &[hint]).await.expect_ok();
        let hers = ("login_hint", eve.email.as_str());
        ask(&scene.rp, &[hers]).await.expect_error(400, "missing_user_code");
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let path = format!("/tenants/acme/users/{}/request-code", eve.id);
        for _ in 0..2 {
            assert_eq!(admin.delete(&path).await.status, 204);
        }
        ask(&scene.rp, &[hers]).await.expect_ok();
        assert_eq!(scene.events("request_code.removed"), 2);
        // In the console, where there is one.
        let (mut console, _) = administrator(&scene).await;
        let person = scene.tenant.url(&format!("/console/users/{}", scene.user.id));
        assert!(!console.open(&person).await.answer.body.contains("Remove their code"));
        set_code(&scene, &mut browser, "th1rd-code", "set").await.answer.expect_ok();
        assert!(console.open(&person).await.answer.body.contains("Remove their code"));
        // Never by whoever administers less than they do.
        let manager = Admin::person(&scene.app, &scene.tenant, &manager, &[Role::UserManager]).await;
        assert_eq!(manager.delete(&format!("/tenants/acme/users/{}/request-code", scene.user.id)).await.status, 403);
        ask(&scene.rp, &[hint]).await.expect_error(400, "missing_user_code");
        let page = console.open(&format!("{person}/request-code")).await;
        let done = press(&mut console, &page, &format!("{person}/request-code"), &[]).await;
        assert!(done.answer.body.contains("has no code for requests any more"), "{}", done.answer.body);
        ask(&scene.rp, &[hint]).await.expect_ok();
        // Where nobody is asked, there is nothing to be set.
        scene.app.change_settings(&scene.tenant, |settings| settings.backchannel_authentication = false).await;
        let page = browser.submit(&list, &[("code", "tr4m-linie-9"), ("do", "set")]).await;
        assert_eq!(page.answer.status, 404);
    }
}
