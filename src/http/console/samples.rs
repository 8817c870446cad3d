//! Sample contexts of the console's views, which a test renders. A page adds its own to [`render_all`].

use super::audit::{Audit, EventPage, Fact};
use super::fault::FaultKind;
use super::home::{Figure, Home, State, Step};
use super::kept::Kept;
use super::layout::{Chrome, NavItem, Shell, VisitedTenant};
use super::notice::Notice;
use super::parts::{Cell, Choice, Confirm, Empty, Field, FieldKind, Pager, Table, Tone};
use super::sections::SECTIONS;
use crate::http::console::entry::Outside;
use crate::http::pages::messages::Messages;
use crate::http::pages::samples::{HOSTILE, LONG, Rendered};
use crate::http::pages::views::Page;

/// What stands around samples.
pub struct Stage {
    messages: Messages,
    chrome: Chrome,
}

impl Stage {
    /// Whose tenant and person have this name.
    pub fn named(messages: Messages, name: &str) -> Self {
        Self {
            messages,
            chrome: Chrome {
                nav: SECTIONS
                    .iter()
                    .map(|section| NavItem {
                        href: format!("/t/acme/console{}", section.path),
                        section,
                    })
                    .collect(),
                person: name.to_owned(),
                email: "ada@acme.example".to_owned(),
                csrf: "csrf".to_owned(),
                notice: None,
                tenant_name: name.to_owned(),
                tenant_slug: "acme".to_owned(),
                visited: None,
                operator: false,
                base: "/t/acme/console".to_owned(),
                home: "/t/acme/console".to_owned(),
            },
        }
    }

    /// As an operator sees another tenant, with something to say.
    #[must_use]
    pub fn visited(mut self, notice: Notice) -> Self {
        self.chrome.visited = Some(VisitedTenant {
            active: false,
            back: "/t/system/console".to_owned(),
        });
        self.chrome.operator = true;
        self.chrome.notice = Some(notice);
        self
    }

    /// The page around a view of the section with this path.
    pub fn shell<'a>(&'a self, section: &'a str) -> Shell<'a> {
        Shell::new(self.page(), &self.chrome, section)
    }

    fn page(&self) -> Page<'_> {
        Page {
            messages: self.messages,
            tenant: None,
            base: "/t/acme",
            static_base: "",
            now: crate::clock::Timestamp::UNIX_EPOCH,
        }
    }
}

/// A rendered view under a name.
pub fn sample(
    messages: Messages,
    view: &'static str,
    sample: &'static str,
    template: &impl askama::Template,
) -> Result<Rendered, askama::Error> {
    Ok(Rendered {
        view,
        sample,
        lang: messages.lang(),
        html: template.render()?,
    })
}

