//! Sign-out notices: which clients were told that a session has ended, which weren't and why, and once more.

use actix_web::{HttpRequest, web};

use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Cell, Empty, ListQuery, Table, Tone};
use super::reasons;
use super::routes::at;
use super::sections::{Reach, Section};
use super::sheets::{Act, DetailSheet, Fact, FactGroup, ListSheet};
use super::visitor::Visitor;
use crate::domain::logout_delivery::{DeliveryKind, DeliveryState, LogoutDelivery};
use crate::flows::admin::{AdminError, Area, Permission};
use crate::http::error::{Answer, PageError};
use crate::http::extract::Query;

/// This section.
pub static SECTION: Section = Section {
    path: "/logout-deliveries",
    label: "section-logout-deliveries",
    needs: Some(Permission::Read(Area::Clients)),
    reach: Reach::Tenant,
    routes: |pages| {
        pages.service(at("/logout-deliveries").route(web::get().to(list)));
        pages.service(at("/logout-deliveries/{id}").route(web::get().to(show)));
        pages.service(at("/logout-deliveries/{id}/retry").route(web::post().to(retry)));
    },
};

/// Where a delivery stands, in words.
fn state(page: &Shell<'_>, delivery: &LogoutDelivery) -> (Tone, String) {
    let (tone, id) = match delivery.state {
        DeliveryState::Pending if delivery.claimed => (Tone::Quiet, "notices-running"),
        DeliveryState::Pending => (Tone::Quiet, "notices-pending"),
        DeliveryState::Delivered => (Tone::Good, "notices-delivered"),
        DeliveryState::Failed => (Tone::Bad, "notices-failed"),
    };
    (tone, page.t(id).into_owned())
}

/// What it is, in words.
fn kind(page: &Shell<'_>, kind: DeliveryKind) -> String {
    let id = match kind {
        DeliveryKind::Logout => "notices-kind-logout",
        DeliveryKind::BackchannelPing => "notices-kind-ping",
        DeliveryKind::BackchannelPush => "notices-kind-push",
        DeliveryKind::BackchannelNotice => "notices-kind-notice",
    };
    page.t(id).into_owned()
}

/// `GET /console/logout-deliveries`.
async fn list(visitor: Visitor, Query(params): Query) -> Answer {
    visitor.check(Permission::Read(Area::Clients))?;
    let query = ListQuery::of(&params, &["state"]);
    let wanted = params.get("state").ok().flatten();
    let wanted = wanted.and_then(DeliveryState::parse);
    let (provider, tenant) = (visitor.provider(), &visitor.tenant);
    let found = provider
        .list_logout_deliveries(tenant, wanted, query.page())
        .await
        .map_err(|error| visitor.fault(error))?;
    let names = provider
        .names_of_clients(tenant, &found.items)
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let address = page.path(SECTION.path);
    let row = |delivery: &LogoutDelivery| {
        let (tone, text) = state(&page, delivery);
        let name = names.get(&delivery.client_id).cloned();
        vec![
            Cell::Link {
                href: format!("{address}/{}", delivery.id),
                text: name.unwrap_or_else(|| delivery.client_id.to_string()),
                detail: delivery.last_error.clone().unwrap_or_default(),
            },
            Cell::Text(kind(&page, delivery.kind)),
            Cell::Badge(tone, text),
            Cell::Text(delivery.attempts.to_string()),
            Cell::moment(&page, &delivery.created_at),
        ]
    };
    // What failed is what somebody comes here for.
    let other = if wanted == Some(DeliveryState::Failed) {
        Act::link("all", address.clone(), page.t("notices-all"))
    } else {
        let failed = DeliveryState::Failed.as_str();
        let href = format!("{address}?state={failed}");
        Act::link("failed", href, page.t("notices-only-failed"))
    };
    let (title, text) = match wanted {
        None => ("notices-empty", "notices-empty-text"),
        Some(_) => ("notices-none", "notices-none-text"),
    };
    visitor.show(&ListSheet {
        page,
        title: page.t(SECTION.label).into_owned(),
        lede: page.t("notices-lede").into_owned(),
        acts: vec![other],
        search: None,
        address: address.clone(),
        table: Table {
            caption: page.t(SECTION.label).into_owned(),
            columns: [
                "notices-application",
                "notices-kind",
                "notices-state",
                "notices-attempts",
                "notices-ended",
            ]
            .map(|id| page.t(id).into_owned())
            .into(),
            rows: found.items.iter().map(row).collect(),
        },
        empty: Empty {
            title: page.t(title).into_owned(),
            text: page.t(text).into_owned(),
            action: None,
        },
        pager: query.pager(&address, found.next),
    })
}

