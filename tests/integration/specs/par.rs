//! Pushed authorization requests (RFC 9126): the push, the name that it is given, and what that is good for.

use std::time::Duration;

use serde_json::{Value, json};
use tessera::clock::Clock;
use tessera::domain::address::{Domain, DomainStage};
use tessera::domain::ids::DomainId;
use tessera::domain::role::Role;
use tessera::jose::keys::{RsaBits, SigningKey};
use tessera::protocol::SigningAlgorithm;

use super::seed::{Scene, at_once, text};
use crate::support::app::app_test;
use crate::support::browser::{Browser, Page};
use crate::support::http::Answer;
use crate::support::relying_party::RelyingParty;
use crate::support::secrets::expect_not_kept;

const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// The name that a push was given.
#[track_caller]
fn name_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.body);
    text(&answer.json(), "request_uri").to_owned()
}

#[track_caller]
fn expect_code(page: &Page) -> String {
    page.answer
        .location_param("code")
        .unwrap_or_else(|| panic!("no code: {:?}", page.answer))
}

/// SECURITY, "ER": a page, never a redirect.
#[track_caller]
fn expect_refused(answer: &Answer) {
    answer.expect_error(400, "invalid_request_uri");
    assert_eq!(answer.header("location"), None);
}

/// A browser in which the person is signed in and has allowed everything.
async fn signed_in(scene: &Scene) -> Browser {
    let mut browser = scene.app.browser();
    expect_code(&scene.rp.authorize(&mut browser, &scene.user, &[]).await);
    browser
}

fn rows(scene: &Scene) -> i64 {
    scene.app.database.raw().count("pushed_requests")
}

