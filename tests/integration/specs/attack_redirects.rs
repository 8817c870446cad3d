//! SECURITY, "Authorization endpoint and redirect URIs": doors beside the main one. Each refusal stands beside its legitimate twin.

use serde_json::json;
use url::Url;

use super::seed::Scene;
use crate::support::app::app_test;
use crate::support::browser::Browser;

/// The text of a request that a client posted: the one way by which a request with `prompt=none` gets a text.
async fn posted(scene: &Scene, browser: &mut Browser, more: &[(&str, &str)]) -> String {
    let url = Url::parse(&scene.rp.authorization_url(more)).expect("a URL");
    let params: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let form: Vec<(&str, &str)> = params
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let answer = browser
        .post_from(&scene.tenant.url("/authorize"), &form, None)
        .await;
    let next = url
        .join(answer.header("location").expect("a redirect"))
        .expect("a location");
    next.query_pairs()
        .find(|(name, _)| name == "flow")
        .map(|(_, value)| value.into_owned())
        .expect("a flow")
}

app_test! {
    async fn prompt_none_shows_a_page_by_no_door(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut signed_in = scene.app.browser();
        scene.rp.sign_in(&mut signed_in, &scene.user).await;
        for (mut browser, expected) in [(scene.app.browser(), "error"), (signed_in, "code")] {
            for path in ["/authorize/continue?", "/login?", "/login?elsewhere=1&", "/consent?", "/select-account?"] {
                let flow = posted(&scene, &mut browser, &[("prompt", "none")]).await;
                let page = browser.open(&scene.tenant.url(&format!("{path}flow={flow}"))).await;
                assert_eq!(page.answer.status, 303, "{path}: {}", page.answer.body);
                assert!(page.answer.location_param(expected).is_some(), "{path}: {:?}", page.answer);
                assert_eq!(page.answer.location_param("iss").as_deref(), Some(scene.tenant.issuer.as_str()), "{path}");
            }
            // a request that allows a page gets one
            let flow = posted(&scene, &mut browser, &[]).await;
            browser.open(&scene.tenant.url(&format!("/login?elsewhere=1&flow={flow}"))).await.expect_id("password");
        }
    }

    async fn a_redirect_uri_taken_back_meanwhile_is_not_used(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let login = browser.open(&scene.rp.authorization_url(&[])).await;
        let consent = browser.sign_in(&login, &scene.user).await;
        consent.expect_id("allow");
        let id = scene.rp.client.id;
        let change = |uri: &'static str| scene.write(move |repo| {
            let mut client = repo.find_client(id)?.expect("the client");
            client.metadata.redirect_uris = vec![uri.to_owned()];
            repo.update_client(&client)
        });
        assert!(change("https://orders.example/elsewhere").await);
        // the node hears of it by the change feed
        actix_web::rt::time::sleep(std::time::Duration::from_millis(500)).await;
        for decision in ["allow", "deny"] {
            let page = browser.submit(&consent, &[("decision", decision)]).await;
            page.answer.expect_error(400, "invalid_request");
            assert_eq!(page.answer.header("location"), None);
        }
        assert_eq!((scene.events("grant.created"), scene.events("consent.granted")), (0, 0));
        assert!(change("https://orders.example/callback").await);
        actix_web::rt::time::sleep(std::time::Duration::from_millis(500)).await;
        assert!(browser.submit(&consent, &[("decision", "allow")]).await.answer.location_param("code").is_some());
    }

    async fn only_a_literal_loopbacks_port_varies(app: TestApp) {
        let scene = Scene::new(app).await;
        let native = scene.app.client(&scene.tenant, json!({
            "redirect_uris": ["http://127.0.0.1:1234/cb", "http://localhost:1234/cb"], "application_type": "native",
            "token_endpoint_auth_method": "none", "scope": "openid", "skip_consent": true,
        })).await;
        let rp = scene.with(&native).with_scope("openid");
        let mut browser = scene.app.browser();
        let login = browser.open(&rp.authorization_url(&[])).await;
        browser.sign_in(&login, &scene.user).await;
        for uri in ["http://127.0.0.1:5678/cb", "http://127.0.0.1/cb", "http://localhost:1234/cb"] {
            let answer = browser.fetch(&rp.authorization_url(&[("redirect_uri", uri)]), None).await;
            let location = answer.header("location").unwrap_or_else(|| panic!("{uri}: {}", answer.body));
            assert!(location.starts_with(&format!("{uri}?code=")), "{location}");
        }
        for uri in [
            "http://localhost:5678/cb", "http://127.0.0.1:80@evil.example/cb", "http://127.0.0.1.evil.example/cb", "http://127.0.0.1:1234/cb/x",
            "http://127.0.0.2:1234/cb", "https://127.0.0.1:1234/cb", "http://127.0.0.1:99999/cb", "http://[::1]:1234/cb",
        ] {
            let answer = browser.fetch(&rp.authorization_url(&[("redirect_uri", uri)]), None).await;
            answer.expect_error(400, "invalid_request");
            assert_eq!(answer.header("location"), None, "{uri}");
        }
    }
}