/// Every sample in one language.
#[expect(
    clippy::too_many_lines,
    reason = "a list of samples is a table, and reads best whole"
)]
pub fn render_all(messages: Messages) -> Result<Vec<Rendered>, askama::Error> {
    let mut pages = Vec::new();
    for (name, text) in [("ordinary", "Acme"), ("hostile", HOSTILE), ("long", LONG)] {
        let stage = Stage::named(messages, text);
        let visited = Stage::named(messages, text)
            .visited(Notice::new("suspended").undo("/users/1/enable", &[("version", "1")]));
        let many = name != "ordinary";
        let home = Home {
            page: if many {
                visited.shell("")
            } else {
                stage.shell("")
            },
            issuer: "https://id.example/t/acme",
            steps: vec![Step {
                title: text.to_owned(),
                text: text.to_owned(),
                href: Some("/t/acme/console/clients/new".to_owned()),
            }],
            figures: vec![Figure {
                label: text.to_owned(),
                number: "1000+".to_owned(),
                detail: text.to_owned(),
                href: many.then(|| "/t/acme/console/users".to_owned()),
            }],
            states: vec![State {
                label: text.to_owned(),
                text: text.to_owned(),
                tone: Tone::Bad,
                word: text.to_owned(),
            }],
        };
        pages.push(sample(messages, "console_home", name, &home)?);
        for kind in [
            FaultKind::Forbidden,
            FaultKind::NotFound,
            FaultKind::Invalid,
            FaultKind::Stale,
            FaultKind::Refused,
            FaultKind::Form,
        ] {
            let view = kind.view(stage.shell(""), text, "0000");
            pages.push(sample(messages, "console_fault", name, &view)?);
        }
        let choices = || vec![Choice::new(text, text).hint(text)];
        let mut filters: Vec<_> = [
            FieldKind::Line("text"),
            FieldKind::Lines(3),
            FieldKind::Menu(choices()),
            FieldKind::Radio(choices()),
            FieldKind::Boxes(choices()),
            FieldKind::Box,
        ]
        .into_iter()
        .zip(["one", "two", "three", "four", "five", "six"])
        .map(|(kind, id)| Field::new(id, text, kind).hint(text))
        .collect();
        for field in &mut filters {
            text.clone_into(&mut field.value);
            field.problem = many.then(|| text.to_owned());
        }
        let audit = Audit {
            page: stage.shell("/audit"),
            filters,
            filtered: many,
            kept: if many { text.to_owned() } else { String::new() },
            table: Table {
                caption: text.to_owned(),
                columns: vec![text.to_owned(); 5],
                rows: vec![vec![
                    Cell::Link {
                        href: "/t/acme/console/audit/1".to_owned(),
                        text: text.to_owned(),
                        detail: text.to_owned(),
                    },
                    Cell::Text(text.to_owned()),
                    Cell::Code(text.to_owned()),
                    Cell::Badge(Tone::Good, text.to_owned()),
                    Cell::moment(&stage.shell("/audit"), &crate::clock::Timestamp::UNIX_EPOCH),
                ]],
            },
            empty: Empty {
                title: text.to_owned(),
                text: text.to_owned(),
                action: Some(("/t/acme/console".to_owned(), text.to_owned())),
            },
            pager: Pager {
                first: many.then(|| "/t/acme/console/audit".to_owned()),
                next: Some("/t/acme/console/audit?after=1".to_owned()),
            },
        };
        pages.push(sample(messages, "console_audit", name, &audit)?);
        let empty = Audit {
            table: Table::default(),
            ..audit
        };
        pages.push(sample(messages, "console_audit_empty", name, &empty)?);
        let event = EventPage {
            page: stage.shell("/audit"),
            title: text.to_owned(),
            facts: vec![Fact {
                label: text.to_owned(),
                text: text.to_owned(),
                href: many.then(|| "/t/acme/console/audit?person=1".to_owned()),
            }],
            detail: text.to_owned(),
        };
        pages.push(sample(messages, "console_event", name, &event)?);
        let confirm = Confirm {
            page: stage.shell(""),
            title: text.to_owned(),
            lede: text.to_owned(),
            consequences: vec![text.to_owned()],
            action: "/t/acme/console/users/1/delete".to_owned(),
            hidden: vec![("version", "1".to_owned())],
            button: text.to_owned(),
            back: "/t/acme/console/users/1".to_owned(),
        };
        pages.push(sample(messages, "console_confirm", name, &confirm)?);
        for (kind, sign_in) in [
            ("ended", Some("/t/acme/console/signed-in")),
            ("old-sign-in", Some("/t/acme/console/signed-in")),
            ("other-session", None),
        ] {
            let kept = Kept {
                page: stage.page(),
                kind,
                action: "/t/acme/console/users/new",
                csrf: "csrf",
                fields: vec![("email", text), ("version", "3"), ("redirect_uris", "a\nb")],
                retype: if many { vec!["password"] } else { Vec::new() },
                sign_in,
                console: "/t/acme/console",
            };
            pages.push(sample(messages, "console_kept", name, &kept)?);
        }
        pages.extend(super::clients_samples::render_all(messages, name, text)?);
        pages.extend(super::sheets_samples::render_all(messages, name, text)?);
    }
    let stage = Stage::named(messages, "Acme");
    for (name, who) in [
        ("no-role", HOSTILE),
        ("ended", ""),
        ("interrupted", ""),
        ("old-sign-in", ""),
        ("signed-in", ""),
        ("signed-out", ""),
    ] {
        let view = Outside {
            page: stage.page(),
            kind: name,
            who,
            console: "/t/acme/console",
            sign_out: "/t/acme/logout",
        };
        pages.push(sample(messages, "console_outside", name, &view)?);
    }
    Ok(pages)
}
