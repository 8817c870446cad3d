//! FAPI 2.0, Security Profile and Message Signing, as a switch of a client or a tenant: a whole flow by it, and each thing that it forbids.

use serde_json::{Value, json};
use tessera::clock::Clock;
use tessera::domain::role::Role;
use tessera::jose::keys::{RsaBits, SigningKey};
use tessera::protocol::SigningAlgorithm;
use tessera::protocol::fapi::SecurityProfile;

use super::seed::{Scene, text};
use crate::support::admin::Admin;
use crate::support::app::app_test;
use crate::support::browser::{Browser, Page};
use crate::support::dpop::{Prover, with};
use crate::support::http::{Answer, Request};
use crate::support::relying_party::{RelyingParty, claims};

const ASSERTION: (&str, &str) = (
    "client_assertion_type",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
);
const TYP: &str = "oauth-authz-req+jwt";

/// A client that does everything right, unless told.
pub(super) struct Bank {
    pub(super) key: SigningKey,
    pub(super) prover: Prover,
    pub(super) rp: RelyingParty,
}

fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::generate(algorithm, RsaBits::default())
        .expect("a key")
        .key
}

fn metadata(key: &SigningKey, more: &Value) -> Value {
    with(
        json!({
            "client_name": "Bank", "redirect_uris": ["https://bank.example/callback"], "grant_types": ["authorization_code", "refresh_token"],
            "scope": "openid offline_access", "skip_consent": true, "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [key.public_jwk()] },
            "security_profile": "fapi2_security",
        }),
        more,
    )
}

/// What Message Signing needs besides.
pub(super) fn signing() -> Value {
    json!({
        "security_profile": "fapi2_message_signing", "authorization_signed_response_alg": "ES256", "introspection_signed_response_alg": "ES256",
    })
}

impl Bank {
    pub(super) async fn new(scene: &Scene, more: Value) -> Self {
        let key = key(SigningAlgorithm::Es256);
        let mut client = scene.app.client(&scene.tenant, metadata(&key, &more)).await;
        client.secret = None;
        let rp = RelyingParty::new(&scene.app, &scene.tenant, &client)
            .with_scope("openid offline_access");
        Self {
            prover: Prover::new(&scene.app.provider.clock),
            key,
            rp,
        }
    }

    fn assertion(&self, scene: &Scene, more: &Value) -> Value {
        let (id, now) = (self.rp.client.client_id(), scene.app.provider.clock.unix());
        let usual = json!({ "iss": id, "sub": id, "aud": self.rp.issuer, "exp": now + 60, "iat": now, "jti": Clock::system().uuid_v4() });
        with(usual, more)
    }

    pub(super) fn request(&self, scene: &Scene, path: &str, form: &[(&str, &str)]) -> Request {
        self.request_with(scene, path, form, &json!({}))
    }

    pub(super) fn request_with(
        &self,
        scene: &Scene,
        path: &str,
        form: &[(&str, &str)],
        assertion: &Value,
    ) -> Request {
        let assertion = self.key.sign_jwt("JWT", &self.assertion(scene, assertion));
        let assertion = assertion.expect("signed");
        let mut form = form.to_vec();
        form.extend([ASSERTION, ("client_assertion", &assertion)]);
        scene.app.post(&format!("{}{path}", self.rp.issuer), &form)
    }

    pub(super) async fn push(&self, scene: &Scene, more: &[(&str, &str)]) -> Answer {
        let parameters = self.rp.parameters(more);
        let form: Vec<_> = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.request(scene, "/par", &form).send().await
    }

    /// Pushes a request object and nothing else.
    pub(super) async fn push_signed(&self, scene: &Scene, more: &Value) -> Answer {
        let now = scene.app.provider.clock.unix();
        let mut object = json!({ "iss": self.rp.client.client_id(), "aud": self.rp.issuer, "nbf": now, "exp": now + 300, "response_mode": "jwt" });
        for (name, value) in self.rp.parameters(&[]) {
            object[name] = json!(value);
        }
        let object = self.key.sign_jwt(TYP, &with(object, more)).expect("signed");
        self.request(scene, "/par", &[("request", &object)])
            .send()
            .await
    }

    /// The browser's part, to the end.
    pub(super) async fn pass(&self, scene: &Scene, browser: &mut Browser, pushed: &Answer) -> Page {
        assert_eq!(pushed.status, 201, "{}", pushed.body);
        let url = self.rp.pushed_url(text(&pushed.json(), "request_uri"), &[]);
        let page = browser.open(&url).await;
        browser.pass(page, &scene.user).await
    }

