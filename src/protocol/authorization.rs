//! The authorization request ([RFC 6749 §4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1),
//! [OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)): its parameters and their syntax.
//!
//! It is read in two steps. [`RedirectTarget`] is what must be known before a redirect is trusted; a fault there is answered by a page.
//! [`AuthorizationRequest`] is the whole; a fault there is answered by a redirect. What the client and the tenant allow is decided above. Request
//! objects (RFC 9101), their addresses and the names of pushed requests (RFC 9126) are resolved before: see `request_object`, `request_uri` and
//! `pushed_request`.

use super::authorization_details::AuthorizationDetails;
use super::claims::ClaimsRequest;
use super::client_metadata::{ResponseType, UnsupportedResponseType};
use super::dpop::Thumbprint;
use super::errors::{ErrorCode, OAuthError};
use super::params::Params;
use super::pkce::{CodeChallenge, PkceError};
use super::prompt::{Display, PromptSet};
use super::resource::{self, ResourceIndicator};
use super::response_mode::{ResponseMode, UnsupportedResponseMode};
use super::scope::{InvalidScope, OPENID, Scope};

/// The longest `client_id`, in bytes.
pub const MAX_CLIENT_ID: usize = 256;
/// The longest `state` and the longest `nonce`, in bytes.
pub const MAX_OPAQUE: usize = 4096;
/// The longest JWT that a parameter may hold, in bytes.
pub const MAX_JWT: usize = 16_384;

/// What must be known before a redirect is trusted. Nothing here is checked against the client yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectTarget {
    /// Who asks.
    pub client_id: String,
    /// Where the answer shall go; absent where the client relies on its only registered URI.
    pub redirect_uri: Option<String>,
    /// The value to give back; absent where it is faulty, which the second step reports.
    pub state: Option<String>,
    /// How to answer: the mode in force, by default where it is faulty or may not be, which the second step reports.
    pub response_mode: ResponseMode,
}

impl RedirectTarget {
    /// Reads the first step. An error is to be shown on a page, never by redirect.
    pub fn from_params(params: &Params) -> Result<Self, OAuthError> {
        Ok(Self {
            client_id: params.require("client_id", MAX_CLIENT_ID)?.to_owned(),
            redirect_uri: params
                .get_bounded("redirect_uri", super::uri::MAX_URI)?
                .map(str::to_owned),
            state: read_state(params).unwrap_or_default(),
            response_mode: ResponseMode::in_force(
                read_response_mode(params).unwrap_or_default(),
                asks_for_token(params),
            ),
        })
    }
}

/// An authorization request whose parameters are each syntactically sound.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client_id: String,
    /// Where the answer shall go, as it was presented.
    pub redirect_uri: Option<String>,
    /// What is asked for.
    pub response_type: ResponseType,
    /// How to answer, where the request says so.
    pub response_mode: Option<ResponseMode>,
    /// What access is asked for.
    pub scope: Scope,
    /// The value to give back.
    pub state: Option<String>,
    /// The value that binds the ID token to the client's session.
    pub nonce: Option<String>,
    /// Which pages must or must not be shown.
    pub prompt: PromptSet,
    /// How the pages shall look; a hint.
    pub display: Option<Display>,
    /// How many seconds the last sign-in may lie back. Numbers beyond its range are kept as its greatest.
    pub max_age: Option<u32>,
    /// Languages for the pages, the best first; malformed ones are dropped.
    pub ui_locales: Vec<String>,
    /// Languages for claims, the best first; malformed ones are dropped.
    pub claims_locales: Vec<String>,
    /// An ID token that says who is expected. Not verified yet.
    pub id_token_hint: Option<String>,
    /// What the person may call themselves; to fill in a form, nothing more.
    pub login_hint: Option<String>,
    /// Wanted authentication context classes, the best first.
    pub acr_values: Vec<String>,
    /// Claims asked for one by one.
    pub claims: Option<ClaimsRequest>,
    /// The APIs that the tokens are for (RFC 8707).
    pub resources: Vec<ResourceIndicator>,
    /// What is asked for in objects (RFC 9396).
    pub authorization_details: AuthorizationDetails,
    /// The code challenge (RFC 7636).
    pub code_challenge: Option<CodeChallenge>,
    /// The key that the code is bound to (RFC 9449 §10).
    pub dpop_jkt: Option<Thumbprint>,
}

