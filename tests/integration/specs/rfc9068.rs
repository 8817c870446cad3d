//! RFC 9068: JWT access tokens.

use serde_json::json;
use tessera::domain::role::Role;
use tessera::jose::jws::Type;
use tessera::jose::keys::{Expect, VerificationKeys};
use tessera::protocol::SigningAlgorithm;

use super::seed::{Scene, text};
use crate::support::app::app_test;
use crate::support::relying_party::{claims, header};

app_test! {
    async fn an_access_token_is_verified_by_nothing_but_the_published_keys(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.grant_role(Role::UserManager).await;
        let body = scene.tokens().await;
        let token = text(&body, "access_token");
        let jwks = scene.app.get(&scene.tenant.url("/jwks")).send().await.expect_ok().json();
        let keys = VerificationKeys::from_jwks(&jwks).expect("keys");
        keys.verify(token, Expect::own(Type::Required(&["at+jwt"]), &SigningAlgorithm::ALL)).expect("a good signature");
        keys.verify(text(&body, "id_token"), Expect::own(Type::Required(&["JWT"]), &SigningAlgorithm::ALL)).expect("a good signature");
        assert_eq!((&header(token)["typ"], &header(token)["alg"]), (&json!("at+jwt"), &json!("ES256")));
        let told = claims(token);
        let tenant = scene.loaded().await;
        for (name, value) in [
            ("iss", json!(scene.tenant.issuer)), ("sub", json!(scene.user.id)), ("aud", json!(scene.tenant.issuer)),
            ("client_id", json!(scene.rp.client.client_id())), ("scope", json!("openid profile email offline_access")),
            ("tenant", json!("acme")), ("tenant_id", json!(tenant.id())), ("roles", json!(["user-manager"])), ("amr", json!(["pwd"])),
        ] {
            assert_eq!(told[name], value, "{name}");
        }
        assert_eq!(told["exp"].as_i64(), told["iat"].as_i64().map(|at| at + 300));
        for name in ["jti", "sid", "grant_id", "auth_time", "acr"] {
            assert!(told.get(name).is_some(), "{name}");
        }
    }

    async fn only_a_token_of_this_tenant_address_and_type_is_accepted(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens().await;
        let key = scene.app.provider.signer(&scene.loaded().await, SigningAlgorithm::Es256).await.expect("a key");
        let sound = claims(text(&body, "access_token"));
        assert!(scene.is_active(&key.sign_jwt("at+jwt", &sound).expect("signed")).await);
        let (now, other) = (scene.app.provider.clock.unix(), scene.app.provider.clock.uuid_v7());
        let stranger = scene.app.web_client(&scene.tenant).await.client_id();
        for (typ, name, value) in [
            ("JWT", "iat", json!(now)), ("logout+jwt", "iat", json!(now)), ("at+jwt", "tenant_id", json!(other)),
            ("at+jwt", "iss", json!("https://removed.acme.example")), ("at+jwt", "exp", json!(now)), ("at+jwt", "exp", json!("never")),
            ("at+jwt", "client_id", json!(stranger)), ("at+jwt", "client_id", json!(other)), ("at+jwt", "grant_id", json!(other)),
        ] {
            let mut forged = sound.clone();
            forged[name] = value.clone();
            let token = key.sign_jwt(typ, &forged).expect("signed");
            assert!(!scene.is_active(&token).await, "{typ} {name} {value}");
            scene.rp.userinfo(&token).await.expect_error(401, "invalid_token");
        }
    }

    async fn lifetimes_are_the_clients_else_the_tenants(app: TestApp) {
        let scene = Scene::new(app).await;
        let client = scene.app.client(&scene.tenant, json!({ "grant_types": ["client_credentials"], "response_types": [], "access_token_lifetime": 60 })).await;
        assert_eq!(scene.with(&client).client_credentials(&[]).await.body["expires_in"], 60);
        scene.app.change_settings(&scene.tenant, |settings| settings.access_token_lifetime = 900).await;
        let machine = scene.with(&scene.app.machine_client(&scene.tenant, "").await);
        assert_eq!(machine.client_credentials(&[]).await.body["expires_in"], 900);
        // No token outlives its grant.
        let body = scene.tokens_but(|grant, _| grant.expires_at = grant.created_at + chrono::Duration::seconds(100)).await;
        assert!(body["expires_in"].as_i64().is_some_and(|seconds| (99..=100).contains(&seconds)), "{body}");
    }

    async fn id_tokens_are_signed_as_the_client_registered(app: TestApp) {
        let mut scene = Scene::new(app).await;
        for algorithm in ["RS256", "PS256", "EdDSA", "ES256"] {
            let client = scene.app.client(&scene.tenant, json!({
                "redirect_uris": ["https://orders.example/callback"], "scope": "openid", "id_token_signed_response_alg": algorithm,
            })).await;
            scene.rp = scene.with(&client).with_scope("openid");
            let body = scene.tokens().await;
            assert_eq!(header(text(&body, "id_token"))["alg"], algorithm);
        }
    }

    async fn access_tokens_are_signed_as_the_client_registered(app: TestApp) {
        let scene = Scene::new(app).await;
        for algorithm in ["RS256", "PS256", "EdDSA", "ES256"] {
            let client = scene.app.client(&scene.tenant, json!({
                "grant_types": ["client_credentials"], "response_types": [], "access_token_signed_response_alg": algorithm,
            })).await;
            let rp = scene.with(&client);
            let token = rp.client_credentials(&[]).await.access_token;
            assert_eq!(header(&token)["alg"], algorithm);
            // A verifier finds its key where it finds the others, and our own endpoints accept it.
            let keys = scene.app.get(&scene.tenant.url("/jwks")).send().await.expect_ok().json();
            let kid = &header(&token)["kid"];
            assert!(keys["keys"].as_array().is_some_and(|keys| keys.iter().any(|key| key["kid"] == *kid)), "{keys}");
            assert_eq!(rp.introspect(&token).await["active"], true);
        }
    }

    async fn a_pairwise_subject_is_the_sectors_own(app: TestApp) {
        let mut scene = Scene::new(app).await;
        let mut subjects = Vec::new();
        for host in ["one.example", "one.example", "two.example"] {
            let client = scene.app.client(&scene.tenant, json!({
                "redirect_uris": [format!("https://{host}/callback")], "scope": "openid", "subject_type": "pairwise",
            })).await;
            scene.rp = scene.with(&client).with_scope("openid");
            let body = scene.tokens().await;
            let subject = claims(text(&body, "id_token"))["sub"].clone();
            assert_eq!(claims(text(&body, "access_token"))["sub"], subject);
            assert_eq!(scene.rp.userinfo(text(&body, "access_token")).await.expect_ok().json()["sub"], subject);
            assert!(!body.to_string().contains(&scene.user.id.to_string()));
            subjects.push(subject);
        }
        assert_eq!(subjects[0], subjects[1]);
        assert_ne!(subjects[0], subjects[2]);
    }
}
