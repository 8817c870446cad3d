//! Trying a client out at the console: what is shown, who is let in, and what is left.

use serde_json::Value;
use tessera::domain::role::Role;
use tessera::flows::admin::By;
use tessera::flows::trial;

use super::console::{administrator, appoint, entered};
use super::console_clients::{WEB, registered, stored, with};
use super::seed::Scene;
use crate::support::app::app_test;

app_test! {
    async fn a_trial_shows_the_tokens_and_leaves_nothing(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.app.resource(&scene.tenant, "https://api.acme.example", &["orders:read"]).await;
        let (mut browser, _) = administrator(&scene).await;
        let fields = with(&WEB, &[("api", "https://api.acme.example orders:read")]);
        let (_, client) = registered(&scene, &mut browser, "web", &fields).await;
        let before = stored(&scene, client.id).await;
        let page = browser.open(&scene.tenant.url(&format!("/console/clients/{}/try-it", client.id))).await;
        let page = browser.submit(&page, &[("resource", "https://api.acme.example")]).await;
        // As people will see it: consent is asked for.
        let page = browser.pass(page, &scene.user).await;
        assert!(page.answer.status == 200 && page.url.path().ends_with("/console/try-it/callback"), "{} {}", page.url, page.answer.body);
        for id in ["id-token", "access-header", "access-claims", "userinfo", "answer"] {
            page.expect_id(id);
        }
        let body = page.answer.body.replace("&#34;", "\"");
        for wanted in ["\"at+jwt\"", "\"https://api.acme.example\"", "orders:read", "ana@acme.example", "\"access_token\": \"…\""] {
            assert!(body.contains(wanted), "{wanted}: {body}");
        }
        assert!(!body.contains("eyJ"), "{body}");
        // The client is as it was, and the one that stood in for it is gone.
        let after = stored(&scene, client.id).await;
        assert_eq!((after.version, after.metadata), (before.version, before.metadata));
        let tenant = scene.loaded().await;
        assert!(scene.app.provider.load_client(&tenant, trial::stand_in_id(client.id)).await.is_err());
        // Loaded again, the code is spent.
        let again = browser.open(page.url.as_str()).await;
        assert!(again.answer.status == 200 && again.answer.body.contains("id=\"problem\""), "{}", again.answer.body);
        // A person says no.
        let page = browser.open(&scene.tenant.url(&format!("/console/clients/{}/try-it", client.id))).await;
        let page = browser.submit(&page, &[("resource", "")]).await;
        let page = browser.submit(&page, &[("decision", "deny")]).await;
        assert!(page.answer.body.contains("access_denied"), "{}", page.answer.body);
        // An API that it may not name.
        let page = browser.open(&scene.tenant.url(&format!("/console/clients/{}/try-it", client.id))).await;
        assert_eq!(browser.submit(&page, &[("resource", "urn:other")]).await.answer.status, 422);
    }

    async fn a_trial_is_finished_only_by_the_session_that_began_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let client = scene.app.client(&scene.tenant, serde_json::json!({ "client_name": "Own", "redirect_uris": ["https://a.example/"], "skip_consent": true, "scope": "openid email tessera:admin offline_access" })).await;
        let url = scene.tenant.url(&format!("/console/clients/{}/try-it", client.id));
        let page = browser.open(&url).await;
        let (token, origin) = (page.hidden("csrf").expect("a token"), page.url.origin().ascii_serialization());
        assert_eq!(browser.post_from(&url, &[("csrf", "")], Some(&origin)).await.status, 403);
        let begun = browser.post_from(&url, &[("csrf", &token)], Some(&origin)).await;
        let authorize = begun.header("location").expect("a location").to_owned();
        assert!(!authorize.contains("admin") && !authorize.contains("offline_access"), "{authorize}");
        let answered = browser.fetch(&format!("{}{authorize}", scene.app.root()), None).await;
        let callback = answered.header("location").expect("a location").to_owned();
        assert!(callback.contains("/console/try-it/callback?") && callback.contains("code="), "{callback}");
        // Somebody else who administers, by a link.
        let colleague = scene.app.user(&scene.tenant, "bo@acme.example", "a long enough password").await;
        appoint(&scene.app, &scene.tenant, &colleague, Role::Administrator).await;
        let (mut theirs, _) = entered(&scene.app, &scene.tenant, &colleague).await;
        let refused = theirs.open(&callback).await;
        assert!(refused.answer.status == 409 && !refused.answer.body.contains("ana@acme.example"), "{}", refused.answer.body);
        // Somebody who may only look, and nobody.
        let auditor = scene.app.user(&scene.tenant, "au@acme.example", "a long enough password").await;
        appoint(&scene.app, &scene.tenant, &auditor, Role::Auditor).await;
        let (mut looking, _) = entered(&scene.app, &scene.tenant, &auditor).await;
        assert_eq!(looking.open(&callback).await.answer.status, 403);
        assert_eq!(scene.app.browser().fetch(&callback, None).await.status, 303);
        // A state or an issuer that was tampered with.
        for changed in [callback.replace("state=", "state=A"), callback.replace("iss=", "iss=x"), scene.tenant.url("/console/try-it/callback?code=x&state=y")] {
            assert_eq!(browser.open(&changed).await.answer.status, 409, "{changed}");
        }
        // None of these spent the code.
        let done = browser.open(&callback).await;
        assert!(done.answer.status == 200 && done.answer.body.contains("It works"), "{}", done.answer.body);
        // The code is no good at the token endpoint for the client itself either: it never was one of its own.
        let events: Vec<Value> = scene.app.database.raw().texts("SELECT detail AS value FROM audit_events WHERE act = 'client.deleted'").iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
        assert!(events.iter().any(|detail| detail["stands_in_for"] == client.id.to_string()), "{events:?}");
    }

    async fn operators_register_elsewhere_and_try_nothing_there(app: TestApp) {
        let scene = Scene::new(app).await;
        let system = scene.app.tenant("system").await;
        let root = scene.app.user(&system, "root@system.example", "a long enough password").await;
        appoint(&scene.app, &system, &root, Role::Administrator).await;
        let (mut browser, _) = entered(&scene.app, &system, &root).await;
        let page = browser.open(&system.url("/console/tenants/acme/clients/new/web")).await;
        let page = browser.submit(&page, &WEB).await;
        // The secret and the settings of the other tenant, at the operator's own address.
        page.expect_id("secret");
        assert!(page.url.path().starts_with("/t/system/console/tenants/acme/clients/") && page.answer.body.contains(&scene.tenant.issuer), "{}", page.answer.body);
        // They have no session of that tenant: who tries out there is one of its own people.
        let url = page.url.as_str().replace("/connect", "/try-it");
        let asked = browser.open(&url).await;
        assert!(asked.answer.status == 200 && asked.answer.body.contains(&scene.tenant.url("/console/clients/")) && !asked.answer.body.contains("id=\"begin\""), "{}", asked.answer.body);
        let (token, origin) = (asked.hidden("csrf").expect("a token"), asked.url.origin().ascii_serialization());
        assert_eq!(browser.post_from(&url, &[("csrf", &token)], Some(&origin)).await.status, 404);
        assert_eq!(browser.open(&system.url("/console/tenants/acme/try-it/callback?code=x&state=y")).await.answer.status, 404);
    }

    async fn nobody_registers_or_touches_a_stand_in(app: TestApp) {
        let scene = Scene::new(app).await;
        let tenant = scene.loaded().await;
        let by = By::command_line();
        let mut metadata = scene.rp.client.metadata.clone();
        metadata.software_id = Some(trial::SOFTWARE_ID.to_owned());
        assert!(scene.app.provider.create_client(&tenant, metadata.clone(), &by).await.is_err());
        let mut own = stored(&scene, scene.rp.client.id).await;
        own.metadata = metadata;
        assert!(scene.app.provider.update_client(&tenant, own, &by).await.is_err());
    }
}
