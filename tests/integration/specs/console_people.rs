//! People and administrators in the console.

use tessera::domain::role::Role;
use tessera::flows::admin::{By, NewExternalSubject};
use tessera::storage::PageRequest;

use super::console::{appoint, entered};
use super::console_settings::{press, with};
use super::seed::Scene;
use crate::support::app::{TestUser, app_test};
use crate::support::browser::{Browser, Page};

const EMAIL: &str = "new@acme.example";

async fn at(scene: &Scene, role: Role) -> Browser {
    appoint(&scene.app, &scene.tenant, &scene.user, role).await;
    entered(&scene.app, &scene.tenant, &scene.user).await.0
}

async fn open(scene: &Scene, browser: &mut Browser, path: &str) -> Page {
    browser
        .open(&scene.tenant.url(&format!("/console{path}")))
        .await
}

/// Presses the only button of a page that asks.
async fn confirm(browser: &mut Browser, page: &Page) -> Page {
    page.expect_id("confirm");
    let url = page.url.to_string();
    press(browser, page, &url, &[]).await
}

/// Adds somebody without a password; the path of their page, and the link that it shows.
async fn added(scene: &Scene, browser: &mut Browser) -> (String, String) {
    let form = open(scene, browser, "/users/new").await;
    let page = browser
        .submit(&form, &[("email", EMAIL), ("name", "Nora <New>")])
        .await;
    assert_eq!(page.answer.status, 200, "{}", page.answer.body);
    let path = page
        .url
        .path()
        .split("/console")
        .nth(1)
        .expect("a path")
        .to_owned();
    (path, link_on(&page))
}

/// The one-time link that a page shows.
fn link_on(page: &Page) -> String {
    let body = &page.answer.body;
    let at = body
        .find("/link/")
        .unwrap_or_else(|| panic!("no link: {body}"));
    let start = body[..at].rfind("http").expect("an address");
    body[start..].split('<').next().expect("its end").to_owned()
}

