//! Whom an application means, in the words of somebody whom the tenant trusts (OpenID Connect CIBA §7.1, `login_hint_token`), by `sub` or by a
//! subject identifier ([RFC 9493](https://www.rfc-editor.org/rfc/rfc9493) §3, §4.1).
//!
//! CIBA leaves its form to those who agree on one. Here it is a JWT by the rules of the assertions that are grants (see
//! [`bearer_assertion`](super::bearer_assertion)): one audience, a bounded life, a `jti`. That a `jti` is taken once is for `storage` to say, and who it
//! means for the flow. Left out: the formats `account`, `phone_number`, `did`, `uri` and `aliases`, by which nobody is known here.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::claims::{ClaimError, Claims, Present, find_string, load_string};
use super::from_issuer::{Kind, OnceRules, Rules, Unverified, takes_once_errors};
use super::jws::JwsError;
use crate::protocol::algorithm::SigningAlgorithm;

/// How far ahead `nbf` and `iat` may lie, and how long after `exp` a hint is still taken: issuers' clocks differ from ours.
const LEEWAY: Duration = Duration::from_secs(30);

/// The longest name of a person, in bytes.
const MAX_SUBJECT: usize = 1024;

/// Why a hint is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginHintError {
    /// Its form, key or signature.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// A claim.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// `aud` is another's, or more than one.
    #[error("the claim aud must be one string: the issuer")]
    Audience,
    /// `exp` lies too far ahead.
    #[error("the claim exp lies further ahead than its issuer may have it")]
    TooLong,
    /// `jti` is empty or too long.
    #[error("the claim jti must have 1 to 256 characters")]
    JwtId,
    /// It names nobody in a way that is understood here.
    #[error(
        "it must name one person by sub, or by a sub_id of the format iss_sub, email or opaque"
    )]
    Subject,
}

takes_once_errors!(LoginHintError);

/// What a hint must meet.
#[derive(Debug, Clone, Copy)]
pub struct LoginHintRules<'a> {
    /// What `aud` has to be.
    pub audience: &'a str,
    /// What it may be signed by.
    pub algorithms: &'a [SigningAlgorithm],
    /// How far ahead `exp` may lie.
    pub max_lifetime: Duration,
    /// The present, in seconds since 1970.
    pub unix: i64,
}

/// Whom it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// By a name, and at whom that is one, where it says so.
    pub subject: Option<(String, Option<String>)>,
    /// By their address, where the issuer says that it verified it.
    pub verified_email: Option<String>,
}

/// A hint that is good if its `jti` was not seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginHint {
    /// Whom it names.
    pub named: Named,
    /// Its name, to be taken once per issuer.
    pub jti: String,
    /// When it stops being taken, and its `jti` may be forgotten; seconds since 1970.
    pub remember_until: i64,
}

/// A subject identifier (RFC 9493 §3: "MUST NOT include any members prohibited or not described by its Identifier Format").
#[derive(Deserialize)]
#[serde(tag = "format", rename_all = "snake_case", deny_unknown_fields)]
enum SubjectId {
    IssSub { iss: String, sub: String },
    Email { email: String },
    Opaque { id: String },
}

/// A hint that was read and not verified: it tells whose keys to look for.
pub type UnverifiedLoginHint<'t> = Unverified<'t, LoginHint>;

impl Rules for LoginHintRules<'_> {
    fn algorithms(&self) -> &[SigningAlgorithm] {
        self.algorithms
    }
}

impl Kind for LoginHint {
    type Rules<'a> = LoginHintRules<'a>;
    type Error = LoginHintError;

    // An access token, an ID token or a grant of the same issuer's that has a type names nobody to be asked.
    const TYP: &'static str = "login-hint+jwt";

    fn check(claims: Claims, rules: LoginHintRules<'_>) -> Result<Self, LoginHintError> {
        let once = OnceRules {
            audiences: &[rules.audience],
            max_lifetime: rules.max_lifetime,
            present: Present::new(rules.unix, LEEWAY),
        };
        let once = once.check(&claims)?;
        Ok(Self {
            named: named(&claims)?,
            jti: once.jti.to_owned(),
            remember_until: once.remember_until,
        })
    }
}

