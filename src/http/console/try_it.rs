//! Trying a client out: a sign-in whose tokens are shown, taken apart. How that leaves the client as it is, `flows::trial` tells.

use actix_web::HttpRequest;
use askama::Template;
use serde_json::Value;

use super::clients::{SECTION, client_of, is_built_in};
use super::clients_kind::Kind;
use super::layout::Shell;
use super::parts::{Choice, Draft, Field, FieldKind};
use super::snippets::{self, Values};
use super::visitor::Visitor;
use crate::domain::client::Client;
use crate::flows::admin::{Area, Permission};
use crate::flows::trial::{Trial, TrialRefusal, TrialRequest};
use crate::http::error::{Answer, PageError};
use crate::http::extract::Query;
use crate::http::pages::visit::see_other;

/// What is tried, and how.
#[derive(Template)]
#[template(path = "console/try_it.html")]
pub struct TryIt<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// The client's name.
    pub name: String,
    /// Below the console's address.
    pub path: String,
    /// What can be chosen.
    pub fields: Vec<Field>,
    /// For a machine: what to type instead.
    pub command: Option<String>,
    /// The message that says what the command is for.
    pub machine: &'static str,
    /// For another tenant than that of the address: where it can be tried.
    pub elsewhere: Option<String>,
}

/// A part of the outcome.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its element's id.
    pub id: &'static str,
    /// What it is.
    pub title: String,
    /// What it says, as JSON.
    pub json: String,
}

/// The outcome.
#[derive(Template)]
#[template(path = "console/try_it_result.html")]
pub struct TryItResult<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// The client's name.
    pub name: String,
    /// Below the console's address.
    pub path: String,
    /// Why there are no tokens.
    pub problem: Option<String>,
    /// What is to be known of them.
    pub notes: Vec<String>,
    /// The tokens, taken apart.
    pub parts: Vec<Part>,
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

async fn tried(visitor: &Visitor, request: &HttpRequest) -> Result<Client, PageError> {
    let client = client_of(visitor, request).await?;
    if is_built_in(&client) {
        return Err(visitor.not_found());
    }
    Ok(client)
}

fn is_home(visitor: &Visitor) -> bool {
    visitor.tenant.id() == visitor.visit.at.tenant.id()
}

/// The APIs that the access token can be for.
fn resources<'a>(visitor: &'a Visitor, client: &'a Client) -> impl Iterator<Item = &'a str> {
    let own = &client.metadata.resources;
    visitor
        .tenant
        .resources
        .iter()
        .map(|resource| resource.identifier.as_str())
        .filter(|identifier| own.is_empty() || own.iter().any(|known| known == identifier))
}

fn view<'a>(visitor: &'a Visitor, client: &Client, draft: &Draft) -> TryIt<'a> {
    let page = visitor.shell(&SECTION);
    let path = format!("/clients/{}", client.id);
    let mut choices = vec![Choice::new("", page.t("try-it-no-resource"))];
    choices.extend(resources(visitor, client).map(|known| Choice::new(known, known)));
    let mut fields = vec![
        Field::new("again", page.t("try-it-again"), FieldKind::Box)
            .hint(page.t("try-it-again-hint"))
            .of(draft),
    ];
    if choices.len() > 1 {
        let menu = FieldKind::Menu(choices);
        fields.insert(
            0,
            Field::new("resource", page.t("try-it-resource"), menu).of(draft),
        );
    }
    let (kind, values) = (
        Kind::of(&client.metadata),
        Values::of(&visitor.tenant.canonical, client),
    );
    TryIt {
        page,
        name: client.name(),
        command: match kind {
            Kind::Service => Some(snippets::curl(&values)),
            Kind::Device => Some(snippets::curl_of_device(&values)),
            _ => None,
        },
        machine: if kind == Kind::Device {
            "try-it-device"
        } else {
            "try-it-machine"
        },
        elsewhere: (!is_home(visitor))
            .then(|| format!("{}/console{path}/try-it", visitor.tenant.canonical)),
        path,
        fields,
    }
}

