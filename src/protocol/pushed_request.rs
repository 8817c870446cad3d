//! Pushed authorization requests ([RFC 9126](https://www.rfc-editor.org/rfc/rfc9126)): the name that a pushed request is given, and the
//! answer that says it. What may be pushed is what `authorization` and `request_object` read.

use serde::Serialize;

use super::errors::OAuthError;
use super::params::Params;

/// What every name begins with (RFC 9126 §2.2, §9.3).
pub const REQUEST_URI_PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// The `request_uri` of a handle's text.
pub fn request_uri(handle: &str) -> String {
    format!("{REQUEST_URI_PREFIX}{handle}")
}

/// The text of the handle that a `request_uri` names; none for one that isn't the name of a pushed request.
pub fn handle_of(request_uri: &str) -> Option<&str> {
    request_uri.strip_prefix(REQUEST_URI_PREFIX)
}

/// RFC 9126 §2.1: `request_uri` is the one parameter of an authorization request that must not be in a push.
pub fn refuse_request_uri(body: &Params) -> Result<(), OAuthError> {
    if body.contains("request_uri") {
        return Err(OAuthError::invalid_request(
            "request_uri must not be pushed; push the request's own parameters or a request object",
        ));
    }
    Ok(())
}

/// The answer to a push (RFC 9126 §2.2), with status 201.
#[derive(Debug, Serialize)]
pub struct PushedResponse {
    /// What the client sends the browser with.
    pub request_uri: String,
    /// For how many seconds.
    pub expires_in: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_addresses() {
        assert_eq!(handle_of(&request_uri("tsp_x")), Some("tsp_x"));
        for other in [
            "https://client.example/request",
            "urn:ietf:params:oauth:request_ur",
            "URN:ietf:params:oauth:request_uri:tsp_x",
            "",
        ] {
            assert_eq!(handle_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_name_is_never_pushed() {
        let body = |query: &str| Params::parse(query.as_bytes()).unwrap();
        assert!(refuse_request_uri(&body("response_type=code&request=x")).is_ok());
        for query in [
            "request_uri=",
            "request_uri=urn:x",
            "a=1&request_uri=https%3A%2F%2Fa.example",
        ] {
            assert!(refuse_request_uri(&body(query)).is_err(), "{query}");
        }
    }
}
