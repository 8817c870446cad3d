//! The console's door: signing in and out, and what is said to whoever stays outside.

use actix_web::cookie::time::Duration;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::notice::Notice;
use super::visitor::Visitor;
use crate::domain::user::User;
use crate::flows::browser::{Cookie, CookiePlace};
use crate::flows::console::{
    CallbackRefusal, ConsoleSession, Door, PATH, SIGN_IN_LIFETIME, open, page_to_return_to, seal,
};
use crate::flows::tenancy::Tenant;
use crate::http::error::{Answer, PageError};
use crate::http::extract::Query;
use crate::http::pages::cookies;
use crate::http::pages::render::show;
use crate::http::pages::views::Page;
use crate::http::pages::visit::{Visit, see_other};
use crate::protocol::slug::Slug;
use crate::protocol::step_up::Demand;

/// How long what was done may wait to be said.
const NOTICE_LIFETIME: Duration = Duration::seconds(60);

const NOTICE: &str = "console notice";

/// Where a sign-in ends that was begun beside a form.
pub const SIGNED_IN: &str = "/console/signed-in";

/// The console's cookies, as a browser brought them.
pub struct ConsoleCookies {
    /// The session.
    pub session: Option<String>,
    sign_in: Option<String>,
    notice: Option<String>,
}

impl ConsoleCookies {
    /// Those for an issuer.
    pub fn of(request: &HttpRequest, issuer: &str) -> Self {
        let place = CookiePlace::of(issuer);
        let value = |cookie| cookies::find(request, &place.name(cookie)).map(ToOwned::to_owned);
        Self {
            session: value(Cookie::Console),
            sign_in: value(Cookie::ConsoleSignIn),
            notice: value(Cookie::ConsoleNotice),
        }
    }

    /// What is to be said once.
    pub fn notice(&self, tenant: &Tenant) -> Option<Notice> {
        open(tenant, NOTICE, self.notice.as_deref()?)
    }
}

/// Has the next page say something.
pub fn keep_notice(visit: &Visit, response: &mut HttpResponse, notice: &Notice) {
    match seal(visit.tenant(), NOTICE, notice, &visit.provider.clock) {
        Ok(value) => visit.jar.set(
            response,
            Cookie::ConsoleNotice,
            value,
            Some(NOTICE_LIFETIME),
        ),
        Err(error) => tracing::warn!(%error, "a notice can't be kept"),
    }
}

/// It was said.
pub fn forget_notice(visit: &Visit, response: &mut HttpResponse) {
    forget(visit, response, Cookie::ConsoleNotice);
}

fn forget(visit: &Visit, response: &mut HttpResponse, cookie: Cookie) {
    visit
        .jar
        .set(response, cookie, String::new(), Some(Duration::ZERO));
}

/// Sends the browser to sign in, and back to where it wanted to go.
pub async fn begin(
    visit: &Visit,
    return_to: &str,
    renewed: Option<&ConsoleSession>,
    demand: Option<Demand>,
) -> Result<HttpResponse, PageError> {
    let begun = visit
        .provider
        .begin_console_session(&visit.at, return_to, renewed, demand)
        .await
        .map_err(|error| visit.fail(error))?;
    let mut response = see_other(&begun.location);
    visit.jar.set(
        &mut response,
        Cookie::ConsoleSignIn,
        begun.cookie,
        Some(Duration::seconds(SIGN_IN_LIFETIME.into())),
    );
    Ok(response)
}

/// What whoever stays outside is told.
#[derive(Template)]
#[template(path = "console/outside.html")]
pub struct Outside<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// What happened: a part of the messages' names.
    pub kind: &'a str,
    /// Who is signed in; empty where that doesn't matter.
    pub who: &'a str,
    /// Back to the console.
    pub console: &'a str,
    /// To sign out altogether.
    pub sign_out: &'a str,
}

impl Outside<'_> {
    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        !self.kind.starts_with("signed-")
    }

    /// The message at the top.
    pub fn title(&self) -> String {
        format!("outside-{}", self.kind)
    }

    /// What the button says that leads back.
    pub fn button(&self) -> &'static str {
        if self.kind == "old-sign-in" {
            "sign-in-again"
        } else {
            "to-console"
        }
    }

    /// The message below it.
    pub fn advice(&self) -> String {
        format!("outside-{}-lede", self.kind)
    }
}

fn outside(visit: &Visit, status: StatusCode, kind: &str, who: &str) -> HttpResponse {
    let frame = visit.frame(&[]);
    show(
        status,
        &Outside {
            page: frame.page(),
            kind,
            who,
            console: &visit.address(PATH, &[]),
            sign_out: &visit.address("/logout", &[]),
        },
    )
}

/// Somebody is signed in, but administers nothing.
pub fn no_role(visit: &Visit, user: &User) -> HttpResponse {
    outside(visit, StatusCode::FORBIDDEN, "no-role", user.email.as_str())
}

