//! E-mail addresses: what is accepted as one, and the form in which two are compared.
//!
//! The accepted syntax is the dot-atom of [RFC 5321 §4.1.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2), with the international characters of
//! [RFC 6531](https://www.rfc-editor.org/rfc/rfc6531) in front of the `@`. Left out: quoted local parts, comments, address literals.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A syntactically sound address, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress {
    text: String,
    key: String,
}

/// The text is no e-mail address that we accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address; write it as name@example.com")]
pub struct InvalidEmail;

impl EmailAddress {
    /// Reads an address of at most 254 bytes; surrounding white space is dropped.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        // Before trimming, which would look at all of it.
        if text.len() > 320 {
            return Err(InvalidEmail);
        }
        let text = text.trim_matches([' ', '\t']);
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        // RFC 5321 §4.5.3.1: 64 octets, and a path of 256 with its brackets
        if text.len() > 254 || local.len() > 64 || !is_dot_atom(local) {
            return Err(InvalidEmail);
        }
        let domain = domain_to_ascii(domain).ok_or(InvalidEmail)?;
        let local = local.to_lowercase();
        // `İ` becomes two characters, of which the second is no letter: an address whose key is none couldn't be found by its key.
        if !is_dot_atom(&local) {
            return Err(InvalidEmail);
        }
        let key = format!("{local}@{domain}");
        Ok(Self {
            text: text.to_owned(),
            key,
        })
    }

    /// The address as it was written, to send mail to and to show.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form by which addresses are found and held unique: lower case, the domain in its ASCII form.
    pub fn key(&self) -> &str {
        &self.key
    }
}

fn is_dot_atom(local: &str) -> bool {
    let atext = |c: char| {
        c.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~".contains(c)
            || (!c.is_ascii() && c.is_alphanumeric())
    };
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(atext))
}

fn domain_to_ascii(domain: &str) -> Option<String> {
    let url::Host::Domain(ascii) = url::Host::parse(domain).ok()? else {
        return None;
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (ascii.len() <= 253 && !domain.contains('%') && ascii.split('.').all(label)).then_some(ascii)
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for EmailAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for EmailAddress {
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
    fn accepts_and_normalises() {
        for (text, key) in [
            ("alice@example.com", "alice@example.com"),
            (" Alice@Example.COM ", "alice@example.com"),
            (
                "o'brien+tag@mail.example.co.uk",
                "o'brien+tag@mail.example.co.uk",
            ),
            ("root@localhost", "root@localhost"),
            ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example"),
        ] {
            assert_eq!(EmailAddress::parse(text).unwrap().key(), key);
        }
        assert_eq!(
            EmailAddress::parse("Alice@Example.COM").unwrap().as_str(),
            "Alice@Example.COM"
        );
    }

    #[test]
    fn refuses() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}.example", "b.".repeat(200));
        for text in [
            "",
            "@",
            "a@",
            "@b",
            "a",
            "a b@example.com",
            "a@b@example.com",
            ".a@example.com",
            "a.@example.com",
            "a..b@example.com",
            "a@-x.example",
            "a@x..example",
            "a@example.com.",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a\n@example.com",
            "a@example.com\nBcc: x@y.z",
            "a@exam ple.com",
            "\"a b\"@example.com",
            "a@ex%61mple.com",
            "<a@example.com>",
            "a,b@example.com",
            "\u{130}@example.com",
            &long,
            &longer,
        ] {
            assert_eq!(EmailAddress::parse(text), Err(InvalidEmail), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_never_keeps_a_control_character(text in any::<String>()) {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert!(!address.as_str().chars().any(char::is_control));
            }
        }

        #[test]
        fn the_key_is_stable(text in "[A-Za-z0-9.+é]{1,10}@[A-Za-z0-9ü-]{1,8}\\.[a-z]{2,4}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                let again = EmailAddress::parse(address.key()).unwrap();
                prop_assert_eq!(again.key(), address.key());
            }
        }
    }
}
