//! JWT Secured Authorization Response Mode for OAuth 2.0 (JARM).

use serde_json::{Value, json};
use tessera::protocol::SigningAlgorithm;

use super::front_channel::{TYPES, ask, client, has, hash, signed_in, verified};
use super::seed::Scene;
use crate::support::app::{app_test, run};
use crate::support::browser::{Place, Response};
use crate::support::database::TestDatabase;
use crate::support::relying_party::{RelyingParty, claims, header};

/// The claims of a signed answer, which must be all that there is.
async fn opened(scene: &Scene, rp: &RelyingParty, answer: &Response) -> Value {
    assert_eq!(answer.names(), ["response"], "nothing stands beside it");
    let told = verified(scene, answer.get("response"), "JWT").await;
    assert_eq!(
        (&told["iss"], &told["aud"]),
        (&json!(scene.tenant.issuer), &json!(rp.client.client_id()))
    );
    let life = told["exp"].as_i64().expect("a time") - scene.app.provider.clock.unix();
    assert!((1..=600).contains(&life), "{life}");
    told
}

fn members(told: &Value) -> Vec<&str> {
    let members = told.as_object().expect("an object").keys();
    let mut names: Vec<_> = members.map(String::as_str).collect();
    names.sort_unstable();
    names
}

app_test! {
    /// §2.3: every mode with every response type that is right for it.
    async fn answers_are_signed_in_every_mode(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        for response_type in TYPES {
            let usual = if response_type == "code" { Place::Query } else { Place::Fragment };
            for (mode, place) in [("jwt", usual), ("query.jwt", Place::Query), ("fragment.jwt", Place::Fragment), ("form_post.jwt", Place::Form)] {
                let answer = ask(&rp, &mut browser, response_type, &[("response_mode", mode)]).await;
                let told = opened(&scene, &rp, &answer).await;
                assert_eq!(told["state"], json!("a-state"));
                if mode == "query.jwt" && response_type != "code" {
                    // §2.3.1: not unless the response is encrypted.
                    assert_eq!((answer.place, &told["error"]), (Place::Fragment, &json!("invalid_request")), "{response_type}");
                    continue;
                }
                assert_eq!(answer.place, place, "{response_type} by {mode}");
                assert_eq!(told.get("error"), None, "{told}");
                assert_eq!(told.get("code").is_some(), has(response_type, "code"));
                assert_eq!(told.get("access_token").is_some(), has(response_type, "token"));
                if has(response_type, "token") {
                    assert_eq!((&told["token_type"], &told["expires_in"]), (&json!("Bearer"), &json!(300)));
                    assert!(scene.is_active(told["access_token"].as_str().expect("a token")).await);
                }
                if has(response_type, "id_token") {
                    let id_token = told["id_token"].as_str().expect("an ID token");
                    let inner = verified(&scene, id_token, "JWT").await;
                    assert_eq!(inner["s_hash"], hash(id_token, "a-state"));
                }
                if has(response_type, "code") {
                    rp.redeem(told["code"].as_str().expect("a code")).await.expect_ok();
                }
            }
        }
    }

    /// §3: RS256 unless told.
    async fn the_algorithm_is_the_clients(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        for (registered, algorithm) in [(None, "RS256"), (Some("ES256"), "ES256"), (Some("PS256"), "PS256"), (Some("EdDSA"), "EdDSA"), (Some("Ed25519"), "Ed25519"), (Some("RS256"), "RS256")] {
            let rp = client(&scene, registered.map_or(json!({}), |name| json!({ "authorization_signed_response_alg": name }))).await;
            let answer = ask(&rp, &mut browser, "code", &[("response_mode", "jwt")]).await;
            let told = opened(&scene, &rp, &answer).await;
            assert_eq!(header(answer.get("response"))["alg"], json!(algorithm));
            assert_eq!(members(&told), ["aud", "code", "exp", "iss", "state"]);
        }
        let metadata = scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        assert_eq!(metadata["authorization_signing_alg_values_supported"], json!(SigningAlgorithm::ALL));
    }

    /// §2.1, §4: an error is an answer, from every page.
    async fn errors_are_signed(app: TestApp) {
        let scene = Scene::new(app).await;
        let rp = client(&scene, json!({ "skip_consent": false })).await;
        let state = "\"><script>alert(1)</script>&'\u{1f980}=+ ";
        for (response_type, place) in [("code", Place::Query), ("id_token", Place::Fragment), ("code token", Place::Fragment)] {
            let mut browser = scene.app.browser();
            for (more, error) in [(("prompt", "none"), "login_required"), (("scope", "openid sorcery"), "invalid_scope"), (("max_age", "x"), "invalid_request")] {
                let answer = ask(&rp, &mut browser, response_type, &[more, ("response_mode", "jwt"), ("state", state)]).await;
                let told = opened(&scene, &rp, &answer).await;
                assert_eq!((answer.place, &told["error"], &told["state"]), (place, &json!(error), &json!(state)), "{response_type}");
                assert_eq!(members(&told), ["aud", "error", "error_description", "exp", "iss", "state"]);
            }
            let page = browser.open(&rp.authorization_url(&[("response_type", response_type), ("response_mode", "form_post.jwt")])).await;
            let page = browser.sign_in(&page, &scene.user).await;
            let denied = browser.submit(&page, &[("decision", "deny")]).await.response();
            assert_eq!((denied.place, &opened(&scene, &rp, &denied).await["error"]), (Place::Form, &json!("access_denied")));
            let unknown = ask(&rp, &mut browser, "pizza", &[("response_mode", "jwt")]).await;
            assert_eq!(opened(&scene, &rp, &unknown).await["error"], json!("unsupported_response_type"));
        }
        // No redirect is signed that isn't the client's.
        let mut browser = scene.app.browser();
        let page = browser.open(&rp.authorization_url(&[("response_mode", "jwt"), ("redirect_uri", "https://evil.example/")])).await;
        page.answer.expect_error(400, "invalid_request");
    }

    async fn pushed_and_signed_requests_may_ask_for_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        let url = rp.pushed(&[("response_type", "code id_token"), ("response_mode", "fragment.jwt")]).await;
        let answer = browser.open(&url).await.response();
        assert_eq!(answer.place, Place::Fragment);
        assert!(opened(&scene, &rp, &answer).await.get("code").is_some());
        rp.push(&[("response_type", "id_token"), ("response_mode", "query.jwt")]).await.expect_error(400, "invalid_request");
        rp.push(&[("response_mode", "text.jwt")]).await.expect_error(400, "invalid_request");
    }

    /// RFC 8725 §3.11: an answer is nothing else, although the tenant signed it.
    async fn an_answer_passes_for_no_token(app: TestApp) {
        let scene = Scene::new(app).await;
        let rp = client(&scene, json!({ "authorization_signed_response_alg": "ES256" })).await;
        let mut browser = signed_in(&scene).await;
        let answer = ask(&rp, &mut browser, "id_token token", &[("response_mode", "jwt")]).await;
        let response = answer.get("response");
        rp.userinfo(response).await.expect_error(401, "invalid_token");
        assert!(!scene.is_active(response).await);
        let hinted = ask(&rp, &mut browser, "code", &[("prompt", "none"), ("id_token_hint", response)]).await;
        assert_eq!(hinted.get("error"), "invalid_request");
        let request = ask(&rp, &mut browser, "code", &[("request", response)]).await;
        assert_eq!(request.get("error"), "invalid_request_object");
        let page = browser.open(&format!("{}/logout?id_token_hint={response}", scene.tenant.issuer)).await;
        page.answer.expect_error(400, "invalid_request");
        assert!(claims(response).get("sub").is_none());
    }

    /// A client whose answers are signed is held to everything that others are.
    async fn a_signed_code_is_used_once(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        let answer = ask(&rp, &mut browser, "code token", &[("response_mode", "jwt")]).await;
        let told = opened(&scene, &rp, &answer).await;
        let (code, token) = (told["code"].as_str().expect("a code"), told["access_token"].as_str().expect("a token"));
        scene.rp.redeem(code).await.expect_error(400, "invalid_grant");
        rp.redeem(code).await.expect_ok();
        rp.redeem(code).await.expect_error(400, "invalid_grant");
        assert!(!scene.is_active(token).await);
    }
}

