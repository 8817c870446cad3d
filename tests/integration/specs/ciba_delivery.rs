//! OpenID Connect CIBA §10.2, §10.3, §12: what clients are told, what tells a person, and what becomes of it where nobody listens.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use tessera::domain::logout_delivery::{DeliveryKind, DeliveryState, LogoutDelivery};
use tessera::jobs;
use tessera::jose::half_hash::half_hash;
use tessera::jose::jws::Type;
use tessera::jose::keys::Expect;
use tessera::protocol::SigningAlgorithm;
use tessera::storage::PageRequest;

use super::api::operator;
use super::ciba::{SCOPE, ask, begin, caller, decide, poll, question, scene};
use super::ciba_hints::{BANK, bank};
use super::seed::{Scene, text};
use crate::support::admin::Admin;
use crate::support::app::{TestApp, app_test};
use crate::support::race::overtaken;
use crate::support::receiver::{Answering, Receiver};
use crate::support::relying_party::{RelyingParty, claims, header};

/// What the client is told with.
const TOKEN: &str = "8d67dc78-7faa-4d41-aabd-67707b374255";

/// A tenant with a person, and a client that is told there.
struct Told {
    scene: Scene,
    receiver: Receiver,
    rp: RelyingParty,
}

impl Told {
    async fn new(app: TestApp, mode: &str) -> Self {
        let scene = scene(app).await;
        let receiver = Receiver::start();
        let rp = Self::client(&scene, &receiver, mode).await;
        Self {
            scene,
            receiver,
            rp,
        }
    }

    async fn client(scene: &Scene, receiver: &Receiver, mode: &str) -> RelyingParty {
        let client = caller(&scene.app, &scene.tenant, Self::how(receiver, mode)).await;
        scene.with(&client).with_scope(SCOPE)
    }

    fn how(receiver: &Receiver, mode: &str) -> Value {
        json!({ "backchannel_token_delivery_mode": mode, "backchannel_client_notification_endpoint": receiver.url("/told?by=op") })
    }

    async fn begin(&self) -> String {
        let hint = ("login_hint", self.scene.user.email.as_str());
        let asked = ask(&self.rp, &[hint, ("client_notification_token", TOKEN)]).await;
        text(&asked.expect_ok().json(), "auth_req_id").to_owned()
    }

    async fn deliver(&self) {
        jobs::logout::deliver_due(&self.scene.app.provider)
            .await
            .expect("storage works");
    }

    async fn deliveries(&self) -> Vec<LogoutDelivery> {
        let tenant = self.scene.loaded().await;
        let page = PageRequest::first(200);
        let provider = &self.scene.app.provider;
        let listed = provider.list_logout_deliveries(&tenant, None, page).await;
        listed.expect("storage works").items
    }

    fn advance(&self, time: Duration) {
        self.scene.app.time.advance(time);
    }

    /// The last body that came.
    fn told(&self) -> Value {
        let received = self.receiver.received().pop().expect("something came");
        assert_eq!(received.line, "POST /told?by=op HTTP/1.1");
        assert!(
            received
                .header
                .contains(&format!("authorization: bearer {TOKEN}\r\n")),
            "{}",
            received.header
        );
        assert!(
            received
                .header
                .contains("content-type: application/json\r\n"),
            "{}",
            received.header
        );
        serde_json::from_str(&received.body).expect("JSON")
    }
}

