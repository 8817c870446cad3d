//! Device codes (RFC 8628): a device that waits for its person.

use super::ids::{ClientId, DeviceCodeId, GrantId};
use crate::clock::Timestamp;
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::scope::Scope;
use crate::secret::HashedSecret;

/// A device authorization: what was asked for, and what became of it.
///
/// Once its person has allowed it there is a grant under the same identifier, with the device code as its code.
#[derive(Clone, Debug)]
pub struct DeviceCode {
    /// The identifier.
    pub id: DeviceCodeId,
    /// Whose device it is.
    pub client_id: ClientId,
    /// What the device code's proof hashes to.
    pub proof: HashedSecret,
    /// What the code that the device shows hashes to.
    pub user_code: HashedSecret,
    /// The issuer address where the device asked: the flow goes on there.
    pub issuer: String,
    /// What it asks for.
    pub scope: Scope,
    /// The resources that tokens are for.
    pub resources: Vec<String>,
    /// What it asks for in objects (RFC 9396).
    pub details: AuthorizationDetails,
    /// The network address that the device asked from, to be shown to its person; empty where unknown.
    pub address: String,
    /// For how many seconds the device waits between two polls.
    pub interval: u32,
    /// Where it stands.
    pub stage: DeviceStage,
    /// When the device asked.
    pub created_at: Timestamp,
    /// Until when its person may decide, and the device may come for the answer.
    pub expires_at: Timestamp,
}

/// Where a device authorization stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceStage {
    /// Nobody has decided yet.
    Pending,
    /// A person has allowed it.
    Allowed {
        /// When.
        at: Timestamp,
    },
    /// A person has refused it.
    Denied {
        /// When.
        at: Timestamp,
    },
}

impl DeviceCode {
    /// Whether a person may still decide at `now`.
    pub fn is_waiting(&self, now: Timestamp) -> bool {
        self.stage == DeviceStage::Pending && now < self.expires_at
    }
}

/// The grant that a person's permission makes of it.
impl From<DeviceCodeId> for GrantId {
    fn from(id: DeviceCodeId) -> Self {
        Self::from(id.uuid())
    }
}
