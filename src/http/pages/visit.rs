//! A browser at one of our pages: everything that their handlers work with.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, LOCATION, ORIGIN, REFERER};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use askama::Template;
use url::form_urlencoded::Serializer;

use super::cookies::Jar;
use super::render::{Frame, show};
use super::views::Form;
use crate::domain::ids::{ClientId, SessionId};
use crate::flows::Provider;
use crate::flows::browser::{
    CheckedForm, CsrfSeed, FormOwner, FormPurpose, Provenance, SessionCookie, browser_state,
    issuer_path,
};
use crate::flows::provider::FlowError;
use crate::flows::sessions::SignedIn;
use crate::flows::signin::Visitor;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::http::error::{ApiError, PageError};
use crate::http::extract::Caller;
use crate::http::headers::KeepsOpener;
use crate::protocol::{OAuthError, Params};

/// A browser at a tenant's page.
pub struct Visit {
    /// The provider.
    pub provider: web::Data<Provider>,
    /// Where.
    pub at: TenantAt,
    /// Who sent the request.
    pub caller: Caller,
    /// The cookies that it brought.
    pub jar: Jar,
    origin: Option<String>,
    fetch_site: Option<String>,
    referer: Option<String>,
    request: HttpRequest,
    /// The browser's part of CSRF tokens: the one that it brought, or a new one.
    seed: CsrfSeed,
}

impl FromRequest for Visit {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request).map_err(|error| ApiError::new(error, request)))
    }
}

impl Visit {
    fn of(request: &HttpRequest) -> Result<Self, OAuthError> {
        let at = request.extensions().get::<TenantAt>().cloned();
        let at =
            at.ok_or_else(|| OAuthError::tenant_not_found("no tenant lives at this address"))?;
        let provider = request.app_data::<web::Data<Provider>>().cloned();
        let provider =
            provider.ok_or_else(|| OAuthError::server_error("the server isn't ready"))?;
        // A header that is no text is there nevertheless, and fits nothing.
        let header = |name: HeaderName| {
            let value = request.headers().get(name)?;
            Some(value.to_str().unwrap_or("null").to_owned())
        };
        let jar = Jar::read(request, &at.issuer);
        let seed = jar
            .csrf
            .clone()
            .unwrap_or_else(|| CsrfSeed::generate(&provider.clock));
        Ok(Self {
            caller: Caller::of(request),
            origin: header(ORIGIN),
            fetch_site: header(HeaderName::from_static("sec-fetch-site")),
            referer: header(REFERER),
            jar,
            seed,
            provider,
            at,
            request: request.clone(),
        })
    }

    /// The tenant.
    pub fn tenant(&self) -> &Tenant {
        &self.at.tenant
    }

    /// The page around a view, in the language that fits.
    pub fn frame(&self, ui_locales: &[String]) -> Frame {
        Frame::new(Some(&self.at), &self.caller, ui_locales).as_of(self.provider.now())
    }

    /// Lets the window keep its opener, see [`KeepsOpener`].
    pub fn keep_opener(&self) {
        self.request.extensions_mut().insert(KeepsOpener);
    }

    /// A form of this purpose, to be sent to one of our own pages.
    pub fn form(&self, path: &str, purpose: FormPurpose) -> OwnForm {
        OwnForm {
            action: self.address(path, &[]),
            csrf: self.token(purpose),
        }
    }

    /// The token for a form of this purpose.
    pub fn token(&self, purpose: FormPurpose) -> String {
        self.seed.token(self.tenant(), purpose)
    }

    /// A view with a form as an answer: its token needs the cookie.
    pub fn show_form(&self, status: StatusCode, view: &impl Template) -> HttpResponse {
        let mut response = show(status, view);
        if self.jar.csrf.is_none() {
            self.jar.set_csrf(&mut response, &self.seed);
        }
        response
    }

    /// Takes a form that one of our own pages sent.
    pub fn check(&self, purpose: FormPurpose, params: Params) -> Result<CheckedForm, PageError> {
        CheckedForm::check(
            &self.at,
            self.provenance(),
            self.jar.csrf.as_ref(),
            purpose,
            params,
        )
        .map_err(|reason| {
            tracing::info!(%reason, form = ?purpose, "a form was refused");
            self.refuse(reason)
        })
    }

    /// Whose a form of the console is that one of our own pages sent, be that session over or not.
    pub fn find_owner(&self, params: &Params) -> Option<FormOwner> {
        CheckedForm::find_owner(&self.at, self.provenance(), self.jar.csrf.as_ref(), params)
    }

