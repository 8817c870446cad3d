//! SECURITY, "Browser" and "Sign-in": forms that nobody was shown, forms of another tenant, and what a full browser or a full queue does.

use std::sync::mpsc;

use tessera::domain::ids::LinkId;
use tessera::domain::one_time_link::OneTimeLink;
use tessera::secret::{Handle, Purpose};
use uuid::Uuid;

use super::seed::{Scene, text};
use crate::support::app::{app_test, on_both};
use crate::support::browser::Page;

fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

fn swapped(page: &Page, given: &[(&str, &str)], flow: &str) -> Vec<(String, String)> {
    let (_, mut all) = page.filled(given);
    for (name, value) in &mut all {
        if name == "flow" {
            flow.clone_into(value);
        }
    }
    all
}

async fn link(scene: &Scene) -> String {
    let tenant = scene.loaded().await;
    let handle = Handle::generate(&scene.app.provider.clock);
    let link = OneTimeLink {
        id: LinkId::from(handle.id()),
        user_id: scene.user.id,
        proof: handle.hash(tenant.handle_key(), Purpose::OneTimeLink),
        expires_at: scene.app.provider.now() + chrono::Duration::days(3),
        by_administrator: true,
        consumed_at: None,
    };
    scene.write(move |repo| repo.insert_link(&link)).await;
    let text = handle.to_text(Purpose::OneTimeLink);
    format!("/link/{}", text.expose())
}

app_test! {
    async fn a_link_s_form_is_taken_from_its_own_page_and_tenant_only(app: TestApp) {
        let scene = Scene::new(app).await;
        let globex = scene.app.tenant("globex").await;
        let path = link(&scene).await;
        let mut browser = scene.app.browser();
        let page = browser.open(&scene.tenant.url(&path)).await;
        let new = [("new_password", "violet kettle heron"), ("confirm_password", "violet kettle heron")];
        let (action, all) = page.filled(&new);
        for origin in ["https://evil.example", "null", "http://localhost", "https://localhost"] {
            browser.post_from(action.as_str(), &borrowed(&all), Some(origin)).await.expect_error(403, "forbidden");
        }
        let own = scene.app.root().to_owned();
        let sign_in = browser.open(&scene.tenant.url("/login")).await.hidden("csrf").expect("a token");
        for token in ["", "x", &sign_in] {
            let changed: Vec<_> = all.iter().map(|(name, value)| (name.as_str(), if name == "csrf" { token } else { value })).collect();
            browser.post_from(action.as_str(), &changed, Some(&own)).await.expect_error(403, "forbidden");
        }
        // at another tenant it is no link, by whatever form
        let mut elsewhere = scene.app.browser();
        let token = elsewhere.open(&globex.url("/login")).await.hidden("csrf").expect("a token");
        let mut fields = new.to_vec();
        fields.push(("csrf", &token));
        elsewhere.post_from(&globex.url(&path), &fields, Some(&own)).await.expect_error(403, "forbidden");
        elsewhere.open(&globex.url(&path)).await.answer.expect_error(400, "link_spent");
        assert_eq!(scene.events("link.used"), 0);
        browser.submit(&page, &new).await.expect_id("notice");
        browser.submit(&page, &new).await.answer.expect_error(400, "link_spent");
        assert_eq!(scene.events("link.used"), 1);
    }

    async fn a_request_is_checked_again_at_every_step(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let login = browser.open(&scene.rp.authorization_url(&[])).await;
        let consent = browser.sign_in(&login, &scene.user).await;
        consent.expect_id("allow");
        let id = scene.rp.client.id;
        scene.write(move |repo| repo.delete_client(id).map(|_| ())).await;
        actix_web::rt::time::sleep(std::time::Duration::from_millis(300)).await;
        let answer = browser.submit(&consent, &[("decision", "allow")]).await.answer;
        answer.expect_error(400, "invalid_request");
        assert_eq!(answer.header("location"), None);
        browser.open(login.url.as_str()).await.answer.expect_error(400, "invalid_request");
        assert_eq!(scene.events("grant.created"), 0);
    }

    async fn a_sixth_person_ends_the_first_session(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let mut first = None;
        for number in 0..6 {
            let user = scene.app.user(&scene.tenant, &format!("p{number}@acme.example"), "another long password").await;
            let login = browser.open(&scene.tenant.url("/login?elsewhere=1")).await;
            assert_eq!(browser.sign_in(&login, &user).await.url.as_str(), scene.tenant.url("/account"));
            first.get_or_insert_with(|| browser.clone());
            assert_eq!(scene.events("session.ended"), usize::from(number == 5), "{number}");
        }
        // the cookie of before would be good still, but for its session's end
        let mut first = first.expect("a browser");
        assert_eq!(first.fetch(&scene.tenant.url("/account"), None).await.status, 303);
        assert_eq!(browser.fetch(&scene.tenant.url("/account"), None).await.status, 200);
    }
}

