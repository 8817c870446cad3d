//! Client metadata ([RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2), OpenID Connect Dynamic Client Registration §2, and this provider's
//! own fields) as an administrator writes it.
//!
//! Every field that this provider does not act upon is refused rather than ignored: an administrator who sets it would rely on it. Left out: dynamic
//! registration by strangers.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::algorithm::SigningAlgorithm;
use super::redirect_uri::{PostLogoutRedirectUri, RedirectUri, RedirectUriError};
use super::scope::{self, Scope};
use super::{ErrorCode, OAuthError, jwks, resource, uri};

/// How a client gets tokens (RFC 7591 §2, `grant_types`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// The authorization code (RFC 6749 §4.1).
    AuthorizationCode,
    /// The refresh token (RFC 6749 §6).
    RefreshToken,
    /// The client's own credentials (RFC 6749 §4.4).
    ClientCredentials,
}

impl GrantType {
    /// Every grant type, in the order in which discovery announces them.
    pub const ALL: [Self; 3] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
    ];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }
}

/// What the authorization endpoint answers with (RFC 7591 §2, `response_types`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseType {
    /// An authorization code (RFC 6749 §4.1.1).
    Code,
}

impl ResponseType {
    /// Every response type.
    pub const ALL: [Self; 1] = [Self::Code];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
        }
    }
}

/// How a client proves who it is at the token endpoint (OpenID Connect Core §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEndpointAuthMethod {
    /// Not at all: a public client.
    None,
    /// Its secret by HTTP Basic authentication: the default of RFC 7591 §2.
    #[default]
    ClientSecretBasic,
    /// Its secret in the body.
    ClientSecretPost,
    /// A JWT signed by its own key (RFC 7523 §2.2).
    PrivateKeyJwt,
}

impl TokenEndpointAuthMethod {
    /// Every method, in the order in which discovery announces them.
    pub const ALL: [Self; 4] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::PrivateKeyJwt,
        Self::None,
    ];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// Whether the method needs a secret that we hand out.
    pub const fn uses_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

/// What kind of application a client is (OpenID Connect Dynamic Client Registration §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// Runs on a web server or in a browser.
    #[default]
    Web,
    /// Runs on the person's device (RFC 8252).
    Native,
}

/// Whether clients can recognise one person among each other (OpenID Connect Core §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// The same `sub` for every client.
    #[default]
    Public,
    /// A `sub` of its own for each sector.
    Pairwise,
}

/// What an access token looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessTokenFormat {
    /// A JWT (RFC 9068), verified with nothing but the issuer's keys.
    #[default]
    Jwt,
    /// A handle that only introspection can resolve.
    Opaque,
}

/// A client's metadata. After [`ClientMetadata::validate`] every rule between the fields holds and the defaults are filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientMetadata {
    /// Where the authorization endpoint may send the browser back to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// Where the end-session endpoint may send the browser to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// The name that people see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// The client's home page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its logo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Its privacy policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Its terms of service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// E-mail addresses of those responsible.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// The grants it may use; `authorization_code` unless told.
    pub grant_types: Vec<GrantType>,
    /// The response types it may use; they follow from the grants unless told.
    pub response_types: Vec<ResponseType>,
    /// The scopes it may ask for; after validation always there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// How it proves who it is.
    pub token_endpoint_auth_method: TokenEndpointAuthMethod,
    /// The only algorithm of its assertions; any supported one unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<SigningAlgorithm>,
    /// Its public keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where its public keys are found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The algorithm of its ID tokens.
    pub id_token_signed_response_alg: SigningAlgorithm,
    /// The form of its access tokens.
    pub access_token_format: AccessTokenFormat,
    /// The audience of access tokens where a request names no resource; the issuer unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_audience: Option<String>,
    /// The only resources it may name (RFC 8707); any of the tenant's unless told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The `max_age` of requests that name none, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u32>,
    /// Whether every ID token carries `auth_time`.
    pub require_auth_time: bool,
    /// The `acr_values` of requests that name none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default_acr_values: Vec<String>,
    /// Where a third party sends a person who wants to sign in (OpenID Connect Core §4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<String>,
    /// What kind of application it is.
    pub application_type: ApplicationType,
    /// Whether its subjects are recognisable to other clients.
    pub subject_type: SubjectType,
    /// Origins that may call the endpoints from a browser, besides those of the redirect URIs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_origins: Vec<String>,
    /// Whether an authorization request must carry a code challenge. Public clients must anyway.
    pub require_pkce: bool,
    /// Life of its access tokens in seconds; the tenant's setting unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token_lifetime: Option<u32>,
    /// Life of its refresh tokens in seconds; the tenant's setting unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token_lifetime: Option<u32>,
    /// For how many seconds a rotated refresh token yields its successor again, for an answer that was lost.
    pub refresh_token_leeway: u32,
    /// Whether people are not asked for consent: for the tenant's own applications.
    #[serde(alias = "first_party")]
    pub skip_consent: bool,
    /// An identifier of the software, the same for all its instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// The software's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// Values in further languages, such as `client_name#de` (RFC 7591 §2.2).
    #[serde(flatten)]
    pub localized: Localized,
}

