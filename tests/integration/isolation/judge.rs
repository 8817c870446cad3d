//! What may not happen, whoever asks for what: an answer or a log line with somebody else's mark, a row of somebody else that is another
//! one afterwards, a failure of the server.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use super::cases::{self, Area, Case, Kind};
use super::digest::Shape;
use super::forms;
use super::marks::{Letter, SYSTEM};
use super::samples::{Body, Key, Samples};
use super::world::World;
use crate::support::http::Answer;

/// Cases between two looks at the database.
const BATCH: usize = 128;

/// What grows at the tenant where somebody knocks in vain.
const KNOCKING: &[&str] = &["audit_events", "login_failures"];

/// The log of this thread.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("a log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Keeps every line of this thread, which is where requests are answered, from now on.
    pub fn keep(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let lines = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || log.clone());
        tracing::subscriber::set_default(lines.finish())
    }

    fn take(&self) -> String {
        let bytes = std::mem::take(&mut *self.0.lock().expect("a log"));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// How it went.
#[derive(Default)]
pub struct Verdict {
    pub cases: usize,
    pub statuses: BTreeMap<(Area, u16), usize>,
    pub log_bytes: usize,
    /// What went wrong in short, how often, and once at length.
    pub wrong: BTreeMap<String, (usize, String)>,
}

impl Verdict {
    fn note(&mut self, short: String, long: String) {
        self.wrong.entry(short).or_insert((0, long)).0 += 1;
    }
}

/// Whose rows may be others afterwards, and whether any of them or only what counts and records attempts.
type Leave = (Option<Letter>, bool);

/// Who is spoken to: the tenant that the credential belongs to, where it counts there.
fn party(case: &Case) -> Option<Letter> {
    let is_known = |owner: Letter| (owner == case.at).then_some(owner);
    match (case.key.area(), case.kind) {
        (_, Kind::Nothing) => by_link(case),
        (_, Kind::Host) if is_at_owners_host(case) => Some(case.owner),
        (_, Kind::OperatorToken | Kind::OperatorConsole) => Some(case.at),
        (Area::Api, Kind::Idempotency) => Some(case.ids),
        (
            Area::Api,
            Kind::Administrator
            | Kind::UserManager
            | Kind::ClientManager
            | Kind::Auditor
            | Kind::Program,
        ) => Some(case.owner),
        (Area::Api | Area::Root, _) => None,
        _ => is_known(case.owner).or_else(|| by_link(case)),
    }
}

/// Whether it goes to the host of the credential's owner, where that counts.
fn is_at_owners_host(case: &Case) -> bool {
    case.kind == Kind::Host && case.ids == case.owner && !case.at_domain
}

/// Whether it is wholly the owner's own request: where tenants have hosts alone and no path, nothing in it names the other.
fn is_owners_own(world: &World, case: &Case) -> bool {
    let issuer = &world.side(case.at).tenant.issuer;
    let has_path = url::Url::parse(issuer).expect("a URL").path() != "/";
    is_at_owners_host(case) && !has_path
}

/// Whether it is wholly the owner's own request for a change. It does what it says, and would take from the owner what later cases need.
pub fn is_owners_own_change(world: &World, case: &Case) -> bool {
    case.key.method != "GET" && is_owners_own(world, case)
}

/// A one-time link in the path is a credential by itself.
fn by_link(case: &Case) -> Option<Letter> {
    let is_link = case.key.route.0.contains("{token}");
    (is_link && case.ids == case.at).then_some(case.at)
}

fn leave(world: &World, case: &Case) -> Leave {
    let known = party(case) == Some(case.at);
    match case.key.area() {
        Area::Api if !known => (None, false),
        Area::Root => (None, false),
        // Under another's host it is that one's address.
        _ if is_at_owners_host(case) => {
            // Whoever is signed in gets a code by a GET, and with it a grant.
            let grants = case.key.route.0.contains("/authorize") && is_owners_own(world, case);
            (Some(case.owner), grants)
        }
        _ => (Some(case.at), known),
    }
}

/// What is wrong with an answer, if anything.
fn check(
    world: &World,
    case: &Case,
    sent: &str,
    answer: &Answer,
    log: &str,
) -> Option<(String, String)> {
    let headers = answer
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"));
    let told = format!(
        "{}\n{}\n{}",
        answer.status,
        headers.collect::<String>(),
        answer.body
    );
    if answer.status >= 500 {
        return Some(("a failure".into(), format!("{told}\n{log}")));
    }
    let known = world.marks.find(sent);
    let host = (case.kind == Kind::Host).then_some(case.owner);
    let shows_address = case.key.route.below_issuer().is_some();
    for (place, text) in [("answer", &told), ("log", &log.to_owned())] {
        let foreign = world.marks.find(text).into_iter().find(|mark| {
            let is_known = known.iter().any(|known| known.text == mark.text);
            let is_theirs =
                party(case) == Some(mark.tenant) || (case.owner == SYSTEM && mark.tenant == SYSTEM);
            let is_shown = mark.is_public
                && ((shows_address && mark.tenant == case.at) || host == Some(mark.tenant));
            !is_known && !is_theirs && !is_shown
        });
        if let Some(mark) = foreign {
            let label = mark.text.rsplit('-').next().unwrap_or_default();
            return Some((
                format!("{label} in the {place}"),
                format!("{}\n{text}", mark.text),
            ));
        }
    }
    None
}

/// Tries all of them, in batches that leave the same tenant's rows alone.
pub async fn judge(world: &World, samples: &Samples, mut cases: Vec<Case>, log: &Log) -> Verdict {
    let shape = Shape::of(&world.app.database);
    let mut raw = world.app.database.raw();
    let mut verdict = Verdict::default();
    let leave = |case: &Case| leave(world, case);
    cases.sort_by_key(leave);
    let mut before = shape.digest(&mut raw);
    for batch in cases
        .chunk_by(|one, other| leave(one) == leave(other))
        .flat_map(|same| same.chunks(BATCH))
    {
        for case in batch {
            let request = cases::request(world, samples, case);
            let sent = request.text();
            log.take();
            let answer = request.send().await;
            let written = log.take();
            verdict.cases += 1;
            verdict.log_bytes += written.len();
            *verdict
                .statuses
                .entry((case.key.area(), answer.status))
                .or_default() += 1;
            if let Some((wrong, text)) = check(world, case, &sent, &answer, &written) {
                let short = format!(
                    "{} {} {:?}: {wrong}",
                    case.key.method, case.key.route.0, case.kind
                );
                verdict.note(short, format!("{case:?}\n{sent}\n--\n{text}"));
            }
        }
        let after = shape.digest(&mut raw);
        let (whose, all) = leave(&batch[0]);
        for (place, now) in &after {
            let (letter, table) = place;
            let may = whose == Some(*letter) && (all || KNOCKING.contains(&table.as_str()));
            let by_operator = *letter == SYSTEM && KNOCKING.contains(&table.as_str());
            if before.get(place) != Some(now) && !may && !by_operator {
                let tried: Vec<_> = batch
                    .iter()
                    .map(|case| {
                        format!(
                            "{} {} {:?} at {} ids {} of {}",
                            case.key.method,
                            case.key.route.0,
                            case.kind,
                            case.at,
                            case.ids,
                            case.owner
                        )
                    })
                    .collect();
                verdict.note(
                    format!("rows in {table}"),
                    format!("{letter}'s, after one of\n{}", tried.join("\n")),
                );
            }
        }
        before = after;
    }
    verdict
}

/// Requests that are wholly one tenant's own, each with what it needs: they succeed.
pub async fn twins(world: &World, samples: &Samples) -> usize {
    // What deletes and revokes takes from one tenant what another's requests need.
    let whose = |key: &Key| match key.area() {
        Area::OperatorsConsole => 'c',
        Area::Api => 'b',
        _ if key.variant == "hint" => 'b',
        _ => 'a',
    };
    let mut keys: Vec<_> = samples.of[&'a'].keys().cloned().collect();
    keys.sort_by_key(|key| (harm(key), key.clone()));
    let mut failed = Vec::new();
    for key in &keys {
        let letter = whose(key);
        let sample = &samples.of[&letter][key];
        let owner = if matches!(sample.twin, Kind::OperatorConsole | Kind::OperatorToken) {
            SYSTEM
        } else {
            letter
        };
        let case = Case {
            key: key.clone(),
            kind: sample.twin,
            at: letter,
            ids: letter,
            owner,
            at_domain: false,
        };
        let mut request = cases::request(world, samples, &case);
        if let Some(fresh) = seen_again(world, samples, &case).await {
            request = cases::request(world, &fresh, &case);
        }
        if sample.if_match.is_some() {
            let api = world.api(world.side(SYSTEM).held("program"));
            let tag = api.get(sample.path.trim_start_matches("/api/v1")).await;
            request = request.replace_header("if-match", tag.header("etag").expect("a version"));
        }
        let sent = request.text();
        let answer = request.send().await;
        let expected = sample
            .twin_status
            .map_or(answer.status < 400, |status| answer.status == status);
        // A sign-in that has to begin again is no success.
        let turned_away = answer.header("location").is_some_and(|to| {
            (to.contains("/authorize?") && !key.route.0.contains("try-it")) || to.contains("error=")
        });
        if !expected || turned_away {
            println!(
                "TWIN {} {} {} {}",
                sample.path, key.method, key.variant, answer.status
            );
            failed.push(format!(
                "{sent}\n-- {} {:?}\n{}",
                answer.status,
                answer.header("location"),
                excerpt(&answer.body)
            ));
        }
    }
    assert!(
        failed.is_empty(),
        "{} requests of tenants' own fail:\n{}",
        failed.len(),
        failed.join("\n====\n")
    );
    keys.len()
}

/// The same with the version that its page shows now: what comes before it may have changed the thing.
async fn seen_again(world: &World, samples: &Samples, case: &Case) -> Option<Samples> {
    let Body::Form(fields) = &samples.of[&case.at][&case.key].body else {
        return None;
    };
    fields.iter().find(|(name, _)| name == "version")?;
    let mut get = case.clone();
    get.key.method = "GET".into();
    let page = cases::request(world, samples, &get).send().await;
    let shown = forms::posted(&page.body);
    let version = shown
        .iter()
        .flat_map(|form| &form.fields)
        .find(|(name, _)| name == "version")?;
    let mut of = samples.of.clone();
    let sample = of.get_mut(&case.at)?.get_mut(&case.key)?;
    if let Body::Form(fields) = &mut sample.body {
        for field in fields.iter_mut().filter(|(name, _)| name == "version") {
            field.clone_from(version);
        }
    }
    Some(Samples { of })
}

fn excerpt(body: &str) -> &str {
    let start = body.find("<main").unwrap_or(0);
    let end = body[start..]
        .char_indices()
        .nth(1200)
        .map_or(body.len(), |(at, _)| start + at);
    &body[start..end]
}

/// How much a request takes from those that come after it.
fn harm(key: &Key) -> u8 {
    let path = &key.route.0;
    let ends = |ends: &[&str]| ends.iter().any(|end| path.ends_with(end));
    match key.method.as_str() {
        // A sign-out that needs no answer.
        "GET" if key.variant == "hint" => 8,
        "GET" => 0,
        "DELETE" if ends(&["/tenants/{tenant}"]) => 10,
        "DELETE" if ends(&["/users/{user}", "/clients/{client}"]) => 6,
        "DELETE" => 5,
        _ if ends(&["/suspend"]) => 7,
        _ if ends(&["/resume"]) => 8,
        _ if ends(&["/{kid}/revoke"]) => 9,
        _ if ends(&["/{slug}/delete"]) => 10,
        _ if ends(&["/logout", "/sign-out"]) => 11,
        _ if ends(&["/{id}/delete"]) => 6,
        _ if ends(&["/remove", "/revoke", "/sessions/end"]) => 4,
        _ if ends(&[
            "/account/password",
            "/{session}",
            "/consents/{client}",
            "/disable",
        ]) =>
        {
            3
        }
        _ if ends(&[
            "/account/applications",
            "/account/requests",
            "/account/sessions",
            "/{id}/reset",
        ]) =>
        {
            2
        }
        _ => 1,
    }
}