    pub(super) async fn token(&self, scene: &Scene, form: &[(&str, &str)]) -> Answer {
        let proof = self
            .prover
            .proof("POST", &format!("{}/token", self.rp.issuer));
        self.request(scene, "/token", form)
            .header("dpop", &proof)
            .send()
            .await
    }
}

#[track_caller]
fn expect(answer: &Answer, status: u16, code: &str, word: &str) {
    answer.expect_error(status, code);
    assert!(answer.body.contains(word), "{word}: {}", answer.body);
}

app_test! {
    async fn a_flow_by_the_security_profile(app: TestApp) {
        let scene = Scene::new(app).await;
        let bank = Bank::new(&scene, json!({})).await;
        let mut browser = scene.app.browser();
        let page = bank.pass(&scene, &mut browser, &bank.push(&scene, &[]).await).await;
        assert_eq!(page.answer.location_param("iss").as_deref(), Some(scene.tenant.issuer.as_str()));
        let code = page.answer.location_param("code").expect("a code");
        // A key has to be held, before anything is spent.
        let redemption = bank.rp.redemption(&code);
        expect(&bank.request(&scene, "/token", &redemption).send().await, 400, "invalid_request", "DPoP");
        let tokens = bank.token(&scene, &redemption).await.expect_ok().json();
        assert_eq!(tokens["token_type"], "DPoP");
        let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        // The scheme in whatever case (RFC 9110 §11.1).
        let url = scene.tenant.url("/userinfo");
        for scheme in ["DPoP", "dpop", "DPOP"] {
            let request = scene.app.get(&url).header("authorization", &format!("{scheme} {access}")).header("dpop", &bank.prover.beside("GET", &url, access));
            request.send().await.expect_ok();
        }
        scene.app.get(&url).header("authorization", &format!("bEARER {access}")).send().await.expect_error(401, "invalid_token");
        // Refresh tokens are kept, and nothing comes unbound.
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        expect(&bank.request(&scene, "/token", &form).send().await, 400, "invalid_request", "DPoP");
        for _ in 0..2 {
            assert_eq!(text(&bank.token(&scene, &form).await.expect_ok().json(), "refresh_token"), refresh);
        }
        // By an algorithm that isn't allowed, a proof is none.
        let prover = Prover::of("RS256", &scene.app.provider.clock);
        let proof = prover.proof("POST", &scene.tenant.url("/token"));
        bank.request(&scene, "/token", &form).header("dpop", &proof).send().await.expect_error(400, "invalid_dpop_proof");
        // The issuer as the one audience.
        for audience in [json!(scene.tenant.url("/token")), json!(scene.tenant.url("/par")), json!([scene.tenant.issuer]), json!([scene.tenant.issuer, "x"])] {
            let request = bank.request_with(&scene, "/token", &form, &json!({ "aud": audience }));
            let proof = bank.prover.proof("POST", &scene.tenant.url("/token"));
            request.header("dpop", &proof).send().await.expect_error(401, "invalid_client");
        }
        // Once, with the name of its own client; a reload before is fine.
        let pushed = bank.push(&scene, &[]).await;
        let name = text(&pushed.json(), "request_uri").to_owned();
        let other = Bank::new(&scene, json!({})).await;
        browser.open(&other.rp.pushed_url(&name, &[])).await.answer.expect_error(400, "invalid_request_uri");
        let page = browser.open(&bank.rp.pushed_url(&name, &[])).await;
        assert!(page.answer.location_param("code").is_some());
        browser.open(&bank.rp.pushed_url(&name, &[])).await.answer.expect_error(400, "invalid_request_uri");
    }

    /// However far a tenant lets clocks differ, by the profile a proof is a minute off at the most.
    async fn proofs_are_fresh(app: TestApp) {
        let scene = Scene::new(app).await;
        let bank = Bank::new(&scene, json!({})).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.dpop_proof_leeway = 300).await;
        let (url, now) = (scene.tenant.url("/token"), scene.app.provider.clock.unix());
        let form = [("grant_type", "refresh_token"), ("refresh_token", "of nobody")];
        for (iat, error) in [(now - 60, "invalid_grant"), (now + 60, "invalid_grant"), (now - 61, "invalid_dpop_proof"), (now + 61, "invalid_dpop_proof")] {
            let proof = bank.prover.proof_but("POST", &url, &json!({ "iat": iat }));
            bank.request(&scene, "/token", &form).header("dpop", &proof).send().await.expect_error(400, error);
        }
    }

    async fn each_request_that_the_profile_forbids(app: TestApp) {
        let scene = Scene::new(app).await;
        let bank = Bank::new(&scene, json!({ "require_pkce": false })).await;
        // Not pushed.
        let mut browser = scene.app.browser();
        let page = browser.open(&bank.rp.authorization_url(&[])).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_request"));
        assert!(page.answer.location_param("error_description").is_some_and(|text| text.contains("push")));
        let bearing = key(SigningAlgorithm::Rs256);
        let now = scene.app.provider.clock.unix();
        let object = json!({ "iss": bank.rp.client.client_id(), "aud": bank.rp.issuer, "nbf": now, "exp": now + 60 });
        let object = bearing.sign_jwt(TYP, &object).expect("signed");
        for (more, code, word) in [
            (vec![("code_challenge", ""), ("code_challenge_method", "")], "invalid_request", "code_challenge"),
            (vec![("code_challenge_method", "plain")], "invalid_request", "S256"),
            (vec![("redirect_uri", "")], "invalid_request", "redirect_uri"),
            (vec![("redirect_uri", "https://bank.example/callback/x")], "invalid_request", "redirect_uri"),
            (vec![("response_type", "code id_token")], "unauthorized_client", "response_type"),
            (vec![("response_type", "token")], "unsupported_response_type", "response type"),
            // What would be signed by the default, RS256.
            (vec![("response_mode", "jwt")], "invalid_request", "authorization_signed_response_alg"),
            (vec![("request", object.as_str())], "invalid_request_object", ""),
        ] {
            expect(&bank.push(&scene, &more).await, 400, code, word);
        }
        // Each half of Message Signing by itself. Who has to sign says when it is good, as there.
        let signer = Bank::new(&scene, json!({ "require_signed_request_object": true })).await;
        for (more, word) in [
            (json!({ "response_mode": null, "nbf": null }), "nbf"), (json!({ "response_mode": null, "exp": null }), "exp"),
            (json!({ "response_mode": null, "exp": now + 3601 }), "3600"), (json!({ "response_mode": null, "nbf": now - 3601, "exp": now + 60 }), "3600"),
        ] {
            expect(&signer.push_signed(&scene, &more).await, 400, "invalid_request_object", word);
        }
        expect(&signer.push(&scene, &[]).await, 400, "invalid_request", "signed");
        let sound = json!({ "nbf": now - 3500, "exp": now + 100, "response_mode": null });
        let page = signer.pass(&scene, &mut browser, &signer.push_signed(&scene, &sound).await).await;
        assert!(page.answer.location_param("code").is_some());
        let answered = Bank::new(&scene, json!({ "authorization_signed_response_alg": "ES256" })).await;
        let page = answered.pass(&scene, &mut browser, &answered.push(&scene, &[("response_mode", "jwt")]).await).await;
        assert!(page.answer.location_param("response").is_some() && page.answer.location_param("code").is_none());
        // A client that isn't as its tenant demands since gets no further, at any endpoint; and the reason is told to it alone.
        let (basic, public) = (scene.rp.clone(), scene.with(&scene.app.public_client(&scene.tenant).await));
        let code = scene.code().await;
        scene.app.change_settings(&scene.tenant, |settings| settings.security_profile = SecurityProfile::Fapi2Security).await;
        for answer in [
            basic.redeem(&code).await, basic.push(&[]).await, public.push(&[]).await,
            basic.authenticated("/introspect", &[("token", "x")]).send().await, basic.authenticated("/revoke", &[("token", "x")]).send().await,
            basic.authenticated("/device_authorization", &[]).send().await,
        ] {
            expect(&answer, 400, "unauthorized_client", "token_endpoint_auth_method");
        }
        let wrong = scene.app.post(&scene.tenant.url("/token"), &[("grant_type", "client_credentials")]).basic(&basic.client.client_id(), "wrong").send().await;
        assert!(!wrong.expect_error(401, "invalid_client").body.contains("profile"));
        let page = browser.open(&basic.authorization_url(&[])).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_request"));
        // Its administrators still sign in.
        scene.grant_role(Role::Administrator).await;
        let page = browser.open(&scene.tenant.url("/console")).await;
        let page = browser.pass(page, &scene.user).await;
        assert!(page.answer.status == 200 && page.url.path().ends_with("/console"), "{} {}", page.url, page.answer.status);
        scene.app.change_settings(&scene.tenant, |settings| settings.security_profile = SecurityProfile::None).await;
        basic.redeem(&code).await.expect_ok();
    }

    async fn messages_are_signed(app: TestApp) {
        let scene = Scene::new(app).await;
        let bank = Bank::new(&scene, signing()).await;
        let mut browser = scene.app.browser();
        let now = scene.app.provider.clock.unix();
        // The request.
        expect(&bank.push(&scene, &[("response_mode", "jwt")]).await, 400, "invalid_request", "signed");
        for (more, code, word) in [
            (json!({ "nbf": null }), "invalid_request_object", "nbf"),
            (json!({ "exp": null }), "invalid_request_object", "exp"),
            (json!({ "exp": now + 3601 }), "invalid_request_object", "3600"),
            (json!({ "nbf": now - 3601, "exp": now + 60 }), "invalid_request_object", "3600"),
            (json!({ "nbf": now + 120, "exp": now + 180 }), "invalid_request_object", "not valid yet"),
            (json!({ "response_mode": null }), "invalid_request", "response_mode"),
            (json!({ "response_mode": "form_post" }), "invalid_request", "response_mode"),
            (json!({ "code_challenge": null, "code_challenge_method": null }), "invalid_request", "code_challenge"),
        ] {
            expect(&bank.push_signed(&scene, &more).await, 400, code, word);
        }
        assert_eq!(bank.push_signed(&scene, &json!({ "nbf": now - 3500, "exp": now + 100 })).await.status, 201);
        // The answer, an error too.
        let pushed = bank.push_signed(&scene, &json!({})).await;
        let page = bank.pass(&scene, &mut browser, &pushed).await;
        let response = claims(&page.answer.location_param("response").expect("a signed answer"));
        assert_eq!((&response["iss"], &response["aud"]), (&json!(scene.tenant.issuer), &json!(bank.rp.client.client_id())));
        assert_eq!(page.answer.location_param("code"), None);
        let tokens = bank.token(&scene, &bank.rp.redemption(text(&response, "code"))).await.expect_ok().json();
        let pushed = bank.push_signed(&scene, &json!({ "prompt": "none" })).await;
        let url = bank.rp.pushed_url(text(&pushed.json(), "request_uri"), &[]);
        let page = scene.app.browser().open(&url).await;
        assert_eq!(claims(&page.answer.location_param("response").expect("a signed answer"))["error"], "login_required");
        // Introspection, whatever is asked for.
        let told = bank.request(&scene, "/introspect", &[("token", text(&tokens, "access_token"))]).header("accept", "application/json").send().await.expect_ok();
        assert_eq!(told.header("content-type"), Some("application/token-introspection+jwt"));
        assert_eq!(claims(&told.body)["token_introspection"]["active"], true);
        // The longest life is the tenant's to say.
        scene.app.change_settings(&scene.tenant, |settings| settings.request_object_lifetime = 60).await;
        expect(&bank.push_signed(&scene, &json!({ "exp": now + 61 })).await, 400, "invalid_request_object", "60 seconds");
        assert_eq!(bank.push_signed(&scene, &json!({ "exp": now + 60 })).await.status, 201);
    }

    async fn a_profile_is_checked_where_clients_are_registered(app: TestApp) {
        let scene = Scene::new(app).await;
        let (admin, own) = (Admin::program(&scene.app, &scene.tenant).await, key(SigningAlgorithm::Es256));
        let register = async |more: &Value| admin.post("/tenants/acme/clients", &metadata(&own, more)).await;
        let made = register(&json!({})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let id = text(&made.json(), "client_id").to_owned();
        let wrong = [
            (json!({ "token_endpoint_auth_method": "client_secret_basic" }), "token_endpoint_auth_method"),
            (json!({ "id_token_signed_response_alg": "RS256" }), "id_token_signed_response_alg"),
            (json!({ "redirect_uris": ["http://localhost/callback"] }), "redirect_uris"),
            (json!({ "grant_types": ["authorization_code", "implicit"], "response_types": ["code", "code id_token"] }), "grant_types"),
        ];
        for (more, member) in &wrong {
            let answer = register(more).await;
            assert!(answer.status == 422 && answer.body.contains(member) && answer.body.contains("fapi2_security"), "{}", answer.body);
        }
        let answer = register(&json!({ "security_profile": "fapi2_message_signing" })).await;
        assert!(answer.status == 422 && answer.body.contains("authorization_signed_response_alg"), "{}", answer.body);
        assert_eq!(register(&signing()).await.status, 201);
        let answer = admin.patch(&format!("/tenants/acme/clients/{id}"), &json!({ "token_endpoint_auth_signing_alg": "RS256" })).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        // By the tenant's profile, whatever the client's own; and the discovery document says so.
        let answer = admin.patch("/tenants/acme/settings", &json!({ "security_profile": "fapi2_message_signing", "registration": "open" })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        for (more, member) in &wrong {
            let answer = register(&with(more.clone(), &json!({ "security_profile": "none" }))).await;
            assert!(answer.status == 422 && answer.body.contains(member) && answer.body.contains("fapi2_message_signing"), "{}", answer.body);
        }
        let told = scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        assert_eq!(told["token_endpoint_auth_methods_supported"], json!(["private_key_jwt"]));
        assert_eq!((&told["require_pushed_authorization_requests"], &told["require_signed_request_object"]), (&json!(true), &json!(true)));
        for member in ["id_token", "request_object", "dpop", "authorization", "token_endpoint_auth"] {
            let name = told.as_object().expect("an object").keys().find(|name| name.starts_with(member) && name.contains("signing_alg")).expect("a member");
            assert_eq!(told[name], json!(["ES256", "PS256", "EdDSA", "Ed25519"]), "{name}");
        }
        // By itself, a client may raise what is demanded of it, and not lower it.
        let by_itself = |document: &Value| scene.app.http.post(&scene.tenant.url("/register")).body("application/json", document.to_string());
        let plain = with(metadata(&own, &signing()), &json!({ "skip_consent": null, "id_token_signed_response_alg": "ES256" }));
        let made = by_itself(&plain).send().await;
        assert_eq!(made.status, 201, "{}", made.body);
        by_itself(&with(plain.clone(), &json!({ "id_token_signed_response_alg": null }))).send().await.expect_error(400, "invalid_client_metadata");
        let (url, token) = (text(&made.json(), "registration_client_uri").to_owned(), text(&made.json(), "registration_access_token").to_owned());
        let change = |more: Value| {
            let document = with(with(plain.clone(), &json!({ "client_id": made.json()["client_id"] })), &more);
            scene.app.http.request(actix_web::http::Method::PUT, &url).bearer(&token).body("application/json", document.to_string())
        };
        scene.app.change_settings(&scene.tenant, |settings| settings.security_profile = SecurityProfile::None).await;
        change(json!({ "security_profile": "none" })).send().await.expect_error(400, "invalid_client_metadata");
        assert_eq!(change(json!({ "security_profile": null })).send().await.expect_ok().json()["security_profile"], "fapi2_message_signing");
        change(json!({ "security_profile": null, "token_endpoint_auth_method": "client_secret_basic" })).send().await.expect_error(400, "invalid_client_metadata");
    }

    /// Security Profile §5.3.2.1 of every JWT that is processed: assertions as grants are held to it by their client's profile.
    async fn assertions_as_grants_are_held_to_it(app: TestApp) {
        const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        let scene = Scene::new(app).await;
        let api = "https://payments.example/api";
        scene.app.resource(&scene.tenant, api, &["pay"]).await;
        let more = json!({ "grant_types": [GRANT], "redirect_uris": [], "response_types": [], "scope": "pay", "skip_consent": null });
        let bank = Bank::new(&scene, more.clone()).await;
        let loose = Bank::new(&scene, with(more, &json!({ "security_profile": "none" }))).await;
        let (own, rsa) = (key(SigningAlgorithm::Es256), key(SigningAlgorithm::Rs256));
        let issuers = json!([{
            "issuer": "https://idp.example", "jwks": { "keys": [own.public_jwk(), rsa.public_jwk()] }, "subjects": "email", "scope": "pay",
            "clients": [bank.rp.client.client_id(), loose.rp.client.client_id()],
        }]);
        scene.app.change_settings(&scene.tenant, |settings| {
            settings.assertion_issuers = serde_json::from_value(issuers.clone()).expect("issuers");
        }).await;
        let now = scene.app.provider.clock.unix();
        let signed = |key: &SigningKey, more: &Value| {
            let usual = json!({
                "iss": "https://idp.example", "sub": "ana", "email": scene.user.email, "email_verified": true, "aud": scene.tenant.issuer,
                "iat": now, "exp": now + 60, "jti": Clock::system().uuid_v4(),
            });
            key.sign_jwt("JWT", &with(usual, more)).expect("signed")
        };
        let at_endpoint = json!({ "aud": scene.tenant.url("/token") });
        let cases = || [(signed(&own, &json!({})), true), (signed(&rsa, &json!({})), false), (signed(&own, &at_endpoint), false), (signed(&own, &json!({ "iat": now + 61 })), false)];
        for (assertion, is_good) in cases() {
            let form = [("grant_type", GRANT), ("assertion", assertion.as_str())];
            let answer = bank.token(&scene, &form).await;
            if is_good {
                assert_eq!(answer.expect_ok().json()["token_type"], "DPoP");
            } else {
                answer.expect_error(400, "invalid_grant");
            }
        }
        // Nothing that anybody could use.
        let assertion = signed(&own, &json!({}));
        let form = [("grant_type", GRANT), ("assertion", assertion.as_str())];
        expect(&bank.request(&scene, "/token", &form).send().await, 400, "invalid_request", "DPoP");
        bank.token(&scene, &form).await.expect_ok();
        // Without the profile two of them are good.
        for (assertion, _) in cases().into_iter().take(3) {
            let form = [("grant_type", GRANT), ("assertion", assertion.as_str())];
            loose.request(&scene, "/token", &form).send().await.expect_ok();
        }
    }

    /// Security Profile §5.2.3: browsers come to the authorization endpoint by a redirect, and over TLS only.
    async fn the_authorization_endpoint_is_no_pages_to_read(app: TestApp) {
        let scene = Scene::new(app).await;
        let public = scene.app.public_client(&scene.tenant).await;
        let board = "https://board.example";
        assert!(public.redirect_uri().starts_with(board));
        for (path, admitted) in [("/authorize", None), ("/authorize/continue", None), ("/token", Some(board))] {
            let url = scene.tenant.url(path);
            let asked = scene.app.http.request(actix_web::http::Method::OPTIONS, &url);
            let asked = asked.header("origin", board).header("access-control-request-method", "POST").send().await;
            assert_eq!(asked.header("access-control-allow-origin"), admitted, "{path}");
            let answer = scene.app.get(&url).header("origin", board).send().await;
            assert_eq!(answer.header("access-control-allow-origin"), admitted, "{path}");
        }
    }

    /// What `docs/src/fapi.md` shows is what happens.
    async fn the_page_says_what_happens(app: TestApp) {
        const PAGE: &str = include_str!("../../../docs/src/fapi.md");
        let block = |language: &str| PAGE.split(&format!("```{language}\n")).nth(1).and_then(|rest| rest.split("\n```").next()).expect("a block");
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let document: Value = serde_json::from_str(block("json")).expect("JSON");
        let made = admin.post("/tenants/acme/clients", &document).await;
        assert_eq!((made.status, &made.json()["security_profile"]), (201, &document["security_profile"]), "{}", made.body);
        let (name, value) = block("sh").split_once("--set ").and_then(|(_, rest)| rest.split_once('=')).expect("a setting");
        let changed = admin.patch("/tenants/acme/settings", &json!({ name: value })).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        for profile in SecurityProfile::ALL {
            assert!(PAGE.contains(&format!("| `{}` |", profile.as_str())));
        }
        // Each test that is named to hold a clause is there.
        let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let named: Vec<_> = PAGE.split('`').filter(|word| word.contains("::")).collect();
        assert!(named.len() > 20, "{named:?}");
        for test in named {
            let (module, name) = test.rsplit_once("::").expect("a module and a test");
            let file = match module.strip_prefix("specs::") {
                Some(spec) => format!("tests/integration/specs/{}.rs", spec.replace("::", "/")),
                None => format!("src/{}.rs", module.replace("::", "/")),
            };
            let text = std::fs::read_to_string(sources.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(text.contains(&format!("fn {name}(")), "{test}");
        }
    }

    async fn pushes_of_a_client_are_counted(app: TestApp) {
        let scene = Scene::new(app).await;
        let public = scene.with(&scene.app.public_client(&scene.tenant).await);
        let other = scene.with(&scene.app.web_client(&scene.tenant).await);
        scene.app.change_settings(&scene.tenant, |settings| settings.pushed_request_rate = 10).await;
        for rp in [&scene.rp, &public] {
            for _ in 0..10 {
                assert_eq!(rp.push(&[]).await.status, 201);
            }
            let answer = rp.push(&[]).await;
            answer.expect_error(429, "too_many_requests");
        }
        assert_eq!(other.push(&[]).await.status, 201, "another's are counted apart");
        scene.app.time.advance(std::time::Duration::from_mins(1));
        assert_eq!(scene.rp.push(&[]).await.status, 201);
    }
}