app_test! {
    /// §10.2: told, and then as with polling.
    async fn a_client_is_pinged(app: TestApp) {
        let here = Told::new(app, "ping").await;
        for missing in [vec![], vec![("client_notification_token", "short")], vec![("client_notification_token", "with a space in the middle of it")]] {
            let mut form = vec![("login_hint", here.scene.user.email.as_str())];
            form.extend(missing);
            ask(&here.rp, &form).await.expect_error(400, "invalid_request");
        }
        let name = here.begin().await;
        here.deliver().await;
        assert!(here.receiver.received().is_empty(), "there is nothing to be had yet");
        poll(&here.rp, &name).await.expect_error(400, "authorization_pending");
        // What it is told with waits sealed.
        let raw = |sql: &str| here.scene.app.database.raw().texts(sql).concat();
        let kept = raw("SELECT binding_message || issuer AS value FROM backchannel_requests");
        assert!(!kept.contains(TOKEN));
        let user = here.scene.user.id;
        let waiting = here.scene.write(move |repo| repo.list_waiting_backchannel_requests(user)).await;
        let sealed = waiting[0].sealed_notice.clone().expect("sealed");
        let clear = String::from_utf8_lossy(&sealed).into_owned();
        assert!(!clear.contains(TOKEN) && !clear.contains(&name) && !clear.contains("tsb_"));
        decide(&here.scene, "allow").await;
        here.receiver.answer(Answering::Status(204));
        here.deliver().await;
        assert_eq!(here.told(), json!({ "auth_req_id": name }));
        let tokens = poll(&here.rp, &name).await.expect_ok().json();
        assert!(here.scene.is_active(text(&tokens, "access_token")).await);
        assert!(claims(text(&tokens, "id_token"))["urn:openid:params:jwt:claim:auth_req_id"].is_null());
        // Of a refusal it is told as well, once.
        let name = here.begin().await;
        decide(&here.scene, "deny").await;
        for _ in 0..2 {
            here.deliver().await;
        }
        assert_eq!((here.told(), here.receiver.received().len()), (json!({ "auth_req_id": name }), 2));
        poll(&here.rp, &name).await.expect_error(400, "access_denied");
        // Who polls is told nothing.
        begin(&here.scene, &here.scene.rp).await;
        decide(&here.scene, "allow").await;
        here.deliver().await;
        assert_eq!(here.deliveries().await.len(), 2);
        let events = raw("SELECT detail AS value FROM audit_events");
        assert!(!events.contains(TOKEN) && !events.contains("tsb_"), "{events}");
    }

    /// No redirect is followed, and what fails is tried again for as long as it makes sense, where administrators see it.
    async fn what_nobody_takes_is_tried_again(app: TestApp) {
        let here = Told::new(app, "ping").await;
        let elsewhere = Receiver::start();
        let name = here.begin().await;
        decide(&here.scene, "allow").await;
        here.receiver.answer(Answering::Redirect(elsewhere.url("/told?by=op")));
        here.deliver().await;
        assert_eq!((here.receiver.received().len(), elsewhere.received().len()), (1, 0));
        here.receiver.answer(Answering::Status(500));
        here.deliver().await;
        assert_eq!(here.receiver.received().len(), 1, "not before its time");
        here.advance(Duration::from_secs(15));
        here.deliver().await;
        let admin = Admin::program(&here.scene.app, &here.scene.tenant).await;
        let listed = admin.get("/tenants/acme/logout-deliveries").await.expect_ok().json();
        let one = &listed["items"][0];
        assert_eq!((one["kind"].as_str(), one["state"].as_str(), one["attempts"].as_u64()), (Some("backchannel_ping"), Some("pending"), Some(2)), "{listed}");
        assert!(one["request_id"].is_string() && one.get("session_id").is_none() && one["last_error"].as_str().is_some_and(|error| error.contains("500")), "{listed}");
        assert!(!listed.to_string().contains(TOKEN) && !listed.to_string().contains("tsb_"));
        here.receiver.answer(Answering::AtLength(100_000));
        let path = format!("/tenants/acme/logout-deliveries/{}/retry", one["id"].as_str().expect("an id"));
        admin.act(&path).await.expect_ok();
        here.deliver().await;
        assert_eq!(here.deliveries().await[0].state, DeliveryState::Delivered);
        poll(&here.rp, &name).await.expect_ok();
        // A ping that comes when all is over says nothing.
        here.begin().await;
        decide(&here.scene, "allow").await;
        here.receiver.answer(Answering::Status(500));
        here.deliver().await;
        here.advance(Duration::from_mins(5));
        here.deliver().await;
        let last = here.deliveries().await.remove(0);
        assert_eq!((last.kind, last.state, last.attempts), (DeliveryKind::BackchannelPing, DeliveryState::Failed, 2));
        assert!(last.last_error.is_some_and(|error| error.contains("over")));
        assert_eq!(here.scene.events("backchannel_request.delivery_failed"), 1);
        // No sign-out has failed to be told, nor was any told.
        let counted = &here.scene.app.provider.deliveries;
        assert_eq!([counted.logout.delivered(), counted.logout.retried(), counted.logout.failed()], [0; 3]);
        assert!(counted.backchannel.delivered() >= 1 && counted.backchannel.retried() >= 1, "{} {}", counted.backchannel.delivered(), counted.backchannel.retried());
        assert_eq!(counted.backchannel.failed(), 1);
        // A tenant that wants none of it any more tells nobody.
        here.begin().await;
        decide(&here.scene, "allow").await;
        here.scene.app.change_settings(&here.scene.tenant, |settings| settings.backchannel_authentication = false).await;
        let before = here.receiver.received().len();
        here.deliver().await;
        assert_eq!((here.deliveries().await[0].state, here.receiver.received().len()), (DeliveryState::Failed, before));
    }

    /// §10.3: tokens come to the client, bound to the request, and nowhere else.
    async fn tokens_are_pushed(app: TestApp) {
        let here = Told::new(app, "push").await;
        let asked = ask(&here.rp, &[("login_hint", &here.scene.user.email), ("client_notification_token", TOKEN)]).await.expect_ok().json();
        assert!(asked.get("interval").is_none() && asked["expires_in"] == 300, "{asked}");
        let name = text(&asked, "auth_req_id").to_owned();
        poll(&here.rp, &name).await.expect_error(400, "unauthorized_client");
        decide(&here.scene, "allow").await;
        poll(&here.rp, &name).await.expect_error(400, "unauthorized_client");
        // The first attempt fails after it was taken: the next brings the same refresh token.
        here.receiver.answer(Answering::Status(503));
        here.deliver().await;
        let first = here.told();
        here.advance(Duration::from_secs(15));
        here.receiver.answer(Answering::Status(204));
        here.deliver().await;
        let told = here.told();
        assert_eq!(told["auth_req_id"], name);
        assert_eq!((&told["token_type"], &told["scope"], told["expires_in"].is_number()), (&json!("Bearer"), &json!(SCOPE), true));
        let (access, refresh, id_token) = (text(&told, "access_token"), text(&told, "refresh_token"), text(&told, "id_token"));
        assert_eq!((text(&first, "refresh_token"), text(&first, "access_token") == access), (refresh, false));
        let id = claims(id_token);
        assert_eq!(header(id_token)["alg"], "ES256");
        let hashed = |text: &str| json!(half_hash(SigningAlgorithm::Es256, text));
        assert_eq!(id["urn:openid:params:jwt:claim:auth_req_id"], name);
        assert_eq!((&id["at_hash"], &id["urn:openid:params:jwt:claim:rt_hash"]), (&hashed(access), &hashed(refresh)));
        assert_eq!((&id["sub"], &id["iss"], &id["aud"]), (&json!(here.scene.user.id.to_string()), &json!(here.scene.tenant.issuer), &json!(here.rp.client.client_id())));
        assert!(here.scene.is_active(access).await);
        let refreshed = here.rp.refreshed(refresh).await;
        assert_eq!(here.rp.userinfo(&refreshed.access_token).await.expect_ok().json()["name"], "Ana Example");
        // Neither tokens nor what they come with wait anywhere.
        let raw = here.scene.app.database.raw().texts("SELECT issuer || COALESCE(last_error, '') || kind AS value FROM logout_deliveries").concat();
        assert!(!raw.contains("tsr_") && !raw.contains(TOKEN) && !raw.contains("tsb_"), "{raw}");
        here.deliver().await;
        assert_eq!(here.receiver.received().len(), 2);
        // What ends the grant ends them, by the person's own hand.
        let mut browser = here.scene.app.browser();
        let page = browser.open(&here.scene.tenant.url("/account/applications")).await;
        let page = browser.sign_in(&page, &here.scene.user).await;
        browser.submit(&page, &[("withdraw", &here.rp.client.client_id())]).await;
        here.rp.refresh(refresh).await.expect_error(400, "invalid_grant");
        assert!(!here.scene.is_active(access).await);
        // So it is where they are about to be sent.
        here.begin().await;
        decide(&here.scene, "allow").await;
        let page = browser.open(&here.scene.tenant.url("/account/applications")).await;
        let client = here.rp.client.client_id();
        let withdraw = [("withdraw", client.as_str())];
        let withdrawn = browser.submit(&page, &withdraw);
        let (withdrawn, ()) = overtaken(&here.scene.app.database, "audit_events", withdrawn, here.deliver()).await;
        withdrawn.answer.expect_ok();
        assert_eq!((&here.told()["error"], here.told().get("access_token")), (&json!("transaction_failed"), None));
    }

    /// RFC 9396: what is pushed is for what is left of what was allowed; and what tells the person says of which types it is, not more.
    async fn what_is_allowed_in_detail_is_pushed(app: TestApp) {
        let mut here = Told::new(app, "push").await;
        here.rp = bank(&here.scene, Told::how(&here.receiver, "push")).await;
        let webhook = Receiver::start();
        let uri = webhook.url("/notices");
        here.scene.app.change_settings(&here.scene.tenant, |settings| settings.backchannel_notice_uri.clone_from(&uri)).await;
        let kept = json!({ "type": "payment", "actions": ["status"], "amount": "2.00", "payee": "Merchant B" });
        let details = json!([{ "type": "payment", "actions": ["initiate"], "amount": "123.50", "payee": "Merchant A" }, kept]).to_string();
        let form = [("login_hint", here.scene.user.email.as_str()), ("client_notification_token", TOKEN), ("authorization_details", details.as_str())];
        ask(&here.rp, &form).await.expect_ok();
        here.deliver().await;
        let notice = claims(&webhook.received()[0].body);
        assert_eq!(notice["authorization_details_types"], json!(["payment"]));
        assert!(!notice.to_string().contains("Merchant") && notice.get("authorization_details").is_none(), "{notice}");
        decide(&here.scene, "allow").await;
        // The API has one of the two no more.
        let tenant = here.scene.loaded().await;
        let mut api = tenant.resources.iter().find(|own| own.identifier == BANK).expect("the API").clone();
        api.details_types[0].actions.retain(|action| action != "initiate");
        here.scene.write(move |repo| repo.update_resource(&api)).await;
        here.deliver().await;
        let told = here.told();
        let access = claims(text(&told, "access_token"));
        assert_eq!((&told["authorization_details"], &access["authorization_details"], &access["aud"]), (&json!([kept]), &json!([kept]), &json!(BANK)));
    }

    /// A tenant that is suspended gives none, whatever waits; nor does one that can't be loaded.
    async fn a_tenant_that_is_not_there_pushes_nothing(app: TestApp) {
        let here = Told::new(app, "push").await;
        let operator = operator(&here.scene.app).await;
        here.begin().await;
        decide(&here.scene, "allow").await;
        here.receiver.answer(Answering::Status(503));
        here.deliver().await;
        let access = text(&here.told(), "access_token").to_owned();
        operator.act("/tenants/acme/suspend").await.expect_ok();
        here.advance(Duration::from_secs(15));
        here.receiver.answer(Answering::Status(204));
        here.deliver().await;
        assert_eq!(here.receiver.received().len(), 1);
        // Nor is what may have come good for anything once it is back.
        operator.act("/tenants/acme/resume").await.expect_ok();
        assert!(!here.scene.is_active(&access).await);
        here.begin().await;
        decide(&here.scene, "allow").await;
        here.receiver.answer(Answering::Status(503));
        here.deliver().await;
        let access = text(&here.told(), "access_token").to_owned();
        assert!(here.scene.is_active(&access).await);
        here.advance(Duration::from_secs(15));
        let provider = &here.scene.app.provider;
        let mut claimed = provider.claim_logout_deliveries(10, 2, HashMap::new()).await.expect("storage works").remove(0);
        claimed.slug = here.scene.app.tenant("globex").await.slug;
        provider.attempt_logout_delivery(claimed).await.expect("storage works");
        assert!(!here.scene.is_active(&access).await);
        assert_eq!(here.scene.events("backchannel_request.delivery_failed"), 2);
    }

    /// §12: what becomes of a request that gets no tokens is pushed, too.
    async fn refusals_are_pushed(app: TestApp) {
        let here = Told::new(app, "push").await;
        let denied = here.begin().await;
        decide(&here.scene, "deny").await;
        here.deliver().await;
        let told = here.told();
        assert_eq!((&told["auth_req_id"], &told["error"]), (&json!(denied), &json!("access_denied")));
        let late = here.begin().await;
        let (mut browser, page) = question(&here.scene).await;
        here.advance(Duration::from_mins(5));
        assert_eq!(here.scene.app.provider.expire_backchannel_requests().await.expect("runs"), 1);
        here.deliver().await;
        let told = here.told();
        assert_eq!((&told["auth_req_id"], &told["error"], told["error_description"].is_string()), (&json!(late), &json!("expired_token"), true));
        assert_eq!(browser.submit(&page, &[("decision", "allow")]).await.answer.status, 404);
        // What was allowed may have ended before it was sent.
        let dead = here.begin().await;
        decide(&here.scene, "allow").await;
        here.scene.set_disabled(true).await;
        here.deliver().await;
        let told = here.told();
        assert_eq!((&told["auth_req_id"], &told["error"], told.get("access_token")), (&json!(dead), &json!("transaction_failed"), None));
        here.scene.set_disabled(false).await;
        // Tokens of which nobody says that they came are good for nothing in the end.
        here.begin().await;
        decide(&here.scene, "allow").await;
        here.receiver.answer(Answering::Status(400));
        here.deliver().await;
        let lost = here.told();
        assert!(here.scene.is_active(text(&lost, "access_token")).await);
        for _ in 0..20 {
            here.advance(Duration::from_mins(10));
            here.deliver().await;
        }
        assert_eq!(here.deliveries().await[0].state, DeliveryState::Failed);
        here.rp.refresh(text(&lost, "refresh_token")).await.expect_error(400, "invalid_grant");
        assert_eq!(here.scene.events("backchannel_request.delivery_failed"), 1);
        // Nor does whoever demands bound tokens since get others.
        let pushed = here.begin().await;
        decide(&here.scene, "allow").await;
        here.receiver.answer(Answering::Status(200));
        here.scene.app.change_settings(&here.scene.tenant, |settings| settings.security_profile = tessera::protocol::fapi::SecurityProfile::Fapi2Security).await;
        here.deliver().await;
        let told = here.told();
        assert_eq!((&told["auth_req_id"], &told["error"], told.get("access_token")), (&json!(pushed), &json!("transaction_failed"), None));
    }

    /// Two nodes at once send one and the same refresh token, and one redemption is written down.
    async fn two_nodes_push_the_same(app: TestApp) {
        let here = Told::new(app, "push").await;
        here.begin().await;
        decide(&here.scene, "allow").await;
        here.receiver.answer(Answering::Status(503));
        let node = here.scene.second_node().await;
        here.deliver().await;
        // As if the first had died: its lease runs out.
        here.advance(Duration::from_mins(1));
        here.receiver.answer(Answering::Status(200));
        jobs::logout::deliver_due(&node.provider).await.expect("storage works");
        let received: Vec<Value> = here.receiver.received().iter().map(|one| serde_json::from_str(&one.body).expect("JSON")).collect();
        assert_eq!(received.len(), 2);
        assert_eq!(received[0]["refresh_token"], received[1]["refresh_token"]);
        assert_eq!(here.scene.app.database.raw().count("refresh_tokens"), 1);
    }

    /// What tells a person that they are asked: signed by the tenant, with a link to the request.
    async fn a_person_is_told_by_what_the_tenant_has(app: TestApp) {
        let here = Told::new(app, "ping").await;
        let (scene, webhook) = (&here.scene, Receiver::start());
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        // This machine may be named where `egress_allow` has it, which says nothing of that address.
        for wrong in ["http://[::1]/notices", "http://hooks.example/notices", "https://user:secret@hooks.example/", "hooks.example", "javascript:alert(1)"] {
            let answer = admin.patch("/tenants/acme/settings", &json!({ "backchannel_notice_uri": wrong })).await;
            assert!(answer.status == 422 && answer.body.contains("backchannel_notice_uri"), "{wrong}: {}", answer.body);
        }
        let uri = webhook.url("/notices");
        assert_eq!(admin.patch("/tenants/acme/settings", &json!({ "backchannel_notice_uri": uri })).await.status, 200);
        let asked = ask(&scene.rp, &[("login_hint", &scene.user.email), ("binding_message", "W4SCT")]).await.expect_ok().json();
        webhook.answer(Answering::Status(500));
        here.deliver().await;
        here.advance(Duration::from_secs(15));
        webhook.answer(Answering::Status(202));
        here.deliver().await;
        let received = webhook.received();
        assert_eq!(received.len(), 2);
        assert!(received[1].header.contains("content-type: application/jwt\r\n") && !received[1].header.contains("authorization:"), "{}", received[1].header);
        let token = &received[1].body;
        let expect = Expect::own(Type::Required(&["backchannel-notice+jwt"]), &SigningAlgorithm::ALL);
        let loaded = scene.loaded().await;
        let said = Value::Object(loaded.keys.verification().verify(token, expect).expect("a good signature").claims);
        assert_eq!((&said["iss"], &said["aud"], &said["sub"]), (&json!(scene.tenant.issuer), &json!(uri), &json!(scene.user.id.to_string())));
        assert_eq!((&said["client_name"], &said["client_id"], &said["binding_message"], &said["scope"]), (&json!("Call centre"), &json!(scene.rp.client.client_id()), &json!("W4SCT"), &json!(SCOPE)));
        let other = claims(&received[0].body);
        assert!(other["request_id"] == said["request_id"] && other["jti"] != said["jti"]);
        assert!(!said.to_string().contains("tsb_") && !said.to_string().contains("ana@"), "{said}");
        // It passes for nothing else.
        scene.rp.userinfo(token).await.expect_error(401, "invalid_token");
        ask(&scene.rp, &[("id_token_hint", token)]).await.expect_error(400, "invalid_request");
        // The link leads the person there once they have signed in.
        let mut browser = scene.app.browser();
        let login = browser.open(text(&said, "url")).await;
        let page = browser.sign_in(&login, &scene.user).await;
        page.expect_id("allow");
        browser.submit(&page, &[("decision", "allow")]).await.answer.expect_ok();
        poll(&scene.rp, text(&asked, "auth_req_id")).await.expect_ok();
        // Nobody is told of what is decided already.
        begin(scene, &scene.rp).await;
        decide(scene, "deny").await;
        here.deliver().await;
        assert_eq!(webhook.received().len(), 2);
        let last = here.deliveries().await.remove(0);
        assert_eq!((last.kind, last.state), (DeliveryKind::BackchannelNotice, DeliveryState::Failed));
        // Nor has anybody missed anything.
        assert_eq!((scene.app.provider.deliveries.backchannel.failed(), scene.events("backchannel_request.delivery_failed")), (0, 0));
    }
}
