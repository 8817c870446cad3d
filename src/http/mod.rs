//! The server: routes, extractors, and the forms that answers take.

pub mod metrics;
pub mod pages;
pub mod telemetry;
