//! The document: its fields, their defaults, and what follows from them.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kinds::{
    AccessTokenFormat, ApplicationType, GrantType, ResponseType, SubjectType,
    TokenEndpointAuthMethod,
};
use super::localized::Localized;
use super::rules::MetadataError;
use crate::protocol::algorithm::{AssertionAlgorithm, SigningAlgorithm};
use crate::protocol::backchannel_authentication::DeliveryMode;
use crate::protocol::encryption::{ContentEncryption, Encryption, KeyManagementAlgorithm};
use crate::protocol::fapi::SecurityProfile;
use crate::protocol::introspection;
use crate::protocol::jarm;
use crate::protocol::redirect_uri::{PostLogoutRedirectUri, RedirectUri, RedirectUriError};
use crate::protocol::scope::Scope;
use crate::protocol::uri;

/// A client's metadata. After [`ClientMetadata::validate`] every rule between the fields holds and the defaults are filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the specifications' shape")]
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
    /// The response types it may use; `code` unless told, where it may use `authorization_code`.
    pub response_types: Vec<ResponseType>,
    /// The scopes it may ask for; after validation always there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub scope: Option<Scope>,
    /// How it proves who it is.
    pub token_endpoint_auth_method: TokenEndpointAuthMethod,
    /// The only algorithm of its assertions; any supported one unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<AssertionAlgorithm>,
    /// Its public keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where its public keys are found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The subject of its certificate (RFC 8705 §2.1.2), as RFC 4514 writes it. Of this member and the next four, `tls_client_auth` needs exactly one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_subject_dn: Option<String>,
    /// A host name among its certificate's alternative names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_dns: Option<String>,
    /// A URI among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_uri: Option<String>,
    /// An IP address among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_ip: Option<String>,
    /// An e-mail address among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_email: Option<String>,
    /// Whether its access tokens are bound to the certificate that it shows at the token endpoint, where it must show one (RFC 8705 §3.4).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// What is demanded of it beyond the specifications themselves (FAPI 2.0); at least what its tenant demands.
    #[serde(skip_serializing_if = "SecurityProfile::is_none")]
    pub security_profile: SecurityProfile,
    /// The algorithm of its ID tokens.
    pub id_token_signed_response_alg: SigningAlgorithm,
    /// How its ID tokens and logout tokens are encrypted to its keys, once signed; not at all unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token_encrypted_response_alg: Option<KeyManagementAlgorithm>,
    /// How the content of these is encrypted; A128CBC-HS256 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token_encrypted_response_enc: Option<ContentEncryption>,
    /// The algorithm of its signed authorization responses (JARM §3); RS256 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_signed_response_alg: Option<SigningAlgorithm>,
    /// How its signed authorization responses are encrypted to its keys (JARM §3); not at all unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_encrypted_response_alg: Option<KeyManagementAlgorithm>,
    /// How the content of these is encrypted; A128CBC-HS256 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_encrypted_response_enc: Option<ContentEncryption>,
    /// The algorithm of what the userinfo endpoint answers about its people; plain JSON unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<SigningAlgorithm>,
    /// How what the userinfo endpoint answers about its people is encrypted to its keys, signed or not; not at all unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_encrypted_response_alg: Option<KeyManagementAlgorithm>,
    /// How the content of these is encrypted; A128CBC-HS256 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_encrypted_response_enc: Option<ContentEncryption>,
    /// The algorithm of the introspection endpoint's answers to it, where it asks for signed ones (RFC 9701 §6); RS256 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection_signed_response_alg: Option<SigningAlgorithm>,
    /// How the introspection endpoint's signed answers are encrypted to its keys (RFC 9701 §6); not at all unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection_encrypted_response_alg: Option<KeyManagementAlgorithm>,
    /// How the content of these is encrypted; A128CBC-HS256 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection_encrypted_response_enc: Option<ContentEncryption>,
    /// The form of its access tokens.
    pub access_token_format: AccessTokenFormat,
    /// The algorithm of its access tokens, where they are JWTs.
    pub access_token_signed_response_alg: SigningAlgorithm,
    /// The audience of access tokens where a request names no resource; the issuer unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_audience: Option<String>,
    /// The only resources it may name (RFC 8707); any of the tenant's unless told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The types of authorization details that it may ask for (RFC 9396 §10).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_details_types: Vec<String>,
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
    /// A JSON array of redirect URIs; clients that name the same one, or one at the same host, see a person under the same pairwise subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<String>,
    /// Origins that may call the endpoints from a browser, besides those of the redirect URIs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_origins: Vec<String>,
    /// Where it is told by the server itself that a session has ended (OpenID Connect Back-Channel Logout §2.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Whether it needs `sid` in that; it is there in any case.
    pub backchannel_logout_session_required: bool,
    /// The page of it that is loaded in a frame when a person signs out (OpenID Connect Front-Channel Logout §2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<String>,
    /// Whether it needs `iss` and `sid` in that.
    pub frontchannel_logout_session_required: bool,
    /// How it gets the tokens of people whom it asks by the back channel (OpenID Connect CIBA §4); needed by that grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_token_delivery_mode: Option<DeliveryMode>,
    /// Where it is told by the modes `ping` and `push`; https.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_client_notification_endpoint: Option<String>,
    /// The algorithm of its signed requests by the back channel, which all of them have to be then; none of them may be unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_authentication_request_signing_alg: Option<SigningAlgorithm>,
    /// Whether it sends the code that a person has set for requests to them (`user_code`), where they have one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub backchannel_user_code_parameter: bool,
    /// Whether an authorization request must carry a code challenge. Public clients must anyway.
    pub require_pkce: bool,
    /// Whether it must push its authorization requests (RFC 9126 §6).
    pub require_pushed_authorization_requests: bool,
    /// Whether its authorization requests must come as signed request objects (RFC 9101 §10.5).
    pub require_signed_request_object: bool,
    /// The only algorithm of its request objects; any supported one unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_object_signing_alg: Option<SigningAlgorithm>,
    /// How its request objects must be encrypted to the tenant's key; as it likes unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_object_encryption_alg: Option<KeyManagementAlgorithm>,
    /// How the content of these must be encrypted; A128CBC-HS256 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_object_encryption_enc: Option<ContentEncryption>,
    /// The addresses of request objects that it may name instead of sending them (OpenID Connect Core §6.2); a fragment is the hash of the
    /// object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_uris: Vec<String>,
    /// Whether it must prove possession of a key, to which its tokens are bound, at each token request (RFC 9449 §5.2).
    pub dpop_bound_access_tokens: bool,
    /// Whether its proofs must carry a nonce of the server's (RFC 9449 §8, §9).
    pub require_dpop_nonce: bool,
    /// Life of its access tokens in seconds; the tenant's setting unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token_lifetime: Option<u32>,
    /// Life of its refresh tokens in seconds; the tenant's setting unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token_lifetime: Option<u32>,
    /// For how many seconds a rotated refresh token yields its successor again, for an answer that was lost.
    pub refresh_token_leeway: u32,
    /// Whose tokens it may exchange besides those that were issued to it or for it (RFC 8693): audiences that it answers to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_exchange_subjects: Vec<String>,
    /// What it may exchange tokens for: identifiers of resources and of clients.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_exchange_targets: Vec<String>,
    /// The scopes that an exchanged token may have beyond those of the token that was exchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub token_exchange_scope: Option<Scope>,
    /// Whether an exchanged token may leave out who acts with it (impersonation, RFC 8693 §1.1).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub token_exchange_impersonation: bool,
    /// The trusted issuers, among the tenant's `assertion_issuers`, whose JWTs it may exchange; none unless told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_exchange_issuers: Vec<String>,
    /// The only party that may act on people's behalf by its access tokens (RFC 8693 §4.4), a `client_id` or a person's `sub`; `may_act` of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_exchange_may_act: Option<String>,
    /// The group of applications, of one vendor, that share a person's session on a device (OpenID Connect Native SSO); in none unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_sso_group: Option<String>,
    /// Whether people are not asked for consent: for the tenant's own applications.
    #[serde(alias = "first_party")]
    pub skip_consent: bool,
    /// Whether a window in which it has people sign in (`display=popup`) or out stays connected with the page that opened it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub popup_sign_in: bool,
    /// An identifier of the software, the same for all its instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// The software's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// Values in further languages, such as `client_name#de` (RFC 7591 §2.2).
    #[serde(flatten)]
    #[schemars(skip)]
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
            tls_client_auth_subject_dn: None,
            tls_client_auth_san_dns: None,
            tls_client_auth_san_uri: None,
            tls_client_auth_san_ip: None,
            tls_client_auth_san_email: None,
            tls_client_certificate_bound_access_tokens: false,
            security_profile: SecurityProfile::None,
            id_token_signed_response_alg: SigningAlgorithm::Es256,
            id_token_encrypted_response_alg: None,
            id_token_encrypted_response_enc: None,
            authorization_signed_response_alg: None,
            authorization_encrypted_response_alg: None,
            authorization_encrypted_response_enc: None,
            userinfo_signed_response_alg: None,
            userinfo_encrypted_response_alg: None,
            userinfo_encrypted_response_enc: None,
            introspection_signed_response_alg: None,
            introspection_encrypted_response_alg: None,
            introspection_encrypted_response_enc: None,
            access_token_format: AccessTokenFormat::default(),
            access_token_signed_response_alg: SigningAlgorithm::Es256,
            default_audience: None,
            resources: Vec::new(),
            authorization_details_types: Vec::new(),
            default_max_age: None,
            require_auth_time: false,
            default_acr_values: Vec::new(),
            initiate_login_uri: None,
            application_type: ApplicationType::default(),
            subject_type: SubjectType::default(),
            sector_identifier_uri: None,
            allowed_origins: Vec::new(),
            backchannel_logout_uri: None,
            backchannel_logout_session_required: false,
            frontchannel_logout_uri: None,
            frontchannel_logout_session_required: false,
            backchannel_token_delivery_mode: None,
            backchannel_client_notification_endpoint: None,
            backchannel_authentication_request_signing_alg: None,
            backchannel_user_code_parameter: false,
            require_pkce: true,
            require_pushed_authorization_requests: false,
            require_signed_request_object: false,
            request_object_signing_alg: None,
            request_object_encryption_alg: None,
            request_object_encryption_enc: None,
            request_uris: Vec::new(),
            dpop_bound_access_tokens: false,
            require_dpop_nonce: false,
            access_token_lifetime: None,
            refresh_token_lifetime: None,
            refresh_token_leeway: 0,
            token_exchange_subjects: Vec::new(),
            token_exchange_targets: Vec::new(),
            token_exchange_scope: None,
            token_exchange_impersonation: false,
            token_exchange_issuers: Vec::new(),
            token_exchange_may_act: None,
            native_sso_group: None,
            skip_consent: false,
            popup_sign_in: false,
            software_id: None,
            software_version: None,
            localized: Localized::default(),
        }
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

    /// Whether the client can't keep a secret.
    pub fn is_public(&self) -> bool {
        self.token_endpoint_auth_method == TokenEndpointAuthMethod::None
    }

    /// Whether it may use this grant.
    pub fn allows_grant(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whether it gets tokens that speak for people, by the browser, by a device, by the back channel or by another application on theirs.
    pub fn has_people(&self) -> bool {
        self.has_people_sign_in()
            || self.allows_grant(GrantType::DeviceCode)
            || self.allows_grant(GrantType::Ciba)
            || self.joins_sessions()
    }

    /// Whether it may sign people in by a session that another application of its group shares with it (OpenID Connect Native SSO).
    pub fn joins_sessions(&self) -> bool {
        self.native_sso_group.is_some() && self.allows_grant(GrantType::TokenExchange)
    }

    /// Whether it sends people to the authorization endpoint.
    pub fn has_people_sign_in(&self) -> bool {
        self.allows_grant(GrantType::AuthorizationCode) || self.allows_grant(GrantType::Implicit)
    }

    /// Whether it gets tokens that speak for people and don't come by way of a redirect URI.
    pub fn has_people_elsewhere(&self) -> bool {
        [
            GrantType::DeviceCode,
            GrantType::Ciba,
            GrantType::TokenExchange,
            GrantType::JwtBearer,
        ]
        .iter()
        .any(|grant| self.allows_grant(*grant))
    }

    /// What has to stand in the array of its `sector_identifier_uri` where redirect URIs prove nothing (OpenID Connect CIBA §4): where the keys are
    /// published that it authenticates by, or where its tokens are pushed, if that is the only way in which it gets them.
    pub fn sector_proof(&self) -> Option<&str> {
        let by_keys = matches!(
            self.token_endpoint_auth_method,
            TokenEndpointAuthMethod::PrivateKeyJwt
                | TokenEndpointAuthMethod::SelfSignedTlsClientAuth
        );
        if by_keys && self.jwks_uri.is_some() {
            return self.jwks_uri.as_deref();
        }
        let is_pushed = self.backchannel_token_delivery_mode == Some(DeliveryMode::Push)
            && self
                .grant_types
                .iter()
                .all(|grant| matches!(grant, GrantType::Ciba | GrantType::RefreshToken));
        self.backchannel_client_notification_endpoint
            .as_deref()
            .filter(|_| is_pushed)
    }

    /// What its signed authorization responses are signed by.
    pub fn authorization_response_algorithm(&self) -> SigningAlgorithm {
        self.authorization_signed_response_alg
            .unwrap_or(jarm::DEFAULT_ALGORITHM)
    }

    /// What the introspection endpoint's signed answers to it are signed by.
    pub fn introspection_algorithm(&self) -> SigningAlgorithm {
        self.introspection_signed_response_alg
            .unwrap_or(introspection::DEFAULT_ALGORITHM)
    }

    /// How its ID tokens are encrypted, if they are.
    pub fn id_token_encryption(&self) -> Option<Encryption> {
        Encryption::of(
            self.id_token_encrypted_response_alg,
            self.id_token_encrypted_response_enc,
        )
    }

    /// How its authorization responses are encrypted, if they are.
    pub fn authorization_response_encryption(&self) -> Option<Encryption> {
        Encryption::of(
            self.authorization_encrypted_response_alg,
            self.authorization_encrypted_response_enc,
        )
    }

    /// How what the userinfo endpoint answers is encrypted, if it is.
    pub fn userinfo_encryption(&self) -> Option<Encryption> {
        Encryption::of(
            self.userinfo_encrypted_response_alg,
            self.userinfo_encrypted_response_enc,
        )
    }

    /// How the introspection endpoint's signed answers are encrypted, if they are.
    pub fn introspection_encryption(&self) -> Option<Encryption> {
        Encryption::of(
            self.introspection_encrypted_response_alg,
            self.introspection_encrypted_response_enc,
        )
    }

    /// How its request objects must be encrypted, if they must be.
    pub fn request_object_encryption(&self) -> Option<Encryption> {
        Encryption::of(
            self.request_object_encryption_alg,
            self.request_object_encryption_enc,
        )
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

    /// The host that pairwise subjects are made for (OpenID Connect Core §8.1): that of the `sector_identifier_uri`, else the one that all
    /// redirect URIs share.
    pub fn sector(&self) -> Option<String> {
        if let Some(uri) = &self.sector_identifier_uri {
            return Some(uri::parse_web(uri).ok()?.host_str()?.to_owned());
        }
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
}
