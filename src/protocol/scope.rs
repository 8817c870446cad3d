//! Scope: a space-delimited set of tokens ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)), and the scope values of
//! OpenID Connect Core §5.4 and §11.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Asks for OpenID Connect: without it the request is plain OAuth (OpenID Connect Core §3.1.2.1).
pub const OPENID: &str = "openid";
/// The person's profile claims (OpenID Connect Core §5.4).
pub const PROFILE: &str = "profile";
/// `email` and `email_verified` (OpenID Connect Core §5.4).
pub const EMAIL: &str = "email";
/// The `address` claim (OpenID Connect Core §5.4).
pub const ADDRESS: &str = "address";
/// `phone_number` and `phone_number_verified` (OpenID Connect Core §5.4).
pub const PHONE: &str = "phone";
/// A refresh token that outlives the session (OpenID Connect Core §11).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// A device secret, by which other applications of the same vendor share the session (OpenID Connect Native SSO §3.1).
pub const DEVICE_SSO: &str = "device_sso";

/// Those that OpenID Connect defines: what they give is a person's own.
pub const STANDARD_SCOPES: [&str; 6] = [OPENID, PROFILE, EMAIL, ADDRESS, PHONE, OFFLINE_ACCESS];

/// How much one scope parameter may hold.
struct Bounds {
    tokens: usize,
    bytes: usize,
}

/// What a stranger may send.
const REQUESTED: Bounds = Bounds {
    tokens: 100,
    bytes: 4096,
};
/// What we stored ourselves: unions of several requests.
const STORED: Bounds = Bounds {
    tokens: 1000,
    bytes: 65_536,
};

/// A set of scope tokens that remembers the order in which they were first named. Equality ignores the order.
#[derive(Debug, Clone, Default)]
pub struct Scope(Vec<Box<str>>);

/// Why a scope string was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// More bytes or tokens than are accepted.
    #[error("scope is too long: at most 100 scope tokens in 4096 bytes are accepted")]
    TooLong,
    /// A character that RFC 6749 §3.3 does not allow in a scope token.
    #[error(
        "scope contains a character that RFC 6749 section 3.3 does not allow; separate scopes by single spaces"
    )]
    Character,
}

impl Scope {
    /// The scope without tokens.
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    /// Reads a scope parameter: at most 100 tokens in 4096 bytes; duplicates are dropped, superfluous spaces ignored.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        Self::parse_within(text, &REQUESTED)
    }

    fn parse_within(text: &str, bounds: &Bounds) -> Result<Self, InvalidScope> {
        // Before anything that looks at the content, so that 10⁵ scopes cost nothing.
        if text.len() > bounds.bytes {
            return Err(InvalidScope::TooLong);
        }
        // RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
        if text
            .bytes()
            .any(|byte| !matches!(byte, b' '..=b'~') || byte == b'"' || byte == b'\\')
        {
            return Err(InvalidScope::Character);
        }
        let mut scope = Self::empty();
        let mut named = 0;
        for token in text.split(' ').filter(|token| !token.is_empty()) {
            named += 1;
            if named > bounds.tokens {
                return Err(InvalidScope::TooLong);
            }
            scope.insert(token);
        }
        Ok(scope)
    }

    fn insert(&mut self, token: &str) {
        if !self.contains(token) {
            self.0.push(token.into());
        }
    }

    /// Whether this token is in the set. Tokens are case-sensitive.
    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|own| &**own == token)
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether `other` holds every token of this set.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.iter().all(|token| other.contains(token))
    }

    /// The tokens that both hold, in this set's order.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.iter().filter(|token| other.contains(token)).collect()
    }

    /// This set's tokens, then those that only `other` holds.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    /// This set without one token.
    #[must_use]
    pub fn without(&self, token: &str) -> Self {
        self.iter().filter(|own| *own != token).collect()
    }

    /// This set's tokens that `other` lacks.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.iter().filter(|token| !other.contains(token)).collect()
    }

    /// The tokens in the order in which they were first named.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|token| &**token)
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.is_subset_of(other)
    }
}

impl Eq for Scope {}

/// Collects tokens that are known to be valid: those of other scopes, or constants.
impl<'a> FromIterator<&'a str> for Scope {
    fn from_iter<I: IntoIterator<Item = &'a str>>(tokens: I) -> Self {
        let mut scope = Self::empty();
        for token in tokens {
            scope.insert(token);
        }
        scope
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, token) in self.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Whether this is one scope token: what a resource may name as a scope of its own.
pub fn is_scope_token(text: &str) -> bool {
    !text.is_empty() && !text.contains(' ') && Scope::parse(text).is_ok()
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse_within(&text, &STORED).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn keeps_the_first_mention_and_the_order() {
        assert_eq!(
            scope("openid  email openid profile ").to_string(),
            "openid email profile"
        );
        assert_eq!(scope("a b"), scope("b a"));
        assert_ne!(scope("a b"), scope("a c"));
        assert_ne!(scope("a"), scope("a b"));
        assert!(scope("").is_empty());
    }

    #[test]
    fn set_operations() {
        let (wide, narrow) = (scope("openid email api:read"), scope("email openid"));
        assert!(narrow.is_subset_of(&wide) && !wide.is_subset_of(&narrow));
        assert_eq!(wide.intersection(&narrow).to_string(), "openid email");
        assert_eq!(narrow.union(&wide).to_string(), "email openid api:read");
        assert_eq!(wide.without(OPENID).to_string(), "email api:read");
        assert_eq!(wide.difference(&narrow).to_string(), "api:read");
        assert!(!wide.contains("Email"));
    }

    #[test]
    fn refuses_what_the_grammar_does_not_allow() {
        for text in ["a\tb", "a\nb", "a\"b", "a\\b", "é", "a\0", "\u{7f}"] {
            assert_eq!(Scope::parse(text), Err(InvalidScope::Character), "{text:?}");
        }
    }

    #[test]
    fn bounds_hold_and_refusing_is_quick() {
        let hundred = vec!["x"; 100].join(" ");
        assert!(Scope::parse(&hundred).is_ok());
        assert_eq!(
            Scope::parse(&format!("{hundred} x")),
            Err(InvalidScope::TooLong)
        );
        assert!(Scope::parse(&"x".repeat(4096)).is_ok());
        assert_eq!(Scope::parse(&"x".repeat(4097)), Err(InvalidScope::TooLong));
        let many = (0..100_000)
            .map(|n| format!("s{n}"))
            .collect::<Vec<_>>()
            .join(" ");
        let begun = Instant::now();
        assert_eq!(Scope::parse(&many), Err(InvalidScope::TooLong));
        assert!(serde_json::from_value::<Scope>(many.into()).is_err());
        assert!(begun.elapsed() < Duration::from_millis(50));
    }

    #[test]
    fn one_token() {
        assert!(is_scope_token("https://api.example.com/read"));
        for text in ["", "a b", " a", "ü"] {
            assert!(!is_scope_token(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_what_is_accepted_round_trips(text in ".{0,200}") {
            if let Ok(parsed) = Scope::parse(&text) {
                let again = Scope::parse(&parsed.to_string()).unwrap();
                prop_assert_eq!(&again, &parsed);
                let json = serde_json::to_string(&parsed).unwrap();
                prop_assert_eq!(serde_json::from_str::<Scope>(&json).unwrap(), parsed);
            }
        }
    }
}
