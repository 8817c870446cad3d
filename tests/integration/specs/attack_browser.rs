//! SECURITY, "Browser": what a page shows of strangers, what a GET may do, and where a form comes from.

use serde_json::json;

use super::seed::Scene;
use crate::support::app::app_test;

const HOSTILE: &str = "\"><script>alert(1)</script>";

app_test! {
    async fn what_strangers_call_themselves_is_shown_and_never_run(app: TestApp) {
        let scene = Scene::new(app).await;
        let client = scene.app.client(&scene.tenant, json!({
            "client_name": HOSTILE, "redirect_uris": ["https://orders.example/callback"], "scope": "openid",
        })).await;
        let rp = scene.with(&client).with_scope("openid");
        let mut browser = scene.app.browser();
        HOSTILE.clone_into(&mut browser.user_agent);
        let login = browser.open(&rp.authorization_url(&[])).await;
        let consent = browser.sign_in(&login, &scene.user).await;
        consent.expect_id("allow");
        browser.submit(&consent, &[("decision", "allow")]).await;
        let mut pages = vec![login, consent];
        for path in ["/account/sessions", "/account/applications"] {
            pages.push(browser.open(&scene.tenant.url(path)).await);
        }
        for page in &pages {
            assert_eq!(page.answer.status, 200, "{}", page.url);
            assert!(!page.answer.body.contains("<script>alert"), "{}: {}", page.url, page.answer.body);
        }
        // it is the name that is shown, not nothing
        for page in [&pages[0], &pages[1], &pages[3]] {
            assert!(page.answer.body.contains("alert(1)"), "{}: {}", page.url, page.answer.body);
        }
    }

    async fn an_error_page_says_which_request_failed_and_is_not_kept(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut seen = Vec::new();
        for url in [
            scene.rp.authorization_url(&[("client_id", "nobody")]), scene.tenant.url("/login?flow=x"), scene.tenant.url("/nothing-here"),
            scene.tenant.url("/logout?state=a&state=b"), scene.tenant.url("/link/x"),
        ] {
            let answer = scene.app.browser().fetch(&url, None).await;
            assert!((400..500).contains(&answer.status), "{url}");
            let id = answer.header("x-request-id").unwrap_or_else(|| panic!("no id: {:?}", answer.headers)).to_owned();
            assert!(answer.body.contains(&id), "{url}: {}", answer.body);
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{url}");
            assert!(!seen.contains(&id));
            seen.push(id);
        }
    }

    async fn a_get_changes_nothing(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let login = browser.open(&scene.rp.authorization_url(&[])).await;
        let consent = browser.sign_in(&login, &scene.user).await;
        let (flow, csrf) = (consent.hidden("flow").expect("a flow"), consent.hidden("csrf").expect("a token"));
        let again = browser.open(&scene.tenant.url(&format!("/consent?decision=allow&csrf={csrf}&flow={flow}"))).await;
        again.expect_id("allow");
        browser.open(&scene.tenant.url("/logout?logout=1")).await.expect_id("logout");
        for path in ["/account/sessions?end_others=1", "/account/applications?withdraw=x", "/account/password?new_password=violet"] {
            assert_eq!(browser.fetch(&scene.tenant.url(path), None).await.status, 200, "{path}");
        }
        assert_eq!((scene.events("grant.created"), scene.events("consent.granted"), scene.events("session.ended")), (0, 0, 0));
        assert!(browser.submit(&consent, &[("decision", "allow")]).await.answer.location_param("code").is_some());
    }

    async fn without_an_origin_the_next_best_header_decides(app: TestApp) {
        let scene = Scene::new(app).await;
        let page = scene.app.browser().open(&scene.tenant.url("/login")).await;
        let cookie = page.answer.header("set-cookie").and_then(|value| value.split(';').next()).expect("a cookie").to_owned();
        let (action, all) = page.filled(&[("username", &scene.user.email), ("password", &scene.user.password)]);
        let fields: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let send = |headers: &[(&str, &str)]| {
            let request = scene.app.post(action.as_str(), &fields).header("cookie", &cookie);
            headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
        };
        let own = format!("{}/login", scene.tenant.issuer);
        for headers in [
            vec![("sec-fetch-site", "cross-site")], vec![("sec-fetch-site", "same-site")], vec![("sec-fetch-site", "none"), ("referer", own.as_str())],
            vec![("referer", "https://evil.example/")], vec![("origin", "null"), ("sec-fetch-site", "same-origin")],
            vec![("origin", "https://evil.example"), ("referer", own.as_str())],
        ] {
            assert_eq!(send(&headers).await.status, 403, "{headers:?}");
        }
        assert_eq!(scene.events("signin.succeeded"), 0);
        for headers in [vec![("sec-fetch-site", "same-origin")], vec![("referer", own.as_str())]] {
            assert_eq!(send(&headers).await.status, 303, "{headers:?}");
        }
    }
}
