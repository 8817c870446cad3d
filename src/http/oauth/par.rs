//! The pushed authorization request endpoint (RFC 9126 §2).

use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{Received, created, give_nonce, refused};
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
    let received = Received::with(&request, &sender)?;
    let answered = provider
        .push_authorization_request(&at.0, received.sent(), &body.0)
        .await;
    let mut response = created(&answered.map_err(|refusal| refused(refusal, &at.0, &request))?);
    give_nonce(&mut response, &received.proofs, &provider, &at.0);
    Ok(response)
}
