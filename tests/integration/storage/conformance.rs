//! Tenant B can't see, change or delete a row of tenant A: one case per repository, each on both databases.

use chrono::Duration;
use tessera::domain::audit::{Act, Actor, Event};
use tessera::domain::backchannel_request::BackchannelStage;
use tessera::domain::consent::Permissions;
use tessera::domain::device_code::{DeviceCode, DeviceStage};
use tessera::domain::external_subject::ExternalSubject;
use tessera::domain::ids::{ExternalSubjectId, TenantId};
use tessera::domain::role::Role;
use tessera::domain::settings::LockoutPolicy;
use tessera::domain::throttle::Admission;
use tessera::domain::user::User;
use tessera::storage::{
    DatabaseKind, EventFilter, PageRequest, Repo, Result, SessionGrants, StorageError,
    TENANT_TABLES, TenantScope, WordOf,
};
use uuid::Uuid;

use super::fixture::{
    self, CLIENT_ORIGIN, COUNTER, DOMAIN_ORIGIN, ISSUER_KEY, Populated, RESOURCE, hash, scope,
};
use crate::support::database::{Raw, TestDatabase, db_test};

/// Tenant A with a row of everything, and tenant B with nothing.
struct Two {
    database: TestDatabase,
    a: TenantScope,
    b: TenantScope,
    rows: Populated,
}

impl Two {
    async fn new(database: TestDatabase) -> Self {
        let a = database.tenant("acme").await;
        let b = database.tenant("globex").await;
        let rows = Populated::fill(&database, &a).await;
        Self {
            database,
            a,
            b,
            rows,
        }
    }

    /// What B gets from `work`, each in a transaction of its own.
    async fn as_b<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Repo<'_>, &Populated) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let rows = self.rows.clone();
        self.database
            .db
            .write(&self.b, move |repo| work(repo, &rows))
            .await
    }

    async fn as_a<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Repo<'_>, &Populated) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let rows = self.rows.clone();
        self.database
            .db
            .read(&self.a, move |repo| work(repo, &rows))
            .await
    }
}

const ALL: PageRequest = PageRequest {
    limit: None,
    after: None,
};

fn is_empty<T>(page: tessera::storage::Page<T>) -> bool {
    page.items.is_empty() && page.next.is_none()
}

