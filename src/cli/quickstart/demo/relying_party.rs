//! The application's own pages: begin a sign-in, take its answer, refresh, sign out.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::app::{State, Tenant};
use super::problem::Problem;
use super::provider::Tokens;
use super::session::{Pending, SignedIn};
use super::verify::{Claims, IdTokenWanted, check_id_token, peek};
use super::views;
use crate::secret::PlainSecret;

type Answer = Result<HttpResponse, Problem>;

/// What every form of a signed-in person's page sends.
#[derive(Deserialize)]
pub(super) struct Pressed {
    pub(super) csrf: String,
}

pub(super) async fn start(state: web::Data<State>, request: HttpRequest) -> Answer {
    let session = state.sessions.find(&request);
    let mut session = session.as_ref().map(|handle| handle.lock());
    let person = |slug: &str| {
        session
            .as_ref()
            .and_then(|session| session.signed_in.get(slug))
            .map(person_of)
    };
    let tenant = |tenant: &'_ Tenant| (person(&tenant.known.slug), tenant.known.clone());
    let tenants: Vec<_> = state.tenants.iter().map(tenant).collect();
    let items = tenants.iter().map(|(person, known)| views::TenantItem {
        slug: &known.slug,
        name: &known.name,
        issuer: &known.issuer,
        person: person.clone(),
    });
    let page = views::Start {
        tenants: items.collect(),
        notice: session.as_mut().and_then(|session| session.notice.take()),
    };
    Ok(html(page.render()))
}

/// OpenID Connect Core §3.1.2.1.
pub(super) async fn sign_in(
    state: web::Data<State>,
    slug: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    let tenant = state.tenant(&slug)?;
    let metadata = tenant.provider.metadata().await?;
    let sessions = &state.sessions;
    let (nonce, verifier, asked) = (sessions.random(), sessions.random(), sessions.random());
    // RFC 7636 §4.2.
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let scope = format!(
        "openid profile email offline_access {}",
        tenant.known.api_scope
    );
    let redirect_uri = state.redirect_uri(&slug);
    let location = with_parameters(
        tenant,
        &metadata.authorization_endpoint,
        &[
            ("response_type", "code"),
            ("client_id", &tenant.known.client_id),
            ("redirect_uri", &redirect_uri),
            ("scope", &scope),
            ("resource", &tenant.known.audience),
            ("state", &asked),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ],
    )?;
    let handle = sessions.find_or_begin(&request);
    handle.lock().begin(Pending {
        slug: slug.into_inner(),
        state: asked,
        nonce,
        code_verifier: PlainSecret::new(verifier),
    });
    Ok(HttpResponse::SeeOther()
        .insert_header((LOCATION, location))
        .cookie(handle.cookie())
        .finish())
}

/// The answer to an authorization request (RFC 6749 §4.1.2, RFC 9207 §2).
#[derive(Deserialize)]
pub(super) struct CallbackQuery {
    #[serde(default)]
    state: String,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    #[serde(default)]
    error_description: String,
}

pub(super) async fn callback(
    state: web::Data<State>,
    slug: web::Path<String>,
    query: web::Query<CallbackQuery>,
    request: HttpRequest,
) -> Answer {
    let tenant = state.tenant(&slug)?;
    let query = query.into_inner();
    let handle = state.sessions.find(&request).ok_or(Problem::UnknownState)?;
    let pending = handle
        .lock()
        .consume_pending(&slug, &query.state)
        .ok_or(Problem::UnknownState)?;
    let metadata = tenant.provider.metadata().await?;
    // RFC 9207 §2.4: an answer of another issuer, or none where one was promised, is no answer.
    let issuer_fits = match &query.iss {
        Some(iss) => *iss == tenant.known.issuer,
        None => !metadata.authorization_response_iss_parameter_supported,
    };
    if !issuer_fits {
        return Err(Problem::WrongIssuer);
    }
    let code = match (query.error, query.code) {
        (Some(error), _) => {
            return Err(Problem::Refused {
                error,
                description: query.error_description,
            });
        }
        (None, Some(code)) => code,
        (None, None) => {
            return Err(Problem::Refused {
                error: "invalid_response".to_owned(),
                description: "The answer holds no code.".to_owned(),
            });
        }
    };
    let redirect_uri = state.redirect_uri(&slug);
    let parameters = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", pending.code_verifier.expose()),
    ];
    let tokens = tenant.provider.tokens(&tenant.known, &parameters).await?;
    let signed_in = accept(&state, tenant, tokens, Some(&pending.nonce)).await?;
    let handle = state.sessions.rename(&handle);
    handle.lock().signed_in.insert(slug.clone(), signed_in);
    Ok(HttpResponse::SeeOther()
        .insert_header((LOCATION, format!("/tenant/{slug}")))
        .cookie(handle.cookie())
        .finish())
}

