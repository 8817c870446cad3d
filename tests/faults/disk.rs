//! A disk that takes no more, and one that fails: 503 for what has to be written, nothing for what has not, health by itself as soon as
//! there is room, and what was answered is there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::Options;
use crate::support::database::Kind;
use crate::support::model::{Expect, Load, PEOPLE, sum, verify};
use crate::support::random::Random;
use crate::support::scene::Scene;
use crate::support::shim::{EIO, Shim};
use crate::support::site::{Server, Site};

const HEALS_WITHIN: Duration = Duration::from_secs(5);

pub fn run(options: &Options, kind: Kind) -> String {
    let mut random = options.random("disk");
    let runs = options.runs(1);
    let (mut answers, mut refusals, mut slowest) = (0, 0, Duration::ZERO);
    // Real: a file system of a few megabytes.
    let site = Site::empty(kind);
    let small = Small::mount(&site.path("data"));
    let site = site.ready();
    let scene = Scene::new(&site, PEOPLE);
    let mut server = site.serve();
    for run in 0..runs {
        let fault = |on: bool| small.fill(on);
        let (kept, refused, healed) = fail(&scene, &server, &fault, run, &mut random);
        (answers, refusals, slowest) = (answers + kept, refusals + refused, slowest.max(healed));
        if run % 2 == 1 {
            server.kill();
            server = site.serve();
        }
        site.expect_sound();
    }
    // Not each time: a log that begins anew after a checkpoint takes no more room for a while.
    assert!(refusals > 0, "nobody noticed that the disk was full");
    server.terminate();
    drop(small);
    // Simulated: writes or syncs that fail, here or there.
    let mut site = Site::empty(kind);
    let shim = Shim::under(&mut site);
    let site = site.ready();
    let scene = Scene::new(&site, PEOPLE);
    let mut server = site.serve();
    for run in 0..runs * 2 {
        let fault = |on: bool| {
            let error = if on { EIO } else { 0 };
            if run % 2 == 0 {
                shim.fail_syncs(error);
            } else {
                shim.fail_writes(error);
            }
        };
        let (kept, refused, healed) = fail(&scene, &server, &fault, run, &mut random);
        (answers, refusals, slowest) = (answers + kept, refusals + refused, slowest.max(healed));
        assert!(
            refused > 0,
            "run {run}: nobody noticed that the disk failed"
        );
        if run % 4 == 3 {
            server.kill();
            server = site.serve();
        }
        site.expect_sound();
    }
    server.terminate();
    format!(
        "{} faults, {answers} answers kept, {refusals} refusals, healed within {slowest:.0?}",
        runs * 3
    )
}

/// One fault under load; what was answered, what was refused, and how long it took to heal.
fn fail(
    scene: &Scene,
    server: &Server,
    fault: &dyn Fn(bool),
    run: u64,
    random: &mut Random,
) -> (u64, u64, Duration) {
    server.ready();
    let label = format!("{}-{run}", random.next());
    let load = Load::start(scene, &[server.port()], &label, Expect::Outages, random);
    thread::sleep(Duration::from_millis(300 + random.below(200)));
    fault(true);
    let begun = Instant::now();
    let mut http = server.http();
    let span = Duration::from_millis(500 + random.below(500));
    while begun.elapsed() < span {
        // Neither verifiers nor who only reads notices anything.
        for path in [
            "/t/acme/jwks",
            "/t/acme/.well-known/openid-configuration",
            "/t/acme/login",
            "/health/live",
        ] {
            let answer = http.get(path).expect("an answer");
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
        }
        let answer = scene.machine_token(&mut http).expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        thread::sleep(Duration::from_millis(20));
    }
    fault(false);
    let begun = Instant::now();
    let mut person = scene.person(server.port(), 0);
    loop {
        let answer = person.sign_in().expect("an answer");
        if answer.status == 200 || answer.status == 303 {
            break;
        }
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(begun.elapsed() < HEALS_WITHIN, "it doesn't heal");
    }
    let healed = begun.elapsed();
    thread::sleep(Duration::from_millis(200));
    let told = load.stop();
    let (answers, refusals, _) = sum(&told);
    verify(scene, server.port(), told, &format!("run {run}"));
    (answers, refusals, healed)
}

/// A file system that is quickly full.
struct Small(PathBuf);

impl Small {
    fn mount(path: &Path) -> Self {
        std::fs::create_dir_all(path).expect("a folder");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs"])
            .arg(path)
            .output();
        let done = done.expect("mount, of util-linux");
        assert!(
            done.status.success(),
            "a small file system can't be mounted, which takes root: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        Self(path.to_owned())
    }

    /// Leaves no byte free, or all again.
    fn fill(&self, full: bool) {
        let filler = self.0.join("filler");
        if full {
            let mut file = std::fs::File::create(filler).expect("a file");
            // Ends with "no space left".
            let _ = std::io::copy(&mut std::io::repeat(0), &mut file);
        } else {
            std::fs::remove_file(filler).expect("deleted");
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
