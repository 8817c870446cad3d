//! Two that race, in the order that a test chooses.

use std::cell::Cell;
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;
use futures_util::future::join3;
use tessera::storage::DatabaseKind;
use tokio::sync::Notify;

use super::database::{Raw, TestDatabase};

/// How long anything may take to get where it is expected.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many transactions wait for another one's lock.
const WAITING: &str = "SELECT CAST(count(*) AS text) AS value FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// Lets `first` go as far as its first write to `table`, and then `second`, until it is done or has to wait as well; only then `first` goes on. What
/// both give. Nothing that `second` does before it is to overtake may write to the table.
///
/// On SQLite, whose one writer has them take turns, `second` begins when `first` is done.
pub async fn overtaken<A, B>(
    database: &TestDatabase,
    table: &str,
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> (A, B) {
    if database.kind() == DatabaseKind::Sqlite {
        let first = first.await;
        return (first, second.await);
    }
    let (mut holder, mut watcher) = (database.raw(), database.raw());
    holder
        .execute(&format!(
            "BEGIN; LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"
        ))
        .expect("held");
    let (first_is_done, second_is_done, may_begin) =
        (Cell::new(false), Cell::new(false), Notify::new());
    let first = async {
        let given = first.await;
        first_is_done.set(true);
        given
    };
    let second = async {
        may_begin.notified().await;
        let given = second.await;
        second_is_done.set(true);
        given
    };
    let order = async {
        until_waiting(&mut watcher, 1, &first_is_done).await;
        assert!(!first_is_done.get(), "it never wrote to {table}");
        may_begin.notify_one();
        until_waiting(&mut watcher, 2, &second_is_done).await;
        holder.execute("COMMIT").expect("let go");
    };
    let (first, second, ()) = join3(first, second, order).await;
    (first, second)
}

/// Until so many wait, or somebody is done.
async fn until_waiting(watcher: &mut Raw, count: usize, done: &Cell<bool>) {
    let begun = Instant::now();
    while !done.get() {
        let waiting = watcher.texts(WAITING)[0]
            .parse::<usize>()
            .expect("a number");
        if waiting >= count {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{waiting} of {count} wait, and nobody is done"
        );
        sleep(Duration::from_millis(2)).await;
    }
}
