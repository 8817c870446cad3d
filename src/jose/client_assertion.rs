//! JWTs by which clients authenticate: `private_key_jwt` and `client_secret_jwt` (RFC 7523 §2.2, §3; OpenID Connect Core §9).
//!
//! Stricter than RFC 7523: `aud` is one text, `jti` is required, and an assertion is short-lived, so that what must be remembered of
//! it stays small. That a `jti` is taken once is for `storage` to say. By which of the two methods one comes its `alg` tells; a key of one is
//! never tried on the other, so that no public key can be taken for a secret.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::claims::{ClaimError, Claims, Present, load_string};
use super::from_issuer::{OnceRules, takes_once_errors};
use super::jws::{Compact, JwsError, Type};
use super::keys::{Expect, KeyChoice, VerificationKeys};
use crate::protocol::algorithm::{AssertionAlgorithm, SigningAlgorithm};
use crate::protocol::client_metadata::TokenEndpointAuthMethod;

/// How far ahead `exp` may lie unless a setting says otherwise.
pub const DEFAULT_MAX_LIFETIME: Duration = Duration::from_hours(1);
/// How far ahead `nbf` and `iat` may lie: clients' clocks run 10 seconds ahead often enough, and never a minute.
const FUTURE_LEEWAY: Duration = Duration::from_secs(30);
/// How long after `exp` an assertion is still taken.
const EXPIRY_LEEWAY: Duration = Duration::from_secs(10);

/// Why an assertion is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// Its form, key or signature.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// A claim.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// `iss` and `sub` differ.
    #[error("the claims iss and sub must both be the client_id")]
    IssuerIsNotSubject,
    /// `aud` is another's, or more than one.
    #[error(
        "the claim aud must be one string: the issuer, the token endpoint's URL, or that of the endpoint for pushed requests"
    )]
    Audience,
    /// `exp` lies too far ahead.
    #[error("the claim exp lies too far in the future")]
    TooLong,
    /// `jti` is empty or too long.
    #[error("the claim jti must have 1 to 256 characters")]
    JwtId,
}

/// What an assertion must meet.
#[derive(Debug, Clone, Copy)]
pub struct AssertionRules<'a> {
    /// What `aud` may be: the issuer, the URLs of the endpoints that RFC 7523 and RFC 9126 name; the issuer alone under FAPI 2.0.
    pub audiences: &'a [&'a str],
    /// The algorithms of keys that the client may use; HS256 is the only one of secrets.
    pub algorithms: &'a [SigningAlgorithm],
    /// How far ahead `exp` may lie.
    pub max_lifetime: Duration,
    /// The present, in seconds since 1970.
    pub unix: i64,
}

/// An assertion that was read and not verified: it tells whose keys to look for.
///
/// Of its claims nothing is judged before [`UnverifiedAssertion::verify`] has seen the signature, so that a stranger isn't told what is
/// wrong with them.
#[derive(Debug)]
pub struct UnverifiedAssertion<'t>(Compact<'t, AssertionAlgorithm>);

/// RFC 8725 §3.11 and the draft that revises RFC 7523 give it a type of its own; nearly all clients write JWT.
const TYPE: Type<'static> = Type::IfPresent(&["JWT", "client-authentication+jwt"]);

impl<'t> UnverifiedAssertion<'t> {
    /// Reads an assertion.
    pub fn parse(token: &'t str) -> Result<Self, JwsError> {
        Compact::parse_assertion(token).map(Self)
    }

    /// The method that it is of.
    pub const fn method(&self) -> TokenEndpointAuthMethod {
        match self.0.header.algorithm.asymmetric() {
            Some(_) => TokenEndpointAuthMethod::PrivateKeyJwt,
            None => TokenEndpointAuthMethod::ClientSecretJwt,
        }
    }

    /// The client that it claims to be from (RFC 7521 §4.2: its subject), if it can be read.
    pub fn claimed_client(&self) -> Option<String> {
        match self.0.claims().ok()?.remove("sub") {
            Some(Value::String(subject)) => Some(subject),
            _ => None,
        }
    }

