//! `tessera migrate`: brings the schema up to date.

use serde_json::json;

use super::open;
use super::output::{Failure, Report};
use crate::config::Flags;
use crate::storage;

/// Runs what is pending, under a lock.
pub fn run(flags: Flags) -> Result<Report, Failure> {
    let config = open::config(flags)?;
    open::make_data_dir(&config)?;
    let url = config
        .migrate_database_url
        .as_ref()
        .unwrap_or(&config.database_url);
    let names = storage::migrate(&open::location_of(url))?;
    let text = if names.is_empty() {
        format!("The schema of {url} is up to date.")
    } else {
        format!(
            "The schema of {url} was brought up to date:\n  {}",
            names.join("\n  ")
        )
    };
    Ok(Report::new(
        json!({ "database": url.to_string(), "migrated": names }),
        text,
    ))
}
