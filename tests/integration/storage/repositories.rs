//! What repositories keep and find, within one tenant.

use std::time::Duration;

use serde_json::json;
use tessera::domain::address::DomainStage;
use tessera::domain::audit::{Act, Actor, Event, Origin};
use tessera::domain::consent::Permissions;
use tessera::domain::role::Role;
use tessera::domain::settings::LockoutPolicy;
use tessera::domain::user::UserStatus;
use tessera::storage::{EventFilter, Expired, PageRequest, StorageError};

use super::fixture::{self, COUNTER, Populated, scope};
use crate::support::database::db_test;

const DAY: Duration = Duration::from_hours(24);

db_test! {
    async fn a_person_is_kept_whole(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let rows = Populated::fill(&database, &tenant).await;
        let (user, clock) = (rows.user.clone(), database.clock.clone());
        database.db.write(&tenant, move |repo| {
            let id = user.id;
            assert_eq!(repo.find_user(id)?.as_ref(), Some(&user));
            assert_eq!(repo.find_user_by_email(&fixture::email("ADA@Acme.Example"))?.as_ref(), Some(&user));
            let taken = fixture::user(&clock, "Ada@ACME.example");
            assert_eq!(taken.email.key(), user.email.key());

            let mut changed = user.clone();
            changed.email = fixture::email("ada.l@acme.example");
            changed.claims.nickname = Some("Countess".into());
            assert!(repo.update_user(&changed)?);
            assert!(!repo.update_user(&changed)?, "the version has moved on");
            let found = repo.find_user(id)?.expect("there");
            assert_eq!((found.version, found.claims, found.password), (2, changed.claims, user.password.clone()));

            repo.rehash_password(id, "$argon2id$other", "$argon2id$lost")?;
            repo.rehash_password(id, "$argon2id$first", "$argon2id$again")?;
            let found = repo.find_user(id)?.expect("there");
            assert_eq!((found.version, found.password.expect("one").phc.as_str()), (2, "$argon2id$again"));

            assert!(repo.set_user_disabled(id, true)? && !repo.set_user_disabled(id, true)?);
            assert!(matches!(repo.find_user(id)?.expect("there").status, UserStatus::Disabled { .. }));
            assert!(repo.set_user_disabled(id, false)? && !repo.set_user_disabled(id, false)?);

            assert!(!repo.grant_role(id, Role::Auditor)? && repo.grant_role(id, Role::ClientManager)?);
            assert!(repo.revoke_role(id, Role::Administrator)? && !repo.revoke_role(id, Role::Administrator)?);
            let user = repo.find_user(id)?.expect("there");
            assert_eq!(user.roles, [Role::ClientManager, Role::Auditor]);
            assert!(!repo.set_roles(id, user.version - 1, &[Role::Administrator])?);
            assert!(repo.set_roles(id, user.version, &[Role::Administrator, Role::Auditor])? && !repo.set_roles(id, user.version, &[])?);
            let user = repo.find_user(id)?.expect("there");
            assert_eq!(user.roles, [Role::Administrator, Role::Auditor]);
            repo.hold_administrators()?;
            let nobody = uuid::Uuid::nil().into();
            assert!(!repo.has_other_administrator(id)? && repo.has_other_administrator(nobody)?);
            assert!(repo.set_user_disabled(id, true)? && !repo.has_other_administrator(nobody)?);
            Ok(())
        }).await.expect("runs");
        let taken = fixture::user(&database.clock, "Ada.L@ACME.example");
        let inserted = database.db.write(&tenant, move |repo| repo.insert_user(&taken)).await;
        assert!(matches!(inserted, Err(StorageError::Conflict(_))), "{inserted:?}");
    }

    async fn people_are_found_by_a_literal_part_of_their_address_or_names(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let people: Vec<_> = ["a_b@acme.example", "axb@acme.example", "c%d@acme.example", "e@other.example", "Füße@acme.example"]
            .map(|address| fixture::user(&database.clock, address)).into();
        database.db.write(&tenant, move |repo| {
            people.iter().try_for_each(|user| repo.insert_user(user))?;
            let mut found = |text: &str| repo.list_users(Some(text), PageRequest::default()).map(|page| {
                page.items.into_iter().map(|user| user.email.to_string()).collect::<Vec<_>>()
            });
            assert_eq!(found("a_b")?, ["a_b@acme.example"]);
            assert_eq!(found("A_B")?, ["a_b@acme.example"]);
            assert_eq!(found("%")?, ["c%d@acme.example"]);
            assert_eq!(found("other")?, ["e@other.example"]);
            assert_eq!(found("FÜ")?, ["Füße@acme.example"]);
            let mut named = repo.list_users(Some("e@other"), PageRequest::default())?.items.remove(0);
            named.claims.given_name = Some("Émile".into());
            named.claims.family_name = Some("Ødegård".into());
            named.claims.nickname = Some("100%".into());
            assert!(repo.update_user(&named)?);
            let mut found = |text: &str| repo.list_users(Some(text), PageRequest::default()).map(|page| {
                page.items.into_iter().map(|user| user.email.to_string()).collect::<Vec<_>>()
            });
            assert_eq!(found("émile øde")?, ["e@other.example"]);
            assert_eq!(found("ØDEG")?, ["e@other.example"]);
            assert_eq!(found("0%")?, ["e@other.example"]);
            assert_eq!(found("e@other.example émile")?, [""; 0]);
            assert_eq!(found("\\")?, [""; 0]);
            assert_eq!(found(" ")?.len(), 5);

            let first = repo.list_users(None, PageRequest::first(2))?;
            let second = repo.list_users(None, PageRequest { limit: Some(2), after: first.next })?;
            let third = repo.list_users(None, PageRequest { limit: Some(2), after: second.next })?;
            assert_eq!([first.items.len(), second.items.len(), third.items.len()], [2, 2, 1]);
            assert_eq!(third.next, None);
            let all: Vec<_> = first.items.iter().chain(&second.items).chain(&third.items).map(|user| user.id).collect();
            assert!(all.is_sorted() && first.items.iter().all(|user| user.roles.len() == 2));
            Ok(())
        }).await.expect("runs");
    }

    async fn consents_are_a_sum(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let rows = Populated::fill(&database, &tenant).await;
        database.db.write(&tenant, move |repo| {
            let (user, client) = (rows.user.id, rows.client.id);
            repo.merge_consent(user, client, &Permissions::nowhere(scope("openid email")).at("https://two.example", scope("read")))?;
            let consent = repo.find_consent(user, client)?.expect("there");
            assert_eq!(consent.permissions.scope(), scope("openid email read"));
            assert_eq!(consent.permissions.resources().collect::<Vec<_>>(), [fixture::RESOURCE, "https://two.example"]);
            assert!(!consent.permissions.cover(&Permissions::none().at(fixture::RESOURCE, scope("read"))));
            for part in 0..4 {
                let many = (0..90).map(|number| format!("s{part}-{number}")).collect::<Vec<_>>().join(" ");
                repo.merge_consent(user, client, &Permissions::nowhere(scope(&many)))?;
            }
            assert_eq!(repo.find_consent(user, client)?.expect("more than one request may hold").permissions.scope().len(), 363);
            assert_eq!(repo.list_consents(user, PageRequest::default())?.items.len(), 1);
            assert!(repo.withdraw_consent(user, client)? && !repo.withdraw_consent(user, client)?);
            Ok(())
        }).await.expect("runs");
    }

    async fn links_end_with_the_next_one_and_with_the_password(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let rows = Populated::fill(&database, &tenant).await;
        let (clock, time) = (database.clock.clone(), database.time.clone());
        database.db.write(&tenant, move |repo| {
            let user = rows.user.id;
            let second = fixture::link(&clock, user);
            repo.insert_link(&second)?;
            assert!(!repo.consume_link(rows.link.id, clock.now())?, "a newer one is out");
            repo.set_password(user, "$argon2id$second", false)?;
            assert!(!repo.consume_link(second.id, clock.now())?, "the password was changed");
            let third = fixture::link(&clock, user);
            repo.insert_link(&third)?;
            time.advance(3 * DAY);
            assert!(!repo.consume_link(third.id, clock.now())?, "its life is over");
            Ok(())
        }).await.expect("runs");
    }

    async fn domains_are_verified_before_they_are_canonical(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let (clock, id) = (database.clock.clone(), tenant.id());
        let (one, two) = (fixture::domain(&clock, "https://one.example"), fixture::domain(&clock, "https://two.example"));
        database.db.write(&tenant, move |repo| {
            repo.insert_domain(&one)?;
            repo.insert_domain(&two)?;
            assert!(!repo.set_canonical_domain(Some(one.id))?);
            assert!(repo.verify_domain(one.id)? && !repo.verify_domain(one.id)? && repo.verify_domain(two.id)?);
            assert!(repo.set_canonical_domain(Some(one.id))? && repo.set_canonical_domain(Some(two.id))?);
            let canonical = |domains: Vec<tessera::domain::address::Domain>| domains.into_iter().filter(|domain| domain.canonical).map(|domain| domain.id).collect::<Vec<_>>();
            assert_eq!(canonical(repo.list_domains()?), [two.id]);
            assert!(repo.set_canonical_domain(None)?);
            assert_eq!(canonical(repo.list_domains()?), []);
            assert!(matches!(repo.find_domain_by_origin("https://one.example")?.expect("there").stage, DomainStage::Verified { .. }));
            assert!(repo.delete_domain(one.id)?);
            Ok(())
        }).await.expect("runs");
        let gone = database.db.read_installation(|all| all.find_tenant_by_origin("https://one.example")).await.expect("runs");
        assert!(gone.is_none());
        let kept = database.db.read_installation(|all| all.find_tenant_by_origin("https://two.example")).await.expect("runs");
        assert_eq!(kept.expect("an owner").record.id, id);
    }

    async fn events_are_listed_newest_first_and_filtered(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let user = fixture::user(&database.clock, "ada@acme.example").id;
        let begun = database.clock.now();
        for act in [Act::UserCreated, Act::SignInFailed, Act::SignInSucceeded] {
            let origin = Origin { request_id: Some("r1".into()), address: Some("127.0.0.1".into()) };
            let event = Event::new(act, Actor::User(user)).user(user).from(&origin).detail(json!({ "n": 1 }));
            database.db.write(&tenant, move |repo| repo.record(event.clone())).await.expect("runs");
            database.time.advance(Duration::from_secs(10));
        }
        let long = Event::new(Act::TenantUpdated, Actor::System).detail(json!("x".repeat(5000)));
        database.db.write(&tenant, move |repo| repo.record(long.clone())).await.expect("runs");
        database.db.read(&tenant, move |repo| {
            let mut acts = |filter: EventFilter| repo.list_events(&filter, PageRequest::default())
                .map(|page| page.items.into_iter().map(|event| event.act).collect::<Vec<_>>());
            let at = |seconds| Some(begun + chrono::Duration::seconds(seconds));
            let none = EventFilter::default;
            assert_eq!(acts(none())?, ["tenant.updated", "signin.succeeded", "signin.failed", "user.created"]);
            assert_eq!(acts(EventFilter { act: Some(Act::SignInFailed), ..none() })?, ["signin.failed"]);
            assert_eq!(acts(EventFilter { user_id: Some(user), since: at(10), ..none() })?, ["signin.succeeded", "signin.failed"]);
            assert_eq!(acts(EventFilter { until: at(10), ..none() })?, ["user.created"]);
            assert_eq!(acts(EventFilter { since: at(1), until: at(20), ..none() })?, ["signin.failed"]);
            let page = repo.list_events(&none(), PageRequest::first(3))?;
            assert_eq!(page.items[0].detail["left_out"], "too long");
            assert_eq!((page.items[1].detail["n"].as_i64(), page.items[1].request_id.as_deref()), (Some(1), Some("r1")));
            let rest = repo.list_events(&none(), PageRequest { limit: Some(3), after: page.next })?;
            assert_eq!((rest.items.len(), rest.next), (1, None));
            Ok(())
        }).await.expect("runs");
    }

    async fn what_has_ended_is_swept_and_nothing_else(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let rows = Populated::fill(&database, &tenant).await;
        let sweep = async |batch| database.db.write_installation(move |all| all.delete_expired(batch)).await.expect("runs");
        assert_eq!(sweep(100).await, Expired::default());

        // A code that nobody redeemed leaves nothing behind, once no token that went out with it can be good; what was redeemed stays.
        let (user, client, session) = (rows.user.id, rows.client.id, rows.session.id);
        let (lost, code) = fixture::grant(&database.clock, user, client, session);
        let (lost_id, kept) = (lost.id, rows.grant.id);
        // Its client isn't one that is to be told of the session's end.
        let mut client = rows.client.clone();
        (client.metadata.backchannel_logout_uri, client.metadata.frontchannel_logout_uri) = (None, None);
        database.db.write(&tenant, move |repo| { repo.update_client(&client)?; repo.insert_grant(&lost, &code)?; repo.consume_code(kept) }).await.expect("runs");
        database.time.advance(Duration::from_secs(60 + 599));
        assert_eq!(sweep(100).await, Expired::default());

        database.time.advance(DAY);
        let swept = sweep(100).await;
        assert_eq!((swept.revoked_tokens, swept.assertion_ids, swept.login_failures, swept.idempotency_keys), (1, 1, 1, 1));
        assert_eq!((swept.pushed_requests, swept.dpop_proofs, swept.device_codes, swept.device_secrets, swept.backchannel_requests), (1, 1, 1, 1, 1));
        assert!(swept.changes > 0 && !swept.more);
        assert_eq!(swept.total(), 9 + swept.changes);
        database.time.advance(Duration::from_secs(2));
        assert_eq!(sweep(100).await, Expired { grants: 1, ..Expired::default() });
        let found = database.db.read(&tenant, move |repo| Ok((repo.find_grant(lost_id)?.is_some(), repo.find_grant(kept)?.is_some())));
        assert_eq!(found.await.expect("runs"), (false, true));

        database.time.advance(30 * DAY);
        assert_eq!(sweep(100).await, Expired { refresh_tokens: 1, sessions: 1, ..Expired::default() });
        database.time.advance(4 * DAY);
        assert_eq!(sweep(100).await, Expired { one_time_links: 1, initial_access_tokens: 1, ..Expired::default() });
        let key = rows.key.id;
        let now = database.clock.now();
        database.db.write(&tenant, move |repo| { repo.retire_key(key, now, now)?; repo.revoke_grant(kept) }).await.expect("runs");
        database.time.advance(31 * DAY);
        let swept = sweep(100).await;
        assert_eq!((swept.grants, swept.signing_keys), (1, 1));
    }

    async fn a_pushed_request_stays_while_somebody_may_be_at_it(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        Populated::fill(&database, &tenant).await;
        let sweep = async || database.db.write_installation(|all| all.delete_expired(100)).await.expect("runs").pushed_requests;
        // Its own minute, and the hour of whoever began in the last second of it.
        database.time.advance(Duration::from_mins(61));
        assert_eq!(sweep().await, 0);
        database.time.advance(Duration::from_secs(1));
        assert_eq!(sweep().await, 1);
    }

    async fn a_sweep_is_bounded(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let until = database.clock.now();
        let ids: Vec<_> = (0..25).map(|_| database.clock.uuid_v7()).collect();
        database.db.write(&tenant, move |repo| ids.iter().try_for_each(|id| repo.revoke_token(*id, until))).await.expect("runs");
        database.time.advance(DAY);
        let mut swept = vec![];
        for _ in 0..3 {
            let once = database.db.write_installation(|all| all.delete_expired(10)).await.expect("runs");
            swept.push((once.revoked_tokens, once.more));
        }
        assert_eq!(swept, [(10, true), (10, true), (5, false)]);
    }

    /// Those that nobody redeemed are found among the others, some at a time; who was there before goes on from there.
    async fn codes_are_looked_at_in_their_order(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let rows = Populated::fill(&database, &tenant).await;
        let (user, session, mut client) = (rows.user.id, rows.session.id, rows.client.clone());
        (client.metadata.backchannel_logout_uri, client.metadata.frontchannel_logout_uri) = (None, None);
        let id = client.id;
        database.db.write(&tenant, move |repo| { repo.update_client(&client)?; Ok(()) }).await.expect("runs");
        let make = async |redeemed: bool| {
            let (grant, code) = fixture::grant(&database.clock, user, id, session);
            database.db.write(&tenant, move |repo| {
                repo.insert_grant(&grant, &code)?;
                if redeemed { repo.consume_code(grant.id) } else { Ok(true) }
            }).await.expect("runs");
            database.time.advance(Duration::from_millis(1));
        };
        // That of the fixture is the first; ten are looked at each time.
        for number in 1..25 { make(number != 22).await; }
        let look = async |from| database.db.write_installation(move |all| all.delete_unredeemed(1, from)).await.expect("runs");
        database.time.advance(DAY + Duration::from_mins(11));
        let mut seen = vec![];
        let mut reached = None;
        for _ in 0..5 {
            let looked = look(reached).await;
            seen.push((looked.deleted, looked.reached > reached));
            reached = looked.reached;
        }
        // Where as many were deleted as may be, the same are looked at once more.
        assert_eq!(seen, [(1, false), (0, true), (0, true), (1, false), (0, true)]);
        assert_eq!(look(None).await.deleted, 0);
        make(false).await;
        assert_eq!(look(reached).await.deleted, 0);
        database.time.advance(DAY + Duration::from_mins(12));
        assert_eq!(look(reached).await.deleted, 1);
    }

    async fn a_counter_is_of_one_window(database: TestDatabase) {
        let tenant = database.tenant("acme").await;
        let time = database.time.clone();
        database.db.write(&tenant, move |repo| {
            use tessera::domain::throttle::Admission::{Admitted, Refused};
            let policy = LockoutPolicy { attempts: 3, window: 60 };
            let mut attempt = || repo.admit_attempt(&COUNTER, &policy);
            assert_eq!([attempt()?, attempt()?, attempt()?, attempt()?], [Admitted, Admitted, Admitted, Refused]);
            time.advance(Duration::from_secs(59));
            assert_eq!(attempt()?, Refused);
            time.advance(Duration::from_secs(1));
            assert_eq!(attempt()?, Admitted);
            Ok(())
        }).await.expect("runs");
    }
}
