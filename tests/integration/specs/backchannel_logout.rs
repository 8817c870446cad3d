//! OpenID Connect Back-Channel Logout 1.0: who is told, what they are told, and what becomes of those who don't listen.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tessera::domain::logout_delivery::{DeliveryState, LogoutDelivery};
use tessera::jobs;
use tessera::jose::jws::Type;
use tessera::jose::keys::Expect;
use tessera::protocol::SigningAlgorithm;
use tessera::storage::PageRequest;

use super::front_channel;
use super::registration;
use super::seed::{self, Scene};
use crate::support::admin::Admin;
use crate::support::app::{TestApp, TestTenant, TestUser, app_test, on_both};
use crate::support::browser::Browser;
use crate::support::receiver::{Answering, Receiver};
use crate::support::relying_party::{RelyingParty, Tokens, claims, header};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A client that wants to be told there.
pub async fn listening(app: &TestApp, tenant: &TestTenant, uri: &str, more: Value) -> RelyingParty {
    let mut metadata = json!({
        "client_name": "Orders", "redirect_uris": ["https://orders.example/callback"],
        "grant_types": ["authorization_code", "refresh_token"], "post_logout_redirect_uris": ["https://orders.example/bye"],
        "scope": "openid profile email offline_access", "backchannel_logout_uri": uri, "skip_consent": true,
    });
    for (name, value) in more.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    let client = app.client(tenant, metadata).await;
    RelyingParty::new(app, tenant, &client)
}

/// A tenant with a person, and a client of it that listens.
struct Told {
    scene: Scene,
    receiver: Receiver,
    rp: RelyingParty,
}

impl Told {
    async fn new(app: TestApp) -> Self {
        let scene = Scene::new(app).await;
        let receiver = Receiver::start();
        let rp = listening(&scene.app, &scene.tenant, &receiver.url("/out"), json!({})).await;
        Self {
            scene,
            receiver,
            rp,
        }
    }

    async fn signed_in(&self) -> (Browser, Tokens) {
        let mut browser = self.scene.app.browser();
        let tokens = self.rp.sign_in(&mut browser, &self.scene.user).await;
        (browser, tokens)
    }

    async fn sign_out(&self, browser: &mut Browser, tokens: &Tokens) {
        let hint = tokens.id_token.as_deref().expect("an ID token");
        let url = format!("{}?id_token_hint={hint}", self.scene.tenant.url("/logout"));
        browser.open(&url).await.answer.expect_ok();
    }

    /// Somebody signs in and out.
    async fn come_and_go(&self) -> Tokens {
        let (mut browser, tokens) = self.signed_in().await;
        self.sign_out(&mut browser, &tokens).await;
        tokens
    }

    async fn deliver(&self) {
        jobs::logout::deliver_due(&self.scene.app.provider)
            .await
            .expect("storage works");
    }

    async fn deliveries(&self, state: Option<DeliveryState>) -> Vec<LogoutDelivery> {
        deliveries(&self.scene.app, &self.scene.tenant, state).await
    }

    fn advance(&self, seconds: u64) {
        self.scene.app.time.advance(Duration::from_secs(seconds));
    }
}

async fn deliveries(
    app: &TestApp,
    tenant: &TestTenant,
    state: Option<DeliveryState>,
) -> Vec<LogoutDelivery> {
    let tenant = app.load(tenant).await;
    let page = PageRequest::first(200);
    app.provider
        .list_logout_deliveries(&tenant, state, page)
        .await
        .expect("storage works")
        .items
}

