//! How bytes become what a body needs, and promises that hold of every parser.

use std::borrow::Cow;

use tessera::protocol::{ErrorCode, OAuthError};

/// Bytes as text; what is no UTF-8 is replaced, so that no input is wasted.
pub fn text(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// The first byte, which chooses, and the rest.
pub fn choice(data: &[u8]) -> (u8, &[u8]) {
    data.split_first()
        .map_or((0, data), |(first, rest)| (*first, rest))
}

/// The text's parts between line feeds: the last takes what is left, and those that lack are empty.
pub fn lines<const N: usize>(text: &str) -> [&str; N] {
    let mut parts = text.splitn(N, '\n');
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// An error that a parser gives: a code that exists, a stranger's fault and not ours, a description within RFC 6749 §5.2.
pub fn check_error(error: &OAuthError, expected: &[ErrorCode]) {
    assert!(
        expected.contains(&error.code),
        "an unexpected code: {error}"
    );
    assert!((400..500).contains(&error.status()), "{error}");
    let description = error.description();
    assert!(
        !description.is_empty() && description.len() <= 500,
        "{error}"
    );
    assert!(
        description
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'),
        "{error}"
    );
    let body = serde_json::to_value(error).expect("an error is JSON");
    assert_eq!(body["error"], error.code.as_str());
}
