//! A whole server for a test: real HTTP on a port of its own, on either database, with a clock that the test moves.

use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tessera::clock::{Clock, ClockControl};
use tessera::config::Config;
use tessera::domain::client::{Client, ClientSecrets};
use tessera::domain::ids::{ClientId, ResourceId, TenantId, UserId};
use tessera::domain::resource::{Resource, ResourceScope};
use tessera::domain::user::{PasswordHash, User, UserStatus};
use tessera::flows::provider::FeedUse;
use tessera::flows::{Provider, Tenant};
use tessera::http::server;
use tessera::jose::passwords::{Workspace, hash};
use tessera::jose::seal::{DataKey, MasterKey};
use tessera::protocol::client_metadata::ClientMetadata;
use tessera::protocol::email::EmailAddress;
use tessera::protocol::slug::Slug;
use tessera::secret::{PlainSecret, generate_client_secret, hash_client_secret};
use tessera::storage::NewTenant;

use super::browser::Browser;
use super::database::TestDatabase;
use super::http::{Http, Request};

/// Runs an async test against a server on SQLite and one on PostgreSQL: `app_test! { async fn name(app: TestApp) { … } }`.
macro_rules! app_test {
    ($($(#[$attribute:meta])* async fn $name:ident($app:ident: TestApp) $body:block)+) => {
        $(
            $(#[$attribute])*
            mod $name {
                #[allow(unused_imports, reason = "what the body needs")]
                use super::*;

                async fn body($app: $crate::support::app::TestApp) $body

                #[test]
                fn sqlite() {
                    $crate::support::app::run($crate::support::database::TestDatabase::sqlite(), body);
                }

                #[test]
                fn postgres() {
                    $crate::support::app::run($crate::support::database::TestDatabase::postgres(), body);
                }
            }
        )+
    };
}
pub(crate) use app_test;

/// What a test does, boxed: what runs it is compiled once, and not for each of very many tests.
pub type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Runs the body of a test beside its server.
pub fn run<F: Future<Output = ()>>(database: TestDatabase, body: impl FnOnce(TestApp) -> F) {
    run_with(database, "", body);
}

/// Runs a body against a server with further settings, on both databases one after the other.
pub fn on_both<F: Future<Output = ()>>(settings: &str, body: impl Fn(TestApp) -> F) {
    for database in [TestDatabase::sqlite(), TestDatabase::postgres()] {
        run_with(database, settings, &body);
    }
}

/// Runs a body against a server with further settings.
pub fn run_with<F: Future<Output = ()>>(
    database: TestDatabase,
    settings: &str,
    body: impl FnOnce(TestApp) -> F,
) {
    run_boxed(database, settings, Box::new(|app| Box::pin(body(app))));
}

fn run_boxed<'a>(
    database: TestDatabase,
    settings: &str,
    body: Box<dyn FnOnce(TestApp) -> Running<'a> + 'a>,
) {
    actix_web::rt::System::new().block_on(async {
        let app = TestApp::start(database, settings);
        body(app).await;
    });
}

/// A server and what a test needs to know of it.
pub struct TestApp {
    /// The parts of the server, for what has no address.
    pub provider: Arc<Provider>,
    /// Moves its time.
    pub time: ClockControl,
    /// Where its database is.
    pub database: TestDatabase,
    /// Speaks to it.
    pub http: Http,
    master: String,
    port: u16,
    settings: String,
    handle: actix_web::dev::ServerHandle,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

/// Least costs, so that tests spend their time on something else.
const SETTINGS: &str = "argon2_memory = '64 KiB'\nargon2_passes = 1\nworkers = 1\ndatabase_pool_size = 4\nhashing_threads = 1\ndatabase_timeout = '20s'\n\
                        shutdown_timeout = '1s'\negress_allow = ['localhost', '127.0.0.1']\n";

impl TestApp {
    /// Starts a server with further settings (TOML).
    pub fn start(database: TestDatabase, settings: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let template = if settings.contains("public_url") {
            String::new()
        } else {
            format!("public_url = 'http://localhost:{port}/t/{{tenant}}'\n")
        };
        let settings = format!("{template}{SETTINGS}{settings}");
        let master = MasterKey::generate(&Clock::system()).to_text().to_string();
        Self::on(listener, database, settings, master)
    }

    fn on(listener: TcpListener, database: TestDatabase, settings: String, master: String) -> Self {
        let config = Config::from_toml(&settings).unwrap_or_else(|errors| panic!("{errors:?}"));
        let feed = FeedUse::Every(Duration::from_millis(100));
        let master_key = MasterKey::from_text(&master).expect("a key");
        let provider = Arc::new(
            Provider::new(Arc::new(config), database.db.clone(), master_key, feed)
                .expect("a provider"),
        );
        let address: SocketAddr = listener.local_addr().expect("an address");
        wait_for_feed(&provider);
        let bound = server::serve_on(Arc::clone(&provider), listener).expect("a server");
        let handle = bound.server.handle();
        actix_web::rt::spawn(bound.server);
        Self {
            provider,
            time: database.time.clone(),
            http: Http::new(address.port()),
            port: address.port(),
            database,
            master,
            settings,
            handle,
        }
    }

    /// Another node at the same database: its own caches, connections and port, the same addresses.
    pub fn second_node(&self) -> Node {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let config = Config::from_toml(&self.settings).expect("settings");
        let master = MasterKey::from_text(&self.master).expect("a key");
        let feed = FeedUse::Every(Duration::from_millis(100));
        let provider = Arc::new(
            Provider::new(Arc::new(config), self.database.second_node(), master, feed)
                .expect("a provider"),
        );
        wait_for_feed(&provider);
        let bound = server::serve_on(Arc::clone(&provider), listener).expect("a server");
        let handle = bound.server.handle();
        actix_web::rt::spawn(bound.server);
        Node {
            provider,
            http: Http::new(port),
            handle,
        }
    }

    /// Writes down under which master key the database is sealed, as the commands do.
    pub async fn remember_master_key(&self) {
        let key = MasterKey::from_text(&self.master).expect("a key");
        let fingerprint = key.fingerprint();
        let write = self
            .provider
            .db
            .write_installation(move |all| all.insert_master_key_fingerprint(&fingerprint));
        write.await.expect("written");
    }

    /// The root's address.
    pub fn root(&self) -> &str {
        self.provider.config.public_url.root()
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A browser without cookies.
    pub fn browser(&self) -> Browser {
        Browser::new(self.http.clone())
    }

    /// A request.
    pub fn get(&self, url: &str) -> Request {
        self.http.get(url)
    }

    /// A form.
    pub fn post(&self, url: &str, form: &[(&str, &str)]) -> Request {
        self.http.post(url).form(form)
    }

    /// Makes a tenant with an ES256 key.
    pub async fn tenant(&self, slug: &str) -> TestTenant {
        let clock = self.provider.clock.clone();
        let id = TenantId::from(clock.uuid_v7());
        let master = MasterKey::from_text(&self.master).expect("a key");
        let sealed = DataKey::generate(&clock)
            .seal_under(&master, id.uuid(), &clock)
            .expect("sealed");
        let slug = Slug::parse(slug).expect("a slug");
        let tenant = NewTenant {
            id,
            slug: slug.clone(),
            name: slug.as_str().to_uppercase(),
            sealed_data_key: sealed,
        };
        self.provider
            .db
            .write_installation(move |all| all.insert_tenant(&tenant))
            .await
            .expect("a tenant");
        let tenant = TestTenant {
            issuer: self.provider.config.public_url.issuer(slug.as_str()),
            slug,
        };
        self.provider
            .signer(
                &self.load(&tenant).await,
                tessera::protocol::SigningAlgorithm::Es256,
            )
            .await
            .expect("a key");
        tenant
    }

    /// The tenant as flows see it.
    pub async fn load(&self, tenant: &TestTenant) -> Arc<Tenant> {
        self.provider
            .find_tenant(&tenant.slug)
            .await
            .expect("storage works")
            .expect("the tenant is there")
    }

    /// Changes a tenant's settings.
    pub async fn change_settings(
        &self,
        tenant: &TestTenant,
        change: impl Fn(&mut tessera::domain::settings::TenantSettings),
    ) {
        let mut record = self.load(tenant).await.record.clone();
        change(&mut record.settings);
        let changed = self
            .provider
            .db
            .write_installation(move |all| all.update_tenant(&record))
            .await
            .expect("storage works");
        assert!(changed, "nobody else changes it");
    }

    /// Makes a person with a password.
    pub async fn user(&self, tenant: &TestTenant, email: &str, password: &str) -> TestUser {
        let now = self.provider.now();
        let phc = hash(
            password,
            self.provider.password_parameters(),
            &self.provider.clock,
            &mut Workspace::default(),
        )
        .expect("a hash");
        let user = User {
            id: UserId::from(self.provider.clock.uuid_v7()),
            email: EmailAddress::parse(email).expect("an address"),
            email_verified: true,
            status: UserStatus::Active,
            claims: serde_json::from_value(json!({
                "name": "Ana Example", "given_name": "Ana", "family_name": "Example", "phone_number": "+4512345678",
                "address": { "locality": "Aarhus", "country": "Denmark" }
            }))
            .expect("claims"),
            password: Some(PasswordHash { phc, set_at: now, by_lesser: false }),
            roles: Vec::new(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let id = user.id;
        self.provider
            .db
            .write(&*self.load(tenant).await, move |repo| {
                repo.insert_user(&user)
            })
            .await
            .expect("a person");
        TestUser {
            id,
            email: email.to_owned(),
            password: password.to_owned(),
        }
    }

    /// Registers a client; `metadata` is RFC 7591's.
    pub async fn client(&self, tenant: &TestTenant, metadata: Value) -> TestClient {
        let metadata = ClientMetadata::from_json(metadata)
            .and_then(ClientMetadata::validate)
            .unwrap_or_else(|error| panic!("{error}"));
        let loaded = self.load(tenant).await;
        let now = self.provider.now();
        let id = ClientId::from(self.provider.clock.uuid_v7());
        let secret = generate_client_secret(&self.provider.clock);
        let current = hash_client_secret(loaded.handle_key(), id.uuid(), secret.expose())
            .expect("short enough");
        let mut client = Client {
            secret: Some(ClientSecrets {
                current: current.into(),
                made_at: now,
                previous: None,
            }),
            ..Client::new(id, metadata, now)
        };
        if client.is_public() {
            client.secret = None;
        }
        let stored = client.clone();
        self.provider
            .db
            .write(&*loaded, move |repo| repo.insert_client(&stored))
            .await
            .expect("a client");
        TestClient {
            id,
            secret: client.secret.as_ref().map(|_| secret),
            metadata: client.metadata,
        }
    }

    /// A confidential web application with `client_secret_basic`.
    pub async fn web_client(&self, tenant: &TestTenant) -> TestClient {
        self.client(
            tenant,
            json!({
                "client_name": "Orders", "redirect_uris": ["https://orders.example/callback"],
                "post_logout_redirect_uris": ["https://orders.example/bye"],
                "grant_types": ["authorization_code", "refresh_token"],
                "token_endpoint_auth_method": "client_secret_basic",
                "scope": "openid profile email address phone offline_access",
            }),
        )
        .await
    }

    /// A public client (a single-page application).
    pub async fn public_client(&self, tenant: &TestTenant) -> TestClient {
        self.client(
            tenant,
            json!({
                "client_name": "Board", "redirect_uris": ["https://board.example/callback"],
                "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
                "scope": "openid profile email offline_access",
            }),
        )
        .await
    }

    /// A machine with client credentials.
    pub async fn machine_client(&self, tenant: &TestTenant, scope: &str) -> TestClient {
        self.client(
            tenant,
            json!({
                "client_name": "Nightly job", "grant_types": ["client_credentials"], "response_types": [],
                "token_endpoint_auth_method": "client_secret_basic", "scope": scope,
            }),
        )
        .await
    }

    /// Registers an API.
    pub async fn resource(&self, tenant: &TestTenant, identifier: &str, scopes: &[&str]) {
        self.resource_with(tenant, identifier, scopes, json!([]))
            .await;
    }

    /// Registers an API with types of authorization details (RFC 9396).
    pub async fn resource_with(
        &self,
        tenant: &TestTenant,
        identifier: &str,
        scopes: &[&str],
        types: Value,
    ) {
        let resource = Resource {
            id: ResourceId::from(self.provider.clock.uuid_v7()),
            identifier: identifier.to_owned(),
            name: identifier.to_owned(),
            scopes: scopes
                .iter()
                .map(|name| ResourceScope {
                    name: (*name).to_owned(),
                    description: None,
                })
                .collect(),
            details_types: serde_json::from_value(types).expect("types"),
            version: 1,
            created_at: self.provider.now(),
        };
        self.provider
            .db
            .write(&*self.load(tenant).await, move |repo| {
                repo.insert_resource(&resource)
            })
            .await
            .expect("a resource");
    }
}

/// A node answers 503 until it has looked at the change feed for the first time; tests begin after that.
fn wait_for_feed(provider: &Provider) {
    while !provider.is_current() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A second node.
pub struct Node {
    /// Its parts.
    pub provider: Arc<Provider>,
    /// Speaks to it.
    pub http: Http,
    handle: actix_web::dev::ServerHandle,
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

/// A tenant that a test made.
#[derive(Clone, Debug)]
pub struct TestTenant {
    /// Its slug.
    pub slug: Slug,
    /// Its address by the template.
    pub issuer: String,
}

impl TestTenant {
    /// An address under the issuer.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }
}

/// A person that a test made.
#[derive(Clone, Debug)]
pub struct TestUser {
    /// Their `sub`.
    pub id: UserId,
    /// What they sign in with.
    pub email: String,
    /// And this.
    pub password: String,
}

/// A client that a test made.
#[derive(Clone, Debug)]
pub struct TestClient {
    /// Its `client_id`.
    pub id: ClientId,
    /// Its secret, if it has one.
    pub secret: Option<PlainSecret>,
    /// What was registered.
    pub metadata: ClientMetadata,
}

impl TestClient {
    /// The `client_id` as text.
    pub fn client_id(&self) -> String {
        self.id.to_string()
    }

    /// The first redirect URI.
    pub fn redirect_uri(&self) -> &str {
        &self.metadata.redirect_uris[0]
    }

    /// The secret as text; empty for a public client.
    pub fn secret(&self) -> &str {
        self.secret.as_ref().map_or("", PlainSecret::expose)
    }
}
