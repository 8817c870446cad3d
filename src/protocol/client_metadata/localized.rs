//! Values in further languages.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::rules::{MetadataError, text, web_url};

/// Values in further languages (RFC 7591 §2.2): by field, then by language tag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Localized(BTreeMap<String, String>);

/// The fields that may be given in several languages.
const LOCALIZABLE: [&str; 5] = [
    "client_name",
    "client_uri",
    "logo_uri",
    "policy_uri",
    "tos_uri",
];

impl Localized {
    /// The value of a field in a language, by exact tag or by its primary language.
    pub fn find(&self, field: &str, language: &str) -> Option<&str> {
        let primary = language.split('-').next().unwrap_or_default();
        [language, primary]
            .into_iter()
            .find_map(|wanted| {
                self.0.iter().find(|(name, _)| {
                    name.split_once('#')
                        .is_some_and(|(own, tag)| own == field && tag.eq_ignore_ascii_case(wanted))
                })
            })
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn check(&self) -> Result<(), MetadataError> {
        if self.0.len() > 100 {
            return Err(MetadataError::new(
                "(document)",
                "holds more than 100 localized values",
            ));
        }
        for (name, value) in &self.0 {
            if name.starts_with("client_name#") {
                text(name, Some(value))?;
            } else {
                web_url(name, Some(value))?;
            }
        }
        Ok(())
    }
}

pub(super) fn is_localized_name(name: &str) -> bool {
    name.split_once('#').is_some_and(|(field, tag)| {
        LOCALIZABLE.contains(&field)
            && tag.len() <= 35
            && tag.split('-').all(|part| {
                (1..=8).contains(&part.len())
                    && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            })
    })
}

impl Serialize for Localized {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Receives every member that no field claimed, and so is where unknown ones are refused.
impl<'de> Deserialize<'de> for Localized {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Localized;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("client metadata")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Localized, A::Error> {
                let mut values = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !is_localized_name(&name) {
                        return Err(de::Error::custom("is unknown or not supported"));
                    }
                    values.insert(name, map.next_value()?);
                }
                Ok(Localized(values))
            }
        }

        deserializer.deserialize_map(Members)
    }
}
