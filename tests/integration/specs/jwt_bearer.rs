//! Assertions as grants (RFC 7523 §2.1): whose word counts, to whom, for whom, and once.

use serde_json::{Value, json};
use tessera::domain::ids::ClientId;
use tessera::domain::role::Role;
use tessera::jose::keys::{RsaBits, SigningKey};
use tessera::protocol::SigningAlgorithm;

use super::console::administrator;
use super::console_settings::{SETTINGS, press, with};
use super::seed::{Scene, at_once, text};
use crate::support::admin::Admin;
use crate::support::app::{TestApp, app_test};
use crate::support::http::Answer;
use crate::support::race::overtaken;
use crate::support::relying_party::{RelyingParty, claims};

const PAGE: &str = include_str!("../../../docs/src/assertions.md");
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const IDP: &str = "https://idp.example.org";
const ORDERS: &str = "https://orders.example.com/api";

fn documented() -> [Value; 3] {
    let blocks: Vec<Value> = PAGE
        .split("```json\n")
        .skip(1)
        .map(|rest| {
            serde_json::from_str(rest.split("\n```").next().expect("a block")).expect("JSON")
        })
        .collect();
    blocks.try_into().expect("three documents")
}

struct World {
    scene: Scene,
    key: SigningKey,
    /// May bring what the provider says.
    rp: RelyingParty,
    /// May bring it too.
    twin: RelyingParty,
    /// Has the grant type, and no more.
    other: RelyingParty,
}

impl World {
    /// The documentation's issuer, with a key of this test.
    async fn new(app: TestApp) -> Self {
        let scene = Scene::new(app).await;
        scene
            .app
            .resource(
                &scene.tenant,
                ORDERS,
                &["orders:read", "orders:write", "orders:all"],
            )
            .await;
        let mut clients = Vec::new();
        for _ in 0..3 {
            let metadata =
                json!({ "grant_types": [GRANT], "scope": "orders:read orders:write openid" });
            clients.push(scene.app.client(&scene.tenant, metadata).await);
        }
        let key = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default())
            .expect("a key")
            .key;
        let [rp, twin, other]: [RelyingParty; 3] = clients
            .iter()
            .map(|client| scene.with(client))
            .collect::<Vec<_>>()
            .try_into()
            .unwrap_or_else(|_| panic!("three"));
        let world = Self {
            scene,
            key,
            rp,
            twin,
            other,
        };
        world.trust(&json!({})).await;
        world
    }

    fn issuers(&self, changes: &Value) -> Value {
        let [mut issuers, _, _] = documented();
        let one = issuers[0].as_object_mut().expect("an object");
        one.remove("jwks_uri");
        one.insert("jwks".into(), json!({ "keys": [self.key.public_jwk()] }));
        one.insert(
            "clients".into(),
            json!([self.rp.client.client_id(), self.twin.client.client_id()]),
        );
        one.insert("scope".into(), json!("orders:read orders:all"));
        for (name, value) in changes.as_object().expect("an object") {
            one.insert(name.clone(), value.clone());
        }
        issuers
    }

    async fn trust(&self, changes: &Value) {
        let issuers = self.issuers(changes);
        self.scene
            .app
            .change_settings(&self.scene.tenant, |settings| {
                settings.assertion_issuers =
                    serde_json::from_value(issuers.clone()).expect("issuers");
            })
            .await;
    }

    /// What the documentation has the provider sign, with some members changed; `null` takes one out.
    fn says(&self, changes: &Value) -> Value {
        let [_, mut said, _] = documented();
        let now = self.scene.app.provider.clock.unix();
        said["aud"] = json!(self.scene.tenant.issuer);
        said["email"] = json!(self.scene.user.email);
        said["iat"] = json!(now);
        said["exp"] = json!(now + 60);
        said["jti"] = json!(self.scene.app.provider.clock.uuid_v7().to_string());
        for (name, value) in changes.as_object().expect("an object") {
            if value.is_null() {
                said.as_object_mut().expect("an object").remove(name);
            } else {
                said[name] = value.clone();
            }
        }
        said
    }

    fn signed(&self, changes: &Value) -> String {
        self.key
            .sign_jwt("JWT", &self.says(changes))
            .expect("a JWT")
    }
}

async fn bring(rp: &RelyingParty, assertion: &str, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![("grant_type", GRANT), ("assertion", assertion)];
    form.extend_from_slice(more);
    rp.token(&form).await
}

