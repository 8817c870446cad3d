//! Signing out: by a client's request, or by a person's answer.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::render::{Person, show};
use super::views::{SignOut as SignOutPage, SignedOut};
use super::visit::{Visit, see_other};
use crate::domain::ids::SessionId;
use crate::flows::browser::FormPurpose;
use crate::flows::logout::{Frame, SignOut};
use crate::flows::sessions::SignedIn;
use crate::http::error::PageError;
use crate::http::extract::{FormBody, Query};
use crate::http::headers::Exception;
use crate::protocol::Params;
use crate::protocol::logout::LogoutRequest;

/// `GET /logout`.
pub async fn get(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    for_client(&visit, &params).await
}

/// `POST /logout`: a client's request, or the answer of our own page.
pub async fn post(visit: Visit, FormBody(params): FormBody) -> Result<HttpResponse, PageError> {
    if params.contains("logout") {
        return confirmed(&visit, params).await;
    }
    // Over plain http the cookie is SameSite=Lax, and a POST from the client doesn't bring it: a GET will.
    if visit.jar.sessions.is_empty() && visit.at.issuer.starts_with("http://") {
        let query: Vec<_> = params.iter().collect();
        return Ok(visit.see_other("/logout", &query));
    }
    for_client(&visit, &params).await
}

async fn for_client(visit: &Visit, params: &Params) -> Result<HttpResponse, PageError> {
    let request = LogoutRequest::from_params(params).map_err(|error| visit.refuse(error))?;
    let signed_in = visit.not_signed_out().await?;
    let result = visit
        .provider
        .sign_out_for_client(&visit.at, &request, &signed_in, &visit.caller.origin)
        .await;
    match result.map_err(|error| visit.fail(error))? {
        SignOut::Refuse(error) => Err(visit.refuse(error)),
        SignOut::Ask => Ok(match signed_in.first() {
            Some(person) => ask(visit, &request.ui_locales, person),
            None => said(visit, &request.ui_locales, &[], None),
        }),
        SignOut::Done {
            location,
            ended,
            frames,
            keeps_opener,
        } => {
            if keeps_opener {
                visit.keep_opener();
            }
            let mut response = match location {
                Some(location) if frames.is_empty() => see_other(&location),
                location => said(visit, &request.ui_locales, &frames, location.as_deref()),
            };
            forget(visit, &mut response, &ended);
            Ok(response)
        }
    }
}

async fn confirmed(visit: &Visit, params: Params) -> Result<HttpResponse, PageError> {
    let form = visit.check(FormPurpose::SignOut, params)?;
    let signed_in = visit.not_signed_out().await?;
    let result = visit
        .provider
        .sign_out_confirmed(&visit.at, &form, &signed_in, &visit.caller.origin)
        .await;
    let frames = result.map_err(|error| visit.fail(error))?;
    let mut response = said(visit, &[], &frames, None);
    let ended: Vec<_> = visit
        .jar
        .sessions
        .handles()
        .iter()
        .map(|handle| SessionId::from(handle.id()))
        .collect();
    forget(visit, &mut response, &ended);
    Ok(response)
}

fn ask(visit: &Visit, ui_locales: &[String], person: &SignedIn) -> HttpResponse {
    let frame = visit.frame(ui_locales);
    let account = Person::of(&person.user);
    let form = visit.form("/logout", FormPurpose::SignOut);
    let view = SignOutPage {
        page: frame.page(),
        form: form.with(&[]),
        account: account.account(),
        stay: &visit.address("/account", &[]),
    };
    visit.show_form(StatusCode::OK, &view)
}

/// The page afterwards; with `frames` the browser has clients' pages forget their sessions, and goes `onward` then.
fn said(
    visit: &Visit,
    ui_locales: &[String],
    frames: &[Frame],
    onward: Option<&str>,
) -> HttpResponse {
    let frame = visit.frame(ui_locales);
    let sign_in = visit.address("/login", &[]);
    let mut response = show(
        StatusCode::OK,
        &SignedOut {
            page: frame.page(),
            sign_in: onward.is_none().then_some(sign_in.as_str()),
            frames: frames.iter().map(|frame| frame.address.as_str()).collect(),
            onward,
        },
    );
    if !frames.is_empty() {
        let mut origins: Vec<_> = frames.iter().map(|frame| frame.origin.clone()).collect();
        origins.sort_unstable();
        origins.dedup();
        response.extensions_mut().insert(Exception::Frames(origins));
    }
    response
}

fn forget(visit: &Visit, response: &mut HttpResponse, ended: &[SessionId]) {
    if ended.is_empty() {
        return;
    }
    let left = visit.jar.sessions.without(|id| ended.contains(&id));
    visit.set_sessions(response, &left);
}
