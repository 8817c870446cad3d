//! OpenID Connect Session Management 1.0: a page asks whether somebody is still signed in. What the frame's script does is tried in a real
//! browser; here is what it gets to compare.

use serde_json::{Value, json};
use tessera::protocol::session_state::session_state;

use super::seed::Scene;
use crate::support::admin::Admin;
use crate::support::app::{TestApp, app_test};
use crate::support::browser::{Browser, Page};
use crate::support::http::Answer;
use crate::support::relying_party::RelyingParty;

const STATE: &str = "tessera_state";

async fn scene(app: TestApp) -> Scene {
    let scene = Scene::new(app).await;
    scene
        .app
        .change_settings(&scene.tenant, |settings| settings.session_management = true)
        .await;
    scene
}

async fn metadata(scene: &Scene) -> Value {
    let url = scene.tenant.url("/.well-known/openid-configuration");
    scene.app.get(&url).send().await.expect_ok().json()
}

/// What the frame says of a `session_state`, in this browser and to a page of the redirect URI's origin.
fn frame_says(rp: &RelyingParty, browser: &Browser, given: &str) -> &'static str {
    let Some(cookie) = browser.cookie(STATE) else {
        return "error";
    };
    let origin = url::Url::parse(rp.client.redirect_uri())
        .expect("a URL")
        .origin()
        .ascii_serialization();
    let salt = given.split_once('.').expect("a salt").1;
    if session_state(&rp.client.client_id(), &origin, cookie, salt) == given {
        "unchanged"
    } else {
        "changed"
    }
}

fn given(page: &Page) -> String {
    page.answer
        .location_param("session_state")
        .unwrap_or_else(|| panic!("none: {:?}", page.answer))
}

async fn silently(rp: &RelyingParty, browser: &mut Browser) -> Page {
    browser
        .open(&rp.authorization_url(&[("prompt", "none")]))
        .await
}

fn cookie_of<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let prefix = format!("{name}=");
    answer
        .headers
        .iter()
        .filter(|(header, _)| header == "set-cookie")
        .map(|(_, value)| value.as_str())
        .find(|value| value.starts_with(&prefix))
}

