//! Mutual TLS (RFC 8705): clients that authenticate by a certificate, and tokens that are bound to one. Over a connection of the server's own, and
//! by the header of a proxy.

use std::net::TcpListener;

use openssl::nid::Nid;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use serde_json::{Value, json};

use super::seed::{Scene, text};
use crate::support::admin::Admin;
use crate::support::app::{TestApp, TestTenant, on_both};
use crate::support::certificates::{Identity, SUBJECT, SUBJECT_TEXT, Wanted};
use crate::support::dpop::{Prover, with};
use crate::support::http::{Answer, Request};
use crate::support::relying_party::{RelyingParty, claims, header};
use crate::support::sector::Sector;

const HEADER: &str = "x-ssl-client-cert";
/// A proxy that asks for certificates at the ordinary addresses.
const BY_HEADER: &str =
    "trusted_proxies = ['127.0.0.1']\nclient_certificate_header = 'X-SSL-Client-Cert'\n";
/// A proxy that does so at an address of its own, and writes as RFC 9440 says.
const BY_ALIAS: &str = "public_url = 'https://id.example/t/{tenant}'\nmtls_public_url = 'https://mtls.id.example/t/{tenant}'\n\
    trusted_proxies = ['127.0.0.1']\nclient_certificate_header = 'Client-Cert'\nclient_certificate_format = 'rfc9440'\n";
const MACHINE: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn now(scene: &Scene) -> i64 {
    scene.app.provider.clock.unix()
}

/// A tenant that trusts an authority, and the authority.
async fn trusting(app: TestApp) -> (Scene, Identity) {
    let scene = Scene::new(app).await;
    let authority = Identity::authority("Example Root", now(&scene));
    trust(&scene.app, &scene.tenant, &authority).await;
    (scene, authority)
}

async fn trust(app: &TestApp, tenant: &TestTenant, authority: &Identity) {
    let pem = authority.pem();
    app.change_settings(tenant, |settings| {
        settings.client_certificate_authorities.clone_from(&pem);
    })
    .await;
}

/// A client that has no secret, of a tenant.
async fn client_of(app: &TestApp, tenant: &TestTenant, metadata: Value) -> RelyingParty {
    let mut client = app.client(tenant, metadata).await;
    client.secret = None;
    RelyingParty::new(app, tenant, &client).with_scope("openid profile email offline_access")
}

fn machine(more: &Value) -> Value {
    with(
        json!({
            "client_name": "Nightly job", "grant_types": ["client_credentials"], "response_types": [], "scope": "",
            "token_endpoint_auth_method": "tls_client_auth",
        }),
        more,
    )
}

fn web(more: &Value) -> Value {
    with(
        json!({
            "client_name": "Orders", "redirect_uris": ["https://orders.example/callback"],
            "grant_types": ["authorization_code", "refresh_token"], "scope": "openid profile email offline_access tessera:admin",
            "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": SUBJECT_TEXT,
            "tls_client_certificate_bound_access_tokens": true,
        }),
        more,
    )
}

/// A request as the proxy forwards it.
fn shown(request: Request, identity: &Identity) -> Request {
    request.header(HEADER, &identity.escaped())
}

async fn ask(rp: &RelyingParty, identity: &Identity) -> Answer {
    shown(rp.authenticated("/token", &MACHINE), identity)
        .send()
        .await
}

