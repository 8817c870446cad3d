//! The table of settings, and what must hold between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use super::allowed_host::AllowedHost;
use super::database_url::DatabaseUrl;
use super::error::{ConfigError, ConfigErrors, Origin};
use super::public_url::{Place, PublicUrl};
use super::trusted_proxies::{ForwardedHeader, TrustedProxies};
use super::value::{ByteSize, HeaderName, LogFilter, LogFormat, Toml, Value};
use crate::protocol::mutual_tls::CertificateFormat;
use crate::secret::PlainSecret;

/// What passwords are hashed by at the most, as `passwords` of the layer `jose` has it: memory in KiB, that times passes, and lanes. Settings lie
/// below that layer and can't ask it; a test holds both to the same.
const MAX_ARGON2_MEMORY: u64 = 256 << 10;
const MAX_ARGON2_WORK: u64 = 1 << 20;
const MAX_ARGON2_LANES: u64 = 16;

/// Which sources may hold a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// File and environment.
    FileAndEnvironment,
    /// These and a flag.
    Flag,
    /// The environment only, as a file of settings is no place for a secret.
    EnvironmentOnly,
}

/// What is known of a setting besides its value.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name in the file.
    pub key: &'static str,
    /// The heading that it stands under in the reference.
    pub group: &'static str,
    /// Which sources may hold it.
    pub reach: Reach,
    /// As it would be written; `{data_dir}`, `{listen_port}` and `{processors}` are replaced.
    pub default: &'static str,
    /// Its meaning, a line each.
    pub doc: &'static [&'static str],
    /// What to write.
    pub kind: fn() -> String,
    /// How TOML writes it.
    pub toml: fn() -> Toml,
}

impl Setting {
    /// The environment variable's name.
    pub fn variable(&self) -> String {
        format!("TESSERA_{}", self.key.to_ascii_uppercase())
    }

    /// The flag's name with its dashes, if there is one.
    pub fn flag(&self) -> Option<String> {
        (self.reach == Reach::Flag).then(|| format!("--{}", self.key.replace('_', "-")))
    }
}

/// The text of a setting and where it stands, before it is read.
pub(super) type Given = BTreeMap<&'static str, (String, Origin)>;

macro_rules! reach {
    () => {
        Reach::FileAndEnvironment
    };
    ($reach:ident) => {
        Reach::$reach
    };
}

