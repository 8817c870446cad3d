//! What holds of administration by whichever door: the last administrator stays, the flows ask the table of roles themselves, what was done
//! is told, and the first page says how things are.

use actix_web::http::Method;
use serde_json::{Value, json};
use tessera::domain::ids::{ClientId, UserId};
use tessera::domain::role::Role;
use tessera::flows::admin::{Authority, By, NewUser};
use tessera::flows::keys::RotationStart;
use tessera::protocol::client_metadata::ClientMetadata;
use tessera::protocol::email::EmailAddress;

use super::api::{operator, problem};
use super::console::{self, administrator, appoint, entered};
use super::seed::Scene;
use crate::support::admin::Admin;
use crate::support::app::{TestUser, app_test};
use crate::support::browser::Page;

const PASSWORD: &str = "a long enough password";

fn role_path(user: &TestUser) -> String {
    format!(
        "/tenants/acme/administrators/{}/roles/administrator",
        user.id
    )
}

async fn roles_of(scene: &Scene, id: UserId) -> Vec<Role> {
    let tenant = scene.loaded().await;
    let user = scene.app.provider.load_user(&tenant, id).await;
    user.expect("there").roles
}

/// The figures of the first page: what is counted, how many, and what else is said.
fn figures(page: &Page) -> Vec<(String, String, String)> {
    let body = page.answer.body.replace(['\u{2068}', '\u{2069}'], "");
    let inner = |text: &str| {
        let plain = text.split("</d").next().unwrap_or_default();
        let plain = plain.rsplit("</a>").last().unwrap_or_default();
        plain.rsplit('>').next().unwrap_or_default().to_owned()
    };
    body.split("<div class=\"figure\">")
        .skip(1)
        .map(|figure| {
            let part = |start: &str| figure.split(start).nth(1).map(inner).unwrap_or_default();
            (
                part("<dt>"),
                part("class=\"figure-number\""),
                part("class=\"figure-detail\""),
            )
        })
        .collect()
}

