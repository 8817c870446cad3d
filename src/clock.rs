//! The only source of the time and of randomness.
//!
//! Both are handed down as a [`Clock`], so that a test can move the time; `clippy.toml` bans every other way to them. Durations that
//! are measured and never stored (metrics, deadlines) use `std::time::Instant`, which is no time of day.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// A moment, in microseconds: what both databases keep.
pub type Timestamp = DateTime<Utc>;

/// As long as a setting of the installation can be.
const CENTURY: TimeDelta = TimeDelta::days(100 * 366);

/// A setting's span, to be counted from a moment: a century at the most, so that no sum leaves what a [`Timestamp`] holds.
pub fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).map_or(CENTURY, |span| span.min(CENTURY))
}

/// How far the last time-ordered id may run ahead of the time before order gives way to truth (the time was set back).
const MAX_LEAD_MILLIS: u64 = 1_000;

/// Random bytes that were fetched ahead.
struct Store {
    bytes: [u8; 1024],
    used: usize,
}

thread_local! {
    static FOR_IDS: RefCell<Store> = const { RefCell::new(Store { bytes: [0; 1024], used: 1024 }) };
}

trait Source: Send + Sync {
    fn now(&self) -> Timestamp;
}

struct System;

impl Source for System {
    fn now(&self) -> Timestamp {
        system_now()
    }
}

/// A time that stands still until its [`ClockControl`] moves it.
struct Adjustable {
    micros: AtomicI64,
}

impl Source for Adjustable {
    fn now(&self) -> Timestamp {
        DateTime::from_timestamp_micros(self.micros.load(Ordering::SeqCst))
            .unwrap_or(DateTime::UNIX_EPOCH)
    }
}

/// Tells the time, and makes random bytes and ids. Cheap to clone; clones share their state.
#[derive(Clone)]
pub struct Clock {
    source: Arc<dyn Source>,
    /// The last time-ordered id's position: milliseconds, then 12 bits below them.
    last_position: Arc<AtomicU64>,
}

impl Clock {
    /// The operating system's time.
    pub fn system() -> Self {
        Self::with(Arc::new(System))
    }

    /// A clock for tests: it starts at the system's time, stands still, and moves when its control says so.
    pub fn adjustable() -> (Self, ClockControl) {
        let source = Arc::new(Adjustable {
            micros: AtomicI64::new(system_now().timestamp_micros()),
        });
        (
            Self::with(Arc::clone(&source) as Arc<dyn Source>),
            ClockControl { source },
        )
    }

    fn with(source: Arc<dyn Source>) -> Self {
        Self {
            source,
            last_position: Arc::new(AtomicU64::new(0)),
        }
    }

    /// The time, truncated to microseconds.
    pub fn now(&self) -> Timestamp {
        self.source.now()
    }

    /// The time in whole seconds since 1970, as JWTs count it.
    pub fn unix(&self) -> i64 {
        self.now().timestamp()
    }

