//! How far a write has come: agreed on between the caller, who waits for a bounded time, and the thread that runs it.
//!
//! A caller that gives up answers 503, and a client that is told so asks again with the same code or refresh token. So what was given
//! up is neither begun nor committed; and once a write is being committed it can't be given up any more: its caller then waits for
//! what becomes of it. The one doubt that remains is a commit whose answer is lost with the connection.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::error::{Result, StorageError};

const OPEN: u8 = 0;
const COMMITTING: u8 = 1;
const GIVEN_UP: u8 = 2;

struct Shared {
    stage: AtomicU8,
    until: Instant,
}

/// The thread's side.
#[derive(Clone)]
pub(super) struct Progress(Arc<Shared>);

/// The caller's side; giving it up, by dropping it too, keeps the write from being begun or committed.
pub(super) struct Waiting(Arc<Shared>);

/// Both sides of a write that has `deadline` from now.
pub(super) fn begin(deadline: Duration) -> (Progress, Waiting) {
    let shared = Arc::new(Shared {
        stage: AtomicU8::new(OPEN),
        until: Instant::now() + deadline,
    });
    (Progress(Arc::clone(&shared)), Waiting(shared))
}

fn change(shared: &Shared, from: u8, to: u8) -> bool {
    shared
        .stage
        .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
        .is_ok()
}

impl Progress {
    /// Whether nobody waits for it any more, or will by the time that it is done.
    pub(super) fn is_given_up(&self) -> bool {
        self.0.stage.load(Ordering::SeqCst) == GIVEN_UP || Instant::now() >= self.0.until
    }

    /// Says that the commit comes next; `false` where the caller has given up, so that it mustn't.
    pub(super) fn begin_commit(&self) -> bool {
        change(&self.0, OPEN, COMMITTING)
    }

    /// Says that the commit failed and the write is to be run again.
    pub(super) fn begin_again(&self) {
        change(&self.0, COMMITTING, OPEN);
    }
}

impl Waiting {
    /// Waits until the deadline, and beyond it where the commit is under way: for as long again at the most.
    pub(super) async fn result<T>(
        self,
        deadline: Duration,
        mut result: oneshot::Receiver<Result<T>>,
    ) -> Result<T> {
        if let Some(result) = within(deadline, &mut result).await {
            return result;
        }
        if change(&self.0, OPEN, GIVEN_UP) {
            return Err(StorageError::Timeout);
        }
        within(deadline, &mut result)
            .await
            .unwrap_or(Err(StorageError::Timeout))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        change(&self.0, OPEN, GIVEN_UP);
    }
}

/// What comes within the deadline.
pub(super) async fn within<T>(
    deadline: Duration,
    result: impl Future<Output = std::result::Result<Result<T>, oneshot::error::RecvError>>,
) -> Option<Result<T>> {
    let answered = tokio::time::timeout(deadline, result).await.ok()?;
    Some(answered.unwrap_or_else(|_| Err(StorageError::Unavailable("the work was dropped".into()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_up_is_not_committed() {
        let (progress, waiting) = begin(Duration::from_mins(1));
        assert!(!progress.is_given_up());
        drop(waiting);
        assert!(progress.is_given_up());
        assert!(!progress.begin_commit());
    }

    #[test]
    fn what_is_being_committed_is_not_given_up() {
        let (progress, waiting) = begin(Duration::from_mins(1));
        assert!(progress.begin_commit());
        drop(waiting);
        assert!(!progress.is_given_up());
        // Run again, it has a caller no more than before.
        let (progress, waiting) = begin(Duration::ZERO);
        assert!(progress.is_given_up(), "its time was over before it began");
        assert!(progress.begin_commit());
        progress.begin_again();
        drop(waiting);
        assert!(!progress.begin_commit());
    }

    #[tokio::test]
    async fn a_caller_waits_for_a_commit_that_is_under_way() {
        let deadline = Duration::from_millis(20);
        let (answer, result) = oneshot::channel();
        let (progress, waiting) = begin(deadline);
        assert!(progress.begin_commit());
        let late = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            let _ = answer.send(Ok(7));
        });
        assert_eq!(waiting.result(deadline, result).await.ok(), Some(7));
        late.join().expect("ends");
        let (_answer, result) = oneshot::channel::<Result<u8>>();
        let (progress, waiting) = begin(deadline);
        let given_up = waiting.result(deadline, result).await;
        assert!(matches!(given_up, Err(StorageError::Timeout)));
        assert!(!progress.begin_commit());
    }
}
