//! Redirect URIs: what may be registered, what matches, and the only way to build a redirect
//! ([RFC 6749 §3.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.1.2), [RFC 9700 §4.1](https://www.rfc-editor.org/rfc/rfc9700#section-4.1),
//! [RFC 8252 §7](https://www.rfc-editor.org/rfc/rfc8252#section-7), [RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)).
//!
//! A presented URI is compared as a string. Nothing is normalised, decoded or resolved, since every such step has been somebody's open redirect.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;
use url::form_urlencoded::Serializer as FormSerializer;

use super::client_metadata::ApplicationType;
use super::response_mode::ResponseMode;
use super::uri::{self, InvalidUri};

/// Parameters of our own response, which a registered query must not hold already.
const RESPONSE_PARAMETERS: [&str; 6] = [
    "code",
    "state",
    "iss",
    "error",
    "error_description",
    "response",
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
        "the redirect URI must use https; http is accepted for localhost, 127.0.0.1 and [::1] only"
    )]
    InsecureScheme,
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

    /// The host, which makes a sector for pairwise subjects; none for a private-use scheme without one.
    pub fn host(&self) -> Option<String> {
        Url::parse(&self.text).ok()?.host_str().map(str::to_owned)
    }
}

fn check_registration(text: &str, application: ApplicationType) -> Result<Url, RedirectUriError> {
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
    let url = uri::parse_absolute(text)?;
    if text.contains('*') {
        return Err(RedirectUriError::Wildcard);
    }
    match url.scheme() {
        "https" | "http" if uri::is_https_or_local(&url) => Ok(url),
        "https" | "http" => Err(RedirectUriError::InsecureScheme),
        // RFC 8252 §7.1: private-use schemes are "based on a domain name under their control, expressed in reverse order"
        scheme if application == ApplicationType::Native && scheme.contains('.') => Ok(url),
        _ => Err(RedirectUriError::PrivateScheme),
    }
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

fn origin(text: &str) -> Option<String> {
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

/// Why no redirect may happen. It is answered by an error page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectMismatch {
    /// The client has registered none.
    #[error("the client has no registered redirect URI")]
    NoneRegistered,
    /// Several are registered and none was named.
    #[error("redirect_uri is required, as the client has registered several")]
    Required,
    /// What was named is not registered.
    #[error(
        "redirect_uri is not registered for this client; it must match a registered one exactly"
    )]
    NotRegistered,
}

/// A redirect that may be made: the URI is the client's own, and the answer's mode, state and issuer are fixed.
///
/// There is no other way to one than [`ValidatedRedirect::check`], and no other source of a redirect's location, so that an open redirect can't be
/// written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatedRedirect {
    uri: String,
    issuer: String,
    state: Option<String>,
    mode: ResponseMode,
}

/// An answer ready to be sent to the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectResponse {
    /// Redirect with 303 to this location.
    Location(String),
    /// Show a page that posts these fields (OAuth 2.0 Form Post Response Mode §2). The values are not escaped yet.
    Form {
        /// Where to post to.
        action: String,
        /// Names and values of the hidden fields.
        fields: Vec<(String, String)>,
    },
}

impl ValidatedRedirect {
    /// Finds the presented URI among the registered ones. `issuer` is where the flow began; it goes into every answer (RFC 9207).
    pub fn check(
        registered: &[RedirectUri],
        presented: Option<&str>,
        issuer: &str,
    ) -> Result<Self, RedirectMismatch> {
        let uri = match (presented, registered) {
            (_, []) => return Err(RedirectMismatch::NoneRegistered),
            // RFC 6749 §3.1.2.3: it may be left out where exactly one is registered
            (None, [only]) => only.as_str(),
            (None, _) => return Err(RedirectMismatch::Required),
            (Some(uri), _) if registered.iter().any(|own| own.matches(uri)) => uri,
            (Some(_), _) => return Err(RedirectMismatch::NotRegistered),
        };
        Ok(Self {
            uri: uri.to_owned(),
            issuer: issuer.to_owned(),
            state: None,
            mode: ResponseMode::default(),
        })
    }

    /// The `state` to return.
    #[must_use]
    pub fn with_state(mut self, state: Option<String>) -> Self {
        self.state = state;
        self
    }

    /// The response mode to use instead of `query`.
    #[must_use]
    pub fn with_response_mode(mut self, mode: ResponseMode) -> Self {
        self.mode = mode;
        self
    }

    /// The URI, as the client presented it.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The issuer that answers.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The `state` that will be returned.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The response mode in force.
    pub const fn response_mode(&self) -> ResponseMode {
        self.mode
    }

    /// The web origin, or none for a private-use scheme.
    pub fn origin(&self) -> Option<String> {
        origin(&self.uri)
    }

    /// What a Content-Security-Policy's `form-action` names to let a form end in this redirect: the origin, or the private-use scheme.
    pub fn csp_source(&self) -> String {
        self.origin().unwrap_or_else(|| {
            let scheme = self.uri.split(':').next().unwrap_or_default();
            format!("{scheme}:")
        })
    }

    /// The answer with these parameters, to which `state` and `iss` are added.
    pub fn respond(&self, parameters: &[(&str, &str)]) -> RedirectResponse {
        let state = self.state.as_deref().map(|state| ("state", state));
        let all = parameters
            .iter()
            .copied()
            .chain(state)
            .chain([("iss", self.issuer.as_str())]);
        if self.mode == ResponseMode::FormPost {
            let fields = all
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            return RedirectResponse::Form {
                action: self.uri.clone(),
                fields,
            };
        }
        let encoded = FormSerializer::new(String::new())
            .extend_pairs(all)
            .finish();
        RedirectResponse::Location(match self.mode {
            ResponseMode::Fragment => format!("{}#{encoded}", self.uri),
            _ => append_query(&self.uri, &encoded),
        })
    }

    /// The answer that reports an error (RFC 6749 §4.1.2.1).
    pub fn respond_error(&self, error: &super::OAuthError) -> RedirectResponse {
        self.respond(&[
            ("error", error.code.as_str()),
            ("error_description", error.description()),
        ])
    }
}

/// RFC 6749 §3.1.2: the query component "MUST be retained when adding additional query parameters"
fn append_query(uri: &str, encoded: &str) -> String {
    let separator = match uri.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{uri}{separator}{encoded}")
}

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
