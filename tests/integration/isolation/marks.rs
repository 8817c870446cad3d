//! Marks: texts that belong to one tenant and to nobody else, and where they turn up.

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// A tenant under test, by its letter.
pub type Letter = char;

/// The three tenants.
pub const TENANTS: [Letter; 3] = ['a', 'b', 'c'];

/// The tenant of the operators.
pub const SYSTEM: Letter = 's';

/// What a tenant shows to whoever comes by: name, addresses, look, keys, the clients that send people to it, and the scopes of its
/// metadata. Everything else is for those who belong to it.
const PUBLIC: &[&str] = &[
    "slug", "name", "logo", "login", "web", "spa", "kid", "jwk", "tos", "read", "write", "details",
];

/// A mark: `mark-a-label`.
pub fn mark(tenant: Letter, label: &str) -> String {
    assert!(
        label.bytes().all(|byte| byte.is_ascii_lowercase()),
        "{label}"
    );
    format!("mark-{tenant}-{label}")
}

/// A mark that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub tenant: Letter,
    /// The text itself.
    pub text: String,
    pub is_public: bool,
}

/// Everything that gives a tenant away: marks by their form, and values that the product made up.
#[derive(Default)]
pub struct Marks {
    values: Vec<Found>,
    ids: HashMap<String, Letter>,
}

impl Marks {
    /// A value that only this tenant has: a key's name, an address.
    pub fn add(&mut self, tenant: Letter, label: &str, value: &str) {
        assert!(value.len() >= 8, "{label} of {tenant}: {value:?}");
        let known = self.values.iter().find(|known| known.text == value);
        assert!(known.is_none_or(|known| known.tenant == tenant), "{value}");
        if known.is_none() {
            self.values.push(Found {
                tenant,
                text: value.to_owned(),
                is_public: PUBLIC.contains(&label),
            });
        }
    }

    /// The identifier of a row that is this tenant's alone.
    pub fn add_id(&mut self, tenant: Letter, id: &str) {
        self.ids.insert(id.to_owned(), tenant);
    }

    /// Every mark in a text, in what is packed into it too.
    pub fn find(&self, text: &str) -> BTreeSet<Found> {
        let mut found = BTreeSet::new();
        self.find_into(text, &mut found);
        for (at, _) in text.match_indices("eyJ") {
            let packed = text[at..]
                .bytes()
                .take_while(|byte| is_base64url(*byte))
                .count();
            // A last group that is cut short is left out.
            let packed = &text[at..at + packed - packed % 4];
            if let Ok(bytes) = URL_SAFE_NO_PAD.decode(packed) {
                self.find_into(&String::from_utf8_lossy(&bytes), &mut found);
            }
        }
        for (at, word) in text.match_indices("Basic ") {
            let pair = text[at + word.len()..].lines().next().unwrap_or_default();
            if let Ok(bytes) = STANDARD.decode(pair) {
                self.find_into(&String::from_utf8_lossy(&bytes), &mut found);
            }
        }
        found
    }

    fn find_into(&self, text: &str, found: &mut BTreeSet<Found>) {
        for (at, _) in text.match_indices("mark-") {
            let bytes = text.as_bytes();
            let (Some(tenant), Some(b'-')) = (bytes.get(at + 5), bytes.get(at + 6)) else {
                continue;
            };
            let label = text[at + 7..].bytes();
            let length = label.take_while(u8::is_ascii_lowercase).count();
            if length == 0 || !tenant.is_ascii_lowercase() {
                continue;
            }
            let label = &text[at + 7..at + 7 + length];
            found.insert(Found {
                tenant: char::from(*tenant),
                text: text[at..at + 7 + length].to_owned(),
                is_public: PUBLIC.contains(&label),
            });
        }
        for value in &self.values {
            if text.contains(&value.text) {
                found.insert(value.clone());
            }
        }
        for id in uuids(text) {
            if let Some(tenant) = self.ids.get(id) {
                found.insert(Found {
                    tenant: *tenant,
                    text: id.to_owned(),
                    is_public: false,
                });
            }
        }
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

/// What looks like a UUID.
fn uuids(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('-').filter_map(|(at, _)| {
        let start = at.checked_sub(8)?;
        let candidate = text.get(start..start + 36)?;
        let dashes = [8, 13, 18, 23];
        let shape = |(place, byte): (usize, u8)| {
            if dashes.contains(&place) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        };
        candidate
            .bytes()
            .enumerate()
            .all(shape)
            .then_some(candidate)
    })
}

#[test]
fn marks_are_found_where_they_hide() {
    let mut marks = Marks::default();
    marks.add('b', "kid", "a-key-of-b");
    marks.add_id('c', "01a20b5e-d265-729a-ad4f-d4cd5de0bd76");
    let packed = URL_SAFE_NO_PAD.encode(r#"{"iss":"https://mark-a-slug.example"}"#);
    let text = format!(
        "x{packed}.y mark-b-web/?a-key-of-b id=01a20b5e-d265-729a-ad4f-d4cd5de0bd76; mark-"
    );
    let found = marks.find(&text);
    let found: Vec<_> = found
        .iter()
        .map(|found| (found.tenant, found.text.as_str(), found.is_public))
        .collect();
    assert_eq!(
        found,
        [
            ('a', "mark-a-slug", true),
            ('b', "a-key-of-b", true),
            ('b', "mark-b-web", true),
            ('c', "01a20b5e-d265-729a-ad4f-d4cd5de0bd76", false)
        ]
    );
}
