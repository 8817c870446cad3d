//! The only way to build a redirect.

use std::fmt;

use serde_json::{Map, Value};
use url::form_urlencoded::Serializer as FormSerializer;

use super::registered::{RedirectUri, origin, web_host};
use crate::protocol::errors::OAuthError;
use crate::protocol::jarm::{self, ResponseClaims};
use crate::protocol::response_mode::ResponseMode;

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
    session_state: Option<String>,
    mode: ResponseMode,
}

/// An answer ready to be sent to the browser.
#[derive(Clone, PartialEq, Eq)]
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

/// An answer as its mode has it travel.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// As it is.
    Plain(RedirectResponse),
    /// Signed: it isn't an answer yet.
    ToSign(UnsignedResponse),
}

/// Codes and tokens stay out of it.
impl fmt::Debug for RedirectResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (form, to) = match self {
            Self::Location(location) => (false, location),
            Self::Form { action, .. } => (true, action),
        };
        let to = to.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("RedirectResponse")
            .field("form", &form)
            .field("to", &to)
            .finish_non_exhaustive()
    }
}

/// An answer that has to be signed before it can be sent (JARM §2.1).
#[derive(Clone, PartialEq)]
pub struct UnsignedResponse {
    redirect: ValidatedRedirect,
    parameters: Map<String, Value>,
}

/// Codes and tokens stay out of it.
impl fmt::Debug for UnsignedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsignedResponse")
            .field("redirect", &self.redirect)
            .finish_non_exhaustive()
    }
}

impl UnsignedResponse {
    /// What is to be signed, for this client.
    pub fn claims(&self, client_id: &str, now: i64) -> ResponseClaims {
        ResponseClaims {
            iss: self.redirect.issuer.clone(),
            aud: client_id.to_owned(),
            exp: now + jarm::LIFETIME,
            parameters: self.parameters.clone(),
        }
    }

    /// The answer, once that is signed.
    pub fn send(&self, jwt: &str) -> RedirectResponse {
        // JARM §2.3: nothing but the JWT, neither `state` nor `iss`.
        self.redirect.send([(jarm::PARAMETER, jwt)].into_iter())
    }
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
            session_state: None,
            mode: ResponseMode::default(),
        })
    }

    /// The `state` to return.
    #[must_use]
    pub fn with_state(mut self, state: Option<String>) -> Self {
        self.state = state;
        self
    }

    /// The `session_state` to return (OpenID Connect Session Management §2).
    #[must_use]
    pub fn with_session_state(mut self, session_state: Option<String>) -> Self {
        self.session_state = session_state;
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

    /// Where the answer goes, as a person is told it: a host, or a private-use scheme. Behind such a scheme nothing is a host, as the answer goes
    /// to whatever handles the scheme.
    pub fn destination(&self) -> String {
        let scheme = || self.uri.split(':').next().unwrap_or_default().to_owned();
        web_host(&self.uri).unwrap_or_else(scheme)
    }

    /// Whether answers to it are signed.
    pub fn is_signed(&self) -> bool {
        self.mode.is_signed()
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

    /// The answer with these parameters, to which `state`, `session_state` and `iss` are added.
    pub fn respond(&self, parameters: &[(&str, &str)]) -> Response {
        let state = self.state.as_deref().map(|state| ("state", state));
        let session_state = self.session_state.as_deref();
        let all = parameters
            .iter()
            .copied()
            .chain(state)
            .chain(session_state.map(|value| ("session_state", value)));
        if self.mode.is_signed() {
            return Response::ToSign(UnsignedResponse {
                redirect: self.clone(),
                parameters: jarm::claims_of(all),
            });
        }
        Response::Plain(self.send(all.chain([("iss", self.issuer.as_str())])))
    }

    fn send<'a>(&self, all: impl Iterator<Item = (&'a str, &'a str)>) -> RedirectResponse {
        if matches!(
            self.mode,
            ResponseMode::FormPost | ResponseMode::FormPostJwt
        ) {
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
            ResponseMode::Fragment | ResponseMode::FragmentJwt => {
                format!("{}#{encoded}", self.uri)
            }
            _ => append_query(&self.uri, &encoded),
        })
    }

    /// The answer that reports an error (RFC 6749 §4.1.2.1).
    pub fn respond_error(&self, error: &OAuthError) -> Response {
        self.respond(&[
            ("error", error.code.as_str()),
            ("error_description", error.description()),
        ])
    }
}

