//! The rows: what is asked of Tessera, of the ceiling and of the peer.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::ceiling::{self, Plan, Recorded};
use crate::load::{self, Cycle, Once, Shape, Work, measure};
use crate::peer::{Peer, Refreshing};
use crate::process::{Process, free_port};
use crate::proofs::{Prover, Proving};
use crate::report::{self, Row};
use crate::scene::{Client, Database, Scene, tessera};
use crate::wire::{Answer, bearer, get, post};
use crate::{Options, Result, storm, tenants, timing};

/// As many distinct tokens are made for the rows that present them.
const TOKENS: usize = 60_000;
/// As many codes are made for each second of redemptions.
const CODES_PER_SECOND: f64 = 5000.0;

impl Work for Box<dyn Work> {
    fn next(&mut self, number: usize, previous: Option<&Answer>) -> Option<Vec<u8>> {
        (**self).next(number, previous)
    }
    fn wants_answers(&self) -> bool {
        (**self).wants_answers()
    }
    fn status(&self) -> u16 {
        (**self).status()
    }
}

/// Each connection refreshes with the token that its last refresh gave.
struct Chain {
    first: Vec<String>,
    request: Refreshing,
}

impl Work for Chain {
    fn next(&mut self, number: usize, previous: Option<&Answer>) -> Option<Vec<u8>> {
        match previous {
            None => self.first.get(number).map(|token| (self.request)(token)),
            Some(answer) => {
                let body = std::str::from_utf8(&answer.body).ok()?;
                let (_, rest) = body.split_once("\"refresh_token\":\"")?;
                Some((self.request)(rest.split('"').next()?))
            }
        }
    }

    fn wants_answers(&self) -> bool {
        true
    }
}

/// Requests whose good answer has another status than 200.
struct Answered<W> {
    work: W,
    status: u16,
}

impl<W: Work> Work for Answered<W> {
    fn next(&mut self, number: usize, previous: Option<&Answer>) -> Option<Vec<u8>> {
        self.work.next(number, previous)
    }

    fn wants_answers(&self) -> bool {
        self.work.wants_answers()
    }

    fn status(&self) -> u16 {
        self.status
    }
}

type Source<'a> = Box<dyn Fn() -> Result<Box<dyn Work>> + 'a>;

fn cycle<'a>(requests: Vec<Vec<u8>>) -> Source<'a> {
    Box::new(move || Ok(Box::new(Cycle::over(requests.clone()))))
}

fn once<'a>(make: impl Fn() -> Result<Vec<Vec<u8>>> + 'a) -> Source<'a> {
    Box::new(move || Ok(Box::new(Once::over(make()?))))
}

/// One row: where its requests come from.
struct Case<'a> {
    name: String,
    promised: f64,
    ours: Source<'a>,
    ceiling: Option<Source<'a>>,
    peer: Option<Source<'a>>,
}

/// The servers that a row is measured on.
struct Servers<'a> {
    scene: &'a Scene,
    ceiling: &'a Process,
    peer: Option<&'a Peer>,
}

fn shape(options: &Options) -> Shape {
    Shape {
        connections: options.connections,
        warm_up: Duration::from_millis(700),
        duration: options.duration(),
        pace: None,
    }
}

fn turns(options: &Options, servers: &Servers<'_>, case: &Case<'_>) -> Result<Row> {
    let mut row = Row {
        name: case.name.clone(),
        promised: case.promised,
        ours: Vec::new(),
        ceiling: Vec::new(),
        peer: Vec::new(),
    };
    for _ in 0..options.runs {
        row.ours.push(measure(
            &servers.scene.server,
            (case.ours)()?,
            shape(options),
        )?);
        if let Some(source) = &case.ceiling {
            row.ceiling
                .push(measure(servers.ceiling, source()?, shape(options))?);
        }
        if let (Some(source), Some(peer)) = (&case.peer, servers.peer) {
            row.peer
                .push(measure(&peer.server, source()?, shape(options))?);
        }
    }
    println!("{}", row.line());
    Ok(row)
}

const NAMES: [&str; 17] = [
    "jwks",
    "discovery",
    "client-credentials",
    "client-credentials-rs256",
    "dpop",
    "introspection",
    "userinfo",
    "code",
    "refresh",
    "device",
    "exchange",
    "par",
    "sign-in",
    "interference",
    "start",
    "tenants",
    "timing",
];

