//! The implicit flow (OpenID Connect Core §3.2): what its tokens say, and what kills them.

use serde_json::json;
use tessera::secret::{Handle, Purpose};

use super::front_channel::{CALLBACK, ask, client, hash, signed_in, verified};
use super::seed::Scene;
use crate::support::app::app_test;
use crate::support::browser::Place;
use crate::support::relying_party::claims;

const TOKENS: &str = "id_token token";

fn grants(scene: &Scene) -> i64 {
    scene.app.database.raw().count("grants")
}

app_test! {
    /// §3.2.2.10, §5.4: no access token, so the claims of the scope are in the ID token itself.
    async fn an_id_token_alone_says_everything(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        let (before, events) = (grants(&scene), scene.events("grant.created"));
        let answer = ask(&rp, &mut browser, "id_token", &[("state", "a state"), ("nonce", "n-0S6_WzA2Mj")]).await;
        let told = verified(&scene, answer.get("id_token"), "JWT").await;
        for (name, value) in [
            ("iss", json!(scene.tenant.issuer)), ("sub", json!(scene.user.id)), ("aud", json!(rp.client.client_id())), ("nonce", json!("n-0S6_WzA2Mj")),
            ("amr", json!(["pwd"])), ("acr", json!("urn:tessera:acr:password")), ("tenant", json!("acme")), ("email", json!("ana@acme.example")),
            ("email_verified", json!(true)), ("name", json!("Ana Example")), ("s_hash", hash(answer.get("id_token"), "a state")),
        ] {
            assert_eq!(told[name], value, "{name}");
        }
        for name in ["auth_time", "iat", "exp", "sid"] {
            assert!(told.get(name).is_some(), "{name}");
        }
        // Not asked for, or not there.
        for name in ["address", "phone_number", "at_hash", "c_hash", "azp"] {
            assert_eq!(told.get(name), None, "{name}");
        }
        // Nothing is left that could be revoked; the event tells of it.
        assert_eq!((grants(&scene), scene.events("grant.created")), (before, events + 1));
        let details = scene.app.database.raw().texts("SELECT detail AS value FROM audit_events WHERE act = 'grant.created'");
        let of_it: Vec<&String> = details.iter().filter(|detail| detail.contains("id_token")).collect();
        assert!(of_it.len() == 1 && !of_it[0].contains("\"grant\""), "{details:?}");
        // Without a state there is nothing to hash, and only what the scope asks for is told.
        let bare = ask(&rp, &mut browser, "id_token", &[("state", ""), ("scope", "openid")]).await;
        let told = claims(bare.get("id_token"));
        assert_eq!((bare.names(), told.get("s_hash"), told.get("email")), (vec!["id_token", "iss"], None, None));
        // Single claims are told too.
        let single = ask(&rp, &mut browser, "id_token", &[("scope", "openid"), ("claims", r#"{"id_token":{"given_name":null}}"#)]).await;
        assert_eq!(claims(single.get("id_token"))["given_name"], json!("Ana"));
    }

    /// §3.2.2.5, §3.2.2.10, §5.4
    async fn an_access_token_beside_it_is_bound_to_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({ "scope": "openid profile email phone" })).await, signed_in(&scene).await);
        let answer = ask(&rp, &mut browser, TOKENS, &[("claims", r#"{"userinfo":{"phone_number":null}}"#)]).await;
        assert_eq!((answer.get("token_type"), answer.get("expires_in"), answer.get("scope")), ("Bearer", "300", "openid profile email"));
        let (id_token, access) = (answer.get("id_token"), answer.get("access_token"));
        let told = verified(&scene, id_token, "JWT").await;
        assert_eq!((&told["at_hash"], &told["s_hash"], told.get("c_hash")), (&hash(id_token, access), &hash(id_token, "a-state"), None));
        assert_eq!(told.get("email"), None, "it is at the userinfo endpoint");
        let userinfo = rp.userinfo(access).await.expect_ok().json();
        for (name, value) in [("sub", &told["sub"]), ("email", &json!("ana@acme.example")), ("phone_number", &json!("+4512345678"))] {
            assert_eq!(&userinfo[name], value, "{name}");
        }
        // The same as from the token endpoint.
        let own = verified(&scene, access, "at+jwt").await;
        for (name, value) in [
            ("iss", json!(scene.tenant.issuer)), ("sub", told["sub"].clone()), ("aud", json!(scene.tenant.issuer)), ("sid", told["sid"].clone()),
            ("client_id", json!(rp.client.client_id())), ("scope", json!("openid profile email")), ("amr", json!(["pwd"])),
        ] {
            assert_eq!(own[name], value, "{name}");
        }
        let introspected = scene.with(&scene.app.machine_client(&scene.tenant, "").await).introspect(access).await;
        assert_eq!((&introspected["active"], &introspected["jti"]), (&json!(true), &own["jti"]));
    }

    /// Every algorithm has its own hash (§3.2.2.10).
    async fn hashes_are_those_of_the_id_tokens_algorithm(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        for algorithm in ["RS256", "ES256", "PS256", "EdDSA"] {
            let rp = client(&scene, json!({ "id_token_signed_response_alg": algorithm, "access_token_format": "opaque" })).await;
            let answer = ask(&rp, &mut browser, TOKENS, &[]).await;
            let told = verified(&scene, answer.get("id_token"), "JWT").await;
            assert_eq!(told["at_hash"], hash(answer.get("id_token"), answer.get("access_token")), "{algorithm}");
            assert!(scene.is_active(answer.get("access_token")).await);
        }
    }

    /// RFC 8707, RFC 6749 §4.2.2: no refresh token, and the scope as it was granted.
    async fn resources_and_scopes_are_as_at_the_token_endpoint(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.app.resource(&scene.tenant, "https://orders.example", &["orders:read"]).await;
        let rp = client(&scene, json!({ "scope": "openid email offline_access orders:read" })).await;
        let mut browser = signed_in(&scene).await;
        let asked = [("scope", "openid offline_access orders:read"), ("resource", "https://orders.example"), ("prompt", "consent")];
        let page = rp.authorize(&mut browser, &scene.user, &[&asked[..], &[("response_type", TOKENS)]].concat()).await;
        let answer = page.response();
        // OpenID Connect Core §11: offline_access is ignored where no code comes.
        assert_eq!((answer.get("scope"), answer.find("refresh_token")), ("openid orders:read", None));
        let own = claims(answer.get("access_token"));
        assert_eq!((&own["aud"], &own["scope"]), (&json!("https://orders.example"), &json!("openid orders:read")));
        let refused = ask(&rp, &mut browser, TOKENS, &[("resource", "https://bills.example")]).await;
        assert_eq!((refused.place, refused.get("error")), (Place::Fragment, "invalid_target"));
    }

    /// Revocation by the client, sign-out, a person who is disabled, a consent that is withdrawn: each kills the token within a second.
    async fn what_ends_a_grant_ends_its_token(app: TestApp) {
        let scene = Scene::new(app).await;
        let rp = client(&scene, json!({})).await;
        let fresh = async || {
            let mut browser = scene.app.browser();
            let page = rp.authorize(&mut browser, &scene.user, &[("response_type", TOKENS)]).await;
            let answer = page.response();
            let token = answer.get("access_token").to_owned();
            assert!(scene.is_active(&token).await);
            (browser, token, answer.get("id_token").to_owned())
        };
        let (_, revoked, _) = fresh().await;
        rp.authenticated("/revoke", &[("token", &revoked)]).send().await.expect_ok();
        assert!(!scene.is_active(&revoked).await);
        let (mut browser, signed_out, hint) = fresh().await;
        browser.open(&format!("{}/logout?id_token_hint={hint}", scene.tenant.issuer)).await.answer.expect_ok();
        assert!(!scene.is_active(&signed_out).await);
        let (_, withdrawn, _) = fresh().await;
        let (user, of) = (scene.user.id, rp.client.id);
        assert!(scene.write(move |repo| repo.revoke_grants_of_user(user, Some(of))).await > 0);
        assert!(!scene.is_active(&withdrawn).await);
        rp.userinfo(&withdrawn).await.expect_error(401, "invalid_token");
        let (_, left, _) = fresh().await;
        scene.set_disabled(true).await;
        assert!(!scene.is_active(&left).await);
    }

    /// The row that revokes a token stays as long as the token can be good, whatever a sweep finds.
    async fn a_token_outlives_every_sweep(app: TestApp) {
        let scene = Scene::new(app).await;
        let rp = client(&scene, json!({ "access_token_lifetime": 86_400 })).await;
        let mut browser = signed_in(&scene).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.session_idle_lifetime = 604_800).await;
        let answers = [ask(&rp, &mut browser, TOKENS, &[]).await, ask(&rp, &mut browser, "code token", &[]).await];
        let sweep = async || scene.app.provider.db.write_installation(|all| all.delete_expired(100)).await.expect("runs");
        for _ in 0..23 {
            scene.app.time.advance(std::time::Duration::from_hours(1));
            assert_eq!(sweep().await.grants, 0);
        }
        for answer in &answers {
            assert_eq!(answer.get("expires_in"), "86400");
            rp.userinfo(answer.get("access_token")).await.expect_ok();
        }
        scene.app.time.advance(std::time::Duration::from_hours(2));
        for answer in &answers {
            rp.userinfo(answer.get("access_token")).await.expect_error(401, "invalid_token");
        }
        assert!(sweep().await.grants >= 2, "nothing is left behind");
    }

    /// Where no code goes out there is none, and the token endpoint knows no implicit grant.
    async fn there_is_nothing_to_redeem(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        let answer = ask(&rp, &mut browser, TOKENS, &[]).await;
        let token = answer.get("access_token");
        let id = claims(token)["grant_id"].as_str().expect("a grant").parse().expect("an id");
        for proof in [[0; 32], [255; 32], scene.app.provider.clock.random_bytes()] {
            let code = Handle::from_parts(id, proof).to_text(Purpose::AuthorizationCode);
            rp.redeem(code.expose()).await.expect_error(400, "invalid_grant");
        }
        assert!(scene.is_active(token).await, "guessing harms nobody");
        rp.token(&[("grant_type", "implicit")]).await.expect_error(400, "unsupported_grant_type");
        let only = client(&scene, json!({ "grant_types": ["implicit"], "response_types": [TOKENS] })).await;
        only.token(&[("grant_type", "implicit")]).await.expect_error(400, "unsupported_grant_type");
        let code = scene.rp.code(&mut browser, &scene.user).await;
        only.redeem(&code).await.expect_error(400, "unauthorized_client");
    }

    /// RFC 7636 protects codes; a public client without one has nothing to prove.
    async fn a_public_client_needs_no_challenge_for_tokens(app: TestApp) {
        let scene = Scene::new(app).await;
        let rp = client(&scene, json!({ "token_endpoint_auth_method": "none", "redirect_uris": [CALLBACK] })).await;
        let mut browser = signed_in(&scene).await;
        let bare = [("code_challenge", ""), ("code_challenge_method", "")];
        for response_type in ["id_token", TOKENS] {
            assert!(ask(&rp, &mut browser, response_type, &bare).await.find("id_token").is_some(), "{response_type}");
        }
        for response_type in ["code", "code id_token", "code token", "code id_token token"] {
            assert_eq!(ask(&rp, &mut browser, response_type, &bare).await.get("error"), "invalid_request", "{response_type}");
        }
        // CORS: a page of the client may ask for claims.
        let answer = ask(&rp, &mut browser, TOKENS, &bare).await;
        let request = scene.app.get(&scene.tenant.url("/userinfo")).bearer(answer.get("access_token"));
        let userinfo = request.header("origin", "https://front.example").send().await.expect_ok();
        assert_eq!(userinfo.header("access-control-allow-origin"), Some("https://front.example"));
    }

    /// OpenID Connect Core §8.1: the same person, as this client knows them.
    async fn subjects_are_the_clients_own(app: TestApp) {
        let scene = Scene::new(app).await;
        let rp = client(&scene, json!({ "subject_type": "pairwise" })).await;
        let mut browser = signed_in(&scene).await;
        let answer = ask(&rp, &mut browser, TOKENS, &[]).await;
        let (id_token, access) = (claims(answer.get("id_token")), claims(answer.get("access_token")));
        assert_eq!(id_token["sub"], access["sub"]);
        assert_ne!(id_token["sub"], json!(scene.user.id));
        assert_eq!(rp.userinfo(answer.get("access_token")).await.expect_ok().json()["sub"], id_token["sub"]);
        let alone = ask(&rp, &mut browser, "id_token", &[]).await;
        assert_eq!(claims(alone.get("id_token"))["sub"], id_token["sub"]);
    }

    /// A session that ends while the consent page is shown gets nothing.
    async fn who_has_signed_out_gives_nothing(app: TestApp) {
        let scene = Scene::new(app).await;
        let rp = client(&scene, json!({ "skip_consent": false })).await;
        for response_type in ["id_token", TOKENS] {
            let mut browser = signed_in(&scene).await;
            let page = browser.open(&rp.authorization_url(&[("response_type", response_type)])).await;
            page.expect_id("allow");
            let user = scene.user.id;
            scene.write(move |repo| repo.end_sessions(user, None, tessera::storage::SessionGrants::All)).await;
            let next = browser.submit(&page, &[("decision", "allow")]).await;
            next.expect_id("password");
        }
        let details = scene.app.database.raw().texts("SELECT detail AS value FROM audit_events WHERE act = 'grant.created'");
        assert!(details.iter().all(|detail| !detail.contains("id_token")), "{details:?}");
    }
}
