//! One-time links: choosing a password.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::form::PageForm;
use super::password_problems::{NewPasswordProblems, rules};
use super::render::show;
use super::views::{ChoosePassword, LinkSpent, Problem};
use super::visit::Visit;
use crate::flows::browser::{FormPurpose, SessionCookie};
use crate::flows::links::LinkUse;
use crate::flows::provider::FlowError;
use crate::http::error::PageError;

/// What the page says.
#[derive(Default)]
struct Said {
    problem: Option<Problem>,
    new: NewPasswordProblems,
}

fn page(
    visit: &Visit,
    token: &str,
    username: &str,
    status: StatusCode,
    said: &Said,
) -> HttpResponse {
    let frame = visit.frame(&[]);
    let form = visit.form(&format!("/link/{token}"), FormPurpose::Link);
    let view = ChoosePassword {
        page: frame.page(),
        form: form.with(&[]),
        username,
        rules: rules(visit.tenant()),
        problem: said.problem,
        new_problem: said.new.new,
        confirm_problem: said.new.confirm,
    };
    visit.show_form(status, &view)
}

fn spent(visit: &Visit) -> HttpResponse {
    let frame = visit.frame(&[]);
    let sign_in = visit.address("/login", &[]);
    let view = LinkSpent {
        page: frame.page(),
        request_id: &visit.caller.request_id,
        sign_in: Some(&sign_in),
    };
    show(StatusCode::BAD_REQUEST, &view)
}

/// `GET /link/{token}`: looking at it doesn't use it up, as mail programs look at links too.
pub async fn get(visit: Visit, token: web::Path<String>) -> Result<HttpResponse, PageError> {
    let link = visit
        .provider
        .find_link(&visit.at, &token)
        .await
        .map_err(|error| visit.fail(error))?;
    Ok(match link {
        Some(link) => page(
            &visit,
            &token,
            link.user.email.as_str(),
            StatusCode::OK,
            &Said::default(),
        ),
        None => spent(&visit),
    })
}

/// `POST /link/{token}`.
pub async fn post(
    visit: Visit,
    token: web::Path<String>,
    params: PageForm,
) -> Result<HttpResponse, PageError> {
    let form = visit.check(FormPurpose::Link, params.read(&visit)?)?;
    let link = visit
        .provider
        .find_link(&visit.at, &token)
        .await
        .map_err(|error| visit.fail(error))?;
    let Some(link) = link else {
        return Ok(spent(&visit));
    };
    let username = link.user.email.as_str().to_owned();
    let again = |status, said| page(&visit, &token, &username, status, &said);
    match visit
        .provider
        .use_link(visit.tenant(), link, &form, &visit.caller.origin)
        .await
    {
        Ok(LinkUse::Done) => {
            // Whoever was signed in as this person is so no more, and whoever chose a password signs in by it.
            let mut response = visit.see_other("/login", &[("notice", "password-chosen")]);
            visit.set_sessions(&mut response, &SessionCookie::default());
            Ok(response)
        }
        Ok(LinkUse::Spent) => Ok(spent(&visit)),
        Ok(LinkUse::Problem(problem)) => {
            let said = Said {
                new: problem.into(),
                ..Said::default()
            };
            Ok(again(StatusCode::BAD_REQUEST, said))
        }
        Err(FlowError::Busy) => {
            let said = Said {
                problem: Some(Problem::Busy),
                ..Said::default()
            };
            Ok(again(StatusCode::SERVICE_UNAVAILABLE, said))
        }
        Err(error) => Err(visit.fail(error)),
    }
}
