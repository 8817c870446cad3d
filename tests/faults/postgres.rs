//! PostgreSQL that is stopped, restarted, paused, slow, cut off, deadlocked, unwilling to serialize, or whose last word is lost: 503 with
//! the time to come again and never another failure, in time; keys and discovery as ever; health by itself; nothing answered is lost,
//! nothing spent twice.

use std::thread;
use std::time::{Duration, Instant};

use crate::Options;
use crate::support::database::{Database, Kind};
use crate::support::http::Http;
use crate::support::model::{Expect, Load, PEOPLE, sum, verify};
use crate::support::postgres::{Postgres, psql};
use crate::support::proxy::Proxy;
use crate::support::random::Random;
use crate::support::scene::Scene;
use crate::support::site::{Server, Site};

/// `database_timeout`, shortened.
const DEADLINE: Duration = Duration::from_secs(2);
/// A request does up to three things in the database one after the other, each of which has the deadline.
const ANSWERED_WITHIN: Duration = Duration::from_secs(7);
const HEALS_WITHIN: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug)]
enum Fault {
    Stopped,
    Restarted,
    Paused,
    Slow,
    Cut,
    LostCommits,
    Deadlocks,
    Unserializable,
}

const FAULTS: [Fault; 8] = [
    Fault::Stopped,
    Fault::Restarted,
    Fault::Paused,
    Fault::Slow,
    Fault::Cut,
    Fault::LostCommits,
    Fault::Deadlocks,
    Fault::Unserializable,
];

struct World {
    postgres: Postgres,
    proxy: Proxy,
    /// Past the proxy.
    direct: String,
    scene: Scene,
    site: Site,
}

impl Drop for World {
    fn drop(&mut self) {
        self.postgres.end();
    }
}

/// `--runs` counts rounds of all faults.
pub fn run(options: &Options, _: Kind) -> String {
    let mut random = options.random("postgres");
    let postgres = Postgres::start();
    let proxy = Proxy::before(postgres.port());
    let direct = postgres.database();
    let mut site = Site::at(
        tempfile::tempdir().expect("a directory"),
        Database::Postgres(direct.clone()),
    );
    site.set("TESSERA_DATABASE_TIMEOUT", "2s");
    let mut site = site.ready();
    let scene = Scene::new(&site, PEOPLE);
    site.set("TESSERA_DATABASE_URL", &proxy.url(&direct));
    let world = World {
        postgres,
        proxy,
        direct,
        scene,
        site,
    };
    let server = world.site.serve();
    server.ready();
    let runs = options.runs(1);
    let (mut answers, mut refusals, mut slowest, mut healed) =
        (0, 0, Duration::ZERO, Duration::ZERO);
    for run in 0..runs {
        for fault in FAULTS {
            let about = format!("run {run}, {fault:?}");
            let load = Load::start(
                &world.scene,
                &[server.port()],
                &format!("{run}-{fault:?}"),
                Expect::Outages,
                &mut random,
            );
            thread::sleep(Duration::from_millis(300 + random.below(200)));
            world.bring_about(fault, &server, &about, &mut random);
            let heals = world.heals(&server, &about);
            thread::sleep(Duration::from_millis(200));
            let told = load.stop();
            let (kept, refused, longest) = sum(&told);
            assert!(
                longest <= ANSWERED_WITHIN,
                "{about}: an answer took {longest:?}, with {DEADLINE:?} for the database"
            );
            println!(
                "# {about}: {kept} answers kept, {refused} refusals, the longest took {longest:.1?}, healed after {heals:.1?}"
            );
            (answers, refusals) = (answers + kept, refusals + refused);
            (slowest, healed) = (slowest.max(longest), healed.max(heals));
            verify(&world.scene, server.port(), told, &about);
            Database::Postgres(world.direct.clone()).check();
        }
    }
    assert!(refusals > 0, "nobody noticed anything");
    server.terminate();
    world.site.expect_sound();
    format!(
        "{} faults, {answers} answers kept, {refusals} refusals, no answer took longer than {slowest:.1?}, healed within {healed:.1?}",
        runs * FAULTS.len() as u64
    )
}

impl World {
    /// The fault, from its begin to its end.
    fn bring_about(&self, fault: Fault, server: &Server, about: &str, random: &mut Random) {
        let span = Duration::from_millis(500 + random.below(1500));
        match fault {
            Fault::Stopped => {
                self.postgres.stop("immediate");
                self.watch(server, span, about);
                self.postgres.run();
            }
            Fault::Restarted => {
                self.postgres.stop("fast");
                self.postgres.run();
            }
            Fault::Paused => {
                self.postgres.signal("STOP");
                self.watch(server, DEADLINE + span, about);
                self.postgres.signal("CONT");
            }
            Fault::Slow => {
                self.proxy
                    .delay(Duration::from_millis(100 + random.below(900)));
                self.watch(server, DEADLINE + span, about);
                self.proxy.delay(Duration::ZERO);
            }
            Fault::Cut => {
                for _ in 0..5 {
                    self.proxy.cut_after(Some(random.below(40)));
                    self.watch(server, span / 10, about);
                    self.proxy.cut_after(None);
                    self.watch(server, span / 10, about);
                }
            }
            Fault::LostCommits => {
                let before = self.proxy.commits_lost();
                let all = 3 + random.below(10);
                self.proxy.lose_commits(all);
                self.watch(server, span, about);
                self.proxy.lose_commits(0);
                assert!(
                    self.proxy.commits_lost() > before,
                    "{about}: no commit was lost"
                );
            }
            Fault::Deadlocks => self.deadlocks(about),
            Fault::Unserializable => self.unserializable(server, about, random),
        }
    }

