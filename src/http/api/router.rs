//! The way of every request to its handler: method, token, tenant, permission, header fields, body, in this order. No handler runs before
//! all of it was checked, and none checks any of it again.

use std::sync::{Arc, LazyLock};

use actix_web::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};

use super::answer::Refusal;
use super::call::Call;
use super::operation::{Operation, Takes};
use crate::flows::Provider;
use crate::flows::access::Presented;
use crate::flows::admin::Principal;
use crate::flows::dpop::ProofRequest;
use crate::flows::tenancy::Tenant;
use crate::http::body;
use crate::http::client_certificate::find_certificate;
use crate::http::extract::{Caller, Sender, proofs};
use crate::http::locate::AtAlias;
use crate::protocol::bearer::{PresentedToken, Scheme};
use crate::protocol::slug::Slug;
use crate::protocol::{OAuthError, Params, bearer, dpop};

/// Every operation, in the order in which they are described.
pub fn operations() -> &'static [&'static Operation] {
    static ALL: LazyLock<Vec<&'static Operation>> = LazyLock::new(|| {
        super::SECTIONS
            .iter()
            .flat_map(|section| section.operations)
            .collect()
    });
    &ALL
}

/// The paths with what answers there.
pub fn paths() -> Vec<(&'static str, Vec<&'static Operation>)> {
    let mut paths: Vec<(&str, Vec<_>)> = Vec::new();
    for operation in operations() {
        match paths.iter_mut().find(|(path, _)| *path == operation.path) {
            Some((_, operations)) => operations.push(*operation),
            None => paths.push((operation.path, vec![*operation])),
        }
    }
    paths
}

/// Mounts every operation below `/api/v1`.
pub fn routes(scope: &mut web::ServiceConfig) {
    for (path, operations) in paths() {
        let operations = Arc::new(operations);
        let serve = move |request: HttpRequest, body: web::Payload| {
            let operations = Arc::clone(&operations);
            async move { serve(&operations, request, body).await }
        };
        scope.service(web::resource(format!("/api/v1{path}")).to(serve));
    }
    scope.service(web::resource("/api/{tail:.*}").to(nothing));
}

