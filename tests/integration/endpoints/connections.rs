//! Idle connections, and the limit of open files.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::command::{Installation, Server, command_test};
use crate::support::http::Http;

const FULL: &str = "those that lay idle longest are closed for new ones";

/// Reads an answer without a body of its own length, or with a small one.
fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    loop {
        let read = stream
            .read(&mut bytes)
            .unwrap_or_else(|error| panic!("{error}: {text}"));
        text.push_str(std::str::from_utf8(&bytes[..read]).expect("ASCII"));
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if let (Some(length), Some((_, body))) = (length, text.split_once("\r\n\r\n"))
            && body.len() >= length.parse::<usize>().expect("a number")
        {
            return text;
        }
        assert!(read > 0, "closed: {text}");
    }
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    stream
}

fn ask(stream: &mut TcpStream) -> String {
    stream
        .write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("written");
    answer(stream)
}

pub(super) fn metric(port: u16, name: &str) -> f64 {
    let get = Http::new(port).get("http://localhost/metrics").send();
    let text = actix_web::rt::System::new().block_on(get).body;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("{name}: {text}"))
        .parse()
        .expect("a number")
}

pub(super) fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    free.expect("a port").port()
}

command_test! {
    fn idle_connections_give_way_to_whoever_comes(here: Installation) {
        here.tenant("acme");
        let metrics = free_port();
        let server = here.serve_within(&format!("-n 160; export TESSERA_METRICS_LISTEN=127.0.0.1:{metrics}"));
        server.await_log("open_files=160");
        // A request that runs isn't cut off, however long it was quiet.
        let mut running = connect(&server);
        let host = format!("localhost:{}", server.port());
        running
            .write_all(format!("POST /t/acme/token HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n\r\n").as_bytes())
            .expect("written");
        let mut idle: Vec<TcpStream> = (0..200)
            .map(|_| {
                let mut stream = connect(&server);
                assert!(ask(&mut stream).starts_with("HTTP/1.1 200"));
                stream
            })
            .collect();
        let begun = Instant::now();
        assert!(ask(&mut connect(&server)).starts_with("HTTP/1.1 200"));
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        // The oldest gave way, the newest didn't.
        let (first, last) = (idle.remove(0), idle.pop());
        let mut first = first;
        assert_eq!(first.read(&mut [0; 1]).expect("closed in order"), 0);
        assert!(ask(&mut last.expect("two hundred")).starts_with("HTTP/1.1 200"));
        running.write_all(b"grant_type=client_credentials").expect("written");
        assert!(answer(&mut running).starts_with("HTTP/1.1 401"));

        let (open, most) = (metric(metrics, "tessera_http_connections"), metric(metrics, "tessera_http_connections_limit"));
        assert!((1.0..=most).contains(&open) && most <= 80.0, "{open} of {most}");
        assert!(metric(metrics, "tessera_http_connections_gave_way") >= 100.0);
        drop(idle);
        let log = server.log();
        assert_eq!(log.matches(FULL).count(), 1, "it is said once: {log}");
        assert!(!log.contains("Too many open files"), "{log}");
        let begun = Instant::now();
        while metric(metrics, "tessera_http_connections") > 3.0 {
            assert!(begun.elapsed() < Duration::from_secs(10), "they aren't counted out");
        }
    }
}

/// An answer may be on its way still when it is made.
#[test]
fn whoever_was_answered_a_moment_ago_is_spared() {
    let here = Installation::sqlite().ready();
    let metrics = free_port();
    let server = here.serve_within(&format!(
        "-n 160; export TESSERA_METRICS_LISTEN=127.0.0.1:{metrics}"
    ));
    let asked = || {
        let mut stream = connect(&server);
        assert!(ask(&mut stream).starts_with("HTTP/1.1 200"));
        stream
    };
    let mut old = asked();
    std::thread::sleep(Duration::from_millis(5_200));
    old.set_nonblocking(true).expect("set");
    let mut others = Vec::new();
    // Until it gives way.
    while old.read(&mut [0; 1]).is_err() {
        assert!(others.len() < 200, "nobody gives way");
        others.push(asked());
    }
    assert!(metric(metrics, "tessera_http_connections_gave_way") < 1.5);
    for other in &mut others {
        assert!(ask(other).starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn what_may_be_raised_is_taken() {
    let here = Installation::sqlite().ready();
    let server = here.serve_within("-Sn 128; ulimit -Hn 9000");
    let log = server.await_log("room for connections");
    assert!(log.contains("open_files=9000"), "{log}");
    assert!(!log.contains("few files may be open"), "{log}");
    drop(server);
    let server = here.serve_within("-n 1024");
    server.await_log("few files may be open");
}
