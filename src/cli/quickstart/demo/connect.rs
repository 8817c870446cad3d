//! The application's HTTP client. It differs from a plain one in one thing: names under `localhost` are this machine (RFC 6761 §6.3), which not every
//! system's resolver knows, so that tenants by subdomain can be tried without touching DNS.

use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use actix_tls::connect::{Connector, Resolve, Resolver};
use actix_web::rt::task::spawn_blocking;
use futures_util::future::LocalBoxFuture;

struct LocalhostIsLocal;

impl Resolve for LocalhostIsLocal {
    fn lookup<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn Error>>> {
        Box::pin(async move {
            if host == "localhost" || host.ends_with(".localhost") {
                return Ok(vec![
                    (Ipv4Addr::LOCALHOST, port).into(),
                    (Ipv6Addr::LOCALHOST, port).into(),
                ]);
            }
            let host = host.to_owned();
            let found = spawn_blocking(move || (host.as_str(), port).to_socket_addrs()).await??;
            Ok(found.collect())
        })
    }
}

pub(super) fn client() -> awc::Client {
    let connector = Connector::new(Resolver::custom(LocalhostIsLocal)).service();
    awc::Client::builder()
        .connector(awc::Connector::new().connector(connector))
        .disable_redirects()
        .finish()
}
