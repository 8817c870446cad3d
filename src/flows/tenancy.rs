//! Which tenant a request is for, and everything that a request needs of it.
//!
//! The `Host` header only selects among known tenants; the issuer comes from the configuration or from a verified domain, never from
//! the header.

use std::sync::Arc;

use super::key_ring::{KeyRing, KeyRingError};
use super::provider::{FlowError, Provider};
use crate::clock::Timestamp;
use crate::config::Place;
use crate::domain::address::{Domain, DomainStage};
use crate::domain::ids::TenantId;
use crate::domain::resource::Resource;
use crate::domain::settings::TenantSettings;
use crate::domain::tenant::{TenantRecord, TenantStatus};
use crate::jose::certificate::Authorities;
use crate::jose::revocation_lists::RevocationLists;
use crate::jose::seal::{DataKey, MasterKey, SealError};
use crate::protocol::discovery::paths;
use crate::protocol::slug::Slug;
use crate::secret::HashKey;
use crate::storage::{LoadedTenant, TenantScope};

/// A tenant ready to work with. Shared and immutable: a change makes a new one.
pub struct Tenant {
    /// Its record.
    pub record: TenantRecord,
    /// Every active address: the template's first, then the verified domains.
    pub issuers: Vec<Arc<str>>,
    /// The address that stands in mail and console.
    pub canonical: Arc<str>,
    /// Its custom domains, unverified ones too.
    pub domains: Vec<Domain>,
    /// Its resources.
    pub resources: Vec<Resource>,
    /// Its keys.
    pub keys: KeyRing,
    /// Held by whoever makes an algorithm's first key.
    pub(super) first_key: tokio::sync::Mutex<()>,
    /// Who issues certificates to its clients: this tenant's and no other's.
    pub authorities: Authorities,
    scope: TenantScope,
    data_key: DataKey,
    handles: HashKey,
    browser: HashKey,
}

/// Why a tenant can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// Its data key doesn't open under the master key.
    #[error("the tenant's data key can't be unsealed: {0}")]
    Seal(#[from] SealError),
    /// One of its keys can't be used.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
}

impl Tenant {
    /// Unseals and builds what a request needs; `None` for a tenant that is being deleted.
    pub(super) fn build(
        loaded: LoadedTenant,
        template_issuer: String,
        master: &MasterKey,
        now: Timestamp,
    ) -> Result<Option<Self>, TenantError> {
        let Some(sealed) = loaded
            .sealed_data_key
            .filter(|_| loaded.record.status != TenantStatus::Deleting)
        else {
            return Ok(None);
        };
        let id = loaded.record.id;
        let data_key = DataKey::open_under(master, id.uuid(), &sealed)?;
        let verified = |domain: &&Domain| matches!(domain.stage, DomainStage::Verified { .. });
        let mut issuers: Vec<Arc<str>> = vec![template_issuer.into()];
        issuers.extend(
            loaded
                .domains
                .iter()
                .filter(verified)
                .map(|domain| Arc::from(domain.origin.as_str())),
        );
        let canonical = loaded
            .domains
            .iter()
            .filter(verified)
            .find(|domain| domain.canonical)
            .map_or_else(
                || Arc::clone(&issuers[0]),
                |domain| Arc::from(domain.origin.as_str()),
            );
        Ok(Some(Self {
            authorities: authorities_of(&loaded.record),
            keys: KeyRing::build(
                id,
                &loaded.keys,
                &data_key,
                now,
                loaded.record.settings.request_object_encryption,
            )?,
            first_key: tokio::sync::Mutex::new(()),
            issuers,
            canonical,
            domains: loaded.domains,
            resources: loaded.resources,
            record: loaded.record,
            scope: loaded.scope,
            handles: handle_key_of(&data_key),
            browser: data_key.derive("browser"),
            data_key,
        }))
    }

    /// The permanent identifier.
    pub fn id(&self) -> TenantId {
        self.record.id
    }

    /// The name in addresses.
    pub fn slug(&self) -> &Slug {
        &self.record.slug
    }

    /// Lifetimes and policies.
    pub fn settings(&self) -> &TenantSettings {
        &self.record.settings
    }

    /// Whether the tenant serves more than its keys and metadata.
    pub fn is_active(&self) -> bool {
        self.record.status == TenantStatus::Active
    }

    /// Whether the address is one of the tenant's.
    pub fn is_issuer(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|known| **known == *issuer)
    }

    /// The key that handed-out secrets (codes, refresh tokens, links, sessions, client secrets) are hashed with.
    pub fn handle_key(&self) -> &HashKey {
        &self.handles
    }

    /// The key for what a browser carries back to us: CSRF tokens, pending requests, known devices.
    pub fn browser_key(&self) -> &HashKey {
        &self.browser
    }

    /// What the tenant's secrets are sealed under.
    pub fn data_key(&self) -> &DataKey {
        &self.data_key
    }
}

