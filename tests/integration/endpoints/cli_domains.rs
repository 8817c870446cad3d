//! `tessera domain`.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::command::Installation;

/// A site that answers everything with what it was told last.
struct Site {
    origin: String,
    answer: Arc<Mutex<String>>,
}

impl Site {
    fn tell(&self, token: &Value, end: &str) {
        let token = token.as_str().expect("a token");
        *self.answer.lock().expect("no panic") = format!("{token}{end}");
    }
}

fn site() -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = format!(
        "http://localhost:{}",
        listener.local_addr().expect("an address").port()
    );
    let answer = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let asked = String::from_utf8_lossy(&request[..length])
                .starts_with("GET /.well-known/tessera-domain-verification ");
            let body = if asked {
                told.lock().expect("no panic").clone()
            } else {
                String::new()
            };
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    Site { origin, answer }
}

fn a_domain_is_proved_and_removed(mut here: Installation) {
    here.set("TESSERA_EGRESS_ALLOW", "localhost");
    let here = here.ready();
    here.tenant("acme");
    here.tenant("globex");
    let site = site();
    let origin = site.origin.as_str();
    let domain = |verb: &'static str, tenant: &'static str| {
        ["domain", verb, "--tenant", tenant, origin].map(ToOwned::to_owned)
    };
    let json =
        |arguments: &[String]| here.json(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let refused = |arguments: &[String], error: &str| {
        here.refused(
            &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
            error,
        )
    };
    let added = json(&domain("add", "acme"));
    assert_eq!(
        (&added["origin"], &added["state"]),
        (&json!(origin), &json!("pending"))
    );
    assert_eq!(
        added["verification_url"],
        format!("{origin}/.well-known/tessera-domain-verification")
    );
    refused(&domain("add", "acme"), "already_exists");
    let claimed = json(&domain("add", "globex"));
    // Nothing there, another tenant's proof, the proof.
    refused(&domain("verify", "acme"), "refused");
    site.tell(&claimed["verification_token"], "");
    let told = refused(&domain("verify", "acme"), "refused");
    assert!(told.contains("doesn't hold the expected text"), "{told}");
    refused(&domain("set-canonical", "acme"), "refused");
    site.tell(
        &added["verification_token"],
        "
",
    );
    assert_eq!(json(&domain("verify", "acme"))["state"], "verified");
    assert_eq!(json(&domain("verify", "acme"))["state"], "verified");
    site.tell(&claimed["verification_token"], "");
    let told = refused(&domain("verify", "globex"), "refused");
    assert!(told.contains("another tenant"), "{told}");
    assert_eq!(
        here.json(&["tenant", "show", "acme"])["issuers"],
        json!(["http://localhost:8080/t/acme", origin])
    );
    assert_eq!(
        here.json(&["tenant", "show", "acme"])["issuer"],
        "http://localhost:8080/t/acme"
    );
    // The canonical address is the one in links.
    assert_eq!(json(&domain("set-canonical", "acme"))["issuer"], origin);
    let person = here.json(&[
        "user",
        "create",
        "--tenant",
        "acme",
        "--email",
        "ana@acme.example",
    ]);
    assert!(
        person["link"]
            .as_str()
            .expect("a link")
            .starts_with(&format!("{origin}/link/")),
        "{person}"
    );
    // Removing says what breaks.
    let told = here.misused(&["domain", "remove", "--tenant", "acme", origin]);
    assert!(
        told.contains("refresh tokens") && told.contains("canonical") && told.contains("--yes"),
        "{told}"
    );
    assert_eq!(
        here.json(&["domain", "list", "--tenant", "acme"])["domains"][0]["canonical"],
        true
    );
    here.json(&["domain", "remove", "--tenant", "acme", origin, "--yes"]);
    assert_eq!(
        here.json(&["tenant", "show", "acme"])["issuer"],
        "http://localhost:8080/t/acme"
    );
    refused(&domain("verify", "acme"), "not_found");
    assert_eq!(
        json(&domain("verify", "globex"))["state"],
        "verified",
        "it is free again"
    );
    assert_eq!(
        here.json(&["domain", "set-canonical", "--tenant", "globex", "default"])["issuer"],
        "http://localhost:8080/t/globex"
    );
    for act in [
        "domain.added",
        "domain.verified",
        "domain.canonical_changed",
        "domain.removed",
    ] {
        assert_eq!(here.events("acme", act), 1, "{act}");
    }
}

/// A name server that answers every question with these TXT records, each of one string or more; without any, that there is no such
/// name; and while it is `None`, nothing.
struct NameServer {
    address: String,
    records: Arc<Mutex<Option<Vec<Vec<String>>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    fn tell(&self, records: &[&[&str]]) {
        let records = records
            .iter()
            .map(|strings| strings.iter().map(|text| (*text).to_owned()).collect());
        *self.records.lock().expect("no panic") = Some(records.collect());
    }

    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let server = Self {
            address: socket.local_addr().expect("an address").to_string(),
            records: Arc::default(),
            asked: Arc::default(),
        };
        let (records, asked) = (Arc::clone(&server.records), Arc::clone(&server.asked));
        std::thread::spawn(move || {
            let mut packet = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                let (name, question) = question(&packet[12..length]);
                asked.lock().expect("no panic").push(name);
                let Some(records) = records.lock().expect("no panic").clone() else {
                    continue;
                };
                let code = if records.is_empty() { 0x83 } else { 0x80 };
                let mut answer = packet[..2].to_vec();
                answer.extend([0x81, code, 0, 1]);
                answer.extend(u16::try_from(records.len()).expect("few").to_be_bytes());
                answer.extend([0; 4]);
                answer.extend(question);
                for strings in records {
                    let length: usize = strings.iter().map(|text| 1 + text.len()).sum();
                    // The name of the question, TXT, IN, a minute.
                    answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60]);
                    answer.extend(u16::try_from(length).expect("short").to_be_bytes());
                    for text in strings {
                        answer.push(u8::try_from(text.len()).expect("short"));
                        answer.extend(text.as_bytes());
                    }
                }
                let _ = socket.send_to(&answer, from);
            }
        });
        server
    }
}

