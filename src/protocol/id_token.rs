//! The claims of an ID token ([OpenID Connect Core §2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)).
//!
//! How `at_hash` and its like are made is `jose::half_hash`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::access_token::Audience;
use super::slug::Slug;

/// The `typ` header.
pub const TYP: &str = "JWT";

/// Claims that no released claim may replace.
const PROTECTED: [&str; 24] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
    "ds_hash",
    "sid",
    "tenant",
    "tenant_id",
    "client_id",
    "events",
    "cnf",
    AUTH_REQ_ID,
    RT_HASH,
];

/// The claim that names the backchannel authentication request whose tokens are pushed (OpenID Connect CIBA §10.3.1).
const AUTH_REQ_ID: &str = "urn:openid:params:jwt:claim:auth_req_id";

/// The claim that holds the hash of the refresh token that is pushed.
const RT_HASH: &str = "urn:openid:params:jwt:claim:rt_hash";

/// The claims of an ID token. All times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdTokenClaims {
    /// The tenant's address at which the flow began.
    pub iss: String,
    /// The person, as this client knows them.
    pub sub: String,
    /// The client.
    pub aud: Audience,
    /// When it expires.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// When the person signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// The request's nonce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// How well the person signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By what means the person signed in (RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// The hash of the access token that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
    /// The hash of the code that came with it (§3.3.2.11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c_hash: Option<String>,
    /// The hash of the `state` beside it (FAPI 1.0 Advanced §5.2.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s_hash: Option<String>,
    /// What binds it to a device secret (OpenID Connect Native SSO §3.4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ds_hash: Option<String>,
    /// The backchannel authentication request whose tokens are pushed (OpenID Connect CIBA §10.3.1).
    #[serde(
        rename = "urn:openid:params:jwt:claim:auth_req_id",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub auth_req_id: Option<String>,
    /// The hash of the refresh token that is pushed with it.
    #[serde(
        rename = "urn:openid:params:jwt:claim:rt_hash",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub rt_hash: Option<String>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The tenant's slug.
    pub tenant: Slug,
    /// The tenant's permanent identifier.
    pub tenant_id: Uuid,
    /// Claims about the person.
    #[serde(flatten)]
    pub released: ReleasedClaims,
}

/// Claims about a person on their way out. None of them can pass for a claim of the token itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleasedClaims(Map<String, Value>);

impl ReleasedClaims {
    /// Takes the claims but for those that only the provider may state.
    pub fn new(mut claims: Map<String, Value>) -> Self {
        claims.retain(|name, _| !PROTECTED.contains(&name.as_str()));
        Self(claims)
    }

    /// The value of one claim.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_claims_never_replace_the_tokens_own() {
        let claims = serde_json::json!({"name": "Ada", "sub": "mallory", "iss": "https://evil.example", "tenant": "globex"});
        let Value::Object(claims) = claims else {
            panic!()
        };
        let token = IdTokenClaims {
            iss: "https://id.example.com/t/acme".into(),
            sub: "ada".into(),
            aud: Audience::Single("client".into()),
            exp: 2,
            iat: 1,
            auth_time: None,
            nonce: Some("n".into()),
            acr: None,
            amr: vec!["pwd".into()],
            at_hash: None,
            c_hash: None,
            s_hash: None,
            ds_hash: None,
            auth_req_id: None,
            rt_hash: None,
            sid: None,
            tenant: Slug::parse("acme").unwrap(),
            tenant_id: Uuid::nil(),
            released: ReleasedClaims::new(claims),
        };
        let text = serde_json::to_string(&token).unwrap();
        assert_eq!(text.matches("\"sub\"").count(), 1);
        let again: IdTokenClaims = serde_json::from_str(&text).unwrap();
        assert_eq!((again.sub.as_str(), again.tenant.as_str()), ("ada", "acme"));
        assert_eq!(again.released.get("name"), Some(&Value::from("Ada")));
        assert_eq!(again, token);
    }
}
