//! What happened: the audit's events with filters, and one event in full.

use actix_web::{HttpRequest, web};
use askama::Template;
use chrono::{Days, NaiveDate};

use super::layout::Shell;
use super::parts::{Cell, Choice, Draft, Empty, Field, FieldKind, ListQuery, Pager, Table};
use super::routes::at;
use super::sections::{Reach, Section};
use super::users::find_by_email;
use super::visitor::Visitor;
use crate::clock::Timestamp;
use crate::domain::audit::{Act, RecordedEvent};
use crate::domain::ids::{ClientId, EventId, UserId};
use crate::flows::admin::{Area, EventList, Permission, actor_of, operator_of};
use crate::http::error::{Answer, PageError};
use crate::http::extract::Query;
use crate::storage::EventFilter;

/// This section.
pub static SECTION: Section = Section {
    path: "/audit",
    label: "section-audit",
    needs: Some(Permission::Read(Area::Events)),
    reach: Reach::Tenant,
    routes: |pages| {
        pages.service(at("/audit").route(web::get().to(list)));
        pages.service(at("/audit/{id}").route(web::get().to(event)));
    },
};

const FILTERS: [&str; 5] = ["act", "person", "client", "since", "until"];

/// The list.
#[derive(Template)]
#[template(path = "console/audit.html")]
pub struct Audit<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// What is looked for.
    pub filters: Vec<Field>,
    /// Whether anything is.
    pub filtered: bool,
    /// That older ones are deleted, and after how long; empty where all are kept.
    pub kept: String,
    /// What was found.
    pub table: Table,
    /// What stands there otherwise.
    pub empty: Empty,
    /// Further pages.
    pub pager: Pager,
}

/// A line about an event.
#[derive(Clone, Debug)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// What it says.
    pub text: String,
    /// Where there is more.
    pub href: Option<String>,
}

/// One event.
#[derive(Template)]
#[template(path = "console/event.html")]
pub struct EventPage<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// What happened.
    pub title: String,
    /// Everything about it.
    pub facts: Vec<Fact>,
    /// What explains it, as JSON; empty where nothing does.
    pub detail: String,
}

/// An act in words.
fn act_in_words(page: &Shell<'_>, act: &str) -> String {
    page.t(&format!("act-{}", act.replace(['.', '_'], "-")))
        .into_owned()
}

/// Who acted, in words.
fn actor(page: &Shell<'_>, event: &RecordedEvent, list: &EventList) -> String {
    let kind = event.actor.get("kind").and_then(serde_json::Value::as_str);
    let unknown = |id: &str| page.f("actor-gone", "id", id);
    match actor_of(event) {
        (Some(id), _) => name(list.people.get(&id), || unknown(&id.to_string())),
        (_, Some(id)) => name(list.clients.get(&id), || unknown(&id.to_string())),
        _ => match kind {
            Some("operator") => {
                let called = |id: uuid::Uuid| name(list.operators.get(&id), || id.to_string());
                let who = operator_of(event).map(called).unwrap_or_default();
                page.f("actor-operator", "who", &who)
            }
            Some("command_line") => page.t("actor-command-line").into_owned(),
            Some("system") => page.t("actor-system").into_owned(),
            _ => page.t("actor-anonymous").into_owned(),
        },
    }
}

fn name(known: Option<&String>, otherwise: impl FnOnce() -> String) -> String {
    known.cloned().unwrap_or_else(otherwise)
}

/// Something that an event's explanation names.
fn said<'a>(event: &'a RecordedEvent, pointer: &str) -> Option<&'a str> {
    event.detail.pointer(pointer)?.as_str()
}

/// What the person is called whom an event concerns; who was deleted, as the event says.
fn person(event: &RecordedEvent, list: &EventList) -> Option<String> {
    let id = event.user_id?;
    let otherwise = || said(event, "/email").map_or_else(|| id.to_string(), ToOwned::to_owned);
    Some(name(list.people.get(&id), otherwise))
}

/// The same of the client.
fn client(event: &RecordedEvent, list: &EventList) -> Option<String> {
    let id = event.client_id?;
    let otherwise =
        || said(event, "/client_name").map_or_else(|| id.to_string(), ToOwned::to_owned);
    Some(name(list.clients.get(&id), otherwise))
}

