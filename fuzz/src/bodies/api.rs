//! What the administration API reads besides documents: cursors, keys of repetition, entity tags, identifiers.

use tessera::domain::ids::{ClientId, UserId};
use tessera::http::api::call::{
    IDEMPOTENCY_KEY_MAX, cursor as print_cursor, is_idempotency_key, names_version, parse_cursor,
    tag,
};
use tessera::protocol::slug::{LENGTH_MAX, Slug};
use uuid::Uuid;

use super::text::{choice, text};

/// Every small text of the API: what is read is printed as the same.
pub fn cursor(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    if let Some(after) = parse_cursor(&input) {
        assert_eq!(print_cursor(after), input, "two spellings of one cursor");
    }
    if let Ok(id) = Uuid::from_slice(&rest[..rest.len().min(16)]) {
        assert_eq!(parse_cursor(&print_cursor(id)), Some(id));
        let printed = ClientId::from(id).to_string();
        assert_eq!(printed.parse(), Ok(ClientId::from(id)));
    }
    if let Ok(id) = input.parse::<UserId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(
            id.to_string(),
            input.to_ascii_lowercase(),
            "two spellings of one identifier"
        );
    }
    if is_idempotency_key(rest) {
        assert!((1..=IDEMPOTENCY_KEY_MAX).contains(&rest.len()) && rest.is_ascii());
    }
    let version = i64::from(kind);
    if names_version(&input, version) {
        assert!(input.contains('*') || input.contains(&tag(version)));
        assert!(
            input.contains('*')
                || !names_version(&input.replace(&tag(version), "W/\"v\""), version)
        );
    }
    assert!(names_version(
        &format!("{}, {}", tag(version), tag(7)),
        version
    ));
    slug(&input);
}

fn slug(input: &str) {
    let Ok(slug) = Slug::parse(input) else {
        assert!(Slug::choose(input).is_err());
        return;
    };
    assert_eq!(slug.as_str(), input);
    assert!((1..=LENGTH_MAX).contains(&input.len()));
    assert!(!input.contains("--") && !input.starts_with('-') && !input.ends_with('-'));
    assert_eq!(Slug::choose(input).is_err(), slug.is_reserved());
    // A slug is a label of a host name and a segment of a path as it stands.
    let url = url::Url::parse(&format!("https://{slug}.example/t/{slug}")).expect("an address");
    assert_eq!(url.host_str(), Some(format!("{slug}.example").as_str()));
    assert_eq!(url.path(), format!("/t/{slug}"));
}
