//! SECURITY, "Browser": cookies, forms, framing, and what a page may load. Each refusal stands beside its legitimate twin.

use super::seed::Scene;
use crate::support::app::{TestApp, app_test, on_both};
use crate::support::browser::{Browser, Page};
use crate::support::relying_party::RelyingParty;

fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// Every form that changes something, as its page would send it, and whether it is asked for by somebody who is signed in.
async fn forms(scene: &Scene, browser: &mut Browser) -> Vec<(Page, Vec<(&'static str, String)>)> {
    let email = scene.user.email.clone();
    let password = scene.user.password.clone();
    let login = browser
        .open(&scene.rp.authorization_url(&[("prompt", "login")]))
        .await;
    let consent = browser
        .open(&scene.rp.authorization_url(&[("prompt", "consent")]))
        .await;
    let choose = browser
        .open(&scene.rp.authorization_url(&[("prompt", "select_account")]))
        .await;
    let password_page = browser.open(&scene.tenant.url("/account/password")).await;
    let sessions = browser.open(&scene.tenant.url("/account/sessions")).await;
    let applications = browser
        .open(&scene.tenant.url("/account/applications"))
        .await;
    let sign_out = browser.open(&scene.tenant.url("/logout")).await;
    let new = "violet kettle heron".to_owned();
    vec![
        (
            login,
            vec![("username", email), ("password", password.clone())],
        ),
        (consent, vec![("decision", "allow".to_owned())]),
        (choose, vec![("account", "x".to_owned())]),
        (
            password_page,
            vec![
                ("current_password", password),
                ("new_password", new.clone()),
                ("confirm_password", new),
            ],
        ),
        (sessions, vec![("end_others", "1".to_owned())]),
        (
            applications,
            vec![("withdraw", scene.rp.client.client_id())],
        ),
        (sign_out, vec![("logout", "1".to_owned())]),
    ]
}

/// A browser with a second session elsewhere, so that every form has something to do.
async fn signed_in(scene: &Scene) -> Browser {
    scene
        .rp
        .sign_in(&mut scene.app.browser(), &scene.user)
        .await;
    let mut browser = scene.app.browser();
    scene.rp.sign_in(&mut browser, &scene.user).await;
    browser
}

app_test! {
    async fn a_form_of_another_origin_or_without_its_token_is_refused(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        let own = scene.app.root().to_owned();
        let before = scene.events("session.ended") + scene.events("password.changed") + scene.events("consent.withdrawn") + scene.events("signin.succeeded");
        for (page, fields) in forms(&scene, &mut browser).await {
            let given: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let (action, all) = page.filled(&given);
            for origin in ["https://evil.example", "null", "http://localhost", "http://localhost:1", "https://localhost"] {
                let answer = browser.post_from(action.as_str(), &borrowed(&all), Some(origin)).await;
                answer.expect_error(403, "forbidden");
            }
            let sane = all.iter().find(|(name, _)| name == "csrf").map(|(_, value)| value.clone()).expect("a token");
            let other_browser = scene.app.browser().open(&scene.tenant.url("/login")).await.hidden("csrf").expect("a token");
            let other_form = browser.open(&scene.tenant.url("/login?elsewhere=1")).await.hidden("csrf").expect("a token");
            let mut wrong = vec![String::new(), "x".to_owned(), other_browser, format!("{sane}A"), sane.replace(&sane[..1], if sane.starts_with('A') { "B" } else { "A" })];
            if !action.path().ends_with("/login") {
                wrong.push(other_form);
            }
            for token in wrong {
                let changed: Vec<_> = all.iter().map(|(name, value)| (name.clone(), if name == "csrf" { token.clone() } else { value.clone() })).collect();
                browser.post_from(action.as_str(), &borrowed(&changed), Some(&own)).await.expect_error(403, "forbidden");
            }
            let without: Vec<_> = all.iter().filter(|(name, _)| name != "csrf").cloned().collect();
            browser.post_from(action.as_str(), &borrowed(&without), Some(&own)).await.expect_error(403, "forbidden");
            let twice: Vec<_> = all.iter().cloned().chain([("csrf".to_owned(), sane.clone())]).collect();
            browser.post_from(action.as_str(), &borrowed(&twice), Some(&own)).await.expect_error(403, "forbidden");
            // without the cookie there is nothing that the token could fit
            let mut bare = scene.app.browser();
            bare.post_from(action.as_str(), &borrowed(&all), Some(&own)).await.expect_error(403, "forbidden");
        }
        let after = scene.events("session.ended") + scene.events("password.changed") + scene.events("consent.withdrawn") + scene.events("signin.succeeded");
        assert_eq!(before, after);
        // the legitimate twins
        for (page, fields) in forms(&scene, &mut browser).await {
            let given: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = browser.submit(&page, &given).await.answer;
            assert_ne!(answer.status, 403, "{} {}", page.url, answer.body);
        }
        assert_eq!((scene.events("password.changed"), scene.events("consent.withdrawn")), (1, 1));
    }

    /// A window is parted from the page that opened it unless both an administrator and the request say otherwise: then it isn't at any step, as one
    /// policy on the way, at a redirect say, would do it for good.
    async fn a_window_keeps_its_opener_where_an_administrator_says_so(app: TestApp) {
        let scene = Scene::new(app).await;
        let policy = |answer: &crate::support::http::Answer| answer.header("cross-origin-opener-policy").map(ToOwned::to_owned);
        let (kept, parted) = (Some("unsafe-none".to_owned()), Some("same-origin".to_owned()));
        let popup = scene.app.client(&scene.tenant, serde_json::json!({
            "client_name": "Popup", "redirect_uris": ["https://popup.example/callback"], "scope": "openid profile", "popup_sign_in": true,
            "post_logout_redirect_uris": ["https://popup.example/bye"], "frontchannel_logout_uri": "https://popup.example/out",
        })).await;
        let rp = crate::support::relying_party::RelyingParty::new(&scene.app, &scene.tenant, &popup).with_scope("openid profile");
        let mut browser = scene.app.browser();
        // Each step by itself: the request, the sign-in page, the form, what comes next, the question, its answer.
        let mut url = rp.authorization_url(&[("display", "popup")]);
        let mut steps = Vec::new();
        let mut form: Option<Vec<(String, String)>> = None;
        while url.starts_with(&scene.tenant.issuer) {
            let fields: Option<Vec<(&str, &str)>> = form.as_ref().map(|form| form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect());
            let answer = match &fields {
                Some(fields) => browser.post_from(&url, fields, Some(scene.app.root())).await,
                None => browser.fetch(&url, None).await,
            };
            assert_eq!(policy(&answer), kept, "{url} {}", answer.status);
            assert_eq!((answer.header("x-frame-options"), answer.header("content-security-policy").is_some_and(|csp| csp.contains("frame-ancestors 'none'"))), (Some("DENY"), true));
            steps.push(answer.status);
            form = None;
            if let Some(location) = answer.header("location") {
                url = url::Url::parse(&url).and_then(|base| base.join(location)).expect("an address").to_string();
                continue;
            }
            let page = crate::support::browser::Page { url: url::Url::parse(&url).expect("an address"), answer };
            let (action, fields) = if page.answer.body.contains("id=\"allow\"") {
                page.filled(&[("decision", "allow")])
            } else {
                page.filled(&[("username", &scene.user.email), ("password", &scene.user.password)])
            };
            (url, form) = (action.to_string(), Some(fields));
        }
        assert!(url.contains("code=") && steps.iter().filter(|status| **status == 200).count() == 2, "{url} {steps:?}");
        // A refusal gets back as well; an error page is everybody's.
        let mut opened = async |url: &str| browser.fetch(url, None).await;
        let refused = opened(&rp.authorization_url(&[("display", "popup"), ("response_type", "none")])).await;
        assert_eq!((refused.status, policy(&refused)), (303, kept.clone()));
        let wrong = opened(&rp.authorization_url(&[("display", "popup"), ("redirect_uri", "https://evil.example/")])).await;
        assert_eq!((wrong.status, policy(&wrong)), (400, parted.clone()));
        // Neither the request alone nor the client alone, and no other page.
        for url in [
            scene.rp.authorization_url(&[("display", "popup")]), rp.authorization_url(&[]), rp.authorization_url(&[("display", "page")]), rp.authorization_url(&[("display", "popup popup")]),
            scene.tenant.url("/account"), scene.tenant.url("/logout?display=popup"), scene.tenant.url("/console?display=popup"), scene.tenant.url("/login?display=popup"),
        ] {
            assert_eq!(policy(&opened(&url).await), parted, "{url}");
        }
        // Signing out: the way back of such a client, where somebody signs out, and nothing else.
        let (_, code) = url::Url::parse(&url).expect("an address").query_pairs().find(|(name, _)| name == "code").map(|pair| (pair.0.into_owned(), pair.1.into_owned())).expect("a code");
        let (own, other) = (rp.redeem(&code).await.expect_ok().json(), scene.tokens().await);
        let out = |tokens: &serde_json::Value, back: &str| {
            let hint = tokens["id_token"].as_str().expect("an ID token");
            let back = if back.is_empty() { String::new() } else { format!("&post_logout_redirect_uri=https%3A%2F%2F{back}") };
            format!("{}?id_token_hint={hint}{back}", scene.tenant.url("/logout"))
        };
        let unproved = scene.tenant.url(&format!("/logout?client_id={}&post_logout_redirect_uri=https%3A%2F%2Fpopup.example%2Fbye", popup.client_id()));
        let back = "popup.example%2Fbye";
        for (url, status, expected) in [
            (out(&own, "evil.example%2F"), 400, &parted), (unproved, 200, &parted), (out(&own, back), 200, &kept), (out(&own, back), 303, &parted), (out(&own, ""), 200, &parted),
            (out(&other, "orders.example%2Fbye"), 303, &parted),
        ] {
            let answer = opened(&url).await;
            assert_eq!((answer.status, &policy(&answer)), (status, expected), "{url}");
        }
    }

    async fn a_session_changes_its_id_at_every_sign_in(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        scene.rp.sign_in(&mut browser, &scene.user).await;
        let (first, mut thief) = (browser.cookie("tessera_session").expect("a session").to_owned(), browser.clone());
        let page = browser.open(&scene.rp.authorization_url(&[("prompt", "login")])).await;
        browser.pass(page, &scene.user).await;
        let second = browser.cookie("tessera_session").expect("a session").to_owned();
        assert_ne!(first, second);
        // whoever fixed or stole the one before has nothing
        let stolen = thief.open(&scene.rp.authorization_url(&[("prompt", "none")])).await;
        assert_eq!(stolen.answer.location_param("error").as_deref(), Some("login_required"));
        let own = browser.open(&scene.rp.authorization_url(&[("prompt", "none")])).await;
        assert!(own.answer.location_param("code").is_some());
        // an id with another proof is none either
        let mut forged = second.clone();
        forged.replace_range(forged.len() - 4.., if forged.ends_with("AAAA") { "BBBB" } else { "AAAA" });
        browser.set_cookie("tessera_session", &forged);
        let page = browser.open(&scene.rp.authorization_url(&[("prompt", "none")])).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("login_required"));
    }

    async fn strange_cookies_are_passed_over(app: TestApp) {
        let scene = Scene::new(app).await;
        let long = "x".repeat(6000);
        for cookie in ["tessera_session", "tessera_session=", "tessera_session=....", "=;=;;;", "tessera_csrf=\"x", "tessera_device=%00%ff", "a=\u{fc}", &long] {
            let answer = scene.app.get(&scene.tenant.url("/login")).header("cookie", cookie).send().await;
            assert_eq!(answer.status, 200, "{cookie}: {}", answer.body);
            let answer = scene.app.get(&scene.tenant.url("/account")).header("cookie", cookie).send().await;
            assert_eq!(answer.status, 303, "{cookie}: {}", answer.body);
        }
    }

    async fn pages_are_neither_framed_nor_kept_and_load_their_own(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        let paths = ["", "/", "/login?elsewhere=1", "/account", "/account/password", "/account/sessions", "/account/applications", "/logout", "/link/x", "/nothing"];
        for path in paths {
            let answer = browser.open(&scene.tenant.url(path)).await.answer;
            let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("no {name} at {path}")).to_owned();
            let policy = header("content-security-policy");
            for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
                assert!(policy.contains(part), "{path}: {policy}");
            }
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(header("x-frame-options"), "DENY");
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert_eq!(header("cache-control"), "no-store", "{path}");
            assert!(!answer.body.contains("<style") && !answer.body.contains(" style=") && !answer.body.contains(" onclick="), "{path}");
        }
        // a form that ends at the client may be redirected there, and nowhere else
        let page = browser.open(&scene.rp.authorization_url(&[("prompt", "login")])).await;
        let policy = page.answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("form-action 'self' https://orders.example;"), "{policy}");
        let own = browser.open(&scene.tenant.url("/login?elsewhere=1")).await;
        assert!(own.answer.header("content-security-policy").is_some_and(|policy| policy.contains("form-action 'self';")));
    }

    async fn credentials_are_never_sent_on(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let page = browser.open(&scene.rp.authorization_url(&[])).await;
        let (action, all) = page.filled(&[("username", &scene.user.email), ("password", &scene.user.password)]);
        let answer = browser.post_from(action.as_str(), &borrowed(&all), Some(scene.app.root())).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        assert!(!answer.header("location").expect("a redirect").contains("password"));
    }

    async fn signing_in_leads_to_our_own_pages_only(app: TestApp) {
        let scene = Scene::new(app).await;
        for target in ["//evil.example", "https://evil.example/", "/\\evil.example", "/account/../../globex", "javascript:alert(1)", "/account%0d%0aX: y"] {
            let mut browser = scene.app.browser();
            let mut url = url::Url::parse(&scene.tenant.url("/login")).expect("a URL");
            url.query_pairs_mut().append_pair("return_to", target);
            let page = browser.open(url.as_str()).await;
            let after = browser.sign_in(&page, &scene.user).await;
            assert_eq!(after.url.as_str(), scene.tenant.url("/account"), "{target}");
        }
        let mut browser = scene.app.browser();
        let page = browser.open(&scene.tenant.url("/account/sessions")).await;
        let after = browser.sign_in(&page, &scene.user).await;
        assert_eq!(after.url.as_str(), scene.tenant.url("/account/sessions"));
    }

    async fn other_methods_are_refused(app: TestApp) {
        let scene = Scene::new(app).await;
        for path in ["/login", "/consent", "/authorize", "/logout", "/account", "/account/password", "/link/x", "/select-account", "/authorize/continue"] {
            let request = scene.app.http.request(actix_web::http::Method::PUT, &scene.tenant.url(path));
            request.send().await.expect_error(405, "method_not_allowed");
        }
    }
}

