//! SECURITY, "Load and input": what no client sends. A clear 4xx, and the server lives on.

use std::time::Duration;

use serde_json::json;

use super::seed::Scene;
use crate::support::app::{TestApp, app_test};

/// Sends bytes as they are and reads until the server closes or falls silent.
async fn raw(app: &TestApp, request: String) -> String {
    let port = app.port();
    actix_web::rt::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connected");
        stream
            .set_read_timeout(Some(Duration::from_secs(2)))
            .expect("set");
        let _ = stream.write_all(request.as_bytes());
        let (mut answer, mut chunk) = (Vec::new(), [0; 4096]);
        while let Ok(read) = stream.read(&mut chunk) {
            if read == 0 {
                break;
            }
            answer.extend_from_slice(&chunk[..read]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    })
    .await
    .expect("sent")
}

app_test! {
    async fn ambiguous_requests_are_refused(app: TestApp) {
        let scene = Scene::new(app).await;
        let (app, host) = (&scene.app, format!("localhost:{}", scene.app.port()));
        let get = format!("GET /t/acme/jwks HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        assert!(raw(app, format!("{get}\r\n")).await.starts_with("HTTP/1.1 200"));
        let answer = raw(app, format!("{get}Host: evil.example\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        let smuggled = format!(
            "POST /t/acme/token HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 4\r\n\
             Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /t/acme/jwks HTTP/1.1\r\nHost: {host}\r\n\r\n"
        );
        let answer = raw(app, smuggled).await;
        assert!(answer.starts_with("HTTP/1.1 4") && answer.matches("HTTP/1.1 ").count() == 1, "{answer}");
    }

    async fn an_address_that_is_too_long_is_never_routed_as_it_came(app: TestApp) {
        let scene = Scene::new(app).await;
        let host = format!("localhost:{}", scene.app.port());
        let path = "/root/health/live?";
        let filler = "x".repeat(65_533 - path.len());
        let answer = raw(&scene.app, format!("GET {path}{filler} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{}", &answer[..answer.len().min(200)]);
    }

    async fn strange_bodies_and_methods_get_a_clear_answer(app: TestApp) {
        let scene = Scene::new(app).await;
        let form = "application/x-www-form-urlencoded";
        let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        let bodies = [
            (form, "grant_type=client_credentials%00"), (form, "grant_type=%ff"), (form, "grant_type=%"), ("application/json", deep.as_str()),
            ("multipart/form-data; boundary=x", "--x--"), ("text/xml", "<!DOCTYPE x SYSTEM 'file:///etc/passwd'>"),
            ("application/x-www-form-urlencoded; charset=utf-16", "a=b"),
        ];
        for path in ["/par", "/token", "/introspect", "/revoke"] {
            for (kind, body) in bodies {
                let answer = scene.app.http.post(&scene.tenant.url(path)).body(kind, body).send().await;
                assert!((400..500).contains(&answer.status), "{path} {kind}: {} {}", answer.status, answer.body);
                assert_eq!(answer.header("cache-control"), Some("no-store"), "{path} {kind}");
            }
            let huge = scene.app.http.post(&scene.tenant.url(path)).body(form, "a=".to_owned() + &"x".repeat(1 << 20)).send().await;
            assert!((400..500).contains(&huge.status), "{path}: {}", huge.status);
            for method in ["PUT", "DELETE", "PATCH", "HEAD", "TRACE", "BREW"] {
                let method = actix_web::http::Method::from_bytes(method.as_bytes()).expect("a method");
                assert_eq!(scene.app.http.request(method, &scene.tenant.url(path)).send().await.status, 405, "{path}");
            }
        }
        let packed = scene.app.http.post(&scene.tenant.url("/token")).header("content-encoding", "gzip").body(form, vec![0x1f, 0x8b, 8, 0]).send().await;
        assert!((400..500).contains(&packed.status));
    }

    async fn metacharacters_are_literal(app: TestApp) {
        let scene = Scene::new(app).await;
        for text in ["' OR '1'='1", "x'; DROP TABLE clients; --", "*)(uid=*", "%", "\u{202e}", "${jndi:ldap://x}"] {
            let url = scene.tenant.url("/token");
            scene.app.post(&url, &[("grant_type", "client_credentials")]).basic(text, text).send().await.expect_error(401, "invalid_client");
            scene.rp.refresh(text).await.expect_error(400, "invalid_grant");
            scene.rp.redeem(text).await.expect_error(400, "invalid_grant");
            assert_eq!(scene.rp.introspect(text).await, json!({ "active": false }));
        }
        assert!(scene.tokens().await["access_token"].is_string());
    }

    async fn a_forged_origin_is_not_reflected(app: TestApp) {
        let scene = Scene::public(app).await;
        let url = scene.tenant.url("/token");
        let ask = |origin: &str| scene.app.post(&url, &[]).header("origin", origin).send();
        assert_eq!(ask("https://board.example").await.header("access-control-allow-origin"), Some("https://board.example"));
        for origin in ["https://evil.example", "null", "https://board.example.evil.example", "http://board.example", "https://board.example:444", "*"] {
            let answer = ask(origin).await;
            assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
    }
}
