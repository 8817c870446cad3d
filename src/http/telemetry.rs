//! Logs: their set-up, a request id for each request, and one access line for each answer.
//!
//! The access line holds what helps an operator and nothing that a thief could use: the route's pattern instead of the path and query, no
//! header, no body.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::fmt::Display;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::panic::PanicHookInfo;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::{Extensions, Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::HeaderName;
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

use uuid::Uuid;

use super::documents;
use super::log_buffer::LogBuffer;
use super::log_format::{self, Lines};
use super::metrics::{Metrics, Successes};
use crate::clock::Clock;
use crate::config::{Client, Config, ForwardedHeader, LogFilter, LogFormat, TrustedProxies};
use crate::flows::tenancy::TenantAt;
use crate::protocol::discovery::paths;

/// The header that carries the request id both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The endpoints that services call all the time, by their path below the issuer, their route and the method of the calls that are many: the
/// route is known without a search, and what counts them is found once.
const BUSY: [(&str, &str, &str); 5] = [
    (paths::TOKEN, "/tenant/token", "POST"),
    (paths::USERINFO, "/tenant/userinfo", "GET"),
    (paths::USERINFO, "/tenant/userinfo", "POST"),
    (paths::INTROSPECT, "/tenant/introspect", "POST"),
    (paths::REVOKE, "/tenant/revoke", "POST"),
];

/// The route of a busy endpoint, from the path below the issuer.
pub(super) fn busy_route(rest: &str) -> Option<&'static str> {
    BUSY.iter()
        .find(|(path, _, _)| *path == rest)
        .map(|(_, route, _)| *route)
}

/// Sends log lines to standard error, as standard output belongs to what a command prints. For `main`, once; later calls change nothing.
pub fn init(format: LogFormat, filter: &LogFilter) -> Log {
    let targets: Targets = filter.as_str().parse().unwrap_or_default();
    let buffer = LogBuffer::before(std::io::stderr());
    let lines = lines(format, buffer.clone());
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(targets))
        .try_init();
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // A filter that leaves errors out leaves no panic unseen.
        if tracing::enabled!(tracing::Level::ERROR) {
            tell_of_panic(panic);
        } else {
            usual(panic);
        }
    }));
    Log(buffer)
}

/// A panic is a line like any other: plain text among JSON is lost on whoever collects the log. Where `RUST_BACKTRACE` asks for it, with the way
/// there.
fn tell_of_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("(no message)");
    let place = panic
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let way = Backtrace::capture();
    let backtrace = (way.status() == BacktraceStatus::Captured).then(|| way.to_string());
    let current = std::thread::current();
    let thread = current.name().unwrap_or("(no name)");
    tracing::error!(thread, backtrace, "panicked at {place}: {message}");
}

/// The log; to be kept until the process ends, as it writes what waits when it is dropped.
#[must_use = "what waits is written when this is dropped"]
pub struct Log(LogBuffer<std::io::Stderr>);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// The form of the lines, wherever they go.
fn lines<S, W>(format: LogFormat, writer: W) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> fmt::MakeWriter<'writer> + Send + Sync + 'static,
{
    fmt::layer()
        .with_ansi(format == LogFormat::Human && is_terminal())
        .with_writer(writer)
        .event_format(Lines(format))
}

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none()
}

/// What the front door needs to observe; part of the application's data.
pub struct Observer {
    clock: Clock,
    metrics: Arc<Metrics>,
    busy: [Successes; BUSY.len()],
    proxies: TrustedProxies,
    forwarded_header: ForwardedHeader,
}