/// The tenant, API, domain, key or token that an event is about, by the name that its explanation gives it.
fn thing(event: &RecordedEvent) -> Option<String> {
    let said = |pointer| said(event, pointer);
    let (kind, _) = event.act.split_once('.')?;
    let name = match kind {
        "tenant" => match (said("/slug")?, said("/name")) {
            (slug, Some(name)) => return Some(format!("{name} ({slug})")),
            (slug, None) => slug,
        },
        "resource" => said("/identifier")?,
        "domain" => said("/origin")?,
        "key" => said("/kid")?,
        "initial_access_token" => said("/initial_access_token/name")?,
        _ => return None,
    };
    Some(name.to_owned())
}

/// Whom and what an event concerns, in words; empty where nothing is named.
fn concerned(event: &RecordedEvent, list: &EventList) -> String {
    [person(event, list), client(event, list), thing(event)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" · ")
}

/// The start of a day in UTC.
fn day(text: &str, later: u64) -> Option<Timestamp> {
    let day: NaiveDate = text.parse().ok()?;
    let day = day.checked_add_days(Days::new(later))?;
    let begun = day.and_hms_opt(0, 0, 0)?.and_utc();
    EventFilter::may_be_asked(begun).then_some(begun)
}

/// What is looked for; what can't be understood is said beside its field.
async fn filter(visitor: &Visitor, draft: &mut Draft) -> Result<EventFilter, PageError> {
    let page = visitor.shell(&SECTION);
    let mut filter = EventFilter::default();
    if let Some(text) = draft.given("act").map(ToOwned::to_owned) {
        filter.act = Act::parse(&text);
        if filter.act.is_none() {
            draft.blame("act", page.t("audit-no-act"));
        }
    }
    if let Some(text) = draft.given("person").map(ToOwned::to_owned) {
        let found = match text.parse::<UserId>() {
            Ok(id) => Some(id),
            Err(_) => find_by_email(visitor, &text).await?.map(|user| user.id),
        };
        filter.user_id = found;
        if found.is_none() {
            draft.blame("person", page.t("audit-no-person"));
        }
    }
    if let Some(text) = draft.given("client").map(ToOwned::to_owned) {
        filter.client_id = text.parse::<ClientId>().ok();
        if filter.client_id.is_none() {
            draft.blame("client", page.t("audit-no-client"));
        }
    }
    for (name, later) in [("since", 0), ("until", 1)] {
        let Some(text) = draft.given(name).map(ToOwned::to_owned) else {
            continue;
        };
        match (day(&text, later), name) {
            (Some(at), "since") => filter.since = Some(at),
            (Some(at), _) => filter.until = Some(at),
            (None, _) => draft.blame(name, page.t("audit-no-date")),
        }
    }
    if let (Some(since), Some(until)) = (filter.since, filter.until)
        && until <= since
    {
        draft.blame("until", page.t("audit-turned-round"));
    }
    Ok(filter)
}

fn fields(page: Shell<'_>, draft: &Draft) -> Vec<Field> {
    let mut acts = vec![Choice::new("", page.t("audit-any"))];
    acts.extend(Act::ALL.iter().map(|act| {
        let name = act.as_str();
        Choice::new(name, act_in_words(&page, name))
    }));
    acts[1..].sort_by(|a, b| a.label.cmp(&b.label));
    [
        Field::new("act", page.t("audit-act"), FieldKind::Menu(acts)),
        Field::text("person", page.t("audit-person")),
        Field::text("client", page.t("audit-client")),
        Field::new("since", page.t("audit-since"), FieldKind::Line("date")),
        Field::new("until", page.t("audit-until"), FieldKind::Line("date")),
    ]
    .into_iter()
    .map(|field| field.of(draft))
    .collect()
}

/// With the names of operators, where the visitor may know them.
async fn with_operators(visitor: &Visitor, list: EventList) -> Result<EventList, PageError> {
    visitor
        .provider()
        .name_operators(&visitor.tenant, list, visitor.principal())
        .await
        .map_err(|error| visitor.fault(error))
}

