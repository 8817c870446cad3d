//! `/account`: what a signed-in person manages.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use super::authorize::Stop;
use super::consent::scope_items;
use super::device;
use super::form::PageForm;
use super::password_problems::{NewPasswordProblems, rules};
use super::render::{Person, show};
use super::views::{
    AccountApplications, AccountHome, AccountPassword, AccountSessions, ApplicationItem,
    DetailItem, Form, Notice, OwnApplication, Problem, ProfileEntry, SessionItem, WebLink,
};
use super::visit::Visit;
use crate::domain::client::Client;
use crate::domain::resource::Resource;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::flows::account::{Allowed, PasswordChange, start_address};
use crate::flows::browser::FormPurpose;
use crate::flows::issue::claims_of;
use crate::flows::provider::FlowError;
use crate::flows::scopes::find_type;
use crate::flows::sessions::SignedIn;
use crate::http::error::PageError;
use crate::http::extract::{FormBody, Query};
use crate::protocol::authorization_details::{AuthorizationDetail, Words};
use crate::protocol::{Params, Scope};

/// So much of what one application was allowed in detail is shown.
const DETAILS_SHOWN: usize = 50;

const HOME: &str = "/account";
const PASSWORD: &str = "/account/password";
const SESSIONS: &str = "/account/sessions";
const APPLICATIONS: &str = "/account/applications";

