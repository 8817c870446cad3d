//! RFC 6749: the token endpoint, codes, refresh tokens and client credentials.

use std::time::Duration;

use serde_json::json;
use tessera::domain::role::Role;

use super::seed::{Scene, at_once, text};
use crate::support::app::app_test;
use crate::support::relying_party::{RelyingParty, VERIFIER, claims};

/// The same id with another proof.
fn forged(handle: &str) -> String {
    format!(
        "{}{}",
        &handle[..handle.len() - 4],
        if handle.ends_with("AAAA") {
            "BBBB"
        } else {
            "AAAA"
        }
    )
}

app_test! {
    async fn a_code_gives_tokens_that_nobody_may_keep(app: TestApp) {
        let scene = Scene::new(app).await;
        let answer = scene.rp.redeem(&scene.code().await).await.expect_ok();
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("pragma"), Some("no-cache"));
        let body = answer.json();
        assert_eq!((&body["token_type"], &body["expires_in"], &body["scope"]), (&json!("Bearer"), &json!(300), &json!("openid profile email offline_access")));
        let id = claims(text(&body, "id_token"));
        assert_eq!(id["iss"], scene.tenant.issuer);
        assert_eq!(id["sub"], scene.user.id.to_string());
        assert_eq!(id["aud"], scene.rp.client.client_id());
        assert_eq!((&id["nonce"], &id["tenant"], &id["amr"]), (&json!("a-nonce"), &json!("acme"), &json!(["pwd"])));
        assert!(id["at_hash"].is_string() && id["auth_time"].is_number() && id["sid"].is_string());
        assert!(id.get("email").is_none(), "claims of a scope are userinfo's where there is an access token");
        assert!(text(&body, "refresh_token").starts_with("tsr_"));
    }

    async fn a_code_is_redeemed_once_and_its_replay_kills_what_it_gave(app: TestApp) {
        let scene = Scene::new(app).await;
        let code = scene.code().await;
        let body = scene.rp.redeem(&code).await.expect_ok().json();
        assert_eq!(scene.rp.userinfo(text(&body, "access_token")).await.status, 200);
        scene.app.time.advance(Duration::from_secs(30));
        scene.rp.redeem(&code).await.expect_error(400, "invalid_grant");
        scene.rp.userinfo(text(&body, "access_token")).await.expect_error(401, "invalid_token");
        scene.rp.refresh(text(&body, "refresh_token")).await.expect_error(400, "invalid_grant");
        assert_eq!(scene.events("grant.replay_detected"), 1);
        scene.rp.redeem(&code).await.expect_error(400, "invalid_grant");
        assert_eq!(scene.events("grant.replay_detected"), 1, "nothing is left to revoke");
    }

    async fn a_hundred_redemptions_on_two_nodes_give_one_answer(app: TestApp) {
        let scene = Scene::new(app).await;
        let node = scene.second_node().await;
        let mut other = scene.rp.clone();
        other.move_to(&node.http);
        let code = scene.code().await;
        let requests = (0..100).map(|n| {
            let (rp, code) = (if n % 2 == 0 { scene.rp.clone() } else { other.clone() }, code.clone());
            async move { rp.redeem(&code).await }
        });
        let answers = at_once(requests).await;
        let good: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(good.len(), 1, "{answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.expect_error(400, "invalid_grant");
        }
        let body = good[0].json();
        scene.rp.refresh(text(&body, "refresh_token")).await.expect_error(400, "invalid_grant");
    }

    async fn a_code_of_another_client_is_none_and_stays_good(app: TestApp) {
        let scene = Scene::new(app).await;
        let code = scene.code().await;
        let thief = scene.with(&scene.app.web_client(&scene.tenant).await);
        thief.redeem(&code).await.expect_error(400, "invalid_grant");
        let body = scene.rp.redeem(&code).await.expect_ok().json();
        // Nor does its replay by a stranger do harm.
        thief.redeem(&code).await.expect_error(400, "invalid_grant");
        assert_eq!(scene.rp.userinfo(text(&body, "access_token")).await.status, 200);
    }

    async fn a_code_with_another_proof_is_none_and_does_no_harm(app: TestApp) {
        let scene = Scene::new(app).await;
        let code = scene.code().await;
        let body = scene.rp.redeem(&code).await.expect_ok().json();
        scene.rp.redeem(&forged(&code)).await.expect_error(400, "invalid_grant");
        assert_eq!(scene.rp.userinfo(text(&body, "access_token")).await.status, 200);
        for nonsense in ["x", "tsc_", "tsr_AAAA", &code.replacen("tsc_", "tsr_", 1)] {
            scene.rp.redeem(nonsense).await.expect_error(400, "invalid_grant");
        }
    }

    async fn a_code_dies_after_a_minute(app: TestApp) {
        let scene = Scene::new(app).await;
        let (in_time, late) = (scene.code().await, scene.code().await);
        scene.app.time.advance(Duration::from_secs(59));
        assert_eq!(scene.rp.redeem(&in_time).await.status, 200);
        scene.app.time.advance(Duration::from_secs(1));
        scene.rp.redeem(&late).await.expect_error(400, "invalid_grant");
    }

    async fn a_code_is_bound_to_its_redirect_uri(app: TestApp) {
        let scene = Scene::new(app).await;
        let code = scene.code().await;
        let form = |redirect_uri: &'static str| {
            let mut form = vec![("grant_type", "authorization_code"), ("code", code.as_str()), ("code_verifier", VERIFIER)];
            if !redirect_uri.is_empty() {
                form.push(("redirect_uri", redirect_uri));
            }
            form
        };
        for wrong in ["", "https://orders.example/callback/", "https://evil.example/callback", "https://orders.example/callback?x"] {
            scene.rp.token(&form(wrong)).await.expect_error(400, "invalid_grant");
        }
        assert_eq!(scene.rp.token(&form("https://orders.example/callback")).await.status, 200);
        // Where the authorization request had none, none is needed; the one registered is what was meant.
        for (fits, redirect_uri) in [(true, ""), (true, "https://orders.example/callback"), (false, "https://evil.example/callback")] {
            let code = scene.code_but(|_, code| code.redirect_uri = None).await;
            let mut form = vec![("grant_type", "authorization_code"), ("code", code.as_str()), ("code_verifier", VERIFIER)];
            form.push(("redirect_uri", redirect_uri));
            assert_eq!(scene.rp.token(&form).await.status == 200, fits, "{redirect_uri}");
        }
    }

    async fn a_code_is_bound_to_the_address_where_it_began(app: TestApp) {
        let scene = Scene::new(app).await;
        let code = scene.code_but(|grant, _| grant.issuer = "https://login.acme.example".into()).await;
        scene.rp.redeem(&code).await.expect_error(400, "invalid_grant");
    }

    async fn nothing_is_given_for_somebody_who_may_not_use_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let (body, code) = (scene.tokens().await, scene.code().await);
        scene.set_disabled(true).await;
        scene.rp.redeem(&code).await.expect_error(400, "invalid_grant");
        scene.rp.refresh(text(&body, "refresh_token")).await.expect_error(400, "invalid_grant");
        scene.rp.userinfo(text(&body, "access_token")).await.expect_error(401, "invalid_token");
    }

    async fn refresh_tokens_go_where_they_may(app: TestApp) {
        let scene = Scene::new(app).await;
        assert!(scene.tokens().await["refresh_token"].is_string());
        // With openid it takes offline_access.
        let body = scene.tokens_but(|grant, _| { grant.offline = false; grant.scope = "openid".parse().expect("a scope") }).await;
        assert!(body.get("refresh_token").is_none());
        let plain = scene.app.client(&scene.tenant, json!({
            "redirect_uris": ["https://orders.example/callback"], "grant_types": ["authorization_code"], "scope": "openid offline_access",
        })).await;
        let scene = Scene { rp: scene.with(&plain).with_scope("openid offline_access"), ..scene };
        assert!(scene.tokens().await.get("refresh_token").is_none(), "the grant type isn't registered");
    }

    async fn a_client_that_authenticates_keeps_its_refresh_token(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens().await;
        let refresh = text(&body, "refresh_token");
        for _ in 0..3 {
            let again = scene.rp.refresh(refresh).await.expect_ok().json();
            assert_eq!(again["refresh_token"], body["refresh_token"]);
            let (first, then) = (claims(text(&body, "id_token")), claims(text(&again, "id_token")));
            assert_eq!((&first["sub"], &first["auth_time"], &first["sid"]), (&then["sub"], &then["auth_time"], &then["sid"]));
            assert!(then.get("nonce").is_none());
        }
        let rows = scene.app.database.raw().count("refresh_tokens");
        assert_eq!(rows, 1, "a use writes no row");
    }

    async fn a_kept_refresh_token_lives_as_long_as_it_is_used(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens().await;
        let refresh = text(&body, "refresh_token");
        for _ in 0..3 {
            scene.app.time.advance(Duration::from_hours(29 * 24));
            assert_eq!(scene.rp.refresh(refresh).await.status, 200);
        }
        scene.app.time.advance(Duration::from_hours(30 * 24));
        scene.rp.refresh(refresh).await.expect_error(400, "invalid_grant");
    }

    async fn a_grant_ends_however_often_it_is_refreshed(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens_but(|grant, _| grant.expires_at = grant.created_at + chrono::Duration::days(40)).await;
        let refresh = text(&body, "refresh_token");
        let begun = scene.app.provider.now();
        for (day, status) in [(20, 200), (39, 200), (40, 400)] {
            scene.app.time.set(begun + chrono::Duration::days(day));
            assert_eq!(scene.rp.refresh(refresh).await.status, status, "day {day}");
        }
    }

    async fn a_public_clients_refresh_token_rotates_and_its_reuse_kills_the_family(app: TestApp) {
        let scene = Scene::public(app).await;
        let first = scene.tokens().await;
        let second = scene.rp.refresh(text(&first, "refresh_token")).await.expect_ok().json();
        assert_ne!(first["refresh_token"], second["refresh_token"]);
        let third = scene.rp.refresh(text(&second, "refresh_token")).await.expect_ok().json();
        scene.rp.refresh(text(&first, "refresh_token")).await.expect_error(400, "invalid_grant");
        scene.rp.refresh(text(&third, "refresh_token")).await.expect_error(400, "invalid_grant");
        scene.rp.userinfo(text(&third, "access_token")).await.expect_error(401, "invalid_token");
        assert_eq!(scene.events("grant.replay_detected"), 1);
    }

    async fn a_lost_answer_can_be_asked_for_again_within_the_leeway(app: TestApp) {
        let mut scene = Scene::new(app).await;
        let client = scene.app.client(&scene.tenant, json!({
            "redirect_uris": ["https://board.example/callback"], "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none", "scope": "openid profile email offline_access", "refresh_token_leeway": 10,
        })).await;
        scene.rp = scene.with(&client);
        let first = scene.tokens().await;
        let second = scene.rp.refresh(text(&first, "refresh_token")).await.expect_ok().json();
        scene.app.time.advance(Duration::from_secs(9));
        let again = scene.rp.refresh(text(&first, "refresh_token")).await.expect_ok().json();
        assert_eq!(second["refresh_token"], again["refresh_token"], "the same successor");
        let third = scene.rp.refresh(text(&second, "refresh_token")).await.expect_ok().json();
        // The successor was used: nobody can have lost it.
        scene.rp.refresh(text(&first, "refresh_token")).await.expect_error(400, "invalid_grant");
        scene.rp.refresh(text(&third, "refresh_token")).await.expect_error(400, "invalid_grant");

        let first = scene.tokens().await;
        let second = scene.rp.refresh(text(&first, "refresh_token")).await.expect_ok().json();
        scene.app.time.advance(Duration::from_secs(10));
        scene.rp.refresh(text(&first, "refresh_token")).await.expect_error(400, "invalid_grant");
        scene.rp.refresh(text(&second, "refresh_token")).await.expect_error(400, "invalid_grant");
    }

    async fn a_hundred_refreshes_on_two_nodes_have_one_successor(app: TestApp) {
        let scene = Scene::public(app).await;
        let node = scene.second_node().await;
        let mut other = scene.rp.clone();
        other.move_to(&node.http);
        let body = scene.tokens().await;
        let requests = (0..100).map(|n| {
            let (rp, token) = (if n % 2 == 0 { scene.rp.clone() } else { other.clone() }, text(&body, "refresh_token").to_owned());
            async move { rp.refresh(&token).await }
        });
        let answers = at_once(requests).await;
        let good: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(good.len(), 1, "{answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.expect_error(400, "invalid_grant");
        }
        // Without a leeway a lost race is a reuse.
        scene.rp.refresh(text(&good[0].json(), "refresh_token")).await.expect_error(400, "invalid_grant");
    }

    async fn a_refresh_token_with_another_proof_is_none_and_does_no_harm(app: TestApp) {
        let scene = Scene::public(app).await;
        let body = scene.tokens().await;
        let forged = forged(text(&body, "refresh_token"));
        scene.rp.refresh(&forged).await.expect_error(400, "invalid_grant");
        assert!(!scene.is_active(&forged).await);
        assert_eq!(scene.rp.authenticated("/revoke", &[("token", &forged)]).send().await.status, 200);
        let next = scene.rp.refreshed(text(&body, "refresh_token")).await;
        // A rotated one, forged, is no reuse.
        scene.rp.refresh(&forged).await.expect_error(400, "invalid_grant");
        scene.rp.refreshed(next.refresh()).await;
    }

    async fn a_refresh_token_is_its_clients(app: TestApp) {
        let scene = Scene::public(app).await;
        let body = scene.tokens().await;
        let thief = scene.with(&scene.app.public_client(&scene.tenant).await);
        thief.refresh(text(&body, "refresh_token")).await.expect_error(400, "invalid_grant");
        assert_eq!(scene.rp.refresh(text(&body, "refresh_token")).await.status, 200, "a stranger's attempt does no harm");
    }

    async fn scope_narrows_and_never_widens(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens_but(|grant, _| grant.scope = "openid email offline_access".parse().expect("a scope")).await;
        let refresh = |scope: &'static str| {
            let form = [("grant_type", "refresh_token"), ("refresh_token", text(&body, "refresh_token")), ("scope", scope)];
            let rp = scene.rp.clone();
            async move { rp.token(&form).await }
        };
        assert_eq!(refresh("openid").await.expect_ok().json()["scope"], "openid");
        assert_eq!(refresh("").await.expect_ok().json()["scope"], "openid email offline_access", "what was granted is still there");
        refresh("openid profile").await.expect_error(400, "invalid_scope");
        refresh("tessera:admin").await.expect_error(400, "invalid_scope");
        // A refusal doesn't rotate either.
        let rotating = Scene { rp: scene.with(&scene.app.public_client(&scene.tenant).await), ..scene };
        let body = rotating.tokens_but(|grant, _| grant.scope = "openid email offline_access".parse().expect("a scope")).await;
        let wide = [("grant_type", "refresh_token"), ("refresh_token", text(&body, "refresh_token")), ("scope", "openid profile")];
        rotating.rp.token(&wide).await.expect_error(400, "invalid_scope");
        assert_eq!(rotating.rp.refresh(text(&body, "refresh_token")).await.status, 200);
    }

    async fn a_role_that_was_taken_is_gone_from_the_next_token(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.grant_role(Role::Auditor).await;
        let body = scene.tokens().await;
        assert_eq!(claims(text(&body, "access_token"))["roles"], json!(["auditor"]));
        let id = scene.user.id;
        scene.write(move |repo| repo.revoke_role(id, Role::Auditor)).await;
        let body = scene.rp.refresh(text(&body, "refresh_token")).await.expect_ok().json();
        assert!(claims(text(&body, "access_token")).get("roles").is_none());
    }

    async fn a_grant_that_is_not_offline_ends_with_its_session(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens_but(|grant, _| { grant.offline = false; grant.scope = "profile".parse().expect("a scope") }).await;
        assert_eq!(scene.rp.refresh(text(&body, "refresh_token")).await.status, 200);
        let (user, session) = (scene.user.id, claims(text(&body, "access_token"))["sid"].as_str().expect("a session").parse().expect("an id"));
        scene.write(move |repo| repo.end_session(user, session, tessera::storage::SessionGrants::KeepOffline)).await;
        scene.rp.refresh(text(&body, "refresh_token")).await.expect_error(400, "invalid_grant");
        assert!(!scene.is_active(text(&body, "access_token")).await);

        // The session that the seed makes ends by itself after thirty days.
        let body = scene.tokens_but(|grant, _| { grant.offline = false; grant.scope = "profile".parse().expect("a scope") }).await;
        for (days, status) in [(29, 200), (1, 400)] {
            scene.app.time.advance(Duration::from_hours(24 * days));
            assert_eq!(scene.rp.refresh(text(&body, "refresh_token")).await.status, status);
        }
        assert!(!scene.is_active(text(&body, "refresh_token")).await);
    }

    async fn a_code_of_a_session_that_has_ended_is_dead(app: TestApp) {
        let scene = Scene::new(app).await;
        // The sign-out came before the grant was there to be ended with the session.
        let online = scene.code_but(|grant, _| { grant.offline = false; grant.scope = "openid".parse().expect("a scope") }).await;
        let offline = scene.code().await;
        scene.app.database.raw().execute("UPDATE sessions SET ended_at = last_used_at").expect("done");
        scene.rp.redeem(&online).await.expect_error(400, "invalid_grant");
        assert_eq!(scene.rp.redeem(&offline).await.status, 200, "offline access outlives it");
    }

    async fn client_credentials_speak_for_the_client_alone(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.app.resource(&scene.tenant, "https://orders.example", &["orders:read", "orders:write"]).await;
        let client = scene.app.machine_client(&scene.tenant, "orders:read orders:write openid profile offline_access").await;
        let rp = scene.with(&client);
        let before = scene.app.database.raw().count("audit_events");
        let tokens = rp.client_credentials(&[("scope", "orders:read")]).await;
        let access = tokens.access_claims();
        assert_eq!((&access["sub"], &access["client_id"]), (&json!(client.client_id()), &json!(client.client_id())));
        assert_eq!((&access["aud"], &access["scope"]), (&json!(scene.tenant.issuer), &json!("orders:read")));
        assert!(tokens.refresh_token.is_none() && tokens.id_token.is_none() && access.get("grant_id").is_none() && access.get("sid").is_none());
        assert_eq!(rp.client_credentials(&[]).await.body["scope"], "orders:read orders:write", "all but what speaks of a person");
        for (scope, error) in [("openid", "invalid_scope"), ("orders:read offline_access", "invalid_scope"), ("orders:delete", "invalid_scope"), ("tessera:admin", "invalid_scope")] {
            rp.token(&[("grant_type", "client_credentials"), ("scope", scope)]).await.expect_error(400, error);
        }
        assert_eq!(scene.app.database.raw().count("audit_events"), before, "a success is no row");
    }

    async fn grants_that_are_not_registered_or_not_known(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.rp.token(&[("grant_type", "client_credentials")]).await.expect_error(400, "unauthorized_client");
        let password = [("grant_type", "password"), ("username", scene.user.email.as_str()), ("password", scene.user.password.as_str())];
        scene.rp.token(&password).await.expect_error(400, "unsupported_grant_type");
        scene.rp.token(&[("grant_type", "x")]).await.expect_error(400, "unsupported_grant_type");
        scene.rp.token(&[]).await.expect_error(400, "invalid_request");
        scene.rp.token(&[("grant_type", "authorization_code")]).await.expect_error(400, "invalid_request");
        scene.rp.token(&[("grant_type", "refresh_token"), ("grant_type", "refresh_token"), ("refresh_token", "x")]).await.expect_error(400, "invalid_request");
    }

    async fn only_posted_forms_are_read(app: TestApp) {
        let scene = Scene::new(app).await;
        for path in ["/par", "/token", "/introspect", "/revoke"] {
            let url = scene.tenant.url(path);
            let answer = scene.app.get(&format!("{url}?grant_type=client_credentials")).send().await;
            answer.expect_error(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some("POST"), "{path}");
            let (id, secret) = (scene.rp.client.client_id(), scene.rp.client.secret().to_owned());
            let answer = scene.app.http.post(&url).basic(&id, &secret).body("application/json", r#"{"grant_type":"client_credentials"}"#).send().await;
            answer.expect_error(400, "invalid_request");
        }
    }

    async fn what_belongs_to_one_tenant_is_nothing_at_another(app: TestApp) {
        let scene = Scene::new(app).await;
        let globex = scene.app.tenant("globex").await;
        let theirs = RelyingParty::new(&scene.app, &globex, &scene.app.web_client(&globex).await);
        let (body, code) = (scene.tokens().await, scene.code().await);
        theirs.redeem(&code).await.expect_error(400, "invalid_grant");
        theirs.refresh(text(&body, "refresh_token")).await.expect_error(400, "invalid_grant");
        let mut stray = scene.rp.clone();
        stray.issuer.clone_from(&globex.issuer);
        stray.redeem(&code).await.expect_error(401, "invalid_client");
        stray.authenticated("/introspect", &[("token", "x")]).send().await.expect_error(401, "invalid_client");
        stray.authenticated("/revoke", &[("token", "x")]).send().await.expect_error(401, "invalid_client");
        theirs.userinfo(text(&body, "access_token")).await.expect_error(401, "invalid_token");
        RelyingParty::expect_inactive(&theirs.introspect(text(&body, "access_token")).await);
        RelyingParty::expect_inactive(&theirs.introspect(text(&body, "refresh_token")).await);
        for token in ["access_token", "refresh_token"] {
            assert_eq!(theirs.authenticated("/revoke", &[("token", text(&body, token))]).send().await.status, 200);
        }
        assert_eq!(scene.rp.userinfo(text(&body, "access_token")).await.status, 200, "still good at home");
        assert_eq!(scene.rp.refresh(text(&body, "refresh_token")).await.status, 200);
        assert_eq!(scene.rp.redeem(&code).await.status, 200);
    }
}
