//! The whole URL table. Paths are relative to the issuer (`/tenant`) or the root (`/root`): see [`super::locate`].

use actix_web::{HttpRequest, HttpResponse, ResponseError, web};

use super::error::ApiError;
use super::{api, console, discovery, health, oauth, pages, static_files};
use crate::protocol::discovery::paths;
use crate::protocol::{ErrorCode, OAuthError};

/// Every route.
pub fn table(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/tenant")
            .configure(tenant)
            .default_service(web::to(not_found)),
    );
    config.service(
        web::scope("/root")
            .configure(root)
            .default_service(web::to(not_found)),
    );
    config.default_service(web::to(not_found));
}

fn tenant(scope: &mut web::ServiceConfig) {
    // First, as they are asked for most, and routes are tried in their order.
    oauth::routes(scope);
    scope.service(
        reads(paths::OPENID_CONFIGURATION)
            .route(web::get().to(discovery::metadata))
            .route(web::head().to(discovery::metadata)),
    );
    scope.service(
        reads(paths::OAUTH_AUTHORIZATION_SERVER)
            .route(web::get().to(discovery::metadata))
            .route(web::head().to(discovery::metadata)),
    );
    scope.service(
        reads(paths::JWKS)
            .route(web::get().to(discovery::jwks))
            .route(web::head().to(discovery::jwks)),
    );
    scope.service(reads("/branding.css").route(web::get().to(static_files::branding)));
    scope.service(reads("/favicon.ico").route(web::get().to(static_files::favicon)));
    pages::routes(scope);
    console::routes(scope);
}

fn root(scope: &mut web::ServiceConfig) {
    scope.service(
        reads("/health/live")
            .route(web::get().to(health::live))
            .route(web::head().to(health::live)),
    );
    scope.service(
        reads("/health/ready")
            .route(web::get().to(health::ready))
            .route(web::head().to(health::ready)),
    );
    scope.service(reads("/static/{name}").route(web::get().to(static_files::file)));
    scope.service(reads("/favicon.ico").route(web::get().to(static_files::favicon)));
    api::routes(scope);
    scope.service(reads("").route(web::get().to(pages::home::landing)));
    scope.service(reads("/").route(web::get().to(pages::home::landing)));
}

/// A resource that only answers reads.
fn reads(path: &str) -> actix_web::Resource {
    web::resource(path).default_service(web::to(only_reads))
}

/// Nothing is here.
pub async fn not_found(request: HttpRequest) -> HttpResponse {
    ApiError::new(
        OAuthError::not_found("there is nothing at this address"),
        &request,
    )
    .error_response()
}

async fn only_reads(request: HttpRequest) -> HttpResponse {
    refuse_method(&request, "GET, HEAD")
}

/// A page is here, but not for this method.
pub async fn method_not_allowed(request: HttpRequest) -> HttpResponse {
    refuse_method(&request, "GET, POST")
}

/// Something is here, but only for these methods.
fn refuse_method(request: &HttpRequest, methods: &'static str) -> HttpResponse {
    let error = OAuthError::new(
        ErrorCode::MethodNotAllowed,
        "this address doesn't answer this method",
    );
    ApiError::new(error, request)
        .allow(methods)
        .error_response()
}
