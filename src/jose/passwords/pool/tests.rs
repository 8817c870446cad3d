use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use futures_util::FutureExt as _;

use super::*;

const A: Uuid = Uuid::from_u128(0xa);
const B: Uuid = Uuid::from_u128(0xb);
const C: Uuid = Uuid::from_u128(0xc);

fn pool(waiting: usize, waiting_per_tenant: usize) -> HashingPool {
    let limits = PoolLimits {
        workers: 1,
        waiting,
        waiting_per_tenant,
        kept_memory_kib: 64,
    };
    HashingPool::start(limits, Arc::new(())).unwrap()
}

fn wait<T>(submission: Submission<T>) -> Result<T, NotHashed> {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(submission)
}

/// What a submission says without waiting: a full queue answers at once.
fn at_once<T>(submission: Submission<T>) -> Option<Result<T, NotHashed>> {
    submission.now_or_never()
}

/// Holds the only worker until it is dropped or told to go.
struct Gate {
    go: mpsc::Sender<()>,
    submission: Submission<()>,
}

impl Gate {
    fn close(pool: &HashingPool) -> Self {
        let (begun, is_begun) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let submission = pool.submit(Uuid::nil(), move |_| {
            begun.send(()).unwrap();
            let _ = may_go.recv();
        });
        is_begun.recv().unwrap();
        Self { go, submission }
    }

    fn open(self) {
        self.go.send(()).unwrap();
        wait(self.submission).unwrap();
    }
}

/// Submits jobs that note who they are when they run.
struct Log(mpsc::Sender<&'static str>, mpsc::Receiver<&'static str>);

impl Log {
    fn new() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self(sender, receiver)
    }

    fn submit(&self, pool: &HashingPool, tenant: Uuid, name: &'static str) -> Submission<()> {
        let sender = self.0.clone();
        pool.submit(tenant, move |_| sender.send(name).unwrap())
    }

    fn read(self) -> Vec<&'static str> {
        drop(self.0);
        self.1.iter().collect()
    }
}

#[test]
fn results_come_back() {
    let pool = pool(10, 10);
    assert_eq!(wait(pool.submit(A, |_| 42)), Ok(42));
    let parameters = PasswordParameters {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };
    let clock = crate::clock::Clock::system();
    let phc = wait(pool.submit(A, move |workspace| {
        super::super::hash("password", parameters, &clock, workspace)
    }));
    let phc = phc.unwrap().unwrap();
    let verified = wait(pool.submit(A, move |workspace| {
        super::super::verify("password", &phc, parameters, workspace)
    }));
    assert_eq!(
        verified.unwrap(),
        Ok(super::super::Verification::Match { rehash: false })
    );
}

