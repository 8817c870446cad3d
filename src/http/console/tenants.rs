//! The installation's tenants, for operators: found among many, made, closed, opened again, deleted.
//!
//! A tenant's page is `/tenant/{slug}`: what lies below `/tenants/{slug}` is that tenant's own console.

use actix_web::{HttpRequest, web};

use super::home::number;
use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Cell, Confirm, Draft, Empty, Field, ListQuery, Table, Tone};
use super::routes::at;
use super::sections::{Reach, Section};
use super::sheets::{self, Act, DetailSheet, Fact, FactGroup, FormSheet, Group, ListSheet};
use super::visitor::Visitor;
use crate::domain::tenant::{TenantRecord, TenantStatus};
use crate::flows::admin::{Area, Overview, Permission};
use crate::http::error::{Answer, PageError};
use crate::http::extract::Query;

/// This section.
pub static SECTION: Section = Section {
    path: "/tenants",
    label: "section-tenants",
    needs: Some(Permission::Read(Area::Tenants)),
    reach: Reach::Installation,
    routes: |pages| {
        pages.service(at("/tenants").route(web::get().to(list)));
        pages.service(
            at("/tenant-new")
                .route(web::get().to(ask_for_new))
                .route(web::post().to(create)),
        );
        pages.service(at("/tenant/{slug}").route(web::get().to(show)));
        pages.service(
            at("/tenant/{slug}/suspend")
                .route(web::get().to(ask_to_suspend))
                .route(web::post().to(suspend)),
        );
        pages.service(at("/tenant/{slug}/resume").route(web::post().to(resume)));
        pages.service(
            at("/tenant/{slug}/delete")
                .route(web::get().to(ask_to_delete))
                .route(web::post().to(delete)),
        );
    },
};

const READ: Permission = Permission::Read(Area::Tenants);
const WRITE: Permission = Permission::Write(Area::Tenants);

/// Operators only, at their own console: elsewhere nothing is here.
fn enter(visitor: &Visitor, permission: Permission) -> Result<(), PageError> {
    if visitor.principal().is_operator() {
        visitor.check(permission)
    } else {
        Err(visitor.not_found())
    }
}

fn status(page: &Shell<'_>, status: TenantStatus) -> (Tone, String) {
    let (tone, id) = match status {
        TenantStatus::Active => (Tone::Good, "tenants-active"),
        TenantStatus::Suspended => (Tone::Bad, "suspended"),
        TenantStatus::Deleting => (Tone::Bad, "tenants-deleting"),
    };
    (tone, page.t(id).into_owned())
}

async fn record_of(visitor: &Visitor, request: &HttpRequest) -> Result<TenantRecord, PageError> {
    let slug = request.match_info().get("slug").unwrap_or_default();
    let found = visitor.provider().load_tenant_record(slug).await;
    found.map_err(|error| visitor.fault(error))
}

/// `GET /console/tenants`.
async fn list(visitor: Visitor, Query(params): Query) -> Answer {
    enter(&visitor, READ)?;
    let query = ListQuery::of(&params, &[]);
    let found = visitor
        .provider()
        .list_tenants(query.search.clone(), query.page())
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let row = |tenant: &TenantRecord| {
        let (tone, text) = status(&page, tenant.status);
        vec![
            Cell::Link {
                href: page.path(&format!("/tenant/{}", tenant.slug)),
                text: tenant.name.clone(),
                detail: tenant.slug.to_string(),
            },
            Cell::Badge(tone, text),
            Cell::moment(&page, &tenant.created_at),
        ]
    };
    let new = || (page.path("/tenant-new"), page.t("tenants-new").into_owned());
    visitor.show(&ListSheet {
        page,
        title: page.t("section-tenants").into_owned(),
        lede: String::new(),
        acts: vec![Act::link("new", new().0, new().1)],
        search: Some((
            query.search.clone().unwrap_or_default(),
            page.t("tenants-search").into_owned(),
        )),
        address: page.path("/tenants"),
        table: Table {
            caption: page.t("section-tenants").into_owned(),
            columns: ["tenants-name", "tenants-status", "tenants-made"]
                .map(|id| page.t(id).into_owned())
                .into(),
            rows: found.items.iter().map(row).collect(),
        },
        empty: if query.search.is_some() {
            Empty {
                title: page.t("nothing-found").into_owned(),
                text: page.t("tenants-nothing-found-text").into_owned(),
                action: None,
            }
        } else {
            Empty {
                title: page.t("tenants-empty").into_owned(),
                text: page.t("tenants-empty-text").into_owned(),
                action: Some(new()),
            }
        },
        pager: query.pager(&page.path("/tenants"), found.next),
    })
}

