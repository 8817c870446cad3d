//! Token exchange (RFC 8693): what may be exchanged, for what, by whom, and what ends it.

use std::time::Duration;

use serde_json::{Value, json};
use tessera::domain::role::Role;
use tessera::jose::keys::SigningKey;
use tessera::protocol::SigningAlgorithm;
use tessera::protocol::client_metadata::ClientMetadata;
use tessera::storage::DatabaseKind;

use super::seed::{Scene, at_once, text};
use crate::support::admin::Admin;
use crate::support::app::{TestApp, TestClient, app_test};
use crate::support::dpop::Prover;
use crate::support::http::Answer;
use crate::support::relying_party::{RelyingParty, claims};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID: &str = "urn:ietf:params:oauth:token-type:id_token";
const ORDERS: &str = "https://orders-api.example";
const STOCK: &str = "https://stock-api.example";
const BOOKS: &str = "https://books-api.example";

/// Three APIs, an application whose person uses the first, and the first API's service, which calls the second.
struct World {
    scene: Scene,
    /// The application.
    front: RelyingParty,
    /// The service behind `ORDERS`.
    orders: RelyingParty,
}

impl World {
    async fn new(app: TestApp) -> Self {
        let scene = Scene::new(app).await;
        for (identifier, scopes) in [
            (ORDERS, ["orders:read", "shared:read"]),
            (STOCK, ["stock:read", "shared:read"]),
            (BOOKS, ["books:read", "shared:read"]),
        ] {
            scene.app.resource(&scene.tenant, identifier, &scopes).await;
        }
        let front = scene.with(&scene.app.client(&scene.tenant, json!({
            "client_name": "Shop", "redirect_uris": ["https://shop.example/callback"], "grant_types": ["authorization_code", "refresh_token"],
            "scope": "openid profile offline_access orders:read shared:read", "resources": [ORDERS],
        })).await).with_scope("openid profile offline_access orders:read shared:read");
        let orders = service(&scene, json!({})).await;
        Self {
            scene,
            front,
            orders,
        }
    }

    /// A person's token for `ORDERS`, with what came beside it.
    async fn signed_in(&self) -> Value {
        let mut browser = self.scene.app.browser();
        let page = self
            .front
            .authorize(&mut browser, &self.scene.user, &[("resource", ORDERS)])
            .await;
        let code = page
            .answer
            .location_param("code")
            .unwrap_or_else(|| panic!("{:?}", page.answer));
        self.front.redeem(&code).await.expect_ok().json()
    }

    async fn subject(&self) -> String {
        text(&self.signed_in().await, "access_token").to_owned()
    }

    async fn is_active(&self, token: &str) -> bool {
        self.scene.is_active(token).await
    }
}

/// The client of the service behind an API; what it may is said by `more`.
async fn service(scene: &Scene, more: Value) -> RelyingParty {
    let client = scene.app.client(&scene.tenant, metadata(more)).await;
    scene.with(&client)
}

fn metadata(more: Value) -> Value {
    let mut metadata = json!({
        "client_name": "Orders service", "grant_types": [GRANT, "client_credentials"], "response_types": [], "scope": "",
        "token_exchange_subjects": [ORDERS], "token_exchange_targets": [STOCK], "token_exchange_scope": "stock:read",
    });
    for (name, value) in more.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    metadata
}

async fn exchange(rp: &RelyingParty, subject: &str, more: &[(&str, &str)]) -> Answer {
    let usual = [
        ("grant_type", GRANT),
        ("subject_token", subject),
        ("subject_token_type", ACCESS),
        ("resource", STOCK),
    ];
    let kept = usual
        .into_iter()
        .filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    let form: Vec<_> = kept
        .chain(more.iter().copied().filter(|(_, value)| !value.is_empty()))
        .collect();
    rp.token(&form).await
}

/// The token of a successful answer.
#[track_caller]
fn token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    text(&answer.json(), "access_token").to_owned()
}

/// The tenant's own key: for tokens that the server would never make.
async fn signed(world: &World, claims: &Value, typ: &'static str) -> String {
    let tenant = world.scene.loaded().await;
    let key = world
        .scene
        .app
        .provider
        .signer(&tenant, SigningAlgorithm::Es256)
        .await
        .expect("a key");
    key.sign_jwt(typ, claims).expect("signed")
}

/// Has a client's tokens say who alone may act by them.
async fn name_who_may_act(world: &World, client: &RelyingParty, sub: &str) {
    let (id, sub) = (client.client.id, sub.to_owned());
    let written = world.scene.write(move |repo| {
        let mut client = repo.find_client(id)?.expect("a client");
        client.metadata.token_exchange_may_act = Some(sub.clone());
        repo.update_client(&client)
    });
    assert!(written.await);
}

fn but(claims: &Value, more: &[(&str, Value)]) -> Value {
    let mut claims = claims.clone();
    for (name, value) in more {
        claims[*name] = value.clone();
    }
    claims
}

