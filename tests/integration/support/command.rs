//! The binary itself, run as people and scripts run it, on a data directory and a database of a test's own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tessera::storage::Location;

use super::database::{Raw, empty_postgres};

/// Runs a test of commands on SQLite and on PostgreSQL: `command_test! { fn name(here: Installation) { … } }`. The schema is there, and
/// so is the master key.
macro_rules! command_test {
    ($($(#[$attribute:meta])* fn $name:ident($here:ident: $installation:ident) $body:block)+) => {
        $(
            $(#[$attribute])*
            mod $name {
                #[allow(unused_imports, reason = "what the body needs")]
                use super::*;

                fn body($here: &$installation) $body

                #[test]
                fn sqlite() {
                    body(&$installation::sqlite().ready());
                }

                #[test]
                fn postgres() {
                    body(&$installation::postgres().ready());
                }
            }
        )+
    };
}
pub(crate) use command_test;

/// The words of a command line, as a shell has them: quotes hold together.
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for character in line.chars() {
        match (quote, character) {
            (Some(open), closing) if open == closing => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, ' ') if word.is_empty() => {}
            (None, ' ') => words.push(std::mem::take(&mut word)),
            _ => word.push(character),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// A command that takes longer has hung.
const PATIENCE: Duration = Duration::from_mins(2);

/// A data directory and a database.
pub struct Installation {
    directory: tempfile::TempDir,
    location: Location,
    /// Further variables of the environment.
    pub environment: Vec<(String, String)>,
    _database: Box<dyn std::any::Any>,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Done {
    /// Its exit status.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it said beside.
    pub err: String,
}

impl Installation {
    /// Nothing is there yet.
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let location = Location::Sqlite(directory.path().join("data/tessera.db"));
        Self {
            directory,
            location,
            environment: Vec::new(),
            _database: Box::new(()),
        }
    }

    /// A database without tables.
    pub fn postgres() -> Self {
        let (location, end) = empty_postgres();
        Self {
            directory: tempfile::tempdir().expect("a directory"),
            location,
            environment: Vec::new(),
            _database: Box::new(end),
        }
    }

    /// Makes schema and master key.
    pub fn ready(self) -> Self {
        self.ok(&["master-key", "create"]);
        self.ok(&["migrate"]);
        self
    }

    /// Sets a variable of the environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// A path in a directory that is the test's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file and names it.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// The URL of its PostgreSQL.
    pub fn database_url(&self) -> String {
        match &self.location {
            Location::Postgres(url) => url.clone(),
            Location::Sqlite(_) => panic!("on SQLite"),
        }
    }

    /// Gives everything to the user of [`Self::run_unprivileged`].
    pub fn give_away(&self) {
        if rustix::process::geteuid().is_root() {
            let given = Command::new("chown")
                .args(["-R", "65534:65534"])
                .arg(self.directory.path())
                .status();
            assert!(given.expect("chown").success());
        }
    }

    /// A plain connection to the database.
    pub fn raw(&self) -> Raw {
        Raw::connect(&self.location)
    }

    /// How many audit events of this kind a tenant has; `*` for any kind.
    pub fn events(&self, slug: &str, act: &str) -> usize {
        let kind = if act == "*" {
            String::new()
        } else {
            format!("AND e.act = '{act}'")
        };
        let query = format!(
            "SELECT e.act AS value FROM audit_events e JOIN tenants t ON t.id = e.tenant_id WHERE t.slug = '{slug}' {kind}"
        );
        self.raw().texts(&query).len()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_tessera"), arguments)
    }

    fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .args(arguments)
            .current_dir(self.directory.path());
        command.env("TESSERA_DATA_DIR", self.path("data"));
        if let Location::Postgres(url) = &self.location {
            command.env("TESSERA_DATABASE_URL", url);
        }
        // Least costs, and few threads.
        command
            .env("TESSERA_ARGON2_MEMORY", "7 MiB")
            .env("TESSERA_ARGON2_PASSES", "1");
        command
            .env("TESSERA_WORKERS", "1")
            .env("TESSERA_HASHING_THREADS", "1")
            .env("TESSERA_BLOCKING_THREADS", "2");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Begins a command whose end the test awaits by itself.
    pub fn begin(&self, arguments: &[&str]) -> Begun {
        Begun::of(self.command(arguments))
    }

    /// The server, in a process with limits as the words after `ulimit` set them.
    pub fn serve_within(&self, limits: &str) -> Server {
        let script = format!("ulimit {limits}; exec \"$0\" \"$@\"");
        let tessera = env!("CARGO_BIN_EXE_tessera");
        let serve = ["serve", "--listen", "127.0.0.1:0", "--json"];
        let arguments = [&["-c", &script, tessera], &serve[..]].concat();
        Begun::of(self.program("/bin/bash", &arguments)).ready()
    }

    /// Runs a command in a shell that has done something before.
    pub fn run_after(&self, before: &str, arguments: &[&str]) -> Done {
        let script = format!("{before}; exec \"$0\" \"$@\"");
        let tessera = env!("CARGO_BIN_EXE_tessera");
        let arguments = [&["-c", &script, tessera], arguments].concat();
        Self::done(self.program("/bin/bash", &arguments), "", &arguments)
    }

    /// Runs a command as a user to whom modes and owners apply: root, who may do everything, becomes nobody for it.
    pub fn run_unprivileged(&self, arguments: &[&str]) -> Done {
        let tessera = env!("CARGO_BIN_EXE_tessera");
        let drop = ["--reuid=65534", "--regid=65534", "--clear-groups", tessera];
        let command = if rustix::process::geteuid().is_root() {
            self.program("setpriv", &[&drop[..], arguments].concat())
        } else {
            self.command(arguments)
        };
        Self::done(command, "", arguments)
    }

    /// Runs a command with this on its standard input.
    pub fn run_with(&self, input: &str, arguments: &[&str]) -> Done {
        Self::done(self.command(arguments), input, arguments)
    }

    fn done(mut command: Command, input: &str, arguments: &[&str]) -> Done {
        let mut child = command.spawn().expect("it starts");
        // A command that doesn't read its input may end before it is written.
        let _ = child
            .stdin
            .take()
            .expect("piped")
            .write_all(input.as_bytes());
        let read = |mut stream: Box<dyn std::io::Read + Send>| {
            std::thread::spawn(move || {
                let mut text = String::new();
                stream.read_to_string(&mut text).expect("UTF-8");
                text
            })
        };
        let out = read(Box::new(child.stdout.take().expect("piped")));
        let err = read(Box::new(child.stderr.take().expect("piped")));
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("it can be waited for") {
                break status;
            }
            // A server that should have refused to start, say.
            if begun.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("{arguments:?} doesn't end");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let text = |reader: std::thread::JoinHandle<String>| reader.join().expect("read");
        Done {
            code: status.code().unwrap_or(-1),
            out: text(out),
            err: text(err),
        }
    }

    /// Runs a command.
    pub fn run(&self, arguments: &[&str]) -> Done {
        self.run_with("", arguments)
    }

    /// Runs a command that succeeds; what it printed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        done.out
    }

    /// Runs a command with `--json` that succeeds: its document, and nothing else, is on standard output.
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.json_with("", arguments)
    }

    /// The same with standard input.
    pub fn json_with(&self, input: &str, arguments: &[&str]) -> Value {
        let done = self.run_with(input, &[&["--json"], arguments].concat());
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        serde_json::from_str(&done.out)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", done.out))
    }

    /// Runs a command that fails: exit 1, nothing on standard output, the error by name on standard error. Returns its description.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str], error: &str) -> String {
        self.refused_with("", arguments, error)
    }

    /// The same with standard input.
    #[track_caller]
    pub fn refused_with(&self, input: &str, arguments: &[&str], error: &str) -> String {
        self.failed(input, arguments, 1, error)
    }

    /// Runs a command that is used wrongly: exit 2.
    #[track_caller]
    pub fn misused(&self, arguments: &[&str]) -> String {
        self.failed("", arguments, 2, "usage")
    }

    #[track_caller]
    fn failed(&self, input: &str, arguments: &[&str], code: i32, error: &str) -> String {
        let done = self.run_with(input, &[&["--json"], arguments].concat());
        assert_eq!(
            (done.code, done.out.as_str()),
            (code, ""),
            "{arguments:?}: {done:?}"
        );
        let document = serde_json::from_str::<Value>(&done.err)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {done:?}"));
        assert_eq!(document["error"], error, "{arguments:?}: {done:?}");
        document["error_description"]
            .as_str()
            .expect("a description")
            .to_owned()
    }

    /// Makes a tenant.
    pub fn tenant(&self, slug: &str) -> Value {
        self.json(&["tenant", "create", slug, "--name", &slug.to_uppercase()])
    }

    /// Starts the server on a port that the system chooses.
    pub fn serve(&self) -> Server {
        self.start(&["serve", "--listen", "127.0.0.1:0", "--json"])
    }

    /// The server at an address that isn't its own.
    pub fn serve_at(&self, public_url: &str) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--json"]);
        command.env("TESSERA_PUBLIC_URL", public_url);
        Self::started(command)
    }

    /// The server, in a process to which a file that may grow no further is an error as a full disk is, and no signal that ends it.
    pub fn serve_without_xfsz(&self) -> Server {
        let script = "trap '' XFSZ; exec \"$0\" \"$@\"";
        let tessera = env!("CARGO_BIN_EXE_tessera");
        let serve = ["serve", "--listen", "127.0.0.1:0", "--json"];
        Self::started(self.program(
            "/bin/bash",
            &[&["-c", script, tessera], &serve[..]].concat(),
        ))
    }

    /// Starts what goes on serving, and waits until it has said so by a document.
    pub fn start(&self, arguments: &[&str]) -> Server {
        Self::started(self.command(arguments))
    }

    fn started(command: Command) -> Server {
        Begun::of(command).ready()
    }
}