    fn provenance(&self) -> Provenance<'_> {
        Provenance {
            origin: self.origin.as_deref(),
            fetch_site: self.fetch_site.as_deref(),
            referer: self.referer.as_deref(),
        }
    }

    /// A refusal as a page.
    pub fn refuse(&self, error: impl Into<OAuthError>) -> PageError {
        PageError::new(error, &self.at, &self.caller)
    }

    /// A failure of ours as a page.
    pub fn fail(&self, error: FlowError) -> PageError {
        PageError::failed(error, &self.at, &self.caller)
    }

    /// The address of one of our own pages.
    pub fn address(&self, path: &str, query: &[(&str, &str)]) -> String {
        let base = issuer_path(&self.at.issuer);
        if query.is_empty() {
            return format!("{base}{path}");
        }
        let query = Serializer::new(String::new()).extend_pairs(query).finish();
        format!("{base}{path}?{query}")
    }

    /// The address of this very request.
    pub fn here(&self) -> String {
        let path = self.address(&self.at.rest, &[]);
        match self.request.query_string() {
            "" => path,
            query => format!("{path}?{query}"),
        }
    }

    /// Sends the browser to one of our own pages; 303, so that a form is never sent on (RFC 9700 §4.12).
    pub fn see_other(&self, path: &str, query: &[(&str, &str)]) -> HttpResponse {
        see_other(&self.address(path, query))
    }

    /// What the browser says that it wants the answer for (`Sec-Fetch-Dest`): `document` for what a person comes to see; none where it doesn't say.
    pub fn destination(&self) -> Option<&str> {
        self.request.headers().get("sec-fetch-dest")?.to_str().ok()
    }

    /// The page of this issuer that the browser says it comes from, as path and query below the issuer.
    pub fn referer_below_issuer(&self) -> Option<&str> {
        let below = self.referer.as_deref()?.strip_prefix(&*self.at.issuer)?;
        below.starts_with('/').then_some(below)
    }

    /// A parameter of the address; empty where it is absent.
    pub fn parameter<'p>(&self, params: &'p Params, name: &str) -> Result<&'p str, PageError> {
        let value = params.get(name).map_err(|error| self.refuse(error))?;
        Ok(value.unwrap_or_default())
    }

    /// Who is signed in in this browser; with what they allowed `client`.
    pub async fn signed_in(&self, client: Option<ClientId>) -> Result<Vec<SignedIn>, PageError> {
        self.provider
            .find_signed_in(&self.at, &self.jar.sessions, client)
            .await
            .map_err(|error| self.fail(error))
    }

    /// Whom signing out signs out, whether or not they have been away for too long.
    pub async fn not_signed_out(&self) -> Result<Vec<SignedIn>, PageError> {
        self.provider
            .find_not_signed_out(&self.at, &self.jar.sessions)
            .await
            .map_err(|error| self.fail(error))
    }

    /// Keeps the sessions in the browser, and what they come to.
    pub fn set_sessions(&self, response: &mut HttpResponse, sessions: &SessionCookie) {
        let settings = self.tenant().settings();
        self.jar
            .set_sessions(response, sessions, settings.session_lifetime);
        if settings.session_management {
            let ids = sessions.handles().iter();
            let ids = ids.map(|handle| SessionId::from(handle.id()));
            let state = browser_state(self.tenant(), ids);
            self.jar
                .set_browser_state(response, state, settings.session_lifetime);
        }
    }

    /// What the sessions of the people who are signed in come to; none where the tenant doesn't offer session management.
    pub fn browser_state(&self, signed_in: &[SignedIn]) -> Option<String> {
        let ids = signed_in.iter().map(|person| person.session.id);
        let offered = self.tenant().settings().session_management;
        offered.then(|| browser_state(self.tenant(), ids))
    }

    /// Keeps it in the browser, where something else is there: sessions end elsewhere too.
    pub fn keep_browser_state(&self, response: &mut HttpResponse, state: Option<&str>) {
        if let Some(state) = state
            && self.jar.browser_state.as_deref() != Some(state)
        {
            let lifetime = self.tenant().settings().session_lifetime;
            self.jar
                .set_browser_state(response, state.to_owned(), lifetime);
        }
    }

    /// The browser, as signing in sees it.
    pub fn visitor(&self) -> Visitor<'_> {
        Visitor {
            origin: &self.caller.origin,
            user_agent: &self.caller.user_agent,
            address: &self.caller.address,
            sessions: &self.jar.sessions,
            devices: &self.jar.devices,
        }
    }
}

/// A form of one of our own pages, as it is shown.
pub struct OwnForm {
    action: String,
    csrf: String,
}

impl OwnForm {
    /// The form, with what else must come back.
    pub fn with<'a>(&'a self, hidden: &'a [(&'a str, &'a str)]) -> Form<'a> {
        Form {
            action: &self.action,
            csrf: &self.csrf,
            hidden,
        }
    }
}

/// A redirect that is never kept.
pub fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, location))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}
