//! Very many tenants on one node: made by `tessera tenant import`, then asked at random.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::browser::Browser;
use crate::load::{self, Outcome, Shape, Work, measure};
use crate::memory;
use crate::plot::{self, Line};
use crate::process::{Process, free_port};
use crate::scene::{Database, postgres_database, run as command, settle, tessera};
use crate::wire::{Answer, basic, bearer, get, post};
use crate::{Options, Result};

/// What `benches/tenants.py` gives every confidential client.
const SECRET: &str = "a-secret-that-benchmarks-know-0123456789";
/// Where its ids begin.
const EPOCH_MS: u128 = 1_700_000_000_000;
/// Requests a second, far below what the server can do: latency, not queues.
const PACE: f64 = 400.0;
/// As many tenants are read one after the other where nothing is in memory yet.
const COLD: usize = 5_000;
/// After this time a node has begun to write down which clients were used.
const NOTED: Duration = Duration::from_secs(75);

fn slug(number: usize) -> String {
    format!("tenant-{number:06}")
}

/// The id of a tenant's confidential client, as `benches/tenants.py` makes it.
fn client_id(number: usize) -> Uuid {
    let number = number as u128;
    Uuid::from_u128(((EPOCH_MS + number) << 80) | (0x7 << 76) | (2 << 64) | (0x2 << 62) | number)
}

/// Numbers that nobody could foresee, and that are the same each time (a linear congruential generator, Knuth's constants).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound
    }
}

/// What is asked of a tenant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Token,
    Keys,
    SignInPage,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Token, Self::Keys, Self::SignInPage];

    const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Keys => "JWKS",
            Self::SignInPage => "sign-in page",
        }
    }

    fn request(self, host: &str, number: usize) -> Vec<u8> {
        let path = format!("/t/{}", slug(number));
        match self {
            Self::Token => {
                let header = basic(&client_id(number).to_string(), SECRET);
                post(
                    host,
                    &format!("{path}/token"),
                    &header,
                    &[("grant_type", "client_credentials")],
                )
            }
            Self::Keys => get(host, &format!("{path}/jwks"), ""),
            Self::SignInPage => get(host, &format!("{path}/login"), "Accept: text/html\r\n"),
        }
    }
}

/// Requests at tenants: at random, or one after the other.
struct Asking {
    kind: Kind,
    host: String,
    tenants: usize,
    random: Option<Random>,
    at: usize,
    left: usize,
}

impl Work for Asking {
    fn next(&mut self, _: usize, _: Option<&Answer>) -> Option<Vec<u8>> {
        self.left = self.left.checked_sub(1)?;
        self.at += 1;
        let number = match &mut self.random {
            Some(random) => random.below(self.tenants),
            None => self.at % self.tenants,
        };
        Some(self.kind.request(&self.host, number + 1))
    }
}

struct Installation {
    environment: Vec<(String, String)>,
    folder: tempfile::TempDir,
}

impl Installation {
    fn new(options: &Options, database: Database) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut environment = vec![(
            "TESSERA_DATA_DIR".to_owned(),
            folder.path().display().to_string(),
        )];
        if database == Database::Postgres {
            environment.push((
                "TESSERA_DATABASE_URL".to_owned(),
                postgres_database(options, "tessera_bench")?,
            ));
            command(&environment, "", &["master-key", "create"])?;
        }
        command(&environment, "", &["migrate"])?;
        Ok(Self {
            environment,
            folder,
        })
    }

    /// Imports tenants, and says how long that took, without what the database does about it later.
    fn import(&self, file: &Path) -> Result<Duration> {
        let begun = Instant::now();
        let done = Command::new(tessera())
            .args(["--json", "tenant", "import"])
            .arg(file)
            .envs(self.environment.iter().cloned())
            .stdout(Stdio::null())
            .output()?;
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into_owned().into());
        }
        let took = begun.elapsed();
        self.settle()?;
        Ok(took)
    }

    /// Has PostgreSQL, where it is one, do at once what it would do later.
    fn settle(&self) -> Result<()> {
        let database = self.environment.iter();
        for (_, url) in database.filter(|(name, _)| name == "TESSERA_DATABASE_URL") {
            settle(url)?;
        }
        Ok(())
    }

    /// Waits until a server has written what a node notes in memory, and the database has done with that: all clients of all tenants were used for
    /// the first time within a minute here, which happens to no node, and that would be measured in place of what is asked.
    fn calm(&self, server: &Process, started: Instant) -> Result<()> {
        std::thread::sleep(NOTED.saturating_sub(started.elapsed()));
        let mut used = server.cpu();
        for _ in 0..60 {
            std::thread::sleep(Duration::from_secs(2));
            let before = std::mem::replace(&mut used, server.cpu());
            if used - before < 0.05 {
                break;
            }
        }
        self.settle()
    }

    fn serve(&self, options: &Options) -> Result<(Process, String, Duration)> {
        let port = free_port()?;
        let log = std::fs::File::create(self.folder.path().join("log"))?;
        let begun = Instant::now();
        let server = Process::spawn(
            &tessera(),
            |command| {
                command
                    .arg("serve")
                    .envs(self.environment.iter().cloned())
                    .stderr(log);
                command.env("TESSERA_LISTEN", format!("127.0.0.1:{port}"));
                command.env(
                    "TESSERA_PUBLIC_URL",
                    format!("http://localhost:{port}/t/{{tenant}}"),
                );
            },
            options.server_core,
            port,
        )?;
        server.wait("/health/ready", Duration::from_mins(1))?;
        Ok((server, format!("localhost:{port}"), begun.elapsed()))
    }
}