macro_rules! settings {
    ($($group:literal { $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $default:literal $(, $reach:ident)?;)+ })+) => {
        /// Every setting, read and validated.
        #[derive(Clone, Debug)]
        pub struct Config {
            $($($(#[doc = $doc])+ pub $key: $type,)+)+
            origins: BTreeMap<&'static str, Origin>,
        }

        /// Every setting in the order of the reference.
        pub const SETTINGS: &[Setting] = &[$($(Setting {
            key: stringify!($key),
            group: $group,
            reach: reach!($($reach)?),
            default: $default,
            doc: &[$($doc),+],
            kind: <$type as Value>::kind,
            toml: <$type as Value>::toml,
        }),+),+];

        impl Config {
            /// Reads what was given, defaults for the rest; then checks what must hold between settings.
            pub(super) fn from_given(given: &Given, mut errors: Vec<ConfigError>) -> Result<Self, ConfigErrors> {
                let mut reader = Reader { given, errors: &mut errors };
                $($(let $key: Option<$type> = reader.read(stringify!($key), $default);)+)+
                let origins = given.iter().map(|(key, (_, origin))| (*key, origin.clone())).collect();
                match ($($($key,)+)+) {
                    ($($(Some($key),)+)+) if errors.is_empty() => {
                        let config = Self { $($($key,)+)+ origins };
                        config.check()?;
                        Ok(config)
                    }
                    _ => Err(ConfigErrors(errors)),
                }
            }

            /// Every setting with its value, fit to be shown (no password, no key), and where it was written.
            pub fn explain(&self) -> Vec<(&'static str, String, Origin)> {
                vec![$($((stringify!($key), self.$key.show(), self.origin(stringify!($key)))),+),+]
            }
        }
    };
}

settings! {
    "Addresses" {
        /// Where the server listens for plain HTTP. Behind a proxy on the same machine the default is right; in a container write `0.0.0.0:8080`.
        listen: SocketAddr = "127.0.0.1:8080", Flag;
        /// Where tenants live, as browsers and services see it. It holds `{tenant}` exactly once: as the last path segment
        /// (`https://id.example.com/t/{tenant}`) or as the first host label (`https://{tenant}.id.example.com`).
        /// Subdomains give each tenant a browser origin of its own and are the better choice wherever DNS allows.
        /// Tokens carry addresses made from it, so a change makes every token issued before invalid.
        public_url: PublicUrl = "http://localhost:{listen_port}/t/{tenant}", Flag;
        /// A second listener that speaks TLS itself, where no proxy does. Needs a certificate and a key.
        tls_listen: Option<SocketAddr> = "off";
        /// The certificate chain in PEM, the server's own first. SIGHUP has it and the key read anew.
        tls_certificate_file: Option<PathBuf> = "off";
        /// The certificate's private key in PEM.
        tls_key_file: Option<PathBuf> = "off";
        /// A listener for services that show a certificate of their own (mutual TLS, RFC 8705). It asks for one and demands none, as browsers would
        /// ask people for theirs. Needs a certificate, a key and `mtls_public_url`; it is for the endpoints that services call.
        mtls_listen: Option<SocketAddr> = "off";
        /// The certificate chain of that listener in PEM, the server's own first. SIGHUP has it and the key read anew.
        mtls_certificate_file: Option<PathBuf> = "off";
        /// The certificate's private key in PEM.
        mtls_key_file: Option<PathBuf> = "off";
        /// How services reach that listener, or the proxy that asks for their certificates: another host or port than `public_url`, written in the
        /// same form. Tenants announce their endpoints there (`mtls_endpoint_aliases`); the issuer stays that of `public_url`.
        mtls_public_url: Option<PublicUrl> = "off";
        /// The header in which the trusted proxies hand on the certificate that a client has shown them, `X-SSL-Client-Cert` or `Client-Cert` say. The
        /// proxies have to write it, or empty it, in every request: what a client sends of it would be believed.
        client_certificate_header: Option<HeaderName> = "off";
        /// How they write it.
        client_certificate_format: CertificateFormat = "escaped-pem";
        /// The header in which they hand on the certificates that came with the client's, which lead to the authority: `Client-Cert-Chain`, as
        /// RFC 9440 writes it, whatever the form of the other. They have to write or empty it in every request, too.
        client_certificate_chain_header: Option<HeaderName> = "off";
        /// A listener of its own for `/metrics` in Prometheus' format. Keep it off the public network.
        metrics_listen: Option<SocketAddr> = "off";
        /// Proxies whose word counts for a client's address, its scheme and its request id. Everybody else's forwarding headers are ignored.
        trusted_proxies: TrustedProxies = "";
        /// The header that those proxies write. The other one is ignored, as they would hand on a forged one.
        forwarded_header: ForwardedHeader = "x-forwarded-for";
    }
    "Data" {
        /// The directory for what the server keeps in files: the embedded database, the master key. It is made, readable to its owner alone, when missing.
        data_dir: PathBuf = "tessera-data", Flag;
        /// The database. SQLite serves one node without any preparation, PostgreSQL any number. A URL of PostgreSQL is libpq's, with its parameters and
        /// with several hosts where there are several; within a password, what isn't a letter or a digit is written with `%`.
        database_url: DatabaseUrl = "sqlite:{data_dir}/tessera.db", Flag;
        /// The database URL for `tessera migrate`, for installations where the server's own login may not change the schema.
        migrate_database_url: Option<DatabaseUrl> = "off";
        /// Connections that a node keeps to its database.
        database_pool_size: NonZeroU32 = "8";
        /// How long a query, or the wait for a connection, may take before the request is answered with 503.
        database_timeout: Duration = "5s";
        /// The file with the master key, which seals every other key. It is made at first start with SQLite; with PostgreSQL make it by
        /// `tessera master-key create` and give every node the same. Without it sealed data is lost: keep a copy elsewhere.
        master_key_file: PathBuf = "{data_dir}/master.key";
        /// The master key itself, for platforms that hand secrets over in the environment. It takes the place of `master_key_file`.
        master_key: Option<PlainSecret> = "off", EnvironmentOnly;
    }
    "Work" {
        /// Threads that serve connections.
        workers: NonZeroUsize = "{processors}";
        /// Threads for work that blocks: the database, RSA signatures.
        blocking_threads: NonZeroUsize = "16";
        /// Tasks that may wait for such a thread. Beyond it requests are answered with 503.
        blocking_queue: NonZeroUsize = "1024";
        /// Tenants that are kept ready in memory, with their keys and three times as many clients; loaded when first asked for. Each tenant beyond
        /// is loaded from the database whenever it is its turn. `docs/PERFORMANCE.md` says what one takes.
        cached_tenants: NonZeroUsize = "100000";
        /// Threads that hash passwords.
        hashing_threads: NonZeroUsize = "{processors}";
        /// Passwords that may wait to be hashed, all tenants together. Beyond it sign-ins are answered with 503 and `Retry-After`.
        hashing_queue: NonZeroUsize = "256";
        /// Memory that argon2id takes for one password: 256 MiB at most, and times `argon2_passes` 1 GiB at most. Raised parameters re-hash a password
        /// at its next sign-in.
        argon2_memory: ByteSize = "19 MiB";
        /// Passes that argon2id makes over that memory.
        argon2_passes: NonZeroU32 = "2";
        /// Lanes of argon2id: 16 at most, with 8 KiB of memory each at least.
        argon2_lanes: NonZeroU32 = "1";
    }
    "Requests" {
        /// The largest request body that is read.
        request_body_limit: ByteSize = "256 KiB";
        /// How long a client may take to send a request's head.
        header_timeout: Duration = "5s";
        /// How long a client may take to send a request's body; who takes longer is answered 408.
        body_timeout: Duration = "30s";
        /// How long a connection may idle between requests.
        keep_alive: Duration = "75s";
        /// How long running requests may take to finish after SIGTERM.
        shutdown_timeout: Duration = "30s";
    }
    "Signing keys" {
        /// The age at which a tenant's signing key is followed by a new one.
        key_rotation_age: Duration = "90d";
        /// How long a new key is published before it signs, so that verifiers know it by then. Must be shorter than `key_rotation_age`.
        key_publish_ahead: Duration = "24h";
        /// How long verifiers may cache the published keys. Must be shorter than `key_publish_ahead`.
        jwks_max_age: Duration = "1h";
    }
    "Outward requests" {
        /// Hosts that outward requests (`jwks_uri` and the like) may reach by plain http or at a private address. For development; leave it empty elsewhere.
        egress_allow: Vec<AllowedHost> = "";
        /// Certificates in PEM that are trusted besides the system's.
        egress_ca_file: Option<PathBuf> = "off";
        /// How long an outward request may take from name resolution to the last byte.
        egress_timeout: Duration = "5s";
        /// How long after a client's `jwks_uri` was fetched an unknown `kid` may have it fetched again; a second at least, an hour at most.
        client_jwks_refetch_after: Duration = "60s";
        /// Outward requests that one tenant may have under way at once on a node.
        egress_concurrency: NonZeroUsize = "4";
        /// Name servers that are asked for the TXT records by which domains are proved; without any, those of the operating system.
        dns_servers: Vec<SocketAddr> = "";
    }
    "Logs" {
        /// The form of log lines.
        log_format: LogFormat = "human";
        /// Which log lines are written. A word without `=` is a level, for everything; `TARGET=LEVEL` is for one target.
        log_filter: LogFilter = "info";
    }
}

/// Reads settings one by one and collects what is wrong.
struct Reader<'a> {
    given: &'a Given,
    errors: &'a mut Vec<ConfigError>,
}

impl Reader<'_> {
    fn read<T: Value>(&mut self, key: &'static str, default: &str) -> Option<T> {
        let parsed = match self.given.get(key) {
            Some((text, origin)) => T::parse(text).map_err(|problem| (problem, origin.clone())),
            None => T::parse(&self.fill(default)).map_err(|problem| (problem, Origin::Default)),
        };
        parsed
            .map_err(|(problem, origin)| {
                self.errors.push(ConfigError {
                    setting: Some(key.to_owned()),
                    origin,
                    problem,
                });
            })
            .ok()
    }

    /// Replaces what a default takes from elsewhere.
    fn fill(&self, default: &str) -> String {
        let text_of = |key: &str| {
            self.given
                .get(key)
                .map(|(text, _)| text.clone())
                .or_else(|| default_of(key).map(str::to_owned))
                .unwrap_or_default()
        };
        match default {
            "{processors}" => std::thread::available_parallelism()
                .map_or(1, NonZeroUsize::get)
                .to_string(),
            _ if default.contains("{data_dir}") => {
                default.replace("{data_dir}", text_of("data_dir").trim_end_matches('/'))
            }
            _ if default.contains("{listen_port}") => {
                // Where `listen` itself is wrong, its own error is enough.
                let port = text_of("listen")
                    .parse::<SocketAddr>()
                    .map_or(8080, |address| address.port());
                default.replace("{listen_port}", &port.to_string())
            }
            _ => default.to_owned(),
        }
    }
}

