//! What the provider says of itself (OpenID Connect Discovery 1.0 [§3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata),
//! [RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2), [RFC 9126 §5](https://www.rfc-editor.org/rfc/rfc9126#section-5),
//! [RFC 8628 §4](https://www.rfc-editor.org/rfc/rfc8628#section-4), [RFC 9207 §3](https://www.rfc-editor.org/rfc/rfc9207#section-3),
//! [RFC 9396 §10](https://www.rfc-editor.org/rfc/rfc9396#section-10), [RFC 9449 §5.1](https://www.rfc-editor.org/rfc/rfc9449#section-5.1),
//! [RFC 8705 §3.3, §5](https://www.rfc-editor.org/rfc/rfc8705#section-5), [RFC 9101 §10.5](https://www.rfc-editor.org/rfc/rfc9101#section-10.5),
//! JARM §4, RFC 9701 §7, OpenID Connect CIBA §4, and the three specifications of signing out), and the
//! paths at which it
//! answers.
//!
//! Every field is derived from the type that does the work, so that nothing is announced that isn't there.

use serde::Serialize;

use super::algorithm::{AssertionAlgorithm, SigningAlgorithm};
use super::backchannel_authentication::DeliveryMode;
use super::claims::claims_for_scope;
use super::client_metadata::{GrantType, ResponseType, SubjectType, TokenEndpointAuthMethod};
use super::encryption::{ContentEncryption, KeyManagementAlgorithm};
use super::fapi::SecurityProfile;
use super::pkce::CodeChallenge;
use super::prompt::Prompt;
use super::response_mode::ResponseMode;
use super::scope::{DEVICE_SSO, STANDARD_SCOPES};

/// The paths under an issuer.
pub mod paths {
    /// OpenID Connect Discovery 1.0 §4.
    pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
    /// RFC 8414 §3; it answers at the path-inserted form too.
    pub const OAUTH_AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
    /// The tenant's public keys.
    pub const JWKS: &str = "/jwks";
    /// The authorization endpoint.
    pub const AUTHORIZE: &str = "/authorize";
    /// The pushed authorization request endpoint (RFC 9126).
    pub const PAR: &str = "/par";
    /// The token endpoint.
    pub const TOKEN: &str = "/token";
    /// The device authorization endpoint (RFC 8628 §3.1).
    pub const DEVICE_AUTHORIZATION: &str = "/device_authorization";
    /// The backchannel authentication endpoint (OpenID Connect CIBA §7).
    pub const BACKCHANNEL_AUTHENTICATION: &str = "/backchannel_authentication";
    /// Where a person types the code that a device shows (RFC 8628 §3.3).
    pub const DEVICE: &str = "/device";
    /// The userinfo endpoint.
    pub const USERINFO: &str = "/userinfo";
    /// The revocation endpoint.
    pub const REVOKE: &str = "/revoke";
    /// The introspection endpoint.
    pub const INTROSPECT: &str = "/introspect";
    /// The end-session endpoint.
    pub const LOGOUT: &str = "/logout";
    /// The page that clients frame to ask whether somebody is still signed in (OpenID Connect Session Management).
    pub const CHECK_SESSION: &str = "/session/check";
    /// The client registration endpoint; a client's configuration endpoint lies below it (RFC 7591 §3, RFC 7592 §2).
    pub const REGISTER: &str = "/register";
}

