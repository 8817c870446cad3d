//! Finds the tenant before anything is routed, and hands the router the path below the issuer.
//!
//! The router sees `/tenant…` for a tenant's addresses and `/root…` for the installation's; no request reaches it with the path it
//! came with, so neither prefix can be asked for from outside.

use std::borrow::Cow;

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HOST;
use actix_web::http::uri::{PathAndQuery, Uri};
use actix_web::{HttpMessage, ResponseError};

use super::error::ApiError;
use super::telemetry;
use crate::flows::Provider;
use crate::flows::tenancy::{Located, TenantAt};
use crate::protocol::OAuthError;
use crate::protocol::discovery::paths;

/// That a request for the root came to the address for certificates; among the request's extensions.
pub struct AtAlias;

/// What verifiers need even of a suspended tenant, and of a node that doesn't hear of changes.
fn is_for_verifiers(rest: &str) -> bool {
    [
        paths::JWKS,
        paths::OPENID_CONFIGURATION,
        paths::OAUTH_AUTHORIZATION_SERVER,
    ]
    .contains(&rest)
}

/// Finds whose the request is and gives it the path that the router knows. It is never routed by the path it came with.
pub(super) async fn locate(
    provider: &Provider,
    request: &mut ServiceRequest,
) -> Result<(), OAuthError> {
    let path = route_of(provider, request).await?;
    rewrite(request, path).ok_or_else(|| OAuthError::invalid_request("the address is malformed"))
}

/// The answer where nothing can be routed.
pub(super) fn refuse(request: ServiceRequest, error: OAuthError) -> ServiceResponse {
    let error = ApiError::new(error, request.request());
    telemetry::note_route(request.request(), "refused before routing");
    request.into_response(error.error_response())
}

async fn route_of(
    provider: &Provider,
    request: &ServiceRequest,
) -> Result<Cow<'static, str>, OAuthError> {
    let path = request.path();
    // Health answers on every host, as load balancers ask by address; static files belong to the product and are the same everywhere.
    let file = path.rfind("/static/").map(|at| &path[at..]);
    if path.starts_with("/health/") || path.starts_with("/static/") {
        return Ok(format!("/root{path}").into());
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
    let located = match provider.locate_at_hand(host, path) {
        Some(at) => Located::Tenant(at),
        // Boxed: a future has room for all that it may wait for and is copied whole, also where nothing is looked for.
        None => match Box::pin(provider.locate(host, path)).await {
            Ok(located) => located,
            Err(error) => {
                tracing::warn!(%error, "the tenant of a request can't be found");
                let known = provider.locate_last_known(host, path);
                match known.filter(|at| is_for_verifiers(&at.rest)) {
                    Some(at) => Located::Tenant(at),
                    None => return Err(error.into()),
                }
            }
        },
    };
    match located {
        Located::Tenant(at) => {
            if let Err(error) = is_served(provider, &at) {
                telemetry::note_tenant(request.request(), at.tenant.slug().as_str());
                return Err(error);
            }
            let route = telemetry::busy_route(&at.rest);
            if let Some(route) = route {
                telemetry::note_route(request.request(), route);
            }
            let path = route.map_or_else(|| format!("/tenant{}", at.rest).into(), Cow::Borrowed);
            request.extensions_mut().insert(at);
            Ok(path)
        }
        Located::Root { rest, at_alias } => {
            if at_alias {
                request.extensions_mut().insert(AtAlias);
            }
            Ok(match file {
                // The root may have a path of its own before `/static/`.
                Some(file) => format!("/root{file}").into(),
                None => format!("/root{rest}").into(),
            })
        }
        Located::Nowhere => Err(OAuthError::tenant_not_found(
            "no tenant lives at this address; check the host and the path for a typing error",
        )),
    }
}

/// Whether a tenant answers this just now.
fn is_served(provider: &Provider, at: &TenantAt) -> Result<(), OAuthError> {
    if is_for_verifiers(&at.rest) {
        return Ok(());
    }
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
    Ok(())
}

/// `None` where no address can be made of the path.
fn rewrite(request: &mut ServiceRequest, path: Cow<'static, str>) -> Option<()> {
    let uri = match (path, request.uri().query(), request.uri().authority()) {
        (Cow::Borrowed(path), None, None) => Uri::from_static(path),
        (path, query, _) => {
            let mut path = path.into_owned();
            if let Some(query) = query {
                path.push('?');
                path.push_str(query);
            }
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
            Uri::from_parts(parts).ok()?
        }
    };
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
    Some(())
}
