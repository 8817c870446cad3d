//! Three tenants that the product's own flows have filled, with a mark in every field that takes text, and everything that somebody of
//! each of them holds: cookies, tokens, codes, secrets, links.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tessera::domain::ids::{ClientId, UserId};
use tessera::flows::admin::By;
use tessera::jose::keys::{RsaBits, SigningKey};
use tessera::protocol::SigningAlgorithm;
use tessera::protocol::client_metadata::ClientMetadata;
use tessera::protocol::slug::Slug;
use tessera::secret::PlainSecret;

use super::marks::{Letter, Marks, SYSTEM, TENANTS, mark};
use crate::support::admin::Admin;
use crate::support::app::{TestApp, TestClient, TestTenant, TestUser};
use crate::support::browser::Browser;
use crate::support::http::{Answer, Http};
use crate::support::relying_party::{RelyingParty, challenge};
use crate::support::sector::Sector;

/// What everybody's password is in a tenant.
pub fn password(letter: Letter) -> String {
    format!("{} horse battery staple", mark(letter, "password"))
}

/// The cookies that a browser brings, by their bare names.
pub const COOKIES: [&str; 4] = [
    "tessera_session",
    "tessera_device",
    "tessera_csrf",
    "tessera_console",
];

/// A browser that somebody has signed in with: at the tenant's usual address, or at its own domain.
#[derive(Clone, Default)]
pub struct Signed {
    pub cookies: BTreeMap<&'static str, String>,
    /// The token of every form of the console in this session.
    pub console_csrf: String,
}

/// A tenant, and what its people and programs hold.
pub struct Side {
    pub letter: Letter,
    pub tenant: TestTenant,
    /// Its own domain.
    pub domain: String,
    pub admin: TestUser,
    pub person: TestUser,
    /// What stands in a path, by the name that it has there.
    pub ids: BTreeMap<&'static str, String>,
    /// The administrator's browser.
    pub browser: Browser,
    pub signed: Signed,
    pub signed_at_domain: Signed,
    pub web: RelyingParty,
    pub posting: TestClient,
    pub asserting: TestClient,
    pub assertion_key: Option<SigningKey>,
    /// Everything that is presented as one text, by its name.
    pub held: BTreeMap<&'static str, String>,
    pub verifier: String,
}

/// The installation.
pub struct World {
    pub app: TestApp,
    pub sides: Vec<Side>,
    pub marks: Marks,
}

impl World {
    /// Makes it.
    pub async fn new(mut app: TestApp) -> Self {
        let plain = Http::in_process(app.provider.clone()).await;
        app.http = plain.clone();
        let system = operators(&app).await;
        let mut sides = Vec::new();
        for (number, letter) in TENANTS.into_iter().enumerate() {
            // What a proxy says of the request: it comes to stand in sessions and events.
            app.http = plain
                .clone()
                .with_header("x-request-id", &mark(letter, "request"))
                .with_header("x-forwarded-for", &address(number));
            sides.push(Box::pin(side(&app, &system, letter)).await);
        }
        app.http = plain;
        sides.push(system);
        let mut world = Self {
            app,
            sides,
            marks: Marks::default(),
        };
        super::harvest::into(&mut world);
        for (number, letter) in TENANTS.into_iter().enumerate() {
            world.marks.add(letter, "address", &address(number));
        }
        world
    }

    pub fn side(&self, letter: Letter) -> &Side {
        let found = self.sides.iter().find(|side| side.letter == letter);
        found.expect("a tenant under test")
    }

    /// The administration API with a token.
    pub fn api(&self, token: &str) -> Admin {
        Admin::with_token(&self.app, token)
    }
}

/// Where a tenant's people come from.
fn address(number: usize) -> String {
    format!("198.51.100.{}", 111 + number)
}

impl Side {
    /// A text that somebody of this tenant holds.
    pub fn held(&self, name: &str) -> &str {
        let held = self.held.get(name).map(String::as_str);
        held.unwrap_or_else(|| panic!("{} holds no {name}", self.letter))
    }

