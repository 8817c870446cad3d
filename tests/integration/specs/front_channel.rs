//! Response types and modes, whichever of them (OAuth 2.0 Multiple Response Type Encoding Practices, Form Post Response Mode; OpenID Connect
//! Core §3.2, §3.3): where answers stand, what is in them, who may ask for them.

use serde_json::{Value, json};
use tessera::domain::settings::RegistrationPolicy;
use tessera::jose::half_hash::half_hash;
use tessera::jose::jws::Type;
use tessera::jose::keys::{Expect, SigningKey, VerificationKeys};
use tessera::protocol::SigningAlgorithm;

use super::registration::{register, registered};
use super::seed::{Scene, at_once, text};
use crate::support::admin::Admin;
use crate::support::app::app_test;
use crate::support::browser::{Browser, Page, Place, Response};
use crate::support::relying_party::{RelyingParty, claims, header};

pub const CALLBACK: &str = "https://front.example/callback";

/// Every response type.
pub const TYPES: [&str; 6] = [
    "code",
    "id_token",
    "id_token token",
    "code id_token",
    "code token",
    "code id_token token",
];

/// Whether the response type names the value.
pub fn has(response_type: &str, value: &str) -> bool {
    response_type.split(' ').any(|known| known == value)
}

/// A client that may have every response type; `more` replaces members.
pub async fn client(scene: &Scene, more: Value) -> RelyingParty {
    let mut metadata = json!({
        "client_name": "Front", "redirect_uris": [CALLBACK], "grant_types": ["authorization_code", "refresh_token", "implicit"],
        "response_types": TYPES, "scope": "openid profile email offline_access", "skip_consent": true,
    });
    for (name, value) in more.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    let client = scene.app.client(&scene.tenant, metadata).await;
    scene.with(&client).with_scope("openid profile email")
}

/// A browser whose person is signed in.
pub async fn signed_in(scene: &Scene) -> Browser {
    let mut browser = scene.app.browser();
    let page = scene.rp.authorize(&mut browser, &scene.user, &[]).await;
    assert!(page.answer.location_param("code").is_some());
    browser
}

/// Asks for a response type and gives what comes back.
pub async fn ask(
    rp: &RelyingParty,
    browser: &mut Browser,
    response_type: &str,
    more: &[(&str, &str)],
) -> Response {
    let page = open(rp, browser, response_type, more).await;
    page.response()
}

async fn open(
    rp: &RelyingParty,
    browser: &mut Browser,
    response_type: &str,
    more: &[(&str, &str)],
) -> Page {
    let mut all = vec![("response_type", response_type)];
    all.extend_from_slice(more);
    browser.open(&rp.authorization_url(&all)).await
}

/// The claims of a JWT of the tenant, its signature checked by the published keys.
pub async fn verified(scene: &Scene, token: &str, typ: &str) -> Value {
    let jwks = scene.app.get(&scene.tenant.url("/jwks")).send().await;
    let keys = VerificationKeys::from_jwks(&jwks.expect_ok().json()).expect("keys");
    let types = [typ];
    let expect = Expect::own(Type::Required(&types), &SigningAlgorithm::ALL);
    Value::Object(keys.verify(token, expect).expect("a good signature").claims)
}

/// The hash that an ID token should hold of what stands beside it.
pub fn hash(id_token: &str, value: &str) -> Value {
    let algorithm = header(id_token)["alg"]
        .as_str()
        .expect("an algorithm")
        .parse();
    half_hash(algorithm.expect("an algorithm"), value).into()
}

/// The names of an answer's parameters, sorted.
fn expected(response_type: &str) -> Vec<&'static str> {
    let mut names = vec!["iss", "state"];
    if has(response_type, "code") {
        names.push("code");
    }
    if has(response_type, "token") {
        names.extend(["access_token", "expires_in", "scope", "token_type"]);
    }
    if has(response_type, "id_token") {
        names.push("id_token");
    }
    names.sort_unstable();
    names
}

async fn metadata(scene: &Scene) -> Value {
    let answer = scene
        .app
        .get(&scene.tenant.url("/.well-known/openid-configuration"));
    answer.send().await.expect_ok().json()
}