fn form<'a>(visitor: &'a Visitor, draft: &Draft) -> FormSheet<'a> {
    let page = visitor.shell(&SECTION);
    let example = visitor.provider().config.public_url.issuer("acme");
    let fields = vec![
        Field::text("name", page.t("tenants-name"))
            .hint(page.t("tenants-name-hint"))
            .required()
            .of(draft),
        Field::text("slug", page.t("tenants-slug"))
            .hint(page.f("tenants-slug-hint", "address", &example))
            .required()
            .of(draft),
    ];
    let back = page.path("/tenants");
    FormSheet {
        page,
        back: Some((back.clone(), page.t("section-tenants").into_owned())),
        title: page.t("tenants-new").into_owned(),
        lede: page.t("tenants-new-lede").into_owned(),
        consequences: Vec::new(),
        stale: String::new(),
        problems: draft.other_problems(&fields),
        action: page.path("/tenant-new"),
        hidden: Vec::new(),
        groups: Group::plain(fields),
        preview: None,
        button: page.t("tenants-create").into_owned(),
        danger: false,
        cancel: back,
    }
}

/// `GET /console/tenant-new`.
async fn ask_for_new(visitor: Visitor) -> Answer {
    enter(&visitor, WRITE)?;
    visitor.show(&form(&visitor, &Draft::default()))
}

/// `POST /console/tenant-new`.
async fn create(visitor: Visitor) -> Answer {
    enter(&visitor, WRITE)?;
    let sent = visitor.take()?;
    let mut draft = Draft::sent(&sent, &["name", "slug"]);
    let made = visitor
        .provider()
        .create_tenant(draft.value("slug"), draft.value("name"), &visitor.by())
        .await;
    match made {
        Ok(tenant) => visitor.done(
            &format!("/tenant/{}", tenant.slug()),
            &Notice::new("tenants-created").name(&tenant.record.name),
        ),
        Err(error) => {
            let taken = visitor.shell(&SECTION).t("tenants-taken");
            sheets::take(visitor.shell(&SECTION), &mut draft, "slug", &taken, error)
                .map_err(|error| visitor.fault(error))?;
            visitor.show_again(&form(&visitor, &draft))
        }
    }
}

/// What can be done about its being there at all.
fn life_acts(page: &Shell<'_>, record: &TenantRecord, path: &str) -> Vec<Act> {
    let mut acts = Vec::new();
    if record.is_system() {
        return acts;
    }
    if record.status == TenantStatus::Active {
        acts.push(Act::danger(
            "suspend",
            format!("{path}/suspend"),
            page.t("tenants-suspend"),
        ));
    } else if record.status == TenantStatus::Suspended {
        acts.push(Act::post(
            "resume",
            format!("{path}/resume"),
            page.t("tenants-resume"),
        ));
    }
    acts.push(Act::danger(
        "delete",
        format!("{path}/delete"),
        page.t("tenants-delete"),
    ));
    acts
}

/// What is to be done first where nobody can look after a tenant: the words, and what leads there.
fn next_step(page: &Shell<'_>, overview: &Overview, console: &str) -> Option<(FactGroup, Act)> {
    let (text, id, path, label) = if overview.users.is_zero() {
        (
            "tenants-next-text",
            "first-administrator",
            "/users/new",
            "tenants-first-administrator",
        )
    } else if overview.has_administrator {
        return None;
    } else {
        (
            "tenants-next-appoint-text",
            "appoint-administrator",
            "/administrators/new",
            "tenants-appoint-administrator",
        )
    };
    let group = FactGroup {
        title: page.t("tenants-next").into_owned(),
        text: page.t(text).into_owned(),
        facts: Vec::new(),
    };
    Some((
        group,
        Act::link(id, format!("{console}{path}"), page.t(label)),
    ))
}

/// `GET /console/tenant/{slug}`.
async fn show(visitor: Visitor, request: HttpRequest) -> Answer {
    enter(&visitor, READ)?;
    let record = record_of(&visitor, &request).await?;
    let tenant = visitor
        .provider()
        .find_tenant(&record.slug)
        .await
        .map_err(|error| visitor.fail(error))?;
    let page = visitor.shell(&SECTION);
    let path = page.path(&format!("/tenant/{}", record.slug));
    let console = page.path(&format!("/tenants/{}", record.slug));
    let (mut acts, mut groups) = (Vec::new(), Vec::new());
    let mut facts = vec![
        Fact::code(page.t("tenants-slug"), vec![record.slug.to_string()]),
        Fact::code(page.t("tenants-id"), vec![record.id.to_string()]),
        Fact::said(page.t("tenants-made"), page.moment(&record.created_at)),
    ];
    if let Some(tenant) = &tenant {
        let overview = visitor
            .provider()
            .overview(tenant)
            .await
            .map_err(|error| visitor.fault(error))?;
        let issuers = tenant.issuers.iter().map(ToString::to_string).collect();
        facts.insert(0, Fact::code(page.t("issuer"), issuers));
        facts.push(Fact::code(
            page.t("tenants-console"),
            vec![format!("{}/console", tenant.canonical)],
        ));
        facts.push(Fact::said(page.t("figure-users"), number(overview.users)));
        facts.push(Fact::said(
            page.t("figure-clients"),
            number(overview.clients),
        ));
        if record.slug != *visitor.tenant.slug() {
            let next = next_step(&page, &overview, &console);
            groups.extend(next.map(|(group, act)| {
                acts.push(act);
                group
            }));
        }
        acts.push(Act::link("open", console, page.t("tenants-open")));
    }
    acts.extend(life_acts(&page, &record, &path));
    groups.insert(
        0,
        FactGroup {
            title: String::new(),
            text: String::new(),
            facts,
        },
    );
    visitor.show(&DetailSheet {
        page,
        back: Some((
            page.path("/tenants"),
            page.t("section-tenants").into_owned(),
        )),
        title: record.name.clone(),
        badges: vec![status(&page, record.status)],
        lede: if record.is_system() {
            page.t("tenants-system").into_owned()
        } else {
            String::new()
        },
        problems: Vec::new(),
        acts,
        groups,
    })
}

