//! RFC 8707: resources.

use serde_json::json;

use super::seed::{Scene, text};
use crate::support::app::{TestApp, app_test};
use crate::support::http::Answer;
use crate::support::relying_party::claims;

const ORDERS: &str = "https://orders.example/api";
const BILLS: &str = "https://bills.example/api";

async fn scene(app: TestApp) -> Scene {
    let mut scene = Scene::new(app).await;
    scene
        .app
        .resource(
            &scene.tenant,
            ORDERS,
            &["orders:read", "orders:write", "shared"],
        )
        .await;
    scene
        .app
        .resource(&scene.tenant, BILLS, &["bills:read", "shared"])
        .await;
    let client = scene.app.client(&scene.tenant, json!({
        "redirect_uris": ["https://orders.example/callback"], "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "scope": "openid offline_access orders:read orders:write bills:read shared tessera:admin",
    })).await;
    scene.rp = scene
        .with(&client)
        .with_scope("openid offline_access orders:read bills:read shared");
    scene
}

async fn ask(scene: &Scene, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend_from_slice(more);
    scene.rp.token(&form).await
}

app_test! {
    async fn resources_are_the_audience_and_choose_the_scope(app: TestApp) {
        let scene = scene(app).await;
        for (request, aud, scope) in [
            (vec![("resource", ORDERS), ("scope", "orders:read bills:read")], json!(ORDERS), "orders:read"),
            (vec![("resource", ORDERS)], json!(ORDERS), "orders:read orders:write shared"),
            (vec![("resource", ORDERS), ("resource", BILLS), ("scope", "orders:read bills:read")], json!([ORDERS, BILLS]), "orders:read bills:read"),
            (vec![("scope", "shared")], json!(scene.tenant.issuer), "shared"),
        ] {
            let body = ask(&scene, &request).await.expect_ok().json();
            assert_eq!((&claims(text(&body, "access_token"))["aud"], text(&body, "scope")), (&aud, scope), "{request:?}");
        }
        ask(&scene, &[("resource", ORDERS), ("scope", "bills:read")]).await.expect_error(400, "invalid_scope");
    }

    async fn the_admin_api_is_a_resource_of_every_tenant(app: TestApp) {
        let scene = scene(app).await;
        let api = format!("{}/api/v1", scene.app.root());
        let body = ask(&scene, &[("resource", &api), ("scope", "tessera:admin orders:read")]).await.expect_ok().json();
        let access = claims(text(&body, "access_token"));
        assert_eq!((&access["aud"], &access["scope"]), (&json!(api), &json!("tessera:admin")));
        let other = scene.with(&scene.app.machine_client(&scene.tenant, "orders:read").await);
        other.token(&[("grant_type", "client_credentials"), ("resource", &api), ("scope", "tessera:admin")]).await.expect_error(400, "invalid_scope");
    }

    async fn what_is_no_resource_of_the_tenant_or_client_is_refused(app: TestApp) {
        let scene = scene(app).await;
        let globex = scene.app.tenant("globex").await;
        scene.app.resource(&globex, "https://globex.example", &["x"]).await;
        for wrong in ["https://globex.example", "https://nobody.example", "https://orders.example/api/", "orders", "https://orders.example/api#x"] {
            ask(&scene, &[("resource", wrong)]).await.expect_error(400, "invalid_target");
        }
        let bound = scene.app.client(&scene.tenant, json!({
            "grant_types": ["client_credentials"], "response_types": [], "scope": "orders:read bills:read", "resources": [ORDERS],
        })).await;
        let scene = Scene { rp: scene.with(&bound), ..scene };
        assert_eq!(ask(&scene, &[("resource", ORDERS)]).await.status, 200);
        ask(&scene, &[("resource", BILLS)]).await.expect_error(400, "invalid_target");
    }

    async fn a_default_audience_stands_in(app: TestApp) {
        let scene = scene(app).await;
        let client = scene.app.client(&scene.tenant, json!({
            "grant_types": ["client_credentials"], "response_types": [], "scope": "orders:read", "default_audience": ORDERS,
        })).await;
        assert_eq!(scene.with(&client).client_credentials(&[]).await.access_claims()["aud"], ORDERS);
    }

    async fn a_code_and_a_refresh_narrow_to_granted_resources_only(app: TestApp) {
        let scene = scene(app).await;
        let body = scene.tokens_but(|grant, _| grant.resources = vec![ORDERS.into(), BILLS.into()]).await;
        assert_eq!(claims(text(&body, "access_token"))["aud"], json!([ORDERS, BILLS]));
        let refresh = |resource: &'static str| {
            let form = [("grant_type", "refresh_token"), ("refresh_token", text(&body, "refresh_token")), ("resource", resource)];
            let rp = scene.rp.clone();
            async move { rp.token(&form).await }
        };
        let narrow = refresh(BILLS).await.expect_ok().json();
        let access = claims(text(&narrow, "access_token"));
        assert_eq!((&access["aud"], &access["scope"]), (&json!(BILLS), &json!("openid offline_access bills:read shared")));

        let body = scene.tokens_but(|grant, _| grant.resources = vec![ORDERS.into()]).await;
        let form = [("grant_type", "refresh_token"), ("refresh_token", text(&body, "refresh_token")), ("resource", BILLS)];
        scene.rp.token(&form).await.expect_error(400, "invalid_target");
        let body = scene.tokens().await;
        let form = [("grant_type", "refresh_token"), ("refresh_token", text(&body, "refresh_token")), ("resource", BILLS)];
        scene.rp.token(&form).await.expect_error(400, "invalid_target");
    }

    async fn a_resource_that_was_deleted_is_gone_from_the_next_token(app: TestApp) {
        let scene = scene(app).await;
        let body = scene.tokens_but(|grant, _| grant.resources = vec![ORDERS.into(), BILLS.into()]).await;
        let ids = scene.loaded().await.resources.iter().map(|resource| (resource.id, resource.identifier.clone())).collect::<Vec<_>>();
        for (identifier, expected) in [(BILLS, 200), (ORDERS, 400)] {
            let id = ids.iter().find(|(_, known)| known == identifier).expect("it is there").0;
            scene.write(move |repo| repo.delete_resource(id)).await;
            let answer = scene.rp.refresh(text(&body, "refresh_token")).await;
            assert_eq!(answer.status, expected, "{}", answer.body);
            if expected == 200 {
                assert_eq!(claims(text(&answer.json(), "access_token"))["aud"], ORDERS);
            } else {
                answer.expect_error(400, "invalid_target");
            }
        }
    }
}
