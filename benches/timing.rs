//! Whether the time of a refusal tells whom it refused (SECURITY, "Enumeration").
//!
//! One connection asks, and waits for the whole answer, again and again: in each round once for every kind of person, in an order that
//! chance gives. What is looked at is the difference of each kind's median from that of people who are there and whose password is wrong
//! ([`Difference`]); the interval has to lie within ±100 µs. A delay of 200 µs is planted among them and has to be found: where passwords are
//! hashed, people whose stored hash costs so much more, so that nothing in the server knows of it; elsewhere this program's own wait.
//!
//! Nobody is asked for more often than the tenant's policy allows, so there are as many people of a kind as that takes. Their names have the
//! same length, and nothing in them says of which kind they are.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::browser::SignIn;
use crate::difference::{Difference, Estimate, Random, median};
use crate::scene::{Database, Scene, run as command};
use crate::wire::{basic, post, status};
use crate::{Options, Result};

/// The difference that is allowed, in µs.
const BOUND: f64 = 100.0;
/// The delay that has to be found.
const PLANTED: Duration = Duration::from_micros(200);
/// Wrong guesses that a tenant allows, at the most that can be set.
const ATTEMPTS: usize = 100;
/// At the least.
const FEWEST_ATTEMPTS: usize = 3;
/// People of a kind who are locked.
const LOCKED: usize = 16;
/// Hashes of other systems take hundreds of milliseconds, and differ by as much.
const FOREIGN_ROUNDS: usize = 20;
/// Rounds for hashes of cheaper days.
const CHEAPER_ROUNDS: usize = 500;

const WRONG: &str = "a wrong password";

/// What is expected of a kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// Others are compared with it.
    Reference,
    /// It takes the same time.
    Same,
    /// It takes longer, and that is found.
    Planted,
    /// It takes another time, as the documentation says.
    Told,
}

/// Requests of the same kind.
struct Kind {
    name: String,
    expected: Expected,
    requests: Vec<Vec<u8>>,
    /// How long this program waits before it sends, within the measured time.
    late: Duration,
}

impl Kind {
    fn new(name: &str, expected: Expected, requests: Vec<Vec<u8>>) -> Self {
        Self {
            name: name.to_owned(),
            expected,
            requests,
            late: Duration::ZERO,
        }
    }
}

/// Kinds that are measured together; the first is what the others are compared with.
struct Group {
    title: String,
    kinds: Vec<Kind>,
    /// What each of them is answered.
    status: u16,
    rounds: usize,
    /// Whether it is judged by the differences within pairs: where the machine's pace drifts by more than what is looked for.
    by_pairs: bool,
}

