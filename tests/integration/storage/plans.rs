//! PostgreSQL's plans: one that was made while a table was nearly empty doesn't outlive its growth.

use std::time::Duration;

use tessera::storage::{DatabaseKind, TenantScope};

use super::fixture::Populated;
use crate::support::database::{Raw, TestDatabase};

/// What PostgreSQL has read of the tables that a refresh looks at, in rows.
fn rows_read(raw: &mut Raw) -> i64 {
    let read = raw.texts(
        "SELECT (sum(seq_tup_read) + sum(coalesce(idx_tup_fetch, 0)))::text AS value FROM pg_stat_user_tables \
         WHERE relname IN ('grants', 'refresh_tokens', 'users', 'sessions', 'role_assignments')",
    );
    read[0].parse().expect("a number")
}

/// Looks a refresh token up so many times, one after the other: on one connection, as the pool gives out the one that came back last.
async fn look_up(database: &TestDatabase, tenant: &TenantScope, rows: &Populated, times: usize) {
    let id = rows.refresh_token.id;
    for _ in 0..times {
        let found = database
            .db
            .read(tenant, move |repo| repo.find_held_refresh_token(id))
            .await
            .expect("runs");
        assert!(found.is_some());
    }
}

/// Has what the connection counted told: PostgreSQL does so at the end of a transaction, but not more than once a second.
async fn told(database: &TestDatabase, tenant: &TenantScope, rows: &Populated) {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    look_up(database, tenant, rows, 1).await;
}

/// Makes this many times as many grants and refresh tokens of those that are there.
fn multiply(raw: &mut Raw, times: usize) {
    for table in ["grants", "refresh_tokens"] {
        let columns = raw.texts(&format!(
            "SELECT column_name::text AS value FROM information_schema.columns WHERE table_name = '{table}' AND column_name <> 'id' ORDER BY 1"
        ));
        let columns = columns.join(", ");
        raw.execute(&format!(
            "INSERT INTO {table} (id, {columns}) SELECT gen_random_uuid(), {columns} FROM {table}, generate_series(2, {times})"
        ))
        .expect("fills");
    }
}

#[test]
fn a_plan_made_while_tables_were_empty_is_made_anew() {
    crate::support::database::run(TestDatabase::postgres(), |database| async move {
        assert_eq!(database.kind(), DatabaseKind::Postgres);
        let tenant = database.tenant("acme").await;
        let rows = Populated::fill(&database, &tenant).await;
        let mut raw = database.raw();
        // As many as autovacuum counts for the first time, so that it keeps the plans for them (from the sixth time on).
        multiply(&mut raw, 60);
        raw.execute("ANALYZE").expect("runs");
        look_up(&database, &tenant, &rows, 12).await;
        multiply(&mut raw, 100);
        // Where a plan has been of use for a while, it is made anew.
        look_up(&database, &tenant, &rows, 40).await;
        told(&database, &tenant, &rows).await;
        let before = rows_read(&mut raw);
        look_up(&database, &tenant, &rows, 100).await;
        told(&database, &tenant, &rows).await;
        let read = rows_read(&mut raw) - before;
        // With the first plan each of them would read all six thousand.
        assert!(
            (101..=30_000).contains(&read),
            "a hundred look-ups read {read} rows"
        );
    });
}