/// Turns the tokens of a sign-in into a signed-in person, once the ID token has proved good.
async fn accept(
    state: &State,
    tenant: &Tenant,
    tokens: Tokens,
    nonce: Option<&str>,
) -> Result<SignedIn, Problem> {
    let no_id_token = || Problem::Refused {
        error: "invalid_response".to_owned(),
        description: "The answer holds no ID token.".to_owned(),
    };
    let id_token = tokens.id_token.ok_or_else(no_id_token)?;
    let claims = verified_id_token(
        state,
        tenant,
        &id_token,
        &tokens.access_token,
        (nonce, None),
    )
    .await?;
    let subject = claims
        .get("sub")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let userinfo = tenant
        .provider
        .userinfo(&tokens.access_token, subject)
        .await;
    Ok(SignedIn {
        id_token: PlainSecret::new(id_token),
        claims,
        userinfo,
        access_token: PlainSecret::new(tokens.access_token),
        refresh_token: tokens.refresh_token.map(PlainSecret::new),
        api_result: None,
        notice: None,
    })
}

async fn verified_id_token(
    state: &State,
    tenant: &Tenant,
    token: &str,
    access_token: &str,
    (nonce, subject): (Option<&str>, Option<&str>),
) -> Result<Claims, Problem> {
    let wanted = IdTokenWanted {
        issuer: &tenant.known.issuer,
        client_id: &tenant.known.client_id,
        nonce,
        subject,
        access_token,
        unix: state.clock.unix(),
    };
    Ok(tenant
        .provider
        .verify(|keys| check_id_token(keys, token, &wanted))
        .await??)
}

pub(super) async fn tenant(
    state: web::Data<State>,
    slug: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    let tenant = state.tenant(&slug)?;
    let Ok((handle, signed_in)) = state.sessions.load_signed_in(&request, &slug) else {
        return Ok(see_other("/"));
    };
    let mut session = handle.lock();
    if let Some(kept) = session.signed_in.get_mut(slug.as_str()) {
        kept.notice = None;
    }
    let result = signed_in.api_result.as_ref();
    let page = views::Tenant {
        slug: &tenant.known.slug,
        name: &tenant.known.name,
        issuer: &tenant.known.issuer,
        other: state
            .other_than(&slug)
            .map(|other| other.known.name.as_str()),
        person: person_of(&signed_in),
        csrf: session.csrf.clone(),
        claims: pretty(&signed_in.claims),
        userinfo: signed_in.userinfo.as_ref().map(pretty),
        access_token: peek(signed_in.access_token.expose()).as_ref().map(pretty),
        can_refresh: signed_in.refresh_token.is_some(),
        notice: signed_in.notice.clone(),
        result: result.map(|result| views::ResultItem {
            request: result.request.clone(),
            status: result.status,
            body: result.body.clone(),
        }),
    };
    Ok(html(page.render()))
}

/// OpenID Connect Core §12.
pub(super) async fn refresh(
    state: web::Data<State>,
    slug: web::Path<String>,
    form: web::Form<Pressed>,
    request: HttpRequest,
) -> Answer {
    let tenant = state.tenant(&slug)?;
    let (handle, signed_in) = state.sessions.load_signed_in(&request, &slug)?;
    check_form(&form, &handle.lock().csrf)?;
    let back = format!("/tenant/{slug}");
    let Some(refresh_token) = &signed_in.refresh_token else {
        return Ok(see_other(&back));
    };
    let parameters = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.expose()),
    ];
    let tokens = match tenant.provider.tokens(&tenant.known, &parameters).await {
        Ok(tokens) => tokens,
        Err(Problem::Refused { error, description }) => {
            // The grant is over: so is the session here.
            let mut session = handle.lock();
            session.signed_in.remove(slug.as_str());
            session.notice = Some(format!(
                "{} ended your access: {description} ({error})",
                tenant.known.name
            ));
            return Ok(see_other("/"));
        }
        Err(other) => return Err(other),
    };
    let mut renewed = SignedIn {
        api_result: None,
        notice: Some("You have a new access token.".to_owned()),
        ..signed_in.clone()
    };
    if let Some(id_token) = tokens.id_token {
        let subject = signed_in.claims.get("sub").and_then(Value::as_str);
        renewed.claims = verified_id_token(
            &state,
            tenant,
            &id_token,
            &tokens.access_token,
            (None, subject),
        )
        .await?;
        renewed.id_token = PlainSecret::new(id_token);
    }
    renewed.access_token = PlainSecret::new(tokens.access_token);
    // RFC 6749 §6: without a new refresh token the old one stays good.
    renewed.refresh_token = tokens
        .refresh_token
        .map(PlainSecret::new)
        .or(renewed.refresh_token);
    handle.lock().signed_in.insert(slug.into_inner(), renewed);
    Ok(see_other(&back))
}

