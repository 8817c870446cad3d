//! RFC 6749 §2.3 and RFC 7523: how clients prove who they are.

use serde_json::{Value, json};
use tessera::clock::Clock;
use tessera::jose::keys::{RsaBits, SigningKey};
use tessera::protocol::SigningAlgorithm;
use tessera::secret::{generate_client_secret, hash_client_secret};

use super::seed::Scene;
use crate::support::app::{TestClient, TestTenant, app_test};
use crate::support::http::Answer;

const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const TYPE: (&str, &str) = (
    "client_assertion_type",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
);

/// A machine client with a key of its own.
struct Signer {
    key: SigningKey,
    client: TestClient,
    token_url: String,
    issuer: String,
}

impl Signer {
    async fn new(scene: &Scene, more: Value) -> Self {
        let key = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default())
            .expect("a key")
            .key;
        let mut metadata = json!({
            "grant_types": ["client_credentials"], "response_types": [], "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": [key.public_jwk()] },
        });
        for (name, value) in more.as_object().expect("an object") {
            metadata[name] = value.clone();
        }
        let client = scene.app.client(&scene.tenant, metadata).await;
        Self {
            key,
            client,
            token_url: scene.tenant.url("/token"),
            issuer: scene.tenant.issuer.clone(),
        }
    }

    fn claims(&self, scene: &Scene) -> Value {
        let (id, now) = (self.client.client_id(), scene.app.provider.clock.unix());
        json!({ "iss": id, "sub": id, "aud": self.issuer, "exp": now + 60, "iat": now, "jti": Clock::system().uuid_v4() })
    }

    async fn send(&self, scene: &Scene, claims: &Value) -> Answer {
        let assertion = self.key.sign_jwt("JWT", claims).expect("signed");
        present(scene, &self.token_url, &assertion).await
    }
}

async fn present(scene: &Scene, url: &str, assertion: &str) -> Answer {
    scene
        .app
        .post(url, &[GRANT, TYPE, ("client_assertion", assertion)])
        .send()
        .await
}

fn machine(method: &str) -> Value {
    json!({ "grant_types": ["client_credentials"], "response_types": [], "token_endpoint_auth_method": method })
}

fn url(tenant: &TestTenant) -> String {
    tenant.url("/token")
}

