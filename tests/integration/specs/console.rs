//! The console's door: who is let in, at which address, for how long, and what a form there is held to.

use std::time::Duration;

use tessera::domain::audit::{Act, Actor, Event};
use tessera::domain::role::Role;
use tessera::flows::admin::By;
use tessera::flows::console;

use super::console_settings::press;
use super::seed::{Scene, until_current};
use crate::support::app::{TestApp, TestTenant, TestUser, app_test, on_both};
use crate::support::browser::{Browser, Page};

pub async fn appoint(app: &TestApp, tenant: &TestTenant, user: &TestUser, role: Role) {
    let id = user.id;
    app.provider
        .db
        .write(&*app.load(tenant).await, move |repo| {
            repo.grant_role(id, role)
        })
        .await
        .expect("a role");
}

/// Somebody at the console's first page.
pub async fn entered(app: &TestApp, tenant: &TestTenant, user: &TestUser) -> (Browser, Page) {
    let mut browser = app.browser();
    let page = browser.open(&tenant.url("/console")).await;
    page.expect_id("password");
    let page = browser.sign_in(&page, user).await;
    (browser, page)
}

pub async fn administrator(scene: &Scene) -> (Browser, Page) {
    appoint(&scene.app, &scene.tenant, &scene.user, Role::Administrator).await;
    entered(&scene.app, &scene.tenant, &scene.user).await
}

/// The first of a tenant of operators.
pub async fn operator(app: &TestApp) -> (TestTenant, TestUser) {
    let system = app.tenant("system").await;
    let user = app
        .user(&system, "root@system.example", "a long enough password")
        .await;
    appoint(app, &system, &user, Role::Administrator).await;
    (system, user)
}