impl Default for ClientMetadata {
    fn default() -> Self {
        Self {
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            client_name: None,
            client_uri: None,
            logo_uri: None,
            policy_uri: None,
            tos_uri: None,
            contacts: Vec::new(),
            grant_types: vec![GrantType::AuthorizationCode],
            response_types: Vec::new(),
            scope: None,
            token_endpoint_auth_method: TokenEndpointAuthMethod::default(),
            token_endpoint_auth_signing_alg: None,
            jwks: None,
            jwks_uri: None,
            id_token_signed_response_alg: SigningAlgorithm::Es256,
            access_token_format: AccessTokenFormat::default(),
            default_audience: None,
            resources: Vec::new(),
            default_max_age: None,
            require_auth_time: false,
            default_acr_values: Vec::new(),
            initiate_login_uri: None,
            application_type: ApplicationType::default(),
            subject_type: SubjectType::default(),
            allowed_origins: Vec::new(),
            require_pkce: true,
            access_token_lifetime: None,
            refresh_token_lifetime: None,
            refresh_token_leeway: 0,
            skip_consent: false,
            software_id: None,
            software_version: None,
            localized: Localized::default(),
        }
    }
}

/// A field that can't be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct MetadataError {
    /// Which field, as it is written in the document.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl MetadataError {
    fn new(field: &str, reason: impl Into<String>) -> Self {
        // The field may be the sender's own text.
        Self {
            field: field.chars().take(64).collect(),
            reason: reason.into(),
        }
    }
}

/// RFC 7591 §3.2.2 has a code of its own for redirect URIs.
impl From<MetadataError> for OAuthError {
    fn from(error: MetadataError) -> Self {
        let code = if error.field == "redirect_uris" {
            ErrorCode::InvalidRedirectUri
        } else {
            ErrorCode::InvalidClientMetadata
        };
        Self::new(code, error.to_string())
    }
}

impl ClientMetadata {
    /// Reads and validates a document. Members that are `null` count as absent, unknown ones are refused.
    pub fn from_json(document: Value) -> Result<Self, MetadataError> {
        let Value::Object(mut members) = document else {
            return Err(MetadataError::new("(document)", "must be a JSON object"));
        };
        members.retain(|_, value| !value.is_null());
        match serde_json::from_value::<Self>(Value::Object(members.clone())) {
            Ok(metadata) => metadata.validate(),
            Err(error) => Err(members
                .into_iter()
                .find_map(|(name, value)| {
                    let alone = Value::Object([(name.clone(), value)].into_iter().collect());
                    let error = serde_json::from_value::<Self>(alone).err()?;
                    Some(MetadataError::new(&name, error.to_string()))
                })
                .unwrap_or_else(|| MetadataError::new("(document)", error.to_string()))),
        }
    }

