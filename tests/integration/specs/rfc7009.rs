//! RFC 7009: revocation.

use serde_json::json;

use super::seed::{Scene, text};
use crate::support::app::app_test;
use crate::support::http::Answer;
use crate::support::relying_party::RelyingParty;

async fn revoke(rp: &RelyingParty, token: &str) -> Answer {
    rp.authenticated("/revoke", &[("token", token)])
        .send()
        .await
}

app_test! {
    async fn a_refresh_token_takes_its_grant_along(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens().await;
        let answer = revoke(&scene.rp, text(&body, "refresh_token")).await;
        assert_eq!((answer.status, answer.body.as_str(), answer.header("cache-control")), (200, "", Some("no-store")));
        scene.rp.refresh(text(&body, "refresh_token")).await.expect_error(400, "invalid_grant");
        scene.rp.userinfo(text(&body, "access_token")).await.expect_error(401, "invalid_token");
        assert_eq!(revoke(&scene.rp, text(&body, "refresh_token")).await.status, 200, "again is no error");
        assert_eq!(scene.events("grant.revoked"), 1);
    }

    async fn an_access_token_dies_alone(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens().await;
        for _ in 0..2 {
            assert_eq!(revoke(&scene.rp, text(&body, "access_token")).await.status, 200);
        }
        scene.rp.userinfo(text(&body, "access_token")).await.expect_error(401, "invalid_token");
        assert!(!scene.is_active(text(&body, "access_token")).await);
        let next = scene.rp.refresh(text(&body, "refresh_token")).await.expect_ok().json();
        assert_eq!(scene.rp.userinfo(text(&next, "access_token")).await.status, 200);
        assert_eq!(scene.events("token.revoked"), 1);
    }

    async fn a_token_without_a_grant_can_be_revoked(app: TestApp) {
        let scene = Scene::new(app).await;
        for format in ["jwt", "opaque"] {
            let client = scene.app.client(&scene.tenant, json!({
                "grant_types": ["client_credentials"], "response_types": [], "access_token_format": format,
            })).await;
            let rp = scene.with(&client);
            let token = rp.client_credentials(&[]).await.access_token;
            assert!(scene.is_active(&token).await);
            assert_eq!(revoke(&rp, &token).await.status, 200);
            assert!(!scene.is_active(&token).await, "{format}");
        }
    }

    async fn nobody_revokes_what_is_anothers(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens().await;
        let other = scene.with(&scene.app.public_client(&scene.tenant).await);
        for name in ["access_token", "refresh_token", "id_token"] {
            assert_eq!(revoke(&other, text(&body, name)).await.status, 200);
        }
        assert_eq!(revoke(&scene.rp, text(&body, "id_token")).await.status, 200);
        assert_eq!(scene.rp.userinfo(text(&body, "access_token")).await.status, 200);
        assert_eq!(scene.rp.refresh(text(&body, "refresh_token")).await.status, 200);
    }

    async fn who_asks_must_be_known_and_say_what(app: TestApp) {
        let scene = Scene::new(app).await;
        let form = [("token", "x"), ("client_id", scene.rp.client.id.to_string().leak() as &str)];
        scene.app.post(&scene.tenant.url("/revoke"), &form).send().await.expect_error(401, "invalid_client");
        scene.app.post(&scene.tenant.url("/revoke"), &form[..1]).send().await.expect_error(401, "invalid_client");
        scene.rp.authenticated("/revoke", &[]).send().await.expect_error(400, "invalid_request");
        assert_eq!(revoke(&scene.rp, "nonsense").await.status, 200);
    }
}
