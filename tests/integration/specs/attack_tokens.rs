//! SECURITY, "Token endpoint" and "JOSE": whose account is closed gets nothing by anything that was handed out before, and no header
//! chooses its own key, not even over a signature that is right.

use std::net::TcpListener;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jwk::{Jwk, KeyPair as _, alg::ec::EcKeyPair};
use josekit::jws::{ES256, HS256, JwsSigner};
use serde_json::{Value, json};
use tessera::clock::Clock;
use tessera::flows::key_ring::seal_context;
use tessera::jose::keys::{RsaBits, SigningKey};
use tessera::protocol::SigningAlgorithm;

use super::seed::{Scene, text};
use crate::support::app::{TestClient, TestUser, app_test};
use crate::support::browser::Browser;
use crate::support::http::Answer;
use crate::support::relying_party::{RelyingParty, claims};

/// What a person's client holds when the account is closed.
struct Held {
    rp: RelyingParty,
    code: String,
    tokens: Value,
}

impl Held {
    async fn new(scene: &mut Scene, user: &TestUser, client: &TestClient) -> Self {
        let before = (scene.user.clone(), scene.rp.clone());
        scene.user = user.clone();
        scene.rp = scene.with(client);
        let held = Self {
            rp: scene.rp.clone(),
            code: scene.code().await,
            tokens: scene.tokens().await,
        };
        (scene.user, scene.rp) = before;
        held
    }

    /// Asks everything that can be asked with it: code, refresh and access token, by this client and by one that checks tokens.
    async fn present(&self, asking: &RelyingParty) -> Vec<(u16, String)> {
        let (access, refresh) = (
            text(&self.tokens, "access_token"),
            text(&self.tokens, "refresh_token"),
        );
        let told = |answer: Answer| (answer.status, answer.error());
        let mut seen = vec![told(self.rp.userinfo(access).await)];
        for token in [access, refresh] {
            let active = asking.introspect(token).await["active"] == true;
            seen.push((200, active.to_string()));
        }
        seen.push(told(self.rp.redeem(&self.code).await));
        seen.push(told(self.rp.refresh(refresh).await));
        seen
    }
}

fn good() -> Vec<(u16, String)> {
    [
        (200, ""),
        (200, "true"),
        (200, "true"),
        (200, ""),
        (200, ""),
    ]
    .map(|(status, word)| (status, word.to_owned()))
    .into()
}

fn refused() -> Vec<(u16, String)> {
    [
        (401, "invalid_token"),
        (200, "false"),
        (200, "false"),
        (400, "invalid_grant"),
        (400, "invalid_grant"),
    ]
    .map(|(status, word)| (status, word.to_owned()))
    .into()
}

/// A machine that may introspect.
async fn checking(scene: &Scene) -> RelyingParty {
    let machine = scene.app.machine_client(&scene.tenant, "").await;
    scene.with(&machine)
}

/// A key that the server believes, in the attacker's hands: whatever is refused here is refused for what the token says.
struct Real {
    signer: Box<dyn JwsSigner>,
    kid: String,
    public: Value,
    pair: EcKeyPair,
}

impl Real {
    fn new(kid: &str, public: Value, private: &[u8]) -> Self {
        let jwk = Jwk::from_bytes(private).expect("a JWK");
        Self {
            signer: Box::new(ES256.signer_from_jwk(&jwk).expect("a signer")),
            kid: kid.to_owned(),
            public,
            pair: EcKeyPair::from_jwk(&jwk).expect("a pair"),
        }
    }

    /// The tenant's own.
    async fn of(scene: &Scene) -> Self {
        let tenant = scene.loaded().await;
        let keys = scene.write(|repo| repo.list_keys()).await;
        let record = keys.first().expect("a key");
        let context = seal_context(tenant.id(), record.id);
        let private = tenant
            .data_key()
            .open(context, &record.sealed_private_jwk)
            .expect("it opens");
        Self::new(&record.kid, record.public_jwk.clone(), &private)
    }

    fn header(&self, typ: &str) -> String {
        json!({ "alg": "ES256", "typ": typ, "kid": self.kid }).to_string()
    }

    fn sign(&self, header: &str, payload: &str) -> String {
        compact(&*self.signer, header, payload)
    }
}

