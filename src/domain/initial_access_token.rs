//! Initial access tokens ([RFC 7591 §1.2](https://www.rfc-editor.org/rfc/rfc7591#section-1.2)): whoever presents one may register a client.

use super::ids::InitialAccessTokenId;
use crate::clock::Timestamp;
use crate::secret::HashedSecret;

/// The most clients that may be registered with one token.
pub const MAX_USES: u32 = 10_000;

/// The shortest and the longest life of a token, in seconds: a minute and a year.
pub const LIFETIME: std::ops::RangeInclusive<u32> = 60..=31_536_000;

/// The longest name, in characters.
pub const NAME_MAX: usize = 200;

/// A token that lets somebody register clients, for a while and a number of times.
#[derive(Clone, Debug)]
pub struct InitialAccessToken {
    /// The identifier.
    pub id: InitialAccessTokenId,
    /// What it was made for, in an administrator's words.
    pub name: String,
    /// What its proof hashes to.
    pub proof: HashedSecret,
    /// How many clients were registered with it.
    pub uses: u32,
    /// How many may be.
    pub max_uses: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// End of its life.
    pub expires_at: Timestamp,
}

impl InitialAccessToken {
    /// Whether a client can still be registered with it at `now`.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.uses < self.max_uses && now < self.expires_at
    }
}
