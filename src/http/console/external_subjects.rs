//! What issuers of assertions call people, at the console: the list, one written down, one taken away. Part of the section of people.

use actix_web::{HttpRequest, web};

use super::notice::Notice;
use super::parts::{Cell, Choice, Confirm, Draft, Empty, Field, FieldKind, ListQuery, Table};
use super::routes::at;
use super::sheets::{self, Act, FormSheet, Group, ListSheet};
use super::users::{READ, SECTION, WRITE, find_by_email};
use super::visitor::Visitor;
use crate::domain::external_subject::{ExternalSubject, ISSUER_MAX, SUBJECT_MAX};
use crate::domain::ids::{ExternalSubjectId, UserId};
use crate::domain::settings::SubjectMapping;
use crate::flows::admin::{AdminError, NewExternalSubject};
use crate::http::error::{Answer, PageError};
use crate::http::extract::Query;

/// Where the list lies, below the console's address.
pub const PATH: &str = "/external-subjects";

/// Adds the routes.
pub fn routes(pages: &mut web::ServiceConfig) {
    pages.service(at(PATH).route(web::get().to(list)));
    pages.service(
        at("/external-subjects/new")
            .route(web::get().to(ask_for_new))
            .route(web::post().to(create)),
    );
    pages.service(
        at("/external-subjects/{id}/remove")
            .route(web::get().to(ask_to_remove))
            .route(web::post().to(remove)),
    );
}

/// Whether anybody who names people by what is written down vouches for them, so that there is something to look at.
pub fn is_in_use(visitor: &Visitor) -> bool {
    let mut issuers = visitor.tenant.settings().assertion_issuers.iter();
    issuers.any(|issuer| issuer.subjects == SubjectMapping::Stored)
}

/// Who a person is, by the address that they sign in with.
async fn address_of(visitor: &Visitor, user: UserId) -> Result<String, PageError> {
    match visitor.provider().load_user(&visitor.tenant, user).await {
        Ok(user) => Ok(user.email.to_string()),
        // Deleted a moment ago, and the name with them.
        Err(AdminError::NotFound { .. }) => Ok(String::new()),
        Err(error) => Err(visitor.fault(error)),
    }
}

async fn named(visitor: &Visitor, request: &HttpRequest) -> Result<ExternalSubject, PageError> {
    let id: ExternalSubjectId = visitor.named(request, "id")?;
    visitor
        .provider()
        .load_external_subject(&visitor.tenant, id)
        .await
        .map_err(|error| visitor.fault(error))
}

/// `GET /console/external-subjects`.
async fn list(visitor: Visitor, Query(params): Query) -> Answer {
    visitor.check(READ)?;
    let query = ListQuery::of(&params, &[]);
    let found = visitor
        .provider()
        .list_named_people(&visitor.tenant, query.search.clone(), query.page())
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let may_write = visitor.may(WRITE);
    let row = |(one, address): &(ExternalSubject, String)| {
        vec![
            if may_write {
                Cell::Link {
                    href: page.path(&format!("{PATH}/{}/remove", one.id)),
                    text: one.subject.clone(),
                    detail: one.issuer.clone(),
                }
            } else {
                Cell::Text(format!("{} {}", one.subject, one.issuer))
            },
            Cell::Link {
                href: page.path(&format!("/users/{}", one.user_id)),
                text: address.clone(),
                detail: String::new(),
            },
            Cell::moment(&page, &one.created_at),
        ]
    };
    let new = || {
        (
            page.path("/external-subjects/new"),
            page.t("names-new").into_owned(),
        )
    };
    let empty = if query.search.is_some() {
        Empty::nothing_found(&page)
    } else {
        Empty {
            title: page.t("names-empty").into_owned(),
            text: page.t("names-empty-text").into_owned(),
            action: may_write.then(new),
        }
    };
    visitor.show(&ListSheet {
        page,
        title: page.t("names-title").into_owned(),
        lede: page
            .t(if is_in_use(&visitor) {
                "names-lede"
            } else {
                "names-lede-unused"
            })
            .into_owned(),
        acts: if may_write {
            vec![Act::link("new", new().0, new().1)]
        } else {
            Vec::new()
        },
        search: Some((
            query.search.clone().unwrap_or_default(),
            page.t("names-search").into_owned(),
        )),
        address: page.path(PATH),
        table: Table {
            caption: page.t("names-title").into_owned(),
            columns: ["names-subject", "names-person", "names-since"]
                .map(|id| page.t(id).into_owned())
                .into(),
            rows: found.items.iter().map(row).collect(),
        },
        empty,
        pager: query.pager(&page.path(PATH), found.next),
    })
}

