//! An installation: a data directory, a database, commands and servers.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::database::{Database, Kind};
use super::http::{HOST, Http};

/// How long a server may take to start, and how long anything may that heals by itself.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A data directory and a database.
pub struct Site {
    directory: tempfile::TempDir,
    pub database: Database,
    /// Further variables of the environment.
    pub environment: Vec<(String, String)>,
}

impl Site {
    /// Nothing is there yet.
    pub fn empty(kind: Kind) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let database = Database::new(kind, directory.path());
        Self {
            directory,
            database,
            environment: Vec::new(),
        }
    }

    /// With schema and master key.
    pub fn new(kind: Kind) -> Self {
        Self::empty(kind).ready()
    }

    /// What is there in a directory.
    pub fn at(directory: tempfile::TempDir, database: Database) -> Self {
        Self {
            directory,
            database,
            environment: Vec::new(),
        }
    }

    /// Makes schema and master key.
    pub fn ready(self) -> Self {
        self.json(&["master-key", "create"]);
        self.json(&["migrate"]);
        self
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// The directory that everything lies in.
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The binary with what it needs of settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .env_clear()
            .args(arguments)
            .current_dir(self.directory.path())
            .env("TESSERA_DATA_DIR", self.path("data"))
            .env("TESSERA_DATABASE_URL", self.database.url())
            .env("TESSERA_PUBLIC_URL", format!("http://{HOST}/t/{{tenant}}"))
            .env("TESSERA_LOG_FILTER", "warn");
        // Passwords cost as little as may be without a warning: these programs aren't about them.
        command
            .env("TESSERA_ARGON2_MEMORY", "7 MiB")
            .env("TESSERA_ARGON2_PASSES", "1");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command with this on its standard input: exit status, output, errors.
    pub fn run_with(&self, input: &str, arguments: &[&str]) -> (ExitStatus, String, String) {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let _ = child
            .stdin
            .take()
            .expect("piped")
            .write_all(input.as_bytes());
        let done = child.wait_with_output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (done.status, text(done.stdout), text(done.stderr))
    }

    /// Runs a command that must work, and gives its document.
    #[track_caller]
    pub fn json_with(&self, input: &str, arguments: &[&str]) -> Value {
        let all = [&["--json"], arguments].concat();
        let (status, out, err) = self.run_with(input, &all);
        assert!(status.success(), "{arguments:?}: {status} {out}{err}");
        serde_json::from_str(&out)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}{err}"))
    }

    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.json_with("", arguments)
    }

    /// `doctor` finds nothing to complain of.
    pub fn expect_sound(&self) {
        let found = self.json(&["doctor"]);
        let checks = found["checks"].as_array().expect("a list");
        // How long a commit takes is this machine's affair, and how little room there is, short of none, that of the program that fills a disk.
        let expected = |check: &Value| {
            check["check"] == "writes" || (check["check"] == "disk" && check["status"] == "warning")
        };
        let bad = checks
            .iter()
            .find(|check| check["status"] != "ok" && !expected(check));
        assert!(bad.is_none() && checks.len() > 5, "{found:#}");
        self.database.check();
    }

    /// Starts a server.
    pub fn serve(&self) -> Server {
        Server::start(self.serving(), &self.path("server.log"))
    }

    /// What starts one.
    pub fn serving(&self) -> Command {
        self.command(&["serve", "--listen", "127.0.0.1:0", "--json"])
    }
}

/// The one that was built beside this, or another that `TESSERA_BIN` names: a release build, say.
pub fn binary() -> OsString {
    std::env::var_os("TESSERA_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_tessera").into())
}

/// A server of its own process.
pub struct Server {
    child: Child,
    port: u16,
    begun: Instant,
}

impl Server {
    /// Starts it and waits until it has said where it listens. Its log goes on at the end of a file.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let errors = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("a log");
        command.stdout(Stdio::piped()).stderr(errors);
        let begun = Instant::now();
        let mut child = command.spawn().expect("it starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut text = String::new();
        let document: Value = loop {
            if let Ok(document) = serde_json::from_str(&text) {
                break document;
            }
            if out.read_line(&mut text).expect("readable") == 0 {
                let status = child.wait().expect("it ends");
                panic!(
                    "the server ended: {status} {text} {}",
                    std::fs::read_to_string(log).unwrap_or_default()
                );
            }
        };
        let address = document["listening"].as_str().expect("an address");
        let port = address
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        Self {
            child,
            port: port.expect("a port"),
            begun,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn http(&self) -> Http {
        Http::new(self.port)
    }

    /// Waits until it is ready; how long that was since its process began.
    pub fn ready(&self) -> Duration {
        let mut http = self.http();
        loop {
            if http
                .get("/health/ready")
                .is_ok_and(|answer| answer.status == 200)
            {
                return self.begun.elapsed();
            }
            assert!(self.begun.elapsed() < PATIENCE, "it doesn't get ready");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it without a warning.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("it ends");
    }

    /// Asks it to end, and it must do so in peace.
    pub fn terminate(mut self) {
        let sent = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }

    /// Whether its process is still there.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
