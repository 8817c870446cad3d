use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::jose::keys::{RsaBits, SigningKey};
use crate::protocol::SigningAlgorithm;

/// RFC 9449, figure 2.
const TOKEN_PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
/// RFC 9449, figure 13.
const RESOURCE_PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
/// RFC 9449, figure 12.
const ACCESS_TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
/// RFC 9449, figure 8.
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

const NOW: i64 = 1_800_000_000;
const URI: &str = "https://id.example.com/t/acme/token";

fn rules() -> ProofRules<'static> {
    ProofRules {
        method: "POST",
        uri: URI,
        access_token: None,
        algorithms: crate::protocol::dpop::ALGORITHMS,
        leeway: Duration::from_secs(30),
        unix: NOW,
    }
}

fn key_of(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::generate(algorithm, RsaBits::default())
        .unwrap()
        .key
}

/// The public key as a client sends it.
fn bare(key: &SigningKey) -> Value {
    let mut jwk = key.public_jwk().clone();
    for name in ["kid", "use", "alg"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    jwk
}

fn header(key: &SigningKey) -> Value {
    json!({ "typ": "dpop+jwt", "alg": key.algorithm(), "jwk": bare(key) })
}

fn claims() -> Value {
    json!({ "jti": "j", "htm": "POST", "htu": URI, "iat": NOW })
}

/// A document with some members replaced; `null` takes one away.
fn with(mut document: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            document.as_object_mut().unwrap().remove(name);
        } else {
            document[name] = value.clone();
        }
    }
    document
}

fn verify_by(text: &str, rules: ProofRules<'_>) -> Result<Proof, ProofError> {
    UnverifiedProof::parse(text, rules)?.verify()
}

fn verify(key: &SigningKey, header: &Value, claims: &Value) -> Result<Proof, ProofError> {
    verify_by(
        &key.sign_text(&header.to_string(), &claims.to_string()),
        rules(),
    )
}

#[test]
fn the_examples_of_rfc_9449_are_verified() {
    let token = ProofRules {
        uri: "https://server.example.com/token",
        unix: 1_562_262_616,
        ..rules()
    };
    let proof = verify_by(TOKEN_PROOF, token).unwrap();
    let expected = Proof {
        thumbprint: JKT.parse().unwrap(),
        jti: "-BwC3ESc6acc2lTc".to_owned(),
        remember_until: 1_562_262_647,
    };
    assert_eq!(proof, expected);
    let resource = ProofRules {
        method: "GET",
        uri: "https://resource.example.org/protectedresource",
        access_token: Some(ACCESS_TOKEN),
        unix: 1_562_262_618,
        ..rules()
    };
    assert_eq!(
        verify_by(RESOURCE_PROOF, resource).unwrap().thumbprint,
        JKT.parse().unwrap()
    );
    for (wrong, error) in [
        (
            ProofRules {
                access_token: Some("another"),
                ..resource
            },
            ProofError::AccessToken,
        ),
        (
            ProofRules {
                method: "POST",
                ..resource
            },
            ProofError::Method,
        ),
        (
            ProofRules {
                uri: "https://resource.example.org/another",
                ..resource
            },
            ProofError::Uri,
        ),
    ] {
        assert_eq!(verify_by(RESOURCE_PROOF, wrong).err(), Some(error));
    }
    // Figure 2 has no `ath`.
    let beside_a_token = ProofRules {
        access_token: Some(ACCESS_TOKEN),
        ..token
    };
    assert_eq!(
        verify_by(TOKEN_PROOF, beside_a_token).err(),
        Some(ProofError::AccessToken)
    );
}

