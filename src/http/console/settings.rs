//! Sign-in settings: the tenant's name, lifetimes and policies, in units that people use.

use actix_web::http::StatusCode;
use actix_web::web;

use self::groups::{Entry, GROUPS, Kind, entries};
use self::words::{
    UNITS, assertions_as_json, bound, hint, in_unit, in_words, issuer_in, issuers_in_lines, label,
    profile_in_words, registration_in_words, value_in_words,
};
use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Choice, Draft, Field, FieldKind};
use super::reasons;
use super::routes::at;
use super::sections::{Reach, Section};
use super::sheets::{DetailSheet, Fact, FactGroup, Fold, FormSheet, Group, Row};
use super::visitor::Visitor;
use crate::domain::settings::{Bound, ConsentPolicy, RegistrationPolicy, TenantSettings};
use crate::domain::tenant::TenantRecord;
use crate::flows::admin::{AdminError, Area, Permission};
use crate::flows::browser::CheckedForm;
use crate::http::error::{Answer, PageError};
use crate::protocol::fapi::SecurityProfile;

mod groups;
pub(super) mod words;

/// This section.
pub static SECTION: Section = Section {
    path: "/settings",
    label: "section-settings",
    needs: Some(Permission::Read(Area::Settings)),
    reach: Reach::Tenant,
    routes: |pages| {
        pages.service(
            at("/settings")
                .route(web::get().to(show))
                .route(web::post().to(save)),
        );
    },
};

fn unit_name(name: &str) -> String {
    format!("{name}-unit")
}

/// The form as it is first shown.
fn draft_of(record: &TenantRecord) -> Draft {
    let settings = &record.settings;
    let mut values = vec![("name".to_owned(), record.name.clone())];
    for (name, kind) in entries() {
        let value = match kind {
            Kind::Span(of) => {
                let (count, unit) = in_unit((of.get)(settings));
                values.push((unit_name(name), unit.to_owned()));
                count.to_string()
            }
            Kind::Number(of) => (of.get)(settings).to_string(),
            Kind::Switch(of) if (of.get)(settings) => "1".to_owned(),
            Kind::Switch(_) => continue,
            Kind::Consent => match settings.consent {
                ConsentPolicy::Remembered => "remembered".to_owned(),
                ConsentPolicy::Always => "always".to_owned(),
            },
            Kind::Registration => settings.registration.as_str().to_owned(),
            Kind::Profile => settings.security_profile.as_str().to_owned(),
            Kind::Authorities => settings.client_certificate_authorities.clone(),
            Kind::Revoked => settings.client_certificate_revocation_lists.clone(),
            Kind::Address => settings.backchannel_notice_uri.clone(),
            Kind::Issuers => issuers_in_lines(settings),
            Kind::Assertions => assertions_as_json(settings),
        };
        values.push((name.to_owned(), value));
    }
    let values = values.iter();
    Draft::new(values.map(|(name, value)| (name.as_str(), value.clone())))
}

