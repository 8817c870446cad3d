//! The guarded HTTP client. awc lives on one thread, so it has one of its own and is spoken to through a channel: the handle works from any
//! thread and any runtime.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_tls::connect::{ConnectorService, Resolver};
use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::http::Method;
use awc::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslMethod, SslVersion};
use openssl::x509::X509;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use url::Url;
use uuid::Uuid;

use super::connect::{Blocked, GuardedConnector, NameResolver, SystemResolver};
use super::error::{EgressError, EgressSetupError};
use super::freshness;
use super::limits::TenantLimits;
use crate::config::{AllowedHost, Config};
use crate::secret::PlainSecret;

/// Requests of all tenants that run at once; each may hold a thread of the name resolution.
const RUNNING_IN_ALL: usize = 64;
/// Requests of all tenants that run or wait.
const PRESENT_IN_ALL: usize = 1024;
/// The longest URL that is fetched.
const MAX_URL: usize = 2048;
/// Where distributions keep their certificates. The bundled OpenSSL knows only its own directory.
const CERTIFICATE_FILES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What the client is made from.
#[derive(Clone)]
pub struct EgressOptions {
    /// Hosts that may be private and may speak plain http.
    pub allow: Vec<AllowedHost>,
    /// Certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// From the call to the last byte, waiting included.
    pub timeout: Duration,
    /// Requests of one tenant that run at once.
    pub per_tenant: usize,
    /// Names to addresses.
    pub resolver: Arc<dyn NameResolver>,
}

impl EgressOptions {
    /// As the settings say.
    pub fn new(config: &Config) -> Self {
        Self {
            allow: config.egress_allow.clone(),
            ca_file: config.egress_ca_file.clone(),
            timeout: config.egress_timeout,
            per_tenant: config.egress_concurrency.get(),
            resolver: Arc::new(SystemResolver),
        }
    }
}

/// Which content type the answer must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// `application/json`, or a type that ends with `+json`.
    Json,
    /// Any.
    Anything,
}

impl Expected {
    fn accept(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Anything => "*/*",
        }
    }

    fn admits(self, content_type: Option<&str>) -> bool {
        let essence = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match self {
            Self::Json => {
                essence == "application/json"
                    || (essence.starts_with("application/") && essence.ends_with("+json"))
            }
            Self::Anything => true,
        }
    }
}

/// A request to somebody else's server.
#[derive(Clone, Debug)]
pub struct Outward {
    /// GET, or POST with a body.
    pub method: Method,
    /// Where to; a fragment isn't sent.
    pub url: String,
    /// Content type and body.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// The token that is sent along (RFC 6750 §2.1).
    pub bearer: Option<PlainSecret>,
    /// What the answer must be.
    pub expected: Expected,
    /// The largest body that is read, in bytes.
    pub limit: usize,
}

impl Outward {
    /// A GET for a JSON document.
    pub fn get_json(url: &str, limit: usize) -> Self {
        Self {
            method: Method::GET,
            url: url.to_owned(),
            body: None,
            bearer: None,
            expected: Expected::Json,
            limit,
        }
    }

    /// A GET for a body of any type.
    pub fn get(url: &str, limit: usize) -> Self {
        Self {
            expected: Expected::Anything,
            ..Self::get_json(url, limit)
        }
    }

    /// A POST whose answer is read only up to `limit`.
    pub fn post(url: &str, content_type: &'static str, body: Vec<u8>, limit: usize) -> Self {
        Self {
            method: Method::POST,
            url: url.to_owned(),
            body: Some((content_type, body)),
            bearer: None,
            expected: Expected::Anything,
            limit,
        }
    }
}

/// An answer with a 2xx status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// 200 to 299.
    pub status: u16,
    /// Whole, within the limit.
    pub body: Vec<u8>,
    /// How much longer it may be used without asking again, where it says so.
    pub fresh_for: Option<Duration>,
}

struct Job {
    tenant: Uuid,
    outward: Outward,
    uri: String,
    deadline: Instant,
    answer: oneshot::Sender<Result<Fetched, EgressError>>,
}

/// The handle to the guarded client. Cheap to clone; the client ends with its last handle.
#[derive(Clone)]
pub struct EgressClient {
    jobs: mpsc::Sender<Job>,
    allow: Arc<[AllowedHost]>,
    timeout: Duration,
}

