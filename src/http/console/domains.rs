//! Custom domains: added, proved, made the canonical address, removed.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Cell, Confirm, Draft, Empty, Field, FieldKind, ListQuery, Table, Tone};
use super::routes::at;
use super::sections::{Reach, Section};
use super::sheets::{self, Act, DetailSheet, Fact, FactGroup, FormSheet, Group, ListSheet};
use super::visitor::Visitor;
use crate::domain::address::{Domain, DomainStage};
use crate::domain::ids::DomainId;
use crate::egress::DnsError;
use crate::flows::admin::{
    AdminError, Area, FileProblem, Permission, RecordProblem, Unproved, VERIFICATION_PATH,
    verification_record,
};
use crate::http::error::{Answer, PageError};
use crate::http::extract::Query;

/// This section.
pub static SECTION: Section = Section {
    path: "/domains",
    label: "section-domains",
    needs: Some(Permission::Read(Area::Domains)),
    reach: Reach::Tenant,
    routes: |pages| {
        pages.service(at("/domains").route(web::get().to(list)));
        pages.service(
            at("/domains/new")
                .route(web::get().to(ask_for_new))
                .route(web::post().to(add)),
        );
        pages.service(at("/domains/default").route(web::post().to(make_default_canonical)));
        pages.service(at("/domains/{id}").route(web::get().to(show)));
        pages.service(at("/domains/{id}/verify").route(web::post().to(verify)));
        pages.service(at("/domains/{id}/canonical").route(web::post().to(make_canonical)));
        pages.service(
            at("/domains/{id}/remove")
                .route(web::get().to(ask_to_remove))
                .route(web::post().to(remove)),
        );
    },
};

fn badges(page: &Shell<'_>, domain: &Domain) -> Vec<(Tone, String)> {
    let mut badges = vec![match domain.stage {
        DomainStage::Verified { .. } => (Tone::Good, page.t("word-verified").into_owned()),
        DomainStage::Pending { .. } => (Tone::Bad, page.t("word-pending").into_owned()),
    }];
    if domain.canonical {
        badges.push((Tone::Quiet, page.t("domains-canonical").into_owned()));
    }
    badges
}

/// What stands above its page: the host, which fits a phone's width where the whole address would be broken.
fn name_of(domain: &Domain) -> String {
    let host = domain.origin.strip_prefix("https://");
    host.unwrap_or(&domain.origin).to_owned()
}

async fn domain_of(visitor: &Visitor, request: &HttpRequest) -> Result<Domain, PageError> {
    let id: DomainId = visitor.named(request, "id")?;
    let found = visitor.provider().load_domain_by_id(&visitor.tenant, id);
    found.await.map_err(|error| visitor.fault(error))
}

/// `GET /console/domains`.
async fn list(visitor: Visitor, Query(params): Query) -> Answer {
    visitor.check(Permission::Read(Area::Domains))?;
    let query = ListQuery::of(&params, &[]);
    let found = visitor
        .provider()
        .list_domains(&visitor.tenant, query.page())
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let row = |domain: &Domain| {
        let mut badges = badges(&page, domain).into_iter();
        let (tone, text) = badges.next().unwrap_or((Tone::Quiet, String::new()));
        vec![
            Cell::Link {
                href: page.path(&format!("/domains/{}", domain.id)),
                text: domain.origin.clone(),
                detail: badges.next().map_or_else(String::new, |(_, text)| text),
            },
            Cell::Badge(tone, text),
            Cell::moment(&page, &domain.created_at),
        ]
    };
    let may_write = visitor.may(Permission::Write(Area::Domains));
    let new = || {
        (
            page.path("/domains/new"),
            page.t("domains-new").into_owned(),
        )
    };
    let mut acts = Vec::new();
    if may_write {
        acts.push(Act::link("new", new().0, new().1));
    }
    visitor.show(&ListSheet {
        page,
        title: page.t("section-domains").into_owned(),
        lede: page.f("domains-lede", "issuer", &visitor.tenant.issuers[0]),
        acts,
        search: None,
        address: page.path("/domains"),
        table: Table {
            caption: page.t("section-domains").into_owned(),
            columns: ["state-domain", "domains-state", "domains-added"]
                .map(|id| page.t(id).into_owned())
                .into(),
            rows: found.items.iter().map(row).collect(),
        },
        empty: Empty {
            title: page.t("domains-empty").into_owned(),
            text: page.t("domains-empty-text").into_owned(),
            action: may_write.then(new),
        },
        pager: query.pager(&page.path("/domains"), found.next),
    })
}

