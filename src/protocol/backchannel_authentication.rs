//! Client-initiated backchannel authentication ([OpenID Connect CIBA Core 1.0](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html)):
//! a client asks for a person who isn't at it, and the person answers elsewhere. Here are the request and its answer (§7), and what the client
//! is told when there is something to be had (§10).
//!
//! What a `login_hint_token` is, which the specification leaves to those who agree on one, is the business of `jose`.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::authorization::{read_claims, read_jwt, read_list, read_resources, read_scope};
use super::authorization_details::AuthorizationDetails;
use super::claims::ClaimsRequest;
use super::errors::{ErrorCode, OAuthError};
use super::params::Params;
use super::person_code::{PersonCode, wrong_user_code};
use super::request_object::{InvalidRequestObject, texts};
use super::resource::ResourceIndicator;
use super::scope::{OPENID, Scope};
use super::token::TokenResponse;
use crate::secret::PlainSecret;

/// The longest `binding_message`, in characters: it is to be compared, not read.
pub const MAX_BINDING_MESSAGE: usize = 64;

/// The longest `client_notification_token`, in bytes (§7.1).
pub const MAX_NOTIFICATION_TOKEN: usize = 1024;

/// The longest hint, in bytes.
const MAX_HINT: usize = 320;

/// For how many seconds a signed request may be good at the most, and may have been.
pub const MAX_SIGNED_LIFETIME: i64 = 3600;

/// The longest `jti` of a signed request, in bytes.
pub const MAX_JTI: usize = 256;

/// The parameters of a request (§7.1), which a signed one holds all of.
const PARAMETERS: [&str; 12] = [
    "scope",
    "client_notification_token",
    "acr_values",
    "login_hint_token",
    "id_token_hint",
    "login_hint",
    "binding_message",
    "user_code",
    "requested_expiry",
    "resource",
    "claims",
    "authorization_details",
];

/// How a client gets its tokens (§5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BackchannelTokenDeliveryMode")]
pub enum DeliveryMode {
    /// It asks the token endpoint until they are there.
    Poll,
    /// It is told when there is something to be had, and asks the token endpoint then.
    Ping,
    /// It is sent them.
    Push,
}

impl DeliveryMode {
    /// Every mode, in the order in which discovery announces them.
    pub const ALL: [Self; 3] = [Self::Poll, Self::Ping, Self::Push];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Ping => "ping",
            Self::Push => "push",
        }
    }

    /// The mode of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }

    /// Whether the client is told anything at an address of its own.
    pub const fn notifies(self) -> bool {
        !matches!(self, Self::Poll)
    }
}

/// Whom a request means: one hint, and no more (§7.1).
#[derive(Clone, PartialEq, Eq)]
pub enum PersonHint {
    /// What the client calls them.
    Login(String),
    /// What somebody whom the tenant trusts signed of them.
    LoginToken(String),
    /// An ID token that it got for them before.
    IdToken(String),
}

/// A person's address is nobody's business in a log.
impl fmt::Debug for PersonHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Login(_) => "Login(…)",
            Self::LoginToken(_) => "LoginToken(…)",
            Self::IdToken(_) => "IdToken(…)",
        })
    }
}

/// A backchannel authentication request whose parameters are each syntactically sound. Who sends it is
/// [`super::client_authentication`]'s matter.
#[derive(Debug, Clone)]
pub struct BackchannelRequest {
    /// What is asked for; it contains `openid`.
    pub scope: Scope,
    /// Whom.
    pub hint: PersonHint,
    /// How the person should sign in, best first.
    pub acr_values: Vec<String>,
    /// What the person compares; empty where there is none.
    pub binding_message: String,
    /// For how many seconds the client would like to wait.
    pub requested_expiry: Option<u32>,
    /// What the client is told with, by the mode that needs it.
    pub client_notification_token: Option<PlainSecret>,
    /// The APIs that tokens are for (RFC 8707).
    pub resources: Vec<ResourceIndicator>,
    /// Single claims (`OpenID` Connect Core §5.5).
    pub claims: Option<ClaimsRequest>,
    /// What is asked for in objects (RFC 9396).
    pub details: AuthorizationDetails,
    /// The person's code.
    pub user_code: Option<PersonCode>,
}