/// What was sent.
fn draft_sent(form: &CheckedForm) -> Draft {
    let mut names = vec!["name".to_owned()];
    for (name, kind) in entries() {
        names.push(name.to_owned());
        if let Kind::Span(_) = kind {
            names.push(unit_name(name));
        }
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    Draft::sent(form, &names)
}

/// A time in seconds, if its field and its unit say one.
fn seconds(draft: &Draft, name: &str) -> Option<u32> {
    let count: u32 = draft.value(name).parse().ok()?;
    let wanted = draft.value(&unit_name(name));
    let (_, unit) = UNITS.iter().find(|(unit, _)| *unit == wanted)?;
    count.checked_mul(*unit)
}

/// The record with what the form says; what is wrong is said beside its field.
fn read(page: &Shell<'_>, draft: &mut Draft, before: &TenantRecord) -> TenantRecord {
    let mut record = before.clone();
    draft.value("name").clone_into(&mut record.name);
    let settings = &mut record.settings;
    for (name, kind) in entries() {
        if let Err(problem) = read_one(page, draft, settings, (name, kind)) {
            draft.blame(name, problem);
        }
    }
    for (name, kind) in entries() {
        if let Some(bound) = bound(settings, name)
            && !(bound.least..=bound.most).contains(&bound.value)
            && draft.problem(name).is_none()
        {
            draft.blame(name, between(page, "settings-out-of-bounds", kind, bound));
        }
    }
    record
}

/// Reads one of them; what is wrong with it comes back in words.
fn read_one(
    page: &Shell<'_>,
    draft: &Draft,
    settings: &mut TenantSettings,
    (name, kind): Entry,
) -> Result<(), String> {
    let no_number = || page.t("settings-no-number").into_owned();
    let no_choice = || page.t("choose-one").into_owned();
    let chosen = draft.value(name);
    match kind {
        Kind::Span(of) => (of.set)(settings, seconds(draft, name).ok_or_else(no_number)?),
        Kind::Number(of) => (of.set)(settings, chosen.parse().map_err(|_| no_number())?),
        Kind::Switch(of) => (of.set)(settings, chosen == "1"),
        Kind::Consent => {
            settings.consent = match chosen {
                "remembered" => ConsentPolicy::Remembered,
                "always" => ConsentPolicy::Always,
                _ => return Err(no_choice()),
            };
        }
        Kind::Registration => {
            let mut all = RegistrationPolicy::ALL.into_iter();
            let found = all.find(|policy| policy.as_str() == chosen);
            settings.registration = found.ok_or_else(no_choice)?;
        }
        Kind::Profile => {
            let mut all = SecurityProfile::ALL.into_iter();
            let found = all.find(|profile| profile.as_str() == chosen);
            settings.security_profile = found.ok_or_else(no_choice)?;
        }
        Kind::Authorities => {
            settings.client_certificate_authorities = draft.lines(name).join("\n");
        }
        Kind::Revoked => {
            settings.client_certificate_revocation_lists = draft.lines(name).join("\n");
        }
        Kind::Issuers => {
            let lines = draft.lines(name);
            settings.software_statement_issuers =
                lines.iter().map(|line| issuer_in(line)).collect();
        }
        Kind::Assertions => {
            let read = draft
                .given(name)
                .map_or(Ok(Vec::new()), serde_json::from_str);
            settings.assertion_issuers = read.map_err(|error| reasons::of_json(*page, &error))?;
        }
        Kind::Address => chosen
            .trim()
            .clone_into(&mut settings.backchannel_notice_uri),
    }
    Ok(())
}

fn between(page: &Shell<'_>, id: &str, kind: Kind, bound: Bound) -> String {
    let words = |number| in_words(page, kind, number);
    page.messages.format(
        id,
        [("least", words(bound.least)), ("most", words(bound.most))],
    )
}

fn row(page: &Shell<'_>, draft: &Draft, stored: &TenantSettings, entry: Entry, stale: bool) -> Row {
    let (name, kind) = entry;
    let default = TenantSettings::default();
    let mut said = vec![hint(page, name)];
    if let Some(bound) = bound(stored, name) {
        said.push(between(page, "settings-bounds", kind, bound));
    }
    let usual = value_in_words(page, &default, entry);
    said.push(page.f("settings-default", "value", &usual));
    let now = value_in_words(page, stored, entry);
    if stale {
        said.push(page.f("settings-stored", "value", &now));
    }
    let units = || {
        UNITS
            .iter()
            .rev()
            .map(|(unit, _)| {
                let mut choice = Choice::new(*unit, page.t(&format!("settings-unit-{unit}")));
                choice.chosen = draft.value(&unit_name(name)) == *unit;
                choice
            })
            .collect()
    };
    let field = |kind: FieldKind| {
        Field::new(name, label(page, name), kind)
            .hint(said.join(" "))
            .of(draft)
    };
    match kind {
        Kind::Span(_) => Row::Span(field(FieldKind::Line("text")), units()),
        Kind::Number(_) => Row::Field(field(FieldKind::Line("number")).required()),
        Kind::Switch(_) => Row::Field(field(FieldKind::Box)),
        Kind::Consent => Row::Field(field(FieldKind::Radio(vec![
            Choice::new("remembered", page.t("settings-consent-remembered")),
            Choice::new("always", page.t("settings-consent-always")),
        ]))),
        Kind::Registration => Row::Field(field(FieldKind::Radio(
            RegistrationPolicy::ALL
                .map(|policy| Choice::new(policy.as_str(), registration_in_words(page, policy)))
                .into(),
        ))),
        Kind::Profile => Row::Field(field(FieldKind::Radio(
            SecurityProfile::ALL
                .map(|profile| Choice::new(profile.as_str(), profile_in_words(page, profile)))
                .into(),
        ))),
        Kind::Authorities | Kind::Revoked => Row::Field(field(FieldKind::Lines(4))),
        Kind::Issuers => Row::Field(field(FieldKind::Lines(3))),
        Kind::Assertions => Row::Field(field(FieldKind::Lines(6))),
        Kind::Address => Row::Field(field(FieldKind::Line("url"))),
    }
}

/// The form. Where somebody else came first, each field says what is stored now.
fn form<'a>(
    visitor: &'a Visitor,
    draft: &Draft,
    stored: &TenantRecord,
    stale: bool,
) -> FormSheet<'a> {
    let page = visitor.shell(&SECTION);
    let mut name = Field::text("name", page.t("settings-name")).required();
    let said = if stale {
        let now = page.f("settings-stored", "value", &stored.name);
        format!("{} {now}", page.t("settings-name-hint"))
    } else {
        page.t("settings-name-hint").into_owned()
    };
    name = name.hint(said);
    let mut groups = Group::plain(vec![name.of(draft)]);
    groups.extend(GROUPS.iter().map(|(title, entries)| {
        let rows: Vec<_> = entries
            .iter()
            .map(|entry| row(&page, draft, &stored.settings, *entry, stale))
            .collect();
        let section = title.trim_start_matches("settings-");
        Group {
            title: page.t(title).into_owned(),
            fold: Some(Fold {
                id: title,
                about: page.t(&format!("settings-about-{section}")).into_owned(),
                open: stale || rows.iter().any(|row| row.field().problem.is_some()),
            }),
            rows,
        }
    }));
    let rows = groups.iter().flat_map(|group| &group.rows);
    let fields: Vec<_> = rows.map(|row| row.field().clone()).collect();
    let address = page.path("/settings");
    FormSheet {
        page,
        back: None,
        title: page.t("section-settings").into_owned(),
        lede: page.t("settings-lede").into_owned(),
        consequences: Vec::new(),
        stale: if stale {
            page.t("stale-fields").into_owned()
        } else {
            String::new()
        },
        problems: draft.other_problems(&fields),
        action: address.clone(),
        hidden: vec![("version", stored.version.to_string())],
        groups,
        preview: None,
        button: page.t("save-changes").into_owned(),
        danger: false,
        cancel: address,
    }
}

