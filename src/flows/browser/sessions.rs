//! The cookie with the sessions of a browser, and what they come to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::MOST_SESSIONS;
use crate::domain::ids::SessionId;
use crate::flows::tenancy::Tenant;
use crate::secret::{Handle, PlainSecret, Purpose};

/// The sessions that a browser claims, the active one first.
#[derive(Clone, Debug, Default)]
pub struct SessionCookie(Vec<Handle>);

impl SessionCookie {
    /// Reads the cookie's value; what isn't a handle is passed over.
    pub fn parse(value: Option<&str>) -> Self {
        let texts = value.unwrap_or_default().split('.').take(MOST_SESSIONS);
        Self(
            texts
                .filter_map(|text| Handle::parse(Purpose::Session, text))
                .collect(),
        )
    }

    /// The handles.
    pub fn handles(&self) -> &[Handle] {
        &self.0
    }

    /// Whether the browser claims none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the browser claims this one.
    pub fn holds(&self, id: SessionId) -> bool {
        self.0
            .iter()
            .any(|handle| SessionId::from(handle.id()) == id)
    }

    /// The cookie with this session first. The last one gives way where there are too many.
    #[must_use]
    pub fn with_first(&self, handle: Handle) -> Self {
        let mut handles = self.without(|id| id == SessionId::from(handle.id())).0;
        handles.insert(0, handle);
        handles.truncate(MOST_SESSIONS);
        Self(handles)
    }

    /// The cookie without the sessions that `gone` names.
    #[must_use]
    pub fn without(&self, gone: impl Fn(SessionId) -> bool) -> Self {
        Self(
            self.0
                .iter()
                .filter(|handle| !gone(SessionId::from(handle.id())))
                .cloned()
                .collect(),
        )
    }

    /// The cookie with a session that it holds moved to the front.
    #[must_use]
    pub fn select(&self, id: SessionId) -> Self {
        match self
            .0
            .iter()
            .find(|handle| SessionId::from(handle.id()) == id)
        {
            Some(handle) => self.with_first(handle.clone()),
            None => self.clone(),
        }
    }

    /// The cookie's value; empty where it holds no session.
    pub fn to_value(&self) -> String {
        let texts: Vec<_> = self
            .0
            .iter()
            .map(|handle| handle.to_text(Purpose::Session))
            .collect();
        texts
            .iter()
            .map(PlainSecret::expose)
            .collect::<Vec<_>>()
            .join(".")
    }
}

/// What a browser's sessions come to (OpenID Connect Session Management §3.1, the "OP browser state"): another value with each sign-in and
/// sign-out, from which nothing of a session can be told.
pub fn browser_state(tenant: &Tenant, sessions: impl Iterator<Item = SessionId>) -> String {
    let mut ids: Vec<_> = sessions.map(SessionId::uuid).collect();
    ids.sort_unstable();
    let parts: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
    let hash = tenant.browser_key().mac("browser state", &parts);
    URL_SAFE_NO_PAD.encode(hash.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_browser_keeps_five_sessions_the_newest_first() {
        let clock = Clock::system();
        let mut cookie = SessionCookie::default();
        let handles: Vec<_> = (0..6).map(|_| Handle::generate(&clock)).collect();
        for handle in &handles {
            cookie = cookie.with_first(handle.clone());
        }
        let read = SessionCookie::parse(Some(&cookie.to_value()));
        let ids: Vec<_> = read.handles().iter().map(Handle::id).collect();
        let expected: Vec<_> = handles.iter().rev().take(5).map(Handle::id).collect();
        assert_eq!(ids, expected);
        let selected = read.select(SessionId::from(handles[2].id()));
        assert_eq!(selected.handles()[0].id(), handles[2].id());
        assert_eq!(selected.handles().len(), 5);
        assert!(SessionCookie::parse(Some("x.tss_.%00..")).is_empty());
    }
}
