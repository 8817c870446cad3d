//! Headers that every answer has: what a browser may do with it.

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// What one answer's policy allows beyond everybody else's. To be put into the response's extensions.
#[derive(Clone, Debug)]
pub enum Exception {
    /// A source that the page's forms may be redirected to: Chromium applies `form-action` to the redirects after a form too. Only ever a
    /// validated redirect's origin.
    FormAction(String),
    /// The origins that the page loads frames of. Only ever those of registered front-channel logout URIs.
    Frames(Vec<String>),
    /// Anybody may frame the page, which can do nothing but run its script.
    FramedByAnybody,
}

/// Put into a request's extensions where the page that opened the window may keep its handle of it, and the window its opener: the pages of an
/// authorization request by `display=popup` of a client that an administrator registered so, the way back to it from a sign-out, and no other page. A
/// policy that isn't the opener's own would part the two for good, at any step of the way and at a redirect, too.
#[derive(Clone, Copy, Debug)]
pub struct KeepsOpener;

/// The policy of an answer without exceptions: nearly all of them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; form-action 'self'; \
     frame-ancestors 'none'; base-uri 'none'; connect-src 'none'; object-src 'none'";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The policy of a page that is framed: nothing but its script.
const FRAMED: &str =
    "default-src 'none'; script-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors *";

impl Exception {
    fn policy(&self) -> String {
        match self {
            Self::FormAction(source) => POLICY.replace(
                "form-action 'self'",
                &format!("form-action 'self' {source}"),
            ),
            Self::Frames(origins) => format!("{POLICY}; frame-src {}", origins.join(" ")),
            Self::FramedByAnybody => FRAMED.to_owned(),
        }
    }
}

/// Puts the headers on every answer. No script but our own files, no framing, no sniffing, no referrer to elsewhere.
pub(super) fn protect<B>(response: &mut ServiceResponse<B>, https: bool) {
    let excepted = response
        .response()
        .extensions()
        .get::<Exception>()
        // A source with a character that a header can't hold is left out rather than failing the page.
        .and_then(|exception| {
            let policy = HeaderValue::from_str(&exception.policy()).ok()?;
            Some((policy, matches!(exception, Exception::FramedByAnybody)))
        });
    let keeps_opener = response.request().extensions().contains::<KeepsOpener>();
    let headers = response.headers_mut();
    insert(headers, https);
    if keeps_opener {
        headers.insert(OPENER_POLICY, HeaderValue::from_static("unsafe-none"));
    }
    if let Some((policy, framed)) = excepted {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        if framed {
            headers.remove(X_FRAME_OPTIONS);
        }
    }
}

/// The headers of an answer without exceptions.
pub(super) fn insert(headers: &mut HeaderMap, https: bool) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), microphone=(), geolocation=(), payment=()"),
    );
    if https {
        headers.insert(
            STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
}