/// Until the first delivery of this process is written down.
async fn until_delivered(app: &TestApp) {
    let begun = Instant::now();
    while app.provider.deliveries.logout.delivered() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The `sid`s that were told, in order.
fn told(receiver: &Receiver) -> Vec<String> {
    let mut told: Vec<_> = receiver
        .tokens()
        .iter()
        .map(|token| claims(token)["sid"].as_str().expect("a sid").to_owned())
        .collect();
    told.sort();
    told
}

fn sid(tokens: &Tokens) -> String {
    tokens.id_claims()["sid"]
        .as_str()
        .expect("a sid")
        .to_owned()
}

app_test! {
    async fn a_sign_out_tells_each_client_of_the_session_by_a_token_of_its_own(app: TestApp) {
        let here = Told::new(app).await;
        let (scene, other) = (&here.scene, Receiver::start());
        let pairwise = json!({ "subject_type": "pairwise", "redirect_uris": ["https://board.example/callback"],
            "id_token_signed_response_alg": "RS256", "backchannel_logout_session_required": true });
        let board = listening(&scene.app, &scene.tenant, &other.url("/sessions/end?by=op"), pairwise).await;
        let idle = Receiver::start();
        listening(&scene.app, &scene.tenant, &idle.url("/"), json!({})).await;
        let (mut browser, tokens) = here.signed_in().await;
        let boards = board.sign_in(&mut browser, &scene.user).await;
        // A second time in the same session: one notice is enough.
        here.rp.sign_in(&mut browser, &scene.user).await;
        let (mut elsewhere, elsewhere_tokens) = here.signed_in().await;
        here.sign_out(&mut browser, &tokens).await;
        here.deliver().await;

        let loaded = scene.loaded().await;
        for (receiver, rp, own, target) in [(&here.receiver, &here.rp, &tokens, "/out"), (&other, &board, &boards, "/sessions/end?by=op")] {
            let received = receiver.received();
            assert_eq!(received.len(), 1);
            assert_eq!(received[0].line, format!("POST {target} HTTP/1.1"));
            assert!(received[0].header.contains("content-type: application/x-www-form-urlencoded\r\n"), "{}", received[0].header);
            let token = &receiver.tokens()[0];
            let head = header(token);
            assert_eq!((head["typ"].as_str(), head["alg"].as_str()), (Some("logout+jwt"), Some(rp.client.metadata.id_token_signed_response_alg.as_str())));
            assert!(head["kid"].is_string());
            let expect = Expect::own(Type::Required(&["logout+jwt"]), &SigningAlgorithm::ALL);
            let said = Value::Object(loaded.keys.verification().verify(token, expect).expect("a good signature").claims);
            let id = own.id_claims();
            for name in ["iss", "sub", "aud", "sid"] {
                assert_eq!(said[name], id[name], "{name}");
            }
            assert_eq!(said["events"], json!({ EVENT: {} }));
            let now = scene.app.provider.clock.unix();
            assert!(said["iat"].as_i64().is_some_and(|at| (now - 5..=now).contains(&at)));
            assert_eq!(said["exp"].as_i64(), said["iat"].as_i64().map(|at| at + 120));
            assert!(said["jti"].is_string() && said.get("nonce").is_none());
        }
        assert_ne!(tokens.id_claims()["sub"], boards.id_claims()["sub"], "pairwise");
        assert!(idle.received().is_empty(), "it wasn't used in this session");
        let all = here.deliveries(None).await;
        assert!(all.len() == 2 && all.iter().all(|one| one.state == DeliveryState::Delivered && one.attempts == 1 && one.last_error.is_none()), "{all:?}");
        // Nothing is sent twice, and the other browser's session goes on until it ends itself.
        here.deliver().await;
        assert_eq!(here.receiver.received().len(), 1);
        here.sign_out(&mut elsewhere, &elsewhere_tokens).await;
        here.deliver().await;
        assert_eq!(here.receiver.received().len(), 2);
    }

    async fn a_logout_token_is_good_for_nothing_else(app: TestApp) {
        let here = Told::new(app).await;
        here.come_and_go().await;
        here.deliver().await;
        let token = here.receiver.tokens().remove(0);
        here.rp.userinfo(&token).await.expect_error(401, "invalid_token");
        RelyingParty::expect_inactive(&here.rp.introspect(&token).await);
        let url = format!("{}?id_token_hint={token}", here.scene.tenant.url("/logout"));
        here.scene.app.browser().open(&url).await.answer.expect_error(400, "invalid_request");
        let url = here.rp.authorization_url(&[("id_token_hint", &token), ("prompt", "none")]);
        let page = here.scene.app.browser().open(&url).await;
        assert_eq!(page.answer.location_param("error").as_deref(), Some("invalid_request"));
    }

    async fn wherever_a_session_ends_its_clients_are_told(app: TestApp) {
        let here = Told::new(app).await;
        let scene = &here.scene;
        let (slug, user) = (scene.tenant.slug.to_string(), scene.user.id);
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let mut expected = Vec::new();
        for way in ["page", "account", "others", "administrator", "all", "password", "reset", "disabled", "deleted"] {
            let (mut browser, tokens) = here.signed_in().await;
            match way {
                "page" => {
                    let page = browser.open(&scene.tenant.url("/logout")).await;
                    browser.submit(&page, &[("logout", "1")]).await.answer.expect_ok();
                }
                // By the same person in another browser.
                "account" | "others" | "password" => {
                    let mut second = scene.app.browser();
                    let path = if way == "password" { "/account/password" } else { "/account/sessions" };
                    let login = second.open(&scene.tenant.url("/login")).await;
                    second.sign_in(&login, &scene.user).await;
                    let page = second.open(&scene.tenant.url(path)).await;
                    let passphrase = "another long enough passphrase";
                    let own = sid(&tokens);
                    let one = [("end", own.as_str())];
                    let fields = [("end_others", "1"), ("current_password", scene.user.password.as_str()), ("new_password", passphrase), ("confirm_password", passphrase)];
                    let fields = match way {
                        "account" => &one[..],
                        "others" => &fields[..1],
                        _ => &fields[..],
                    };
                    second.submit(&page, fields).await.answer.expect_ok();
                    if way == "password" {
                        // back, for those that come after
                        let loaded = scene.loaded().await;
                        let phc = tessera::jose::passwords::hash(&scene.user.password, scene.app.provider.password_parameters(), &scene.app.provider.clock, &mut tessera::jose::passwords::Workspace::default()).expect("a hash");
                        scene.app.provider.db.write(&*loaded, move |repo| repo.set_password(user, &phc, false)).await.expect("storage works");
                    }
                }
                "administrator" => assert_eq!(admin.delete(&format!("/tenants/{slug}/sessions/{}", sid(&tokens))).await.status, 204),
                "all" => assert_eq!(admin.delete(&format!("/tenants/{slug}/sessions?user={user}")).await.status, 204),
                "reset" => {
                    let made = admin.act(&format!("/tenants/{slug}/users/{user}/reset-password")).await.expect_ok().json();
                    let mut stranger = scene.app.browser();
                    let page = stranger.open(made["url"].as_str().expect("a link")).await;
                    let fields = [("new_password", scene.user.password.as_str()), ("confirm_password", scene.user.password.as_str())];
                    stranger.submit(&page, &fields).await.answer.expect_ok();
                }
                "disabled" => {
                    assert!(admin.act(&format!("/tenants/{slug}/users/{user}/disable")).await.status < 300);
                    assert!(admin.act(&format!("/tenants/{slug}/users/{user}/enable")).await.status < 300);
                }
                _ => assert_eq!(admin.delete(&format!("/tenants/{slug}/users/{user}")).await.status, 204),
            }
            here.deliver().await;
            expected.push(sid(&tokens));
            expected.sort();
            assert_eq!(told(&here.receiver), expected, "{way}");
            let sub = json!(user.to_string());
            assert!(here.receiver.tokens().iter().all(|token| claims(token)["sub"] == sub), "{way}");
        }
    }

    async fn whose_consent_is_withdrawn_is_told_and_nobody_else(app: TestApp) {
        let here = Told::new(app).await;
        let (scene, other) = (&here.scene, Receiver::start());
        let asking = listening(&scene.app, &scene.tenant, &other.url("/"), json!({ "skip_consent": false })).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        for by_admin in [false, true] {
            let (mut browser, _) = here.signed_in().await;
            let tokens = asking.sign_in(&mut browser, &scene.user).await;
            let client = asking.client.client_id();
            if by_admin {
                // Its tokens were revoked; the client's own session may go on.
                let user = scene.user.id;
                assert!(scene.write(move |repo| repo.revoke_grants_of_user(user, None)).await > 0);
            }
            if by_admin {
                let path = format!("/tenants/{}/consents/{}/{client}", scene.tenant.slug, scene.user.id);
                assert_eq!(admin.delete(&path).await.status, 204);
            } else {
                let page = browser.open(&scene.tenant.url("/account/applications")).await;
                browser.submit(&page, &[("withdraw", &client)]).await.answer.expect_ok();
            }
            here.deliver().await;
            assert!(told(&other).contains(&sid(&tokens)));
        }
        // Of the first session twice, as it goes on.
        let mut sids = told(&other);
        sids.dedup();
        assert_eq!((sids.len(), here.receiver.received().len()), (2, 0));
        // Who is never asked has no consent, and hears of it all the same, once.
        let (_browser, tokens) = here.signed_in().await;
        let path = format!("/tenants/{}/consents/{}/{}", scene.tenant.slug, scene.user.id, here.rp.client.client_id());
        let mut heard = 0;
        for status in [204, 404] {
            assert_eq!(admin.delete(&path).await.status, status);
            here.deliver().await;
            assert!(told(&here.receiver).contains(&sid(&tokens)));
            assert!(heard == 0 || heard == here.receiver.received().len());
            heard = here.receiver.received().len();
        }
    }

    async fn who_signs_in_anew_has_signed_out_of_nothing(app: TestApp) {
        let here = Told::new(app).await;
        let (scene, other) = (&here.scene, Receiver::start());
        let board = listening(&scene.app, &scene.tenant, &other.url("/"), json!({})).await;
        let mut browser = scene.app.browser();
        let first = board.sign_in(&mut browser, &scene.user).await;
        // Twice: the session at the end carries on the one before it, and that the first.
        let mut last = first.clone();
        for _ in 0..2 {
            let page = here.rp.authorize(&mut browser, &scene.user, &[("prompt", "login")]).await;
            let code = page.answer.location_param("code").expect("a code");
            let body = here.rp.redeem(&code).await.expect_ok().json();
            last.id_token = body["id_token"].as_str().map(ToOwned::to_owned);
        }
        here.deliver().await;
        assert!(here.deliveries(None).await.is_empty());
        assert_ne!(sid(&first), sid(&last));
        here.sign_out(&mut browser, &last).await;
        here.deliver().await;
        assert_eq!(told(&other), [sid(&first)]);
        assert_eq!((here.receiver.received().len(), told(&here.receiver).contains(&sid(&last))), (2, true));
    }

    /// A session that nobody used for a while opens nothing; its clients still have theirs, and its grants live.
    async fn who_was_away_for_too_long_signs_out_all_the_same(app: TestApp) {
        let here = Told::new(app).await;
        let scene = &here.scene;
        scene.app.change_settings(&scene.tenant, |settings| settings.session_idle_lifetime = 3600).await;
        let mut expected = Vec::new();
        for way in ["hint", "page", "anew"] {
            let (mut browser, tokens) = here.signed_in().await;
            here.advance(3 * 3600);
            expected.push(sid(&tokens));
            match way {
                "hint" => here.sign_out(&mut browser, &tokens).await,
                "page" => {
                    let page = browser.open(&scene.tenant.url("/logout")).await;
                    browser.submit(&page, &[("logout", "1")]).await.answer.expect_ok();
                }
                _ => {
                    let anew = here.rp.sign_in(&mut browser, &scene.user).await;
                    here.deliver().await;
                    assert_eq!(here.receiver.received().len(), 2, "carried on");
                    expected.push(sid(&anew));
                    here.sign_out(&mut browser, &anew).await;
                }
            }
            here.deliver().await;
            expected.sort();
            assert_eq!(told(&here.receiver), expected, "{way}");
            let live = scene.app.database.raw().texts("SELECT client_id AS value FROM grants WHERE revoked_at IS NULL");
            assert!(live.is_empty(), "{way}: {live:?}");
            // By now there is nobody to ask.
            let page = browser.open(&scene.tenant.url("/logout")).await;
            assert!(!page.answer.body.contains("id=\"logout\""), "{way}");
        }
    }

    /// Whoever signs in a thousand times can be shut out all the same, in few statements, and each client hears of each session.
    async fn a_thousand_sessions_end_together(app: TestApp) {
        let here = Told::new(app).await;
        let scene = &here.scene;
        here.rp.sign_in(&mut scene.app.browser(), &scene.user).await;
        let user = scene.user.id;
        let page = scene.write(move |repo| repo.list_sessions(user, PageRequest::first(1))).await;
        let first = page.items[0].clone();
        let client = here.rp.client.id;
        let issuer = scene.tenant.issuer.clone();
        let clock = scene.app.provider.clock.clone();
        let many = 1_000;
        scene.write(move |repo| {
            for number in 1..many {
                let mut session = first.clone();
                session.id = clock.uuid_v7().into();
                session.lineage = session.id;
                repo.insert_session(&session)?;
                // Every other one was used with the client.
                if number % 2 == 0 {
                    let (grant, code) = seed::grant(&clock, &session, client, &issuer);
                    repo.insert_grant(&grant, &code)?;
                }
            }
            Ok(())
        }).await;
        let ended = tessera::storage::SessionGrants::All;
        let statements = || scene.app.provider.db.gauges().statements;
        let before = statements();
        assert_eq!(scene.write(move |repo| repo.end_sessions(user, None, ended)).await, many);
        let spent = statements() - before;
        assert!(spent < 60, "{spent}");
        assert_eq!(scene.app.database.raw().count("logout_deliveries"), 500);
        assert_eq!(scene.write(move |repo| repo.revoke_grants_of_user(user, None)).await, 0, "they ended with their sessions");
    }

    /// An ID token that came beside a code is enough for a client to make a session of, whether or not it redeems the code.
    async fn a_code_that_nobody_redeemed_is_told_of(app: TestApp) {
        let here = Told::new(app).await;
        let scene = &here.scene;
        scene.app.change_settings(&scene.tenant, |settings| settings.session_idle_lifetime = 604_800).await;
        let rp = front_channel::client(scene, json!({ "backchannel_logout_uri": here.receiver.url("/out") })).await;
        let mut browser = front_channel::signed_in(scene).await;
        let answer = front_channel::ask(&rp, &mut browser, "code id_token", &[("nonce", "n")]).await;
        let id_token = answer.get("id_token").to_owned();
        let sweep = async || scene.app.provider.db.write_installation(|all| all.delete_expired(100)).await.expect("runs").grants;
        here.advance(2 * 86_400);
        assert_eq!(sweep().await, 1, "what was never redeemed by a client that asks for no notice");
        let hint = format!("{}?id_token_hint={id_token}", scene.tenant.url("/logout"));
        browser.open(&hint).await.answer.expect_ok();
        here.deliver().await;
        assert_eq!(told(&here.receiver), [claims(&id_token)["sid"].as_str().expect("a sid")]);
        assert_eq!(sweep().await, 1, "no longer than the session");
    }

    /// A delivery whose tenant is gone, or has another's name by now, isn't claimed for ever.
    async fn what_has_no_tenant_is_given_up(app: TestApp) {
        let here = Told::new(app).await;
        let provider = &here.scene.app.provider;
        let other = here.scene.app.tenant("globex").await;
        here.come_and_go().await;
        let mut claimed = provider.claim_logout_deliveries(10, 2, HashMap::new()).await.expect("storage works").remove(0);
        claimed.slug = other.slug.clone();
        provider.attempt_logout_delivery(claimed).await.expect("storage works");
        let one = here.deliveries(None).await.remove(0);
        assert_eq!((one.state, one.due_at, one.last_error.as_deref()), (DeliveryState::Failed, None, Some("the tenant can't be loaded")));
        assert!(here.receiver.received().is_empty());
    }

    async fn who_does_not_answer_is_tried_again_and_given_up_after_a_day(app: TestApp) {
        let here = Told::new(app).await;
        let scene = &here.scene;
        here.receiver.answer(Answering::Status(500));
        here.come_and_go().await;
        here.deliver().await;
        let one = here.deliveries(Some(DeliveryState::Pending)).await.remove(0);
        assert_eq!((one.attempts, one.last_error.as_deref()), (1, Some("the host answered with status 500")));
        let pause = one.due_at.expect("a next attempt") - scene.app.provider.now();
        assert!((9..=13).contains(&pause.num_seconds()), "{pause}");
        here.deliver().await;
        assert_eq!(here.receiver.received().len(), 1, "not before its time");
        here.advance(13);
        here.deliver().await;
        assert_eq!(here.deliveries(None).await[0].attempts, 2);
        // Each attempt has a token of its own.
        let jtis: Vec<_> = here.receiver.tokens().iter().map(|token| claims(token)["jti"].clone()).collect();
        assert_ne!(jtis[0], jtis[1]);

        let at = format!("/tenants/{}/logout-deliveries", scene.tenant.slug);
        for _ in 0..10 {
            here.advance(5 * 3600);
            here.deliver().await;
        }
        let failed = here.deliveries(Some(DeliveryState::Failed)).await;
        assert_eq!((failed.len(), failed[0].due_at, failed[0].ended_at.is_some()), (1, None, true));
        assert_eq!(scene.events("logout_delivery.failed"), 1);
        let tried = here.receiver.received().len();
        here.advance(3600);
        here.deliver().await;
        assert_eq!(here.receiver.received().len(), tried, "given up is given up");
        let admin = Admin::program(&scene.app, &scene.tenant).await;

        let listed = admin.get(&format!("{at}?state=failed")).await.expect_ok().json();
        let id = listed["items"][0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(listed["items"][0]["last_error"], "the host answered with status 500");
        assert_eq!(admin.get(&format!("{at}?state=delivered")).await.expect_ok().json()["items"], json!([]));
        assert_eq!(admin.get(&format!("{at}?state=lost")).await.status, 400);
        here.receiver.answer(Answering::Status(204));
        let again = admin.act(&format!("{at}/{id}/retry")).await.expect_ok().json();
        assert_eq!(again["state"], "pending");
        here.deliver().await;
        let shown = admin.get(&format!("{at}/{id}")).await.expect_ok().json();
        assert_eq!((shown["state"].as_str(), shown.get("last_error")), (Some("delivered"), None));
        assert_eq!(admin.act(&format!("{at}/{id}/retry")).await.status, 409);
        assert_eq!(scene.events("logout_delivery.retried"), 1);
    }

    async fn what_counts_as_an_answer(app: TestApp) {
        let here = Told::new(app).await;
        for (answering, state) in [
            (Answering::Status(200), DeliveryState::Delivered),
            (Answering::Status(204), DeliveryState::Delivered),
            (Answering::AtLength(100_000), DeliveryState::Delivered),
            (Answering::Status(202), DeliveryState::Pending),
            (Answering::Status(400), DeliveryState::Pending),
            (Answering::Status(503), DeliveryState::Pending),
            (Answering::Redirect(here.receiver.url("/elsewhere")), DeliveryState::Pending),
        ] {
            here.receiver.answer(answering.clone());
            here.come_and_go().await;
            here.deliver().await;
            assert_eq!(here.deliveries(None).await[0].state, state, "{answering:?}");
        }
        assert!(here.receiver.received().iter().all(|one| one.line.starts_with("POST /out ")), "no redirect is followed");
    }

    async fn a_client_that_no_longer_asks_is_not_told(app: TestApp) {
        let here = Told::new(app).await;
        here.come_and_go().await;
        let id = here.rp.client.id;
        let loaded = here.scene.loaded().await;
        let changed = here.scene.app.provider.db.write(&*loaded, move |repo| {
            let mut client = repo.find_client(id)?.expect("there");
            client.metadata.backchannel_logout_uri = None;
            repo.update_client(&client)
        });
        assert!(changed.await.expect("storage works"));
        here.deliver().await;
        let one = here.deliveries(None).await.remove(0);
        assert_eq!((one.state, here.receiver.received().len()), (DeliveryState::Failed, 0));
        // From now on nothing is written for it at all.
        here.come_and_go().await;
        assert_eq!(here.deliveries(None).await.len(), 1);
    }

    async fn another_tenants_deliveries_are_nobodys(app: TestApp) {
        let here = Told::new(app).await;
        let (app, other) = (&here.scene.app, Receiver::start());
        let globex = app.tenant("globex").await;
        let bob = app.user(&globex, "bob@globex.example", "a long enough password").await;
        let theirs = listening(app, &globex, &other.url("/"), json!({})).await;
        theirs.sign_in(&mut app.browser(), &bob).await;
        here.receiver.answer(Answering::Status(500));
        here.come_and_go().await;
        here.deliver().await;
        assert_eq!((here.receiver.received().len(), other.received().len()), (1, 0));
        let id = here.deliveries(None).await[0].id;
        let admin = Admin::program(app, &globex).await;
        for path in [format!("/tenants/globex/logout-deliveries/{id}"), format!("/tenants/acme/logout-deliveries/{id}")] {
            assert_eq!(admin.get(&path).await.status, 404);
            assert_eq!(admin.act(&format!("{path}/retry")).await.status, 404);
        }
        assert_eq!(admin.get("/tenants/globex/logout-deliveries").await.expect_ok().json()["items"], json!([]));
        assert_eq!(here.deliveries(None).await[0].attempts, 1);
    }

    async fn what_a_killed_node_had_taken_is_taken_up_again(app: TestApp) {
        let here = Told::new(app).await;
        let provider = &here.scene.app.provider;
        here.come_and_go().await;
        let claimed = provider.claim_logout_deliveries(10, 2, HashMap::new()).await.expect("storage works");
        assert_eq!(claimed.len(), 1);
        // It is somebody's: not sent, not claimed, not retried by hand.
        here.deliver().await;
        assert!(here.receiver.received().is_empty());
        assert!(provider.claim_logout_deliveries(10, 2, HashMap::new()).await.expect("storage works").is_empty());
        here.advance(34);
        here.deliver().await;
        assert!(here.receiver.received().is_empty());
        here.advance(2);
        here.receiver.answer(Answering::Status(500));
        here.deliver().await;
        assert_eq!((here.receiver.received().len(), here.deliveries(None).await[0].attempts), (1, 2));
        // The first wakes up after all: what it found out doesn't count any more.
        here.receiver.answer(Answering::Status(200));
        provider.attempt_logout_delivery(claimed[0].clone()).await.expect("storage works");
        let one = here.deliveries(None).await.remove(0);
        assert_eq!((one.state, one.attempts), (DeliveryState::Pending, 2));
    }

    async fn what_a_node_is_at_is_not_retried_by_hand(app: TestApp) {
        let here = Told::new(app).await;
        here.come_and_go().await;
        let claimed = here.scene.app.provider.claim_logout_deliveries(10, 2, HashMap::new()).await.expect("storage works");
        let admin = Admin::program(&here.scene.app, &here.scene.tenant).await;
        let path = format!("/tenants/{}/logout-deliveries/{}", here.scene.tenant.slug, claimed[0].delivery.id);
        assert_eq!(admin.act(&format!("{path}/retry")).await.status, 409);
        assert_eq!(admin.get(&path).await.expect_ok().json().get("next_attempt_at"), None);
        here.scene.app.provider.attempt_logout_delivery(claimed[0].clone()).await.expect("storage works");
        assert_eq!(here.deliveries(None).await[0].state, DeliveryState::Delivered);
    }

    async fn two_nodes_deliver_nothing_twice(app: TestApp) {
        let here = Told::new(app).await;
        let other = here.scene.second_node().await;
        for _ in 0..12 {
            here.come_and_go().await;
        }
        let (one, two) = futures_util::future::join(
            jobs::logout::deliver_due(&here.scene.app.provider),
            jobs::logout::deliver_due(&other.provider),
        ).await;
        one.and(two).expect("storage works");
        here.deliver().await;
        assert_eq!(here.receiver.received().len(), 12);
        assert!(here.deliveries(None).await.iter().all(|one| one.state == DeliveryState::Delivered && one.attempts == 1));
    }

    async fn of_many_that_look_at_once_one_gets_each(app: TestApp) {
        let here = Told::new(app).await;
        let other = here.scene.second_node().await;
        for _ in 0..8 {
            here.come_and_go().await;
            here.come_and_go().await;
            let looks = (0..8).map(|number| {
                let provider = if number % 2 == 0 { &here.scene.app.provider } else { &other.provider };
                provider.claim_logout_deliveries(16, 16, HashMap::new())
            });
            let claimed = futures_util::future::join_all(looks).await;
            let claimed: usize = claimed.into_iter().map(|claimed| claimed.expect("storage works").len()).sum();
            assert_eq!(claimed, 2);
        }
    }

    async fn a_notice_goes_out_at_once(app: TestApp) {
        let here = Told::new(app).await;
        let (mut browser, tokens) = here.signed_in().await;
        let job = actix_web::rt::spawn(jobs::logout::run(here.scene.app.provider.clone()));
        tokio::time::sleep(Duration::from_millis(300)).await;
        here.sign_out(&mut browser, &tokens).await;
        let begun = Instant::now();
        here.receiver.wait_for(1).await;
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        until_delivered(&here.scene.app).await;
        job.abort();
        assert_eq!(here.deliveries(None).await[0].state, DeliveryState::Delivered);
    }

    async fn what_was_delivered_goes_after_a_day_and_what_failed_after_a_month(app: TestApp) {
        let here = Told::new(app).await;
        let db = &here.scene.app.provider.db;
        let sweep = async || db.write_installation(|all| all.delete_expired(100)).await.expect("storage works").logout_deliveries;
        here.come_and_go().await;
        here.deliver().await;
        here.receiver.answer(Answering::Status(500));
        here.come_and_go().await;
        here.advance(23 * 3600);
        here.deliver().await;
        assert_eq!(sweep().await, 0);
        here.advance(2 * 3600);
        here.deliver().await;
        assert_eq!((sweep().await, here.deliveries(Some(DeliveryState::Failed)).await.len()), (1, 1));
        here.advance(29 * 86_400);
        assert_eq!(sweep().await, 0);
        here.advance(2 * 86_400);
        assert_eq!((sweep().await, here.deliveries(None).await.len()), (1, 0));
    }

    async fn clients_register_where_they_listen(app: TestApp) {
        let tenant = registration::open(&app, "acme").await;
        let base = json!({ "redirect_uris": ["https://relying.example/callback"] });
        let with = |name: &str, value: Value| { let mut all = base.clone(); all[name] = value; all };
        let made = registration::registered(&app, &tenant, {
            let mut all = with("backchannel_logout_uri", json!("https://relying.example/out?x=1"));
            all["backchannel_logout_session_required"] = json!(true);
            all
        }).await;
        assert_eq!((&made["backchannel_logout_uri"], &made["backchannel_logout_session_required"]), (&json!("https://relying.example/out?x=1"), &json!(true)));
        for (member, value) in [
            ("backchannel_logout_uri", json!("http://relying.example/out")),
            ("backchannel_logout_uri", json!("https://relying.example/out#fragment")),
            ("backchannel_logout_uri", json!("https://user@relying.example/out")),
            ("backchannel_logout_uri", json!("javascript:alert(1)")),
            ("backchannel_logout_uri", json!("https://relying.example/\r\nx: y")),
            ("backchannel_logout_uri", json!("com.example.app:/out")),
            ("backchannel_logout_uri", json!(["https://relying.example/out"])),
            ("backchannel_logout_session_required", json!(true)),
            ("backchannel_logout_session_required", json!("true")),
        ] {
            let answer = registration::register(&app, &tenant, &with(member, value.clone())).await;
            answer.expect_error(400, "invalid_client_metadata");
            assert!(answer.json()["error_description"].to_string().contains(member), "{value}");
        }
        let url = tenant.url("/.well-known/openid-configuration");
        let metadata = app.get(&url).send().await.expect_ok().json();
        for member in ["backchannel_logout_supported", "backchannel_logout_session_supported", "frontchannel_logout_supported", "frontchannel_logout_session_supported"] {
            assert_eq!(metadata[member], json!(true), "{member}");
        }
    }

    /// What the documentation shows is registered, and what it says comes of a sign-out does.
    async fn the_documentation_is_true(app: TestApp) {
        let page = include_str!("../../../docs/src/signing-out.md");
        let block = |heading: &str| -> Value {
            let (_, rest) = page.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
            let (_, rest) = rest.split_once("```json\n").expect("a document");
            serde_json::from_str(rest.split_once("```").expect("an end").0).expect("JSON")
        };
        let scene = Scene::new(app).await;
        let receiver = Receiver::start();
        let mut document = block("## What an application registers");
        document["backchannel_logout_uri"] = receiver.url("/backchannel-logout").into();
        document["skip_consent"] = json!(true);
        let client = scene.app.client(&scene.tenant, document).await;
        let rp = RelyingParty::new(&scene.app, &scene.tenant, &client);
        let mut browser = scene.app.browser();
        let tokens = rp.sign_in(&mut browser, &scene.user).await;
        let hint = tokens.id_token.as_deref().expect("an ID token");
        browser.open(&format!("{}?id_token_hint={hint}", scene.tenant.url("/logout"))).await.answer.expect_ok();
        jobs::logout::deliver_due(&scene.app.provider).await.expect("storage works");
        let token = receiver.tokens().remove(0);
        let (shown, sent) = (block("## The logout token"), claims(&token));
        let names = |value: &Value| { let mut names: Vec<_> = value.as_object().expect("claims").keys().cloned().collect(); names.sort(); names };
        assert_eq!(names(&shown), names(&sent));
        assert_eq!(shown["events"], sent["events"]);
        assert_eq!(shown["exp"].as_i64().unwrap() - shown["iat"].as_i64().unwrap(), sent["exp"].as_i64().unwrap() - sent["iat"].as_i64().unwrap());
        assert!(page.contains("\"typ\": \"logout+jwt\"") && header(&token)["typ"] == "logout+jwt");
    }
}

/// The guard of all outward requests holds for this one: without `egress_allow`, a loopback address is refused however it is written.
#[test]
fn private_addresses_are_not_knocked_at() {
    on_both("", |app| async move {
        let scene = Scene::new(app).await;
        let receiver = Receiver::start();
        let port = receiver
            .url("")
            .rsplit(':')
            .next()
            .expect("a port")
            .to_owned();
        for uri in [
            format!("http://[::1]:{port}/out"),
            format!("https://[::1]:{port}/out"),
            "https://10.0.0.1/out".to_owned(),
            "https://169.254.169.254/latest".to_owned(),
        ] {
            let rp = listening(&scene.app, &scene.tenant, &uri, json!({})).await;
            let mut browser = scene.app.browser();
            let tokens = rp.sign_in(&mut browser, &scene.user).await;
            let hint = tokens.id_token.as_deref().expect("an ID token");
            browser
                .open(&format!(
                    "{}?id_token_hint={hint}",
                    scene.tenant.url("/logout")
                ))
                .await
                .answer
                .expect_ok();
            jobs::logout::deliver_due(&scene.app.provider)
                .await
                .expect("storage works");
            let one = deliveries(&scene.app, &scene.tenant, None).await.remove(0);
            let error = one.last_error.expect("an error");
            assert!(
                error == "the host has no public address"
                    || error == "the URL must begin with https://",
                "{uri}: {error}"
            );
        }
        assert!(receiver.received().is_empty());
    });
}

/// A redirect doesn't lead there either.
#[test]
fn a_redirect_to_a_private_address_is_not_followed() {
    on_both("", |app| async move {
        let scene = Scene::new(app).await;
        let (receiver, inner) = (Receiver::start(), Receiver::start());
        receiver.answer(Answering::Redirect(inner.url("/secret")));
        let rp = listening(&scene.app, &scene.tenant, &receiver.url("/"), json!({})).await;
        let user: &TestUser = &scene.user;
        let mut browser = scene.app.browser();
        let tokens = rp.sign_in(&mut browser, user).await;
        let hint = tokens.id_token.as_deref().expect("an ID token");
        browser
            .open(&format!(
                "{}?id_token_hint={hint}",
                scene.tenant.url("/logout")
            ))
            .await
            .answer
            .expect_ok();
        jobs::logout::deliver_due(&scene.app.provider)
            .await
            .expect("storage works");
        assert_eq!((receiver.received().len(), inner.received().len()), (1, 0));
    });
}

/// One tenant's dead endpoint delays neither its own sign-outs nor another tenant's notices.
#[test]
fn a_dead_endpoint_holds_nobody_up() {
    on_both("egress_timeout = '30s'\n", |app| async move {
        let here = Told::new(app).await;
        let (app, other) = (&here.scene.app, Receiver::start());
        here.receiver.answer(Answering::Never);
        for _ in 0..6 {
            here.come_and_go().await;
        }
        let globex = app.tenant("globex").await;
        let bob = app
            .user(&globex, "bob@globex.example", "a long enough password")
            .await;
        let theirs = listening(app, &globex, &other.url("/"), json!({})).await;
        let job = actix_web::rt::spawn(jobs::logout::run(app.provider.clone()));
        here.receiver.wait_for(2).await;
        // While acme's wait for their answers: a sign-out at globex is answered and told of at once.
        let begun = Instant::now();
        let mut browser = app.browser();
        let tokens = theirs.sign_in(&mut browser, &bob).await;
        let hint = tokens.id_token.as_deref().expect("an ID token");
        browser
            .open(&format!("{}?id_token_hint={hint}", globex.url("/logout")))
            .await
            .answer
            .expect_ok();
        other.wait_for(1).await;
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(
            here.receiver.received().len(),
            2,
            "no more at once of one tenant"
        );
        until_delivered(app).await;
        job.abort();
        // Acme's share of a claim is bounded, however old its deliveries are.
        here.scene.app.time.advance(Duration::from_secs(70));
        for _ in 0..3 {
            let mut browser = app.browser();
            let tokens = theirs.sign_in(&mut browser, &bob).await;
            let hint = tokens.id_token.as_deref().expect("an ID token");
            browser
                .open(&format!("{}?id_token_hint={hint}", globex.url("/logout")))
                .await
                .answer
                .expect_ok();
        }
        let claimed = app
            .provider
            .claim_logout_deliveries(5, 2, HashMap::new())
            .await
            .expect("storage works");
        let acmes = app.load(&here.scene.tenant).await.id();
        let of_acme = claimed
            .iter()
            .filter(|one| one.tenant.id() == acmes)
            .count();
        assert_eq!((claimed.len(), of_acme), (4, 2));
        let full = HashMap::from([(acmes, 0)]);
        let rest = app
            .provider
            .claim_logout_deliveries(5, 2, full)
            .await
            .expect("storage works");
        assert!(rest.len() == 1 && rest[0].tenant.id() != acmes);
    });
}
