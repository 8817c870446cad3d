//! Who administers: the list, and the roles of one of them.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Cell, Confirm, Draft, Empty, Field, FieldKind, ListQuery, Table, Tone};
use super::routes::at;
use super::sections::{Reach, Section};
use super::sheets::{Act, FormSheet, Group, ListSheet};
use super::user::{is_oneself, user_of};
use super::users::{address_below, called, find_by_email, role_choices, roles_in};
use super::visitor::Visitor;
use crate::domain::role::Role;
use crate::domain::user::User;
use crate::flows::admin::{AdminError, Area, Permission};
use crate::http::error::Answer;
use crate::http::extract::Query;

/// This section.
pub static SECTION: Section = Section {
    path: "/administrators",
    label: "section-administrators",
    needs: Some(READ),
    reach: Reach::Tenant,
    routes: |pages| {
        pages.service(at("/administrators").route(web::get().to(list)));
        pages.service(
            at("/administrators/new")
                .route(web::get().to(ask_whom))
                .route(web::post().to(find)),
        );
        pages.service(
            at("/administrators/{id}")
                .route(web::get().to(show))
                .route(web::post().to(save)),
        );
    },
};

const READ: Permission = Permission::Read(Area::Administrators);
const WRITE: Permission = Permission::Write(Area::Administrators);

/// `GET /console/administrators`.
async fn list(visitor: Visitor, Query(params): Query) -> Answer {
    visitor.check(READ)?;
    let query = ListQuery::of(&params, &[]);
    let found = visitor
        .provider()
        .list_administrators(&visitor.tenant, query.page())
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let may_write = visitor.may(WRITE);
    let row = |user: &User| {
        let roles = user
            .roles
            .iter()
            .map(|role| page.t(&format!("role-{role}")));
        let place = if may_write { "administrators" } else { "users" };
        vec![
            Cell::Link {
                href: page.path(&format!("/{place}/{}", user.id)),
                text: called(user),
                detail: address_below(user),
            },
            Cell::Text(roles.collect::<Vec<_>>().join(", ")),
            if user.is_active() {
                Cell::Badge(Tone::Good, page.t("user-active").into_owned())
            } else {
                Cell::Badge(Tone::Bad, page.t("user-disabled-state").into_owned())
            },
        ]
    };
    let new = || {
        (
            page.path("/administrators/new"),
            page.t("administrators-new").into_owned(),
        )
    };
    let mut acts = Vec::new();
    if may_write {
        acts.push(Act::link("new", new().0, new().1));
    }
    visitor.show(&ListSheet {
        page,
        title: page.t("section-administrators").into_owned(),
        lede: page.t("administrators-lede").into_owned(),
        acts,
        search: None,
        address: page.path("/administrators"),
        table: Table {
            caption: page.t("section-administrators").into_owned(),
            columns: ["user-name", "user-roles", "user-state"]
                .map(|id| page.t(id).into_owned())
                .into(),
            rows: found.items.iter().map(row).collect(),
        },
        empty: Empty {
            title: page.t("administrators-empty").into_owned(),
            text: page.t("administrators-empty-text").into_owned(),
            action: may_write.then(new),
        },
        pager: query.pager(&page.path("/administrators"), found.next),
    })
}

fn whom<'a>(visitor: &'a Visitor, draft: &Draft) -> FormSheet<'a> {
    let page = visitor.shell(&SECTION);
    let fields = vec![
        Field::new("email", page.t("user-email"), FieldKind::Line("email"))
            .hint(page.t("administrators-email-hint"))
            .required()
            .of(draft),
    ];
    FormSheet {
        page,
        back: Some((
            page.path("/administrators"),
            page.t("section-administrators").into_owned(),
        )),
        title: page.t("administrators-new").into_owned(),
        lede: String::new(),
        consequences: Vec::new(),
        stale: String::new(),
        problems: draft.other_problems(&fields),
        action: page.path("/administrators/new"),
        hidden: Vec::new(),
        groups: Group::plain(fields),
        preview: None,
        button: page.t("administrators-continue").into_owned(),
        danger: false,
        cancel: page.path("/administrators"),
    }
}

/// `GET /console/administrators/new`.
async fn ask_whom(visitor: Visitor) -> Answer {
    visitor.check(WRITE)?;
    visitor.show(&whom(&visitor, &Draft::default()))
}

/// `POST /console/administrators/new`: leads to the roles of whoever has the address.
async fn find(visitor: Visitor) -> Answer {
    visitor.check(WRITE)?;
    let sent = visitor.take()?;
    let mut draft = Draft::sent(&sent, &["email"]);
    let found = find_by_email(&visitor, draft.value("email")).await?;
    if let Some(user) = found {
        return Ok(visitor.go(&format!("/administrators/{}", user.id)));
    }
    draft.blame("email", visitor.shell(&SECTION).t("administrators-nobody"));
    visitor.show_again(&whom(&visitor, &draft))
}

