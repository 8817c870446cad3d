//! Clients at the console: registered by kind and really used, changed, given another secret, deleted; and who may.

use tessera::domain::client::Client;
use tessera::domain::ids::ClientId;
use tessera::domain::role::Role;
use tessera::flows::console;
use tessera::secret::PlainSecret;

use super::console::{administrator, appoint, entered};
use super::seed::{Scene, text};
use crate::support::app::{TestClient, app_test};
use crate::support::browser::{Browser, Page};
use crate::support::relying_party::{RelyingParty, claims};

/// Between `before` and the next `after`.
fn between<'a>(body: &'a str, before: &str, after: &str) -> Option<&'a str> {
    body.split_once(before)?.1.split(after).next()
}

/// The secret that the page shows.
fn secret_on(page: &Page) -> Option<String> {
    between(&page.answer.body, "id=\"secret\">", "<").map(ToOwned::to_owned)
}

/// The client whose page this is.
fn client_at(page: &Page) -> ClientId {
    let path = page.url.path();
    let id = between(path, "/clients/", "/").expect("a client's page");
    id.parse().expect("an id")
}

/// Registers a client by the wizard.
pub async fn registered(
    scene: &Scene,
    browser: &mut Browser,
    kind: &str,
    fields: &[(&str, &str)],
) -> (Page, TestClient) {
    let page = browser
        .open(&scene.tenant.url("/console/clients/new"))
        .await;
    page.expect_id(&format!("kind-{kind}"));
    let page = browser
        .open(&scene.tenant.url(&format!("/console/clients/new/{kind}")))
        .await;
    let done = browser.submit(&page, fields).await;
    assert!(
        done.answer.status == 200 && done.url.path().ends_with("/connect"),
        "{} {}",
        done.url,
        done.answer.body
    );
    let client = stored(scene, client_at(&done)).await;
    let secret = secret_on(&done).map(PlainSecret::new);
    (
        done,
        TestClient {
            id: client.id,
            secret,
            metadata: client.metadata,
        },
    )
}

pub async fn stored(scene: &Scene, id: ClientId) -> Client {
    let tenant = scene.loaded().await;
    scene
        .app
        .provider
        .load_client(&tenant, id)
        .await
        .expect("the client")
}

async fn count(scene: &Scene) -> usize {
    let tenant = scene.loaded().await;
    scene
        .app
        .provider
        .db
        .read(&*tenant, |repo| {
            repo.list_clients(tessera::storage::PageRequest::first(200))
        })
        .await
        .expect("storage works")
        .items
        .len()
}

/// A form with everything as it is but some fields.
pub fn with<'a>(
    fields: &[(&'a str, &'a str)],
    changed: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let kept = fields
        .iter()
        .filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
    kept.chain(changed).copied().collect()
}

pub const WEB: [(&str, &str); 6] = [
    ("client_name", "Shop"),
    (
        "redirect_uris",
        "https://shop.example/callback\r\nhttp://localhost:3000/callback",
    ),
    ("post_logout_redirect_uris", "https://shop.example/"),
    ("scope", "profile"),
    ("scope", "email"),
    ("scope", "offline_access"),
];