/// What varies between tenants.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a capability of its own"
)]
pub struct Capabilities {
    /// Scopes of the tenant's own resources, besides the standard ones.
    pub scopes: Vec<String>,
    /// The types of authorization details that the tenant's resources know.
    pub authorization_details_types: Vec<String>,
    /// Authentication context classes that a sign-in can reach.
    pub acr_values: Vec<String>,
    /// Subject types that the tenant's clients may choose besides the public one.
    pub further_subject_types: Vec<SubjectType>,
    /// Languages of the pages.
    pub ui_locales: Vec<String>,
    /// Whether every client must push its requests.
    pub require_pushed_authorization_requests: bool,
    /// Whether clients may register themselves.
    pub dynamic_registration: bool,
    /// Whether clients' pages may ask whether somebody is still signed in.
    pub session_management: bool,
    /// Whether devices may be authorized.
    pub device_authorization: bool,
    /// Whether applications on a device may share a session.
    pub native_sso: bool,
    /// Whether people may be asked by the back channel.
    pub backchannel_authentication: bool,
    /// Whether anybody's assertions get tokens.
    pub jwt_bearer: bool,
    /// How request objects may be encrypted: by the tenant's keys that are published.
    pub request_object_encryption: Vec<KeyManagementAlgorithm>,
    /// Whether a request may be named by its address.
    pub request_uri_parameter: bool,
    /// Whether clients that register so get tokens through the browser.
    pub front_channel_tokens: bool,
    /// What is to be said of clients' certificates, where they can be shown.
    pub certificates: Option<Certificates>,
    /// What is demanded of every client.
    pub profile: SecurityProfile,
    /// The tenant's privacy policy.
    pub policy_uri: Option<String>,
    /// The tenant's terms of service.
    pub tos_uri: Option<String>,
    /// Documentation for developers.
    pub service_documentation: Option<String>,
}

/// What varies of mutual TLS.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// Whether the tenant trusts an authority.
    pub by_authority: bool,
    /// Where certificates are asked for, if that isn't at the issuer itself.
    pub alias: Option<String>,
}

/// The endpoints at which certificates are asked for ([RFC 8705 §5](https://www.rfc-editor.org/rfc/rfc8705#section-5)).
#[derive(Debug, Clone, Serialize)]
#[expect(
    missing_docs,
    reason = "each field is that of the metadata of the same name"
)]
pub struct EndpointAliases {
    pub token_endpoint: String,
    pub revocation_endpoint: String,
    pub introspection_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_authorization_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_authentication_endpoint: Option<String>,
    pub pushed_authorization_request_endpoint: String,
    pub userinfo_endpoint: String,
}

impl EndpointAliases {
    /// Below this address; devices and the back channel where they may be used.
    fn new(alias: &str, devices: bool, backchannel: bool) -> Self {
        let endpoint = |path: &str| format!("{alias}{path}");
        Self {
            token_endpoint: endpoint(paths::TOKEN),
            revocation_endpoint: endpoint(paths::REVOKE),
            introspection_endpoint: endpoint(paths::INTROSPECT),
            device_authorization_endpoint: devices.then(|| endpoint(paths::DEVICE_AUTHORIZATION)),
            backchannel_authentication_endpoint: backchannel
                .then(|| endpoint(paths::BACKCHANNEL_AUTHENTICATION)),
            pushed_authorization_request_endpoint: endpoint(paths::PAR),
            userinfo_endpoint: endpoint(paths::USERINFO),
        }
    }
}

