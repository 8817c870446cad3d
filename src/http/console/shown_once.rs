//! What is shown once: a new secret, a one-time link.
//!
//! It travels from the answer that made it to the page that shows it in a cookie, sealed, for two minutes, for one thing and one session
//! of the console; the page takes it away. So a page that is loaded again shows nothing, and nothing is made by loading.

use actix_web::cookie::time;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::visitor::Visitor;
use crate::flows::Provider;
use crate::flows::browser::{Cookie, CookiePlace};
use crate::flows::console::{open, seal};
use crate::http::pages::cookies;
use crate::secret::PlainSecret;

const PURPOSE: &str = "console client secret";

/// How long it may wait to be shown, in seconds.
const LIFETIME: i64 = 120;

#[derive(Serialize, Deserialize)]
struct Kept {
    tenant: Uuid,
    of: Uuid,
    session: Uuid,
    secret: String,
    until: i64,
}

/// Has the next page of this thing show this secret.
pub fn keep(visitor: &Visitor, response: &mut HttpResponse, of: Uuid, secret: &PlainSecret) {
    let provider: &Provider = visitor.provider();
    let kept = Kept {
        tenant: visitor.tenant.id().uuid(),
        of,
        session: visitor.session.sid,
        secret: secret.expose().to_owned(),
        until: provider.clock.unix() + LIFETIME,
    };
    match seal(visitor.visit.tenant(), PURPOSE, &kept, &provider.clock) {
        Ok(value) => {
            let lifetime = time::Duration::seconds(LIFETIME);
            visitor
                .visit
                .jar
                .set(response, Cookie::ConsoleSecret, value, Some(lifetime));
        }
        Err(error) => tracing::error!(%error, "a new secret can't be shown"),
    }
}

/// The secret that is to be shown on the page of this thing.
pub fn find(visitor: &Visitor, request: &HttpRequest, of: Uuid) -> Option<String> {
    let name = CookiePlace::of(&visitor.visit.at.issuer).name(Cookie::ConsoleSecret);
    let kept: Kept = open(
        visitor.visit.tenant(),
        PURPOSE,
        cookies::find(request, &name)?,
    )?;
    let fits = kept.of == of
        && kept.tenant == visitor.tenant.id().uuid()
        && kept.session == visitor.session.sid
        && kept.until > visitor.provider().clock.unix();
    fits.then_some(kept.secret)
}

/// It was shown.
pub fn forget(visitor: &Visitor, response: &mut HttpResponse) {
    visitor.visit.jar.set(
        response,
        Cookie::ConsoleSecret,
        String::new(),
        Some(time::Duration::ZERO),
    );
}
