//! SECURITY, "Faults": the clock, an hour forth and back again. What was made in that hour is from the future then, and works; what ended in it
//! has ended.

use std::time::Duration;

use serde_json::json;
use tessera::domain::audit::{Actor, Origin};
use tessera::flows::keys::RotationStart;
use tessera::protocol::SigningAlgorithm;

use super::seed::{Scene, text};
use crate::support::app::app_test;
use crate::support::relying_party::header;

const HOUR: Duration = Duration::from_hours(1);

app_test! {
    async fn an_hour_forth_and_back_breaks_nothing(app: TestApp) {
        let scene = Scene::public(app).await;
        let time = &scene.app.time;
        let before = scene.tokens().await;
        let code = scene.code().await;
        let mut earlier = scene.app.browser();
        scene.rp.sign_in(&mut earlier, &scene.user).await;

        time.advance(HOUR);
        // Codes live for a minute, access tokens for five.
        scene.rp.redeem(&code).await.expect_error(400, "invalid_grant");
        scene.rp.userinfo(text(&before, "access_token")).await.expect_error(401, "invalid_token");
        let successor = scene.rp.refreshed(text(&before, "refresh_token")).await;
        let mut later = scene.app.browser();
        let made = scene.rp.sign_in(&mut later, &scene.user).await;
        let pending = scene.code().await;

        time.rewind(HOUR);
        // A code that was refused stays so, and a token that was spent is spent, whatever the clock says.
        scene.rp.refresh(text(&before, "refresh_token")).await.expect_error(400, "invalid_grant");
        scene.rp.refresh(successor.refresh()).await.expect_error(400, "invalid_grant");
        // What came from the future is good.
        assert_eq!(scene.rp.userinfo(&made.access_token).await.status, 200);
        assert_eq!(scene.rp.redeem(&pending).await.status, 200);
        for browser in [&mut earlier, &mut later] {
            let silent = browser.open(&scene.rp.authorization_url(&[("prompt", "none")])).await;
            assert!(silent.answer.location_param("code").is_some(), "{:?}", silent.answer);
        }
        assert!(!scene.rp.sign_in(&mut scene.app.browser(), &scene.user).await.access_token.is_empty());

        time.advance(HOUR);
        assert!(!scene.rp.sign_in(&mut scene.app.browser(), &scene.user).await.access_token.is_empty());
    }

    /// A day is the longest that any token of a tenant lives; then five minutes for clocks that differ.
    async fn a_key_stays_published_as_long_as_its_tokens_live(app: TestApp) {
        let scene = Scene::new(app).await;
        let machine = json!({
            "client_name": "Job", "grant_types": ["client_credentials"], "response_types": [], "scope": "", "access_token_lifetime": 86_400,
        });
        let rp = scene.with(&scene.app.client(&scene.tenant, machine).await);
        let token = rp.token(&[("grant_type", "client_credentials")]).await.expect_ok().json();
        let token = text(&token, "access_token");
        let kid = header(token)["kid"].clone();
        let rotated = scene.app.provider.rotate_key(
            &scene.loaded().await,
            SigningAlgorithm::Es256,
            RotationStart::Immediately,
            Actor::System,
            Origin::default(),
            None,
        ).await;
        rotated.expect("storage works").expect("a key");
        for (seconds, is_there) in [(86_399, true), (302, false)] {
            scene.app.time.advance(Duration::from_secs(seconds));
            let keys = scene.app.get(&scene.tenant.url("/jwks")).send().await.expect_ok().json();
            let keys = keys["keys"].as_array().expect("keys");
            assert_eq!(keys.iter().any(|key| key["kid"] == kid), is_there, "{keys:?}");
            let told = rp.authenticated("/introspect", &[("token", token)]).send().await.expect_ok().json();
            assert_eq!(told["active"], is_there);
        }
    }

    async fn guesses_from_the_future_lock_nobody_out_for_longer_than_the_window(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let page = browser.open(&scene.tenant.url("/login")).await;
        let guess = [("username", scene.user.email.as_str()), ("password", "a wrong password")];
        scene.app.time.advance(HOUR);
        for _ in 0..10 {
            assert_eq!(browser.submit(&page, &guess).await.answer.status, 400);
        }
        assert_eq!(browser.sign_in(&page, &scene.user).await.answer.status, 429);
        scene.app.time.rewind(HOUR);
        scene.app.time.advance(Duration::from_mins(16));
        let status = browser.sign_in(&page, &scene.user).await.answer.status;
        assert_eq!(status, 200, "the window is a quarter of an hour, wherever it began");
    }
}
