//! The schema: tenants kept apart by every key, both databases equal to each other and to what the code believes, and migrations
//! that go both ways.

use std::collections::{BTreeMap, BTreeSet};

use tessera::storage::{
    DatabaseKind, Location, MigrationState, SchemaError, TENANT_TABLES, migrate, migration_state,
};

use crate::support::database::{Raw, TestDatabase, db_test, empty_postgres, migration_files};

/// Indices of tenants' tables that may lead with something else. None of them is unique, and none serves a tenant's query: they are
/// what the sweep of ended rows, which is across tenants, finds its rows by.
const LED_BY_TIME: &[&str] = &[
    "assertion_ids_expires_at",
    "device_secrets_expires_at",
    "dpop_proofs_expires_at",
    "grants_code_expires_at",
    "grants_expires_at",
    "grants_revoked_at",
    "login_failures_window_start",
    "one_time_links_expires_at",
    "idempotency_keys_expires_at",
    "pushed_requests_expires_at",
    "device_codes_expires_at",
    "backchannel_requests_expires_at",
    "initial_access_tokens_expires_at",
    "logout_deliveries_due_at",
    "logout_deliveries_ended_at",
    "refresh_tokens_expires_at",
    "revoked_tokens_expires_at",
    "sessions_ended_at",
    "sessions_expires_at",
    "signing_keys_removed_at",
    "signing_keys_revoked_at",
];

/// The key that leads a row to its tenant.
const TO_TENANT: &str = "tenant_id tenants id";

/// Tables that aren't a tenant's: what the installation as a whole must know before it knows a tenant.
const INSTALLATION_TABLES: &[&str] = &["changes", "domain_owners", "installation", "tenants"];

/// A table's columns as `name type nullability`, in order.
type Columns = BTreeMap<String, Vec<String>>;

fn columns(raw: &mut Raw) -> Columns {
    let sql = match raw {
        Raw::Sqlite(_) => {
            "SELECT m.name || ' ' || c.name || ' ' || c.type || ' ' || (CASE WHEN c.\"notnull\" THEN 'required' ELSE 'nullable' END) AS value \
             FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' \
             AND m.name NOT LIKE '__diesel%' ORDER BY m.name, c.cid"
        }
        Raw::Postgres(_) => {
            "SELECT table_name || ' ' || column_name || ' ' || replace(data_type, ' ', '_') || ' ' || \
             (CASE WHEN is_nullable = 'NO' THEN 'required' ELSE 'nullable' END) AS value FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_diesel%' AND column_name <> 'xid' ORDER BY table_name, ordinal_position"
        }
    };
    let mut columns = Columns::new();
    for line in raw.texts(sql) {
        let words: Vec<_> = line.split(' ').collect();
        let [table, column, sql_type, nullability] = words[..] else {
            panic!("{line}")
        };
        columns.entry(table.to_owned()).or_default().push(format!(
            "{column} {} {nullability}",
            common_type(table, column, sql_type)
        ));
    }
    columns
}

/// What a column is, whichever database spells it. SQLite keeps UUIDs with other bytes and instants with other texts; their names
/// tell them apart, here and wherever people read the schema.
fn common_type(table: &str, column: &str, sql_type: &str) -> &'static str {
    let is_id = column == "id" || column.ends_with("_id") || column == "jti";
    let is_instant = column == "at"
        || column.ends_with("_at")
        || matches!(column, "signs_from" | "window_start" | "auth_time");
    match sql_type {
        "uuid" => "UuidType",
        "BLOB" if is_id => "UuidType",
        "bytea" | "BLOB" => "Binary",
        "timestamp_with_time_zone" => "InstantType",
        // A request's id is whatever a proxy sent.
        "TEXT" if is_instant && column != "request_id" => "InstantType",
        "text" | "TEXT" => "Text",
        "boolean" | "BOOLEAN" => "Bool",
        "bigint" | "BIGINT" => "BigInt",
        // SQLite's row numbers are 64 bits wide and must be called INTEGER.
        "INTEGER" if table == "changes" => "BigInt",
        "integer" | "INTEGER" => "Integer",
        other => panic!("{table}.{column} has the type {other}"),
    }
}