impl Observer {
    /// As the settings say.
    pub fn new(config: &Config, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self {
            clock,
            busy: BUSY.map(|(_, route, method)| metrics.successes(route, method)),
            metrics,
            proxies: config.trusted_proxies.clone(),
            forwarded_header: config.forwarded_header,
        }
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Counts an answer.
    fn count(&self, answered: &Answered<'_>) {
        let busy = BUSY
            .iter()
            .position(|(_, route, method)| *route == answered.route && *method == answered.method);
        match busy {
            Some(at) if (200..300).contains(&answered.status) => {
                self.busy[at].count(answered.duration);
            }
            _ => self.metrics.request(
                answered.route,
                answered.method,
                answered.status,
                answered.duration,
            ),
        }
    }

    pub(super) fn client(&self, request: &ServiceRequest) -> Client {
        let unknown = IpAddr::from([0, 0, 0, 0]); // a Unix socket has no address
        let peer = request.peer_addr().map_or(unknown, |address| address.ip());
        self.proxies.client(peer, self.forwarded_header, |name| {
            request
                .headers()
                .get_all(name)
                .filter_map(|value| value.to_str().ok())
        })
    }

    pub(super) fn request_id(&self, request: &ServiceRequest, client: &Client) -> RequestId {
        let sent = request
            .headers()
            .get(REQUEST_ID)
            .and_then(|value| value.to_str().ok());
        if let Some(id) = sent.filter(|id| client.through_proxy && is_sane(id)) {
            return RequestId(id.into());
        }
        let mut text = Uuid::encode_buffer();
        let id = self.clock.uuid_v7();
        RequestId((&*id.hyphenated().encode_lower(&mut text)).into())
    }
}

/// Long enough to be an id, short and plain enough to be logged.
fn is_sane(id: &str) -> bool {
    (8..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The request's id: in its answer, its log lines and on its error page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Rc<str>);

impl RequestId {
    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id, for the log's lines.
    pub(super) fn shared(&self) -> &Rc<str> {
        &self.0
    }

    /// The id of a request that has come through the front door; empty where it hasn't.
    pub fn of(request: &HttpRequest) -> Self {
        let notes = request.extensions();
        let seen = notes.get::<Seen>();
        seen.map_or_else(|| Self("".into()), |seen| seen.id.clone())
    }
}

impl FromRequest for RequestId {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// What is known of a request that has come through the front door; among its extensions, in one box.
pub(super) struct Seen {
    id: RequestId,
    /// Who is at the other end.
    client: Client,
    /// Its address in words, as the log and the audit want it.
    address: Rc<str>,
    /// The route for the access line and the metrics, where the pattern of the route table isn't it.
    route: Cell<Option<&'static str>>,
}

impl Seen {
    pub(super) fn new(client: Client, id: RequestId) -> Self {
        Self {
            id,
            client,
            address: client.address.to_string().into(),
            route: Cell::new(None),
        }
    }

    /// The address in words.
    pub(super) fn address(&self) -> &Rc<str> {
        &self.address
    }
}

/// Who is at the other end of a request that has come through the front door, as far as it can be believed.
pub fn client_of(request: &HttpRequest) -> Option<Client> {
    request.extensions().get::<Seen>().map(|seen| seen.client)
}

/// Their address in words; empty for a request that came in no such way.
pub fn address_of(request: &HttpRequest) -> String {
    let notes = request.extensions();
    let seen = notes.get::<Seen>();
    seen.map(|seen| (*seen.address).to_owned())
        .unwrap_or_default()
}

/// The slug of a tenant that isn't served, for the access line.
struct TenantNote(Box<str>);

/// Tells the access line which tenant the request was for, where it is refused before it is the request's ([`TenantAt`]).
pub fn note_tenant(request: &HttpRequest, slug: &str) {
    request.extensions_mut().insert(TenantNote(slug.into()));
}

/// Tells the access line and the metrics the route, where it isn't matched by actix's own routing.
pub fn note_route(request: &HttpRequest, route: &'static str) {
    if let Some(seen) = request.extensions().get::<Seen>() {
        seen.route.set(Some(route));
    }
}

/// Who got tokens, for the access line.
struct TokenNote {
    client: Box<str>,
    grant_type: &'static str,
}

/// Tells the access line and the metrics who got tokens, and for what.
pub fn note_tokens(request: &HttpRequest, client: String, grant_type: &'static str) {
    request.extensions_mut().insert(TokenNote {
        client: client.into(),
        grant_type,
    });
}

macro_rules! access_line {
    ($level:ident, $answered:expr, $note:expr) => {
        tracing::event!(
            target: "tessera::access",
            tracing::Level::$level,
            method = $answered.method,
            route = $answered.route,
            status = $answered.status,
            milliseconds = $answered.milliseconds(),
            tenant = $answered.tenant,
            address = %$answered.address,
            client = $note.map(|note: &TokenNote| &*note.client),
            grant_type = $note.map(|note: &TokenNote| note.grant_type),
            "answered"
        )
    };
}

/// What an access line says.
pub(super) struct Answered<'a> {
    pub(super) method: &'a str,
    pub(super) route: &'a str,
    pub(super) status: u16,
    pub(super) duration: Duration,
    pub(super) tenant: &'a str,
    pub(super) address: &'a dyn Display,
}

impl Answered<'_> {
    /// To the microsecond.
    fn milliseconds(&self) -> f64 {
        (self.duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
    }

    /// Writes the line, about this request.
    pub(super) fn log(&self, id: &RequestId, extensions: Option<&Extensions>) {
        let note = extensions.and_then(Extensions::get::<TokenNote>);
        log_format::about(id.shared(), || {
            // Public documents that every verifier reads: told where somebody asks for it, as they would drown the rest.
            if self.status < 400 && documents::is_document(self.route) {
                access_line!(DEBUG, self, note);
            } else {
                access_line!(INFO, self, note);
            }
        });
    }
}

/// An answer, or why there is none, for the metrics and the access line.
pub(super) fn observed<B>(
    observer: &Observer,
    method: &Method,
    (id, address): (&RequestId, &str),
    started: Instant,
    result: &Result<ServiceResponse<B>, Error>,
) {
    let duration = started.elapsed();
    let mut answered = Answered {
        method: method.as_str(),
        route: "failed",
        status: 0,
        duration,
        tenant: "",
        address: &address,
    };
    match result {
        Ok(response) => {
            let request = response.request();
            let notes = request.extensions();
            let known = notes.get::<Seen>().and_then(|seen| seen.route.get());
            // To be searched for once more, so only where nobody has said it.
            let pattern = known.is_none().then(|| request.match_pattern()).flatten();
            answered.status = response.status().as_u16();
            answered.route = known.or(pattern.as_deref()).unwrap_or("unmatched");
            answered.tenant = match notes.get::<TenantAt>() {
                Some(at) => at.tenant.slug().as_str(),
                None => notes.get::<TenantNote>().map_or("", |note| &note.0),
            };
            observer.count(&answered);
            answered.log(id, Some(&notes));
        }
        Err(error) => {
            answered.status = error.as_response_error().status_code().as_u16();
            observer.count(&answered);
            answered.log(id, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::HttpResponse;
    use actix_web::error::ErrorNotFound;
    use actix_web::test::TestRequest;

    fn observer(trusted: &str) -> (Observer, Arc<Metrics>) {
        let config = Config::from_toml(&format!("trusted_proxies = ['{trusted}']")).unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        (
            Observer::new(&config, Clock::system(), Arc::clone(&metrics)),
            metrics,
        )
    }

    /// The request's id and its sender's address, in our opinion.
    fn seen(trusted: &str, sent_id: &str) -> (String, String) {
        let (observer, _) = observer(trusted);
        let request = TestRequest::get()
            .uri("/page")
            .peer_addr("10.0.0.1:9".parse().unwrap())
            .insert_header(("x-forwarded-for", "192.0.2.7"))
            .insert_header(("x-request-id", sent_id))
            .to_srv_request();
        let client = observer.client(&request);
        let id = observer.request_id(&request, &client);
        (id.as_str().to_owned(), client.address.to_string())
    }

    #[test]
    fn a_trusted_proxy_s_id_and_address_are_taken() {
        let (id, address) = seen("10.0.0.0/8", "proxy-made_id.1");
        assert_eq!(
            (id.as_str(), address.as_str()),
            ("proxy-made_id.1", "192.0.2.7")
        );
    }

    #[test]
    fn a_stranger_s_id_is_replaced() {
        let (id, address) = seen("172.16.0.0/12", "proxy-made_id.1");
        assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 7);
        assert_eq!(address, "10.0.0.1");
    }

    #[test]
    fn an_id_unfit_to_be_logged_is_replaced() {
        let long = "x".repeat(65);
        for unfit in ["short", "with space in it", "quote\"quote", "", &long] {
            let (id, _) = seen("10.0.0.0/8", unfit);
            assert!(uuid::Uuid::parse_str(&id).is_ok(), "{unfit}");
        }
    }

    /// Observes an answer to a request, or its failure.
    fn answer(
        observer: &Observer,
        note: impl FnOnce(&HttpRequest),
        response: Result<HttpResponse, Error>,
    ) {
        let request = TestRequest::get()
            .uri("/t/acme/page?code=secret")
            .insert_header(("authorization", "Bearer secret"))
            .to_srv_request();
        let client = observer.client(&request);
        let id = observer.request_id(&request, &client);
        request
            .extensions_mut()
            .insert(Seen::new(client, id.clone()));
        note(request.request());
        let result = response.map(|response| request.into_response(response));
        let method = Method::GET;
        let address = client.address.to_string();
        observed(observer, &method, (&id, &address), Instant::now(), &result);
    }

    #[test]
    fn a_busy_endpoint_s_route_is_what_the_router_would_say() {
        for (path, route, _) in BUSY {
            assert_eq!(route, format!("/tenant{path}"));
            assert_eq!(busy_route(path), Some(route));
        }
        assert_eq!(busy_route("/login"), None);
    }

    #[test]
    fn requests_are_counted_by_route() {
        let (observer, metrics) = observer("10.0.0.0/8");
        answer(
            &observer,
            |request| note_route(request, "/issuer/token"),
            Ok(HttpResponse::ServiceUnavailable().finish()),
        );
        answer(&observer, |_| (), Ok(HttpResponse::NotFound().finish()));
        answer(&observer, |_| (), Err(ErrorNotFound("nothing")));
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        for labels in [
            r#"route="/issuer/token",status="503""#,
            r#"route="unmatched",status="4xx""#,
            r#"route="failed",status="4xx""#,
        ] {
            assert!(text.contains(labels), "{labels}\n{text}");
        }
        assert!(!text.contains("secret") && !text.contains("acme"));
    }

    /// What would have been written to standard error.
    #[derive(Clone, Default)]
    struct Written(Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The access line of an answer with these notes, as JSON, and whether there is one.
    fn line(note: impl FnOnce(&HttpRequest), level: &str) -> Option<serde_json::Value> {
        let written = Written::default();
        let sink = written.clone();
        let targets: Targets = level.parse().unwrap();
        let lines = lines(LogFormat::Json, move || sink.clone()).with_filter(targets);
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines));
        let (observer, _) = observer("10.0.0.0/8");
        answer(&observer, note, Ok(HttpResponse::Ok().finish()));
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("secret"), "{text}");
        text.lines()
            .next()
            .map(|line| serde_json::from_str(line).unwrap())
    }

    #[test]
    fn the_access_line_names_the_tenant_and_hides_the_query() {
        let line = line(
            |request| {
                note_tenant(request, "acme");
                note_route(request, "/tenant/token");
                note_tokens(request, "a-client".into(), "client_credentials");
            },
            "info",
        )
        .unwrap();
        assert_eq!(line["target"], "tessera::access");
        assert_eq!(line["route"], "/tenant/token");
        assert_eq!(
            (&line["tenant"], &line["status"], &line["method"]),
            (&"acme".into(), &200.into(), &"GET".into())
        );
        assert_eq!(
            (&line["client"], &line["grant_type"]),
            (&"a-client".into(), &"client_credentials".into())
        );
        assert!(line["request"].is_string() && line["milliseconds"].is_f64());
    }

    #[test]
    fn a_panic_is_a_line_like_any_other() {
        let written = Written::default();
        let sink = written.clone();
        let lines = lines(LogFormat::Json, move || sink.clone());
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines));
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(tell_of_panic));
        let ended = std::panic::catch_unwind(|| panic!("it can't \"be\""));
        std::panic::set_hook(usual);
        assert!(ended.is_err());
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        let message = line["message"].as_str().unwrap();
        assert_eq!(line["level"], "ERROR", "{text}");
        assert!(
            message.starts_with("panicked at src/http/telemetry.rs:")
                && message.ends_with(": it can't \"be\""),
            "{text}"
        );
    }

    #[test]
    fn public_documents_are_told_to_whoever_asks() {
        let keys = |request: &HttpRequest| note_route(request, "/tenant/jwks");
        assert!(line(keys, "info").is_none());
        assert!(line(keys, "debug").is_some_and(|line| line["client"].is_null()));
    }
}
