//! Claims about a person ([OpenID Connect Core §5](https://openid.net/specs/openid-connect-core-1_0.html#Claims)): the standard ones, which scope asks for
//! which, and the `claims` request parameter.
//!
//! Left out: aggregated and distributed claims (§5.6).

mod request;
mod standard;

pub use request::{ClaimRequest, ClaimsRequest, InvalidClaimsRequest, may_have};
pub use standard::{Address, InvalidClaim, StandardClaims, claims_for_scope, scope_of_claim};
