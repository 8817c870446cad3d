//! The codes with which people have themselves asked (OpenID Connect CIBA §7.1, `user_code`): whoever has set one is asked by nobody who doesn't
//! bring it, so that knowing somebody's address isn't enough to have a question put before them.
//!
//! What is kept is a hash under the tenant's key, which the master key seals, and not argon2's: a code is short, typed at tills and told to call centres,
//! so that whoever had both the database and the key would try all of them by either; and whoever has the database alone gets nowhere by this one. argon2
//! would let an application fill the queue that sign-ins wait in. What keeps a code is that it can't be tried often: as often as a wrong password, by one
//! application, and five times that by all together.

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
    let Some(code) = code else {
        return Ok(CodeLook::Missing);
    };
    let lockout = &tenant.settings().lockout;
    let everybody = LockoutPolicy {
        attempts: lockout.attempts.saturating_mul(PERSON_FACTOR),
        window: lockout.window,
    };
    let (own, asked) = (client.id.uuid(), person.uuid());
    let counter = |label, parts: &[&[u8]]| *tenant.browser_key().mac(label, parts).as_bytes();
    let ours = counter(
        "codes of a client for a person",
        &[own.as_bytes(), asked.as_bytes()],
    );
    let all = counter("codes for a person", &[asked.as_bytes()]);
    // Counted before it is looked at, or many at once would each be looked at.
    if repo.is_attempt_refused(&all, &everybody)?
        || repo.admit_attempt(&ours, lockout)? == Admission::Refused
    {
        let once = LockoutPolicy {
            attempts: 1,
            window: lockout.window,
        };
        let told = counter(
            "codes of a client for a person stopped",
            &[own.as_bytes(), asked.as_bytes()],
        );
        if repo.admit_attempt(&told, &once)? == Admission::Admitted {
            let event = Event::new(Act::RequestCodeGuessingStopped, Actor::Client(client.id));
            repo.record(event.user(person).client(client.id).from(origin))?;
        }
        return Ok(CodeLook::Refused);
    }
    if !kept.matches(&hash_of(tenant, person, code)) {
        repo.admit_attempt(&all, &everybody)?;
        return Ok(CodeLook::Wrong);
    }
    // Whoever knows it has nothing to guess. The others' wrong ones go on counting.
    repo.clear_failures(&ours)?;
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
