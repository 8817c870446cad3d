//! SECURITY, "Sign-in" and "Authorization endpoint": what waits (a password in the queue, a request on a page) is looked at again when its
//! turn comes, as the account, the client and the tenant are by then.

use std::sync::mpsc::channel;
use std::time::Duration;

use tessera::domain::client::Client;
use tessera::protocol::Scope;
use uuid::Uuid;

use super::console::administrator;
use super::seed::Scene;
use crate::support::app::{TestUser, app_test, on_both};
use crate::support::browser::{Browser, Page};
use crate::support::http::Answer;
use crate::support::relying_party::RelyingParty;

/// What happens to a client.
type Change = fn(&mut Client);

/// What happens to a person.
#[derive(Clone, Copy, Debug)]
enum Fate {
    None,
    Disabled,
    Deleted,
    NewPassword,
}

impl Fate {
    async fn befall(self, scene: &Scene, user: &TestUser) {
        let id = user.id;
        match self {
            Self::None => {}
            Self::Disabled => assert!(
                scene
                    .write(move |repo| repo.set_user_disabled(id, true))
                    .await
            ),
            Self::Deleted => assert!(scene.write(move |repo| repo.delete_user(id)).await),
            Self::NewPassword => {
                let other = scene
                    .app
                    .user(
                        &scene.tenant,
                        &format!("of-{}", user.email),
                        "another password",
                    )
                    .await
                    .id;
                let phc = scene.write(move |repo| repo.find_user(other)).await;
                let phc = phc.and_then(|user| user.password).expect("a hash").phc;
                scene
                    .write(move |repo| repo.set_password(id, &phc, false))
                    .await;
            }
        }
    }
}

/// Presses a page's button while nothing is hashed, has something happen meanwhile, and only then lets it be hashed.
async fn press_before(
    scene: &Scene,
    browser: &mut Browser,
    page: &Page,
    fields: &[(&str, &str)],
    meanwhile: impl Future<Output = ()>,
) -> Answer {
    let hashing = &scene.app.provider.hashing;
    let (release, released) = channel::<()>();
    let (busy, is_busy) = channel::<()>();
    // The one thread that hashes is kept busy.
    let occupied = hashing.submit(Uuid::nil(), move |_| {
        let _ = busy.send(());
        let _ = released.recv_timeout(Duration::from_secs(20));
    });
    is_busy
        .recv_timeout(Duration::from_secs(5))
        .expect("it has begun");
    let press = async { browser.submit(page, fields).await.answer };
    let meanwhile = async {
        while hashing.waiting() == 0 {
            actix_web::rt::time::sleep(Duration::from_millis(2)).await;
        }
        meanwhile.await;
        drop(release);
    };
    let (answer, (), _) = futures_util::future::join3(press, meanwhile, occupied).await;
    answer
}

async fn update(scene: &Scene, rp: &RelyingParty, change: impl Fn(&mut Client)) {
    let id = rp.client.id;
    let found = scene.write(move |repo| repo.find_client(id)).await;
    let mut client = found.expect("the client");
    change(&mut client);
    assert!(scene.write(move |repo| repo.update_client(&client)).await);
}

/// What becomes of a page that was shown before something changed, and of its address.
async fn answered_late(scene: &Scene, browser: &mut Browser, page: &Page) -> Vec<Answer> {
    let flow = page.hidden("flow").expect("a flow");
    let mut address = url::Url::parse(&scene.tenant.url("/consent")).expect("a URL");
    address.query_pairs_mut().append_pair("flow", &flow);
    let shown = browser.fetch(address.as_str(), None).await;
    let root = page.url.origin().ascii_serialization();
    let (action, all) = page.filled(&[("decision", "allow")]);
    let fields: Vec<(&str, &str)> = all
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    vec![
        shown,
        browser
            .post_from(action.as_str(), &fields, Some(&root))
            .await,
    ]
}

/// Somebody at the page that asks for consent.
async fn asked(scene: &Scene, rp: &RelyingParty, user: &TestUser) -> (Browser, Page) {
    let mut browser = scene.app.browser();
    let login = browser
        .open(&rp.authorization_url(&[("prompt", "consent")]))
        .await;
    let page = browser.sign_in(&login, user).await;
    page.expect_id("allow");
    (browser, page)
}

