//! The backchannel authentication endpoint (OpenID Connect CIBA §7).

use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{Received, json, refused};
use crate::flows::Provider;
use crate::http::error::ApiError;
use crate::http::extract::{At, FormBody, Sender};

/// Has a person asked.
pub async fn backchannel_authentication(
    request: HttpRequest,
    provider: web::Data<Provider>,
    at: At,
    sender: Sender,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let received = Received::with(&request, &sender)?;
    let answered = provider
        .authenticate_by_backchannel(&at.0, received.sent(), &body.0)
        .await;
    Ok(json(
        &answered.map_err(|refusal| refused(refusal, &at.0, &request))?,
    ))
}
