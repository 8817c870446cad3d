//! The introspection endpoint (RFC 7662).

use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{authorization, json, refused};
use crate::flows::Provider;
use crate::http::error::ApiError;
use crate::http::extract::{At, Caller, FormBody};

/// Answers an introspection request.
pub async fn introspect(
    request: HttpRequest,
    provider: web::Data<Provider>,
    at: At,
    caller: Caller,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let answered = provider
        .introspect(&at.0, &authorization(&request)?, &body.0, &caller.origin)
        .await;
    Ok(json(
        &answered.map_err(|refusal| refused(refusal, &at.0, &request))?,
    ))
}
