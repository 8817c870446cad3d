//! An ID token of ours that comes back as a hint (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2): it may have expired, but it must
//! have been issued by this tenant.

use super::tenancy::Tenant;
use crate::jose::claims::{ClaimError, audiences, find_string, load_date, load_string};
use crate::jose::jws::{JwsError, Type};
use crate::jose::keys::Expect;
use crate::protocol::{SigningAlgorithm, id_token};

/// What a hint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdTokenHint {
    /// Who, as the client knows them.
    pub sub: String,
    /// To which client it was issued.
    pub audiences: Vec<String>,
    /// In which session.
    pub sid: Option<String>,
}

/// Why a hint is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHint {
    /// It isn't signed by this tenant as an ID token.
    #[error(transparent)]
    Signature(#[from] JwsError),
    /// Its claims aren't an ID token's.
    #[error(transparent)]
    Claims(#[from] ClaimError),
    /// It names an address that isn't this tenant's.
    #[error("the issuer is none of this tenant's addresses")]
    Issuer,
}

/// Verifies a hint.
pub fn check_id_token_hint(tenant: &Tenant, hint: &str) -> Result<IdTokenHint, InvalidHint> {
    // Access and logout tokens have types of their own, so that none of them passes for an ID token.
    let expect = Expect::own(Type::IfPresent(&[id_token::TYP]), &SigningAlgorithm::ALL);
    let claims = tenant.keys.verification().verify(hint, expect)?.claims;
    // Signed userinfo (OpenID Connect Core §5.3.2) is of the same type, and says of no sign-in when it ends.
    load_date(&claims, "exp")?;
    if !tenant.is_issuer(load_string(&claims, "iss")?) {
        return Err(InvalidHint::Issuer);
    }
    Ok(IdTokenHint {
        sub: load_string(&claims, "sub")?.to_owned(),
        audiences: audiences(&claims)?.into_iter().map(str::to_owned).collect(),
        sid: find_string(&claims, "sid")?.map(str::to_owned),
    })
}
