//! The forms that an error takes. A handler's return type chooses: JSON, a page, or a redirect, which can only be made from a redirect
//! URI that was validated. The reason is logged once, here, with the request's id.

use std::cell::Cell;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};

use super::extract::Caller;
use super::pages::render;
use crate::flows::provider::FlowError;
use crate::flows::tenancy::TenantAt;
use crate::protocol::redirect_uri::RedirectResponse;
use crate::protocol::{OAuthError, dpop};

/// How long a client is asked to wait when there is too much to do, in seconds.
const RETRY_SECONDS: &str = "2";

fn status_of(error: &OAuthError) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Writes down why we failed; refusals were logged by their flow.
fn log(error: &FlowError) {
    if let FlowError::Recipient(reason) = error {
        tracing::info!(%reason, "refused");
    } else if error.is_transient() {
        tracing::warn!(%error, "can't answer now");
    } else {
        tracing::error!(%error, "a request failed");
    }
}

/// An error as JSON (RFC 6749 §5.2).
#[derive(Debug)]
pub struct ApiError {
    error: OAuthError,
    status: u16,
    challenges: Vec<String>,
    nonce: Option<String>,
    allow: Option<&'static str>,
    page: Option<Box<PageContext>>,
}

#[derive(Clone)]
struct PageContext {
    caller: Caller,
    at: Option<TenantAt>,
}

impl fmt::Debug for PageContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageContext")
    }
}

impl ApiError {
    /// From within an extractor or a middleware: as a page where the request asks for one.
    pub fn new(error: OAuthError, request: &HttpRequest) -> Self {
        let caller = Caller::of(request);
        let page = caller.wants_html.then(|| {
            Box::new(PageContext {
                caller,
                at: request.extensions().get::<TenantAt>().cloned(),
            })
        });
        Self {
            page,
            ..Self::from(error)
        }
    }

    /// Adds a `WWW-Authenticate` challenge.
    #[must_use]
    pub fn challenge(mut self, challenge: String) -> Self {
        self.challenges.push(challenge);
        self
    }

    /// Gives a nonce for the next proof of possession (RFC 9449 §8).
    #[must_use]
    pub fn nonce(mut self, nonce: Option<String>) -> Self {
        self.nonce = nonce;
        self
    }

    /// For where an access token is presented.
    #[must_use]
    pub fn at_resource(mut self) -> Self {
        self.status = self.error.code.status_at_resource();
        self
    }

    /// Names the methods that would be answered (RFC 9110 §15.5.6).
    #[must_use]
    pub fn allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    /// What it says.
    pub fn error(&self) -> &OAuthError {
        &self.error
    }
}

impl From<OAuthError> for ApiError {
    fn from(error: OAuthError) -> Self {
        Self {
            status: error.status(),
            error,
            challenges: Vec::new(),
            nonce: None,
            allow: None,
            page: None,
        }
    }
}

impl From<FlowError> for ApiError {
    fn from(error: FlowError) -> Self {
        log(&error);
        OAuthError::from(error).into()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        if let Some(context) = &self.page {
            return render::error_page(&context.caller, context.at.as_ref(), &self.error);
        }
        let mut response = HttpResponse::build(self.status_code());
        response
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((PRAGMA, "no-cache"));
        for challenge in &self.challenges {
            response.append_header((WWW_AUTHENTICATE, challenge.as_str()));
        }
        if let Some(nonce) = &self.nonce {
            response.insert_header((dpop::NONCE_HEADER, nonce.as_str()));
        }
        if self.error.status() == 503 {
            response.insert_header((RETRY_AFTER, RETRY_SECONDS));
        }
        if let Some(methods) = self.allow {
            response.insert_header((ALLOW, methods));
        }
        response.json(&self.error)
    }
}

/// Why a page's handler ends early: an error, as a page that a person understands, or an answer that is whole, such as a redirect to where they sign
/// in.
pub struct PageError(Ending);

enum Ending {
    Refusal {
        error: OAuthError,
        context: Box<PageContext>,
    },
    Answer {
        status: StatusCode,
        response: Box<Cell<Option<HttpResponse>>>,
    },
}

impl PageError {
    /// For the tenant's page.
    pub fn new(error: impl Into<OAuthError>, at: &TenantAt, caller: &Caller) -> Self {
        Self(Ending::Refusal {
            error: error.into(),
            context: Box::new(PageContext {
                caller: caller.clone(),
                at: Some(at.clone()),
            }),
        })
    }

    /// For a failure of ours: logged, and told as little as needed.
    pub fn failed(error: FlowError, at: &TenantAt, caller: &Caller) -> Self {
        log(&error);
        Self::new(error, at, caller)
    }
}

impl From<HttpResponse> for PageError {
    fn from(response: HttpResponse) -> Self {
        Self(Ending::Answer {
            status: response.status(),
            response: Box::new(Cell::new(Some(response))),
        })
    }
}

impl fmt::Debug for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageError({self})")
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ending::Refusal { error, .. } => error.fmt(f),
            Ending::Answer { status, .. } => write!(f, "an answer with the status {status}"),
        }
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        match &self.0 {
            Ending::Refusal { error, .. } => status_of(error),
            Ending::Answer { status, .. } => *status,
        }
    }

    fn error_response(&self) -> HttpResponse {
        match &self.0 {
            Ending::Refusal { error, context } => {
                render::error_page(&context.caller, context.at.as_ref(), error)
            }
            // Asked for once, by whoever sends it.
            Ending::Answer { status, response } => response
                .take()
                .unwrap_or_else(|| HttpResponse::new(*status)),
        }
    }
}

/// What a page's handler gives.
pub type Answer = Result<HttpResponse, PageError>;

/// Sends an authorization response to its client, an error too (RFC 6749 §4.1.2.1): there is no other way to make one than from a validated
/// redirect. 303, so that a browser never repeats a POST at the client (RFC 9700 §4.12).
pub fn redirect(response: RedirectResponse, at: &TenantAt, caller: &Caller) -> HttpResponse {
    match response {
        RedirectResponse::Location(location) => HttpResponse::SeeOther()
            .insert_header((LOCATION, location))
            .insert_header((CACHE_CONTROL, "no-store"))
            .finish(),
        RedirectResponse::Form { action, fields } => {
            render::form_post(at, caller, &action, &fields)
        }
    }
}

/// A page's bytes with the headers that every page has.
pub fn page_response(status: StatusCode, body: String) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header((RETRY_AFTER, RETRY_SECONDS));
    }
    response.body(body)
}