fn form<'a>(visitor: &'a Visitor, draft: &Draft) -> FormSheet<'a> {
    let page = visitor.shell(&SECTION);
    let fields = vec![
        Field::new("domain", page.t("domains-address"), FieldKind::Line("url"))
            .hint(page.t("domains-address-hint"))
            .required()
            .of(draft),
    ];
    let back = page.path("/domains");
    FormSheet {
        page,
        back: Some((back.clone(), page.t("section-domains").into_owned())),
        title: page.t("domains-new").into_owned(),
        lede: page.t("domains-new-lede").into_owned(),
        consequences: Vec::new(),
        stale: String::new(),
        problems: draft.other_problems(&fields),
        action: page.path("/domains/new"),
        hidden: Vec::new(),
        groups: Group::plain(fields),
        preview: None,
        button: page.t("domains-new").into_owned(),
        danger: false,
        cancel: back,
    }
}

/// `GET /console/domains/new`.
async fn ask_for_new(visitor: Visitor) -> Answer {
    visitor.check(Permission::Write(Area::Domains))?;
    visitor.show(&form(&visitor, &Draft::default()))
}

/// `POST /console/domains/new`.
async fn add(visitor: Visitor) -> Answer {
    visitor.check(Permission::Write(Area::Domains))?;
    let sent = visitor.take()?;
    let mut draft = Draft::sent(&sent, &["domain"]);
    let added = visitor
        .provider()
        .add_domain(&visitor.tenant, draft.value("domain"), &visitor.by())
        .await;
    match added {
        Ok(domain) => visitor.done(
            &format!("/domains/{}", domain.id),
            &Notice::new("domains-done-added").name(domain.origin),
        ),
        Err(error) => {
            let taken = visitor.shell(&SECTION).t("domains-taken");
            sheets::take(visitor.shell(&SECTION), &mut draft, "domain", &taken, error)
                .map_err(|error| visitor.fault(error))?;
            visitor.show_again(&form(&visitor, &draft))
        }
    }
}

fn sheet<'a>(visitor: &'a Visitor, domain: &Domain, problems: Vec<String>) -> DetailSheet<'a> {
    let page = visitor.shell(&SECTION);
    let path = page.path(&format!("/domains/{}", domain.id));
    let may_write = visitor.may(Permission::Write(Area::Domains));
    let mut acts = Vec::new();
    let mut groups = Vec::new();
    match &domain.stage {
        DomainStage::Pending { verification_token } => {
            acts.push(Act::post(
                "verify",
                format!("{path}/verify"),
                page.t("domains-verify"),
            ));
            let file = format!("{}{VERIFICATION_PATH}", domain.origin);
            let mut facts = Vec::new();
            if let Some(name) = verification_record(&domain.origin) {
                facts.push(Fact::code(page.t("domains-record"), vec![name]));
            }
            facts.push(Fact::code(page.t("domains-file"), vec![file]));
            facts.push(Fact::code(
                page.t("domains-content"),
                vec![verification_token.clone()],
            ));
            groups.push(FactGroup {
                title: page.t("domains-proof").into_owned(),
                text: page.t("domains-proof-text").into_owned(),
                facts,
            });
        }
        DomainStage::Verified { verified_at } => {
            acts.push(if domain.canonical {
                Act::post(
                    "default",
                    page.path("/domains/default"),
                    page.t("domains-make-default"),
                )
            } else {
                Act::post(
                    "canonical",
                    format!("{path}/canonical"),
                    page.t("domains-make-canonical"),
                )
            });
            groups.push(FactGroup {
                title: String::new(),
                text: String::new(),
                facts: vec![
                    Fact::code(page.t("issuer"), vec![domain.origin.clone()]),
                    Fact::said(page.t("word-verified"), page.moment(verified_at)),
                ],
            });
        }
    }
    acts.push(Act::danger(
        "remove",
        format!("{path}/remove"),
        page.t("domains-remove"),
    ));
    if !may_write {
        acts.clear();
    }
    DetailSheet {
        page,
        back: Some((
            page.path("/domains"),
            page.t("section-domains").into_owned(),
        )),
        title: name_of(domain),
        badges: badges(&page, domain),
        lede: String::new(),
        problems,
        acts,
        groups,
    }
}

/// `GET /console/domains/{id}`.
async fn show(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Read(Area::Domains))?;
    let domain = domain_of(&visitor, &request).await?;
    visitor.show(&sheet(&visitor, &domain, Vec::new()))
}

