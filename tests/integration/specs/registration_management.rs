//! A client manages its registration: RFC 7592.

use actix_web::http::Method;
use serde_json::{Value, json};
use tessera::domain::settings::RegistrationPolicy;

use super::registration::{client_of, forged, initial_access_token, open, registered, request};
use crate::support::admin::Admin;
use crate::support::app::{TestApp, app_test};
use crate::support::http::Answer;
use crate::support::relying_party::RelyingParty;

const CALLBACK: &str = "https://relying.example/callback";
const CIBA: &str = "urn:openid:params:grant-type:ciba";

/// What a client holds after its registration.
pub struct Held {
    pub document: Value,
    uri: String,
    token: String,
}

impl Held {
    pub fn of(document: Value) -> Self {
        let text = |name: &str| document[name].as_str().expect("a text").to_owned();
        Self {
            uri: text("registration_client_uri"),
            token: text("registration_access_token"),
            document,
        }
    }

    pub async fn send(&self, app: &TestApp, method: Method) -> Answer {
        app.http
            .request(method, &self.uri)
            .bearer(&self.token)
            .send()
            .await
    }

    pub async fn put(&self, app: &TestApp, body: &Value) -> Answer {
        app.http
            .request(Method::PUT, &self.uri)
            .bearer(&self.token)
            .body("application/json", body.to_string())
            .send()
            .await
    }

    /// What it was told, as RFC 7592 §2.2 wants it back; some members replaced, `null` takes one out.
    pub fn change(&self, members: &Value) -> Value {
        let mut document = self.document.clone();
        let all = document.as_object_mut().expect("an object");
        for name in [
            "registration_access_token",
            "registration_client_uri",
            "client_secret_expires_at",
            "client_id_issued_at",
        ] {
            all.remove(name);
        }
        for (name, value) in members.as_object().expect("an object") {
            if value.is_null() {
                all.remove(name);
            } else {
                all.insert(name.clone(), value.clone());
            }
        }
        document
    }
}

#[track_caller]
fn expect_unauthorized(answer: &Answer) {
    answer.expect_error(401, "invalid_token");
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("Bearer realm="), "{challenge}");
}

