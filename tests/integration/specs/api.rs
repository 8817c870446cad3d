//! The administration API: who may, what is made, changed and refused, and how that is told.

use actix_web::http::Method;
use serde_json::{Value, json};
use tessera::domain::role::Role;
use uuid::Uuid;

use super::seed::Scene;
use crate::support::admin::Admin;
use crate::support::app::{TestApp, TestTenant, app_test};
use crate::support::http::Answer;
use crate::support::race::overtaken;
use crate::support::relying_party::RelyingParty;

pub(super) fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{}",
        answer.body
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let problem = answer.json();
    assert_eq!(
        (problem["code"].as_str(), problem["status"].as_u64()),
        (Some(code), Some(status.into())),
        "{problem}"
    );
    assert!(
        !problem["request_id"]
            .as_str()
            .unwrap_or_default()
            .is_empty()
            && problem["detail"].is_string(),
        "{problem}"
    );
    problem
}

fn pointer(problem: &Value) -> &str {
    problem["errors"][0]["pointer"]
        .as_str()
        .unwrap_or_else(|| panic!("no pointer: {problem}"))
}

pub(super) async fn operator(app: &TestApp) -> Admin {
    let system = app.tenant("system").await;
    Admin::program(app, &system).await
}

async fn person(app: &TestApp, tenant: &TestTenant, role: Role) -> Admin {
    let user = app
        .user(
            tenant,
            &format!("{role}@{}.example", tenant.slug),
            "a long enough password",
        )
        .await;
    Admin::person(app, tenant, &user, &[role]).await
}

/// Which roles may what, written down once more: the document and the router read the product's own table, and neither would notice if it
/// changed.
const OPERATIONS: [(&str, &str); 9] = [
    (
        "administrator user-manager client-manager auditor",
        "getTenant getSettings getBranding",
    ),
    (
        "administrator user-manager auditor",
        "listUsers getUser listExternalSubjects getExternalSubject listSessions getSession listConsents",
    ),
    (
        "administrator user-manager",
        "createUser updateUser deleteUser disableUser enableUser resetPassword removeRequestCode createExternalSubject deleteExternalSubject endSessions endSession unshareSession withdrawConsent",
    ),
    (
        "administrator client-manager auditor",
        "listClients getClient listInitialAccessTokens getInitialAccessToken listLogoutDeliveries getLogoutDelivery listResources getResource",
    ),
    (
        "administrator client-manager",
        "createClient updateClient deleteClient rotateClientSecret createInitialAccessToken deleteInitialAccessToken retryLogoutDelivery createResource updateResource deleteResource",
    ),
    (
        "administrator auditor",
        "listAdministrators listDomains getDomain listKeys getKey listEvents getEvent",
    ),
    (
        "administrator",
        "grantRole revokeRole createDomain verifyDomain makeDomainCanonical resetCanonicalDomain deleteDomain rotateKeys revokeKey updateTenant updateSettings updateBranding",
    ),
    // Operators alone.
    (
        "",
        "listTenants createTenant deleteTenant suspendTenant resumeTenant",
    ),
    // Whoever administers anything.
    ("anybody", "me"),
];

/// The roles that may do this; none where everybody may.
fn roles_of(operation: &str) -> Option<Vec<&'static str>> {
    let mut rows = OPERATIONS.iter();
    let row = rows.find(|(_, ids)| ids.split(' ').any(|id| id == operation));
    let (roles, _) = row.unwrap_or_else(|| panic!("{operation} stands in no row"));
    (*roles != "anybody").then(|| roles.split_whitespace().collect())
}

/// Something that no tenant has.
fn nobody(name: &str) -> String {
    match name {
        "role" => "auditor".to_owned(),
        _ => Uuid::from_u128(7).to_string(),
    }
}

