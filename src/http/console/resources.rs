//! APIs that accept tokens (RFC 8707's resources): the list, one of them, made, changed and deleted.

use actix_web::{HttpRequest, web};

use super::notice::Notice;
use super::parts::{Cell, Confirm, Draft, Empty, Field, FieldKind, ListQuery, Table};
use super::reasons;
use super::routes::at;
use super::sections::{Reach, Section};
use super::sheets::{self, Act, DetailSheet, Fact, FactGroup, FormSheet, Group, ListSheet};
use super::visitor::Visitor;
use crate::domain::ids::ResourceId;
use crate::domain::resource::{Resource, ResourceScope};
use crate::flows::admin::{AdminError, Area, NewResource, Permission};
use crate::http::error::{Answer, PageError};
use crate::http::extract::Query;
use crate::protocol::authorization_details::DetailsType;
use crate::storage::Tie;

/// The field for types of authorization details.
const TYPES: &str = "authorization_details_types";

/// So many applications that depend on an API are named before it is deleted.
const NAMED: usize = 20;

/// This section.
pub static SECTION: Section = Section {
    path: "/resources",
    label: "section-resources",
    needs: Some(Permission::Read(Area::Resources)),
    reach: Reach::Tenant,
    routes: |pages| {
        pages.service(at("/resources").route(web::get().to(list)));
        pages.service(
            at("/resources/new")
                .route(web::get().to(ask_for_new))
                .route(web::post().to(create)),
        );
        pages.service(at("/resources/{id}").route(web::get().to(show)));
        pages.service(
            at("/resources/{id}/edit")
                .route(web::get().to(ask_to_edit))
                .route(web::post().to(save)),
        );
        pages.service(
            at("/resources/{id}/delete")
                .route(web::get().to(ask_to_delete))
                .route(web::post().to(delete)),
        );
    },
};

/// A scope a line: its token, and behind the first space what people read of it.
fn scopes_in(draft: &Draft) -> Vec<ResourceScope> {
    let scope = |line: String| match line.split_once(char::is_whitespace) {
        Some((name, description)) => ResourceScope {
            name: name.to_owned(),
            description: Some(description.trim().to_owned()),
        },
        None => ResourceScope {
            name: line,
            description: None,
        },
    };
    draft.lines("scope").into_iter().map(scope).collect()
}

fn lines_of(resource: &Resource) -> String {
    let line = |scope: &ResourceScope| match &scope.description {
        Some(description) => format!("{} {description}", scope.name),
        None => scope.name.clone(),
    };
    let lines = resource.scopes.iter().map(line);
    lines.collect::<Vec<_>>().join("\n")
}

/// The types as JSON; nothing where there are none.
fn types_of(resource: &Resource) -> String {
    if resource.details_types.is_empty() {
        return String::new();
    }
    serde_json::to_string_pretty(&resource.details_types).unwrap_or_default()
}

/// The types that were filled in; what is none is said beside the field.
fn types_in(visitor: &Visitor, draft: &mut Draft) -> Vec<DetailsType> {
    let Some(text) = draft.given(TYPES) else {
        return Vec::new();
    };
    match serde_json::from_str(text) {
        Ok(types) => types,
        Err(error) => {
            let page = visitor.shell(&SECTION);
            draft.blame(TYPES, reasons::of_json(page, &error));
            Vec::new()
        }
    }
}

async fn resource_of(visitor: &Visitor, request: &HttpRequest) -> Result<Resource, PageError> {
    let id: ResourceId = visitor.named(request, "id")?;
    let found = visitor.provider().load_resource(&visitor.tenant, id);
    found.await.map_err(|error| visitor.fault(error))
}

