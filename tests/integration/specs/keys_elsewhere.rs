//! Keys that others publish and that can't be fetched now: wherever one is needed, whoever asks is told to try again, and nobody is blamed. What
//! isn't going to change by waiting is a refusal as ever.

use serde_json::{Value, json};
use tessera::domain::settings::{RegistrationPolicy, SoftwareStatementIssuer};
use tessera::jose::keys::{RsaBits, SigningKey};
use tessera::protocol::SigningAlgorithm;

use super::ciba::{ask as ask_person, caller};
use super::jar::{self, expect_redirect};
use super::mtls::{self, BY_HEADER};
use super::registration::{expect_refused, register};
use super::seed::Scene;
use crate::support::app::on_both;
use crate::support::certificates::{Identity, Wanted};
use crate::support::dpop::with;
use crate::support::http::Answer;
use crate::support::receiver::{Answering, Receiver};

/// Who doesn't answer is given up soon.
const HASTY: &str = "egress_timeout = '300ms'\n";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What a host of keys does, and whether that may be otherwise soon.
fn hosts() -> Vec<(Answering, bool)> {
    let elsewhere = "https://elsewhere.example/jwks".to_owned();
    vec![
        (Answering::Never, true),
        (Answering::Status(500), true),
        (Answering::Status(503), true),
        (Answering::Status(429), true),
        (Answering::Status(404), false),
        (Answering::Redirect(elsewhere), false),
        (Answering::Body("application/json", "{}".to_owned()), false),
        (Answering::Body("text/html", "{}".to_owned()), false),
    ]
}

fn key() -> SigningKey {
    let key = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default());
    key.expect("a key").key
}

fn published(key: &SigningKey) -> Answering {
    let keys = json!({ "keys": [key.public_jwk()] });
    Answering::Body("application/json", keys.to_string())
}

