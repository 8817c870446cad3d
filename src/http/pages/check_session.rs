//! The page that applications' pages frame to ask whether somebody is still signed in (OpenID Connect Session Management 1.0 §3): the only
//! page that anybody may frame. Its script answers them from a cookie that holds a hash, see `static/check_session.js`.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::assets::File;
use super::visit::Visit;
use crate::flows::browser::{Cookie, CookiePlace};
use crate::http::headers::Exception;
use crate::http::routes::not_found;

/// How long a browser may keep the page, in seconds: a tenant that switches it off isn't asked any more after that.
const KEPT: &str = "public, max-age=3600";

/// The page: a script, and the name of the cookie that it reads. Nobody sees it.
#[derive(Template)]
#[template(path = "check_session.html")]
struct CheckSession<'a> {
    script: &'a str,
    cookie: &'a str,
}

/// `GET /session/check`; nothing where the tenant doesn't offer it.
pub async fn get(visit: Visit, request: HttpRequest) -> HttpResponse {
    if !visit.tenant().settings().session_management {
        return not_found(request).await;
    }
    let view = CheckSession {
        script: &visit.frame(&[]).page().file(File::CheckSessionScript),
        cookie: &CookiePlace::of(&visit.at.issuer).name(Cookie::BrowserState),
    };
    let body = match view.render() {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "the page that checks sessions can't be rendered");
            return HttpResponse::InternalServerError().finish();
        }
    };
    let mut response = HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, KEPT))
        .body(body);
    response.extensions_mut().insert(Exception::FramedByAnybody);
    response
}
