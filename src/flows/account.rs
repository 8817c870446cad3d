//! What a signed-in person manages: their password, their sessions, and what they allowed applications.

use std::sync::Arc;

use uuid::Uuid;

use super::browser::{CheckedForm, DeviceCookie};
use super::consent::withdraw;
use super::issue::access_token_lifetime;
use super::native_sso::unshare;
use super::provider::{FlowError, Provider};
use super::sessions::{SignedIn, grants_ended_by_sign_out};
use super::signin::{
    Admitted, Checked, Counted, EntryProblem, minutes_of_window, take_new_password,
};
use super::tenancy::Tenant;
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::client::Client;
use crate::domain::consent::Consent;
use crate::domain::ids::{ClientId, SessionId};
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::jose::passwords::{MAX_PASSWORD, prepare};
use crate::protocol::Scope;
use crate::protocol::initiated_login::InitiatedLogin;
use crate::protocol::scope::EMAIL;
use crate::secret::PlainSecret;
use crate::storage::{DetailedGrant, Page, PageRequest, SessionGrants};

/// How many rows a page shows.
const ROWS: u32 = 25;

/// What came of changing a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordChange {
    /// It is changed.
    Done,
    /// The current one is wrong, or was changed meanwhile.
    WrongCurrent,
    /// The new one isn't taken.
    Problem(EntryProblem),
    /// Too many wrong guesses at the current one.
    Throttled {
        /// When trying again makes sense.
        minutes: u32,
    },
}

/// An application that a person allowed something.
pub struct Allowed {
    /// What is remembered of it; nothing where they are asked each time, or needn't be.
    pub consent: Option<Consent>,
    /// Whom.
    pub client: Arc<Client>,
    /// What it may do in objects (RFC 9396): asked for each time, so that it stands with what came of it.
    pub details: Vec<DetailedGrant>,
}

/// Where a person starts an application (OpenID Connect Core §4). Who they are is told to the tenant's own, and to those that they allowed to
/// know their address.
pub fn start_address(issuer: &str, client: &Client, user: &User, told: &Scope) -> Option<String> {
    let knows = client.metadata.skip_consent || told.contains(EMAIL);
    let login = InitiatedLogin {
        issuer,
        login_hint: knows.then(|| user.email.as_str()),
        target_link_uri: None,
    };
    login.address(client.metadata.initiate_login_uri.as_deref()?)
}

fn event(act: Act, person: &SignedIn, origin: &Origin) -> Event {
    Event::new(act, Actor::User(person.user.id))
        .user(person.user.id)
        .from(origin)
}

fn page(after: Option<Uuid>) -> PageRequest {
    PageRequest {
        limit: Some(ROWS),
        after,
    }
}

impl Provider {
    /// Changes a person's password; they must know the one before.
    pub async fn change_password(
        &self,
        tenant: &Tenant,
        person: &SignedIn,
        devices: &DeviceCookie,
        form: &CheckedForm,
        origin: &Origin,
    ) -> Result<PasswordChange, FlowError> {
        let current = form.input("current_password");
        if current.is_empty() || current.len() > MAX_PASSWORD {
            return Ok(PasswordChange::WrongCurrent);
        }
        // Before anything is guessed at: a new password that isn't taken costs no attempt.
        let new = match take_new_password(tenant, &person.user, form) {
            Ok(new) => new,
            Err(problem) => return Ok(PasswordChange::Problem(problem)),
        };
        let counted = Counted::new(tenant, person.user.email.key(), devices);
        let user = match self.admit(tenant, &counted, origin).await? {
            Admitted::Yes(user) => user.filter(|user| user.id == person.user.id),
            Admitted::No => {
                return Ok(PasswordChange::Throttled {
                    minutes: minutes_of_window(tenant),
                });
            }
        };
        let phc = user
            .and_then(|user| user.password)
            .map(|password| password.phc);
        let checked = self
            .check_password(tenant, PlainSecret::new(current.to_owned()), phc.clone())
            .await?;
        let (Checked::Match { .. }, Some(old)) = (checked, phc) else {
            self.record_failure(tenant, &counted, Some(person.user.id), origin, "password")
                .await?;
            return Ok(PasswordChange::WrongCurrent);
        };
        if *prepare(new.expose()) == *prepare(current) {
            return Ok(PasswordChange::Problem(EntryProblem::Unchanged));
        }
        let phc = self.hash_new_password(tenant, new).await?;
        let (user, session, end_others) = (
            person.user.id,
            person.session.id,
            form.input("end_others") == "1",
        );
        let event = event(Act::PasswordChanged, person, origin)
            .detail(serde_json::json!({ "ended_others": end_others }));
        let write = self.db.write(tenant, move |repo| {
            // A link may set another one at this moment: the later one counts only if it knew the earlier.
            repo.hold_user(user)?;
            let current = repo
                .find_user(user)?
                .filter(User::is_active)
                .and_then(|user| user.password)
                .filter(|password| password.phc == old);
            let Some(current) = current else {
                return Ok(false);
            };
            repo.set_password(user, &phc, current.by_lesser)?;
            repo.clear_failures(&counted.counter)?;
            if end_others {
                repo.end_sessions(user, Some(session), SessionGrants::All)?;
            }
            repo.record(event.clone())?;
            Ok(true)
        });
        Ok(if write.await? {
            PasswordChange::Done
        } else {
            PasswordChange::WrongCurrent
        })
    }

    /// A person's sessions that are alive, the youngest first.
    pub async fn list_own_sessions(
        &self,
        tenant: &Tenant,
        person: &SignedIn,
        after: Option<Uuid>,
    ) -> Result<Page<Session>, FlowError> {
        self.list_alive_sessions(tenant, person.user.id, page(after))
            .await
    }

