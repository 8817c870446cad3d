//! Custom domains: added, proved to be the tenant's, made canonical, removed.
//!
//! The proof is a text, in a TXT record beside the domain's name or at a well-known address of the domain, which this server fetches by its
//! guarded client. A file has to be put there before the domain's name leads here; a record can be made at any time.

use std::pin::pin;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::{Either, select};
use serde_json::json;
use url::{Host, Url};

use super::authority::{Area, Permission};
use super::error::{AdminError, By, on_conflict};
use super::once::Claim;
use crate::config::{Mode, Place};
use crate::domain::address::{Domain, DomainStage};
use crate::domain::audit::Act;
use crate::domain::ids::DomainId;
use crate::egress::{DnsError, EgressError, Outward};
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;
use crate::protocol::uri::{self, InvalidUri};
use crate::storage::{DOMAINS_MAX, Page, PageRequest};

/// Where the proof is looked for.
pub const VERIFICATION_PATH: &str = "/.well-known/tessera-domain-verification";

/// The label before the domain's name, where the TXT record is looked for.
const VERIFICATION_LABEL: &str = "_tessera-domain-verification";

/// The proof and some white space.
const VERIFICATION_MAX: usize = 1024;

/// RFC 1035 §2.3.4, as it is written: the most letters of a name, and of what stands between two of its dots.
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// Why a domain isn't proved: what was found in either place where the proof may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}; {record}. One of them must hold exactly {token}")]
pub struct Unproved {
    /// What was found at the well-known address.
    pub file: FileProblem,
    /// What was found in DNS.
    pub record: RecordProblem,
    /// What one of them must hold.
    pub token: String,
}

/// Why the file is no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    /// There is none, or the domain doesn't lead anywhere yet.
    #[error("{url} can't be fetched: {reason}")]
    Unfetched {
        /// Its address.
        url: String,
        /// Why, for whoever knows networks.
        reason: String,
    },
    /// Something else is there.
    #[error("{0} doesn't hold the expected text")]
    Differs(String),
}

/// Why the record is no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordProblem {
    /// An address or a name that DNS doesn't know.
    #[error("{0} can have no TXT record")]
    Impossible(String),
    /// There is one with something else in it.
    #[error("no TXT record of {0} holds the expected text")]
    Differs(String),
    /// There is none, or nobody can say.
    #[error("the TXT record {name} can't be read: {error}")]
    Unread {
        /// Its name.
        name: String,
        /// Why.
        error: DnsError,
    },
}

/// Whether the host leads back to the very machine that asks.
fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.as_ref();
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether the host is a name that others can look up: not an address, and with a dot in it.
fn is_public_name(host: &Host<&str>) -> bool {
    matches!(host, Host::Domain(name) if name.trim_end_matches('.').contains('.'))
        && !is_loopback(host)
}

