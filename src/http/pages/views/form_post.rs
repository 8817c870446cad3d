//! An authorization response by form (OAuth 2.0 Form Post Response Mode §2): a small external script sends it at once, and where scripts
//! are off a button does. `form-action` must admit the redirect URI's origin.

use askama::Template;

use super::parts::Page;

/// The page that carries the response.
#[derive(Clone, Debug, Template)]
#[template(path = "form_post.html")]
pub struct FormPost<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// The validated redirect URI.
    pub redirect_uri: &'a str,
    /// The response's parameters, in order.
    pub parameters: Vec<(&'a str, &'a str)>,
}