    /// `N` bytes from the operating system's generator.
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Fills `buffer` from the operating system's generator.
    ///
    /// A system that can't give randomness can't run a provider: that, and only that, panics.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks")]
    pub fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives random bytes");
    }

    /// A time-ordered id (RFC 9562 §5.7): milliseconds, 12 bits of their fraction (§6.2, method 3), 62 random bits. Each is greater than
    /// the one before it from the same clock, unless the time was set back by more than a second.
    pub fn uuid_v7(&self) -> Uuid {
        let position = self.next_position();
        let mut tail = self.bytes_for_ids::<10>();
        // The builder overwrites the upper four bits with the version.
        let [_, _, _, _, _, _, high, low] = (position & 0x0fff).to_be_bytes();
        tail[0] = high;
        tail[1] = low;
        uuid::Builder::from_unix_timestamp_millis(position >> 12, &tail).into_uuid()
    }

    /// Random bytes from a store of the thread's own: ids are many and no secrets, and a system call costs as much as the rest of them.
    fn bytes_for_ids<const N: usize>(&self) -> [u8; N] {
        FOR_IDS.with_borrow_mut(|store| {
            if store.used + N > store.bytes.len() {
                self.fill(&mut store.bytes);
                store.used = 0;
            }
            let mut taken = [0; N];
            taken.copy_from_slice(&store.bytes[store.used..store.used + N]);
            store.used += N;
            taken
        })
    }

    /// A random id (RFC 9562 §5.4).
    pub fn uuid_v4(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random_bytes()).into_uuid()
    }

    fn next_position(&self) -> u64 {
        let micros = u64::try_from(self.now().timestamp_micros()).unwrap_or(0);
        let present = ((micros / 1_000) << 12) | ((micros % 1_000) * 4_096 / 1_000);
        let next = |last: u64| {
            let lead = (last >> 12).saturating_sub(present >> 12);
            if last < present || lead > MAX_LEAD_MILLIS {
                present
            } else {
                last + 1
            }
        };
        let mut last = self.last_position.load(Ordering::Relaxed);
        loop {
            let position = next(last);
            match self.last_position.compare_exchange_weak(
                last,
                position,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return position,
                Err(other) => last = other,
            }
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// Moves the time of the [`Clock`] it was made with.
#[derive(Clone)]
pub struct ClockControl {
    source: Arc<Adjustable>,
}

impl ClockControl {
    /// Moves the time forth.
    pub fn advance(&self, by: Duration) {
        self.source.micros.fetch_add(micros(by), Ordering::SeqCst);
    }

    /// Moves the time back.
    pub fn rewind(&self, by: Duration) {
        self.source.micros.fetch_sub(micros(by), Ordering::SeqCst);
    }

    /// Sets the time.
    pub fn set(&self, to: Timestamp) {
        self.source
            .micros
            .store(to.timestamp_micros(), Ordering::SeqCst);
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks")]
fn system_now() -> Timestamp {
    // A clock that stands before 1970 is wrong anyway.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    // Made of microseconds rather than cut down to them, as each request asks a few times.
    DateTime::from_timestamp(seconds, since.subsec_micros() * 1_000).unwrap_or_default()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_whole_microseconds() {
        assert_eq!(Clock::system().now().timestamp_subsec_nanos() % 1_000, 0);
        assert_eq!(
            Clock::adjustable().0.now().timestamp_subsec_nanos() % 1_000,
            0
        );
    }

    #[test]
    fn an_adjustable_clock_stands_still_and_moves_for_all_its_clones() {
        let (clock, control) = Clock::adjustable();
        let (other, start) = (clock.clone(), clock.now());
        assert_eq!(clock.now(), start);
        control.advance(Duration::from_secs(90));
        assert_eq!(other.unix(), start.timestamp() + 90);
        control.rewind(Duration::from_secs(125));
        assert_eq!(other.unix(), start.timestamp() - 35);
        control.set(start);
        assert_eq!(other.now(), start);
    }

    #[test]
    fn time_ordered_ids_rise_while_the_time_stands_still() {
        let (clock, control) = Clock::adjustable();
        let mut last = Uuid::nil();
        for round in 0..20_000 {
            // Across the end of a millisecond's 4096 positions, and over a small step back.
            if round == 10_000 {
                control.rewind(Duration::from_millis(100));
            }
            let id = clock.uuid_v7();
            assert!(id > last, "{id} after {last}");
            last = id;
        }
    }

    #[test]
    fn time_ordered_ids_carry_the_time_and_follow_it_back() {
        let (clock, control) = Clock::adjustable();
        let moment = DateTime::from_timestamp_micros(1_645_557_742_000_500).unwrap();
        clock.uuid_v7();
        control.set(moment);
        let id = clock.uuid_v7();
        assert_eq!(
            (id.get_version_num(), id.get_variant()),
            (7, uuid::Variant::RFC4122)
        );
        // RFC 9562 appendix A.6 has the same millisecond; half of it is 2048 of 4096.
        assert_eq!(&id.to_string()[..18], "017f22e2-79b0-7800");
    }

    #[test]
    fn random_ids_say_so_and_differ() {
        let clock = Clock::system();
        let (one, other) = (clock.uuid_v4(), clock.uuid_v4());
        assert_eq!(one.get_version_num(), 4);
        assert_ne!(one, other);
        assert_ne!(clock.random_bytes::<32>(), clock.random_bytes::<32>());
    }
}
