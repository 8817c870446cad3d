//! `/account`: what a signed-in person manages. Each page has a file of its own; what applications ask a person is in `requests`.

mod applications;
mod password;
mod sessions;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use super::render::{Person, show};
use super::views::{AccountHome, Notice, Problem, ProfileEntry};
use super::visit::Visit;
use crate::domain::user::User;
use crate::flows::issue::claims_of;
use crate::flows::sessions::SignedIn;
use crate::http::error::PageError;
use crate::protocol::Params;

pub use applications::{applications, withdraw};
pub use password::{change_password, password};
pub use sessions::{end_sessions, sessions};

const HOME: &str = "/account";

/// The person whose account it is; whoever isn't signed in is sent to where they can.
pub(super) async fn owner(visit: &Visit, path: &str) -> Result<SignedIn, PageError> {
    let signed_in = visit.signed_in(None).await?;
    let Some(person) = signed_in.into_iter().next() else {
        return Err(visit.see_other("/login", &[("return_to", path)]).into());
    };
    visit
        .provider
        .touch(visit.tenant(), &person)
        .await
        .map_err(|error| visit.fail(error))?;
    Ok(person)
}

/// How many requests wait for the person; none where the tenant has no such requests.
async fn requests_of(visit: &Visit, person: &SignedIn) -> Result<Option<usize>, PageError> {
    let count = visit
        .provider
        .count_waiting_requests(&visit.at, person)
        .await;
    count.map_err(|error| visit.fail(error))
}

pub(super) fn notice(params: &Params, known: &[(&str, Notice)]) -> Option<Notice> {
    let name = params.get("notice").ok().flatten()?;
    known
        .iter()
        .find(|(own, _)| *own == name)
        .map(|(_, notice)| *notice)
}

fn after(params: &Params) -> Option<Uuid> {
    params
        .get("after")
        .ok()
        .flatten()
        .and_then(|text| Uuid::try_parse(text).ok())
}

/// What is known about a person, in the order of the standard claims.
fn profile(user: &User) -> Vec<(String, String, Option<bool>)> {
    let Ok(Value::Object(claims)) = serde_json::to_value(claims_of(user)) else {
        return Vec::new();
    };
    let verified = |claim: &str| {
        claims
            .get(&format!("{claim}_verified"))
            .and_then(Value::as_bool)
    };
    let names = [
        "name",
        "given_name",
        "middle_name",
        "family_name",
        "nickname",
        "preferred_username",
        "email",
        "phone_number",
        "address",
        "birthdate",
        "gender",
        "zoneinfo",
        "locale",
        "website",
        "profile",
        "picture",
    ];
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Object(parts) => match parts.get("formatted") {
            Some(Value::String(text)) => text.clone(),
            _ => parts
                .values()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", "),
        },
        other => other.to_string(),
    };
    names
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), text(claims.get(name)?), verified(name))))
        .collect()
}

/// Which part of a list is shown, and what is said above it.
#[derive(Clone, Copy, Default)]
struct ListSaid {
    after: Option<Uuid>,
    problem: Option<Problem>,
    notice: Option<Notice>,
}

impl ListSaid {
    fn status(self) -> StatusCode {
        if self.problem.is_some() {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        }
    }
}

/// `GET /account`.
pub async fn home(visit: Visit) -> Result<HttpResponse, PageError> {
    let person = owner(&visit, HOME).await?;
    let requests = requests_of(&visit, &person).await?;
    let (frame, account, entries) = (
        visit.frame(&[]),
        Person::of(&person.user),
        profile(&person.user),
    );
    let view = AccountHome {
        page: frame.page(),
        account: account.account(),
        sign_out: &visit.address("/logout", &[]),
        requests,
        profile: entries
            .iter()
            .map(|(claim, value, verified)| ProfileEntry {
                claim,
                value,
                verified: *verified,
            })
            .collect(),
        administers: !person.user.roles.is_empty(),
        notice: None,
    };
    Ok(show(StatusCode::OK, &view))
}
