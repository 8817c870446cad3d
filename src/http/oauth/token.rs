//! The token endpoint (RFC 6749 §3.2).

use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{Received, give_nonce, json_text, refused};
use crate::flows::Provider;
use crate::http::error::ApiError;
use crate::http::extract::{At, FormBody, Sender};
use crate::http::metrics::Metrics;
use crate::http::telemetry;
use crate::protocol::OAuthError;

/// Answers a token request.
pub async fn token(
    request: HttpRequest,
    provider: web::Data<Provider>,
    metrics: web::Data<Metrics>,
    at: At,
    sender: Sender,
    body: FormBody,
) -> Result<HttpResponse, ApiError> {
    let received = Received::with(&request, &sender)?;
    let answered = provider.token(&at.0, received.sent(), &body.0).await;
    let answer = answered.map_err(|refusal| refused(refusal, &at.0, &request))?;
    let grant_type = answer.grant_type;
    metrics.token_issued(grant_type);
    telemetry::note_tokens(&request, answer.client.id.to_string(), grant_type.as_str());
    let body = answer.response.into_json();
    let mut response =
        json_text(body.map_err(|_| OAuthError::server_error("an answer can't be written"))?);
    give_nonce(&mut response, &received.proofs, &provider, &at.0);
    Ok(response)
}