/// The person whose account it is; whoever isn't signed in is sent to where they can.
pub(super) async fn owner(visit: &Visit, path: &str) -> Result<SignedIn, Stop> {
    let mut signed_in = visit
        .signed_in(None)
        .await
        .map_err(|error| visit.fail(error))?;
    if signed_in.is_empty() {
        return Err(Stop::Answer(
            visit.see_other("/login", &[("return_to", path)]),
        ));
    }
    let person = signed_in.swap_remove(0);
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

/// `GET /account`.
pub async fn home(visit: Visit) -> Result<HttpResponse, PageError> {
    let person = match owner(&visit, HOME).await {
        Ok(person) => person,
        Err(stop) => return stop.result(),
    };
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
    let (action, csrf) = (
        visit.address(PASSWORD, &[]),
        visit.token(FormPurpose::Password),
    );
    let view = AccountPassword {
        page: frame.page(),
        account: account.account(),
        sign_out: &visit.address("/logout", &[]),
        requests,
        form: Form {
            action: &action,
            csrf: &csrf,
            hidden: &[],
        },
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
    let person = match owner(&visit, PASSWORD).await {
        Ok(person) => person,
        Err(stop) => return stop.result(),
    };
    let said = PasswordSaid {
        notice: notice(&params, &[("changed", Notice::PasswordChanged)]),
        ..PasswordSaid::default()
    };
    password_page(&visit, &person, StatusCode::OK, &said).await
}

/// `POST /account/password`.
pub async fn change_password(visit: Visit, params: PageForm) -> Result<HttpResponse, PageError> {
    let form = visit.check(FormPurpose::Password, params.read(&visit)?)?;
    let person = match owner(&visit, PASSWORD).await {
        Ok(person) => person,
        Err(stop) => return stop.result(),
    };
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

/// With which applications on its device each session is shared, by their names.
async fn shared_with(visit: &Visit, sessions: &[Session]) -> Result<Vec<String>, PageError> {
    let tenant = visit.tenant();
    let ids = sessions.iter().map(|session| session.id).collect();
    let secrets = visit
        .provider
        .list_shared(tenant, ids)
        .await
        .map_err(|error| visit.fail(error))?;
    let mut names = vec![Vec::new(); sessions.len()];
    for secret in &secrets {
        let client = visit.provider.find_client(tenant, secret.client_id).await;
        let Some(client) = client.map_err(|error| visit.fail(error))? else {
            continue;
        };
        let place = sessions
            .iter()
            .position(|session| session.id == secret.session_id);
        if let Some(names) = place.and_then(|place| names.get_mut(place)) {
            let name = client.metadata.client_name.clone();
            names.push(name.unwrap_or_else(|| client.id.to_string()));
        }
    }
    Ok(names.into_iter().map(|names| names.join(", ")).collect())
}

async fn sessions_page(
    visit: &Visit,
    person: &SignedIn,
    said: ListSaid,
) -> Result<HttpResponse, PageError> {
    let requests = requests_of(visit, person).await?;
    let mut listed = visit
        .provider
        .list_own_sessions(visit.tenant(), person, said.after)
        .await
        .map_err(|error| visit.fail(error))?;
    // This one first, on the first page and nowhere else.
    listed
        .items
        .retain(|session| session.id != person.session.id);
    if said.after.is_none() {
        listed.items.insert(0, person.session.clone());
    }
    let ids: Vec<_> = listed
        .items
        .iter()
        .map(|session| session.id.to_string())
        .collect();
    let shared = shared_with(visit, &listed.items).await?;
    let items = listed.items.iter().zip(&ids).zip(&shared);
    let items = items.map(|((session, id), shared)| {
        let device = device::describe(&session.user_agent);
        SessionItem {
            id,
            browser: device.browser,
            system: device.system,
            address: &session.address,
            signed_in_at: session.auth_time,
            seen_at: session.last_used_at,
            current: session.id == person.session.id,
            shared,
        }
    });
    let more = listed
        .next
        .map(|next| visit.address(SESSIONS, &[("after", &next.to_string())]));
    let (frame, account) = (visit.frame(&[]), Person::of(&person.user));
    let (action, csrf) = (
        visit.address(SESSIONS, &[]),
        visit.token(FormPurpose::Sessions),
    );
    let view = AccountSessions {
        page: frame.page(),
        account: account.account(),
        sign_out: &visit.address("/logout", &[]),
        requests,
        form: Form {
            action: &action,
            csrf: &csrf,
            hidden: &[],
        },
        sessions: items.collect(),
        more: more.as_deref(),
        problem: said.problem,
        notice: said.notice,
    };
    Ok(visit.show_form(said.status(), &view))
}

/// `GET /account/sessions`.
pub async fn sessions(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    let person = match owner(&visit, SESSIONS).await {
        Ok(person) => person,
        Err(stop) => return stop.result(),
    };
    let notice = notice(
        &params,
        &[
            ("ended", Notice::SessionEnded),
            ("others-ended", Notice::OthersEnded),
            ("unshared", Notice::SharingEnded),
        ],
    );
    sessions_page(
        &visit,
        &person,
        ListSaid {
            after: after(&params),
            notice,
            problem: None,
        },
    )
    .await
}

/// `POST /account/sessions`.
pub async fn end_sessions(
    visit: Visit,
    FormBody(params): FormBody,
) -> Result<HttpResponse, PageError> {
    let form = visit.check(FormPurpose::Sessions, params)?;
    let person = match owner(&visit, SESSIONS).await {
        Ok(person) => person,
        Err(stop) => return stop.result(),
    };
    let (tenant, origin) = (visit.tenant(), &visit.caller.origin);
    if form.input("end_others") == "1" {
        visit
            .provider
            .end_other_sessions(tenant, &person, &form, origin)
            .await
            .map_err(|error| visit.fail(error))?;
        return Ok(visit.see_other(SESSIONS, &[("notice", "others-ended")]));
    }
    if visit
        .provider
        .unshare_own_session(tenant, &person, &form, origin)
        .await
        .map_err(|error| visit.fail(error))?
    {
        return Ok(visit.see_other(SESSIONS, &[("notice", "unshared")]));
    }
    if visit
        .provider
        .end_own_session(tenant, &person, &form, origin)
        .await
        .map_err(|error| visit.fail(error))?
    {
        return Ok(visit.see_other(SESSIONS, &[("notice", "ended")]));
    }
    sessions_page(
        &visit,
        &person,
        ListSaid {
            problem: Some(Problem::GoneAlready),
            ..ListSaid::default()
        },
    )
    .await
}

/// What an application was allowed in objects, in words; a type that is gone by now is its name.
fn details_of(item: &Allowed, resources: &[Resource], lang: &str) -> Vec<DetailItem> {
    let words = |detail: &AuthorizationDetail| match find_type(resources, detail) {
        Some((_, kind)) => kind.in_words(detail, [lang]),
        None => Words {
            sentence: detail.kind().to_owned(),
            rest: Vec::new(),
        },
    };
    let items = item.details.iter().flat_map(|allowed| {
        allowed.details.iter().map(|detail| DetailItem {
            words: words(detail),
            until: allowed.until,
        })
    });
    items.take(DETAILS_SHOWN).collect()
}

async fn applications_page(
    visit: &Visit,
    person: &SignedIn,
    said: ListSaid,
) -> Result<HttpResponse, PageError> {
    let requests = requests_of(visit, person).await?;
    let allowed = visit
        .provider
        .list_own_consents(visit.tenant(), person, said.after)
        .await
        .map_err(|error| visit.fail(error))?;
    let own = match said.after {
        // They stand on the first page.
        Some(_) => Vec::new(),
        None => visit
            .provider
            .list_own_applications(visit.tenant())
            .await
            .map_err(|error| visit.fail(error))?,
    };
    let start =
        |client: &Client, told: &Scope| start_address(&visit.at.issuer, client, &person.user, told);
    let nothing = Scope::default();
    let own: Vec<_> = own
        .iter()
        .filter_map(|client| Some((client, client.id.to_string(), start(client, &nothing)?)))
        .collect();
    let frame = visit.frame(&[]);
    let own = own
        .iter()
        .filter_map(|(client, id, start)| {
            Some(OwnApplication {
                client: frame.client(client, id),
                start: WebLink::parse(start)?,
            })
        })
        .collect();
    let ids: Vec<_> = allowed
        .items
        .iter()
        .map(|item| item.client.id.to_string())
        .collect();
    let scopes: Vec<_> = allowed
        .items
        .iter()
        .map(|item| {
            let consent = item.consent.as_ref();
            consent.map_or_else(Scope::default, |consent| consent.permissions.scope())
        })
        .collect();
    let starts: Vec<_> = allowed
        .items
        .iter()
        .zip(&scopes)
        // The tenant's own stand above.
        .map(|(item, scope)| {
            let is_own = item.client.metadata.skip_consent;
            start(&item.client, scope).filter(|_| !is_own)
        })
        .collect();
    let resources = &visit.tenant().resources;
    let items = allowed
        .items
        .iter()
        .zip(&ids)
        .zip(&scopes)
        .zip(&starts)
        .map(|(((item, id), scope), start)| ApplicationItem {
            id,
            client: frame.client(&item.client, id),
            scopes: scope_items(resources, scope),
            start: start.as_deref().and_then(WebLink::parse),
            details: details_of(item, resources, frame.page().messages.lang()),
            granted_at: item.consent.as_ref().map(|consent| consent.created_at),
        });
    let more = allowed
        .next
        .map(|next| visit.address(APPLICATIONS, &[("after", &next.to_string())]));
    let account = Person::of(&person.user);
    let (action, csrf) = (
        visit.address(APPLICATIONS, &[]),
        visit.token(FormPurpose::Applications),
    );
    let view = AccountApplications {
        page: frame.page(),
        account: account.account(),
        sign_out: &visit.address("/logout", &[]),
        requests,
        form: Form {
            action: &action,
            csrf: &csrf,
            hidden: &[],
        },
        own,
        applications: items.collect(),
        more: more.as_deref(),
        problem: said.problem,
        notice: said.notice,
    };
    Ok(visit.show_form(said.status(), &view))
}

/// `GET /account/applications`.
pub async fn applications(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    let person = match owner(&visit, APPLICATIONS).await {
        Ok(person) => person,
        Err(stop) => return stop.result(),
    };
    let notice = notice(&params, &[("withdrawn", Notice::AccessWithdrawn)]);
    applications_page(
        &visit,
        &person,
        ListSaid {
            after: after(&params),
            notice,
            problem: None,
        },
    )
    .await
}

/// `POST /account/applications`.
pub async fn withdraw(visit: Visit, FormBody(params): FormBody) -> Result<HttpResponse, PageError> {
    let form = visit.check(FormPurpose::Applications, params)?;
    let person = match owner(&visit, APPLICATIONS).await {
        Ok(person) => person,
        Err(stop) => return stop.result(),
    };
    let withdrawn = visit
        .provider
        .withdraw_own_consent(visit.tenant(), &person, &form, &visit.caller.origin)
        .await;
    if withdrawn.map_err(|error| visit.fail(error))? {
        return Ok(visit.see_other(APPLICATIONS, &[("notice", "withdrawn")]));
    }
    applications_page(
        &visit,
        &person,
        ListSaid {
            problem: Some(Problem::GoneAlready),
            ..ListSaid::default()
        },
    )
    .await
}
