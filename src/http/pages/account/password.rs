//! `/account/password`: changing it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::{notice, owner, requests_of};
use crate::flows::account::PasswordChange;
use crate::flows::browser::FormPurpose;
use crate::flows::provider::FlowError;
use crate::flows::sessions::SignedIn;
use crate::http::error::PageError;
use crate::http::extract::Query;
use crate::http::pages::form::PageForm;
use crate::http::pages::password_problems::{NewPasswordProblems, rules};
use crate::http::pages::render::Person;
use crate::http::pages::views::{AccountPassword, Notice, Problem};
use crate::http::pages::visit::Visit;

const PASSWORD: &str = "/account/password";

/// What the page about the password says.
#[derive(Default)]
struct PasswordSaid {
    problem: Option<Problem>,
    current: Option<Problem>,
    new: NewPasswordProblems,
    notice: Option<Notice>,
}

async fn password_page(
    visit: &Visit,
    person: &SignedIn,
    status: StatusCode,
    said: &PasswordSaid,
) -> Result<HttpResponse, PageError> {
    let requests = requests_of(visit, person).await?;
    let (frame, account) = (visit.frame(&[]), Person::of(&person.user));
    let form = visit.form(PASSWORD, FormPurpose::Password);
    let view = AccountPassword {
        page: frame.page(),
        account: account.account(),
        sign_out: &visit.address("/logout", &[]),
        requests,
        form: form.with(&[]),
        rules: rules(visit.tenant()),
        problem: said.problem,
        current_problem: said.current,
        new_problem: said.new.new,
        confirm_problem: said.new.confirm,
        notice: said.notice,
    };
    Ok(visit.show_form(status, &view))
}

/// `GET /account/password`.
pub async fn password(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    let person = owner(&visit, PASSWORD).await?;
    let said = PasswordSaid {
        notice: notice(&params, &[("changed", Notice::PasswordChanged)]),
        ..PasswordSaid::default()
    };
    password_page(&visit, &person, StatusCode::OK, &said).await
}

/// `POST /account/password`.
pub async fn change_password(visit: Visit, params: PageForm) -> Result<HttpResponse, PageError> {
    let form = visit.check(FormPurpose::Password, params.read(&visit)?)?;
    let person = owner(&visit, PASSWORD).await?;
    let changed = visit
        .provider
        .change_password(
            visit.tenant(),
            &person,
            &visit.jar.devices,
            &form,
            &visit.caller.origin,
        )
        .await;
    let mut said = PasswordSaid::default();
    let status = match changed {
        Ok(PasswordChange::Done) => return Ok(visit.see_other(PASSWORD, &[("notice", "changed")])),
        Ok(PasswordChange::WrongCurrent) => {
            said.current = Some(Problem::CurrentPassword);
            StatusCode::BAD_REQUEST
        }
        Ok(PasswordChange::Problem(problem)) => {
            said.new = problem.into();
            StatusCode::BAD_REQUEST
        }
        Ok(PasswordChange::Throttled { minutes }) => {
            said.problem = Some(Problem::TooManyAttempts { minutes });
            StatusCode::TOO_MANY_REQUESTS
        }
        Err(FlowError::Busy) => {
            said.problem = Some(Problem::Busy);
            StatusCode::SERVICE_UNAVAILABLE
        }
        Err(error) => return Err(visit.fail(error)),
    };
    password_page(&visit, &person, status, &said).await
}
