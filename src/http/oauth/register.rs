//! The client registration endpoint (RFC 7591 §3) and the client configuration endpoint (RFC 7592 §2).

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, PRAGMA};
use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{authorization, json};
use crate::flows::Provider;
use crate::flows::registration::{Claimed, RegistrationRefusal};
use crate::flows::tenancy::TenantAt;
use crate::http::error::ApiError;
use crate::http::extract::{At, JsonBody, Sender};
use crate::protocol::OAuthError;
use crate::protocol::bearer::{BearerChallenge, find_token};
use crate::secret::PlainSecret;

/// Registers a client.
pub async fn register(
    request: HttpRequest,
    provider: web::Data<Provider>,
    at: At,
    sender: Sender,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let token = token_of(&request, &at.0)?;
    let token = token.as_ref().map(PlainSecret::expose);
    let registered = provider
        .register_client(&at.0, token, &body.0, &sender.0)
        .await
        .map_err(|refusal| refused(refusal, &at.0))?;
    let mut response = json(&registered.response());
    // RFC 7591 §3.2.1: "an HTTP 201 Created status code"
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Shows a client its registration.
pub async fn read(
    request: HttpRequest,
    provider: web::Data<Provider>,
    at: At,
) -> Result<HttpResponse, ApiError> {
    let token = token_of(&request, &at.0)?;
    let registration = provider
        .read_registration(&at.0, claimed(&request, token.as_ref()))
        .await
        .map_err(|refusal| refused(refusal, &at.0))?;
    Ok(json(&registration.response()))
}

/// Replaces a client's metadata.
pub async fn replace(
    request: HttpRequest,
    provider: web::Data<Provider>,
    at: At,
    sender: Sender,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let token = token_of(&request, &at.0)?;
    let claimed = claimed(&request, token.as_ref());
    let registration = provider
        .replace_registration(&at.0, claimed, &body.0, &sender.0)
        .await
        .map_err(|refusal| refused(refusal, &at.0))?;
    Ok(json(&registration.response()))
}

/// Ends a client's registration.
pub async fn delete(
    request: HttpRequest,
    provider: web::Data<Provider>,
    at: At,
    sender: Sender,
) -> Result<HttpResponse, ApiError> {
    let token = token_of(&request, &at.0)?;
    provider
        .end_registration(&at.0, claimed(&request, token.as_ref()), &sender.0)
        .await
        .map_err(|refusal| refused(refusal, &at.0))?;
    Ok(HttpResponse::NoContent()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .finish())
}

fn claimed<'a>(request: &'a HttpRequest, token: Option<&'a PlainSecret>) -> Claimed<'a> {
    Claimed {
        client_id: request.match_info().get("client_id").unwrap_or_default(),
        token: token.map(PlainSecret::expose),
    }
}

/// The token that was sent, in the header only: the body is JSON.
fn token_of(request: &HttpRequest, at: &TenantAt) -> Result<Option<PlainSecret>, ApiError> {
    authorization(request)
        .and_then(|values| find_token(&values, None))
        .map_err(|error| challenge(error, at))
}

fn refused(refusal: RegistrationRefusal, at: &TenantAt) -> ApiError {
    let refusal = match refusal {
        RegistrationRefusal::Failed(error) => return error.into(),
        refusal => refusal,
    };
    tracing::info!(tenant = %at.tenant.slug(), reason = %refusal, "refused");
    let bare = matches!(refusal, RegistrationRefusal::NoToken);
    let challenged = refusal.is_challenge();
    let error = OAuthError::from(refusal);
    if bare {
        // RFC 6750 §3.1: without a token there is no error to speak of in the challenge.
        let challenge = BearerChallenge {
            realm: &at.issuer,
            error: None,
            scope: None,
        };
        let challenge = challenge.to_string();
        return ApiError::from(error).challenge(challenge);
    }
    if challenged {
        challenge(error, at)
    } else {
        error.into()
    }
}

fn challenge(error: OAuthError, at: &TenantAt) -> ApiError {
    let text = BearerChallenge {
        realm: &at.issuer,
        error: Some(&error),
        scope: None,
    }
    .to_string();
    ApiError::from(error).challenge(text)
}
