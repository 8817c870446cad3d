//! The application against an issuer of the tests' own, which signs what a test tells it to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{DemoApp, DemoTenant};
use crate::clock::{Clock, ClockControl};
use crate::jose::half_hash::half_hash;
use crate::jose::keys::{RsaBits, SigningKey};
use crate::protocol::algorithm::SigningAlgorithm;
use crate::secret::PlainSecret;

/// What an authorization request asked, kept in the code; and what the issuer is to do wrong.
type Asked = HashMap<String, String>;

struct Issuer {
    url: String,
    key: SigningKey,
    clock: Clock,
    flaw: &'static str,
}

impl Issuer {
    fn issuer(&self, slug: &str) -> String {
        format!("{}/t/{slug}", self.url)
    }

    fn tokens(&self, slug: &str, client_id: &str, asked: &Asked) -> Value {
        let now = self.clock.unix();
        let flawed = |flaw: &str, wrong: &str, right: &str| {
            if self.flaw == flaw {
                wrong.to_owned()
            } else {
                right.to_owned()
            }
        };
        let access_token = json!({
            "iss": self.issuer(slug), "aud": asked["resource"], "sub": "person-1", "client_id": client_id, "tenant": slug,
            "scope": asked["scope"], "iat": now, "exp": now + 300, "jti": "1",
        });
        let access_token = self.key.sign_jwt("at+jwt", &access_token).unwrap();
        let id_token = json!({
            "iss": flawed("iss", "https://evil.example", &self.issuer(slug)), "aud": flawed("aud", "another-client", client_id), "sub": "person-1",
            "nonce": flawed("nonce", "stale", &asked["nonce"]), "iat": now, "exp": if self.flaw == "exp" { now - 60 } else { now + 300 },
            "at_hash": half_hash(SigningAlgorithm::Es256, &flawed("at_hash", "another", &access_token)), "name": "Alice <script>",
        });
        json!({"access_token": access_token, "id_token": self.key.sign_jwt("JWT", &id_token).unwrap(), "token_type": "Bearer", "expires_in": 300,
            "refresh_token": URL_SAFE_NO_PAD.encode(serde_json::to_vec(asked).unwrap())})
    }
}

async fn discovery(issuer: web::Data<Issuer>, slug: web::Path<String>) -> HttpResponse {
    let url = issuer.issuer(&slug);
    HttpResponse::Ok().json(json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/jwks"),
        "end_session_endpoint": format!("{url}/logout"), "authorization_response_iss_parameter_supported": true,
    }))
}

async fn jwks(issuer: web::Data<Issuer>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"keys": [issuer.key.public_jwk()]}))
}

async fn token(
    issuer: web::Data<Issuer>,
    slug: web::Path<String>,
    form: web::Form<Asked>,
    request: HttpRequest,
) -> HttpResponse {
    let basic = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let client_id = format!("client of {slug}");
    let encoded = client_id.replace(' ', "+");
    assert_eq!(
        basic,
        format!(
            "Basic {}",
            STANDARD.encode(format!("{encoded}:secret%2F%3A"))
        )
    );
    let held = form.get("code").or(form.get("refresh_token")).unwrap();
    let asked: Asked = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(held).unwrap()).unwrap();
    if form["grant_type"] == "authorization_code" {
        assert_eq!(form["redirect_uri"], asked["redirect_uri"]);
        assert_eq!(
            URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"])),
            asked["code_challenge"]
        );
    } else if issuer.flaw == "refresh" {
        return HttpResponse::BadRequest()
            .json(json!({"error": "invalid_grant", "error_description": "the grant has ended"}));
    }
    HttpResponse::Ok().json(issuer.tokens(&slug, &client_id, &asked))
}

/// The application, the issuer, and a browser that follows redirects only when told.
struct World {
    url: String,
    issuer: Arc<Issuer>,
    control: ClockControl,
    http: awc::Client,
    cookie: String,
}

struct Page {
    status: u16,
    location: String,
    text: String,
}

impl World {
    fn new(flaw: &'static str) -> Self {
        let (clock, control) = Clock::adjustable();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = std::net::TcpListener::bind(any).unwrap();
        let key = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::new(2048).unwrap())
            .unwrap()
            .key;
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let issuer = Arc::new(Issuer {
            url,
            key,
            clock: clock.clone(),
            flaw,
        });
        let data = web::Data::from(Arc::clone(&issuer));
        let app = move || {
            App::new()
                .app_data(data.clone())
                .route(
                    "/t/{slug}/.well-known/openid-configuration",
                    web::get().to(discovery),
                )
                .route("/t/{slug}/jwks", web::get().to(jwks))
                .route("/t/{slug}/token", web::post().to(token))
        };
        actix_web::rt::spawn(
            HttpServer::new(app)
                .workers(1)
                .disable_signals()
                .listen(listener)
                .unwrap()
                .run(),
        );

