//! The listening process: binds, serves, and ends gracefully.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::{App, Error, HttpServer, web};

use super::connections::Tally;
use super::documents::Documents;
use super::front::Front;
use super::metrics::Metrics;
use super::telemetry::Observer;
use super::tls::{Certificates, TlsError, TlsListener};
use super::{capacity, connections, routes};
use crate::flows::Provider;

/// A server that is bound but doesn't run yet.
pub struct Bound {
    /// Where it listens.
    pub address: SocketAddr,
    /// Serves when awaited or spawned.
    pub server: Server,
    /// What those of its listeners show that speak TLS.
    pub certificates: Certificates,
}

/// Why a server can't be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can't be bound.
    #[error("can't listen on {address}: {error}{}", advice(setting, error))]
    Listen {
        /// The setting that names it.
        setting: &'static str,
        /// Which address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The certificate or its key can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The metrics can't be set up.
    #[error("the metrics can't be set up: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// What to do about an address that can't be bound, where that is known.
fn advice(setting: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let flag = if setting == "listen" {
                ", or --listen"
            } else {
                ""
            };
            format!("; stop what listens there, or choose another port (`{setting}`{flag})")
        }
        io::ErrorKind::PermissionDenied => format!(
            "; a port below 1024 needs a right of its own: AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit of systemd, or choose another port (`{setting}`)"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("; this machine doesn't have that address (`{setting}`)")
        }
        _ => format!(" (`{setting}`)"),
    }
}

/// How many connections may wait to be accepted, as actix has it where it binds itself. The standard library's 128 are taken in a moment where
/// everybody comes again after a restart; who is one too many isn't told, and tries again a second later.
const BACKLOG: i32 = 1024;

/// Binds the address that a setting names.
pub fn bind(setting: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    let listen = || -> io::Result<TcpListener> {
        let listener = TcpListener::bind(address)?;
        // It listens already; said again, the number is another.
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(listener)
    };
    listen().map_err(|error| ServeError::Listen {
        setting,
        address,
        error,
    })
}

/// What every worker's application shares.
#[derive(Clone)]
pub struct Application {
    front: Front,
    documents: web::Data<Documents>,
    provider: web::Data<Provider>,
    metrics: web::Data<Metrics>,
    tally: Arc<Tally>,
}

impl Application {
    /// Around a provider.
    pub fn new(provider: Arc<Provider>) -> Result<Self, prometheus::Error> {
        let metrics = Arc::new(Metrics::new()?);
        watch(&metrics, &provider)?;
        let tally = Arc::new(Tally::default());
        watch_connections(&metrics, &tally)?;
        let observer = Observer::new(
            &provider.config,
            provider.clock.clone(),
            Arc::clone(&metrics),
        );
        let (observer, provider) = (web::Data::new(observer), web::Data::from(provider));
        let documents = Documents::new(provider.clone(), observer.clone());
        Ok(Self {
            front: Front::new(provider.clone(), observer, documents.clone()),
            documents: web::Data::new(documents),
            provider,
            metrics: web::Data::from(metrics),
            tally,
        })
    }

    /// Says how many connections there may be.
    #[expect(clippy::cast_precision_loss, reason = "a float is what the format has")]
    fn announce(&self, open_files: Option<u64>, most: usize) -> Result<(), prometheus::Error> {
        tracing::info!(open_files, connections = most, "room for connections");
        if open_files.is_some_and(|limit| limit < capacity::FEW) {
            tracing::warn!(
                open_files,
                "few files may be open at once, and so few connections: raise the limit (LimitNOFILE=65536 in the unit of systemd)"
            );
        }
        self.metrics.watch(
            "tessera_http_connections_limit",
            "Connections that may be open at once.",
            move || most as f64,
        )
    }

