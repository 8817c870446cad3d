//! Cross-origin requests of browser applications (CONTRACT, "Tokens"): discovery and JWKS admit everybody; the other endpoints the
//! redirect origins of the tenant's public clients and `allowed_origins`. An origin that isn't known isn't reflected.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderValue, ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};

use crate::flows::Provider;
use crate::flows::tenancy::TenantAt;
use crate::protocol::discovery::paths;

/// What a path admits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Admits {
    Everybody,
    KnownOrigins,
    Nobody,
}

fn admits(rest: &str) -> Admits {
    match rest {
        paths::JWKS | paths::OPENID_CONFIGURATION | paths::OAUTH_AUTHORIZATION_SERVER => {
            Admits::Everybody
        }
        paths::TOKEN | paths::USERINFO | paths::REVOKE | paths::INTROSPECT => Admits::KnownOrigins,
        _ => Admits::Nobody,
    }
}

/// The middleware; runs behind the one that finds the tenant.
pub async fn cors<B: MessageBody>(
    provider: web::Data<Provider>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let at = request.extensions().get::<TenantAt>().cloned();
    let admitted = match (&at, request.headers().get(ORIGIN)) {
        (Some(at), origin) => admitted(&provider, at, origin).await,
        (None, _) => None,
    };
    let preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight && at.is_some_and(|at| admits(&at.rest) != Admits::Nobody) {
        request
            .into_response(HttpResponse::NoContent().finish())
            .map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    if let Some(origin) = admitted {
        let headers = response.headers_mut();
        if origin != "*" {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("WWW-Authenticate, X-Request-Id"),
        );
        if preflight {
            headers.insert(
                ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static("GET, POST"),
            );
            headers.insert(
                ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static("Authorization, Content-Type"),
            );
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
    Ok(response)
}

async fn admitted(
    provider: &Provider,
    at: &TenantAt,
    origin: Option<&HeaderValue>,
) -> Option<HeaderValue> {
    match (admits(&at.rest), origin) {
        (Admits::Everybody, _) => Some(HeaderValue::from_static("*")),
        (Admits::KnownOrigins, Some(origin)) => {
            let text = origin.to_str().ok().filter(|text| text.len() <= 260)?;
            // Where the database is away the browser is told nothing, and the request itself gets its 503.
            let known = provider
                .is_client_origin(&at.tenant, text)
                .await
                .unwrap_or(false);
            known.then(|| origin.clone())
        }
        _ => None,
    }
}
