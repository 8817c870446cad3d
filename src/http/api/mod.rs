//! The administration API: JSON below `/api/v1`, for whoever holds an access token for it.
//!
//! [`operation`] is what one operation is; each section (`tenants`, `users`, …) lists its own. [`router`] takes a request to its
//! handler, [`call`] is what the handler gets, [`answer`] what it may refuse with. [`openapi`] and [`docs`] describe the same table.

pub mod answer;
pub mod call;
pub mod docs;
pub mod json;
pub mod openapi;
pub mod operation;
pub mod router;
pub mod sections;

use actix_web::web;

pub use sections::SECTIONS;

/// The API, its description and the page about it, below the root.
pub fn routes(scope: &mut web::ServiceConfig) {
    scope.service(web::resource("/api/openapi.json").route(web::get().to(openapi::serve)));
    scope.service(web::resource("/api/docs").route(web::get().to(docs::serve)));
    router::routes(scope);
}
