//! Discovery (`OpenID` Connect Discovery 1.0 §4, RFC 8414 §3) and the published keys: what a verifier needs, and nothing else.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};
use sha2::{Digest, Sha256};

use super::extract::At;
use super::pages::messages::Messages;
use crate::flows::Provider;
use crate::flows::authorize::ACR_VALUES;
use crate::protocol::client_metadata::SubjectType;
use crate::protocol::discovery::{Capabilities, ProviderMetadata};

/// How long metadata may be cached, in seconds: it changes when resources do.
const METADATA_MAX_AGE: u64 = 300;

/// Both discovery documents.
pub async fn metadata(request: HttpRequest, at: At) -> HttpResponse {
    let tenant = &at.0.tenant;
    let mut scopes: Vec<String> = tenant
        .resources
        .iter()
        .flat_map(|resource| resource.scopes.iter().map(|scope| scope.name.clone()))
        .collect();
    scopes.sort_unstable();
    scopes.dedup();
    let capabilities = Capabilities {
        scopes,
        acr_values: ACR_VALUES.iter().map(ToString::to_string).collect(),
        ui_locales: Messages::tags().map(ToOwned::to_owned).collect(),
        further_subject_types: vec![SubjectType::Pairwise],
        ..Capabilities::default()
    };
    let metadata = ProviderMetadata::new(&at.0.issuer, capabilities);
    match serde_json::to_vec(&metadata) {
        Ok(body) => cached(&request, "application/json", METADATA_MAX_AGE, body),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// The tenant's published keys (RFC 7517 §5).
pub async fn jwks(request: HttpRequest, provider: web::Data<Provider>, at: At) -> HttpResponse {
    cached(
        &request,
        "application/jwk-set+json",
        provider.config.jwks_max_age.as_secs(),
        at.0.tenant.keys.jwks().to_vec(),
    )
}

fn cached(
    request: &HttpRequest,
    content_type: &'static str,
    max_age: u64,
    body: Vec<u8>,
) -> HttpResponse {
    let tag = Sha256::digest(&body)
        .iter()
        .take(12)
        .fold(String::from("\""), |tag, byte| format!("{tag}{byte:02x}"))
        + "\"";
    let known = request
        .headers()
        .get(IF_NONE_MATCH)
        .is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let mut response = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((CACHE_CONTROL, format!("public, max-age={max_age}")))
        .insert_header((ETAG, tag));
    if known {
        response.finish()
    } else {
        response
            .insert_header((CONTENT_TYPE, content_type))
            .body(body)
    }
}