#[test]
fn a_certificate_is_of_a_trusted_authority_in_its_time_and_the_clients() {
    on_both(BY_HEADER, |app| async move {
        let (scene, authority) = trusting(app).await;
        let (now, globex) = (now(&scene), scene.app.tenant("globex").await);
        let wanted = Wanted::client(now);
        let good = authority.issue(&wanted);
        // Each way in which the certificate can name the client, and a name that differs by little.
        for (member, value, other) in [
            (
                "tls_client_auth_subject_dn",
                SUBJECT_TEXT,
                "CN=Orders,O=Example\\, Inc.,C=DK",
            ),
            ("tls_client_auth_san_dns", "ORDERS.example", "rders.example"),
            (
                "tls_client_auth_san_uri",
                "spiffe://example/orders",
                "spiffe://example/order",
            ),
            ("tls_client_auth_san_ip", "192.0.2.7", "::ffff:192.0.2.7"),
            (
                "tls_client_auth_san_email",
                "orders@example.com",
                "orders@Example.com",
            ),
        ] {
            let rp = client_of(
                &scene.app,
                &scene.tenant,
                machine(&json!({ member: value })),
            )
            .await;
            ask(&rp, &good).await.expect_ok();
            let rp = client_of(
                &scene.app,
                &scene.tenant,
                machine(&json!({ member: other })),
            )
            .await;
            ask(&rp, &good).await.expect_error(401, "invalid_client");
        }
        let rp = client_of(
            &scene.app,
            &scene.tenant,
            machine(&json!({ "tls_client_auth_subject_dn": SUBJECT_TEXT })),
        )
        .await;
        let server = scene.app.web_client(&scene.tenant).await;
        // What isn't believed.
        let stranger = Identity::authority("Example Root", now);
        let below = authority.issue(&Wanted {
            subject: &[(Nid::COMMONNAME, "Below")],
            san: [None; 4],
            is_authority: true,
            ..wanted.clone()
        });
        let no_authority = authority.issue(&wanted);
        for (identity, what) in [
            (stranger.issue(&wanted), "an authority of the same name"),
            (Identity::self_signed(&wanted), "nobody's"),
            (
                no_authority.issue(&wanted),
                "a client's, which is no authority",
            ),
            (
                below.issue(&wanted),
                "an authority below, which didn't come along",
            ),
            (
                authority.issue(&Wanted {
                    times: (now - 3600, now - 1),
                    ..wanted.clone()
                }),
                "expired",
            ),
            (
                authority.issue(&Wanted {
                    times: (now + 60, now + 3600),
                    ..wanted.clone()
                }),
                "not yet good",
            ),
            (
                authority.issue(&Wanted {
                    for_servers: true,
                    ..wanted.clone()
                }),
                "a server's",
            ),
            (
                authority.issue(&Wanted {
                    subject: &[(Nid::COMMONNAME, "orders")],
                    ..wanted.clone()
                }),
                "another subject",
            ),
            (
                authority.issue(&Wanted {
                    subject: &[SUBJECT[0], SUBJECT[1], SUBJECT[2], SUBJECT[2]],
                    ..wanted.clone()
                }),
                "a longer subject",
            ),
            (authority.clone(), "the authority's own"),
        ] {
            let answer = ask(&rp, &identity).await;
            assert_eq!(
                (answer.status, answer.error().as_str()),
                (401, "invalid_client"),
                "{what}: {}",
                answer.body
            );
        }
        let answer = rp.authenticated("/token", &MACHINE).send().await;
        assert!(
            answer
                .expect_error(401, "invalid_client")
                .body
                .contains("mtls_endpoint_aliases")
        );
        assert!(scene.events("client.authentication_failed") >= 1);
        // The header, as a proxy must not write it.
        for value in [
            "x",
            "%2D",
            &good.sequence(),
            &good.escaped()[..500],
            &format!("{0}{0}", good.escaped()),
        ] {
            rp.authenticated("/token", &MACHINE)
                .header(HEADER, value)
                .send()
                .await
                .expect_error(400, "invalid_request");
        }
        shown(shown(rp.authenticated("/token", &MACHINE), &good), &good)
            .send()
            .await
            .expect_error(400, "invalid_request");
        shown(
            rp.authenticated("/token", &MACHINE).header(HEADER, ""),
            &good,
        )
        .send()
        .await
        .expect_error(400, "invalid_request");
        rp.authenticated("/token", &MACHINE)
            .header(HEADER, "")
            .send()
            .await
            .expect_error(401, "invalid_client");
        // A certificate is no second way in for whoever registered another, and beside another nothing counts.
        let theirs = scene.with(&server);
        let mut secretless = server.clone();
        secretless.secret = None;
        ask(&scene.with(&secretless), &good)
            .await
            .expect_error(401, "invalid_client");
        assert_eq!(
            shown(
                theirs.authenticated("/introspect", &[("token", "x")]),
                &good
            )
            .send()
            .await
            .status,
            200
        );
        let beside = scene.app.post(
            &scene.tenant.url("/token"),
            &[
                MACHINE[0],
                ("client_id", &rp.client.client_id()),
                ("client_secret", "x"),
            ],
        );
        shown(beside, &good)
            .send()
            .await
            .expect_error(401, "invalid_client");
        // Every endpoint at which clients authenticate.
        for (path, form) in [
            ("/introspect", vec![("token", "x")]),
            ("/revoke", vec![("token", "x")]),
            ("/device_authorization", vec![]),
            ("/par", vec![]),
        ] {
            let refused = rp.authenticated(path, &form).send().await;
            assert_eq!(
                (refused.status, refused.error().as_str()),
                (401, "invalid_client"),
                "{path}"
            );
            let answer = shown(rp.authenticated(path, &form), &good).send().await;
            assert_ne!(answer.status, 401, "{path}: {}", answer.body);
        }
        // What a tenant trusts no other does: neither its own client of that name, nor this tenant's there.
        let there = client_of(
            &scene.app,
            &globex,
            machine(&json!({ "tls_client_auth_subject_dn": SUBJECT_TEXT })),
        )
        .await;
        ask(&there, &good).await.expect_error(401, "invalid_client");
        trust(&scene.app, &globex, &stranger).await;
        ask(&there, &good).await.expect_error(401, "invalid_client");
        ask(&there, &stranger.issue(&wanted)).await.expect_ok();
        let mut moved = rp.clone();
        moved.issuer.clone_from(&globex.issuer);
        ask(&moved, &stranger.issue(&wanted))
            .await
            .expect_error(401, "invalid_client");
        // An authority below another is trusted where it is named, and an authority no longer where it isn't.
        trust(&scene.app, &scene.tenant, &below).await;
        ask(&rp, &below.issue(&wanted)).await.expect_ok();
        ask(&rp, &good).await.expect_error(401, "invalid_client");
    });
}

