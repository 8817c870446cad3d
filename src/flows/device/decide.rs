//! A person and the code that their device shows (RFC 8628 §3.3): which device it is, and their answer.
//!
//! Phishing is what this flow invites: whoever asks for a code can send it to somebody else (RFC 8628 §5.4). So the person is always
//! asked, whatever they allowed before, and is told which application asks, where from, and since when.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::request::{check_permitted, hash_of};
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::client::Client;
use crate::domain::consent::Permissions;
use crate::domain::device_code::DeviceCode;
use crate::domain::ids::{DeviceCodeId, GrantId, SessionId, UserId};
use crate::domain::settings::LockoutPolicy;
use crate::domain::throttle::{Admission, network_of};
use crate::flows::Provider;
use crate::flows::authorize::Decision;
use crate::flows::decoupled::{Answered, Asked};
use crate::flows::provider::FlowError;
use crate::flows::sessions::SignedIn;
use crate::flows::signin::minutes_of_window;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::protocol::device_authorization::UserCode;
use crate::secret::HashedSecret;
use crate::storage::{self, Repo};

/// Tries of a network, and wrong ones of a tenant, for each try that a person has.
const NETWORK_FACTOR: u32 = 5;
const TENANT_FACTOR: u32 = 20;

/// A device that waits for this person.
pub struct WaitingDevice {
    /// The device.
    pub device: DeviceCode,
    /// The application on it.
    pub client: Arc<Client>,
    /// What it would be allowed, as things are now.
    pub permissions: Permissions,
}

impl<'a> From<&'a DeviceCode> for Asked<'a> {
    fn from(device: &'a DeviceCode) -> Self {
        Self {
            grant: GrantId::from(device.id),
            proof: device.proof,
            issuer: &device.issuer,
            client_id: device.client_id,
            scope: &device.scope,
            resources: &device.resources,
            details: &device.details,
            claims: None,
            expires_at: device.expires_at,
        }
    }
}

impl WaitingDevice {
    /// Whether this is the code that the device shows.
    pub fn shows(&self, tenant: &Tenant, code: &UserCode) -> bool {
        self.device.user_code.matches(&hash_of(tenant, code))
    }
}

/// What a code led to.
pub enum Found {
    /// A device; with the text that names it to this person's session and to nobody else.
    Device(String),
    /// No device shows it, or not any more.
    Unknown,
    /// Its application wants people to sign in anew.
    SignInAgain,
    /// Too many tries; this one wasn't looked at.
    Throttled {
        /// When trying again makes sense.
        minutes: u32,
    },
}

/// What tries are counted by.
#[derive(Clone)]
struct Counters {
    person: [u8; 32],
    network: [u8; 32],
    tenant: [u8; 32],
    /// Set once per window, when a person is stopped.
    told: [u8; 32],
}

impl Counters {
    fn new(tenant: &Tenant, person: UserId, origin: &Origin) -> Self {
        let mac = |label, part: &[u8]| *tenant.browser_key().mac(label, &[part]).as_bytes();
        let network = network_of(origin.address.as_deref().unwrap_or_default());
        Self {
            person: mac("user codes of a person", person.uuid().as_bytes()),
            network: mac("user codes of a network", network.as_bytes()),
            tenant: mac("user codes of a tenant", &[]),
            told: mac("user codes of a person stopped", person.uuid().as_bytes()),
        }
    }
}

/// A try, owned, as a write may run more than once.
struct Try {
    code: HashedSecret,
    person: UserId,
    counters: Counters,
    lockout: LockoutPolicy,
    origin: Origin,
}

/// What became of a try.
enum Looked {
    /// A device that waits shows the code.
    Found(Box<DeviceCode>),
    /// None does.
    Nothing,
    /// It wasn't looked at.
    Refused,
}

impl Try {
    fn policy(&self, factor: u32) -> LockoutPolicy {
        LockoutPolicy {
            attempts: self.lockout.attempts.saturating_mul(factor),
            window: self.lockout.window,
        }
    }

    fn look(&self, repo: &mut Repo<'_>) -> storage::Result<Looked> {
        // Counted before it is looked at, and never forgotten for a right one: a device of one's own would buy tries without end.
        if repo.admit_attempt(&self.counters.person, &self.lockout)? == Admission::Refused {
            self.tell(repo)?;
            return Ok(Looked::Refused);
        }
        let everybody = self.policy(TENANT_FACTOR);
        let network = self.policy(NETWORK_FACTOR);
        if repo.admit_attempt(&self.counters.network, &network)? == Admission::Refused
            || repo.is_attempt_refused(&self.counters.tenant, &everybody)?
        {
            return Ok(Looked::Refused);
        }
        let now = repo.now();
        let found = repo
            .find_device_code_shown(&self.code)?
            .filter(|device| device.is_waiting(now));
        let Some(device) = found else {
            // A tenant's people type right codes all day; only wrong ones are guesses.
            repo.admit_attempt(&self.counters.tenant, &everybody)?;
            return Ok(Looked::Nothing);
        };
        Ok(Looked::Found(Box::new(device)))
    }

