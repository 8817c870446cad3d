//! Sample contexts of the pages of the usual kinds.

use super::parts::{Cell, Choice, Empty, Field, FieldKind, Pager, Table, Tone};
use super::samples::{Stage, sample};
use super::sheets::{
    Act, DetailSheet, Fact, FactGroup, Fold, FormSheet, Group, ListSheet, Preview, Row,
};
use crate::http::pages::messages::Messages;
use crate::http::pages::samples::Rendered;

/// Each kind with this text in every place.
pub fn render_all(
    messages: Messages,
    name: &'static str,
    text: &str,
) -> Result<Vec<Rendered>, askama::Error> {
    let stage = Stage::named(messages, text);
    let page = stage.shell("/keys");
    let many = name != "ordinary";
    let href = || "/t/acme/console/keys/1".to_owned();
    let acts = || {
        vec![
            Act::link("edit", href(), text),
            Act::danger("delete", href(), text),
            Act::post("verify", href(), text),
        ]
    };
    let list = ListSheet {
        page,
        title: text.to_owned(),
        lede: text.to_owned(),
        acts: acts(),
        search: many.then(|| (text.to_owned(), text.to_owned())),
        address: href(),
        table: Table {
            caption: text.to_owned(),
            columns: vec![text.to_owned()],
            rows: vec![vec![Cell::Code(text.to_owned())]],
        },
        empty: Empty {
            title: text.to_owned(),
            text: text.to_owned(),
            action: Some((href(), text.to_owned())),
        },
        pager: Pager::default(),
    };
    let mut pages = vec![sample(messages, "console_list", name, &list)?];
    let empty = ListSheet {
        table: Table::default(),
        ..list
    };
    pages.push(sample(messages, "console_list_empty", name, &empty)?);
    let form = FormSheet {
        page,
        back: Some((href(), text.to_owned())),
        title: text.to_owned(),
        lede: text.to_owned(),
        consequences: vec![text.to_owned()],
        stale: if many { text.to_owned() } else { String::new() },
        problems: Vec::new(),
        action: href(),
        hidden: vec![("version", text.to_owned())],
        groups: groups(text, many),
        preview: Some(Preview {
            sheet: "/t/acme/console/branding/preview.css?accent=%23175c6b".to_owned(),
            address: "/t/acme/console/branding/preview.css".to_owned(),
            logo: many.then(|| text.to_owned()),
            notes: vec![text.to_owned()],
        }),
        button: text.to_owned(),
        danger: many,
        cancel: href(),
    };
    pages.push(sample(messages, "console_form", name, &form)?);
    let detail = DetailSheet {
        page,
        back: Some((href(), text.to_owned())),
        title: text.to_owned(),
        badges: vec![(Tone::Good, text.to_owned())],
        lede: text.to_owned(),
        problems: if many {
            vec![text.to_owned()]
        } else {
            Vec::new()
        },
        acts: acts(),
        groups: vec![FactGroup {
            title: text.to_owned(),
            text: text.to_owned(),
            facts: vec![
                Fact::said(text, text),
                Fact::code(text, vec![text.to_owned(); 2]),
                Fact::code(text, Vec::new()),
                Fact {
                    href: Some(href()),
                    ..Fact::said(text, text)
                },
            ],
        }],
    };
    pages.push(sample(messages, "console_detail", name, &detail)?);
    Ok(pages)
}

/// Fields in a section that is there, and in one that is folded.
fn groups(text: &str, many: bool) -> Vec<Group> {
    let field = |id: &'static str| {
        let mut field = Field::new(id, text, FieldKind::Line("text")).hint(text);
        text.clone_into(&mut field.value);
        field.problem = many.then(|| text.to_owned());
        field
    };
    vec![
        Group {
            title: text.to_owned(),
            fold: None,
            rows: vec![
                Row::Field(field("one")),
                Row::Span(field("two"), vec![Choice::new(text, text)]),
            ],
        },
        Group {
            title: text.to_owned(),
            fold: Some(Fold {
                id: "folded",
                about: text.to_owned(),
                open: many,
            }),
            rows: vec![Row::Field(field("three"))],
        },
    ]
}
