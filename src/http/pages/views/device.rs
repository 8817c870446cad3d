//! A device that is connected (RFC 8628 §3.3): its code, the question, and what came of it.

use askama::Template;

use super::consent::{ResourceItem, ScopeItem};
use super::parts::{Account, ClientMark, Form, Page, Problem};
use crate::clock::Timestamp;

/// "Enter the code": field `user_code`.
#[derive(Clone, Debug, Template)]
#[template(path = "user_code.html")]
pub struct EnterCode<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Where the code goes.
    pub form: Form<'a>,
    /// Who would allow something.
    pub account: Account<'a>,
    /// Where "use another account" leads.
    pub elsewhere: &'a str,
    /// What stands in the field: the code that was in the address, or what was typed.
    pub user_code: &'a str,
    /// What is wrong with it.
    pub code_problem: Option<Problem>,
    /// What else is wrong.
    pub problem: Option<Problem>,
}

impl EnterCode<'_> {
    /// Whether the person has something to type: a code that came with the address only has to be confirmed.
    fn focus_code(&self) -> bool {
        self.user_code.is_empty() || self.code_problem.is_some()
    }
}

/// "Connect this device?": ids `allow`, `deny`.
#[derive(Clone, Debug, Template)]
#[template(path = "device.html")]
pub struct ConnectDevice<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Where the decision goes.
    pub form: Form<'a>,
    /// Who asks.
    pub client: ClientMark<'a>,
    /// Who decides.
    pub account: Account<'a>,
    /// Where "use another account" leads.
    pub elsewhere: &'a str,
    /// What the device shows, to be compared.
    pub user_code: &'a str,
    /// Where the device asked from; empty where unknown.
    pub address: &'a str,
    /// When it asked.
    pub asked_at: Timestamp,
    /// Scopes that belong to no API.
    pub scopes: Vec<ScopeItem<'a>>,
    /// APIs and their scopes.
    pub resources: Vec<ResourceItem<'a>>,
}

impl ConnectDevice<'_> {
    fn asked_iso(&self) -> String {
        self.asked_at
            .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }
}

/// What came of it.
#[derive(Clone, Debug, Template)]
#[template(path = "device_done.html")]
pub struct DeviceDone<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Who asked.
    pub client: ClientMark<'a>,
    /// Whether the person said yes.
    pub allowed: bool,
    /// Where access is withdrawn again.
    pub applications: &'a str,
}
