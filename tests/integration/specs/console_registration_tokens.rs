//! Initial access tokens at the console: made, used for a registration, listed, revoked; and who may.

use serde_json::json;
use tessera::domain::role::Role;
use tessera::domain::settings::RegistrationPolicy;

use super::console::{administrator, appoint, entered};
use super::console_settings::press;
use super::registration::{initial_access_token, request};
use super::seed::Scene;
use crate::support::admin::Admin;
use crate::support::app::app_test;

const LIST: &str = "/console/registration-tokens";

/// Between the element with this id and its end.
fn content<'a>(body: &'a str, id: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("id=\"{id}\">"))?;
    rest.split('<').next()
}

app_test! {
    async fn a_token_is_made_shown_once_used_and_revoked(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let clients = browser.open(&scene.tenant.url("/console/clients")).await;
        assert!(clients.answer.body.contains(LIST), "{}", clients.answer.body);
        let empty = browser.open(&scene.tenant.url(LIST)).await;
        assert!(empty.answer.body.contains("No initial access tokens") && empty.answer.body.contains("let nobody register"), "{}", empty.answer.body);
        let form = browser.open(&scene.tenant.url(&format!("{LIST}/new"))).await;
        let made = browser.submit(&form, &[("name", "For <partners>"), ("max_uses", "2"), ("days", "3")]).await;
        assert_eq!(made.answer.status, 200, "{}", made.answer.body);
        let token = content(&made.answer.body, "token").expect("a token").to_owned();
        assert!(token.starts_with("tsit_"), "{token}");
        assert!(made.answer.body.contains("For &#60;partners&#62;") && made.answer.body.contains("id=\"closed\""), "{}", made.answer.body);
        // A second click makes no second one, whatever it says by then.
        let twice = browser.submit(&form, &[("name", "Other"), ("max_uses", "3"), ("days", "3")]).await;
        assert_eq!(twice.url, made.url);
        let again = browser.open(made.url.as_str()).await;
        assert!(again.answer.status == 200 && !again.answer.body.contains("tsit_"), "{}", again.answer.body);
        // It does what it says.
        scene.app.change_settings(&scene.tenant, |settings| settings.registration = RegistrationPolicy::Token).await;
        let metadata = json!({ "redirect_uris": ["https://relying.example/cb"] });
        let register = || request(&scene.app, &scene.tenant, &metadata).header("authorization", &format!("Bearer {token}"));
        assert_eq!(register().send().await.status, 201);
        let list = browser.open(&scene.tenant.url(LIST)).await;
        assert!(list.answer.body.contains("1 / 2") && list.answer.body.contains("Good") && !list.answer.body.contains("let nobody"), "{}", list.answer.body);
        let ask = browser.open(&format!("{}/revoke", made.url)).await;
        let gone = press(&mut browser, &ask, &format!("{}/revoke", made.url), &[]).await;
        assert!(gone.url.path().ends_with(LIST) && gone.answer.body.contains("is revoked."), "{} {}", gone.url, gone.answer.body);
        assert_eq!(register().send().await.status, 401);
        // Somebody else's second click.
        assert_eq!(press(&mut browser, &ask, &format!("{}/revoke", made.url), &[]).await.answer.status, 404);
    }

    async fn what_was_typed_wrongly_is_said_beside_its_field(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let form = browser.open(&scene.tenant.url(&format!("{LIST}/new"))).await;
        let sound = [("name", "Partners"), ("max_uses", "2"), ("days", "3")];
        for (field, value) in [
            ("name", ""), ("max_uses", "0"), ("max_uses", "10001"), ("max_uses", "many"), ("days", "0"), ("days", "366"), ("days", "-1"), ("days", "1.5"),
        ] {
            let fields: Vec<_> = sound.iter().map(|(name, own)| (*name, if *name == field { value } else { *own })).collect();
            let wrong = browser.submit(&form, &fields).await;
            assert_eq!(wrong.answer.status, 422, "{field}={value}");
            wrong.expect_id(&format!("{field}-problem"));
            assert!(value.is_empty() || wrong.answer.body.contains(&format!("value=\"{value}\"")), "{field}={value}");
        }
        let list = browser.open(&scene.tenant.url(LIST)).await;
        assert!(list.answer.body.contains("No initial access tokens"), "{}", list.answer.body);
        // The longest life that the form takes is one that the rules take.
        let made = browser.submit(&form, &[("name", "Longest"), ("max_uses", "10000"), ("days", "365")]).await;
        assert!(content(&made.answer.body, "token").is_some(), "{}", made.answer.body);
    }

    async fn a_long_list_has_a_second_page_and_nothing_of_other_tenants(app: TestApp) {
        let scene = Scene::new(app).await;
        let globex = scene.app.tenant("globex").await;
        let (own, other) = (Admin::program(&scene.app, &scene.tenant).await, Admin::program(&scene.app, &globex).await);
        for number in 0..26 {
            initial_access_token(&own, &scene.tenant, &json!({ "name": format!("number {number:02}") })).await;
        }
        let theirs = initial_access_token(&other, &globex, &json!({ "name": "theirs" })).await;
        let (mut browser, _) = administrator(&scene).await;
        let first = browser.open(&scene.tenant.url(LIST)).await;
        assert!(first.answer.body.contains("number 24") && !first.answer.body.contains("number 25") && !first.answer.body.contains("theirs"));
        let next = content_of_link(&first.answer.body, "after=").expect("a second page");
        let second = browser.open(first.url.join(&next).expect("an address").as_str()).await;
        assert!(second.answer.body.contains("number 25") && !second.answer.body.contains("number 24"), "{}", second.answer.body);
        let id = theirs["id"].as_str().expect("an id");
        let page = browser.open(&scene.tenant.url(LIST)).await;
        for path in [format!("{LIST}/{id}"), format!("{LIST}/{id}/revoke"), format!("{LIST}/x")] {
            assert_eq!(browser.open(&scene.tenant.url(&path)).await.answer.status, 404, "{path}");
        }
        assert_eq!(press(&mut browser, &page, &scene.tenant.url(&format!("{LIST}/{id}/revoke")), &[]).await.answer.status, 404);
        assert_eq!(other.get(&format!("/tenants/globex/initial-access-tokens/{id}")).await.status, 200);
    }

    async fn who_may_only_look_makes_and_revokes_none(app: TestApp) {
        let scene = Scene::new(app).await;
        let own = Admin::program(&scene.app, &scene.tenant).await;
        let made = initial_access_token(&own, &scene.tenant, &json!({ "name": "Partners" })).await;
        let one = format!("{LIST}/{}", made["id"].as_str().expect("an id"));
        for (role, reads, writes) in [(Role::Auditor, true, false), (Role::ClientManager, true, true), (Role::UserManager, false, false)] {
            let user = scene.app.user(&scene.tenant, &format!("{role}@acme.example"), "a long enough password").await;
            appoint(&scene.app, &scene.tenant, &user, role).await;
            let (mut browser, home) = entered(&scene.app, &scene.tenant, &user).await;
            for (path, allowed) in [(LIST.to_owned(), reads), (one.clone(), reads), (format!("{LIST}/new"), writes), (format!("{one}/revoke"), writes)] {
                let page = browser.open(&scene.tenant.url(&path)).await;
                assert_eq!(page.answer.status, if allowed { 200 } else { 403 }, "{role} {path}");
                let main = page.answer.body.split("<main").nth(1).expect("a page");
                if allowed && !path.ends_with("/new") && !path.ends_with("/revoke") {
                    assert_eq!(main.contains("id=\"new\"") || main.contains("id=\"revoke\""), writes, "{role} {path}");
                }
            }
            if !writes {
                let fields = [("name", "X"), ("max_uses", "1"), ("days", "1")];
                assert_eq!(press(&mut browser, &home, &scene.tenant.url(&format!("{LIST}/new")), &fields).await.answer.status, 403, "{role}");
                assert_eq!(press(&mut browser, &home, &scene.tenant.url(&format!("{one}/revoke")), &[]).await.answer.status, 403, "{role}");
            }
        }
        let left = own.get("/tenants/acme/initial-access-tokens").await.expect_ok().json();
        assert_eq!(left["items"].as_array().map(Vec::len), Some(1), "{left}");
    }
}

/// The first link that has this in it.
fn content_of_link(body: &str, part: &str) -> Option<String> {
    body.split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|href| href.contains(part))
        .map(|href| href.replace("&amp;", "&").replace("&#38;", "&"))
}
