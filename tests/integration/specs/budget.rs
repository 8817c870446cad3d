//! What a request may cost, counted where a clock would only guess: statements at the database, and hashes. A change that makes one of them
//! dearer is seen here, on any machine; `./bench` says what it means in time.

use tessera::protocol::SigningAlgorithm;
use tessera::storage::DatabaseKind;

use crate::support::app::app_test;
use crate::support::dpop::Prover;
use crate::support::http::Answer;

use super::seed::{Scene, text};

/// How often each request is sent; the least that any of them cost is its cost, as the change feed is looked at now and then.
const TIMES: usize = 5;

/// The statements of one request: the least of several.
async fn cost(scene: &Scene, mut send: impl AsyncFnMut() -> Answer) -> u64 {
    let statements = || scene.app.provider.db.gauges().statements;
    // What is loaded once belongs to nobody.
    send().await.expect_ok();
    let mut least = u64::MAX;
    for _ in 0..TIMES {
        let before = statements();
        send().await.expect_ok();
        least = least.min(statements() - before);
    }
    least
}

app_test! {
    /// Client credentials, keys and metadata, introspection and userinfo ask the database nothing once the caches are warm.
    async fn what_is_asked_most_often_needs_no_database(app: TestApp) {
        let scene = Scene::new(app).await;
        let machine = scene.with(&scene.app.machine_client(&scene.tenant, "").await);
        let tokens = scene.tokens().await;
        let own = machine.client_credentials(&[]).await.access_token;
        let personal = text(&tokens, "access_token").to_owned();
        let get = async |path: &str| scene.app.get(&scene.tenant.url(path)).send().await;
        for (name, statements) in [
            ("keys", cost(&scene, async || get("/jwks").await).await),
            ("metadata", cost(&scene, async || get("/.well-known/openid-configuration").await).await),
            ("client credentials", cost(&scene, async || machine.token(&[("grant_type", "client_credentials")]).await).await),
            ("introspection of a client's token", cost(&scene, async || machine.authenticated("/introspect", &[("token", &own)]).send().await).await),
            ("introspection of a person's token", cost(&scene, async || machine.authenticated("/introspect", &[("token", &personal)]).send().await).await),
            ("userinfo", cost(&scene, async || machine.userinfo(&personal).await).await),
        ] {
            assert_eq!(statements, 0, "{name}");
        }
        let hashes = scene.app.provider.hashing.tally().hashes();
        cost(&scene, async || machine.token(&[("grant_type", "client_credentials")]).await).await;
        assert_eq!(scene.app.provider.hashing.tally().hashes(), hashes, "a client's secret needs no slow hash");
    }

    /// A wrong secret costs the same, whether or not there is such a client: how long a refusal takes doesn't say which clients there are.
    async fn clients_that_are_there_are_refused_by_as_many_statements_as_others(app: TestApp) {
        let scene = Scene::new(app).await;
        let known = scene.app.machine_client(&scene.tenant, "").await.client_id();
        let unknown = scene.app.provider.clock.uuid_v4().to_string();
        let cost = async |id: &str| {
            let send = || scene.app.post(&scene.tenant.url("/token"), &[("grant_type", "client_credentials")]).basic(id, "wrong").send();
            // The first of a minute is written down.
            send().await.expect_error(401, "invalid_client");
            let mut least = u64::MAX;
            for _ in 0..TIMES {
                let before = scene.app.provider.db.gauges().statements;
                send().await.expect_error(401, "invalid_client");
                least = least.min(scene.app.provider.db.gauges().statements - before);
            }
            least
        };
        let costs = (cost(&known).await, cost(&unknown).await);
        assert_eq!(costs.0, costs.1, "{costs:?}");
        assert!(costs.0 > 0, "{costs:?}");
    }

    /// Of those who need an algorithm's first key at once one makes it, and the others find it. By RSA, whose keys are what the turn is for: they take so
    /// long that all have looked by the time that one is made, and each would make and write its own.
    async fn an_algorithms_first_key_is_made_by_one(app: TestApp) {
        const AT_ONCE: u64 = 16;
        let scene = Scene::new(app).await;
        let (tenant, provider) = (scene.loaded().await, &scene.app.provider);
        let statements = || provider.db.gauges().statements;
        let before = statements();
        let signers = (0..AT_ONCE).map(|_| provider.signer(&tenant, SigningAlgorithm::Rs256));
        let made = futures_util::future::join_all(signers).await;
        let names: std::collections::HashSet<_> = made.iter().map(|made| made.as_ref().expect("a key").kid().to_owned()).collect();
        assert_eq!(names.len(), 1);
        // Each looks once, which is three statements, and one of them writes; the change feed is looked at meanwhile. The writes of all would be
        // three more of each.
        let spent = statements() - before;
        assert!(spent < 90, "{spent} statements");
        let kept = scene.app.database.raw().texts("SELECT algorithm AS value FROM signing_keys WHERE algorithm = 'RS256'");
        assert_eq!(kept.len(), 1);
    }

    /// Whoever signs out has one question asked for them, whom to tell; where nobody asks to be told, nothing more is written.
    async fn signing_out_asks_once_whom_to_tell(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut least = u64::MAX;
        for _ in 0..TIMES {
            let mut browser = scene.app.browser();
            let tokens = scene.rp.sign_in(&mut browser, &scene.user).await;
            let hint = tokens.id_token.as_deref().expect("an ID token");
            let url = format!("{}?id_token_hint={hint}", scene.tenant.url("/logout"));
            let before = scene.app.provider.db.gauges().statements;
            browser.fetch(&url, None).await.expect_ok();
            least = least.min(scene.app.provider.db.gauges().statements - before);
        }
        assert_eq!(least, 11);
    }

    /// What writes does so in one transaction, by as few statements as its promises allow. PostgreSQL's begin with the tenant's name, for
    /// row-level security.
    async fn what_writes_writes_little(app: TestApp) {
        let scene = Scene::public(app).await;
        let mut redemption = u64::MAX;
        let mut refresh = String::new();
        for _ in 0..TIMES {
            let code = scene.code().await;
            let before = scene.app.provider.db.gauges().statements;
            let answer = scene.rp.redeem(&code).await.expect_ok();
            redemption = redemption.min(scene.app.provider.db.gauges().statements - before);
            text(&answer.json(), "refresh_token").clone_into(&mut refresh);
        }
        let rotation = cost(&scene, async || {
            let answer = scene.rp.refresh(&refresh).await;
            text(&answer.json(), "refresh_token").clone_into(&mut refresh);
            answer
        }).await;
        // PostgreSQL spends the one and writes the other down by one statement.
        let writes = if scene.app.database.kind() == DatabaseKind::Postgres { 4 } else { 5 };
        assert_eq!((redemption, rotation), (writes, writes));
    }

    /// A proof of possession costs the row that keeps it from being used again, and a fresh token the same as one without.
    async fn a_proof_costs_one_row(app: TestApp) {
        let scene = Scene::new(app).await;
        let machine = scene.with(&scene.app.machine_client(&scene.tenant, "").await);
        let holder = Prover::new(&scene.app.provider.clock);
        let form = [("grant_type", "client_credentials")];
        let proved = cost(&scene, async || machine.proved(&holder, &form).await).await;
        let token = machine.proved(&holder, &form).await.expect_ok().json();
        let (token, url) = (text(&token, "access_token"), scene.tenant.url("/introspect"));
        let introspected = cost(&scene, async || machine.authenticated("/introspect", &[("token", token)]).header("dpop", &holder.proof("POST", &url)).send().await).await;
        // A transaction's begin, the row, and its commit.
        assert_eq!((proved, introspected), (3, 0));
    }
}
