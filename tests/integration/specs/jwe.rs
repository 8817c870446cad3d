//! What is encrypted to clients (RFC 7516; OpenID Connect Core §10.2, §5.3.2; JARM §3; RFC 9701 §6), opened here by josekit as a client would.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jwe::{ECDH_ES, JweDecrypter, JweEncrypter, JweHeader, RSA_OAEP_256};
use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use josekit::jwk::alg::ecx::{EcxCurve, EcxKeyPair};
use josekit::jwk::alg::rsa::RsaKeyPair;
use josekit::jwk::{Jwk, KeyPair as _};
use serde_json::{Value, json};
use tessera::jobs;
use tessera::jose::keys::VerificationKey;

use super::front_channel::{ask, client, signed_in, verified};
use super::jar::{Signer, encode, expect_code, expect_redirect};
use super::seed::{Scene, text};
use crate::support::admin::Admin;
use crate::support::app::app_test;
use crate::support::http::Answer;
use crate::support::receiver::{Answering, Receiver};
use crate::support::relying_party::{RelyingParty, header};

const INTROSPECTION: &str = "application/token-introspection+jwt";
const ANSWERS: [&str; 4] = ["id_token", "userinfo", "authorization", "introspection"];

/// A client's key that it decrypts by.
pub struct Own {
    private: Jwk,
    pub public: Value,
    alg: &'static str,
}

impl Own {
    fn new(pair: Jwk, public: Jwk, alg: &'static str, kid: &str) -> Self {
        let mut public = Value::Object(public.into());
        public["kid"] = kid.into();
        public["use"] = "enc".into();
        Self {
            private: pair,
            public,
            alg,
        }
    }

    pub fn ec() -> Self {
        let pair = EcKeyPair::generate(EcCurve::P256).expect("a key");
        let (private, public) = (pair.to_jwk_key_pair(), pair.to_jwk_public_key());
        Self::new(private, public, "ECDH-ES", "own-ec")
    }

    fn x25519() -> Self {
        let pair = EcxKeyPair::generate(EcxCurve::X25519).expect("a key");
        let (private, public) = (pair.to_jwk_key_pair(), pair.to_jwk_public_key());
        Self::new(private, public, "ECDH-ES", "own-x25519")
    }

    fn rsa() -> Self {
        static PAIR: LazyLock<(Jwk, Jwk)> = LazyLock::new(|| {
            let pair = RsaKeyPair::generate(2048).expect("a key");
            (pair.to_jwk_key_pair(), pair.to_jwk_public_key())
        });
        let (private, public) = PAIR.clone();
        Self::new(private, public, "RSA-OAEP-256", "own-rsa")
    }

    fn decrypter(&self) -> Box<dyn JweDecrypter> {
        match self.alg {
            "ECDH-ES" => Box::new(ECDH_ES.decrypter_from_jwk(&self.private).expect("a key")),
            _ => Box::new(
                RSA_OAEP_256
                    .decrypter_from_jwk(&self.private)
                    .expect("a key"),
            ),
        }
    }

    /// The content, and what the header says of it.
    #[track_caller]
    fn open(&self, token: &str) -> (String, JweHeader) {
        let (content, header) = josekit::jwe::deserialize_compact(token, &*self.decrypter())
            .unwrap_or_else(|error| panic!("{error}: {token}"));
        (String::from_utf8(content).expect("text"), header)
    }

    /// The signed token within.
    #[track_caller]
    pub(super) fn nested(&self, token: &str, enc: &str) -> String {
        let (content, header) = self.open(token);
        assert_eq!(
            (
                header.algorithm(),
                header.content_encryption(),
                header.content_type(),
                header.key_id()
            ),
            (
                Some(self.alg),
                Some(enc),
                Some("JWT"),
                self.public["kid"].as_str()
            )
        );
        assert!(header.compression().is_none());
        content
    }
}

