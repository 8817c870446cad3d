//! A Tessera with a tenant, its clients and a person, made by its own command line, and what the rows need from it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::browser::{Browser, code};
use crate::load::{ask, ask_all};
use crate::process::{Process, free_port};
use crate::wire::{Answer, basic, get, post};
use crate::{Options, Result};

/// The person who signs in.
pub const EMAIL: &str = "ana@acme.example";
/// Their password.
pub const PASSWORD: &str = "correct horse battery staple";
const REDIRECT: &str = "https://app.example/cb";
const VERIFIER: &str = "a-code-verifier-of-a-benchmark-that-is-long-enough-0123456789";

/// Which database Tessera is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Database {
    /// A file of its own.
    Sqlite,
    /// A database of its own on the server that was named.
    Postgres,
}

impl Database {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A client's credentials.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret; empty for a public one.
    pub secret: String,
}

impl Client {
    /// The header by which it authenticates; none for a public one.
    pub fn header(&self) -> String {
        if self.secret.is_empty() {
            String::new()
        } else {
            basic(&self.id, &self.secret)
        }
    }
}

/// Tessera's binary, built beside this program.
pub fn tessera() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_tessera"))
}

/// An installation, its server, and who is in it.
pub struct Scene {
    /// The server.
    pub server: Process,
    /// Its `Host`.
    pub host: String,
    /// The path of the tenant `acme`.
    pub tenant: String,
    /// Acts for itself, JWT.
    pub machine: Client,
    /// The same, opaque tokens.
    pub opaque: Client,
    /// The same, RS256.
    pub rs256: Client,
    /// Signs people in; with a secret.
    pub web: Client,
    /// The same, opaque tokens.
    pub web_opaque: Client,
    /// Signs people in; public.
    pub public: Client,
    /// Signs people in on devices; with a secret.
    pub device: Client,
    /// Exchanges tokens for those of the API.
    pub service: Client,
    /// The folder, deleted at the end.
    pub folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// Where a private database of a PostgreSQL is; made anew.
pub fn postgres_database(options: &Options, name: &str) -> Result<String> {
    use diesel::connection::{Connection as _, SimpleConnection as _};
    let url = options
        .postgres
        .as_deref()
        .ok_or("PostgreSQL is needed: --postgres URL")?;
    let mut connection = diesel::PgConnection::establish(url)?;
    connection.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
    connection.batch_execute(&format!("CREATE DATABASE {name}"))?;
    let mut url = url::Url::parse(url)?;
    url.set_path(name);
    Ok(url.into())
}

/// Has PostgreSQL do at once what a large import leaves for the minutes after it: counting rows and writing pages, on the load's processor.
pub fn settle(url: &str) -> Result<()> {
    use diesel::connection::{Connection as _, SimpleConnection as _};
    let mut connection = diesel::PgConnection::establish(url)?;
    connection.batch_execute("VACUUM ANALYZE")?;
    Ok(connection.batch_execute("CHECKPOINT")?)
}

impl Scene {
    /// Makes an installation and starts its server.
    pub fn start(options: &Options, database: Database) -> Result<Self> {
        Self::start_with(options, database, &[])
    }

