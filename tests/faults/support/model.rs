//! A mixed load whose clients remember what they were told, and the comparison of that with what is there afterwards.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::http::{Answer, Body};
use super::random::Random;
use super::scene::{Admin, Person, Scene, Tokens};

/// How many people are at work; the scene must have as many.
pub const PEOPLE: usize = 4;

/// A code lives for a minute; after so long it may be gone by the time that it is asked for.
const CODE_IS_YOUNG: Duration = Duration::from_secs(40);

/// What may come instead of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing, but for the server's end.
    Answers,
    /// 503, in time and with the word when to come again; never anything else, and no connection is dropped.
    Outages,
}

/// Why something wasn't answered.
enum Interrupted {
    Gone,
    Unavailable,
}

impl From<io::Error> for Interrupted {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

type Asked<T> = Result<T, Interrupted>;

/// How far the client knows that something got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    /// Not asked for.
    No,
    /// Asked for, and the answer never came, or said that the server can't just now.
    Perhaps,
    /// Answered.
    Yes,
}

/// One grant as its client knows it.
struct Chain {
    at: Instant,
    code: String,
    redeemed: Known,
    tokens: Option<Tokens>,
    /// The refresh token before the present one.
    spent: Option<String>,
    refreshed: Known,
    revoked: Known,
}

/// Somebody that an administrator made.
struct Made {
    email: String,
    path: String,
    created: Known,
    deleted: Known,
}

/// What one client was told.
#[derive(Default)]
pub struct Told {
    chains: Vec<Chain>,
    made: Vec<Made>,
    /// How much was answered that has to last.
    pub answers: u64,
    /// How often the server said that it can't just now.
    pub refusals: u64,
    /// The longest that anything took.
    pub slowest: Duration,
}

/// A load that runs.
pub struct Load {
    workers: Vec<JoinHandle<(Person, Told)>>,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// Everybody begins, spread over the servers. `label` makes the names of those unlike others' whom this load makes.
    pub fn start(
        scene: &Scene,
        ports: &[u16],
        label: &str,
        expect: Expect,
        random: &mut Random,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let workers = (0..=PEOPLE)
            .map(|number| {
                let (scene, label, random) = (scene.clone(), label.to_owned(), random.fork());
                let (port, stop) = (ports[number % ports.len()], Arc::clone(&stop));
                let person = scene.person(port, number);
                let mut worker = Worker {
                    scene,
                    person,
                    random,
                    told: Told::default(),
                    expect,
                    stop,
                };
                thread::spawn(move || {
                    if number < PEOPLE {
                        worker.until_stopped(Worker::grants);
                    } else {
                        let mut admin = None;
                        let mut count = 0;
                        worker.until_stopped(|worker| {
                            worker.administration(port, &mut admin, &label, &mut count)
                        });
                    }
                    (worker.person, worker.told)
                })
            })
            .collect();
        Self { workers, stop }
    }

    /// Everybody ends what they are at.
    pub fn stop(self) -> Vec<(Person, Told)> {
        self.stop.store(true, Ordering::Relaxed);
        let joined: Vec<_> = self.workers.into_iter().map(JoinHandle::join).collect();
        joined
            .into_iter()
            .map(|worker| worker.expect("no answer was wrong"))
            .collect()
    }
}

struct Worker {
    scene: Scene,
    person: Person,
    random: Random,
    told: Told,
    expect: Expect,
    stop: Arc<AtomicBool>,
}

impl Worker {
    fn until_stopped(&mut self, mut round: impl FnMut(&mut Self) -> Asked<()>) {
        while !self.stop.load(Ordering::Relaxed) {
            match round(self) {
                Ok(()) => {}
                Err(Interrupted::Unavailable) => thread::sleep(Duration::from_millis(20)),
                Err(Interrupted::Gone) => {
                    assert!(self.expect == Expect::Answers, "a connection was dropped");
                    return;
                }
            }
        }
    }

    /// Asks for something, and tells an answer from a refusal.
    fn ask(&mut self, ask: impl FnOnce(&mut Person) -> io::Result<Answer>) -> Asked<Answer> {
        let begun = Instant::now();
        let answer = ask(&mut self.person)?;
        self.sort(begun, answer)
    }

