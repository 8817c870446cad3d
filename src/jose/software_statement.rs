//! Software statements ([RFC 7591 §2.3](https://www.rfc-editor.org/rfc/rfc7591#section-2.3)): what somebody whom the tenant trusts says of a
//! client's software.
//!
//! `iss` is required; `exp`, `nbf` and `iat` count where they are there, as the specification demands none of them. Left out: statements
//! protected by a MAC, since nobody shares a key with a tenant.

use std::time::Duration;

use super::claims::{ClaimError, Claims, Present, audiences, load_string};
use super::from_issuer::{FromIssuer, of_kind};
use super::jws::{Compact, JwsError, Type};
use super::keys::{Expect, KeyChoice, VerificationKeys};
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

of_kind!(read: StatementError);

/// A statement that was read and not verified: it tells whose keys to look for.
#[derive(Debug)]
pub struct UnverifiedStatement<'t>(FromIssuer<'t>);

impl<'t> UnverifiedStatement<'t> {
    /// Reads a statement.
    pub fn parse(token: &'t str) -> Result<Self, StatementError> {
        Ok(Self(FromIssuer::parse(token)?))
    }

    /// Who says that they made it.
    pub fn issuer(&self) -> &str {
        self.0.issuer()
    }

    /// The name of the key that it claims to be signed by.
    pub fn kid(&self) -> Option<&str> {
        self.0.kid()
    }

    /// Verifies it by its issuer's keys; what it says of the client is returned.
    ///
    /// Whoever issues statements may sign other JWTs by the same keys, ID tokens above all: what says nothing of a software, or is for
    /// another audience than `own`, is none.
    pub fn verify(
        self,
        keys: &VerificationKeys,
        own: &str,
        unix: i64,
    ) -> Result<Claims, StatementError> {
        let expect = Expect {
            // RFC 7591 names no type.
            typ: Type::IfPresent(&["JWT", "software-statement+jwt"]),
            algorithms: &SigningAlgorithm::ALL,
            choice: KeyChoice::ByKidOrOnly,
        };
        let claims = self.0.verify(keys, expect)?;
        Present::new(unix, LEEWAY).check_where_present(&claims)?;
        load_string(&claims, "software_id")?;
        let audiences = audiences(&claims)?;
        if !audiences.is_empty() && !audiences.contains(&own) {
            return Err(StatementError::Audience);
        }
        Ok(about_client(claims))
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
    use crate::jose::keys::{RsaBits, SigningKey};

    const NOW: i64 = 1_800_000_000;

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
        statement.verify(&keys, "https://id.example/t/acme", NOW)
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
        let refused = UnverifiedStatement::parse(&token).unwrap().verify(
            &strange,
            "https://id.example/t/acme",
            NOW,
        );
        assert!(
            matches!(refused, Err(StatementError::Jws(_))),
            "{refused:?}"
        );
        for token in ["", "e30.e30.", "e30.e30.e30"] {
            assert!(UnverifiedStatement::parse(token).is_err(), "{token}");
        }
    }
}