/// The provider's metadata: one document for both specifications.
#[derive(Debug, Clone, Serialize)]
#[expect(
    missing_docs,
    reason = "each field is the specification's of the same name"
)]
#[expect(clippy::struct_excessive_bools, reason = "the specification's shape")]
pub struct ProviderMetadata {
    pub issuer: String,
    pub authorization_endpoint: String,
    pub pushed_authorization_request_endpoint: String,
    pub require_pushed_authorization_requests: bool,
    pub token_endpoint: String,
    pub userinfo_endpoint: String,
    pub jwks_uri: String,
    pub revocation_endpoint: String,
    pub introspection_endpoint: String,
    pub end_session_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_session_iframe: Option<String>,
    pub backchannel_logout_supported: bool,
    pub backchannel_logout_session_supported: bool,
    pub frontchannel_logout_supported: bool,
    pub frontchannel_logout_session_supported: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_authorization_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_authentication_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backchannel_token_delivery_modes_supported: Vec<DeliveryMode>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backchannel_authentication_request_signing_alg_values_supported: Vec<SigningAlgorithm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_user_code_parameter_supported: Option<bool>,
    pub scopes_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_details_types_supported: Vec<String>,
    pub response_types_supported: Vec<&'static str>,
    pub response_modes_supported: Vec<&'static str>,
    pub grant_types_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acr_values_supported: Vec<String>,
    pub subject_types_supported: Vec<SubjectType>,
    pub id_token_signing_alg_values_supported: Vec<SigningAlgorithm>,
    pub id_token_encryption_alg_values_supported: Vec<KeyManagementAlgorithm>,
    pub id_token_encryption_enc_values_supported: Vec<ContentEncryption>,
    pub authorization_signing_alg_values_supported: Vec<SigningAlgorithm>,
    pub authorization_encryption_alg_values_supported: Vec<KeyManagementAlgorithm>,
    pub authorization_encryption_enc_values_supported: Vec<ContentEncryption>,
    pub userinfo_signing_alg_values_supported: Vec<SigningAlgorithm>,
    pub userinfo_encryption_alg_values_supported: Vec<KeyManagementAlgorithm>,
    pub userinfo_encryption_enc_values_supported: Vec<ContentEncryption>,
    pub introspection_signing_alg_values_supported: Vec<SigningAlgorithm>,
    pub introspection_encryption_alg_values_supported: Vec<KeyManagementAlgorithm>,
    pub introspection_encryption_enc_values_supported: Vec<ContentEncryption>,
    pub token_endpoint_auth_methods_supported: Vec<&'static str>,
    pub token_endpoint_auth_signing_alg_values_supported: Vec<AssertionAlgorithm>,
    pub revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    pub revocation_endpoint_auth_signing_alg_values_supported: Vec<AssertionAlgorithm>,
    pub introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    pub introspection_endpoint_auth_signing_alg_values_supported: Vec<AssertionAlgorithm>,
    pub code_challenge_methods_supported: Vec<&'static str>,
    pub prompt_values_supported: Vec<&'static str>,
    pub claim_types_supported: Vec<&'static str>,
    pub claims_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ui_locales_supported: Vec<String>,
    pub claims_parameter_supported: bool,
    pub request_parameter_supported: bool,
    pub request_object_signing_alg_values_supported: Vec<SigningAlgorithm>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_object_encryption_alg_values_supported: Vec<KeyManagementAlgorithm>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_object_encryption_enc_values_supported: Vec<ContentEncryption>,
    pub request_uri_parameter_supported: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_request_uri_registration: bool,
    pub authorization_response_iss_parameter_supported: bool,
    pub dpop_signing_alg_values_supported: Vec<SigningAlgorithm>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_signed_request_object: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tls_client_certificate_bound_access_tokens: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtls_endpoint_aliases: Option<EndpointAliases>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub native_sso_supported: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op_policy_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op_tos_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_documentation: Option<String>,
}

