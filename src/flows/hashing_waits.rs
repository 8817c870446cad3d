//! How long passwords wait to be hashed, for metrics.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter};

use crate::jose::passwords::HashingObserver;

/// Upper bounds in seconds: at rest nobody waits, and what a full queue holds is done in some four seconds per core.
const BUCKETS: &[f64] = &[
    0.001, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Is told by the pool. Cheap to clone; the clones count together.
#[derive(Clone)]
pub struct HashingWaits {
    waits: Histogram,
    refused: IntCounter,
}

impl HashingWaits {
    /// Counts from nothing.
    ///
    /// # Errors
    /// None, as the names and bounds are constants.
    pub fn new() -> Result<Self, prometheus::Error> {
        let waits = HistogramOpts::new(
            "tessera_hashing_wait_seconds",
            "Time that a password waited until its hashing began.",
        );
        Ok(Self {
            waits: Histogram::with_opts(waits.buckets(BUCKETS.to_vec()))?,
            refused: IntCounter::new(
                "tessera_hashing_refused",
                "Passwords that weren't looked at, as too many waited, since the start.",
            )?,
        })
    }

    /// What a registry takes.
    pub fn collectors(&self) -> [Box<dyn Collector>; 2] {
        [Box::new(self.waits.clone()), Box::new(self.refused.clone())]
    }
}

impl HashingObserver for HashingWaits {
    fn began(&self, waited: Duration) {
        self.waits.observe(waited.as_secs_f64());
    }

    fn refused(&self) {
        self.refused.inc();
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder as _, Registry, TextEncoder};

    use super::*;

    #[test]
    fn waits_are_counted_by_their_length() {
        let waits = HashingWaits::new().unwrap();
        let registry = Registry::new();
        for collector in waits.collectors() {
            registry.register(collector).unwrap();
        }
        waits.began(Duration::from_micros(20));
        waits.clone().began(Duration::from_millis(300));
        waits.refused();
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&registry.gather(), &mut text)
            .unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in [
            r#"tessera_hashing_wait_seconds_bucket{le="0.25"} 1"#,
            r#"tessera_hashing_wait_seconds_bucket{le="0.5"} 2"#,
            "tessera_hashing_wait_seconds_count 2",
            "tessera_hashing_refused 1",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
