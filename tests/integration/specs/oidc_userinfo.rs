//! OpenID Connect Core §5.3: userinfo, and RFC 6750: bearer tokens.

use serde_json::json;
use tessera::protocol::claims::ClaimsRequest;

use super::seed::{Scene, text};
use crate::support::app::app_test;

app_test! {
    async fn claims_follow_the_scope(app: TestApp) {
        let mut scene = Scene::new(app).await;
        for (scope, expected) in [
            ("openid", vec!["sub"]),
            ("openid email", vec!["email", "email_verified", "sub"]),
            ("openid profile", vec!["family_name", "given_name", "name", "sub", "updated_at"]),
            ("openid address phone", vec!["address", "phone_number", "sub"]),
        ] {
            scene.rp = scene.rp.clone().with_scope(scope);
            let body = scene.tokens().await;
            let answer = scene.rp.userinfo(text(&body, "access_token")).await.expect_ok();
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let told = answer.json();
            let mut names: Vec<_> = told.as_object().expect("an object").keys().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!(names, expected, "{scope}");
            assert_eq!(told["sub"], scene.user.id.to_string());
            assert!(told.get("updated_at").is_none_or(serde_json::Value::is_i64));
        }
    }

    async fn single_claims_can_be_asked_for(app: TestApp) {
        let mut scene = Scene::new(app).await;
        scene.rp = scene.rp.clone().with_scope("openid");
        let request = ClaimsRequest::parse(r#"{"userinfo":{"email":{"essential":true},"sub":null},"id_token":{"given_name":null,"iss":null,"tenant":null}}"#).expect("claims");
        let body = scene.tokens_but(|grant, _| grant.claims = Some(request)).await;
        let told = scene.rp.userinfo(text(&body, "access_token")).await.expect_ok().json();
        assert_eq!(told, json!({ "sub": scene.user.id, "email": "ana@acme.example" }));
        let id = crate::support::relying_party::claims(text(&body, "id_token"));
        assert_eq!((&id["given_name"], &id["iss"], &id["tenant"]), (&json!("Ana"), &json!(scene.tenant.issuer), &json!("acme")));
    }

    async fn the_token_comes_by_header_or_by_body(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens().await;
        let (url, token) = (scene.tenant.url("/userinfo"), text(&body, "access_token"));
        for request in [
            scene.app.get(&url).bearer(token),
            scene.app.get(&url).header("authorization", &format!("bearer {token}")),
            scene.app.http.post(&url).bearer(token),
            scene.app.http.post(&url).bearer(token).body("application/json", "{}"),
            scene.app.post(&url, &[("access_token", token)]),
        ] {
            assert_eq!(request.send().await.expect_ok().json()["email"], "ana@acme.example");
        }
        let twice = scene.app.post(&url, &[("access_token", token)]).bearer(token).send().await;
        twice.expect_error(400, "invalid_request");
        let in_query = scene.app.get(&format!("{url}?access_token={token}")).send().await;
        assert_eq!(in_query.status, 401, "a token in an address ends up in logs");
        let answer = scene.app.http.request(awc::http::Method::DELETE, &url).send().await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, POST")));
    }

    async fn refusals_challenge_as_rfc_6750_says(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens().await;
        let bare = scene.app.get(&scene.tenant.url("/userinfo")).send().await;
        assert_eq!(bare.status, 401);
        assert_eq!(bare.header("www-authenticate"), Some(&*format!("Bearer realm=\"{}\", scope=\"openid\"", scene.tenant.issuer)));
        let nonsense = scene.rp.userinfo("nonsense").await;
        nonsense.expect_error(401, "invalid_token");
        assert!(nonsense.header("www-authenticate").is_some_and(|value| value.contains("error=\"invalid_token\"")));
        for token in [text(&body, "id_token"), text(&body, "refresh_token")] {
            scene.rp.userinfo(token).await.expect_error(401, "invalid_token");
        }
        let machine = scene.with(&scene.app.machine_client(&scene.tenant, "").await);
        let answer = scene.rp.userinfo(&machine.client_credentials(&[]).await.access_token).await;
        answer.expect_error(403, "insufficient_scope");
        assert!(answer.header("www-authenticate").is_some_and(|value| value.contains("scope=\"openid\"")));
    }

    async fn a_dead_grant_is_refused_on_every_node_within_a_second(app: TestApp) {
        let scene = Scene::new(app).await;
        let node = scene.second_node().await;
        let mut other = scene.rp.clone();
        other.move_to(&node.http);
        let body = scene.tokens().await;
        assert_eq!(other.userinfo(text(&body, "access_token")).await.status, 200);
        assert_eq!(scene.rp.authenticated("/revoke", &[("token", text(&body, "refresh_token"))]).send().await.status, 200);
        actix_web::rt::time::sleep(std::time::Duration::from_secs(1)).await;
        other.userinfo(text(&body, "access_token")).await.expect_error(401, "invalid_token");
    }
}
