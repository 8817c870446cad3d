//! Signing keys: the list, a key with where it stands, its successor, its withdrawal.

use actix_web::{HttpRequest, web};

use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Cell, Choice, Confirm, Draft, Empty, Field, FieldKind, ListQuery, Table, Tone};
use super::routes::at;
use super::sections::{Reach, Section};
use super::sheets::{Act, DetailSheet, Fact, FactGroup, FormSheet, Group, ListSheet};
use super::visitor::Visitor;
use crate::clock::{Timestamp, span};
use crate::domain::key::{KeyRecord, KeyStage, KeyState};
use crate::flows::admin::{Area, Permission};
use crate::flows::keys::RotationStart;
use crate::http::error::{Answer, PageError};
use crate::http::extract::Query;

/// This section.
pub static SECTION: Section = Section {
    path: "/keys",
    label: "section-keys",
    needs: Some(Permission::Read(Area::Keys)),
    reach: Reach::Tenant,
    routes: |pages| {
        pages.service(at("/keys").route(web::get().to(list)));
        pages.service(at("/keys/{kid}").route(web::get().to(show)));
        pages.service(
            at("/keys/{kid}/rotate")
                .route(web::get().to(ask_to_rotate))
                .route(web::post().to(rotate)),
        );
        pages.service(
            at("/keys/{kid}/revoke")
                .route(web::get().to(ask_to_revoke))
                .route(web::post().to(revoke)),
        );
    },
};

/// Where a key stands, in words.
fn stage(page: &Shell<'_>, key: &KeyRecord, now: Timestamp) -> (Tone, String) {
    let until = |id: &str, at: &Timestamp| page.f(id, "when", &page.moment(at));
    let (state, encrypts) = (key.state(now), key.algorithm.is_encryption());
    match (key.stage, state) {
        (
            KeyStage::Published { signs_from } | KeyStage::Retired { signs_from, .. },
            KeyState::Published,
        ) => (Tone::Quiet, until("keys-stage-published", &signs_from)),
        (KeyStage::Published { signs_from }, _) if encrypts => {
            (Tone::Good, until("keys-stage-encrypts", &signs_from))
        }
        (KeyStage::Published { signs_from }, _) => {
            (Tone::Good, until("keys-stage-signs", &signs_from))
        }
        (KeyStage::Retired { retired_at, .. }, KeyState::Signing) => {
            (Tone::Good, until("keys-stage-signs-until", &retired_at))
        }
        (KeyStage::Retired { removed_at, .. }, KeyState::Removed) => {
            (Tone::Quiet, until("keys-stage-removed", &removed_at))
        }
        (KeyStage::Retired { removed_at, .. }, _) if encrypts => {
            (Tone::Quiet, until("keys-stage-decrypts", &removed_at))
        }
        (KeyStage::Retired { removed_at, .. }, _) => {
            (Tone::Quiet, until("keys-stage-verifies", &removed_at))
        }
        (KeyStage::Revoked { revoked_at }, _) => {
            (Tone::Bad, until("keys-stage-revoked", &revoked_at))
        }
    }
}

/// Whether it is the algorithm's last in the row, so that a successor follows it.
fn may_be_followed(key: &KeyRecord) -> bool {
    matches!(key.stage, KeyStage::Published { .. })
}

async fn key_of(visitor: &Visitor, request: &HttpRequest) -> Result<KeyRecord, PageError> {
    let kid = request.match_info().get("kid").unwrap_or_default();
    let found = visitor.provider().load_signing_key(&visitor.tenant, kid);
    found.await.map_err(|error| visitor.fault(error))
}

/// `GET /console/keys`.
async fn list(visitor: Visitor, Query(params): Query) -> Answer {
    visitor.check(Permission::Read(Area::Keys))?;
    let query = ListQuery::of(&params, &[]);
    let found = visitor
        .provider()
        .list_signing_keys(&visitor.tenant, query.page())
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let row = |key: &KeyRecord| {
        let (tone, text) = stage(&page, key, visitor.now());
        vec![
            Cell::Link {
                href: page.path(&format!("/keys/{}", key.kid)),
                text: key.kid.clone(),
                detail: String::new(),
            },
            Cell::Code(key.algorithm.to_string()),
            Cell::Badge(tone, text),
            Cell::moment(&page, &key.created_at),
        ]
    };
    visitor.show(&ListSheet {
        page,
        title: page.t("section-keys").into_owned(),
        lede: page.t("keys-lede").into_owned(),
        acts: Vec::new(),
        search: None,
        address: page.path("/keys"),
        table: Table {
            caption: page.t("section-keys").into_owned(),
            columns: ["keys-kid", "keys-algorithm", "keys-stage", "keys-made"]
                .map(|id| page.t(id).into_owned())
                .into(),
            rows: found.items.iter().map(row).collect(),
        },
        empty: Empty {
            title: page.t("keys-empty").into_owned(),
            text: page.t("keys-lede").into_owned(),
            action: None,
        },
        pager: query.pager(&page.path("/keys"), found.next),
    })
}

