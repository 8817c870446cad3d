//! What stands between a server and its operating system: `shim.c`, built once and preloaded.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::site::Site;

/// The shim of one installation.
pub struct Shim {
    control: File,
    log: File,
    log_path: PathBuf,
}

/// The numbers that `shim.c` looks at, by their place.
#[derive(Clone, Copy)]
enum Number {
    ClockOffset,
    DieBefore,
    WriteError,
    SyncError,
    Changes,
}

/// "Input/output error", as Linux numbers it.
pub const EIO: i64 = 5;

impl Shim {
    /// Every process of the installation has it from now on.
    pub fn under(site: &mut Site) -> Self {
        let (control_path, log_path) = (site.path("shim.control"), site.path("shim.log"));
        std::fs::write(&control_path, [0; 4096]).expect("a file");
        let options = || {
            let mut options = File::options();
            options.read(true).append(true).create(true);
            options
        };
        let log = options().open(&log_path).expect("a log");
        let control = File::options().read(true).write(true).open(&control_path);
        site.set("LD_PRELOAD", library().to_str().expect("UTF-8"));
        site.set("FAULTS_SHIM_CONTROL", control_path.to_str().expect("UTF-8"));
        let root = site.root().to_str().expect("UTF-8").to_owned();
        site.set("FAULTS_SHIM_ROOT", &root);
        Self {
            control: control.expect("a file"),
            log,
            log_path,
        }
    }

    /// What changes files is written down from now on.
    pub fn record(&self, site: &mut Site) {
        site.set("FAULTS_SHIM_LOG", self.log_path.to_str().expect("UTF-8"));
    }

    /// Of the changes that [`Self::die_before`] counts, those count whose path has this in it.
    pub fn count_only(site: &mut Site, part: &str) {
        site.set("FAULTS_SHIM_COUNTED", part);
    }

    /// What was written down.
    pub fn recorded(&self) -> Vec<u8> {
        std::fs::read(&self.log_path).expect("a log")
    }

    /// Something that appends to what is written down.
    pub fn marker(&self) -> Marker {
        Marker(self.log.try_clone().expect("a handle"))
    }

    fn set(&self, number: Number, value: i64) {
        let at = 8 * number as u64;
        self.control
            .write_all_at(&value.to_ne_bytes(), at)
            .expect("written");
    }

    /// How far the clock is off.
    pub fn clock_offset(&self, seconds: i64) {
        self.set(Number::ClockOffset, seconds * 1_000_000_000);
    }

    /// Every write fails so; zero for none.
    pub fn fail_writes(&self, error: i64) {
        self.set(Number::WriteError, error);
    }

    /// Every sync fails so; zero for none.
    pub fn fail_syncs(&self, error: i64) {
        self.set(Number::SyncError, error);
    }

    /// The next process dies before its n-th change of a file; zero for never.
    pub fn die_before(&self, change: i64) {
        self.set(Number::DieBefore, change);
        self.set(Number::Changes, 0);
    }

    /// How many changes there have been since.
    pub fn changes(&self) -> i64 {
        let mut bytes = [0; 8];
        self.control
            .read_exact_at(&mut bytes, 8 * Number::Changes as u64)
            .expect("read");
        i64::from_ne_bytes(bytes)
    }
}

/// Writes down, between what the server did, what its client knew by then.
pub struct Marker(File);

/// The kind of a record that says what a client knew.
pub const MARK: u32 = 9;

impl Marker {
    pub fn mark(&mut self, text: &str) {
        let mut record = Vec::with_capacity(24 + text.len());
        record.extend_from_slice(&MARK.to_ne_bytes());
        record.extend_from_slice(&u32::try_from(text.len()).expect("short").to_ne_bytes());
        record.extend_from_slice(&[0; 16]);
        record.extend_from_slice(text.as_bytes());
        // In one piece: appends of several processes don't mix.
        self.0.write_all(&record).expect("written");
    }
}

/// The library, built by the system's C compiler.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/support/shim.c");
        let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("shim.{}.so", std::process::id()));
        let done = Command::new("cc")
            .args([
                "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O1", "-o",
            ])
            .arg(&library)
            .args([source, "-ldl", "-lpthread"])
            .output()
            .expect("a C compiler (cc)");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        library
    })
}

/// Deletes what was built.
pub fn clear_up() {
    let name = format!("shim.{}.so", std::process::id());
    let _ = std::fs::remove_file(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name));
}
