//! No field is forgotten: the schema says which columns take text, and each has to hold a mark of each tenant.

use std::collections::BTreeSet;

use super::digest::{Column, Shape};
use super::harvest::MADE_UP;
use super::marks::TENANTS;
use super::world::World;

/// Columns whose text nobody chooses freely, and why there can be no mark.
const WITHOUT: &[(&str, &str, &str)] = &[
    ("tenants", "status", "one of three words"),
    ("changes", "entity", "one of four words"),
    ("role_assignments", "role", "one of four words"),
    (
        "clients",
        "set_by_administrators",
        "names of members of the metadata",
    ),
    ("signing_keys", "algorithm", "one of four words"),
    ("sessions", "amr", "words of RFC 8176"),
    ("logout_deliveries", "state", "one of three words"),
    ("logout_deliveries", "kind", "one of four words"),
    (
        "backchannel_requests",
        "delivery_mode",
        "one of three words",
    ),
    (
        "logout_deliveries",
        "last_error",
        "words of the product's own, and none before the first attempt",
    ),
    ("grants", "amr", "words of RFC 8176"),
    ("grants", "acr", "a word of the product's own"),
    ("audit_events", "act", "a word of the product's own"),
    (
        "audit_events",
        "actor",
        "a kind and an identifier, which is looked for as such",
    ),
];

/// Every text column of every tenant's table holds a mark of each tenant, or stands in the list of those that can't.
pub fn check(world: &World) {
    let shape = Shape::of(&world.app.database);
    let mut raw = world.app.database.raw();
    let (mut bare, mut marked) = (Vec::new(), 0);
    let mut argued: BTreeSet<_> = WITHOUT
        .iter()
        .map(|(table, name, _)| (*table, *name))
        .collect();
    for table in shape.tenants_tables() {
        for (column, kind) in &table.columns {
            if *kind != Column::Text {
                continue;
            }
            if argued.remove(&(table.name.as_str(), column.as_str())) {
                continue;
            }
            let values = table.values(&mut raw, column);
            let made_up = MADE_UP
                .iter()
                .any(|(known, name, _)| (*known, *name) == (table.name.as_str(), column.as_str()));
            for tenant in TENANTS {
                let own = values.iter().filter(|(letter, _)| *letter == tenant);
                let has_mark = own.into_iter().any(|(_, value)| {
                    let found = world.marks.find(value);
                    // Nobody else's, either.
                    assert!(
                        found.iter().all(|mark| mark.tenant == tenant),
                        "{}.{column}: {value}",
                        table.name
                    );
                    !found.is_empty()
                });
                if has_mark {
                    marked += 1;
                } else {
                    bare.push(format!(
                        "{}.{column} of {tenant} (made up: {made_up})",
                        table.name
                    ));
                }
            }
        }
    }
    assert!(bare.is_empty(), "no mark of its tenant stands in {bare:#?}");
    assert!(
        argued.is_empty(),
        "there are no such columns any more: {argued:?}"
    );
    assert!(marked > 80, "{marked}");
}
