//! What is wrong with an installation is told, and told right: by `tessera doctor`, and by the commands themselves.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::support::command::{Done, Installation, command_test};
use crate::support::http::Http;

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("changed");
}

/// What doctor found at this level: names and messages.
fn found(done: &Done, level: &str) -> Vec<(String, String)> {
    let doctor: Value = serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{done:?}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = doctor["checks"].as_array().expect("a list").iter();
    checks
        .filter(|check| check["status"] == level)
        .map(|check| {
            let told = format!("{} → {}", text(&check["message"]), text(&check["remedy"]));
            (text(&check["check"]), told)
        })
        .collect()
}

fn failures(here: &Installation) -> Vec<(String, String)> {
    let done = here.run(&["doctor", "--json"]);
    assert_eq!(done.code, 1, "{done:?}");
    found(&done, "failure")
}

#[test]
fn doctor_tells_of_a_full_disk() {
    let here = Installation::sqlite().ready();
    here.tenant("acme");
    let done = here.run(&["doctor", "--json"]);
    assert!(
        found(&done, "ok").iter().any(|(check, _)| check == "disk"),
        "{done:?}"
    );
    // As much as a small write needs is there.
    let done = here.run_after("trap '' XFSZ; ulimit -f 400", &["doctor", "--json"]);
    assert_eq!(done.code, 1, "{done:?}");
    let failed = found(&done, "failure");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].0, "disk", "{failed:?}");
}

command_test! {
    fn doctor_tells_a_key_that_cannot_be_used_from_one_that_is_lost(here: Installation) {
        here.tenant("acme");
        let key = here.path("data/master.key");
        let kept = std::fs::read(&key).expect("a key");
        std::fs::write(&key, "not a key").expect("written");
        let failed = failures(here);
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert!(failed[0].1.contains("must be 32 bytes"), "{failed:?}");
        std::fs::write(&key, &kept).expect("written");
        let done = here.run_after("export TESSERA_MASTER_KEY=nonsense", &["doctor", "--json"]);
        let failed = found(&done, "failure");
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert!(failed[0].1.contains("TESSERA_MASTER_KEY") && failed[0].1.contains("unset it"), "{failed:?}");
        std::fs::remove_file(&key).expect("removed");
        let failed = failures(here);
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert!(!failed[0].1.contains("must be 32 bytes"), "{failed:?}");
    }

    fn the_log_names_a_client_as_it_is_written_elsewhere(here: Installation) {
        here.tenant("acme");
        let client = here.json(&["client", "create", "--tenant", "acme", "--name", "Job", "--grant-type", "client_credentials"]);
        let id = client["client_id"].as_str().expect("an id");
        let server = here.serve();
        let url = format!("{}/t/acme/token", server.document["root"].as_str().expect("a root"));
        let request = Http::new(server.port()).post(&url).basic(id, "wrong").form(&[("grant_type", "client_credentials")]);
        assert_eq!(actix_web::rt::System::new().block_on(request.send()).status, 401);
        let log = server.await_log("client authentication failed");
        let line = log.lines().find(|line| line.contains("client authentication failed")).expect("a line");
        assert!(line.contains(&format!("client={id} ")), "{line}");
    }

    fn a_settings_file_with_a_password_is_nobodys_to_read(here: Installation) {
        let told = |text: &str, mode| {
            let file = here.file("tessera.toml", text);
            set_mode(Path::new(&file), mode);
            let done = here.run_after("unset TESSERA_DATABASE_URL", &["doctor", "--json", "--config", &file]);
            let mut warnings = found(&done, "warning");
            warnings.retain(|(_, told)| told.contains("holds the password"));
            warnings
        };
        let secret = "migrate_database_url = 'postgres://owner:hunter2@127.0.0.1:1/x'";
        let warned = told(secret, 0o644);
        assert_eq!(warned.len(), 1, "{warned:?}");
        assert!(warned[0].1.contains("chmod 640") && !warned[0].1.contains("hunter2"), "{warned:?}");
        assert!(told(secret, 0o640).is_empty());
        assert!(told("migrate_database_url = 'postgres://owner@127.0.0.1:1/x'", 0o644).is_empty());
        assert!(told("database_url = 'sqlite:data/tessera.db'", 0o644).is_empty());
    }
}

#[test]
fn doctor_tells_of_a_directory_of_another_user() {
    let here = Installation::sqlite();
    // Root's alone, on every machine.
    let done = here.run_unprivileged(&["doctor", "--json", "--data-dir", "/root"]);
    assert_eq!(done.code, 1, "{done:?}");
    let failed = found(&done, "failure");
    let checks: Vec<&str> = failed.iter().map(|(check, _)| check.as_str()).collect();
    assert_eq!(checks, ["data_dir", "database", "master key"], "{failed:?}");
    assert!(failed[0].1.contains("chown -R"), "{failed:?}");
    assert!(!done.out.contains("isn't there yet"), "{}", done.out);
}