impl BackchannelRequest {
    /// Reads a request of a client that gets its tokens in this mode.
    pub fn from_params(params: &Params, mode: DeliveryMode) -> Result<Self, OAuthError> {
        let scope = read_scope(params)?.unwrap_or_default();
        if !scope.contains(OPENID) {
            // §7.1: "CIBA authentication requests MUST therefore contain the openid scope value."
            return Err(OAuthError::invalid_scope("scope must contain openid"));
        }
        Ok(Self {
            hint: read_hint(params)?,
            acr_values: read_list(params, "acr_values", |value| {
                !value.is_empty() && value.len() <= 256
            })?,
            binding_message: read_binding_message(params)?,
            requested_expiry: read_expiry(params)?,
            client_notification_token: read_notification_token(params, mode)?,
            resources: read_resources(params)?,
            claims: read_claims(params)?,
            details: AuthorizationDetails::from_params(params)?,
            user_code: read_user_code(params)?,
            scope,
        })
    }
}

/// §7.1: "exactly one of these hints"
fn read_hint(params: &Params) -> Result<PersonHint, OAuthError> {
    let given = ["login_hint", "login_hint_token", "id_token_hint"].map(|name| params.get(name));
    let [login, token, id_token] = given;
    let (login, token, id_token) = (login?, token?, id_token?);
    if [login, token, id_token].iter().flatten().count() != 1 {
        return Err(OAuthError::invalid_request(
            "a request needs exactly one of login_hint, login_hint_token and id_token_hint",
        ));
    }
    if let Some(token) = read_jwt(params, "login_hint_token")? {
        return Ok(PersonHint::LoginToken(token));
    }
    if let Some(token) = read_jwt(params, "id_token_hint")? {
        return Ok(PersonHint::IdToken(token));
    }
    Ok(PersonHint::Login(
        params.require("login_hint", MAX_HINT)?.to_owned(),
    ))
}

/// §7.1: "relatively short in length and use a limited set of plain text characters"
fn read_binding_message(params: &Params) -> Result<String, OAuthError> {
    let text = params.get("binding_message")?.unwrap_or_default();
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
    };
    if text.chars().count() > MAX_BINDING_MESSAGE
        || text.chars().any(invisible)
        || text.trim() != text
    {
        return Err(OAuthError::new(
            ErrorCode::InvalidBindingMessage,
            format!(
                "binding_message must have {MAX_BINDING_MESSAGE} characters at most, all of which are seen, and no space at its ends"
            ),
        ));
    }
    Ok(text.to_owned())
}

/// What can't be anybody's code is as wrong as another's, and no guess.
fn read_user_code(params: &Params) -> Result<Option<PersonCode>, OAuthError> {
    let Some(text) = params.get("user_code")? else {
        return Ok(None);
    };
    let code = PersonCode::parse(text).ok_or_else(wrong_user_code)?;
    Ok(Some(code))
}

fn read_expiry(params: &Params) -> Result<Option<u32>, OAuthError> {
    let Some(text) = params.get_bounded("requested_expiry", 64)? else {
        return Ok(None);
    };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || text.bytes().all(|byte| byte == b'0') {
        return Err(OAuthError::invalid_request(
            "requested_expiry must be a positive number of seconds",
        ));
    }
    Ok(Some(text.parse().unwrap_or(u32::MAX)))
}

