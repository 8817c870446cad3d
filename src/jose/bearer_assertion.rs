//! JWTs as authorization grants (RFC 7523 §2.1, §3): what somebody whom the tenant trusts says of a person.
//!
//! Stricter than RFC 7523, as for the assertions by which clients authenticate: `aud` is one text, `jti` is required, and the life is bounded.
//! That a `jti` is taken once is for `storage` to say, and who `sub` is for the flow. Left out: assertions protected by a MAC, since nobody
//! shares a key with a tenant.

use std::time::Duration;

use serde_json::Value;

use super::claims::{ClaimError, Claims, Present, load_string};
use super::from_issuer::{Kind, OnceRules, Rules, Unverified, takes_once_errors};
use super::jws::JwsError;
use crate::protocol::algorithm::SigningAlgorithm;

/// How far ahead `nbf` and `iat` may lie, and how long after `exp` an assertion is still taken: issuers' clocks differ from ours.
const LEEWAY: Duration = Duration::from_secs(30);

/// The longest `sub` and `email`, in bytes.
const MAX_SUBJECT: usize = 1024;

/// Why an assertion is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerAssertionError {
    /// Its form, key or signature.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// A claim.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// `aud` is another's, or more than one.
    #[error("the claim aud must be one string: the issuer, or the token endpoint's URL")]
    Audience,
    /// `exp` lies too far ahead.
    #[error("the claim exp lies further ahead than its issuer may have it")]
    TooLong,
    /// `jti` is empty or too long.
    #[error("the claim jti must have 1 to 256 characters")]
    JwtId,
    /// `sub` is empty or too long.
    #[error("the claim sub must have 1 to 1024 characters")]
    Subject,
}

/// What an assertion must meet.
#[derive(Debug, Clone, Copy)]
pub struct BearerAssertionRules<'a> {
    /// What `aud` may be.
    pub audiences: &'a [&'a str],
    /// What it may be signed by.
    pub algorithms: &'a [SigningAlgorithm],
    /// How far ahead `exp` may lie.
    pub max_lifetime: Duration,
    /// The present, in seconds since 1970.
    pub unix: i64,
}

takes_once_errors!(BearerAssertionError);

/// An assertion that is good if its `jti` was not seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerAssertion {
    /// Of whom it speaks.
    pub subject: String,
    /// Their address, where the issuer says that it verified it.
    pub verified_email: Option<String>,
    /// Its name, to be taken once per issuer.
    pub jti: String,
    /// The only party that may act on the person's behalf by it (RFC 8693 §4.4), in the issuer's words.
    pub may_act: Option<Value>,
    /// When it expires; seconds since 1970.
    pub expires_at: i64,
    /// When it stops being taken, and its `jti` may be forgotten; seconds since 1970.
    pub remember_until: i64,
}

/// An assertion that was read and not verified: it tells whose keys to look for.
pub type UnverifiedBearerAssertion<'t> = Unverified<'t, BearerAssertion>;

impl Rules for BearerAssertionRules<'_> {
    fn algorithms(&self) -> &[SigningAlgorithm] {
        self.algorithms
    }
}

impl Kind for BearerAssertion {
    type Rules<'a> = BearerAssertionRules<'a>;
    type Error = BearerAssertionError;

    // RFC 7523 names no type. Whoever signs other kinds by the same keys says so there: an access token or an ID token of theirs that has a type
    // is none.
    const TYP: &'static str = "authorization-grant+jwt";