fn form<'a>(visitor: &'a Visitor, draft: &Draft, user: &User) -> FormSheet<'a> {
    let page = visitor.shell(&SECTION);
    let fields = vec![
        Field::new(
            "roles",
            page.t("user-roles"),
            FieldKind::Boxes(role_choices(visitor)),
        )
        .of(draft),
    ];
    FormSheet {
        page,
        back: Some((
            page.path("/administrators"),
            page.t("section-administrators").into_owned(),
        )),
        title: called(user),
        lede: address_below(user),
        consequences: Vec::new(),
        stale: String::new(),
        problems: draft.other_problems(&fields),
        action: page.path(&format!("/administrators/{}", user.id)),
        hidden: vec![("version", user.version.to_string())],
        groups: Group::plain(fields),
        preview: None,
        button: page.t("save-changes").into_owned(),
        danger: false,
        cancel: page.path("/administrators"),
    }
}

/// `GET /console/administrators/{id}`.
async fn show(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    let user = user_of(&visitor, &request).await?;
    let held = user.roles.iter().map(|role| ("roles", role.to_string()));
    visitor.show(&form(&visitor, &Draft::new(held), &user))
}

/// What roles are called.
fn names<'a>(page: &Shell<'_>, roles: impl IntoIterator<Item = &'a Role>) -> String {
    let names = roles
        .into_iter()
        .map(|role| page.t(&format!("role-{role}")));
    names.collect::<Vec<_>>().join(", ")
}

/// Asks before somebody loses a role, be it somebody else or whoever asks.
fn ask<'a>(visitor: &'a Visitor, user: &User, wanted: &[Role]) -> Confirm<'a> {
    let page = visitor.shell(&SECTION);
    let back = page.path(&format!("/administrators/{}", user.id));
    let mut hidden: Vec<_> = wanted
        .iter()
        .map(|role| ("roles", role.to_string()))
        .collect();
    hidden.push(("version", user.version.to_string()));
    hidden.push(("confirmed", "1".to_owned()));
    let lost = user.roles.iter().filter(|role| !wanted.contains(role));
    let mut consequences = vec![page.f("administrators-loses", "roles", &names(&page, lost))];
    if !wanted.is_empty() {
        consequences.push(page.f("administrators-keeps", "roles", &names(&page, wanted)));
    }
    let title = if gives_up(visitor, user, wanted) {
        consequences.push(page.t("administrators-oneself-text").into_owned());
        page.t("administrators-oneself")
    } else {
        consequences.push(page.t("administrators-at-once").into_owned());
        page.t("administrators-take")
    };
    Confirm {
        page,
        title: title.clone().into_owned(),
        lede: match called(user) {
            name if name == user.email.as_str() => name,
            name => format!("{name} ({})", user.email),
        },
        consequences,
        action: back.clone(),
        hidden,
        button: title.into_owned(),
        back,
    }
}

/// Whether somebody takes the console away from themselves.
fn gives_up(visitor: &Visitor, user: &User, wanted: &[Role]) -> bool {
    is_oneself(visitor, user)
        && user.roles.contains(&Role::Administrator)
        && !wanted.contains(&Role::Administrator)
}

/// Shows what was ticked beside what holds by now: nothing was done.
async fn stale(visitor: &Visitor, request: &HttpRequest, draft: &Draft) -> Answer {
    let user = user_of(visitor, request).await?;
    let page = visitor.shell(&SECTION);
    let now = match names(&page, &user.roles) {
        none if none.is_empty() => "–".to_owned(),
        some => some,
    };
    let mut view = form(visitor, draft, &user);
    view.stale = page.f("stale-now", "now", &now);
    Ok(visitor.respond(StatusCode::CONFLICT, &view))
}

/// `POST /console/administrators/{id}`.
async fn save(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    let sent = visitor.take()?;
    let user = user_of(&visitor, &request).await?;
    let mut draft = Draft::sent(&sent, &["roles"]);
    let wanted = roles_in(&draft);
    if sent.input("version") != user.version.to_string() {
        return stale(&visitor, &request, &draft).await;
    }
    let loses = user.roles.iter().any(|role| !wanted.contains(role));
    if loses && sent.input("confirmed") != "1" {
        return visitor.show(&ask(&visitor, &user, &wanted));
    }
    let saved = visitor
        .provider()
        .set_roles(&visitor.tenant, &user, &wanted, &visitor.by())
        .await;
    match saved {
        Ok(()) => {
            let after = visitor.provider().load_user(&visitor.tenant, user.id);
            let after = after.await.map_err(|error| visitor.fault(error))?;
            // Whoever knew it had less power than the person has now.
            let notice = if user.password.is_some() && after.password.is_none() {
                Notice::new("administrators-saved-password")
            } else {
                Notice::new("administrators-saved")
            };
            visitor.done("/administrators", &notice.name(called(&user)))
        }
        Err(AdminError::Stale(_)) => stale(&visitor, &request, &draft).await,
        Err(error) => {
            draft
                .take(visitor.shell(&SECTION), error)
                .map_err(|error| visitor.fault(error))?;
            Ok(visitor.respond(StatusCode::CONFLICT, &form(&visitor, &draft, &user)))
        }
    }
}