app_test! {
    /// By the documentation's words: an access token that says who, for which client and for what, and nothing of a sign-in.
    async fn a_provider_vouches_for_a_person(app: TestApp) {
        let world = World::new(app).await;
        let [_, _, shown] = documented();
        let values = [("$CLIENT_ID", world.rp.client.client_id()), ("$CLIENT_SECRET", world.rp.client.secret().to_owned()), ("$ASSERTION", world.signed(&json!({})))];
        let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let block = PAGE.split("```sh\n").nth(3).and_then(|rest| rest.split("```").next()).expect("a command");
        let answer = crate::specs::rfc8628::documented(&world.scene, block, &values).await.expect_ok();
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let answer = answer.json();
        let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&answer), names(&shown));
        let access = text(&answer, "access_token");
        let said = claims(access);
        assert_eq!((&said["sub"], &said["client_id"], &said["scope"]), (&json!(world.scene.user.id.to_string()), &json!(world.rp.client.client_id()), &json!("orders:read")));
        for name in ["auth_time", "acr", "amr", "sid"] {
            assert_eq!(said.get(name), None, "{name}");
        }
        assert_eq!(world.rp.introspect(access).await["sub"], said["sub"]);
        assert_eq!(world.scene.events("token.asserted"), 1);
        // No person's own claims are behind it.
        assert_eq!(world.rp.userinfo(access).await.status, 403);
        // Nor what they administer: they haven't signed in.
        world.scene.grant_role(Role::Auditor).await;
        let token = bring(&world.rp, &world.signed(&json!({})), &[]).await.expect_ok().json();
        let token = text(&token, "access_token");
        assert_eq!((claims(token).get("roles"), world.rp.introspect(token).await.get("roles")), (None, None));
        // All that both may have, unless told; at a resource.
        let all = bring(&world.twin, &world.signed(&json!({})), &[("resource", ORDERS)]).await.expect_ok().json();
        assert_eq!((&all["scope"], &claims(text(&all, "access_token"))["aud"]), (&json!("orders:read"), &json!(ORDERS)));
        // At the token endpoint's address too, unless the tenant wants the issuer's.
        let at_endpoint = || world.signed(&json!({ "aud": world.scene.tenant.url("/token") }));
        bring(&world.rp, &at_endpoint(), &[]).await.expect_ok();
        world.scene.app.change_settings(&world.scene.tenant, |settings| settings.require_issuer_audience = true).await;
        bring(&world.rp, &at_endpoint(), &[]).await.expect_error(400, "invalid_grant");
        // What ends it.
        assert_eq!(world.rp.introspect(access).await["active"], true);
        world.scene.set_disabled(true).await;
        RelyingParty::expect_inactive(&world.rp.introspect(access).await);
        bring(&world.rp, &world.signed(&json!({})), &[]).await.expect_error(400, "invalid_grant");
        world.scene.set_disabled(false).await;
        bring(&world.rp, &world.signed(&json!({})), &[]).await.expect_ok();
    }

    /// §3: each claim, each key, each client.
    async fn what_is_refused(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        let now = scene.app.provider.clock.unix();
        let elsewhere = scene.app.tenant("globex").await;
        for change in [
            json!({ "iss": "https://evil.example" }), json!({ "iss": null }), json!({ "aud": elsewhere.issuer }), json!({ "aud": [scene.tenant.issuer] }), json!({ "aud": null }),
            json!({ "exp": null }), json!({ "exp": now - 30 }), json!({ "exp": now + 331 }), json!({ "nbf": now + 31 }), json!({ "iat": now + 31 }), json!({ "jti": null }), json!({ "jti": "" }),
            json!({ "sub": null }), json!({ "email": "nobody@acme.example" }), json!({ "email": null }), json!({ "email_verified": false }), json!({ "email_verified": "true" }), json!({ "email_verified": null }),
        ] {
            bring(&world.rp, &world.signed(&change), &[]).await.expect_error(400, "invalid_grant");
        }
        // Another's key, no key, a secret made of the public key; another kind of JWT.
        let strange = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default()).expect("a key").key;
        for assertion in [
            strange.sign_jwt("JWT", &world.says(&json!({}))).expect("a JWT"), world.key.sign_jwt("at+jwt", &world.says(&json!({}))).expect("a JWT"),
            format!("{}.", world.signed(&json!({})).rsplit_once('.').expect("a signature").0), "a.b.c".to_owned(), "nothing".to_owned(),
        ] {
            bring(&world.rp, &assertion, &[]).await.expect_error(400, "invalid_grant");
        }
        // A client of whom its issuer says nothing learns no more than of an issuer that isn't there.
        let (unlisted, unknown) = (bring(&world.other, &world.signed(&json!({})), &[]).await, bring(&world.rp, &world.signed(&json!({ "iss": "https://evil.example" })), &[]).await);
        assert_eq!(unlisted.body, unknown.body);
        // More than both may give, and what is no scope of an API.
        for scope in ["orders:write", "orders:all", "openid", "tessera:admin", "orders:read openid", "nobody's"] {
            bring(&world.rp, &world.signed(&json!({})), &[("scope", scope)]).await.expect_error(400, "invalid_scope");
        }
        bring(&world.rp, &world.signed(&json!({})), &[("resource", "https://elsewhere.example")]).await.expect_error(400, "invalid_target");
        bring(&world.rp, &world.signed(&json!({})), &[("authorization_details", "[{\"type\":\"x\"}]")]).await.expect_error(400, "invalid_authorization_details");
        world.rp.token(&[("grant_type", GRANT)]).await.expect_error(400, "invalid_request");
        // Without the grant type, without authentication, in another tenant.
        let plain = scene.app.machine_client(&scene.tenant, "orders:read").await;
        bring(&scene.with(&plain), &world.signed(&json!({})), &[]).await.expect_error(400, "unauthorized_client");
        let id = world.rp.client.client_id();
        let bare = scene.app.post(&scene.tenant.url("/token"), &[("grant_type", GRANT), ("assertion", &world.signed(&json!({}))), ("client_id", &id)]).send().await;
        assert_eq!(bare.status, 401, "{}", bare.body);
        let there = scene.app.client(&elsewhere, json!({ "grant_types": [GRANT], "scope": "openid" })).await;
        let there = RelyingParty::new(&scene.app, &elsewhere, &there);
        bring(&there, &world.signed(&json!({ "aud": elsewhere.issuer })), &[]).await.expect_error(400, "unauthorized_client");
        assert_eq!(scene.events("token.asserted"), 0);
        // An address that nobody here has verified is anybody's.
        let user = scene.user.id;
        scene.write(move |repo| {
            let mut user = repo.find_user(user)?.expect("the person");
            user.email_verified = false;
            repo.update_user(&user)
        }).await;
        bring(&world.rp, &world.signed(&json!({})), &[]).await.expect_error(400, "invalid_grant");
        // By id: another tenant's person is nobody.
        world.trust(&json!({ "subjects": "id" })).await;
        let theirs = scene.app.user(&elsewhere, "ana@acme.example", "a long enough password").await;
        for sub in [json!(theirs.id.to_string()), json!("mike"), json!(scene.user.email)] {
            bring(&world.rp, &world.signed(&json!({ "sub": sub })), &[]).await.expect_error(400, "invalid_grant");
        }
        bring(&world.rp, &world.signed(&json!({ "sub": scene.user.id.to_string() })), &[]).await.expect_ok();
    }

    /// By the name that was written down for that issuer, and for no other.
    async fn people_go_by_their_names_elsewhere(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        world.trust(&json!({ "subjects": "stored" })).await;
        let mike = || world.signed(&json!({}));
        bring(&world.rp, &mike(), &[]).await.expect_error(400, "invalid_grant");
        let program = Admin::program(&scene.app, &scene.tenant).await;
        let path = "/tenants/acme/external-subjects";
        let name = |issuer: &str, subject: &str| json!({ "user_id": scene.user.id.to_string(), "issuer": issuer, "subject": subject });
        assert_eq!(program.post(path, &name("https://other.example", "mike")).await.status, 201);
        bring(&world.rp, &mike(), &[]).await.expect_error(400, "invalid_grant");
        let made = program.post(path, &name(IDP, "mike")).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let given = bring(&world.rp, &mike(), &[]).await.expect_ok().json();
        assert_eq!(claims(text(&given, "access_token"))["sub"], json!(scene.user.id.to_string()));
        // Once for each issuer, of somebody who is there, within bounds.
        let elsewhere = scene.app.tenant("globex").await;
        let theirs = scene.app.user(&elsewhere, "kim@globex.example", "a long enough password").await;
        for (body, status) in [
            (name(IDP, "mike"), 409), (name("", "x"), 422), (name(IDP, ""), 422), (name(IDP, &"x".repeat(1025)), 422), (name(IDP, "a\nb"), 422),
            (json!({ "user_id": theirs.id.to_string(), "issuer": IDP, "subject": "kim" }), 422), (json!({ "issuer": IDP, "subject": "kim" }), 422),
        ] {
            let answer = program.post(path, &body).await;
            assert_eq!(answer.status, status, "{body}: {}", answer.body);
        }
        let listed = program.get(&format!("{path}?user={}", scene.user.id)).await.expect_ok().json();
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(2));
        // Whoever manages people names nobody who administers more than they do.
        let manager = scene.app.user(&scene.tenant, "lee@acme.example", "a long enough password").await;
        let manager = Admin::person(&scene.app, &scene.tenant, &manager, &[tessera::domain::role::Role::UserManager]).await;
        assert_eq!(manager.post(path, &name(IDP, "m")).await.status, 201);
        scene.grant_role(tessera::domain::role::Role::Administrator).await;
        assert_eq!(manager.post(path, &name(IDP, "m2")).await.status, 403);
        let one = format!("{path}/{}", text(&made.json(), "id"));
        assert_eq!(manager.delete(&one).await.status, 403);
        assert_eq!(program.delete(&one).await.status, 204);
        bring(&world.rp, &mike(), &[]).await.expect_error(400, "invalid_grant");
        assert_eq!((scene.events("user.external_subject_added"), scene.events("user.external_subject_removed")), (3, 1));
        for more in 0..18 {
            assert_eq!(program.post(path, &name(IDP, &format!("n{more}"))).await.status, 201);
        }
        assert_eq!(program.post(path, &name(IDP, "one too many")).await.status, 409);
        let found = async |search: &str| {
            let listed = program.get(&format!("{path}?search={search}&limit=100")).await.expect_ok().json();
            listed["items"].as_array().map_or(0, Vec::len)
        };
        assert_eq!((found("n1").await, found("other.example").await, found("%25").await, found("nobody").await), (9, 1, 0, 0));
    }

    /// What an issuer's word gave ends with the issuer, with its client, with the name, and when the person is to administer.
    async fn a_word_ends_with_what_it_was_given_by(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        world.trust(&json!({ "subjects": "stored" })).await;
        let program = Admin::program(&scene.app, &scene.tenant).await;
        let named = async || {
            let name = json!({ "user_id": scene.user.id.to_string(), "issuer": IDP, "subject": "mike" });
            let made = program.post("/tenants/acme/external-subjects", &name).await;
            assert_eq!(made.status, 201, "{}", made.body);
            text(&made.json(), "id").to_owned()
        };
        let given = async |rp: &RelyingParty| {
            let answer = bring(rp, &world.signed(&json!({})), &[]).await.expect_ok().json();
            text(&answer, "access_token").to_owned()
        };
        let active = async |token: &str| world.rp.introspect(token).await["active"] == true;
        let id = named().await;
        // The name. Somebody else's word, or their own sign-in, is nothing to it.
        let own = scene.tokens().await;
        let (first, second) = (given(&world.rp).await, given(&world.twin).await);
        assert!(active(&first).await && active(&second).await);
        assert_eq!(program.delete(&format!("/tenants/acme/external-subjects/{id}")).await.status, 204);
        assert!(!active(&first).await && !active(&second).await && active(text(&own, "access_token")).await);
        // A client that the issuer may not vouch to any more; the issuer itself.
        named().await;
        let (first, second) = (given(&world.rp).await, given(&world.twin).await);
        let mut issuers = world.issuers(&json!({ "subjects": "stored" }));
        issuers[0]["clients"] = json!([world.twin.client.client_id()]);
        program.patch("/tenants/acme/settings", &json!({ "assertion_issuers": issuers })).await.expect_ok();
        assert!(!active(&first).await && active(&second).await);
        // Other keys, and less that it may give.
        issuers[0]["jwks"]["keys"][0]["note"] = json!("another");
        program.patch("/tenants/acme/settings", &json!({ "assertion_issuers": issuers })).await.expect_ok();
        assert!(!active(&second).await);
        let second = given(&world.twin).await;
        program.patch("/tenants/acme/settings", &json!({ "assertion_issuers": [] })).await.expect_ok();
        assert!(!active(&second).await && active(text(&own, "access_token")).await);
        // Whoever is to administer is nobody's to name until an administrator names them again.
        world.trust(&json!({ "subjects": "stored" })).await;
        let first = given(&world.rp).await;
        let manager = scene.app.user(&scene.tenant, "lee@acme.example", "a long enough password").await;
        let manager = Admin::person(&scene.app, &scene.tenant, &manager, &[Role::UserManager]).await;
        let tenant = scene.loaded().await;
        let user = scene.app.provider.load_user(&tenant, scene.user.id).await.expect("the person");
        let by = tessera::flows::admin::By::command_line();
        assert!(scene.app.provider.grant_role(&tenant, &user, Role::Auditor, &by).await.expect("a role"));
        assert!(!active(&first).await);
        bring(&world.rp, &world.signed(&json!({})), &[]).await.expect_error(400, "invalid_grant");
        let name = json!({ "user_id": scene.user.id.to_string(), "issuer": IDP, "subject": "mike" });
        assert_eq!(manager.post("/tenants/acme/external-subjects", &name).await.status, 403);
        named().await;
        given(&world.rp).await;
        // A set of issuers isn't kept by every process without bounds.
        let large: Vec<_> = (0..20).map(|number| {
            let mut one = world.issuers(&json!({ "issuer": format!("https://idp{number}.example") }))[0].clone();
            one["jwks"]["keys"][0]["note"] = json!("x".repeat(3400));
            one
        }).collect();
        let refused = program.patch("/tenants/acme/settings", &json!({ "assertion_issuers": large })).await;
        assert!(refused.status == 422 && refused.body.contains("65536"), "{} {}", refused.status, refused.body);
    }

    /// What takes somebody's word, or their name of a person, back while it is redeemed comes before that or after it.
    async fn a_word_is_not_overtaken_by_its_end(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        let database = &scene.app.database;
        let node = scene.second_node().await;
        let mut second = world.twin.clone();
        second.move_to(&node.http);
        world.trust(&json!({ "subjects": "stored" })).await;
        let program = Admin::program(&scene.app, &scene.tenant).await;
        let (settings, names) = ("/tenants/acme/settings", "/tenants/acme/external-subjects");
        let name = json!({ "user_id": scene.user.id.to_string(), "issuer": IDP, "subject": "mike" });
        let active = async |answer: Answer| {
            let token = text(&answer.expect_ok().json(), "access_token").to_owned();
            world.rp.introspect(&token).await["active"] == true
        };
        // A node that has the settings as they are.
        let caught_up = async || {
            let version = scene.loaded().await.record.version;
            while node.provider.find_tenant(&scene.tenant.slug).await.expect("storage works").is_none_or(|known| known.record.version < version) {
                actix_web::rt::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        // The issuer is taken out while a token is about to be given by its word, and the other way round.
        let made = program.post(names, &name).await.json();
        let (assertion, nothing) = (world.signed(&json!({})), json!({ "assertion_issuers": [] }));
        let given = bring(&world.rp, &assertion, &[]);
        let (given, changed) = overtaken(database, "assertion_grants", given, program.patch(settings, &nothing)).await;
        changed.expect_ok();
        assert!(!active(given).await);
        world.trust(&json!({ "subjects": "stored" })).await;
        // Whatever a node has in its cache.
        caught_up().await;
        assert!(active(bring(&second, &world.signed(&json!({})), &[]).await).await);
        let assertions = [(); 2].map(|()| world.signed(&json!({})));
        let (changed, refused) = overtaken(database, "audit_events", program.patch(settings, &nothing), bring(&second, &assertions[0], &[])).await;
        changed.expect_ok();
        assert_eq!((refused.status, bring(&second, &assertions[1], &[]).await.status), (400, 400));
        // It may vouch to another client alone; and what else is changed is none of its business.
        world.trust(&json!({ "subjects": "stored" })).await;
        let mut others = world.issuers(&json!({ "subjects": "stored" }));
        others[0]["clients"] = json!([world.twin.client.client_id()]);
        let (others, rest) = (json!({ "assertion_issuers": others }), json!({ "require_pkce": true }));
        let assertions = [(); 2].map(|()| world.signed(&json!({})));
        let (changed, refused) = overtaken(database, "audit_events", program.patch(settings, &others), bring(&world.rp, &assertions[0], &[])).await;
        changed.expect_ok();
        refused.expect_error(400, "invalid_grant");
        let (changed, given) = overtaken(database, "audit_events", program.patch(settings, &rest), bring(&world.twin, &assertions[1], &[])).await;
        changed.expect_ok();
        assert!(active(given).await);
        world.trust(&json!({ "subjects": "stored" })).await;
        // The name is forgotten.
        let (assertion, path) = (world.signed(&json!({})), format!("{names}/{}", text(&made, "id")));
        let (given, forgotten) = overtaken(database, "assertion_grants", bring(&world.rp, &assertion, &[]), program.delete(&path)).await;
        assert_eq!(forgotten.status, 204);
        assert!(!active(given).await);
        // A name is written down of whoever is given a role.
        let (tenant, by) = (scene.loaded().await, tessera::flows::admin::By::command_line());
        let user = scene.app.provider.load_user(&tenant, scene.user.id).await.expect("the person");
        let granted = scene.app.provider.grant_role(&tenant, &user, Role::Auditor, &by);
        let (made, granted) = overtaken(database, "external_subjects", program.post(names, &name), granted).await;
        assert_eq!((made.status, granted.expect("a role")), (201, true));
        bring(&world.rp, &world.signed(&json!({})), &[]).await.expect_error(400, "invalid_grant");
    }

    /// The names at the console: found, written down, forgotten.
    async fn names_are_kept_at_the_console(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        world.trust(&json!({ "subjects": "stored" })).await;
        let (mut browser, _) = administrator(scene).await;
        let at = |path: &str| scene.tenant.url(&format!("/console/external-subjects{path}"));
        let page = browser.open(&scene.tenant.url("/console/users")).await;
        assert!(page.answer.body.contains("/console/external-subjects"), "{}", page.answer.body);
        let page = browser.open(&at("/new")).await;
        let sent = |email: &'static str, subject: &'static str| [("email", email), ("issuer", IDP), ("subject", subject)];
        for (wrong, field) in [(sent("nobody@acme.example", "mike"), "email"), (sent("x", "mike"), "email"), (sent("ana@acme.example", ""), "subject")] {
            let again = browser.submit(&page, &wrong).await;
            assert_eq!(again.answer.status, 422, "{wrong:?}");
            again.expect_id(&format!("{field}-problem"));
        }
        let done = browser.submit(&page, &sent("ana@acme.example", "mike")).await;
        assert!(done.answer.status == 200 && done.answer.body.contains("mike") && done.answer.body.contains("ana@acme.example"), "{}", done.answer.body);
        let page = browser.open(&at("/new")).await;
        browser.submit(&page, &sent("ana@acme.example", "mike")).await.expect_id("subject-problem");
        let token = bring(&world.rp, &world.signed(&json!({})), &[]).await.expect_ok().json();
        let token = text(&token, "access_token");
        for (search, found) in [("mik", true), ("idp.example.org", true), ("nothing", false)] {
            let page = browser.open(&at(&format!("?q={search}"))).await;
            assert_eq!(page.answer.body.contains("mike"), found, "{search}");
        }
        let listed = browser.open(&at("")).await.answer.body;
        let link = listed.split("/console/external-subjects/").find(|rest| rest.contains("/remove\"")).and_then(|rest| rest.split('"').next()).expect("a link").to_owned();
        let page = browser.open(&at(&format!("/{link}"))).await;
        let gone = press(&mut browser, &page, &at(&format!("/{link}")), &[]).await;
        assert_eq!(gone.answer.status, 200);
        RelyingParty::expect_inactive(&world.rp.introspect(token).await);
        assert_eq!((scene.events("user.external_subject_added"), scene.events("user.external_subject_removed")), (1, 1));
        assert_eq!(browser.open(&at(&format!("/{link}"))).await.answer.status, 404);
    }

    /// §3, point 7: once, whoever brings it, on whatever node.
    async fn an_assertion_is_good_once(app: TestApp) {
        let world = World::new(app).await;
        let node = world.scene.second_node().await;
        let mut second = world.twin.clone();
        second.move_to(&node.http);
        let assertion = world.signed(&json!({}));
        bring(&world.rp, &assertion, &[]).await.expect_ok();
        for rp in [&world.rp, &world.twin, &second] {
            bring(rp, &assertion, &[]).await.expect_error(400, "invalid_grant");
        }
        let assertion = world.signed(&json!({}));
        let racing: Vec<_> = (0..8).map(|turn| {
            let (rp, assertion) = (if turn % 2 == 0 { world.rp.clone() } else { second.clone() }, assertion.clone());
            async move { bring(&rp, &assertion, &[]).await }
        }).collect();
        let answers = at_once(racing).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        // Told once for each, however often it comes.
        assert_eq!(world.scene.events("token.assertion_replayed"), 2);
        // Until it would be refused for its age, it is remembered.
        world.scene.app.time.advance(std::time::Duration::from_secs(89));
        bring(&world.rp, &assertion, &[]).await.expect_error(400, "invalid_grant");
    }

    /// Through the administration, and told by discovery as it is.
    async fn issuers_are_administered(app: TestApp) {
        let world = World::new(app).await;
        let scene = &world.scene;
        let program = Admin::program(&scene.app, &scene.tenant).await;
        let set = async |issuers: Value| program.patch("/tenants/acme/settings", &json!({ "assertion_issuers": issuers })).await;
        for change in [
            json!({ "issuer": "" }), json!({ "issuer": "a b" }), json!({ "jwks": null }), json!({ "jwks_uri": "https://idp.example.org/jwks" }), json!({ "jwks": null, "jwks_uri": "http://[::1]/jwks" }), json!({ "jwks": { "keys": [{ "kty": "oct", "k": "x" }] } }),
            json!({ "clients": [] }), json!({ "clients": ["x"] }), json!({ "subjects": "name" }), json!({ "scope": "openid" }), json!({ "scope": "tessera:admin" }), json!({ "scope": "offline_access" }),
            json!({ "max_lifetime": 59 }), json!({ "max_lifetime": 3601 }), json!({ "colour": "red" }),
        ] {
            let answer = set(world.issuers(&change)).await;
            assert!(answer.status == 422 && answer.body.contains("assertion_issuers"), "{change}: {} {}", answer.status, answer.body);
        }
        let twice = json!([world.issuers(&json!({}))[0], world.issuers(&json!({}))[0]]);
        assert_eq!(set(twice).await.status, 422);
        let supported = async || {
            let document = scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
            document["grant_types_supported"].as_array().expect("grants").contains(&json!(GRANT))
        };
        assert!(supported().await);
        set(json!([])).await.expect_ok();
        assert!(!supported().await);
        bring(&world.rp, &world.signed(&json!({})), &[]).await.expect_error(400, "unauthorized_client");
        // A public client, and a stranger's, can't have it.
        let public = program.post("/tenants/acme/clients", &json!({ "grant_types": [GRANT], "token_endpoint_auth_method": "none" })).await;
        assert!(public.status == 422 && public.body.contains("grant_types"), "{}", public.body);
        scene.app.change_settings(&scene.tenant, |settings| settings.registration = tessera::domain::settings::RegistrationPolicy::Open).await;
        let own = scene.app.http.post(&scene.tenant.url("/register")).body("application/json", json!({ "grant_types": [GRANT] }).to_string()).send().await;
        own.expect_error(400, "invalid_client_metadata");
        // The console: as JSON, and a mistake is said beside its field.
        let (mut browser, _) = administrator(scene).await;
        let page = browser.open(&scene.tenant.url("/console/settings")).await;
        page.expect_id("assertion_issuers");
        for wrong in ["{", "[{}]", &world.issuers(&json!({ "max_lifetime": 1 })).to_string()] {
            let again = browser.submit(&page, &with(&SETTINGS, &[("assertion_issuers", wrong)])).await;
            assert_eq!(again.answer.status, 422, "{wrong}");
            again.expect_id("assertion_issuers-problem");
        }
        let saved = browser.submit(&page, &with(&SETTINGS, &[("assertion_issuers", &world.issuers(&json!({})).to_string())])).await;
        assert_eq!(saved.answer.status, 200, "{}", saved.answer.body);
        assert_eq!(scene.loaded().await.settings().assertion_issuers[0].issuer, IDP);
        assert!(world.rp.client.client_id().parse::<ClientId>().is_ok());
    }
}
