//! The sign-in page.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::authorize::{Pending, proceed, take_up, take_up_answered};
use super::form::PageForm;
use super::render::{Person, allow_form_action};
use super::views::{Notice, Problem, SignIn as SignInPage, Who};
use super::visit::Visit;
use super::{requests, user_code};
use crate::flows::authorize::Step;
use crate::flows::browser::{CheckedForm, FormPurpose};
use crate::flows::provider::FlowError;
use crate::flows::signin::{Attempt, MAX_USERNAME, NewSession, SignIn};
use crate::http::error::PageError;
use crate::http::extract::Query;
use crate::http::metrics::{Metrics, SignInOutcome};
use crate::jose::passwords::MAX_PASSWORD;
use crate::protocol::device_authorization::UserCode;
use crate::protocol::discovery::paths;

/// The pages of ours that signing in may lead to.
pub const RETURN_PATHS: [&str; 7] = [
    "/account",
    "/account/password",
    "/account/sessions",
    "/account/applications",
    requests::REQUESTS,
    paths::DEVICE,
    "/",
];

/// Where signing in leads.
enum Onward {
    /// Back to a client's request; with its text.
    Flow(Box<Pending>, String),
    /// To one of our own pages.
    Path(Cow<'static, str>),
}

impl Onward {
    async fn read(visit: &Visit, flow: &str, return_to: &str) -> Result<Self, PageError> {
        if flow.is_empty() {
            return Ok(Self::to_page(return_to));
        }
        let pending = take_up(visit, flow).await?;
        Ok(Self::Flow(Box::new(pending), flow.to_owned()))
    }

    /// The same for what the form sent.
    async fn read_answered(visit: &Visit, form: &CheckedForm) -> Result<Self, PageError> {
        let flow = form.input("flow");
        if flow.is_empty() {
            return Ok(Self::to_page(form.input("return_to")));
        }
        let pending = take_up_answered(visit, flow).await?;
        Ok(Self::Flow(Box::new(pending), flow.to_owned()))
    }

    fn to_page(return_to: &str) -> Self {
        // The code that somebody came with is theirs to confirm still, see `user_code`.
        let code = return_to
            .strip_prefix(paths::DEVICE)
            .and_then(|rest| rest.strip_prefix("?user_code="))
            .and_then(UserCode::parse);
        if let Some(code) = code {
            return Self::Path(user_code::path_with(&code).into());
        }
        if let Some(request) = requests::parse_path(return_to) {
            return Self::Path(request.into());
        }
        let known = RETURN_PATHS.into_iter().find(|path| *path == return_to);
        Self::Path(known.unwrap_or(RETURN_PATHS[0]).into())
    }

    fn pending(&self) -> Option<&Pending> {
        match self {
            Self::Flow(pending, _) => Some(pending),
            Self::Path(_) => None,
        }
    }

    /// What the form, and every link back to this page, has to carry.
    fn carried(&self) -> (&'static str, &str) {
        match self {
            Self::Flow(_, text) => ("flow", text),
            Self::Path(path) => ("return_to", path),
        }
    }
}

/// What the page says.
#[derive(Default)]
struct Said<'a> {
    username: &'a str,
    /// The person who is to show again that it is they.
    known: Option<&'a Person>,
    problem: Option<Problem>,
    username_problem: Option<Problem>,
    password_problem: Option<Problem>,
    notice: Option<Notice>,
}

fn page(visit: &Visit, onward: &Onward, status: StatusCode, said: &Said<'_>) -> HttpResponse {
    let pending = onward.pending();
    let frame = visit.frame(pending.map_or(&[], |pending| &pending.checked.request.ui_locales));
    let client_id = pending
        .map(|pending| pending.checked.client.id.to_string())
        .unwrap_or_default();
    let form = visit.form("/login", FormPurpose::SignIn);
    let carried = [onward.carried()];
    let elsewhere = visit.address("/login", &[carried[0], ("elsewhere", "1")]);
    let who = match said.known {
        Some(person) => Who::Known {
            account: person.account(),
            elsewhere: &elsewhere,
        },
        None => Who::Anyone {
            username: said.username,
        },
    };
    let view = SignInPage {
        page: frame.page(),
        form: form.with(&carried),
        client: pending.map(|pending| frame.client(&pending.checked.client, &client_id)),
        who,
        problem: said.problem,
        username_problem: said.username_problem,
        password_problem: said.password_problem,
        notice: said.notice,
    };
    let mut response = visit.show_form(status, &view);
    if let Some(pending) = pending {
        allow_form_action(&mut response, &pending.checked.redirect.csp_source());
    }
    response
}