/// A client that has everything encrypted, the further members replaced.
pub(super) async fn secretive(
    scene: &Scene,
    keys: Value,
    alg: &str,
    enc: Option<&str>,
    more: Value,
) -> RelyingParty {
    let mut metadata = json!({ "userinfo_signed_response_alg": "ES256", "authorization_signed_response_alg": "ES256", "introspection_signed_response_alg": "ES256" });
    for answer in ANSWERS {
        metadata[format!("{answer}_encrypted_response_alg")] = alg.into();
        if let Some(enc) = enc {
            metadata[format!("{answer}_encrypted_response_enc")] = enc.into();
        }
    }
    match keys {
        Value::String(uri) => metadata["jwks_uri"] = uri.into(),
        keys => metadata["jwks"] = json!({ "keys": keys }),
    }
    for (name, value) in more.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    client(scene, metadata).await
}

async fn asked(rp: &RelyingParty, token: &str) -> Answer {
    let request = rp.authenticated("/introspect", &[("token", token)]);
    request.header("accept", INTROSPECTION).send().await
}

/// Nothing that could be read without a key: no claims, no token.
#[track_caller]
fn says_nothing(answer: &Answer) {
    assert!(
        !answer.body.contains("eyJ") && !answer.body.contains("ana@"),
        "{}",
        answer.body
    );
}

