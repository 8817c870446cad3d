//! What was typed into a form of the console that can't be taken any more: it comes back to its own person, and to nobody else; nothing is done by it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tessera::domain::role::Role;

use super::console::{administrator, appoint, entered, operator};
use super::console_settings::press;
use super::seed::{Scene, until_current};
use crate::support::app::app_test;
use crate::support::browser::Page;

const PASSWORD: &str = "violet kettle heron";

const TYPED: [(&str, &str); 6] = [
    ("email", "kim@acme.example"),
    ("name", "Kim \"<b>\" O'Hara & sons"),
    ("password", PASSWORD),
    ("roles", "auditor"),
    ("roles", "user-manager"),
    ("other", ""),
];

/// Nobody comes by for two days: every session is over.
async fn away(scene: &Scene) {
    scene.app.time.advance(Duration::from_hours(48));
    until_current(&scene.app.provider).await;
}

/// What a page's form sends besides its token.
fn kept(page: &Page) -> Vec<(String, String)> {
    let (_, all) = page.filled(&[]);
    all.into_iter().filter(|(name, _)| name != "csrf").collect()
}

#[track_caller]
fn expect_given_back(page: &Page, status: u16, reason: &str) {
    let body = &page.answer.body;
    assert_eq!(page.answer.status, status, "{body}");
    assert!(body.contains(&format!("data-error=\"{reason}\"")), "{body}");
    assert!(!body.contains("violet") && !body.contains("<b>"), "{body}");
    assert_eq!(page.answer.header("cache-control"), Some("no-store"));
    page.expect_id("send-again");
}

/// A token with one bit of it turned.
fn turned(token: &str, at: usize) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(token).expect("a token");
    bytes[at] ^= 1;
    URL_SAFE_NO_PAD.encode(bytes)
}

