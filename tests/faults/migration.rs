//! A migration that is killed between its statements leaves nothing half done: the next one does all of it. The same with a first start,
//! which makes directory, key and schema. Two that begin at once do it once. What was left out, or made by a newer program, is noticed.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use crate::Options;
use crate::support::database::{Database, Kind};
use crate::support::proxy::Proxy;
use crate::support::shim::Shim;
use crate::support::site::Site;
use crate::support::{postgres, random::Random};

pub fn run(options: &Options, kind: Kind) -> String {
    let mut random = options.random("migration");
    let reference = schema(&Site::new(kind).database);
    assert!(reference.len() > 20, "{reference:?}");
    let most = options.runs(7);
    let killed = match kind {
        Kind::Sqlite => {
            let first_start = ["operator", "create", "--name", "Deployment"];
            let migrations = killed_at_changes(&["migrate"], "", &reference, most, &mut random);
            let starts = killed_at_changes(&first_start, "", &reference, most, &mut random);
            // Few, and without it nothing that is stored can be opened.
            let keys = killed_at_changes(&first_start, "master.key", &reference, 20, &mut random);
            format!(
                "killed at {} of {} changes of files, first starts at {} of {}, and of its key at {} of {}",
                migrations.0, migrations.1, starts.0, starts.1, keys.0, keys.1
            )
        }
        Kind::Postgres => {
            let (done, total) = cut_at_messages(&reference, most, &mut random);
            format!("cut at {done} of {total} messages")
        }
    };
    both_at_once(kind, &reference);
    noticed(kind);
    killed
}

/// Everything that the schema consists of.
fn schema(database: &Database) -> Vec<String> {
    database.texts(match database {
        Database::Sqlite(_) => "SELECT name || ' ' || coalesce(sql, '') AS value FROM sqlite_master ORDER BY 1",
        Database::Postgres(_) => {
            "SELECT value FROM (SELECT table_name || '.' || column_name || ' ' || data_type || is_nullable AS value FROM information_schema.columns \
             WHERE table_schema = 'public' UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL SELECT tablename || policyname || coalesce(qual, '') \
             FROM pg_policies UNION ALL SELECT conrelid::regclass::text || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
             UNION ALL SELECT relname || relrowsecurity || relforcerowsecurity || coalesce(relacl::text, '') FROM pg_class WHERE relnamespace = 'public'::regnamespace) all_of_it ORDER BY 1"
        }
    })
}

/// So many of the numbers up to `total`, all of them where there are no more.
fn sample(total: u64, most: u64, random: &mut Random) -> Vec<u64> {
    if total <= most {
        return (1..=total).collect();
    }
    // The first and the last ones, where the odd things are, and some between.
    let mut chosen = vec![1, 2, 3, total - 1, total];
    while (chosen.len() as u64) < most {
        chosen.push(1 + random.below(total));
    }
    chosen.truncate(usize::try_from(most).expect("few"));
    chosen
}

/// A command that begins from nothing, killed before its n-th change of a file (whose path has `counted` in it) and run again.
fn killed_at_changes(
    command: &[&str],
    counted: &str,
    reference: &[String],
    most: u64,
    random: &mut Random,
) -> (usize, u64) {
    let begin = || {
        let mut site = Site::empty(Kind::Sqlite);
        let shim = Shim::under(&mut site);
        Shim::count_only(&mut site, counted);
        (site, shim)
    };
    let (site, shim) = begin();
    shim.die_before(0);
    site.json(command);
    let total = u64::try_from(shim.changes()).expect("a number");
    let chosen = sample(total, most, random);
    for number in &chosen {
        let (site, shim) = begin();
        let change = i64::try_from(*number).expect("few");
        shim.die_before(change);
        let (status, ..) = site.run_with("", command);
        // One more or less happens: two threads that write share a commit or don't.
        let ended = status.success() && shim.changes() < change;
        assert!(
            ended || !status.success(),
            "it was to be killed before change {number}"
        );
        shim.die_before(0);
        let (status, out, err) = site.run_with("", command);
        assert!(
            status.success(),
            "killed before change {number}, then: {status} {out}{err}"
        );
        assert_eq!(
            schema(&site.database),
            reference,
            "killed before change {number}"
        );
        if command == ["migrate"] {
            site.json(&["master-key", "create"]);
        }
        site.json(&["tenant", "create", "acme", "--name", "Acme"]);
        site.expect_sound();
    }
    (chosen.len(), total)
}

