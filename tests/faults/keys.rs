//! Keys rotated, by age and by hand, under load, with verifiers that keep the published ones exactly as long as they may: every token
//! verifies at every moment. A revoked key's tokens don't, as soon as the keys are fetched again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::Options;
use crate::support::database::Kind;
use crate::support::http::Http;
use crate::support::jwt::{KeySet, kid};
use crate::support::scene::{Scene, Tokens};
use crate::support::site::{Server, Site};

const PEOPLE: usize = 2;

/// `--runs` counts rotations by hand; those by age come by themselves.
pub fn run(options: &Options, kind: Kind) -> String {
    let mut site = Site::empty(kind);
    // As short as may be: each key is published for three seconds before it signs, and cached for one.
    for (name, value) in [
        ("TESSERA_JWKS_MAX_AGE", "1s"),
        ("TESSERA_KEY_PUBLISH_AHEAD", "3s"),
        ("TESSERA_KEY_ROTATION_AGE", "5s"),
    ] {
        site.set(name, value);
    }
    let site = site.ready();
    let scene = Scene::new(&site, PEOPLE);
    let nodes = if kind == Kind::Postgres { 2 } else { 1 };
    let servers: Vec<Server> = (0..nodes).map(|_| site.serve()).collect();
    for server in &servers {
        server.ready();
    }
    let ports: Vec<u16> = servers.iter().map(Server::port).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let (send, receive) = mpsc::channel::<String>();
    let issuers: Vec<_> = (0..PEOPLE)
        .map(|number| {
            let (mut person, stop, send) = (
                scene.person(ports[number % nodes], number),
                Arc::clone(&stop),
                send.clone(),
            );
            thread::spawn(move || {
                person.sign_in().expect("signed in");
                while !stop.load(Ordering::Relaxed) {
                    let code = person.code().expect("a code");
                    let mut tokens = Tokens::of(&person.redeem(&code).expect("an answer"));
                    for _ in 0..5 {
                        send.send(tokens.access.clone()).expect("sent");
                        tokens = Tokens::of(&person.refresh(&tokens.refresh).expect("an answer"));
                    }
                }
            })
        })
        .collect();
    drop(send);
    let (receive, verified, kids) = (
        Arc::new(Mutex::new(receive)),
        Arc::new(AtomicU64::new(0)),
        Arc::new(Mutex::new(BTreeSet::new())),
    );
    let verifiers: Vec<_> = (0..2)
        .map(|number| {
            // The keys of the node that didn't issue, too.
            let port = ports[(number + 1) % nodes];
            let (receive, verified, kids) = (
                Arc::clone(&receive),
                Arc::clone(&verified),
                Arc::clone(&kids),
            );
            thread::spawn(move || {
                let mut http = Http::new(port);
                let mut keys = KeySet::fetch(&mut http).expect("keys");
                loop {
                    let token = receive.lock().expect("whole").recv();
                    let Ok(token) = token else { return };
                    if !keys.is_fresh() {
                        keys = KeySet::fetch(&mut http).expect("keys");
                    }
                    keys.check(&token).expect("every token verifies");
                    verified.fetch_add(1, Ordering::Relaxed);
                    kids.lock().expect("whole").insert(kid(&token));
                }
            })
        })
        .collect();

    let runs = options.runs(2);
    for _ in 0..runs {
        site.json(&["key", "rotate", "--tenant", "acme"]);
        // Published for three seconds, then signing.
        thread::sleep(Duration::from_millis(4500));
    }
    stop.store(true, Ordering::Relaxed);
    for thread in issuers.into_iter().chain(verifiers) {
        thread.join().expect("every token verifies");
    }
    let signed_by = kids.lock().expect("whole").len();
    assert!(signed_by as u64 > runs, "only {signed_by} keys ever signed");
    revoked(&site, &scene, &ports);
    for server in servers {
        server.terminate();
    }
    site.expect_sound();
    format!(
        "{runs} rotations by hand, {} tokens by {signed_by} keys verified",
        verified.load(Ordering::Relaxed)
    )
}

/// What a withdrawn key signed is refused, and what its successor signs is known.
fn revoked(site: &Site, scene: &Scene, ports: &[u16]) {
    let (first, last) = (ports[0], ports[ports.len() - 1]);
    let mut person = scene.person(first, 0);
    person.sign_in().expect("signed in");
    let code = person.code().expect("a code");
    let before = Tokens::of(&person.redeem(&code).expect("an answer"));
    let withdrawn = kid(&before.access);
    site.json(&[
        "key", "revoke", "--tenant", "acme", "--kid", &withdrawn, "--yes",
    ]);
    let begun = Instant::now();
    // A second for the other nodes to hear of it.
    let mut there = person.at(last);
    while person.userinfo(&before.access).expect("an answer").status != 401
        || there.userinfo(&before.access).expect("an answer").status != 401
    {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "a revoked key's token is accepted"
        );
        thread::sleep(Duration::from_millis(20));
    }
    let keys = KeySet::fetch(&mut Http::new(last)).expect("keys");
    assert!(!keys.has(&withdrawn), "a revoked key is published");
    let after = Tokens::of(&person.refresh(&before.refresh).expect("an answer"));
    assert_ne!(kid(&after.access), withdrawn);
    keys.check(&after.access)
        .expect("the successor's token verifies");
}
