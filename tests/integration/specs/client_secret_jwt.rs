//! `client_secret_jwt` (OpenID Connect Core §9, RFC 7523): a client proves by an HMAC that it has its secret, and never sends it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jws::{HS256, HS384, HS512, JwsSigner};
use serde_json::{Value, json};
use tessera::clock::Clock;
use tessera::domain::settings::RegistrationPolicy;
use tessera::flows::admin::By;

use super::bulk::{export, import};
use super::console::administrator;
use super::seed::{Scene, text};
use crate::support::admin::Admin;
use crate::support::app::app_test;
use crate::support::dpop::with;
use crate::support::http::{Answer, Http};
use crate::support::secrets::expect_not_kept;

const METHOD: &str = "client_secret_jwt";

/// A client as the administration API made it.
#[derive(Clone)]
struct Holder {
    id: String,
    secret: String,
    issuer: String,
    http: Http,
    clock: Clock,
}

impl Holder {
    fn of(scene: &Scene, made: &Value) -> Self {
        Self {
            id: text(made, "client_id").to_owned(),
            secret: text(made, "client_secret").to_owned(),
            issuer: scene.tenant.issuer.clone(),
            http: scene.app.http.clone(),
            clock: scene.app.provider.clock.clone(),
        }
    }

    fn claims(&self) -> Value {
        let now = self.clock.unix();
        json!({ "iss": self.id, "sub": self.id, "aud": self.issuer, "exp": now + 60, "iat": now, "jti": Clock::system().uuid_v4() })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        hmac(self.secret.as_bytes(), header, claims)
    }

    fn assertion(&self) -> String {
        self.sign(&json!({ "alg": "HS256", "typ": "JWT" }), &self.claims())
    }

    async fn present(&self, assertion: &str) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", assertion),
        ];
        self.http
            .post(&format!("{}/token", self.issuer))
            .form(&form)
            .send()
            .await
    }

    /// The status that a fresh assertion gets.
    async fn status(&self) -> u16 {
        self.present(&self.assertion()).await.status
    }
}

