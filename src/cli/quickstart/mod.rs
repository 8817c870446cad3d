//! From nothing to a sign-in in a browser: makes a data directory, a database, keys, two tenants with people and clients, and serves
//! them together with a small demo application. Running it again keeps what is there.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use url::Url;

use self::demo::{DemoApp, DemoTenant};
use self::memory::Document;
pub use self::memory::Memory;
use super::open::{self, Opened};
use super::output::{Failure, Output};
use super::serve;
use crate::config::{Config, Flags, Origin};
use crate::flows::Provider;
use crate::http::{capacity, server, telemetry};
use crate::secret::PlainSecret;

pub mod demo;
mod memory;
mod report;
mod seed;

/// Where the demo application listens unless that port is taken.
const DEMO_PORT: u16 = 8081;

/// Runs until it is told to stop.
pub async fn run(flags: Flags, output: Output) -> Result<(), Failure> {
    let mut config = open::config(flags)?;
    let _log = telemetry::init(config.log_format, &config.log_filter);
    let memory = Memory::in_directory(&config.data_dir);
    let remembered = memory.load().map_err(|error| {
        Failure::new(format!(
            "{} can't be read: {error}",
            memory.path().display()
        ))
    })?;
    if let Some(document) = &remembered {
        return_to_port(&mut config, document);
    }
    capacity::raise_open_files();
    // Bound before anything is made: what is made names the port, which the system may have chosen.
    let listener = serve::listen(&mut config)?;
    let Opened {
        provider,
        _lock: lock,
    } = open::quickstart(config).await?;
    let demo = bind_demo(&provider, remembered.as_ref())?;
    let document = if let Some(document) = remembered {
        check(document, &provider).await?
    } else {
        let document = seed::seed(&provider, &demo).await?;
        memory.store(&document).map_err(|error| {
            let problem = format!("{} can't be written: {error}", memory.path().display());
            Failure::new(problem)
        })?;
        document
    };
    let bound = server::serve_on(Arc::clone(&provider), listener)
        .map_err(|error| Failure::new(error.to_string()))?;
    let tenants = demo_tenants(&document, &demo);
    let demo = demo
        .serve(tenants, provider.clock.clone())
        .map_err(|error| Failure::new(format!("the demo application can't be served: {error}")))?;
    let demo_handle = demo.handle();
    actix_web::rt::spawn(demo);
    // Polled once before anything is printed: whoever reads the addresses may send SIGTERM at once, and must find it handled.
    let server = actix_web::rt::spawn(bound.server);
    tokio::task::yield_now().await;
    let jobs = crate::jobs::start(&provider);
    if output.is_json() {
        output.json(&document)?;
    } else {
        output.text(&report::text(&document, &command_on(&provider.config)))?;
    }
    let ended = server
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)));
    jobs.stop().await;
    stop(demo_handle).await;
    drop(lock);
    ended.map_err(|error| Failure::new(format!("the server ended: {error}")))
}

/// How a command begins that works on what was made here, and names the same addresses.
fn command_on(config: &Config) -> String {
    let folder = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    let mut command = format!("tessera --data-dir {}", folder.display());
    let public_url = config.public_url.to_string();
    let usual = Config::from_toml("").map(|usual| usual.public_url.to_string());
    if usual.as_ref() != Ok(&public_url) {
        command = format!("{command} --public-url '{public_url}'");
    }
    // It may hold a password, and whoever gave it knows it.
    if config.origin("database_url") != Origin::Default {
        command.push_str(" --database-url …");
    }
    command
}

async fn stop(handle: ServerHandle) {
    handle.stop(true).await;
}

/// Takes the server's port of the time before, unless the settings name another.
fn return_to_port(config: &mut Config, document: &Document) {
    let any = config.listen.port() == 0 || config.origin("listen") == Origin::Default;
    if !any || config.origin("public_url") != Origin::Default {
        return;
    }
    let before = document
        .tenants
        .first()
        .and_then(|entry| Url::parse(&entry.issuer).ok()?.port());
    if let Some(port) = before {
        config.listen.set_port(port);
        config.public_url = config.public_url.with_port(port);
    }
}

/// The port of the time before, as the clients' redirect URIs name it; else the usual one, or any that is free.
fn bind_demo(provider: &Provider, remembered: Option<&Document>) -> Result<DemoApp, Failure> {
    let ip = provider.config.listen.ip();
    let bind = |port| DemoApp::bind(SocketAddr::new(ip, port));
    match remembered.and_then(|document| Url::parse(&document.demo_app).ok()?.port()) {
        Some(port) => bind(port).map_err(|error| {
            Failure::new(format!("the demo application can't have port {port}, where it was before: {error}. Stop what listens there, and try again"))
        }),
        None => bind(DEMO_PORT).or_else(|_| bind(0)).map_err(|error| Failure::new(format!("the demo application can't listen: {error}"))),
    }
}

/// What was made before must still be there, and at the same addresses.
async fn check(document: Document, provider: &Provider) -> Result<Document, Failure> {
    for entry in &document.tenants {
        let now = provider.config.public_url.issuer(&entry.slug);
        if now != entry.issuer {
            return Err(Failure::new(format!(
                "tenant {} was made at {} and would be at {now} now; start with the same --listen and --public-url as before, or with another --data-dir",
                entry.slug, entry.issuer
            )));
        }
        let slug = crate::protocol::Slug::parse(&entry.slug)
            .map_err(|error| Failure::new(error.to_string()))?;
        if provider.find_tenant(&slug).await?.is_none() {
            return Err(Failure::new(format!(
                "tenant {} is remembered in quickstart.json but isn't in the database; use the database of the time before, or another --data-dir",
                entry.slug
            )));
        }
    }
    Ok(document)
}

fn demo_tenants(document: &Document, demo: &DemoApp) -> Vec<DemoTenant> {
    let of = |client: &serde_json::Value, name: &str| {
        client
            .get(name)
            .and_then(serde_json::Value::as_str)
            .map(ToOwned::to_owned)
    };
    let tenant = |entry: &memory::TenantEntry| {
        let redirect_uri = demo.redirect_uri(&entry.slug);
        let uses_it = |client: &&serde_json::Value| {
            client["redirect_uris"]
                .as_array()
                .is_some_and(|uris| uris.iter().any(|uri| uri.as_str() == Some(&redirect_uri)))
        };
        let client = entry.clients.iter().find(uses_it)?;
        Some(DemoTenant {
            slug: entry.slug.clone(),
            name: entry.name.clone(),
            issuer: entry.issuer.clone(),
            client_id: of(client, "client_id")?,
            client_secret: of(client, "client_secret").map(PlainSecret::new),
            audience: seed::audience(demo, &entry.slug),
            api_scope: seed::API_SCOPE.to_owned(),
        })
    };
    document.tenants.iter().filter_map(tenant).collect()
}
