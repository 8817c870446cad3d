//! Sign-in settings: the tenant's name, lifetimes and policies, in units that people use.

use actix_web::http::StatusCode;
use actix_web::web;

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

/// How a setting is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A number of seconds.
    Span,
    /// A number.
    Number,
    /// Yes or no.
    Switch,
    /// Whether people are asked.
    Consent,
    /// Who may register applications.
    Registration,
    /// What is demanded of applications.
    Profile,
    /// Whose certificates are believed: PEM.
    Authorities,
    /// What they have revoked: PEM.
    Revoked,
    /// Whose software statements are believed: a line each, the issuer and the address of its keys.
    Issuers,
    /// Whose assertions get tokens: as JSON.
    Assertions,
    /// An address, or nothing.
    Address,
}

type Entry = (&'static str, Kind);

/// Every setting, under its heading.
const GROUPS: [(&str, &[Entry]); 10] = [
    (
        "settings-tokens",
        &[
            ("access_token_lifetime", Kind::Span),
            ("id_token_lifetime", Kind::Span),
            ("refresh_token_idle_lifetime", Kind::Span),
            ("refresh_token_lifetime", Kind::Span),
            ("code_lifetime", Kind::Span),
        ],
    ),
    (
        "settings-sessions",
        &[
            ("session_idle_lifetime", Kind::Span),
            ("session_lifetime", Kind::Span),
            ("sign_out_ends_offline_access", Kind::Switch),
            ("session_management", Kind::Switch),
        ],
    ),
    (
        "settings-passwords",
        &[
            ("password.minimum_length", Kind::Number),
            ("password.refuse_own_name", Kind::Switch),
            ("lockout.attempts", Kind::Number),
            ("lockout.window", Kind::Span),
            ("one_time_link_lifetime", Kind::Span),
        ],
    ),
    (
        "settings-applications",
        &[
            ("consent", Kind::Consent),
            ("security_profile", Kind::Profile),
            ("require_pkce", Kind::Switch),
            ("front_channel_tokens", Kind::Switch),
            ("native_sso", Kind::Switch),
            ("require_acr_values", Kind::Switch),
        ],
    ),
    (
        "settings-requests",
        &[
            ("require_pushed_authorization_requests", Kind::Switch),
            ("pushed_request_rate", Kind::Number),
            ("request_object_lifetime", Kind::Span),
            ("request_object_encryption", Kind::Switch),
            ("request_uri_parameter", Kind::Switch),
        ],
    ),
    (
        "settings-proofs",
        &[
            ("require_dpop_nonce", Kind::Switch),
            ("dpop_proof_leeway", Kind::Span),
            ("client_certificate_authorities", Kind::Authorities),
            ("client_certificate_revocation_lists", Kind::Revoked),
            ("require_issuer_audience", Kind::Switch),
            ("assertion_issuers", Kind::Assertions),
        ],
    ),
    (
        "settings-administration",
        &[
            ("administration_reauthentication", Kind::Switch),
            ("administration_max_age", Kind::Span),
        ],
    ),
    (
        "settings-devices",
        &[
            ("device_authorization", Kind::Switch),
            ("device_code_lifetime", Kind::Span),
            ("device_code_limit", Kind::Number),
            ("device_code_rate", Kind::Number),
        ],
    ),
    (
        "settings-backchannel",
        &[
            ("backchannel_authentication", Kind::Switch),
            ("backchannel_request_lifetime", Kind::Span),
            ("backchannel_request_limit", Kind::Number),
            ("backchannel_request_rate", Kind::Number),
            ("backchannel_notice_uri", Kind::Address),
        ],
    ),
    (
        "settings-registration",
        &[
            ("registration", Kind::Registration),
            ("registration_limit", Kind::Number),
            ("registration_rate", Kind::Number),
            ("unused_client_days", Kind::Number),
            ("software_statement_issuers", Kind::Issuers),
            ("require_software_statement", Kind::Switch),
        ],
    ),
];

fn switch(settings: &TenantSettings, name: &str) -> bool {
    match name {
        "sign_out_ends_offline_access" => settings.sign_out_ends_offline_access,
        "session_management" => settings.session_management,
        "password.refuse_own_name" => settings.password.refuse_own_name,
        "require_pkce" => settings.require_pkce,
        "require_issuer_audience" => settings.require_issuer_audience,
        "require_software_statement" => settings.require_software_statement,
        "require_dpop_nonce" => settings.require_dpop_nonce,
        "device_authorization" => settings.device_authorization,
        "native_sso" => settings.native_sso,
        "backchannel_authentication" => settings.backchannel_authentication,
        "front_channel_tokens" => settings.front_channel_tokens,
        "require_acr_values" => settings.require_acr_values,
        "administration_reauthentication" => settings.administration_reauthentication,
        "request_object_encryption" => settings.request_object_encryption,
        "request_uri_parameter" => settings.request_uri_parameter,
        _ => settings.require_pushed_authorization_requests,
    }
}

fn unit_name(name: &str) -> String {
    format!("{name}-unit")
}

/// The form as it is first shown.
fn draft_of(record: &TenantRecord) -> Draft {
    let settings = &record.settings;
    let mut values = vec![("name".to_owned(), record.name.clone())];
    for (name, kind) in GROUPS.iter().flat_map(|(_, entries)| entries.iter()) {
        match kind {
            Kind::Span => {
                let seconds = bound(settings, name).map_or(0, |bound| bound.value);
                let (count, unit) = in_unit(seconds);
                values.push(((*name).to_owned(), count.to_string()));
                values.push((unit_name(name), unit.to_owned()));
            }
            Kind::Number => {
                let number = bound(settings, name).map_or(0, |bound| bound.value);
                values.push(((*name).to_owned(), number.to_string()));
            }
            Kind::Switch if switch(settings, name) => {
                values.push(((*name).to_owned(), "1".to_owned()));
            }
            Kind::Switch => {}
            Kind::Consent => {
                let value = match settings.consent {
                    ConsentPolicy::Remembered => "remembered",
                    ConsentPolicy::Always => "always",
                };
                values.push(((*name).to_owned(), value.to_owned()));
            }
            Kind::Registration => {
                let value = settings.registration.as_str();
                values.push(((*name).to_owned(), value.to_owned()));
            }
            Kind::Profile => {
                let value = settings.security_profile.as_str();
                values.push(((*name).to_owned(), value.to_owned()));
            }
            Kind::Authorities => {
                let value = settings.client_certificate_authorities.clone();
                values.push(((*name).to_owned(), value));
            }
            Kind::Revoked => {
                let value = settings.client_certificate_revocation_lists.clone();
                values.push(((*name).to_owned(), value));
            }
            Kind::Address => {
                let value = settings.backchannel_notice_uri.clone();
                values.push(((*name).to_owned(), value));
            }
            Kind::Issuers => values.push(((*name).to_owned(), issuers_in_lines(settings))),
            Kind::Assertions => values.push(((*name).to_owned(), assertions_as_json(settings))),
        }
    }
    let values = values.iter();
    Draft::new(values.map(|(name, value)| (name.as_str(), value.clone())))
}

/// What was sent.
fn draft_sent(form: &CheckedForm) -> Draft {
    let entries = GROUPS.iter().flat_map(|(_, entries)| entries.iter());
    let mut names = vec!["name".to_owned()];
    for (name, kind) in entries {
        names.push((*name).to_owned());
        if *kind == Kind::Span {
            names.push(unit_name(name));
        }
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    Draft::sent(form, &names)
}

/// A number in seconds or as it stands, if it is one.
fn number(draft: &Draft, (name, kind): Entry) -> Option<u32> {
    let count: u32 = draft.value(name).parse().ok()?;
    if kind == Kind::Number {
        return Some(count);
    }
    let wanted = draft.value(&unit_name(name)).to_owned();
    let (_, unit) = UNITS.iter().find(|(unit, _)| *unit == wanted)?;
    count.checked_mul(*unit)
}

/// The record with what the form says; what is wrong is said beside its field.
#[expect(clippy::too_many_lines, reason = "an arm for each kind of setting")]
fn read(page: &Shell<'_>, draft: &mut Draft, before: &TenantRecord) -> TenantRecord {
    let mut record = before.clone();
    draft.value("name").clone_into(&mut record.name);
    let settings = &mut record.settings;
    for &(name, kind) in GROUPS.iter().flat_map(|(_, entries)| entries.iter()) {
        let given = draft.value(name) == "1";
        match (name, kind) {
            ("sign_out_ends_offline_access", _) => settings.sign_out_ends_offline_access = given,
            ("session_management", _) => settings.session_management = given,
            ("password.refuse_own_name", _) => settings.password.refuse_own_name = given,
            ("require_pkce", _) => settings.require_pkce = given,
            ("require_issuer_audience", _) => settings.require_issuer_audience = given,
            ("require_software_statement", _) => settings.require_software_statement = given,
            (_, Kind::Issuers) => {
                let lines = draft.lines(name);
                settings.software_statement_issuers =
                    lines.iter().map(|line| issuer_in(line)).collect();
            }
            (_, Kind::Authorities) => {
                settings.client_certificate_authorities = draft.lines(name).join("\n");
            }
            (_, Kind::Revoked) => {
                settings.client_certificate_revocation_lists = draft.lines(name).join("\n");
            }
            (_, Kind::Address) => {
                draft
                    .value(name)
                    .trim()
                    .clone_into(&mut settings.backchannel_notice_uri);
            }
            (_, Kind::Profile) => {
                let chosen = draft.value(name);
                match SecurityProfile::ALL
                    .into_iter()
                    .find(|profile| profile.as_str() == chosen)
                {
                    Some(profile) => settings.security_profile = profile,
                    None => draft.blame(name, page.t("choose-one")),
                }
            }
            (_, Kind::Assertions) => {
                let read = draft
                    .given(name)
                    .map_or(Ok(Vec::new()), serde_json::from_str);
                match read {
                    Ok(issuers) => settings.assertion_issuers = issuers,
                    Err(error) => {
                        draft.blame(name, reasons::of_json(*page, &error));
                    }
                }
            }
            ("require_dpop_nonce", _) => settings.require_dpop_nonce = given,
            ("native_sso", _) => settings.native_sso = given,
            ("front_channel_tokens", _) => settings.front_channel_tokens = given,
            ("require_acr_values", _) => settings.require_acr_values = given,
            ("administration_reauthentication", _) => {
                settings.administration_reauthentication = given;
            }
            ("request_object_encryption", _) => settings.request_object_encryption = given,
            ("request_uri_parameter", _) => settings.request_uri_parameter = given,
            ("require_pushed_authorization_requests", _) => {
                settings.require_pushed_authorization_requests = given;
            }
            ("device_authorization", _) => settings.device_authorization = given,
            ("backchannel_authentication", _) => settings.backchannel_authentication = given,
            (_, Kind::Consent) => match draft.value(name) {
                "remembered" => settings.consent = ConsentPolicy::Remembered,
                "always" => settings.consent = ConsentPolicy::Always,
                _ => draft.blame(name, page.t("choose-one")),
            },
            (_, Kind::Registration) => {
                let chosen = draft.value(name);
                match RegistrationPolicy::ALL
                    .into_iter()
                    .find(|policy| policy.as_str() == chosen)
                {
                    Some(policy) => settings.registration = policy,
                    None => draft.blame(name, page.t("choose-one")),
                }
            }
            _ => match number(draft, (name, kind)) {
                None => draft.blame(name, page.t("settings-no-number")),
                Some(number) => {
                    let slot = match name {
                        "access_token_lifetime" => &mut settings.access_token_lifetime,
                        "id_token_lifetime" => &mut settings.id_token_lifetime,
                        "refresh_token_idle_lifetime" => &mut settings.refresh_token_idle_lifetime,
                        "refresh_token_lifetime" => &mut settings.refresh_token_lifetime,
                        "code_lifetime" => &mut settings.code_lifetime,
                        "session_idle_lifetime" => &mut settings.session_idle_lifetime,
                        "session_lifetime" => &mut settings.session_lifetime,
                        "password.minimum_length" => &mut settings.password.minimum_length,
                        "lockout.attempts" => &mut settings.lockout.attempts,
                        "lockout.window" => &mut settings.lockout.window,
                        "dpop_proof_leeway" => &mut settings.dpop_proof_leeway,
                        "request_object_lifetime" => &mut settings.request_object_lifetime,
                        "pushed_request_rate" => &mut settings.pushed_request_rate,
                        "device_code_lifetime" => &mut settings.device_code_lifetime,
                        "device_code_limit" => &mut settings.device_code_limit,
                        "device_code_rate" => &mut settings.device_code_rate,
                        "backchannel_request_lifetime" => {
                            &mut settings.backchannel_request_lifetime
                        }
                        "backchannel_request_limit" => &mut settings.backchannel_request_limit,
                        "backchannel_request_rate" => &mut settings.backchannel_request_rate,
                        "administration_max_age" => &mut settings.administration_max_age,
                        "registration_limit" => &mut settings.registration_limit,
                        "registration_rate" => &mut settings.registration_rate,
                        "unused_client_days" => &mut settings.unused_client_days,
                        _ => &mut settings.one_time_link_lifetime,
                    };
                    *slot = number;
                }
            },
        }
    }
    for &(name, kind) in GROUPS.iter().flat_map(|(_, entries)| entries.iter()) {
        if let Some(bound) = bound(settings, name)
            && !(bound.least..=bound.most).contains(&bound.value)
            && draft.problem(name).is_none()
        {
            draft.blame(name, between(page, "settings-out-of-bounds", kind, bound));
        }
    }
    record
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
        Kind::Span => Row::Span(field(FieldKind::Line("text")), units()),
        Kind::Number => Row::Field(field(FieldKind::Line("number")).required()),
        Kind::Switch => Row::Field(field(FieldKind::Box)),
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