/// What one size came to.
struct Size {
    tenants: usize,
    imported: Duration,
    ready: Duration,
    idle: f64,
    warm_memory: f64,
    cold: [Outcome; 3],
    warm: [Outcome; 3],
    admin: Vec<(&'static str, Outcome)>,
    created: Outcome,
    during_deletion: Outcome,
}

fn paced(options: &Options) -> Shape {
    Shape {
        connections: 4,
        warm_up: Duration::from_millis(500),
        duration: options.duration(),
        pace: Some(PACE / 4.0),
    }
}

fn one_by_one() -> Shape {
    Shape {
        connections: 1,
        warm_up: Duration::ZERO,
        duration: Duration::from_mins(10),
        pace: None,
    }
}

fn of_kinds(measured: impl FnMut(Kind) -> Result<Outcome>) -> Result<[Outcome; 3]> {
    let all: Vec<Outcome> = Kind::ALL.into_iter().map(measured).collect::<Result<_>>()?;
    all.try_into().map_err(|_| "three kinds".into())
}

#[expect(
    clippy::too_many_lines,
    reason = "what is done at one size, in its order"
)]
fn size(options: &Options, database: Database, tenants: usize) -> Result<Size> {
    let installation = Installation::new(options, database)?;
    let file = installation.folder.path().join("tenants.jsonl");
    let made = Command::new("python3")
        .args(["benches/tenants.py", &tenants.to_string()])
        .stdout(std::fs::File::create(&file)?)
        .status()?;
    if !made.success() {
        return Err("benches/tenants.py failed".into());
    }
    let imported = installation.import(&file)?;
    let operator = command(
        &installation.environment,
        "",
        &["operator", "create", "--name", "Benchmark"],
    )?;
    // Cold: each kind is asked of a server that has just started.
    let cold = of_kinds(|kind| {
        let (server, host, _) = installation.serve(options)?;
        let left = COLD.min(tenants.max(1));
        measure(
            &server,
            Asking {
                kind,
                host,
                tenants,
                random: None,
                at: 0,
                left,
            },
            one_by_one(),
        )
    })?;
    let started = Instant::now();
    let (server, host, ready) = installation.serve(options)?;
    std::thread::sleep(Duration::from_secs(2));
    let idle = server.memory();
    // Warm: every tenant was asked for its token and its page once.
    for kind in [Kind::Token, Kind::SignInPage] {
        let work = Asking {
            kind,
            host: host.clone(),
            tenants,
            random: None,
            at: 0,
            left: tenants,
        };
        measure(
            &server,
            work,
            Shape {
                connections: 8,
                ..one_by_one()
            },
        )?;
    }
    installation.calm(&server, started)?;
    let random = |kind| Asking {
        kind,
        host: host.clone(),
        tenants,
        random: Some(Random(7)),
        at: 0,
        left: usize::MAX,
    };
    let warm = of_kinds(|kind| measure(&server, random(kind), paced(options)))?;
    let warm_memory = server.memory();
    let token = admin_token(&server, &host, &operator)?;
    let admin = admin_pages(&installation, &server, &host, &token, tenants)?;
    let created = {
        let requests = (0..200).map(|number| {
            let body = format!("{{\"slug\":\"made-{number}\",\"name\":\"Made {number}\"}}");
            json_request("POST", &host, "/api/v1/tenants", &token, &body)
        });
        measure(
            &server,
            Expecting(requests.collect::<Vec<_>>().into_iter(), 201),
            one_by_one(),
        )?
    };
    let during_deletion = {
        let slug = slug(tenants);
        let request = json_request(
            "DELETE",
            &host,
            &format!("/api/v1/tenants/{slug}"),
            &token,
            "",
        );
        let port = server.port;
        let deleting = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(700));
            load::ask(port, &request)
                .map(|answer| answer.status)
                .map_err(|error| error.to_string())
        });
        let work = Asking {
            kind: Kind::Token,
            host: host.clone(),
            tenants: tenants.saturating_sub(1).max(1),
            random: Some(Random(9)),
            at: 0,
            left: usize::MAX,
        };
        // With one tenant there is nobody else to ask.
        let measured = if tenants > 1 {
            measure(&server, work, paced(options))?
        } else {
            warm[0].clone()
        };
        let status = deleting.join().map_err(|_| "the deletion panicked")??;
        if !(200..300).contains(&status) {
            return Err(format!("the deletion was answered by {status}").into());
        }
        measured
    };
    Ok(Size {
        tenants,
        imported,
        ready,
        idle,
        warm_memory,
        cold,
        warm,
        admin,
        created,
        during_deletion,
    })
}