impl ProviderMetadata {
    /// The metadata of one issuer, whose address has no trailing slash.
    #[expect(clippy::too_many_lines, reason = "a line for each member")]
    pub fn new(issuer: &str, capabilities: Capabilities) -> Self {
        let endpoint = |path: &str| format!("{issuer}{path}");
        let profile = capabilities.profile;
        let methods = methods(profile, capabilities.certificates.as_ref());
        let signing = profile.algorithms().to_vec();
        let algorithms: Vec<_> = AssertionAlgorithm::ALL
            .into_iter()
            .filter(|own| match own.asymmetric() {
                Some(own) => signing.contains(&own),
                None => profile.is_none(),
            })
            .collect();
        let alias = capabilities
            .certificates
            .as_ref()
            .and_then(|own| own.alias.as_deref());
        let device_authorization =
            capabilities.device_authorization && profile.allows_grant(GrantType::DeviceCode);
        let backchannel = capabilities.backchannel_authentication;
        let front_channel = capabilities.front_channel_tokens && profile.is_none();
        let native_sso = capabilities.native_sso && profile.is_none();
        Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: endpoint(paths::AUTHORIZE),
            pushed_authorization_request_endpoint: endpoint(paths::PAR),
            require_pushed_authorization_requests: capabilities
                .require_pushed_authorization_requests
                || profile.is_fapi(),
            token_endpoint: endpoint(paths::TOKEN),
            userinfo_endpoint: endpoint(paths::USERINFO),
            jwks_uri: endpoint(paths::JWKS),
            revocation_endpoint: endpoint(paths::REVOKE),
            introspection_endpoint: endpoint(paths::INTROSPECT),
            end_session_endpoint: endpoint(paths::LOGOUT),
            check_session_iframe: capabilities
                .session_management
                .then(|| endpoint(paths::CHECK_SESSION)),
            backchannel_logout_supported: true,
            backchannel_logout_session_supported: true,
            frontchannel_logout_supported: true,
            frontchannel_logout_session_supported: true,
            registration_endpoint: capabilities
                .dynamic_registration
                .then(|| endpoint(paths::REGISTER)),
            device_authorization_endpoint: device_authorization
                .then(|| endpoint(paths::DEVICE_AUTHORIZATION)),
            backchannel_authentication_endpoint: backchannel
                .then(|| endpoint(paths::BACKCHANNEL_AUTHENTICATION)),
            backchannel_token_delivery_modes_supported: DeliveryMode::ALL
                .into_iter()
                .filter(|mode| backchannel && (profile.is_none() || *mode != DeliveryMode::Push))
                .collect(),
            backchannel_authentication_request_signing_alg_values_supported: if backchannel {
                signing.clone()
            } else {
                Vec::new()
            },
            backchannel_user_code_parameter_supported: backchannel.then_some(true),
            scopes_supported: scopes(capabilities.scopes, native_sso),
            authorization_details_types_supported: capabilities.authorization_details_types,
            response_types_supported: ResponseType::ALL
                .into_iter()
                .filter(|kind| front_channel || !kind.is_front_channel())
                .map(ResponseType::as_str)
                .collect(),
            response_modes_supported: ResponseMode::ALL
                .into_iter()
                .filter(|mode| mode.is_signed() || !profile.signs_messages())
                .map(ResponseMode::as_str)
                .collect(),
            grant_types_supported: GrantType::ALL
                .into_iter()
                .filter(|grant| *grant != GrantType::DeviceCode || device_authorization)
                .filter(|grant| backchannel || *grant != GrantType::Ciba)
                .filter(|grant| capabilities.jwt_bearer || *grant != GrantType::JwtBearer)
                .filter(|grant| front_channel || *grant != GrantType::Implicit)
                .map(GrantType::as_str)
                .collect(),
            acr_values_supported: capabilities.acr_values,
            subject_types_supported: [SubjectType::Public]
                .into_iter()
                .chain(capabilities.further_subject_types)
                .collect(),
            id_token_signing_alg_values_supported: signing.clone(),
            id_token_encryption_alg_values_supported: KeyManagementAlgorithm::ALL.to_vec(),
            id_token_encryption_enc_values_supported: ContentEncryption::ALL.to_vec(),
            authorization_signing_alg_values_supported: signing.clone(),
            authorization_encryption_alg_values_supported: KeyManagementAlgorithm::ALL.to_vec(),
            authorization_encryption_enc_values_supported: ContentEncryption::ALL.to_vec(),
            userinfo_signing_alg_values_supported: signing.clone(),
            userinfo_encryption_alg_values_supported: KeyManagementAlgorithm::ALL.to_vec(),
            userinfo_encryption_enc_values_supported: ContentEncryption::ALL.to_vec(),
            introspection_signing_alg_values_supported: signing.clone(),
            introspection_encryption_alg_values_supported: KeyManagementAlgorithm::ALL.to_vec(),
            introspection_encryption_enc_values_supported: ContentEncryption::ALL.to_vec(),
            token_endpoint_auth_methods_supported: methods.clone(),
            token_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
            revocation_endpoint_auth_methods_supported: methods.clone(),
            revocation_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
            // RFC 7662 §2.1: introspection needs authorization, which a public client can't give
            introspection_endpoint_auth_methods_supported: methods
                .into_iter()
                .filter(|method| *method != "none")
                .collect(),
            introspection_endpoint_auth_signing_alg_values_supported: algorithms,
            code_challenge_methods_supported: vec![CodeChallenge::METHOD],
            prompt_values_supported: Prompt::ALL.into_iter().map(Prompt::as_str).collect(),
            claim_types_supported: vec!["normal"],
            claims_supported: claims(),
            ui_locales_supported: capabilities.ui_locales,
            claims_parameter_supported: true,
            request_parameter_supported: true,
            request_object_signing_alg_values_supported: signing.clone(),
            request_object_encryption_enc_values_supported: ContentEncryption::ALL
                .into_iter()
                .filter(|_| !capabilities.request_object_encryption.is_empty())
                .collect(),
            request_object_encryption_alg_values_supported: capabilities.request_object_encryption,
            // Discovery §3: it counts as true where it is left out. It means addresses; names of pushed requests go by RFC 9126.
            request_uri_parameter_supported: capabilities.request_uri_parameter,
            require_request_uri_registration: capabilities.request_uri_parameter,
            authorization_response_iss_parameter_supported: true,
            dpop_signing_alg_values_supported: signing,
            require_signed_request_object: profile.signs_messages(),
            tls_client_certificate_bound_access_tokens: capabilities.certificates.is_some(),
            mtls_endpoint_aliases: alias
                .map(|alias| EndpointAliases::new(alias, device_authorization, backchannel)),
            // Native SSO §5.
            native_sso_supported: native_sso,
            op_policy_uri: capabilities.policy_uri,
            op_tos_uri: capabilities.tos_uri,
            service_documentation: capabilities.service_documentation,
        }
    }
}

