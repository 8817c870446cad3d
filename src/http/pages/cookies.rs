//! Cookies: read without trust, and written with every attribute that their place allows.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie as HttpCookie, SameSite};
use actix_web::http::header::COOKIE;
use actix_web::{HttpRequest, HttpResponse};

use crate::flows::browser::{
    Cookie, CookiePlace, CsrfSeed, DEVICE_LIFETIME, DeviceCookie, SessionCookie,
};

/// The most that is looked at, in bytes: a browser may bring cookies of others, too.
const MAX_HEADER: usize = 16 * 1024;

/// The cookies that a browser brought for an issuer.
pub struct Jar {
    place: CookiePlace,
    /// Who is signed in, as the browser claims.
    pub sessions: SessionCookie,
    /// Who signed in before.
    pub devices: DeviceCookie,
    /// What CSRF tokens are made of.
    pub csrf: Option<CsrfSeed>,
    /// What its sessions came to when that was last written down.
    pub browser_state: Option<String>,
}

impl Jar {
    /// Reads the cookies of this issuer.
    pub fn read(request: &HttpRequest, issuer: &str) -> Self {
        let place = CookiePlace::of(issuer);
        let value = |cookie| find(request, &place.name(cookie));
        let (sessions, devices) = (value(Cookie::Session), value(Cookie::Device));
        let csrf = value(Cookie::Csrf).and_then(CsrfSeed::parse);
        let browser_state = value(Cookie::BrowserState).map(ToOwned::to_owned);
        Self {
            sessions: SessionCookie::parse(sessions),
            devices: DeviceCookie::parse(devices),
            csrf,
            browser_state,
            place,
        }
    }

    /// Keeps the sessions in the browser; none takes the cookie away.
    pub fn set_sessions(
        &self,
        response: &mut HttpResponse,
        sessions: &SessionCookie,
        lifetime: u32,
    ) {
        let value = sessions.to_value();
        let lifetime = if value.is_empty() {
            Duration::ZERO
        } else {
            Duration::seconds(lifetime.into())
        };
        self.set(response, Cookie::Session, value, Some(lifetime));
    }

    /// Keeps what the sessions come to.
    pub fn set_browser_state(&self, response: &mut HttpResponse, state: String, lifetime: u32) {
        let lifetime = Duration::seconds(lifetime.into());
        self.set(response, Cookie::BrowserState, state, Some(lifetime));
    }

    /// Keeps the known people in the browser.
    pub fn set_devices(&self, response: &mut HttpResponse, devices: &DeviceCookie) {
        self.set(
            response,
            Cookie::Device,
            devices.to_value(),
            Some(Duration::seconds(DEVICE_LIFETIME)),
        );
    }

    /// Keeps the browser's part of CSRF tokens until it is closed.
    pub fn set_csrf(&self, response: &mut HttpResponse, seed: &CsrfSeed) {
        self.set(response, Cookie::Csrf, seed.to_value(), None);
    }

    /// Writes a cookie; without a lifetime it goes when the browser is closed.
    pub fn set(
        &self,
        response: &mut HttpResponse,
        cookie: Cookie,
        value: String,
        lifetime: Option<Duration>,
    ) {
        // Silent renewal in a frame and requests that a client posts need the session across sites; nothing needs the others there.
        let across_sites =
            matches!(cookie, Cookie::Session | Cookie::BrowserState) && self.place.secure;
        let mut made = HttpCookie::build(self.place.name(cookie), value)
            .path(self.place.path.clone())
            // A script of ours reads this one, and it opens nothing.
            .http_only(cookie != Cookie::BrowserState)
            .secure(self.place.secure)
            .same_site(if across_sites {
                SameSite::None
            } else {
                SameSite::Lax
            });
        if let Some(lifetime) = lifetime {
            made = made.max_age(lifetime);
        }
        if response.add_cookie(&made.finish()).is_err() {
            tracing::error!(cookie = ?cookie, "a cookie can't be written");
        }
    }
}

/// The first value under this name: browsers send the most specific path first (RFC 6265 §5.4).
pub fn find<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    let headers = request
        .headers()
        .get_all(COOKIE)
        .filter_map(|value| value.to_str().ok())
        .filter(|value| value.len() <= MAX_HEADER);
    headers
        .flat_map(|header| header.split(';'))
        .find_map(|pair| {
            let (own, value) = pair.trim().split_once('=')?;
            (own == name).then_some(value)
        })
}
