//! Keys, settings, look, domains and APIs at the console: each journey, and who may.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use tessera::domain::role::Role;
use tessera::flows::admin::{Authority, By, NewResource};
use tessera::flows::keys::RotationStart;
use tessera::protocol::SigningAlgorithm;
use tessera::storage::PageRequest;

use super::console::{administrator, appoint, entered};
use super::seed::Scene;
use crate::support::app::{TestApp, app_test, on_both};
use crate::support::browser::{Browser, Page};

/// Sends a form of the session whose page this is, and goes where it leads.
pub async fn press(browser: &mut Browser, page: &Page, url: &str, fields: &[(&str, &str)]) -> Page {
    let token = page.hidden("csrf").expect("a token");
    let origin = page.url.origin().ascii_serialization();
    let all: Vec<_> = [("csrf", token.as_str())]
        .into_iter()
        .chain(fields.iter().copied())
        .collect();
    let answer = browser.post_from(url, &all, Some(&origin)).await;
    match answer.header("location").filter(|_| answer.status == 303) {
        Some(location) => {
            let url = page.url.join(location).expect("an address");
            browser.open(url.as_str()).await
        }
        None => Page {
            url: page.url.clone(),
            answer,
        },
    }
}

/// A form with everything as it is but some fields.
pub(super) fn with<'a>(
    fields: &[(&'a str, &'a str)],
    changed: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let kept = fields
        .iter()
        .filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
    kept.chain(changed).copied().collect()
}

pub(super) const SETTINGS: [(&str, &str); 47] = [
    ("name", "Acme"),
    ("access_token_lifetime", "10"),
    ("access_token_lifetime-unit", "m"),
    ("id_token_lifetime", "5"),
    ("id_token_lifetime-unit", "m"),
    ("refresh_token_idle_lifetime", "30"),
    ("refresh_token_idle_lifetime-unit", "d"),
    ("refresh_token_lifetime", "365"),
    ("refresh_token_lifetime-unit", "d"),
    ("code_lifetime", "60"),
    ("code_lifetime-unit", "s"),
    ("session_idle_lifetime", "24"),
    ("session_idle_lifetime-unit", "h"),
    ("session_lifetime", "30"),
    ("session_lifetime-unit", "d"),
    ("password.minimum_length", "12"),
    ("lockout.attempts", "10"),
    ("lockout.window", "15"),
    ("lockout.window-unit", "m"),
    ("one_time_link_lifetime", "3"),
    ("one_time_link_lifetime-unit", "d"),
    ("consent", "always"),
    ("device_code_lifetime", "20"),
    ("device_code_lifetime-unit", "m"),
    ("device_code_limit", "70"),
    ("device_code_rate", "90"),
    ("backchannel_authentication", "1"),
    ("backchannel_request_lifetime", "2"),
    ("backchannel_request_lifetime-unit", "m"),
    ("backchannel_request_limit", "5"),
    ("backchannel_request_rate", "60"),
    (
        "backchannel_notice_uri",
        " https://hooks.acme.example/asked ",
    ),
    ("registration", "token"),
    ("registration_limit", "50"),
    ("registration_rate", "100"),
    ("unused_client_days", "90"),
    ("pushed_request_rate", "600"),
    ("client_certificate_authorities", ""),
    ("client_certificate_revocation_lists", ""),
    ("security_profile", "none"),
    ("request_object_lifetime", "10"),
    ("request_object_lifetime-unit", "m"),
    ("administration_max_age", "15"),
    ("administration_max_age-unit", "m"),
    ("audit_event_days", "400"),
    ("dpop_proof_leeway", "30"),
    ("dpop_proof_leeway-unit", "s"),
];

/// A site that answers everything with what it was told last.
fn site() -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = format!(
        "http://localhost:{}",
        listener.local_addr().expect("an address").port()
    );
    let answer = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let body = told.lock().expect("no panic").clone();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (origin, answer)
}

