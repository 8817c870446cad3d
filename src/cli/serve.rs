//! `tessera serve`: the server, until it is told to stop.

use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::rt;
use actix_web::rt::signal::unix::{Signal, SignalKind, signal};
use futures_util::future::{Either, select};
use serde_json::json;

use super::open::{self, OpenError, Opening};
use super::output::{Failure, Output, Report};
use crate::config::{Config, Flags, Origin};
use crate::flows::Provider;
use crate::http::tls::Certificates;
use crate::http::{capacity, server, telemetry};
use crate::jobs;

/// How often a database that isn't there is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How often the log says that it still isn't.
const SAY_AGAIN: Duration = Duration::from_mins(1);

/// Serves until SIGTERM or SIGINT.
pub async fn run(flags: Flags, output: Output) -> Result<(), Failure> {
    let mut config = open::config(flags)?;
    let _log = telemetry::init(config.log_format, &config.log_filter);
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let mut signals = Signals::new()?;
    capacity::raise_open_files();
    // Nobody is let in before there is something to serve. An embedded database isn't waited for, so that a port that is taken is told before
    // anything is made; and a port that the system chooses has to be known by then.
    let early = if config.database_url.is_sqlite() || config.listen.port() == 0 {
        Some(listen(&mut config)?)
    } else {
        None
    };
    let _lock = open::lock(&config)?;
    let Some(provider) = provider(&config, &mut signals).await? else {
        return Ok(());
    };
    let listener = match early {
        Some(listener) => listener,
        None => listen(&mut config)?,
    };
    let jobs = jobs::start(&provider);
    let bound = server::serve_on(Arc::clone(&provider), listener)
        .map_err(|error| Failure::failed("listen_failed", error))?;
    let public_url = &provider.config.public_url;
    let document = json!({ "listening": bound.address, "public_url": public_url.to_string(), "root": public_url.root() });
    let text = format!(
        "tessera listens on {}; tenants are at {public_url}",
        bound.address
    );
    rt::spawn(signals.obey(bound.server.handle(), bound.certificates));
    let server = rt::spawn(bound.server);
    tokio::task::yield_now().await;
    Report::new(document, text).print(output)?;
    let ended = server.await;
    jobs.stop().await;
    ended
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|error| Failure::failed("server_failed", error))
}

/// The provider, as soon as the database is there; `None` where the process is told to stop before.
///
/// A machine that starts, or a database that is failed over, has them come in any order. An embedded one isn't waited for, as nobody else
/// would bring it.
async fn provider(
    config: &Config,
    signals: &mut Signals,
) -> Result<Option<Arc<Provider>>, OpenError> {
    let mut said: Option<Instant> = None;
    loop {
        let opened = {
            let opening = pin!(Opening::server(config.clone()).provider());
            match select(opening, pin!(signals.stop())).await {
                Either::Left((opened, _)) => opened,
                Either::Right(_) => return Ok(None),
            }
        };
        match opened {
            Err(error) if error.is_passing() && !config.database_url.is_sqlite() => {
                if said.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
                    tracing::warn!(database = %config.database_url, %error, "waiting for the database; nothing is listened on before");
                    said = Some(Instant::now());
                }
            }
            Ok(provider) => {
                if said.is_some() {
                    tracing::info!("the database is there");
                }
                return Ok(Some(provider));
            }
            Err(error) => return Err(error),
        }
        let pause = pin!(tokio::time::sleep(TRY_AGAIN));
        if let Either::Right(_) = select(pause, pin!(signals.stop())).await {
            return Ok(None);
        }
    }
}

/// The signals that a server obeys, taken before it waits for anything.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let take = |kind| signal(kind).map_err(|error| Failure::failed("server_failed", error));
        Ok(Self {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
            hang_up: take(SignalKind::hangup())?,
        })
    }

    /// Returns when the process is told to stop.
    async fn stop(&mut self) {
        let (terminate, interrupt) = (pin!(self.terminate.recv()), pin!(self.interrupt.recv()));
        select(terminate, interrupt).await;
    }

    /// Reads certificates anew at SIGHUP, until the server is told to stop: by SIGTERM it finishes what runs, by SIGINT it ends at once. actix
    /// hears these two as well, and only what came before it was there is heard here alone.
    async fn obey(mut self, server: ServerHandle, certificates: Certificates) {
        loop {
            let gracefully = {
                let terminate = pin!(self.terminate.recv());
                let interrupt = pin!(self.interrupt.recv());
                let hang_up = pin!(self.hang_up.recv());
                match select(select(terminate, interrupt), hang_up).await {
                    Either::Left((Either::Left(_), _)) => Some(true),
                    Either::Left((Either::Right(_), _)) => Some(false),
                    Either::Right(_) => None,
                }
            };
            match gracefully {
                Some(gracefully) => return server.stop(gracefully).await,
                None => certificates.reload(),
            }
        }
    }
}

/// Binds the address; where the system chose the port, the default `public_url` follows.
pub fn listen(config: &mut Config) -> Result<TcpListener, Failure> {
    let failed = |error| Failure::failed("listen_failed", error);
    let listener =
        server::bind("listen", config.listen).map_err(|error| failed(error.to_string()))?;
    if config.listen.port() == 0 && config.origin("public_url") == Origin::Default {
        let address = listener
            .local_addr()
            .map_err(|error| failed(format!("can't listen on {}: {error}", config.listen)))?;
        config.public_url = config.public_url.with_port(address.port());
    }
    Ok(listener)
}
