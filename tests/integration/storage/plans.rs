//! PostgreSQL's plans: one that was made while a table was nearly empty doesn't outlive its growth, and what a request looks up costs a few
//! rows whatever PostgreSQL believes to be in its tables.

use std::sync::Arc;
use std::time::Duration;

use tessera::clock::Timestamp;
use tessera::domain::audit::Act;
use tessera::storage::{DatabaseKind, EventFilter, PageRequest, Repo, Result, TenantScope};
use uuid::Uuid;

use super::fixture::Populated;
use crate::support::database::{Raw, TestDatabase};

/// Looks something up; whether it was found.
type LookUp = fn(&mut Repo<'_>, &Populated) -> bool;

/// Of what a hundred of each are looked up, and how many rows one may read.
#[derive(Clone, Copy)]
struct Looks {
    each: &'static [(&'static str, LookUp)],
    most: i64,
    /// Whether that holds where a tenant has just grown, too, until PostgreSQL has counted the table again, a minute later.
    also_uncounted: bool,
}

const BY_KEY: Looks = Looks {
    each: &LOOK_UPS,
    most: 11,
    also_uncounted: true,
};

/// Two pages of ten and a row more, with the roles of those on them. While it doesn't know of a tenant's growth, PostgreSQL reads all that the tenant
/// has and sorts it.
const BY_PAGE: Looks = Looks {
    each: &LISTS,
    most: 60,
    also_uncounted: false,
};

/// What a request looks up by its key.
const LOOK_UPS: [(&str, LookUp); 9] = [
    ("a refresh token and what it hangs on", |repo, rows| {
        matches!(
            repo.find_held_refresh_token(rows.refresh_token.id),
            Ok(Some(_))
        )
    }),
    ("a code's grant and what it hangs on", |repo, rows| {
        matches!(repo.find_held_grant(rows.grant.id), Ok(Some(_)))
    }),
    ("a refresh token", |repo, rows| {
        matches!(repo.find_refresh_token(rows.refresh_token.id), Ok(Some(_)))
    }),
    ("a grant", |repo, rows| {
        matches!(repo.find_grant(rows.grant.id), Ok(Some(_)))
    }),
    ("a session", |repo, rows| {
        matches!(repo.find_session(rows.session.id), Ok(Some(_)))
    }),
    ("a person", |repo, rows| {
        matches!(repo.find_user(rows.user.id), Ok(Some(_)))
    }),
    ("a person by their address", |repo, rows| {
        matches!(repo.find_user_by_email(&rows.user.email), Ok(Some(_)))
    }),
    ("a client", |repo, rows| {
        matches!(repo.find_client(rows.client.id), Ok(Some(_)))
    }),
    ("a consent", |repo, rows| {
        matches!(repo.find_consent(rows.user.id, rows.client.id), Ok(Some(_)))
    }),
];

/// How many rows a page of a list has here.
const PAGE: u32 = 10;

/// What administrators and people are shown, by pages.
const LISTS: [(&str, LookUp); 11] = [
    ("people", |repo, _| {
        turn(|page| Ok(repo.list_users(None, page)?.next))
    }),
    ("people by a part that all have", |repo, rows| {
        let part = &rows.user.email.as_str()[1..4];
        turn(|page| Ok(repo.list_users(Some(part), page)?.next))
    }),
    ("whoever has a role", |repo, _| {
        turn(|page| Ok(repo.list_administrators(page)?.next))
    }),
    ("clients", |repo, _| {
        turn(|page| Ok(repo.list_clients(page)?.next))
    }),
    ("clients by a part that all have", |repo, _| {
        turn(|page| Ok(repo.search_clients(Some("pp"), page)?.next))
    }),
    ("a person's sessions", |repo, rows| {
        turn(|page| Ok(repo.list_sessions(rows.user.id, page)?.next))
    }),
    ("a person's consents", |repo, rows| {
        turn(|page| Ok(repo.list_consents(rows.user.id, page)?.next))
    }),
    ("events", |repo, _| {
        turn(|page| Ok(repo.list_events(&EventFilter::default(), page)?.next))
    }),
    ("a person's events", |repo, rows| {
        let theirs = EventFilter {
            user_id: Some(rows.user.id),
            ..EventFilter::default()
        };
        turn(|page| Ok(repo.list_events(&theirs, page)?.next))
    }),
    ("events of a kind that none is of", |repo, _| {
        let none = EventFilter {
            act: Some(Act::SignInFailed),
            ..EventFilter::default()
        };
        matches!(repo.list_events(&none, PageRequest::first(PAGE)), Ok(page) if page.items.is_empty())
    }),
    (
        "how many events are of that kind",
        |repo, _| matches!(repo.count_some_events(Act::SignInFailed, Timestamp::UNIX_EPOCH), Ok(counted) if counted.is_zero()),
    ),
];

/// Reads the first page and the second, if there is one.
fn turn(mut list: impl FnMut(PageRequest) -> Result<Option<Uuid>>) -> bool {
    match list(PageRequest::first(PAGE)) {
        Ok(None) => true,
        Ok(after) => list(PageRequest {
            limit: Some(PAGE),
            after,
        })
        .is_ok(),
        Err(_) => false,
    }
}