/// They and their lists were read before they were written down; what can't be read any more is trusted no more.
fn authorities_of(record: &TenantRecord) -> Authorities {
    let settings = &record.settings;
    let unreadable = |error: &dyn std::error::Error| {
        tracing::error!(tenant = %record.slug, %error, "the certificate authorities of a tenant, or what they revoked, can't be read, and none is trusted");
        Authorities::default()
    };
    let revoked = match RevocationLists::parse(&settings.client_certificate_revocation_lists) {
        Ok(revoked) => revoked,
        Err(error) => return unreadable(&error),
    };
    match Authorities::parse(&settings.client_certificate_authorities) {
        Ok(trusted) => trusted.without(revoked),
        Err(error) => unreadable(&error),
    }
}

/// The key that a tenant's handed-out secrets are hashed with; for a tenant that isn't made yet.
pub(super) fn handle_key_of(data_key: &DataKey) -> HashKey {
    data_key.derive("handles")
}

impl AsRef<TenantScope> for Tenant {
    fn as_ref(&self) -> &TenantScope {
        &self.scope
    }
}

/// What an address belongs to.
#[derive(Clone)]
pub enum Located {
    /// A tenant, at one of its addresses.
    Tenant(TenantAt),
    /// The installation's root, at one of its addresses.
    Root {
        /// The path below it.
        rest: String,
        /// Whether the request came to the address for certificates.
        at_alias: bool,
    },
    /// Nobody's.
    Nowhere,
}

/// A tenant at the address where a request reached it.
#[derive(Clone)]
pub struct TenantAt {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// The address: the `iss` of whatever begins here.
    pub issuer: Arc<str>,
    /// The path below the issuer, empty or beginning with `/`.
    pub rest: String,
    /// The other address of the same issuer, for clients that show certificates (RFC 8705 §5), where the request came there.
    pub alias: Option<Arc<str>>,
}

impl TenantAt {
    /// The address below which the request came: the issuer, or its alias.
    pub fn base(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.issuer)
    }
}

/// What is served where clients show certificates: endpoints that services call.
const ALIASED: [&str; 7] = [
    paths::BACKCHANNEL_AUTHENTICATION,
    paths::TOKEN,
    paths::REVOKE,
    paths::INTROSPECT,
    paths::DEVICE_AUTHORIZATION,
    paths::PAR,
    paths::USERINFO,
];

impl Provider {
    /// The installation's root as whoever sends a request knows it: the ordinary one, or that of the address for certificates.
    pub fn root_at(&self, at_alias: bool) -> &str {
        let config = &self.config;
        let alias = config.mtls_public_url.as_ref().filter(|_| at_alias);
        alias.unwrap_or(&config.public_url).root()
    }

    /// The address of a tenant for clients that show certificates, where there is one beside its issuer. It is that of the template alone: a
    /// custom domain has none.
    pub fn alias_of(&self, at: &TenantAt) -> Option<String> {
        let template = self.config.mtls_public_url.as_ref()?;
        (at.issuer == at.tenant.issuers[0]).then(|| template.issuer(at.tenant.slug().as_str()))
    }

