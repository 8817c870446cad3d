//! The authorization endpoint (RFC 6749 §4.1, OpenID Connect Core §3.1.2, SECURITY "Authorization endpoint and redirect URIs").

use serde_json::json;

use super::seed::Scene;
use crate::support::app::app_test;
use crate::support::browser::{Browser, Page};
use crate::support::relying_party::RelyingParty;

/// The `error` of a redirect to the client, with the state and issuer that every answer carries.
#[track_caller]
fn expect_redirect(scene: &Scene, page: &Page, error: &str) {
    let answer = &page.answer;
    let location = answer
        .header("location")
        .unwrap_or_else(|| panic!("no redirect: {} {}", answer.status, answer.body));
    assert!(
        location.starts_with("https://orders.example/callback?"),
        "{location}"
    );
    assert_eq!(
        answer.location_param("error").as_deref(),
        Some(error),
        "{location}"
    );
    assert_eq!(
        answer.location_param("state").as_deref(),
        Some("a-state"),
        "{location}"
    );
    assert_eq!(
        answer.location_param("iss").as_deref(),
        Some(scene.tenant.issuer.as_str()),
        "{location}"
    );
    assert_eq!(answer.status, 303);
}

#[track_caller]
fn expect_code(page: &Page) -> String {
    page.answer
        .location_param("code")
        .unwrap_or_else(|| panic!("no code: {:?}", page.answer))
}

#[track_caller]
fn expect_page(page: &Page, id: &str) {
    assert_eq!(page.answer.status, 200, "{}", page.answer.body);
    page.expect_id(id);
}

async fn ask(scene: &Scene, browser: &mut Browser, more: &[(&str, &str)]) -> Page {
    browser.open(&scene.rp.authorization_url(more)).await
}

/// A browser in which the person is signed in and has allowed everything.
async fn signed_in(scene: &Scene) -> Browser {
    let mut browser = scene.app.browser();
    expect_code(&scene.rp.authorize(&mut browser, &scene.user, &[]).await);
    browser
}

