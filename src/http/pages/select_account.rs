//! "Who is it?": one of those who are signed in, or somebody else.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::authorize::{Pending, proceed, take_up, take_up_answered};
use super::render::{Person, allow_form_action};
use super::views::{AccountChoice, Problem, SelectAccount};
use super::visit::Visit;
use crate::domain::ids::SessionId;
use crate::flows::browser::FormPurpose;
use crate::http::error::PageError;
use crate::http::extract::{FormBody, Query};

fn page(
    visit: &Visit,
    pending: &Pending,
    text: &str,
    status: StatusCode,
    problem: Option<Problem>,
) -> HttpResponse {
    let frame = visit.frame(&pending.checked.request.ui_locales);
    let client_id = pending.checked.client.id.to_string();
    let people: Vec<_> = pending
        .signed_in
        .iter()
        .map(|one| (one.session.id.to_string(), Person::of(&one.user)))
        .collect();
    let accounts = people.iter().map(|(id, person)| AccountChoice {
        value: id,
        account: person.account(),
        signed_in: true,
    });
    let form = visit.form("/select-account", FormPurpose::SelectAccount);
    let hidden = [("flow", text)];
    let view = SelectAccount {
        page: frame.page(),
        form: form.with(&hidden),
        client: Some(frame.client(&pending.checked.client, &client_id)),
        accounts: accounts.collect(),
        elsewhere: &visit.address("/login", &[("flow", text), ("elsewhere", "1")]),
        problem,
    };
    let mut response = visit.show_form(status, &view);
    allow_form_action(&mut response, &pending.checked.redirect.csp_source());
    response
}

/// `GET /select-account`.
pub async fn get(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    let text = visit.parameter(&params, "flow")?;
    let pending = take_up(&visit, text).await?;
    if pending.signed_in.is_empty() || !pending.allows_page() {
        return proceed(&visit, &pending).await;
    }
    Ok(page(&visit, &pending, text, StatusCode::OK, None))
}

/// `POST /select-account`.
pub async fn post(visit: Visit, FormBody(params): FormBody) -> Result<HttpResponse, PageError> {
    let form = visit.check(FormPurpose::SelectAccount, params)?;
    let text = form.input("flow");
    let pending = take_up_answered(&visit, text).await?;
    let wanted = form.input("account").parse::<SessionId>().ok();
    let Some(chosen) = pending
        .signed_in
        .iter()
        .map(|one| one.session.id)
        .find(|id| Some(*id) == wanted)
    else {
        return Ok(page(
            &visit,
            &pending,
            text,
            StatusCode::BAD_REQUEST,
            Some(Problem::GoneAlready),
        ));
    };
    let next = pending.interaction.select(chosen);
    let mut response = pending
        .send_to(&visit, "/authorize/continue", &next)
        .await?;
    visit.set_sessions(&mut response, &visit.jar.sessions.select(chosen));
    Ok(response)
}
