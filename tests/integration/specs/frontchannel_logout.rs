//! OpenID Connect Front-Channel Logout 1.0: clients' pages in frames of the page that says good-bye.

use serde_json::{Value, json};

use super::registration;
use super::seed::Scene;
use crate::support::app::{TestApp, TestTenant, app_test};
use crate::support::browser::Page;
use crate::support::relying_party::{RelyingParty, Tokens};

const BYE: &str = "https://orders.example/bye";

/// A client whose page wants to be loaded.
async fn framed(
    app: &TestApp,
    tenant: &TestTenant,
    host: &str,
    path: &str,
    session: bool,
) -> RelyingParty {
    let client = app
        .client(
            tenant,
            json!({
                "client_name": host, "redirect_uris": [format!("https://{host}/callback")], "skip_consent": true,
                "post_logout_redirect_uris": [format!("https://{host}/bye")], "scope": "openid profile email",
                "frontchannel_logout_uri": format!("https://{host}{path}"), "frontchannel_logout_session_required": session,
            }),
        )
        .await;
    RelyingParty::new(app, tenant, &client)
}

/// The addresses of a page's frames, as a browser reads them.
fn frames(page: &Page) -> Vec<String> {
    let tags = page.answer.body.split("<iframe").skip(1);
    tags.map(|tag| {
        let tag = tag.split('>').next().expect("a tag");
        assert!(
            tag.contains(" hidden")
                && tag.contains("sandbox=\"allow-scripts allow-same-origin allow-forms\"")
                && tag.contains("referrerpolicy=\"no-referrer\""),
            "{tag}"
        );
        let source = tag
            .split(" src=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        source
            .expect("a source")
            .replace("&#38;", "&")
            .replace("&amp;", "&")
    })
    .collect()
}

fn frame_sources(page: &Page) -> Vec<String> {
    let policy = page
        .answer
        .header("content-security-policy")
        .expect("a policy");
    let directive = policy
        .split("; ")
        .find_map(|one| one.strip_prefix("frame-src "));
    directive.map_or_else(Vec::new, |sources| {
        sources.split(' ').map(ToOwned::to_owned).collect()
    })
}

fn sign_out_url(tenant: &TestTenant, tokens: &Tokens, more: &[(&str, &str)]) -> String {
    let mut url = url::Url::parse(&tenant.url("/logout")).expect("a URL");
    url.query_pairs_mut()
        .append_pair(
            "id_token_hint",
            tokens.id_token.as_deref().expect("an ID token"),
        )
        .extend_pairs(more);
    url.into()
}

app_test! {
    async fn the_clients_of_the_session_are_framed_before_the_browser_goes_back(app: TestApp) {
        let scene = Scene::new(app).await;
        let orders = framed(&scene.app, &scene.tenant, "orders.example", "/out?a=1&b=2", true).await;
        let board = framed(&scene.app, &scene.tenant, "board.example:8443", "/signed-out", false).await;
        framed(&scene.app, &scene.tenant, "idle.example", "/out", true).await;
        let mut browser = scene.app.browser();
        let tokens = orders.sign_in(&mut browser, &scene.user).await;
        board.sign_in(&mut browser, &scene.user).await;
        let sid = tokens.id_claims()["sid"].as_str().expect("a sid").to_owned();
        let page = browser.open(&sign_out_url(&scene.tenant, &tokens, &[("post_logout_redirect_uri", BYE), ("state", "x&y\"<")])).await;
        assert_eq!(page.answer.status, 200, "{}", page.answer.body);
        let mut found = frames(&page);
        found.sort();
        let issuer: String = url::form_urlencoded::byte_serialize(scene.tenant.issuer.as_bytes()).collect();
        assert_eq!(found, ["https://board.example:8443/signed-out".to_owned(), format!("https://orders.example/out?a=1&b=2&iss={issuer}&sid={sid}")]);
        assert_eq!(frame_sources(&page), ["https://board.example:8443", "https://orders.example"]);
        // On it goes: by the script, by the page itself, and by hand.
        let onward = "https://orders.example/bye?state=x%26y%22%3C";
        assert!(page.answer.body.contains(&format!("id=\"continue\" href=\"{onward}\"")), "{}", page.answer.body);
        assert!(page.answer.body.contains(&format!("<meta http-equiv=\"refresh\" content=\"6;url={onward}\">")));
        assert!(page.answer.body.contains("/static/sign_out.") && !page.answer.body.contains("/static/page."));
        let policy = page.answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("script-src 'self'"));
        // The session is over by then.
        assert_eq!(browser.cookie("tessera_session"), None);
        let silent = browser.open(&orders.authorization_url(&[("prompt", "none")])).await;
        assert_eq!(silent.answer.location_param("error").as_deref(), Some("login_required"));
    }

    async fn without_a_way_back_the_page_stays(app: TestApp) {
        let scene = Scene::new(app).await;
        let orders = framed(&scene.app, &scene.tenant, "orders.example", "/out", false).await;
        let mut browser = scene.app.browser();
        let tokens = orders.sign_in(&mut browser, &scene.user).await;
        let page = browser.open(&sign_out_url(&scene.tenant, &tokens, &[])).await;
        assert_eq!(frames(&page), ["https://orders.example/out"]);
        assert!(!page.answer.body.contains("http-equiv") && !page.answer.body.contains("id=\"continue\"") && page.answer.body.contains("Sign in again"));
        // By the person's own answer as well, for everybody who is signed in there.
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", "another long password").await;
        let board = framed(&scene.app, &scene.tenant, "board.example", "/out", true).await;
        let mut browser = scene.app.browser();
        orders.sign_in(&mut browser, &scene.user).await;
        let login = browser.open(&scene.tenant.url("/login?elsewhere=1")).await;
        browser.sign_in(&login, &ben).await;
        let bens = board.sign_in(&mut browser, &ben).await;
        let ask = browser.open(&scene.tenant.url("/logout")).await;
        assert!(frames(&ask).is_empty() && frame_sources(&ask).is_empty());
        let after = browser.submit(&ask, &[("logout", "1")]).await;
        let found = frames(&after);
        assert_eq!(found.len(), 2, "{found:?}");
        let sid = bens.id_claims()["sid"].as_str().expect("a sid").to_owned();
        assert!(found.iter().any(|frame| frame.contains(&sid)), "{found:?}");
    }

    async fn who_needs_no_frame_is_sent_back_at_once(app: TestApp) {
        let scene = Scene::new(app).await;
        framed(&scene.app, &scene.tenant, "idle.example", "/out", true).await;
        let mut browser = scene.app.browser();
        let tokens = scene.rp.sign_in(&mut browser, &scene.user).await;
        let page = browser.open(&sign_out_url(&scene.tenant, &tokens, &[("post_logout_redirect_uri", BYE)])).await;
        assert_eq!((page.answer.status, page.answer.header("location")), (303, Some(BYE)));
        assert!(frame_sources(&page).is_empty());
    }

    async fn nobody_else_is_framed(app: TestApp) {
        let scene = Scene::new(app).await;
        let orders = framed(&scene.app, &scene.tenant, "orders.example", "/out", true).await;
        let board = framed(&scene.app, &scene.tenant, "board.example", "/out", true).await;
        let globex = scene.app.tenant("globex").await;
        let bob = scene.app.user(&globex, "bob@globex.example", "a long enough password").await;
        let foreign = framed(&scene.app, &globex, "foreign.example", "/out", true).await;
        // The same person in another browser, and another tenant in the same one.
        board.sign_in(&mut scene.app.browser(), &scene.user).await;
        let mut browser = scene.app.browser();
        foreign.sign_in(&mut browser, &bob).await;
        let tokens = orders.sign_in(&mut browser, &scene.user).await;
        let page = browser.open(&sign_out_url(&scene.tenant, &tokens, &[])).await;
        assert_eq!((frames(&page).len(), frame_sources(&page)), (1, vec!["https://orders.example".to_owned()]));
        // Once more there is nobody to tell of.
        let again = browser.open(&sign_out_url(&scene.tenant, &tokens, &[])).await;
        assert!(frames(&again).is_empty());
    }

    async fn a_client_that_signed_the_person_in_before_they_did_so_anew_is_framed_too(app: TestApp) {
        let scene = Scene::new(app).await;
        let orders = framed(&scene.app, &scene.tenant, "orders.example", "/out", true).await;
        let board = framed(&scene.app, &scene.tenant, "board.example", "/out", true).await;
        let mut browser = scene.app.browser();
        let first = board.sign_in(&mut browser, &scene.user).await;
        let page = orders.authorize(&mut browser, &scene.user, &[("prompt", "login")]).await;
        orders.redeem(&page.answer.location_param("code").expect("a code")).await.expect_ok();
        let ask = browser.open(&scene.tenant.url("/logout")).await;
        let found = frames(&browser.submit(&ask, &[("logout", "1")]).await);
        let sid = first.id_claims()["sid"].as_str().expect("a sid").to_owned();
        assert!(found.len() == 2 && found.iter().any(|frame| frame.contains("board.example") && frame.contains(&sid)), "{found:?}");
    }

    async fn only_a_page_beside_a_redirect_uri_is_registered(app: TestApp) {
        let tenant = registration::open(&app, "acme").await;
        let with = |name: &str, value: Value| json!({ "redirect_uris": ["https://relying.example/callback", "http://localhost:3000/callback"], name: value });
        for good in ["https://relying.example/out", "https://relying.example/out?x=%22", "http://localhost:3000/out"] {
            let made = registration::registered(&app, &tenant, with("frontchannel_logout_uri", json!(good))).await;
            assert_eq!((&made["frontchannel_logout_uri"], &made["frontchannel_logout_session_required"]), (&json!(good), &json!(false)));
        }
        for (member, value) in [
            ("frontchannel_logout_uri", "https://evil.example/out"), ("frontchannel_logout_uri", "https://relying.example.evil.example/out"),
            ("frontchannel_logout_uri", "https://relying.example:8443/out"), ("frontchannel_logout_uri", "http://relying.example/out"),
            ("frontchannel_logout_uri", "http://localhost:3001/out"), ("frontchannel_logout_uri", "https://relying.example@evil.example/out"),
            ("frontchannel_logout_uri", "https://relying.example/out#x"), ("frontchannel_logout_uri", "javascript:alert(1)"),
            ("frontchannel_logout_uri", "data:text/html,x"), ("frontchannel_logout_uri", "https://relying.example;script-src/out"),
            ("frontchannel_logout_uri", "https://relying.example/\"><script>"), ("frontchannel_logout_uri", "https://relying.example/a b"),
            ("frontchannel_logout_uri", "//relying.example/out"), ("frontchannel_logout_uri", "https://relying.example\\@evil.example/"),
        ] {
            let answer = registration::register(&app, &tenant, &with(member, json!(value))).await;
            answer.expect_error(400, "invalid_client_metadata");
            assert!(answer.json()["error_description"].to_string().contains(member), "{value}");
        }
        let answer = registration::register(&app, &tenant, &with("frontchannel_logout_session_required", json!(true))).await;
        answer.expect_error(400, "invalid_client_metadata");
    }
}