app_test! {
    async fn every_answer_is_encrypted_to_the_client(app: TestApp) {
        let scene = Scene::new(app).await;
let mut signing = Own::ec().public;
        (signing["use"], signing["kid"]) = ("sig".into(), "sig".into());
        for (own, enc, named) in [(Own::rsa(), "A128CBC-HS256", None), (Own::ec(), "A128GCM", Some("A128GCM")), (Own::x25519(), "A256GCM", Some("A256GCM"))] {
            // The key for signatures that stands before it is none to encrypt to.
            let rp = secretive(&scene, json!([signing, own.public]), own.alg, named, json!({})).await;
            let mut browser = scene.app.browser();
            let tokens = rp.sign_in(&mut browser, &scene.user).await;
            let encrypted = tokens.id_token.clone().expect("an ID token");
            let id_token = own.nested(&encrypted, enc);
            let claims = verified(&scene, &id_token, "JWT").await;
            assert_eq!((&claims["aud"], &claims["sub"], &claims["nonce"]), (&json!(rp.client.client_id()), &json!(scene.user.id), &json!("a-nonce")));
            // §3.1.2.1: as a hint it has to be decrypted first.
            for (hint, error) in [(&id_token, None), (&encrypted, Some("invalid_request"))] {
                let page = browser.open(&rp.authorization_url(&[("prompt", "none"), ("id_token_hint", hint)])).await;
                assert_eq!(page.answer.location_param("error").as_deref(), error);
            }

            let told = rp.userinfo(&tokens.access_token).await.expect_ok();
            assert_eq!(told.header("content-type"), Some("application/jwt"));
            let info = verified(&scene, &own.nested(&told.body, enc), "JWT").await;
            assert_eq!((&info["sub"], &info["email"], &info["aud"]), (&json!(scene.user.id), &json!("ana@acme.example"), &json!(rp.client.client_id())));

            let answer = ask(&rp, &mut browser, "code id_token", &[("response_mode", "jwt")]).await;
            let told = verified(&scene, &own.nested(answer.get("response"), enc), "JWT").await;
            let inner = verified(&scene, &own.nested(text(&told, "id_token"), enc), "JWT").await;
            assert_eq!(inner["aud"], json!(rp.client.client_id()));
            // An error as well.
            let refused = ask(&rp, &mut browser, "code", &[("response_mode", "jwt"), ("scope", "openid sorcery")]).await;
            let told = verified(&scene, &own.nested(refused.get("response"), enc), "JWT").await;
            assert_eq!((refused.names(), &told["error"]), (vec!["response"], &json!("invalid_scope")));

            let answer = asked(&rp, &tokens.access_token).await.expect_ok();
            assert_eq!(answer.header("content-type"), Some(INTROSPECTION));
            let told = verified(&scene, &own.nested(&answer.body, enc), "token-introspection+jwt").await;
            assert_eq!(told["token_introspection"]["active"], true);
            // Encrypted, it passes for no token of ours.
            rp.userinfo(&encrypted).await.expect_error(401, "invalid_token");
            assert!(!scene.is_active(&encrypted).await);
        }
    }

    /// Core §5.3.2: "The `UserInfo` Response MAY be encrypted without also being signed."
    async fn userinfo_may_be_encrypted_alone(app: TestApp) {
        let scene = Scene::new(app).await;
        let own = Own::ec();
        let rp = client(&scene, json!({ "jwks": { "keys": [own.public] }, "userinfo_encrypted_response_alg": "ECDH-ES" })).await;
        let tokens = rp.sign_in(&mut scene.app.browser(), &scene.user).await;
        assert_eq!(header(tokens.id_token.as_deref().expect("an ID token"))["alg"], "ES256", "what isn't registered stays as it was");
        let told = rp.userinfo(&tokens.access_token).await.expect_ok();
        assert_eq!((told.header("content-type"), told.header("cache-control")), (Some("application/jwt"), Some("no-store")));
        let (content, header) = own.open(&told.body);
        assert_eq!((header.content_type(), header.content_encryption()), (None, Some("A128CBC-HS256")));
        let info: Value = serde_json::from_str(&content).expect("JSON");
        assert_eq!((&info["sub"], &info["email"], &info["iss"]), (&json!(scene.user.id), &json!("ana@acme.example"), &json!(scene.tenant.issuer)));
        // The others get theirs as ever.
        let (mut browser, plain) = (scene.app.browser(), &scene.rp);
        let tokens = plain.sign_in(&mut browser, &scene.user).await;
        assert_eq!(plain.userinfo(&tokens.access_token).await.expect_ok().header("content-type"), Some("application/json"));
    }

    /// Never in the clear: by each endpoint an error of its own form, and nothing is used up that could be used later.
    async fn without_a_key_there_is_no_answer(app: TestApp) {
        let scene = Scene::new(app).await;
        let (own, server) = (Own::ec(), Receiver::start());
        let publish = |keys: Value| server.answer(Answering::Body("application/json", json!({ "keys": keys }).to_string()));
        let mut signing = Own::ec().public;
        signing["use"] = "sig".into();
        publish(json!([signing, Own::rsa().public]));
        let rp = secretive(&scene, json!(server.url("/jwks")), "ECDH-ES", None, json!({ "id_token_encrypted_response_alg": null, "id_token_encrypted_response_enc": null })).await;
        let tokens = rp.sign_in(&mut scene.app.browser(), &scene.user).await;
        let strict = secretive(&scene, json!(server.url("/jwks")), "ECDH-ES", None, json!({})).await;
        let mut browser = signed_in(&scene).await;

        let refused = rp.userinfo(&tokens.access_token).await;
        says_nothing(&refused);
        refused.expect_error(400, "invalid_request");
        let refused = asked(&rp, &tokens.access_token).await;
        says_nothing(&refused);
        refused.expect_error(400, "invalid_request");
        // Asked for so, it is said so.
        assert_eq!(rp.introspect(&tokens.access_token).await["active"], true);
        // An answer that has to be encrypted can't be one, and an error neither.
        for more in [&[][..], &[("scope", "openid sorcery")]] {
            let mut all = vec![("response_mode", "jwt")];
            all.extend_from_slice(more);
            let page = browser.open(&rp.authorization_url(&all)).await;
            says_nothing(&page.answer);
            page.answer.expect_error(400, "invalid_request");
        }
        rp.push(&[("response_mode", "jwt")]).await.expect_error(400, "invalid_request");
        // One of which only a part has to be encrypted is an error.
        let answer = ask(&strict, &mut browser, "id_token", &[]).await;
        assert_eq!((answer.get("error"), answer.names().contains(&"id_token")), ("invalid_request", false));
        strict.push(&[("response_type", "id_token")]).await.expect_error(400, "invalid_request");
        let code = strict.code(&mut browser, &scene.user).await;
        let refused = strict.redeem(&code).await;
        says_nothing(&refused);
        refused.expect_error(400, "invalid_request");
        let asked_for = server.received().len();
        assert_eq!(asked_for, 2, "each client's keys are fetched once a minute");

        // The client publishes one: the code is as good as before, and so is the token.
        publish(json!([signing, own.public]));
        scene.app.time.advance(Duration::from_secs(59));
        strict.redeem(&code).await.expect_error(400, "invalid_request");
        let code = strict.code(&mut browser, &scene.user).await;
        strict.redeem(&code).await.expect_error(400, "invalid_request");
        scene.app.time.advance(Duration::from_secs(2));
        let answer = strict.redeem(&code).await.expect_ok().json();
        verified(&scene, &own.nested(text(&answer, "id_token"), "A128CBC-HS256"), "JWT").await;
        own.nested(&rp.userinfo(&tokens.access_token).await.expect_ok().body, "A128CBC-HS256");
        assert_eq!(server.received().len(), asked_for + 2);
        // Nobody there at all: that may pass.
        let gone = secretive(&scene, json!("http://localhost:1/jwks"), "ECDH-ES", None, json!({})).await;
        let code = gone.code(&mut browser, &scene.user).await;
        gone.redeem(&code).await.expect_error(503, "temporarily_unavailable");
    }

    /// Back-Channel Logout §2.6: "If ID Token encryption was negotiated with the OP at Registration time and the Logout Token is not encrypted, the
    /// RP SHOULD reject it."
    async fn logout_tokens_are_encrypted_as_id_tokens_are(app: TestApp) {
        let scene = Scene::new(app).await;
        let (own, server) = (Own::ec(), Receiver::start());
        let rp = secretive(&scene, json!([own.public]), "ECDH-ES", Some("A256GCM"), json!({ "backchannel_logout_uri": server.url("/out") })).await;
        let mut browser = scene.app.browser();
        let tokens = rp.sign_in(&mut browser, &scene.user).await;
        let hint = own.nested(tokens.id_token.as_deref().expect("an ID token"), "A256GCM");
        browser.open(&format!("{}?id_token_hint={hint}", scene.tenant.url("/logout"))).await.answer.expect_ok();
        jobs::logout::deliver_due(&scene.app.provider).await.expect("storage works");
        let told = verified(&scene, &own.nested(&server.tokens()[0], "A256GCM"), "logout+jwt").await;
        assert_eq!((&told["sub"], &told["aud"]), (&json!(scene.user.id), &json!(rp.client.client_id())));
    }
}