/// `GET /console/tenant/{slug}/suspend`.
async fn ask_to_suspend(visitor: Visitor, request: HttpRequest) -> Answer {
    enter(&visitor, WRITE)?;
    let record = record_of(&visitor, &request).await?;
    let page = visitor.shell(&SECTION);
    let back = page.path(&format!("/tenant/{}", record.slug));
    visitor.show(&Confirm {
        page,
        title: page.t("tenants-suspend").into_owned(),
        lede: format!("{} ({})", record.name, record.slug),
        consequences: [
            "tenants-suspend-pages",
            "tenants-suspend-tokens",
            "tenants-suspend-open",
            "tenants-suspend-back",
        ]
        .map(|id| page.t(id).into_owned())
        .into(),
        action: format!("{back}/suspend"),
        hidden: Vec::new(),
        button: page.t("tenants-suspend").into_owned(),
        back,
    })
}

/// `POST /console/tenant/{slug}/suspend`.
async fn suspend(visitor: Visitor, request: HttpRequest) -> Answer {
    enter(&visitor, WRITE)?;
    visitor.take()?;
    let record = record_of(&visitor, &request).await?;
    let slug = record.slug.as_str();
    visitor
        .provider()
        .suspend_tenant(slug, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    let notice = Notice::new("tenants-suspended").name(&record.name);
    visitor.done(
        &format!("/tenant/{slug}"),
        &notice.undo(&format!("/tenant/{slug}/resume"), &[]),
    )
}

/// `POST /console/tenant/{slug}/resume`.
async fn resume(visitor: Visitor, request: HttpRequest) -> Answer {
    enter(&visitor, WRITE)?;
    visitor.take()?;
    let record = record_of(&visitor, &request).await?;
    let slug = record.slug.as_str();
    visitor
        .provider()
        .resume_tenant(slug, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    visitor.done(
        &format!("/tenant/{slug}"),
        &Notice::new("tenants-resumed").name(&record.name),
    )
}

fn deletion<'a>(visitor: &'a Visitor, record: &TenantRecord, draft: &Draft) -> FormSheet<'a> {
    let page = visitor.shell(&SECTION);
    let fields = vec![
        Field::text(
            "slug",
            page.f("tenants-type-slug", "slug", record.slug.as_str()),
        )
        .required()
        .of(draft),
    ];
    let back = page.path(&format!("/tenant/{}", record.slug));
    FormSheet {
        page,
        back: Some((back.clone(), record.name.clone())),
        title: page.t("tenants-delete").into_owned(),
        lede: format!("{} ({})", record.name, record.slug),
        consequences: [
            "tenants-delete-rows",
            "tenants-delete-key",
            "tenants-delete-addresses",
            "tenants-delete-final",
        ]
        .map(|id| page.t(id).into_owned())
        .into(),
        stale: String::new(),
        problems: draft.other_problems(&fields),
        action: format!("{back}/delete"),
        hidden: Vec::new(),
        groups: Group::plain(fields),
        preview: None,
        button: page.t("tenants-delete").into_owned(),
        danger: true,
        cancel: back,
    }
}

/// `GET /console/tenant/{slug}/delete`.
async fn ask_to_delete(visitor: Visitor, request: HttpRequest) -> Answer {
    enter(&visitor, WRITE)?;
    let record = record_of(&visitor, &request).await?;
    visitor.show(&deletion(&visitor, &record, &Draft::default()))
}

/// `POST /console/tenant/{slug}/delete`.
async fn delete(visitor: Visitor, request: HttpRequest) -> Answer {
    enter(&visitor, WRITE)?;
    let sent = visitor.take()?;
    let record = record_of(&visitor, &request).await?;
    let mut draft = Draft::sent(&sent, &["slug"]);
    if draft.value("slug") != record.slug.as_str() {
        let page = visitor.shell(&SECTION);
        draft.blame("slug", page.t("tenants-other-slug"));
        return visitor.show_again(&deletion(&visitor, &record, &draft));
    }
    let deleted = visitor
        .provider()
        .delete_tenant(record.slug.as_str(), &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    visitor.done(
        "/tenants",
        &Notice::new("tenants-deleted").name(deleted.name),
    )
}
