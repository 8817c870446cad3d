//! A whole server for the bodies that need one: real HTTP on a port of its own, an SQLite file, two tenants, and somebody in each.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tessera::clock::Clock;
use tessera::config::Config;
use tessera::domain::client::{Client, ClientSecrets};
use tessera::domain::ids::{ClientId, TenantId};
use tessera::flows::Provider;
use tessera::flows::provider::FeedUse;
use tessera::flows::tenancy::{Located, Tenant, TenantAt};
use tessera::http::server;
use tessera::jose::seal::{DataKey, MasterKey};
use tessera::protocol::SigningAlgorithm;
use tessera::protocol::client_metadata::ClientMetadata;
use tessera::protocol::slug::Slug;
use tessera::secret::{generate_client_secret, hash_client_secret};
use tessera::storage::{Db, DbOptions, Location, NewTenant, migrate};

use super::session;

/// Least costs. The address has no port, so that inputs need to know none: a request says `Host: localhost` wherever it is sent.
const SETTINGS: &str = "public_url = 'http://localhost/t/{tenant}'\nargon2_memory = '64 KiB'\nargon2_passes = 1\nworkers = 1\n\
                        database_pool_size = 2\nhashing_threads = 1\ndatabase_timeout = '20s'\n";

/// The server and what a body needs to know of it.
pub struct World {
    /// The tenant `acme` at its address.
    pub at: TenantAt,
    /// The tenant `globex` at its own.
    pub other: TenantAt,
    /// The server's time and randomness.
    pub clock: Clock,
    /// What stands in inputs for what is random: `{client}`, `{secret}`, `{public}`, `{basic}`, `{admin}`, and those of [`session::words`].
    pub words: Vec<(&'static str, String)>,
    address: SocketAddr,
    _directory: TempDir,
}

/// An answer of the server.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its fields, their names in lower case.
    pub fields: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }
}

static WORLD: LazyLock<World> = LazyLock::new(World::make);

impl World {
    /// The one world of this process; made when it is first asked for.
    pub fn get() -> &'static Self {
        &WORLD
    }

    fn make() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tessera.db");
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(serve(Location::Sqlite(path), sender));
        });
        let made = receiver.recv().expect("a server");
        let mut world = Self {
            at: made.at,
            other: made.other,
            clock: made.clock,
            words: made.words,
            address: made.address,
            _directory: directory,
        };
        let token = world.admin_token();
        world.words.push(("{admin}", token));
        let words = session::words(&world, &made.session);
        world.words.extend(words);
        world
    }

    /// Sends a request as it stands and reads the whole answer.
    pub fn send(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).expect("a timeout");
        stream.write_all(request).expect("the server reads");
        // A server may close before it has read everything; what it said before counts.
        let mut bytes = Vec::new();
        if let Err(error) = stream.read_to_end(&mut bytes) {
            assert!(!bytes.is_empty(), "no answer: {error}");
        }
        drop(stream.shutdown(Shutdown::Both));
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let fields = lines.filter_map(|line| line.split_once(':'));
        Answer {
            status: status.and_then(|text| text.parse().ok()).expect("a status"),
            fields: fields
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    fn admin_token(&self) -> String {
        let basic = self.words.iter().find(|(name, _)| *name == "{basic}");
        let body =
            "grant_type=client_credentials&scope=tessera:admin&resource=http://localhost/api/v1";
        let request = format!(
            "POST /t/acme/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Basic {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            basic.map_or("", |(_, value)| value),
            body.len(),
        );
        let answer = self.send(request.as_bytes());
        let token: Value = serde_json::from_str(&answer.body).expect("JSON");
        token["access_token"]
            .as_str()
            .unwrap_or_else(|| panic!("{token}"))
            .to_owned()
    }
}

