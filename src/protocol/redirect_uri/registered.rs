//! What may be registered, and what matches it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

use crate::protocol::client_metadata::ApplicationType;
use crate::protocol::uri::{self, InvalidUri};

/// Parameters of our own response, which a registered query must not hold already.
const RESPONSE_PARAMETERS: [&str; 14] = [
    "code",
    "state",
    "iss",
    "error",
    "error_description",
    "error_uri",
    "response",
    "session_state",
    "id_token",
    "access_token",
    "token_type",
    "expires_in",
    "scope",
    "refresh_token",
];

/// Why a redirect URI can't be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// Not an acceptable URI at all.
    #[error("the redirect URI {0}")]
    Uri(#[from] InvalidUri),
    /// A scheme that runs code or reads files in the browser.
    #[error("the redirect URI uses a scheme that browsers execute or read locally")]
    DangerousScheme,
    /// http to another machine.
    #[error(
        "the redirect URI must use https; http is accepted for localhost, names below it, 127.0.0.1 and [::1] only"
    )]
    InsecureScheme,
    /// A host without a scheme before it.
    #[error("the redirect URI must begin with http:// or https://")]
    NoScheme,
    /// A private-use scheme at a web client, or one that is no reversed domain name.
    #[error(
        "a private-use scheme is accepted for native applications only and must be a reversed domain name, such as com.example.app (RFC 8252 section 7.1)"
    )]
    PrivateScheme,
    /// An asterisk: nothing here is a pattern.
    #[error("the redirect URI contains '*': wildcards are not supported, register each URI")]
    Wildcard,
    /// The query holds a parameter that the response adds.
    #[error(
        "the redirect URI's query contains a parameter that the authorization response uses itself"
    )]
    ReservedParameter,
}

/// A redirect URI that a client has registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    /// Byte offsets that enclose the port (colon included) where it may vary.
    variable_port: Option<(usize, usize)>,
}

impl RedirectUri {
    /// Applies the rules of registration.
    pub fn parse(text: &str, application: ApplicationType) -> Result<Self, RedirectUriError> {
        let url = check_registration(text, application)?;
        for (name, _) in url.query_pairs() {
            if RESPONSE_PARAMETERS.contains(&&*name) {
                return Err(RedirectUriError::ReservedParameter);
            }
        }
        let variable_port = if url.scheme() == "http" && uri::is_loopback_literal(&url) {
            Some(port_span(text))
        } else {
            None
        };
        Ok(Self {
            text: text.to_owned(),
            variable_port,
        })
    }

    /// Whether the presented URI is this one: the same string, query included. Only the port of a loopback address may differ.
    pub fn matches(&self, presented: &str) -> bool {
        if self.text == presented {
            return true;
        }
        // RFC 8252 §7.3: "The authorization server MUST allow any port to be specified at the time of the request for loopback IP redirect URIs"
        let Some((start, end)) = self.variable_port else {
            return false;
        };
        let Some(rest) = presented.strip_prefix(&self.text[..start]) else {
            return false;
        };
        let tail = match rest.strip_prefix(':') {
            Some(after) => {
                let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                if after[..digits].parse::<u16>().is_err() {
                    return false;
                }
                &after[digits..]
            }
            None => rest,
        };
        tail == &self.text[end..]
    }

    /// The URI as it was registered.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The web origin, or none for a private-use scheme.
    pub fn origin(&self) -> Option<String> {
        origin(&self.text)
    }

    /// Whether it is https at a host that isn't the person's own device, by name or by address.
    pub fn is_https_elsewhere(&self) -> bool {
        let here = |host: &str| host == "localhost" || host.ends_with(".localhost");
        Url::parse(&self.text).is_ok_and(|url| {
            url.scheme() == "https"
                && !uri::is_loopback_literal(&url)
                && url.host_str().is_some_and(|host| !here(host))
        })
    }

