//! The change feed: what one process commits, the others know within a second.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tessera::domain::ids::{ClientId, TenantId};
use tessera::storage::{Change, Db, Entity, Feed, Notice};
use uuid::Uuid;

use super::fixture;
use crate::support::database::{TestDatabase, db_test};

const INTERVAL: Duration = Duration::from_millis(200);

/// What a node's caches were told.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<(Vec<Change>, usize)>>);

impl Heard {
    fn listen(db: &Db) -> Self {
        let heard = Self::default();
        let ear = heard.clone();
        db.on_commit(move |notice| {
            let mut heard = ear.0.lock().expect("a lock");
            match notice {
                Notice::Changes(changes) => heard.0.extend(changes),
                Notice::Everything => heard.1 += 1,
            }
        });
        heard
    }

    fn changes(&self) -> Vec<Change> {
        self.0.lock().expect("a lock").0.clone()
    }

    fn everythings(&self) -> usize {
        self.0.lock().expect("a lock").1
    }
}

async fn within_a_second(mut holds: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        if holds() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    holds()
}

/// A second node whose feed has begun.
async fn listening_node(database: &TestDatabase) -> (Db, Heard, Feed) {
    let node = database.second_node();
    let heard = Heard::listen(&node);
    let feed = Feed::start(node.clone(), INTERVAL);
    assert!(
        within_a_second(|| heard.everythings() == 1 && feed.is_current()).await,
        "the feed begins"
    );
    (node, heard, feed)
}

fn insert_note(tenant: TenantId, id: Uuid) -> String {
    format!(
        "INSERT INTO changes (tenant_id, entity, entity_id, created_at) VALUES ('{tenant}', 'client', '{id}', now())"
    )
}

db_test! {
    async fn another_process_is_told_within_a_second(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let (_node, heard, feed) = listening_node(&database).await;
        let client = fixture::client(&database.clock);
        let expected = Change { tenant: tenant.id(), entity: Entity::Client, id: client.id.uuid() };
        database.db.write(&tenant, move |repo| repo.insert_client(&client)).await.expect("runs");
        assert!(within_a_second(|| heard.changes().contains(&expected)).await);
        // Each is told of once, and what was committed before the feed began isn't told of at all.
        tokio::time::sleep(INTERVAL * 2).await;
        assert_eq!(heard.changes(), [expected]);
        let scope = tenant.id();
        database.db.write_installation(move |all| {
            use tessera::domain::tenant::TenantStatus;
            all.set_tenant_status(scope, TenantStatus::Active, TenantStatus::Suspended)
        }).await.expect("runs");
        assert!(within_a_second(|| heard.changes().last().is_some_and(|change| change.entity == Entity::Tenant)).await);
        feed.stop();
    }

    async fn many_at_once_are_all_told(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let (_node, heard, _feed) = listening_node(&database).await;
        let ids: Vec<ClientId> = (0..2500).map(|_| ClientId::from(database.clock.uuid_v7())).collect();
        let written = ids.clone();
        let template = fixture::client(&database.clock);
        database.db.write(&tenant, move |repo| {
            for id in &written {
                let mut client = template.clone();
                client.id = *id;
                client.metadata.redirect_uris.clear();
                repo.insert_client(&client)?;
            }
            Ok(())
        }).await.expect("runs");
        assert!(within_a_second(|| heard.changes().len() >= ids.len()).await, "{}", heard.changes().len());
        assert!(ids.iter().all(|id| heard.changes().iter().any(|change| change.id == id.uuid())));
    }

    async fn a_feed_that_ended_is_not_current(database: TestDatabase) {
        let node = database.second_node();
        let feed = Feed::start(node, Duration::from_mins(1));
        assert!(within_a_second(|| feed.is_current()).await);
        assert!(feed.age().is_some());
        // It ends at once although it would sleep for long.
        let begun = Instant::now();
        drop(feed);
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}

/// PostgreSQL: a transaction that took its number early and commits late is told of all the same, and nobody waits for it.
#[test]
fn a_late_commit_is_not_lost() {
    crate::support::database::run(TestDatabase::postgres(), |database| async move {
        let tenant = database.tenant("acme").await.id();
        let (_node, heard, _feed) = listening_node(&database).await;
        let [early, late] = [1, 2].map(Uuid::from_u128);
        let told = |id: Uuid| {
            heard
                .changes()
                .iter()
                .filter(|change| change.id == id)
                .count()
        };

        let (mut slow, mut quick) = (database.raw(), database.raw());
        slow.execute(&format!("BEGIN; {}", insert_note(tenant, early)))
            .expect("written");
        quick
            .execute(&insert_note(tenant, late))
            .expect("committed");
        assert!(
            within_a_second(|| told(late) == 1).await,
            "doesn't wait for the slow one"
        );
        tokio::time::sleep(INTERVAL * 3).await;
        assert_eq!(told(early), 0);
        slow.execute("COMMIT").expect("committed");
        assert!(within_a_second(|| told(early) == 1).await, "isn't lost");
        tokio::time::sleep(INTERVAL * 3).await;
        assert_eq!((told(early), told(late)), (1, 1));
    });
}

/// PostgreSQL: a restored database brings notes from the numbers of another cluster, which are still to come in this one.
#[test]
fn notes_of_another_cluster_are_not_told_again_and_again() {
    crate::support::database::run(TestDatabase::postgres(), |database| async move {
        let tenant = database.tenant("acme").await.id();
        let (_node, heard, _feed) = listening_node(&database).await;
        let [restored, own] = [4, 5].map(Uuid::from_u128);
        database
            .raw()
            .execute(&format!(
                "INSERT INTO changes (tenant_id, entity, entity_id, created_at, xid) VALUES ('{tenant}', 'client', '{restored}', now(), '900000000000')"
            ))
            .expect("restored");
        database
            .raw()
            .execute(&insert_note(tenant, own))
            .expect("committed");
        let told = |id: Uuid| {
            heard
                .changes()
                .iter()
                .filter(|change| change.id == id)
                .count()
        };
        assert!(within_a_second(|| told(own) == 1).await);
        tokio::time::sleep(INTERVAL * 3).await;
        assert_eq!((told(restored), told(own)), (0, 1));
    });
}

/// PostgreSQL: after a lost connection the feed comes back by itself, and caches begin anew.
#[test]
fn a_lost_connection_comes_back() {
    crate::support::database::run(TestDatabase::postgres(), |database| async move {
        let tenant = database.tenant("acme").await.id();
        let (_node, heard, feed) = listening_node(&database).await;
        let mut raw = database.raw();
        raw.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .expect("ended");
        assert!(within_a_second(|| heard.everythings() == 2).await);
        assert!(feed.is_current());
        raw.execute(&insert_note(tenant, Uuid::from_u128(3)))
            .expect("committed");
        assert!(
            within_a_second(|| heard
                .changes()
                .iter()
                .any(|change| change.id == Uuid::from_u128(3)))
            .await
        );
    });
}
