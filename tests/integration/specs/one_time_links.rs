//! One-time links: looked at often, used once, and the end of everything before.

use std::time::Duration;

use tessera::domain::ids::{LinkId, UserId};
use tessera::domain::one_time_link::OneTimeLink;
use tessera::secret::{Handle, Purpose};

use super::seed::{Scene, at_once};
use crate::support::app::app_test;
use crate::support::browser::Page;

const NEW: &str = "violet kettle heron";

pub async fn link_for(scene: &Scene, user: UserId) -> String {
    let tenant = scene.loaded().await;
    let handle = Handle::generate(&scene.app.provider.clock);
    let link = OneTimeLink {
        id: LinkId::from(handle.id()),
        user_id: user,
        proof: handle.hash(tenant.handle_key(), Purpose::OneTimeLink),
        expires_at: scene.app.provider.now() + chrono::Duration::days(3),
        by_administrator: true,
        consumed_at: None,
    };
    scene.write(move |repo| repo.insert_link(&link)).await;
    scene.tenant.url(&format!(
        "/link/{}",
        handle.to_text(Purpose::OneTimeLink).expose()
    ))
}

#[track_caller]
fn expect_spent(page: &Page) {
    page.answer.expect_error(400, "link_spent");
    assert!(!page.answer.body.contains("new_password"));
}

app_test! {
    async fn a_link_sets_a_password_once_and_ends_what_was(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut before = scene.app.browser();
        let tokens = scene.rp.sign_in(&mut before, &scene.user).await;
        let link = link_for(&scene, scene.user.id).await;
        let mut browser = scene.app.browser();
        for _ in 0..3 {
            browser.open(&link).await.expect_id("new-password");
        }
        let page = browser.open(&link).await;
        assert!(page.answer.body.contains("ana@acme.example"));
        let after = browser.submit(&page, &[("new_password", NEW), ("confirm_password", NEW)]).await;
        assert!(after.url.path().ends_with("/login"));
        after.expect_id("notice");
        // everything of before is gone, offline tokens too
        scene.rp.refresh(tokens.refresh()).await.expect_error(400, "invalid_grant");
        assert_eq!(before.fetch(&scene.tenant.url("/account"), None).await.status, 303);
        let old = browser.sign_in(&after, &scene.user).await;
        assert_eq!(old.answer.status, 400);
        let new = crate::support::app::TestUser { password: NEW.into(), ..scene.user.clone() };
        assert_eq!(browser.sign_in(&after, &new).await.url.as_str(), scene.tenant.url("/account"));
        // twice is once too often
        expect_spent(&browser.open(&link).await);
        expect_spent(&browser.submit(&page, &[("new_password", "another kettle heron"), ("confirm_password", "another kettle heron")]).await);
        assert_eq!(scene.events("link.used"), 1);
    }

    async fn a_password_that_is_not_taken_leaves_the_link_good(app: TestApp) {
        let scene = Scene::new(app).await;
        let link = link_for(&scene, scene.user.id).await;
        let mut browser = scene.app.browser();
        let page = browser.open(&link).await;
        let long = "x".repeat(1025);
        for (new, confirm, problem) in [
            ("", "", "new-password-problem"), ("short", "short", "new-password-problem"), ("1234567890", "1234567890", "new-password-problem"),
            ("Password123!", "Password123!", "new-password-problem"), ("ana@acme.example", "ana@acme.example", "new-password-problem"),
            (long.as_str(), long.as_str(), "new-password-problem"), (NEW, "violet kettle herons", "confirm-password-problem"),
        ] {
            let again = browser.submit(&page, &[("new_password", new), ("confirm_password", confirm)]).await;
            assert_eq!(again.answer.status, 400, "{new}");
            again.expect_id(problem);
        }
        browser.submit(&page, &[("new_password", NEW), ("confirm_password", NEW)]).await.expect_id("notice");
    }

    async fn what_is_no_link_looks_like_one_that_is_spent(app: TestApp) {
        let scene = Scene::new(app).await;
        let link = link_for(&scene, scene.user.id).await;
        let globex = scene.app.tenant("globex").await;
        let token = link.rsplit('/').next().expect("a token").to_owned();
        let code = token.replacen("tsl_", "tsc_", 1);
        let last = if token.ends_with('A') { "B" } else { "A" };
        let changed = format!("{}{last}", &token[..token.len() - 1]);
        for url in [globex.url(&format!("/link/{token}")), scene.tenant.url("/link/x"), scene.tenant.url(&format!("/link/{code}")), scene.tenant.url(&format!("/link/{changed}"))] {
            expect_spent(&scene.app.browser().open(&url).await);
        }
        scene.app.browser().open(&link).await.expect_id("new-password");
        // a newer one takes its place
        let newer = link_for(&scene, scene.user.id).await;
        expect_spent(&scene.app.browser().open(&link).await);
        // nobody who is locked out gets in by it
        scene.set_disabled(true).await;
        expect_spent(&scene.app.browser().open(&newer).await);
        scene.set_disabled(false).await;
        scene.app.browser().open(&newer).await.expect_id("new-password");
        scene.app.time.advance(Duration::from_secs(3 * 86_400 + 1));
        expect_spent(&scene.app.browser().open(&newer).await);
    }

    async fn of_many_at_once_one_wins(app: TestApp) {
        let scene = Scene::new(app).await;
        let link = link_for(&scene, scene.user.id).await;
        let mut browser = scene.app.browser();
        let page = browser.open(&link).await;
        let uses = (0..20).map(|number| {
            let new = format!("{NEW} {number}");
            let (action, all) = page.filled(&[("new_password", &new), ("confirm_password", &new)]);
            let (mut browser, root) = (browser.clone(), scene.app.root().to_owned());
            async move {
                let fields: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                browser.post_from(action.as_str(), &fields, Some(&root)).await
            }
        });
        let answers = at_once(uses).await;
        let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((with(303), with(400)), (1, 19));
        assert_eq!(scene.events("link.used"), 1);
    }
}
