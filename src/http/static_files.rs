//! The embedded files, under names that change with their content, and each tenant's colours.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};

use super::extract::At;
use super::pages::assets;
use super::pages::brand_sheet::BrandSheet;

/// `/static/{name}`.
pub async fn file(name: web::Path<String>) -> HttpResponse {
    match assets::find(&name) {
        Some(asset) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, asset.content_type))
            .insert_header((CACHE_CONTROL, assets::CACHE_CONTROL))
            .body(asset.bytes),
        None => HttpResponse::NotFound()
            .insert_header((CACHE_CONTROL, "no-store"))
            .finish(),
    }
}

/// `/favicon.ico`, which browsers ask for by themselves.
pub async fn favicon() -> HttpResponse {
    let asset = assets::File::FaviconPng.asset();
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, asset.content_type))
        .insert_header((CACHE_CONTROL, "public, max-age=86400"))
        .body(asset.bytes)
}

/// `{issuer}/branding.css`.
pub async fn branding(at: At) -> HttpResponse {
    let sheet = BrandSheet::render(&at.0.tenant.record.branding);
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/css; charset=utf-8"))
        .insert_header((CACHE_CONTROL, assets::CACHE_CONTROL))
        .body(sheet.css)
}
