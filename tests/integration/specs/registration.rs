//! Dynamic client registration: RFC 7591, OpenID Connect Dynamic Client Registration 1.0.

use std::time::Duration;

use actix_web::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tessera::domain::role::Role;
use tessera::domain::settings::RegistrationPolicy;
use tessera::protocol::client_metadata::ClientMetadata;
use tessera::secret::PlainSecret;

use super::registration_management::Held;
use crate::support::admin::Admin;
use crate::support::app::{TestApp, TestClient, TestTenant, app_test, on_both};
use crate::support::http::{Answer, Request};
use crate::support::relying_party::{RelyingParty, header};

const CALLBACK: &str = "https://relying.example/callback";
const CIBA: &str = "urn:openid:params:grant-type:ciba";

/// A tenant where everybody may register clients.
pub async fn open(app: &TestApp, slug: &str) -> TestTenant {
    governed(app, slug, RegistrationPolicy::Open).await
}

/// A tenant with this policy.
pub async fn governed(app: &TestApp, slug: &str, policy: RegistrationPolicy) -> TestTenant {
    let tenant = app.tenant(slug).await;
    app.change_settings(&tenant, |settings| settings.registration = policy)
        .await;
    tenant
}

/// A registration request.
pub fn request(app: &TestApp, tenant: &TestTenant, metadata: &Value) -> Request {
    app.http
        .post(&tenant.url("/register"))
        .body("application/json", metadata.to_string())
}

pub async fn register(app: &TestApp, tenant: &TestTenant, metadata: &Value) -> Answer {
    request(app, tenant, metadata).send().await
}

/// Registers a client, which must work.
pub async fn registered(app: &TestApp, tenant: &TestTenant, metadata: Value) -> Value {
    let answer = register(app, tenant, &metadata).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()
}

/// The client as a relying party is set up with it.
pub fn client_of(document: &Value) -> TestClient {
    let mut metadata = document.clone();
    for name in [
        "client_id",
        "client_secret",
        "client_id_issued_at",
        "client_secret_expires_at",
        "registration_access_token",
        "registration_client_uri",
    ] {
        metadata.as_object_mut().expect("an object").remove(name);
    }
    TestClient {
        id: document["client_id"]
            .as_str()
            .expect("an id")
            .parse()
            .expect("an id"),
        secret: document["client_secret"]
            .as_str()
            .map(|secret| PlainSecret::new(secret.to_owned())),
        metadata: ClientMetadata::from_json(metadata).expect("metadata"),
    }
}