/// OpenID Connect RP-Initiated Logout §2: out of this application first, then out of the tenant.
pub(super) async fn sign_out(
    state: web::Data<State>,
    slug: web::Path<String>,
    form: web::Form<Pressed>,
    request: HttpRequest,
) -> Answer {
    let tenant = state.tenant(&slug)?;
    let (handle, signed_in) = state.sessions.load_signed_in(&request, &slug)?;
    check_form(&form, &handle.lock().csrf)?;
    handle.lock().signed_in.remove(slug.as_str());
    let metadata = tenant.provider.metadata().await?;
    let Some(endpoint) = &metadata.end_session_endpoint else {
        return Ok(see_other("/"));
    };
    let (asked, back) = (
        state.sessions.random(),
        state.post_logout_redirect_uri(&slug),
    );
    let location = with_parameters(
        tenant,
        endpoint,
        &[
            ("id_token_hint", signed_in.id_token.expose()),
            ("client_id", &tenant.known.client_id),
            ("post_logout_redirect_uri", &back),
            ("state", &asked),
        ],
    )?;
    handle.lock().signing_out = Some((slug.into_inner(), asked));
    Ok(see_other(&location))
}

#[derive(Deserialize)]
pub(super) struct SignedOutQuery {
    #[serde(default)]
    state: String,
}

pub(super) async fn signed_out(
    state: web::Data<State>,
    slug: web::Path<String>,
    query: web::Query<SignedOutQuery>,
    request: HttpRequest,
) -> Answer {
    let tenant = state.tenant(&slug)?;
    if let Some(handle) = state.sessions.find(&request) {
        let mut session = handle.lock();
        let expected = session
            .signing_out
            .take_if(|(of, asked)| *of == *slug && *asked == query.state);
        if expected.is_some() {
            session.notice = Some(format!("You are signed out of {}.", tenant.known.name));
        }
    }
    Ok(see_other("/"))
}

pub(super) fn check_form(form: &Pressed, csrf: &str) -> Result<(), Problem> {
    if form.csrf == csrf {
        Ok(())
    } else {
        Err(Problem::ForeignForm)
    }
}

pub(super) fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, location))
        .finish()
}

/// What to call a person: the best of what the issuer told.
fn person_of(signed_in: &SignedIn) -> String {
    let sources = [signed_in.userinfo.as_ref(), Some(&signed_in.claims)];
    let claim = |name: &str| {
        sources
            .iter()
            .flatten()
            .find_map(|claims| claims.get(name)?.as_str().filter(|text| !text.is_empty()))
    };
    ["name", "preferred_username", "email", "sub"]
        .into_iter()
        .find_map(claim)
        .unwrap_or("somebody")
        .to_owned()
}

pub(super) fn pretty(claims: &Claims) -> String {
    serde_json::to_string_pretty(claims).unwrap_or_default()
}

/// An endpoint's address with parameters added to those that it has.
fn with_parameters(
    tenant: &Tenant,
    endpoint: &str,
    parameters: &[(&str, &str)],
) -> Result<String, Problem> {
    let malformed = |_| Problem::Unreachable {
        issuer: tenant.known.issuer.clone(),
        reason: "its discovery document names a malformed address".to_owned(),
    };
    let mut url = Url::parse(endpoint).map_err(malformed)?;
    url.query_pairs_mut().extend_pairs(parameters);
    Ok(url.into())
}

fn html(rendered: askama::Result<String>) -> HttpResponse {
    match rendered {
        Ok(text) => HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .body(text),
        Err(error) => {
            tracing::error!(%error, "a page of the demo application can't be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}
