//! Forms, and how one of our own pages is told from anybody else's: where it was sent from, and a token that was made for this browser, this
//! tenant and this purpose.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::cookies::issuer_origin;
use crate::clock::Clock;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::protocol::{OAuthError, Params};
use crate::secret::HashedSecret;

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
                let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
                let (session, rest) = bytes.split_first_chunk()?;
                let (person, proof) = rest.split_first_chunk()?;
                let owner = FormOwner {
                    session: Uuid::from_bytes(*session),
                    person: Uuid::from_bytes(*person),
                };
                (Some(owner), proof.try_into().ok()?)
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

    /// Whether an input of this name was sent, if only empty.
    pub fn has(&self, name: &str) -> bool {
        self.params.contains(name)
    }

    /// What inputs of one name hold: boxes that are ticked, say.
    pub fn inputs<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.params.get_all(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
