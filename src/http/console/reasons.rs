//! Why something wasn't accepted, in the console's own words. The core says it in English, for programs, terminals and pages alike; what
//! people at forms meet is translated here by that text, as gettext does, and the rest becomes a sentence. A test holds that the core
//! still says each of them.

use serde_json::error::Category;

use super::layout::Shell;
use crate::flows::admin::AdminError;
use crate::flows::password_policy::PasswordProblem;
use crate::protocol::redirect_uri::RedirectUriError;

/// What the core says, `{}` for what varies in it, and the message that says it here: with `$value` for the first of them and `$other` for
/// the second.
const KNOWN: [(&str, &str); 52] = [
    ("is longer than 2048 characters", "reason-uri-long"),
    (
        "contains a character that a URI can't hold unencoded (RFC 3986); write international host names in their ASCII form",
        "reason-uri-character",
    ),
    ("is not an absolute URI", "reason-uri-absolute"),
    ("must not contain a fragment", "reason-uri-fragment"),
    (
        "must not contain a user name or password",
        "reason-uri-user",
    ),
    (
        "is ambiguous: write the host in lower-case ASCII and the path without dot segments",
        "reason-uri-ambiguous",
    ),
    (
        "has a host with other characters than letters, digits, hyphens, dots and underscores",
        "reason-uri-host",
    ),
    (
        "must use https, or http with the host localhost, 127.0.0.1 or [::1]",
        "reason-uri-https",
    ),
    ("must use https", "reason-uri-only-https"),
    ("the URL must begin with https://", "reason-uri-only-https"),
    (
        "must be origins such as https://app.example.com, without a path",
        "reason-origins",
    ),
    (
        "must be 1 to {} characters without control characters",
        "reason-length",
    ),
    (
        "a name has 1 to {} characters, no control characters and no space at its ends",
        "reason-name",
    ),
    (
        "has 1 to {} characters, no control characters and no space at its ends",
        "reason-name",
    ),
    (
        "has 1 to {} bytes and no control characters",
        "reason-bytes",
    ),
    ("names a value twice", "reason-twice"),
    ("holds more than {} values", "reason-too-many"),
    ("a tenant has at most {} domains", "reason-domains-most"),
    ("a tenant has at most {} resources", "reason-resources-most"),
    (
        "not an e-mail address; write it as name@example.com",
        "reason-email",
    ),
    ("must be an http or https URL", "reason-web"),
    (
        "must be a time zone name such as Europe/Paris",
        "reason-zone",
    ),
    ("must be a language tag such as de-CH", "reason-language"),
    ("must be YYYY-MM-DD, 0000-MM-DD or YYYY", "reason-birthdate"),
    (
        "must be a telephone number such as +41 44 123 45 67",
        "reason-phone",
    ),
    (
        "must be an address without path or query, like https://login.example.com",
        "reason-domain-path",
    ),
    (
        "must be a web address, like https://login.example.com",
        "reason-uri-absolute",
    ),
    (
        "must begin with https:// (http:// only for this very machine, or a host that `egress_allow` lists)",
        "reason-domain-https",
    ),
    (
        "is under `{}` ({}), where tenants have their addresses anyway",
        "reason-domain-own",
    ),
    (
        "has a host that DNS can't hold: {} characters between two dots and {} in all are the most",
        "reason-domain-dns",
    ),
    (
        "must be a domain name, like https://login.example.com: nobody else reaches an IP address, localhost or a name without a dot as yours",
        "reason-domain-name",
    ),
    (
        "a slug is 1 to 63 characters of a-z and 0-9, with single hyphens between them",
        "reason-slug",
    ),
    (
        "this slug is reserved; choose another",
        "reason-slug-reserved",
    ),
    ("a resource has 1 to {} scopes", "reason-scopes"),
    (
        "`{}` is no scope-token (RFC 6749 section 3.3): visible ASCII characters without space, quote and backslash",
        "reason-scope-token",
    ),
    (
        "`{}` has a meaning of its own (OpenID Connect, or this server's) and can't be a resource's",
        "reason-scope-own",
    ),
    ("`{}` is named twice", "reason-named-twice"),
    (
        "is that of the administration API of this server",
        "reason-admin-api",
    ),
    ("must be a JSON array", "reason-list"),
    (
        "{} is the last administrator here who can sign in; make somebody else an administrator first",
        "reason-last-administrator",
    ),
    (
        "{} is disabled; enable the account first",
        "reason-disabled",
    ),
    (
        "{} administers more than you do; ask an administrator",
        "reason-more-power",
    ),
    (
        "only an administrator says who administers",
        "reason-administrators-only",
    ),
    ("{} is more than your roles allow", "reason-roles"),
    (
        "{} is for operators of the installation",
        "reason-operators",
    ),
    (
        "the domain has to be verified before it can be the canonical address",
        "reason-domain-unproved",
    ),
    (
        "it was delivered; there is nothing to try again",
        "notices-not-retried",
    ),
    (
        "it is being delivered at this moment",
        "notices-not-retried",
    ),
    (
        "`{}` belongs to none of the tenant's resources; give it to one first",
        "reason-no-api-has",
    ),
    (
        "the tenant has no resource `{}`; make it first",
        "reason-no-api",
    ),
    (
        "`{}` is neither a resource of the tenant nor a client_id",
        "reason-no-target",
    ),
    (
        "nobody signs in with this client, so there is nothing to try",
        "reason-nobody-signs-in",
    ),
];