/// Measures what was asked for.
pub fn run(options: &Options) -> Result<()> {
    for name in &options.names {
        if !NAMES.contains(&name.as_str()) {
            return Err(format!("there is no row `{name}`; there are {}", NAMES.join(", ")).into());
        }
    }
    let wanted =
        |name: &str| options.names.is_empty() || options.names.iter().any(|known| known == name);
    if NAMES[..12].iter().any(|name| wanted(name)) {
        println!("{}", report::HEAD);
        requests(options, Database::Sqlite, &wanted)?;
        if options.postgres.is_some() && (wanted("code") || wanted("refresh")) {
            requests(options, Database::Postgres, &|name| {
                matches!(name, "code" | "refresh") && wanted(name)
            })?;
        }
    }
    if wanted("sign-in") || wanted("interference") {
        storm::sign_ins(options)?;
    }
    if wanted("start") {
        start(options)?;
    }
    if wanted("tenants") {
        tenants::run(options)?;
    }
    // No row of a table of speeds: only where it is asked for.
    if options.names.iter().any(|name| name == "timing") {
        timing::run(options)?;
    }
    Ok(())
}

fn keys() -> Result<(String, String)> {
    use openssl::ec::{EcGroup, EcKey};
    let group = EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1)?;
    let ec =
        openssl::pkey::PKey::from_ec_key(EcKey::generate(&group)?)?.private_key_to_pem_pkcs8()?;
    let rsa = openssl::rsa::Rsa::generate(2048)?;
    let rsa = openssl::pkey::PKey::from_rsa(rsa)?.private_key_to_pem_pkcs8()?;
    Ok((String::from_utf8(ec)?, String::from_utf8(rsa)?))
}

fn claims_of(token: &str) -> Result<String> {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).ok_or("no JWT")?;
    Ok(String::from_utf8(
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload)?,
    )?)
}

/// What the ceiling answers is what Tessera answered.
pub fn plan(options: &Options, scene: &Scene, database: Database) -> Result<Plan> {
    let port = scene.server.port;
    let ask = |request: Vec<u8>| load::ask(port, &request);
    let token = ask(scene.client_credentials(&scene.machine))?;
    let access = token.text("access_token")?;
    let code = scene.codes(&scene.web, 1)?.pop().ok_or("no code")?;
    let person = ask(scene.redemption(&scene.web, &code))?;
    let personal = person.text("access_token")?;
    let answers = [
        ("jwks", ask(get(&scene.host, &scene.path("/jwks"), ""))?),
        (
            "discovery",
            ask(get(
                &scene.host,
                &scene.path("/.well-known/openid-configuration"),
                "",
            ))?,
        ),
        ("introspect", ask(introspection(scene, &access))?),
        (
            "userinfo",
            ask(get(
                &scene.host,
                &scene.path("/userinfo"),
                &bearer(&personal),
            ))?,
        ),
        ("token", token),
        ("push", ask(scene.push(&scene.web))?),
        (
            "code",
            scene.with_session(&scene.pushed(&scene.web, 1)?[0])?,
        ),
        // Its status is another; what it costs isn't.
        ("device", ask(scene.polls(1)?.pop().ok_or("no poll")?)?),
    ];
    for (name, answer) in &answers {
        let is_other = ["device", "push", "code"].contains(name);
        if answer.status != 200 && !is_other {
            return Err(format!("{name}: {}", String::from_utf8_lossy(&answer.body)).into());
        }
    }
    let (es256, rs256) = keys()?;
    Ok(Plan {
        port: free_port()?,
        answers: answers
            .iter()
            .map(|(name, answer)| ((*name).to_owned(), Recorded::of(answer)))
            .collect(),
        es256,
        rs256,
        access_claims: claims_of(&access)?,
        id_claims: claims_of(&person.text("id_token")?)?,
        database: Some(match database {
            Database::Sqlite => scene.folder().join("ceiling.db").display().to_string(),
            Database::Postgres => {
                crate::scene::postgres_database(options, "tessera_bench_ceiling")?
            }
        }),
    })
}

fn introspection(scene: &Scene, token: &str) -> Vec<u8> {
    post(
        &scene.host,
        &scene.path("/introspect"),
        &scene.machine.header(),
        &[("token", token)],
    )
}

