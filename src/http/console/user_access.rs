//! Where a person is signed in, and what they allowed to applications.

use actix_web::{HttpRequest, web};

use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Cell, Confirm, Empty, ListQuery, Table};
use super::routes::at;
use super::sheets::{Act, ListSheet};
use super::user::{is_oneself, user_of};
use super::users::{SECTION, called};
use super::visitor::Visitor;
use crate::domain::ids::{ClientId, SessionId};
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::flows::admin::{Area, ConsentOf, Permission};
use crate::http::error::{Answer, PageError};
use crate::http::extract::Query;
use crate::http::pages::device::{self, Device};

/// Its routes.
pub fn routes(pages: &mut web::ServiceConfig) {
    pages.service(at("/users/{id}/sessions").route(web::get().to(sessions)));
    pages.service(
        at("/users/{id}/sessions/end")
            .route(web::get().to(ask_to_end_all))
            .route(web::post().to(end_all)),
    );
    pages.service(
        at("/users/{id}/sessions/{session}")
            .route(web::get().to(ask_to_end))
            .route(web::post().to(end)),
    );
    pages.service(at("/users/{id}/consents").route(web::get().to(consents)));
    pages.service(
        at("/users/{id}/consents/{client}")
            .route(web::get().to(ask_to_withdraw))
            .route(web::post().to(withdraw)),
    );
}

const READ_SESSIONS: Permission = Permission::Read(Area::Sessions);
const WRITE_SESSIONS: Permission = Permission::Write(Area::Sessions);
const READ_CONSENTS: Permission = Permission::Read(Area::Consents);
const WRITE_CONSENTS: Permission = Permission::Write(Area::Consents);

/// Whether the visitor may act on this person in this way.
fn reaches(visitor: &Visitor, user: &User, permission: Permission) -> bool {
    visitor.may(permission) && visitor.by().authority.check_over(user).is_ok()
}

/// `GET /console/users/{id}/sessions`.
async fn sessions(visitor: Visitor, request: HttpRequest, Query(params): Query) -> Answer {
    visitor.check(READ_SESSIONS)?;
    let user = user_of(&visitor, &request).await?;
    let query = ListQuery::of(&params, &[]);
    let found = visitor
        .provider()
        .list_sessions(&visitor.tenant, user.id, query.page())
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let path = page.path(&format!("/users/{}/sessions", user.id));
    let may_end = reaches(&visitor, &user, WRITE_SESSIONS);
    let ids = found.items.iter().map(|session| session.id).collect();
    let shared = visitor.provider().list_shared(&visitor.tenant, ids).await;
    let shared = shared.map_err(|error| visitor.fault(error.into()))?;
    let detail = |session: &Session| {
        if shared.iter().any(|one| one.session_id == session.id) {
            let words = page.t("user-session-shared");
            format!("{} · {words}", session.address)
        } else {
            session.address.clone()
        }
    };
    let row = |session: &Session| {
        let browser = browser(&page, session);
        vec![
            if may_end {
                Cell::Link {
                    href: format!("{path}/{}", session.id),
                    text: browser,
                    detail: detail(session),
                }
            } else {
                Cell::Text(format!("{browser} {}", detail(session)))
            },
            Cell::moment(&page, &session.auth_time),
            Cell::moment(&page, &session.last_used_at),
        ]
    };
    let mut acts = Vec::new();
    if may_end && !found.items.is_empty() {
        acts.push(Act::danger(
            "end",
            format!("{path}/end"),
            page.t("user-sessions-end"),
        ));
    }
    visitor.show(&ListSheet {
        page,
        title: page.f("user-sessions-of", "name", &called(&user)),
        lede: page.t("user-sessions-lede").into_owned(),
        acts,
        search: None,
        address: path.clone(),
        table: Table {
            caption: page.t("user-sessions").into_owned(),
            columns: [
                "user-session-browser",
                "user-session-began",
                "user-session-used",
            ]
            .map(|id| page.t(id).into_owned())
            .into(),
            rows: found.items.iter().map(row).collect(),
        },
        empty: Empty {
            title: page.t("user-sessions-empty").into_owned(),
            text: page.t("user-sessions-empty-text").into_owned(),
            action: Some((page.path(&format!("/users/{}", user.id)), called(&user))),
        },
        pager: query.pager(&path, found.next),
    })
}

/// What people call the browser of a session; its own word for itself where nobody knows it.
fn browser(page: &Shell<'_>, session: &Session) -> String {
    let Device { browser, system } = device::describe(&session.user_agent);
    match session.user_agent.as_str() {
        "" => page.t("user-session-unknown").into_owned(),
        own if browser.is_empty() && system.is_empty() => own.to_owned(),
        _ => device::title(page, browser, system),
    }
}

/// The session that the path names, of the person whom it names.
async fn session_of(
    visitor: &Visitor,
    request: &HttpRequest,
    user: &User,
) -> Result<Session, PageError> {
    let id: SessionId = visitor.named(request, "session")?;
    let session = visitor
        .provider()
        .load_session(&visitor.tenant, id)
        .await
        .map_err(|error| visitor.fault(error))?;
    if session.user_id == user.id {
        Ok(session)
    } else {
        Err(visitor.not_found())
    }
}