/// §7.1: required by ping and push, of the form of a bearer token (RFC 6750 §2.1). By poll it has no use, and is let be.
fn read_notification_token(
    params: &Params,
    mode: DeliveryMode,
) -> Result<Option<PlainSecret>, OAuthError> {
    if !mode.notifies() {
        return Ok(None);
    }
    let text = params.require("client_notification_token", MAX_NOTIFICATION_TOKEN)?;
    let body = text.trim_end_matches('=');
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if body.is_empty() || !body.bytes().all(sound) {
        return Err(OAuthError::invalid_request(
            "client_notification_token must have the form of a bearer token",
        ));
    }
    // "sufficient entropy (a minimum of 128 bits […])"; what is shorter than that many bits in base64 can't have them.
    if body.len() < 22 {
        return Err(OAuthError::invalid_request(
            "client_notification_token must have 128 bits of entropy at least, which take 22 characters",
        ));
    }
    Ok(Some(PlainSecret::new(text.to_owned())))
}

/// The parameters of a signed request (§7.1.1), of its claims.
pub fn signed_parameters(
    claims: &Map<String, Value>,
    outer: &Params,
) -> Result<Params, OAuthError> {
    // "authentication request parameters MUST NOT be present outside of the JWT"
    if let Some(name) = PARAMETERS.into_iter().find(|name| outer.contains(name)) {
        return Err(OAuthError::invalid_request(format!(
            "{name} stands beside the signed request; put it into it"
        )));
    }
    if claims.contains_key("request") {
        return Err(InvalidRequestObject::Nested("request").into());
    }
    let mut pairs = Vec::new();
    for name in PARAMETERS {
        if let Some(value) = claims.get(name) {
            pairs.extend(texts(name, value)?.into_iter().map(|text| (name, text)));
        }
    }
    Ok(pairs
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect())
}

/// The answer (§7.3). It must be sent with `Cache-Control: no-store`.
#[derive(Clone, Serialize)]
pub struct BackchannelResponse {
    /// What the client asks for its tokens with, or knows them by.
    pub auth_req_id: String,
    /// For how many seconds it is good.
    pub expires_in: u32,
    /// How many seconds to wait between two polls; none where there is nothing to poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<u32>,
}

impl fmt::Debug for BackchannelResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackchannelResponse")
            .field("expires_in", &self.expires_in)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

/// "There is something to be had" (§10.2).
#[derive(Clone, Serialize)]
pub struct Ping<'a> {
    /// Of which request.
    pub auth_req_id: &'a str,
}

/// The tokens on their way (§10.3.1).
#[derive(Clone, Serialize)]
pub struct PushedTokens<'a> {
    /// Of which request.
    pub auth_req_id: &'a str,
    /// As the token endpoint would answer.
    #[serde(flatten)]
    pub tokens: &'a TokenResponse,
}

/// What became of a request that gets no tokens (§12).
#[derive(Clone, Serialize)]
pub struct PushedError<'a> {
    /// Of which request.
    pub auth_req_id: &'a str,
    /// What.
    #[serde(flatten)]
    pub error: &'a OAuthError,
}

/// The type of a notice that a person is asked.
pub const NOTICE_TYP: &str = "backchannel-notice+jwt";

/// What a notice says that a person is asked, for whatever tells them: no specification's, as it is the tenant's own that hears it. Times are in
/// seconds since 1970.
#[derive(Clone, Serialize)]
pub struct NoticeClaims {
    /// The tenant's address where the person is asked.
    pub iss: String,
    /// The address that the notice is sent to.
    pub aud: String,
    /// When it was made.
    pub iat: i64,
    /// Until when the person may answer.
    pub exp: i64,
    /// Another one at each attempt.
    pub jti: Uuid,
    /// The person's permanent identifier.
    pub sub: String,
    /// Who asks.
    pub client_id: String,
    /// What people know it by.
    pub client_name: String,
    /// For what.
    pub scope: Scope,
    /// Of which types the permissions in detail are; what they hold is for the person alone.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub authorization_details_types: BTreeSet<String>,
    /// What the person compares.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub binding_message: String,
    /// The same at each attempt.
    pub request_id: Uuid,
    /// Where the person answers, once signed in.
    pub url: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const TOKEN: &str = "8d67dc78-7faa-4d41-aabd-67707b374255";

    fn read(body: &str, mode: DeliveryMode) -> Result<BackchannelRequest, OAuthError> {
        BackchannelRequest::from_params(&Params::parse(body.as_bytes()).unwrap(), mode)
    }

