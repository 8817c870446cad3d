//! `kill -9` at random moments under a mixed load: what was answered is there, nothing is spent twice, and the server is ready again in
//! two seconds.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::Options;
use crate::support::database::Kind;
use crate::support::model::{Expect, Load, PEOPLE, sum, verify};
use crate::support::scene::Scene;
use crate::support::site::Site;

const READY_WITHIN: Duration = Duration::from_secs(2);

pub fn run(options: &Options, kind: Kind) -> String {
    let site = Site::new(kind);
    let scene = Scene::new(&site, PEOPLE);
    let mut random = options.random("kill");
    let (runs, mut slowest, mut answers) = (options.runs(5), Duration::ZERO, 0);
    let mut server = site.serve();
    server.ready();
    for run in 0..runs {
        let load = Load::start(
            &scene,
            &[server.port()],
            &run.to_string(),
            Expect::Answers,
            &mut random,
        );
        // Half of them soon after the sign-ins, where the first write of everything is.
        let span = if random.once_in(2) { 150 } else { 1000 };
        thread::sleep(Duration::from_micros(random.below(span * 1000)));
        server.kill();
        let told = load.stop();
        // Now and then the next one is killed as well, while it still recovers.
        if random.once_in(8) {
            let mut early = site.serving();
            let mut early = early
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts");
            thread::sleep(Duration::from_millis(random.below(400)));
            early.kill().expect("killed");
            early.wait().expect("it ends");
        }
        server = site.serve();
        let ready = server.ready();
        slowest = slowest.max(ready);
        assert!(ready <= READY_WITHIN, "run {run}: ready after {ready:?}");
        answers += sum(&told).0;
        verify(&scene, server.port(), told, &format!("run {run}"));
        site.database.check();
        if run % 100 == 99 {
            println!("# kill {kind}: {} runs", run + 1);
        }
        if run % 20 == 19 || run + 1 == runs {
            site.expect_sound();
        }
    }
    server.terminate();
    format!("{runs} runs, {answers} answers kept, ready again in {slowest:.2?} at the most")
}