fn compact(signer: &dyn JwsSigner, header: &str, payload: &str) -> String {
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = signer.sign(input.as_bytes()).expect("signed");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Everywhere where a token of somebody's making is read: both kinds of the tenant's own tokens, and a client's assertions.
struct Doors {
    scene: Scene,
    tenant: Real,
    client: Real,
    machine: TestClient,
    access: Value,
    id: Value,
    signed_in: Browser,
}

impl Doors {
    async fn new(scene: Scene) -> Self {
        let generated =
            SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default()).expect("a key");
        let public = generated.key.public_jwk().clone();
        let metadata = json!({
            "grant_types": ["client_credentials"], "response_types": [], "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": [public] },
        });
        let machine = scene.app.client(&scene.tenant, metadata).await;
        let mut signed_in = scene.app.browser();
        let tokens = scene.rp.sign_in(&mut signed_in, &scene.user).await;
        Self {
            tenant: Real::of(&scene).await,
            client: Real::new(generated.key.kid(), public, &generated.private_jwk),
            machine,
            access: tokens.access_claims(),
            id: tokens.id_claims(),
            signed_in,
            scene,
        }
    }

    fn assertion(&self) -> Value {
        let (id, now) = (
            self.machine.client_id(),
            self.scene.app.provider.clock.unix(),
        );
        json!({
            "iss": id, "sub": id, "aud": self.scene.tenant.issuer, "exp": now + 60, "iat": now, "jti": Clock::system().uuid_v4(),
        })
    }

    /// What each door says to a token of its kind, made by `make` from the key that it believes, the type, and good claims.
    async fn knock(&self, make: impl Fn(&Real, &str, &Value) -> String) -> Vec<(u16, String)> {
        let (app, tenant) = (&self.scene.app, &self.scene.tenant);
        let access = make(&self.tenant, "at+jwt", &self.access);
        let hint = make(&self.tenant, "JWT", &self.id);
        let assertion = make(&self.client, "JWT", &self.assertion());
        let userinfo = self.scene.rp.userinfo(&access).await;
        let introspected = self.scene.rp.introspect(&access).await;
        let form = [
            ("grant_type", "client_credentials"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", assertion.as_str()),
        ];
        let asserted = app.post(&tenant.url("/token"), &form).send().await;
        let silent = self
            .scene
            .rp
            .authorization_url(&[("prompt", "none"), ("id_token_hint", &hint)]);
        let silent = self.signed_in.clone().open(&silent).await.answer;
        let mut logout = url::Url::parse(&tenant.url("/logout")).expect("a URL");
        logout.query_pairs_mut().append_pair("id_token_hint", &hint);
        // Without its session there is nobody to sign out, and the browser above stays signed in.
        let logout = app.browser().fetch(logout.as_str(), None).await;
        vec![
            (userinfo.status, userinfo.error()),
            (200, introspected["active"].to_string()),
            (asserted.status, asserted.error()),
            (
                silent.status,
                silent.location_param("error").unwrap_or_default(),
            ),
            (logout.status, logout.error()),
        ]
    }

    async fn expect_welcome(&self) {
        let seen = self
            .knock(|key, typ, claims| key.sign(&key.header(typ), &claims.to_string()))
            .await;
        let wanted = [(200, ""), (200, "true"), (200, ""), (303, ""), (200, "")];
        assert_eq!(seen, wanted.map(|(status, word)| (status, word.to_owned())));
    }

    async fn expect_refused(&self, name: &str, make: impl Fn(&Real, &str, &Value) -> String) {
        let wanted = [
            (401, "invalid_token"),
            (200, "false"),
            (401, "invalid_client"),
            (303, "invalid_request"),
            (400, "invalid_request"),
        ];
        let wanted = wanted.map(|(status, word)| (status, word.to_owned()));
        assert_eq!(self.knock(make).await, wanted, "{name}");
    }
}

/// How a key becomes bytes that somebody might take for a secret.
type Form = Box<dyn Fn(&Real) -> Vec<u8>>;

/// JSON with a member put before the others, which may bear one of their names.
fn preceded(name: &str, value: &Value, object: &str) -> String {
    format!("{{{}:{value},{}", json!(name), &object[1..])
}

