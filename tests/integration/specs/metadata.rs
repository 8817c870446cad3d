//! The discovery document told the truth by: all that it announces works, and of what it doesn't announce nothing does. For a tenant where
//! everything is on, and for one where everything that can be is off.

use std::collections::BTreeSet;

use actix_web::http::Method;
use serde_json::{Value, json};
use tessera::domain::settings::{AssertionIssuer, RegistrationPolicy, SubjectMapping};
use tessera::protocol::client_metadata::ClientMetadata;

use crate::support::admin::Admin;
use crate::support::app::{TestApp, TestClient, TestTenant, TestUser, app_test, run_with};
use crate::support::certificates::Identity;
use crate::support::database::TestDatabase;
use crate::support::receiver::{Answering, Receiver};
use crate::support::relying_party::{RelyingParty, VERIFIER, header};

const CALLBACK: &str = "https://told.example/callback";

/// Every response type that a specification names, and some that none does.
const RESPONSE_TYPES: [&str; 9] = [
    "code",
    "id_token",
    "id_token token",
    "code id_token",
    "code token",
    "code id_token token",
    "token",
    "none",
    "device",
];
const RESPONSE_MODES: [&str; 9] = [
    "query",
    "fragment",
    "form_post",
    "query.jwt",
    "fragment.jwt",
    "form_post.jwt",
    "jwt",
    "web_message",
    "none",
];
const GRANT_TYPES: [&str; 10] = [
    "authorization_code",
    "implicit",
    "refresh_token",
    "client_credentials",
    "password",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:openid:params:grant-type:ciba",
    "urn:ietf:params:oauth:grant-type:saml2-bearer",
];
const AUTH_METHODS: [&str; 8] = [
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "none",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "attest_jwt_client_auth",
];
const ALGORITHMS: [&str; 16] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K",
    "EdDSA", "Ed25519", "Ed448", "HS256", "HS512", "none",
];
const ENCRYPTIONS: [&str; 10] = [
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "RSA-OAEP-512",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "A128KW",
    "A256GCMKW",
    "PBES2-HS256+A128KW",
    "dir",
];
const CONTENTS: [&str; 6] = [
    "A128CBC-HS256",
    "A192CBC-HS384",
    "A256CBC-HS512",
    "A128GCM",
    "A192GCM",
    "A256GCM",
];
const SUBJECT_TYPES: [&str; 3] = ["public", "pairwise", "ephemeral"];
/// Members that are addresses, announced or not, and where they would be.
const ENDPOINTS: [(&str, &str); 14] = [
    ("authorization_endpoint", "/authorize"),
    ("token_endpoint", "/token"),
    ("userinfo_endpoint", "/userinfo"),
    ("jwks_uri", "/jwks"),
    ("registration_endpoint", "/register"),
    ("revocation_endpoint", "/revoke"),
    ("introspection_endpoint", "/introspect"),
    ("end_session_endpoint", "/logout"),
    ("pushed_authorization_request_endpoint", "/par"),
    ("device_authorization_endpoint", "/device_authorization"),
    ("check_session_iframe", "/session/check"),
    (
        "backchannel_authentication_endpoint",
        "/backchannel_authentication",
    ),
    ("challenge_endpoint", "/challenge"),
    ("native_sso_endpoint", "/native_sso"),
];

/// A tenant, and what it says of itself.
struct Told {
    app: TestApp,
    tenant: TestTenant,
    user: TestUser,
    admin: Admin,
    document: Value,
}

impl Told {
    async fn of(app: TestApp, everything: bool) -> Self {
        let tenant = app.tenant("acme").await;
        let admin = Admin::program(&app, &tenant).await;
        let encryption = json!({ "request_object_encryption": everything });
        assert_eq!(
            admin
                .patch("/tenants/acme/settings", &encryption)
                .await
                .status,
            200
        );
        let authority = Identity::authority("Told", app.provider.clock.unix()).pem();
        app.change_settings(&tenant, |settings| {
            if everything {
                settings
                    .client_certificate_authorities
                    .clone_from(&authority);
            }
            settings.request_uri_parameter = everything;
            settings.front_channel_tokens = everything;
            settings.device_authorization = everything;
            settings.native_sso = everything;
            settings.backchannel_authentication = everything;
            settings.session_management = everything;
            settings.assertion_issuers = if everything {
                vec![vouching()]
            } else {
                Vec::new()
            };
            settings.registration = if everything {
                RegistrationPolicy::Open
            } else {
                RegistrationPolicy::Closed
            };
        })
        .await;
        let user = app
            .user(&tenant, "ana@acme.example", "a long enough password")
            .await;
        let document = app
            .get(&tenant.url("/.well-known/openid-configuration"))
            .send()
            .await
            .expect_ok()
            .json();
        Self {
            app,
            tenant,
            user,
            admin,
            document,
        }
    }

