//! SECURITY, "Tenancy": what belongs to tenant A, presented at tenant B. Each refusal stands beside its legitimate twin.

use serde_json::json;

use crate::support::app::{TestApp, TestClient, TestTenant, TestUser, app_test};
use crate::support::relying_party::RelyingParty;

const PASSWORD: &str = "correct horse battery";

/// Two tenants that look alike: a person of the same name, clients of the same name.
struct Two {
    acme: Side,
    globex: Side,
}

struct Side {
    tenant: TestTenant,
    user: TestUser,
    web: TestClient,
}

async fn side(app: &TestApp, slug: &str) -> Side {
    let tenant = app.tenant(slug).await;
    let user = app.user(&tenant, "ana@example.com", PASSWORD).await;
    let web = app.web_client(&tenant).await;
    Side { tenant, user, web }
}

async fn two(app: &TestApp) -> Two {
    Two {
        acme: side(app, "acme").await,
        globex: side(app, "globex").await,
    }
}

impl Side {
    fn relying_party(&self, app: &TestApp) -> RelyingParty {
        RelyingParty::new(app, &self.tenant, &self.web)
            .with_scope("openid profile email offline_access")
    }
}

app_test! {
    async fn a_code_is_good_at_its_own_tenant_only(app: TestApp) {
        let two = two(&app).await;
        let (acme, globex) = (two.acme.relying_party(&app), two.globex.relying_party(&app));
        let code = acme.code(&mut app.browser(), &two.acme.user).await;
        globex.redeem(&code).await.expect_error(400, "invalid_grant");
        acme.redeem(&code).await.expect_ok();
    }

    async fn a_refresh_token_is_good_at_its_own_tenant_only(app: TestApp) {
        let two = two(&app).await;
        let (acme, globex) = (two.acme.relying_party(&app), two.globex.relying_party(&app));
        let tokens = acme.sign_in(&mut app.browser(), &two.acme.user).await;
        globex.refresh(tokens.refresh()).await.expect_error(400, "invalid_grant");
        // acme's family is intact
        acme.refreshed(tokens.refresh()).await;
    }

    async fn an_access_token_is_good_at_its_own_tenant_only(app: TestApp) {
        let two = two(&app).await;
        let (acme, globex) = (two.acme.relying_party(&app), two.globex.relying_party(&app));
        let tokens = acme.sign_in(&mut app.browser(), &two.acme.user).await;
        globex.userinfo(&tokens.access_token).await.expect_error(401, "invalid_token");
        RelyingParty::expect_inactive(&globex.introspect(&tokens.access_token).await);
        RelyingParty::expect_inactive(&globex.introspect(tokens.refresh()).await);
        assert_eq!(acme.userinfo(&tokens.access_token).await.expect_ok().json()["sub"], json!(two.acme.user.id.to_string()));
        assert_eq!(acme.introspect(&tokens.access_token).await["active"], json!(true));
    }

    async fn revocation_at_another_tenant_does_nothing(app: TestApp) {
        let two = two(&app).await;
        let (acme, globex) = (two.acme.relying_party(&app), two.globex.relying_party(&app));
        let tokens = acme.sign_in(&mut app.browser(), &two.acme.user).await;
        for token in [tokens.access_token.as_str(), tokens.refresh()] {
            assert_eq!(globex.authenticated("/revoke", &[("token", token)]).send().await.status, 200);
        }
        assert_eq!(acme.introspect(&tokens.access_token).await["active"], json!(true));
        assert_eq!(acme.authenticated("/revoke", &[("token", tokens.refresh())]).send().await.status, 200);
        RelyingParty::expect_inactive(&acme.introspect(&tokens.access_token).await);
    }

    async fn a_client_of_another_tenant_is_unknown(app: TestApp) {
        let two = two(&app).await;
        for path in ["/par", "/token", "/introspect", "/revoke"] {
            let form = [("grant_type", "client_credentials"), ("token", "x")];
            let url = two.globex.tenant.url(path);
            app.post(&url, &form).basic(&two.acme.web.client_id(), two.acme.web.secret()).send().await.expect_error(401, "invalid_client");
        }
        // its own tenant knows it, and refuses for another reason
        let own = two.acme.relying_party(&app).token(&[("grant_type", "client_credentials")]).await;
        own.expect_error(400, "unauthorized_client");
    }

    async fn a_client_id_of_another_tenant_gets_a_page_and_no_redirect(app: TestApp) {
        let two = two(&app).await;
        let mut foreign = two.acme.relying_party(&app);
        foreign.issuer.clone_from(&two.globex.tenant.issuer);
        let answer = app.browser().fetch(&foreign.authorization_url(&[]), None).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert_eq!(answer.header("location"), None);
        let own = app.browser().fetch(&two.acme.relying_party(&app).authorization_url(&[]), None).await;
        assert_eq!(own.status, 303, "{}", own.body);
    }

    async fn a_session_is_good_at_its_own_tenant_only(app: TestApp) {
        let two = two(&app).await;
        let (acme, globex) = (two.acme.relying_party(&app), two.globex.relying_party(&app));
        let mut browser = app.browser();
        acme.sign_in(&mut browser, &two.acme.user).await;
        let silent = [("prompt", "none"), ("scope", "openid")];
        let own = browser.open(&acme.authorization_url(&silent)).await;
        assert!(own.answer.location_param("code").is_some(), "{:?}", own.answer);
        // the cookies stay at their path; an attacker moves them by hand
        browser.transplant_cookies("/t/globex");
        let other = browser.open(&globex.authorization_url(&silent)).await;
        assert_eq!(other.answer.location_param("error").as_deref(), Some("login_required"), "{:?}", other.answer);
    }

    async fn two_tenants_live_side_by_side_in_one_browser(app: TestApp) {
        let two = two(&app).await;
        let (acme, globex) = (two.acme.relying_party(&app), two.globex.relying_party(&app));
        let mut browser = app.browser();
        let first = acme.sign_in(&mut browser, &two.acme.user).await;
        let second = globex.sign_in(&mut browser, &two.globex.user).await;
        assert_ne!(first.id_claims()["sub"], second.id_claims()["sub"]);
        assert_eq!(first.id_claims()["tenant"], json!("acme"));
        assert_eq!(second.id_claims()["tenant"], json!("globex"));
        for party in [&acme, &globex] {
            let page = browser.open(&party.authorization_url(&[("prompt", "none")])).await;
            assert!(page.answer.location_param("code").is_some(), "{:?}", page.answer);
        }
    }

    async fn a_form_of_another_tenant_is_refused(app: TestApp) {
        let two = two(&app).await;
        let mut browser = app.browser();
        let page = browser.open(&two.acme.relying_party(&app).authorization_url(&[])).await;
        let (action, fields) = page.filled(&[("username", &two.acme.user.email), ("password", PASSWORD)]);
        let borrowed: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        browser.transplant_cookies("/t/globex");
        let foreign = action.as_str().replace("/t/acme/", "/t/globex/");
        let answer = browser.post_from(&foreign, &borrowed, Some(app.root())).await;
        assert!([400, 403].contains(&answer.status), "{} {}", answer.status, answer.body);
        assert_eq!(answer.header("location"), None);
    }

    async fn an_id_token_hint_of_another_tenant_signs_nobody_out(app: TestApp) {
        let two = two(&app).await;
        let (acme, globex) = (two.acme.relying_party(&app), two.globex.relying_party(&app));
        let mut browser = app.browser();
        let hint = acme.sign_in(&mut app.browser(), &two.acme.user).await.id_token.expect("an ID token");
        let own_hint = globex.sign_in(&mut browser, &two.globex.user).await.id_token.expect("an ID token");
        let url = |hint: &str| {
            let mut url = url::Url::parse(&two.globex.tenant.url("/logout")).expect("a URL");
            url.query_pairs_mut().append_pair("id_token_hint", hint).append_pair("post_logout_redirect_uri", "https://orders.example/bye");
            url.to_string()
        };
        let answer = browser.fetch(&url(&hint), None).await;
        assert_eq!((answer.status, answer.header("location")), (400, None), "{}", answer.body);
        let still = browser.open(&globex.authorization_url(&[("prompt", "none")])).await;
        assert!(still.answer.location_param("code").is_some(), "{:?}", still.answer);
        let own = browser.fetch(&url(&own_hint), None).await;
        assert_eq!(own.status, 303, "{}", own.body);
    }

    async fn a_suspended_tenant_is_closed_but_its_keys_are_not(app: TestApp) {
        use tessera::domain::tenant::TenantStatus::{Active, Suspended};
        let two = two(&app).await;
        let acme = two.acme.relying_party(&app);
        let tokens = acme.sign_in(&mut app.browser(), &two.acme.user).await;
        let id = app.load(&two.acme.tenant).await.id();
        assert!(app.provider.db.write_installation(move |all| all.set_tenant_status(id, Active, Suspended)).await.expect("storage works"));
        for path in ["/jwks", "/.well-known/openid-configuration"] {
            assert_eq!(app.get(&two.acme.tenant.url(path)).send().await.status, 200, "{path}");
        }
        for path in ["/authorize", "/userinfo", "/login", "/account", "/logout", "/nothing-here"] {
            app.get(&two.acme.tenant.url(path)).send().await.expect_error(403, "tenant_suspended");
        }
        for path in ["/par", "/token", "/introspect", "/revoke"] {
            acme.authenticated(path, &[("token", &tokens.access_token)]).send().await.expect_error(403, "tenant_suspended");
        }
        let page = app.browser().fetch(&two.acme.tenant.url("/login"), None).await;
        assert!(page.body.contains("data-error=\"tenant_suspended\""), "{}", page.body);
        assert_eq!(app.get(&two.globex.tenant.url("/jwks")).send().await.status, 200);
        assert!(app.provider.db.write_installation(move |all| all.set_tenant_status(id, Suspended, Active)).await.expect("storage works"));
        assert_eq!(acme.introspect(&tokens.access_token).await["active"], json!(true));
    }

    async fn nobodys_address_is_not_found(app: TestApp) {
        two(&app).await;
        let port = app.port();
        for url in [
            format!("http://localhost:{port}/t/nobody/jwks"),
            format!("http://evil.example:{port}/t/acme/jwks"),
            format!("http://127.0.0.1:{port}/t/acme/jwks"),
        ] {
            app.get(&url).send().await.expect_error(404, "tenant_not_found");
        }
        // what can't be a slug is nobody's path at the root
        for path in ["/t/ACME/jwks", "/t/-/jwks", "/t", "/t/"] {
            assert_eq!(app.get(&format!("http://localhost:{port}{path}")).send().await.status, 404, "{path}");
        }
        let page = app.get(&format!("http://localhost:{port}/t/nobody")).header("accept", "text/html").send().await;
        assert!(page.body.contains("data-error=\"tenant_not_found\""), "{}", page.body);
    }

    async fn a_strange_host_is_never_in_the_answer(app: TestApp) {
        let two = two(&app).await;
        let url = two.acme.tenant.url("/.well-known/openid-configuration");
        let answer = app.get(&url).header("x-forwarded-host", "evil.example").header("forwarded", "host=evil.example").send().await.expect_ok();
        assert!(!answer.body.contains("evil.example"));
        assert_eq!(answer.json()["issuer"], json!(two.acme.tenant.issuer));
    }

    async fn a_deleted_tenant_is_gone(app: TestApp) {
        let two = two(&app).await;
        let tokens = two.acme.relying_party(&app).sign_in(&mut app.browser(), &two.acme.user).await;
        let id = app.load(&two.acme.tenant).await.id();
        assert!(app.provider.db.write_installation(move |all| all.begin_tenant_deletion(id)).await.expect("storage works"));
        app.get(&two.acme.tenant.url("/jwks")).send().await.expect_error(404, "tenant_not_found");
        assert!(app.provider.db.write_installation(move |all| all.delete_tenant(id)).await.expect("storage works"));
        app.get(&two.acme.tenant.url("/userinfo")).bearer(&tokens.access_token).send().await.expect_error(404, "tenant_not_found");
        two.globex.relying_party(&app).sign_in(&mut app.browser(), &two.globex.user).await;
        // the slug is free again, and the old token means nothing to the new tenant
        let again = side(&app, "acme").await;
        again.relying_party(&app).userinfo(&tokens.access_token).await.expect_error(401, "invalid_token");
    }
}
