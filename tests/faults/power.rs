//! Power cuts, simulated below SQLite: everything that the server does to its files is written down, from the making of the data
//! directory to a peaceful end, and so is, in between, what its clients were told. Then the power is cut at random moments: in what may
//! be left on the disk, everything is there that anybody had been told by then, and a server starts on it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Options;
use crate::support::database::{Database, Kind, sqlite};
use crate::support::disk::{Disk, Record, records_of};
use crate::support::http::Body;
use crate::support::random::{Random, hex};
use crate::support::scene::{Admin, Scene, Tokens};
use crate::support::shim::{Marker, Shim};
use crate::support::site::Site;

const PEOPLE: usize = 3;

pub fn run(options: &Options, kind: Kind) -> String {
    let mut random = options.random("power");
    let cuts = options.runs(40);
    let (site, records) = recorded(
        kind,
        Duration::from_millis(1500 + 20 * cuts.min(500)),
        &mut random,
    );
    let told = records
        .iter()
        .filter(|record| matches!(record, Record::Mark(_)))
        .count();

    // The same on a disk that only pretends to sync the write-ahead log: what was told is lost there, or this program sees nothing.
    let mut blind = options.random("a disk that lies");
    let lost = cut_everywhere(&site, &records, Some("-wal"), 12, &mut blind).0;
    assert!(lost > 0, "a disk that loses what was synced isn't noticed");

    let (lost, started) = cut_everywhere(&site, &records, None, cuts, &mut random);
    assert_eq!(lost, 0, "power cuts lost what was told");
    format!(
        "{cuts} cuts in {} changes, {told} answers; {started} servers started on what was left",
        records.len()
    )
}

/// An installation's whole life under load, as the shim wrote it down.
fn recorded(kind: Kind, span: Duration, random: &mut Random) -> (Site, Vec<Record>) {
    let mut site = Site::empty(kind);
    let shim = Shim::under(&mut site);
    shim.record(&mut site);
    let mut marker = shim.marker();
    site.json(&["migrate"]);
    marker.mark("schema");
    let scene = Scene::new(&site, PEOPLE);
    marker.mark("scene");
    let server = site.serve();
    server.ready();
    let (port, end) = (server.port(), Instant::now() + span);
    let people: Vec<_> = (0..PEOPLE)
        .map(|number| {
            let (scene, marker, random) = (scene.clone(), shim.marker(), random.fork());
            thread::spawn(move || {
                grants(&scene, port, number, end, marker, random).expect("the server answers");
            })
        })
        .collect();
    administration(&scene, port, end, shim.marker()).expect("the server answers");
    for person in people {
        person.join().expect("no answer was wrong");
    }
    // The last connection's end moves the whole log into the database and deletes it.
    server.terminate();
    let records = records_of(&shim.recorded());
    (site, records)
}

/// The row's id in a code or token that was handed out, as `hex()` writes it.
fn row_of(handle: &str) -> String {
    let encoded = handle.split_once('_').map_or(handle, |(_, rest)| rest);
    let bytes = URL_SAFE_NO_PAD.decode(encoded).expect("a handle");
    hex(&bytes[..16]).to_uppercase()
}

fn grants(
    scene: &Scene,
    port: u16,
    number: usize,
    end: Instant,
    mut marker: Marker,
    mut random: Random,
) -> io::Result<()> {
    let mut person = scene.person(port, number);
    person.sign_in()?;
    while Instant::now() < end {
        let code = person.code()?;
        let grant = row_of(&code);
        marker.mark(&format!("grant {grant}"));
        let mut tokens = Tokens::of(&person.redeem(&code)?);
        marker.mark(&format!("redeemed {grant}"));
        for _ in 0..random.below(4) {
            let next = Tokens::of(&person.refresh(&tokens.refresh)?);
            marker.mark(&format!("rotated {}", row_of(&tokens.refresh)));
            marker.mark(&format!("token {}", row_of(&next.refresh)));
            tokens = next;
        }
        if random.once_in(3) {
            assert_eq!(person.revoke(&tokens.refresh)?.status, 200);
            marker.mark(&format!("revoked {grant}"));
        }
    }
    Ok(())
}

fn administration(scene: &Scene, port: u16, end: Instant, mut marker: Marker) -> io::Result<()> {
    let mut admin = Admin::of(port, &scene.admin_token(port)?);
    let mut number = 0;
    while Instant::now() < end {
        number += 1;
        let email = format!("made-{number}@acme.example");
        let made = admin.create_user(&email)?;
        assert_eq!(made.status, 201, "{made:?}");
        marker.mark(&format!("user {email}"));
        if number % 4 == 0 {
            let location = made.header("location").expect("a location").to_owned();
            let path = location.split_once("/api/v1").expect("a path of the API").1;
            // Nobody knows, from the moment that it is asked for.
            marker.mark(&format!("deleting {email}"));
            assert_eq!(admin.ask("DELETE", path, Body::Nothing)?.status, 204);
            marker.mark(&format!("deleted {email}"));
        }
    }
    Ok(())
}

