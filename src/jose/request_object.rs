//! Signed request objects (RFC 9101 §4, §6; OpenID Connect Core §6.1): a client's own JWT that is its authorization request.
//!
//! `iss` and `aud` are required; `exp`, `nbf` and `iat` count where they are there, as neither specification demands them. Left out:
//! `none`, which no algorithm list of ours knows. One that is encrypted was opened before (`jwe`).

use std::time::Duration;

use super::claims::{ClaimError, Claims, Present, audiences, find_string, load_date, load_string};
use super::jws::{Compact, JwsError, Type};
use super::keys::{Expect, KeyChoice, VerificationKeys};
use crate::protocol::algorithm::SigningAlgorithm;
use crate::protocol::request_object::TYP;

/// How far ahead `nbf` and `iat` may lie, as with client assertions.
const FUTURE_LEEWAY: Duration = Duration::from_secs(30);
/// How long after `exp` an object is still taken.
const EXPIRY_LEEWAY: Duration = Duration::from_secs(10);

/// Why a request object is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestObjectError {
    /// Its form, key or signature.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// A claim.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// `iss` is somebody else.
    #[error("the claim iss must be the client_id")]
    Issuer,
    /// `aud` is somebody else.
    #[error("the claim aud must contain the issuer")]
    Audience,
    /// It is good for too long, or has been for too long.
    #[error(
        "the claim exp must lie at most {0} seconds after nbf, and nbf at most as many seconds in the past"
    )]
    Lifetime(i64),
    /// `sub` is the client.
    #[error(
        "the claim sub must not be the client_id, or the object would pass for the client's authentication"
    )]
    Subject,
}

/// What a request object must meet.
#[derive(Debug, Clone, Copy)]
pub struct RequestObjectRules<'a> {
    /// Whose it must be.
    pub client_id: &'a str,
    /// For whom it must be.
    pub issuer: &'a str,
    /// The algorithms the client may use.
    pub algorithms: &'a [SigningAlgorithm],
    /// Where it has to say when it is good: for how many seconds at the most.
    pub max_lifetime: Option<i64>,
    /// The present, in seconds since 1970.
    pub unix: i64,
}

/// A request object that was read and not verified: it tells which key to look for.
#[derive(Debug)]
pub struct UnverifiedRequestObject<'t>(Compact<'t>);

impl<'t> UnverifiedRequestObject<'t> {
    /// Reads an object; one by an algorithm that the client may not use is refused before anybody looks for its key.
    pub fn parse(token: &'t str, algorithms: &[SigningAlgorithm]) -> Result<Self, JwsError> {
        let compact = Compact::parse(token)?;
        if compact.header.algorithm.is_among(algorithms) {
            Ok(Self(compact))
        } else {
            Err(JwsError::Algorithm)
        }
    }

    /// The name of the key that it claims to be signed by.
    pub fn kid(&self) -> Option<&str> {
        self.0.header.kid.as_deref()
    }