app_test! {
    async fn a_form_comes_back_when_its_session_has_ended(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let url = scene.tenant.url("/console/users/new?a=b");
        let page = browser.open(&url).await;
        away(&scene).await;
        let ended = press(&mut browser, &page, &url, &TYPED).await;
        expect_given_back(&ended, 401, "ended");
        let expected: Vec<_> = TYPED
            .iter()
            .filter(|(name, _)| *name != "password")
            .chain([&("retype", "password")])
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(kept(&ended), expected);
        assert_eq!(ended.filled(&[]).0.as_str(), url);
        // Sent before anybody has signed in, it comes back as it was.
        let same = browser.submit(&ended, &[]).await;
        expect_given_back(&same, 401, "ended");
        assert_eq!(kept(&same), expected);
        // In another tab.
        let sign_in = browser.open(&scene.tenant.url("/console/signed-in")).await;
        let signed_in = browser.sign_in(&sign_in, &scene.user).await;
        assert_eq!((signed_in.answer.status, signed_in.url.path()), (200, "/t/acme/console/signed-in"));
        // What is sent then is looked through once more, with a token of the present session.
        let again = browser.submit(&ended, &[]).await;
        expect_given_back(&again, 403, "other-session");
        assert_eq!(kept(&again)[..5], expected[..5]);
        again.expect_id("password");
        assert_ne!(again.hidden("csrf"), ended.hidden("csrf"));
        assert_eq!(scene.events("user.created"), 0);
        let made = browser.submit(&again, &[("password", PASSWORD)]).await;
        assert!(made.answer.status == 200 && made.answer.body.contains("kim@acme.example"), "{}", made.answer.body);
        assert_eq!(scene.events("user.created"), 1);
        let kim = crate::support::app::TestUser { email: "kim@acme.example".to_owned(), password: PASSWORD.to_owned(), ..scene.user.clone() };
        let (_, page) = entered(&scene.app, &scene.tenant, &kim).await;
        assert!(page.answer.status == 200 && page.answer.body.contains("/console/audit"), "{}", page.answer.body);
        // What comes without anything typed isn't worth a page of its own.
        away(&scene).await;
        for (form, fields) in [("/console/sign-out", vec![]), ("/console/users/new", vec![("version", "1"), ("email", "")])] {
            let plain = press(&mut browser, &again, &scene.tenant.url(form), &fields).await;
            assert_eq!(plain.answer.status, 401);
            assert!(plain.answer.body.contains("data-error=\"ended\"") && !plain.answer.body.contains("send-again"), "{}", plain.answer.body);
        }
    }

    /// The console's token is over before the session is in which its person signed in: whoever comes back is in that same session.
    async fn a_secret_is_asked_for_again_in_the_same_session_too(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let url = scene.tenant.url("/console/users/new");
        let page = browser.open(&url).await;
        let hour = async || {
            scene.app.time.advance(Duration::from_secs(3601));
            until_current(&scene.app.provider).await;
        };
        hour().await;
        let ended = press(&mut browser, &page, &url, &TYPED).await;
        expect_given_back(&ended, 401, "ended");
        let back = browser.open(&scene.tenant.url("/console/signed-in")).await;
        assert_eq!((back.answer.status, back.url.path()), (200, "/t/acme/console/signed-in"));
        let again = browser.submit(&ended, &[]).await;
        expect_given_back(&again, 403, "other-session");
        again.expect_id("password");
        assert_eq!(again.hidden("csrf"), page.hidden("csrf"));
        assert_eq!(scene.events("user.created"), 0);
        let made = browser.submit(&again, &[("password", PASSWORD)]).await;
        assert!(made.answer.status == 200 && made.answer.body.contains("kim@acme.example"), "{}", made.answer.body);
        let kim = crate::support::app::TestUser { email: "kim@acme.example".to_owned(), password: PASSWORD.to_owned(), ..scene.user.clone() };
        assert_eq!(entered(&scene.app, &scene.tenant, &kim).await.1.answer.status, 200);
        // What held no secret has nothing to ask for.
        hour().await;
        let ended = press(&mut browser, &page, &url, &[("email", "lou@acme.example"), ("roles", "auditor")]).await;
        expect_given_back(&ended, 401, "ended");
        browser.open(&scene.tenant.url("/console/signed-in")).await.answer.expect_ok();
        let made = browser.submit(&ended, &[]).await;
        assert!(made.answer.status == 200 && made.answer.body.contains("lou@acme.example"), "{}", made.answer.body);
        assert_eq!(scene.events("user.created"), 2);
    }

    async fn somebody_elses_form_comes_back_to_nobody_whose_sign_in_is_too_old(app: TestApp) {
        let scene = Scene::new(app).await;
        let bob = scene.app.user(&scene.tenant, "bob@acme.example", "another long password").await;
        appoint(&scene.app, &scene.tenant, &bob, Role::Administrator).await;
        let (mut browser, page) = administrator(&scene).await;
        let url = scene.tenant.url("/console/users/new");
        away(&scene).await;
        let sign_in = browser.open(&scene.tenant.url("/console")).await;
        let bobs = browser.sign_in(&sign_in, &bob).await;
        assert_eq!(bobs.answer.status, 200);
        scene.app.change_settings(&scene.tenant, |settings| settings.administration_reauthentication = true).await;
        scene.app.time.advance(Duration::from_secs(901));
        until_current(&scene.app.provider).await;
        let plain = press(&mut browser, &page, &url, &TYPED).await;
        assert_eq!(plain.answer.status, 401);
        assert!(plain.answer.body.contains("data-error=\"old-sign-in\""), "{}", plain.answer.body);
        assert!(!plain.answer.body.contains("kim@") && !plain.answer.body.contains("send-again"), "{}", plain.answer.body);
        // His own does.
        let own = press(&mut browser, &bobs, &url, &TYPED).await;
        expect_given_back(&own, 401, "old-sign-in");
        assert_eq!(scene.events("user.created"), 0);
    }

    async fn a_form_of_elsewhere_or_of_somebody_else_comes_back_to_nobody(app: TestApp) {
        let scene = Scene::new(app).await;
        let globex = scene.app.tenant("globex").await;
        let bob = scene.app.user(&scene.tenant, "bob@acme.example", "another long password").await;
        appoint(&scene.app, &scene.tenant, &bob, Role::Administrator).await;
        let (mut browser, page) = administrator(&scene).await;
        let url = scene.tenant.url("/console/users/new");
        let (token, own) = (page.hidden("csrf").expect("a token"), page.url.origin().ascii_serialization());
        let account = browser.open(&scene.tenant.url("/account/password")).await.hidden("csrf").expect("a token");
        // The same person at another browser, and somebody of another tenant.
        let others = entered(&scene.app, &scene.tenant, &scene.user).await.1.hidden("csrf").expect("a token");
        let stranger = scene.app.user(&globex, "eve@globex.example", "a third long password").await;
        appoint(&scene.app, &globex, &stranger, Role::Administrator).await;
        let theirs = entered(&scene.app, &globex, &stranger).await.1.hidden("csrf").expect("a token");
        away(&scene).await;
        let (session, person, proof) = (turned(&token, 0), turned(&token, 16), turned(&token, 32));
        let bare = URL_SAFE_NO_PAD.encode(&URL_SAFE_NO_PAD.decode(&token).expect("a token")[32..]);
        let evil = "https://evil.example";
        for (csrf, origin) in [
            (&*token, evil), (&token, "null"), (&token, "http://localhost"), ("", &own), ("x", &own), (&account, &own), (&others, &own), (&theirs, &own),
            (&session, &own), (&person, &own), (&proof, &own), (&bare, &own), (&token[..85], &own),
        ] {
            let answer = browser.post_from(&url, &[&[("csrf", csrf)], &TYPED[..]].concat(), Some(origin)).await;
            assert_eq!(answer.status, 401, "{csrf} {origin}");
            assert!(answer.body.contains("data-error=\"ended\"") && !answer.body.contains("kim@") && !answer.body.contains("send-again"), "{csrf} {origin}");
        }
        let twice = [&[("csrf", &*token), ("csrf", &token)], &TYPED[..]].concat();
        let large = "x".repeat(70_000);
        let many = vec![("roles", "auditor"); 200];
        for fields in [twice, vec![("csrf", &*token), ("name", &large)], [&[("csrf", &*token)], &many[..]].concat()] {
            let answer = browser.post_from(&url, &fields, Some(&own)).await;
            assert!(answer.status == 401 && !answer.body.contains("send-again"), "{}", answer.status);
        }
        // A browser that kept no more than the token.
        let mut other = scene.app.browser();
        let answer = other.post_from(&url, &[&[("csrf", &*token)], &TYPED[..]].concat(), Some(&own)).await;
        assert!(answer.status == 401 && !answer.body.contains("send-again"), "{}", answer.body);
        // Somebody else signs in at the same browser.
        let sign_in = browser.open(&scene.tenant.url("/console/signed-in")).await;
        assert_eq!(browser.sign_in(&sign_in, &bob).await.answer.status, 200);
        let form = [&[("csrf", &*token)], &TYPED[..]].concat();
        let answer = browser.post_from(&url, &form, Some(&own)).await;
        assert_eq!(answer.status, 403);
        assert!(answer.body.contains("data-error=\"form\"") && !answer.body.contains("kim@"), "{}", answer.body);
        // Its own person, from elsewhere and from here.
        browser.forget_all_but(&["tessera_csrf"], &scene.tenant.url("/"));
        let sign_in = browser.open(&scene.tenant.url("/console")).await;
        assert_eq!(browser.sign_in(&sign_in, &scene.user).await.answer.status, 200);
        for origin in [evil, "null"] {
            let answer = browser.post_from(&url, &form, Some(origin)).await;
            assert!(answer.status == 403 && !answer.body.contains("kim@"), "{}", answer.body);
        }
        let answer = browser.post_from(&url, &form, Some(&own)).await;
        assert!(answer.status == 403 && answer.body.contains("data-error=\"other-session\"") && answer.body.contains("kim@"), "{}", answer.body);
        assert_eq!(scene.events("user.created"), 0);
    }

    async fn a_form_comes_back_when_the_sign_in_is_too_old(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.administration_reauthentication = true).await;
        let url = scene.tenant.url("/console/users/new");
        let page = browser.open(&url).await;
        scene.app.time.advance(Duration::from_secs(901));
        until_current(&scene.app.provider).await;
        let old = press(&mut browser, &page, &url, &TYPED).await;
        expect_given_back(&old, 401, "old-sign-in");
        // From elsewhere there is nothing to be had.
        let (csrf, evil) = (page.hidden("csrf").expect("a token"), Some("https://evil.example"));
        let answer = browser.post_from(&url, &[&[("csrf", &*csrf)], &TYPED[..]].concat(), evil).await;
        assert!(answer.status == 401 && !answer.body.contains("kim@"), "{}", answer.body);
        let link = old.answer.body.split("id=\"sign-in\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link").replace("&#38;", "&");
        let sign_in = browser.open(&format!("{}{link}", scene.app.root())).await;
        let signed_in = browser.sign_in(&sign_in, &scene.user).await;
        assert_eq!((signed_in.answer.status, signed_in.url.path()), (200, "/t/acme/console/signed-in"));
        // Another session takes the place of the old one; the password is missing, too.
        let again = browser.submit(&old, &[]).await;
        expect_given_back(&again, 403, "other-session");
        assert_eq!(scene.events("user.created"), 0);
        let made = browser.submit(&again, &[("password", PASSWORD)]).await;
        assert!(made.answer.status == 200 && made.answer.body.contains("kim@acme.example"), "{}", made.answer.body);
    }

    async fn what_an_operator_typed_for_a_tenant_is_sent_there(app: TestApp) {
        let scene = Scene::new(app).await;
        let (system, user) = operator(&scene.app).await;
        let (mut browser, _) = entered(&scene.app, &system, &user).await;
        let url = system.url("/console/tenants/acme/users/new");
        let page = browser.open(&url).await;
        away(&scene).await;
        let ended = press(&mut browser, &page, &url, &[("email", "kim@acme.example"), ("password", PASSWORD), ("confirmed", "1")]).await;
        expect_given_back(&ended, 401, "ended");
        assert_eq!(ended.filled(&[]).0.as_str(), url);
        // That they had seen what it leads to isn't carried on.
        let expected = [("email", "kim@acme.example"), ("retype", "password")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(kept(&ended), expected);
        let sign_in = browser.open(&system.url("/console/signed-in")).await;
        assert_eq!(browser.sign_in(&sign_in, &user).await.answer.status, 200);
        let again = browser.submit(&ended, &[]).await;
        expect_given_back(&again, 403, "other-session");
        let made = browser.submit(&again, &[("password", PASSWORD)]).await;
        assert!(made.answer.status == 200 && made.url.path().starts_with("/t/system/console/tenants/acme/users/"), "{}", made.url);
        assert_eq!(scene.events("user.created"), 1);
    }
}
