//! SECURITY, "Faults": `kill -9` in the middle of everything. What was answered is there, and what is there was asked for.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::browser::Browser;
use crate::support::command::{Installation, command_test};
use crate::support::http::Http;

/// Where everything takes place, at whichever port the server is.
const HOST: &str = "localhost:8099";
const ISSUER: &str = "http://localhost:8099/t/acme";

/// Sends bytes and gives the answer's status; none where the server went away before.
fn status(port: u16, request: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

fn form(path: &str, headers: &str, fields: &[(&str, &str)]) -> String {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    format!(
        "POST /t/acme{path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

command_test! {
    fn what_was_answered_before_a_kill_is_there(here: Installation) {
        here.tenant("acme");
        let told = Arc::new(Mutex::new(BTreeSet::new()));
        let refused = Arc::new(AtomicUsize::new(0));
        let mut rounds = 0;
        for pause in [40, 90, 150, 220, 300] {
            let server = here.serve_at(ISSUER.replace("acme", "{tenant}").as_str());
            let port = server.port();
            // The form's token is the browser's: it is good for as many attempts as anybody likes.
            let mut browser = Browser::new(Http::new(port));
            // A machine that is busy enough has a node lose touch with its database for a moment, which it says by 503.
            let begun = Instant::now();
            let page = loop {
                let page = actix_web::rt::System::new().block_on(browser.open(&format!("{ISSUER}/login")));
                if page.answer.status != 503 || begun.elapsed() > Duration::from_secs(20) {
                    break page;
                }
                std::thread::sleep(Duration::from_millis(100));
            };
            assert_eq!(page.answer.status, 200, "{}", page.answer.body);
            let (cookie, csrf) = (browser.cookie("tessera_csrf").expect("a cookie").to_owned(), page.hidden("csrf").expect("a token"));
            rounds += 1;
            let guessers: Vec<_> = (0..6).map(|guesser| {
                let (told, refused) = (Arc::clone(&told), Arc::clone(&refused));
                let (cookie, csrf) = (cookie.clone(), csrf.clone());
                std::thread::spawn(move || {
                    for number in 0.. {
                        let name = format!("nobody-{rounds}-{guesser}-{number}@acme.example");
                        let fields = [("csrf", csrf.as_str()), ("username", &name), ("password", "a wrong password")];
                        match status(port, &form("/login", &format!("Cookie: tessera_csrf={cookie}\r\n"), &fields)) {
                            Some(400) => assert!(told.lock().expect("whole").insert(name)),
                            Some(503) => {
                                refused.fetch_add(1, Ordering::Relaxed);
                            }
                            None => return,
                            Some(other) => panic!("{name}: {other}"),
                        }
                    }
                })
            }).collect();
            std::thread::sleep(Duration::from_millis(pause));
            // A busy machine answers next to nothing in that time.
            let begun = Instant::now();
            while told.lock().expect("whole").len() < 5 * rounds && begun.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(1));
            }
            server.kill();
            for guesser in guessers {
                guesser.join().expect("no panic");
            }
        }
        let told = told.lock().expect("whole");
        assert!(told.len() > 20, "too little was asked: {}", told.len());
        let written: Vec<String> = here.raw().texts("SELECT CAST(detail AS text) AS value FROM audit_events WHERE act = 'signin.failed'");
        let written: BTreeSet<String> = written.iter().map(|detail| {
            let detail: serde_json::Value = serde_json::from_str(detail).expect("JSON");
            detail["email"].as_str().expect("an address").to_owned()
        }).collect();
        let lost: Vec<_> = told.difference(&written).collect();
        assert!(lost.is_empty(), "answered, and not there: {lost:?}");
        // What was written and not answered is what ran when the server was killed; of what was refused nothing is promised.
        let others = 6 * rounds + refused.load(Ordering::Relaxed);
        assert!(written.len() - told.len() <= others, "{} {} {others}", written.len(), told.len());
        assert_eq!(here.json(&["doctor"])["status"], "ok");
    }
}