app_test! {
    async fn a_secret_comes_as_it_was_registered(app: TestApp) {
        let scene = Scene::new(app).await;
        let basic = scene.app.client(&scene.tenant, machine("client_secret_basic")).await;
        let post = scene.app.client(&scene.tenant, machine("client_secret_post")).await;
        for (client, by_header) in [(&basic, 200), (&post, 401)] {
            let (id, secret) = (client.client_id(), client.secret());
            let answer = scene.app.post(&url(&scene.tenant), &[GRANT]).basic(&id, secret).send().await;
            assert_eq!(answer.status, by_header);
            let answer = scene.app.post(&url(&scene.tenant), &[GRANT, ("client_id", &id), ("client_secret", secret)]).send().await;
            assert_eq!(answer.status, if by_header == 200 { 401 } else { 200 });
        }
        let both = scene.app.post(&url(&scene.tenant), &[GRANT, ("client_id", &basic.client_id()), ("client_secret", basic.secret())]);
        both.basic(&basic.client_id(), basic.secret()).send().await.expect_error(400, "invalid_request");
    }

    async fn a_refusal_says_the_same_for_every_reason(app: TestApp) {
        let scene = Scene::new(app).await;
        let client = scene.app.client(&scene.tenant, machine("client_secret_basic")).await;
        let post = |id: &str, secret: &str| scene.app.post(&url(&scene.tenant), &[GRANT]).basic(id, secret).send();
        assert_eq!(post(&client.client_id(), client.secret()).await.status, 200);
        let (id, unknown) = (client.client_id(), Clock::system().uuid_v4().to_string());
        let mut bodies = Vec::new();
        for (id, secret) in [(id.as_str(), "wrong"), (id.as_str(), &client.secret()[..client.secret().len() - 1]), (&unknown, client.secret()), ("nonsense", "x")] {
            let answer = post(id, secret).await;
            answer.expect_error(401, "invalid_client");
            assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Basic realm=")));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            bodies.push(answer.body);
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        let without = scene.app.post(&url(&scene.tenant), &[GRANT, ("client_id", &id)]).send().await;
        without.expect_error(401, "invalid_client");
        assert_eq!(without.header("www-authenticate"), None, "a browser would ask its user for a password");
        scene.app.post(&url(&scene.tenant), &[GRANT]).send().await.expect_error(401, "invalid_client");
    }

    async fn failures_are_written_down_once_a_minute_and_client(app: TestApp) {
        let scene = Scene::new(app).await;
        let client = scene.app.client(&scene.tenant, machine("client_secret_basic")).await;
        let fail = || scene.app.post(&url(&scene.tenant), &[GRANT]).basic(&client.client_id(), "wrong").send();
        for _ in 0..5 {
            fail().await.expect_error(401, "invalid_client");
        }
        assert_eq!(scene.events("client.authentication_failed"), 1);
        scene.app.time.advance(std::time::Duration::from_mins(1));
        fail().await.expect_error(401, "invalid_client");
        assert_eq!(scene.events("client.authentication_failed"), 2);
        for _ in 0..5 {
            let unknown = Clock::system().uuid_v4().to_string();
            scene.app.post(&url(&scene.tenant), &[GRANT]).basic(&unknown, "x").send().await.expect_error(401, "invalid_client");
        }
        assert_eq!(scene.events("client.authentication_failed"), 3, "invented clients share one");
    }

    async fn the_secret_before_is_good_until_its_end(app: TestApp) {
        let scene = Scene::new(app).await;
        let client = scene.app.client(&scene.tenant, machine("client_secret_basic")).await;
        let fresh = generate_client_secret(&scene.app.provider.clock);
        let hash = hash_client_secret(scene.loaded().await.handle_key(), client.id.uuid(), fresh.expose()).expect("short enough");
        let (id, until) = (client.id, scene.app.provider.now() + chrono::Duration::seconds(60));
        assert!(scene.write(move |repo| repo.rotate_client_secret(id, &hash.into(), Some(until))).await);
        let send = |secret: &str| scene.app.post(&url(&scene.tenant), &[GRANT]).basic(&client.client_id(), secret).send();
        assert_eq!((send(client.secret()).await.status, send(fresh.expose()).await.status), (200, 200));
        scene.app.time.advance(std::time::Duration::from_mins(1));
        assert_eq!((send(client.secret()).await.status, send(fresh.expose()).await.status), (401, 200));
    }

    async fn a_public_client_names_itself_and_nothing_more(app: TestApp) {
        let scene = Scene::public(app).await;
        let (id, code) = (scene.rp.client.client_id(), scene.code().await);
        let answer = scene.app.post(&url(&scene.tenant), &[("grant_type", "authorization_code"), ("code", &code)]).basic(&id, "made-up").send().await;
        answer.expect_error(401, "invalid_client");
        assert_eq!(scene.rp.redeem(&code).await.status, 200);
    }

    async fn an_assertion_is_good_once(app: TestApp) {
        let scene = Scene::new(app).await;
        let signer = Signer::new(&scene, json!({})).await;
        let node = scene.second_node().await;
        let claims = signer.claims(&scene);
        let assertion = signer.key.sign_jwt("JWT", &claims).expect("signed");
        assert_eq!(present(&scene, &signer.token_url, &assertion).await.status, 200);
        present(&scene, &signer.token_url, &assertion).await.expect_error(401, "invalid_client");
        let elsewhere = node.http.post(&signer.token_url).form(&[GRANT, TYPE, ("client_assertion", &assertion)]).send().await;
        elsewhere.expect_error(401, "invalid_client");
        let mut endpoint = signer.claims(&scene);
        endpoint["aud"] = json!(signer.token_url);
        assert_eq!(signer.send(&scene, &endpoint).await.status, 200, "the endpoint's URL is an audience too");
        scene.app.change_settings(&scene.tenant, |settings| settings.require_issuer_audience = true).await;
        endpoint["jti"] = json!("another");
        signer.send(&scene, &endpoint).await.expect_error(401, "invalid_client");
        assert_eq!(signer.send(&scene, &signer.claims(&scene)).await.status, 200);
    }

    async fn an_assertion_says_exactly_what_it_must(app: TestApp) {
        let scene = Scene::new(app).await;
        let signer = Signer::new(&scene, json!({})).await;
        let other = scene.app.machine_client(&scene.tenant, "").await.client_id();
        let now = scene.app.provider.clock.unix();
        for (name, value) in [
            ("iss", json!(other)), ("sub", json!(other)), ("aud", json!("https://evil.example")), ("aud", json!([signer.issuer])),
            ("aud", json!([signer.issuer, "https://evil.example"])), ("exp", json!(now - 60)), ("exp", json!(now + 315_360_000)),
            ("exp", Value::Null), ("nbf", json!(now + 61)), ("iat", json!(now + 61)), ("jti", json!("")), ("jti", Value::Null), ("aud", Value::Null),
        ] {
            let mut claims = signer.claims(&scene);
            if value.is_null() {
                claims.as_object_mut().expect("an object").remove(name);
            } else {
                claims[name] = value.clone();
            }
            let answer = signer.send(&scene, &claims).await;
            assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"), "{name} {value}: {}", answer.body);
        }
        let mut early = signer.claims(&scene);
        early["nbf"] = json!(now + 10);
        assert_eq!(signer.send(&scene, &early).await.status, 200, "clocks differ a little");
    }

    async fn an_assertion_is_signed_by_the_clients_key_and_algorithm(app: TestApp) {
        let scene = Scene::new(app).await;
        let signer = Signer::new(&scene, json!({})).await;
        let stranger = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default()).expect("a key").key;
        let forged = stranger.sign_jwt("JWT", &signer.claims(&scene)).expect("signed");
        present(&scene, &signer.token_url, &forged).await.expect_error(401, "invalid_client");
        for nonsense in ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            present(&scene, &signer.token_url, nonsense).await.expect_error(401, "invalid_client");
        }
        let bound = Signer::new(&scene, json!({ "token_endpoint_auth_signing_alg": "PS256" })).await;
        bound.send(&scene, &bound.claims(&scene)).await.expect_error(401, "invalid_client");
        // Whose client registered a secret has no use for a key.
        let machine = scene.app.machine_client(&scene.tenant, "").await;
        let mut claims = signer.claims(&scene);
        claims["iss"] = json!(machine.client_id());
        claims["sub"] = json!(machine.client_id());
        signer.send(&scene, &claims).await.expect_error(401, "invalid_client");
    }

    async fn an_assertion_for_one_tenant_is_nothing_at_another(app: TestApp) {
        let scene = Scene::new(app).await;
        let signer = Signer::new(&scene, json!({})).await;
        let globex = scene.app.tenant("globex").await;
        let assertion = signer.key.sign_jwt("JWT", &signer.claims(&scene)).expect("signed");
        present(&scene, &url(&globex), &assertion).await.expect_error(401, "invalid_client");
        assert_eq!(present(&scene, &signer.token_url, &assertion).await.status, 200);
    }
}
