//! For every route and method a request that is wholly one tenant's own, and succeeds: what the cases take apart and mix. Pages give
//! their forms themselves, the API its operations.

use std::collections::BTreeMap;

use actix_web::http::Method;
use serde_json::{Value, json};

use super::cases::Kind;
use super::forms;
use super::marks::{Letter, SYSTEM, TENANTS, mark};
use super::routes::{METHODS, Route, find};
use super::world::{Side, World, password};
use crate::support::admin::{Admin, Described};
use crate::support::browser::Browser;
use crate::support::http::Answer;

/// What is sent along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Nothing,
    Form(Vec<(String, String)>),
    Json(String),
}

/// A request that is one tenant's own.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Below the issuer or the root, with its query.
    pub path: String,
    pub body: Body,
    pub if_match: Option<String>,
    /// With what it succeeds.
    pub twin: Kind,
    /// What it is answered with then; anything below 400 unless told.
    pub twin_status: Option<u16>,
}

/// Which request it is, the same for each tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub route: Route,
    pub method: String,
    /// Where a route has several.
    pub variant: String,
}

/// The requests of all three tenants.
pub struct Samples {
    pub of: BTreeMap<Letter, BTreeMap<Key, Sample>>,
}

impl Samples {
    /// Gathers them, and sees to it that no route and method is left out.
    pub async fn gather(world: &World, routes: &[Route]) -> Self {
        let mut of = BTreeMap::new();
        for letter in TENANTS {
            let mut gathering = Gathering {
                world,
                side: world.side(letter),
                routes,
                samples: BTreeMap::new(),
            };
            gathering.protocol();
            gathering.pages().await;
            gathering.console().await;
            gathering.api().await;
            gathering.root();
            of.insert(letter, gathering.samples);
        }
        let keys = |letter| -> Vec<&Key> { of[&letter].keys().collect() };
        assert_eq!(keys('a'), keys('b'));
        assert_eq!(keys('a'), keys('c'));
        for route in routes {
            for method in answered(world, route).await {
                let known = of[&'a']
                    .keys()
                    .any(|key| key.route == *route && key.method == method.as_str());
                assert!(known, "{method} {} has no cases", route.0);
            }
        }
        Self { of }
    }
}

/// The methods that a route answers, as it says itself.
async fn answered(world: &World, route: &Route) -> Vec<Method> {
    let side = world.side('a');
    let (base, path) = match route.below_issuer() {
        Some(path) => (side.tenant.issuer.as_str(), path),
        None => (world.app.root(), route.below_root().expect("a route")),
    };
    let path = filled(side, path);
    let mut methods = Vec::new();
    for method in METHODS {
        let request = world
            .app
            .http
            .request(method.clone(), &format!("{base}{path}"));
        let nowhere = route.0.contains("{tail") || route.0.contains("{name}");
        if request.send().await.status != 405 && (!nowhere || method == Method::GET) {
            methods.push(method);
        }
    }
    assert!(!methods.is_empty(), "{} answers nothing", route.0);
    methods
}

/// A path with a tenant's identifiers in the place of the names.
fn filled(side: &Side, pattern: &str) -> String {
    let mut section = "";
    let parts: Vec<_> = pattern.split('/').collect();
    let fill = |part: &&str, section: &str| -> String {
        match (*part, section) {
            ("{tenant}" | "{slug}", _) => side.id("tenant").to_owned(),
            ("{request}", _) => side.id("request").to_owned(),
            ("{token}", _) => side.held("link").to_owned(),
            ("{kind}", _) => "web".to_owned(),
            ("{name}" | "{tail:.*}", _) => "nothing".to_owned(),
            ("{client}", "consents") => side.id("consented").to_owned(),
            ("{id}", "users" | "administrators") => side.id("user").to_owned(),
            ("{id}", "clients") if pattern.ends_with("/try-it") => side.id("consented").to_owned(),
            ("{id}", "clients") => side.id("client").to_owned(),
            ("{id}", "registration-tokens") => side.id("spare_token").to_owned(),
            ("{id}", "external-subjects") => side.id("spare_name").to_owned(),
            ("{id}", "resources") => side.id("resource").to_owned(),
            ("{id}", "domains") => side.id("domain").to_owned(),
            ("{id}", "logout-deliveries") => side.id("logout_delivery").to_owned(),
            ("{id}", "audit") => side.id("event").to_owned(),
            (name, _) if name.starts_with('{') => side.id(name.trim_matches(['{', '}'])).to_owned(),
            (plain, _) => plain.to_owned(),
        }
    };
    let mut whole = Vec::new();
    for part in &parts {
        if !part.starts_with('{') {
            section = part;
        }
        whole.push(fill(part, section));
    }
    whole.join("/")
}