app_test! {
    async fn settings_are_changed_in_units_of_people(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let url = scene.tenant.url("/console/settings");
        let page = browser.open(&url).await;
        assert_eq!(page.answer.status, 200);
        let saved = browser.submit(&page, &with(&SETTINGS, &[("require_pkce", "1"), ("dpop_proof_leeway", "20"), ("require_dpop_nonce", "1")])).await;
        assert!(saved.answer.status == 200 && saved.answer.body.contains("The changes are saved."), "{} {}", saved.answer.status, saved.answer.body);
        let tenant = scene.loaded().await;
        let settings = tenant.settings();
        assert_eq!((settings.access_token_lifetime, settings.session_idle_lifetime, settings.password.minimum_length), (600, 86_400, 12));
        assert!(settings.require_pkce && !settings.password.refuse_own_name && !settings.front_channel_tokens);
        let saved = browser.submit(&saved, &with(&SETTINGS, &[("require_pkce", "1"), ("front_channel_tokens", "1")])).await;
        assert!(scene.loaded().await.settings().front_channel_tokens, "{}", saved.answer.body);
        assert_eq!((settings.registration.as_str(), settings.registration_limit, settings.unused_client_days), ("token", 50, 90));
        assert_eq!(settings.audit_event_days, 400);
        assert!(browser.open(&scene.tenant.url("/console/audit")).await.answer.body.contains("Events older than 400 days are deleted."));
        assert_eq!((settings.device_authorization, settings.device_code_lifetime, settings.device_code_limit, settings.device_code_rate), (false, 1200, 70, 90));
        assert_eq!(
            (settings.backchannel_authentication, settings.backchannel_request_lifetime, settings.backchannel_request_limit, settings.backchannel_request_rate, settings.backchannel_notice_uri.as_str()),
            (true, 120, 5, 60, "https://hooks.acme.example/asked"),
        );
        assert!(settings.require_dpop_nonce && settings.dpop_proof_leeway == 20);
        assert_eq!((settings.pushed_request_rate, settings.request_object_lifetime, settings.security_profile.as_str()), (600, 600, "none"));
        assert_eq!(tenant.record.name, "Acme");
        // Each fault beside its field, and what was typed stays.
        for (field, value, problem) in [
            ("access_token_lifetime", "2000", "Must be between"), ("code_lifetime", "61", "Must be between"), ("session_lifetime", "1e3", "whole number"),
            ("session_lifetime", "99999999999", "whole number"), ("session_idle_lifetime", "9999", "Must be between"), ("name", "", "name"), ("lockout.attempts", "-1", "whole number"),
            ("device_code_lifetime", "31", "Must be between"), ("device_code_limit", "0", "Must be between"), ("device_code_rate", "x", "whole number"),
            ("backchannel_request_lifetime", "31", "Must be between"), ("backchannel_request_limit", "21", "Must be between"), ("backchannel_request_rate", "0", "Must be between"), ("backchannel_notice_uri", "hooks", "A whole address is needed"), ("backchannel_notice_uri", "http://[::1]/asked", "It has to begin with https://."),
            ("registration_limit", "0", "Must be between"), ("registration_limit", "100001", "Must be between"), ("unused_client_days", "3651", "Must be between"), ("audit_event_days", "29", "Must be between 30 and"), ("audit_event_days", "3651", "Must be between 30 and"), ("dpop_proof_leeway", "301", "Must be between"),
        ] {
            let wrong = browser.submit(&saved, &with(&SETTINGS, &[(field, value)])).await;
            assert_eq!(wrong.answer.status, 422, "{field}");
            wrong.expect_id(&format!("{field}-problem"));
            assert!(wrong.answer.body.contains(&format!("value=\"{value}\"")) && wrong.answer.body.contains(problem), "{field}: {}", wrong.answer.body);
            // The page is long: it says above where to look, and unfolds what is wrong and nothing else.
            assert!(wrong.expect_id("faults").answer.body.contains(&format!("<a href=\"#{field}\">")), "{field}: {}", wrong.answer.body);
            assert_eq!(wrong.answer.body.matches("\" open>").count(), usize::from(field != "name"), "{field}: {}", wrong.answer.body);
        }
        assert!(!page.answer.body.contains("id=\"faults\"") && page.answer.body.contains("<details class=\"fold\" id=\"settings-tokens\">"), "{}", page.answer.body);
        let wrong = browser.submit(&saved, &with(&SETTINGS, &[("client_certificate_authorities", "nobody's")])).await;
        wrong.expect_id("client_certificate_authorities-problem");
        let wrong = browser.submit(&saved, &with(&SETTINGS, &[("client_certificate_revocation_lists", "nobody's")])).await;
        wrong.expect_id("client_certificate_revocation_lists-problem");
        browser.submit(&saved, &with(&SETTINGS, &[("security_profile", "fapi3")])).await.expect_id("security_profile-problem");
        // Who looked at it before is told, sees both, and may decide.
        let stale = browser.submit(&page, &with(&SETTINGS, &[("access_token_lifetime", "7")])).await;
        assert_eq!(stale.answer.status, 409);
        stale.expect_id("stale");
        // Fluent isolates what it puts in.
        let body = stale.answer.body.replace(['\u{2068}', '\u{2069}'], "");
        assert!(body.contains("value=\"7\"") && body.contains("Stored now: 10 minutes."), "{body}");
        assert_eq!(scene.loaded().await.settings().access_token_lifetime, 600);
        assert_eq!(browser.submit(&stale, &with(&SETTINGS, &[("access_token_lifetime", "7")])).await.answer.status, 200);
        assert_eq!(scene.loaded().await.settings().access_token_lifetime, 420);
    }

    async fn a_look_is_seen_before_it_is_saved(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let page = browser.open(&scene.tenant.url("/console/branding")).await;
        page.expect_id("preview");
        let look = [("logo_uri", "https://cdn.example/logo.png"), ("accent", "ffd400"), ("accent_dark", "")];
        let shown = browser.submit(&page, &with(&look, &[("preview", "1")])).await;
        assert!(shown.answer.status == 200 && shown.answer.body.contains("hard to read as text") && shown.answer.body.contains("src=\"https://cdn.example/logo.png\""), "{}", shown.answer.body);
        assert!(scene.loaded().await.record.branding.accent().is_none());
        let sheet = scene.app.browser().open(&scene.tenant.url("/console/branding/preview.css?accent=%23ffd400&accent_dark=%7D*%7Bx:y")).await.answer;
        assert!(sheet.status == 200 && sheet.body.contains("--accent:#ffd400;--on-accent:#000000") && !sheet.body.contains("x:y"), "{sheet:?}");
        // What follows the typing is the same server's word: in a property, so that no text of anybody's is ever a rule or markup.
        let told = async |query: &str| {
            let answer = scene.app.browser().open(&scene.tenant.url(&format!("/console/branding/preview.css?{query}"))).await.answer;
            assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/css; charset=utf-8")));
            let text = answer.body.split("#preview{--told:\"").nth(1).and_then(|rest| rest.strip_suffix("\"}\n")).expect("a property");
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%*-._".contains(&byte)), "{text}");
            let text = url::form_urlencoded::parse(format!("told={text}").as_bytes()).next().expect("a value").1.into_owned();
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
        };
        let yellow = told("logo_uri=https%3A%2F%2Fcdn.example%2Fa%22%29%7D.png&accent=ffd400&accent_dark=").await;
        assert_eq!((&yellow["logo"], &yellow["problems"]), (&"https://cdn.example/a%22)%7D.png".into(), &serde_json::json!([])));
        assert!(yellow["notes"][0].as_str().is_some_and(|note| note.contains("hard to read as text")), "{yellow}");
        for wrong in ["accent=%3C%2Fstyle%3E", "accent_dark=%23000000", "logo_uri=javascript:alert(1)", "logo_uri=https://x.example/a.svg", "logo_uri=%22%7D*%7Bx:y"] {
            let wrong = told(wrong).await;
            assert!(wrong["problems"].as_array().is_some_and(|problems| problems.len() == 1) && wrong["logo"].is_null(), "{wrong}");
        }
        assert!(page.answer.body.contains("data-address=\"/t/acme/console/branding/preview.css\"") && page.answer.body.contains("/static/preview."), "{}", page.answer.body);
        for (field, value) in [("accent", "red"), ("accent_dark", "#12"), ("logo_uri", "javascript:alert(1)"), ("logo_uri", "https://x.example/a.svg"), ("logo_uri", "nonsense")] {
            let wrong = browser.submit(&page, &with(&look, &[(field, value)])).await;
            assert_eq!(wrong.answer.status, 422, "{value}");
            wrong.expect_id(&format!("{field}-problem"));
        }
        let saved = browser.submit(&page, &look).await;
        assert_eq!(saved.answer.status, 200);
        assert_eq!(scene.loaded().await.record.branding.accent().map(|colour| colour.to_string()).as_deref(), Some("#ffd400"));
        let stale = browser.submit(&page, &look).await;
        assert_eq!(stale.answer.status, 409);
        assert!(stale.expect_id("stale").answer.body.contains("#ffd400"));
    }

    async fn a_key_is_followed_once_and_withdrawn_for_good(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let tenant = scene.loaded().await;
        let keys = async || scene.app.provider.list_signing_keys(&tenant, PageRequest::first(50)).await.expect("keys").items;
        let key = keys().await.into_iter().find(|key| key.algorithm == SigningAlgorithm::Es256).expect("a key");
        let before = keys().await.len();
        let url = |rest: &str| scene.tenant.url(&format!("/console/keys/{}{rest}", key.kid));
        let list = browser.open(&scene.tenant.url("/console/keys")).await;
        assert!(list.answer.body.contains(&key.kid) && list.answer.body.contains("Signs since"), "{}", list.answer.body);
        let ask = browser.open(&url("/rotate")).await;
        assert_eq!(press(&mut browser, &ask, &url("/rotate"), &[("start", "whenever")]).await.answer.status, 422);
        let done = press(&mut browser, &ask, &url("/rotate"), &[("start", "published-first")]).await;
        assert!(done.answer.body.contains("A new key signs from") && done.answer.body.contains("Published, signs from"), "{}", done.answer.body);
        // The second press of the button makes no further one.
        assert_eq!(press(&mut browser, &ask, &url("/rotate"), &[("start", "published-first")]).await.answer.status, 409);
        assert_eq!(keys().await.len(), before + 1);
        let ask = browser.open(&url("/revoke")).await;
        assert!(ask.answer.body.contains("class=\"consequences\""));
        for _ in 0..2 {
            let done = press(&mut browser, &ask, &url("/revoke"), &[]).await;
            assert!(done.answer.status == 200 && done.answer.body.contains("is revoked."), "{}", done.answer.body);
        }
        let jwks = browser.open(&scene.tenant.url("/jwks")).await.answer.body;
        assert!(!jwks.contains(&key.kid), "{jwks}");
        // Another tenant's, and nobody's.
        let globex = scene.app.tenant("globex").await;
        let other = scene.app.load(&globex).await;
        let foreign = scene.app.provider.list_signing_keys(&other, PageRequest::first(1)).await.expect("keys").items.remove(0);
        for path in [format!("/console/keys/{}", foreign.kid), format!("/console/keys/{}/revoke", foreign.kid), "/console/keys/x%00".to_owned()] {
            assert_eq!(browser.open(&scene.tenant.url(&path)).await.answer.status, 404, "{path}");
        }
        assert_eq!(press(&mut browser, &ask, &scene.tenant.url(&format!("/console/keys/{}/revoke", foreign.kid)), &[]).await.answer.status, 404);
        assert_eq!(press(&mut browser, &ask, &scene.tenant.url(&format!("/console/keys/{}/rotate", foreign.kid)), &[("start", "immediately")]).await.answer.status, 404);
    }

    async fn an_api_is_made_changed_and_deleted(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let page = browser.open(&scene.tenant.url("/console/resources/new")).await;
        let new = [("identifier", "https://orders.example"), ("name", "Orders"), ("scope", "orders:read Reads your orders\r\norders:write")];
        for (field, value) in [("identifier", "orders"), ("scope", "openid"), ("scope", ""), ("scope", "a\r\na"), ("name", "x\u{7}y")] {
            let wrong = browser.submit(&page, &with(&new, &[(field, value)])).await;
            assert_eq!(wrong.answer.status, 422, "{field} {value}");
            wrong.expect_id(&format!("{field}-problem"));
        }
        let made = browser.submit(&page, &new).await;
        assert!(made.answer.status == 200 && made.answer.body.contains("Reads your orders"), "{}", made.answer.body);
        assert_eq!(browser.submit(&page, &new).await.expect_id("identifier-problem").answer.status, 422);
        let path = made.url.path().to_owned();
        let url = |rest: &str| format!("{}{path}{rest}", scene.app.root());
        let edit = browser.open(&url("/edit")).await;
        let changed = browser.submit(&edit, &[("name", "Orders API"), ("scope", "orders:read Sees your orders")]).await;
        assert!(changed.answer.body.contains("Sees your orders") && !changed.answer.body.contains("orders:write"), "{}", changed.answer.body);
        let stale = browser.submit(&edit, &[("name", "Mine"), ("scope", "orders:all")]).await;
        assert_eq!(stale.answer.status, 409);
        assert!(stale.expect_id("stale").answer.body.contains("Sees your orders") && stale.answer.body.contains("value=\"Mine\""), "{}", stale.answer.body);
        // Which applications name it.
        scene.app.client(&scene.tenant, serde_json::json!({
            "client_name": "Warehouse", "grant_types": ["client_credentials"], "response_types": [], "default_audience": "https://orders.example",
        })).await;
        let ask = browser.open(&url("/delete")).await;
        assert!(ask.answer.body.contains("Warehouse names it"), "{}", ask.answer.body);
        // And which have scopes that it alone knows.
        scene.app.resource(&scene.tenant, "https://stock.example", &["orders:list"]).await;
        let shared = with(&new, &[("name", "Orders API"), ("scope", "orders:read Sees your orders\r\norders:list")]);
        let edit = browser.open(&url("/edit")).await;
        browser.submit(&edit, &shared[1..]).await;
        for (name, scope) in [("Depot", "orders:read"), ("Shelf", "orders:list"), ("Reader", "orders:reader")] {
            let metadata = serde_json::json!({ "client_name": name, "grant_types": ["client_credentials"], "response_types": [], "scope": scope });
            scene.app.client(&scene.tenant, metadata).await;
        }
        for number in 0..25 {
            let name = format!("Job {number}");
            let metadata = serde_json::json!({ "client_name": name, "grant_types": ["client_credentials"], "response_types": [], "scope": "email orders:read" });
            scene.app.client(&scene.tenant, metadata).await;
        }
        let ask = browser.open(&url("/delete")).await;
        let body = &ask.answer.body;
        assert!(body.contains("Warehouse names it") && body.contains("Depot has its scopes"), "{body}");
        assert!(!body.contains("Shelf") && !body.contains("Reader"), "{body}");
        assert!(body.contains("Job 17 has") && !body.contains("Job 18 has") && body.contains("And 7 further applications."), "{body}");
        let gone = press(&mut browser, &ask, &url("/delete"), &[]).await;
        assert!(gone.answer.body.contains("is deleted."), "{}", gone.answer.body);
        assert_eq!(press(&mut browser, &ask, &url("/delete"), &[]).await.answer.status, 404);
        // Another tenant's.
        let globex = scene.app.tenant("globex").await;
        let other = scene.app.load(&globex).await;
        let scopes = vec![tessera::domain::resource::ResourceScope { name: "read".into(), description: None }];
        let new = NewResource { identifier: "https://theirs.example".into(), name: None, scopes, details_types: Vec::new() };
        let theirs = scene.app.provider.create_resource(&other, new, &By::command_line()).await.expect("an API");
        for rest in ["", "/edit", "/delete"] {
            assert_eq!(browser.open(&scene.tenant.url(&format!("/console/resources/{}{rest}", theirs.id))).await.answer.status, 404);
        }
        assert_eq!(press(&mut browser, &ask, &scene.tenant.url(&format!("/console/resources/{}/delete", theirs.id)), &[]).await.answer.status, 404);
        assert!(scene.app.provider.load_resource(&other, theirs.id).await.is_ok());
    }

    /// Each way in which an application may lose something is told, by whatever it is tied alone.
    async fn an_api_says_who_depends_on_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let (mut browser, _) = administrator(&scene).await;
        let types = |name: &str| serde_json::json!([{ "type": name, "words": { "en": "Use it" } }]);
        scene.app.resource_with(&scene.tenant, "https://bank.example", &["accounts:read"], types("payment")).await;
        scene.app.resource_with(&scene.tenant, "https://ledger.example", &["ledger:all", "shared"], types("ledger")).await;
        scene.app.resource(&scene.tenant, "https://stock.example", &["shared"]).await;
        let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
        for (name, more) in [
            ("Named", serde_json::json!({ "resources": ["https://bank.example"] })),
            ("Scoped", serde_json::json!({ "scope": "accounts:read" })),
            ("Payer", serde_json::json!({ "authorization_details_types": ["payment"] })),
            ("Gateway", serde_json::json!({ "grant_types": [exchange], "token_exchange_targets": ["https://bank.example"] })),
            ("Adder", serde_json::json!({ "grant_types": [exchange], "token_exchange_targets": ["https://stock.example"], "token_exchange_scope": "shared accounts:read" })),
            ("Stranger", serde_json::json!({
                "grant_types": [exchange], "token_exchange_targets": ["https://ledger.example"], "token_exchange_scope": "shared ledger:all", "authorization_details_types": ["ledger"],
            })),
        ] {
            let mut metadata = serde_json::json!({ "client_name": name, "grant_types": ["client_credentials"], "response_types": [] });
            for (member, value) in more.as_object().expect("an object") {
                metadata[member] = value.clone();
            }
            scene.app.client(&scene.tenant, metadata).await;
        }
        let (tenant, provider) = (scene.loaded().await, &scene.app.provider);
        let mut pages = Vec::new();
        for identifier in ["https://bank.example", "https://ledger.example", "https://stock.example"] {
            let api = provider.load_resource_named(&tenant, identifier).await.expect("an API");
            pages.push(browser.open(&scene.tenant.url(&format!("/console/resources/{}/delete", api.id))).await.answer.body.replace(['\u{2068}', '\u{2069}'], ""));
        }
        let [bank, ledger, stock] = &pages[..] else { panic!("three pages") };
        for said in ["Named names it", "Scoped has its scopes", "Payer asks for its types", "Gateway exchanges tokens for it", "Adder exchanges tokens for it"] {
            assert!(bank.contains(said), "{said}: {bank}");
        }
        assert!(!bank.contains("Stranger"), "{bank}");
        assert!(ledger.contains("Stranger asks for its types") && !ledger.contains("Payer") && !ledger.contains("Adder"), "{ledger}");
        // The scope that two know is lost with neither.
        assert!(stock.contains("Adder exchanges tokens for it") && !stock.contains("Stranger"), "{stock}");
    }

    async fn who_may_only_look_finds_no_button_and_no_way(app: TestApp) {
        let scene = Scene::new(app).await;
        let tenant = scene.loaded().await;
        let provider = &scene.app.provider;
        scene.app.resource(&scene.tenant, "https://api.example", &["read"]).await;
        let api = provider.load_resource_named(&tenant, "https://api.example").await.expect("an API");
        let domain = provider.add_domain(&tenant, "https://login.acme.example", &By::command_line()).await.expect("a domain");
        let key = provider.list_signing_keys(&tenant, PageRequest::first(1)).await.expect("keys").items.remove(0);
        let pages = ["/console/settings".to_owned(), "/console/branding".to_owned(), "/console/keys".to_owned(), format!("/console/keys/{}", key.kid), "/console/resources".to_owned(),
            format!("/console/resources/{}", api.id), "/console/domains".to_owned(), format!("/console/domains/{}", domain.id)];
        let acts = ["/console/settings".to_owned(), "/console/branding".to_owned(), format!("/console/keys/{}/rotate", key.kid), format!("/console/keys/{}/revoke", key.kid), "/console/resources/new".to_owned(),
            format!("/console/resources/{}/edit", api.id), format!("/console/resources/{}/delete", api.id), "/console/domains/new".to_owned(), format!("/console/domains/{}/verify", domain.id),
            format!("/console/domains/{}/canonical", domain.id), "/console/domains/default".to_owned(), format!("/console/domains/{}/remove", domain.id)];
        for (role, may_read, may_write) in [
            (Role::Auditor, &["settings", "branding", "keys", "resources", "domains"][..], &[][..]),
            (Role::ClientManager, &["settings", "branding", "resources"], &["resources"]),
            (Role::UserManager, &["settings", "branding"], &[]),
        ] {
            let user = scene.app.user(&scene.tenant, &format!("{role}@acme.example"), "a long enough password").await;
            appoint(&scene.app, &scene.tenant, &user, role).await;
            let (mut browser, home) = entered(&scene.app, &scene.tenant, &user).await;
            for path in &pages {
                let allowed = may_read.iter().any(|area| path.contains(&format!("/console/{area}")));
                let writes = may_write.iter().any(|area| path.contains(&format!("/console/{area}")));
                let page = browser.open(&scene.tenant.url(path)).await;
                assert_eq!(page.answer.status, if allowed { 200 } else { 403 }, "{role} {path}");
                let main = page.answer.body.split("<main").nth(1).expect("a page");
                let has_ways = ["id=\"new\"", "id=\"save\"", "id=\"edit\"", "id=\"delete\"", "id=\"rotate\"", "id=\"revoke\"", "id=\"verify\"", "id=\"remove\"", "/new\""].iter().any(|id| main.contains(id));
                assert_eq!(has_ways, allowed && writes, "{role} {path}: {main}");
            }
            for path in &acts {
                if may_write.iter().any(|area| path.contains(&format!("/console/{area}"))) {
                    continue;
                }
                let answer = press(&mut browser, &home, &scene.tenant.url(path), &[("slug", "x"), ("start", "immediately")]).await.answer;
                assert_eq!(answer.status, 403, "{role} {path}");
            }
            // The flows ask the same.
            let by = By { authority: Authority::Roles(vec![role]), ..By::command_line() };
            assert!(provider.rotate_signing_key(&tenant, &key.kid, RotationStart::Immediately, &by).await.is_err());
            assert!(provider.revoke_signing_key(&tenant, &key.kid, &by).await.is_err());
            assert!(provider.remove_domain(&tenant, &domain.origin, &by).await.is_err());
            assert!(provider.update_tenant(tenant.record.clone(), &by).await.is_err());
            assert_eq!(provider.delete_resource(&tenant, tessera::domain::ids::ResourceId::from(uuid::Uuid::nil()), &by).await.is_err_and(|error| error.code() == "forbidden"), role != Role::ClientManager);
        }
        // An administrator's form counts with its token, and from our own origin only.
        let (mut browser, page) = administrator(&scene).await;
        let origin = page.url.origin().ascii_serialization();
        let token = page.hidden("csrf").expect("a token");
        for path in &acts {
            assert_eq!(browser.post_from(&scene.tenant.url(path), &[("csrf", "x")], Some(&origin)).await.status, 403, "{path}");
            assert_eq!(browser.post_from(&scene.tenant.url(path), &[("csrf", &token)], Some("https://evil.example")).await.status, 403, "{path}");
        }
        let gone = scene.app.tenant("globex").await;
        let theirs = provider.add_domain(&*scene.app.load(&gone).await, "https://login.globex.example", &By::command_line()).await.expect("a domain");
        for rest in ["", "/remove"] {
            assert_eq!(browser.open(&scene.tenant.url(&format!("/console/domains/{}{rest}", theirs.id))).await.answer.status, 404);
        }
        for rest in ["/remove", "/verify", "/canonical"] {
            assert_eq!(press(&mut browser, &page, &scene.tenant.url(&format!("/console/domains/{}{rest}", theirs.id)), &[]).await.answer.status, 404);
        }
    }
}