#[test]
fn cookies_are_as_strict_as_their_place_allows() {
    for (settings, prefix, path) in [
        (
            "public_url = 'https://{tenant}.id.example.com'\n",
            "__Host-",
            "Path=/",
        ),
        (
            "public_url = 'https://id.example.com/t/{tenant}'\n",
            "__Secure-",
            "Path=/t/acme",
        ),
    ] {
        on_both(settings, async |app: TestApp| {
            let acme = app.tenant("acme").await;
            let ana = app
                .user(&acme, "ana@example.com", "correct horse battery")
                .await;
            let client = app.web_client(&acme).await;
            let rp = RelyingParty::new(&app, &acme, &client);
            let mut browser = app.browser();
            let page = browser.open(&rp.authorization_url(&[])).await;
            let (action, all) =
                page.filled(&[("username", &ana.email), ("password", &ana.password)]);
            let origin = page.url.origin().ascii_serialization();
            let answer = browser
                .post_from(action.as_str(), &borrowed(&all), Some(&origin))
                .await;
            let cookies: Vec<String> = page
                .answer
                .all("set-cookie")
                .chain(answer.all("set-cookie"))
                .map(ToOwned::to_owned)
                .collect();
            assert_eq!(cookies.len(), 3, "{cookies:?}");
            for cookie in cookies {
                let attributes: Vec<&str> = cookie.split("; ").collect();
                assert!(cookie.starts_with(prefix), "{cookie}");
                assert!(
                    ["Secure", "HttpOnly", path]
                        .iter()
                        .all(|wanted| attributes.contains(wanted)),
                    "{cookie}"
                );
                assert!(!cookie.contains("Domain"), "{cookie}");
                let same_site = if cookie.contains("tessera_session") {
                    "SameSite=None"
                } else {
                    "SameSite=Lax"
                };
                assert!(attributes.contains(&same_site), "{cookie}");
            }
        });
    }
}