app_test! {
    async fn whose_account_is_closed_gets_nothing_by_any_grant(app: TestApp) {
        let mut scene = Scene::new(app).await;
        let asking = checking(&scene).await;
        let clients = [scene.app.public_client(&scene.tenant).await, scene.rp.client.clone()];
        for (number, client) in clients.iter().enumerate() {
            for deleted in [false, true] {
                let name = |who: &str| format!("{who}-{number}-{deleted}@acme.example");
                let closed = scene.app.user(&scene.tenant, &name("closed"), "a long enough password").await;
                let twin = scene.app.user(&scene.tenant, &name("twin"), "a long enough password").await;
                let held = Held::new(&mut scene, &closed, client).await;
                let twins = Held::new(&mut scene, &twin, client).await;
                // What is asked before is remembered nowhere: it would be good for as long as a cache keeps it.
                assert_eq!(held.rp.userinfo(text(&held.tokens, "access_token")).await.status, 200);
                let id = closed.id;
                assert!(scene.write(move |repo| if deleted { repo.delete_user(id) } else { repo.set_user_disabled(id, true) }).await);
                assert_eq!(held.present(&asking).await, refused(), "{number} {deleted}");
                assert_eq!(twins.present(&asking).await, good(), "{number} {deleted}");
            }
        }
    }

    async fn a_closed_account_is_closed_on_every_node_within_a_second(app: TestApp) {
        let mut scene = Scene::new(app).await;
        let asking = checking(&scene).await;
        let node = scene.second_node().await;
        let (user, client) = (scene.user.clone(), scene.rp.client.clone());
        let mut held = Held::new(&mut scene, &user, &client).await;
        held.rp.move_to(&node.http);
        let mut elsewhere = asking.clone();
        elsewhere.move_to(&node.http);
        assert_eq!(held.rp.userinfo(text(&held.tokens, "access_token")).await.status, 200);
        scene.set_disabled(true).await;
        actix_web::rt::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(held.present(&elsewhere).await, refused());
    }

    async fn guessing_at_a_password_takes_nothing_from_whose_it_is(app: TestApp) {
        // Locked is who guesses, not the person: else anybody could sign them out of everything.
        let mut scene = Scene::new(app).await;
        let asking = checking(&scene).await;
        let (user, client) = (scene.user.clone(), scene.rp.client.clone());
        let held = Held::new(&mut scene, &user, &client).await;
        let mut stranger = scene.app.browser();
        let page = stranger.open(&scene.tenant.url("/login")).await;
        let wrong = TestUser { password: "a wrong password".into(), ..user.clone() };
        for _ in 0..10 {
            assert_eq!(stranger.sign_in(&page, &wrong).await.answer.status, 400);
        }
        assert_eq!(stranger.sign_in(&page, &user).await.answer.status, 429);
        assert_eq!(held.present(&asking).await, good());
    }

    async fn a_published_key_is_no_shared_secret_in_any_form(app: TestApp) {
        let doors = Doors::new(Scene::new(app).await).await;
        doors.expect_welcome().await;
        let jwks = doors.scene.app.get(&doors.scene.tenant.url("/jwks")).send().await.expect_ok().body;
        let decoded = |real: &Real, name: &str| URL_SAFE_NO_PAD.decode(real.public[name].as_str().expect("text")).expect("base64url");
        let forms: Vec<(&str, Form)> = vec![
            ("PEM", Box::new(|real| real.pair.to_pem_public_key())),
            ("PEM without its last line's end", Box::new(|real| real.pair.to_pem_public_key().trim_ascii_end().to_vec())),
            ("DER", Box::new(|real| real.pair.to_der_public_key())),
            ("JWK", Box::new(|real| real.public.to_string().into_bytes())),
            ("JWK for readers", Box::new(|real| serde_json::to_vec_pretty(&real.public).expect("JSON"))),
            ("JWK set", Box::new(move |_| jwks.clone().into_bytes())),
            ("its name", Box::new(|real| real.kid.clone().into_bytes())),
            ("point", Box::new(move |real| [vec![4], decoded(real, "x"), decoded(real, "y")].concat())),
        ];
        for (name, form) in &forms {
            for (alg, with_kid) in [("HS256", true), ("HS256", false), ("ES256", true)] {
                doors.expect_refused(&format!("{name} {alg} {with_kid}"), |real, typ, claims| {
                    let signer = HS256.signer_from_bytes(form(real)).expect("a signer");
                    let mut header = json!({ "alg": alg, "typ": typ });
                    if with_kid {
                        header["kid"] = json!(real.kid);
                    }
                    compact(&signer, &header.to_string(), &claims.to_string())
                }).await;
            }
        }
        doors.expect_welcome().await;
    }

    async fn a_header_brings_no_key_even_over_a_right_signature(app: TestApp) {
        let doors = Doors::new(Scene::new(app).await).await;
        doors.expect_welcome().await;
        let trap = TcpListener::bind("127.0.0.1:0").expect("a port");
        trap.set_nonblocking(true).expect("set");
        let jwks = format!("http://localhost:{}/jwks", trap.local_addr().expect("an address").port());
        for (name, value) in [
            ("jku", json!(jwks)), ("x5u", json!(jwks)), ("x5c", json!(["MIIB"])), ("jku", json!("")), ("jwk", Value::Null),
            ("crit", json!(["exp"])), ("crit", json!(["urn:example:unknown"])), ("crit", json!(["b64"])), ("crit", json!([])), ("crit", json!("exp")),
        ] {
            doors.expect_refused(&format!("{name} {value}"), |real, typ, claims| {
                // The key that it brings is the one that signed.
                let value = if name == "jwk" { &real.public } else { &value };
                real.sign(&preceded(name, value, &real.header(typ)), &claims.to_string())
            }).await;
        }
        assert_eq!(trap.accept().err().map(|error| error.kind()), Some(std::io::ErrorKind::WouldBlock), "something was fetched");
        doors.expect_welcome().await;
    }

    async fn a_name_that_is_there_twice_spoils_a_right_signature(app: TestApp) {
        let doors = Doors::new(Scene::new(app).await).await;
        for name in ["alg", "kid", "typ"] {
            doors.expect_refused(name, |real, typ, claims| {
                let header = real.header(typ);
                let value: Value = serde_json::from_str(&header).expect("JSON");
                real.sign(&preceded(name, &value[name], &header), &claims.to_string())
            }).await;
        }
        for name in ["iss", "sub", "exp"] {
            doors.expect_refused(name, |real, typ, claims| {
                real.sign(&real.header(typ), &preceded(name, &claims[name], &claims.to_string()))
            }).await;
        }
        doors.expect_refused("within", |real, typ, claims| {
            real.sign(&real.header(typ), &format!("{{\"act\":{{\"sub\":\"a\",\"sub\":\"a\"}},{}", &claims.to_string()[1..]))
        }).await;
        doors.expect_welcome().await;
    }

    async fn a_token_of_one_kind_is_none_of_another(app: TestApp) {
        let doors = Doors::new(Scene::new(app).await).await;
        // Types of neither kind, and the kinds swapped: claims and key are right.
        for typ in ["logout+jwt", "dpop+jwt", "secevent+jwt", "oauth-authz-req+jwt"] {
            doors.expect_refused(typ, |real, _, claims| real.sign(&real.header(typ), &claims.to_string())).await;
        }
        let swapped = |typ: &str| if typ == "JWT" { "at+jwt" } else { "JWT" };
        let seen = doors.knock(|real, typ, claims| real.sign(&real.header(swapped(typ)), &claims.to_string())).await;
        assert_eq!(seen[0], (401, "invalid_token".to_owned()));
        assert_eq!(seen[1], (200, "false".to_owned()));
        assert_eq!((&seen[3], &seen[4]), (&(303, "invalid_request".to_owned()), &(400, "invalid_request".to_owned())));
        doors.expect_welcome().await;
    }

    async fn what_is_packed_or_encrypted_is_not_unpacked(app: TestApp) {
        let doors = Doors::new(Scene::new(app).await).await;
        for header in [
            json!({ "alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2_147_483_647, "p2s": "AAAAAAAAAAAAAAAAAAAAAA" }),
            json!({ "alg": "dir", "enc": "A256GCM", "zip": "DEF" }),
        ] {
            let started = std::time::Instant::now();
            doors.expect_refused(&header.to_string(), |_, _, _| {
                let part = URL_SAFE_NO_PAD.encode([0; 32]);
                format!("{}.{part}.{part}.{part}.{part}", URL_SAFE_NO_PAD.encode(header.to_string()))
            }).await;
            // Two thousand million rounds take minutes.
            assert!(started.elapsed() < Duration::from_secs(10));
        }
        doors.expect_welcome().await;
        assert_eq!(doors.access["client_id"], claims(text(&doors.scene.tokens().await, "access_token"))["client_id"]);
    }
}
