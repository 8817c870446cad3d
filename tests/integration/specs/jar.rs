//! Request objects by value (RFC 9101, OpenID Connect Core §6.1), at the authorization endpoint and in a push (RFC 9126 §3).

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use tessera::jose::keys::{RsaBits, SigningKey};
use tessera::protocol::SigningAlgorithm;

use super::seed::{Scene, text};
use crate::support::app::app_test;
use crate::support::browser::{Browser, Page};
use crate::support::http::Answer;
use crate::support::relying_party::{RelyingParty, claims};

const TYP: &str = "oauth-authz-req+jwt";
pub const CALLBACK: &str = "https://signed.example/callback";

fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::generate(algorithm, RsaBits::default())
        .expect("a key")
        .key
}

pub fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A client that signs its requests.
pub struct Signer {
    pub key: SigningKey,
    pub rp: RelyingParty,
}

impl Signer {
    pub async fn new(scene: &Scene, more: Value) -> Self {
        Self::by(scene, SigningAlgorithm::Es256, more).await
    }

    pub async fn by(scene: &Scene, algorithm: SigningAlgorithm, more: Value) -> Self {
        let key = key(algorithm);
        let mut metadata = json!({
            "redirect_uris": [CALLBACK], "scope": "openid profile email", "skip_consent": true, "jwks": { "keys": [key.public_jwk()] },
        });
        for (name, value) in more.as_object().expect("an object") {
            metadata[name] = value.clone();
        }
        let metadata = match metadata {
            Value::Object(members) => members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .collect::<Map<_, _>>(),
            _ => Map::new(),
        };
        let client = scene
            .app
            .client(&scene.tenant, Value::Object(metadata))
            .await;
        let rp = scene.with(&client).with_scope("openid profile");
        Self { key, rp }
    }