app_test! {
    async fn the_last_administrator_stays(app: TestApp) {
        let scene = Scene::new(app).await;
        let (root, deputy) = (operator(&scene.app).await, Admin::program(&scene.app, &scene.tenant).await);
        let ana = Admin::person(&scene.app, &scene.tenant, &scene.user, &[Role::Administrator, Role::Auditor]).await;
        let bob = scene.app.user(&scene.tenant, "bob@acme.example", PASSWORD).await;
        let user = |user: &TestUser| format!("/tenants/acme/users/{}", user.id);
        let stays = async || {
            for who in [&ana, &deputy] {
                for answer in [
                    who.delete(&role_path(&scene.user)).await,
                    who.act(&format!("{}/disable", user(&scene.user))).await,
                    who.delete(&user(&scene.user)).await,
                ] {
                    let told = problem(&answer, 409, "refused");
                    assert!(told["detail"].as_str().is_some_and(|detail| detail.contains("ana@acme.example is the last administrator")), "{told}");
                }
            }
            assert!(roles_of(&scene, scene.user.id).await.contains(&Role::Administrator));
        };
        stays().await;
        // Who can't sign in doesn't count, nor does another role, nor another tenant's administrator.
        Admin::person(&scene.app, &scene.tenant, &bob, &[Role::Administrator, Role::UserManager]).await;
        let globex = scene.app.tenant("globex").await;
        let eve = scene.app.user(&globex, "eve@globex.example", PASSWORD).await;
        Admin::person(&scene.app, &globex, &eve, &[Role::Administrator]).await;
        ana.act(&format!("{}/disable", user(&bob))).await.expect_ok();
        stays().await;
        ana.act(&format!("{}/enable", user(&bob))).await.expect_ok();
        assert_eq!(ana.delete(&role_path(&bob)).await.status, 204);
        stays().await;
        // Nor does somebody who is invited and has chosen no password yet.
        let invited = ana.post("/tenants/acme/users", &json!({ "email": "new@acme.example" })).await;
        assert_eq!(invited.status, 201, "{}", invited.body);
        let role = role_path(&bob).replace(&bob.id.to_string(), invited.json()["id"].as_str().expect("an id"));
        assert_eq!(ana.request(Method::PUT, &role).send().await.status, 204);
        stays().await;
        // Another role of hers goes, and with another administrator everything.
        assert_eq!(ana.delete(&role_path(&scene.user).replace("roles/administrator", "roles/auditor")).await.status, 204);
        assert_eq!(ana.request(Method::PUT, &role_path(&bob)).send().await.status, 204);
        assert_eq!(ana.delete(&role_path(&scene.user)).await.status, 204);
        assert_eq!(roles_of(&scene, scene.user.id).await, []);
        // Operators and the command line may, as they can appoint another.
        root.act(&format!("{}/disable", user(&bob))).await.expect_ok();
        root.act(&format!("{}/enable", user(&bob))).await.expect_ok();
        assert_eq!(root.delete(&role_path(&bob)).await.status, 204);
        assert_eq!(root.request(Method::PUT, &role_path(&bob)).send().await.status, 204);
        let tenant = scene.loaded().await;
        let record = scene.app.provider.load_user(&tenant, bob.id).await.expect("there");
        assert!(scene.app.provider.revoke_role(&tenant, &record, Role::Administrator, &By::command_line()).await.expect("storage works"));
        assert_eq!(root.request(Method::PUT, &role_path(&bob)).send().await.status, 204);
        scene.app.provider.delete_user(&tenant, &record, &By::command_line()).await.expect("storage works");
    }

    /// Two who take each other away at once: one of them stays, however they do it.
    async fn of_two_administrators_one_stays(app: TestApp) {
        let scene = Scene::new(app).await;
        let bob = scene.app.user(&scene.tenant, "bob@acme.example", PASSWORD).await;
        let tenant = scene.loaded().await;
        let provider = &scene.app.provider;
        let by = By { authority: Authority::Roles(vec![Role::Administrator]), ..By::command_line() };
        for round in 0..12 {
            for id in [scene.user.id, bob.id] {
                scene.write(move |repo| {
                    repo.set_user_disabled(id, false)?;
                    repo.grant_role(id, Role::Administrator)
                }).await;
            }
            let (ana, bob) = (
                provider.load_user(&tenant, scene.user.id).await.expect("there"),
                provider.load_user(&tenant, bob.id).await.expect("there"),
            );
            let first = async {
                match round % 2 {
                    0 => provider.revoke_role(&tenant, &bob, Role::Administrator, &by).await.is_ok(),
                    _ => provider.set_roles(&tenant, &bob, &[Role::Auditor], &by).await.is_ok(),
                }
            };
            let second = async {
                match round % 3 {
                    0 => provider.revoke_role(&tenant, &ana, Role::Administrator, &by).await.is_ok(),
                    _ => provider.disable_user(&tenant, ana.id, &by).await.is_ok(),
                }
            };
            let (first, second) = futures_util::future::join(first, second).await;
            assert!(first ^ second, "round {round}: {first} {second}");
        }
    }

    async fn the_flows_ask_the_table_of_roles(app: TestApp) {
        let scene = Scene::new(app).await;
        let (tenant, provider) = (scene.loaded().await, &scene.app.provider);
        let user = provider.load_user(&tenant, scene.user.id).await.expect("there");
        let client = provider.load_client(&tenant, scene.app.web_client(&scene.tenant).await.client_id().parse::<ClientId>().expect("an id")).await.expect("there");
        for role in Role::ALL {
            let by = By { authority: Authority::Roles(vec![role]), ..By::command_line() };
            let new = NewUser::new(EmailAddress::parse(&format!("{role}@acme.example")).expect("an address"));
            let metadata = ClientMetadata::from_json(json!({ "redirect_uris": ["https://shop.example/cb"] })).expect("metadata");
            let hour = std::time::Duration::from_hours(1);
            let people = [
                provider.create_user(&tenant, new, &by).await.err(),
                provider.update_user(&tenant, provider.load_user(&tenant, user.id).await.expect("there"), &by).await.err(),
                provider.disable_user(&tenant, user.id, &by).await.err(),
                provider.enable_user(&tenant, user.id, &by).await.err(),
                provider.reset_password(&tenant, &user, &by).await.err(),
            ];
            let clients = [
                provider.create_client(&tenant, metadata, &by).await.err(),
                provider.update_client(&tenant, provider.load_client(&tenant, client.id).await.expect("there"), &by).await.err(),
                provider.rotate_client_secret(&tenant, client.id, hour, &by).await.err(),
            ];
            let roles = [
                provider.grant_role(&tenant, &user, Role::Auditor, &by).await.err(),
                provider.revoke_role(&tenant, &user, Role::Auditor, &by).await.err(),
                provider.set_roles(&tenant, &provider.load_user(&tenant, user.id).await.expect("there"), &[], &by).await.err(),
            ];
            for (errors, may) in [
                (people.as_slice(), matches!(role, Role::Administrator | Role::UserManager)),
                (clients.as_slice(), matches!(role, Role::Administrator | Role::ClientManager)),
                (roles.as_slice(), role == Role::Administrator),
            ] {
                for (at, error) in errors.iter().enumerate() {
                    let code = error.as_ref().map(tessera::flows::admin::AdminError::code);
                    assert_eq!(code, (!may).then_some("forbidden"), "{role} {at}");
                }
            }
        }
        // Deletions last, by whoever may not.
        let by = By { authority: Authority::Roles(vec![Role::Auditor]), ..By::command_line() };
        assert!(provider.delete_user(&tenant, &user, &by).await.is_err_and(|error| error.code() == "forbidden"));
        assert!(provider.delete_client(&tenant, client.id, &by).await.is_err_and(|error| error.code() == "forbidden"));
    }

    /// Each act at the API, and the event that tells of it.
    async fn what_is_done_at_the_api_is_told(app: TestApp) {
        let scene = Scene::new(app).await;
        let (root, admin) = (operator(&scene.app).await, Admin::program(&scene.app, &scene.tenant).await);
        let id = |answer: &crate::support::http::Answer, name: &str| answer.json()[name].as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned();
        let domain = id(&admin.post("/tenants/acme/domains", &json!({ "origin": "https://login.acme.example" })).await, "id");
        let proved = domain.parse().expect("an id");
        assert!(scene.write(move |repo| repo.verify_domain(proved)).await);
        let client = id(&admin.post("/tenants/acme/clients", &json!({ "client_name": "Shop", "redirect_uris": ["https://shop.example/cb"] })).await, "client_id");
        let resource = id(&admin.post("/tenants/acme/resources", &json!({ "identifier": "https://api.acme.example", "name": "Orders", "scopes": [{ "name": "read" }] })).await, "id");
        let key = admin.get("/tenants/acme/keys").await.json()["items"][0]["kid"].as_str().expect("a key").to_owned();
        let person = format!("/tenants/acme/users/{}", scene.user.id);
        let acme = "/tenants/acme";
        let (patch, post, delete) = (Method::PATCH, Method::POST, Method::DELETE);
        let acts: Vec<(&Admin, &Method, String, Value, &[&str])> = vec![
            (&admin, &patch, acme.into(), json!({ "name": "Acme Rockets" }), &["tenant.updated"]),
            (&admin, &patch, format!("{acme}/settings"), json!({ "access_token_lifetime": 600 }), &["tenant.updated"]),
            (&admin, &patch, format!("{acme}/branding"), json!({ "accent": "#123456" }), &["tenant.updated"]),
            // In the tenant's own audit, and in that of the operators.
            (&root, &post, format!("{acme}/suspend"), Value::Null, &["tenant.suspended", "tenant.suspended"]),
            (&root, &post, format!("{acme}/resume"), Value::Null, &["tenant.resumed", "tenant.resumed"]),
            (&admin, &post, format!("{acme}/domains"), json!({ "origin": "https://id.acme.example" }), &["domain.added"]),
            (&admin, &post, format!("{acme}/domains/{domain}/set-canonical"), Value::Null, &["domain.canonical_changed"]),
            (&admin, &post, format!("{acme}/domains/reset-canonical"), Value::Null, &["domain.canonical_changed"]),
            (&admin, &delete, format!("{acme}/domains/{domain}"), Value::Null, &["domain.removed"]),
            (&admin, &post, format!("{acme}/clients"), json!({ "client_name": "Job", "redirect_uris": ["https://job.example/cb"] }), &["client.created"]),
            (&admin, &patch, format!("{acme}/clients/{client}"), json!({ "client_name": "Store" }), &["client.updated"]),
            (&admin, &post, format!("{acme}/clients/{client}/rotate-secret"), Value::Null, &["client.secret_rotated"]),
            (&admin, &delete, format!("{acme}/clients/{client}"), Value::Null, &["client.deleted"]),
            (&admin, &post, format!("{acme}/resources"), json!({ "identifier": "https://b.acme.example", "name": "B", "scopes": [{ "name": "read" }] }), &["resource.created"]),
            (&admin, &patch, format!("{acme}/resources/{resource}"), json!({ "name": "Invoices" }), &["resource.updated"]),
            (&admin, &delete, format!("{acme}/resources/{resource}"), Value::Null, &["resource.deleted"]),
            (&admin, &post, format!("{person}/reset-password"), Value::Null, &["link.created"]),
            (&admin, &post, format!("{acme}/users"), json!({ "email": "new@acme.example" }), &["user.created", "link.created"]),
            (&admin, &patch, person.clone(), json!({ "claims": { "nickname": "A" } }), &["user.updated"]),
            (&root, &post, format!("{acme}/keys/rotate"), Value::Null, &["key.rotated"]),
            (&root, &post, format!("{acme}/keys/{key}/revoke"), Value::Null, &["key.revoked"]),
        ];
        let told = || {
            let mut raw = scene.app.database.raw();
            raw.texts("SELECT act AS value FROM audit_events ORDER BY id")
        };
        for (who, method, path, body, expected) in acts {
            let before = told().len();
            let answer = match *method {
                Method::PATCH => who.patch(&path, &body).await,
                Method::POST if body.is_null() => who.act(&path).await,
                Method::POST => who.post(&path, &body).await,
                _ => who.delete(&path).await,
            };
            assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.body);
            let after = told();
            let mut acts: Vec<_> = after[before..].iter().map(String::as_str).collect();
            // A key that takes another's place is made first.
            acts.retain(|act| *act != "key.created");
            assert_eq!(acts, expected, "{method} {path}");
        }
    }

    async fn the_first_page_says_how_things_are(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, page) = administrator(&scene).await;
        let row = |label: &str, number: &str, detail: &str| (label.to_owned(), number.to_owned(), detail.to_owned());
        // The console's own client is none of the tenant's.
        assert_eq!(figures(&page), [row("People", "1", ""), row("Applications", "1", ""), row("Sign-ins, last 24 hours", "1", "1 in 7 days"), row("Failed, last 24 hours", "0", "0 in 7 days")]);
        let body = &page.answer.body;
        assert!(body.contains("Invite people") && body.contains("href=\"/t/acme/console/users/new\"") && !body.contains("Register an application</strong>"), "{body}");
        assert!(body.contains("Signs</span>") && !body.contains("Not verified"), "{body}");
        // A day and more later: a failure, another person, a domain that waits.
        scene.app.time.advance(std::time::Duration::from_hours(48));
        let bob = scene.app.user(&scene.tenant, "bob@acme.example", PASSWORD).await;
        scene.app.provider.add_domain(&*scene.loaded().await, "https://login.acme.example", &By::command_line()).await.expect("a domain");
        let login = scene.app.browser().open(&scene.rp.authorization_url(&[])).await;
        let wrong = TestUser { password: "quite another password".into(), ..bob.clone() };
        let mut theirs = scene.app.browser();
        let again = theirs.open(login.url.as_str()).await;
        theirs.sign_in(&again, &wrong).await;
        let page = browser.open(&scene.tenant.url("/console")).await;
        let page = browser.sign_in(&page, &scene.user).await;
        assert_eq!(figures(&page), [row("People", "2", ""), row("Applications", "1", ""), row("Sign-ins, last 24 hours", "1", "2 in 7 days"), row("Failed, last 24 hours", "1", "1 in 7 days")]);
        let body = &page.answer.body;
        assert!(!body.contains("Invite people") && body.contains("Verify your domain") && body.contains("https://login.acme.example</bdi> <span class=\"badge badge-bad\">Not verified"), "{body}");
        // Each role sees its part, and no step that it can't take.
        let sees = |role| match role {
            Role::UserManager => vec!["People"],
            Role::ClientManager => vec!["Applications"],
            _ => vec!["People", "Applications", "Sign-ins, last 24 hours", "Failed, last 24 hours"],
        };
        for role in [Role::UserManager, Role::ClientManager, Role::Auditor] {
            let who = scene.app.user(&scene.tenant, &format!("{role}@acme.example"), PASSWORD).await;
            appoint(&scene.app, &scene.tenant, &who, role).await;
            let (_, page) = entered(&scene.app, &scene.tenant, &who).await;
            let labels: Vec<_> = figures(&page).into_iter().map(|(label, ..)| label).collect();
            assert_eq!(labels, sees(role), "{role}");
            assert!(!page.answer.body.contains("Verify your domain"), "{role}");
            assert_eq!(page.answer.body.contains("Not verified"), role == Role::Auditor, "{role}");
        }
    }

    async fn the_first_page_shows_the_key_that_signs_while_its_successor_waits(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, page) = administrator(&scene).await;
        let signing = |page: &Page| page.answer.body.matches("Signs</span>").count();
        let keys = signing(&page);
        assert!(keys > 0, "{}", page.answer.body);
        let tenant = scene.loaded().await;
        let made = scene.app.provider.rotate_signing_keys(&tenant, None, RotationStart::PublishedFirst, &By::command_line()).await.expect("rotated");
        assert_eq!(made.len(), keys);
        assert_eq!(signing(&browser.open(&scene.tenant.url("/console")).await), keys);
        // Neither is there twice once the successor has taken over.
        scene.app.time.advance(std::time::Duration::from_hours(48));
        let page = browser.open(&scene.tenant.url("/console")).await;
        assert_eq!(signing(&browser.sign_in(&page, &scene.user).await), keys);
    }

    async fn the_first_page_counts_its_visitor_where_they_belong(app: TestApp) {
        let scene = Scene::new(app).await;
        let (system, root) = console::operator(&scene.app).await;
        let (mut browser, own) = entered(&scene.app, &system, &root).await;
        assert!(own.answer.body.contains("You are the only one here so far."), "{}", own.answer.body);
        scene.app.tenant("globex").await;
        for (slug, said) in [("globex", "Nobody is here yet."), ("acme", "Only one person is here so far.")] {
            let page = browser.open(&system.url(&format!("/console/tenants/{slug}"))).await;
            assert!(page.answer.body.contains(said) && !page.answer.body.contains("You are the only one"), "{slug}: {}", page.answer.body);
        }
    }
}
