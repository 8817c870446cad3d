//! Metadata as a client that registers itself sends it ([RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2), OpenID Connect Dynamic
//! Client Registration §2): the specifications' defaults instead of an administrator's, members that aren't known here ignored, and nothing taken that
//! is an administrator's to say. What a change may not widen is another question (`administered`).

use std::collections::HashSet;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::document::ClientMetadata;
use super::localized::is_localized_name;
use super::rules::MetadataError;
use crate::protocol::algorithm::SigningAlgorithm;

/// The members that are known here.
static KNOWN: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let schema = schemars::schema_for!(ClientMetadata).to_value();
    let properties = schema["properties"].as_object();
    properties
        .into_iter()
        .flat_map(Map::keys)
        .cloned()
        .collect()
});

/// Refuses members that are for administrators to set, unless they say what is so already; what is so stays.
macro_rules! keep {
    ($metadata:ident, $sent:ident, $present:ident: $($field:ident),+) => {
        $(
            if $sent.contains(stringify!($field)) && $metadata.$field != $present.$field {
                return Err(MetadataError::new(
                    stringify!($field),
                    "is for the tenant's administrators to set; leave it out",
                ));
            }
            $metadata.$field = $present.$field;
        )+
    };
}

impl ClientMetadata {
    /// Reads and validates what a client says of itself; `present` is what it is so far, where it is registered already.
    pub fn from_registration(
        mut members: Map<String, Value>,
        present: Option<&Self>,
    ) -> Result<Self, MetadataError> {
        // RFC 7592 §2.2: "Omitted fields MUST be treated as null or empty values by the server"; so `null` is the same as nothing.
        members.retain(|_, value| !value.is_null());
        // The other name that an administrator may use for it.
        if let Some(first_party) = members.remove("first_party") {
            members.entry("skip_consent").or_insert(first_party);
        }
        // RFC 7591 §2: "The authorization server MUST ignore any client metadata sent by the client that it does not understand"
        members.retain(|name, _| KNOWN.contains(name) || is_localized_name(name));
        let sent: HashSet<String> = members.keys().cloned().collect();
        // OpenID Connect Dynamic Client Registration §2: "The default, if omitted, is RS256."
        members
            .entry("id_token_signed_response_alg")
            .or_insert_with(|| SigningAlgorithm::Rs256.as_str().into());
        // A specification that knows no such member can't have its clients need PKCE; a tenant may, and public clients must anyway.
        members
            .entry("require_pkce")
            .or_insert_with(|| Value::Bool(false));
        let mut metadata = Self::from_json(Value::Object(members))?;
        let registered = present;
        let present = present.cloned().unwrap_or_default();
        keep!(metadata, sent, present: skip_consent, popup_sign_in, access_token_lifetime, refresh_token_lifetime, refresh_token_leeway, default_audience);
        // What an administrator demands of a client that is there stays demanded, whether or not a change repeats it.
        if let Some(present) = registered {
            metadata.require_pkce |= present.require_pkce;
            metadata.require_pushed_authorization_requests |=
                present.require_pushed_authorization_requests;
            metadata.require_signed_request_object |= present.require_signed_request_object;
            // Bound by either means, and by one of them.
            if !metadata.dpop_bound_access_tokens
                && !metadata.tls_client_certificate_bound_access_tokens
            {
                metadata.dpop_bound_access_tokens = present.dpop_bound_access_tokens;
                metadata.tls_client_certificate_bound_access_tokens =
                    present.tls_client_certificate_bound_access_tokens;
            }
            metadata.require_dpop_nonce |= present.require_dpop_nonce;
        }
        keep!(metadata, sent, present: token_exchange_subjects, token_exchange_targets, token_exchange_scope, token_exchange_impersonation, token_exchange_issuers, token_exchange_may_act, native_sso_group);
        // It may demand more of itself, and never less than was demanded.
        if sent.contains("security_profile") && metadata.security_profile < present.security_profile
        {
            return Err(MetadataError::new(
                "security_profile",
                "can only be lowered by the tenant's administrators; leave it out",
            ));
        }
        if metadata.security_profile < present.security_profile {
            metadata.security_profile = present.security_profile;
            metadata.security_profile.check_client(&metadata)?;
        }
        Ok(metadata)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::client_metadata::{GrantType, TokenEndpointAuthMethod};

    fn read(document: Value, present: Option<&ClientMetadata>) -> Result<ClientMetadata, String> {
        let Value::Object(members) = document else {
            panic!("an object")
        };
        ClientMetadata::from_registration(members, present).map_err(|error| error.field)
    }

    const URI: &str = "https://app.example.com/cb";

    #[test]
    fn the_defaults_are_the_specifications() {
        let metadata = read(json!({ "redirect_uris": [URI], "client_name": null }), None).unwrap();
        assert_eq!(
            metadata.id_token_signed_response_alg,
            SigningAlgorithm::Rs256
        );
        assert_eq!(metadata.grant_types, [GrantType::AuthorizationCode]);
        assert_eq!(
            metadata.token_endpoint_auth_method,
            TokenEndpointAuthMethod::ClientSecretBasic
        );
        assert!(!metadata.require_pkce && metadata.client_name.is_none());
    }

    #[test]
    fn what_is_not_known_is_ignored_and_what_is_known_is_not() {
        let metadata = read(
            json!({
                "redirect_uris": [URI], "colour": "red", "contacts#de": 1, "client_name#": "x", "client_name#de": "Anwendung",
                "require_pkce": true, "id_token_signed_response_alg": "ES256",
            }),
            None,
        )
        .unwrap();
        assert_eq!(
            metadata.localized.find("client_name", "de"),
            Some("Anwendung")
        );
        assert!(metadata.require_pkce);
        assert_eq!(
            read(json!({ "redirect_uris": [URI], "contacts": "x" }), None),
            Err("contacts".to_owned())
        );
        // Every member that is stored is one that is known.
        let stored = serde_json::to_value(&metadata).unwrap();
        for name in stored.as_object().unwrap().keys() {
            assert!(KNOWN.contains(name) || is_localized_name(name), "{name}");
        }
    }

    /// What can't be done isn't ignored where it would make something secret.
    #[test]
    fn nobody_is_left_in_the_belief_that_something_is_encrypted() {
        for name in [
            "id_token_encrypted_response_alg",
            "userinfo_encrypted_response_alg",
            "authorization_encrypted_response_alg",
            "introspection_encrypted_response_alg",
            "request_object_encryption_alg",
        ] {
            for value in ["RSA1_5", "RSA-OAEP", "dir", "A128KW", "none"] {
                let document = json!({ "redirect_uris": [URI], "jwks_uri": URI, name: value });
                assert_eq!(read(document, None), Err(name.to_owned()), "{value}");
            }
            let document = json!({ "redirect_uris": [URI], "jwks_uri": URI, name: "ECDH-ES" });
            assert!(read(document, None).is_ok(), "{name}");
            let absent = json!({ "redirect_uris": [URI], name: null });
            assert!(read(absent, None).is_ok());
        }
    }

    #[test]
    fn a_client_does_not_take_back_what_its_tokens_are_bound_by() {
        let bound = |by_key: bool, by_certificate: bool| {
            let mut present = read(json!({ "redirect_uris": [URI] }), None).unwrap();
            present.dpop_bound_access_tokens = by_key;
            present.tls_client_certificate_bound_access_tokens = by_certificate;
            move |sent: Value| {
                let mut document = json!({ "redirect_uris": [URI] });
                for (name, value) in sent.as_object().unwrap() {
                    document[name] = value.clone();
                }
                let read = read(document, Some(&present)).unwrap();
                (
                    read.dpop_bound_access_tokens,
                    read.tls_client_certificate_bound_access_tokens,
                )
            }
        };
        let (key, certificate) = (
            "dpop_bound_access_tokens",
            "tls_client_certificate_bound_access_tokens",
        );
        for said in [
            json!({}),
            json!({ key: false, certificate: false }),
            json!({ key: null, certificate: null }),
        ] {
            assert_eq!(bound(true, false)(said.clone()), (true, false), "{said}");
            assert_eq!(bound(false, true)(said.clone()), (false, true), "{said}");
            assert_eq!(bound(false, false)(said), (false, false));
        }
        // By the other means instead.
        assert_eq!(
            bound(true, false)(json!({ certificate: true })),
            (false, true)
        );
        assert_eq!(bound(false, true)(json!({ key: true })), (true, false));
    }

    #[test]
    fn what_administrators_set_is_kept_and_not_taken() {
        for (member, value) in [
            ("skip_consent", json!(true)),
            ("first_party", json!(true)),
            ("popup_sign_in", json!(true)),
            ("access_token_lifetime", json!(86_400)),
            ("refresh_token_lifetime", json!(86_400)),
            ("refresh_token_leeway", json!(60)),
            ("default_audience", json!("https://api.example.com")),
            (
                "token_exchange_subjects",
                json!(["https://api.example.com"]),
            ),
            ("token_exchange_targets", json!(["https://api.example.com"])),
            ("token_exchange_scope", json!("read")),
            ("token_exchange_impersonation", json!(true)),
            ("token_exchange_issuers", json!(["https://idp.example.com"])),
            ("token_exchange_may_act", json!("somebody")),
            ("native_sso_group", json!("acme-mobile")),
        ] {
            let field = read(json!({ "redirect_uris": [URI], member: value }), None).unwrap_err();
            assert!(
                field == member || field == "skip_consent",
                "{member}: {field}"
            );
        }
        let mut present = read(json!({ "redirect_uris": [URI] }), None).unwrap();
        present.skip_consent = true;
        present.access_token_lifetime = Some(60);
        let again = serde_json::to_value(&present).unwrap();
        assert_eq!(read(again, Some(&present)).as_ref(), Ok(&present));
        assert_eq!(
            read(json!({ "redirect_uris": [URI] }), Some(&present)).as_ref(),
            Ok(&present)
        );
        assert_eq!(
            read(
                json!({ "redirect_uris": [URI], "access_token_lifetime": 61 }),
                Some(&present)
            ),
            Err("access_token_lifetime".to_owned())
        );
    }
}
