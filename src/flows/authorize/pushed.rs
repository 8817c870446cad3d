//! Pushed authorization requests (RFC 9126): a client deposits its request and is given a name for it, with which it sends the browser.
//!
//! Everything about the request is checked as it is pushed, and again as it is used. The name is good for its client, at the address where
//! it was pushed, for a minute; whoever began with it in time may finish within the hour that any sign-in may take, and may begin anew by
//! reloading. Once a code was issued it is spent. What was pushed is kept here and read again at each page: it never travels through
//! the browser.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::Duration;

use super::checks::{AuthorizeRefusal, CheckedRequest};
use super::presented::{ObjectRefusal, Presented, PresentedRefusal, Pushed};
use crate::clock::Timestamp;
use crate::domain::audit::Origin;
use crate::domain::client::Client;
use crate::domain::ids::PushedRequestId;
use crate::domain::pushed_request::PushedRequest;
use crate::domain::settings::LockoutPolicy;
use crate::domain::throttle::{Admission, network_of};
use crate::flows::Provider;
use crate::flows::client_authentication::Sent;
use crate::flows::dpop::{DpopRefusal, ProofRequest, name_of};
use crate::flows::grants::{TokenRefusal, refuse_proof};
use crate::flows::provider::FlowError;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::protocol::discovery::paths;
use crate::protocol::pushed_request::{PushedResponse, handle_of, refuse_request_uri, request_uri};
use crate::protocol::request_object::Beside;
use crate::protocol::{ErrorCode, OAuthError, Params};
use crate::secret::{Handle, Purpose};

/// For how many seconds the browser may begin with a pushed request.
pub const LIFETIME: u32 = 60;

/// The window in which a client's pushed requests are counted, in seconds.
const RATE_WINDOW: u32 = 60;

/// The longest request that is kept, in bytes of its query string; as long as one that waits in the browser may be.
const MAX_PARAMETERS: usize = 32 * 1024;

/// Why a `request_uri` isn't good. Strangers are told the same of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushedRefusal {
    /// It is none, or none of this tenant's.
    #[error("the request_uri is not known in this tenant")]
    Unknown,
    /// Another client pushed it.
    #[error("the request was pushed by another client")]
    OtherClient,
    /// It was pushed at another of the tenant's addresses.
    #[error("the request was pushed at another issuer address")]
    Issuer,
    /// Too late.
    #[error("the request_uri has expired")]
    Expired,
    /// A code was issued for it.
    #[error("a code was issued for the request_uri before")]
    Spent,
}

impl From<PushedRefusal> for OAuthError {
    fn from(_: PushedRefusal) -> Self {
        Self::new(
            ErrorCode::InvalidRequestUri,
            "the request_uri is unknown here, has expired or was used; push the request again",
        )
    }
}

/// How the write of a pushed request ended.
enum Kept {
    Yes,
    TooMany,
    Replayed,
}

/// What pushed requests are counted by, and how many there may be. Anybody can push in a public client's name, and must not be able to use up what
/// others may: those are counted by their network.
fn rate_of(tenant: &Tenant, client: &Client, origin: &Origin) -> ([u8; 32], LockoutPolicy) {
    let network = match &origin.address {
        Some(address) if client.is_public() => network_of(address),
        _ => String::new(),
    };
    let id = client.id.uuid();
    let parts: [&[u8]; 2] = [id.as_bytes(), network.as_bytes()];
    let counter = tenant.browser_key().mac("pushed requests", &parts);
    let policy = LockoutPolicy {
        attempts: tenant.settings().pushed_request_rate,
        window: RATE_WINDOW,
    };
    (*counter.as_bytes(), policy)
}