    /// The routes with everything that a request passes on its way to them.
    pub fn build(
        &self,
    ) -> App<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<impl MessageBody + use<>>,
            Error = Error,
            InitError = (),
        > + use<>,
    > {
        App::new()
            .app_data(self.provider.clone())
            .app_data(self.metrics.clone())
            .app_data(self.documents.clone())
            .configure(routes::table)
            .wrap(self.front.clone())
    }
}

/// Serves on a listener that is bound already.
pub fn serve_on(provider: Arc<Provider>, listener: TcpListener) -> Result<Bound, ServeError> {
    let config = Arc::clone(&provider.config);
    let failed = |error| ServeError::Listen {
        setting: "listen",
        address: config.listen,
        error,
    };
    let address = listener.local_addr().map_err(failed)?;
    let application = Application::new(provider)?;
    let metrics = application.metrics.clone().into_inner();
    let open_files = capacity::open_files().soft;
    let most = capacity::connections_per_worker(open_files, &config);
    let tally = Arc::clone(&application.tally);
    let shared = application.clone();
    let mut server = HttpServer::new(move || shared.build())
        .on_connect(connections::look_after(
            config.keep_alive + config.header_timeout,
            most,
            tally,
        ))
        .workers(config.workers.get())
        .max_connections(most)
        .client_request_timeout(config.header_timeout)
        .keep_alive(config.keep_alive)
        .shutdown_timeout(config.shutdown_timeout.as_secs())
        .server_hostname(config.public_url.host())
        .listen(listener)
        .map_err(failed)?;
    let (certificates, listeners) = Certificates::load(TlsListener::of(&config))?;
    for (listener, acceptor) in listeners {
        let bound = bind(listener.setting, listener.address)?;
        server = server
            .listen_openssl(bound, acceptor)
            .map_err(|error| ServeError::Listen {
                setting: listener.setting,
                address: listener.address,
                error,
            })?;
    }
    if let Some(address) = config.metrics_listen {
        let (bound, metrics_server) =
            super::metrics::listen(metrics, address).map_err(|error| ServeError::Listen {
                setting: "metrics_listen",
                address,
                error,
            })?;
        tracing::info!(address = %bound, "metrics");
        actix_web::rt::spawn(metrics_server);
    }
    application.announce(open_files, most * config.workers.get())?;
    Ok(Bound {
        address,
        server: server.run(),
        certificates,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a float is what the format has")]
fn watch_connections(metrics: &Metrics, tally: &Arc<Tally>) -> Result<(), prometheus::Error> {
    let (open, gave_way) = (Arc::clone(tally), Arc::clone(tally));
    metrics.watch(
        "tessera_http_connections",
        "Connections that clients and proxies hold open.",
        move || open.open() as f64,
    )?;
    metrics.watch(
        "tessera_http_connections_gave_way",
        "Idle connections that were closed since the start, as there was no room for new ones.",
        move || gave_way.gave_way() as f64,
    )
}

fn watch(metrics: &Metrics, provider: &Arc<Provider>) -> Result<(), prometheus::Error> {
    #[expect(clippy::cast_precision_loss, reason = "a float is what the format has")]
    let gauge = |count: u64| count as f64;
    let of = |read: fn(&Provider) -> u64| {
        let provider = Arc::downgrade(provider);
        move || {
            provider
                .upgrade()
                .map_or(0.0, |provider| gauge(read(&provider)))
        }
    };
    metrics.watch(
        "tessera_database_connections",
        "Open database connections.",
        of(|p| p.db.gauges().connections.into()),
    )?;
    metrics.watch(
        "tessera_database_connections_idle",
        "Database connections that do nothing.",
        of(|p| p.db.gauges().idle.into()),
    )?;
    metrics.watch(
        "tessera_database_queue",
        "Requests waiting for a database thread.",
        of(|p| p.db.gauges().waiting as u64),
    )?;
    metrics.watch(
        "tessera_hashing_queue",
        "Passwords waiting to be hashed.",
        of(|p| p.hashing.waiting() as u64),
    )?;
    for collector in provider.hashing_waits.collectors() {
        metrics.adopt(collector)?;
    }
    let follower = Arc::downgrade(provider);
    metrics.watch(
        "tessera_change_feed_age_seconds",
        "Time since this node last knew of all that others had committed; infinite where it never did.",
        move || {
            let age = follower.upgrade().and_then(|provider| provider.feed_age());
            age.map_or(f64::INFINITY, |age| age.as_secs_f64())
        },
    )?;
    metrics.watch(
        "tessera_database_statements",
        "Database statements run since the start.",
        of(|p| p.db.gauges().statements),
    )?;
    metrics.watch(
        "tessera_logout_tokens_delivered",
        "Logout tokens that clients took since the start.",
        of(|p| p.deliveries.logout.delivered()),
    )?;
    metrics.watch(
        "tessera_logout_tokens_retried",
        "Attempts to deliver a logout token that failed and are made again.",
        of(|p| p.deliveries.logout.retried()),
    )?;
    metrics.watch(
        "tessera_logout_tokens_failed",
        "Logout tokens that were given up since the start.",
        of(|p| p.deliveries.logout.failed()),
    )?;
    metrics.watch(
        "tessera_backchannel_messages_delivered",
        "Pings, pushed tokens and notices of backchannel requests that were taken since the start.",
        of(|p| p.deliveries.backchannel.delivered()),
    )?;
    metrics.watch(
        "tessera_backchannel_messages_retried",
        "Attempts to deliver a ping, pushed tokens or a notice that failed and are made again.",
        of(|p| p.deliveries.backchannel.retried()),
    )?;
    metrics.watch(
        "tessera_backchannel_messages_failed",
        "Pings, pushed tokens and notices of backchannel requests that were given up since the start.",
        of(|p| p.deliveries.backchannel.failed()),
    )?;
    metrics.watch(
        "tessera_password_hashes",
        "Password hashes computed since the start.",
        of(|p| p.hashing.tally().hashes()),
    )?;
    metrics.watch(
        "tessera_password_work_kibibytes",
        "Memory passed over for password hashes since the start.",
        of(|p| p.hashing.tally().work()),
    )
}

/// Has the server finish what runs and end.
pub async fn stop(handle: ServerHandle) {
    handle.stop(true).await;
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    /// Linux grants as many as `net.core.somaxconn` says, 4,096 mostly.
    #[test]
    fn more_may_wait_to_be_accepted_than_the_standard_library_has() {
        let listener = bind("listen", ([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let waiting: Vec<_> = (0..180)
            .map_while(|_| TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok())
            .collect();
        assert_eq!(waiting.len(), 180);
    }

    #[test]
    fn an_address_that_cannot_be_had_names_its_setting_and_what_to_do() {
        let told = |setting, kind: io::ErrorKind| {
            let error = ServeError::Listen {
                setting,
                address: ([127, 0, 0, 1], 80).into(),
                error: kind.into(),
            };
            error.to_string()
        };
        let denied = told("tls_listen", io::ErrorKind::PermissionDenied);
        assert!(
            denied.starts_with("can't listen on 127.0.0.1:80: permission denied")
                && denied.contains("CAP_NET_BIND_SERVICE")
                && denied.contains("`tls_listen`"),
            "{denied}"
        );
        let taken = told("listen", io::ErrorKind::AddrInUse);
        assert!(taken.contains("`listen`, or --listen"), "{taken}");
        let taken = told("mtls_listen", io::ErrorKind::AddrInUse);
        assert!(
            taken.contains("`mtls_listen`") && !taken.contains("--listen"),
            "{taken}"
        );
        let elsewhere = told("metrics_listen", io::ErrorKind::AddrNotAvailable);
        assert!(
            elsewhere.contains("doesn't have that address (`metrics_listen`)"),
            "{elsewhere}"
        );
        let other = told("metrics_listen", io::ErrorKind::Other);
        assert!(other.ends_with("(`metrics_listen`)"), "{other}");
    }
}
