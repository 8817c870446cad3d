//! SECURITY, "Enumeration": known, unknown, closed and passwordless people cost the same work, which is counted where a clock would only
//! guess; and a password is the same however a keyboard composes its letters.

use tessera::domain::ids::UserId;
use tessera::domain::user::User;
use tessera::jose::passwords::{PasswordParameters, Workspace, hash};

use super::seed::Scene;
use crate::support::app::{TestUser, app_test};
use crate::support::browser::{Browser, Page};

/// What one request cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    status: u16,
    hashes: u64,
    /// KiB times passes.
    work: u64,
    statements: u64,
    rows: i64,
}

fn counted(scene: &Scene) -> Cost {
    let (hashing, db) = (&scene.app.provider.hashing, &scene.app.provider.db);
    let mut raw = scene.app.database.raw();
    Cost {
        status: 0,
        hashes: hashing.tally().hashes(),
        work: hashing.tally().work(),
        statements: db.gauges().statements,
        rows: ["audit_events", "login_failures", "changes", "sessions"]
            .iter()
            .map(|table| raw.count(table))
            .sum(),
    }
}

/// How many attempts are looked at, all of them within what the policy allows.
const ATTEMPTS: usize = 6;

/// The costs of one attempt after the other with this name and password.
async fn costs(scene: &Scene, username: &str, password: &str, attempts: usize) -> [Cost; ATTEMPTS] {
    let mut browser = scene.app.browser();
    let page = browser.open(&scene.tenant.url("/login")).await;
    let mut costs = Vec::new();
    for _ in 0..attempts {
        let before = counted(scene);
        let fields = [("username", username), ("password", password)];
        let answer = browser.submit(&page, &fields).await.answer;
        let after = counted(scene);
        costs.push(Cost {
            status: answer.status,
            hashes: after.hashes - before.hashes,
            work: after.work - before.work,
            statements: after.statements - before.statements,
            rows: after.rows - before.rows,
        });
    }
    // What a connection does now and then, as to have its statements planned anew, adds to some attempts, and to all of them never.
    let least = costs.iter().map(|cost| cost.statements).min();
    for cost in &mut costs {
        cost.statements = least.expect("attempts");
    }
    costs[attempts - ATTEMPTS..].try_into().expect("as many")
}

async fn rehash(scene: &Scene, id: UserId, password: &str, memory_kib: u32) {
    let parameters = PasswordParameters {
        memory_kib,
        passes: 1,
        lanes: 1,
    };
    let clock = &scene.app.provider.clock;
    let phc = hash(password, parameters, clock, &mut Workspace::default()).expect("a hash");
    scene
        .write(move |repo| repo.set_password(id, &phc, false))
        .await;
}

async fn close(scene: &Scene, id: UserId) {
    assert!(
        scene
            .write(move |repo| repo.set_user_disabled(id, true))
            .await
    );
}

/// Nothing in the product takes a password away; an import may leave somebody without one.
async fn take_password(scene: &Scene, id: UserId) {
    scene
        .write(move |repo| {
            let user = repo.find_user(id)?.expect("the person");
            repo.delete_user(id)?;
            repo.insert_user(&User {
                password: None,
                ..user
            })
        })
        .await;
}

const RIGHT: &str = "a long enough password";
const WRONG: &str = "a wrong password";

/// People of every kind, and nobody.
async fn people(scene: &Scene) -> Vec<(&'static str, &'static str)> {
    let mut ids = Vec::new();
    for email in [
        "ana-old@acme.example",
        "closed@acme.example",
        "closed-old@acme.example",
        "without@acme.example",
    ] {
        ids.push(scene.app.user(&scene.tenant, email, RIGHT).await.id);
    }
    rehash(scene, ids[0], RIGHT, 32).await;
    rehash(scene, ids[2], RIGHT, 24).await;
    close(scene, ids[1]).await;
    close(scene, ids[2]).await;
    take_password(scene, ids[3]).await;
    vec![
        ("nobody@acme.example", WRONG),
        ("ana@acme.example", WRONG),
        ("ana-old@acme.example", WRONG),
        // Right as they are: that mustn't show.
        ("closed@acme.example", RIGHT),
        ("closed-old@acme.example", RIGHT),
        ("without@acme.example", RIGHT),
    ]
}

async fn signs_in(scene: &Scene, user: &TestUser, password: &str) -> Page {
    let mut browser = scene.app.browser();
    let page = browser.open(&scene.tenant.url("/login")).await;
    let user = TestUser {
        password: password.to_owned(),
        ..user.clone()
    };
    browser.sign_in(&page, &user).await
}