    fn sort(&mut self, begun: Instant, answer: Answer) -> Asked<Answer> {
        self.told.slowest = self.told.slowest.max(begun.elapsed());
        let sent_away = answer.status == 303
            && answer.location_param("error").as_deref() == Some("temporarily_unavailable");
        if self.expect == Expect::Outages && (answer.is_unavailable() || sent_away) {
            self.told.refusals += 1;
            return Err(Interrupted::Unavailable);
        }
        Ok(answer)
    }

    /// Codes, redemptions, refreshes and revocations.
    fn grants(&mut self) -> Asked<()> {
        let signed_in = self.ask(Person::sign_in)?;
        assert!([200, 303].contains(&signed_in.status), "{signed_in:?}");
        self.told.answers += 1;
        while !self.stop.load(Ordering::Relaxed) {
            let mut chain = self.begin()?;
            let went = self.go_on(&mut chain);
            self.told.chains.push(chain);
            went?;
        }
        Ok(())
    }

    fn begin(&mut self) -> Asked<Chain> {
        let answer = self.ask(Person::authorize)?;
        let code = answer
            .location_param("code")
            .unwrap_or_else(|| panic!("no code: {answer:?}"));
        self.told.answers += 1;
        Ok(Chain {
            at: Instant::now(),
            code,
            redeemed: Known::No,
            tokens: None,
            spent: None,
            refreshed: Known::No,
            revoked: Known::No,
        })
    }

    fn go_on(&mut self, chain: &mut Chain) -> Asked<()> {
        if self.random.once_in(6) {
            return Ok(());
        }
        chain.redeemed = Known::Perhaps;
        let code = chain.code.clone();
        let mut tokens = Tokens::of(&self.ask(|person| person.redeem(&code))?);
        (chain.redeemed, chain.tokens) = (Known::Yes, Some(tokens.clone()));
        self.told.answers += 1;
        for _ in 0..self.random.below(4) {
            chain.refreshed = Known::Perhaps;
            let next = Tokens::of(&self.ask(|person| person.refresh(&tokens.refresh))?);
            chain.refreshed = Known::Yes;
            chain.spent = Some(std::mem::replace(&mut tokens, next).refresh);
            chain.tokens = Some(tokens.clone());
            self.told.answers += 1;
        }
        if self.random.once_in(4) {
            chain.revoked = Known::Perhaps;
            let answer = self.ask(|person| person.revoke(&tokens.refresh))?;
            assert_eq!(answer.status, 200, "{answer:?}");
            chain.revoked = Known::Yes;
            self.told.answers += 1;
        }
        Ok(())
    }

    /// People made and deleted by the API, and a token that writes nothing.
    fn administration(
        &mut self,
        port: u16,
        admin: &mut Option<Admin>,
        label: &str,
        count: &mut u64,
    ) -> Asked<()> {
        if admin.is_none() {
            let begun = Instant::now();
            let answer = self.scene.admin_token(port)?;
            let answer = self.sort(begun, answer)?;
            *admin = Some(Admin::of(port, &answer));
        }
        let Some(admin) = admin else { return Ok(()) };
        *count += 1;
        let email = format!("made-{label}-{count}@acme.example");
        self.told.made.push(Made {
            email: email.clone(),
            path: String::new(),
            created: Known::Perhaps,
            deleted: Known::No,
        });
        let last = self.told.made.len() - 1;
        let begun = Instant::now();
        let answer = admin.create_user(&email)?;
        let answer = self.sort(begun, answer)?;
        assert_eq!(answer.status, 201, "{answer:?}");
        let location = answer.header("location").expect("a location");
        let path = location
            .split_once("/api/v1")
            .expect("a path of the API")
            .1
            .to_owned();
        (self.told.made[last].path, self.told.made[last].created) = (path.clone(), Known::Yes);
        self.told.answers += 1;
        if self.random.once_in(3) {
            self.told.made[last].deleted = Known::Perhaps;
            let begun = Instant::now();
            let answer = admin.ask("DELETE", &path, Body::Nothing)?;
            let answer = self.sort(begun, answer)?;
            assert_eq!(answer.status, 204, "{answer:?}");
            self.told.made[last].deleted = Known::Yes;
            self.told.answers += 1;
        }
        let scene = self.scene.clone();
        let answer = self.ask(|person| scene.machine_token(&mut person.http))?;
        assert_eq!(answer.status, 200, "{answer:?}");
        Ok(())
    }
}