/// A compact JWT by HMAC.
fn hmac(secret: &[u8], header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", encode(header), encode(claims));
    let signer: Box<dyn JwsSigner> = match header["alg"].as_str() {
        Some("HS384") => Box::new(HS384.signer_from_bytes(secret).expect("a signer")),
        Some("HS512") => {
            let long = secret.repeat(2);
            Box::new(HS512.signer_from_bytes(long).expect("a signer"))
        }
        _ => Box::new(HS256.signer_from_bytes(secret).expect("a signer")),
    };
    let signature = signer.sign(input.as_bytes()).expect("signed");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn machine(method: &str) -> Value {
    json!({ "client_name": "Job", "grant_types": ["client_credentials"], "response_types": [], "token_endpoint_auth_method": method })
}

async fn make(scene: &Scene, admin: &Admin, metadata: &Value) -> Holder {
    let made = admin.post("/tenants/acme/clients", metadata).await;
    assert_eq!(made.status, 201, "{}", made.body);
    Holder::of(scene, &made.json())
}

/// Whether each client's secrets can be read.
fn sealed(scene: &Scene) -> Vec<String> {
    scene.app.database.raw().texts(
        "SELECT (CASE WHEN sealed_secret IS NULL THEN 'hash' ELSE 'sealed' END) || (CASE WHEN previous_sealed_secret IS NULL THEN '' ELSE ' twice' END) AS value \
         FROM clients WHERE name = 'Job' ORDER BY id",
    )
}

app_test! {
    async fn a_client_proves_itself_by_its_secret(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let holder = make(&scene, &admin, &machine(METHOD)).await;
        assert_eq!(holder.status().await, 200);
        assert_eq!(sealed(&scene), ["sealed"]);
        let metadata = scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        for endpoint in ["token", "revocation", "introspection"] {
            let list = |name: &str| metadata[format!("{endpoint}_endpoint_auth_{name}_supported")].as_array().expect("a list").clone();
            assert!(list("methods").contains(&json!(METHOD)), "{endpoint}");
            let algorithms = list("signing_alg_values");
            assert!(algorithms.contains(&json!("HS256")), "{endpoint}");
            assert!(!algorithms.contains(&json!("HS512")) && !algorithms.contains(&json!("none")), "{endpoint}");
        }
        // At the other endpoints that ask who is there.
        for path in ["/introspect", "/revoke"] {
            let form = [("token", "x"), ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), ("client_assertion", &holder.assertion())];
            scene.app.post(&scene.tenant.url(path), &form).send().await.expect_ok();
        }
        // Nobody finds the secret in the database: only its hash and what is sealed.
        expect_not_kept(&mut scene.app.database.raw(), "clients", &holder.secret);
    }

    /// The rules are those of `private_key_jwt`.
    async fn an_assertion_says_what_it_must(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let holder = make(&scene, &admin, &machine(METHOD)).await;
        let now = scene.app.provider.clock.unix();
        let header = json!({ "alg": "HS256" });
        for changes in [
            json!({ "iss": "x" }), json!({ "sub": "x" }), json!({ "aud": "https://evil.example" }), json!({ "aud": [holder.issuer] }), json!({ "aud": null }),
            json!({ "exp": now - 60 }), json!({ "exp": now + 7_200 }), json!({ "exp": null }), json!({ "nbf": now + 61 }), json!({ "jti": null }), json!({ "jti": "" }),
        ] {
            let answer = holder.present(&holder.sign(&header, &with(holder.claims(), &changes))).await;
            assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"), "{changes}: {}", answer.body);
        }
        let endpoint = with(holder.claims(), &json!({ "aud": scene.tenant.url("/token") }));
        assert_eq!(holder.present(&holder.sign(&header, &endpoint)).await.status, 200);
        scene.app.change_settings(&scene.tenant, |settings| settings.require_issuer_audience = true).await;
        let again = with(endpoint, &json!({ "jti": "another" }));
        holder.present(&holder.sign(&header, &again)).await.expect_error(401, "invalid_client");
        assert_eq!(holder.status().await, 200);
    }

    async fn an_assertion_is_good_once_on_all_nodes(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let holder = make(&scene, &admin, &machine(METHOD)).await;
        let node = scene.second_node().await;
        let there = Holder { http: node.http.clone(), ..holder.clone() };
        let assertion = holder.assertion();
        assert_eq!(holder.present(&assertion).await.status, 200);
        holder.present(&assertion).await.expect_error(401, "invalid_client");
        there.present(&assertion).await.expect_error(401, "invalid_client");
        assert_eq!(there.status().await, 200);
    }

    /// RFC 8725 §2.1, §3.1: one algorithm, one key, and never those of another method.
    async fn nothing_of_another_method_or_algorithm_counts(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let holder = make(&scene, &admin, &machine(METHOD)).await;
        let forged = Holder { secret: "a guess that is long enough for an HMAC".into(), ..holder.clone() };
        forged.present(&forged.assertion()).await.expect_error(401, "invalid_client");
        for algorithm in ["HS384", "HS512"] {
            let assertion = holder.sign(&json!({ "alg": algorithm }), &holder.claims());
            holder.present(&assertion).await.expect_error(401, "invalid_client");
        }
        let (input, _) = holder.assertion().rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a signature");
        for assertion in [format!("{input}."), format!("{input}.AAAA"), input, "x".into(), holder.sign(&json!({ "alg": "HS256", "typ": "at+jwt" }), &holder.claims())] {
            holder.present(&assertion).await.expect_error(401, "invalid_client");
        }
        // What names an algorithm of the other method, though the HMAC is right.
        holder.present(&holder.sign(&json!({ "alg": "ES256" }), &holder.claims())).await.expect_error(401, "invalid_client");
        // The secret itself is taken in no other way.
        let url = scene.tenant.url("/token");
        let grant = ("grant_type", "client_credentials");
        scene.app.post(&url, &[grant]).basic(&holder.id, &holder.secret).send().await.expect_error(401, "invalid_client");
        let posted = [grant, ("client_id", holder.id.as_str()), ("client_secret", holder.secret.as_str())];
        scene.app.post(&url, &posted).send().await.expect_error(401, "invalid_client");
        // Nor an HMAC by whoever registered to send the secret, or to sign by a key whose public part anybody has.
        let basic = make(&scene, &admin, &machine("client_secret_basic")).await;
        basic.present(&basic.assertion()).await.expect_error(401, "invalid_client");
        let key = tessera::jose::keys::SigningKey::generate(tessera::protocol::SigningAlgorithm::Es256, tessera::jose::keys::RsaBits::default()).expect("a key").key;
        let jwks = json!({ "keys": [key.public_jwk()] });
        let made = admin.post("/tenants/acme/clients", &with(machine("private_key_jwt"), &json!({ "jwks": jwks }))).await.json();
        let by_key = Holder { id: text(&made, "client_id").to_owned(), ..holder.clone() };
        for secret in [key.public_jwk().to_string(), jwks.to_string(), key.kid().to_owned()] {
            let secret = format!("{secret:32}");
            by_key.present(&hmac(secret.as_bytes(), &json!({ "alg": "HS256", "kid": key.kid() }), &by_key.claims())).await.expect_error(401, "invalid_client");
        }
        assert_eq!(by_key.present(&key.sign_jwt("JWT", &by_key.claims()).expect("signed")).await.status, 200);
        // Its own key doesn't help a client that registered a secret.
        holder.present(&key.sign_jwt("JWT", &holder.claims()).expect("signed")).await.expect_error(401, "invalid_client");
        assert_eq!(holder.status().await, 200);
    }

    async fn the_algorithm_can_be_registered(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let named = with(machine(METHOD), &json!({ "token_endpoint_auth_signing_alg": "HS256" }));
        assert_eq!(make(&scene, &admin, &named).await.status().await, 200);
        for (method, algorithm) in [(METHOD, "ES256"), (METHOD, "HS512"), (METHOD, "none"), ("client_secret_basic", "HS256")] {
            let metadata = with(machine(method), &json!({ "token_endpoint_auth_signing_alg": algorithm }));
            let answer = admin.post("/tenants/acme/clients", &metadata).await;
            assert_eq!((answer.status, &answer.json()["errors"][0]["pointer"]), (422, &json!("/token_endpoint_auth_signing_alg")), "{method} {algorithm}");
        }
    }

    /// A rotation leaves the secret before good for as long as was said.
    async fn both_secrets_are_good_while_one_takes_over(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let holder = make(&scene, &admin, &machine(METHOD)).await;
        let path = format!("/tenants/acme/clients/{}", holder.id);
        let rotated = admin.post(&format!("{path}/rotate-secret"), &json!({ "overlap_seconds": 60 })).await;
        assert_eq!(rotated.status, 200, "{}", rotated.body);
        let next = Holder { secret: text(&rotated.json(), "client_secret").to_owned(), ..holder.clone() };
        assert_eq!((sealed(&scene), holder.status().await, next.status().await), (vec!["sealed twice".to_owned()], 200, 200));
        scene.app.time.advance(Duration::from_mins(1));
        assert_eq!((holder.status().await, next.status().await), (401, 200));
        let rotated = admin.post(&format!("{path}/rotate-secret"), &json!({ "overlap_seconds": 0 })).await.json();
        let last = Holder { secret: text(&rotated, "client_secret").to_owned(), ..holder.clone() };
        assert_eq!((next.status().await, last.status().await), (401, 200));
    }

    /// A secret that is kept as a hash can't be read: the client gets another, and what could be read is gone once it isn't needed.
    async fn a_client_changes_its_method(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let basic = make(&scene, &admin, &machine("client_secret_basic")).await;
        let path = format!("/tenants/acme/clients/{}", basic.id);
        assert_eq!(sealed(&scene), ["hash"]);
        let changed = admin.patch(&path, &json!({ "token_endpoint_auth_method": METHOD })).await.expect_ok().json();
        let signing = Holder { secret: text(&changed, "client_secret").to_owned(), ..basic.clone() };
        assert_ne!(signing.secret, basic.secret);
        assert_eq!((sealed(&scene), basic.status().await, signing.status().await), (vec!["sealed".to_owned()], 401, 200));
        // A change of something else makes no other.
        let renamed = admin.patch(&path, &json!({ "contacts": ["ops@acme.example"] })).await.expect_ok().json();
        assert_eq!((renamed.get("client_secret"), signing.status().await), (None, 200));
        let back = admin.patch(&path, &json!({ "token_endpoint_auth_method": "client_secret_basic" })).await.expect_ok().json();
        assert_eq!((back.get("client_secret"), sealed(&scene)), (None, vec!["hash".to_owned()]));
        let token = scene.app.post(&scene.tenant.url("/token"), &[("grant_type", "client_credentials")]).basic(&signing.id, &signing.secret);
        token.send().await.expect_ok();
        assert_eq!(signing.status().await, 401);
    }

    /// A client whose secret isn't there to be read, whoever left it so: refused, and the reason is where an administrator looks.
    async fn a_secret_that_cannot_be_read_is_no_secret(app: TestApp) {
        let scene = Scene::new(app).await;
        let client = scene.app.client(&scene.tenant, machine(METHOD)).await;
        let holder = Holder::of(&scene, &json!({ "client_id": client.client_id(), "client_secret": client.secret() }));
        holder.present(&holder.assertion()).await.expect_error(401, "invalid_client");
        let detail = scene.app.database.raw().texts("SELECT detail AS value FROM audit_events WHERE act = 'client.authentication_failed'");
        assert!(detail.iter().any(|detail| detail.contains("rotate")), "{detail:?}");
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let rotated = admin.act(&format!("/tenants/acme/clients/{}/rotate-secret", holder.id)).await.expect_ok().json();
        assert_eq!(Holder::of(&scene, &rotated).status().await, 200);
    }

    /// RFC 7591, RFC 7592: a client registers it for itself, reads its secret again, and changes to it.
    async fn a_client_registers_it_itself(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.registration = RegistrationPolicy::Open).await;
        let metadata = json!({ "client_name": "Job", "redirect_uris": ["https://job.example/cb"], "token_endpoint_auth_method": METHOD, "token_endpoint_auth_signing_alg": "HS256" });
        let register = async |metadata: &Value| {
            let answer = scene.app.http.post(&scene.tenant.url("/register")).body("application/json", metadata.to_string()).send().await;
            assert_eq!(answer.status, 201, "{}", answer.body);
            answer.json()
        };
        let proves = async |made: &Value| {
            let holder = Holder::of(&scene, made);
            let form = [("token", "x"), ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), ("client_assertion", &holder.assertion())];
            scene.app.post(&scene.tenant.url("/revoke"), &form).send().await.status
        };
        let made = register(&metadata).await;
        assert_eq!(proves(&made).await, 200);
        let configure = |made: &Value| scene.app.get(text(made, "registration_client_uri")).bearer(text(made, "registration_access_token")).send();
        assert_eq!(configure(&made).await.expect_ok().json()["client_secret"], made["client_secret"]);
        // One that sent its secret so far signs with the same from now on: it follows from the token.
        let basic = register(&with(metadata, &json!({ "token_endpoint_auth_method": null, "token_endpoint_auth_signing_alg": null }))).await;
        assert_eq!(proves(&basic).await, 401);
        let change = json!({ "client_id": basic["client_id"], "client_name": "Job", "redirect_uris": ["https://job.example/cb"], "token_endpoint_auth_method": METHOD });
        let changed = scene.app.http.request(actix_web::http::Method::PUT, text(&basic, "registration_client_uri")).bearer(text(&basic, "registration_access_token"))
            .body("application/json", change.to_string()).send().await.expect_ok().json();
        assert_eq!(changed["client_secret"], basic["client_secret"]);
        assert_eq!(proves(&changed).await, 200);
        assert_eq!(sealed(&scene), ["sealed", "sealed"]);
    }

    /// A tenant that moves takes along what its clients sign with; the hash alone would be no use to them.
    async fn a_tenant_moves_with_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let first = make(&scene, &admin, &machine(METHOD)).await;
        let rotated = admin.post(&format!("/tenants/acme/clients/{}/rotate-secret", first.id), &json!({ "overlap_seconds": 3600 })).await.expect_ok().json();
        let second = Holder { secret: text(&rotated, "client_secret").to_owned(), ..first.clone() };
        let text = export(&scene.app, &scene.tenant).await;
        assert!(!text.contains(&first.secret) && !text.contains(&second.secret));
        let by = By::command_line();
        scene.app.provider.delete_tenant("acme", &by).await.expect("deleted");
        assert_eq!(second.status().await, 404);
        // Without what is sealed it could never sign: refused, and what to do is said.
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let without = |name: &str| {
            let drop = |line: &Value| match line.get("client") {
                Some(client) if client["client_id"] == first.id => json!({ "client": with(client.clone(), &json!({ name: null })) }),
                _ => line.clone(),
            };
            lines.iter().map(|line| drop(line).to_string()).collect::<Vec<_>>().join("\n")
        };
        let refused = import(&scene.app, &without("sealed_client_secret")).await.expect_err("a hash alone");
        assert!(refused.problems[0].to_string().contains("sealed_client_secret: must be there"), "{}", refused.problems[0]);
        // Nor does what was sealed for another client open.
        let foreign = text.replace(&first.id, "018f3a4e-1111-7222-8333-444455556666");
        let refused = import(&scene.app, &foreign).await.expect_err("another's");
        assert!(refused.problems[0].to_string().contains("sealed_client_secret"), "{}", refused.problems[0]);
        import(&scene.app, &text).await.expect("imported");
        assert_eq!((first.status().await, second.status().await), (200, 200));
        // One that comes from elsewhere brings its own, if it is long enough for HS256 (RFC 7518 §3.2).
        let brought = |slug: &str, secret: &str| {
            let client = with(machine(METHOD), &json!({ "client_id": "018f3a4e-1111-7222-8333-444455557777", "client_secret": secret }));
            format!("{}\n{}", json!({ "tenant": { "slug": slug, "name": "Other" } }), json!({ "client": client }))
        };
        let refused = import(&scene.app, &brought("short", &"x".repeat(31))).await.expect_err("too short");
        assert!(refused.problems[0].to_string().contains("client.client_secret"), "{}", refused.problems[0]);
        let secret = "a secret of thirty-two characters";
        import(&scene.app, &brought("other", secret)).await.expect("imported");
        let other = Holder {
            id: "018f3a4e-1111-7222-8333-444455557777".to_owned(), secret: secret.to_owned(), issuer: scene.app.provider.config.public_url.issuer("other"), ..first.clone()
        };
        assert_eq!(other.status().await, 200);
    }

    async fn it_is_chosen_at_the_console(app: TestApp) {
        let scene = Scene::new(app).await;
        let client = scene.app.client(&scene.tenant, machine("client_secret_basic")).await;
        let (mut browser, _) = administrator(&scene).await;
        let page = browser.open(&scene.tenant.url(&format!("/console/clients/{}/edit", client.client_id()))).await;
        let fields = [
            ("client_name", "Job"), ("grant_types", "client_credentials"), ("token_endpoint_auth_method", METHOD), ("token_endpoint_auth_signing_alg", "HS256"),
            ("dpop_bound_access_tokens", "1"), ("require_dpop_nonce", "1"),
        ];
        // What doesn't go together stands beside its field.
        let mixed = fields.map(|(name, value)| if name == "token_endpoint_auth_signing_alg" { (name, "ES256") } else { (name, value) });
        let again = browser.submit(&page, &mixed).await;
        assert_eq!(again.answer.status, 422);
        again.expect_id("token_endpoint_auth_signing_alg-problem");
        // A secret that only its hash is known of can't be signed with: it gets a new one, which is shown.
        let done = browser.submit(&page, &fields).await;
        assert_eq!(done.answer.status, 200, "{}", done.answer.body);
        let shown = done.answer.body.split_once("id=\"secret\">").and_then(|(_, rest)| rest.split('<').next()).expect("the new secret");
        let holder = Holder::of(&scene, &json!({ "client_id": client.client_id(), "client_secret": shown }));
        assert_ne!(shown, client.secret());
        // And its tokens are bound from now on.
        let answer = holder.present(&holder.assertion()).await;
        answer.expect_error(400, "invalid_dpop_proof");
        let stored = crate::specs::console_clients::stored(&scene, client.id).await.metadata;
        assert!(stored.dpop_bound_access_tokens && stored.require_dpop_nonce);
    }

    /// Another tenant has another data key: what is sealed is bound to its place.
    async fn an_assertion_is_nothing_at_another_tenant(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let (one, two) = (make(&scene, &admin, &machine(METHOD)).await, make(&scene, &admin, &machine(METHOD)).await);
        let globex = scene.app.tenant("globex").await;
        let elsewhere = Holder { issuer: globex.issuer.clone(), ..one.clone() };
        elsewhere.present(&elsewhere.assertion()).await.expect_error(401, "invalid_client");
        elsewhere.present(&one.assertion()).await.expect_error(401, "invalid_client");
        // A row with another's sealed secret opens nothing, and is no refusal of the client's but a fault of ours.
        scene.app.database.raw()
            .execute("UPDATE clients SET sealed_secret = (SELECT c.sealed_secret FROM clients c WHERE c.name = 'Job' ORDER BY c.id LIMIT 1) WHERE name = 'Job'").expect("mixed");
        let node = scene.second_node().await;
        let there = |holder: &Holder| Holder { http: node.http.clone(), ..holder.clone() };
        let mut statuses = [there(&one).status().await, there(&two).status().await];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 500]);
    }
}
