//! Proofs of possession (RFC 9449 §7) where tokens are presented: userinfo, the administration API, and those who ask by introspection.

use actix_web::http::Method;
use serde_json::{Value, json};
use tessera::domain::role::Role;

use super::seed::{Scene, at_once, text};
use crate::support::app::app_test;
use crate::support::dpop::{Prover, hash, with};
use crate::support::http::{Answer, Request};
use crate::support::relying_party::RelyingParty;

/// A bound token, and who holds its key.
struct Held {
    scene: Scene,
    prover: Prover,
    token: String,
    userinfo: String,
}

impl Held {
    async fn new(scene: Scene) -> Self {
        let prover = Prover::new(&scene.app.provider.clock);
        let code = scene.code().await;
        let answer = scene.rp.proved(&prover, &scene.rp.redemption(&code)).await;
        Self {
            token: text(&answer.expect_ok().json(), "access_token").to_owned(),
            userinfo: scene.tenant.url("/userinfo"),
            prover,
            scene,
        }
    }

    fn get(&self, scheme: &str, proofs: &[String]) -> Request {
        let request = self
            .scene
            .app
            .get(&self.userinfo)
            .header("authorization", &format!("{scheme} {}", self.token));
        proofs
            .iter()
            .fold(request, |request, proof| request.header("dpop", proof))
    }

    fn proof(&self, method: &str) -> String {
        self.prover.beside(method, &self.userinfo, &self.token)
    }

    fn proof_but(&self, changes: &Value) -> String {
        let own = with(
            self.prover.claims("GET", &self.userinfo),
            &json!({ "ath": hash(&self.token) }),
        );
        self.prover.sign(&self.prover.header(), &with(own, changes))
    }

    async fn refused(&self, proofs: &[String]) -> Answer {
        self.get("DPoP", proofs).send().await
    }
}

/// What a challenge of a scheme says.
#[track_caller]
fn challenge<'a>(answer: &'a Answer, scheme: &str) -> &'a str {
    answer
        .all("www-authenticate")
        .find(|value| value.starts_with(&format!("{scheme} ")))
        .unwrap_or_else(|| panic!("no {scheme} in {:?}", answer.headers))
}

#[track_caller]
fn expect_dpop_error(answer: &Answer, error: &str) {
    answer.expect_error(401, error);
    let said = challenge(answer, "DPoP");
    assert!(
        said.contains(&format!("error=\"{error}\""))
            && said.contains("algs=\"RS256 ES256 PS256 EdDSA Ed25519\""),
        "{said}"
    );
    assert_eq!(answer.all("www-authenticate").count(), 1);
}

