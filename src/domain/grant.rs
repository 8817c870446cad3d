//! A grant: what a person allowed a client once, and the tokens that hang on it.
//!
//! The authorization code is the grant's first stage, not a thing of its own: one row from the redirect to the last refresh. A
//! JWT carries its grant's id, so that revoking one row refuses every token of it. An access token that goes out with the redirect hangs on the same
//! row; where no code goes with it, the grant stays in its first stage, with a code that nobody has.

use super::ids::{ClientId, GrantId, RefreshTokenId, SessionId, UserId};
use crate::clock::Timestamp;
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::dpop::{Confirmation, Thumbprint};
use crate::protocol::pkce::CodeChallenge;
use crate::protocol::scope::Scope;
use crate::secret::HashedSecret;

/// What a person allowed a client.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The identifier, `grant_id` in tokens.
    pub id: GrantId,
    /// Who allowed it.
    pub user_id: UserId,
    /// To whom.
    pub client_id: ClientId,
    /// In which session; tokens die with it unless `offline`. The nil UUID is none's: see [`Grant::session`].
    pub session_id: SessionId,
    /// The issuer address where the flow began: tokens keep it (CONTRACT, "Where a tenant lives").
    pub issuer: String,
    /// What was allowed.
    pub scope: Scope,
    /// The resources it is good for (RFC 8707 §2.1); empty: the client's default audience, else the issuer.
    pub resources: Vec<String>,
    /// What was allowed in objects (RFC 9396).
    pub details: AuthorizationDetails,
    /// Single claims that were asked for (`OpenID` Connect Core §5.5).
    pub claims: Option<ClaimsRequest>,
    /// When the person had proved who they are, in their session.
    pub auth_time: Timestamp,
    /// How.
    pub amr: Vec<String>,
    /// `acr` to be stated.
    pub acr: Option<String>,
    /// Whether it outlives the session (`offline_access`).
    pub offline: bool,
    /// Where it stands.
    pub stage: GrantStage,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

/// Where a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantStage {
    /// The code isn't redeemed. It may be out, and so may an access token that went through the browser.
    CodeIssued,
    /// The code was redeemed; tokens may be out.
    Redeemed {
        /// When.
        at: Timestamp,
    },
    /// Nothing of it is good any more.
    Revoked {
        /// When.
        at: Timestamp,
    },
}

/// An authorization code, with everything that its redemption is checked against. It stays known after that, so that a second
/// redemption is told from a made-up code.
#[derive(Clone, Debug)]
pub struct PendingCode {
    /// What the code's proof hashes to.
    pub proof: HashedSecret,
    /// Where it was sent (RFC 6749 §4.1.3); none where the request named none.
    pub redirect_uri: Option<String>,
    /// To be repeated in the ID token.
    pub nonce: Option<String>,
    /// PKCE (RFC 7636).
    pub code_challenge: Option<CodeChallenge>,
    /// The key that it is bound to (RFC 9449 §10).
    pub dpop_jkt: Option<Thumbprint>,
    /// End of its life.
    pub expires_at: Timestamp,
}

impl PendingCode {
    /// One that nobody has, of a grant that never goes through a browser: it ends as it begins.
    pub fn nobodys(now: Timestamp) -> Self {
        Self {
            proof: HashedSecret::NONE,
            redirect_uri: None,
            nonce: None,
            code_challenge: None,
            dpop_jkt: None,
            expires_at: now,
        }
    }
}

impl Grant {
    /// The session in which the person signed in; none where somebody vouched for them instead (RFC 7523 §2.1).
    pub fn session(&self) -> Option<SessionId> {
        (!self.session_id.uuid().is_nil()).then_some(self.session_id)
    }

    /// Whether refresh tokens of this grant are good at `now`.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        matches!(self.stage, GrantStage::Redeemed { .. }) && now < self.expires_at
    }
}

/// A refresh token of a grant.
#[derive(Clone, Debug)]
pub struct RefreshToken {
    /// The identifier.
    pub id: RefreshTokenId,
    /// Whose it is.
    pub grant_id: GrantId,
    /// What its proof hashes to.
    pub proof: HashedSecret,
    /// When it was handed out.
    pub created_at: Timestamp,
    /// When it ends if it isn't used.
    pub expires_at: Timestamp,
    /// Whether it was rotated, and to what.
    pub rotated: Option<Rotation>,
    /// The key or certificate that it is bound to (RFC 9449 §5, RFC 8705 §4): a public client's that proved to hold one.
    pub bound_to: Option<Confirmation>,
}

/// The end of a refresh token's life by rotation.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// When.
    pub at: Timestamp,
    /// The token that came after it.
    pub successor: RefreshTokenId,
}