/// What was found where the proof may be, and what to do. The names and addresses stand below it on the page.
fn not_proved(page: &Shell<'_>, found: &Unproved) -> Vec<String> {
    let record = match &found.record {
        RecordProblem::Impossible(_) => None,
        RecordProblem::Differs(_) => Some("domains-record-differs"),
        RecordProblem::Unread { error, .. } => Some(match error {
            DnsError::Missing => "domains-record-missing",
            _ => "domains-record-unread",
        }),
    };
    let file = match &found.file {
        FileProblem::Unfetched { .. } => "domains-file-unfetched",
        FileProblem::Differs(_) => "domains-file-differs",
    };
    let advice = match record {
        Some(_) => "domains-not-proved",
        None => "domains-not-proved-file",
    };
    [Some(advice), record, Some(file)]
        .into_iter()
        .flatten()
        .map(|id| page.t(id).into_owned())
        .collect()
}

/// `POST /console/domains/{id}/verify`.
async fn verify(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Domains))?;
    visitor.take()?;
    let domain = domain_of(&visitor, &request).await?;
    let verified = visitor
        .provider()
        .verify_domain(&visitor.tenant, &domain.origin, &visitor.by())
        .await;
    match verified {
        Ok(_) => visitor.done(
            &format!("/domains/{}", domain.id),
            &Notice::new("domains-verified").name(domain.origin),
        ),
        // What was looked for, and what was found.
        Err(AdminError::Unproved(found)) => {
            let told = not_proved(&visitor.shell(&SECTION), &found);
            let view = sheet(&visitor, &domain, told);
            Ok(visitor.respond(StatusCode::CONFLICT, &view))
        }
        Err(AdminError::Refused(_)) => {
            let told = visitor.shell(&SECTION).t("domains-elsewhere").into_owned();
            let view = sheet(&visitor, &domain, vec![told]);
            Ok(visitor.respond(StatusCode::CONFLICT, &view))
        }
        Err(error) => Err(visitor.fault(error)),
    }
}

/// `POST /console/domains/{id}/canonical`.
async fn make_canonical(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Domains))?;
    visitor.take()?;
    let domain = domain_of(&visitor, &request).await?;
    visitor
        .provider()
        .set_canonical_domain(&visitor.tenant, Some(&domain.origin), &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    let notice = Notice::new("domains-done-canonical").name(domain.origin);
    let notice = match visitor.tenant.domains.iter().find(|known| known.canonical) {
        Some(before) if before.id == domain.id => notice,
        Some(before) => notice.undo(&format!("/domains/{}/canonical", before.id), &[]),
        None => notice.undo("/domains/default", &[]),
    };
    visitor.done(&format!("/domains/{}", domain.id), &notice)
}

/// `POST /console/domains/default`.
async fn make_default_canonical(visitor: Visitor) -> Answer {
    visitor.check(Permission::Write(Area::Domains))?;
    visitor.take()?;
    visitor
        .provider()
        .set_canonical_domain(&visitor.tenant, None, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    let address = visitor.tenant.issuers[0].to_string();
    visitor.done(
        "/domains",
        &Notice::new("domains-done-canonical").name(address),
    )
}

fn consequences(page: &Shell<'_>, visitor: &Visitor, domain: &Domain) -> Vec<String> {
    if matches!(domain.stage, DomainStage::Pending { .. }) {
        return vec![page.t("domains-remove-pending").into_owned()];
    }
    let mut lines: Vec<_> = [
        "domains-remove-pages",
        "domains-remove-tokens",
        "domains-remove-applications",
        "domains-remove-sessions",
    ]
    .map(|id| page.f(id, "origin", &domain.origin))
    .into();
    if domain.canonical {
        lines.push(page.f(
            "domains-remove-canonical",
            "address",
            &visitor.tenant.issuers[0],
        ));
    }
    lines
}

/// `GET /console/domains/{id}/remove`.
async fn ask_to_remove(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Domains))?;
    let domain = domain_of(&visitor, &request).await?;
    let page = visitor.shell(&SECTION);
    let back = page.path(&format!("/domains/{}", domain.id));
    visitor.show(&Confirm {
        page,
        title: page.t("domains-remove").into_owned(),
        consequences: consequences(&page, &visitor, &domain),
        lede: domain.origin,
        action: format!("{back}/remove"),
        hidden: Vec::new(),
        button: page.t("domains-remove").into_owned(),
        back,
    })
}

/// `POST /console/domains/{id}/remove`.
async fn remove(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Domains))?;
    visitor.take()?;
    let domain = domain_of(&visitor, &request).await?;
    visitor
        .provider()
        .remove_domain(&visitor.tenant, &domain.origin, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    visitor.done(
        "/domains",
        &Notice::new("domains-removed").name(domain.origin),
    )
}
