//! Codes put into the database directly: for flows that no browser can be made to go through, and for those whose beginning doesn't matter.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chrono::Duration;
use serde_json::Value;
use tessera::clock::Clock;
use tessera::domain::grant::{Grant, GrantStage, PendingCode};
use tessera::domain::ids::{ClientId, GrantId, SessionId};
use tessera::domain::role::Role;
use tessera::domain::session::Session;
use tessera::flows::{Provider, Tenant};
use tessera::protocol::Scope;
use tessera::protocol::authorization_details::AuthorizationDetails;
use tessera::protocol::pkce::CodeChallenge;
use tessera::secret::{Handle, Purpose};
use tessera::storage::Repo;

use crate::support::app::{Node, TestApp, TestClient, TestTenant, TestUser};
use crate::support::http::Answer;
use crate::support::relying_party::{RelyingParty, VERIFIER, challenge};

/// What a person gives a client in a session, with a code that nobody knows.
pub fn grant(
    clock: &Clock,
    session: &Session,
    client: ClientId,
    issuer: &str,
) -> (Grant, PendingCode) {
    let now = clock.now();
    let grant = Grant {
        id: GrantId::from(clock.uuid_v7()),
        user_id: session.user_id,
        client_id: client,
        session_id: session.id,
        issuer: issuer.to_owned(),
        scope: Scope::empty(),
        offline: false,
        resources: Vec::new(),
        details: AuthorizationDetails::default(),
        claims: None,
        auth_time: now,
        amr: vec!["pwd".into()],
        acr: Some("urn:tessera:acr:password".into()),
        stage: GrantStage::CodeIssued,
        created_at: now,
        expires_at: now + Duration::days(365),
    };
    let code = PendingCode {
        proof: session.proof,
        redirect_uri: None,
        nonce: None,
        code_challenge: None,
        dpop_jkt: None,
        expires_at: now + Duration::seconds(60),
    };
    (grant, code)
}

/// A tenant with a person and a confidential client.
pub struct Scene {
    pub app: TestApp,
    pub tenant: TestTenant,
    pub user: TestUser,
    pub rp: RelyingParty,
}

impl Scene {
    pub async fn new(app: TestApp) -> Self {
        until_current(&app.provider).await;
        let tenant = app.tenant("acme").await;
        let user = app
            .user(&tenant, "ana@acme.example", "a long enough password")
            .await;
        let client = app.web_client(&tenant).await;
        let rp = RelyingParty::new(&app, &tenant, &client)
            .with_scope("openid profile email offline_access");
        Self {
            app,
            tenant,
            user,
            rp,
        }
    }

    /// The same with a public client.
    pub async fn public(app: TestApp) -> Self {
        let mut scene = Self::new(app).await;
        let client = scene.app.public_client(&scene.tenant).await;
        scene.rp = scene.with(&client);
        scene
    }

    /// Another node that hears of changes.
    pub async fn second_node(&self) -> Node {
        let node = self.app.second_node();
        until_current(&node.provider).await;
        node
    }

    /// Another client's relying party.
    pub fn with(&self, client: &TestClient) -> RelyingParty {
        RelyingParty::new(&self.app, &self.tenant, client).with_scope(&self.rp.scope)
    }

    pub async fn loaded(&self) -> Arc<Tenant> {
        self.app.load(&self.tenant).await
    }

    /// A code as the authorization endpoint would have made it.
    pub async fn code(&self) -> String {
        self.code_but(|_, _| {}).await
    }

    /// One with something changed.
    pub async fn code_but(&self, change: impl FnOnce(&mut Grant, &mut PendingCode)) -> String {
        let tenant = self.loaded().await;
        let (clock, now) = (&self.app.provider.clock, self.app.provider.now());
        let handle = Handle::generate(clock);
        let proof = handle.hash(tenant.handle_key(), Purpose::AuthorizationCode);
        let id = SessionId::from(clock.uuid_v7());
        let session = Session {
            id,
            user_id: self.user.id,
            proof,
            auth_time: now,
            amr: vec!["pwd".into()],
            user_agent: String::new(),
            address: String::new(),
            last_used_at: now,
            expires_at: now + Duration::days(30),
            ended_at: None,
            lineage: id,
        };
        let scope: Scope = self.rp.scope.parse().expect("a scope");
        let (mut grant, mut code) = grant(clock, &session, self.rp.client.id, &self.tenant.issuer);
        grant.id = GrantId::from(handle.id());
        grant.offline = scope.contains("offline_access");
        grant.scope = scope;
        code.proof = proof;
        code.redirect_uri = Some(self.rp.client.redirect_uri().to_owned());
        code.nonce = Some("a-nonce".into());
        code.code_challenge =
            Some(CodeChallenge::parse(&challenge(VERIFIER), Some("S256")).expect("a challenge"));
        change(&mut grant, &mut code);
        self.write(move |repo| {
            repo.insert_session(&session)?;
            repo.insert_grant(&grant, &code)
        })
        .await;
        handle
            .to_text(Purpose::AuthorizationCode)
            .expose()
            .to_owned()
    }

    /// The answer to a fresh code.
    pub async fn tokens(&self) -> Value {
        self.tokens_but(|_, _| {}).await
    }

    /// The answer to a fresh code with something changed.
    pub async fn tokens_but(&self, change: impl FnOnce(&mut Grant, &mut PendingCode)) -> Value {
        let code = self.code_but(change).await;
        self.rp.redeem(&code).await.expect_ok().json()
    }

    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Repo<'_>) -> tessera::storage::Result<T> + Send + 'static,
    ) -> T {
        self.app
            .provider
            .db
            .write(&*self.loaded().await, work)
            .await
            .expect("storage works")
    }

    /// Gives the person a role.
    pub async fn grant_role(&self, role: Role) {
        let id = self.user.id;
        assert!(self.write(move |repo| repo.grant_role(id, role)).await);
    }

    /// Closes the person's account, or opens it.
    pub async fn set_disabled(&self, disabled: bool) {
        let id = self.user.id;
        assert!(
            self.write(move |repo| repo.set_user_disabled(id, disabled))
                .await
        );
    }

    /// Whether a token of the client is good in the opinion of introspection.
    pub async fn is_active(&self, token: &str) -> bool {
        let asking = self.app.machine_client(&self.tenant, "").await;
        self.with(&asking).introspect(token).await["active"] == true
    }

    /// How many audit events of an act there are.
    pub fn events(&self, act: &str) -> usize {
        self.app
            .database
            .raw()
            .texts("SELECT act AS value FROM audit_events")
            .iter()
            .filter(|known| *known == act)
            .count()
    }
}

/// A node answers once it has connected to the change feed.
pub async fn until_current(provider: &Provider) {
    while !provider.is_current() {
        actix_web::rt::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// A token of the answer.
#[track_caller]
pub fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {answer}"))
}

/// Sends many at once.
pub async fn at_once<F: Future<Output = Answer> + 'static>(
    requests: impl IntoIterator<Item = F>,
) -> Vec<Answer> {
    let begin =
        |request| actix_web::rt::spawn(Box::pin(request) as Pin<Box<dyn Future<Output = Answer>>>);
    let running: Vec<_> = requests.into_iter().map(begin).collect();
    let mut answers = Vec::new();
    for request in running {
        answers.push(request.await.expect("no panic"));
    }
    answers
}
