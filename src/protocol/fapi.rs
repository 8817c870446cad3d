//! FAPI 2.0 ([Security Profile](https://openid.net/specs/fapi-security-profile-2_0-final.html),
//! [Message Signing](https://openid.net/specs/fapi-message-signing-2_0-final.html)) as a switch of a client or a tenant: what a client has to be.
//! What its requests have to be is refused where requests are checked.
//!
//! Nothing is set right in silence: a client whose registration is at odds with its profile is told which member to change, when it is
//! registered and, where its tenant has chosen the profile since, at each request. Devices are left out, as what binds an authorization request
//! to the browser that began it (PAR, PKCE) has no equal there. The back channel is there with the rules of
//! [FAPI-CIBA](https://openid.net/specs/openid-financial-api-ciba.html) that fit the profile: poll or ping, something to compare, and signed requests
//! where messages have to be signed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::algorithm::SigningAlgorithm;
use super::backchannel_authentication::DeliveryMode;
use super::client_metadata::{
    AccessTokenFormat, ApplicationType, ClientMetadata, GrantType, MetadataError, ResponseType,
    TokenEndpointAuthMethod,
};

/// What signs and is accepted under a profile (Security Profile §5.4.1).
pub const ALGORITHMS: [SigningAlgorithm; 4] = [
    SigningAlgorithm::Es256,
    SigningAlgorithm::Ps256,
    SigningAlgorithm::EdDsa,
    SigningAlgorithm::Ed25519,
];

/// How clients authenticate under a profile (Security Profile §5.3.2.1).
pub const METHODS: [TokenEndpointAuthMethod; 3] = [
    TokenEndpointAuthMethod::PrivateKeyJwt,
    TokenEndpointAuthMethod::TlsClientAuth,
    TokenEndpointAuthMethod::SelfSignedTlsClientAuth,
];

/// What is demanded beyond the specifications themselves; each level includes those before it.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProfile {
    /// Nothing.
    #[default]
    None,
    /// FAPI 2.0 Security Profile.
    Fapi2Security,
    /// FAPI 2.0 Message Signing: signed requests, answers and introspection.
    Fapi2MessageSigning,
}

impl SecurityProfile {
    /// Every level, the loosest first.
    pub const ALL: [Self; 3] = [Self::None, Self::Fapi2Security, Self::Fapi2MessageSigning];

