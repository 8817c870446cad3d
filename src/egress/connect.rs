//! Names to addresses to connections, with the check in between: what is checked is what is connected to, so that a name that changes its
//! address after the check (DNS rebinding) gains nothing.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_tls::connect::{ConnectError, ConnectInfo, ConnectorService};
use actix_web::dev::Service;
use actix_web::rt::task::spawn_blocking;
use awc::http::Uri;

use super::address::is_public;
use crate::config::AllowedHost;

/// Finds the addresses of a host. May block.
pub trait NameResolver: Send + Sync + 'static {
    /// The addresses of `host`, each with `port`.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The operating system's resolver.
pub struct SystemResolver;

impl NameResolver for SystemResolver {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        (host, port).to_socket_addrs().map(Iterator::collect)
    }
}

/// The name leads to no address that may be connected to.
#[derive(Debug)]
pub(super) struct Blocked;

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no public address")
    }
}

impl Error for Blocked {}

/// Connects to public addresses and to listed hosts, and to nothing else.
#[derive(Clone)]
pub(super) struct GuardedConnector {
    pub(super) inner: ConnectorService,
    pub(super) resolver: Arc<dyn NameResolver>,
    pub(super) allow: Arc<[AllowedHost]>,
}

impl GuardedConnector {
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let listed = self.allow.iter().any(|allowed| allowed.matches(host, port));
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = if let Ok(address) = bare.parse::<IpAddr>() {
            vec![SocketAddr::new(address, port)]
        } else {
            let (resolver, host) = (Arc::clone(&self.resolver), host.to_owned());
            let looked_up = spawn_blocking(move || resolver.resolve(&host, port)).await;
            looked_up
                .map_err(|_| ConnectError::Unresolved)?
                .map_err(|error| ConnectError::Resolver(Box::new(error)))?
        };
        if found.is_empty() {
            return Err(ConnectError::NoRecords);
        }
        let usable: Vec<_> = found
            .into_iter()
            .filter(|address| listed || is_public(address.ip()))
            .collect();
        if usable.is_empty() {
            return Err(ConnectError::Resolver(Box::new(Blocked)));
        }
        Ok(usable)
    }
}

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, ConnectError>>>>;

impl Service<ConnectInfo<Uri>> for GuardedConnector {
    type Response = <ConnectorService as Service<ConnectInfo<Uri>>>::Response;
    type Error = ConnectError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, request: ConnectInfo<Uri>) -> Self::Future {
        let guard = self.clone();
        Box::pin(async move {
            let (host, port) = (request.hostname().to_owned(), request.port());
            let addresses = guard.addresses(&host, port).await?;
            // With its addresses set, the request is not resolved again.
            guard.inner.call(request.set_addrs(addresses)).await
        })
    }
}
