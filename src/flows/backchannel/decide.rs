//! A person and what is asked of them: which application asks for what, and their answer.
//!
//! Whoever knows somebody's address can have them asked, and hope that they say yes without thinking. So they are always asked, whatever they
//! allowed before, and are told who asks, since when, and what to compare.

use std::sync::Arc;

use super::request::check_permitted;
use crate::domain::audit::Origin;
use crate::domain::backchannel_request::BackchannelRequest;
use crate::domain::client::Client;
use crate::domain::consent::Permissions;
use crate::domain::ids::{BackchannelRequestId, GrantId};
use crate::domain::logout_delivery::DeliveryKind;
use crate::flows::Provider;
use crate::flows::authorize::Decision;
use crate::flows::decoupled::{Answered, Asked};
use crate::flows::provider::FlowError;
use crate::flows::sessions::SignedIn;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::protocol::backchannel_authentication::DeliveryMode;

/// A request that waits for its person.
pub struct WaitingRequest {
    /// The request.
    pub request: BackchannelRequest,
    /// The application that asks.
    pub client: Arc<Client>,
    /// What it would be allowed, as things are now.
    pub permissions: Permissions,
}

impl<'a> From<&'a BackchannelRequest> for Asked<'a> {
    fn from(request: &'a BackchannelRequest) -> Self {
        Self {
            grant: GrantId::from(request.id),
            proof: request.proof,
            issuer: &request.issuer,
            client_id: request.client_id,
            scope: &request.scope,
            resources: &request.resources,
            details: &request.details,
            claims: request.claims.as_ref(),
            expires_at: request.expires_at,
        }
    }
}

/// What tells the application of a decision; nothing where it polls.
pub(super) const fn kind_of(mode: DeliveryMode) -> Option<DeliveryKind> {
    match mode {
        DeliveryMode::Poll => None,
        DeliveryMode::Ping => Some(DeliveryKind::BackchannelPing),
        DeliveryMode::Push => Some(DeliveryKind::BackchannelPush),
    }
}

impl Provider {
    /// How many requests wait for a person here; none where the tenant has no such requests.
    pub async fn count_waiting_requests(
        &self,
        at: &TenantAt,
        person: &SignedIn,
    ) -> Result<Option<usize>, FlowError> {
        if !at.tenant.settings().backchannel_authentication {
            return Ok(None);
        }
        // Whatever the list leaves out, as its application may ask for it no more, nobody is told to answer.
        let waiting = self.list_waiting_requests(at, person).await?;
        Ok(Some(waiting.len()))
    }

    /// The requests that wait for a person here, the youngest first.
    pub async fn list_waiting_requests(
        &self,
        at: &TenantAt,
        person: &SignedIn,
    ) -> Result<Vec<WaitingRequest>, FlowError> {
        let user = person.user.id;
        let found = self
            .db
            .read(&*at.tenant, move |repo| {
                repo.list_waiting_backchannel_requests(user)
            })
            .await?;
        let mut waiting = Vec::with_capacity(found.len());
        for request in found {
            waiting.extend(self.waiting_request(at, request).await?);
        }
        Ok(waiting)
    }

    /// A request that waits for one of the people who are signed in, and which of them. One of somebody else is none.
    pub async fn load_waiting_request<'p>(
        &self,
        at: &TenantAt,
        people: &'p [SignedIn],
        id: BackchannelRequestId,
    ) -> Result<Option<(WaitingRequest, &'p SignedIn)>, FlowError> {
        let found = self
            .db
            .read(&*at.tenant, move |repo| repo.find_backchannel_request(id))
            .await?;
        let Some(request) = found else {
            return Ok(None);
        };
        let asked = request.user_id;
        let Some(person) = people.iter().find(|person| person.user.id == asked) else {
            return Ok(None);
        };
        let waiting = self.waiting_request(at, request).await?;
        Ok(waiting.map(|waiting| (waiting, person)))
    }

    /// The request with its application, if that may still have what it asks for, here.
    async fn waiting_request(
        &self,
        at: &TenantAt,
        request: BackchannelRequest,
    ) -> Result<Option<WaitingRequest>, FlowError> {
        if !request.is_waiting(self.now()) {
            return Ok(None);
        }
        let may_ask = |tenant: &Tenant, client: &Client| check_permitted(tenant, client).is_ok();
        let found = self
            .find_permissible(at, Asked::from(&request), may_ask)
            .await?;
        Ok(found.map(|(client, permissions)| WaitingRequest {
            request,
            client,
            permissions,
        }))
    }

    /// Takes the person's answer: the first one counts.
    pub async fn decide_waiting_request(
        &self,
        at: &TenantAt,
        (waiting, person): (&WaitingRequest, &SignedIn),
        decision: Decision,
        origin: &Origin,
    ) -> Result<Answered, FlowError> {
        let request = waiting.request.clone();
        let told = serde_json::json!({
            "backchannel_request": request.id, "binding_message": request.binding_message,
        });
        let asked = (
            Asked::from(&request),
            &*waiting.client,
            &waiting.permissions,
        );
        let answer = self.answer_to(at, person, asked, (decision, origin), told);
        let user = person.user.id;
        let write = self.db.write(&*at.tenant, move |repo| {
            let answered = answer.write(repo, |repo| match decision {
                Decision::Allow => repo.allow_backchannel_request(request.id, user),
                Decision::Deny => repo.deny_backchannel_request(request.id, user),
            })?;
            if matches!(answered, Answered::Allowed | Answered::Denied)
                && let Some(kind) = kind_of(request.delivery)
            {
                repo.queue_backchannel_delivery(kind, &request)?;
            }
            Ok(answered)
        });
        Ok(write.await?)
    }
}
