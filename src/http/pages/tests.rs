//! Every sample of every view, in every language, held to what all pages promise.

use super::{
    assets,
    messages::Messages,
    samples::{HOSTILE, Rendered, render_all},
};

fn everything() -> Vec<Rendered> {
    Messages::all()
        .flat_map(|messages| render_all(messages).unwrap())
        .collect()
}

fn sample(view: &str, name: &str) -> String {
    let found = render_all(Messages::default())
        .unwrap()
        .into_iter()
        .find(|page| page.view == view && page.sample == name);
    found
        .unwrap_or_else(|| panic!("no sample {view}/{name}"))
        .html
}

/// The start tags of a page, quotes respected; panics where one can't be read.
fn tags(html: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        let mut quoted = false;
        let end = rest.bytes().position(|byte| {
            quoted ^= byte == b'"';
            byte == b'>' && !quoted
        });
        let end =
            end.unwrap_or_else(|| panic!("a tag without an end: {}", &rest[..60.min(rest.len())]));
        if !rest.starts_with("</") && !rest.starts_with("<!") {
            found.push(&rest[..=end]);
        }
        rest = &rest[end + 1..];
    }
    found
}

fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

fn ids(html: &str) -> Vec<&str> {
    tags(html)
        .into_iter()
        .filter_map(|tag| attribute(tag, "id"))
        .collect()
}

#[test]
fn no_page_holds_an_inline_style_or_script() {
    for page in everything() {
        let place = format!("{}/{}/{}", page.view, page.sample, page.lang);
        for tag in tags(&page.html) {
            let names: Vec<&str> = tag
                .split('"')
                .step_by(2)
                .flat_map(str::split_ascii_whitespace)
                .collect();
            for name in names.iter().skip(1) {
                assert!(
                    !name.starts_with("on") && !name.starts_with("style"),
                    "{place}: {tag}"
                );
            }
            assert!(!tag.starts_with("<style"), "{place}");
            if tag.starts_with("<script") {
                let source =
                    attribute(tag, "src").unwrap_or_else(|| panic!("{place}: an inline script"));
                assert!(
                    assets::find(source.trim_start_matches("/static/")).is_some(),
                    "{place}: {source}"
                );
            }
            assert!(
                !tag.to_ascii_lowercase().contains("javascript:"),
                "{place}: {tag}"
            );
        }
        assert_eq!(
            page.html.matches("<script").count(),
            page.html.matches("defer></script>").count(),
            "{place}"
        );
    }
}

#[test]
fn nothing_that_people_choose_is_rendered_unescaped() {
    let mut seen = 0;
    for page in everything() {
        assert!(
            !page.html.contains("<script>")
                && !page.html.contains("<img src=x")
                && !page.html.contains(HOSTILE),
            "{}/{}",
            page.view,
            page.sample
        );
        if page.sample == "hostile" {
            seen += 1;
            assert!(
                page.html.contains("&#60;script&#62;alert(1)"),
                "{} shows nothing hostile",
                page.view
            );
        }
    }
    assert_eq!(
        seen,
        20 * Messages::all().count(),
        "every view but the landing page has a hostile sample"
    );
}

#[test]
fn every_page_says_its_language_tenant_and_title() {
    for page in everything() {
        let place = format!("{}/{}/{}", page.view, page.sample, page.lang);
        assert!(page.html.starts_with("<!doctype html>"), "{place}");
        assert!(
            page.html
                .contains(&format!("<html lang=\"{}\">", page.lang)),
            "{place}"
        );
        let tags = tags(&page.html);
        let body = tags.iter().find(|tag| tag.starts_with("<body")).unwrap();
        let tenantless = page.view == "landing" || page.sample == "tenant_not_found";
        assert_eq!(
            attribute(body, "data-tenant").is_none_or(str::is_empty),
            tenantless,
            "{place}: {body}"
        );
        assert_eq!(
            tags.iter().filter(|tag| tag.starts_with("<h1")).count(),
            1,
            "{place}"
        );
        for landmark in ["<main", "<header", "<title"] {
            assert_eq!(
                tags.iter().filter(|tag| tag.starts_with(landmark)).count(),
                1,
                "{place}: {landmark}"
            );
        }
        let mut ids = ids(&page.html);
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{place}: an id stands twice");
    }
}

#[test]
fn every_field_has_a_label_and_every_reference_a_target() {
    for page in everything() {
        let place = format!("{}/{}/{}", page.view, page.sample, page.lang);
        let (tags, ids) = (tags(&page.html), ids(&page.html));
        let labelled: Vec<_> = tags
            .iter()
            .filter(|tag| tag.starts_with("<label"))
            .filter_map(|tag| attribute(tag, "for"))
            .collect();
        for tag in &tags {
            for name in ["aria-describedby", "aria-controls", "for"] {
                for target in attribute(tag, name)
                    .unwrap_or_default()
                    .split(' ')
                    .filter(|target| !target.is_empty())
                {
                    assert!(
                        ids.contains(&target),
                        "{place}: nothing has the id {target}"
                    );
                }
            }
            if tag.starts_with("<input") && attribute(tag, "type") != Some("hidden") {
                let id = attribute(tag, "id").unwrap();
                assert!(
                    labelled.contains(&id) || attribute(tag, "aria-label").is_some(),
                    "{place}: {tag}"
                );
                assert!(
                    attribute(tag, "type") == Some("checkbox")
                        || attribute(tag, "autocomplete").is_some(),
                    "{place}: {tag}"
                );
            }
            if tag.starts_with("<img") {
                assert!(
                    attribute(tag, "alt").is_some()
                        && tag.contains("referrerpolicy=\"no-referrer\""),
                    "{place}: {tag}"
                );
            }
        }
        assert!(
            tags.iter().filter(|tag| tag.contains(" autofocus")).count() <= 1,
            "{place}"
        );
    }
}

