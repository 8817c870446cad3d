//! What views have in common: the page around them, forms, marks of tenants and clients, and what a form may have to say.

use std::borrow::Cow;

use url::Url;

use crate::{
    clock::Timestamp,
    http::pages::{assets::File, messages::Messages},
};

/// The page around every view.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The words, in the language negotiated.
    pub messages: Messages,
    /// Whose page it is; `None` at the root and where no tenant was found.
    pub tenant: Option<TenantMark<'a>>,
    /// What leads to the issuer: its URL, or that URL's path (`/t/acme`), without a trailing slash. Empty at the root and where a tenant
    /// has an origin of its own.
    pub base: &'a str,
    /// What static files' paths are prefixed with: the path of the root's URL, nearly always empty, and always where a tenant has an origin
    /// of its own.
    pub static_base: &'a str,
    /// The time that moments on the page are told from.
    pub now: Timestamp,
}

impl<'a> Page<'a> {
    /// The message of this id.
    pub fn t(&self, id: &str) -> Cow<'static, str> {
        self.messages.get(id)
    }

    /// The message of this id, with one argument.
    pub fn f(&self, id: &str, name: &'static str, value: &str) -> String {
        self.messages.format(id, [(name, value)])
    }

    /// The message of this id about so many things.
    pub fn count(&self, id: &str, count: &usize) -> String {
        self.messages.format(id, [("count", *count)])
    }

    /// The tenant's name, or the product's where there is no tenant.
    pub fn name(&self) -> &'a str {
        self.tenant.map_or("Tessera", |tenant| tenant.name)
    }

    /// Address of a static file.
    pub fn file(&self, file: File) -> String {
        format!("{}{}", self.static_base, file.asset().path)
    }

    /// A past moment in words.
    pub fn ago(&self, at: &Timestamp) -> String {
        self.messages.ago(*at, self.now)
    }

    /// A day in words, and the time.
    pub fn moment(&self, at: &Timestamp) -> String {
        self.messages.moment(*at)
    }

    /// A day in words.
    pub fn date(&self, at: &Timestamp) -> String {
        self.messages.date(*at)
    }
}

/// A tenant as it shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantMark<'a> {
    /// Display name; `data-tenant` on `<body>`.
    pub name: &'a str,
    /// Slug; `data-tenant-slug` on `<body>`.
    pub slug: &'a str,
    /// `Branding::logo_uri`; without one the name's first letter stands in a tile.
    pub logo_uri: Option<&'a str>,
    /// `BrandSheet::href`, where the tenant chose colours.
    pub brand_sheet: Option<&'a str>,
}

impl TenantMark<'_> {
    /// The letter in the tile that stands for a logo.
    pub fn initial(&self) -> String {
        initial(self.name)
    }
}

fn initial(name: &str) -> String {
    name.chars()
        .find(|letter| letter.is_alphanumeric())
        .map_or_else(String::new, |letter| letter.to_uppercase().collect())
}

/// An address of the web that a page may link to or load a picture from: http or https, so never a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebLink<'a>(&'a str);

impl<'a> WebLink<'a> {
    /// `None` for anything but an absolute http or https URL.
    pub fn parse(text: &'a str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        // `Url` forgives spaces and control characters around an address; a page wouldn't gain from it.
        let sound = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && !text.contains(|c: char| c.is_control() || c == ' ');
        sound.then_some(Self(text))
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

/// A client as it shows itself (RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientMark<'a> {
    /// `client_name`, or the `client_id` where there is none.
    pub name: &'a str,
    /// `logo_uri`; the page's `img-src` must admit its origin.
    pub logo_uri: Option<WebLink<'a>>,
    /// `client_uri`.
    pub client_uri: Option<WebLink<'a>>,
    /// `policy_uri`.
    pub policy_uri: Option<WebLink<'a>>,
    /// `tos_uri`.
    pub tos_uri: Option<WebLink<'a>>,
}

impl<'a> ClientMark<'a> {
    /// A client that has a name only.
    pub const fn named(name: &'a str) -> Self {
        Self {
            name,
            logo_uri: None,
            client_uri: None,
            policy_uri: None,
            tos_uri: None,
        }
    }

    /// The letter in the tile that stands for a logo.
    pub fn initial(&self) -> String {
        initial(self.name)
    }
}

/// Who is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account<'a> {
    /// Full name; empty where unknown.
    pub name: &'a str,
    /// What they sign in with: the e-mail address or user name.
    pub username: &'a str,
}

impl<'a> Account<'a> {
    /// What to call them.
    pub fn label(&self) -> &'a str {
        if self.name.is_empty() {
            self.username
        } else {
            self.name
        }
    }

    /// The letter in their tile.
    pub fn initial(&self) -> String {
        initial(self.label())
    }
}

/// A form, always sent by POST.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a> {
    /// Where it is sent.
    pub action: &'a str,
    /// The CSRF token, sent as `csrf`.
    pub csrf: &'a str,
    /// What else must come back, such as the id of the authorization request.
    pub hidden: &'a [(&'a str, &'a str)],
}

/// What a person is told about a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordRules {
    /// Fewest characters.
    pub min_length: u16,
    /// Most characters.
    pub max_length: u16,
    /// Whether passwords known from leaks or too easily guessed are refused.
    pub refuses_common: bool,
}

