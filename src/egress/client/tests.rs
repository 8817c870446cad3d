use std::io;
use std::net::SocketAddr;
use std::time::Instant as StdInstant;

use actix_web::{App, HttpResponse, HttpServer, web};

use super::*;
use crate::config::Value as _;

/// Answers every name with one address, as an attacker's name server would.
struct Fixed(&'static str);

impl NameResolver for Fixed {
    fn resolve(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::new(self.0.parse().unwrap(), port)])
    }
}

fn client(allow: &[String]) -> EgressClient {
    client_with(allow, Arc::new(SystemResolver))
}

fn client_with(allow: &[String], resolver: Arc<dyn NameResolver>) -> EgressClient {
    EgressClient::new(EgressOptions {
        allow: allow
            .iter()
            .map(|host| AllowedHost::parse(host).unwrap())
            .collect(),
        ca_file: None,
        timeout: Duration::from_millis(600),
        per_tenant: 2,
        resolver,
    })
    .unwrap()
}

fn json(body: &'static str) -> std::future::Ready<HttpResponse> {
    std::future::ready(
        HttpResponse::Ok()
            .content_type("application/json")
            .body(body),
    )
}

/// A server of all that can go wrong; its `host:port`.
fn server() -> String {
    let app = || {
        App::new()
            .route("/good", web::get().to(|| json(r#"{"keys":[]}"#)))
            .route("/broken", web::get().to(|| json("{")))
            .route(
                "/post",
                web::post().to(|body: web::Bytes| async move { HttpResponse::Ok().body(body) }),
            )
            .route(
                "/set",
                web::get().to(|| async {
                    HttpResponse::Ok()
                        .content_type("application/jwk-set+json; charset=utf-8")
                        .body("{}")
                }),
            )
            .route(
                "/html",
                web::get().to(|| async { HttpResponse::Ok().content_type("text/html").body("{}") }),
            )
            .route(
                "/redirect",
                web::get().to(|| async {
                    HttpResponse::Found()
                        .insert_header(("location", "/good"))
                        .finish()
                }),
            )
            .route(
                "/large",
                web::get().to(|| async {
                    HttpResponse::Ok()
                        .content_type("application/json")
                        .body(" ".repeat(5000))
                }),
            )
            .route(
                "/endless",
                web::get().to(|| async {
                    let chunks = futures_util::stream::repeat_with(|| {
                        Ok::<_, io::Error>(web::Bytes::from_static(&[b' '; 1000]))
                    });
                    HttpResponse::Ok()
                        .content_type("application/json")
                        .streaming(chunks)
                }),
            )
            .route(
                "/slow",
                web::get().to(|| async {
                    actix_web::rt::time::sleep(Duration::from_secs(10)).await;
                    HttpResponse::Ok().finish()
                }),
            )
            .route(
                "/drip",
                web::get().to(|| async {
                    let chunks = futures_util::stream::unfold((), |()| async {
                        actix_web::rt::time::sleep(Duration::from_millis(100)).await;
                        Some((Ok::<_, io::Error>(web::Bytes::from_static(b" ")), ()))
                    });
                    HttpResponse::Ok()
                        .content_type("application/json")
                        .streaming(Box::pin(chunks))
                }),
            )
    };
    let server = HttpServer::new(app)
        .workers(1)
        .bind(("127.0.0.1", 0))
        .unwrap();
    let address = server.addrs()[0];
    actix_web::rt::spawn(server.run());
    address.to_string()
}

const TENANT: Uuid = Uuid::from_u128(1);

#[actix_web::test]
async fn a_listed_host_is_reached() {
    let host = server();
    let client = client(std::slice::from_ref(&host));
    let fetched = client
        .fetch_json(TENANT, &format!("http://{host}/good#fragment"), 1000)
        .await;
    assert_eq!(fetched, Ok(serde_json::json!({"keys": []})));
    let fetched = client
        .fetch_json(TENANT, &format!("http://{host}/set"), 1000)
        .await;
    assert_eq!(fetched, Ok(serde_json::json!({})));
    let posted = client
        .send(
            TENANT,
            Outward::post(
                &format!("http://{host}/post"),
                "text/plain",
                b"hello".to_vec(),
                100,
            ),
        )
        .await;
    assert_eq!(
        posted,
        Ok(Fetched {
            status: 200,
            body: b"hello".to_vec(),
            fresh_for: None,
        })
    );
}

#[actix_web::test]
async fn a_host_that_is_not_listed_is_blocked() {
    let host = server();
    let client = client(&[]);
    let port = host.rsplit(':').next().unwrap();
    let fetched = client
        .fetch_json(TENANT, &format!("http://{host}/good"), 1000)
        .await;
    assert_eq!(fetched, Err(EgressError::NotHttps));
    for name in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "2130706433",
        "0x7f.1",
    ] {
        let fetched = client
            .fetch_json(TENANT, &format!("https://{name}:{port}/good"), 1000)
            .await;
        assert_eq!(fetched, Err(EgressError::Blocked), "{name}");
    }
}

#[actix_web::test]
async fn a_name_that_leads_inside_is_blocked() {
    for address in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::ffff:127.0.0.1",
        "fd00::1",
    ] {
        let client = client_with(&["localhost".to_owned()], Arc::new(Fixed(address)));
        let fetched = client
            .fetch_json(TENANT, "https://rebind.example/jwks", 1000)
            .await;
        assert_eq!(fetched, Err(EgressError::Blocked), "{address}");
    }
}

#[actix_web::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let host = server();
    let port = host.rsplit(':').next().unwrap();
    let listed = client_with(
        &[format!("named.example:{port}")],
        Arc::new(Fixed("127.0.0.1")),
    );
    let fetched = listed
        .fetch_json(TENANT, &format!("http://named.example:{port}/good"), 1000)
        .await;
    assert_eq!(fetched, Ok(serde_json::json!({"keys": []})));
}

