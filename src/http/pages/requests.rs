//! What applications ask a person by the back channel (OpenID Connect CIBA): the list in their account, and the question.
//!
//! The address of a request opens nothing: whoever comes by it signs in first, and to anybody but the person who is asked there is no such
//! request.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::account::{notice, owner};
use super::consent::{Asked, in_words, unclear};
use super::render::{Person, show};
use super::views::{AccountRequests, AnswerRequest, Notice, Problem, RequestAnswered, RequestItem};
use super::visit::Visit;
use crate::domain::ids::BackchannelRequestId;
use crate::flows::authorize::Decision;
use crate::flows::backchannel::{CodeChange, WaitingRequest};
use crate::flows::browser::FormPurpose;
use crate::flows::decoupled::Answered;
use crate::flows::scopes::admin_api;
use crate::flows::sessions::SignedIn;
use crate::http::error::PageError;
use crate::http::extract::{FormBody, Query};
use crate::protocol::OAuthError;

/// The list.
pub const REQUESTS: &str = "/account/requests";

/// The page of one request, below the issuer.
pub fn path_of(id: BackchannelRequestId) -> String {
    format!("{REQUESTS}/{id}")
}

/// The page that a text names, if it names one.
pub fn parse_path(text: &str) -> Option<String> {
    let id = text.strip_prefix(REQUESTS)?.strip_prefix('/')?;
    id.parse().ok().map(path_of)
}

fn check_open(visit: &Visit) -> Result<(), PageError> {
    if visit.tenant().settings().backchannel_authentication {
        Ok(())
    } else {
        Err(visit.refuse(OAuthError::not_found(
            "nobody is asked by the back channel in this tenant",
        )))
    }
}

/// To the sign-in page, and back here.
fn sign_in(visit: &Visit, path: &str) -> HttpResponse {
    visit.see_other("/login", &[("return_to", path)])
}

/// To the sign-in page though somebody is signed in, and back here.
fn sign_in_anew(visit: &Visit, path: &str) -> HttpResponse {
    visit.see_other("/login", &[("return_to", path), ("elsewhere", "1")])
}

/// What the list says beside what waits.
#[derive(Clone, Copy, Default)]
struct Said {
    problem: Option<Problem>,
    code_problem: Option<Problem>,
    notice: Option<Notice>,
}

async fn list_page(
    visit: &Visit,
    person: &SignedIn,
    status: StatusCode,
    said: Said,
) -> Result<HttpResponse, PageError> {
    let has_code = visit
        .provider
        .has_request_code(visit.tenant(), person.user.id)
        .await
        .map_err(|error| visit.fail(error))?;
    let waiting = visit
        .provider
        .list_waiting_requests(&visit.at, person)
        .await
        .map_err(|error| visit.fail(error))?;
    let (frame, account) = (visit.frame(&[]), Person::of(&person.user));
    let ids: Vec<_> = waiting
        .iter()
        .map(|one| {
            (
                one.client.id.to_string(),
                visit.address(&path_of(one.request.id), &[]),
            )
        })
        .collect();
    let items = waiting.iter().zip(&ids).map(|(one, (id, address))| {
        let request = &one.request;
        RequestItem {
            client: frame.client(&one.client, id),
            address,
            binding_message: &request.binding_message,
            asked_at: request.created_at,
            ends_at: request.expires_at,
        }
    });
    let form = visit.form(REQUESTS, FormPurpose::RequestCode);
    let view = AccountRequests {
        page: frame.page(),
        account: account.account(),
        sign_out: &visit.address("/logout", &[]),
        requests: Some(waiting.len()),
        items: items.collect(),
        form: form.with(&[]),
        has_code,
        code_problem: said.code_problem,
        problem: said.problem,
        notice: said.notice,
    };
    Ok(visit.show_form(status, &view))
}

/// `GET /account/requests`.
pub async fn list(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    check_open(&visit)?;
    let person = owner(&visit, REQUESTS).await?;
    let known = [
        ("code-set", Notice::RequestCodeSet),
        ("code-removed", Notice::RequestCodeRemoved),
    ];
    let said = Said {
        notice: notice(&params, &known),
        ..Said::default()
    };
    list_page(&visit, &person, StatusCode::OK, said).await
}

/// `POST /account/requests`: the person's code.
pub async fn change_code(
    visit: Visit,
    FormBody(params): FormBody,
) -> Result<HttpResponse, PageError> {
    check_open(&visit)?;
    let form = visit.check(FormPurpose::RequestCode, params)?;
    let person = owner(&visit, REQUESTS).await?;
    let (provider, origin) = (&visit.provider, &visit.caller.origin);
    let told = |name| Ok(visit.see_other(REQUESTS, &[("notice", name)]));
    let problem = match form.input("do") {
        "remove" => {
            let removed = provider.remove_own_request_code(&visit.at, &person, &form, origin);
            removed.await.map_err(|error| visit.fail(error))?;
            return told("code-removed");
        }
        "set" => {
            let set = provider.set_request_code(&visit.at, &person, &form, origin);
            match set.await.map_err(|error| visit.fail(error))? {
                CodeChange::Done => return told("code-set"),
                CodeChange::Unfit => Problem::RequestCodeUnfit,
                CodeChange::Guessable => Problem::RequestCodeGuessable,
            }
        }
        _ => {
            return Err(visit.refuse(OAuthError::invalid_request("do must be set or remove")));
        }
    };
    let said = Said {
        code_problem: Some(problem),
        ..Said::default()
    };
    list_page(&visit, &person, StatusCode::BAD_REQUEST, said).await
}

