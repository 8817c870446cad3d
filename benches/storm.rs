//! Sign-ins: how many, beside argon2 alone, and what they do to everybody else.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::browser::SignIn;
use crate::load::{Cycle, Outcome, Shape, awake, drive, measure};
use crate::process::Process;
use crate::report::{median, spread};
use crate::rows::{ceiling, plan};
use crate::scene::{Database, EMAIL, PASSWORD, Scene, run};
use crate::{Options, Result};

/// Token requests a second, whose latency is looked at while people sign in: a tenth of what the core can do.
const PACE: f64 = 1000.0;

/// Hashes as Tessera does by default, for a while, and prints how many a second.
pub fn hash(seconds: f64) -> Result<()> {
    use argon2::PasswordHasher as _;
    let params = argon2::Params::new(19 * 1024, 2, 1, None).map_err(|error| error.to_string())?;
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let (begin, mut count) = (Instant::now(), 0_u32);
    while begin.elapsed().as_secs_f64() < seconds {
        argon2
            .hash_password(PASSWORD.as_bytes())
            .map_err(|error| error.to_string())?;
        count += 1;
    }
    println!("{}", f64::from(count) / begin.elapsed().as_secs_f64());
    Ok(())
}

fn raw(options: &Options) -> Result<f64> {
    let done = std::process::Command::new("taskset")
        .args(["-c", &options.server_core.to_string()])
        .arg(std::env::current_exe()?)
        .args(["--hash", &options.seconds.to_string()])
        .output()?;
    Ok(String::from_utf8(done.stdout)?.trim().parse()?)
}

/// Wrong passwords of people who don't exist cost what right ones do, and no lock stops them; each is another name.
struct SignIns {
    form: SignIn,
    right: bool,
}

/// How many were made up: one storm goes on where the one before it ended, as a name that is guessed again and again is locked.
static NOBODIES: AtomicUsize = AtomicUsize::new(0);

impl crate::load::Work for SignIns {
    fn next(&mut self, _: usize, _: Option<&crate::wire::Answer>) -> Option<Vec<u8>> {
        Some(if self.right {
            self.form.request(EMAIL, PASSWORD)
        } else {
            self.form.request(
                &format!(
                    "nobody-{}@acme.example",
                    NOBODIES.fetch_add(1, Ordering::Relaxed)
                ),
                "a wrong password",
            )
        })
    }

    fn status(&self) -> u16 {
        if self.right { 303 } else { 400 }
    }
}

/// One thread that hashes with the priority of Tessera's own, on the server's processor, until it is dropped.
fn hashing(options: &Options) -> Result<Process> {
    let program = std::env::current_exe()?;
    Process::spawn(
        Path::new("nice"),
        |command| {
            command.args(["-n", "10"]).arg(program);
            command.args(["--hash", "3600"]);
        },
        options.server_core,
        0,
    )
}

/// The token requests that are looked at, beside a storm or none.
fn together(
    server: &Process,
    storm: Option<SignIns>,
    quiet: Vec<u8>,
    options: &Options,
) -> Result<Outcome> {
    let warm_up = Duration::from_secs(1);
    awake(async {
        let connections = 8;
        #[expect(clippy::cast_precision_loss, reason = "a few connections")]
        let paced = Shape {
            connections,
            warm_up,
            duration: options.duration(),
            pace: Some(PACE / connections as f64),
        };
        let requests = drive(server, Cycle::over(vec![quiet]), paced);
        match storm {
            None => requests.await,
            Some(storm) => {
                let shape = Shape {
                    connections: 16,
                    warm_up,
                    duration: options.duration(),
                    pace: None,
                };
                let (storm, requests) = tokio::join!(drive(server, storm, shape), requests);
                storm?;
                requests
            }
        }
    })
}

/// The rows about sign-ins.
pub fn sign_ins(options: &Options) -> Result<()> {
    let scene = Scene::start(options, Database::Sqlite)?;
    let storm = |right| -> Result<SignIns> {
        Ok(SignIns {
            form: SignIn::open(&scene.host, scene.server.port, &scene.tenant)?,
            right,
        })
    };
    rates(options, &scene, &storm)?;
    interference(options, &scene, &|| storm(false))
}

