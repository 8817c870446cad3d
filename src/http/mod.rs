//! The server: routes, extractors, and the forms that answers take.
//!
//! [`locate`](locate::locate) finds the tenant before routing and hands the router the path below the issuer, so that the route table
//! ([`routes`]) is written once for tenants by path, by subdomain and by domain.

pub mod api;
pub mod body;
pub mod capacity;
pub mod client_certificate;
pub mod connections;
pub mod console;
pub mod cors;
pub mod discovery;
pub mod documents;
pub mod error;
pub mod extract;
pub mod front;
pub mod headers;
pub mod health;
pub mod locate;
mod log_buffer;
mod log_format;
pub mod metrics;
pub mod oauth;
pub mod pages;
pub mod routes;
pub mod server;
pub mod static_files;
pub mod telemetry;
pub mod tls;
