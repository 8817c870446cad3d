//! Reading claims by their types, and the time claims (RFC 7519 §2 `NumericDate`, §4.1).
//!
//! A claim of another type than its specification's is an error, never "absent": a check that is skipped for a strange value is no
//! check.

use std::time::Duration;

use serde_json::{Map, Value};

/// The claims of a token.
pub type Claims = Map<String, Value>;

/// The last second of the year 9999: later dates are nobody's intention.
const LAST_SECOND: i64 = 253_402_300_799;

/// Why claims are refused. It names the claim, never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The claim is required.
    #[error("the claim {0} is missing")]
    Missing(&'static str),
    /// The claim is of another type, or out of bounds.
    #[error("the claim {0} is malformed")]
    Malformed(&'static str),
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("the token is not valid yet")]
    NotYet,
}

/// The text of a claim, if it is there.
pub fn find_string<'c>(
    claims: &'c Claims,
    name: &'static str,
) -> Result<Option<&'c str>, ClaimError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ClaimError::Malformed(name)),
    }
}

/// The text of a claim.
pub fn load_string<'c>(claims: &'c Claims, name: &'static str) -> Result<&'c str, ClaimError> {
    find_string(claims, name)?.ok_or(ClaimError::Missing(name))
}

/// A date, if it is there: whole seconds since 1970, fractions dropped.
pub fn find_date(claims: &Claims, name: &'static str) -> Result<Option<i64>, ClaimError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = match value {
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().and_then(whole_seconds)),
        _ => None,
    };
    match seconds {
        Some(seconds) if (0..=LAST_SECOND).contains(&seconds) => Ok(Some(seconds)),
        _ => Err(ClaimError::Malformed(name)),
    }
}

/// A date.
pub fn load_date(claims: &Claims, name: &'static str) -> Result<i64, ClaimError> {
    find_date(claims, name)?.ok_or(ClaimError::Missing(name))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "bounded just before"
)]
fn whole_seconds(seconds: f64) -> Option<i64> {
    (0.0..=LAST_SECOND as f64)
        .contains(&seconds)
        .then_some(seconds as i64)
}

/// The audiences: one text, or a list of texts (RFC 7519 §4.1.3). Without the claim there are none.
pub fn audiences(claims: &Claims) -> Result<Vec<&str>, ClaimError> {
    match claims.get("aud") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(values)) => values
            .iter()
            .map(|value| value.as_str().ok_or(ClaimError::Malformed("aud")))
            .collect(),
        Some(_) => Err(ClaimError::Malformed("aud")),
    }
}

/// The moment that time claims are checked against, and how far clocks may differ.
#[derive(Debug, Clone, Copy)]
pub struct Present {
    /// Seconds since 1970.
    pub unix: i64,
    /// How long after `exp` a token is still taken.
    pub expiry_leeway: Duration,
    /// How far ahead `nbf` and `iat` may lie.
    pub future_leeway: Duration,
}

impl Present {
    /// The moment, with the same leeway both ways.
    pub const fn new(unix: i64, leeway: Duration) -> Self {
        Self {
            unix,
            expiry_leeway: leeway,
            future_leeway: leeway,
        }
    }

    /// Checks `exp`, which must be there, and `nbf` and `iat`, which may; returns `exp`.
    pub fn check(&self, claims: &Claims) -> Result<i64, ClaimError> {
        let expires_at = load_date(claims, "exp")?;
        // RFC 7519 §4.1.4: on or after `exp` it must not be accepted.
        if self.unix >= expires_at.saturating_add(seconds(self.expiry_leeway)) {
            return Err(ClaimError::Expired);
        }
        self.check_start(claims)?;
        Ok(expires_at)
    }

    /// Checks `exp`, `nbf` and `iat`, each where it is there.
    pub fn check_where_present(&self, claims: &Claims) -> Result<(), ClaimError> {
        if claims.contains_key("exp") {
            self.check(claims).map(|_| ())
        } else {
            self.check_start(claims)
        }
    }

