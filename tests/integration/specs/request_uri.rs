//! Request objects by reference (RFC 9101 §5.2; OpenID Connect Core §6.2): fetched from where the client said, and not too often.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::{Either, select};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tessera::egress::FETCHES_A_MINUTE;

use super::jar::{Signer, expect_code, expect_redirect, signed_in};
use super::seed::Scene;
use crate::support::app::{TestApp, app_test};
use crate::support::http::Http;
use crate::support::receiver::{Answering, Receiver};

const TYPE: &str = "application/oauth-authz-req+jwt";

/// A tenant that takes such requests, and a client whose objects are at an address of its own.
struct Here {
    scene: Scene,
    signer: Signer,
    server: Receiver,
}

impl Here {
    async fn new(app: TestApp, more: Value) -> Self {
        let (scene, server) = (Scene::new(app).await, Receiver::start());
        scene
            .app
            .change_settings(&scene.tenant, |settings| {
                settings.request_uri_parameter = true;
            })
            .await;
        let mut metadata =
            json!({ "request_uris": [server.url("/request"), server.url("/other?x=1")] });
        for (name, value) in more.as_object().expect("an object") {
            metadata[name] = value.clone();
        }
        let signer = Signer::new(&scene, metadata).await;
        Self {
            scene,
            signer,
            server,
        }
    }

    fn publish(&self, object: &str) {
        self.server.answer(Answering::Body(TYPE, object.to_owned()));
    }

    /// RFC 9101 §5: nothing but `client_id` beside it, unless told.
    fn url(&self, uri: &str, more: &[(&str, &str)]) -> String {
        self.signer.rp.pushed_url(uri, more)
    }

    fn fetched(&self) -> usize {
        self.server.received().len()
    }
}

fn hash(object: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(object))
}

