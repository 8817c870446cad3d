//! The userinfo endpoint (`OpenID` Connect Core §5.3): the token in the header, or in a posted body (RFC 6750 §2.1, §2.2).

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{authorization, json, signed};
use crate::flows::Provider;
use crate::flows::access::AccessRefusal;
use crate::flows::tenancy::TenantAt;
use crate::flows::userinfo::{UserInfoAnswer, UserInfoRefusal, needed_scope};
use crate::http::error::ApiError;
use crate::http::extract::{At, FormBody};
use crate::protocol::bearer::{BearerChallenge, find_token};
use crate::protocol::userinfo::SIGNED_MEDIA_TYPE;
use crate::protocol::{ErrorCode, OAuthError, Params};

/// With the token in the header.
pub async fn get(
    request: HttpRequest,
    provider: web::Data<Provider>,
    at: At,
) -> Result<HttpResponse, ApiError> {
    answer(&request, &provider, &at.0, None).await
}

/// With the token in the header or in the body; a body that isn't a form isn't looked at.
pub async fn post(
    request: HttpRequest,
    provider: web::Data<Provider>,
    at: At,
    body: Result<FormBody, ApiError>,
) -> Result<HttpResponse, ApiError> {
    match body {
        Ok(body) => answer(&request, &provider, &at.0, Some(&body.0)).await,
        Err(error)
            if request.headers().contains_key(CONTENT_TYPE)
                && !authorization(&request).is_ok_and(|values| !values.is_empty()) =>
        {
            Err(error)
        }
        Err(_) => answer(&request, &provider, &at.0, None).await,
    }
}

async fn answer(
    request: &HttpRequest,
    provider: &Provider,
    at: &TenantAt,
    body: Option<&Params>,
) -> Result<HttpResponse, ApiError> {
    let token = authorization(request)
        .and_then(|values| find_token(&values, body))
        .map_err(|error| challenge(error, at))?;
    let Some(token) = token else {
        // RFC 6750 §3.1: without a token there is no error to speak of in the challenge.
        let bare = BearerChallenge {
            realm: &at.issuer,
            error: None,
            scope: Some(&needed_scope()),
        }
        .to_string();
        return Err(
            ApiError::from(OAuthError::invalid_token("the request has no access token"))
                .challenge(bare),
        );
    };
    match provider.userinfo(at, token.expose()).await {
        Ok(UserInfoAnswer::Plain(info)) => Ok(json(&info)),
        Ok(UserInfoAnswer::Signed(jwt)) => Ok(signed(SIGNED_MEDIA_TYPE, jwt)),
        Err(UserInfoRefusal::Access(AccessRefusal::Failed(error))) => Err(error.into()),
        Err(refusal) => {
            tracing::info!(tenant = %at.tenant.slug(), reason = %refusal, "refused");
            Err(challenge(refusal.into(), at))
        }
    }
}

fn challenge(error: OAuthError, at: &TenantAt) -> ApiError {
    let needed = needed_scope();
    let scope = (error.code == ErrorCode::InsufficientScope).then_some(&needed);
    let text = BearerChallenge {
        realm: &at.issuer,
        error: Some(&error),
        scope,
    }
    .to_string();
    ApiError::from(error).challenge(text)
}