app_test! {
    /// §2.1, §2.2, §4.1: a service calls the next one on a person's behalf.
    async fn a_service_acts_for_a_person(app: TestApp) {
        let world = World::new(app).await;
        let subject = world.subject().await;
        let before = claims(&subject);
        let answer = exchange(&world.orders, &subject, &[]).await;
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), (Some("no-store"), Some("no-cache")));
        let body = answer.json();
        assert_eq!((&body["issued_token_type"], &body["token_type"], &body["scope"]), (&json!(ACCESS), &json!("Bearer"), &json!("shared:read stock:read")));
        assert!(body["refresh_token"].is_null() && body["id_token"].is_null(), "{body}");
        let made = claims(&token(&answer));
        let (service, front) = (world.orders.client.client_id(), world.front.client.client_id());
        for same in ["iss", "sub", "sid", "auth_time", "acr", "amr", "tenant", "tenant_id", "grant_id"] {
            assert_eq!(made[same], before[same], "{same}");
        }
        assert_eq!((&made["aud"], &made["client_id"], &made["act"]), (&json!(STOCK), &json!(service), &json!({ "sub": service })));
        assert_eq!(made["exchanged"], json!({ "client_id": front, "jti": [before["jti"]] }));
        assert!(made["exp"].as_i64() <= before["exp"].as_i64() && made["jti"] != before["jti"]);
        // It is a token like any other, but for what is the person's application's alone.
        let seen = world.orders.introspect(&token(&answer)).await;
        assert_eq!((&seen["active"], &seen["act"]["sub"], &seen["sub"]), (&json!(true), &json!(service), &before["sub"]));
        world.orders.userinfo(&token(&answer)).await.expect_error(403, "insufficient_scope");
        let detail = world.scene.app.database.raw().texts("SELECT detail AS value FROM audit_events WHERE act = 'token.exchanged'");
        let detail: Value = serde_json::from_str(&detail[0]).expect("JSON");
        assert_eq!((&detail["subject"]["sub"], &detail["subject"]["client_id"], &detail["act"]["sub"], &detail["audience"]), (&before["sub"], &json!(front), &json!(service), &json!(STOCK)));
        assert_eq!((&detail["subject"]["jti"], &detail["jti"]), (&before["jti"], &made["jti"]));
    }

    /// The new token doesn't outlive the old one, whatever the client's own tokens do.
    async fn it_lives_no_longer_than_what_it_was_made_from(app: TestApp) {
        let world = World::new(app).await;
        let long = service(&world.scene, json!({ "access_token_lifetime": 86_400 })).await;
        let short = service(&world.scene, json!({ "access_token_lifetime": 30 })).await;
        let subject = world.subject().await;
        world.scene.app.time.advance(Duration::from_secs(100));
        let answer = exchange(&long, &subject, &[]).await;
        assert_eq!((&claims(&token(&answer))["exp"], &answer.json()["expires_in"]), (&claims(&subject)["exp"], &json!(200)));
        assert_eq!(exchange(&short, &subject, &[]).await.json()["expires_in"], 30);
        // An actor's token counts as well.
        let actor = short.client_credentials(&[]).await.access_token;
        let answer = exchange(&short, &subject, &[("actor_token", &actor), ("actor_token_type", ACCESS)]).await;
        assert_eq!(answer.json()["expires_in"], 30);
        world.scene.app.time.advance(Duration::from_secs(200));
        exchange(&long, &subject, &[]).await.expect_error(400, "invalid_request");
    }

    /// Who may offer what: one's own tokens, those for oneself, and those for what one answers to.
    async fn only_tokens_for_the_client_are_exchanged(app: TestApp) {
        let world = World::new(app).await;
        let subject = world.subject().await;
        let elsewhere = service(&world.scene, json!({ "token_exchange_subjects": [BOOKS] })).await;
        exchange(&elsewhere, &subject, &[]).await.expect_error(400, "invalid_request");
        let nothing = service(&world.scene, json!({ "token_exchange_subjects": [] })).await;
        exchange(&nothing, &subject, &[]).await.expect_error(400, "invalid_request");
        // Its own.
        let own = nothing.client_credentials(&[]).await.access_token;
        token(&exchange(&nothing, &own, &[]).await);
        exchange(&world.orders, &own, &[]).await.expect_error(400, "invalid_request");
        // One whose audience it is, by its client_id.
        let front = service(&world.scene, json!({ "default_audience": format!("urn:client:{}", nothing.client.client_id()) })).await;
        let strange = front.client_credentials(&[]).await.access_token;
        exchange(&nothing, &strange, &[]).await.expect_error(400, "invalid_request");
        let to_it = service(&world.scene, json!({ "token_exchange_targets": [nothing.client.client_id()], "token_exchange_scope": null })).await;
        let passed_on = token(&exchange(&to_it, &subject, &[("resource", ""), ("audience", &nothing.client.client_id())]).await);
        assert_eq!(claims(&passed_on)["aud"], nothing.client.client_id());
        let further = token(&exchange(&nothing, &passed_on, &[]).await);
        assert_eq!(claims(&further)["act"], json!({ "sub": nothing.client.client_id(), "act": { "sub": to_it.client.client_id() } }));
    }

    /// For which targets.
    async fn only_named_targets_are_to_be_had(app: TestApp) {
        let world = World::new(app).await;
        let subject = world.subject().await;
        let api = format!("{}/api/v1", world.scene.app.root());
        let (unknown, own) = ("018f3a4e-1111-7222-8333-444455556666", world.orders.client.client_id());
        for more in [
            vec![("resource", BOOKS)], vec![("resource", ORDERS)], vec![("audience", BOOKS)], vec![("audience", "nobody")], vec![("audience", unknown)],
            vec![("audience", &own)], vec![("resource", &api)], vec![("audience", &api)], vec![("resource", STOCK), ("audience", BOOKS)], vec![("resource", "relative")],
        ] {
            exchange(&world.orders, &subject, &more).await.expect_error(400, "invalid_target");
        }
        // The administration isn't to be had whoever names it.
        let greedy = service(&world.scene, json!({ "token_exchange_targets": [api, BOOKS, "urn:gone", unknown], "token_exchange_scope": "tessera:admin" })).await;
        for more in [[("resource", api.as_str())], [("audience", "urn:gone")], [("audience", unknown)], [("resource", "")]] {
            exchange(&greedy, &subject, &more).await.expect_error(400, "invalid_target");
        }
        exchange(&greedy, &subject, &[("resource", BOOKS), ("scope", "tessera:admin")]).await.expect_error(400, "invalid_scope");
        // The only one is meant where none is named; each name counts once.
        assert_eq!(claims(&token(&exchange(&world.orders, &subject, &[("resource", "")]).await))["aud"], STOCK);
        assert_eq!(claims(&token(&exchange(&world.orders, &subject, &[("audience", STOCK)]).await))["aud"], STOCK);
        let both = service(&world.scene, json!({ "token_exchange_targets": [STOCK, BOOKS] })).await;
        let made = claims(&token(&exchange(&both, &subject, &[("resource", STOCK), ("audience", BOOKS)]).await));
        assert_eq!(made["aud"], json!([STOCK, BOOKS]));
        // By default there are none.
        let none = service(&world.scene, json!({ "token_exchange_targets": [] })).await;
        exchange(&none, &subject, &[]).await.expect_error(400, "invalid_target");
    }

    /// What for: no more than the subject's token has, or than the policy adds.
    async fn scope_only_narrows_or_is_the_policys(app: TestApp) {
        let world = World::new(app).await;
        let subject = world.subject().await;
        let said = async |rp: &RelyingParty, scope: &str| exchange(rp, &subject, &[("scope", scope)]).await;
        assert_eq!(said(&world.orders, "shared:read").await.json()["scope"], "shared:read");
        assert_eq!(said(&world.orders, "stock:read").await.json()["scope"], "stock:read");
        for scope in ["books:read", "openid", "profile", "offline_access", "tessera:admin", "shared:read openid", "sorcery", "\"", "orders:read"] {
            said(&world.orders, scope).await.expect_error(400, "invalid_scope");
        }
        let narrow = service(&world.scene, json!({ "token_exchange_scope": null })).await;
        assert_eq!(exchange(&narrow, &subject, &[]).await.json()["scope"], "shared:read");
        said(&narrow, "stock:read").await.expect_error(400, "invalid_scope");
    }

    /// §1.1: impersonation is for those whom the policy lets, and never of whoever administers.
    async fn impersonation_is_the_policys_to_allow(app: TestApp) {
        let world = World::new(app).await;
        let hidden = service(&world.scene, json!({ "token_exchange_impersonation": true })).await;
        let subject = world.subject().await;
        let made = claims(&token(&exchange(&hidden, &subject, &[]).await));
        assert!(made["act"].is_null() && made["sub"] == claims(&subject)["sub"], "{made}");
        // Who acted before is still told.
        let chained = service(&world.scene, json!({ "token_exchange_subjects": [STOCK], "token_exchange_targets": [BOOKS], "token_exchange_impersonation": true })).await;
        let first = token(&exchange(&world.orders, &subject, &[]).await);
        let made = claims(&token(&exchange(&chained, &first, &[("resource", BOOKS)]).await));
        assert_eq!(made["act"], json!({ "sub": world.orders.client.client_id() }));
        // With an actor's token it is delegation again.
        let actor = hidden.client_credentials(&[]).await.access_token;
        let made = claims(&token(&exchange(&hidden, &subject, &[("actor_token", &actor), ("actor_token_type", JWT)]).await));
        assert_eq!(made["act"]["sub"], hidden.client.client_id());
        world.scene.grant_role(Role::Auditor).await;
        let subject = world.subject().await;
        exchange(&hidden, &subject, &[]).await.expect_error(400, "invalid_request");
        let made = claims(&token(&exchange(&world.orders, &subject, &[]).await));
        assert_eq!((&made["roles"], &made["act"]["sub"]), (&json!(["auditor"]), &json!(world.orders.client.client_id())));
    }

    /// §2.1, §4.1: somebody else than the client acts.
    async fn an_actor_is_named_by_their_token(app: TestApp) {
        let world = World::new(app).await;
        let subject = world.subject().await;
        let helper = world.scene.app.user(&world.scene.tenant, "helper@acme.example", "a long enough password").await;
        let desk = world.scene.with(&world.scene.app.client(&world.scene.tenant, json!({
            "client_name": "Help desk", "redirect_uris": ["https://desk.example/callback"], "grant_types": ["authorization_code", GRANT], "scope": "openid",
            "token_exchange_subjects": [ORDERS], "token_exchange_targets": [STOCK],
        })).await).with_scope("openid");
        let tokens = desk.sign_in(&mut world.scene.app.browser(), &helper).await;
        for (kind, actor) in [(ACCESS, tokens.access_token.as_str()), (ID, tokens.id_token.as_deref().expect("an ID token"))] {
            let made = claims(&token(&exchange(&desk, &subject, &[("actor_token", actor), ("actor_token_type", kind)]).await));
            assert_eq!((&made["sub"], &made["act"]), (&claims(&subject)["sub"], &json!({ "sub": helper.id.to_string() })), "{kind}");
        }
        // It dies with the actor's token, and with what that hangs on.
        let acting = async |tokens: &crate::support::relying_party::Tokens| {
            token(&exchange(&desk, &subject, &[("actor_token", &tokens.access_token), ("actor_token_type", ACCESS)]).await)
        };
        let mut browser = world.scene.app.browser();
        let others = desk.sign_in(&mut browser, &helper).await;
        let (by_token, by_grant) = (acting(&others).await, acting(&tokens).await);
        assert!(world.is_active(&by_token).await && world.is_active(&by_grant).await);
        desk.authenticated("/revoke", &[("token", &others.access_token)]).send().await.expect_ok();
        assert!(!world.is_active(&by_token).await && world.is_active(&by_grant).await);
        let others = desk.sign_in(&mut browser, &helper).await;
        let by_session = acting(&others).await;
        let page = browser.open(&world.scene.tenant.url("/logout")).await;
        browser.submit(&page, &[("logout", "1")]).await.answer.expect_ok();
        assert!(!world.is_active(&by_session).await && world.is_active(&by_grant).await);
        // The actor's token is held to the same rules.
        let strange = service(&world.scene, json!({})).await.client_credentials(&[]).await.access_token;
        let acting = token(&exchange(&desk, &subject, &[]).await);
        let passing = service(&world.scene, json!({ "token_exchange_subjects": [ORDERS, STOCK] })).await;
        for (rp, actor) in [(&desk, strange.as_str()), (&desk, "x"), (&desk, "a.b.c"), (&passing, acting.as_str())] {
            exchange(rp, &subject, &[("actor_token", actor), ("actor_token_type", ACCESS)]).await.expect_error(400, "invalid_request");
        }
        // Who acts for themselves would hide the client, which impersonation has to be allowed for.
        exchange(&desk, &subject, &[("actor_token", &subject), ("actor_token_type", ACCESS)]).await.expect_error(400, "invalid_request");
        let own = desk.sign_in(&mut world.scene.app.browser(), &world.scene.user).await.access_token;
        exchange(&desk, &subject, &[("actor_token", &own), ("actor_token_type", ACCESS)]).await.expect_error(400, "invalid_request");
        exchange(&desk, &subject, &[("actor_token", &tokens.access_token), ("actor_token_type", ID)]).await.expect_error(400, "invalid_request");
        exchange(&desk, &subject, &[("actor_token", &tokens.access_token)]).await.expect_error(400, "invalid_request");
        exchange(&desk, &subject, &[("actor_token_type", ACCESS)]).await.expect_error(400, "invalid_request");
        let id = helper.id;
        assert!(world.scene.write(move |repo| repo.set_user_disabled(id, true)).await);
        exchange(&desk, &subject, &[("actor_token", &tokens.access_token), ("actor_token_type", ACCESS)]).await.expect_error(400, "invalid_request");
    }

    /// §4.1: those who acted before stand behind who acts now; five of them at the most, and five exchanges.
    async fn chains_are_told_and_bounded(app: TestApp) {
        let world = World::new(app).await;
        let mut services = Vec::new();
        for _ in 0..6 {
            services.push(service(&world.scene, json!({ "token_exchange_subjects": [ORDERS, STOCK] })).await);
        }
        let mut current = world.subject().await;
        let mut act = Value::Null;
        for rp in &services[..5] {
            current = token(&exchange(rp, &current, &[]).await);
            act = match act {
                Value::Null => json!({ "sub": rp.client.client_id() }),
                before => json!({ "sub": rp.client.client_id(), "act": before }),
            };
            assert_eq!(claims(&current)["act"], act);
        }
        assert_eq!(claims(&current)["exchanged"]["jti"].as_array().map(Vec::len), Some(5));
        exchange(&services[5], &current, &[]).await.expect_error(400, "invalid_request");
        // Nor without naming anybody.
        let hidden = service(&world.scene, json!({ "token_exchange_subjects": [ORDERS, STOCK], "token_exchange_impersonation": true })).await;
        let mut current = world.subject().await;
        for _ in 0..5 {
            current = token(&exchange(&hidden, &current, &[]).await);
        }
        exchange(&hidden, &current, &[]).await.expect_error(400, "invalid_request");
    }

    /// §2.2.2: what is dead can't be exchanged, and takes what was made of it along.
    async fn whatever_ends_the_subject_ends_the_exchange(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        let refused = async |subject: &str| { exchange(&world.orders, subject, &[]).await.expect_error(400, "invalid_request"); };
        // The grant is revoked.
        let tokens = world.signed_in().await;
        let (subject, made) = (text(&tokens, "access_token"), token(&exchange(&world.orders, text(&tokens, "access_token"), &[]).await));
        let second = service(scene, json!({ "token_exchange_subjects": [STOCK], "token_exchange_targets": [BOOKS] })).await;
        let further = token(&exchange(&second, &made, &[("resource", BOOKS)]).await);
        assert!(world.is_active(&made).await && world.is_active(&further).await);
        world.front.authenticated("/revoke", &[("token", text(&tokens, "refresh_token"))]).send().await.expect_ok();
        refused(subject).await;
        assert!(!world.is_active(&made).await && !world.is_active(&further).await);
        // The token alone is revoked.
        let subject = world.subject().await;
        let made = token(&exchange(&world.orders, &subject, &[]).await);
        let further = token(&exchange(&second, &made, &[("resource", BOOKS)]).await);
        world.front.authenticated("/revoke", &[("token", &subject)]).send().await.expect_ok();
        refused(&subject).await;
        assert!(!world.is_active(&made).await && !world.is_active(&further).await);
        // One in the middle is given up by whoever made it: what came before goes on.
        let subject = world.subject().await;
        let made = token(&exchange(&world.orders, &subject, &[]).await);
        let further = token(&exchange(&second, &made, &[("resource", BOOKS)]).await);
        world.orders.authenticated("/revoke", &[("token", &made)]).send().await.expect_ok();
        assert!(world.is_active(&subject).await && !world.is_active(&made).await && !world.is_active(&further).await);
        token(&exchange(&world.orders, &subject, &[]).await);
        // The service in the middle is deleted.
        let middle = service(scene, json!({})).await;
        let made = token(&exchange(&middle, &subject, &[]).await);
        let further = token(&exchange(&second, &made, &[("resource", BOOKS)]).await);
        assert!(world.is_active(&further).await);
        let id = middle.client.id;
        assert!(scene.write(move |repo| repo.delete_client(id)).await);
        assert!(world.is_active(&subject).await && !world.is_active(&further).await);
        // The person is shut out.
        let made = token(&exchange(&world.orders, &subject, &[]).await);
        scene.set_disabled(true).await;
        refused(&subject).await;
        assert!(!world.is_active(&made).await);
        scene.set_disabled(false).await;
        // The service is deleted, and then the application.
        let gone = service(scene, json!({})).await;
        let (subject, made) = (world.subject().await, token(&exchange(&gone, &world.subject().await, &[]).await));
        let id = gone.client.id;
        assert!(scene.write(move |repo| repo.delete_client(id)).await);
        assert!(!world.is_active(&made).await);
        let made = token(&exchange(&world.orders, &subject, &[]).await);
        let id = world.front.client.id;
        assert!(scene.write(move |repo| repo.delete_client(id)).await);
        refused(&subject).await;
        assert!(!world.is_active(&made).await);
    }

    async fn a_sign_out_ends_it(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        let front = scene.with(&scene.app.client(&scene.tenant, json!({
            "client_name": "Kiosk", "redirect_uris": ["https://kiosk.example/callback"], "scope": "openid orders:read", "default_audience": ORDERS,
        })).await).with_scope("openid orders:read");
        let mut browser = scene.app.browser();
        let tokens = front.sign_in(&mut browser, &scene.user).await;
        let id_token = tokens.id_token.clone().expect("an ID token");
        let id_service = service(scene, json!({ "token_exchange_subjects": [ORDERS, front.client.client_id()] })).await;
        let by_access = token(&exchange(&id_service, &tokens.access_token, &[]).await);
        let by_id = token(&exchange(&id_service, &id_token, &[("subject_token_type", ID)]).await);
        assert!(world.is_active(&by_access).await && world.is_active(&by_id).await);
        let page = browser.open(&scene.tenant.url("/logout")).await;
        browser.submit(&page, &[("logout", "1")]).await;
        exchange(&id_service, &tokens.access_token, &[]).await.expect_error(400, "invalid_request");
        exchange(&id_service, &id_token, &[("subject_token_type", ID)]).await.expect_error(400, "invalid_request");
        assert!(!world.is_active(&by_access).await && !world.is_active(&by_id).await);
    }

    /// An ID token stands for its session: what it gives is the policy's alone.
    async fn an_id_token_is_exchanged_by_policy_alone(app: TestApp) {
        let world = World::new(app).await;
        let tokens = world.signed_in().await;
        let id_token = text(&tokens, "id_token").to_owned();
        let offered = [("subject_token_type", ID)];
        exchange(&world.orders, &id_token, &offered).await.expect_error(400, "invalid_request");
        let rp = service(&world.scene, json!({ "token_exchange_subjects": [world.front.client.client_id()] })).await;
        let answer = exchange(&rp, &id_token, &offered).await;
        let made = claims(&token(&answer));
        assert_eq!((&made["sub"], &made["scope"], &made["act"]["sub"]), (&claims(&id_token)["sub"], &json!("stock:read"), &json!(rp.client.client_id())));
        assert_eq!((&made["grant_id"], &made["exchanged"]), (&claims(text(&tokens, "access_token"))["grant_id"], &json!({ "client_id": world.front.client.client_id(), "jti": [] })));
        assert!(world.is_active(&token(&answer)).await);
        exchange(&rp, &id_token, &[("subject_token_type", ID), ("scope", "shared:read")]).await.expect_error(400, "invalid_scope");
        // It says what it is, and so does an access token.
        exchange(&rp, &id_token, &[]).await.expect_error(400, "invalid_request");
        exchange(&rp, &id_token, &[("subject_token_type", JWT)]).await.expect_error(400, "invalid_request");
        exchange(&world.orders, text(&tokens, "access_token"), &offered).await.expect_error(400, "invalid_request");
        // Another's session, or none, under a signature of ours.
        let honest = claims(&id_token);
        token(&exchange(&rp, &signed(&world, &honest, "JWT").await, &offered).await);
        for (name, value) in [
            ("sid", json!("018f3a4e-1111-7222-8333-444455556666")), ("sid", json!("x")), ("sub", json!("018f3a4e-1111-7222-8333-444455556666")),
            ("aud", json!("018f3a4e-1111-7222-8333-444455556666")), ("exp", json!(1)), ("iss", json!("https://evil.example")), ("tenant_id", json!("018f3a4e-1111-7222-8333-444455556666")),
            ("cnf", json!({ "jkt": "x" })),
        ] {
            let forged = signed(&world, &but(&honest, &[(name, value.clone())]), "JWT").await;
            exchange(&rp, &forged, &offered).await.expect_error(400, "invalid_request");
        }
        // The grant is gone, the session goes on.
        world.front.authenticated("/revoke", &[("token", text(&tokens, "refresh_token"))]).send().await.expect_ok();
        exchange(&rp, &id_token, &offered).await.expect_error(400, "invalid_request");
        world.scene.app.time.advance(Duration::from_mins(5));
        exchange(&rp, &id_token, &offered).await.expect_error(400, "invalid_request");
    }

    /// A machine's token is a subject, too; it hangs on no grant, and what was made of it dies with it all the same.
    async fn a_machine_is_a_subject_too(app: TestApp) {
        let world = World::new(app).await;
        let machine = world.scene.with(&world.scene.app.client(&world.scene.tenant, json!({
            "client_name": "Job", "grant_types": ["client_credentials"], "response_types": [], "scope": "orders:read", "default_audience": ORDERS,
        })).await);
        let subject = machine.client_credentials(&[]).await.access_token;
        let made = token(&exchange(&world.orders, &subject, &[]).await);
        let said = claims(&made);
        assert_eq!((&said["sub"], &said["act"]["sub"]), (&json!(machine.client.client_id()), &json!(world.orders.client.client_id())));
        assert!(said["grant_id"].is_null() && world.is_active(&made).await);
        machine.authenticated("/revoke", &[("token", &subject)]).send().await.expect_ok();
        assert!(!world.is_active(&made).await);
        exchange(&world.orders, &subject, &[]).await.expect_error(400, "invalid_request");
        let made = token(&exchange(&world.orders, &machine.client_credentials(&[]).await.access_token, &[]).await);
        let id = machine.client.id;
        assert!(world.scene.write(move |repo| repo.delete_client(id)).await);
        assert!(!world.is_active(&made).await, "its client is gone");
    }

    /// Opaque tokens in, opaque tokens out, as the clients are registered.
    async fn the_form_is_the_clients(app: TestApp) {
        let world = World::new(app).await;
        let opaque = service(&world.scene, json!({ "access_token_format": "opaque" })).await;
        let subject = world.subject().await;
        let made = token(&exchange(&opaque, &subject, &[]).await);
        assert!(made.starts_with("tsa_") && world.is_active(&made).await);
        exchange(&opaque, &subject, &[("requested_token_type", JWT)]).await.expect_error(400, "invalid_request");
        let next = service(&world.scene, json!({ "token_exchange_subjects": [STOCK] })).await;
        token(&exchange(&next, &made, &[]).await);
        exchange(&next, &made, &[("subject_token_type", JWT)]).await.expect_error(400, "invalid_request");
        let answer = exchange(&world.orders, &subject, &[("requested_token_type", JWT), ("subject_token_type", JWT)]).await;
        assert_eq!(answer.json()["issued_token_type"], JWT);
        for wrong in [ID, "urn:ietf:params:oauth:token-type:refresh_token", "urn:ietf:params:oauth:token-type:saml2", "x"] {
            exchange(&world.orders, &subject, &[("requested_token_type", wrong)]).await.expect_error(400, "invalid_request");
        }
    }

    /// SECURITY, "Exchange", "JOSE" and "Tenancy": nothing of another tenant, nothing forged, nothing bound.
    async fn what_is_not_ours_is_refused(app: TestApp) {
        let world = World::new(app).await;
        let subject = world.subject().await;
        let tokens = world.signed_in().await;
        let honest = claims(&subject);
        token(&exchange(&world.orders, &signed(&world, &honest, "at+jwt").await, &[]).await);
        let key = SigningKey::generate(SigningAlgorithm::Es256, tessera::jose::keys::RsaBits::default()).expect("a key").key;
        let mut wrong = vec![
            "x".to_owned(), "a.b.c".to_owned(), format!("{}.", &subject[..subject.rfind('.').expect("a dot")]), key.sign_jwt("at+jwt", &honest).expect("signed"),
            text(&tokens, "refresh_token").to_owned(), "tsa_x".to_owned(), "%00".to_owned(), "x".repeat(16_000),
        ];
        for (name, value) in [
            ("exp", json!(1)), ("iss", json!("https://evil.example")), ("tenant_id", json!("018f3a4e-1111-7222-8333-444455556666")), ("client_id", json!("x")),
            ("client_id", json!(world.orders.client.client_id())), ("grant_id", json!("018f3a4e-1111-7222-8333-444455556666")), ("cnf", json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" })), ("cnf", json!({})),
            ("exchanged", json!({ "client_id": world.orders.client.client_id(), "jti": [] })), ("exchanged", json!({ "client_id": "x", "jti": [] })), ("act", json!("x")),
        ] {
            wrong.push(signed(&world, &but(&honest, &[(name, value)]), "at+jwt").await);
        }
        wrong.push(signed(&world, &honest, "JWT").await);
        for subject in &wrong {
            exchange(&world.orders, subject, &[]).await.expect_error(400, "invalid_request");
        }
        exchange(&world.orders, "", &[("subject_token", "")]).await.expect_error(400, "invalid_request");
        // Another tenant's token, client and target.
        let globex = world.scene.app.tenant("globex").await;
        let theirs = world.scene.app.machine_client(&globex, "").await;
        let theirs = RelyingParty::new(&world.scene.app, &globex, &theirs);
        let foreign = theirs.client_credentials(&[]).await.access_token;
        exchange(&world.orders, &foreign, &[]).await.expect_error(400, "invalid_request");
        let mut stranger = world.orders.clone();
        stranger.issuer.clone_from(&globex.issuer);
        exchange(&stranger, &subject, &[]).await.expect_error(401, "invalid_client");
        let reaching = service(&world.scene, json!({ "token_exchange_targets": [theirs.client.client_id()] })).await;
        exchange(&reaching, &subject, &[("resource", ""), ("audience", &theirs.client.client_id())]).await.expect_error(400, "invalid_target");
    }

    /// RFC 8693 §4.4: where a token names who may act by it, nobody else does; and who may is an administrator's to say.
    async fn only_who_may_act_acts(app: TestApp) {
        let mut world = World::new(app).await;
        let service_id = world.orders.client.client_id();
        name_who_may_act(&world, &world.front, &service_id).await;
        let subject = world.subject().await;
        assert_eq!(claims(&subject)["may_act"], json!({ "sub": service_id }));
        assert_eq!(world.orders.introspect(&subject).await["may_act"], json!({ "sub": service_id }));
        let made = token(&exchange(&world.orders, &subject, &[]).await);
        // It has been heard, and says nothing of the next.
        assert_eq!((&claims(&made)["act"]["sub"], claims(&made).get("may_act")), (&json!(service_id), None));
        // Another service whose policy would let it, an actor of the named one's, impersonation: none of them is meant.
        let other = service(&world.scene, json!({})).await;
        exchange(&other, &subject, &[]).await.expect_error(400, "invalid_request");
        let silent = service(&world.scene, json!({ "token_exchange_impersonation": true })).await;
        exchange(&silent, &subject, &[]).await.expect_error(400, "invalid_request");
        let helper = world.scene.app.user(&world.scene.tenant, "helper@acme.example", "a long enough password").await;
        let desk = world.scene.with(&world.scene.app.client(&world.scene.tenant, json!({
            "client_name": "Help desk", "redirect_uris": ["https://desk.example/callback"], "grant_types": ["authorization_code", GRANT], "scope": "openid",
            "token_exchange_subjects": [ORDERS], "token_exchange_targets": [STOCK],
        })).await).with_scope("openid");
        let acting = desk.sign_in(&mut world.scene.app.browser(), &helper).await.access_token;
        let as_helper = [("actor_token", acting.as_str()), ("actor_token_type", ACCESS)];
        exchange(&desk, &subject, &as_helper).await.expect_error(400, "invalid_request");
        // A person may be the one.
        name_who_may_act(&world, &world.front, &helper.id.to_string()).await;
        let subject = world.subject().await;
        token(&exchange(&desk, &subject, &as_helper).await);
        exchange(&desk, &subject, &[]).await.expect_error(400, "invalid_request");
        exchange(&world.orders, &subject, &[]).await.expect_error(400, "invalid_request");
        // What the service's own tokens say of who may act is the service's.
        name_who_may_act(&world, &world.orders, "whoever").await;
        world.front = world.scene.with(&world.scene.app.client(&world.scene.tenant, json!({
            "client_name": "Shop", "redirect_uris": ["https://shop.example/callback"], "scope": "openid orders:read", "resources": [ORDERS],
        })).await).with_scope("openid orders:read");
        let made = token(&exchange(&world.orders, &world.subject().await, &[]).await);
        assert_eq!(claims(&made)["may_act"], json!({ "sub": "whoever" }));
        // Somebody of whom more is said than is known here is nobody.
        let honest = but(&claims(&world.subject().await), &[("may_act", json!({ "sub": service_id, "client_id": "x" }))]);
        exchange(&world.orders, &signed(&world, &honest, "at+jwt").await, &[]).await.expect_error(400, "invalid_request");
    }

    /// RFC 9449 §7: what is bound to a key is exchanged by whoever holds it, and what comes of it is bound.
    async fn what_is_bound_is_exchanged_by_its_holder(app: TestApp) {
        let world = World::new(app).await;
        let clock = &world.scene.app.provider.clock;
        let (own, other) = (Prover::new(clock), Prover::new(clock));
        let machine = [("grant_type", "client_credentials")];
        let bound = text(&world.orders.proved(&own, &machine).await.expect_ok().json(), "access_token").to_owned();
        let form = [("grant_type", GRANT), ("subject_token", bound.as_str()), ("subject_token_type", ACCESS), ("resource", STOCK)];
        let made = world.orders.proved(&own, &form).await.expect_ok().json();
        assert_eq!((&made["token_type"], &claims(text(&made, "access_token"))["cnf"]["jkt"]), (&json!("DPoP"), &json!(own.jkt())));
        // Without the proof, or with another key's: an API that was shown it has neither.
        world.orders.token(&form).await.expect_error(400, "invalid_request");
        world.orders.proved(&other, &form).await.expect_error(400, "invalid_request");
        // An actor's token is held to the same.
        let subject = world.subject().await;
        let actor = service(&world.scene, json!({})).await;
        let bound = text(&actor.proved(&own, &machine).await.expect_ok().json(), "access_token").to_owned();
        let form = [("grant_type", GRANT), ("subject_token", subject.as_str()), ("subject_token_type", ACCESS), ("resource", STOCK), ("actor_token", bound.as_str()), ("actor_token_type", ACCESS)];
        actor.proved(&own, &form).await.expect_ok();
        actor.proved(&other, &form).await.expect_error(400, "invalid_request");
        actor.token(&form).await.expect_error(400, "invalid_request");
    }

    /// What a trusted issuer says of a person, by the rules of assertions and the client's own policy.
    async fn a_trusted_issuers_jwt_is_exchanged(app: TestApp) {
        const IDP: &str = "https://idp.example.org";
        let world = World::new(app).await;
        let scene = &world.scene;
        let key = SigningKey::generate(SigningAlgorithm::Es256, tessera::jose::keys::RsaBits::default()).expect("a key").key;
        let policy = json!({ "token_exchange_subjects": [], "token_exchange_scope": "stock:read shared:read", "token_exchange_issuers": [IDP] });
        let gateway = service(scene, policy.clone()).await;
        let unnamed = service(scene, json!({ "token_exchange_scope": "stock:read shared:read" })).await;
        let unlisted = service(scene, policy).await;
        let trust = async |more: Value| {
            let mut one = json!({ "issuer": IDP, "jwks": { "keys": [key.public_jwk()] }, "clients": [gateway.client.client_id(), unnamed.client.client_id()], "subjects": "id", "scope": "stock:read" });
            for (name, value) in more.as_object().expect("an object") {
                one[name] = value.clone();
            }
            scene.app.change_settings(&scene.tenant, |settings| settings.assertion_issuers = serde_json::from_value(json!([one])).expect("issuers")).await;
        };
        trust(json!({})).await;
        let now = scene.app.provider.clock.unix();
        let says = |more: Value| {
            let mut said = json!({ "iss": IDP, "sub": scene.user.id.to_string(), "aud": scene.tenant.issuer, "iat": now, "exp": now + 60, "jti": scene.app.provider.clock.uuid_v7().to_string() });
            for (name, value) in more.as_object().expect("an object") {
                said[name] = value.clone();
            }
            key.sign_jwt("JWT", &said).expect("a JWT")
        };
        let as_jwt = ("subject_token_type", JWT);
        let assertion = says(json!({}));
        let answer = exchange(&gateway, &assertion, &[as_jwt]).await;
        assert_eq!((&answer.json()["scope"], answer.json()["expires_in"].as_i64().is_some_and(|left| left <= 60)), (&json!("stock:read"), true));
        let made = token(&answer);
        let said = claims(&made);
        let id = gateway.client.client_id();
        assert_eq!((&said["sub"], &said["aud"], &said["act"]["sub"]), (&json!(scene.user.id.to_string()), &json!(STOCK), &json!(id)));
        for absent in ["sid", "auth_time", "acr", "amr", "roles"] {
            assert_eq!(said.get(absent), None, "{absent}");
        }
        assert!(world.is_active(&made).await);
        // Once, also as a grant; and a replay is told once.
        for _ in 0..3 {
            exchange(&gateway, &assertion, &[as_jwt]).await.expect_error(400, "invalid_request");
        }
        assert_eq!((scene.events("token.assertion_replayed"), scene.events("token.asserted"), scene.events("token.exchanged")), (1, 1, 1));
        // Whoever isn't named by both, and what is no such JWT.
        for rp in [&unnamed, &unlisted] {
            exchange(rp, &says(json!({})), &[as_jwt]).await.expect_error(400, "invalid_request");
        }
        let strange = SigningKey::generate(SigningAlgorithm::Es256, tessera::jose::keys::RsaBits::default()).expect("a key").key;
        let mut wrong = vec![strange.sign_jwt("JWT", &json!({ "iss": IDP, "sub": scene.user.id.to_string(), "aud": scene.tenant.issuer, "exp": now + 60, "jti": "1" })).expect("a JWT")];
        for change in [
            json!({ "iss": "https://evil.example" }), json!({ "aud": [scene.tenant.issuer] }), json!({ "aud": STOCK }), json!({ "exp": now - 31 }), json!({ "exp": now + 331 }), json!({ "jti": "" }), json!({ "sub": "nobody" }),
            json!({ "may_act": { "sub": "somebody" } }), json!({ "may_act": "x" }), json!({ "may_act": { "sub": id, "email": "x" } }), json!({ "may_act": { "sub": id, "iss": IDP } }),
        ] {
            wrong.push(says(change));
        }
        for subject in &wrong {
            exchange(&gateway, subject, &[as_jwt]).await.expect_error(400, "invalid_request");
        }
        token(&exchange(&gateway, &says(json!({ "may_act": { "sub": id } })), &[as_jwt]).await);
        // As another kind, as an actor's, for more than the issuer may give.
        for kind in [ACCESS, ID] {
            exchange(&gateway, &says(json!({})), &[("subject_token_type", kind)]).await.expect_error(400, "invalid_request");
        }
        let own = gateway.client_credentials(&[]).await.access_token;
        exchange(&gateway, &own, &[("actor_token", &says(json!({}))), ("actor_token_type", JWT)]).await.expect_error(400, "invalid_request");
        exchange(&gateway, &says(json!({})), &[as_jwt, ("scope", "shared:read")]).await.expect_error(400, "invalid_scope");
        // What a refused exchange brought can still be brought; so can what was brought to an exchange that couldn't be told of.
        let kept = says(json!({}));
        let mut raw = scene.app.database.raw();
        let (deaf, heard) = match scene.app.database.kind() {
            DatabaseKind::Sqlite => (
                "CREATE TRIGGER deaf BEFORE INSERT ON audit_events WHEN NEW.act = 'token.exchanged' BEGIN SELECT RAISE(ABORT, 'deaf'); END",
                "DROP TRIGGER deaf",
            ),
            DatabaseKind::Postgres => (
                "ALTER TABLE audit_events ADD CONSTRAINT deaf CHECK (act <> 'token.exchanged') NOT VALID",
                "ALTER TABLE audit_events DROP CONSTRAINT deaf",
            ),
        };
        let told = |scene: &Scene| (scene.events("token.asserted"), scene.events("token.exchanged"));
        let before = told(scene);
        raw.execute(deaf).expect("changed");
        assert_eq!(exchange(&gateway, &kept, &[as_jwt]).await.status, 500);
        raw.execute(heard).expect("changed");
        assert_eq!(told(scene), before);
        exchange(&gateway, &kept, &[as_jwt, ("resource", BOOKS)]).await.expect_error(400, "invalid_target");
        let kept = token(&exchange(&gateway, &kept, &[as_jwt]).await);
        // With the issuer goes what it gave.
        let program = Admin::program(&scene.app, &scene.tenant).await;
        assert!(world.is_active(&kept).await);
        program.patch("/tenants/acme/settings", &json!({ "assertion_issuers": [] })).await.expect_ok();
        assert!(!world.is_active(&kept).await && !world.is_active(&made).await);
        trust(json!({})).await;
        exchange(&gateway, &says(json!({})), &[as_jwt]).await.expect_ok();
        scene.set_disabled(true).await;
        exchange(&gateway, &says(json!({})), &[as_jwt]).await.expect_error(400, "invalid_request");
    }

    /// Another of the tenant's addresses is another issuer.
    async fn it_is_bound_to_its_issuer(app: TestApp) {
        use tessera::domain::address::{Domain, DomainStage};
        use tessera::domain::ids::DomainId;
        let world = World::new(app).await;
        let domain = Domain {
            id: DomainId::from(world.scene.app.provider.clock.uuid_v7()), origin: "https://login.acme.example".into(),
            stage: DomainStage::Pending { verification_token: "token".into() }, canonical: false, created_at: world.scene.app.provider.now(),
        };
        world.scene.write(move |repo| { repo.insert_domain(&domain)?; repo.verify_domain(domain.id) }).await;
        let subject = world.subject().await;
        let mut there = world.orders.clone();
        there.issuer = "https://login.acme.example".into();
        exchange(&there, &subject, &[]).await.expect_error(400, "invalid_request");
        token(&exchange(&world.orders, &subject, &[]).await);
    }

    /// Who may exchange at all.
    async fn only_clients_of_this_grant_may_exchange(app: TestApp) {
        let world = World::new(app).await;
        let subject = world.subject().await;
        exchange(&world.front, &subject, &[]).await.expect_error(400, "unauthorized_client");
        let url = world.scene.tenant.url("/token");
        let id = world.orders.client.client_id();
        let form = [("grant_type", GRANT), ("subject_token", subject.as_str()), ("subject_token_type", ACCESS)];
        let named: Vec<_> = form.iter().copied().chain([("client_id", id.as_str())]).collect();
        for request in [world.scene.app.post(&url, &form), world.scene.app.post(&url, &named), world.scene.app.post(&url, &form).basic(&id, "wrong")] {
            request.send().await.expect_error(401, "invalid_client");
        }
        let public = ClientMetadata::from_json(metadata(json!({ "token_endpoint_auth_method": "none", "grant_types": [GRANT] })));
        assert_eq!(public.expect_err("public").field, "grant_types");
        let said = world.scene.app.get(&world.scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        assert!(said["grant_types_supported"].as_array().expect("a list").contains(&json!(GRANT)), "{said}");
    }

    /// Each exchange is written down, and nothing else is: one insert, whoever asks.
    async fn many_at_once_each_get_their_own(app: TestApp) {
        let world = World::new(app).await;
        let subject = world.subject().await;
        let answers = at_once((0..12).map(|_| {
            let (rp, subject) = (world.orders.clone(), subject.clone());
            async move { exchange(&rp, &subject, &[]).await }
        })).await;
        let mut ids: Vec<_> = answers.iter().map(|answer| claims(&token(answer))["jti"].to_string()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), world.scene.events("token.exchanged")), (12, 12));
        let statements = || world.scene.app.provider.db.gauges().statements;
        let mut least = u64::MAX;
        for _ in 0..4 {
            let before = statements();
            token(&exchange(&world.orders, &subject, &[]).await);
            least = least.min(statements() - before);
        }
        assert!(least <= 4, "{least}");
    }

    /// A client doesn't give itself a policy (RFC 7591), whoever let it in.
    async fn a_client_gives_itself_no_policy(app: TestApp) {
        let world = World::new(app).await;
        world.scene.app.change_settings(&world.scene.tenant, |settings| settings.registration = tessera::domain::settings::RegistrationPolicy::Open).await;
        let register = async |more: Value| {
            let mut document = json!({ "redirect_uris": ["https://own.example/callback"] });
            for (name, value) in more.as_object().expect("an object") {
                document[name] = value.clone();
            }
            world.scene.app.http.post(&world.scene.tenant.url("/register")).body("application/json", document.to_string()).send().await
        };
        for more in [
            json!({ "grant_types": ["authorization_code", GRANT] }), json!({ "token_exchange_targets": [STOCK] }), json!({ "token_exchange_subjects": [ORDERS] }),
            json!({ "token_exchange_scope": "stock:read" }), json!({ "token_exchange_impersonation": true }),
        ] {
            register(more.clone()).await.expect_error(400, "invalid_client_metadata");
        }
        assert_eq!(register(json!({ "token_exchange_impersonation": false })).await.status, 201);
        // A device, on the other hand, has a person who is asked.
        let answer = register(json!({ "redirect_uris": null, "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "token_endpoint_auth_method": "none" })).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }

    /// What the documentation shows is what is sent and answered.
    async fn the_documentation_tells_the_truth(app: TestApp) {
        let page = include_str!("../../../docs/src/token-exchange.md")
            .replace("https://orders.example.com/api", ORDERS).replace("https://stock.example.com/api", STOCK);
        let world = World::new(app).await;
        let blocks: Vec<&str> = page.split("```").skip(1).step_by(2).collect();
        let json = |block: &str| -> Value { serde_json::from_str(block.strip_prefix("json").expect("JSON")).expect("JSON") };
        let rp = world.scene.with(&world.scene.app.client(&world.scene.tenant, json(blocks[0])).await);
        let subject = world.subject().await;
        let (id, secret) = (rp.client.client_id(), rp.client.secret().to_owned());
        let values = [("$CLIENT_ID", id.as_str()), ("$CLIENT_SECRET", &secret), ("$TOKEN", &subject)];
        let answer = crate::specs::rfc8628::documented(&world.scene, blocks[2], &values).await.expect_ok();
        let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&answer.json()), keys(&json(blocks[3])));
        let (made, shown) = (claims(&token(&answer)), json(blocks[4]));
        for name in keys(&shown) {
            assert!(made.get(&name).is_some(), "{name}");
        }
        assert_eq!((&made["aud"], keys(&made["act"]), keys(&made["exchanged"])), (&shown["aud"], keys(&shown["act"]), keys(&shown["exchanged"])));
    }

    /// The policy through the administration, and what is refused there.
    async fn administrators_set_the_policy(app: TestApp) {
        let world = World::new(app).await;
        let program = administration(&world, &["tessera:admin"]).await;
        let path = "/tenants/acme/clients";
        let made = program.post(path, &metadata(json!({ "token_exchange_impersonation": true }))).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let made = made.json();
        for (name, value) in [("token_exchange_subjects", json!([ORDERS])), ("token_exchange_targets", json!([STOCK])), ("token_exchange_scope", json!("stock:read")), ("token_exchange_impersonation", json!(true))] {
            assert_eq!(made[name], value, "{name}");
        }
        for (more, field) in [
            (json!({ "token_exchange_targets": ["https://nobody.example"] }), "token_exchange_targets"), (json!({ "token_exchange_scope": "sorcery" }), "token_exchange_scope"),
            (json!({ "token_exchange_scope": "tessera:admin" }), "token_exchange_scope"), (json!({ "token_exchange_targets": [""] }), "token_exchange_targets"),
            (json!({ "token_exchange_subjects": "x" }), "token_exchange_subjects"), (json!({ "token_endpoint_auth_method": "none" }), "grant_types"),
        ] {
            let answer = program.post(path, &metadata(more.clone())).await;
            assert!([400, 422].contains(&answer.status) && answer.body.contains(field), "{more}: {} {}", answer.status, answer.body);
        }
    }
}

/// The administration API, as a program of the tenant.
async fn administration(world: &World, scopes: &[&str]) -> Admin {
    let scope = scopes.join(" ");
    let client: TestClient = world
        .scene
        .app
        .machine_client(&world.scene.tenant, &scope)
        .await;
    let api = format!("{}/api/v1", world.scene.app.root());
    let rp = world.scene.with(&client);
    let tokens = rp
        .client_credentials(&[("scope", &scope), ("resource", &api)])
        .await;
    Admin::with_token(&world.scene.app, &tokens.access_token)
}