/// A connection that is watched without a pause, so that nothing has to wake up when the answer comes.
struct Watched {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Watched {
    fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(64 << 10),
        })
    }

    /// Sends a request and reads all of the answer; its status.
    fn ask(&mut self, request: &[u8]) -> Result<u16> {
        // A request is far smaller than the socket's buffer.
        self.stream.write_all(request)?;
        self.buffer.clear();
        let mut part = [0; 16 << 10];
        loop {
            match self.stream.read(&mut part) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(read) => {
                    self.buffer.extend_from_slice(&part[..read]);
                    if let Some(status) = status(&self.buffer)? {
                        return Ok(status);
                    }
                }
                // Not asleep, and yet not in the way of PostgreSQL, which shares the processor.
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How long that takes, in µs.
    fn time(&mut self, kind: &Kind, round: usize, expected: u16) -> Result<f64> {
        let request = &kind.requests[round % kind.requests.len()];
        let begun = Instant::now();
        while begun.elapsed() < kind.late {
            std::hint::spin_loop();
        }
        let status = self.ask(request)?;
        let micros = begun.elapsed().as_secs_f64() * 1e6;
        if status != expected {
            let text = String::from_utf8_lossy(&self.buffer);
            return Err(format!("{}: {expected} was expected, not {text}", kind.name).into());
        }
        Ok(micros)
    }
}

/// Rounds before those that count.
fn warm_up(rounds: usize) -> usize {
    (rounds / 50).clamp(3, 300)
}

/// The times of each kind, in µs, in the order of the rounds.
fn measured(port: u16, group: &Group, random: &mut Random) -> Result<Vec<Vec<f64>>> {
    let mut connection = Watched::connect(port)?;
    let mut order: Vec<usize> = (0..group.kinds.len()).collect();
    let mut times = vec![Vec::with_capacity(group.rounds); group.kinds.len()];
    let warm_up = warm_up(group.rounds);
    for round in 0..warm_up + group.rounds {
        random.shuffle(&mut order);
        for &kind in &order {
            let micros = connection.time(&group.kinds[kind], round, group.status)?;
            if round >= warm_up {
                times[kind].push(micros);
            }
        }
    }
    Ok(times)
}

/// Measures a group and prints its lines; what isn't as it should be.
fn judge(port: u16, group: &Group, random: &mut Random) -> Result<Vec<String>> {
    let times = measured(port, group, random)?;
    let mut wrong = Vec::new();
    for (kind, values) in group.kinds.iter().zip(&times) {
        if kind.expected == Expected::Reference {
            continue;
        }
        let found = Difference::of(&times[0], values, random);
        let judged = if group.by_pairs {
            found.in_pairs
        } else {
            found.of_medians
        };
        let (verdict, holds) = match kind.expected {
            Expected::Reference | Expected::Told => ("told", true),
            Expected::Same if judged.is_within(BOUND) => ("within ±100 µs", true),
            Expected::Same => ("**not within ±100 µs**", false),
            Expected::Planted if judged.is_above(BOUND) => ("found", true),
            Expected::Planted => ("**not found**", false),
        };
        if !holds {
            wrong.push(format!("{}, {}", group.title, kind.name));
        }
        println!(
            "| {} | {} | {} | {:.1} | {:.1} | {} | {} | {verdict} |",
            group.title,
            kind.name,
            group.rounds,
            found.reference,
            found.other,
            in_words(&found.of_medians),
            in_words(&found.in_pairs),
        );
    }
    Ok(wrong)
}

fn in_words(found: &Estimate) -> String {
    format!(
        "{:+.1} ({:+.1} to {:+.1})",
        found.middle, found.low, found.high
    )
}

/// Costs of argon2id: KiB and passes.
#[derive(Clone, Copy)]
struct Cost {
    memory: u32,
    passes: u32,
}

impl Cost {
    /// The least that can be set.
    const LEAST: Self = Self {
        memory: 8,
        passes: 1,
    };
    /// What is set where nothing is.
    const DEFAULT: Self = Self {
        memory: 19 * 1024,
        passes: 2,
    };

    /// A hash that no password is known for.
    fn phc(self) -> String {
        format!(
            "$argon2id$v=19$m={},t={},p=1$dGVzc2VyYSB0aW1pbmchIQ${}",
            self.memory,
            self.passes,
            "c".repeat(43)
        )
    }
}

/// Hashes by a number, and two such numbers.
type Costlier = (fn(u32) -> Cost, (u32, u32));

/// One set of parameters that the server hashes by.
struct Setting {
    name: &'static str,
    cost: Cost,
    pairs: usize,
    /// Rounds for the calibration of what is planted.
    pilot: usize,
    /// Whether what hashes nothing is looked at, too: once is enough.
    unhashed: bool,
    /// Stored hashes that need no more memory than the server's own, and take longer the greater the number is; with two such numbers, the
    /// second of which takes longer than what is planted. None where two hashes in another shape drift apart by more: there this program's
    /// own wait is planted.
    costlier: Option<Costlier>,
    /// Hashes that are cheaper than the server's own.
    cheaper: &'static [Cost],
}

fn settings(options: &Options) -> [Setting; 2] {
    [
        Setting {
            name: "least (8 KiB, 1 pass)",
            cost: Cost::LEAST,
            pairs: options.pairs,
            pilot: 2_000,
            unhashed: true,
            costlier: Some((|passes| Cost { memory: 8, passes }, (1, 101))),
            cheaper: &[],
        },
        Setting {
            name: "default (19 MiB, 2 passes)",
            cost: Cost::DEFAULT,
            pairs: options.default_pairs,
            pilot: 300,
            unhashed: false,
            costlier: None,
            cheaper: &[
                Cost {
                    memory: 9_728,
                    passes: 2,
                },
                Cost {
                    memory: 19_456,
                    passes: 1,
                },
                Cost {
                    memory: 7_168,
                    passes: 5,
                },
                Cost {
                    memory: 12_288,
                    passes: 3,
                },
            ],
        },
    ]
}

/// The people of a tenant, and how they are asked for.
struct People<'a> {
    scene: &'a Scene,
    slug: &'static str,
    form: SignIn,
    random: Random,
}