app_test! {
    async fn a_person_is_added_and_sets_a_password_by_the_link_that_is_shown_once(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = at(&scene, Role::UserManager).await;
        let (path, link) = added(&scene, &mut browser).await;
        let again = open(&scene, &mut browser, &path).await;
        assert!(!again.answer.body.contains("/link/") && again.answer.body.contains("Nora &#60;New&#62;"), "{}", again.answer.body);
        let mut theirs = scene.app.browser();
        let form = theirs.open(&link).await;
        theirs.submit(&form, &[("new_password", "a long enough secret"), ("confirm_password", "a long enough secret")]).await;
        let person = TestUser { email: EMAIL.into(), password: "a long enough secret".into(), ..scene.user.clone() };
        let tokens = scene.rp.sign_in(&mut theirs, &person).await;
        assert!(path.ends_with(tokens.id_claims()["sub"].as_str().expect("a subject")), "{path}");
        // The same address again is said beside its field, and what was typed stays.
        let form = open(&scene, &mut browser, "/users/new").await;
        let refused = browser.submit(&form, &[("email", EMAIL), ("name", "Somebody \"Else\"")]).await;
        assert_eq!(refused.answer.status, 422);
        assert!(refused.answer.body.contains("email-problem") && refused.answer.body.contains("Somebody &#34;Else&#34;"), "{}", refused.answer.body);
        let found = open(&scene, &mut browser, "/users?q=new%40").await;
        assert!(found.answer.body.contains(EMAIL) && !found.answer.body.contains("/users/{}\"") , "{}", found.answer.body);
    }

    async fn a_person_is_changed_as_they_were_seen(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = at(&scene, Role::Administrator).await;
        let (path, _) = added(&scene, &mut browser).await;
        let (first, second) = (open(&scene, &mut browser, &format!("{path}/edit")).await, open(&scene, &mut browser, &format!("{path}/edit")).await);
        let saved = browser.submit(&first, &[("email", EMAIL), ("given_name", "Nora")]).await;
        assert!(saved.answer.status == 200 && saved.answer.body.contains("Nora"), "{}", saved.answer.body);
        let stale = browser.submit(&second, &[("email", EMAIL), ("given_name", "Nina")]).await;
        let body = stale.answer.body.replace(['\u{2068}', '\u{2069}'], "");
        assert!(stale.answer.status == 409 && body.contains("value=\"Nina\"") && body.contains("Stored now: Nora"), "{body}");
        assert_eq!(body.matches("Stored now").count(), 1, "what is the same is said once: {body}");
        // Nor once a field of it has been put right.
        let wrong = browser.submit(&second, &[("email", "nobody")]).await;
        assert_eq!(wrong.answer.status, 422);
        let stale = browser.submit(&wrong, &[("email", EMAIL), ("given_name", "Nina")]).await;
        assert_eq!(stale.answer.status, 409, "{}", stale.answer.body);
        let form = open(&scene, &mut browser, &format!("{path}/edit")).await;
        let wrong = browser.submit(&form, &[("email", "nobody")]).await;
        assert!(wrong.answer.status == 422 && wrong.answer.body.contains("value=\"nobody\""), "{}", wrong.answer.body);
        // Whoever has no name is called by their address, and it is said once.
        for given in ["", "Nora"] {
            let form = open(&scene, &mut browser, &format!("{path}/edit")).await;
            let fields = [("email", EMAIL), ("name", ""), ("given_name", given)];
            assert_eq!(browser.submit(&form, &fields).await.answer.status, 200);
            for listed in ["/users".to_owned(), path.replace("/users/", "/administrators/")] {
                let page = open(&scene, &mut browser, &listed).await;
                let main = page.answer.body.split("<main").nth(1).expect("a page");
                assert_eq!(main.matches(EMAIL).count(), 1, "{listed}: {main}");
            }
        }
        assert_eq!(scene.events("user.updated"), 3);
    }

    /// A tick that was there is a word for the address that was there.
    async fn another_address_is_not_verified(app: TestApp) {
        let scene = Scene::new(app).await;
        let other = scene.app.user(&scene.tenant, EMAIL, "a long enough password").await;
        let mut browser = at(&scene, Role::UserManager).await;
        let path = format!("/users/{}/edit", other.id);
        let known = async || {
            let user = scene.app.provider.load_user(&*scene.loaded().await, other.id).await.expect("there");
            (user.email.to_string(), user.email_verified)
        };
        for (email, ticked, verified) in [
            (EMAIL, true, true), ("New@ACME.example", true, true), ("nora@new.example", true, false), ("nora@new.example", true, true), ("nora@new.example", false, false),
            // Here somebody has ticked it.
            ("nora@other.example", true, true), ("nora@acme.example", false, false), ("nora@new.example", false, false),
        ] {
            let form = open(&scene, &mut browser, &path).await;
            let tick = if ticked { "1" } else { "" };
            let saved = browser.submit(&form, &[("email", email), ("email_verified", tick)]).await;
            assert_eq!(saved.answer.status, 200, "{}", saved.answer.body);
            assert_eq!(known().await, (email.to_owned(), verified), "{email} {ticked}");
        }
    }

    async fn every_claim_of_a_person_is_filled_in_and_none_is_lost(app: TestApp) {
        let scene = Scene::new(app).await;
        let other = scene.app.user(&scene.tenant, EMAIL, "a long enough password").await;
        let mut browser = at(&scene, Role::UserManager).await;
        let path = format!("/users/{}", other.id);
        let claims = async || {
            let user = scene.app.provider.load_user(&*scene.loaded().await, other.id).await.expect("there");
            serde_json::to_value(user.claims).expect("JSON")
        };
        let form = open(&scene, &mut browser, &format!("{path}/edit")).await;
        let all = [
            ("email", EMAIL), ("email_verified", "1"), ("name", "Nora New"), ("given_name", "Nora"), ("family_name", "New"), ("phone_number", "+44 20 7946 0000"), ("phone_number_verified", "1"), ("zoneinfo", "Europe/London"),
            ("middle_name", "May"), ("gender", "female"), ("profile", "https://nora.example/me"), ("website", "https://nora.example"),
            ("address.street_address", "1 Street\r\n2nd floor"), ("address.locality", "Town"), ("address.country", "UK"),
        ];
        // What is wrong with a field that is folded away is said beside it, and it is unfolded.
        let wrong = browser.submit(&form, &with(&all, &[("website", "nora"), ("address.locality", "x\u{7}y")])).await;
        assert_eq!(wrong.answer.status, 422);
        wrong.expect_id("website-problem");
        assert!(wrong.answer.body.contains("id=\"user-claims-rare\" open"), "{}", wrong.answer.body);
        let wrong = browser.submit(&form, &with(&all, &[("address.locality", "x\u{7}y")])).await;
        wrong.expect_id("address.locality-problem");
        assert!(wrong.answer.body.contains("id=\"user-claims-address\" open"), "{}", wrong.answer.body);
        let saved = browser.submit(&form, &all).await;
        assert!(saved.answer.status == 200 && saved.answer.body.contains("2nd floor") && saved.answer.body.contains("https://nora.example/me"), "{}", saved.answer.body);
        let whole = claims().await;
        assert_eq!(whole["address"], serde_json::json!({ "street_address": "1 Street\n2nd floor", "locality": "Town", "country": "UK" }));
        assert!(whole["middle_name"] == "May" && whole["gender"] == "female" && whole["phone_number_verified"] == true, "{whole}");
        // A page that is older than these fields doesn't send them: they stay.
        let (first, second) = (open(&scene, &mut browser, &format!("{path}/edit")).await, open(&scene, &mut browser, &format!("{path}/edit")).await);
        browser.submit(&first, &[("email", EMAIL), ("email_verified", "1"), ("phone_number", "+44 20 7946 0001"), ("phone_number_verified", "1")]).await;
        let mut expected = whole.clone();
        expected["phone_number"] = "+44 20 7946 0001".into();
        assert_eq!(claims().await, expected);
        // Somebody who looked at it before sees both, and what is folded away where it differs.
        let stale = browser.submit(&second, &with(&all, &[("phone_number", "+44 20 7946 0002"), ("address.locality", "City")])).await;
        let body = stale.expect_id("stale").answer.body.replace(['\u{2068}', '\u{2069}'], "");
        assert!(stale.answer.status == 409 && body.contains("Stored now: +44 20 7946 0001") && body.contains("value=\"+44 20 7946 0002\""), "{body}");
        assert!(body.contains("Stored now: Town") && body.contains("id=\"user-claims-address\" open") && !body.contains("id=\"user-claims-rare\" open"), "{body}");
        assert_eq!((body.matches("Stored now").count(), claims().await), (2, expected));
        // What is emptied goes, and the audit has the names of what changed and none of the values.
        let empty = all.map(|(name, value)| (name, if name == "email" { value } else { "" }));
        let form = open(&scene, &mut browser, &format!("{path}/edit")).await;
        assert_eq!(browser.submit(&form, &empty).await.answer.status, 200);
        assert_eq!(claims().await, serde_json::json!({ "phone_number_verified": false }));
        let told = scene.app.database.raw().texts("SELECT detail AS value FROM audit_events WHERE act = 'user.updated' ORDER BY id");
        let changed: Vec<serde_json::Value> = told.iter().map(|detail| serde_json::from_str::<serde_json::Value>(detail).expect("JSON")["changed"].take()).collect();
        assert_eq!((changed.len(), &changed[1]), (3, &serde_json::json!(["claims.phone_number"])));
        assert!(changed[0].as_array().expect("names").contains(&"claims.address.locality".into()) && !told.concat().contains("7946"), "{told:?}");
    }

    async fn a_person_is_shut_out_let_in_again_and_deleted(app: TestApp) {
        let scene = Scene::new(app).await;
        let other = scene.app.user(&scene.tenant, EMAIL, "a long enough password").await;
        let mut browser = at(&scene, Role::UserManager).await;
        let path = format!("/users/{}", other.id);
        let tokens = scene.rp.sign_in(&mut scene.app.browser(), &other).await;
        let ask = open(&scene, &mut browser, &format!("{path}/disable")).await;
        let done = confirm(&mut browser, &ask).await;
        assert!(done.answer.body.contains("/enable"), "an undo: {}", done.answer.body);
        assert_eq!(scene.rp.refresh(tokens.refresh()).await.status, 400);
        let twice = confirm(&mut browser, &ask).await;
        assert_eq!((twice.answer.status, scene.events("user.disabled")), (200, 1));
        // Why a sign-in fails is told.
        let mut theirs = scene.app.browser();
        let login = theirs.open(&scene.rp.authorization_url(&[])).await;
        theirs.sign_in(&login, &other).await;
        let page = open(&scene, &mut browser, &path).await;
        assert!(page.answer.body.contains("The account is disabled."), "{}", page.answer.body);
        let enabled = press(&mut browser, &page, &scene.tenant.url(&format!("/console{path}/enable")), &[]).await;
        assert_eq!((enabled.answer.status, scene.events("user.enabled")), (200, 1), "{}", enabled.answer.body);
        let ask = open(&scene, &mut browser, &format!("{path}/delete")).await;
        confirm(&mut browser, &ask).await;
        assert_eq!(open(&scene, &mut browser, &path).await.answer.status, 404);
        assert_eq!(scene.events("user.deleted"), 1);
    }

    async fn sessions_end_and_consents_are_withdrawn(app: TestApp) {
        let scene = Scene::new(app).await;
        let other = scene.app.user(&scene.tenant, EMAIL, "a long enough password").await;
        let mut browser = at(&scene, Role::UserManager).await;
        let tokens = scene.rp.sign_in(&mut scene.app.browser(), &other).await;
        let sid = tokens.id_claims()["sid"].as_str().expect("a session").to_owned();
        let path = format!("/users/{}", other.id);
        let list = open(&scene, &mut browser, &format!("{path}/sessions")).await;
        let body = list.answer.body.replace(['\u{2068}', '\u{2069}'], "");
        assert!(body.contains(&sid) && body.contains("Firefox on Linux") && !body.contains("Mozilla/5.0"), "{body}");
        // Somebody else's session is not below this person.
        assert_eq!(open(&scene, &mut browser, &format!("/users/{}/sessions/{sid}", scene.user.id)).await.answer.status, 404);
        let consents = open(&scene, &mut browser, &format!("{path}/consents")).await;
        let client = consents.answer.body.split(&format!("{path}/consents/")).nth(1).expect("a consent")[..36].to_owned();
        let ask = open(&scene, &mut browser, &format!("{path}/consents/{client}")).await;
        confirm(&mut browser, &ask).await;
        assert_eq!(scene.rp.refresh(tokens.refresh()).await.status, 400);
        let ask = open(&scene, &mut browser, &format!("{path}/sessions/{sid}")).await;
        confirm(&mut browser, &ask).await;
        let ask = open(&scene, &mut browser, &format!("{path}/sessions/end")).await;
        confirm(&mut browser, &ask).await;
        assert_eq!((scene.events("consent.withdrawn"), scene.events("session.ended")), (1, 1));
    }

    async fn roles_are_given_and_given_up(app: TestApp) {
        let scene = Scene::new(app).await;
        let other = scene.app.user(&scene.tenant, EMAIL, "a long enough password").await;
        let mut browser = at(&scene, Role::Administrator).await;
        let form = open(&scene, &mut browser, "/administrators/new").await;
        let nobody = browser.submit(&form, &[("email", "nobody@acme.example")]).await;
        assert!(nobody.answer.status == 422 && nobody.answer.body.contains("email-problem"), "{}", nobody.answer.body);
        let roles = browser.submit(&form, &[("email", EMAIL)]).await;
        let saved = browser.submit(&roles, &[("roles", "auditor")]).await;
        assert!(saved.answer.body.contains(EMAIL) && saved.answer.body.contains("Auditor"), "{}", saved.answer.body);
        assert_eq!(scene.app.provider.load_user(&*scene.loaded().await, other.id).await.expect("there").roles, [Role::Auditor]);
        // Nobody loses a role by one press, and who looked at it before somebody else changed it is told.
        let roles_of = async |id| scene.app.provider.load_user(&*scene.loaded().await, id).await.expect("there").roles;
        let path = format!("/administrators/{}", other.id);
        let (first, second) = (open(&scene, &mut browser, &path).await, open(&scene, &mut browser, &path).await);
        let asked = browser.submit(&first, &[("roles", "client-manager")]).await;
        let body = asked.expect_id("confirm").answer.body.replace(['\u{2068}', '\u{2069}'], "");
        assert!(body.contains("No longer: Auditor.") && body.contains("From now on: Client manager."), "{body}");
        assert_eq!((roles_of(other.id).await, scene.events("role.revoked")), (vec![Role::Auditor], 0));
        let done = browser.submit(&asked, &[("roles", "client-manager"), ("confirmed", "1")]).await;
        assert_eq!((done.answer.status, roles_of(other.id).await), (200, vec![Role::ClientManager]));
        for late in [&second, &asked] {
            let stale = browser.submit(late, &[("roles", "user-manager")]).await;
            let body = stale.expect_id("stale").answer.body.replace(['\u{2068}', '\u{2069}'], "");
            assert!(stale.answer.status == 409 && body.contains("It is now: Client manager"), "{body}");
            let ticked = body.split("value=\"user-manager\"").nth(1).and_then(|rest| rest.split('>').next()).expect("a box");
            assert!(ticked.contains("checked"), "{body}");
        }
        assert_eq!((roles_of(other.id).await, scene.events("role.granted"), scene.events("role.revoked")), (vec![Role::ClientManager], 2, 1));
        // The last administrator stays, by whichever page.
        let own = format!("/administrators/{}", scene.user.id);
        let page = open(&scene, &mut browser, &own).await;
        let asked = browser.submit(&page, &[("roles", "auditor")]).await;
        let refused = browser.submit(&asked, &[("roles", "auditor"), ("confirmed", "1")]).await;
        assert!(refused.answer.status == 409 && refused.answer.body.contains("is the last administrator here"), "{}", refused.answer.body);
        refused.expect_id("save");
        for act in ["disable", "delete"] {
            let ask = open(&scene, &mut browser, &format!("/users/{}/{act}", scene.user.id)).await;
            let refused = confirm(&mut browser, &ask).await;
            assert!(refused.answer.status == 409 && refused.answer.body.contains("is the last administrator here"), "{act}: {}", refused.answer.body);
        }
        assert_eq!(roles_of(scene.user.id).await, [Role::Administrator]);
        // With another one, it is asked first, and then no more.
        appoint(&scene.app, &scene.tenant, &other, Role::Administrator).await;
        let page = open(&scene, &mut browser, &own).await;
        let asked = press(&mut browser, &page, page.url.as_str(), &[("version", &page.hidden("version").expect("a version"))]).await;
        assert!(asked.answer.body.contains("id=\"confirm\"") && asked.answer.body.contains("to undo this yourself"), "{}", asked.answer.body);
        assert_eq!(scene.events("role.revoked"), 1);
        let gone = browser.submit(&asked, &[("confirmed", "1")]).await;
        assert_eq!((gone.answer.status, scene.events("role.revoked")), (403, 2));
    }

    async fn a_link_for_another_password_is_shown_once_and_works_once(app: TestApp) {
        let scene = Scene::new(app).await;
        let other = scene.app.user(&scene.tenant, EMAIL, "a long enough password").await;
        let mut browser = at(&scene, Role::UserManager).await;
        let path = format!("/users/{}", other.id);
        let ask = open(&scene, &mut browser, &format!("{path}/reset")).await;
        let page = confirm(&mut browser, &ask).await;
        let link = link_on(&page);
        let again = open(&scene, &mut browser, &path).await;
        assert!(!again.answer.body.contains("/link/"), "{}", again.answer.body);
        // The present password holds until the link is used.
        scene.rp.sign_in(&mut scene.app.browser(), &other).await;
        let mut theirs = scene.app.browser();
        let form = theirs.open(&link).await;
        let new = [("new_password", "violet kettle heron"), ("confirm_password", "violet kettle heron")];
        assert_eq!(theirs.submit(&form, &new).await.answer.status, 200);
        assert_eq!((theirs.open(&link).await.answer.status, theirs.submit(&form, &new).await.answer.status), (400, 400));
        scene.rp.sign_in(&mut scene.app.browser(), &TestUser { password: "violet kettle heron".into(), ..other }).await;
        assert_eq!((scene.events("link.created"), scene.events("link.used")), (1, 1));
    }

    async fn whoever_has_less_power_keeps_no_key_to_who_gets_more(app: TestApp) {
        let scene = Scene::new(app).await;
        let boss = scene.app.user(&scene.tenant, "boss@acme.example", "a long enough password").await;
        let mut manager = at(&scene, Role::UserManager).await;
        appoint(&scene.app, &scene.tenant, &boss, Role::Administrator).await;
        let mut administrator = entered(&scene.app, &scene.tenant, &boss).await.0;
        let (tenant, by) = (scene.loaded().await, By::command_line());
        let names = async |id| {
            let listed = scene.app.provider.list_external_subjects(&tenant, Some(id), None, PageRequest::first(10)).await;
            listed.expect("storage works").items.len()
        };
        for (number, maker_is_manager) in [(1, true), (2, false)] {
            let other = scene.app.user(&scene.tenant, &format!("other{number}@acme.example"), "a long enough password").await;
            let name = NewExternalSubject { user_id: other.id, issuer: "https://idp.example.org".into(), subject: format!("mike{number}") };
            scene.app.provider.create_external_subject(&tenant, name, &by).await.expect("named");
            let maker = if maker_is_manager { &mut manager } else { &mut administrator };
            let ask = open(&scene, maker, &format!("/users/{}/reset", other.id)).await;
            let link = link_on(&confirm(maker, &ask).await);
            let roles = open(&scene, &mut administrator, &format!("/administrators/{}", other.id)).await;
            let saved = administrator.submit(&roles, &[("roles", "administrator")]).await;
            assert_eq!((saved.answer.status, names(other.id).await), (200, 0));
            let opened = scene.app.browser().open(&link).await;
            assert_eq!(opened.answer.status, if maker_is_manager { 400 } else { 200 }, "{number}");
        }
        assert_eq!((scene.events("role.granted"), scene.events("user.external_subject_removed")), (2, 2));
        // The command line's way is the same.
        let third = scene.app.user(&scene.tenant, "third@acme.example", "a long enough password").await;
        let ask = open(&scene, &mut manager, &format!("/users/{}/reset", third.id)).await;
        let link = link_on(&confirm(&mut manager, &ask).await);
        let third = scene.app.provider.load_user(&tenant, third.id).await.expect("there");
        scene.app.provider.grant_role(&tenant, &third, Role::Auditor, &by).await.expect("granted");
        assert_eq!(scene.app.browser().open(&link).await.answer.status, 400);
    }

    /// Nor the password that they chose, or could have chosen by a link of theirs; whatever it was changed to since.
    async fn whoever_has_less_power_is_signed_out_of_who_gets_more(app: TestApp) {
        let scene = Scene::new(app).await;
        let (tenant, by) = (scene.loaded().await, By::command_line());
        let provider = &scene.app.provider;
        let mut manager = at(&scene, Role::UserManager).await;
        let password = "violet kettle heron";
        for (number, role) in [(1, Role::Auditor), (2, Role::Administrator), (3, Role::Administrator)] {
            let other = scene.app.user(&scene.tenant, &format!("other{number}@acme.example"), "a long enough password").await;
            let by_manager = number != 3;
            let link = if by_manager {
                let ask = open(&scene, &mut manager, &format!("/users/{}/reset", other.id)).await;
                link_on(&confirm(&mut manager, &ask).await)
            } else {
                let user = provider.load_user(&tenant, other.id).await.expect("there");
                provider.reset_password(&tenant, &user, &by).await.expect("a link").url.expose().to_owned()
            };
            let mut browser = scene.app.browser();
            let page = browser.open(&link).await;
            browser.submit(&page, &[("new_password", password), ("confirm_password", password)]).await;
            let changed = TestUser { password: password.into(), ..other.clone() };
            let tokens = scene.rp.sign_in(&mut browser, &changed).await;
            let user = provider.load_user(&tenant, other.id).await.expect("there");
            assert_eq!(user.password.as_ref().map(|password| password.by_lesser), Some(by_manager));
            if number == 2 {
                // Changed on the account's page, by whoever is there.
                scene.write(move |repo| {
                    let hash = repo.find_user(other.id)?.and_then(|user| user.password).expect("a password");
                    repo.set_password(other.id, &hash.phc, hash.by_lesser)
                }).await;
            }
            let user = provider.load_user(&tenant, other.id).await.expect("there");
            if number == 1 {
                provider.grant_role(&tenant, &user, role, &by).await.expect("granted");
            } else {
                provider.set_roles(&tenant, &user, &[role], &by).await.expect("set");
            }
            let user = provider.load_user(&tenant, other.id).await.expect("there");
            assert_eq!(user.password.is_none(), by_manager, "{number}");
            let renewed = scene.rp.refresh(tokens.refresh()).await.status;
            assert_eq!(renewed, if by_manager { 400 } else { 200 }, "{number}");
            let account = browser.fetch(&scene.tenant.url("/account"), None).await.status;
            assert_eq!(account, if by_manager { 303 } else { 200 }, "{number}");
        }
        // By a link of whoever may appoint they come in again, and a further role ends nothing.
        let address = tessera::protocol::email::EmailAddress::parse("other1@acme.example").expect("an address");
        let user = provider.load_user_by_email(&tenant, &address).await.expect("there");
        let link = provider.reset_password(&tenant, &user, &by).await.expect("a link").url;
        let mut browser = scene.app.browser();
        let page = browser.open(link.expose()).await;
        browser.submit(&page, &[("new_password", password), ("confirm_password", password)]).await;
        let user = provider.load_user(&tenant, user.id).await.expect("there");
        provider.grant_role(&tenant, &user, Role::ClientManager, &by).await.expect("granted");
        assert!(provider.load_user(&tenant, user.id).await.expect("there").password.is_some());
    }

    async fn each_role_sees_and_does_its_part(app: TestApp) {
        let scene = Scene::new(app).await;
        let boss = scene.app.user(&scene.tenant, "boss@acme.example", "a long enough password").await;
        appoint(&scene.app, &scene.tenant, &boss, Role::Administrator).await;
        let globex = scene.app.tenant("globex").await;
        let stranger = scene.app.user(&globex, "bob@globex.example", "a long enough password").await;
        let user = scene.app.user(&scene.tenant, EMAIL, "a long enough password").await;
        for (role, sees, writes) in [(Role::Auditor, true, false), (Role::ClientManager, false, false), (Role::UserManager, true, true)] {
            let who = scene.app.user(&scene.tenant, &format!("{role}@acme.example"), "a long enough password").await;
            appoint(&scene.app, &scene.tenant, &who, role).await;
            let (mut browser, home) = entered(&scene.app, &scene.tenant, &who).await;
            assert_eq!(home.answer.body.contains("/console/users\""), sees, "{role}");
            let status = async |browser: &mut Browser, path: String| open(&scene, browser, &path).await.answer.status;
            assert_eq!(status(&mut browser, "/users".into()).await, if sees { 200 } else { 403 }, "{role}");
            let page = open(&scene, &mut browser, &format!("/users/{}", user.id)).await;
            assert_eq!(page.answer.body.contains("id=\"disable\""), writes, "{role}");
            for path in ["disable", "delete", "reset", "edit"] {
                assert_eq!(status(&mut browser, format!("/users/{}/{path}", user.id)).await, if writes { 200 } else { 403 }, "{role} {path}");
            }
            assert_eq!(status(&mut browser, "/administrators/new".into()).await, 403, "{role}");
            if sees {
                // Nobody of another tenant, and nothing is done without the form's token.
                assert_eq!(status(&mut browser, format!("/users/{}", stranger.id)).await, 404, "{role}");
                let bare = browser.post_from(&scene.tenant.url(&format!("/console/users/{}/disable", user.id)), &[], None).await;
                assert_eq!(bare.status, 403, "{role}");
            }
            if writes {
                let page = open(&scene, &mut browser, &format!("/users/{}", boss.id)).await;
                assert!(!page.answer.body.contains("id=\"disable\""), "an administrator is out of their reach");
                let ask = open(&scene, &mut browser, &format!("/users/{}/disable", boss.id)).await;
                assert_eq!(confirm(&mut browser, &ask).await.answer.status, 403);
                let form = open(&scene, &mut browser, "/users/new").await;
                assert!(!form.answer.body.contains("name=\"roles\""));
                let more = press(&mut browser, &form, form.url.as_str(), &[("email", "x@acme.example"), ("roles", "auditor")]).await;
                assert_eq!(more.answer.status, 403);
            }
        }
        assert!(scene.app.provider.load_user(&*scene.loaded().await, user.id).await.expect("there").is_active());
        assert_eq!(scene.events("user.disabled"), 0);
    }
}