#[test]
fn whoever_signs_their_own_certificate_has_published_it() {
    on_both(BY_HEADER, |app| async move {
        let scene = Scene::new(app).await;
        let (wanted, method) = (
            Wanted::client(now(&scene)),
            json!({ "token_endpoint_auth_method": "self_signed_tls_client_auth" }),
        );
        let own = Identity::self_signed(&wanted);
        let renewed = own.renewed(&wanted);
        let other = Identity::self_signed(&wanted);
        let expired = own.renewed(&Wanted {
            times: (1, 2),
            ..wanted.clone()
        });
        let by = |keys: Value| with(machine(&method), &json!({ "jwks": { "keys": keys } }));
        // By the certificate, or by its key alone; its dates are nobody's business (§2.2).
        let whole = client_of(
            &scene.app,
            &scene.tenant,
            by(json!([other.jwk(false), own.jwk(true)])),
        )
        .await;
        let key = client_of(&scene.app, &scene.tenant, by(json!([own.jwk(false)]))).await;
        for (rp, identity, status) in [
            (&whole, &own, 200),
            (&whole, &renewed, 401),
            (&whole, &other, 200),
            (&key, &own, 200),
            (&key, &renewed, 200),
            (&key, &expired, 200),
            (&key, &other, 401),
        ] {
            assert_eq!(ask(rp, identity).await.status, status);
        }
        // A certificate that says to be another key's is that certificate and no other.
        let mixed = with(own.jwk(false), &json!({ "x5c": other.jwk(true)["x5c"] }));
        let mixed = client_of(&scene.app, &scene.tenant, by(json!([mixed]))).await;
        assert_eq!(ask(&mixed, &own).await.status, 401);
        // An address, fetched again where the certificate isn't there, at most once in a minute.
        let published = Sector::start(json!({ "keys": [own.jwk(true)] }));
        let metadata = with(machine(&method), &json!({ "jwks_uri": published.url() }));
        let fetched = client_of(&scene.app, &scene.tenant, metadata).await;
        ask(&fetched, &own).await.expect_ok();
        ask(&fetched, &other)
            .await
            .expect_error(401, "invalid_client");
        let there = scene.app.tenant("globex").await;
        let mut moved = key.clone();
        moved.issuer.clone_from(&there.issuer);
        ask(&moved, &own).await.expect_error(401, "invalid_client");
    });
}

