//! Signing in with an e-mail address and a password.
//!
//! Known, unknown, passwordless and disabled people get the same answer after the same work; guesses are counted before they are looked
//! at, apart for strangers and for each device that the person signed in from before.

use chrono::Duration;

use crate::clock::Timestamp;
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::ids::{SessionId, UserId};
use crate::domain::session::Session;
use crate::domain::settings::LockoutPolicy;
use crate::domain::throttle::Admission;
use crate::domain::user::User;
use crate::flows::Provider;
use crate::flows::browser::{CheckedForm, DeviceCookie, SessionCookie};
use crate::flows::provider::FlowError;
use crate::flows::sessions::proofs_of;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::jose::passwords::{
    HashingObserver as _, MAX_PASSWORD, PasswordError, Verification, dummy_phc, hash, verify,
};
use crate::protocol::email::EmailAddress;
use crate::secret::{Handle, HashedSecret, PlainSecret, Purpose};
use crate::storage::{self, Repo, SessionGrants};

/// The longest e-mail address that is looked at, in bytes.
pub const MAX_USERNAME: usize = 320;

/// The browser at the other end.
#[derive(Clone, Copy, Debug)]
pub struct Visitor<'a> {
    /// For the audit.
    pub origin: &'a Origin,
    /// Its own word, shortened.
    pub user_agent: &'a str,
    /// Where it is.
    pub address: &'a str,
    /// Who is signed in in it.
    pub sessions: &'a SessionCookie,
    /// Who signed in in it before.
    pub devices: &'a DeviceCookie,
}

/// Name and password as they came.
pub struct Attempt<'a> {
    /// The tenant.
    pub at: &'a TenantAt,
    /// The form with `username` and `password`.
    pub form: &'a CheckedForm,
    /// The browser.
    pub visitor: Visitor<'a>,
}

/// What a sign-in gives the browser.
pub struct NewSession {
    /// The session's identifier.
    pub id: SessionId,
    /// The browser's sessions from now on, this one first.
    pub sessions: SessionCookie,
    /// The browser's known people from now on.
    pub devices: DeviceCookie,
}

/// How an attempt ended.
pub enum SignIn {
    /// They are signed in.
    Done(NewSession),
    /// An input is empty.
    Missing {
        /// The user name.
        username: bool,
        /// The password.
        password: bool,
    },
    /// The password is longer than any can be; it wasn't looked at.
    TooLong,
    /// Name and password don't belong together.
    Refused,
    /// Too many guesses; this one wasn't looked at.
    Throttled {
        /// When trying again makes sense.
        minutes: u32,
    },
}

/// What comparing a password gave.
pub(in crate::flows) enum Checked {
    /// It is the password; the hash that should take the place of the stored one, if one should.
    Match {
        /// By the present parameters.
        rehashed: Option<String>,
    },
    /// It isn't.
    Mismatch,
}

/// Who is counted: an address as it was typed, in a browser.
#[derive(Clone)]
pub(in crate::flows) struct Counted {
    pub(in crate::flows) counter: [u8; 32],
    /// Set once per window, when guessing is stopped.
    told: [u8; 32],
    email: Option<EmailAddress>,
}

impl Counted {
    pub(in crate::flows) fn new(tenant: &Tenant, username: &str, devices: &DeviceCookie) -> Self {
        let email = EmailAddress::parse(username).ok();
        let key = email.as_ref().map_or_else(
            || username.trim().to_lowercase(),
            |email| email.key().to_owned(),
        );
        let device = devices.find(tenant, &key);
        let device = device
            .as_ref()
            .map_or(b"a stranger".as_slice(), <[u8; 16]>::as_slice);
        let mac = |label| {
            *tenant
                .browser_key()
                .mac(label, &[key.as_bytes(), device])
                .as_bytes()
        };
        Self {
            counter: mac("attempts"),
            told: mac("attempts stopped"),
            email,
        }
    }
}

/// Whether a guess may be looked at, and whose it would be.
pub(in crate::flows) enum Admitted {
    /// It has been counted.
    Yes(Option<Box<User>>),
    /// Too many.
    No,
}

fn admit(
    repo: &mut Repo<'_>,
    counted: &Counted,
    policy: &LockoutPolicy,
    origin: &Origin,
) -> storage::Result<Admitted> {
    let user = match &counted.email {
        Some(email) => repo.find_user_by_email(email)?,
        None => None,
    };
    if repo.admit_attempt(&counted.counter, policy)? == Admission::Admitted {
        return Ok(Admitted::Yes(user.map(Box::new)));
    }
    // Refusals themselves aren't written down, or a storm of them would be a storm of writes.
    let once = LockoutPolicy {
        attempts: 1,
        window: policy.window,
    };
    if repo.admit_attempt(&counted.told, &once)? == Admission::Admitted {
        repo.record(failure(
            Act::SignInLocked,
            counted,
            user.as_ref().map(|user| user.id),
            origin,
            "too many attempts",
        ))?;
    }
    Ok(Admitted::No)
}

