//! JWTs whose `iss` says by whose keys they are to be verified (RFC 7519 §4.1.1), and what makes an assertion good once (RFC 7523 §3): shared by
//! client assertions, assertions as grants, login hints and software statements.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::claims::{ClaimError, Claims, Present, load_string, seconds};
use super::jws::{Compact, JwsError, Type};
use super::keys::{Expect, KeyChoice, VerificationKeys};
use crate::protocol::algorithm::SigningAlgorithm;

/// The longest `jti`, in bytes.
pub const MAX_JTI: usize = 256;

/// What such a JWT is for: the type that tells it from others of the same issuer's, and what it has to say.
pub trait Kind: Sized {
    /// What one must meet.
    type Rules<'a>: Rules;
    /// Why one is refused.
    type Error: From<JwsError> + From<ClaimError>;

    /// The `typ` of one that is nothing else; one without a type, or just a `JWT`, is taken as well.
    const TYP: &'static str;

    /// Reads the claims of one whose signature is verified.
    fn check(claims: Claims, rules: Self::Rules<'_>) -> Result<Self, Self::Error>;
}

/// What such a JWT must meet whatever it says.
pub trait Rules {
    /// What it may be signed by.
    fn algorithms(&self) -> &[SigningAlgorithm];
}

/// A JWT that was read and not verified: it tells whose keys to look for.
pub struct Unverified<'t, K> {
    compact: Compact<'t>,
    issuer: String,
    kind: PhantomData<fn() -> K>,
}

impl<K> fmt::Debug for Unverified<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl<'t, K: Kind> Unverified<'t, K> {
    /// Reads one.
    pub fn parse(token: &'t str) -> Result<Self, K::Error> {
        let compact = Compact::parse(token)?;
        let issuer = load_string(&compact.claims()?, "iss")?.to_owned();
        Ok(Self {
            compact,
            issuer,
            kind: PhantomData,
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

    /// Verifies it by its issuer's keys: the signature first, then what it says.
    pub fn verify(self, keys: &VerificationKeys, rules: K::Rules<'_>) -> Result<K, K::Error> {
        let types = ["JWT", K::TYP];
        let expect = Expect {
            typ: Type::IfPresent(&types),
            algorithms: rules.algorithms(),
            choice: KeyChoice::ByKidOrOnly,
        };
        let verified = keys.verify_compact(self.compact, expect)?;
        K::check(verified.claims, rules)
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

/// Takes the reasons of [`OnceError`] over into those of one kind, which words them for whoever made it.
macro_rules! takes_once_errors {
    ($kind:ident) => {
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
pub(super) use takes_once_errors;