fn form<'a>(visitor: &'a Visitor, draft: &Draft) -> FormSheet<'a> {
    let page = visitor.shell(&SECTION);
    let issuers: Vec<_> = visitor
        .tenant
        .settings()
        .assertion_issuers
        .iter()
        .filter(|issuer| issuer.subjects == SubjectMapping::Stored)
        .map(|issuer| Choice::new(&issuer.issuer, &issuer.issuer))
        .collect();
    let issuer = if issuers.is_empty() {
        Field::text("issuer", page.t("names-issuer"))
    } else {
        Field::new("issuer", page.t("names-issuer"), FieldKind::Menu(issuers))
    };
    let fields: Vec<_> = [
        Field::new("email", page.t("names-email"), FieldKind::Line("email"))
            .hint(page.t("names-email-hint"))
            .required(),
        issuer.hint(page.t("names-issuer-hint")).required(),
        Field::text("subject", page.t("names-subject"))
            .hint(page.t("names-subject-hint"))
            .required(),
    ]
    .into_iter()
    .map(|field| field.of(draft))
    .collect();
    FormSheet {
        page,
        back: Some((page.path(PATH), page.t("names-title").into_owned())),
        title: page.t("names-new").into_owned(),
        lede: page.t("names-new-lede").into_owned(),
        consequences: Vec::new(),
        stale: String::new(),
        problems: draft.other_problems(&fields),
        action: page.path("/external-subjects/new"),
        hidden: Vec::new(),
        groups: Group::plain(fields),
        preview: None,
        button: page.t("names-create").into_owned(),
        danger: false,
        cancel: page.path(PATH),
    }
}

/// `GET /console/external-subjects/new`.
async fn ask_for_new(visitor: Visitor) -> Answer {
    visitor.check(WRITE)?;
    visitor.show(&form(&visitor, &Draft::default()))
}

/// `POST /console/external-subjects/new`.
async fn create(visitor: Visitor) -> Answer {
    visitor.check(WRITE)?;
    let sent = visitor.take()?;
    let mut draft = Draft::sent(&sent, &["email", "issuer", "subject"]);
    let page = visitor.shell(&SECTION);
    for (name, most) in [("issuer", ISSUER_MAX), ("subject", SUBJECT_MAX)] {
        if !(1..=most).contains(&draft.value(name).len()) {
            draft.blame(name, page.f("names-length", "most", &most.to_string()));
        }
    }
    let user = find_by_email(&visitor, draft.value("email")).await?;
    let Some(user) = user.filter(|_| !draft.is_wrong()) else {
        if !draft.is_wrong() {
            draft.blame("email", page.t("names-nobody"));
        }
        return visitor.show_again(&form(&visitor, &draft));
    };
    let new = NewExternalSubject {
        user_id: user.id,
        issuer: draft.value("issuer").to_owned(),
        subject: draft.value("subject").to_owned(),
    };
    let made = visitor
        .provider()
        .create_external_subject(&visitor.tenant, new, &visitor.by())
        .await;
    match made {
        Ok(made) => visitor.done(PATH, &Notice::new("names-created").name(made.subject)),
        Err(error) => {
            sheets::take(page, &mut draft, "subject", &page.t("names-taken"), error)
                .map_err(|error| visitor.fault(error))?;
            visitor.show_again(&form(&visitor, &draft))
        }
    }
}

/// `GET /console/external-subjects/{id}/remove`.
async fn ask_to_remove(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    let one = named(&visitor, &request).await?;
    let address = address_of(&visitor, one.user_id).await?;
    let page = visitor.shell(&SECTION);
    visitor.show(&Confirm {
        page,
        title: page.t("names-remove").into_owned(),
        lede: format!("{} · {} · {address}", one.subject, one.issuer),
        consequences: ["names-remove-nobody", "names-remove-tokens"]
            .map(|id| page.t(id).into_owned())
            .into(),
        action: page.path(&format!("{PATH}/{}/remove", one.id)),
        hidden: Vec::new(),
        button: page.t("names-remove").into_owned(),
        back: page.path(PATH),
    })
}

/// `POST /console/external-subjects/{id}/remove`.
async fn remove(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    visitor.take()?;
    let one = named(&visitor, &request).await?;
    visitor
        .provider()
        .delete_external_subject(&visitor.tenant, one.id, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    visitor.done(PATH, &Notice::new("names-removed").name(one.subject))
}