/// The tables that grow as people sign in, and those that they refer to.
const TABLES: [&str; 8] = [
    "users",
    "role_assignments",
    "clients",
    "consents",
    "sessions",
    "grants",
    "refresh_tokens",
    "audit_events",
];

/// What PostgreSQL has read of these tables, in rows.
fn rows_read(raw: &mut Raw) -> i64 {
    let read = raw.texts(&format!(
        "SELECT (sum(seq_tup_read) + sum(coalesce(idx_tup_fetch, 0)))::text AS value FROM pg_stat_user_tables WHERE relname IN ('{}')",
        TABLES.join("', '")
    ));
    read[0].parse().expect("a number")
}

/// Looks something up so many times, one after the other: on one connection, as the pool gives out the one that came back last.
async fn look_up(
    database: &TestDatabase,
    tenant: &TenantScope,
    rows: &Arc<Populated>,
    (name, find): (&str, LookUp),
    times: usize,
) {
    for _ in 0..times {
        let rows = Arc::clone(rows);
        let found = database
            .db
            .read(tenant, move |repo| Ok(find(repo, &rows)))
            .await
            .expect("runs");
        assert!(found, "{name}");
    }
}

/// Has what the connection counted told: PostgreSQL does so at the end of a transaction, but not more than once a second.
async fn told(database: &TestDatabase, tenant: &TenantScope, rows: &Arc<Populated>) {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    look_up(database, tenant, rows, LOOK_UPS[0], 1).await;
}

/// How many rows a hundred of each of these look-ups read, which have been of use for a while.
async fn read_by_hundreds(
    database: &TestDatabase,
    tenant: &TenantScope,
    rows: &Arc<Populated>,
    raw: &mut Raw,
    looks: &[(&str, LookUp)],
) -> i64 {
    // From the sixth time on PostgreSQL keeps a plan that knows no values.
    for look in looks {
        look_up(database, tenant, rows, *look, 8).await;
    }
    told(database, tenant, rows).await;
    // What filling the tables read is told with the first of these, as it is more than a second ago.
    let _ = rows_read(raw);
    let before = rows_read(raw);
    for look in looks {
        look_up(database, tenant, rows, *look, 100).await;
    }
    told(database, tenant, rows).await;
    rows_read(raw) - before
}

/// Each looks at its rows a few times, and at no others.
async fn assert_few(
    database: &TestDatabase,
    tenant: &TenantScope,
    rows: &Arc<Populated>,
    raw: &mut Raw,
    looks: Looks,
    when: &str,
) {
    let read = read_by_hundreds(database, tenant, rows, raw, looks.each).await;
    let hundreds = i64::try_from(looks.each.len()).expect("a few") * 100;
    if (1_000..=hundreds * looks.most).contains(&read) {
        return;
    }
    let mut each = Vec::new();
    for look in looks.each {
        let read = read_by_hundreds(database, tenant, rows, raw, &[*look]).await;
        each.push(format!("{}: {read}", look.0));
    }
    panic!("{when}: a hundred of each read {read} rows; a hundred of one: {each:#?}");
}

/// The columns of a table.
fn columns(raw: &mut Raw, table: &str) -> Vec<String> {
    raw.texts(&format!("SELECT column_name::text AS value FROM information_schema.columns WHERE table_name = '{table}' ORDER BY 1"))
}

/// Makes this many times as many rows of those that the tenant has.
fn multiply(raw: &mut Raw, table: &str, times: usize) {
    let columns = columns(raw, table);
    let values = columns.iter().map(|column| match column.as_str() {
        "id" => "gen_random_uuid()".to_owned(),
        "email_key" => "email_key || n || random()".to_owned(),
        other => other.to_owned(),
    });
    let (values, columns) = (values.collect::<Vec<_>>().join(", "), columns.join(", "));
    raw.execute(&format!(
        "INSERT INTO {table} ({columns}) SELECT {values} FROM {table}, generate_series(2, {times}) AS n \
         WHERE tenant_id = (SELECT id FROM tenants WHERE slug = 'acme')"
    ))
    .expect("fills");
}

/// Makes this many tenants with one row in each table for each that the tenant has which is there.
fn found_small_tenants(raw: &mut Raw, count: usize) {
    let own = columns(raw, "tenants");
    let values = own.iter().map(|column| match column.as_str() {
        "id" => "gen_random_uuid()".to_owned(),
        "slug" => "'small-' || n".to_owned(),
        other => other.to_owned(),
    });
    let (values, own) = (values.collect::<Vec<_>>().join(", "), own.join(", "));
    raw.execute(&format!("INSERT INTO tenants ({own}) SELECT {values} FROM tenants, generate_series(1, {count}) AS n WHERE slug = 'acme'"))
        .expect("founds");
    for table in TABLES {
        let columns = columns(raw, table);
        // Of each tenant its own ids, the same wherever they stand.
        let values = columns.iter().map(|column| match column.as_str() {
            "tenant_id" => "small.id".to_owned(),
            "id" | "user_id" | "client_id" | "session_id" | "grant_id" => {
                format!("md5(small.id::text || own.{column})::uuid")
            }
            other => format!("own.{other}"),
        });
        let (values, columns) = (values.collect::<Vec<_>>().join(", "), columns.join(", "));
        raw.execute(&format!(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM {table} AS own JOIN tenants AS acme ON own.tenant_id = acme.id AND acme.slug = 'acme', \
             tenants AS small WHERE small.slug LIKE 'small-%'"
        ))
        .expect("fills");
    }
}

