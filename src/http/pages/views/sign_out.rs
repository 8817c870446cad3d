//! Signing out (OpenID Connect RP-Initiated Logout): the question, and the page afterwards.

use askama::Template;

use super::parts::{Account, Form, Page};

/// "Sign out?": id `logout`. It names no application: where one is known for certain, nobody is asked.
#[derive(Clone, Debug, Template)]
#[template(path = "sign_out.html")]
pub struct SignOut<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Where the answer goes.
    pub form: Form<'a>,
    /// Who would be signed out.
    pub account: Account<'a>,
    /// Where "stay signed in" leads.
    pub stay: &'a str,
}

/// "You're signed out."
#[derive(Clone, Debug, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOut<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Where "sign in again" leads; `None` leaves it out.
    pub sign_in: Option<&'a str>,
    /// Clients' pages to be loaded in frames that nobody sees; the page's `frame-src` must admit their origins.
    pub frames: Vec<&'a str>,
    /// Where the browser goes by itself when they have loaded: a registered address with its state.
    pub onward: Option<&'a str>,
}
