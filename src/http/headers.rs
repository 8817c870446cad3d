//! Headers that every answer has: what a browser may do with it.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::flows::Provider;

/// A CSP source that a page's forms may be redirected to: Chromium applies `form-action` to the redirects after a form too. To be put
/// into the response's extensions; only ever a validated redirect's origin.
#[derive(Clone, Debug)]
pub struct FormAction(pub String);

/// Puts the headers on every answer. No script but our own files, no framing, no sniffing, no referrer to elsewhere.
pub async fn protect(
    provider: web::Data<Provider>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut response = next.call(request).await?;
    let form_action = response
        .response()
        .extensions()
        .get::<FormAction>()
        .map_or_else(String::new, |source| format!(" {}", source.0));
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; form-action 'self'{form_action}; \
         frame-ancestors 'none'; base-uri 'none'; connect-src 'none'; object-src 'none'"
    );
    let headers = response.headers_mut();
    // A source with a character that a header can't hold is left out rather than failing the page.
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
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
    if provider.config.public_url.is_https() {
        headers.insert(
            STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    Ok(response)
}
