//! What the OpenID Foundation's conformance suite sends, sent as it sends it: its registrations, the oddities of its requests, and of each refusal the
//! codes that it takes. The suite itself isn't run here. `docs/src/certification.md` says which of our tests holds what each of its modules looks at;
//! these are for what none of the others held in this form.

use std::path::Path;
use std::time::Duration;

use actix_web::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tessera::clock::Clock;
use tessera::domain::settings::RegistrationPolicy;

use super::fapi2::{Bank, signing};
use super::jar::encode;
use super::mtls::{BY_HEADER, client_of as certified, now, shown, trusting, web};
use super::registration::{client_of, expect_refused, register, registered};
use super::seed::{Scene, text};
use crate::support::app::{app_test, on_both};
use crate::support::browser::Place;
use crate::support::certificates::{Identity, Wanted};
use crate::support::command::{Installation, words};
use crate::support::dpop::{Prover, with};
use crate::support::http::{Answer, Request};
use crate::support::receiver::{Answering, Receiver};
use crate::support::relying_party::{RelyingParty, claims, header};

const PAGE: &str = include_str!("../../../docs/src/certification.md");
/// Where the suite waits for answers, and where its second client does.
const CALLBACK: &str = "https://www.certification.openid.net/test/a/tessera/callback";
const CALLBACK_WITH_QUERY: &str =
    "https://www.certification.openid.net/test/a/tessera/callback?dummy1=lorem&dummy2=ipsum";
/// Its requests of the OpenID plans are without PKCE.
const WITHOUT_PKCE: [(&str, &str); 2] = [("code_challenge", ""), ("code_challenge_method", "")];
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const TYP: &str = "oauth-authz-req+jwt";

/// What holds a DPoP-bound request without a sound proof to be wrong (`CheckTokenEndpointReturnedInvalidRequestGrantOrDPopProofError`).
const NO_PROOF: &[&str] = &["invalid_request", "invalid_grant", "invalid_dpop_proof"];
/// What a request without a sound client to be wrong.
const NOBODY: &[&str] = &["invalid_client", "invalid_request"];
/// What a code or a refresh token that isn't to be had so.
const NO_GRANT: &[&str] = &["invalid_grant"];

/// One of the codes that the suite takes, with the status that it wants: 400, or 401 beside `invalid_client`.
#[track_caller]
fn expect_one_of(answer: &Answer, codes: &[&str], what: &str) {
    let code = answer.error();
    assert!(
        codes.contains(&code.as_str()),
        "{what}: {code} {}",
        answer.body
    );
    let allowed: &[u16] = if code == "invalid_client" {
        &[400, 401]
    } else {
        &[400]
    };
    assert!(
        allowed.contains(&answer.status),
        "{what}: {} {}",
        answer.status,
        answer.body
    );
    expect_json(answer);
}

#[track_caller]
fn expect_json(answer: &Answer) {
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/json"), "{kind}");
}

/// What it posts: Spring's client names a character set.
fn posted(scene: &Scene, path: &str, form: &[(&str, &str)]) -> Request {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    scene.app.http.post(&scene.tenant.url(path)).body(
        "application/x-www-form-urlencoded;charset=UTF-8",
        body.into_bytes(),
    )
}

/// A tenant as the page has it.
async fn prepared(scene: &Scene) {
    scene
        .app
        .change_settings(&scene.tenant, |settings| {
            settings.registration = RegistrationPolicy::Open;
            settings.request_uri_parameter = true;
        })
        .await;
}

/// `OIDCCCreateDynamicClientRegistrationRequest`: the grants of the response type, and always a key, which bears no name.
fn registration(response_type: &str, method: &str, key: &Value) -> Value {
    let values: Vec<_> = response_type.split(' ').collect();
    let grants: Vec<_> = [
        ("authorization_code", values.contains(&"code")),
        ("implicit", values != ["code"]),
    ]
    .into_iter()
    .filter_map(|(grant, wanted)| wanted.then_some(grant))
    .collect();
    json!({
        "client_name": "conformance suite", "contacts": ["certification@oidf.org"], "grant_types": grants, "response_types": [response_type],
        "jwks": { "keys": [with(key.clone(), &json!({ "use": "sig" }))] }, "token_endpoint_auth_method": method, "redirect_uris": [CALLBACK],
    })
}

/// A client that signs as the suite does: its header says `alg`, and nothing else unless told.
struct Suite {
    prover: Prover,
    rp: RelyingParty,
}

impl Suite {
    fn new(scene: &Scene, document: &Value, prover: Prover) -> Self {
        let rp = RelyingParty::new(&scene.app, &scene.tenant, &client_of(document));
        Self {
            prover,
            rp: rp.with_scope("openid"),
        }
    }

    /// An assertion for the token endpoint, by whose address the suite means the server.
    fn assertion(&self, header: &Value) -> String {
        let id = self.rp.client.client_id();
        let now = self.prover.claims("", "")["iat"].as_i64().expect("a time");
        let claims = json!({
            "iss": id, "sub": id, "aud": format!("{}/token", self.rp.issuer), "iat": now, "exp": now + 60, "jti": Clock::system().uuid_v4(),
        });
        self.prover.sign(header, &claims)
    }