    /// Where a request belongs that came to the address for certificates.
    fn place_of_alias(&self, host: &str, path: &str) -> Option<Place<'static>> {
        let template = self.config.mtls_public_url.as_ref()?;
        match template.resolve(host, path) {
            Place::Tenant { slug, rest } if ALIASED.contains(&&*rest) => Some(Place::Tenant {
                slug: slug.into_owned().into(),
                rest: rest.into_owned().into(),
            }),
            Place::Tenant { .. } => Some(Place::Elsewhere),
            _ => None,
        }
    }

    fn at_alias(&self, tenant: Arc<Tenant>, rest: &str) -> TenantAt {
        let at = TenantAt {
            issuer: Arc::clone(&tenant.issuers[0]),
            tenant,
            rest: rest.to_owned(),
            alias: None,
        };
        TenantAt {
            alias: self.alias_of(&at).map(Arc::from),
            ..at
        }
    }

    /// What the address of a request belongs to; `host` is its `Host` header, `path` its path as it came.
    pub async fn locate(&self, host: &str, path: &str) -> Result<Located, FlowError> {
        match self.place_of_alias(host, path) {
            Some(Place::Tenant { slug, rest }) => {
                let Ok(slug) = Slug::parse(&slug) else {
                    return Ok(Located::Nowhere);
                };
                let found = self.find_tenant(&slug).await?;
                return Ok(found.map_or(Located::Nowhere, |tenant| {
                    Located::Tenant(self.at_alias(tenant, &rest))
                }));
            }
            Some(_) => return Ok(Located::Nowhere),
            None => {}
        }
        let (slug, rest) = match self.config.public_url.resolve(host, path) {
            Place::Root { rest } => {
                return Ok(Located::Root {
                    rest: rest.to_owned(),
                    at_alias: false,
                });
            }
            Place::Tenant { slug, rest } => (slug.into_owned(), rest.into_owned()),
            Place::Elsewhere => return self.locate_elsewhere(host, path).await,
        };
        let Ok(slug) = Slug::parse(&slug) else {
            return Ok(Located::Nowhere);
        };
        Ok(match self.find_tenant(&slug).await? {
            Some(tenant) => Located::Tenant(TenantAt {
                issuer: Arc::clone(&tenant.issuers[0]),
                tenant,
                rest,
                alias: None,
            }),
            None => Located::Nowhere,
        })
    }

    /// The same from what is at hand: `None` where the database would have to be asked, or where the answer isn't a tenant.
    pub fn locate_at_hand(&self, host: &str, path: &str) -> Option<TenantAt> {
        self.locate_by(host, path, |slug| self.tenant_at_hand(slug))
    }

    /// The same while the database can't be asked, by what was known of the tenant when it was last there: good enough for verifiers, who
    /// need the keys and keep them for a while anyway, and for nobody else.
    pub fn locate_last_known(&self, host: &str, path: &str) -> Option<TenantAt> {
        self.locate_by(host, path, |slug| self.last_known_tenant(slug))
    }

    fn locate_by(
        &self,
        host: &str,
        path: &str,
        find: impl Fn(&Slug) -> Option<Arc<Tenant>>,
    ) -> Option<TenantAt> {
        if let Some(place) = self.place_of_alias(host, path) {
            let Place::Tenant { slug, rest } = place else {
                return None;
            };
            let tenant = find(&Slug::parse(&slug).ok()?)?;
            return Some(self.at_alias(tenant, &rest));
        }
        match self.config.public_url.resolve(host, path) {
            Place::Root { .. } => None,
            Place::Tenant { slug, rest } => {
                let tenant = find(&Slug::parse(&slug).ok()?)?;
                Some(TenantAt {
                    issuer: Arc::clone(&tenant.issuers[0]),
                    tenant,
                    rest: rest.into_owned(),
                    alias: None,
                })
            }
            Place::Elsewhere => candidate_origins(host)?.iter().find_map(|origin| {
                let tenant = find(&self.slug_at_hand(origin)?)?;
                let issuer = tenant.issuers[1..]
                    .iter()
                    .find(|issuer| ***issuer == **origin)
                    .cloned()?;
                Some(TenantAt {
                    tenant,
                    issuer,
                    rest: path.to_owned(),
                    alias: None,
                })
            }),
        }
    }

    /// The administration's address on the host for certificates, or else a tenant's own domain.
    async fn locate_elsewhere(&self, host: &str, path: &str) -> Result<Located, FlowError> {
        if let Some(template) = &self.config.mtls_public_url
            && let Place::Root { rest } = template.resolve(host, path)
        {
            return Ok(if rest.starts_with("/api/v1/") {
                Located::Root {
                    rest: rest.to_owned(),
                    at_alias: true,
                }
            } else {
                Located::Nowhere
            });
        }
        self.locate_domain(host, path).await
    }

    async fn locate_domain(&self, host: &str, path: &str) -> Result<Located, FlowError> {
        let Some(origins) = candidate_origins(host) else {
            return Ok(Located::Nowhere);
        };
        for origin in origins {
            // A domain that has moved is looked up once more.
            for _ in 0..2 {
                let Some(slug) = self.find_slug_of_origin(&origin).await? else {
                    break;
                };
                let tenant = self.find_tenant(&slug).await?;
                let issuer = tenant.as_ref().and_then(|tenant| {
                    let mut domains = tenant.issuers[1..].iter();
                    domains.find(|issuer| ***issuer == *origin).cloned()
                });
                if let (Some(tenant), Some(issuer)) = (tenant, issuer) {
                    // RFC 8414 §3.1 has nothing to insert for an issuer without a path.
                    return Ok(Located::Tenant(TenantAt {
                        tenant,
                        issuer,
                        rest: path.to_owned(),
                        alias: None,
                    }));
                }
                self.forget_domain(&origin);
            }
        }
        Ok(Located::Nowhere)
    }
}

/// The origins that a `Host` header can mean; a domain is stored under one of them.
fn candidate_origins(host: &str) -> Option<[String; 2]> {
    let plain = host.len() <= 259
        && !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    let host = host.to_ascii_lowercase();
    let trimmed = |suffix: &str| host.strip_suffix(suffix).unwrap_or(&host).to_owned();
    plain.then(|| {
        [
            format!("https://{}", trimmed(":443")),
            format!("http://{}", trimmed(":80")),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::candidate_origins;

    #[test]
    fn a_host_means_two_origins_at_most() {
        assert_eq!(
            candidate_origins("Login.Acme.com:443"),
            Some([
                "https://login.acme.com".into(),
                "http://login.acme.com:443".into()
            ])
        );
        for hostile in ["", "a b", "a/b", "a@b", "ä", "a\0", &"a".repeat(300)] {
            assert_eq!(candidate_origins(hostile), None, "{hostile}");
        }
    }
}
