//! Where a tenant lives: by subdomain and by a domain of its own, behind a proxy that speaks TLS.

use serde_json::json;
use tessera::domain::address::{Domain, DomainStage};
use tessera::domain::ids::DomainId;
use tessera::flows::admin::By;
use tessera::flows::browser::SessionCookie;
use tessera::flows::tenancy::TenantAt;

use crate::support::app::{TestApp, TestTenant, on_both};
use crate::support::relying_party::RelyingParty;

const SUBDOMAINS: &str = "public_url = 'https://{tenant}.id.example.com'\n";
const PASSWORD: &str = "correct horse battery";

#[test]
fn a_tenant_by_subdomain_is_an_origin_of_its_own() {
    on_both(SUBDOMAINS, async |app: TestApp| {
        let acme = app.tenant("acme").await;
        assert_eq!(acme.issuer, "https://acme.id.example.com");
        let ana = app.user(&acme, "ana@example.com", PASSWORD).await;
        let client = app.web_client(&acme).await;
        let party = RelyingParty::new(&app, &acme, &client);
        let mut browser = app.browser();
        let page = browser.open(&party.authorization_url(&[])).await;
        for cookie in page.answer.all("set-cookie") {
            for part in ["__Host-", "Secure", "HttpOnly", "SameSite=", "Path=/"] {
                assert!(cookie.contains(part), "{part} in {cookie}");
            }
        }
        let page = browser.pass(page, &ana).await;
        let code = page.answer.location_param("code").expect("a code");
        assert_eq!(
            page.answer.location_param("iss").as_deref(),
            Some("https://acme.id.example.com")
        );
        let tokens = party.redeem(&code).await.expect_ok().json();
        let access = crate::support::relying_party::claims(
            tokens["access_token"].as_str().expect("a token"),
        );
        assert_eq!(access["iss"], json!("https://acme.id.example.com"));
        let metadata = app
            .get("https://acme.id.example.com/.well-known/oauth-authorization-server")
            .send()
            .await
            .expect_ok()
            .json();
        assert_eq!(metadata["issuer"], json!("https://acme.id.example.com"));
        assert_eq!(
            app.get("https://id.example.com/health/live")
                .send()
                .await
                .status,
            200
        );
        for nobody in [
            "https://globex.id.example.com/jwks",
            "https://a.acme.id.example.com/jwks",
            "https://acme.id.example.com.evil.example/jwks",
        ] {
            app.get(nobody)
                .send()
                .await
                .expect_error(404, "tenant_not_found");
        }
        // the host's tenant is the tenant, whatever the path says
        assert_eq!(
            app.get("https://acme.id.example.com/t/globex/jwks")
                .send()
                .await
                .status,
            404
        );
    });
}

async fn own_domain(app: &TestApp, tenant: &TestTenant, origin: &str) -> DomainId {
    let domain = Domain {
        id: DomainId::from(app.provider.clock.uuid_v7()),
        origin: origin.to_owned(),
        stage: DomainStage::Pending {
            verification_token: "token".into(),
        },
        canonical: false,
        created_at: app.provider.now(),
    };
    let id = domain.id;
    app.provider
        .db
        .write(&*app.load(tenant).await, move |repo| {
            repo.insert_domain(&domain)
        })
        .await
        .expect("a domain");
    id
}

