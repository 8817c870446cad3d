//! Documents about clients, and patches of documents.

use serde_json::{Value, json};
use tessera::http::api::json::{read, read_value};
use tessera::protocol::client_metadata::{ClientMetadata, GrantType};
use tessera::protocol::{ErrorCode, OAuthError, merge_patch};
use url::Url;

use super::text::{check_error, choice, lines, text};

/// Client metadata (RFC 7591 §2): what is accepted is written and accepted again as the same.
pub fn client_metadata(data: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    registration(&document);
    let metadata = match ClientMetadata::from_json(document) {
        Ok(metadata) => metadata,
        Err(error) => {
            assert!(error.field.chars().count() <= 64);
            check_error(
                &OAuthError::from(error),
                &[
                    ErrorCode::InvalidClientMetadata,
                    ErrorCode::InvalidRedirectUri,
                ],
            );
            return;
        }
    };
    sound(&metadata);
    let written = serde_json::to_value(&metadata).expect("JSON");
    let again = ClientMetadata::from_json(written.clone())
        .unwrap_or_else(|error| panic!("{error}, read again: {written}"));
    assert_eq!(again, metadata);
    assert_eq!(metadata.clone().validate().as_ref(), Ok(&metadata));
}

/// The same as a client says it of itself: it gets nothing that is administrators' to give, and may say again what it was told.
fn registration(document: &Value) {
    let Value::Object(members) = document else {
        return;
    };
    let Ok(metadata) = ClientMetadata::from_registration(members.clone(), None) else {
        return;
    };
    sound(&metadata);
    assert!(!metadata.skip_consent && metadata.default_audience.is_none());
    assert!(metadata.access_token_lifetime.is_none() && metadata.refresh_token_leeway == 0);
    let Ok(Value::Object(told)) = serde_json::to_value(&metadata) else {
        panic!("no object")
    };
    let again = ClientMetadata::from_registration(told, Some(&metadata));
    assert_eq!(again.as_ref(), Ok(&metadata));
}

/// The rules between the fields.
fn sound(metadata: &ClientMetadata) {
    assert!(metadata.scope.is_some() && !metadata.grant_types.is_empty());
    for grant in [GrantType::AuthorizationCode, GrantType::Implicit] {
        let needed = metadata
            .response_types
            .iter()
            .any(|own| own.grant_types().contains(&grant));
        assert_eq!(metadata.allows_grant(grant), needed);
    }
    assert!(metadata.response_types.is_empty() || !metadata.redirect_uris.is_empty());
    assert!(!(metadata.is_public() && metadata.allows_grant(GrantType::ClientCredentials)));
    assert!(metadata.jwks.is_none() || metadata.jwks_uri.is_none());
    let uris = metadata.parse_redirect_uris().expect("checked");
    assert!(
        uris.iter()
            .zip(&metadata.redirect_uris)
            .all(|(uri, text)| uri.as_str() == text)
    );
    assert!(metadata.parse_post_logout_redirect_uris().is_ok());
    for address in [
        &metadata.client_uri,
        &metadata.logo_uri,
        &metadata.policy_uri,
        &metadata.tos_uri,
        &metadata.jwks_uri,
        &metadata.sector_identifier_uri,
        &metadata.backchannel_logout_uri,
        &metadata.frontchannel_logout_uri,
    ]
    .into_iter()
    .flatten()
    {
        let url = Url::parse(address).expect("an address");
        assert!(matches!(url.scheme(), "https" | "http"), "{address}");
        // It may stand in a Content-Security-Policy.
        let host = url.host_str().expect("a host");
        assert!(!host.contains([' ', ';', ',', '\'', '"']), "{address}");
    }
    // What is framed when somebody signs out lies where the client's people are sent back to.
    if let Some(front) = &metadata.frontchannel_logout_uri {
        let origin = Url::parse(front).map(|url| url.origin().ascii_serialization());
        let origin = origin.expect("an address");
        assert!(
            uris.iter()
                .any(|uri| uri.origin().as_deref() == Some(&origin)),
            "{front}"
        );
    }
    let name = metadata.client_name.as_deref().unwrap_or("a name");
    assert!(!name.trim().is_empty() && !name.chars().any(char::is_control));
}

/// Merge patches (RFC 7396), and a client's document changed by one as the administration API changes it.
pub fn merge_patch(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    let [target, patch] = lines(&input);
    let patch = match read::<Value>(patch.as_bytes()) {
        Ok(patch) => patch,
        Err(refusal) => {
            assert!((400..500).contains(&refusal.status));
            return;
        }
    };
    let target = match read::<Value>(target.as_bytes()) {
        Ok(target) if kind & 1 == 0 => target,
        _ => json!({
            "client_name": "Orders", "redirect_uris": ["https://orders.example/callback"],
            "grant_types": ["authorization_code", "refresh_token"], "scope": "openid profile",
        }),
    };
    let mut merged = target.clone();
    merge_patch::apply(&mut merged, &patch);
    let mut twice = merged.clone();
    merge_patch::apply(&mut twice, &patch);
    assert_eq!(twice, merged, "{patch} changes more the second time");
    if let (Value::Object(changes), Value::Object(members)) = (&patch, &merged) {
        for (name, change) in changes {
            assert_eq!(members.contains_key(name), !change.is_null(), "{name}");
        }
        for (name, value) in members {
            assert!(changes.contains_key(name) || target.get(name) == Some(value));
        }
    } else {
        assert_eq!(merged, patch);
    }
    match read_value::<ClientMetadata>(&merged) {
        Ok(metadata) => {
            if let Ok(metadata) = metadata.validate() {
                sound(&metadata);
            }
        }
        Err(refusal) => {
            assert!((400..500).contains(&refusal.status));
            for fault in &refusal.faults {
                let pointer = fault.pointer.as_deref().unwrap_or_default();
                assert!(pointer.is_empty() || pointer.starts_with('/'), "{pointer}");
            }
        }
    }
}
