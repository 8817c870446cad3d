//! SECURITY, "JOSE": tokens that nobody of ours signed, or for something else, at userinfo and introspection.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::seed::{Scene, text};
use crate::support::app::app_test;
use crate::support::relying_party::{RelyingParty, header};

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

app_test! {
    async fn forged_tokens_are_refused_and_the_original_lives(app: TestApp) {
        let scene = Scene::new(app).await;
        let body = scene.tokens().await;
        let good = text(&body, "access_token");
        let parts: Vec<&str> = good.split('.').collect();
        let (payload, signature) = (parts[1], parts[2]);
        let with = |name: &str, value: Value| {
            let mut changed = header(good);
            changed[name] = value;
            format!("{}.{payload}.{signature}", encode(&changed))
        };
        let jwks = scene.app.get(&scene.tenant.url("/jwks")).send().await.expect_ok();
        let key = openssl::pkey::PKey::hmac(jwks.body.as_bytes()).expect("a key");
        let input = with("alg", json!("HS256")).rsplit_once('.').expect("a JWT").0.to_owned();
        let mut signer = openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &key).expect("a signer");
        let mac = URL_SAFE_NO_PAD.encode(signer.sign_oneshot_to_vec(input.as_bytes()).expect("a MAC"));
        let mut tampered = crate::support::relying_party::claims(good);
        tampered["exp"] = json!(4_000_000_000_u32);
        let mut forged = vec![
            format!("{}.{}.{signature}", parts[0], encode(&tampered)),
            format!("{}.{payload}.", parts[0]),
            format!("{}.{payload}", parts[0]),
            format!("{}.{payload}.", encode(&json!({ "alg": "none", "typ": "at+jwt" }))),
            format!("{}.{payload}.{signature}", encode(&json!({ "alg": "none", "typ": "at+jwt" }))),
            format!("{input}.{mac}"),
            with("crit", json!(["b64"])),
            with("kid", json!("../../etc/passwd")),
            with("kid", json!("' OR 1=1 --")),
            format!("{}.{}.{signature}", parts[0], URL_SAFE_NO_PAD.encode(r#"{"sub":"a","sub":"b"}"#)),
            format!("{}.{payload}.{signature}", "[".repeat(8_000)),
            format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode("[".repeat(8_000))),
            format!("{good}.{signature}.{signature}"),
            text(&body, "id_token").to_owned(),
        ];
        for name in ["jku", "x5u", "jwk", "x5c"] {
            forged.push(with(name, json!("https://evil.example/jwks")));
        }
        for token in &forged {
            scene.rp.userinfo(token).await.expect_error(401, "invalid_token");
            RelyingParty::expect_inactive(&scene.rp.introspect(token).await);
        }
        assert_eq!(scene.rp.userinfo(good).await.status, 200);
        assert_eq!(scene.rp.introspect(good).await["active"], json!(true));
    }
}
