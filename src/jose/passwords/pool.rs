//! The one queue for password hashing: bounded, and fair between tenants.
//!
//! Each tenant has a queue of its own; workers take from them in turn, so that one tenant's storm delays another by one hash at most
//! per worker. What doesn't fit is told so at once. A caller that goes away takes its job with it, unless that has begun.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use uuid::Uuid;

use super::hashing::Workspace;
use super::parameters::PasswordParameters;
use super::tally::Tally;

/// How far hashing stands back (nice(2), 0 to 19): a hash takes milliseconds of a processor, everything else microseconds, and who waits for
/// a hash doesn't notice the difference.
const NICE: i32 = 10;

/// Why a job has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotHashed {
    /// The queue is full: try again later.
    #[error("too many passwords are waiting to be checked")]
    Busy,
    /// The pool was closed, or the job panicked.
    #[error("the password could not be checked")]
    Stopped,
}

/// How many jobs run and wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// Threads.
    pub workers: usize,
    /// Jobs that may wait.
    pub waiting: usize,
    /// Jobs that may wait for one tenant.
    pub waiting_per_tenant: usize,
    /// The memory that a worker keeps between jobs, in KiB.
    pub kept_memory_kib: u32,
}

impl Default for PoolLimits {
    /// A thread per core; at 15 ms a hash, what waits is done in some four seconds per core.
    fn default() -> Self {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        Self {
            workers,
            waiting: workers * 256,
            waiting_per_tenant: workers * 64,
            kept_memory_kib: PasswordParameters::default().memory_kib,
        }
    }
}

/// Is told what becomes of jobs; for metrics. How many wait is [`HashingPool::waiting`]'s to say.
pub trait HashingObserver: Send + Sync {
    /// A job begins after it waited this long.
    fn began(&self, waited: Duration);
    /// A job was refused, as the queue was full.
    fn refused(&self);
}

/// Tells nobody.
impl HashingObserver for () {
    fn began(&self, _waited: Duration) {}
    fn refused(&self) {}
}

/// The queue and its workers. Cheap to clone; when the last clone goes, what waits is dropped and the workers end.
#[derive(Clone)]
pub struct HashingPool(Arc<Owner>);

/// Ends the workers, which hold only what is shared with them.
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Shared {
    limits: PoolLimits,
    observer: Arc<dyn HashingObserver>,
    queues: Mutex<Queues>,
    work: Condvar,
    tally: Arc<Tally>,
}

#[derive(Default)]
struct Queues {
    /// Only tenants with jobs have a queue.
    by_tenant: HashMap<Uuid, VecDeque<Job>>,
    /// The tenants with jobs, the next to be served first.
    turn: VecDeque<Uuid>,
    waiting: usize,
    next_id: u64,
    closed: bool,
}

struct Job {
    id: u64,
    since: Instant,
    run: Box<dyn FnOnce(&mut Workspace) + Send>,
}

impl HashingPool {
    /// Starts the workers.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn start(limits: PoolLimits, observer: Arc<dyn HashingObserver>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            limits,
            observer,
            queues: Mutex::default(),
            work: Condvar::new(),
            tally: Arc::default(),
        });
        let pool = Self(Arc::new(Owner(Arc::clone(&shared))));
        for number in 0..limits.workers.max(1) {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || {
                    // For this thread alone, on Linux; where it isn't allowed, hashes compete with requests as equals.
                    let _ = rustix::process::setpriority_process(None, NICE);
                    shared.work();
                })?;
        }
        Ok(pool)
    }

    /// Queues `job` for `tenant`, at once; the future waits for its result.
    pub fn submit<T, F>(&self, tenant: Uuid, job: F) -> Submission<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Workspace) -> T + Send + 'static,
    {
        let (answer, receiver) = oneshot::channel();
        let run = Box::new(move |workspace: &mut Workspace| {
            if !answer.is_closed() {
                let _ = answer.send(job(workspace));
            }
        });
        let shared = &self.0.0;
        Submission(match shared.enqueue(tenant, run) {
            Ok(id) => State::Waiting {
                receiver,
                place: Place {
                    shared: Arc::clone(shared),
                    tenant,
                    id,
                },
            },
            Err(reason) => State::Refused(reason),
        })
    }

    /// Drops what waits, and takes nothing more; what runs is finished.
    pub fn close(&self) {
        self.0.0.close();
    }

    /// Whether a job of this tenant would be refused just now: to be asked before anything is written for it.
    pub fn is_full(&self, tenant: Uuid) -> bool {
        let shared = &self.0.0;
        shared.lock().is_full(tenant, shared.limits)
    }

    /// How many jobs wait.
    pub fn waiting(&self) -> usize {
        self.0.0.lock().waiting
    }

    /// What was hashed here since the start.
    pub fn tally(&self) -> &Tally {
        &self.0.0.tally
    }
}