/// The name that is asked for, and the question as it was sent.
fn question(packet: &[u8]) -> (String, &[u8]) {
    let (mut labels, mut at) = (Vec::new(), 0);
    while packet[at] != 0 {
        let end = at + 1 + usize::from(packet[at]);
        labels.push(String::from_utf8_lossy(&packet[at + 1..end]).to_lowercase());
        at = end;
    }
    (labels.join("."), &packet[..at + 5])
}

fn a_domain_is_proved_by_a_record(mut here: Installation) {
    let server = NameServer::start();
    here.set("TESSERA_DNS_SERVERS", &server.address);
    here.set("TESSERA_EGRESS_TIMEOUT", "2s");
    let here = here.ready();
    here.tenant("acme");
    here.tenant("globex");
    // Nobody answers at this address, now or ever (RFC 2606 §3).
    let origin = "https://login.acme.example";
    let domain =
        |verb: &'static str, tenant: &'static str| ["domain", verb, "--tenant", tenant, origin];
    let added = here.json(&domain("add", "acme"));
    assert_eq!(
        added["verification_record"],
        "_tessera-domain-verification.login.acme.example"
    );
    let claimed = here.json(&domain("add", "globex"));
    let token = added["verification_token"].as_str().expect("a token");
    let theirs = claimed["verification_token"].as_str().expect("a token");

    let refused = |word: &str| {
        let told = here.refused(&domain("verify", "acme"), "refused");
        assert!(
            told.contains(word) && told.contains(token) && told.contains("/.well-known/"),
            "{told}"
        );
        let domains = here.json(&["domain", "list", "--tenant", "acme"]);
        assert_eq!(domains["domains"][0]["state"], "pending", "{domains}");
    };
    refused("took too long");
    server.tell(&[]);
    refused("there is no such record");
    server.tell(&[&["v=spf1 -all"], &[theirs]]);
    refused(
        "no TXT record of _tessera-domain-verification.login.acme.example holds the expected text",
    );
    let longer = format!("{token}x");
    server.tell(&[&[&longer], &[&token[1..]]]);
    refused("holds the expected text");

    // One of several, in two strings.
    server.tell(&[&["v=spf1 -all"], &[&token[..9], &token[9..]]]);
    assert_eq!(here.json(&domain("verify", "acme"))["state"], "verified");
    let asked = server.asked.lock().expect("no panic").clone();
    assert!(
        asked
            .iter()
            .all(|name| name == "_tessera-domain-verification.login.acme.example"),
        "{asked:?}"
    );
    server.tell(&[&[theirs]]);
    let told = here.refused(&domain("verify", "globex"), "refused");
    assert!(told.contains("another tenant"), "{told}");
}

