//! Answers that are JWTs: userinfo (OpenID Connect Core §5.3.2) and introspection (RFC 9701).

use serde_json::{Value, json};
use tessera::protocol::SigningAlgorithm;

use super::front_channel::{client, verified};
use super::seed::{Scene, text};
use crate::support::app::app_test;
use crate::support::http::Answer;
use crate::support::relying_party::{RelyingParty, header};

const INTROSPECTION: &str = "application/token-introspection+jwt";

async fn tokens(scene: &Scene, rp: &RelyingParty) -> (String, String) {
    let mut browser = scene.app.browser();
    let tokens = rp.sign_in(&mut browser, &scene.user).await;
    (tokens.access_token, tokens.id_token.expect("an ID token"))
}

async fn asked(rp: &RelyingParty, token: &str, accept: &str) -> Answer {
    rp.authenticated("/introspect", &[("token", token)])
        .header("accept", accept)
        .send()
        .await
}

app_test! {
    /// §5.3.2: by the client's algorithm, with `iss` and `aud` within; plain for the others.
    async fn userinfo_is_signed_for_who_registered_it(app: TestApp) {
        let scene = Scene::new(app).await;
        for algorithm in SigningAlgorithm::ALL {
            let rp = client(&scene, json!({ "userinfo_signed_response_alg": algorithm })).await;
            let (access, id_token) = tokens(&scene, &rp).await;
            let answer = rp.userinfo(&access).await.expect_ok();
            assert_eq!((answer.header("content-type"), answer.header("cache-control")), (Some("application/jwt"), Some("no-store")));
            assert_eq!(header(&answer.body)["alg"], json!(algorithm));
            let told = verified(&scene, &answer.body, "JWT").await;
            for (name, value) in [
                ("iss", json!(scene.tenant.issuer)), ("aud", json!(rp.client.client_id())), ("sub", json!(scene.user.id)), ("email", json!("ana@acme.example")),
            ] {
                assert_eq!(told[name], value, "{name}");
            }
            // By POST, too, and an error stays JSON.
            let posted = scene.app.post(&scene.tenant.url("/userinfo"), &[("access_token", &access)]).send().await.expect_ok();
            assert_eq!(posted.header("content-type"), Some("application/jwt"));
            rp.userinfo("x").await.expect_error(401, "invalid_token");
            // Signed by the tenant as it is, it is no hint of a sign-in, and no token.
            let mut browser = scene.app.browser();
            rp.authorize(&mut browser, &scene.user, &[]).await;
            for (hint, error) in [(&answer.body, Some("invalid_request")), (&id_token, None)] {
                let page = browser.open(&rp.authorization_url(&[("prompt", "none"), ("id_token_hint", hint)])).await;
                assert_eq!(page.answer.location_param("error").as_deref(), error);
            }
            rp.userinfo(&answer.body).await.expect_error(401, "invalid_token");
            assert!(!scene.is_active(&answer.body).await);
        }
        let (access, _) = tokens(&scene, &scene.rp).await;
        let plain = scene.rp.userinfo(&access).await.expect_ok();
        assert_eq!((plain.header("content-type"), plain.json().get("iss")), (Some("application/json"), None));
    }

    /// RFC 9701 §4, §5
    async fn introspection_is_signed_for_who_asks_so(app: TestApp) {
        let scene = Scene::new(app).await;
        let (access, id_token) = tokens(&scene, &scene.rp).await;
        for (registered, algorithm) in [(None, "RS256"), (Some("ES256"), "ES256"), (Some("PS256"), "PS256"), (Some("EdDSA"), "EdDSA")] {
            let mut metadata = json!({ "grant_types": ["client_credentials"], "scope": "" });
            if let Some(name) = registered {
                metadata["introspection_signed_response_alg"] = json!(name);
            }
            let machine = scene.with(&scene.app.client(&scene.tenant, metadata).await);
            let plain = machine.introspect(&access).await;
            let answer = asked(&machine, &access, INTROSPECTION).await.expect_ok();
            assert_eq!((answer.header("content-type"), answer.header("cache-control")), (Some(INTROSPECTION), Some("no-store")));
            let head = header(&answer.body);
            assert_eq!((&head["alg"], &head["typ"]), (&json!(algorithm), &json!("token-introspection+jwt")));
            let told = verified(&scene, &answer.body, "token-introspection+jwt").await;
            assert_eq!((&told["iss"], &told["aud"]), (&json!(scene.tenant.issuer), &json!(machine.client.client_id())));
            assert_eq!(told["iat"].as_i64(), Some(scene.app.provider.clock.unix()));
            assert_eq!((told.get("sub"), told.get("exp")), (None, None));
            assert_eq!(told["token_introspection"], plain);
            // What isn't good is inactive, and nothing else is said of it.
            let inactive = asked(&machine, &id_token, INTROSPECTION).await.expect_ok();
            let told = verified(&scene, &inactive.body, "token-introspection+jwt").await;
            assert_eq!(told["token_introspection"], json!({ "active": false }));
            for accept in ["application/json", "*/*", "application/token-introspection+jwt;q=0"] {
                assert_eq!(asked(&machine, &access, accept).await.expect_ok().json(), plain, "{accept}");
            }
            // It passes for no token.
            machine.userinfo(&answer.body).await.expect_error(401, "invalid_token");
            assert_eq!(machine.introspect(&answer.body).await, json!({ "active": false }));
        }
        // Whoever may not ask gets no signature.
        let machine = scene.with(&scene.app.machine_client(&scene.tenant, "").await);
        let refused = scene.app.post(&scene.tenant.url("/introspect"), &[("token", &access)]).basic(&machine.client.client_id(), "wrong").header("accept", INTROSPECTION);
        refused.send().await.expect_error(401, "invalid_client");
        // Another tenant's token, another tenant's client.
        let globex = scene.app.tenant("globex").await;
        let there = RelyingParty::new(&scene.app, &globex, &scene.app.machine_client(&globex, "").await);
        let answer = asked(&there, &access, INTROSPECTION).await.expect_ok();
        let claims = crate::support::relying_party::claims(&answer.body);
        assert_eq!((text(&claims, "iss"), &claims["token_introspection"]), (globex.issuer.as_str(), &json!({ "active": false })));
    }

    async fn discovery_names_the_algorithms(app: TestApp) {
        let scene = Scene::new(app).await;
        let metadata: Value = scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        for name in ["userinfo", "introspection", "authorization"] {
            assert_eq!(metadata[format!("{name}_signing_alg_values_supported")], json!(SigningAlgorithm::ALL), "{name}");
        }
    }
}
