//! JSON as it leaves us, to be signed or as an answer. It is read by [`super::strict_json`].

use serde::Serialize;

/// What the claims of a token and the answers of the endpoints need, nearly all of them.
const USUAL: usize = 768;

/// Writes a value as JSON, with room from the start: a buffer that begins small is copied each time that it grows.
pub fn write_json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut json, value)?;
    Ok(json)
}
