//! The `claims` parameter (OpenID Connect Core §5.5): single claims are asked of the person as the scope that they belong to, and nobody gets
//! more by them than their application may ask for.

use serde_json::{Value, json};

use super::seed::Scene;
use crate::support::app::app_test;
use crate::support::browser::Browser;
use crate::support::relying_party::{RelyingParty, claims};

const ASKED: &str = r#"{"userinfo":{"phone_number":null,"email":{"essential":true}},"id_token":{"phone_number":null,"nickname":null}}"#;

/// A client that may ask for `scope`; its requests ask for `openid` alone.
async fn client(scene: &Scene, scope: &str) -> RelyingParty {
    let metadata = json!({ "client_name": "Shop", "redirect_uris": ["https://shop.example/callback"], "scope": scope });
    let client = scene.app.client(&scene.tenant, metadata).await;
    scene.with(&client).with_scope("openid")
}

/// What comes back without a page: the reason why there is no code.
async fn silent(rp: &RelyingParty, browser: &mut Browser, claims: &str) -> Option<String> {
    let asked = [("prompt", "none"), ("claims", claims)];
    let answer = browser.open(&rp.authorization_url(&asked)).await.answer;
    answer.location_param("error")
}

/// What a code that came gives: the claims of the ID token, and what userinfo says.
async fn told(rp: &RelyingParty, code: &str) -> (Value, Value, String) {
    let tokens = rp.redeem(code).await.expect_ok().json();
    let text = |name: &str| tokens[name].as_str().expect("a token").to_owned();
    let access = text("access_token");
    let info = rp.userinfo(&access).await.expect_ok().json();
    (claims(&text("id_token")), info, access)
}

/// Gives the person a telephone number and a nickname.
async fn furnish(scene: &Scene) {
    let id = scene.user.id;
    scene
        .write(move |repo| {
            let mut user = repo.find_user(id)?.expect("a person");
            user.claims.phone_number = Some("+41 44 123 45 67".to_owned());
            user.claims.nickname = Some("Annie".to_owned());
            repo.update_user(&user)
        })
        .await;
}

app_test! {
    async fn a_person_is_asked_for_what_single_claims_stand_for(app: TestApp) {
        let scene = Scene::new(app).await;
        furnish(&scene).await;
        let rp = client(&scene, "openid email phone").await;
        let mut browser = scene.app.browser();
        // Plain `openid` was allowed, and says nothing of the rest.
        let page = rp.authorize(&mut browser, &scene.user, &[]).await;
        let code = page.answer.location_param("code").expect("a code");
        let (id_token, info, _) = told(&rp, &code).await;
        assert!(id_token.get("phone_number").is_none() && info.get("email").is_none());
        assert_eq!(silent(&rp, &mut browser, "{}").await, None);
        assert_eq!(silent(&rp, &mut browser, ASKED).await.as_deref(), Some("consent_required"));
        let page = browser.open(&rp.authorization_url(&[("claims", ASKED)])).await;
        let body = &page.expect_id("allow").answer.body;
        assert!(body.contains("See your phone number") && body.contains("See your email address"), "{body}");
        assert!(!body.contains("See your name"), "the application may not ask for the profile: {body}");
        let page = browser.submit(&page, &[("decision", "allow")]).await;
        let code = page.answer.location_param("code").expect("a code");
        let (id_token, info, access) = told(&rp, &code).await;
        assert_eq!((&id_token["phone_number"], id_token.get("nickname")), (&json!("+41 44 123 45 67"), None));
        assert_eq!((&info["phone_number"], &info["email"]), (&json!("+41 44 123 45 67"), &json!("ana@acme.example")));
        // It is remembered, shown, and covers no more than it says.
        assert_eq!(silent(&rp, &mut browser, ASKED).await, None);
        let account = browser.open(&scene.tenant.url("/account/applications")).await.answer.body;
        assert!(account.contains("See your phone number"), "{account}");
        // An administrator takes the scope away: nothing more is said by it, neither now nor in a token that comes later.
        let answer = browser.open(&rp.authorization_url(&[("prompt", "none"), ("claims", ASKED)])).await.answer;
        let late = answer.location_param("code").expect("a code");
        let id = rp.client.client_id().parse().expect("an id");
        scene.write(move |repo| {
            let mut client = repo.find_client(id)?.expect("a client");
            client.metadata.scope = "openid email".parse().ok();
            repo.update_client(&client)
        }).await;
        let info = rp.userinfo(&access).await.expect_ok().json();
        assert_eq!((info.get("phone_number"), &info["email"]), (None, &json!("ana@acme.example")));
        let (id_token, info, _) = told(&rp, &late).await;
        assert_eq!((id_token.get("phone_number"), info.get("phone_number"), &info["email"]), (None, None, &json!("ana@acme.example")));
    }

    async fn nobody_gets_more_by_single_claims_than_they_may_ask_for(app: TestApp) {
        let scene = Scene::new(app).await;
        furnish(&scene).await;
        let rp = client(&scene, "openid").await;
        let mut browser = scene.app.browser();
        let page = rp.authorize(&mut browser, &scene.user, &[("claims", ASKED)]).await;
        let code = page.answer.location_param("code").expect("a code");
        let (id_token, info, access) = told(&rp, &code).await;
        for name in ["phone_number", "email", "nickname"] {
            assert!(id_token.get(name).is_none() && info.get(name).is_none(), "{name}: {id_token} {info}");
        }
        // Nor later, once the application may ask for more: nobody was shown it.
        let id = rp.client.client_id().parse().expect("an id");
        scene.write(move |repo| {
            let mut client = repo.find_client(id)?.expect("a client");
            client.metadata.scope = "openid email phone profile".parse().ok();
            repo.update_client(&client)
        }).await;
        let info = rp.userinfo(&access).await.expect_ok().json();
        assert!(info.get("email").is_none() && info.get("phone_number").is_none(), "{info}");
        assert_eq!(silent(&rp, &mut browser, ASKED).await.as_deref(), Some("consent_required"));
    }
}