app_test! {
    /// §2.2, §4: the answer, and a whole flow with it.
    async fn a_request_is_pushed_and_used(app: TestApp) {
        let scene = Scene::new(app).await;
        let answer = scene.rp.push(&[]).await;
        let name = name_of(&answer);
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), (Some("no-store"), Some("no-cache")));
        let body = answer.json();
        assert_eq!((body["expires_in"].clone(), body.as_object().map(serde_json::Map::len)), (json!(60), Some(2)));
        assert!(name.strip_prefix(PREFIX).is_some_and(|handle| handle.starts_with("tsp_") && handle.len() > 60), "{name}");
        let mut browser = scene.app.browser();
        let page = browser.open(&scene.rp.pushed_url(&name, &[])).await;
        let page = browser.pass(page, &scene.user).await;
        let code = expect_code(&page);
        assert_eq!((page.answer.location_param("state").as_deref(), page.answer.location_param("iss").as_deref()), (Some("a-state"), Some(scene.tenant.issuer.as_str())));
        let tokens = scene.rp.redeem(&code).await.expect_ok().json();
        assert_eq!(crate::support::relying_party::claims(text(&tokens, "id_token"))["nonce"], "a-nonce");
    }

    /// §4: the browser may come by POST as well.
    async fn it_is_used_by_post_too(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        let (id, name) = (scene.rp.client.client_id(), name_of(&scene.rp.push(&[]).await));
        let answer = browser.post_from(&scene.tenant.url("/authorize"), &[("client_id", &id), ("request_uri", &name)], Some("https://orders.example")).await;
        let next = url::Url::parse(&scene.tenant.issuer).expect("a URL").join(answer.header("location").expect("a redirect")).expect("a URL");
        expect_code(&browser.open(next.as_str()).await);
    }

    /// §1: what was pushed never travels through the browser.
    async fn its_contents_stay_here(app: TestApp) {
        let scene = Scene::new(app).await;
        let url = scene.rp.pushed(&[("login_hint", "whispered"), ("state", "a-secret-state")]).await;
        let mut browser = scene.app.browser();
        let page = browser.open(&url).await;
        page.expect_id("password");
        let flow = page.hidden("flow").expect("a pending request");
        // Whoever holds the key reads its name there, and nothing else.
        let at = tessera::flows::tenancy::TenantAt { tenant: scene.loaded().await, issuer: scene.tenant.issuer.as_str().into(), rest: String::new(), alias: None };
        let waiting = tessera::flows::interaction::Interaction::parse(&at, &flow, scene.app.provider.now()).expect("ours");
        let carried: Vec<_> = waiting.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let carried = carried.join("\n");
        assert!(carried.contains(PREFIX), "{carried}");
        let consent = browser.sign_in(&page, &scene.user).await;
        consent.expect_id("allow");
        for text in [&carried, page.url.as_str(), consent.url.as_str(), page.answer.all("set-cookie").collect::<String>().as_str()] {
            for secret in ["a-secret-state", "a-nonce", "whispered", "orders.example"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
        let page = browser.submit(&consent, &[("decision", "allow")]).await;
        assert_eq!(page.answer.location_param("state").as_deref(), Some("a-secret-state"));
        // Only a hash of the proof is kept.
        let name = name_of(&scene.rp.push(&[]).await);
        expect_not_kept(&mut scene.app.database.raw(), "pushed_requests", name.strip_prefix(PREFIX).expect("a name"));
    }

    /// §2.2, §7.3 and PROTOCOL: a reload before the sign-in completes is fine; once a code was issued it is spent.
    async fn one_code_and_no_more(app: TestApp) {
        let scene = Scene::new(app).await;
        let url = scene.rp.pushed(&[]).await;
        let mut browser = scene.app.browser();
        browser.open(&url).await.expect_id("password");
        let page = browser.open(&url).await;
        page.expect_id("password");
        let consent = browser.sign_in(&page, &scene.user).await;
        consent.expect_id("allow");
        // Reloaded in the middle, and begun in another browser too.
        browser.open(consent.url.as_str()).await.expect_id("allow");
        let mut other = scene.app.browser();
        let page = other.open(&url).await;
        let theirs = other.sign_in(&page, &scene.user).await;
        theirs.expect_id("allow");
        let code = expect_code(&browser.submit(&consent, &[("decision", "allow")]).await);
        // Whoever was at it meanwhile, or comes back, gets a page.
        expect_refused(&other.submit(&theirs, &[("decision", "allow")]).await.answer);
        expect_refused(&browser.open(&url).await.answer);
        expect_refused(&browser.open(consent.url.as_str()).await.answer);
        expect_refused(&browser.submit(&consent, &[("decision", "allow")]).await.answer);
        expect_refused(&scene.app.browser().open(&url).await.answer);
        assert_eq!(scene.rp.redeem(&code).await.status, 200, "the code itself is untouched by that");
    }

    async fn many_at_once_get_one_code(app: TestApp) {
        let scene = Scene::new(app).await;
        let browser = signed_in(&scene).await;
        let url = scene.rp.pushed(&[]).await;
        let answers = at_once((0..12).map(|_| {
            let (mut browser, url) = (browser.clone(), url.clone());
            async move { browser.open(&url).await.answer }
        })).await;
        let codes = answers.iter().filter(|answer| answer.status == 303 && answer.location_param("code").is_some()).count();
        assert_eq!(codes, 1);
        for answer in answers.iter().filter(|answer| answer.status != 303) {
            expect_refused(answer);
        }
    }

    /// §2.2: the life of the name; what was begun in time may be finished.
    async fn it_ends_after_a_minute(app: TestApp) {
        let scene = Scene::new(app).await;
        let (late, begun) = (scene.rp.pushed(&[]).await, scene.rp.pushed(&[]).await);
        scene.app.time.advance(Duration::from_secs(59));
        let mut browser = scene.app.browser();
        let page = browser.open(&begun).await;
        page.expect_id("password");
        scene.app.time.advance(Duration::from_secs(1));
        expect_refused(&browser.open(&late).await.answer);
        expect_refused(&browser.open(&begun).await.answer);
        // A sweep of ended rows comes by while the person looks for the password.
        scene.app.time.advance(Duration::from_mins(30));
        let swept = scene.app.provider.db.write_installation(|all| all.delete_expired(100)).await.expect("runs");
        assert_eq!(swept.pushed_requests, 0);
        let page = browser.pass(page, &scene.user).await;
        expect_code(&page);
        scene.app.time.advance(Duration::from_mins(31));
        let swept = scene.app.provider.db.write_installation(|all| all.delete_expired(100)).await.expect("runs");
        assert_eq!((swept.pushed_requests, rows(&scene)), (2, 0));
        expect_refused(&browser.open(&late).await.answer);
    }

    /// §2.2, §7.1: the name can't be guessed, and is its client's alone, in its tenant.
    async fn it_is_bound_to_its_client_and_tenant(app: TestApp) {
        let scene = Scene::new(app).await;
        let globex = scene.app.tenant("globex").await;
        let theirs = RelyingParty::new(&scene.app, &globex, &scene.app.web_client(&globex).await);
        let other = scene.with(&scene.app.web_client(&scene.tenant).await);
        let name = name_of(&scene.rp.push(&[]).await);
        let mut browser = signed_in(&scene).await;
        expect_refused(&browser.open(&other.pushed_url(&name, &[])).await.answer);
        expect_refused(&browser.open(&theirs.pushed_url(&name, &[])).await.answer);
        let strangers = scene.rp.pushed_url(&name, &[]).replace(&scene.tenant.issuer, &globex.issuer);
        let answer = browser.open(&strangers).await.answer;
        answer.expect_error(400, "invalid_request");
        assert_eq!(answer.header("location"), None);
        // The right row with another proof, other handles of ours, and nonsense.
        let handle = name.trim_start_matches(PREFIX);
        let another = name_of(&scene.rp.push(&[]).await);
        let mixed = format!("{}{}", &handle[..26], &another[PREFIX.len() + 26..]);
        let code = scene.code().await;
        for wrong in [mixed.as_str(), &handle[..handle.len() - 1], &handle.replacen("tsp", "tsc", 1), &code, &format!("tsp{}", &code[3..]), "", "%00", "tsp_é", &"x".repeat(5_000)] {
            expect_refused(&browser.open(&scene.rp.pushed_url(&format!("{PREFIX}{wrong}"), &[])).await.answer);
        }
        scene.rp.redeem(handle).await.expect_error(400, "invalid_grant");
        scene.rp.refresh(handle).await.expect_error(400, "invalid_grant");
        let page = browser.open(&scene.rp.pushed_url(&name, &[])).await;
        expect_code(&page);
    }

    /// The flow goes on at the address where the request was pushed.
    async fn it_is_bound_to_its_issuer(app: TestApp) {
        let scene = Scene::new(app).await;
        let domain = Domain {
            id: DomainId::from(scene.app.provider.clock.uuid_v7()), origin: "https://login.acme.example".into(),
            stage: DomainStage::Pending { verification_token: "token".into() }, canonical: false, created_at: scene.app.provider.now(),
        };
        scene.write(move |repo| { repo.insert_domain(&domain)?; repo.verify_domain(domain.id) }).await;
        let mut there = scene.rp.clone();
        there.issuer = "https://login.acme.example".into();
        let name = name_of(&scene.rp.push(&[]).await);
        expect_refused(&scene.app.browser().open(&there.pushed_url(&name, &[])).await.answer);
        let mut browser = scene.app.browser();
        let own = there.pushed(&[]).await;
        let page = browser.open(&own).await;
        let page = browser.pass(page, &scene.user).await;
        expect_code(&page);
        assert_eq!(page.answer.location_param("iss").as_deref(), Some("https://login.acme.example"));
    }

    async fn any_node_takes_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let node = scene.second_node().await;
        let url = scene.rp.pushed(&[]).await;
        let mut browser = scene.app.browser();
        browser.move_to(&node.http);
        let page = browser.open(&url).await;
        let page = browser.pass(page, &scene.user).await;
        expect_code(&page);
        browser.move_to(&scene.app.http);
        expect_refused(&browser.open(&url).await.answer);
    }

    /// §4: nothing that stands beside the name counts.
    async fn what_stands_beside_the_name_does_not_count(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        let name = name_of(&scene.rp.push(&[]).await);
        let more = [
            ("redirect_uri", "https://evil.example/"), ("state", "theirs"), ("scope", "openid sorcery"), ("response_type", "token"), ("prompt", "login"),
            ("response_mode", "form_post"), ("code_challenge", "x"),
        ];
        let page = browser.open(&scene.rp.pushed_url(&name, &more)).await;
        let code = expect_code(&page);
        assert_eq!(page.answer.location_param("state").as_deref(), Some("a-state"));
        assert_eq!(scene.rp.redeem(&code).await.status, 200);
        let name = name_of(&scene.rp.push(&[]).await);
        for twice in [("request_uri", name.as_str()), ("request", "x.y.z")] {
            let page = browser.open(&scene.rp.pushed_url(&name, &[twice])).await;
            assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_request"), "{}", twice.0);
        }
        let id = scene.rp.client.client_id();
        browser.open(&scene.rp.pushed_url(&name, &[("client_id", &id)])).await.answer.expect_error(400, "invalid_request");
        let nameless = browser.open(&format!("{}?request_uri={name}", scene.tenant.url("/authorize"))).await;
        nameless.answer.expect_error(400, "invalid_request");
        assert_eq!(nameless.answer.header("location"), None);
        expect_code(&browser.open(&scene.rp.pushed_url(&name, &[])).await);
    }

    /// §2.1, §2.3: every check of the authorization endpoint, answered directly; what is refused is not kept.
    async fn a_request_is_checked_as_it_is_pushed(app: TestApp) {
        let scene = Scene::new(app).await;
        let acr = r#"{"id_token":{"acr":{"essential":true,"values":["gold"]}}}"#;
        let (long, many) = ("s".repeat(5_000), "s ".repeat(20_000));
        for (more, error) in [
            (vec![("request_uri", "urn:ietf:params:oauth:request_uri:tsp_x")], "invalid_request"),
            (vec![("request_uri", "https://client.example/request")], "invalid_request"),
            (vec![("redirect_uri", "https://evil.example/")], "invalid_request"),
            (vec![("redirect_uri", "https://orders.example/callback/")], "invalid_request"),
            (vec![("response_type", "")], "invalid_request"),
            (vec![("response_type", "token")], "unsupported_response_type"),
            (vec![("response_mode", "telepathy")], "invalid_request"),
            (vec![("scope", "openid sorcery")], "invalid_scope"),
            (vec![("scope", &many)], "invalid_request"),
            (vec![("code_challenge", ""), ("code_challenge_method", "")], "invalid_request"),
            (vec![("code_challenge_method", "plain")], "invalid_request"),
            (vec![("prompt", "none login")], "invalid_request"),
            (vec![("max_age", "soon")], "invalid_request"),
            (vec![("state", &long)], "invalid_request"),
            (vec![("claims", "[]")], "invalid_request"),
            (vec![("claims", acr)], "unmet_authentication_requirements"),
            (vec![("resource", "https://nobody.example")], "invalid_target"),
            (vec![("id_token_hint", "a.b.c")], "invalid_request"),
            (vec![("registration", "{}")], "registration_not_supported"),
            (vec![("request", "x.y.z")], "invalid_request_object"),
            (vec![("state", "one"), ("state", "two")], "invalid_request"),
            (vec![("redirect_uri", "https://orders.example/callback"), ("redirect_uri", "https://orders.example/callback")], "invalid_request"),
            (vec![("client_id", "018f3a4e-1111-7222-8333-444455556666")], "invalid_request"),
        ] {
            let answer = scene.rp.push(&more).await;
            assert_eq!((answer.status, answer.error().as_str()), (400, error), "{more:?}: {}", answer.body);
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
        let machine = scene.app.machine_client(&scene.tenant, "").await;
        let form = [("response_type", "code"), ("redirect_uri", "https://orders.example/callback")];
        scene.with(&machine).authenticated("/par", &form).send().await.expect_error(400, "invalid_request");
        assert_eq!(rows(&scene), 0);
        // Hints and unknown parameters are none of that, and one that says everything is fine.
        for more in [[("display", "hologram")], [("ui_locales", "%%%")], [("unknown", "1")], [("login_hint", "ana@acme.example")], [("prompt", "none")], [("redirect_uri", "")]] {
            assert_eq!(scene.rp.push(&more).await.status, 201, "{more:?}");
        }
        assert_eq!(rows(&scene), 6);
    }

    /// §2, §2.3: who pushes is authenticated as at the token endpoint.
    async fn who_pushes_proves_who_they_are(app: TestApp) {
        let scene = Scene::new(app).await;
        let (id, url) = (scene.rp.client.client_id(), scene.tenant.url("/par"));
        let parameters = scene.rp.parameters(&[("client_id", "")]);
        let form: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let named: Vec<_> = form.iter().copied().chain([("client_id", id.as_str())]).collect();
        let unknown = Clock::system().uuid_v4().to_string();
        let (post, basic) = (|form: &[(&str, &str)]| scene.app.post(&url, form), scene.rp.client.secret());
        for request in [post(&form), post(&named), post(&named).basic(&id, "wrong"), post(&form).basic(&unknown, basic), post(&form).bearer("x")] {
            let answer = request.send().await;
            answer.expect_error(401, "invalid_client");
        }
        let globex = scene.app.tenant("globex").await;
        let theirs = scene.app.web_client(&globex).await;
        post(&form).basic(&theirs.client_id(), theirs.secret()).send().await.expect_error(401, "invalid_client");
        // One that authenticates can't push for another.
        let other = scene.app.web_client(&scene.tenant).await;
        post(&named).basic(&other.client_id(), other.secret()).send().await.expect_error(400, "invalid_request");
        assert_eq!(rows(&scene), 0);
        // With and without naming itself once more.
        for form in [&form, &named] {
            assert_eq!(post(form).basic(&id, basic).send().await.status, 201);
        }
        let public = scene.with(&scene.app.public_client(&scene.tenant).await);
        let mut browser = scene.app.browser();
        let page = browser.open(&public.pushed(&[]).await).await;
        let code = expect_code(&browser.pass(page, &scene.user).await);
        assert_eq!(public.redeem(&code).await.status, 200);
    }

    /// §2: by a client assertion, too, whose audience is the issuer or either endpoint.
    async fn an_assertion_authenticates_a_push(app: TestApp) {
        let scene = Scene::new(app).await;
        let key = SigningKey::generate(SigningAlgorithm::Es256, RsaBits::default()).expect("a key").key;
        let client = scene.app.client(&scene.tenant, json!({
            "redirect_uris": ["https://signed.example/callback"], "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [key.public_jwk()] },
            "scope": "openid",
        })).await;
        let rp = scene.with(&client).with_scope("openid");
        let assertion = |audience: &str| {
            let (id, now) = (client.client_id(), scene.app.provider.clock.unix());
            let claims = json!({ "iss": id, "sub": id, "aud": audience, "exp": now + 60, "jti": Clock::system().uuid_v4() });
            key.sign_jwt("JWT", &claims).expect("signed")
        };
        let send = async |assertion: &str| {
            let parameters = rp.parameters(&[("client_id", "")]);
            let mut form: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            form.extend([("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), ("client_assertion", assertion)]);
            scene.app.post(&scene.tenant.url("/par"), &form).send().await
        };
        let good = assertion(&scene.tenant.issuer);
        let name = name_of(&send(&good).await);
        send(&good).await.expect_error(401, "invalid_client");
        for audience in [scene.tenant.url("/par"), scene.tenant.url("/token")] {
            assert_eq!(send(&assertion(&audience)).await.status, 201, "{audience}");
        }
        for audience in ["https://evil.example".to_owned(), scene.tenant.url("/authorize"), scene.tenant.url("/par/")] {
            send(&assertion(&audience)).await.expect_error(401, "invalid_client");
        }
        let mut browser = scene.app.browser();
        let page = browser.open(&rp.pushed_url(&name, &[])).await;
        expect_code(&browser.pass(page, &scene.user).await);
        scene.app.change_settings(&scene.tenant, |settings| settings.require_issuer_audience = true).await;
        send(&assertion(&scene.tenant.url("/par"))).await.expect_error(401, "invalid_client");
        assert_eq!(send(&assertion(&scene.tenant.issuer)).await.status, 201);
    }

    /// §5, §6: a client or a tenant that demands it, and what the metadata says of that.
    async fn it_can_be_demanded(app: TestApp) {
        let scene = Scene::new(app).await;
        let metadata = async || scene.app.get(&scene.tenant.url("/.well-known/openid-configuration")).send().await.expect_ok().json();
        let said = metadata().await;
        assert_eq!((&said["pushed_authorization_request_endpoint"], &said["require_pushed_authorization_requests"]), (&json!(scene.tenant.url("/par")), &json!(false)));
        let pushing = scene.with(&scene.app.client(&scene.tenant, json!({
            "redirect_uris": ["https://pushing.example/callback"], "scope": "openid", "require_pushed_authorization_requests": true,
        })).await).with_scope("openid");
        let mut browser = signed_in(&scene).await;
        let refused = async |browser: &mut Browser, rp: &RelyingParty| {
            let page = browser.open(&rp.authorization_url(&[])).await;
            assert_eq!((page.answer.location_param("error").as_deref(), page.answer.location_param("state").as_deref()), (Some("invalid_request"), Some("a-state")));
            assert!(page.answer.location().as_str().starts_with(rp.client.redirect_uri()));
            let evil = browser.open(&rp.authorization_url(&[("redirect_uri", "https://evil.example/")])).await;
            assert_eq!(evil.answer.header("location"), None);
        };
        refused(&mut browser, &pushing).await;
        let page = browser.open(&pushing.pushed(&[]).await).await;
        expect_code(&browser.pass(page, &scene.user).await);
        expect_code(&browser.open(&scene.rp.authorization_url(&[])).await);
        scene.app.change_settings(&scene.tenant, |settings| settings.require_pushed_authorization_requests = true).await;
        assert_eq!(metadata().await["require_pushed_authorization_requests"], json!(true));
        refused(&mut browser, &scene.rp).await;
        expect_code(&browser.open(&scene.rp.pushed(&[]).await).await);
        // Whoever administers the tenant isn't locked out of taking it back.
        scene.grant_role(Role::Administrator).await;
        let mut browser = scene.app.browser();
        let page = browser.open(&scene.tenant.url("/console")).await;
        let page = browser.sign_in(&page, &scene.user).await;
        assert_eq!(page.answer.status, 200, "{} {}", page.url, page.answer.body);
        assert!(page.url.path().ends_with("/console"), "{}", page.url);
    }

    /// OpenID Connect Core §3.1.2.1 through a pushed request: no page, and a hint.
    async fn prompt_and_hint_are_pushed(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let silent = scene.rp.pushed(&[("prompt", "none")]).await;
        let page = browser.open(&silent).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("login_required"));
        let code = expect_code(&scene.rp.authorize(&mut browser, &scene.user, &[]).await);
        let tokens = scene.rp.redeem(&code).await.expect_ok().json();
        // No code was issued for it so far.
        expect_code(&browser.open(&silent).await);
        let hint = text(&tokens, "id_token");
        expect_code(&browser.open(&scene.rp.pushed(&[("prompt", "none"), ("id_token_hint", hint)]).await).await);
        let anew = scene.rp.pushed(&[("prompt", "login"), ("id_token_hint", hint)]).await;
        let page = browser.open(&anew).await;
        page.expect_id("password");
        expect_code(&browser.pass(page, &scene.user).await);
    }

    /// A person's no isn't a code: the client may send them again within the minute.
    async fn a_refusal_spends_nothing(app: TestApp) {
        let scene = Scene::new(app).await;
        let url = scene.rp.pushed(&[]).await;
        let mut browser = scene.app.browser();
        let page = browser.open(&url).await;
        let consent = browser.sign_in(&page, &scene.user).await;
        let page = browser.submit(&consent, &[("decision", "deny")]).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("access_denied"));
        let page = browser.open(&url).await;
        page.expect_id("allow");
        expect_code(&browser.submit(&page, &[("decision", "allow")]).await);
    }

    /// A client that is changed or deleted meanwhile is looked at as it is then.
    async fn it_is_checked_again_as_it_is_used(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        let (narrowed, gone) = (scene.rp.pushed(&[]).await, scene.rp.pushed(&[]).await);
        let id = scene.rp.client.id;
        let change = move |repo: &mut tessera::storage::Repo<'_>| {
            let mut client = repo.find_client(id)?.expect("a client");
            client.metadata.redirect_uris = vec!["https://orders.example/other".into()];
            repo.update_client(&client)
        };
        assert!(scene.write(change).await);
        let answer = browser.open(&narrowed).await.answer;
        answer.expect_error(400, "invalid_request");
        assert_eq!(answer.header("location"), None);
        assert!(scene.write(move |repo| repo.delete_client(id)).await);
        browser.open(&gone).await.answer.expect_error(400, "invalid_request");
        assert_eq!(rows(&scene), 0, "they went with their client");
    }

    /// §2.3: 405, 413 and what else isn't a pushed form.
    async fn only_posted_forms_of_a_sane_size(app: TestApp) {
        let scene = Scene::new(app).await;
        let url = scene.tenant.url("/par");
        let answer = scene.app.get(&format!("{url}?{}", "response_type=code")).send().await;
        answer.expect_error(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("POST"));
        let (id, secret) = (scene.rp.client.client_id(), scene.rp.client.secret());
        let body = |kind: &str, body: String| scene.app.http.post(&url).basic(&id, secret).body(kind, body).send();
        body("application/json", json!({ "response_type": "code" }).to_string()).await.expect_error(400, "invalid_request");
        let form = "application/x-www-form-urlencoded";
        let huge = body(form, format!("state={}", "x".repeat(1 << 20))).await;
        huge.expect_error(413, "request_too_large");
        body(form, "a=1&".repeat(201)).await.expect_error(400, "invalid_request");
        // Each value is of a sane length, and all of them together are too long to keep.
        let claims: serde_json::Map<String, Value> = (0..30).map(|number| (format!("c{number}"), json!({ "value": "é".repeat(90) }))).collect();
        let claims = json!({ "userinfo": claims }).to_string();
        let long = "é".repeat(2_000);
        let answer = scene.rp.push(&[("claims", &claims), ("state", &long), ("nonce", &long)]).await;
        answer.expect_error(400, "invalid_request");
        assert!(answer.body.contains("too long to be kept"), "{}", answer.body);
        assert_eq!(rows(&scene), 0);
    }

    async fn a_browser_application_may_push(app: TestApp) {
        let scene = Scene::public(app).await;
        let url = scene.tenant.url("/par");
        let ask = |origin: &str| scene.app.post(&url, &[]).header("origin", origin).send();
        assert_eq!(ask("https://board.example").await.header("access-control-allow-origin"), Some("https://board.example"));
        assert_eq!(ask("https://evil.example").await.header("access-control-allow-origin"), None);
        let preflight = scene.app.http.request(actix_web::http::Method::OPTIONS, &url).header("origin", "https://board.example")
            .header("access-control-request-method", "POST").send().await;
        assert_eq!(preflight.header("access-control-allow-origin"), Some("https://board.example"));
    }
}