/// Says which member is refused, and with which code.
#[track_caller]
pub fn expect_refused(answer: &Answer, code: &str, member: &str) {
    answer.expect_error(400, code);
    let description = answer.json()["error_description"].to_string();
    assert!(description.contains(member), "{member}: {description}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

async fn discovery(app: &TestApp, tenant: &TestTenant) -> Value {
    let url = tenant.url("/.well-known/openid-configuration");
    app.get(&url).send().await.expect_ok().json()
}

/// A token of the tenant's, made by the tenant's administrators.
pub async fn initial_access_token(admin: &Admin, tenant: &TestTenant, body: &Value) -> Value {
    let path = format!("/tenants/{}/initial-access-tokens", tenant.slug);
    let made = admin.post(&path, body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()
}

/// A token with the same id and another proof: as good as what somebody can guess who has seen the id.
pub fn forged(token: &str) -> String {
    let (kept, proof) = token.split_at(token.len() - 20);
    let other = if proof.starts_with('A') { 'B' } else { 'A' };
    format!("{kept}{other}{}", &proof[1..])
}

app_test! {
    async fn a_client_registers_itself_and_signs_somebody_in(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let user = app.user(&tenant, "ana@acme.example", "a long enough password").await;
        let answer = register(&app, &tenant, &json!({
            "redirect_uris": [CALLBACK], "client_name": "Relying", "client_name#de": "Vertrauend",
            "grant_types": ["authorization_code", "refresh_token"], "contacts": ["ops@relying.example"],
        })).await;
        assert_eq!((answer.status, answer.header("cache-control"), answer.header("pragma")), (201, Some("no-store"), Some("no-cache")));
        let document = answer.json();
        // The specifications' defaults, as stored.
        for (member, value) in [
            ("token_endpoint_auth_method", json!("client_secret_basic")), ("id_token_signed_response_alg", json!("RS256")),
            ("response_types", json!(["code"])), ("application_type", json!("web")), ("subject_type", json!("public")),
            ("require_pkce", json!(false)), ("client_secret_expires_at", json!(0)), ("redirect_uris", json!([CALLBACK])),
            ("client_name#de", json!("Vertrauend")), ("client_id_issued_at", json!(app.provider.clock.unix())),
            ("registration_client_uri", json!(tenant.url(&format!("/register/{}", document["client_id"].as_str().expect("an id"))))),
        ] {
            assert_eq!(document[member], value, "{member}");
        }
        assert!(document["registration_access_token"].as_str().is_some_and(|token| token.starts_with("tsrt_")));
        // A confidential client goes without PKCE.
        let rp = RelyingParty::new(&app, &tenant, &client_of(&document)).with_scope("openid email");
        let without = [("code_challenge", ""), ("code_challenge_method", "")];
        let mut browser = app.browser();
        let page = rp.authorize(&mut browser, &user, &without).await;
        let code = page.answer.location_param("code").expect("a code");
        let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK)];
        let tokens = rp.token(&form).await.expect_ok().json();
        let id_token = tokens["id_token"].as_str().expect("an ID token");
        assert_eq!(header(id_token)["alg"], "RS256");
        assert_eq!(rp.userinfo(tokens["access_token"].as_str().expect("a token")).await.expect_ok().json()["email"], "ana@acme.example");
        // Unless its tenant forbids.
        app.change_settings(&tenant, |settings| settings.require_pkce = true).await;
        let page = rp.authorize(&mut browser, &user, &without).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_request"));
    }

    async fn a_public_client_has_no_secret_and_needs_pkce(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let user = app.user(&tenant, "ana@acme.example", "a long enough password").await;
        let document = registered(&app, &tenant, json!({
            "redirect_uris": ["http://127.0.0.1/callback", "com.example.relying:/cb"], "application_type": "native", "token_endpoint_auth_method": "none",
            "id_token_signed_response_alg": "ES256",
        })).await;
        assert!(document["client_secret"].is_null() && document["client_secret_expires_at"].is_null());
        let rp = RelyingParty::new(&app, &tenant, &client_of(&document)).with_scope("openid");
        let without = rp.authorization_url(&[("code_challenge", ""), ("code_challenge_method", "")]);
        let mut browser = app.browser();
        let page = browser.open(&without).await;
        page.answer.expect_error(400, "invalid_request");
        page.expect_id("continue");
        rp.sign_in(&mut browser, &user).await;
        let page = browser.open(&without).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_request"));
    }

    async fn what_is_wrong_is_named(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let ec = json!({ "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" });
        let mut private = ec.clone();
        private["d"] = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI".into();
        for uri in [
            "https://relying.example/cb#part", "https://relying.example/cb#", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x",
            "https://*.relying.example/cb", "https://relying.example/*", "http://relying.example/cb", "relying", "", "https://a@relying.example/",
            "https://relying.example/a/../b", "file:///etc/passwd", "https://relying.example/?code=x",
        ] {
            expect_refused(&register(&app, &tenant, &json!({ "redirect_uris": [uri] })).await, "invalid_redirect_uri", "redirect_uris");
        }
        for redirects in [json!({}), json!({ "redirect_uris": [] }), json!({ "redirect_uris": null }), json!({ "redirect_uris": CALLBACK }), json!({ "redirect_uris": [CALLBACK, CALLBACK] })] {
            expect_refused(&register(&app, &tenant, &redirects).await, "invalid_redirect_uri", "redirect_uris");
        }
        for (more, member) in [
            (json!({ "initiate_login_uri": "http://localhost/login" }), "initiate_login_uri"),
            (json!({ "grant_types": ["authorization_code", "implicit"] }), "grant_types"),
            (json!({ "grant_types": ["refresh_token"] }), "grant_types"),
            (json!({ "grant_types": ["client_credentials"], "response_types": ["code"] }), "response_types"),
            (json!({ "grant_types": ["authorization_code", "client_credentials"] }), "grant_types"),
            (json!({ "response_types": ["id_token"] }), "response_types"),
            (json!({ "token_endpoint_auth_method": "tls_client_auth" }), "tls_client_auth_subject_dn"),
            (json!({ "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "relying.example" }), "token_endpoint_auth_method"),
            (json!({ "token_endpoint_auth_method": "private_key_jwt" }), "jwks"),
            (json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [private] } }), "private key"),
            (json!({ "jwks": { "keys": [ec] }, "jwks_uri": "https://relying.example/jwks" }), "jwks_uri"),
            (json!({ "jwks_uri": "http://relying.example/jwks" }), "jwks_uri"),
            (json!({ "id_token_signed_response_alg": "none" }), "id_token_signed_response_alg"),
            (json!({ "userinfo_encrypted_response_alg": "RSA1_5", "jwks_uri": "https://relying.example/jwks" }), "userinfo_encrypted_response_alg"),
            (json!({ "id_token_encrypted_response_enc": "A128GCM" }), "id_token_encrypted_response_enc"),
            // This tenant publishes no key for that.
            (json!({ "request_object_encryption_alg": "ECDH-ES", "jwks_uri": "https://relying.example/jwks" }), "request_object_encryption_alg"),
            (json!({ "request_uris": ["http://relying.example/request"], "jwks_uri": "https://relying.example/jwks" }), "request_uris"),
            (json!({ "logo_uri": "javascript:alert(1)" }), "logo_uri"),
            (json!({ "client_name": "a\u{202e}b" }), "client_name"),
            (json!({ "scope": "openid unheard:of" }), "scope"),
            (json!({ "scope": "openid tessera:admin" }), "scope"),
            (json!({ "software_id": "tessera-console" }), "software_id"),
            (json!({ "software_id": "tessera-try-it" }), "software_id"),
            (json!({ "skip_consent": true }), "skip_consent"),
            (json!({ "first_party": true }), "skip_consent"),
            (json!({ "access_token_lifetime": 86_400 }), "access_token_lifetime"),
            (json!({ "default_audience": "https://api.example.com" }), "default_audience"),
            (json!({ "resources": ["https://api.example.com"] }), "resources"),
            (json!({ "subject_type": "pairwise", "redirect_uris": [CALLBACK, "https://other.example/"] }), "subject_type"),
        ] {
            let mut document = json!({ "redirect_uris": [CALLBACK] });
            for (name, value) in more.as_object().expect("an object") {
                document[name] = value.clone();
            }
            expect_refused(&register(&app, &tenant, &document).await, "invalid_client_metadata", member);
        }
        let statement = json!({ "redirect_uris": [CALLBACK], "software_statement": "e30.e30." });
        expect_refused(&register(&app, &tenant, &statement).await, "invalid_software_statement", "software_statement");
        // Nothing of all this was written down.
        let loaded = app.load(&tenant).await;
        assert_eq!(app.provider.db.read(&*loaded, |repo| repo.count_strangers_clients()).await.expect("storage works"), 0);
        // What isn't known is ignored, and not told back.
        let document = registered(&app, &tenant, json!({ "redirect_uris": [CALLBACK], "colour": "red", "request_object_compression": "DEF", "tos_uri": null })).await;
        assert!(document["colour"].is_null() && document["request_object_compression"].is_null());
    }

    async fn a_body_is_one_json_object_of_bounded_size(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let send = async |content_type: &str, body: String| {
            app.http.post(&tenant.url("/register")).body(content_type, body).send().await
        };
        let twice = format!(r#"{{"redirect_uris":["{CALLBACK}"],"redirect_uris":["https://evil.example/"]}}"#);
        let deep = format!(r#"{{"jwks":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        for body in ["", "[]", "null", "{", "{} {}", &twice, &deep, r#"{"jwks":{"keys":[],"keys":[]}}"#] {
            send("application/json", body.to_owned()).await.expect_error(400, "invalid_request");
        }
        let sound = json!({ "redirect_uris": [CALLBACK] }).to_string();
        send("application/x-www-form-urlencoded", sound.clone()).await.expect_error(415, "unsupported_media_type");
        send("text/plain", sound.clone()).await.expect_error(415, "unsupported_media_type");
        for size in [64 << 10, 1 << 20] {
            let huge = json!({ "redirect_uris": [CALLBACK], "x": "a".repeat(size) }).to_string();
            send("application/json", huge).await.expect_error(413, "request_too_large");
        }
        let large = json!({ "redirect_uris": [CALLBACK], "x": "a".repeat(63 << 10), "id_token_signed_response_alg": "ES256" }).to_string();
        assert_eq!(send("application/json", large).await.status, 201);
        let packed = app.http.post(&tenant.url("/register")).header("content-encoding", "gzip").body("application/json", sound.clone());
        packed.send().await.expect_error(415, "unsupported_media_type");
        let answer = app.get(&tenant.url("/register")).send().await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
        assert_eq!(send("application/json; charset=utf-8", sound).await.status, 201);
    }

    async fn a_closed_tenant_says_so_and_announces_nothing(app: TestApp) {
        let tenant = open(&app, "acme").await;
        assert_eq!(discovery(&app, &tenant).await["registration_endpoint"], tenant.url("/register"));
        let document = registered(&app, &tenant, json!({ "redirect_uris": [CALLBACK] })).await;
        let token = document["registration_access_token"].as_str().expect("a token").to_owned();
        let uri = document["registration_client_uri"].as_str().expect("an address").to_owned();
        app.change_settings(&tenant, |settings| settings.registration = RegistrationPolicy::Closed).await;
        assert!(discovery(&app, &tenant).await["registration_endpoint"].is_null());
        register(&app, &tenant, &json!({ "redirect_uris": [CALLBACK] })).await.expect_error(403, "forbidden");
        for method in [Method::GET, Method::DELETE] {
            app.http.request(method, &uri).bearer(&token).send().await.expect_error(403, "forbidden");
        }
        // And closed is what a tenant is unless it says otherwise.
        let other = app.tenant("globex").await;
        register(&app, &other, &json!({ "redirect_uris": [CALLBACK] })).await.expect_error(403, "forbidden");
        assert!(discovery(&app, &other).await["registration_endpoint"].is_null());
        app.change_settings(&other, |settings| settings.registration = RegistrationPolicy::Token).await;
        assert_eq!(discovery(&app, &other).await["registration_endpoint"], other.url("/register"));
    }

    async fn an_initial_access_token_lets_as_many_in_as_it_says(app: TestApp) {
        let tenant = governed(&app, "acme", RegistrationPolicy::Token).await;
        let other = governed(&app, "globex", RegistrationPolicy::Token).await;
        let admin = Admin::program(&app, &tenant).await;
        let metadata = json!({ "redirect_uris": [CALLBACK], "client_name": "Relying" });
        let with = async |tenant: &TestTenant, token: &str| request(&app, tenant, &metadata).bearer(token).send().await;

        // None: a challenge without an error.
        let answer = register(&app, &tenant, &metadata).await;
        answer.expect_error(401, "invalid_token");
        let challenge = answer.header("www-authenticate").expect("a challenge").to_owned();
        assert!(challenge.starts_with("Bearer realm=") && !challenge.contains("error="), "{challenge}");

        let made = initial_access_token(&admin, &tenant, &json!({ "name": "For partners", "max_uses": 2 })).await;
        let token = made["token"].as_str().expect("a token").to_owned();
        with(&tenant, &forged(&token)).await.expect_error(401, "invalid_token");
        let theirs = with(&other, &token).await;
        theirs.expect_error(401, "invalid_token");
        assert!(theirs.header("www-authenticate").is_some_and(|challenge| challenge.contains("error=\"invalid_token\"")));
        // What is refused uses nothing up.
        request(&app, &tenant, &json!({ "redirect_uris": [] })).bearer(&token).send().await.expect_error(400, "invalid_redirect_uri");
        assert_eq!([with(&tenant, &token).await.status, with(&tenant, &token).await.status, with(&tenant, &token).await.status], [201, 201, 401]);

        // The administrators see it all, but for the token itself.
        let path = format!("/tenants/acme/initial-access-tokens/{}", made["id"].as_str().expect("an id"));
        let shown = admin.get(&path).await.expect_ok().json();
        assert_eq!((&shown["uses"], &shown["max_uses"], &shown["token"]), (&json!(2), &json!(2), &Value::Null));
        let listed = admin.get("/tenants/acme/initial-access-tokens").await.expect_ok();
        assert!(!listed.body.contains(&token) && listed.json()["items"][0] == shown);
        let events = admin.get("/tenants/acme/events?act=client.registered").await.expect_ok().json();
        assert_eq!(events["items"].as_array().map(Vec::len), Some(2));
        assert_eq!(events["items"][0]["detail"]["initial_access_token"], json!({ "id": made["id"], "name": "For partners" }));
        let clients = admin.get("/tenants/acme/clients?search=Relying").await.expect_ok().json();
        assert_eq!((&clients["items"][0]["registered_by"], &clients["items"][0]["initial_access_token"]), (&json!("itself"), &made["id"]));

        // Expired, revoked, made up, of another kind.
        let short = initial_access_token(&admin, &tenant, &json!({ "name": "Short", "expires_in": 60 })).await;
        let gone = initial_access_token(&admin, &tenant, &json!({ "name": "Gone" })).await;
        let gone_path = format!("/tenants/acme/initial-access-tokens/{}", gone["id"].as_str().expect("an id"));
        assert_eq!((admin.delete(&gone_path).await.status, admin.delete(&gone_path).await.status), (204, 404));
        app.time.advance(Duration::from_secs(61));
        for token in [short["token"].as_str().expect("a token"), gone["token"].as_str().expect("a token"), "tsit_x", &admin.token] {
            with(&tenant, token).await.expect_error(401, "invalid_token");
        }
        let events = admin.get("/tenants/acme/events?act=initial_access_token.revoked").await.expect_ok().json();
        assert_eq!(events["items"][0]["detail"]["initial_access_token"]["name"], "Gone");
    }

    async fn of_two_at_once_one_has_the_last_use(app: TestApp) {
        let tenant = governed(&app, "acme", RegistrationPolicy::Token).await;
        let admin = Admin::program(&app, &tenant).await;
        let made = initial_access_token(&admin, &tenant, &json!({ "name": "Once" })).await;
        let token = made["token"].as_str().expect("a token");
        let metadata = json!({ "redirect_uris": [CALLBACK], "id_token_signed_response_alg": "ES256" });
        let answers = join_all((0..8).map(|_| request(&app, &tenant, &metadata).bearer(token).send())).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 401, 401, 401, 401, 401, 401, 401]);
        let loaded = app.load(&tenant).await;
        assert_eq!(app.provider.db.read(&*loaded, |repo| repo.count_vouched_clients()).await.expect("storage works"), 1);
    }

    async fn a_token_vouches_for_a_client_that_acts_for_itself(app: TestApp) {
        let tenant = open(&app, "acme").await;
        app.resource(&tenant, "https://api.acme.example", &["orders:read"]).await;
        let admin = Admin::program(&app, &tenant).await;
        let made = initial_access_token(&admin, &tenant, &json!({ "name": "Machines" })).await;
        let metadata = json!({ "grant_types": ["client_credentials"], "scope": "orders:read" });
        register(&app, &tenant, &metadata).await.expect_error(400, "invalid_client_metadata");
        let answer = request(&app, &tenant, &metadata).bearer(made["token"].as_str().expect("a token")).send().await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let rp = RelyingParty::new(&app, &tenant, &client_of(&answer.json()));
        assert_eq!(rp.client_credentials(&[]).await.body["scope"], "orders:read");
    }

    /// Whoever asks by the back channel finds out who has an account, and uses up what may be asked of a person.
    async fn a_token_vouches_for_a_client_that_asks_by_the_back_channel(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let admin = Admin::program(&app, &tenant).await;
        let made = initial_access_token(&admin, &tenant, &json!({ "name": "Banks" })).await;
        let metadata = json!({
            "grant_types": [CIBA], "backchannel_token_delivery_mode": "poll", "scope": "openid", "id_token_signed_response_alg": "ES256",
        });
        expect_refused(&register(&app, &tenant, &metadata).await, "invalid_client_metadata", "grant_types");
        let answer = request(&app, &tenant, &metadata).bearer(made["token"].as_str().expect("a token")).send().await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let held = Held::of(answer.json());
        held.put(&app, &held.change(&json!({ "client_name": "Bank" }))).await.expect_ok();
        // One to which an administrator gave it keeps it, and no other takes it.
        let plain = Held::of(registered(&app, &tenant, json!({ "redirect_uris": [CALLBACK], "scope": "openid" })).await);
        let asking = plain.change(&json!({ "grant_types": ["authorization_code", CIBA], "backchannel_token_delivery_mode": "poll" }));
        expect_refused(&plain.put(&app, &asking).await, "invalid_client_metadata", "grant_types");
        let path = format!("/tenants/acme/clients/{}", plain.document["client_id"].as_str().expect("an id"));
        admin.patch(&path, &json!({ "grant_types": ["authorization_code", CIBA], "backchannel_token_delivery_mode": "poll" })).await.expect_ok();
        plain.put(&app, &asking).await.expect_ok();
    }

    /// RFC 9700 §4.11.2: any link of a stranger's to us would lead to wherever they like.
    async fn nobody_is_led_to_an_address_that_a_stranger_chose(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let user = app.user(&tenant, "ana@acme.example", "a long enough password").await;
        let metadata = json!({ "redirect_uris": [CALLBACK], "scope": "openid", "id_token_signed_response_alg": "ES256" });
        let document = registered(&app, &tenant, metadata.clone()).await;
        let rp = RelyingParty::new(&app, &tenant, &client_of(&document)).with_scope("openid");
        let wrong = |more: &[(&str, &str)]| rp.authorization_url(&[&[("scope", "nonsense")], more].concat());
        let page = app.browser().open(&wrong(&[])).await;
        assert_eq!((page.answer.status, page.answer.header("location")), (400, None));
        page.expect_id("continue");
        let body = &page.answer.body;
        assert!(body.contains("data-error=\"invalid_scope\"") && body.contains(&format!("href=\"{CALLBACK}?error=invalid_scope")), "{body}");
        assert!(body.contains("Go on to") && body.contains("relying.example") && !body.contains("http-equiv"), "{body}");
        let german = app.get(&wrong(&[])).header("accept-language", "de").send().await;
        assert!(german.status == 400 && german.body.contains("Weiter zu"), "{}", german.body);
        // What looks like a host behind a private-use scheme isn't where the way leads.
        let native = json!({ "redirect_uris": ["com.stranger.app://bank.example/cb"], "application_type": "native", "token_endpoint_auth_method": "none",
            "scope": "openid", "id_token_signed_response_alg": "ES256" });
        let app_of_a_stranger = RelyingParty::new(&app, &tenant, &client_of(&registered(&app, &tenant, native).await)).with_scope("openid");
        let body = app.browser().open(&app_of_a_stranger.authorization_url(&[("scope", "nonsense")])).await.answer.body;
        let told = |body: &str| body.replace("com.stranger.app://bank.example", "");
        assert!(told(&body).contains("com.stranger.app") && !told(&body).contains("bank.example"), "{body}");
        let mut browser = app.browser();
        let login = browser.open(&app_of_a_stranger.authorization_url(&[])).await;
        let consent = browser.sign_in(&login, &user).await;
        consent.expect_id("allow");
        let body = &consent.answer.body;
        assert!(body.contains("You will go on to") && told(body).contains("com.stranger.app") && !told(body).contains("bank.example"), "{body}");
        // In each way in which an answer travels.
        for (mode, name) in [("form_post", "error"), ("form_post.jwt", "response")] {
            let page = app.browser().open(&wrong(&[("response_mode", mode)])).await;
            assert_eq!((page.answer.status, page.hidden(name).is_some()), (400, true), "{mode}: {}", page.answer.body);
            assert_eq!(page.filled(&[]).0.as_str(), CALLBACK);
            assert!(!page.answer.body.contains("id=\"form-post\"") && !page.answer.body.contains("form_post"), "a script would send it");
            assert!(page.answer.header("content-security-policy").is_some_and(|policy| policy.contains("form-action 'self' https://relying.example;")));
        }
        for mode in ["jwt", "query.jwt"] {
            let page = app.browser().open(&wrong(&[("response_mode", mode)])).await;
            assert!(page.answer.status == 400 && page.answer.body.contains(&format!("href=\"{CALLBACK}?response=")), "{mode}: {}", page.answer.body);
        }
        let url = url::Url::parse(&wrong(&[])).expect("a URL");
        let form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let posted = app.browser().post_from(&tenant.url("/authorize"), &form, None).await;
        assert_eq!((posted.status, posted.header("location")), (400, None));
        // A page that asks in a frame of its own leads nobody anywhere; a link that asks in silence does.
        let silent = rp.authorization_url(&[("prompt", "none")]);
        for (destination, status) in [(None, 303), (Some("iframe"), 303), (Some("document"), 400)] {
            let ask = app.get(&silent);
            let answer = match destination {
                Some(destination) => ask.header("sec-fetch-dest", destination).send().await,
                None => ask.send().await,
            };
            assert_eq!((answer.status, answer.header("location").is_some()), (status, status == 303), "{destination:?}");
            if status == 303 {
                assert_eq!(answer.location_param("error").as_deref(), Some("login_required"));
            } else {
                assert!(answer.body.contains("data-error=\"login_required\"") && answer.body.contains(&format!("href=\"{CALLBACK}?error=login_required")), "{}", answer.body);
            }
        }
        assert_eq!(app.get(&wrong(&[])).header("sec-fetch-dest", "iframe").send().await.status, 303);
        // Whoever is signed in came here on their own account.
        let mut browser = app.browser();
        rp.sign_in(&mut browser, &user).await;
        assert_eq!(browser.open(&wrong(&[])).await.answer.location_param("error").as_deref(), Some("invalid_scope"));
        // Others stand for these.
        let admin = Admin::program(&app, &tenant).await;
        let made = initial_access_token(&admin, &tenant, &json!({ "name": "Partners" })).await;
        let vouched = request(&app, &tenant, &metadata).bearer(made["token"].as_str().expect("a token")).send().await.json();
        let trusted = registered(&app, &tenant, metadata.clone()).await;
        let checked = registered(&app, &tenant, metadata).await;
        let path = |document: &Value| format!("/tenants/acme/clients/{}", document["client_id"].as_str().expect("an id"));
        admin.patch(&path(&trusted), &json!({ "skip_consent": true })).await.expect_ok();
        admin.patch(&path(&checked), &json!({ "redirect_uris": [CALLBACK, "https://relying.example/two"] })).await.expect_ok();
        for client in [client_of(&vouched), client_of(&trusted), client_of(&checked), app.web_client(&tenant).await] {
            let rp = RelyingParty::new(&app, &tenant, &client);
            let beside = [("scope", "nonsense"), ("redirect_uri", client.redirect_uri())];
            let page = app.browser().open(&rp.authorization_url(&beside)).await;
            assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_scope"), "{}", page.answer.body);
            let page = app.browser().open(&rp.authorization_url(&[&beside[..], &[("response_mode", "form_post")]].concat())).await;
            assert_eq!(page.response().get("error"), "invalid_scope");
        }
    }

    async fn who_makes_initial_access_tokens(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let path = "/tenants/acme/initial-access-tokens";
        for (role, made, listed) in [(Role::Administrator, 201, 200), (Role::ClientManager, 201, 200), (Role::Auditor, 403, 200), (Role::UserManager, 403, 403)] {
            let user = app.user(&tenant, &format!("{role}@acme.example"), "a long enough password").await;
            let person = Admin::person(&app, &tenant, &user, &[role]).await;
            assert_eq!(person.post(path, &json!({ "name": "Partners" })).await.status, made, "{role}");
            assert_eq!(person.get(path).await.status, listed, "{role}");
        }
        let admin = Admin::program(&app, &tenant).await;
        for (body, pointer) in [
            (json!({}), "/name"), (json!({ "name": "" }), "/name"), (json!({ "name": "x", "max_uses": 0 }), "/max_uses"),
            (json!({ "name": "x", "max_uses": 10_001 }), "/max_uses"), (json!({ "name": "x", "expires_in": 59 }), "/expires_in"),
            (json!({ "name": "x", "expires_in": 31_536_001 }), "/expires_in"), (json!({ "name": "x", "uses": 1 }), "/uses"),
        ] {
            let answer = admin.post(path, &body).await;
            assert_eq!((answer.status, answer.json()["errors"][0]["pointer"].as_str()), (422, Some(pointer)), "{body} {}", answer.body);
        }
        // Asked for twice with one key, it is made once, and shown again.
        let once = || admin.request(Method::POST, path).header("idempotency-key", "k-1").body("application/json", r#"{"name":"Once"}"#);
        let (first, second) = (once().send().await, once().send().await);
        assert_eq!((first.status, second.status, first.json()), (201, 201, second.json()));
        let events = admin.get("/tenants/acme/events?act=initial_access_token.created").await.expect_ok();
        assert!(!events.body.contains("tsit_"));
    }

    async fn registrations_are_limited_in_rate_and_number(app: TestApp) {
        let tenant = open(&app, "acme").await;
        app.change_settings(&tenant, |settings| { settings.registration_rate = 2; settings.registration_limit = 3; }).await;
        let admin = Admin::program(&app, &tenant).await;
        let made = initial_access_token(&admin, &tenant, &json!({ "name": "More", "max_uses": 5 })).await;
        let token = made["token"].as_str().expect("a token");
        let metadata = json!({ "redirect_uris": [CALLBACK], "id_token_signed_response_alg": "ES256" });
        let status = async || register(&app, &tenant, &metadata).await.status;
        assert_eq!([status().await, status().await, status().await], [201, 201, 429]);
        // Whoever was vouched for isn't held up by others.
        let answer = request(&app, &tenant, &metadata).bearer(token).send().await;
        assert_eq!(answer.status, 201);
        app.time.advance(Duration::from_secs(3601));
        // Nor by their number, nor they by that of those who were.
        assert_eq!([status().await, status().await], [201, 429]);
        register(&app, &tenant, &metadata).await.expect_error(429, "too_many_requests");
        for expected in [201, 201, 429] {
            assert_eq!(request(&app, &tenant, &metadata).bearer(token).send().await.status, expected);
        }
        // A refusal uses nothing up, and a deletion makes room.
        let document = answer.json();
        let gone = app.http.request(Method::DELETE, document["registration_client_uri"].as_str().expect("an address"))
            .bearer(document["registration_access_token"].as_str().expect("a token")).send().await;
        assert_eq!(gone.status, 204);
        assert_eq!(request(&app, &tenant, &metadata).bearer(token).send().await.status, 201);
        let path = format!("/tenants/acme/initial-access-tokens/{}", made["id"].as_str().expect("an id"));
        let admin = Admin::program(&app, &tenant).await;
        assert_eq!(admin.get(&path).await.expect_ok().json()["uses"], 4);
    }

    async fn a_sector_must_list_every_redirect_uri(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let sector = crate::support::sector::Sector::start(json!([CALLBACK, "https://other.example/cb"]));
        let registration = |redirects: Value| json!({
            "redirect_uris": redirects, "subject_type": "pairwise", "sector_identifier_uri": sector.url(), "id_token_signed_response_alg": "ES256",
        });
        let document = registered(&app, &tenant, registration(json!([CALLBACK, "https://other.example/cb"]))).await;
        assert_eq!(document["sector_identifier_uri"], sector.url());
        let lacking = register(&app, &tenant, &registration(json!([CALLBACK, "https://evil.example/cb"]))).await;
        expect_refused(&lacking, "invalid_client_metadata", "sector_identifier_uri");
        // One sector, one subject: whichever redirect URI of it a client has.
        let second = registered(&app, &tenant, registration(json!(["https://other.example/cb"]))).await;
        let user = app.user(&tenant, "ana@acme.example", "a long enough password").await;
        let mut subjects = Vec::new();
        for document in [&document, &second] {
            let rp = RelyingParty::new(&app, &tenant, &client_of(document)).with_scope("openid");
            subjects.push(rp.sign_in(&mut app.browser(), &user).await.id_claims()["sub"].clone());
        }
        assert_eq!(subjects[0], subjects[1]);
        assert_ne!(subjects[0], json!(user.id));
        // Nothing internal is fetched.
        for url in ["https://127.1.2.3/uris.json", "https://[::1]/uris.json", "http://sector.example/uris.json", "https://169.254.169.254/latest"] {
            let document = json!({ "redirect_uris": [CALLBACK], "sector_identifier_uri": url });
            expect_refused(&register(&app, &tenant, &document).await, "invalid_client_metadata", "sector_identifier_uri");
        }
    }

    async fn a_tenant_that_is_suspended_registers_nobody(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let by = tessera::flows::admin::By::command_line();
        let slug = tenant.slug.clone();
        app.provider.suspend_tenant(slug.as_str(), &by).await.expect("suspended");
        register(&app, &tenant, &json!({ "redirect_uris": [CALLBACK] })).await.expect_error(403, "tenant_suspended");
    }

    async fn a_browser_application_registers_itself_where_the_tenant_lets_it(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let (url, origin) = (tenant.url("/register"), "https://anywhere.example");
        let preflight = async |url: &str, method: &str| {
            let ask = app.http.request(actix_web::http::Method::OPTIONS, url).header("origin", origin).header("access-control-request-method", method);
            ask.send().await
        };
        let asked = preflight(&url, "POST").await;
        assert_eq!((asked.header("access-control-allow-origin"), asked.header("access-control-allow-methods")), (Some("*"), Some("GET, POST, PUT, DELETE")));
        assert!(asked.header("access-control-allow-headers").is_some_and(|names| names.contains("Authorization") && names.contains("Content-Type")));
        let answer = request(&app, &tenant, &json!({ "redirect_uris": [CALLBACK] })).header("origin", origin).send().await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin"), answer.header("access-control-allow-credentials")), (201, Some("*"), None));
        let own = answer.json()["registration_client_uri"].as_str().expect("an address").to_owned();
        let asked = preflight(&own, "DELETE").await;
        assert_eq!(asked.header("access-control-allow-origin"), Some("*"));
        // Other endpoints admit it no more than before, and a closed tenant nobody.
        assert_eq!(preflight(&tenant.url("/token"), "POST").await.header("access-control-allow-origin"), None);
        assert_eq!(preflight(&tenant.url("/registered"), "POST").await.header("access-control-allow-origin"), None);
        let closed = app.tenant("globex").await;
        assert_eq!(preflight(&closed.url("/register"), "POST").await.header("access-control-allow-origin"), None);
    }
}

/// Whoever has an IPv6 /48 has 65,536 networks.
#[test]
fn a_site_registers_no_more_than_its_share() {
    on_both("trusted_proxies = ['127.0.0.1']\n", |app| async move {
        let tenant = open(&app, "acme").await;
        app.change_settings(&tenant, |settings| {
            settings.registration_rate = 2;
            settings.registration_limit = 32;
        })
        .await;
        let metadata =
            json!({ "redirect_uris": [CALLBACK], "id_token_signed_response_alg": "ES256" });
        let from = async |address: &str| {
            let asked = request(&app, &tenant, &metadata).header("x-forwarded-for", address);
            asked.send().await.status
        };
        for network in ["2001:db8:0:1::1", "2001:db8:0:2::1"] {
            assert_eq!((from(network).await, from(network).await), (201, 201));
        }
        assert_eq!(from("2001:db8:0:1::2").await, 429);
        assert_eq!(from("2001:db8:0:3::1").await, 429);
        assert_eq!(from("2001:db8:1::1").await, 201);
        assert_eq!(from("198.51.100.9").await, 201);
        app.time.advance(Duration::from_secs(3601));
        assert_eq!(from("2001:db8:0:3::1").await, 201);
    });
}
