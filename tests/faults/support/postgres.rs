//! PostgreSQL of the programs' own: durable as in earnest, and theirs to stop, restart and pause.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::random::hex;

/// One server.
pub struct Postgres {
    folder: PathBuf,
    binaries: PathBuf,
    password: String,
    port: u16,
}

/// The one that programs share which don't disturb it.
pub fn shared() -> &'static Postgres {
    SHARED.get_or_init(Postgres::start)
}

static SHARED: OnceLock<Postgres> = OnceLock::new();

/// Ends the shared one, if anybody needed it.
pub fn stop_shared() {
    if let Some(server) = SHARED.get() {
        server.end();
    }
}

/// Runs a statement and gives its rows.
pub fn psql(url: &str, sql: &str) -> Result<Vec<String>, String> {
    let done = Command::new(binaries().join("psql"))
        .args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set",
            "ON_ERROR_STOP=1",
            "--command",
            sql,
            url,
        ])
        .output()
        .map_err(|error| error.to_string())?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&done.stdout);
    Ok(text
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}

/// The newest of Debian's, else what stands in PATH.
fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| entry.path().join("bin"))
                .collect()
        })
        .unwrap_or_default();
    found.sort_by_key(|path| {
        path.parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str()?.parse::<u32>().ok())
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.reverse();
    found.extend(std::env::split_paths(&path));
    found
        .into_iter()
        .find(|folder| folder.join("initdb").exists())
        .expect("PostgreSQL's initdb (Debian's package postgresql)")
}

impl Postgres {
    /// Makes a cluster in /tmp (a Unix socket's path may have 107 bytes) and starts it.
    pub fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(format!(
            "/tmp/tessera-faults.{}.{number}",
            std::process::id()
        ));
        std::fs::create_dir(&folder).expect("a folder");
        let mut random = [0; 16];
        let source = std::fs::File::open("/dev/urandom");
        source
            .and_then(|mut source| source.read_exact(&mut random))
            .expect("random bytes");
        let mut server = Self {
            folder,
            binaries: binaries(),
            password: hex(&random),
            port: 0,
        };
        let file = server.folder.join("password");
        std::fs::write(&file, &server.password).expect("a file");
        if is_root() {
            // PostgreSQL refuses to run as root; Debian's package has made a user for it.
            run(Command::new("chown")
                .arg("-R")
                .arg("postgres:")
                .arg(&server.folder));
        }
        let data = server.data();
        run(server
            .command("initdb")
            .args([
                "--username=postgres",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ])
            .arg(format!("--pgdata={}", data.display()))
            .arg(format!("--pwfile={}", file.display())));
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\nmax_connections = 200\nshared_buffers = 64MB\ndeadlock_timeout = 100ms\n",
            server.folder.display()
        );
        let mut configuration = std::fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"))
            .expect("its configuration");
        configuration
            .write_all(settings.as_bytes())
            .expect("written");
        for _ in 0..5 {
            server.port = free_port();
            if server.try_run().is_ok() {
                server.clear_up_after_us();
                return server;
            }
        }
        panic!(
            "PostgreSQL doesn't start: {}",
            std::fs::read_to_string(server.folder.join("log")).unwrap_or_default()
        );
    }

    /// Should this program be killed, nobody else would stop it: its own parent, `pg_ctl`, has ended.
    fn clear_up_after_us(&self) {
        let script = "while kill -0 \"$1\"; do sleep 1; done; kill -QUIT \"$(head -1 \"$2/data/postmaster.pid\")\"; sleep 1; rm -rf \"$2\"";
        let _ = Command::new("setsid")
            .args(["sh", "-c", script, "sh", &std::process::id().to_string()])
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, name: &str) -> Command {
        let program = self.binaries.join(name);
        let mut command;
        if is_root() {
            command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
                .arg(program);
        } else {
            command = Command::new(program);
        }
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn try_run(&self) -> Result<(), ()> {
        let status = self
            .command("pg_ctl")
            .args(["start", "--wait", "--silent"])
            .arg(format!("--pgdata={}", self.data().display()))
            .arg(format!("--log={}", self.folder.join("log").display()))
            .arg(format!("--options=-p {}", self.port))
            // A pipe would be inherited by the server and never end.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if status.is_ok_and(|status| status.success()) {
            Ok(())
        } else {
            Err(())
        }
    }

    /// Starts it again, at the same port.
    pub fn run(&self) {
        self.try_run().expect("PostgreSQL starts again");
    }

    /// Stops it: `immediate` as a crash would, `fast` with its clients cut.
    pub fn stop(&self, mode: &str) {
        run(self
            .command("pg_ctl")
            .args(["stop", "--wait", "--silent", "--mode", mode])
            .arg(format!("--pgdata={}", self.data().display())));
    }

    /// Every process of it that there is.
    fn processes(&self) -> Vec<String> {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let Some(main) = file.lines().next().map(str::to_owned) else {
            return Vec::new();
        };
        let children = std::fs::read_to_string(format!("/proc/{main}/task/{main}/children"))
            .unwrap_or_default();
        std::iter::once(main)
            .chain(children.split_whitespace().map(str::to_owned))
            .collect()
    }

    /// Sends a signal to all of its processes.
    pub fn signal(&self, name: &str) {
        for process in self.processes() {
            // One may have ended by itself in the meantime.
            let _ = Command::new("kill")
                .args([&format!("-{name}"), &process])
                .stderr(Stdio::null())
                .status();
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// A superuser's login to a database.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres:{}@127.0.0.1:{}/{database}",
            self.password, self.port
        )
    }

    /// A new database, and the login to it.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // The role that migrations make is the cluster's: one after the other.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("faults_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        psql(&self.url("postgres"), &format!("CREATE DATABASE {name}")).expect("a database");
        self.url(&name)
    }

    /// Ends it and deletes what it kept.
    pub fn end(&self) {
        self.signal("CONT");
        let _ = self
            .command("pg_ctl")
            .args(["stop", "--silent", "--mode=immediate"])
            .arg(format!("--pgdata={}", self.data().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let begun = Instant::now();
        while std::fs::remove_dir_all(&self.folder).is_err()
            && begun.elapsed() < Duration::from_secs(5)
        {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn run(command: &mut Command) {
    let done = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// A port that nobody listens on just now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