#[test]
fn a_domain_is_proved_by_a_record_sqlite() {
    a_domain_is_proved_by_a_record(Installation::sqlite());
}

#[test]
fn a_domain_is_proved_by_a_record_postgres() {
    a_domain_is_proved_by_a_record(Installation::postgres());
}

#[test]
fn a_domain_is_proved_and_removed_sqlite() {
    a_domain_is_proved_and_removed(Installation::sqlite());
}

#[test]
fn a_domain_is_proved_and_removed_postgres() {
    a_domain_is_proved_and_removed(Installation::postgres());
}

#[test]
fn what_is_no_origin_or_not_a_tenants_is_refused() {
    let mut here = Installation::sqlite();
    here.tenant("acme");
    let add = |here: &Installation, origin: &str| {
        here.refused(
            &["domain", "add", "--tenant", "acme", "--", origin],
            "invalid_value",
        )
    };
    for wrong in [
        "login.acme.com",
        "https://login.acme.com/path",
        "https://login.acme.com/?x",
        "https://login.acme.com/#x",
        "https://user@login.acme.com",
        "https://LOGIN.acme.com",
        "http://login.acme.com",
        "ftp://login.acme.com",
        "http://localhost:8080",
        "https://xn--?",
        "",
    ] {
        add(&here, wrong);
    }
    // A bare name, as people write it.
    let told = add(&here, "login.acme.com");
    assert!(told.contains("like https://login.example.com"), "{told}");
    assert_eq!(
        here.json(&[
            "domain",
            "add",
            "--tenant",
            "acme",
            "https://login.acme.com:443/"
        ])["origin"],
        "https://login.acme.com"
    );
    here.set("TESSERA_PUBLIC_URL", "https://{tenant}.id.example.com");
    for own in [
        "https://id.example.com",
        "https://acme.id.example.com",
        "https://a.b.id.example.com",
    ] {
        assert!(add(&here, own).contains("public_url"));
    }
    here.json(&[
        "domain",
        "add",
        "--tenant",
        "acme",
        "https://other-id.example.com",
    ]);
    let told = here.refused(
        &[
            "domain",
            "verify",
            "--tenant",
            "acme",
            "https://unknown.example",
        ],
        "not_found",
    );
    assert!(told.contains("tessera domain list"), "{told}");
}

#[test]
fn where_others_can_reach_it_a_domain_is_a_name_that_they_can_look_up() {
    let mut here = Installation::sqlite();
    here.tenant("acme");
    let add = |here: &Installation, origin: &str| {
        here.run(&["domain", "add", "--tenant", "acme", "--json", "--", origin])
    };
    // DNS's bounds hold for everybody.
    let label = "a".repeat(64);
    let name = ["a".repeat(63).as_str(); 4].join(".");
    for long in [
        format!("https://{label}.example.com"),
        format!("https://{name}.example"),
    ] {
        let told = here.refused(
            &["domain", "add", "--tenant", "acme", "--", &long],
            "invalid_value",
        );
        assert!(told.contains("that DNS can't hold"), "{told}");
    }
    here.json(&[
        "domain",
        "add",
        "--tenant",
        "acme",
        &format!("https://{}.example.com", "a".repeat(63)),
    ]);
    // On a developer's machine the domains are there, too.
    for local in [
        "https://localhost",
        "https://10.0.0.1",
        "https://login.localhost",
        "https://intranet",
    ] {
        assert_eq!(add(&here, local).code, 0, "{local}");
    }
    here.set("TESSERA_PUBLIC_URL", "https://{tenant}.id.example.com");
    for local in [
        "https://127.0.0.1",
        "https://10.0.0.2",
        "https://[2001:db8::1]",
        "https://sso",
        "https://acme.localhost",
        "https://sso.",
    ] {
        let told = here.refused(
            &["domain", "add", "--tenant", "acme", "--", local],
            "invalid_value",
        );
        assert!(told.contains("must be a domain name"), "{local}: {told}");
    }
    here.json(&[
        "domain",
        "add",
        "--tenant",
        "acme",
        "https://login.acme.example.",
    ]);
    here.set("TESSERA_EGRESS_ALLOW", "sso");
    here.json(&["domain", "add", "--tenant", "acme", "https://sso"]);
}
