//! `tessera serve` and `tessera doctor`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::command::{Installation, Server, command_test};
use crate::support::http::{Answer, Http};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(future)
}

fn get(server: &Server, url: &str) -> Answer {
    block_on(Http::new(server.port()).get(url).send())
}

/// A change by the command line is seen by the server within a second; a slow machine gets a little more.
fn await_status(server: &Server, url: &str, status: u16) {
    let begun = Instant::now();
    while get(server, url).status != status {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{url} doesn't answer {status}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn statuses(doctor: &Value, status: &str) -> Vec<String> {
    let checks = doctor["checks"].as_array().expect("a list").iter();
    checks
        .filter(|check| check["status"] == status)
        .map(|check| check["check"].as_str().expect("a name").to_owned())
        .collect()
}

command_test! {
    fn a_server_sees_what_commands_beside_it_change(here: Installation) {
        let server = here.serve();
        let root = server.document["root"].as_str().expect("a root").to_owned();
        assert_eq!(root, format!("http://localhost:{}", server.port()), "the default address follows the port");
        let port = format!("127.0.0.1:{}", server.port());
        let beside = |arguments: &[&str]| here.json(&[arguments, &["--listen", &port]].concat());
        let issuer = format!("{root}/t/acme");
        let page = format!("{issuer}/login");
        await_status(&server, &page, 404);
        assert_eq!(beside(&["tenant", "create", "acme", "--name", "Acme"])["issuer"], issuer);
        await_status(&server, &page, 200);
        beside(&["tenant", "suspend", "acme"]);
        await_status(&server, &page, 403);
        assert_eq!(get(&server, &format!("{issuer}/jwks")).status, 200);
        beside(&["tenant", "resume", "acme"]);
        await_status(&server, &page, 200);
        let kids = |answer: &Answer| answer.json()["keys"].as_array().expect("keys").len();
        assert_eq!(kids(&get(&server, &format!("{issuer}/jwks"))), 1);
        beside(&["key", "rotate", "--tenant", "acme"]);
        let begun = Instant::now();
        while kids(&get(&server, &format!("{issuer}/jwks"))) != 2 {
            assert!(begun.elapsed() < Duration::from_secs(5), "the successor isn't published");
        }
        let link = beside(&["user", "create", "--tenant", "acme", "--email", "ana@acme.example"])["link"].as_str().expect("a link").to_owned();
        await_status(&server, &link, 200);
        beside(&["user", "disable", "--tenant", "acme", "--email", "ana@acme.example"]);
        await_status(&server, &link, 400);
        beside(&["tenant", "delete", "acme", "--yes"]);
        await_status(&server, &page, 404);
        let (code, took) = server.terminate();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(10), "{took:?}");
    }

    fn an_operators_program_gets_a_token(here: Installation) {
        let server = here.serve();
        let port = format!("127.0.0.1:{}", server.port());
        let operator = here.json(&["operator", "create", "--name", "Deployment", "--listen", &port]);
        let root = server.document["root"].as_str().expect("a root");
        let text = |name: &str| operator[name].as_str().expect("a text");
        let request = Http::new(server.port()).post(&format!("{root}/t/system/token"));
        let request = request.basic(text("client_id"), text("client_secret")).form(&[("grant_type", "client_credentials")]);
        let token = block_on(request.send()).expect_ok().json();
        assert_eq!(token["scope"], "tessera:admin");
        let payload = token["access_token"].as_str().expect("a token").split('.').nth(1).expect("a payload").to_owned();
        let claims: Value = serde_json::from_slice(&base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload).expect("base64")).expect("JSON");
        assert_eq!(claims["aud"], format!("{root}/api/v1"));
        assert_eq!(claims["tenant"], "system");
    }

    fn doctor_finds_nothing_wrong_with_what_is_sound(here: Installation) {
        here.tenant("acme");
        let doctor = here.json(&["doctor"]);
        assert_eq!(doctor["status"], "ok", "{doctor:#}");
        for check in ["configuration", "schema", "database", "writes", "master key", "clock", "data keys", "keys", "mail"] {
            assert!(statuses(&doctor, "ok").contains(&check.to_owned()), "{check}: {doctor:#}");
        }
        assert!(here.ok(&["doctor"]).contains("ok       mail"));
    }

    fn doctor_finds_what_is_wrong(here: Installation) {
        here.tenant("acme");
        let sick = |arguments: &[&str]| {
            let done = here.run(&[&["doctor", "--json"], arguments].concat());
            assert_eq!(done.code, 1, "{done:?}");
            assert_eq!(serde_json::from_str::<Value>(&done.err).expect("an error")["error"], "unhealthy");
            let doctor: Value = serde_json::from_str(&done.out).expect("one document");
            assert!(doctor["checks"].as_array().expect("a list").iter().all(|check| check["status"] == "ok" || check["remedy"].is_string()));
            statuses(&doctor, "failure")
        };
        let (key, kept) = (here.path("data/master.key"), here.path("kept"));
        std::fs::rename(&key, &kept).expect("moved");
        assert_eq!(sick(&[]), ["master key"]);
        here.ok(&["master-key", "create"]);
        assert_eq!(sick(&[]), ["master key"]);
        std::fs::rename(&kept, &key).expect("moved back");
        here.raw().execute("DELETE FROM signing_keys").expect("deleted");
        assert_eq!(sick(&[]), ["keys"]);
        here.raw().execute("UPDATE tenants SET sealed_data_key = (SELECT sealed_data_key FROM tenants WHERE slug = 'system') WHERE slug = 'acme'").expect("changed");
        assert_eq!(sick(&[]), ["data keys", "keys"]);
        here.raw().execute("DELETE FROM __diesel_schema_migrations").expect("deleted");
        assert_eq!(sick(&[]), ["schema"]);
        assert_eq!(sick(&["--listen", "nowhere"]), ["configuration"]);
        assert_eq!(sick(&["--database-url", "postgres://nobody@127.0.0.1:1/none"])[0], "database");
    }
}

