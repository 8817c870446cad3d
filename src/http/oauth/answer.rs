//! What these endpoints' answers have in common.

use std::sync::Arc;

use actix_web::error::JsonPayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, PRAGMA,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde::Serialize;

use crate::domain::audit::Origin;
use crate::flows::Provider;
use crate::flows::client_authentication::{ClientRefusal, Sent};
use crate::flows::grants::{GrantRefusal, TokenRefusal};
use crate::flows::tenancy::TenantAt;
use crate::http::client_certificate::find_certificate;
use crate::http::error::ApiError;
use crate::http::extract::{Sender, proofs};
use crate::jose::certificate::ClientCertificate;
use crate::protocol::client_authentication::basic_challenge;
use crate::protocol::dpop;
use crate::protocol::json::write_json;
use crate::protocol::{ErrorCode, OAuthError};

/// What a request came with besides its parameters.
pub(super) struct Received<'r> {
    authorization: Vec<&'r str>,
    /// The values of all `DPoP` headers.
    pub(super) proofs: Vec<&'r str>,
    certificate: Option<Arc<ClientCertificate>>,
    origin: &'r Origin,
}

impl<'r> Received<'r> {
    /// With a request of this sender's.
    pub(super) fn with(request: &'r HttpRequest, sender: &'r Sender) -> Result<Self, OAuthError> {
        Ok(Self {
            authorization: authorization(request)?,
            proofs: proofs(request),
            certificate: find_certificate(request)?,
            origin: &sender.0,
        })
    }

    /// The same, as flows take it.
    pub(super) fn sent(&self) -> Sent<'_> {
        Sent {
            authorization: &self.authorization,
            proofs: &self.proofs,
            certificate: self.certificate.as_deref(),
            origin: self.origin,
        }
    }
}

/// The values of all `Authorization` headers.
pub(super) fn authorization(request: &HttpRequest) -> Result<Vec<&str>, OAuthError> {
    request
        .headers()
        .get_all(AUTHORIZATION)
        .map(|value| {
            // What isn't visible is refused by the parser of headers; of the rest, whole words at a time rather than letters, as tokens are long.
            std::str::from_utf8(value.as_bytes())
                .ok()
                .filter(|text| text.is_ascii())
                .ok_or_else(|| {
                    OAuthError::invalid_request(
                        "the Authorization header holds characters other than visible ASCII",
                    )
                })
        })
        .collect()
}

/// RFC 9449 §8.2: whoever sent a proof is given the nonce for the next one, whether it must have one or not.
pub(super) fn give_nonce(
    response: &mut HttpResponse,
    proofs: &[&str],
    provider: &Provider,
    at: &TenantAt,
) {
    if proofs.is_empty() {
        return;
    }
    if let Ok(nonce) = HeaderValue::try_from(provider.dpop_nonce(&at.tenant)) {
        let name = HeaderName::from_static(dpop::NONCE_HEADER);
        response.headers_mut().insert(name, nonce);
    }
}

/// JSON that nobody may keep (RFC 6749 §5.1).
pub(super) fn json(body: &impl Serialize) -> HttpResponse {
    json_with(StatusCode::OK, body)
}

/// The same of something that was made (RFC 9126 §2.2).
pub(super) fn created(body: &impl Serialize) -> HttpResponse {
    json_with(StatusCode::CREATED, body)
}

/// A JWT that nobody may keep.
pub(super) fn signed(media_type: &'static str, jwt: String) -> HttpResponse {
    unkept(StatusCode::OK)
        .insert_header((CONTENT_TYPE, HeaderValue::from_static(media_type)))
        .body(jwt)
}

/// The same that is JSON already.
pub(super) fn json_text(body: String) -> HttpResponse {
    unkept(StatusCode::OK).insert_header(json_type()).body(body)
}

/// Without a copy, unlike actix's own.
fn json_type() -> (HeaderName, HeaderValue) {
    (CONTENT_TYPE, HeaderValue::from_static("application/json"))
}

fn json_with(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    match write_json(body) {
        Ok(json) => unkept(status).insert_header(json_type()).body(json),
        Err(error) => HttpResponse::from_error(JsonPayloadError::Serialize(error)),
    }
}

fn unkept(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((PRAGMA, HeaderValue::from_static("no-cache")));
    answer
}

/// The nonce for the next proof of whoever sent one.
fn nonce_for(request: &HttpRequest, at: &TenantAt) -> Option<String> {
    let provider = request.app_data::<web::Data<Provider>>()?;
    request
        .headers()
        .contains_key(dpop::HEADER)
        .then(|| provider.dpop_nonce(&at.tenant))
}

/// The answer to a request that was refused; its reason goes into the log and no further.
pub(super) fn refused(refusal: TokenRefusal, at: &TenantAt, request: &HttpRequest) -> ApiError {
    match refusal {
        TokenRefusal::Failed(error) | TokenRefusal::Client(ClientRefusal::Failed(error)) => {
            error.into()
        }
        refusal => {
            // What failed authentication was logged by its flow, with the client.
            let logged = matches!(&refusal, TokenRefusal::Client(client) if !matches!(client, ClientRefusal::Malformed(_) | ClientRefusal::Public));
            // A device that waits asks every few seconds.
            let waits = matches!(
                &refusal,
                TokenRefusal::Grant(GrantRefusal::DevicePending | GrantRefusal::BackchannelPending)
            );
            if !logged && !waits {
                tracing::info!(tenant = %at.tenant.slug(), reason = %refusal, "refused");
            }
            let error = OAuthError::from(refusal);
            let challenged = error.code == ErrorCode::InvalidClient
                && request.headers().contains_key(AUTHORIZATION);
            let answer = ApiError::from(error).nonce(nonce_for(request, at));
            // RFC 6749 §5.2: to whoever tried by the header. To others a browser would open a dialogue that leads nowhere.
            if challenged {
                answer.challenge(basic_challenge(&at.issuer))
            } else {
                answer
            }
        }
    }
}
