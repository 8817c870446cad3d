//! What a person is asked elsewhere than in the browser of whoever asks: by a device (RFC 8628 §3.3) or by the back channel (OpenID Connect CIBA §5).
//! Whether they may be asked still, and what their answer writes.

use std::sync::Arc;

use chrono::Duration;
use serde_json::Value;

use super::authorize::{Decision, Granted};
use super::consent::{claims_for, permissions_of};
use super::provider::{FlowError, Provider};
use super::scopes::{Rules, admin_api};
use super::sessions::SignedIn;
use super::tenancy::{Tenant, TenantAt};
use crate::clock::Timestamp;
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::client::Client;
use crate::domain::consent::Permissions;
use crate::domain::grant::{Grant, PendingCode};
use crate::domain::ids::{ClientId, GrantId};
use crate::protocol::Scope;
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::claims::ClaimsRequest;
use crate::secret::HashedSecret;
use crate::storage::{self, Repo};

/// A sign-in that is this young is always young enough: it was for this page, and `default_max_age` may be nothing at all.
const FRESH: Duration = Duration::minutes(5);

/// What is asked, of whichever kind.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The grant that it becomes.
    pub(super) grant: GrantId,
    /// What the proof of the grant's code hashes to.
    pub(super) proof: HashedSecret,
    pub(super) issuer: &'a str,
    pub(super) client_id: ClientId,
    pub(super) scope: &'a Scope,
    pub(super) resources: &'a [String],
    pub(super) details: &'a AuthorizationDetails,
    pub(super) claims: Option<&'a ClaimsRequest>,
    pub(super) expires_at: Timestamp,
}

/// What came of a person's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The application gets its tokens.
    Allowed,
    /// It is told that it gets none.
    Denied,
    /// It waits no longer: too late, or decided before.
    Gone,
    /// The session has ended meanwhile.
    SignedOut,
}

/// A person's answer, to be written down.
pub(super) struct Answer {
    decision: Decision,
    permissions: Permissions,
    grant: Grant,
    code: PendingCode,
    /// What the audit tells of what was asked.
    told: Value,
    touch: bool,
    origin: Origin,
}

impl Answer {
    /// Writes it down, unless the session has ended or `decide`, the conditional update by which the first answer counts, found it decided.
    pub(super) fn write(
        &self,
        repo: &mut Repo<'_>,
        decide: impl FnOnce(&mut Repo<'_>) -> storage::Result<bool>,
    ) -> storage::Result<Answered> {
        let grant = &self.grant;
        let event = |act| {
            Event::new(act, Actor::User(grant.user_id))
                .user(grant.user_id)
                .client(grant.client_id)
                .from(&self.origin)
        };
        // It may have been ended since it was read, and its grants with it: this one would have been missed.
        if !repo.hold_session(grant.session_id)? {
            return Ok(Answered::SignedOut);
        }
        if !decide(repo)? {
            return Ok(Answered::Gone);
        }
        if self.decision == Decision::Deny {
            repo.record(event(Act::ConsentDenied).detail(self.told.clone()))?;
            return Ok(Answered::Denied);
        }
        repo.merge_consent(grant.user_id, grant.client_id, &self.permissions)?;
        repo.record(
            event(Act::ConsentGranted)
                .detail(serde_json::json!({ "permissions": self.permissions })),
        )?;
        if self.touch {
            repo.touch_session(grant.session_id)?;
        }
        repo.insert_grant(grant, &self.code)?;
        let mut told = self.told.clone();
        told["grant"] = serde_json::json!(grant.id);
        told["session"] = serde_json::json!(grant.session_id);
        repo.record(event(Act::GrantCreated).detail(told))?;
        Ok(Answered::Allowed)
    }
}

impl Provider {
    /// The application that asks and what it would be allowed, as things are now; nothing where it may not have what it asks for any more, or
    /// asked elsewhere. `may_ask` says whether it may use this kind at all.
    pub(super) async fn find_permissible(
        &self,
        at: &TenantAt,
        asked: Asked<'_>,
        may_ask: impl Fn(&Tenant, &Client) -> bool,
    ) -> Result<Option<(Arc<Client>, Permissions)>, FlowError> {
        let tenant = &at.tenant;
        if *asked.issuer != *at.issuer {
            return Ok(None);
        }
        let Some(client) = self.find_client(tenant, asked.client_id).await? else {
            return Ok(None);
        };
        let rules = Rules::new(self, tenant, &client);
        if !may_ask(tenant, &client)
            || rules.check_scope(asked.scope).is_err()
            || rules
                .check_details(asked.details, asked.resources.to_vec())
                .is_err()
        {
            return Ok(None);
        }
        let permissions = permissions_of(
            tenant,
            &admin_api(self),
            &client,
            (asked.scope, asked.claims),
            asked.resources,
        );
        Ok(Some((client, permissions)))
    }

    /// Whether the person has to sign in anew before they may answer, as the application wants of its people.
    pub fn is_sign_in_too_old(&self, client: &Client, person: &SignedIn) -> bool {
        let age = self.now() - person.session.auth_time;
        let most = client.metadata.default_max_age;
        most.is_some_and(|most| age > FRESH.max(Duration::seconds(i64::from(most))))
    }

    /// A person's answer to what a client that may ask for it wants; `told` is what the audit tells of it beside what is in every grant.
    pub(super) fn answer_to(
        &self,
        at: &TenantAt,
        person: &SignedIn,
        (asked, client, permissions): (Asked<'_>, &Client, &Permissions),
        (decision, origin): (Decision, &Origin),
        mut told: Value,
    ) -> Answer {
        let granted = Granted {
            client,
            scope: asked.scope,
            resources: asked.resources,
        };
        let mut grant = self.grant_to(at, person, asked.grant, granted);
        grant.claims = claims_for(client, asked.claims);
        grant.details.clone_from(asked.details);
        told["scope"] = serde_json::json!(asked.scope);
        if !asked.details.is_empty() {
            told["authorization_details"] = asked.details.told();
        }
        Answer {
            decision,
            permissions: permissions.clone(),
            grant,
            code: PendingCode {
                proof: asked.proof,
                redirect_uri: None,
                nonce: None,
                code_challenge: None,
                dpop_jkt: None,
                expires_at: asked.expires_at,
            },
            told,
            touch: person.session.wants_touch(self.now()),
            origin: origin.clone(),
        }
    }
}
