//! The first page: how the tenant is doing, and what to do first.

use actix_web::web;
use askama::Template;

use super::layout::Shell;
use super::parts::Tone;
use super::routes::at;
use super::sections::{Reach, Section};
use super::visitor::Visitor;
use crate::domain::address::DomainStage;
use crate::flows::admin::{Area, Overview, Permission};
use crate::flows::console::SOFTWARE_ID;
use crate::http::error::Answer;
use crate::storage::Counted;

/// This section.
pub static SECTION: Section = Section {
    path: "",
    label: "section-home",
    needs: None,
    reach: Reach::Tenant,
    routes: |pages| {
        pages.service(at("").route(web::get().to(show)));
        pages.service(at("/").route(web::get().to(show)));
    },
};

/// A number on the page.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What is counted.
    pub label: String,
    /// How many.
    pub number: String,
    /// What else there is to say.
    pub detail: String,
    /// Where there is more.
    pub href: Option<String>,
}

/// A fact that isn't a number.
#[derive(Clone, Debug)]
pub struct State {
    /// What it is about.
    pub label: String,
    /// What it is.
    pub text: String,
    /// How it is.
    pub tone: Tone,
    /// In a word.
    pub word: String,
}

/// Something to do.
#[derive(Clone, Debug)]
pub struct Step {
    /// What.
    pub title: String,
    /// Why.
    pub text: String,
    /// Where.
    pub href: Option<String>,
}

/// The page.
#[derive(Template)]
#[template(path = "console/home.html")]
pub struct Home<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// The tenant's issuer.
    pub issuer: &'a str,
    /// What to do first.
    pub steps: Vec<Step>,
    /// How many.
    pub figures: Vec<Figure>,
    /// How things are.
    pub states: Vec<State>,
}

/// How many there are, as far as it was counted.
pub fn number(counted: Counted) -> String {
    let sign = if counted.is_bound() { "+" } else { "" };
    format!("{}{sign}", counted.number())
}

/// `GET /console`.
async fn show(visitor: Visitor) -> Answer {
    let overview = visitor
        .provider()
        .overview(&visitor.tenant)
        .await
        .map_err(|error| visitor.fault(error))?;
    let built_in = visitor
        .provider()
        .find_client(&visitor.tenant, crate::flows::console::client_id())
        .await
        .map_err(|error| visitor.fail(error))?
        .is_some_and(|client| client.metadata.software_id.as_deref() == Some(SOFTWARE_ID));
    let page = visitor.shell(&SECTION);
    let own_clients = overview.clients.number() - i64::from(built_in);
    visitor.show(&Home {
        page,
        issuer: &visitor.tenant.canonical,
        steps: steps(&visitor, page, &overview, own_clients),
        figures: figures(&visitor, page, &overview, own_clients),
        states: states(&visitor, page, &overview),
    })
}

/// Where a section is, if this visitor can go there.
fn link(page: Shell<'_>, path: &str) -> Option<String> {
    let mut known = page.chrome.nav.iter();
    known
        .any(|item| item.section.path == path)
        .then(|| page.path(path))
}

fn steps(visitor: &Visitor, page: Shell<'_>, overview: &Overview, own_clients: i64) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut step = |id: &str, text: &str, href: Option<String>| {
        steps.push(Step {
            title: page.t(&format!("step-{id}")).into_owned(),
            text: page.t(text).into_owned(),
            href,
        });
    };
    if own_clients <= 0 && visitor.may(Permission::Write(Area::Clients)) {
        step(
            "client",
            "step-client-text",
            link(page, "/clients").map(|path| format!("{path}/new")),
        );
    }
    if overview.users.number() <= 1 && visitor.may(Permission::Write(Area::Users)) {
        let at_home = visitor.principal().home.id() == visitor.tenant.id();
        let text = match overview.users.number() {
            0 => "step-user-text-none",
            _ if at_home => "step-user-text",
            _ => "step-user-text-one",
        };
        step(
            "user",
            text,
            link(page, "/users").map(|path| format!("{path}/new")),
        );
    }
    let waiting = visitor
        .tenant
        .domains
        .iter()
        .any(|domain| matches!(domain.stage, DomainStage::Pending { .. }));
    if waiting && visitor.may(Permission::Write(Area::Domains)) {
        step("domain", "step-domain-text", link(page, "/domains"));
    }
    steps
}

fn figures(
    visitor: &Visitor,
    page: Shell<'_>,
    overview: &Overview,
    own_clients: i64,
) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut figure = |id: &str, number: String, detail: String, href: Option<String>| {
        figures.push(Figure {
            label: page.t(&format!("figure-{id}")).into_owned(),
            number,
            detail,
            href,
        });
    };
    if visitor.may(Permission::Read(Area::Users)) {
        figure(
            "users",
            number(overview.users),
            String::new(),
            link(page, "/users"),
        );
    }
    if visitor.may(Permission::Read(Area::Clients)) {
        let clients = if overview.clients.is_bound() {
            number(overview.clients)
        } else {
            own_clients.max(0).to_string()
        };
        figure("clients", clients, String::new(), link(page, "/clients"));
    }
    if visitor.may(Permission::Read(Area::Events)) {
        let week = |counted| page.f("of-week", "number", &number(counted));
        let events = |act: &str| link(page, "/audit").map(|path| format!("{path}?act={act}"));
        let (day, seven) = overview.sign_ins;
        figure(
            "sign-ins",
            number(day),
            week(seven),
            events("signin.succeeded"),
        );
        let (day, seven) = overview.failures;
        figure(
            "failures",
            number(day),
            week(seven),
            events("signin.failed"),
        );
    }
    figures
}

fn states(visitor: &Visitor, page: Shell<'_>, overview: &Overview) -> Vec<State> {
    let mut states = Vec::new();
    if visitor.may(Permission::Read(Area::Keys)) {
        for key in &overview.keys {
            // One whose successor waits signs until that takes over.
            if key.algorithm.is_encryption() || !key.signs(visitor.now()) {
                continue;
            }
            let old = visitor.now() - key.created_at > chrono::Duration::days(365);
            states.push(State {
                label: page.f("state-key", "algorithm", key.algorithm.as_str()),
                text: page.f("state-key-made", "when", &page.ago(&key.created_at)),
                tone: if old { Tone::Bad } else { Tone::Good },
                word: page
                    .t(if old { "word-old" } else { "word-signs" })
                    .into_owned(),
            });
        }
    }
    if visitor.may(Permission::Read(Area::Domains)) {
        for domain in &visitor.tenant.domains {
            let verified = matches!(domain.stage, DomainStage::Verified { .. });
            states.push(State {
                label: page.t("state-domain").into_owned(),
                text: domain.origin.clone(),
                tone: if verified { Tone::Good } else { Tone::Bad },
                word: page
                    .t(if verified {
                        "word-verified"
                    } else {
                        "word-pending"
                    })
                    .into_owned(),
            });
        }
    }
    states
}