    /// Checks every rule and fills in the defaults that depend on other fields.
    pub fn validate(mut self) -> Result<Self, MetadataError> {
        self.check_grants()?;
        self.check_authentication()?;
        self.check_redirects()?;
        self.check_texts()?;
        self.check_urls()?;
        self.check_tokens()?;
        Ok(self)
    }

    /// Whether the client can't keep a secret.
    pub fn is_public(&self) -> bool {
        self.token_endpoint_auth_method == TokenEndpointAuthMethod::None
    }

    /// Whether it may use this grant.
    pub fn allows_grant(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// The redirect URIs, checked.
    pub fn parse_redirect_uris(&self) -> Result<Vec<RedirectUri>, RedirectUriError> {
        self.redirect_uris
            .iter()
            .map(|text| RedirectUri::parse(text, self.application_type))
            .collect()
    }

    /// The post-logout redirect URIs, checked.
    pub fn parse_post_logout_redirect_uris(
        &self,
    ) -> Result<Vec<PostLogoutRedirectUri>, RedirectUriError> {
        self.post_logout_redirect_uris
            .iter()
            .map(|text| PostLogoutRedirectUri::parse(text, self.application_type))
            .collect()
    }

    /// The host that pairwise subjects are made for (OpenID Connect Core §8.1): the one that all redirect URIs share.
    pub fn sector(&self) -> Option<String> {
        let hosts: Option<HashSet<String>> = self
            .parse_redirect_uris()
            .ok()?
            .iter()
            .map(RedirectUri::host)
            .collect();
        let mut hosts = hosts?.into_iter();
        let only = hosts.next()?;
        hosts.next().is_none().then_some(only)
    }

    fn check_grants(&mut self) -> Result<(), MetadataError> {
        let code = self.allows_grant(GrantType::AuthorizationCode);
        distinct("grant_types", &self.grant_types)?;
        distinct("response_types", &self.response_types)?;
        if self.grant_types.is_empty() {
            return Err(MetadataError::new(
                "grant_types",
                "must name at least one grant type",
            ));
        }
        if self.allows_grant(GrantType::RefreshToken) && !code {
            return Err(MetadataError::new(
                "grant_types",
                "refresh_token needs authorization_code, as no other grant issues refresh tokens",
            ));
        }
        // RFC 7591 §2.1: authorization_code and code go together
        if code && self.response_types.is_empty() {
            self.response_types = vec![ResponseType::Code];
        }
        if !code && !self.response_types.is_empty() {
            return Err(MetadataError::new(
                "response_types",
                "code needs the grant type authorization_code",
            ));
        }
        if self.is_public() && self.allows_grant(GrantType::ClientCredentials) {
            // RFC 6749 §4.4: "The client credentials grant type MUST only be used by confidential clients."
            return Err(MetadataError::new(
                "grant_types",
                "client_credentials is for confidential clients only; choose another token_endpoint_auth_method",
            ));
        }
        let offline = self.allows_grant(GrantType::RefreshToken);
        let scope = self
            .scope
            .get_or_insert_with(|| default_scope(code, offline));
        Scope::parse(&scope.to_string())
            .map_err(|error| MetadataError::new("scope", error.to_string()))?;
        Ok(())
    }

    fn check_authentication(&self) -> Result<(), MetadataError> {
        let by_key = self.token_endpoint_auth_method == TokenEndpointAuthMethod::PrivateKeyJwt;
        // RFC 7591 §2: "The "jwks_uri" and "jwks" parameters MUST NOT both be present in the same request or response."
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            return Err(MetadataError::new(
                "jwks",
                "jwks and jwks_uri exclude each other",
            ));
        }
        if by_key && self.jwks.is_none() && self.jwks_uri.is_none() {
            return Err(MetadataError::new(
                "jwks",
                "private_key_jwt needs jwks or jwks_uri",
            ));
        }
        if self.token_endpoint_auth_signing_alg.is_some() && !by_key {
            return Err(MetadataError::new(
                "token_endpoint_auth_signing_alg",
                "applies to private_key_jwt only",
            ));
        }
        match &self.jwks {
            Some(jwks) => jwks::check_public(jwks)
                .map_err(|error| MetadataError::new("jwks", error.to_string())),
            None => Ok(()),
        }
    }