#[test]
fn every_form_is_posted_and_carries_the_csrf_token() {
    for page in everything() {
        for form in page.html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            assert!(form.contains(" method=\"post\""), "{}", page.view);
            // Those that leave for the application must not carry it there.
            let leaves = page.view == "form_post" || page.sample == "onward_by_form";
            assert_eq!(
                form.contains("<input type=\"hidden\" name=\"csrf\" value=\""),
                !leaves,
                "{}/{}",
                page.view,
                page.sample
            );
        }
        let forms = page.html.matches("<form").count();
        let expected = match (page.view, page.sample) {
            ("error", "onward_by_form") => 1,
            (
                "device_done" | "request_answered" | "signed_out" | "error" | "link_spent"
                | "tenant_home" | "landing" | "account_home",
                _,
            )
            | ("select_account" | "account_sessions" | "account_applications", "empty")
            | ("account_applications", "gone") => 0,
            _ => 1,
        };
        assert_eq!(forms, expected, "{}/{}", page.view, page.sample);
    }
}

#[test]
fn the_ids_that_drivers_rely_on_are_there() {
    for page in everything() {
        let wanted: &[&str] = match page.view {
            "sign_in" => &["username", "password", "submit"],
            "consent" | "device" | "request" => &["allow", "deny"],
            "user_code" => &["user_code", "submit"],
            "account_requests" => &["code", "submit"],
            "sign_out" => &["logout"],
            "choose_password" => &["username", "new-password", "confirm-password", "submit"],
            "account_password" => &[
                "current-password",
                "new-password",
                "confirm-password",
                "submit",
            ],
            "form_post" => &["form-post", "continue"],
            "error" | "link_spent" => &["request-id"],
            _ => &[],
        };
        let held = ids(&page.html);
        for id in wanted {
            assert!(
                held.contains(id),
                "{}/{} lacks #{id}",
                page.view,
                page.sample
            );
        }
        let body = tags(&page.html)
            .into_iter()
            .find(|tag| tag.starts_with("<body"))
            .unwrap();
        assert_eq!(
            attribute(body, "data-error").is_some(),
            matches!(page.view, "error" | "link_spent"),
            "{}",
            page.view
        );
    }
    assert!(sample("error", "tenant_suspended").contains(" data-error=\"tenant_suspended\""));
    assert!(sample("account_sessions", "several").contains(" id=\"end-others\""));
}

#[test]
fn password_managers_are_told_what_is_what() {
    let sign_in = sample("sign_in", "plain");
    let tags = tags(&sign_in);
    let input = |id: &str| {
        *tags
            .iter()
            .find(|tag| attribute(tag, "id") == Some(id))
            .unwrap()
    };
    assert_eq!(
        attribute(input("username"), "autocomplete"),
        Some("username")
    );
    assert_eq!(
        attribute(input("password"), "autocomplete"),
        Some("current-password")
    );
    assert!(input("username").contains(" autofocus") && !input("password").contains(" autofocus"));
    assert!(!sign_in.contains("reset") && !sign_in.contains("orgot"));
}

#[test]
fn what_is_wrong_stands_beside_its_field_and_in_the_title() {
    let html = sample("sign_in", "missing");
    assert!(html.contains("<title>Error: Sign in · Acme</title>"));
    assert!(html.contains("aria-invalid=\"true\" aria-describedby=\"username-problem\""));
    assert!(html.contains("id=\"username-problem\"") && html.contains("id=\"password-problem\""));
    let hint = sample("choose_password", "short");
    assert!(hint.contains("aria-describedby=\"new-password-problem rules\""));
    let wrong = sample("sign_in", "wrong");
    assert!(wrong.contains("role=\"alert\"") && wrong.contains("value=\"ada@acme.example\""));
}

#[test]
fn a_form_post_holds_nothing_but_the_response() {
    let html = sample("form_post", "plain");
    let (_, form) = html.split_once("<form").unwrap();
    let names: Vec<_> = tags(form)
        .into_iter()
        .filter(|tag| !tag.starts_with("<svg"))
        .filter_map(|tag| attribute(tag, "name"))
        .collect();
    assert_eq!(names, ["code", "state", "iss"]);
    assert!(html.contains("/static/form_post.") && !html.contains("/static/page."));
}

#[test]
fn a_page_without_a_tenant_names_none() {
    let html = sample("landing", "plain");
    assert!(html.contains(">Tessera<") && !html.to_lowercase().contains("acme"));
}
