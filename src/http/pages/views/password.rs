//! One-time links: choosing a password, and links that are spent.

use askama::Template;

use super::parts::{Form, Page, PasswordRules, Problem};

/// "Choose your password": ids `new-password`, `confirm-password`, `submit`.
#[derive(Clone, Debug, Template)]
#[template(path = "choose_password.html")]
pub struct ChoosePassword<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Where the password goes.
    pub form: Form<'a>,
    /// Whose it will be; password managers read it too.
    pub username: &'a str,
    /// What it must be like.
    pub rules: PasswordRules,
    /// What is wrong with the whole of it.
    pub problem: Option<Problem>,
    /// What is wrong with the new password.
    pub new_problem: Option<Problem>,
    /// What is wrong with its second entry.
    pub confirm_problem: Option<Problem>,
}

/// A link that was used, is too old, or never was; the three look the same.
#[derive(Clone, Debug, Template)]
#[template(path = "link_spent.html")]
pub struct LinkSpent<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// The request's id.
    pub request_id: &'a str,
    /// Where signing in leads, for those who chose their password already.
    pub sign_in: Option<&'a str>,
}