/// Multiplies a table, and has the row that was there come last, as whoever looks through all of them would meet it first otherwise.
fn hide(raw: &mut Raw, table: &str, times: usize) {
    multiply(raw, table, times);
    let rows = format!("{table} WHERE tenant_id = (SELECT id FROM tenants WHERE slug = 'acme')");
    raw.execute(&format!(
        "UPDATE {table} SET id = id WHERE ctid = (SELECT ctid FROM {rows} ORDER BY ctid LIMIT 1)"
    ))
    .expect("moves");
}

/// PostgreSQL counts no rows by itself, and leaves no room where a row is for its next version.
fn uncounted(raw: &mut Raw) {
    for table in TABLES {
        raw.execute(&format!(
            "ALTER TABLE {table} SET (autovacuum_enabled = off, fillfactor = 100)"
        ))
        .expect("runs");
    }
}

#[test]
fn a_plan_made_while_tables_were_empty_is_made_anew() {
    crate::support::database::run(TestDatabase::postgres(), |database| async move {
        assert_eq!(database.kind(), DatabaseKind::Postgres);
        let tenant = database.tenant("acme").await;
        let rows = Arc::new(Populated::fill(&database, &tenant).await);
        let mut raw = database.raw();
        // As many as autovacuum counts for the first time, so that it keeps the plans for them (from the sixth time on).
        for table in ["grants", "refresh_tokens"] {
            multiply(&mut raw, table, 60);
        }
        raw.execute("ANALYZE").expect("runs");
        look_up(&database, &tenant, &rows, LOOK_UPS[0], 12).await;
        for table in ["grants", "refresh_tokens"] {
            multiply(&mut raw, table, 100);
        }
        // Where a plan has been of use for a while, it is made anew.
        look_up(&database, &tenant, &rows, LOOK_UPS[0], 40).await;
        told(&database, &tenant, &rows).await;
        let before = rows_read(&mut raw);
        look_up(&database, &tenant, &rows, LOOK_UPS[0], 100).await;
        told(&database, &tenant, &rows).await;
        let read = rows_read(&mut raw) - before;
        // With the first plan each of them would read all six thousand.
        assert!(
            (101..=30_000).contains(&read),
            "a hundred look-ups read {read} rows"
        );
    });
}

#[test]
fn tables_that_were_never_counted_are_looked_up_by_their_keys() {
    for (whose, tables) in [
        (
            "one person's",
            &[
                ("sessions", 4),
                ("grants", 27_000),
                ("refresh_tokens", 5_000),
            ][..],
        ),
        (
            "many people's",
            &[
                ("users", 6_000),
                ("sessions", 6_000),
                ("grants", 6_000),
                ("refresh_tokens", 6_000),
            ],
        ),
    ] {
        crate::support::database::run(TestDatabase::postgres(), move |database| async move {
            let tenant = database.tenant("acme").await;
            let mut raw = database.raw();
            uncounted(&mut raw);
            let rows = Arc::new(Populated::fill(&database, &tenant).await);
            for (table, times) in tables {
                hide(&mut raw, table, *times);
            }
            assert_few(&database, &tenant, &rows, &mut raw, BY_KEY, whose).await;
        });
    }
}

#[test]
fn a_large_tenant_among_small_ones_is_looked_up_by_its_keys() {
    assert_few_of_a_large_tenant(BY_KEY, &["users", "sessions", "grants", "refresh_tokens"]);
}

#[test]
fn a_large_tenant_among_small_ones_is_listed_by_its_pages() {
    assert_few_of_a_large_tenant(BY_PAGE, &["users", "clients", "grants", "audit_events"]);
}

/// Among 4,000 small tenants, while one of them comes to have 6,000 rows in these tables.
fn assert_few_of_a_large_tenant(looks: Looks, large: &'static [&str]) {
    crate::support::database::run(TestDatabase::postgres(), move |database| async move {
        let tenant = database.tenant("acme").await;
        let mut raw = database.raw();
        uncounted(&mut raw);
        let rows = Arc::new(Populated::fill(&database, &tenant).await);
        found_small_tenants(&mut raw, 4_000);
        raw.execute("ANALYZE").expect("runs");
        let small = "as small as the others";
        assert_few(&database, &tenant, &rows, &mut raw, looks, small).await;
        for table in large {
            hide(&mut raw, table, 6_000);
        }
        if looks.also_uncounted {
            let grown = "grown since it was counted";
            assert_few(&database, &tenant, &rows, &mut raw, looks, grown).await;
        }
        raw.execute("ANALYZE").expect("runs");
        assert_few(&database, &tenant, &rows, &mut raw, looks, "counted again").await;
    });
}
