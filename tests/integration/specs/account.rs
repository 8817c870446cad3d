//! `/account`: what a signed-in person manages, and nobody else.

use tessera::domain::role::Role;

use super::console::appoint;
use super::seed::Scene;
use crate::support::app::{TestUser, app_test};
use crate::support::browser::Browser;

const NEW: &str = "violet kettle heron";

async fn signed_in(scene: &Scene) -> Browser {
    let mut browser = scene.app.browser();
    let page = browser.open(&scene.tenant.url("/account")).await;
    assert_eq!(
        browser.sign_in(&page, &scene.user).await.url.as_str(),
        scene.tenant.url("/account")
    );
    browser
}

async fn is_signed_in(scene: &Scene, browser: &mut Browser) -> bool {
    browser
        .fetch(&scene.tenant.url("/account"), None)
        .await
        .status
        == 200
}

app_test! {
    async fn whoever_is_not_signed_in_is_sent_to_where_they_can(app: TestApp) {
        let scene = Scene::new(app).await;
        let globex = scene.app.tenant("globex").await;
        let mut elsewhere = signed_in(&scene).await;
        elsewhere.transplant_cookies("/t/globex");
        for path in ["/account", "/account/password", "/account/sessions", "/account/applications"] {
            for (issuer, browser) in [(&scene.tenant, &mut scene.app.browser()), (&globex, &mut elsewhere)] {
                let answer = browser.fetch(&issuer.url(path), None).await;
                assert_eq!(answer.status, 303, "{path}");
                assert!(answer.header("location").is_some_and(|location| location.contains("/login?return_to=")), "{path}");
            }
        }
    }

    async fn a_person_sees_what_is_known_about_them(app: TestApp) {
        let scene = Scene::new(app).await;
        let page = signed_in(&scene).await.open(&scene.tenant.url("/account")).await;
        for text in ["Ana Example", "ana@acme.example", "Aarhus", "data-tenant=\"ACME\""] {
            assert!(page.answer.body.contains(text), "{text}: {}", page.answer.body);
        }
        let home = scene.app.browser().open(&scene.tenant.issuer).await;
        assert!(home.answer.body.contains("/account"), "{}", home.answer.body);
        // Whoever has a role finds the console, and nobody else is sent to where they can do nothing.
        assert!(!page.answer.body.contains("/console\""), "{}", page.answer.body);
        appoint(&scene.app, &scene.tenant, &scene.user, Role::Auditor).await;
        let page = signed_in(&scene).await.open(&scene.tenant.url("/account")).await;
        assert!(page.answer.body.contains("href=\"/t/acme/console\""), "{}", page.answer.body);
    }

    async fn a_password_is_changed_by_who_knows_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, mut other) = (signed_in(&scene).await, signed_in(&scene).await);
        let page = browser.open(&scene.tenant.url("/account/password")).await;
        let old = scene.user.password.as_str();
        for (current, new, confirm, problem) in [
            ("a wrong password", NEW, NEW, "current-password-problem"), ("", NEW, NEW, "current-password-problem"),
            (old, "short", "short", "new-password-problem"), (old, old, old, "new-password-problem"), (old, "password1234", "password1234", "new-password-problem"),
            (old, NEW, "different", "confirm-password-problem"),
        ] {
            let again = browser.submit(&page, &[("current_password", current), ("new_password", new), ("confirm_password", confirm)]).await;
            assert_eq!(again.answer.status, 400, "{new}");
            again.expect_id(problem);
        }
        let done = browser.submit(&page, &[("current_password", old), ("new_password", NEW), ("confirm_password", NEW)]).await;
        done.expect_id("notice");
        assert!(is_signed_in(&scene, &mut browser).await && is_signed_in(&scene, &mut other).await);
        let changed = TestUser { password: NEW.into(), ..scene.user.clone() };
        let login = scene.app.browser();
        let sign_in = async |user: &TestUser| {
            let mut browser = login.clone();
            let page = browser.open(&scene.tenant.url("/login")).await;
            browser.sign_in(&page, user).await.answer.status
        };
        assert_eq!((sign_in(&scene.user).await, sign_in(&changed).await), (400, 200));
        let newer = "another kettle heron";
        browser.submit(&page, &[("current_password", NEW), ("new_password", newer), ("confirm_password", newer), ("end_others", "1")]).await;
        assert!(is_signed_in(&scene, &mut browser).await);
        assert!(!is_signed_in(&scene, &mut other).await);
        assert_eq!(scene.events("password.changed"), 2);
    }

    async fn guesses_at_the_current_password_are_counted_too(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        let page = browser.open(&scene.tenant.url("/account/password")).await;
        let guess = [("current_password", "a wrong password"), ("new_password", NEW), ("confirm_password", NEW)];
        for _ in 0..10 {
            assert_eq!(browser.submit(&page, &guess).await.answer.status, 400);
        }
        let right = [("current_password", scene.user.password.as_str()), ("new_password", NEW), ("confirm_password", NEW)];
        assert_eq!(browser.submit(&page, &right).await.answer.status, 429);
    }

    async fn sessions_are_seen_and_ended(app: TestApp) {
        let scene = Scene::new(app).await;
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", "another long password").await;
        let (mut browser, mut phone, mut tablet) = (signed_in(&scene).await, signed_in(&scene).await, signed_in(&scene).await);
        let mut bens = scene.app.browser();
        let login = bens.open(&scene.tenant.url("/login")).await;
        bens.sign_in(&login, &ben).await;
        let bens_page = bens.open(&scene.tenant.url("/account/sessions")).await;
        let page = browser.open(&scene.tenant.url("/account/sessions")).await;
        assert_eq!(page.answer.body.matches("Firefox on Linux</p>").count() + page.answer.body.matches("Firefox on Linux <span").count(), 3, "{}", page.answer.body);
        let ids: Vec<String> = page.answer.body.split("name=\"end\" value=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(ToOwned::to_owned).collect();
        assert_eq!(ids.len(), 2);
        // somebody else's can't be ended; it isn't even there
        let mut forged: Vec<(String, String)> = bens_page.hidden("csrf").map(|csrf| ("csrf".to_owned(), csrf)).into_iter().collect();
        forged.push(("end".to_owned(), ids[0].clone()));
        let fields: Vec<(&str, &str)> = forged.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let refused = bens.post_from(&scene.tenant.url("/account/sessions"), &fields, Some(scene.app.root())).await;
        assert_eq!(refused.status, 400);
        assert!(is_signed_in(&scene, &mut phone).await && is_signed_in(&scene, &mut tablet).await);
        browser.submit(&page, &[("end", &ids[0])]).await.expect_id("notice");
        assert_eq!([is_signed_in(&scene, &mut phone).await, is_signed_in(&scene, &mut tablet).await].iter().filter(|is| **is).count(), 1);
        let again = browser.submit(&page, &[("end", &ids[0])]).await;
        assert_eq!(again.answer.status, 400);
        again.expect_id("problem");
        browser.submit(&page, &[("end_others", "1")]).await.expect_id("notice");
        assert!(!is_signed_in(&scene, &mut phone).await && !is_signed_in(&scene, &mut tablet).await);
        assert!(is_signed_in(&scene, &mut browser).await && is_signed_in(&scene, &mut bens).await);
    }

    async fn many_sessions_come_in_pages(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        for _ in 0..30 {
            signed_in(&scene).await;
        }
        let first = browser.open(&scene.tenant.url("/account/sessions")).await;
        let more = first.answer.body.split("class=\"more\"").nth(1).and_then(|rest| rest.split("href=\"").nth(1)).and_then(|rest| rest.split('"').next()).expect("more");
        let second = browser.open(first.url.join(more).expect("a URL").as_str()).await;
        let count = |body: &str| body.matches("name=\"end\"").count();
        assert_eq!(count(&first.answer.body) + count(&second.answer.body), 30);
    }

    async fn an_application_loses_what_is_withdrawn(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let tokens = scene.rp.sign_in(&mut browser, &scene.user).await;
        let public = scene.app.public_client(&scene.tenant).await;
        let kept = scene.with(&public).with_scope("openid offline_access").sign_in(&mut browser, &scene.user).await;
        let page = browser.open(&scene.tenant.url("/account/applications")).await;
        assert!(page.answer.body.contains("Orders") && page.answer.body.contains("Board"), "{}", page.answer.body);
        let id = scene.rp.client.client_id();
        browser.submit(&page, &[("withdraw", &id)]).await.expect_id("notice");
        scene.rp.refresh(tokens.refresh()).await.expect_error(400, "invalid_grant");
        scene.with(&public).refreshed(kept.refresh()).await;
        let asked = browser.open(&scene.rp.authorization_url(&[])).await;
        asked.expect_id("allow");
        let again = browser.submit(&page, &[("withdraw", &id)]).await;
        assert_eq!(again.answer.status, 400);
        assert_eq!(scene.events("consent.withdrawn"), 1);
    }
}
