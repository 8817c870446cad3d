//! Connecting a device (RFC 8628 §3.3): its person types the code that it shows, is told who asks for what, and decides.
//!
//! A code in the address fills the field in and does nothing else (RFC 8628 §3.3.1): nothing is looked up before the person sends it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::consent::{Asked, in_words, unclear};
use super::render::{Person, show};
use super::views::{ConnectDevice, DeviceDone, EnterCode, Problem};
use super::visit::Visit;
use crate::domain::ids::SessionId;
use crate::flows::authorize::Decision;
use crate::flows::browser::FormPurpose;
use crate::flows::decoupled::Answered;
use crate::flows::device::{Found, WaitingDevice};
use crate::flows::scopes::admin_api;
use crate::flows::sessions::SignedIn;
use crate::http::error::PageError;
use crate::http::extract::{FormBody, Query};
use crate::protocol::OAuthError;
use crate::protocol::device_authorization::{MAX_USER_CODE, UserCode};
use crate::protocol::discovery::paths;

/// Where the person decides.
pub const CONFIRM: &str = "/device/confirm";

/// The page with a code filled in, below the issuer.
pub fn path_with(code: &UserCode) -> String {
    // Its alphabet needs no escaping.
    format!("{}?user_code={code}", paths::DEVICE)
}

/// The page with whatever of a code there is.
fn path_of(typed: &str) -> String {
    UserCode::parse(typed).map_or_else(|| paths::DEVICE.to_owned(), |code| path_with(&code))
}

fn check_open(visit: &Visit) -> Result<(), PageError> {
    if visit.tenant().settings().device_authorization {
        Ok(())
    } else {
        Err(visit.refuse(OAuthError::not_found(
            "no devices are connected in this tenant",
        )))
    }
}

/// To the sign-in page, and back here.
fn sign_in(visit: &Visit, typed: &str) -> HttpResponse {
    visit.see_other("/login", &[("return_to", &path_of(typed))])
}

/// The same for who is signed in, but longer than the application wants.
fn sign_in_anew(visit: &Visit, typed: &str) -> HttpResponse {
    visit.see_other(
        "/login",
        &[("return_to", &path_of(typed)), ("elsewhere", "1")],
    )
}

/// The code, where it is the device's: whoever made up the address or the form doesn't say what the person compares.
fn code_of(visit: &Visit, waiting: &WaitingDevice, typed: &str) -> String {
    let code = UserCode::parse(typed).filter(|code| waiting.shows(visit.tenant(), code));
    code.map(|code| code.to_string()).unwrap_or_default()
}

/// What the page says.
#[derive(Default)]
struct Said<'a> {
    typed: &'a str,
    code_problem: Option<Problem>,
    problem: Option<Problem>,
}

fn page(visit: &Visit, person: &SignedIn, status: StatusCode, said: &Said<'_>) -> HttpResponse {
    let frame = visit.frame(&[]);
    let account = Person::of(&person.user);
    let form = visit.form(paths::DEVICE, FormPurpose::UserCode);
    let session = person.session.id.to_string();
    let hidden = [("session", session.as_str())];
    let typed = if said.typed.len() <= MAX_USER_CODE {
        said.typed
    } else {
        ""
    };
    let shown = UserCode::parse(typed).map_or_else(|| typed.to_owned(), |code| code.to_string());
    let view = EnterCode {
        page: frame.page(),
        form: form.with(&hidden),
        account: account.account(),
        elsewhere: &elsewhere(visit, typed),
        user_code: &shown,
        code_problem: said.code_problem,
        problem: said.problem,
    };
    visit.show_form(status, &view)
}

fn elsewhere(visit: &Visit, typed: &str) -> String {
    visit.address(
        "/login",
        &[("return_to", &path_of(typed)), ("elsewhere", "1")],
    )
}

/// `GET /device`.
pub async fn get(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    check_open(&visit)?;
    let typed = visit.parameter(&params, "user_code")?;
    let people = visit.signed_in(None).await?;
    let Some(person) = people.first() else {
        return Ok(sign_in(&visit, typed));
    };
    Ok(page(
        &visit,
        person,
        StatusCode::OK,
        &Said {
            typed,
            ..Said::default()
        },
    ))
}

