//! `/account/sessions`: where the person is signed in, and signing out elsewhere.

use actix_web::HttpResponse;

use super::{ListSaid, after, notice, owner, requests_of};
use crate::domain::session::Session;
use crate::flows::browser::FormPurpose;
use crate::flows::sessions::SignedIn;
use crate::http::error::PageError;
use crate::http::extract::{FormBody, Query};
use crate::http::pages::device;
use crate::http::pages::render::Person;
use crate::http::pages::views::{AccountSessions, Notice, Problem, SessionItem};
use crate::http::pages::visit::Visit;

const SESSIONS: &str = "/account/sessions";

/// With which applications on its device each session is shared, by their names.
async fn shared_with(visit: &Visit, sessions: &[Session]) -> Result<Vec<String>, PageError> {
    let tenant = visit.tenant();
    let ids = sessions.iter().map(|session| session.id).collect();
    let secrets = visit
        .provider
        .list_shared(tenant, ids)
        .await
        .map_err(|error| visit.fail(error))?;
    let frame = visit.frame(&[]);
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
            let id = client.id.to_string();
            names.push(frame.client(&client, &id).name.to_owned());
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
    let form = visit.form(SESSIONS, FormPurpose::Sessions);
    let view = AccountSessions {
        page: frame.page(),
        account: account.account(),
        sign_out: &visit.address("/logout", &[]),
        requests,
        form: form.with(&[]),
        sessions: items.collect(),
        more: more.as_deref(),
        problem: said.problem,
        notice: said.notice,
    };
    Ok(visit.show_form(said.status(), &view))
}

/// `GET /account/sessions`.
pub async fn sessions(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    let person = owner(&visit, SESSIONS).await?;
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
    let person = owner(&visit, SESSIONS).await?;
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
