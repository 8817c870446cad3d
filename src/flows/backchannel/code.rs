//! The codes with which people have themselves asked (OpenID Connect CIBA §7.1, `user_code`): whoever has set one is asked by nobody who doesn't
//! bring it, so that knowing somebody's address isn't enough to have a question put before them.
//!
//! What is kept is a hash under the tenant's key, which the master key seals, and not argon2's: a code is short, typed at tills and told to call centres,
//! so that whoever had both the database and the key would try all of them by either; and whoever has the database alone gets nowhere by this one. argon2
//! would let an application fill the queue that sign-ins wait in. What keeps a code is that it can't be tried often: as often as a wrong password, by one
//! application, and five times that by all together. Nor does an application get far that tries a few codes with each of many people, or finds out who
//! there is by asking them without one: what it asks without the right code is counted, too, whoever it is asked of.

use super::request::{MISS_RATE, hourly};
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::client::Client;
use crate::domain::ids::UserId;
use crate::domain::settings::LockoutPolicy;
use crate::domain::throttle::Admission;
use crate::flows::Provider;
use crate::flows::browser::CheckedForm;
use crate::flows::password_policy::is_common;
use crate::flows::provider::FlowError;
use crate::flows::sessions::SignedIn;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::protocol::person_code::PersonCode;
use crate::secret::HashedSecret;
use crate::storage::{self, Repo};

/// Wrong codes of all clients together, for each that one client has.
const PERSON_FACTOR: u32 = 5;

/// What a person's code is kept as: the same code of two people looks like two.
fn hash_of(tenant: &Tenant, person: UserId, code: &PersonCode) -> HashedSecret {
    let person = person.uuid();
    let parts = [person.as_bytes().as_slice(), code.as_bytes()];
    tenant.handle_key().mac("code for requests", &parts)
}

/// What came of a look at a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeLook {
    /// The person may be asked.
    Passed,
    /// They have set a code, and none was sent.
    Missing,
    /// It isn't theirs.
    Wrong,
    /// Too many wrong ones; this one wasn't looked at.
    Refused,
}

/// How often something may be asked for without the right code.
pub(super) struct Limit {
    counter: [u8; 32],
    policy: LockoutPolicy,
    /// What the audit calls it.
    name: &'static str,
}

impl Limit {
    fn new(tenant: &Tenant, (label, parts): (&str, &[&[u8]]), policy: LockoutPolicy) -> Self {
        Self {
            counter: *tenant.browser_key().mac(label, parts).as_bytes(),
            policy,
            name: "client_and_person",
        }
    }

    /// That of a client, whoever it asks for.
    pub(super) fn of_client(tenant: &Tenant, client: &Client) -> Self {
        let own = client.id.uuid();
        let counted = (
            "requests of a client without a code",
            &[&own.as_bytes()[..]][..],
        );
        Self {
            name: "all_people",
            ..Self::new(tenant, counted, hourly(MISS_RATE))
        }
    }

    /// That of all clients together, for a person.
    fn of_person(tenant: &Tenant, person: UserId) -> Self {
        let lockout = &tenant.settings().lockout;
        let everybody = LockoutPolicy {
            attempts: lockout.attempts.saturating_mul(PERSON_FACTOR),
            window: lockout.window,
        };
        let person = person.uuid();
        let counted = ("codes for a person", &[&person.as_bytes()[..]][..]);
        Self {
            name: "all_clients",
            ..Self::new(tenant, counted, everybody)
        }
    }

    /// Whether nothing more is looked at.
    pub(super) fn is_reached(&self, repo: &mut Repo<'_>) -> storage::Result<bool> {
        repo.is_attempt_refused(&self.counter, &self.policy)
    }

    fn admit(&self, repo: &mut Repo<'_>) -> storage::Result<Admission> {
        repo.admit_attempt(&self.counter, &self.policy)
    }

    /// Counts a miss. Whoever's is the last one that is admitted is written down: those who come later have perhaps done nothing wrong.
    fn count_miss(&self, repo: &mut Repo<'_>, stopped: Event) -> storage::Result<Admission> {
        let admission = self.admit(repo)?;
        if admission == Admission::Admitted && self.is_reached(repo)? {
            repo.record(self.explain(stopped))?;
        }
        Ok(admission)
    }

    fn explain(&self, stopped: Event) -> Event {
        stopped.detail(serde_json::json!({ "limit": self.name }))
    }
}

