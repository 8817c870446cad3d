//! Views made into answers: the page around them, and those that need no more than an error or a redirect.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;
use url::Url;

use super::brand_sheet::BrandSheet;
use super::messages::Messages;
use super::views::{
    Account, ClientMark, ErrorPage, FormPost, Onward, Page, TenantMark, Way, WebLink,
};
use crate::clock::Timestamp;
use crate::domain::client::Client;
use crate::domain::user::User;
use crate::flows::browser::issuer_path;
use crate::flows::sessions::display_name;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::http::error::page_response;
use crate::http::extract::Caller;
use crate::http::headers::Exception;
use crate::protocol::redirect_uri::RedirectResponse;
use crate::protocol::{OAuthError, ValidatedRedirect};

/// What a page needs of its surroundings, held while a view borrows it.
pub struct Frame {
    messages: Messages,
    tenant: Option<Mark>,
    base: String,
    static_base: String,
    now: Timestamp,
}

struct Mark {
    name: String,
    slug: String,
    logo_uri: Option<String>,
    brand_sheet: Option<String>,
}

impl Mark {
    fn of(tenant: &Tenant, base: &str) -> Self {
        let branding = &tenant.record.branding;
        Self {
            name: tenant.record.name.clone(),
            slug: tenant.slug().as_str().to_owned(),
            logo_uri: branding.logo_uri().map(ToString::to_string),
            brand_sheet: branding
                .accent()
                .map(|_| BrandSheet::render(branding).href(base)),
        }
    }
}

impl Frame {
    /// A page of a tenant, or of nobody.
    pub fn new(at: Option<&TenantAt>, caller: &Caller, ui_locales: &[String]) -> Self {
        let base = at
            .map(|at| issuer_path(&at.issuer).to_owned())
            .unwrap_or_default();
        // Where a tenant has an origin of its own, nothing lies before `/static/`; elsewhere it's the root's path.
        let static_base = if at.is_some() && base.is_empty() {
            String::new()
        } else {
            caller.root_path.clone()
        };
        Self {
            messages: Messages::negotiate(
                Some(&ui_locales.join(" ")),
                caller.accept_language.as_deref(),
            ),
            tenant: at.map(|at| Mark::of(&at.tenant, &base)),
            base,
            static_base,
            now: Timestamp::UNIX_EPOCH,
        }
    }

    /// With the time, for pages that tell how long ago something was.
    #[must_use]
    pub fn as_of(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }

    /// The page around a view.
    pub fn page(&self) -> Page<'_> {
        let tenant = self.tenant.as_ref().map(|mark| TenantMark {
            name: &mark.name,
            slug: &mark.slug,
            logo_uri: mark.logo_uri.as_deref(),
            brand_sheet: mark.brand_sheet.as_deref(),
        });
        Page {
            messages: self.messages,
            tenant,
            base: &self.base,
            static_base: &self.static_base,
            now: self.now,
        }
    }

    /// What leads to the issuer.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A client as it shows itself, in the page's language.
    pub fn client<'c>(&self, client: &'c Client, id: &'c str) -> ClientMark<'c> {
        let (metadata, lang) = (&client.metadata, self.messages.lang());
        let value = |field, default: &'c Option<String>| {
            metadata.localized.find(field, lang).or(default.as_deref())
        };
        let link = |field, default| value(field, default).and_then(WebLink::parse);
        ClientMark {
            name: value("client_name", &metadata.client_name).unwrap_or(id),
            logo_uri: link("logo_uri", &metadata.logo_uri),
            client_uri: link("client_uri", &metadata.client_uri),
            policy_uri: link("policy_uri", &metadata.policy_uri),
            tos_uri: link("tos_uri", &metadata.tos_uri),
        }
    }
}

/// A person as pages name them.
pub struct Person {
    name: String,
    username: String,
}

impl Person {
    /// This one.
    pub fn of(user: &User) -> Self {
        Self {
            name: display_name(user),
            username: user.email.as_str().to_owned(),
        }
    }

    /// For a view.
    pub fn account(&self) -> Account<'_> {
        Account {
            name: &self.name,
            username: &self.username,
        }
    }
}

/// A view as an answer.
pub fn show(status: StatusCode, view: &impl Template) -> HttpResponse {
    match view.render() {
        Ok(body) => page_response(status, body),
        Err(error) => {
            tracing::error!(%error, "a page can't be rendered");
            HttpResponseBuilder::new(StatusCode::INTERNAL_SERVER_ERROR).finish()
        }
    }
}

/// An error as a page.
pub fn error_page(caller: &Caller, at: Option<&TenantAt>, error: &OAuthError) -> HttpResponse {
    let frame = Frame::new(at, caller, &[]);
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let view = ErrorPage {
        page: frame.page(),
        code: error.code.as_str(),
        status: status.as_u16(),
        description: error.description(),
        request_id: &caller.request_id,
        onward: None,
    };
    show(status, &view)
}

/// An error as a page that asks whether to go on to where its client wants to be told of it: `to` is where `answer` leads.
pub fn onward_page(
    caller: &Caller,
    at: &TenantAt,
    error: &OAuthError,
    to: &ValidatedRedirect,
    answer: &RedirectResponse,
) -> HttpResponse {
    let frame = Frame::new(Some(at), caller, &[]);
    let destination = to.destination();
    let way = match answer {
        RedirectResponse::Location(location) => Way::Link(location),
        RedirectResponse::Form { action, fields } => {
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| (name.as_str(), value.as_str()));
            Way::Form(action, fields.collect())
        }
    };
    // What the client would have been told by a redirect is no fault of the page's own.
    let status = StatusCode::BAD_REQUEST;
    let view = ErrorPage {
        page: frame.page(),
        code: error.code.as_str(),
        status: status.as_u16(),
        description: error.description(),
        request_id: &caller.request_id,
        onward: Some(Onward {
            host: &destination,
            way,
        }),
    };
    let mut response = show(status, &view);
    if matches!(answer, RedirectResponse::Form { .. }) {
        allow_form_action(&mut response, &to.csp_source());
    }
    response
}

/// An authorization response that the browser posts to the client. `action` is a validated redirect's URI.
pub fn form_post(
    at: &TenantAt,
    caller: &Caller,
    action: &str,
    fields: &[(String, String)],
) -> HttpResponse {
    let frame = Frame::new(Some(at), caller, &[]);
    let parameters = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let view = FormPost {
        page: frame.page(),
        redirect_uri: action,
        parameters,
    };
    let mut response = show(StatusCode::OK, &view);
    allow_form_action(&mut response, &csp_source(action));
    response
}

/// Lets a page's forms end at this source.
pub fn allow_form_action(response: &mut HttpResponse, source: &str) {
    response
        .extensions_mut()
        .insert(Exception::FormAction(source.to_owned()));
}

fn csp_source(uri: &str) -> String {
    match Url::parse(uri).map(|url| url.origin()) {
        Ok(origin) if origin.is_tuple() => origin.ascii_serialization(),
        _ => format!("{}:", uri.split(':').next().unwrap_or_default()),
    }
}
