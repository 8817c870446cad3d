//! Rich authorization requests (RFC 9396): what is asked for in objects, allowed, narrowed and said again.

use actix_web::http::Method;
use serde_json::{Value, json};
use tessera::jose::keys::{RsaBits, SigningKey};
use tessera::protocol::SigningAlgorithm;
use tessera::protocol::authorization_details::AuthorizationDetails;
use tessera::storage::PageRequest;

use super::console::administrator;
use super::console_settings::press;
use super::seed::{Scene, grant, text};
use crate::support::admin::Admin;
use crate::support::app::app_test;
use crate::support::browser::{Browser, Page};
use crate::support::http::Answer;
use crate::support::relying_party::{RelyingParty, claims};

const PAGE: &str = include_str!("../../../docs/src/rich-requests.md");
const BANK: &str = "https://bank.example.com/api";
const LEDGER: &str = "https://ledger.example.com/api";
const SHOP: &str = "https://shop.example.com/callback";

/// The JSON blocks of the documentation: the types, the request, the answer.
fn documented() -> [Value; 3] {
    let blocks: Vec<Value> = PAGE
        .split("```json\n")
        .skip(1)
        .map(|rest| {
            serde_json::from_str(rest.split("\n```").next().expect("a block")).expect("JSON")
        })
        .collect();
    blocks.try_into().expect("three documents")
}

/// What the documentation asks for, with some members changed; `null` takes one out.
fn payment(changes: &Value) -> Value {
    let [_, mut details, _] = documented();
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            details[0].as_object_mut().expect("an object").remove(name);
        } else {
            details[0][name] = value.clone();
        }
    }
    details
}

struct World {
    scene: Scene,
    rp: RelyingParty,
}

impl World {
    /// The documentation's API, another one, and a client that may use the types of both.
    async fn new(app: crate::support::app::TestApp) -> Self {
        let scene = Scene::new(app).await;
        let [types, _, _] = documented();
        scene
            .app
            .resource_with(&scene.tenant, BANK, &["accounts:read"], types)
            .await;
        let ledger = json!([{ "type": "ledger", "actions": ["read", "write"], "identifier": true, "words": { "en": "Use ledger {identifier}" } }]);
        scene
            .app
            .resource_with(&scene.tenant, LEDGER, &["ledger:all"], ledger)
            .await;
        let client = scene
            .app
            .client(&scene.tenant, Self::metadata(&json!({})))
            .await;
        let rp = scene.with(&client).with_scope("openid offline_access");
        Self { scene, rp }
    }

    fn metadata(more: &Value) -> Value {
        let mut metadata = json!({
            "client_name": "Shop", "redirect_uris": [SHOP], "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "response_types": ["code", "code id_token", "code token"], "scope": "openid offline_access accounts:read ledger:all",
            "authorization_details_types": ["payment_initiation", "ledger"],
        });
        metadata["grant_types"]
            .as_array_mut()
            .expect("grants")
            .push(json!("implicit"));
        for (name, value) in more.as_object().expect("an object") {
            metadata[name] = value.clone();
        }
        metadata
    }

    /// The consent page of a request.
    async fn asked(&self, browser: &mut Browser, details: &Value, more: &[(&str, &str)]) -> Page {
        let text = details.to_string();
        let mut all = vec![("authorization_details", text.as_str())];
        all.extend_from_slice(more);
        let page = browser.open(&self.rp.authorization_url(&all)).await;
        if page.answer.body.contains("id=\"password\"") {
            browser.sign_in(&page, &self.scene.user).await
        } else {
            page
        }
    }

    async fn code(&self, browser: &mut Browser, details: &Value, more: &[(&str, &str)]) -> String {
        let page = self.asked(browser, details, more).await;
        page.expect_id("allow");
        let page = browser.submit(&page, &[("decision", "allow")]).await;
        page.answer
            .location_param("code")
            .unwrap_or_else(|| panic!("no code: {:?}", page.answer))
    }

    async fn redeem(&self, code: &str, more: &[(&str, &str)]) -> Answer {
        let mut form = self.rp.redemption(code).to_vec();
        form.extend_from_slice(more);
        self.rp.token(&form).await
    }