impl Provider {
    /// Takes a pushed request.
    pub async fn push_authorization_request(
        &self,
        at: &TenantAt,
        sent: Sent<'_>,
        body: &Params,
    ) -> Result<PushedResponse, TokenRefusal> {
        let client = self.authenticate_client(at, sent, body).await?;
        refuse_request_uri(body)?;
        refuse_proof(&client, sent)?;
        let request = ProofRequest {
            proofs: sent.proofs,
            method: "POST",
            uri: &format!("{}{}", at.base(), paths::PAR),
            origin: sent.origin,
        };
        let proof = if sent.proofs.is_empty() {
            None
        } else {
            Some(self.verify_proof(&at.tenant, &client, request, None)?)
        };
        let key = proof.as_ref().map(|proof| proof.thumbprint);
        let mut checked = match self.check_push(at, &client, body).await {
            Ok(checked) => checked,
            Err(AuthorizeRefusal::Page(error) | AuthorizeRefusal::Redirect(_, error)) => {
                return Err(error.into());
            }
            Err(AuthorizeRefusal::Failed(error)) => return Err(error.into()),
        };
        // RFC 9449 §10.1: either way to name the key, or both, which then have to agree.
        match (checked.request.dpop_jkt, key) {
            (Some(named), Some(proved)) if named != proved => {
                return Err(DpopRefusal::Key.into());
            }
            (named, proved) => checked.request.dpop_jkt = named.or(proved),
        }
        let parameters = checked.request.to_query();
        if parameters.len() > MAX_PARAMETERS {
            return Err(OAuthError::invalid_request(
                "the request is too long to be kept; shorten state, nonce, claims or id_token_hint",
            )
            .into());
        }
        let handle = Handle::generate(&self.clock);
        let request = PushedRequest {
            id: PushedRequestId::from(handle.id()),
            client_id: client.id,
            proof: handle.hash(at.tenant.handle_key(), Purpose::PushedRequest),
            issuer: at.issuer.to_string(),
            parameters,
            expires_at: self.now() + Duration::seconds(i64::from(LIFETIME)),
            consumed_at: None,
        };
        let (counter, policy) = rate_of(&at.tenant, &client, sent.origin);
        let remembered = proof
            .as_ref()
            .map(|proof| name_of(&at.tenant, proof))
            .transpose()?;
        // All or nothing: what is refused leaves no row.
        let kept = self.db.write(&*at.tenant, move |repo| {
            if repo.admit_attempt(&counter, &policy)? == Admission::Refused {
                return Ok(Kept::TooMany);
            }
            if let Some((name, until)) = &remembered
                && !repo.consume_once(name, *until)?
            {
                return Ok(Kept::Replayed);
            }
            repo.insert_pushed_request(&request)?;
            Ok(Kept::Yes)
        });
        match (kept.await?, &proof) {
            (Kept::TooMany, _) => {
                return Err(OAuthError::new(
                    ErrorCode::TooManyRequests,
                    "this client pushes too many requests; try again in a minute",
                )
                .into());
            }
            (Kept::Replayed, Some(proof)) => {
                self.note_replay(&at.tenant, &client, proof, sent.origin)
                    .await?;
                return Err(DpopRefusal::Replayed.into());
            }
            _ => {}
        }
        Ok(PushedResponse {
            request_uri: request_uri(handle.to_text(Purpose::PushedRequest).expose()),
            expires_in: LIFETIME,
        })
    }

    /// RFC 9126 §2.1: the checks of the authorization endpoint, all that need no person.
    async fn check_push(
        &self,
        at: &TenantAt,
        client: &Arc<Client>,
        body: &Params,
    ) -> Result<CheckedRequest, AuthorizeRefusal> {
        // The client may have named itself by its authentication alone. One that named another was refused there.
        let id = client.id.to_string();
        let rest = body.iter().filter(|(name, _)| *name != "client_id");
        let named: Params = std::iter::once(("client_id", id.as_str()))
            .chain(rest)
            .collect();
        // RFC 9126 §3: beside an object stands nothing but what authenticates the client.
        let params = self
            .find_signed(at, client, &named, Beside::Ignored)
            .await
            .map_err(|refusal| match refusal {
                ObjectRefusal::Failed(error) => AuthorizeRefusal::Failed(error),
                refusal => {
                    tracing::info!(client = %client.id, reason = %refusal, "a request object was refused");
                    AuthorizeRefusal::Page(refusal.into())
                }
            })?;
        let presented = Presented {
            params,
            pushed: None,
        };
        let presented = self.open_hint(at, client, presented).await?;
        let checked = self.check_parameters(at, client, presented)?;
        self.check_answerable(at, &checked).await?;
        Ok(checked)
    }

    /// The request of this name, for a browser that came by at `since`.
    pub(super) async fn load_pushed<'p>(
        &self,
        at: &TenantAt,
        client: &Client,
        name: &str,
        since: Timestamp,
    ) -> Result<Presented<'p>, PresentedRefusal> {
        let handle = handle_of(name)
            .and_then(|text| Handle::parse(Purpose::PushedRequest, text))
            .ok_or(PushedRefusal::Unknown)?;
        let id = PushedRequestId::from(handle.id());
        let found = self
            .db
            .read(&*at.tenant, move |repo| repo.find_pushed_request(id))
            .await
            .map_err(FlowError::from)?;
        let proof = handle.hash(at.tenant.handle_key(), Purpose::PushedRequest);
        let request = found
            .filter(|request| request.proof.matches(&proof))
            .ok_or(PushedRefusal::Unknown)?;
        // RFC 9126 §2.2: bound to the client that pushed it.
        if request.client_id != client.id {
            return Err(PushedRefusal::OtherClient.into());
        }
        if *request.issuer != *at.issuer {
            return Err(PushedRefusal::Issuer.into());
        }
        if request.consumed_at.is_some() {
            return Err(PushedRefusal::Spent.into());
        }
        if since >= request.expires_at {
            return Err(PushedRefusal::Expired.into());
        }
        let params = Params::parse(request.parameters.as_bytes())
            .map_err(|_| FlowError::Internal("a pushed request's parameters can't be read"))?;
        Ok(Presented {
            params: Cow::Owned(params),
            pushed: Some(Pushed {
                id,
                request_uri: name.to_owned(),
            }),
        })
    }
}