/// Each request once, each to be answered so.
struct Expecting(std::vec::IntoIter<Vec<u8>>, u16);

impl Work for Expecting {
    fn next(&mut self, _: usize, _: Option<&Answer>) -> Option<Vec<u8>> {
        self.0.next()
    }

    fn status(&self) -> u16 {
        self.1
    }
}

fn json_request(method: &str, host: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/json\r\n"
    };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{}{kind}Content-Length: {}\r\n\r\n{body}",
        bearer(token),
        body.len()
    )
    .into_bytes()
}

fn admin_token(server: &Process, host: &str, operator: &serde_json::Value) -> Result<String> {
    let text = |member: &str| operator[member].as_str().unwrap_or_default().to_owned();
    let header = basic(&text("client_id"), &text("client_secret"));
    let resource = format!("http://{host}/api/v1");
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", "tessera:admin"),
        ("resource", &resource),
    ];
    load::ask(
        server.port,
        &post(host, "/t/system/token", &header, &fields),
    )?
    .text("access_token")
}

/// An operator's lists, searches and pages, a hundred times each.
fn admin_pages(
    installation: &Installation,
    server: &Process,
    host: &str,
    token: &str,
    tenants: usize,
) -> Result<Vec<(&'static str, Outcome)>> {
    let mut random = Random(11);
    let headers = bearer(token);
    let mut measured = Vec::new();
    let mut take = |name: &'static str, requests: Vec<Vec<u8>>| -> Result<()> {
        measured.push((
            name,
            measure(server, Expecting(requests.into_iter(), 200), one_by_one())?,
        ));
        Ok(())
    };
    let some = 100;
    take(
        "API: a page of tenants",
        vec![get(host, "/api/v1/tenants?limit=100", &headers); some],
    )?;
    let mut searched = |prefix: &str, headers: &str| -> Vec<Vec<u8>> {
        (0..some)
            .map(|_| {
                get(
                    host,
                    &format!("{prefix}{}", slug(random.below(tenants) + 1)),
                    headers,
                )
            })
            .collect()
    };
    take(
        "API: a tenant by search",
        searched("/api/v1/tenants?search=", &headers),
    )?;
    take("API: one tenant", searched("/api/v1/tenants/", &headers))?;
    let page = load::ask(
        server.port,
        &get(host, "/api/v1/tenants?limit=100", &headers),
    )?
    .json()?;
    if let Some(cursor) = page["next_cursor"].as_str() {
        take(
            "API: the second page",
            vec![
                get(
                    host,
                    &format!("/api/v1/tenants?limit=100&cursor={cursor}"),
                    &headers
                );
                some
            ],
        )?;
    }
    let cookies = console_session(installation, server, host)?;
    let cookie = format!("Cookie: {cookies}\r\nAccept: text/html\r\n");
    take(
        "console: overview",
        vec![get(host, "/t/system/console", &cookie); some],
    )?;
    take(
        "console: tenants",
        vec![get(host, "/t/system/console/tenants", &cookie); some],
    )?;
    take(
        "console: tenants by search",
        searched("/t/system/console/tenants?q=", &cookie),
    )?;
    take(
        "console: audit",
        vec![get(host, "/t/system/console/audit", &cookie); some],
    )?;
    Ok(measured)
}

