//! SECURITY, "Faults": a database that is away, slow or broken is never the client's, the token's or the person's fault; keys and
//! discovery are there all the same; it heals by itself, and nothing that was refused was spent.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::join_all;
use tessera::storage::DatabaseKind;

use super::seed::{Scene, text};
use crate::support::app::{TestClient, app_test};
use crate::support::browser::{Browser, Page};
use crate::support::database::TestDatabase;
use crate::support::http::Answer;
use crate::support::impatient::{
    Occupied, ShutOut, break_tables, cut_connections, impatient_test, mend_tables, run_impatient,
};
use crate::support::relying_party::RelyingParty;

/// What is begun before the fault, and tried during it.
struct Begun {
    scene: Scene,
    /// Its record is in no cache.
    machine: TestClient,
    code: String,
    access_token: String,
    refresh_token: String,
    revoked_later: String,
    login: (Browser, Page),
    consent: (Browser, Page),
    password: (Browser, Page),
}

type Asked<'a> = (&'static str, Pin<Box<dyn Future<Output = Answer> + 'a>>);

impl Begun {
    async fn new(scene: Scene) -> Self {
        let body = scene.tokens().await;
        let other = scene.tokens().await;
        let mut login = scene.app.browser();
        let login_page = login.open(&scene.tenant.url("/login")).await;
        let mut signed_in = scene.app.browser();
        let page = signed_in
            .open(&scene.rp.authorization_url(&[("prompt", "consent")]))
            .await;
        let consent_page = signed_in.sign_in(&page, &scene.user).await;
        consent_page.expect_id("allow");
        let password_page = signed_in.open(&scene.tenant.url("/account/password")).await;
        let begun = Self {
            code: scene.code().await,
            machine: scene.app.machine_client(&scene.tenant, "").await,
            access_token: text(&body, "access_token").to_owned(),
            refresh_token: text(&body, "refresh_token").to_owned(),
            revoked_later: text(&other, "refresh_token").to_owned(),
            login: (login, login_page),
            consent: (signed_in.clone(), consent_page),
            password: (signed_in, password_page),
            scene,
        };
        // By then the change feed has told of the new tenant; afterwards it is in the cache for good.
        actix_web::rt::time::sleep(Duration::from_millis(500)).await;
        begun.expect_verifiers_served().await;
        begun
    }

    fn machine(&self) -> RelyingParty {
        self.scene.with(&self.machine)
    }

    async fn submitted(&self, form: &(Browser, Page), fields: &[(&str, &str)]) -> Answer {
        let (mut browser, page) = form.clone();
        browser.submit(&page, fields).await.answer
    }

    async fn fetched(&self, url: String) -> Answer {
        self.consent.0.clone().fetch(&url, None).await
    }

