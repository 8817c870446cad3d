//! Every sample of the console, in every language, held to what all pages promise.

use std::collections::BTreeSet;
use std::path::Path;

use super::clients_kind::Kind;
use super::clients_secret::OVERLAPS;
use super::samples::render_all;
use super::user_claims;
use super::{clients_edit, settings};
use crate::domain::audit::Act;
use crate::domain::role::Role;
use crate::flows::scopes::OF_PERSONS;
use crate::http::pages::messages::Messages;
use crate::http::pages::samples::HOSTILE;
use crate::protocol::client_metadata::ResponseType;

/// What begins the names of messages that are put together at run time, with all that may follow.
#[expect(clippy::too_many_lines, reason = "a table")]
fn families() -> Vec<(&'static str, Vec<String>)> {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let acts = Act::ALL.map(|act| act.as_str().replace(['.', '_'], "-"));
    let kinds = Kind::ALL.map(|kind| kind.as_str().to_owned());
    let faults = texts(&[
        "forbidden",
        "not-found",
        "invalid",
        "stale",
        "refused",
        "form",
    ]);
    let roles = Role::ALL.map(|role| role.to_string());
    let stories = texts(&[
        "tenant-not-found",
        "tenant-suspended",
        "form-lapsed",
        "flow-expired",
        "forbidden",
        "unavailable",
        "too-many",
        "too-slow",
        "not-signed-in",
        "not-found",
        "not-understood",
        "server",
        "application",
    ]);
    let mut scopes = texts(&OF_PERSONS);
    scopes.extend(texts(&["admin", "unknown"]));
    let mut outside = Vec::new();
    for kind in [
        "no-role",
        "ended",
        "old-sign-in",
        "interrupted",
        "signed-out",
        "signed-in",
    ] {
        outside.extend([kind.to_owned(), format!("{kind}-lede")]);
    }
    let steps = ["client", "user", "domain"];
    let steps = steps
        .iter()
        .flat_map(|id| [(*id).to_owned(), format!("{id}-text")]);
    vec![
        ("act-", acts.into()),
        ("fault-", faults.clone()),
        ("advice-", faults),
        ("branding-contrast-", texts(&["light", "dark"])),
        ("client-kind-", kinds.clone().into()),
        ("client-kind-text-", kinds.into()),
        (
            "client-new-",
            texts(&["post_logout", "scope-hint", "api-hint"]),
        ),
        (
            "client-new-redirect-",
            texts(&["web", "browser", "terminal"]),
        ),
        (
            "client-overlap-",
            OVERLAPS.map(|hours| hours.to_string()).into(),
        ),
        (
            "client-response-",
            ResponseType::ALL
                .map(|own| own.as_str().replace(' ', "-"))
                .into(),
        ),
        ("client-scope-", scopes),
        ("error-title-", stories.clone()),
        ("error-advice-", stories),
        (
            "figure-",
            texts(&["users", "clients", "sign-ins", "failures"]),
        ),
        (
            "kept-",
            texts(&[
                "ended-lede",
                "old-sign-in-lede",
                "other-session",
                "other-session-lede",
            ]),
        ),
        ("month-", (1..=12).map(|month| month.to_string()).collect()),
        ("outside-", outside),
        ("role-", roles.clone().into()),
        ("role-text-", roles.into()),
        ("step-", steps.collect()),
        (
            "try-it-",
            texts(&[
                "id-token",
                "access-header",
                "access-claims",
                "userinfo",
                "answer",
            ]),
        ),
        (
            "user-",
            texts(&["disable", "request-code", "reset", "delete"]),
        ),
        (
            "user-claim-",
            user_claims::texts().map(user_claims::word).collect(),
        ),
    ]
}

/// Those whose names their own modules list.
const LISTED: [&str; 10] = [
    "client-field-",
    "client-group-",
    "client-hint-",
    "setting-",
    "setting-hint-",
    "settings-about-",
    "settings-profile-",
    "settings-registration-",
    "settings-span-",
    "settings-unit-",
];

fn sources(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.file_name().is_some_and(|name| name != "tests.rs")
            && path.extension().is_some_and(|extension| extension != "ftl")
        {
            found.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_message_whose_name_is_put_together_is_there() {
    let mut names: Vec<String> = families()
        .iter()
        .flat_map(|(begin, ends)| ends.iter().map(move |end| format!("{begin}{end}")))
        .collect();
    names.extend(clients_edit::message_names());
    names.extend(settings::words::message_names());
    for messages in Messages::all() {
        let missing: Vec<_> = names.iter().filter(|name| !messages.knows(name)).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", messages.lang());
    }
    // Whoever puts further ones together lists them above.
    let mut text = String::new();
    for folder in ["templates", "src/http"] {
        sources(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
            &mut text,
        );
    }
    let begun: BTreeSet<&str> = text
        .split("format!(")
        .skip(1)
        .filter_map(|rest| {
            let begin = rest.trim_start().strip_prefix('"')?.split('{').next()?;
            let is_name = begin.ends_with('-')
                && begin.starts_with(|c: char| c.is_ascii_lowercase())
                && begin
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_');
            is_name.then_some(begin)
        })
        .collect();
    let listed: BTreeSet<&str> = families()
        .iter()
        .map(|(begin, _)| *begin)
        .chain(LISTED)
        // A part of the page about the API.
        .chain(["document-"])
        .collect();
    assert_eq!(begun, listed);
}

#[test]
fn every_message_that_the_sources_name_is_there() {
    let mut text = String::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"),
        &mut text,
    );
    let named: BTreeSet<&str> = [
        "page.t(",
        "page.f(",
        "shell.t(",
        "SECTION).t(",
        "SECTION).f(",
        "Notice::new(",
    ]
    .iter()
    .flat_map(|call| text.split(call).skip(1))
    .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
    .collect();
    assert!(named.len() > 200, "{}", named.len());
    let missing: Vec<_> = named
        .iter()
        .filter(|id| !Messages::default().knows(id))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_sample_renders_and_keeps_the_promises_of_pages() {
    for page in Messages::all().flat_map(|messages| render_all(messages).unwrap()) {
        let place = format!("{}/{}/{}", page.view, page.sample, page.lang);
        assert!(
            !page.html.contains(HOSTILE) && !page.html.contains("<img src=x"),
            "{place}"
        );
        assert!(
            !page.html.contains(" style=") && !page.html.contains(" onclick="),
            "{place}"
        );
        assert!(!page.html.contains("<style"), "{place}");
        assert_eq!(
            page.html.matches("<script").count(),
            page.html.matches(" defer></script>").count(),
            "{place}"
        );
        assert_eq!(page.html.matches("<h1").count(), 1, "{place}");
        for form in page.html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            if form.contains("method=\"post\"") {
                assert!(
                    form.contains("name=\"csrf\" value=\"csrf\""),
                    "{place}: {form}"
                );
            }
        }
        // Every id is there once, and no message is missing.
        let mut ids: Vec<_> = page
            .html
            .split(" id=\"")
            .skip(1)
            .map(|rest| rest.split('"').next())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{place}: {ids:?}");
    }
}