/// The parts of a text that a pattern leaves open, at most two; none where it is another text.
fn open_parts<'a>(pattern: &str, text: &'a str) -> Option<[&'a str; 2]> {
    let pieces: Vec<&str> = pattern.split("{}").collect();
    match pieces[..] {
        [whole] => (text == whole).then_some([""; 2]),
        [before, after] => Some([text.strip_prefix(before)?.strip_suffix(after)?, ""]),
        [before, between, after] => {
            let open = text.strip_prefix(before)?.strip_suffix(after)?;
            let (first, second) = open.split_once(between)?;
            Some([first, second])
        }
        _ => None,
    }
}

/// What the core said of something typed.
pub fn in_words(page: Shell<'_>, reason: &str) -> String {
    let known = KNOWN
        .iter()
        .find_map(|(pattern, id)| Some((open_parts(pattern, reason)?, id)));
    match known {
        Some(([value, other], id)) => page
            .messages
            .format(id, [("value", value), ("other", other)]),
        None => sentence(reason),
    }
}

/// A text of the core as a sentence: it begins with a capital letter and ends with a full stop. What begins with the name of something
/// keeps it as it is.
pub fn sentence(text: &str) -> String {
    let text = text.trim();
    let word = text.split(char::is_whitespace).next().unwrap_or_default();
    let mut said = String::with_capacity(text.len() + 1);
    if word
        .trim_end_matches([',', ';', ':'])
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b == b'\'')
    {
        let mut letters = text.chars();
        said.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        said.push_str(letters.as_str());
    } else {
        said.push_str(text);
    }
    if !said.is_empty() && !said.ends_with(['.', '!', '?', '…']) {
        said.push('.');
    }
    said
}

/// Why a password isn't taken.
pub fn of_password(page: Shell<'_>, problem: PasswordProblem) -> String {
    match problem {
        PasswordProblem::TooShort { minimum } => page
            .messages
            .format("reason-password-short", [("least", minimum)]),
        PasswordProblem::TooLong => page.t("reason-password-long").into_owned(),
        PasswordProblem::OwnName => page.t("reason-password-own-name").into_owned(),
        PasswordProblem::Common => page.t("reason-password-common").into_owned(),
    }
}

/// Why a field of JSON isn't the list that it has to be.
pub fn of_json(page: Shell<'_>, error: &serde_json::Error) -> String {
    match error.classify() {
        // Of the whole text: what is wrong within it has a place.
        Category::Data if error.column() == 0 => page.t("reason-list").into_owned(),
        Category::Data => page.f("reason-json-member", "error", &error.to_string()),
        _ => page.messages.format(
            "reason-json",
            [("line", error.line()), ("column", error.column())],
        ),
    }
}

/// Why a redirect URI isn't taken.
pub fn of_redirect(page: Shell<'_>, problem: RedirectUriError) -> String {
    let id = match problem {
        RedirectUriError::Uri(problem) => return in_words(page, &problem.to_string()),
        RedirectUriError::DangerousScheme => "reason-redirect-dangerous",
        RedirectUriError::NoScheme => "reason-redirect-no-scheme",
        RedirectUriError::InsecureScheme => "reason-uri-https",
        RedirectUriError::PrivateScheme => "reason-redirect-private",
        RedirectUriError::Wildcard => "reason-redirect-wildcard",
        RedirectUriError::ReservedParameter => "reason-redirect-reserved",
    };
    page.t(id).into_owned()
}