#[test]
fn every_algorithm_proves_possession() {
    for algorithm in SigningAlgorithm::ALL {
        let key = key_of(algorithm);
        let proof = verify(&key, &header(&key), &claims()).unwrap();
        assert_eq!(proof.thumbprint.to_string(), key.kid(), "{algorithm}");
        // What browsers export.
        let exported = with(bare(&key), &json!({ "key_ops": ["verify"], "ext": true }));
        let header = with(header(&key), &json!({ "jwk": exported }));
        assert!(verify(&key, &header, &claims()).is_ok(), "{algorithm}");
    }
}

#[test]
fn the_header_is_that_of_a_proof() {
    let key = key_of(SigningAlgorithm::Es256);
    let rsa = key_of(SigningAlgorithm::Rs256);
    for (change, error) in [
        (json!({ "typ": null }), JwsError::Type.into()),
        (json!({ "typ": "JWT" }), JwsError::Type.into()),
        (json!({ "typ": "dpop" }), JwsError::Type.into()),
        (json!({ "alg": "none" }), JwsError::Algorithm.into()),
        (json!({ "alg": "HS256" }), JwsError::Algorithm.into()),
        (json!({ "alg": "ES512" }), JwsError::Algorithm.into()),
        (json!({ "alg": null }), JwsError::Header.into()),
        (json!({ "jwk": null }), JwsError::Header.into()),
        (
            json!({ "crit": ["exp"], "exp": 1 }),
            JwsError::Critical.into(),
        ),
        (json!({ "jku": URI }), JwsError::KeyInHeader.into()),
        (json!({ "jwk": {} }), ProofError::Key),
        (
            json!({ "jwk": { "kty": "oct", "k": "AQAB" } }),
            ProofError::Key,
        ),
        (json!({ "alg": "RS256" }), ProofError::Key),
        (json!({ "alg": "EdDSA" }), ProofError::Key),
        (json!({ "jwk": bare(&rsa) }), ProofError::Key),
        (
            json!({ "jwk": with(bare(&key), &json!({ "crv": "P-384" })) }),
            ProofError::Key,
        ),
        (
            json!({ "jwk": with(bare(&key), &json!({ "x": "AA" })) }),
            ProofError::Key,
        ),
        (
            json!({ "jwk": with(bare(&key), &json!({ "use": "enc" })) }),
            ProofError::Key,
        ),
        (
            json!({ "jwk": with(bare(&key), &json!({ "alg": "ES384" })) }),
            ProofError::Key,
        ),
    ] {
        let header = with(header(&key), &change);
        assert_eq!(
            verify(&key, &header, &claims()).err(),
            Some(error),
            "{change}"
        );
    }
    let other = key_of(SigningAlgorithm::Es256);
    let stolen = with(header(&key), &json!({ "jwk": bare(&other) }));
    assert_eq!(
        verify(&key, &stolen, &claims()).err(),
        Some(JwsError::Signature.into())
    );
}

#[test]
fn a_private_key_is_refused_although_it_would_verify() {
    let key = key_of(SigningAlgorithm::Es256);
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let jwk = with(bare(&key), &json!({ name: "AQAB" }));
        let header = with(header(&key), &json!({ "jwk": jwk }));
        assert_eq!(
            verify(&key, &header, &claims()).err(),
            Some(ProofError::Key),
            "{name}"
        );
    }
}

#[test]
fn keys_of_rsa_are_of_a_sane_size() {
    for (bits, sound) in [(2_048, true), (4_096, true), (4_104, false)] {
        let key = SigningKey::generate(SigningAlgorithm::Ps256, RsaBits::new(bits).unwrap())
            .unwrap()
            .key;
        let text = key.sign_text(&header(&key).to_string(), &claims().to_string());
        assert!(text.len() < MAX_PROOF, "{bits}");
        assert_eq!(verify_by(&text, rules()).is_ok(), sound, "{bits}");
    }
    let key = key_of(SigningAlgorithm::Rs256);
    for change in [
        json!({ "n": "AQAB" }),
        json!({ "e": "AQ" }),
        json!({ "e": null }),
        json!({ "n": URL_SAFE_NO_PAD.encode([0xff; 128]) }),
    ] {
        let jwk = with(bare(&key), &change);
        let header = with(header(&key), &json!({ "jwk": jwk }));
        assert_eq!(
            verify(&key, &header, &claims()).err(),
            Some(ProofError::Key),
            "{change}"
        );
    }
}

