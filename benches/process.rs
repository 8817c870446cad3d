//! Servers as processes of their own, each on the processor that it is given, and what they use of it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// Seconds of processor time.
pub struct Cpu;

impl Cpu {
    /// What this process has used.
    pub fn own() -> f64 {
        used("self")
    }
}

fn used(process: &str) -> f64 {
    // proc(5): utime and stime are the 14th and 15th fields, in ticks of 10 ms; the name before them may hold spaces.
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

/// A server that runs until it is dropped.
pub struct Process {
    child: Child,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
}

impl Process {
    /// Starts a server, which is given `PORT` in its arguments' place, on a processor, and waits until it answers `path`.
    pub fn start(
        program: &Path,
        prepare: impl FnOnce(&mut Command),
        core: usize,
        port: u16,
        path: &str,
    ) -> Result<Self> {
        let started = Self::spawn(program, prepare, core, port)?;
        started.wait(path, Duration::from_secs(20))?;
        Ok(started)
    }

    /// Starts a server and doesn't wait.
    pub fn spawn(
        program: &Path,
        prepare: impl FnOnce(&mut Command),
        core: usize,
        port: u16,
    ) -> Result<Self> {
        let mut command = Command::new("taskset");
        command.arg("-c").arg(core.to_string()).arg(program);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        prepare(&mut command);
        Ok(Self {
            child: command.spawn()?,
            port,
        })
    }

    /// Waits until it answers.
    pub fn wait(&self, path: &str, limit: Duration) -> Result<()> {
        let begin = Instant::now();
        let request = crate::wire::get("localhost", path, "");
        while begin.elapsed() < limit {
            if let Ok(answer) = crate::load::ask(self.port, &request)
                && answer.status == 200
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(format!("nothing answers at port {}", self.port).into())
    }

    /// Seconds of processor time that it has used.
    pub fn cpu(&self) -> f64 {
        used(&self.child.id().to_string())
    }

    /// What it holds in memory, in MiB.
    pub fn memory(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .unwrap_or_default();
        let kib = text
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap_or_default() / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has at this moment.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port())
}
