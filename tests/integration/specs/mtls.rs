//! Mutual TLS (RFC 8705): clients that authenticate by a certificate, over a connection of the server's own and by the header of a proxy. For
//! tokens that are bound to one, and addresses of their own: see `mtls_tokens`.

use std::net::TcpListener;

use openssl::nid::Nid;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use serde_json::{Value, json};

use super::seed::{Scene, text};
use crate::support::admin::Admin;
use crate::support::app::{TestApp, TestTenant, on_both};
use crate::support::certificates::{Identity, SUBJECT, SUBJECT_TEXT, Wanted};
use crate::support::dpop::with;
use crate::support::http::{Answer, Request};
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::sector::Sector;

pub(super) const HEADER: &str = "x-ssl-client-cert";
/// A proxy that asks for certificates at the ordinary addresses.
pub(super) const BY_HEADER: &str =
    "trusted_proxies = ['127.0.0.1']\nclient_certificate_header = 'X-SSL-Client-Cert'\n";
/// A proxy that does so at an address of its own, and writes as RFC 9440 says.
pub(super) const BY_ALIAS: &str = "public_url = 'https://id.example/t/{tenant}'\nmtls_public_url = 'https://mtls.id.example/t/{tenant}'\n\
    trusted_proxies = ['127.0.0.1']\nclient_certificate_header = 'Client-Cert'\nclient_certificate_format = 'rfc9440'\n";
pub(super) const MACHINE: [(&str, &str); 1] = [("grant_type", "client_credentials")];

pub(super) fn now(scene: &Scene) -> i64 {
    scene.app.provider.clock.unix()
}

/// A tenant that trusts an authority, and the authority.
pub(super) async fn trusting(app: TestApp) -> (Scene, Identity) {
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
pub(super) async fn client_of(app: &TestApp, tenant: &TestTenant, metadata: Value) -> RelyingParty {
    let mut client = app.client(tenant, metadata).await;
    client.secret = None;
    RelyingParty::new(app, tenant, &client).with_scope("openid profile email offline_access")
}

pub(super) fn machine(more: &Value) -> Value {
    with(
        json!({
            "client_name": "Nightly job", "grant_types": ["client_credentials"], "response_types": [], "scope": "",
            "token_endpoint_auth_method": "tls_client_auth",
        }),
        more,
    )
}

pub(super) fn web(more: &Value) -> Value {
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
pub(super) fn shown(request: Request, identity: &Identity) -> Request {
    request.header(HEADER, &identity.escaped())
}

pub(super) async fn ask(rp: &RelyingParty, identity: &Identity) -> Answer {
    shown(rp.authenticated("/token", &MACHINE), identity)
        .send()
        .await
}

#[test]
#[expect(clippy::too_many_lines, reason = "one tenant for many refusals")]
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
                    settings.registration = tessera::domain::settings::RegistrationPolicy::Open;
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