/// RFC 9493 §4.1: whoever reads both relies on one of them; here that is `sub_id`.
fn named(claims: &Claims) -> Result<Named, LoginHintError> {
    let text = |text: String| {
        let is_name = (1..=MAX_SUBJECT).contains(&text.len());
        is_name.then_some(text).ok_or(LoginHintError::Subject)
    };
    let verified = claims.get("email_verified") == Some(&Value::Bool(true));
    let Some(id) = claims.get("sub_id") else {
        let subject = text(load_string(claims, "sub")?.to_owned())?;
        let email = find_string(claims, "email")?.map(str::to_owned);
        let email = email.filter(|email| verified && email.len() <= MAX_SUBJECT);
        return Ok(Named {
            subject: Some((subject, None)),
            verified_email: email,
        });
    };
    let by_name = |name, at| Named {
        subject: Some((name, at)),
        verified_email: None,
    };
    let id = SubjectId::deserialize(id).map_err(|_| LoginHintError::Subject)?;
    Ok(match id {
        SubjectId::IssSub { iss, sub } => by_name(text(sub)?, Some(iss)),
        SubjectId::Opaque { id } => by_name(text(id)?, None),
        SubjectId::Email { email } => Named {
            subject: None,
            verified_email: Some(text(email)?).filter(|_| verified),
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jose::keys::{RsaBits, SigningKey, VerificationKeys};

    const ISSUER: &str = "https://id.example/t/acme";
    const NOW: i64 = 1_800_000_000;

    fn verify(typ: &str, changes: &Value) -> Result<LoginHint, LoginHintError> {
        let key = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default()).unwrap();
        let mut claims = json!({ "iss": "https://issuer.example.com/", "aud": ISSUER, "exp": NOW + 60, "jti": "1", "sub": "145234573" });
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        let token = key.key.sign_jwt(typ, &claims).unwrap();
        let keys = VerificationKeys::new(vec![key.key.verification_key().unwrap()]);
        let rules = LoginHintRules {
            audience: ISSUER,
            algorithms: &SigningAlgorithm::ALL,
            max_lifetime: Duration::from_mins(5),
            unix: NOW,
        };
        UnverifiedLoginHint::parse(&token)?.verify(&keys, rules)
    }

    /// RFC 9493 §3.2.2, §3.2.3, §3.2.4, and `sub`.
    #[test]
    fn whom_it_names() {
        let name =
            |name: &str, at: Option<&str>| (Some((name.to_owned(), at.map(str::to_owned))), None);
        let address = |address: &str| (None, Some(address.to_owned()));
        for (change, expected) in [
            (json!({}), name("145234573", None)),
            (
                json!({ "sub": null, "sub_id": { "format": "iss_sub", "iss": "https://issuer.example.com/", "sub": "145234573" } }),
                name("145234573", Some("https://issuer.example.com/")),
            ),
            (
                json!({ "sub_id": { "format": "opaque", "id": "11112222333344445555" } }),
                name("11112222333344445555", None),
            ),
            (
                json!({ "sub": null, "sub_id": { "format": "email", "email": "user@example.com" }, "email_verified": true }),
                address("user@example.com"),
            ),
            (
                json!({ "sub_id": { "format": "email", "email": "user@example.com" } }),
                (None, None),
            ),
            (
                json!({ "email": "user@example.com", "email_verified": "true" }),
                name("145234573", None),
            ),
            (
                json!({ "email": "user@example.com", "email_verified": true }),
                (
                    name("145234573", None).0,
                    Some("user@example.com".to_owned()),
                ),
            ),
        ] {
            for typ in ["JWT", LoginHint::TYP] {
                let named = verify(typ, &change).unwrap().named;
                assert_eq!((named.subject, named.verified_email), expected, "{change}");
            }
        }
    }

    #[test]
    fn faults() {
        let id = |id: Value| json!({ "sub_id": id });
        for (change, error) in [
            (json!({ "sub": null }), ClaimError::Missing("sub").into()),
            (json!({ "sub": "" }), LoginHintError::Subject),
            (json!({ "sub": "x".repeat(1025) }), LoginHintError::Subject),
            (json!({ "email": 1 }), ClaimError::Malformed("email").into()),
            (id(json!("145234573")), LoginHintError::Subject),
            (id(json!({})), LoginHintError::Subject),
            (
                id(json!({ "format": "opaque", "id": "" })),
                LoginHintError::Subject,
            ),
            (
                id(json!({ "format": "opaque", "id": 1 })),
                LoginHintError::Subject,
            ),
            (
                id(json!({ "format": "opaque", "id": "1", "iss": "x" })),
                LoginHintError::Subject,
            ),
            (
                id(json!({ "format": "iss_sub", "sub": "1" })),
                LoginHintError::Subject,
            ),
            (
                id(json!({ "format": "phone_number", "phone_number": "+12065550100" })),
                LoginHintError::Subject,
            ),
            (
                id(
                    json!({ "format": "aliases", "identifiers": [{ "format": "opaque", "id": "1" }] }),
                ),
                LoginHintError::Subject,
            ),
            (json!({ "exp": NOW - 30 }), ClaimError::Expired.into()),
            (json!({ "exp": NOW + 331 }), LoginHintError::TooLong),
            (json!({ "aud": [ISSUER] }), LoginHintError::Audience),
            (
                json!({ "aud": "https://id.example/t/acme/token" }),
                LoginHintError::Audience,
            ),
            (json!({ "jti": "" }), LoginHintError::JwtId),
        ] {
            assert_eq!(verify("JWT", &change), Err(error), "{change}");
        }
        for typ in ["at+jwt", "authorization-grant+jwt", "logout+jwt"] {
            assert!(verify(typ, &json!({})).is_err(), "{typ}");
        }
    }
}
