//! The console's part of the URL table, relative to the issuer.

use actix_web::{Resource, web};

use super::entry;
use super::sections::{Reach, SECTIONS};
use super::visitor::Visitor;
use crate::flows::console::PATH;
use crate::http::error::Answer;
use crate::http::routes::method_not_allowed;

/// Adds the console.
pub fn routes(scope: &mut web::ServiceConfig) {
    scope.service(at(&format!("{PATH}/callback")).route(web::get().to(entry::callback)));
    scope.service(at(&format!("{PATH}/signed-out")).route(web::get().to(entry::signed_out)));
    scope.service(at(entry::SIGNED_IN).route(web::get().to(entry::signed_in)));
    scope.service(at(&format!("{PATH}/sign-out")).route(web::post().to(entry::sign_out)));
    scope.service(at(&format!("{PATH}/sign-in-again")).route(web::get().to(entry::sign_in_again)));
    scope.service(at(&format!("{PATH}/open")).route(web::get().to(entry::open_tenant)));
    scope.service(
        web::scope(&format!("{PATH}/tenants/{{tenant}}"))
            .configure(|pages| sections(pages, &[Reach::Tenant]))
            .default_service(web::to(nowhere)),
    );
    scope.service(
        web::scope(PATH)
            .configure(|pages| sections(pages, &[Reach::Tenant, Reach::Installation]))
            .default_service(web::to(nowhere)),
    );
}

fn sections(pages: &mut web::ServiceConfig, reaches: &[Reach]) {
    for section in SECTIONS {
        if reaches.contains(&section.reach) {
            pages.configure(section.routes);
        }
    }
}

/// A page's resource, which answers other methods as it should.
pub fn at(path: &str) -> Resource {
    web::resource(path).default_service(web::to(method_not_allowed))
}

async fn nowhere(visitor: Visitor) -> Answer {
    Err(visitor.not_found())
}
