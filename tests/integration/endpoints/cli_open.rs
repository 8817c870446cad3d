//! From nothing, and from what can't be worked with: settings, schema, master key, wrong usage.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::support::command::{Installation, command_test};
use crate::support::database::migration_files;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").mode() & 0o777
}

#[test]
fn an_embedded_database_needs_no_preparation() {
    let here = Installation::sqlite();
    let done = here.run(&["tenant", "create", "acme", "--name", "Acme", "--json"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.err.contains("Keep a copy"),
        "whoever has a new key is told to keep it: {}",
        done.err
    );
    assert_eq!(mode(&here.path("data")), 0o700);
    assert_eq!(mode(&here.path("data/master.key")), 0o600);
    assert_eq!(mode(&here.path("data/tessera.db")), 0o600);
    let done = here.run(&["tenant", "list"]);
    assert_eq!(
        (done.code, done.err.as_str()),
        (0, ""),
        "the second time nothing is made"
    );
    assert!(done.out.contains("acme"), "{}", done.out);
}

#[test]
fn two_commands_may_be_the_first_at_once() {
    let here = Installation::sqlite();
    std::thread::scope(|scope| {
        for slug in ["one", "two", "three"] {
            let here = &here;
            // Nothing of an installation that a test shares between threads is changed.
            let directory = here.path("data");
            scope.spawn(move || {
                let mut other = std::process::Command::new(env!("CARGO_BIN_EXE_tessera"));
                let done = other
                    .env_clear()
                    .env("TESSERA_DATA_DIR", directory)
                    .args(["tenant", "create", slug, "--name", slug])
                    .output()
                    .expect("it runs");
                assert!(done.status.success(), "{done:?}");
            });
        }
    });
    assert_eq!(
        here.json(&["tenant", "list"])["tenants"]
            .as_array()
            .expect("a list")
            .len(),
        4,
        "with that of the operators"
    );
}

#[test]
fn postgresql_is_prepared_by_hand() {
    let here = Installation::postgres();
    let told = here.refused(&["tenant", "list"], "schema_outdated");
    assert!(told.contains("tessera migrate"), "{told}");
    assert_eq!(
        here.json(&["migrate"])["migrated"]
            .as_array()
            .expect("a list")
            .len(),
        migration_files("postgres").len() / 2
    );
    assert_eq!(
        here.json(&["migrate"])["migrated"]
            .as_array()
            .expect("a list")
            .len(),
        0
    );
    let told = here.refused(&["tenant", "list"], "master_key_unusable");
    assert!(told.contains("tessera master-key create"), "{told}");
    here.ok(&["master-key", "create"]);
    here.ok(&["tenant", "list"]);
}

command_test! {
    fn a_schema_that_is_not_ours_is_refused(here: Installation) {
        here.tenant("acme");
        here.raw().execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')").expect("inserted");
        let told = here.refused(&["tenant", "list"], "schema_unusable");
        assert!(told.contains("newer version of tessera"), "{told}");
        here.refused(&["migrate"], "schema_unusable");
        here.refused(&["serve", "--listen", "127.0.0.1:0"], "schema_unusable");
    }

    fn a_wrong_or_lost_master_key_is_refused(here: Installation) {
        here.tenant("acme");
        let (key, kept) = (here.path("data/master.key"), here.path("kept"));
        std::fs::rename(&key, &kept).expect("moved");
        let told = here.refused(&["tenant", "list"], "master_key_unusable");
        assert!(told.contains("put your copy of it there"), "{told}");
        assert!(!key.exists(), "no other key is made");
        here.ok(&["master-key", "create"]);
        let told = here.refused(&["tenant", "list"], "master_key_unusable");
        assert!(told.contains("not the database's"), "{told}");
        here.refused(&["serve", "--listen", "127.0.0.1:0"], "master_key_unusable");
        std::fs::write(&key, "not a key").expect("written");
        here.refused(&["tenant", "list"], "master_key_unusable");
        std::fs::rename(&kept, &key).expect("moved back");
        here.ok(&["tenant", "list"]);
    }
}

#[test]
fn the_master_key_may_come_from_the_environment() {
    let mut here = Installation::sqlite();
    let key = here.ok(&["master-key", "create", "--print"]);
    assert!(!here.path("data").exists(), "nothing is written");
    here.set("TESSERA_MASTER_KEY", &key);
    here.tenant("acme");
    assert!(!here.path("data/master.key").exists());
    assert_eq!(
        here.json(&["master-key", "create", "--print"])["master_key"]
            .as_str()
            .expect("a key")
            .len(),
        44
    );
}

#[test]
fn wrong_settings_are_all_told_at_once() {
    let mut here = Installation::sqlite();
    here.set("TESSERA_LISTN", "127.0.0.1:1");
    here.set("TESSERA_DATABASE_TIMEOUT", "soon");
    let told = here.refused(&["tenant", "list"], "invalid_configuration");
    assert!(
        told.contains("TESSERA_LISTEN") && told.contains("isn't a duration"),
        "{told}"
    );
    assert!(!here.path("data").exists(), "nothing is made");
}

#[test]
fn a_database_that_is_away_is_told_at_once() {
    let here = Installation::sqlite();
    let told = here.refused(
        &[
            "tenant",
            "list",
            "--database-url",
            "postgres://nobody:hunter2@127.0.0.1:1/none",
        ],
        "schema_unusable",
    );
    assert!(
        told.contains("can't be reached") && !told.contains("hunter2"),
        "{told}"
    );
}

#[test]
fn wrong_usage_ends_with_2() {
    let here = Installation::sqlite();
    for wrong in [
        &[] as &[&str],
        &["nothing"],
        &["tenant"],
        &["tenant", "create", "acme"],
        &["tenant", "update", "acme"],
        &["tenant", "list", "--limit", "0"],
        &["user", "show", "--tenant", "acme"],
        &[
            "user",
            "create",
            "--tenant",
            "acme",
            "--email",
            "not-an-address",
        ],
        &[
            "user",
            "create",
            "--tenant",
            "acme",
            "--email",
            "a@b.example",
            "--role",
            "king",
        ],
        &[
            "user",
            "update",
            "--tenant",
            "acme",
            "--email",
            "a@b.example",
        ],
        &[
            "role",
            "grant",
            "--tenant",
            "acme",
            "--email",
            "a@b.example",
            "king",
        ],
        &[
            "client",
            "create",
            "--tenant",
            "acme",
            "--redirect-uri",
            "https://a.example",
        ],
        &["client", "show", "--tenant", "acme", "not-an-id"],
        &["key", "revoke", "--tenant", "acme"],
        &["key", "rotate", "--tenant", "acme", "--algorithm", "HS256"],
        &["operator", "create"],
        &[
            "operator",
            "create",
            "--name",
            "a",
            "--email",
            "a@b.example",
        ],
        &["master-key", "create", "--print", "--file", "x"],
    ] {
        here.misused(wrong);
    }
    assert!(!here.path("data").exists(), "nothing is made");
    let done = here.run(&["nothing"]);
    assert_eq!((done.code, done.out.as_str()), (2, ""));
}

#[test]
fn help_and_version_are_answers() {
    let here = Installation::sqlite();
    for asked in [
        &["--help"] as &[&str],
        &["--version"],
        &["tenant", "create", "--help"],
        &["help", "client"],
    ] {
        let done = here.run(asked);
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{asked:?}");
        assert!(!done.out.is_empty());
    }
    let done = here.run(&["--help"]);
    for later in ["import", "export"] {
        assert!(!done.out.contains(later), "{later} isn't there yet");
    }
}
