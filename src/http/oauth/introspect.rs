//! The introspection endpoint (RFC 7662).

use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{authorization, json, refused};
use crate::flows::Provider;
use crate::http::error::ApiError;
use crate::http::extract::{At, FormBody, Sender};
use crate::http::metrics::{IntrospectionOutcome, Metrics};
use crate::protocol::introspection::IntrospectionResponse;

/// Answers an introspection request.
pub async fn introspect(
    request: HttpRequest,
    provider: web::Data<Provider>,
    metrics: web::Data<Metrics>,
    at: At,
    sender: Sender,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let answered = provider
        .introspect(&at.0, &authorization(&request)?, &body.0, &sender.0)
        .await;
    match &answered {
        Ok(IntrospectionResponse::Active(_)) => metrics.introspection(IntrospectionOutcome::Active),
        Ok(IntrospectionResponse::Inactive) => {
            metrics.introspection(IntrospectionOutcome::Inactive);
        }
        Err(refusal) if refusal.is_ours() => {}
        Err(_) => metrics.introspection(IntrospectionOutcome::Refused),
    }
    Ok(json(
        &answered.map_err(|refusal| refused(refusal, &at.0, &request))?,
    ))
}