    async fn refresh(&self, token: &str, more: &[(&str, &str)]) -> Answer {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        form.extend_from_slice(more);
        self.rp.token(&form).await
    }
}

fn granted(answer: &Answer) -> Value {
    answer.json()["authorization_details"].clone()
}

app_test! {
    /// §2, §3, §7, §9: asked for, shown in words, allowed, and said again everywhere; by the documentation's words.
    async fn a_payment_is_allowed_and_told(app: TestApp) {
        let world = World::new(app).await;
        let [_, details, answer] = documented();
        let mut browser = world.scene.app.browser();
        let page = world.asked(&mut browser, &details, &[]).await;
        page.expect_id("allow");
        for shown in ["Pay 123.50 EUR to Merchant A", "creditorAccount.iban", "DE02100100109307118603", "initiate, status"] {
            assert!(page.answer.body.contains(shown), "{shown}: {}", page.answer.body);
        }
        let german = browser.open(&world.rp.authorization_url(&[("authorization_details", &details.to_string()), ("ui_locales", "de")])).await;
        assert!(german.answer.body.contains("Merchant A erhält 123.50 EUR"), "{}", german.answer.body);
        let page = browser.submit(&page, &[("decision", "allow")]).await;
        let tokens = world.rp.redeem(&page.answer.location_param("code").expect("a code")).await.expect_ok();
        assert_eq!(granted(&tokens), answer["authorization_details"]);
        let tokens = tokens.json();
        let access = text(&tokens, "access_token");
        let said = claims(access);
        assert_eq!((&said["authorization_details"], &said["aud"]), (&details, &json!(BANK)));
        assert_eq!(world.rp.introspect(access).await["authorization_details"], details);
        assert_eq!(world.rp.introspect(text(&tokens, "refresh_token")).await["authorization_details"], details);
        // Refreshed it stays, and the audit has it.
        assert_eq!(granted(&world.refresh(text(&tokens, "refresh_token"), &[]).await.expect_ok()), details);
        let events = world.scene.app.database.raw().texts("SELECT detail AS value FROM audit_events WHERE act = 'grant.created'");
        // Its type and what the type's definition lists, and nothing that somebody wrote.
        let written = events.iter().find(|detail| detail.contains("payment_initiation")).expect("an event");
        let written: Value = serde_json::from_str(written).expect("JSON");
        assert_eq!(written["authorization_details"], json!([{ "type": "payment_initiation", "actions": ["initiate", "status"] }]));
        let all = world.scene.app.database.raw().texts("SELECT detail AS value FROM audit_events");
        assert!(!all.iter().any(|detail| ["Merchant", "DE0210", "123.50"].iter().any(|private| detail.contains(private))), "{all:?}");
        // A tenant announces the types that it knows.
        let document = world.scene.app.get(&world.scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        assert_eq!(document["authorization_details_types_supported"], json!(["ledger", "payment_initiation"]));
        let other = world.scene.app.tenant("globex").await;
        let document = world.scene.app.get(&other.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        assert_eq!(document.get("authorization_details_types_supported"), None);

        // Asked for each time: what was allowed isn't remembered, whether it is the same, more or something else. Scopes are.
        let plain = browser.open(&world.rp.authorization_url(&[])).await;
        assert!(plain.answer.location_param("code").is_some(), "{}", plain.answer.body);
        for (again, more) in [(details.clone(), vec![]), (payment(&json!({ "creditorName": "Mallory" })), vec![]), (details.clone(), vec![("scope", "")])] {
            world.asked(&mut browser, &again, &more).await.expect_id("allow");
            let mut silent = more.clone();
            let text = again.to_string();
            silent.extend([("authorization_details", text.as_str()), ("prompt", "none")]);
            let page = browser.open(&world.rp.authorization_url(&silent)).await;
            assert_eq!(page.answer.location_param("error").as_deref(), Some("consent_required"));
        }
        // What somebody puts in is text, and no page of theirs.
        let hostile = payment(&json!({ "creditorName": "<script>alert(1)</script>{instructedAmount.amount}" }));
        let page = world.asked(&mut browser, &hostile, &[]).await;
        assert!(page.answer.body.contains("&#60;script&#62;alert(1)&#60;/script&#62;{instructedAmount.amount}") && !page.answer.body.contains("<script>alert"), "{}", page.answer.body);
        let page = browser.submit(&page, &[("decision", "deny")]).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("access_denied"));
    }

    /// §5: what isn't of a known type, or not the client's to ask for, at each endpoint.
    async fn what_is_refused(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        let elsewhere = scene.app.tenant("globex").await;
        scene.app.resource_with(&elsewhere, "https://theirs.example/api", &["x"], json!([{ "type": "theirs" }])).await;
        let untyped = scene.app.client(&scene.tenant, json!({ "redirect_uris": [SHOP], "grant_types": ["authorization_code", "client_credentials"], "scope": "openid" })).await;
        let bound = scene.app.client(&scene.tenant, World::metadata(&json!({ "resources": [LEDGER] }))).await;
        let wanting = scene.app.client(&scene.tenant, World::metadata(&json!({ "authorization_details_types": ["theirs", "payment_initiation"] }))).await;
        let (untyped, bound, wanting) = (scene.with(&untyped), scene.with(&bound), scene.with(&wanting));
        let many = json!(vec![payment(&json!({}))[0].clone(); 11]);
        let mut browser = scene.app.browser();
        let good = payment(&json!({})).to_string();
        for (rp, details) in [
            (&world.rp, "x".to_owned()), (&world.rp, "{}".to_owned()), (&world.rp, json!([1]).to_string()), (&world.rp, json!([{}]).to_string()),
            (&world.rp, many.to_string()), (&world.rp, payment(&json!({ "creditorName": "x".repeat(5000) })).to_string()),
            (&world.rp, payment(&json!({ "type": "unknown" })).to_string()), (&world.rp, payment(&json!({ "colour": "red" })).to_string()),
            (&world.rp, payment(&json!({ "actions": ["steal"] })).to_string()), (&world.rp, payment(&json!({ "instructedAmount": null })).to_string()),
            (&world.rp, payment(&json!({ "locations": [LEDGER] })).to_string()), (&world.rp, json!([{ "type": "theirs" }]).to_string()),
            // What could be read in two ways, and what turns or hides where it is shown.
            (&world.rp, good.replacen("[{", "[{\"type\":\"payment_initiation\",", 1)),
            (&world.rp, payment(&json!({ "creditorName": "12\u{200f}34" })).to_string()), (&world.rp, payment(&json!({ "creditorName": "a\u{2028}b" })).to_string()),
            (&untyped, good.clone()), (&bound, good.clone()), (&wanting, json!([{ "type": "theirs" }]).to_string()),
        ] {
            let page = browser.open(&rp.authorization_url(&[("authorization_details", &details), ("redirect_uri", SHOP), ("scope", "openid")])).await;
            assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_authorization_details"), "{details}");
            rp.push(&[("authorization_details", &details), ("redirect_uri", SHOP), ("scope", "openid")]).await.expect_error(400, "invalid_authorization_details");
            rp.token(&[("grant_type", "client_credentials"), ("authorization_details", &details)]).await.expect_error(400, "invalid_authorization_details");
        }
        // Another API than the one that is named; through the browser; twice.
        for (more, error) in [
            (vec![("resource", LEDGER)], "invalid_authorization_details"),
            (vec![("response_type", "code token")], "invalid_request"), (vec![("authorization_details", &*good)], "invalid_request"),
        ] {
            let all = [vec![("authorization_details", good.as_str())], more].concat();
            let page = browser.open(&world.rp.authorization_url(&all)).await;
            let answer = &page.answer;
            let told = answer.location_param("error").or_else(|| answer.header("location").and_then(|location| location.split_once("error=")?.1.split('&').next().map(str::to_owned)));
            assert_eq!(told.as_deref(), Some(error), "{all:?}");
        }
        // A device's client needs the types as any other; where there is no place for it, nothing is dropped in silence.
        let device = scene.app.client(&scene.tenant, json!({ "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "scope": "openid" })).await;
        scene.with(&device).authenticated("/device_authorization", &[("authorization_details", &good)]).send().await.expect_error(400, "invalid_authorization_details");
        let exchange = json!({ "grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"], "token_exchange_targets": [BANK] });
        let exchange = scene.with(&scene.app.client(&scene.tenant, exchange).await);
        exchange.token(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("subject_token", "x"), ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("authorization_details", &good),
        ]).await.expect_error(400, "invalid_authorization_details");
    }

    /// §6: less may be asked for later, never more; and what is taken away is gone from the next token.
    async fn it_narrows_and_never_widens(app: TestApp) {
        let world = World::new(app).await;
        let mut browser = world.scene.app.browser();
        let mut both = payment(&json!({ "locations": [BANK] }));
        let ledger = json!({ "type": "ledger", "actions": ["read", "write"], "identifier": "7" });
        both.as_array_mut().expect("a list").push(ledger.clone());
        let narrow = payment(&json!({ "locations": [BANK], "actions": ["status"] }));
        let narrowed = narrow.to_string();
        let code = world.code(&mut browser, &both, &[("scope", "openid offline_access accounts:read")]).await;
        // A wider request spends nothing.
        let wider = json!([payment(&json!({ "locations": [BANK], "creditorName": "Mallory" }))[0]]).to_string();
        world.redeem(&code, &[("authorization_details", &wider)]).await.expect_error(400, "invalid_authorization_details");
        let first = world.redeem(&code, &[("authorization_details", &narrowed)]).await.expect_ok();
        assert_eq!((granted(&first), claims(text(&first.json(), "access_token"))["authorization_details"].clone()), (narrow.clone(), narrow));
        let token = text(&first.json(), "refresh_token").to_owned();
        // The grant is as wide as it was.
        let all = world.refresh(&token, &[]).await.expect_ok();
        assert_eq!((granted(&all), claims(text(&all.json(), "access_token"))["aud"].clone()), (both.clone(), json!([BANK, LEDGER])));
        for wider in [
            wider, json!([{ "type": "ledger", "actions": ["read", "write"] }]).to_string(), json!([{ "type": "ledger", "actions": ["read", "delete"], "identifier": "7" }]).to_string(),
            json!([{ "type": "ledger", "actions": ["read"], "identifier": "8" }]).to_string(), json!([{ "type": "ledger", "actions": [], "identifier": "7" }]).to_string(),
        ] {
            world.refresh(&token, &[("authorization_details", &wider)]).await.expect_error(400, "invalid_authorization_details");
        }
        // By resource: those of that API; and none of another's.
        let at_ledger = world.refresh(&token, &[("resource", LEDGER)]).await.expect_ok();
        assert_eq!((granted(&at_ledger), claims(text(&at_ledger.json(), "access_token"))["aud"].clone()), (json!([ledger]), json!(LEDGER)));
        world.refresh(&token, &[("resource", LEDGER), ("authorization_details", &narrowed)]).await.expect_error(400, "invalid_authorization_details");
        // The API's owner narrows the type; the client's, its types.
        let tenant = world.scene.loaded().await;
        let mut bank = tenant.resources.iter().find(|own| own.identifier == BANK).expect("the API").clone();
        bank.details_types[0].actions.retain(|action| action != "initiate");
        world.scene.write(move |repo| repo.update_resource(&bank)).await;
        assert_eq!(granted(&world.refresh(&token, &[]).await.expect_ok()), json!([ledger]));
        let id = world.rp.client.id;
        world.scene.write(move |repo| {
            let mut client = repo.find_client(id)?.expect("the client");
            client.metadata.authorization_details_types.clear();
            repo.update_client(&client)
        }).await;
        assert_eq!(granted(&world.refresh(&token, &[]).await.expect_ok()), Value::Null);
        // A plain grant has none to ask for.
        let code = world.scene.code().await;
        let tokens = world.scene.rp.redeem(&code).await.expect_ok().json();
        let refused = world.scene.rp.token(&[("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token")), ("authorization_details", &narrowed)]).await;
        refused.expect_error(400, "invalid_authorization_details");
    }

    /// RFC 9101, RFC 9126: in a request object it is an array; pushed it is kept here. And a client for itself.
    async fn pushed_signed_and_for_itself(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        let key = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default()).expect("a key");
        let client = scene.app.client(&scene.tenant, World::metadata(&json!({ "jwks": { "keys": [key.key.public_jwk()] } }))).await;
        let rp = scene.with(&client).with_scope("openid offline_access");
        let details = payment(&json!({}));
        let mut object: Value = rp.parameters(&[]).into_iter().collect::<std::collections::BTreeMap<_, _>>().into_iter().map(|(name, value)| (name, json!(value))).collect::<serde_json::Map<_, _>>().into();
        for (name, value) in [("iss", json!(rp.client.client_id())), ("aud", json!(scene.tenant.issuer)), ("exp", json!(scene.app.provider.clock.unix() + 60)), ("authorization_details", details.clone())] {
            object[name] = value;
        }
        let signed = key.key.sign_jwt("oauth-authz-req+jwt", &object).expect("a JWT");
        let mut browser = scene.app.browser();
        for url in [rp.authorization_url(&[("request", &signed)]), {
            let pushed = rp.authenticated("/par", &[("request", &signed)]).send().await;
            rp.pushed_url(text(&pushed.json(), "request_uri"), &[])
        }, rp.pushed(&[("authorization_details", &details.to_string())]).await] {
            let page = browser.open(&url).await;
            let page = if page.answer.body.contains("id=\"password\"") { browser.sign_in(&page, &scene.user).await } else { page };
            page.expect_id("allow");
            assert!(page.answer.body.contains("Pay 123.50 EUR to Merchant A"), "{}", page.answer.body);
            let page = browser.submit(&page, &[("decision", "allow")]).await;
            let tokens = rp.redeem(&page.answer.location_param("code").expect("a code")).await.expect_ok();
            assert_eq!(granted(&tokens), details);
        }
        // For itself: what it says, and no scope that it doesn't.
        let text_of = details.to_string();
        let form = [("grant_type", "client_credentials"), ("authorization_details", text_of.as_str())];
        let own = rp.token(&form).await.expect_ok();
        assert_eq!((granted(&own), own.json().get("scope")), (details.clone(), None));
        assert_eq!(claims(text(&own.json(), "access_token"))["aud"], BANK);
        let own = rp.token(&[form[0], form[1], ("scope", "accounts:read")]).await.expect_ok();
        assert_eq!(own.json()["scope"], "accounts:read");
        // An opaque token has it as well.
        let opaque = scene.app.client(&scene.tenant, World::metadata(&json!({ "access_token_format": "opaque" }))).await;
        let own = scene.with(&opaque).token(&form).await.expect_ok();
        assert_eq!(rp.introspect(text(&own.json(), "access_token")).await["authorization_details"], details);
    }

    /// Types and clients through the administration: API, console, and a client that registers itself.
    async fn types_are_administered(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        let program = Admin::program(&scene.app, &scene.tenant).await;
        let new = |types: Value| json!({ "identifier": "https://new.example/api", "scopes": [{ "name": "new" }], "authorization_details_types": types });
        for types in [
            json!([{ "type": "a b" }]), json!([{ "type": "t" }, { "type": "t" }]), json!([{ "type": "t", "colour": 1 }]), json!([{ "type": "t", "words": { "en": "{x}" } }]),
            json!([{ "type": "payment_initiation" }]), json!(vec![json!({ "type": "t" }); 21]), json!({}), json!([{ "type": "t", "actions": vec!["x".repeat(400); 45] }]),
        ] {
            let answer = program.post("/tenants/acme/resources", &new(types.clone())).await;
            assert!(answer.status == 422 && answer.body.contains("authorization_details_types"), "{types}: {} {}", answer.status, answer.body);
        }
        let made = program.post("/tenants/acme/resources", &new(json!([{ "type": "t", "actions": ["a"] }]))).await;
        assert_eq!((made.status, &made.json()["authorization_details_types"]), (201, &json!([{ "type": "t", "actions": ["a"] }])), "{}", made.body);
        let path = format!("/tenants/acme/resources/{}", text(&made.json(), "id"));
        let taken = program.patch(&path, &json!({ "authorization_details_types": [{ "type": "ledger" }] })).await;
        assert_eq!(taken.status, 422, "{}", taken.body);
        let changed = program.patch(&path, &json!({ "authorization_details_types": [{ "type": "u" }] })).await;
        assert_eq!(changed.expect_ok().json()["authorization_details_types"], json!([{ "type": "u" }]));
        let client = |types: Value| json!({ "grant_types": ["client_credentials"], "authorization_details_types": types });
        assert_eq!(program.post("/tenants/acme/clients", &client(json!(["u"]))).await.status, 201);
        for types in [json!(["t"]), json!(["u", "u"]), json!(["a b"]), json!("u")] {
            let answer = program.post("/tenants/acme/clients", &client(types.clone())).await;
            assert!([400, 422].contains(&answer.status) && answer.body.contains("authorization_details_types"), "{types}: {}", answer.body);
        }
        // A stranger's client may name them as it may name scopes.
        scene.app.change_settings(&scene.tenant, |settings| settings.registration = tessera::domain::settings::RegistrationPolicy::Open).await;
        let register = async |types: Value| {
            let document = json!({ "redirect_uris": [SHOP], "authorization_details_types": types });
            scene.app.http.request(Method::POST, &scene.tenant.url("/register")).body("application/json", document.to_string()).send().await
        };
        assert_eq!(register(json!(["u"])).await.json()["authorization_details_types"], json!(["u"]));
        register(json!(["nobody's"])).await.expect_error(400, "invalid_client_metadata");

        // The console.
        let (mut browser, _) = administrator(scene).await;
        let page = browser.open(&scene.tenant.url("/console/resources/new")).await;
        page.expect_id("authorization_details_types");
        let url = scene.tenant.url("/console/resources/new");
        let form = |types| [("identifier", "https://desk.example/api"), ("name", "Desk"), ("scope", "desk"), ("authorization_details_types", types)];
        for wrong in ["{", "[{\"type\":\"u\"}]", "[{\"type\":\"a b\"}]"] {
            let again = press(&mut browser, &page, &url, &form(wrong)).await;
            assert_eq!(again.answer.status, 422, "{wrong}");
            again.expect_id("authorization_details_types-problem");
        }
        let made = press(&mut browser, &page, &url, &form("[{\"type\":\"desk\",\"words\":{\"en\":\"Sit at the desk\"}}]")).await;
        assert!(made.answer.status == 200 && made.answer.body.contains("Sit at the desk"), "{}", made.answer.body);
        let edit = browser.open(&format!("{}/edit", made.url)).await;
        assert!(edit.answer.body.contains("Sit at the desk"), "{}", edit.answer.body);
        let types = "[{\"type\":\"desk\",\"words\":{\"en\":\"Stand at the desk\"}}]";
        let kept = browser.submit(&edit, &[("name", "Desk 2"), ("scope", "desk"), ("authorization_details_types", types)]).await;
        assert!(kept.answer.status == 200 && kept.answer.body.contains("Stand at the desk"), "{}", kept.answer.body);
    }

    /// RFC 8628: what a device asks for is shown to the person who types its code, and is the device's once they allow it.
    async fn a_device_asks_in_detail(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let client = scene.app.client(&scene.tenant, World::metadata(&json!({
            "grant_types": [grant, "refresh_token"], "response_types": [], "redirect_uris": [],
        }))).await;
        let rp = scene.with(&client);
        let (details, narrow) = (payment(&json!({})), payment(&json!({ "actions": ["status"] })).to_string());
        let ask = async |details: &Value, more: &[(&str, &str)]| {
            let text = details.to_string();
            rp.authenticated("/device_authorization", &[&[("authorization_details", text.as_str())], more].concat()).send().await
        };
        for (wrong, more) in [
            (json!([{ "type": "theirs" }]), vec![]), (payment(&json!({ "actions": ["steal"] })), vec![]), (json!({}), vec![]), (details.clone(), vec![("resource", LEDGER)]),
            (payment(&json!({ "creditorName": "x".repeat(5000) })), vec![]), (details.clone(), vec![("authorization_details", "[]")]),
        ] {
            let answer = ask(&wrong, &more).await;
            assert!(answer.status == 400 && ["invalid_authorization_details", "invalid_request"].contains(&answer.error().as_str()), "{wrong} {}", answer.body);
        }
        let confirm = async |browser: &mut Browser, asked: &Answer| {
            let page = browser.open(text(&asked.json(), "verification_uri_complete")).await;
            let page = if page.answer.body.contains("id=\"password\"") { browser.sign_in(&page, &scene.user).await } else { page };
            browser.submit(&page, &[("user_code", text(&asked.json(), "user_code"))]).await
        };
        let mut browser = scene.app.browser();
        let asked = ask(&details, &[]).await.expect_ok();
        let page = confirm(&mut browser, &asked).await;
        page.expect_id("allow");
        for shown in ["Pay 123.50 EUR to Merchant A", "DE02100100109307118603"] {
            assert!(page.answer.body.contains(shown), "{shown}: {}", page.answer.body);
        }
        browser.submit(&page, &[("decision", "allow")]).await;
        let poll = async |asked: &Answer, more: &[(&str, &str)]| {
            let asked = asked.json();
            rp.token(&[&[("grant_type", grant), ("device_code", text(&asked, "device_code"))], more].concat()).await
        };
        let wider = payment(&json!({ "creditorName": "Mallory" })).to_string();
        poll(&asked, &[("authorization_details", &wider)]).await.expect_error(400, "invalid_authorization_details");
        let tokens = poll(&asked, &[("authorization_details", &narrow)]).await.expect_ok();
        assert_eq!((granted(&tokens).to_string(), claims(text(&tokens.json(), "access_token"))["aud"].clone(), tokens.json().get("scope")), (narrow, json!(BANK), None));
        // What has been taken from the type meanwhile isn't asked about any more.
        let late = ask(&details, &[]).await.expect_ok();
        let tenant = scene.loaded().await;
        let mut bank = tenant.resources.iter().find(|own| own.identifier == BANK).expect("the API").clone();
        bank.details_types[0].actions.retain(|action| action != "initiate");
        scene.write(move |repo| repo.update_resource(&bank)).await;
        let page = confirm(&mut browser, &late).await;
        assert!(!page.answer.body.contains("id=\"allow\""), "{}", page.answer.body);
        // Everything but what was written down of it in words.
        let all = scene.app.database.raw().texts("SELECT detail AS value FROM audit_events");
        assert!(all.iter().any(|detail| detail.contains("payment_initiation")) && !all.iter().any(|detail| detail.contains("Merchant")), "{all:?}");
    }

    /// §9.2: an API is told what is meant for it, by a client of its own that says which API it is.
    async fn an_api_is_told_its_own_details(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        let mut both = payment(&json!({}));
        let ledger = json!({ "type": "ledger", "actions": ["read"], "identifier": "7" });
        both.as_array_mut().expect("a list").push(ledger.clone());
        let mut browser = scene.app.browser();
        let opaque = scene.app.client(&scene.tenant, World::metadata(&json!({ "access_token_format": "opaque" }))).await;
        let opaque = scene.with(&opaque).with_scope("openid offline_access");
        let service = async |subjects: Value| {
            let metadata = json!({ "grant_types": ["client_credentials"], "scope": "", "token_exchange_subjects": subjects });
            scene.with(&scene.app.client(&scene.tenant, metadata).await)
        };
        let (bank, of_ledger, of_both, unnamed, other) =
            (service(json!([BANK])).await, service(json!([LEDGER])).await, service(json!([BANK, LEDGER])).await, service(json!([])).await, service(json!(["https://other.example"])).await);
        for rp in [&world.rp, &opaque] {
            let page = browser.open(&rp.authorization_url(&[("authorization_details", &both.to_string())])).await;
            let page = browser.pass(page, &scene.user).await;
            let tokens = rp.redeem(&page.answer.location_param("code").expect("a code")).await.expect_ok().json();
            let single = rp.token(&[("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token")), ("resource", LEDGER)]).await.expect_ok().json();
            for (token, whole) in [(text(&tokens, "access_token"), &both), (text(&tokens, "refresh_token"), &both), (text(&single, "access_token"), &json!([ledger]))] {
                let told = async |rp: &RelyingParty| {
                    let answer = rp.introspect(token).await;
                    assert_eq!(answer["active"], true);
                    answer["authorization_details"].clone()
                };
                let is_single = *whole != both;
                assert_eq!(told(rp).await, *whole, "the client's own");
                assert_eq!(told(&bank).await, if is_single { Value::Null } else { payment(&json!({})) });
                assert_eq!((told(&of_ledger).await, told(&of_both).await), (json!([ledger]), whole.clone()));
                // Where the token is for one API alone, who shows it is taken for that.
                let alone = if is_single { json!([ledger]) } else { Value::Null };
                assert_eq!((told(&unnamed).await, told(&other).await), (alone.clone(), alone));
            }
        }
    }

    /// What was allowed in detail stands with the application, with its end, and goes when it ends or is withdrawn.
    async fn a_person_sees_what_they_allowed(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        let mut browser = scene.app.browser();
        let (kept, brief) = (payment(&json!({})), payment(&json!({ "creditorName": "Merchant B" })));
        let code = world.code(&mut browser, &kept, &[]).await;
        world.redeem(&code, &[]).await.expect_ok();
        // Without a token to refresh by.
        let code = world.code(&mut browser, &brief, &[("scope", "openid")]).await;
        let page = async |browser: &mut Browser| browser.open(&scene.tenant.url("/account/applications")).await.answer.body;
        let shown = page(&mut browser).await;
        assert!(shown.contains("to Merchant A") && !shown.contains("to Merchant B"), "a code that nobody redeemed: {shown}");
        world.redeem(&code, &[]).await.expect_ok();
        let shown = page(&mut browser).await;
        for text in ["Pay 123.50 EUR to Merchant A", "Pay 123.50 EUR to Merchant B", "DE02100100109307118603", "At the latest until"] {
            assert!(shown.contains(text), "{text}: {shown}");
        }
        scene.app.time.advance(std::time::Duration::from_secs(301));
        let shown = page(&mut browser).await;
        assert!(shown.contains("to Merchant A") && !shown.contains("to Merchant B"), "{shown}");
        // The tenant's own application asks nobody; what it may do is shown all the same, however much another was allowed since.
        let own = scene.app.client(&scene.tenant, World::metadata(&json!({ "client_name": "Till", "skip_consent": true }))).await;
        let own = scene.with(&own).with_scope("openid");
        let order = payment(&json!({ "creditorName": "Merchant C" })).to_string();
        let redirect = browser.open(&own.authorization_url(&[("authorization_details", &order)])).await;
        own.redeem(&redirect.answer.location_param("code").expect("a code")).await.expect_ok();
        let (clock, user, client, issuer) = (scene.app.provider.clock.clone(), scene.user.id, world.rp.client.id, scene.tenant.issuer.clone());
        let details: AuthorizationDetails = serde_json::from_value(kept).expect("details");
        scene.write(move |repo| {
            let session = repo.list_sessions(user, PageRequest::first(1))?.items.remove(0);
            for _ in 0..200 {
                let (mut grant, code) = grant(&clock, &session, client, &issuer);
                grant.details = details.clone();
                repo.insert_grant(&grant, &code)?;
                repo.consume_code(grant.id)?;
            }
            Ok(())
        }).await;
        let applications = browser.open(&scene.tenant.url("/account/applications")).await;
        assert!(applications.answer.body.contains("to Merchant A") && applications.answer.body.contains("to Merchant C"), "{}", applications.answer.body);
        browser.submit(&applications, &[("withdraw", &own.client.client_id())]).await;
        let shown = page(&mut browser).await;
        assert!(shown.contains("to Merchant A") && !shown.contains("to Merchant C"), "{shown}");
        // Another person sees nothing of it.
        let eve = scene.app.user(&scene.tenant, "eve@acme.example", "a long enough password").await;
        let mut other = scene.app.browser();
        world.rp.sign_in(&mut other, &eve).await;
        assert!(page(&mut other).await.contains("Shop"));
        assert!(!page(&mut other).await.contains("Merchant"));
        let applications = browser.open(&scene.tenant.url("/account/applications")).await;
        let shop = world.rp.client.client_id();
        browser.submit(&applications, &[("withdraw", &shop)]).await;
        assert!(!page(&mut browser).await.contains("Merchant"));
    }
}