/// An operator signs in to the console.
fn console_session(installation: &Installation, server: &Process, host: &str) -> Result<String> {
    let address = format!("TESSERA_PUBLIC_URL=http://{host}/t/{{tenant}}");
    let mut environment = installation.environment.clone();
    let (name, value) = address.split_once('=').ok_or("an assignment")?;
    environment.push((name.to_owned(), value.to_owned()));
    let made = command(
        &environment,
        "",
        &["operator", "create", "--email", "operator@example.com"],
    )?;
    let link = made["link"]["url"]
        .as_str()
        .or_else(|| made["link"].as_str())
        .or_else(|| made["url"].as_str());
    let link = link.ok_or_else(|| format!("no link: {made}"))?;
    let path = link
        .split_once(host)
        .map(|(_, path)| path.to_owned())
        .ok_or("a link to elsewhere")?;
    let password = "a long and unusual pass phrase";
    let mut browser = Browser::new(host, server.port);
    let html = "Accept: text/html\r\n";
    let page = browser.open(get(host, &path, html))?;
    browser.submit(
        &String::from_utf8_lossy(&page.body),
        &[("new_password", password), ("confirm_password", password)],
    )?;
    let headers = format!("Cookie: {}\r\n{html}", browser.header());
    let mut page = browser.open(get(host, "/t/system/console", &headers))?;
    let body = String::from_utf8_lossy(&page.body).into_owned();
    if body.contains("id=\"password\"") {
        page = browser.submit(
            &body,
            &[("username", "operator@example.com"), ("password", password)],
        )?;
    }
    if page.status != 200 {
        return Err(format!("the console is shut: {}", page.head).into());
    }
    Ok(browser.header())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn head(sizes: &[Size]) {
    let columns: Vec<String> = sizes.iter().map(|size| size.tenants.to_string()).collect();
    println!(
        "| | {} |\n| --- |{}",
        columns.join(" | "),
        " --- |".repeat(sizes.len())
    );
}

fn line(name: &str, sizes: &[Size], value: impl Fn(&Size) -> String) {
    println!(
        "| {name} | {} |",
        sizes.iter().map(value).collect::<Vec<_>>().join(" | ")
    );
}

fn table(sizes: &[Size]) {
    let two = |outcome: &Outcome| {
        format!(
            "{:.2} / {:.2} ms",
            outcome.percentile(0.5),
            outcome.percentile(0.99)
        )
    };
    head(sizes);
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    line("imported, tenants a second", sizes, |size| {
        format!("{:.0}", size.tenants as f64 / size.imported.as_secs_f64())
    });
    line("made one by one by the API, p50 / p99", sizes, |size| {
        two(&size.created)
    });
    line("ready after", sizes, |size| {
        format!("{:.0} ms", milliseconds(size.ready))
    });
    line("memory before the first request", sizes, |size| {
        format!("{:.0} MiB", size.idle)
    });
    line("memory when every tenant is warm", sizes, |size| {
        format!("{:.0} MiB", size.warm_memory)
    });
    for (index, kind) in Kind::ALL.into_iter().enumerate() {
        line(
            &format!("{}, first time, p50 / p99", kind.name()),
            sizes,
            |size| two(&size.cold[index]),
        );
        line(
            &format!("{}, warm, p50 / p99", kind.name()),
            sizes,
            |size| two(&size.warm[index]),
        );
        let one = sizes
            .first()
            .map_or(1.0, |size| size.warm[index].percentile(0.99));
        line(
            &format!("{}, p99 against one tenant (promised: ≤ 1.5)", kind.name()),
            sizes,
            |size| format!("{:.1}×", size.warm[index].percentile(0.99) / one),
        );
    }
    line(
        "token while a tenant is deleted, p50 / p99",
        sizes,
        |size| two(&size.during_deletion),
    );
    let pages = sizes.last().map_or(&[][..], |size| size.admin.as_slice());
    for (name, _) in pages {
        line(&format!("{name}, p50 / p99"), sizes, |size| {
            size.admin
                .iter()
                .find(|(known, _)| known == name)
                .map_or_else(|| "—".to_owned(), |(_, outcome)| two(outcome))
        });
    }
}

/// The rows about very many tenants.
pub fn run(options: &Options) -> Result<()> {
    println!("memory: {}", memory::idle_reads());
    let mut lines = Vec::new();
    for database in [Database::Sqlite, Database::Postgres] {
        if database == Database::Postgres && options.postgres.is_none() {
            continue;
        }
        let mut sizes = Vec::new();
        for tenants in &options.sizes {
            sizes.push(size(options, database, *tenants)?);
            eprintln!("{}, {tenants} tenants: done", database.name());
        }
        println!("\n{}\n", database.name());
        table(&sizes);
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
            let points = sizes
                .iter()
                .map(|size| (size.tenants as f64, size.warm[index].percentile(0.99)));
            lines.push(Line {
                name: format!("{}, {}", kind.name(), database.name()),
                points: points.collect(),
            });
        }
    }
    match &options.plot {
        Some(path) => Ok(std::fs::write(path, plot::draw(&lines))?),
        None => Ok(()),
    }
}
