//! The rules between the fields.

use super::document::ClientMetadata;
use super::kinds::{GrantType, ResponseType, TokenEndpointAuthMethod};
use crate::protocol::authorization_details::{MAX_TYPES, is_type_name};
use crate::protocol::encryption::KeyManagementAlgorithm;
use crate::protocol::request_uri::RequestUri;
use crate::protocol::scope::{self, Scope};
use crate::protocol::{ErrorCode, OAuthError, email, jwks, resource, uri};

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
    /// Of this field.
    pub fn new(field: &str, reason: impl Into<String>) -> Self {
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
    /// Checks every rule and fills in the defaults that depend on other fields.
    pub fn validate(mut self) -> Result<Self, MetadataError> {
        self.check_grants()?;
        self.check_authentication()?;
        self.check_request_objects()?;
        self.check_encryption()?;
        self.check_request_uris()?;
        self.check_redirects()?;
        self.check_texts()?;
        self.check_urls()?;
        self.check_logout()?;
        self.check_backchannel()?;
        self.check_tokens()?;
        self.security_profile.check_client(&self)?;
        Ok(self)
    }

    fn check_grants(&mut self) -> Result<(), MetadataError> {
        let refreshable = self.allows_grant(GrantType::AuthorizationCode)
            || self.allows_grant(GrantType::DeviceCode)
            || self.allows_grant(GrantType::Ciba)
            || self.joins_sessions();
        distinct("grant_types", &self.grant_types)?;
        if self.grant_types.is_empty() {
            return Err(MetadataError::new(
                "grant_types",
                "must name at least one grant type",
            ));
        }
        if self.allows_grant(GrantType::RefreshToken) && !refreshable {
            return Err(MetadataError::new(
                "grant_types",
                "refresh_token needs authorization_code, the device_code grant or the ciba grant, as no other grant issues refresh tokens",
            ));
        }
        self.check_response_types()?;
        if self.is_public() && self.allows_grant(GrantType::ClientCredentials) {
            // RFC 6749 §4.4: "The client credentials grant type MUST only be used by confidential clients."
            return Err(MetadataError::new(
                "grant_types",
                "client_credentials is for confidential clients only; choose another token_endpoint_auth_method",
            ));
        }
        // RFC 8693 §5: without authentication whoever finds a token could turn it into others. A device secret is no token that APIs are shown.
        if self.is_public() && self.allows_grant(GrantType::TokenExchange) && !self.joins_sessions()
        {
            return Err(MetadataError::new(
                "grant_types",
                "token-exchange is for confidential clients, and for public ones by device secrets alone (native_sso_group); choose another token_endpoint_auth_method",
            ));
        }
        if self.is_public() && self.allows_grant(GrantType::JwtBearer) {
            // RFC 7523 §3.1 leaves the client's authentication open; without it whoever finds an assertion could use it first.
            return Err(MetadataError::new(
                "grant_types",
                "jwt-bearer is for confidential clients only; choose another token_endpoint_auth_method",
            ));
        }
        if self.is_public() && self.allows_grant(GrantType::Ciba) {
            // OpenID Connect CIBA §7.1: the client must authenticate; whoever named it could have people asked in its name.
            return Err(MetadataError::new(
                "grant_types",
                "ciba is for confidential clients only; choose another token_endpoint_auth_method",
            ));
        }
        let (people, offline) = (
            self.has_people(),
            self.allows_grant(GrantType::RefreshToken),
        );
        let scope = self
            .scope
            .get_or_insert_with(|| default_scope(people, offline));
        Scope::parse(&scope.to_string())
            .map_err(|error| MetadataError::new("scope", error.to_string()))?;
        Ok(())
    }

    /// RFC 7591 §2.1 and OpenID Connect Dynamic Client Registration §2: which grant types and response types go together.
    fn check_response_types(&mut self) -> Result<(), MetadataError> {
        let code = self.allows_grant(GrantType::AuthorizationCode);
        // RFC 7591 §2: "If omitted, the default is that the client will use only the "code" response type."
        if code && self.response_types.is_empty() {
            self.response_types = vec![ResponseType::Code];
        }
        distinct("response_types", &self.response_types)?;
        for own in &self.response_types {
            let missing = own
                .grant_types()
                .iter()
                .find(|grant| !self.allows_grant(**grant));
            if let Some(grant) = missing {
                return Err(MetadataError::new(
                    "response_types",
                    format!(
                        "{own} needs the grant type {}; name it in grant_types",
                        grant.as_str()
                    ),
                ));
            }
        }
        if code && !self.response_types.iter().any(|own| own.has_code()) {
            return Err(MetadataError::new(
                "grant_types",
                "authorization_code needs a response type with code; take it out of grant_types, or name one in response_types",
            ));
        }
        let implicit = self.allows_grant(GrantType::Implicit);
        if implicit && !self.response_types.iter().any(|own| own.is_front_channel()) {
            return Err(MetadataError::new(
                "grant_types",
                "implicit needs a response type with id_token or token; take it out of grant_types, or name one in response_types",
            ));
        }
        // RFC 9449 §5: what comes through the browser was asked for with no proof, and so is bound to nothing.
        let by_browser = self.response_types.iter().any(|own| own.has_access_token());
        for (field, bound) in [
            ("dpop_bound_access_tokens", self.dpop_bound_access_tokens),
            (
                "tls_client_certificate_bound_access_tokens",
                self.tls_client_certificate_bound_access_tokens,
            ),
        ] {
            if bound && by_browser {
                return Err(MetadataError::new(
                    field,
                    "excludes response types with token, whose access tokens can't be bound to anything",
                ));
            }
        }
        if self.dpop_bound_access_tokens && self.tls_client_certificate_bound_access_tokens {
            return Err(MetadataError::new(
                "tls_client_certificate_bound_access_tokens",
                "excludes dpop_bound_access_tokens: a token is bound to a key or to a certificate",
            ));
        }
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
        let publishes = by_key
            || self.token_endpoint_auth_method == TokenEndpointAuthMethod::SelfSignedTlsClientAuth;
        if publishes && self.jwks.is_none() && self.jwks_uri.is_none() {
            return Err(MetadataError::new(
                "jwks",
                format!(
                    "{} needs jwks or jwks_uri",
                    self.token_endpoint_auth_method.as_str()
                ),
            ));
        }
        self.check_subject()?;
        if let Some(algorithm) = self.token_endpoint_auth_signing_alg {
            let by_secret =
                self.token_endpoint_auth_method == TokenEndpointAuthMethod::ClientSecretJwt;
            let reason = match algorithm.asymmetric() {
                _ if !by_key && !by_secret => {
                    "applies to private_key_jwt and client_secret_jwt only"
                }
                None if by_key => "private_key_jwt needs an algorithm of keys, not of secrets",
                Some(_) if by_secret => "client_secret_jwt is signed by HS256",
                _ => "",
            };
            if !reason.is_empty() {
                return Err(MetadataError::new(
                    "token_endpoint_auth_signing_alg",
                    reason,
                ));
            }
        }
        match &self.jwks {
            Some(jwks) => jwks::check_public(jwks)
                .map_err(|error| MetadataError::new("jwks", error.to_string())),
            None => Ok(()),
        }
    }

    /// What is to be verified needs keys: without them no request of the client could ever be accepted.
    fn check_request_objects(&self) -> Result<(), MetadataError> {
        let has_keys = self.jwks.is_some() || self.jwks_uri.is_some();
        for (field, given) in [
            (
                "require_signed_request_object",
                self.require_signed_request_object,
            ),
            (
                "request_object_signing_alg",
                self.request_object_signing_alg.is_some(),
            ),
        ] {
            if given && !has_keys {
                return Err(MetadataError::new(field, "needs jwks or jwks_uri"));
            }
        }
        Ok(())
    }

    /// What is encrypted to a client needs a key of its own, and a content needs a key; request objects are encrypted to a key of ours.
    fn check_encryption(&self) -> Result<(), MetadataError> {
        for (name, alg, enc) in [
            (
                "id_token_encrypted_response",
                self.id_token_encrypted_response_alg,
                self.id_token_encrypted_response_enc,
            ),
            (
                "authorization_encrypted_response",
                self.authorization_encrypted_response_alg,
                self.authorization_encrypted_response_enc,
            ),
            (
                "userinfo_encrypted_response",
                self.userinfo_encrypted_response_alg,
                self.userinfo_encrypted_response_enc,
            ),
            (
                "introspection_encrypted_response",
                self.introspection_encrypted_response_alg,
                self.introspection_encrypted_response_enc,
            ),
            (
                "request_object_encryption",
                self.request_object_encryption_alg,
                self.request_object_encryption_enc,
            ),
        ] {
            let refused =
                |end, reason: String| Err(MetadataError::new(&format!("{name}_{end}"), reason));
            // OpenID Connect Dynamic Client Registration §2: "When [enc] is included, [alg] MUST also be provided."
            let Some(alg) = alg else {
                if enc.is_some() {
                    return refused("enc", format!("needs {name}_alg"));
                }
                continue;
            };
            if self.jwks.is_none() && self.jwks_uri.is_none() {
                return refused("alg", "needs jwks or jwks_uri".to_owned());
            }
            let lacks_key = |jwks| !jwks::holds_key_for(jwks, alg);
            if name != "request_object_encryption" && self.jwks.as_ref().is_some_and(lacks_key) {
                return refused(
                    "alg",
                    format!(
                        "needs a key in jwks that may be encrypted to by {alg}: of {}, and with use enc or none",
                        match alg {
                            KeyManagementAlgorithm::RsaOaep256 => "type RSA",
                            KeyManagementAlgorithm::EcdhEs => "curve P-256 or X25519",
                        }
                    ),
                );
            }
        }
        Ok(())
    }

    /// OpenID Connect Core §6.2
    fn check_request_uris(&self) -> Result<(), MetadataError> {
        const FIELD: &str = "request_uris";
        bounded(FIELD, &self.request_uris, 100)?;
        for uri in &self.request_uris {
            RequestUri::parse(uri).map_err(|error| MetadataError::new(FIELD, error.to_string()))?;
        }
        if !self.request_uris.is_empty() && self.jwks.is_none() && self.jwks_uri.is_none() {
            return Err(MetadataError::new(
                FIELD,
                "needs jwks or jwks_uri, as what they lead to has to be signed",
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
            email::EmailAddress::parse(contact)
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
            ("sector_identifier_uri", &self.sector_identifier_uri),
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

    /// Where it is told that a session has ended.
    fn check_logout(&self) -> Result<(), MetadataError> {
        let (back, front) = (&self.backchannel_logout_uri, &self.frontchannel_logout_uri);
        for (field, value, required, given) in [
            (
                "backchannel_logout_uri",
                back,
                "backchannel_logout_session_required",
                self.backchannel_logout_session_required,
            ),
            (
                "frontchannel_logout_uri",
                front,
                "frontchannel_logout_session_required",
                self.frontchannel_logout_session_required,
            ),
        ] {
            web_url(field, value.as_deref())?;
            if given && value.is_none() {
                return Err(MetadataError::new(required, format!("needs {field}")));
            }
        }
        // OpenID Connect Front-Channel Logout §2: "The domain, port, and scheme of this URL MUST be the same as that of a registered
        // Redirection URI value."
        if let Some(front) = front {
            let own = uri::parse_web(front).map(|url| url.origin().ascii_serialization());
            let redirects = self.parse_redirect_uris().unwrap_or_default();
            if own.is_ok_and(|own| {
                redirects
                    .iter()
                    .all(|uri| uri.origin().as_ref() != Some(&own))
            }) {
                return Err(MetadataError::new(
                    "frontchannel_logout_uri",
                    "must have the scheme, host and port of one of redirect_uris",
                ));
            }
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
        self.check_exchange()?;
        let types = &self.authorization_details_types;
        bounded("authorization_details_types", types, MAX_TYPES)?;
        if !types.iter().all(|name| is_type_name(name)) {
            return Err(MetadataError::new(
                "authorization_details_types",
                "must be texts of 1 to 200 visible ASCII characters",
            ));
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

fn default_scope(people: bool, offline: bool) -> Scope {
    let person = [
        scope::OPENID,
        scope::PROFILE,
        scope::EMAIL,
        scope::ADDRESS,
        scope::PHONE,
    ];
    let person = person.into_iter().filter(|_| people);
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

pub(super) fn bounded(field: &str, values: &[String], most: usize) -> Result<(), MetadataError> {
    if values.len() > most {
        return Err(MetadataError::new(
            field,
            format!("holds more than {most} values"),
        ));
    }
    distinct(field, values)
}

pub(super) fn text(field: &str, value: Option<&str>) -> Result<(), MetadataError> {
    // Marks that turn the direction of text make a name read as another.
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let sound = |text: &str| {
        !text.trim().is_empty()
            && text.len() <= 800
            && text.chars().count() <= 200
            && !text.chars().any(|c| c.is_control() || turns(c))
    };
    match value {
        Some(value) if !sound(value) => Err(MetadataError::new(
            field,
            "must be 1 to 200 characters without control characters",
        )),
        _ => Ok(()),
    }
}

pub(super) fn web_url(field: &str, value: Option<&str>) -> Result<(), MetadataError> {
    match value.map(uri::parse_web) {
        Some(Err(error)) => Err(MetadataError::new(field, error.to_string())),
        _ => Ok(()),
    }
}

mod backchannel;
mod redirects;
#[cfg(test)]
mod tests;