/// `GET /console/clients/{id}/try-it`.
pub async fn ask(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    let client = tried(&visitor, &request).await?;
    visitor.show(&view(&visitor, &client, &Draft::default()))
}

/// `POST /console/clients/{id}/try-it`.
pub async fn begin(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    let form = visitor.take()?;
    let client = tried(&visitor, &request).await?;
    if !is_home(&visitor) {
        // Whoever tries signs in at the tenant, and has no session of the console there.
        return Err(visitor.not_found());
    }
    let mut draft = Draft::sent(&form, &["resource", "again"]);
    let resource = draft.given("resource").map(ToOwned::to_owned);
    let known = |wanted: &String| resources(&visitor, &client).any(|known| known == wanted);
    if resource.as_ref().is_some_and(|wanted| !known(wanted)) {
        draft.blame(
            "resource",
            visitor.shell(&SECTION).t("try-it-resource-gone"),
        );
        return visitor.show_again(&view(&visitor, &client, &draft));
    }
    let wanted = TrialRequest {
        client,
        sid: visitor.session.sid,
        resource,
        sign_in_anew: draft.given("again").is_some(),
    };
    let location = visitor
        .provider()
        .begin_trial(&visitor.visit.at, wanted, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    Ok(see_other(&location))
}

fn parts(page: Shell<'_>, trial: &Trial) -> Vec<Part> {
    let part = |id: &'static str, value: &Value| Part {
        id,
        title: page.t(&format!("try-it-{id}")).into_owned(),
        json: pretty(value),
    };
    let mut parts = Vec::new();
    if let Some(claims) = &trial.id_token {
        parts.push(part("id-token", claims));
    }
    if let Some((header, claims)) = &trial.access_token {
        parts.push(part("access-header", header));
        parts.push(part("access-claims", claims));
    }
    if let Some(claims) = &trial.userinfo {
        parts.push(part("userinfo", claims));
    }
    parts.push(part("answer", &trial.answer));
    parts
}

/// `GET /console/try-it/callback`.
pub async fn finish(visitor: Visitor, Query(params): Query) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    if !is_home(&visitor) {
        return Err(visitor.not_found());
    }
    let finished = visitor
        .provider()
        .finish_trial(
            &visitor.visit.at,
            visitor.session.sid,
            &params,
            &visitor.by(),
        )
        .await;
    let page = visitor.shell(&SECTION);
    let (client, trial, problem) = match finished {
        Ok(trial) => (trial.client, Some(trial), None),
        Err(TrialRefusal::Failed(error)) => return Err(visitor.fail(error)),
        Err(TrialRefusal::Unexpected) => {
            tracing::info!("an answer that no trial waits for");
            return Err(visitor.fault(crate::flows::admin::AdminError::Refused(
                page.t("try-it-unexpected").into_owned(),
            )));
        }
        Err(TrialRefusal::Denied {
            client,
            error,
            description,
        }) => {
            let problem = page.f("try-it-denied", "error", &format!("{error}: {description}"));
            (client, None, Some(problem))
        }
        Err(TrialRefusal::Code { client, reason }) => {
            tracing::info!(reason, "a trial was refused");
            (client, None, Some(page.t("try-it-spent").into_owned()))
        }
    };
    let client = visitor
        .provider()
        .load_client(&visitor.tenant, client)
        .await
        .map_err(|error| visitor.fault(error))?;
    let mut notes = Vec::new();
    if let Some(trial) = &trial {
        notes.push(page.f("try-it-stand-in", "id", &trial.stand_in.to_string()));
        if trial.access_token.is_none() {
            notes.push(page.t("try-it-opaque").into_owned());
        }
        if trial.id_token.is_none() {
            notes.push(page.t("try-it-no-id-token").into_owned());
        }
    }
    visitor.show(&TryItResult {
        page,
        name: client.name(),
        path: format!("/clients/{}", client.id),
        problem,
        notes,
        parts: trial
            .as_ref()
            .map(|trial| parts(page, trial))
            .unwrap_or_default(),
    })
}
