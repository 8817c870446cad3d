//! Proofs of possession (RFC 9449) where tokens are asked for: at the token endpoint and for pushed requests. Where tokens are presented:
//! see `dpop_resources`.

use std::time::Duration;

use actix_web::http::Method;
use josekit::jws::{HS256, JwsSigner as _};
use serde_json::{Value, json};
use tessera::domain::address::{Domain, DomainStage};
use tessera::domain::ids::DomainId;
use tessera::protocol::dpop::Thumbprint;

use super::seed::{Scene, at_once, text};
use crate::support::app::app_test;
use crate::support::dpop::{Prover, with};
use crate::support::http::Answer;
use crate::support::relying_party::{RelyingParty, claims};

const MACHINE: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn prover(scene: &Scene) -> Prover {
    Prover::new(&scene.app.provider.clock)
}

/// A machine client of the tenant.
async fn machine(scene: &Scene, more: Value) -> RelyingParty {
    let metadata = json!({
        "client_name": "Nightly job", "grant_types": ["client_credentials"], "response_types": [], "token_endpoint_auth_method": "client_secret_basic",
    });
    let client = scene.app.client(&scene.tenant, with(metadata, &more)).await;
    scene.with(&client)
}

#[track_caller]
fn expect_bound(answer: &Answer, prover: &Prover) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let body = answer.json();
    assert_eq!(body["token_type"], "DPoP");
    assert!(
        answer
            .header("dpop-nonce")
            .is_some_and(|nonce| nonce.len() == 43)
    );
    if text(&body, "access_token").contains('.') {
        assert_eq!(
            claims(text(&body, "access_token"))["cnf"],
            json!({ "jkt": prover.jkt() })
        );
    }
    body
}

#[track_caller]
fn expect_bearer(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(claims(text(&body, "access_token")).get("cnf"), None);
    body
}

fn rows(scene: &Scene) -> i64 {
    scene.app.database.raw().count("dpop_proofs")
}

