//! Starts and ends the jobs of a server.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::task::JoinHandle;
use actix_web::rt::time::sleep;
use futures_util::FutureExt as _;

use super::{client_uses, deletion, expiry, logout};
use crate::flows::Provider;

/// How long a job rests that panicked: what it stumbles over may lie there still.
const REST: Duration = Duration::from_secs(10);

/// The jobs that run beside a server.
#[must_use = "they run until they are stopped"]
pub struct Jobs {
    handles: Vec<JoinHandle<()>>,
    provider: Arc<Provider>,
}

/// Starts every job on the present runtime.
pub fn start(provider: &Arc<Provider>) -> Jobs {
    let begun = || Arc::clone(provider);
    let handles = vec![
        spawn("client_uses", begun(), client_uses::run),
        spawn("deletion", begun(), deletion::run),
        spawn("expiry", begun(), expiry::run),
        spawn("logout", begun(), logout::run),
    ];
    Jobs {
        handles,
        provider: Arc::clone(provider),
    }
}

fn spawn<F: Future<Output = ()> + 'static>(
    name: &'static str,
    provider: Arc<Provider>,
    job: fn(Arc<Provider>) -> F,
) -> JoinHandle<()> {
    actix_web::rt::spawn(keep_running(name, REST, move || job(Arc::clone(&provider))))
}

/// Runs a job, and runs it again when it panics: without it a server goes on as if nothing were missing.
async fn keep_running<F: Future<Output = ()>>(name: &str, rest: Duration, job: impl Fn() -> F) {
    while AssertUnwindSafe(job()).catch_unwind().await.is_err() {
        tracing::error!(job = name, "a job panicked; it begins anew in seconds");
        sleep(rest).await;
    }
}

impl Jobs {
    /// Ends them: what is under way in the database is finished there.
    pub async fn stop(self) {
        for job in self.handles {
            job.abort();
            // It was aborted, and says so.
            let _ = job.await;
        }
        if let Err(error) = self.provider.write_client_uses().await {
            tracing::warn!(%error, "the last uses of clients aren't written down");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[actix_web::test]
    async fn a_job_that_panics_begins_anew() {
        let begun = Cell::new(0);
        let job = || async {
            begun.set(begun.get() + 1);
            assert!(begun.get() > 2, "not yet");
        };
        keep_running("test", Duration::ZERO, job).await;
        assert_eq!(begun.get(), 3);
    }
}