impl<'a> People<'a> {
    /// A tenant with a policy of its own.
    fn new(
        scene: &'a Scene,
        slug: &'static str,
        attempts: usize,
        random: &mut Random,
    ) -> Result<Self> {
        let tenant = json!({ "tenant": {
            "slug": slug, "name": "Timing", "settings": { "lockout": { "attempts": attempts, "window": 86_400 } }
        } });
        command(
            scene.environment(),
            &format!("{tenant}\n"),
            &["tenant", "import", "-"],
        )?;
        // A running server hears of it within a second.
        let (begun, path) = (Instant::now(), format!("/t/{slug}"));
        let form = loop {
            match SignIn::open(&scene.host, scene.server.port, &path) {
                Ok(form) => break form,
                Err(error) if begun.elapsed() > Duration::from_secs(5) => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        Ok(Self {
            scene,
            slug,
            form,
            random: Random::new(random.next()),
        })
    }

    /// So many names that nobody has.
    fn names(&mut self, count: usize) -> Vec<String> {
        let mut name = || format!("p{:016x}@timing.example", self.random.next());
        (0..count).map(|_| name()).collect()
    }

    /// Attempts to sign in with a wrong password.
    fn attempts(&self, names: &[String]) -> Vec<Vec<u8>> {
        names
            .iter()
            .map(|name| self.form.request(name, WRONG))
            .collect()
    }

    /// Attempts of people who aren't there.
    fn nobody(&mut self, count: usize) -> Vec<Vec<u8>> {
        let names = self.names(count);
        self.attempts(&names)
    }

    /// Makes people who have something in common; attempts of them.
    fn make(&mut self, count: usize, common: Value) -> Result<Vec<Vec<u8>>> {
        let names = self.names(count);
        let mut lines = String::new();
        for name in &names {
            let mut user = common.clone();
            user["email"] = name.as_str().into();
            lines.push_str(&json!({ "user": user }).to_string());
            lines.push('\n');
        }
        let arguments = ["user", "import", "--tenant", self.slug, "-"];
        command(self.scene.environment(), &lines, &arguments)?;
        Ok(self.attempts(&names))
    }

    fn with_hash(&mut self, count: usize, phc: &str) -> Result<Vec<Vec<u8>>> {
        self.make(count, json!({ "password_hash": phc }))
    }

    /// Everybody who has to look the same.
    fn everybody(&mut self, count: usize, cost: Cost) -> Result<Vec<Kind>> {
        let phc = cost.phc();
        let disabled = json!({ "password_hash": phc, "status": "disabled" });
        Ok(vec![
            Kind::new("known", Expected::Reference, self.with_hash(count, &phc)?),
            Kind::new("unknown", Expected::Same, self.nobody(count)),
            Kind::new("disabled", Expected::Same, self.make(count, disabled)?),
            Kind::new(
                "without a password",
                Expected::Same,
                self.make(count, json!({}))?,
            ),
        ])
    }
}

/// As many people of a kind as can be asked for in so many rounds.
fn enough(rounds: usize) -> usize {
    (rounds + warm_up(rounds)).div_ceil(ATTEMPTS)
}

/// A stored hash that takes longer by what is planted: measured at two costs, and drawn straight between them.
fn calibrate(
    people: &mut People<'_>,
    setting: &Setting,
    random: &mut Random,
) -> Result<Option<Cost>> {
    let Some((costlier, between)) = setting.costlier else {
        return Ok(None);
    };
    let count = enough(setting.pilot);
    let mut kinds = vec![Kind::new(
        "known",
        Expected::Reference,
        people.with_hash(count, &setting.cost.phc())?,
    )];
    for number in [between.0, between.1] {
        let phc = costlier(number).phc();
        let requests = people.with_hash(count, &phc)?;
        kinds.push(Kind::new("costlier", Expected::Told, requests));
    }
    let group = Group {
        title: String::new(),
        kinds,
        status: 400,
        rounds: setting.pilot,
        by_pairs: false,
    };
    let mut times = measured(people.scene.server.port, &group, random)?;
    let medians: Vec<f64> = times.iter_mut().map(|values| median(values)).collect();
    let wanted = medians[0] + PLANTED.as_secs_f64() * 1e6;
    let (from, to) = (f64::from(between.0), f64::from(between.1));
    let number = from + (wanted - medians[1]) / (medians[2] - medians[1]) * (to - from);
    if !(1.0..=2.0 * to).contains(&number) {
        return Err(format!("no hash takes 200 µs longer: {medians:?}").into());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small number"
    )]
    let cost = costlier(number.round() as u32);
    println!(
        "planted at {}: {} KiB, {} passes",
        setting.name, cost.memory, cost.passes
    );
    Ok(Some(cost))
}

/// Wrong passwords of everybody whom the tenant still lets guess.
fn wrong(people: &mut People<'_>, setting: &Setting, planted: Option<Cost>) -> Result<Group> {
    let count = enough(setting.pairs);
    let mut kinds = people.everybody(count, setting.cost)?;
    kinds.push(match planted {
        Some(cost) => Kind::new(
            "200 µs planted",
            Expected::Planted,
            people.with_hash(count, &cost.phc())?,
        ),
        // People of their own: nobody may be asked for twice as often.
        None => Kind {
            requests: people.with_hash(count, &setting.cost.phc())?,
            ..late(&kinds[0])
        },
    });
    Ok(Group {
        title: "wrong password".to_owned(),
        kinds,
        status: 400,
        rounds: setting.pairs,
        by_pairs: setting.costlier.is_none(),
    })
}

/// The same for people of whom too much was guessed already.
fn locked(people: &mut People<'_>, setting: &Setting) -> Result<Group> {
    let mut kinds = people.everybody(LOCKED, setting.cost)?;
    let mut connection = Watched::connect(people.scene.server.port)?;
    for kind in &kinds {
        for request in &kind.requests {
            // One more, as the first refusal is written down.
            for _ in 0..=FEWEST_ATTEMPTS {
                connection.ask(request)?;
            }
        }
    }
    kinds.push(late(&kinds[0]));
    Ok(Group {
        title: "locked".to_owned(),
        kinds,
        status: 429,
        rounds: setting.pairs,
        by_pairs: false,
    })
}

/// The same requests, sent late.
fn late(reference: &Kind) -> Kind {
    Kind {
        late: PLANTED,
        ..Kind::new(
            "200 µs planted",
            Expected::Planted,
            reference.requests.clone(),
        )
    }
}

/// Clients that are there with a wrong secret, and such that aren't.
fn clients(scene: &Scene, rounds: usize) -> Group {
    let known = [&scene.machine, &scene.opaque, &scene.rs256, &scene.web];
    let request = |id: &str| {
        let header = basic(id, "a wrong secret");
        let fields = [("grant_type", "client_credentials")];
        post(&scene.host, &scene.path("/token"), &header, &fields)
    };
    // The last digits are chance.
    let unknown = known.map(|client| {
        let (kept, end) = client.id.split_at(client.id.len() - 4);
        let end: String = end
            .chars()
            .map(|digit| if digit == '0' { '1' } else { '0' })
            .collect();
        request(&format!("{kept}{end}"))
    });
    let known = Kind::new(
        "known client",
        Expected::Reference,
        known.map(|client| request(&client.id)).to_vec(),
    );
    let late = late(&known);
    Group {
        title: "wrong client secret".to_owned(),
        kinds: vec![
            known,
            Kind::new("unknown client", Expected::Same, unknown.to_vec()),
            late,
        ],
        status: 401,
        rounds,
        by_pairs: false,
    }
}

/// Stored hashes that aren't as the server makes them, beside people whose hash is.
fn stored(
    people: &mut People<'_>,
    setting: &Setting,
    (rounds, expected): (usize, Expected),
    hashes: &[(String, String)],
) -> Result<Group> {
    let count = enough(rounds);
    let phc = setting.cost.phc();
    let requests = people.with_hash(count, &phc)?;
    let mut kinds = vec![Kind::new("known", Expected::Reference, requests)];
    for (name, phc) in hashes {
        let requests = people.with_hash(count, phc)?;
        kinds.push(Kind::new(name, expected, requests));
    }
    Ok(Group {
        title: "wrong password".to_owned(),
        kinds,
        status: 400,
        rounds,
        by_pairs: false,
    })
}

/// Hashes of other systems, as imports bring them.
fn foreign() -> [(String, String); 2] {
    let pbkdf2 = format!(
        "$pbkdf2-sha256$i=600000$dGVzc2VyYSB0aW1pbmchIQ${}",
        "c".repeat(43)
    );
    let bcrypt = "$2b$12$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i";
    [
        ("PBKDF2 of 600,000 iterations".to_owned(), pbkdf2),
        ("bcrypt of cost 12".to_owned(), bcrypt.to_owned()),
    ]
}

/// Measures everything on one database at one set of parameters; what isn't as it should be.
fn at(
    options: &Options,
    database: Database,
    setting: &Setting,
    random: &mut Random,
) -> Result<Vec<String>> {
    let memory = format!("{} KiB", setting.cost.memory);
    let passes = setting.cost.passes.to_string();
    let argon2 = [
        ("TESSERA_ARGON2_MEMORY", memory.as_str()),
        ("TESSERA_ARGON2_PASSES", &passes),
    ];
    let scene = Scene::start_with(options, database, &argon2)?;
    let port = scene.server.port;
    let mut people = People::new(&scene, "guessed", ATTEMPTS, random)?;
    let planted = calibrate(&mut people, setting, random)?;
    let mut groups = vec![wrong(&mut people, setting, planted)?];
    if setting.unhashed {
        let mut people = People::new(&scene, "locked", FEWEST_ATTEMPTS, random)?;
        groups.push(locked(&mut people, setting)?);
        groups.push(clients(&scene, setting.pairs / 10));
    }
    if !setting.cheaper.is_empty() {
        let name = |cost: &Cost| format!("argon2id, {} KiB, {} passes", cost.memory, cost.passes);
        let cheaper: Vec<_> = setting
            .cheaper
            .iter()
            .map(|cost| (name(cost), cost.phc()))
            .collect();
        let told = |rounds: usize| (rounds.min(setting.pairs), Expected::Told);
        groups.push(stored(
            &mut people,
            setting,
            told(CHEAPER_ROUNDS),
            &cheaper,
        )?);
        groups.push(stored(
            &mut people,
            setting,
            told(FOREIGN_ROUNDS),
            &foreign(),
        )?);
    }
    println!(
        "\nargon2 {}, {}, times in µs\n\n| what | whose | pairs | median of the known | median | difference (99 % interval) | within pairs (99 % interval) | |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |",
        setting.name,
        database.name()
    );
    let mut wrong = Vec::new();
    for group in &groups {
        wrong.append(&mut judge(port, group, random)?);
    }
    Ok(wrong)
}

/// Measures all of it, and fails where a difference isn't where it should be.
pub fn run(options: &Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(|| {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
        since.map_or(0, |since| since.as_secs())
    });
    println!("\ntiming: --seed {seed}");
    let mut random = Random::new(seed);
    let mut wrong = Vec::new();
    for &database in &options.databases {
        for setting in settings(options) {
            if setting.pairs > 0 {
                wrong.append(&mut at(options, database, &setting, &mut random)?);
            }
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("not as it should be: {}", wrong.join("; ")).into())
    }
}