    /// The name of the key that it claims to be signed by.
    pub fn kid(&self) -> Option<&str> {
        self.0.header.kid.as_deref()
    }

    /// Verifies it by the keys of [`UnverifiedAssertion::claimed_client`]: the signature first, then what it says.
    pub fn verify(
        self,
        keys: &VerificationKeys,
        rules: AssertionRules<'_>,
    ) -> Result<Assertion, AssertionError> {
        let expect = Expect {
            typ: TYPE,
            algorithms: rules.algorithms,
            choice: KeyChoice::ByKidOrOnly,
        };
        let compact = self.0.by_key().ok_or(JwsError::Algorithm)?;
        check(&keys.verify_compact(compact, expect)?.claims, rules)
    }

    /// Verifies it by the client's secrets, of which there are two while one takes over from the other: as [`UnverifiedAssertion::verify`] does.
    pub fn verify_by_secret(
        self,
        secrets: &[&[u8]],
        rules: AssertionRules<'_>,
    ) -> Result<Assertion, AssertionError> {
        if self.0.header.algorithm != AssertionAlgorithm::Hs256 {
            return Err(JwsError::Algorithm.into());
        }
        TYPE.check(self.0.header.typ.as_deref())?;
        let signed = |secret: &&[u8]| is_signed_by(secret, &self.0);
        // Each of them in any case, so that the time doesn't tell which.
        if secrets.iter().filter(|secret| signed(secret)).count() == 0 {
            return Err(JwsError::Signature.into());
        }
        check(&self.0.claims()?, rules)
    }
}

/// OpenID Connect Core §10.1: the key is "the octets of the UTF-8 representation of the `client_secret`". Compared in constant time.
fn is_signed_by(secret: &[u8], token: &Compact<'_, AssertionAlgorithm>) -> bool {
    let mut mac = <Hmac<Sha256>>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(token.signing_input.as_bytes());
    mac.verify_slice(&token.signature).is_ok()
}

takes_once_errors!(AssertionError);

/// What it says, once it is known to be the client's: the same for both methods.
fn check(claims: &Claims, rules: AssertionRules<'_>) -> Result<Assertion, AssertionError> {
    let client_id = subject(claims)?.to_owned();
    let once = OnceRules {
        audiences: rules.audiences,
        max_lifetime: rules.max_lifetime,
        present: Present {
            unix: rules.unix,
            expiry_leeway: EXPIRY_LEEWAY,
            future_leeway: FUTURE_LEEWAY,
        },
    };
    let once = once.check(claims)?;
    Ok(Assertion {
        client_id,
        jti: once.jti.to_owned(),
        remember_until: once.remember_until,
    })
}

/// An assertion that is good if its `jti` was not seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The client that signed it.
    pub client_id: String,
    /// Its name, to be taken once per client.
    pub jti: String,
    /// When it stops being taken, and its `jti` may be forgotten; seconds since 1970.
    pub remember_until: i64,
}