/// Whether DNS can hold the name.
fn fits_dns(host: &Host<&str>) -> bool {
    let Host::Domain(name) = host else {
        return true;
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    name.len() <= NAME_MAX
        && name
            .split('.')
            .all(|label| (1..=LABEL_MAX).contains(&label.len()))
}

fn exists(origin: &str) -> AdminError {
    AdminError::Exists {
        kind: "domain",
        name: origin.to_owned(),
    }
}

fn no_domain(origin: &str) -> AdminError {
    AdminError::NotFound {
        kind: "domain",
        name: origin.to_owned(),
        list: Some("tessera domain list"),
    }
}

/// The name of the TXT record that proves an origin; none for addresses, and for names that only this machine or network knows.
pub fn verification_record(origin: &str) -> Option<String> {
    let url = Url::parse(origin).ok()?;
    match url.host()? {
        Host::Domain(name) if name.trim_end_matches('.').contains('.') => Some(format!(
            "{VERIFICATION_LABEL}.{}",
            name.trim_end_matches('.')
        )),
        _ => None,
    }
}

/// What stops working once the domain is removed, as sentences.
pub fn removal_consequences(tenant: &Tenant, domain: &Domain) -> Vec<String> {
    let origin = &domain.origin;
    if matches!(domain.stage, DomainStage::Pending { .. }) {
        return vec![format!(
            "{origin} was never proved and serves nothing: removing it breaks nothing."
        )];
    }
    let mut lines = vec![
        format!("Every page and endpoint under {origin} answers 404, discovery and keys too."),
        format!(
            "Tokens whose iss is {origin} are refused here at once; services can't fetch the keys any more that verify them."
        ),
        format!(
            "Applications that are set up with the issuer {origin} fail until they are given another: refresh tokens from there end."
        ),
        format!("Sessions and one-time links at {origin} are lost."),
    ];
    if domain.canonical {
        let template = tenant.issuers.first().map_or("", |issuer| &**issuer);
        lines.push(format!(
            "It is the canonical address: {template} takes its place."
        ));
    }
    lines
}

const WEB: &str = "must be a web address, like https://login.example.com";

impl Provider {
    /// Adds a domain that has to be proved. Others may claim the same one until somebody has.
    pub async fn add_domain(
        &self,
        tenant: &Tenant,
        origin: &str,
        by: &By,
    ) -> Result<Domain, AdminError> {
        by.check(Permission::Write(Area::Domains))?;
        let origin = self.check_origin(origin)?;
        let domain = Domain {
            id: DomainId::from(self.clock.uuid_v7()),
            origin,
            stage: self.unproved(),
            canonical: false,
            created_at: self.now(),
        };
        let claim = by.claim(tenant, domain.id.uuid(), None, &self.clock)?;
        let (stored, by) = (domain.clone(), by.clone());
        let written = self.db.write(tenant, move |repo| {
            // Whoever adds another at this moment, the same or the last that there is room for, comes before or after this.
            repo.hold_tenant()?;
            Claim::check(claim.as_ref(), repo)?;
            if repo.find_domain_by_origin(&stored.origin)?.is_some() {
                return Ok(Err(exists(&stored.origin)));
            }
            if repo.count_domains()? >= DOMAINS_MAX {
                return Ok(Err(AdminError::refused(format!(
                    "a tenant has at most {DOMAINS_MAX} domains"
                ))));
            }
            Claim::write(claim.as_ref(), repo)?;
            repo.insert_domain(&stored)?;
            repo.record(
                by.event(Act::DomainAdded)
                    .detail(json!({ "origin": stored.origin })),
            )?;
            Ok(Ok(()))
        });
        written
            .await
            .map_err(|error| on_conflict(error, || exists(&domain.origin)))??;
        Ok(domain)
    }

    /// A domain that has to be proved.
    pub(super) fn unproved(&self) -> DomainStage {
        DomainStage::Pending {
            verification_token: format!(
                "tessera-{}",
                URL_SAFE_NO_PAD.encode(self.clock.random_bytes::<32>())
            ),
        }
    }

    /// Whether the file holds the proof; if not, why.
    async fn find_file(
        &self,
        tenant: &Tenant,
        origin: &str,
        token: &str,
    ) -> Result<(), FileProblem> {
        let url = format!("{origin}{VERIFICATION_PATH}");
        let fetched = self
            .egress
            .send(tenant.id().uuid(), Outward::get(&url, VERIFICATION_MAX))
            .await;
        match fetched {
            Ok(fetched) if fetched.body.trim_ascii() == token.as_bytes() => Ok(()),
            Ok(_) => Err(FileProblem::Differs(url)),
            Err(error) => {
                let reason = match &error {
                    EgressError::NotHttps | EgressError::Blocked => {
                        format!("{error} (for development, list the host in `egress_allow`)")
                    }
                    // A chain of causes, which helps nobody who doesn't run this server.
                    EgressError::Unreachable(causes) => {
                        tracing::info!(url, causes, "a domain's proof can't be fetched");
                        "its host can't be reached".to_owned()
                    }
                    _ => error.to_string(),
                };
                Err(FileProblem::Unfetched { url, reason })
            }
        }
    }

    /// Whether a TXT record holds the proof; if not, why.
    async fn find_record(&self, origin: &str, token: &str) -> Result<(), RecordProblem> {
        let Some(name) = verification_record(origin) else {
            return Err(RecordProblem::Impossible(origin.to_owned()));
        };
        match self.dns.find_texts(&name).await {
            Ok(texts) if texts.iter().any(|text| text.trim() == token) => Ok(()),
            Ok(_) => Err(RecordProblem::Differs(name)),
            Err(error) => Err(RecordProblem::Unread { name, error }),
        }
    }

    /// Looks for the proof in both places at once, and has the domain serve the tenant where it is there. `false` where it was proved before.
    pub async fn verify_domain(
        &self,
        tenant: &Tenant,
        origin: &str,
        by: &By,
    ) -> Result<bool, AdminError> {
        by.check(Permission::Write(Area::Domains))?;
        let domain = self.load_domain(tenant, origin).await?;
        let DomainStage::Pending { verification_token } = &domain.stage else {
            return Ok(false);
        };
        let file = pin!(self.find_file(tenant, &domain.origin, verification_token));
        let record = pin!(self.find_record(&domain.origin, verification_token));
        // The one that proves it is enough, however long the other takes.
        let proved = match select(file, record).await {
            Either::Left((Ok(()), _)) | Either::Right((Ok(()), _)) => Ok(()),
            Either::Left((Err(file), record)) => record.await.map_err(|record| (file, record)),
            Either::Right((Err(record), file)) => file.await.map_err(|file| (file, record)),
        };
        if let Err((file, record)) = proved {
            return Err(AdminError::Unproved(Box::new(Unproved {
                file,
                record,
                token: verification_token.clone(),
            })));
        }
        let (id, stored, by) = (domain.id, domain.origin.clone(), by.clone());
        let written = self.db.write(tenant, move |repo| {
            repo.hold_tenant()?;
            let done = repo.verify_domain(id)?;
            if done {
                repo.record(
                    by.event(Act::DomainVerified)
                        .detail(json!({ "origin": stored })),
                )?;
            }
            Ok(done)
        });
        let taken = || {
            AdminError::refused(format!(
                "another tenant has proved {} to be its own; it must be removed there first",
                domain.origin
            ))
        };
        written.await.map_err(|error| on_conflict(error, taken))
    }

    /// Chooses the address that stands in links and mail: a verified domain's, or the template's. Where it stands there already, nothing is written.
    pub async fn set_canonical_domain(
        &self,
        tenant: &Tenant,
        origin: Option<&str>,
        by: &By,
    ) -> Result<(), AdminError> {
        by.check(Permission::Write(Area::Domains))?;
        let wanted = match origin {
            Some(origin) => Some(self.load_domain(tenant, origin).await?),
            None => None,
        };
        let by = by.clone();
        let done = self.db.write(tenant, move |repo| {
            // Whoever chooses another at this moment comes before or after this.
            repo.hold_tenant()?;
            let known = repo.list_domains()?;
            let id = wanted.as_ref().map(|domain| domain.id);
            if let Some(wanted) = &wanted
                && !known.iter().any(|domain| domain.id == wanted.id)
            {
                return Ok(Err(no_domain(&wanted.origin)));
            }
            let canonical = known.iter().find(|domain| domain.canonical);
            if canonical.map(|domain| domain.id) == id {
                return Ok(Ok(()));
            }
            if !repo.set_canonical_domain(id)? {
                return Ok(Err(AdminError::refused(
                    "the domain has to be verified before it can be the canonical address",
                )));
            }
            let origin = wanted.as_ref().map(|domain| &domain.origin);
            repo.record(
                by.event(Act::DomainCanonicalChanged)
                    .detail(json!({ "origin": origin })),
            )?;
            Ok(Ok(()))
        });
        done.await?
    }

    /// Removes a domain; [`removal_consequences`] says what that breaks.
    pub async fn remove_domain(
        &self,
        tenant: &Tenant,
        origin: &str,
        by: &By,
    ) -> Result<Domain, AdminError> {
        by.check(Permission::Write(Area::Domains))?;
        let domain = self.load_domain(tenant, origin).await?;
        let (id, stored, by) = (domain.id, domain.origin.clone(), by.clone());
        let done = self.db.write(tenant, move |repo| {
            // Whoever makes it canonical at this moment comes before or after this.
            repo.hold_tenant()?;
            let done = repo.delete_domain(id)?;
            if done {
                repo.record(
                    by.event(Act::DomainRemoved)
                        .detail(json!({ "origin": stored })),
                )?;
            }
            Ok(done)
        });
        if done.await? {
            Ok(domain)
        } else {
            Err(no_domain(origin))
        }
    }

    /// Lists domains in the order of their making.
    pub async fn list_domains(
        &self,
        tenant: &Tenant,
        page: PageRequest,
    ) -> Result<Page<Domain>, AdminError> {
        Ok(self
            .db
            .read(tenant, move |repo| repo.list_domain_page(page))
            .await?)
    }

    /// The tenant's domain of this id.
    pub async fn load_domain_by_id(
        &self,
        tenant: &Tenant,
        id: DomainId,
    ) -> Result<Domain, AdminError> {
        let found = self
            .db
            .read(tenant, move |repo| repo.find_domain(id))
            .await?;
        found.ok_or_else(|| no_domain(&id.to_string()))
    }

    /// The tenant's domain with this origin.
    pub async fn load_domain(&self, tenant: &Tenant, origin: &str) -> Result<Domain, AdminError> {
        let wanted = Url::parse(origin).map_or_else(
            |_| origin.to_owned(),
            |url| url.origin().ascii_serialization(),
        );
        let found = self
            .db
            .read(tenant, move |repo| repo.find_domain_by_origin(&wanted))
            .await?;
        found.ok_or_else(|| no_domain(origin))
    }

    /// An origin that may be a tenant's, in the one form in which it is stored and stands in tokens.
    pub(super) fn check_origin(&self, text: &str) -> Result<String, AdminError> {
        let invalid = |reason: String| AdminError::invalid("domain", reason);
        let url = uri::parse_absolute(text).map_err(|error| match error {
            // A bare name, mostly.
            InvalidUri::NotAbsolute => invalid(WEB.to_owned()),
            error => invalid(error.to_string()),
        })?;
        if url.path() != "/" || url.query().is_some() {
            return Err(invalid(
                "must be an address without path or query, like https://login.example.com"
                    .to_owned(),
            ));
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(invalid(WEB.to_owned()));
        };
        let text_of_host = host.to_string();
        if !fits_dns(&host) {
            return Err(invalid(format!(
                "has a host that DNS can't hold: {LABEL_MAX} characters between two dots and {NAME_MAX} in all are the most"
            )));
        }
        let listed = self
            .config
            .egress_allow
            .iter()
            .any(|allowed| allowed.matches(&text_of_host, port));
        // Where the installation itself is on this machine alone, so may its tenants' domains be.
        let develops =
            Host::parse(self.config.public_url.host()).is_ok_and(|host| is_loopback(&host));
        if !(listed || develops || is_public_name(&host)) {
            return Err(invalid(
                "must be a domain name, like https://login.example.com: nobody else reaches an IP address, localhost or a name without a dot as yours"
                    .to_owned(),
            ));
        }
        let allowed = listed || is_loopback(&host);
        if url.scheme() != "https" && !(url.scheme() == "http" && allowed) {
            return Err(invalid("must begin with https:// (http:// only for this very machine, or a host that `egress_allow` lists)".to_owned()));
        }
        let authority = format!("{text_of_host}:{port}");
        let templates = [
            ("public_url", Some(&self.config.public_url)),
            ("mtls_public_url", self.config.mtls_public_url.as_ref()),
        ];
        for (name, template) in templates {
            let Some(template) = template else { continue };
            let below = template.mode() == Mode::Subdomain
                && text_of_host
                    .strip_suffix(template.host())
                    .is_some_and(|rest| rest.ends_with('.'));
            if below || template.resolve(&authority, "/") != Place::Elsewhere {
                return Err(invalid(format!(
                    "is under `{name}` ({template}), where tenants have their addresses anyway"
                )));
            }
        }
        Ok(url.origin().ascii_serialization())
    }
}
