//! RFC 7662: introspection.

use std::time::Duration;

use serde_json::{Value, json};
use tessera::domain::role::Role;

use super::seed::{Scene, text};
use crate::support::app::app_test;
use crate::support::relying_party::{RelyingParty, claims};

app_test! {
    async fn a_good_token_repeats_its_claims_in_either_form(app: TestApp) {
        let scene = Scene::new(app).await;
        let asking = scene.with(&scene.app.machine_client(&scene.tenant, "").await);
        let body = scene.tokens().await;
        let answer = asking.authenticated("/introspect", &[("token", text(&body, "access_token")), ("token_type_hint", "refresh_token")]).send().await.expect_ok();
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let mut told = answer.json();
        let told = told.as_object_mut().expect("an object");
        assert_eq!((told.remove("active"), told.remove("token_type")), (Some(json!(true)), Some(json!("Bearer"))));
        assert_eq!(Value::Object(told.clone()), claims(text(&body, "access_token")));

        let opaque = scene.app.client(&scene.tenant, json!({
            "redirect_uris": ["https://orders.example/callback"], "grant_types": ["authorization_code", "refresh_token"],
            "scope": "openid profile email offline_access", "access_token_format": "opaque",
        })).await;
        let scene = Scene { rp: scene.with(&opaque), ..scene };
        let body = scene.tokens().await;
        let token = text(&body, "access_token");
        assert!(token.starts_with("tsa_"));
        let told = asking.introspect(token).await;
        assert_eq!((&told["active"], &told["sub"], &told["tenant"]), (&json!(true), &json!(scene.user.id.to_string()), &json!("acme")));
        assert_eq!(scene.rp.userinfo(token).await.status, 200);
        let at = token.len() - 20;
        let broken = format!("{}{}{}", &token[..at], if token.as_bytes()[at] == b'A' { 'B' } else { 'A' }, &token[at + 1..]);
        if broken != token {
            RelyingParty::expect_inactive(&asking.introspect(&broken).await);
        }
        scene.app.time.advance(Duration::from_mins(5));
        RelyingParty::expect_inactive(&asking.introspect(token).await);
    }

    async fn a_refresh_token_is_no_credential_for_an_api(app: TestApp) {
        let scene = Scene::public(app).await;
        let asking = scene.with(&scene.app.machine_client(&scene.tenant, "").await);
        let body = scene.tokens().await;
        let told = asking.introspect(text(&body, "refresh_token")).await;
        assert_eq!((&told["active"], &told["client_id"]), (&json!(true), &json!(scene.rp.client.client_id())));
        assert!(told.get("token_type").is_none());
        scene.rp.refreshed(text(&body, "refresh_token")).await;
        RelyingParty::expect_inactive(&asking.introspect(text(&body, "refresh_token")).await);
    }

    /// Nor is one that its client has lost the grant type for.
    async fn a_refresh_token_that_cannot_be_used_is_inactive(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens().await;
        let (refresh, id) = (text(&body, "refresh_token"), scene.rp.client.id);
        assert_eq!(scene.rp.introspect(refresh).await["active"], true);
        let without = move |repo: &mut tessera::storage::Repo<'_>| {
            let mut client = repo.find_client(id)?.expect("a client");
            client.metadata.grant_types.retain(|grant| grant.as_str() != "refresh_token");
            repo.update_client(&client)
        };
        assert!(scene.write(without).await);
        RelyingParty::expect_inactive(&scene.rp.introspect(refresh).await);
        scene.rp.refresh(refresh).await.expect_error(400, "unauthorized_client");
    }

    async fn whatever_is_not_good_is_inactive_and_nothing_else_is_said(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens().await;
        for token in [text(&body, "id_token"), "x", "a.b.c", "tsa_AAAA", "tsr_AAAA"] {
            RelyingParty::expect_inactive(&scene.rp.introspect(token).await);
        }
        let forged = format!("{}.{}", text(&body, "access_token").rsplit_once('.').expect("a JWT").0, "AAAA");
        RelyingParty::expect_inactive(&scene.rp.introspect(&forged).await);
        scene.set_disabled(true).await;
        for name in ["access_token", "refresh_token"] {
            RelyingParty::expect_inactive(&scene.rp.introspect(text(&body, name)).await);
        }
        scene.set_disabled(false).await;
        assert!(scene.is_active(text(&body, "access_token")).await);
        scene.app.time.advance(Duration::from_mins(5));
        RelyingParty::expect_inactive(&scene.rp.introspect(text(&body, "access_token")).await);
        assert!(scene.is_active(text(&body, "refresh_token")).await);
    }

    async fn the_tokens_of_a_client_that_is_gone_are_inactive(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens().await;
        let machine = scene.app.machine_client(&scene.tenant, "").await;
        let token = scene.with(&machine).client_credentials(&[]).await.access_token;
        assert!(scene.is_active(&token).await);
        let ids = [scene.rp.client.id, machine.id];
        scene.write(move |repo| { repo.delete_client(ids[0])?; repo.delete_client(ids[1]) }).await;
        for token in [text(&body, "access_token"), text(&body, "refresh_token"), &token] {
            assert!(!scene.is_active(token).await);
        }
    }

    async fn roles_are_those_of_this_moment(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.grant_role(Role::Administrator).await;
        let body = scene.tokens().await;
        let id = scene.user.id;
        scene.write(move |repo| repo.revoke_role(id, Role::Administrator)).await;
        let told = scene.rp.introspect(text(&body, "access_token")).await;
        assert!(told["active"] == true && told.get("roles").is_none(), "{told}");
    }

    async fn only_clients_that_authenticate_may_ask(app: TestApp) {
        let scene = Scene::public(app).await;
        let body = scene.tokens().await;
        scene.rp.authenticated("/introspect", &[("token", text(&body, "access_token"))]).send().await.expect_error(401, "invalid_client");
        scene.app.post(&scene.tenant.url("/introspect"), &[("token", text(&body, "access_token"))]).send().await.expect_error(401, "invalid_client");
        let bearer = scene.app.post(&scene.tenant.url("/introspect"), &[("token", text(&body, "access_token"))]);
        bearer.bearer(text(&body, "access_token")).send().await.expect_error(401, "invalid_client");
    }
}
