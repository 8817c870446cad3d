//! A device secret (OpenID Connect Native SSO for Mobile Apps 1.0 §3.2): by it the applications of one vendor on a device sign a person in by the
//! session that one of them began. It ends with the session.

use super::ids::{ClientId, DeviceSecretId, SessionId};
use crate::clock::Timestamp;
use crate::secret::HashedSecret;

/// A device secret.
#[derive(Clone, Debug)]
pub struct DeviceSecret {
    /// The identifier.
    pub id: DeviceSecretId,
    /// Which session it stands for.
    pub session_id: SessionId,
    /// The application to which it was handed out.
    pub client_id: ClientId,
    /// What its proof hashes to.
    pub proof: HashedSecret,
    /// When it was handed out.
    pub created_at: Timestamp,
    /// When somebody signed in by it last.
    pub last_used_at: Option<Timestamp>,
    /// When it ends at the latest: when its session does.
    pub expires_at: Timestamp,
}