/// `GET /login`.
pub async fn get(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    let (flow, return_to) = (
        visit.parameter(&params, "flow")?,
        visit.parameter(&params, "return_to")?,
    );
    let elsewhere = !visit.parameter(&params, "elsewhere")?.is_empty();
    let onward = Onward::read(&visit, flow, return_to).await?;
    let notice = (visit.parameter(&params, "notice")? == "password-chosen")
        .then_some(Notice::PasswordChosen);
    let Some(pending) = onward.pending() else {
        if let Onward::Path(path) = &onward
            && !elsewhere
            && notice.is_none()
            && !visit.signed_in(None).await?.is_empty()
        {
            return Ok(visit.see_other(path, &[]));
        }
        return Ok(page(
            &visit,
            &onward,
            StatusCode::OK,
            &Said {
                notice,
                ..Said::default()
            },
        ));
    };
    let elsewhere = elsewhere && pending.allows_page();
    let next = pending.flow(&visit).next(None, visit.provider.now());
    let known = match next {
        _ if elsewhere => None,
        Step::SignIn(person) => person.map(|person| Person::of(&person.user)),
        // Nobody has to sign in any more: in another window, say, it was done.
        _ => return proceed(&visit, pending).await,
    };
    let username = pending
        .checked
        .request
        .login_hint
        .as_deref()
        .filter(|_| !elsewhere)
        .unwrap_or_default();
    Ok(page(
        &visit,
        &onward,
        StatusCode::OK,
        &Said {
            username,
            known: known.as_ref(),
            notice,
            ..Said::default()
        },
    ))
}

/// `POST /login`.
pub async fn post(
    visit: Visit,
    metrics: web::Data<Metrics>,
    params: PageForm,
) -> Result<HttpResponse, PageError> {
    let form = visit.check(FormPurpose::SignIn, params.read(&visit)?)?;
    let onward = Onward::read_answered(&visit, &form).await?;
    let attempt = Attempt {
        at: &visit.at,
        form: &form,
        visitor: visit.visitor(),
    };
    let result = visit.provider.sign_in(&attempt).await;
    let outcome = match &result {
        Ok(SignIn::Done(_)) => Some(SignInOutcome::Success),
        Ok(SignIn::Refused) => Some(SignInOutcome::Refused),
        Ok(SignIn::Throttled { .. }) => Some(SignInOutcome::Throttled),
        Err(FlowError::Busy) => Some(SignInOutcome::Overloaded),
        _ => None,
    };
    if let Some(outcome) = outcome {
        metrics.sign_in(outcome);
    }
    match result {
        Ok(SignIn::Done(session)) => signed_in(&visit, &onward, &session).await,
        Ok(other) => Ok(again(&visit, &onward, &form, &other)),
        Err(FlowError::Busy) => {
            let said = Said {
                username: typed(&form),
                problem: Some(Problem::Busy),
                ..Said::default()
            };
            Ok(page(
                &visit,
                &onward,
                StatusCode::SERVICE_UNAVAILABLE,
                &said,
            ))
        }
        Err(error) => Err(visit.fail(error)),
    }
}

/// What was typed, to be shown again.
fn typed(form: &CheckedForm) -> &str {
    Some(form.input("username"))
        .filter(|username| username.len() <= MAX_USERNAME)
        .unwrap_or_default()
}

fn again(visit: &Visit, onward: &Onward, form: &CheckedForm, result: &SignIn) -> HttpResponse {
    let mut said = Said {
        username: typed(form),
        ..Said::default()
    };
    let mut status = StatusCode::BAD_REQUEST;
    match result {
        SignIn::Missing { username, password } => {
            said.username_problem = username.then_some(Problem::UsernameMissing);
            said.password_problem = password.then_some(Problem::PasswordMissing);
        }
        SignIn::TooLong => {
            said.password_problem = Some(Problem::PasswordTooLong {
                max: u16::try_from(MAX_PASSWORD).unwrap_or(u16::MAX),
            });
        }
        SignIn::Throttled { minutes } => {
            status = StatusCode::TOO_MANY_REQUESTS;
            said.problem = Some(Problem::TooManyAttempts { minutes: *minutes });
        }
        SignIn::Refused | SignIn::Done(_) => said.problem = Some(Problem::Credentials),
    }
    page(visit, onward, status, &said)
}

async fn signed_in(
    visit: &Visit,
    onward: &Onward,
    session: &NewSession,
) -> Result<HttpResponse, PageError> {
    let mut response = match onward {
        Onward::Flow(pending, _) => {
            let next = pending.interaction.begin(session.id);
            pending.send_to(visit, "/authorize/continue", &next).await?
        }
        Onward::Path(path) => visit.see_other(path, &[]),
    };
    visit.set_sessions(&mut response, &session.sessions);
    visit.jar.set_devices(&mut response, &session.devices);
    Ok(response)
}