    /// Verifies it by the client's keys: the signature first, then who made it for whom and when. What it asks for is not looked at.
    pub fn verify(
        self,
        keys: &VerificationKeys,
        rules: RequestObjectRules<'_>,
    ) -> Result<Claims, RequestObjectError> {
        let expect = Expect {
            // RFC 9101 §10.8 has explicit typing as a countermeasure, not as a must.
            typ: Type::IfPresent(&["JWT", TYP]),
            algorithms: rules.algorithms,
            choice: KeyChoice::ByKidOrOnly,
        };
        let claims = keys.verify_compact(self.0, expect)?.claims;
        if load_string(&claims, "iss")? != rules.client_id {
            return Err(RequestObjectError::Issuer);
        }
        if !audiences(&claims)?.contains(&rules.issuer) {
            return Err(RequestObjectError::Audience);
        }
        // RFC 9101 §10.8: an object whose subject is the client could be presented as its assertion.
        if find_string(&claims, "sub")? == Some(rules.client_id) {
            return Err(RequestObjectError::Subject);
        }
        let present = Present {
            unix: rules.unix,
            expiry_leeway: EXPIRY_LEEWAY,
            future_leeway: FUTURE_LEEWAY,
        };
        present.check_where_present(&claims)?;
        if let Some(longest) = rules.max_lifetime {
            let (exp, nbf) = (load_date(&claims, "exp")?, load_date(&claims, "nbf")?);
            // Of both: how long it is good, and how long it has been.
            if exp - nbf > longest || rules.unix - nbf > longest {
                return Err(RequestObjectError::Lifetime(longest));
            }
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::jose::keys::{RsaBits, SigningKey};

    const NOW: i64 = 1_800_000_000;
    const ISSUER: &str = "https://id.example.com/t/acme";

    fn rules(algorithms: &[SigningAlgorithm]) -> RequestObjectRules<'_> {
        RequestObjectRules {
            client_id: "c1",
            issuer: ISSUER,
            algorithms,
            max_lifetime: None,
            unix: NOW,
        }
    }

    fn key(algorithm: SigningAlgorithm) -> SigningKey {
        SigningKey::generate(algorithm, RsaBits::default())
            .unwrap()
            .key
    }

    fn verify_with(
        key: &SigningKey,
        token: &str,
        algorithms: &[SigningAlgorithm],
    ) -> Result<Claims, RequestObjectError> {
        let keys = VerificationKeys::new(vec![key.verification_key().unwrap()]);
        UnverifiedRequestObject::parse(token, algorithms)?.verify(&keys, rules(algorithms))
    }

    fn sound_but(change: Value) -> Value {
        let mut claims =
            json!({ "iss": "c1", "aud": ISSUER, "exp": NOW + 60, "nbf": NOW, "state": "s" });
        for (name, value) in change.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    fn verify(change: Value) -> Result<Claims, RequestObjectError> {
        let key = key(SigningAlgorithm::Es256);
        let token = key.sign_jwt(TYP, &sound_but(change)).unwrap();
        verify_with(&key, &token, &SigningAlgorithm::ALL)
    }

    #[test]
    fn every_algorithm_is_taken_where_the_client_may_use_it() {
        for algorithm in SigningAlgorithm::ALL {
            let key = key(algorithm);
            for typ in ["JWT", TYP] {
                let token = key.sign_jwt(typ, &sound_but(json!({}))).unwrap();
                let claims = verify_with(&key, &token, &SigningAlgorithm::ALL).unwrap();
                assert_eq!(claims["state"], "s", "{algorithm}");
                let others: Vec<_> = SigningAlgorithm::ALL
                    .into_iter()
                    .filter(|other| !other.is_among(&[algorithm]))
                    .collect();
                assert_eq!(
                    verify_with(&key, &token, &others).err(),
                    Some(JwsError::Algorithm.into())
                );
            }
        }
    }

    #[test]
    fn claims_that_it_may_have_and_must_have() {
        for change in [
            json!({ "aud": [ISSUER, "https://other.example"] }),
            json!({ "exp": null, "nbf": null }),
            json!({ "exp": NOW - 9 }),
            json!({ "nbf": NOW + 30, "iat": NOW + 30 }),
            json!({ "sub": "somebody" }),
        ] {
            assert!(verify(change.clone()).is_ok(), "{change}");
        }
        for (change, error) in [
            (json!({ "iss": "c2" }), RequestObjectError::Issuer),
            (json!({ "iss": null }), ClaimError::Missing("iss").into()),
            (
                json!({ "iss": ["c1"] }),
                ClaimError::Malformed("iss").into(),
            ),
            (json!({ "aud": null }), RequestObjectError::Audience),
            (
                json!({ "aud": format!("{ISSUER}/") }),
                RequestObjectError::Audience,
            ),
            (
                json!({ "aud": "https://id.example.com/t/globex" }),
                RequestObjectError::Audience,
            ),
            (
                json!({ "aud": [ISSUER, 1] }),
                ClaimError::Malformed("aud").into(),
            ),
            (json!({ "sub": "c1" }), RequestObjectError::Subject),
            (json!({ "exp": NOW - 10 }), ClaimError::Expired.into()),
            (
                json!({ "exp": "later" }),
                ClaimError::Malformed("exp").into(),
            ),
            (json!({ "nbf": NOW + 31 }), ClaimError::NotYet.into()),
            (json!({ "iat": NOW + 31 }), ClaimError::NotYet.into()),
        ] {
            assert_eq!(verify(change.clone()).err(), Some(error), "{change}");
        }
    }

    #[test]
    fn other_tokens_and_other_keys_are_refused() {
        let (own, other) = (key(SigningAlgorithm::Es256), key(SigningAlgorithm::Es256));
        let refused = |token: &str| verify_with(&own, token, &SigningAlgorithm::ALL).err();
        let sound = sound_but(json!({}));
        let access_token = own.sign_jwt("at+jwt", &sound).unwrap();
        assert_eq!(refused(&access_token), Some(JwsError::Type.into()));
        let assertion = own.sign_jwt("client-authentication+jwt", &sound).unwrap();
        assert_eq!(refused(&assertion), Some(JwsError::Type.into()));
        let foreign = other.sign_jwt(TYP, &sound).unwrap();
        assert_eq!(refused(&foreign), Some(JwsError::UnknownKey.into()));
        let forged = other.sign_text(r#"{"alg":"ES256"}"#, &sound.to_string());
        assert_eq!(refused(&forged), Some(JwsError::Signature.into()));
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS256"}"#,
            r#"{"alg":"es256"}"#,
        ] {
            let token = own.sign_text(header, &sound.to_string());
            assert_eq!(
                refused(&token),
                Some(JwsError::Algorithm.into()),
                "{header}"
            );
        }
        let repeated = own.sign_text(
            r#"{"alg":"ES256"}"#,
            r#"{"iss":"c1","state":"a","state":"b"}"#,
        );
        assert_eq!(refused(&repeated), Some(JwsError::Payload.into()));
    }
}
