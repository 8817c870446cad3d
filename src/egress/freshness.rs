//! How long an answer says that it may be used without asking again (RFC 9111 §4.2, §5.2.2): `Cache-Control` and `Age`, as a cache of nobody else's
//! reads them; and how old something is that was kept. `Expires` is left out, and so is `s-maxage`, which is for caches that are shared.

use std::time::Duration;

use awc::http::header::{AGE, CACHE_CONTROL, HeaderMap};

use crate::clock::Timestamp;

/// Time between two moments, whichever came first: a clock that was set back must not keep anything alive.
pub(super) fn age(now: Timestamp, then: Timestamp) -> Duration {
    (now - then).abs().to_std().unwrap_or(Duration::MAX)
}

/// What the answer says; nothing where it says nothing that can be understood.
pub(super) fn of(headers: &HeaderMap) -> Option<Duration> {
    let values = |name| {
        headers
            .get_all(name)
            .filter_map(|value| value.to_str().ok())
    };
    let age = values(AGE).find_map(|value| seconds(value.trim()));
    read(values(CACHE_CONTROL), age.unwrap_or_default())
}

fn read<'v>(values: impl Iterator<Item = &'v str>, age: Duration) -> Option<Duration> {
    let mut longest = None::<Duration>;
    for directive in values.flat_map(|value| value.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        if name.eq_ignore_ascii_case("max-age") {
            // §4.2.1: of two values, or of none that is one, the answer counts as stale.
            let given = seconds(value.trim().trim_matches('"')).unwrap_or_default();
            longest = Some(longest.map_or(given, |before| before.min(given)));
        }
    }
    longest.map(|longest| longest.saturating_sub(age))
}

/// §1.2.2: more than can be counted is as long as can be.
fn seconds(digits: &str) -> Option<Duration> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(digits.parse().unwrap_or(u32::MAX).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_says_of_its_life() {
        for (values, age, expected) in [
            (&[][..], 0, None),
            (&["public"], 0, None),
            (&["max-age=300"], 0, Some(300)),
            (&["public, MAX-AGE = \"300\", immutable"], 0, Some(300)),
            (&["max-age=300"], 120, Some(180)),
            (&["max-age=300"], 301, Some(0)),
            (&["max-age=300, max-age=20"], 0, Some(20)),
            (&["max-age=300", "no-cache"], 0, Some(0)),
            (&["no-store"], 0, Some(0)),
            (&["max-age=-1"], 0, Some(0)),
            (&["max-age=x"], 0, Some(0)),
            (&["max-age"], 0, Some(0)),
            (&["s-maxage=300"], 0, None),
            (
                &["max-age=99999999999999999999"],
                0,
                Some(u64::from(u32::MAX)),
            ),
        ] {
            let found = read(values.iter().copied(), Duration::from_secs(age));
            assert_eq!(found, expected.map(Duration::from_secs), "{values:?}");
        }
    }
}
