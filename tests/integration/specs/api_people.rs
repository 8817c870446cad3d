//! The administration API on people's sessions, consents and roles.

use serde_json::json;
use tessera::domain::role::Role;

use super::seed::Scene;
use crate::support::admin::Admin;
use crate::support::app::app_test;

app_test! {
    async fn a_persons_sessions_are_seen_and_ended(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let path = format!("/tenants/acme/sessions?user={}", scene.user.id);
        assert_eq!(admin.get(&path).await.expect_ok().json()["items"], json!([]));
        let first = scene.rp.sign_in(&mut scene.app.browser(), &scene.user).await;
        let second = scene.rp.sign_in(&mut scene.app.browser(), &scene.user).await;
        let listed = admin.get(&path).await.expect_ok().json();
        let sids: Vec<_> = listed["items"].as_array().expect("sessions").iter().map(|session| session["id"].clone()).collect();
        assert_eq!(sids, [second.id_claims()["sid"].clone(), first.id_claims()["sid"].clone()]);
        let one = format!("/tenants/acme/sessions/{}", sids[1].as_str().expect("an id"));
        assert_eq!(admin.delete(&one).await.status, 204);
        assert_eq!(admin.delete(&one).await.status, 204);
        assert!(admin.get(&one).await.expect_ok().json()["ended_at"].is_string());
        // Its tokens end with it, the other's don't.
        assert_eq!(scene.rp.refresh(first.refresh()).await.status, 400);
        let second = scene.rp.refreshed(second.refresh()).await;
        assert_eq!(admin.delete(&path).await.status, 204);
        assert_eq!(admin.get(&path).await.json()["items"], json!([]));
        assert_eq!(scene.rp.refresh(second.refresh()).await.status, 400);
        assert_eq!(scene.events("session.ended"), 2);
        for wrong in ["", "?user=x", "?user="] {
            assert_eq!(admin.get(&format!("/tenants/acme/sessions{wrong}")).await.status, 400, "{wrong}");
            assert_eq!(admin.delete(&format!("/tenants/acme/sessions{wrong}")).await.status, 400, "{wrong}");
        }
        assert_eq!(admin.get("/tenants/acme/sessions?user=00000000-0000-0000-0000-000000000007").await.status, 404);
    }

    async fn a_persons_consents_are_seen_and_withdrawn(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let tokens = scene.rp.sign_in(&mut scene.app.browser(), &scene.user).await;
        let path = format!("/tenants/acme/consents?user={}", scene.user.id);
        let listed = admin.get(&path).await.expect_ok().json();
        let consent = &listed["items"][0];
        assert!(consent["scope"].as_str().is_some_and(|scope| scope.contains("offline_access")), "{listed}");
        let one = format!("/tenants/acme/consents/{}/{}", scene.user.id, consent["client_id"].as_str().expect("an id"));
        assert_eq!(admin.delete(&one).await.status, 204);
        assert_eq!(admin.delete(&one).await.status, 404);
        assert_eq!(admin.get(&path).await.json()["items"], json!([]));
        assert_eq!(scene.rp.refresh(tokens.refresh()).await.status, 400);
        assert_eq!(scene.events("consent.withdrawn"), 1);
    }

    async fn roles_are_granted_and_taken_away(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        assert_eq!(admin.get("/tenants/acme/administrators").await.expect_ok().json()["items"], json!([]));
        let them = Admin::person(&scene.app, &scene.tenant, &scene.user, &[Role::Auditor]).await;
        assert_eq!(them.post("/tenants/acme/users", &json!({ "email": "x@acme.example" })).await.status, 403);
        let role = |name: &str| format!("/tenants/acme/administrators/{}/roles/{name}", scene.user.id);
        // Not by themselves.
        assert_eq!(them.request(actix_web::http::Method::PUT, &role("administrator")).send().await.status, 403);
        let put = async |name: &str| admin.request(actix_web::http::Method::PUT, &role(name)).send().await.status;
        assert_eq!([put("user-manager").await, put("user-manager").await, put("king").await], [204, 204, 404]);
        // The token is the same, and may more.
        assert_eq!(them.post("/tenants/acme/users", &json!({ "email": "x@acme.example" })).await.status, 201);
        let listed = admin.get("/tenants/acme/administrators").await.json();
        assert_eq!((listed["items"].as_array().map(Vec::len), listed["items"][0]["roles"].clone()), (Some(1), json!(["user-manager", "auditor"])));
        assert_eq!(admin.delete(&role("user-manager")).await.status, 204);
        assert_eq!(them.post("/tenants/acme/users", &json!({ "email": "y@acme.example" })).await.status, 403);
        assert_eq!(admin.delete(&role("auditor")).await.status, 204);
        assert_eq!(them.get("/me").await.status, 403);
        assert_eq!((scene.events("role.granted"), scene.events("role.revoked")), (1, 2));
    }
}