/// `GET /console/audit`.
async fn list(visitor: Visitor, Query(params): Query) -> Answer {
    visitor.check(Permission::Read(Area::Events))?;
    let mut draft = Draft::asked(&params, &FILTERS);
    let wanted = filter(&visitor, &mut draft).await?;
    let query = ListQuery::of(&params, &FILTERS);
    let found = if draft.is_wrong() {
        EventList::default()
    } else {
        let found = visitor
            .provider()
            .list_events(&visitor.tenant, wanted, query.page())
            .await
            .map_err(|error| visitor.fault(error))?;
        with_operators(&visitor, found).await?
    };
    let page = visitor.shell(&SECTION);
    let row = |event: &RecordedEvent| {
        vec![
            Cell::Link {
                href: page.path(&format!("/audit/{}", event.id)),
                text: act_in_words(&page, &event.act),
                detail: concerned(event, &found),
            },
            Cell::Text(actor(&page, event, &found)),
            Cell::Text(event.address.clone().unwrap_or_default()),
            Cell::moment(&page, &event.at),
        ]
    };
    let filtered = FILTERS.iter().any(|name| draft.given(name).is_some());
    let columns = ["audit-act", "audit-who", "audit-where", "audit-when"];
    let view = Audit {
        page,
        filters: fields(page, &draft),
        filtered,
        kept: match visitor.tenant.settings().audit_event_days {
            0 => String::new(),
            days => page.messages.format("audit-kept", [("count", days)]),
        },
        table: Table {
            caption: page.t("section-audit").into_owned(),
            columns: columns.map(|id| page.t(id).into_owned()).into(),
            rows: found.events.iter().map(row).collect(),
        },
        empty: if filtered {
            Empty {
                title: page.t("nothing-found").into_owned(),
                text: page.t("audit-nothing-found-text").into_owned(),
                action: None,
            }
        } else {
            Empty {
                title: page.t("audit-empty").into_owned(),
                text: page.t("audit-empty-text").into_owned(),
                action: None,
            }
        },
        pager: query.pager(&page.path("/audit"), found.next),
    };
    if draft.is_wrong() {
        visitor.show_again(&view)
    } else {
        visitor.show(&view)
    }
}

/// `GET /console/audit/{id}`.
async fn event(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Read(Area::Events))?;
    let id: EventId = visitor.named(&request, "id")?;
    let list = visitor
        .provider()
        .load_event(&visitor.tenant, id)
        .await
        .map_err(|error| visitor.fault(error))?;
    let list = with_operators(&visitor, list).await?;
    let event = list.events.first().ok_or_else(|| visitor.not_found())?;
    let page = visitor.shell(&SECTION);
    let view = EventPage {
        page,
        title: act_in_words(&page, &event.act),
        facts: facts(page, event, &list),
        detail: match &event.detail {
            serde_json::Value::Null => String::new(),
            detail => serde_json::to_string_pretty(detail).unwrap_or_default(),
        },
    };
    visitor.show(&view)
}

fn facts(page: Shell<'_>, event: &RecordedEvent, list: &EventList) -> Vec<Fact> {
    let fact = |label: &str, text: String, href: Option<String>| Fact {
        label: page.t(label).into_owned(),
        text,
        href,
    };
    // The same person's or client's other events.
    let others = |name: &str, id: String| Some(page.path(&format!("/audit?{name}={id}")));
    let by = match actor_of(event) {
        (Some(id), _) => others("person", id.to_string()),
        (_, Some(id)) => others("client", id.to_string()),
        _ => None,
    };
    let mut facts = vec![
        fact("audit-when", page.moment(&event.at), None),
        fact("audit-who", actor(&page, event, list), by),
    ];
    if let (Some(id), Some(text)) = (event.user_id, person(event, list)) {
        let others = others("person", id.to_string());
        facts.push(fact("audit-of-person", text, others));
    }
    if let (Some(id), Some(text)) = (event.client_id, client(event, list)) {
        let others = others("client", id.to_string());
        facts.push(fact("audit-of-client", text, others));
    }
    if let Some(text) = thing(event) {
        facts.push(fact("audit-of-thing", text, None));
    }
    if let Some(address) = &event.address {
        facts.push(fact("audit-where", address.clone(), None));
    }
    if let Some(request) = &event.request_id {
        facts.push(fact("request-id", request.clone(), None));
    }
    facts.push(fact(
        "audit-name",
        event.act.clone(),
        others("act", event.act.clone()),
    ));
    facts.push(fact("audit-id", event.id.to_string(), None));
    facts
}
