//! TLS of the server's own: what is said of files that can't be used, and certificates that are renewed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use openssl::nid::Nid;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use serde_json::Value;
use tessera::clock::Clock;

use crate::support::certificates::{Identity, Wanted};
use crate::support::command::{Installation, signal};

fn identity(host: &str, days: i64) -> Identity {
    let now = Clock::system().unix();
    Identity::self_signed(&Wanted {
        subject: &[(Nid::COMMONNAME, host)],
        san: [Some("localhost"), None, None, None],
        times: (now - 100 * 86_400, now + days * 86_400 + 3_600),
        is_authority: false,
        for_servers: true,
    })
}

fn free_address() -> String {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    free.expect("a port").to_string()
}

fn write(here: &Installation, name: &str, identity: &Identity) -> (String, String) {
    let key = identity.key.private_key_to_pem_pkcs8().expect("PEM");
    let key = String::from_utf8(key).expect("ASCII");
    (
        here.file(&format!("{name}.pem"), &identity.pem()),
        here.file(&format!("{name}.key"), &key),
    )
}

/// An installation with a certificate for a listener of this name (`tls`, `mtls`).
fn listening(name: &str, identity: &Identity) -> (Installation, String) {
    let mut here = Installation::sqlite().ready();
    let address = free_address();
    let (certificate, key) = write(&here, "server", identity);
    let name = name.to_uppercase();
    here.set(&format!("TESSERA_{name}_LISTEN"), &address);
    here.set(&format!("TESSERA_{name}_CERTIFICATE_FILE"), &certificate);
    here.set(&format!("TESSERA_{name}_KEY_FILE"), &key);
    if name == "MTLS" {
        let (_, port) = address.rsplit_once(':').expect("a port");
        let url = format!("https://localhost:{port}/t/{{tenant}}");
        here.set("TESSERA_MTLS_PUBLIC_URL", &url);
    }
    (here, address)
}

/// Whom a handshake shows and what is spoken then; with or without the server's name, and with a certificate of one's own or without. A request
/// is answered too.
fn handshake(address: &str, named: bool, own: Option<&Identity>) -> (String, String) {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).expect("a connector");
    connector.set_verify(SslVerifyMode::NONE);
    if let Some(own) = own {
        connector
            .set_certificate(&own.certificate)
            .expect("a certificate");
        connector.set_private_key(&own.key).expect("a key");
    }
    connector
        .set_alpn_protos(b"\x08http/1.1")
        .expect("protocols");
    let mut configured = connector.build().configure().expect("configured");
    configured.set_verify_hostname(false);
    configured.set_use_server_name_indication(named);
    let stream = TcpStream::connect(address).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    let mut stream = configured
        .connect("localhost", stream)
        .expect("a handshake");
    stream
        .write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("written");
    let mut text = String::new();
    // Nobody says goodbye in TLS where the connection is closed after the answer.
    let _ = stream.read_to_string(&mut text);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let shown = stream.ssl().peer_certificate().expect("a certificate");
    let name = shown.subject_name().entries().next().expect("a name");
    let name = String::from_utf8_lossy(name.data().as_slice()).into_owned();
    let spoken = stream.ssl().selected_alpn_protocol().unwrap_or_default();
    (name, String::from_utf8_lossy(spoken).into_owned())
}

fn spoken_of(address: &str, offered: &[u8]) -> Option<Vec<u8>> {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).expect("a connector");
    connector.set_verify(SslVerifyMode::NONE);
    connector.set_alpn_protos(offered).expect("protocols");
    let stream = TcpStream::connect(address).expect("a connection");
    let stream = connector
        .build()
        .connect("localhost", stream)
        .expect("a handshake");
    stream.ssl().selected_alpn_protocol().map(<[u8]>::to_vec)
}

