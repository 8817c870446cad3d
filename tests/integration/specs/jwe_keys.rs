//! What hangs on the keys that is encrypted to: those of a client that go while its person is asked, answers that need none, a tenant's own, and the
//! ID tokens that come back encrypted to these (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2).

use std::time::Duration;

use serde_json::{Value, json};
use tessera::flows::admin::By;

use super::ciba;
use super::front_channel::{ask, client, signed_in};
use super::jwe::{Own, published, sealed, secretive, take_encrypted};
use super::seed::{Scene, text};
use crate::support::app::app_test;
use crate::support::receiver::{Answering, Receiver};

const NO_ANSWERS: [&str; 2] = [
    "authorization_encrypted_response_alg",
    "authorization_encrypted_response_enc",
];

fn publish(server: &Receiver, keys: &Value) {
    let body = json!({ "keys": keys }).to_string();
    server.answer(Answering::Body("application/json", body));
}

app_test! {
    /// Nothing is allowed that could never be told.
    async fn a_key_that_goes_while_a_person_is_asked_leaves_nothing_behind(app: TestApp) {
        let scene = Scene::new(app).await;
        let (own, server) = (Own::ec(), Receiver::start());
        let mut plain = json!({ "skip_consent": false });
        for name in NO_ANSWERS {
            plain[name] = Value::Null;
        }
        publish(&server, &json!([own.public]));
        let keys = || json!(server.url("/jwks"));
        let one = secretive(&scene, keys(), "ECDH-ES", None, plain).await;
        let whole = secretive(&scene, keys(), "ECDH-ES", None, json!({ "skip_consent": false })).await;
        let mut browser = signed_in(&scene).await;
        let (granted, consented) = (scene.events("grant.created"), scene.events("consent.granted"));
        for (rp, more, told) in [(&one, [("response_type", "code id_token"), ("response_mode", "fragment")], true), (&whole, [("response_type", "code"), ("response_mode", "jwt")], false)] {
            for decision in ["allow", "deny"] {
                publish(&server, &json!([own.public]));
                scene.app.time.advance(Duration::from_secs(61));
                let page = browser.open(&rp.authorization_url(&more)).await;
                page.expect_id("allow");
                publish(&server, &json!([]));
                scene.app.time.advance(Duration::from_hours(1));
                let answered = browser.submit(&page, &[("decision", decision)]).await;
                if told {
                    assert_eq!(answered.response().get("error"), "invalid_request", "{decision}");
                } else {
                    answered.answer.expect_error(400, "invalid_request");
                }
            }
        }
        assert_eq!((scene.events("grant.created"), scene.events("consent.granted"), scene.events("consent.denied")), (granted, consented, 0));
        // It comes back: the person is asked as before.
        publish(&server, &json!([own.public]));
        scene.app.time.advance(Duration::from_secs(61));
        let page = browser.open(&whole.authorization_url(&[("response_mode", "jwt")])).await;
        let page = browser.submit(&page, &[("decision", "allow")]).await;
        assert!(page.answer.location_param("response").is_some(), "{}", page.answer.body);
        assert_eq!(scene.events("grant.created"), granted + 1);
    }

    /// The token endpoint looks for a key where its answer has an ID token, and nowhere else.
    async fn an_answer_without_an_id_token_needs_no_key(app: TestApp) {
        let mut scene = Scene::new(app).await;
        let (own, server) = (Own::ec(), Receiver::start());
        publish(&server, &json!([own.public]));
        let rp = secretive(&scene, json!(server.url("/jwks")), "ECDH-ES", None, json!({ "scope": "openid profile email offline_access" })).await;
        scene.rp = rp.clone().with_scope("profile email");
        let (plain, plain_code) = (scene.tokens().await, scene.code().await);
        assert!(plain.get("id_token").is_none());
        assert_eq!(server.received().len(), 0, "nobody has asked for the keys");
        scene.rp = rp.with_scope("openid profile offline_access");
        let (tokens, code) = (scene.tokens().await, scene.code().await);
        own.nested(text(&tokens, "id_token"), "A128CBC-HS256");
        publish(&server, &json!([]));
        scene.app.time.advance(Duration::from_secs(3_601));
        // What has an ID token in it waits for a key, and is as good as before once it is there.
        scene.rp.refresh(text(&tokens, "refresh_token")).await.expect_error(400, "invalid_request");
        let refresh = |token: &str, scope: &str| {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
            scene.rp.authenticated("/token", &form)
        };
        refresh(text(&tokens, "refresh_token"), "openid").send().await.expect_error(400, "invalid_request");
        let narrowed = refresh(text(&tokens, "refresh_token"), "profile").send().await.expect_ok().json();
        assert_eq!((&narrowed["scope"], narrowed.get("id_token")), (&json!("profile"), None));
        scene.rp.refresh(text(&plain, "refresh_token")).await.expect_ok();
        // Whoever makes a code up has nothing looked up.
        let fetched = server.received().len();
        scene.app.time.advance(Duration::from_secs(61));
        for made_up in ["x", "tsc_AAAA", &plain_code[..plain_code.len() - 2]] {
            scene.rp.redeem(made_up).await.expect_error(400, "invalid_grant");
        }
        assert_eq!(server.received().len(), fetched);
        assert!(!code.is_empty());
    }

    /// The tenant's keys are made before its switch is set: what fails after them leaves the switch as it was.
    async fn the_keys_come_before_the_switch(app: TestApp) {
        let scene = Scene::new(app).await;
        let provider = &scene.app.provider;
        let mut stale = scene.loaded().await.record.clone();
        stale.settings.request_object_encryption = true;
        scene.app.change_settings(&scene.tenant, |settings| settings.require_pkce = true).await;
        let refused = provider.update_tenant(stale, &By::system()).await;
        assert!(refused.is_err(), "somebody changed it meanwhile");
        let made = || scene.app.database.raw().texts("SELECT algorithm AS value FROM signing_keys");
        assert_eq!(made().len(), 3, "{:?}", made());
        assert!(!scene.loaded().await.settings().request_object_encryption && published(&scene).await.is_empty());
        // The next time they are there.
        take_encrypted(&scene, true).await;
        assert_eq!((published(&scene).await.len(), made().len()), (2, 3));
    }

    /// A client that gets its ID tokens encrypted may send them back so.
    async fn a_hint_may_come_back_encrypted(app: TestApp) {
        let scene = Scene::new(app).await;
        let own = Own::ec();
        scene.app.change_settings(&scene.tenant, |settings| settings.backchannel_authentication = true).await;
        let more = json!({
            "post_logout_redirect_uris": ["https://front.example/bye"], "backchannel_token_delivery_mode": "poll",
            "grant_types": ["authorization_code", "refresh_token", "implicit", ciba::GRANT],
        });
        let rp = secretive(&scene, json!([own.public]), "ECDH-ES", None, more).await;
        let mut browser = signed_in(&scene).await;
        let tokens = rp.sign_in(&mut browser, &scene.user).await;
        let signed = own.nested(tokens.id_token.as_deref().expect("an ID token"), "A128CBC-HS256");
        let other = scene.app.user(&scene.tenant, "lee@acme.example", "a long enough password").await;
        let theirs = rp.sign_in(&mut scene.app.browser(), &other).await;
        let theirs = own.nested(theirs.id_token.as_deref().expect("an ID token"), "A128CBC-HS256");
        take_encrypted(&scene, true).await;
        let (keys, nothing) = (published(&scene).await, json!({}));
        let silent = |hint: &str| [("prompt".to_owned(), "none".to_owned()), ("id_token_hint".to_owned(), hint.to_owned())];
        let told = async |browser: &mut crate::support::browser::Browser, rp: &crate::support::relying_party::RelyingParty, hint: &str| {
            let more = silent(hint);
            let more: Vec<_> = more.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let answer = ask(rp, browser, "code", &more).await;
            if answer.names().contains(&"code") { String::new() } else { answer.get("error").to_owned() }
        };
        for key in &keys {
            let (mine, foreign) = (sealed(key, "A256GCM", &signed, &nothing), sealed(key, "A256GCM", &theirs, &nothing));
            assert_eq!(told(&mut browser, &rp, &mine).await, "");
            assert_eq!(told(&mut browser, &rp, &foreign).await, "login_required");
            assert_eq!(rp.push(&[("id_token_hint", &mine)]).await.status, 201);
            // CIBA §7.1: it names whom the client asks for as well as it does in the clear.
            ciba::ask(&rp, &[("id_token_hint", &mine)]).await.expect_ok();
            ciba::decide(&scene, "deny").await;
        }
        let (mine, again) = (sealed(&keys[0], "A256GCM", &signed, &nothing), tokens.id_token.as_deref().expect("an ID token"));
        let nonsense = sealed(&keys[0], "A256GCM", "nonsense", &nothing);
        let mut broken = mine.clone();
        broken.replace_range(mine.len() - 3.., "AAA");
        // As it came it is encrypted to the client; what a client without encryption sends so, what doesn't open, and what isn't a hint of its own.
        for hint in [again, &nonsense, &broken] {
            assert_eq!(told(&mut browser, &rp, hint).await, "invalid_request");
            rp.push(&[("id_token_hint", hint)]).await.expect_error(400, "invalid_request");
            ciba::ask(&rp, &[("id_token_hint", hint)]).await.expect_error(400, "invalid_request");
        }
        let unencrypted = client(&scene, json!({ "id_token_signed_response_alg": "ES256" })).await;
        let plain = unencrypted.sign_in(&mut browser, &scene.user).await;
        let plain = plain.id_token.as_deref().expect("an ID token");
        assert_eq!(told(&mut browser, &unencrypted, plain).await, "");
        let theirs_sealed = sealed(&keys[0], "A256GCM", plain, &nothing);
        for hint in [&mine, &theirs_sealed] {
            assert_eq!(told(&mut browser, &unencrypted, hint).await, "invalid_request");
        }
        // Signing out: by whichever client names itself, and is the one that the token was issued to.
        let (id, others) = (rp.client.client_id(), unencrypted.client.client_id());
        let logout = |hint: &str, named: &str| format!("{}?id_token_hint={hint}&post_logout_redirect_uri=https%3A%2F%2Ffront.example%2Fbye{named}", scene.tenant.url("/logout"));
        for (hint, named) in [(mine.as_str(), String::new()), (&mine, format!("&client_id={others}")), (&broken, format!("&client_id={id}")), (&nonsense, format!("&client_id={id}")), (&mine, "&client_id=x".to_owned())] {
            browser.open(&logout(hint, &named)).await.answer.expect_error(400, "invalid_request");
        }
        let out = browser.open(&logout(&mine, &format!("&client_id={id}"))).await;
        assert!(out.answer.header("location").is_some_and(|to| to.starts_with("https://front.example/bye")), "{:?}", out.answer);
        // Where the tenant takes nothing encrypted, it isn't opened.
        take_encrypted(&scene, false).await;
        let mut browser = signed_in(&scene).await;
        assert_eq!(told(&mut browser, &rp, &mine).await, "invalid_request");
    }
}