/// Client credentials with a proof of possession, fresh each time, beside a ceiling that verifies it by the key that is in it, commits that it
/// was used, and signs.
fn proved(scene: &Scene) -> Result<Case<'_>> {
    let url = format!("http://{}{}", scene.host, scene.path("/token"));
    let prover = Rc::new(Prover::new(url)?);
    let work = move |host: String, path: String| -> Source<'_> {
        let (prover, credentials) = (Rc::clone(&prover), scene.machine.header());
        Box::new(move || {
            let (host, path, credentials) = (host.clone(), path.clone(), credentials.clone());
            Ok(Box::new(Proving {
                prover: Rc::clone(&prover),
                request: move |proof: &str| {
                    let headers = format!("{credentials}dpop: {proof}\r\n");
                    post(
                        &host,
                        &path,
                        &headers,
                        &[("grant_type", "client_credentials")],
                    )
                },
            }))
        })
    };
    Ok(Case {
        name: "client credentials, DPoP".to_owned(),
        promised: 0.0,
        ours: work(scene.host.clone(), scene.path("/token")),
        ceiling: Some(work("localhost".to_owned(), "/proved".to_owned())),
        peer: None,
    })
}

/// A request that is pushed, and the authorization request by its name that gets a code: each beside a ceiling that writes the same rows. Pushed are
/// the request and its client's counter; for the code the request is spent, and a grant and an audit event are added.
fn pushed<'a>(options: &Options, scene: &'a Scene, database: Database) -> Result<Vec<Case<'a>>> {
    let push = scene.push(&scene.web);
    let of_ceiling = post(
        "localhost",
        "/pushed/push",
        &scene.web.header(),
        &[("request", &"p".repeat(400))],
    );
    let cookies = scene.sign_in(&scene.web)?;
    let session = format!("Cookie: {cookies}\r\n");
    // More than can be used before the time is up, and none older than its minute.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small count"
    )]
    let count = (CODES_PER_SECOND * (options.seconds + 0.7)) as usize;
    let name = database.name();
    let ceiling_session = session.clone();
    Ok(vec![
        Case {
            name: format!("pushed request, {name}"),
            promised: 0.0,
            ours: Box::new(move || {
                Ok(Box::new(Answered {
                    work: Cycle::over(vec![push.clone()]),
                    status: 201,
                }))
            }),
            ceiling: Some(cycle(vec![of_ceiling])),
            peer: None,
        },
        Case {
            name: format!("code of a pushed request, {name}"),
            promised: 0.0,
            ours: Box::new(move || {
                let requests = scene.pushed(&scene.web, count)?;
                let requests = requests.iter().map(|path| get(&scene.host, path, &session));
                Ok(Box::new(Answered {
                    work: Once::over(requests.collect()),
                    status: 303,
                }))
            }),
            ceiling: Some(cycle(vec![get(
                "localhost",
                "/pushed/code",
                &ceiling_session,
            )])),
            peer: None,
        },
    ])
}

/// Starts the ceiling of a scene.
pub fn ceiling(options: &Options, scene: &Scene, plan: &Plan) -> Result<Process> {
    let file = scene.folder().join("ceiling.json");
    std::fs::write(&file, serde_json::to_vec(plan)?)?;
    Process::start(
        &std::env::current_exe()?,
        |command| {
            command.arg("--ceiling").arg(&file);
        },
        options.server_core,
        plan.port,
        "/document/jwks",
    )
}

