//! Tessera measured against the ceiling of its own parts: the same answers, signatures and commits by a bare actix-web endpoint.
//!
//! `./bench` builds everything, pins the server to one core and this program to another, and calls it. Each row is measured in turns
//! (ours, the ceiling, ours, …), so that what disturbs the machine disturbs both; what is reported is the ratio of each pair, its median
//! and its spread.

/// The same allocator as the server: what it brings isn't the difference that is looked for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod browser;
mod ceiling;
mod difference;
mod load;
mod memory;
mod peer;
mod plot;
mod process;
mod proofs;
mod report;
mod rows;
mod scene;
mod storm;
mod tenants;
mod timing;
mod wire;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

/// What is measured, and how.
#[derive(Clone, Debug, clap::Parser)]
#[command(about = "Measures Tessera beside the ceiling of its parts")]
pub struct Options {
    /// Rows to measure; all of them where none is named
    pub names: Vec<String>,
    /// Measurements of each row
    #[arg(long, default_value_t = 3)]
    pub runs: usize,
    /// How long each measurement takes, in seconds
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
    /// Connections that the load comes by
    #[arg(long, default_value_t = 32)]
    pub connections: usize,
    /// The processor that servers run on
    #[arg(long, default_value_t = 0)]
    pub server_core: usize,
    /// `oidc-provider`'s folder, made by `./bench`; without it no row has a peer
    #[arg(long)]
    pub peer: Option<std::path::PathBuf>,
    /// Node.js, for the peer
    #[arg(long, default_value = "node")]
    pub node: std::path::PathBuf,
    /// For `tenants`: how many, one size after the other
    #[arg(long, value_delimiter = ',', default_value = "1,100,10000,100000")]
    pub sizes: Vec<usize>,
    /// For `tenants`: where the plot is drawn
    #[arg(long)]
    pub plot: Option<std::path::PathBuf>,
    /// For `timing`: pairs at the least parameters of argon2; 0 leaves them out
    #[arg(long, default_value_t = 100_000)]
    pub pairs: usize,
    /// For `timing`: pairs at the default parameters
    #[arg(long, default_value_t = 5_000)]
    pub default_pairs: usize,
    /// For `timing`: where chance begins; printed by each run
    #[arg(long)]
    pub seed: Option<u64>,
    /// For `timing`: the databases
    #[arg(long, value_delimiter = ',', value_enum, default_value = "sqlite")]
    pub databases: Vec<scene::Database>,
    /// A PostgreSQL superuser's URL; without it rows are measured on SQLite alone
    #[arg(long)]
    pub postgres: Option<String>,
    /// Serve the ceiling, as a process of its own (used by this program itself)
    #[arg(long, hide = true, value_name = "FILE")]
    ceiling: Option<std::path::PathBuf>,
    /// Hash passwords for this many seconds and print how many (used by this program itself)
    #[arg(long, hide = true, value_name = "SECONDS")]
    hash: Option<f64>,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// How long each measurement takes.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = if let Some(seconds) = options.hash {
        storm::hash(seconds)
    } else if let Some(plan) = &options.ceiling {
        ceiling::serve(plan)
    } else {
        rows::run(&options)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What goes wrong in a benchmark is told and ends it.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