/// `POST /device`.
pub async fn post(visit: Visit, FormBody(params): FormBody) -> Result<HttpResponse, PageError> {
    check_open(&visit)?;
    let form = visit.check(FormPurpose::UserCode, params)?;
    let typed = form.input("user_code");
    let people = visit.signed_in(None).await?;
    // The page names the person who is to decide; one that has taken their place meanwhile didn't see it.
    let shown_to = form.input("session").parse::<SessionId>().ok();
    let person = people
        .iter()
        .find(|person| Some(person.session.id) == shown_to);
    let Some(person) = person else {
        return Ok(sign_in(&visit, typed));
    };
    let again = |status, code_problem, problem| {
        let said = Said {
            typed,
            code_problem,
            problem,
        };
        page(&visit, person, status, &said)
    };
    if typed.trim().is_empty() {
        let missing = Some(Problem::UserCodeMissing);
        return Ok(again(StatusCode::BAD_REQUEST, missing, None));
    }
    let found = visit
        .provider
        .find_device(&visit.at, person, typed, &visit.caller.origin)
        .await
        .map_err(|error| visit.fail(error))?;
    Ok(match found {
        Found::Device(device) => {
            let code = UserCode::parse(typed).map(|code| code.to_string());
            visit.see_other(
                CONFIRM,
                &[
                    ("device", &device),
                    ("user_code", &code.unwrap_or_default()),
                ],
            )
        }
        Found::Unknown => again(
            StatusCode::BAD_REQUEST,
            Some(Problem::UserCodeUnknown),
            None,
        ),
        Found::SignInAgain => sign_in_anew(&visit, typed),
        Found::Throttled { minutes } => again(
            StatusCode::TOO_MANY_REQUESTS,
            None,
            Some(Problem::TooManyAttempts { minutes }),
        ),
    })
}

/// Nothing waits for an answer here, or not any more.
fn gone(visit: &Visit, people: &[SignedIn]) -> HttpResponse {
    let Some(person) = people.first() else {
        return sign_in(visit, "");
    };
    let said = Said {
        problem: Some(Problem::UserCodeUnknown),
        ..Said::default()
    };
    page(visit, person, StatusCode::BAD_REQUEST, &said)
}

fn confirmation(
    visit: &Visit,
    (waiting, person): (&WaitingDevice, &SignedIn),
    ticket: &str,
    user_code: &str,
) -> HttpResponse {
    let WaitingDevice {
        device,
        client,
        permissions,
    } = waiting;
    let frame = visit.frame(&[]);
    let (client_id, account) = (client.id.to_string(), Person::of(&person.user));
    let admin_api = admin_api(&visit.provider);
    let asked = Asked {
        scope: &device.scope,
        permissions,
        details: &device.details,
    };
    let lang = frame.page().messages.lang();
    let (scopes, resources) = in_words(visit, asked, &admin_api, lang);
    let form = visit.form(CONFIRM, FormPurpose::Device);
    // The code comes back, for the case that the person has to sign in anew by then.
    let hidden = [("device", ticket), ("user_code", user_code)];
    let view = ConnectDevice {
        page: frame.page(),
        form: form.with(&hidden),
        client: frame.client(client, &client_id),
        account: account.account(),
        elsewhere: &elsewhere(visit, user_code),
        user_code,
        address: &device.address,
        asked_at: device.created_at,
        scopes,
        resources,
    };
    visit.show_form(StatusCode::OK, &view)
}

/// `GET /device/confirm`.
pub async fn question(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    check_open(&visit)?;
    let ticket = visit.parameter(&params, "device")?;
    let typed = visit.parameter(&params, "user_code")?;
    let people = visit.signed_in(None).await?;
    let found = visit
        .provider
        .load_device(&visit.at, &people, ticket)
        .await
        .map_err(|error| visit.fail(error))?;
    let Some((waiting, person)) = found else {
        return Ok(gone(&visit, &people));
    };
    let code = code_of(&visit, &waiting, typed);
    if visit.provider.is_sign_in_too_old(&waiting.client, person) {
        return Ok(sign_in_anew(&visit, &code));
    }
    Ok(confirmation(&visit, (&waiting, person), ticket, &code))
}

/// `POST /device/confirm`.
pub async fn answer(visit: Visit, FormBody(params): FormBody) -> Result<HttpResponse, PageError> {
    check_open(&visit)?;
    let form = visit.check(FormPurpose::Device, params)?;
    let decision = Decision::find(&form).ok_or_else(|| unclear(&visit))?;
    let people = visit.signed_in(None).await?;
    let found = visit
        .provider
        .load_device(&visit.at, &people, form.input("device"))
        .await
        .map_err(|error| visit.fail(error))?;
    let Some((waiting, person)) = found else {
        return Ok(gone(&visit, &people));
    };
    if visit.provider.is_sign_in_too_old(&waiting.client, person) {
        let code = code_of(&visit, &waiting, form.input("user_code"));
        return Ok(sign_in_anew(&visit, &code));
    }
    let decided = visit
        .provider
        .decide_device(
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
        Answered::Gone => return Ok(gone(&visit, &people)),
        Answered::SignedOut => return Ok(sign_in(&visit, "")),
    };
    let frame = visit.frame(&[]);
    let client_id = waiting.client.id.to_string();
    let view = DeviceDone {
        page: frame.page(),
        client: frame.client(&waiting.client, &client_id),
        allowed,
        applications: &visit.address("/account/applications", &[]),
    };
    Ok(show(StatusCode::OK, &view))
}
