//! Proofs of possession (RFC 9449) for the load: each request has one of its own, made as it is sent.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jwk::KeyPair as _;
use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use josekit::jws::{ES256, JwsSigner};
use serde_json::json;

use crate::Result;
use crate::load::Work;
use crate::wire::Answer;

/// A key and the address that its proofs are for.
pub struct Prover {
    signer: Box<dyn JwsSigner>,
    header: String,
    url: String,
    made: AtomicU64,
    run: u128,
}

impl Prover {
    /// For one address, with a key for ES256.
    pub fn new(url: String) -> Result<Self> {
        let jwk = EcKeyPair::generate(EcCurve::P256)?.to_jwk_key_pair();
        let member = |name: &str| jwk.parameter(name).cloned().unwrap_or_default();
        let public = json!({ "kty": "EC", "crv": "P-256", "x": member("x"), "y": member("y") });
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": public });
        Ok(Self {
            signer: Box::new(ES256.signer_from_jwk(&jwk)?),
            header: URL_SAFE_NO_PAD.encode(header.to_string()),
            url,
            made: AtomicU64::new(0),
            run: now().as_nanos(),
        })
    }

    /// A fresh proof.
    pub fn proof(&self) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let claims = json!({
            "jti": format!("{:x}-{number}", self.run), "htm": "POST", "htu": self.url, "iat": now().as_secs(),
        });
        let mut text = format!(
            "{}.{}",
            self.header,
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.signer.sign(text.as_bytes()).unwrap_or_default();
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        text
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server under measure has a clock of its own"
)]
fn now() -> std::time::Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// Requests that differ in their proof.
pub struct Proving<F> {
    /// Whose.
    pub prover: Rc<Prover>,
    /// The request with a proof.
    pub request: F,
}

impl<F: Fn(&str) -> Vec<u8>> Work for Proving<F> {
    fn next(&mut self, _: usize, _: Option<&Answer>) -> Option<Vec<u8>> {
        Some((self.request)(&self.prover.proof()))
    }
}