/// How many, beside argon2 alone.
fn rates(options: &Options, scene: &Scene, storm: &dyn Fn(bool) -> Result<SignIns>) -> Result<()> {
    println!(
        "\n| sign-ins | Tessera, per second | argon2 alone, per second | of it (least–most) | promised |\n| --- | --- | --- | --- | --- |"
    );
    // Of one person, no more guesses than the limit may be under way.
    let connections = |right| if right { 4 } else { 16 };
    for (name, right) in [
        ("right passwords", true),
        ("wrong passwords of nobody", false),
    ] {
        let (mut ours, mut alone) = (Vec::new(), Vec::new());
        for _ in 0..options.runs {
            let shape = Shape {
                connections: connections(right),
                warm_up: Duration::from_secs(1),
                duration: options.duration(),
                pace: None,
            };
            ours.push(measure(&scene.server, storm(right)?, shape)?.rate());
            alone.push(raw(options)?);
        }
        let ratios = ours
            .iter()
            .zip(&alone)
            .map(|(ours, alone)| ours / alone * 100.0);
        println!(
            "| {name} | {:.1} | {:.1} | {} | ≥ 90 % |",
            median(ours.iter().copied()),
            median(alone.iter().copied()),
            spread(ratios, 0, " %")
        );
    }
    Ok(())
}

/// A request for a token of another tenant.
fn of_another_tenant(scene: &Scene) -> Result<Vec<u8>> {
    run(
        scene.environment(),
        "",
        &["tenant", "create", "globex", "--name", "Globex"],
    )?;
    let client = run(
        scene.environment(),
        r#"{"client_name":"Job","grant_types":["client_credentials"],"scope":""}"#,
        &[
            "client",
            "create",
            "--tenant",
            "globex",
            "--metadata-file",
            "-",
        ],
    )?;
    let text = |member: &str| client[member].as_str().unwrap_or_default().to_owned();
    Ok(crate::wire::post(
        &scene.host,
        "/t/globex/token",
        &crate::wire::basic(&text("client_id"), &text("client_secret")),
        &[("grant_type", "client_credentials")],
    ))
}

/// What they do to requests for tokens, and what as much hashing does to those of the ceiling.
fn interference(
    options: &Options,
    scene: &Scene,
    storm: &dyn Fn() -> Result<SignIns>,
) -> Result<()> {
    let acme = scene.client_credentials(&scene.machine);
    let globex = of_another_tenant(scene)?;
    let ceiling = ceiling(options, scene, &plan(options, scene, Database::Sqlite)?)?;
    let bare = scene.bare_token("es256");
    println!(
        "\n| token requests, {PACE:.0} a second | p50 | p99 (least–most) | p99 against idle (least–most) | promised |\n| --- | --- | --- | --- | --- |"
    );
    let mut idle = Vec::new();
    let (mut same, mut others) = (Vec::new(), Vec::new());
    let (mut bare_idle, mut bare_beside) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let ours = |storm, quiet: &Vec<u8>| together(&scene.server, storm, quiet.clone(), options);
        idle.push(ours(None, &acme)?);
        same.push(ours(Some(storm()?), &acme)?);
        others.push(ours(Some(storm()?), &globex)?);
        let theirs = || together(&ceiling, None, bare.clone(), options);
        bare_idle.push(theirs()?);
        let _hashing = hashing(options)?;
        bare_beside.push(theirs()?);
    }
    for (name, measured, idle, promised) in [
        ("nobody signs in", &idle, &idle, ""),
        ("its own tenant's people storm", &same, &idle, "≤ 2"),
        ("another tenant's people storm", &others, &idle, "≤ 2"),
        ("the ceiling alone", &bare_idle, &bare_idle, ""),
        (
            "the ceiling beside one thread of argon2",
            &bare_beside,
            &bare_idle,
            "",
        ),
    ] {
        let against = measured
            .iter()
            .zip(idle)
            .map(|(storm, idle)| storm.percentile(0.99) / idle.percentile(0.99));
        println!(
            "| {name} | {} | {} | {} | {promised} |",
            spread(
                measured.iter().map(|outcome| outcome.percentile(0.5)),
                2,
                " ms"
            ),
            spread(
                measured.iter().map(|outcome| outcome.percentile(0.99)),
                2,
                " ms"
            ),
            spread(against, 1, "×"),
        );
    }
    Ok(())
}
