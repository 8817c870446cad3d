//! `kill -9` at random moments under a mixed load: what was answered is there, nothing is spent twice, and the server is ready again in
//! two seconds.

use std::io;
use std::thread;
use std::time::Duration;

use crate::Options;
use crate::support::database::Kind;
use crate::support::http::Body;
use crate::support::random::Random;
use crate::support::scene::{Person, Scene, Tokens};
use crate::support::site::{Server, Site};

const READY_WITHIN: Duration = Duration::from_secs(2);
const PEOPLE: usize = 4;

/// How far the client knows that something got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    /// Not asked for.
    No,
    /// Asked for, and the answer never came.
    Perhaps,
    /// Answered.
    Yes,
}

/// One grant as its client knows it.
struct Chain {
    code: String,
    redeemed: Known,
    tokens: Option<Tokens>,
    /// The refresh token before the present one.
    spent: Option<String>,
    refreshed: Known,
    revoked: Known,
}

/// What a person was told.
#[derive(Default)]
struct Told {
    chains: Vec<Chain>,
    /// A person that was made, and whether it was deleted again.
    made: Vec<(String, Known, Known)>,
    answers: u64,
}

pub fn run(options: &Options, kind: Kind) -> String {
    let site = Site::new(kind);
    let scene = Scene::new(&site, PEOPLE);
    let mut random = options.random("kill");
    let (runs, mut slowest, mut answers) = (options.runs(6), Duration::ZERO, 0);
    let mut server = site.serve();
    server.ready();
    for run in 0..runs {
        let told = load(&scene, server, &mut random, run);
        // Now and then the next one is killed as well, while it still recovers.
        if random.once_in(8) {
            let mut early = site.serving();
            early
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null());
            let mut early = early.spawn().expect("it starts");
            thread::sleep(Duration::from_millis(random.below(400)));
            early.kill().expect("killed");
            early.wait().expect("it ends");
        }
        server = site.serve();
        let ready = server.ready();
        slowest = slowest.max(ready);
        assert!(ready <= READY_WITHIN, "run {run}: ready after {ready:?}");
        answers += told.iter().map(|(_, told)| told.answers).sum::<u64>();
        verify(&scene, &server, told, run);
        site.database.check();
        if run % 20 == 19 || run + 1 == runs {
            site.expect_sound();
        }
    }
    server.terminate();
    format!("{runs} runs, {answers} answers kept, ready again in {slowest:.0?} at the most")
}

/// Load, and its end.
fn load(scene: &Scene, server: Server, random: &mut Random, run: u64) -> Vec<(Person, Told)> {
    let port = server.port();
    let mut workers = Vec::new();
    for number in 0..PEOPLE {
        let (mut person, mut random) = (scene.person(port, number), random.fork());
        workers.push(thread::spawn(move || {
            let mut told = Told::default();
            let _ = grants(&mut person, &mut told, &mut random);
            (person, told)
        }));
    }
    let (scene_of_admin, mut choices) = (scene.clone(), random.fork());
    workers.push(thread::spawn(move || {
        let mut told = Told::default();
        let _ = administration(&scene_of_admin, port, run, &mut told, &mut choices);
        (scene_of_admin.person(port, 0), told)
    }));
    // Half of them soon after the sign-ins, where the first write of everything is.
    let span = if random.once_in(2) { 150 } else { 1000 };
    thread::sleep(Duration::from_micros(random.below(span * 1000)));
    server.kill();
    workers
        .into_iter()
        .map(|worker| worker.join().expect("no answer was wrong"))
        .collect()
}

/// Codes, redemptions, refreshes and revocations, until the server is gone.
fn grants(person: &mut Person, told: &mut Told, random: &mut Random) -> io::Result<()> {
    let signed_in = person.sign_in()?;
    assert!([200, 303].contains(&signed_in.status), "{signed_in:?}");
    told.answers += 1;
    loop {
        let code = person.code()?;
        told.answers += 1;
        told.chains.push(Chain {
            code: code.clone(),
            redeemed: Known::No,
            tokens: None,
            spent: None,
            refreshed: Known::No,
            revoked: Known::No,
        });
        let chain = told.chains.last_mut().expect("pushed");
        if random.once_in(6) {
            continue;
        }
        chain.redeemed = Known::Perhaps;
        let mut tokens = Tokens::of(&person.redeem(&code)?);
        (chain.redeemed, told.answers) = (Known::Yes, told.answers + 1);
        chain.tokens = Some(tokens.clone());
        for _ in 0..random.below(4) {
            chain.refreshed = Known::Perhaps;
            let next = Tokens::of(&person.refresh(&tokens.refresh)?);
            (chain.refreshed, told.answers) = (Known::Yes, told.answers + 1);
            chain.spent = Some(std::mem::replace(&mut tokens, next).refresh);
            chain.tokens = Some(tokens.clone());
        }
        if random.once_in(4) {
            chain.revoked = Known::Perhaps;
            let answer = person.revoke(&tokens.refresh)?;
            assert_eq!(answer.status, 200, "{answer:?}");
            (chain.revoked, told.answers) = (Known::Yes, told.answers + 1);
        }
    }
}