#[test]
fn with_prompt_none_no_form_is_looked_at() {
    on_both("", |app| async move {
        let scene = Scene::new(app).await;
        let tenant = scene.loaded().await;
        let mut browser = scene.app.browser();
        let login = browser.open(&scene.rp.authorization_url(&[])).await;
        let at = tessera::flows::tenancy::TenantAt {
            tenant,
            issuer: scene.tenant.issuer.as_str().into(),
            rest: String::new(),
            alias: None,
        };
        let url =
            url::Url::parse(&scene.rp.authorization_url(&[("prompt", "none")])).expect("a URL");
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let waiting = tessera::flows::interaction::Interaction {
            params: pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            started_at: scene.app.provider.now(),
            selected: None,
            begun: None,
            expected_sub: None,
        };
        let text = waiting
            .to_text(&at, &scene.app.provider.clock)
            .expect("a text");
        let given = [
            ("username", scene.user.email.as_str()),
            ("password", &scene.user.password),
        ];
        let fields = swapped(&login, &given, &text);
        let root = scene.app.root().to_owned();
        let answer = browser
            .post_from(&scene.tenant.url("/login"), &borrowed(&fields), Some(&root))
            .await;
        assert_eq!(
            answer.location_param("error").as_deref(),
            Some("login_required")
        );
        assert_eq!(
            (
                scene.events("signin.succeeded"),
                scene.events("signin.failed")
            ),
            (0, 0)
        );
        // the same form for the request that was shown
        browser.submit(&login, &given).await.expect_id("allow");
    });
}

#[test]
fn a_full_queue_says_so_and_keeps_what_was_typed() {
    on_both("hashing_queue = 1\n", |app| async move {
        let scene = Scene::new(app).await;
        let hashing = &scene.app.provider.hashing;
        let (begun, is_begun) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let (code, tokens) = (scene.code().await, scene.tokens().await);
        let running = hashing.submit(Uuid::nil(), move |_| {
            let _ = begun.send(());
            let _ = may_go.recv();
        });
        is_begun.recv().expect("it runs");
        let waiting = hashing.submit(Uuid::nil(), |_| ());
        let mut browser = scene.app.browser();
        let login = browser.open(&scene.tenant.url("/login")).await;
        // Whoever needs no password is served all the while.
        scene.rp.redeem(&code).await.expect_ok();
        let refreshed = scene
            .rp
            .refresh(text(&tokens, "refresh_token"))
            .await
            .expect_ok()
            .json();
        scene
            .rp
            .userinfo(text(&refreshed, "access_token"))
            .await
            .expect_ok();
        for _ in 0..12 {
            let page = browser.sign_in(&login, &scene.user).await;
            assert_eq!(page.answer.status, 503);
            assert!(page.answer.header("retry-after").is_some());
            page.expect_id("problem");
            assert!(
                page.answer.body.contains("very busy")
                    && page.answer.body.contains(&scene.user.email),
                "{}",
                page.answer.body
            );
        }
        let [_, refused] = scene.app.provider.hashing_waits.collectors();
        let refused = refused.collect()[0].get_metric()[0]
            .get_counter()
            .get_value();
        assert!((11.5..12.5).contains(&refused), "{refused} were counted");
        go.send(()).expect("it waits");
        running.await.expect("done");
        waiting.await.expect("done");
        // what wasn't looked at wasn't counted either
        let page = browser.sign_in(&login, &scene.user).await;
        assert_eq!(page.url.as_str(), scene.tenant.url("/account"));
    });
}
