//! An authorization request that waits for its person: the request itself and what has been done since, as a text that the browser
//! carries from page to page. It needs no row, so an abandoned request costs nothing.
//!
//! The text is sealed under the tenant's key and bound to the address where it began: nobody else can make one, or read it, as what came
//! encrypted must not stand in an address. Everything in it is checked again when it comes back.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::tenancy::TenantAt;
use crate::clock::{Clock, Timestamp};
use crate::domain::ids::SessionId;
use crate::jose::seal::SealContext;
use crate::protocol::{OAuthError, Params};
use crate::secret::Purpose;

/// How long a person may take.
pub const LIFETIME: Duration = Duration::hours(1);

/// The longest request that can wait, in bytes of JSON: its text must fit into an address and into a form.
const MAX_PAYLOAD: usize = 32 * 1024;

/// What sealing adds at the most, in bytes.
const SEAL: usize = 64;

/// A request that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interaction {
    /// The request's parameters, or the name of one that was pushed.
    pub params: Params,
    /// When it came.
    pub started_at: Timestamp,
    /// The session that the person chose or began since.
    pub selected: Option<SessionId>,
    /// The session that began since by a sign-in: what `prompt=login` and `max_age` ask for. No comparison of times, which a clock that is
    /// set back would deceive.
    pub begun: Option<SessionId>,
    /// The `sub` of the `id_token_hint`, which was verified.
    pub expected_sub: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    /// The address where it began.
    #[serde(borrow)]
    i: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    q: Vec<(std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>,
    t: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    s: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    b: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    e: Option<String>,
}

/// Why a text can't be taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInteraction {
    /// It isn't one that was made here.
    #[error("the pending request isn't one of ours")]
    Foreign,
    /// It is older than [`LIFETIME`].
    #[error("the pending request is too old")]
    Expired,
}

impl From<InvalidInteraction> for OAuthError {
    fn from(_: InvalidInteraction) -> Self {
        OAuthError::new(
            crate::protocol::ErrorCode::ExpiredLink,
            "the sign-in took too long, or its address was changed on the way; start it again at the application",
        )
    }
}

fn not_kept(error: &dyn fmt::Display) -> OAuthError {
    tracing::error!(%error, "a request can't be kept");
    OAuthError::server_error("the request can't be kept")
}

impl Interaction {
    /// The text that travels; an error where the request is too long to.
    pub fn to_text(&self, at: &TenantAt, clock: &Clock) -> Result<String, OAuthError> {
        let wire = Wire {
            i: (&*at.issuer).into(),
            q: self
                .params
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            t: self.started_at.timestamp_micros(),
            s: self.selected,
            b: self.begun,
            e: self.expected_sub.clone(),
        };
        let payload = serde_json::to_vec(&wire).map_err(|error| not_kept(&error))?;
        if payload.len() > MAX_PAYLOAD {
            return Err(OAuthError::invalid_request(
                "the request is too long to wait for a person; shorten state, nonce or claims",
            ));
        }
        let sealed = at
            .tenant
            .data_key()
            .seal(context(at), &payload, clock)
            .map_err(|error| not_kept(&error))?;
        let mut text = format!("{}_", Purpose::Interaction.prefix());
        URL_SAFE_NO_PAD.encode_string(&sealed, &mut text);
        Ok(text)
    }

    /// Takes up a text that came back.
    pub fn parse(at: &TenantAt, text: &str, now: Timestamp) -> Result<Self, InvalidInteraction> {
        Self::read(at, text, now).ok_or(InvalidInteraction::Foreign)?
    }

    fn read(at: &TenantAt, text: &str, now: Timestamp) -> Option<Result<Self, InvalidInteraction>> {
        let rest = text
            .strip_prefix(Purpose::Interaction.prefix())?
            .strip_prefix('_')?;
        if rest.len() > (MAX_PAYLOAD + SEAL).div_ceil(3) * 4 {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(rest).ok()?;
        let payload = at.tenant.data_key().open(context(at), &sealed).ok()?;
        let wire: Wire<'_> = serde_json::from_slice(&payload).ok()?;
        if *wire.i != *at.issuer {
            return None;
        }
        let started_at = DateTime::from_timestamp_micros(wire.t)?;
        if now - started_at > LIFETIME {
            return Some(Err(InvalidInteraction::Expired));
        }
        let params = wire
            .q
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
            .collect();
        Some(Ok(Self {
            params,
            started_at,
            selected: wire.s,
            begun: wire.b,
            expected_sub: wire.e,
        }))
    }

    /// The same request, now with a session chosen.
    #[must_use]
    pub fn select(&self, session: SessionId) -> Self {
        Self {
            selected: Some(session),
            ..self.clone()
        }
    }

    /// The same request, now with a session that has just begun.
    #[must_use]
    pub fn begin(&self, session: SessionId) -> Self {
        Self {
            selected: Some(session),
            begun: Some(session),
            ..self.clone()
        }
    }
}

/// What it is sealed for; there is no row.
fn context(at: &TenantAt) -> SealContext {
    SealContext {
        tenant: at.tenant.id().uuid(),
        table: "interaction",
        row: Uuid::nil(),
    }
}