/// `GET /console/resources`.
async fn list(visitor: Visitor, Query(params): Query) -> Answer {
    visitor.check(Permission::Read(Area::Resources))?;
    let query = ListQuery::of(&params, &[]);
    let found = visitor
        .provider()
        .list_resources(&visitor.tenant, query.search.clone(), query.page())
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let row = |resource: &Resource| {
        let scopes = resource.scopes.iter().map(|scope| scope.name.as_str());
        vec![
            Cell::Link {
                href: page.path(&format!("/resources/{}", resource.id)),
                text: resource.name.clone(),
                detail: resource.identifier.clone(),
            },
            Cell::Code(scopes.collect::<Vec<_>>().join(" ")),
            Cell::moment(&page, &resource.created_at),
        ]
    };
    let may_write = visitor.may(Permission::Write(Area::Resources));
    let new = || {
        (
            page.path("/resources/new"),
            page.t("resources-new").into_owned(),
        )
    };
    let searched = query.search.is_some();
    visitor.show(&ListSheet {
        page,
        title: page.t("section-resources").into_owned(),
        lede: page.t("resources-lede").into_owned(),
        acts: if may_write {
            vec![Act::link("new", new().0, new().1)]
        } else {
            Vec::new()
        },
        search: Some((
            query.search.clone().unwrap_or_default(),
            page.t("resources-search").into_owned(),
        )),
        address: page.path("/resources"),
        table: Table {
            caption: page.t("section-resources").into_owned(),
            columns: ["resources-name", "resources-scopes", "resources-made"]
                .map(|id| page.t(id).into_owned())
                .into(),
            rows: found.items.iter().map(row).collect(),
        },
        empty: if searched {
            Empty::nothing_found(&page)
        } else {
            Empty {
                title: page.t("resources-empty").into_owned(),
                text: page.t("resources-empty-text").into_owned(),
                action: may_write.then(new),
            }
        },
        pager: query.pager(&page.path("/resources"), found.next),
    })
}

/// `GET /console/resources/{id}`.
async fn show(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Read(Area::Resources))?;
    let resource = resource_of(&visitor, &request).await?;
    let page = visitor.shell(&SECTION);
    let path = page.path(&format!("/resources/{}", resource.id));
    let mut acts = Vec::new();
    if visitor.may(Permission::Write(Area::Resources)) {
        acts.push(Act::link(
            "edit",
            format!("{path}/edit"),
            page.t("resources-edit"),
        ));
        acts.push(Act::danger(
            "delete",
            format!("{path}/delete"),
            page.t("resources-delete"),
        ));
    }
    let scope = |scope: &ResourceScope| {
        Fact::said(
            &scope.name,
            scope
                .description
                .clone()
                .unwrap_or_else(|| page.t("resources-no-description").into_owned()),
        )
    };
    let kind = |kind: &DetailsType| {
        let words = kind.words.values().map(String::as_str);
        Fact::said(&kind.name, words.collect::<Vec<_>>().join(" · "))
    };
    visitor.show(&DetailSheet {
        page,
        back: Some((
            page.path("/resources"),
            page.t("section-resources").into_owned(),
        )),
        title: resource.name.clone(),
        badges: Vec::new(),
        lede: String::new(),
        problems: Vec::new(),
        acts,
        groups: vec![
            FactGroup {
                title: String::new(),
                text: String::new(),
                facts: vec![
                    Fact::code(
                        page.t("resources-identifier"),
                        vec![resource.identifier.clone()],
                    ),
                    Fact::said(page.t("resources-made"), page.moment(&resource.created_at)),
                ],
            },
            FactGroup {
                title: page.t("resources-scopes").into_owned(),
                text: String::new(),
                facts: resource.scopes.iter().map(scope).collect(),
            },
            FactGroup {
                title: page.t("resources-types").into_owned(),
                text: String::new(),
                facts: resource.details_types.iter().map(kind).collect(),
            },
        ]
        .into_iter()
        .filter(|group| !group.facts.is_empty())
        .collect(),
    })
}

