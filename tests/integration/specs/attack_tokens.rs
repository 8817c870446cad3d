//! SECURITY, "Faults" and "Token endpoint": a database that is away is never the client's or the token's fault.

use tessera::storage::Location;

use super::seed::{Scene, text};
use crate::support::app::app_test;
use crate::support::database::Raw;

app_test! {
    async fn a_database_that_is_away_is_nobodys_fault(app: TestApp) {
        let scene = Scene::public(app).await;
        let body = scene.tokens().await;
        let url = scene.tenant.url("/jwks");
        scene.app.get(&url).send().await.expect_ok();
        let database = match &scene.app.database.location {
            Location::Sqlite(_) => None,
            Location::Postgres(url) => Some(url::Url::parse(url).expect("a URL").path()[1..].to_owned()),
        };
        // SQLite's file can't go away, but its writer can be kept waiting.
        let mut raw = match &database {
            None => scene.app.database.raw(),
            Some(_) => Raw::connect(&Location::Postgres(std::env::var("TESSERA_TEST_POSTGRES_URL").expect("a PostgreSQL"))),
        };
        match &database {
            None => raw.execute("BEGIN IMMEDIATE").expect("locked"),
            Some(name) => raw
                .execute(&format!(
                    "ALTER DATABASE {name} ALLOW_CONNECTIONS false; SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"
                ))
                .expect("away"),
        }
        let answer = scene.rp.refresh(text(&body, "refresh_token")).await;
        answer.expect_error(503, "temporarily_unavailable");
        assert!(answer.header("retry-after").is_some());
        for path in ["/jwks", "/.well-known/openid-configuration"] {
            assert_eq!(scene.app.get(&scene.tenant.url(path)).send().await.status, 200, "{path}");
        }
        match &database {
            None => raw.execute("ROLLBACK").expect("unlocked"),
            Some(name) => raw.execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).expect("back"),
        }
        // It heals by itself, and what was refused was not spent.
        for _ in 0..100 {
            let answer = scene.rp.refresh(text(&body, "refresh_token")).await;
            if answer.status == 200 {
                return;
            }
            answer.expect_error(503, "temporarily_unavailable");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the database is back, but the server isn't");
    }
}
