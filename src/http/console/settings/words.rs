//! What the settings say, in words.

use super::groups::{Entry, Kind};
use crate::domain::settings::{
    Bound, ConsentPolicy, RegistrationPolicy, SoftwareStatementIssuer, TenantSettings,
};
use crate::http::console::layout::Shell;
use crate::jose::certificate::Authorities;
use crate::jose::revocation_lists::RevocationLists;
use crate::protocol::fapi::SecurityProfile;

/// Units of time, the largest first.
pub(super) const UNITS: [(&str, u32); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

/// As a whole number of the largest unit that fits.
pub(super) fn in_unit(seconds: u32) -> (u32, &'static str) {
    let fitting = UNITS
        .iter()
        .find(|(_, unit)| seconds >= *unit && seconds.is_multiple_of(*unit));
    let (name, unit) = fitting.unwrap_or(&("s", 1));
    (seconds / unit, name)
}

/// A time in words.
fn span_in_words(page: &Shell<'_>, seconds: u32) -> String {
    let (count, unit) = in_unit(seconds);
    page.messages
        .format(&format!("settings-span-{unit}"), [("count", count)])
}

pub(super) fn in_words(page: &Shell<'_>, kind: Kind, number: u32) -> String {
    match kind {
        Kind::Span(_) => span_in_words(page, number),
        _ => number.to_string(),
    }
}

/// A setting's label. Fluent's names know no point.
pub(super) fn label(page: &Shell<'_>, name: &str) -> String {
    page.t(&format!("setting-{}", name.replace(['.', '_'], "-")))
        .into_owned()
}

pub(super) fn hint(page: &Shell<'_>, name: &str) -> String {
    page.t(&format!("setting-hint-{}", name.replace(['.', '_'], "-")))
        .into_owned()
}

pub(super) fn bound(settings: &TenantSettings, name: &str) -> Option<Bound> {
    settings
        .bounds()
        .into_iter()
        .find(|bound| bound.name == name)
}

/// What a setting says, in words.
pub(super) fn value_in_words(
    page: &Shell<'_>,
    settings: &TenantSettings,
    (_, kind): Entry,
) -> String {
    match kind {
        Kind::Span(of) | Kind::Number(of) => in_words(page, kind, (of.get)(settings)),
        Kind::Switch(of) => page
            .t(if (of.get)(settings) {
                "settings-yes"
            } else {
                "settings-no"
            })
            .into_owned(),
        Kind::Consent => page
            .t(match settings.consent {
                ConsentPolicy::Remembered => "settings-consent-remembered",
                ConsentPolicy::Always => "settings-consent-always",
            })
            .into_owned(),
        Kind::Registration => registration_in_words(page, settings.registration),
        Kind::Profile => profile_in_words(page, settings.security_profile),
        Kind::Authorities => or_nobody(
            page,
            authorities_in_words(&settings.client_certificate_authorities),
        ),
        Kind::Revoked => or_nobody(
            page,
            lists_in_words(&settings.client_certificate_revocation_lists),
        ),
        Kind::Address => or_nobody(page, settings.backchannel_notice_uri.clone()),
        Kind::Issuers => or_nobody(page, issuers_in_lines(settings).replace('\n', ", ")),
        Kind::Assertions => {
            let issuers = settings.assertion_issuers.iter();
            let names: Vec<_> = issuers.map(|one| one.issuer.as_str()).collect();
            or_nobody(page, names.join(", "))
        }
    }
}

fn or_nobody(page: &Shell<'_>, names: String) -> String {
    if names.is_empty() {
        page.t("settings-nobody").into_owned()
    } else {
        names
    }
}

/// As JSON; nothing where there is none.
pub(super) fn assertions_as_json(settings: &TenantSettings) -> String {
    if settings.assertion_issuers.is_empty() {
        return String::new();
    }
    serde_json::to_string_pretty(&settings.assertion_issuers).unwrap_or_default()
}

pub(super) fn issuers_in_lines(settings: &TenantSettings) -> String {
    let issuers = settings.software_statement_issuers.iter();
    let lines = issuers.map(|one| format!("{} {}", one.issuer, one.jwks_uri));
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn issuer_in(line: &str) -> SoftwareStatementIssuer {
    let (issuer, jwks_uri) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    SoftwareStatementIssuer {
        issuer: issuer.to_owned(),
        jwks_uri: jwks_uri.trim().to_owned(),
    }
}

pub(super) fn registration_in_words(page: &Shell<'_>, policy: RegistrationPolicy) -> String {
    page.t(&format!("settings-registration-{}", policy.as_str()))
        .into_owned()
}

pub(super) fn profile_in_words(page: &Shell<'_>, profile: SecurityProfile) -> String {
    let name = profile.as_str().replace('_', "-");
    page.t(&format!("settings-profile-{name}")).into_owned()
}

/// Whose certificates they are, as people know them.
pub(super) fn authorities_in_words(pem: &str) -> String {
    Authorities::parse(pem)
        .map(|own| own.names().join("; "))
        .unwrap_or_default()
}

/// Whose lists they are.
pub(super) fn lists_in_words(pem: &str) -> String {
    RevocationLists::parse(pem)
        .map(|own| own.names().join("; "))
        .unwrap_or_default()
}

/// The names of the messages that are put together for the settings.
#[cfg(test)]
pub fn message_names() -> Vec<String> {
    let mut names = Vec::new();
    for (title, entries) in super::groups::GROUPS {
        names.push(title.to_owned());
        names.push(title.replacen("settings-", "settings-about-", 1));
        for (name, _) in entries {
            let name = name.replace(['.', '_'], "-");
            names.extend([format!("setting-{name}"), format!("setting-hint-{name}")]);
        }
    }
    for (unit, _) in UNITS {
        names.extend([
            format!("settings-unit-{unit}"),
            format!("settings-span-{unit}"),
        ]);
    }
    names.extend(
        RegistrationPolicy::ALL.map(|policy| format!("settings-registration-{}", policy.as_str())),
    );
    names.extend(SecurityProfile::ALL.map(|profile| {
        let name = profile.as_str().replace('_', "-");
        format!("settings-profile-{name}")
    }));
    names
}
