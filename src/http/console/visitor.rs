//! Somebody at a page of the console: who, for which tenant, and everything that their page is made of.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError as _};
use askama::Template;

use super::entry;
use super::fault::FaultKind;
use super::kept::{self, Reason};
use super::layout::{Chrome, NavItem, Shell, VisitedTenant};
use super::notice::Notice;
use super::reasons;
use super::sections::{Reach, SECTIONS, Section};
use crate::clock::Timestamp;
use crate::flows::Provider;
use crate::flows::admin::{AdminError, By, Permission, Principal};
use crate::flows::browser::{CheckedForm, FormOwner, FormPurpose, issuer_path};
use crate::flows::console::{ConsoleSession, Door, PATH};
use crate::flows::provider::FlowError;
use crate::flows::sessions::display_name;
use crate::flows::tenancy::Tenant;
use crate::http::error::ApiError;
use crate::http::error::{Answer, PageError};
use crate::http::extract::FormBody;
use crate::http::pages::render::Frame;
use crate::http::pages::visit::{Visit, see_other};
use crate::protocol::Params;
use crate::protocol::slug::Slug;
use crate::protocol::step_up::Demand;

/// Somebody who administers, at a page of the console.
pub struct Visitor {
    /// The browser, at the address of its own tenant.
    pub visit: Visit,
    /// Who they are.
    pub session: ConsoleSession,
    /// The tenant in hand: what the page is about.
    pub tenant: Arc<Tenant>,
    chrome: Chrome,
    frame: Frame,
    /// For a page that is looked at, its own path: where a fresh sign-in leads back to. None for a form that is sent.
    looked_at: Option<String>,
    sent: Sent,
}

/// The form that came with a request, until it is taken.
type Sent = Cell<Option<Result<Params, ApiError>>>;

impl FromRequest for Visitor {
    type Error = PageError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, PageError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let is_form = *request.method() == Method::POST;
        let body = is_form.then(|| FormBody::from_request(&request, payload));
        Box::pin(async move {
            let visit = Visit::extract(&request)
                .await
                .map_err(|error| PageError::from(error.error_response()))?;
            let sent = match body {
                Some(body) => Some(body.await.map(|FormBody(params)| params)),
                None => None,
            };
            Self::enter(visit, &request, Cell::new(sent)).await
        })
    }
}

impl Visitor {
    async fn enter(visit: Visit, request: &HttpRequest, sent: Sent) -> Result<Self, PageError> {
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        let return_to = match request.query_string() {
            "" => visit.at.rest.clone(),
            query => format!("{}?{query}", visit.at.rest),
        };
        let cookies = entry::ConsoleCookies::of(request, &visit.at.issuer);
        let found = visit
            .provider
            .find_console_session(&visit.at, cookies.session.as_deref())
            .await;
        let session = match found.map_err(|error| visit.fail(error))? {
            Door::Open(session) if is_get && session.wants_renewal => {
                return Err(entry::begin(&visit, &return_to, Some(&session), None)
                    .await?
                    .into());
            }
            Door::Open(session) => *session,
            Door::NoRole(user) => return Err(entry::no_role(&visit, &user).into()),
            Door::Shut if is_get => {
                return Err(entry::begin(&visit, &return_to, None, None).await?.into());
            }
            Door::Shut => {
                let kept = kept::offer(&visit, sent.take(), &Reason::Ended);
                return Err(kept.unwrap_or_else(|| entry::ended(&visit)).into());
            }
        };
        let tenant = match request.match_info().get("tenant") {
            None => Arc::clone(&visit.at.tenant),
            Some(slug) => {
                let found = match Slug::parse(slug) {
                    Ok(slug) => visit.provider.find_tenant(&slug).await,
                    Err(_) => Ok(None),
                };
                let found = found.map_err(|error| visit.fail(error))?;
                let reached = found.filter(|tenant| session.principal.reaches(tenant.id()));
                let Some(tenant) = reached else {
                    let tenant = Arc::clone(&visit.at.tenant);
                    return Err(Self::at(visit, session, tenant, None).not_found());
                };
                tenant
            }
        };
        let notice = cookies.notice(&visit.at.tenant);
        Ok(Self {
            looked_at: is_get.then_some(return_to),
            sent,
            ..Self::at(visit, session, tenant, notice)
        })
    }

    fn at(
        visit: Visit,
        session: ConsoleSession,
        tenant: Arc<Tenant>,
        notice: Option<Notice>,
    ) -> Self {
        let home = format!("{}{PATH}", issuer_path(&visit.at.issuer));
        let elsewhere = tenant.id() != visit.at.tenant.id();
        let base = if elsewhere {
            format!("{home}/tenants/{}", tenant.slug())
        } else {
            home.clone()
        };
        let principal = &session.principal;
        let shown = SECTIONS.iter().filter(|section| {
            section.needs.is_none_or(|needs| principal.may(needs))
                && (section.reach == Reach::Tenant || (!elsewhere && principal.is_operator()))
        });
        let nav = shown
            .map(|section| NavItem {
                href: format!("{base}{}", section.path),
                section,
            })
            .collect();
        let name = display_name(&session.user);
        let email = session.user.email.as_str().to_owned();
        let chrome = Chrome {
            nav,
            person: if name.is_empty() { email.clone() } else { name },
            email,
            csrf: visit.token(FormPurpose::Console(owner(&session))),
            notice,
            tenant_name: tenant.record.name.clone(),
            tenant_slug: tenant.slug().as_str().to_owned(),
            visited: elsewhere.then(|| VisitedTenant {
                active: tenant.is_active(),
                back: home.clone(),
            }),
            operator: principal.is_operator(),
            base,
            home,
        };
        let frame = visit.frame(&[]);
        Self {
            visit,
            session,
            tenant,
            chrome,
            frame,
            looked_at: None,
            sent: Cell::default(),
        }
    }

