//! Signing out (OpenID Connect RP-Initiated Logout 1.0 §2, §3).
//!
//! A hint that this tenant issued, about whoever is signed in, proves what the client may ask for. Without such a hint the person is asked,
//! in the tenant's name alone: a `client_id`, or somebody else's hint, is what the author of any link can write, and a page that said
//! "Orders asks you to sign out" would lend them our word for it. Such a request is never redirected either, not even after the person agreed.
//! Only a registered URI of the hint's client is.
//!
//! Whoever ends a session has its clients told: by the back channel wherever it ends, see [`super::logout_delivery`]; by the front channel
//! ([Front-Channel Logout 1.0](https://openid.net/specs/openid-connect-frontchannel-1_0.html) §3) here, where the browser is at hand.

use super::authorize::Opened;
use super::browser::CheckedForm;
use super::hint::{IdTokenHint, check_id_token_hint};
use super::issue::subject_of;
use super::provider::{FlowError, Provider};
use super::sessions::SignedIn;
use super::tenancy::TenantAt;
use crate::domain::audit::Origin;
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, SessionId};
use crate::jose::jwe::is_encrypted;
use crate::protocol::logout::LogoutRequest;
use crate::protocol::logout_token::frontchannel_address;
use crate::protocol::redirect_uri::PostLogoutRedirectUri;
use crate::protocol::{OAuthError, uri};
use crate::storage::FrontChannelClient;
use std::sync::Arc;

/// What is to be done about a request to sign out.
pub enum SignOut {
    /// The session is ended (or there was none): to the client, or to the page that says so.
    Done {
        /// Where to, with the state.
        location: Option<String>,
        /// The sessions that ended.
        ended: Vec<SessionId>,
        /// What the browser is to load first.
        frames: Vec<Frame>,
        /// Whether a window that comes back so stays connected with the page that opened it.
        keeps_opener: bool,
    },
    /// The person must be asked; by whom the request was made isn't certain.
    Ask,
    /// The request is wrong: a page, and nobody is signed out.
    Refuse(OAuthError),
}

/// A client's page that is loaded in a frame, so that it forgets its session in this browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which page.
    pub address: String,
    /// Its origin: what a Content-Security-Policy has to admit.
    pub origin: String,
}

/// How many frames one page has at the most: each is a request to somebody else, and all origins stand in one header.
const MOST_FRAMES: usize = 50;

impl Provider {
    /// Answers a client's request to sign a person out.
    pub async fn sign_out_for_client(
        &self,
        at: &TenantAt,
        request: &LogoutRequest,
        signed_in: &[SignedIn],
        origin: &Origin,
    ) -> Result<SignOut, FlowError> {
        let opened = self.open_logout_hint(at, request).await?;
        let hint = opened
            .as_deref()
            .map(|opened| opened.as_str())
            .or(request.id_token_hint.as_deref());
        let hint = match hint
            .map(|hint| check_id_token_hint(&at.tenant, hint))
            .transpose()
        {
            Ok(hint) => hint,
            Err(reason) => {
                tracing::info!(%reason, "a logout hint was refused");
                return Ok(SignOut::Refuse(OAuthError::invalid_request(
                    "id_token_hint is not an ID token that this tenant issued",
                )));
            }
        };
        let client = match self.client_of(at, request, hint.as_ref()).await? {
            Ok(client) => client,
            Err(error) => return Ok(SignOut::Refuse(error)),
        };
        let location = match location(request, client.as_deref()) {
            Ok(location) => location,
            Err(error) => return Ok(SignOut::Refuse(error)),
        };
        let (Some(hint), Some(client)) = (hint, client) else {
            return Ok(ask_or_say(signed_in));
        };
        if signed_in.is_empty() {
            return Ok(SignOut::Done {
                location,
                ended: Vec::new(),
                frames: Vec::new(),
                // As where somebody else is signed in: whoever opened the window doesn't learn which it is.
                keeps_opener: false,
            });
        }
        // §2: where the hint isn't about whoever is here, this is to be treated as suspect.
        let Some(meant) = find_meant(at, &client, &hint, signed_in) else {
            return Ok(SignOut::Ask);
        };
        // By whichever of their sessions they are here.
        let theirs: Vec<_> = signed_in
            .iter()
            .filter(|one| one.user.id == meant.user.id)
            .collect();
        let told = self
            .end_sessions_of_browser(&at.tenant, &theirs, origin)
            .await?;
        let keeps_opener = location.is_some() && client.metadata.popup_sign_in;
        Ok(SignOut::Done {
            location,
            ended: theirs.iter().map(|one| one.session.id).collect(),
            frames: self.frames(at, told).await?,
            keeps_opener,
        })
    }

