//! Every error as a page: what happened, what to do now, and what to tell those who can help.

use askama::Template;

use super::parts::Page;

/// The error page: `data-error` on `<body>`, and the request id.
#[derive(Clone, Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// The error's code as the contract or a specification names it: `tenant_not_found`, `invalid_request`.
    pub code: &'a str,
    /// HTTP status.
    pub status: u16,
    /// What a developer should change (`error_description`); empty where there is nothing to say.
    pub description: &'a str,
    /// The request's id.
    pub request_id: &'a str,
    /// Where the application wants to be told of it, if the person is to decide whether they go there.
    pub onward: Option<Onward<'a>>,
}

/// An answer to a client whose address nobody here stands for, and that the browser isn't sent to by itself.
#[derive(Clone, Debug)]
pub struct Onward<'a> {
    /// The host that it leads to, or the scheme where it has none.
    pub host: &'a str,
    /// The way there.
    pub way: Way<'a>,
}

/// How a browser gets somewhere.
#[derive(Clone, Debug)]
pub enum Way<'a> {
    /// By this link.
    Link(&'a str),
    /// By a form with this action and these parameters.
    Form(&'a str, Vec<(&'a str, &'a str)>),
}

impl ErrorPage<'_> {
    /// Which of the stories this error is; messages are named after it.
    fn story(&self) -> &'static str {
        match (self.code, self.status) {
            ("tenant_not_found", _) => "tenant-not-found",
            ("tenant_suspended", _) => "tenant-suspended",
            ("forbidden" | "form_lapsed" | "csrf" | "csrf_mismatch", _) => "form-lapsed",
            (
                "expired_link"
                | "login_expired"
                | "interaction_expired"
                | "flow_expired"
                | "invalid_request_uri",
                _,
            ) => "flow-expired",
            ("login_required", _) => "not-signed-in",
            ("access_denied", _) | (_, 403) => "forbidden",
            ("temporarily_unavailable" | "slow_down", _) | (_, 503) => "unavailable",
            (_, 408) => "too-slow",
            (_, 429) => "too-many",
            (_, 404 | 410) => "not-found",
            (_, 405 | 413 | 415) => "not-understood",
            (_, 500..) => "server",
            _ => "application",
        }
    }

    fn title(&self) -> String {
        self.page
            .t(&format!("error-title-{}", self.story()))
            .into_owned()
    }

    fn advice(&self) -> String {
        self.page
            .t(&format!("error-advice-{}", self.story()))
            .into_owned()
    }
}