/// A form was sent when the session was over: nothing was done. See [`kept`](super::kept) for one that holds something.
pub fn ended(visit: &Visit) -> HttpResponse {
    outside(visit, StatusCode::UNAUTHORIZED, "ended", "")
}

/// The path that leads through a fresh sign-in, and back to a page.
pub fn sign_in_again_path(visit: &Visit, return_to: &str) -> String {
    visit.address(
        &format!("{PATH}/sign-in-again"),
        &[("return_to", return_to)],
    )
}

/// To a fresh sign-in before a form is filled in, so that it can be sent.
pub fn to_sign_in_again(visit: &Visit, return_to: &str) -> HttpResponse {
    see_other(&sign_in_again_path(visit, return_to))
}

/// A form was sent by somebody whose sign-in is too old: nothing was done (RFC 9470).
pub fn old_sign_in(visit: &Visit) -> HttpResponse {
    let return_to = visit.referer_below_issuer().unwrap_or(PATH);
    let frame = visit.frame(&[]);
    show(
        StatusCode::UNAUTHORIZED,
        &Outside {
            page: frame.page(),
            kind: "old-sign-in",
            who: "",
            console: &sign_in_again_path(visit, return_to),
            sign_out: "",
        },
    )
}

/// `GET /console/sign-in-again?return_to=`: what is asked for is half of what is demanded, so that there is time to fill in a form.
pub async fn sign_in_again(visitor: Visitor, Query(params): Query) -> Answer {
    let return_to = params.get("return_to").ok().flatten().unwrap_or(PATH);
    let visit = &visitor.visit;
    match visitor.session.principal.demand() {
        Some(demand) => {
            begin(
                visit,
                return_to,
                Some(&visitor.session),
                Some(half_of(demand)),
            )
            .await
        }
        // Nothing is demanded any more.
        None => Ok(visit.see_other(page_to_return_to(return_to), &[])),
    }
}

/// What a page asks for whose form demands so much.
pub fn half_of(demand: Demand) -> Demand {
    Demand {
        max_age: demand.max_age / 2,
    }
}

/// `GET /console/callback`.
pub async fn callback(
    visit: Visit,
    Query(params): Query,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let cookies = ConsoleCookies::of(&request, &visit.at.issuer);
    let waiting = cookies.sign_in.as_deref();
    let arrived = visit
        .provider
        .finish_console_session(&visit.at, waiting, &params, &visit.caller.origin)
        .await;
    let (mut response, session) = match arrived {
        Ok(arrived) => (
            see_other(&visit.address(&arrived.return_to, &[])),
            Some(arrived.cookie),
        ),
        Err(CallbackRefusal::Failed(error)) => return Err(visit.fail(error)),
        // What came is not what this browser waits for: what it waits for may still come.
        Err(CallbackRefusal::Unexpected) => {
            tracing::info!("an answer that no sign-in at the console waits for");
            let known = visit
                .provider
                .find_console_session(&visit.at, cookies.session.as_deref())
                .await
                .map_err(|error| visit.fail(error))?;
            // Whoever went back after signing in is here already. Where they go depends on nothing that came with the answer.
            if !matches!(known, Door::Shut) {
                return Ok(visit.see_other(PATH, &[]));
            }
            return Ok(outside(&visit, StatusCode::BAD_REQUEST, "interrupted", ""));
        }
        Err(refusal) => {
            tracing::info!(%refusal, "a sign-in at the console was refused");
            (
                outside(&visit, StatusCode::BAD_REQUEST, "interrupted", ""),
                None,
            )
        }
    };
    forget(&visit, &mut response, Cookie::ConsoleSignIn);
    if let Some(session) = session {
        // Until the browser is closed: what it holds ends by itself before.
        visit.jar.set(&mut response, Cookie::Console, session, None);
    }
    Ok(response)
}

/// `POST /console/sign-out`: out of the console, and by its client's request out of the tenant.
pub async fn sign_out(visitor: Visitor) -> Answer {
    visitor.take()?;
    let visit = &visitor.visit;
    let mut response = see_other(&visitor.session.sign_out_location(&visit.at));
    forget(visit, &mut response, Cookie::Console);
    Ok(response)
}

/// `GET /console/signed-out`.
pub async fn signed_out(visit: Visit) -> HttpResponse {
    outside(&visit, StatusCode::OK, "signed-out", "")
}

/// `GET /console/signed-in`.
pub async fn signed_in(visitor: Visitor) -> HttpResponse {
    outside(&visitor.visit, StatusCode::OK, "signed-in", "")
}

/// `GET /console/open?tenant=`: for operators, the console of another tenant.
pub async fn open_tenant(visitor: Visitor, Query(params): Query) -> Answer {
    let wanted = params.get("tenant").ok().flatten().unwrap_or_default();
    let slug = Slug::parse(&wanted.trim().to_ascii_lowercase()).map_err(|_| visitor.not_found())?;
    let home = visitor.visit.address(PATH, &[]);
    Ok(see_other(&format!("{home}/tenants/{slug}")))
}