#[test]
fn a_command_may_end_while_connections_are_still_made() {
    let here = Installation::postgres().ready();
    std::fs::remove_file(here.path("data/master.key")).expect("deleted");
    // It ends at once, and the pool's second connection is then only on its way.
    for _ in 0..40 {
        let done = here.run(&["doctor"]);
        assert_eq!(done.code, 1, "{done:?}");
    }
}

#[test]
fn a_second_server_on_the_same_file_is_refused() {
    let here = Installation::sqlite();
    let server = here.serve();
    let told = here.refused(&["serve", "--listen", "127.0.0.1:0"], "already_running");
    assert!(told.contains("another tessera server runs"), "{told}");
    here.tenant("acme");
    assert_eq!(server.terminate().0, Some(0));
    drop(here.serve());
}

#[test]
fn a_taken_port_is_told() {
    let here = Installation::sqlite();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let told = here.refused(&["serve", "--listen", &address], "listen_failed");
    assert!(told.contains(&address), "{told}");
}

#[test]
fn doctor_changes_nothing() {
    let here = Installation::sqlite();
    assert_eq!(here.json(&["doctor"])["status"], "ok");
    assert!(!here.path("data").exists());
    here.tenant("acme");
    std::fs::set_permissions(
        here.path("data/master.key"),
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )
    .expect("changed");
    let doctor = here.json(&["doctor"]);
    assert_eq!(
        (&doctor["status"], statuses(&doctor, "warning")),
        (&json!("warning"), vec!["master key".to_owned()]),
        "a warning is no failure"
    );
}

#[test]
fn doctor_sees_a_role_that_passes_row_security_by() {
    let here = Installation::postgres().ready();
    here.tenant("acme");
    here.raw()
        .execute("ALTER TABLE clients NO FORCE ROW LEVEL SECURITY")
        .expect("changed");
    let done = here.run(&["doctor", "--json"]);
    assert_eq!(done.code, 1);
    assert!(done.out.contains("not forced on clients"), "{}", done.out);
}