    /// Who only verifies notices nothing; who authenticates is never told that it did so wrongly.
    fn watch(&self, server: &Server, span: Duration, about: &str) {
        let begun = Instant::now();
        let mut http = server.http();
        loop {
            for path in [
                "/t/acme/jwks",
                "/t/acme/.well-known/openid-configuration",
                "/health/live",
            ] {
                let answer = http.get(path).expect("an answer");
                assert_eq!(answer.status, 200, "{about}: {path}: {answer:?}");
            }
            let answer = self.scene.machine_token(&mut http).expect("an answer");
            assert!(
                answer.status == 200 || answer.is_unavailable(),
                "{about}: {answer:?}"
            );
            if begun.elapsed() >= span {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn heals(&self, server: &Server, about: &str) -> Duration {
        let begun = Instant::now();
        let mut person = self.scene.person(server.port(), 0);
        let mut http: Http = server.http();
        loop {
            let answer = person.sign_in().expect("an answer");
            let ready = http.get("/health/ready").expect("an answer").status;
            if [200, 303].contains(&answer.status) && ready == 200 {
                return begun.elapsed();
            }
            assert!(
                begun.elapsed() < HEALS_WITHIN,
                "{about}: it doesn't heal: {ready} {answer:?}"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn statistic(&self, name: &str) -> u64 {
        // Sessions report once a second.
        thread::sleep(Duration::from_millis(1200));
        let query =
            format!("SELECT {name} FROM pg_stat_database WHERE datname = current_database()");
        psql(&self.direct, &query).expect("a number")[0]
            .parse()
            .expect("a number")
    }

    /// Somebody takes two things in the other order.
    fn deadlocks(&self, about: &str) {
        let before = self.statistic("deadlocks");
        for _ in 0..20 {
            for _ in 0..6 {
                // Whoever revokes a grant holds it when they write down that they did. It may be the rival that PostgreSQL sends away.
                let _ = psql(
                    &self.direct,
                    "BEGIN; LOCK TABLE audit_events, changes IN SHARE ROW EXCLUSIVE MODE; SELECT pg_sleep(0.04); UPDATE grants SET offline = offline; COMMIT",
                );
            }
            if self.statistic("deadlocks") > before {
                return;
            }
        }
        panic!("{about}: there was no deadlock");
    }

    /// Transactions that would not have come one after the other are sent away.
    fn unserializable(&self, server: &Server, about: &str, random: &mut Random) {
        let name = self.direct.rsplit('/').next().expect("a name");
        let set = |level: &str| {
            psql(
                &self.direct,
                &format!("ALTER DATABASE {name} SET default_transaction_isolation = '{level}'"),
            )
            .expect("set");
            // It holds for new sessions.
            let ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
            psql(&self.direct, ours).expect("cut");
        };
        set("serializable");
        let until = Instant::now() + Duration::from_millis(1000 + random.below(1000));
        let mut contenders: Vec<_> = (0..8)
            .map(|_| self.scene.person(server.port(), 0))
            .collect();
        let mut person = self.scene.person(server.port(), 0);
        while Instant::now() < until {
            let signed_in = person.sign_in().expect("an answer");
            let code = signed_in.status < 400;
            let Some(code) = code
                .then(|| {
                    person
                        .authorize()
                        .expect("an answer")
                        .location_param("code")
                })
                .flatten()
            else {
                continue;
            };
            let answers: Vec<_> = thread::scope(|scope| {
                let running: Vec<_> = contenders
                    .iter_mut()
                    .map(|one| scope.spawn(|| one.redeem(&code).expect("an answer")))
                    .collect();
                running
                    .into_iter()
                    .map(|one| one.join().expect("an answer"))
                    .collect()
            });
            let good = answers.iter().filter(|answer| answer.status == 200).count();
            assert!(good <= 1, "{about}: a code was redeemed {good} times");
            for answer in &answers {
                assert!(
                    answer.status == 200 || answer.is_invalid_grant() || answer.is_unavailable(),
                    "{about}: {answer:?}"
                );
            }
        }
        self.watch(server, Duration::from_millis(300), about);
        set("read committed");
        let log = self.postgres.log();
        assert!(
            log.contains("could not serialize access"),
            "{about}: everything could be serialized"
        );
    }
}