#[test]
fn tokens_are_bound_to_the_certificate() {
    on_both(BY_HEADER, |app| async move {
        let (mut scene, authority) = trusting(app).await;
        let wanted = Wanted::client(now(&scene));
        let (own, renewed, thief) = (
            authority.issue(&wanted),
            authority.issue(&wanted),
            Identity::self_signed(&wanted),
        );
        let prover = Prover::new(&scene.app.provider.clock);
        let userinfo = |token: &str| {
            scene
                .app
                .get(&scene.tenant.url("/userinfo"))
                .header("authorization", &format!("Bearer {token}"))
        };
        for form in ["jwt", "opaque"] {
            let rp = client_of(
                &scene.app,
                &scene.tenant,
                web(&json!({ "access_token_format": form })),
            )
            .await;
            scene.rp = rp.clone();
            let code = scene.code().await;
            let tokens = shown(rp.authenticated("/token", &rp.redemption(&code)), &own)
                .send()
                .await
                .expect_ok()
                .json();
            let (access, refresh) = (
                text(&tokens, "access_token"),
                text(&tokens, "refresh_token"),
            );
            assert_eq!(tokens["token_type"], "Bearer");
            if form == "jwt" {
                assert_eq!(
                    claims(access)["cnf"],
                    json!({ "x5t#S256": own.thumbprint() })
                );
            }
            let told = shown(
                rp.authenticated("/introspect", &[("token", access)]),
                &renewed,
            )
            .send()
            .await
            .expect_ok()
            .json();
            assert_eq!(
                (&told["active"], &told["token_type"], &told["cnf"]),
                (
                    &json!(true),
                    &json!("Bearer"),
                    &json!({ "x5t#S256": own.thumbprint() })
                )
            );
            shown(userinfo(access), &own).send().await.expect_ok();
            for request in [
                userinfo(access),
                shown(userinfo(access), &renewed),
                shown(userinfo(access), &thief),
            ] {
                let answer = request.send().await;
                assert!(
                    answer
                        .expect_error(401, "invalid_token")
                        .header("www-authenticate")
                        .is_some_and(|challenge| challenge.contains("certificate"))
                );
            }
            shown(userinfo(access), &own)
                .header(HEADER, &own.escaped())
                .send()
                .await
                .expect_error(400, "invalid_request");
            // As a token that is bound to a key it is none.
            let url = scene.tenant.url("/userinfo");
            let as_key = scene
                .app
                .get(&url)
                .header("authorization", &format!("DPoP {access}"))
                .header("dpop", &prover.beside("GET", &url, access));
            shown(as_key, &own)
                .send()
                .await
                .expect_error(401, "invalid_token");
            // A client that authenticates may change its certificate; what it gets is bound to that.
            let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
            let again = shown(rp.authenticated("/token", &form), &renewed)
                .send()
                .await
                .expect_ok()
                .json();
            assert_eq!(text(&again, "refresh_token"), refresh, "kept");
            shown(userinfo(text(&again, "access_token")), &renewed)
                .send()
                .await
                .expect_ok();
            shown(userinfo(text(&again, "access_token")), &own)
                .send()
                .await
                .expect_error(401, "invalid_token");
            // One or the other.
            let proof = prover.proof("POST", &scene.tenant.url("/token"));
            shown(
                rp.authenticated("/token", &form).header("dpop", &proof),
                &own,
            )
            .send()
            .await
            .expect_error(400, "invalid_request");
        }
        // By a secret, and bound all the same; without the certificate, nothing.
        let client = scene.app.client(&scene.tenant, machine(&json!({ "token_endpoint_auth_method": "client_secret_basic", "tls_client_certificate_bound_access_tokens": true }))).await;
        let rp = scene.with(&client);
        rp.token(&MACHINE)
            .await
            .expect_error(400, "invalid_request");
        let bound = ask(&rp, &thief).await.expect_ok().json();
        assert_eq!(
            claims(text(&bound, "access_token"))["cnf"],
            json!({ "x5t#S256": thief.thumbprint() })
        );
        // A client that authenticates by a certificate and binds its tokens to a key.
        let rp = client_of(&scene.app, &scene.tenant, machine(&json!({ "tls_client_auth_san_dns": "orders.example", "dpop_bound_access_tokens": true }))).await;
        ask(&rp, &own).await.expect_error(400, "invalid_dpop_proof");
        let proof = prover.proof("POST", &scene.tenant.url("/token"));
        let bound = shown(
            rp.authenticated("/token", &MACHINE).header("dpop", &proof),
            &own,
        )
        .send()
        .await
        .expect_ok()
        .json();
        assert_eq!(
            (
                &bound["token_type"],
                claims(text(&bound, "access_token"))["cnf"]["jkt"].clone()
            ),
            (&json!("DPoP"), json!(prover.jkt()))
        );
        // Not asked for, not bound.
        let rp = client_of(
            &scene.app,
            &scene.tenant,
            machine(&json!({ "tls_client_auth_san_dns": "orders.example" })),
        )
        .await;
        let free = ask(&rp, &own).await.expect_ok().json();
        assert_eq!(claims(text(&free, "access_token")).get("cnf"), None);
        // The administration.
        let api = format!("{}/api/v1", scene.app.root());
        let metadata = machine(
            &json!({ "tls_client_auth_san_dns": "orders.example", "scope": "tessera:admin", "tls_client_certificate_bound_access_tokens": true }),
        );
        let rp = client_of(&scene.app, &scene.tenant, metadata).await;
        let form = [MACHINE[0], ("scope", "tessera:admin"), ("resource", &api)];
        let token = shown(rp.authenticated("/token", &form), &own)
            .send()
            .await
            .expect_ok()
            .json();
        let me = || {
            scene
                .app
                .get(&format!("{api}/tenants/acme/clients"))
                .bearer(text(&token, "access_token"))
        };
        shown(me(), &own).send().await.expect_ok();
        assert_eq!(
            (
                me().send().await.status,
                shown(me(), &renewed).send().await.status
            ),
            (401, 401)
        );
    });
}