    /// The host that answers are sent to, which makes a sector for pairwise subjects. What looks like one behind a private-use scheme is nobody's:
    /// such an answer goes to whatever handles the scheme.
    pub fn host(&self) -> Option<String> {
        web_host(&self.text)
    }
}

/// The host of an address in the web.
pub(super) fn web_host(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str()?;
    matches!(url.scheme(), "http" | "https").then(|| host.to_owned())
}

pub(super) fn check_registration(
    text: &str,
    application: ApplicationType,
) -> Result<Url, RedirectUriError> {
    let scheme = text
        .split(':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    // First, so that no other complaint hides it.
    if [
        "javascript",
        "data",
        "vbscript",
        "file",
        "blob",
        "filesystem",
        "about",
        "view-source",
    ]
    .contains(&scheme.as_str())
    {
        return Err(RedirectUriError::DangerousScheme);
    }
    if text.contains('*') {
        return Err(RedirectUriError::Wildcard);
    }
    let url = match uri::parse_absolute(text) {
        Err(InvalidUri::NotAbsolute) if is_host_without_scheme(text) => {
            return Err(RedirectUriError::NoScheme);
        }
        parsed => parsed?,
    };
    match url.scheme() {
        "https" | "http" if uri::is_https_or_local(&url) => Ok(url),
        "https" | "http" => Err(RedirectUriError::InsecureScheme),
        // RFC 8252 §7.1: private-use schemes are "based on a domain name under their control, expressed in reverse order"
        scheme if application == ApplicationType::Native && scheme.contains('.') => Ok(url),
        _ if is_host_without_scheme(text) => Err(RedirectUriError::NoScheme),
        _ => Err(RedirectUriError::PrivateScheme),
    }
}

/// Whether the text is a web address that lacks its `https://`: `localhost:3000/cb`, whose host a parser takes for a scheme, or
/// `app.example.com/cb`.
pub fn is_host_without_scheme(text: &str) -> bool {
    if text.contains("://") {
        return false;
    }
    let in_brackets = text.starts_with('[').then(|| text.find(']')).flatten();
    let end = in_brackets.map_or_else(
        || text.find([':', '/', '?']).unwrap_or(text.len()),
        |bracket| bracket + 1,
    );
    let (host, rest) = text.split_at(end);
    if let Some(port) = rest.strip_prefix(':') {
        // A private-use scheme has a path after its colon.
        let digits = port.bytes().take_while(u8::is_ascii_digit).count();
        return !host.is_empty()
            && digits > 0
            && !port[digits..].starts_with(|c| !"/?".contains(c));
    }
    in_brackets.is_some() || host == "localhost" || host.trim_matches('.').contains('.')
}

/// Where the port of `http://HOST[:PORT]…` stands, colon included; an empty span where there is none.
fn port_span(text: &str) -> (usize, usize) {
    let authority = "http://".len();
    let end = text[authority..]
        .find(['/', '?'])
        .map_or(text.len(), |length| authority + length);
    let host_end = authority
        + text[authority..end]
            .find(']')
            .map_or(0, |bracket| bracket + 1);
    let start = text[host_end..end]
        .find(':')
        .map_or(end, |colon| host_end + colon);
    (start, end)
}

pub(super) fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    matches!(url.scheme(), "https" | "http").then(|| url.origin().ascii_serialization())
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for RedirectUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Reads back what was registered; whether a private-use scheme was allowed has been decided then.
impl<'de> Deserialize<'de> for RedirectUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text, ApplicationType::Native).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn web(text: &str) -> Result<RedirectUri, RedirectUriError> {
        RedirectUri::parse(text, ApplicationType::Web)
    }

    fn native(text: &str) -> Result<RedirectUri, RedirectUriError> {
        RedirectUri::parse(text, ApplicationType::Native)
    }

    #[test]
    fn registration_accepts() {
        for text in [
            "https://app.example.com",
            "https://app.example.com/cb?tenant=acme",
            "http://localhost:3000/cb",
            "http://acme.localhost:3000/cb",
            "http://127.0.0.1/cb",
            "http://[::1]/cb",
        ] {
            assert_eq!(web(text).unwrap().as_str(), text);
        }
        for text in [
            "com.example.app:/oauth2redirect",
            "com.example.app://callback",
            "https://app.example.com/claimed",
        ] {
            assert_eq!(native(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn registration_refuses() {
        use RedirectUriError::{
            DangerousScheme, InsecureScheme, PrivateScheme, ReservedParameter, Uri, Wildcard,
        };
        for (text, reason) in [
            ("JaVaScRiPt:alert(1)", DangerousScheme),
            ("javascript://app.example.com/%0aalert(1)", DangerousScheme),
            ("data:text/html,x", DangerousScheme),
            ("VBScript:x", DangerousScheme),
            ("file:///etc/passwd", DangerousScheme),
            ("blob:https://app.example.com/x", DangerousScheme),
            ("http://app.example.com/", InsecureScheme),
            ("http://localhost.evil/", InsecureScheme),
            ("http://evillocalhost/", InsecureScheme),
            ("http://x.evil-localhost/", InsecureScheme),
            ("http://127.0.0.1.evil/", InsecureScheme),
            ("http://127.0.0.2/", InsecureScheme),
            ("myapp:/cb", PrivateScheme),
            ("ftp://app.example.com/", PrivateScheme),
            ("https://*.example.com/", Wildcard),
            ("https://app.example.com/*", Wildcard),
            ("https://app.example.com;sandbox/", Uri(InvalidUri::Host)),
            ("https://app.example.com,sandbox/", Uri(InvalidUri::Host)),
            ("https://app.example.com/cb?state=1", ReservedParameter),
            ("https://app.example.com/cb?x=1&%63ode=1", ReservedParameter),
            ("https://app.example.com/#", Uri(InvalidUri::Fragment)),
            ("https://app.example.com/#x", Uri(InvalidUri::Fragment)),
            (
                "https://app.example.com@evil.example/",
                Uri(InvalidUri::UserInfo),
            ),
            ("https://app.example.com/a/../b", Uri(InvalidUri::Ambiguous)),
            (
                "https://app.example.com\\.evil.example/",
                Uri(InvalidUri::Character),
            ),
            ("https://app.example.com/\r\nx", Uri(InvalidUri::Character)),
            (" https://app.example.com/", Uri(InvalidUri::Character)),
            ("/cb", Uri(InvalidUri::NotAbsolute)),
            ("", Uri(InvalidUri::NotAbsolute)),
        ] {
            assert_eq!(native(text).unwrap_err(), reason, "{text}");
        }
        assert_eq!(web("com.example.app:/cb"), Err(PrivateScheme));
        assert_eq!(web("com.example.app:"), Err(PrivateScheme));
    }

    #[test]
    fn a_host_without_a_scheme_is_told_what_is_missing() {
        for text in [
            "localhost:3000/cb",
            "localhost/cb",
            "localhost:3000",
            "127.0.0.1:3000/cb",
            "[::1]:3000/cb",
            "app.example.com/cb",
            "app.example.com",
            "app.example.com:8443/cb",
            "frontend:5173?x",
        ] {
            assert_eq!(web(text), Err(RedirectUriError::NoScheme), "{text}");
        }
        for text in ["localhost:3000/cb", "app.example.com/cb"] {
            assert_eq!(native(text), Err(RedirectUriError::NoScheme), "{text}");
        }
        for text in ["/cb", "", ":3000/cb", "myapp:/cb", "myapp:3000x", "cb"] {
            assert!(!is_host_without_scheme(text), "{text}");
        }
    }

    #[test]
    fn a_match_is_the_same_string() {
        let registered = web("https://app.example.com/cb?a=1").unwrap();
        assert!(registered.matches("https://app.example.com/cb?a=1"));
        for presented in [
            "https://app.example.com/cb",
            "https://app.example.com/cb?a=1&b=2",
            "https://app.example.com/cb/?a=1",
            "https://app.example.com:443/cb?a=1",
            "https://APP.example.com/cb?a=1",
            "https://app.example.com/x/../cb?a=1",
            "https://app.example.com/%63b?a=1",
            "https://app.example.com/cb?a=1#",
            "https://app.example.com.evil.example/cb?a=1",
            "https://evil.example/https://app.example.com/cb?a=1",
            "https://app.example.com@evil.example/cb?a=1",
            "https://appXexample.com/cb?a=1",
            "http://app.example.com/cb?a=1",
        ] {
            assert!(!registered.matches(presented), "{presented}");
        }
    }

    #[test]
    fn only_a_literal_loopbacks_port_may_vary() {
        for registered in ["http://127.0.0.1/cb", "http://127.0.0.1:1234/cb"] {
            let registered = native(registered).unwrap();
            for presented in [
                "http://127.0.0.1/cb",
                "http://127.0.0.1:1/cb",
                "http://127.0.0.1:65535/cb",
            ] {
                assert!(registered.matches(presented), "{presented}");
            }
            for presented in [
                "http://127.0.0.1:/cb",
                "http://127.0.0.1:65536/cb",
                "http://127.0.0.1:+80/cb",
                "http://127.0.0.1:80/cb/",
                "http://127.0.0.1:80@evil.example/cb",
                "http://127.0.0.1:80:81/cb",
                "http://127.0.0.1.evil.example/cb",
                "http://127.0.0.1evil/cb",
                "http://127.0.0.1:80evil/cb",
                "http://localhost:80/cb",
                "https://127.0.0.1:80/cb",
            ] {
                assert!(!registered.matches(presented), "{presented}");
            }
        }
        let six = native("http://[::1]:7/cb?x=1").unwrap();
        assert!(six.matches("http://[::1]:8/cb?x=1") && six.matches("http://[::1]/cb?x=1"));
        assert!(!six.matches("http://[::1]:8/cb") && !six.matches("http://[::2]:8/cb?x=1"));
        let bare = native("http://127.0.0.1:7?x=1").unwrap();
        assert!(bare.matches("http://127.0.0.1:8?x=1") && !bare.matches("http://127.0.0.1:8/?x=1"));
        let named = native("http://localhost:7/cb").unwrap();
        assert!(!named.matches("http://localhost:8/cb"));
        let secure = native("https://127.0.0.1:7/cb").unwrap();
        assert!(!secure.matches("https://127.0.0.1:8/cb"));
    }

    #[test]
    fn origins() {
        assert_eq!(
            web("https://app.example.com:443/cb")
                .unwrap()
                .origin()
                .as_deref(),
            Some("https://app.example.com")
        );
        assert_eq!(
            web("http://[::1]:7/cb").unwrap().origin().as_deref(),
            Some("http://[::1]:7")
        );
        assert_eq!(native("com.example.app:/cb").unwrap().origin(), None);
    }

    proptest! {
        #[test]
        fn a_registered_uri_matches_itself_and_survives_storage(text in "(https://app\\.example|http://127\\.0\\.0\\.1|com\\.x\\.y:)(:[0-9]{1,4})?[a-z/.?=&%0-9]{0,20}") {
            if let Ok(uri) = native(&text) {
                prop_assert!(uri.matches(&text));
                let json = serde_json::to_string(&uri).unwrap();
                prop_assert_eq!(serde_json::from_str::<RedirectUri>(&json).unwrap(), uri);
            }
        }

        #[test]
        fn whatever_matches_a_loopback_stays_on_it(tail in "\\PC{0,30}", port in "(:[0-9@.:]{0,6})?") {
            let registered = native("http://127.0.0.1:4000/cb").unwrap();
            let presented = format!("http://127.0.0.1{port}{tail}");
            if registered.matches(&presented) {
                let url = Url::parse(&presented).unwrap();
                prop_assert_eq!((url.host_str(), url.path(), url.username()), (Some("127.0.0.1"), "/cb", ""));
            }
        }

        #[test]
        fn parsing_never_panics(text in any::<String>()) {
            let _ = native(&text);
        }
    }
}