impl Shared {
    /// The queues are whole whenever the lock is free: nothing that can panic runs under it.
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(
        &self,
        tenant: Uuid,
        run: Box<dyn FnOnce(&mut Workspace) + Send>,
    ) -> Result<u64, NotHashed> {
        let result = self.lock().push(tenant, run, self.limits);
        match result {
            Ok(_) => self.work.notify_one(),
            Err(NotHashed::Busy) => self.observer.refused(),
            // Nothing is too many at the end.
            Err(NotHashed::Stopped) => {}
        }
        result
    }

    fn cancel(&self, tenant: Uuid, id: u64) {
        // Dropped after the lock: what a job holds is none of ours.
        let job = self.lock().remove(tenant, id);
        drop(job);
    }

    fn close(&self) {
        let dropped = {
            let mut queues = self.lock();
            queues.closed = true;
            queues.waiting = 0;
            queues.turn.clear();
            std::mem::take(&mut queues.by_tenant)
        };
        drop(dropped);
        self.work.notify_all();
    }

    fn work(&self) {
        let fresh = || Workspace::counted(Arc::clone(&self.tally));
        let mut workspace = fresh();
        while let Some(job) = self.next() {
            self.observer.began(job.since.elapsed());
            // A job that panics drops its answer, which its caller sees; the worker goes on, with fresh memory.
            if catch_unwind(AssertUnwindSafe(|| (job.run)(&mut workspace))).is_err() {
                workspace = fresh();
            }
            workspace.shrink(self.limits.kept_memory_kib);
        }
    }

    /// Waits for a job; `None` once the pool is closed.
    fn next(&self) -> Option<Job> {
        let mut queues = self.lock();
        loop {
            if queues.closed {
                return None;
            }
            if let Some(job) = queues.pop() {
                return Some(job);
            }
            queues = self
                .work
                .wait(queues)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Queues {
    fn push(
        &mut self,
        tenant: Uuid,
        run: Box<dyn FnOnce(&mut Workspace) + Send>,
        limits: PoolLimits,
    ) -> Result<u64, NotHashed> {
        if self.closed {
            return Err(NotHashed::Stopped);
        }
        if self.is_full(tenant, limits) {
            return Err(NotHashed::Busy);
        }
        let own = self.by_tenant.get(&tenant).map_or(0, VecDeque::len);
        let id = self.next_id;
        self.next_id += 1;
        if own == 0 {
            self.turn.push_back(tenant);
        }
        self.by_tenant.entry(tenant).or_default().push_back(Job {
            id,
            since: Instant::now(),
            run,
        });
        self.waiting += 1;
        Ok(id)
    }

    fn is_full(&self, tenant: Uuid, limits: PoolLimits) -> bool {
        let own = self.by_tenant.get(&tenant).map_or(0, VecDeque::len);
        self.waiting >= limits.waiting || own >= limits.waiting_per_tenant
    }

    fn pop(&mut self) -> Option<Job> {
        let tenant = self.turn.pop_front()?;
        let queue = self.by_tenant.get_mut(&tenant)?;
        let job = queue.pop_front()?;
        if queue.is_empty() {
            self.by_tenant.remove(&tenant);
        } else {
            self.turn.push_back(tenant);
        }
        self.waiting -= 1;
        Some(job)
    }

    fn remove(&mut self, tenant: Uuid, id: u64) -> Option<Job> {
        let queue = self.by_tenant.get_mut(&tenant)?;
        let position = queue.iter().position(|job| job.id == id)?;
        let job = queue.remove(position)?;
        if queue.is_empty() {
            self.by_tenant.remove(&tenant);
            self.turn.retain(|waiting| *waiting != tenant);
        }
        self.waiting -= 1;
        Some(job)
    }
}

/// A job's result to come. Dropping it takes the job out of the queue, unless that has begun.
#[must_use = "dropping it cancels the job"]
pub struct Submission<T>(State<T>);

enum State<T> {
    Refused(NotHashed),
    Waiting {
        receiver: oneshot::Receiver<T>,
        #[expect(dead_code, reason = "held for its drop")]
        place: Place,
    },
}

struct Place {
    shared: Arc<Shared>,
    tenant: Uuid,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.cancel(self.tenant, self.id);
    }
}

impl<T> Future for Submission<T> {
    type Output = Result<T, NotHashed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            State::Refused(reason) => Poll::Ready(Err(*reason)),
            State::Waiting { receiver, .. } => Pin::new(receiver)
                .poll(context)
                .map(|result| result.map_err(|_| NotHashed::Stopped)),
        }
    }
}

#[cfg(test)]
mod tests;
