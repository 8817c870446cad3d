//! Tokens as a resource server sees them: by the published keys alone.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::Public;
use serde_json::Value;

use super::http::Http;

/// What a verifier keeps.
pub struct KeySet {
    keys: BTreeMap<String, EcKey<Public>>,
    /// Until when it may.
    fresh_until: Instant,
}

impl KeySet {
    /// Fetches the tenant's keys.
    pub fn fetch(http: &mut Http) -> io::Result<Self> {
        let asked = Instant::now();
        let answer = http.get("/t/acme/jwks")?;
        assert_eq!(answer.status, 200, "{answer:?}");
        let control = answer.header("cache-control").unwrap_or_default();
        let max_age = control
            .split_once("max-age=")
            .and_then(|(_, age)| age.parse().ok());
        let document = answer.json();
        let keys = document["keys"]
            .as_array()
            .expect("keys")
            .iter()
            .filter_map(key)
            .collect();
        Ok(Self {
            keys,
            fresh_until: asked + Duration::from_secs(max_age.unwrap_or(0)),
        })
    }

    /// Whether it may still be used.
    pub fn is_fresh(&self) -> bool {
        Instant::now() < self.fresh_until
    }

    /// Whether it holds a key.
    pub fn has(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    /// Whether a token's signature is right.
    pub fn check(&self, token: &str) -> Result<(), String> {
        let (signed, signature) = token.rsplit_once('.').ok_or("no JWT")?;
        let kid = kid(token);
        let key = self.keys.get(&kid).ok_or_else(|| format!("no key {kid}"))?;
        let decode = |text: &str| {
            URL_SAFE_NO_PAD
                .decode(text)
                .map_err(|error| error.to_string())
        };
        let signature = decode(signature)?;
        if signature.len() != 64 {
            return Err("no signature of ES256".into());
        }
        let number = |bytes: &[u8]| BigNum::from_slice(bytes).expect("a number");
        let signature =
            EcdsaSig::from_private_components(number(&signature[..32]), number(&signature[32..]))
                .expect("a signature");
        let digest = openssl::sha::sha256(signed.as_bytes());
        match signature.verify(&digest, key) {
            Ok(true) => Ok(()),
            other => Err(format!("the signature is wrong: {other:?}")),
        }
    }
}

/// The name of the key that a token says it was signed by.
pub fn kid(token: &str) -> String {
    let head = token.split('.').next().unwrap_or_default();
    let head = URL_SAFE_NO_PAD.decode(head).unwrap_or_default();
    let head: Value = serde_json::from_slice(&head).unwrap_or_default();
    head["kid"].as_str().unwrap_or_default().to_owned()
}

fn key(jwk: &Value) -> Option<(String, EcKey<Public>)> {
    if jwk["alg"] != "ES256" {
        return None;
    }
    let number =
        |name: &str| BigNum::from_slice(&URL_SAFE_NO_PAD.decode(jwk[name].as_str()?).ok()?).ok();
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("the curve");
    let key =
        EcKey::from_public_key_affine_coordinates(&group, &*number("x")?, &*number("y")?).ok()?;
    Some((jwk["kid"].as_str()?.to_owned(), key))
}