/// People made and deleted by the API, and tokens that write nothing.
fn administration(
    scene: &Scene,
    port: u16,
    run: u64,
    told: &mut Told,
    random: &mut Random,
) -> io::Result<()> {
    let mut admin = scene.admin(port)?;
    for number in 0.. {
        let email = format!("made-{run}-{number}@acme.example");
        told.made.push((email.clone(), Known::Perhaps, Known::No));
        let made = admin.create_user(&email)?;
        assert_eq!(made.status, 201, "{made:?}");
        let location = made.header("location").expect("a location").to_owned();
        let path = location
            .split_once("/api/v1")
            .map_or(location.as_str(), |(_, path)| path)
            .to_owned();
        let entry = told.made.last_mut().expect("pushed");
        (entry.0, entry.1, told.answers) = (path.clone(), Known::Yes, told.answers + 1);
        if random.once_in(3) {
            entry.2 = Known::Perhaps;
            let gone = admin.ask("DELETE", &path, Body::Nothing)?;
            assert_eq!(gone.status, 204, "{gone:?}");
            (entry.2, told.answers) = (Known::Yes, told.answers + 1);
        }
        let answer = scene.machine_token(&mut admin.http)?;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    Ok(())
}

fn verify(scene: &Scene, server: &Server, told: Vec<(Person, Told)>, run: u64) {
    let port = server.port();
    let checks: Vec<_> = told
        .into_iter()
        .map(|(person, told)| {
            let scene = scene.clone();
            thread::spawn(move || {
                let mut person = person.at(port);
                for chain in &told.chains {
                    verify_chain(&mut person, chain, run).expect("the server answers");
                }
                if !told.made.is_empty() {
                    verify_made(&scene, port, &told).expect("the server answers");
                }
            })
        })
        .collect();
    for check in checks {
        check.join().expect("what was answered is so");
    }
}

fn verify_chain(person: &mut Person, chain: &Chain, run: u64) -> io::Result<()> {
    let Chain {
        code,
        redeemed,
        refreshed,
        revoked,
        ..
    } = chain;
    let about = format!(
        "run {run}: {}, redeemed {redeemed:?}, refreshed {refreshed:?}, revoked {revoked:?}",
        person.email
    );
    if *redeemed != Known::Yes {
        let answer = person.redeem(code)?;
        let lost = *redeemed == Known::Perhaps && answer.is_invalid_grant();
        assert!(
            answer.status == 200 || lost,
            "{about}: a code that was given is gone: {answer:?}"
        );
        let again = person.redeem(code)?;
        assert!(
            again.is_invalid_grant(),
            "{about}: a code is spent twice: {again:?}"
        );
        return Ok(());
    }
    let Some(tokens) = &chain.tokens else {
        return Ok(());
    };
    let alive = person.userinfo(&tokens.access)?.status;
    let answer = person.refresh(&tokens.refresh)?;
    match revoked {
        Known::Yes => {
            assert!(
                alive == 401 && answer.is_invalid_grant(),
                "{about}: a revocation is lost: {alive} {answer:?}"
            );
        }
        Known::No => {
            let lost = *refreshed == Known::Perhaps && answer.is_invalid_grant();
            assert!(alive == 200, "{about}: an access token is refused: {alive}");
            assert!(
                answer.status == 200 || lost,
                "{about}: a refresh token that was given is gone: {answer:?}"
            );
        }
        Known::Perhaps => assert!(
            answer.status == 200 || answer.is_invalid_grant(),
            "{about}: {answer:?}"
        ),
    }
    // Whatever comes of the old one kills the family, so that it is enough to try one.
    let old = match &chain.spent {
        Some(spent) => person.refresh(spent)?,
        None => person.redeem(code)?,
    };
    assert!(
        old.is_invalid_grant(),
        "{about}: what was spent is good again: {old:?}"
    );
    if answer.status == 200 {
        let successor = person.refresh(&answer.text("refresh_token"))?;
        assert!(
            successor.is_invalid_grant(),
            "{about}: a family outlives a reuse: {successor:?}"
        );
    }
    Ok(())
}

fn verify_made(scene: &Scene, port: u16, told: &Told) -> io::Result<()> {
    let mut admin = scene.admin(port)?;
    for (path, made, deleted) in &told.made {
        if *made == Known::Perhaps {
            let again = admin.create_user(path)?;
            assert!([201, 409].contains(&again.status), "{path}: {again:?}");
            continue;
        }
        let status = admin.ask("GET", path, Body::Nothing)?.status;
        let good = match deleted {
            Known::No => status == 200,
            Known::Yes => status == 404,
            Known::Perhaps => [200, 404].contains(&status),
        };
        assert!(good, "{path}: {status}, deleted {deleted:?}");
    }
    Ok(())
}
