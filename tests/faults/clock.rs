//! The server's clock, set forth and back under its feet: nothing crashes, nothing lives longer than it may, verifiers always have the
//! keys, and with the right time again everything is well.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::Options;
use crate::support::database::Kind;
use crate::support::http::Answer;
use crate::support::jwt::KeySet;
use crate::support::scene::{Person, Scene, Tokens};
use crate::support::shim::Shim;
use crate::support::site::Site;

const HOUR: i64 = 3600;
const YEAR: i64 = 400 * 24 * HOUR;
const PEOPLE: usize = 3;

pub fn run(options: &Options, kind: Kind) -> String {
    let mut random = options.random("clock");
    let mut site = Site::empty(kind);
    let shim = Shim::under(&mut site);
    let site = site.ready();
    let scene = Scene::new(&site, PEOPLE + 1);
    let mut server = site.serve();
    server.ready();
    let port = server.port();
    // Whoever is at work meanwhile may be refused, but never by a failure.
    let (stop, answers) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let workers: Vec<_> = (0..PEOPLE)
        .map(|number| {
            let (person, stop, answers) = (
                scene.person(port, number),
                Arc::clone(&stop),
                Arc::clone(&answers),
            );
            thread::spawn(move || work(person, &stop, &answers))
        })
        .collect();

    let (runs, mut now) = (options.runs(12), 0);
    for run in 0..runs {
        // A fresh browser: a session from the future that another left behind would be good for as long as it says.
        let mut person = scene.person(port, PEOPLE);
        person.sign_in().expect("an answer");
        let code = person.code().expect("a code");
        let other = person.code().expect("a code");
        let tokens = Tokens::of(&person.redeem(&other).expect("an answer"));
        let next = match random.below(5) {
            0 => now + HOUR,
            1 => now - HOUR,
            2 => 0,
            3 => now + YEAR,
            _ => now + i64::try_from(random.below(7200)).expect("small") - HOUR,
        };
        shim.clock_offset(next);
        let moved = next - now;
        now = next;
        let about = format!("run {run}, moved by {moved} s to {now} s");
        assert!(server.is_alive(), "{about}");
        let made = Made {
            tokens,
            code,
            moved,
            about: &about,
        };
        made.check(&mut person).expect("the server answers");
        // Whatever the clock says, a sign-in works, and what comes of it.
        let signed_in = person.sign_in().expect("an answer");
        assert!(
            [200, 303].contains(&signed_in.status),
            "{about}: {signed_in:?}"
        );
        let fresh = person.code().expect("a code");
        let fresh = Tokens::of(&person.redeem(&fresh).expect("an answer"));
        let keys = KeySet::fetch(&mut person.http).expect("an answer");
        keys.check(&fresh.access)
            .unwrap_or_else(|error| panic!("{about}: {error}"));
        assert_eq!(
            person.userinfo(&fresh.access).expect("an answer").status,
            200,
            "{about}"
        );
        thread::sleep(Duration::from_millis(random.below(50)));
    }
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().expect("nothing failed");
    }
    shim.clock_offset(0);
    assert!(server.ready() > Duration::ZERO);
    server.terminate();
    site.expect_sound();
    format!(
        "{runs} moves, {} answers meanwhile",
        answers.load(Ordering::Relaxed)
    )
}

/// What was made before the clock was moved.
struct Made<'a> {
    tokens: Tokens,
    code: String,
    /// By how many seconds.
    moved: i64,
    about: &'a str,
}

impl Made<'_> {
    /// Nothing outlives its end, and nothing else is dead.
    fn check(&self, person: &mut Person) -> io::Result<()> {
        let about = self.about;
        let keys = KeySet::fetch(&mut person.http)?;
        // A key leaves when all that it signed has ended.
        let checked = keys.check(&self.tokens.access);
        assert!(self.moved >= 290 || checked.is_ok(), "{about}: {checked:?}");
        let answer = person.redeem(&self.code)?;
        // Codes live for a minute, access tokens for five.
        let good = if self.moved >= 60 {
            answer.is_invalid_grant()
        } else {
            self.moved >= 55 || answer.status == 200
        };
        assert!(good, "{about}: a code: {answer:?}");
        let status = person.userinfo(&self.tokens.access)?.status;
        assert!(
            self.moved < 300 || status == 401,
            "{about}: an access token outlives its end: {status}"
        );
        assert!(
            self.moved >= 290 || status == 200,
            "{about}: an access token is dead: {status}"
        );
        let silent = person.authorize()?;
        let refreshed = person.refresh(&self.tokens.refresh)?;
        if self.moved >= YEAR {
            assert_eq!(
                silent.location_param("error").as_deref(),
                Some("login_required"),
                "{about}: a session outlives its end: {silent:?}"
            );
            assert!(
                refreshed.is_invalid_grant(),
                "{about}: a refresh token outlives its end: {refreshed:?}"
            );
        } else if self.moved.abs() <= HOUR {
            assert!(
                silent.location_param("code").is_some(),
                "{about}: {silent:?}"
            );
            assert_eq!(refreshed.status, 200, "{about}: {refreshed:?}");
            let again = person.refresh(&self.tokens.refresh)?;
            assert!(
                again.is_invalid_grant(),
                "{about}: a refresh token is spent twice: {again:?}"
            );
        }
        Ok(())
    }
}

fn work(mut person: Person, stop: &AtomicBool, answers: &AtomicU64) {
    let expect = |answer: io::Result<Answer>| {
        let answer = answer.expect("an answer");
        assert!(answer.status < 500, "{answer:?}");
        answers.fetch_add(1, Ordering::Relaxed);
        answer
    };
    while !stop.load(Ordering::Relaxed) {
        expect(person.sign_in());
        for _ in 0..5 {
            let Some(code) = expect(person.authorize()).location_param("code") else {
                break;
            };
            let mut answer = expect(person.redeem(&code));
            for _ in 0..3 {
                expect(person.userinfo(&answer.text("access_token")));
                let token = answer.text("refresh_token");
                if token.is_empty() {
                    break;
                }
                answer = expect(person.refresh(&token));
            }
        }
    }
}