    /// The whole request as claims; `more` replaces some, `null` takes one out.
    pub fn claims(&self, scene: &Scene, more: &Value) -> Value {
        let now = scene.app.provider.clock.unix();
        let mut claims = json!({ "iss": self.rp.client.client_id(), "aud": self.rp.issuer, "iat": now, "nbf": now, "exp": now + 300 });
        for (name, value) in self.rp.parameters(&[]) {
            claims[name] = json!(value);
        }
        for (name, value) in more.as_object().expect("an object") {
            if value.is_null() {
                claims.as_object_mut().expect("an object").remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    pub fn object(&self, scene: &Scene, more: &Value) -> String {
        self.key
            .sign_jwt(TYP, &self.claims(scene, more))
            .expect("signed")
    }

    /// RFC 9101 §5: nothing but `client_id` beside it, unless told.
    pub fn url(&self, object: &str, more: &[(&str, &str)]) -> String {
        let mut url = url::Url::parse(&format!("{}/authorize", self.rp.issuer)).expect("a URL");
        url.query_pairs_mut()
            .append_pair("client_id", &self.rp.client.client_id())
            .append_pair("request", object)
            .extend_pairs(more);
        url.into()
    }

    /// OpenID Connect Core §6.1: the whole request beside it.
    pub fn openid_url(&self, object: &str, more: &[(&str, &str)]) -> String {
        let mut all = vec![("request", object)];
        all.extend_from_slice(more);
        self.rp.authorization_url(&all)
    }

    pub async fn push(&self, object: &str, more: &[(&str, &str)]) -> Answer {
        let mut form = vec![("request", object)];
        form.extend_from_slice(more);
        self.rp.authenticated("/par", &form).send().await
    }
}

#[track_caller]
pub fn expect_code(page: &Page) -> String {
    page.answer
        .location_param("code")
        .unwrap_or_else(|| panic!("no code: {:?}", page.answer))
}

/// Told to the client, at the one URI that it has registered.
#[track_caller]
pub fn expect_redirect(page: &Page, error: &str) {
    let location = page.answer.location();
    assert!(location.as_str().starts_with(CALLBACK), "{location}");
    assert_eq!(
        page.answer.location_param("error").as_deref(),
        Some(error),
        "{location}"
    );
}

#[track_caller]
pub fn expect_page(page: &Page, error: &str) {
    page.answer.expect_error(400, error);
    assert_eq!(page.answer.header("location"), None);
}

pub async fn signed_in(scene: &Scene, signer: &Signer) -> Browser {
    let mut browser = scene.app.browser();
    expect_code(&signer.rp.authorize(&mut browser, &scene.user, &[]).await);
    browser
}

/// A site that publishes keys, and how often it was asked for them.
fn publish(keys: &Value) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (asked, body) = (Arc::new(AtomicUsize::new(0)), keys.to_string());
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/jwk-set+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (format!("http://localhost:{}/jwks", address.port()), asked)
}

app_test! {
    /// RFC 9101 §5, §6: a whole flow, by every algorithm that the metadata names.
    async fn a_signed_request_is_a_request(app: TestApp) {
        let scene = Scene::new(app).await;
        let metadata = scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        assert_eq!((&metadata["request_parameter_supported"], &metadata["request_uri_parameter_supported"]), (&json!(true), &json!(false)));
        let supported: Vec<SigningAlgorithm> = serde_json::from_value(metadata["request_object_signing_alg_values_supported"].clone()).expect("names");
        assert_eq!(supported, SigningAlgorithm::ALL);
        for algorithm in supported {
            let signer = Signer::by(&scene, algorithm, json!({})).await;
            let mut browser = scene.app.browser();
            let more = json!({ "state": "signed-state", "nonce": "signed-nonce", "max_age": 600, "claims": { "id_token": { "email": null } } });
            let page = browser.open(&signer.url(&signer.object(&scene, &more), &[])).await;
            let page = browser.pass(page, &scene.user).await;
            let code = expect_code(&page);
            assert_eq!(page.answer.location_param("state").as_deref(), Some("signed-state"), "{algorithm}");
            let tokens = signer.rp.redeem(&code).await.expect_ok().json();
            let id_token = claims(text(&tokens, "id_token"));
            assert_eq!((&id_token["nonce"], &id_token["email"]), (&json!("signed-nonce"), &json!("ana@acme.example")));
            assert!(id_token["auth_time"].is_number(), "{id_token}");
        }
    }

    async fn it_comes_by_post_too(app: TestApp) {
        let scene = Scene::new(app).await;
        let signer = Signer::new(&scene, json!({})).await;
        let mut browser = signed_in(&scene, &signer).await;
        let (id, object) = (signer.rp.client.client_id(), signer.object(&scene, &json!({})));
        let answer = browser.post_from(&scene.tenant.url("/authorize"), &[("client_id", &id), ("request", &object)], Some("https://signed.example")).await;
        let next = url::Url::parse(&scene.tenant.issuer).expect("a URL").join(answer.header("location").expect("a redirect")).expect("a URL");
        expect_code(&browser.open(next.as_str()).await);
    }

    /// OpenID Connect Core §6.1: the object's values win, and what it leaves out may stand beside it.
    async fn its_values_win_over_the_querys(app: TestApp) {
        let scene = Scene::new(app).await;
        let signer = Signer::new(&scene, json!({ "redirect_uris": [CALLBACK, "https://signed.example/other"] })).await;
        let mut browser = signed_in(&scene, &signer).await;
        let object = signer.object(&scene, &json!({ "state": "inside", "nonce": null, "redirect_uri": "https://signed.example/other", "scope": "openid email" }));
        let page = browser.open(&signer.openid_url(&object, &[("state", "outside"), ("nonce", "outside"), ("display", "popup")])).await;
        let code = expect_code(&page);
        assert!(page.answer.location().as_str().starts_with("https://signed.example/other"));
        assert_eq!(page.answer.location_param("state").as_deref(), Some("inside"));
        let mut rp = signer.rp.clone();
        rp.client.metadata.redirect_uris = vec!["https://signed.example/other".into()];
        let tokens = rp.redeem(&code).await.expect_ok().json();
        assert_eq!((claims(text(&tokens, "id_token"))["nonce"].clone(), tokens["scope"].clone()), (json!("outside"), json!("openid email")));
        // §6.1: those two must be the same inside and out.
        for (more, query) in [(json!({ "response_type": "token" }), vec![]), (json!({}), vec![("response_type", "token")])] {
            let page = browser.open(&signer.openid_url(&signer.object(&scene, &more), &query)).await;
            assert_eq!(page.response().get("error"), "invalid_request_object", "{more}");
        }
    }

    /// RFC 9101 §6.3: beside a query that is none without it, and of a client that signs always, only the object counts.
    async fn only_the_object_counts_where_rfc_9101_rules(app: TestApp) {
        let scene = Scene::new(app).await;
        let (plain, strict) = (Signer::new(&scene, json!({})).await, Signer::new(&scene, json!({ "require_signed_request_object": true })).await);
        let mut browser = signed_in(&scene, &plain).await;
        let object = plain.object(&scene, &json!({ "state": null }));
        let page = browser.open(&plain.url(&object, &[("state", "outside"), ("prompt", "login"), ("scope", "sorcery"), ("redirect_uri", CALLBACK)])).await;
        expect_code(&page);
        assert_eq!(page.answer.location_param("state"), None);
        let object = strict.object(&scene, &json!({ "state": null, "nonce": null }));
        let page = browser.open(&strict.openid_url(&object, &[("state", "outside"), ("nonce", "outside"), ("prompt", "login"), ("scope", "openid")])).await;
        let code = expect_code(&page);
        assert_eq!(page.answer.location_param("state"), None);
        let tokens = strict.rp.redeem(&code).await.expect_ok().json();
        assert_eq!((&claims(text(&tokens, "id_token"))["nonce"], &tokens["scope"]), (&Value::Null, &json!("openid profile")));
        // What the object lacks is missing.
        let object = plain.object(&scene, &json!({ "response_type": null }));
        expect_redirect(&browser.open(&plain.url(&object, &[("response_type", "code")])).await, "invalid_request");
    }

    /// RFC 9101 §10.5, and SECURITY: unsigned where signing is registered.
    async fn a_client_may_have_to_sign(app: TestApp) {
        let scene = Scene::new(app).await;
        let signer = Signer::new(&scene, json!({ "require_signed_request_object": true })).await;
        let mut browser = scene.app.browser();
        let unsigned = format!("{}.{}.", encode(&json!({ "alg": "none" })), encode(&signer.claims(&scene, &json!({}))));
        expect_redirect(&browser.open(&signer.rp.authorization_url(&[])).await, "invalid_request");
        expect_redirect(&browser.open(&signer.openid_url(&unsigned, &[])).await, "invalid_request_object");
        signer.rp.push(&[]).await.expect_error(400, "invalid_request");
        signer.push(&unsigned, &[]).await.expect_error(400, "invalid_request_object");
        // Signed, it goes its way over every page.
        let page = browser.open(&signer.url(&signer.object(&scene, &json!({ "prompt": "consent" })), &[])).await;
        page.expect_id("password");
        let page = browser.pass(page, &scene.user).await;
        expect_code(&page);
        let answer = signer.push(&signer.object(&scene, &json!({})), &[]).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        expect_code(&browser.open(&signer.rp.pushed_url(text(&answer.json(), "request_uri"), &[])).await);
    }

    async fn the_registered_algorithm_is_the_only_one(app: TestApp) {
        let scene = Scene::new(app).await;
        let other = key(SigningAlgorithm::EdDsa);
        let signer = Signer::new(&scene, json!({ "request_object_signing_alg": "EdDSA" })).await;
        let id = signer.rp.client.id;
        let both = json!({ "keys": [signer.key.public_jwk(), other.public_jwk()] });
        let add = move |repo: &mut tessera::storage::Repo<'_>| {
            let mut client = repo.find_client(id)?.expect("a client");
            client.metadata.jwks = Some(both.clone());
            repo.update_client(&client)
        };
        assert!(scene.write(add).await);
        let mut browser = scene.app.browser();
        let claims = signer.claims(&scene, &json!({}));
        expect_redirect(&browser.open(&signer.url(&signer.key.sign_jwt(TYP, &claims).expect("signed"), &[])).await, "invalid_request_object");
        browser.open(&signer.url(&other.sign_jwt(TYP, &claims).expect("signed"), &[])).await.expect_id("password");
    }

    /// RFC 9101 §6.2, §10: whatever isn't the client's own, for this issuer and for now, at both endpoints.
    async fn what_is_not_the_clients_own_is_refused(app: TestApp) {
        let scene = Scene::new(app).await;
        let signer = Signer::new(&scene, json!({})).await;
        let other = Signer::new(&scene, json!({})).await;
        let globex = scene.app.tenant("globex").await;
        let now = scene.app.provider.clock.unix();
        let sound = signer.claims(&scene, &json!({}));
        let good = signer.object(&scene, &json!({}));
        let parts: Vec<&str> = good.split('.').collect();
        let jwk = signer.key.public_jwk();
        let kid = crate::support::relying_party::header(&good)["kid"].clone();
        let with_header = |header: &Value| format!("{}.{}.{}", encode(header), parts[1], parts[2]);
        // The public key as an HMAC secret.
        let confused = {
            let input = format!("{}.{}", encode(&json!({ "alg": "HS256", "kid": kid })), parts[1]);
            let secret = openssl::pkey::PKey::hmac(jwk.to_string().as_bytes()).expect("a key");
            let mut mac = openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &secret).expect("a signer");
            let mac = mac.sign_oneshot_to_vec(input.as_bytes()).expect("a MAC");
            format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac))
        };
        let tampered = format!("{}.{}.{}", parts[0], encode(&signer.claims(&scene, &json!({ "scope": "openid email" }))), parts[2]);
        let mut wrong = vec![
            confused, tampered,
            other.key.sign_jwt(TYP, &sound).expect("signed"),
            other.object(&scene, &json!({})),
            other.object(&scene, &json!({ "iss": signer.rp.client.client_id(), "client_id": signer.rp.client.client_id() })),
            signer.key.sign_jwt("at+jwt", &sound).expect("signed"),
            signer.key.sign_jwt("client-authentication+jwt", &sound).expect("signed"),
            format!("{}.{}.", encode(&json!({ "alg": "none" })), parts[1]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
            with_header(&json!({ "alg": "none" })),
            with_header(&json!({ "alg": "HS256", "kid": kid })),
            with_header(&json!({ "alg": "RS256", "kid": kid })),
            with_header(&json!({ "alg": "ES256", "kid": "../../etc/passwd" })),
            with_header(&json!({ "alg": "ES256", "kid": kid, "crit": ["b64"], "b64": false })),
            with_header(&json!({ "alg": "ES256", "jwk": jwk })),
            with_header(&json!({ "alg": "ES256", "jku": "https://evil.example/jwks" })),
            // Five parts: encrypted objects aren't read.
            format!("{good}.x.y"),
            "x".into(), "a.b.c".into(), "%00".into(), "é".into(), "[".repeat(8_000),
        ];
        for more in [
            json!({ "iss": null }), json!({ "iss": other.rp.client.client_id() }), json!({ "iss": scene.tenant.issuer }), json!({ "iss": [signer.rp.client.client_id()] }),
            json!({ "aud": null }), json!({ "aud": globex.issuer }), json!({ "aud": [globex.issuer] }), json!({ "aud": scene.tenant.url("/") }), json!({ "aud": 1 }),
            json!({ "exp": now - 60 }), json!({ "exp": "later" }), json!({ "nbf": now + 61 }), json!({ "iat": now + 61 }),
            json!({ "sub": signer.rp.client.client_id() }),
            json!({ "request": "x.y.z" }), json!({ "request_uri": "https://signed.example/request" }), json!({ "request_uri": null, "request": "" }),
            json!({ "client_id": other.rp.client.client_id() }), json!({ "client_id": 1 }),
            json!({ "state": 7 }), json!({ "state": "a\u{0}b" }), json!({ "redirect_uri": [CALLBACK] }), json!({ "claims": [] }), json!({ "scope": ["openid"] }), json!({ "resource": [1] }),
        ] {
            wrong.push(signer.object(&scene, &more));
        }
        let mut browser = signed_in(&scene, &signer).await;
        for object in &wrong {
            for url in [signer.url(object, &[]), signer.openid_url(object, &[])] {
                let page = browser.open(&url).await;
                assert!(page.answer.status == 303, "{url}: {} {}", page.answer.status, page.answer.body);
                expect_redirect(&page, "invalid_request_object");
            }
            signer.push(object, &[]).await.expect_error(400, "invalid_request_object");
        }
        assert_eq!(scene.app.database.raw().count("pushed_requests"), 0);
        // Their legitimate twins.
        for more in [json!({}), json!({ "aud": [scene.tenant.issuer, "https://other.example"] }), json!({ "exp": null, "nbf": null, "iat": null }), json!({ "nbf": now + 10 }), json!({ "client_id": null })] {
            expect_code(&browser.open(&signer.url(&signer.object(&scene, &more), &[])).await);
            assert_eq!(signer.push(&signer.object(&scene, &more), &[]).await.status, 201, "{more}");
        }
        let untyped = signer.key.sign_jwt("JWT", &sound).expect("signed");
        expect_code(&browser.open(&signer.url(&untyped, &[])).await);
    }

    /// RFC 6749 §4.1.2.1: no redirect before client and URI are known to be sound, whoever signed what.
    async fn a_redirect_is_trusted_or_not_made(app: TestApp) {
        let scene = Scene::new(app).await;
        let one = Signer::new(&scene, json!({})).await;
        let two = Signer::new(&scene, json!({ "redirect_uris": [CALLBACK, "https://signed.example/other"] })).await;
        let mut browser = signed_in(&scene, &one).await;
        let evil = ("redirect_uri", "https://evil.example/");
        expect_page(&browser.open(&one.url(&one.object(&scene, &json!({ "redirect_uri": "https://evil.example/" })), &[])).await, "invalid_request");
        expect_page(&browser.open(&one.url(&one.object(&scene, &json!({ "redirect_uri": "https://evil.example/" })), &[("redirect_uri", CALLBACK)])).await, "invalid_request");
        expect_page(&browser.open(&one.url("x.y.z", &[evil])).await, "invalid_request");
        expect_page(&browser.open(&one.openid_url("x.y.z", &[evil])).await, "invalid_request");
        // With several registered it isn't clear where the answer would go, as long as the object isn't believed.
        expect_page(&browser.open(&two.url("x.y.z", &[])).await, "invalid_request");
        expect_redirect(&browser.open(&two.url("x.y.z", &[("redirect_uri", CALLBACK)])).await, "invalid_request_object");
        let page = browser.open(&two.url("x.y.z", &[("redirect_uri", CALLBACK), ("state", "outside")])).await;
        assert_eq!(page.answer.location_param("state").as_deref(), Some("outside"));
        // A sound object says where.
        expect_redirect(&browser.open(&two.url(&two.object(&scene, &json!({ "scope": "openid sorcery" })), &[])).await, "invalid_scope");
        expect_code(&browser.open(&two.url(&two.object(&scene, &json!({})), &[])).await);
        // An unknown client's object is nobody's.
        let stranger = one.url(&one.object(&scene, &json!({})), &[]).replace(&one.rp.client.client_id(), "018f3a4e-1111-7222-8333-444455556666");
        expect_page(&browser.open(&stranger).await, "invalid_request");
        let globex = scene.app.tenant("globex").await;
        let elsewhere = one.url(&one.object(&scene, &json!({})), &[]).replace(&scene.tenant.issuer, &globex.issuer);
        expect_page(&browser.open(&elsewhere).await, "invalid_request");
    }

    async fn one_request_and_of_a_sane_size(app: TestApp) {
        let scene = Scene::new(app).await;
        let signer = Signer::new(&scene, json!({})).await;
        let mut browser = signed_in(&scene, &signer).await;
        let object = signer.object(&scene, &json!({}));
        expect_redirect(&browser.open(&signer.url(&object, &[("request", &object)])).await, "invalid_request");
        expect_redirect(&browser.open(&signer.url(&object, &[("request_uri", "https://signed.example/request")])).await, "invalid_request");
        expect_redirect(&browser.open(&signer.rp.authorization_url(&[("request_uri", "https://signed.example/request")])).await, "request_uri_not_supported");
        let huge = signer.object(&scene, &json!({ "unknown": "x".repeat(20_000) }));
        expect_redirect(&browser.open(&signer.url(&huge, &[])).await, "invalid_request_object");
        signer.push(&huge, &[]).await.expect_error(400, "invalid_request_object");
        signer.push(&object, &[("request", &object)]).await.expect_error(400, "invalid_request");
        // Two of the same name within are one too many as well.
        let twice = signer.object(&scene, &json!({ "resource": ["urn:nobody", "urn:nobody"] }));
        expect_redirect(&browser.open(&signer.url(&twice, &[])).await, "invalid_target");
        // A client without keys has nothing to sign with.
        let bare = Signer::new(&scene, json!({ "jwks": null })).await;
        expect_redirect(&browser.open(&bare.url(&bare.object(&scene, &json!({})), &[])).await, "invalid_request_object");
    }

    /// Keys by reference are fetched as for client assertions: once, again for an unknown one after a while, and not for nothing.
    async fn keys_are_fetched_from_their_address(app: TestApp) {
        let scene = Scene::new(app).await;
        let (published, unknown) = (key(SigningAlgorithm::Es256), key(SigningAlgorithm::Es256));
        let (address, asked) = publish(&json!({ "keys": [published.public_jwk()] }));
        let mut signer = Signer::new(&scene, json!({ "jwks": null, "jwks_uri": address })).await;
        let mut browser = signed_in(&scene, &signer).await;
        let unsigned = format!("{}.{}.", encode(&json!({ "alg": "none" })), encode(&json!({})));
        for nonsense in ["x", "a.b.c", &unsigned] {
            expect_redirect(&browser.open(&signer.url(nonsense, &[])).await, "invalid_request_object");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        signer.key = published;
        for _ in 0..3 {
            expect_code(&browser.open(&signer.url(&signer.object(&scene, &json!({})), &[])).await);
        }
        assert_eq!(signer.push(&signer.object(&scene, &json!({})), &[]).await.status, 201);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        signer.key = unknown;
        for _ in 0..3 {
            expect_redirect(&browser.open(&signer.url(&signer.object(&scene, &json!({})), &[])).await, "invalid_request_object");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1, "an invented key is looked for a minute later at the earliest");
        // Nobody there.
        let gone = Signer::new(&scene, json!({ "jwks": null, "jwks_uri": "http://localhost:1/jwks" })).await;
        expect_redirect(&browser.open(&gone.url(&gone.object(&scene, &json!({})), &[])).await, "temporarily_unavailable");
    }

    /// RFC 9126 §3: in a push nothing counts beside it but what authenticates the client.
    async fn it_may_be_pushed(app: TestApp) {
        let scene = Scene::new(app).await;
        let signer = Signer::new(&scene, json!({ "require_pushed_authorization_requests": true })).await;
        let mut browser = scene.app.browser();
        expect_redirect(&browser.open(&signer.url(&signer.object(&scene, &json!({})), &[])).await, "invalid_request");
        let object = signer.object(&scene, &json!({ "state": "inside", "nonce": null }));
        let id = signer.rp.client.client_id();
        let beside = [("client_id", id.as_str()), ("state", "outside"), ("nonce", "outside"), ("scope", "openid sorcery"), ("response_type", "token"), ("redirect_uri", "https://evil.example/")];
        let answer = signer.push(&object, &beside).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let page = browser.open(&signer.rp.pushed_url(text(&answer.json(), "request_uri"), &[])).await;
        let page = browser.pass(page, &scene.user).await;
        let code = expect_code(&page);
        assert_eq!(page.answer.location_param("state").as_deref(), Some("inside"));
        let tokens = signer.rp.redeem(&code).await.expect_ok().json();
        assert_eq!(claims(text(&tokens, "id_token"))["nonce"], Value::Null);
        // What the object asks for is checked as anything else.
        for (more, error) in [(json!({ "scope": "openid sorcery" }), "invalid_scope"), (json!({ "redirect_uri": "https://evil.example/" }), "invalid_request"), (json!({ "response_type": null }), "invalid_request")] {
            signer.push(&signer.object(&scene, &more), &[("response_type", "code")]).await.expect_error(400, error);
        }
        // A machine that somebody else runs can't push it for the client.
        let other = Signer::new(&scene, json!({})).await;
        other.push(&object, &[]).await.expect_error(400, "invalid_request_object");
    }
}