#[test]
fn a_public_clients_refresh_token_is_bound_to_its_certificate() {
    on_both(BY_HEADER, |app| async move {
        let mut scene = Scene::new(app).await;
        let wanted = Wanted::client(now(&scene));
        let (own, thief) = (
            Identity::self_signed(&wanted),
            Identity::self_signed(&wanted),
        );
        let metadata = web(
            &json!({ "token_endpoint_auth_method": "none", "tls_client_auth_subject_dn": null, "scope": "openid profile email offline_access" }),
        );
        let rp = client_of(&scene.app, &scene.tenant, metadata).await;
        scene.rp = rp.clone();
        let code = scene.code().await;
        rp.token(&rp.redemption(&code))
            .await
            .expect_error(400, "invalid_request");
        let tokens = shown(rp.authenticated("/token", &rp.redemption(&code)), &own)
            .send()
            .await
            .expect_ok()
            .json();
        let refresh = text(&tokens, "refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        // A thief without it gets nothing, and ends nothing.
        shown(rp.authenticated("/token", &form), &thief)
            .send()
            .await
            .expect_error(400, "invalid_grant");
        rp.token(&form).await.expect_error(400, "invalid_request");
        for _ in 0..2 {
            let again = shown(rp.authenticated("/token", &form), &own)
                .send()
                .await
                .expect_ok()
                .json();
            assert_eq!(
                text(&again, "refresh_token"),
                refresh,
                "nobody else could use it, so it is kept"
            );
        }
        let asking = scene.with(&scene.app.machine_client(&scene.tenant, "").await);
        assert_eq!(
            asking.introspect(refresh).await["cnf"],
            json!({ "x5t#S256": own.thumbprint() })
        );
        // What is bound isn't exchanged, and what is exchanged is bound.
        let api = "https://api.example";
        scene.app.resource(&scene.tenant, api, &["read"]).await;
        let exchange = json!({
            "grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange", "client_credentials"], "response_types": [], "scope": "", "token_endpoint_auth_method": "client_secret_basic",
            "tls_client_certificate_bound_access_tokens": true, "token_exchange_targets": [api], "token_exchange_scope": "read",
        });
        let service = scene.with(&scene.app.client(&scene.tenant, exchange).await);
        let subject = |token: &str| {
            [
                (
                    "grant_type",
                    "urn:ietf:params:oauth:grant-type:token-exchange".to_owned(),
                ),
                ("subject_token", token.to_owned()),
                (
                    "subject_token_type",
                    "urn:ietf:params:oauth:token-type:access_token".to_owned(),
                ),
            ]
        };
        let bound = ask(&service, &own).await.expect_ok().json();
        let form = subject(text(&bound, "access_token"));
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        shown(service.authenticated("/token", &form), &own)
            .send()
            .await
            .expect_error(400, "invalid_request");
        // A person's token that isn't bound, for this service.
        let metadata = json!({ "redirect_uris": ["https://plain.example/callback"], "scope": "openid", "token_endpoint_auth_method": "client_secret_basic", "default_audience": api });
        scene.rp = scene
            .with(&scene.app.client(&scene.tenant, metadata).await)
            .with_scope("openid");
        let plain = scene.tokens().await;
        let id = service.client.id;
        let change = move |repo: &mut tessera::storage::Repo<'_>| {
            let mut client = repo.find_client(id)?.expect("a client");
            client.metadata.token_exchange_subjects = vec![api.to_owned()];
            repo.update_client(&client)
        };
        assert!(scene.write(change).await);
        let form = subject(text(&plain, "access_token"));
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        service
            .token(&form)
            .await
            .expect_error(400, "invalid_request");
        let exchanged = shown(service.authenticated("/token", &form), &own)
            .send()
            .await
            .expect_ok()
            .json();
        assert_eq!(
            claims(text(&exchanged, "access_token"))["cnf"],
            json!({ "x5t#S256": own.thumbprint() })
        );
    });
}