app_test! {
    async fn a_web_application_is_registered_and_signed_in_to(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let (page, client) = registered(&scene, &mut browser, "web", &WEB).await;
        // What its developer needs, and the secret, this once and in no program.
        let body = &page.answer.body;
        let secret = client.secret().to_owned();
        assert!(secret.len() > 40 && body.matches(&secret).count() == 1, "{body}");
        for wanted in [&*scene.tenant.issuer, "https://shop.example/callback", "mozilla-django-oidc", "openid-client", "issuer-uri", "coreos/go-oidc", "openidconnect", "OIDC_CLIENT_SECRET", "Shop is registered"] {
            assert!(body.contains(wanted), "{wanted}: {body}");
        }
        assert_eq!(page.answer.header("cache-control"), Some("no-store"));
        let again = browser.open(page.url.as_str()).await;
        assert!(again.answer.status == 200 && secret_on(&again).is_none() && !again.answer.body.contains(&secret));
        // A person signs in with it, and stays signed in.
        let rp = RelyingParty::new(&scene.app, &scene.tenant, &client).with_scope("openid profile email offline_access");
        let tokens = rp.sign_in(&mut scene.app.browser(), &scene.user).await;
        assert_eq!(tokens.id_claims()["sub"], scene.user.id.to_string());
        assert_eq!(rp.userinfo(&tokens.access_token).await.json()["email"], "ana@acme.example");
        assert!(tokens.refresh_token.is_some());
    }

    async fn an_app_without_a_secret_is_registered_and_signed_in_to(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        scene.app.resource(&scene.tenant, "https://api.acme.example", &["orders:read"]).await;
        let fields = [("client_name", "Board"), ("redirect_uris", "https://board.example/"), ("scope", "email"), ("api", "https://api.acme.example orders:read"), ("skip_consent", "1")];
        let (page, client) = registered(&scene, &mut browser, "browser", &fields).await;
        assert!(client.secret.is_none() && page.answer.body.contains("oidc-client-ts") && page.answer.body.contains("jwtVerify"), "{}", page.answer.body);
        let rp = RelyingParty::new(&scene.app, &scene.tenant, &client).with_scope("openid email orders:read");
        let tokens = rp.sign_in(&mut scene.app.browser(), &scene.user).await;
        let access = tokens.access_claims();
        assert_eq!((&access["aud"], &access["scope"]), (&"https://api.acme.example".into(), &"openid email orders:read".into()));
        // One on a phone.
        let fields = [("client_name", "Phone"), ("redirect_uris", "com.example.board:/callback")];
        let (page, client) = registered(&scene, &mut browser, "browser", &fields).await;
        assert!(page.answer.body.contains("appauth"), "{}", page.answer.body);
        let rp = RelyingParty::new(&scene.app, &scene.tenant, &client).with_scope("openid");
        rp.sign_in(&mut scene.app.browser(), &scene.user).await;
    }

    async fn a_service_is_registered_and_gets_a_token(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let bare = browser.open(&scene.tenant.url("/console/clients/new/service")).await;
        assert!(bare.answer.body.contains("There is no API in this tenant yet"), "{}", bare.answer.body);
        scene.app.resource(&scene.tenant, "https://api.acme.example", &["orders:read", "orders:write"]).await;
        let fields = [("client_name", "Nightly"), ("api", "https://api.acme.example orders:read")];
        let (page, client) = registered(&scene, &mut browser, "service", &fields).await;
        for wanted in ["grant_type=client_credentials", "clientcredentials.Config", "OAuth2Session", "PyJWKClient", "NimbusJwtDecoder"] {
            assert!(page.answer.body.contains(wanted), "{wanted}: {}", page.answer.body);
        }
        let rp = scene.with(&client);
        let answer = rp.authenticated("/token", &[("grant_type", "client_credentials")]).send().await.expect_ok().json();
        let claims = claims(text(&answer, "access_token"));
        assert_eq!((&claims["aud"], &claims["scope"]), (&"https://api.acme.example".into(), &"orders:read".into()));
        // There is nothing to sign in to; the console says what to type and mints nothing.
        let url = scene.tenant.url(&format!("/console/clients/{}/try-it", client.id));
        let page = browser.open(&url).await;
        page.expect_id("command");
        assert!(page.answer.body.contains("$OIDC_CLIENT_SECRET") && !page.answer.body.contains(client.secret()), "{}", page.answer.body);
        let token = page.hidden("csrf").expect("a token");
        let origin = page.url.origin().ascii_serialization();
        assert_eq!(browser.post_from(&url, &[("csrf", &token)], Some(&origin)).await.status, 409);
    }

    async fn a_program_at_a_terminal_is_registered_and_signed_in_to(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let fields = [("client_name", "Tool"), ("redirect_uris", "http://127.0.0.1/callback"), ("scope", "profile"), ("scope", "offline_access")];
        let (page, client) = registered(&scene, &mut browser, "terminal", &fields).await;
        assert!(client.secret.is_none() && page.answer.body.contains("TcpListener"), "{}", page.answer.body);
        // Whatever port it got.
        let rp = RelyingParty::new(&scene.app, &scene.tenant, &client).with_scope("openid profile offline_access");
        let mut person = scene.app.browser();
        let begun = person.open(&rp.authorization_url(&[("redirect_uri", "http://127.0.0.1:49152/callback")])).await;
        let back = person.pass(begun, &scene.user).await;
        let location = back.answer.location();
        assert!(location.as_str().starts_with("http://127.0.0.1:49152/callback?"), "{location}");
    }

    async fn a_device_is_registered_and_connected(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let (page, client) = registered(&scene, &mut browser, "device", &[("client_name", "Television"), ("scope", "profile")]).await;
        assert!(client.secret.is_none());
        for wanted in ["/device_authorization", "slow_down", "user_code"] {
            assert!(page.answer.body.contains(wanted), "{wanted}: {}", page.answer.body);
        }
        let about = browser.open(&scene.tenant.url(&format!("/console/clients/{}", client.id))).await;
        assert!(about.answer.body.contains("Device without a browser") && about.answer.body.contains(&scene.tenant.url("/device_authorization")), "{}", about.answer.body);
        // There is nothing to sign in to in this browser; the console says what to type.
        let try_it = browser.open(&scene.tenant.url(&format!("/console/clients/{}/try-it", client.id))).await;
        try_it.expect_id("command");
        assert!(try_it.answer.body.contains("device_authorization") && !try_it.answer.body.contains("OIDC_CLIENT_SECRET"), "{}", try_it.answer.body);
        let answer = scene.with(&client).authenticated("/device_authorization", &[("scope", "openid profile")]).send().await.expect_ok().json();
        let mut person = scene.app.browser();
        let page = person.open(text(&answer, "verification_uri_complete")).await;
        let page = person.sign_in(&page, &scene.user).await;
        let page = person.submit(&page, &[("user_code", text(&answer, "user_code"))]).await;
        assert!(page.answer.body.contains("Television"), "{}", page.answer.body);
    }

    async fn a_form_that_is_sent_twice_registers_once(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let before = count(&scene).await;
        let page = browser.open(&scene.tenant.url("/console/clients/new/web")).await;
        let first = browser.submit(&page, &WEB).await;
        let second = browser.submit(&page, &with(&WEB, &[("client_name", "Other")])).await;
        assert_eq!(first.url, second.url);
        assert!(secret_on(&first).is_some() && secret_on(&second).is_none());
        assert_eq!(count(&scene).await, before + 1);
        assert_eq!(stored(&scene, client_at(&first)).await.metadata.client_name.as_deref(), Some("Shop"));
        // At once, too.
        let page = browser.open(&scene.tenant.url("/console/clients/new/web")).await;
        let mut twin = browser.clone();
        let (one, two) = futures_util::future::join(browser.submit(&page, &WEB), twin.submit(&page, &WEB)).await;
        assert_eq!(one.url, two.url);
        assert_eq!(count(&scene).await, before + 2);
        // Another form is another client, and one without a token is none.
        let page = browser.open(&scene.tenant.url("/console/clients/new/web")).await;
        assert_ne!(browser.submit(&page, &WEB).await.url, one.url);
        let odd = browser.submit(&page, &with(&WEB, &[("form", "x")])).await;
        assert_eq!(odd.answer.status, 409);
        assert_eq!(count(&scene).await, before + 3);
    }

    async fn what_was_typed_is_kept_and_the_fault_stands_beside_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let before = count(&scene).await;
        let page = browser.open(&scene.tenant.url("/console/clients/new/web")).await;
        for (changed, field) in [
            (("client_name", ""), "client_name"), (("redirect_uris", "http://shop.example/cb"), "redirect_uris"), (("redirect_uris", ""), "redirect_uris"),
            (("redirect_uris", "javascript:alert(1)"), "redirect_uris"), (("post_logout_redirect_uris", "/bye"), "post_logout_redirect_uris"), (("logo_uri", "x"), "logo_uri"),
        ] {
            let again = browser.submit(&page, &with(&WEB, &[changed])).await;
            assert_eq!(again.answer.status, 422, "{changed:?}");
            again.expect_id(&format!("{field}-problem"));
            if field != "client_name" {
                assert!(again.answer.body.contains("value=\"Shop\""), "{}", again.answer.body);
            }
            assert!(field == "post_logout_redirect_uris" || again.answer.body.contains(">\nhttps://shop.example/</textarea>"), "{}", again.answer.body);
        }
        // An API that isn't there.
        let again = browser.submit(&page, &with(&WEB, &[("scope", "email")])).await;
        assert_eq!(again.answer.status, 200);
        let token = page.hidden("form").expect("a token");
        let origin = page.url.origin().ascii_serialization();
        let csrf = page.hidden("csrf").expect("a token");
        let forged = [("csrf", &*csrf), ("form", &token), ("client_name", "X"), ("redirect_uris", "https://x.example/"), ("api", "urn:nobody steal")];
        let page = browser.open(&scene.tenant.url("/console/clients/new/web")).await;
        let fresh = page.hidden("form").expect("a token");
        let answer = browser.post_from(page.url.as_str(), &with(&forged, &[("form", &fresh)]), Some(&origin)).await;
        assert_eq!(answer.status, 422);
        assert_eq!(count(&scene).await, before + 1);
    }

    async fn faults_are_told_in_words_of_the_console(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let page = browser.open(&scene.tenant.url("/console/clients/new/web")).await;
        for (uris, told) in [
            ("localhost:3000/cb", ">Begin it with http:// or https://.<"),
            ("https://shop.example/cb\r\nlocalhost:3000/cb", ">localhost:3000/cb: Begin it with http:// or https://.<"),
            ("https://shop.example/cb\r\nmyapp:/cb", ">myapp:/cb: Begin it with https://, or http:// for localhost."),
            ("http://shop.example/cb", ">It has to begin with https://; http:// is only for localhost"),
            ("https://*.shop.example/cb", ">A * stands for nothing here"),
            ("https://shop.example/#x", ">It can’t have a # in it.<"),
            ("", ">Enter at least one: it is where people come back to"),
        ] {
            let again = browser.submit(&page, &with(&WEB, &[("redirect_uris", uris)])).await;
            again.expect_id("redirect_uris-problem");
            assert!(again.answer.body.contains(told), "{uris}: {}", again.answer.body);
        }
        // One that may be an app on a device, too.
        let browsers = browser.open(&scene.tenant.url("/console/clients/new/browser")).await;
        let again = browser.submit(&browsers, &[("client_name", "Board"), ("redirect_uris", "board.example:8443/cb")]).await;
        assert!(again.answer.status == 422 && again.answer.body.contains(">Begin it with http:// or https://.<"), "{}", again.answer.body);
        // What the tenant doesn't have.
        let (_, client) = registered(&scene, &mut browser, "web", &WEB).await;
        let edit = browser.open(&scene.tenant.url(&format!("/console/clients/{}/edit", client.id))).await;
        assert!(edit.answer.body.contains("Share its session with other applications"), "{}", edit.answer.body);
        let sound = [("client_name", "Shop"), ("redirect_uris", "https://shop.example/cb"), ("grant_types", "authorization_code"), ("token_endpoint_auth_method", "client_secret_basic"), ("scope", "openid")];
        for (field, value, told) in [
            ("scope", "orders:steal", "No API of this tenant has the scope orders:steal."),
            ("scope", "device_sso", "The settings don’t let applications share sessions"),
            ("resources", "urn:nobody", "This tenant has no API with the identifier urn:nobody."),
            ("token_exchange_targets", "urn:nobody", "urn:nobody is neither the identifier of an API"),
            ("authorization_details_types", "payment", "No API of this tenant has the type payment."),
        ] {
            let again = browser.submit(&edit, &with(&sound, &[(field, value)])).await;
            again.expect_id(&format!("{field}-problem"));
            assert!(again.answer.status == 422 && again.answer.body.contains(told), "{field}: {}", again.answer.body);
            assert!(!again.answer.body.contains("tessera resource"), "{field}: {}", again.answer.body);
        }
        let gone = browser.open(&scene.tenant.url("/console/clients/00000000-0000-7000-8000-000000000000")).await;
        assert!(gone.answer.status == 404 && gone.answer.body.contains("Looked for: 00000000") && !gone.answer.body.contains("tessera client"), "{}", gone.answer.body);
    }

    async fn hostile_names_stay_text(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let evil = "<script>alert(1)</script>\"'&{{7*7}}";
        let uri = "https://shop.example/'*onx=1;%22%3E?a=b&c=d".replace('*', "!");
        let fields = [("client_name", evil), ("redirect_uris", &uri)];
        let (page, client) = registered(&scene, &mut browser, "web", &fields).await;
        let path = format!("/console/clients/{}", client.id);
        let mut pages = vec![page];
        for rest in ["", "/edit", "/secret", "/delete", "/try-it", "/connect"] {
            pages.push(browser.open(&scene.tenant.url(&format!("{path}{rest}"))).await);
        }
        pages.push(browser.open(&scene.tenant.url("/console/clients?q=%3Cscript%3E")).await);
        for page in pages {
            assert_eq!(page.answer.status, 200, "{}", page.url);
            assert!(!page.answer.body.contains("<script>") && page.answer.body.contains("&#60;script&#62;alert(1)"), "{}: {}", page.url, page.answer.body);
        }
    }

    async fn the_list_is_searched_and_goes_on(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let url = scene.tenant.url("/console/clients");
        let mut last = None;
        for number in 0..27 {
            let name = format!("Späte 100%_App {number}");
            last = Some(scene.app.client(&scene.tenant, serde_json::json!({ "client_name": name, "redirect_uris": ["https://a.example/"] })).await);
        }
        let rows = |page: &Page| page.answer.body.matches("<tr>").count().saturating_sub(1);
        let first = browser.open(&url).await;
        assert_eq!(rows(&first), 25);
        let next = between(&first.answer.body, "class=\"pager\"", "rel=\"next\"").and_then(|nav| between(nav, "href=\"", "\"")).expect("a link").replace("&#38;", "&");
        let second = browser.open(&format!("{}{next}", scene.app.root())).await;
        assert_eq!(rows(&second), count(&scene).await - 25);
        assert!(second.answer.body.contains("Built in") && second.answer.body.contains("rel=\"first\""), "{}", second.answer.body);
        for (query, found) in [("sp%C3%84te", 25), ("app+26", 1), ("100%25_", 25), ("%25%25", 0), ("____", 0), ("orders", 1), ("nothing", 0)] {
            let page = browser.open(&format!("{url}?q={query}")).await;
            assert_eq!(rows(&page), found, "{query}");
        }
        let id = last.expect("a client").id;
        assert_eq!(rows(&browser.open(&format!("{url}?q={id}")).await), 1);
        let page = browser.open(&format!("{url}?q=nothing")).await;
        assert!(page.answer.body.contains("Nothing found"), "{}", page.answer.body);
    }

    async fn who_registered_itself_is_marked(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.registration = tessera::domain::settings::RegistrationPolicy::Open).await;
        let metadata = serde_json::json!({ "client_name": "Stranger", "redirect_uris": ["https://a.example/"] });
        let document = crate::specs::registration::registered(&scene.app, &scene.tenant, metadata).await;
        let (mut browser, _) = administrator(&scene).await;
        let url = scene.tenant.url("/console/clients");
        for (page, marked) in [(format!("{url}?q=stranger"), true), (format!("{url}?q=orders"), false), (format!("{url}/{}", document["client_id"].as_str().expect("an id")), true)] {
            let page = browser.open(&page).await;
            assert_eq!(page.answer.status, 200, "{}", page.url);
            assert_eq!(page.answer.body.contains("registered itself"), marked, "{}", page.answer.body);
        }
    }

    async fn settings_are_changed_as_they_were_read(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let (_, client) = registered(&scene, &mut browser, "web", &WEB).await;
        let url = scene.tenant.url(&format!("/console/clients/{}/edit", client.id));
        let page = browser.open(&url).await;
        assert!(page.answer.body.contains(">\nhttps://shop.example/callback\nhttp://localhost:3000/callback</textarea>"), "{}", page.answer.body);
        let fields = [
            ("client_name", "Shop 2"), ("redirect_uris", "https://shop.example/cb2"), ("scope", "openid"), ("scope", "email"), ("grant_types", "authorization_code"),
            ("token_endpoint_auth_method", "client_secret_post"), ("access_token_lifetime", "90"), ("contacts", "ops@shop.example"), ("localized", "client_name#de = Laden"), ("require_pkce", "1"),
        ];
        // Wrong values stay, beside what is wrong with them.
        for (changed, field) in [
            (("access_token_lifetime", "soon"), "access_token_lifetime"), (("access_token_lifetime", "1"), "access_token_lifetime"), (("redirect_uris", "https://a.example/#x"), "redirect_uris"),
            (("localized", "Laden"), "localized"), (("grant_types", "password"), "grant_types"), (("contacts", "ops"), "contacts"), (("scope", "steal"), "scope"), (("client_name", ""), "client_name"),
        ] {
            let again = browser.submit(&page, &with(&fields, &[changed])).await;
            assert_eq!(again.answer.status, 422, "{changed:?}: {}", again.answer.body);
            again.expect_id(&format!("{field}-problem"));
            assert!(again.answer.body.contains("client_name#de = Laden") || field == "localized", "{}", again.answer.body);
        }
        let done = browser.submit(&page, &fields).await;
        assert!(done.answer.status == 200 && done.answer.body.contains("Shop 2 was changed."), "{}", done.answer.body);
        let now = stored(&scene, client.id).await.metadata;
        assert_eq!((now.client_name.as_deref(), now.access_token_lifetime, now.localized.find("client_name", "de")), (Some("Shop 2"), Some(90), Some("Laden")));
        assert!(now.post_logout_redirect_uris.is_empty() && now.scope.as_ref().is_some_and(|scope| !scope.contains("profile")));
        // Somebody who still looks at the old form is told, and sees both.
        let stale = browser.submit(&page, &with(&fields, &[("client_name", "Mine")])).await;
        assert_eq!(stale.answer.status, 422);
        stale.expect_id("stale");
        assert!(stale.answer.body.contains("value=\"Mine\"") && stale.answer.body.contains("Stored now: Shop 2"), "{}", stale.answer.body);
        assert_eq!(stored(&scene, client.id).await.metadata.client_name.as_deref(), Some("Shop 2"));
        let saved = browser.submit(&stale, &with(&fields, &[("client_name", "Mine")])).await;
        assert_eq!(saved.answer.status, 200);
        assert_eq!(stored(&scene, client.id).await.metadata.client_name.as_deref(), Some("Mine"));
    }

    /// Grant types follow from what is ticked in the wizard; the editor shows both, and says what doesn't go together.
    async fn response_types_are_ticked(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let fields = [
            ("client_name", "Board"), ("redirect_uris", "https://board.example/cb"), ("scope", "email"), ("response_types", "code"), ("response_types", "code id_token"),
        ];
        let (_, client) = registered(&scene, &mut browser, "web", &fields).await;
        let names = |metadata: &tessera::protocol::client_metadata::ClientMetadata| {
            let types = metadata.response_types.iter().map(|own| own.as_str()).collect::<Vec<_>>().join(",");
            let grants = metadata.grant_types.iter().map(|grant| grant.as_str()).collect::<Vec<_>>().join(",");
            (types, grants)
        };
        assert_eq!(names(&client.metadata), ("code,code id_token".into(), "authorization_code,implicit".into()));
        let shown = browser.open(&scene.tenant.url(&format!("/console/clients/{}", client.id))).await;
        assert!(shown.answer.body.contains("code id_token"), "{}", shown.answer.body);
        let page = browser.open(&scene.tenant.url(&format!("/console/clients/{}/edit", client.id))).await;
        let of = |types: &[&'static str], grants: &[&'static str]| {
            let mut fields = vec![("client_name", "Board"), ("redirect_uris", "https://board.example/cb"), ("scope", "openid"), ("token_endpoint_auth_method", "client_secret_basic")];
            fields.extend(types.iter().map(|name| ("response_types", *name)));
            fields.extend(grants.iter().map(|name| ("grant_types", *name)));
            fields
        };
        for (types, grants, field) in [
            (&["code id_token"][..], &["authorization_code"][..], "response_types"), (&["code"], &["authorization_code", "implicit"], "grant_types"), (&["token"], &["implicit"], "response_types"),
        ] {
            let again = browser.submit(&page, &of(types, grants)).await;
            assert_eq!(again.answer.status, 422, "{types:?}");
            again.expect_id(&format!("{field}-problem"));
        }
        let mut fields = of(&["id_token token"], &["implicit"]);
        fields.push(("authorization_signed_response_alg", "ES256"));
        let done = browser.submit(&page, &fields).await;
        assert_eq!(done.answer.status, 200, "{}", done.answer.body);
        let now = stored(&scene, client.id).await.metadata;
        assert_eq!(names(&now), ("id_token token".into(), "implicit".into()));
        assert_eq!(now.authorization_response_algorithm().as_str(), "ES256");
        // Where the tenant forbids them, nobody is asked, and nobody gets them.
        scene.app.change_settings(&scene.tenant, |settings| settings.front_channel_tokens = false).await;
        let new = browser.open(&scene.tenant.url("/console/clients/new/web")).await;
        assert!(!new.answer.body.contains("response_types"), "{}", new.answer.body);
        let page = browser.open(page.url.as_str()).await;
        let refused = browser.submit(&page, &fields).await;
        assert_eq!(refused.answer.status, 422);
        refused.expect_id("response_types-problem");
    }

    async fn a_secret_is_replaced_once_and_shown_once(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let (_, client) = registered(&scene, &mut browser, "web", &WEB).await;
        let works = async |secret: &str| {
            let mut tried = client.clone();
            tried.secret = Some(PlainSecret::new(secret.to_owned()));
            scene.with(&tried).authenticated("/introspect", &[("token", "x")]).send().await.status == 200
        };
        let old = client.secret().to_owned();
        let url = scene.tenant.url(&format!("/console/clients/{}/secret", client.id));
        let page = browser.open(&url).await;
        let shown = browser.submit(&page, &[("overlap", "24")]).await;
        let new = secret_on(&shown).expect("the new secret");
        assert_ne!(new, old);
        assert!(works(&old).await && works(&new).await);
        assert!(secret_on(&browser.open(shown.url.as_str()).await).is_none());
        let about = browser.open(&scene.tenant.url(&format!("/console/clients/{}", client.id))).await;
        assert!(about.answer.body.contains("Secret made") && about.answer.body.contains("The one before is good until"), "{}", about.answer.body);
        // The same form again makes no other one.
        assert_eq!(browser.submit(&page, &[("overlap", "24")]).await.answer.status, 409);
        assert!(works(&new).await);
        // At once, and nothing else than what is offered.
        let page = browser.open(&url).await;
        for overlap in ["", "-1", "99999", "x"] {
            assert_eq!(browser.submit(&page, &[("overlap", overlap)]).await.answer.status, 422, "{overlap}");
        }
        let shown = browser.submit(&page, &[("overlap", "0")]).await;
        let last = secret_on(&shown).expect("the new secret");
        assert!(!works(&old).await && !works(&new).await && works(&last).await);
        // What carries it there is this session's and this client's.
        let page = browser.open(&url).await;
        let token = page.hidden("csrf").expect("a token");
        let version = page.hidden("version").expect("a version");
        let origin = page.url.origin().ascii_serialization();
        let answer = browser.post_from(&url, &[("csrf", &token), ("version", &version), ("overlap", "0")], Some(&origin)).await;
        assert_eq!(answer.status, 303);
        let sealed = browser.cookie("tessera_console_secret").expect("a cookie").to_owned();
        let other = scene.app.web_client(&scene.tenant).await;
        let elsewhere = browser.clone().open(&scene.tenant.url(&format!("/console/clients/{}/connect", other.id))).await;
        assert!(elsewhere.answer.status == 200 && secret_on(&elsewhere).is_none());
        let colleague = scene.app.user(&scene.tenant, "bo@acme.example", "a long enough password").await;
        appoint(&scene.app, &scene.tenant, &colleague, Role::Auditor).await;
        let (mut theirs, _) = entered(&scene.app, &scene.tenant, &colleague).await;
        theirs.set_cookie("tessera_console_notice", &sealed);
        let mut stolen = theirs.clone();
        stolen.adopt_cookie("tessera_console_secret", &browser);
        let page = stolen.open(&scene.tenant.url(&format!("/console/clients/{}/connect", client.id))).await;
        assert!(page.answer.status == 200 && secret_on(&page).is_none(), "{}", page.answer.body);
        assert!(secret_on(&browser.open(&scene.tenant.url(&format!("/console/clients/{}/connect", client.id))).await).is_some());
    }

    async fn deleting_asks_first_and_ends_everything(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let (_, client) = registered(&scene, &mut browser, "web", &WEB).await;
        let rp = RelyingParty::new(&scene.app, &scene.tenant, &client).with_scope("openid offline_access");
        let tokens = rp.sign_in(&mut scene.app.browser(), &scene.user).await;
        let path = format!("/console/clients/{}", client.id);
        let page = browser.open(&scene.tenant.url(&format!("{path}/delete"))).await;
        page.expect_id("confirm");
        let token = page.hidden("csrf").expect("a token");
        let origin = page.url.origin().ascii_serialization();
        for (csrf, origin) in [("", &*origin), (&*token, "https://evil.example")] {
            assert_eq!(browser.post_from(page.url.as_str(), &[("csrf", csrf)], Some(origin)).await.status, 403);
        }
        stored(&scene, client.id).await;
        let answer = browser.post_from(page.url.as_str(), &[("csrf", &token)], Some(&origin)).await;
        assert_eq!(answer.status, 303);
        let list = browser.open(&scene.tenant.url("/console/clients")).await;
        assert!(list.answer.body.contains("Shop was deleted."), "{}", list.answer.body);
        assert_eq!(browser.open(&scene.tenant.url(&path)).await.answer.status, 404);
        assert_eq!(rp.userinfo(&tokens.access_token).await.status, 401);
    }

    async fn each_role_sees_and_does_what_it_may(app: TestApp) {
        let scene = Scene::new(app).await;
        let client = scene.rp.client.id;
        let powerful = scene.app.client(&scene.tenant, serde_json::json!({ "client_name": "Root", "redirect_uris": ["https://a.example/"], "scope": "openid tessera:admin" })).await.id;
        let pages = ["", "/connect", "/edit", "/secret", "/delete", "/try-it"];
        for (role, reads, writes) in [(Role::Administrator, true, true), (Role::ClientManager, true, true), (Role::Auditor, true, false), (Role::UserManager, false, false)] {
            let user = scene.app.user(&scene.tenant, &format!("{role}@acme.example"), "a long enough password").await;
            appoint(&scene.app, &scene.tenant, &user, role).await;
            let (mut browser, page) = entered(&scene.app, &scene.tenant, &user).await;
            assert_eq!(page.answer.body.contains("/console/clients\""), reads, "{role}");
            let (token, origin) = (page.hidden("csrf").expect("a token"), page.url.origin().ascii_serialization());
            let list = browser.open(&scene.tenant.url("/console/clients")).await;
            assert_eq!(list.answer.status, if reads { 200 } else { 403 }, "{role}");
            assert_eq!(list.answer.body.contains("/clients/new"), writes, "{role}");
            for (place, rest) in pages.iter().enumerate() {
                let allowed = if place < 2 { reads } else { writes };
                let url = scene.tenant.url(&format!("/console/clients/{client}{rest}"));
                let page = browser.open(&url).await;
                assert_eq!(page.answer.status, if allowed { 200 } else { 403 }, "{role} {rest}");
                if place == 0 && reads {
                    assert_eq!(page.answer.body.contains(&format!("/clients/{client}/edit")), writes, "{role}");
                }
                if place >= 2 && !writes {
                    assert_eq!(browser.post_from(&url, &[("csrf", &token)], Some(&origin)).await.status, 403, "{role} {rest}");
                }
            }
            for kind in ["web", "browser", "service", "terminal", "device"] {
                let url = scene.tenant.url(&format!("/console/clients/new/{kind}"));
                assert_eq!(browser.open(&url).await.answer.status, if writes { 200 } else { 403 }, "{role}");
                if !writes {
                    let fields = with(&WEB, &[("csrf", &token), ("form", "01a20b5e-d265-729a-ad4f-d4cd5de0bd76")]);
                    assert_eq!(browser.post_from(&url, &fields, Some(&origin)).await.status, 403, "{role}");
                }
            }
            if role == Role::ClientManager {
                // Clients that administer are beyond them: neither made, nor changed, nor given a secret, nor deleted.
                let edit = browser.open(&scene.tenant.url(&format!("/console/clients/{client}/edit"))).await;
                assert!(!edit.answer.body.contains("tessera:admin"), "{}", edit.answer.body);
                let fields = [("client_name", "X"), ("redirect_uris", "https://x.example/"), ("grant_types", "authorization_code"), ("token_endpoint_auth_method", "client_secret_basic"), ("scope", "openid"), ("scope", "tessera:admin")];
                assert_eq!(browser.submit(&edit, &fields).await.answer.status, 403);
                let hiding = with(&fields[..fields.len() - 1], &[("token_exchange_impersonation", "1")]);
                assert_eq!(browser.submit(&edit, &hiding).await.answer.status, 403);
                let about = browser.open(&scene.tenant.url(&format!("/console/clients/{powerful}"))).await;
                assert!(about.answer.status == 200 && !about.answer.body.contains(&format!("{powerful}/edit")), "{}", about.answer.body);
                for (rest, fields) in [("edit", &fields[..]), ("secret", &[("overlap", "0")][..]), ("delete", &[][..])] {
                    let url = scene.tenant.url(&format!("/console/clients/{powerful}/{rest}"));
                    let fields = with(fields, &[("csrf", &token), ("version", "1")]);
                    assert_eq!(browser.post_from(&url, &fields, Some(&origin)).await.status, 403, "{rest}");
                }
            }
        }
        let tenant = scene.loaded().await;
        for id in [client, powerful] {
            assert_eq!(scene.app.provider.load_client(&tenant, id).await.expect("the client").version, 1);
        }
    }

    async fn clients_of_other_tenants_and_built_in_ones_are_out_of_reach(app: TestApp) {
        let scene = Scene::new(app).await;
        let globex = scene.app.tenant("globex").await;
        let foreign = scene.app.web_client(&globex).await.id;
        let (mut browser, page) = administrator(&scene).await;
        let (token, origin) = (page.hidden("csrf").expect("a token"), page.url.origin().ascii_serialization());
        for id in [foreign.to_string(), "x".to_owned(), "01a20b5e-d265-729a-ad4f-d4cd5de0bd76".to_owned()] {
            for rest in ["", "/connect", "/edit", "/secret", "/delete", "/try-it"] {
                let url = scene.tenant.url(&format!("/console/clients/{id}{rest}"));
                assert_eq!(browser.open(&url).await.answer.status, 404, "{url}");
                if !["", "/connect"].contains(&rest) {
                    assert_eq!(browser.post_from(&url, &[("csrf", &token), ("version", "1"), ("overlap", "0")], Some(&origin)).await.status, 404, "{url}");
                }
            }
        }
        assert_eq!(browser.open(&scene.tenant.url("/console/clients/new/toaster")).await.answer.status, 404);
        let built_in = console::client_id();
        let page = browser.open(&scene.tenant.url(&format!("/console/clients/{built_in}"))).await;
        assert!(page.answer.status == 200 && page.answer.body.contains("Built in") && !page.answer.body.contains("/delete"), "{}", page.answer.body);
        let url = scene.tenant.url(&format!("/console/clients/{built_in}/delete"));
        assert_eq!(browser.post_from(&url, &[("csrf", &token)], Some(&origin)).await.status, 409);
        stored(&scene, built_in).await;
        let theirs = scene.app.load(&globex).await;
        assert_eq!(scene.app.provider.load_client(&theirs, foreign).await.expect("theirs").version, 1);
    }
}