app_test! {
    /// §5, §6: whoever proves to hold a key gets tokens that are bound to it, of either form, by each algorithm that is announced.
    async fn a_proof_binds_what_is_issued(app: TestApp) {
        let scene = Scene::new(app).await;
        let metadata = scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(["RS256", "ES256", "PS256", "EdDSA", "Ed25519"]));
        let (jwt, opaque) = (machine(&scene, json!({})).await, machine(&scene, json!({ "access_token_format": "opaque" })).await);
        for algorithm in ["RS256", "ES256", "PS256", "EdDSA", "Ed25519"] {
            let prover = Prover::of(algorithm, &scene.app.provider.clock);
            for rp in [&jwt, &opaque] {
                let body = expect_bound(&rp.proved(&prover, &MACHINE).await, &prover);
                let told = jwt.introspect(text(&body, "access_token")).await;
                assert_eq!((&told["active"], &told["token_type"], &told["cnf"]["jkt"]), (&json!(true), &json!("DPoP"), &json!(prover.jkt())));
            }
        }
        let prover = prover(&scene);
        let answer = scene.rp.proved(&prover, &scene.rp.redemption(&scene.code().await)).await;
        let body = expect_bound(&answer, &prover);
        assert_eq!(claims(text(&body, "id_token")).get("cnf"), None);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }

    async fn without_a_proof_nothing_is_bound(app: TestApp) {
        let scene = Scene::new(app).await;
        let answer = scene.rp.redeem(&scene.code().await).await;
        expect_bearer(&answer);
        assert_eq!((answer.header("dpop-nonce"), rows(&scene)), (None, 0));
    }

    /// §5.2: a client that registered so gets no token without a proof, by whatever grant.
    async fn a_client_can_be_held_to_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let prover = prover(&scene);
        let bound = machine(&scene, json!({ "dpop_bound_access_tokens": true })).await;
        bound.token(&MACHINE).await.expect_error(400, "invalid_dpop_proof");
        expect_bound(&bound.proved(&prover, &MACHINE).await, &prover);
        let id = scene.rp.client.id;
        let code = scene.code().await;
        let tokens = expect_bearer(&scene.rp.redeem(&code).await);
        let change = move |repo: &mut tessera::storage::Repo<'_>| {
            let mut client = repo.find_client(id)?.expect("a client");
            client.metadata.dpop_bound_access_tokens = true;
            repo.update_client(&client)
        };
        assert!(scene.write(change).await);
        let code = scene.code().await;
        scene.rp.redeem(&code).await.expect_error(400, "invalid_dpop_proof");
        let refresh = text(&tokens, "refresh_token");
        scene.rp.refresh(refresh).await.expect_error(400, "invalid_dpop_proof");
        expect_bound(&scene.rp.proved(&prover, &scene.rp.redemption(&code)).await, &prover);
        expect_bound(&scene.rp.proved(&prover, &[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await, &prover);
    }

    /// §4.3: each thing that a proof must be.
    async fn a_proof_is_for_this_request_and_sound(app: TestApp) {
        let scene = Scene::new(app).await;
        let (prover, rp) = (prover(&scene), machine(&scene, json!({})).await);
        let (url, now) = (scene.tenant.url("/token"), scene.app.provider.clock.unix());
        let globex = scene.app.tenant("globex").await;
        for (changes, what) in [
            (json!({ "htm": "GET" }), "another method"),
            (json!({ "htm": "post" }), "a method in small letters"),
            (json!({ "htu": scene.tenant.url("/userinfo") }), "another endpoint"),
            (json!({ "htu": globex.url("/token") }), "another tenant"),
            (json!({ "htu": url.replace("http:", "https:") }), "another scheme"),
            (json!({ "htu": url.replace("localhost", "evil.example") }), "another host"),
            (json!({ "htu": "/t/acme/token" }), "no address"),
            (json!({ "htu": null }), "nothing"),
            (json!({ "htm": null }), "nothing"),
            (json!({ "iat": now - 31 }), "old"),
            (json!({ "iat": now + 31 }), "ahead"),
            (json!({ "iat": null }), "undated"),
            (json!({ "iat": now.to_string() }), "a date as text"),
            (json!({ "exp": now - 60 }), "expired"),
            (json!({ "jti": null }), "nameless"),
            (json!({ "jti": "" }), "without a name"),
            (json!({ "jti": "j".repeat(300) }), "a long name"),
        ] {
            let answer = rp.with_proof(&prover.proof_but("POST", &url, &changes), &MACHINE).await;
            assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_dpop_proof"), "{what}: {}", answer.body);
            assert!(answer.header("dpop-nonce").is_some(), "{what}");
        }
        let thief = Prover::new(&scene.app.provider.clock);
        for (changes, what) in [
            (json!({ "typ": "JWT" }), "another type"),
            (json!({ "typ": null }), "no type"),
            (json!({ "alg": "none" }), "no algorithm"),
            (json!({ "alg": "RS256" }), "another key's algorithm"),
            (json!({ "alg": "ES512" }), "an unknown algorithm"),
            (json!({ "jwk": null }), "no key"),
            (json!({ "jwk": prover.private_jwk }), "the private key"),
            (json!({ "jwk": thief.jwk }), "somebody else's key"),
            (json!({ "jwk": { "kty": "oct", "k": "AQAB" } }), "a symmetric key"),
            (json!({ "jwk": null, "kid": "k", "jku": "https://evil.example/jwks" }), "a key elsewhere"),
            (json!({ "crit": ["x"], "x": 1 }), "something critical"),
        ] {
            let proof = prover.sign(&with(prover.header(), &changes), &prover.claims("POST", &url));
            let answer = rp.with_proof(&proof, &MACHINE).await;
            assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_dpop_proof"), "{what}: {}", answer.body);
        }
        // The public key as the secret of an HMAC.
        let header = with(prover.header(), &json!({ "alg": "HS256" }));
        let forged = prover.sign(&header, &prover.claims("POST", &url));
        let (input, _) = forged.rsplit_once('.').expect("a signature");
        let hmac = HS256.signer_from_bytes(prover.jwk.to_string().as_bytes()).expect("a signer").sign(input.as_bytes()).expect("signed");
        let forged = format!("{input}.{}", base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, hmac));
        let good = prover.proof("POST", &url);
        let long = prover.proof_but("POST", &url, &json!({ "padding": "x".repeat(8_192) }));
        for proof in [forged.as_str(), "x", "a.b.c", "..", &good[..good.len() - 2], &long, &format!("{good},{good}")] {
            rp.with_proof(proof, &MACHINE).await.expect_error(400, "invalid_dpop_proof");
        }
        let two = rp.authenticated("/token", &MACHINE).header("dpop", &good).header("dpop", &prover.proof("POST", &url));
        two.send().await.expect_error(400, "invalid_dpop_proof");
        let empty = rp.authenticated("/token", &MACHINE).header("dpop", &good).header("dpop", "");
        empty.send().await.expect_error(400, "invalid_dpop_proof");
        // Nothing of that was taken, and what differs in nothing that counts is sound.
        assert_eq!(rows(&scene), 0);
        for changes in [json!({}), json!({ "htu": format!("{url}?x=y#z") }), json!({ "htu": url.replace("localhost", "LOCALHOST") }), json!({ "iat": now - 30 }), json!({ "iat": now + 30 })] {
            expect_bound(&rp.with_proof(&prover.proof_but("POST", &url, &changes), &MACHINE).await, &prover);
        }
    }

    /// §11.1: once, on all nodes, until it is too old anyway.
    async fn a_proof_is_good_once(app: TestApp) {
        let scene = Scene::new(app).await;
        let (prover, rp) = (prover(&scene), machine(&scene, json!({})).await);
        let (url, now) = (scene.tenant.url("/token"), scene.app.provider.clock.unix());
        let mut elsewhere = rp.clone();
        let node = scene.second_node().await;
        elsewhere.move_to(&node.http);
        let ahead = json!({ "jti": "a name", "iat": now + 30 });
        let proof = prover.proof_but("POST", &url, &ahead);
        expect_bound(&rp.with_proof(&proof, &MACHINE).await, &prover);
        rp.with_proof(&proof, &MACHINE).await.expect_error(400, "invalid_dpop_proof");
        elsewhere.with_proof(&proof, &MACHINE).await.expect_error(400, "invalid_dpop_proof");
        // The name is used up, whatever else the proof says; with another key it is another name.
        let renewed = prover.proof_but("POST", &url, &json!({ "jti": "a name" }));
        elsewhere.with_proof(&renewed, &MACHINE).await.expect_error(400, "invalid_dpop_proof");
        let other = Prover::new(&scene.app.provider.clock);
        expect_bound(&rp.with_proof(&other.proof_but("POST", &url, &ahead), &MACHINE).await, &other);
        assert_eq!((rows(&scene), scene.events("token.proof_replayed")), (2, 1), "one event for a client and minute");
        // To the last moment in which it could be taken, and swept after that.
        let sweep = async || scene.app.provider.db.write_installation(|all| all.delete_expired(100)).await.expect("runs").dpop_proofs;
        scene.app.time.advance(Duration::from_mins(1));
        assert_eq!(sweep().await, 0);
        rp.with_proof(&proof, &MACHINE).await.expect_error(400, "invalid_dpop_proof");
        assert_eq!(scene.events("token.proof_replayed"), 2);
        scene.app.time.advance(Duration::from_secs(2));
        assert_eq!((sweep().await, rows(&scene)), (2, 0));
        let answer = rp.with_proof(&proof, &MACHINE).await;
        assert!(answer.body.contains("iat"), "too old by now: {}", answer.body);
        assert_eq!(rows(&scene), 0);
    }

    /// Nothing is kept of what a stranger makes up, or of a request that is refused before a proof would be of use.
    async fn a_proof_beside_nothing_costs_no_row(app: TestApp) {
        let scene = Scene::new(app).await;
        let prover = prover(&scene);
        let public = scene.app.client(&scene.tenant, json!({
            "client_name": "Single page", "redirect_uris": ["https://spa.example/callback"], "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none", "scope": "openid offline_access",
        })).await;
        let rp = scene.with(&public).with_scope("openid offline_access");
        let mut browser = scene.app.browser();
        let page = rp.authorize(&mut browser, &scene.user, &[]).await;
        let code = page.answer.location_param("code").expect("a code");
        let last = if code.ends_with('A') { "B" } else { "A" };
        let made_up = format!("{}{last}", &code[..code.len() - 1]);
        for code in ["x", "tsr_x", made_up.as_str()] {
            rp.proved(&prover, &rp.redemption(code)).await.expect_error(400, "invalid_grant");
            let refresh = [("grant_type", "refresh_token"), ("refresh_token", code)];
            rp.proved(&prover, &refresh).await.expect_error(400, "invalid_grant");
        }
        let nowhere = [("response_type", "code"), ("redirect_uri", "https://elsewhere.example/")];
        let url = scene.tenant.url("/par");
        let pushed = rp.authenticated("/par", &nowhere).header("dpop", &prover.proof("POST", &url)).send().await;
        pushed.expect_error(400, "invalid_request");
        assert_eq!(rows(&scene), 0);
        // The honest one goes through, and has its row.
        expect_bound(&rp.proved(&prover, &rp.redemption(&code)).await, &prover);
        assert_eq!(rows(&scene), 1);
    }

    async fn one_of_many_at_the_same_moment_gets_through(app: TestApp) {
        let scene = Scene::new(app).await;
        let (prover, here) = (prover(&scene), machine(&scene, json!({})).await);
        let node = scene.second_node().await;
        let mut there = here.clone();
        there.move_to(&node.http);
        let proof = prover.proof("POST", &scene.tenant.url("/token"));
        let answers = at_once((0..12).map(|number| {
            let (rp, proof) = (if number % 2 == 0 { here.clone() } else { there.clone() }, proof.clone());
            async move { rp.with_proof(&proof, &MACHINE).await }
        })).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.expect_error(400, "invalid_dpop_proof");
        }
    }

    /// §8: the server's nonces, whether it demands them or not.
    async fn a_nonce_bounds_the_age_of_a_proof(app: TestApp) {
        let scene = Scene::new(app).await;
        let (prover, rp) = (prover(&scene), machine(&scene, json!({})).await);
        let node = scene.second_node().await;
        let mut elsewhere = rp.clone();
        elsewhere.move_to(&node.http);
        let url = scene.tenant.url("/token");
        let proof = |nonce: &str| prover.proof_but("POST", &url, &json!({ "nonce": nonce }));
        let nonce_of = |answer: &Answer| answer.header("dpop-nonce").expect("a nonce").to_owned();
        // Not demanded: given all the same, and one that is there has to be the server's.
        let nonce = nonce_of(&rp.proved(&prover, &MACHINE).await.expect_ok());
        expect_bound(&rp.with_proof(&proof(&nonce), &MACHINE).await, &prover);
        expect_bound(&elsewhere.with_proof(&proof(&nonce), &MACHINE).await, &prover);
        let globex = scene.app.tenant("globex").await;
        let theirs = RelyingParty::new(&scene.app, &globex, &scene.app.machine_client(&globex, "").await);
        let theirs = nonce_of(&theirs.proved(&prover, &MACHINE).await.expect_ok());
        for wrong in ["", "x", theirs.as_str(), &nonce[..42], &format!("{nonce}A")] {
            let answer = rp.with_proof(&proof(wrong), &MACHINE).await;
            answer.expect_error(400, "use_dpop_nonce");
            assert_eq!(nonce_of(&answer), nonce, "{wrong}");
        }
        assert_eq!(rp.with_proof(&prover.proof_but("POST", &url, &json!({ "nonce": 7 })), &MACHINE).await.error(), "invalid_dpop_proof");
        // Demanded by the tenant.
        scene.app.change_settings(&scene.tenant, |settings| settings.require_dpop_nonce = true).await;
        let answer = rp.proved(&prover, &MACHINE).await;
        answer.expect_error(400, "use_dpop_nonce");
        let used = proof(&nonce_of(&answer));
        expect_bound(&rp.with_proof(&used, &MACHINE).await, &prover);
        rp.with_proof(&used, &MACHINE).await.expect_error(400, "invalid_dpop_proof");
        expect_bearer(&rp.token(&MACHINE).await);
        // Good for this step of time and the next.
        let step = 120 - scene.app.provider.clock.unix().rem_euclid(120);
        scene.app.time.advance(Duration::from_secs(u64::try_from(step).expect("positive")));
        let answer = rp.with_proof(&proof(&nonce), &MACHINE).await;
        expect_bound(&answer, &prover);
        assert_ne!(nonce_of(&answer), nonce);
        scene.app.time.advance(Duration::from_mins(2));
        rp.with_proof(&proof(&nonce), &MACHINE).await.expect_error(400, "use_dpop_nonce");
        // Demanded by the client alone.
        scene.app.change_settings(&scene.tenant, |settings| settings.require_dpop_nonce = false).await;
        expect_bound(&rp.proved(&prover, &MACHINE).await, &prover);
        let strict = machine(&scene, json!({ "require_dpop_nonce": true })).await;
        let answer = strict.proved(&prover, &MACHINE).await;
        answer.expect_error(400, "use_dpop_nonce");
        expect_bound(&strict.with_proof(&proof(&nonce_of(&answer)), &MACHINE).await, &prover);
    }

    async fn the_tenant_says_how_far_clocks_may_differ(app: TestApp) {
        let scene = Scene::new(app).await;
        let (prover, rp) = (prover(&scene), machine(&scene, json!({})).await);
        let (url, now) = (scene.tenant.url("/token"), scene.app.provider.clock.unix());
        let send = |iat: i64| {
            let proof = prover.proof_but("POST", &url, &json!({ "iat": iat }));
            let rp = rp.clone();
            async move { rp.with_proof(&proof, &MACHINE).await.status }
        };
        scene.app.change_settings(&scene.tenant, |settings| settings.dpop_proof_leeway = 10).await;
        assert_eq!((send(now - 10).await, send(now + 10).await, send(now - 11).await, send(now + 11).await), (200, 200, 400, 400));
        scene.app.change_settings(&scene.tenant, |settings| settings.dpop_proof_leeway = 300).await;
        assert_eq!((send(now - 300).await, send(now + 300).await, send(now - 301).await), (200, 200, 400));
    }

    /// §10: the authorization request names the key that alone redeems the code.
    async fn a_code_is_bound_to_the_key_that_was_named(app: TestApp) {
        let scene = Scene::new(app).await;
        let (prover, thief) = (prover(&scene), Prover::new(&scene.app.provider.clock));
        let mut browser = scene.app.browser();
        let jkt = prover.jkt();
        let page = scene.rp.authorize(&mut browser, &scene.user, &[("dpop_jkt", &jkt)]).await;
        let code = page.answer.location_param("code").expect("a code");
        scene.rp.redeem(&code).await.expect_error(400, "invalid_grant");
        scene.rp.proved(&thief, &scene.rp.redemption(&code)).await.expect_error(400, "invalid_grant");
        // A stranger's try doesn't spend it.
        expect_bound(&scene.rp.proved(&prover, &scene.rp.redemption(&code)).await, &prover);
        // A code that is bound to no key can be redeemed by whoever holds one.
        expect_bound(&scene.rp.proved(&thief, &scene.rp.redemption(&scene.code().await)).await, &thief);
        for wrong in ["x", &jkt[..42], &format!("{jkt}="), &format!("{}+", &jkt[..42])] {
            let page = browser.open(&scene.rp.authorization_url(&[("dpop_jkt", wrong)])).await;
            assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_request"), "{wrong}");
        }
    }

    /// §10.1: a pushed request names the key by the parameter, by a proof, or by both, which then agree.
    async fn a_push_names_the_key(app: TestApp) {
        let scene = Scene::new(app).await;
        let (prover, thief) = (prover(&scene), Prover::new(&scene.app.provider.clock));
        let (url, jkt) = (scene.tenant.url("/par"), prover.jkt());
        let mut browser = scene.app.browser();
        scene.rp.authorize(&mut browser, &scene.user, &[]).await;
        let push = async |more: &[(&str, &str)], proofs: &[String]| {
            let parameters = scene.rp.parameters(more);
            let form: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let request = scene.rp.authenticated("/par", &form);
            proofs.iter().fold(request, |request, proof| request.header("dpop", proof)).send().await
        };
        let proof = || prover.proof("POST", &url);
        for (more, proofs) in [(vec![("dpop_jkt", jkt.as_str())], vec![]), (vec![], vec![proof()]), (vec![("dpop_jkt", &jkt)], vec![proof()])] {
            let answer = push(&more, &proofs).await;
            assert_eq!(answer.status, 201, "{}", answer.body);
            assert_eq!(answer.header("dpop-nonce").is_some(), !proofs.is_empty());
            let name = answer.json()["request_uri"].as_str().expect("a name").to_owned();
            // What the browser says beside it counts for nothing.
            let page = browser.open(&scene.rp.pushed_url(&name, &[("dpop_jkt", &thief.jkt())])).await;
            let code = page.answer.location_param("code").expect("a code");
            scene.rp.redeem(&code).await.expect_error(400, "invalid_grant");
            scene.rp.proved(&thief, &scene.rp.redemption(&code)).await.expect_error(400, "invalid_grant");
            expect_bound(&scene.rp.proved(&prover, &scene.rp.redemption(&code)).await, &prover);
        }
        let kept = scene.app.database.raw().count("pushed_requests");
        push(&[("dpop_jkt", &thief.jkt())], &[proof()]).await.expect_error(400, "invalid_dpop_proof");
        push(&[("dpop_jkt", "x")], &[]).await.expect_error(400, "invalid_request");
        push(&[], &[prover.proof("POST", &scene.tenant.url("/token"))]).await.expect_error(400, "invalid_dpop_proof");
        push(&[], &[proof(), proof()]).await.expect_error(400, "invalid_dpop_proof");
        let used = proof();
        assert_eq!(push(&[], std::slice::from_ref(&used)).await.status, 201);
        push(&[], &[used]).await.expect_error(400, "invalid_dpop_proof");
        scene.app.change_settings(&scene.tenant, |settings| settings.require_dpop_nonce = true).await;
        push(&[], &[proof()]).await.expect_error(400, "use_dpop_nonce");
        assert_eq!(scene.app.database.raw().count("pushed_requests"), kept + 1);
    }

    /// §10 in a request object (RFC 9101).
    async fn a_request_object_names_the_key(app: TestApp) {
        use tessera::jose::keys::{RsaBits, SigningKey};
        let scene = Scene::new(app).await;
        let (prover, thief) = (prover(&scene), Prover::new(&scene.app.provider.clock));
        let key = SigningKey::generate(tessera::protocol::SigningAlgorithm::Es256, RsaBits::default()).expect("a key").key;
        let client = scene.app.client(&scene.tenant, json!({
            "redirect_uris": ["https://signed.example/callback"], "scope": "openid", "skip_consent": true, "jwks": { "keys": [key.public_jwk()] },
        })).await;
        let rp = scene.with(&client).with_scope("openid");
        let mut object = json!({ "iss": client.client_id(), "aud": scene.tenant.issuer, "dpop_jkt": prover.jkt() });
        for (name, value) in rp.parameters(&[]) {
            object[name] = json!(value);
        }
        let object = key.sign_jwt("oauth-authz-req+jwt", &object).expect("signed");
        let (mut browser, url) = (scene.app.browser(), format!("{}?client_id={}&request={object}&dpop_jkt={}", scene.tenant.url("/authorize"), client.client_id(), thief.jkt()));
        let page = browser.open(&url).await;
        let code = browser.pass(page, &scene.user).await.answer.location_param("code").expect("a code");
        rp.proved(&thief, &rp.redemption(&code)).await.expect_error(400, "invalid_grant");
        expect_bound(&rp.proved(&prover, &rp.redemption(&code)).await, &prover);
    }

    /// §5: a public client's refresh token is good with its key only, and then needs no rotation.
    async fn a_public_clients_refresh_token_is_bound(app: TestApp) {
        let scene = Scene::public(app).await;
        let (prover, thief) = (prover(&scene), Prover::new(&scene.app.provider.clock));
        let body = expect_bound(&scene.rp.proved(&prover, &scene.rp.redemption(&scene.code().await)).await, &prover);
        let refresh = text(&body, "refresh_token").to_owned();
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        let told = scene.with(&scene.app.machine_client(&scene.tenant, "").await).introspect(&refresh).await;
        assert_eq!(told["cnf"]["jkt"], json!(prover.jkt()));
        for _ in 0..2 {
            scene.rp.refresh(&refresh).await.expect_error(400, "invalid_grant");
            scene.rp.proved(&thief, &form).await.expect_error(400, "invalid_grant");
            let body = expect_bound(&scene.rp.proved(&prover, &form).await, &prover);
            assert_eq!(text(&body, "refresh_token"), refresh, "whoever has it can't use it: it is kept");
        }
        assert_eq!(scene.events("grant.replay_detected"), 0, "a thief's tries kill nothing");
        // Long used, its end moves on.
        scene.app.time.advance(Duration::from_hours(25 * 24));
        expect_bound(&scene.rp.proved(&prover, &form).await, &prover);
        scene.app.time.advance(Duration::from_hours(25 * 24));
        expect_bound(&scene.rp.proved(&prover, &form).await, &prover);
    }

    /// One that was bound to nothing is bound by its first use with a key.
    async fn an_unbound_refresh_token_becomes_bound(app: TestApp) {
        let scene = Scene::public(app).await;
        let id = scene.rp.client.id;
        let leeway = move |repo: &mut tessera::storage::Repo<'_>| {
            let mut client = repo.find_client(id)?.expect("a client");
            client.metadata.refresh_token_leeway = 30;
            repo.update_client(&client)
        };
        assert!(scene.write(leeway).await);
        let (holder, thief) = (prover(&scene), Prover::new(&scene.app.provider.clock));
        let first = text(&expect_bearer(&scene.rp.redeem(&scene.code().await).await), "refresh_token").to_owned();
        let second = text(&expect_bearer(&scene.rp.refresh(&first).await), "refresh_token").to_owned();
        assert_ne!(first, second, "it rotates as ever");
        let proved = async |prover: &Prover, token: &str| scene.rp.proved(prover, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await;
        let third = text(&expect_bound(&proved(&holder, &second).await, &holder), "refresh_token").to_owned();
        assert_ne!(second, third);
        // The answer that was lost is asked for again, by whoever holds the key.
        let again = text(&expect_bound(&proved(&holder, &second).await, &holder), "refresh_token").to_owned();
        assert_eq!(again, third);
        scene.rp.refresh(&third).await.expect_error(400, "invalid_grant");
        expect_bound(&proved(&holder, &third).await, &holder);
        // By nobody else: to them it is a token that was used.
        proved(&thief, &second).await.expect_error(400, "invalid_grant");
        assert_eq!(scene.events("grant.replay_detected"), 1);
        proved(&holder, &third).await.expect_error(400, "invalid_grant");
    }

    /// §5: that of a client which authenticates is bound to the client, which may change its key.
    async fn a_confidential_clients_refresh_token_is_not_bound(app: TestApp) {
        let scene = Scene::new(app).await;
        let (prover, next) = (prover(&scene), Prover::new(&scene.app.provider.clock));
        let body = expect_bound(&scene.rp.proved(&prover, &scene.rp.redemption(&scene.code().await)).await, &prover);
        let refresh = text(&body, "refresh_token");
        expect_bound(&scene.rp.proved(&next, &[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await, &next);
        expect_bearer(&scene.rp.refresh(refresh).await);
    }

    /// The address is the one at which the request arrived, of those that are the tenant's.
    async fn each_address_of_a_tenant_counts_where_it_was_used(app: TestApp) {
        let scene = Scene::new(app).await;
        let prover = prover(&scene);
        let domain = Domain {
            id: DomainId::from(scene.app.provider.clock.uuid_v7()), origin: "https://login.acme.example".into(),
            stage: DomainStage::Pending { verification_token: "token".into() }, canonical: true, created_at: scene.app.provider.now(),
        };
        scene.write(move |repo| { repo.insert_domain(&domain)?; repo.verify_domain(domain.id) }).await;
        let here = machine(&scene, json!({})).await;
        let mut there = here.clone();
        there.issuer = "https://login.acme.example".into();
        expect_bound(&there.proved(&prover, &MACHINE).await, &prover);
        expect_bound(&here.proved(&prover, &MACHINE).await, &prover);
        for (rp, other) in [(&there, &here), (&here, &there)] {
            let proof = prover.proof("POST", &format!("{}/token", other.issuer));
            rp.with_proof(&proof, &MACHINE).await.expect_error(400, "invalid_dpop_proof");
        }
        // A host that is nobody's doesn't become an address by being named.
        let mut evil = here.clone();
        evil.issuer = "https://evil.example".into();
        evil.proved(&prover, &MACHINE).await.expect_error(404, "tenant_not_found");
    }

    /// §8, §9 for applications in a browser.
    async fn a_browser_application_reads_nonces_and_sends_proofs(app: TestApp) {
        let scene = Scene::public(app).await;
        let url = scene.tenant.url("/token");
        let preflight = scene.app.http.request(Method::OPTIONS, &url).header("origin", "https://board.example")
            .header("access-control-request-method", "POST").header("access-control-request-headers", "dpop").send().await;
        assert!(preflight.header("access-control-allow-headers").is_some_and(|names| names.contains("DPoP")));
        let exposed = preflight.header("access-control-expose-headers").expect("some").to_owned();
        assert!(exposed.contains("DPoP-Nonce") && exposed.contains("WWW-Authenticate"));
        let prover = prover(&scene);
        let code = scene.code().await;
        let form: Vec<_> = scene.rp.redemption(&code).into();
        let answer = scene.rp.authenticated("/token", &form).header("dpop", &prover.proof("POST", &url)).header("origin", "https://board.example").send().await;
        expect_bound(&answer, &prover);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://board.example"));
    }

    /// What was bound is read as bound: a thumbprint in the database that is none is a fault, not a token for everybody.
    async fn bindings_survive_the_database(app: TestApp) {
        let scene = Scene::public(app).await;
        let prover = prover(&scene);
        let jkt: Thumbprint = prover.jkt().parse().expect("a thumbprint");
        let code = scene.code_but(|_, code| code.dpop_jkt = Some(jkt)).await;
        scene.rp.redeem(&code).await.expect_error(400, "invalid_grant");
        expect_bound(&scene.rp.proved(&prover, &scene.rp.redemption(&code)).await, &prover);
        let stored = scene.app.database.raw().texts("SELECT CAST(length(dpop_jkt) AS text) AS value FROM refresh_tokens");
        assert_eq!(stored, ["32"]);
    }
}
