//! What a browser carries back to us: session cookies, CSRF tokens and known devices, as values. No HTTP and no storage.
//!
//! A form counts only as a [`CheckedForm`], and there is one way to make one: every flow that changes something for a person takes
//! such a value, so that none can forget the check.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::tenancy::{Tenant, TenantAt};
use crate::clock::Clock;
use crate::domain::ids::SessionId;
use crate::protocol::{OAuthError, Params};
use crate::secret::{Handle, HashedSecret, PlainSecret, Purpose};

/// How many sessions, and how many known people, one browser keeps.
pub const MOST_SESSIONS: usize = 5;

/// How long a browser is remembered as a device that somebody signed in from, in seconds.
pub const DEVICE_LIFETIME: i64 = 365 * 86_400;

/// The longest e-mail address or user name that is looked at, in bytes.
pub const MAX_USERNAME: usize = 320;

/// Where a tenant's cookies live: its origin's whole, or the issuer's path where tenants share an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookiePlace {
    /// `Path`.
    pub path: String,
    /// Whether the cookies go over https only.
    pub secure: bool,
    prefix: &'static str,
}

impl CookiePlace {
    /// The place of an issuer's cookies.
    pub fn of(issuer: &str) -> Self {
        let secure = issuer.starts_with("https://");
        let path = issuer_path(issuer);
        // RFC 6265bis §4.1.3: `__Host-` demands the path `/`, `__Secure-` only https.
        let prefix = match (secure, path.is_empty()) {
            (true, true) => "__Host-",
            (true, false) => "__Secure-",
            (false, _) => "",
        };
        Self {
            path: if path.is_empty() {
                "/".to_owned()
            } else {
                path.to_owned()
            },
            secure,
            prefix,
        }
    }

    /// A cookie's whole name.
    pub fn name(&self, cookie: Cookie) -> String {
        format!("{}{}", self.prefix, cookie.bare_name())
    }
}

/// The path of an issuer: empty where the tenant has an origin of its own.
pub fn issuer_path(issuer: &str) -> &str {
    &issuer[issuer_origin(issuer).len()..]
}

/// Scheme, host and port of an issuer.
pub fn issuer_origin(issuer: &str) -> &str {
    let authority = issuer.find("://").map_or(0, |at| at + 3);
    let end = issuer[authority..]
        .find('/')
        .map_or(issuer.len(), |at| authority + at);
    &issuer[..end]
}

/// The cookies that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// The sessions of this browser.
    Session,
    /// What CSRF tokens are made of.
    Csrf,
    /// Who signed in here before.
    Device,
    /// Which sessions there are, as a hash: the one cookie that our script reads, in a frame of others.
    BrowserState,
    /// The session at the console.
    Console,
    /// A sign-in at the console that is on its way.
    ConsoleSignIn,
    /// What the console's next page says of what was just done.
    ConsoleNotice,
    /// A client's secret that was just made, for the console's next page.
    ConsoleSecret,
}

impl Cookie {
    const fn bare_name(self) -> &'static str {
        match self {
            Self::Session => "tessera_session",
            Self::Csrf => "tessera_csrf",
            Self::Device => "tessera_device",
            Self::BrowserState => "tessera_state",
            Self::Console => "tessera_console",
            Self::ConsoleSignIn => "tessera_console_signin",
            Self::ConsoleNotice => "tessera_console_notice",
            Self::ConsoleSecret => "tessera_console_secret",
        }
    }
}

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

/// The browser's part of every CSRF token: 32 random bytes in a cookie.
#[derive(Clone, PartialEq, Eq)]
pub struct CsrfSeed([u8; 32]);

impl CsrfSeed {
    /// Makes a new one.
    pub fn generate(clock: &Clock) -> Self {
        Self(clock.random_bytes())
    }

    /// Reads the cookie's value.
    pub fn parse(value: &str) -> Option<Self> {
        decode_32(value).map(Self)
    }