    fn check_redirects(&self) -> Result<(), MetadataError> {
        bounded("redirect_uris", &self.redirect_uris, 100)?;
        bounded(
            "post_logout_redirect_uris",
            &self.post_logout_redirect_uris,
            100,
        )?;
        bounded("allowed_origins", &self.allowed_origins, 100)?;
        if self.allows_grant(GrantType::AuthorizationCode) && self.redirect_uris.is_empty() {
            return Err(MetadataError::new(
                "redirect_uris",
                "authorization_code needs at least one redirect URI",
            ));
        }
        self.parse_redirect_uris()
            .map_err(|error| MetadataError::new("redirect_uris", error.to_string()))?;
        self.parse_post_logout_redirect_uris()
            .map_err(|error| MetadataError::new("post_logout_redirect_uris", error.to_string()))?;
        for origin in &self.allowed_origins {
            uri::check_origin(origin).map_err(|_| {
                MetadataError::new(
                    "allowed_origins",
                    "must be origins such as https://app.example.com, without a path",
                )
            })?;
        }
        if self.subject_type == SubjectType::Pairwise && self.sector().is_none() {
            return Err(MetadataError::new(
                "subject_type",
                "pairwise needs redirect URIs that all have the same host",
            ));
        }
        Ok(())
    }

    fn check_texts(&self) -> Result<(), MetadataError> {
        for (field, value) in [
            ("client_name", &self.client_name),
            ("software_id", &self.software_id),
            ("software_version", &self.software_version),
        ] {
            text(field, value.as_deref())?;
        }
        bounded("contacts", &self.contacts, 20)?;
        for contact in &self.contacts {
            super::email::EmailAddress::parse(contact)
                .map_err(|error| MetadataError::new("contacts", error.to_string()))?;
        }
        self.localized.check()
    }

    fn check_urls(&self) -> Result<(), MetadataError> {
        for (field, value) in [
            ("client_uri", &self.client_uri),
            ("logo_uri", &self.logo_uri),
            ("policy_uri", &self.policy_uri),
            ("tos_uri", &self.tos_uri),
            ("jwks_uri", &self.jwks_uri),
        ] {
            web_url(field, value.as_deref())?;
        }
        let login = self.initiate_login_uri.as_deref();
        web_url("initiate_login_uri", login)?;
        // OpenID Connect Dynamic Client Registration §2: "URI using the https scheme"
        if login.is_some_and(|login| !login.starts_with("https://")) {
            return Err(MetadataError::new("initiate_login_uri", "must use https"));
        }
        Ok(())
    }

    fn check_tokens(&self) -> Result<(), MetadataError> {
        bounded("resources", &self.resources, 100)?;
        for (field, value) in self
            .resources
            .iter()
            .map(|value| ("resources", value))
            .chain(
                self.default_audience
                    .iter()
                    .map(|value| ("default_audience", value)),
            )
        {
            resource::ResourceIndicator::parse(value)
                .map_err(|error| MetadataError::new(field, error.to_string()))?;
        }
        bounded("default_acr_values", &self.default_acr_values, 20)?;
        for value in &self.default_acr_values {
            if value.is_empty()
                || value.len() > 256
                || !value.bytes().all(|byte| byte.is_ascii_graphic())
            {
                return Err(MetadataError::new(
                    "default_acr_values",
                    "must be texts of 1 to 256 visible ASCII characters",
                ));
            }
        }
        for (field, value, least, most) in [
            (
                "access_token_lifetime",
                self.access_token_lifetime,
                30,
                86_400,
            ),
            (
                "refresh_token_lifetime",
                self.refresh_token_lifetime,
                60,
                63_072_000,
            ),
            (
                "refresh_token_leeway",
                Some(self.refresh_token_leeway),
                0,
                60,
            ),
            ("default_max_age", self.default_max_age, 0, 31_536_000),
        ] {
            if value.is_some_and(|value| !(least..=most).contains(&value)) {
                return Err(MetadataError::new(
                    field,
                    format!("must be {least} to {most} seconds"),
                ));
            }
        }
        Ok(())
    }
}