#[test]
fn a_key_file_that_may_not_be_read_is_there_all_the_same() {
    let here = Installation::sqlite().ready();
    here.tenant("acme");
    here.give_away();
    set_mode(&here.path("data/master.key"), 0);
    let done = here.run_unprivileged(&["doctor", "--json"]);
    let failed = found(&done, "failure");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(
        failed[0].1.contains("Permission denied") && failed[0].1.contains("owner and mode"),
        "{failed:?}"
    );
    assert!(!failed[0].1.contains("is missing"), "{failed:?}");
}

#[test]
fn a_database_that_cannot_be_written_is_not_served() {
    let here = Installation::sqlite().ready();
    here.tenant("acme");
    here.give_away();
    let database = here.path("data/tessera.db");
    set_mode(&database, 0o400);
    let done = here.run_unprivileged(&["serve", "--listen", "127.0.0.1:0", "--json"]);
    assert_eq!((done.code, done.out.as_str()), (1, ""), "{done:?}");
    assert!(
        done.err.contains("can't be written") && done.err.contains("tessera.db"),
        "{done:?}"
    );
}

#[test]
fn what_is_no_database_is_told_so() {
    let here = Installation::sqlite().ready();
    let database = here.path("data/tessera.db");
    std::fs::write(&database, "notes, and no database at all. ".repeat(200)).expect("written");
    for command in [
        &["tenant", "list"] as &[&str],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let told = here.refused(command, "schema_unusable");
        assert!(
            told.contains("the database can't be read") && told.contains("not a database"),
            "{told}"
        );
        assert!(!told.contains("brought up to date"), "{told}");
    }
    let failed = failures(&here);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].1.contains("is Tessera's database"), "{failed:?}");
}

#[test]
fn what_only_looks_makes_no_installation() {
    let here = Installation::sqlite();
    for command in [
        "tenant list",
        "tenant show acme",
        "tenant update acme --name Acme",
        "tenant delete acme --yes",
        "tenant export acme --output acme.jsonl",
        "user list --tenant acme",
        "user create --tenant acme --email ana@acme.example",
        "user import --tenant acme -",
        "client list --tenant acme",
        "domain list --tenant acme",
        "key list --tenant acme",
        "resource list --tenant acme",
        "role grant --tenant acme --email ana@acme.example administrator",
        "external-subject list --tenant acme",
        "master-key rotate",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        let told = here.refused(&words, "no_database");
        assert!(
            told.contains("data/tessera.db") && told.contains("--data-dir"),
            "{told}"
        );
        assert!(!here.path("data").exists(), "{command}");
    }
    for command in [
        "operator create --name Deployment",
        "tenant create acme --name Acme",
        "tenant import acme.jsonl",
    ] {
        let here = Installation::sqlite();
        here.file(
            "acme.jsonl",
            "{\"kind\":\"tenant\",\"slug\":\"globex\",\"name\":\"Globex\"}\n",
        );
        let words: Vec<&str> = command.split(' ').collect();
        let done = here.run(&words);
        assert!(here.path("data/tessera.db").exists(), "{command}: {done:?}");
    }
}

#[test]
fn an_import_of_nothing_is_no_success() {
    let here = Installation::sqlite().ready();
    let empty = here.file("acme.jsonl", "");
    for more in [&[] as &[&str], &["--dry-run"], &["--skip-existing"]] {
        let told = here.refused(
            &[&["tenant", "import", &empty], more].concat(),
            "empty_import",
        );
        assert!(told.contains("broke off"), "{told}");
    }
}

#[test]
fn the_servers_log_in_may_ask_whether_there_is_anything_to_migrate() {
    let mut here = Installation::postgres().ready();
    let owner = here.database_url();
    let name = owner
        .rsplit('/')
        .next()
        .expect("a name")
        .split('?')
        .next()
        .expect("a name")
        .to_owned();
    let role = format!("{name}_server");
    here.raw()
        .execute(&format!(
            "CREATE ROLE {role} LOGIN NOINHERIT PASSWORD 'test'; GRANT tessera_app TO {role}"
        ))
        .expect("a role");
    let mut url = url::Url::parse(&owner).expect("a URL");
    url.set_username(&role).expect("a name");
    url.set_password(Some("test")).expect("a password");
    here.set("TESSERA_DATABASE_URL", url.as_str());
    let done = here.run(&["migrate", "--json"]);
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
    here.raw().execute(newer).expect("inserted");
    let told = here.run(&["migrate"]);
    here.raw()
        .execute("DELETE FROM __diesel_schema_migrations WHERE version = '99990101000000' OR version = (SELECT max(version) FROM __diesel_schema_migrations WHERE version < '9999')")
        .expect("deleted");
    let pending = here.run(&["migrate"]);
    here.raw()
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .expect("dropped");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("\"migrated\": []"), "{done:?}");
    assert!(
        told.code == 1 && told.err.contains("newer version of tessera"),
        "{told:?}"
    );
    assert!(
        pending.code == 1 && pending.err.contains("TESSERA_MIGRATE_DATABASE_URL"),
        "{pending:?}"
    );
}
