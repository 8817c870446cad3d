//! Tenant slugs: the short name by which a tenant is found in a path or a host name, and so a DNS label
//! ([RFC 1123 §2.1](https://www.rfc-editor.org/rfc/rfc1123#section-2.1)).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Slugs that collide with paths at the root, with host names that people take for the installation's own, or with the built-in tenant.
const RESERVED: [&str; 44] = [
    "account",
    "admin",
    "api",
    "app",
    "assets",
    "auth",
    "authorize",
    "autoconfig",
    "autodiscover",
    "cdn",
    "console",
    "demo-app",
    "docs",
    "ftp",
    "health",
    "help",
    "imap",
    "introspect",
    "jwks",
    "localhost",
    "login",
    "logout",
    "mail",
    "metrics",
    "mta-sts",
    "ns1",
    "ns2",
    "pop",
    "public",
    "register",
    "revoke",
    "root",
    "scim",
    "smtp",
    "static",
    "status",
    "support",
    SYSTEM,
    "t",
    "token",
    "userinfo",
    "webmail",
    "well-known",
    "www",
];

/// A syntactically sound slug: `[a-z0-9](-?[a-z0-9])*`, 1 to 63 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(Box<str>);

/// The most characters: those of a label of the DNS (RFC 1035 §2.3.4).
pub const LENGTH_MAX: usize = 63;

/// The slug of the built-in tenant.
pub const SYSTEM: &str = "system";

/// The grammar but the length, as a regular expression of ECMA-262.
pub const PATTERN: &str = "^[a-z0-9]+(-[a-z0-9]+)*$";

/// Why a slug was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSlug {
    /// Against the grammar.
    #[error("a slug is 1 to 63 characters of a-z and 0-9, with single hyphens between them")]
    Syntax,
    /// One that nobody may choose.
    #[error("this slug is reserved; choose another")]
    Reserved,
}

impl Slug {
    /// That of the built-in tenant, which holds the operators.
    pub fn system() -> Self {
        Self(SYSTEM.into())
    }

    /// Checks the grammar only: what an existing tenant may be called, `system` included.
    pub fn parse(text: &str) -> Result<Self, InvalidSlug> {
        // RFC 5891 §4.2.3.1 gives labels like `xn--…` a meaning of their own; no two hyphens in a row excludes them.
        let alphabet = text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        let hyphens = !text.starts_with('-') && !text.ends_with('-') && !text.contains("--");
        if (1..=LENGTH_MAX).contains(&text.len()) && alphabet && hyphens {
            Ok(Self(text.into()))
        } else {
            Err(InvalidSlug::Syntax)
        }
    }

    /// Checks what somebody chooses for a new tenant: the grammar, and that it isn't reserved.
    pub fn choose(text: &str) -> Result<Self, InvalidSlug> {
        let slug = Self::parse(text)?;
        if slug.is_reserved() {
            Err(InvalidSlug::Reserved)
        } else {
            Ok(slug)
        }
    }

    /// Whether nobody may choose it.
    pub fn is_reserved(&self) -> bool {
        RESERVED.contains(&&*self.0)
    }

    /// The slug's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Slug {
    type Err = InvalidSlug;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Slug {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Slug {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn grammar() {
        let longest = "a".repeat(63);
        for text in ["a", "0", "acme", "acme-2", "a-b-c", &longest] {
            assert_eq!(Slug::choose(text).unwrap().as_str(), text);
        }
        let longer = "a".repeat(64);
        for text in [
            "",
            "-",
            "-a",
            "a-",
            "a--b",
            "xn--bcher-kva",
            "Acme",
            "a.b",
            "a_b",
            "a/b",
            "ä",
            "a ",
            "a\n",
            &longer,
        ] {
            assert_eq!(Slug::parse(text), Err(InvalidSlug::Syntax), "{text:?}");
        }
    }

    #[test]
    fn reserved_slugs_exist_but_cannot_be_chosen() {
        for text in RESERVED {
            assert!(Slug::parse(text).is_ok(), "{text}");
            assert_eq!(Slug::choose(text), Err(InvalidSlug::Reserved));
        }
        assert!(RESERVED.is_sorted());
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_a_dns_label(text in "[a-zA-Z0-9.-]{0,70}") {
            if let Ok(slug) = Slug::parse(&text) {
                let host = url::Host::parse(&format!("{slug}.example.com")).unwrap();
                prop_assert_eq!(host.to_string(), format!("{slug}.example.com"));
            }
        }
    }
}
