//! How an authorization request comes: as parameters, as a signed request object (RFC 9101, OpenID Connect Core §6.1) or the address of one (§6.2), or
//! as the name of one that was pushed before (RFC 9126 §4); and what a client and its tenant demand of that. What it asks for is for `checks` to
//! look at.

use std::borrow::Cow;

use super::encrypted::EncryptionRefusal;
use super::pushed::PushedRefusal;
use super::reference::ReferenceRefusal;
use crate::clock::Timestamp;
use crate::domain::client::Client;
use crate::domain::ids::PushedRequestId;
use crate::flows::Provider;
use crate::flows::client_authentication::ClientRefusal;
use crate::flows::console;
use crate::flows::provider::FlowError;
use crate::flows::tenancy::TenantAt;
use crate::flows::trial::is_stand_in;
use crate::jose::jws::JwsError;
use crate::jose::request_object::{
    RequestObjectError, RequestObjectRules, UnverifiedRequestObject,
};
use crate::protocol::pushed_request::handle_of;
use crate::protocol::request_object::{Beside, parameters_of};
use crate::protocol::{ErrorCode, OAuthError, Params, SigningAlgorithm};

/// A pushed request that is being used.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// What is used up once a code is issued.
    pub id: PushedRequestId,
    /// By what name it came.
    pub request_uri: String,
}

/// The parameters that count.
pub(super) struct Presented<'p> {
    pub(super) params: Cow<'p, Params>,
    pub(super) pushed: Option<Pushed>,
}

