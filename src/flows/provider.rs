//! The provider: the parts that every flow works with, and the caches over what is stored.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;

use self::caches::Caches;
use super::client_uses::ClientUses;
use super::encryption::NoRecipient;
use super::hashing_waits::HashingWaits;
use super::logout_delivery::Deliveries;
use super::master::{HeldMasterKey, MasterKeyState};
use super::rsa_pool::RsaPool;
use super::tenancy::{Tenant, TenantError};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::domain::ids::TenantId;
use crate::domain::role::Role;
use crate::egress::{DnsClient, EgressClient, EgressOptions, JwksCache, RequestObjectCache};
use crate::jose::keys::{
    DecryptionKey, GeneratedDecryptionKey, GeneratedKey, KeyError, RsaBits, SigningKey,
};
use crate::jose::passwords::{HashingPool, NotHashed, PasswordParameters, PoolLimits};
use crate::jose::seal::{MasterKey, SealError};
use crate::protocol::slug::Slug;
use crate::protocol::{KeyManagementAlgorithm, OAuthError, SigningAlgorithm};
use crate::storage::{Db, Entity, Feed, Notice, StorageError};
use crate::threads::ThreadPool;

mod caches;
mod lookups;

/// Why a flow failed for reasons of our own. A refusal is not among them: flows answer those as values.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// Storage didn't do it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A tenant's keys don't open.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// Something sealed doesn't open, or can't be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A key can't be made or doesn't sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What a client is to have encrypted can't be: its own fault, found too late to be a refusal.
    #[error(transparent)]
    Recipient(#[from] NoRecipient),
    /// More work is waiting than may wait.
    #[error("too much work is waiting")]
    Busy,
    /// The database is sealed under another master key than this process can get at.
    #[error("the master key was rotated: start this process again with the new one")]
    OtherMasterKey,
    /// A fault of ours.
    #[error("{0}")]
    Internal(&'static str),
}

impl FlowError {
    /// Whether the same request may succeed a little later: 503 rather than 500.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_transient(),
            Self::Recipient(refusal) => refusal.is_transient(),
            Self::Busy | Self::OtherMasterKey => true,
            _ => false,
        }
    }
}

impl From<NotHashed> for FlowError {
    fn from(error: NotHashed) -> Self {
        match error {
            NotHashed::Busy => Self::Busy,
            NotHashed::Stopped => Self::Internal("passwords can't be hashed"),
        }
    }
}

impl From<FlowError> for OAuthError {
    /// RFC 6749 §4.1.2.1; a failure of ours is never the client's fault.
    fn from(error: FlowError) -> Self {
        if let FlowError::Recipient(refusal) = &error {
            return refusal.into();
        }
        if error.is_transient() {
            OAuthError::temporarily_unavailable(
                "the server is overloaded or can't reach its database; try again shortly",
            )
        } else {
            OAuthError::server_error("the server failed; its log says why under this request's id")
        }
    }
}

/// What must be known of a person whenever one of their tokens is used.
#[derive(Clone, Debug)]
pub struct UserState {
    /// Whether they may use anything.
    pub active: bool,
    /// What they administer.
    pub roles: Vec<Role>,
    /// What the standard claims say of them, by name.
    pub claims: Map<String, Value>,
}

/// Everything that flows work with. One per process.
pub struct Provider {
    /// The settings.
    pub config: Arc<Config>,
    /// The time and randomness.
    pub clock: Clock,
    /// The database.
    pub db: Db,
    /// Passwords are hashed here, fair between tenants.
    pub hashing: HashingPool,
    /// How long they wait there.
    pub hashing_waits: HashingWaits,
    /// The guarded way out.
    pub egress: EgressClient,
    /// Questions to name servers.
    pub dns: DnsClient,
    /// Clients' published keys.
    pub client_keys: JwksCache,
    /// Clients' published request objects.
    pub request_objects: RequestObjectCache,
    /// Uses of clients that aren't written down yet.
    pub client_uses: ClientUses,
    /// Logout tokens on their way.
    pub deliveries: Arc<Deliveries>,
    pub(super) master: Arc<HeldMasterKey>,
    /// The audience of the admin API, which all that a token is asked for is held against.
    pub(super) admin_api: String,
    blocking: Arc<ThreadPool>,
    rsa_keys: Arc<RsaPool>,
    caches: Arc<Caches>,
    feed: Option<Feed>,
}