    /// The provider.
    pub fn provider(&self) -> &Provider {
        &self.visit.provider
    }

    /// What they may do.
    pub fn principal(&self) -> &Principal {
        &self.session.principal
    }

    /// As the flows of administration want it.
    pub fn by(&self) -> By {
        self.principal().by(&self.visit.caller.origin)
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        self.provider().now()
    }

    /// Whether they have this permission: for what a page shows or leaves out.
    pub fn may(&self, permission: Permission) -> bool {
        self.principal().may(permission)
    }

    /// Refuses who lacks this permission: a page's first line. Whoever is to change something must have signed in as lately as their tenant
    /// demands it.
    pub fn check(&self, permission: Permission) -> Result<(), PageError> {
        self.principal()
            .check(permission)
            .map_err(|error| self.fault(error))?;
        match (permission, self.principal().demand()) {
            (Permission::Write(_), Some(demand)) => self.check_sign_in(demand),
            _ => Ok(()),
        }
    }

    fn check_sign_in(&self, demand: Demand) -> Result<(), PageError> {
        let (auth_time, now) = (self.principal().auth_time, self.provider().clock.unix());
        match &self.looked_at {
            Some(page) if !entry::half_of(demand).is_met(auth_time, now) => {
                Err(entry::to_sign_in_again(&self.visit, page).into())
            }
            None if !demand.is_met(auth_time, now) => {
                tracing::info!("a change at the console needs a fresh sign-in");
                let mine = Reason::OldSignIn(owner(&self.session));
                let kept = kept::offer(&self.visit, self.sent.take(), &mine);
                Err(kept
                    .unwrap_or_else(|| entry::old_sign_in(&self.visit))
                    .into())
            }
            _ => Ok(()),
        }
    }

    /// Takes the form that a page of this console sent in this session; after that there is none any more. One that the same person began in
    /// another session isn't lost: they are asked whether it still holds.
    pub fn take(&self) -> Result<CheckedForm, PageError> {
        let params = match self.sent.take() {
            Some(Ok(params)) => params,
            Some(Err(error)) => return Err(error.error_response().into()),
            None => return Err(self.trouble(FaultKind::Form, "")),
        };
        let mine = owner(&self.session);
        if kept::is_unfinished(&self.visit, &params, mine) {
            let (reason, sent) = (Reason::OtherSession(mine), Some(Ok(params)));
            let kept = kept::offer(&self.visit, sent, &reason);
            return Err(kept.map_or_else(|| self.trouble(FaultKind::Form, ""), PageError::from));
        }
        self.visit
            .check(FormPurpose::Console(mine), params)
            .map_err(|_| self.trouble(FaultKind::Form, ""))
    }

    /// The page around a view of this section.
    pub fn shell(&self, section: &Section) -> Shell<'_> {
        Shell::new(self.frame.page(), &self.chrome, section.path)
    }

    /// The address of a page of the tenant in hand.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.chrome.base)
    }

    /// A view as an answer.
    pub fn show(&self, view: &impl Template) -> Answer {
        Ok(self.respond(StatusCode::OK, view))
    }

    /// A form as an answer, which wasn't in order.
    pub fn show_again(&self, view: &impl Template) -> Answer {
        Ok(self.respond(StatusCode::UNPROCESSABLE_ENTITY, view))
    }

    /// A view as an answer. What was to be said once has been said by it.
    pub fn respond(&self, status: StatusCode, view: &impl Template) -> HttpResponse {
        let mut response = self.visit.show_form(status, view);
        if self.chrome.notice.is_some() {
            entry::forget_notice(&self.visit, &mut response);
        }
        response
    }

    /// Sends the browser to a page of the tenant in hand.
    pub fn go(&self, path: &str) -> HttpResponse {
        see_other(&self.path(path))
    }

    /// Sends the browser to a page of the tenant in hand, which says what was done.
    pub fn done(&self, path: &str, notice: &Notice) -> Answer {
        let mut response = self.go(path);
        entry::keep_notice(&self.visit, &mut response, notice);
        Ok(response)
    }

    /// Why an act wasn't done, as a page.
    pub fn fault(&self, error: AdminError) -> PageError {
        match error {
            AdminError::Failed(error) => self.fail(error),
            error => {
                let shell = Shell::new(self.frame.page(), &self.chrome, "(none)");
                let detail = reasons::of_refusal(shell, &error);
                self.trouble(FaultKind::of(&error), &detail)
            }
        }
    }

    /// A failure of ours, as a page.
    pub fn fail(&self, error: FlowError) -> PageError {
        self.visit.fail(error)
    }

    /// What a segment of the address names; nothing is there where it can't be read.
    pub fn named<T: FromStr>(&self, request: &HttpRequest, segment: &str) -> Result<T, PageError> {
        let text = request.match_info().get(segment);
        text.and_then(|text| text.parse().ok())
            .ok_or_else(|| self.not_found())
    }

    /// Nothing is here.
    pub fn not_found(&self) -> PageError {
        self.trouble(FaultKind::NotFound, "")
    }

    fn trouble(&self, kind: FaultKind, detail: &str) -> PageError {
        tracing::info!(?kind, detail, "the console refused");
        let shell = Shell::new(self.frame.page(), &self.chrome, "(none)");
        self.respond(
            kind.status(),
            &kind.view(shell, detail, &self.visit.caller.request_id),
        )
        .into()
    }
}

/// Whose the forms of this session are.
fn owner(session: &ConsoleSession) -> FormOwner {
    FormOwner {
        session: session.sid,
        person: session.user.id.uuid(),
    }
}
