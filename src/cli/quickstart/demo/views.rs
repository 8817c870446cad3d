//! The pages.

use askama::Template;

/// A tenant on the start page.
pub(super) struct TenantItem<'a> {
    pub(super) slug: &'a str,
    pub(super) name: &'a str,
    pub(super) issuer: &'a str,
    /// Who is signed in.
    pub(super) person: Option<String>,
}

/// The start page.
#[derive(Template)]
#[template(path = "demo/start.html")]
pub(super) struct Start<'a> {
    pub(super) notice: Option<String>,
    pub(super) tenants: Vec<TenantItem<'a>>,
}

/// What came of a call to the API.
pub(super) struct ResultItem {
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) body: String,
}

/// A signed-in person's page.
#[derive(Template)]
#[template(path = "demo/tenant.html")]
pub(super) struct Tenant<'a> {
    pub(super) slug: &'a str,
    pub(super) name: &'a str,
    pub(super) issuer: &'a str,
    pub(super) other: Option<&'a str>,
    pub(super) person: String,
    pub(super) csrf: String,
    pub(super) claims: String,
    pub(super) userinfo: Option<String>,
    pub(super) access_token: Option<String>,
    pub(super) can_refresh: bool,
    pub(super) notice: Option<String>,
    pub(super) result: Option<ResultItem>,
}

/// What went wrong.
#[derive(Template)]
#[template(path = "demo/problem.html")]
pub(super) struct Problem {
    pub(super) code: &'static str,
    pub(super) text: String,
}