/// Why an act wasn't done, for a page that says so; empty where that page's advice says it all.
pub fn of_refusal(page: Shell<'_>, error: &AdminError) -> String {
    match error {
        // The commands that its text names are for a shell.
        AdminError::NotFound { name, .. } => page.f("not-found-name", "name", name),
        AdminError::Exists { name, .. } => page.f("exists-name", "name", name),
        AdminError::Stale(_) => String::new(),
        AdminError::Invalid { field, reason } => format!("{field}: {}", in_words(page, reason)),
        AdminError::Password(problem) => of_password(page, *problem),
        AdminError::Refused(reason) | AdminError::Forbidden(reason) => in_words(page, reason),
        error => sentence(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::tenant::check_display_name;
    use crate::http::console::samples::Stage;
    use crate::http::pages::messages::Messages;
    use crate::protocol::claims::StandardClaims;
    use crate::protocol::email::EmailAddress;
    use crate::protocol::slug::Slug;
    use crate::protocol::uri::InvalidUri;

    fn sources(folder: &Path, found: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn the_core_says_each_of_them_and_each_has_its_words() {
        let mut core = String::new();
        for layer in ["protocol", "domain", "egress", "flows"] {
            sources(
                &Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("src")
                    .join(layer),
                &mut core,
            );
        }
        for (pattern, id) in KNOWN {
            for piece in pattern.split("{}") {
                // Some are put together: a name, and what is wrong with it.
                let piece = piece.trim_start_matches("` ");
                assert!(core.contains(piece), "nobody says `{piece}` any more");
            }
            for messages in Messages::all() {
                assert!(messages.knows(id), "{}: {id}", messages.lang());
            }
        }
    }

    #[test]
    fn what_is_typed_wrongly_is_told_in_ones_own_language() {
        let german = Messages::negotiate(Some("de"), None);
        let (english, german) = (
            Stage::named(Messages::default(), "Acme"),
            Stage::named(german, "Acme"),
        );
        let long = "a".repeat(501);
        let claims = StandardClaims {
            nickname: Some(long.clone()),
            ..StandardClaims::default()
        };
        for reason in [
            InvalidUri::TooLong.to_string(),
            InvalidUri::Character.to_string(),
            InvalidUri::NotAbsolute.to_string(),
            InvalidUri::Fragment.to_string(),
            InvalidUri::UserInfo.to_string(),
            InvalidUri::Ambiguous.to_string(),
            InvalidUri::Host.to_string(),
            InvalidUri::Scheme.to_string(),
            claims.validate().unwrap_err().reason.to_owned(),
            check_display_name(&long).unwrap_err().to_string(),
            Slug::choose("A").unwrap_err().to_string(),
            Slug::choose("system").unwrap_err().to_string(),
            EmailAddress::parse("x").unwrap_err().to_string(),
        ] {
            let told = in_words(german.shell("/users"), &reason);
            assert_ne!(told, sentence(&reason));
            assert_ne!(told, in_words(english.shell("/users"), &reason), "{reason}");
        }
        let told = in_words(
            english.shell("/users"),
            "must be 1 to 500 characters without control characters",
        );
        assert!(told.contains("500"), "{told}");
        let told = in_words(
            english.shell("/domains"),
            "is under `public_url` (https://{tenant}.x.example), where tenants have their addresses anyway",
        );
        assert!(told.contains("https://{tenant}.x.example"), "{told}");
    }

    #[test]
    fn json_that_is_no_list_is_told_where() {
        let stage = Stage::named(Messages::default(), "Acme");
        let told = |text: &str| {
            let error = serde_json::from_str::<Vec<u8>>(text).unwrap_err();
            of_json(stage.shell("/settings"), &error)
        };
        assert_eq!(told("{}"), "It has to be a JSON array, in [ and ].");
        assert!(told("[1,\n2,").starts_with("It isn’t JSON: look at line 2"));
        assert!(told("[\"a\"]").starts_with("The array isn’t what it has to be: invalid type"));
    }

    #[test]
    fn anything_else_becomes_a_sentence() {
        for (text, expected) in [
            ("it is so", "It is so."),
            ("It is so.", "It is so."),
            (
                "authorization_code and more",
                "authorization_code and more.",
            ),
            ("`d:r` belongs to none", "`d:r` belongs to none."),
            ("ana@acme.example is gone", "ana@acme.example is gone."),
            ("", ""),
        ] {
            assert_eq!(sentence(text), expected);
        }
        assert_eq!(open_parts("a {} b {} c", "a 1 b 2 c"), Some(["1", "2"]));
        assert_eq!(
            open_parts("{} is gone", "x is gone is gone"),
            Some(["x is gone", ""])
        );
        assert_eq!(open_parts("must use https", "must use https, or"), None);
        assert_eq!(open_parts("a {} b", "a 1 c"), None);
    }
}