#[test]
fn a_domain_of_its_own_is_an_issuer_in_full_once_it_is_verified() {
    on_both("", async |app: TestApp| {
        let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
        let ana = app.user(&acme, "ana@example.com", PASSWORD).await;
        let client = app.web_client(&acme).await;
        let origin = "https://login.acme.com";
        let id = own_domain(&app, &acme, origin).await;
        app.get("https://login.acme.com/jwks")
            .send()
            .await
            .expect_error(404, "tenant_not_found");
        let verified = app
            .provider
            .db
            .write(&*app.load(&acme).await, move |repo| repo.verify_domain(id))
            .await;
        assert!(verified.expect("storage works"));

        let metadata = app
            .get("https://login.acme.com/.well-known/openid-configuration")
            .send()
            .await
            .expect_ok()
            .json();
        assert_eq!(metadata["issuer"], json!(origin));
        assert_eq!(
            metadata["token_endpoint"],
            json!("https://login.acme.com/token")
        );

        let by_template =
            RelyingParty::new(&app, &acme, &client).with_scope("openid offline_access");
        let mut by_domain = by_template.clone();
        by_domain.issuer = origin.to_owned();
        let code = by_domain.code(&mut app.browser(), &ana).await;
        // a flow ends where it began
        by_template
            .redeem(&code)
            .await
            .expect_error(400, "invalid_grant");
        let tokens = by_domain.redeem(&code).await.expect_ok().json();
        let access = tokens["access_token"].as_str().expect("a token");
        assert_eq!(
            crate::support::relying_party::claims(access)["iss"],
            json!(origin)
        );
        // every address of the tenant takes the token, no other tenant does
        by_domain.userinfo(access).await.expect_ok();
        by_template.userinfo(access).await.expect_ok();
        let foreign = app.web_client(&globex).await;
        RelyingParty::expect_inactive(
            &RelyingParty::new(&app, &globex, &foreign)
                .introspect(access)
                .await,
        );
        // refresh tokens keep their address
        let refreshed = by_domain
            .refreshed(tokens["refresh_token"].as_str().expect("a token"))
            .await;
        assert_eq!(refreshed.access_claims()["iss"], json!(origin));

        // nobody else can have it
        let second = own_domain(&app, &globex, origin).await;
        let taken = app
            .provider
            .db
            .write(&*app.load(&globex).await, move |repo| {
                repo.verify_domain(second)
            })
            .await;
        assert!(taken.is_err_and(|error| error.is_conflict()));

        let removed = app
            .provider
            .db
            .write(&*app.load(&acme).await, move |repo| repo.delete_domain(id))
            .await;
        assert!(removed.expect("storage works"));
        app.get("https://login.acme.com/jwks")
            .send()
            .await
            .expect_error(404, "tenant_not_found");
        by_template
            .userinfo(access)
            .await
            .expect_error(401, "invalid_token");
    });
}

/// A browser keeps a session for the address where it began, and old mail the links that lead there: whoever has the name next is sent them, and
/// they open nothing at the tenant's other addresses, neither while it has the domain nor afterwards.
#[test]
fn what_began_at_a_domain_is_good_there_alone() {
    on_both("", async |app: TestApp| {
        let acme = app.tenant("acme").await;
        let ana = app.user(&acme, "ana@example.com", PASSWORD).await;
        let client = app.web_client(&acme).await;
        let origin = "https://login.acme.com";
        let id = own_domain(&app, &acme, origin).await;
        let opened = app
            .provider
            .db
            .write(&*app.load(&acme).await, move |repo| {
                Ok(repo.verify_domain(id)? && repo.set_canonical_domain(Some(id))?)
            })
            .await;
        assert!(opened.expect("storage works"));
        let mut by_domain = RelyingParty::new(&app, &acme, &client).with_scope("openid");
        by_domain.issuer = origin.to_owned();
        let mut browser = app.browser();
        by_domain.code(&mut browser, &ana).await;
        let cookie = SessionCookie::parse(browser.cookie("tessera_session"));
        assert!(!cookie.is_empty());
        let tenant = app.load(&acme).await;
        let user = app
            .provider
            .load_user(&tenant, ana.id)
            .await
            .expect("a person");
        let by = By::command_line();
        let link = app.provider.reset_password(&tenant, &user, &by).await;
        let url = link.expect("a link").url;
        let (at, token) = url.expose().split_once("/link/").expect("a link");
        assert_eq!(at, origin);
        for removed in [false, true] {
            if removed {
                let gone = app.provider.remove_domain(&tenant, origin, &by).await;
                gone.expect("removed");
            }
            let tenant = app.load(&acme).await;
            for (issuer, good) in [
                (origin, !removed),
                (acme.issuer.as_str(), false),
                ("https://evil.example", false),
            ] {
                // The door lets nobody in at an address that isn't the tenant's; what is looked at here is the room behind it.
                if issuer == origin && removed {
                    continue;
                }
                let at = TenantAt {
                    issuer: issuer.into(),
                    tenant: tenant.clone(),
                    rest: String::new(),
                    alias: None,
                };
                let people = app.provider.find_signed_in(&at, &cookie, None).await;
                assert_eq!(people.expect("runs").len(), usize::from(good), "{issuer}");
                let link = app.provider.find_link(&at, token).await.expect("runs");
                assert_eq!(link.is_some(), good, "{issuer}");
            }
        }
    });
}