impl PasswordRules {
    /// The rules in one sentence or two.
    pub fn text(&self, page: &Page<'_>) -> String {
        let mut text = page
            .messages
            .format("password-rules-length", [("min", self.min_length)]);
        if self.refuses_common {
            text.push(' ');
            text.push_str(&page.t("password-rules-common"));
        }
        text
    }
}

/// What a form may have to say, beside a field or above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No user name was given.
    UsernameMissing,
    /// No password was given.
    PasswordMissing,
    /// The user name and password don't belong together; the same words for unknown, locked and passwordless people.
    Credentials,
    /// Too many attempts; `minutes` until the next makes sense, rounded up.
    TooManyAttempts {
        /// At least 1.
        minutes: u32,
    },
    /// The server is too busy to check a password just now.
    Busy,
    /// The form lay open too long, or its CSRF token doesn't fit: it is shown again, to be sent again.
    FormLapsed,
    /// The current password is wrong.
    CurrentPassword,
    /// The new password is too short.
    PasswordTooShort {
        /// Fewest characters.
        min: u16,
    },
    /// The new password is too long.
    PasswordTooLong {
        /// Most characters.
        max: u16,
    },
    /// The new password is among those that attackers try first.
    PasswordCommon,
    /// The new password contains the user name or the like.
    PasswordPersonal,
    /// The new password is the current one.
    PasswordUnchanged,
    /// The two entries differ.
    PasswordsDiffer,
    /// What was to be ended or withdrawn is gone already.
    GoneAlready,
    /// No code was given.
    UserCodeMissing,
    /// No device waits that shows the code; the same words for unknown, expired and decided ones.
    UserCodeUnknown,
    /// No such request waits for whoever is signed in; the same words for unknown, expired, decided and others' ones.
    RequestGone,
    /// What was typed can't be a code for requests.
    RequestCodeUnfit,
    /// It can, and would be guessed first.
    RequestCodeGuessable,
}

impl Problem {
    /// What to tell the person.
    pub fn text(&self, page: &Page<'_>) -> String {
        let id = match *self {
            Self::TooManyAttempts { minutes } => {
                return page
                    .messages
                    .format("problem-too-many-attempts", [("minutes", minutes)]);
            }
            Self::PasswordTooShort { min } => {
                return page
                    .messages
                    .format("problem-password-too-short", [("min", min)]);
            }
            Self::PasswordTooLong { max } => {
                return page
                    .messages
                    .format("problem-password-too-long", [("max", max)]);
            }
            Self::UsernameMissing => "problem-username-missing",
            Self::PasswordMissing => "problem-password-missing",
            Self::Credentials => "problem-credentials",
            Self::Busy => "problem-busy",
            Self::FormLapsed => "problem-form-lapsed",
            Self::CurrentPassword => "problem-current-password",
            Self::PasswordCommon => "problem-password-common",
            Self::PasswordPersonal => "problem-password-personal",
            Self::PasswordUnchanged => "problem-password-unchanged",
            Self::PasswordsDiffer => "problem-passwords-differ",
            Self::GoneAlready => "problem-gone-already",
            Self::UserCodeMissing => "problem-user-code-missing",
            Self::UserCodeUnknown => "problem-user-code-unknown",
            Self::RequestGone => "problem-request-gone",
            Self::RequestCodeUnfit => "problem-request-code-unfit",
            Self::RequestCodeGuessable => "problem-request-code-guessable",
        };
        page.t(id).into_owned()
    }
}

/// What went well just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A password was chosen by a one-time link; signing in comes next.
    PasswordChosen,
    /// The password was changed.
    PasswordChanged,
    /// One session was ended.
    SessionEnded,
    /// All sessions but this one were ended.
    OthersEnded,
    /// A session isn't shared with applications on its device any more.
    SharingEnded,
    /// An application's access was withdrawn.
    AccessWithdrawn,
    /// The code for requests was set.
    RequestCodeSet,
    /// There is none any more.
    RequestCodeRemoved,
}

impl Notice {
    /// What to tell the person.
    pub fn text(&self, page: &Page<'_>) -> String {
        let id = match self {
            Self::PasswordChosen => "notice-password-chosen",
            Self::PasswordChanged => "notice-password-changed",
            Self::SessionEnded => "notice-session-ended",
            Self::OthersEnded => "notice-others-ended",
            Self::SharingEnded => "notice-sharing-ended",
            Self::AccessWithdrawn => "notice-access-withdrawn",
            Self::RequestCodeSet => "notice-request-code-set",
            Self::RequestCodeRemoved => "notice-request-code-removed",
        };
        page.t(id).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_web_is_linked() {
        for good in ["https://a.example/x?y=1#z", "http://localhost:3000"] {
            assert_eq!(WebLink::parse(good).map(|link| link.as_str()), Some(good));
        }
        for bad in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " https://a.example",
            "java\nscript:x",
            "//a.example",
            "/x",
            "data:text/html,x",
            "com.app:/cb",
            "",
        ] {
            assert_eq!(WebLink::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn tiles_have_a_letter() {
        let mark = |name| ClientMark::named(name).initial();
        assert_eq!(
            (
                mark("acme"),
                mark("<b>"),
                mark("ßa"),
                mark("…"),
                mark("élan")
            ),
            (
                "A".into(),
                "B".into(),
                "SS".into(),
                String::new(),
                "É".into()
            )
        );
    }
}