/// Whoever knows a client's name can ask for errors, and each that is signed costs a signature: so many in a minute for each network, then a page. What
/// needs no signature, and what a person's session stands behind, goes on.
#[test]
fn a_stranger_gets_so_many_errors_signed() {
    run(TestDatabase::sqlite(), |app| async move {
        let scene = Scene::new(app).await;
        let rp = client(
            &scene,
            json!({ "authorization_signed_response_alg": "ES256" }),
        )
        .await;
        let mut browser = signed_in(&scene).await;
        let url = rp.authorization_url(&[("response_mode", "jwt"), ("scope", "openid sorcery")]);
        for _ in 0..120 {
            let answer = scene.app.get(&url).send().await;
            assert!(answer.location_param("response").is_some(), "{answer:?}");
        }
        let refused = scene.app.get(&url).send().await;
        assert!(refused.header("location").is_none());
        refused.expect_error(429, "too_many_requests");
        let plain = ask(&rp, &mut browser, "code", &[("scope", "openid sorcery")]).await;
        assert_eq!(plain.get("error"), "invalid_scope");
        let granted = ask(&rp, &mut browser, "code", &[("response_mode", "jwt")]).await;
        assert!(opened(&scene, &rp, &granted).await.get("code").is_some());
        scene.app.time.advance(std::time::Duration::from_mins(1));
        assert_eq!(scene.app.get(&url).send().await.status, 303);
    });
}
