//! The userinfo endpoint (`OpenID` Connect Core §5.3): the token in the header, or in a posted body (RFC 6750 §2.1, §2.2;
//! RFC 9449 §7).

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{authorization, give_nonce, json, signed};
use crate::flows::Provider;
use crate::flows::access::{AccessRefusal, Presented};
use crate::flows::dpop::ProofRequest;
use crate::flows::tenancy::TenantAt;
use crate::flows::userinfo::{UserInfoAnswer, UserInfoRefusal, needed_scope};
use crate::http::client_certificate::find_certificate;
use crate::http::error::ApiError;
use crate::http::extract::{At, FormBody, Sender, proofs};
use crate::protocol::bearer::{BearerChallenge, PresentedToken, Scheme, find_presented};
use crate::protocol::discovery::paths;
use crate::protocol::dpop::DpopChallenge;
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
    let found = authorization(request)
        .and_then(|values| find_presented(&values, body))
        .map_err(|error| challenge(error, at, Scheme::Bearer))?;
    let Some(PresentedToken { token, scheme }) = found else {
        // RFC 6750 §3.1: without a token there is no error to speak of in the challenge.
        let bare = BearerChallenge {
            realm: &at.issuer,
            error: None,
            scope: Some(&needed_scope()),
        }
        .to_string();
        return Err(
            ApiError::from(OAuthError::invalid_token("the request has no access token"))
                .challenge(bare)
                .challenge(dpop_challenge(None, at)),
        );
    };
    // Whoever only bears a token proves nothing, and is spared what a proof costs.
    let (proofs, uri, origin) = match scheme {
        Scheme::Bearer => Default::default(),
        Scheme::Dpop => (
            proofs(request),
            format!("{}{}", at.base(), paths::USERINFO),
            Sender::of(request).0,
        ),
    };
    let certificate =
        find_certificate(request).map_err(|error| challenge(error, at, Scheme::Bearer))?;
    let presented = Presented {
        certificate: certificate.map(|certificate| certificate.thumbprint()),
        token: token.expose(),
        scheme,
        request: ProofRequest {
            proofs: &proofs,
            method: request.method().as_str(),
            uri: &uri,
            origin: &origin,
        },
    };
    match provider.userinfo(at, presented).await {
        Ok(told) => {
            let mut response = match told {
                UserInfoAnswer::Plain(info) => json(&info),
                UserInfoAnswer::Jwt(jwt) => signed(SIGNED_MEDIA_TYPE, jwt),
            };
            give_nonce(&mut response, &proofs, provider, at);
            Ok(response)
        }
        Err(UserInfoRefusal::Access(AccessRefusal::Failed(error))) => Err(error.into()),
        Err(refusal) => {
            tracing::info!(tenant = %at.tenant.slug(), reason = %refusal, "refused");
            let nonce = (!proofs.is_empty()
                || matches!(refusal, UserInfoRefusal::Access(AccessRefusal::Dpop(_))))
            .then(|| provider.dpop_nonce(&at.tenant));
            Err(challenge(refusal.into(), at, scheme).nonce(nonce))
        }
    }
}

/// RFC 6750 §3, RFC 9449 §7.1, §7.2: what is wrong is said in the scheme that was used; of one that could have been, only that there is such.
fn challenge(error: OAuthError, at: &TenantAt, scheme: Scheme) -> ApiError {
    if scheme == Scheme::Dpop {
        let text = dpop_challenge(Some(&error), at);
        return ApiError::from(error).at_resource().challenge(text);
    }
    let needed = needed_scope();
    let scope = (error.code == ErrorCode::InsufficientScope).then_some(&needed);
    let text = BearerChallenge {
        realm: &at.issuer,
        error: Some(&error),
        scope,
    }
    .to_string();
    ApiError::from(error)
        .challenge(text)
        .challenge(dpop_challenge(None, at))
}

fn dpop_challenge(error: Option<&OAuthError>, at: &TenantAt) -> String {
    DpopChallenge {
        realm: &at.issuer,
        error,
    }
    .to_string()
}
