//! What a person allowed an application at one API says nothing of another that knows the same scope-token.

use serde_json::json;
use tessera::domain::resource::ResourceScope;
use tessera::flows::admin::{By, NewResource};

use super::seed::Scene;
use crate::support::app::app_test;
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;

const ORDERS: &str = "https://orders.acme.example";
const STOCK: &str = "https://stock.acme.example";

async fn client(scene: &Scene) -> RelyingParty {
    let client = scene
        .app
        .client(
            &scene.tenant,
            json!({
                "client_name": "Shop", "redirect_uris": ["https://shop.example/callback"],
                "scope": "openid read write", "resources": [ORDERS, STOCK],
            }),
        )
        .await;
    scene.with(&client)
}

/// What comes back without a page: a code, or the reason why there is none.
async fn silent(
    rp: &RelyingParty,
    browser: &mut Browser,
    scope: &str,
    resource: &str,
) -> Option<String> {
    let asked = [("prompt", "none"), ("scope", scope), ("resource", resource)];
    let answer = browser.open(&rp.authorization_url(&asked)).await.answer;
    assert_ne!(
        answer.location_param("code").is_some(),
        answer.location_param("error").is_some()
    );
    answer.location_param("error")
}

app_test! {
    async fn a_scope_allowed_at_one_api_is_asked_about_at_another(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.app.resource(&scene.tenant, ORDERS, &["read", "write"]).await;
        scene.app.resource(&scene.tenant, STOCK, &["read", "write"]).await;
        let rp = client(&scene).await;
        let mut browser = scene.app.browser();
        for (scope, resource) in [("openid read", ORDERS), ("openid write", STOCK)] {
            let page = rp.authorize(&mut browser, &scene.user, &[("scope", scope), ("resource", resource)]).await;
            assert!(page.answer.location_param("code").is_some(), "{}", page.answer.body);
        }
        // each pair that was allowed, and parts of it
        for (scope, resource) in [("openid read", ORDERS), ("read", ORDERS), ("openid write", STOCK)] {
            assert_eq!(silent(&rp, &mut browser, scope, resource).await, None, "{scope} {resource}");
        }
        // the other halves of the product
        for (scope, resource) in [("openid write", ORDERS), ("openid read", STOCK), ("read write", ORDERS), ("read", "")] {
            let refused = silent(&rp, &mut browser, scope, resource).await;
            assert_eq!(refused.as_deref(), Some("consent_required"), "{scope} {resource}");
        }
        let asked = browser.open(&rp.authorization_url(&[("scope", "openid write"), ("resource", ORDERS)])).await;
        asked.expect_id("allow");
        browser.submit(&asked, &[("decision", "allow")]).await;
        assert_eq!(silent(&rp, &mut browser, "read write", ORDERS).await, None);
        assert_eq!(silent(&rp, &mut browser, "read", STOCK).await.as_deref(), Some("consent_required"));
        assert_eq!(scene.events("consent.granted"), 3);
    }

    async fn each_api_speaks_for_itself(app: TestApp) {
        let scene = Scene::new(app).await;
        for (identifier, words) in [(ORDERS, "See what you ordered"), (STOCK, "Count the shelves")] {
            let scopes = vec![ResourceScope { name: "read".into(), description: Some(words.into()) }];
            let new = NewResource { identifier: identifier.into(), name: None, scopes, details_types: Vec::new() };
            scene.app.provider.create_resource(&*scene.loaded().await, new, &By::command_line()).await.expect("an API");
        }
        let rp = client(&scene).await;
        let mut browser = scene.app.browser();
        let login = browser.open(&rp.authorization_url(&[("scope", "openid read"), ("resource", STOCK)])).await;
        let mut page = browser.sign_in(&login, &scene.user).await;
        for (resource, own, other) in [(STOCK, "Count the shelves", "See what you ordered"), (ORDERS, "See what you ordered", "Count the shelves")] {
            if resource == ORDERS {
                page = browser.open(&rp.authorization_url(&[("scope", "openid read"), ("resource", resource)])).await;
            }
            let body = &page.expect_id("allow").answer.body;
            assert!(body.contains(own) && !body.contains(other), "{resource}: {body}");
            browser.submit(&page, &[("decision", "allow")]).await;
        }
        // Both at once, each below its own name.
        let page = browser.open(&rp.authorization_url(&[("scope", "openid read"), ("resource", ORDERS), ("resource", STOCK), ("prompt", "consent")])).await;
        let body = &page.expect_id("allow").answer.body;
        let at = |text: &str| body.find(text).unwrap_or_else(|| panic!("{text}: {body}"));
        let (first, second) = (at("See what you ordered"), at("Count the shelves"));
        assert!(at(ORDERS) < first && first < second && body[first..second].contains(STOCK), "{body}");
        // And what was allowed where.
        let page = browser.open(&scene.tenant.url("/account/applications")).await;
        let body = &page.answer.body;
        assert!(body.contains("See what you ordered") && body.contains("Count the shelves"), "{body}");
        let orders = scene.app.provider.load_resource_named(&*scene.loaded().await, ORDERS).await.expect("an API");
        scene.write(move |repo| repo.delete_resource(orders.id)).await;
        let page = browser.open(&scene.tenant.url("/account/applications")).await;
        let body = &page.answer.body;
        assert_eq!(body.matches("Count the shelves").count(), 1, "what was allowed at an API that is gone borrows no words: {body}");
    }

    async fn a_link_that_names_a_client_lends_it_no_word_of_ours(app: TestApp) {
        let scene = Scene::new(app).await;
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", "another long password").await;
        let bens = scene.rp.sign_in(&mut scene.app.browser(), &ben).await.id_token.expect("an ID token");
        let mut browser = scene.app.browser();
        scene.rp.sign_in(&mut browser, &scene.user).await;
        let client_id = scene.rp.client.client_id();
        for query in [format!("client_id={client_id}"), format!("id_token_hint={bens}")] {
            let page = browser.open(&scene.tenant.url(&format!("/logout?{query}"))).await;
            page.expect_id("logout");
            assert!(!page.answer.body.contains("Orders"), "{}", page.answer.body);
        }
    }
}
