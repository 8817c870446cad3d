//! SECURITY, "Sign-in, factors, recovery": steps skipped or swapped, guesses spread over nodes, links that outlive their reason.

use tessera::domain::ids::LinkId;
use tessera::domain::one_time_link::OneTimeLink;
use tessera::secret::{Handle, Purpose};

use super::seed::{Scene, at_once};
use crate::support::app::app_test;

app_test! {
    async fn nobody_agrees_before_signing_in(app: TestApp) {
        let scene = Scene::new(app).await;
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", "another long password").await;
        let mut browser = scene.app.browser();
        let login = browser.open(&scene.rp.authorization_url(&[])).await;
        let consent = browser.sign_in(&login, &scene.user).await;
        let (asked, csrf) = (consent.hidden("flow").expect("a flow"), consent.hidden("csrf").expect("a token"));
        let first = login.hidden("flow").expect("a flow");
        let url = scene.tenant.url("/consent");
        let root = scene.app.root().to_owned();
        let form = |flow: &str| [("flow", flow.to_owned()), ("csrf", csrf.clone()), ("decision", "allow".to_owned())];
        // signed in, but not asked: the request from before the page that names a person
        let early = form(&first);
        let answer = browser.post_from(&url, &early.each_ref().map(|(name, value)| (*name, value.as_str())), Some(&root)).await;
        assert!(answer.header("location").is_some_and(|location| location.contains("/consent?flow=")), "{answer:?}");
        // asked, but as somebody who isn't here any more, while somebody else is
        let mut other = browser.clone();
        other.set_cookie("tessera_session", "x");
        let elsewhere = other.open(&scene.tenant.url("/login?elsewhere=1")).await;
        other.sign_in(&elsewhere, &ben).await;
        for flow in [&asked, &first] {
            let swapped = form(flow);
            let answer = other.post_from(&url, &swapped.each_ref().map(|(name, value)| (*name, value.as_str())), Some(&root)).await;
            assert!(answer.header("location").is_some_and(|location| location.starts_with("/t/acme/")), "{answer:?}");
        }
        assert_eq!((scene.events("grant.created"), scene.events("consent.granted")), (0, 0));
        assert!(browser.submit(&consent, &[("decision", "allow")]).await.answer.location_param("code").is_some());
    }

    async fn guesses_spread_over_two_nodes_are_counted_together(app: TestApp) {
        let scene = Scene::new(app).await;
        let node = scene.second_node().await;
        let mut browser = scene.app.browser();
        let page = browser.open(&scene.tenant.url("/login")).await;
        let (action, all) = page.filled(&[("username", &scene.user.email), ("password", "a wrong password")]);
        let guesses = (0..60).map(|number| {
            let (mut browser, all, action, root) = (browser.clone(), all.clone(), action.clone(), scene.app.root().to_owned());
            if number % 2 == 0 {
                browser.move_to(&node.http);
            }
            async move {
                let fields: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                browser.post_from(action.as_str(), &fields, Some(&root)).await
            }
        });
        let answers = at_once(guesses).await;
        let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((with(400), with(429)), (10, 50));
        // the twin: somebody else gets in at either
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", "another long password").await;
        assert_eq!(browser.sign_in(&page, &ben).await.answer.status, 200);
    }

    async fn a_link_ends_with_the_password_that_it_was_to_replace(app: TestApp) {
        let scene = Scene::new(app).await;
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
        let url = scene.tenant.url(&format!("/link/{}", handle.to_text(Purpose::OneTimeLink).expose()));
        let mut stranger = scene.app.browser();
        let open = stranger.open(&url).await;
        open.expect_id("new-password");
        let mut browser = scene.app.browser();
        let login = browser.open(&scene.tenant.url("/account/password")).await;
        let page = browser.sign_in(&login, &scene.user).await;
        let new = "violet kettle heron";
        browser.submit(&page, &[("current_password", &scene.user.password), ("new_password", new), ("confirm_password", new)]).await.expect_id("notice");
        stranger.open(&url).await.answer.expect_error(400, "link_spent");
        let late = stranger.submit(&open, &[("new_password", "another kettle heron"), ("confirm_password", "another kettle heron")]).await;
        late.answer.expect_error(400, "link_spent");
        assert_eq!(browser.fetch(&scene.tenant.url("/account"), None).await.status, 200);
    }
}
