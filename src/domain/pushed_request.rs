//! Pushed authorization requests (RFC 9126): what a client deposits before it sends the browser.

use super::ids::{ClientId, PushedRequestId};
use crate::clock::Timestamp;
use crate::secret::HashedSecret;

/// An authorization request that its client pushed, checked already.
#[derive(Clone, Debug)]
pub struct PushedRequest {
    /// The identifier.
    pub id: PushedRequestId,
    /// Who pushed it; nobody else may use it.
    pub client_id: ClientId,
    /// What its proof hashes to.
    pub proof: HashedSecret,
    /// The issuer address where it was pushed: the flow goes on there.
    pub issuer: String,
    /// Its parameters as a query string.
    pub parameters: String,
    /// Until when the authorization endpoint begins with it; what was begun by then may be finished later.
    pub expires_at: Timestamp,
    /// When a code was issued for it.
    pub consumed_at: Option<Timestamp>,
}
