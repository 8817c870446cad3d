//! One row of everything in one tenant.

use chrono::Duration;
use serde_json::json;
use tessera::clock::{Clock, Timestamp};
use tessera::domain::address::{Domain, DomainStage};
use tessera::domain::audit::{Act, Actor, Event};
use tessera::domain::backchannel_request::{BackchannelRequest, BackchannelStage};
use tessera::domain::client::{Client, ClientSecrets, KeptSecret, SelfRegistration};
use tessera::domain::consent::Permissions;
use tessera::domain::device_code::{DeviceCode, DeviceStage};
use tessera::domain::device_secret::DeviceSecret;
use tessera::domain::external_subject::ExternalSubject;
use tessera::domain::grant::{Grant, GrantStage, PendingCode, RefreshToken};
use tessera::domain::ids::{
    BackchannelRequestId, ClientId, DeviceCodeId, DeviceSecretId, DomainId, ExternalSubjectId,
    GrantId, InitialAccessTokenId, KeyId, LinkId, PushedRequestId, RefreshTokenId, ResourceId,
    SessionId, UserId,
};
use tessera::domain::initial_access_token::InitialAccessToken;
use tessera::domain::key::{KeyRecord, KeyStage};
use tessera::domain::one_time_link::OneTimeLink;
use tessera::domain::pushed_request::PushedRequest;
use tessera::domain::resource::{Resource, ResourceScope};
use tessera::domain::role::Role;
use tessera::domain::session::Session;
use tessera::domain::settings::LockoutPolicy;
use tessera::domain::user::{PasswordHash, User, UserStatus};
use tessera::protocol::algorithm::SigningAlgorithm;
use tessera::protocol::authorization_details::AuthorizationDetails;
use tessera::protocol::backchannel_authentication::DeliveryMode;
use tessera::protocol::claims::StandardClaims;
use tessera::protocol::client_metadata::ClientMetadata;
use tessera::protocol::dpop::{Confirmation, Thumbprint};
use tessera::protocol::email::EmailAddress;
use tessera::protocol::scope::Scope;
use tessera::secret::HashedSecret;
use tessera::storage::{Once, Repo, Result, TenantScope};
use uuid::Uuid;

use crate::support::database::TestDatabase;

pub const CLIENT_ORIGIN: &str = "https://app.acme.example";
pub const DOMAIN_ORIGIN: &str = "https://login.acme.example";
pub const RESOURCE: &str = "https://api.acme.example";
pub const COUNTER: [u8; 32] = [9; 32];

pub fn hash(byte: u8) -> HashedSecret {
    HashedSecret::from_slice(&[byte; 32]).expect("32 bytes")
}

pub fn scope(text: &str) -> Scope {
    Scope::parse(text).expect("a scope")
}

pub fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("an address")
}