        let demo = DemoApp::bind(any).unwrap();
        let url = demo.url().to_owned();
        let tenant = |(slug, name): (&str, &str)| DemoTenant {
            slug: slug.to_owned(),
            name: name.to_owned(),
            issuer: issuer.issuer(slug),
            client_id: format!("client of {slug}"),
            client_secret: Some(PlainSecret::new("secret/:".to_owned())),
            audience: format!("https://api.example/{slug}"),
            api_scope: "hello".to_owned(),
        };
        let tenants = [("acme", "Acme"), ("globex", "Globex")]
            .map(tenant)
            .to_vec();
        actix_web::rt::spawn(demo.serve(tenants, clock).unwrap());
        let http = awc::Client::builder().disable_redirects().finish();
        Self {
            url,
            issuer,
            control,
            http,
            cookie: String::new(),
        }
    }

    async fn send(&mut self, request: awc::ClientRequest, form: Option<&[(&str, &str)]>) -> Page {
        let request = request.insert_header(("cookie", self.cookie.clone()));
        let sent = match form {
            Some(form) => request.send_form(&form).await,
            None => request.send().await,
        };
        let mut answer = sent.unwrap();
        if let Some(set) = answer
            .headers()
            .get("set-cookie")
            .and_then(|value| value.to_str().ok())
        {
            assert!(
                set.contains("HttpOnly") && set.contains("SameSite=Lax"),
                "{set}"
            );
            set.split(';').next().unwrap().clone_into(&mut self.cookie);
        }
        let location = answer
            .headers()
            .get("location")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let text = String::from_utf8(answer.body().await.unwrap().to_vec()).unwrap();
        Page {
            status: answer.status().as_u16(),
            location,
            text,
        }
    }

    async fn get(&mut self, path: &str) -> Page {
        let request = self.http.get(format!("{}{path}", self.url));
        self.send(request, None).await
    }

    /// Presses the button of the form that posts to `path`.
    async fn press(&mut self, slug: &str, path: &str) -> Page {
        let page = self.get(&format!("/tenant/{slug}")).await.text;
        let csrf = page
            .split(r#"name="csrf" value=""#)
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap()
            .to_owned();
        let request = self.http.post(format!("{}/tenant/{slug}/{path}", self.url));
        self.send(request, Some(&[("csrf", &csrf)])).await
    }

    /// Begins a sign-in; what the issuer was asked.
    async fn begin(&mut self, slug: &str) -> Asked {
        let page = self.get(&format!("/sign-in/{slug}")).await;
        assert_eq!(page.status, 303, "{}", page.text);
        let location = Url::parse(&page.location).unwrap();
        assert!(
            page.location
                .starts_with(&format!("{}/authorize?", self.issuer.issuer(slug)))
        );
        location.query_pairs().into_owned().collect()
    }

    /// The issuer's answer to what it was asked.
    async fn answer(&mut self, slug: &str, asked: &Asked, iss: &str) -> Page {
        let code = URL_SAFE_NO_PAD.encode(serde_json::to_vec(asked).unwrap());
        let mut url = Url::parse(&format!("{}/callback/{slug}", self.url)).unwrap();
        url.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &asked["state"])
            .append_pair("iss", iss);
        let request = self.http.get(url.as_str());
        self.send(request, None).await
    }

    async fn sign_in(&mut self, slug: &str) -> Page {
        let asked = self.begin(slug).await;
        let iss = self.issuer.issuer(slug);
        self.answer(slug, &asked, &iss).await
    }

    async fn api(&mut self, slug: &str, token: Option<&str>) -> (u16, Value) {
        let request = self.http.get(format!("{}/api/{slug}/hello", self.url));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let page = self.send(request, None).await;
        (page.status, serde_json::from_str(&page.text).unwrap())
    }

    fn access_token(&self, slug: &str, change: impl Fn(&mut Map<String, Value>)) -> String {
        let now = self.issuer.clock.unix();
        let claims = json!({
            "iss": self.issuer.issuer(slug), "aud": format!("https://api.example/{slug}"), "sub": "s", "client_id": "c", "tenant": slug,
            "scope": "hello", "iat": now, "exp": now + 300,
        });
        let Value::Object(mut claims) = claims else {
            unreachable!()
        };
        change(&mut claims);
        self.issuer.key.sign_jwt("at+jwt", &claims).unwrap()
    }
}

