//! What these endpoints' answers have in common.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::flows::client_authentication::ClientRefusal;
use crate::flows::grants::TokenRefusal;
use crate::flows::tenancy::TenantAt;
use crate::http::error::ApiError;
use crate::protocol::client_authentication::basic_challenge;
use crate::protocol::{ErrorCode, OAuthError};

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
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .body(jwt)
}

fn json_with(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .json(body)
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
            if !logged {
                tracing::info!(tenant = %at.tenant.slug(), reason = %refusal, "refused");
            }
            let error = OAuthError::from(refusal);
            let challenged = error.code == ErrorCode::InvalidClient
                && request.headers().contains_key(AUTHORIZATION);
            let answer = ApiError::from(error);
            // RFC 6749 §5.2: to whoever tried by the header. To others a browser would open a dialogue that leads nowhere.
            if challenged {
                answer.challenge(basic_challenge(&at.issuer))
            } else {
                answer
            }
        }
    }
}
