//! Where a browser may go after signing out.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::form_urlencoded::Serializer as FormSerializer;

use super::registered::{RedirectUriError, check_registration};
use super::validated::append_query;
use crate::protocol::client_metadata::ApplicationType;

/// Where a browser may go after signing out: registered, and compared as a string without exception (OpenID Connect RP-Initiated Logout §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostLogoutRedirectUri(String);

impl PostLogoutRedirectUri {
    /// Applies the rules of registration.
    pub fn parse(text: &str, application: ApplicationType) -> Result<Self, RedirectUriError> {
        check_registration(text, application)?;
        Ok(Self(text.to_owned()))
    }

    /// Finds the presented URI among the registered ones.
    pub fn find<'a>(registered: &'a [Self], presented: &str) -> Option<&'a Self> {
        registered.iter().find(|own| own.0 == presented)
    }

    /// The URI as it was registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where to send the browser, with the request's `state`.
    pub fn location(&self, state: Option<&str>) -> String {
        match state {
            None => self.0.clone(),
            Some(state) => append_query(
                &self.0,
                &FormSerializer::new(String::new())
                    .append_pair("state", state)
                    .finish(),
            ),
        }
    }
}

impl Serialize for PostLogoutRedirectUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PostLogoutRedirectUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text, ApplicationType::Native).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compared_without_exception() {
        let uris: Vec<_> = ["https://a.example/out?x=1", "http://127.0.0.1:7/out"]
            .iter()
            .map(|text| PostLogoutRedirectUri::parse(text, ApplicationType::Web).unwrap())
            .collect();
        let found = PostLogoutRedirectUri::find(&uris, "https://a.example/out?x=1").unwrap();
        assert_eq!(found.location(None), "https://a.example/out?x=1");
        assert_eq!(
            found.location(Some("a b&c")),
            "https://a.example/out?x=1&state=a+b%26c"
        );
        for presented in [
            "https://a.example/out",
            "https://a.example/out?x=1&y=2",
            "http://127.0.0.1:8/out",
            "",
        ] {
            assert!(
                PostLogoutRedirectUri::find(&uris, presented).is_none(),
                "{presented}"
            );
        }
        assert!(
            PostLogoutRedirectUri::parse("javascript:alert(1)", ApplicationType::Native).is_err()
        );
    }
}