    fn check(
        claims: Claims,
        rules: BearerAssertionRules<'_>,
    ) -> Result<Self, BearerAssertionError> {
        let once = OnceRules {
            audiences: rules.audiences,
            max_lifetime: rules.max_lifetime,
            present: Present::new(rules.unix, LEEWAY),
        };
        let once = once.check(&claims)?;
        let subject = load_string(&claims, "sub")?;
        if subject.is_empty() || subject.len() > MAX_SUBJECT {
            return Err(BearerAssertionError::Subject);
        }
        let email = claims
            .get("email")
            .and_then(Value::as_str)
            .filter(|email| email.len() <= MAX_SUBJECT);
        let verified = claims.get("email_verified") == Some(&Value::Bool(true));
        Ok(Self {
            subject: subject.to_owned(),
            verified_email: email.filter(|_| verified).map(str::to_owned),
            jti: once.jti.to_owned(),
            may_act: claims.get("may_act").cloned(),
            expires_at: once.expires_at,
            remember_until: once.remember_until,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jose::keys::{RsaBits, SigningKey, VerificationKeys};

    const ISSUER: &str = "https://id.example/t/acme";
    const NOW: i64 = 1_800_000_000;

    fn key() -> SigningKey {
        SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default())
            .unwrap()
            .key
    }

    /// RFC 7523 §4, with a `jti` and the audience of ours.
    fn sound(changes: &Value) -> Value {
        let mut claims = json!({
            "iss": "https://jwt-idp.example.com", "sub": "mailto:mike@example.com", "aud": ISSUER, "nbf": NOW - 60, "iat": NOW, "exp": NOW + 60, "jti": "1",
        });
        for (name, value) in changes.as_object().unwrap() {
            if value == "absent" {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    fn verify(typ: &str, claims: &Value) -> Result<BearerAssertion, BearerAssertionError> {
        let key = key();
        let token = key.sign_jwt(typ, claims).unwrap();
        let keys = VerificationKeys::new(vec![key.verification_key().unwrap()]);
        let rules = BearerAssertionRules {
            algorithms: &SigningAlgorithm::ALL,
            audiences: &[ISSUER, "https://id.example/t/acme/token"],
            max_lifetime: Duration::from_mins(5),
            unix: NOW,
        };
        UnverifiedBearerAssertion::parse(&token)?.verify(&keys, rules)
    }

    #[test]
    fn a_sound_assertion_says_of_whom_it_speaks() {
        let read = verify("JWT", &sound(&json!({}))).unwrap();
        assert_eq!(
            (
                read.subject.as_str(),
                read.jti.as_str(),
                read.remember_until
            ),
            ("mailto:mike@example.com", "1", NOW + 90)
        );
        for change in [
            json!({ "aud": "https://id.example/t/acme/token" }),
            json!({ "nbf": "absent", "iat": "absent" }),
            json!({ "exp": NOW + 330 }),
            json!({ "exp": NOW - 29 }),
            json!({ "nbf": NOW + 29 }),
        ] {
            assert!(verify("JWT", &sound(&change)).is_ok(), "{change}");
        }
        // An address counts where its verification is stated, and as nothing else than `true`.
        for (verified, counts) in [
            (json!(true), true),
            (json!("true"), false),
            (json!(1), false),
            (json!(false), false),
            (json!("absent"), false),
        ] {
            let claims = sound(&json!({ "email": "mike@example.com", "email_verified": verified }));
            let read = verify("JWT", &claims).unwrap();
            assert_eq!(read.verified_email.is_some(), counts, "{verified}");
        }
    }

    #[test]
    fn faults() {
        for (change, error) in [
            (
                json!({ "aud": "absent" }),
                ClaimError::Missing("aud").into(),
            ),
            (json!({ "aud": [ISSUER] }), BearerAssertionError::Audience),
            (
                json!({ "aud": "https://id.example/t/globex" }),
                BearerAssertionError::Audience,
            ),
            (
                json!({ "exp": "absent" }),
                ClaimError::Missing("exp").into(),
            ),
            (json!({ "exp": NOW - 30 }), ClaimError::Expired.into()),
            (json!({ "exp": NOW + 331 }), BearerAssertionError::TooLong),
            (
                json!({ "exp": NOW + 1_000_000_000 }),
                BearerAssertionError::TooLong,
            ),
            (
                json!({ "sub": "absent" }),
                ClaimError::Missing("sub").into(),
            ),
            (json!({ "sub": "" }), BearerAssertionError::Subject),
            (
                json!({ "sub": "x".repeat(1025) }),
                BearerAssertionError::Subject,
            ),
            (
                json!({ "jti": "absent" }),
                ClaimError::Missing("jti").into(),
            ),
            (json!({ "jti": "" }), BearerAssertionError::JwtId),
            (
                json!({ "jti": "x".repeat(257) }),
                BearerAssertionError::JwtId,
            ),
            (
                json!({ "iss": "absent" }),
                ClaimError::Missing("iss").into(),
            ),
        ] {
            assert_eq!(verify("JWT", &sound(&change)), Err(error), "{change}");
        }
        for change in [json!({ "nbf": NOW + 31 }), json!({ "iat": NOW + 31 })] {
            assert!(verify("JWT", &sound(&change)).is_err(), "{change}");
        }
        for typ in ["at+jwt", "logout+jwt", "dpop+jwt"] {
            assert!(verify(typ, &sound(&json!({}))).is_err(), "{typ}");
        }
        let token = key().sign_jwt("JWT", &sound(&json!({}))).unwrap();
        let others = VerificationKeys::new(vec![key().verification_key().unwrap()]);
        let rules = BearerAssertionRules {
            algorithms: &SigningAlgorithm::ALL,
            audiences: &[ISSUER],
            max_lifetime: Duration::from_mins(5),
            unix: NOW,
        };
        let refused = UnverifiedBearerAssertion::parse(&token)
            .unwrap()
            .verify(&others, rules);
        assert!(matches!(refused, Err(BearerAssertionError::Jws(_))));
    }
}
