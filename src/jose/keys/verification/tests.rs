use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jws::HS256;
use josekit::jws::JwsSigner as _;
use serde_json::json;

use super::*;
use crate::jose::keys::{RsaBits, SigningKey};

const ANY: Type<'static> = Type::IfPresent(&["JWT", "at+jwt"]);

fn lenient(algorithms: &[SigningAlgorithm]) -> Expect<'_> {
    Expect {
        typ: ANY,
        algorithms,
        choice: KeyChoice::ByKidOrOnly,
    }
}

fn own() -> Expect<'static> {
    Expect::own(Type::Required(&["at+jwt"]), &SigningAlgorithm::ALL)
}

fn signing_key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::generate(algorithm, RsaBits::default())
        .unwrap()
        .key
}

fn keys_of(keys: &[&SigningKey]) -> VerificationKeys {
    VerificationKeys::new(
        keys.iter()
            .map(|key| key.verification_key().unwrap())
            .collect(),
    )
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

/// The token with another header, the signature kept.
fn with_header(token: &str, header: &Value) -> String {
    let rest = token.split_once('.').unwrap().1;
    format!("{}.{rest}", part(header))
}

#[test]
fn the_examples_of_rfc_7515_hold() {
    let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    // Appendix A.2
    let rsa = json!({
        "kty": "RSA",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        "e": "AQAB"
    });
    let rs256 = format!(
        "eyJhbGciOiJSUzI1NiJ9.{payload}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    // Appendix A.3
    let ec = json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
    });
    let es256 = format!(
        "eyJhbGciOiJFUzI1NiJ9.{payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let keys = VerificationKeys::from_jwks(&json!({"keys": [rsa, ec]})).unwrap();
    for token in [rs256, es256] {
        let verified = keys
            .verify(&token, lenient(&SigningAlgorithm::ALL))
            .unwrap();
        assert_eq!(verified.claims["iss"], "joe");
        assert_eq!(verified.claims["exp"], 1_300_819_380);
        let refused = keys.verify(&token, lenient(&[SigningAlgorithm::Ps256]));
        assert_eq!(refused.err(), Some(JwsError::Algorithm));
    }
}

#[test]
fn the_example_of_rfc_8037_holds() {
    // Appendix A.4; the payload is text and no object, so the signature is what is looked at.
    let jwk =
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let keys = VerificationKeys::new(vec![VerificationKey::from_jwk(&jwk).unwrap()]);
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let expect = lenient(&[SigningAlgorithm::EdDsa]);
    assert_eq!(keys.verify(token, expect).err(), Some(JwsError::Payload));
    let changed = token.replace("RXhh", "RXhi");
    assert_eq!(
        keys.verify(&changed, expect).err(),
        Some(JwsError::Signature)
    );
}

#[test]
fn every_changed_byte_is_noticed() {
    for algorithm in SigningAlgorithm::ALL {
        let key = signing_key(algorithm);
        let keys = keys_of(&[&key]);
        let token = key.sign_jwt("at+jwt", &json!({"sub": "a"})).unwrap();
        assert!(keys.verify(&token, own()).is_ok());
        for position in (0..token.len()).step_by(7) {
            let mut changed = token.clone().into_bytes();
            changed[position] = if changed[position] == b'A' {
                b'B'
            } else {
                b'A'
            };
            let changed = String::from_utf8(changed).unwrap();
            assert!(
                keys.verify(&changed, own()).is_err(),
                "{algorithm} at {position}"
            );
        }
        // A shorter or longer signature, and all zeros.
        let (input, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        for wrong in [
            &signature[..signature.len() - 1],
            &[signature.as_slice(), &[0]].concat(),
            &vec![0; signature.len()],
        ] {
            let wrong = format!("{input}.{}", URL_SAFE_NO_PAD.encode(wrong));
            assert_eq!(
                keys.verify(&wrong, own()).err(),
                Some(JwsError::Signature),
                "{algorithm}"
            );
        }
    }
}

#[test]
fn unsigned_tokens_are_refused() {
    let key = signing_key(SigningAlgorithm::Es256);
    let keys = keys_of(&[&key]);
    let token = key.sign_jwt("at+jwt", &json!({"sub": "a"})).unwrap();
    let input = token.rsplit_once('.').unwrap().0;
    for unsigned in [input.to_owned(), format!("{input}.")] {
        assert_eq!(
            keys.verify(&unsigned, own()).err(),
            Some(JwsError::NotCompact)
        );
    }
    for name in ["none", "None", "nOnE"] {
        let header = json!({"alg": name, "typ": "at+jwt", "kid": key.kid()});
        let claims = part(&json!({"sub": "a"}));
        let bare = format!("{}.{claims}.", part(&header));
        assert_eq!(keys.verify(&bare, own()).err(), Some(JwsError::NotCompact));
        let dressed = format!("{}.{claims}.AA", part(&header));
        assert_eq!(
            keys.verify(&dressed, own()).err(),
            Some(JwsError::Algorithm)
        );
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let key = signing_key(SigningAlgorithm::Rs256);
    let keys = keys_of(&[&key]);
    let secret = key.public_jwk().to_string();
    let input = format!(
        "{}.{}",
        part(&json!({"alg": "HS256", "typ": "at+jwt", "kid": key.kid()})),
        part(&json!({"sub": "a"}))
    );
    let signature = HS256
        .signer_from_bytes(secret.as_bytes())
        .unwrap()
        .sign(input.as_bytes())
        .unwrap();
    let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
    assert_eq!(keys.verify(&token, own()).err(), Some(JwsError::Algorithm));
}

#[test]
fn the_keys_algorithm_counts_and_not_the_tokens() {
    let (rsa, ec) = (
        signing_key(SigningAlgorithm::Rs256),
        signing_key(SigningAlgorithm::Es256),
    );
    let keys = keys_of(&[&rsa, &ec]);
    let token = rsa.sign_jwt("at+jwt", &json!({"sub": "a"})).unwrap();
    for algorithm in ["PS256", "ES256", "EdDSA"] {
        let other = with_header(
            &token,
            &json!({"alg": algorithm, "typ": "at+jwt", "kid": rsa.kid()}),
        );
        assert_eq!(
            keys.verify(&other, own()).err(),
            Some(JwsError::UnknownKey),
            "{algorithm}"
        );
    }
    let narrow = Expect::own(Type::Required(&["at+jwt"]), &[SigningAlgorithm::Es256]);
    assert_eq!(keys.verify(&token, narrow).err(), Some(JwsError::Algorithm));
}

#[test]
fn a_header_brings_no_key() {
    let (key, attacker) = (
        signing_key(SigningAlgorithm::Es256),
        signing_key(SigningAlgorithm::Es256),
    );
    let keys = keys_of(&[&key]);
    for (name, value) in [
        ("jwk", attacker.public_jwk().clone()),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = json!({"alg": "ES256", "typ": "at+jwt", "kid": attacker.kid()});
        header[name] = value;
        let token = with_header(
            &attacker.sign_jwt("at+jwt", &json!({"sub": "a"})).unwrap(),
            &header,
        );
        assert_eq!(
            keys.verify(&token, own()).err(),
            Some(JwsError::KeyInHeader),
            "{name}"
        );
    }
    let foreign = attacker.sign_jwt("at+jwt", &json!({"sub": "a"})).unwrap();
    assert_eq!(
        keys.verify(&foreign, own()).err(),
        Some(JwsError::UnknownKey)
    );
    let pretended = with_header(
        &foreign,
        &json!({"alg": "ES256", "typ": "at+jwt", "kid": key.kid()}),
    );
    assert_eq!(
        keys.verify(&pretended, own()).err(),
        Some(JwsError::Signature)
    );
}

#[test]
fn other_types_are_refused() {
    let key = signing_key(SigningAlgorithm::Es256);
    let keys = keys_of(&[&key]);
    for typ in ["JWT", "logout+jwt", "dpop+jwt", ""] {
        let token = key.sign_jwt(typ, &json!({"sub": "a"})).unwrap();
        assert_eq!(
            keys.verify(&token, own()).err(),
            Some(JwsError::Type),
            "{typ}"
        );
    }
    let untyped = with_header(
        &key.sign_jwt("at+jwt", &json!({})).unwrap(),
        &json!({"alg": "ES256", "kid": key.kid()}),
    );
    assert_eq!(keys.verify(&untyped, own()).err(), Some(JwsError::Type));
}

#[test]
fn the_kid_chooses_and_where_it_may_be_absent_only_one_key_may_fit() {
    let (one, other, rsa) = (
        signing_key(SigningAlgorithm::Es256),
        signing_key(SigningAlgorithm::Es256),
        signing_key(SigningAlgorithm::Rs256),
    );
    let claims = json!({"sub": "a"});
    let with_kid = one.sign_jwt("JWT", &claims).unwrap();
    let without_kid = one.sign_text(r#"{"alg":"ES256"}"#, &claims.to_string());
    let lenient = lenient(&SigningAlgorithm::ALL);
    let strict = Expect {
        choice: KeyChoice::ByKid,
        ..lenient
    };

    let alone = keys_of(&[&one, &rsa]);
    assert!(alone.verify(&with_kid, strict).is_ok());
    assert_eq!(
        alone.verify(&without_kid, strict).err(),
        Some(JwsError::AmbiguousKey)
    );
    assert!(alone.verify(&without_kid, lenient).is_ok());

    let several = keys_of(&[&one, &other, &rsa]);
    assert!(several.verify(&with_kid, lenient).is_ok());
    assert_eq!(
        several.verify(&without_kid, lenient).err(),
        Some(JwsError::AmbiguousKey)
    );

    assert_eq!(
        keys_of(&[&other]).verify(&with_kid, lenient).err(),
        Some(JwsError::UnknownKey)
    );
    assert_eq!(
        keys_of(&[]).verify(&without_kid, lenient).err(),
        Some(JwsError::UnknownKey)
    );
    assert_eq!(
        keys_of(&[&one, &one]).verify(&with_kid, lenient).err(),
        Some(JwsError::AmbiguousKey)
    );
}

/// FAPI 2.0 Security Profile §5.4.3: of several keys by one name the one counts whose type, use and algorithm fit.
#[test]
fn of_several_keys_by_one_name_the_fitting_one_counts() {
    let (own, rsa) = (
        signing_key(SigningAlgorithm::Es256),
        signing_key(SigningAlgorithm::Rs256),
    );
    let named = |key: &SigningKey, more: &[(&str, &str)]| {
        let mut jwk = key.public_jwk().clone();
        jwk["kid"] = json!("same");
        for (name, value) in more {
            jwk[*name] = json!(value);
        }
        jwk
    };
    let token = own.sign_text(r#"{"alg":"ES256","kid":"same"}"#, "{}");
    let other = signing_key(SigningAlgorithm::Es256);
    let verify = |keys: Value| {
        let keys = VerificationKeys::from_jwks(&json!({ "keys": keys })).unwrap();
        keys.verify(&token, lenient(&SigningAlgorithm::ALL)).err()
    };
    assert_eq!(verify(json!([named(&rsa, &[]), named(&own, &[])])), None);
    let encrypts = named(&other, &[("use", "enc"), ("alg", "ECDH-ES")]);
    assert_eq!(verify(json!([encrypts, named(&own, &[])])), None);
    // Two that fit: whose it is can't be told.
    assert_eq!(
        verify(json!([named(&other, &[]), named(&own, &[])])),
        Some(JwsError::AmbiguousKey)
    );
}

#[test]
fn signed_nonsense_is_refused_all_the_same() {
    let key = signing_key(SigningAlgorithm::Es256);
    let keys = keys_of(&[&key]);
    let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": key.kid()}).to_string();
    for (header, claims, expected) in [
        (header.as_str(), r#"{"sub":"a"}"#, None),
        (&header, r#"{"sub":"a","sub":"b"}"#, Some(JwsError::Payload)),
        (
            &header,
            r#"{"act":{"sub":"a","sub":"b"}}"#,
            Some(JwsError::Payload),
        ),
        (&header, "[]", Some(JwsError::Payload)),
        (
            &header.replace('{', r#"{"alg":"ES256","#),
            "{}",
            Some(JwsError::Header),
        ),
        (
            &header.replace('{', r#"{"crit":["x"],"x":1,"#),
            "{}",
            Some(JwsError::Critical),
        ),
    ] {
        assert_eq!(
            keys.verify(&key.sign_text(header, claims), own()).err(),
            expected,
            "{header} {claims}"
        );
    }
}

#[test]
fn keys_that_are_not_for_verifying_are_refused() {
    let rsa = signing_key(SigningAlgorithm::Rs256).public_jwk().clone();
    let ec = signing_key(SigningAlgorithm::Es256).public_jwk().clone();
    let changed = |jwk: &Value, name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    };
    assert!(VerificationKey::from_jwk(&rsa).is_ok() && VerificationKey::from_jwk(&ec).is_ok());
    for wrong in [
        changed(&rsa, "use", json!("enc")),
        changed(&rsa, "key_ops", json!(["sign"])),
        changed(&rsa, "alg", json!("RSA-OAEP")),
        changed(&rsa, "alg", json!("HS256")),
        changed(&rsa, "alg", json!("ES256")),
        changed(&rsa, "alg", json!(1)),
        changed(&rsa, "kid", json!(1)),
        changed(&rsa, "kid", json!("k".repeat(MAX_KID + 1))),
        changed(&rsa, "d", json!("AQAB")),
        changed(&rsa, "n", json!("AQAB")),
        changed(&rsa, "e", json!("AQ")),
        changed(&ec, "x", json!("AQAB")),
        // Not on the curve.
        changed(&ec, "x", ec["y"].clone()),
        changed(&ec, "crv", json!("P-384")),
        json!({"kty": "oct", "k": "c2VjcmV0"}),
        json!([]),
    ] {
        assert_eq!(
            VerificationKey::from_jwk(&wrong).err(),
            Some(KeyError::Malformed),
            "{wrong}"
        );
    }
}

#[test]
fn a_foreign_set_is_read_as_far_as_it_is_understood() {
    let key = signing_key(SigningAlgorithm::Es256);
    let strange = json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA", "kid": "future"});
    let keys =
        VerificationKeys::from_jwks(&json!({"keys": [strange, 1, key.public_jwk()]})).unwrap();
    assert!(
        keys.verify(&key.sign_jwt("at+jwt", &json!({})).unwrap(), own())
            .is_ok()
    );
    assert!(
        VerificationKeys::from_jwks(&json!({"keys": [strange]}))
            .unwrap()
            .is_empty()
    );
    let many = vec![strange; MAX_KEYS + 1];
    for wrong in [
        json!({}),
        json!([]),
        json!({"keys": {}}),
        json!({"keys": many}),
        json!({"keys": [{"kty": "RSA", "d": "AA"}]}),
    ] {
        assert!(VerificationKeys::from_jwks(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_rsa_key_without_alg_is_good_for_both_its_algorithms() {
    let generated = SigningKey::generate(SigningAlgorithm::Ps256, RsaBits::default()).unwrap();
    let rs256 = SigningKey::from_private_jwk(
        SigningAlgorithm::Rs256,
        generated.key.kid(),
        &generated.private_jwk,
    )
    .unwrap();
    let mut jwk = generated.key.public_jwk().clone();
    jwk.as_object_mut().unwrap().remove("alg");
    let keys = VerificationKeys::new(vec![VerificationKey::from_jwk(&jwk).unwrap()]);
    for key in [&generated.key, &rs256] {
        assert!(
            keys.verify(&key.sign_jwt("at+jwt", &json!({})).unwrap(), own())
                .is_ok()
        );
    }
}