/// The ways to authenticate that work: those of certificates where they can be shown, and what the profile leaves of them.
fn methods(profile: SecurityProfile, certificates: Option<&Certificates>) -> Vec<&'static str> {
    let works = |method: &TokenEndpointAuthMethod| match method {
        TokenEndpointAuthMethod::TlsClientAuth => certificates.is_some_and(|own| own.by_authority),
        TokenEndpointAuthMethod::SelfSignedTlsClientAuth => certificates.is_some(),
        _ => true,
    };
    TokenEndpointAuthMethod::ALL
        .into_iter()
        .filter(|method| works(method) && profile.allows_method(*method))
        .map(TokenEndpointAuthMethod::as_str)
        .collect()
}

fn scopes(own: Vec<String>, native_sso: bool) -> Vec<String> {
    let own = own
        .into_iter()
        .filter(|scope| !STANDARD_SCOPES.contains(&scope.as_str()) && scope.as_str() != DEVICE_SSO);
    STANDARD_SCOPES
        .into_iter()
        .chain(native_sso.then_some(DEVICE_SSO))
        .map(str::to_owned)
        .chain(own)
        .collect()
}

fn claims() -> Vec<&'static str> {
    let token = [
        "sub",
        "iss",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "nonce",
        "acr",
        "amr",
        "sid",
        "tenant",
        "tenant_id",
    ];
    token
        .into_iter()
        .chain(
            STANDARD_SCOPES
                .into_iter()
                .flat_map(claims_for_scope)
                .copied(),
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_without_front_channel_tokens_announces_none() {
        let metadata =
            ProviderMetadata::new("https://id.example.com/t/acme", Capabilities::default());
        assert_eq!(metadata.response_types_supported, ["code"]);
        assert!(!metadata.grant_types_supported.contains(&"implicit"));
        // A code may come by any of them.
        assert_eq!(
            metadata.response_modes_supported.len(),
            ResponseMode::ALL.len()
        );
    }

    #[test]
    fn the_whole_document() {
        let capabilities = Capabilities {
            scopes: vec!["orders:read".into(), "openid".into()],
            ui_locales: vec!["en".into()],
            dynamic_registration: true,
            session_management: true,
            device_authorization: true,
            backchannel_authentication: true,
            request_object_encryption: KeyManagementAlgorithm::ALL.to_vec(),
            request_uri_parameter: true,
            front_channel_tokens: true,
            ..Capabilities::default()
        };
        insta::assert_json_snapshot!(ProviderMetadata::new(
            "https://id.example.com/t/acme",
            capabilities
        ));
    }
}