    async fn token(&self, scene: &Scene, header: &Value, form: &[(&str, &str)]) -> Answer {
        let assertion = self.assertion(header);
        let mut form = form.to_vec();
        form.extend([
            ("client_assertion_type", ASSERTION),
            ("client_assertion", &assertion),
        ]);
        posted(scene, "/token", &form).send().await
    }
}

app_test! {
    /// The plans for `basic`, `implicit` and `hybrid` with dynamic registration: `oidcc-server` and `oidcc-server-client-secret-post` for each
    /// response type.
    async fn every_response_type_of_a_client_that_the_suite_registers(app: TestApp) {
        let scene = Scene::new(app).await;
        prepared(&scene).await;
        let key = Prover::new(&scene.app.provider.clock).jwk;
        let mut browser = scene.app.browser();
        for (response_type, method) in [
            ("code", "client_secret_basic"), ("code", "client_secret_post"), ("id_token", "client_secret_basic"), ("id_token token", "client_secret_basic"),
            ("code id_token", "client_secret_basic"), ("code token", "client_secret_basic"), ("code id_token token", "client_secret_post"),
        ] {
            let document = registered(&scene.app, &scene.tenant, registration(response_type, method, &key)).await;
            assert_eq!(document["contacts"], json!(["certification@oidf.org"]));
            let rp = RelyingParty::new(&scene.app, &scene.tenant, &client_of(&document)).with_scope("openid");
            let page = rp.authorize(&mut browser, &scene.user, &[&WITHOUT_PKCE[..], &[("response_type", response_type)]].concat()).await;
            let answer = page.response();
            assert_eq!(answer.place == Place::Query, response_type == "code", "{response_type}");
            assert_eq!((answer.get("state"), answer.get("iss")), ("a-state", scene.tenant.issuer.as_str()));
            for value in ["code", "id_token"] {
                assert_eq!(answer.find(value).is_some(), response_type.split(' ').any(|wanted| wanted == value), "{response_type}");
            }
            // Its default, of OpenID Connect Dynamic Client Registration §2.
            let signed = |token: &str| assert_eq!((&header(token)["alg"], header(token)["kid"].is_string(), &claims(token)["nonce"]), (&json!("RS256"), true, &json!("a-nonce")));
            answer.find("id_token").into_iter().for_each(signed);
            if response_type.contains(" token") {
                rp.userinfo(answer.get("access_token")).await.expect_ok();
            }
            if let Some(code) = answer.find("code") {
                let id = rp.client.client_id();
                let mut form = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
                let redeemed = if method == "client_secret_post" {
                    form.extend([("client_id", id.as_str()), ("client_secret", rp.client.secret())]);
                    posted(&scene, "/token", &form)
                } else {
                    posted(&scene, "/token", &form).basic(&id, rp.client.secret())
                };
                let answer = redeemed.clone().send().await.expect_ok();
                assert_eq!(answer.header("cache-control"), Some("no-store"));
                let tokens = answer.json();
                signed(text(&tokens, "id_token"));
                let access = text(&tokens, "access_token");
                let url = scene.tenant.url("/userinfo");
                for request in [scene.app.get(&url).bearer(access), scene.app.http.post(&url).bearer(access), posted(&scene, "/userinfo", &[("access_token", access)])] {
                    assert_eq!(request.send().await.expect_ok().json()["sub"], claims(text(&tokens, "id_token"))["sub"]);
                }
                // `oidcc-codereuse`, and what should come of it.
                let again = redeemed.send().await;
                expect_one_of(&again, NO_GRANT, response_type);
                rp.userinfo(access).await.expect_error(401, "invalid_token");
            }
            // Each module cleans up behind itself.
            let gone = scene.app.http.request(Method::DELETE, text(&document, "registration_client_uri")).bearer(text(&document, "registration_access_token"));
            assert_eq!(gone.send().await.status, 204);
        }
    }

    /// What is only meant to be understood or passed over: `oidcc-display-*`, `-ui-locales`, `-claims-locales`, `-acr-values`, `-login-hint`,
    /// `-id-token-hint`, `-max-age-10000`, `-unknown-parameter`, `-other-scope-order`, `-claims-essential`, `-ensure-post-request`.
    async fn parameters_that_change_nothing(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let first = scene.rp.sign_in(&mut browser, &scene.user).await;
        let (hint, auth_time) = (first.id_token.clone().expect("an ID token"), first.id_claims()["auth_time"].clone());
        scene.app.time.advance(Duration::from_secs(2));
        let essential = r#"{"userinfo":{"name":{"essential":true}}}"#;
        for more in [
            vec![("display", "page")], vec![("display", "popup")], vec![("ui_locales", "se")], vec![("claims_locales", "se")], vec![("acr_values", "1 2")],
            vec![("login_hint", "bob@example.com")], vec![("id_token_hint", hint.as_str()), ("prompt", "none")], vec![("max_age", "10000")],
            vec![("extra", "foobar")], vec![("scope", "email openid profile")], vec![("claims", essential), ("scope", "openid")],
        ] {
            let page = browser.open(&scene.rp.authorization_url(&more)).await;
            let code = page.answer.location_param("code").unwrap_or_else(|| panic!("{more:?}: {} {}", page.answer.status, page.answer.body));
            let tokens = scene.rp.redeem(&code).await.expect_ok().json();
            assert_eq!(claims(text(&tokens, "id_token"))["auth_time"], auth_time, "{more:?}");
            let info = scene.rp.userinfo(text(&tokens, "access_token")).await.expect_ok().json();
            assert!(info["name"].is_string() && (info["updated_at"].is_null() || info["updated_at"].is_number()), "{more:?}: {info}");
        }
    }

    /// The plan for `dynamic` and that for third-party initiated login: `oidcc-request-uri-signed-rs256`, `-registration-jwks-uri`,
    /// `-refresh-token-rp-key-rotation`, `-refresh-token`, `-3rd_party-init-login`, `-3rd_party-init-login-nohttps`, `-redirect-uri-regfrag`.
    async fn what_the_dynamic_plan_does(app: TestApp) {
        let scene = Scene::new(app).await;
        prepared(&scene).await;
        let (server, mut browser) = (Receiver::start(), scene.app.browser());
        // A key without a name; and an address whose fragment was made up before there was an object.
        let prover = Prover::of("RS256", &scene.app.provider.clock);
        let uri = format!("{}#{}", server.url("/requesturi/0123456789"), URL_SAFE_NO_PAD.encode(Sha256::digest("nothing yet")));
        let wanted = with(registration("code", "private_key_jwt", &prover.jwk), &json!({ "request_uris": [uri], "request_object_signing_alg": "RS256" }));
        let document = registered(&scene.app, &scene.tenant, wanted).await;
        assert_eq!(document.get("client_secret"), None);
        let suite = Suite::new(&scene, &document, prover);
        let (nameless, id) = (json!({ "alg": "RS256" }), suite.rp.client.client_id());
        let object = json!({
            "iss": id, "aud": scene.tenant.issuer, "response_type": "code", "client_id": id, "scope": "openid", "redirect_uri": CALLBACK,
            "state": "inside", "nonce": "inside",
        });
        server.answer(Answering::Body("application/jwt", suite.prover.sign(&nameless, &object)));
        let beside = [("request_uri", uri.as_str()), ("state", ""), ("nonce", "")];
        let page = browser.open(&suite.rp.authorization_url(&[&WITHOUT_PKCE[..], &beside].concat())).await;
        let page = browser.pass(page, &scene.user).await;
        assert_eq!(page.answer.location_param("state").as_deref(), Some("inside"));
        let code = page.answer.location_param("code").expect("a code");
        let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK)];
        let tokens = suite.token(&scene, &nameless, &form).await.expect_ok().json();
        assert_eq!(claims(text(&tokens, "id_token"))["nonce"], "inside");

        // Keys by their address, the next ones a minute later. Two clients, and each one's refresh token.
        let mut refreshable = Vec::new();
        for _ in 0..2 {
            let (prover, keys) = (Prover::new(&scene.app.provider.clock), Receiver::start());
            let publish = |prover: &Prover, kid: &str| {
                let set = json!({ "keys": [with(prover.jwk.clone(), &json!({ "kid": kid, "use": "sig", "alg": "ES256" }))] });
                keys.answer(Answering::Body("application/json", set.to_string()));
            };
            publish(&prover, "one");
            let wanted = with(registration("code", "private_key_jwt", &prover.jwk), &json!({
                "jwks": null, "jwks_uri": keys.url("/jwks"), "grant_types": ["authorization_code", "refresh_token"], "id_token_signed_response_alg": "ES256",
            }));
            let document = registered(&scene.app, &scene.tenant, wanted).await;
            let mut suite = Suite::new(&scene, &document, prover);
            let asked = [&WITHOUT_PKCE[..], &[("scope", "openid offline_access"), ("prompt", "consent")]].concat();
            let page = browser.open(&suite.rp.authorization_url(&asked)).await;
            page.expect_id("allow");
            let code = browser.pass(page, &scene.user).await.answer.location_param("code").expect("a code");
            let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK)];
            let first = suite.token(&scene, &json!({ "alg": "ES256", "kid": "one" }), &form).await.expect_ok().json();
            suite.prover = Prover::new(&scene.app.provider.clock);
            publish(&suite.prover, "two");
            scene.app.time.advance(Duration::from_secs(61));
            let refresh = text(&first, "refresh_token").to_owned();
            let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str()), ("scope", "openid offline_access")];
            let second = suite.token(&scene, &json!({ "alg": "ES256", "kid": "two" }), &form).await.expect_ok().json();
            // OpenID Connect Core §12.2, `CompareIdTokenClaims`.
            let (before, after) = (claims(text(&first, "id_token")), claims(text(&second, "id_token")));
            for name in ["iss", "sub", "aud", "auth_time", "azp"] {
                assert_eq!(before.get(name), after.get(name), "{name}");
            }
            assert!(before["iat"].as_i64() < after["iat"].as_i64() && (after["nonce"].is_null() || after["nonce"] == before["nonce"]), "{after}");
            assert_ne!(first["access_token"], second["access_token"]);
            refreshable.push((suite, refresh, keys));
        }
        let form = [("grant_type", "refresh_token"), ("refresh_token", refreshable[1].1.as_str())];
        expect_one_of(&refreshable[0].0.token(&scene, &json!({ "alg": "ES256", "kid": "two" }), &form).await, NO_GRANT, "another client's");

        // Sign-ins that begin elsewhere: what was registered is kept, and read again.
        let login = "https://www.certification.openid.net/test/a/tessera/initiate_login";
        let key = &suite.prover.jwk;
        let wanted = |more: &Value| with(registration("code", "client_secret_basic", key), more);
        let document = registered(&scene.app, &scene.tenant, wanted(&json!({ "initiate_login_uri": login }))).await;
        let read = scene.app.get(text(&document, "registration_client_uri")).bearer(text(&document, "registration_access_token")).send().await.expect_ok();
        expect_json(&read);
        assert_eq!((&document["initiate_login_uri"], &read.json()["initiate_login_uri"]), (&json!(login), &json!(login)));
        // A redirect URI is what was registered, its query too; where there are two, one is named.
        let query = format!("{CALLBACK}?foo=bar");
        let document = registered(&scene.app, &scene.tenant, wanted(&json!({ "redirect_uris": [query, format!("{CALLBACK}/another")], "id_token_signed_response_alg": "ES256" }))).await;
        let rp = RelyingParty::new(&scene.app, &scene.tenant, &client_of(&document)).with_scope("openid");
        let page = rp.authorize(&mut browser, &scene.user, &WITHOUT_PKCE).await;
        let location = page.answer.location();
        assert!(location.as_str().starts_with(&format!("{query}&")), "{location}");
        for wrong in ["", CALLBACK, &format!("{CALLBACK}?bar=foo"), &format!("{query}&bar=foo")] {
            let page = browser.open(&rp.authorization_url(&[("redirect_uri", wrong)])).await;
            page.answer.expect_error(400, "invalid_request");
            assert!(page.answer.header("location").is_none() && page.answer.body.contains("data-error=\"invalid_request\""), "{wrong}");
        }
        for (more, error, member) in [
            (json!({ "initiate_login_uri": login.replace("https", "http") }), "invalid_client_metadata", "initiate_login_uri"),
            (json!({ "redirect_uris": [format!("{CALLBACK}#foobar")] }), "invalid_redirect_uri", "redirect_uris"),
        ] {
            let refused = register(&scene.app, &scene.tenant, &wanted(&more)).await;
            expect_refused(&refused, error, member);
            expect_json(&refused);
        }
    }

    /// The plans for FAPI 2.0 at the endpoint for pushed requests. The suite takes exactly these codes there.
    async fn pushed_requests_are_refused_by_the_codes_that_the_suite_takes(app: TestApp) {
        const OBJECT: &[&str] = &["invalid_request_object"];
        const EITHER: &[&str] = &["invalid_request", "invalid_request_object"];
        const REQUEST: &[&str] = &["invalid_request"];
        const TYPE: &[&str] = &["unsupported_response_type", "invalid_request", "unauthorized_client"];
        let scene = Scene::new(app).await;
        let bank = Bank::new(&scene, with(signing(), &json!({ "redirect_uris": [CALLBACK, CALLBACK_WITH_QUERY] }))).await;
        let other = Bank::new(&scene, signing()).await;
        let now = scene.app.provider.clock.unix();
        for (more, codes) in [
            (json!({ "exp": null }), OBJECT), (json!({ "nbf": null }), OBJECT), (json!({ "exp": now - 300 }), OBJECT), (json!({ "exp": now + 4200 }), OBJECT),
            (json!({ "nbf": now - 4200 }), OBJECT), (json!({ "aud": "https://www.example.com" }), OBJECT), (json!({ "request_uri": "urn:example:bad" }), OBJECT),
            (json!({ "redirect_uri": null }), EITHER), (json!({ "redirect_uri": format!("{CALLBACK}/x") }), EITHER),
            (json!({ "response_type": "code id_token" }), TYPE), (json!({ "response_type": "token" }), TYPE),
            (json!({ "code_challenge": null, "code_challenge_method": null }), REQUEST), (json!({ "code_challenge_method": "plain" }), REQUEST),
        ] {
            expect_one_of(&bank.push_signed(&scene, &more).await, codes, &more.to_string());
        }
        // Signed by somebody else, by nobody, or broken.
        let mut claims = json!({ "iss": bank.rp.client.client_id(), "aud": bank.rp.issuer, "nbf": now, "exp": now + 300, "response_mode": "jwt" });
        for (name, value) in bank.rp.parameters(&[]) {
            claims[name] = json!(value);
        }
        let sound = bank.key.sign_jwt(TYP, &claims).expect("signed");
        let broken = format!("{}{}", &sound[..sound.len() - 6], if sound.ends_with("AAAAAA") { "BBBBBB" } else { "AAAAAA" });
        let unsigned = format!("{}.{}.", encode(&json!({ "alg": "none" })), encode(&claims));
        for (object, codes) in [(broken, OBJECT), (unsigned, OBJECT), (other.key.sign_jwt(TYP, &claims).expect("signed"), EITHER)] {
            expect_one_of(&bank.request(&scene, "/par", &[("request", &object)]).send().await, codes, &object);
        }
        // Without an object there is none that could be invalid (`fapi2-…-ensure-unsigned-request-at-par-endpoint-fails`).
        expect_one_of(&bank.push(&scene, &[]).await, REQUEST, "not signed");
        let page = scene.app.browser().open(&bank.rp.authorization_url(&[])).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_request"));
        let more = [("request", sound.as_str()), ("request_uri", "urn:example:bad")];
        expect_one_of(&bank.request(&scene, "/par", &more).send().await, &["invalid_request", "invalid_request_object", "request_uri_not_supported"], "request_uri");
        let put = scene.app.http.request(Method::PUT, &scene.tenant.url("/par")).form(&[("request", &sound)]).send().await;
        assert_eq!(put.status, 405);
        // What has to be taken.
        let (long, long_nonce) = ("s".repeat(1000), "n".repeat(384));
        for more in [
            json!({}), json!({ "nbf": now + 8 }), json!({ "aud": ["https://other1.example.com", bank.rp.issuer, "invalid"] }), json!({ "state": null }), json!({ "nonce": null }),
            json!({ "state": long }), json!({ "nonce": "n".repeat(64) }), json!({ "nonce": long_nonce }), json!({ "scope": "offline_access openid" }),
            json!({ "iat": now }), json!({ "redirect_uri": CALLBACK_WITH_QUERY }), json!({ "dpop_jkt": bank.prover.jkt() }),
        ] {
            let pushed = bank.push_signed(&scene, &more).await;
            assert_eq!(pushed.status, 201, "{more}: {}", pushed.body);
            expect_json(&pushed);
            assert!(pushed.json()["expires_in"].is_i64() && text(&pushed.json(), "request_uri").len() > 40);
        }
        let untyped = bank.key.sign_jwt("JWT", &claims).expect("signed");
        assert_eq!(bank.request(&scene, "/par", &[("request", &untyped)]).send().await.status, 201);
    }

    /// The same plans from there on: what stands beside a `request_uri`, and each way to come for the tokens.
    async fn codes_are_refused_by_the_codes_that_the_suite_takes(app: TestApp) {
        let scene = Scene::new(app).await;
        let bank = Bank::new(&scene, json!({ "redirect_uris": [CALLBACK, CALLBACK_WITH_QUERY] })).await;
        let other = Bank::new(&scene, json!({})).await;
        let mut browser = scene.app.browser();
        // Its second client: a redirect URI with a query, and everything once more beside the name, in the reverse order and with other values.
        let pushed = bank.push(&scene, &[("redirect_uri", CALLBACK_WITH_QUERY), ("state", "inside")]).await.json();
        let mut url = url::Url::parse(&scene.tenant.url("/authorize")).expect("a URL");
        url.query_pairs_mut().extend_pairs([
            ("state", "outside"), ("scope", "openid offline_access"), ("response_type", "code"), ("request_uri", text(&pushed, "request_uri")),
            ("redirect_uri", CALLBACK_WITH_QUERY), ("nonce", "outside"), ("client_id", bank.rp.client.client_id().as_str()),
        ]);
        // Opened twice before anybody signs in.
        browser.open(url.as_str()).await.expect_id("password");
        let page = browser.open(url.as_str()).await;
        let page = browser.pass(page, &scene.user).await;
        let location = page.answer.location();
        assert!(location.as_str().starts_with(CALLBACK_WITH_QUERY) && location.query_pairs().any(|pair| pair == ("state".into(), "inside".into())), "{location}");
        let code = page.answer.location_param("code").expect("a code");
        let redemption = [
            ("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK_WITH_QUERY), ("code_verifier", crate::support::relying_party::VERIFIER),
        ];
        // No verifier, another one, another client; nobody, and somebody with another's key; without a proof.
        let wrong = "w".repeat(43);
        let with_verifier = |verifier| [redemption[0], redemption[1], redemption[2], ("code_verifier", verifier)];
        for (answer, codes, what) in [
            (bank.token(&scene, &redemption[..3]).await, NO_GRANT, "no verifier"),
            (bank.token(&scene, &with_verifier(wrong.as_str())).await, NO_GRANT, "another verifier"),
            (other.token(&scene, &redemption).await, NO_GRANT, "another client"),
            (bank.request(&scene, "/token", &redemption).send().await, NO_PROOF, "no proof"),
        ] {
            expect_one_of(&answer, codes, what);
        }
        let proof = |prover: &Prover| prover.proof("POST", &scene.tenant.url("/token"));
        let id = bank.rp.client.client_id();
        let named = [&redemption[..], &[("client_id", id.as_str())]].concat();
        let nobody = scene.app.post(&scene.tenant.url("/token"), &named).header("dpop", &proof(&bank.prover)).send().await;
        expect_one_of(&nobody, NOBODY, "no assertion");
        let theirs = Bank { key: bank.key, prover: Prover::new(&scene.app.provider.clock), rp: other.rp.clone() };
        let their_id = other.rp.client.client_id();
        let swapped = [&redemption[..], &[("client_id", their_id.as_str())]].concat();
        expect_one_of(&theirs.token(&scene, &swapped).await, &["invalid_client", "invalid_grant"], "another's name");
        let bank = Bank { key: theirs.key, ..bank };
        // All of that spends nothing. Then once, and after a second not again.
        let tokens = bank.token(&scene, &redemption).await.expect_ok().json();
        let access = text(&tokens, "access_token").to_owned();
        let userinfo = |proof: &str, scheme: &str| scene.app.get(&scene.tenant.url("/userinfo")).header("authorization", &format!("{scheme} {access}")).header("dpop", proof);
        let beside = || bank.prover.beside("GET", &scene.tenant.url("/userinfo"), &access);
        let answer = userinfo(&beside(), "dPOp").header("accept", "application/json;charset=UTF-8").send().await.expect_ok();
        assert!(answer.header("date").is_some());
        let in_query = scene.app.get(&format!("{}?access_token={access}", scene.tenant.url("/userinfo"))).send().await;
        assert!([400, 401].contains(&in_query.status));
        // `fapi2-…-dpop-negative-tests`: what normalises to this very address, and what else a proof may say.
        let here = scene.tenant.url("/userinfo");
        let now = scene.app.provider.clock.unix();
        let ath = crate::support::dpop::hash(&access);
        for more in [
            json!({ "htu": here.replace("http://localhost", "HTTP://LOCALHOST") }), json!({ "htu": format!("{here}?query=1#fragment") }),
            json!({ "iat": now - 10 }), json!({ "iat": now + 10 }), json!({ "nbf": now, "exp": now + 300 }), json!({ "extra": { "claim": 1 } }),
        ] {
            let proof = bank.prover.proof_but("GET", &here, &with(json!({ "ath": ath }), &more));
            assert_eq!(userinfo(&proof, "DPoP").send().await.status, 200, "{more}");
        }
        let extra = with(bank.prover.header(), &json!({ "extra": "header" }));
        let extra = bank.prover.sign(&extra, &with(bank.prover.claims("GET", &here), &json!({ "ath": ath })));
        userinfo(&extra, "DPoP").send().await.expect_ok();
        for more in [json!({ "iat": now - 3600 }), json!({ "iat": now + 3600 })] {
            let proof = bank.prover.proof_but("GET", &here, &with(json!({ "ath": ath }), &more));
            assert_eq!(userinfo(&proof, "DPoP").send().await.status, 401, "{more}");
        }
        // Refresh tokens: for whoever authenticates and holds a key, another one too.
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token"))];
        let nobody = scene.app.post(&scene.tenant.url("/token"), &refresh).header("dpop", &proof(&bank.prover)).send().await;
        expect_one_of(&nobody, &["invalid_client", "invalid_grant", "invalid_request"], "a refresh by nobody");
        expect_one_of(&bank.request(&scene, "/token", &refresh).send().await, NO_PROOF, "a refresh without a proof");
        expect_one_of(&other.token(&scene, &refresh).await, NO_GRANT, "another's refresh token");
        let next = Prover::new(&scene.app.provider.clock);
        let refreshed = bank.request(&scene, "/token", &refresh).header("dpop", &proof(&next)).send().await.expect_ok().json();
        assert_eq!(refreshed["token_type"], "DPoP");
        scene.app.time.advance(Duration::from_secs(1));
        expect_one_of(&bank.token(&scene, &redemption).await, NO_GRANT, "once more");
        assert_eq!(userinfo(&beside(), "DPoP").send().await.status, 401);
        // A minute and two seconds are too long; a key that was named is the only one.
        for (more, wait, codes) in [(vec![], 62, NO_GRANT), (vec![("dpop_jkt", next.jkt())], 0, NO_PROOF)] {
            let more: Vec<_> = more.iter().map(|(name, value): &(&str, String)| (*name, value.as_str())).collect();
            let page = bank.pass(&scene, &mut browser, &bank.push(&scene, &more).await).await;
            let code = page.answer.location_param("code").expect("a code");
            scene.app.time.advance(Duration::from_secs(wait));
            let answer = bank.token(&scene, &[("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK), redemption[3]]).await;
            expect_one_of(&answer, codes, "late, or by another key");
        }
    }
}

/// `client_auth_type` and `sender_constrain` are variants of their own: the two pairs that aren't of one kind (for the others see `fapi2` and
/// `mtls_tokens`).
#[test]
fn a_key_authenticates_and_a_certificate_binds_and_the_other_way_about() {
    on_both(BY_HEADER, |app| async move {
        let (scene, authority) = trusting(app).await;
        let wanted = Wanted::client(now(&scene));
        let (issued, thief) = (authority.issue(&wanted), Identity::self_signed(&wanted));
        let mut browser = scene.app.browser();
        let url = scene.tenant.url("/userinfo");

        // The request is pushed without a certificate, and the tokens are bound to it.
        let bound = json!({ "tls_client_certificate_bound_access_tokens": true });
        let bank = Bank::new(&scene, bound).await;
        let page = bank
            .pass(&scene, &mut browser, &bank.push(&scene, &[]).await)
            .await;
        let code = page.answer.location_param("code").expect("a code");
        let redemption = bank.rp.redemption(&code);
        let codes = ["invalid_client", "invalid_grant", "invalid_request"];
        let bare = bank.request(&scene, "/token", &redemption).send().await;
        expect_one_of(&bare, &codes, "no certificate");
        let tokens = shown(bank.request(&scene, "/token", &redemption), &issued)
            .send()
            .await
            .expect_ok()
            .json();
        assert_eq!(tokens["token_type"], "Bearer");
        let bearer = format!("bEARER {}", text(&tokens, "access_token"));
        let userinfo = || scene.app.get(&url).header("authorization", &bearer);
        shown(userinfo(), &issued).send().await.expect_ok();
        for request in [userinfo(), shown(userinfo(), &thief)] {
            request.send().await.expect_error(401, "invalid_token");
        }
        let refresh = [
            ("grant_type", "refresh_token"),
            ("refresh_token", text(&tokens, "refresh_token")),
        ];
        let bare = bank.request(&scene, "/token", &refresh).send().await;
        expect_one_of(&bare, &codes, "no certificate");
        shown(bank.request(&scene, "/token", &refresh), &issued)
            .send()
            .await
            .expect_ok();

        // The certificate says who asks, and the tokens are bound to a key.
        let metadata = with(
            web(&json!({ "security_profile": "fapi2_security", "skip_consent": true })),
            &json!({ "tls_client_certificate_bound_access_tokens": false }),
        );
        let rp = certified(&scene.app, &scene.tenant, metadata).await;
        let parameters = rp.parameters(&[]);
        let others = parameters.iter().filter(|(name, _)| name != "client_id");
        let form: Vec<_> = others
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let pushed = shown(rp.authenticated("/par", &form), &issued).send().await;
        assert_eq!(pushed.status, 201, "{}", pushed.body);
        let page = browser
            .open(&rp.pushed_url(text(&pushed.json(), "request_uri"), &[]))
            .await;
        let page = browser.pass(page, &scene.user).await;
        let code = page.answer.location_param("code").expect("a code");
        let redemption = rp.redemption(&code);
        let prover = Prover::new(&scene.app.provider.clock);
        let proof = || prover.proof("POST", &scene.tenant.url("/token"));
        let request = || rp.authenticated("/token", &redemption);
        let nobody = request().header("dpop", &proof()).send().await;
        expect_one_of(&nobody, NOBODY, "nobody");
        expect_one_of(
            &shown(request(), &issued).send().await,
            NO_PROOF,
            "no proof",
        );
        let tokens = shown(request().header("dpop", &proof()), &issued)
            .send()
            .await
            .expect_ok()
            .json();
        assert_eq!(tokens["token_type"], "DPoP");
        let access = text(&tokens, "access_token");
        scene
            .app
            .get(&url)
            .header("authorization", &format!("DPoP {access}"))
            .header("dpop", &prover.beside("GET", &url, access))
            .send()
            .await
            .expect_ok();
    });
}

/// The blocks of one language, in their order.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    PAGE.split(&fence)
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap_or_default())
        .collect()
}

/// The page's files, by the name in the line before each.
fn files() -> Vec<(&'static str, &'static str)> {
    let mut parts = PAGE.split("```json\n");
    let mut before = parts.next().expect("a beginning");
    let mut files = Vec::new();
    for part in parts {
        let name = before
            .trim_end()
            .lines()
            .last()
            .and_then(|line| line.strip_prefix('`'))
            .and_then(|rest| rest.split_once('`'));
        let block = part.split("\n```").next().unwrap_or_default();
        files.push((
            name.unwrap_or_else(|| panic!("no name before {block}")).0,
            block,
        ));
        before = part;
    }
    files
}

/// The rows of the page's tables that begin so.
fn rows(beginnings: [&str; 2]) -> Vec<&'static str> {
    let begins = |line: &&str| {
        beginnings
            .iter()
            .any(|beginning| line.starts_with(&format!("| `{beginning}` |")))
    };
    PAGE.lines().filter(begins).collect()
}

