//! What a signed-in person manages: `/account` and the pages under it.

use askama::Template;
use chrono::SecondsFormat;

use super::{
    consent::ScopeItem,
    parts::{Account, ClientMark, Form, Notice, Page, PasswordRules, Problem, WebLink},
};
use crate::clock::Timestamp;
use crate::http::pages::device;
use crate::protocol::authorization_details::Words;

/// One thing that is known about a person.
#[derive(Clone, Copy, Debug)]
pub struct ProfileEntry<'a> {
    /// The claim's name (OpenID Connect Core §5.1), `email` for example; one that no language knows is shown as it is.
    pub claim: &'a str,
    /// Its value as text.
    pub value: &'a str,
    /// For `email` and `phone_number`: whether it is verified.
    pub verified: Option<bool>,
}

impl ProfileEntry<'_> {
    fn label(&self, page: &Page<'_>) -> String {
        let id = match self.claim {
            "name" => "claim-name",
            "given_name" => "claim-given-name",
            "middle_name" => "claim-middle-name",
            "family_name" => "claim-family-name",
            "nickname" => "claim-nickname",
            "preferred_username" => "claim-preferred-username",
            "email" => "claim-email",
            "phone_number" => "claim-phone-number",
            "address" => "claim-address",
            "birthdate" => "claim-birthdate",
            "gender" => "claim-gender",
            "zoneinfo" => "claim-zoneinfo",
            "locale" => "claim-locale",
            "website" => "claim-website",
            "profile" => "claim-profile",
            "picture" => "claim-picture",
            other => return other.to_owned(),
        };
        page.t(id).into_owned()
    }
}

/// `/account`: who I am here.
#[derive(Clone, Debug, Template)]
#[template(path = "account/home.html")]
pub struct AccountHome<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Who is signed in.
    pub account: Account<'a>,
    /// Where signing out leads.
    pub sign_out: &'a str,
    /// How many requests wait for them; none where the tenant has no such requests.
    pub requests: Option<usize>,
    /// What is known about them.
    pub profile: Vec<ProfileEntry<'a>>,
    /// Whether they have a role in the tenant, and a use for its console.
    pub administers: bool,
    /// What went well before.
    pub notice: Option<Notice>,
}

/// `/account/password`: ids `current-password`, `new-password`, `confirm-password`, `submit`.
#[derive(Clone, Debug, Template)]
#[template(path = "account/password.html")]
pub struct AccountPassword<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Who is signed in.
    pub account: Account<'a>,
    /// Where signing out leads.
    pub sign_out: &'a str,
    /// How many requests wait for them; none where the tenant has no such requests.
    pub requests: Option<usize>,
    /// Where the passwords go.
    pub form: Form<'a>,
    /// What the new one must be like.
    pub rules: PasswordRules,
    /// What is wrong with the whole of it.
    pub problem: Option<Problem>,
    /// What is wrong with the current password.
    pub current_problem: Option<Problem>,
    /// What is wrong with the new one.
    pub new_problem: Option<Problem>,
    /// What is wrong with its second entry.
    pub confirm_problem: Option<Problem>,
    /// What went well before.
    pub notice: Option<Notice>,
}

/// A browser that is signed in.
#[derive(Clone, Copy, Debug)]
pub struct SessionItem<'a> {
    /// What the form sends to end it.
    pub id: &'a str,
    /// `Device::browser`; empty where unknown.
    pub browser: &'a str,
    /// `Device::system`; empty where unknown.
    pub system: &'a str,
    /// Network address it was last seen from; empty where unknown.
    pub address: &'a str,
    /// When it signed in.
    pub signed_in_at: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// Whether it is the one that looks at the page.
    pub current: bool,
    /// The applications on the device that share it, one after the other; empty where none does.
    pub shared: &'a str,
}

impl SessionItem<'_> {
    fn seen_iso(&self) -> String {
        iso(self.seen_at)
    }

    fn signed_in_iso(&self) -> String {
        iso(self.signed_in_at)
    }

    fn title(&self, page: &Page<'_>) -> String {
        device::title(page, self.browser, self.system)
    }
}

/// `/account/sessions`: ids `end-others`, and `end` on each that can be ended as a class, `unshare` on each that is shared.
#[derive(Clone, Debug, Template)]
#[template(path = "account/sessions.html")]
pub struct AccountSessions<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Who is signed in.
    pub account: Account<'a>,
    /// Where signing out leads.
    pub sign_out: &'a str,
    /// How many requests wait for them; none where the tenant has no such requests.
    pub requests: Option<usize>,
    /// Where endings go.
    pub form: Form<'a>,
    /// The sessions, this one first.
    pub sessions: Vec<SessionItem<'a>>,
    /// Where the next ones are.
    pub more: Option<&'a str>,
    /// What is wrong.
    pub problem: Option<Problem>,
    /// What went well before.
    pub notice: Option<Notice>,
}

impl AccountSessions<'_> {
    fn has_others(&self) -> bool {
        self.more.is_some() || self.sessions.iter().any(|session| !session.current)
    }
}

/// An application that was granted something.
#[derive(Clone, Debug)]
pub struct ApplicationItem<'a> {
    /// What the form sends to withdraw it.
    pub id: &'a str,
    /// The application.
    pub client: ClientMark<'a>,
    /// What it may do.
    pub scopes: Vec<ScopeItem<'a>>,
    /// Where it is started, if it says so.
    pub start: Option<WebLink<'a>>,
    /// What it may do in detail (RFC 9396), and until when at the latest.
    pub details: Vec<DetailItem>,
    /// Since when, where that is remembered.
    pub granted_at: Option<Timestamp>,
}

/// What an application was allowed in detail.
#[derive(Clone, Debug)]
pub struct DetailItem {
    /// In words.
    pub words: Words,
    /// When it ends at the latest.
    pub until: Timestamp,
}

impl DetailItem {
    fn until_iso(&self) -> String {
        iso(self.until)
    }
}

impl ApplicationItem<'_> {
    fn granted_iso(&self) -> String {
        self.granted_at.map_or_else(String::new, iso)
    }
}

/// An application of the tenant itself.
#[derive(Clone, Copy, Debug)]
pub struct OwnApplication<'a> {
    /// The application.
    pub client: ClientMark<'a>,
    /// Where it is started.
    pub start: WebLink<'a>,
}

/// `/account/applications`: those that can be started, consents, and withdrawing them.
#[derive(Clone, Debug, Template)]
#[template(path = "account/applications.html")]
pub struct AccountApplications<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Who is signed in.
    pub account: Account<'a>,
    /// Where signing out leads.
    pub sign_out: &'a str,
    /// How many requests wait for them; none where the tenant has no such requests.
    pub requests: Option<usize>,
    /// Where withdrawals go.
    pub form: Form<'a>,
    /// The tenant's own applications.
    pub own: Vec<OwnApplication<'a>>,
    /// The applications.
    pub applications: Vec<ApplicationItem<'a>>,
    /// Where the next ones are.
    pub more: Option<&'a str>,
    /// What is wrong.
    pub problem: Option<Problem>,
    /// What went well before.
    pub notice: Option<Notice>,
}

/// For `datetime` attributes.
pub(super) fn iso(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
