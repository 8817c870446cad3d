//! The introspection endpoint (RFC 7662), which answers by a JWT where it is asked for one (RFC 9701).

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{Received, json, refused, signed};
use crate::flows::Provider;
use crate::http::error::ApiError;
use crate::http::extract::{At, FormBody, Sender};
use crate::http::metrics::{IntrospectionOutcome, Metrics};
use crate::protocol::introspection::{IntrospectionResponse, SIGNED_MEDIA_TYPE, wants_signed};

/// Answers an introspection request.
pub async fn introspect(
    request: HttpRequest,
    provider: web::Data<Provider>,
    metrics: web::Data<Metrics>,
    at: At,
    sender: Sender,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let received = Received::with(&request, &sender)?;
    let answered = provider.introspect(&at.0, received.sent(), &body.0).await;
    match answered.as_ref().map(|answer| &answer.response) {
        Ok(IntrospectionResponse::Active(_)) => metrics.introspection(IntrospectionOutcome::Active),
        Ok(IntrospectionResponse::Inactive) => {
            metrics.introspection(IntrospectionOutcome::Inactive);
        }
        Err(refusal) if refusal.is_ours() => {}
        Err(_) => metrics.introspection(IntrospectionOutcome::Refused),
    }
    let answer = answered.map_err(|refusal| refused(refusal, &at.0, &request))?;
    let accept = request.headers().get(ACCEPT);
    // FAPI 2.0 Message Signing §5.5.1: such a client gets nothing unsigned, whatever it asks for.
    let must = at.0.tenant.profile_of(&answer.asking).signs_messages();
    // RFC 9701 §4
    if must || accept.is_some_and(|accept| accept.to_str().is_ok_and(wants_signed)) {
        let jwt = Box::pin(provider.sign_introspected(&at.0, answer)).await?;
        return Ok(signed(SIGNED_MEDIA_TYPE, jwt));
    }
    Ok(json(&answer.response))
}