/// A process that was begun, and may become a server.
pub struct Begun {
    child: Option<Child>,
    out: BufReader<ChildStdout>,
    log: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Begun {
    fn of(mut command: Command) -> Self {
        let mut child = command.spawn().expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = BufReader::new(child.stderr.take().expect("piped"));
        let log = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                written.lock().expect("a log").push_str(&line);
                line.clear();
            }
        });
        Self {
            child: Some(child),
            out,
            log,
            reader: Some(reader),
        }
    }

    /// What it said on standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("a log").clone()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("not ended").id()
    }

    /// What it left behind, once it ends.
    pub fn end(mut self) -> Done {
        let mut child = self.child.take().expect("not ended");
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("it can be waited for") {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("it doesn't end: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut out = String::new();
        self.out.read_to_string(&mut out).expect("UTF-8");
        self.reader.take().expect("a reader").join().expect("read");
        Done {
            code: status.code().unwrap_or(-1),
            out,
            err: self.log(),
        }
    }

    /// Waits until it has said by a document that it serves.
    pub fn ready(mut self) -> Server {
        let mut text = String::new();
        while serde_json::from_str::<Value>(&text).is_err() {
            if self.out.read_line(&mut text).expect("readable") == 0 {
                // What it said last is still on its way.
                std::thread::sleep(Duration::from_millis(200));
                panic!("the server ended: {text}{}", self.log());
            }
        }
        Server {
            child: self.child.take().expect("not ended"),
            document: serde_json::from_str(&text).expect("a document"),
            log: Arc::clone(&self.log),
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Sends a signal by its name.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status()
        .expect("kill");
    assert!(sent.success());
}

/// A server of its own process.
pub struct Server {
    child: Child,
    /// What it said at its start.
    pub document: Value,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        let address = self.document["listening"].as_str().expect("an address");
        address
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok())
            .expect("a port")
    }

    /// Ends it without a warning.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("it ends");
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("a log").clone()
    }

    /// Waits until it has logged this, and says what it has.
    #[track_caller]
    pub fn await_log(&self, piece: &str) -> String {
        let begun = Instant::now();
        while !self.log().contains(piece) {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "it doesn't say `{piece}`: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        self.log()
    }

    /// Asks it to end; its exit status and how long that took.
    pub fn terminate(mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        signal(self.child.id(), "TERM");
        let status = self.child.wait().expect("it ends");
        (status.code(), begun.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
