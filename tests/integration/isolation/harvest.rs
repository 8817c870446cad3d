//! What the product made up for each tenant and what gives it away as well as a mark: read from the database by its own schema.

use super::digest::{Column, Shape};
use super::marks::SYSTEM;
use super::world::World;

/// Texts that nobody chooses, each of them different in each tenant.
pub const MADE_UP: &[(&str, &str, &str)] = &[
    ("signing_keys", "kid", "kid"),
    ("signing_keys", "public_jwk", "jwk"),
    ("domains", "verification_token", "proof"),
    ("users", "password_phc", "phc"),
    ("grants", "code_challenge", "challenge"),
    ("clients", "software_statement", "statement"),
];

/// Adds them, and the identifiers of every row.
pub fn into(world: &mut World) {
    let shape = Shape::of(&world.app.database);
    let mut raw = world.app.database.raw();
    let mut ids = Vec::new();
    for table in shape.tenants_tables() {
        for (column, kind) in &table.columns {
            let label = MADE_UP
                .iter()
                .find(|(known, name, _)| (*known, *name) == (table.name.as_str(), column.as_str()))
                .map(|(_, _, label)| *label);
            match kind {
                Column::Text if label.is_some() => {
                    let values = table.values(&mut raw, column);
                    for (letter, value) in &values {
                        // A challenge of the verifier that all tests share is nobody's.
                        let shared = values
                            .iter()
                            .any(|(other, same)| same == value && other != letter);
                        if *letter != SYSTEM && value.len() >= 8 && !shared {
                            world.marks.add(*letter, label.unwrap_or_default(), value);
                        }
                    }
                }
                Column::Uuid if column != "tenant_id" => {
                    ids.extend(table.values(&mut raw, column));
                }
                _ => {}
            }
        }
    }
    ids.sort_by(|one, other| one.1.cmp(&other.1));
    ids.dedup();
    // Some are the same in each tenant: the console's client.
    for (letter, id) in &ids {
        // An event names the operator who acted, by an identifier that says nothing.
        if *letter == SYSTEM {
            continue;
        }
        let shared = ids
            .iter()
            .any(|(other, same)| same == id && other != letter);
        if !shared && !id.is_empty() {
            world.marks.add_id(*letter, id);
        }
    }
}