/// How many cuts lost something, and how many servers were started on what was left.
fn cut_everywhere(
    site: &Site,
    records: &[Record],
    deaf_to: Option<&'static str>,
    cuts: u64,
    random: &mut Random,
) -> (u64, u64) {
    let total = records.len() as u64;
    let begun = records
        .iter()
        .position(|record| matches!(record, Record::Mark(text) if text == "scene"))
        .expect("the beginning") as u64;
    let mut at: Vec<u64> = (0..cuts)
        // One in eight while the installation is made.
        .map(|_| {
            if deaf_to.is_none() && random.once_in(8) {
                random.below(begun)
            } else {
                begun + random.below(total - begun + 1)
            }
        })
        .collect();
    at.sort_unstable();
    let mut disk = Disk::new(deaf_to);
    let mut told = Told::default();
    let (mut done, mut lost, mut started) = (0, 0, 0);
    for (number, at) in at.into_iter().enumerate() {
        while done < at {
            let record = &records[usize::try_from(done).expect("few")];
            disk.apply(record);
            if let Record::Mark(text) = record {
                told.hear(text);
            }
            done += 1;
        }
        let left = tempfile::tempdir().expect("a folder");
        disk.cut(site.root(), left.path(), random);
        // Looking at the file recovers it, so that the server mustn't come second: one of the two looks.
        let serves = number % 6 == 0 || !told.scene;
        let outcome = if serves && deaf_to.is_none() {
            start(left)
        } else {
            told.compare(left.path())
        };
        started += u64::from(serves);
        if let Err(problem) = outcome {
            if deaf_to.is_none() {
                eprintln!("cut after change {at} of {total}: {problem}");
            }
            lost += 1;
        }
    }
    (lost, started)
}

/// A server starts on what is left, whatever that is, and everything is sound.
fn start(left: tempfile::TempDir) -> Result<(), String> {
    let database = Database::Sqlite(left.path().join("data/tessera.db"));
    let site = Site::at(left, database);
    let attempt = std::panic::AssertUnwindSafe(|| {
        let server = site.serve();
        server.ready();
        server.terminate();
        site.expect_sound();
    });
    std::panic::catch_unwind(attempt).map_err(|_| "no server starts on what is left".to_owned())
}

/// What the clients know.
#[derive(Default)]
struct Told {
    scene: bool,
    facts: BTreeMap<&'static str, BTreeSet<String>>,
}

/// How each kind of fact is found again.
const FACTS: &[(&str, &str)] = &[
    ("grant", "SELECT hex(id) AS value FROM grants"),
    (
        "redeemed",
        "SELECT hex(id) AS value FROM grants WHERE redeemed_at IS NOT NULL",
    ),
    (
        "revoked",
        "SELECT hex(id) AS value FROM grants WHERE revoked_at IS NOT NULL",
    ),
    (
        "rotated",
        "SELECT hex(id) AS value FROM refresh_tokens WHERE rotated_at IS NOT NULL",
    ),
    ("token", "SELECT hex(id) AS value FROM refresh_tokens"),
    ("user", "SELECT email AS value FROM users"),
];

impl Told {
    fn hear(&mut self, text: &str) {
        match text.split_once(' ') {
            None => self.scene |= text == "scene",
            Some(("deleting", email)) => {
                self.facts.entry("user").or_default().remove(email);
            }
            Some(("deleted", email)) => {
                self.facts
                    .entry("deleted")
                    .or_default()
                    .insert(email.to_owned());
            }
            Some((kind, id)) => {
                let (kind, _) = FACTS
                    .iter()
                    .find(|(known, _)| *known == kind)
                    .expect("a kind of fact");
                self.facts.entry(kind).or_default().insert(id.to_owned());
            }
        }
    }

    /// Looks for everything in the database below a folder.
    fn compare(&self, left: &Path) -> Result<(), String> {
        let path = left.join("data/tessera.db");
        if !path.exists() {
            return Err("the database is gone".into());
        }
        let found = sqlite(
            &path,
            "SELECT integrity_check AS value FROM pragma_integrity_check",
        )?;
        if found != ["ok"] {
            return Err(format!("the database is broken: {found:?}"));
        }
        for (kind, query) in FACTS {
            let there: BTreeSet<String> = sqlite(&path, query)?.into_iter().collect();
            let none = BTreeSet::new();
            let told = self.facts.get(kind).unwrap_or(&none);
            let lost: Vec<_> = told.difference(&there).collect();
            if !lost.is_empty() {
                return Err(format!(
                    "{} of {} told are lost ({kind}): {:?}",
                    lost.len(),
                    told.len(),
                    lost[0]
                ));
            }
            let deleted = self.facts.get("deleted").unwrap_or(&none);
            if *kind == "user"
                && let Some(back) = deleted.intersection(&there).next()
            {
                return Err(format!("{back} was deleted and is there again"));
            }
        }
        Ok(())
    }
}
