//! Resource indicators ([RFC 8707](https://www.rfc-editor.org/rfc/rfc8707)): how a client names the API that a token is meant for.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::uri::{self, InvalidUri};

/// The most `resource` parameters that one request may hold.
pub const MAX_RESOURCES: usize = 20;

/// The identifier of a resource: an absolute URI without fragment. Compared as a string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceIndicator(String);

/// Why a resource indicator was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the resource {0}")]
pub struct InvalidResource(#[from] InvalidUri);

impl ResourceIndicator {
    /// RFC 8707 §2: "Its value MUST be an absolute URI […]. The URI MUST NOT include a fragment component."
    pub fn parse(text: &str) -> Result<Self, InvalidResource> {
        uri::parse_absolute(text)?;
        Ok(Self(text.to_owned()))
    }

    /// The URI as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceIndicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ResourceIndicator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ResourceIndicator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_uris_without_fragment() {
        for text in [
            "https://api.example.com/",
            "https://api.example.com/v1?x=y",
            "urn:example:billing",
            "api://orders",
        ] {
            assert_eq!(ResourceIndicator::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "orders",
            "/v1",
            "https://api.example.com/#",
            "https://api.example.com/#x",
            "https://u@api.example.com/",
            "https://api.example.com/ x",
        ] {
            assert!(ResourceIndicator::parse(text).is_err(), "{text:?}");
        }
    }
}
