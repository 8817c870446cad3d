//! `tessera migrate`: brings the schema up to date.

use serde_json::json;

use super::open::{self, OpenError};
use super::output::{Failure, Report};
use crate::config::{Config, Flags};
use crate::storage::{self, SchemaError};

/// What the database didn't take. A log-in that owns nothing is the server's, mostly.
fn refused(error: SchemaError, config: &Config) -> Failure {
    let error = OpenError::from(error);
    let text = error.to_string();
    if config.migrate_database_url.is_none() && text.contains("permission denied") {
        return Failure::failed(
            error.code(),
            format!(
                "{text}. This log-in doesn't own the tables: name the owner's by TESSERA_MIGRATE_DATABASE_URL"
            ),
        );
    }
    error.into()
}

/// Runs what is pending, under a lock.
pub fn run(flags: Flags) -> Result<Report, Failure> {
    let config = open::config(flags)?;
    open::make_data_dir(&config)?;
    let url = config
        .migrate_database_url
        .as_ref()
        .unwrap_or(&config.database_url);
    let names =
        storage::migrate(&open::location_of(url)).map_err(|error| refused(error, &config))?;
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
