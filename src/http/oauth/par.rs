//! The pushed authorization request endpoint (RFC 9126 §2).

use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{authorization, created, refused};
use crate::flows::Provider;
use crate::http::error::ApiError;
use crate::http::extract::{At, FormBody, Sender};

/// Takes an authorization request that is pushed.
pub async fn par(
    request: HttpRequest,
    provider: web::Data<Provider>,
    at: At,
    sender: Sender,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let answered = provider
        .push_authorization_request(&at.0, &authorization(&request)?, &body.0, &sender.0)
        .await;
    Ok(created(
        &answered.map_err(|refusal| refused(refusal, &at.0, &request))?,
    ))
}
