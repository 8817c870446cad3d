//! What may be used once is used once, however many try at the same moment and on whichever node.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use tessera::domain::consent::Permissions;
use tessera::domain::key::KeyRecord;
use tessera::domain::settings::LockoutPolicy;
use tessera::domain::throttle::Admission;
use tessera::storage::{Db, Repo, Result, TenantScope};

use super::fixture::{self, COUNTER, Populated, hash};
use crate::support::database::{TestDatabase, db_test};

/// Runs `work` 24 times at once on two nodes, and says how often it won.
async fn race(
    database: &TestDatabase,
    tenant: TenantScope,
    work: impl Fn(&mut Repo<'_>) -> Result<bool> + Clone + Send + 'static,
) -> usize {
    let nodes: [Db; 2] = [database.db.clone(), database.second_node()];
    let wins = AtomicUsize::new(0);
    let attempts = (0..24).map(|attempt| {
        let (node, work) = (&nodes[attempt % 2], work.clone());
        let wins = &wins;
        async move {
            if node
                .write(&tenant, move |repo| work(repo))
                .await
                .expect("answers")
            {
                wins.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    join_all(attempts).await;
    wins.into_inner()
}

db_test! {
    async fn a_code_is_redeemed_once(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let id = Populated::fill(&database, &tenant).await.grant.id;
        assert_eq!(race(&database, tenant, move |repo| repo.consume_code(id)).await, 1);
    }

    /// The others leave no refresh token of their own.
    async fn a_code_gives_one_refresh_token(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let id = Populated::fill(&database, &tenant).await.grant.id;
        let (mut raw, clock) = (database.raw(), database.clock.clone());
        let before = raw.count("refresh_tokens");
        let won = race(&database, tenant, move |repo| repo.redeem_code(id, &fixture::refresh_token(&clock, id))).await;
        assert_eq!((won, raw.count("refresh_tokens")), (1, before + 1));
    }

    async fn a_refresh_token_is_rotated_once(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let rows = Populated::fill(&database, &tenant).await;
        let (mut raw, clock) = (database.raw(), database.clock.clone());
        let before = raw.count("refresh_tokens");
        let (id, grant) = (rows.refresh_token.id, rows.grant.id);
        let won = race(&database, tenant, move |repo| repo.rotate_refresh_token(id, &fixture::refresh_token(&clock, grant))).await;
        assert_eq!((won, raw.count("refresh_tokens")), (1, before + 1));
    }

    async fn a_device_is_decided_on_once(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let id = Populated::fill(&database, &tenant).await.device_code.id;
        let even = std::sync::Arc::new(AtomicUsize::new(0));
        let won = race(&database, tenant, move |repo| {
            if even.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { repo.allow_device_code(id) } else { repo.deny_device_code(id) }
        }).await;
        assert_eq!(won, 1);
    }

    async fn a_backchannel_request_is_decided_on_once(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let request = Populated::fill(&database, &tenant).await.backchannel_request;
        let even = std::sync::Arc::new(AtomicUsize::new(0));
        let won = race(&database, tenant, move |repo| {
            let (id, user) = (request.id, request.user_id);
            if even.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { repo.allow_backchannel_request(id, user) } else { repo.deny_backchannel_request(id, user) }
        }).await;
        assert_eq!(won, 1);
    }

    async fn an_initial_access_token_is_used_as_often_as_it_may_be(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let id = Populated::fill(&database, &tenant).await.initial_access_token.id;
        let won = race(&database, tenant, move |repo| { let now = repo.now(); repo.consume_initial_access_token(id, now) }).await;
        assert_eq!(won, 2);
    }

    async fn a_link_is_used_once(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let rows = Populated::fill(&database, &tenant).await;
        let (id, now) = (rows.link.id, rows.begun);
        assert_eq!(race(&database, tenant, move |repo| repo.consume_link(id, now)).await, 1);
    }

    async fn a_pushed_request_gets_one_code(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let id = Populated::fill(&database, &tenant).await.pushed_request.id;
        assert_eq!(race(&database, tenant, move |repo| repo.consume_pushed_request(id)).await, 1);
        let used = database.db.read(&tenant, move |repo| repo.find_pushed_request(id)).await.expect("runs");
        assert!(used.is_some_and(|request| request.consumed_at.is_some()), "it is told from one that never was");
    }

    async fn an_assertion_is_taken_once(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let rows = Populated::fill(&database, &tenant).await;
        let (client, until) = (rows.client.id, rows.begun + chrono::Duration::minutes(5));
        assert_eq!(race(&database, tenant, move |repo| repo.consume_assertion(client, &hash(77), until)).await, 1);
    }

    async fn a_proof_of_possession_is_taken_once(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let until = database.clock.now() + chrono::Duration::minutes(1);
        assert_eq!(race(&database, tenant, move |repo| repo.consume_once(&hash(78), until)).await, 1);
    }

    /// Of those who find no key of an algorithm one makes it, whichever node they are on.
    async fn an_algorithms_first_key_is_made_once(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let clock = database.clock.clone();
        let made = race(&database, tenant, move |repo| {
            repo.hold_tenant()?;
            if !repo.list_keys()?.is_empty() {
                return Ok(false);
            }
            let key = fixture::key(&clock);
            let now = repo.now();
            repo.insert_key(&KeyRecord { kid: key.id.to_string(), ..key }, now)?;
            Ok(true)
        }).await;
        assert_eq!(made, 1);
    }

    async fn no_more_guesses_are_admitted_than_allowed(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let admit = |repo: &mut Repo<'_>| {
            let policy = LockoutPolicy { attempts: 5, window: 900 };
            Ok(repo.admit_attempt(&COUNTER, &policy)? == Admission::Admitted)
        };
        assert_eq!(race(&database, tenant, admit).await, 5);
        // The window ends, whatever came meanwhile, and the next one is as wide.
        database.time.advance(std::time::Duration::from_secs(899));
        assert_eq!(race(&database, tenant, admit).await, 0);
        database.time.advance(std::time::Duration::from_secs(1));
        assert_eq!(race(&database, tenant, admit).await, 5);
        database.db.write(&tenant, |repo| repo.clear_failures(&COUNTER)).await.expect("runs");
        assert_eq!(race(&database, tenant, admit).await, 5);
    }

    async fn consents_given_at_once_add_up(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let rows = Populated::fill(&database, &tenant).await;
        let (user, client) = (rows.user.id, rows.client.id);
        let nodes = [database.db.clone(), database.second_node()];
        let merges = (0..8).map(|number| {
            let permissions = Permissions::none().at(&format!("https://api{number}.example"), fixture::scope(&format!("scope{number}")));
            nodes[number % 2].write(&tenant, move |repo| repo.merge_consent(user, client, &permissions))
        });
        for merged in join_all(merges).await {
            merged.expect("added");
        }
        let consent = database.db.read(&tenant, move |repo| repo.find_consent(user, client)).await.expect("runs").expect("a consent");
        assert_eq!((consent.permissions.scope().len(), consent.permissions.resources().count()), (9, 9));
    }
}
