//! OpenID Connect RP-Initiated Logout 1.0.

use url::Url;

use super::seed::Scene;
use crate::support::app::app_test;
use crate::support::browser::Browser;

const BYE: &str = "https://orders.example/bye";

fn url(scene: &Scene, params: &[(&str, &str)]) -> String {
    let mut url = Url::parse(&scene.tenant.url("/logout")).expect("a URL");
    url.query_pairs_mut().extend_pairs(params);
    url.into()
}

async fn is_signed_in(scene: &Scene, browser: &mut Browser) -> bool {
    browser
        .open(&scene.rp.authorization_url(&[("prompt", "none")]))
        .await
        .answer
        .location_param("code")
        .is_some()
}

async fn signed_in(scene: &Scene) -> (Browser, String, String) {
    let mut browser = scene.app.browser();
    let tokens = scene.rp.sign_in(&mut browser, &scene.user).await;
    let refresh = tokens.refresh().to_owned();
    (browser, tokens.id_token.expect("an ID token"), refresh)
}

app_test! {
    async fn a_hint_and_a_registered_uri_sign_out_and_lead_back(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, hint, refresh) = signed_in(&scene).await;
        // long after the hint has expired
        scene.app.time.advance(std::time::Duration::from_secs(4000));
        let state = "a&b=c \u{1f980}";
        let page = browser.open(&url(&scene, &[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE), ("state", state)])).await;
        assert_eq!(page.answer.status, 303);
        assert_eq!(page.answer.location_param("state").as_deref(), Some(state));
        assert!(page.answer.header("location").is_some_and(|location| location.starts_with("https://orders.example/bye?state=")));
        assert!(!is_signed_in(&scene, &mut browser).await);
        assert_eq!(scene.events("session.ended"), 1);
        // what is meant to outlive the session does
        scene.rp.refreshed(&refresh).await;
        // without anybody to sign out the client still gets its person back
        let again = browser.open(&url(&scene, &[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE)])).await;
        assert_eq!(again.answer.header("location"), Some(BYE));
    }

    async fn a_tenant_may_end_offline_access_too(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.sign_out_ends_offline_access = true).await;
        let (mut browser, hint, refresh) = signed_in(&scene).await;
        browser.open(&url(&scene, &[("id_token_hint", &hint)])).await.answer.expect_ok();
        scene.rp.refresh(&refresh).await.expect_error(400, "invalid_grant");
    }

    async fn a_posted_request_is_as_good(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, hint, _) = signed_in(&scene).await;
        let form = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE), ("state", "x")];
        let answer = browser.post_from(&scene.tenant.url("/logout"), &form, Some("https://orders.example")).await;
        assert_eq!(answer.header("location"), Some("https://orders.example/bye?state=x"));
        assert!(!is_signed_in(&scene, &mut browser).await);
        // where the cookie didn't come along, a GET is made of it, and that is the end of it
        let mut without = scene.app.browser();
        let answer = without.post_from(&scene.tenant.url("/logout"), &form, Some("https://orders.example")).await;
        let next = Url::parse(&scene.tenant.issuer).expect("a URL").join(answer.header("location").expect("a redirect")).expect("a URL");
        assert_eq!(without.fetch(next.as_str(), None).await.header("location"), Some("https://orders.example/bye?state=x"));
    }

    async fn what_is_wrong_signs_nobody_out(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, hint, _) = signed_in(&scene).await;
        let public = scene.app.public_client(&scene.tenant).await;
        let none = format!("eyJhbGciOiJub25lIn0.{}.", hint.split('.').nth(1).expect("claims"));
        let forged = format!("{}{}", &hint[..hint.len() - 4], if hint.ends_with("AAAA") { "BBBB" } else { "AAAA" });
        let access = scene.rp.sign_in(&mut scene.app.browser(), &scene.user).await.access_token;
        let other_client = public.client_id();
        let own_client = scene.rp.client.client_id();
        for params in [
            vec![("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", "https://evil.example/")],
            vec![("id_token_hint", &hint), ("post_logout_redirect_uri", "https://orders.example/bye?x=1")],
            vec![("id_token_hint", &hint), ("post_logout_redirect_uri", "https://orders.example/bye/")],
            vec![("id_token_hint", &hint), ("post_logout_redirect_uri", "https://orders.example/callback")],
            vec![("id_token_hint", &hint), ("client_id", &other_client)],
            vec![("id_token_hint", &none), ("post_logout_redirect_uri", BYE)],
            vec![("id_token_hint", &forged), ("post_logout_redirect_uri", BYE)],
            vec![("id_token_hint", &access), ("post_logout_redirect_uri", BYE)],
            vec![("id_token_hint", "a b")],
            vec![("client_id", &own_client), ("post_logout_redirect_uri", "https://evil.example/")],
            vec![("client_id", "nobody"), ("post_logout_redirect_uri", BYE)],
            vec![("state", "x"), ("state", "y")],
        ] {
            let page = browser.open(&url(&scene, &params)).await;
            page.answer.expect_error(400, "invalid_request");
            assert_eq!(page.answer.header("location"), None);
            assert!(is_signed_in(&scene, &mut browser).await, "{params:?}");
        }
    }

    async fn without_a_hint_the_person_is_asked_and_never_redirected(app: TestApp) {
        let scene = Scene::new(app).await;
        let client_id = scene.rp.client.client_id();
        for params in [vec![], vec![("post_logout_redirect_uri", BYE)], vec![("client_id", client_id.as_str()), ("post_logout_redirect_uri", BYE)]] {
            let (mut browser, _, _) = signed_in(&scene).await;
            let page = browser.open(&url(&scene, &params)).await;
            page.expect_id("logout");
            assert!(is_signed_in(&scene, &mut browser).await);
            let after = browser.submit(&page, &[("logout", "1")]).await;
            assert_eq!(after.answer.status, 200, "{}", after.answer.body);
            assert!(after.answer.body.contains("signed out") && !after.answer.body.contains(BYE), "{}", after.answer.body);
            assert!(!is_signed_in(&scene, &mut browser).await);
            assert_eq!(browser.cookie("tessera_session"), None);
            // nobody is there to be asked
            let page = browser.open(&url(&scene, &params)).await;
            assert!(page.answer.body.contains("signed out") && page.answer.header("location").is_none());
        }
    }

    async fn a_hint_about_somebody_else_is_asked_about(app: TestApp) {
        let scene = Scene::new(app).await;
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", "another long password").await;
        let bens = scene.rp.sign_in(&mut scene.app.browser(), &ben).await.id_token.expect("an ID token");
        let (mut browser, _, _) = signed_in(&scene).await;
        let page = browser.open(&url(&scene, &[("id_token_hint", &bens), ("post_logout_redirect_uri", BYE)])).await;
        page.expect_id("logout");
        assert!(is_signed_in(&scene, &mut browser).await);
    }

    async fn a_hint_of_an_older_session_of_the_same_person_will_do(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, hint, _) = signed_in(&scene).await;
        let page = browser.open(&scene.rp.authorization_url(&[("prompt", "login")])).await;
        browser.pass(page, &scene.user).await;
        browser.open(&url(&scene, &[("id_token_hint", &hint)])).await.answer.expect_ok();
        assert!(!is_signed_in(&scene, &mut browser).await);
    }

    async fn one_of_two_people_is_signed_out_by_a_hint(app: TestApp) {
        let scene = Scene::new(app).await;
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", "another long password").await;
        let (mut browser, anas, _) = signed_in(&scene).await;
        let login = browser.open(&scene.tenant.url("/login?elsewhere=1")).await;
        browser.sign_in(&login, &ben).await;
        browser.open(&url(&scene, &[("id_token_hint", &anas)])).await.answer.expect_ok();
        let page = browser.open(&scene.tenant.url("/account")).await;
        assert!(page.answer.body.contains("ben@acme.example"), "{}", page.answer.body);
        let hinted = browser.open(&scene.rp.authorization_url(&[("prompt", "none"), ("id_token_hint", &anas)])).await;
        assert_eq!(hinted.answer.location_param("error").as_deref(), Some("login_required"));
    }
}
