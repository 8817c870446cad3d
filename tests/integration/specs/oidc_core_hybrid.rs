//! The hybrid flow (OpenID Connect Core §3.3): a code, and tokens beside it.

use serde_json::json;

use super::front_channel::{ask, client, has, hash, signed_in, verified};
use super::seed::{Scene, at_once, text};
use crate::support::app::app_test;
use crate::support::relying_party::{VERIFIER, claims};

const HYBRID: [&str; 3] = ["code id_token", "code token", "code id_token token"];

app_test! {
    /// §3.3.2.11, §3.3.3.6, and FAPI 1.0 Advanced §5.2.2.1 for the `state`.
    async fn an_id_token_is_bound_to_what_stands_beside_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        for response_type in HYBRID {
            let answer = ask(&rp, &mut browser, response_type, &[("nonce", "a nonce")]).await;
            let code = answer.get("code");
            if let Some(id_token) = answer.find("id_token") {
                let told = verified(&scene, id_token, "JWT").await;
                assert_eq!((&told["c_hash"], &told["s_hash"], &told["nonce"]), (&hash(id_token, code), &hash(id_token, "a-state"), &json!("a nonce")));
                let expected = answer.find("access_token").map(|token| hash(id_token, token));
                assert_eq!(told.get("at_hash"), expected.as_ref(), "{response_type}");
                // §5.4: there will be an access token.
                assert_eq!(told.get("email"), None);
            }
            let tokens = rp.redeem(code).await.expect_ok().json();
            let second = verified(&scene, text(&tokens, "id_token"), "JWT").await;
            assert_eq!((&second["nonce"], second.get("c_hash"), second.get("s_hash")), (&json!("a nonce"), None, None));
            assert_eq!(second["at_hash"], hash(text(&tokens, "id_token"), text(&tokens, "access_token")));
            if let Some(id_token) = answer.find("id_token") {
                // §3.3.3.6: iss and sub are the same in both.
                let first = claims(id_token);
                for name in ["iss", "sub", "aud", "auth_time", "sid"] {
                    assert_eq!(first[name], second[name], "{name}");
                }
            }
        }
    }

    /// Before the code is redeemed and after, the token that came with it is good; a code that comes twice kills both.
    async fn a_code_that_comes_twice_kills_what_came_with_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        for response_type in ["code token", "code id_token token"] {
            let answer = ask(&rp, &mut browser, response_type, &[]).await;
            let front = answer.get("access_token");
            rp.userinfo(front).await.expect_ok();
            let tokens = rp.redeem(answer.get("code")).await.expect_ok().json();
            let back = text(&tokens, "access_token");
            assert_eq!(claims(front)["grant_id"], claims(back)["grant_id"]);
            assert!(scene.is_active(front).await && scene.is_active(back).await);
            rp.redeem(answer.get("code")).await.expect_error(400, "invalid_grant");
            for token in [front, back] {
                assert!(!scene.is_active(token).await, "{response_type}");
                rp.userinfo(token).await.expect_error(401, "invalid_token");
            }
        }
        assert_eq!(scene.events("grant.replay_detected"), 2);
    }

    async fn many_redemptions_at_once_give_one_answer(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        let answer = ask(&rp, &mut browser, "code id_token token", &[]).await;
        let code = answer.get("code");
        let answers = at_once((0..20).map(|_| {
            let (rp, code) = (rp.clone(), code.to_owned());
            async move { rp.redeem(&code).await }
        })).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert!(!scene.is_active(answer.get("access_token")).await, "whoever of them was the thief");
    }

    /// A code that expires takes nothing with it.
    async fn a_late_code_leaves_the_token_alone(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        let answer = ask(&rp, &mut browser, "code token", &[]).await;
        scene.app.time.advance(std::time::Duration::from_secs(61));
        rp.redeem(answer.get("code")).await.expect_error(400, "invalid_grant");
        assert!(scene.is_active(answer.get("access_token")).await);
        scene.app.time.advance(std::time::Duration::from_mins(4));
        assert!(!scene.is_active(answer.get("access_token")).await);
    }

    /// RFC 7636, RFC 9700 §2.1.1: the code of a hybrid flow is a code.
    async fn the_code_is_protected_as_any(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        for method in ["client_secret_basic", "none"] {
            let rp = client(&scene, json!({ "token_endpoint_auth_method": method })).await;
            for response_type in HYBRID {
                let bare = ask(&rp, &mut browser, response_type, &[("code_challenge", ""), ("code_challenge_method", "")]).await;
                assert_eq!(bare.get("error"), "invalid_request");
                let redeem = async |verifier: Option<&str>, code: &str| {
                    let mut form = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", rp.client.redirect_uri())];
                    form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
                    rp.token(&form).await
                };
                let answer = ask(&rp, &mut browser, response_type, &[]).await;
                for verifier in [None, Some("another-verifier-that-is-long-enough-0123456789abc")] {
                    redeem(verifier, answer.get("code")).await.expect_error(400, "invalid_grant");
                }
                redeem(Some(VERIFIER), answer.get("code")).await.expect_ok();
            }
        }
    }

    /// Refresh tokens come of the code alone.
    async fn offline_access_comes_by_the_code(app: TestApp) {
        let scene = Scene::new(app).await;
        let rp = client(&scene, json!({})).await.with_scope("openid profile offline_access");
        let mut browser = signed_in(&scene).await;
        for response_type in HYBRID {
            let page = rp.authorize(&mut browser, &scene.user, &[("response_type", response_type), ("prompt", "consent")]).await;
            let answer = page.response();
            assert_eq!(answer.find("refresh_token"), None);
            if has(response_type, "token") {
                assert_eq!(answer.get("scope"), "openid profile offline_access");
            }
            let tokens = rp.redeem(answer.get("code")).await.expect_ok().json();
            let refreshed = rp.refreshed(text(&tokens, "refresh_token")).await;
            assert!(scene.is_active(&refreshed.access_token).await);
        }
    }

    /// Without `openid` it is plain OAuth 2.0.
    async fn code_and_token_need_no_openid(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.app.resource(&scene.tenant, "https://orders.example", &["orders:read"]).await;
        let rp = client(&scene, json!({ "scope": "openid orders:read" })).await.with_scope("orders:read");
        let mut browser = signed_in(&scene).await;
        let answer = ask(&rp, &mut browser, "token code", &[("nonce", ""), ("resource", "https://orders.example")]).await;
        assert_eq!((answer.find("id_token"), answer.get("scope")), (None, "orders:read"));
        assert_eq!(claims(answer.get("access_token"))["aud"], json!("https://orders.example"));
        rp.userinfo(answer.get("access_token")).await.expect_error(403, "insufficient_scope");
        let tokens = rp.redeem(answer.get("code")).await.expect_ok().json();
        assert_eq!(tokens.get("id_token"), None);
    }
}