/// Why a request gets no further before its parameters are known.
#[derive(Debug, thiserror::Error)]
pub(super) enum PresentedRefusal {
    /// It is none of the client's here and now: where an answer to it would go isn't known either.
    #[error(transparent)]
    Pushed(#[from] PushedRefusal),
    /// The client's request object isn't good.
    #[error(transparent)]
    Object(#[from] ObjectRefusal),
    /// It comes in a way in which it may not, or what says how it comes is malformed.
    #[error(transparent)]
    Form(#[from] OAuthError),
    /// A failure of ours.
    #[error(transparent)]
    Failed(#[from] FlowError),
}

/// Why a request object isn't taken.
#[derive(Debug, thiserror::Error)]
pub(in crate::flows) enum ObjectRefusal {
    /// It isn't the client's, or not for us, or not now.
    #[error("the request object: {0}")]
    Object(#[from] RequestObjectError),
    /// It is encrypted, and can't be opened, or isn't and should be.
    #[error(transparent)]
    Encryption(#[from] EncryptionRefusal),
    /// The address that was sent instead of one.
    #[error(transparent)]
    Reference(#[from] ReferenceRefusal),
    /// The client's keys can't be had.
    #[error("the request object can't be verified: {0}")]
    Keys(ClientRefusal),
    /// What it says, or what stands beside it, is no request.
    #[error(transparent)]
    Parameters(#[from] OAuthError),
    /// A failure of ours.
    #[error(transparent)]
    Failed(#[from] FlowError),
}

impl From<JwsError> for ObjectRefusal {
    fn from(error: JwsError) -> Self {
        Self::Object(error.into())
    }
}

impl From<ClientRefusal> for ObjectRefusal {
    fn from(refusal: ClientRefusal) -> Self {
        match refusal {
            ClientRefusal::Failed(error) => Self::Failed(error),
            refusal => Self::Keys(refusal),
        }
    }
}

impl From<ObjectRefusal> for OAuthError {
    fn from(refusal: ObjectRefusal) -> Self {
        match refusal {
            ObjectRefusal::Parameters(error) => error,
            ObjectRefusal::Failed(error) => error.into(),
            ObjectRefusal::Encryption(refusal) => refusal.into(),
            ObjectRefusal::Reference(refusal) => refusal.into(),
            ObjectRefusal::Keys(ClientRefusal::Keys(error)) if error.is_passing() => {
                Self::temporarily_unavailable(
                    "the client's keys can't be fetched at present; try again shortly",
                )
            }
            // What came back from the address is the client's business; where it leads isn't the browser's.
            ObjectRefusal::Keys(_) => Self::new(
                ErrorCode::InvalidRequestObject,
                "the request object can't be verified: the client's jwks or jwks_uri holds no usable keys",
            ),
            ObjectRefusal::Object(_) => {
                Self::new(ErrorCode::InvalidRequestObject, refusal.to_string())
            }
        }
    }
}

impl Provider {
    /// Finds the parameters that count in a request that comes from the browser now.
    pub(super) async fn find_presented<'p>(
        &self,
        at: &TenantAt,
        client: &Client,
        params: &'p Params,
    ) -> Result<Presented<'p>, PresentedRefusal> {
        let (request, request_uri) = (params.get("request")?, params.get("request_uri")?);
        if request.is_some() && request_uri.is_some() {
            // OpenID Connect Core §6.1, §6.2
            return Err(
                OAuthError::invalid_request("request and request_uri exclude each other").into(),
            );
        }
        if let Some(name) = request_uri.filter(|uri| handle_of(uri).is_some()) {
            return self.load_pushed(at, client, name, self.now()).await;
        }
        check_need_not_be_pushed(at, client)?;
        let beside = match request.or(request_uri) {
            // Whoever may send nothing unsigned is not to be added to, either.
            Some(_) if !client.metadata.require_signed_request_object => Beside::of_query(params)?,
            _ => Beside::Ignored,
        };
        let params = match request_uri {
            Some(uri) => {
                let object = self.fetch_object(at, client, uri).await;
                let object = object.map_err(ObjectRefusal::from)?;
                Cow::Owned(
                    self.open_signed(at, client, params, beside, &object)
                        .await?,
                )
            }
            None => self.find_signed(at, client, params, beside).await?,
        };
        Ok(Presented {
            params,
            pushed: None,
        })
    }

    /// Finds them in a request that has waited since, and met every demand then.
    pub(super) async fn find_waiting<'p>(
        &self,
        at: &TenantAt,
        client: &Client,
        params: &'p Params,
        since: Timestamp,
    ) -> Result<Presented<'p>, PresentedRefusal> {
        if let Some(name) = params.get("request_uri")? {
            return self.load_pushed(at, client, name, since).await;
        }
        // It met what was demanded when it came; a profile that was chosen since is for good.
        if at.tenant.profile_of(client).is_fapi() {
            check_need_not_be_pushed(at, client)?;
        }
        Ok(Presented {
            params: Cow::Borrowed(params),
            pushed: None,
        })
    }

    /// Opens the `id_token_hint` where the client encrypted it to the tenant. One that doesn't open stays as it is, and is refused as any other that
    /// isn't ours.
    pub(super) async fn open_hint<'p>(
        &self,
        at: &TenantAt,
        client: &Client,
        presented: Presented<'p>,
    ) -> Result<Presented<'p>, FlowError> {
        let hint = presented.params.get("id_token_hint").ok().flatten();
        let opened = match hint {
            Some(hint) => self.decrypt_hint(at, client, hint).await?,
            None => None,
        };
        let Some(opened) = opened else {
            return Ok(presented);
        };
        let params = presented.params.iter().map(|(name, value)| match name {
            "id_token_hint" => (name, opened.as_str()),
            _ => (name, value),
        });
        Ok(Presented {
            params: Cow::Owned(params.collect()),
            pushed: presented.pushed,
        })
    }

    /// The parameters of the request object, where there is one; of a client that must send one, no others.
    pub(super) async fn find_signed<'p>(
        &self,
        at: &TenantAt,
        client: &Client,
        params: &'p Params,
        beside: Beside,
    ) -> Result<Cow<'p, Params>, ObjectRefusal> {
        let profile = at.tenant.profile_of(client);
        let Some(object) = params.get("request")? else {
            if client.metadata.require_signed_request_object || profile.signs_messages() {
                // RFC 9126 §2.3, RFC 6749 §4.1.2.1: a parameter is missing. There is no object that could be invalid.
                return Err(OAuthError::invalid_request(
                    "this client must send its request as a signed request object",
                )
                .into());
            }
            return Ok(Cow::Borrowed(params));
        };
        self.open_signed(at, client, params, beside, object)
            .await
            .map(Cow::Owned)
    }

    /// The parameters of a request object: decrypted where it is encrypted, and verified.
    async fn open_signed(
        &self,
        at: &TenantAt,
        client: &Client,
        params: &Params,
        beside: Beside,
        object: &str,
    ) -> Result<Params, ObjectRefusal> {
        let profile = at.tenant.profile_of(client);
        let opened = self.decrypt_object(at, client, object).await?;
        let object = opened.as_deref().map_or(object, |opened| opened.as_str());
        let registered = client.metadata.request_object_signing_alg.as_slice();
        let algorithms: &[SigningAlgorithm] = if registered.is_empty() {
            profile.algorithms()
        } else {
            registered
        };
        let unverified = UnverifiedRequestObject::parse(object, algorithms)?;
        let keys = self
            .keys_of_client(&at.tenant, client, unverified.kid())
            .await?;
        // FAPI 2.0 Message Signing §5.3.1, for its requests alone too: it is one demand, whether the profile makes it or the client of itself.
        let is_bounded = profile.signs_messages()
            || profile.is_fapi() && client.metadata.require_signed_request_object;
        let rules = RequestObjectRules {
            client_id: &client.id.to_string(),
            issuer: &at.issuer,
            algorithms,
            max_lifetime: is_bounded.then(|| at.tenant.settings().request_object_lifetime.into()),
            unix: self.clock.unix(),
        };
        let claims = unverified.verify(&keys, rules)?;
        Ok(parameters_of(&claims, params, beside)?)
    }
}

/// RFC 9126 §5, §6. Our own console signs in without a server that could push, and what an administrator demands of applications must not
/// lock them out.
fn check_need_not_be_pushed(at: &TenantAt, client: &Client) -> Result<(), OAuthError> {
    let is_ours = client.id == console::client_id() || is_stand_in(client);
    let demanded = client.metadata.require_pushed_authorization_requests
        || at.tenant.profile_of(client).is_fapi()
        || at.tenant.settings().require_pushed_authorization_requests && !is_ours;
    if demanded {
        return Err(OAuthError::invalid_request(
            "this client must push its authorization request and send the browser with the request_uri that it is given",
        ));
    }
    Ok(())
}