app_test! {
    /// §7.1: by GET and by POST, the scheme in whatever letters.
    async fn a_bound_token_is_good_with_a_proof(app: TestApp) {
        let held = Held::new(Scene::new(app).await).await;
        for scheme in ["DPoP", "dpop", "DPOP"] {
            let answer = held.get(scheme, &[held.proof("GET")]).send().await.expect_ok();
            assert_eq!(answer.json()["sub"], json!(held.scene.user.id.to_string()));
            assert!(answer.header("dpop-nonce").is_some());
        }
        let posted = held.scene.app.post(&held.userinfo, &[]).header("authorization", &format!("DPoP {}", held.token)).header("dpop", &held.proof("POST"));
        assert_eq!(posted.send().await.expect_ok().json()["email"], "ana@acme.example");
        let query = held.proof_but(&json!({ "htu": format!("{}?a=b", held.userinfo) }));
        let asked = held.scene.app.get(&format!("{}?c=d", held.userinfo)).header("authorization", &format!("DPoP {}", held.token)).header("dpop", &query);
        asked.send().await.expect_ok();
    }

    async fn so_is_an_opaque_one(app: TestApp) {
        let scene = Scene::new(app).await;
        let client = scene.app.client(&scene.tenant, json!({
            "redirect_uris": ["https://orders.example/callback"], "scope": "openid email", "access_token_format": "opaque", "skip_consent": true,
        })).await;
        let rp = scene.with(&client).with_scope("openid email");
        let prover = Prover::new(&scene.app.provider.clock);
        let code = rp.code(&mut scene.app.browser(), &scene.user).await;
        let body = rp.proved(&prover, &rp.redemption(&code)).await.expect_ok().json();
        let held = Held { token: text(&body, "access_token").to_owned(), userinfo: scene.tenant.url("/userinfo"), prover, scene };
        assert!(held.token.starts_with("tsa_"));
        held.get("DPoP", &[held.proof("GET")]).send().await.expect_ok();
        held.get("Bearer", &[held.proof("GET")]).send().await.expect_error(401, "invalid_token");
        expect_dpop_error(&held.refused(&[]).await, "invalid_dpop_proof");
    }

    /// §7.2: never as a token that anybody may bear, and an unbound one never as a bound one.
    async fn nothing_is_downgraded(app: TestApp) {
        let held = Held::new(Scene::new(app).await).await;
        for proofs in [vec![], vec![held.proof("GET")]] {
            let answer = held.get("Bearer", &proofs).send().await;
            answer.expect_error(401, "invalid_token");
            assert!(challenge(&answer, "Bearer").contains("error=\"invalid_token\""));
            assert!(challenge(&answer, "DPoP").contains("algs="));
            assert!(!answer.body.contains("ana@"), "{}", answer.body);
        }
        // The proof that stood beside it was not looked at.
        assert_eq!(held.scene.app.database.raw().count("dpop_proofs"), 1);
        let body = held.scene.app.post(&held.userinfo, &[("access_token", &held.token)]);
        body.clone().send().await.expect_error(401, "invalid_token");
        body.header("dpop", &held.proof("POST")).send().await.expect_error(401, "invalid_token");
        let plain = held.scene.tokens().await;
        let plain = text(&plain, "access_token");
        let proof = held.prover.beside("GET", &held.userinfo, plain);
        let answer = held.scene.app.get(&held.userinfo).header("authorization", &format!("DPoP {plain}")).header("dpop", &proof).send().await;
        expect_dpop_error(&answer, "invalid_token");
        held.scene.rp.userinfo(plain).await.expect_ok();
        let both = held.get("DPoP", &[held.proof("GET")]).header("authorization", &format!("Bearer {plain}")).send().await;
        both.expect_error(400, "invalid_request");
        // §7.1: without a token, both schemes are named and nothing is said to be wrong.
        let bare = held.scene.app.get(&held.userinfo).send().await;
        bare.expect_error(401, "invalid_token");
        for scheme in ["Bearer", "DPoP"] {
            assert!(!challenge(&bare, scheme).contains("error"), "{scheme}");
        }
    }

    /// §4.3, §7.1: what a proof must be beside a token.
    async fn a_proof_is_for_this_token_and_request(app: TestApp) {
        let held = Held::new(Scene::new(app).await).await;
        let now = held.scene.app.provider.clock.unix();
        let globex = held.scene.app.tenant("globex").await;
        for (changes, what) in [
            (json!({ "ath": null }), "no token"),
            (json!({ "ath": hash("another") }), "another token"),
            (json!({ "ath": 1 }), "no hash"),
            (json!({ "htm": "POST" }), "another method"),
            (json!({ "htu": held.scene.tenant.url("/token") }), "another endpoint"),
            (json!({ "htu": globex.url("/userinfo") }), "another tenant"),
            (json!({ "iat": now - 31 }), "old"),
            (json!({ "iat": now + 31 }), "ahead"),
            (json!({ "jti": null }), "nameless"),
        ] {
            let answer = held.refused(&[held.proof_but(&changes)]).await;
            expect_dpop_error(&answer, "invalid_dpop_proof");
            assert!(answer.header("dpop-nonce").is_some(), "{what}");
        }
        let thief = Prover::new(&held.scene.app.provider.clock);
        let stolen = thief.beside("GET", &held.userinfo, &held.token);
        let mixed = held.prover.sign(&thief.header(), &held.prover.claims("GET", &held.userinfo));
        let private = with(held.prover.header(), &json!({ "jwk": held.prover.private_jwk }));
        let private = held.prover.sign(&private, &with(held.prover.claims("GET", &held.userinfo), &json!({ "ath": hash(&held.token) })));
        for proofs in [vec![], vec![stolen], vec![mixed], vec![private], vec!["x".to_owned()], vec![held.proof("GET"), held.proof("GET")]] {
            expect_dpop_error(&held.refused(&proofs).await, "invalid_dpop_proof");
        }
        held.get("DPoP", &[held.proof("GET")]).send().await.expect_ok();
    }

    async fn a_proof_is_good_once_here_too(app: TestApp) {
        let held = Held::new(Scene::new(app).await).await;
        let node = held.scene.second_node().await;
        let proof = held.proof("GET");
        let asks: Vec<Request> = (0..8).map(|number| {
            let http = if number % 2 == 0 { &node.http } else { &held.scene.app.http };
            http.get(&held.userinfo).header("authorization", &format!("DPoP {}", held.token)).header("dpop", &proof)
        }).collect();
        let answers = at_once(asks.into_iter().map(Request::send)).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            expect_dpop_error(answer, "invalid_dpop_proof");
        }
        assert_eq!(held.scene.events("token.proof_replayed"), 1);
        held.get("DPoP", &[held.proof("GET")]).send().await.expect_ok();
    }

    /// §9: nonces where tokens are presented.
    async fn a_nonce_can_be_demanded(app: TestApp) {
        let held = Held::new(Scene::new(app).await).await;
        held.scene.app.change_settings(&held.scene.tenant, |settings| settings.require_dpop_nonce = true).await;
        let answer = held.refused(&[held.proof("GET")]).await;
        expect_dpop_error(&answer, "use_dpop_nonce");
        let nonce = answer.header("dpop-nonce").expect("a nonce").to_owned();
        let proof = held.proof_but(&json!({ "nonce": nonce }));
        let answer = held.get("DPoP", std::slice::from_ref(&proof)).send().await.expect_ok();
        assert_eq!(answer.header("dpop-nonce"), Some(nonce.as_str()));
        expect_dpop_error(&held.refused(&[proof]).await, "invalid_dpop_proof");
        expect_dpop_error(&held.refused(&[held.proof_but(&json!({ "nonce": "x" }))]).await, "use_dpop_nonce");
    }

    /// A token of one tenant is nothing at another, whatever is proved.
    async fn a_proof_opens_no_other_tenant(app: TestApp) {
        let held = Held::new(Scene::new(app).await).await;
        let globex = held.scene.app.tenant("globex").await;
        let url = globex.url("/userinfo");
        let proof = held.prover.beside("GET", &url, &held.token);
        let answer = held.scene.app.get(&url).header("authorization", &format!("DPoP {}", held.token)).header("dpop", &proof).send().await;
        expect_dpop_error(&answer, "invalid_token");
        held.get("DPoP", &[held.proof("GET")]).send().await.expect_ok();
    }

    /// RFC 7662, RFC 7009: a service that asks learns of the binding, and a client gives up a bound token as any other.
    async fn services_learn_of_the_binding(app: TestApp) {
        let held = Held::new(Scene::new(app).await).await;
        let service = held.scene.with(&held.scene.app.machine_client(&held.scene.tenant, "").await);
        let told = service.introspect(&held.token).await;
        assert_eq!((&told["token_type"], &told["cnf"]), (&json!("DPoP"), &json!({ "jkt": held.prover.jkt() })));
        let plain = held.scene.tokens().await;
        let told = service.introspect(text(&plain, "access_token")).await;
        assert_eq!((&told["token_type"], told.get("cnf")), (&json!("Bearer"), None));
        held.scene.rp.authenticated("/revoke", &[("token", &held.token)]).send().await.expect_ok();
        RelyingParty::expect_inactive(&service.introspect(&held.token).await);
        expect_dpop_error(&held.refused(&[held.proof("GET")]).await, "invalid_token");
    }

    /// The administration API: the same, at an address of the installation.
    async fn the_administration_takes_bound_tokens(app: TestApp) {
        let scene = Scene::new(app).await;
        let prover = Prover::new(&scene.app.provider.clock);
        let (root, client) = (scene.app.root().to_owned(), scene.app.machine_client(&scene.tenant, "tessera:admin").await);
        let rp = scene.with(&client);
        let api = format!("{root}/api/v1");
        let form = [("grant_type", "client_credentials"), ("scope", "tessera:admin"), ("resource", api.as_str())];
        let token = text(&rp.proved(&prover, &form).await.expect_ok().json(), "access_token").to_owned();
        let ask = |method: Method, url: &str, scheme: &str, proof: Option<&str>| {
            let request = scene.app.http.request(method, url).header("authorization", &format!("{scheme} {token}"));
            proof.into_iter().fold(request, |request, proof| request.header("dpop", proof)).send()
        };
        let (me, clients) = (format!("{api}/me"), format!("{api}/tenants/acme/clients"));
        let proof = |url: &str| prover.beside("GET", url, &token);
        let answer = ask(Method::GET, &me, "dpop", Some(&proof(&me))).await.expect_ok();
        let nonce = answer.header("dpop-nonce").expect("a nonce").to_owned();
        ask(Method::GET, &format!("{clients}?limit=1"), "DPoP", Some(&proof(&clients))).await.expect_ok();
        let made = scene.app.http.request(Method::POST, &clients).header("authorization", &format!("DPoP {token}"))
            .header("dpop", &prover.beside("POST", &clients, &token)).body("application/json", json!({ "grant_types": ["client_credentials"] }).to_string()).send().await;
        assert_eq!(made.status, 201, "{}", made.body);
        // Downgraded, for another address or method, without a proof, or used.
        let bearer = ask(Method::GET, &me, "Bearer", None).await;
        assert_eq!((bearer.status, bearer.json()["code"].as_str()), (401, Some("invalid_token")));
        assert!(challenge(&bearer, "Bearer").contains("invalid_token") && challenge(&bearer, "DPoP").contains("algs="));
        let used = proof(&me);
        ask(Method::GET, &me, "DPoP", Some(&used)).await.expect_ok();
        let foreign = prover.beside("GET", &scene.tenant.url("/api/v1/me"), &token);
        let thief = Prover::new(&scene.app.provider.clock).beside("GET", &me, &token);
        for proof in [None, Some(used), Some(proof(&clients)), Some(prover.beside("POST", &me, &token)), Some(prover.proof("GET", &me)), Some(foreign), Some(thief)] {
            let answer = ask(Method::GET, &me, "DPoP", proof.as_deref()).await;
            assert_eq!(answer.status, 401, "{proof:?}");
            assert!(challenge(&answer, "DPoP").contains("error=\"invalid_dpop_proof\""), "{proof:?}");
        }
        scene.app.change_settings(&scene.tenant, |settings| settings.require_dpop_nonce = true).await;
        let answer = ask(Method::GET, &me, "DPoP", Some(&proof(&me))).await;
        assert_eq!((answer.status, answer.header("dpop-nonce")), (401, Some(nonce.as_str())));
        assert!(challenge(&answer, "DPoP").contains("error=\"use_dpop_nonce\""));
        let proof = prover.proof_but("GET", &me, &json!({ "nonce": nonce, "ath": hash(&token) }));
        ask(Method::GET, &me, "DPoP", Some(&proof)).await.expect_ok();
    }

    /// What an administrator demands of applications doesn't lock them out of their console.
    async fn the_console_goes_on(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.require_dpop_nonce = true).await;
        scene.grant_role(Role::Administrator).await;
        let mut browser = scene.app.browser();
        let page = browser.open(&scene.tenant.url("/console")).await;
        let page = browser.sign_in(&page, &scene.user).await;
        assert_eq!(page.answer.status, 200, "{}", page.answer.body);
        assert!(page.url.path().ends_with("/console"), "{}", page.url);
    }
}