#[test]
fn an_address_of_its_own_serves_what_services_call() {
    on_both(BY_ALIAS, |app| async move {
        let (scene, authority) = trusting(app).await;
        let (alias, globex) = (
            "https://mtls.id.example/t/acme",
            scene.app.tenant("globex").await,
        );
        let identity = authority.issue(&Wanted::client(now(&scene)));
        let told = scene
            .app
            .get(&scene.tenant.url("/.well-known/openid-configuration"))
            .send()
            .await
            .expect_ok()
            .json();
        let aliases = told["mtls_endpoint_aliases"].as_object().expect("aliases");
        assert_eq!(aliases["token_endpoint"], format!("{alias}/token"));
        assert_eq!(told["tls_client_certificate_bound_access_tokens"], true);
        let methods = |told: &Value| told["token_endpoint_auth_methods_supported"].to_string();
        assert!(
            methods(&told).contains("\"tls_client_auth\"")
                && methods(&told).contains("self_signed")
        );
        for (name, url) in aliases {
            let url = url.as_str().expect("a URL");
            assert!(
                told[name]
                    .as_str()
                    .is_some_and(|own| own.strip_prefix("https://id.example")
                        == url.strip_prefix("https://mtls.id.example")),
                "{name}"
            );
            let answer = scene.app.post(url, &[]).send().await;
            assert!(
                [400, 401].contains(&answer.status),
                "{name}: {}",
                answer.status
            );
        }
        // A tenant that trusts nobody announces no method that couldn't work.
        let theirs = scene
            .app
            .get(&globex.url("/.well-known/openid-configuration"))
            .send()
            .await
            .expect_ok()
            .json();
        assert!(
            !methods(&theirs).contains("\"tls_client_auth\"")
                && methods(&theirs).contains("self_signed")
        );
        for path in [
            "/login",
            "/authorize",
            "/.well-known/openid-configuration",
            "/jwks",
            "/register",
            "/console",
            "",
        ] {
            assert_eq!(
                scene.app.get(&format!("{alias}{path}")).send().await.status,
                404,
                "{path}"
            );
        }
        assert_eq!(
            scene
                .app
                .get("https://mtls.id.example/api/docs")
                .send()
                .await
                .status,
            404
        );
        assert_eq!(
            scene
                .app
                .get("https://mtls.id.example/api/v1/me")
                .send()
                .await
                .status,
            401
        );
        assert_eq!(
            scene
                .app
                .post("https://mtls.id.example/t/nobody/token", &MACHINE)
                .send()
                .await
                .status,
            404
        );
        // Whatever is asked there is asked of the same issuer.
        let prover = Prover::new(&scene.app.provider.clock);
        let client = client_of(
            &scene.app,
            &scene.tenant,
            machine(&json!({ "tls_client_auth_san_dns": "orders.example" })),
        )
        .await;
        let id = client.client.client_id();
        let request = || {
            scene
                .app
                .post(&format!("{alias}/token"), &[MACHINE[0], ("client_id", &id)])
                .header("client-cert", &identity.sequence())
        };
        let tokens = request().send().await.expect_ok().json();
        assert_eq!(
            claims(text(&tokens, "access_token"))["iss"],
            scene.tenant.issuer
        );
        assert_eq!(header(text(&tokens, "access_token"))["typ"], "at+jwt");
        // A proof names the address to which it is sent.
        let proof = prover.proof("POST", &format!("{alias}/token"));
        request().header("dpop", &proof).send().await.expect_ok();
        request()
            .header("dpop", &prover.proof("POST", &scene.tenant.url("/token")))
            .send()
            .await
            .expect_error(400, "invalid_dpop_proof");
        // An assertion may be for the alias of the token endpoint, and for no other's.
        let key = tessera::jose::keys::SigningKey::generate(
            tessera::protocol::SigningAlgorithm::Es256,
            tessera::jose::keys::RsaBits::default(),
        )
        .expect("a key")
        .key;
        let metadata = machine(
            &json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [key.public_jwk()] } }),
        );
        let signer = scene.app.client(&scene.tenant, metadata).await.client_id();
        for (audience, status) in [
            (format!("{alias}/token"), 200),
            ("https://mtls.id.example/t/globex/token".to_owned(), 401),
            (alias.to_owned(), 401),
        ] {
            let claims = json!({ "iss": signer, "sub": signer, "aud": audience, "exp": now(&scene) + 60, "jti": tessera::clock::Clock::system().uuid_v4() });
            let assertion = key.sign_jwt("JWT", &claims).expect("signed");
            let form = [
                MACHINE[0],
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ),
                ("client_assertion", &assertion),
            ];
            assert_eq!(
                scene
                    .app
                    .post(&format!("{alias}/token"), &form)
                    .send()
                    .await
                    .status,
                status,
                "{audience}"
            );
        }
    });
}

