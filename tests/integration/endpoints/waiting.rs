//! A database that isn't there yet, or takes connections and says nothing.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::support::command::{Begun, Installation, signal};
use crate::support::http::Http;

/// A listener that takes connections and does this with each.
fn listener(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    serve_on(listener, serve);
    port
}

fn serve_on(listener: TcpListener, serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) {
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
}

/// Says nothing, ever.
fn silent(mut stream: TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

/// Lets anybody in, as a pooler does, and says nothing to what is asked then.
fn silent_after_log_in(mut stream: TcpStream) {
    let mut length = [0; 4];
    loop {
        if stream.read_exact(&mut length).is_err() {
            return;
        }
        let mut rest = vec![0; u32::from_be_bytes(length) as usize - 4];
        if stream.read_exact(&mut rest).is_err() {
            return;
        }
        // SSLRequest and GSSENCRequest: no. Anything else is the start-up packet.
        if matches!(rest[..], [4, 210, 22, 47 | 48]) {
            let _ = stream.write_all(b"N");
        } else {
            break;
        }
    }
    let _ = stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I");
    silent(stream);
}

fn away(port: u16) -> Installation {
    let mut here = Installation::sqlite();
    here.set(
        "TESSERA_DATABASE_URL",
        &format!("postgres://tessera:hunter2@127.0.0.1:{port}/tessera"),
    );
    here
}

fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    free.expect("a port").port()
}

const WAITING: &str = "waiting for the database";

fn await_log(begun: &Begun, piece: &str, patience: u64) {
    let since = Instant::now();
    while !begun.log().contains(piece) {
        assert!(
            since.elapsed() < Duration::from_secs(patience),
            "it doesn't say `{piece}`: {}",
            begun.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn commands_give_up_on_a_database_that_says_nothing() {
    for (port, seconds) in [(listener(silent), 12), (listener(silent_after_log_in), 30)] {
        let here = away(port);
        let since = Instant::now();
        let commands = [&["tenant", "list"] as &[&str], &["doctor"], &["migrate"]];
        let begun = commands.map(|command| (command, here.begin(command)));
        for (command, begun) in begun {
            let done = begun.end();
            assert_eq!(done.code, 1, "{command:?}: {done:?}");
            assert!(
                since.elapsed() < Duration::from_secs(seconds),
                "{command:?}: {:?}",
                since.elapsed()
            );
            let told = done.out + &done.err;
            assert!(
                told.contains("doesn't answer") && told.contains("firewall"),
                "{told}"
            );
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}

#[test]
fn a_server_that_waits_for_a_silent_database_listens_on_nothing_and_ends_when_told() {
    let (here, port) = (away(listener(silent)), free_port());
    for (name, already_said) in [("TERM", false), ("INT", true)] {
        let server = here.begin(&["serve", "--listen", &format!("127.0.0.1:{port}")]);
        if already_said {
            await_log(&server, WAITING, 15);
        } else {
            std::thread::sleep(Duration::from_secs(1));
        }
        TcpStream::connect(("127.0.0.1", port)).expect_err("nobody listens");
        let since = Instant::now();
        signal(server.pid(), name);
        assert_eq!(server.end().code, 0);
        assert!(
            since.elapsed() < Duration::from_secs(3),
            "{:?}",
            since.elapsed()
        );
    }
}

#[test]
fn a_server_serves_as_soon_as_its_database_is_there() {
    let mut here = Installation::postgres().ready();
    here.tenant("acme");
    let mut url = url::Url::parse(&here.database_url()).expect("a URL");
    let real = (
        url.host_str().expect("a host").to_owned(),
        url.port().unwrap_or(5432),
    );
    let (late, port) = (free_port(), free_port());
    url.set_host(Some("127.0.0.1")).expect("a host");
    url.set_port(Some(late)).expect("a port");
    here.set("TESSERA_DATABASE_URL", url.as_str());
    // A command gives up at once.
    let since = Instant::now();
    here.refused(&["tenant", "list"], "schema_unusable");
    assert!(
        since.elapsed() < Duration::from_secs(2),
        "{:?}",
        since.elapsed()
    );

    let server = here.begin(&["serve", "--json", "--listen", &format!("127.0.0.1:{port}")]);
    await_log(&server, WAITING, 10);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(
        server.log().matches(WAITING).count(),
        1,
        "it is said once: {}",
        server.log()
    );
    TcpStream::connect(("127.0.0.1", port)).expect_err("nobody listens");

    let listener = TcpListener::bind(("127.0.0.1", late)).expect("the port");
    serve_on(listener, move |near| {
        let far = TcpStream::connect((real.0.as_str(), real.1)).expect("PostgreSQL");
        let (mut from, mut to) = (
            near.try_clone().expect("a handle"),
            far.try_clone().expect("a handle"),
        );
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        let _ = std::io::copy(&mut { far }, &mut { &near });
        let _ = near.shutdown(Shutdown::Both);
    });
    let since = Instant::now();
    let server = server.ready();
    assert!(
        since.elapsed() < Duration::from_secs(10),
        "{:?}",
        since.elapsed()
    );
    // The feed of changes may be read a moment later.
    let ready = || {
        let get = Http::new(server.port()).get("http://localhost/health/ready");
        actix_web::rt::System::new().block_on(get.send()).status
    };
    while ready() != 200 {
        assert!(since.elapsed() < Duration::from_secs(20), "it isn't ready");
    }
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
fn what_somebody_has_to_mend_is_not_waited_for() {
    let mut here = Installation::postgres().ready();
    let mut url = url::Url::parse(&here.database_url()).expect("a URL");
    url.set_username("nobody_of_that_name").expect("a name");
    url.set_password(Some("hunter2")).expect("a password");
    here.set("TESSERA_DATABASE_URL", url.as_str());
    let told = here.refused(&["serve", "--listen", "127.0.0.1:0"], "schema_unusable");
    assert!(
        told.contains("nobody_of_that_name") && !told.contains("hunter2"),
        "{told}"
    );
}

#[test]
fn connections_say_whose_they_are() {
    let mut here = Installation::postgres().ready();
    let names = |here: &Installation| {
        here.raw().texts(
            "SELECT DISTINCT application_name AS value FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
    };
    let server = here.serve();
    assert_eq!(names(&here), ["tessera"]);
    drop(server);
    let url = here.database_url();
    let separator = if url.contains('?') { '&' } else { '?' };
    here.set(
        "TESSERA_DATABASE_URL",
        &format!("{url}{separator}application_name=node-1"),
    );
    let _server = here.serve();
    let since = Instant::now();
    // Those of the one that was killed are gone as soon as PostgreSQL notices.
    while names(&here) != ["node-1"] {
        assert!(
            since.elapsed() < Duration::from_secs(10),
            "{:?}",
            names(&here)
        );
    }
}