impl AuthorizationRequest {
    /// Reads the whole request. An error is to be reported by redirect, once the [`RedirectTarget`] is trusted.
    pub fn from_params(params: &Params) -> Result<Self, OAuthError> {
        let target = RedirectTarget::from_params(params)?;
        refuse_unsupported(params)?;
        let request = Self {
            client_id: target.client_id,
            redirect_uri: target.redirect_uri,
            response_type: read_response_type(params)?,
            response_mode: read_response_mode(params)?,
            scope: read_scope(params)?.unwrap_or_default(),
            state: read_state(params)?,
            nonce: params.get_bounded("nonce", MAX_OPAQUE)?.map(str::to_owned),
            prompt: params
                .get("prompt")?
                .map(PromptSet::parse)
                .transpose()?
                .unwrap_or_default(),
            // OpenID Connect Core §15.1: these hints "MUST NOT result in an error"
            display: params.get("display")?.and_then(Display::find),
            max_age: read_max_age(params)?,
            ui_locales: read_list(params, "ui_locales", is_language_tag)?,
            claims_locales: read_list(params, "claims_locales", is_language_tag)?,
            id_token_hint: read_jwt(params, "id_token_hint")?,
            login_hint: params
                .get("login_hint")?
                .filter(|hint| is_hint(hint))
                .map(str::to_owned),
            acr_values: read_list(params, "acr_values", is_acr)?,
            claims: read_claims(params)?,
            resources: read_resources(params)?,
            authorization_details: AuthorizationDetails::from_params(params)?,
            code_challenge: read_code_challenge(params)?,
            dpop_jkt: Thumbprint::from_params(params)?,
        };
        request.check_front_channel()?;
        Ok(request)
    }

    /// What a request has to be by which a token comes through the browser.
    fn check_front_channel(&self) -> Result<(), OAuthError> {
        let response_type = self.response_type;
        let by_query = self.response_mode.is_some_and(ResponseMode::is_query);
        // Multiple Response Types §3, §5; JARM §2.3.1: tokens in a query end up in histories and logs.
        if response_type.is_front_channel() && by_query {
            return Err(OAuthError::invalid_request(
                "response_mode must not be query or query.jwt with a response_type that has a token; use fragment, form_post or their .jwt forms",
            ));
        }
        if !response_type.has_id_token() {
            return Ok(());
        }
        if !self.is_openid() {
            return Err(OAuthError::invalid_request(
                "a response_type with id_token needs the scope openid",
            ));
        }
        // OpenID Connect Core §3.2.2.1, §3.3.2.11
        if self.nonce.is_none() {
            return Err(OAuthError::invalid_request(
                "nonce is missing: it is required with a response_type that has id_token",
            ));
        }
        Ok(())
    }

    /// Whether this is an OpenID Connect request.
    pub fn is_openid(&self) -> bool {
        self.scope.contains(OPENID)
    }

    /// The request as parameters, from which [`AuthorizationRequest::from_params`] reads the same again.
    pub fn to_params(&self) -> Params {
        let (scope, acr_values) = (self.scope.to_string(), self.acr_values.join(" "));
        let (ui_locales, claims_locales) =
            (self.ui_locales.join(" "), self.claims_locales.join(" "));
        let (prompt, max_age) = (
            self.prompt.to_string(),
            self.max_age.map(|seconds| seconds.to_string()),
        );
        let claims = self
            .claims
            .as_ref()
            .and_then(|claims| serde_json::to_string(claims).ok());
        let challenge = self.code_challenge.map(|challenge| challenge.to_string());
        let method = challenge.as_ref().map(|_| CodeChallenge::METHOD);
        let dpop_jkt = self.dpop_jkt.map(|jkt| jkt.to_string());
        let details = (!self.authorization_details.is_empty())
            .then(|| self.authorization_details.to_string());
        let single = [
            ("client_id", Some(self.client_id.as_str())),
            ("redirect_uri", self.redirect_uri.as_deref()),
            ("response_type", Some(self.response_type.as_str())),
            (
                "response_mode",
                self.response_mode.map(ResponseMode::as_str),
            ),
            ("scope", Some(scope.as_str())),
            ("state", self.state.as_deref()),
            ("nonce", self.nonce.as_deref()),
            ("prompt", Some(prompt.as_str())),
            ("display", self.display.map(Display::as_str)),
            ("max_age", max_age.as_deref()),
            ("ui_locales", Some(ui_locales.as_str())),
            ("claims_locales", Some(claims_locales.as_str())),
            ("id_token_hint", self.id_token_hint.as_deref()),
            ("login_hint", self.login_hint.as_deref()),
            ("acr_values", Some(acr_values.as_str())),
            ("claims", claims.as_deref()),
            ("authorization_details", details.as_deref()),
            ("code_challenge", challenge.as_deref()),
            ("code_challenge_method", method),
            ("dpop_jkt", dpop_jkt.as_deref()),
        ];
        let single = single
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let resources = self
            .resources
            .iter()
            .map(|resource| ("resource", resource.as_str()));
        single
            .chain(resources)
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }

    /// The request as a query string.
    pub fn to_query(&self) -> String {
        self.to_params().to_query()
    }
}

/// OpenID Connect Core §3.1.2.6: each of these has a code of its own, so that a client learns that it was not merely ignored. A request
/// object is read before this; one that comes here would be ignored, and with it what the client signed.
fn refuse_unsupported(params: &Params) -> Result<(), OAuthError> {
    for (name, code) in [
        ("request", ErrorCode::RequestNotSupported),
        ("request_uri", ErrorCode::RequestUriNotSupported),
        ("registration", ErrorCode::RegistrationNotSupported),
    ] {
        if params.get(name)?.is_some() {
            return Err(OAuthError::new(
                code,
                format!("the {name} parameter is not supported"),
            ));
        }
    }
    Ok(())
}