/// The server's own listener, with a certificate in the handshake.
#[test]
fn a_certificate_is_shown_in_the_handshake() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, key) = (
        folder.path().join("server.pem"),
        folder.path().join("server.key"),
    );
    let server = Identity::self_signed(&Wanted {
        san: [Some("localhost"), None, None, None],
        ..Wanted::client(1_800_000_000)
    });
    std::fs::write(&path, server.pem()).expect("written");
    std::fs::write(&key, server.key.private_key_to_pem_pkcs8().expect("PEM")).expect("written");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.expect("a port");
    let settings = format!(
        "mtls_listen = '{address}'\nmtls_certificate_file = '{}'\nmtls_key_file = '{}'\nmtls_public_url = 'https://localhost:{}/t/{{tenant}}'\n",
        path.display(),
        key.display(),
        address.port(),
    );
    on_both(&settings, |app| async move {
        let (scene, authority) = trusting(app).await;
        let wanted = Wanted::client(now(&scene));
        let below = authority.issue(&Wanted {
            subject: &[(Nid::COMMONNAME, "Below")],
            san: [None; 4],
            is_authority: true,
            ..wanted.clone()
        });
        let (direct, chained, stranger) = (
            authority.issue(&wanted),
            below.issue(&wanted),
            Identity::self_signed(&wanted),
        );
        let metadata = machine(
            &json!({ "tls_client_auth_subject_dn": SUBJECT_TEXT, "tls_client_certificate_bound_access_tokens": true }),
        );
        let rp = client_of(&scene.app, &scene.tenant, metadata).await;
        let id = rp.client.client_id();
        let alias = format!("https://localhost:{}/t/acme", address.port());
        let send = async |identity: Option<(&Identity, &[&Identity])>,
                          forged: Option<&Identity>| {
            let mut connector =
                SslConnector::builder(SslMethod::tls_client()).expect("a connector");
            connector.set_verify(SslVerifyMode::NONE);
            if let Some((own, chain)) = identity {
                connector
                    .set_certificate(&own.certificate)
                    .expect("a certificate");
                connector.set_private_key(&own.key).expect("a key");
                for more in chain {
                    connector
                        .add_extra_chain_cert(more.certificate.clone())
                        .expect("a certificate");
                }
            }
            let client = awc::Client::builder()
                .connector(awc::Connector::new().openssl(connector.build()))
                .finish();
            let mut request = client.post(format!("{alias}/token"));
            if let Some(forged) = forged {
                request = request
                    .insert_header((HEADER, forged.escaped()))
                    .insert_header(("client-cert", forged.sequence()));
            }
            let form = [MACHINE[0], ("client_id", id.as_str())];
            let mut response = request.send_form(&form).await.expect("an answer");
            let body: Value = response.json().await.expect("JSON");
            (response.status().as_u16(), body)
        };
        for (identity, chain) in [(&direct, &[][..]), (&chained, &[&below][..])] {
            let (status, body) = send(Some((identity, chain)), None).await;
            assert_eq!(status, 200, "{body}");
            assert_eq!(
                claims(text(&body, "access_token"))["cnf"],
                json!({ "x5t#S256": identity.thumbprint() })
            );
        }
        for (identity, forged) in [
            (None, None),
            (Some((&stranger, &[][..])), None),
            (Some((&chained, &[][..])), None),
            (None, Some(&direct)),
            (Some((&stranger, &[][..])), Some(&direct)),
        ] {
            let (status, body) = send(identity, forged).await;
            assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
        }
        // Nobody's word counts for a certificate on the plain listener.
        ask(&rp, &direct).await.expect_error(401, "invalid_client");
        assert_eq!(
            rp.authenticated("/token", &MACHINE)
                .header("client-cert", &direct.sequence())
                .send()
                .await
                .status,
            401
        );
    });
}