/// The tenant's keys that requests are encrypted to.
pub(super) async fn published(scene: &Scene) -> Vec<Value> {
    let answer = scene.app.get(&scene.tenant.url("/jwks")).send().await;
    let keys = answer.expect_ok().json();
    let keys = keys["keys"].as_array().expect("keys").iter();
    keys.filter(|key| key["use"] == "enc").cloned().collect()
}

/// The tenant takes encrypted requests from now on, as an administrator has it.
pub(super) async fn take_encrypted(scene: &Scene, on: bool) {
    let admin = Admin::program(&scene.app, &scene.tenant).await;
    let answer = admin
        .patch(
            "/tenants/acme/settings",
            &json!({ "request_object_encryption": on }),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Encrypts to a key as a client would; `more` is put into the header.
pub(super) fn sealed(key: &Value, enc: &str, content: &str, more: &Value) -> String {
    let public = Jwk::from_map(key.as_object().expect("a key").clone()).expect("a key");
    let mut header = JweHeader::new();
    header.set_content_encryption(enc);
    header.set_content_type("JWT");
    header.set_key_id(key["kid"].as_str().expect("a kid"));
    for (name, value) in more.as_object().expect("an object") {
        let value = Some(value.clone()).filter(|value| !value.is_null());
        header.set_claim(name, value).expect("a member");
    }
    let encrypter: Box<dyn JweEncrypter> = if key["kty"] == "RSA" {
        Box::new(RSA_OAEP_256.encrypter_from_jwk(&public).expect("a key"))
    } else {
        Box::new(ECDH_ES.encrypter_from_jwk(&public).expect("a key"))
    };
    josekit::jwe::serialize_compact(content.as_bytes(), &header, &*encrypter).expect("encrypted")
}

app_test! {
    /// docs/src/encryption.md: its client, the header of its ID token, and each pair of its metadata.
    async fn what_is_documented_is_so(app: TestApp) {
        let page = include_str!("../../../docs/src/encryption.md");
        let mut blocks = page.split("```json").skip(1).map(|rest| rest.split("```").next().expect("a block"));
        let mut block = || serde_json::from_str::<Value>(blocks.next().expect("a block")).expect("JSON");
        let (mut metadata, documented) = (block(), block());
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let made = admin.post("/tenants/acme/clients", &metadata).await;
        assert_eq!(made.status, 201, "{}", made.body);
        metadata["skip_consent"] = true.into();
        let rp = scene.with(&scene.app.client(&scene.tenant, metadata).await).with_scope("openid");
        let tokens = rp.sign_in(&mut scene.app.browser(), &scene.user).await;
        let id_token = tokens.id_token.expect("an ID token");
        let mut told = header(&id_token);
        (told["epk"]["x"], told["epk"]["y"]) = ("…".into(), "…".into());
        assert_eq!((told, id_token.split('.').count()), (documented, 5));
        for answer in ANSWERS {
            assert!(page.contains(&format!("`{answer}_encrypted_response_alg`")), "{answer}");
        }
    }

    /// RFC 9101 §6.1: decrypted, then verified as any other, at the authorization endpoint and in a push.
    async fn requests_may_be_encrypted_to_the_tenant(app: TestApp) {
        let scene = Scene::new(app).await;
        let signer = Signer::new(&scene, json!({})).await;
        let declared = Signer::new(&scene, json!({ "request_object_encryption_alg": "ECDH-ES", "request_object_encryption_enc": "A256GCM", "require_signed_request_object": true })).await;
        assert!(published(&scene).await.is_empty());
        take_encrypted(&scene, true).await;
        let keys = published(&scene).await;
        let names: Vec<_> = keys.iter().map(|key| text(key, "alg")).collect();
        assert!(names.len() == 2 && names.contains(&"RSA-OAEP-256") && names.contains(&"ECDH-ES"), "{names:?}");
        let mut browser = super::super::jar::signed_in(&scene, &signer).await;
        let object = signer.object(&scene, &json!({}));
        let nothing = json!({});
        for key in &keys {
            for enc in ["A128CBC-HS256", "A128GCM", "A256GCM"] {
                for more in [json!({}), json!({ "kid": null }), json!({ "cty": null, "iss": signer.rp.client.client_id() })] {
                    let token = sealed(key, enc, &object, &more);
                    expect_code(&browser.open(&signer.url(&token, &[])).await);
                }
                let token = sealed(key, enc, &object, &nothing);
                assert_eq!(signer.push(&token, &[]).await.status, 201);
            }
        }
        let ec = keys.iter().find(|key| key["kty"] == "EC").expect("there");
        let rsa = keys.iter().find(|key| key["kty"] == "RSA").expect("there");
        // What is within counts as ever.
        let other = Signer::new(&scene, json!({})).await;
        for (content, error) in [
            (signer.object(&scene, &json!({ "scope": "openid sorcery" })), "invalid_scope"),
            (signer.object(&scene, &json!({ "aud": "https://other.example" })), "invalid_request_object"),
            (other.object(&scene, &json!({})), "invalid_request_object"),
            (sealed(ec, "A128GCM", &object, &nothing), "invalid_request_object"),
            ("{\"client_id\":\"x\"}".to_owned(), "invalid_request_object"),
            ("\u{1f980}".to_owned(), "invalid_request_object"),
        ] {
            expect_redirect(&browser.open(&signer.url(&sealed(ec, "A128GCM", &content, &nothing), &[])).await, error);
        }
        // A client that registered one way may use another, or none (Dynamic Client Registration §2).
        let own = declared.object(&scene, &json!({}));
        for also in [sealed(ec, "A256GCM", &own, &nothing), own.clone(), sealed(ec, "A128GCM", &own, &nothing), sealed(rsa, "A256GCM", &own, &nothing)] {
            expect_code(&browser.open(&declared.url(&also, &[])).await);
        }
        // While it waits for its person, nothing of it can be read.
        let page = scene.app.browser().open(&signer.url(&sealed(ec, "A256GCM", &signer.object(&scene, &json!({ "login_hint": "whispered" })), &nothing), &[])).await;
        page.expect_id("password");
        let flow = page.hidden("flow").expect("a pending request");
        let carried = URL_SAFE_NO_PAD.decode(flow.trim_start_matches("tsi_")).expect("base64url");
        for told in ["whispered", "redirect_uri", signer.rp.client.redirect_uri()] {
            assert!(!carried.windows(told.len()).any(|part| part == told.as_bytes()), "{told}");
        }
        // Whoever has nothing to sign with has nothing to encrypt either.
        let bare = Signer::new(&scene, json!({ "jwks": null })).await;
        expect_redirect(&browser.open(&bare.url(&sealed(ec, "A256GCM", &bare.object(&scene, &json!({})), &nothing), &[])).await, "invalid_request_object");
        // The keys are for this alone: nothing that they would have signed is believed, and the tenant signs by none.
        for key in &keys {
            assert!(VerificationKey::from_jwk(key).is_err());
        }
        // Off again, they are neither published nor used.
        take_encrypted(&scene, false).await;
        assert!(published(&scene).await.is_empty());
        expect_redirect(&browser.open(&signer.url(&sealed(ec, "A256GCM", &object, &nothing), &[])).await, "invalid_request_object");
        expect_code(&browser.open(&signer.url(&object, &[])).await);
    }

    /// One answer to all that can't be opened, so that it tells nothing.
    async fn what_does_not_open_is_not_told_apart(app: TestApp) {
        let scene = Scene::new(app).await;
        take_encrypted(&scene, true).await;
        let signer = Signer::new(&scene, json!({})).await;
        let (globex, keys) = (scene.app.tenant("globex").await, published(&scene).await);
        scene.app.change_settings(&globex, |settings| settings.request_object_encryption = true).await;
        let theirs = scene.app.load(&globex).await;
        scene.app.provider.ensure_encryption_keys(&theirs).await.expect("keys");
        let there = scene.app.get(&globex.url("/jwks")).send().await.expect_ok().json();
        let foreign = there["keys"].as_array().expect("keys").iter().find(|key| key["kty"] == "EC" && key["use"] == "enc").expect("there").clone();
        let (object, nothing) = (signer.object(&scene, &json!({})), json!({}));
        let mut wrong = Vec::new();
        for key in &keys {
            for enc in ["A128CBC-HS256", "A256GCM"] {
                let sound = sealed(key, enc, &object, &nothing);
                let parts: Vec<&str> = sound.split('.').collect();
                for (part, encoded) in parts.iter().enumerate().skip(1) {
                    // A byte in the middle of each part changed; ECDH-ES has no key in the second.
                    let mut bytes = URL_SAFE_NO_PAD.decode(encoded).expect("base64url");
                    match bytes.len() {
                        0 => bytes.push(1),
                        length => bytes[length / 2] ^= 1,
                    }
                    let mut changed = parts.clone();
                    let text = URL_SAFE_NO_PAD.encode(bytes);
                    changed[part] = &text;
                    wrong.push(changed.join("."));
                }
                let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).expect("base64url")).expect("JSON");
                for (name, value) in [("zip", json!("DEF")), ("alg", json!("dir")), ("alg", json!("RSA1_5")), ("enc", json!("A192GCM")), ("kid", json!("unknown")), ("crit", json!(["exp"])), ("epk", json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" })), ("cty", json!("text/plain"))] {
                    if name == "epk" && key["kty"] == "RSA" {
                        continue;
                    }
                    let before = header[name].take();
                    header[name] = value;
                    wrong.push(format!("{}.{}", encode(&header), parts[1..].join(".")));
                    header[name] = before;
                    header.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
                }
            }
        }
        wrong.push(sealed(&foreign, "A128GCM", &object, &nothing));
        wrong.push(format!("{}....", encode(&json!({ "alg": "ECDH-ES", "enc": "A128GCM" }))));
        wrong.push("....".to_owned());
        wrong.push(sealed(&keys[0], "A128GCM", &"x".repeat(30_000), &nothing));
        let mut told = std::collections::BTreeSet::new();
        let mut browser = super::super::jar::signed_in(&scene, &signer).await;
        for token in &wrong {
            let answer = signer.push(token, &[]).await;
            assert_eq!(answer.status, 400, "{token}");
            told.insert(answer.body);
        }
        let page = browser.open(&signer.url(&wrong[0], &[])).await;
        expect_redirect(&page, "invalid_request_object");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told.first().is_some_and(|body| body.contains("invalid_request_object") && body.contains("decrypted")), "{told:?}");
    }

    /// A successor is encrypted to at once; what was encrypted to the one before opens for a day, and not when that was revoked.
    async fn keys_are_followed_and_revoked(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let refused = admin.post("/tenants/acme/keys/rotate", &json!({ "algorithm": "ECDH-ES" })).await;
        assert_eq!(refused.status, 409, "{}", refused.body);
        take_encrypted(&scene, true).await;
        let signer = Signer::new(&scene, json!({})).await;
        let mut browser = super::super::jar::signed_in(&scene, &signer).await;
        let ec = |keys: Vec<Value>| keys.into_iter().find(|key| key["kty"] == "EC").expect("there");
        let (old, nothing) = (ec(published(&scene).await), json!({}));
        let object = || signer.object(&scene, &json!({ "exp": null }));
        let made = admin.post("/tenants/acme/keys/rotate", &json!({ "algorithm": "ECDH-ES" })).await.expect_ok().json();
        assert_eq!(made["keys"][0]["state"], "encrypting");
        let new = ec(published(&scene).await);
        assert!(new["kid"] != old["kid"] && published(&scene).await.len() == 2, "{new}");
        for key in [&old, &new] {
            expect_code(&browser.open(&signer.url(&sealed(key, "A128GCM", &object(), &nothing), &[])).await);
        }
        let shown = admin.get(&format!("/tenants/acme/keys/{}", text(&old, "kid"))).await.expect_ok().json();
        assert_eq!((&shown["state"], &shown["algorithm"]), (&json!("retired"), &json!("ECDH-ES")));
        let revoked = admin.act(&format!("/tenants/acme/keys/{}/revoke", text(&old, "kid"))).await;
        assert_eq!(revoked.status, 200, "{}", revoked.body);
        expect_redirect(&browser.open(&signer.url(&sealed(&old, "A128GCM", &object(), &nothing), &[])).await, "invalid_request_object");
        // One that has come of age is followed as it is used.
        scene.app.time.advance(Duration::from_hours(400 * 24));
        let signer = Signer::new(&scene, json!({})).await;
        let mut browser = super::super::jar::signed_in(&scene, &signer).await;
        let object = signer.object(&scene, &json!({}));
        expect_code(&browser.open(&signer.url(&sealed(&new, "A128GCM", &object, &nothing), &[])).await);
        let next = ec(published(&scene).await);
        assert_ne!(next["kid"], new["kid"]);
        expect_code(&browser.open(&signer.url(&sealed(&new, "A128GCM", &object, &nothing), &[])).await);
        scene.app.time.advance(Duration::from_secs(86_400 + 301));
        let signer = Signer::new(&scene, json!({})).await;
        let object = signer.object(&scene, &json!({}));
        signer.push(&sealed(&new, "A128GCM", &object, &nothing), &[]).await.expect_error(400, "invalid_request_object");
        assert_eq!(signer.push(&sealed(&next, "A128GCM", &object, &nothing), &[]).await.status, 201);
    }
}
