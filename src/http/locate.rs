//! Finds the tenant before anything is routed, and hands the router the path below the issuer.
//!
//! The router sees `/tenant…` for a tenant's addresses and `/root…` for the installation's; no request reaches it with the path it
//! came with, so neither prefix can be asked for from outside.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::http::header::HOST;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};

use super::error::ApiError;
use super::telemetry;
use crate::flows::Provider;
use crate::flows::tenancy::Located;
use crate::protocol::OAuthError;
use crate::protocol::discovery::paths;

/// What verifiers need even of a suspended tenant, and of a node that doesn't hear of changes.
fn is_for_verifiers(rest: &str) -> bool {
    [
        paths::JWKS,
        paths::OPENID_CONFIGURATION,
        paths::OAUTH_AUTHORIZATION_SERVER,
    ]
    .contains(&rest)
}

/// The middleware.
pub async fn locate<B: MessageBody>(
    provider: web::Data<Provider>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match route_of(&provider, &request).await {
        Ok(path) => {
            // Never to be routed by the path it came with.
            if rewrite(&mut request, &path).is_some() {
                Ok(next.call(request).await?.map_into_left_body())
            } else {
                Ok(refuse(
                    request,
                    OAuthError::invalid_request("the address is malformed"),
                ))
            }
        }
        Err(error) => Ok(refuse(request, error)),
    }
}

fn refuse<B>(request: ServiceRequest, error: OAuthError) -> ServiceResponse<EitherBody<B>> {
    let error = ApiError::new(error, request.request());
    telemetry::note_route(request.request(), "refused before routing");
    request
        .into_response(error.error_response())
        .map_into_right_body()
}

async fn route_of(provider: &Provider, request: &ServiceRequest) -> Result<String, OAuthError> {
    let path = request.path();
    // Health answers on every host, as load balancers ask by address; static files belong to the product and are the same everywhere.
    let file = path.rfind("/static/").map(|at| &path[at..]);
    if path.starts_with("/health/") || path.starts_with("/static/") {
        return Ok(format!("/root{path}"));
    }
    // HTTP/2 has no Host header but an authority in its URI.
    let host = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => request
            .headers()
            .get(HOST)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default(),
    };
    let located = match provider.locate(host, path).await {
        Ok(located) => located,
        Err(error) => {
            tracing::warn!(%error, "the tenant of a request can't be found");
            let known = provider.locate_last_known(host, path);
            match known.filter(|at| is_for_verifiers(&at.rest)) {
                Some(at) => Located::Tenant(at),
                None => return Err(error.into()),
            }
        }
    };
    match located {
        Located::Tenant(at) => {
            telemetry::note_tenant(request.request(), at.tenant.slug().as_str());
            let rest = at.rest.clone();
            if !is_for_verifiers(&rest) {
                if !at.tenant.is_active() {
                    return Err(OAuthError::tenant_suspended(
                        "this tenant is suspended; its administrators can say why",
                    ));
                }
                if !provider.is_current() {
                    return Err(OAuthError::temporarily_unavailable(
                        "this node has lost touch with its database; try again shortly",
                    ));
                }
            }
            request.extensions_mut().insert(at);
            Ok(format!("/tenant{rest}"))
        }
        Located::Root(rest) => Ok(match file {
            // The root may have a path of its own before `/static/`.
            Some(file) => format!("/root{file}"),
            None => format!("/root{rest}"),
        }),
        Located::Nowhere => Err(OAuthError::tenant_not_found(
            "no tenant lives at this address; check the host and the path for a typing error",
        )),
    }
}

/// `None` where no address can be made of the path.
fn rewrite(request: &mut ServiceRequest, path: &str) -> Option<()> {
    let mut parts = request.uri().clone().into_parts();
    let query = request
        .uri()
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    parts.path_and_query = Some(format!("{path}{query}").parse().ok()?);
    let uri = Uri::from_parts(parts).ok()?;
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
    Some(())
}
