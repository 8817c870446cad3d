//! A session: one person signed in, in one browser, at one tenant.

use serde::Serialize;

use super::ids::{SessionId, UserId};
use crate::clock::Timestamp;
use crate::secret::HashedSecret;

/// A person's session in a browser. Its cookie is an identifier and a proof; the row holds the proof's hash.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// The identifier, `sid` in tokens.
    pub id: SessionId,
    /// Who is signed in.
    pub user_id: UserId,
    /// What the cookie's proof hashes to.
    #[serde(skip)]
    pub proof: HashedSecret,
    /// When the person proved who they are: `auth_time`.
    pub auth_time: Timestamp,
    /// How (RFC 8176): `pwd`.
    pub amr: Vec<String>,
    /// The browser's own word, shortened, for the person's list of sessions.
    pub user_agent: String,
    /// The address that signed in.
    pub address: String,
    /// When it was used last, to the nearest few minutes.
    pub last_used_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// When it was ended by hand.
    pub ended_at: Option<Timestamp>,
    /// The first of the sessions that it carries on: its person signed in anew in the same browser. Whoever knew one of them is told of the end.
    #[serde(skip)]
    pub lineage: SessionId,
}

/// How exactly a session's last use is kept, in seconds: a use within it isn't written down.
pub const LAST_USED_RESOLUTION: i64 = 300;

impl Session {
    /// Whether the session is good at `now`, given the tenant's idle lifetime in seconds.
    pub fn is_alive(&self, now: Timestamp, idle_lifetime: u32) -> bool {
        let idle_end = self.last_used_at
            + chrono::Duration::seconds(i64::from(idle_lifetime) + LAST_USED_RESOLUTION);
        self.ended_at.is_none() && now < self.expires_at && now < idle_end
    }

    /// Whether its last use is old enough to be written down anew.
    pub fn wants_touch(&self, now: Timestamp) -> bool {
        now - self.last_used_at >= chrono::Duration::seconds(LAST_USED_RESOLUTION)
    }
}