/// The same, as the code believes it: read from its source, as nothing outside of `storage` may name a table.
fn believed() -> Columns {
    let source = include_str!("../../../src/storage/schema.rs");
    let source: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut columns = Columns::new();
    for (invocation, is_tenants) in [("\ntables! {", false), ("\ntenant_tables! {", true)] {
        let start = source.find(invocation).expect("the macro is called") + invocation.len();
        let body = &source[start..start + source[start..].find("\n}").expect("its end")];
        for table in body.split('}').filter(|table| table.contains('{')) {
            let (head, rest) = table.split_once('{').expect("columns");
            let name = head.split_once('(').expect("a key").0.trim();
            let mut list: Vec<String> = if is_tenants {
                vec!["tenant_id UuidType required".into()]
            } else {
                vec![]
            };
            for column in rest
                .split(',')
                .map(str::trim)
                .filter(|column| !column.is_empty())
            {
                let (column, sql_type) = column.split_once(" -> ").expect("a column");
                let (sql_type, nullability) = match sql_type.strip_prefix("Nullable<") {
                    Some(inner) => (inner.trim_end_matches('>'), "nullable"),
                    None => (sql_type, "required"),
                };
                list.push(format!("{column} {sql_type} {nullability}"));
            }
            columns.insert(name.to_owned(), list);
        }
    }
    columns
}

/// Each index of a table: its name, whether it is unique, its columns.
fn indices(raw: &mut Raw, table: &str) -> Vec<(String, bool, Vec<String>)> {
    let sql = match raw {
        Raw::Sqlite(_) => format!(
            "SELECT i.name || ' ' || i.\"unique\" || ' ' || (SELECT group_concat(name) FROM (SELECT name FROM pragma_index_info(i.name) \
             ORDER BY seqno)) AS value FROM pragma_index_list('{table}') i"
        ),
        Raw::Postgres(_) => format!(
            "SELECT c.relname || ' ' || (i.indisunique::int) || ' ' || (SELECT string_agg(a.attname::text, ',' ORDER BY k.n) \
             FROM unnest(i.indkey) WITH ORDINALITY k(attnum, n) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum) AS value \
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = '{table}'::regclass"
        ),
    };
    let parse = |line: String| {
        let words: Vec<_> = line.split(' ').collect();
        let [name, unique, columns] = words[..] else {
            panic!("{line}")
        };
        (
            name.to_owned(),
            unique == "1",
            columns.split(',').map(ToOwned::to_owned).collect(),
        )
    };
    raw.texts(&sql).into_iter().map(parse).collect()
}

/// Each foreign key of a table: its own columns and what they refer to.
fn foreign_keys(raw: &mut Raw, table: &str) -> BTreeSet<String> {
    let sql = match raw {
        Raw::Sqlite(_) => format!(
            "SELECT group_concat(f.\"from\") || ' ' || f.\"table\" || ' ' || group_concat(f.\"to\") AS value \
             FROM (SELECT * FROM pragma_foreign_key_list('{table}') ORDER BY id, seq) f GROUP BY f.id"
        ),
        Raw::Postgres(_) => format!(
            "SELECT (SELECT string_agg(a.attname::text, ',' ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY k(attnum, n) \
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) || ' ' || c.confrelid::regclass || ' ' || \
             (SELECT string_agg(a.attname::text, ',' ORDER BY k.n) FROM unnest(c.confkey) WITH ORDINALITY k(attnum, n) \
             JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum) AS value \
             FROM pg_constraint c WHERE c.contype = 'f' AND c.conrelid = '{table}'::regclass"
        ),
    };
    raw.texts(&sql).into_iter().collect()
}

