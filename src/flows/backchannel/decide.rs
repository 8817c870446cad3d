//! A person and what is asked of them: which application asks for what, and their answer.
//!
//! Whoever knows somebody's address can have them asked, and hope that they say yes without thinking. So they are always asked, whatever they
//! allowed before, and are told who asks, since when, and what to compare.

use std::sync::Arc;

use chrono::Duration;

use super::request::check_permitted;
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::backchannel_request::BackchannelRequest;
use crate::domain::client::Client;
use crate::domain::consent::Permissions;
use crate::domain::grant::PendingCode;
use crate::domain::ids::{BackchannelRequestId, GrantId};
use crate::domain::logout_delivery::DeliveryKind;
use crate::flows::Provider;
use crate::flows::authorize::{Decision, Granted};
use crate::flows::consent::permissions_of;
use crate::flows::provider::FlowError;
use crate::flows::scopes::{Rules, admin_api};
use crate::flows::sessions::SignedIn;
use crate::flows::tenancy::TenantAt;
use crate::protocol::backchannel_authentication::DeliveryMode;

/// A sign-in that is this young is always young enough: it was for this page, and `default_max_age` may be nothing at all.
const FRESH: Duration = Duration::minutes(5);

/// A request that waits for its person.
pub struct WaitingRequest {
    /// The request.
    pub request: BackchannelRequest,
    /// The application that asks.
    pub client: Arc<Client>,
    /// What it would be allowed, as things are now.
    pub permissions: Permissions,
}

/// What came of a person's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackchannelDecision {
    /// The application gets its tokens.
    Allowed,
    /// It is told that it gets none.
    Denied,
    /// It waits no longer: too late, or decided before.
    Gone,
    /// The session has ended meanwhile.
    SignedOut,
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

    /// Whether the person has to sign in anew before they may answer, as the application wants of its people.
    pub fn is_sign_in_too_old(&self, waiting: &WaitingRequest, person: &SignedIn) -> bool {
        let age = self.now() - person.session.auth_time;
        let most = waiting.client.metadata.default_max_age;
        most.is_some_and(|most| age > FRESH.max(Duration::seconds(i64::from(most))))
    }

    /// The request with its application, if that may still have what it asks for, here.
    async fn waiting_request(
        &self,
        at: &TenantAt,
        request: BackchannelRequest,
    ) -> Result<Option<WaitingRequest>, FlowError> {
        let tenant = &at.tenant;
        if *request.issuer != *at.issuer || !request.is_waiting(self.now()) {
            return Ok(None);
        }
        let Some(client) = self.find_client(tenant, request.client_id).await? else {
            return Ok(None);
        };
        let rules = Rules::new(self, tenant, &client);
        if check_permitted(tenant, &client).is_err()
            || rules.check_scope(&request.scope).is_err()
            || rules
                .check_details(&request.details, request.resources.clone())
                .is_err()
        {
            return Ok(None);
        }
        let permissions = permissions_of(
            tenant,
            &admin_api(self),
            &client,
            &request.scope,
            &request.resources,
        );
        Ok(Some(WaitingRequest {
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
    ) -> Result<BackchannelDecision, FlowError> {
        let (request, permissions) = (waiting.request.clone(), waiting.permissions.clone());
        let (user, session, client) = (person.user.id, person.session.id, waiting.client.id);
        let mut grant = self.grant_to(
            at,
            person,
            GrantId::from(request.id),
            Granted {
                client: &waiting.client,
                scope: &request.scope,
                resources: &request.resources,
            },
        );
        grant.claims.clone_from(&request.claims);
        grant.details.clone_from(&request.details);
        let code = PendingCode {
            proof: request.proof,
            redirect_uri: None,
            nonce: None,
            code_challenge: None,
            dpop_jkt: None,
            expires_at: request.expires_at,
        };
        let mut said = serde_json::json!({
            "scope": request.scope, "backchannel_request": request.id, "binding_message": request.binding_message,
        });
        if !request.details.is_empty() {
            said["authorization_details"] = request.details.told();
        }
        let touch = person.session.wants_touch(self.now());
        let origin = origin.clone();
        let write = self.db.write(&*at.tenant, move |repo| {
            let event = |act| {
                Event::new(act, Actor::User(user))
                    .user(user)
                    .client(client)
                    .from(&origin)
            };
            // It may have been ended since it was read, and its grants with it: this one would have been missed.
            if repo
                .find_session(session)?
                .is_none_or(|session| session.ended_at.is_some())
            {
                return Ok(BackchannelDecision::SignedOut);
            }
            let kind = kind_of(request.delivery);
            if decision == Decision::Deny {
                if !repo.deny_backchannel_request(request.id, user)? {
                    return Ok(BackchannelDecision::Gone);
                }
                repo.record(event(Act::ConsentDenied).detail(said.clone()))?;
                if let Some(kind) = kind {
                    repo.queue_backchannel_delivery(kind, &request)?;
                }
                return Ok(BackchannelDecision::Denied);
            }
            if !repo.allow_backchannel_request(request.id, user)? {
                return Ok(BackchannelDecision::Gone);
            }
            repo.merge_consent(user, client, &permissions)?;
            repo.record(
                event(Act::ConsentGranted)
                    .detail(serde_json::json!({ "permissions": permissions })),
            )?;
            if touch {
                repo.touch_session(session)?;
            }
            repo.insert_grant(&grant, &code)?;
            let mut detail = said.clone();
            detail["grant"] = serde_json::json!(grant.id);
            detail["session"] = serde_json::json!(session);
            repo.record(event(Act::GrantCreated).detail(detail))?;
            if let Some(kind) = kind {
                repo.queue_backchannel_delivery(kind, &request)?;
            }
            Ok(BackchannelDecision::Allowed)
        });
        Ok(write.await?)
    }
}
