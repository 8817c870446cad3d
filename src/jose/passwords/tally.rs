//! What hashing was done: whether two answers cost the same can be counted, where a clock would only guess.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of everything that was hashed since the start.
#[derive(Debug, Default)]
pub struct Tally {
    hashes: AtomicU64,
    work: AtomicU64,
}

impl Tally {
    pub(super) fn add(&self, memory_kib: u32, passes: u32) {
        self.hashes.fetch_add(1, Ordering::Relaxed);
        self.work
            .fetch_add(u64::from(memory_kib) * u64::from(passes), Ordering::Relaxed);
    }

    /// How many hashes were computed.
    pub fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    /// What they cost, in KiB times passes.
    pub fn work(&self) -> u64 {
        self.work.load(Ordering::Relaxed)
    }
}
