//! Step-up (RFC 9470): what an authorization request may ask of a sign-in, what tokens say of it, and our own administration as a resource that
//! asks for a fresh one.

use std::time::Duration;

use serde_json::{Value, json};
use tessera::domain::role::Role;

use super::console::administrator;
use super::console_settings::press;
use super::seed::{Scene, text};
use crate::support::admin::Admin;
use crate::support::app::app_test;
use crate::support::relying_party::claims;

const ACR: &str = "urn:tessera:acr:password";
const PAGE: &str = include_str!("../../../docs/src/step-up.md");

/// The parameters of a challenge.
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = challenge.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

app_test! {
    /// §5: `acr_values` and `max_age` are honoured, and the token tells what came of them.
    async fn what_is_asked_of_a_sign_in(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let asked = [("acr_values", "urn:nobody:knows urn:tessera:acr:password"), ("max_age", "300")];
        let page = scene.rp.authorize(&mut browser, &scene.user, &asked).await;
        let first = scene.rp.redeem(&page.answer.location_param("code").expect("a code")).await.expect_ok().json();
        let said = claims(text(&first, "access_token"));
        assert_eq!((&said["acr"], &said["auth_time"]), (&json!(ACR), &json!(scene.app.provider.clock.unix())));
        let seen = scene.rp.introspect(text(&first, "access_token")).await;
        assert_eq!((&seen["acr"], &seen["auth_time"]), (&said["acr"], &said["auth_time"]));
        // Not older than that: no page.
        scene.app.time.advance(Duration::from_mins(5));
        let page = browser.open(&scene.rp.authorization_url(&asked)).await;
        assert!(page.answer.location_param("code").is_some(), "{}", page.answer.body);
        scene.app.time.advance(Duration::from_secs(1));
        let silent = browser.open(&scene.rp.authorization_url(&[asked[0], asked[1], ("prompt", "none")])).await;
        assert_eq!(silent.answer.location_param("error").as_deref(), Some("login_required"));
        let page = browser.open(&scene.rp.authorization_url(&asked)).await;
        page.expect_id("password");
        let page = browser.pass(page, &scene.user).await;
        let second = scene.rp.redeem(&page.answer.location_param("code").expect("a code")).await.expect_ok().json();
        assert_eq!(claims(text(&second, "access_token"))["auth_time"], json!(scene.app.provider.clock.unix()));

        // What can't be had: a wish of OpenID Connect's, until the tenant wants it refused; what is essential never is a wish.
        let default = scene.app.client(&scene.tenant, json!({
            "redirect_uris": ["https://default.example/cb"], "scope": "openid", "skip_consent": true, "default_acr_values": ["urn:nobody:knows"],
        })).await;
        let default = scene.with(&default).with_scope("openid");
        let essential = |acr: Value| json!({ "id_token": { "acr": acr } }).to_string();
        let (unmet, met) = (essential(json!({ "essential": true, "value": "gold" })), essential(json!({ "essential": true, "values": ["gold", ACR] })));
        let wish = essential(json!({ "value": "gold" }));
        for strict in [false, true] {
            scene.app.change_settings(&scene.tenant, |settings| settings.require_acr_values = strict).await;
            let refused = strict.then_some("unmet_authentication_requirements");
            for (rp, more, error) in [
                (&scene.rp, ("acr_values", "gold silver"), refused), (&scene.rp, ("acr_values", "gold urn:tessera:acr:password"), None),
                (&default, ("acr_values", ""), refused), (&default, ("acr_values", ACR), None),
                (&scene.rp, ("claims", &unmet), Some("unmet_authentication_requirements")), (&scene.rp, ("claims", &met), None), (&scene.rp, ("claims", &wish), None),
            ] {
                let page = browser.open(&rp.authorization_url(&[more])).await;
                assert_eq!(page.answer.location_param("error").as_deref(), error, "{strict} {more:?}");
                assert_eq!(page.answer.location_param("code").is_some(), error.is_none(), "{strict} {more:?}");
            }
            // Pushed, it is refused as it is pushed.
            let push = scene.rp.push(&[("acr_values", "gold")]).await;
            assert_eq!(push.status, if strict { 400 } else { 201 }, "{}", push.body);
        }
    }

    /// §3, §4: the administration API as a resource, and the way out of its refusal.
    async fn the_api_asks_for_a_fresh_sign_in(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::person(&scene.app, &scene.tenant, &scene.user, &[Role::Administrator]).await;
        let change = json!({ "name": "Acme" });
        let try_all = async |who: &Admin| who.patch("/tenants/acme", &change).await;
        scene.app.time.advance(Duration::from_secs(400));
        assert_eq!(try_all(&admin).await.status, 200, "not demanded");
        scene.app.change_settings(&scene.tenant, |settings| {
            settings.administration_reauthentication = true;
            settings.administration_max_age = 500;
            settings.access_token_lifetime = 3600;
        }).await;
        let program = Admin::program(&scene.app, &scene.tenant).await;
        scene.app.time.advance(Duration::from_secs(100));
        assert_eq!(try_all(&admin).await.status, 200, "just within");
        scene.app.time.advance(Duration::from_secs(1));
        let refused = try_all(&admin).await;
        assert_eq!((refused.status, &refused.json()["code"]), (401, &json!("insufficient_user_authentication")), "{}", refused.body);
        let challenge = refused.header("www-authenticate").expect("a challenge").to_owned();
        assert!(challenge.starts_with("Bearer realm=") && parameter(&challenge, "error") == Some("insufficient_user_authentication"), "{challenge}");
        let max_age = parameter(&challenge, "max_age").expect("max_age");
        assert_eq!(max_age, "500");
        // The documentation's words.
        let shown: Value = serde_json::from_str(PAGE.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a problem")).expect("JSON");
        for name in ["title", "status", "detail", "code"] {
            assert_eq!(refused.json()[name], shown[name], "{name}");
        }
        for setting in ["administration_reauthentication", "administration_max_age"] {
            assert!(PAGE.contains(&format!("--set {setting}=")) && serde_json::to_value(tessera::domain::settings::TenantSettings::default()).expect("JSON").get(setting).is_some());
        }
        // Nothing else of it is done either, whatever it is; reading goes on, and so do programs.
        for answer in [
            admin.post("/tenants/acme/users", &json!({ "email": "new@acme.example" })).await, admin.delete(&format!("/tenants/acme/users/{}", scene.user.id)).await,
            admin.act("/tenants/acme/keys/rotate").await,
        ] {
            assert_eq!(answer.json()["code"], "insufficient_user_authentication", "{}", answer.body);
        }
        assert_eq!(admin.get("/tenants/acme/users").await.status, 200);
        assert_eq!(try_all(&program).await.status, 200);
        // A sign-in as the challenge wants it.
        let again = Admin::person(&scene.app, &scene.tenant, &scene.user, &[]).await;
        assert_eq!(try_all(&again).await.status, 200);
    }

    /// The console leads its administrator through a sign-in and back.
    async fn the_console_asks_for_a_fresh_sign_in(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.administration_reauthentication = true).await;
        let new = scene.tenant.url("/console/users/new");
        let page = browser.open(&new).await;
        assert_eq!(page.url.as_str(), new, "fresh enough");
        scene.app.time.advance(Duration::from_secs(451));
        // What is to be filled in is asked for in time, what is only read isn't.
        assert_eq!(browser.open(&scene.tenant.url("/console/users")).await.url.path(), "/t/acme/console/users");
        let asked = browser.open(&new).await;
        asked.expect_id("password");
        // What was filled in before may still be sent, until it is too late.
        let form = [("email", "kim@acme.example"), ("name", "Kim")];
        let made = press(&mut browser, &page, &new, &form).await;
        assert!(made.answer.status == 200 && made.answer.body.contains("kim@acme.example"), "{} {}", made.answer.status, made.answer.body);
        scene.app.time.advance(Duration::from_secs(450));
        let settings = browser.open(&scene.tenant.url("/console/settings")).await;
        let refused = press(&mut browser, &settings, &new, &[("email", "lee@acme.example")]).await;
        assert_eq!(refused.answer.status, 401);
        assert!(refused.answer.body.contains("data-error=\"old-sign-in\"") && refused.answer.body.contains("/console/sign-in-again?return_to="), "{}", refused.answer.body);
        // Signing out needs none.
        let asked = browser.open(&new).await;
        asked.expect_id("password");
        let back = browser.sign_in(&asked, &scene.user).await;
        assert_eq!((back.answer.status, back.url.as_str()), (200, new.as_str()));
        let made = press(&mut browser, &back, &new, &[("email", "lee@acme.example"), ("name", "Lee")]).await;
        assert!(made.answer.status == 200 && made.answer.body.contains("lee@acme.example"), "{} {}", made.answer.status, made.answer.body);
        // Where it leads back to is a page of the console, whatever is asked for.
        for elsewhere in ["https://evil.example/", "//evil.example", "/account", "/consolette"] {
            let url = scene.tenant.url(&format!("/console/sign-in-again?return_to={elsewhere}"));
            let page = browser.open(&url).await;
            assert_eq!(page.url.as_str(), scene.tenant.url("/console"), "{elsewhere}");
        }
    }
}
