//! What several administrators do at the same moment: done once, told once, and to the others as what it is by then.

use serde_json::{Value, json};
use tessera::domain::address::{Domain, DomainStage};
use tessera::domain::ids::{ClientId, DomainId, ResourceId};
use tessera::domain::resource::{Resource, ResourceScope};
use tessera::domain::role::Role;
use tessera::domain::user::User;
use tessera::flows::admin::{
    AdminError, Authority, By, NewExternalSubject, NewInitialAccessToken, NewResource,
};
use tessera::flows::keys::RotationStart;
use tessera::protocol::SigningAlgorithm;
use tessera::storage::{DOMAINS_MAX, RESOURCES_MAX};

use super::api::operator;
use super::seed::Scene;
use crate::support::app::app_test;
use crate::support::race::overtaken;

const PASSWORD: &str = "a long enough password";
const EVENTS: &str = "audit_events";

/// How an act ended, in the API's own word; `done` where it was done.
fn word<T>(done: Result<T, AdminError>) -> String {
    match done {
        Ok(_) => "done".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

/// Somebody new in the tenant, as they are stored.
async fn somebody(scene: &Scene, name: &str) -> User {
    let email = format!("{name}@acme.example");
    let user = scene.app.user(&scene.tenant, &email, PASSWORD).await;
    let tenant = scene.loaded().await;
    let stored = scene.app.provider.load_user(&tenant, user.id).await;
    stored.expect("a person")
}

fn api(identifier: &str, kind: &str) -> NewResource {
    NewResource {
        identifier: identifier.to_owned(),
        name: None,
        scopes: vec![ResourceScope {
            name: "read".into(),
            description: None,
        }],
        details_types: serde_json::from_value(
            json!([{ "type": kind, "words": { "en": "Use it" } }]),
        )
        .expect("types"),
    }
}

/// The details of all events of an act, the oldest first.
fn details(scene: &Scene, act: &str) -> Vec<Value> {
    let sql =
        format!("SELECT detail AS value FROM audit_events WHERE act = '{act}' ORDER BY at, id");
    let told = scene.app.database.raw().texts(&sql);
    let read = |text: &String| serde_json::from_str(text).expect("JSON");
    told.iter().map(read).collect()
}

app_test! {
    async fn what_two_delete_at_once_is_told_once(app: TestApp) {
        let scene = Scene::new(app).await;
        let (tenant, provider, database) = (scene.loaded().await, &scene.app.provider, &scene.app.database);
        let by = By::command_line();
        let gone = |what: &str, act: &str, (first, second): (String, String)| {
            assert_eq!((first.as_str(), second.as_str()), ("done", "not_found"), "{what}");
            assert_eq!(scene.events(act), 1, "{what}");
        };
        let id = scene.app.web_client(&scene.tenant).await.client_id().parse::<ClientId>().expect("an id");
        let delete = async || word(provider.delete_client(&tenant, id, &by).await);
        gone("a client", "client.deleted", overtaken(database, EVENTS, delete(), delete()).await);

        let new = NewInitialAccessToken::for_one("Partner".to_owned());
        let id = provider.create_initial_access_token(&tenant, new, &by).await.expect("a token").record.id;
        let delete = async || word(provider.revoke_initial_access_token(&tenant, id, &by).await);
        gone("a token", "initial_access_token.revoked", overtaken(database, EVENTS, delete(), delete()).await);

        let id = provider.create_resource(&tenant, api("https://orders.example", "order"), &by).await.expect("an API").id;
        let delete = async || word(provider.delete_resource(&tenant, id, &by).await);
        gone("an API", "resource.deleted", overtaken(database, EVENTS, delete(), delete()).await);

        let name = NewExternalSubject { user_id: scene.user.id, issuer: "https://idp.example".to_owned(), subject: "ana".to_owned() };
        let id = provider.create_external_subject(&tenant, name, &by).await.expect("a name").id;
        let delete = async || word(provider.delete_external_subject(&tenant, id, &by).await);
        gone("a name", "user.external_subject_removed", overtaken(database, EVENTS, delete(), delete()).await);

        let origin = "https://login.acme.example";
        provider.add_domain(&tenant, origin, &by).await.expect("a domain");
        let delete = async || word(provider.remove_domain(&tenant, origin, &by).await);
        gone("a domain", "domain.removed", overtaken(database, EVENTS, delete(), delete()).await);

        let bob = somebody(&scene, "bob").await;
        let delete = async || word(provider.delete_user(&tenant, &bob, &by).await);
        gone("a person", "user.deleted", overtaken(database, EVENTS, delete(), delete()).await);
    }

    /// Whoever is second helps to clear up, and has nothing to tell.
    async fn a_tenant_that_two_delete_is_told_of_once(app: TestApp) {
        let scene = Scene::new(app).await;
        let (provider, by) = (&scene.app.provider, By::command_line());
        provider.ensure_system_tenant().await.expect("the operators' tenant");
        scene.app.tenant("globex").await;
        let delete = async || word(provider.delete_tenant("globex", &by).await);
        let (first, second) = overtaken(&scene.app.database, EVENTS, Box::pin(delete()), Box::pin(delete())).await;
        assert_eq!(first, "done");
        // One after the other it is gone by then.
        assert!(["done", "not_found"].contains(&second.as_str()), "{second}");
        assert_eq!(scene.events("tenant.deleted"), 1);
        assert_eq!(delete().await, "not_found");
    }

    /// Nothing is given to whoever was shut out or deleted as it was asked for.
    async fn an_act_on_somebody_who_is_shut_out_meanwhile_is_refused(app: TestApp) {
        let scene = Scene::new(app).await;
        let (tenant, provider, database) = (scene.loaded().await, &scene.app.provider, &scene.app.database);
        let by = By::command_line();
        let links = || {
            let mut raw = scene.app.database.raw();
            raw.texts("SELECT CAST(count(*) AS text) AS value FROM one_time_links WHERE consumed_at IS NULL").concat()
        };
        let bob = somebody(&scene, "bob").await;
        let reset = async || word(provider.reset_password(&tenant, &bob, &by).await);
        let disabled = provider.disable_user(&tenant, bob.id, &by);
        let (disabled, refused) = overtaken(database, EVENTS, disabled, reset()).await;
        assert!(disabled.expect("disabled").is_some());
        assert_eq!((refused.as_str(), links().as_str()), ("refused", "0"));
        for what in ["reset", "grant", "revoke", "set", "enable", "disable", "update", "code", "delete"] {
            let user = somebody(&scene, what).await;
            let act = async {
                match what {
                    "reset" => word(provider.reset_password(&tenant, &user, &by).await),
                    "grant" => word(provider.grant_role(&tenant, &user, Role::Auditor, &by).await),
                    "revoke" => word(provider.revoke_role(&tenant, &user, Role::Auditor, &by).await),
                    "set" => word(provider.set_roles(&tenant, &user, &[Role::Auditor], &by).await),
                    "enable" => word(provider.enable_user(&tenant, user.id, &by).await),
                    "disable" => word(provider.disable_user(&tenant, user.id, &by).await),
                    "update" => word(provider.update_user(&tenant, user.clone(), &by).await),
                    "code" => word(provider.remove_request_code(&tenant, user.id, &by).await),
                    _ => word(provider.delete_user(&tenant, &user, &by).await),
                }
            };
            let delete = provider.delete_user(&tenant, &user, &by);
            let (deleted, told) = overtaken(database, EVENTS, delete, Box::pin(act)).await;
            deleted.expect("deleted");
            assert_eq!(told, "not_found", "{what}");
        }
        assert_eq!(links(), "0");
        // Two who give the same role at once: it is given once.
        let eve = somebody(&scene, "eve").await;
        let grant = || provider.grant_role(&tenant, &eve, Role::Auditor, &by);
        let (first, second) = overtaken(database, EVENTS, grant(), grant()).await;
        assert_eq!((first.expect("granted"), second.expect("there")), (true, false));
        assert_eq!(scene.events("role.granted"), 1);
    }

    /// Whoever has less power doesn't act on a person who is being given more, however close they are.
    async fn an_act_does_not_overtake_a_promotion(app: TestApp) {
        let scene = Scene::new(app).await;
        let (tenant, provider, database) = (scene.loaded().await, &scene.app.provider, &scene.app.database);
        let by = By::command_line();
        let manager = By { authority: Authority::Roles(vec![Role::UserManager]), ..By::command_line() };
        for what in ["reset", "enable", "disable", "update", "code", "sessions", "delete"] {
            let user = somebody(&scene, what).await;
            let mut changed = user.clone();
            changed.claims.nickname = Some("Nick".to_owned());
            let act = async {
                match what {
                    "reset" => word(provider.reset_password(&tenant, &user, &manager).await),
                    "enable" => word(provider.enable_user(&tenant, user.id, &manager).await),
                    "disable" => word(provider.disable_user(&tenant, user.id, &manager).await),
                    "update" => word(provider.update_user(&tenant, changed, &manager).await),
                    "code" => word(provider.remove_request_code(&tenant, user.id, &manager).await),
                    "sessions" => word(provider.end_sessions(&tenant, user.id, &manager).await),
                    _ => word(provider.delete_user(&tenant, &user, &manager).await),
                }
            };
            let grant = provider.grant_role(&tenant, &user, Role::Administrator, &by);
            let (granted, told) = overtaken(database, EVENTS, grant, Box::pin(act)).await;
            assert!(granted.expect("granted"), "{what}");
            assert_eq!(told, "forbidden", "{what}");
        }
        for act in ["link.created", "user.disabled", "user.updated", "user.deleted"] {
            assert_eq!(scene.events(act), 0, "{act}");
        }
    }

    /// The last that there is room for is one, and a name is told to be taken.
    async fn domains_have_a_bound_and_a_name_each(app: TestApp) {
        let scene = Scene::new(app).await;
        let (tenant, provider, database) = (scene.loaded().await, &scene.app.provider, &scene.app.database);
        let by = By::command_line();
        let add = |origin: &'static str| provider.add_domain(&tenant, origin, &by);
        let both = overtaken(database, EVENTS, add("https://login.acme.example"), add("https://login.acme.example")).await;
        assert_eq!((word(both.0).as_str(), word(both.1).as_str()), ("done", "already_exists"));
        let clock = provider.clock.clone();
        scene.write(move |repo| {
            for number in 1..DOMAINS_MAX - 1 {
                repo.insert_domain(&Domain {
                    id: DomainId::from(clock.uuid_v7()),
                    origin: format!("https://d{number}.acme.example"),
                    stage: DomainStage::Pending { verification_token: "token".into() },
                    canonical: false,
                    created_at: clock.now(),
                })?;
            }
            Ok(())
        }).await;
        let (last, refused) = overtaken(database, EVENTS, add("https://a.acme.example"), add("https://b.acme.example")).await;
        assert!(last.is_ok(), "{last:?}");
        let refused = refused.expect_err("too many");
        assert_eq!((refused.code(), refused.to_string().as_str()), ("refused", "a tenant has at most 100 domains"));
        assert_eq!(scene.app.database.raw().count("domains"), DOMAINS_MAX);
        assert_eq!(word(add("https://a.acme.example").await), "already_exists");
    }

    async fn resources_have_a_bound_and_names_each(app: TestApp) {
        let scene = Scene::new(app).await;
        let (tenant, provider, database) = (scene.loaded().await, &scene.app.provider, &scene.app.database);
        let by = By::command_line();
        let make = |identifier: &str, kind: &str| provider.create_resource(&tenant, api(identifier, kind), &by);
        let both = overtaken(database, EVENTS, make("https://a.example", "a"), make("https://a.example", "b")).await;
        assert_eq!((word(both.0).as_str(), word(both.1).as_str()), ("done", "already_exists"));
        // A request names a type, and no API beside it.
        let (one, other) = overtaken(database, EVENTS, make("https://b.example", "b"), make("https://c.example", "b")).await;
        assert!(one.is_ok(), "{one:?}");
        let other = other.expect_err("taken");
        assert!(other.code() == "invalid_value" && other.to_string().contains("has the type `b`"), "{other}");
        // Nor by a change.
        let c = make("https://c.example", "c").await.expect("an API");
        let d = make("https://d.example", "d").await.expect("an API");
        let to_e = |resource: &Resource| Resource { details_types: api("https://e.example", "e").details_types, ..resource.clone() };
        let both = overtaken(database, EVENTS, provider.update_resource(&tenant, to_e(&c), &by), provider.update_resource(&tenant, to_e(&d), &by)).await;
        assert_eq!((word(both.0).as_str(), word(both.1).as_str()), ("done", "invalid_value"));
        let clock = provider.clock.clone();
        scene.write(move |repo| {
            for number in repo.count_resources()?..RESOURCES_MAX - 1 {
                repo.insert_resource(&Resource {
                    id: ResourceId::from(clock.uuid_v7()),
                    identifier: format!("https://r{number}.example"),
                    name: "R".to_owned(),
                    scopes: Vec::new(),
                    details_types: Vec::new(),
                    version: 1,
                    created_at: clock.now(),
                })?;
            }
            Ok(())
        }).await;
        let (last, refused) = overtaken(database, EVENTS, make("https://y.example", "y"), make("https://z.example", "z")).await;
        assert!(last.is_ok(), "{last:?}");
        let refused = refused.expect_err("too many");
        assert_eq!((refused.code(), refused.to_string().as_str()), ("refused", "a tenant has at most 500 resources"));
        assert_eq!(scene.app.database.raw().count("resources"), RESOURCES_MAX);
    }

    /// What is canonical already isn't made so, and the audit has the origin as it is stored.
    async fn a_canonical_domain_is_told_of_where_it_changes(app: TestApp) {
        let scene = Scene::new(app).await;
        let (tenant, provider, by) = (scene.loaded().await, &scene.app.provider, By::command_line());
        let domain = provider.add_domain(&tenant, "https://login.acme.example", &by).await.expect("a domain");
        assert_eq!(word(provider.set_canonical_domain(&tenant, Some(&domain.origin), &by).await), "refused");
        // It is the template's by itself.
        assert_eq!(word(provider.set_canonical_domain(&tenant, None, &by).await), "done");
        assert_eq!(scene.events("domain.canonical_changed"), 0);
        let id = domain.id;
        assert!(scene.write(move |repo| repo.verify_domain(id)).await);
        for _ in 0..2 {
            for typed in ["https://LOGIN.acme.example:443/", "https://login.acme.example"] {
                provider.set_canonical_domain(&tenant, Some(typed), &by).await.expect("set");
            }
        }
        assert_eq!(details(&scene, "domain.canonical_changed"), [json!({ "origin": "https://login.acme.example" })]);
        assert_eq!(scene.loaded().await.canonical.as_ref(), "https://login.acme.example");
        for _ in 0..2 {
            provider.set_canonical_domain(&tenant, None, &by).await.expect("set");
        }
        assert_eq!(details(&scene, "domain.canonical_changed")[1..], [json!({ "origin": null })]);
        // Removed as it is chosen.
        let remove = provider.remove_domain(&tenant, &domain.origin, &by);
        let choose = provider.set_canonical_domain(&tenant, Some(&domain.origin), &by);
        let (removed, chosen) = overtaken(&scene.app.database, EVENTS, remove, choose).await;
        removed.expect("removed");
        assert_eq!((word(chosen).as_str(), scene.events("domain.canonical_changed")), ("not_found", 2));
    }

    /// An algorithm's first key is an answer to whoever asks for a successor, and theirs in the audit.
    async fn the_first_key_of_an_algorithm_is_told_as_what_it_is(app: TestApp) {
        let scene = Scene::new(app).await;
        let root = operator(&scene.app).await;
        let actors = || scene.app.database.raw().texts("SELECT actor AS value FROM audit_events WHERE act = 'key.created' ORDER BY at, id");
        let before = actors().len();
        let made = root.post("/tenants/acme/keys/rotate", &json!({ "algorithm": "EdDSA" })).await.expect_ok().json();
        let keys = made["keys"].as_array().expect("a list");
        assert_eq!(keys.len(), 1, "{made}");
        assert_eq!((&keys[0]["algorithm"], &keys[0]["state"]), (&json!("EdDSA"), &json!("signing")), "{made}");
        let told = actors();
        assert_eq!(told.len(), before + 1);
        assert!(told[before].contains("\"operator\""), "{}", told[before]);
        assert_eq!(scene.events("key.rotated"), 0);
        // From then on there are successors.
        let made = root.post("/tenants/acme/keys/rotate", &json!({ "algorithm": "EdDSA" })).await.expect_ok().json();
        assert_eq!((&made["keys"][0]["state"], scene.events("key.rotated")), (&json!("published"), 1));
        // One that a process doesn't know of yet is a key to be followed, too.
        let tenant = scene.loaded().await;
        let by = By::command_line();
        for expected in ["key.created", "key.rotated"] {
            let before = scene.events(expected);
            let made = scene.app.provider.rotate_signing_keys(&tenant, Some(SigningAlgorithm::Ps256.into()), RotationStart::PublishedFirst, &by).await.expect("a key");
            assert_eq!((made.len(), scene.events(expected)), (1, before + 1), "{expected}");
        }
    }
}
