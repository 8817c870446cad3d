//! The authorization endpoint: takes a request, and sends the browser to whatever comes next.

use actix_web::HttpResponse;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::render;
use super::visit::Visit;
use crate::domain::client::Client;
use crate::flows::authorize::{
    AuthorizeRefusal, CheckedRequest, Flow, Outcome, PushedRefusal, Recipient, Step,
};
use crate::flows::interaction::Interaction;
use crate::flows::sessions::SignedIn;
use crate::http::error::{PageError, redirect};
use crate::http::extract::{FormBody, Query};
use crate::protocol::prompt::{Display, Prompt};
use crate::protocol::redirect_uri::RedirectResponse;
use crate::protocol::scope::OPENID;
use crate::protocol::session_state::session_state;
use crate::protocol::{ErrorCode, OAuthError, Params, ValidatedRedirect};

/// What a browser wants that a link led to us (`Sec-Fetch-Dest`).
const DOCUMENT: &str = "document";

/// Where a request goes on.
const CONTINUE: &str = "/authorize/continue";

/// A request that waits for its person, checked anew, and who is there.
pub struct Pending {
    /// The request.
    pub checked: CheckedRequest,
    /// What has been done since it came.
    pub interaction: Interaction,
    /// Who is signed in, with what they allowed the client.
    pub signed_in: Vec<SignedIn>,
    /// What their sessions come to, where the tenant offers session management.
    browser_state: Option<String>,
}

impl Pending {
    /// As the flows see it.
    pub fn flow<'a>(&'a self, visit: &'a Visit) -> Flow<'a> {
        Flow {
            at: &visit.at,
            checked: &self.checked,
            interaction: &self.interaction,
            signed_in: &self.signed_in,
        }
    }

    /// Whether a page may be shown at all: with `prompt=none` never, by whichever address the browser comes.
    pub fn allows_page(&self) -> bool {
        !self.checked.request.prompt.contains(Prompt::None)
    }

    /// An answer with the cookie that its `session_state` is checked against.
    pub fn answer(&self, visit: &Visit, mut response: HttpResponse) -> HttpResponse {
        visit.keep_browser_state(&mut response, self.browser_state.as_deref());
        response
    }

    /// Tells the client.
    pub async fn refuse(
        &self,
        visit: &Visit,
        error: OAuthError,
    ) -> Result<HttpResponse, PageError> {
        let CheckedRequest {
            client,
            redirect: to,
            ..
        } = &self.checked;
        let answer = answer_to(visit, client, to, &error).await?;
        // What a page asks by `prompt=none` in a frame of its own leads nobody anywhere, and could show nothing there.
        let is_led = match visit.destination() {
            Some(destination) => destination == DOCUMENT,
            None => self.allows_page(),
        };
        let asks = is_led && self.signed_in.is_empty() && client.has_strangers_addresses();
        Ok(if asks {
            render::onward_page(&visit.caller, &visit.at, &error, to, &answer)
        } else {
            redirect(answer, &visit.at, &visit.caller)
        })
    }

    /// Sends the browser to one of our own pages, with the request.
    pub async fn send_to(
        &self,
        visit: &Visit,
        path: &str,
        interaction: &Interaction,
    ) -> Result<HttpResponse, PageError> {
        match interaction.to_text(&visit.at, &visit.provider.clock) {
            Ok(text) => Ok(visit.see_other(path, &[("flow", &text)])),
            Err(error) => self.refuse(visit, error).await,
        }
    }
}

/// What the client is told of an error.
async fn answer_to(
    visit: &Visit,
    client: &Client,
    to: &ValidatedRedirect,
    error: &OAuthError,
) -> Result<RedirectResponse, PageError> {
    tracing::info!(client = %client.id, %error, "an authorization request was refused");
    let tenant = &visit.at.tenant;
    let origin = &visit.caller.origin;
    let answer = visit
        .provider
        .answer_error(tenant, client, to, error, origin);
    match answer.await.map_err(|error| visit.fail(error))? {
        Some(answer) => Ok(answer),
        None => Err(visit.refuse(OAuthError::new(
            ErrorCode::TooManyRequests,
            "too many signed errors were asked for from here; try again in a minute",
        ))),
    }
}

/// Tells the client of a request that can't be fulfilled, before anybody had a part in it.
///
/// RFC 9700 §4.11.2: a browser is sent by itself only to where somebody here trusts. Where a stranger registered the address, any link of theirs to
/// us would lead on to it, so whoever isn't signed in is asked first.
async fn tell(
    visit: &Visit,
    recipient: &Recipient,
    error: &OAuthError,
) -> Result<HttpResponse, PageError> {
    let (client, to) = (&recipient.client, &recipient.redirect);
    let answer = answer_to(visit, client, to, error).await?;
    let is_led = visit.destination().is_none_or(|named| named == DOCUMENT);
    let asks = is_led
        && client.has_strangers_addresses()
        && visit.signed_in(Some(client.id)).await?.is_empty();
    Ok(if asks {
        render::onward_page(&visit.caller, &visit.at, error, to, &answer)
    } else {
        redirect(answer, &visit.at, &visit.caller)
    })
}

/// `GET /authorize`.
pub async fn get(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    let pending = begin(&visit, &params).await?;
    proceed(&visit, &pending).await
}