/// Nothing waits here for whoever is signed in, or not any more.
async fn gone(visit: &Visit, people: &[SignedIn], path: &str) -> Result<HttpResponse, PageError> {
    let Some(person) = people.first() else {
        return Ok(sign_in(visit, path));
    };
    let said = Said {
        problem: Some(Problem::RequestGone),
        ..Said::default()
    };
    list_page(visit, person, StatusCode::NOT_FOUND, said).await
}

fn page_of(visit: &Visit, (waiting, person): (&WaitingRequest, &SignedIn)) -> HttpResponse {
    let WaitingRequest {
        request,
        client,
        permissions,
    } = waiting;
    let frame = visit.frame(&[]);
    let (client_id, account) = (client.id.to_string(), Person::of(&person.user));
    let admin_api = admin_api(&visit.provider);
    // With what single claims stand for.
    let scope = request.scope.union(&permissions.scope());
    let asked = Asked {
        scope: &scope,
        permissions,
        details: &request.details,
    };
    let lang = frame.page().messages.lang();
    let (scopes, resources) = in_words(visit, asked, &admin_api, lang);
    let form = visit.form(&path_of(request.id), FormPurpose::Request);
    let view = AnswerRequest {
        page: frame.page(),
        form: form.with(&[]),
        client: frame.client(client, &client_id),
        account: account.account(),
        binding_message: &request.binding_message,
        asked_at: request.created_at,
        ends_at: request.expires_at,
        scopes,
        resources,
    };
    visit.show_form(StatusCode::OK, &view)
}

/// The request that the address names, and who is signed in here.
async fn find<'p>(
    visit: &Visit,
    people: &'p [SignedIn],
    id: &str,
) -> Result<Option<(WaitingRequest, &'p SignedIn)>, PageError> {
    let Ok(id) = id.parse::<BackchannelRequestId>() else {
        return Ok(None);
    };
    visit
        .provider
        .load_waiting_request(&visit.at, people, id)
        .await
        .map_err(|error| visit.fail(error))
}

/// `GET /account/requests/{request}`.
pub async fn question(visit: Visit, id: web::Path<String>) -> Result<HttpResponse, PageError> {
    check_open(&visit)?;
    let path = parse_path(&format!("{REQUESTS}/{id}")).unwrap_or_else(|| REQUESTS.to_owned());
    let people = visit.signed_in(None).await?;
    let Some((waiting, person)) = find(&visit, &people, &id).await? else {
        return gone(&visit, &people, &path).await;
    };
    if visit.provider.is_sign_in_too_old(&waiting.client, person) {
        return Ok(sign_in_anew(&visit, &path));
    }
    Ok(page_of(&visit, (&waiting, person)))
}

/// `POST /account/requests/{request}`.
pub async fn answer(
    visit: Visit,
    id: web::Path<String>,
    FormBody(params): FormBody,
) -> Result<HttpResponse, PageError> {
    check_open(&visit)?;
    let form = visit.check(FormPurpose::Request, params)?;
    let decision = Decision::find(&form).ok_or_else(|| unclear(&visit))?;
    let path = parse_path(&format!("{REQUESTS}/{id}")).unwrap_or_else(|| REQUESTS.to_owned());
    let people = visit.signed_in(None).await?;
    let Some((waiting, person)) = find(&visit, &people, &id).await? else {
        return gone(&visit, &people, &path).await;
    };
    if visit.provider.is_sign_in_too_old(&waiting.client, person) {
        return Ok(sign_in_anew(&visit, &path));
    }
    let decided = visit
        .provider
        .decide_waiting_request(
            &visit.at,
            (&waiting, person),
            decision,
            &visit.caller.origin,
        )
        .await
        .map_err(|error| visit.fail(error))?;
    let allowed = match decided {
        Answered::Allowed => true,
        Answered::Denied => false,
        Answered::Gone => return gone(&visit, &people, &path).await,
        Answered::SignedOut => return Ok(sign_in(&visit, &path)),
    };
    let frame = visit.frame(&[]);
    let client_id = waiting.client.id.to_string();
    let view = RequestAnswered {
        page: frame.page(),
        client: frame.client(&waiting.client, &client_id),
        allowed,
        applications: &visit.address("/account/applications", &[]),
    };
    Ok(show(StatusCode::OK, &view))
}