/// `GET /console/keys/{kid}`.
async fn show(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Read(Area::Keys))?;
    let key = key_of(&visitor, &request).await?;
    let page = visitor.shell(&SECTION);
    let path = format!("/keys/{}", key.kid);
    let mut acts = Vec::new();
    if visitor.may(Permission::Write(Area::Keys)) {
        if may_be_followed(&key) {
            acts.push(Act::link(
                "rotate",
                page.path(&format!("{path}/rotate")),
                page.t("keys-rotate"),
            ));
        }
        if !matches!(key.stage, KeyStage::Revoked { .. }) {
            acts.push(Act::danger(
                "revoke",
                page.path(&format!("{path}/revoke")),
                page.t("keys-revoke"),
            ));
        }
    }
    visitor.show(&DetailSheet {
        page,
        back: Some((page.path("/keys"), page.t("section-keys").into_owned())),
        title: page.f("keys-title", "algorithm", key.algorithm.as_str()),
        badges: vec![stage(&page, &key, visitor.now())],
        lede: String::new(),
        problems: Vec::new(),
        acts,
        groups: vec![FactGroup {
            title: String::new(),
            text: String::new(),
            facts: vec![
                Fact::code(page.t("keys-kid"), vec![key.kid.clone()]),
                Fact::said(page.t("keys-made"), page.moment(&key.created_at)),
                Fact::code(page.t("keys-jwk"), vec![key.public_jwk.to_string()]),
            ],
        }],
    })
}

fn rotation<'a>(visitor: &'a Visitor, key: &KeyRecord, draft: &Draft) -> FormSheet<'a> {
    let page = visitor.shell(&SECTION);
    let ahead = visitor.provider().config.key_publish_ahead;
    let from = visitor.now() + span(ahead);
    let (lede, asked) = if key.algorithm.is_encryption() {
        ("keys-rotate-encryption-lede", "keys-start-encryption")
    } else {
        ("keys-rotate-lede", "keys-start")
    };
    let now = Choice::new("immediately", page.t("keys-start-now"));
    let choices = if key.algorithm.is_encryption() {
        vec![now.hint(page.t("keys-start-encryption-hint"))]
    } else {
        let later = page.f("keys-start-later", "when", &page.moment(&from));
        vec![
            Choice::new("published-first", later).hint(page.t("keys-start-later-hint")),
            now.hint(page.t("keys-start-now-hint")),
        ]
    };
    let back = page.path(&format!("/keys/{}", key.kid));
    FormSheet {
        page,
        back: Some((
            back.clone(),
            page.f("keys-title", "algorithm", key.algorithm.as_str()),
        )),
        title: page.t("keys-rotate").into_owned(),
        lede: page.t(lede).into_owned(),
        consequences: Vec::new(),
        stale: String::new(),
        problems: Vec::new(),
        action: format!("{back}/rotate"),
        hidden: Vec::new(),
        groups: Group::plain(vec![
            Field::new("start", page.t(asked), FieldKind::Radio(choices)).of(draft),
        ]),
        preview: None,
        button: page.t("keys-rotate").into_owned(),
        danger: false,
        cancel: back,
    }
}

/// `GET /console/keys/{kid}/rotate`.
async fn ask_to_rotate(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Keys))?;
    let key = key_of(&visitor, &request).await?;
    let start = if key.algorithm.is_encryption() {
        "immediately"
    } else {
        "published-first"
    };
    let draft = Draft::new([("start", start.to_owned())]);
    visitor.show(&rotation(&visitor, &key, &draft))
}

/// `POST /console/keys/{kid}/rotate`.
async fn rotate(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Keys))?;
    let form = visitor.take()?;
    let key = key_of(&visitor, &request).await?;
    let mut draft = Draft::sent(&form, &["start"]);
    let start = match draft.value("start") {
        "published-first" => RotationStart::PublishedFirst,
        "immediately" => RotationStart::Immediately,
        _ => {
            let page = visitor.shell(&SECTION);
            draft.blame("start", page.t("choose-one"));
            return visitor.show_again(&rotation(&visitor, &key, &draft));
        }
    };
    let made = visitor
        .provider()
        .rotate_signing_key(&visitor.tenant, &key.kid, start, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let from = match made.stage {
        KeyStage::Published { signs_from } if start == RotationStart::PublishedFirst => signs_from,
        _ => visitor.now(),
    };
    visitor.done(
        "/keys",
        &Notice::new("keys-rotated").name(page.moment(&from)),
    )
}

/// `GET /console/keys/{kid}/revoke`.
async fn ask_to_revoke(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Keys))?;
    let key = key_of(&visitor, &request).await?;
    let page = visitor.shell(&SECTION);
    let back = page.path(&format!("/keys/{}", key.kid));
    visitor.show(&Confirm {
        page,
        title: page.t("keys-revoke").into_owned(),
        lede: page.f("keys-revoke-lede", "kid", &key.kid),
        consequences: if key.algorithm.is_encryption() {
            &["keys-revoke-requests", "keys-revoke-final"][..]
        } else {
            &[
                "keys-revoke-tokens",
                "keys-revoke-services",
                "keys-revoke-successor",
                "keys-revoke-final",
            ]
        }
        .iter()
        .map(|id| page.t(id).into_owned())
        .collect(),
        action: format!("{back}/revoke"),
        hidden: Vec::new(),
        button: page.t("keys-revoke").into_owned(),
        back,
    })
}

/// `POST /console/keys/{kid}/revoke`.
async fn revoke(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Keys))?;
    visitor.take()?;
    let key = key_of(&visitor, &request).await?;
    let revoked = visitor
        .provider()
        .revoke_signing_key(&visitor.tenant, &key.kid, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    visitor.done("/keys", &Notice::new("keys-revoked").name(revoked.kid))
}
