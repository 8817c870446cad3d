//! The end of an authorization request: the grant and its code, or the refusal.

use chrono::Duration;

use super::checks::CheckedRequest;
use super::steps::{ACR, Decision, Flow};
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::client::Client;
use crate::domain::grant::{Grant, GrantStage, PendingCode};
use crate::domain::ids::GrantId;
use crate::flows::Provider;
use crate::flows::consent::{claims_for, is_covered};
use crate::flows::provider::FlowError;
use crate::flows::sessions::SignedIn;
use crate::flows::tenancy::TenantAt;
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::redirect_uri::RedirectResponse;
use crate::protocol::scope::OFFLINE_ACCESS;
use crate::protocol::{OAuthError, Scope};
use crate::secret::{Handle, Purpose};

/// What a person allows a client.
#[derive(Clone, Copy)]
pub(in crate::flows) struct Granted<'a> {
    /// Whom.
    pub(in crate::flows) client: &'a Client,
    /// What.
    pub(in crate::flows) scope: &'a Scope,
    /// Where.
    pub(in crate::flows) resources: &'a [String],
}

/// How the write ended.
pub enum Outcome {
    /// The code goes out, or what was asked for instead.
    Granted(RedirectResponse),
    /// The session ended meanwhile: somebody must sign in.
    SignedOut,
    /// The consent that it rests on was taken back meanwhile: the person must be asked.
    Withdrawn,
    /// A code was issued for the same pushed request before, in another window say.
    Spent,
}

/// What the write found.
enum Written {
    Granted,
    SignedOut,
    Withdrawn,
    Spent,
}

impl Provider {
    /// Makes the grant of a request whose person has done everything: one write, and what goes out by it.
    pub async fn grant(
        &self,
        flow: &Flow<'_>,
        person: &SignedIn,
        decision: Option<Decision>,
        origin: &Origin,
    ) -> Result<Outcome, FlowError> {
        let tenant = &flow.at.tenant;
        let now = self.now();
        let handle = Handle::generate(&self.clock);
        let code_text = handle.to_text(Purpose::AuthorizationCode);
        let (grant, code) = self.new_grant(flow, person, &handle);
        let checked = flow.checked;
        let consented = (decision == Some(Decision::Allow)).then(|| checked.permissions.clone());
        // Nobody was asked just now: what was allowed before must hold still.
        let rests_on_consent = consented.is_none() && !checked.client.metadata.skip_consent;
        let remembered = rests_on_consent.then(|| checked.permissions.clone());
        let pushed = checked.pushed.as_ref().map(|pushed| pushed.id);
        let asked = checked.request.response_type;
        // Nothing hangs on a grant that gave an ID token alone, unless its client is to be told of the sign-out: it can't be revoked, only
        // expire. The event tells of it.
        let metadata = &checked.client.metadata;
        let is_told =
            metadata.backchannel_logout_uri.is_some() || metadata.frontchannel_logout_uri.is_some();
        let is_kept = asked.has_code() || asked.has_access_token() || is_told;
        let granted = asked.is_front_channel().then(|| grant.clone());
        let touch = person.session.wants_touch(now);
        let origin = origin.clone();
        let write = self.db.write(&**tenant, move |repo| {
            // Whoever takes it back at this moment comes before this, or after it and ends this grant too.
            if let Some(permissions) = &remembered {
                repo.hold_user(grant.user_id)?;
                if !is_covered(repo, &grant, permissions)? {
                    return Ok(Written::Withdrawn);
                }
            }
            // The session may have been ended since it was read, and its grants with it: this one would have been missed. A code is looked at once
            // more when it is redeemed; what goes out at once isn't, and what outlives its session doesn't ask for it then.
            let must_hold = asked.is_front_channel() || is_told || grant.offline;
            let lives = if must_hold {
                repo.hold_session(grant.session_id)?
            } else {
                let session = repo.find_session(grant.session_id)?;
                session.is_some_and(|session| session.ended_at.is_none())
            };
            if !lives {
                return Ok(Written::SignedOut);
            }
            // RFC 9126 §4, §7.3: one use, decided in the transaction that makes the code.
            if let Some(id) = pushed
                && !repo.consume_pushed_request(id)?
            {
                return Ok(Written::Spent);
            }
            let actor = Actor::User(grant.user_id);
            let event = |act| {
                Event::new(act, actor.clone())
                    .user(grant.user_id)
                    .client(grant.client_id)
                    .from(&origin)
            };
            if let Some(permissions) = &consented {
                repo.merge_consent(grant.user_id, grant.client_id, permissions)?;
                repo.record(
                    event(Act::ConsentGranted)
                        .detail(serde_json::json!({ "permissions": permissions })),
                )?;
            }
            if touch {
                repo.touch_session(grant.session_id)?;
            }
            if is_kept {
                repo.insert_grant(&grant, &code)?;
                // Without a code nothing is left to redeem; and one that is never redeemed is swept long before its end.
                if !asked.has_code() {
                    repo.consume_code(grant.id)?;
                }
            }
            let mut detail =
                serde_json::json!({ "scope": grant.scope, "session": grant.session_id });
            if is_kept {
                detail["grant"] = serde_json::json!(grant.id);
            }
            if !grant.details.is_empty() {
                detail["authorization_details"] = grant.details.told();
            }
            if asked.is_front_channel() {
                detail["response_type"] = asked.as_str().into();
            }
            repo.record(event(Act::GrantCreated).detail(detail))?;
            Ok(Written::Granted)
        });
        let written = write.await?;
        if matches!(written, Written::Granted) {
            self.note_use(tenant, &checked.client);
        }
        Ok(match written {
            Written::Granted => Outcome::Granted(
                self.answer_granted(flow, person, &code_text, granted.as_ref())
                    .await?,
            ),
            Written::SignedOut => Outcome::SignedOut,
            Written::Withdrawn => Outcome::Withdrawn,
            Written::Spent => Outcome::Spent,
        })
    }