    /// One request to everything that needs the database.
    fn requests(&self) -> Vec<Asked<'_>> {
        let (rp, user, url) = (&self.scene.rp, &self.scene.user, |path| {
            self.scene.tenant.url(path)
        });
        vec![
            ("a code", Box::pin(rp.redeem(&self.code))),
            ("a refresh", Box::pin(rp.refresh(&self.refresh_token))),
            (
                "client credentials",
                Box::pin(async {
                    self.machine()
                        .token(&[("grant_type", "client_credentials")])
                        .await
                }),
            ),
            (
                "introspection",
                Box::pin(
                    self.machine()
                        .authenticated("/introspect", &[("token", &self.access_token)])
                        .send(),
                ),
            ),
            (
                "revocation",
                Box::pin(
                    rp.authenticated("/revoke", &[("token", &self.revoked_later)])
                        .send(),
                ),
            ),
            ("userinfo", Box::pin(rp.userinfo(&self.access_token))),
            (
                "authorize",
                Box::pin(self.fetched(rp.authorization_url(&[]))),
            ),
            (
                "authorize for a client in no cache",
                Box::pin(
                    self.fetched(rp.authorization_url(&[("client_id", &self.machine.client_id())])),
                ),
            ),
            (
                "silent authorize",
                Box::pin(self.fetched(rp.authorization_url(&[("prompt", "none")]))),
            ),
            (
                "sign-in",
                Box::pin(async {
                    let fields = [("username", &*user.email), ("password", &*user.password)];
                    self.submitted(&self.login, &fields).await
                }),
            ),
            (
                "consent",
                Box::pin(self.submitted(&self.consent, &[("decision", "allow")])),
            ),
            ("the account", Box::pin(self.fetched(url("/account")))),
            (
                "a new password",
                Box::pin(async {
                    let new = "violet kettle heron";
                    let fields = [
                        ("current_password", &*user.password),
                        ("new_password", new),
                        ("confirm_password", new),
                    ];
                    self.submitted(&self.password, &fields).await
                }),
            ),
        ]
    }

    /// During a fault, everything fails as a failure of ours, and verifiers notice nothing.
    async fn expect_failures(&self, status: u16, code: &str) {
        let (names, requests): (Vec<_>, Vec<_>) = self.requests().into_iter().unzip();
        for (name, answer) in names.iter().zip(join_all(requests).await) {
            if answer.status == 303 {
                assert_eq!(
                    answer.location_param("error").as_deref(),
                    Some(code),
                    "{name}: {answer:?}"
                );
                continue;
            }
            assert_eq!(
                (answer.status, answer.error().as_str()),
                (status, code),
                "{name}: {answer:?}"
            );
            assert_eq!(
                answer.header("retry-after").is_some(),
                status == 503,
                "{name}"
            );
            assert!(
                answer.header("www-authenticate").is_none(),
                "{name}: a challenge would send the client for other credentials"
            );
        }
        self.expect_verifiers_served().await;
    }

    async fn expect_verifiers_served(&self) {
        for path in VERIFIERS {
            let answer = self
                .scene
                .app
                .get(&self.scene.tenant.url(path))
                .send()
                .await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        }
    }

    /// After it, everything goes well, with what was presented during the fault.
    async fn expect_healed(&self) {
        for attempt in 0.. {
            let answer = self
                .machine()
                .token(&[("grant_type", "client_credentials")])
                .await;
            if answer.status == 200 {
                break;
            }
            answer.expect_error(503, "temporarily_unavailable");
            assert!(attempt < 150, "the database is back, but the server isn't");
            actix_web::rt::time::sleep(Duration::from_millis(100)).await;
        }
        for (at, (name, request)) in self.requests().into_iter().enumerate() {
            let mut answer = request.await;
            // A machine under load may miss the deadline again: what was refused so is good the next time too.
            for _ in 0..20 {
                let location = answer.header("location").unwrap_or_default();
                if answer.status != 503 && !location.contains("error=temporarily_unavailable") {
                    break;
                }
                actix_web::rt::time::sleep(Duration::from_millis(100)).await;
                answer = self.requests().swap_remove(at).1.await;
            }
            let leads = |to| {
                let location = answer.header("location");
                location.is_some_and(|location| location.contains(to))
            };
            let good = match name {
                "authorize for a client in no cache" => answer.status == 400,
                // This person has not consented yet.
                "authorize" => leads("/consent"),
                "silent authorize" => leads("error=consent_required"),
                "consent" => answer.location_param("code").is_some(),
                _ => answer.status == 200,
            };
            assert!(good, "{name}: {answer:?}");
        }
    }
}

const VERIFIERS: [&str; 3] = [
    "/jwks",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
];

