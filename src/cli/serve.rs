//! `tessera serve`: the server, until it is told to stop.

use std::net::TcpListener;
use std::sync::Arc;

use serde_json::json;

use super::open::{self, Opening};
use super::output::{Failure, Output, Report};
use crate::config::{Config, Flags, Origin};
use crate::http::{server, telemetry};
use crate::jobs;

/// Serves until SIGTERM or SIGINT.
pub async fn run(flags: Flags, output: Output) -> Result<(), Failure> {
    let mut config = open::config(flags)?;
    let _log = telemetry::init(config.log_format, &config.log_filter);
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let listener = listen(&mut config)?;
    let _lock = open::lock(&config)?;
    let provider = Opening::server(config).provider().await?;
    let jobs = jobs::start(&provider);
    let bound = server::serve_on(Arc::clone(&provider), listener)
        .map_err(|error| Failure::failed("listen_failed", error))?;
    let public_url = &provider.config.public_url;
    let document = json!({ "listening": bound.address, "public_url": public_url.to_string(), "root": public_url.root() });
    let text = format!(
        "tessera listens on {}; tenants are at {public_url}",
        bound.address
    );
    // Polled once before anything is printed: whoever reads the address may send SIGTERM at once, and must find it handled.
    let server = actix_web::rt::spawn(bound.server);
    tokio::task::yield_now().await;
    Report::new(document, text).print(output)?;
    let ended = server.await;
    jobs.stop().await;
    ended
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|error| Failure::failed("server_failed", error))
}

/// Binds the address; where the system chose the port, the default `public_url` follows.
pub fn listen(config: &mut Config) -> Result<TcpListener, Failure> {
    let failed = |error: std::io::Error| {
        let advice = if error.kind() == std::io::ErrorKind::AddrInUse {
            "; stop what listens there, or choose another port with --listen (`listen` in the file)"
        } else {
            ""
        };
        Failure::failed(
            "listen_failed",
            format!("can't listen on {}: {error}{advice}", config.listen),
        )
    };
    let listener = TcpListener::bind(config.listen).map_err(failed)?;
    if config.listen.port() == 0 && config.origin("public_url") == Origin::Default {
        let address = listener.local_addr().map_err(failed)?;
        config.public_url = config.public_url.with_port(address.port());
    }
    Ok(listener)
}
