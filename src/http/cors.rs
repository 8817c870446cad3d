//! Cross-origin requests of browser applications (CONTRACT, "Tokens"): discovery and JWKS admit everybody; the other endpoints the
//! redirect origins of the tenant's public clients and `allowed_origins`. An origin that isn't known isn't reflected.
//!
//! Registration admits everybody too, where the tenant lets clients register themselves: whoever isn't registered yet has no known origin,
//! and what is presented there is a token in a header, which no browser sends by itself.

use std::sync::Arc;

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};

use crate::domain::settings::RegistrationPolicy;
use crate::flows::Provider;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::protocol::discovery::paths;

/// What a path admits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Admits {
    Everybody,
    KnownOrigins,
    Nobody,
}

fn admits(rest: &str, tenant: &Tenant) -> Admits {
    match rest {
        paths::JWKS | paths::OPENID_CONFIGURATION | paths::OAUTH_AUTHORIZATION_SERVER => {
            Admits::Everybody
        }
        paths::PAR
        | paths::TOKEN
        | paths::DEVICE_AUTHORIZATION
        | paths::USERINFO
        | paths::REVOKE
        | paths::INTROSPECT => Admits::KnownOrigins,
        _ if is_registration(rest)
            && tenant.settings().registration != RegistrationPolicy::Closed =>
        {
            Admits::Everybody
        }
        _ => Admits::Nobody,
    }
}

/// The registration endpoint, and the clients' own below it.
fn is_registration(rest: &str) -> bool {
    rest.strip_prefix(paths::REGISTER)
        .is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// What is to be said to the browser application that a request came from; to be made when the tenant is found.
pub(super) struct Cors {
    admitted: Option<HeaderValue>,
    /// The browser asks before it sends the request itself.
    pub(super) preflight: bool,
    methods: &'static str,
}

impl Cors {
    /// For this request.
    pub(super) async fn of(provider: &Provider, request: &ServiceRequest) -> Self {
        let headers = request.headers();
        let origin = headers.get(ORIGIN);
        let asks = request.method() == Method::OPTIONS
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let found = request.extensions().get::<TenantAt>().map(|at| {
            let methods = if is_registration(&at.rest) {
                "GET, POST, PUT, DELETE"
            } else {
                "GET, POST"
            };
            (
                admits(&at.rest, &at.tenant),
                Arc::clone(&at.tenant),
                methods,
            )
        });
        let Some((admits, tenant, methods)) = found else {
            return Self {
                admitted: None,
                preflight: false,
                methods: "",
            };
        };
        Self {
            admitted: admitted(provider, admits, &tenant, origin).await,
            preflight: asks && admits != Admits::Nobody,
            methods,
        }
    }

    /// Says it.
    pub(super) fn tell(self, headers: &mut HeaderMap) {
        let Some(origin) = self.admitted else {
            return;
        };
        if origin != "*" {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("DPoP-Nonce, WWW-Authenticate, X-Request-Id"),
        );
        if self.preflight {
            headers.insert(
                ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static(self.methods),
            );
            headers.insert(
                ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static("Authorization, Content-Type, DPoP"),
            );
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
}

async fn admitted(
    provider: &Provider,
    admits: Admits,
    tenant: &Tenant,
    origin: Option<&HeaderValue>,
) -> Option<HeaderValue> {
    match (admits, origin) {
        (Admits::Everybody, _) => Some(HeaderValue::from_static("*")),
        (Admits::KnownOrigins, Some(origin)) => {
            let text = origin.to_str().ok().filter(|text| text.len() <= 260)?;
            // Boxed, as most requests have no origin, and each would have room for this.
            let known = Box::pin(provider.is_client_origin(tenant, text)).await;
            // Where the database is away the browser is told nothing, and the request itself gets its 503.
            let known = known.unwrap_or(false);
            known.then(|| origin.clone())
        }
        _ => None,
    }
}