async fn delivery_of(
    visitor: &Visitor,
    request: &HttpRequest,
) -> Result<LogoutDelivery, PageError> {
    let id = visitor.named(request, "id")?;
    visitor
        .provider()
        .load_logout_delivery(&visitor.tenant, id)
        .await
        .map_err(|error| visitor.fault(error))
}

/// `GET /console/logout-deliveries/{id}`.
async fn show(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Read(Area::Clients))?;
    let delivery = delivery_of(&visitor, &request).await?;
    let names = visitor
        .provider()
        .names_of_clients(&visitor.tenant, std::slice::from_ref(&delivery))
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let client = delivery.client_id.to_string();
    let name = names.get(&delivery.client_id).unwrap_or(&client);
    let address = page.path(SECTION.path);
    let mut acts = vec![Act::link(
        "client",
        page.path(&format!("/clients/{client}")),
        page.t("notices-application"),
    )];
    if visitor.may(Permission::Write(Area::Clients))
        && delivery.state != DeliveryState::Delivered
        && !delivery.claimed
    {
        let href = format!("{address}/{}/retry", delivery.id);
        acts.push(Act::post("retry", href, page.t("notices-retry")));
    }
    let mut facts = vec![
        Fact::said(page.t("notices-kind"), kind(&page, delivery.kind)),
        Fact::said(page.t("notices-ended"), page.moment(&delivery.created_at)),
        Fact::said(page.t("notices-attempts"), delivery.attempts.to_string()),
    ];
    if let Some(next) = delivery.due_at.filter(|_| !delivery.claimed) {
        facts.push(Fact::said(page.t("notices-next"), page.moment(&next)));
    }
    if let Some(ended) = &delivery.ended_at {
        facts.push(Fact::said(page.t("notices-finished"), page.moment(ended)));
    }
    if let Some(error) = &delivery.last_error {
        let told = reasons::in_words(page, error);
        facts.push(Fact::said(page.t("notices-error"), told));
    }
    facts.push(match delivery.request_id {
        Some(request) => Fact::code(page.t("notices-request"), vec![request.to_string()]),
        None => Fact::code(
            page.t("notices-session"),
            vec![delivery.session_id.to_string()],
        ),
    });
    facts.push(Fact::code(
        page.t("notices-issuer"),
        vec![delivery.issuer.clone()],
    ));
    visitor.show(&DetailSheet {
        page,
        back: Some((address, page.t(SECTION.label).into_owned())),
        title: page.f("notices-title", "client", name),
        badges: vec![state(&page, &delivery)],
        lede: String::new(),
        problems: Vec::new(),
        acts,
        groups: vec![FactGroup {
            title: String::new(),
            text: String::new(),
            facts,
        }],
    })
}

/// `POST /console/logout-deliveries/{id}/retry`.
async fn retry(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    visitor.take()?;
    let delivery = delivery_of(&visitor, &request).await?;
    let retried = visitor
        .provider()
        .retry_logout_delivery(&visitor.tenant, delivery.id, &visitor.by())
        .await;
    let message = match retried {
        Ok(_) => "notices-retried",
        Err(AdminError::Refused(_)) => "notices-not-retried",
        Err(error) => return Err(visitor.fault(error)),
    };
    visitor.done(
        &format!("{}/{}", SECTION.path, delivery.id),
        &Notice::new(message),
    )
}