db_test! {
    async fn users(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            let id = rows.user.id;
            assert_eq!(repo.find_user(id)?, None);
            assert_eq!(repo.find_user_by_email(&rows.user.email)?, None);
            assert!(is_empty(repo.list_users(None, ALL)?));
            assert!(is_empty(repo.list_users(Some("ada"), ALL)?));
            assert_eq!(repo.count_users()?, 0);
            assert!(!repo.update_user(&User { email: fixture::email("eve@globex.example"), ..rows.user.clone() })?);
            repo.set_password(id, "$argon2id$theirs", false)?;
            repo.rehash_password(id, "$argon2id$first", "$argon2id$theirs")?;
            assert!(!repo.set_user_disabled(id, true)?);
            assert!(!repo.grant_role(id, Role::UserManager)?);
            assert!(!repo.set_roles(id, rows.user.version, &[])?);
            repo.hold_administrators()?;
            assert!(!repo.has_other_administrator(Uuid::nil().into())?);
            assert!(!repo.revoke_role(id, Role::Auditor)?);
            assert!(!repo.delete_user(id)?);
            Ok(())
        }).await.expect("runs");
        assert_eq!(two.as_a(|repo, rows| repo.find_user(rows.user.id)).await.expect("runs"), Some(two.rows.user));
    }

    async fn the_same_person_may_be_in_both(database: TestDatabase) {
        let two = Two::new(database).await;
        let mut theirs = two.rows.user.clone();
        theirs.claims.name = Some("Another".into());
        let inserted = theirs.clone();
        two.as_b(move |repo, _| repo.insert_user(&inserted)).await.expect("the same id and address are free in another tenant");
        assert_eq!(two.as_b(|repo, rows| repo.find_user(rows.user.id)).await.expect("runs"), Some(theirs));
        assert!(two.as_b(|repo, rows| repo.delete_user(rows.user.id)).await.expect("runs"));
        assert_eq!(two.as_a(|repo, rows| repo.find_user(rows.user.id)).await.expect("runs"), Some(two.rows.user));
    }

    async fn clients(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            let id = rows.client.id;
            assert!(repo.find_client(id)?.is_none());
            assert!(is_empty(repo.list_clients(ALL)?));
            assert!(!repo.update_client(&rows.client)?);
            assert!(!repo.rotate_client_secret(id, &hash(66).into(), None)?);
            assert!(!repo.is_client_origin(CLIENT_ORIGIN)?);
            assert!(!repo.delete_client(id)?);
            Ok(())
        }).await.expect("runs");
        two.as_a(|repo, rows| {
            let found = repo.find_client(rows.client.id)?.expect("still there");
            assert_eq!(found.version, rows.client.version);
            assert!(found.secret.expect("a secret").current.hash.matches(&hash(1)));
            assert!(repo.is_client_origin(CLIENT_ORIGIN)?);
            Ok(())
        }).await.expect("runs");
    }

    async fn sessions(database: TestDatabase) {
        let two = Two::new(database).await;
        two.database.time.advance(std::time::Duration::from_mins(1));
        two.as_b(|repo, rows| {
            let (user, id) = (rows.user.id, rows.session.id);
            assert!(repo.find_session(id)?.is_none());
            assert!(is_empty(repo.list_sessions(user, ALL)?));
            repo.touch_session(id)?;
            assert!(!repo.end_session(user, id, SessionGrants::All)?);
            assert_eq!(repo.end_sessions(user, None, SessionGrants::All)?, 0);
            Ok(())
        }).await.expect("runs");
        two.as_a(|repo, rows| {
            let found = repo.find_session(rows.session.id)?.expect("still there");
            assert_eq!((found.ended_at, found.last_used_at), (None, rows.session.last_used_at));
            Ok(())
        }).await.expect("runs");
    }

    async fn grants(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            let id = rows.grant.id;
            assert!(repo.find_grant(id)?.is_none());
            assert!(repo.find_grant_summary(id)?.is_none());
            assert!(repo.list_detailed_clients(rows.user.id)?.is_empty());
            assert!(repo.list_detailed_grants(rows.user.id, rows.client.id, chrono::Duration::hours(1))?.is_empty());
            assert!(!repo.consume_code(id)?);
            assert!(!repo.redeem_code(id, &rows.refresh_token)?);
            assert!(!repo.revoke_grant(id)?);
            assert_eq!(repo.revoke_grants_of_user(rows.user.id, None)?, 0);
            assert_eq!(repo.revoke_grants_of_user(rows.user.id, Some(rows.client.id))?, 0);
            Ok(())
        }).await.expect("runs");
        assert!(two.database.db.write(&two.a, { let id = two.rows.grant.id; move |repo| repo.consume_code(id) }).await.expect("runs"));
    }

    async fn refresh_tokens(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            let id = rows.refresh_token.id;
            assert!(repo.find_refresh_token(id)?.is_none());
            assert!(!repo.rotate_refresh_token(id, &rows.refresh_token)?);
            repo.extend_refresh_token(id, rows.begun + Duration::days(999))
        }).await.expect("runs");
        two.as_a(|repo, rows| {
            let found = repo.find_refresh_token(rows.refresh_token.id)?.expect("still there");
            assert!(found.rotated.is_none());
            assert_eq!(found.expires_at, rows.refresh_token.expires_at);
            Ok(())
        }).await.expect("runs");
    }

    async fn revoked_tokens_and_assertions(database: TestDatabase) {
        let two = Two::new(database).await;
        assert!(!two.as_b(|repo, rows| repo.is_token_revoked(rows.revoked_jti)).await.expect("runs"));
        assert!(two.as_a(|repo, rows| repo.is_token_revoked(rows.revoked_jti)).await.expect("runs"));
        // The same assertion is new to another tenant, and needs a client there.
        let consumed = two.as_b(|repo, rows| repo.consume_assertion(rows.client.id, &hash(6), rows.begun)).await;
        assert!(matches!(consumed, Err(StorageError::Conflict(_))), "{consumed:?}");
    }

    async fn dpop_proofs(database: TestDatabase) {
        let two = Two::new(database).await;
        // What is used in one tenant is new to the other, and then used there as well.
        let consume = |repo: &mut Repo<'_>, rows: &Populated| repo.consume_once(&hash(7), rows.begun);
        assert!(two.as_b(consume).await.expect("runs"));
        assert!(!two.as_b(consume).await.expect("runs"));
        assert_eq!(two.database.raw().count("dpop_proofs"), 2);
    }

    async fn resources(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            assert_eq!(repo.find_resource_by_identifier(RESOURCE)?, None);
            assert_eq!(repo.list_resources()?, vec![]);
            assert!(!repo.delete_resource(rows.resource.id)?);
            Ok(())
        }).await.expect("runs");
        assert_eq!(two.as_a(|repo, _| repo.list_resources()).await.expect("runs"), vec![two.rows.resource]);
    }

    async fn domains(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            let id = rows.domain.id;
            assert_eq!(repo.list_domains()?, vec![]);
            assert_eq!(repo.find_domain_by_origin(DOMAIN_ORIGIN)?, None);
            assert!(!repo.verify_domain(id)?);
            assert!(!repo.set_canonical_domain(Some(id))?);
            assert!(!repo.delete_domain(id)?);
            Ok(())
        }).await.expect("runs");
        let clock = two.database.clock.clone();
        let claimed = fixture::domain(&clock, DOMAIN_ORIGIN);
        let id = claimed.id;
        two.as_b(move |repo, _| repo.insert_domain(&claimed)).await.expect("anybody may claim an origin");
        let verified = two.as_b(move |repo, _| repo.verify_domain(id)).await;
        assert!(matches!(verified, Err(StorageError::Conflict(_))), "{verified:?}");
        let owner = two.database.db.read_installation(|all| all.find_tenant_by_origin(DOMAIN_ORIGIN)).await.expect("runs");
        assert_eq!(owner.expect("an owner").record.id, two.a.id());
        // Free again once its owner lets go of it.
        two.database.db.write(&two.a, { let id = two.rows.domain.id; move |repo| repo.delete_domain(id) }).await.expect("runs");
        assert!(two.as_b(move |repo, _| repo.verify_domain(id)).await.expect("runs"));
    }

    async fn consents(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            let (user, client) = (rows.user.id, rows.client.id);
            assert_eq!(repo.find_consent(user, client)?, None);
            assert!(is_empty(repo.list_consents(user, ALL)?));
            assert!(!repo.withdraw_consent(user, client)?);
            Ok(())
        }).await.expect("runs");
        let merged = two.as_b(|repo, rows| repo.merge_consent(rows.user.id, rows.client.id, &Permissions::nowhere(scope("all")))).await;
        assert!(matches!(merged, Err(StorageError::Conflict(_))), "{merged:?}");
        let kept = two.as_a(|repo, rows| repo.find_consent(rows.user.id, rows.client.id)).await.expect("runs");
        assert_eq!(kept.expect("still there").permissions.scope(), scope("openid"));
    }

    async fn links(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            assert!(repo.find_link(rows.link.id)?.is_none());
            assert!(!repo.consume_link(rows.link.id, rows.begun)?);
            repo.revoke_links(rows.user.id)
        }).await.expect("runs");
        let inserted = two.as_b(|repo, rows| repo.insert_link(&rows.link)).await;
        assert!(matches!(inserted, Err(StorageError::Conflict(_))), "{inserted:?}");
        let kept = two.as_a(|repo, rows| repo.find_link(rows.link.id)).await.expect("runs");
        assert_eq!(kept.expect("still there").consumed_at, None);
    }

    async fn initial_access_tokens(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            let id = rows.initial_access_token.id;
            assert!(repo.find_initial_access_token(id)?.is_none());
            assert!(is_empty(repo.list_initial_access_tokens(ALL)?));
            assert!(!repo.consume_initial_access_token(id, rows.begun)?);
            assert!(!repo.delete_initial_access_token(id)?);
            assert_eq!(repo.count_strangers_clients()?, 0);
            Ok(())
        }).await.expect("runs");
        // A row's key holds its tenant: the same identifier is another token's elsewhere.
        let kept = two.as_a(|repo, rows| Ok((repo.find_initial_access_token(rows.initial_access_token.id)?, repo.count_strangers_clients()?))).await;
        let (kept, registered) = kept.expect("runs");
        assert_eq!((kept.expect("still there").uses, registered), (0, 1));
    }

    async fn external_subjects(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            let (id, user, name) = (rows.external_subject.id, rows.user.id, rows.external_subject.name);
            assert!(repo.find_external_subject(id)?.is_none());
            assert!(repo.find_external_subject_named(&name)?.is_none());
            assert!(is_empty(repo.list_external_subjects(None, None, ALL)?));
            assert!(is_empty(repo.list_external_subjects(Some(user), Some("ada"), ALL)?));
            assert_eq!(repo.count_external_subjects(user)?, 0);
            assert!(!repo.delete_external_subject(id)?);
            Ok(())
        }).await.expect("runs");
        // A part of the name or of its issuer's, whatever the capitals on either side.
        let named = ExternalSubject {
            id: ExternalSubjectId::from(Uuid::from_u128(77)),
            subject: "Müller\\ÖST 50%_".into(),
            name: hash(77),
            ..two.rows.external_subject.clone()
        };
        two.database.db.write(&two.a, move |repo| repo.insert_external_subject(&named)).await.expect("runs");
        two.as_a(|repo, _| {
            for (search, found) in [
                ("ada", 1), ("ADA", 1), ("müller", 1), ("MÜLLER", 1), ("öst 50%", 1), ("50%_", 1), ("50_", 0), ("idp.EXAMPLE", 2), ("adab", 0), ("  ", 2),
            ] {
                assert_eq!(repo.list_external_subjects(None, Some(search), ALL)?.items.len(), found, "{search}");
            }
            Ok(())
        }).await.expect("runs");
        // Nor can it name A's person.
        let inserted = two.as_b(|repo, rows| repo.insert_external_subject(&rows.external_subject)).await;
        assert!(matches!(inserted, Err(StorageError::Conflict(_))), "{inserted:?}");
        let kept = two.as_a(|repo, rows| repo.find_external_subject_named(&rows.external_subject.name)).await.expect("runs");
        assert_eq!(kept.expect("still there").subject, "ada");
    }

    async fn device_secrets(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            let (id, session) = (rows.device_secret.id, rows.session.id);
            assert!(repo.find_device_secret(id)?.is_none());
            assert!(repo.find_device_secret_of(session, rows.client.id)?.is_none());
            assert!(repo.list_device_secrets(&[session])?.is_empty());
            assert!(!repo.touch_device_secret(id)?);
            assert!(!repo.delete_device_secret(id)?);
            assert_eq!(repo.delete_device_secrets(session)?, 0);
            Ok(())
        }).await.expect("runs");
        // Nor can it stand for A's session.
        let inserted = two.as_b(|repo, rows| repo.replace_device_secret(&rows.device_secret)).await;
        assert!(matches!(inserted, Err(StorageError::Conflict(_))), "{inserted:?}");
        let kept = two.as_a(|repo, rows| repo.list_device_secrets(&[rows.session.id])).await.expect("runs");
        assert_eq!((kept.len(), kept[0].last_used_at), (1, None));
    }

    async fn assertion_grants(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            let words = [WordOf::Issuer(&ISSUER_KEY), WordOf::IssuerTo(&ISSUER_KEY, rows.client.id), WordOf::Name(&rows.external_subject.name)];
            for word in words {
                assert_eq!(repo.revoke_assertion_grants(word)?, 0);
            }
            Ok(())
        }).await.expect("runs");
        let inserted = two.as_b(|repo, rows| repo.insert_assertion_grant(rows.grant.id, &ISSUER_KEY, None)).await;
        assert!(matches!(inserted, Err(StorageError::Conflict(_))), "{inserted:?}");
        // And A's own word, by what it was.
        let rows = two.rows.clone();
        let revoked = two.database.db.write(&two.a, move |repo| {
            assert_eq!(repo.revoke_assertion_grants(WordOf::Issuer(&[8; 32]))?, 0);
            assert_eq!(repo.revoke_assertion_grants(WordOf::IssuerTo(&ISSUER_KEY, rows.user.id.uuid().into()))?, 0);
            repo.revoke_assertion_grants(WordOf::Name(&rows.external_subject.name))
        }).await;
        assert_eq!(revoked.expect("runs"), 1);
    }

    async fn keys(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            assert!(repo.list_keys()?.is_empty());
            assert!(!repo.retire_key(rows.key.id, rows.begun, rows.begun)?);
            assert!(!repo.revoke_key(rows.key.id)?);
            Ok(())
        }).await.expect("runs");
        let kept = two.as_a(|repo, _| repo.list_keys()).await.expect("runs");
        assert_eq!((kept.len(), kept[0].stage), (1, two.rows.key.stage));
    }

    async fn pushed_requests(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            assert!(repo.find_pushed_request(rows.pushed_request.id)?.is_none());
            assert!(!repo.consume_pushed_request(rows.pushed_request.id)?);
            Ok(())
        }).await.expect("runs");
        let foreign = two.as_b(|repo, rows| repo.insert_pushed_request(&rows.pushed_request)).await;
        assert!(matches!(foreign, Err(StorageError::Conflict(_))), "the client is A's: {foreign:?}");
        let kept = two.as_a(|repo, rows| repo.find_pushed_request(rows.pushed_request.id)).await.expect("runs").expect("still there");
        let rows = &two.rows.pushed_request;
        assert_eq!((kept.client_id, kept.issuer, kept.parameters), (rows.client_id, rows.issuer.clone(), rows.parameters.clone()));
        assert!(kept.proof.matches(&rows.proof) && kept.consumed_at.is_none() && kept.expires_at == rows.expires_at);
    }

    async fn logout_deliveries(database: TestDatabase) {
        use tessera::domain::logout_delivery::DeliveryState;
        let two = Two::new(database).await;
        let own = two.as_a(|repo, _| repo.list_logout_deliveries(Some(DeliveryState::Pending), ALL)).await.expect("runs").items;
        assert_eq!(own.len(), 1);
        let made = own[0].clone();
        assert_eq!((made.client_id, made.session_id, made.user_id, made.issuer.as_str()), (two.rows.client.id, two.rows.session.id, two.rows.user.id, "https://acme.example"));
        // B ends nothing of A's, and so tells nobody; and what A's are told is nothing of B's.
        let foreign = made.clone();
        two.as_b(move |repo, rows| {
            assert!(!repo.end_session(rows.user.id, rows.session.id, tessera::storage::SessionGrants::All)?);
            repo.tell_of_withdrawal(rows.user.id, rows.client.id)?;
            assert!(is_empty(repo.list_logout_deliveries(None, ALL)?));
            assert!(repo.find_logout_delivery(foreign.id)?.is_none());
            assert!(!repo.retry_logout_delivery(foreign.id)?);
            assert!(!repo.finish_logout_attempt(&foreign, DeliveryState::Delivered, None, None)?);
            Ok(())
        }).await.expect("runs");
        let kept = two.as_a(move |repo, _| repo.find_logout_delivery(made.id)).await.expect("runs").expect("still there");
        assert_eq!((kept.state, kept.attempts, kept.claimed), (DeliveryState::Pending, 0, false));
        let (user, session) = (two.rows.user.id, two.rows.session.id);
        let front = two.database.db.write(&two.a, move |repo| repo.end_session_in_browser(user, session, tessera::storage::SessionGrants::All));
        let front = front.await.expect("runs").expect("it was alive");
        assert_eq!((front.len(), front[0].client_id, front[0].session_id), (1, two.rows.client.id, session));
        assert_eq!(two.as_a(|repo, _| repo.list_logout_deliveries(None, ALL)).await.expect("runs").items.len(), 2);
    }

    async fn device_codes(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            let id = rows.device_code.id;
            assert!(repo.find_device_code(id)?.is_none());
            assert!(repo.find_device_code_shown(&rows.device_code.user_code)?.is_none());
            assert_eq!(repo.count_waiting_device_codes(rows.client.id)?, 0);
            assert!(!repo.allow_device_code(id)? && !repo.deny_device_code(id)?);
            repo.slow_device_down(id, 5, 60)?;
            assert!(repo.find_live_grant_of_session(rows.session.id, rows.client.id)?.is_none());
            Ok(())
        }).await.expect("runs");
        let foreign = two.as_b(|repo, rows| repo.insert_device_code(&rows.device_code)).await;
        assert!(matches!(foreign, Err(StorageError::Conflict(_))), "the client is A's: {foreign:?}");
        let kept = two.as_a(|repo, rows| Ok((repo.find_device_code_shown(&rows.device_code.user_code)?, repo.count_waiting_device_codes(rows.client.id)?))).await;
        let (kept, waiting) = kept.expect("runs");
        let (kept, rows) = (kept.expect("still there"), &two.rows.device_code);
        assert_eq!((kept.id, kept.client_id, kept.scope, kept.resources, kept.address), (rows.id, rows.client_id, rows.scope.clone(), rows.resources.clone(), rows.address.clone()));
        assert_eq!((kept.interval, kept.stage, kept.expires_at, waiting), (5, DeviceStage::Pending, rows.expires_at, 1));
        assert!(kept.proof.matches(&rows.proof) && kept.user_code.matches(&rows.user_code));
        // What one device shows no other of the tenant does.
        let other = DeviceCode { id: two.rows.revoked_jti.into(), ..two.rows.device_code.clone() };
        let twice = two.database.db.write(&two.a, move |repo| repo.insert_device_code(&other)).await;
        assert!(!twice.expect("runs"));
    }

    async fn backchannel_requests(database: TestDatabase) {
        let two = Two::new(database).await;
        two.as_b(|repo, rows| {
            let (id, user) = (rows.backchannel_request.id, rows.user.id);
            assert!(repo.find_backchannel_request(id)?.is_none());
            assert!(repo.list_waiting_backchannel_requests(user)?.is_empty() && repo.clients_that_wait_for(user)?.is_empty());
            assert!(!repo.allow_backchannel_request(id, user)? && !repo.deny_backchannel_request(id, user)? && !repo.expire_backchannel_request(id)?);
            repo.slow_backchannel_request_down(id, 5, 60)
        }).await.expect("runs");
        let foreign = two.as_b(|repo, rows| repo.insert_backchannel_request(&rows.backchannel_request)).await;
        assert!(matches!(foreign, Err(StorageError::Conflict(_))), "client and person are A's: {foreign:?}");
        let kept = two.as_a(|repo, rows| Ok((repo.list_waiting_backchannel_requests(rows.user.id)?, repo.clients_that_wait_for(rows.user.id)?))).await;
        let (mut kept, clients) = kept.expect("runs");
        let (kept, rows) = (kept.pop().expect("still there"), &two.rows.backchannel_request);
        assert_eq!((kept.id, kept.client_id, kept.user_id, clients), (rows.id, rows.client_id, rows.user_id, vec![rows.client_id]));
        assert_eq!(kept.details, rows.details);
        assert_eq!((kept.scope, kept.resources, kept.binding_message, kept.delivery, kept.sealed_notice), (rows.scope.clone(), rows.resources.clone(), rows.binding_message.clone(), rows.delivery, rows.sealed_notice.clone()));
        assert_eq!((kept.interval, kept.stage, kept.expires_at, kept.proof.matches(&rows.proof)), (5, BackchannelStage::Pending, rows.expires_at, true));
        // Not by somebody else of the tenant, and not before its time.
        let (id, other) = (rows.id, tessera::domain::ids::UserId::from(two.rows.revoked_jti));
        let untouched = two.database.db.write(&two.a, move |repo| Ok((repo.allow_backchannel_request(id, other)?, repo.deny_backchannel_request(id, other)?, repo.expire_backchannel_request(id)?)));
        assert_eq!(untouched.await.expect("runs"), (false, false, false));
    }

    async fn idempotency_keys(database: TestDatabase) {
        let two = Two::new(database).await;
        assert_eq!(two.as_b(|repo, rows| repo.find_idempotency_key(&rows.once)).await.expect("runs"), None);
        // The same key is new to another tenant, and used up for each by itself.
        let claim = |repo: &mut Repo<'_>, rows: &Populated| repo.claim_idempotency_key(&rows.once, rows.revoked_jti, Some(b"sealed"));
        two.as_b(claim).await.expect("free");
        let again = two.as_b(claim).await;
        assert!(matches!(again, Err(StorageError::KeyUsed)), "{again:?}");
        let found = two.as_b(|repo, rows| repo.find_idempotency_key(&rows.once)).await.expect("runs").expect("used");
        assert_eq!((found.made, found.request_hash, found.sealed_secret), (two.rows.revoked_jti, [8; 32], Some(b"sealed".to_vec())));
        let kept = two.as_a(|repo, rows| repo.find_idempotency_key(&rows.once)).await.expect("runs").expect("still there");
        assert_eq!((kept.made, kept.sealed_secret), (two.rows.user.id.uuid(), None));
    }

    async fn failures(database: TestDatabase) {
        let two = Two::new(database).await;
        let once = LockoutPolicy { attempts: 1, window: 900 };
        let policy = once.clone();
        assert_eq!(two.as_b(move |repo, _| repo.admit_attempt(&COUNTER, &policy)).await.expect("runs"), Admission::Admitted);
        two.as_b(|repo, _| repo.clear_failures(&COUNTER)).await.expect("runs");
        let refused = two.database.db.write(&two.a, move |repo| repo.admit_attempt(&COUNTER, &once)).await.expect("runs");
        assert_eq!(refused, Admission::Refused);
    }

    async fn events(database: TestDatabase) {
        let two = Two::new(database).await;
        let filter = |rows: &Populated| EventFilter { user_id: Some(rows.user.id), ..EventFilter::default() };
        assert!(is_empty(two.as_b(|repo, _| repo.list_events(&EventFilter::default(), ALL)).await.expect("runs")));
        assert!(is_empty(two.as_b(move |repo, rows| repo.list_events(&filter(rows), ALL)).await.expect("runs")));
        // A record names people freely, as they may be gone; it is the writer's tenant's all the same.
        two.as_b(|repo, rows| repo.record(Event::new(Act::UserDeleted, Actor::System).user(rows.user.id))).await.expect("runs");
        let seen = two.as_a(move |repo, rows| repo.list_events(&filter(rows), ALL)).await.expect("runs");
        assert_eq!(seen.items.iter().map(|event| event.act.as_str()).collect::<Vec<_>>(), ["user.created"]);
    }

    /// Work on a tenant within the installation's transaction reaches no other's rows either: a tenant is loaded so, keys and all.
    async fn parts_of_the_installations_work(database: TestDatabase) {
        let two = Two::new(database).await;
        let (a, b, rows) = (two.a, two.b, two.rows.clone());
        let slug = |text: &str| tessera::protocol::slug::Slug::parse(text).expect("a slug");
        let (acme, globex) = (slug("acme"), slug("globex"));
        let seen = two.database.db.write_installation(move |all| {
            let id = rows.user.id;
            all.tenant(b, |repo| {
                assert_eq!(repo.find_user(id)?, None);
                assert!(repo.list_keys()?.is_empty());
                assert!(!repo.delete_user(id)?);
                Ok(())
            })?;
            let known = all.tenant(a, |repo| repo.find_user(id))?;
            let others = all.find_tenant(&globex)?.expect("a tenant");
            let own = all.find_tenant(&acme)?.expect("a tenant");
            let by_origin = all.find_tenant_by_origin(DOMAIN_ORIGIN)?.expect("a tenant");
            let all_tenants = all.list_tenants(None, ALL)?.items.len();
            let counts = |loaded: &tessera::storage::LoadedTenant| [loaded.keys.len(), loaded.domains.len(), loaded.resources.len()];
            Ok((known.is_some(), counts(&others), counts(&own), counts(&by_origin), all_tenants))
        });
        assert_eq!(seen.await.expect("runs"), (true, [0; 3], [1; 3], [1; 3], 2));
    }

    /// What belongs to a person or a client of another tenant can't be written: the keys say so.
    async fn nothing_refers_across_tenants(database: TestDatabase) {
        let two = Two::new(database).await;
        let conflicts = |outcome: Result<()>| assert!(matches!(outcome, Err(StorageError::Conflict(_))), "{outcome:?}");
        conflicts(two.as_b(|repo, rows| repo.insert_session(&rows.session)).await);
        conflicts(two.as_b(|repo, rows| repo.insert_refresh_token(&rows.refresh_token)).await);
        let clock = two.database.clock.clone();
        conflicts(two.as_b(move |repo, rows| {
            let (grant, code) = fixture::grant(&clock, rows.user.id, rows.client.id, rows.session.id);
            repo.insert_grant(&grant, &code)
        }).await);
    }

    async fn deleting_a_tenant_takes_its_rows_only(database: TestDatabase) {
        let two = Two::new(database).await;
        let (clock, b) = (two.database.clock.clone(), two.b);
        let other = fixture::user(&clock, "bob@globex.example");
        let kept = other.clone();
        two.as_b(move |repo, _| repo.insert_user(&other)).await.expect("runs");
        let a = two.a.id();
        assert!(two.database.db.write_installation(move |all| all.delete_tenant(a)).await.expect("runs"));
        let mut raw = two.database.raw();
        for table in TENANT_TABLES {
            let expected = match *table { "users" => 1, "role_assignments" => 2, _ => 0 };
            assert_eq!(raw.count(table), expected, "{table}");
        }
        assert_eq!(raw.count("domain_owners"), 0);
        let found = two.database.db.read(&b, move |repo| repo.find_user(kept.id)).await.expect("runs");
        assert!(found.is_some());
    }
}