/// One of each that an `Idempotency-Key` makes once: where, by what, and the member that says which it is.
fn creations(scene: &Scene) -> [(&'static str, Value, &'static str); 6] {
    [
        (
            "/tenants/acme/users",
            json!({ "email": "new@acme.example" }),
            "id",
        ),
        (
            "/tenants/acme/clients",
            json!({ "client_name": "Shop", "redirect_uris": ["https://shop.example/cb"] }),
            "client_id",
        ),
        (
            "/tenants/acme/resources",
            json!({ "identifier": "https://api.acme.example", "name": "Orders", "scopes": [{ "name": "read" }] }),
            "id",
        ),
        (
            "/tenants/acme/domains",
            json!({ "origin": "https://login.acme.example" }),
            "id",
        ),
        (
            "/tenants/acme/external-subjects",
            json!({ "user_id": scene.user.id, "issuer": "https://idp.example", "subject": "ana" }),
            "id",
        ),
        (
            "/tenants",
            json!({ "slug": "initech", "name": "Initech" }),
            "id",
        ),
    ]
}

app_test! {
    /// The table role × route: written down here, published in the document, tried at the server.
    async fn a_role_may_what_the_document_says_and_nothing_else(app: TestApp) {
        let scene = Scene::new(app).await;
        let operations = Admin::operations(&Admin::document(&scene.app).await);
        for operation in &operations {
            let published = operation.roles.as_ref().map(|roles| roles.iter().map(String::as_str).collect());
            assert_eq!(published, roles_of(&operation.id), "{}", operation.id);
        }
        assert_eq!(OPERATIONS.iter().flat_map(|(_, ids)| ids.split(' ')).count(), operations.len());
        for role in Role::ALL {
            let admin = person(&scene.app, &scene.tenant, role).await;
            for operation in &operations {
                let answer = admin.call(operation, |name| if name == "tenant" { "acme".into() } else { nobody(name) }).await;
                let permitted = roles_of(&operation.id).is_none_or(|roles| roles.contains(&role.as_str()));
                if permitted {
                    assert!(![401, 403, 500].contains(&answer.status), "{role} at {}: {}", operation.id, answer.body);
                } else {
                    problem(&answer, 403, "forbidden");
                }
            }
        }
    }

    async fn an_operator_may_everything_in_every_tenant(app: TestApp) {
        let scene = Scene::new(app).await;
        let operator = operator(&scene.app).await;
        let mut operations = Admin::operations(&Admin::document(&scene.app).await);
        // What ends the tenant comes last.
        operations.sort_by_key(|operation| (operation.id == "deleteTenant", operation.id == "suspendTenant"));
        for operation in &operations {
            let answer = operator.call(operation, |name| if name == "tenant" { "acme".into() } else { nobody(name) }).await;
            assert!(![401, 403, 500].contains(&answer.status), "{}: {}", operation.id, answer.body);
        }
        problem(&operator.get("/tenants/acme").await, 404, "not_found");
    }

    /// Another tenant is no different from one that doesn't exist.
    async fn another_tenants_routes_are_not_there(app: TestApp) {
        let scene = Scene::new(app).await;
        let globex = scene.app.tenant("globex").await;
        let admin = person(&scene.app, &scene.tenant, Role::Administrator).await;
        let program = Admin::program(&scene.app, &scene.tenant).await;
        let their_user = scene.app.user(&globex, "bob@globex.example", "a long enough password").await.id.to_string();
        let their_client = scene.app.web_client(&globex).await.client_id();
        for operation in Admin::operations(&Admin::document(&scene.app).await) {
            if !operation.path.contains("{tenant}") {
                continue;
            }
            for who in [&admin, &program] {
                let mut told = Vec::new();
                for slug in ["globex", "nowhere", "No Slug"] {
                    let answer = who.call(&operation, |name| match name {
                        "tenant" => slug.replace(' ', "%20"),
                        "user" => their_user.clone(),
                        "client" => their_client.clone(),
                        other => nobody(other),
                    }).await;
                    let mut problem = problem(&answer, 404, "not_found");
                    problem["request_id"] = Value::Null;
                    told.push(problem);
                }
                assert!(told.iter().all(|one| *one == told[0]), "{}: {told:?}", operation.id);
            }
        }
        assert!(scene.app.provider.load_user(&*scene.app.load(&globex).await, their_user.parse().expect("an id")).await.is_ok());
    }

    /// Nor is anything of theirs to be found below one's own.
    async fn another_tenants_things_are_not_there(app: TestApp) {
        let scene = Scene::new(app).await;
        let globex = scene.app.tenant("globex").await;
        let (ours, theirs) = (Admin::program(&scene.app, &scene.tenant).await, Admin::program(&scene.app, &globex).await);
        let made = |answer: Answer| { assert!((200..300).contains(&answer.status), "{}", answer.body); answer.json() };
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned();
        let bob = scene.app.user(&globex, "bob@globex.example", "a long enough password").await;
        let client = scene.app.client(&globex, json!({
            "redirect_uris": ["https://shop.example/cb"], "scope": "openid offline_access", "grant_types": ["authorization_code", "refresh_token"],
            "backchannel_logout_uri": "https://shop.example/out",
        })).await;
        let rp = RelyingParty::new(&scene.app, &globex, &client).with_scope("openid offline_access");
        // A session that has ended leaves a delivery, one that hasn't a session and a consent.
        rp.sign_in(&mut scene.app.browser(), &bob).await;
        let sessions = format!("/tenants/globex/sessions?user={}", bob.id);
        assert_eq!(theirs.delete(&sessions).await.status, 204);
        rp.sign_in(&mut scene.app.browser(), &bob).await;
        assert_eq!(theirs.request(Method::PUT, &format!("/tenants/globex/administrators/{}/roles/auditor", bob.id)).send().await.status, 204);
        let first = async |list: &str, id: &str| text(&theirs.get(list).await.expect_ok().json()["items"][0][id]);
        let subject = json!({ "user_id": bob.id, "issuer": "https://idp.example", "subject": "bob" });
        let resource = json!({ "identifier": "https://api.globex.example", "name": "Orders", "scopes": [{ "name": "read" }] });
        let ids = [
            ("user", bob.id.to_string()),
            ("client", client.client_id()),
            ("event", first("/tenants/globex/events", "id").await),
            ("kid", first("/tenants/globex/keys", "kid").await),
            ("session", first(&sessions, "id").await),
            ("logout_delivery", first("/tenants/globex/logout-deliveries", "id").await),
            ("domain", text(&made(theirs.post("/tenants/globex/domains", &json!({ "origin": "https://login.globex.example" })).await)["id"])),
            ("resource", text(&made(theirs.post("/tenants/globex/resources", &resource).await)["id"])),
            ("external_subject", text(&made(theirs.post("/tenants/globex/external-subjects", &subject).await)["id"])),
            ("initial_access_token", text(&made(theirs.post("/tenants/globex/initial-access-tokens", &json!({ "name": "CI" })).await)["id"])),
            ("role", "auditor".to_owned()),
        ];
        let fill = |slug: &'static str| {
            let ids = &ids;
            move |name: &str| match name {
                "tenant" => slug.to_owned(),
                name => ids.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("nothing of theirs for {name}")).1.clone(),
            }
        };
        let mut operations = Admin::operations(&Admin::document(&scene.app).await);
        operations.retain(|operation| operation.path.trim_start_matches("/tenants/{tenant}").contains('{'));
        for operation in &operations {
            let answer = ours.call(operation, fill("acme")).await;
            problem(&answer, 404, "not_found");
        }
        // All of it is there for whoever it belongs to.
        for operation in operations.iter().filter(|operation| operation.method == Method::GET) {
            let answer = theirs.call(operation, fill("globex")).await;
            assert_eq!(answer.status, 200, "{}: {}", operation.id, answer.body);
        }
        assert_eq!(theirs.get(&format!("/tenants/globex/consents?user={}", bob.id)).await.json()["items"].as_array().map(Vec::len), Some(1));
    }

    async fn only_a_token_for_this_api_is_taken(app: TestApp) {
        let scene = Scene::new(app).await;
        let url = format!("{}/api/v1/me", scene.app.root());
        let bare = scene.app.get(&url).send().await;
        problem(&bare, 401, "invalid_token");
        assert!(bare.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer ") && !value.contains("error=")));
        for header in ["Basic YTpi", "Bearer", "Bearer a b", "Bearer tsa_AAAA", "Bearer e30.e30.AAAA"] {
            let answer = scene.app.get(&url).header("authorization", header).send().await;
            problem(&answer, 401, "invalid_token");
        }
        // For the issuer, not for the API.
        let tokens = scene.rp.sign_in(&mut scene.app.browser(), &scene.user).await;
        problem(&Admin::with_token(&scene.app, &tokens.access_token).get("/me").await, 401, "invalid_token");
        // An ID token is no access token.
        problem(&Admin::with_token(&scene.app, tokens.id_token.as_deref().expect("an ID token")).get("/me").await, 401, "invalid_token");
        // The right audience without the scope.
        let machine = scene.app.machine_client(&scene.tenant, "tessera:admin").await;
        let api = format!("{}/api/v1", scene.app.root());
        let rp = scene.with(&machine);
        let right = rp.client_credentials(&[("scope", "tessera:admin"), ("resource", &api)]).await;
        let me = Admin::with_token(&scene.app, &right.access_token).get("/me").await.expect_ok().json();
        assert_eq!((me["tenant"].as_str(), me["operator"].as_bool(), me["kind"].as_str()), (Some("acme"), Some(false), Some("client")));
        // A person who administers nothing.
        let nothing = Admin::person(&scene.app, &scene.tenant, &scene.user, &[]).await;
        problem(&nothing.get("/me").await, 403, "forbidden");
        // Suspended with their tenant.
        let operator = operator(&scene.app).await;
        operator.act("/tenants/acme/suspend").await.expect_ok();
        problem(&Admin::with_token(&scene.app, &right.access_token).get("/me").await, 403, "tenant_suspended");
        operator.act("/tenants/acme/resume").await.expect_ok();
        Admin::with_token(&scene.app, &right.access_token).get("/me").await.expect_ok();
    }

    async fn a_creation_is_repeated_by_its_key(app: TestApp) {
        let scene = Scene::new(app).await;
        let (admin, operator) = (Admin::program(&scene.app, &scene.tenant).await, operator(&scene.app).await);
        for (path, body, id) in creations(&scene) {
            let who = if path == "/tenants" { &operator } else { &admin };
            let send = async |key: &str, body: &Value| {
                who.request(Method::POST, path).header("idempotency-key", key).body("application/json", body.to_string()).send().await
            };
            let (first, again) = (send(path, &body).await, send(path, &body).await);
            assert_eq!((first.status, again.status), (201, 201), "{} {}", first.body, again.body);
            assert_eq!((first.json()[id].clone(), first.header("location")), (again.json()[id].clone(), again.header("location")));
            assert_eq!((first.json()["link"]["url"].clone(), first.json()["client_secret"].clone()), (again.json()["link"]["url"].clone(), again.json()["client_secret"].clone()));
            // Another request by the same key, and a key that is none.
            let mut other = body.clone();
            let (member, value) = match path {
                "/tenants/acme/users" => ("email", "other@acme.example"),
                "/tenants/acme/clients" => ("client_name", "Store"),
                "/tenants/acme/domains" => ("origin", "https://id.acme.example"),
                "/tenants/acme/external-subjects" => ("subject", "bob"),
                _ => ("name", "Another name"),
            };
            other[member] = value.into();
            problem(&send(path, &other).await, 409, "idempotency_key_used");
            problem(&send(&"k".repeat(256), &body).await, 400, "malformed_request");
        }
        // Somebody else's key is another key.
        let other = Admin::program(&scene.app, &scene.tenant).await;
        let body = json!({ "email": "third@acme.example" }).to_string();
        let made = other.request(Method::POST, "/tenants/acme/users").header("idempotency-key", "/tenants/acme/users").body("application/json", body).send().await;
        assert_eq!(made.status, 201, "{}", made.body);
    }

    /// Whoever sends it again before it was answered waits for the first, and gets the same.
    async fn a_creation_is_repeated_while_the_first_is_under_way(app: TestApp) {
        let scene = Scene::new(app).await;
        let (admin, operator) = (Admin::program(&scene.app, &scene.tenant).await, operator(&scene.app).await);
        for (path, body, id) in creations(&scene) {
            let who = if path == "/tenants" { &operator } else { &admin };
            let send = || who.request(Method::POST, path).header("idempotency-key", path).body("application/json", body.to_string()).send();
            let (first, again) = overtaken(&scene.app.database, "audit_events", Box::pin(send()), Box::pin(send())).await;
            assert_eq!((first.status, again.status), (201, 201), "{path}: {} {}", first.body, again.body);
            assert_eq!(first.json()[id], again.json()[id], "{path}");
        }
    }

    /// What was answered is answered again, though new links would live for another while.
    async fn a_link_that_is_told_again_ends_when_it_ends(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let body = json!({ "email": "new@acme.example" }).to_string();
        let send = async || admin.request(Method::POST, "/tenants/acme/users").header("idempotency-key", "once").body("application/json", body.as_str()).send().await;
        let made = send().await.json();
        assert!(made["link"]["expires_at"].is_string(), "{made}");
        scene.app.change_settings(&scene.tenant, |settings| settings.one_time_link_lifetime = 600).await;
        let again = send().await;
        assert_eq!((again.status, &again.json()), (201, &made));
        // What nobody knows any more is left out rather than made up.
        scene.app.database.raw().execute("DELETE FROM one_time_links").expect("deleted");
        let again = send().await;
        assert_eq!((again.status, again.json().get("link"), &again.json()["id"]), (201, None, &made["id"]), "{}", again.body);
    }

    /// Of another address nobody knows whose it is, unless whoever changes it says so.
    async fn another_address_is_not_verified(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let body = json!({ "email": "kim@acme.example", "email_verified": true });
        let made = admin.post("/tenants/acme/users", &body).await.json();
        let path = format!("/tenants/acme/users/{}", made["id"].as_str().expect("an id"));
        for (change, verified) in [
            (json!({ "claims": { "given_name": "Kim" } }), true), (json!({ "email": "kim@acme.example" }), true),
            // The same address to sign in with.
            (json!({ "email": "Kim@ACME.example" }), true), (json!({ "email": "kim@new.example" }), false), (json!({ "email_verified": true }), true),
            (json!({ "email": "kim@other.example", "email_verified": true }), true), (json!({ "email": "KIM@other.example", "email_verified": false }), false),
            (json!({ "email": "kim@acme.example" }), false), (json!({ "email_verified": true }), true), (json!({ "email_verified": null }), false),
        ] {
            let changed = admin.patch(&path, &change).await.expect_ok().json();
            assert_eq!(changed["email_verified"], verified, "{change}: {changed}");
        }
    }

    async fn a_change_needs_the_version_that_was_seen(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let user = format!("/tenants/acme/users/{}", scene.user.id);
        let client = admin.post("/tenants/acme/clients", &json!({ "client_name": "Shop", "redirect_uris": ["https://shop.example/cb"] })).await.json();
        let client = format!("/tenants/acme/clients/{}", client["client_id"].as_str().expect("an id"));
        for (path, change) in [
            ("/tenants/acme", json!({ "name": "Acme Rockets" })),
            ("/tenants/acme/settings", json!({ "access_token_lifetime": 600, "password": { "minimum_length": 12 } })),
            ("/tenants/acme/branding", json!({ "accent": "#123456" })),
            (&user, json!({ "claims": { "given_name": "Ana" } })),
            (&client, json!({ "client_name": "Store" })),
        ] {
            let before = admin.get(path).await.expect_ok();
            let tag = before.header("etag").expect("a version").to_owned();
            let without = admin.request(Method::PATCH, path).body("application/json", change.to_string()).send().await;
            problem(&without, 428, "version_required");
            problem(&admin.patch_version(path, "\"v999\"", &change).await, 412, "changed_meanwhile");
            assert_eq!(admin.get(path).await.json(), before.json());
            let changed = admin.patch_version(path, &tag, &change).await.expect_ok();
            assert_ne!(changed.header("etag"), Some(tag.as_str()));
            assert_eq!(admin.get(path).await.header("etag"), changed.header("etag"));
            // The same once more was decided upon an older version.
            problem(&admin.patch_version(path, &tag, &change).await, 412, "changed_meanwhile");
            let unknown = admin.patch(path, &json!({ "colour/of~hair": 1 })).await;
            assert_eq!(pointer(&problem(&unknown, 422, "invalid_value")), "/colour~1of~0hair", "{path}");
            problem(&admin.patch(path, &json!([1])).await, 422, "invalid_value");
        }
        let settings = admin.get("/tenants/acme/settings").await.json();
        assert_eq!((settings["access_token_lifetime"].as_u64(), settings["password"]["minimum_length"].as_u64()), (Some(600), Some(12)));
        let back = admin.patch("/tenants/acme/settings", &json!({ "access_token_lifetime": null })).await.expect_ok();
        assert_eq!(back.json()["access_token_lifetime"], 300);
        let refused = admin.patch("/tenants/acme/settings", &json!({ "password": { "minimum_length": 3 } })).await;
        assert_eq!(pointer(&problem(&refused, 422, "invalid_value")), "/password/minimum_length");
    }

    async fn what_is_wrong_with_a_request_is_said(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let users = "/tenants/acme/users";
        let send = async |form: &'static str, body: &'static str| admin.request(Method::POST, users).body(form, body).send().await;
        problem(&send("text/plain", "{}").await, 415, "unsupported_media_type");
        problem(&send("application/json", "{").await, 400, "malformed_request");
        problem(&send("application/json", "{\"email\":\"a@acme.example\"} {}").await, 400, "malformed_request");
        for (body, at) in [
            (json!({}), "/email"),
            (json!({ "email": 1 }), "/email"),
            (json!({ "email": "nobody" }), "/email"),
            (json!({ "email": "a@acme.example", "admin": true }), "/admin"),
            (json!({ "email": "a@acme.example", "roles": ["auditor", "king"] }), "/roles/1"),
            (json!({ "email": "a@acme.example", "claims": { "address": { "city": "Rome" } } }), "/claims/address/city"),
            (json!({ "email": "a@acme.example", "claims": { "website": "nowhere" } }), "/claims/website"),
            (json!({ "email": "a@acme.example", "claims": { "email": "b@acme.example" } }), "/claims"),
            // Members by their places.
            (json!({ "email": "a@acme.example", "claims": ["Ana"] }), "/claims"),
            (json!(["a@acme.example"]), ""),
        ] {
            assert_eq!(pointer(&problem(&admin.post(users, &body).await, 422, "invalid_value")), at, "{body}");
        }
        let client = scene.app.web_client(&scene.tenant).await.client_id();
        let too_long = admin.post(&format!("/tenants/acme/clients/{client}/rotate-secret"), &json!({ "overlap_seconds": 90 * 86_400 + 1 })).await;
        assert_eq!(pointer(&problem(&too_long, 422, "invalid_value")), "/overlap_seconds");
        for (claims, at) in [
            (json!({ "website": "nowhere" }), "/claims/website"),
            (json!({ "locale": "??" }), "/claims/locale"),
            (json!({ "address": { "country": "a\u{7}b" } }), "/claims/address/country"),
        ] {
            let refused = admin.patch(&format!("{users}/{}", scene.user.id), &json!({ "claims": claims })).await;
            assert_eq!(pointer(&problem(&refused, 422, "invalid_value")), at);
        }
        let short = admin.post(users, &json!({ "email": "a@acme.example", "password": "short" })).await;
        assert_eq!(pointer(&problem(&short, 422, "unacceptable_password")), "/password");
        let taken = admin.post(users, &json!({ "email": "ana@acme.example" })).await;
        assert_eq!(problem(&taken, 409, "already_exists")["errors"], Value::Null);
        let uri = admin.post("/tenants/acme/clients", &json!({ "redirect_uris": ["javascript:alert(1)"] })).await;
        assert_eq!(pointer(&problem(&uri, 422, "invalid_value")), "/redirect_uris");
        for query in ["?limit=0", "?limit=201", "?limit=x", "?cursor=x", "?cursor=AAAA", "?colour=red", "?limit=1&limit=2"] {
            problem(&admin.get(&format!("{users}{query}")).await, 400, "malformed_request");
        }
        let wrong = admin.request(Method::PUT, users).send().await;
        problem(&wrong, 405, "method_not_allowed");
        assert_eq!(wrong.header("allow"), Some("GET, POST"));
        problem(&admin.get("/nothing").await, 404, "not_found");
        problem(&admin.get(&format!("{users}/not-a-uuid")).await, 404, "not_found");
        problem(&admin.request(Method::DELETE, "/tenants/acme/clients/x").body("application/json", "{\"a\":1}").send().await, 400, "malformed_request");
        let huge = admin.request(Method::POST, users).body("application/json", vec![b' '; 2 << 20]).send().await;
        assert!(matches!(huge.status, 400 | 413), "{}", huge.body);
        let deep = admin.request(Method::POST, users).body("application/json", format!("{{\"claims\":{}", "[".repeat(50_000))).send().await;
        assert!(matches!(deep.status, 400 | 413 | 422), "{}", deep.status);
    }

    async fn lists_come_in_pages(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        for number in 0..5 {
            let made = admin.post("/tenants/acme/users", &json!({ "email": format!("p{number}@acme.example"), "password": "a long enough password" })).await;
            assert_eq!(made.status, 201, "{}", made.body);
            assert!(made.json()["link"].is_null() && made.json()["has_password"] == true, "{}", made.body);
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = admin.get(&format!("/tenants/acme/users?limit=2{cursor}")).await.expect_ok().json();
            let items = page["items"].as_array().expect("items").clone();
            assert!(items.len() <= 2);
            seen.extend(items.iter().map(|user| user["email"].as_str().expect("an address").to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, ["ana@acme.example", "p0@acme.example", "p1@acme.example", "p2@acme.example", "p3@acme.example", "p4@acme.example"]);
        let found = admin.get("/tenants/acme/users?search=p3").await.expect_ok().json();
        assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
    }

    /// Nobody grants what they don't hold, nor acts on somebody who administers more.
    async fn power_is_not_escalated(app: TestApp) {
        let scene = Scene::new(app).await;
        let (manager, clients) = (person(&scene.app, &scene.tenant, Role::UserManager).await, person(&scene.app, &scene.tenant, Role::ClientManager).await);
        let boss = scene.app.user(&scene.tenant, "boss@acme.example", "a long enough password").await;
        let chief = Admin::person(&scene.app, &scene.tenant, &boss, &[Role::Administrator]).await;
        scene.rp.sign_in(&mut scene.app.browser(), &boss).await;
        let users = "/tenants/acme/users";
        for role in Role::ALL {
            let made = manager.post(users, &json!({ "email": "x@acme.example", "roles": [role] })).await;
            problem(&made, 403, "forbidden");
        }
        let path = format!("{users}/{}", boss.id);
        problem(&manager.act(&format!("{path}/disable")).await, 403, "forbidden");
        problem(&manager.act(&format!("{path}/reset-password")).await, 403, "forbidden");
        problem(&manager.delete(&path).await, 403, "forbidden");
        problem(&manager.patch(&path, &json!({ "email": "mine@acme.example" })).await, 403, "forbidden");
        problem(&manager.act(&format!("{path}/enable")).await, 403, "forbidden");
        let sessions = format!("/tenants/acme/sessions?user={}", boss.id);
        let session = manager.get(&sessions).await.expect_ok().json()["items"][0]["id"].as_str().expect("a session").to_owned();
        let consent = manager.get(&format!("/tenants/acme/consents?user={}", boss.id)).await.expect_ok().json()["items"][0]["client_id"].as_str().expect("a consent").to_owned();
        for taken in [sessions.clone(), format!("/tenants/acme/sessions/{session}"), format!("/tenants/acme/consents/{}/{consent}", boss.id)] {
            problem(&manager.delete(&taken).await, 403, "forbidden");
        }
        // They are still there, for somebody who may.
        for taken in [format!("/tenants/acme/consents/{}/{consent}", boss.id), format!("/tenants/acme/sessions/{session}")] {
            assert_eq!(Admin::program(&scene.app, &scene.tenant).await.delete(&taken).await.status, 204, "{taken}");
        }
        chief.get("/me").await.expect_ok();
        let body = json!({ "client_name": "x", "grant_types": ["client_credentials"], "scope": "tessera:admin" });
        problem(&clients.post("/tenants/acme/clients", &body).await, 403, "forbidden");
        let administers = Admin::program(&scene.app, &scene.tenant).await;
        let made = administers.post("/tenants/acme/clients", &body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let path = format!("/tenants/acme/clients/{}", made.json()["client_id"].as_str().expect("an id"));
        problem(&clients.act(&format!("{path}/rotate-secret")).await, 403, "forbidden");
        problem(&clients.delete(&path).await, 403, "forbidden");
        // A tenant's administrator is none of the installation's.
        problem(&administers.get("/tenants").await, 403, "forbidden");
        problem(&administers.act("/tenants/acme/suspend").await, 403, "forbidden");
    }

    async fn acts_are_told_in_the_audit_with_who_did_them(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = person(&scene.app, &scene.tenant, Role::Administrator).await;
        let operator = operator(&scene.app).await;
        let made = admin.post("/tenants/acme/users", &json!({ "email": "new@acme.example" })).await.json();
        let id = made["id"].as_str().expect("an id").to_owned();
        operator.act(&format!("/tenants/acme/users/{id}/disable")).await.expect_ok();
        let events = admin.get(&format!("/tenants/acme/events?user={id}")).await.expect_ok().json();
        let kinds: Vec<_> = events["items"].as_array().expect("events").iter().map(|event| (event["act"].as_str().expect("an act"), event["actor"]["kind"].as_str().expect("a kind"))).collect();
        assert!(kinds.contains(&("user.disabled", "operator")) && kinds.contains(&("user.created", "user")), "{kinds:?}");
        let one = events["items"][0]["id"].as_str().expect("an id");
        assert_eq!(admin.get(&format!("/tenants/acme/events/{one}")).await.expect_ok().json(), events["items"][0]);
        let filtered = admin.get("/tenants/acme/events?act=user.disabled").await.expect_ok().json();
        assert_eq!(filtered["items"].as_array().map(Vec::len), Some(1));
        for query in ["act=nothing", "user=x", "since=yesterday", "since=-9999-01-01T00:00:00Z", "until=%2B262142-12-30T00:00:00Z"] {
            problem(&admin.get(&format!("/tenants/acme/events?{query}")).await, 400, "malformed_request");
        }
        // Whatever RFC 3339 can say is a time, however long ago.
        for (query, expected) in [("since=0842-09-03T21:57:53-00:36", 1), ("until=0011-02-13T07:51:13.199%2B04:13", 0), ("until=0000-01-01T12:00:00Z", 0), ("until=9999-12-31T23:59:59Z", 1)] {
            let found = admin.get(&format!("/tenants/acme/events?act=user.disabled&{query}")).await.expect_ok().json();
            assert_eq!(found["items"].as_array().map(Vec::len), Some(expected), "{query}");
        }
    }

    async fn a_clients_secret_is_shown_once(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let made = admin.post("/tenants/acme/clients", &json!({ "client_name": "Job", "grant_types": ["client_credentials"], "scope": "" })).await.json();
        let (id, first) = (made["client_id"].as_str().expect("an id"), made["client_secret"].as_str().expect("a secret"));
        let path = format!("/tenants/acme/clients/{id}");
        assert!(admin.get(&path).await.expect_ok().json()["client_secret"].is_null());
        let token = async |secret: &str| scene.app.post(&scene.tenant.url("/token"), &[("grant_type", "client_credentials")]).basic(id, secret).send().await.status;
        assert_eq!(token(first).await, 200);
        let rotated = admin.post(&format!("{path}/rotate-secret"), &json!({ "overlap_seconds": 0 })).await.expect_ok().json();
        let second = rotated["client_secret"].as_str().expect("a secret");
        assert_eq!((token(first).await, token(second).await), (401, 200));
        let third = admin.act(&format!("{path}/rotate-secret")).await.expect_ok().json()["client_secret"].as_str().expect("a secret").to_owned();
        assert_eq!((token(second).await, token(&third).await), (200, 200));
        assert!(admin.get(&path).await.json()["previous_secret_expires_at"].is_string());
        assert_eq!(admin.delete(&path).await.status, 204);
        assert_eq!(token(&third).await, 401);
        problem(&admin.delete(&path).await, 404, "not_found");
    }

    async fn the_page_about_it_names_every_operation(app: TestApp) {
        let document = Admin::document(&app).await;
        let page = app.get(&format!("{}/api/docs", app.root())).send().await.expect_ok();
        for operation in Admin::operations(&document) {
            assert!(page.body.contains(&format!("id=\"{}\"", operation.id)), "{}", operation.id);
        }
        assert!(page.body.contains("problem-changed_meanwhile"));
    }
}