app_test! {
    async fn an_account_closed_while_its_password_waits_gets_no_session(app: TestApp) {
        let scene = Scene::new(app).await;
        for (number, fate) in [Fate::Disabled, Fate::Deleted, Fate::NewPassword, Fate::None].into_iter().enumerate() {
            let user = scene.app.user(&scene.tenant, &format!("ben-{number}@acme.example"), "a long enough password").await;
            let mut browser = scene.app.browser();
            let page = browser.open(&scene.tenant.url("/login")).await;
            let fields = [("username", user.email.as_str()), ("password", &user.password)];
            let answer = press_before(&scene, &mut browser, &page, &fields, fate.befall(&scene, &user)).await;
            let got_in = matches!(fate, Fate::None);
            assert_eq!(answer.status, if got_in { 200 } else { 400 }, "{fate:?}: {}", answer.body);
            assert_eq!(browser.cookie("tessera_session").is_some(), got_in, "{fate:?}");
            assert_eq!(scene.events("signin.succeeded"), usize::from(got_in), "{fate:?}");
        }
        let sessions = scene.app.database.raw().count("sessions");
        assert_eq!(sessions, 1);
    }

    async fn a_password_changed_meanwhile_is_not_overwritten(app: TestApp) {
        let scene = Scene::new(app).await;
        let new = "violet kettle heron";
        for (number, fate) in [Fate::Disabled, Fate::NewPassword, Fate::None].into_iter().enumerate() {
            let user = scene.app.user(&scene.tenant, &format!("ben-{number}@acme.example"), "a long enough password").await;
            let mut browser = scene.app.browser();
            let login = browser.open(&scene.tenant.url("/account/password")).await;
            let page = browser.sign_in(&login, &user).await;
            let fields = [("current_password", user.password.as_str()), ("new_password", new), ("confirm_password", new)];
            press_before(&scene, &mut browser, &page, &fields, fate.befall(&scene, &user)).await;
            assert_eq!(scene.events("password.changed"), usize::from(matches!(fate, Fate::None)), "{fate:?}");
        }
    }

    async fn a_page_of_somebody_whose_account_was_closed_leads_to_sign_in(app: TestApp) {
        let scene = Scene::new(app).await;
        for (number, fate) in [Fate::Disabled, Fate::Deleted, Fate::None].into_iter().enumerate() {
            let user = scene.app.user(&scene.tenant, &format!("ben-{number}@acme.example"), "a long enough password").await;
            let (mut browser, page) = asked(&scene, &scene.rp, &user).await;
            fate.befall(&scene, &user).await;
            let answers = answered_late(&scene, &mut browser, &page).await;
            if matches!(fate, Fate::None) {
                assert_eq!(answers[0].status, 200);
                assert!(answers[1].location_param("code").is_some(), "{answers:?}");
                continue;
            }
            for answer in answers {
                assert!(answer.header("location").is_some_and(|location| location.contains("/login?flow=")), "{fate:?}: {answer:?}");
            }
            // And there the account is as closed as anywhere.
            let login = browser.open(&scene.rp.authorization_url(&[])).await;
            assert_eq!(browser.sign_in(&login, &user).await.answer.status, 400, "{fate:?}");
        }
        assert_eq!((scene.events("grant.created"), scene.events("consent.granted")), (1, 1));
    }

    async fn a_request_is_checked_again_when_it_comes_back(app: TestApp) {
        let scene = Scene::new(app).await;
        // Nobody is sent to an address that isn't the client's any more.
        for gone in [true, false] {
            let rp = scene.with(&scene.app.web_client(&scene.tenant).await);
            let (mut browser, page) = asked(&scene, &rp, &scene.user).await;
            if gone {
                let id = rp.client.id;
                assert!(scene.write(move |repo| repo.delete_client(id)).await);
            } else {
                update(&scene, &rp, |client| client.metadata.redirect_uris = vec!["https://elsewhere.example/callback".into()]).await;
            }
            for answer in answered_late(&scene, &mut browser, &page).await {
                answer.expect_error(400, "invalid_request");
                assert_eq!(answer.header("location"), None);
            }
        }
        // What may be told to the client is.
        let changes: [(Change, &str); 3] = [
            (|client| client.metadata.scope = Some("openid".parse::<Scope>().expect("a scope")), "invalid_scope"),
            (|client| client.metadata.grant_types.clear(), "unauthorized_client"),
            (|client| client.metadata.response_types.clear(), "unauthorized_client"),
        ];
        for (change, error) in changes {
            let rp = scene.with(&scene.app.web_client(&scene.tenant).await);
            let (mut browser, page) = asked(&scene, &rp, &scene.user).await;
            update(&scene, &rp, change).await;
            for answer in answered_late(&scene, &mut browser, &page).await {
                assert_eq!(answer.location_param("error").as_deref(), Some(error), "{answer:?}");
                assert_eq!(answer.location_param("code"), None);
            }
        }
        // The tenant's rules are those of now, too.
        scene.app.change_settings(&scene.tenant, |settings| settings.require_pkce = false).await;
        update(&scene, &scene.rp, |client| client.metadata.require_pkce = false).await;
        let mut browser = scene.app.browser();
        let login = browser.open(&scene.rp.authorization_url(&[("prompt", "consent"), ("code_challenge", ""), ("code_challenge_method", "")])).await;
        let page = browser.sign_in(&login, &scene.user).await;
        page.expect_id("allow");
        scene.app.change_settings(&scene.tenant, |settings| settings.require_pkce = true).await;
        for answer in answered_late(&scene, &mut browser, &page).await {
            assert_eq!(answer.location_param("error").as_deref(), Some("invalid_request"), "{answer:?}");
        }
        assert_eq!(scene.events("grant.created"), 0);
        // The twin, with all in order.
        let (mut browser, page) = asked(&scene, &scene.rp, &scene.user).await;
        assert!(answered_late(&scene, &mut browser, &page).await[1].location_param("code").is_some());
    }
}

