//! Software statements: RFC 7591 §2.3, §3.1.1, §3.2.1.

use actix_web::http::Method;
use serde_json::{Value, json};
use tessera::domain::settings::{RegistrationPolicy, SoftwareStatementIssuer};
use tessera::jose::keys::{RsaBits, SigningKey};
use tessera::protocol::SigningAlgorithm;

use super::registration::{
    expect_refused, governed, initial_access_token, open, register, registered, request,
};
use super::registration_management::Held;
use crate::support::admin::Admin;
use crate::support::app::{TestApp, TestTenant, app_test};
use crate::support::sector::Sector;

const CALLBACK: &str = "https://relying.example/callback";
const FEDERATION: &str = "https://federation.example";

/// Somebody who says things of software, and publishes the key by which they do.
struct Federation {
    key: SigningKey,
    published: Sector,
}

impl Federation {
    fn start() -> Self {
        let key = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default())
            .expect("a key")
            .key;
        let published = Sector::start(json!({ "keys": [key.public_jwk()] }));
        Self { key, published }
    }

    /// Has the tenant believe them, under this name.
    async fn trusted(&self, app: &TestApp, tenant: &TestTenant, issuer: &str) {
        let one = SoftwareStatementIssuer {
            issuer: issuer.to_owned(),
            jwks_uri: self.published.url(),
        };
        app.change_settings(tenant, |settings| {
            settings.software_statement_issuers.push(one.clone());
        })
        .await;
    }

    fn say(&self, claims: &Value) -> String {
        let mut all = json!({ "iss": FEDERATION, "software_id": "kit" });
        let members = claims.as_object().expect("an object").clone();
        all.as_object_mut().expect("an object").extend(members);
        self.key.sign_jwt("JWT", &all).expect("a signature")
    }
}

