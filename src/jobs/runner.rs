//! Starts and ends the jobs of a server.

use std::sync::Arc;

use actix_web::rt::task::JoinHandle;

use super::{deletion, expiry, logout};
use crate::flows::Provider;

/// The jobs that run beside a server.
#[must_use = "they run until they are stopped"]
pub struct Jobs(Vec<JoinHandle<()>>);

/// Starts every job on the present runtime.
pub fn start(provider: &Arc<Provider>) -> Jobs {
    Jobs(vec![
        deletion::start(Arc::clone(provider)),
        expiry::start(Arc::clone(provider)),
        logout::start(Arc::clone(provider)),
    ])
}

impl Jobs {
    /// Ends them: what is under way in the database is finished there.
    pub async fn stop(self) {
        for job in self.0 {
            job.abort();
            let _ = job.await;
        }
    }
}
