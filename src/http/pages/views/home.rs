//! The pages at the root of an issuer and at the root of the installation.

use askama::Template;

use super::parts::{Account, Page};

/// The root of an issuer.
#[derive(Clone, Debug, Template)]
#[template(path = "tenant_home.html")]
pub struct TenantHome<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Who is signed in here, if somebody is.
    pub account: Option<Account<'a>>,
}

/// The root of the installation: says what it is, and names no tenant.
#[derive(Clone, Debug, Template)]
#[template(path = "landing.html")]
pub struct Landing<'a> {
    /// The page around it, without a tenant.
    pub page: Page<'a>,
}
