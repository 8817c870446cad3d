//! Many at once for one code, and for one refresh token, over three nodes (one where the database is embedded): one gets it. As all the
//! others are reuse, what the one got is dead afterwards.

use std::sync::{Arc, Barrier};
use std::thread;

use crate::Options;
use crate::support::database::Kind;
use crate::support::http::Answer;
use crate::support::scene::{Person, Scene, Tokens};
use crate::support::site::{Server, Site};

const CONTENDERS: usize = 24;

/// `--runs` counts attempts.
pub fn run(options: &Options, kind: Kind) -> String {
    let site = Site::new(kind);
    let scene = Scene::new(&site, 1);
    let nodes = if kind == Kind::Postgres { 3 } else { 1 };
    let servers: Vec<Server> = (0..nodes).map(|_| site.serve()).collect();
    for server in &servers {
        server.ready();
    }
    let attempts = options.runs(720);
    let races = attempts.div_ceil(2 * CONTENDERS as u64);
    let mut person = scene.person(servers[0].port(), 0);
    person.sign_in().expect("signed in");
    let mut contenders: Vec<_> = (0..CONTENDERS)
        .map(|number| person.at(servers[number % nodes].port()))
        .collect();
    for race in 0..races {
        let code = person.code().expect("a code");
        let winner = one_of(&mut contenders, race, move |person| {
            person.redeem(&code).expect("an answer")
        });
        let dead = person.refresh(&winner.refresh).expect("an answer");
        assert!(
            dead.is_invalid_grant(),
            "race {race}: a code's reuse changes nothing: {dead:?}"
        );

        let code = person.code().expect("a code");
        let tokens = Tokens::of(&person.redeem(&code).expect("an answer"));
        let winner = one_of(&mut contenders, race, move |person| {
            person.refresh(&tokens.refresh).expect("an answer")
        });
        let dead = person.refresh(&winner.refresh).expect("an answer");
        assert!(
            dead.is_invalid_grant(),
            "race {race}: a refresh token's reuse changes nothing: {dead:?}"
        );
    }
    for server in servers {
        server.terminate();
    }
    site.expect_sound();
    // What the books say: each grant was redeemed once and, in every second race, refreshed once.
    let tokens = site
        .database
        .count("SELECT CAST(count(*) AS text) AS value FROM refresh_tokens");
    assert_eq!(tokens, 3 * races, "too many refresh tokens were made");
    format!(
        "{} attempts in {} races over {nodes} nodes, one success in each",
        2 * races * CONTENDERS as u64,
        2 * races
    )
}

/// Everybody does it at once; what the one got who got anything.
fn one_of(
    contenders: &mut [Person],
    race: u64,
    attempt: impl Fn(&mut Person) -> Answer + Sync,
) -> Tokens {
    let start = Arc::new(Barrier::new(contenders.len()));
    let answers: Vec<Answer> = thread::scope(|scope| {
        let running: Vec<_> = contenders
            .iter_mut()
            .map(|person| {
                let (start, attempt) = (Arc::clone(&start), &attempt);
                scope.spawn(move || {
                    start.wait();
                    attempt(person)
                })
            })
            .collect();
        running
            .into_iter()
            .map(|contender| contender.join().expect("an answer"))
            .collect()
    });
    let (good, bad): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(good.len(), 1, "race {race}: {good:?}");
    for answer in &bad {
        assert!(answer.is_invalid_grant(), "race {race}: {answer:?}");
    }
    Tokens::of(&good[0])
}