/// Past every filter of ours, PostgreSQL itself shows and takes a tenant's own rows only.
#[test]
fn row_level_security_holds_without_any_filter() {
    crate::support::database::run(TestDatabase::postgres(), |database| async {
        assert_eq!(database.kind(), DatabaseKind::Postgres);
        let two = Two::new(database).await;
        let mut raw = two.database.raw();
        raw.execute("SET ROLE tessera_app").expect("a role");
        let as_tenant = |raw: &mut Raw, tenant: Option<TenantId>| {
            let tenant = tenant.map(|id| id.to_string()).unwrap_or_default();
            raw.execute(&format!(
                "SELECT set_config('tessera.tenant', '{tenant}', false)"
            ))
            .expect("set");
        };
        for table in TENANT_TABLES {
            as_tenant(&mut raw, Some(two.a.id()));
            assert!(raw.count(table) > 0, "the fixture has no row of {table}");
            for stranger in [Some(two.b.id()), Some(TenantId::from(Uuid::nil())), None] {
                as_tenant(&mut raw, stranger);
                assert_eq!(raw.count(table), 0, "{table} as {stranger:?}");
                raw.execute(&format!("DELETE FROM {table}"))
                    .expect("nothing to delete");
            }
            as_tenant(&mut raw, Some(two.a.id()));
            assert!(
                raw.count(table) > 0,
                "{table} was deleted from by a stranger"
            );
            // Nor can a row be given to another tenant.
            let given = raw.execute(&format!("UPDATE {table} SET tenant_id = '{}'", two.b.id()));
            assert!(
                given
                    .expect_err("refused")
                    .to_string()
                    .contains("row-level security"),
                "{table}"
            );
        }
    });
}
