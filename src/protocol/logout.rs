//! OpenID Connect RP-Initiated Logout 1.0 [§2](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout): the request.
//!
//! How other clients are told is `logout_token`.

use super::authorization::{
    MAX_CLIENT_ID, MAX_OPAQUE, is_hint, is_language_tag, read_jwt, read_list,
};
use super::errors::OAuthError;
use super::params::Params;

/// A logout request whose parameters are each syntactically sound. Nothing is verified yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogoutRequest {
    /// An ID token that says who shall be signed out, and of which client.
    pub id_token_hint: Option<String>,
    /// What the person may call themselves.
    pub logout_hint: Option<String>,
    /// The client, which must be that of the hint where both are there.
    pub client_id: Option<String>,
    /// Where the browser shall go afterwards.
    pub post_logout_redirect_uri: Option<String>,
    /// A value to give back there.
    pub state: Option<String>,
    /// Languages for the pages, the best first.
    pub ui_locales: Vec<String>,
}

impl LogoutRequest {
    /// Reads the query or body of a request. An error is shown on a page.
    pub fn from_params(params: &Params) -> Result<Self, OAuthError> {
        let own = |value: Option<&str>| value.map(str::to_owned);
        Ok(Self {
            id_token_hint: read_jwt(params, "id_token_hint")?,
            logout_hint: own(params.get("logout_hint")?.filter(|hint| is_hint(hint))),
            client_id: own(params.get_bounded("client_id", MAX_CLIENT_ID)?),
            post_logout_redirect_uri: own(
                params.get_bounded("post_logout_redirect_uri", super::uri::MAX_URI)?
            ),
            state: own(params.get_bounded("state", MAX_OPAQUE)?),
            ui_locales: read_list(params, "ui_locales", is_language_tag)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<LogoutRequest, OAuthError> {
        LogoutRequest::from_params(&Params::parse(query.as_bytes()).unwrap())
    }

    #[test]
    fn everything_is_optional() {
        assert_eq!(read("").unwrap(), LogoutRequest::default());
        let request = read("id_token_hint=a.b.c&post_logout_redirect_uri=https%3A%2F%2Fa.example%2F&state=x%26y&ui_locales=de+%00x".replace("%00", "%2E").as_str()).unwrap();
        assert_eq!(request.id_token_hint.as_deref(), Some("a.b.c"));
        assert_eq!(request.state.as_deref(), Some("x&y"));
        assert_eq!(request.ui_locales, ["de"]);
    }

    #[test]
    fn faults() {
        for query in [
            "id_token_hint=a%20b",
            "state=1&state=2",
            "client_id=a&client_id=a",
            "post_logout_redirect_uri=a&post_logout_redirect_uri=b",
        ] {
            assert!(read(query).is_err(), "{query}");
        }
    }
}
