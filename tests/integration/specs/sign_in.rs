//! SECURITY, "Sign-in, factors, recovery" and "Enumeration".

use std::time::Duration;

use tessera::jose::passwords::{PasswordParameters, Workspace, hash};

use super::seed::{Scene, at_once};
use crate::support::app::{TestUser, app_test};
use crate::support::browser::{Browser, Page};

async fn attempt(scene: &Scene, browser: &mut Browser, username: &str, password: &str) -> Page {
    let page = browser.open(&scene.tenant.url("/login?elsewhere=1")).await;
    browser
        .submit(&page, &[("username", username), ("password", password)])
        .await
}

/// What a page says, but for what is different on every page.
fn words(page: &Page, username: &str) -> String {
    let mut body = page.answer.body.replace(username, "NAME");
    if let Some(token) = page.hidden("csrf") {
        body = body.replace(&token, "TOKEN");
    }
    body
}

async fn silent(scene: &Scene, browser: &mut Browser) -> Option<String> {
    browser
        .open(&scene.rp.authorization_url(&[("prompt", "none")]))
        .await
        .answer
        .location_param("error")
}

app_test! {
    async fn everybody_who_fails_gets_the_same_answer(app: TestApp) {
        let scene = Scene::new(app).await;
        let closed = scene.app.user(&scene.tenant, "closed@acme.example", "a long enough password").await;
        let id = closed.id;
        assert!(scene.write(move |repo| repo.set_user_disabled(id, true)).await);
        let without = scene.app.user(&scene.tenant, "without@acme.example", "a long enough password").await;
        let (raw_id, mut browser) = (without.id, scene.app.browser());
        take_password(&scene, raw_id).await;
        let mut answers = Vec::new();
        for (username, password) in [
            ("ana@acme.example", "a wrong password"), ("nobody@acme.example", "a wrong password"), ("closed@acme.example", "a long enough password"),
            ("without@acme.example", "a long enough password"), ("no address", "a wrong password"), ("' OR 1=1 --", "' OR 1=1 --"), ("*)(uid=*", "x"),
        ] {
            let page = attempt(&scene, &mut browser, username, password).await;
            assert_eq!(page.answer.status, 400, "{username}");
            page.expect_id("problem");
            let shown = username.replace('\'', "&#39;");
            answers.push(words(&page, &shown));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
        assert_eq!(scene.events("signin.failed"), 7);
        let page = attempt(&scene, &mut browser, " ANA@Acme.Example ", &scene.user.password).await;
        assert_eq!(page.url.as_str(), scene.tenant.url("/account"));
    }

    async fn what_is_empty_or_too_long_is_said_and_not_looked_at(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let long = "x".repeat(1025);
        for (username, password, problem) in
            [("", "x", "username-problem"), ("ana@acme.example", "", "password-problem"), ("  ", "", "username-problem"), ("ana@acme.example", &long, "password-problem")]
        {
            let page = attempt(&scene, &mut browser, username, password).await;
            assert_eq!(page.answer.status, 400, "{username}");
            page.expect_id(problem);
        }
        let page = browser.open(&scene.tenant.url("/login")).await;
        let mebibyte = "x".repeat(1 << 20);
        let (action, all) = page.filled(&[("username", "ana@acme.example"), ("password", &mebibyte)]);
        let fields: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = browser.post_from(action.as_str(), &fields, Some(scene.app.root())).await;
        answer.expect_error(400, "invalid_request");
        assert!(answer.body.contains("request-id"), "{}", answer.body);
        assert_eq!(scene.events("signin.failed"), 0);
        // every byte of a long one counts
        let longest = "\u{fc}".repeat(512);
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", &longest).await;
        let almost = format!("{}u", "\u{fc}".repeat(511));
        assert_eq!(attempt(&scene, &mut browser, &ben.email, &almost).await.answer.status, 400);
        assert_eq!(attempt(&scene, &mut browser, &ben.email, &longest).await.url.as_str(), scene.tenant.url("/account"));
    }

    async fn guessing_is_stopped_for_known_and_unknown_alike(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut answers = Vec::new();
        for username in ["ana@acme.example", "nobody@acme.example"] {
            let mut browser = scene.app.browser();
            for _ in 0..10 {
                assert_eq!(attempt(&scene, &mut browser, username, "a wrong password").await.answer.status, 400);
            }
            let refused = attempt(&scene, &mut browser, username, &scene.user.password).await;
            assert_eq!(refused.answer.status, 429, "{}", refused.answer.body);
            answers.push(words(&refused, username));
            attempt(&scene, &mut browser, username, "once more").await;
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!((scene.events("signin.failed"), scene.events("signin.locked")), (20, 2));
        // another spelling is the same person, and another person isn't concerned
        assert_eq!(attempt(&scene, &mut scene.app.browser(), "ANA@acme.example", &scene.user.password).await.answer.status, 429);
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", "another long password").await;
        assert_eq!(attempt(&scene, &mut scene.app.browser(), &ben.email, &ben.password).await.answer.status, 200);
        // it ends with the window
        scene.app.time.advance(Duration::from_secs(901));
        assert_eq!(attempt(&scene, &mut scene.app.browser(), &scene.user.email, &scene.user.password).await.answer.status, 200);
    }

    async fn a_stranger_does_not_lock_out_a_known_device(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut known = scene.app.browser();
        attempt(&scene, &mut known, &scene.user.email, &scene.user.password).await;
        let mut stranger = scene.app.browser();
        for _ in 0..11 {
            attempt(&scene, &mut stranger, &scene.user.email, "a wrong password").await;
        }
        assert_eq!(attempt(&scene, &mut stranger, &scene.user.email, &scene.user.password).await.answer.status, 429);
        assert_eq!(attempt(&scene, &mut known, &scene.user.email, &scene.user.password).await.answer.status, 200);
        // a device is known for its own person only, and a device's guesses are counted too
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", "another long password").await;
        for _ in 0..10 {
            attempt(&scene, &mut stranger, &ben.email, "a wrong password").await;
        }
        assert_eq!(attempt(&scene, &mut known, &ben.email, &ben.password).await.answer.status, 429);
        for _ in 0..10 {
            attempt(&scene, &mut known, &scene.user.email, "a wrong password").await;
        }
        assert_eq!(attempt(&scene, &mut known, &scene.user.email, &scene.user.password).await.answer.status, 429);
    }

    async fn of_many_guesses_at_once_no_more_than_the_limit_count(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let page = browser.open(&scene.tenant.url("/login")).await;
        let (action, all) = page.filled(&[("username", &scene.user.email), ("password", "a wrong password")]);
        let guesses = (0..200).map(|_| {
            let (mut browser, all, action, root) = (browser.clone(), all.clone(), action.clone(), scene.app.root().to_owned());
            async move {
                let fields: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                browser.post_from(action.as_str(), &fields, Some(&root)).await
            }
        });
        let answers = at_once(guesses).await;
        let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((with(400), with(429)), (10, 190));
        assert_eq!((scene.events("signin.failed"), scene.events("signin.locked")), (10, 1));
    }

    async fn a_double_press_does_no_harm(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let page = browser.open(&scene.rp.authorization_url(&[])).await;
        let consent = browser.sign_in(&page, &scene.user).await;
        let again = browser.sign_in(&page, &scene.user).await;
        again.expect_id("allow");
        assert!(browser.submit(&again, &[("decision", "allow")]).await.answer.location_param("code").is_some());
        // the page before it asked in a session that the second press ended
        let first = browser.submit(&consent, &[("decision", "allow")]).await;
        first.expect_id("password");
    }

    async fn a_session_ends_unused_and_at_the_latest(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.app.change_settings(&scene.tenant, |settings| {
            settings.session_idle_lifetime = 3600;
            settings.session_lifetime = 4 * 3600;
        }).await;
        let mut browser = scene.app.browser();
        scene.rp.sign_in(&mut browser, &scene.user).await;
        for _ in 0..3 {
            scene.app.time.advance(Duration::from_secs(3500));
            assert_eq!(silent(&scene, &mut browser).await, None);
        }
        // used all the time, and yet
        scene.app.time.advance(Duration::from_secs(3500));
        assert_eq!(silent(&scene, &mut browser).await, None);
        scene.app.time.advance(Duration::from_secs(500));
        assert_eq!(silent(&scene, &mut browser).await.as_deref(), Some("login_required"));
        let mut idle = scene.app.browser();
        scene.rp.sign_in(&mut idle, &scene.user).await;
        scene.app.time.advance(Duration::from_secs(3600 + 301));
        assert_eq!(silent(&scene, &mut idle).await.as_deref(), Some("login_required"));
    }

    async fn nobody_stays_signed_in_whose_account_is_closed(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        scene.rp.sign_in(&mut browser, &scene.user).await;
        scene.set_disabled(true).await;
        assert_eq!(silent(&scene, &mut browser).await.as_deref(), Some("login_required"));
        assert_eq!(browser.fetch(&scene.tenant.url("/account"), None).await.status, 303);
        scene.set_disabled(false).await;
        assert_eq!(silent(&scene, &mut browser).await, None);
    }

    async fn an_old_hash_is_made_anew(app: TestApp) {
        let scene = Scene::new(app).await;
        let cheap = PasswordParameters { memory_kib: 32, passes: 1, lanes: 1 };
        let old = hash(&scene.user.password, cheap, &scene.app.provider.clock, &mut Workspace::default()).expect("a hash");
        let id = scene.user.id;
        scene.write(move |repo| repo.set_password(id, &old, false)).await;
        let mut browser = scene.app.browser();
        for _ in 0..2 {
            let page = attempt(&scene, &mut browser, &scene.user.email, &scene.user.password).await;
            assert_eq!(page.url.as_str(), scene.tenant.url("/account"));
            let phc = scene.write(move |repo| Ok(repo.find_user(id)?.and_then(|user| user.password).map(|password| password.phc))).await;
            assert!(phc.expect("a hash").contains("m=64,"));
        }
    }

    async fn names_are_shown_and_never_run(app: TestApp) {
        let scene = Scene::new(app).await;
        let name = "\"><script>alert(1)</script>";
        let page = attempt(&scene, &mut scene.app.browser(), name, "a wrong password").await;
        assert!(!page.answer.body.contains("<script>alert"), "{}", page.answer.body);
        assert!(page.answer.body.contains("script&#62;alert") || page.answer.body.contains("&lt;script&gt;alert"), "{}", page.answer.body);
    }

    async fn the_same_person_of_two_tenants_is_two(app: TestApp) {
        let scene = Scene::new(app).await;
        let globex = scene.app.tenant("globex").await;
        let other = scene.app.user(&globex, &scene.user.email, "quite another password").await;
        for _ in 0..11 {
            attempt(&scene, &mut scene.app.browser(), &scene.user.email, "a wrong password").await;
        }
        let mut browser = scene.app.browser();
        let page = browser.open(&globex.url("/login")).await;
        let wrong = browser.sign_in(&page, &TestUser { password: scene.user.password.clone(), ..other.clone() }).await;
        assert_eq!(wrong.answer.status, 400);
        assert_eq!(browser.sign_in(&page, &other).await.url.as_str(), globex.url("/account"));
    }
}

/// Nothing in the product takes a password away; an import may leave somebody without one.
async fn take_password(scene: &Scene, id: tessera::domain::ids::UserId) {
    scene
        .write(move |repo| {
            let user = repo.find_user(id)?.expect("the person");
            repo.delete_user(id)?;
            repo.insert_user(&tessera::domain::user::User {
                password: None,
                ..user
            })
        })
        .await;
}
