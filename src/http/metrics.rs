//! Counters and gauges in Prometheus' text format, on a listener of their own.
//!
//! Labels are bounded: route patterns, classes of status (and 503), grant types, outcomes. Never a tenant, a client, a person or a path as it was sent,
//! which would grow without limit and tell a scraper who is a customer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::Server;
use actix_web::{App, HttpResponse, HttpServer, web};
use prometheus::core::Collector;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts,
    PullingGauge, Registry, TextEncoder,
};

use crate::protocol::client_metadata::GrantType;

/// Upper bounds in seconds: a signature takes microseconds, a password a hundredth of a second, a full queue seconds.
const BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// How a sign-in ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInOutcome {
    /// A session began.
    Success,
    /// The name or the password was wrong.
    Refused,
    /// Too many attempts; the password wasn't looked at.
    Throttled,
    /// The queue of passwords was full.
    Overloaded,
}

impl SignInOutcome {
    const ALL: [Self; 4] = [
        Self::Success,
        Self::Refused,
        Self::Throttled,
        Self::Overloaded,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Overloaded => "overloaded",
        }
    }
}

/// What introspection said of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntrospectionOutcome {
    /// It is good.
    Active,
    /// It isn't, or is none.
    Inactive,
    /// Nothing: whoever asked isn't believed, or asked wrongly.
    Refused,
}

impl IntrospectionOutcome {
    const ALL: [Self; 3] = [Self::Active, Self::Inactive, Self::Refused];

    fn label(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Refused => "refused",
        }
    }
}

/// What became of a token that was to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationOutcome {
    /// It is good no more.
    Revoked,
    /// Nothing: it is another's, unknown, expired, or was revoked before.
    Unchanged,
    /// Nothing: whoever asked isn't believed, or asked wrongly.
    Refused,
}

impl RevocationOutcome {
    const ALL: [Self; 3] = [Self::Revoked, Self::Unchanged, Self::Refused];

    fn label(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
        }
    }
}

/// Successful answers at one route.
pub struct Successes {
    requests: IntCounter,
    durations: Histogram,
}

impl Successes {
    /// Counts one.
    pub fn count(&self, duration: Duration) {
        self.requests.inc();
        self.durations.observe(duration.as_secs_f64());
    }
}

/// Counters by the one label that they have, found once: a look-up would hash its words for each request.
struct Labelled<T, const N: usize>([(T, IntCounter); N]);

impl<T: Copy + PartialEq, const N: usize> Labelled<T, N> {
    fn new(counters: &IntCounterVec, values: [T; N], label: fn(T) -> &'static str) -> Self {
        Self(values.map(|value| (value, counters.with_label_values(&[label(value)]))))
    }

    fn count(&self, value: T) {
        if let Some((_, counter)) = self.0.iter().find(|(own, _)| *own == value) {
            counter.inc();
        }
    }
}

/// Everything that is counted in this process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    tokens: Labelled<GrantType, { GrantType::ALL.len() }>,
    sign_ins: Labelled<SignInOutcome, { SignInOutcome::ALL.len() }>,
    introspections: Labelled<IntrospectionOutcome, { IntrospectionOutcome::ALL.len() }>,
    revocations: Labelled<RevocationOutcome, { RevocationOutcome::ALL.len() }>,
}

impl Metrics {
    /// A registry of its own, with what every process has: requests, uptime, memory, version. Fails only if two metrics were given one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let requests = counters(
            &registry,
            "tessera_http_requests_total",
            "Requests answered.",
            &["route", "method", "status"],
        )?;
        let tokens = counters(
            &registry,
            "tessera_tokens_issued_total",
            "Token responses by grant type.",
            &["grant_type"],
        )?;
        let sign_ins = counters(
            &registry,
            "tessera_sign_ins_total",
            "Attempts to sign in by outcome.",
            &["outcome"],
        )?;
        let introspections = counters(
            &registry,
            "tessera_introspections_total",
            "Tokens that were introspected by outcome.",
            &["outcome"],
        )?;
        let revocations = counters(
            &registry,
            "tessera_revocations_total",
            "Requests to revoke a token by outcome.",
            &["outcome"],
        )?;
        let durations = HistogramOpts::new(
            "tessera_http_request_duration_seconds",
            "Time until a request's answer began.",
        )
        .buckets(BUCKETS.to_vec());
        let durations = HistogramVec::new(durations, &["route", "status"])?;
        registry.register(Box::new(durations.clone()))?;
        let build = counters(
            &registry,
            "tessera_build_info",
            "The version that runs.",
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).inc();
        let metrics = Self {
            registry,
            requests,
            durations,
            tokens: Labelled::new(&tokens, GrantType::ALL, GrantType::as_str),
            sign_ins: Labelled::new(&sign_ins, SignInOutcome::ALL, SignInOutcome::label),
            introspections: Labelled::new(
                &introspections,
                IntrospectionOutcome::ALL,
                IntrospectionOutcome::label,
            ),
            revocations: Labelled::new(
                &revocations,
                RevocationOutcome::ALL,
                RevocationOutcome::label,
            ),
        };
        let started = Instant::now();
        metrics.watch(
            "tessera_uptime_seconds",
            "Time since the process started.",
            move || started.elapsed().as_secs_f64(),
        )?;
        metrics.watch(
            "process_resident_memory_bytes",
            "Memory of the process that is in RAM.",
            resident_memory,
        )?;
        Ok(metrics)
    }

    /// Adds a gauge that is read whenever the metrics are: a queue's depth, a pool's free connections. `read` must not block.
    pub fn watch(
        &self,
        name: &str,
        help: &str,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        self.registry
            .register(Box::new(PullingGauge::new(name, help, Box::new(read))?))
    }

    /// Adds what somebody else counts.
    pub fn adopt(&self, collector: Box<dyn Collector>) -> Result<(), prometheus::Error> {
        self.registry.register(collector)
    }

    /// Counts an answered request. `route` is a pattern of the route table.
    pub fn request(&self, route: &str, method: &str, status: u16, duration: Duration) {
        let class = status_class(status);
        self.requests
            .with_label_values(&[route, bounded_method(method), class])
            .inc();
        self.durations
            .with_label_values(&[route, class])
            .observe(duration.as_secs_f64());
    }

    /// What [`Metrics::request`] counts of successful answers at one route, found once for very many of them.
    pub fn successes(&self, route: &str, method: &str) -> Successes {
        let class = status_class(200);
        Successes {
            requests: self
                .requests
                .with_label_values(&[route, bounded_method(method), class]),
            durations: self.durations.with_label_values(&[route, class]),
        }
    }

    /// Counts a successful answer of the token endpoint.
    pub fn token_issued(&self, grant_type: GrantType) {
        self.tokens.count(grant_type);
    }

    /// Counts an attempt to sign in.
    pub fn sign_in(&self, outcome: SignInOutcome) {
        self.sign_ins.count(outcome);
    }

    /// Counts a request to introspect a token.
    pub fn introspection(&self, outcome: IntrospectionOutcome) {
        self.introspections.count(outcome);
    }

    /// Counts a request to revoke a token.
    pub fn revocation(&self, outcome: RevocationOutcome) {
        self.revocations.count(outcome);
    }

    /// Everything in Prometheus' text format.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}

