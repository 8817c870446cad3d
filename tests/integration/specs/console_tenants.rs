//! The installation's tenants at the operators' console: found among many, made, closed, opened again, deleted; and for nobody else.

use std::time::{Duration, Instant};

use tessera::domain::role::Role;
use tessera::flows::admin::By;
use tessera::storage::PageRequest;

use super::console::{administrator, appoint, entered};
use super::console_settings::press;
use super::seed::Scene;
use crate::support::app::{TestApp, TestTenant, app_test};
use crate::support::browser::Browser;

async fn operator(app: &TestApp) -> (TestTenant, Browser) {
    let system = app.tenant("system").await;
    let user = app
        .user(&system, "root@system.example", "a long enough password")
        .await;
    appoint(app, &system, &user, Role::Administrator).await;
    let (browser, page) = entered(app, &system, &user).await;
    assert_eq!(page.answer.status, 200);
    (system, browser)
}

app_test! {
    async fn a_tenant_is_made_suspended_resumed_and_deleted(app: TestApp) {
        let scene = Scene::new(app).await;
        let (system, mut browser) = operator(&scene.app).await;
        let page = browser.open(&system.url("/console/tenant-new")).await;
        for (slug, name) in [("Not A Slug", "Initech"), ("system", "Initech"), ("acme", "Initech"), ("initech", "")] {
            let wrong = browser.submit(&page, &[("slug", slug), ("name", name)]).await;
            assert_eq!(wrong.answer.status, 422, "{slug}");
            wrong.expect_id(if name.is_empty() { "name-problem" } else { "slug-problem" });
            assert!(wrong.answer.body.contains(&format!("value=\"{slug}\"")), "{}", wrong.answer.body);
        }
        let made = browser.submit(&page, &[("slug", "initech"), ("name", "Initech & Sons")]).await;
        assert_eq!((made.answer.status, made.url.path()), (200, "/t/system/console/tenant/initech"));
        assert!(made.answer.body.contains("/t/initech/console") && made.answer.body.contains("Create an administrator"), "{}", made.answer.body);
        // Sent twice, it is there already.
        assert_eq!(browser.submit(&page, &[("slug", "initech"), ("name", "Initech & Sons")]).await.answer.status, 422);
        let url = |rest: &str| system.url(&format!("/console/tenant/initech{rest}"));
        assert_eq!(browser.open(&system.url("/console/tenants/initech")).await.answer.status, 200);
        // What shuts people out is marked as such.
        for id in ["suspend", "delete"] {
            assert!(made.answer.body.contains(&format!("button-danger\" id=\"{id}\"")), "{}", made.answer.body);
        }

        let ask = browser.open(&url("/suspend")).await;
        assert!(ask.answer.body.contains("class=\"consequences\""), "{}", ask.answer.body);
        let suspended = press(&mut browser, &ask, &url("/suspend"), &[]).await;
        assert_eq!(suspended.answer.status, 200);
        assert!(suspended.answer.body.contains("is suspended.") && suspended.answer.body.contains("class=\"undo\""), "{}", suspended.answer.body);
        assert_eq!(scene.app.browser().open(&format!("{}/t/initech/account", scene.app.root())).await.answer.status, 403);
        // Once more does no harm.
        assert_eq!(press(&mut browser, &ask, &url("/suspend"), &[]).await.answer.status, 200);
        let resumed = press(&mut browser, &ask, &url("/resume"), &[]).await;
        assert!(resumed.answer.body.contains("is open again"), "{}", resumed.answer.body);
        assert_eq!(scene.app.browser().open(&format!("{}/t/initech/account", scene.app.root())).await.answer.status, 200);

        let ask = browser.open(&url("/delete")).await;
        let wrong = browser.submit(&ask, &[("slug", "initec")]).await;
        assert_eq!(wrong.answer.status, 422);
        wrong.expect_id("slug-problem");
        let gone = browser.submit(&ask, &[("slug", "initech")]).await;
        assert_eq!((gone.answer.status, gone.url.path()), (200, "/t/system/console/tenants"));
        assert!(gone.answer.body.contains("is deleted."), "{}", gone.answer.body);
        assert_eq!(browser.submit(&ask, &[("slug", "initech")]).await.answer.status, 404);
        // Its own audit went with it; the operators' tells of each act once, and by whom.
        for act in ["created", "suspended", "resumed", "deleted"] {
            let audit = browser.open(&system.url(&format!("/console/audit?act=tenant.{act}"))).await;
            let body = audit.answer.body.replace(['\u{2068}', '\u{2069}'], "");
            assert_eq!(body.matches("Initech &#38; Sons (initech)").count(), 1, "{act}: {body}");
            assert_eq!(body.matches("Operator root@system.example").count(), 1, "{act}: {body}");
        }
        // The operators' own stays.
        let ask = browser.open(&system.url("/console/tenant/system/suspend")).await;
        assert_eq!(press(&mut browser, &ask, &system.url("/console/tenant/system/suspend"), &[]).await.answer.status, 409);
        let ask = browser.open(&system.url("/console/tenant/system/delete")).await;
        assert_eq!(browser.submit(&ask, &[("slug", "system")]).await.answer.status, 409);
    }

    async fn a_tenant_without_an_administrator_says_so_to_operators(app: TestApp) {
        let scene = Scene::new(app).await;
        let (system, mut browser) = operator(&scene.app).await;
        let mut acts = async || {
            let page = browser.open(&system.url("/console/tenant/acme")).await.answer;
            ["first-administrator", "appoint-administrator"].map(|id| page.body.contains(&format!("id=\"{id}\"")))
        };
        assert_eq!(acts().await, [false, true]);
        // Another role doesn't do; whoever is shut out neither.
        appoint(&scene.app, &scene.tenant, &scene.user, Role::UserManager).await;
        assert_eq!(acts().await, [false, true]);
        appoint(&scene.app, &scene.tenant, &scene.user, Role::Administrator).await;
        assert_eq!(acts().await, [false, false]);
        let tenant = scene.loaded().await;
        scene.app.provider.disable_user(&tenant, scene.user.id, &By::command_line()).await.expect("disabled");
        assert_eq!(acts().await, [false, true]);
        let form = browser.open(&system.url("/console/tenants/acme/administrators/new")).await;
        form.expect_id("email");
    }

    async fn tenants_are_for_operators(app: TestApp) {
        let scene = Scene::new(app).await;
        let (system, mut operators) = operator(&scene.app).await;
        let (mut browser, page) = administrator(&scene).await;
        assert!(!page.answer.body.contains("/console/tenants\""), "{}", page.answer.body);
        for path in ["/console/tenants", "/console/tenant-new", "/console/tenant/acme", "/console/tenant/acme/suspend", "/console/tenant/system/delete"] {
            assert_eq!(browser.open(&scene.tenant.url(path)).await.answer.status, 404, "{path}");
        }
        for path in ["/console/tenant-new", "/console/tenant/acme/suspend", "/console/tenant/acme/resume", "/console/tenant/acme/delete"] {
            let answer = press(&mut browser, &page, &scene.tenant.url(path), &[("slug", "acme"), ("name", "X")]).await;
            assert_eq!(answer.answer.status, 404, "{path}");
        }
        // Nor by the flow, whoever calls it.
        let by = By { authority: tessera::flows::admin::Authority::Roles(vec![Role::Administrator]), ..By::command_line() };
        assert!(scene.app.provider.suspend_tenant("acme", &by).await.is_err());
        assert!(scene.app.provider.delete_tenant("acme", &by).await.is_err());
        assert!(scene.app.provider.create_tenant("initech", "Initech", &by).await.is_err());
        // An operators' auditor administers no installation.
        let user = scene.app.user(&system, "look@system.example", "a long enough password").await;
        appoint(&scene.app, &system, &user, Role::Auditor).await;
        let (mut auditor, _) = entered(&scene.app, &system, &user).await;
        assert_eq!(auditor.open(&system.url("/console/tenants")).await.answer.status, 404);
        // A form without its token, and from elsewhere.
        let page = operators.open(&system.url("/console/tenants")).await;
        assert!(page.answer.body.contains("/console/tenant/acme\""), "{}", page.answer.body);
        let origin = page.url.origin().ascii_serialization();
        let (action, token) = (system.url("/console/tenant/acme/suspend"), page.hidden("csrf").expect("a token"));
        assert_eq!(operators.post_from(&action, &[("csrf", "x")], Some(&origin)).await.status, 403);
        assert_eq!(operators.post_from(&action, &[("csrf", &token)], Some("https://evil.example")).await.status, 403);
        assert!(scene.loaded().await.is_active());
        for slug in ["nobody", "UPPER", "%00"] {
            assert_eq!(operators.open(&system.url(&format!("/console/tenant/{slug}"))).await.answer.status, 404, "{slug}");
        }
    }

    async fn a_tenant_is_found_by_the_beginning_of_its_slug_or_name(app: TestApp) {
        let scene = Scene::new(app).await;
        let (system, mut browser) = operator(&scene.app).await;
        let by = By::command_line();
        for number in 0..30 {
            scene.app.provider.create_tenant(&format!("shop-{number:02}"), &format!("Ünion {number:02}"), &by).await.expect("a tenant");
        }
        scene.app.provider.create_tenant("union", "Shop of Wonders", &by).await.expect("a tenant");
        let rows = |body: &str| body.matches("<tr>").count().saturating_sub(1);
        let open = async |browser: &mut Browser, query: &str| browser.open(&system.url(&format!("/console/tenants{query}"))).await.answer.body;
        let first = open(&mut browser, "?q=shop").await;
        assert_eq!(rows(&first), 25);
        let next = first.split("rel=\"next\"").next().and_then(|before| before.rsplit("href=\"").next()).and_then(|rest| rest.split('"').next()).expect("a link").replace("&#38;", "&");
        let second = browser.open(&format!("{}{next}", scene.app.root())).await.answer.body;
        // Those whose slug fits first, and then whoever is called so.
        assert_eq!(rows(&second), 6, "{second}");
        assert!(second.contains("shop-29") && second.contains("Shop of Wonders"), "{second}");
        assert_eq!(rows(&open(&mut browser, "?q=%C3%BCNION").await), 25);
        assert_eq!(rows(&open(&mut browser, "?q=SHOP-07").await), 1);
        for nothing in ["?q=hop", "?q=%25", "?q=shop_", "?q=zzz"] {
            let body = open(&mut browser, nothing).await;
            assert!(body.contains("Nothing found"), "{nothing}: {body}");
        }
        // Every one of them once, whatever the pages' size.
        for search in [None, Some("shop".to_owned()), Some("ünion".to_owned())] {
            let (mut seen, mut page) = (Vec::new(), PageRequest::first(4));
            loop {
                let part = scene.app.provider.list_tenants(search.clone(), page).await.expect("a page");
                seen.extend(part.items.iter().map(|tenant| tenant.slug.to_string()));
                match part.next {
                    Some(next) => page.after = Some(next),
                    None => break,
                }
            }
            let all = seen.len();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!((seen.len(), all), (all, match search.as_deref() { None => 33, Some("shop") => 31, _ => 30 }), "{search:?}");
        }
        let began = Instant::now();
        open(&mut browser, "?q=shop").await;
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