app_test! {
    async fn an_administrator_signs_in_and_is_asked_for_no_consent(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, page) = administrator(&scene).await;
        assert_eq!((page.answer.status, page.url.as_str()), (200, scene.tenant.url("/console").as_str()));
        assert!(page.answer.body.contains("data-tenant-slug=\"acme\"") && page.answer.body.contains("Ana Example"), "{}", page.answer.body);
        // A session of its own: the next page needs no sign-in, and what was asked for is what is shown.
        let again = browser.open(&scene.tenant.url("/console/nowhere?a=b")).await;
        assert_eq!((again.answer.status, again.url.path()), (404, "/t/acme/console/nowhere"));
        assert!(again.answer.body.contains("data-error=\"not-found\""), "{}", again.answer.body);
        let mut other = scene.app.browser();
        let page = other.open(&scene.tenant.url("/console?x=1")).await;
        assert_eq!(other.sign_in(&page, &scene.user).await.url.as_str(), scene.tenant.url("/console?x=1"));
    }

    async fn a_person_without_roles_is_told_whom_to_ask(app: TestApp) {
        let scene = Scene::new(app).await;
        let (_, page) = entered(&scene.app, &scene.tenant, &scene.user).await;
        assert_eq!(page.answer.status, 403);
        assert!(page.answer.body.contains("data-error=\"no-role\"") && page.answer.body.contains("ana@acme.example"), "{}", page.answer.body);
    }

    async fn what_is_taken_away_counts_at_the_next_request(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, page) = administrator(&scene).await;
        assert_eq!(page.answer.status, 200);
        let (tenant, id) = (scene.loaded().await, scene.user.id);
        scene.app.provider.db.write(&*tenant, move |repo| repo.revoke_role(id, Role::Administrator)).await.expect("storage works");
        assert_eq!(browser.open(&scene.tenant.url("/console")).await.answer.status, 403);
        scene.app.provider.db.write(&*tenant, move |repo| repo.set_user_disabled(id, true)).await.expect("storage works");
        browser.open(&scene.tenant.url("/console")).await.expect_id("password");
    }

    async fn the_session_of_one_tenant_is_nothing_at_another(app: TestApp) {
        let scene = Scene::new(app).await;
        let globex = scene.app.tenant("globex").await;
        let (mut browser, _) = administrator(&scene).await;
        browser.transplant_cookies("/t/globex");
        let answer = browser.fetch(&globex.url("/console"), None).await;
        assert_eq!(answer.status, 303);
        assert!(answer.header("location").is_some_and(|location| location.contains("/t/globex/authorize?")), "{answer:?}");
        // Nor is another tenant there by its name for anybody but operators; one that isn't there looks the same.
        browser.transplant_cookies("/t/acme");
        for slug in ["globex", "nobody", "UPPER", "system"] {
            let page = browser.open(&scene.tenant.url(&format!("/console/tenants/{slug}"))).await;
            assert_eq!(page.answer.status, 404, "{slug}");
            assert!(!page.answer.body.contains("GLOBEX"), "{slug}");
        }
    }

    async fn a_form_counts_in_its_own_session_and_from_our_own_origin_only(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, page) = administrator(&scene).await;
        let (action, token) = (scene.tenant.url("/console/sign-out"), page.hidden("csrf").expect("a token"));
        let origin = page.url.origin().ascii_serialization();
        for (csrf, origin) in [("", &*origin), ("x", &*origin), (&*token, "https://evil.example"), (&*token, "null")] {
            assert_eq!(browser.post_from(&action, &[("csrf", csrf)], Some(origin)).await.status, 403, "{csrf} {origin}");
        }
        // A token for another form of this browser.
        let account = browser.open(&scene.tenant.url("/account/password")).await;
        let foreign = account.hidden("csrf").expect("a token");
        assert_eq!(browser.post_from(&action, &[("csrf", &foreign)], Some(&origin)).await.status, 403);
        // A token of an earlier session of this browser.
        browser.submit(&page, &[("csrf", &token)]).await;
        let page = browser.open(&scene.tenant.url("/console")).await;
        let page = browser.sign_in(&page, &scene.user).await;
        assert_eq!(page.answer.status, 200);
        assert_eq!(browser.post_from(&action, &[("csrf", &token)], Some(&origin)).await.status, 403);
        let token = page.hidden("csrf").expect("a token");
        assert_eq!(browser.post_from(&action, &[("csrf", &token)], Some(&origin)).await.status, 303);
    }

    async fn signing_out_ends_the_session_of_the_tenant_too(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, page) = administrator(&scene).await;
        let stolen = browser.clone();
        let token = page.hidden("csrf").expect("a token");
        let page = browser.submit(&page, &[("csrf", &token)]).await;
        assert_eq!((page.answer.status, page.url.as_str()), (200, scene.tenant.url("/console/signed-out").as_str()));
        assert!(browser.cookie("tessera_console").is_none() && browser.cookie("tessera_session").is_none());
        browser.open(&scene.tenant.url("/console")).await.expect_id("password");
        // A copy of the cookies is worth nothing either; a form sent with it does nothing and says so.
        let mut stolen = stolen;
        stolen.open(&scene.tenant.url("/console")).await.expect_id("password");
        let origin = page.url.origin().ascii_serialization();
        let answer = stolen.post_from(&scene.tenant.url("/console/sign-out"), &[("csrf", &token)], Some(&origin)).await;
        assert_eq!(answer.status, 401);
    }

    async fn an_answer_is_taken_only_by_the_browser_that_waits_for_it(app: TestApp) {
        let scene = Scene::new(app).await;
        appoint(&scene.app, &scene.tenant, &scene.user, Role::Administrator).await;
        let mut attacker = scene.app.browser();
        let page = attacker.open(&scene.tenant.url("/account")).await;
        attacker.sign_in(&page, &scene.user).await;
        let begun = attacker.fetch(&scene.tenant.url("/console"), None).await;
        let root = page.url.origin().ascii_serialization();
        let authorize = format!("{root}{}", begun.header("location").expect("a location"));
        let callback = attacker.fetch(&authorize, None).await.header("location").expect("a location").to_owned();
        // Nobody can be signed in as somebody else by a link: not without a sign-in, and not with another one.
        let mut victim = scene.app.browser();
        assert_eq!(victim.fetch(&callback, None).await.status, 400);
        victim.fetch(&scene.tenant.url("/console"), None).await;
        assert_eq!(victim.fetch(&callback, None).await.status, 400);
        assert!(victim.cookie("tessera_console").is_none());
        // The code wasn't even tried: what the victim waits for may still come.
        assert!(victim.cookie("tessera_console_signin").is_some());
        let changed = callback.replace("iss=", "iss=x");
        assert_eq!(attacker.fetch(&changed, None).await.status, 400);
        assert_eq!(attacker.open(&callback).await.answer.status, 200);
        // The code is spent, and so is the sign-in. Whoever went back to it is in already, and is sent where nothing of the answer decides.
        let session = attacker.cookie("tessera_console").map(ToOwned::to_owned);
        for back in [callback.clone(), scene.tenant.url("/console/callback"), scene.tenant.url("/console/callback?error=access_denied&state=x&return_to=https://evil.example")] {
            let answer = attacker.fetch(&back, None).await;
            assert_eq!((answer.status, answer.header("location")), (303, Some("/t/acme/console")), "{back}");
        }
        assert_eq!(attacker.cookie("tessera_console"), session.as_deref());
        // Without that session it is what it was.
        victim.fetch(&scene.tenant.url("/console"), None).await;
        assert_eq!(victim.fetch(&callback, None).await.status, 400);
    }

    async fn the_client_is_made_once_and_nobody_else_touches_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let node = scene.second_node().await;
        let (url, mut here) = (scene.tenant.url("/console"), scene.app.browser());
        let mut there = scene.app.browser();
        there.move_to(&node.http);
        let (one, two) = futures_util::future::join(here.fetch(&url, None), there.fetch(&url, None)).await;
        assert_eq!((one.status, two.status), (303, 303));
        let (tenant, id, by) = (scene.loaded().await, console::client_id(), By::command_line());
        let client = scene.app.provider.load_client(&tenant, id).await.expect("the client");
        assert!(client.metadata.skip_consent && client.is_public());
        let provider = &scene.app.provider;
        assert!(provider.delete_client(&tenant, id, &by).await.is_err());
        assert!(provider.update_client(&tenant, client.clone(), &by).await.is_err());
        assert!(provider.create_client(&tenant, client.metadata.clone(), &by).await.is_err());
        assert_eq!(provider.load_client(&tenant, id).await.expect("the client").version, client.version);
    }

    async fn a_page_renews_the_session_silently_and_a_form_does_not(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, page) = administrator(&scene).await;
        let first = browser.cookie("tessera_console").expect("a session").to_owned();
        let token = page.hidden("csrf").expect("a token");
        scene.app.time.advance(Duration::from_mins(40));
        until_current(&scene.app.provider).await;
        let again = browser.open(&scene.tenant.url("/console?y=2")).await;
        assert_eq!((again.answer.status, again.url.as_str()), (200, scene.tenant.url("/console?y=2").as_str()));
        assert_ne!(browser.cookie("tessera_console"), Some(first.as_str()));
        // What lay open is still good: it is the same person's session.
        let origin = page.url.origin().ascii_serialization();
        let answer = browser.post_from(&scene.tenant.url("/console/sign-out"), &[("csrf", &token)], Some(&origin)).await;
        assert_eq!(answer.status, 303);
    }

    async fn the_audit_shows_what_is_asked_for_a_page_at_a_time(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let url = scene.tenant.url("/console/audit");
        let mut stranger = scene.app.browser();
        let login = stranger.open(&scene.tenant.url("/login")).await;
        let wrong = TestUser { password: "not the password".into(), ..scene.user.clone() };
        stranger.sign_in(&login, &wrong).await;
        let all = browser.open(&url).await.answer.body;
        assert!(all.contains("Sign-in failed") && all.contains("Signed in") && all.contains("ana@acme.example"), "{all}");
        let rows = |body: &str| body.matches("<tr>").count() - 1;
        for (query, expected) in [
            ("act=signin.failed", 1), ("act=signin.failed&person=ana@acme.example", 1), ("act=signin.failed&since=2020-01-01&until=2090-01-01", 1),
            ("act=signin.failed&until=2020-01-01", 0), ("act=signin.failed&since=2090-01-01", 0), ("act=signin.failed&since=0001-01-01", 1),
        ] {
            let page = browser.open(&format!("{url}?{query}")).await;
            assert_eq!(page.answer.status, 200, "{query}");
            let found = if page.answer.body.contains("<table") { rows(&page.answer.body) } else { 0 };
            assert_eq!(found, expected, "{query}: {}", page.answer.body);
            assert_eq!(page.answer.body.contains("Nothing found"), expected == 0, "{query}: {}", page.answer.body);
            assert!(!page.answer.body.contains("No events"), "{query}: {}", page.answer.body);
        }
        for (query, field) in [("act=x", "act"), ("person=nobody@acme.example", "person"), ("person=%3Cb%3E", "person"), ("client=1", "client"), ("since=yesterday", "since"), ("since=-4800-01-01", "since"), ("until=-9999-01-01", "until"), ("until=%2B262142-12-30", "until"), ("until=2026-02-30", "until"), ("since=2026-02-02&until=2026-02-01", "until")] {
            let page = browser.open(&format!("{url}?{query}")).await;
            assert_eq!(page.answer.status, 422, "{query}");
            page.expect_id(&format!("{field}-problem"));
        }
        // One event in full, and nobody's.
        let page = browser.open(&format!("{url}?act=signin.failed")).await.answer.body;
        let path = page.split("<td").nth(1).and_then(|cell| cell.split("href=\"").nth(1)).and_then(|rest| rest.split('"').next()).expect("a link").to_owned();
        let event = browser.open(&format!("{}{path}", scene.app.root())).await.answer;
        assert!(event.status == 200 && event.body.contains("signin.failed") && event.body.contains("127.0.0.1"), "{}", event.body);
        for id in ["x", "01a20b5e-d265-729a-ad4f-d4cd5de0bd76"] {
            assert_eq!(browser.open(&format!("{url}/{id}")).await.answer.status, 404, "{id}");
        }
        // More than a page.
        let tenant = scene.loaded().await;
        scene.app.provider.db.write(&*tenant, |repo| {
            for _ in 0..30 {
                repo.record(Event::new(Act::KeyRotated, Actor::System))?;
            }
            Ok(())
        }).await.expect("storage works");
        let first = browser.open(&format!("{url}?act=key.rotated")).await.answer.body;
        assert_eq!(rows(&first), 25);
        let next = first.split("rel=\"next\"").next().and_then(|before| before.rsplit("href=\"").next()).and_then(|rest| rest.split('"').next()).expect("a link").replace("&#38;", "&");
        let second = browser.open(&format!("{}{next}", scene.app.root())).await.answer.body;
        assert_eq!(rows(&second), 5, "{second}");
        assert!(second.contains("rel=\"first\""));
    }

    async fn sections_and_pages_are_for_those_who_may_see_them(app: TestApp) {
        let scene = Scene::new(app).await;
        for (role, sees) in [(Role::ClientManager, false), (Role::UserManager, false), (Role::Auditor, true)] {
            let user = scene.app.user(&scene.tenant, &format!("{role}@acme.example"), "a long enough password").await;
            appoint(&scene.app, &scene.tenant, &user, role).await;
            let (mut browser, page) = entered(&scene.app, &scene.tenant, &user).await;
            assert_eq!(page.answer.status, 200, "{role}");
            assert_eq!(page.answer.body.contains("/console/audit"), sees, "{role}");
            let status = browser.open(&scene.tenant.url("/console/audit")).await.answer.status;
            assert_eq!(status, if sees { 200 } else { 403 }, "{role}");
        }
    }

    async fn the_audit_names_what_was_done_and_operators_to_operators(app: TestApp) {
        let scene = Scene::new(app).await;
        let (system, root) = operator(&scene.app).await;
        let (mut operators, _) = entered(&scene.app, &system, &root).await;
        let api = |rest: &str| system.url(&format!("/console/tenants/acme/resources{rest}"));
        let new = operators.open(&api("/new")).await;
        let made = operators.submit(&new, &[("identifier", "https://orders.example"), ("name", "Orders"), ("scope", "orders:read")]).await;
        assert_eq!(made.answer.status, 200, "{}", made.answer.body);
        let ask = operators.open(&format!("{}/delete", made.url)).await;
        assert_eq!(press(&mut operators, &ask, ask.url.as_str(), &[]).await.answer.status, 200);
        let gone = scene.app.user(&scene.tenant, "gone@acme.example", "a long enough password").await;
        let ask = operators.open(&system.url(&format!("/console/tenants/acme/users/{}/delete", gone.id))).await;
        assert_eq!(press(&mut operators, &ask, ask.url.as_str(), &[]).await.answer.status, 200);
        let plain = |page: Page| page.answer.body.replace(['\u{2068}', '\u{2069}'], "");
        let (mut own, _) = administrator(&scene).await;
        for (act, named) in [("resource.created", "https://orders.example"), ("resource.deleted", "https://orders.example"), ("user.deleted", "gone@acme.example")] {
            let theirs = plain(operators.open(&system.url(&format!("/console/tenants/acme/audit?act={act}"))).await);
            assert!(theirs.contains(named) && theirs.contains("Operator root@system.example"), "{act}: {theirs}");
            // The tenant's own people see who it was, and no address of another tenant's.
            let ours = plain(own.open(&scene.tenant.url(&format!("/console/audit?act={act}"))).await);
            assert!(ours.contains(named) && ours.contains(&format!("Operator {}", root.id)) && !ours.contains("root@system"), "{act}: {ours}");
            let path = ours.split("<td").nth(1).and_then(|cell| cell.split("href=\"").nth(1)).and_then(|rest| rest.split('"').next()).expect("a link").to_owned();
            let event = plain(own.open(&format!("{}{path}", scene.app.root())).await);
            assert!(event.contains(&format!("Operator {}", root.id)) && event.contains(named) && !event.contains("root@system"), "{act}: {event}");
            let event = plain(operators.open(&system.url(&format!("/console/tenants/acme/audit/{}", path.rsplit('/').next().expect("an id")))).await);
            assert!(event.contains("Operator root@system.example"), "{act}: {event}");
        }
        // Whoever is gone from the operators is known by their id.
        let by = By::command_line();
        let home = scene.app.load(&system).await;
        let next = scene.app.user(&system, "next@system.example", "a long enough password").await;
        appoint(&scene.app, &system, &next, Role::Administrator).await;
        let record = scene.app.provider.load_user(&home, root.id).await.expect("there");
        scene.app.provider.delete_user(&home, &record, &by).await.expect("deleted");
        let (mut browser, _) = entered(&scene.app, &system, &next).await;
        let theirs = plain(browser.open(&system.url("/console/tenants/acme/audit?act=resource.created")).await);
        assert!(theirs.contains(&format!("Operator {}", root.id)), "{theirs}");
    }

    async fn operators_look_at_other_tenants_from_their_own_console(app: TestApp) {
        let scene = Scene::new(app).await;
        let (system, user) = operator(&scene.app).await;
        let (mut browser, page) = entered(&scene.app, &system, &user).await;
        assert_eq!(page.answer.status, 200);
        assert!(page.answer.body.contains("/console/open\""), "{}", page.answer.body);
        let page = browser.open(&system.url("/console/open?tenant=acme")).await;
        assert_eq!((page.answer.status, page.url.path()), (200, "/t/system/console/tenants/acme"));
        assert!(page.answer.body.contains("data-tenant-slug=\"acme\"") && page.answer.body.contains("/t/system/console/sign-out"), "{}", page.answer.body);
        let audit = browser.open(&system.url("/console/tenants/acme/audit")).await;
        assert!(audit.answer.status == 200 && audit.answer.body.contains("href=\"/t/system/console/tenants/acme/audit\""), "{}", audit.answer.body);
        assert_eq!(browser.open(&system.url("/console/tenants/nobody")).await.answer.status, 404);
        // Their session isn't one of that tenant's own console.
        let mut elsewhere = browser.clone();
        elsewhere.transplant_cookies("/t/acme");
        assert_eq!(elsewhere.fetch(&scene.tenant.url("/console"), None).await.status, 303);
    }
}

#[test]
fn the_console_lives_where_the_tenant_does() {
    on_both(
        "public_url = 'http://{tenant}.localhost:8080'\n",
        async |app| {
            let scene = Scene::new(app).await;
            let (_, page) = administrator(&scene).await;
            assert_eq!(
                (page.answer.status, page.url.as_str()),
                (200, "http://acme.localhost:8080/console")
            );
        },
    );
}