    fn tell(&self, repo: &mut Repo<'_>) -> storage::Result<()> {
        let once = LockoutPolicy {
            attempts: 1,
            window: self.lockout.window,
        };
        if repo.admit_attempt(&self.counters.told, &once)? == Admission::Admitted {
            repo.record(
                Event::new(Act::DeviceGuessingStopped, Actor::User(self.person))
                    .user(self.person)
                    .from(&self.origin),
            )?;
        }
        Ok(())
    }
}

/// Names a device to a person's session.
fn ticket(at: &TenantAt, device: DeviceCodeId, session: SessionId) -> String {
    let mut bytes = [0; 48];
    bytes[..16].copy_from_slice(device.uuid().as_bytes());
    bytes[16..].copy_from_slice(ticket_proof(at, device, session).as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn ticket_proof(at: &TenantAt, device: DeviceCodeId, session: SessionId) -> HashedSecret {
    at.tenant.browser_key().mac(
        "device in question",
        &[
            at.issuer.as_bytes(),
            device.uuid().as_bytes(),
            session.uuid().as_bytes(),
        ],
    )
}

/// The device that a ticket names to one of these people.
fn read_ticket<'p>(
    at: &TenantAt,
    people: &'p [SignedIn],
    text: &str,
) -> Option<(DeviceCodeId, &'p SignedIn)> {
    if text.len() != 64 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (id, proof) = bytes.split_first_chunk::<16>()?;
    let (id, proof) = (
        DeviceCodeId::from(Uuid::from_bytes(*id)),
        HashedSecret::from_slice(proof)?,
    );
    let person = people
        .iter()
        .find(|person| ticket_proof(at, id, person.session.id).matches(&proof))?;
    Some((id, person))
}

impl Provider {
    /// Looks for the device that shows what the person typed.
    pub async fn find_device(
        &self,
        at: &TenantAt,
        person: &SignedIn,
        typed: &str,
        origin: &Origin,
    ) -> Result<Found, FlowError> {
        // What can't be a code is no guess.
        let Some(code) = UserCode::parse(typed) else {
            return Ok(Found::Unknown);
        };
        let tenant = &at.tenant;
        let attempt = Try {
            code: hash_of(tenant, &code),
            person: person.user.id,
            counters: Counters::new(tenant, person.user.id, origin),
            lockout: tenant.settings().lockout.clone(),
            origin: origin.clone(),
        };
        let looked = self
            .db
            .write(&**tenant, move |repo| attempt.look(repo))
            .await?;
        let waiting = match looked {
            Looked::Found(device) => self.waiting(at, *device).await?,
            Looked::Nothing => None,
            Looked::Refused => {
                return Ok(Found::Throttled {
                    minutes: minutes_of_window(tenant),
                });
            }
        };
        let Some(waiting) = waiting else {
            return Ok(Found::Unknown);
        };
        if self.is_sign_in_too_old(&waiting.client, person) {
            return Ok(Found::SignInAgain);
        }
        Ok(Found::Device(ticket(
            at,
            waiting.device.id,
            person.session.id,
        )))
    }

    /// The device that a text names to one of the people who are signed in.
    pub async fn load_device<'p>(
        &self,
        at: &TenantAt,
        people: &'p [SignedIn],
        text: &str,
    ) -> Result<Option<(WaitingDevice, &'p SignedIn)>, FlowError> {
        let Some((id, person)) = read_ticket(at, people, text) else {
            return Ok(None);
        };
        let found = self
            .db
            .read(&*at.tenant, move |repo| repo.find_device_code(id))
            .await?;
        let waiting = match found {
            Some(device) => self.waiting(at, device).await?,
            None => None,
        };
        Ok(waiting.map(|waiting| (waiting, person)))
    }

    /// The device with its application, if that may still have what it asks for, here.
    async fn waiting(
        &self,
        at: &TenantAt,
        device: DeviceCode,
    ) -> Result<Option<WaitingDevice>, FlowError> {
        if !device.is_waiting(self.now()) {
            return Ok(None);
        }
        let may_ask = |tenant: &Tenant, client: &Client| check_permitted(tenant, client).is_ok();
        let found = self
            .find_permissible(at, Asked::from(&device), may_ask)
            .await?;
        Ok(found.map(|(client, permissions)| WaitingDevice {
            device,
            client,
            permissions,
        }))
    }

    /// Takes the person's answer: the first one counts.
    pub async fn decide_device(
        &self,
        at: &TenantAt,
        (waiting, person): (&WaitingDevice, &SignedIn),
        decision: Decision,
        origin: &Origin,
    ) -> Result<Answered, FlowError> {
        let device = &waiting.device;
        let told = serde_json::json!({
            "device": { "address": device.address, "asked_at": device.created_at },
        });
        let asked = (Asked::from(device), &*waiting.client, &waiting.permissions);
        let answer = self.answer_to(at, person, asked, (decision, origin), told);
        let id = device.id;
        let write = self.db.write(&*at.tenant, move |repo| {
            answer.write(repo, |repo| match decision {
                Decision::Allow => repo.allow_device_code(id),
                Decision::Deny => repo.deny_device_code(id),
            })
        });
        Ok(write.await?)
    }
}