/// Every file of ours that a page names.
fn files(page: &Page) -> Vec<url::Url> {
    let mut found = Vec::new();
    for attribute in ["href=\"", "src=\""] {
        for part in page.answer.body.split(attribute).skip(1) {
            let target = part
                .split('"')
                .next()
                .unwrap_or_default()
                .replace("&#38;", "&");
            let target = page.url.join(&target).expect("an address");
            let path = target.path();
            let ours = ["branding.css", "favicon.ico"];
            if path.contains("/static/") || ours.iter().any(|name| path.ends_with(name)) {
                found.push(target);
            }
        }
    }
    found
}

#[test]
fn under_a_roots_path_everything_is_found() {
    on_both(
        "public_url = 'http://localhost:8099/auth/t/{tenant}'\n",
        |app| async move {
            let scene = Scene::new(app).await;
            assert_eq!(scene.tenant.issuer, "http://localhost:8099/auth/t/acme");
            let mut browser = scene.app.browser();
            let login = browser.open(&scene.rp.authorization_url(&[])).await;
            let consent = browser.sign_in(&login, &scene.user).await;
            consent.expect_id("allow");
            let tokens = scene
                .rp
                .sign_in(&mut scene.app.browser(), &scene.user)
                .await;
            assert_eq!(scene.rp.userinfo(&tokens.access_token).await.status, 200);
            let (mut at_console, console) = administrator(&scene).await;
            assert_eq!(console.url.path(), "/auth/t/acme/console");
            let account = at_console.open(&scene.tenant.url("/account")).await;
            let error = browser.open(&scene.tenant.url("/nothing-here")).await;
            for page in [&login, &consent, &console, &account, &error] {
                let files = files(page);
                assert!(files.len() > 1, "{}: {}", page.url, page.answer.body);
                for file in files {
                    assert!(file.path().starts_with("/auth/"), "{file}");
                    let answer = scene.app.get(file.as_str()).send().await;
                    assert_eq!(answer.status, 200, "{} names {file}", page.url);
                }
            }
            let cookie = login.answer.header("set-cookie").unwrap_or_default();
            assert!(
                cookie.contains("Path=/auth/t/acme;") || cookie.ends_with("Path=/auth/t/acme"),
                "{cookie}"
            );
            // Every link within the console leads on under the path.
            for part in console.answer.body.split("href=\"/").skip(1).take(30) {
                let target = format!(
                    "http://localhost:8099/{}",
                    part.split('"').next().unwrap_or_default()
                );
                let page = at_console.open(&target).await;
                assert!(page.answer.status < 400, "{target}: {}", page.answer.status);
            }
        },
    );
}