    /// What stands in a path.
    pub fn id(&self, name: &str) -> &str {
        let id = self.ids.get(name).map(String::as_str);
        id.unwrap_or_else(|| panic!("{} has no {name}", self.letter))
    }
}

#[track_caller]
pub fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

#[track_caller]
fn made(answer: &Answer) -> Value {
    assert!([200, 201].contains(&answer.status), "{answer:?}");
    answer.json()
}

async fn register(admin: &Admin, slug: &str, metadata: Value) -> TestClient {
    let path = format!("/tenants/{slug}/clients");
    let client = made(&admin.post(&path, &metadata).await);
    let secret = client["client_secret"].as_str();
    TestClient {
        id: text(&client, "/client_id")
            .parse::<ClientId>()
            .expect("an id"),
        secret: secret.map(|secret| PlainSecret::new(secret.to_owned())),
        metadata: ClientMetadata::from_json(metadata).expect("metadata"),
    }
}

async fn person(
    admin: &Admin,
    slug: &str,
    letter: Letter,
    label: &str,
    roles: &[&str],
) -> TestUser {
    let email = format!("{}@{}.example", mark(letter, label), mark(letter, "mail"));
    let claim = |name: &str| mark(letter, &format!("{label}{name}"));
    let body = json!({
        "email": email, "email_verified": true, "password": password(letter), "roles": roles,
        "claims": {
            "name": claim("name"), "given_name": claim("given"), "nickname": claim("nick"),
            "address": { "locality": claim("city") }, "picture": format!("https://{}.example/p.png", claim("picture")),
        },
    });
    let user = made(&admin.post(&format!("/tenants/{slug}/users"), &body).await);
    TestUser {
        id: text(&user, "/id").parse::<UserId>().expect("an id"),
        email,
        password: password(letter),
    }
}

/// Signs somebody in at the console of this address.
async fn enter(app: &TestApp, browser: &mut Browser, issuer: &str, user: &TestUser) -> Signed {
    let mut page = browser.open(&format!("{issuer}/console")).await;
    if page.answer.body.contains("id=\"password\"") {
        page = browser.sign_in(&page, user).await;
    }
    assert_eq!(page.answer.status, 200, "{}", page.answer.body);
    let page = browser.open(&format!("{issuer}/console")).await;
    let _ = app;
    Signed {
        cookies: COOKIES
            .into_iter()
            .map(|name| {
                let value = browser.cookie(name);
                (
                    name,
                    value.unwrap_or_else(|| panic!("no {name}")).to_owned(),
                )
            })
            .collect(),
        console_csrf: page.hidden("csrf").expect("a token"),
    }
}

