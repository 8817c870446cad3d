//! Crashes and faults, brought about from outside: each program drives the built binary over sockets while something is taken away from
//! it, and afterwards holds what is there against what was answered.
//!
//!     cargo test --test faults -- [PROGRAM…] [--runs N] [--seed S] [--database sqlite|postgres|both]
//!
//! Without arguments every program runs, shortened. A run's seed is printed: with it, the random choices are the same again (what
//! the threads of client and server make of them is not).

mod clock;
mod disk;
mod keys;
mod kill;
mod migration;
mod postgres;
mod power;
mod races;
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use support::database::Kind;
use support::random::Random;

/// What the command line asks for.
pub struct Options {
    runs: Option<u64>,
    seed: u64,
    databases: Vec<Kind>,
}

impl Options {
    /// How often the program repeats what it does; `short` unless told.
    pub fn runs(&self, short: u64) -> u64 {
        self.runs.unwrap_or(short)
    }

    /// The random choices of one part, which don't depend on what other parts draw.
    pub fn random(&self, part: &str) -> Random {
        Random::new(self.seed, part)
    }
}

/// One thing to check; it panics where it doesn't hold, and otherwise says what was done.
type Program = fn(&Options, Kind) -> String;

/// Name, databases that it makes sense on, and the program.
const PROGRAMS: &[(&str, &[Kind], Program)] = &[
    ("kill", &Kind::BOTH, kill::run),
    ("disk", &Kind::SQLITE, disk::run),
    ("migration", &Kind::BOTH, migration::run),
    ("power", &Kind::SQLITE, power::run),
    ("postgres", &Kind::POSTGRES, postgres::run),
    ("clock", &Kind::BOTH, clock::run),
    ("keys", &Kind::BOTH, keys::run),
    ("races", &Kind::BOTH, races::run),
];

fn main() -> ExitCode {
    let (names, options) = match arguments() {
        Ok(given) => given,
        Err(problem) => {
            eprintln!("faults: {problem}");
            return ExitCode::from(2);
        }
    };
    println!("seed {}", options.seed);
    // Side by side: most of what either does is waiting.
    let failed: usize = std::thread::scope(|scope| {
        let running: Vec<_> = options
            .databases
            .iter()
            .map(|kind| scope.spawn(|| run(*kind, &names, &options)))
            .collect();
        running.into_iter().map(|one| one.join().unwrap_or(1)).sum()
    });
    support::postgres::stop_shared();
    support::shim::clear_up();
    ExitCode::from(u8::from(failed > 0))
}

/// Runs the programs of these names, or all, on one database; how many failed.
fn run(kind: Kind, names: &[String], options: &Options) -> usize {
    let mut failed = 0;
    for (name, kinds, program) in PROGRAMS {
        let wanted = names.is_empty() || names.iter().any(|given| given == name);
        if !wanted || !kinds.contains(&kind) {
            continue;
        }
        let begun = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| program(options, kind)));
        let seconds = begun.elapsed().as_secs_f32();
        if let Ok(done) = outcome {
            println!("ok {name} {kind}: {done} ({seconds:.1} s)");
        } else {
            failed += 1;
            println!(
                "not ok {name} {kind} (seed {}, {seconds:.1} s)",
                options.seed
            );
        }
    }
    failed
}

fn arguments() -> Result<(Vec<String>, Options), String> {
    let mut names = Vec::new();
    let mut options = Options {
        runs: None,
        seed: std::time::UNIX_EPOCH
            .elapsed()
            .map_or(1, |since| u64::from(since.subsec_nanos())),
        databases: Kind::BOTH.to_vec(),
    };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or(format!("{argument} needs a value"));
        let number = |text: String| {
            text.parse::<u64>()
                .map_err(|error| format!("{text}: {error}"))
        };
        match argument.as_str() {
            "--runs" => options.runs = Some(number(value()?)?.max(1)),
            "--seed" => options.seed = number(value()?)?,
            "--database" => options.databases = Kind::parse(&value()?)?,
            name if PROGRAMS.iter().any(|(known, ..)| *known == name) => {
                names.push(argument);
            }
            _ => {
                let known: Vec<_> = PROGRAMS.iter().map(|(name, ..)| *name).collect();
                return Err(format!(
                    "there is no program or option `{argument}`; there are {}, --runs, --seed and --database",
                    known.join(", ")
                ));
            }
        }
    }
    Ok((names, options))
}
