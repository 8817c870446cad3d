//! OpenID Connect Session Management 1.0 [§2](https://openid.net/specs/openid-connect-session-1_0.html#CreatingUpdatingSessions),
//! [§3.2](https://openid.net/specs/openid-connect-session-1_0.html#OPiframe): the value by which a client's page asks, without a request,
//! whether its person is still signed in.
//!
//! The frame at `check_session_iframe` makes the same hash from what it hears, the origin that it hears it from, and its own cookie.

use sha2::{Digest as _, Sha256};

/// The `session_state` of an answer: a salted hash, and the salt. `origin` is that of the redirect URI, where the client's pages live.
pub fn session_state(client_id: &str, origin: &str, browser_state: &str, salt: &str) -> String {
    let hash = Sha256::digest(format!("{client_id} {origin} {browser_state} {salt}"));
    let mut text = String::with_capacity(2 * hash.len() + 1 + salt.len());
    for byte in hash {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or_default());
        }
    }
    text.push('.');
    text.push_str(salt);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_and_its_salt() {
        let state = session_state("client", "https://app.example.com", "state", "salt");
        let (hash, salt) = state.split_once('.').unwrap();
        assert_eq!(salt, "salt");
        // printf 'client https://app.example.com state salt' | sha256sum
        assert_eq!(
            hash,
            "3c9eaff344e932f013b69f771fa7df527ca73e9ecc2cd6be9772a577da3bf5f5"
        );
        assert!(!state.contains(' '));
    }

    #[test]
    fn everything_counts() {
        let base = session_state("a", "b", "c", "d");
        for other in [
            session_state("x", "b", "c", "d"),
            session_state("a", "x", "c", "d"),
            session_state("a", "b", "x", "d"),
            session_state("a", "b", "c", "x"),
        ] {
            assert_ne!(other, base);
        }
    }
}
