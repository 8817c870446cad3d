//! What handlers take from a request: the tenant, the caller, and parameters that were read strictly.

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, USER_AGENT};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};

use super::body::{self, is_packed};
use super::error::ApiError;
use super::telemetry::{RequestId, address_of, client_of};
use crate::domain::audit::Origin;
use crate::flows::Provider;
use crate::flows::tenancy::TenantAt;
use crate::protocol::{ErrorCode, OAuthError, Params, dpop};

/// The tenant that the request is for, at the address where it came.
#[derive(Clone)]
pub struct At(pub TenantAt);

impl FromRequest for At {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = request.extensions().get::<TenantAt>().cloned();
        ready(found.map(Self).ok_or_else(|| {
            ApiError::new(
                OAuthError::tenant_not_found("no tenant lives at this address"),
                request,
            )
        }))
    }
}

/// Who sent the request, as far as that is known.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The request's id.
    pub request_id: String,
    /// The client's address; trusted proxies are looked behind.
    pub address: String,
    /// Whether the browser came over https.
    pub secure: bool,
    /// Both of the above as the audit wants them.
    pub origin: Origin,
    /// The browser's word for itself, shortened.
    pub user_agent: String,
    /// The languages it asks for.
    pub accept_language: Option<String>,
    /// Whether it wants a page rather than JSON.
    pub wants_html: bool,
    /// The path of the installation's root: its static files lie under it.
    pub root_path: String,
}

/// How much of `User-Agent` is kept.
const USER_AGENT_MAX: usize = 300;

impl Caller {
    /// From a request that the telemetry has seen.
    pub fn of(request: &HttpRequest) -> Self {
        let header = |name| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let client = client_of(request);
        let address = address_of(request);
        let request_id = RequestId::of(request).as_str().to_owned();
        Self {
            origin: Origin {
                request_id: Some(request_id.clone()),
                address: Some(address.clone()),
            },
            request_id,
            address,
            secure: client.and_then(|client| client.scheme).map_or_else(
                || request.app_config().secure(),
                |scheme| scheme == crate::config::Scheme::Https,
            ),
            user_agent: header(USER_AGENT)
                .unwrap_or_default()
                .chars()
                .take(USER_AGENT_MAX)
                .collect(),
            accept_language: header(ACCEPT_LANGUAGE).map(|value| value.chars().take(200).collect()),
            wants_html: header(ACCEPT).is_some_and(|value| value.contains("text/html")),
            root_path: request
                .app_data::<web::Data<Provider>>()
                .map(|provider| provider.config.public_url.root_path().to_owned())
                .unwrap_or_default(),
        }
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// Who sent the request, as the audit wants it; cheaper than a whole [`Caller`].
pub struct Sender(pub Origin);

impl FromRequest for Sender {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

impl Sender {
    /// From a request that the telemetry has seen.
    pub fn of(request: &HttpRequest) -> Self {
        Self(Origin {
            request_id: Some(RequestId::of(request).as_str().to_owned()),
            address: Some(address_of(request)),
        })
    }
}

/// The values of all `DPoP` headers; one that isn't visible ASCII is no proof, and stays one too many.
pub fn proofs(request: &HttpRequest) -> Vec<&str> {
    request
        .headers()
        .get_all(dpop::HEADER)
        .map(|value| value.to_str().unwrap_or_default())
        .collect()
}

/// The query's parameters.
pub struct Query(pub Params);

impl FromRequest for Query {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let params = Params::parse(request.query_string().as_bytes());
        ready(params.map(Self).map_err(|error| {
            ApiError::new(OAuthError::invalid_request(error.to_string()), request)
        }))
    }
}

/// The parameters of a form that was posted (`application/x-www-form-urlencoded`).
pub struct FormBody(pub Params);

impl FromRequest for FormBody {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            if !is_form(&request) && !is_packed(&request) {
                return Err(ApiError::new(
                    OAuthError::invalid_request(
                        "the body must be application/x-www-form-urlencoded, encoded as UTF-8",
                    ),
                    &request,
                ));
            }
            let body = body::read(&request, payload)
                .await
                .map_err(|unread| ApiError::new(unread.into(), &request))?;
            Params::parse(&body).map(Self).map_err(|error| {
                ApiError::new(OAuthError::invalid_request(error.to_string()), &request)
            })
        })
    }
}

/// The bytes of a JSON document that was sent (`application/json`); not read yet.
pub struct JsonBody(pub Vec<u8>);

impl FromRequest for JsonBody {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            if !is_of_type(&request, "application/json") {
                return Err(ApiError::new(
                    OAuthError::new(
                        ErrorCode::UnsupportedMediaType,
                        "the body must be application/json",
                    ),
                    &request,
                ));
            }
            body::read(&request, payload)
                .await
                .map(Self)
                .map_err(|unread| ApiError::new(unread.into(), &request))
        })
    }
}

fn is_form(request: &HttpRequest) -> bool {
    is_of_type(request, "application/x-www-form-urlencoded")
}

/// Whether the body is said to be of this type, and of no other encoding than UTF-8.
fn is_of_type(request: &HttpRequest, wanted: &str) -> bool {
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts
        .next()
        .is_some_and(|part| part.eq_ignore_ascii_case(wanted));
    essence
        && parts.all(|part| {
            !part.to_ascii_lowercase().starts_with("charset=")
                || part.to_ascii_lowercase().contains("utf-8")
        })
}
