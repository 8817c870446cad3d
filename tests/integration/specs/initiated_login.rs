//! Sign-ins that begin here (OpenID Connect Core §4): from a person's account and from the console, at the application's own address.

use serde_json::{Value, json};

use super::seed::Scene;
use crate::support::admin::Admin;
use crate::support::app::{TestClient, app_test};
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;

async fn client(scene: &Scene, name: &str, more: Value) -> TestClient {
    let mut metadata = json!({ "client_name": name, "redirect_uris": [format!("https://{name}.example/callback")], "scope": "openid profile email" });
    for (name, value) in more.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    scene.app.client(&scene.tenant, metadata).await
}

/// Where the account's page lets a person go, by the application's name.
async fn starts(scene: &Scene, browser: &mut Browser) -> Vec<String> {
    let page = browser
        .open(&scene.tenant.url("/account/applications"))
        .await;
    let body = page.answer.expect_ok().body;
    let links = body
        .split("class=\"button button-small start\" href=\"")
        .skip(1);
    links
        .filter_map(|rest| {
            Some(
                rest.split_once('"')?
                    .0
                    .replace("&amp;", "&")
                    .replace("&#38;", "&"),
            )
        })
        .collect()
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

app_test! {
    async fn people_start_what_is_theirs_from_their_account(app: TestApp) {
        let scene = Scene::new(app).await;
        let login = |name: &str| format!("https://{name}.example/login?x=1");
        client(&scene, "intranet", json!({ "skip_consent": true, "initiate_login_uri": login("intranet") })).await;
        client(&scene, "silent", json!({ "skip_consent": true })).await;
        let shop = client(&scene, "shop", json!({ "initiate_login_uri": login("shop") })).await;
        let quiet = client(&scene, "quiet", json!({ "initiate_login_uri": login("quiet") })).await;
        client(&scene, "stranger", json!({ "initiate_login_uri": login("stranger") })).await;
        // Another tenant's own is none of this one's.
        let globex = scene.app.tenant("globex").await;
        scene.app.client(&globex, json!({ "client_name": "theirs", "redirect_uris": ["https://theirs.example/"], "skip_consent": true, "initiate_login_uri": login("theirs") })).await;

        let mut browser = scene.app.browser();
        let iss = encoded(&scene.tenant.issuer);
        let told = |name: &str, hint: bool| {
            let hint = if hint { format!("&login_hint={}", encoded("ana@acme.example")) } else { String::new() };
            format!("{}&iss={iss}{hint}", login(name))
        };
        let allow = |client: &TestClient, scope: &'static str| RelyingParty::new(&scene.app, &scene.tenant, client).with_scope(scope);
        allow(&shop, "openid email").sign_in(&mut browser, &scene.user).await;
        // Who never allowed an application to know their address doesn't have it told.
        allow(&quiet, "openid profile").sign_in(&mut browser, &scene.user).await;
        let mut found = starts(&scene, &mut browser).await;
        found.sort_unstable();
        assert_eq!(found, [told("intranet", true), told("quiet", false), told("shop", true)]);
        // And leads to a sign-in at that tenant, as the application makes one of it.
        let page = browser.open(&allow(&shop, "openid email").authorization_url(&[("login_hint", "ana@acme.example")])).await;
        assert!(page.answer.location_param("code").is_some());

        // What is changed counts at once; what is withdrawn is gone.
        let id = shop.id;
        let mut changed = scene.app.provider.load_client(&*scene.loaded().await, id).await.expect("there");
        changed.metadata.initiate_login_uri = None;
        assert!(scene.write(move |repo| repo.update_client(&changed)).await);
        let found = starts(&scene, &mut browser).await;
        assert_eq!(found.len(), 2, "{found:?}");
        let page = browser.open(&scene.tenant.url("/account/applications")).await;
        browser.submit(&page, &[("withdraw", &quiet.client_id())]).await;
        assert_eq!(starts(&scene, &mut browser).await, [told("intranet", true)]);
        let page = browser.open(&scene.tenant.url("/account/applications")).await.answer.body;
        assert!(page.contains("aria-label=\"Open: intranet\"") && !page.contains("silent"), "{page}");
    }

    /// Dynamic Client Registration §2: "URI using the https scheme".
    async fn the_address_is_one_of_the_web(app: TestApp) {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let with = |uri: Value| json!({ "client_name": "Shop", "redirect_uris": ["https://shop.example/callback"], "initiate_login_uri": uri });
        for wrong in ["http://shop.example/login", "http://localhost/login", "javascript:alert(1)", "/login", "https://user@shop.example/", "https://shop.example/#x", "data:text/html,x", ""] {
            let refused = admin.post("/tenants/acme/clients", &with(json!(wrong))).await;
            assert!(refused.status == 422 && refused.body.contains("initiate_login_uri"), "{wrong}: {}", refused.body);
        }
        let made = admin.post("/tenants/acme/clients", &with(json!("https://shop.example/login"))).await;
        assert_eq!((made.status, &made.json()["initiate_login_uri"]), (201, &json!("https://shop.example/login")));
    }
}