fn default_scope(code: bool, offline: bool) -> Scope {
    let person = [
        scope::OPENID,
        scope::PROFILE,
        scope::EMAIL,
        scope::ADDRESS,
        scope::PHONE,
    ];
    let person = person.into_iter().filter(|_| code);
    person
        .chain([scope::OFFLINE_ACCESS].into_iter().filter(|_| offline))
        .collect()
}

fn distinct<T: PartialEq>(field: &str, values: &[T]) -> Result<(), MetadataError> {
    if values
        .iter()
        .enumerate()
        .any(|(position, value)| values[..position].contains(value))
    {
        return Err(MetadataError::new(field, "names a value twice"));
    }
    Ok(())
}

fn bounded(field: &str, values: &[String], most: usize) -> Result<(), MetadataError> {
    if values.len() > most {
        return Err(MetadataError::new(
            field,
            format!("holds more than {most} values"),
        ));
    }
    distinct(field, values)
}

fn text(field: &str, value: Option<&str>) -> Result<(), MetadataError> {
    let sound = |text: &str| {
        !text.trim().is_empty()
            && text.len() <= 800
            && text.chars().count() <= 200
            && !text.chars().any(char::is_control)
    };
    match value {
        Some(value) if !sound(value) => Err(MetadataError::new(
            field,
            "must be 1 to 200 characters without control characters",
        )),
        _ => Ok(()),
    }
}

fn web_url(field: &str, value: Option<&str>) -> Result<(), MetadataError> {
    match value.map(uri::parse_web) {
        Some(Err(error)) => Err(MetadataError::new(field, error.to_string())),
        _ => Ok(()),
    }
}

/// Values in further languages (RFC 7591 §2.2): by field, then by language tag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Localized(BTreeMap<String, String>);

/// The fields that may be given in several languages.
const LOCALIZABLE: [&str; 5] = [
    "client_name",
    "client_uri",
    "logo_uri",
    "policy_uri",
    "tos_uri",
];

impl Localized {
    /// The value of a field in a language, by exact tag or by its primary language.
    pub fn find(&self, field: &str, language: &str) -> Option<&str> {
        let primary = language.split('-').next().unwrap_or_default();
        [language, primary]
            .into_iter()
            .find_map(|wanted| {
                self.0.iter().find(|(name, _)| {
                    name.split_once('#')
                        .is_some_and(|(own, tag)| own == field && tag.eq_ignore_ascii_case(wanted))
                })
            })
            .map(|(_, value)| value.as_str())
    }

    fn check(&self) -> Result<(), MetadataError> {
        if self.0.len() > 100 {
            return Err(MetadataError::new(
                "(document)",
                "holds more than 100 localized values",
            ));
        }
        for (name, value) in &self.0 {
            if name.starts_with("client_name#") {
                text(name, Some(value))?;
            } else {
                web_url(name, Some(value))?;
            }
        }
        Ok(())
    }
}

fn is_localized_name(name: &str) -> bool {
    name.split_once('#').is_some_and(|(field, tag)| {
        LOCALIZABLE.contains(&field)
            && tag.len() <= 35
            && tag.split('-').all(|part| {
                (1..=8).contains(&part.len())
                    && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            })
    })
}

impl Serialize for Localized {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Receives every member that no field claimed, and so is where unknown ones are refused.
impl<'de> Deserialize<'de> for Localized {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Localized;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("client metadata")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Localized, A::Error> {
                let mut values = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !is_localized_name(&name) {
                        return Err(de::Error::custom("is unknown or not supported"));
                    }
                    values.insert(name, map.next_value()?);
                }
                Ok(Localized(values))
            }
        }

        deserializer.deserialize_map(Members)
    }
}
