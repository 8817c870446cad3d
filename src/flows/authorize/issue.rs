//! The end of an authorization request: the grant and its code, or the refusal.

use chrono::Duration;

use super::checks::CheckedRequest;
use super::steps::{ACR, Decision, Flow};
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::grant::{Grant, GrantStage, PendingCode};
use crate::domain::ids::GrantId;
use crate::flows::Provider;
use crate::flows::provider::FlowError;
use crate::flows::sessions::SignedIn;
use crate::protocol::OAuthError;
use crate::protocol::redirect_uri::RedirectResponse;
use crate::protocol::scope::OFFLINE_ACCESS;
use crate::secret::{Handle, Purpose};

/// How the write ended.
pub enum Outcome {
    /// The code goes out, or what was asked for instead.
    Granted(RedirectResponse),
    /// The session ended meanwhile: somebody must sign in.
    SignedOut,
    /// A code was issued for the same pushed request before, in another window say.
    Spent,
}

/// What the write found.
enum Written {
    Granted,
    SignedOut,
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
        let pushed = checked.pushed.as_ref().map(|pushed| pushed.id);
        let asked = checked.request.response_type;
        // Nothing hangs on a grant that gave an ID token alone: it can't be revoked, only expire. The event tells of it.
        let is_kept = asked.has_code() || asked.has_access_token();
        let granted = asked.is_front_channel().then(|| grant.clone());
        let touch = person.session.wants_touch(now);
        let origin = origin.clone();
        let write = self.db.write(&**tenant, move |repo| {
            // It may have been ended since it was read, and its grants with it: this one would have been missed.
            let session = repo.find_session(grant.session_id)?;
            if session.is_none_or(|session| session.ended_at.is_some()) {
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
            }
            let mut detail =
                serde_json::json!({ "scope": grant.scope, "session": grant.session_id });
            if is_kept {
                detail["grant"] = serde_json::json!(grant.id);
            }
            if asked.is_front_channel() {
                detail["response_type"] = asked.as_str().into();
            }
            repo.record(event(Act::GrantCreated).detail(detail))?;
            Ok(Written::Granted)
        });
        Ok(match write.await? {
            Written::Granted => Outcome::Granted(
                self.answer_granted(flow, person, &code_text, granted.as_ref())
                    .await?,
            ),
            Written::SignedOut => Outcome::SignedOut,
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
        let (now, settings) = (self.now(), tenant.settings());
        let lifetime = checked
            .client
            .metadata
            .refresh_token_lifetime
            .unwrap_or(settings.refresh_token_lifetime);
        let offline = checked.scope.contains(OFFLINE_ACCESS);
        let longest = now + Duration::seconds(i64::from(lifetime));
        let grant = Grant {
            id: GrantId::from(handle.id()),
            user_id: person.user.id,
            client_id: checked.client.id,
            session_id: person.session.id,
            issuer: flow.at.issuer.to_string(),
            scope: checked.scope.clone(),
            resources: checked.resources.clone(),
            claims: checked.request.claims.clone(),
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
        };
        let has_code = checked.request.response_type.has_code();
        let code_lifetime = if has_code { settings.code_lifetime } else { 0 };
        let code = PendingCode {
            proof: handle.hash(tenant.handle_key(), Purpose::AuthorizationCode),
            redirect_uri: checked.request.redirect_uri.clone(),
            nonce: checked.request.nonce.clone(),
            code_challenge: checked.request.code_challenge,
            expires_at: now + Duration::seconds(i64::from(code_lifetime)),
        };
        (grant, code)
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
