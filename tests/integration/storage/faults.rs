//! Writes whose caller has given up, transactions that come first, rows whose time is over, and deletions that were interrupted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use futures_util::future::join_all;
use tessera::domain::tenant::TenantStatus;
use tessera::storage::{DatabaseKind, Erasure, StorageError, TENANT_TABLES};

use super::fixture::{self, Populated, hash};
use crate::support::database::{TestDatabase, db_test, run};
use crate::support::impatient::{DEADLINE, Occupied, impatient};

db_test! {
    async fn a_write_whose_caller_gave_up_is_never_begun(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let db = impatient(&database);
        let local = tokio::task::LocalSet::new();
        local.run_until(async {
            let occupied = Occupied::all(&db).await;
            let ran = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&ran);
            let outcome = db.write(&tenant, move |_| {
                counter.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }).await;
            assert!(matches!(outcome, Err(StorageError::Timeout)), "{outcome:?}");
            occupied.release();
            // What comes later is done, and what was given up before it wasn't.
            db.write(&tenant, |_| Ok(())).await.expect("runs");
            assert_eq!(ran.load(Ordering::SeqCst), 0);
        }).await;
    }

    async fn a_write_that_outlasts_its_caller_is_not_committed(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let db = impatient(&database);
        let user = fixture::user(&database.clock, "ada@acme.example");
        let outcome = db.write(&tenant, move |repo| {
            repo.insert_user(&user)?;
            std::thread::sleep(DEADLINE + DEADLINE / 2);
            Ok(())
        }).await;
        assert!(matches!(outcome, Err(StorageError::Timeout)), "{outcome:?}");
        db.write(&tenant, |_| Ok(())).await.expect("runs");
        tokio::time::sleep(DEADLINE).await;
        assert_eq!(database.db.read(&tenant, |repo| repo.count_users()).await.expect("runs"), 0);
    }

    async fn what_is_told_as_written_is_there_even_where_a_failure_was_passed_over(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let user = fixture::user(&database.clock, "ada@acme.example");
        let outcome = database.db.write(&tenant, move |repo| {
            repo.insert_user(&user)?;
            assert!(repo.insert_user(&user).is_err());
            Ok(())
        }).await;
        // PostgreSQL gives the whole transaction up, and would say nothing of it at the commit; SQLite gives up the statement.
        assert_eq!(outcome.is_ok(), database.kind() == DatabaseKind::Sqlite, "{outcome:?}");
        let there = database.db.read(&tenant, |repo| repo.count_users()).await.expect("runs");
        assert_eq!(there == 1, outcome.is_ok(), "{there}, {outcome:?}");
        // The connection is good for the next.
        let other = fixture::user(&database.clock, "bob@acme.example");
        database.db.write(&tenant, move |repo| repo.insert_user(&other)).await.expect("runs");
    }

    async fn what_is_over_is_deleted_in_batches_and_nothing_else(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let kept = Populated::fill(&database, &tenant).await;
        let client = kept.client.id;
        let now = kept.begun;
        database.db.write(&tenant, move |repo| {
            for number in 0..25_u8 {
                repo.consume_assertion(client, &hash(100 + number), now + chrono::Duration::minutes(5))?;
            }
            Ok(())
        }).await.expect("runs");
        let sweep = |batch| database.db.write_installation(move |all| all.delete_expired(batch));
        assert_eq!(sweep(10).await.expect("runs").total(), 0, "nothing is over yet");
        database.time.advance(Duration::from_mins(20));
        let first = sweep(10).await.expect("runs");
        assert_eq!((first.assertion_ids, first.more), (10, true));
        let other = database.second_node();
        let nodes = [&database.db, &other, &database.db, &other];
        let swept = join_all(nodes.map(|node| node.write_installation(|all| all.delete_expired(10)))).await;
        let together: usize = swept.into_iter().map(|expired| expired.expect("runs").assertion_ids).sum();
        let last = sweep(10).await.expect("runs");
        assert_eq!((together + last.assertion_ids, last.more), (15, false), "each is deleted once, by whichever node");
        let (session, link, key) = (kept.session.id, kept.link.id, kept.key.id);
        let left = database.db.read(&tenant, move |repo| {
            Ok((repo.find_session(session)?.is_some(), repo.find_link(link)?.is_some(), repo.list_keys()?.iter().any(|known| known.id == key)))
        });
        assert_eq!(left.await.expect("runs"), (true, true, true), "what lives is left alone");
        assert_eq!(database.raw().count("assertion_ids"), 1);
        database.time.advance(Duration::from_hours(24));
        // The code that was never redeemed goes too, and its refresh token with it, unless its client is to be told of the session's end.
        assert_eq!(sweep(500).await.expect("runs").grants, 0);
        let mut client = kept.client.clone();
        (client.metadata.backchannel_logout_uri, client.metadata.frontchannel_logout_uri) = (None, None);
        assert!(database.db.write(&tenant, move |repo| repo.update_client(&client)).await.expect("runs"));
        assert_eq!(sweep(500).await.expect("runs").grants, 1);
        assert_eq!(database.raw().count("assertion_ids"), 0);
        assert_eq!(database.raw().count("sessions"), 1, "for a month it is seen that there was one");
        database.time.advance(Duration::from_hours(40 * 24));
        sweep(500).await.expect("runs");
        for table in ["sessions", "login_failures", "one_time_links", "revoked_tokens", "changes"] {
            assert_eq!(database.raw().count(table), 0, "{table}");
        }
        for table in ["users", "clients", "signing_keys", "consents"] {
            assert_eq!(database.raw().count(table), 1, "{table}");
        }
    }

    async fn an_interrupted_deletion_is_found_and_finished(database: TestDatabase) {
        let doomed = database.tenant("doomed").await;
        let (id, kept) = (doomed.id(), database.tenant("kept").await);
        Populated::fill(&database, &doomed).await;
        let untouched = database.db.write_installation(move |all| all.erase_tenant(id, 1000)).await;
        assert_eq!(untouched.expect("runs"), Erasure::Done);
        assert_eq!(database.raw().count("users"), 1, "a tenant that lives is not erased");
        database.db.write_installation(move |all| all.begin_tenant_deletion(id)).await.expect("runs");
        let found = || database.db.read_installation(|all| all.list_tenants_being_deleted(10));
        assert_eq!(found().await.expect("runs"), [id]);
        let once = database.db.write_installation(move |all| all.erase_tenant(id, 1)).await;
        assert_eq!(once.expect("runs"), Erasure::Underway, "in batches");
        // Two nodes at once.
        let other = database.second_node();
        for _ in 0..40 {
            let steps = [&database.db, &other].map(|node| node.write_installation(move |all| all.erase_tenant(id, 1)));
            if join_all(steps).await.into_iter().all(|step| step.expect("runs") == Erasure::Done) {
                break;
            }
        }
        assert_eq!(found().await.expect("runs"), []);
        let mut raw = database.raw();
        for table in TENANT_TABLES {
            assert_eq!(raw.count(table), 0, "{table}");
        }
        assert_eq!(raw.count("tenants"), 1);
        let suspended = database.db.write_installation(move |all| {
            all.set_tenant_status(kept.id(), TenantStatus::Active, TenantStatus::Suspended)
        });
        assert!(suspended.await.expect("runs"), "the other lives");
    }
}

