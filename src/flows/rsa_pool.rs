//! RSA keys made ahead: finding one takes a tenth of a second and more, too long for a request that happens to need a tenant's first.
//!
//! Nothing is made at start-up. The first key of an algorithm is waited for; from then on a few are kept ready.

use std::sync::{Arc, Mutex, PoisonError};

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
            let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
                let Ok(key) = SigningKey::generate(algorithm, RsaBits::default()) else {
                    return;
                };
                pool.0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(key);
            }
        });
    }

    fn count(&self, algorithm: SigningAlgorithm) -> usize {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|ready| ready.key.algorithm() == algorithm)
            .count()
    }
}