app_test! {
    async fn the_object_is_fetched_and_counts(app: TestApp) {
        let here = Here::new(app, json!({})).await;
        let (scene, signer) = (&here.scene, &here.signer);
        let mut browser = signed_in(scene, signer).await;
        let object = signer.object(scene, &json!({ "state": "inside" }));
        here.publish(&format!("{object}\n"));
        let page = browser.open(&here.url(&here.server.url("/request"), &[])).await;
        let code = expect_code(&page);
        assert_eq!(page.answer.location_param("state").as_deref(), Some("inside"));
        signer.rp.redeem(&code).await.expect_ok();
        let asked = here.server.received();
        assert!(asked.len() == 1 && asked[0].line.starts_with("GET /request "), "{asked:?}");
        // The query part is the address's own, and what stands beside fills in where OpenID Connect has it so.
        let part = signer.object(scene, &json!({ "nonce": null, "state": null }));
        here.publish(&part);
        let uri = here.server.url("/other?x=1");
        let page = browser.open(&signer.rp.authorization_url(&[("request_uri", &uri), ("state", "outside")])).await;
        expect_code(&page);
        assert_eq!(page.answer.location_param("state").as_deref(), Some("outside"));
        // Somebody who has yet to sign in is led on by what was read at first.
        let page = scene.app.browser().open(&here.url(&uri, &[])).await;
        page.answer.expect_ok();
        assert_eq!(here.fetched(), 2);
        // For a minute the copy serves; then it is looked for again.
        here.publish("nonsense");
        expect_code(&browser.open(&here.url(&uri, &[])).await);
        scene.app.time.advance(Duration::from_secs(61));
        expect_redirect(&browser.open(&here.url(&uri, &[])).await, "invalid_request_object");
        assert_eq!(here.fetched(), 3);
    }

    /// Core §6.2: "the URI SHOULD include the base64url encoded SHA-256 hash of the referenced resource contents as the fragment"; "If the fragment
    /// value used for a URI changes, that signals the server that any cached value for that URI with the old fragment value is no longer valid."
    async fn a_fragment_says_how_old_the_object_may_be(app: TestApp) {
        let here = Here::new(app, json!({})).await;
        let (scene, signer) = (&here.scene, &here.signer);
        let mut browser = signed_in(scene, signer).await;
        let object = signer.object(scene, &json!({ "exp": null }));
        here.publish(&object);
        let uri = format!("{}#{}", here.server.url("/request"), hash(&object));
        for _ in 0..2 {
            expect_code(&browser.open(&here.url(&uri, &[])).await);
        }
        assert!(here.fetched() == 1 && here.server.received()[0].line.starts_with("GET /request HTTP"), "no fragment is sent");
        // Another one takes what came just now, and some seconds later what comes then: whose it is, its signature says.
        for (fragment, state) in [(hash("made before there was an object"), "second"), ("section-1".to_owned(), "third")] {
            let other = format!("{}#{fragment}", here.server.url("/request"));
            let before = here.fetched();
            expect_code(&browser.open(&here.url(&other, &[])).await);
            assert_eq!(here.fetched(), before);
            here.publish(&signer.object(scene, &json!({ "exp": null, "state": state })));
            scene.app.time.advance(Duration::from_secs(11));
            let page = browser.open(&here.url(&other, &[])).await;
            expect_code(&page);
            assert_eq!(page.answer.location_param("state").as_deref(), Some(state));
            assert_eq!(here.fetched(), before + 1);
        }
        for wrong in ["", "a b", "<x>"] {
            let uri = format!("{}#{wrong}", here.server.url("/request"));
            expect_redirect(&browser.open(&here.url(&uri, &[])).await, "invalid_request_uri");
        }
        // What is known by its hash needn't be looked for again for a day.
        here.publish(&object);
        scene.app.time.advance(Duration::from_secs(11));
        expect_code(&browser.open(&here.url(&uri, &[])).await);
        here.publish("nonsense");
        let before = here.fetched();
        scene.app.time.advance(Duration::from_hours(1));
        expect_code(&browser.open(&here.url(&uri, &[])).await);
        assert_eq!(here.fetched(), before);
        // A client that registered a fragment uses that one: no other, and none without. Certification registers one that is no hash of anything.
        here.publish(&object);
        let registered = format!("{}#{}", here.server.url("/request"), hash("anything"));
        let fixed = Signer::new(scene, json!({ "request_uris": [registered] })).await;
        for wrong in [here.server.url("/request"), uri] {
            expect_redirect(&browser.open(&fixed.rp.pushed_url(&wrong, &[])).await, "invalid_request_uri");
        }
        assert_eq!(here.fetched(), before);
        here.publish(&fixed.object(scene, &json!({ "exp": null })));
        expect_code(&browser.open(&fixed.rp.pushed_url(&registered, &[])).await);
    }

    /// CVE-2020-10770: nothing is fetched that isn't registered, by this client in this tenant.
    async fn nothing_is_fetched_without_cause(app: TestApp) {
        let here = Here::new(app, json!({})).await;
        let (scene, signer) = (&here.scene, &here.signer);
        let mut browser = signed_in(scene, signer).await;
        let object = signer.object(scene, &json!({}));
        here.publish(&object);
        let uri = here.server.url("/request");
        for wrong in [format!("{uri}/"), format!("{uri}?"), format!("{uri}x"), here.server.url("/other"), here.server.url("/other?x=2"), here.server.url("//request"), uri.to_uppercase(), format!("{uri}/../request"), "https://evil.example/request".to_owned(), "http://169.254.169.254/".to_owned(), "file:///etc/passwd".to_owned(), format!("{uri}{}", "x".repeat(600))] {
            expect_redirect(&browser.open(&here.url(&wrong, &[])).await, "invalid_request_uri");
        }
        // Another client's, another tenant's.
        let other = Signer::new(scene, json!({})).await;
        expect_redirect(&browser.open(&other.rp.pushed_url(&uri, &[])).await, "invalid_request_uri");
        let globex = scene.app.tenant("globex").await;
        scene.app.change_settings(&globex, |settings| settings.request_uri_parameter = true).await;
        let elsewhere = here.url(&uri, &[]).replace(&scene.tenant.issuer, &globex.issuer);
        browser.open(&elsewhere).await.answer.expect_error(400, "invalid_request");
        // Twice, or with the object beside it; and never in a push (RFC 9126 §2.1).
        expect_redirect(&browser.open(&here.url(&uri, &[("request", &object)])).await, "invalid_request");
        expect_redirect(&browser.open(&here.url(&uri, &[("request_uri", &uri)])).await, "invalid_request");
        signer.rp.authenticated("/par", &[("request_uri", &uri)]).send().await.expect_error(400, "invalid_request");
        // Whoever must push must push.
        let pushing = Signer::new(scene, json!({ "request_uris": [uri], "require_pushed_authorization_requests": true })).await;
        expect_redirect(&browser.open(&pushing.rp.pushed_url(&uri, &[])).await, "invalid_request");
        assert_eq!(here.fetched(), 0);
        // Names of pushed requests are what they were.
        let pushed = signer.rp.pushed(&[]).await;
        expect_code(&browser.open(&pushed).await);
        // Where the tenant forbids it, even what is registered isn't.
        scene.app.change_settings(&scene.tenant, |settings| settings.request_uri_parameter = false).await;
        expect_redirect(&browser.open(&here.url(&uri, &[])).await, "request_uri_not_supported");
        assert_eq!(here.fetched(), 0);
    }

    async fn what_is_there_is_taken_or_refused(app: TestApp) {
        let here = Here::new(app, json!({})).await;
        let (scene, signer) = (&here.scene, &here.signer);
        let mut browser = signed_in(scene, signer).await;
        let uri = here.server.url("/request");
        let other = Signer::new(scene, json!({})).await;
        let lasting = signer.object(scene, &json!({ "exp": null }));
        for (answering, error) in [
            (Answering::Status(404), "invalid_request_uri"),
            (Answering::Status(500), "invalid_request_uri"),
            (Answering::Redirect(here.server.url("/other?x=1")), "invalid_request_uri"),
            (Answering::AtLength(100_000), "invalid_request_uri"),
            (Answering::Status(200), "invalid_request_object"),
            (Answering::Body("text/html", "<html>".to_owned()), "invalid_request_object"),
            (Answering::Body(TYPE, other.object(scene, &json!({}))), "invalid_request_object"),
            (Answering::Body(TYPE, signer.object(scene, &json!({ "request_uri": uri, "exp": null }))), "invalid_request_object"),
            (Answering::Body(TYPE, signer.object(scene, &json!({ "scope": "openid sorcery", "exp": null }))), "invalid_scope"),
        ] {
            here.server.answer(answering.clone());
            let (before, page) = (here.fetched(), browser.open(&here.url(&uri, &[])).await);
            expect_redirect(&page, error);
            let description = page.answer.location_param("error_description").expect("a description");
            assert!(!description.contains("127.0.0.1") && !description.contains("404"), "{description}");
            // One that failed isn't tried again at once.
            expect_redirect(&browser.open(&here.url(&uri, &[])).await, error);
            assert_eq!(here.fetched(), before + 1, "{answering:?}");
            scene.app.time.advance(Duration::from_secs(61));
        }
        here.publish(&signer.object(scene, &json!({})));
        expect_code(&browser.open(&here.url(&uri, &[])).await);
        // A redirect that isn't the client's is none, whatever is there.
        scene.app.time.advance(Duration::from_secs(61));
        here.publish(&lasting);
        let evil = browser.open(&here.url(&uri, &[("redirect_uri", "https://evil.example/")])).await;
        assert_ne!(evil.answer.header("location").map(|to| to.contains("evil.example")), Some(true));
    }

    /// A client whose many addresses all lead nowhere can't have us knock without end.
    async fn fetches_of_one_client_are_counted(app: TestApp) {
        let here = Here::new(app, json!({})).await;
        let scene = &here.scene;
        let uris: Vec<_> = (0..FETCHES_A_MINUTE + 5).map(|number| here.server.url(&format!("/{number}"))).collect();
        let busy = Signer::new(scene, json!({ "request_uris": uris })).await;
        let mut browser = signed_in(scene, &here.signer).await;
        let mut errors = Vec::new();
        for uri in &uris {
            let page = browser.open(&busy.rp.pushed_url(uri, &[])).await;
            errors.push(page.answer.location_param("error").expect("an error"));
        }
        assert_eq!(u32::try_from(here.fetched()).expect("few"), FETCHES_A_MINUTE);
        assert!(errors.ends_with(&vec!["temporarily_unavailable".to_owned(); 5]), "{errors:?}");
        // Others aren't held back, and a minute later it isn't either.
        here.publish(&here.signer.object(scene, &json!({ "exp": null })));
        expect_code(&browser.open(&here.url(&here.server.url("/request"), &[])).await);
        scene.app.time.advance(Duration::from_secs(61));
        here.publish(&busy.object(scene, &json!({ "exp": null })));
        expect_code(&browser.open(&busy.rp.pushed_url(&uris[0], &[])).await);
        // Once they are spent, what came before serves on, but not for ever.
        here.server.answer(Answering::Status(500));
        for (later, kept) in [(61, true), (3600, false)] {
            scene.app.time.advance(Duration::from_secs(later));
            let before = here.fetched();
            for uri in &uris[1..] {
                browser.open(&busy.rp.pushed_url(uri, &[])).await;
            }
            let page = browser.open(&busy.rp.pushed_url(&uris[0], &[])).await;
            if kept {
                expect_code(&page);
            } else {
                expect_redirect(&page, "temporarily_unavailable");
            }
            assert_eq!(u32::try_from(here.fetched() - before).expect("few"), FETCHES_A_MINUTE);
        }
    }

    /// No fragment is ever sent, so that anybody who knows a client's address can invent one: each must not be a fetch of its own.
    async fn invented_fragments_spend_no_fetches(app: TestApp) {
        let here = Here::new(app, json!({})).await;
        let (scene, signer) = (&here.scene, &here.signer);
        let mut browser = signed_in(scene, signer).await;
        let object = signer.object(scene, &json!({ "exp": null }));
        here.publish(&object);
        let (plain, other) = (here.server.url("/request"), here.server.url("/other?x=1"));
        let fixed = |object: &str| format!("{plain}#{}", hash(object));
        for number in 0..FETCHES_A_MINUTE + 5 {
            let invented = here.url(&fixed(&number.to_string()), &[]);
            expect_code(&browser.open(&invented).await);
        }
        assert_eq!(here.fetched(), 1);
        for uri in [&plain, &fixed(&object)] {
            expect_code(&browser.open(&here.url(uri, &[])).await);
        }
        assert_eq!(here.fetched(), 1);
        expect_code(&browser.open(&here.url(&other, &[])).await);
        assert_eq!(here.fetched(), 2);
        // A client that changes what is there is looked up again, some seconds after the last time.
        let changed = signer.object(scene, &json!({ "exp": null, "state": "changed" }));
        here.publish(&changed);
        let page = browser.open(&here.url(&fixed(&changed), &[])).await;
        assert_ne!(page.answer.location_param("state").as_deref(), Some("changed"));
        assert_eq!(here.fetched(), 2);
        scene.app.time.advance(Duration::from_secs(11));
        let page = browser.open(&here.url(&fixed(&changed), &[])).await;
        expect_code(&page);
        assert_eq!(page.answer.location_param("state").as_deref(), Some("changed"));
        // Where it can't be, what was there serves on for those who name it.
        here.server.answer(Answering::Status(500));
        scene.app.time.advance(Duration::from_secs(11));
        expect_redirect(&browser.open(&here.url(&fixed("invented"), &[])).await, "invalid_request_uri");
        expect_code(&browser.open(&here.url(&fixed(&changed), &[])).await);
        assert_eq!(here.fetched(), 4);
    }

    /// Whoever hangs up in the middle ends no fetch, or each call would begin another; and a client has two of them under way, so that its slow
    /// hosts leave the others of its tenant some.
    async fn slow_hosts_hold_up_nobody_else(app: TestApp) {
        let here = Here::new(app, json!({})).await;
        let scene = &here.scene;
        let uris: Vec<_> = (0..3).map(|number| here.server.url(&format!("/{number}"))).collect();
        let slow = Signer::new(scene, json!({ "request_uris": uris })).await;
        let quick_server = Receiver::start();
        let quick_uri = quick_server.url("/request");
        let quick = Signer::new(scene, json!({ "request_uris": [quick_uri] })).await;
        quick_server.answer(Answering::Body(TYPE, quick.object(scene, &json!({}))));
        let mut browser = signed_in(scene, &here.signer).await;
        here.server.answer(Answering::Never);
        let direct = Http::in_process(Arc::clone(&scene.app.provider)).await;
        for (number, uri) in uris[..2].iter().enumerate() {
            let asks = pin!(direct.get(&slow.rp.pushed_url(uri, &[])).send());
            let is_asked = pin!(here.server.wait_for(number + 1));
            let Either::Right(_) = select(asks, is_asked).await else {
                panic!("answered before the object was there")
            };
        }
        // Both have left by now.
        expect_redirect(&browser.open(&slow.rp.pushed_url(&uris[2], &[])).await, "temporarily_unavailable");
        expect_code(&browser.open(&quick.rp.pushed_url(&quick_uri, &[])).await);
        // Who asks next shares what is under way, and hears what became of it.
        for uri in [&uris[0], &uris[1], &uris[0]] {
            expect_redirect(&browser.open(&slow.rp.pushed_url(uri, &[])).await, "invalid_request_uri");
        }
        assert_eq!(here.fetched(), 2);
        here.publish(&slow.object(scene, &json!({})));
        expect_code(&browser.open(&slow.rp.pushed_url(&uris[2], &[])).await);
    }
}
