//! Headers that every answer has: what a browser may do with it.

use actix_web::dev::ServiceResponse;
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// A CSP source that a page's forms may be redirected to: Chromium applies `form-action` to the redirects after a form too. To be put
/// into the response's extensions; only ever a validated redirect's origin.
#[derive(Clone, Debug)]
pub struct FormAction(pub String);

/// The policy of an answer that redirects no form: nearly all of them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; form-action 'self'; \
     frame-ancestors 'none'; base-uri 'none'; connect-src 'none'; object-src 'none'";

/// Puts the headers on every answer. No script but our own files, no framing, no sniffing, no referrer to elsewhere.
pub(super) fn protect<B>(response: &mut ServiceResponse<B>, https: bool) {
    let widened = response
        .response()
        .extensions()
        .get::<FormAction>()
        // A source with a character that a header can't hold is left out rather than failing the page.
        .and_then(|source| {
            let policy = POLICY.replace(
                "form-action 'self'",
                &format!("form-action 'self' {}", source.0),
            );
            HeaderValue::from_str(&policy).ok()
        });
    let headers = response.headers_mut();
    insert(headers, https);
    if let Some(policy) = widened {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
}

/// The headers of an answer that redirects no form.
pub(super) fn insert(headers: &mut HeaderMap, https: bool) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
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