fn form<'a>(visitor: &'a Visitor, draft: &Draft, of: Option<&Resource>) -> FormSheet<'a> {
    let page = visitor.shell(&SECTION);
    let mut fields = vec![
        Field::text("name", page.t("resources-name")).hint(page.t("resources-name-hint")),
        Field::new("scope", page.t("resources-scopes"), FieldKind::Lines(8))
            .hint(page.t("resources-scopes-hint"))
            .required(),
        Field::new(TYPES, page.t("resources-types"), FieldKind::Lines(8))
            .hint(page.t("resources-types-hint")),
    ];
    if of.is_none() {
        fields.insert(
            0,
            Field::new(
                "identifier",
                page.t("resources-identifier"),
                FieldKind::Line("url"),
            )
            .hint(page.t("resources-identifier-hint"))
            .required(),
        );
    } else if let Some(name) = fields.first_mut() {
        name.required = true;
    }
    let fields: Vec<_> = fields.into_iter().map(|field| field.of(draft)).collect();
    let above = of.map_or_else(
        || page.path("/resources"),
        |resource| page.path(&format!("/resources/{}", resource.id)),
    );
    FormSheet {
        page,
        back: Some((
            above.clone(),
            of.map_or_else(
                || page.t("section-resources").into_owned(),
                |resource| resource.name.clone(),
            ),
        )),
        title: page
            .t(if of.is_some() {
                "resources-edit"
            } else {
                "resources-new"
            })
            .into_owned(),
        lede: of.map_or_else(String::new, |resource| resource.identifier.clone()),
        consequences: Vec::new(),
        stale: String::new(),
        problems: draft.other_problems(&fields),
        action: format!("{above}/{}", if of.is_some() { "edit" } else { "new" }),
        hidden: of
            .map(|resource| ("version", resource.version.to_string()))
            .into_iter()
            .collect(),
        groups: Group::plain(fields),
        preview: None,
        button: page
            .t(if of.is_some() {
                "save-changes"
            } else {
                "resources-create"
            })
            .into_owned(),
        danger: false,
        cancel: above,
    }
}

/// Scopes have one field for their names and descriptions.
fn take(visitor: &Visitor, draft: &mut Draft, error: AdminError) -> Result<(), PageError> {
    let error = match error {
        AdminError::Invalid { field, reason } if field == "description" => AdminError::Invalid {
            field: "scope".to_owned(),
            reason,
        },
        error => error,
    };
    let page = visitor.shell(&SECTION);
    let taken = page.t("resources-taken");
    sheets::take(page, draft, "identifier", &taken, error).map_err(|error| visitor.fault(error))
}

/// `GET /console/resources/new`.
async fn ask_for_new(visitor: Visitor) -> Answer {
    visitor.check(Permission::Write(Area::Resources))?;
    visitor.show(&form(&visitor, &Draft::default(), None))
}

/// `POST /console/resources/new`.
async fn create(visitor: Visitor) -> Answer {
    visitor.check(Permission::Write(Area::Resources))?;
    let sent = visitor.take()?;
    let mut draft = Draft::sent(&sent, &["identifier", "name", "scope", TYPES]);
    let new = NewResource {
        identifier: draft.value("identifier").to_owned(),
        name: draft.given("name").map(ToOwned::to_owned),
        scopes: scopes_in(&draft),
        details_types: types_in(&visitor, &mut draft),
    };
    if draft.is_wrong() {
        return visitor.show_again(&form(&visitor, &draft, None));
    }
    let made = visitor
        .provider()
        .create_resource(&visitor.tenant, new, &visitor.by())
        .await;
    match made {
        Ok(resource) => visitor.done(
            &format!("/resources/{}", resource.id),
            &Notice::new("resources-created").name(resource.name),
        ),
        Err(error) => {
            take(&visitor, &mut draft, error)?;
            visitor.show_again(&form(&visitor, &draft, None))
        }
    }
}

