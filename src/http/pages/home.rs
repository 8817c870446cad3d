//! The roots: of an issuer, and of the installation.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::render::{Frame, Person, show};
use super::views::{Landing, TenantHome};
use super::visit::Visit;
use crate::http::error::PageError;
use crate::http::extract::Caller;

/// `GET /` of an issuer.
pub async fn tenant(visit: Visit) -> Result<HttpResponse, PageError> {
    let signed_in = visit.signed_in(None).await?;
    let person = signed_in.first().map(|one| Person::of(&one.user));
    let frame = visit.frame(&[]);
    Ok(show(
        StatusCode::OK,
        &TenantHome {
            page: frame.page(),
            account: person.as_ref().map(Person::account),
        },
    ))
}

/// `GET /` of the installation: names no tenant.
pub async fn landing(caller: Caller) -> HttpResponse {
    let frame = Frame::new(None, &caller, &[]);
    show(StatusCode::OK, &Landing { page: frame.page() })
}
