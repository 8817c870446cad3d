//! OpenID Connect Native SSO for Mobile Apps 1.0: who shares a session on a device, with whom, by what, and what ends it.

use std::time::Duration;

use serde_json::{Value, json};
use tessera::domain::role::Role;
use tessera::protocol::SigningAlgorithm;

use super::seed::{Scene, at_once, text};
use crate::support::admin::Admin;
use crate::support::app::{TestApp, TestTenant, app_test};
use crate::support::browser::Browser;
use crate::support::dpop::Prover;
use crate::support::http::Answer;
use crate::support::race::overtaken;
use crate::support::receiver::{Answering, Receiver};
use crate::support::relying_party::{RelyingParty, VERIFIER, claims};

const PAGE: &str = include_str!("../../../docs/src/native-sso.md");
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID: &str = "urn:ietf:params:oauth:token-type:id_token";
const SECRET: &str = "urn:openid:params:token-type:device-secret";

/// The documentation's app, with some members changed; `null` takes one out.
fn metadata(changes: &Value) -> Value {
    let block = PAGE.split("```json\n").nth(1).expect("a document");
    let block = block.split("\n```").next().expect("a block");
    let mut metadata: Value = serde_json::from_str(block).expect("JSON");
    for (name, value) in changes.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    metadata
}

async fn app_of(app: &TestApp, tenant: &TestTenant, changes: &Value) -> RelyingParty {
    let client = app.client(tenant, metadata(changes)).await;
    RelyingParty::new(app, tenant, &client).with_scope("openid profile offline_access device_sso")
}

struct World {
    scene: Scene,
    /// Begins the session.
    mail: RelyingParty,
    /// Joins it.
    notes: RelyingParty,
    browser: Browser,
}

/// What the first app has.
struct Shared {
    answer: Value,
    id_token: String,
    secret: String,
}

impl World {
    async fn new(app: TestApp) -> Self {
        let scene = Scene::new(app).await;
        scene
            .app
            .change_settings(&scene.tenant, |settings| settings.native_sso = true)
            .await;
        let mail = app_of(&scene.app, &scene.tenant, &json!({})).await;
        let notes = app_of(
            &scene.app,
            &scene.tenant,
            &json!({ "client_name": "Acme Notes", "redirect_uris": ["com.acme.notes:/callback"] }),
        )
        .await;
        Self {
            browser: scene.app.browser(),
            scene,
            mail,
            notes,
        }
    }

    async fn another(&self, changes: &Value) -> RelyingParty {
        app_of(&self.scene.app, &self.scene.tenant, changes).await
    }

    /// A sign-in to the first app.
    async fn signed_in(&mut self) -> Shared {
        let rp = self.mail.clone();
        self.signed_in_to(&rp, &[]).await
    }

    async fn signed_in_to(&mut self, rp: &RelyingParty, more: &[(&str, &str)]) -> Shared {
        let code = rp.code(&mut self.browser, &self.scene.user).await;
        let mut form = rp.redemption(&code).to_vec();
        form.extend_from_slice(more);
        let answer = rp.token(&form).await.expect_ok().json();
        Shared {
            id_token: text(&answer, "id_token").to_owned(),
            secret: text(&answer, "device_secret").to_owned(),
            answer,
        }
    }

    async fn sign_out(&mut self) {
        let page = self.browser.open(&self.scene.tenant.url("/logout")).await;
        let page = self.browser.submit(&page, &[("logout", "1")]).await;
        page.answer.expect_ok();
    }
}

/// The exchange as the documentation has it; `more` replaces or adds parameters, an empty value takes one out.
async fn join(rp: &RelyingParty, shared: &Shared, more: &[(&str, &str)]) -> Answer {
    let form = exchange(rp, shared, more);
    let form: Vec<_> = form
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    rp.token(&form).await
}