app_test! {
    async fn it_is_off_unless_a_tenant_wants_it(app: TestApp) {
        let scene = Scene::new(app).await;
        assert_eq!(metadata(&scene).await.get("check_session_iframe"), None);
        scene.app.get(&scene.tenant.url("/session/check")).send().await.expect_error(404, "not_found");
        let mut browser = scene.app.browser();
        let page = scene.rp.authorize(&mut browser, &scene.user, &[]).await;
        assert!(page.answer.location_param("code").is_some());
        assert_eq!((page.answer.location_param("session_state"), browser.cookie(STATE)), (None, None));
    }

    async fn unchanged_then_changed(app: TestApp) {
        let scene = scene(app).await;
        let mut browser = scene.app.browser();
        let page = scene.rp.authorize(&mut browser, &scene.user, &[]).await;
        let first = given(&page);
        assert!(!first.contains(' ') && page.answer.location_param("state").is_some() && page.answer.location_param("iss").is_some());
        assert_eq!(frame_says(&scene.rp, &browser, &first), "unchanged");
        // Each answer has a salt of its own; all of them say the same.
        let second = given(&silently(&scene.rp, &mut browser).await);
        assert_ne!(first, second);
        assert_eq!((frame_says(&scene.rp, &browser, &first), frame_says(&scene.rp, &browser, &second)), ("unchanged", "unchanged"));
        // A second person changes it, and so does the end.
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", "another long password").await;
        let login = browser.open(&scene.tenant.url("/login?elsewhere=1")).await;
        browser.sign_in(&login, &ben).await;
        assert_eq!(frame_says(&scene.rp, &browser, &first), "changed");
        let third = given(&silently(&scene.rp, &mut browser).await);
        assert_eq!(frame_says(&scene.rp, &browser, &third), "unchanged");
        let ask = browser.open(&scene.tenant.url("/logout")).await;
        browser.submit(&ask, &[("logout", "1")]).await.answer.expect_ok();
        assert_eq!(frame_says(&scene.rp, &browser, &third), "changed");
        // Who asks again is told so, and what they are told then holds.
        let refused = silently(&scene.rp, &mut browser).await;
        assert_eq!(refused.answer.location_param("error").as_deref(), Some("login_required"));
        assert_eq!(frame_says(&scene.rp, &browser, &given(&refused)), "unchanged");
    }

    async fn a_session_that_was_ended_elsewhere_is_noticed_at_the_next_question(app: TestApp) {
        let scene = scene(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let mut browser = scene.app.browser();
        let before = given(&scene.rp.authorize(&mut browser, &scene.user, &[]).await);
        let path = format!("/tenants/acme/sessions?user={}", scene.user.id);
        assert_eq!(admin.delete(&path).await.status, 204);
        assert_eq!(frame_says(&scene.rp, &browser, &before), "unchanged");
        let refused = silently(&scene.rp, &mut browser).await;
        assert_eq!(refused.answer.location_param("error").as_deref(), Some("login_required"));
        assert_eq!((frame_says(&scene.rp, &browser, &before), frame_says(&scene.rp, &browser, &given(&refused))), ("changed", "unchanged"));
    }

    async fn the_cookie_can_be_read_and_tells_nothing(app: TestApp) {
        let scene = scene(app).await;
        let mut browser = scene.app.browser();
        let login = browser.open(&scene.tenant.url("/login")).await;
        let (action, fields) = login.filled(&[("username", &scene.user.email), ("password", &scene.user.password)]);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = browser.fetch(action.as_str(), Some(&fields)).await;
        let cookie = cookie_of(&answer, STATE).expect("a cookie").to_owned();
        assert!(!cookie.contains("HttpOnly") && cookie.contains("Path=/t/acme") && cookie.contains("Max-Age="), "{cookie}");
        let session = cookie_of(&answer, "tessera_session").expect("a cookie");
        assert!(session.contains("HttpOnly"));
        // Neither the session's cookie nor its id is in it, and it opens nothing.
        let value = browser.cookie(STATE).expect("a cookie").to_owned();
        assert_eq!(value.len(), 43);
        let mut thief = scene.app.browser();
        thief.adopt_cookie(STATE, &browser);
        let refused = silently(&scene.rp, &mut thief).await;
        assert_eq!(refused.answer.location_param("error").as_deref(), Some("login_required"));
        // Nobody's is a value too, another one in each tenant.
        let globex = scene.app.tenant("globex").await;
        scene.app.change_settings(&globex, |settings| settings.session_management = true).await;
        let client = scene.app.web_client(&globex).await;
        let other = RelyingParty::new(&scene.app, &globex, &client);
        let (mut one, mut two) = (scene.app.browser(), scene.app.browser());
        silently(&scene.rp, &mut one).await;
        silently(&other, &mut two).await;
        assert!(one.cookie(STATE).is_some() && one.cookie(STATE) != two.cookie(STATE));
    }

    async fn the_frame_is_anybodys_and_nothing_else_is(app: TestApp) {
        let scene = scene(app).await;
        let url = metadata(&scene).await["check_session_iframe"].as_str().expect("an address").to_owned();
        assert_eq!(url, scene.tenant.url("/session/check"));
        let answer = scene.app.get(&url).send().await.expect_ok();
        assert_eq!(answer.header("x-frame-options"), None);
        assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'; script-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors *"));
        assert!(answer.header("cache-control").is_some_and(|value| value.contains("max-age=3600")));
        assert_eq!(answer.all("set-cookie").count(), 0, "a page that is kept sets nothing");
        assert!(answer.body.contains("data-cookie=\"tessera_state\""), "{}", answer.body);
        let script = answer.body.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");
        let script = scene.app.get(&format!("{}{script}", scene.app.root())).send().await.expect_ok();
        assert!(script.body.contains("postMessage") && script.header("content-type").is_some_and(|kind| kind.starts_with("text/javascript")));
        for path in ["/login", "/logout", "/", "/account"] {
            let answer = scene.app.get(&scene.tenant.url(path)).send().await;
            assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
            assert!(answer.header("content-security-policy").is_some_and(|policy| policy.contains("frame-ancestors 'none'")), "{path}");
        }
    }

    async fn whoever_has_no_use_for_it_gets_none(app: TestApp) {
        let scene = scene(app).await;
        let native = scene.app.client(&scene.tenant, json!({
            "client_name": "Phone", "application_type": "native", "redirect_uris": ["com.example.app:/callback"],
            "token_endpoint_auth_method": "none", "scope": "openid email", "skip_consent": true,
        })).await;
        let native = RelyingParty::new(&scene.app, &scene.tenant, &native).with_scope("openid email");
        let page = native.authorize(&mut scene.app.browser(), &scene.user, &[]).await;
        assert!(page.answer.location_param("code").is_some() && page.answer.location_param("session_state").is_none(), "a private scheme has no origin");
        let plain = scene.with(&scene.rp.client).with_scope("email");
        let page = plain.authorize(&mut scene.app.browser(), &scene.user, &[]).await;
        assert!(page.answer.location_param("code").is_some() && page.answer.location_param("session_state").is_none(), "no OpenID Connect");
    }

    async fn it_comes_by_fragment_and_form_too(app: TestApp) {
        let scene = scene(app).await;
        let mut browser = scene.app.browser();
        scene.rp.sign_in(&mut browser, &scene.user).await;
        let page = browser.open(&scene.rp.authorization_url(&[("response_mode", "fragment")])).await;
        let location = page.answer.header("location").expect("a redirect").to_owned();
        assert!(location.split_once('#').is_some_and(|(_, fragment)| fragment.contains("session_state=")), "{location}");
        let page = browser.open(&scene.rp.authorization_url(&[("response_mode", "form_post")])).await;
        let value = page.hidden("session_state").expect("a field");
        assert_eq!(frame_says(&scene.rp, &browser, &value), "unchanged");
    }
}

/// On https the cookie goes with frames of other sites, and only encrypted.
#[test]
fn the_cookie_crosses_sites_on_https_only() {
    use tessera::flows::browser::{Cookie, CookiePlace};
    let place = CookiePlace::of("https://acme.id.example.com");
    assert_eq!(place.name(Cookie::BrowserState), "__Host-tessera_state");
    assert_eq!(
        CookiePlace::of("https://id.example.com/t/acme").name(Cookie::BrowserState),
        "__Secure-tessera_state"
    );
}