/// Whether whoever asks for a person has to bring a code, and has.
pub(super) fn look_at_code(
    repo: &mut Repo<'_>,
    (tenant, client): (&Tenant, &Client),
    person: UserId,
    code: Option<&PersonCode>,
    origin: &Origin,
) -> storage::Result<CodeLook> {
    let Some(kept) = repo.find_request_code(person)? else {
        return Ok(CodeLook::Passed);
    };
    let event = Event::new(Act::RequestCodeGuessingStopped, Actor::Client(client.id));
    let stopped = event.client(client.id).from(origin);
    let misses = Limit::of_client(tenant, client);
    if misses.is_reached(repo)? {
        return Ok(CodeLook::Refused);
    }
    let Some(code) = code else {
        return Ok(match misses.count_miss(repo, stopped)? {
            Admission::Admitted => CodeLook::Missing,
            Admission::Refused => CodeLook::Refused,
        });
    };
    let lockout = &tenant.settings().lockout;
    let (own, asked) = (client.id.uuid(), person.uuid());
    let parts = [own.as_bytes().as_slice(), asked.as_bytes()];
    let counted = ("codes of a client for a person", &parts[..]);
    let ours = Limit::new(tenant, counted, lockout.clone());
    let all = Limit::of_person(tenant, person);
    // Their own is counted before the code is looked at, or many at once would each be looked at. What all share is counted for wrong ones alone, or
    // right ones would use it up: of those of one moment, a few more are looked at than it has room for.
    let all_reached = all.is_reached(repo)?;
    let own_reached = if all_reached {
        ours.is_reached(repo)?
    } else {
        ours.admit(repo)? == Admission::Refused
    };
    if own_reached {
        let once = LockoutPolicy {
            attempts: 1,
            window: lockout.window,
        };
        let told = ("codes of a client for a person stopped", &parts[..]);
        if Limit::new(tenant, told, once).admit(repo)? == Admission::Admitted {
            repo.record(ours.explain(stopped.user(person)))?;
        }
        return Ok(CodeLook::Refused);
    }
    if all_reached {
        return Ok(CodeLook::Refused);
    }
    if !kept.matches(&hash_of(tenant, person, code)) {
        let by_all = all.count_miss(repo, stopped.clone().user(person))?;
        let by_client = misses.count_miss(repo, stopped)?;
        // Others of the same moment were before it.
        return Ok(match (by_all, by_client) {
            (Admission::Admitted, Admission::Admitted) => CodeLook::Wrong,
            _ => CodeLook::Refused,
        });
    }
    // Whoever knows it has nothing to guess. The others' wrong ones go on counting.
    repo.clear_failures(&ours.counter)?;
    Ok(CodeLook::Passed)
}

/// What came of a person's wish for a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeChange {
    /// It is as they want it.
    Done,
    /// It is too short or too long, or not of characters that every keyboard has.
    Unfit,
    /// It is among those that are guessed first, or their address.
    Guessable,
}

impl Provider {
    /// Whether a person has set a code.
    pub async fn has_request_code(
        &self,
        tenant: &Tenant,
        person: UserId,
    ) -> Result<bool, FlowError> {
        let read = self
            .db
            .read(tenant, move |repo| repo.find_request_code(person));
        Ok(read.await?.is_some())
    }

    /// Sets a person's own code.
    pub async fn set_request_code(
        &self,
        at: &TenantAt,
        person: &SignedIn,
        form: &CheckedForm,
        origin: &Origin,
    ) -> Result<CodeChange, FlowError> {
        let Some(code) = PersonCode::parse(form.input("code").trim()) else {
            return Ok(CodeChange::Unfit);
        };
        // Whoever asks for them knows that.
        let own = person.user.email.key();
        let text = String::from_utf8_lossy(code.as_bytes()).to_lowercase();
        if code.is_guessable() || is_common(&text) || own.contains(&text) {
            return Ok(CodeChange::Guessable);
        }
        let hash = hash_of(&at.tenant, person.user.id, &code);
        self.keep_request_code(at, person, Some(hash), origin)
            .await?;
        Ok(CodeChange::Done)
    }

    /// Takes a person's own code away; `false` where there was none.
    pub async fn remove_own_request_code(
        &self,
        at: &TenantAt,
        person: &SignedIn,
        _form: &CheckedForm,
        origin: &Origin,
    ) -> Result<bool, FlowError> {
        self.keep_request_code(at, person, None, origin).await
    }

    async fn keep_request_code(
        &self,
        at: &TenantAt,
        person: &SignedIn,
        hash: Option<HashedSecret>,
        origin: &Origin,
    ) -> Result<bool, FlowError> {
        let user = person.user.id;
        let act = match hash {
            Some(_) => Act::RequestCodeSet,
            None => Act::RequestCodeRemoved,
        };
        let event = Event::new(act, Actor::User(user)).user(user).from(origin);
        let write = self.db.write(&*at.tenant, move |repo| {
            let done = repo.set_request_code(user, hash.as_ref())?;
            if done {
                repo.record(event.clone())?;
            }
            Ok(done)
        });
        Ok(write.await?)
    }
}