fn exchange(rp: &RelyingParty, shared: &Shared, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let usual = [
        ("grant_type", EXCHANGE),
        ("audience", rp.issuer.as_str()),
        ("subject_token", shared.id_token.as_str()),
        ("subject_token_type", ID),
        ("actor_token", shared.secret.as_str()),
        ("actor_token_type", SECRET),
        ("scope", "openid profile offline_access"),
    ];
    usual
        .into_iter()
        .filter(|(name, _)| !more.iter().any(|(other, _)| other == name))
        .chain(more.iter().copied().filter(|(_, value)| !value.is_empty()))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn shown(number: usize) -> Value {
    let block = PAGE.split("```json\n").nth(number).expect("a document");
    serde_json::from_str(block.split("\n```").next().expect("a block")).expect("JSON")
}

fn names(value: &Value) -> Vec<String> {
    let members = value.as_object().expect("an object");
    members.keys().cloned().collect()
}

app_test! {
    /// §3, §4, by the documentation's words.
    async fn two_apps_share_a_session(app: TestApp) {
        let mut world = World::new(app).await;
        let blocks: Vec<_> = PAGE.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("a command")).collect();
        let code = world.mail.code(&mut world.browser, &world.scene.user).await;
        let (mail, notes) = (world.mail.client.client_id(), world.notes.client.client_id());
        let first = [("$CLIENT_ID", mail.as_str()), ("$CODE", &code), ("$VERIFIER", VERIFIER)];
        let answer = crate::specs::rfc8628::documented(&world.scene, blocks[1], &first).await.expect_ok();
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let answer = answer.json();
        assert_eq!(names(&answer), names(&shown(2)));
        let (id_token, secret) = (text(&answer, "id_token"), text(&answer, "device_secret"));
        let before = claims(id_token);
        assert!(secret.starts_with("tsds_") && before["ds_hash"].is_string() && before["sid"].is_string(), "{before}");
        let second = [("$CLIENT_ID", notes.as_str()), ("$ID_TOKEN", id_token), ("$DEVICE_SECRET", secret), ("audience=$ISSUER", &format!("audience={}", world.scene.tenant.issuer))];
        let joined = crate::specs::rfc8628::documented(&world.scene, blocks[2], &second).await.expect_ok();
        assert_eq!(joined.header("cache-control"), Some("no-store"));
        let joined = joined.json();
        assert_eq!(names(&joined), names(&shown(3)));
        assert_eq!(joined["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
        let told = claims(text(&joined, "id_token"));
        for same in ["iss", "sub", "sid", "auth_time", "acr", "amr", "ds_hash", "tenant_id"] {
            assert_eq!(told[same], before[same], "{same}");
        }
        assert_eq!((&told["aud"], told.get("nonce")), (&json!(notes), None));
        // The tokens are this app's own, as after any sign-in.
        let access = text(&joined, "access_token");
        assert_eq!((&claims(access)["client_id"], claims(access).get("act"), claims(access).get("exchanged")), (&json!(notes), None, None));
        assert_eq!(world.notes.userinfo(access).await.expect_ok().json()["sub"], before["sub"]);
        world.notes.refresh(text(&joined, "refresh_token")).await.expect_ok();
        // Its ID token may be exchanged in its turn, and without a scope it is just who they are.
        let third = world.another(&json!({})).await;
        let shared = Shared { answer: Value::Null, id_token: text(&joined, "id_token").to_owned(), secret: secret.to_owned() };
        let plain = join(&third, &shared, &[("scope", "")]).await.expect_ok().json();
        assert_eq!((&plain["scope"], plain.get("refresh_token")), (&json!("openid"), None));
        assert_eq!((world.scene.events("device_secret.issued"), world.scene.events("grant.created")), (1, 3));
        let detail = world.scene.app.database.raw().texts("SELECT detail AS value FROM audit_events WHERE act = 'grant.created' AND detail LIKE '%shared_by%'");
        assert!(detail.iter().any(|detail| detail.contains(&mail)) && !detail.iter().any(|detail| detail.contains("tsds_")), "{detail:?}");
    }

    /// §4.3: each of the rules, and the request itself.
    async fn what_is_refused(app: TestApp) {
        let mut world = World::new(app).await;
        let shared = world.signed_in().await;
        let own = std::mem::replace(&mut world.browser, world.scene.app.browser());
        let other_session = world.signed_in().await;
        world.browser = own;
        let notes = world.notes.clone();
        join(&notes, &shared, &[]).await.expect_ok();
        // The device secret: none, another kind of ours, another session's, one with another proof.
        let refresh = text(&shared.answer, "refresh_token").to_owned();
        let forged = format!("{}{}", &shared.secret[..shared.secret.len() - 1], if shared.secret.ends_with('A') { "B" } else { "A" });
        for secret in ["x", "tsds_x", &refresh, &refresh.replace("tsr_", "tsds_"), &other_session.secret, &forged, &shared.id_token] {
            join(&notes, &shared, &[("actor_token", secret)]).await.expect_error(400, "invalid_grant");
        }
        // The ID token: another session's, none of ours, one that isn't bound, or not to this.
        let loaded = world.scene.loaded().await;
        let key = world.scene.app.provider.signer(&loaded, SigningAlgorithm::Es256).await.expect("a key");
        let honest = claims(&shared.id_token);
        let signed = |changes: &Value, typ: &'static str| {
            let mut said = honest.clone();
            for (name, value) in changes.as_object().expect("an object") {
                if value.is_null() { said.as_object_mut().expect("an object").remove(name); } else { said[name] = value.clone(); }
            }
            key.sign_jwt(typ, &said).expect("signed")
        };
        join(&notes, &shared, &[("subject_token", &signed(&json!({}), "JWT"))]).await.expect_ok();
        let stranger = world.another(&json!({ "native_sso_group": "others" })).await;
        let somebody = world.scene.app.user(&world.scene.tenant, "kim@acme.example", "a long enough password").await;
        let strange_key = tessera::jose::keys::SigningKey::generate(SigningAlgorithm::Es256, tessera::jose::keys::RsaBits::default()).expect("a key").key;
        let mut wrong = vec![
            "x".to_owned(), "a.b.c".to_owned(), text(&shared.answer, "access_token").to_owned(), other_session.id_token.clone(), strange_key.sign_jwt("JWT", &honest).expect("signed"),
            format!("{}.", shared.id_token.rsplit_once('.').expect("a signature").0), signed(&json!({}), "at+jwt"), signed(&json!({}), "logout+jwt"),
        ];
        for change in [
            json!({ "ds_hash": null }), json!({ "ds_hash": "" }), json!({ "ds_hash": claims(&other_session.id_token)["ds_hash"] }), json!({ "sid": null }), json!({ "sid": claims(&other_session.id_token)["sid"] }),
            json!({ "sub": somebody.id.to_string() }), json!({ "iss": "https://evil.example" }), json!({ "tenant_id": uuid::Uuid::nil() }), json!({ "aud": uuid::Uuid::nil().to_string() }),
            json!({ "aud": [world.mail.client.client_id()] }), json!({ "aud": stranger.client.client_id() }),
        ] {
            wrong.push(signed(&change, "JWT"));
        }
        for token in &wrong {
            join(&notes, &shared, &[("subject_token", token)]).await.expect_error(400, "invalid_grant");
        }
        // The request.
        let too_much = format!("{}x", world.scene.tenant.issuer);
        for (more, code) in [
            (("audience", ""), "invalid_request"), (("audience", "https://evil.example"), "invalid_target"), (("audience", too_much.as_str()), "invalid_target"),
            (("subject_token", ""), "invalid_request"), (("actor_token", ""), "invalid_request"), (("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"), "invalid_request"),
            (("actor_token_type", ID), "unauthorized_client"), (("requested_token_type", ID), "invalid_request"), (("requested_token_type", "urn:ietf:params:oauth:token-type:saml2"), "invalid_request"),
            (("scope", "openid email"), "invalid_scope"), (("scope", "tessera:admin"), "invalid_scope"), (("scope", "nobodys"), "invalid_scope"), (("resource", "https://elsewhere.example"), "invalid_target"),
            (("authorization_details", "[{\"type\":\"x\"}]"), "invalid_authorization_details"),
        ] {
            join(&notes, &shared, &[more]).await.expect_error(400, code);
        }
        // Another exchange than by a device secret isn't a public client's.
        let access = text(&shared.answer, "access_token").to_owned();
        join(&notes, &shared, &[("actor_token", ""), ("actor_token_type", "")]).await.expect_error(400, "unauthorized_client");
        join(&notes, &shared, &[("subject_token", &access), ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"), ("actor_token", ""), ("actor_token_type", ""), ("audience", "")]).await.expect_error(400, "unauthorized_client");
        // Apps of another group, of none, without the grant type, under FAPI.
        join(&stranger, &shared, &[]).await.expect_error(400, "invalid_grant");
        let alone = world.another(&json!({ "native_sso_group": null, "grant_types": ["authorization_code", EXCHANGE], "token_endpoint_auth_method": "client_secret_basic" })).await;
        join(&alone, &shared, &[("scope", "openid")]).await.expect_error(400, "unauthorized_client");
        let without = world.another(&json!({ "grant_types": ["authorization_code"] })).await;
        join(&without, &shared, &[("scope", "openid")]).await.expect_error(400, "unauthorized_client");
        // Another tenant, whose app has the same group.
        let globex = world.scene.app.tenant("globex").await;
        world.scene.app.change_settings(&globex, |settings| settings.native_sso = true).await;
        let theirs = app_of(&world.scene.app, &globex, &json!({})).await;
        join(&theirs, &shared, &[]).await.expect_error(400, "invalid_grant");
        theirs.authenticated("/revoke", &[("token", &shared.secret)]).send().await.expect_ok();
        stranger.authenticated("/revoke", &[("token", &shared.secret)]).send().await.expect_ok();
        join(&notes, &shared, &[]).await.expect_ok();
        // Switched off, nobody gets in, and nothing says that they could.
        let announced = async || {
            let document = world.scene.app.get(&world.scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
            (document["native_sso_supported"] == true, document["scopes_supported"].as_array().expect("scopes").contains(&json!("device_sso")))
        };
        assert_eq!(announced().await, (true, true));
        world.scene.app.change_settings(&world.scene.tenant, |settings| settings.native_sso = false).await;
        join(&notes, &shared, &[]).await.expect_error(400, "unauthorized_client");
        assert_eq!(announced().await, (false, false));
        let page = world.mail.authorize(&mut world.browser, &world.scene.user, &[]).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_scope"));
        // What the refresh token has left is what is still to be had.
        let refreshed = world.mail.refresh(&refresh).await.expect_ok().json();
        assert_eq!((&refreshed["scope"], refreshed.get("device_secret")), (&json!("openid profile offline_access"), None));
    }

    /// §3.3, §3.4: what is handed out, kept, confirmed and replaced.
    async fn a_device_secret_goes_on(app: TestApp) {
        let mut world = World::new(app).await;
        let (mail, notes) = (world.mail.clone(), world.notes.clone());
        let shared = world.signed_in().await;
        let hash = |token: &str| claims(token)["ds_hash"].clone();
        // One that is brought goes on, whichever app of the group brings it; what is none is no fault.
        let again = world.signed_in_to(&notes, &[("device_secret", &shared.secret)]).await;
        assert_eq!((&again.secret, hash(&again.id_token)), (&shared.secret, hash(&shared.id_token)));
        let fresh = world.signed_in_to(&notes, &[("device_secret", "nothing")]).await;
        assert!(fresh.secret != shared.secret && hash(&fresh.id_token) != hash(&shared.id_token));
        // An app has one in a session: the next takes its place.
        join(&notes, &shared, &[]).await.expect_ok();
        let next = world.signed_in().await;
        join(&notes, &next, &[]).await.expect_ok();
        join(&notes, &shared, &[]).await.expect_error(400, "invalid_grant");
        // Of another session, or another group: a new one.
        let mut elsewhere = world.scene.app.browser();
        std::mem::swap(&mut world.browser, &mut elsewhere);
        let other = world.signed_in_to(&mail, &[("device_secret", &next.secret)]).await;
        assert_ne!(other.secret, next.secret);
        std::mem::swap(&mut world.browser, &mut elsewhere);
        let stranger = world.another(&json!({ "native_sso_group": "others" })).await;
        let strange = world.signed_in_to(&stranger, &[("device_secret", &next.secret)]).await;
        assert_ne!(strange.secret, next.secret);
        // A refresh confirms, and makes none.
        let refresh = async |refresh: &str, more: &[(&str, &str)]| {
            let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", refresh)];
            form.extend_from_slice(more);
            mail.token(&form).await.expect_ok().json()
        };
        let plain = refresh(text(&next.answer, "refresh_token"), &[]).await;
        assert_eq!((hash(text(&plain, "id_token")), plain.get("device_secret")), (hash(&next.id_token), None));
        let confirmed = refresh(text(&plain, "refresh_token"), &[("device_secret", &next.secret)]).await;
        assert_eq!((hash(text(&confirmed, "id_token")), &confirmed["device_secret"]), (hash(&next.id_token), &json!(next.secret)));
        let wrong = refresh(text(&confirmed, "refresh_token"), &[("device_secret", &other.secret)]).await;
        assert_eq!((hash(text(&wrong, "id_token")), wrong.get("device_secret")), (hash(&next.id_token), None));
        // Neither without the scope, nor without openid, nor for an app without a group.
        let code = mail.with_code(&mut world, "openid").await;
        assert_eq!(mail.redeem(&code).await.expect_ok().json().get("device_secret"), None);
        let page = mail.clone().with_scope("device_sso").authorize(&mut world.browser, &world.scene.user, &[]).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_scope"));
        let alone = world.another(&json!({ "native_sso_group": null, "grant_types": ["authorization_code"] })).await;
        let page = alone.authorize(&mut world.browser, &world.scene.user, &[]).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_scope"));
        // Given up by one, it is no good for any.
        notes.authenticated("/revoke", &[("token", &next.secret)]).send().await.expect_ok();
        join(&notes, &next, &[]).await.expect_error(400, "invalid_grant");
        assert_eq!(world.scene.events("device_secret.revoked"), 1);
        let after = refresh(text(&wrong, "refresh_token"), &[("device_secret", &next.secret)]).await;
        assert_eq!((claims(text(&after, "id_token")).get("ds_hash"), after.get("device_secret")), (None, None));
    }

    /// A session's end ends what is shared, whatever ends it.
    async fn it_ends_with_the_session(app: TestApp) {
        let mut world = World::new(app).await;
        let notes = world.notes.clone();
        let shared = world.signed_in().await;
        // The ID token's own life is short, and no matter.
        world.scene.app.time.advance(Duration::from_hours(1));
        let joined = join(&notes, &shared, &[("scope", "openid")]).await.expect_ok().json();
        let access = text(&joined, "access_token").to_owned();
        assert!(world.scene.is_active(&access).await);
        // Who uses it uses the session.
        for _ in 0..3 {
            world.scene.app.time.advance(Duration::from_hours(20));
            join(&notes, &shared, &[("scope", "openid")]).await.expect_ok();
        }
        let joined = join(&notes, &shared, &[("scope", "openid")]).await.expect_ok().json();
        let access = text(&joined, "access_token").to_owned();
        world.sign_out().await;
        assert!(!world.scene.is_active(&access).await);
        join(&notes, &shared, &[]).await.expect_error(400, "invalid_grant");
        // An offline grant goes on, without what it would need the session for.
        let offline = world.mail.refresh(text(&shared.answer, "refresh_token")).await.expect_ok().json();
        assert_eq!(claims(text(&offline, "id_token")).get("ds_hash"), None);
        // A new sign-in in the same browser.
        let shared = world.signed_in().await;
        let page = world.mail.authorize(&mut world.browser, &world.scene.user, &[("prompt", "login")]).await;
        let code = page.answer.location_param("code").expect("a code");
        let next = world.mail.redeem(&code).await.expect_ok().json();
        join(&notes, &shared, &[]).await.expect_error(400, "invalid_grant");
        let shared = Shared { id_token: text(&next, "id_token").to_owned(), secret: text(&next, "device_secret").to_owned(), answer: next };
        join(&notes, &shared, &[]).await.expect_ok();
        // A closed account, idleness, an administrator.
        world.scene.set_disabled(true).await;
        join(&notes, &shared, &[]).await.expect_error(400, "invalid_grant");
        world.scene.set_disabled(false).await;
        let shared = world.signed_in().await;
        world.scene.app.time.advance(Duration::from_secs(24 * 3600 + 301));
        join(&notes, &shared, &[]).await.expect_error(400, "invalid_grant");
        let shared = world.signed_in().await;
        let program = Admin::program(&world.scene.app, &world.scene.tenant).await;
        let listed = program.get(&format!("/tenants/acme/sessions?user={}", world.scene.user.id)).await.expect_ok().json();
        let sid = claims(&shared.id_token)["sid"].as_str().expect("a session").to_owned();
        let session = listed["items"].as_array().expect("a list").iter().find(|item| item["id"] == json!(sid)).expect("the session");
        assert_eq!(session["device_secrets"][0]["client_id"], json!(world.mail.client.client_id()));
        assert_eq!(program.delete(&format!("/tenants/acme/sessions/{sid}/device-secrets")).await.status, 204);
        join(&notes, &shared, &[]).await.expect_error(400, "invalid_grant");
        let session = program.get(&format!("/tenants/acme/sessions/{sid}")).await.expect_ok().json();
        assert_eq!((&session["device_secrets"], session.get("ended_at")), (&json!([]), None));
        // Its person, on the page of their devices.
        let shared = world.signed_in().await;
        let page = world.browser.open(&world.scene.tenant.url("/account/sessions")).await;
        assert!(page.answer.body.contains("Acme Mail"), "{}", page.answer.body);
        let page = world.browser.submit(&page, &[("unshare", &sid)]).await;
        assert_eq!(page.answer.status, 200);
        join(&notes, &shared, &[]).await.expect_error(400, "invalid_grant");
        let shared = world.signed_in().await;
        join(&notes, &shared, &[]).await.expect_ok();
        // Time alone.
        world.scene.app.time.advance(Duration::from_hours(31 * 24));
        join(&notes, &shared, &[]).await.expect_error(400, "invalid_grant");
    }

    async fn a_person_sees_by_whom_a_session_is_shared_in_their_language(app: TestApp) {
        let mut world = World::new(app).await;
        let post = world.another(&json!({ "client_name": "Acme Post", "client_name#de": "Acme Briefe" })).await;
        world.signed_in_to(&post, &[]).await;
        let german = world.scene.app.http.clone().with_header("accept-language", "de");
        for (http, name, other) in [(world.scene.app.http.clone(), "Acme Post", "Acme Briefe"), (german, "Acme Briefe", "Acme Post")] {
            world.browser.move_to(&http);
            let page = world.browser.open(&world.scene.tenant.url("/account/sessions")).await;
            assert!(page.answer.body.contains(name) && !page.answer.body.contains(other), "{}", page.answer.body);
        }
    }

    /// Nobody is asked, so an app has what it was allowed; and nobody else's wishes are passed over.
    /// Who holds a secret that came of a code which was redeemed twice, or of an application that its person wants no more, is let in nowhere.
    async fn it_ends_with_what_it_came_of(app: TestApp) {
        let mut world = World::new(app).await;
        let notes = world.notes.clone();
        let mail = world.another(&json!({ "skip_consent": false, "client_name": "Acme Asks" })).await;
        let shared = world.signed_in_to(&mail, &[]).await;
        let provider = &world.scene.app.provider;
        provider.write_client_uses().await.expect("runs");
        join(&notes, &shared, &[]).await.expect_ok();
        // An application that nobody signs in to otherwise is in use all the same.
        assert_eq!(provider.write_client_uses().await.expect("runs"), 1);
        // Nothing is written for tokens that couldn't be given.
        let down = Receiver::start();
        down.answer(Answering::Status(500));
        let unreachable = json!({ "id_token_encrypted_response_alg": "ECDH-ES", "jwks_uri": down.url("/jwks") });
        let unreachable = world.another(&unreachable).await;
        let grants = || world.scene.app.database.raw().count("grants");
        let before = grants();
        assert!(join(&unreachable, &shared, &[]).await.status >= 400);
        assert_eq!(grants(), before);
        let applications = world.browser.open(&world.scene.tenant.url("/account/applications")).await;
        world.browser.submit(&applications, &[("withdraw", &mail.client.client_id())]).await.answer.expect_ok();
        join(&notes, &shared, &[]).await.expect_error(400, "invalid_grant");
        let code = mail.code(&mut world.browser, &world.scene.user).await;
        let answer = mail.redeem(&code).await.expect_ok().json();
        let shared = Shared {
            id_token: text(&answer, "id_token").to_owned(),
            secret: text(&answer, "device_secret").to_owned(),
            answer,
        };
        join(&notes, &shared, &[]).await.expect_ok();
        mail.redeem(&code).await.expect_error(400, "invalid_grant");
        join(&notes, &shared, &[]).await.expect_error(400, "invalid_grant");
    }

    async fn nobody_gets_more_than_was_allowed(app: TestApp) {
        let mut world = World::new(app).await;
        let shared = world.signed_in().await;
        let asking = world.another(&json!({ "skip_consent": false, "client_name": "Acme Asks" })).await;
        join(&asking, &shared, &[]).await.expect_error(400, "consent_required");
        asking.clone().with_scope("openid profile").code(&mut world.browser, &world.scene.user).await;
        join(&asking, &shared, &[("scope", "openid profile")]).await.expect_ok();
        join(&asking, &shared, &[]).await.expect_error(400, "consent_required");
        // It is taken back while it is about to be used.
        let offline = asking.clone().with_scope("openid profile offline_access");
        offline.code(&mut world.browser, &world.scene.user).await;
        let applications = world.browser.open(&world.scene.tenant.url("/account/applications")).await;
        let id = asking.client.client_id();
        let withdraw = [("withdraw", id.as_str())];
        let withdrawn = world.browser.submit(&applications, &withdraw);
        let joined = join(&asking, &shared, &[("scope", "openid profile offline_access")]);
        let (joined, withdrawn) = overtaken(&world.scene.app.database, "refresh_tokens", joined, withdrawn).await;
        withdrawn.answer.expect_ok();
        assert!(!world.scene.is_active(text(&joined.expect_ok().json(), "access_token")).await);
        join(&asking, &shared, &[("scope", "openid profile")]).await.expect_error(400, "consent_required");
        world.scene.app.change_settings(&world.scene.tenant, |settings| settings.consent = tessera::domain::settings::ConsentPolicy::Always).await;
        join(&asking, &shared, &[("scope", "openid profile")]).await.expect_error(400, "consent_required");
        join(&world.notes.clone(), &shared, &[]).await.expect_ok();
        // How old a sign-in may be is each app's to say.
        let fresh = world.another(&json!({ "default_max_age": 600 })).await;
        join(&fresh, &shared, &[]).await.expect_ok();
        world.scene.app.time.advance(Duration::from_secs(601));
        join(&fresh, &shared, &[]).await.expect_error(400, "login_required");
        // Bound to what this app holds.
        let prover = Prover::new(&world.scene.app.provider.clock);
        let form = exchange(&world.notes, &shared, &[]);
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let bound = world.notes.proved(&prover, &form).await.expect_ok().json();
        assert_eq!((&bound["token_type"], &claims(text(&bound, "access_token"))["cnf"]["jkt"]), (&json!("DPoP"), &json!(prover.jkt())));
        world.notes.refresh(text(&bound, "refresh_token")).await.expect_error(400, "invalid_grant");
        // A proof that comes with a secret of nobody's is no row.
        let proofs = || world.scene.app.database.raw().count("dpop_proofs");
        let before = proofs();
        let nothing = exchange(&world.notes, &Shared { answer: Value::Null, id_token: shared.id_token.clone(), secret: "tsds_nothing".into() }, &[]);
        let nothing: Vec<_> = nothing.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        world.notes.proved(&prover, &nothing).await.expect_error(400, "invalid_grant");
        assert_eq!(proofs(), before);
        // Many at once each get their own, and a sign-out that races leaves none alive.
        let asking: Vec<_> = (0..6).map(|_| {
            let (rp, form) = (world.notes.clone(), exchange(&world.notes, &shared, &[("scope", "openid")]));
            async move {
                let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                rp.token(&form).await
            }
        }).collect();
        let answers = at_once(asking).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
        let page = world.browser.open(&world.scene.tenant.url("/logout")).await;
        let racing = exchange(&world.notes, &shared, &[("scope", "openid")]);
        let rp = world.notes.clone();
        let (_, joined) = futures_util::join!(world.browser.submit(&page, &[("logout", "1")]), async {
            let form: Vec<_> = racing.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            rp.token(&form).await
        });
        if joined.status == 200 {
            assert!(!world.scene.is_active(text(&joined.json(), "access_token")).await);
        }
    }

    /// Groups are an administrator's to name, and FAPI 2.0 has none.
    async fn groups_are_administered(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        let program = Admin::program(&scene.app, &scene.tenant).await;
        let made = program.post("/tenants/acme/clients", &metadata(&json!({}))).await;
        assert_eq!(made.status, 201, "{}", made.body);
        for (change, field) in [
            (json!({ "native_sso_group": "" }), "native_sso_group"), (json!({ "native_sso_group": "two words" }), "native_sso_group"), (json!({ "native_sso_group": "x".repeat(65) }), "native_sso_group"),
            (json!({ "native_sso_group": null }), "grant_types"), (json!({ "grant_types": ["refresh_token"] }), "grant_types"),
            (json!({ "grant_types": ["client_credentials"], "response_types": [], "redirect_uris": [], "token_endpoint_auth_method": "client_secret_basic" }), "native_sso_group"),
            (json!({ "security_profile": "fapi2_security", "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks", "dpop_bound_access_tokens": true }), "native_sso_group"),
        ] {
            let refused = program.post("/tenants/acme/clients", &metadata(&change)).await;
            assert!(refused.status == 422 && refused.body.contains(field), "{change}: {} {}", refused.status, refused.body);
        }
        // Whoever manages clients makes none that signs people in by others' sessions.
        let manager = scene.app.user(&scene.tenant, "lee@acme.example", "a long enough password").await;
        let manager = Admin::person(&scene.app, &scene.tenant, &manager, &[Role::ClientManager]).await;
        assert_eq!(manager.post("/tenants/acme/clients", &metadata(&json!({}))).await.status, 403);
        // Nor does a client join by itself.
        scene.app.change_settings(&scene.tenant, |settings| settings.registration = tessera::domain::settings::RegistrationPolicy::Open).await;
        let own = json!({ "redirect_uris": ["https://app.example/cb"], "native_sso_group": "acme-apps" });
        scene.app.http.post(&scene.tenant.url("/register")).body("application/json", own.to_string()).send().await.expect_error(400, "invalid_client_metadata");
        // A tenant's profile switches it off.
        scene.app.change_settings(&scene.tenant, |settings| settings.security_profile = tessera::protocol::fapi::SecurityProfile::Fapi2Security).await;
        let document = scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        assert_eq!(document.get("native_sso_supported"), None);
        assert!(!document["scopes_supported"].as_array().expect("scopes").contains(&json!("device_sso")));
    }
}

impl RelyingParty {
    /// A code for another scope.
    async fn with_code(&self, world: &mut World, scope: &str) -> String {
        let rp = self.clone().with_scope(scope);
        rp.code(&mut world.browser, &world.scene.user).await
    }
}