#[track_caller]
fn expect_later(answer: &Answer) {
    answer.expect_error(503, "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.header("www-authenticate"), None);
    assert!(
        answer.body.contains("can't be fetched at present"),
        "{}",
        answer.body
    );
}

#[test]
fn a_client_whose_keys_cant_be_fetched_now_is_not_one_that_failed() {
    on_both(HASTY, |app| async move {
        let scene = Scene::new(app).await;
        let (host, key, stranger) = (Receiver::start(), key(), key());
        for (number, (answering, passes)) in hosts().into_iter().enumerate() {
            let metadata = json!({
                "redirect_uris": ["https://signed.example/callback"], "grant_types": ["authorization_code", "client_credentials"], "scope": "openid",
                "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": host.url("/jwks"),
            });
            let id = scene.app.client(&scene.tenant, metadata).await.client_id();
            let assertion = |key: &SigningKey| {
                let clock = &scene.app.provider.clock;
                let claims = json!({ "iss": id, "sub": id, "aud": scene.tenant.issuer, "iat": clock.unix(), "exp": clock.unix() + 60, "jti": clock.uuid_v7() });
                key.sign_jwt("JWT", &claims).expect("signed")
            };
            let send = async |path: &str, key: &SigningKey| {
                let assertion = assertion(key);
                let form = [
                    ("grant_type", "client_credentials"),
                    ("token", "x"),
                    ("client_assertion_type", ASSERTION),
                    ("client_assertion", &assertion),
                ];
                scene.app.post(&scene.tenant.url(path), &form).send().await
            };
            let failures = || scene.events("client.authentication_failed");
            let before = failures();
            host.answer(answering.clone());
            for path in ["/token", "/introspect", "/revoke", "/par"] {
                let answer = send(path, &key).await;
                if passes {
                    expect_later(&answer);
                } else {
                    answer.expect_error(401, "invalid_client");
                }
            }
            assert_eq!(
                host.received().len(),
                3 * number + 1,
                "a failure is remembered: {answering:?}"
            );
            assert_eq!(failures() - before, usize::from(!passes), "{answering:?}");
            // A minute later it is asked again; and a key that isn't the client's stays one.
            host.answer(published(&key));
            scene.app.time.advance(std::time::Duration::from_secs(61));
            assert_eq!(send("/token", &key).await.status, 200, "{answering:?}");
            send("/token", &stranger)
                .await
                .expect_error(401, "invalid_client");
            assert_eq!(failures() - before, 1 + usize::from(!passes));
            // What is there serves on while it can't be fetched again, and blames nobody either.
            host.answer(answering);
            scene
                .app
                .time
                .advance(std::time::Duration::from_secs(3_700));
            assert_eq!(send("/token", &key).await.status, 200);
        }
    });
}

#[test]
fn nor_is_one_that_shows_a_certificate() {
    on_both(&format!("{BY_HEADER}{HASTY}"), |app| async move {
        let scene = Scene::new(app).await;
        let host = Receiver::start();
        let own = Identity::self_signed(&Wanted::client(scene.app.provider.clock.unix()));
        let method = json!({ "token_endpoint_auth_method": "self_signed_tls_client_auth" });
        for (answering, passes) in hosts() {
            host.answer(answering);
            let metadata = with(
                mtls::machine(&method),
                &json!({ "jwks_uri": host.url("/jwks") }),
            );
            let rp = mtls::client_of(&scene.app, &scene.tenant, metadata).await;
            let before = scene.events("client.authentication_failed");
            let answer = mtls::ask(&rp, &own).await;
            if passes {
                expect_later(&answer);
            } else {
                answer.expect_error(401, "invalid_client");
            }
            let failures = scene.events("client.authentication_failed") - before;
            assert_eq!(failures, usize::from(!passes));
        }
    });
}

#[test]
fn nor_is_a_request_object_invalid() {
    on_both(HASTY, |app| async move {
        let scene = Scene::new(app).await;
        let host = Receiver::start();
        for (answering, passes) in hosts() {
            host.answer(answering);
            let keys = json!({ "jwks": null, "jwks_uri": host.url("/jwks") });
            let signer = jar::Signer::new(&scene, keys).await;
            let object = signer.object(&scene, &json!({}));
            let (code, status) = if passes {
                ("temporarily_unavailable", 503)
            } else {
                ("invalid_request_object", 400)
            };
            let page = scene.app.browser().open(&signer.url(&object, &[])).await;
            expect_redirect(&page, code);
            signer.push(&object, &[]).await.expect_error(status, code);
        }
    });
}

#[test]
fn nor_is_a_software_statement() {
    on_both(HASTY, |app| async move {
        let scene = Scene::new(app).await;
        scene
            .app
            .change_settings(&scene.tenant, |settings| {
                settings.registration = RegistrationPolicy::Open;
            })
            .await;
        let (host, key) = (Receiver::start(), key());
        for (number, (answering, passes)) in hosts().into_iter().enumerate() {
            let issuer = format!("https://federation-{number}.example");
            let one = SoftwareStatementIssuer {
                issuer: issuer.clone(),
                jwks_uri: host.url(&format!("/jwks/{number}")),
            };
            scene
                .app
                .change_settings(&scene.tenant, |settings| {
                    settings.software_statement_issuers.push(one.clone());
                })
                .await;
            let statement = key.sign_jwt("JWT", &json!({ "iss": issuer, "software_id": "kit" }));
            let document = json!({ "redirect_uris": ["https://relying.example/cb"], "software_statement": statement.expect("signed") });
            host.answer(answering);
            let answer = register(&scene.app, &scene.tenant, &document).await;
            if passes {
                expect_later(&answer);
            } else {
                expect_refused(&answer, "invalid_software_statement", "keys");
            }
            host.answer(published(&key));
            scene.app.time.advance(std::time::Duration::from_secs(61));
            let answer = register(&scene.app, &scene.tenant, &document).await;
            assert_eq!(answer.status, 201, "{}", answer.body);
        }
    });
}

/// As grants, and as hints of whom to ask.
#[test]
fn nor_is_an_assertion() {
    on_both(HASTY, |app| async move {
        let scene = super::ciba::scene(app).await;
        let both =
            json!({ "grant_types": [super::ciba::GRANT, BEARER], "scope": "openid orders:read" });
        let api = "https://orders.example.com/api";
        scene
            .app
            .resource(&scene.tenant, api, &["orders:read"])
            .await;
        let rp = scene.with(&caller(&scene.app, &scene.tenant, both).await);
        let rp = rp.with_scope("openid");
        let (host, key) = (Receiver::start(), key());
        for (number, (answering, passes)) in hosts().into_iter().enumerate() {
            let issuer = format!("https://idp-{number}.example");
            let trusted: Value = json!([{
                "issuer": issuer, "jwks_uri": host.url(&format!("/jwks/{number}")), "clients": [rp.client.client_id()], "subjects": "id", "scope": "orders:read",
            }]);
            scene
                .app
                .change_settings(&scene.tenant, |settings| {
                    settings.assertion_issuers =
                        serde_json::from_value(trusted.clone()).expect("issuers");
                })
                .await;
            let clock = &scene.app.provider.clock;
            let claims = json!({
                "iss": issuer, "sub": scene.user.id, "aud": scene.tenant.issuer, "iat": clock.unix(), "exp": clock.unix() + 60, "jti": clock.uuid_v7(),
            });
            let signed = key.sign_jwt("JWT", &claims).expect("signed");
            host.answer(answering);
            let granted = rp
                .token(&[("grant_type", BEARER), ("assertion", &signed)])
                .await;
            let hinted = ask_person(&rp, &[("login_hint_token", &signed)]).await;
            if passes {
                expect_later(&granted);
                expect_later(&hinted);
            } else {
                granted.expect_error(400, "invalid_grant");
                hinted.expect_error(400, "invalid_request");
            }
        }
    });
}

#[test]
fn nor_is_there_no_key_to_encrypt_to() {
    on_both(HASTY, |app| async move {
        let scene = Scene::new(app).await;
        let host = Receiver::start();
        for (answering, passes) in hosts() {
            host.answer(answering);
            let metadata = json!({
                "redirect_uris": ["https://secret.example/callback"], "skip_consent": true, "scope": "openid", "jwks_uri": host.url("/jwks"),
                "id_token_encrypted_response_alg": "ECDH-ES",
            });
            let client = scene.app.client(&scene.tenant, metadata).await;
            let rp = scene.with(&client).with_scope("openid");
            let code = rp.code(&mut scene.app.browser(), &scene.user).await;
            let answer = rp.redeem(&code).await;
            if passes {
                expect_later(&answer);
            } else {
                answer.expect_error(400, "invalid_request");
            }
        }
    });
}