/// `POST /authorize`. The browser goes on by GET, so that the session's cookie comes along where it is `SameSite=Lax`.
pub async fn post(visit: Visit, FormBody(params): FormBody) -> Result<HttpResponse, PageError> {
    let pending = begin(&visit, &params).await?;
    pending
        .send_to(&visit, CONTINUE, &pending.interaction)
        .await
}

/// `GET /authorize/continue`: something was done, what comes next?
pub async fn resume(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    let text = visit.parameter(&params, "flow")?;
    let pending = take_up(&visit, text).await?;
    proceed(&visit, &pending).await
}

async fn begin(visit: &Visit, params: &Params) -> Result<Pending, PageError> {
    let checked = visit
        .provider
        .check_authorization_request(&visit.at, params)
        .await;
    let checked = match checked {
        Ok(checked) => checked,
        Err(refusal) => return Err(stop(visit, refusal).await),
    };
    let interaction = Interaction {
        params: checked.waiting_params(),
        started_at: visit.provider.now(),
        selected: None,
        begun: None,
        expected_sub: checked.expected_sub.clone(),
    };
    with_people(visit, checked, interaction).await
}

/// Takes up a request that waited.
pub async fn take_up(visit: &Visit, text: &str) -> Result<Pending, PageError> {
    let interaction =
        Interaction::parse(&visit.at, text, visit.provider.now()).map_err(|reason| {
            tracing::info!(%reason, "a pending request can't be taken up");
            visit.refuse(reason)
        })?;
    let checked = visit
        .provider
        .check_waiting_request(&visit.at, &interaction)
        .await;
    let checked = match checked {
        Ok(checked) => checked,
        Err(refusal) => return Err(stop(visit, refusal).await),
    };
    with_people(visit, checked, interaction).await
}

/// Takes up a request whose page was answered. With `prompt=none` no page was ever shown, and what is sent as its answer isn't looked at.
pub async fn take_up_answered(visit: &Visit, text: &str) -> Result<Pending, PageError> {
    let pending = take_up(visit, text).await?;
    if pending.allows_page() {
        return Ok(pending);
    }
    Err(proceed(visit, &pending).await?.into())
}

async fn with_people(
    visit: &Visit,
    mut checked: CheckedRequest,
    interaction: Interaction,
) -> Result<Pending, PageError> {
    let in_popup = checked.request.display == Some(Display::Popup);
    if in_popup && checked.client.metadata.popup_sign_in {
        visit.keep_opener();
    }
    let signed_in = visit.signed_in(Some(checked.client.id)).await?;
    let browser_state = visit.browser_state(&signed_in);
    // OpenID Connect Session Management §2: for whoever asks who the person is, and whose pages have an origin.
    if let Some(state) = &browser_state
        && checked.scope.contains(OPENID)
        && let Some(origin) = checked.redirect.origin()
    {
        let salt = URL_SAFE_NO_PAD.encode(visit.provider.clock.random_bytes::<16>());
        let client = checked.client.id.to_string();
        let value = session_state(&client, &origin, state, &salt);
        checked.redirect = checked.redirect.with_session_state(Some(value));
    }
    Ok(Pending {
        checked,
        interaction,
        signed_in,
        browser_state,
    })
}

/// How a request ends that gets no further.
async fn stop(visit: &Visit, refusal: AuthorizeRefusal) -> PageError {
    match refusal {
        AuthorizeRefusal::Failed(error) => visit.fail(error),
        AuthorizeRefusal::Page(error) => {
            tracing::info!(%error, "an authorization request was refused on a page");
            visit.refuse(error)
        }
        AuthorizeRefusal::Redirect(recipient, error) => {
            // Nothing but the way back, to a page of the client's own: whatever the request asked for.
            if recipient.client.metadata.popup_sign_in {
                visit.keep_opener();
            }
            match tell(visit, &recipient, &error).await {
                Ok(answer) => answer.into(),
                Err(error) => error,
            }
        }
    }
}

/// Does what comes next, or sends the browser to where it is done.
pub async fn proceed(visit: &Visit, pending: &Pending) -> Result<HttpResponse, PageError> {
    let flow = pending.flow(visit);
    let interaction = &pending.interaction;
    let response = match flow.next(None, visit.provider.now()) {
        Step::Grant(person) => match visit
            .provider
            .grant(&flow, person, None, &visit.caller.origin)
            .await
        {
            Ok(Outcome::Granted(response)) => redirect(response, &visit.at, &visit.caller),
            Ok(Outcome::SignedOut) => pending.send_to(visit, "/login", interaction).await?,
            // Looked at anew, and so the person is asked, or the client told that they would have to be.
            Ok(Outcome::Withdrawn) => pending.send_to(visit, CONTINUE, interaction).await?,
            Ok(Outcome::Spent) => return Err(visit.refuse(PushedRefusal::Spent)),
            Err(error) => return Err(visit.fail(error)),
        },
        Step::SignIn(_) => pending.send_to(visit, "/login", interaction).await?,
        Step::SelectAccount => {
            pending
                .send_to(visit, "/select-account", interaction)
                .await?
        }
        // The page asks one person; the answer is to be theirs.
        Step::Consent(person) => {
            let asked = interaction.select(person.session.id);
            pending.send_to(visit, "/consent", &asked).await?
        }
        Step::Refuse(error) => pending.refuse(visit, error).await?,
    };
    Ok(pending.answer(visit, response))
}
