//! Proofs of possession (RFC 9449).

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jwk::Jwk;
use josekit::jws::{ES256, JwsSigner};
use serde_json::{Value, json};
use tessera::jose::dpop::{MAX_JTI, MAX_PROOF, ProofRules, UnverifiedProof};
use tessera::protocol::dpop::{ALGORITHMS, access_token_hash, normalise_uri};
use tessera::protocol::strict_json::parse_object;

use super::text::{choice, lines, text};

/// The key of RFC 7515 Appendix A.3.
const KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
/// The present: 14 November 2023.
const NOW: i64 = 1_700_000_000;
const URI: &str = "https://id.example/t/acme/userinfo";
const TOKEN: &str = "a.b.c";

static SIGNER: LazyLock<Box<dyn JwsSigner>> = LazyLock::new(|| {
    let jwk = Jwk::from_bytes(KEY).expect("a key");
    Box::new(ES256.signer_from_jwk(&jwk).expect("a signer"))
});

const fn rules() -> ProofRules<'static> {
    ProofRules {
        method: "GET",
        uri: URI,
        access_token: Some(TOKEN),
        algorithms: ALGORITHMS,
        leeway: Duration::from_secs(30),
        unix: NOW,
    }
}

fn public() -> Value {
    let mut key: Value = serde_json::from_str(KEY).expect("JSON");
    key.as_object_mut().expect("an object").remove("d");
    key
}

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// What is taken was signed by the key that is in it, for this request and token, and now; addresses have one normal form.
pub fn dpop_proof(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    match kind % 4 {
        0 => foreign(&input),
        1 => {
            let [header, payload] = lines(&input);
            foreign(&format!(
                "{}.{}.{}",
                encode(header),
                encode(payload),
                URL_SAFE_NO_PAD.encode([1; 64])
            ));
        }
        2 => genuine(&input),
        _ => {
            if let Some(normal) = normalise_uri(&input) {
                assert_eq!(normalise_uri(&normal).as_ref(), Some(&normal), "{input}");
                assert!(!normal.contains(['?', '#', '\\', ' ']), "{normal}");
                // In a path it stands for itself.
                let authority = normal.split('/').nth(2).unwrap_or_default();
                assert!(!authority.contains('@'), "{normal}");
                assert!(normal.starts_with("http"), "{normal}");
            }
        }
    }
}

/// A proof that nobody signed.
fn foreign(proof: &str) {
    if let Ok(read) = UnverifiedProof::parse(proof, rules()) {
        assert!(proof.len() <= MAX_PROOF);
        assert!(read.verify().is_err(), "forged: {proof}");
    }
}

/// A sound proof with what the input says instead, in its header and in its claims.
fn genuine(input: &str) {
    let mut header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": public() });
    let mut claims = json!({
        "jti": "1", "htm": "GET", "htu": URI, "iat": NOW, "ath": access_token_hash(TOKEN),
    });
    let mut untouched = true;
    let [of_header, of_claims] = lines(input);
    for (document, changes) in [(&mut header, of_header), (&mut claims, of_claims)] {
        for (name, value) in parse_object(changes.as_bytes()).unwrap_or_default() {
            untouched &= !["typ", "alg", "jwk", "crit", "jku", "x5u", "x5c", "kid"]
                .contains(&name.as_str())
                && !["jti", "htm", "htu", "iat", "ath", "exp", "nbf", "nonce"]
                    .contains(&name.as_str());
            document[name] = value;
        }
    }
    let message = format!(
        "{}.{}",
        encode(&header.to_string()),
        encode(&claims.to_string())
    );
    let signature = SIGNER.sign(message.as_bytes()).expect("signed");
    let proof = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    let Ok(taken) = UnverifiedProof::parse(&proof, rules()).and_then(UnverifiedProof::verify)
    else {
        assert!(
            !untouched || proof.len() > MAX_PROOF,
            "refused: {header} {claims}"
        );
        return;
    };
    // By this key, whatever else is in its document.
    for name in ["kty", "crv", "x", "y"] {
        assert_eq!(header["jwk"][name], public()[name], "{header}");
    }
    assert!(header["jwk"].get("d").is_none(), "{header}");
    assert_eq!(claims["htm"], "GET");
    assert_eq!(claims["ath"], access_token_hash(TOKEN));
    let htu = claims["htu"].as_str().expect("a text");
    assert_eq!(normalise_uri(htu), normalise_uri(URI), "{htu}");
    assert_eq!(claims["jti"], taken.jti.as_str());
    assert!((1..=MAX_JTI).contains(&taken.jti.len()));
    let made = claims["iat"].as_f64().expect("a number");
    let now = f64::from(u32::try_from(NOW).expect("small"));
    assert!((made - now).abs() < 31.0, "{claims}");
    // It is remembered for as long as it would be taken.
    let later = ProofRules {
        unix: taken.remember_until,
        ..rules()
    };
    assert!(UnverifiedProof::parse(&proof, later).is_err(), "{claims}");
    for other in [
        ProofRules {
            method: "POST",
            ..rules()
        },
        ProofRules {
            uri: "https://id.example/t/globex/userinfo",
            ..rules()
        },
        ProofRules {
            access_token: Some("d.e.f"),
            ..rules()
        },
    ] {
        assert!(UnverifiedProof::parse(&proof, other).is_err(), "{claims}");
    }
}
