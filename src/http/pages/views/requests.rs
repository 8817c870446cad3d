//! What applications ask by the back channel (OpenID Connect CIBA): the list, the question, and what came of it.

use askama::Template;

use super::account::iso;
use super::consent::{ResourceItem, ScopeItem};
use super::parts::{Account, ClientMark, Form, Notice, Page, Problem};
use crate::clock::Timestamp;

/// A request that waits.
#[derive(Clone, Copy, Debug)]
pub struct RequestItem<'a> {
    /// Who asks.
    pub client: ClientMark<'a>,
    /// Where it is answered.
    pub address: &'a str,
    /// What is to be compared; empty where there is nothing.
    pub binding_message: &'a str,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// Until when it can be answered.
    pub ends_at: Timestamp,
}

impl RequestItem<'_> {
    fn asked_iso(&self) -> String {
        iso(self.asked_at)
    }

    fn left(&self, page: &Page<'_>) -> String {
        left(page, self.ends_at)
    }
}

/// `/account/requests`: what waits for an answer, and the code that is needed to ask: ids `code`, `submit`, `remove`.
#[derive(Clone, Debug, Template)]
#[template(path = "account/requests.html")]
pub struct AccountRequests<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Who is signed in.
    pub account: Account<'a>,
    /// Where signing out leads.
    pub sign_out: &'a str,
    /// How many wait.
    pub requests: Option<usize>,
    /// They.
    pub items: Vec<RequestItem<'a>>,
    /// Where the code goes.
    pub form: Form<'a>,
    /// Whether there is one.
    pub has_code: bool,
    /// What is wrong with the code that was typed.
    pub code_problem: Option<Problem>,
    /// What is wrong.
    pub problem: Option<Problem>,
    /// What went well before.
    pub notice: Option<Notice>,
}

/// "Is this you?": ids `allow`, `deny`.
#[derive(Clone, Debug, Template)]
#[template(path = "request.html")]
pub struct AnswerRequest<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Where the decision goes.
    pub form: Form<'a>,
    /// Who asks.
    pub client: ClientMark<'a>,
    /// Who decides.
    pub account: Account<'a>,
    /// What the application shows, to be compared; empty where there is nothing.
    pub binding_message: &'a str,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// Until when it can be answered.
    pub ends_at: Timestamp,
    /// Scopes that belong to no API.
    pub scopes: Vec<ScopeItem<'a>>,
    /// APIs and their scopes.
    pub resources: Vec<ResourceItem<'a>>,
}

impl<'a> AnswerRequest<'a> {
    fn asked_iso(&self) -> String {
        iso(self.asked_at)
    }

    fn left(&self) -> String {
        left(&self.page, self.ends_at)
    }

    /// Nobody else could answer.
    #[expect(clippy::unused_self, reason = "templates call methods")]
    const fn elsewhere(&self) -> Option<&'a str> {
        None
    }
}

/// What came of it.
#[derive(Clone, Debug, Template)]
#[template(path = "request_answered.html")]
pub struct RequestAnswered<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Who asked.
    pub client: ClientMark<'a>,
    /// Whether the person said yes.
    pub allowed: bool,
    /// Where access is withdrawn again.
    pub applications: &'a str,
}

/// How long there is to answer, rounded up.
fn left(page: &Page<'_>, ends_at: Timestamp) -> String {
    let seconds = (ends_at - page.now).num_seconds().max(1);
    let minutes = (seconds + 59) / 60;
    page.messages.format("request-left", [("minutes", minutes)])
}