app_test! {
    async fn a_trusted_statement_goes_before_what_the_client_says_for_good(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let federation = Federation::start();
        federation.trusted(&app, &tenant, FEDERATION).await;
        let statement = federation.say(&json!({ "client_name": "Board", "software_id": "board-1", "redirect_uris": [CALLBACK], "exp": app.provider.clock.unix() + 60 }));
        let held = Held::of(registered(&app, &tenant, json!({
            "client_name": "Your Bank", "client_name#de": "Ihre Bank", "redirect_uris": ["https://evil.example/cb"], "contacts": ["ops@relying.example"], "software_statement": statement,
        })).await);
        let document = &held.document;
        for (member, value) in [
            ("client_name", json!("Board")), ("software_id", json!("board-1")), ("redirect_uris", json!([CALLBACK])), ("client_name#de", Value::Null),
            ("contacts", json!(["ops@relying.example"])), ("software_statement", json!(statement)),
        ] {
            assert_eq!(document[member], value, "{member}");
        }
        assert_eq!(held.send(&app, Method::GET).await.expect_ok().json()["software_statement"], json!(statement));
        // Administrators see it.
        let admin = Admin::program(&app, &tenant).await;
        let seen = admin.get(&format!("/tenants/acme/clients/{}", document["client_id"].as_str().expect("an id"))).await.expect_ok().json();
        assert_eq!(seen["software_statement"], json!(statement));
        // It decides at a change too, long after it has expired, whether it is repeated or left out.
        app.time.advance(std::time::Duration::from_hours(1));
        for repeated in [json!(statement), Value::Null] {
            let change = held.change(&json!({ "client_name": "Your Bank", "redirect_uris": ["https://evil.example/cb"], "software_statement": repeated, "contacts": ["new@relying.example"] }));
            let changed = held.put(&app, &change).await.expect_ok().json();
            assert_eq!((&changed["client_name"], &changed["redirect_uris"], &changed["contacts"]), (&json!("Board"), &json!([CALLBACK]), &json!(["new@relying.example"])));
            assert_eq!(changed["software_statement"], json!(statement));
        }
        let other = held.change(&json!({ "software_statement": federation.say(&json!({ "client_name": "Other" })) }));
        held.put(&app, &other).await.expect_error(400, "invalid_request");
        let bare = Held::of(registered(&app, &tenant, json!({ "redirect_uris": [CALLBACK] })).await);
        bare.put(&app, &bare.change(&json!({ "software_statement": statement }))).await.expect_error(400, "invalid_request");
    }

    async fn statements_that_are_not_believed(app: TestApp) {
        let tenant = open(&app, "acme").await;
        let (federation, stranger) = (Federation::start(), Federation::start());
        let present = async |statement: Value| register(&app, &tenant, &json!({ "redirect_uris": [CALLBACK], "software_statement": statement })).await;
        // Nobody is trusted yet.
        expect_refused(&present(json!(federation.say(&json!({})))).await, "unapproved_software_statement", "software_statement");
        federation.trusted(&app, &tenant, FEDERATION).await;
        let now = app.provider.clock.unix();
        assert_eq!(present(json!(federation.say(&json!({})))).await.status, 201);
        assert_eq!(present(json!(federation.say(&json!({ "aud": [tenant.issuer] })))).await.status, 201);
        for (statement, code) in [
            (federation.say(&json!({ "iss": "https://other.example" })), "unapproved_software_statement"),
            (federation.say(&json!({ "iss": "https://FEDERATION.example" })), "unapproved_software_statement"),
            (stranger.say(&json!({})), "invalid_software_statement"),
            (federation.say(&json!({ "exp": now - 60 })), "invalid_software_statement"),
            (federation.say(&json!({ "nbf": now + 60 })), "invalid_software_statement"),
            (federation.say(&json!({ "iss": null })), "invalid_software_statement"),
            // What says nothing of a software, or is for somebody else: an ID token that the same issuer signed, say.
            (federation.say(&json!({ "software_id": null })), "invalid_software_statement"),
            (federation.say(&json!({ "aud": "some-client" })), "invalid_software_statement"),
            (federation.key.sign_jwt("at+jwt", &json!({ "iss": FEDERATION })).expect("a signature"), "invalid_software_statement"),
            ("eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2ZlZGVyYXRpb24uZXhhbXBsZSJ9.".to_owned(), "invalid_software_statement"),
            ("statement".to_owned(), "invalid_software_statement"),
        ] {
            expect_refused(&present(json!(statement)).await, code, "software_statement");
        }
        expect_refused(&present(json!(["a"])).await, "invalid_software_statement", "software_statement");
        // A statement has no more power than a client: what administrators set, and what needs a token, stays so.
        expect_refused(&present(json!(federation.say(&json!({ "skip_consent": true })))).await, "invalid_client_metadata", "skip_consent");
        expect_refused(&present(json!(federation.say(&json!({ "scope": "tessera:admin" })))).await, "invalid_client_metadata", "scope");
        expect_refused(&present(json!(federation.say(&json!({ "grant_types": ["client_credentials"] })))).await, "invalid_client_metadata", "grant_types");
        expect_refused(&present(json!(federation.say(&json!({ "redirect_uris": ["javascript:alert(1)"] })))).await, "invalid_redirect_uri", "redirect_uris");
        // Keys that nobody fetches from here.
        for (issuer, jwks_uri) in [("https://inside.example", "https://10.0.0.1/jwks"), ("https://meta.example", "https://169.254.169.254/jwks")] {
            let one = SoftwareStatementIssuer { issuer: issuer.to_owned(), jwks_uri: jwks_uri.to_owned() };
            app.change_settings(&tenant, |settings| settings.software_statement_issuers.push(one.clone())).await;
            expect_refused(&present(json!(federation.say(&json!({ "iss": issuer })))).await, "invalid_software_statement", "keys");
        }
    }

    async fn another_tenants_trust_is_its_own(app: TestApp) {
        let (acme, globex) = (open(&app, "acme").await, open(&app, "globex").await);
        let federation = Federation::start();
        federation.trusted(&app, &acme, FEDERATION).await;
        let document = json!({ "redirect_uris": [CALLBACK], "software_statement": federation.say(&json!({ "client_name": "Board" })) });
        assert_eq!(register(&app, &acme, &document).await.status, 201);
        expect_refused(&register(&app, &globex, &document).await, "unapproved_software_statement", "software_statement");
        // The same name, another's keys.
        let other = Federation::start();
        other.trusted(&app, &globex, FEDERATION).await;
        expect_refused(&register(&app, &globex, &document).await, "invalid_software_statement", "software_statement");
    }

    async fn a_tenant_may_take_none_without_a_statement(app: TestApp) {
        let tenant = governed(&app, "acme", RegistrationPolicy::Token).await;
        let federation = Federation::start();
        federation.trusted(&app, &tenant, FEDERATION).await;
        app.change_settings(&tenant, |settings| settings.require_software_statement = true).await;
        let admin = Admin::program(&app, &tenant).await;
        let token = initial_access_token(&admin, &tenant, &json!({ "name": "Partners" })).await;
        let token = token["token"].as_str().expect("a token").to_owned();
        let (bare, full) = (json!({ "redirect_uris": [CALLBACK] }), json!({ "redirect_uris": [CALLBACK], "software_statement": federation.say(&json!({})) }));
        let with_token = async |document: &Value| request(&app, &tenant, document).bearer(&token).send().await;
        expect_refused(&with_token(&bare).await, "invalid_client_metadata", "software_statement");
        // It is no token itself.
        register(&app, &tenant, &full).await.expect_error(401, "invalid_token");
        assert_eq!(with_token(&full).await.status, 201);
        app.change_settings(&tenant, |settings| settings.registration = RegistrationPolicy::Open).await;
        expect_refused(&register(&app, &tenant, &bare).await, "invalid_client_metadata", "software_statement");
        assert_eq!(register(&app, &tenant, &full).await.status, 201);
    }

    async fn whom_a_tenant_trusts_is_checked(app: TestApp) {
        let tenant = app.tenant("acme").await;
        let admin = Admin::program(&app, &tenant).await;
        let path = "/tenants/acme/settings";
        let one = |issuer: &str, jwks_uri: &str| json!({ "issuer": issuer, "jwks_uri": jwks_uri });
        for (issuers, pointer) in [
            (json!([one("", "https://a.example/jwks")]), "issuer"),
            (json!([one("a b", "https://a.example/jwks")]), "issuer"),
            (json!([one("a", "http://a.example/jwks")]), "https"),
            (json!([one("a", "http://[::1]/jwks")]), "https"),
            (json!([one("a", "")]), "jwks_uri"),
            (json!([one("a", "https://a.example/jwks"), one("a", "https://b.example/jwks")]), "twice"),
            (json!(vec![one("a", "https://a.example/jwks"); 21]), "20"),
        ] {
            let refused = admin.patch(path, &json!({ "software_statement_issuers": issuers })).await;
            assert!(refused.status == 422 || refused.status == 400, "{} {}", refused.status, refused.body);
            assert!(refused.body.contains("software_statement_issuers"), "{pointer}: {}", refused.body);
        }
        admin.patch(path, &json!({ "software_statement_issuers": [one(FEDERATION, "https://federation.example/jwks")] })).await.expect_ok();
        let stored = app.load(&tenant).await.settings().software_statement_issuers.clone();
        assert_eq!((stored.len(), stored[0].issuer.as_str()), (1, FEDERATION));
    }
}