async fn operators(app: &TestApp) -> Side {
    let by = By::command_line();
    let program = app.provider.create_operator_program("Operator", &by).await;
    let program = program.expect("an operator");
    let tenant = TestTenant {
        slug: Slug::parse("system").expect("a slug"),
        issuer: app.provider.config.public_url.issuer("system"),
    };
    let client = TestClient {
        id: program.client.id,
        secret: program.secret,
        metadata: program.client.metadata,
    };
    let web = RelyingParty::new(app, &tenant, &client);
    let tokens = web.client_credentials(&[("scope", "tessera:admin")]).await;
    let admin = Admin::with_token(app, &tokens.access_token);
    let user = person(&admin, "system", SYSTEM, "operator", &["administrator"]).await;
    let mut browser = app.browser();
    let signed = enter(app, &mut browser, &tenant.issuer, &user).await;
    Side {
        letter: SYSTEM,
        domain: tenant.issuer.clone(),
        tenant,
        person: user.clone(),
        admin: user,
        ids: BTreeMap::from([("tenant", "system".to_owned())]),
        browser,
        signed_at_domain: signed.clone(),
        signed,
        posting: client.clone(),
        asserting: client,
        assertion_key: None,
        web,
        held: BTreeMap::from([("program", tokens.access_token)]),
        verifier: String::new(),
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "one story, told in its order: what comes later is made of what comes first"
)]
async fn side(app: &TestApp, system: &Side, letter: Letter) -> Side {
    let operator = Admin::with_token(app, system.held("program"));
    let m = |label: &str| mark(letter, label);
    let (slug, at) = (m("slug"), format!("/tenants/{}", m("slug")));
    let new = json!({ "slug": slug, "name": m("name") });
    made(&operator.post("/tenants", &new).await);
    let tenant = TestTenant {
        slug: Slug::parse(&slug).expect("a slug"),
        issuer: app.provider.config.public_url.issuer(&slug),
    };
    let api = format!("{}/api/v1", app.root());
    // Somebody who vouches for software: their keys are published for as long as the tests run.
    let federation = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default());
    let federation = federation.expect("a key").key;
    let published = Sector::start(json!({ "keys": [federation.public_jwk()] }));
    let vouching = format!("https://{}.example", m("federation"));
    // Many wrong guesses are part of the test, and none of them is to be stopped for being one too many.
    let settings = json!({
        "lockout": { "attempts": 100 }, "access_token_lifetime": 86_400, "registration": "token", "session_management": true,
        "backchannel_authentication": true, "backchannel_request_lifetime": 1800, "backchannel_request_limit": 20, "backchannel_request_rate": 1000,
        "software_statement_issuers": [{ "issuer": vouching, "jwks_uri": published.url() }],
    });
    made(&operator.patch(&format!("{at}/settings"), &settings).await);
    let look = json!({ "logo_uri": format!("https://{}.example/logo.png", m("logo")), "accent": "#175c6b" });
    made(&operator.patch(&format!("{at}/branding"), &look).await);

    let identifier = format!("https://{}.example", m("api"));
    let resource = json!({
        "identifier": identifier, "name": m("apiname"),
        "scopes": [{ "name": m("read"), "description": m("description") }],
        "authorization_details_types": [{ "type": m("details"), "actions": [m("action")] }],
    });
    let resource = made(&operator.post(&format!("{at}/resources"), &resource).await);
    let spare = json!({ "identifier": format!("https://{}.example", m("spareapi")), "scopes": [{ "name": m("write") }] });
    let spare_resource = made(&operator.post(&format!("{at}/resources"), &spare).await);

    let domain = format!("https://{}.example", m("login"));
    let mut domains = Vec::new();
    for origin in [domain.clone(), format!("https://{}.example", m("pending"))] {
        let claim = json!({ "origin": origin });
        let claimed = operator.post(&format!("{at}/domains"), &claim).await;
        domains.push(text(&made(&claimed), "/id").to_owned());
    }
    // As if the other end had answered: no test owns a name in the DNS.
    let id = domains[0].parse().expect("an id");
    let loaded = app.load(&tenant).await;
    let proven = app
        .provider
        .db
        .write(&*loaded, move |repo| repo.verify_domain(id));
    assert!(proven.await.expect("storage works"));

    let admin = person(&operator, &slug, letter, "admin", &["administrator"]).await;
    let somebody = person(&operator, &slug, letter, "person", &["auditor"]).await;
    // Of somebody who is given no further role meanwhile: that takes a person's names.
    let known = json!({ "user_id": admin.id.to_string(), "issuer": format!("https://{}.example", m("idp")), "subject": m("subject") });
    let known = made(
        &operator
            .post(&format!("{at}/external-subjects"), &known)
            .await,
    );
    let spare = json!({ "user_id": admin.id.to_string(), "issuer": format!("https://{}.example", m("idp")), "subject": m("sparename") });
    let spare_name = made(
        &operator
            .post(&format!("{at}/external-subjects"), &spare)
            .await,
    );
    let scope = format!("openid profile email offline_access {}", m("read"));
    let web = json!({
        "client_name": m("web"), "redirect_uris": [format!("https://{}.example/callback", m("web"))],
        "post_logout_redirect_uris": [format!("https://{}.example/bye", m("web"))],
        "backchannel_logout_uri": format!("https://{}.example/out", m("backchannel")),
        "logo_uri": format!("https://{}.example/logo.png", m("web")), "tos_uri": format!("https://{}.example/", m("tos")),
        "contacts": [format!("help@{}.example", m("contact"))], "software_version": m("version"),
        "grant_types": [
            "authorization_code", "refresh_token", "client_credentials",
            "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:openid:params:grant-type:ciba",
        ],
        "backchannel_token_delivery_mode": "poll",
        "token_exchange_targets": [identifier], "authorization_details_types": [m("details")],
        "token_endpoint_auth_method": "client_secret_basic", "scope": scope, "resources": [identifier],
    });
    let web = register(&operator, &slug, web).await;
    let spa = json!({
        "client_name": m("spa"), "redirect_uris": [format!("https://{}.example/callback", m("spa"))],
        "allowed_origins": [format!("https://{}.example", m("origin"))], "token_endpoint_auth_method": "none",
        "access_token_format": "opaque", "scope": scope, "resources": [identifier], "skip_consent": true,
    });
    let spa = register(&operator, &slug, spa).await;
    let machine = |method: &str, more: Value| {
        let mut metadata = json!({
            "client_name": m("machine"), "grant_types": ["client_credentials"], "response_types": [],
            "token_endpoint_auth_method": method, "scope": m("read"), "resources": [identifier],
        });
        for (name, value) in more.as_object().expect("an object") {
            metadata[name] = value.clone();
        }
        metadata
    };
    let posting = register(&operator, &slug, machine("client_secret_post", json!({}))).await;
    let key = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default());
    let key = key.expect("a key").key;
    let keys = json!({ "jwks": { "keys": [key.public_jwk()] } });
    let asserting = register(&operator, &slug, machine("private_key_jwt", keys)).await;
    let spare = register(&operator, &slug, machine("client_secret_basic", json!({}))).await;
    let ruling = json!({ "scope": "tessera:admin", "resources": [] });
    let ruling = register(&operator, &slug, machine("client_secret_basic", ruling)).await;
    let tool = json!({
        "client_name": m("tool"), "redirect_uris": [format!("https://{}.example/callback", m("tool"))],
        "scope": "openid tessera:admin", "skip_consent": true,
    });
    let tool = register(&operator, &slug, tool).await;

    let mut held = BTreeMap::new();
    let wanted = json!({ "name": m("initial"), "max_uses": 10_000 });
    let initial = made(
        &operator
            .post(&format!("{at}/initial-access-tokens"), &wanted)
            .await,
    );
    held.insert("initial", text(&initial, "/token").to_owned());
    // Another one for the console to revoke.
    let wanted = json!({ "name": m("spareinitial"), "max_uses": 1 });
    let spare_token = made(
        &operator
            .post(&format!("{at}/initial-access-tokens"), &wanted)
            .await,
    );
    let statement = json!({ "iss": vouching, "software_id": m("software") });
    let registering = json!({
        "software_statement": federation.sign_jwt("JWT", &statement).expect("a signature"),
        "client_name": m("registered"), "redirect_uris": [format!("https://{}.example/callback", m("registered"))],
    });
    let registered = app
        .http
        .post(&tenant.url("/register"))
        .bearer(&held["initial"])
        .body("application/json", registering.to_string());
    let registered = made(&registered.send().await);
    held.insert(
        "registration",
        text(&registered, "/registration_access_token").to_owned(),
    );
    let program = RelyingParty::new(app, &tenant, &ruling);
    let wanted = [("scope", "tessera:admin"), ("resource", api.as_str())];
    let program = program.client_credentials(&wanted).await;
    held.insert("program", program.access_token);
    for role in ["administrator", "user-manager", "client-manager", "auditor"] {
        let label: String = role.chars().filter(char::is_ascii_lowercase).collect();
        let user = person(&operator, &slug, letter, &label, &[role]).await;
        let rp = RelyingParty::new(app, &tenant, &tool).with_scope("openid tessera:admin");
        let page = rp
            .authorize(&mut app.browser(), &user, &[("resource", &api)])
            .await;
        let code = page.answer.location_param("code").expect("a code");
        let tokens = rp.redeem(&code).await.expect_ok().json();
        held.insert(role, text(&tokens, "/access_token").to_owned());
    }

    let mut browser = app.browser();
    browser.user_agent = m("agent");
    let signed = enter(app, &mut browser, &tenant.issuer, &admin).await;
    let mut at_domain = browser.clone();
    at_domain.forget_all_but(&["tessera_csrf"], &domain);
    let signed_at_domain = enter(app, &mut at_domain, &domain, &admin).await;

    let web = RelyingParty::new(app, &tenant, &web).with_scope(&scope);
    let verifier = format!(
        "{}-and-enough-of-it-to-be-accepted-0123456789",
        m("verifier")
    );
    let challenged = challenge(&verifier);
    let asked = m("nonce");
    let claims = json!({ "userinfo": { m("claim"): { "value": m("wanted") } } }).to_string();
    let details = json!([{ "type": m("details"), "actions": [m("action")] }]).to_string();
    let more = [
        ("code_challenge", challenged.as_str()),
        ("nonce", &asked),
        ("state", &asked),
        ("claims", &claims),
        ("resource", &identifier),
        ("authorization_details", &details),
    ];
    // Somebody else than the administrator signs in, too, and is what identifiers in paths mean.
    let mut theirs = app.browser();
    theirs.user_agent = m("agent");
    let mut redeemed = Vec::new();
    for (browser, user) in [(&mut theirs, &somebody), (&mut browser, &admin)] {
        let page = web.authorize(browser, user, &more).await;
        let code = page.answer.location_param("code");
        let code = code.unwrap_or_else(|| panic!("no code: {:?}", page.answer));
        let answer = redeem(&web, &code, &verifier).await.expect_ok();
        redeemed.push(answer.json());
    }
    let page = web.authorize(&mut browser, &admin, &more).await;
    held.insert("code", page.answer.location_param("code").expect("a code"));
    let pushed = made(&web.push(&more).await);
    held.insert("pushed", text(&pushed, "/request_uri").to_owned());
    // One device that was allowed, and one that waits.
    for name in ["device", "user_code"] {
        let asked = [
            ("scope", scope.as_str()),
            ("resource", &identifier),
            ("authorization_details", &details),
        ];
        let asked = web.authenticated("/device_authorization", &asked).send();
        let codes = made(&asked.await);
        let user_code = text(&codes, "/user_code").to_owned();
        if name == "user_code" {
            held.insert(name, user_code);
            break;
        }
        held.insert(name, text(&codes, "/device_code").to_owned());
        let page = browser.open(&tenant.url("/device")).await;
        let page = browser.submit(&page, &[("user_code", &user_code)]).await;
        let page = browser.submit(&page, &[("decision", "allow")]).await;
        assert_eq!(page.answer.status, 200, "{}", page.answer.body);
    }
    // And the same by the back channel.
    let mut request = String::new();
    for name in ["auth_req_id", "waiting"] {
        let asked = [
            ("scope", scope.as_str()),
            ("login_hint", &admin.email),
            ("binding_message", &m("binding")),
            ("resource", &identifier),
            ("authorization_details", &details),
            ("claims", &claims),
        ];
        let asked = web.authenticated("/backchannel_authentication", &asked);
        let asked = made(&asked.send().await);
        held.insert(name, text(&asked, "/auth_req_id").to_owned());
        let list = browser.open(&tenant.url("/account/requests")).await;
        let path = list.answer.body.split("/account/requests/").nth(1);
        path.and_then(|rest| rest.split('"').next())
            .expect("a request")
            .clone_into(&mut request);
        if name == "auth_req_id" {
            let url = tenant.url(&format!("/account/requests/{request}"));
            let page = browser.open(&url).await;
            let page = browser.submit(&page, &[("decision", "allow")]).await;
            assert_eq!(page.answer.status, 200, "{}", page.answer.body);
        }
    }
    let (theirs, own) = (&redeemed[0], &redeemed[1]);
    for (name, member) in [
        ("jwt", "access_token"),
        ("id", "id_token"),
        ("refresh", "refresh_token"),
    ] {
        held.insert(name, text(own, &format!("/{member}")).to_owned());
    }
    let opaque = RelyingParty::new(app, &tenant, &spa).with_scope(&scope);
    let tokens = opaque.sign_in(&mut browser, &admin).await;
    held.insert("opaque", tokens.access_token);

    let claims = crate::support::relying_party::claims(text(theirs, "/id_token"));
    // A session that has ended, of which a client is to be told; nobody does.
    let gone = web.sign_in(&mut app.browser(), &somebody).await.id_claims();
    let gone = format!("{at}/sessions/{}", text(&gone, "/sid"));
    assert_eq!(operator.delete(&gone).await.status, 204);
    let told = operator.get(&format!("{at}/logout-deliveries")).await;
    let told = text(&made(&told), "/items/0/id").to_owned();
    let reset = format!("{at}/users/{}/reset-password", somebody.id);
    let link = text(&made(&operator.act(&reset).await), "/url").to_owned();
    held.insert("link", link.rsplit('/').next().expect("a token").to_owned());
    // A key that was used: whoever repeats it is shown what it made.
    let once = format!("{}-0001", m("idempotency"));
    let body = json!({ "email": format!("{}@{}.example", m("once"), m("mail")) });
    let repeated = Admin::with_token(app, &held["program"]);
    let created = repeated
        .request(actix_web::http::Method::POST, &format!("{at}/users"))
        .header("idempotency-key", &once)
        .body("application/json", body.to_string());
    made(&created.send().await);
    held.insert("idempotency", once);
    let flow = browser
        .open(&web.authorization_url(&[("prompt", "consent")]))
        .await;
    let flow = flow.url.query_pairs().find(|(name, _)| name == "flow");
    held.insert("flow", flow.expect("a pending request").1.into_owned());
    revoke_one(&web, &mut browser, &admin).await;

    let keys = operator.get(&format!("{at}/keys")).await.expect_ok().json();
    let events = operator
        .get(&format!("{at}/events"))
        .await
        .expect_ok()
        .json();
    let ids = BTreeMap::from([
        ("tenant", slug),
        ("user", somebody.id.to_string()),
        ("session", text(&claims, "/sid").to_owned()),
        ("client", spare.client_id()),
        ("client_id", text(&registered, "/client_id").to_owned()),
        ("initial_access_token", text(&initial, "/id").to_owned()),
        ("external_subject", text(&known, "/id").to_owned()),
        ("spare_name", text(&spare_name, "/id").to_owned()),
        ("spare_token", text(&spare_token, "/id").to_owned()),
        ("consented", web.client.client_id()),
        ("resource", text(&spare_resource, "/id").to_owned()),
        ("api", text(&resource, "/id").to_owned()),
        ("domain", domains[1].clone()),
        ("verified", domains[0].clone()),
        ("kid", text(&keys, "/items/0/kid").to_owned()),
        ("event", text(&events, "/items/0/id").to_owned()),
        ("logout_delivery", told),
        ("role", "user-manager".to_owned()),
        ("request", request),
    ]);
    Side {
        letter,
        tenant,
        domain,
        admin,
        person: somebody,
        ids,
        browser,
        signed,
        signed_at_domain,
        web,
        posting,
        asserting,
        assertion_key: Some(key),
        held,
        verifier,
    }
}

/// Redeems a code whose challenge was made from this verifier.
pub async fn redeem(rp: &RelyingParty, code: &str, verifier: &str) -> Answer {
    rp.token(&[
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", rp.client.redirect_uri()),
        ("code_verifier", verifier),
    ])
    .await
}

/// A client revokes an access token of its own, so that there is a row of that kind too.
async fn revoke_one(rp: &RelyingParty, browser: &mut Browser, user: &TestUser) {
    let tokens = rp.sign_in(browser, user).await;
    let token = [("token", tokens.access_token.as_str())];
    assert_eq!(rp.authenticated("/revoke", &token).send().await.status, 200);
}