#[test]
fn it_is_for_one_request() {
    let key = key_of(SigningAlgorithm::Es256);
    let header = header(&key);
    for change in [
        json!({ "htu": "HTTPS://ID.example.com:443/t/acme/token?x=y#z" }),
        json!({ "jti": "j".repeat(MAX_JTI) }),
        json!({ "iat": NOW - 30 }),
        json!({ "iat": NOW + 30 }),
        json!({ "iat": NOW - 10, "exp": NOW + 60, "nbf": NOW - 10 }),
        json!({ "ath": "whatever", "nonce": "whatever", "unknown": [1] }),
    ] {
        let claims = with(claims(), &change);
        assert!(verify(&key, &header, &claims).is_ok(), "{change}");
    }
    for (change, error) in [
        (json!({ "htm": "GET" }), ProofError::Method),
        (json!({ "htm": "post" }), ProofError::Method),
        (json!({ "htm": null }), ClaimError::Missing("htm").into()),
        (json!({ "htm": 1 }), ClaimError::Malformed("htm").into()),
        (json!({ "htu": null }), ClaimError::Missing("htu").into()),
        (
            json!({ "htu": "https://id.example.com/t/acme/userinfo" }),
            ProofError::Uri,
        ),
        (
            json!({ "htu": "https://id.example.com/t/globex/token" }),
            ProofError::Uri,
        ),
        (
            json!({ "htu": "http://id.example.com/t/acme/token" }),
            ProofError::Uri,
        ),
        (json!({ "htu": "/t/acme/token" }), ProofError::Uri),
        (json!({ "htu": "" }), ProofError::Uri),
        (json!({ "iat": null }), ClaimError::Missing("iat").into()),
        (json!({ "iat": "now" }), ClaimError::Malformed("iat").into()),
        (json!({ "iat": NOW - 31 }), ProofError::Old),
        (json!({ "iat": 0 }), ProofError::Old),
        (json!({ "iat": NOW + 31 }), ClaimError::NotYet.into()),
        (json!({ "nbf": NOW + 31 }), ClaimError::NotYet.into()),
        (json!({ "exp": NOW - 30 }), ClaimError::Expired.into()),
        (json!({ "jti": null }), ClaimError::Missing("jti").into()),
        (json!({ "jti": "" }), ProofError::JwtId),
        (json!({ "jti": 7 }), ClaimError::Malformed("jti").into()),
        (json!({ "jti": "j".repeat(MAX_JTI + 1) }), ProofError::JwtId),
        (json!({ "nonce": 7 }), ClaimError::Malformed("nonce").into()),
    ] {
        let claims = with(claims(), &change);
        assert_eq!(
            verify(&key, &header, &claims).err(),
            Some(error),
            "{change}"
        );
    }
}

#[test]
fn a_proof_tells_its_nonce_and_is_bounded() {
    let key = key_of(SigningAlgorithm::Es256);
    let claims = with(claims(), &json!({ "nonce": "n" }));
    let text = key.sign_text(&header(&key).to_string(), &claims.to_string());
    let read = UnverifiedProof::parse(&text, rules()).unwrap();
    assert_eq!(read.nonce(), Some("n"));
    assert_eq!(read.thumbprint().to_string(), key.kid());
    let long = format!("{text}{}", "A".repeat(MAX_PROOF));
    assert_eq!(
        UnverifiedProof::parse(&long, rules()).err(),
        Some(ProofError::TooLong)
    );
    for text in ["", ".", "..", "a.b.c", &text[1..], &text[..text.len() - 1]] {
        assert!(verify_by(text, rules()).is_err(), "{text}");
    }
}