async fn a_domain_is_proved(app: TestApp) {
    let scene = Scene::new(app).await;
    let (mut browser, _) = administrator(&scene).await;
    let (origin, told) = site();
    let page = browser
        .open(&scene.tenant.url("/console/domains/new"))
        .await;
    let whole = ">A whole address is needed: it begins with https://";
    for (wrong, told) in [
        ("", ""),
        ("acme", whole),
        ("login.acme.example", whole),
        ("https://login.acme.example/path", ">Scheme and host only"),
        (
            "http://login.acme.example",
            ">It has to begin with https://",
        ),
    ] {
        let wrong = browser.submit(&page, &[("domain", wrong)]).await;
        assert_eq!(wrong.expect_id("domain-problem").answer.status, 422);
        assert!(wrong.answer.body.contains(told), "{}", wrong.answer.body);
    }
    let added = browser.submit(&page, &[("domain", &origin)]).await;
    assert_eq!(added.answer.status, 200);
    added.expect_id("verify");
    assert_eq!(
        browser
            .submit(&page, &[("domain", &origin)])
            .await
            .expect_id("domain-problem")
            .answer
            .status,
        422
    );
    let path = added.url.path().to_owned();
    let url = |rest: &str| format!("{}{path}{rest}", scene.app.root());
    // What was looked for, and what wasn't found.
    let missing = press(&mut browser, &added, &url("/verify"), &[]).await;
    assert_eq!(missing.answer.status, 409);
    assert!(
        missing
            .expect_id("problem")
            .answer
            .body
            .contains("<p>It isn’t proved yet. Make the file as it stands below"),
        "{}",
        missing.answer.body
    );
    let early = press(&mut browser, &added, &url("/canonical"), &[]).await;
    assert!(
        early.answer.status == 409
            && early
                .answer
                .body
                .contains("A domain has to be verified before it can be the main address."),
        "{}",
        early.answer.body
    );
    let body = &added.answer.body;
    let token = body
        .split("class=\"copy\">tessera-")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .expect("a token");
    *told.lock().expect("no panic") = format!("tessera-{token}\n");
    for _ in 0..2 {
        let proved = press(&mut browser, &added, &url("/verify"), &[]).await;
        assert!(
            proved.answer.status == 200 && proved.answer.body.contains("is verified"),
            "{}",
            proved.answer.body
        );
    }
    let canonical = press(&mut browser, &added, &url("/canonical"), &[]).await;
    assert!(
        canonical.answer.body.contains("Main address")
            && canonical.answer.body.contains("class=\"undo\""),
        "{}",
        canonical.answer.body
    );
    assert_eq!(&*scene.loaded().await.canonical, origin);
    let ask = browser.open(&url("/remove")).await;
    assert!(
        ask.answer.body.contains("answers 404") && ask.answer.body.contains("takes its place"),
        "{}",
        ask.answer.body
    );
    let removed = press(&mut browser, &ask, &url("/remove"), &[]).await;
    assert!(
        removed.answer.status == 200 && removed.answer.body.contains("is removed."),
        "{}",
        removed.answer.body
    );
    assert_eq!(
        press(&mut browser, &ask, &url("/remove"), &[])
            .await
            .answer
            .status,
        404
    );
}

#[test]
fn a_domain_is_added_proved_made_the_main_address_and_removed() {
    on_both("", a_domain_is_proved);
}