fn read_state(params: &Params) -> Result<Option<String>, OAuthError> {
    Ok(params.get_bounded("state", MAX_OPAQUE)?.map(str::to_owned))
}

fn read_response_mode(params: &Params) -> Result<Option<ResponseMode>, OAuthError> {
    let mode = params.get("response_mode")?.map(str::parse).transpose();
    mode.map_err(|error: UnsupportedResponseMode| OAuthError::invalid_request(error.to_string()))
}

fn read_response_type(params: &Params) -> Result<ResponseType, OAuthError> {
    let name = params.require("response_type", 256)?;
    name.parse().map_err(|error: UnsupportedResponseType| {
        OAuthError::unsupported_response_type(error.to_string())
    })
}

/// Whether the response type, sound or not, names a token: then not even an error goes into the query.
fn asks_for_token(params: &Params) -> bool {
    params
        .get_all("response_type")
        .flat_map(|text| text.split(' '))
        .any(|value| ["token", "id_token"].contains(&value))
}

/// Reads `scope` as every endpoint does; absent and empty are the same.
pub fn read_scope(params: &Params) -> Result<Option<Scope>, OAuthError> {
    let scope = params.get("scope")?.map(Scope::parse).transpose();
    Ok(scope
        .map_err(OAuthError::from)?
        .filter(|scope| !scope.is_empty()))
}

impl From<InvalidScope> for OAuthError {
    fn from(error: InvalidScope) -> Self {
        match error {
            InvalidScope::TooLong => Self::invalid_request(error.to_string()),
            InvalidScope::Character => Self::invalid_scope(error.to_string()),
        }
    }
}

fn read_max_age(params: &Params) -> Result<Option<u32>, OAuthError> {
    match params.get_bounded("max_age", 64)? {
        None => Ok(None),
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Some(text.parse().unwrap_or(u32::MAX)))
        }
        Some(_) => Err(OAuthError::invalid_request(
            "max_age must be a number of seconds, zero or more",
        )),
    }
}

pub(super) fn read_claims(params: &Params) -> Result<Option<ClaimsRequest>, OAuthError> {
    let claims = params.get("claims")?.map(ClaimsRequest::parse).transpose();
    claims.map_err(|error| OAuthError::invalid_request(error.to_string()))
}

/// Reads every `resource` as RFC 8707 §2 describes it; duplicates are dropped.
pub fn read_resources(params: &Params) -> Result<Vec<ResourceIndicator>, OAuthError> {
    let mut resources = Vec::new();
    for (position, text) in params.get_all("resource").enumerate() {
        if position == resource::MAX_RESOURCES {
            return Err(OAuthError::invalid_target(
                "resource is included more than 20 times",
            ));
        }
        let resource = ResourceIndicator::parse(text)
            .map_err(|error| OAuthError::invalid_target(error.to_string()))?;
        if !resources.contains(&resource) {
            resources.push(resource);
        }
    }
    Ok(resources)
}

fn read_code_challenge(params: &Params) -> Result<Option<CodeChallenge>, OAuthError> {
    let fault = |error: PkceError| OAuthError::invalid_request(error.to_string());
    match (
        params.get("code_challenge")?,
        params.get("code_challenge_method")?,
    ) {
        (Some(challenge), method) => CodeChallenge::parse(challenge, method)
            .map(Some)
            .map_err(fault),
        // RFC 7636 §4.3 knows no method without a challenge; whoever sends it believes to be protected.
        (None, Some(_)) => Err(OAuthError::invalid_request(
            "code_challenge_method is there without code_challenge",
        )),
        (None, None) => Ok(None),
    }
}

/// Reads a parameter that holds a compact JWT: its alphabet and length only.
pub fn read_jwt(params: &Params, name: &str) -> Result<Option<String>, OAuthError> {
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match params.get_bounded(name, MAX_JWT)? {
        Some(text) if !text.bytes().all(alphabet) => {
            Err(OAuthError::invalid_request(format!("{name} is not a JWT")))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

/// Reads a space-delimited list of hints: the first twenty that are sound.
pub(super) fn read_list(
    params: &Params,
    name: &str,
    sound: fn(&str) -> bool,
) -> Result<Vec<String>, OAuthError> {
    let values = params.get(name)?.unwrap_or_default().split(' ');
    Ok(values
        .filter(|value| sound(value))
        .take(20)
        .map(str::to_owned)
        .collect())
}

/// Whether the text has the shape of a BCP 47 language tag.
pub(super) fn is_language_tag(text: &str) -> bool {
    let part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    text.len() <= 35 && text.split('-').all(part)
}

/// Whether the text may stand in a form field: one line of reasonable length.
pub(super) fn is_hint(text: &str) -> bool {
    text.len() <= 512 && !text.chars().any(char::is_control)
}

fn is_acr(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
