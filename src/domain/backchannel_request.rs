//! Backchannel authentication (OpenID Connect CIBA): what an application asks a person who isn't at it.

use super::ids::{BackchannelRequestId, ClientId, GrantId, UserId};
use crate::clock::Timestamp;
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::backchannel_authentication::DeliveryMode;
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::scope::Scope;
use crate::secret::HashedSecret;

/// A backchannel authentication request: whom an application asks for what, and what became of it.
///
/// Once its person has allowed it there is a grant under the same identifier, with the `auth_req_id` as its code.
#[derive(Clone, Debug)]
pub struct BackchannelRequest {
    /// The identifier; it opens nothing, see `proof`.
    pub id: BackchannelRequestId,
    /// Who asks.
    pub client_id: ClientId,
    /// Who is asked.
    pub user_id: UserId,
    /// What the proof of the `auth_req_id` hashes to.
    pub proof: HashedSecret,
    /// The issuer address where the application asked: the flow goes on there.
    pub issuer: String,
    /// What it asks for.
    pub scope: Scope,
    /// The resources that tokens are for.
    pub resources: Vec<String>,
    /// Single claims that were asked for (`OpenID` Connect Core §5.5).
    pub claims: Option<ClaimsRequest>,
    /// What it asks for in objects (RFC 9396).
    pub details: AuthorizationDetails,
    /// What the person compares with what the application shows; empty where there is nothing to compare.
    pub binding_message: String,
    /// How the application gets its answer: as it was registered when it asked.
    pub delivery: DeliveryMode,
    /// What it is told with, sealed; none where it only polls.
    pub sealed_notice: Option<Vec<u8>>,
    /// For how many seconds the application waits between two polls.
    pub interval: u32,
    /// Where it stands.
    pub stage: BackchannelStage,
    /// When the application asked.
    pub created_at: Timestamp,
    /// Until when the person may decide, and the application may come for the answer.
    pub expires_at: Timestamp,
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackchannelStage {
    /// Nobody has decided yet. Its time may be over all the same.
    Pending,
    /// The person has allowed it.
    Allowed {
        /// When.
        at: Timestamp,
    },
    /// The person has refused it.
    Denied {
        /// When.
        at: Timestamp,
    },
    /// Its end has been written down.
    Expired {
        /// When.
        at: Timestamp,
    },
}

impl BackchannelRequest {
    /// Whether its person may still decide at `now`.
    pub fn is_waiting(&self, now: Timestamp) -> bool {
        self.stage == BackchannelStage::Pending && now < self.expires_at
    }
}

/// The grant that a person's permission makes of it.
impl From<BackchannelRequestId> for GrantId {
    fn from(id: BackchannelRequestId) -> Self {
        Self::from(id.uuid())
    }
}