/// The same to read.
fn facts<'a>(visitor: &'a Visitor, record: &TenantRecord) -> DetailSheet<'a> {
    let page = visitor.shell(&SECTION);
    let mut groups = vec![FactGroup {
        title: String::new(),
        text: String::new(),
        facts: vec![Fact::said(page.t("settings-name"), record.name.clone())],
    }];
    groups.extend(GROUPS.iter().map(|(title, entries)| {
        let fact = |entry: &Entry| {
            Fact::said(
                label(&page, entry.0),
                value_in_words(&page, &record.settings, *entry),
            )
        };
        FactGroup {
            title: page.t(title).into_owned(),
            text: String::new(),
            facts: entries.iter().map(fact).collect(),
        }
    }));
    DetailSheet {
        page,
        back: None,
        title: page.t("section-settings").into_owned(),
        badges: Vec::new(),
        lede: page.t("settings-read-only").into_owned(),
        problems: Vec::new(),
        acts: Vec::new(),
        groups,
    }
}

/// `GET /console/settings`.
async fn show(visitor: Visitor) -> Answer {
    visitor.check(Permission::Read(Area::Settings))?;
    let record = stored(&visitor).await?;
    if visitor.may(Permission::Write(Area::Settings)) {
        visitor.show(&form(&visitor, &draft_of(&record), &record, false))
    } else {
        visitor.show(&facts(&visitor, &record))
    }
}

/// The record as it is stored at this moment, past the cache.
pub async fn stored(visitor: &Visitor) -> Result<TenantRecord, PageError> {
    let slug = visitor.tenant.slug().as_str();
    let found = visitor.provider().load_tenant_record(slug).await;
    found.map_err(|error| visitor.fault(error))
}

/// `POST /console/settings`.
async fn save(visitor: Visitor) -> Answer {
    visitor.check(Permission::Write(Area::Settings))?;
    let sent = visitor.take()?;
    let now = stored(&visitor).await?;
    let page = visitor.shell(&SECTION);
    let mut draft = draft_sent(&sent);
    let mut changed = read(&page, &mut draft, &now);
    changed.version = sent.input("version").parse().unwrap_or_default();
    if draft.is_wrong() {
        let mut view = form(&visitor, &draft, &now, false);
        view.hidden = vec![("version", sent.input("version").to_owned())];
        return visitor.show_again(&view);
    }
    let saved = visitor
        .provider()
        .update_tenant(changed, &visitor.by())
        .await;
    match saved {
        Ok(_) => visitor.done("/settings", &Notice::new("changes-saved")),
        Err(AdminError::Stale(_)) => {
            Ok(visitor.respond(StatusCode::CONFLICT, &form(&visitor, &draft, &now, true)))
        }
        Err(error) => {
            draft
                .take(visitor.shell(&SECTION), error)
                .map_err(|error| visitor.fault(error))?;
            let mut view = form(&visitor, &draft, &now, false);
            view.hidden = vec![("version", sent.input("version").to_owned())];
            visitor.show_again(&view)
        }
    }
}

#[cfg(test)]
mod tests;
