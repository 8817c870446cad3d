//! Why something wasn't accepted, in the console's own words. The core says it in English, for programs, terminals and pages alike; what
//! people at forms meet is translated here by that text, as gettext does, and the rest becomes a sentence. Tests hold that the core still
//! says each of them, and that what it says in the modules that forms lead to has its words.

use serde_json::error::Category;

use self::known::{AROUND, KNOWN, READ};
use super::layout::Shell;
use crate::flows::admin::AdminError;
use crate::flows::password_policy::PasswordProblem;
use crate::protocol::redirect_uri::RedirectUriError;

mod known;

/// How many parts a pattern leaves open at the most.
const OPEN: usize = 4;

/// The parts of a text that a pattern leaves open; none where it is another text.
fn open_parts<'a>(pattern: &str, text: &'a str) -> Option<[&'a str; OPEN]> {
    let mut open: [&'a str; OPEN] = [""; OPEN];
    let Some((before, further)) = pattern.split_once("{}") else {
        return (text == pattern).then_some(open);
    };
    let mut pieces: Vec<&str> = further.split("{}").collect();
    let after = pieces.pop()?;
    let mut rest = text.strip_prefix(before)?.strip_suffix(after)?;
    let mut places = open.iter_mut();
    for between in pieces {
        let (part, others) = rest.split_once(between)?;
        *places.next()? = part;
        rest = others;
    }
    *places.next()? = rest;
    Some(open)
}

fn told(page: Shell<'_>, id: &str, [value, other, third, fourth]: [&str; OPEN]) -> String {
    let parts = [
        ("value", value),
        ("other", other),
        ("third", third),
        ("fourth", fourth),
    ];
    page.messages.format(id, parts)
}

/// What the core said of something typed.
pub fn in_words(page: Shell<'_>, reason: &str) -> String {
    let around = || {
        let (mut open, place, id) = AROUND
            .iter()
            .find_map(|(pattern, place, id)| Some((open_parts(pattern, reason)?, *place, id)))?;
        let within = known(page, open[place]).unwrap_or_else(|| sentence(open[place]));
        open[place] = within.as_str();
        Some(told(page, id, open))
    };
    known(page, reason)
        .or_else(around)
        .unwrap_or_else(|| sentence(reason))
}

fn known(page: Shell<'_>, reason: &str) -> Option<String> {
    let (open, id) = KNOWN
        .iter()
        .find_map(|(pattern, id)| Some((open_parts(pattern, reason)?, id)))?;
    Some(told(page, id, open))
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
        Category::Data => {
            let error = error.to_string();
            let read = READ
                .iter()
                .find_map(|(pattern, id)| Some((open_parts(pattern, &error)?, id)));
            let words = read.map_or_else(|| error.clone(), |(open, id)| told(page, id, open));
            page.f("reason-json-member", "error", &words)
        }
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

    use serde_json::json;

    use super::*;
    use crate::domain::settings::SoftwareStatementIssuer;
    use crate::domain::tenant::check_display_name;
    use crate::http::console::samples::Stage;
    use crate::http::pages::messages::Messages;
    use crate::protocol::claims::StandardClaims;
    use crate::protocol::client_metadata::ClientMetadata;
    use crate::protocol::email::EmailAddress;
    use crate::protocol::slug::Slug;
    use crate::protocol::uri::InvalidUri;

    /// Where the core refuses what is typed at the console, or asked of it.
    const REFUSING: &[&str] = &[
        "domain/settings/issuers.rs",
        "egress/error.rs",
        "flows/admin/allow.rs",
        "flows/admin/authority.rs",
        "flows/admin/clients.rs",
        "flows/admin/external_subjects.rs",
        "flows/admin/initial_access_tokens.rs",
        "flows/admin/keys.rs",
        "flows/admin/logout_deliveries.rs",
        "flows/admin/resources.rs",
        "flows/admin/tenants.rs",
        "flows/admin/users.rs",
        "jose/revocation_lists.rs",
        "protocol/authorization_details.rs",
        "protocol/claims/standard.rs",
        "protocol/client_metadata/document.rs",
        "protocol/client_metadata/exchange.rs",
        "protocol/client_metadata/localized.rs",
        "protocol/client_metadata/rules.rs",
        "protocol/client_metadata/rules/backchannel.rs",
        "protocol/client_metadata/rules/redirects.rs",
        "protocol/distinguished_name.rs",
        "protocol/email.rs",
        "protocol/fapi.rs",
        "protocol/jwks.rs",
        "protocol/mutual_tls.rs",
        "protocol/request_uri.rs",
        "protocol/resource.rs",
        "protocol/scope.rs",
        "protocol/slug.rs",
        "protocol/uri.rs",
    ];

    /// What is said there to others than people at forms, or is no sentence.
    const ELSEWHERE: &[&str] = &[
        "`egress_ca_file` {path} can't be used: {problem}; write a file of certificates in PEM",
        "the thread for outward requests can't be started: {0}",
        "the token lacks the scope tessera:admin",
        "you administer nothing here: an administrator grants roles",
        "the token's audience isn't the administration API: ask for it with `resource`",
        "external subject",
        "tessera external-subject list",
        "tessera key list",
        "signing key",
        "tessera resource list",
        "tenant with the slug",
        "settings can't be written",
        "did you mean `{name}`?",
        "there are {}",
        "there is no such setting; {hint}",
        "must be true or false",
        "`{text}` isn't a whole number; times are in seconds",
        "person with the address",
        "email, email_verified and updated_at follow from the account and can't be set as claims",
        "-----BEGIN X509 CRL-----",
        "-----END X509 CRL-----",
        "authorization_details is too large: at most {MAX_BYTES} bytes, {MAX_DETAILS} objects and {MAX_DEPTH} levels of nesting are accepted",
        "authorization_details must be a JSON array of objects with distinct names",
        "a number in authorization_details has more digits than can be kept exactly; send it as a text",
        "authorization_details must be a JSON array of objects",
        "each object in authorization_details needs a type, which is a text",
        "{name} has no member `{}`",
        "{name} doesn't take this as its `{}`",
        "{name} needs `{}`",
        "+ -().;=",
        "the specifications' shape",
        "must be a JSON object",
        "client metadata",
        "type RSA",
        "curve P-256 or X25519",
        "the header in which the proxy hands on the client's certificate can't be read",
    ];

    fn patterns() -> impl Iterator<Item = (&'static str, &'static str)> {
        let around = AROUND.iter().map(|&(pattern, _, id)| (pattern, id));
        KNOWN.iter().copied().chain(around)
    }

    /// A file with the texts that go on in the next line put together.
    fn joined(source: &str) -> String {
        let mut whole = String::with_capacity(source.len());
        for line in source.lines() {
            if whole.ends_with('\\') {
                whole.pop();
                whole.push_str(line.trim_start());
            } else {
                whole.push('\n');
                whole.push_str(line);
            }
        }
        whole
    }

    fn sources(folder: &Path, found: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push_str(&joined(&std::fs::read_to_string(path).unwrap()));
            }
        }
    }

    /// The texts in a file, without those of its tests and comments.
    fn texts(source: &str) -> Vec<String> {
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines();
        let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
        // A quote that is a letter begins no text.
        let code = lines.collect::<Vec<_>>().join("\n").replace("'\"'", "");
        let mut letters = code.chars();
        let mut found = Vec::new();
        while letters.any(|letter| letter == '"') {
            let mut text = String::new();
            while let Some(letter) = letters.next() {
                match letter {
                    '"' => break,
                    '\\' => text.extend(letters.next()),
                    letter => text.push(letter),
                }
            }
            found.push(text);
        }
        found
    }

    /// What stands between the open parts of a text that is put together.
    fn pieces(text: &str) -> impl Iterator<Item = &str> {
        text.split('{').map(|piece| {
            piece
                .split_once('}')
                .map_or(piece, |(_, rest)| rest.trim_start_matches('}'))
        })
    }

    #[test]
    fn the_core_says_each_of_them_and_each_has_its_words() {
        let mut core = String::new();
        for layer in ["protocol", "domain", "egress", "jose", "flows"] {
            sources(
                &Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("src")
                    .join(layer),
                &mut core,
            );
        }
        for (pattern, id) in patterns() {
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
    fn whatever_the_core_refuses_at_forms_has_its_words() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for file in REFUSING {
            let source = std::fs::read_to_string(src.join(file)).unwrap();
            for text in texts(&joined(&source)) {
                // Names have no spaces in them.
                if !text.trim().contains(' ') || ELSEWHERE.contains(&text.as_str()) {
                    continue;
                }
                // A number may stand where a pattern is open, but no words.
                let fits = |pattern: &str| {
                    pieces(&text).all(|piece| pattern.contains(piece))
                        || open_parts(pattern, &text)
                            .is_some_and(|open| open.iter().all(|part| !part.contains(' ')))
                };
                let has_words = patterns().any(|(pattern, _)| fits(pattern));
                assert!(has_words, "{file}: `{text}` has no words of the console");
            }
        }
    }

    #[test]
    fn what_a_client_cannot_be_is_told_in_ones_own_language() {
        let stages = Messages::all().map(|messages| Stage::named(messages, "Acme"));
        let stages: Vec<_> = stages.collect();
        for members in [
            json!({ "grant_types": [] }),
            json!({ "grant_types": ["authorization_code"] }),
            json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": "none" }),
            json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": "private_key_jwt" }),
            json!({ "grant_types": ["client_credentials"], "jwks": { "keys": [] } }),
            json!({ "grant_types": ["client_credentials"], "access_token_lifetime": 1 }),
            json!({ "grant_types": ["client_credentials"], "scope": "a\"b" }),
            json!({ "grant_types": ["client_credentials"], "contacts#de": "x" }),
            // With a reason of its own within.
            json!({ "grant_types": ["client_credentials"], "resources": ["a b"] }),
            json!({ "grant_types": ["client_credentials"], "security_profile": "fapi2_security" }),
        ] {
            let reason = ClientMetadata::from_json(members).unwrap_err().reason;
            let told: Vec<_> = stages
                .iter()
                .map(|stage| in_words(stage.shell("/clients"), &reason))
                .collect();
            assert_ne!(told[0], told[1], "{reason}");
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
        let german = Stage::named(Messages::negotiate(Some("de"), None), "Acme");
        let error = serde_json::from_str::<Vec<SoftwareStatementIssuer>>("[{}]").unwrap_err();
        let told = of_json(german.shell("/settings"), &error);
        assert!(told.contains("issuer fehlt (Zeile 1,"), "{told}");
    }

    #[test]
    fn what_the_reader_of_json_says_has_its_words() {
        for (pattern, id) in READ {
            assert!(open_parts(pattern, pattern).is_some(), "{pattern}");
            for messages in Messages::all() {
                assert!(messages.knows(id), "{}: {id}", messages.lang());
            }
        }
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
        assert_eq!(
            open_parts("a {} b {} c", "a 1 b 2 c"),
            Some(["1", "2", "", ""])
        );
        assert_eq!(
            open_parts("{} is gone", "x is gone is gone"),
            Some(["x is gone", "", "", ""])
        );
        assert_eq!(open_parts("must use https", "must use https, or"), None);
        assert_eq!(open_parts("a {} b", "a 1 c"), None);
    }
}