async fn serve(
    operations: &[&'static Operation],
    request: HttpRequest,
    body: web::Payload,
) -> HttpResponse {
    let is_head = *request.method() == Method::HEAD;
    let wanted = if is_head {
        Method::GET
    } else {
        request.method().clone()
    };
    let Some(operation) = operations
        .iter()
        .find(|operation| (operation.method)() == wanted)
    else {
        return refuse_method(operations, &request);
    };
    match enter(operation, &request, body).await {
        Ok(call) => {
            let nonce = call.nonce.clone();
            let mut response = (operation.handler)(call)
                .await
                .unwrap_or_else(|refusal| problem(&refusal, &request));
            give_nonce(&mut response, nonce.as_deref());
            response
        }
        Err(refusal) => problem(&refusal, &request),
    }
}

fn give_nonce(response: &mut HttpResponse, nonce: Option<&str>) {
    let name = HeaderName::from_static(dpop::NONCE_HEADER);
    if let Some(nonce) = nonce.and_then(|nonce| HeaderValue::from_str(nonce).ok()) {
        response.headers_mut().insert(name, nonce);
    }
}

async fn enter(
    operation: &'static Operation,
    request: &HttpRequest,
    body: web::Payload,
) -> Result<Call, Refusal> {
    let provider = request
        .app_data::<web::Data<Provider>>()
        .cloned()
        .ok_or_else(|| Refusal::new("server_error", "the server isn't ready"))?;
    if !provider.is_current() {
        return Err(Refusal::new(
            "temporarily_unavailable",
            "this node has lost touch with its database; try again shortly",
        ));
    }
    let about = request
        .match_info()
        .get("tenant")
        .map(|slug| Slug::parse(slug).ok());
    let (principal, scheme) =
        authenticate(&provider, request, about.as_ref().and_then(Option::as_ref)).await?;
    let tenant = match about {
        Some(slug) => Some(find(&provider, &principal, slug).await?),
        None => None,
    };
    if let Some(permission) = operation.permission {
        principal.check(permission)?;
    }
    if (operation.method)() != Method::GET {
        principal
            .check_sign_in(provider.clock.unix())
            .map_err(|demand| {
                Refusal::step_up(demand, scheme, provider.config.public_url.root())
            })?;
    }
    let nonce = (scheme == Scheme::Dpop).then(|| provider.dpop_nonce(&principal.home));
    let query = Params::parse(request.query_string().as_bytes())
        .map_err(|error| Refusal::new("malformed_request", error.to_string()))?;
    check_query(operation, &query)?;
    let body = body::read(request, body.into_inner()).await?;
    let body = check_body(operation, request, body)?;
    Ok(Call {
        caller: Caller::of(request),
        nonce,
        provider,
        principal,
        operation,
        tenant,
        request: request.clone(),
        query,
        body,
    })
}

/// Whoever presents the token, and by which scheme.
async fn authenticate(
    provider: &Provider,
    request: &HttpRequest,
    about: Option<&Slug>,
) -> Result<(Principal, Scheme), Refusal> {
    let root = provider.config.public_url.root();
    let unreadable = OAuthError::invalid_request("the Authorization header can't be read");
    let headers: Option<Vec<&str>> = request
        .headers()
        .get_all(AUTHORIZATION)
        .map(|value| value.to_str().ok())
        .collect();
    let headers =
        headers.ok_or_else(|| Refusal::unauthorized(Some(&unreadable), Scheme::Bearer, root))?;
    let PresentedToken { token, scheme } = bearer::find_presented(&headers, None)
        .map_err(|error| Refusal::unauthorized(Some(&error), Scheme::Bearer, root))?
        .ok_or_else(|| Refusal::unauthorized(None, Scheme::Bearer, root))?;
    // A request is routed by a path that begins with `/root`, see `http::locate`.
    let path = request.path();
    let (proofs, uri, origin) = match scheme {
        Scheme::Bearer => Default::default(),
        Scheme::Dpop => {
            // RFC 9449 §4.3, point 9: where it was sent, among the addresses that the configuration knows.
            let base = provider.root_at(request.extensions().contains::<AtAlias>());
            (
                proofs(request),
                format!("{base}{}", path.strip_prefix("/root").unwrap_or(path)),
                Sender::of(request).0,
            )
        }
    };
    let certificate = find_certificate(request)
        .map_err(|error| Refusal::unauthorized(Some(&error), scheme, root))?;
    let presented = Presented {
        certificate: certificate.map(|certificate| certificate.thumbprint()),
        token: token.expose(),
        scheme,
        request: ProofRequest {
            proofs: &proofs,
            method: request.method().as_str(),
            uri: &uri,
            origin: &origin,
        },
    };
    let principal = provider
        .find_principal(about, presented)
        .await
        .map_err(|error| Refusal::door(error, scheme, root))?;
    Ok((principal, scheme))
}

/// The tenant of the path. One that isn't the principal's to see is answered as one that doesn't exist.
async fn find(
    provider: &Provider,
    principal: &Principal,
    slug: Option<Slug>,
) -> Result<Arc<Tenant>, Refusal> {
    let Some(slug) = slug else {
        return Err(Refusal::not_found());
    };
    provider
        .find_tenant(&slug)
        .await?
        .filter(|tenant| principal.reaches(tenant.id()))
        .ok_or_else(Refusal::not_found)
}

fn check_query(operation: &Operation, query: &Params) -> Result<(), Refusal> {
    let mut seen: Vec<&str> = Vec::new();
    for (name, _) in query.iter() {
        let known = operation.query.iter().any(|known| known.name == name)
            || (operation.is_list() && ["limit", "cursor"].contains(&name));
        if !known {
            let name: String = name.chars().take(50).collect();
            return Err(Refusal::new(
                "malformed_request",
                format!("there is no parameter `{name}` here"),
            ));
        }
        if seen.contains(&name) {
            return Err(Refusal::new(
                "malformed_request",
                format!("the parameter `{name}` is there twice"),
            ));
        }
        seen.push(name);
    }
    Ok(())
}

fn check_body(
    operation: &Operation,
    request: &HttpRequest,
    body: Vec<u8>,
) -> Result<Vec<u8>, Refusal> {
    let forms: &[&str] = match operation.takes {
        Takes::Nothing => {
            let empty = body.iter().all(u8::is_ascii_whitespace) || body == b"{}";
            return if empty {
                Ok(Vec::new())
            } else {
                Err(Refusal::new("malformed_request", "this takes no body"))
            };
        }
        Takes::Maybe(_) if body.is_empty() => return Ok(body),
        Takes::Maybe(_) | Takes::Document(_) => &["application/json"],
        Takes::Patch(_) => &["application/merge-patch+json", "application/json"],
    };
    let given = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    if forms.iter().any(|form| given.eq_ignore_ascii_case(form)) {
        return Ok(body);
    }
    Err(Refusal::header(
        "unsupported_media_type",
        "Content-Type",
        format!("must be {}", forms.join(" or ")),
    ))
}

/// A refusal as its answer.
pub fn problem(refusal: &Refusal, request: &HttpRequest) -> HttpResponse {
    let root = request
        .app_data::<web::Data<Provider>>()
        .map(|provider| provider.config.public_url.root().to_owned())
        .unwrap_or_default();
    let document = refusal.problem(&root, &Caller::of(request).request_id);
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_TYPE, "application/problem+json"));
    for challenge in &refusal.challenges {
        response.append_header((WWW_AUTHENTICATE, challenge.as_str()));
    }
    if let Some(nonce) = &refusal.nonce {
        response.insert_header((dpop::NONCE_HEADER, nonce.as_str()));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header((RETRY_AFTER, "2"));
    }
    response.body(serde_json::to_vec(&document).unwrap_or_default())
}

fn refuse_method(operations: &[&'static Operation], request: &HttpRequest) -> HttpResponse {
    let mut response = problem(
        &Refusal::new(
            "method_not_allowed",
            "this address doesn't answer this method",
        ),
        request,
    );
    let methods: Vec<_> = operations
        .iter()
        .map(|operation| (operation.method)().to_string())
        .collect();
    if let Ok(methods) = methods.join(", ").parse() {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}

async fn nothing(request: HttpRequest) -> HttpResponse {
    problem(&Refusal::not_found(), &request)
}