/// RFC 6749 §3.1.2: the query component "MUST be retained when adding additional query parameters"
pub(in crate::protocol) fn append_query(uri: &str, encoded: &str) -> String {
    let separator = match uri.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{uri}{separator}{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::client_metadata::ApplicationType;

    const ISSUER: &str = "https://id.example.com/t/acme";

    fn registered(texts: &[&str]) -> Vec<RedirectUri> {
        texts
            .iter()
            .map(|text| RedirectUri::parse(text, ApplicationType::Native).unwrap())
            .collect()
    }

    fn redirect(uri: &str) -> ValidatedRedirect {
        ValidatedRedirect::check(&registered(&[uri]), Some(uri), ISSUER).unwrap()
    }

    fn location(redirect: &ValidatedRedirect) -> String {
        match redirect.respond(&[("code", "a+b&c")]) {
            Response::Plain(RedirectResponse::Location(location)) => location,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn may_be_left_out_only_where_one_is_registered() {
        let one = registered(&["https://a.example/cb"]);
        let two = registered(&["https://a.example/cb", "https://b.example/cb"]);
        assert_eq!(
            ValidatedRedirect::check(&one, None, ISSUER).unwrap().uri(),
            "https://a.example/cb"
        );
        assert_eq!(
            ValidatedRedirect::check(&two, None, ISSUER),
            Err(RedirectMismatch::Required)
        );
        assert_eq!(
            ValidatedRedirect::check(&[], None, ISSUER),
            Err(RedirectMismatch::NoneRegistered)
        );
        assert_eq!(
            ValidatedRedirect::check(&[], Some("https://a.example/cb"), ISSUER),
            Err(RedirectMismatch::NoneRegistered)
        );
        assert_eq!(
            ValidatedRedirect::check(&two, Some("https://c.example/cb"), ISSUER),
            Err(RedirectMismatch::NotRegistered)
        );
        assert_eq!(
            ValidatedRedirect::check(&two, Some("https://b.example/cb"), ISSUER)
                .unwrap()
                .uri(),
            "https://b.example/cb"
        );
    }

    #[test]
    fn a_loopback_answers_at_the_port_that_was_presented() {
        let uri = registered(&["http://127.0.0.1/cb"]);
        let redirect =
            ValidatedRedirect::check(&uri, Some("http://127.0.0.1:51004/cb"), ISSUER).unwrap();
        assert!(location(&redirect).starts_with("http://127.0.0.1:51004/cb?code="));
        assert_eq!(redirect.csp_source(), "http://127.0.0.1:51004");
    }

    #[test]
    fn the_query_is_kept_and_iss_always_there() {
        let added = "code=a%2Bb%26c&iss=https%3A%2F%2Fid.example.com%2Ft%2Facme";
        for (uri, start) in [
            ("https://a.example", "https://a.example?"),
            ("https://a.example/cb", "https://a.example/cb?"),
            ("https://a.example/cb?", "https://a.example/cb?"),
            (
                "https://a.example/cb?x=%20y",
                "https://a.example/cb?x=%20y&",
            ),
            ("com.example.app:/cb", "com.example.app:/cb?"),
        ] {
            assert_eq!(location(&redirect(uri)), format!("{start}{added}"));
        }
        let fragment =
            redirect("https://a.example/cb?x=1").with_response_mode(ResponseMode::Fragment);
        assert_eq!(
            location(&fragment),
            format!("https://a.example/cb?x=1#{added}")
        );
    }

    #[test]
    fn state_comes_back_intact() {
        let state = "\"><script>&é=+ \u{1f980}";
        let redirect = redirect("https://a.example/cb").with_state(Some(state.into()));
        let url = url::Url::parse(&location(&redirect)).unwrap();
        assert!(
            url.query_pairs()
                .any(|(name, value)| name == "state" && value == state)
        );
        let form = redirect
            .with_response_mode(ResponseMode::FormPost)
            .respond(&[("code", "c")]);
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = vec![
            field("code", "c"),
            field("state", state),
            field("iss", ISSUER),
        ];
        assert_eq!(
            form,
            Response::Plain(RedirectResponse::Form {
                action: "https://a.example/cb".into(),
                fields
            })
        );
    }

    #[test]
    fn a_signed_answer_is_one_parameter() {
        for (mode, expected) in [
            (
                ResponseMode::QueryJwt,
                "https://a.example/cb?x=1&response=a.b.c",
            ),
            (
                ResponseMode::FragmentJwt,
                "https://a.example/cb?x=1#response=a.b.c",
            ),
        ] {
            let redirect = redirect("https://a.example/cb?x=1")
                .with_state(Some("s".into()))
                .with_response_mode(mode);
            let Response::ToSign(unsigned) = redirect.respond(&[("code", "c")]) else {
                panic!("{mode} isn't signed")
            };
            assert_eq!(
                serde_json::to_value(unsigned.claims("client", 1000)).unwrap(),
                serde_json::json!({ "iss": ISSUER, "aud": "client", "exp": 1000 + jarm::LIFETIME, "code": "c", "state": "s" })
            );
            assert_eq!(
                unsigned.send("a.b.c"),
                RedirectResponse::Location(expected.into())
            );
        }
        let form = redirect("https://a.example/cb").with_response_mode(ResponseMode::FormPostJwt);
        let Response::ToSign(unsigned) = form.respond_error(&OAuthError::access_denied("no"))
        else {
            panic!("it isn't signed")
        };
        assert_eq!(
            unsigned.claims("client", 0).parameters["error"],
            "access_denied"
        );
        let fields = vec![("response".to_owned(), "a.b.c".to_owned())];
        assert_eq!(
            unsigned.send("a.b.c"),
            RedirectResponse::Form {
                action: "https://a.example/cb".into(),
                fields
            }
        );
    }

    #[test]
    fn errors() {
        let response = redirect("https://a.example/cb")
            .with_state(Some("s".into()))
            .respond_error(&OAuthError::access_denied("no"));
        let expected = "https://a.example/cb?error=access_denied&error_description=no&state=s&iss=https%3A%2F%2Fid.example.com%2Ft%2Facme";
        assert_eq!(
            response,
            Response::Plain(RedirectResponse::Location(expected.into()))
        );
    }

    #[test]
    fn csp_sources() {
        assert_eq!(
            redirect("https://a.example/cb?x;y").csp_source(),
            "https://a.example"
        );
        assert_eq!(
            redirect("com.example.app:/cb").csp_source(),
            "com.example.app:"
        );
    }
}