/// A class, but for 503, which says that there was no room or no database just now: what else begins with 5 is a fault of this program.
fn status_class(status: u16) -> &'static str {
    match status {
        503 => "503",
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// A request may invent methods; a label may not.
fn bounded_method(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}

/// `VmRSS` of Linux's `/proc/self/status`; 0 where there is none.
#[expect(clippy::cast_precision_loss, reason = "a float is what the format has")]
fn resident_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes: Option<u64> =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    kibibytes.unwrap_or(0) as f64 * 1024.0
}

/// Binds the listener for `/metrics` and says where (port 0 is chosen by the system). The server runs when it is awaited or spawned.
pub fn listen(metrics: Arc<Metrics>, address: SocketAddr) -> io::Result<(SocketAddr, Server)> {
    let metrics = web::Data::from(metrics);
    let app = move || {
        App::new()
            .app_data(metrics.clone())
            .route("/metrics", web::get().to(answer))
    };
    let server = HttpServer::new(app)
        .workers(1)
        // Whoever scrapes needs one; more would be taken from those that people and services have.
        .max_connections(16)
        .disable_signals()
        .bind(address)?;
    let bound = server.addrs().first().copied().unwrap_or(address);
    Ok((bound, server.run()))
}

async fn answer(metrics: web::Data<Metrics>) -> HttpResponse {
    match metrics.render() {
        Ok(text) => HttpResponse::Ok()
            .content_type(prometheus::TEXT_FORMAT)
            .body(text),
        Err(error) => {
            tracing::error!(%error, "metrics can't be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_appear_under_bounded_labels() {
        let metrics = Metrics::new().unwrap();
        metrics.request("/t/{tenant}/token", "POST", 200, Duration::from_millis(3));
        metrics.request(
            "/t/{tenant}/token",
            "INVENTED-7",
            999,
            Duration::from_millis(3),
        );
        metrics.request("/", "GET", 503, Duration::from_millis(3));
        metrics.token_issued(GrantType::ClientCredentials);
        metrics.sign_in(SignInOutcome::Throttled);
        metrics.introspection(IntrospectionOutcome::Inactive);
        metrics.revocation(RevocationOutcome::Revoked);
        metrics
            .watch("tessera_hashing_waiting", "Passwords that wait.", || 7.0)
            .unwrap();
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        for line in [
            r#"tessera_http_requests_total{method="POST",route="/t/{tenant}/token",status="2xx"} 1"#,
            r#"tessera_http_requests_total{method="other",route="/t/{tenant}/token",status="5xx"} 1"#,
            r#"tessera_http_request_duration_seconds_bucket{route="/t/{tenant}/token",status="2xx",le="0.005"} 1"#,
            r#"tessera_http_requests_total{method="GET",route="/",status="503"} 1"#,
            r#"tessera_tokens_issued_total{grant_type="client_credentials"} 1"#,
            r#"tessera_sign_ins_total{outcome="throttled"} 1"#,
            r#"tessera_introspections_total{outcome="inactive"} 1"#,
            r#"tessera_revocations_total{outcome="revoked"} 1"#,
            concat!(
                "tessera_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
            "tessera_hashing_waiting 7",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(resident_memory() > 100_000.0);
        assert!(
            metrics
                .watch("tessera_hashing_waiting", "Again.", || 0.0)
                .is_err()
        );
    }

    #[actix_web::test]
    async fn the_listener_serves_metrics_and_nothing_else() {
        let (address, server) = listen(
            Arc::new(Metrics::new().unwrap()),
            ([127, 0, 0, 1], 0).into(),
        )
        .unwrap();
        actix_web::rt::spawn(server);
        let client = awc::Client::default();
        let mut answer = client
            .get(format!("http://{address}/metrics"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.body().await.unwrap().starts_with(b"# HELP"));
        assert_eq!(
            client
                .get(format!("http://{address}/"))
                .send()
                .await
                .unwrap()
                .status(),
            404
        );
    }
}
