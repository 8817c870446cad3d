//! Logs: their set-up, a request id for each request, and one access line for each answer.
//!
//! The access line holds what helps an operator and nothing that a thief could use: the route's pattern instead of the path and query, no
//! header, no body.

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest, web};
use tracing::Instrument as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

use super::metrics::Metrics;
use crate::clock::Clock;
use crate::config::{Client, Config, ForwardedHeader, LogFilter, LogFormat, TrustedProxies};

/// The header that carries the request id both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Sends log lines to standard error, as standard output belongs to what a command prints. For `main`, once; later calls change nothing.
pub fn init(format: LogFormat, filter: &LogFilter) {
    let targets: Targets = filter.as_str().parse().unwrap_or_default();
    let lines = lines(format, std::io::stderr);
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(targets))
        .try_init();
}

/// The form of the lines, wherever they go.
fn lines<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> fmt::MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
        LogFormat::Human => lines.with_ansi(is_terminal()).boxed(),
    }
}

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none()
}

/// What [`observe`] needs; part of the application's data.
pub struct Observer {
    clock: Clock,
    metrics: Arc<Metrics>,
    proxies: TrustedProxies,
    forwarded_header: ForwardedHeader,
}

impl Observer {
    /// As the settings say.
    pub fn new(config: &Config, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self {
            clock,
            metrics,
            proxies: config.trusted_proxies.clone(),
            forwarded_header: config.forwarded_header,
        }
    }

    fn client(&self, request: &ServiceRequest) -> Client {
        let unknown = IpAddr::from([0, 0, 0, 0]); // a Unix socket has no address
        let peer = request.peer_addr().map_or(unknown, |address| address.ip());
        self.proxies.client(peer, self.forwarded_header, |name| {
            request
                .headers()
                .get_all(name)
                .filter_map(|value| value.to_str().ok())
        })
    }

    fn request_id(&self, request: &ServiceRequest, client: &Client) -> RequestId {
        let sent = request
            .headers()
            .get(REQUEST_ID)
            .and_then(|value| value.to_str().ok());
        match sent.filter(|id| client.through_proxy && is_sane(id)) {
            Some(id) => RequestId(id.into()),
            None => RequestId(self.clock.uuid_v7().to_string().into()),
        }
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

    /// The id of a request that [`observe`] has seen; empty where it hasn't.
    pub fn of(request: &HttpRequest) -> Self {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self("".into()))
    }
}

