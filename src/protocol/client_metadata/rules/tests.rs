use serde_json::{Value, json};

use super::*;
use crate::protocol::SigningAlgorithm;
use crate::protocol::client_metadata::ApplicationType;

/// A sound document with some members replaced; `null` takes one away.
fn read(members: Value) -> Result<ClientMetadata, MetadataError> {
    let mut document = json!({"redirect_uris": ["https://app.example.com/cb"]});
    for (name, value) in members.as_object().unwrap() {
        document[name] = value.clone();
    }
    ClientMetadata::from_json(document)
}

fn keys() -> Value {
    serde_json::from_str(include_str!(
        "../../../../tests/fixtures/rfc7517-public-keys.json"
    ))
    .unwrap()
}

#[test]
fn defaults() {
    let web = read(json!({})).unwrap();
    assert_eq!(
        (web.grant_types.as_slice(), web.response_types.as_slice()),
        (
            &[GrantType::AuthorizationCode][..],
            &[ResponseType::Code][..]
        )
    );
    assert_eq!(
        web.scope.as_ref().unwrap().to_string(),
        "openid profile email address phone"
    );
    assert_eq!(web.id_token_signed_response_alg, SigningAlgorithm::Es256);
    assert!(web.require_pkce && !web.skip_consent && !web.is_public());

    let offline = read(json!({"grant_types": ["authorization_code", "refresh_token"]})).unwrap();
    assert!(offline.scope.unwrap().contains(scope::OFFLINE_ACCESS));

    let machine =
        read(json!({"redirect_uris": null, "grant_types": ["client_credentials"]})).unwrap();
    assert!(machine.response_types.is_empty() && machine.scope.unwrap().is_empty());
}

#[test]
fn front_channel_clients() {
    let implicit =
        read(json!({"grant_types": ["implicit"], "response_types": ["token id_token"]})).unwrap();
    assert_eq!(implicit.response_types, [ResponseType::IdTokenToken]);
    assert!(implicit.has_people_sign_in());
    assert_eq!(
        implicit.authorization_response_algorithm(),
        SigningAlgorithm::Rs256
    );
    assert!(!implicit.scope.unwrap().contains(scope::OFFLINE_ACCESS));
    let all: Vec<_> = ResponseType::ALL.map(ResponseType::as_str).into();
    let hybrid = read(json!({
        "grant_types": ["authorization_code", "refresh_token", "implicit"], "response_types": all,
        "authorization_signed_response_alg": "PS256",
    }))
    .unwrap();
    assert_eq!(hybrid.response_types, ResponseType::ALL);
    assert_eq!(
        hybrid.authorization_response_algorithm(),
        SigningAlgorithm::Ps256
    );
    for uri in [
        "http://127.0.0.1/cb",
        "http://localhost:1/cb",
        "com.example.app:/cb",
    ] {
        read(json!({
            "application_type": "native", "redirect_uris": [uri], "grant_types": ["implicit"], "response_types": ["id_token"],
        }))
        .unwrap();
    }
}