/// A migration of PostgreSQL, cut after its n-th message and run again.
fn cut_at_messages(reference: &[String], most: u64, random: &mut Random) -> (usize, u64) {
    let proxy = Proxy::before(postgres::shared().port());
    let begin = || {
        let direct = postgres::shared().database();
        let directory = || tempfile::tempdir().expect("a directory");
        let by_proxy = Site::at(directory(), Database::Postgres(proxy.url(&direct)));
        (Site::at(directory(), Database::Postgres(direct)), by_proxy)
    };
    let (_, by_proxy) = begin();
    proxy.cut_after(None);
    by_proxy.json(&["migrate"]);
    let total = proxy.forwarded();
    let chosen = sample(total - 1, most, random);
    for number in &chosen {
        let (site, by_proxy) = begin();
        proxy.cut_after(Some(*number));
        let (status, out, err) = by_proxy.run_with("", &["--json", "migrate"]);
        // The last message is the farewell: whoever doesn't get to say it has done everything.
        assert!(
            *number >= total - 1 || !status.success(),
            "cut after {number} of {total}: {out}"
        );
        assert!(
            status.success() || err.contains("error_description"),
            "cut after {number}: nothing is said: {err}"
        );
        proxy.cut_after(None);
        let (status, out, err) = site.run_with("", &["migrate"]);
        assert!(
            status.success(),
            "cut after message {number}, then: {status} {out}{err}"
        );
        assert_eq!(
            schema(&site.database),
            reference,
            "cut after message {number}"
        );
        site.json(&["master-key", "create"]);
        site.json(&["tenant", "create", "acme", "--name", "Acme"]);
        site.expect_sound();
    }
    (chosen.len(), total)
}

/// Several begin at once, migrations and servers.
fn both_at_once(kind: Kind, reference: &[String]) {
    let site = Site::empty(kind);
    let begin = |mut command: Command| {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("it starts")
    };
    let all: Vec<_> = (0..4).map(|_| begin(site.command(&["migrate"]))).collect();
    for one in all {
        let done = one.wait_with_output().expect("it ends");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    assert_eq!(schema(&site.database), reference);
    site.json(&["master-key", "create"]);
    if kind == Kind::Postgres {
        let servers: Vec<_> = std::thread::scope(|scope| {
            let starting: Vec<_> = (0..2).map(|_| scope.spawn(|| site.serve())).collect();
            starting
                .into_iter()
                .map(|server| server.join().expect("it serves"))
                .collect()
        });
        for server in &servers {
            server.ready();
        }
    }
    site.json(&["tenant", "create", "acme", "--name", "Acme"]);
    site.expect_sound();
}

/// What isn't as this program would have made it.
fn noticed(kind: Kind) {
    let site = Site::new(kind);
    let versions = site
        .database
        .texts("SELECT version AS value FROM __diesel_schema_migrations ORDER BY 1");
    let add = |version: &str| {
        site.database.run(&format!(
            "INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}')"
        ));
    };
    let remove = |version: &str| {
        site.database.run(&format!(
            "DELETE FROM __diesel_schema_migrations WHERE version = '{version}'"
        ));
    };
    let serve = ["--json", "serve", "--listen", "127.0.0.1:0"];
    let refused = |command: &[&str], word: &str| {
        let (status, out, err) = site.run_with("", command);
        assert!(
            status.code() == Some(1) && err.contains(word),
            "{command:?}: {status} {out}{err}"
        );
    };
    // A newer program's.
    add("99991231000000");
    refused(&["--json", "migrate"], "newer version");
    refused(&serve, "newer version");
    remove("99991231000000");
    site.expect_sound();
    // The later ones left out: what is there says that they were run, and running them again changes nothing. All of them, as some of the last may
    // be run twice.
    let left_out = &versions[1..];
    let before = schema(&site.database);
    for version in left_out {
        remove(version);
    }
    let mut complaints = String::new();
    for command in [&["--json", "migrate"][..], &serve[..]] {
        let (status, out, err) = site.run_with("", command);
        assert_eq!(status.code(), Some(1), "{command:?}: {out}{err}");
        let _ = write!(complaints, "{err}");
    }
    assert!(complaints.contains("is as it was"), "{complaints}");
    assert_eq!(schema(&site.database), before);
    for version in left_out {
        add(version);
    }
    site.expect_sound();
}
