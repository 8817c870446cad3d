//! The application: its listener, its routes, and what its handlers share.

use std::io;
use std::net::{SocketAddr, TcpListener};

use actix_web::dev::Server;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::DefaultHeaders;
use actix_web::{App, HttpResponse, HttpServer, web};
use url::Url;

use super::problem::Problem;
use super::provider::Provider;
use super::session::Sessions;
use super::{api, connect, relying_party};
use crate::clock::Clock;
use crate::secret::PlainSecret;

const STYLESHEET: &str = include_str!("../../../../static/demo.css");

/// What the application knows of a tenant.
#[derive(Clone, Debug)]
pub struct DemoTenant {
    /// Names it in the application's own addresses.
    pub slug: String,
    /// Names it to people.
    pub name: String,
    /// Its issuer, without a trailing slash.
    pub issuer: String,
    /// The application's client there.
    pub client_id: String,
    /// The client's secret; none for a public client.
    pub client_secret: Option<PlainSecret>,
    /// The resource identifier of this tenant's part of the demo API, which its tokens must have for audience.
    pub audience: String,
    /// The scope that the demo API asks for.
    pub api_scope: String,
}

/// The application, with its address already taken, so that clients can be made for it before it is served.
pub struct DemoApp {
    listener: TcpListener,
    address: SocketAddr,
    url: String,
}

impl DemoApp {
    /// Takes the address; with port 0 the system chooses one.
    pub fn bind(listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        let address = listener.local_addr()?;
        let host = if address.ip().is_loopback() || address.ip().is_unspecified() {
            "localhost".to_owned()
        } else {
            SocketAddr::new(address.ip(), 0)
                .to_string()
                .trim_end_matches(":0")
                .to_owned()
        };
        Ok(Self {
            listener,
            address,
            url: format!("http://{host}:{}", address.port()),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its start page, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The redirect URI of the client at this tenant: each tenant has its own, so that answers can't be mixed up.
    pub fn redirect_uri(&self, slug: &str) -> String {
        redirect_uri(&self.url, slug)
    }

    /// Where signing out leads back to.
    pub fn post_logout_redirect_uri(&self, slug: &str) -> String {
        post_logout_redirect_uri(&self.url, slug)
    }

    /// Serves it; the server runs when it is awaited or spawned, and leaves signals to others.
    pub fn serve(self, tenants: Vec<DemoTenant>, clock: Clock) -> io::Result<Server> {
        let sessions = Sessions::new(clock.clone());
        let url = self.url;
        let policy = content_security_policy(&tenants);
        let app = move || {
            // The HTTP client belongs to its thread, so the state is made in each.
            let state = State::new(url.clone(), &tenants, clock.clone(), sessions.clone());
            let headers = DefaultHeaders::new()
                .add((CONTENT_SECURITY_POLICY, policy.clone()))
                .add((CACHE_CONTROL, "no-store"))
                .add((REFERRER_POLICY, "no-referrer"))
                .add((X_CONTENT_TYPE_OPTIONS, "nosniff"));
            App::new()
                .app_data(web::Data::new(state))
                .wrap(headers)
                .route("/", web::get().to(relying_party::start))
                .route("/demo.css", web::get().to(stylesheet))
                .route("/sign-in/{slug}", web::get().to(relying_party::sign_in))
                .route("/callback/{slug}", web::get().to(relying_party::callback))
                .route(
                    "/signed-out/{slug}",
                    web::get().to(relying_party::signed_out),
                )
                .route("/tenant/{slug}", web::get().to(relying_party::tenant))
                .route(
                    "/tenant/{slug}/refresh",
                    web::post().to(relying_party::refresh),
                )
                .route(
                    "/tenant/{slug}/sign-out",
                    web::post().to(relying_party::sign_out),
                )
                .route("/tenant/{slug}/call/{target}", web::post().to(api::call))
                .route("/api/{slug}/hello", web::get().to(api::hello))
                .default_service(web::to(|| async { Problem::NotFound.page() }))
        };
        Ok(HttpServer::new(app)
            .workers(1)
            .disable_signals()
            .listen(self.listener)?
            .run())
    }
}

async fn stylesheet() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .body(STYLESHEET)
}

/// Forms may lead to this application and, by redirect, to the issuers where people sign out.
fn content_security_policy(tenants: &[DemoTenant]) -> String {
    let mut targets: Vec<String> = tenants
        .iter()
        .filter_map(|tenant| Url::parse(&tenant.issuer).ok())
        .map(|url| url.origin().ascii_serialization())
        .collect();
    targets.sort();
    targets.dedup();
    format!(
        "default-src 'none'; style-src 'self'; form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
        targets.join(" ")
    )
}

fn redirect_uri(url: &str, slug: &str) -> String {
    format!("{url}/callback/{slug}")
}

fn post_logout_redirect_uri(url: &str, slug: &str) -> String {
    format!("{url}/signed-out/{slug}")
}

/// What the handlers share.
pub(super) struct State {
    pub(super) url: String,
    pub(super) clock: Clock,
    pub(super) sessions: Sessions,
    pub(super) tenants: Vec<Tenant>,
    pub(super) http: awc::Client,
}

/// A tenant and what was learnt of its issuer.
pub(super) struct Tenant {
    pub(super) known: DemoTenant,
    pub(super) provider: Provider,
}

impl State {
    fn new(url: String, tenants: &[DemoTenant], clock: Clock, sessions: Sessions) -> Self {
        let http = connect::client();
        let tenant = |known: &DemoTenant| Tenant {
            known: known.clone(),
            provider: Provider::new(known.issuer.clone(), http.clone()),
        };
        Self {
            url,
            clock,
            sessions,
            tenants: tenants.iter().map(tenant).collect(),
            http,
        }
    }

    pub(super) fn tenant(&self, slug: &str) -> Result<&Tenant, Problem> {
        self.tenants
            .iter()
            .find(|tenant| tenant.known.slug == slug)
            .ok_or(Problem::NotFound)
    }

    /// The tenant whose API shows what happens to a stranger's token.
    pub(super) fn other_than(&self, slug: &str) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.known.slug != slug)
    }

    pub(super) fn redirect_uri(&self, slug: &str) -> String {
        redirect_uri(&self.url, slug)
    }

    pub(super) fn post_logout_redirect_uri(&self, slug: &str) -> String {
        post_logout_redirect_uri(&self.url, slug)
    }

    /// The address of a tenant's part of the API.
    pub(super) fn api_url(&self, slug: &str) -> String {
        format!("{}/api/{slug}/hello", self.url)
    }
}