pub fn user(clock: &Clock, address: &str) -> User {
    let now = clock.now();
    User {
        id: UserId::from(clock.uuid_v7()),
        email: email(address),
        email_verified: true,
        status: UserStatus::Active,
        claims: StandardClaims {
            name: Some("Ada".into()),
            ..StandardClaims::default()
        },
        password: Some(PasswordHash {
            by_lesser: true,
            phc: "$argon2id$first".into(),
            set_at: now,
        }),
        roles: vec![Role::Administrator, Role::Auditor],
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

pub fn client(clock: &Clock) -> Client {
    let metadata = json!({ "client_name": "App", "token_endpoint_auth_method": "none", "redirect_uris": [format!("{CLIENT_ORIGIN}/callback")],
        "backchannel_logout_uri": format!("{CLIENT_ORIGIN}/out"), "frontchannel_logout_uri": format!("{CLIENT_ORIGIN}/frame") });
    let id = ClientId::from(clock.uuid_v7());
    let metadata = ClientMetadata::from_json(metadata).expect("metadata");
    Client {
        secret: Some(ClientSecrets {
            current: KeptSecret {
                hash: hash(1),
                sealed: Some(vec![1, 2, 3]),
            },
            made_at: clock.now(),
            previous: None,
        }),
        registration: Some(SelfRegistration {
            proof: hash(8),
            initial_access_token: None,
            software_statement: None,
            set_by_administrators: ["scope".to_owned()].into(),
        }),
        ..Client::new(id, metadata, clock.now())
    }
}

pub fn session(clock: &Clock, user: UserId) -> Session {
    let (now, id) = (clock.now(), SessionId::from(clock.uuid_v7()));
    Session {
        id,
        user_id: user,
        proof: hash(2),
        auth_time: now,
        amr: vec!["pwd".into()],
        user_agent: "test".into(),
        address: "127.0.0.1".into(),
        last_used_at: now,
        expires_at: now + Duration::days(1),
        ended_at: None,
        lineage: id,
    }
}

pub fn grant(
    clock: &Clock,
    user: UserId,
    client: ClientId,
    session: SessionId,
) -> (Grant, PendingCode) {
    let now = clock.now();
    let grant = Grant {
        id: GrantId::from(clock.uuid_v7()),
        user_id: user,
        client_id: client,
        session_id: session,
        issuer: "https://acme.example".into(),
        scope: scope("openid"),
        resources: vec![RESOURCE.into()],
        details: AuthorizationDetails::default(),
        claims: None,
        auth_time: now,
        amr: vec!["pwd".into()],
        acr: None,
        offline: true,
        stage: GrantStage::CodeIssued,
        created_at: now,
        expires_at: now + Duration::days(365),
    };
    let code = PendingCode {
        proof: hash(3),
        redirect_uri: None,
        nonce: None,
        code_challenge: None,
        dpop_jkt: Some(Thumbprint::new([9; 32])),
        expires_at: now + Duration::seconds(60),
    };
    (grant, code)
}

pub fn refresh_token(clock: &Clock, grant: GrantId) -> RefreshToken {
    RefreshToken {
        id: RefreshTokenId::from(clock.uuid_v7()),
        grant_id: grant,
        proof: hash(4),
        created_at: clock.now(),
        expires_at: clock.now() + Duration::days(30),
        rotated: None,
        bound_to: Some(Confirmation::Certificate(Thumbprint::new([9; 32]))),
    }
}

pub fn link(clock: &Clock, user: UserId) -> OneTimeLink {
    OneTimeLink {
        id: LinkId::from(clock.uuid_v7()),
        user_id: user,
        proof: hash(5),
        expires_at: clock.now() + Duration::days(3),
        by_administrator: true,
        consumed_at: None,
    }
}

pub fn pushed_request(clock: &Clock, client: ClientId) -> PushedRequest {
    PushedRequest {
        id: PushedRequestId::from(clock.uuid_v7()),
        client_id: client,
        proof: hash(10),
        issuer: "https://acme.example".into(),
        parameters: "response_type=code".into(),
        expires_at: clock.now() + Duration::seconds(60),
        consumed_at: None,
    }
}

pub fn device_code(clock: &Clock, client: ClientId) -> DeviceCode {
    DeviceCode {
        id: DeviceCodeId::from(clock.uuid_v7()),
        client_id: client,
        proof: hash(11),
        user_code: hash(12),
        issuer: "https://acme.example".into(),
        scope: Scope::parse("openid").expect("a scope"),
        resources: vec![RESOURCE.into()],
        details: tessera::protocol::authorization_details::AuthorizationDetails::default(),
        address: "203.0.113.7".into(),
        interval: 5,
        stage: DeviceStage::Pending,
        created_at: clock.now(),
        expires_at: clock.now() + Duration::minutes(10),
    }
}

pub fn backchannel_request(clock: &Clock, client: ClientId, user: UserId) -> BackchannelRequest {
    BackchannelRequest {
        id: BackchannelRequestId::from(clock.uuid_v7()),
        client_id: client,
        user_id: user,
        proof: hash(13),
        issuer: "https://acme.example".into(),
        scope: Scope::parse("openid").expect("a scope"),
        resources: vec![RESOURCE.into()],
        claims: None,
        details: tessera::protocol::authorization_details::AuthorizationDetails::parse(
            r#"[{"type":"payment"}]"#,
        )
        .expect("details"),
        binding_message: "W4SCT".into(),
        delivery: DeliveryMode::Push,
        sealed_notice: Some(vec![9; 40]),
        interval: 5,
        stage: BackchannelStage::Pending,
        created_at: clock.now(),
        expires_at: clock.now() + Duration::minutes(5),
    }
}

pub fn initial_access_token(clock: &Clock) -> InitialAccessToken {
    InitialAccessToken {
        id: InitialAccessTokenId::from(clock.uuid_v7()),
        name: "For partners".into(),
        proof: hash(7),
        uses: 0,
        max_uses: 2,
        created_at: clock.now(),
        expires_at: clock.now() + Duration::days(3),
    }
}

pub fn once(clock: &Clock) -> Once {
    Once {
        caller: clock.uuid_v7(),
        key_hash: [7; 32],
        request_hash: [8; 32],
        expires_at: clock.now() + Duration::hours(24),
    }
}

pub fn domain(clock: &Clock, origin: &str) -> Domain {
    Domain {
        id: DomainId::from(clock.uuid_v7()),
        origin: origin.into(),
        stage: DomainStage::Pending {
            verification_token: "token".into(),
        },
        canonical: false,
        created_at: clock.now(),
    }
}

pub fn external_subject(clock: &Clock, user: UserId) -> ExternalSubject {
    ExternalSubject {
        id: ExternalSubjectId::from(clock.uuid_v7()),
        user_id: user,
        issuer: "https://idp.example".into(),
        subject: "ada".into(),
        name: hash(8),
        created_at: clock.now(),
    }
}

pub fn device_secret(clock: &Clock, session: SessionId, client: ClientId) -> DeviceSecret {
    let now = clock.now();
    DeviceSecret {
        id: DeviceSecretId::from(clock.uuid_v7()),
        session_id: session,
        client_id: client,
        proof: hash(9),
        created_at: now,
        last_used_at: None,
        expires_at: now + chrono::Duration::days(1),
    }
}

/// What the word of an issuer is found by.
pub const ISSUER_KEY: [u8; 32] = [7; 32];

pub fn resource(clock: &Clock) -> Resource {
    Resource {
        id: ResourceId::from(clock.uuid_v7()),
        identifier: RESOURCE.into(),
        name: "API".into(),
        scopes: vec![ResourceScope {
            name: "read".into(),
            description: None,
        }],
        details_types: Vec::new(),
        version: 1,
        created_at: clock.now(),
    }
}

pub fn key(clock: &Clock) -> KeyRecord {
    KeyRecord {
        id: KeyId::from(clock.uuid_v7()),
        kid: "thumbprint".into(),
        algorithm: SigningAlgorithm::Es256.into(),
        stage: KeyStage::Published {
            signs_from: clock.now(),
        },
        public_jwk: json!({ "kty": "EC" }),
        sealed_private_jwk: vec![7; 40],
        created_at: clock.now(),
    }
}

/// One row of everything, and what it is found by.
#[derive(Clone)]
pub struct Populated {
    pub user: User,
    pub client: Client,
    pub session: Session,
    pub grant: Grant,
    pub refresh_token: RefreshToken,
    pub link: OneTimeLink,
    pub pushed_request: PushedRequest,
    pub device_code: DeviceCode,
    pub backchannel_request: BackchannelRequest,
    pub initial_access_token: InitialAccessToken,
    pub external_subject: ExternalSubject,
    pub device_secret: DeviceSecret,
    pub domain: Domain,
    pub resource: Resource,
    pub key: KeyRecord,
    pub once: Once,
    pub revoked_jti: Uuid,
    pub begun: Timestamp,
}

impl Populated {
    /// Fills a tenant.
    pub async fn fill(database: &TestDatabase, tenant: &TenantScope) -> Self {
        let clock = &database.clock;
        let user = user(clock, "ada@acme.example");
        let client = client(clock);
        let session = session(clock, user.id);
        let (grant, code) = grant(clock, user.id, client.id, session.id);
        let all = Self {
            refresh_token: refresh_token(clock, grant.id),
            link: link(clock, user.id),
            pushed_request: pushed_request(clock, client.id),
            device_code: device_code(clock, client.id),
            backchannel_request: backchannel_request(clock, client.id, user.id),
            initial_access_token: initial_access_token(clock),
            external_subject: external_subject(clock, user.id),
            device_secret: device_secret(clock, session.id, client.id),
            domain: domain(clock, DOMAIN_ORIGIN),
            resource: resource(clock),
            key: key(clock),
            once: once(clock),
            revoked_jti: clock.uuid_v7(),
            begun: clock.now(),
            user,
            client,
            session,
            grant,
        };
        let rows = all.clone();
        let written = database
            .db
            .write(tenant, move |repo| rows.insert(repo, &code))
            .await;
        written.expect("everything is inserted");
        all
    }

    fn insert(&self, repo: &mut Repo<'_>, code: &PendingCode) -> Result<()> {
        repo.insert_user(&self.user)?;
        repo.insert_client(&self.client)?;
        repo.insert_session(&self.session)?;
        repo.insert_grant(&self.grant, code)?;
        repo.insert_refresh_token(&self.refresh_token)?;
        repo.insert_link(&self.link)?;
        repo.insert_pushed_request(&self.pushed_request)?;
        assert!(repo.insert_device_code(&self.device_code)?);
        repo.insert_backchannel_request(&self.backchannel_request)?;
        repo.insert_initial_access_token(&self.initial_access_token)?;
        repo.insert_external_subject(&self.external_subject)?;
        repo.replace_device_secret(&self.device_secret)?;
        let name = &self.external_subject.name;
        repo.insert_assertion_grant(self.grant.id, &ISSUER_KEY, Some(name))?;
        repo.tell_of_withdrawal(self.user.id, self.client.id)?;
        repo.insert_domain(&self.domain)?;
        repo.verify_domain(self.domain.id)?;
        repo.insert_resource(&self.resource)?;
        repo.insert_key(&self.key, self.begun)?;
        repo.claim_idempotency_key(&self.once, self.user.id.uuid(), None)?;
        let mut permissions = Permissions::nowhere(self.grant.scope.clone());
        for resource in &self.grant.resources {
            permissions = permissions.at(resource, Scope::empty());
        }
        repo.merge_consent(self.user.id, self.client.id, &permissions)?;
        repo.admit_attempt(&COUNTER, &LockoutPolicy::default())?;
        repo.revoke_token(self.revoked_jti, self.begun + Duration::hours(1))?;
        repo.consume_assertion(self.client.id, &hash(6), self.begun + Duration::hours(1))?;
        repo.consume_once(&hash(7), self.begun + Duration::hours(1))?;
        repo.record(
            Event::new(Act::UserCreated, Actor::CommandLine)
                .user(self.user.id)
                .client(self.client.id),
        )
    }
}