#[actix_web::test]
async fn a_person_signs_in_with_two_tenants_side_by_side() {
    let mut world = World::new("");
    let start = world.get("/").await.text;
    assert!(start.contains(r#"id="signin-acme""#) && start.contains(r#"id="signin-globex""#));

    let asked = world.begin("acme").await;
    assert_eq!(
        (
            asked["response_type"].as_str(),
            asked["code_challenge_method"].as_str()
        ),
        ("code", "S256")
    );
    assert_eq!(asked["scope"], "openid profile email offline_access hello");
    let before = world.cookie.clone();
    let iss = world.issuer.issuer("acme");
    let page = world.answer("acme", &asked, &iss).await;
    assert_eq!(
        (page.status, page.location.as_str()),
        (303, "/tenant/acme"),
        "{}",
        page.text
    );
    assert_ne!(world.cookie, before, "the session is renamed at sign-in");
    assert_eq!(world.sign_in("globex").await.location, "/tenant/globex");

    let acme = world.get("/tenant/acme").await.text;
    assert!(
        acme.contains(r#"<pre id="claims""#) && acme.contains("Alice &#60;script&#62;"),
        "{acme}"
    );
    assert!(world.get("/tenant/globex").await.text.contains("Globex"));
    let start = world.get("/").await.text;
    assert!(start.contains(r#"id="open-acme""#) && start.contains(r#"id="open-globex""#));

    // The answer counts once.
    let again = world.answer("acme", &asked, &iss).await;
    assert!(again.text.contains(r#"data-error="unknown_state""#));
}

#[actix_web::test]
async fn the_token_opens_its_own_tenant_s_api_and_no_other() {
    let mut world = World::new("");
    world.sign_in("acme").await;
    assert_eq!(
        world.press("acme", "call/own").await.location,
        "/tenant/acme#api"
    );
    let page = world.get("/tenant/acme").await.text;
    assert!(
        page.contains(r#"data-status="200""#) && page.contains("Hello from Acme."),
        "{page}"
    );
    world.press("acme", "call/other").await;
    let page = world.get("/tenant/acme").await.text;
    assert!(
        page.contains(r#"data-status="401""#) && page.contains("invalid_token"),
        "{page}"
    );
    assert!(page.contains("/t/acme, and only http"), "{page}");
}

#[actix_web::test]
async fn the_api_checks_everything() {
    let mut world = World::new("");
    let good = world.access_token("acme", |_| {});
    assert_eq!(world.api("acme", Some(&good)).await.0, 200);
    assert_eq!(world.api("acme", None).await.1["error"], "missing_token");
    assert_eq!(
        world.api("nobody", Some(&good)).await.1["error"],
        "tenant_not_found"
    );
    let id_token = world
        .issuer
        .key
        .sign_jwt("JWT", &json!({"iss": world.issuer.issuer("acme")}))
        .unwrap();
    let stranger = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::new(2048).unwrap())
        .unwrap()
        .key;
    let forged = stranger
        .sign_jwt("at+jwt", &json!({"iss": world.issuer.issuer("acme")}))
        .unwrap();
    let refused = [
        world.access_token("globex", |_| {}),
        world.access_token("acme", |claims| {
            drop(claims.insert("aud".to_owned(), json!("https://api.example/globex")));
        }),
        world.access_token("acme", |claims| {
            drop(claims.insert("tenant".to_owned(), json!("globex")));
        }),
        world.access_token("acme", |claims| drop(claims.remove("exp"))),
        id_token,
        forged,
        "nonsense".to_owned(),
    ];
    for token in refused {
        let (status, body) = world.api("acme", Some(&token)).await;
        assert_eq!(
            (status, &body["error"]),
            (401, &json!("invalid_token")),
            "{token}"
        );
        assert_eq!(body["tenant"], "acme");
    }
    let narrow = world.access_token("acme", |claims| {
        drop(claims.insert("scope".to_owned(), json!("openid hello:other")));
    });
    let (status, body) = world.api("acme", Some(&narrow)).await;
    assert_eq!(
        (status, &body["error"]),
        (403, &json!("insufficient_scope"))
    );
    world.control.advance(Duration::from_secs(400));
    assert_eq!(world.api("acme", Some(&good)).await.0, 401);
}

#[actix_web::test]
async fn id_tokens_that_are_not_for_this_sign_in_are_refused() {
    for flaw in ["iss", "aud", "nonce", "exp", "at_hash"] {
        let mut world = World::new(flaw);
        let page = world.sign_in("acme").await;
        assert!(
            page.text.contains(r#"data-error="id_token""#),
            "{flaw}: {}",
            page.text
        );
        assert_eq!(
            world.get("/tenant/acme").await.location,
            "/",
            "{flaw}: nobody is signed in"
        );
    }
}

#[actix_web::test]
async fn answers_that_were_not_asked_for_are_refused() {
    let mut world = World::new("");
    let asked = world.begin("acme").await;
    let (acme, globex) = (world.issuer.issuer("acme"), world.issuer.issuer("globex"));
    let elsewhere = world.answer("globex", &asked, &globex).await;
    assert!(elsewhere.text.contains(r#"data-error="unknown_state""#));
    let mixed_up = world.answer("acme", &asked, &globex).await;
    assert!(mixed_up.text.contains(r#"data-error="wrong_issuer""#));

    let asked = world.begin("acme").await;
    let own = std::mem::take(&mut world.cookie);
    let stranger = world.answer("acme", &asked, &acme).await;
    assert!(stranger.text.contains(r#"data-error="unknown_state""#));
    world.cookie = own;
    let denied = world
        .get(&format!(
            "/callback/acme?error=access_denied&error_description=%3Cb%3E&state={}&iss={acme}",
            asked["state"]
        ))
        .await;
    assert!(denied.text.contains(r#"data-error="refused""#) && !denied.text.contains("<b>"));
}

#[actix_web::test]
async fn tokens_are_refreshed_until_the_grant_ends() {
    let mut world = World::new("");
    world.sign_in("acme").await;
    world.control.advance(Duration::from_secs(400));
    assert_eq!(
        world.press("acme", "refresh").await.location,
        "/tenant/acme"
    );
    assert!(
        world
            .get("/tenant/acme")
            .await
            .text
            .contains("You have a new access token.")
    );
    world.press("acme", "call/own").await;
    assert!(
        world
            .get("/tenant/acme")
            .await
            .text
            .contains(r#"data-status="200""#)
    );

    let mut ended = World::new("refresh");
    ended.sign_in("acme").await;
    assert_eq!(ended.press("acme", "refresh").await.location, "/");
    assert!(ended.get("/").await.text.contains("the grant has ended"));
}

#[actix_web::test]
async fn signing_out_leads_through_the_issuer_and_back() {
    let mut world = World::new("");
    world.sign_in("acme").await;
    world.sign_in("globex").await;
    let request = world
        .http
        .post(format!("{}/tenant/acme/sign-out", world.url));
    assert_eq!(
        world
            .send(request, Some(&[("csrf", "guessed")]))
            .await
            .status,
        403
    );
    let page = world.press("acme", "sign-out").await;
    let location = Url::parse(&page.location).unwrap();
    let asked: Asked = location.query_pairs().into_owned().collect();
    assert!(
        page.location
            .starts_with(&format!("{}/logout?", world.issuer.issuer("acme")))
    );
    assert!(!asked["id_token_hint"].is_empty());
    assert_eq!(
        asked["post_logout_redirect_uri"],
        format!("{}/signed-out/acme", world.url)
    );
    assert_eq!(
        world
            .get(&format!("/signed-out/acme?state={}", asked["state"]))
            .await
            .location,
        "/"
    );
    let start = world.get("/").await.text;
    assert!(
        start.contains("You are signed out of Acme.")
            && start.contains(r#"id="signin-acme""#)
            && start.contains(r#"id="open-globex""#)
    );
}

#[actix_web::test]
async fn an_issuer_that_is_away_is_named() {
    let demo = DemoApp::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    assert_eq!(
        demo.redirect_uri("acme"),
        format!("{}/callback/acme", demo.url())
    );
    let url = demo.url().to_owned();
    let tenant = DemoTenant {
        slug: "acme".to_owned(),
        name: "Acme".to_owned(),
        issuer: "http://localhost:9/t/acme".to_owned(),
        client_id: "c".to_owned(),
        client_secret: None,
        audience: "a".to_owned(),
        api_scope: "hello".to_owned(),
    };
    actix_web::rt::spawn(demo.serve(vec![tenant], Clock::system()).unwrap());
    let mut answer = awc::Client::default()
        .get(format!("{url}/sign-in/acme"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 502);
    assert!(
        answer
            .headers()
            .get("content-security-policy")
            .unwrap()
            .to_str()
            .unwrap()
            .contains("form-action 'self' http://localhost:9;")
    );
    let text = String::from_utf8(answer.body().await.unwrap().to_vec()).unwrap();
    assert!(
        text.contains(r#"data-error="issuer_unreachable""#)
            && text.contains("http://localhost:9/t/acme")
    );
}
