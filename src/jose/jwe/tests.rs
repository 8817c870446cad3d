use serde_json::json;

use super::*;
use crate::jose::keys::{EncryptionKey, RsaBits};

fn pair(algorithm: KeyManagementAlgorithm) -> (DecryptionKey, EncryptionKey) {
    let own = DecryptionKey::generate(algorithm, RsaBits::default())
        .unwrap()
        .key;
    let public = own.public_jwk().as_object().unwrap().clone();
    (own, EncryptionKey::from_jwk(&public, algorithm).unwrap())
}

fn open(own: &DecryptionKey, token: &str) -> Result<Vec<u8>, NotDecrypted> {
    Encrypted::parse(token)?
        .decrypt(own)
        .map(|text| text.to_vec())
}

/// The token with one of its parts replaced.
fn with(token: &str, part: usize, value: &str) -> String {
    let mut parts: Vec<_> = token.split('.').collect();
    parts[part] = value;
    parts.join(".")
}

#[test]
fn every_algorithm_opens_what_was_encrypted_to_its_key() {
    for algorithm in KeyManagementAlgorithm::ALL {
        let (own, theirs) = pair(algorithm);
        for enc in ContentEncryption::ALL {
            let token = theirs.encrypt(enc, Some("JWT"), b"a.b.c").unwrap();
            assert!(is_encrypted(&token));
            let read = Encrypted::parse(&token).unwrap();
            assert_eq!((read.algorithm, read.enc), (algorithm, enc));
            assert_eq!(read.kid.as_deref(), Some(own.kid()));
            assert_eq!(open(&own, &token).unwrap(), b"a.b.c");
            // By another key, or with any part changed or cut short, it doesn't.
            let (other, _) = pair(KeyManagementAlgorithm::EcdhEs);
            assert_eq!(open(&other, &token), Err(NotDecrypted));
            for part in 0..5 {
                let text = token.split('.').nth(part).unwrap();
                for changed in [
                    String::new(),
                    format!("{text}A"),
                    format!("{text}AAAA"),
                    text[..text.len() / 8 * 4].to_owned(),
                    text.chars().rev().collect(),
                ] {
                    if changed != text {
                        let token = with(&token, part, &changed);
                        assert_eq!(open(&own, &token), Err(NotDecrypted), "{part} {changed}");
                    }
                }
            }
        }
    }
}

#[test]
fn tags_that_were_cut_short_prove_nothing() {
    let (own, theirs) = pair(KeyManagementAlgorithm::EcdhEs);
    for enc in ContentEncryption::ALL {
        let token = theirs.encrypt(enc, None, b"a.b.c").unwrap();
        let tag = decode(token.rsplit_once('.').unwrap().1).unwrap();
        for length in [0, 1, 4, 8, 12, 15] {
            let short = URL_SAFE_NO_PAD.encode(&tag[..length]);
            assert_eq!(open(&own, &with(&token, 4, &short)), Err(NotDecrypted));
        }
    }
}