fn primary_key(raw: &mut Raw, table: &str) -> Vec<String> {
    let sql = match raw {
        Raw::Sqlite(_) => format!(
            "SELECT name AS value FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk"
        ),
        Raw::Postgres(_) => format!(
            "SELECT a.attname::text AS value FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, n), pg_attribute a \
             WHERE i.indrelid = '{table}'::regclass AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.attnum ORDER BY k.n"
        ),
    };
    raw.texts(&sql)
}

db_test! {
    async fn every_key_of_a_tenants_table_leads_with_the_tenant(database: TestDatabase) {
        let mut raw = database.raw();
        for table in TENANT_TABLES {
            assert_eq!(primary_key(&mut raw, table)[0], "tenant_id", "{table}");
            for (name, unique, columns) in indices(&mut raw, table) {
                let allowed = !unique && LED_BY_TIME.contains(&name.as_str());
                assert!(columns[0] == "tenant_id" || allowed, "{table} has the index {name} on {columns:?}");
            }
            let keys = foreign_keys(&mut raw, table);
            // PostgreSQL has it by what a row belongs to, where that is the same tenant's; each key costs it a statement.
            let is_implied = keys.iter().any(|key| key != TO_TENANT) && database.kind() == DatabaseKind::Postgres;
            assert_ne!(keys.contains(TO_TENANT), is_implied, "how {table} refers to its tenant");
            for key in keys {
                let words: Vec<_> = key.split(' ').collect();
                let within_tenant = words[0].starts_with("tenant_id,") && words[2].starts_with("tenant_id,") && TENANT_TABLES.contains(&words[1]);
                assert!(key == TO_TENANT || within_tenant, "{table}: {key}");
            }
        }
    }

    async fn every_foreign_key_is_served_by_an_index(database: TestDatabase) {
        let mut raw = database.raw();
        for table in TENANT_TABLES.iter().chain(INSTALLATION_TABLES) {
            let mut served: Vec<_> = indices(&mut raw, table).into_iter().map(|(_, _, columns)| columns.join(",")).collect();
            served.push(primary_key(&mut raw, table).join(","));
            for key in foreign_keys(&mut raw, table) {
                let columns = key.split(' ').next().expect("columns").to_owned();
                assert!(served.iter().any(|index| format!("{index},").starts_with(&format!("{columns},"))), "{table}: {key}");
            }
        }
    }

    async fn the_columns_are_what_the_code_believes(database: TestDatabase) {
        assert_eq!(columns(&mut database.raw()), believed());
    }

    async fn every_table_is_a_tenants_or_the_installations(database: TestDatabase) {
        let tables: BTreeSet<_> = columns(&mut database.raw()).into_keys().collect();
        let known: BTreeSet<_> = TENANT_TABLES.iter().chain(INSTALLATION_TABLES).map(|table| (*table).to_owned()).collect();
        assert_eq!(tables, known);
    }

    async fn up_down_up_ends_where_it_began(database: TestDatabase) {
        let kind = match database.location { Location::Sqlite(_) => "sqlite", Location::Postgres(_) => "postgres" };
        let mut raw = database.raw();
        let run = |raw: &mut Raw, file: &std::path::Path| {
            let sql = std::fs::read_to_string(file).expect("a migration");
            raw.execute(&sql).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        };
        let picture = |raw: &mut Raw| {
            let tables = columns(raw);
            let indices: Vec<_> = tables.keys().map(|table| { let mut all = indices(raw, table); all.sort(); all }).collect();
            let keys: Vec<_> = tables.keys().map(|table| foreign_keys(raw, table)).collect();
            (tables, indices, keys)
        };
        let before = picture(&mut raw);
        let files = migration_files(kind);
        for down in files.iter().rev().filter(|file| file.ends_with("down.sql")) {
            run(&mut raw, down);
        }
        assert_eq!(columns(&mut raw), Columns::new());
        for up in files.iter().filter(|file| file.ends_with("up.sql")) {
            run(&mut raw, up);
        }
        assert_eq!(picture(&mut raw), before);
    }

    async fn what_is_newer_is_refused(database: TestDatabase) {
        assert_eq!(migration_state(&database.location), Ok(MigrationState::Current));
        assert_eq!(migrate(&database.location), Ok(vec![]));
        database.raw().execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')").expect("inserted");
        let versions = vec!["99990101000000".to_owned()];
        assert_eq!(migration_state(&database.location), Ok(MigrationState::Newer(versions.clone())));
        let refused = migrate(&database.location).expect_err("refused");
        assert_eq!(refused, SchemaError::Newer(versions));
        assert!(refused.to_string().contains("run that version"));
    }
}

