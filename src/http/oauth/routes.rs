//! The routes of these endpoints, relative to the issuer.

use std::future::ready;

use actix_web::{HttpRequest, HttpResponse, ResponseError, web};

use super::{
    backchannel_authentication, device_authorization, introspect, par, register, revoke, token,
    userinfo,
};
use crate::http::error::ApiError;
use crate::protocol::discovery::paths;
use crate::protocol::{ErrorCode, OAuthError};

/// Adds the routes.
pub fn routes(scope: &mut web::ServiceConfig) {
    scope.service(posts(paths::TOKEN).route(web::post().to(token::token)));
    scope.service(posts(paths::INTROSPECT).route(web::post().to(introspect::introspect)));
    scope.service(
        web::resource(paths::USERINFO)
            .route(web::get().to(userinfo::get))
            .route(web::post().to(userinfo::post))
            .default_service(web::to(|request: HttpRequest| {
                ready(not_allowed(&request, "GET, POST"))
            })),
    );
    scope.service(posts(paths::PAR).route(web::post().to(par::par)));
    scope.service(
        posts(paths::DEVICE_AUTHORIZATION)
            .route(web::post().to(device_authorization::device_authorization)),
    );
    scope.service(
        posts(paths::BACKCHANNEL_AUTHENTICATION)
            .route(web::post().to(backchannel_authentication::backchannel_authentication)),
    );
    scope.service(posts(paths::REVOKE).route(web::post().to(revoke::revoke)));
    scope.service(posts(paths::REGISTER).route(web::post().to(register::register)));
    scope.service(
        web::resource(format!("{}/{{client_id}}", paths::REGISTER))
            .route(web::get().to(register::read))
            .route(web::put().to(register::replace))
            .route(web::delete().to(register::delete))
            .default_service(web::to(|request: HttpRequest| {
                ready(not_allowed(&request, "GET, PUT, DELETE"))
            })),
    );
}

/// A resource that is only posted to.
fn posts(path: &str) -> actix_web::Resource {
    web::resource(path).default_service(web::to(|request: HttpRequest| {
        ready(not_allowed(&request, "POST"))
    }))
}

fn not_allowed(request: &HttpRequest, allowed: &'static str) -> HttpResponse {
    let error = OAuthError::new(
        ErrorCode::MethodNotAllowed,
        format!("this endpoint answers {allowed} only"),
    );
    ApiError::new(error, request)
        .allow(allowed)
        .error_response()
}