#[test]
fn headers_that_ask_for_anything_else_are_refused() {
    let (_, theirs) = pair(KeyManagementAlgorithm::EcdhEs);
    let token = theirs
        .encrypt(ContentEncryption::A128Gcm, Some("JWT"), b"a.b.c")
        .unwrap();
    let header = parse_object(&decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    let but = |change: Value| {
        let mut header = Value::Object(header.clone());
        for (name, value) in change.as_object().unwrap() {
            header[name] = value.clone();
        }
        Encrypted::parse(&with(
            &token,
            0,
            &URL_SAFE_NO_PAD.encode(header.to_string()),
        ))
        .err()
    };
    for fine in [
        json!({}),
        json!({ "cty": "application/jwt" }),
        json!({ "cty": "oauth-authz-req+jwt", "typ": "JWE" }),
        json!({ "apu": "QQ", "iss": "c" }),
    ] {
        assert_eq!(but(fine.clone()), None, "{fine}");
    }
    for wrong in [
        json!({ "zip": "DEF" }),
        json!({ "crit": ["exp"] }),
        json!({ "alg": "dir" }),
        json!({ "alg": "A128KW" }),
        json!({ "alg": "RSA1_5" }),
        json!({ "alg": "PBES2-HS256+A128KW", "p2c": 1_000_000_000 }),
        json!({ "p2c": 1 }),
        json!({ "alg": null }),
        json!({ "enc": "A128CTR" }),
        json!({ "enc": 1 }),
        json!({ "jku": "https://evil.example" }),
        json!({ "jwk": {} }),
        json!({ "kid": "k".repeat(MAX_KID + 1) }),
        json!({ "kid": 1 }),
        json!({ "cty": "text/plain" }),
    ] {
        assert_eq!(but(wrong.clone()), Some(NotDecrypted), "{wrong}");
    }
    for text in [
        r#"{"alg":"ECDH-ES","alg":"ECDH-ES","enc":"A128GCM"}"#,
        "[]",
        "x",
    ] {
        let token = with(&token, 0, &URL_SAFE_NO_PAD.encode(text));
        assert!(Encrypted::parse(&token).is_err(), "{text}");
    }
    for text in [
        "",
        "....",
        "a.b.c",
        &format!("{token}."),
        &format!("{token}.x"),
    ] {
        assert!(Encrypted::parse(text).is_err(), "{text}");
    }
    assert!(Encrypted::parse(&with(&token, 3, &"A".repeat(MAX_TOKEN))).is_err());
}

/// RFC 7518 Appendix C: the agreement, by its ephemeral key and names.
#[test]
fn the_agreement_is_the_specifications() {
    let bob = json!({
        "kty": "EC", "crv": "P-256", "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ", "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
        "d": "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
    });
    let key = DecryptionKey::from_private_jwk(
        KeyManagementAlgorithm::EcdhEs,
        "bob",
        bob.to_string().as_bytes(),
    )
    .unwrap();
    let header = json!({
        "alg": "ECDH-ES", "enc": "A128GCM", "apu": "QWxpY2U", "apv": "Qm9i",
        "epk": { "kty": "EC", "crv": "P-256", "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0", "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps" },
    });
    let derived = key.content_key(ContentEncryption::A128Gcm, header.as_object().unwrap(), &[]);
    assert_eq!(
        URL_SAFE_NO_PAD.encode(&*derived.unwrap()),
        "VqqN6vgjbSBcIijNcacQGg"
    );
    // A point that isn't on the curve tells of the key by what comes of it.
    let mut off = header.clone();
    off["epk"]["y"] = "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFppw".into();
    let derived = key.content_key(ContentEncryption::A128Gcm, off.as_object().unwrap(), &[]);
    assert!(derived.is_none());
}

/// RFC 7518 Appendix B.1
#[test]
fn the_authenticated_encryption_is_the_specifications() {
    let hex = |text: &str| -> Vec<u8> {
        let digits: Vec<_> = text
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    let key: Vec<u8> = (0..32).collect();
    let sealed = Encrypted {
        algorithm: KeyManagementAlgorithm::EcdhEs,
        enc: ContentEncryption::A128CbcHs256,
        kid: None,
        members: Map::new(),
        header: "The second principle of Auguste Kerckhoffs".to_owned(),
        wrapped_key: Vec::new(),
        iv: hex("1a f3 8c 2d c2 b9 6f fd d8 66 94 09 23 41 bc 04"),
        ciphertext: hex(
            "c8 0e df a3 2d df 39 d5 ef 00 c0 b4 68 83 42 79 a2 e4 6a 1b 80 49 f7 92 f7 6b fe 54 b9 03 a9 c9
             a9 4a c9 b4 7a d2 65 5c 5f 10 f9 ae f7 14 27 e2 fc 6f 9b 3f 39 9a 22 14 89 f1 63 62 c7 03 23 36
             09 d4 5a c6 98 64 e3 32 1c f8 29 35 ac 40 96 c8 6e 13 33 14 c5 40 19 e8 ca 79 80 df a4 b9 cf 1b
             38 4c 48 6f 3a 54 c5 10 78 15 8e e5 d7 9d e5 9f bd 34 d8 48 b3 d6 95 50 a6 76 46 34 44 27 ad e5
             4b 88 51 ff b5 98 f7 f8 00 74 b9 47 3c 82 e2 db",
        ),
        tag: hex("65 2c 3f a3 6b 0a 7c 5b 32 19 fa b3 a3 0b c1 c4"),
    };
    assert_eq!(
        &*sealed.open(&key).unwrap(),
        b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy without inconvenience"
    );
}