    /// The hint of a client that names itself and encrypted it to the tenant, opened. §2 has `client_id` for hints "that require the Client Identifier
    /// to be specified by other means, so that the ID Tokens can be decrypted by the OP".
    async fn open_logout_hint(
        &self,
        at: &TenantAt,
        request: &LogoutRequest,
    ) -> Result<Option<Opened>, FlowError> {
        let (Some(hint), Some(named)) = (&request.id_token_hint, &request.client_id) else {
            return Ok(None);
        };
        if !is_encrypted(hint) {
            return Ok(None);
        }
        let client = match named.parse::<ClientId>() {
            Ok(id) => self.find_client(&at.tenant, id).await?,
            Err(_) => None,
        };
        match client {
            Some(client) => self.decrypt_hint(at, &client, hint).await,
            None => Ok(None),
        }
    }

    async fn client_of(
        &self,
        at: &TenantAt,
        request: &LogoutRequest,
        hint: Option<&IdTokenHint>,
    ) -> Result<Result<Option<Arc<Client>>, OAuthError>, FlowError> {
        let named = match (&request.client_id, hint) {
            // §2: "the OP MUST verify that the Client Identifier matches the one used as the audience of the ID Token"
            (Some(named), Some(hint)) if !hint.audiences.contains(named) => {
                return Ok(Err(OAuthError::invalid_request(
                    "client_id is not the client that the id_token_hint was issued to",
                )));
            }
            (Some(named), _) => Some(named.as_str()),
            (None, Some(hint)) => hint.audiences.first().map(String::as_str),
            (None, None) => None,
        };
        let Some(named) = named else {
            return Ok(Ok(None));
        };
        let found = match named.parse::<ClientId>() {
            Ok(id) => self.find_client(&at.tenant, id).await?,
            Err(_) => None,
        };
        Ok(found
            .map(Some)
            .ok_or_else(|| OAuthError::invalid_request("the client is none of this tenant's")))
    }

    /// The pages of clients that want to be told in the browser, each once.
    async fn frames(
        &self,
        at: &TenantAt,
        told: Vec<FrontChannelClient>,
    ) -> Result<Vec<Frame>, FlowError> {
        let mut frames: Vec<Frame> = Vec::new();
        for one in told {
            let Some(client) = self.find_client(&at.tenant, one.client_id).await? else {
                continue;
            };
            let Some((uri, url)) = client
                .metadata
                .frontchannel_logout_uri
                .as_deref()
                .and_then(|uri| Some((uri, uri::parse_web(uri).ok()?)))
            else {
                continue;
            };
            let sid = one.session_id.to_string();
            let session = client
                .metadata
                .frontchannel_logout_session_required
                .then_some((one.issuer.as_str(), sid.as_str()));
            let frame = Frame {
                address: frontchannel_address(uri, session),
                origin: url.origin().ascii_serialization(),
            };
            if frames.len() < MOST_FRAMES && !frames.contains(&frame) {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    /// The person said yes: everybody who is signed in in this browser is signed out. Answers what the browser is to load.
    pub async fn sign_out_confirmed(
        &self,
        at: &TenantAt,
        _form: &CheckedForm,
        signed_in: &[SignedIn],
        origin: &Origin,
    ) -> Result<Vec<Frame>, FlowError> {
        let all: Vec<_> = signed_in.iter().collect();
        let told = self
            .end_sessions_of_browser(&at.tenant, &all, origin)
            .await?;
        self.frames(at, told).await
    }
}

/// Without anybody to sign out there is nothing to ask.
fn ask_or_say(signed_in: &[SignedIn]) -> SignOut {
    if signed_in.is_empty() {
        SignOut::Done {
            location: None,
            ended: Vec::new(),
            frames: Vec::new(),
            keeps_opener: false,
        }
    } else {
        SignOut::Ask
    }
}

/// Where to send the browser; an error for a URI that isn't the client's, whether or not it could be used.
fn location(
    request: &LogoutRequest,
    client: Option<&Client>,
) -> Result<Option<String>, OAuthError> {
    let Some(presented) = &request.post_logout_redirect_uri else {
        return Ok(None);
    };
    let Some(client) = client else {
        return Ok(None);
    };
    let registered = client
        .metadata
        .parse_post_logout_redirect_uris()
        .map_err(|error| {
            tracing::error!(client = %client.id, %error, "the stored post_logout_redirect_uris can't be read");
            OAuthError::server_error("the client's post_logout_redirect_uris can't be read")
        })?;
    let found = PostLogoutRedirectUri::find(&registered, presented).ok_or_else(|| {
        OAuthError::invalid_request("post_logout_redirect_uri is not registered for this client; it must match a registered one exactly")
    })?;
    Ok(Some(found.location(request.state.as_deref())))
}

/// The session that the hint names, or one of the same person.
fn find_meant<'a>(
    at: &TenantAt,
    client: &Client,
    hint: &IdTokenHint,
    signed_in: &'a [SignedIn],
) -> Option<&'a SignedIn> {
    let by_sid = signed_in
        .iter()
        .find(|one| hint.sid.as_deref() == Some(one.session.id.to_string().as_str()));
    by_sid.or_else(|| {
        signed_in
            .iter()
            .find(|one| subject_of(&at.tenant, client, one.user.id) == hint.sub)
    })
}
