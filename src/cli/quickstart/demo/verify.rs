//! What makes a token good: signature by the issuer's keys with explicit algorithms, type, issuer, audience, time, and what else its kind has.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::jose::claims::{ClaimError, Present, audiences, find_string, load_string};
use crate::jose::half_hash::half_hash;
use crate::jose::jws::{Compact, JwsError, Type};
use crate::jose::keys::{Expect, KeyChoice, VerificationKeys};
use crate::protocol::algorithm::SigningAlgorithm;

/// How far the issuer's clock may differ from ours.
const LEEWAY: Duration = Duration::from_secs(10);

pub(super) type Claims = Map<String, Value>;

#[derive(Debug, thiserror::Error)]
pub(super) enum TokenProblem {
    #[error("{0}")]
    Jws(#[from] JwsError),
    #[error("{0}")]
    Claims(#[from] ClaimError),
    #[error("it was issued by {found}, and only {wanted} is trusted here")]
    Issuer { found: String, wanted: String },
    #[error("it isn't meant for {0}")]
    Audience(String),
    #[error("its {0} isn't the one that was expected")]
    Mismatch(&'static str),
}

/// What an ID token must say.
pub(super) struct IdTokenWanted<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    /// As it was sent; on a refresh there is none.
    pub(super) nonce: Option<&'a str>,
    /// On a refresh the one from before.
    pub(super) subject: Option<&'a str>,
    pub(super) access_token: &'a str,
    pub(super) unix: i64,
}

/// OpenID Connect Core §3.1.3.7 and §12.2.
pub(super) fn check_id_token(
    keys: &VerificationKeys,
    token: &str,
    wanted: &IdTokenWanted<'_>,
) -> Result<Claims, TokenProblem> {
    let expect = Expect {
        typ: Type::IfPresent(&["JWT"]),
        algorithms: &SigningAlgorithm::ALL,
        choice: KeyChoice::ByKidOrOnly,
    };
    let verified = keys.verify(token, expect)?;
    let claims = verified.claims;
    check_issuer(&claims, wanted.issuer)?;
    let audiences = audiences(&claims)?;
    if !audiences.contains(&wanted.client_id) {
        return Err(TokenProblem::Audience(wanted.client_id.to_owned()));
    }
    let party = find_string(&claims, "azp")?;
    if party.is_some_and(|party| party != wanted.client_id)
        || (audiences.len() > 1 && party.is_none())
    {
        return Err(TokenProblem::Mismatch("azp"));
    }
    Present::new(wanted.unix, LEEWAY).check(&claims)?;
    let nonce = find_string(&claims, "nonce")?;
    if wanted.nonce.is_some() && nonce != wanted.nonce {
        return Err(TokenProblem::Mismatch("nonce"));
    }
    let subject = load_string(&claims, "sub")?;
    if wanted.subject.is_some_and(|wanted| wanted != subject) {
        return Err(TokenProblem::Mismatch("sub"));
    }
    let hash = find_string(&claims, "at_hash")?;
    if hash.is_some_and(|hash| hash != half_hash(verified.header.algorithm, wanted.access_token)) {
        return Err(TokenProblem::Mismatch("at_hash"));
    }
    Ok(claims)
}

/// What an access token must say.
pub(super) struct AccessTokenWanted<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    pub(super) tenant: &'a str,
    pub(super) unix: i64,
}

/// The issuer that a token claims, before anything of it is believed: only to refuse a stranger's token with a clear word.
pub(super) fn check_claimed_issuer(token: &str, wanted: &str) -> Result<(), TokenProblem> {
    check_issuer(&Compact::parse(token)?.claims()?, wanted)
}

/// RFC 9068 §4, and the tenant.
pub(super) fn check_access_token(
    keys: &VerificationKeys,
    token: &str,
    wanted: &AccessTokenWanted<'_>,
) -> Result<Claims, TokenProblem> {
    let expect = Expect::own(Type::Required(&["at+jwt"]), &SigningAlgorithm::ALL);
    let claims = keys.verify(token, expect)?.claims;
    check_issuer(&claims, wanted.issuer)?;
    if !audiences(&claims)?.contains(&wanted.audience) {
        return Err(TokenProblem::Audience(wanted.audience.to_owned()));
    }
    if load_string(&claims, "tenant")? != wanted.tenant {
        return Err(TokenProblem::Mismatch("tenant"));
    }
    Present::new(wanted.unix, LEEWAY).check(&claims)?;
    Ok(claims)
}

fn check_issuer(claims: &Claims, wanted: &str) -> Result<(), TokenProblem> {
    let found = load_string(claims, "iss")?;
    if found == wanted {
        Ok(())
    } else {
        Err(TokenProblem::Issuer {
            found: found.to_owned(),
            wanted: wanted.to_owned(),
        })
    }
}

/// The claims of an access token for showing them. The application that got it need not understand it (RFC 6749 §1.4), so nothing is checked.
pub(super) fn peek(token: &str) -> Option<Claims> {
    Compact::parse(token).ok()?.claims().ok()
}