/// The rows of single requests.
#[expect(
    clippy::too_many_lines,
    reason = "a table of rows, which reads best whole"
)]
fn requests(options: &Options, database: Database, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    let scene = &Scene::start(options, database)?;
    let plan = plan(options, scene, database)?;
    let ceiling = ceiling(options, scene, &plan)?;
    let peer = Peer::start(options)?;
    let servers = Servers {
        scene,
        ceiling: &ceiling,
        peer: peer.as_ref(),
    };
    let peer = peer.as_ref();
    let bare = |path: &str| get("localhost", path, "");
    let secret = scene.machine.header();
    let mut cases: Vec<Case<'_>> = Vec::new();
    for (name, path, theirs) in [
        ("jwks", "/jwks", "/jwks"),
        (
            "discovery",
            "/.well-known/openid-configuration",
            "/.well-known/openid-configuration",
        ),
    ] {
        if wanted(name) {
            cases.push(Case {
                name: name.to_owned(),
                promised: 0.85,
                ours: cycle(vec![get(&scene.host, &scene.path(path), "")]),
                ceiling: Some(cycle(vec![bare(&format!("/document/{name}"))])),
                peer: peer.map(|peer| cycle(vec![get(&peer.host(), theirs, "")])),
            });
        }
    }
    let credentials: [(&str, &str, &Client, &str, f64); 3] = [
        (
            "client-credentials",
            "client credentials, ES256",
            &scene.machine,
            "es256",
            0.8,
        ),
        (
            "client-credentials-rs256",
            "client credentials, RS256",
            &scene.rs256,
            "rs256",
            0.9,
        ),
        (
            "client-credentials",
            "client credentials, opaque",
            &scene.opaque,
            "",
            0.0,
        ),
    ];
    for (row, name, client, ceiling, promised) in credentials {
        if wanted(row) {
            cases.push(Case {
                name: name.to_owned(),
                promised,
                ours: cycle(vec![scene.client_credentials(client)]),
                ceiling: (!ceiling.is_empty()).then(|| cycle(vec![scene.bare_token(ceiling)])),
                peer: peer.map(|peer| {
                    cycle(vec![peer.client_credentials(if ceiling.is_empty() {
                        "opaque"
                    } else {
                        ceiling
                    })])
                }),
            });
        }
    }
    if wanted("dpop") {
        cases.push(proved(scene)?);
    }
    for (row, format, machine, web) in [
        ("introspection", "JWT", &scene.machine, &scene.web),
        ("introspection", "opaque", &scene.opaque, &scene.web_opaque),
        ("userinfo", "JWT", &scene.machine, &scene.web),
        ("userinfo", "opaque", &scene.opaque, &scene.web_opaque),
    ] {
        if !wanted(row) {
            continue;
        }
        let of_ceiling: Vec<String> = (0..2000)
            .map(|number| {
                let claims = plan
                    .access_claims
                    .replace("\"jti\":\"", &format!("\"jti\":\"{number:04}"));
                if format == "JWT" {
                    ceiling::signed(&plan.es256, &claims)
                } else {
                    ceiling::seal(&claims)
                }
            })
            .collect::<Result<_>>()?;
        let kind = if format == "JWT" { "jwt" } else { "opaque" };
        // The peer's userinfo takes opaque tokens alone; rows bound by an ES256 verification have no multiple.
        let theirs = peer.filter(|_| format == "opaque");
        let (ours, of_ceiling, theirs): (Vec<Vec<u8>>, Vec<Vec<u8>>, Option<Source<'_>>) =
            if row == "introspection" {
                (
                    scene
                        .access_tokens(machine, TOKENS)?
                        .iter()
                        .map(|token| introspection(scene, token))
                        .collect(),
                    of_ceiling
                        .iter()
                        .map(|token| {
                            post(
                                "localhost",
                                &format!("/introspect/{kind}"),
                                &secret,
                                &[("token", token)],
                            )
                        })
                        .collect(),
                    theirs
                        .map(|peer| peer.introspections(10_000).map(cycle))
                        .transpose()?,
                )
            } else {
                (
                    scene
                        .personal_tokens(web, TOKENS)?
                        .iter()
                        .map(|token| get(&scene.host, &scene.path("/userinfo"), &bearer(token)))
                        .collect(),
                    of_ceiling
                        .iter()
                        .map(|token| get("localhost", &format!("/userinfo/{kind}"), &bearer(token)))
                        .collect(),
                    theirs
                        .map(|peer| peer.userinfos(10_000).map(cycle))
                        .transpose()?,
                )
            };
        cases.push(Case {
            name: format!("{row}, {format}"),
            promised: 0.7,
            ours: cycle(ours),
            ceiling: Some(cycle(of_ceiling)),
            peer: theirs,
        });
    }
    let commit = |name: &'static str| {
        let request = post(
            "localhost",
            &format!("/commit/{name}"),
            &scene.web.header(),
            &[("grant_type", name), ("token", &"t".repeat(75))],
        );
        cycle(vec![request])
    };
    if wanted("code") {
        // More than can be redeemed before the time is up.
        let seconds = options.seconds + 0.7;
        cases.push(Case {
            name: format!("code redemption, {}", database.name()),
            promised: 0.5,
            ours: once(move || {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a small count"
                )]
                let count = (CODES_PER_SECOND * seconds) as usize;
                Ok(scene
                    .codes(&scene.web, count)?
                    .iter()
                    .map(|code| scene.redemption(&scene.web, code))
                    .collect())
            }),
            ceiling: Some(commit("redemption")),
            peer: peer.map(|peer| once(move || peer.redemptions(12_000))),
        });
    }
    if wanted("refresh") {
        let connections = options.connections;
        let client = scene.public.clone();
        cases.push(Case {
            name: format!("refresh with rotation, {}", database.name()),
            promised: 0.5,
            ours: Box::new(move || {
                let codes = scene.codes(&client, connections)?;
                let requests = codes
                    .iter()
                    .map(|code| scene.redemption(&client, code))
                    .collect();
                let tokens = load::ask_all(scene.server.port, requests)?;
                let first = tokens
                    .iter()
                    .map(|answer| answer.text("refresh_token"))
                    .collect::<Result<_>>()?;
                let (host, path, client) =
                    (scene.host.clone(), scene.path("/token"), client.clone());
                let request = Box::new(move |token: &str| {
                    post(
                        &host,
                        &path,
                        "",
                        &[
                            ("grant_type", "refresh_token"),
                            ("refresh_token", token),
                            ("client_id", &client.id),
                        ],
                    )
                });
                Ok(Box::new(Chain { first, request }))
            }),
            ceiling: Some(commit("rotation")),
            peer: peer.map(|peer| -> Source<'_> {
                Box::new(move || {
                    let (first, request) = peer.refreshes(connections)?;
                    Ok(Box::new(Chain { first, request }))
                })
            }),
        });
    }
    if wanted("device") {
        let polls = scene.polls(500)?;
        cases.push(Case {
            name: "device that waits, a poll".to_owned(),
            promised: 0.0,
            ours: Box::new(move || {
                Ok(Box::new(Answered {
                    work: Cycle::over(polls.clone()),
                    status: 400,
                }))
            }),
            ceiling: Some(cycle(vec![post(
                "localhost",
                "/poll",
                &scene.device.header(),
                &[("device_code", &"d".repeat(68))],
            )])),
            peer: None,
        });
    }
    if wanted("exchange") {
        let ours = scene
            .personal_tokens(&scene.web, TOKENS)?
            .iter()
            .map(|token| scene.exchange(token))
            .collect();
        let theirs = (0..2000)
            .map(|number| {
                let claims = plan
                    .access_claims
                    .replace("\"jti\":\"", &format!("\"jti\":\"{number:04}"));
                let token = ceiling::signed(&plan.es256, &claims)?;
                Ok(post(
                    "localhost",
                    "/exchange",
                    &scene.service.header(),
                    &[("subject_token", &token)],
                ))
            })
            .collect::<Result<_>>()?;
        cases.push(Case {
            name: format!("token exchange, {}", database.name()),
            promised: 0.0,
            ours: cycle(ours),
            ceiling: Some(cycle(theirs)),
            peer: None,
        });
    }
    if wanted("par") {
        cases.extend(pushed(options, scene, database)?);
    }
    for case in &cases {
        turns(options, &servers, case)?;
    }
    Ok(())
}

/// From the start of the process to its readiness, and its memory when nothing happens.
fn start(options: &Options) -> Result<()> {
    println!(
        "\n| start | time to readiness (least–most) | promised | memory when idle | promised |\n| --- | --- | --- | --- | --- |"
    );
    let scene = Scene::start(options, Database::Sqlite)?;
    let environment = scene.environment().to_vec();
    let folder = scene.folder;
    drop(scene.server);
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..options.runs.max(5) {
        let port = free_port()?;
        let begin = Instant::now();
        let server = Process::spawn(
            &tessera(),
            |command| {
                command
                    .arg("serve")
                    .envs(environment.iter().cloned())
                    .env("TESSERA_LISTEN", format!("127.0.0.1:{port}"));
                command.stderr(std::process::Stdio::null());
            },
            options.server_core,
            port,
        )?;
        server.wait("/health/ready", Duration::from_secs(20))?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
        std::thread::sleep(Duration::from_secs(2));
        memory.push(server.memory());
    }
    drop(folder);
    println!(
        "| SQLite, one tenant | {} | under 200 ms | {} | under 40 MB |",
        report::spread(times.into_iter(), 0, " ms"),
        report::spread(memory.into_iter(), 1, " MiB"),
    );
    Ok(())
}