impl FromRequest for RequestId {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// Who is at the other end of a request that [`observe`] has seen, as far as it can be believed.
pub fn client_of(request: &HttpRequest) -> Option<Client> {
    request.extensions().get::<Client>().copied()
}

/// The tenant's slug for the access line.
struct TenantNote(Box<str>);

/// The route for the access line and the metrics, where the pattern of the route table isn't it.
struct RouteNote(&'static str);

/// Tells the access line which tenant the request was for. To be called by what resolves tenants.
pub fn note_tenant(request: &HttpRequest, slug: &str) {
    request.extensions_mut().insert(TenantNote(slug.into()));
}

/// Tells the access line and the metrics the route, where it isn't matched by actix's own routing.
pub fn note_route(request: &HttpRequest, route: &'static str) {
    request.extensions_mut().insert(RouteNote(route));
}

/// The outermost middleware (`.wrap(from_fn(observe))`, with an [`Observer`] in the application's data): gives the request an id and its client,
/// runs it within a span, answers with the id, counts it and writes its access line.
pub async fn observe(
    observer: web::Data<Observer>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let client = observer.client(&request);
    let id = observer.request_id(&request, &client);
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(id.clone());
    let method = request.method().clone();
    let span = tracing::info_span!("request", id = id.as_str());
    let access = |status: u16, route: &str, tenant: &str| {
        let duration = started.elapsed();
        observer
            .metrics
            .request(route, method.as_str(), status, duration);
        let milliseconds = duration.as_secs_f64() * 1000.0;
        span.in_scope(|| {
            tracing::info!(
                target: "tessera::access",
                method = method.as_str(),
                route,
                status,
                milliseconds = (milliseconds * 1000.0).round() / 1000.0,
                tenant,
                client = %client.address,
                "answered"
            );
        });
    };
    match next.call(request).instrument(span.clone()).await {
        Ok(mut response) => {
            if let Ok(value) = HeaderValue::from_str(id.as_str()) {
                response.headers_mut().insert(REQUEST_ID, value);
            }
            let request = response.request();
            let notes = request.extensions();
            let pattern = request.match_pattern();
            let route = notes
                .get::<RouteNote>()
                .map(|note| note.0)
                .or(pattern.as_deref())
                .unwrap_or("unmatched");
            let tenant = notes.get::<TenantNote>().map_or("", |note| &note.0);
            access(response.status().as_u16(), route, tenant);
            drop(notes);
            Ok(response)
        }
        Err(error) => {
            access(
                error.as_response_error().status_code().as_u16(),
                "failed",
                "",
            );
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, HttpResponse};

    fn observer(trusted: &str) -> (web::Data<Observer>, Arc<Metrics>) {
        let config = Config::from_toml(&format!("trusted_proxies = ['{trusted}']")).unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        (
            web::Data::new(Observer::new(
                &config,
                Clock::system(),
                Arc::clone(&metrics),
            )),
            metrics,
        )
    }

    async fn page(request: HttpRequest, id: RequestId) -> HttpResponse {
        note_tenant(&request, "acme");
        let client = client_of(&request).unwrap();
        HttpResponse::Ok().body(format!("{} {}", id.as_str(), client.address))
    }

    /// The answered id, and the body.
    async fn ask(trusted: &str, sent_id: &str) -> (String, String) {
        let (observer, _) = observer(trusted);
        let app = App::new()
            .app_data(observer)
            .route("/page", web::get().to(page))
            .wrap(from_fn(observe));
        let app = init_service(app).await;
        let request = TestRequest::get()
            .uri("/page")
            .peer_addr("10.0.0.1:9".parse().unwrap())
            .insert_header(("x-forwarded-for", "192.0.2.7"))
            .insert_header(("x-request-id", sent_id));
        let response = call_service(&app, request.to_request()).await;
        let id = response
            .headers()
            .get(REQUEST_ID)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        (
            id,
            String::from_utf8(read_body(response).await.to_vec()).unwrap(),
        )
    }

    #[actix_web::test]
    async fn a_trusted_proxy_s_id_and_address_are_taken() {
        let (id, body) = ask("10.0.0.0/8", "proxy-made_id.1").await;
        assert_eq!(
            (id.as_str(), body.as_str()),
            ("proxy-made_id.1", "proxy-made_id.1 192.0.2.7")
        );
    }

    #[actix_web::test]
    async fn a_stranger_s_id_is_replaced() {
        let (id, body) = ask("172.16.0.0/12", "proxy-made_id.1").await;
        assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 7);
        assert_eq!(body, format!("{id} 10.0.0.1"));
    }

    #[actix_web::test]
    async fn an_id_unfit_to_be_logged_is_replaced() {
        let long = "x".repeat(65);
        for unfit in ["short", "with space in it", "quote\"quote", "", &long] {
            let (id, _) = ask("10.0.0.0/8", unfit).await;
            assert!(uuid::Uuid::parse_str(&id).is_ok(), "{unfit}");
        }
    }

    #[actix_web::test]
    async fn requests_are_counted_by_pattern() {
        let (observer, metrics) = observer("10.0.0.0/8");
        let routed = |request: HttpRequest| async move {
            note_route(&request, "/issuer/token");
            HttpResponse::ServiceUnavailable().finish()
        };
        let app = App::new()
            .app_data(observer)
            .route("/t/{tenant}/page", web::get().to(page))
            .route("/own", web::get().to(routed))
            .wrap(from_fn(observe));
        let app = init_service(app).await;
        for path in ["/t/acme/page?code=secret", "/own", "/no/such/path"] {
            call_service(&app, TestRequest::get().uri(path).to_request()).await;
        }
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        for labels in [
            r#"route="/t/{tenant}/page",status="2xx""#,
            r#"route="/issuer/token",status="5xx""#,
            r#"route="unmatched",status="4xx""#,
        ] {
            assert!(text.contains(labels), "{labels}\n{text}");
        }
        assert!(!text.contains("secret") && !text.contains("acme") && !text.contains("/no/such"));
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

    #[actix_web::test]
    async fn the_access_line_names_the_tenant_and_hides_the_query() {
        let written = Written::default();
        let sink = written.clone();
        let lines = lines(LogFormat::Json, move || sink.clone());
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines));
        let (observer, _) = observer("10.0.0.0/8");
        let app = App::new()
            .app_data(observer)
            .route("/t/{tenant}/page", web::get().to(page))
            .wrap(from_fn(observe));
        let app = init_service(app).await;
        let request = TestRequest::get()
            .uri("/t/acme/page?code=secret")
            .insert_header(("authorization", "Bearer secret"));
        call_service(&app, request.to_request()).await;
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let line = text
            .lines()
            .find(|line| line.contains("tessera::access"))
            .unwrap();
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["route"], "/t/{tenant}/page");
        assert_eq!(
            (&line["tenant"], &line["status"], &line["method"]),
            (&"acme".into(), &200.into(), &"GET".into())
        );
        assert!(line["span"]["id"].is_string() && line["milliseconds"].is_f64());
        assert!(!text.contains("secret"));
    }
}