fn default_of(key: &str) -> Option<&'static str> {
    SETTINGS
        .iter()
        .find(|setting| setting.key == key)
        .map(|setting| setting.default)
}

impl Config {
    /// Where the setting was written.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// What is allowed but seldom meant; to be logged at start and shown by `doctor`.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let host = self.public_url.host();
        let local = host == "localhost"
            || host.ends_with(".localhost")
            || host.starts_with("127.")
            || host == "[::1]";
        if !self.public_url.is_https() && !local {
            warnings.push("`public_url` is plain http on a host that isn't this machine: passwords and tokens travel in the clear, and nobody can sign in to the console, whose redirects must not".to_owned());
        }
        if !self.egress_allow.is_empty() && !local {
            warnings.push("`egress_allow` opens private addresses to outward requests; it is meant for development".to_owned());
        }
        // OWASP's weakest recommended parameters are 7 MiB with 5 passes.
        if self.argon2_memory.kibibytes() < 7 * 1024 {
            warnings.push("`argon2_memory` is below what is recommended for passwords (7 MiB with 5 passes, 19 MiB with 2)".to_owned());
        }
        warnings
    }

    /// Whether clients can show certificates at all.
    pub const fn takes_client_certificates(&self) -> bool {
        self.mtls_listen.is_some() || self.client_certificate_header.is_some()
    }

    fn check_client_certificates(&self) -> Vec<(&'static str, &'static str)> {
        let mut problems = Vec::new();
        if self.mtls_listen.is_some() && self.mtls_public_url.is_none() {
            problems.push((
                "mtls_public_url",
                "is missing: without it nobody would find `mtls_listen`",
            ));
        }
        if self.client_certificate_header.is_some() && self.trusted_proxies.networks().is_empty() {
            problems.push((
                "client_certificate_header",
                "needs `trusted_proxies`, from which alone it is believed",
            ));
        }
        if let Some(chain) = &self.client_certificate_chain_header
            && self
                .client_certificate_header
                .as_ref()
                .is_none_or(|header| header.as_str().eq_ignore_ascii_case(chain.as_str()))
        {
            problems.push((
                "client_certificate_chain_header",
                "needs `client_certificate_header`, another header, in which the client's own certificate comes",
            ));
        }
        if let Some(own) = &self.mtls_public_url {
            if !self.takes_client_certificates() {
                problems.push((
                    "mtls_public_url",
                    "needs `mtls_listen` or `client_certificate_header`, or no certificate could arrive there",
                ));
            }
            if !own.is_https() {
                problems.push(("mtls_public_url", "must be https"));
            }
            // One address can't be both: whoever comes to it would be at either, by chance.
            let is_tenant = |template: &PublicUrl, address: &str| {
                let address = address.split_once("://").map_or("", |(_, rest)| rest);
                let (host, path) = address
                    .find('/')
                    .map_or((address, ""), |at| address.split_at(at));
                matches!(template.resolve(host, path), Place::Tenant { .. })
            };
            let (there, here) = (own.issuer("tenant"), self.public_url.issuer("tenant"));
            if is_tenant(&self.public_url, &there)
                || is_tenant(own, &here)
                || is_tenant(own, self.public_url.root())
            {
                problems.push((
                    "mtls_public_url",
                    "must have another host, port or path than `public_url`",
                ));
            }
        }
        problems
    }

    fn check_argon2(&self) -> Vec<(&'static str, &'static str)> {
        let mut problems = Vec::new();
        let memory = self.argon2_memory.kibibytes();
        let lanes = u64::from(self.argon2_lanes.get());
        if memory > MAX_ARGON2_MEMORY {
            problems.push(("argon2_memory", "must not be more than 256 MiB"));
        } else if memory * u64::from(self.argon2_passes.get()) > MAX_ARGON2_WORK {
            problems.push((
                "argon2_passes",
                "is too many for `argon2_memory`: memory times passes must not be more than 1 GiB",
            ));
        }
        // RFC 9106 §3.1: memory is at least eight KiB a lane.
        if lanes * 8 > memory || lanes > MAX_ARGON2_LANES {
            problems.push((
                "argon2_lanes",
                "is too many for `argon2_memory`: each lane needs 8 KiB, and 16 are the most",
            ));
        }
        problems
    }

    fn check(&self) -> Result<(), ConfigErrors> {
        let mut errors = Vec::new();
        let mut refuse = |key: &str, problem: String| {
            errors.push(ConfigError {
                setting: Some(key.to_owned()),
                origin: self.origin(key),
                problem,
            });
        };
        if self.jwks_max_age >= self.key_publish_ahead {
            refuse(
                "jwks_max_age",
                format!(
                    "{} isn't shorter than `key_publish_ahead` ({}): verifiers would meet signatures by keys that they don't know yet",
                    self.jwks_max_age.show(),
                    self.key_publish_ahead.show()
                ),
            );
        }
        if self.key_publish_ahead >= self.key_rotation_age {
            refuse(
                "key_publish_ahead",
                format!(
                    "{} isn't shorter than `key_rotation_age` ({})",
                    self.key_publish_ahead.show(),
                    self.key_rotation_age.show()
                ),
            );
        }
        // Less would let whoever names unknown keys have a client's server knocked at without end; more, and a client that changed its keys waits for long.
        let refetch = Duration::from_secs(1)..=Duration::from_hours(1);
        if !refetch.contains(&self.client_jwks_refetch_after) {
            refuse(
                "client_jwks_refetch_after",
                format!(
                    "{} isn't between 1s and 1h",
                    self.client_jwks_refetch_after.show()
                ),
            );
        }
        let tls = [
            ("tls_listen", self.tls_listen.is_some()),
            ("tls_certificate_file", self.tls_certificate_file.is_some()),
            ("tls_key_file", self.tls_key_file.is_some()),
        ];
        let mtls = [
            ("mtls_listen", self.mtls_listen.is_some()),
            (
                "mtls_certificate_file",
                self.mtls_certificate_file.is_some(),
            ),
            ("mtls_key_file", self.mtls_key_file.is_some()),
        ];
        for listener in [tls, mtls] {
            if listener.iter().any(|(_, set)| *set) {
                let names = listener.map(|(key, _)| format!("`{key}`"));
                for (key, _) in listener.iter().filter(|(_, set)| !set) {
                    refuse(
                        key,
                        format!(
                            "is missing: {}, {} and {} go together",
                            names[0], names[1], names[2]
                        ),
                    );
                }
            }
        }
        for (key, problem) in self.check_client_certificates() {
            refuse(key, problem.to_owned());
        }
        if self
            .metrics_listen
            .is_some_and(|address| address == self.listen && address.port() != 0)
        {
            refuse(
                "metrics_listen",
                "must not be the address of `listen`".to_owned(),
            );
        }
        for (key, problem) in self.check_argon2() {
            refuse(key, problem.to_owned());
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigErrors(errors))
        }
    }
}