impl EgressClient {
    /// Reads the certificates and starts the client's thread.
    pub fn new(options: EgressOptions) -> Result<Self, EgressSetupError> {
        let further = match options.ca_file.as_deref() {
            Some(path) => certificates(path)?,
            None => Vec::new(),
        };
        let allow: Arc<[AllowedHost]> = options.allow.into();
        let (jobs, inbox) = mpsc::channel(PRESENT_IN_ALL);
        let worker = Worker {
            further,
            allow: Arc::clone(&allow),
            resolver: options.resolver,
            timeout: options.timeout,
            limits: TenantLimits::new(options.per_tenant, PRESENT_IN_ALL),
        };
        std::thread::Builder::new()
            .name("egress".to_owned())
            .spawn(move || worker.run(inbox))?;
        Ok(Self {
            jobs,
            allow,
            timeout: options.timeout,
        })
    }

    /// Fetches a JSON document.
    pub async fn fetch_json(
        &self,
        tenant: Uuid,
        url: &str,
        limit: usize,
    ) -> Result<Value, EgressError> {
        let fetched = self.send(tenant, Outward::get_json(url, limit)).await?;
        serde_json::from_slice(&fetched.body).map_err(|_| EgressError::Malformed)
    }

    /// Sends a request on a tenant's account and reads the whole answer.
    pub async fn send(&self, tenant: Uuid, outward: Outward) -> Result<Fetched, EgressError> {
        let uri = self.check_url(&outward.url)?;
        // tokio's clock, as a deadline is no time of day.
        let deadline = Instant::now() + self.timeout;
        let (answer, answered) = oneshot::channel();
        let job = Job {
            tenant,
            outward,
            uri,
            deadline,
            answer,
        };
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => EgressError::Busy,
            mpsc::error::TrySendError::Closed(_) => EgressError::Stopped,
        })?;
        answered.await.unwrap_or(Err(EgressError::Stopped))
    }

    /// Whether the URL is one that would be fetched, so far as its text tells; for refusing others at registration.
    pub fn check(&self, url: &str) -> Result<(), EgressError> {
        self.check_url(url).map(drop)
    }

    fn check_url(&self, text: &str) -> Result<String, EgressError> {
        if text.len() > MAX_URL {
            return Err(EgressError::Url);
        }
        let mut url = Url::parse(text).map_err(|_| EgressError::Url)?;
        url.set_fragment(None);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::Url);
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(EgressError::Url);
        };
        match url.scheme() {
            "https" => Ok(url.into()),
            "http" if self.allow.iter().any(|allowed| allowed.matches(host, port)) => {
                Ok(url.into())
            }
            "http" => Err(EgressError::NotHttps),
            _ => Err(EgressError::Url),
        }
    }
}

/// The certificates in a file; there must be some.
fn certificates(path: &Path) -> Result<Vec<X509>, EgressSetupError> {
    let wrong = |problem: String| EgressSetupError::CaFile {
        path: path.display().to_string(),
        problem,
    };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let certificates = X509::stack_from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(certificates)
}

/// Trusts the system's certificates and these. Reading the system's takes longer than all else that a server does at its start.
fn tls_connector(further: &[X509]) -> Result<SslConnector, ErrorStack> {
    // Reads the directory built in, and what SSL_CERT_FILE and SSL_CERT_DIR name.
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_alpn_protos(b"\x08http/1.1")?;
    if std::env::var_os("SSL_CERT_FILE").is_none()
        && let Some(file) = CERTIFICATE_FILES
            .iter()
            .find(|file| Path::new(file).exists())
    {
        builder.load_verify_locations(Some(Path::new(file)), None)?;
    }
    for certificate in further {
        builder.cert_store_mut().add_cert(certificate.clone())?;
    }
    Ok(builder.build())
}

/// What the thread owns.
struct Worker {
    /// Certificates that are trusted beside the system's.
    further: Vec<X509>,
    allow: Arc<[AllowedHost]>,
    resolver: Arc<dyn NameResolver>,
    timeout: Duration,
    limits: TenantLimits,
}