/// Why a part of the provider doesn't start is for the log; the error names the part.
fn not_started(error: &dyn fmt::Display, part: &'static str) -> FlowError {
    tracing::error!(%error, "{part}");
    FlowError::Internal(part)
}

impl Provider {
    /// Puts the parts together. `feed` is the reader of what other processes change; a command that ends at once needs none.
    pub fn new(
        config: Arc<Config>,
        db: Db,
        master: MasterKey,
        feed: FeedUse,
    ) -> Result<Self, FlowError> {
        let tenants = config.cached_tenants.get();
        let caches = Arc::new(Caches::new(tenants));
        let deliveries = Arc::<Deliveries>::default();
        let (told, woken) = (Arc::clone(&caches), Arc::clone(&deliveries));
        db.on_commit(move |notice| {
            told.hear(&notice);
            if let Notice::Changes(changes) = notice
                && changes
                    .iter()
                    .any(|change| change.entity == Entity::LogoutDelivery)
            {
                woken.wake();
            }
        });
        let feed = match feed {
            FeedUse::None => None,
            FeedUse::Every(interval) => Some(Feed::start(db.clone(), interval)),
        };
        let clock = db.clock().clone();
        let blocking = ThreadPool::new(
            "tessera-blocking",
            config.blocking_threads.get(),
            config.blocking_queue.get(),
        )
        .map_err(|error| not_started(&error, "threads can't be started"))?;
        let egress = EgressClient::new(EgressOptions::new(&config))
            .map_err(|error| not_started(&error, "the outward client can't be started"))?;
        let limits = PoolLimits {
            workers: config.hashing_threads.get(),
            waiting: config.hashing_queue.get(),
            // One tenant's storm fills half the queue at the most.
            waiting_per_tenant: config.hashing_queue.get().div_ceil(2),
            kept_memory_kib: u32::try_from(config.argon2_memory.kibibytes()).unwrap_or(u32::MAX),
        };
        let hashing_waits = HashingWaits::new()
            .map_err(|error| not_started(&error, "passwords' waits can't be counted"))?;
        let hashing = HashingPool::start(limits, Arc::new(hashing_waits.clone()))
            .map_err(|error| not_started(&error, "threads can't be started"))?;
        Ok(Self {
            hashing,
            hashing_waits,
            client_keys: JwksCache::new(egress.clone(), clock.clone())
                .with_refetch_after(config.client_jwks_refetch_after),
            request_objects: RequestObjectCache::new(egress.clone(), clock.clone()),
            client_uses: ClientUses::default(),
            deliveries,
            egress,
            dns: DnsClient::new(&config),
            clock,
            db,
            master: Arc::new(HeldMasterKey::new(master, &config)),
            admin_api: format!("{}/api/v1", config.public_url.root()),
            blocking: Arc::new(blocking),
            rsa_keys: Arc::default(),
            caches,
            feed,
            config,
        })
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether this node knows what the others change: it may serve tokens and pages only then.
    pub fn is_current(&self) -> bool {
        self.feed.as_ref().is_none_or(Feed::is_current)
    }

    /// How long ago this node last knew of everything that was committed; none before the first time, nor where it doesn't follow.
    pub fn feed_age(&self) -> Option<Duration> {
        self.feed.as_ref().and_then(Feed::age)
    }

    /// Notes that whoever waits for this polled; says when it did last, as far as this node knows.
    pub(super) fn note_poll(
        &self,
        tenant: TenantId,
        awaited: Uuid,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let key = (tenant, awaited);
        let last = self.caches.polls.get(&key);
        self.caches.polls.put(&key, now);
        last
    }

    /// What new passwords are hashed with.
    pub fn password_parameters(&self) -> PasswordParameters {
        PasswordParameters {
            memory_kib: u32::try_from(self.config.argon2_memory.kibibytes()).unwrap_or(u32::MAX),
            passes: self.config.argon2_passes.get(),
            lanes: self.config.argon2_lanes.get(),
        }
    }

    /// Runs work that blocks (RSA) off the async workers.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, FlowError> {
        let (answer, result) = tokio::sync::oneshot::channel();
        self.blocking
            .submit(move || {
                let _ = answer.send(work());
            })
            .map_err(|_| FlowError::Busy)?;
        result
            .await
            .map_err(|_| FlowError::Internal("blocking work was dropped"))
    }