app_test! {
    async fn whom_nobody_knows_is_never_redirected_to(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        let callback = "https://orders.example/callback";
        for uri in [
            "https://orders.example.evil.example/callback", "https://evil.example/callback", "https://orders.example@evil.example/callback",
            "https://a@b@orders.example/callback", "https://orders.example/callback/../x", "https://orders.example/%2e%2e/callback",
            "https://orders.example/%252e%252e/callback", "https://ordersXexample/callback", "http://orders.example/callback",
            "https://orders.example/callback?x=1", "https://orders.example/callback#", "https://orders.example:443/callback",
            "https://ORDERS.example/callback", "javascript:alert(1)", "//orders.example/callback", "/callback", "http://localhost.evil/",
        ] {
            for mode in ["query", "form_post"] {
                // whatever else is wrong with the request
                let page = ask(&scene, &mut browser, &[("redirect_uri", uri), ("response_mode", mode), ("response_type", "bad")]).await;
                page.answer.expect_error(400, "invalid_request");
                assert_eq!(page.answer.header("location"), None, "{uri}");
                assert!(!page.answer.header("content-security-policy").unwrap_or_default().contains("evil"), "{uri}");
            }
        }
        for more in [[("client_id", "")], [("client_id", "018f3a4e-1111-7222-8333-444455556666")], [("client_id", "nobody")]] {
            let page = ask(&scene, &mut browser, &more).await;
            page.answer.expect_error(400, "invalid_request");
            assert_eq!(page.answer.header("location"), None);
        }
        let twice = format!("{}&redirect_uri=https%3A%2F%2Fevil.example%2F", scene.rp.authorization_url(&[]));
        assert_eq!(browser.open(&twice).await.answer.header("location"), None);
        // the legitimate twins, one of them without the URI, of which there is only one
        assert!(expect_code(&ask(&scene, &mut browser, &[("redirect_uri", callback)]).await).starts_with("tsc_"));
        expect_code(&ask(&scene, &mut browser, &[("redirect_uri", "")]).await);
    }

    async fn faults_of_the_request_go_to_the_client(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        let many_scopes = "s ".repeat(100_000);
        let acr = r#"{"id_token":{"acr":{"essential":true,"values":["gold"]}}}"#;
        for (more, error) in [
            (vec![("response_type", "")], "invalid_request"),
            (vec![("response_type", "none")], "unsupported_response_type"),
            (vec![("response_mode", "telepathy")], "invalid_request"),
            (vec![("scope", "openid sorcery")], "invalid_scope"),
            (vec![("scope", "openid \"")], "invalid_scope"),
            (vec![("code_challenge", "")], "invalid_request"),
            (vec![("code_challenge", ""), ("code_challenge_method", "")], "invalid_request"),
            (vec![("code_challenge_method", "plain")], "invalid_request"),
            (vec![("code_challenge_method", "")], "invalid_request"),
            (vec![("resource", "https://unknown.example/")], "invalid_target"),
            (vec![("resource", "not a uri")], "invalid_target"),
            (vec![("request", "a.b.c")], "invalid_request_object"),
            (vec![("request_uri", "https://orders.example/r")], "request_uri_not_supported"),
            (vec![("registration", "{}")], "registration_not_supported"),
            (vec![("prompt", "none login")], "invalid_request"),
            (vec![("prompt", "sometimes")], "invalid_request"),
            (vec![("max_age", "-1")], "invalid_request"),
            (vec![("claims", "[")], "invalid_request"),
            (vec![("claims", acr)], "unmet_authentication_requirements"),
            (vec![("id_token_hint", "a.b.c")], "invalid_request"),
        ] {
            let page = ask(&scene, &mut browser, &more).await;
            expect_redirect(&scene, &page, error);
            assert!(page.answer.location_param("error_description").is_some());
        }
        let started = std::time::Instant::now();
        let fields = [("client_id", scene.rp.client.client_id()), ("response_type", "code".to_owned()), ("scope", many_scopes)];
        let form = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        browser.post_from(&scene.tenant.url("/authorize"), &form, None).await.expect_error(400, "invalid_request");
        assert!(started.elapsed().as_millis() < 500, "{:?}", started.elapsed());
        // each of these is refused by nobody
        for more in [
            vec![("unknown", "x")], vec![("display", "touch")], vec![("display", "holograph")], vec![("claims_locales", "de")],
            vec![("acr_values", "gold silver")], vec![("ui_locales", "de x!")], vec![("login_hint", "somebody")], vec![("max_age", "100000000000")],
            vec![("scope", "email openid")], vec![("response_mode", "query")],
            vec![("claims", r#"{"id_token":{"acr":{"values":["gold"]}},"userinfo":{"name":null}}"#)],
        ] {
            expect_code(&ask(&scene, &mut browser, &more).await);
        }
    }

    async fn what_a_client_did_not_register_is_not_its_own(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut machine = scene.app.machine_client(&scene.tenant, "").await;
        // a machine with a redirect URI, as its registration may have had one before
        machine.metadata.redirect_uris = vec!["https://orders.example/callback".into()];
        let (id, metadata) = (machine.id, machine.metadata.clone());
        assert!(scene.write(move |repo| {
            let mut client = repo.find_client(id)?.expect("the client");
            client.metadata = metadata.clone();
            repo.update_client(&client)
        }).await);
        let rp = scene.with(&machine).with_scope("");
        let page = scene.app.browser().open(&rp.authorization_url(&[])).await;
        expect_redirect(&scene, &page, "unauthorized_client");
    }

    async fn answers_travel_as_they_were_asked_to(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        let state = "\"><script>alert(1)</script>&'\u{1f980}=+ ";
        let hostile = [("state", state), ("response_mode", "form_post")];
        let form = ask(&scene, &mut browser, &hostile).await;
        assert_eq!(form.answer.status, 200);
        assert!(!form.answer.body.contains("<script>alert"), "{}", form.answer.body);
        assert!(form.answer.header("content-security-policy").is_some_and(|policy| policy.contains("form-action 'self' https://orders.example")));
        let (action, fields) = form.filled(&[]);
        assert_eq!(action.as_str(), "https://orders.example/callback");
        let field = |name: &str| fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        assert_eq!((field("state"), field("iss")), (Some(state), Some(scene.tenant.issuer.as_str())));
        assert!(field("code").is_some());
        // errors too
        let error = ask(&scene, &mut browser, &[("response_mode", "form_post"), ("scope", "openid sorcery")]).await;
        assert!(error.answer.body.contains("invalid_scope"), "{}", error.answer.body);
        let fragment = ask(&scene, &mut browser, &[("response_mode", "fragment")]).await;
        let location = fragment.answer.location();
        assert_eq!(location.query(), None);
        assert!(location.fragment().is_some_and(|fragment| fragment.starts_with("code=") && fragment.contains("&state=a-state&iss=")));
    }

    async fn long_values_come_back_intact(app: TestApp) {
        let scene = Scene::new(app).await;
        let (state, nonce) = ("s".repeat(4096), "\u{fc}".repeat(2048));
        let mut browser = scene.app.browser();
        let page = scene.rp.authorize(&mut browser, &scene.user, &[("state", &state), ("nonce", &nonce)]).await;
        assert_eq!(page.answer.location_param("state").as_deref(), Some(state.as_str()));
        let tokens = scene.rp.redeem(&expect_code(&page)).await.expect_ok().json();
        let claims = crate::support::relying_party::claims(tokens["id_token"].as_str().expect("an ID token"));
        assert_eq!(claims["nonce"], json!(nonce));
        let longer = "s".repeat(4097);
        let page = ask(&scene, &mut browser, &[("state", &longer)]).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_request"));
    }

    async fn a_posted_request_is_as_good_as_any(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        let url = url::Url::parse(&scene.rp.authorization_url(&[])).expect("a URL");
        let params: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let form: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // another site sends it
        let answer = browser.post_from(&scene.tenant.url("/authorize"), &form, Some("https://orders.example")).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let next = url.join(answer.header("location").expect("a redirect")).expect("a location");
        expect_code(&browser.open(next.as_str()).await);
    }

    /// OpenID Connect Dynamic Client Registration §2: "If present, the server SHOULD display" the logo, the policy and the terms.
    async fn pages_show_who_asks(app: TestApp) {
        let scene = Scene::new(app).await;
        let addresses = [
            ("logo_uri", "https://orders.example/logo.png"), ("policy_uri", "https://orders.example/policy"), ("tos_uri", "https://orders.example/terms"),
        ];
        let mut metadata = json!({
            "client_name": "Orders", "redirect_uris": ["https://orders.example/callback"], "grant_types": ["authorization_code"], "scope": "openid email",
        });
        for (name, address) in addresses {
            metadata[name] = json!(address);
        }
        let rp = scene.with(&scene.app.client(&scene.tenant, metadata).await);
        let mut browser = scene.app.browser();
        let login = browser.open(&rp.authorization_url(&[("scope", "openid email")])).await;
        expect_page(&login, "username");
        let consent = browser.sign_in(&login, &scene.user).await;
        expect_page(&consent, "allow");
        for page in [&login, &consent] {
            let body = &page.answer.body;
            assert!(body.contains(r#"src="https://orders.example/logo.png""#), "{body}");
            assert!(body.contains(r#"href="https://orders.example/policy""#) && body.contains(r#"href="https://orders.example/terms""#), "{body}");
            let policy = page.answer.header("content-security-policy").expect("a policy");
            let images = policy.split(';').map(str::trim).find(|directive| directive.starts_with("img-src")).expect("img-src");
            assert!(images.split(' ').any(|source| source == "https:"), "{images}");
        }
    }

    async fn prompt_none_never_shows_a_page(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let none = [("prompt", "none")];
        expect_redirect(&scene, &ask(&scene, &mut browser, &none).await, "login_required");
        let login = ask(&scene, &mut browser, &[]).await;
        let consent = browser.sign_in(&login, &scene.user).await;
        expect_page(&consent, "allow");
        expect_redirect(&scene, &ask(&scene, &mut browser, &none).await, "consent_required");
        expect_code(&browser.submit(&consent, &[("decision", "allow")]).await);
        expect_code(&ask(&scene, &mut browser, &none).await);
        scene.app.time.advance(std::time::Duration::from_secs(100));
        expect_redirect(&scene, &ask(&scene, &mut browser, &[("prompt", "none"), ("max_age", "99")]).await, "login_required");
        expect_redirect(&scene, &ask(&scene, &mut browser, &[("prompt", "none"), ("max_age", "0")]).await, "login_required");
        expect_code(&ask(&scene, &mut browser, &[("prompt", "none"), ("max_age", "100")]).await);
    }

    async fn prompt_login_and_max_age_ask_again(app: TestApp) {
        let scene = Scene::new(app).await;
        for more in [[("prompt", "login")], [("max_age", "10")], [("max_age", "0")]] {
            let mut browser = signed_in(&scene).await;
            scene.app.time.advance(std::time::Duration::from_secs(11));
            let page = ask(&scene, &mut browser, &more).await;
            expect_page(&page, "password");
            // the person is known, and is asked for the password only
            assert!(page.answer.body.contains("readonly"), "{}", page.answer.body);
            let code = expect_code(&browser.sign_in(&page, &scene.user).await);
            let tokens = scene.rp.redeem(&code).await.expect_ok().json();
            let claims = crate::support::relying_party::claims(tokens["id_token"].as_str().expect("an ID token"));
            assert_eq!(claims["auth_time"], json!(scene.app.provider.now().timestamp()));
        }
        // a sign-in for one request is none for the next
        let mut browser = signed_in(&scene).await;
        expect_page(&ask(&scene, &mut browser, &[("prompt", "login")]).await, "password");
    }

    async fn a_clock_that_is_set_back_makes_no_circle(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        let page = ask(&scene, &mut browser, &[("prompt", "login")]).await;
        scene.app.time.rewind(std::time::Duration::from_hours(1));
        expect_code(&browser.sign_in(&page, &scene.user).await);
    }

    async fn consent_is_asked_once_for_each_scope(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let narrow = [("scope", "openid email")];
        let login = ask(&scene, &mut browser, &narrow).await;
        let consent = browser.sign_in(&login, &scene.user).await;
        expect_page(&consent, "deny");
        assert!(consent.answer.body.contains("See your email address") && consent.answer.body.contains("orders.example"));
        let denied = browser.submit(&consent, &[("decision", "deny")]).await;
        expect_redirect(&scene, &denied, "access_denied");
        assert_eq!((scene.events("consent.denied"), scene.events("grant.created")), (1, 0));
        let consent = ask(&scene, &mut browser, &narrow).await;
        expect_code(&browser.submit(&consent, &[("decision", "allow")]).await);
        expect_code(&ask(&scene, &mut browser, &narrow).await);
        expect_code(&ask(&scene, &mut browser, &[("scope", "openid")]).await);
        let wider = ask(&scene, &mut browser, &[("scope", "openid email profile")]).await;
        expect_page(&wider, "allow");
        // asked although it is remembered
        expect_page(&ask(&scene, &mut browser, &[("scope", "openid"), ("prompt", "consent")]).await, "allow");
        let unclear = browser.submit(&wider, &[("decision", "maybe")]).await;
        unclear.answer.expect_error(400, "invalid_request");
    }

    async fn a_tenant_may_ask_always_and_its_own_applications_never(app: TestApp) {
        use tessera::domain::settings::ConsentPolicy;
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.consent = ConsentPolicy::Always).await;
        let page = ask(&scene, &mut browser, &[]).await;
        expect_code(&browser.submit(&page, &[("decision", "allow")]).await);
        expect_redirect(&scene, &ask(&scene, &mut browser, &[("prompt", "none")]).await, "consent_required");
        let own = scene.app.client(&scene.tenant, json!({
            "redirect_uris": ["https://orders.example/callback"], "scope": "openid email offline_access", "skip_consent": true,
            "grant_types": ["authorization_code", "refresh_token"],
        })).await;
        let rp = scene.with(&own).with_scope("openid email offline_access");
        let page = browser.open(&rp.authorization_url(&[("prompt", "none")])).await;
        let tokens = rp.redeem(&expect_code(&page)).await.expect_ok().json();
        assert!(tokens["refresh_token"].is_string());
        expect_page(&browser.open(&rp.authorization_url(&[("prompt", "consent")])).await, "allow");
    }

    async fn offline_access_needs_the_refresh_token_grant(app: TestApp) {
        let scene = Scene::new(app).await;
        let client = scene.app.client(&scene.tenant, json!({
            "redirect_uris": ["https://orders.example/callback"], "scope": "openid offline_access", "skip_consent": true,
        })).await;
        let rp = scene.with(&client).with_scope("openid offline_access");
        let tokens = rp.sign_in(&mut scene.app.browser(), &scene.user).await;
        assert_eq!((tokens.body["scope"].as_str(), tokens.refresh_token), (Some("openid"), None));
    }

    async fn a_hint_names_the_only_person_who_will_do(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let ana = scene.rp.sign_in(&mut browser, &scene.user).await.id_token.expect("an ID token");
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", "another long password").await;
        let mut bens = scene.app.browser();
        let ben_hint = scene.rp.sign_in(&mut bens, &ben).await.id_token.expect("an ID token");
        let none = |hint| [("prompt", "none"), ("id_token_hint", hint)];
        // an expired hint is as good
        scene.app.time.advance(std::time::Duration::from_secs(4000));
        expect_code(&ask(&scene, &mut browser, &none(&ana)).await);
        expect_redirect(&scene, &ask(&scene, &mut browser, &none(&ben_hint)).await, "login_required");
        // with a page allowed, somebody else signing in is told to the client
        let page = ask(&scene, &mut browser, &[("id_token_hint", &ben_hint)]).await;
        let wrong = browser.sign_in(&page, &scene.user).await;
        expect_redirect(&scene, &wrong, "login_required");
        let page = ask(&scene, &mut browser, &[("id_token_hint", &ben_hint)]).await;
        let right = browser.sign_in(&page, &ben).await;
        expect_code(&right);
        // both are signed in now: the hint chooses
        for (hint, user) in [(&ana, &scene.user), (&ben_hint, &ben)] {
            let code = expect_code(&ask(&scene, &mut browser, &none(hint)).await);
            let tokens = scene.rp.redeem(&code).await.expect_ok().json();
            let claims = crate::support::relying_party::claims(tokens["id_token"].as_str().expect("an ID token"));
            assert_eq!(claims["sub"], json!(user.id.to_string()));
        }
        // the same by the claims parameter
        let claims = |user: &crate::support::app::TestUser| json!({ "id_token": { "sub": { "value": user.id.to_string() } } }).to_string();
        expect_code(&ask(&scene, &mut browser, &[("prompt", "none"), ("claims", &claims(&ben))]).await);
        let mut anas = signed_in(&scene).await;
        expect_redirect(&scene, &ask(&scene, &mut anas, &[("prompt", "none"), ("claims", &claims(&ben))]).await, "login_required");
        // a hint for another client, an access token, and a hint with another signature are none
        let public = scene.app.public_client(&scene.tenant).await;
        let other = scene.with(&public).with_scope("openid").sign_in(&mut scene.app.browser(), &scene.user).await;
        // a character in the middle, as the last one holds two bits only and may be this one already
        let at = ana.len() - 20;
        let forged = format!("{}{}{}", &ana[..at], if ana.as_bytes()[at] == b'A' { 'B' } else { 'A' }, &ana[at + 1..]);
        for bad in [other.id_token.as_deref().expect("an ID token"), &other.access_token, &forged] {
            expect_redirect(&scene, &ask(&scene, &mut anas, &none(bad)).await, "invalid_request");
        }
    }

    async fn one_of_several_accounts_is_chosen(app: TestApp) {
        let scene = Scene::new(app).await;
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", "another long password").await;
        let mut browser = signed_in(&scene).await;
        let choose = ask(&scene, &mut browser, &[("prompt", "select_account")]).await;
        assert!(choose.answer.body.contains("ana@acme.example"), "{}", choose.answer.body);
        let elsewhere = choose.answer.body.split("class=\"action\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
        let login = browser.open(choose.url.join(&elsewhere.replace("&#38;", "&").replace("&amp;", "&")).expect("a URL").as_str()).await;
        let page = browser.pass(login, &ben).await;
        let code = expect_code(&page);
        let tokens = scene.rp.redeem(&code).await.expect_ok().json();
        assert_eq!(crate::support::relying_party::claims(tokens["id_token"].as_str().expect("a token"))["sub"], json!(ben.id.to_string()));
        // both are there now, and the one who isn't active is chosen
        let choose = ask(&scene, &mut browser, &[("prompt", "select_account")]).await;
        let at = choose.answer.body.find("ana@acme.example").expect("ana");
        let before = &choose.answer.body[..at];
        let value = before[before.rfind("value=\"").expect("a value") + 7..].split('"').next().expect("a value").to_owned();
        let page = browser.submit(&choose, &[("account", &value)]).await;
        let tokens = scene.rp.redeem(&expect_code(&page)).await.expect_ok().json();
        assert_eq!(crate::support::relying_party::claims(tokens["id_token"].as_str().expect("a token"))["sub"], json!(scene.user.id.to_string()));
        // what isn't among them can't be chosen
        let strange = browser.submit(&choose, &[("account", "018f3a4e-1111-7222-8333-444455556666")]).await;
        assert_eq!(strange.answer.status, 400);
        strange.expect_id("problem");
    }

    async fn hints_shape_the_page_and_nothing_else(app: TestApp) {
        let scene = Scene::new(app).await;
        let hint = "\"><script>alert(1)</script>";
        let page = ask(&scene, &mut scene.app.browser(), &[("login_hint", hint), ("ui_locales", "xx de en")]).await;
        assert!(page.answer.body.contains("<html lang=\"de\">"), "{}", page.answer.body);
        assert!(!page.answer.body.contains("<script>alert"));
        let page = ask(&scene, &mut scene.app.browser(), &[("login_hint", "ana@acme.example")]).await;
        assert!(page.answer.body.contains("value=\"ana@acme.example\""), "{}", page.answer.body);
    }

    async fn a_pending_request_is_ours_and_ends(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = scene.app.browser();
        let login = ask(&scene, &mut browser, &[]).await;
        let flow = login.hidden("flow").expect("a flow");
        let other = scene.app.tenant("globex").await;
        let address = |issuer: &str, path: &str, flow: &str| format!("{issuer}{path}?flow={flow}");
        // changed, another tenant's, cut off, none at all
        let middle = flow.len() / 2;
        let changed = format!("{}{}{}", &flow[..middle], if &flow[middle..=middle] == "A" { "B" } else { "A" }, &flow[middle + 1..]);
        for path in ["/login", "/consent", "/select-account", "/authorize/continue"] {
            for (issuer, flow) in [(&scene.tenant.issuer, changed.as_str()), (&other.issuer, &flow), (&scene.tenant.issuer, &flow[..flow.len() - 3]), (&scene.tenant.issuer, "x")] {
                let page = browser.open(&address(issuer, path, flow)).await;
                page.answer.expect_error(400, "expired_link");
            }
        }
        assert_eq!(browser.open(&address(&scene.tenant.issuer, "/login", &flow)).await.answer.status, 200);
        scene.app.time.advance(std::time::Duration::from_secs(3601));
        browser.open(&address(&scene.tenant.issuer, "/login", &flow)).await.answer.expect_error(400, "expired_link");
        let late = browser.sign_in(&login, &scene.user).await;
        late.answer.expect_error(400, "expired_link");
    }

    async fn nobody_consents_for_somebody_else(app: TestApp) {
        let scene = Scene::new(app).await;
        let ben = scene.app.user(&scene.tenant, "ben@acme.example", "another long password").await;
        let mut browser = scene.app.browser();
        let login = ask(&scene, &mut browser, &[]).await;
        let asked = browser.sign_in(&login, &scene.user).await;
        expect_page(&asked, "allow");
        // in another window ben signs in, and is the active one now
        let elsewhere = browser.open(&scene.tenant.url("/login?elsewhere=1")).await;
        browser.sign_in(&elsewhere, &ben).await;
        let code = expect_code(&browser.submit(&asked, &[("decision", "allow")]).await);
        let tokens = scene.rp.redeem(&code).await.expect_ok().json();
        assert_eq!(crate::support::relying_party::claims(tokens["id_token"].as_str().expect("a token"))["sub"], json!(scene.user.id.to_string()));
        // the session of the person who was asked is gone: the answer counts for nobody
        let again = ask(&scene, &mut browser, &[("prompt", "consent")]).await;
        let sign_out = browser.open(&scene.tenant.url("/logout")).await;
        browser.submit(&sign_out, &[("logout", "1")]).await;
        let login = browser.submit(&again, &[("decision", "allow")]).await;
        expect_page(&login, "password");
    }

    async fn resources_are_named_on_the_page_and_in_the_token(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.app.resource(&scene.tenant, "https://orders.example/api", &["orders:read", "orders:write"]).await;
        let client = scene.app.client(&scene.tenant, json!({
            "redirect_uris": ["https://orders.example/callback"], "scope": "openid orders:read", "grant_types": ["authorization_code", "refresh_token"],
        })).await;
        let rp = scene.with(&client).with_scope("openid orders:read");
        let mut browser = scene.app.browser();
        let resource = [("resource", "https://orders.example/api")];
        let login = browser.open(&rp.authorization_url(&resource)).await;
        let consent = browser.sign_in(&login, &scene.user).await;
        assert!(consent.answer.body.contains("orders:read") && consent.answer.body.contains("https://orders.example/api"), "{}", consent.answer.body);
        let code = expect_code(&browser.submit(&consent, &[("decision", "allow")]).await);
        let tokens = rp.redeem(&code).await.expect_ok().json();
        assert_eq!(crate::support::relying_party::claims(tokens["access_token"].as_str().expect("a token"))["aud"], json!("https://orders.example/api"));
        // the same again is not asked twice; a token for no API in particular is something else
        expect_code(&browser.open(&rp.authorization_url(&resource)).await);
        browser.open(&rp.authorization_url(&[])).await.expect_id("allow");
    }

    async fn a_public_client_needs_a_challenge(app: TestApp) {
        let scene = Scene::new(app).await;
        let public = scene.app.public_client(&scene.tenant).await;
        let web = scene.app.client(&scene.tenant, json!({ "redirect_uris": ["https://orders.example/callback"], "scope": "openid", "require_pkce": false })).await;
        let without = [("code_challenge", ""), ("code_challenge_method", ""), ("prompt", "none")];
        let error = async |rp: RelyingParty| {
            let page = scene.app.browser().open(&rp.authorization_url(&without)).await;
            page.answer.location_param("error").expect("an error")
        };
        assert_eq!(error(scene.with(&public).with_scope("openid")).await, "invalid_request");
        assert_eq!(error(scene.with(&web).with_scope("openid")).await, "login_required");
        scene.app.change_settings(&scene.tenant, |settings| settings.require_pkce = true).await;
        assert_eq!(error(scene.with(&web).with_scope("openid")).await, "invalid_request");
    }
}