/// What stands in a row's third column, without the marks around it.
fn third(row: &str) -> &str {
    let column = row.split(" | ").nth(2).expect("a third column");
    column.trim_end_matches(" |").trim_matches('`')
}

/// Each command of the page, and each client of it, with the pairs of proofs and the kinds of signed messages that its tables have.
#[expect(clippy::too_many_lines, reason = "one page, from its top to its end")]
fn follow(mut here: Installation) {
    // An installation that takes certificates, as the page says of two of the pairs.
    here.set("TESSERA_TRUSTED_PROXIES", "127.0.0.1");
    here.set("TESSERA_CLIENT_CERTIFICATE_HEADER", "X-SSL-Client-Cert");
    let here = here.ready();
    for (name, content) in files() {
        serde_json::from_str::<Value>(content).unwrap_or_else(|error| panic!("{name}: {error}"));
        here.file(name, content);
    }
    let read = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(here.path(name)).expect(name)).expect("JSON")
    };
    let mut run = 0;
    let commands = blocks("sh").join("\n").replace("\\\n", " ");
    for line in commands.lines() {
        let mut words = words(line);
        if let ["jq", "-s", "add", own, more, ">", merged] =
            words.iter().map(String::as_str).collect::<Vec<_>>()[..]
        {
            here.file(merged, &with(read(own), &read(more)).to_string());
            continue;
        }
        assert_eq!(words[0], "tessera", "{line}");
        let (mut input, mut output) = (String::new(), None);
        if let Some(at) = words.iter().position(|word| word == ">") {
            output = words.get(at + 1).cloned();
            words.truncate(at);
        }
        if let Some(at) = words.iter().position(|word| word == "<") {
            "a password for the suite".clone_into(&mut input);
            words.truncate(at);
        }
        let arguments: Vec<_> = words[1..].iter().map(String::as_str).collect();
        let done = here.run_with(&input, &arguments);
        assert_eq!(done.code, 0, "{line}: {}", done.err);
        if let Some(output) = output {
            here.file(&output, &done.out);
        }
        run += 1;
    }
    assert_eq!(run, 11);
    // What goes into the suite's file is what the commands printed.
    for name in ["client.json", "client2.json", "client_secret_post.json"] {
        assert!(
            read(name)["client_id"].is_string() && read(name)["client_secret"].is_string(),
            "{name}"
        );
    }
    assert_eq!(
        (
            &read("client.json")["require_pkce"],
            &read("client_secret_post.json")["token_endpoint_auth_method"]
        ),
        (&json!(false), &json!("client_secret_post"))
    );
    // The FAPI plans' clients: two of each kind, which have nothing of each other.
    for (first, second, profile) in [
        ("bank.json", "bank2.json", "fapi2_security"),
        (
            "signing_bank.json",
            "signing_bank2.json",
            "fapi2_message_signing",
        ),
    ] {
        for (name, kid) in [(first, "suite-1"), (second, "suite-2")] {
            let made = read(name);
            assert_eq!(
                (&made["security_profile"], &made["jwks"]["keys"][0]["kid"]),
                (&json!(profile), &json!(kid)),
                "{name}"
            );
        }
        assert_ne!(read(first)["client_id"], read(second)["client_id"]);
        assert_ne!(
            read(first)["jwks"]["keys"][0]["x"],
            read(second)["jwks"]["keys"][0]["x"]
        );
    }
    assert_eq!(
        here.json(&["tenant", "show", "certify"])["settings"]["consent"],
        "always"
    );
    let person = here.json(&[
        "user",
        "show",
        "--tenant",
        "certify",
        "--email",
        "ana@certify.example",
    ]);
    let said = person.to_string();
    for scope in ["profile", "email", "address", "phone"] {
        for name in tessera::protocol::claims::claims_for_scope(scope)
            .iter()
            .filter(|name| **name != "updated_at")
        {
            assert!(said.contains(&format!("\"{name}\":")), "{name}: {said}");
        }
    }
    // What differs from the file is itself metadata: the table of proofs, and that of what is signed, for both clients.
    let make = |more: &Value, own: &str| {
        let file = here.file("made.json", &with(read(own), more).to_string());
        let options = ["--tenant", "certify", "--metadata-file", &file];
        let made = here.json(&[&["client", "create"], &options[..]].concat());
        for (name, value) in more.as_object().expect("an object") {
            assert_eq!(&made[name], value, "{more} for {own}");
        }
    };
    let proofs = rows(["private_key_jwt", "mtls"]);
    assert_eq!(proofs.len(), 4);
    for row in proofs {
        let members = format!("{{{}}}", third(row));
        for (own, subject) in [
            ("fapi2.json", "CN=suite-1"),
            ("fapi2_second.json", "CN=suite-2"),
        ] {
            let members = members.replace("CN=suite-1", subject);
            let more = serde_json::from_str(&members);
            make(&more.unwrap_or_else(|error| panic!("{row}: {error}")), own);
        }
    }
    let signed = rows(["signed_non_repudiation", "unsigned"]);
    assert_eq!(signed.len(), 3);
    for row in signed {
        for own in ["fapi2.json", "fapi2_second.json"] {
            make(&read(third(row)), own);
        }
    }
}