    fn new_grant(
        &self,
        flow: &Flow<'_>,
        person: &SignedIn,
        handle: &Handle,
    ) -> (Grant, PendingCode) {
        let (tenant, checked) = (&flow.at.tenant, flow.checked);
        let granted = Granted {
            client: &checked.client,
            scope: &checked.scope,
            resources: &checked.resources,
        };
        let mut grant = self.grant_to(flow.at, person, GrantId::from(handle.id()), granted);
        grant.claims = claims_for(&checked.client, checked.request.claims.as_ref());
        grant
            .details
            .clone_from(&checked.request.authorization_details);
        let lifetime = if checked.request.response_type.has_code() {
            tenant.settings().code_lifetime
        } else {
            0
        };
        let code = PendingCode {
            proof: handle.hash(tenant.handle_key(), Purpose::AuthorizationCode),
            redirect_uri: checked.request.redirect_uri.clone(),
            nonce: checked.request.nonce.clone(),
            code_challenge: checked.request.code_challenge,
            dpop_jkt: checked.request.dpop_jkt,
            expires_at: self.now() + Duration::seconds(i64::from(lifetime)),
        };
        (grant, code)
    }

    /// What a person allows, as the grant that it becomes.
    pub(in crate::flows) fn grant_to(
        &self,
        at: &TenantAt,
        person: &SignedIn,
        id: GrantId,
        granted: Granted<'_>,
    ) -> Grant {
        let now = self.now();
        let lifetime = granted
            .client
            .metadata
            .refresh_token_lifetime
            .unwrap_or(at.tenant.settings().refresh_token_lifetime);
        let offline = granted.scope.contains(OFFLINE_ACCESS);
        let longest = now + Duration::seconds(i64::from(lifetime));
        Grant {
            id,
            user_id: person.user.id,
            client_id: granted.client.id,
            session_id: person.session.id,
            issuer: at.issuer.to_string(),
            scope: granted.scope.clone(),
            resources: granted.resources.to_vec(),
            details: AuthorizationDetails::default(),
            claims: None,
            auth_time: person.session.auth_time,
            amr: person.session.amr.clone(),
            acr: Some(ACR.to_owned()),
            offline,
            stage: GrantStage::CodeIssued,
            created_at: now,
            // Without offline access nothing outlives the session.
            expires_at: if offline {
                longest
            } else {
                longest.min(person.session.expires_at)
            },
        }
    }

    /// The person said no.
    pub async fn deny(
        &self,
        flow: &Flow<'_>,
        person: Option<&SignedIn>,
        origin: &Origin,
    ) -> Result<OAuthError, FlowError> {
        let CheckedRequest { client, scope, .. } = flow.checked;
        let user = person.map(|person| person.user.id);
        let mut event = Event::new(
            Act::ConsentDenied,
            user.map_or(Actor::Anonymous, Actor::User),
        )
        .client(client.id)
        .from(origin);
        event.user_id = user;
        let event = event.detail(serde_json::json!({ "scope": scope }));
        self.db
            .write(&*flow.at.tenant, move |repo| repo.record(event.clone()))
            .await?;
        Ok(OAuthError::access_denied("the person did not allow this"))
    }
}