#[test]
fn a_renewed_certificate_is_shown_after_a_hang_up() {
    let before = identity("before", 90);
    for name in ["tls", "mtls"] {
        let (here, address) = listening(name, &before);
        let client = (name == "mtls").then_some(&before);
        let server = here.serve();
        for named in [true, false] {
            assert_eq!(
                handshake(&address, named, client),
                ("before".to_owned(), "http/1.1".to_owned())
            );
        }
        let after = identity("after", 90);
        write(&here, "server", &after);
        assert_eq!(
            handshake(&address, true, client).0,
            "before",
            "nothing is read unasked"
        );
        signal(server.pid(), "HUP");
        server.await_log("the certificate that is in the file now");
        for named in [true, false] {
            assert_eq!(
                handshake(&address, named, client),
                ("after".to_owned(), "http/1.1".to_owned())
            );
            assert_eq!(handshake(&address, named, None).0, "after");
        }
        assert_eq!(
            spoken_of(&address, b"\x02h2\x08http/1.1").as_deref(),
            Some(&b"h2"[..])
        );
        assert_eq!(spoken_of(&address, b"\x05other"), None);
        // What can't be used changes nothing.
        here.file("server.pem", "no certificate");
        signal(server.pid(), "HUP");
        let log = server.await_log("the certificate that was shown before is kept");
        assert!(log.contains(&format!("`{name}_certificate_file`")), "{log}");
        assert_eq!(handshake(&address, true, client).0, "after");
        let (code, took) = server.terminate();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}

#[test]
fn a_hang_up_ends_no_server() {
    let here = Installation::sqlite().ready();
    let server = here.serve();
    signal(server.pid(), "HUP");
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    let (code, _) = server.terminate();
    assert_eq!(
        code,
        Some(0),
        "by SIGTERM, and in order: {:?}",
        begun.elapsed()
    );
}

fn doctor(here: &Installation) -> Vec<(String, String, String)> {
    let done = here.run(&["doctor", "--json"]);
    let doctor: Value = serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{done:?}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = doctor["checks"].as_array().expect("a list").iter();
    let told = checks.map(|check| {
        (
            text(&check["check"]),
            text(&check["status"]),
            text(&check["message"]),
        )
    });
    told.filter(|(check, ..)| check == "certificates").collect()
}

#[test]
fn files_that_cannot_be_used_are_named_with_their_settings() {
    let own = identity("own", 90);
    let (here, _) = listening("tls", &own);
    let refused = |pieces: &[&str]| {
        let told = here.refused(&["serve", "--listen", "127.0.0.1:0"], "listen_failed");
        let found = doctor(&here);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].1, "failure", "{found:?}");
        for piece in pieces {
            assert!(told.contains(piece), "{piece}: {told}");
            assert!(found[0].2.contains(piece), "{piece}: {found:?}");
        }
    };
    let (certificate, key) = write(&here, "server", &own);
    let secret = std::fs::read_to_string(&key).expect("a key");

    std::fs::remove_file(&certificate).expect("removed");
    refused(&[
        "`tls_certificate_file`",
        &certificate,
        "can't be read",
        "No such file",
    ]);
    here.file("server.pem", &secret);
    refused(&[
        "`tls_certificate_file`",
        &certificate,
        "no certificate in PEM",
    ]);
    write(&here, "server", &own);
    here.file("server.key", &own.pem());
    refused(&["`tls_key_file`", &key, "no private key in PEM"]);
    std::fs::remove_file(&key).expect("removed");
    refused(&["`tls_key_file`", &key, "can't be read"]);
    let other = identity("other", 90).key;
    let other = other.private_key_to_pem_pkcs8().expect("PEM");
    here.file("server.key", std::str::from_utf8(&other).expect("ASCII"));
    refused(&[
        "`tls_key_file`",
        "`tls_certificate_file`",
        "doesn't belong to",
    ]);
    // One under a password isn't asked for at a terminal.
    let sealed = own
        .key
        .private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_128_cbc(), b"secret");
    here.file(
        "server.key",
        std::str::from_utf8(&sealed.expect("PEM")).expect("ASCII"),
    );
    refused(&["`tls_key_file`", "without a password"]);
}

#[test]
fn doctor_counts_a_certificates_days() {
    for (days, status, piece) in [
        (90, "ok", "is good for 90 days"),
        (14, "ok", "is good for 14 days"),
        (13, "warning", "expires in 13 days"),
        (-2, "failure", "has expired"),
    ] {
        let (here, _) = listening("tls", &identity("own", days));
        let found = doctor(&here);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].1, status, "{found:?}");
        assert!(found[0].2.contains(piece), "{found:?}");
    }
}

#[test]
fn a_taken_address_is_told_by_the_setting_that_names_it() {
    let (mut here, address) = listening("tls", &identity("own", 90));
    let taken = TcpListener::bind(&address).expect("a port");
    let told = here.refused(&["serve", "--listen", "127.0.0.1:0"], "listen_failed");
    assert!(
        told.contains(&address) && told.contains("`tls_listen`"),
        "{told}"
    );
    drop(taken);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    here.set(
        "TESSERA_METRICS_LISTEN",
        &taken.local_addr().expect("an address").to_string(),
    );
    let told = here.refused(&["serve", "--listen", "127.0.0.1:0"], "listen_failed");
    assert!(told.contains("`metrics_listen`"), "{told}");
}