impl Worker {
    fn run(self, mut inbox: mpsc::Receiver<Job>) {
        let runtime = match actix_web::rt::Runtime::new() {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "outward requests have no runtime");
                return;
            }
        };
        runtime.block_on(async move {
            // Made for the first request: a server that sends none has no use for the system's certificates.
            let mut made = None;
            let running = Arc::new(Semaphore::new(RUNNING_IN_ALL));
            while let Some(job) = inbox.recv().await {
                let client = match &made {
                    Some(client) => client,
                    None => match self.client() {
                        Ok(client) => made.insert(client),
                        Err(error) => {
                            tracing::error!(%error, "outward requests can't be made");
                            let _ = job.answer.send(Err(EgressError::Stopped));
                            continue;
                        }
                    },
                };
                let Some(place) = self.limits.enter(job.tenant) else {
                    let _ = job.answer.send(Err(EgressError::Busy));
                    continue;
                };
                let (client, running) = (client.clone(), Arc::clone(&running));
                let timeout = self.timeout;
                actix_web::rt::spawn(async move {
                    let Job {
                        outward,
                        uri,
                        deadline,
                        mut answer,
                        ..
                    } = job;
                    let work = async {
                        let turn = async { (place.turn().await, running.acquire().await) };
                        let Ok(_turn) = timeout_at(deadline, turn).await else {
                            return Err(EgressError::Late);
                        };
                        // Whose turn came late says nothing of the host by taking what was left.
                        let late = if Instant::now() + timeout / 2 > deadline {
                            EgressError::Late
                        } else {
                            EgressError::Deadline
                        };
                        let fetched = timeout_at(deadline, fetch(&client, outward, &uri));
                        fetched.await.unwrap_or(Err(late))
                    };
                    let result = tokio::select! {
                        result = work => result,
                        // Whoever asked has left.
                        () = answer.closed() => return,
                    };
                    let _ = answer.send(result);
                });
            }
        });
    }

    fn client(&self) -> Result<awc::Client, ErrorStack> {
        let connector = GuardedConnector {
            inner: actix_tls::connect::Connector::new(Resolver::default()).service()
                as ConnectorService,
            resolver: Arc::clone(&self.resolver),
            allow: Arc::clone(&self.allow),
        };
        let connector = awc::Connector::new()
            .connector(connector)
            .openssl(tls_connector(&self.further)?)
            .timeout(self.timeout)
            .handshake_timeout(self.timeout)
            .limit(RUNNING_IN_ALL);
        Ok(awc::Client::builder()
            .connector(connector)
            .disable_redirects()
            .disable_timeout() // the deadline is over the whole fetch
            .add_default_header((USER_AGENT, concat!("Tessera/", env!("CARGO_PKG_VERSION"))))
            .finish())
    }
}

async fn fetch(client: &awc::Client, outward: Outward, uri: &str) -> Result<Fetched, EgressError> {
    let mut request = client
        .request(outward.method, uri)
        .insert_header((ACCEPT, outward.expected.accept()));
    if let Some(token) = &outward.bearer {
        request = request.insert_header((AUTHORIZATION, format!("Bearer {}", token.expose())));
    }
    let sending = match outward.body {
        Some((content_type, body)) => request
            .insert_header((CONTENT_TYPE, content_type))
            .send_body(body),
        None => request.send(),
    };
    let mut response = sending.await.map_err(not_sent)?;
    let status = response.status();
    if status.is_redirection() {
        return Err(EgressError::Redirect(status.as_u16()));
    }
    if !status.is_success() {
        return Err(EgressError::Status(status.as_u16()));
    }
    let content_type = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if !outward.expected.admits(content_type) {
        return Err(EgressError::ContentType(outward.expected.accept()));
    }
    let fresh_for = freshness::of(response.headers());
    let body = response
        .body()
        .limit(outward.limit)
        .await
        .map_err(|error| match error {
            PayloadError::Overflow => EgressError::TooLarge(outward.limit),
            other => EgressError::Unreachable(other.to_string()),
        })?;
    Ok(Fetched {
        status: status.as_u16(),
        body: body.to_vec(),
        fresh_for,
    })
}

fn not_sent(error: SendRequestError) -> EgressError {
    match error {
        SendRequestError::Url(_) => EgressError::Url,
        SendRequestError::Timeout | SendRequestError::Connect(ConnectError::Timeout) => {
            EgressError::Deadline
        }
        SendRequestError::Connect(ConnectError::Resolver(source)) if source.is::<Blocked>() => {
            EgressError::Blocked
        }
        other => EgressError::Unreachable(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
