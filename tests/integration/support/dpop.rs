//! A holder of a key that proves to hold it (RFC 9449), and whatever an attacker could send in place of a proof.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use josekit::jwk::alg::ed::{EdCurve, EdKeyPair};
use josekit::jwk::alg::rsa::RsaKeyPair;
use josekit::jwk::{Jwk, KeyPair as _};
use josekit::jws::{ES256, EdDSA, JwsSigner, PS256, RS256};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tessera::clock::Clock;
use tessera::jose::keys::thumbprint;

/// A key, and what is proved by it.
#[derive(Clone)]
pub struct Prover {
    signer: Box<dyn JwsSigner>,
    algorithm: &'static str,
    /// The public key.
    pub jwk: Value,
    /// With its private part.
    pub private_jwk: Value,
    clock: Clock,
}

/// A document with some members replaced; `null` takes one away.
pub fn with(mut document: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            document.as_object_mut().expect("an object").remove(name);
        } else {
            document[name] = value.clone();
        }
    }
    document
}

impl Prover {
    /// One with a key for ES256, by the time of this clock.
    pub fn new(clock: &Clock) -> Self {
        Self::of("ES256", clock)
    }

    /// One with a key for an algorithm.
    pub fn of(algorithm: &'static str, clock: &Clock) -> Self {
        let jwk = match algorithm {
            "ES256" => EcKeyPair::generate(EcCurve::P256)
                .expect("a key")
                .to_jwk_key_pair(),
            "EdDSA" | "Ed25519" => EdKeyPair::generate(EdCurve::Ed25519)
                .expect("a key")
                .to_jwk_key_pair(),
            _ => RsaKeyPair::generate(2048).expect("a key").to_jwk_key_pair(),
        };
        Self {
            signer: signer(algorithm, &jwk),
            algorithm,
            jwk: public(&jwk),
            private_jwk: serde_json::to_value(jwk.as_ref()).expect("JSON"),
            clock: clock.clone(),
        }
    }

    /// The key's thumbprint.
    pub fn jkt(&self) -> String {
        thumbprint(self.jwk.as_object().expect("an object")).expect("a key")
    }

    /// The header of a proof.
    pub fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.jwk })
    }

    /// The claims of a proof for a request.
    pub fn claims(&self, method: &str, url: &str) -> Value {
        json!({ "jti": Clock::system().uuid_v4(), "htm": method, "htu": url, "iat": self.clock.unix() })
    }

    /// Signs whatever it is told.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let input = format!("{}.{}", encode(header), encode(claims));
        let signature = self.signer.sign(input.as_bytes()).expect("signed");
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A proof for a request.
    pub fn proof(&self, method: &str, url: &str) -> String {
        self.sign(&self.header(), &self.claims(method, url))
    }

    /// One with other claims.
    pub fn proof_but(&self, method: &str, url: &str, changes: &Value) -> String {
        self.sign(&self.header(), &with(self.claims(method, url), changes))
    }

    /// A proof for a request with an access token.
    pub fn beside(&self, method: &str, url: &str, token: &str) -> String {
        self.proof_but(method, url, &json!({ "ath": hash(token) }))
    }
}

/// What `ath` must be.
pub fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token))
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn signer(algorithm: &str, jwk: &Jwk) -> Box<dyn JwsSigner> {
    match algorithm {
        "RS256" => Box::new(RS256.signer_from_jwk(jwk).expect("a signer")),
        "PS256" => Box::new(PS256.signer_from_jwk(jwk).expect("a signer")),
        "EdDSA" | "Ed25519" => Box::new(EdDSA.signer_from_jwk(jwk).expect("a signer")),
        _ => Box::new(ES256.signer_from_jwk(jwk).expect("a signer")),
    }
}

fn public(jwk: &Jwk) -> Value {
    let members: Map<String, Value> = jwk
        .as_ref()
        .iter()
        .filter(|(name, _)| ["kty", "crv", "x", "y", "n", "e"].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Value::Object(members)
}