app_test! {
    /// docs/src/response-types.md: its request and its answer, and that each type of its table is answered as it says.
    async fn what_is_documented_is_answered_so(app: TestApp) {
        let page = include_str!("../../../docs/src/response-types.md");
        let block = |begin: &str| {
            let from = page.find(begin).unwrap_or_else(|| panic!("no {begin}"));
            page[from..].split("```").next().expect("a block").split_whitespace().collect::<String>()
        };
        let scene = Scene::new(app).await;
        let callback = "https://board.example.com/callback";
        let rp = client(&scene, json!({ "redirect_uris": [callback] })).await;
        let mut browser = signed_in(&scene).await;
        let id = rp.client.client_id();
        let url = block("{issuer}/authorize?").replace("{issuer}", &rp.issuer).replace("client_id=…", &format!("client_id={id}"));
        let answer = browser.open(&url.replace("=…", "=a-text")).await.response();
        let documented = block(&format!("{callback}#"));
        let (uri, text) = documented.split_once('#').expect("a fragment");
        let mut names: Vec<_> = text.split('&').filter_map(|pair| pair.split('=').next()).collect();
        names.sort_unstable();
        assert_eq!((answer.place, answer.uri.as_str(), answer.names()), (Place::Fragment, uri, names));
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()).filter(|(_, value)| !value.contains('…') && !value.starts_with("https:")) {
            assert_eq!(answer.get(&name), value, "{name}");
        }
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")).skip(1).take(TYPES.len());
        let documented: Vec<(&str, &str)> = rows.filter_map(|row| row.split_once("` | ")).collect();
        assert_eq!(documented.iter().map(|(name, _)| *name).collect::<Vec<_>>(), TYPES);
        for (name, row) in documented {
            let kind: tessera::protocol::client_metadata::ResponseType = name.parse().expect("a type");
            for grant in ["authorization_code", "implicit"] {
                assert_eq!(row.contains(grant), kind.grant_types().iter().any(|own| own.as_str() == grant), "{row}");
            }
        }
    }

    async fn every_type_comes_by_every_mode_that_is_right_for_it(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        for response_type in TYPES {
            let usual = if response_type == "code" { Place::Query } else { Place::Fragment };
            for (mode, place) in [("", usual), ("fragment", Place::Fragment), ("form_post", Place::Form), ("query", Place::Query)] {
                let answer = ask(&rp, &mut browser, response_type, &[("response_mode", mode)]).await;
                assert_eq!(answer.uri, CALLBACK);
                assert_eq!((answer.get("state"), answer.get("iss")), ("a-state", scene.tenant.issuer.as_str()));
                if mode == "query" && response_type != "code" {
                    // Multiple Response Types §3, §5: not even that is told where tokens must not be.
                    assert_eq!((answer.place, answer.get("error")), (Place::Fragment, "invalid_request"), "{response_type}");
                    continue;
                }
                assert_eq!((answer.place, answer.names()), (place, expected(response_type)), "{response_type} by {mode:?}");
            }
        }
    }

    /// RFC 6749 §3.1.1
    async fn the_order_of_values_does_not_matter(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        for (asked, meant) in [("token id_token", "id_token token"), ("id_token code", "code id_token"), ("token id_token code", "code id_token token")] {
            let answer = ask(&rp, &mut browser, asked, &[]).await;
            assert_eq!((answer.place, answer.names()), (Place::Fragment, expected(meant)), "{asked}");
        }
        for (asked, place) in [("token", Place::Fragment), ("none", Place::Query), ("code code", Place::Query), ("id_token id_token", Place::Fragment), ("pizza", Place::Query)] {
            let answer = ask(&rp, &mut browser, asked, &[]).await;
            assert_eq!((answer.place, answer.get("error")), (place, "unsupported_response_type"), "{asked}");
        }
    }

    /// PROTOCOL: off for a client unless it registers them.
    async fn a_client_gets_what_it_registered(app: TestApp) {
        let scene = Scene::new(app).await;
        let mut browser = signed_in(&scene).await;
        for own in TYPES {
            let mut grants = Vec::new();
            if has(own, "code") {
                grants.push("authorization_code");
            }
            if own != "code" {
                grants.push("implicit");
            }
            let rp = client(&scene, json!({ "grant_types": grants, "response_types": [own] })).await;
            for asked in TYPES {
                let answer = ask(&rp, &mut browser, asked, &[]).await;
                if asked == own {
                    assert_eq!(answer.names(), expected(own));
                } else {
                    assert_eq!(answer.get("error"), "unauthorized_client", "{asked} of one with {own}");
                    assert_eq!(answer.place, if asked == "code" { Place::Query } else { Place::Fragment });
                }
            }
            // The grant type goes with it, whatever is stored.
            let id = rp.client.id;
            assert!(scene.write(move |repo| {
                let mut client = repo.find_client(id)?.expect("a client");
                client.metadata.grant_types.pop();
                repo.update_client(&client)
            }).await);
            assert_eq!(ask(&rp, &mut browser, own, &[]).await.get("error"), "unauthorized_client", "{own}");
        }
        let usual = scene.rp.clone();
        assert_eq!(ask(&usual, &mut browser, "id_token", &[]).await.get("error"), "unauthorized_client");
    }

    /// PROTOCOL: a tenant can forbid them.
    async fn a_tenant_may_forbid_front_channel_tokens(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.registration = RegistrationPolicy::Open).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        let open = metadata(&scene).await;
        assert_eq!(open["response_types_supported"], json!(TYPES));
        assert!(open["grant_types_supported"].as_array().expect("names").contains(&json!("implicit")));
        let modes = json!(["query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt", "jwt"]);
        assert_eq!(open["response_modes_supported"], modes);
        assert_eq!(open["authorization_signing_alg_values_supported"], json!(SigningAlgorithm::ALL));
        let asked = json!({ "redirect_uris": [CALLBACK], "grant_types": ["implicit"], "response_types": ["id_token"] });
        registered(&scene.app, &scene.tenant, asked.clone()).await;

        scene.app.change_settings(&scene.tenant, |settings| settings.front_channel_tokens = false).await;
        let closed = metadata(&scene).await;
        assert_eq!((&closed["response_types_supported"], &closed["response_modes_supported"]), (&json!(["code"]), &modes));
        assert!(!closed["grant_types_supported"].as_array().expect("names").contains(&json!("implicit")));
        for response_type in TYPES {
            let answer = ask(&rp, &mut browser, response_type, &[]).await;
            if response_type == "code" {
                assert_eq!(answer.names(), expected("code"));
            } else {
                assert_eq!((answer.place, answer.get("error")), (Place::Fragment, "unsupported_response_type"), "{response_type}");
            }
        }
        rp.push(&[("response_type", "id_token")]).await.expect_error(400, "unsupported_response_type");
        // Nobody can be registered for them, by itself or by an administrator.
        let refused = register(&scene.app, &scene.tenant, &asked).await;
        refused.expect_error(400, "invalid_client_metadata");
        assert!(refused.body.contains("response_types"), "{}", refused.body);
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let mut asked = asked;
        asked["client_name"] = json!("Front");
        let answer = admin.post("/tenants/acme/clients", &asked).await;
        assert_eq!((answer.status, answer.body.contains("front_channel_tokens")), (422, true), "{}", answer.body);
        scene.app.change_settings(&scene.tenant, |settings| settings.front_channel_tokens = true).await;
        let answer = admin.post("/tenants/acme/clients", &asked).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert_eq!(ask(&rp, &mut browser, "id_token", &[]).await.names(), expected("id_token"));
    }

    /// OpenID Connect Core §3.2.2.1, §3.3.2.11
    async fn an_id_token_by_the_front_channel_needs_a_nonce_and_openid(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        for response_type in TYPES {
            for more in [("nonce", ""), ("scope", "profile email")] {
                let answer = ask(&rp, &mut browser, response_type, &[more]).await;
                if has(response_type, "id_token") {
                    assert_eq!((answer.place, answer.get("error")), (Place::Fragment, "invalid_request"), "{response_type} without {more:?}");
                    assert_eq!(answer.get("state"), "a-state");
                    let form = ask(&rp, &mut browser, response_type, &[more, ("response_mode", "form_post")]).await;
                    assert_eq!((form.place, form.get("error")), (Place::Form, "invalid_request"));
                } else {
                    assert_eq!(answer.names(), expected(response_type));
                }
            }
        }
    }

    /// RFC 6749 §4.2.2.1: errors come back where the answer would have.
    async fn errors_stand_where_the_answer_would(app: TestApp) {
        let scene = Scene::new(app).await;
        let asking = client(&scene, json!({ "skip_consent": false })).await;
        for response_type in TYPES.into_iter().skip(1) {
            let mut browser = scene.app.browser();
            for (mode, place) in [("", Place::Fragment), ("form_post", Place::Form), ("pigeon", Place::Fragment)] {
                for (more, error) in [
                    (("prompt", "none"), "login_required"), (("scope", "openid sorcery"), "invalid_scope"), (("max_age", "soon"), "invalid_request"),
                    (("resource", "https://nowhere.example"), "invalid_target"),
                ] {
                    let answer = ask(&asking, &mut browser, response_type, &[more, ("response_mode", mode)]).await;
                    let error = if mode == "pigeon" { "invalid_request" } else { error };
                    assert_eq!((answer.place, answer.get("error")), (place, error), "{response_type} {mode} {more:?}");
                    assert_eq!((answer.get("state"), answer.get("iss")), ("a-state", scene.tenant.issuer.as_str()));
                    assert!(answer.find("error_description").is_some() && answer.find("access_token").is_none());
                }
            }
            // Nothing is told to whoever isn't trusted.
            let stranger = open(&asking, &mut browser, response_type, &[("redirect_uri", "https://front.example/callback/")]).await;
            stranger.answer.expect_error(400, "invalid_request");
            assert_eq!(stranger.answer.header("location"), None);
            // A person's no.
            let page = open(&asking, &mut browser, response_type, &[]).await;
            let page = browser.sign_in(&page, &scene.user).await;
            let denied = browser.submit(&page, &[("decision", "deny")]).await.response();
            assert_eq!((denied.place, denied.get("error")), (Place::Fragment, "access_denied"));
            let silent = ask(&asking, &mut browser, response_type, &[("prompt", "none")]).await;
            assert_eq!((silent.place, silent.get("error")), (Place::Fragment, "consent_required"));
        }
        assert_eq!(scene.events("grant.created"), 0);
    }

    /// OAuth 2.0 Form Post Response Mode §2, §4: it works by a button, and nothing of the request is markup.
    async fn a_form_post_needs_no_script_and_holds_no_markup(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        let state = "\"><script>alert(1)</script>&'\u{1f980}=+ ";
        let page = open(&rp, &mut browser, "code id_token token", &[("response_mode", "form_post"), ("state", state)]).await;
        page.expect_id("continue");
        assert!(page.answer.body.contains("method=\"post\"") && !page.answer.body.contains("<script>alert"), "{}", page.answer.body);
        let policy = page.answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("form-action 'self' https://front.example") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.answer.header("cache-control"), Some("no-store"));
        assert_eq!(page.answer.header("referrer-policy"), Some("same-origin"));
        assert_eq!(page.response().get("state"), state);
    }

    async fn sessions_prompts_and_claims_mean_the_same(app: TestApp) {
        let scene = Scene::new(app).await;
        let rp = client(&scene, json!({ "scope": "openid profile email phone offline_access" })).await;
        for response_type in TYPES.into_iter().filter(|response_type| has(response_type, "id_token")) {
            let mut browser = scene.app.browser();
            let page = rp.authorize(&mut browser, &scene.user, &[("response_type", response_type)]).await;
            let first = verified(&scene, page.response().get("id_token"), "JWT").await;
            scene.app.time.advance(std::time::Duration::from_secs(30));
            let asked = r#"{"id_token":{"phone_number":null,"acr":{"essential":true}},"userinfo":{"address":null}}"#;
            let silent = ask(&rp, &mut browser, response_type, &[("prompt", "none"), ("max_age", "600"), ("claims", asked)]).await;
            let again = verified(&scene, silent.get("id_token"), "JWT").await;
            assert_eq!((&again["sub"], &again["sid"], &again["auth_time"]), (&first["sub"], &first["sid"], &first["auth_time"]));
            assert_eq!((&again["phone_number"], &again["acr"], &again["address"]), (&json!("+4512345678"), &json!("urn:tessera:acr:password"), &Value::Null));
            // A hint of the front channel is as good as any.
            let hinted = ask(&rp, &mut browser, response_type, &[("prompt", "none"), ("id_token_hint", silent.get("id_token"))]).await;
            assert_eq!(hinted.names(), expected(response_type));
            // Somebody else than the claimed subject.
            let other = r#"{"id_token":{"sub":{"value":"somebody"}}}"#;
            let refused = ask(&rp, &mut browser, response_type, &[("prompt", "none"), ("claims", other)]).await;
            assert_eq!((refused.place, refused.get("error")), (Place::Fragment, "login_required"));
            // `max_age` is over: a page, and a later sign-in.
            let page = open(&rp, &mut browser, response_type, &[("max_age", "10")]).await;
            page.expect_id("password");
            let fresh = verified(&scene, browser.pass(page, &scene.user).await.response().get("id_token"), "JWT").await;
            assert!(fresh["auth_time"].as_i64() > first["auth_time"].as_i64());
        }
    }

    /// RFC 9126, RFC 9101: what is asked for may be pushed or signed.
    async fn pushed_and_signed_requests_name_their_type(app: TestApp) {
        let scene = Scene::new(app).await;
        let key = SigningKey::generate(SigningAlgorithm::Es256, tessera::jose::keys::RsaBits::default()).expect("a key").key;
        let rp = client(&scene, json!({ "jwks": { "keys": [key.public_jwk()] } })).await;
        let mut browser = signed_in(&scene).await;
        for response_type in TYPES {
            let url = rp.pushed(&[("response_type", response_type), ("response_mode", "form_post")]).await;
            let answer = browser.open(&url).await.response();
            assert_eq!((answer.place, answer.names()), (Place::Form, expected(response_type)), "{response_type}");
            // RFC 9126 §7.3: whatever came of it, it is spent.
            browser.open(&url).await.answer.expect_error(400, "invalid_request_uri");

            let now = scene.app.provider.clock.unix();
            let mut object = json!({ "iss": rp.client.client_id(), "aud": rp.issuer, "exp": now + 300 });
            for (name, value) in rp.parameters(&[("response_type", response_type), ("response_mode", "fragment")]) {
                object[name] = json!(value);
            }
            let signed = key.sign_jwt("oauth-authz-req+jwt", &object).expect("signed");
            let mut url = url::Url::parse(&format!("{}/authorize", rp.issuer)).expect("a URL");
            url.query_pairs_mut().append_pair("client_id", &rp.client.client_id()).append_pair("request", &signed);
            let answer = browser.open(url.as_str()).await.response();
            assert_eq!((answer.place, answer.names()), (Place::Fragment, expected(response_type)), "{response_type}");
            // OpenID Connect Core §6.1: the same beside it, in whatever order.
            let backwards: Vec<_> = response_type.split(' ').rev().collect();
            for (beside, good) in [(backwards.join(" "), true), ("token".to_owned(), false)] {
                let answer = ask(&rp, &mut browser, &beside, &[("request", &signed)]).await;
                if good {
                    assert_eq!(answer.names(), expected(response_type));
                } else {
                    assert_eq!((answer.place, answer.get("error")), (Place::Fragment, "invalid_request_object"));
                }
            }
        }
        for (more, error) in [
            (vec![("response_type", "id_token"), ("nonce", "")], "invalid_request"), (vec![("response_type", "token")], "unsupported_response_type"),
            (vec![("response_type", "code token"), ("response_mode", "query")], "invalid_request"),
        ] {
            rp.push(&more).await.expect_error(400, error);
        }
    }

    /// One pushed request gives one answer, also where no code is in it.
    async fn many_at_once_get_one_answer(app: TestApp) {
        let scene = Scene::new(app).await;
        let (rp, browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        for response_type in ["id_token", "id_token token", "code id_token token"] {
            let url = rp.pushed(&[("response_type", response_type)]).await;
            let answers = at_once((0..12).map(|_| {
                let (mut browser, url) = (browser.clone(), url.clone());
                async move { browser.open(&url).await.answer }
            })).await;
            let answered = answers.iter().filter(|answer| answer.status == 303 && answer.location().fragment().is_some_and(|text| text.contains("id_token=")));
            assert_eq!(answered.count(), 1, "{response_type}");
        }
    }

    /// RFC 7591 §2.1, OpenID Connect Dynamic Client Registration §2
    async fn grant_types_and_response_types_agree(app: TestApp) {
        let scene = Scene::new(app).await;
        scene.app.change_settings(&scene.tenant, |settings| settings.registration = RegistrationPolicy::Open).await;
        let uris = json!([CALLBACK]);
        for (document, member, hint) in [
            (json!({ "redirect_uris": uris, "response_types": ["id_token"] }), "response_types", "implicit"),
            (json!({ "redirect_uris": uris, "grant_types": ["implicit"], "response_types": ["code id_token"] }), "response_types", "authorization_code"),
            (json!({ "redirect_uris": uris, "grant_types": ["implicit"] }), "grant_types", "response type"),
            (json!({ "redirect_uris": uris, "grant_types": ["implicit", "authorization_code"] }), "grant_types", "id_token or token"),
            (json!({ "redirect_uris": uris, "grant_types": ["implicit"], "response_types": ["token"] }), "response_types", "id_token token"),
            (json!({ "redirect_uris": uris, "authorization_signed_response_alg": "none" }), "authorization_signed_response_alg", "ES256"),
            (json!({ "redirect_uris": uris, "authorization_encrypted_response_alg": "ECDH-ES" }), "authorization_encrypted_response_alg", "needs jwks"),
            (json!({ "redirect_uris": uris, "authorization_encrypted_response_enc": "A128GCM" }), "authorization_encrypted_response_enc", "needs authorization_encrypted_response_alg"),
        ] {
            let answer = register(&scene.app, &scene.tenant, &document).await;
            answer.expect_error(400, "invalid_client_metadata");
            assert!(answer.body.contains(member) && answer.body.contains(hint), "{}", answer.body);
        }
        for uri in ["http://localhost:3000/cb", "http://127.0.0.1/cb", "https://localhost/cb", "http://app.localhost/cb"] {
            let answer = register(&scene.app, &scene.tenant, &json!({ "redirect_uris": [uri], "grant_types": ["implicit"], "response_types": ["id_token"] })).await;
            answer.expect_error(400, "invalid_redirect_uri");
        }
        let native = json!({
            "redirect_uris": ["http://127.0.0.1/cb"], "application_type": "native", "grant_types": ["implicit"], "response_types": ["token id_token"],
            "token_endpoint_auth_method": "none",
        });
        let told = registered(&scene.app, &scene.tenant, native).await;
        assert_eq!((&told["response_types"], &told["grant_types"]), (&json!(["id_token token"]), &json!(["implicit"])));
        assert_eq!(told.get("client_secret"), None);
    }

    /// A token that administers comes by a code and no other way.
    async fn nobody_administers_by_the_front_channel(app: TestApp) {
        let scene = Scene::new(app).await;
        let rp = client(&scene, json!({ "scope": "openid profile tessera:admin" })).await;
        let mut browser = signed_in(&scene).await;
        let api = format!("{}/api/v1", scene.app.root());
        for response_type in TYPES {
            for (more, admin) in [(vec![("scope", "openid tessera:admin"), ("resource", &*api)], true), (vec![("scope", "openid profile")], false)] {
                let answer = ask(&rp, &mut browser, response_type, &more).await;
                if admin && has(response_type, "token") {
                    assert_eq!((answer.place, answer.get("error")), (Place::Fragment, "invalid_scope"), "{response_type}");
                } else {
                    assert_eq!(answer.find("error"), None, "{response_type} {more:?}");
                }
            }
        }
        // Nor where it is asked for by saying nothing.
        let answer = ask(&rp, &mut browser, "code token", &[("scope", "")]).await;
        assert_eq!(answer.get("error"), "invalid_scope");
    }

    /// SECURITY, "Tenancy".
    async fn what_comes_by_the_front_channel_is_one_tenants(app: TestApp) {
        let scene = Scene::new(app).await;
        let globex = scene.app.tenant("globex").await;
        let (rp, mut browser) = (client(&scene, json!({})).await, signed_in(&scene).await);
        let answer = ask(&rp, &mut browser, "code id_token token", &[]).await;
        // The client isn't theirs, and so is nothing else.
        let mut there = rp.clone();
        there.issuer.clone_from(&globex.issuer);
        open(&there, &mut browser, "id_token token", &[]).await.answer.expect_error(400, "invalid_request");
        there.userinfo(answer.get("access_token")).await.expect_error(401, "invalid_token");
        there.redeem(answer.get("code")).await.expect_error(401, "invalid_client");
        let machine = RelyingParty::new(&scene.app, &globex, &scene.app.machine_client(&globex, "").await);
        RelyingParty::expect_inactive(&machine.introspect(answer.get("access_token")).await);
        // Another client of the tenant has neither the code nor the token nor the hint.
        scene.rp.redeem(answer.get("code")).await.expect_error(400, "invalid_grant");
        scene.rp.authenticated("/revoke", &[("token", answer.get("access_token"))]).send().await.expect_ok();
        assert!(scene.is_active(answer.get("access_token")).await);
        let hinted = ask(&scene.rp, &mut browser, "code", &[("prompt", "none"), ("id_token_hint", answer.get("id_token"))]).await;
        assert_eq!(hinted.get("error"), "invalid_request");
        // What was seen is no access token, whatever it is.
        for other in ["id_token", "code"] {
            rp.userinfo(answer.get(other)).await.expect_error(401, "invalid_token");
        }
        let told = claims(answer.get("access_token"));
        assert_eq!((text(&told, "tenant"), text(&told, "client_id")), ("acme", rp.client.client_id().as_str()));
    }
}
