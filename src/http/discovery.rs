//! Discovery (`OpenID` Connect Discovery 1.0 §4, RFC 8414 §3) and the published keys: what a verifier needs, and nothing else.

use actix_web::http::header::{CONTENT_TYPE, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};

use super::documents::{Document, Documents};
use super::extract::At;
use super::pages::messages::Messages;
use crate::domain::settings::RegistrationPolicy;
use crate::flows::Provider;
use crate::flows::authorize::ACR_VALUES;
use crate::flows::tenancy::TenantAt;
use crate::protocol::client_metadata::SubjectType;
use crate::protocol::discovery::{Capabilities, Certificates, ProviderMetadata};

/// Both discovery documents.
pub async fn metadata(
    request: HttpRequest,
    documents: web::Data<Documents>,
    at: At,
) -> HttpResponse {
    answer(&request, documents.metadata(&at.0))
}

/// The tenant's published keys (RFC 7517 §5).
pub async fn jwks(request: HttpRequest, documents: web::Data<Documents>, at: At) -> HttpResponse {
    answer(&request, documents.jwks(&at.0))
}

fn answer(request: &HttpRequest, document: Option<Document>) -> HttpResponse {
    let Some(document) = document else {
        return HttpResponse::InternalServerError().finish();
    };
    let known = request
        .headers()
        .get_all(IF_NONE_MATCH)
        .any(|value| *value == document.tag || names(value.as_bytes(), document.tag.as_bytes()));
    let mut response = if known {
        HttpResponse::NotModified().finish()
    } else {
        HttpResponse::Ok().body(document.body.clone())
    };
    document.describe(response.headers_mut());
    if known {
        response.headers_mut().remove(CONTENT_TYPE);
    }
    response
}

/// Whether a value of `If-None-Match` is `*` or a list that has the tag. RFC 9110 §13.1.2 has tags compared weakly: a cache on the way that packs
/// answers marks ours with `W/`, and they are the same document.
fn names(value: &[u8], tag: &[u8]) -> bool {
    let mut rest = value.trim_ascii();
    if rest == b"*" {
        return true;
    }
    loop {
        // RFC 9110 §5.6.1.2: empty members are passed over.
        while let Some((b',' | b' ' | b'\t', more)) = rest.split_first() {
            rest = more;
        }
        let strong = rest.strip_prefix(b"W/").unwrap_or(rest);
        let Some(inner) = strong.strip_prefix(b"\"") else {
            return false;
        };
        // A tag may hold commas, and no quotation mark.
        let Some(end) = inner.iter().position(|byte| *byte == b'"') else {
            return false;
        };
        if &strong[..end + 2] == tag {
            return true;
        }
        rest = inner[end + 1..].trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return false;
        }
    }
}

/// Whether certificates can be shown, and where. With addresses of their own they can at these, and not at the tenant's other issuers.
fn certificates(provider: &Provider, at: &TenantAt) -> Option<Certificates> {
    let config = &provider.config;
    let alias = provider.alias_of(at);
    let works =
        config.takes_client_certificates() && (config.mtls_public_url.is_none() || alias.is_some());
    works.then(|| Certificates {
        by_authority: !at.tenant.authorities.is_empty(),
        alias,
    })
}

/// The metadata of a tenant at one of its addresses.
pub(super) fn metadata_of(provider: &Provider, at: &TenantAt) -> Option<Vec<u8>> {
    let mut scopes: Vec<String> = at
        .tenant
        .resources
        .iter()
        .flat_map(|resource| resource.scopes.iter().map(|scope| scope.name.clone()))
        .collect();
    scopes.sort_unstable();
    scopes.dedup();
    let mut types: Vec<String> = at
        .tenant
        .resources
        .iter()
        .flat_map(|resource| resource.details_types.iter().map(|kind| kind.name.clone()))
        .collect();
    types.sort_unstable();
    types.dedup();
    let capabilities = Capabilities {
        scopes,
        authorization_details_types: types,
        acr_values: ACR_VALUES.iter().map(ToString::to_string).collect(),
        ui_locales: Messages::tags().map(ToOwned::to_owned).collect(),
        dynamic_registration: at.tenant.settings().registration != RegistrationPolicy::Closed,
        device_authorization: at.tenant.settings().device_authorization,
        native_sso: at.tenant.settings().native_sso,
        backchannel_authentication: at.tenant.settings().backchannel_authentication,
        jwt_bearer: !at.tenant.settings().assertion_issuers.is_empty(),
        request_object_encryption: at.tenant.keys.encryption_algorithms().collect(),
        request_uri_parameter: at.tenant.settings().request_uri_parameter,
        front_channel_tokens: at.tenant.settings().front_channel_tokens,
        further_subject_types: vec![SubjectType::Pairwise],
        require_pushed_authorization_requests: at
            .tenant
            .settings()
            .require_pushed_authorization_requests,
        certificates: certificates(provider, at),
        profile: at.tenant.settings().security_profile,
        session_management: at.tenant.settings().session_management,
        ..Capabilities::default()
    };
    serde_json::to_vec(&ProviderMetadata::new(&at.issuer, capabilities)).ok()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_tag_is_found_in_whatever_a_cache_asks_with() {
        let tag = br#""ab12""#;
        for given in [
            r#""ab12""#,
            r#"W/"ab12""#,
            "*",
            " * ",
            r#""x", "ab12""#,
            r#""x","y,z" , W/"ab12", "w""#,
            r#",, "ab12""#,
            r#""", "ab12""#,
        ] {
            assert!(names(given.as_bytes(), tag), "{given}");
        }
        for given in [
            "",
            ",",
            "ab12",
            r#""ab12"#,
            r#"ab12""#,
            r#""AB12""#,
            r#"w/"ab12""#,
            r#"W/ "ab12""#,
            r#""x", "ab1""#,
            r#""ab123""#,
            r#""x" "ab12""#,
            r#"x, "ab12""#,
            r#"*, "x""#,
            r#""x, "ab12""#,
        ] {
            assert!(!names(given.as_bytes(), tag), "{given}");
        }
    }
}