#[actix_web::test]
async fn urls_that_can_not_be_meant_are_refused() {
    let client = client(&["localhost".to_owned()]);
    for url in [
        "",
        "jwks",
        "file:///etc/passwd",
        "ftp://localhost/x",
        "https://u:p@localhost/",
        "https://",
        "data:,x",
        "http:///x",
    ] {
        assert_eq!(
            client.fetch_json(TENANT, url, 10).await.err(),
            client.check(url).err(),
            "{url}"
        );
        assert!(client.check(url).is_err(), "{url}");
    }
    let long = format!("https://example.com/{}", "x".repeat(3000));
    assert_eq!(client.check(&long), Err(EgressError::Url));
    assert_eq!(client.check("https://example.com/jwks"), Ok(()));
}

#[actix_web::test]
async fn bad_answers_are_told_apart() {
    let host = server();
    let client = client(std::slice::from_ref(&host));
    for (path, error) in [
        ("redirect", EgressError::Redirect(302)),
        ("nowhere", EgressError::Status(404)),
        ("html", EgressError::ContentType("application/json")),
        ("broken", EgressError::Malformed),
        ("large", EgressError::TooLarge(4000)),
        ("endless", EgressError::TooLarge(4000)),
    ] {
        let fetched = client
            .fetch_json(TENANT, &format!("http://{host}/{path}"), 4000)
            .await;
        assert_eq!(fetched, Err(error), "{path}");
    }
}

#[actix_web::test]
async fn the_deadline_is_over_head_and_body() {
    let host = server();
    let client = client(std::slice::from_ref(&host));
    for path in ["slow", "drip"] {
        let started = StdInstant::now();
        let fetched = client
            .fetch_json(TENANT, &format!("http://{host}/{path}"), 4000)
            .await;
        assert_eq!(fetched, Err(EgressError::Deadline), "{path}");
        assert!(started.elapsed() < Duration::from_secs(3), "{path}");
    }
}

#[actix_web::test]
async fn one_tenant_s_slow_hosts_leave_another_s_alone() {
    let host = server();
    let client = client(std::slice::from_ref(&host));
    let slow = format!("http://{host}/slow");
    let many: Vec<_> = (0..12)
        .map(|_| client.fetch_json(TENANT, &slow, 10))
        .collect();
    let good = format!("http://{host}/good");
    let (many, other) = futures_util::future::join(
        futures_util::future::join_all(many),
        client.fetch_json(Uuid::from_u128(2), &good, 1000),
    )
    .await;
    assert!(other.is_ok());
    let busy = many
        .iter()
        .filter(|result| **result == Err(EgressError::Busy))
        .count();
    assert_eq!(busy, 2);
    assert!(
        client.fetch_json(TENANT, &good, 1000).await.is_ok(),
        "the line has emptied"
    );
}

#[test]
fn a_useless_file_of_certificates_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, "nothing").unwrap();
    let error = certificates(&path).unwrap_err();
    assert!(
        error.to_string().contains("holds no certificate"),
        "{error}"
    );
    assert!(matches!(
        certificates(&folder.path().join("missing")),
        Err(EgressSetupError::CaFile { .. })
    ));
}

/// A certificate for `localhost` that signed itself, and its key.
fn certificate() -> (X509, openssl::pkey::PKey<openssl::pkey::Private>) {
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};

    let group = EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
    let key = openssl::pkey::PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = openssl::x509::X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "localhost").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(1).unwrap())
        .unwrap();
    builder
        .append_extension(BasicConstraints::new().ca().build().unwrap())
        .unwrap();
    let names = SubjectAlternativeName::new()
        .dns("localhost")
        .build(&builder.x509v3_context(None, None))
        .unwrap();
    builder.append_extension(names).unwrap();
    builder
        .sign(&key, openssl::hash::MessageDigest::sha256())
        .unwrap();
    (builder.build(), key)
}

#[actix_web::test]
async fn a_certificate_must_be_trusted_and_fit_the_host() {
    let (certificate, key) = certificate();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, certificate.to_pem().unwrap()).unwrap();
    let mut tls = openssl::ssl::SslAcceptor::mozilla_modern_v5(SslMethod::tls_server()).unwrap();
    tls.set_certificate(&certificate).unwrap();
    tls.set_private_key(&key).unwrap();
    let app = || App::new().route("/good", web::get().to(|| json("{}")));
    let server = HttpServer::new(app)
        .workers(1)
        .bind_openssl(("127.0.0.1", 0), tls)
        .unwrap();
    let port = server.addrs()[0].port();
    actix_web::rt::spawn(server.run());

    let fetch = async |ca_file: Option<PathBuf>, host: &str| {
        let client = EgressClient::new(EgressOptions {
            allow: vec![
                AllowedHost::parse("localhost").unwrap(),
                AllowedHost::parse("other.example").unwrap(),
            ],
            ca_file,
            timeout: Duration::from_secs(5),
            per_tenant: 2,
            resolver: Arc::new(Fixed("127.0.0.1")),
        });
        client
            .unwrap()
            .fetch_json(TENANT, &format!("https://{host}:{port}/good"), 100)
            .await
    };
    assert_eq!(
        fetch(Some(ca_file.clone()), "localhost").await,
        Ok(serde_json::json!({}))
    );
    assert!(matches!(
        fetch(None, "localhost").await,
        Err(EgressError::Unreachable(_))
    ));
    assert!(matches!(
        fetch(Some(ca_file), "other.example").await,
        Err(EgressError::Unreachable(_))
    ));
}