#[test]
fn both_databases_have_the_same_migrations() {
    let names = |kind: &str| -> Vec<_> {
        let relative = |file: std::path::PathBuf| {
            file.iter()
                .rev()
                .take(2)
                .map(ToOwned::to_owned)
                .collect::<Vec<_>>()
        };
        migration_files(kind)
            .into_iter()
            .inspect(|file| assert!(file.exists(), "{}", file.display()))
            .map(relative)
            .collect()
    };
    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}

#[test]
fn both_databases_have_the_same_foreign_keys_and_indices() {
    let (sqlite, postgres) = (TestDatabase::sqlite(), TestDatabase::postgres());
    for table in TENANT_TABLES
        .iter()
        .chain(INSTALLATION_TABLES)
        .filter(|table| **table != "changes")
    {
        // Those to the tenant differ, as is told where they are looked at.
        let keys = |database: &TestDatabase| -> BTreeSet<_> {
            let mut keys = foreign_keys(&mut database.raw(), table);
            keys.remove(TO_TENANT);
            keys
        };
        assert_eq!(keys(&sqlite), keys(&postgres), "{table}");
        let columns = |database: &TestDatabase| -> BTreeSet<_> {
            let mut raw = database.raw();
            let mut all: BTreeSet<_> = indices(&mut raw, table)
                .into_iter()
                .map(|(_, unique, columns)| (unique, columns))
                .collect();
            all.insert((true, primary_key(&mut raw, table)));
            all
        };
        assert_eq!(columns(&sqlite), columns(&postgres), "{table}");
    }
}

#[test]
fn row_level_security_is_on_and_forced_for_every_tenants_table() {
    let database = TestDatabase::postgres();
    let mut raw = database.raw();
    for table in TENANT_TABLES {
        let state = raw.texts(&format!(
            "SELECT relrowsecurity || ' ' || relforcerowsecurity || ' ' || (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid \
             AND p.polqual IS NOT NULL AND p.polwithcheck IS NOT NULL AND p.polcmd = '*' AND p.polpermissive) || ' ' || \
             pg_get_userbyid(relowner) AS value FROM pg_class c WHERE oid = '{table}'::regclass"
        ));
        let words: Vec<_> = state[0].split(' ').collect();
        assert_eq!(words[..3], ["true", "true", "1"], "{table}");
        assert_ne!(words[3], "tessera_app", "{table}");
    }
    let role = raw.texts(
        "SELECT rolsuper || ' ' || rolbypassrls || ' ' || rolcreaterole || ' ' || rolcanlogin AS value FROM pg_roles WHERE rolname = 'tessera_app'",
    );
    assert_eq!(role, ["false false false false"]);
}

#[test]
fn postgresql_expects_a_hundredth_of_each_table_of_a_tenant() {
    let database = TestDatabase::postgres();
    let mut raw = database.raw();
    for table in TENANT_TABLES {
        let options = raw.texts(&format!(
            "SELECT coalesce(array_to_string(attoptions, ','), '') AS value FROM pg_attribute \
             WHERE attrelid = '{table}'::regclass AND attname = 'tenant_id'"
        ));
        assert_eq!(
            options,
            ["n_distinct=100"],
            "{table}: a table of tenants says so in its migration, as 2026-11-29-000800 does for those before it"
        );
    }
}