/// What the server's thread tells.
struct Made {
    at: TenantAt,
    other: TenantAt,
    clock: Clock,
    words: Vec<(&'static str, String)>,
    session: String,
    address: SocketAddr,
}

async fn serve(location: Location, sender: Sender<Made>) {
    let clock = Clock::system();
    migrate(&location).expect("migrated");
    let options = DbOptions {
        location,
        connections: 2,
        queue: 1024,
        deadline: Duration::from_secs(20),
    };
    let db = Db::open(&options, clock.clone()).expect("a database");
    let config = Config::from_toml(SETTINGS).unwrap_or_else(|errors| panic!("{errors:?}"));
    let key = MasterKey::generate(&clock);
    let master = MasterKey::from_text(&key.to_text()).expect("a key");
    let feed = FeedUse::Every(Duration::from_millis(500));
    let provider = Arc::new(Provider::new(Arc::new(config), db, master, feed).expect("a provider"));
    while !provider.is_current() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut places = Vec::new();
    for slug in ["acme", "globex"] {
        places.push(tenant(&provider, &key, slug).await);
    }
    let words = clients(&provider, &places[0].tenant).await;
    let session = session::begin(&provider, &places[0].tenant).await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let bound = server::serve_on(Arc::clone(&provider), listener).expect("a server");
    let (other, at) = (places.pop().expect("two"), places.pop().expect("two"));
    let address = bound.address;
    let made = Made {
        at,
        other,
        clock,
        words,
        session,
        address,
    };
    sender.send(made).expect("somebody waits");
    bound.server.await.expect("it serves");
}

async fn tenant(provider: &Provider, master: &MasterKey, slug: &str) -> TenantAt {
    let clock = &provider.clock;
    let id = TenantId::from(clock.uuid_v7());
    let new = NewTenant {
        id,
        slug: Slug::parse(slug).expect("a slug"),
        name: slug.to_uppercase(),
        sealed_data_key: DataKey::generate(clock)
            .seal_under(master, id.uuid(), clock)
            .expect("sealed"),
    };
    let insert = provider
        .db
        .write_installation(move |all| all.insert_tenant(&new));
    insert.await.expect("a tenant");
    let found = provider.locate("localhost", &format!("/t/{slug}")).await;
    let Located::Tenant(at) = found.expect("storage works") else {
        panic!("no tenant")
    };
    let signer = provider.signer(&at.tenant, SigningAlgorithm::Es256);
    signer.await.expect("a key");
    at
}

/// A web application, a public client, and a program that administers its tenant; the words that stand for them.
async fn clients(provider: &Provider, tenant: &Tenant) -> Vec<(&'static str, String)> {
    let web = json!({
        "client_name": "Orders", "redirect_uris": ["https://orders.example/callback"],
        "post_logout_redirect_uris": ["https://orders.example/bye"], "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code", "refresh_token"], "scope": "openid profile email offline_access",
    });
    let public = json!({
        "client_name": "Board", "redirect_uris": ["http://127.0.0.1/callback"], "application_type": "native",
        "token_endpoint_auth_method": "none", "scope": "openid",
    });
    let admin = json!({
        "client_name": "Nightly job", "grant_types": ["client_credentials"], "response_types": [], "access_token_lifetime": 86_400,
        "token_endpoint_auth_method": "client_secret_basic", "scope": "tessera:admin",
    });
    let (web, secret) = client(provider, tenant, web).await;
    let (public, _) = client(provider, tenant, public).await;
    let (admin, admin_secret) = client(provider, tenant, admin).await;
    vec![
        ("{client}", web),
        ("{secret}", secret),
        ("{public}", public),
        (
            "{basic}",
            STANDARD.encode(format!("{admin}:{admin_secret}")),
        ),
    ]
}

async fn client(provider: &Provider, tenant: &Tenant, metadata: Value) -> (String, String) {
    let id = ClientId::from(provider.clock.uuid_v7());
    let secret = generate_client_secret(&provider.clock);
    let now = provider.now();
    let current = hash_client_secret(tenant.handle_key(), id.uuid(), secret.expose());
    let metadata = ClientMetadata::from_json(metadata).expect("metadata");
    let client = Client {
        secret: (!metadata.is_public()).then_some(ClientSecrets {
            current: current.expect("short enough").into(),
            made_at: now,
            previous: None,
        }),
        ..Client::new(id, metadata, now)
    };
    let insert = provider
        .db
        .write(tenant, move |repo| repo.insert_client(&client));
    insert.await.expect("a client");
    (id.to_string(), secret.expose().to_owned())
}
