//! `tessera openapi`: the description of the administration API.

use super::open;
use super::output::{Failure, Output};
use crate::config::Flags;
use crate::http::api::openapi;

/// Prints the document; it is JSON with or without `--json`.
pub fn run(flags: Flags, output: Output) -> Result<(), Failure> {
    let config = open::config(flags)?;
    output.json(&openapi::document(config.public_url.root()))
}
