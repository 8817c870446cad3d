//! The listening process: binds, serves, and ends gracefully.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::{App, Error, HttpServer, web};
use openssl::error::ErrorStack;
use openssl::ssl::{
    SslAcceptor, SslAcceptorBuilder, SslFiletype, SslMethod, SslOptions, SslSessionCacheMode,
    SslVerifyMode,
};

use super::documents::Documents;
use super::front::Front;
use super::metrics::Metrics;
use super::telemetry::Observer;
use super::{connections, routes};
use crate::flows::Provider;

/// A server that is bound but doesn't run yet.
pub struct Bound {
    /// Where it listens.
    pub address: SocketAddr,
    /// Serves when awaited or spawned.
    pub server: Server,
}

/// Why a server can't be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can't be bound.
    #[error("can't listen on {address}: {error}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The certificate or its key can't be used.
    #[error("the TLS certificate or key can't be used: {0}")]
    Tls(#[from] openssl::error::ErrorStack),
    /// The metrics can't be set up.
    #[error("the metrics can't be set up: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// What every worker's application shares.
#[derive(Clone)]
pub struct Application {
    front: Front,
    documents: web::Data<Documents>,
    provider: web::Data<Provider>,
    metrics: web::Data<Metrics>,
}

impl Application {
    /// Around a provider.
    pub fn new(provider: Arc<Provider>) -> Result<Self, prometheus::Error> {
        let metrics = Arc::new(Metrics::new()?);
        watch(&metrics, &provider)?;
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
        })
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
        address: config.listen,
        error,
    };
    let address = listener.local_addr().map_err(failed)?;
    let application = Application::new(provider)?;
    let metrics = application.metrics.clone().into_inner();
    let mut server = HttpServer::new(move || application.build())
        .on_connect(connections::look_after(
            config.keep_alive + config.header_timeout,
        ))
        .workers(config.workers.get())
        .client_request_timeout(config.header_timeout)
        .keep_alive(config.keep_alive)
        .shutdown_timeout(config.shutdown_timeout.as_secs())
        .server_hostname(config.public_url.host())
        .listen(listener)
        .map_err(failed)?;
    if let (Some(tls), Some(certificate), Some(key)) = (
        config.tls_listen,
        &config.tls_certificate_file,
        &config.tls_key_file,
    ) {
        server = server
            .bind_openssl(tls, acceptor(certificate, key)?)
            .map_err(|error| ServeError::Listen {
                address: tls,
                error,
            })?;
    }
    if let (Some(mtls), Some(certificate), Some(key)) = (
        config.mtls_listen,
        &config.mtls_certificate_file,
        &config.mtls_key_file,
    ) {
        let mut acceptor = acceptor(certificate, key)?;
        ask_for_certificates(&mut acceptor)?;
        server = server
            .bind_openssl(mtls, acceptor)
            .map_err(|error| ServeError::Listen {
                address: mtls,
                error,
            })?;
    }
    if let Some(address) = config.metrics_listen {
        let (bound, metrics_server) = super::metrics::listen(metrics, address)
            .map_err(|error| ServeError::Listen { address, error })?;
        tracing::info!(address = %bound, "metrics");
        actix_web::rt::spawn(metrics_server);
    }
    Ok(Bound {
        address,
        server: server.run(),
    })
}

/// What is offered to whoever doesn't speak TLS 1.3.
const TLS_1_2_SUITES: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

fn acceptor(certificate: &Path, key: &Path) -> Result<SslAcceptorBuilder, ErrorStack> {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    // FAPI 2.0 Security Profile §5.2.2 has services offered the suites of RFC 9325 §4.2 and no others; TLS 1.3 has none that aren't good.
    acceptor.set_cipher_list(TLS_1_2_SUITES)?;
    acceptor.set_certificate_chain_file(certificate)?;
    acceptor.set_private_key_file(key, SslFiletype::PEM)?;
    acceptor.check_private_key()?;
    Ok(acceptor)
}

/// Has clients asked for a certificate, and takes any: that whoever shows one holds its key is proved by the handshake, and whose it is and who
/// issued it is checked for each request, as tenants trust different authorities. Nothing is resumed, as a resumed connection has lost what
/// came with the certificate.
fn ask_for_certificates(acceptor: &mut SslAcceptorBuilder) -> Result<(), ErrorStack> {
    acceptor.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    acceptor.set_session_cache_mode(SslSessionCacheMode::OFF);
    acceptor.set_options(SslOptions::NO_TICKET);
    acceptor.set_num_tickets(0)
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