    /// §7.1's example, without what authenticates the client.
    #[test]
    fn the_specifications_example() {
        let body = format!(
            "scope=openid%20email%20example-scope&client_notification_token={TOKEN}&binding_message=W4SCT&login_hint_token=eyJ.e.30"
        );
        let request = read(&body, DeliveryMode::Ping).unwrap();
        assert_eq!(request.hint, PersonHint::LoginToken("eyJ.e.30".into()));
        assert!(!format!("{request:?}").contains("eyJ"));
        let body = body.replace("login_hint_token=eyJ.e.30", "login_hint=ana%40acme.example");
        let request = read(&body, DeliveryMode::Ping).unwrap();
        assert_eq!(request.binding_message, "W4SCT");
        assert_eq!(request.hint, PersonHint::Login("ana@acme.example".into()));
        let debug = format!("{request:?}");
        assert!(!debug.contains(TOKEN) && !debug.contains("ana@"), "{debug}");
        assert_eq!(request.client_notification_token.unwrap().expose(), TOKEN);
        let polled = read(&body, DeliveryMode::Poll).unwrap();
        assert!(polled.client_notification_token.is_none());
    }

    #[test]
    fn faults() {
        let long = "x".repeat(65);
        for (change, code) in [
            ("scope=email&login_hint=a", ErrorCode::InvalidScope),
            ("login_hint=a", ErrorCode::InvalidScope),
            ("scope=openid", ErrorCode::InvalidRequest),
            ("scope=openid&login_hint=", ErrorCode::InvalidRequest),
            (
                "scope=openid&login_hint=a&login_hint=b",
                ErrorCode::InvalidRequest,
            ),
            (
                "scope=openid&login_hint=a&id_token_hint=a.b.c",
                ErrorCode::InvalidRequest,
            ),
            ("scope=openid&id_token_hint=%20", ErrorCode::InvalidRequest),
            (
                "scope=openid&login_hint_token=%20",
                ErrorCode::InvalidRequest,
            ),
            (
                "scope=openid&login_hint_token=a.b.c&login_hint=a",
                ErrorCode::InvalidRequest,
            ),
            (
                "scope=openid&login_hint=a&user_code=12345",
                ErrorCode::InvalidUserCode,
            ),
            (
                "scope=openid&login_hint=a&user_code=a%20code",
                ErrorCode::InvalidUserCode,
            ),
            (
                "scope=openid&login_hint=a&requested_expiry=0",
                ErrorCode::InvalidRequest,
            ),
            (
                "scope=openid&login_hint=a&requested_expiry=-1",
                ErrorCode::InvalidRequest,
            ),
            (
                "scope=openid&login_hint=a&requested_expiry=1.5",
                ErrorCode::InvalidRequest,
            ),
            (
                "scope=openid&login_hint=a&claims=x",
                ErrorCode::InvalidRequest,
            ),
            (
                "scope=openid&login_hint=a&resource=x",
                ErrorCode::InvalidTarget,
            ),
            (
                "scope=openid&login_hint=a&authorization_details=[{}]",
                ErrorCode::InvalidAuthorizationDetails,
            ),
            (
                "scope=openid&login_hint=a&binding_message=a%0Ab",
                ErrorCode::InvalidBindingMessage,
            ),
            (
                "scope=openid&login_hint=a&binding_message=%E2%80%AEabc",
                ErrorCode::InvalidBindingMessage,
            ),
            (
                "scope=openid&login_hint=a&binding_message=%20abc",
                ErrorCode::InvalidBindingMessage,
            ),
            (
                &format!("scope=openid&login_hint=a&binding_message={long}"),
                ErrorCode::InvalidBindingMessage,
            ),
        ] {
            assert_eq!(
                read(change, DeliveryMode::Poll).unwrap_err().code,
                code,
                "{change}"
            );
        }
    }