/// Ends a session that no longer fits into its browser's cookie, if the browser proved that it was there.
fn end_displaced(
    repo: &mut Repo<'_>,
    id: SessionId,
    proofs: &[HashedSecret],
    origin: &Origin,
) -> storage::Result<()> {
    let Some(session) = repo
        .find_session(id)?
        .filter(|session| session.proof.matches_one_of(proofs) && session.ended_at.is_none())
    else {
        return Ok(());
    };
    if repo.end_session(session.user_id, id, SessionGrants::KeepOffline)? {
        let detail = serde_json::json!({ "session": id, "reason": "more people signed in than the browser keeps" });
        repo.record(
            Event::new(Act::SessionEnded, Actor::User(session.user_id))
                .user(session.user_id)
                .from(origin)
                .detail(detail),
        )?;
    }
    Ok(())
}

fn failure(
    act: Act,
    counted: &Counted,
    user: Option<UserId>,
    origin: &Origin,
    reason: &str,
) -> Event {
    // What was typed is told only where it is an address: people type passwords into the wrong field.
    let email = counted.email.as_ref().map(EmailAddress::as_str);
    let mut event = Event::new(act, Actor::Anonymous)
        .from(origin)
        .detail(serde_json::json!({ "email": email, "reason": reason }));
    event.user_id = user;
    event
}

/// When guessing makes sense again.
pub(in crate::flows) fn minutes_of_window(tenant: &Tenant) -> u32 {
    tenant.settings().lockout.window.div_ceil(60).max(1)
}

impl Provider {
    /// Checks an attempt to sign in, and begins a session where it is right.
    pub async fn sign_in(&self, attempt: &Attempt<'_>) -> Result<SignIn, FlowError> {
        let (username, password) = (
            attempt.form.input("username"),
            attempt.form.input("password"),
        );
        if username.trim().is_empty() || password.is_empty() {
            return Ok(SignIn::Missing {
                username: username.trim().is_empty(),
                password: password.is_empty(),
            });
        }
        if password.len() > MAX_PASSWORD || username.len() > MAX_USERNAME {
            return Ok(SignIn::TooLong);
        }
        let tenant = &attempt.at.tenant;
        let counted = Counted::new(tenant, username, attempt.visitor.devices);
        let user = match self.admit(tenant, &counted, attempt.visitor.origin).await? {
            Admitted::Yes(user) => user,
            Admitted::No => {
                return Ok(SignIn::Throttled {
                    minutes: minutes_of_window(tenant),
                });
            }
        };
        // The password of a closed account isn't looked at: that it is right, and so made anew, would show in the time.
        let phc = user
            .as_ref()
            .filter(|user| user.is_active())
            .and_then(|user| user.password.as_ref())
            .map(|password| password.phc.clone());
        let checked = self
            .check_password(tenant, PlainSecret::new(password.to_owned()), phc.clone())
            .await?;
        match (user, phc, checked) {
            (Some(user), Some(phc), Checked::Match { rehashed }) if user.is_active() => {
                self.begin_session(attempt, *user, phc, rehashed, counted)
                    .await
            }
            (user, ..) => {
                let reason = match &user {
                    None => "unknown",
                    Some(user) if !user.is_active() => "disabled",
                    Some(_) => "password",
                };
                self.record_failure(
                    tenant,
                    &counted,
                    user.map(|user| user.id),
                    attempt.visitor.origin,
                    reason,
                )
                .await?;
                Ok(SignIn::Refused)
            }
        }
    }

    /// Counts a guess, if it may be looked at.
    pub(in crate::flows) async fn admit(
        &self,
        tenant: &Tenant,
        counted: &Counted,
        origin: &Origin,
    ) -> Result<Admitted, FlowError> {
        // A guess that can't be looked at isn't counted, and costs no write. The pool, which would tell of it, never hears of it.
        if self.hashing.is_full(tenant.id().uuid()) {
            self.hashing_waits.refused();
            return Err(FlowError::Busy);
        }
        let policy = tenant.settings().lockout.clone();
        let (counted, origin) = (counted.clone(), origin.clone());
        Ok(self
            .db
            .write(tenant, move |repo| admit(repo, &counted, &policy, &origin))
            .await?)
    }

    /// Writes a wrong guess down.
    pub(in crate::flows) async fn record_failure(
        &self,
        tenant: &Tenant,
        counted: &Counted,
        user: Option<UserId>,
        origin: &Origin,
        reason: &str,
    ) -> Result<(), FlowError> {
        let event = failure(Act::SignInFailed, counted, user, origin, reason);
        Ok(self
            .db
            .write(tenant, move |repo| repo.record(event.clone()))
            .await?)
    }

