//! The revocation endpoint (RFC 7009).

use actix_web::http::header::{CACHE_CONTROL, PRAGMA};
use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{Received, refused};
use crate::flows::Provider;
use crate::flows::revocation::Revocation;
use crate::http::error::ApiError;
use crate::http::extract::{At, FormBody, Sender};
use crate::http::metrics::{Metrics, RevocationOutcome};

/// Answers a revocation request; RFC 7009 §2.2 has nothing in the body.
pub async fn revoke(
    request: HttpRequest,
    provider: web::Data<Provider>,
    metrics: web::Data<Metrics>,
    at: At,
    sender: Sender,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let received = Received::with(&request, &sender)?;
    let answered = provider.revoke(&at.0, received.sent(), &body.0).await;
    match &answered {
        Ok(Revocation::Done) => metrics.revocation(RevocationOutcome::Revoked),
        Ok(Revocation::Unchanged) => metrics.revocation(RevocationOutcome::Unchanged),
        Err(refusal) if refusal.is_ours() => {}
        Err(_) => metrics.revocation(RevocationOutcome::Refused),
    }
    answered.map_err(|refusal| refused(refusal, &at.0, &request))?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .finish())
}
