//! What is begun at the very moment at which its ground is taken away: by a reset of the password, or as a person takes back what they allowed.

use super::one_time_links::link_for;
use super::rfc8628;
use super::seed::{Scene, text};
use crate::support::app::{TestUser, app_test};
use crate::support::browser::{Browser, Page};
use crate::support::race::overtaken;

const OFFLINE: &str = "openid offline_access";
const NEW: &str = "violet kettle heron";
const RESET: [(&str, &str); 2] = [("new_password", NEW), ("confirm_password", NEW)];

/// A browser at a link by which the person sets another password, which ends everything of before.
async fn at_the_link(scene: &Scene) -> (Browser, Page) {
    let link = link_for(scene, scene.user.id).await;
    let mut browser = scene.app.browser();
    let page = browser.open(&link).await;
    page.expect_id("new-password");
    (browser, page)
}

async fn signs_in(scene: &Scene, password: &str) -> bool {
    let mut browser = scene.app.browser();
    let page = browser.open(&scene.tenant.url("/login")).await;
    let user = TestUser {
        password: password.to_owned(),
        ..scene.user.clone()
    };
    browser.sign_in(&page, &user).await.answer.status == 200
}

async fn is_signed_in(scene: &Scene, browser: &mut Browser) -> bool {
    let account = scene.tenant.url("/account");
    browser.fetch(&account, None).await.status == 200
}

app_test! {
    async fn a_code_that_outlives_its_session_does_not_outlive_a_reset(app: TestApp) {
        let mut scene = Scene::new(app).await;
        scene.rp = scene.rp.clone().with_scope(OFFLINE);
        let mut before = scene.app.browser();
        scene.rp.sign_in(&mut before, &scene.user).await;
        let silent = scene.rp.authorization_url(&[("prompt", "none")]);
        assert!(before.open(&silent).await.answer.location_param("code").is_some());
        let (mut browser, page) = at_the_link(&scene).await;
        let reset = browser.submit(&page, &RESET);
        let (reset, asked) = overtaken(&scene.app.database, "audit_events", reset, before.open(&silent)).await;
        reset.expect_id("notice");
        assert_eq!(asked.answer.location_param("error").as_deref(), Some("login_required"), "{:?}", asked.answer);
    }

    async fn what_a_device_was_allowed_does_not_outlive_a_reset(app: TestApp) {
        let scene = rfc8628::scene(app).await;
        let codes = rfc8628::begin(&scene).await;
        let (mut before, question) = rfc8628::question(&scene, &codes).await;
        let (mut browser, page) = at_the_link(&scene).await;
        let (reset, allow) = (browser.submit(&page, &RESET), before.submit(&question, &[("decision", "allow")]));
        let (reset, allowed) = overtaken(&scene.app.database, "audit_events", reset, allow).await;
        reset.expect_id("notice");
        assert!(allowed.url.path().ends_with("/login"), "{}", allowed.url);
        rfc8628::poll(&scene.rp, &codes.device).await.expect_error(400, "authorization_pending");
    }

    async fn a_sign_in_by_the_old_password_does_not_outlive_a_reset(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, page) = at_the_link(&scene).await;
        let mut other = scene.app.browser();
        let login = other.open(&scene.tenant.url("/login")).await;
        let (reset, sign_in) = (browser.submit(&page, &RESET), other.sign_in(&login, &scene.user));
        let (reset, entered) = overtaken(&scene.app.database, "audit_events", reset, sign_in).await;
        reset.expect_id("notice");
        assert_eq!(entered.answer.status, 400, "{}", entered.answer.body);
        assert!(!is_signed_in(&scene, &mut other).await && signs_in(&scene, NEW).await);
    }

    async fn a_change_of_the_old_password_does_not_undo_a_reset(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut before = scene.app.browser();
        scene.rp.sign_in(&mut before, &scene.user).await;
        let form = before.open(&scene.tenant.url("/account/password")).await;
        let (mut browser, page) = at_the_link(&scene).await;
        let other = "another kettle heron";
        let change = [("current_password", scene.user.password.as_str()), ("new_password", other), ("confirm_password", other)];
        let (reset, change) = (browser.submit(&page, &RESET), before.submit(&form, &change));
        let (reset, _) = overtaken(&scene.app.database, "audit_events", reset, change).await;
        reset.expect_id("notice");
        assert_eq!(scene.events("password.changed"), 0);
        assert!(signs_in(&scene, NEW).await && !signs_in(&scene, other).await);
    }

    async fn nobody_gets_unasked_what_is_taken_back(app: TestApp) {
        let mut scene = Scene::new(app).await;
        scene.rp = scene.rp.clone().with_scope(OFFLINE);
        let mut browser = scene.app.browser();
        scene.rp.sign_in(&mut browser, &scene.user).await;
        let applications = browser.open(&scene.tenant.url("/account/applications")).await;
        let id = scene.rp.client.client_id();
        let (mut silently, mut asked) = (browser.clone(), browser.clone());
        let url = scene.rp.authorization_url(&[("prompt", "none")]);
        let withdraw = [("withdraw", id.as_str())];
        let withdrawn = browser.submit(&applications, &withdraw);
        let (withdrawn, answer) = overtaken(&scene.app.database, "audit_events", withdrawn, silently.open(&url)).await;
        withdrawn.answer.expect_ok();
        assert_eq!(answer.answer.location_param("error").as_deref(), Some("consent_required"), "{:?}", answer.answer);
        // Whoever may be shown a page is.
        let page = asked.open(&scene.rp.authorization_url(&[])).await;
        page.expect_id("allow");
        let again = asked.submit(&page, &[("decision", "allow")]).await;
        let code = again.answer.location_param("code").expect("a code");
        let tokens = scene.rp.redeem(&code).await.expect_ok().json();
        let applications = browser.open(&scene.tenant.url("/account/applications")).await;
        let url = scene.rp.authorization_url(&[]);
        let (withdrawn, page) = (browser.submit(&applications, &withdraw), asked.open(&url));
        let (withdrawn, page) = overtaken(&scene.app.database, "audit_events", withdrawn, page).await;
        withdrawn.answer.expect_ok();
        page.expect_id("allow");
        scene.rp.refresh(text(&tokens, "refresh_token")).await.expect_error(400, "invalid_grant");
    }
}
