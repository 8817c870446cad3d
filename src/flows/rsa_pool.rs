//! RSA keys made ahead: finding one takes a tenth of a second and more, too long for a request that happens to need a tenant's first.
//!
//! Nothing is made at start-up. The first key of an algorithm is waited for; from then on a few are kept ready.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::jose::keys::{GeneratedKey, KeyError, RsaBits, SigningKey};
use crate::protocol::SigningAlgorithm;
use crate::threads::ThreadPool;

/// How many keys of an algorithm are kept ready.
const READY: usize = 2;

/// Keys that nobody owns yet.
#[derive(Default)]
pub struct RsaPool(Mutex<Vec<GeneratedKey>>);

impl RsaPool {
    /// A key of the algorithm, made ahead where there is one. Blocks where there is none.
    pub fn take(
        self: &Arc<Self>,
        algorithm: SigningAlgorithm,
        threads: &Arc<ThreadPool>,
    ) -> Result<GeneratedKey, KeyError> {
        let ready = {
            let mut keys = self.keys();
            let at = keys
                .iter()
                .position(|ready| ready.key.algorithm() == algorithm);
            at.map(|at| keys.swap_remove(at))
        };
        self.refill(algorithm, threads);
        ready.map_or_else(|| SigningKey::generate(algorithm, RsaBits::default()), Ok)
    }

    fn refill(self: &Arc<Self>, algorithm: SigningAlgorithm, threads: &Arc<ThreadPool>) {
        let pool = Arc::downgrade(self);
        // A full queue has better things to do; the next key that is taken asks again.
        let _ = threads.submit(move || {
            let Some(pool) = pool.upgrade() else { return };
            while pool.count(algorithm) < READY {
                match SigningKey::generate(algorithm, RsaBits::default()) {
                    Ok(key) => pool.keys().push(key),
                    Err(error) => {
                        tracing::error!(%error, %algorithm, "a key can't be made ahead");
                        return;
                    }
                }
            }
        });
    }

    fn keys(&self) -> MutexGuard<'_, Vec<GeneratedKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, algorithm: SigningAlgorithm) -> usize {
        self.keys()
            .iter()
            .filter(|ready| ready.key.algorithm() == algorithm)
            .count()
    }
}