    #[test]
    fn faults_of_notification_tokens() {
        let token = "a".repeat(1025);
        for change in [
            "",
            "short",
            "aaaaaaaaaaaaaaaaaaaaa====",
            "aaaaaaaaaaa=aaaaaaaaaaaaaa",
            "aaaaaaaaaaaaaaaaaaaaaaaa%20",
            &token,
        ] {
            let body = format!("scope=openid&login_hint=a&client_notification_token={change}");
            for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
                assert_eq!(
                    read(&body, mode).unwrap_err().code,
                    ErrorCode::InvalidRequest,
                    "{change}"
                );
            }
        }
    }

    #[test]
    fn codes_and_ends() {
        let request = read(
            "scope=openid&login_hint=a&user_code=194826",
            DeliveryMode::Poll,
        );
        assert_eq!(request.unwrap().user_code.unwrap().as_bytes(), b"194826");
        let none = read("scope=openid&login_hint=a&user_code=", DeliveryMode::Poll);
        assert!(none.unwrap().user_code.is_none());
        let far = read(
            "scope=openid&login_hint=a&requested_expiry=99999999999999999999",
            DeliveryMode::Poll,
        );
        assert_eq!(far.unwrap().requested_expiry, Some(u32::MAX));
    }

    #[test]
    fn a_signed_request_holds_everything() {
        let claims = json!({
            "iss": "c", "aud": "https://id.example", "jti": "1", "scope": "openid", "login_hint": "a", "requested_expiry": 120,
            "resource": ["urn:a", "urn:b"], "claims": { "id_token": { "email": null } }, "authorization_details": [{ "type": "payment" }], "unknown": 1,
        });
        let outer = Params::parse(b"client_id=c&client_secret=s&request=a.b.c").unwrap();
        let params = signed_parameters(claims.as_object().unwrap(), &outer).unwrap();
        assert_eq!(
            params.to_query(),
            "scope=openid&login_hint=a&requested_expiry=120&resource=urn%3Aa&resource=urn%3Ab&claims=%7B%22id_token%22%3A%7B%22email%22%3Anull%7D%7D&authorization_details=%5B%7B%22type%22%3A%22payment%22%7D%5D"
        );
        for name in PARAMETERS {
            let outer: Params = [("request", "a.b.c"), (name, "x")].into_iter().collect();
            assert!(
                signed_parameters(claims.as_object().unwrap(), &outer).is_err(),
                "{name}"
            );
        }
        for claims in [
            json!({ "request": "x" }),
            json!({ "scope": 1 }),
            json!({ "login_hint": "a\u{0}" }),
        ] {
            let error = signed_parameters(claims.as_object().unwrap(), &outer).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidRequestObject, "{claims}");
        }
    }

    #[test]
    fn answers() {
        let answer = BackchannelResponse {
            auth_req_id: "tsb_x".into(),
            expires_in: 120,
            interval: Some(5),
        };
        assert!(!format!("{answer:?}").contains("tsb_x"));
        assert_eq!(
            serde_json::to_value(answer).unwrap(),
            json!({ "auth_req_id": "tsb_x", "expires_in": 120, "interval": 5 })
        );
        let error = OAuthError::access_denied("no");
        let pushed = PushedError {
            auth_req_id: "tsb_x",
            error: &error,
        };
        assert_eq!(
            serde_json::to_value(pushed).unwrap(),
            json!({ "auth_req_id": "tsb_x", "error": "access_denied", "error_description": "no" })
        );
        for mode in DeliveryMode::ALL {
            assert_eq!(DeliveryMode::parse(mode.as_str()), Some(mode));
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_within_its_bounds(body in ".{0,200}", message in any::<String>()) {
            let params: Params = [("scope", "openid"), ("login_hint", "a"), ("binding_message", &*message), ("x", &*body)].into_iter().collect();
            if let Ok(request) = BackchannelRequest::from_params(&params, DeliveryMode::Poll) {
                prop_assert!(request.binding_message.chars().count() <= MAX_BINDING_MESSAGE);
                prop_assert!(!request.binding_message.chars().any(char::is_control));
            }
        }
    }
}
