//! JWTs whose `iss` says by whose keys they are to be verified (RFC 7519 §4.1.1), and what makes an assertion good once (RFC 7523 §3): shared by
//! client assertions, assertions as grants and software statements.

use std::time::Duration;

use super::claims::{ClaimError, Claims, Present, load_string, seconds};
use super::jws::{Compact, JwsError};
use super::keys::{Expect, VerificationKeys};

/// The longest `jti`, in bytes.
pub const MAX_JTI: usize = 256;

/// A JWT that was read and not verified: it tells whose keys to look for.
#[derive(Debug)]
pub struct FromIssuer<'t> {
    compact: Compact<'t>,
    issuer: String,
}

/// Why it can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadError {
    /// Its form.
    Jws(JwsError),
    /// `iss`.
    Claim(ClaimError),
}

impl<'t> FromIssuer<'t> {
    /// Reads one.
    pub fn parse(token: &'t str) -> Result<Self, ReadError> {
        let compact = Compact::parse(token).map_err(ReadError::Jws)?;
        let claims = compact.claims().map_err(ReadError::Jws)?;
        let issuer = load_string(&claims, "iss").map_err(ReadError::Claim)?;
        Ok(Self {
            issuer: issuer.to_owned(),
            compact,
        })
    }

    /// Who says that they made it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The name of the key that it claims to be signed by.
    pub fn kid(&self) -> Option<&str> {
        self.compact.header.kid.as_deref()
    }

    /// What it says, once its signature is verified.
    pub fn verify(self, keys: &VerificationKeys, expect: Expect<'_>) -> Result<Claims, JwsError> {
        Ok(keys.verify_compact(self.compact, expect)?.claims)
    }
}

/// What an assertion that is good once has to meet (RFC 7523 §3).
#[derive(Debug, Clone, Copy)]
pub struct OnceRules<'a> {
    /// What `aud` may be.
    pub audiences: &'a [&'a str],
    /// How far ahead `exp` may lie.
    pub max_lifetime: Duration,
    /// The present.
    pub present: Present,
}

/// Why it isn't good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnceError {
    /// A claim.
    Claim(ClaimError),
    /// `aud` is another's, or more than one.
    Audience,
    /// `exp` lies too far ahead.
    TooLong,
    /// `jti` is empty or too long.
    JwtId,
}

/// By what it is told apart from every other.
#[derive(Debug, Clone, Copy)]
pub struct Once<'c> {
    /// Its name.
    pub jti: &'c str,
    /// When it expires; seconds since 1970.
    pub expires_at: i64,
    /// When it stops being taken, and its name may be forgotten.
    pub remember_until: i64,
}

impl OnceRules<'_> {
    /// Checks `aud`, the time claims and `jti`.
    pub fn check<'c>(&self, claims: &'c Claims) -> Result<Once<'c>, OnceError> {
        let missing = OnceError::Claim(ClaimError::Missing("aud"));
        let audience = claims.get("aud").ok_or(missing)?;
        // A list, even of one, says that the assertion may be shown to others as well.
        let audience = audience.as_str().ok_or(OnceError::Audience)?;
        if !self.audiences.contains(&audience) {
            return Err(OnceError::Audience);
        }
        let expires_at = self.present.check(claims).map_err(OnceError::Claim)?;
        let latest = self
            .present
            .unix
            .saturating_add(seconds(self.max_lifetime))
            .saturating_add(seconds(self.present.future_leeway));
        if expires_at > latest {
            return Err(OnceError::TooLong);
        }
        let jti = load_string(claims, "jti").map_err(OnceError::Claim)?;
        if !(1..=MAX_JTI).contains(&jti.len()) {
            return Err(OnceError::JwtId);
        }
        Ok(Once {
            jti,
            expires_at,
            remember_until: expires_at.saturating_add(seconds(self.present.expiry_leeway)),
        })
    }
}

/// Takes the shared reasons over into those of one kind.
macro_rules! of_kind {
    (read: $kind:ident) => {
        impl From<$crate::jose::from_issuer::ReadError> for $kind {
            fn from(error: $crate::jose::from_issuer::ReadError) -> Self {
                use $crate::jose::from_issuer::ReadError as E;
                match error {
                    E::Jws(error) => error.into(),
                    E::Claim(error) => error.into(),
                }
            }
        }
    };
    (once: $kind:ident) => {
        impl From<$crate::jose::from_issuer::OnceError> for $kind {
            fn from(error: $crate::jose::from_issuer::OnceError) -> Self {
                use $crate::jose::from_issuer::OnceError as E;
                match error {
                    E::Claim(error) => error.into(),
                    E::Audience => Self::Audience,
                    E::TooLong => Self::TooLong,
                    E::JwtId => Self::JwtId,
                }
            }
        }
    };
}
pub(super) use of_kind;