fn ask<'a>(
    visitor: &'a Visitor,
    user: &User,
    rest: &str,
    title: &str,
    lede: String,
    consequences: &[&str],
) -> Confirm<'a> {
    let page = visitor.shell(&SECTION);
    let above = page.path(&format!("/users/{}", user.id));
    let list = rest.split('/').next().unwrap_or_default();
    let mut consequences: Vec<_> = consequences
        .iter()
        .map(|id| page.t(id).into_owned())
        .collect();
    if is_oneself(visitor, user) && list == "sessions" {
        consequences.insert(0, page.t("user-oneself").into_owned());
    }
    Confirm {
        page,
        title: page.t(title).into_owned(),
        lede,
        consequences,
        action: format!("{above}/{rest}"),
        hidden: Vec::new(),
        button: page.t(title).into_owned(),
        back: format!("{above}/{list}"),
    }
}

const ENDS: [&str; 2] = ["user-session-end-tokens", "user-session-end-again"];

/// `GET /console/users/{id}/sessions/end`.
async fn ask_to_end_all(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE_SESSIONS)?;
    let user = user_of(&visitor, &request).await?;
    visitor.show(&ask(
        &visitor,
        &user,
        "sessions/end",
        "user-sessions-end",
        called(&user),
        &ENDS,
    ))
}

/// `POST /console/users/{id}/sessions/end`.
async fn end_all(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE_SESSIONS)?;
    visitor.take()?;
    let user = user_of(&visitor, &request).await?;
    visitor
        .provider()
        .end_sessions(&visitor.tenant, user.id, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    let notice = Notice::new("user-sessions-ended").name(called(&user));
    visitor.done(&format!("/users/{}", user.id), &notice)
}

/// `GET /console/users/{id}/sessions/{session}`.
async fn ask_to_end(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE_SESSIONS)?;
    let user = user_of(&visitor, &request).await?;
    let session = session_of(&visitor, &request, &user).await?;
    let rest = format!("sessions/{}", session.id);
    let page = visitor.shell(&SECTION);
    let lede = format!(
        "{}: {}, {}",
        called(&user),
        browser(&page, &session),
        session.address
    );
    visitor.show(&ask(
        &visitor,
        &user,
        &rest,
        "user-session-end",
        lede,
        &ENDS,
    ))
}

/// `POST /console/users/{id}/sessions/{session}`.
async fn end(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE_SESSIONS)?;
    visitor.take()?;
    let user = user_of(&visitor, &request).await?;
    let session = session_of(&visitor, &request, &user).await?;
    visitor
        .provider()
        .end_session(&visitor.tenant, &session, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    let notice = Notice::new("user-session-ended").name(called(&user));
    visitor.done(&format!("/users/{}/sessions", user.id), &notice)
}

/// `GET /console/users/{id}/consents`.
async fn consents(visitor: Visitor, request: HttpRequest, Query(params): Query) -> Answer {
    visitor.check(READ_CONSENTS)?;
    let user = user_of(&visitor, &request).await?;
    let query = ListQuery::of(&params, &[]);
    let found = visitor
        .provider()
        .list_consents(&visitor.tenant, user.id, query.page())
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let path = page.path(&format!("/users/{}/consents", user.id));
    let may_withdraw = reaches(&visitor, &user, WRITE_CONSENTS);
    let row = |of: &ConsentOf| {
        vec![
            if may_withdraw {
                Cell::Link {
                    href: format!("{path}/{}", of.client.id),
                    text: of.client.name(),
                    detail: String::new(),
                }
            } else {
                Cell::Text(of.client.name())
            },
            Cell::Code(of.consent.permissions.scope().to_string()),
            Cell::moment(&page, &of.consent.updated_at),
        ]
    };
    visitor.show(&ListSheet {
        page,
        title: page.f("user-consents-of", "name", &called(&user)),
        lede: page.t("user-consents-lede").into_owned(),
        acts: Vec::new(),
        search: None,
        address: path.clone(),
        table: Table {
            caption: page.t("user-consents").into_owned(),
            columns: [
                "user-consent-client",
                "user-consent-scope",
                "user-consent-given",
            ]
            .map(|id| page.t(id).into_owned())
            .into(),
            rows: found.items.iter().map(row).collect(),
        },
        empty: Empty {
            title: page.t("user-consents-empty").into_owned(),
            text: page.t("user-consents-empty-text").into_owned(),
            action: Some((page.path(&format!("/users/{}", user.id)), called(&user))),
        },
        pager: query.pager(&path, found.next),
    })
}

/// `GET /console/users/{id}/consents/{client}`.
async fn ask_to_withdraw(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE_CONSENTS)?;
    let user = user_of(&visitor, &request).await?;
    let id: ClientId = visitor.named(&request, "client")?;
    let client = visitor
        .provider()
        .load_client(&visitor.tenant, id)
        .await
        .map_err(|error| visitor.fault(error))?;
    let name = client.name();
    let rest = format!("consents/{id}");
    let lede = format!("{name}: {}", called(&user));
    let consequences = ["user-consent-tokens", "user-consent-again"];
    visitor.show(&ask(
        &visitor,
        &user,
        &rest,
        "user-consent-withdraw",
        lede,
        &consequences,
    ))
}

/// `POST /console/users/{id}/consents/{client}`.
async fn withdraw(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE_CONSENTS)?;
    visitor.take()?;
    let user = user_of(&visitor, &request).await?;
    let client: ClientId = visitor.named(&request, "client")?;
    visitor
        .provider()
        .withdraw_consent(&visitor.tenant, user.id, client, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    let notice = Notice::new("user-consent-withdrawn").name(called(&user));
    visitor.done(&format!("/users/{}/consents", user.id), &notice)
}