    /// Compares a password with a stored hash, or with one that nothing fits where there is none.
    pub(in crate::flows) async fn check_password(
        &self,
        tenant: &Tenant,
        password: PlainSecret,
        phc: Option<String>,
    ) -> Result<Checked, FlowError> {
        let (parameters, clock) = (self.password_parameters(), self.clock.clone());
        let job = self.hashing.submit(tenant.id().uuid(), move |workspace| {
            let phc = phc.unwrap_or_else(|| dummy_phc(parameters, &clock));
            let rehashed = match verify(password.expose(), &phc, parameters, workspace)? {
                Verification::Mismatch => return Ok(Checked::Mismatch),
                Verification::Match { rehash: false } => None,
                Verification::Match { rehash: true } => {
                    Some(hash(password.expose(), parameters, &clock, workspace)?)
                }
            };
            Ok(Checked::Match { rehashed })
        });
        job.await?.map_err(|error: PasswordError| {
            tracing::error!(%error, "a stored password can't be compared");
            FlowError::Internal("a stored password can't be compared")
        })
    }

    /// Hashes a new password.
    pub(in crate::flows) async fn hash_new_password(
        &self,
        tenant: &Tenant,
        password: PlainSecret,
    ) -> Result<String, FlowError> {
        let (parameters, clock) = (self.password_parameters(), self.clock.clone());
        let job = self.hashing.submit(tenant.id().uuid(), move |workspace| {
            hash(password.expose(), parameters, &clock, workspace)
        });
        job.await?
            .map_err(|_| FlowError::Internal("a password can't be hashed"))
    }

    async fn begin_session(
        &self,
        attempt: &Attempt<'_>,
        user: User,
        phc: String,
        rehashed: Option<String>,
        counted: Counted,
    ) -> Result<SignIn, FlowError> {
        let (tenant, visitor) = (&attempt.at.tenant, attempt.visitor);
        let handle = Handle::generate(&self.clock);
        let mut session = self.new_session(attempt.at, &user, &handle, visitor);
        let id = session.id;
        // Whoever was away for too long is carried on, too: their clients know them by that session.
        let theirs: Vec<_> = self
            .find_not_signed_out(attempt.at, visitor.sessions)
            .await?
            .into_iter()
            .filter(|other| other.user.id == user.id)
            .map(|other| other.session)
            .collect();
        let replaced = theirs.first().map(|replaced| replaced.id);
        if let Some(replaced) = theirs.first() {
            session.lineage = replaced.lineage;
        }
        let devices = visitor.devices.with(tenant, user.email.key(), &self.clock);
        let origin = visitor.origin.clone();
        let sessions = visitor
            .sessions
            .without(|other| theirs.iter().any(|session| session.id == other))
            .with_first(handle);
        // A browser keeps so many and no more: the oldest isn't left alive where nobody can end it from here. One that carries on another
        // of the same person's leaves no third.
        let displaced: Vec<_> = proofs_of(attempt.at, visitor.sessions)
            .into_iter()
            .filter(|(old, _)| Some(*old) != replaced && !sessions.holds(*old))
            .collect();
        let write = self.db.write(&**tenant, move |repo| {
            // Between the comparison and this, the account may have been closed or its password changed; whoever does so from now on ends this
            // session, too.
            repo.hold_user(user.id)?;
            let current = repo
                .find_user(user.id)?
                .filter(User::is_active)
                .and_then(|user| user.password);
            if current.is_none_or(|password| password.phc != phc) {
                return Ok(false);
            }
            if let Some(replaced) = replaced {
                repo.replace_session(user.id, replaced, SessionGrants::KeepOffline)?;
            }
            for (old, proofs) in &displaced {
                end_displaced(repo, *old, proofs, &origin)?;
            }
            repo.insert_session(&session)?;
            repo.clear_failures(&counted.counter)?;
            if let Some(rehashed) = &rehashed {
                repo.rehash_password(user.id, &phc, rehashed)?;
            }
            let detail = serde_json::json!({ "session": session.id, "amr": session.amr });
            repo.record(
                Event::new(Act::SignInSucceeded, Actor::User(user.id))
                    .user(user.id)
                    .from(&origin)
                    .detail(detail),
            )?;
            Ok(true)
        });
        if !write.await? {
            return Ok(SignIn::Refused);
        }
        Ok(SignIn::Done(NewSession {
            id,
            sessions,
            devices,
        }))
    }

    fn new_session(
        &self,
        at: &TenantAt,
        user: &User,
        handle: &Handle,
        visitor: Visitor<'_>,
    ) -> Session {
        let now: Timestamp = self.now();
        Session {
            id: SessionId::from(handle.id()),
            user_id: user.id,
            proof: handle.hash_at(at.tenant.handle_key(), Purpose::Session, &at.issuer),
            auth_time: now,
            amr: vec!["pwd".to_owned()],
            user_agent: visitor.user_agent.to_owned(),
            address: visitor.address.to_owned(),
            last_used_at: now,
            expires_at: now + Duration::seconds(i64::from(at.tenant.settings().session_lifetime)),
            ended_at: None,
            lineage: SessionId::from(handle.id()),
        }
    }
}
