//! The administration API on resources, domains and keys.

use serde_json::json;

use super::seed::Scene;
use crate::support::admin::Admin;
use crate::support::app::app_test;

app_test! {
    async fn resources_are_registered_changed_and_deleted(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let new = json!({ "identifier": "https://api.acme.example", "name": "Orders", "scopes": [{ "name": "read", "description": "See orders" }, { "name": "write" }] });
        let made = admin.post("/tenants/acme/resources", &new).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let (tag, made) = (made.header("etag").map(ToOwned::to_owned), made.json());
        assert_eq!(made["scopes"], new["scopes"]);
        let path = format!("/tenants/acme/resources/{}", made["id"].as_str().expect("an id"));
        let got = admin.get(&path).await.expect_ok();
        assert_eq!((got.json(), got.header("etag").map(ToOwned::to_owned)), (made.clone(), tag));
        assert_eq!(admin.post("/tenants/acme/resources", &new).await.status, 409);
        let changed = admin.patch(&path, &json!({ "scopes": [{ "name": "read" }] })).await.expect_ok().json();
        assert_eq!((changed["scopes"].clone(), changed["name"].clone()), (json!([{ "name": "read" }]), json!("Orders")));
        for (change, at) in [(json!({ "identifier": "https://other.example" }), "/identifier"), (json!({ "scopes": [] }), "/scopes"), (json!({ "scopes": [{ "name": "a b" }] }), "/scopes"), (json!({ "scopes": [{ "names": "a" }] }), "/scopes/0/names")] {
            let refused = admin.patch(&path, &change).await;
            assert_eq!((refused.status, refused.json()["errors"][0]["pointer"].as_str()), (422, Some(at)), "{}", refused.body);
        }
        // What was registered is what tokens are for.
        let machine = scene.app.machine_client(&scene.tenant, "read").await;
        let tokens = scene.with(&machine).client_credentials(&[("resource", "https://api.acme.example")]).await;
        assert_eq!(tokens.access_claims()["aud"], "https://api.acme.example");
        assert_eq!(admin.get("/tenants/acme/resources?search=order").await.json()["items"].as_array().map(Vec::len), Some(1));
        assert_eq!(admin.delete(&path).await.status, 204);
        assert_eq!(admin.delete(&path).await.status, 404);
    }

    async fn a_domain_serves_nothing_before_its_proof(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let made = admin.post("/tenants/acme/domains", &json!({ "origin": "https://login.acme.example" })).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let made = made.json();
        assert_eq!((made["state"].as_str(), made["canonical"].as_bool()), (Some("pending"), Some(false)));
        assert!(made["verification_url"].as_str().is_some_and(|url| url.starts_with("https://login.acme.example/.well-known/")) && made["verification_token"].is_string());
        let path = format!("/tenants/acme/domains/{}", made["id"].as_str().expect("an id"));
        let refused = admin.act(&format!("{path}/verify")).await;
        assert!((400..500).contains(&refused.status), "{}", refused.body);
        assert!((400..500).contains(&admin.act(&format!("{path}/set-canonical")).await.status));
        assert_eq!(admin.get(&path).await.expect_ok().json(), made);
        let wrong = admin.post("/tenants/acme/domains", &json!({ "origin": "https://login.acme.example/path" })).await;
        assert_eq!((wrong.status, wrong.json()["errors"][0]["pointer"].as_str()), (422, Some("/origin")), "{}", wrong.body);
        assert_eq!(admin.get("/tenants/acme/domains").await.json()["items"].as_array().map(Vec::len), Some(1));
        assert_eq!(admin.delete(&path).await.status, 204);
        assert_eq!(admin.get(&path).await.status, 404);
    }

    async fn the_installations_own_address_is_canonical_again(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let own = scene.loaded().await.canonical.to_string();
        let made = admin.post("/tenants/acme/domains", &json!({ "origin": "https://login.acme.example" })).await.json();
        let id = made["id"].as_str().expect("an id").to_owned();
        let domain = id.parse().expect("an id");
        assert!(scene.write(move |repo| repo.verify_domain(domain)).await);
        let path = format!("/tenants/acme/domains/{id}");
        assert_eq!(admin.act(&format!("{path}/set-canonical")).await.expect_ok().json()["canonical"], true);
        assert_eq!(&*scene.loaded().await.canonical, "https://login.acme.example");
        for _ in 0..2 {
            assert_eq!(admin.act("/tenants/acme/domains/reset-canonical").await.status, 204);
            assert_eq!(&*scene.loaded().await.canonical, own);
        }
        let domain = admin.get(&path).await.expect_ok().json();
        assert_eq!((domain["canonical"].as_bool(), domain["state"].as_str()), (Some(false), Some("verified")));
        // What was so already is no change.
        assert_eq!(scene.events("domain.canonical_changed"), 2);
    }

    async fn keys_are_followed_and_withdrawn(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let keys = admin.get("/tenants/acme/keys").await.expect_ok().json();
        let states = |keys: &serde_json::Value| keys["items"].as_array().expect("keys").iter().map(|key| key["state"].as_str().expect("a state").to_owned()).collect::<Vec<_>>();
        assert_eq!(states(&keys), ["signing"]);
        let first = keys["items"][0]["kid"].as_str().expect("a name").to_owned();
        assert!(keys["items"][0]["public_jwk"]["d"].is_null() && keys["items"][0]["public_jwk"]["kty"].is_string());
        let made = admin.act("/tenants/acme/keys/rotate").await.expect_ok().json();
        assert_eq!(made["keys"][0]["state"], "published");
        let unknown = admin.post("/tenants/acme/keys/rotate", &json!({ "algorithm": "HS256" })).await;
        assert_eq!((unknown.status, unknown.json()["errors"][0]["pointer"].as_str()), (422, Some("/algorithm")));
        let next = made["keys"][0]["kid"].as_str().expect("a name").to_owned();
        let revoked = admin.act(&format!("/tenants/acme/keys/{next}/revoke")).await.expect_ok().json();
        assert_eq!(revoked["state"], "revoked");
        // The token's own key: what it signed is refused at once.
        admin.act(&format!("/tenants/acme/keys/{first}/revoke")).await.expect_ok();
        assert_eq!(admin.get("/me").await.status, 401);
        let again = Admin::program(&scene.app, &scene.tenant).await;
        assert_eq!(again.get(&format!("/tenants/acme/keys/{first}")).await.expect_ok().json()["state"], "revoked");
        assert_eq!(again.get("/tenants/acme/keys/nothing").await.status, 404);
    }

    async fn many_keys_are_refused_and_break_nothing(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let published = async || scene.app.get(&scene.tenant.url("/jwks")).send().await.expect_ok().json()["keys"].as_array().expect("keys").len();
        for _ in 1..20 {
            admin.act("/tenants/acme/keys/rotate").await.expect_ok();
        }
        let problem = admin.act("/tenants/acme/keys/rotate").await;
        assert_eq!((problem.status, problem.json()["code"].as_str()), (409, Some("refused")));
        let loaded = scene.loaded().await;
        for _ in 0..3 {
            // By age they rotate all the same.
            let made = scene.app.provider.rotate_key(
                &loaded,
                tessera::protocol::SigningAlgorithm::Es256,
                tessera::flows::keys::RotationStart::PublishedFirst,
                tessera::domain::audit::Actor::System,
                tessera::domain::audit::Origin::default(),
                None,
            ).await;
            made.expect("storage works").expect("a key");
        }
        actix_web::rt::time::sleep(std::time::Duration::from_millis(600)).await;
        assert_eq!(published().await, 23);
        admin.get("/me").await.expect_ok();
        let kid = admin.get("/tenants/acme/keys").await.expect_ok().json()["items"][0]["kid"].as_str().expect("a name").to_owned();
        admin.act(&format!("/tenants/acme/keys/{kid}/revoke")).await.expect_ok();
        scene.tokens().await;
    }
}