struct Gathering<'w> {
    world: &'w World,
    side: &'w Side,
    routes: &'w [Route],
    samples: BTreeMap<Key, Sample>,
}

fn form(fields: &[(&str, &str)]) -> Body {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Body::Form(fields.iter().map(owned).collect())
}

impl Gathering<'_> {
    fn add(&mut self, method: &Method, variant: &str, path: &str, body: Body, twin: Kind) {
        let whole = format!("/tenant{}", path.split('?').next().unwrap_or_default());
        self.add_at(&whole, method, variant, path, body, twin);
    }

    fn add_at(
        &mut self,
        whole: &str,
        method: &Method,
        variant: &str,
        path: &str,
        body: Body,
        twin: Kind,
    ) {
        let route = find(self.routes, whole).unwrap_or_else(|| panic!("no route is at {whole}"));
        let key = Key {
            route: route.clone(),
            method: method.to_string(),
            variant: variant.to_owned(),
        };
        self.samples.entry(key).or_insert(Sample {
            path: path.to_owned(),
            body,
            if_match: None,
            twin,
            twin_status: None,
        });
    }

    fn get(&mut self, variant: &str, path: &str, twin: Kind) {
        self.add(&Method::GET, variant, path, Body::Nothing, twin);
    }

    /// What programs send.
    #[expect(
        clippy::too_many_lines,
        reason = "a list of requests, which reads best whole"
    )]
    fn protocol(&mut self) {
        let side = self.side;
        for path in [
            "",
            "/",
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
            "/jwks",
            "/session/check",
            "/branding.css",
            "/favicon.ico",
        ] {
            self.get("", path, Kind::Nothing);
        }
        let redirect = side.web.client.redirect_uri().to_owned();
        let read = mark(side.letter, "read");
        let grants = [
            (
                "client credentials",
                form(&[("grant_type", "client_credentials"), ("scope", &read)]),
            ),
            (
                "code",
                form(&[
                    ("grant_type", "authorization_code"),
                    ("code", side.held("code")),
                    ("redirect_uri", &redirect),
                    ("code_verifier", &side.verifier),
                ]),
            ),
            (
                "refresh",
                form(&[
                    ("grant_type", "refresh_token"),
                    ("refresh_token", side.held("refresh")),
                ]),
            ),
            (
                "device",
                form(&[
                    ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                    ("device_code", side.held("device")),
                ]),
            ),
            (
                "ciba",
                form(&[
                    ("grant_type", "urn:openid:params:grant-type:ciba"),
                    ("auth_req_id", side.held("auth_req_id")),
                ]),
            ),
            (
                "exchange",
                form(&[
                    (
                        "grant_type",
                        "urn:ietf:params:oauth:grant-type:token-exchange",
                    ),
                    ("subject_token", side.held("jwt")),
                    (
                        "subject_token_type",
                        "urn:ietf:params:oauth:token-type:access_token",
                    ),
                ]),
            ),
        ];
        for (variant, body) in grants {
            self.add(&Method::POST, variant, "/token", body, Kind::Basic);
        }
        self.add(
            &Method::POST,
            "",
            "/device_authorization",
            form(&[("scope", &read)]),
            Kind::Basic,
        );
        for (variant, hint, whom) in [
            ("login", "login_hint", side.person.email.as_str()),
            ("id", "id_token_hint", side.held("id")),
        ] {
            self.add(
                &Method::POST,
                variant,
                "/backchannel_authentication",
                form(&[("scope", "openid"), (hint, whom)]),
                Kind::Basic,
            );
        }
        for token in ["jwt", "opaque", "refresh"] {
            let body = form(&[("token", side.held(token))]);
            self.add(
                &Method::POST,
                token,
                "/introspect",
                body.clone(),
                Kind::Basic,
            );
            self.add(&Method::POST, token, "/revoke", body, Kind::Basic);
        }
        self.get("", "/userinfo", Kind::Jwt);
        self.add(&Method::POST, "", "/userinfo", form(&[]), Kind::Jwt);
        let mut registration = json!({
            "client_name": mark(side.letter, "registering"),
            "redirect_uris": [format!("https://{}.example/callback", mark(side.letter, "registering"))],
        });
        self.add(
            &Method::POST,
            "",
            "/register",
            Body::Json(registration.to_string()),
            Kind::InitialAccess,
        );
        registration["client_id"] = side.id("client_id").into();
        let own = format!("/register/{}", side.id("client_id"));
        self.get("", &own, Kind::Registration);
        let body = Body::Json(registration.to_string());
        self.add(&Method::PUT, "", &own, body, Kind::Registration);
        self.add(&Method::DELETE, "", &own, Body::Nothing, Kind::Registration);
        let url = url::Url::parse(&side.web.authorization_url(&[])).expect("a URL");
        let query = url.query().expect("a query").to_owned();
        let fields: Vec<_> = url.query_pairs().into_owned().collect();
        self.get("", &format!("/authorize?{query}"), Kind::Session);
        let pushed = side.web.pushed_url(side.held("pushed"), &[]);
        self.get("pushed", &self.below_issuer(&pushed), Kind::Session);
        self.add(
            &Method::POST,
            "",
            "/par",
            Body::Form(fields.clone()),
            Kind::Basic,
        );
        self.add(
            &Method::POST,
            "",
            "/authorize",
            Body::Form(fields),
            Kind::Session,
        );
    }

    /// What people see.
    async fn pages(&mut self) {
        let side = self.side;
        let mut signed = side.browser.clone();
        // Nobody is signed in there; forms are made from the same seed, so that one cookie serves for all of them.
        let mut stranger = side.browser.clone();
        stranger.forget_all_but(&["tessera_csrf"], &side.tenant.issuer);
        let hint = format!(
            "/logout?id_token_hint={}&post_logout_redirect_uri={}",
            side.held("id"),
            side.web.client.metadata.post_logout_redirect_uris[0]
        );
        let mut opened = Vec::new();
        for prompt in ["consent", "select_account"] {
            let url = side.web.authorization_url(&[("prompt", prompt)]);
            opened.push((signed.open(&url).await, Kind::Session));
        }
        opened.push((
            stranger.open(&side.web.authorization_url(&[])).await,
            Kind::Csrf,
        ));
        for path in [
            "/account",
            "/account/password",
            "/account/sessions",
            "/account/applications",
            "/account/requests",
            "/logout",
        ] {
            opened.push((signed.open(&side.tenant.url(path)).await, Kind::Session));
        }
        let page = signed.open(&side.tenant.url("/device")).await;
        let code = [("user_code", side.held("user_code"))];
        opened.push((signed.submit(&page, &code).await, Kind::Session));
        opened.push((page, Kind::Session));
        let request = format!("/account/requests/{}", side.id("request"));
        opened.push((signed.open(&side.tenant.url(&request)).await, Kind::Session));
        let link = format!("/link/{}", side.held("link"));
        opened.push((stranger.open(&side.tenant.url(&link)).await, Kind::Csrf));
        for (page, twin) in opened {
            let path = self.below_issuer(page.url.as_str());
            assert_eq!(page.answer.status, 200, "{path}: {}", page.answer.body);
            self.get("", &path, twin);
            self.forms(&page.answer, twin);
        }
        self.get("hint", &hint, Kind::Session);
        self.get("plain", "/login", Kind::Nothing);
        let flow = format!("/authorize/continue?flow={}", side.held("flow"));
        self.get("", &flow, Kind::Session);
    }

    fn below_issuer(&self, url: &str) -> String {
        let below = |issuer: &str| url.strip_prefix(issuer).map(ToOwned::to_owned);
        below(&self.side.tenant.issuer)
            .or_else(|| below(&self.world.side(SYSTEM).tenant.issuer))
            .unwrap_or_else(|| panic!("{url} is nobody's"))
    }

    /// Takes the forms of a page, filled in as their tenant would.
    fn forms(&mut self, answer: &Answer, twin: Kind) {
        for posted in forms::posted(&answer.body) {
            let url = url::Url::parse(&self.side.tenant.issuer)
                .and_then(|issuer| issuer.join(&posted.action))
                .expect("an action");
            let path = self.below_issuer(url.as_str());
            let fields = posted
                .fields
                .into_iter()
                .map(|field| self.fill(&path, field));
            let body = Body::Form(fields.collect());
            self.add(&Method::POST, "", &path, body, twin);
        }
    }

    /// What somebody of the tenant would type into a field.
    fn fill(&self, path: &str, (name, value): (String, String)) -> (String, String) {
        let side = self.side;
        let m = |label: &str| mark(side.letter, label);
        let value = value.trim().to_owned();
        let word = match name.as_str() {
            "user_code" => side.held("user_code").to_owned(),
            "code" if value.is_empty() => "tr4m-linie-9".to_owned(),
            "username" if value.is_empty() => side.admin.email.clone(),
            "password" | "current_password" => password(side.letter),
            "new_password" | "confirm_password" => "another long enough passphrase".to_owned(),
            "email" if path.contains("/administrators") || path.contains("/external-subjects") => {
                side.person.email.clone()
            }
            "issuer" if value.is_empty() => format!("https://{}.example", m("idp")),
            // An issuer calls one person so.
            "subject" if path.contains("/tenants/") => m("operatorssubject"),
            "subject" if value.is_empty() => m("typedsubject"),
            "email" if value.is_empty() => format!("{}@{}.example", m("typed"), m("mail")),
            "identifier" if value.is_empty() => format!("https://{}.example", m("typedapi")),
            "scope" if path.contains("/resources") => m("typedscope"),
            "domain" if value.is_empty() => format!("https://{}.example", m("typeddomain")),
            "slug" if path.contains("/delete") => side.id("tenant").to_owned(),
            "slug" if value.is_empty() => m("typedslug"),
            "redirect_uris" if value.is_empty() => format!("https://{}.example/cb", m("typed")),
            "client_name" | "name" if value.is_empty() => m("typedname"),
            _ => value,
        };
        (name, word)
    }

    /// The console: the tenant's own, and the operators' view of it.
    async fn console(&mut self) {
        let (own, operator) = (
            self.side.browser.clone(),
            self.world.side(SYSTEM).browser.clone(),
        );
        let patterns: Vec<_> = self
            .routes
            .iter()
            .filter_map(|route| route.below_issuer())
            .filter(|path| path.starts_with("/console"))
            .map(ToOwned::to_owned)
            .collect();
        for pattern in &patterns {
            let by_operator = pattern.starts_with("/console/tenant");
            let (mut browser, twin) = if by_operator {
                (operator.clone(), Kind::OperatorConsole)
            } else {
                (own.clone(), Kind::Console)
            };
            for path in self.console_paths(pattern) {
                self.visit(&mut browser, &path, by_operator, twin).await;
            }
        }
        // What has a form nowhere at present (an open account isn't opened) is sent with nothing but its token.
        for pattern in &patterns {
            let path = filled(self.side, pattern);
            let route = Route(format!("/tenant{pattern}"));
            let twin = if pattern.starts_with("/console/tenant") {
                Kind::OperatorConsole
            } else {
                Kind::Console
            };
            if answered(self.world, &route).await.contains(&Method::POST) {
                self.add(&Method::POST, "", &path, form(&[("csrf", "")]), twin);
            }
        }
    }

    /// The addresses of a page of the console that are worth a look.
    fn console_paths(&self, pattern: &str) -> Vec<String> {
        let path = filled(self.side, pattern);
        let mut paths = vec![path.clone()];
        if pattern.ends_with("/domains/{id}") {
            paths.push(path.replace(self.side.id("domain"), self.side.id("verified")));
        }
        if pattern.ends_with("/users") {
            paths.push(format!("{path}?q=example"));
        }
        if pattern.ends_with("/open") {
            paths = vec![format!("{path}?tenant={}", self.side.id("tenant"))];
        }
        if pattern.ends_with("/callback") {
            let code = self.side.held("code");
            paths = vec![format!(
                "{path}?code={code}&state=x&iss={}",
                self.side.tenant.issuer
            )];
        }
        paths
    }

    async fn visit(&mut self, browser: &mut Browser, path: &str, by_operator: bool, twin: Kind) {
        let base = if by_operator {
            &self.world.side(SYSTEM).tenant.issuer
        } else {
            &self.side.tenant.issuer
        };
        let answer = browser.fetch(&format!("{base}{path}"), None).await;
        if answer.status == 405 {
            return;
        }
        let variant = path.split_once('?').map_or("", |(_, query)| {
            if query.starts_with("q=") {
                "search"
            } else {
                ""
            }
        });
        let variant = if path.contains(self.side.id("verified")) {
            "verified"
        } else {
            variant
        };
        self.get(variant, path, twin);
        let key = self
            .samples
            .keys()
            .find(|key| self.samples[*key].path == path && key.method == "GET")
            .cloned();
        let sample = self
            .samples
            .get_mut(&key.expect("just added"))
            .expect("a sample");
        if answer.status >= 400 {
            // An answer that nobody waits for.
            assert!(
                path.contains("callback"),
                "{path}: {} {}",
                answer.status,
                answer.body
            );
            sample.twin_status = Some(answer.status);
        }
        self.forms(&answer, twin);
    }

    /// The administration API.
    async fn api(&mut self) {
        let document = Admin::document(&self.world.app).await;
        for operation in Admin::operations(&document) {
            let path = format!("/api/v1{}", operation.path);
            let mut filled = filled(self.side, &path);
            if document["paths"][&operation.path][operation.method.as_str().to_lowercase()]["parameters"]
                .as_array()
                .is_some_and(|known| known.iter().any(|one| one["name"] == "user" && one["in"] == "query"))
            {
                filled = format!("{filled}?user={}", self.side.id("user"));
            }
            let has_role = operation
                .roles
                .as_ref()
                .is_some_and(|roles| !roles.is_empty());
            let twin = if has_role || operation.path == "/me" {
                Kind::Program
            } else {
                Kind::OperatorToken
            };
            if operation.path.ends_with("/set-canonical") {
                filled = filled.replace(self.side.id("domain"), self.side.id("verified"));
            }
            let body = self.document(&operation);
            self.add_at(
                &format!("/root{path}"),
                &operation.method,
                "",
                &filled,
                body,
                twin,
            );
            if operation.needs_version {
                let tag = self.world.api(self.world.side(SYSTEM).held("program"));
                let tag = tag
                    .get(filled.trim_start_matches("/api/v1"))
                    .await
                    .expect_ok();
                let tag = tag.header("etag").expect("a version").to_owned();
                for sample in self.samples.values_mut() {
                    if sample.path == filled && sample.if_match.is_none() {
                        sample.if_match = Some(tag.clone());
                    }
                }
            }
        }
    }

    /// What an operation takes; one that is new must be thought of here.
    fn document(&self, operation: &Described) -> Body {
        let m = |label: &str| mark(self.side.letter, label);
        let body: Value = match operation.id.as_str() {
            _ if !operation.takes_body => return Body::Nothing,
            "createTenant" => json!({ "slug": m("newslug"), "name": m("newname") }),
            "updateTenant" => json!({ "name": m("name") }),
            "updateSettings" => json!({ "lockout": { "attempts": 99 } }),
            "updateBranding" => json!({ "accent": "#175c6c" }),
            "createUser" => json!({ "email": format!("{}@{}.example", m("new"), m("mail")) }),
            "updateUser" => json!({ "claims": { "nickname": m("newnick") } }),
            "createClient" | "updateClient" => json!({
                "client_name": m("newclient"), "grant_types": ["client_credentials"], "response_types": [], "scope": m("read"),
            }),
            "createResource" => {
                json!({ "identifier": format!("https://{}.example", m("newapi")), "scopes": [{ "name": m("newscope") }] })
            }
            "updateResource" => json!({ "name": m("newresource") }),
            "createInitialAccessToken" => json!({ "name": m("newtoken") }),
            "createExternalSubject" => json!({
                "user_id": self.side.id("user"), "issuer": format!("https://{}.example", m("newidp")), "subject": m("newsubject"),
            }),
            "createDomain" => json!({ "origin": format!("https://{}.example", m("newdomain")) }),
            "rotateClientSecret" | "rotateKeys" => json!({}),
            other => panic!("no case is made for the body of {other}"),
        };
        Body::Json(body.to_string())
    }

    /// What belongs to the installation.
    fn root(&mut self) {
        for (path, whole) in [
            ("/health/live", "/root/health/live"),
            ("/health/ready", "/root/health/ready"),
            ("/static/nothing", "/root/static/nothing"),
            ("/favicon.ico", "/root/favicon.ico"),
            ("/api/openapi.json", "/root/api/openapi.json"),
            ("/api/docs", "/root/api/docs"),
            ("/api/nothing", "/root/api/nothing"),
            ("", "/root"),
            ("/", "/root/"),
        ] {
            self.add_at(whole, &Method::GET, "", path, Body::Nothing, Kind::Nothing);
        }
        for (key, sample) in &mut self.samples {
            if sample.path.ends_with("/nothing") {
                sample.twin_status = Some(404);
            }
            // The other end of a domain that nobody has doesn't answer.
            if key.route.0.ends_with("/verify") {
                sample.twin_status = Some(409);
            }
            // Nobody tries a client of a tenant that they aren't in.
            if sample.twin == Kind::OperatorConsole
                && key.method == "POST"
                && key.route.0.ends_with("/try-it")
            {
                sample.twin_status = Some(404);
            }
        }
    }
}