    /// A new signing key; RSA keys are found off the async workers.
    pub(super) async fn generate_key(
        &self,
        algorithm: SigningAlgorithm,
    ) -> Result<GeneratedKey, FlowError> {
        if !matches!(algorithm, SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256) {
            return Ok(SigningKey::generate(algorithm, RsaBits::default())?);
        }
        let (pool, threads) = (Arc::clone(&self.rsa_keys), Arc::downgrade(&self.blocking));
        let taken = self
            .blocking(move || {
                threads
                    .upgrade()
                    .map(|threads| pool.take(algorithm, &threads))
            })
            .await?
            .ok_or(FlowError::Internal("the server is ending"))?;
        Ok(taken?)
    }

    /// A new key to be encrypted to. An RSA key is an RSA key: the same are kept ready as for signing, and what is made of one is never the other.
    pub(super) async fn generate_decryption_key(
        &self,
        algorithm: KeyManagementAlgorithm,
    ) -> Result<GeneratedDecryptionKey, FlowError> {
        match algorithm {
            KeyManagementAlgorithm::EcdhEs => {
                Ok(DecryptionKey::generate(algorithm, RsaBits::default())?)
            }
            KeyManagementAlgorithm::RsaOaep256 => {
                let GeneratedKey { key, private_jwk } =
                    self.generate_key(SigningAlgorithm::Rs256).await?;
                let key = DecryptionKey::from_private_jwk(algorithm, key.kid(), &private_jwk)?;
                Ok(GeneratedDecryptionKey { key, private_jwk })
            }
        }
    }

    /// The tenant of a slug; none where there is no such tenant or it is being deleted.
    pub async fn find_tenant(&self, slug: &Slug) -> Result<Option<Arc<Tenant>>, FlowError> {
        if let Some(tenant) = self.cached_tenant(slug) {
            // While the database is away verifiers still get the keys; nothing else is served then, see `is_current`.
            if !tenant.keys.is_stale(|| self.now()) || !self.is_current() {
                return Ok(Some(tenant));
            }
            match self.load_tenant(slug).await {
                // Whatever the database's failure: the ring lacks nothing, it only holds a key too many.
                Err(FlowError::Storage(error)) => {
                    tracing::warn!(%error, "a tenant's keys can't be loaded again yet");
                    return Ok(Some(tenant));
                }
                loaded => loaded?,
            };
            self.caches.tenants.remove(&tenant.id());
        }
        if self.caches.unknown.get(&slug.as_str().to_owned()).is_some() {
            return Ok(None);
        }
        let before = self.caches.unknown.removals();
        let known = self.caches.last_known.removals();
        let load = async {
            let loaded = self.load_tenant(slug).await?;
            Ok::<_, FlowError>(loaded.map(|tenant| (tenant.id(), tenant)))
        };
        let found = self.caches.tenants.load(load).await?;
        if let Some(tenant) = &found {
            self.caches.slugs.put(slug, tenant.id());
            // Also where everything was to be loaded again meanwhile: that this tenant changed is what would be removed there.
            self.caches
                .last_known
                .keep(&tenant.id(), Arc::clone(tenant), known);
        } else {
            let key = slug.as_str().to_owned();
            self.caches.unknown.keep(&key, (), before);
        }
        Ok(found)
    }

