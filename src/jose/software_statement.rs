//! Software statements ([RFC 7591 §2.3](https://www.rfc-editor.org/rfc/rfc7591#section-2.3)): what somebody whom the tenant trusts says of a
//! client's software.
//!
//! `iss` is required; `exp`, `nbf` and `iat` count where they are there, as the specification demands none of them. Left out: statements
//! protected by a MAC, since nobody shares a key with a tenant.

use std::time::Duration;

use super::claims::{ClaimError, Claims, Present, audiences, load_string};
use super::from_issuer::{Kind, Rules, Unverified};
use super::jws::{Compact, JwsError};
use crate::protocol::algorithm::SigningAlgorithm;

/// How far the clocks of issuers may differ from ours.
const LEEWAY: Duration = Duration::from_secs(30);

/// Claims that say something of the statement and nothing of the client (RFC 7519 §4.1).
const OF_STATEMENT: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// Why a software statement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Its form, key or signature.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// A claim.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// It is for somebody else.
    #[error("the claim aud must contain the issuer, where it is there")]
    Audience,
}

/// What a statement must meet.
#[derive(Debug, Clone, Copy)]
pub struct StatementRules<'a> {
    /// What `aud` has to contain, where it is there.
    pub audience: &'a str,
    /// The present, in seconds since 1970.
    pub unix: i64,
}

/// What a statement says of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The members of its metadata, `software_id` among them.
    pub metadata: Claims,
}

/// A statement that was read and not verified: it tells whose keys to look for.
pub type UnverifiedStatement<'t> = Unverified<'t, Statement>;

impl Rules for StatementRules<'_> {
    fn algorithms(&self) -> &[SigningAlgorithm] {
        &SigningAlgorithm::ALL
    }
}

impl Kind for Statement {
    type Rules<'a> = StatementRules<'a>;
    type Error = StatementError;

    // RFC 7591 names no type.
    const TYP: &'static str = "software-statement+jwt";

    // Whoever issues statements may sign other JWTs by the same keys, ID tokens above all: what says nothing of a software, or is for another
    // audience, is none.
    fn check(claims: Claims, rules: StatementRules<'_>) -> Result<Self, StatementError> {
        Present::new(rules.unix, LEEWAY).check_where_present(&claims)?;
        load_string(&claims, "software_id")?;
        let audiences = audiences(&claims)?;
        if !audiences.is_empty() && !audiences.contains(&rules.audience) {
            return Err(StatementError::Audience);
        }
        Ok(Self {
            metadata: about_client(claims),
        })
    }
}

/// What a statement says of the client, which was verified when it was taken.
pub fn of_verified(token: &str) -> Result<Claims, StatementError> {
    Ok(about_client(Compact::parse(token)?.claims()?))
}

fn about_client(mut claims: Claims) -> Claims {
    claims.retain(|name, _| !OF_STATEMENT.contains(&name.as_str()));
    claims
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::jose::keys::{RsaBits, SigningKey, VerificationKeys};

    const NOW: i64 = 1_800_000_000;

    const RULES: StatementRules<'static> = StatementRules {
        audience: "https://id.example/t/acme",
        unix: NOW,
    };

    fn key() -> SigningKey {
        SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default())
            .unwrap()
            .key
    }

    fn verify(typ: &str, claims: &Value) -> Result<Claims, StatementError> {
        let key = key();
        let token = key.sign_jwt(typ, claims).unwrap();
        let statement = UnverifiedStatement::parse(&token)?;
        let keys = VerificationKeys::new(vec![key.verification_key().unwrap()]);
        let read = statement.verify(&keys, RULES)?;
        Ok(read.metadata)
    }

    #[test]
    fn what_it_says_of_the_client_is_told_from_what_it_says_of_itself() {
        let claims = json!({
            "iss": "https://federation.example", "sub": "s", "aud": ["a", "https://id.example/t/acme"], "exp": NOW + 1, "nbf": NOW, "iat": NOW, "jti": "j",
            "client_name": "Board", "software_id": "1",
        });
        let said = verify("JWT", &claims).unwrap();
        assert_eq!(
            Value::Object(said),
            json!({ "client_name": "Board", "software_id": "1" })
        );
        let token = key().sign_jwt("JWT", &claims).unwrap();
        assert_eq!(of_verified(&token).unwrap()["software_id"], "1");
        let statement = UnverifiedStatement::parse(&token).unwrap();
        assert_eq!(statement.issuer(), "https://federation.example");
    }

    #[test]
    fn faults() {
        for (typ, claims, error) in [
            ("JWT", json!({}), ClaimError::Missing("iss").into()),
            (
                "JWT",
                json!({ "iss": 1 }),
                ClaimError::Malformed("iss").into(),
            ),
            (
                "JWT",
                json!({ "iss": "i", "exp": NOW - 31 }),
                ClaimError::Expired.into(),
            ),
            (
                "JWT",
                json!({ "iss": "i", "nbf": NOW + 31 }),
                ClaimError::NotYet.into(),
            ),
            (
                "JWT",
                json!({ "iss": "i", "iat": NOW + 31 }),
                ClaimError::NotYet.into(),
            ),
            (
                "JWT",
                json!({ "iss": "i" }),
                ClaimError::Missing("software_id").into(),
            ),
            (
                "JWT",
                json!({ "iss": "i", "software_id": "s", "aud": "https://id.example/t/globex" }),
                StatementError::Audience,
            ),
            (
                "at+jwt",
                json!({ "iss": "i" }),
                StatementError::Jws(JwsError::Type),
            ),
        ] {
            assert_eq!(verify(typ, &claims), Err(error), "{claims}");
        }
        let token = key().sign_jwt("JWT", &json!({ "iss": "i" })).unwrap();
        let strange = VerificationKeys::new(vec![key().verification_key().unwrap()]);
        let refused = UnverifiedStatement::parse(&token)
            .unwrap()
            .verify(&strange, RULES);
        assert!(
            matches!(refused, Err(StatementError::Jws(_))),
            "{refused:?}"
        );
        for token in ["", "e30.e30.", "e30.e30.e30"] {
            assert!(UnverifiedStatement::parse(token).is_err(), "{token}");
        }
    }
}
