//! A logout token on its way to a client ([OpenID Connect Back-Channel Logout 1.0 §2.5](https://openid.net/specs/openid-connect-backchannel-1_0.html#BCRequest)):
//! what is kept is who shall be told of which session's end, never the token. What is to be told of backchannel authentication requests
//! (OpenID Connect CIBA §10.2, §10.3) goes by the same queue: what is kept is of which request.

use chrono::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{BackchannelRequestId, ClientId, LogoutDeliveryId, SessionId, UserId};
use crate::clock::Timestamp;

/// How long the tokens of a backchannel authentication request are tried to be sent: whoever asked waits for a few minutes.
pub const PUSHED_FOR: Duration = Duration::hours(1);

/// How long a client is tried that doesn't answer: whoever was away for a day has other means to learn what happened.
pub const TRIED_FOR: Duration = Duration::hours(24);

/// The distance between the first two attempts; each further one is twice as long.
const FIRST_PAUSE: i64 = 10;

/// The longest distance between two attempts, in seconds.
const LONGEST_PAUSE: i64 = 4 * 3600;

/// What is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LogoutDeliveryKind")]
pub enum DeliveryKind {
    /// A logout token: a session has ended.
    Logout,
    /// "There is something to be had", to a client that asks for it then.
    BackchannelPing,
    /// The tokens of a backchannel authentication request, or that there are none.
    BackchannelPush,
    /// That a person is asked, to whatever the tenant has for telling them.
    BackchannelNotice,
}

impl DeliveryKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Logout,
        Self::BackchannelPing,
        Self::BackchannelPush,
        Self::BackchannelNotice,
    ];

    /// The name in the database and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::BackchannelPing => "backchannel_ping",
            Self::BackchannelPush => "backchannel_push",
            Self::BackchannelNotice => "backchannel_notice",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Something that is to be delivered, or was, or couldn't be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutDelivery {
    /// The identifier.
    pub id: LogoutDeliveryId,
    /// What.
    pub kind: DeliveryKind,
    /// Who shall be told; whose request it is that a notice is about.
    pub client_id: ClientId,
    /// Who was signed in, or is asked.
    pub user_id: UserId,
    /// Which session ended; the nil UUID where none did.
    pub session_id: SessionId,
    /// Which request it is about, if it is about one.
    pub request_id: Option<BackchannelRequestId>,
    /// The issuer that the client knows them from.
    pub issuer: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether a node is at it at this moment.
    pub claimed: bool,
    /// When it is tried next, or taken from a node that didn't come back; none once it has ended.
    pub due_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When the session ended, or there was something to tell.
    pub created_at: Timestamp,
    /// When it was delivered or given up.
    pub ended_at: Option<Timestamp>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LogoutDeliveryState")]
pub enum DeliveryState {
    /// It waits for its first or next attempt.
    Pending,
    /// The client took it.
    Delivered,
    /// It isn't tried any more.
    Failed,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Failed];

    /// The name in the database and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl LogoutDelivery {
    /// When to try again after an attempt that failed; none where that is given up. `jitter` spreads what failed together: by up to a quarter
    /// of the pause.
    pub fn next_attempt(&self, jitter: u8, now: Timestamp) -> Option<Timestamp> {
        let tried_for = match self.kind {
            DeliveryKind::Logout => TRIED_FOR,
            _ => PUSHED_FOR,
        };
        next_attempt((self.created_at, tried_for), self.attempts, jitter, now)
    }
}

fn next_attempt(
    (created_at, tried_for): (Timestamp, Duration),
    attempts: u32,
    jitter: u8,
    now: Timestamp,
) -> Option<Timestamp> {
    if now - created_at >= tried_for {
        return None;
    }
    let doublings = attempts.saturating_sub(1).min(20);
    let pause = (FIRST_PAUSE << doublings).min(LONGEST_PAUSE);
    Some(now + Duration::milliseconds(pause * 1000 + pause * i64::from(jitter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_names() {
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::parse(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!(DeliveryState::parse("gone"), None);
        for kind in DeliveryKind::ALL {
            assert_eq!(DeliveryKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn pauses_grow_for_a_day() {
        let begun = Timestamp::UNIX_EPOCH;
        for jitter in [0, 255] {
            let (mut now, mut attempts, mut last) = (begun, 0, Duration::zero());
            loop {
                attempts += 1;
                let Some(next) = next_attempt((begun, TRIED_FOR), attempts, jitter, now) else {
                    break;
                };
                assert!(next - now >= last && next - now <= Duration::minutes(302));
                last = next - now;
                now = next;
            }
            assert!((12..=20).contains(&attempts), "{attempts}");
            assert!(now - begun >= TRIED_FOR && now - begun < TRIED_FOR + Duration::hours(6));
        }
        assert_eq!(
            next_attempt((begun, TRIED_FOR), 1, 0, begun),
            Some(begun + Duration::seconds(10))
        );
        // However often somebody had it tried by hand.
        assert!(next_attempt((begun, TRIED_FOR), u32::MAX, 255, begun).is_some());
    }
}