    /// A tenant, if it is in the cache and needs no second look.
    pub(super) fn tenant_at_hand(&self, slug: &Slug) -> Option<Arc<Tenant>> {
        let tenant = self.cached_tenant(slug)?;
        (!tenant.keys.is_stale(|| self.now())).then_some(tenant)
    }

    fn cached_tenant(&self, slug: &Slug) -> Option<Arc<Tenant>> {
        let tenant = self.caches.tenants.get(&self.caches.slugs.get(slug)?)?;
        (tenant.slug() == slug).then_some(tenant)
    }

    /// The tenant of a custom domain, if it is in the cache.
    pub(super) fn slug_at_hand(&self, origin: &str) -> Option<Slug> {
        self.caches.domains.get(&origin.to_owned())
    }

    /// The tenant as it was when the database was last there. For verifiers only: what has changed since then isn't known.
    pub(super) fn last_known_tenant(&self, slug: &Slug) -> Option<Arc<Tenant>> {
        let id = self.caches.slugs.get(slug)?;
        let tenant = self.caches.last_known.get(&id)?;
        (tenant.slug() == slug).then_some(tenant)
    }

    /// Has the tenant loaded again, where it is known to have changed before the change feed says so.
    pub(super) fn forget_tenant(&self, slug: &Slug) {
        if let Some(tenant) = self.cached_tenant(slug) {
            self.caches.tenants.remove(&tenant.id());
        }
    }

    /// Has a custom domain looked up again that turned out not to be its tenant's any more.
    pub(super) fn forget_domain(&self, origin: &str) {
        self.caches.domains.remove(&origin.to_owned());
    }

    async fn load_tenant(&self, slug: &Slug) -> Result<Option<Arc<Tenant>>, FlowError> {
        match self.build_tenant(slug).await {
            Err(FlowError::Tenant(TenantError::Seal(error))) => {
                match self.follow_master_key().await? {
                    MasterKeyState::Same => Err(TenantError::Seal(error).into()),
                    MasterKeyState::Followed => self.build_tenant(slug).await,
                    MasterKeyState::Rotated => Err(FlowError::OtherMasterKey),
                }
            }
            built => built,
        }
    }

    async fn build_tenant(&self, slug: &Slug) -> Result<Option<Arc<Tenant>>, FlowError> {
        let wanted = slug.clone();
        let Some(loaded) = self
            .db
            .read_installation(move |all| all.find_tenant(&wanted))
            .await?
        else {
            return Ok(None);
        };
        let tenant = Tenant::build(
            loaded,
            self.config.public_url.issuer(slug.as_str()),
            &self.master(),
            self.now(),
        )?;
        Ok(tenant.map(Arc::new))
    }

    pub(super) async fn find_slug_of_origin(
        &self,
        origin: &str,
    ) -> Result<Option<Slug>, FlowError> {
        if self.caches.unknown.get(&origin.to_owned()).is_some() {
            return Ok(None);
        }
        let key = origin.to_owned();
        let before = self.caches.unknown.removals();
        let load = async {
            let wanted = key.clone();
            let loaded = self
                .db
                .read_installation(move |all| all.find_tenant_by_origin(&wanted))
                .await?;
            Ok::<_, FlowError>(loaded.map(|loaded| loaded.record.slug))
        };
        let found = self.caches.domains.get_or_load(&key, load).await?;
        if found.is_none() {
            self.caches.unknown.keep(&key, (), before);
        }
        Ok(found)
    }
}

/// Whether a process follows what others change.
#[derive(Clone, Copy, Debug)]
pub enum FeedUse {
    /// It ends before that matters.
    None,
    /// It looks this often.
    Every(Duration),
}