    /// Ends one of a person's sessions; `false` where it had ended already, or isn't theirs.
    pub async fn end_own_session(
        &self,
        tenant: &Tenant,
        person: &SignedIn,
        form: &CheckedForm,
        origin: &Origin,
    ) -> Result<bool, FlowError> {
        let Ok(id) = form.input("end").parse::<SessionId>() else {
            return Ok(false);
        };
        let (user, grants) = (person.user.id, grants_ended_by_sign_out(tenant));
        let event = event(Act::SessionEnded, person, origin)
            .detail(serde_json::json!({ "session": id, "reason": "ended by its owner" }));
        let write = self.db.write(tenant, move |repo| {
            let ended = repo.end_session(user, id, grants)?;
            if ended {
                repo.record(event.clone())?;
            }
            Ok(ended)
        });
        Ok(write.await?)
    }

    /// Ends the sharing of one of a person's sessions with applications on its device; `false` where nothing was shared, or it isn't theirs.
    pub async fn unshare_own_session(
        &self,
        tenant: &Tenant,
        person: &SignedIn,
        form: &CheckedForm,
        origin: &Origin,
    ) -> Result<bool, FlowError> {
        let Ok(id) = form.input("unshare").parse::<SessionId>() else {
            return Ok(false);
        };
        let user = person.user.id;
        let event = event(Act::DeviceSecretRevoked, person, origin)
            .detail(serde_json::json!({ "session": id, "reason": "ended by its owner" }));
        let write = self.db.write(tenant, move |repo| {
            let found = repo.find_session(id)?;
            if found.is_none_or(|session| session.user_id != user) {
                return Ok(false);
            }
            unshare(repo, id, &event)
        });
        Ok(write.await?)
    }

    /// Ends all of a person's sessions but this one.
    pub async fn end_other_sessions(
        &self,
        tenant: &Tenant,
        person: &SignedIn,
        _form: &CheckedForm,
        origin: &Origin,
    ) -> Result<(), FlowError> {
        let (user, session, grants) = (
            person.user.id,
            person.session.id,
            grants_ended_by_sign_out(tenant),
        );
        let event = event(Act::SessionEnded, person, origin);
        let write = self.db.write(tenant, move |repo| {
            let ended = repo.end_sessions(user, Some(session), grants)?;
            if ended > 0 {
                let detail = serde_json::json!({ "all_but": session, "ended": ended, "reason": "ended by their owner" });
                repo.record(event.clone().detail(detail))?;
            }
            Ok(())
        });
        Ok(write.await?)
    }

    /// The applications that a person allowed something. Of those with a consent there may be many pages; the others, which may use what was allowed
    /// in objects, stand on the first.
    pub async fn list_own_consents(
        &self,
        tenant: &Tenant,
        person: &SignedIn,
        after: Option<Uuid>,
    ) -> Result<Page<Allowed>, FlowError> {
        let user = person.user.id;
        let read = self.db.read(tenant, move |repo| {
            let consents = repo.list_consents(user, page(after))?;
            Ok((consents, repo.list_detailed_clients(user)?))
        });
        let (consents, detailed) = read.await?;
        let others = detailed
            .iter()
            .filter(|own| after.is_none() && !own.has_consent);
        let others = others.map(|own| (own.client_id, None));
        let asked = consents.items.into_iter();
        let asked = asked.map(|consent| (consent.client_id, Some(consent)));
        let mut found = Vec::new();
        for (id, consent) in others.chain(asked) {
            if let Some(client) = self.find_client(tenant, id).await? {
                let lifetime = access_token_lifetime(tenant, &client);
                let is_detailed = detailed.iter().any(|own| own.client_id == id);
                let lifetime = is_detailed.then(|| chrono::Duration::seconds(lifetime));
                found.push((consent, client, lifetime));
            }
        }
        let read = self.db.read(tenant, move |repo| {
            let (mut items, mut unasked) = (Vec::new(), 0);
            for (consent, client, lifetime) in &found {
                // Only of what is of use yet a page is enough.
                if consent.is_none() && unasked >= ROWS {
                    continue;
                }
                let details = match lifetime {
                    Some(lifetime) => repo.list_detailed_grants(user, client.id, *lifetime)?,
                    None => Vec::new(),
                };
                if consent.is_none() {
                    if details.is_empty() {
                        continue;
                    }
                    unasked += 1;
                }
                items.push(Allowed {
                    consent: consent.clone(),
                    client: Arc::clone(client),
                    details,
                });
            }
            Ok(items)
        });
        let items = read.await?;
        Ok(Page {
            items,
            next: consents.next,
        })
    }

    /// The tenant's own applications that a person may start.
    pub async fn list_own_applications(&self, tenant: &Tenant) -> Result<Vec<Client>, FlowError> {
        Ok(self
            .db
            .read(tenant, |repo| repo.list_clients_to_start())
            .await?)
    }

    /// Takes back what a person allowed an application, and everything that it got by it; `false` where there is nothing.
    pub async fn withdraw_own_consent(
        &self,
        tenant: &Tenant,
        person: &SignedIn,
        form: &CheckedForm,
        origin: &Origin,
    ) -> Result<bool, FlowError> {
        let Ok(client) = form.input("withdraw").parse::<ClientId>() else {
            return Ok(false);
        };
        let user = person.user.id;
        let event = event(Act::ConsentWithdrawn, person, origin).client(client);
        let write = self.db.write(tenant, move |repo| {
            withdraw(repo, (user, client), event.clone())
        });
        Ok(write.await?)
    }
}
