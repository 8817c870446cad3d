//! A small protected API, one part for each tenant, and the application's calls to it.
//!
//! The API trusts one issuer a part, and needs nothing from it but its address: it verifies as RFC 9068 §4 says, and refuses as RFC 6750 §3 says.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::app::{State, Tenant};
use super::problem::Problem;
use super::relying_party::{Pressed, check_form, see_other};
use super::session::ApiResult;
use super::verify::{AccessTokenWanted, TokenProblem, check_access_token, check_claimed_issuer};

/// Why the API refuses.
enum Refusal {
    NoToken,
    Invalid(TokenProblem),
    Scope,
    Unavailable(String),
}

impl Refusal {
    fn answer(&self, tenant: &Tenant) -> HttpResponse {
        let (status, error, description) = match self {
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                "missing_token",
                "Send an access token in the Authorization header: Bearer TOKEN.".to_owned(),
            ),
            Self::Invalid(problem) => (
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                format!("The access token was refused: {problem}."),
            ),
            Self::Scope => (
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                format!(
                    "The access token lacks the scope {}.",
                    tenant.known.api_scope
                ),
            ),
            Self::Unavailable(reason) => (
                StatusCode::BAD_GATEWAY,
                "issuer_unavailable",
                reason.clone(),
            ),
        };
        let mut response = HttpResponse::build(status);
        match self {
            // RFC 6750 §3.1: a request without a token gets no error code.
            Self::NoToken => response.insert_header((WWW_AUTHENTICATE, "Bearer")),
            Self::Invalid(_) => {
                response.insert_header((WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#))
            }
            Self::Scope => {
                response.insert_header((WWW_AUTHENTICATE, r#"Bearer error="insufficient_scope""#))
            }
            Self::Unavailable(_) => &mut response,
        };
        response.json(
            json!({"error": error, "error_description": description, "tenant": tenant.known.slug}),
        )
    }
}

/// `GET /api/{slug}/hello`: greets the token's subject.
pub(super) async fn hello(
    state: web::Data<State>,
    slug: web::Path<String>,
    request: HttpRequest,
) -> HttpResponse {
    let Ok(tenant) = state.tenant(&slug) else {
        return HttpResponse::NotFound().json(json!({"error": "tenant_not_found", "error_description": "This API knows no such tenant."}));
    };
    match greet(&state, tenant, &request).await {
        Ok(greeting) => HttpResponse::Ok().json(greeting),
        Err(refusal) => refusal.answer(tenant),
    }
}

async fn greet(state: &State, tenant: &Tenant, request: &HttpRequest) -> Result<Value, Refusal> {
    let token = bearer_token(request).ok_or(Refusal::NoToken)?;
    check_claimed_issuer(token, &tenant.known.issuer).map_err(Refusal::Invalid)?;
    let wanted = AccessTokenWanted {
        issuer: &tenant.known.issuer,
        audience: &tenant.known.audience,
        tenant: &tenant.known.slug,
        unix: state.clock.unix(),
    };
    let checked = tenant
        .provider
        .verify(|keys| check_access_token(keys, token, &wanted))
        .await;
    let claims = checked
        .map_err(|problem| Refusal::Unavailable(problem.to_string()))?
        .map_err(Refusal::Invalid)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    if !text("scope")
        .split(' ')
        .any(|scope| scope == tenant.known.api_scope)
    {
        return Err(Refusal::Scope);
    }
    Ok(
        json!({"message": format!("Hello from {}.", tenant.known.name), "tenant": text("tenant"), "sub": text("sub"), "client_id": text("client_id"), "scope": text("scope")}),
    )
}

fn bearer_token(request: &HttpRequest) -> Option<&str> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The application calls its own tenant's API, or (`other`) another's with the same token.
pub(super) async fn call(
    state: web::Data<State>,
    path: web::Path<(String, String)>,
    form: web::Form<Pressed>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (slug, target) = path.into_inner();
    let (handle, signed_in) = state.sessions.load_signed_in(&request, &slug)?;
    check_form(&form, &handle.lock().csrf)?;
    let target = match target.as_str() {
        "own" => state.tenant(&slug)?,
        "other" => state.other_than(&slug).ok_or(Problem::NotFound)?,
        _ => return Err(Problem::NotFound),
    };
    let url = state.api_url(&target.known.slug);
    let unreachable = |reason: String| Problem::Unreachable {
        issuer: url.clone(),
        reason,
    };
    let sent = state
        .http
        .get(&url)
        .bearer_auth(signed_in.access_token.expose())
        .send()
        .await;
    let mut answer = sent.map_err(|error| unreachable(error.to_string()))?;
    let body = answer
        .body()
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    let body = match serde_json::from_slice::<Value>(&body) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap_or_default(),
        Err(_) => String::from_utf8_lossy(&body).into_owned(),
    };
    if let Some(signed_in) = handle.lock().signed_in.get_mut(&slug) {
        signed_in.api_result = Some(ApiResult {
            request: format!("GET /api/{}/hello", target.known.slug),
            status: answer.status().as_u16(),
            body,
        });
    }
    Ok(see_other(&format!("/tenant/{slug}#api")))
}