    /// The same with settings of its own.
    #[expect(
        clippy::too_many_lines,
        reason = "who is in the scene, one after the other"
    )]
    pub fn start_with(
        options: &Options,
        database: Database,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let mut environment = vec![
            (
                "TESSERA_DATA_DIR".to_owned(),
                folder.path().display().to_string(),
            ),
            ("TESSERA_LISTEN".to_owned(), format!("127.0.0.1:{port}")),
            (
                "TESSERA_PUBLIC_URL".to_owned(),
                format!("http://localhost:{port}/t/{{tenant}}"),
            ),
        ];
        for (name, value) in settings {
            environment.push(((*name).to_owned(), (*value).to_owned()));
        }
        if database == Database::Postgres {
            environment.push((
                "TESSERA_DATABASE_URL".to_owned(),
                postgres_database(options, "tessera_bench")?,
            ));
            run(&environment, "", &["master-key", "create"])?;
        }
        run(&environment, "", &["migrate"])?;
        run(
            &environment,
            "",
            &["tenant", "create", "acme", "--name", "Acme"],
        )?;
        // As many requests as are pushed in the rows.
        let rate = "pushed_request_rate=1000000";
        run(
            &environment,
            "",
            &["tenant", "update", "acme", "--set", rate],
        )?;
        run(
            &environment,
            "",
            &[
                "resource",
                "create",
                "--tenant",
                "acme",
                "--identifier",
                "https://api.acme.example",
                "--scope",
                "api:read",
            ],
        )?;
        run(
            &environment,
            PASSWORD,
            &[
                "user",
                "create",
                "--tenant",
                "acme",
                "--email",
                EMAIL,
                "--password-stdin",
            ],
        )?;
        let client = |name: &str, metadata: Value| -> Result<Client> {
            let mut metadata = metadata;
            metadata["client_name"] = name.into();
            let made = run(
                &environment,
                &metadata.to_string(),
                &[
                    "client",
                    "create",
                    "--tenant",
                    "acme",
                    "--metadata-file",
                    "-",
                ],
            )?;
            let text = |member: &str| made[member].as_str().unwrap_or_default().to_owned();
            Ok(Client {
                id: text("client_id"),
                secret: text("client_secret"),
            })
        };
        let machine = |more: (&str, &str)| {
            let mut metadata = json!({ "grant_types": ["client_credentials"], "scope": "api:read", "default_audience": "https://api.acme.example" });
            metadata[more.0] = more.1.into();
            metadata
        };
        let web = |more: (&str, &str)| {
            let mut metadata = json!({
                "grant_types": ["authorization_code", "refresh_token"], "redirect_uris": [REDIRECT],
                "scope": "openid profile email offline_access"
            });
            metadata[more.0] = more.1.into();
            metadata
        };
        let jwt = ("access_token_format", "jwt");
        let opaque = ("access_token_format", "opaque");
        let made = (
            client("Machine", machine(jwt))?,
            client("Opaque machine", machine(opaque))?,
            client(
                "RS256 machine",
                machine(("access_token_signed_response_alg", "RS256")),
            )?,
            client("Web", web(jwt))?,
            client("Opaque web", web(opaque))?,
            client("Public", web(("token_endpoint_auth_method", "none")))?,
            client(
                "Device",
                json!({ "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "scope": "openid profile" }),
            )?,
            client(
                "Service",
                json!({
                    "grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"], "scope": "",
                    "token_exchange_subjects": [format!("http://localhost:{port}/t/acme")],
                    "token_exchange_targets": ["https://api.acme.example"], "token_exchange_scope": "api:read",
                }),
            )?,
        );
        let log = std::fs::File::create(folder.path().join("log"))?;
        let server = Process::start(
            &tessera(),
            |command| {
                command
                    .arg("serve")
                    .envs(environment.iter().cloned())
                    .stderr(log);
            },
            options.server_core,
            port,
            "/health/ready",
        )?;
        Ok(Self {
            server,
            host: format!("localhost:{port}"),
            tenant: "/t/acme".into(),
            machine: made.0,
            opaque: made.1,
            rs256: made.2,
            web: made.3,
            web_opaque: made.4,
            public: made.5,
            device: made.6,
            service: made.7,
            folder,
            environment,
        })
    }

    /// The path of one of the tenant's endpoints.
    pub fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.tenant)
    }

    /// Where the server keeps its data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the server's own commands and itself are started with.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// A client's request for a token of its own.
    pub fn client_credentials(&self, client: &Client) -> Vec<u8> {
        post(
            &self.host,
            &self.path("/token"),
            &client.header(),
            &[("grant_type", "client_credentials")],
        )
    }

    /// The same of the ceiling, signed by an algorithm.
    pub fn bare_token(&self, algorithm: &str) -> Vec<u8> {
        post(
            "localhost",
            &format!("/token/{algorithm}"),
            &self.machine.header(),
            &[("grant_type", "client_credentials")],
        )
    }

    /// Access tokens of a client, all different.
    pub fn access_tokens(&self, client: &Client, count: usize) -> Result<Vec<String>> {
        let requests = vec![self.client_credentials(client); count];
        let answers = ask_all(self.server.port, requests)?;
        answers
            .iter()
            .map(|answer| answer.text("access_token"))
            .collect()
    }

    /// Access tokens of a person, all different.
    pub fn personal_tokens(&self, client: &Client, count: usize) -> Result<Vec<String>> {
        let code = self.codes(client, 1)?.pop().ok_or("no code")?;
        let tokens = ask(self.server.port, &self.redemption(client, &code))?;
        let refresh = tokens.text("refresh_token")?;
        let requests = vec![self.refresh(client, &refresh); count];
        let answers = ask_all(self.server.port, requests)?;
        answers
            .iter()
            .map(|answer| answer.text("access_token"))
            .collect()
    }

    /// Polls of devices that wait, each of which has been told to slow down as far as it will be.
    pub fn polls(&self, count: usize) -> Result<Vec<Vec<u8>>> {
        let asking = post(
            &self.host,
            &self.path("/device_authorization"),
            &self.device.header(),
            &[("scope", "openid profile")],
        );
        let answers = ask_all(self.server.port, vec![asking; count])?;
        let polls: Vec<Vec<u8>> = answers
            .iter()
            .map(|answer| {
                let code = answer.text("device_code")?;
                let fields = [
                    ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                    ("device_code", code.as_str()),
                ];
                Ok(post(
                    &self.host,
                    &self.path("/token"),
                    &self.device.header(),
                    &fields,
                ))
            })
            .collect::<Result<_>>()?;
        // Eleven times five seconds, and the first poll.
        for _ in 0..12 {
            ask_all(self.server.port, polls.clone())?;
        }
        Ok(polls)
    }

    /// The exchange of a person's token.
    pub fn exchange(&self, token: &str) -> Vec<u8> {
        post(
            &self.host,
            &self.path("/token"),
            &self.service.header(),
            &[
                (
                    "grant_type",
                    "urn:ietf:params:oauth:grant-type:token-exchange",
                ),
                ("subject_token", token),
                (
                    "subject_token_type",
                    "urn:ietf:params:oauth:token-type:access_token",
                ),
            ],
        )
    }

    /// The redemption of a code.
    pub fn redemption(&self, client: &Client, code: &str) -> Vec<u8> {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        if client.secret.is_empty() {
            fields.push(("client_id", &client.id));
        }
        post(&self.host, &self.path("/token"), &client.header(), &fields)
    }

    /// The use of a refresh token.
    pub fn refresh(&self, client: &Client, token: &str) -> Vec<u8> {
        let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        if client.secret.is_empty() {
            fields.push(("client_id", &client.id));
        }
        post(&self.host, &self.path("/token"), &client.header(), &fields)
    }

    /// The authorization request of a client.
    pub fn authorization(&self, client: &Client, prompt: &str) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(VERIFIER));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("client_id", client.id.as_str()),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", "openid profile email offline_access"),
            ("state", "a-state"),
            ("nonce", "a-nonce"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        if !prompt.is_empty() {
            query.append_pair("prompt", prompt);
        }
        format!("{}?{}", self.path("/authorize"), query.finish())
    }

    /// The pushing of a client's authorization request.
    pub fn push(&self, client: &Client) -> Vec<u8> {
        let challenge = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(VERIFIER));
        post(
            &self.host,
            &self.path("/par"),
            &client.header(),
            &[
                ("redirect_uri", REDIRECT),
                ("response_type", "code"),
                ("scope", "openid profile email offline_access"),
                ("state", "a-state"),
                ("nonce", "a-nonce"),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ],
        )
    }

    /// The paths of authorization requests that were just pushed.
    pub fn pushed(&self, client: &Client, count: usize) -> Result<Vec<String>> {
        let answers = ask_all(self.server.port, vec![self.push(client); count])?;
        let path = |answer: &Answer| {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("client_id", &client.id)
                .append_pair("request_uri", &answer.text("request_uri")?)
                .finish();
            Ok(format!("{}?{query}", self.path("/authorize")))
        };
        answers.iter().map(path).collect()
    }

    /// What a path answers a person who is signed in.
    pub fn with_session(&self, path: &str) -> Result<Answer> {
        let cookies = self.sign_in(&self.web)?;
        let request = get(&self.host, path, &format!("Cookie: {cookies}\r\n"));
        ask(self.server.port, &request)
    }

    /// Fresh codes of a person who is signed in.
    pub fn codes(&self, client: &Client, count: usize) -> Result<Vec<String>> {
        let cookies = self.sign_in(client)?;
        let request = get(
            &self.host,
            &self.authorization(client, "none"),
            &format!("Cookie: {cookies}\r\n"),
        );
        let answers = ask_all(self.server.port, vec![request; count])?;
        answers.iter().map(code).collect()
    }

    /// A sign-in and its consent; the cookies of the session.
    pub fn sign_in(&self, client: &Client) -> Result<String> {
        let mut browser = Browser::new(&self.host, self.server.port);
        let mut page = browser.open(get(&self.host, &self.authorization(client, ""), ""))?;
        for _ in 0..4 {
            let body = String::from_utf8_lossy(&page.body).into_owned();
            if body.contains("id=\"password\"") {
                page = browser.submit(&body, &[("username", EMAIL), ("password", PASSWORD)])?;
            } else if body.contains("id=\"allow\"") {
                page = browser.submit(&body, &[("decision", "allow")])?;
            } else {
                break;
            }
        }
        code(&page)?;
        Ok(browser.header())
    }
}

/// Runs one of Tessera's commands and gives what it printed.
pub fn run(environment: &[(String, String)], input: &str, arguments: &[&str]) -> Result<Value> {
    let mut child = Command::new(tessera())
        .arg("--json")
        .args(arguments)
        .envs(environment.iter().cloned())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .ok_or("no standard input")?
        .write_all(input.as_bytes())?;
    let done = child.wait_with_output()?;
    if !done.status.success() {
        return Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&done.stderr)).into());
    }
    Ok(serde_json::from_slice(&done.stdout)?)
}
