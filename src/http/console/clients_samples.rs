//! Sample contexts of the clients' views.

use super::clients::{ClientPage, Clients, Setting, SettingGroup};
use super::clients_edit::{EditClient, FieldGroup};
use super::clients_kind::Kind;
use super::clients_secret::RotateSecret;
use super::clients_wizard::{Connect, Kinds, NewClient};
use super::initial_access_tokens::TokenPage;
use super::parts::{Cell, Choice, Empty, Field, FieldKind, Pager, Table, Tone};
use super::samples::{Stage, sample};
use super::snippets::Snippet;
use super::try_it::{Part, TryIt, TryItResult};
use crate::http::pages::messages::Messages;
use crate::http::pages::samples::Rendered;

const PATH: &str = "/clients/1";

fn group(id: &'static str, text: &str) -> SettingGroup {
    let setting = |is_code, values| Setting {
        label: text.to_owned(),
        values,
        is_code,
    };
    SettingGroup {
        id,
        title: text.to_owned(),
        settings: vec![
            setting(true, vec![text.to_owned(); 2]),
            setting(false, vec![text.to_owned()]),
            setting(true, Vec::new()),
        ],
    }
}

fn field(name: &'static str, text: &str, kind: FieldKind) -> Field {
    let mut field = Field::new(name, text, kind).hint(text);
    text.clone_into(&mut field.value);
    field.problem = Some(text.to_owned());
    field
}

fn program(id: &'static str, text: &str) -> Snippet {
    Snippet {
        obstacle: None,
        id,
        title: "Rust",
        install: "cargo add openidconnect",
        files: vec![("main.rs", text.to_owned()), ("", text.to_owned())],
    }
}

/// Every view of clients with this text in every place.
#[expect(
    clippy::too_many_lines,
    reason = "a list of samples is a table, and reads best whole"
)]
pub fn render_all(
    messages: Messages,
    name: &'static str,
    text: &str,
) -> Result<Vec<Rendered>, askama::Error> {
    let stage = Stage::named(messages, text);
    let page = stage.shell("/clients");
    let many = name != "ordinary";
    let mut pages = Vec::new();
    let list = Clients {
        page,
        may_write: many,
        search: text.to_owned(),
        table: Table {
            caption: text.to_owned(),
            columns: vec![text.to_owned(); 2],
            rows: vec![vec![
                Cell::Link {
                    href: "/t/acme/console/clients/1".to_owned(),
                    text: text.to_owned(),
                    detail: text.to_owned(),
                },
                Cell::Badge(Tone::Quiet, text.to_owned()),
            ]],
        },
        empty: Empty {
            title: text.to_owned(),
            text: text.to_owned(),
            action: None,
        },
        pager: Pager::default(),
    };
    pages.push(sample(messages, "console_clients", name, &list)?);
    let token = TokenPage {
        page,
        name: text.to_owned(),
        path: "/registration-tokens/1".to_owned(),
        token: many.then(|| text.to_owned()),
        state: (Tone::Good, text.to_owned()),
        endpoint: text.to_owned(),
        uses: text.to_owned(),
        until: text.to_owned(),
        may_write: many,
        closed: many,
    };
    pages.push(sample(
        messages,
        "console_registration_token",
        name,
        &token,
    )?);
    let shown = ClientPage {
        page,
        name: text.to_owned(),
        kind: text.to_owned(),
        path: PATH.to_owned(),
        built_in: !many,
        may_write: many,
        start: many.then(|| "https://app.example.com/login".to_owned()),
        has_secret: many,
        groups: vec![group("settings", text), group("access", text)],
    };
    pages.push(sample(messages, "console_client", name, &shown)?);
    let kinds = Kinds { page };
    pages.push(sample(messages, "console_client_kinds", name, &kinds)?);
    let new = NewClient {
        page,
        kind: Kind::Web,
        form: text.to_owned(),
        fields: vec![
            field("redirect_uris", text, FieldKind::Lines(3)),
            field(
                "scope",
                text,
                FieldKind::Boxes(vec![Choice::new(text, text)]),
            ),
        ],
        more: vec![field("logo_uri", text, FieldKind::Line("url"))],
        problems: vec![text.to_owned()],
    };
    pages.push(sample(messages, "console_client_new", name, &new)?);
    let connect = Connect {
        page,
        name: text.to_owned(),
        kind: Kind::Web,
        path: PATH.to_owned(),
        secret: many.then(|| text.to_owned()),
        has_secret: true,
        may_try: many,
        settings: group("settings", text),
        snippets: vec![program("go", text), program("rust", text)],
        verifying: vec![program("verify-rust", text)],
    };
    pages.push(sample(messages, "console_client_connect", name, &connect)?);
    let by_key = Connect {
        has_secret: false,
        snippets: Vec::new(),
        verifying: Vec::new(),
        ..connect
    };
    pages.push(sample(messages, "console_client_by_key", name, &by_key)?);
    let folds = |folded| FieldGroup {
        title: text.to_owned(),
        folded,
        open: many,
        fields: vec![if folded {
            field("jwks", text, FieldKind::Lines(8))
        } else {
            field("client_name", text, FieldKind::Line("text"))
        }],
    };
    let edit = EditClient {
        page,
        name: text.to_owned(),
        path: PATH.to_owned(),
        version: 1,
        stale: many,
        problems: vec![text.to_owned()],
        groups: vec![folds(false), folds(true)],
    };
    pages.push(sample(messages, "console_client_edit", name, &edit)?);
    let rotate = RotateSecret {
        page,
        name: text.to_owned(),
        path: PATH.to_owned(),
        version: 1,
        fields: vec![field(
            "overlap",
            text,
            FieldKind::Radio(vec![Choice::new(text, text)]),
        )],
    };
    pages.push(sample(messages, "console_client_secret", name, &rotate)?);
    for (command, elsewhere) in [
        (None, None),
        (Some(text.to_owned()), None),
        (None, Some(text.to_owned())),
    ] {
        let view = TryIt {
            page,
            name: text.to_owned(),
            path: PATH.to_owned(),
            fields: vec![field("again", text, FieldKind::Box)],
            command,
            machine: "try-it-machine",
            elsewhere,
        };
        pages.push(sample(messages, "console_try_it", name, &view)?);
    }
    let result = TryItResult {
        page,
        name: text.to_owned(),
        path: PATH.to_owned(),
        problem: many.then(|| text.to_owned()),
        notes: vec![text.to_owned()],
        parts: vec![Part {
            id: "id-token",
            title: text.to_owned(),
            json: text.to_owned(),
        }],
    };
    pages.push(sample(messages, "console_try_it_result", name, &result)?);
    Ok(pages)
}