/// PostgreSQL: two transactions that wait for each other. One is told of a deadlock, and is run again.
#[test]
fn a_deadlock_is_retried_inside() {
    run(TestDatabase::postgres(), |database| async move {
        assert_eq!(database.kind(), DatabaseKind::Postgres);
        let tenant = database.tenant("acme").await;
        let users = ["ada", "bob"]
            .map(|name| fixture::user(&database.clock, &format!("{name}@acme.example")));
        let ids = users.clone().map(|user| user.id);
        let written = database.db.write(&tenant, move |repo| {
            users.iter().try_for_each(|user| repo.insert_user(user))
        });
        written.await.expect("runs");
        let (meet, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
        let writes = [[ids[0], ids[1]], [ids[1], ids[0]]].map(|[first, second]| {
            let (meet, runs) = (Arc::clone(&meet), Arc::clone(&runs));
            let mut again = false;
            database.db.write(&tenant, move |repo| {
                runs.fetch_add(1, Ordering::SeqCst);
                repo.set_user_disabled(first, true)?;
                if !again {
                    again = true;
                    meet.wait();
                }
                repo.set_user_disabled(second, true)?;
                Ok(())
            })
        });
        for outcome in join_all(writes).await {
            outcome.expect("the deadlock is nobody's fault");
        }
        // Each of the two looks for deadlocks by itself. Where both look before the first has let go, both are told of one.
        let runs = runs.load(Ordering::SeqCst);
        assert!((3..=4).contains(&runs), "{runs} runs");
    });
}

/// PostgreSQL, set to its strictest isolation: serialization failures are retried inside.
#[test]
fn a_serialization_failure_is_retried_inside() {
    run(TestDatabase::postgres(), |database| async move {
        let tenant = database.tenant("acme").await;
        let rows = Populated::fill(&database, &tenant).await;
        let name = database
            .raw()
            .texts("SELECT current_database()::text AS value")[0]
            .clone();
        let strict =
            format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'");
        database.raw().execute(&strict).expect("set");
        let node = database.second_node();
        let user = rows.user.id;
        let (meet, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
        let writes = [(), ()].map(|()| {
            let (meet, runs) = (Arc::clone(&meet), Arc::clone(&runs));
            let mut again = false;
            node.write(&tenant, move |repo| {
                runs.fetch_add(1, Ordering::SeqCst);
                repo.find_user(user)?;
                if !again {
                    again = true;
                    meet.wait();
                }
                repo.set_user_disabled(user, true)?;
                repo.count_users()
            })
        });
        for outcome in join_all(writes).await {
            outcome.expect("who comes second is run again");
        }
        assert!(runs.load(Ordering::SeqCst) >= 3, "one was run again");
    });
}