    /// The names that a member lists.
    fn listed(&self, member: &str) -> BTreeSet<&str> {
        let values = self.document[member].as_array();
        values
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    fn announces(&self, member: &str, name: &str) -> bool {
        self.listed(member).contains(name)
    }

    /// What comes of registering a client with this, by an administrator.
    async fn registered(&self, more: Value) -> Result<TestClient, String> {
        let mut metadata = json!({
            "client_name": "Told", "redirect_uris": [CALLBACK], "grant_types": ["authorization_code", "refresh_token"], "skip_consent": true,
            "scope": "openid profile email address phone offline_access",
        });
        for (name, value) in more.as_object().expect("an object") {
            metadata[name] = value.clone();
        }
        let made = self.admin.post("/tenants/acme/clients", &metadata).await;
        if made.status != 201 {
            return Err(made.body);
        }
        let document = made.json();
        Ok(TestClient {
            id: document["client_id"]
                .as_str()
                .expect("an id")
                .parse()
                .expect("an id"),
            secret: document["client_secret"]
                .as_str()
                .map(|secret| tessera::secret::PlainSecret::new(secret.to_owned())),
            metadata: ClientMetadata::from_json(metadata).expect("metadata"),
        })
    }

    async fn client(&self, more: Value) -> RelyingParty {
        let client = self
            .registered(more.clone())
            .await
            .unwrap_or_else(|error| panic!("{more}: {error}"));
        RelyingParty::new(&self.app, &self.tenant, &client)
            .with_scope("openid profile email address phone")
    }
}

/// Somebody whose assertions would get tokens.
fn vouching() -> AssertionIssuer {
    AssertionIssuer {
        issuer: "https://idp.example".to_owned(),
        jwks_uri: None,
        jwks: Some(keys()),
        clients: vec![uuid::Uuid::nil().to_string()],
        subjects: SubjectMapping::Id,
        scope: tessera::protocol::Scope::empty(),
        max_lifetime: 300,
    }
}

fn keys() -> Value {
    let key = tessera::jose::keys::SigningKey::generate(
        tessera::protocol::SigningAlgorithm::Es256,
        tessera::jose::keys::RsaBits::default(),
    )
    .expect("a key");
    json!({ "keys": [key.key.public_jwk()] })
}

/// What an answer to an authorization request says, wherever it stands.
fn answer_of(page: &crate::support::browser::Page) -> Vec<(String, String)> {
    page.answer.header("location").map_or_else(
        // A form that the browser would post.
        || {
            ["code", "access_token", "id_token", "response", "error"]
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), page.hidden(name)?)))
                .collect()
        },
        |location| {
            let url = url::Url::parse(location).expect("an address");
            let fragment = url.fragment().unwrap_or_default().as_bytes();
            url.query_pairs()
                .into_owned()
                .chain(url::form_urlencoded::parse(fragment).into_owned())
                .collect()
        },
    )
}

fn says<'a>(answer: &'a [(String, String)], name: &str) -> Option<&'a str> {
    answer
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

/// Whether there is an endpoint that does something for a client that may use it.
async fn answers(told: &Told, client: &RelyingParty, path: &str) -> bool {
    let url = told.tenant.url(path);
    let request = if path == "/register" {
        told.app.http.post(&url).body("application/json", "{}")
    } else {
        client.authenticated(path, &[])
    };
    let (get, post) = (told.app.get(&url).send().await, request.send().await);
    [get, post].iter().any(|answer| {
        ![403, 404, 405].contains(&answer.status) && !answer.body.contains("unauthorized_client")
    })
}

