//! Writes that share a commit don't share a fate.

use futures_util::future::join_all;
use tessera::storage::{PageRequest, StorageError};

use super::fixture;
use crate::support::database::db_test;

db_test! {
    async fn a_failed_write_takes_nobody_with_it(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let writes = (0..60).map(|number| {
            let (db, clock) = (database.db.clone(), database.clock.clone());
            async move {
                // Every third is refused after it has written something: three people of one address.
                let address = format!("person{}@acme.example", if number % 3 == 0 { 0 } else { number });
                let user = fixture::user(&clock, &address);
                let client = fixture::client(&clock);
                db.write(&tenant, move |repo| {
                    repo.insert_client(&client)?;
                    repo.insert_user(&user)
                })
                .await
            }
        });
        let outcomes = join_all(writes).await;
        let written = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(written, 41);
        assert!(outcomes.iter().all(|outcome| outcome.is_ok() || matches!(outcome, Err(StorageError::Conflict(_)))), "{outcomes:?}");
        let count = database.db.read(&tenant, |repo| Ok((repo.count_users()?, repo.list_clients(PageRequest::first(200))?.items.len())));
        assert_eq!(count.await.expect("runs"), (41, 41));
    }

    async fn a_panic_is_an_error_and_the_next_write_works(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let user = fixture::user(&database.clock, "ada@acme.example");
        let outcome = database.db.write(&tenant, {
            let user = user.clone();
            move |repo| {
                repo.insert_user(&user)?;
                panic!("on purpose");
                #[expect(unreachable_code, reason = "gives the closure its type")]
                Ok(())
            }
        }).await;
        assert!(outcome.is_err());
        let written = database.db.write(&tenant, move |repo| repo.insert_user(&user)).await;
        written.expect("nothing was left behind");
    }

    async fn a_panic_in_a_read_leaves_its_connection_usable(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        // More often than there are connections.
        for _ in 0..8 {
            let outcome: Result<i64, _> = database.db.read(&tenant, |_| panic!("on purpose")).await;
            assert!(outcome.is_err());
        }
        for _ in 0..8 {
            assert!(database.db.read(&tenant, |repo| Ok(repo.count_users()? == 0)).await.expect("runs"));
        }
    }

    async fn what_is_answered_is_seen_by_another_process(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let other = database.second_node();
        for number in 0..10 {
            let user = fixture::user(&database.clock, &format!("person{number}@acme.example"));
            let id = user.id;
            database.db.write(&tenant, move |repo| repo.insert_user(&user)).await.expect("runs");
            assert!(other.read(&tenant, move |repo| repo.find_user(id)).await.expect("runs").is_some());
        }
    }

    async fn a_failed_write_tells_nobody(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let heard = std::sync::Arc::new(std::sync::Mutex::new(0));
        let counter = heard.clone();
        database.db.on_commit(move |_| *counter.lock().expect("a lock") += 1);
        let user = fixture::user(&database.clock, "ada@acme.example");
        let twice = user.clone();
        let outcome = database.db.write(&tenant, move |repo| { repo.insert_user(&twice)?; repo.insert_user(&twice) }).await;
        assert!(matches!(outcome, Err(StorageError::Conflict(_))));
        assert_eq!(*heard.lock().expect("a lock"), 0);
        database.db.write(&tenant, move |repo| repo.insert_user(&user)).await.expect("runs");
        assert_eq!(*heard.lock().expect("a lock"), 1);
    }
}