/// The form as the resource is stored.
fn draft_of(resource: &Resource) -> Draft {
    Draft::new([
        ("name", resource.name.clone()),
        ("scope", lines_of(resource)),
        (TYPES, types_of(resource)),
    ])
}

/// `GET /console/resources/{id}/edit`.
async fn ask_to_edit(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Resources))?;
    let resource = resource_of(&visitor, &request).await?;
    visitor.show(&form(&visitor, &draft_of(&resource), Some(&resource)))
}

/// `POST /console/resources/{id}/edit`.
async fn save(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Resources))?;
    let sent = visitor.take()?;
    let resource = resource_of(&visitor, &request).await?;
    let mut draft = Draft::sent(&sent, &["name", "scope", TYPES]);
    let changed = Resource {
        name: draft.value("name").to_owned(),
        scopes: scopes_in(&draft),
        details_types: types_in(&visitor, &mut draft),
        version: sent.input("version").parse().unwrap_or_default(),
        ..resource.clone()
    };
    // Of what was changed, so that correcting a field doesn't overwrite what somebody else saved meanwhile.
    let again = |draft: &Draft| {
        let mut view = form(&visitor, draft, Some(&resource));
        view.hidden = vec![("version", sent.input("version").to_owned())];
        visitor.show_again(&view)
    };
    if draft.is_wrong() {
        return again(&draft);
    }
    let saved = visitor
        .provider()
        .update_resource(&visitor.tenant, changed, &visitor.by())
        .await;
    match saved {
        Ok(resource) => visitor.done(
            &format!("/resources/{}", resource.id),
            &Notice::new("changes-saved"),
        ),
        Err(AdminError::Stale(_)) => {
            let now = resource_of(&visitor, &request).await?;
            let view = form(&visitor, &draft, Some(&now)).beside(&draft, &draft_of(&now));
            Ok(visitor.respond(actix_web::http::StatusCode::CONFLICT, &view))
        }
        Err(error) => {
            take(&visitor, &mut draft, error)?;
            again(&draft)
        }
    }
}

/// `GET /console/resources/{id}/delete`.
async fn ask_to_delete(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Resources))?;
    let resource = resource_of(&visitor, &request).await?;
    let dependents = visitor
        .provider()
        .list_dependent_clients(&visitor.tenant, &resource)
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let mut consequences = vec![
        page.t("resources-delete-tokens").into_owned(),
        page.t("resources-delete-out").into_owned(),
    ];
    if dependents.is_empty() {
        consequences.push(page.t("resources-delete-nobody").into_owned());
    }
    for client in dependents.iter().take(NAMED) {
        let name = if client.name.is_empty() {
            client.id.to_string()
        } else {
            client.name.clone()
        };
        let said = match client.tie {
            Tie::Name => "resources-delete-named",
            Tie::Scope => "resources-delete-scoped",
            Tie::DetailsType => "resources-delete-typed",
            Tie::Exchange => "resources-delete-exchanged",
        };
        consequences.push(page.f(said, "client", &name));
    }
    if dependents.len() > NAMED {
        let more = (dependents.len() - NAMED).to_string();
        consequences.push(page.f("resources-delete-more", "number", &more));
    }
    let back = page.path(&format!("/resources/{}", resource.id));
    visitor.show(&Confirm {
        page,
        title: page.t("resources-delete").into_owned(),
        lede: format!("{} ({})", resource.name, resource.identifier),
        consequences,
        action: format!("{back}/delete"),
        hidden: Vec::new(),
        button: page.t("resources-delete").into_owned(),
        back,
    })
}

/// `POST /console/resources/{id}/delete`.
async fn delete(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Resources))?;
    visitor.take()?;
    let resource = resource_of(&visitor, &request).await?;
    let deleted = visitor
        .provider()
        .delete_resource(&visitor.tenant, resource.id, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    visitor.done(
        "/resources",
        &Notice::new("resources-deleted").name(deleted.name),
    )
}