async fn endpoints(told: &Told) {
    let grants = if told.document.get("device_authorization_endpoint").is_some() {
        json!([
            "authorization_code",
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:openid:params:grant-type:ciba"
        ])
    } else {
        json!(["authorization_code"])
    };
    let client = json!({ "grant_types": grants, "backchannel_token_delivery_mode": "poll" });
    let client = told.client(client).await;
    for (member, path) in ENDPOINTS {
        let announced = told.document.get(member).and_then(Value::as_str);
        if let Some(url) = announced {
            assert_eq!(url, told.tenant.url(path), "{member}");
        }
        let found = answers(told, &client, path).await;
        assert_eq!(found, announced.is_some(), "{member}");
    }
}

async fn grant_types(told: &Told) {
    let everything: Vec<_> = told.listed("grant_types_supported").into_iter().collect();
    let mut more = json!({ "grant_types": everything, "backchannel_token_delivery_mode": "poll" });
    if everything.contains(&"implicit") {
        more["response_types"] = json!(["code", "id_token"]);
    }
    let rp = told.client(more).await;
    for grant in GRANT_TYPES {
        let held = [
            "code",
            "refresh_token",
            "device_code",
            "auth_req_id",
            "subject_token",
            "assertion",
        ];
        let mut form = vec![
            ("grant_type", grant),
            (
                "subject_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
        ];
        form.extend(held.map(|name| (name, "nothing")));
        let answer = rp.token(&form).await;
        let unsupported =
            answer.error() == "unsupported_grant_type" || answer.error() == "unauthorized_client";
        // Its tokens come from the authorization endpoint.
        let works = told.announces("grant_types_supported", grant) && grant != "implicit";
        assert_eq!(!unsupported, works, "{grant}: {}", answer.body);
    }
}

async fn response_types_and_modes(told: &Told) {
    for kind in RESPONSE_TYPES {
        let announced = told.announces("response_types_supported", kind);
        let parts: Vec<_> = kind.split(' ').collect();
        let mut grants = Vec::new();
        grants.extend(parts.contains(&"code").then_some("authorization_code"));
        let token = parts
            .iter()
            .any(|part| ["token", "id_token"].contains(part));
        grants.extend(token.then_some("implicit"));
        let registered = told
            .registered(json!({ "response_types": [kind], "grant_types": grants }))
            .await;
        let rp = match registered {
            Ok(client) => {
                RelyingParty::new(&told.app, &told.tenant, &client).with_scope("openid email")
            }
            Err(error) => {
                assert!(!announced, "{kind}: {error}");
                continue;
            }
        };
        let page = rp
            .authorize(
                &mut told.app.browser(),
                &told.user,
                &[("response_type", kind)],
            )
            .await;
        let answer = answer_of(&page);
        for (part, name) in [
            ("code", "code"),
            ("token", "access_token"),
            ("id_token", "id_token"),
        ] {
            let wanted = announced && kind.split(' ').any(|own| own == part);
            assert_eq!(
                says(&answer, name).is_some(),
                wanted,
                "{kind}: {answer:?} {}",
                page.answer.body
            );
        }
    }
    let rp = told.client(json!({})).await;
    for mode in RESPONSE_MODES {
        let page = rp
            .authorize(
                &mut told.app.browser(),
                &told.user,
                &[("response_mode", mode)],
            )
            .await;
        let answer = answer_of(&page);
        let works = says(&answer, "code")
            .or(says(&answer, "response"))
            .is_some();
        assert_eq!(
            works,
            told.announces("response_modes_supported", mode),
            "{mode}: {answer:?}"
        );
    }
}

/// What a client may register, name by name.
async fn registrations(told: &Told) {
    for method in AUTH_METHODS {
        let mut more = json!({ "token_endpoint_auth_method": method });
        if ["private_key_jwt", "self_signed_tls_client_auth"].contains(&method) {
            more["jwks"] = keys();
        }
        if method == "tls_client_auth" {
            more["tls_client_auth_san_dns"] = json!("told.example");
        }
        let taken = told.registered(more).await;
        assert_eq!(
            taken.is_ok(),
            told.announces("token_endpoint_auth_methods_supported", method),
            "{method}"
        );
    }
    for (announced, field, more) in [
        (
            "id_token_signing_alg_values_supported",
            "id_token_signed_response_alg",
            json!({}),
        ),
        (
            "userinfo_signing_alg_values_supported",
            "userinfo_signed_response_alg",
            json!({}),
        ),
        (
            "introspection_signing_alg_values_supported",
            "introspection_signed_response_alg",
            json!({}),
        ),
        (
            "authorization_signing_alg_values_supported",
            "authorization_signed_response_alg",
            json!({}),
        ),
        (
            "request_object_signing_alg_values_supported",
            "request_object_signing_alg",
            json!({ "jwks": keys() }),
        ),
    ] {
        for algorithm in ALGORITHMS {
            let mut more = more.clone();
            more[field] = algorithm.into();
            let taken = told.registered(more).await;
            assert_eq!(
                taken.is_ok(),
                told.announces(announced, algorithm),
                "{field} {algorithm}"
            );
        }
    }
    for kind in SUBJECT_TYPES {
        let taken = told.registered(json!({ "subject_type": kind })).await;
        assert_eq!(
            taken.is_ok(),
            told.announces("subject_types_supported", kind),
            "{kind}"
        );
    }
    for (name, member) in [
        ("id_token_encrypted_response", "id_token_encryption"),
        ("userinfo_encrypted_response", "userinfo_encryption"),
        (
            "authorization_encrypted_response",
            "authorization_encryption",
        ),
        (
            "introspection_encrypted_response",
            "introspection_encryption",
        ),
        ("request_object_encryption", "request_object_encryption"),
    ] {
        let of = |alg: &str, enc: &str| json!({ format!("{name}_alg"): alg, format!("{name}_enc"): enc, "jwks_uri": "https://told.example/jwks" });
        let (algs, encs) = (
            format!("{member}_alg_values_supported"),
            format!("{member}_enc_values_supported"),
        );
        for alg in ENCRYPTIONS {
            let taken = told.registered(of(alg, "A128CBC-HS256")).await;
            assert_eq!(taken.is_ok(), told.announces(&algs, alg), "{name} {alg}");
        }
        for enc in CONTENTS {
            let taken = told.registered(of("ECDH-ES", enc)).await;
            assert_eq!(taken.is_ok(), told.announces(&encs, enc), "{name} {enc}");
        }
    }
}

/// What is said of the back channel, where there is one; that there is none without is `endpoints`' to find.
async fn by_the_back_channel(told: &Told) {
    if told
        .document
        .get("backchannel_authentication_endpoint")
        .is_none()
    {
        assert!(!told.document.to_string().contains("backchannel_token"));
        return;
    }
    let asking = |more: Value| {
        let mut metadata = json!({
            "grant_types": ["urn:openid:params:grant-type:ciba"], "redirect_uris": [], "backchannel_token_delivery_mode": "poll", "scope": "openid",
            "backchannel_client_notification_endpoint": "https://told.example/told", "jwks": keys(),
        });
        for (name, value) in more.as_object().expect("an object") {
            metadata[name] = value.clone();
        }
        metadata
    };
    for mode in ["poll", "ping", "push", "pull"] {
        let taken = told.registered(asking(json!({ "backchannel_token_delivery_mode": mode })));
        let announced = told.announces("backchannel_token_delivery_modes_supported", mode);
        assert_eq!(taken.await.is_ok(), announced, "{mode}");
    }
    let signed = "backchannel_authentication_request_signing_alg";
    for algorithm in ALGORITHMS {
        let taken = told.registered(asking(json!({ signed: algorithm }))).await;
        let announced = told.announces(&format!("{signed}_values_supported"), algorithm);
        assert_eq!(taken.is_ok(), announced, "{algorithm}");
    }
    let codes = told.registered(asking(json!({ "backchannel_user_code_parameter": true })));
    let announced = told.document["backchannel_user_code_parameter_supported"] == true;
    assert_eq!(codes.await.is_ok(), announced);
    let rp = told.client(asking(json!({}))).await;
    let form = [
        ("scope", "openid"),
        ("login_hint", told.user.email.as_str()),
    ];
    let asked = rp.authenticated("/backchannel_authentication", &form);
    assert_eq!(asked.send().await.status, 200);
}

async fn signatures(told: &Told) {
    for algorithm in told.listed("id_token_signing_alg_values_supported") {
        let rp = told
            .client(json!({ "id_token_signed_response_alg": algorithm }))
            .await;
        let tokens = rp.sign_in(&mut told.app.browser(), &told.user).await;
        assert_eq!(
            header(tokens.id_token.as_deref().expect("an ID token"))["alg"],
            algorithm
        );
    }
}

/// A request whose address is registered, one whose address isn't, and the key that either may be encrypted to.
async fn by_reference(told: &Told) {
    let key = tessera::jose::keys::SigningKey::generate(
        tessera::protocol::SigningAlgorithm::Es256,
        tessera::jose::keys::RsaBits::default(),
    )
    .expect("a key")
    .key;
    let server = Receiver::start();
    let uri = server.url("/request");
    let rp = told
        .client(json!({ "jwks": { "keys": [key.public_jwk()] }, "request_uris": [uri] }))
        .await;
    let mut claims = json!({ "iss": rp.client.client_id(), "aud": rp.issuer });
    for (name, value) in rp.parameters(&[]) {
        claims[name] = json!(value);
    }
    let object = key.sign_jwt("JWT", &claims).expect("signed");
    server.answer(Answering::Body("application/jwt", object));
    for (asked, registered) in [
        (uri.as_str(), true),
        ("https://told.example/request", false),
    ] {
        let page = rp
            .authorize(
                &mut told.app.browser(),
                &told.user,
                &[("request_uri", asked)],
            )
            .await;
        let taken = told.document["request_uri_parameter_supported"] == true;
        let demanded = told.document["require_request_uri_registration"] == true;
        assert_eq!(
            says(&answer_of(&page), "code").is_some(),
            taken && (registered || !demanded),
            "{asked}"
        );
    }
    let jwks = told.app.get(&told.tenant.url("/jwks")).send().await;
    let keys = jwks.expect_ok().json();
    let published: BTreeSet<_> = keys["keys"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|key| key["use"] == "enc")
        .filter_map(|key| key["alg"].as_str())
        .collect();
    assert_eq!(
        published,
        told.listed("request_object_encryption_alg_values_supported")
    );
}

/// Whether applications of a group share a session.
async fn native_sso(told: &Told) {
    let announced = told.document["native_sso_supported"] == true;
    assert_eq!(told.announces("scopes_supported", "device_sso"), announced);
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let rp = told
        .client(json!({ "grant_types": ["authorization_code", exchange], "scope": "openid device_sso", "native_sso_group": "told" }))
        .await
        .with_scope("openid device_sso");
    let page = rp.authorize(&mut told.app.browser(), &told.user, &[]).await;
    let Some(code) = says(&answer_of(&page), "code").map(str::to_owned) else {
        assert!(!announced, "{}", page.answer.body);
        return;
    };
    let tokens = rp.redeem(&code).await.expect_ok().json();
    let shared = |name: &str| tokens[name].as_str().unwrap_or_default().to_owned();
    let joined = rp
        .token(&[
            ("grant_type", exchange),
            ("audience", &rp.issuer),
            ("subject_token", &shared("id_token")),
            (
                "subject_token_type",
                "urn:ietf:params:oauth:token-type:id_token",
            ),
            ("actor_token", &shared("device_secret")),
            (
                "actor_token_type",
                "urn:openid:params:token-type:device-secret",
            ),
        ])
        .await;
    assert_eq!(joined.status == 200, announced, "{}", joined.body);
}

async fn what_requests_may_say(told: &Told) {
    let rp = told.client(json!({})).await;
    for (method, challenge) in [
        ("S256", None),
        ("plain", Some(VERIFIER)),
        ("S512", Some(VERIFIER)),
    ] {
        let mut more = vec![("code_challenge_method", method)];
        more.extend(challenge.map(|challenge| ("code_challenge", challenge)));
        let page = rp
            .authorize(&mut told.app.browser(), &told.user, &more)
            .await;
        let works = says(&answer_of(&page), "code").is_some();
        assert_eq!(
            works,
            told.announces("code_challenge_methods_supported", method),
            "{method}"
        );
    }
    by_reference(told).await;
    native_sso(told).await;
    for scope in told.listed("scopes_supported") {
        // For applications of a group: see above.
        if scope == "device_sso" {
            continue;
        }
        let asked = format!("openid {scope}");
        let page = rp
            .authorize(&mut told.app.browser(), &told.user, &[("scope", &asked)])
            .await;
        assert!(
            says(&answer_of(&page), "code").is_some(),
            "{scope}: {}",
            page.answer.body
        );
    }
    let page = rp
        .authorize(
            &mut told.app.browser(),
            &told.user,
            &[("scope", "openid unheard_of")],
        )
        .await;
    assert_eq!(says(&answer_of(&page), "error"), Some("invalid_scope"));
    let page = rp.authorize(&mut told.app.browser(), &told.user, &[]).await;
    let answer = answer_of(&page);
    assert_eq!(
        says(&answer, "iss").is_some(),
        told.document["authorization_response_iss_parameter_supported"] == true,
        "{answer:?}"
    );
    assert_eq!(
        says(&answer, "session_state").is_some(),
        told.document.get("check_session_iframe").is_some(),
        "{answer:?}"
    );
    // What must be pushed, and what may be sent.
    assert_eq!(
        told.document["require_pushed_authorization_requests"],
        false
    );
    let asked = told
        .app
        .http
        .request(
            Method::GET,
            &told.tenant.url("/.well-known/oauth-authorization-server"),
        )
        .send()
        .await
        .expect_ok();
    assert_eq!(asked.json(), told.document, "both documents say the same");
}

async fn everything_of(told: &Told) {
    endpoints(told).await;
    grant_types(told).await;
    response_types_and_modes(told).await;
    registrations(told).await;
    by_the_back_channel(told).await;
    signatures(told).await;
    what_requests_may_say(told).await;
}

/// Where a proxy hands on clients' certificates, too.
mod where_everything_is_on {
    use super::*;

    const SETTINGS: &str =
        "trusted_proxies = ['127.0.0.1']\nclient_certificate_header = 'Client-Cert'\n";

    async fn body(app: TestApp) {
        let told = Told::of(app, true).await;
        assert!(
            told.announces("response_types_supported", "code id_token token")
                && told.document["registration_endpoint"].is_string()
                && told.announces("token_endpoint_auth_methods_supported", "tls_client_auth")
        );
        everything_of(&told).await;
    }

    #[test]
    fn sqlite() {
        run_with(TestDatabase::sqlite(), SETTINGS, body);
    }

    #[test]
    fn postgres() {
        run_with(TestDatabase::postgres(), SETTINGS, body);
    }
}

app_test! {
    /// RFC 9110 §13.1.2: tags are compared weakly, one in a list counts, and `*` is whatever there is.
    async fn what_is_known_is_not_sent_again(app: TestApp) {
        let tenant = app.tenant("acme").await;
        for path in ["/jwks", "/.well-known/openid-configuration"] {
            let url = tenant.url(path);
            let whole = app.get(&url).send().await.expect_ok();
            let tag = whole.header("etag").expect("a tag");
            let ask = async |known: &str| app.get(&url).header("if-none-match", known).send().await;
            for known in [tag.to_owned(), format!("W/{tag}"), format!("\"x\", W/\"y,z\" ,{tag}"), "*".to_owned()] {
                let answer = ask(&known).await;
                assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{path} {known}");
                assert_eq!((answer.header("etag"), answer.header("content-type")), (Some(tag), None));
                assert_eq!(answer.header("cache-control"), whole.header("cache-control"));
            }
            for unknown in ["\"x\"".to_owned(), "W/\"x\", \"y\"".to_owned(), tag.replace('"', ""), format!("w/{tag}"), format!("x {tag}")] {
                let answer = ask(&unknown).await;
                assert_eq!((answer.status, &answer.body), (200, &whole.body), "{path} {unknown}");
            }
        }
    }

    async fn where_everything_that_can_be_is_off(app: TestApp) {
        let told = Told::of(app, false).await;
        assert_eq!(told.listed("response_types_supported"), BTreeSet::from(["code"]));
        assert!(told.document.get("device_authorization_endpoint").is_none() && told.document.get("check_session_iframe").is_none());
        everything_of(&told).await;
    }
}
