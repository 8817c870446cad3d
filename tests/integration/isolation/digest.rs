//! The database as a test sees it: its tables by its own schema, and a fingerprint of each tenant's rows in each.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::marks::{Letter, SYSTEM};
use crate::support::database::{Raw, TestDatabase};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Text,
    Uuid,
    Other,
}

/// A table and how its rows belong to tenants.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub columns: Vec<(String, Column)>,
}

/// All tables with rows of tenants.
pub struct Shape(Vec<Table>);

/// The tenant of a slug.
fn letter(slug: &str) -> Letter {
    match slug.strip_prefix("mark-") {
        Some(rest) => rest.chars().next().expect("a letter"),
        None => SYSTEM,
    }
}

impl Shape {
    /// As the database says.
    pub fn of(database: &TestDatabase) -> Self {
        Self::of_raw(&mut database.raw())
    }

    /// The same by a connection.
    pub fn of_raw(raw: &mut Raw) -> Self {
        let sql = match raw {
            Raw::Sqlite(_) => {
                "SELECT m.name || ' ' || c.name || ' ' || lower(c.type) AS value FROM sqlite_master m, pragma_table_info(m.name) c \
                 WHERE m.type = 'table' AND m.name NOT LIKE '\\_\\_%' ESCAPE '\\' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.cid"
            }
            Raw::Postgres(_) => {
                "SELECT table_name || ' ' || column_name || ' ' || data_type AS value FROM information_schema.columns \
                 WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_%' ORDER BY table_name, ordinal_position"
            }
        };
        let mut tables = Vec::<Table>::new();
        for line in raw.texts(sql) {
            let (name, rest) = line.split_once(' ').expect("a table");
            let (column, kind) = rest.split_once(' ').expect("a column");
            // SQLite has no types for UUIDs and times: there the names tell. PostgreSQL, which has both, holds the names to it.
            let is_id = ["jti", "id"].contains(&column) || column.ends_with("_id");
            let times = ["_at", "_time", "_start", "_from"];
            let is_time = column == "at" || times.iter().any(|end| column.ends_with(end));
            let kind = match kind {
                "text" if is_time && matches!(raw, Raw::Sqlite(_)) => Column::Other,
                "text" => Column::Text,
                "uuid" => Column::Uuid,
                "blob" if is_id => Column::Uuid,
                _ => Column::Other,
            };
            if tables.last().is_none_or(|table| table.name != name) {
                tables.push(Table {
                    name: name.to_owned(),
                    columns: Vec::new(),
                });
            }
            let table = tables.last_mut().expect("a table");
            table.columns.push((column.to_owned(), kind));
        }
        assert!(tables.len() > 15, "{tables:?}");
        Self(tables)
    }

    /// The tables whose rows belong to tenants, that of the tenants too.
    pub fn tenants_tables(&self) -> impl Iterator<Item = &Table> {
        self.0.iter().filter(|table| {
            table.name == "tenants" || table.columns.iter().any(|(name, _)| name == "tenant_id")
        })
    }

    /// Every row of every table, as the database writes it: texts as they are, bytes in hex.
    pub fn dump(&self, raw: &mut Raw) -> Vec<(String, String)> {
        let rows = self.0.iter().flat_map(|table| {
            let row = table.whole_row(raw);
            let rows = raw.texts(&format!("SELECT {row} AS value FROM {} x", table.name));
            rows.into_iter().map(|row| (table.name.clone(), row))
        });
        rows.collect()
    }

    /// A fingerprint of each tenant's rows in each table.
    pub fn digest(&self, raw: &mut Raw) -> BTreeMap<(Letter, String), u64> {
        let mut digest = BTreeMap::new();
        for table in self.tenants_tables() {
            let mut rows = BTreeMap::<Letter, Vec<String>>::new();
            for (letter, row) in table.rows(raw, &table.whole_row(raw)) {
                rows.entry(letter).or_default().push(row);
            }
            for (letter, mut rows) in rows {
                rows.sort();
                let mut hasher = DefaultHasher::new();
                rows.hash(&mut hasher);
                digest.insert((letter, table.name.clone()), hasher.finish());
            }
        }
        digest
    }
}

impl Table {
    fn whole_row(&self, raw: &Raw) -> String {
        match raw {
            Raw::Sqlite(_) => {
                let columns = self.columns.iter();
                let quoted = columns.map(|(name, _)| format!("quote(x.{name})"));
                quoted.collect::<Vec<_>>().join(" || '|' || ")
            }
            Raw::Postgres(_) => "x::text".to_owned(),
        }
    }

    /// An expression of each row, and whose the row is.
    fn rows(&self, raw: &mut Raw, expression: &str) -> Vec<(Letter, String)> {
        let owner = if self.name == "tenants" {
            "id"
        } else {
            "tenant_id"
        };
        let sql = format!(
            "SELECT t.slug || ' ' || {expression} AS value FROM {} x JOIN tenants t ON t.id = x.{owner} WHERE {expression} IS NOT NULL",
            self.name
        );
        let parts = |line: String| {
            let (slug, value) = line.split_once(' ').expect("a slug");
            (letter(slug), value.to_owned())
        };
        raw.texts(&sql).into_iter().map(parts).collect()
    }

    /// The values of a text or an identifier.
    pub fn values(&self, raw: &mut Raw, column: &str) -> Vec<(Letter, String)> {
        let is_uuid = self.columns.contains(&(column.to_owned(), Column::Uuid));
        let expression = match raw {
            Raw::Sqlite(_) if is_uuid => format!("lower(hex(x.{column}))"),
            Raw::Postgres(_) if is_uuid => format!("replace(x.{column}::text, '-', '')"),
            _ => format!("x.{column}"),
        };
        let values = self.rows(raw, &expression);
        if !is_uuid {
            return values;
        }
        let hyphens = |id: String| {
            let part = |from: usize, to: usize| id[from..to].to_owned();
            [
                part(0, 8),
                part(8, 12),
                part(12, 16),
                part(16, 20),
                part(20, 32),
            ]
            .join("-")
        };
        values
            .into_iter()
            // What SQLite makes of none.
            .filter(|(_, id)| !id.is_empty())
            .map(|(letter, id)| (letter, hyphens(id)))
            .collect()
    }
}
