//! What the machine takes to read memory that lay idle. Where many tenants are kept ready, a request reads pages that nobody has looked at for
//! minutes; a machine whose host takes such pages away has to fetch them first, which no program sees but by the time it takes.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// About as much as a hundred thousand tenants take, in bytes.
const SIZE: usize = 1 << 30;
const IDLE: Duration = Duration::from_mins(1);
const READS: usize = 4_000;
/// Between two reads; those of requests aren't one right after the other either.
const PAUSE: Duration = Duration::from_micros(500);
/// Two numbers without a common divisor, so that reads are far from each other.
const STEP: usize = 611_953 * 1_021;

/// Reads here and there in memory that was written a minute ago, each place twice, and says in a line what a first and a second look took.
pub fn idle_reads() -> String {
    let memory = vec![7_u8; SIZE];
    std::thread::sleep(IDLE);
    let look = |at: usize| {
        let begun = Instant::now();
        black_box(memory[black_box(at)]);
        begun.elapsed()
    };
    let (mut first, mut second) = (Vec::with_capacity(READS), Vec::with_capacity(READS));
    for at in (0..READS).map(|number| number.wrapping_mul(STEP) % SIZE) {
        std::thread::sleep(PAUSE);
        first.push(look(at));
        second.push(look(at));
    }
    let told = |mut times: Vec<Duration>| {
        times.sort_unstable();
        let micros = |index: usize| times[index].as_secs_f64() * 1e6;
        format!(
            "{:.1} / {:.1} µs",
            micros(READS / 2),
            micros(READS * 99 / 100)
        )
    };
    format!(
        "one byte of a gigabyte that lay idle for a minute is read in {} (p50 / p99), and again in {}",
        told(first),
        told(second)
    )
}
