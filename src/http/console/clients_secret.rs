//! A client's secret: made anew, and shown once.

use std::time::Duration;

use actix_web::HttpRequest;
use askama::Template;

use super::clients::{SECTION, client_of};
use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Choice, Draft, Field, FieldKind};
use super::shown_once;
use super::visitor::Visitor;
use crate::domain::client::Client;
use crate::flows::admin::{AdminError, Area, Permission};
use crate::http::error::Answer;

/// For how long the secret before may stay good, in hours.
pub(super) const OVERLAPS: [u64; 5] = [0, 1, 24, 168, 720];

/// Asks before a secret is replaced.
#[derive(Template)]
#[template(path = "console/client_secret.html")]
pub struct RotateSecret<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// The client's name.
    pub name: String,
    /// Below the console's address.
    pub path: String,
    /// Its version as it was read.
    pub version: i64,
    /// For how long the secret before stays good.
    pub fields: Vec<Field>,
}

fn view<'a>(visitor: &'a Visitor, client: &Client, draft: &Draft) -> RotateSecret<'a> {
    let page = visitor.shell(&SECTION);
    let choices = OVERLAPS.map(|hours| {
        let label = page.t(&format!("client-overlap-{hours}")).into_owned();
        Choice::new(hours.to_string(), label)
    });
    RotateSecret {
        page,
        name: client.name(),
        path: format!("/clients/{}", client.id),
        version: client.version,
        fields: vec![
            Field::new(
                "overlap",
                page.t("client-overlap"),
                FieldKind::Radio(choices.into()),
            )
            .hint(page.t("client-overlap-hint"))
            .of(draft),
        ],
    }
}

/// `GET /console/clients/{id}/secret`.
pub async fn ask(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    let client = client_of(&visitor, &request).await?;
    let draft = Draft::new([("overlap", "24".to_owned())]);
    visitor.show(&view(&visitor, &client, &draft))
}

/// `POST /console/clients/{id}/secret`.
pub async fn rotate(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    let form = visitor.take()?;
    let mut draft = Draft::sent(&form, &["overlap"]);
    let client = client_of(&visitor, &request).await?;
    // A form that is sent twice makes one secret.
    if form.input("version") != client.version.to_string() {
        return Err(visitor.fault(AdminError::Stale("client")));
    }
    let hours = draft.value("overlap").parse().ok();
    let Some(hours) = hours.filter(|hours| OVERLAPS.contains(hours)) else {
        let page = visitor.shell(&SECTION);
        draft.blame("overlap", page.t("client-overlap-wrong"));
        return visitor.show_again(&view(&visitor, &client, &draft));
    };
    let rotated = visitor
        .provider()
        .rotate_secret_of(
            &visitor.tenant,
            &client,
            Duration::from_hours(hours),
            &visitor.by(),
        )
        .await
        .map_err(|error| visitor.fault(error))?;
    let notice = Notice::new("client-secret-rotated").name(client.name());
    let mut response = visitor.done(&format!("/clients/{}/connect", client.id), &notice)?;
    if let Some(secret) = &rotated.secret {
        shown_once::keep(&visitor, &mut response, client.id.uuid(), secret);
    }
    Ok(response)
}
