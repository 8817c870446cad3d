//! RFC 8707: resources.

use serde_json::json;

use tessera::flows::admin::By;

use super::console::administrator;
use super::seed::{Scene, text};
use crate::support::admin::Admin;
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

    async fn who_is_refused_is_told_what_was_wrong(app: TestApp) {
        let scene = scene(app).await;
        let long = format!("https://nobody.example/{}", "x".repeat(500));
        let cut = format!("`{}...`", &long[..64]);
        for (request, error, named) in [
            (vec![("resource", "https://nobody.example")], "invalid_target", "`https://nobody.example`"),
            (vec![("resource", long.as_str())], "invalid_target", cut.as_str()),
            (vec![("scope", "orders:read bills:write")], "invalid_scope", "`bills:write`"),
        ] {
            let answer = ask(&scene, &request).await;
            answer.expect_error(400, error);
            let body = answer.json();
            let told = text(&body, "error_description");
            assert!(told.contains(named) && told.len() < 250, "{told}");
        }
        let wrong = scene.rp.authorization_url(&[("scope", "openid bills:write")]);
        let told = scene.app.browser().open(&wrong).await.answer.location_param("error_description");
        assert!(told.as_ref().is_some_and(|told| told.contains("`bills:write`")), "{told:?}");
    }

    async fn a_client_keeps_scopes_of_an_api_that_is_gone_and_gets_nothing_by_them(app: TestApp) {
        let scene = scene(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let (mut browser, _) = administrator(&scene).await;
        let (body, code) = (scene.tokens().await, scene.code().await);
        let tenant = scene.loaded().await;
        let orders = scene.app.provider.load_resource_named(&tenant, ORDERS).await.expect("an API");
        scene.app.provider.delete_resource(&tenant, orders.id, &By::command_line()).await.expect("deleted");

        // What has nothing to do with scopes is changed by the API and in the console; a token that is added has to be known.
        let client = scene.rp.client.client_id();
        let path = format!("/tenants/acme/clients/{client}");
        let changed = admin.patch(&path, &json!({ "client_name": "Warehouse" })).await.expect_ok().json();
        assert_eq!(text(&changed, "scope"), "openid offline_access orders:read orders:write bills:read shared tessera:admin");
        for scope in ["orders:read orders:delete", "orders:read device_sso"] {
            assert_eq!(admin.patch(&path, &json!({ "scope": scope })).await.status, 422, "{scope}");
        }
        let url = scene.tenant.url(&format!("/console/clients/{client}/edit"));
        let page = browser.open(&url).await;
        let fields = [
            ("client_name", "Depot"), ("redirect_uris", "https://orders.example/callback"), ("token_endpoint_auth_method", "client_secret_basic"),
            ("grant_types", "authorization_code"), ("grant_types", "refresh_token"), ("grant_types", "client_credentials"), ("response_types", "code"),
            ("scope", "openid"), ("scope", "offline_access"), ("scope", "orders:read"), ("scope", "orders:write"), ("scope", "bills:read"), ("scope", "shared"), ("scope", "tessera:admin"),
        ];
        let saved = browser.submit(&page, &fields).await;
        assert!(saved.answer.status == 200 && saved.answer.body.contains("Depot"), "{}", saved.answer.body);

        // No way leads to a token with what no resource knows.
        let machine = ask(&scene, &[]).await.expect_ok().json();
        assert_eq!(text(&machine, "scope"), "bills:read shared tessera:admin");
        let refused = ask(&scene, &[("scope", "bills:read orders:read")]).await;
        refused.expect_error(400, "invalid_scope");
        assert!(refused.body.contains("`orders:read`"), "{}", refused.body);
        let refreshed = scene.rp.refresh(text(&body, "refresh_token")).await.expect_ok().json();
        let redeemed = scene.rp.redeem(&code).await.expect_ok().json();
        for tokens in [&refreshed, &redeemed] {
            assert_eq!(claims(text(tokens, "access_token"))["scope"], "openid offline_access bills:read shared");
        }
        let asked = scene.app.browser().open(&scene.rp.authorization_url(&[("scope", "openid orders:read")])).await;
        assert_eq!(asked.answer.location_param("error").as_deref(), Some("invalid_scope"));
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