#[test]
fn a_missing_sqlite_file_is_made_for_its_owner_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("deep").join("tessera.db");
    let location = Location::Sqlite(path.clone());
    assert!(
        matches!(migration_state(&location), Ok(MigrationState::Pending(names)) if !names.is_empty())
    );
    assert!(!path.exists(), "to look makes nothing");
    assert!(!migrate(&location).expect("migrated").is_empty());
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(&path).expect("a file").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(migration_state(&location), Ok(MigrationState::Current));
}

#[test]
fn what_is_no_database_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notes.txt");
    let text = "not a database, and longer than the hundred bytes of SQLite's header so that it has something to look at ".repeat(20);
    std::fs::write(&path, &text).expect("written");
    let error = migrate(&Location::Sqlite(path.clone())).expect_err("refused");
    assert!(error.to_string().contains("not a database"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).expect("read"), text);
    let file = Location::Sqlite(path.join("tessera.db"));
    assert!(matches!(migrate(&file), Err(SchemaError::File { .. })));
    let nowhere = Location::Postgres("postgres://nobody@127.0.0.1:1/none".into());
    assert!(matches!(
        migrate(&nowhere),
        Err(SchemaError::Unavailable(_))
    ));
}

fn migrate_at_once(location: &Location) {
    let ran: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| migrate(location).expect("migrated")))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert_eq!(
        ran.iter().filter(|names| !names.is_empty()).count(),
        1,
        "{ran:?}"
    );
    assert_eq!(migration_state(location), Ok(MigrationState::Current));
}

#[test]
fn processes_that_start_at_once_migrate_once() {
    let directory = tempfile::tempdir().expect("a directory");
    migrate_at_once(&Location::Sqlite(directory.path().join("tessera.db")));
    let (location, _end) = empty_postgres();
    migrate_at_once(&location);
}

/// A login role that is no superuser: with CREATEROLE it works by itself, and without it is told what a superuser must run.
#[test]
fn an_ordinary_login_role_can_migrate_and_serve() {
    let (location, _end) = empty_postgres();
    let Location::Postgres(url) = &location else {
        panic!("PostgreSQL")
    };
    let mut raw = Raw::connect(&location);
    let database = raw
        .texts("SELECT current_database()::text AS value")
        .remove(0);
    let role = format!("{database}_owner");
    raw.execute(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'test'; ALTER DATABASE {database} OWNER TO {role}; GRANT CREATE ON SCHEMA public TO {role}"
    ))
    .expect("a role");
    let mut login = url::Url::parse(url).expect("a URL");
    login.set_username(&role).expect("a user");
    login.set_password(Some("test")).expect("a password");
    let login = Location::Postgres(login.into());

    // The server's role is there already, made by another database's migration.
    let error = migrate(&login).expect_err("refused").to_string();
    assert!(error.contains("GRANT tessera_app TO"), "{error}");
    assert!(
        matches!(migration_state(&login), Ok(MigrationState::Pending(_))),
        "nothing was changed"
    );
    raw.execute(&format!("ALTER ROLE {role} CREATEROLE"))
        .expect("altered");
    let version: i64 = raw.texts("SELECT current_setting('server_version_num') AS value")[0]
        .parse()
        .expect("a number");
    if version >= 160_000 {
        raw.execute(&format!("GRANT tessera_app TO {role}"))
            .expect("granted");
    }
    migrate(&login).expect("migrated");
    assert_eq!(migration_state(&login), Ok(MigrationState::Current));
    let mut server = Raw::connect(&login);
    server
        .execute("SET ROLE tessera_app")
        .expect("may work as the server's role");
    assert_eq!(server.count("tenants"), 0);
    assert!(
        server.execute("DROP TABLE tenants").is_err(),
        "the server's role owns nothing"
    );
    drop(server);
    raw.execute(&format!(
        "REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}"
    ))
    .expect("dropped");
}