#[test]
fn the_page_can_be_followed() {
    follow(Installation::sqlite());
    follow(Installation::postgres());
}

/// What the page has the suite's browser press is there to be pressed, and the tests that it names are there to be run.
#[test]
fn the_page_names_what_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let template = |name: &str| {
        std::fs::read_to_string(root.join("templates").join(name)).expect("a template")
    };
    let pages = [
        "sign_in.html",
        "parts.html",
        "consent.html",
        "sign_out.html",
        "error.html",
    ]
    .map(template)
    .concat();
    let mut pressed = 0;
    for (name, content) in files() {
        let document: Value = serde_json::from_str(content).expect("JSON");
        let overridden = document["override"].as_object().into_iter().flatten();
        let browsers = overridden
            .map(|(_, module)| &module["browser"])
            .chain([&document["browser"]]);
        for command in browsers
            .flat_map(|browser| browser.as_array().into_iter().flatten())
            .flat_map(|own| own["tasks"].as_array().into_iter().flatten())
            .flat_map(|task| task["commands"].as_array().into_iter().flatten())
        {
            if command[1] == "id" && command[2] != "submission_complete" {
                let id = command[2].as_str().expect("an id");
                let there = [
                    format!("id=\"{id}\""),
                    format!("parts::password(page, \"{id}\""),
                ];
                assert!(
                    there.iter().any(|there| pages.contains(there)),
                    "{name}: {id}"
                );
                pressed += 1;
            }
        }
    }
    assert!(pressed >= 12, "{pressed}");
    let named: Vec<_> = PAGE
        .split('`')
        .filter(|word| word.contains("::") && !word.contains(['\n', '*']))
        .collect();
    assert!(named.len() > 60, "{}", named.len());
    for test in named {
        let (module, name) = test.rsplit_once("::").expect("a module and a test");
        let file = match module.strip_prefix("endpoints::") {
            Some(endpoint) => format!("tests/integration/endpoints/{endpoint}.rs"),
            None => format!("tests/integration/specs/{module}.rs"),
        };
        let source = std::fs::read_to_string(root.join(&file))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(source.contains(&format!("fn {name}(")), "{test}");
    }
}
