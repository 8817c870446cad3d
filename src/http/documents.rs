//! The two documents that every verifier reads, over and over: keys and metadata.
//!
//! They are rendered once and answered before anything else is done: without a route, an extractor or a wait. Whatever isn't at hand, or is
//! asked for in a less usual way (HEAD, `If-None-Match`), goes the way of all requests, and ends at the same bytes.

use std::sync::{Arc, Weak};
use std::time::Instant;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_TYPE, ETAG,
    HOST, HeaderMap, HeaderValue, IF_NONE_MATCH,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::metrics::Successes;
use super::telemetry::{Answered, Observer, REQUEST_ID};
use super::{connections, discovery, headers};
use crate::flows::Provider;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::protocol::discovery::paths;

/// How long metadata may be cached, in seconds: it changes when resources do.
const METADATA_MAX_AGE: u64 = 300;

/// How many rendered metadata documents are kept; each has some two kilobytes.
const KEPT: usize = 4_096;

/// The routes of the documents, as the access line and the metrics name them.
const ROUTES: [&str; 3] = [
    "/tenant/jwks",
    "/tenant/.well-known/openid-configuration",
    "/tenant/.well-known/oauth-authorization-server",
];

/// Whether a route is one of these documents.
pub(super) fn is_document(route: &str) -> bool {
    ROUTES.contains(&route)
}

/// A document as it is answered.
#[derive(Clone)]
pub struct Document {
    /// What it says.
    pub body: Bytes,
    /// Its version.
    pub tag: HeaderValue,
    cache_control: HeaderValue,
    content_type: &'static str,
}

impl Document {
    fn new(body: Bytes, max_age: u64, content_type: &'static str) -> Option<Self> {
        let hash = Sha256::digest(&body);
        let tag = hash
            .iter()
            .take(12)
            .fold(String::from("\""), |tag, byte| format!("{tag}{byte:02x}"))
            + "\"";
        Some(Self {
            body,
            tag: HeaderValue::from_str(&tag).ok()?,
            cache_control: HeaderValue::from_str(&format!("public, max-age={max_age}")).ok()?,
            content_type,
        })
    }

    /// Puts what is to be known of it on its answer.
    pub fn describe(&self, headers: &mut HeaderMap) {
        headers.insert(CACHE_CONTROL, self.cache_control.clone());
        headers.insert(ETAG, self.tag.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
    }
}

/// Which document of an issuer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Jwks,
    Metadata,
}

/// A rendered document, and the tenant that it was rendered for: a change makes another.
struct Rendered {
    tenant: Weak<Tenant>,
    document: Document,
}

struct Inner {
    provider: web::Data<Provider>,
    observer: web::Data<Observer>,
    rendered: quick_cache::sync::Cache<(Arc<str>, Kind), Arc<Rendered>>,
    successes: [Successes; 3],
}

/// The documents of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Documents(Arc<Inner>);

impl Documents {
    /// None rendered yet.
    pub fn new(provider: web::Data<Provider>, observer: web::Data<Observer>) -> Self {
        let successes = ROUTES.map(|route| observer.metrics().successes(route, "GET"));
        Self(Arc::new(Inner {
            provider,
            observer,
            rendered: quick_cache::sync::Cache::new(KEPT),
            successes,
        }))
    }

    /// The published keys. `None` where they can't be described, which is a failure of ours.
    pub fn jwks(&self, at: &TenantAt) -> Option<Document> {
        self.rendered(at, Kind::Jwks, || {
            let max_age = self.0.provider.config.jwks_max_age.as_secs();
            Document::new(at.tenant.keys.jwks(), max_age, "application/jwk-set+json")
        })
    }

    /// The metadata at one of the tenant's addresses. `None` where it can't be written, which is a failure of ours.
    pub fn metadata(&self, at: &TenantAt) -> Option<Document> {
        self.rendered(at, Kind::Metadata, || {
            let body = discovery::metadata_of(&self.0.provider, at)?;
            Document::new(body.into(), METADATA_MAX_AGE, "application/json")
        })
    }

    fn rendered(
        &self,
        at: &TenantAt,
        kind: Kind,
        render: impl FnOnce() -> Option<Document>,
    ) -> Option<Document> {
        let key = (Arc::clone(&at.issuer), kind);
        if let Some(found) = self.0.rendered.get(&key)
            && std::ptr::eq(found.tenant.as_ptr(), Arc::as_ptr(&at.tenant))
        {
            return Some(found.document.clone());
        }
        let document = render()?;
        let rendered = Rendered {
            tenant: Arc::downgrade(&at.tenant),
            document: document.clone(),
        };
        self.0.rendered.insert(key, Arc::new(rendered));
        Some(document)
    }

    /// The answer, if it is at hand.
    pub(super) fn answer(&self, request: &ServiceRequest) -> Option<HttpResponse> {
        let path = request.path();
        if request.method() != Method::GET
            || !(path.ends_with(paths::JWKS) || path.contains("/.well-known/"))
            || request.headers().contains_key(IF_NONE_MATCH)
        {
            return None;
        }
        let begun = Instant::now();
        let host = match request.uri().authority() {
            Some(authority) => authority.as_str(),
            None => request.headers().get(HOST)?.to_str().ok()?,
        };
        let at = self.0.provider.locate_at_hand(host, path)?;
        let (document, route) = match at.rest.as_str() {
            paths::JWKS => (self.jwks(&at)?, 0),
            paths::OPENID_CONFIGURATION => (self.metadata(&at)?, 1),
            paths::OAUTH_AUTHORIZATION_SERVER => (self.metadata(&at)?, 2),
            _ => return None,
        };
        connections::touch(request);
        let client = self.0.observer.client(request);
        let id = self.0.observer.request_id(request, &client);
        let mut response = HttpResponse::with_body(StatusCode::OK, document.body.clone());
        let headers = response.headers_mut();
        document.describe(headers);
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("WWW-Authenticate, X-Request-Id"),
        );
        headers::insert(headers, self.0.provider.config.public_url.is_https());
        if let Ok(id) = HeaderValue::from_str(id.as_str()) {
            headers.insert(REQUEST_ID, id);
        }
        let duration = begun.elapsed();
        self.0.successes[route].count(duration);
        let answered = Answered {
            method: "GET",
            route: ROUTES[route],
            status: 200,
            duration,
            tenant: at.tenant.slug().as_str(),
            address: &client.address,
        };
        answered.log(&id, None);
        Some(response.map_into_boxed_body())
    }
}