/// RFC 7523 §3: for a client's authentication, issuer and subject are the client.
fn subject(claims: &Claims) -> Result<&str, AssertionError> {
    let (issuer, subject) = (load_string(claims, "iss")?, load_string(claims, "sub")?);
    if issuer == subject {
        Ok(subject)
    } else {
        Err(AssertionError::IssuerIsNotSubject)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jose::from_issuer::MAX_JTI;
    use crate::jose::keys::{RsaBits, SigningKey};

    const ISSUER: &str = "https://acme.id.example.com";
    const TOKEN_ENDPOINT: &str = "https://acme.id.example.com/token";
    const NOW: i64 = 1_700_000_000;

    fn rules() -> AssertionRules<'static> {
        AssertionRules {
            audiences: &[ISSUER, TOKEN_ENDPOINT],
            algorithms: &SigningAlgorithm::ALL,
            max_lifetime: DEFAULT_MAX_LIFETIME,
            unix: NOW,
        }
    }

    fn sound() -> Value {
        json!({"iss": "c1", "sub": "c1", "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": "j"})
    }

    fn sound_but(changes: Value) -> Value {
        let mut claims = sound();
        for (name, value) in changes.as_object().unwrap() {
            if value == "absent" {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    fn key() -> SigningKey {
        SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default())
            .unwrap()
            .key
    }

    fn verify_with(
        key: &SigningKey,
        token: &str,
        rules: AssertionRules<'_>,
    ) -> Result<Assertion, AssertionError> {
        let keys = VerificationKeys::new(vec![key.verification_key().unwrap()]);
        UnverifiedAssertion::parse(token)?.verify(&keys, rules)
    }

    fn verify(claims: &Value) -> Result<Assertion, AssertionError> {
        let key = key();
        verify_with(&key, &key.sign_jwt("JWT", claims).unwrap(), rules())
    }

    #[test]
    fn a_sound_assertion_is_good_until_it_expires() {
        let expected = Assertion {
            client_id: "c1".into(),
            jti: "j".into(),
            remember_until: NOW + 70,
        };
        assert_eq!(verify(&sound()), Ok(expected));
        assert!(verify(&sound_but(json!({"aud": TOKEN_ENDPOINT}))).is_ok());
        assert!(verify(&sound_but(json!({"iat": "absent"}))).is_ok());
        assert!(verify(&sound_but(json!({"exp": NOW - 9}))).is_ok());
        assert!(verify(&sound_but(json!({"exp": NOW + 3_600}))).is_ok());
    }

    #[test]
    fn every_algorithm_is_taken_where_the_client_may_use_it() {
        for algorithm in SigningAlgorithm::ALL {
            let key = SigningKey::generate(algorithm, RsaBits::default())
                .unwrap()
                .key;
            let token = key.sign_jwt("JWT", &sound()).unwrap();
            assert!(verify_with(&key, &token, rules()).is_ok(), "{algorithm}");
            let others = SigningAlgorithm::ALL
                .into_iter()
                .filter(|other| !other.is_among(&[algorithm]))
                .collect::<Vec<_>>();
            let narrow = AssertionRules {
                algorithms: &others,
                ..rules()
            };
            assert_eq!(
                verify_with(&key, &token, narrow).err(),
                Some(JwsError::Algorithm.into()),
                "{algorithm}"
            );
        }
    }

    /// HS256 over a header and a payload.
    fn by_secret(secret: &[u8], header: &str, payload: &str) -> String {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
        let input = format!("{}.{}", B64.encode(header), B64.encode(payload));
        let mut mac = <Hmac<Sha256>>::new_from_slice(secret).unwrap();
        mac.update(input.as_bytes());
        format!("{input}.{}", B64.encode(mac.finalize().into_bytes()))
    }

    fn verify_by(
        secrets: &[&[u8]],
        header: &str,
        payload: &str,
    ) -> Result<Assertion, AssertionError> {
        let token = by_secret(b"the secret of the client", header, payload);
        UnverifiedAssertion::parse(&token)?.verify_by_secret(secrets, rules())
    }

    #[test]
    fn a_secret_signs_as_a_key_does() {
        let (own, other) = (
            b"the secret of the client".as_slice(),
            b"another".as_slice(),
        );
        let (header, payload) = (r#"{"alg":"HS256","typ":"JWT"}"#, sound().to_string());
        for secrets in [vec![own], vec![own, other], vec![other, own]] {
            assert_eq!(
                verify_by(&secrets, header, &payload).map(|read| read.client_id),
                Ok("c1".to_owned())
            );
        }
        for secrets in [vec![], vec![other], vec![b"".as_slice(), other]] {
            let refused = verify_by(&secrets, header, &payload).err();
            assert_eq!(refused, Some(JwsError::Signature.into()));
        }
        for (header, error) in [
            (r#"{"alg":"HS256","typ":"at+jwt"}"#, JwsError::Type),
            (r#"{"alg":"HS512"}"#, JwsError::Algorithm),
            (r#"{"alg":"ES256"}"#, JwsError::Algorithm),
        ] {
            assert_eq!(
                verify_by(&[own], header, &payload).err(),
                Some(error.into())
            );
        }
        for (change, error) in [
            (json!({"aud": [ISSUER]}), AssertionError::Audience),
            (json!({"sub": "c2"}), AssertionError::IssuerIsNotSubject),
            (json!({"exp": NOW - 10}), ClaimError::Expired.into()),
            (json!({"exp": NOW + 7_200}), AssertionError::TooLong),
            (json!({"nbf": NOW + 61}), ClaimError::NotYet.into()),
            (json!({"jti": "absent"}), ClaimError::Missing("jti").into()),
        ] {
            let refused = verify_by(&[own], header, &sound_but(change.clone()).to_string()).err();
            assert_eq!(refused, Some(error), "{change}");
        }
    }

    #[test]
    fn the_example_of_rfc_7515_is_verified() {
        use base64::Engine as _;
        // Appendix A.1; its claims are those of no assertion, which is looked at last.
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let secret = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let verify = |secret: &[u8]| {
            let read = UnverifiedAssertion::parse(token).unwrap();
            read.verify_by_secret(&[secret], rules()).err()
        };
        assert_eq!(verify(&secret), Some(ClaimError::Missing("sub").into()));
        assert_eq!(verify(&secret[1..]), Some(JwsError::Signature.into()));
    }

    #[test]
    fn no_key_is_taken_for_a_secret_and_no_secret_for_a_key() {
        let key = key();
        let public = key.public_jwk().to_string();
        let forged = by_secret(
            public.as_bytes(),
            r#"{"alg":"HS256"}"#,
            &sound().to_string(),
        );
        assert_eq!(
            verify_with(&key, &forged, rules()).err(),
            Some(JwsError::Algorithm.into())
        );
        let token = key.sign_jwt("JWT", &sound()).unwrap();
        let unverified = UnverifiedAssertion::parse(&token).unwrap();
        assert_eq!(unverified.method(), TokenEndpointAuthMethod::PrivateKeyJwt);
        let refused = unverified.verify_by_secret(&[public.as_bytes()], rules());
        assert_eq!(refused.err(), Some(JwsError::Algorithm.into()));
    }

    #[test]
    fn who_it_is_from_must_be_clear() {
        for claims in [json!({"sub": "c2"}), json!({"iss": "c2"})] {
            assert_eq!(
                verify(&sound_but(claims)).err(),
                Some(AssertionError::IssuerIsNotSubject)
            );
        }
        assert_eq!(
            verify(&sound_but(json!({"iss": "absent"}))).err(),
            Some(ClaimError::Missing("iss").into())
        );
        assert_eq!(
            verify(&sound_but(json!({"sub": "absent"}))).err(),
            Some(ClaimError::Missing("sub").into())
        );
        assert_eq!(
            verify(&sound_but(json!({"sub": ["c1"]}))).err(),
            Some(ClaimError::Malformed("sub").into())
        );
        let token = key().sign_jwt("JWT", &sound()).unwrap();
        assert_eq!(
            UnverifiedAssertion::parse(&token)
                .unwrap()
                .claimed_client()
                .as_deref(),
            Some("c1")
        );
    }

    #[test]
    fn claims_are_judged_only_once_the_signature_is_right() {
        let (key, stranger) = (key(), key());
        for change in [
            json!({"iss": "c2"}),
            json!({"iss": "absent"}),
            json!({"sub": ["c1"]}),
            json!({"aud": "https://evil.example"}),
            json!({"exp": 1}),
            json!({"jti": ""}),
        ] {
            let claims = sound_but(change).to_string();
            let forged = stranger.sign_text(r#"{"alg":"ES256"}"#, &claims);
            assert_eq!(
                verify_with(&key, &forged, rules()).err(),
                Some(JwsError::Signature.into()),
                "{claims}"
            );
            let signed = key.sign_text(r#"{"alg":"ES256"}"#, &claims);
            assert!(
                !matches!(
                    verify_with(&key, &signed, rules()),
                    Ok(_) | Err(AssertionError::Jws(_))
                ),
                "{claims}"
            );
        }
    }

    #[test]
    fn it_is_for_this_provider_alone() {
        for audience in [
            json!("https://globex.id.example.com"),
            json!("https://acme.id.example.com/"),
            json!("https://ACME.id.example.com"),
            json!([ISSUER]),
            json!([ISSUER, TOKEN_ENDPOINT]),
            json!([ISSUER, "https://evil.example"]),
            json!(null),
            json!(1),
        ] {
            let result = verify(&sound_but(json!({"aud": audience})));
            assert_eq!(result.err(), Some(AssertionError::Audience), "{audience}");
        }
        assert_eq!(
            verify(&sound_but(json!({"aud": "absent"}))).err(),
            Some(ClaimError::Missing("aud").into())
        );
        let key = key();
        let token = key
            .sign_jwt("JWT", &sound_but(json!({"aud": TOKEN_ENDPOINT})))
            .unwrap();
        let issuer_only = AssertionRules {
            audiences: &[ISSUER],
            ..rules()
        };
        assert_eq!(
            verify_with(&key, &token, issuer_only).err(),
            Some(AssertionError::Audience)
        );
    }

    #[test]
    fn it_lives_short_and_now() {
        assert_eq!(
            verify(&sound_but(json!({"exp": "absent"}))).err(),
            Some(ClaimError::Missing("exp").into())
        );
        assert_eq!(
            verify(&sound_but(json!({"exp": NOW - 10}))).err(),
            Some(ClaimError::Expired.into())
        );
        for ahead in [3_631, 7_200, 315_360_000] {
            assert_eq!(
                verify(&sound_but(json!({"exp": NOW + ahead}))).err(),
                Some(AssertionError::TooLong),
                "{ahead}"
            );
        }
        for name in ["nbf", "iat"] {
            assert!(
                verify(&sound_but(json!({name: NOW + 10}))).is_ok(),
                "{name}"
            );
            assert_eq!(
                verify(&sound_but(json!({name: NOW + 61}))).err(),
                Some(ClaimError::NotYet.into()),
                "{name}"
            );
            assert_eq!(
                verify(&sound_but(json!({name: "soon"}))).err(),
                Some(ClaimError::Malformed(name).into())
            );
        }
    }

    #[test]
    fn it_has_a_name_to_remember() {
        assert_eq!(
            verify(&sound_but(json!({"jti": "absent"}))).err(),
            Some(ClaimError::Missing("jti").into())
        );
        assert_eq!(
            verify(&sound_but(json!({"jti": 7}))).err(),
            Some(ClaimError::Malformed("jti").into())
        );
        for jti in [String::new(), "j".repeat(MAX_JTI + 1)] {
            assert_eq!(
                verify(&sound_but(json!({"jti": jti}))).err(),
                Some(AssertionError::JwtId)
            );
        }
        assert!(verify(&sound_but(json!({"jti": "j".repeat(MAX_JTI)}))).is_ok());
    }

    #[test]
    fn other_tokens_and_other_keys_are_refused() {
        let (key, other) = (key(), key());
        let foreign = other.sign_jwt("JWT", &sound()).unwrap();
        assert_eq!(
            verify_with(&key, &foreign, rules()).err(),
            Some(JwsError::UnknownKey.into())
        );
        let anonymous = other.sign_text(r#"{"alg":"ES256"}"#, &sound().to_string());
        assert_eq!(
            verify_with(&key, &anonymous, rules()).err(),
            Some(JwsError::Signature.into())
        );
        assert!(verify_with(&other, &anonymous, rules()).is_ok());
        let access_token = key.sign_jwt("at+jwt", &sound()).unwrap();
        assert_eq!(
            verify_with(&key, &access_token, rules()).err(),
            Some(JwsError::Type.into())
        );
        let repeated = key.sign_text(
            r#"{"alg":"ES256"}"#,
            r#"{"iss":"c1","sub":"c1","sub":"c1"}"#,
        );
        assert_eq!(
            verify_with(&key, &repeated, rules()).err(),
            Some(JwsError::Payload.into())
        );
    }
}