impatient_test! {
    async fn a_slow_database_is_answered_503_at_the_deadline(app: TestApp) {
        let begun = Begun::new(Scene::public(app).await).await;
        let occupied = Occupied::all(&begun.scene.app.provider.db).await;
        begun.expect_failures(503, "temporarily_unavailable").await;
        occupied.release();
        // What was queued is not begun any more: the code and the refresh token are good.
        begun.expect_healed().await;
    }

    async fn a_broken_database_is_a_failure_of_ours(app: TestApp) {
        let begun = Begun::new(Scene::public(app).await).await;
        let mut raw = begun.scene.app.database.raw();
        break_tables(&mut raw);
        begun.expect_failures(500, "server_error").await;
        mend_tables(&mut raw);
        begun.expect_healed().await;
    }

    async fn keys_are_served_though_they_should_be_loaded_again(app: TestApp) {
        let begun = Begun::new(Scene::public(app).await).await;
        let scene = &begun.scene;
        let loaded = scene.loaded().await;
        let rotated = scene.app.provider.rotate_key(
            &loaded,
            tessera::protocol::SigningAlgorithm::Es256,
            tessera::flows::keys::RotationStart::Immediately,
            tessera::domain::audit::Actor::System,
            tessera::domain::audit::Origin::default(),
            None,
        ).await;
        rotated.expect("storage works").expect("a key");
        let kids = async || scene.app.get(&scene.tenant.url("/jwks")).send().await.expect_ok().json()["keys"].as_array().expect("keys").len();
        // The change feed tells of the rotation once more.
        actix_web::rt::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(kids().await, 2);
        scene.app.time.advance(Duration::from_hours(400 * 24));
        let occupied = Occupied::all(&scene.app.provider.db).await;
        assert_eq!(kids().await, 2, "what is there is served");
        begun.expect_verifiers_served().await;
        occupied.release();
        assert_eq!(kids().await, 1);
        let mut raw = scene.app.database.raw();
        raw.execute("ALTER TABLE tenants RENAME TO tenants_gone").expect("renamed");
        begun.expect_verifiers_served().await;
        raw.execute("ALTER TABLE tenants_gone RENAME TO tenants").expect("renamed");
    }
}

/// PostgreSQL: nobody is let in.
#[test]
fn a_database_that_is_away_is_answered_503() {
    run_impatient(TestDatabase::postgres(), |app| async move {
        let begun = Begun::new(Scene::public(app).await).await;
        let away = ShutOut::of(&begun.scene.app.database.location);
        begun.expect_failures(503, "temporarily_unavailable").await;
        // Then the node knows that it has lost touch.
        while begun.scene.app.provider.is_current() {
            actix_web::rt::time::sleep(Duration::from_millis(50)).await;
        }
        begun.expect_failures(503, "temporarily_unavailable").await;
        away.end();
        begun.expect_healed().await;
    });
}

/// PostgreSQL: a failover cuts every connection, and no request fails for it.
#[test]
fn connections_that_were_cut_cost_nobody_a_request() {
    run_impatient(TestDatabase::postgres(), |app| async move {
        let begun = Begun::new(Scene::public(app).await).await;
        // As many connections as there may be are open.
        Occupied::all(&begun.scene.app.provider.db).await.release();
        assert_eq!(begun.scene.app.provider.db.kind(), DatabaseKind::Postgres);
        cut_connections(&mut begun.scene.app.database.raw());
        for (name, request) in begun.requests() {
            let answer = request.await;
            assert!(answer.status < 500, "{name}: {answer:?}");
        }
    });
}

/// PostgreSQL: connections that come back for a moment have the caches loaded again, and then there is nobody to load from.
#[test]
fn keys_are_served_though_everything_should_be_loaded_again() {
    run_impatient(TestDatabase::postgres(), |app| async move {
        let begun = Begun::new(Scene::public(app).await).await;
        cut_connections(&mut begun.scene.app.database.raw());
        // The change feed connects anew and can't know what it missed.
        actix_web::rt::time::sleep(Duration::from_secs(1)).await;
        let occupied = Occupied::all(&begun.scene.app.provider.db).await;
        begun.expect_verifiers_served().await;
        let login = begun.scene.app.get(&begun.scene.tenant.url("/login"));
        login
            .send()
            .await
            .expect_error(503, "temporarily_unavailable");
        occupied.release();
        begun.expect_healed().await;
    });
}

app_test! {
    async fn another_process_that_holds_the_database_is_nobodys_fault(app: TestApp) {
        let scene = Scene::public(app).await;
        let body = scene.tokens().await;
        if scene.app.database.kind() == DatabaseKind::Postgres {
            return;
        }
        let mut raw = scene.app.database.raw();
        raw.execute("BEGIN IMMEDIATE").expect("locked");
        let answer = scene.rp.refresh(text(&body, "refresh_token")).await;
        answer.expect_error(503, "temporarily_unavailable");
        raw.execute("ROLLBACK").expect("unlocked");
        scene.rp.refresh(text(&body, "refresh_token")).await.expect_ok();
    }
}