async fn change(scene: &Scene, browser: &mut Browser, current: &str, new: [&str; 2]) -> Page {
    let page = browser.open(&scene.tenant.url("/account/password")).await;
    let fields = [
        ("current_password", current),
        ("new_password", new[0]),
        ("confirm_password", new[1]),
    ];
    browser.submit(&page, &fields).await
}

/// `Ångström käse` with its accents as characters of their own, composed, and with a space as some keyboards make it.
const DECOMPOSED: &str = "A\u{30a}ngstro\u{308}m ka\u{308}se";
const COMPOSED: &str = "\u{c5}ngstr\u{f6}m k\u{e4}se";
const SPACED: &str = "\u{212b}ngstr\u{f6}m\u{a0}k\u{e4}se";

app_test! {
    async fn nobody_costs_less_or_more_than_anybody(app: TestApp) {
        let scene = Scene::new(app).await;
        let people = people(&scene).await;
        let nobody = costs(&scene, people[0].0, people[0].1, ATTEMPTS).await;
        // One hash of today's cost, whoever it is.
        assert!(nobody.iter().all(|cost| (cost.status, cost.work) == (400, 64)), "{nobody:#?}");
        for (username, password) in &people[1..] {
            let theirs = costs(&scene, username, password, ATTEMPTS).await;
            for (cost, nobodys) in theirs.iter().zip(&nobody) {
                // A hash of older days is two computations of the same sum.
                let old = username.starts_with("ana-old");
                assert_eq!(Cost { hashes: nobodys.hashes, ..*cost }, *nobodys, "{username}");
                assert_eq!(cost.hashes, nobodys.hashes + u64::from(old), "{username}");
            }
        }
        // The twins: both are let in with what is right, and the old hash is made anew.
        for email in ["ana@acme.example", "ana-old@acme.example"] {
            let user = TestUser { email: email.into(), ..scene.user.clone() };
            let password = if email == scene.user.email { &scene.user.password } else { RIGHT };
            assert_eq!(signs_in(&scene, &user, password).await.answer.status, 200, "{email}");
        }
    }

    async fn whoever_guesses_too_often_pays_nothing_and_learns_nothing(app: TestApp) {
        let scene = Scene::new(app).await;
        let people = people(&scene).await;
        // The last six are beyond the limit; what is written once is written by the first of them.
        let nobody = costs(&scene, people[0].0, people[0].1, 10 + ATTEMPTS).await;
        assert!(nobody.iter().all(|cost| (cost.status, cost.hashes) == (429, 0)), "{nobody:#?}");
        for (username, password) in &people[1..] {
            assert_eq!(costs(&scene, username, password, 10 + ATTEMPTS).await, nobody, "{username}");
        }
    }

    async fn a_password_is_the_same_however_it_is_composed(app: TestApp) {
        let scene = Scene::new(app).await;
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", DECOMPOSED).await;
        for spelling in [DECOMPOSED, COMPOSED, SPACED] {
            assert_eq!(signs_in(&scene, &ben, spelling).await.url.as_str(), scene.tenant.url("/account"), "{spelling:?}");
        }
        for other in ["Angstrom kase", "\u{e5}ngstr\u{f6}m k\u{e4}se", "\u{c5}ngstr\u{f6}mk\u{e4}se"] {
            assert_eq!(signs_in(&scene, &ben, other).await.answer.status, 400, "{other:?}");
        }
    }

    async fn a_new_password_may_be_confirmed_in_another_spelling(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let login = browser.open(&scene.tenant.url("/login")).await;
        browser.sign_in(&login, &scene.user).await;
        change(&scene, &mut browser, &scene.user.password, [DECOMPOSED, COMPOSED]).await.expect_id("notice");
        assert_eq!(signs_in(&scene, &scene.user, SPACED).await.url.as_str(), scene.tenant.url("/account"));
        // The same in another spelling is no new password, and characters are counted as they are hashed.
        for (new, wanted) in [([COMPOSED, COMPOSED], 400), (["e\u{301}".repeat(9).as_str(), &"e\u{301}".repeat(9)], 400)] {
            assert_eq!(change(&scene, &mut browser, SPACED, new).await.answer.status, wanted, "{new:?}");
        }
        assert_eq!(scene.events("password.changed"), 1);
    }
}