app_test! {
    async fn a_client_reads_its_registration(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let held = Held::of(registered(&app, &tenant, json!({ "redirect_uris": [CALLBACK], "client_name": "Relying" })).await);
        let answer = held.send(&app, Method::GET).await.expect_ok();
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        // All of it again, the secret too, although it isn't kept.
        assert_eq!(answer.json(), held.document);
        // Another one, which an administrator made, nobody can read.
        let admin = Admin::program(&app, &tenant).await;
        let path = format!("/tenants/acme/clients/{}", held.document["client_id"].as_str().expect("an id"));
        admin.act(&format!("{path}/rotate-secret")).await.expect_ok();
        let read = held.send(&app, Method::GET).await.expect_ok().json();
        assert!(read["client_secret"].is_null() && read["client_secret_expires_at"].is_null());
    }

    async fn a_client_replaces_its_metadata(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let user = app.user(&tenant, "ana@acme.example", "a long enough password").await;
        let held = Held::of(registered(&app, &tenant, json!({
            "redirect_uris": [CALLBACK], "client_name": "Relying", "client_name#de": "Vertrauend", "logo_uri": "https://relying.example/logo.png",
            "id_token_signed_response_alg": "ES256",
        })).await);
        let moved = "https://relying.example/moved";
        let change = held.change(&json!({ "redirect_uris": [moved], "logo_uri": null, "client_name": "Renamed", "colour": "red" }));
        let answer = held.put(&app, &change).await.expect_ok().json();
        assert_eq!((&answer["client_name"], &answer["logo_uri"], &answer["colour"]), (&json!("Renamed"), &Value::Null, &Value::Null));
        for member in ["client_id", "client_secret", "registration_access_token", "registration_client_uri", "client_id_issued_at", "client_name#de"] {
            assert_eq!(answer[member], held.document[member], "{member}");
        }
        // It counts at once: the old redirect URI is nobody's.
        let rp = RelyingParty::new(&app, &tenant, &client_of(&answer)).with_scope("openid");
        rp.sign_in(&mut app.browser(), &user).await;
        let page = app.browser().open(&rp.authorization_url(&[("redirect_uri", CALLBACK)])).await;
        assert_eq!((page.answer.status, page.answer.header("location")), (400, None));
        // What isn't said takes the specifications' defaults.
        let least = json!({ "client_id": held.document["client_id"], "redirect_uris": [CALLBACK] });
        let answer = held.put(&app, &least).await.expect_ok().json();
        assert_eq!((&answer["client_name"], &answer["id_token_signed_response_alg"]), (&Value::Null, &json!("RS256")));
        let admin = Admin::program(&app, &tenant).await;
        let events = admin.get("/tenants/acme/events?act=client.updated").await.expect_ok().json();
        assert_eq!(events["items"].as_array().map(Vec::len), Some(2));
        assert_eq!(events["items"][0]["actor"], json!({ "kind": "client", "id": held.document["client_id"] }));
    }

    async fn a_change_must_be_the_clients_own(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let held = Held::of(registered(&app, &tenant, json!({ "redirect_uris": [CALLBACK] })).await);
        let other = Held::of(registered(&app, &tenant, json!({ "redirect_uris": [CALLBACK] })).await);
        for (members, code, member) in [
            (json!({ "client_id": null }), "invalid_request", "client_id"),
            (json!({ "client_id": other.document["client_id"] }), "invalid_request", "client_id"),
            (json!({ "client_id": 7 }), "invalid_request", "client_id"),
            (json!({ "client_secret": "a secret of my own choosing" }), "invalid_request", "client_secret"),
            (json!({ "client_secret": other.document["client_secret"] }), "invalid_request", "client_secret"),
            (json!({ "client_secret": "a".repeat(300) }), "invalid_request", "client_secret"),
            (json!({ "registration_access_token": held.token }), "invalid_request", "registration_access_token"),
            (json!({ "registration_client_uri": held.uri }), "invalid_request", "registration_client_uri"),
            (json!({ "client_secret_expires_at": 0 }), "invalid_request", "client_secret_expires_at"),
            (json!({ "client_id_issued_at": 0 }), "invalid_request", "client_id_issued_at"),
            (json!({ "redirect_uris": ["javascript:alert(1)"] }), "invalid_redirect_uri", "redirect_uris"),
            (json!({ "skip_consent": true }), "invalid_client_metadata", "skip_consent"),
            (json!({ "scope": "openid tessera:admin" }), "invalid_client_metadata", "scope"),
            (json!({ "grant_types": ["authorization_code", "client_credentials"] }), "invalid_client_metadata", "grant_types"),
            (json!({ "grant_types": ["authorization_code", CIBA], "backchannel_token_delivery_mode": "poll" }), "invalid_client_metadata", "grant_types"),
            (json!({ "subject_type": "pairwise" }), "invalid_client_metadata", "subject_type"),
            (json!({ "software_id": "tessera-console" }), "invalid_client_metadata", "software_id"),
        ] {
            let answer = held.put(&app, &held.change(&members)).await;
            answer.expect_error(400, code);
            assert!(answer.json()["error_description"].to_string().contains(member), "{}", answer.body);
        }
        let repeated = format!(r#"{{"client_id":{0},"client_id":{0},"redirect_uris":["{CALLBACK}"]}}"#, held.document["client_id"]);
        let answer = app.http.request(Method::PUT, &held.uri).bearer(&held.token).body("application/json", repeated).send().await;
        answer.expect_error(400, "invalid_request");
        held.put(&app, &held.change(&json!({ "x": "a".repeat(64 << 10) }))).await.expect_error(413, "request_too_large");
        // Nothing came of it, and the same without a fault goes.
        assert_eq!(held.send(&app, Method::GET).await.expect_ok().json(), held.document);
        held.put(&app, &held.change(&json!({}))).await.expect_ok();
        held.put(&app, &held.change(&json!({ "client_secret": null }))).await.expect_ok();
    }

    async fn what_administrators_set_stays(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let held = Held::of(registered(&app, &tenant, json!({ "redirect_uris": [CALLBACK], "id_token_signed_response_alg": "ES256" })).await);
        let admin = Admin::program(&app, &tenant).await;
        let path = format!("/tenants/acme/clients/{}", held.document["client_id"].as_str().expect("an id"));
        let set = json!({ "access_token_lifetime": 120, "skip_consent": true, "grant_types": ["authorization_code", "client_credentials"] });
        let shown = admin.patch(&path, &set).await.expect_ok().json();
        assert_eq!(shown["registered_by"], "itself");
        let read = Held::of(held.send(&app, Method::GET).await.expect_ok().json());
        // As it was told, it may say it back, grant and all; or leave it out.
        let same = held.put(&app, &read.change(&json!({ "client_name": "Renamed" }))).await.expect_ok().json();
        assert_eq!((&same["access_token_lifetime"], &same["skip_consent"], &same["grant_types"][1]), (&json!(120), &json!(true), &json!("client_credentials")));
        let less = json!({ "client_id": held.document["client_id"], "redirect_uris": [CALLBACK] });
        let less = held.put(&app, &less).await.expect_ok().json();
        assert_eq!((&less["access_token_lifetime"], &less["skip_consent"], &less["grant_types"]), (&json!(120), &json!(true), &json!(["authorization_code"])));
        held.put(&app, &held.change(&json!({ "access_token_lifetime": 121 }))).await.expect_error(400, "invalid_client_metadata");
        // A grant that it gave up is theirs to give again.
        held.put(&app, &read.change(&json!({}))).await.expect_error(400, "invalid_client_metadata");
        // What they demand of it stays demanded.
        let demands = ["require_pkce", "require_pushed_authorization_requests", "dpop_bound_access_tokens", "require_dpop_nonce"];
        let demanded: serde_json::Map<String, Value> = demands.iter().map(|name| ((*name).to_owned(), json!(true))).collect();
        admin.patch(&path, &Value::Object(demanded)).await.expect_ok();
        let less = json!({ "client_id": held.document["client_id"], "redirect_uris": [CALLBACK], "require_pkce": false, "dpop_bound_access_tokens": null });
        let less = held.put(&app, &less).await.expect_ok().json();
        for name in demands {
            assert_eq!(less[name], json!(true), "{name}");
        }
        // Once a client administers, it is administrators' alone to change.
        admin.patch(&path, &json!({ "scope": "openid tessera:admin" })).await.expect_ok();
        held.put(&app, &read.change(&json!({ "scope": "openid tessera:admin" }))).await.expect_error(400, "invalid_client_metadata");
    }

    /// Whoever trusts a client trusts what it is: with `skip_consent` people are sent to it without being asked.
    async fn a_client_widens_nothing_that_an_administrator_trusts(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let user = app.user(&tenant, "ana@acme.example", "a long enough password").await;
        let held = Held::of(registered(&app, &tenant, json!({
            "redirect_uris": [CALLBACK], "scope": "openid", "id_token_signed_response_alg": "ES256", "post_logout_redirect_uris": ["https://relying.example/out"],
        })).await);
        // While nobody trusts it, it is what it says.
        held.put(&app, &held.change(&json!({ "scope": "openid email", "redirect_uris": [CALLBACK, "https://relying.example/two"] }))).await.expect_ok();
        held.put(&app, &held.change(&json!({}))).await.expect_ok();
        let admin = Admin::program(&app, &tenant).await;
        let path = format!("/tenants/acme/clients/{}", held.document["client_id"].as_str().expect("an id"));
        admin.patch(&path, &json!({ "skip_consent": true })).await.expect_ok();
        let held = Held::of(held.send(&app, Method::GET).await.expect_ok().json());
        let evil = "https://evil.example/callback";
        for (members, code, member) in [
            (json!({ "scope": "openid email" }), "invalid_client_metadata", "scope"),
            (json!({ "grant_types": ["authorization_code", "refresh_token"] }), "invalid_client_metadata", "grant_types"),
            (json!({ "grant_types": ["authorization_code", "implicit"], "response_types": ["code", "code id_token"] }), "invalid_client_metadata", "grant_types"),
            (json!({ "redirect_uris": [evil] }), "invalid_redirect_uri", "redirect_uris"),
            (json!({ "redirect_uris": [CALLBACK, evil] }), "invalid_redirect_uri", "redirect_uris"),
            (json!({ "post_logout_redirect_uris": [evil] }), "invalid_client_metadata", "post_logout_redirect_uris"),
            (json!({ "initiate_login_uri": evil }), "invalid_client_metadata", "initiate_login_uri"),
            (json!({ "allowed_origins": ["https://evil.example"] }), "invalid_client_metadata", "allowed_origins"),
            (json!({ "token_endpoint_auth_method": "none", "client_secret": null }), "invalid_client_metadata", "token_endpoint_auth_method"),
        ] {
            let answer = held.put(&app, &held.change(&members)).await;
            answer.expect_error(400, code);
            let described = answer.json()["error_description"].to_string();
            assert!(described.contains(member) && described.contains("administrator"), "{described}");
        }
        // A scope that isn't said would be a wider one, and stays as it is.
        let least = json!({ "client_id": held.document["client_id"], "redirect_uris": [CALLBACK], "id_token_signed_response_alg": "ES256" });
        let kept = held.put(&app, &least).await.expect_ok().json();
        assert_eq!((&kept["scope"], &kept["skip_consent"], &kept["post_logout_redirect_uris"]), (&json!("openid"), &json!(true), &Value::Null));
        // Nobody is led to the other address, however much they are signed in.
        let rp = RelyingParty::new(&app, &tenant, &client_of(&held.document)).with_scope("openid");
        let mut browser = app.browser();
        rp.sign_in(&mut browser, &user).await;
        let page = browser.open(&rp.authorization_url(&[("prompt", "none"), ("redirect_uri", evil)])).await;
        assert_eq!((page.answer.status, page.answer.header("location")), (400, None));
        let page = browser.open(&rp.authorization_url(&[("prompt", "none"), ("scope", "openid email")])).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_scope"));
    }

    /// A client that acts for itself does so at the APIs that an administrator named.
    async fn a_client_that_acts_for_itself_stays_where_it_is(app: TestApp) {
        let tenant = open(&app, "acme").await;
        app.resource(&tenant, "https://orders.example", &["orders:read", "orders:write"]).await;
        app.resource(&tenant, "https://pay.example", &["pay:all"]).await;
        let held = Held::of(registered(&app, &tenant, json!({ "redirect_uris": [CALLBACK], "id_token_signed_response_alg": "ES256" })).await);
        let admin = Admin::program(&app, &tenant).await;
        let path = format!("/tenants/acme/clients/{}", held.document["client_id"].as_str().expect("an id"));
        let given = json!({ "grant_types": ["authorization_code", "client_credentials"], "scope": "orders:read", "resources": ["https://orders.example"] });
        admin.patch(&path, &given).await.expect_ok();
        let read = Held::of(held.send(&app, Method::GET).await.expect_ok().json());
        for members in [
            json!({ "scope": "orders:read orders:write pay:all", "resources": null }), json!({ "scope": "orders:read orders:write" }),
            json!({ "resources": [] }), json!({ "resources": ["https://orders.example", "https://pay.example"] }), json!({ "resources": ["https://pay.example"] }),
            json!({ "grant_types": ["authorization_code", "client_credentials", "refresh_token"] }),
        ] {
            held.put(&app, &read.change(&members)).await.expect_error(400, "invalid_client_metadata");
        }
        let kept = held.put(&app, &read.change(&json!({ "resources": null, "scope": null }))).await.expect_ok().json();
        assert_eq!((&kept["resources"], &kept["scope"]), (&json!(["https://orders.example"]), &json!("orders:read")));
        let mut client = client_of(&held.document);
        client.metadata = client_of(&read.document).metadata;
        let rp = RelyingParty::new(&app, &tenant, &client);
        let token = async |scope, resource| rp.token(&[("grant_type", "client_credentials"), ("scope", scope), ("resource", resource)]).await.status;
        assert_eq!((token("orders:read", "https://orders.example").await, token("pay:all", "https://pay.example").await), (200, 400));
        // It moves, as people are asked before they are sent to it; and it may be less, but not the same again.
        held.put(&app, &read.change(&json!({ "redirect_uris": ["https://relying.example/moved"] }))).await.expect_ok();
        held.put(&app, &read.change(&json!({ "grant_types": ["authorization_code"] }))).await.expect_ok();
        held.put(&app, &read.change(&json!({}))).await.expect_error(400, "invalid_client_metadata");
        held.put(&app, &read.change(&json!({ "grant_types": ["authorization_code"], "scope": "openid pay:all" }))).await.expect_error(400, "invalid_client_metadata");
    }

    /// Member by member, of a client that nobody trusts with anything, too; and of one that was vouched for.
    async fn what_an_administrator_narrowed_stays_narrow(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let admin = Admin::program(&app, &tenant).await;
        let held = Held::of(registered(&app, &tenant, json!({ "redirect_uris": [CALLBACK], "scope": "openid email", "client_name": "Your Bank" })).await);
        let path = format!("/tenants/acme/clients/{}", held.document["client_id"].as_str().expect("an id"));
        admin.patch(&path, &json!({ "scope": "openid", "client_name": "Relying" })).await.expect_ok();
        for members in [json!({ "scope": "openid email" }), json!({ "client_name": "Your Bank" }), json!({ "client_name": "Relying", "scope": "openid", "client_name#de": "Ihre Bank" })] {
            let beside = held.change(&json!({ "scope": null, "client_name": null }));
            let mut change = beside.clone();
            for (name, value) in members.as_object().expect("an object") {
                change[name] = value.clone();
            }
            held.put(&app, &change).await.expect_error(400, "invalid_client_metadata");
            let kept = held.put(&app, &beside).await.expect_ok().json();
            assert_eq!((&kept["scope"], &kept["client_name"]), (&json!("openid"), &json!("Relying")));
        }
        // What they left alone is its own.
        let own = held.change(&json!({ "scope": null, "client_name": null, "redirect_uris": ["https://relying.example/moved"], "logo_uri": "https://relying.example/logo" }));
        assert_eq!(held.put(&app, &own).await.expect_ok().json()["redirect_uris"], json!(["https://relying.example/moved"]));
        let made = initial_access_token(&admin, &tenant, &json!({ "name": "Machines" })).await;
        let metadata = json!({ "redirect_uris": [CALLBACK], "grant_types": ["authorization_code", "client_credentials"], "scope": "openid" });
        let answer = request(&app, &tenant, &metadata).bearer(made["token"].as_str().expect("a token")).send().await;
        let vouched = Held::of(answer.json());
        vouched.put(&app, &vouched.change(&json!({}))).await.expect_ok();
        let path = format!("/tenants/acme/clients/{}", vouched.document["client_id"].as_str().expect("an id"));
        admin.patch(&path, &json!({ "grant_types": ["authorization_code"] })).await.expect_ok();
        vouched.put(&app, &vouched.change(&json!({}))).await.expect_error(400, "invalid_client_metadata");
    }

    /// A secret that an administrator took out of use may have leaked.
    async fn a_secret_that_was_rotated_is_never_good_again(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let held = Held::of(registered(&app, &tenant, json!({ "redirect_uris": [CALLBACK], "id_token_signed_response_alg": "ES256" })).await);
        let id = held.document["client_id"].as_str().expect("an id").to_owned();
        let works = async |document: &Value| {
            let secret = document["client_secret"].as_str().expect("a secret").to_owned();
            app.post(&tenant.url("/introspect"), &[("token", "x")]).basic(&id, &secret).send().await.status
        };
        assert_eq!(works(&held.document).await, 200);
        let admin = Admin::program(&app, &tenant).await;
        let rotated = admin.post(&format!("/tenants/acme/clients/{id}/rotate-secret"), &json!({ "overlap_seconds": 0 })).await.expect_ok().json();
        assert_eq!((works(&held.document).await, works(&rotated).await), (401, 200));
        let by_method = async |method: &str| held.put(&app, &held.change(&json!({ "token_endpoint_auth_method": method, "client_secret": null }))).await.expect_ok().json();
        // By this method the secret itself is needed, and of the rotated one only a hash is kept: another is made, and shown this once.
        let made = by_method("client_secret_jwt").await;
        assert!(made["client_secret"] != held.document["client_secret"] && made["client_secret"] != rotated["client_secret"]);
        assert!(held.send(&app, Method::GET).await.expect_ok().json()["client_secret"].is_null());
        for method in ["client_secret_post", "none", "client_secret_basic"] {
            assert!(by_method(method).await["client_secret"].is_null(), "{method}");
        }
        assert_eq!((works(&held.document).await, works(&rotated).await, works(&made).await), (401, 401, 200));
        // One that nobody rotated stays what it is, and can be read again.
        let other = Held::of(registered(&app, &tenant, json!({ "redirect_uris": [CALLBACK], "id_token_signed_response_alg": "ES256" })).await);
        let change = other.change(&json!({ "token_endpoint_auth_method": "client_secret_jwt" }));
        assert_eq!(other.put(&app, &change).await.expect_ok().json()["client_secret"], other.document["client_secret"]);
    }

    async fn a_client_that_comes_to_need_a_secret_gets_one(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let user = app.user(&tenant, "ana@acme.example", "a long enough password").await;
        let held = Held::of(registered(&app, &tenant, json!({
            "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none", "id_token_signed_response_alg": "ES256",
        })).await);
        let change = held.change(&json!({ "token_endpoint_auth_method": "client_secret_post" }));
        let changed = held.put(&app, &change).await.expect_ok().json();
        assert_eq!(changed["client_secret_expires_at"], 0);
        assert_eq!(held.send(&app, Method::GET).await.expect_ok().json(), changed);
        let rp = RelyingParty::new(&app, &tenant, &client_of(&changed)).with_scope("openid");
        let code = rp.code(&mut app.browser(), &user).await;
        let form = [
            ("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK), ("code_verifier", crate::support::relying_party::VERIFIER),
            ("client_id", &rp.client.client_id()), ("client_secret", rp.client.secret()),
        ];
        app.post(&tenant.url("/token"), &form).send().await.expect_ok();
    }

    async fn a_deletion_ends_all_that_the_client_had(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let user = app.user(&tenant, "ana@acme.example", "a long enough password").await;
        let document = registered(&app, &tenant, json!({
            "redirect_uris": [CALLBACK], "grant_types": ["authorization_code", "refresh_token"], "id_token_signed_response_alg": "ES256",
        })).await;
        let held = Held::of(document);
        let rp = RelyingParty::new(&app, &tenant, &client_of(&held.document)).with_scope("openid offline_access");
        let tokens = rp.sign_in(&mut app.browser(), &user).await;
        let answer = held.send(&app, Method::DELETE).await;
        assert_eq!((answer.status, answer.body.as_str(), answer.header("cache-control")), (204, "", Some("no-store")));
        for method in [Method::GET, Method::DELETE] {
            expect_unauthorized(&held.send(&app, method).await);
        }
        expect_unauthorized(&held.put(&app, &held.change(&json!({}))).await);
        rp.refresh(tokens.refresh()).await.expect_error(401, "invalid_client");
        rp.userinfo(&tokens.access_token).await.expect_error(401, "invalid_token");
        let page = app.browser().open(&rp.authorization_url(&[])).await;
        assert_eq!((page.answer.status, page.answer.header("location")), (400, None));
        let admin = Admin::program(&app, &tenant).await;
        let events = admin.get("/tenants/acme/events?act=client.deleted").await.expect_ok().json();
        assert_eq!(events["items"][0]["actor"], json!({ "kind": "client", "id": held.document["client_id"] }));
    }

    async fn a_token_is_good_for_its_client_and_nothing_else(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let other_tenant = open(&app, "globex").await;
        let es256 = json!({ "redirect_uris": [CALLBACK], "id_token_signed_response_alg": "ES256" });
        let held = Held::of(registered(&app, &tenant, es256.clone()).await);
        let other = Held::of(registered(&app, &tenant, es256.clone()).await);
        let theirs = Held::of(registered(&app, &other_tenant, es256.clone()).await);
        let by_administrator = app.web_client(&tenant).await;
        let admin = Admin::program(&app, &tenant).await;
        let initial = initial_access_token(&admin, &tenant, &json!({ "name": "x" })).await;
        let initial = initial["token"].as_str().expect("a token");
        let at = |uri: &str| uri.replace(&tenant.issuer, &other_tenant.issuer);
        let of_administrator = tenant.url(&format!("/register/{}", by_administrator.client_id()));
        let nobody = tenant.url("/register/nobody");
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let send = async |uri: &str, token: Option<&str>| {
                let mut request = app.http.request(method.clone(), uri);
                if method == Method::PUT {
                    request = request.body("application/json", held.change(&json!({})).to_string());
                }
                if let Some(token) = token {
                    request = request.bearer(token);
                }
                request.send().await
            };
            for (uri, token) in [
                (held.uri.as_str(), other.token.as_str()), (&held.uri, &forged(&held.token)), (&held.uri, &theirs.token), (&at(&held.uri), &held.token), (&theirs.uri, &held.token),
                (&held.uri, initial), (&held.uri, &admin.token), (&held.uri, "tsrt_x"), (&of_administrator, &held.token), (&nobody, &held.token),
                (&held.uri.to_uppercase().replace("HTTP://LOCALHOST", "http://localhost").replace("/T/ACME/REGISTER", "/t/acme/register"), &held.token),
            ] {
                let answer = send(uri, Some(token)).await;
                expect_unauthorized(&answer);
                assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.contains("error=\"invalid_token\"")), "{uri}");
            }
            // No token: a challenge without an error.
            let answer = send(&held.uri, None).await;
            expect_unauthorized(&answer);
            assert!(answer.header("www-authenticate").is_some_and(|challenge| !challenge.contains("error=")));
        }
        // And no token of this kind registers anybody or administers.
        app.change_settings(&tenant, |settings| settings.registration = RegistrationPolicy::Token).await;
        request(&app, &tenant, &es256).bearer(&held.token).send().await.expect_error(401, "invalid_token");
        assert_eq!(Admin::with_token(&app, &held.token).get("/tenants/acme/clients").await.status, 401);
        assert_eq!(app.http.request(Method::POST, &held.uri).bearer(&held.token).send().await.status, 405);
        // Where a token is needed to register, managing needs no other than before.
        held.send(&app, Method::GET).await.expect_ok();
    }
}