/// Holds what was told against what a server says now. `about` goes into messages.
pub fn verify(scene: &Scene, port: u16, told: Vec<(Person, Told)>, about: &str) {
    let checks: Vec<_> = told
        .into_iter()
        .map(|(person, told)| {
            let (scene, about) = (scene.clone(), about.to_owned());
            thread::spawn(move || {
                let mut person = person.at(port);
                for chain in &told.chains {
                    verify_chain(&mut person, chain, &about).expect("the server answers");
                }
                if !told.made.is_empty() {
                    verify_made(&scene, port, &told.made, &about).expect("the server answers");
                }
            })
        })
        .collect();
    let checked: Vec<_> = checks.into_iter().map(JoinHandle::join).collect();
    assert!(
        checked.into_iter().all(|check| check.is_ok()),
        "what was answered is not so"
    );
}

fn verify_chain(person: &mut Person, chain: &Chain, about: &str) -> io::Result<()> {
    let Chain {
        code,
        redeemed,
        refreshed,
        revoked,
        ..
    } = chain;
    let about = format!(
        "{about}: {}, redeemed {redeemed:?}, refreshed {refreshed:?}, revoked {revoked:?}",
        person.email
    );
    if *redeemed != Known::Yes {
        let answer = person.redeem(code)?;
        let may_be_gone = *redeemed == Known::Perhaps || chain.at.elapsed() > CODE_IS_YOUNG;
        let gone = may_be_gone && answer.is_invalid_grant();
        assert!(
            answer.status == 200 || gone,
            "{about}: a code that was given is gone: {answer:?}"
        );
        let again = person.redeem(code)?;
        assert!(
            again.is_invalid_grant(),
            "{about}: a code is spent twice: {again:?}"
        );
        return Ok(());
    }
    let Some(tokens) = &chain.tokens else {
        return Ok(());
    };
    let alive = person.userinfo(&tokens.access)?.status;
    let answer = person.refresh(&tokens.refresh)?;
    match revoked {
        Known::Yes => {
            assert!(
                alive == 401 && answer.is_invalid_grant(),
                "{about}: a revocation is lost: {alive} {answer:?}"
            );
        }
        Known::No => {
            let lost = *refreshed == Known::Perhaps && answer.is_invalid_grant();
            assert!(alive == 200, "{about}: an access token is refused: {alive}");
            assert!(
                answer.status == 200 || lost,
                "{about}: a refresh token that was given is gone: {answer:?}"
            );
        }
        Known::Perhaps => assert!(
            answer.status == 200 || answer.is_invalid_grant(),
            "{about}: {answer:?}"
        ),
    }
    // Whatever is spent kills the family when it comes again, so that it is enough to try one.
    let old = match &chain.spent {
        Some(spent) => person.refresh(spent)?,
        None => person.redeem(code)?,
    };
    assert!(
        old.is_invalid_grant(),
        "{about}: what was spent is good again: {old:?}"
    );
    if answer.status == 200 {
        let successor = person.refresh(&answer.text("refresh_token"))?;
        assert!(
            successor.is_invalid_grant(),
            "{about}: a family outlives a reuse: {successor:?}"
        );
    }
    Ok(())
}

fn verify_made(scene: &Scene, port: u16, all: &[Made], about: &str) -> io::Result<()> {
    let mut admin = Admin::of(port, &scene.admin_token(port)?);
    for Made {
        email,
        path,
        created,
        deleted,
    } in all
    {
        if *created == Known::Perhaps {
            let again = admin.create_user(email)?;
            assert!(
                [201, 409].contains(&again.status),
                "{about}: {email}: {again:?}"
            );
            continue;
        }
        let status = admin.ask("GET", path, Body::Nothing)?.status;
        let good = match deleted {
            Known::No => status == 200,
            Known::Yes => status == 404,
            Known::Perhaps => [200, 404].contains(&status),
        };
        assert!(good, "{about}: {email}: {status}, deleted {deleted:?}");
    }
    Ok(())
}

/// What a whole load comes to: answers that last, refusals, and the longest time.
pub fn sum(told: &[(Person, Told)]) -> (u64, u64, Duration) {
    let all = || told.iter().map(|(_, told)| told);
    (
        all().map(|told| told.answers).sum(),
        all().map(|told| told.refusals).sum(),
        all().map(|told| told.slowest).max().unwrap_or_default(),
    )
}
