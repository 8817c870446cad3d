//! The logout token ([OpenID Connect Back-Channel Logout 1.0 §2.4](https://openid.net/specs/openid-connect-backchannel-1_0.html#LogoutToken)),
//! by which a client learns that a session has ended, and the address of the front channel
//! ([Front-Channel Logout 1.0 §2](https://openid.net/specs/openid-connect-frontchannel-1_0.html#RPLogout)).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::form_urlencoded::Serializer as FormSerializer;
use uuid::Uuid;

use super::access_token::Audience;
use super::redirect_uri::append_query;

/// The `typ` header.
pub const TYP: &str = "logout+jwt";

/// How long a token is good, in seconds: §2.4 recommends "at most two minutes in the future".
pub const LIFETIME: i64 = 120;

/// The member of `events` that makes a JWT a logout token.
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The claims of a logout token. All times are in seconds since 1970. A `nonce` is prohibited (§2.4), so that none of these passes for an ID
/// token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogoutTokenClaims {
    /// The address that the client knows the person from.
    pub iss: String,
    /// The person, as this client knows them.
    pub sub: String,
    /// The client.
    pub aud: Audience,
    /// When it was made.
    pub iat: i64,
    /// When it expires.
    pub exp: i64,
    /// Its identifier: each attempt to deliver has a token of its own.
    pub jti: Uuid,
    /// What happened.
    pub events: Map<String, Value>,
    /// The session that ended, as ID tokens name it.
    pub sid: String,
}

impl LogoutTokenClaims {
    /// The value of `events`.
    pub fn events() -> Map<String, Value> {
        [(EVENT.to_owned(), Value::Object(Map::new()))]
            .into_iter()
            .collect()
    }
}

/// The address of a client's frame, with `iss` and `sid` where the client requires them (Front-Channel Logout §3): both or neither. What
/// query it has is retained.
pub fn frontchannel_address(uri: &str, session: Option<(&str, &str)>) -> String {
    match session {
        None => uri.to_owned(),
        Some((iss, sid)) => append_query(
            uri,
            &FormSerializer::new(String::new())
                .append_pair("iss", iss)
                .append_pair("sid", sid)
                .finish(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The example of §2.4, whose claims these are.
    #[test]
    fn the_specifications_example() {
        let example = json!({
            "iss": "https://server.example.com",
            "sub": "248289761001",
            "aud": "s6BhdRkqt3",
            "iat": 1_471_566_154,
            "exp": 1_471_569_754,
            "jti": "018f3a4e-1111-7222-8333-444455556666",
            "sid": "08a5019c-17e1-4977-8f42-65a12843ea02",
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        let claims: LogoutTokenClaims = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(claims.events, LogoutTokenClaims::events());
        assert_eq!(serde_json::to_value(claims).unwrap(), example);
    }

    #[test]
    fn an_address_keeps_its_query() {
        let session = Some(("https://id.example.com/t/acme", "a b&c"));
        assert_eq!(
            frontchannel_address("https://app.example.com/out?a=1", session),
            "https://app.example.com/out?a=1&iss=https%3A%2F%2Fid.example.com%2Ft%2Facme&sid=a+b%26c"
        );
        assert_eq!(
            frontchannel_address("https://app.example.com/out?a=1", None),
            "https://app.example.com/out?a=1"
        );
    }
}
