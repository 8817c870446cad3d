//! Signing in, and choosing among those who are signed in already.

use askama::Template;

use super::parts::{Account, ClientMark, Form, Notice, Page, Problem};

/// Whom the sign-in page expects.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// Anybody; `login_hint` or what was entered before fills the field.
    Anyone {
        /// What the field holds at first.
        username: &'a str,
    },
    /// One person, who is to show again that it is they (`prompt=login`, `max_age`).
    Known {
        /// Who.
        account: Account<'a>,
        /// Where "use another account" leads.
        elsewhere: &'a str,
    },
}

/// The sign-in page: ids `username`, `password`, `submit`.
#[derive(Clone, Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignIn<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Where the credentials go.
    pub form: Form<'a>,
    /// The application that asked, if one did.
    pub client: Option<ClientMark<'a>>,
    /// Whom it expects.
    pub who: Who<'a>,
    /// What is wrong with the whole of it.
    pub problem: Option<Problem>,
    /// What is wrong with the user name.
    pub username_problem: Option<Problem>,
    /// What is wrong with the password.
    pub password_problem: Option<Problem>,
    /// What went well before.
    pub notice: Option<Notice>,
}

impl SignIn<'_> {
    fn username(&self) -> &str {
        match &self.who {
            Who::Anyone { username } => username,
            Who::Known { account, .. } => account.username,
        }
    }

    /// The first field that wants something is where typing starts.
    fn focus_password(&self) -> bool {
        self.username_problem.is_none() && !self.username().is_empty()
    }
}

/// An account to choose.
#[derive(Clone, Copy, Debug)]
pub struct AccountChoice<'a> {
    /// What the form sends for it.
    pub value: &'a str,
    /// Whose it is.
    pub account: Account<'a>,
    /// Whether its session still lives; otherwise choosing it leads to the password.
    pub signed_in: bool,
}

/// Who is it? (`prompt=select_account`, or several sessions in one browser)
#[derive(Clone, Debug, Template)]
#[template(path = "select_account.html")]
pub struct SelectAccount<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Where the choice goes.
    pub form: Form<'a>,
    /// The application that asked, if one did.
    pub client: Option<ClientMark<'a>>,
    /// Those to choose from.
    pub accounts: Vec<AccountChoice<'a>>,
    /// Where "use another account" leads.
    pub elsewhere: &'a str,
    /// What is wrong.
    pub problem: Option<Problem>,
}