#[test]
fn tenants_are_served_in_turn() {
    let pool = pool(100, 100);
    let gate = Gate::close(&pool);
    let log = Log::new();
    let storm = ["a1", "a2", "a3", "a4"].map(|name| log.submit(&pool, A, name));
    let calm = [
        log.submit(&pool, B, "b1"),
        log.submit(&pool, B, "b2"),
        log.submit(&pool, C, "c1"),
    ];
    assert_eq!(pool.waiting(), 7);
    gate.open();
    for submission in storm.into_iter().chain(calm) {
        wait(submission).unwrap();
    }
    assert_eq!(log.read(), ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
}

#[test]
fn a_full_queue_says_so_at_once_and_one_tenant_cannot_fill_it() {
    let pool = pool(5, 3);
    let gate = Gate::close(&pool);
    let log = Log::new();
    let mut kept = ["a1", "a2", "a3"]
        .map(|name| log.submit(&pool, A, name))
        .into_iter()
        .collect::<Vec<_>>();
    assert_eq!(
        at_once(log.submit(&pool, A, "a4")),
        Some(Err(NotHashed::Busy))
    );
    kept.push(log.submit(&pool, B, "b1"));
    kept.push(log.submit(&pool, C, "c1"));
    assert_eq!(
        at_once(log.submit(&pool, B, "b2")),
        Some(Err(NotHashed::Busy))
    );
    assert_eq!(pool.waiting(), 5);
    gate.open();
    for submission in kept {
        wait(submission).unwrap();
    }
    wait(log.submit(&pool, A, "a5")).unwrap();
    assert_eq!(log.read(), ["a1", "b1", "c1", "a2", "a3", "a5"]);
}

#[test]
fn a_job_goes_with_its_caller() {
    let pool = pool(3, 3);
    let gate = Gate::close(&pool);
    let log = Log::new();
    let first = log.submit(&pool, A, "a1");
    let left = [log.submit(&pool, A, "a2"), log.submit(&pool, B, "b1")];
    assert_eq!(
        at_once(log.submit(&pool, C, "c0")),
        Some(Err(NotHashed::Busy))
    );
    drop(left);
    assert_eq!(pool.waiting(), 1);
    let last = [log.submit(&pool, C, "c1"), log.submit(&pool, B, "b2")];
    gate.open();
    wait(first).unwrap();
    for submission in last {
        wait(submission).unwrap();
    }
    assert_eq!(log.read(), ["a1", "c1", "b2"]);
}

#[test]
fn a_job_that_began_is_finished_without_its_caller() {
    let pool = pool(3, 3);
    let Gate { go, submission } = Gate::close(&pool);
    drop(submission);
    go.send(()).unwrap();
    assert_eq!(wait(pool.submit(A, |_| 1)), Ok(1));
}

#[test]
fn a_panic_costs_one_job() {
    let pool = pool(3, 3);
    let panicked: Submission<()> = pool.submit(A, |_| {
        std::panic::resume_unwind(Box::new("a job of a test"))
    });
    assert_eq!(wait(panicked), Err(NotHashed::Stopped));
    assert_eq!(wait(pool.submit(A, |_| 1)), Ok(1));
}

#[test]
fn closing_drops_what_waits() {
    let pool = pool(3, 3);
    let gate = Gate::close(&pool);
    let log = Log::new();
    let waiting = log.submit(&pool, A, "a1");
    pool.close();
    assert_eq!(wait(waiting), Err(NotHashed::Stopped));
    assert_eq!(wait(pool.submit(A, |_| ())), Err(NotHashed::Stopped));
    gate.open();
    assert!(log.read().is_empty());
}

#[test]
fn the_workers_end_with_the_pool() {
    struct Ends {
        _alive: mpsc::Sender<()>,
    }
    impl HashingObserver for Ends {
        fn began(&self, _waited: Duration) {}
        fn refused(&self) {}
    }
    let (sender, receiver) = mpsc::channel();
    let limits = PoolLimits {
        workers: 2,
        waiting: 1,
        waiting_per_tenant: 1,
        kept_memory_kib: 0,
    };
    let pool = HashingPool::start(limits, Arc::new(Ends { _alive: sender })).unwrap();
    let other = pool.clone();
    drop(pool);
    assert_eq!(wait(other.submit(A, |_| 1)), Ok(1));
    drop(other);
    // The observer goes when the last worker has let go of it.
    assert!(receiver.recv().is_err());
}

#[test]
fn the_observer_hears_of_it() {
    #[derive(Default)]
    struct Counts([AtomicUsize; 2]);
    impl HashingObserver for Counts {
        fn began(&self, _waited: Duration) {
            self.0[0].fetch_add(1, Ordering::SeqCst);
        }
        fn refused(&self) {
            self.0[1].fetch_add(1, Ordering::SeqCst);
        }
    }
    let counts = Arc::new(Counts::default());
    let limits = PoolLimits {
        workers: 1,
        waiting: 1,
        waiting_per_tenant: 1,
        kept_memory_kib: 0,
    };
    let pool = HashingPool::start(limits, Arc::clone(&counts) as _).unwrap();
    let gate = Gate::close(&pool);
    let waiting = pool.submit(A, |_| ());
    assert_eq!(at_once(pool.submit(B, |_| ())), Some(Err(NotHashed::Busy)));
    let read = || [0, 1].map(|index: usize| counts.0[index].load(Ordering::SeqCst));
    assert_eq!(read(), [1, 1]);
    gate.open();
    wait(waiting).unwrap();
    assert_eq!(read(), [2, 1]);
    pool.close();
    assert_eq!(
        at_once(pool.submit(A, |_| ())),
        Some(Err(NotHashed::Stopped))
    );
    assert_eq!(read(), [2, 1], "the end isn't a full queue");
}