#[test]
fn a_header_counts_from_a_trusted_proxy_only() {
    on_both(
        "trusted_proxies = ['192.0.2.1']\nclient_certificate_header = 'X-SSL-Client-Cert'\n",
        |app| async move {
            let (scene, authority) = trusting(app).await;
            let identity = authority.issue(&Wanted::client(now(&scene)));
            let rp = client_of(
                &scene.app,
                &scene.tenant,
                machine(&json!({ "tls_client_auth_subject_dn": SUBJECT_TEXT })),
            )
            .await;
            ask(&rp, &identity)
                .await
                .expect_error(401, "invalid_client");
            let forwarded = rp
                .authenticated("/token", &MACHINE)
                .header("x-forwarded-for", "192.0.2.1");
            shown(forwarded, &identity)
                .send()
                .await
                .expect_error(401, "invalid_client");
            // Registration and settings, by the administration and by a client itself.
            let admin = Admin::program(&scene.app, &scene.tenant).await;
            for (authorities, status) in [
                (authority.pem(), 200),
                (format!("{0}{0}", authority.pem()), 200),
                (String::new(), 200),
                ("x".to_owned(), 422),
                (authority.pem().replace("CERTIFICATE", "X"), 422),
                (authority.pem()[..200].to_owned(), 422),
                (authority.pem().repeat(21), 422),
            ] {
                let answer = admin
                    .patch(
                        "/tenants/acme/settings",
                        &json!({ "client_certificate_authorities": authorities }),
                    )
                    .await;
                assert_eq!(answer.status, status, "{}", answer.body);
            }
            let register = async |more: Value| {
                let document = with(
                    json!({ "grant_types": ["authorization_code"], "redirect_uris": ["https://app.example/cb"], "token_endpoint_auth_method": "tls_client_auth", "scope": "openid" }),
                    &more,
                );
                let by_admin = admin.post("/tenants/acme/clients", &document).await;
                let by_itself = scene
                    .app
                    .http
                    .post(&scene.tenant.url("/register"))
                    .body("application/json", document.to_string())
                    .send()
                    .await;
                (by_admin, by_itself)
            };
            scene
                .app
                .change_settings(&scene.tenant, |settings| {
                    settings.registration = tessera::domain::settings::RegistrationPolicy::Open
                })
                .await;
            let (one, other) = register(json!({ "tls_client_auth_subject_dn": SUBJECT_TEXT, "tls_client_certificate_bound_access_tokens": true })).await;
            assert_eq!(
                (one.status, other.status),
                (201, 201),
                "{} {}",
                one.body,
                other.body
            );
            for document in [one.json(), other.json()] {
                assert_eq!(
                    (
                        &document["tls_client_auth_subject_dn"],
                        &document["tls_client_certificate_bound_access_tokens"]
                    ),
                    (&json!(SUBJECT_TEXT), &json!(true))
                );
                assert_eq!(document.get("client_secret"), None);
            }
            for wrong in [
                json!({}),
                json!({ "tls_client_auth_subject_dn": "orders" }),
                json!({ "tls_client_auth_san_ip": "orders" }),
                json!({ "tls_client_auth_san_dns": "a.example", "tls_client_auth_san_uri": "urn:a" }),
                json!({ "token_endpoint_auth_method": "self_signed_tls_client_auth" }),
                json!({ "tls_client_auth_san_dns": "a.example", "dpop_bound_access_tokens": true, "tls_client_certificate_bound_access_tokens": true }),
                json!({ "tls_client_auth_san_dns": "a.example", "tls_client_certificate_bound_access_tokens": true, "grant_types": ["authorization_code", "implicit"], "response_types": ["code", "code token"] }),
            ] {
                let (one, other) = register(wrong.clone()).await;
                assert_eq!(one.status, 422, "{wrong}: {}", one.body);
                other.expect_error(400, "invalid_client_metadata");
            }
        },
    );
}

#[test]
fn an_installation_without_certificates_takes_none() {
    on_both("", |app| async move {
        let scene = Scene::new(app).await;
        let told = scene
            .app
            .get(&scene.tenant.url("/.well-known/openid-configuration"))
            .send()
            .await
            .expect_ok()
            .json();
        assert!(
            told.get("mtls_endpoint_aliases").is_none()
                && told
                    .get("tls_client_certificate_bound_access_tokens")
                    .is_none()
        );
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        for more in [
            json!({ "tls_client_auth_san_dns": "orders.example" }),
            json!({ "token_endpoint_auth_method": "client_secret_basic", "tls_client_certificate_bound_access_tokens": true }),
        ] {
            let answer = admin.post("/tenants/acme/clients", &machine(&more)).await;
            assert!(
                answer.status == 422 && answer.body.contains("mtls_listen"),
                "{}",
                answer.body
            );
        }
    });
}