    /// The name in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Fapi2Security => "fapi2_security",
            Self::Fapi2MessageSigning => "fapi2_message_signing",
        }
    }

    /// Whether nothing is demanded.
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether anything is demanded.
    pub const fn is_fapi(self) -> bool {
        !self.is_none()
    }

    /// Whether requests, answers and introspection have to be signed.
    pub const fn signs_messages(self) -> bool {
        matches!(self, Self::Fapi2MessageSigning)
    }

    /// The algorithms that are accepted and used.
    pub const fn algorithms(self) -> &'static [SigningAlgorithm] {
        match self {
            Self::None => &SigningAlgorithm::ALL,
            _ => &ALGORITHMS,
        }
    }

    /// Whether a client may authenticate by this method.
    pub fn allows_method(self, method: TokenEndpointAuthMethod) -> bool {
        self.is_none() || METHODS.contains(&method)
    }

    /// Whether a client may use this grant.
    pub const fn allows_grant(self, grant: GrantType) -> bool {
        self.is_none() || !matches!(grant, GrantType::Implicit | GrantType::DeviceCode)
    }

    /// Whether a client may use this response type.
    pub const fn allows_response_type(self, kind: ResponseType) -> bool {
        self.is_none() || matches!(kind, ResponseType::Code)
    }

    /// Whether a client is as the profile demands; what isn't is named.
    pub fn check_client(self, client: &ClientMetadata) -> Result<(), MetadataError> {
        if self.is_none() {
            return Ok(());
        }
        let refuse = |field: &str, reason: &str| {
            Err(MetadataError::new(
                field,
                format!("{reason} under the security profile {}", self.as_str()),
            ))
        };
        // §5.3.2.1: every token is bound to its sender. A device secret is good for whoever has it.
        if client.native_sso_group.is_some() {
            return refuse(
                "native_sso_group",
                "a device secret, which is bound to no key, signs nobody in",
            );
        }
        if !self.allows_method(client.token_endpoint_auth_method) {
            return refuse(
                "token_endpoint_auth_method",
                "must be private_key_jwt, tls_client_auth or self_signed_tls_client_auth",
            );
        }
        if !client
            .grant_types
            .iter()
            .all(|grant| self.allows_grant(*grant))
        {
            return refuse(
                "grant_types",
                "must not name implicit or the device_code grant",
            );
        }
        if !client
            .response_types
            .iter()
            .all(|kind| self.allows_response_type(*kind))
        {
            return refuse("response_types", "must be code alone");
        }
        // Security Profile §5.3.2.2
        let is_plain = |uri: &String| uri.starts_with("http:");
        if client.application_type != ApplicationType::Native
            && client.redirect_uris.iter().any(is_plain)
        {
            return refuse(
                "redirect_uris",
                "must use https; http on the loopback is for application_type native",
            );
        }
        // FAPI-CIBA §5.2.2
        if client.backchannel_token_delivery_mode == Some(DeliveryMode::Push) {
            return refuse("backchannel_token_delivery_mode", "must be poll or ping");
        }
        if self.signs_messages()
            && client.allows_grant(GrantType::Ciba)
            && client
                .backchannel_authentication_request_signing_alg
                .is_none()
        {
            return refuse(
                "backchannel_authentication_request_signing_alg",
                "must be PS256, ES256 or EdDSA",
            );
        }
        if let Some(field) = self.misfit(client) {
            return refuse(field, "must be PS256, ES256, EdDSA or Ed25519");
        }
        Ok(())
    }

    /// A member that names an algorithm which isn't allowed, or leaves one to be used.
    fn misfit(self, client: &ClientMetadata) -> Option<&'static str> {
        let assertion = client
            .token_endpoint_auth_signing_alg
            .and_then(|own| own.asymmetric());
        let is_jwt = client.access_token_format == AccessTokenFormat::Jwt;
        let people = client.has_people();
        // Where answers have to be signed, what is registered nowhere is the default, and that is RS256.
        let answers = self.signs_messages() && client.has_people_sign_in();
        let used = [
            ("token_endpoint_auth_signing_alg", assertion),
            (
                "request_object_signing_alg",
                client.request_object_signing_alg,
            ),
            (
                "backchannel_authentication_request_signing_alg",
                client.backchannel_authentication_request_signing_alg,
            ),
            (
                "id_token_signed_response_alg",
                people.then_some(client.id_token_signed_response_alg),
            ),
            (
                "access_token_signed_response_alg",
                is_jwt.then_some(client.access_token_signed_response_alg),
            ),
            (
                "userinfo_signed_response_alg",
                client.userinfo_signed_response_alg,
            ),
            (
                "authorization_signed_response_alg",
                answers
                    .then(|| client.authorization_response_algorithm())
                    .or(client.authorization_signed_response_alg),
            ),
            (
                "introspection_signed_response_alg",
                self.signs_messages()
                    .then(|| client.introspection_algorithm())
                    .or(client.introspection_signed_response_alg),
            ),
        ];
        used.into_iter()
            .find(|(_, algorithm)| algorithm.is_some_and(|own| !ALGORITHMS.contains(&own)))
            .map(|(field, _)| field)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn client(more: Value) -> ClientMetadata {
        let mut document = json!({
            "grant_types": ["authorization_code", "refresh_token"], "redirect_uris": ["https://app.example.com/cb"],
            "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example.com/jwks",
        });
        for (name, value) in more.as_object().unwrap() {
            document[name] = value.clone();
        }
        ClientMetadata::from_json(document).unwrap()
    }

    fn field(profile: SecurityProfile, more: Value) -> Option<String> {
        profile
            .check_client(&client(more))
            .err()
            .map(|error| error.field)
    }

    #[test]
    fn each_rule_names_its_member() {
        use SecurityProfile::{Fapi2MessageSigning, Fapi2Security, None};
        for (member, document) in [
            (
                "token_endpoint_auth_method",
                json!({ "token_endpoint_auth_method": "client_secret_basic" }),
            ),
            (
                "token_endpoint_auth_method",
                json!({ "token_endpoint_auth_method": "none" }),
            ),
            (
                "token_endpoint_auth_method",
                json!({ "token_endpoint_auth_method": "client_secret_jwt" }),
            ),
            (
                "grant_types",
                json!({ "grant_types": ["authorization_code", "implicit"], "response_types": ["code", "code id_token"] }),
            ),
            (
                "grant_types",
                json!({ "grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"] }),
            ),
            (
                "redirect_uris",
                json!({ "redirect_uris": ["http://localhost/cb"] }),
            ),
            (
                "token_endpoint_auth_signing_alg",
                json!({ "token_endpoint_auth_signing_alg": "RS256" }),
            ),
            (
                "request_object_signing_alg",
                json!({ "request_object_signing_alg": "RS256" }),
            ),
            (
                "id_token_signed_response_alg",
                json!({ "id_token_signed_response_alg": "RS256" }),
            ),
            (
                "access_token_signed_response_alg",
                json!({ "access_token_signed_response_alg": "RS256" }),
            ),
            (
                "userinfo_signed_response_alg",
                json!({ "userinfo_signed_response_alg": "RS256" }),
            ),
            (
                "authorization_signed_response_alg",
                json!({ "authorization_signed_response_alg": "RS256" }),
            ),
            (
                "introspection_signed_response_alg",
                json!({ "introspection_signed_response_alg": "RS256" }),
            ),
        ] {
            assert_eq!(
                field(Fapi2Security, document.clone()).as_deref(),
                Some(member)
            );
            let mut signing = json!({ "authorization_signed_response_alg": "PS256", "introspection_signed_response_alg": "PS256" });
            for (name, value) in document.as_object().unwrap() {
                signing[name] = value.clone();
            }
            assert_eq!(field(Fapi2MessageSigning, signing).as_deref(), Some(member));
            assert_eq!(field(None, document), Option::None);
        }
        assert_eq!(field(Fapi2Security, json!({})), Option::None);
        let native =
            json!({ "redirect_uris": ["http://127.0.0.1/cb"], "application_type": "native" });
        assert_eq!(field(Fapi2Security, native), Option::None);
        // Answers that have to be signed are signed by what is registered.
        assert_eq!(
            field(Fapi2MessageSigning, json!({})).as_deref(),
            Some("authorization_signed_response_alg")
        );
        let signed = json!({ "authorization_signed_response_alg": "PS256", "introspection_signed_response_alg": "EdDSA" });
        assert_eq!(field(Fapi2MessageSigning, signed), Option::None);
    }

    #[test]
    fn names_are_those_of_documents() {
        for profile in SecurityProfile::ALL {
            assert_eq!(serde_json::to_value(profile).unwrap(), profile.as_str());
        }
        assert!(SecurityProfile::Fapi2MessageSigning > SecurityProfile::Fapi2Security);
    }
}
