//! Mutual TLS at the edge: what a listener of the server's own speaks, whose certificate is on a connection, and to which address a proof is for.

use std::net::{SocketAddr, TcpListener, TcpStream};

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use serde_json::{Value, json};

use super::mtls::{BY_ALIAS, MACHINE, client_of, machine, now, trusting};
use super::seed::{Scene, text};
use crate::support::app::{on_both, run_with};
use crate::support::certificates::{Identity, SUBJECT_TEXT, Wanted};
use crate::support::database::TestDatabase;
use crate::support::dpop::Prover;

/// Settings of a listener that asks for certificates, and its address.
fn listening(folder: &tempfile::TempDir) -> (String, SocketAddr) {
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
    (settings, address)
}

/// RFC 9325 §4.2: four suites of TLS 1.2, and nothing older.
#[test]
fn the_listener_speaks_the_recommended_suites_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let (settings, address) = listening(&folder);
    run_with(TestDatabase::sqlite(), &settings, |app| async move {
        let scene = Scene::new(app).await;
        for (version, suite, speaks) in [
            (SslVersion::TLS1_2, "ECDHE-ECDSA-AES128-GCM-SHA256", true),
            (SslVersion::TLS1_2, "ECDHE-ECDSA-AES256-GCM-SHA384", true),
            (SslVersion::TLS1_2, "ECDHE-ECDSA-CHACHA20-POLY1305", false),
            (SslVersion::TLS1_2, "ECDHE-ECDSA-AES128-SHA256", false),
            (SslVersion::TLS1_2, "ECDHE-ECDSA-AES256-SHA", false),
            (SslVersion::TLS1_1, "ALL:@SECLEVEL=0", false),
            (SslVersion::TLS1_3, "ALL", true),
        ] {
            let mut connector =
                SslConnector::builder(SslMethod::tls_client()).expect("a connector");
            connector.set_verify(SslVerifyMode::NONE);
            connector
                .set_min_proto_version(Some(version))
                .and_then(|()| connector.set_max_proto_version(Some(version)))
                .and_then(|()| connector.set_cipher_list(suite))
                .expect("known");
            let stream = TcpStream::connect(address).expect("connected");
            let connected = connector.build().connect("localhost", stream);
            assert_eq!(connected.is_ok(), speaks, "{suite}");
        }
        drop(scene);
    });
}

/// FAPI 2.0 Security Profile §5.2.3: once by TLS, browsers come by nothing else.
#[test]
fn browsers_are_told_to_keep_to_tls() {
    run_with(TestDatabase::sqlite(), BY_ALIAS, |app| async move {
        let scene = Scene::new(app).await;
        for path in ["/login", "/authorize", "/console"] {
            let answer = scene.app.get(&scene.tenant.url(path)).send().await;
            let told = answer.header("strict-transport-security");
            assert_eq!(told, Some("max-age=31536000"), "{path}");
        }
    });
}

/// A trusted proxy that shows a certificate of its own at the listener is still a proxy: who is behind it is what its header says, and nobody where that
/// says nothing.
#[test]
fn a_proxys_own_certificate_is_nobodys_behind_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (settings, address) = listening(&folder);
    let settings = format!(
        "{settings}trusted_proxies = ['127.0.0.1']\nclient_certificate_header = 'Client-Cert'\nclient_certificate_format = 'rfc9440'\n"
    );
    run_with(TestDatabase::sqlite(), &settings, |app| async move {
        let (scene, authority) = trusting(app).await;
        let wanted = Wanted::client(now(&scene));
        let (proxys, clients) = (authority.issue(&wanted), authority.issue(&wanted));
        let metadata = machine(
            &json!({ "tls_client_auth_subject_dn": SUBJECT_TEXT, "tls_client_certificate_bound_access_tokens": true }),
        );
        let rp = client_of(&scene.app, &scene.tenant, metadata).await;
        let id = rp.client.client_id();
        let send = async |header: Option<&str>| {
            let mut connector =
                SslConnector::builder(SslMethod::tls_client()).expect("a connector");
            connector.set_verify(SslVerifyMode::NONE);
            connector
                .set_certificate(&proxys.certificate)
                .expect("a certificate");
            connector.set_private_key(&proxys.key).expect("a key");
            let client = awc::Client::builder()
                .connector(awc::Connector::new().openssl(connector.build()))
                .finish();
            let url = format!("https://localhost:{}/t/acme/token", address.port());
            let mut request = client.post(url);
            if let Some(value) = header {
                request = request.insert_header(("client-cert", value));
            }
            let form = [MACHINE[0], ("client_id", id.as_str())];
            let mut response = request.send_form(&form).await.expect("an answer");
            let body: Value = response.json().await.expect("JSON");
            (response.status().as_u16(), body)
        };
        for header in [None, Some("")] {
            let (status, body) = send(header).await;
            assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
        }
        let (status, body) = send(Some(&clients.sequence())).await;
        assert_eq!(status, 200, "{body}");
        let claims = crate::support::relying_party::claims(text(&body, "access_token"));
        assert_eq!(claims["cnf"], json!({ "x5t#S256": clients.thumbprint() }));
    });
}

/// RFC 9449 §4.3, point 9, at the administration: `htu` is the address that the request was sent to, of the two that there are; and never what the
/// request says that it is.
#[test]
fn a_proof_at_the_administration_names_the_address_that_it_is_sent_to() {
    on_both(BY_ALIAS, |app| async move {
        let scene = Scene::new(app).await;
        let prover = Prover::new(&scene.app.provider.clock);
        let metadata = json!({
            "grant_types": ["client_credentials"], "response_types": [], "scope": "tessera:admin", "dpop_bound_access_tokens": true,
        });
        let rp = scene.with(&scene.app.client(&scene.tenant, metadata).await);
        let api = format!("{}/api/v1", scene.app.root());
        let form = [MACHINE[0], ("scope", "tessera:admin"), ("resource", &api)];
        let tokens = rp.proved(&prover, &form).await.expect_ok().json();
        let token = text(&tokens, "access_token");
        let (ordinary, alias) = ("https://id.example", "https://mtls.id.example");
        let ask = async |sent_to: &str, named: &str| {
            let path = "/api/v1/tenants/acme/clients";
            let proof = prover.beside("GET", &format!("{named}{path}"), token);
            let request = scene.app.get(&format!("{sent_to}{path}"));
            let request = request.header("authorization", &format!("DPoP {token}"));
            request.header("dpop", &proof).send().await.status
        };
        for (sent_to, named, status) in [
            (ordinary, ordinary, 200),
            (alias, alias, 200),
            (ordinary, alias, 401),
            (alias, ordinary, 401),
        ] {
            assert_eq!(ask(sent_to, named).await, status, "{named} at {sent_to}");
        }
        // A host that is none of ours has no administration, whatever the proof says.
        let other = "https://evil.example";
        assert_eq!(ask(other, other).await, 404);
    });
}