    fn check_start(&self, claims: &Claims) -> Result<(), ClaimError> {
        for name in ["nbf", "iat"] {
            let Some(start) = find_date(claims, name)? else {
                continue;
            };
            if start > self.unix.saturating_add(seconds(self.future_leeway)) {
                return Err(ClaimError::NotYet);
            }
        }
        Ok(())
    }
}

/// Whole seconds of a duration.
pub(super) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: Value) -> Claims {
        let Value::Object(claims) = value else {
            panic!("claims are an object")
        };
        claims
    }

    #[test]
    fn text_is_text() {
        let claims = claims(json!({"sub": "a", "iss": ["a"], "jti": null, "n": 1}));
        assert_eq!(find_string(&claims, "sub"), Ok(Some("a")));
        assert_eq!(find_string(&claims, "absent"), Ok(None));
        assert_eq!(
            load_string(&claims, "absent"),
            Err(ClaimError::Missing("absent"))
        );
        for name in ["iss", "jti", "n"] {
            assert_eq!(
                find_string(&claims, name),
                Err(ClaimError::Malformed(name)),
                "{name}"
            );
        }
    }

    #[test]
    fn dates_are_bounded_numbers() {
        for (value, expected) in [
            (json!(0), 0),
            (json!(1_700_000_000), 1_700_000_000),
            (json!(1_700_000_000.75), 1_700_000_000),
            (json!(1.7e9), 1_700_000_000),
            (json!(LAST_SECOND), LAST_SECOND),
        ] {
            assert_eq!(
                load_date(&claims(json!({"exp": value})), "exp"),
                Ok(expected)
            );
        }
        for value in [
            json!(-1),
            json!(-0.5),
            json!(LAST_SECOND + 1),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(1e300),
            json!("1700000000"),
            json!(null),
            json!(true),
            json!([1_700_000_000]),
        ] {
            let claims = claims(json!({"exp": value}));
            assert_eq!(
                find_date(&claims, "exp"),
                Err(ClaimError::Malformed("exp")),
                "{claims:?}"
            );
        }
    }

    #[test]
    fn audiences_are_one_text_or_many() {
        assert_eq!(audiences(&claims(json!({}))), Ok(vec![]));
        assert_eq!(audiences(&claims(json!({"aud": "a"}))), Ok(vec!["a"]));
        assert_eq!(
            audiences(&claims(json!({"aud": ["a", "b"]}))),
            Ok(vec!["a", "b"])
        );
        for value in [json!(1), json!(null), json!(["a", 1]), json!({"a": 1})] {
            assert_eq!(
                audiences(&claims(json!({"aud": value}))),
                Err(ClaimError::Malformed("aud"))
            );
        }
    }

    #[test]
    fn times_count_with_their_leeway() {
        let present = Present::new(1_000, Duration::from_secs(5));
        let check = |value| present.check(&claims(value));
        assert_eq!(check(json!({"exp": 996})), Ok(996));
        assert_eq!(check(json!({"exp": 995})), Err(ClaimError::Expired));
        assert_eq!(
            check(json!({"exp": 2_000, "nbf": 1_005, "iat": 1_005})),
            Ok(2_000)
        );
        assert_eq!(
            check(json!({"exp": 2_000, "nbf": 1_006})),
            Err(ClaimError::NotYet)
        );
        assert_eq!(
            check(json!({"exp": 2_000, "iat": 1_006})),
            Err(ClaimError::NotYet)
        );
        assert_eq!(check(json!({"nbf": 1})), Err(ClaimError::Missing("exp")));
        assert_eq!(
            check(json!({"exp": 2_000, "nbf": "1"})),
            Err(ClaimError::Malformed("nbf"))
        );
        let strict = Present::new(1_000, Duration::ZERO);
        assert_eq!(
            strict.check(&claims(json!({"exp": 1_000}))),
            Err(ClaimError::Expired)
        );
        assert_eq!(strict.check(&claims(json!({"exp": 1_001}))), Ok(1_001));
    }
}