#[test]
fn stored_metadata_reads_the_same_again() {
    let metadata = read(json!({
        "client_name": "App", "client_name#de": "Anwendung", "tos_uri#fr": "https://app.example.com/fr",
        "token_endpoint_auth_method": "private_key_jwt", "jwks": keys(), "first_party": true, "contacts": ["ops@example.com"],
        "access_token_lifetime": 60, "access_token_format": "opaque", "default_audience": "urn:api", "resources": ["urn:api"],
        "allowed_origins": ["https://spa.example.com"], "default_acr_values": ["a"], "initiate_login_uri": "https://app.example.com/login",
    }))
    .unwrap();
    assert!(metadata.skip_consent);
    assert_eq!(
        metadata.localized.find("client_name", "de-AT"),
        Some("Anwendung")
    );
    assert_eq!(metadata.localized.find("client_name", "fr"), None);
    let text = serde_json::to_string(&metadata).unwrap();
    let again: ClientMetadata = serde_json::from_str(&text).unwrap();
    assert_eq!(again, metadata);
    assert_eq!(again.validate().unwrap(), metadata);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_fault_names_its_field() {
    let many: Vec<_> = (0..101)
        .map(|n| format!("https://app.example.com/{n}"))
        .collect();
    for (members, field) in [
        (json!({"redirect_uris": null}), "redirect_uris"),
        (json!({"redirect_uris": many}), "redirect_uris"),
        (
            json!({"redirect_uris": ["http://app.example.com/"]}),
            "redirect_uris",
        ),
        (
            json!({"redirect_uris": ["https://a.example/", "https://a.example/"]}),
            "redirect_uris",
        ),
        (
            json!({"redirect_uris": "https://app.example.com/cb"}),
            "redirect_uris",
        ),
        (
            json!({"redirect_uris": ["com.example.app:/cb"]}),
            "redirect_uris",
        ),
        (
            json!({"post_logout_redirect_uris": ["javascript:x"]}),
            "post_logout_redirect_uris",
        ),
        (json!({"grant_types": []}), "grant_types"),
        (json!({"grant_types": ["password"]}), "grant_types"),
        (
            json!({"grant_types": ["authorization_code", "authorization_code"]}),
            "grant_types",
        ),
        (json!({"grant_types": ["refresh_token"]}), "grant_types"),
        (
            json!({"grant_types": ["client_credentials", "refresh_token"]}),
            "grant_types",
        ),
        (
            json!({"grant_types": ["authorization_code", "client_credentials"], "token_endpoint_auth_method": "none"}),
            "grant_types",
        ),
        (
            json!({"grant_types": ["client_credentials"], "response_types": ["code"]}),
            "response_types",
        ),
        (json!({"response_types": ["token"]}), "response_types"),
        (
            json!({"response_types": ["code", "code"]}),
            "response_types",
        ),
        (
            json!({"grant_types": ["authorization_code", "implicit"], "response_types": ["code id_token", "id_token code"]}),
            "response_types",
        ),
        // RFC 7591 §2.1: grant types and response types go together
        (json!({"response_types": ["id_token"]}), "response_types"),
        (json!({"response_types": ["code token"]}), "response_types"),
        (
            json!({"grant_types": ["implicit"], "response_types": ["code id_token"]}),
            "response_types",
        ),
        (json!({"grant_types": ["implicit"]}), "grant_types"),
        (
            json!({"grant_types": ["authorization_code", "implicit"]}),
            "grant_types",
        ),
        (
            json!({"grant_types": ["authorization_code", "implicit"], "response_types": ["id_token"]}),
            "grant_types",
        ),
        (
            json!({"grant_types": ["implicit", "refresh_token"], "response_types": ["id_token"]}),
            "grant_types",
        ),
        (
            json!({"redirect_uris": null, "grant_types": ["implicit"], "response_types": ["id_token"]}),
            "redirect_uris",
        ),
        (
            json!({"redirect_uris": ["http://127.0.0.1/cb"], "grant_types": ["implicit"], "response_types": ["id_token"]}),
            "redirect_uris",
        ),
        (
            json!({"redirect_uris": ["https://[::1]/cb"], "grant_types": ["implicit"], "response_types": ["id_token"]}),
            "redirect_uris",
        ),
        (
            json!({"redirect_uris": ["https://a.example/", "https://localhost/cb"], "grant_types": ["implicit"], "response_types": ["id_token"]}),
            "redirect_uris",
        ),
        (
            json!({"authorization_signed_response_alg": "none"}),
            "authorization_signed_response_alg",
        ),
        (
            json!({"authorization_encrypted_response_alg": "RSA-OAEP-256"}),
            "authorization_encrypted_response_alg",
        ),
        (json!({"scope": "a\"b"}), "scope"),
        (json!({"scope": ["openid"]}), "scope"),
        (
            json!({"scope": (0..101).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ")}),
            "scope",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth"}),
            "tls_client_auth_subject_dn",
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            "jwks",
        ),
        (
            json!({"jwks": keys(), "jwks_uri": "https://app.example.com/jwks"}),
            "jwks",
        ),
        (
            json!({"jwks": {"keys": [{"kty": "oct", "k": "AQAB"}]}}),
            "jwks",
        ),
        (
            json!({"jwks_uri": "http://app.example.com/jwks"}),
            "jwks_uri",
        ),
        (
            json!({"token_endpoint_auth_signing_alg": "ES256"}),
            "token_endpoint_auth_signing_alg",
        ),
        (
            json!({"token_endpoint_auth_signing_alg": "HS256"}),
            "token_endpoint_auth_signing_alg",
        ),
        (
            json!({"token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "ES256"}),
            "token_endpoint_auth_signing_alg",
        ),
        (
            json!({"token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "HS512"}),
            "token_endpoint_auth_signing_alg",
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": keys(), "token_endpoint_auth_signing_alg": "HS256"}),
            "token_endpoint_auth_signing_alg",
        ),
        (
            json!({"dpop_bound_access_tokens": "yes"}),
            "dpop_bound_access_tokens",
        ),
        (
            json!({"dpop_bound_access_tokens": true, "grant_types": ["authorization_code", "implicit"], "response_types": ["code token"]}),
            "dpop_bound_access_tokens",
        ),
        (
            json!({"id_token_signed_response_alg": "none"}),
            "id_token_signed_response_alg",
        ),
        (json!({"client_name": " "}), "client_name"),
        (json!({"client_name": "a\u{202e}b"}), "client_name"),
        (json!({"client_name#de": "\u{0}"}), "client_name#de"),
        (json!({"client_name#de": 1}), "client_name#de"),
        (json!({"contacts#de": "x"}), "contacts#de"),
        (json!({"logo_uri": "javascript:x"}), "logo_uri"),
        (json!({"policy_uri": "/policy"}), "policy_uri"),
        (json!({"contacts": ["nobody"]}), "contacts"),
        (
            json!({"initiate_login_uri": "http://localhost/login"}),
            "initiate_login_uri",
        ),
        (
            json!({"allowed_origins": ["https://spa.example.com/"]}),
            "allowed_origins",
        ),
        (json!({"allowed_origins": ["*"]}), "allowed_origins"),
        (json!({"default_audience": "api"}), "default_audience"),
        (
            json!({"resources": ["https://api.example.com/#x"]}),
            "resources",
        ),
        (json!({"access_token_lifetime": 1}), "access_token_lifetime"),
        (
            json!({"access_token_lifetime": -1}),
            "access_token_lifetime",
        ),
        (json!({"refresh_token_leeway": 61}), "refresh_token_leeway"),
        (json!({"default_acr_values": ["a b"]}), "default_acr_values"),
        (
            json!({"subject_type": "pairwise", "redirect_uris": ["https://a.example/", "https://b.example/"]}),
            "subject_type",
        ),
        (
            json!({"sector_identifier_uri": "http://app.example.com/uris.json"}),
            "sector_identifier_uri",
        ),
        (json!({"require_pkce": "yes"}), "require_pkce"),
        (
            json!({"require_signed_request_object": true}),
            "require_signed_request_object",
        ),
        (
            json!({"request_object_signing_alg": "ES256"}),
            "request_object_signing_alg",
        ),
        (
            json!({"request_object_signing_alg": "none", "jwks": keys()}),
            "request_object_signing_alg",
        ),
        (
            json!({"require_pushed_authorization_requests": 1}),
            "require_pushed_authorization_requests",
        ),
        (
            json!({"backchannel_logout_uri": "http://app.example.com/out"}),
            "backchannel_logout_uri",
        ),
        (
            json!({"backchannel_logout_uri": "https://app.example.com/out#x"}),
            "backchannel_logout_uri",
        ),
        (
            json!({"backchannel_logout_session_required": true}),
            "backchannel_logout_session_required",
        ),
        (
            json!({"frontchannel_logout_uri": "https://other.example.com/out"}),
            "frontchannel_logout_uri",
        ),
        (
            json!({"frontchannel_logout_uri": "https://app.example.com:8443/out"}),
            "frontchannel_logout_uri",
        ),
        (
            json!({"frontchannel_logout_uri": "https://app.example.com;script-src/out"}),
            "frontchannel_logout_uri",
        ),
        (
            json!({"frontchannel_logout_uri": "javascript:x"}),
            "frontchannel_logout_uri",
        ),
        (
            json!({"frontchannel_logout_session_required": true}),
            "frontchannel_logout_session_required",
        ),
        (json!({"Redirect_uris": []}), "Redirect_uris"),
    ] {
        assert_eq!(read(members.clone()).unwrap_err().field, field, "{members}");
    }
    assert_eq!(
        ClientMetadata::from_json(json!([])).unwrap_err().field,
        "(document)"
    );
}

#[test]
fn errors_have_the_registrations_codes() {
    let code = |members| OAuthError::from(read(members).unwrap_err()).code;
    assert_eq!(
        code(json!({"redirect_uris": ["x"]})),
        ErrorCode::InvalidRedirectUri
    );
    assert_eq!(
        code(json!({"logo_uri": "x"})),
        ErrorCode::InvalidClientMetadata
    );
}

#[test]
fn native_clients_and_sectors() {
    let native = read(json!({"application_type": "native", "redirect_uris": ["com.example.app:/cb"], "token_endpoint_auth_method": "none"})).unwrap();
    assert_eq!(
        (native.application_type, native.is_public(), native.sector()),
        (ApplicationType::Native, true, None)
    );
    // What stands where a host would be is nobody's, and proves nothing of who has that host.
    let lookalike = json!({"application_type": "native", "redirect_uris": ["com.example.app://a.example/cb"], "token_endpoint_auth_method": "none"});
    assert_eq!(read(lookalike.clone()).unwrap().sector(), None);
    let mut asking = lookalike;
    asking["subject_type"] = json!("pairwise");
    assert_eq!(read(asking).unwrap_err().field, "subject_type");
    let pairwise = read(json!({"subject_type": "pairwise", "redirect_uris": ["https://a.example/1", "https://a.example/2"]})).unwrap();
    assert_eq!(pairwise.sector().as_deref(), Some("a.example"));
    let sector = read(json!({"subject_type": "pairwise", "redirect_uris": ["https://a.example/1", "https://b.example/"], "sector_identifier_uri": "https://c.example/uris.json"})).unwrap();
    assert_eq!(sector.sector().as_deref(), Some("c.example"));
}

#[test]
fn what_is_encrypted_needs_a_key_and_a_way() {
    let ec = keys();
    for name in [
        "id_token_encrypted_response",
        "userinfo_encrypted_response",
        "authorization_encrypted_response",
        "introspection_encrypted_response",
        "request_object_encryption",
    ] {
        let (alg, enc) = (format!("{name}_alg"), format!("{name}_enc"));
        let with = |more: Value| {
            let mut members = json!({ "jwks_uri": "https://app.example.com/jwks" });
            for (name, value) in more.as_object().unwrap() {
                members[name] = value.clone();
            }
            read(members).map_err(|error| error.field)
        };
        assert!(with(json!({ &alg: "ECDH-ES" })).is_ok());
        assert!(with(json!({ &alg: "RSA-OAEP-256", &enc: "A256GCM" })).is_ok());
        for (more, field) in [
            (json!({ &enc: "A128GCM" }), &enc),
            (json!({ &alg: "ECDH-ES", "jwks_uri": null }), &alg),
            (json!({ &alg: "RSA1_5" }), &alg),
            (json!({ &alg: "RSA-OAEP" }), &alg),
            (json!({ &alg: "dir" }), &alg),
            (json!({ &alg: "A128KW" }), &alg),
            (json!({ &alg: "ECDH-ES", &enc: "A128CTR" }), &enc),
            (json!({ &alg: "ECDH-ES", &enc: "none" }), &enc),
        ] {
            assert_eq!(with(more.clone()).as_ref(), Err(field), "{more}");
        }
        // Of keys that are there it is known what they are for; request objects are encrypted to one of ours.
        let mut signing = ec.clone();
        for key in signing["keys"].as_array_mut().unwrap() {
            key["use"] = "sig".into();
        }
        let ours = name == "request_object_encryption";
        let own = with(json!({ "jwks_uri": null, "jwks": signing, &alg: "ECDH-ES" }));
        assert_eq!(own.is_ok(), ours, "{name}");
        let own = with(json!({ "jwks_uri": null, "jwks": ec, &alg: "ECDH-ES" }));
        assert!(own.is_ok() || ours, "{own:?}");
    }
}

#[test]
fn of_several_addresses_the_wrong_one_is_named() {
    let reason = |field: &str, uris: Value| read(json!({ field: uris })).unwrap_err().reason;
    let (sound, wrong) = ("https://app.example.com/cb", "localhost:3000/cb");
    let told = "the redirect URI must begin with http:// or https://";
    for field in ["redirect_uris", "post_logout_redirect_uris"] {
        assert_eq!(reason(field, json!([wrong])), told);
        let both = reason(field, json!([sound, wrong]));
        assert_eq!(both, format!("`{wrong}`: {told}"));
        let long = format!("http://{}/", "a".repeat(200));
        let shortened = reason(field, json!([sound, long]));
        assert!(
            shortened.starts_with("`http://aaa") && shortened.contains("...`: "),
            "{shortened}"
        );
        assert!(shortened.len() < 300);
    }
}

#[test]
fn addresses_of_request_objects() {
    let with = |uris: Value| {
        read(json!({ "jwks_uri": "https://app.example.com/jwks", "request_uris": uris }))
            .map_err(|error| error.field)
    };
    let hash = "GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM";
    let sound = format!("https://app.example.com/request#{hash}");
    let marked = "https://app.example.com/request#section";
    assert!(with(json!(["https://app.example.com/request", sound, marked])).is_ok());
    let many: Vec<_> = (0..101)
        .map(|n| format!("https://app.example.com/{n}"))
        .collect();
    for wrong in [
        json!(["http://app.example.com/request"]),
        json!(["urn:ietf:params:oauth:request_uri:x"]),
        json!(["javascript:alert(1)"]),
        json!(["https://app.example.com/request#a section"]),
        json!(["https://app.example.com/a", "https://app.example.com/a"]),
        json!("https://app.example.com/request"),
        json!(many),
    ] {
        assert_eq!(
            with(wrong.clone()),
            Err("request_uris".to_owned()),
            "{wrong}"
        );
    }
    let unsigned = read(json!({ "request_uris": ["https://app.example.com/request"] }));
    assert_eq!(unsigned.unwrap_err().field, "request_uris");
}
