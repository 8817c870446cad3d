//! Starts and ends the jobs of a server.

use std::sync::Arc;

use actix_web::rt::task::JoinHandle;

use super::{client_uses, deletion, expiry, logout};
use crate::flows::Provider;

/// The jobs that run beside a server.
#[must_use = "they run until they are stopped"]
pub struct Jobs {
    handles: Vec<JoinHandle<()>>,
    provider: Arc<Provider>,
}

/// Starts every job on the present runtime.
pub fn start(provider: &Arc<Provider>) -> Jobs {
    let handles = vec![
        client_uses::start(Arc::clone(provider)),
        deletion::start(Arc::clone(provider)),
        expiry::start(Arc::clone(provider)),
        logout::start(Arc::clone(provider)),
    ];
    Jobs {
        handles,
        provider: Arc::clone(provider),
    }
}

impl Jobs {
    /// Ends them: what is under way in the database is finished there.
    pub async fn stop(self) {
        for job in self.handles {
            job.abort();
            let _ = job.await;
        }
        if let Err(error) = self.provider.write_client_uses().await {
            tracing::warn!(%error, "the last uses of clients aren't written down");
        }
    }
}