    /// The cookie's value.
    pub fn to_value(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    fn hash(&self, tenant: &Tenant, purpose: FormPurpose) -> HashedSecret {
        let owner = purpose.owner().map(FormOwner::to_bytes);
        let owner = owner.as_ref().map_or(&[][..], |bytes| bytes);
        let parts = [self.0.as_slice(), purpose.label().as_bytes(), owner];
        tenant.browser_key().mac("csrf", &parts)
    }

    /// The token for a form of this purpose: whose it is, where it is somebody's, and the proof.
    pub fn token(&self, tenant: &Tenant, purpose: FormPurpose) -> String {
        let mut bytes = match purpose.owner() {
            Some(owner) => owner.to_bytes().to_vec(),
            None => Vec::new(),
        };
        bytes.extend_from_slice(self.hash(tenant, purpose).as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// Whose a form is. Neither is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormOwner {
    /// The session for which it was made.
    pub session: Uuid,
    /// Whose session that is.
    pub person: Uuid,
}

impl FormOwner {
    const BYTES: usize = 32;

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(self.session.as_bytes());
        bytes[16..].copy_from_slice(self.person.as_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let id = |at: usize| Uuid::from_slice(&bytes[at..at + 16]).unwrap_or_default();
        Self {
            session: id(0),
            person: id(16),
        }
    }
}

/// A form's token as it was sent.
struct Presented {
    owner: Option<FormOwner>,
    proof: HashedSecret,
}

impl Presented {
    fn of(params: &Params) -> Result<Option<Self>, FormRefusal> {
        let text = params.get("csrf").map_err(|_| FormRefusal::Malformed)?;
        Ok(text.and_then(Self::parse))
    }

    fn parse(text: &str) -> Option<Self> {
        let (owner, proof) = match text.len() {
            43 => (None, decode_32(text)?),
            86 => {
                let bytes: [u8; 64] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
                let (owner, proof) = bytes.split_first_chunk()?;
                (Some(FormOwner::from_bytes(*owner)), proof.try_into().ok()?)
            }
            _ => return None,
        };
        let proof = HashedSecret::from_slice(&proof)?;
        Some(Self { owner, proof })
    }
}

fn decode_32(text: &str) -> Option<[u8; 32]> {
    if text.len() != 43 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// What a form does: a token made for one is no good for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormPurpose {
    /// Signing in.
    SignIn,
    /// Choosing an account.
    SelectAccount,
    /// Allowing or denying.
    Consent,
    /// Signing out.
    SignOut,
    /// Setting a password by a one-time link.
    Link,
    /// Changing a password.
    Password,
    /// Ending sessions.
    Sessions,
    /// Withdrawing consents.
    Applications,
    /// Typing the code that a device shows.
    UserCode,
    /// Allowing a device or not.
    Device,
    /// Allowing what is asked by the back channel, or not.
    Request,
    /// Setting the code for requests, or taking it away.
    RequestCode,
    /// Administering, in somebody's session.
    Console(FormOwner),
}

impl FormPurpose {
    const fn label(self) -> &'static str {
        match self {
            Self::SignIn => "sign in",
            Self::SelectAccount => "select account",
            Self::Consent => "consent",
            Self::SignOut => "sign out",
            Self::Link => "link",
            Self::Password => "password",
            Self::Sessions => "sessions",
            Self::Applications => "applications",
            Self::UserCode => "user code",
            Self::Device => "device",
            Self::Request => "request",
            Self::RequestCode => "request code",
            Self::Console(_) => "console",
        }
    }

    /// Whose the form is, where it is somebody's.
    const fn owner(self) -> Option<FormOwner> {
        match self {
            Self::Console(owner) => Some(owner),
            _ => None,
        }
    }
}

/// Where a browser says that a request comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Provenance<'a> {
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Sec-Fetch-Site`.
    pub fetch_site: Option<&'a str>,
    /// `Referer`.
    pub referer: Option<&'a str>,
}

impl Provenance<'_> {
    /// Whether it is a page of this issuer's origin. The most telling header that is there decides; a client that sends none of them
    /// is no browser of today, and its token alone has to do.
    fn is_own(self, issuer: &str) -> bool {
        let own = issuer_origin(issuer);
        match (self.origin, self.fetch_site, self.referer) {
            (Some(origin), _, _) => origin == own,
            (None, Some(site), _) => site == "same-origin",
            (None, None, Some(referer)) => referer
                .strip_prefix(own)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            (None, None, None) => true,
        }
    }
}

/// Why a form isn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormRefusal {
    /// It was sent from elsewhere.
    #[error("the form was sent from another origin")]
    ForeignOrigin,
    /// Its token isn't this browser's, or is another form's.
    #[error("the form's token doesn't fit")]
    Token,
    /// A parameter is there more than once.
    #[error("the form's token is there more than once")]
    Malformed,
}

impl From<FormRefusal> for OAuthError {
    fn from(_: FormRefusal) -> Self {
        OAuthError::forbidden(
            "the form was sent from elsewhere, or lay open for too long; go back, reload the page and send it again",
        )
    }
}

/// A form that one of our own pages sent in this browser.
pub struct CheckedForm {
    params: Params,
    _private: (),
}

impl CheckedForm {
    /// The one way to take a form: its origin must be ours, and its `csrf` made for this browser, this tenant and this purpose.
    pub fn check(
        at: &TenantAt,
        provenance: Provenance<'_>,
        seed: Option<&CsrfSeed>,
        purpose: FormPurpose,
        params: Params,
    ) -> Result<Self, FormRefusal> {
        if !provenance.is_own(&at.issuer) {
            return Err(FormRefusal::ForeignOrigin);
        }
        let (Some(seed), Some(presented)) = (seed, Presented::of(&params)?) else {
            return Err(FormRefusal::Token);
        };
        let fits = presented.owner == purpose.owner()
            && seed.hash(&at.tenant, purpose).matches(&presented.proof);
        if !fits {
            return Err(FormRefusal::Token);
        }
        Ok(Self {
            params,
            _private: (),
        })
    }

    /// Whose a form of the console is that one of our own pages sent in this browser, whether or not that session is still there. It may be shown
    /// to that person again; to act on it takes [`CheckedForm::check`].
    pub fn find_owner(
        at: &TenantAt,
        provenance: Provenance<'_>,
        seed: Option<&CsrfSeed>,
        params: &Params,
    ) -> Option<FormOwner> {
        if !provenance.is_own(&at.issuer) {
            return None;
        }
        let presented = Presented::of(params).ok().flatten()?;
        let owner = presented.owner?;
        let proof = seed?.hash(&at.tenant, FormPurpose::Console(owner));
        proof.matches(&presented.proof).then_some(owner)
    }

    /// What an input holds; empty where it is absent or there more than once.
    pub fn input(&self, name: &str) -> &str {
        self.params.get(name).ok().flatten().unwrap_or_default()
    }

    /// What inputs of one name hold: boxes that are ticked, say.
    pub fn inputs<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.params.get_all(name)
    }
}

/// The people who signed in from a browser before, each as a random number and a proof that it was made for them.
#[derive(Clone, Debug, Default)]
pub struct DeviceCookie(Vec<Device>);

#[derive(Clone, Copy, Debug)]
struct Device {
    nonce: [u8; 16],
    proof: [u8; 32],
}

impl DeviceCookie {
    /// Reads the cookie's value; what isn't well formed is passed over.
    pub fn parse(value: Option<&str>) -> Self {
        let texts = value.unwrap_or_default().split('.').take(MOST_SESSIONS);
        Self(texts.filter_map(Device::parse).collect())
    }

    /// The number of the device on which the person with this address signed in, if this browser is one.
    pub fn find(&self, tenant: &Tenant, email_key: &str) -> Option<[u8; 16]> {
        let fits = |device: &&Device| {
            HashedSecret::from_slice(&device.proof)
                .is_some_and(|proof| Device::hash(tenant, email_key, &device.nonce).matches(&proof))
        };
        self.0.iter().find(fits).map(|device| device.nonce)
    }

    /// The cookie with this person known.
    #[must_use]
    pub fn with(&self, tenant: &Tenant, email_key: &str, clock: &Clock) -> Self {
        if self.find(tenant, email_key).is_some() {
            return self.clone();
        }
        let nonce = clock.random_bytes();
        let mut devices = self.0.clone();
        devices.insert(
            0,
            Device {
                nonce,
                proof: *Device::hash(tenant, email_key, &nonce).as_bytes(),
            },
        );
        devices.truncate(MOST_SESSIONS);
        Self(devices)
    }

    /// The cookie's value.
    pub fn to_value(&self) -> String {
        let text = |device: &Device| {
            URL_SAFE_NO_PAD.encode([device.nonce.as_slice(), &device.proof].concat())
        };
        self.0.iter().map(text).collect::<Vec<_>>().join(".")
    }
}

impl Device {
    fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, proof) = bytes.split_first_chunk::<16>()?;
        Some(Self {
            nonce: *nonce,
            proof: proof.try_into().ok()?,
        })
    }

    fn hash(tenant: &Tenant, email_key: &str, nonce: &[u8; 16]) -> HashedSecret {
        tenant
            .browser_key()
            .mac("known device", &[email_key.as_bytes(), nonce])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_live_where_their_issuer_does() {
        for (issuer, name, path) in [
            ("https://login.acme.com", "__Host-tessera_session", "/"),
            (
                "https://id.example.com/t/acme",
                "__Secure-tessera_session",
                "/t/acme",
            ),
            ("http://localhost:8080/t/acme", "tessera_session", "/t/acme"),
            ("http://acme.localhost:8080", "tessera_session", "/"),
        ] {
            let place = CookiePlace::of(issuer);
            assert_eq!(
                (place.name(Cookie::Session).as_str(), place.path.as_str()),
                (name, path),
                "{issuer}"
            );
        }
    }

    #[test]
    fn only_our_own_origin_sends_forms() {
        let issuer = "https://id.example.com/t/acme";
        let from = |origin, fetch_site, referer| {
            Provenance {
                origin,
                fetch_site,
                referer,
            }
            .is_own(issuer)
        };
        assert!(from(Some("https://id.example.com"), None, None));
        assert!(from(None, Some("same-origin"), None));
        assert!(from(
            None,
            None,
            Some("https://id.example.com/t/acme/login?x")
        ));
        for origin in [
            "null",
            "",
            "https://id.example.com.evil.example",
            "http://id.example.com",
            "https://id.example.com:444",
            "https://evil.example",
        ] {
            assert!(
                !from(
                    Some(origin),
                    Some("same-origin"),
                    Some("https://id.example.com/")
                ),
                "{origin}"
            );
        }
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(
                !from(None, Some(site), Some("https://id.example.com/")),
                "{site}"
            );
        }
        assert!(!from(
            None,
            None,
            Some("https://id.example.com.evil.example/")
        ));
        assert!(!from(None, None, Some("")));
    }

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
