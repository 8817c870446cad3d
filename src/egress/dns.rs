//! TXT records, by which a tenant proves that a domain is its own.
//!
//! Nobody is spoken to but the name servers of the operating system, or those that `dns_servers` lists, and what they are asked for is
//! theirs to find: a stranger's domain can't make this server knock anywhere.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::{Resolver, TokioResolver, system_conf};
use tokio::sync::Semaphore;

use crate::config::Config;

/// Questions that run at once.
const RUNNING: usize = 64;
/// The most records of an answer that are looked at.
const RECORDS_MAX: usize = 50;
/// The longest text of a record that is looked at, in bytes.
const TEXT_MAX: usize = 1024;

/// Why there are no records to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// Longer than DNS permits, say.
    #[error("DNS can hold no such name")]
    Name,
    /// There is none of this name.
    #[error("there is no such record")]
    Missing,
    /// The operating system names no server.
    #[error("this server knows no name server; an operator has to set `dns_servers`")]
    Unconfigured,
    /// No name server gave an answer that can be used.
    #[error("no name server could answer")]
    Failed,
    /// `egress_timeout` has passed.
    #[error("the name server took too long to answer")]
    Deadline,
}

/// Asks name servers. Cheap to clone.
#[derive(Clone)]
pub struct DnsClient {
    servers: Arc<[SocketAddr]>,
    timeout: Duration,
    running: Arc<Semaphore>,
}

impl DnsClient {
    /// As the settings say.
    pub fn new(config: &Config) -> Self {
        Self {
            servers: config.dns_servers.clone().into(),
            timeout: config.egress_timeout,
            running: Arc::new(Semaphore::new(RUNNING)),
        }
    }

    /// The texts of a name, the strings of each record joined (RFC 7208 §3.3 reads them so too). The name is taken as absolute.
    pub async fn find_texts(&self, name: &str) -> Result<Vec<String>, DnsError> {
        let name = Name::from_ascii(format!("{name}.")).map_err(|_| DnsError::Name)?;
        let ask = async {
            let _running = self.running.acquire().await;
            // One for each question: whoever has just written a record shall not wait until nobody remembers that it was missing.
            self.resolver()?
                .txt_lookup(name)
                .await
                .map_err(|error| understand(&error))
        };
        let found = tokio::time::timeout(self.timeout, ask)
            .await
            .map_err(|_| DnsError::Deadline)??;
        let texts = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::TXT(text) => Some(text.txt_data.concat()),
                _ => None,
            })
            .filter(|text| text.len() <= TEXT_MAX)
            .take(RECORDS_MAX)
            .filter_map(|text| String::from_utf8(text).ok());
        Ok(texts.collect())
    }

    fn resolver(&self) -> Result<TokioResolver, DnsError> {
        let (config, mut options) = if self.servers.is_empty() {
            system_conf::read_system_conf().map_err(|error| unconfigured(&error))?
        } else {
            let servers = self.servers.iter().map(|server| {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
                let connections = connections.map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                NameServerConfig::new(server.ip(), true, connections.into())
            });
            let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
            (config, ResolverOpts::default())
        };
        if config.name_servers().is_empty() {
            return Err(DnsError::Unconfigured);
        }
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        builder.build().map_err(|error| unconfigured(&error))
    }
}

/// Why there is nobody to ask is for the operator; a tenant's administrators are told only that it is so.
fn unconfigured(error: &dyn fmt::Display) -> DnsError {
    tracing::warn!(%error, "no name server can be asked");
    DnsError::Unconfigured
}

fn understand(error: &NetError) -> DnsError {
    if error.is_nx_domain() || error.is_no_records_found() {
        DnsError::Missing
    } else {
        // The text may hold what the other side sent.
        tracing::debug!(%error, "a name server couldn't answer");
        DnsError::Failed
    }
}
