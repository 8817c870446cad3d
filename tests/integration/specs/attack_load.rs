//! SECURITY, "Load and input": who sends without end, slowly, packed, nested or in two framings at once is answered 4xx, loses the
//! connection, and costs next to nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use serde_json::json;

use super::seed::Scene;
use crate::support::admin::Admin;
use crate::support::app::{TestApp, app_test, on_both};
use crate::support::command::{Installation, command_test};

/// What a server does with bytes that come as they come.
#[derive(Debug)]
struct Seen {
    answer: String,
    /// When it closed the connection; none where it didn't within [`PATIENCE`].
    closed_after: Option<Duration>,
}

impl Seen {
    fn answers(&self) -> usize {
        self.answer.matches("HTTP/1.1 ").count()
    }
}

const PATIENCE: Duration = Duration::from_secs(6);

/// Sends `head` at once and then `drip` again and again, a piece each tenth of a second, until the server closes.
async fn drip(app: &TestApp, head: String, drip: &'static str) -> Seen {
    let port = app.port();
    let work = move || {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        stream
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("set");
        let _ = stream.write_all(head.as_bytes());
        let (mut answer, mut chunk) = (Vec::new(), [0; 4096]);
        let mut closed_after = None;
        while begun.elapsed() < PATIENCE {
            match stream.read(&mut chunk) {
                Ok(0) => {
                    closed_after = Some(begun.elapsed());
                    break;
                }
                Ok(read) => answer.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    let _ = stream.write_all(drip.as_bytes());
                }
                Err(_) => {
                    closed_after = Some(begun.elapsed());
                    break;
                }
            }
        }
        Seen {
            answer: String::from_utf8_lossy(&answer).into_owned(),
            closed_after,
        }
    };
    actix_web::rt::task::spawn_blocking(work)
        .await
        .expect("sent")
}

fn host(app: &TestApp) -> String {
    format!("localhost:{}", app.port())
}

fn post(app: &TestApp, more: &str) -> String {
    format!(
        "POST /t/acme/token HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n{more}",
        host(app)
    )
}

const HASTY: &str = "header_timeout = '1s'\nbody_timeout = '1s'\nkeep_alive = '2s'\n";

#[test]
fn who_trickles_a_request_loses_the_connection() {
    on_both(HASTY, |app| async move {
        let scene = Scene::new(app).await;
        let (app, host) = (&scene.app, host(&scene.app));
        let whole = format!("GET /t/acme/jwks HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let rows = [
            // Nothing but waiting, a head that never ends, and one that never ends after a request that did.
            ("silence", String::new(), "", 1),
            (
                "a head",
                format!("GET /t/acme/jwks HTTP/1.1\r\nHost: {host}\r\n"),
                "X-A: b\r\n",
                1,
            ),
            ("a line", "GET /t/acme/jwks?".to_owned(), "a", 1),
            (
                "a second head",
                format!("{whole}GET /t/acme/jwks HTTP/1.1\r\n"),
                "X-A: b\r\n",
                2,
            ),
            ("idleness", whole.clone(), "", 1),
            // Bodies that are waited for, with a length and without.
            ("a body", post(app, "Content-Length: 60000\r\n\r\n"), "a", 1),
            (
                "chunks",
                post(app, "Transfer-Encoding: chunked\r\n\r\n"),
                "1\r\na\r\n",
                1,
            ),
            // Bodies that nobody waits for.
            (
                "a body for nothing",
                format!(
                    "GET /t/acme/jwks HTTP/1.1\r\nHost: {host}\r\nContent-Length: 60000\r\n\r\n"
                ),
                "a",
                1,
            ),
            (
                "chunks for nothing",
                format!(
                    "GET /t/acme/jwks HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
                ),
                "1\r\na\r\n",
                1,
            ),
        ];
        let tries = rows.map(|(name, head, piece, answers)| async move {
            (name, answers, drip(app, head, piece).await)
        });
        let seen = futures_util::future::join_all(tries).await;
        let held: Vec<_> = seen
            .iter()
            .filter(|(_, answers, seen)| seen.closed_after.is_none() || seen.answers() > *answers)
            .collect();
        assert!(held.is_empty(), "{held:#?}");
        // The twin: a body that takes half the time is read.
        let slow = format!(
            "{}a=bcd",
            post(app, "Connection: close\r\nContent-Length: 10\r\n\r\n")
        );
        let seen = drip(app, slow, "e").await;
        assert!(
            seen.answer.starts_with("HTTP/1.1 401") && seen.answer.contains("invalid_client"),
            "{seen:?}"
        );
        assert_eq!(app.get(&scene.tenant.url("/jwks")).send().await.status, 200);
    });
}

/// Nobody is told that what they sent was too large.
#[test]
fn who_trickles_a_body_is_told_that_it_took_too_long() {
    on_both(HASTY, |app| async move {
        let scene = Scene::new(app).await;
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let user = format!("/tenants/acme/users/{}", scene.user.id);
        let tag = admin
            .get(&user)
            .await
            .header("etag")
            .expect("a tag")
            .to_owned();
        let (form, json) = ("application/x-www-form-urlencoded", "application/json");
        let bearer = format!("Authorization: Bearer {}\r\n", admin.token);
        let changing = format!("{bearer}If-Match: {tag}\r\n");
        let page = "Accept: text/html\r\n";
        let too_slow = "That took too long";
        let rows = [
            ("POST /t/acme/login", form, page, too_slow),
            // By whatever a browser is: a form of ours is answered by a page.
            ("POST /t/acme/login", form, "", too_slow),
            ("POST /t/acme/account/password", form, page, too_slow),
            (
                "POST /t/acme/token",
                form,
                "",
                "\"error\":\"request_timeout\"",
            ),
            (
                "POST /t/acme/par",
                form,
                "",
                "\"error\":\"request_timeout\"",
            ),
            (
                "POST /t/acme/register",
                json,
                "",
                "\"error\":\"request_timeout\"",
            ),
            ("PATCH /api/v1", json, &changing, "\"code\":\"timeout\""),
            ("POST /api/v1/users", json, &bearer, "\"code\":\"timeout\""),
        ];
        let (app, host) = (&scene.app, host(&scene.app));
        let tries = rows.map(|(line, kind, more, told)| {
            let line = match line {
                "PATCH /api/v1" => format!("{line}{user}"),
                "POST /api/v1/users" => "POST /api/v1/tenants/acme/users".to_owned(),
                line => line.to_owned(),
            };
            let head = format!(
                "{line} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n{more}Content-Length: 60000\r\n\r\n"
            );
            async move { (line, told, drip(app, head, "a").await) }
        });
        for (line, told, seen) in futures_util::future::join_all(tries).await {
            assert!(
                seen.answer.starts_with("HTTP/1.1 408") && seen.answer.contains(told),
                "{line}: {seen:?}"
            );
            assert!(
                !seen.answer.contains("too large") && seen.answers() == 1,
                "{line}: {seen:?}"
            );
            assert!(seen.closed_after.is_some(), "{line}");
        }
    });
}

app_test! {
    async fn two_framings_of_one_request_are_refused_and_the_connection_closed(app: TestApp) {
        let scene = Scene::new(app).await;
        let app = &scene.app;
        let next = format!("GET /t/acme/jwks HTTP/1.1\r\nHost: {}\r\n\r\n", host(app));
        let rows = [
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
            "Content-Length: 4\r\nContent-Length: 5\r\n\r\na=b&", "Content-Length: 4, 4\r\n\r\na=b&", "Content-Length: +4\r\n\r\na=b&", "Content-Length: -1\r\n\r\n",
            "Content-Length: 0x4\r\n\r\na=b&", "Content-Length: 18446744073709551617\r\n\r\na", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nzz\r\na\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na\r\n0\r\n\r\n",
        ];
        for row in rows {
            let seen = drip(app, format!("{}{next}", post(app, row)), "").await;
            assert!(seen.closed_after.is_some(), "{row:?}: {seen:?}");
            // What the server hasn't read by then makes its system reset the connection, which may overtake the answer.
            let refused = seen.answer.starts_with("HTTP/1.1 400") && seen.answers() == 1;
            assert!(refused || seen.answer.is_empty(), "{row:?}: {seen:?}");
        }
        let old = format!("POST /t/acme/token HTTP/1.0\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{next}", host(app));
        let seen = drip(app, old, "").await;
        let refused = seen.answer.starts_with("HTTP/1.1 400") || seen.answer.starts_with("HTTP/1.0 400");
        assert!(refused || seen.answer.is_empty() && seen.closed_after.is_some(), "{seen:?}");
        // The twins: each framing by itself, and the next request is the next request.
        for row in ["Content-Length: 3\r\n\r\na=b", "Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n"] {
            let last = next.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
            let seen = drip(app, format!("{}{last}", post(app, row)), "").await;
            assert!(seen.answer.contains("HTTP/1.1 200") && seen.answers() == 2, "{row:?}: {seen:?}");
        }
    }

    async fn two_hosts_are_none_and_a_strange_one_is_never_in_an_answer(app: TestApp) {
        let scene = Scene::new(app).await;
        let (app, host) = (&scene.app, host(&scene.app));
        let path = "/t/acme/.well-known/openid-configuration";
        let ask = |first: String, headers: String| drip(app, format!("GET {first} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"), "");
        for headers in [
            format!("Host: {host}\r\nHost: {host}\r\n"), format!("Host: {host}\r\nHost: evil.example\r\n"), format!("Host: evil.example\r\nhost: {host}\r\n"),
            format!("Host: {host}, evil.example\r\n"), format!("Host: {host}@evil.example\r\n"), format!("Host: {host}/evil\r\n"), String::new(),
            "Host: \r\n".to_owned(), format!("Host: evil.example\r\nX-Forwarded-Host: {host}\r\n"),
        ] {
            let seen = ask(path.to_owned(), headers.clone()).await;
            assert!(seen.answer.starts_with("HTTP/1.1 40"), "{headers:?}: {seen:?}");
            assert!(!seen.answer.contains("evil"), "{headers:?}: {seen:?}");
        }
        for (first, headers) in [
            (path.to_owned(), format!("Host: {host}\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\nX-Host: evil.example\r\n")),
            // RFC 9112 §3.2.2: the target's authority is the one that counts.
            (format!("http://{host}{path}"), "Host: evil.example\r\n".to_owned()),
        ] {
            let seen = ask(first, headers.clone()).await;
            assert!(seen.answer.starts_with("HTTP/1.1 200") && seen.answer.contains(&scene.tenant.issuer), "{headers:?}: {seen:?}");
            assert!(!seen.answer.contains("evil"), "{headers:?}: {seen:?}");
        }
    }

    async fn packed_bodies_are_not_unpacked(app: TestApp) {
        let scene = Scene::new(app).await;
        let form = "application/x-www-form-urlencoded";
        for path in ["/par", "/token", "/introspect", "/revoke", "/userinfo", "/login", "/consent", "/logout", "/authorize"] {
            for coding in ["gzip", "deflate", "br", "zstd", "identity, gzip", "x"] {
                let packed = scene.app.http.post(&scene.tenant.url(path)).header("content-encoding", coding).body(form, "grant_type=client_credentials");
                let answer = packed.send().await;
                assert_eq!(answer.status, 415, "{path} {coding}: {}", answer.body);
            }
        }
        let admin = Admin::program(&scene.app, &scene.tenant).await;
        let send = async |email: &str, coding: &str| {
            let request = admin.request(Method::POST, "/tenants/acme/users").header("content-encoding", coding);
            request.body("application/json", json!({ "email": email }).to_string()).send().await
        };
        for coding in ["gzip", "identity, gzip", "x"] {
            let answer = send("new@acme.example", coding).await;
            assert!(answer.status == 415 && answer.body.contains("Content-Encoding"), "{coding}: {}", answer.body);
        }
        assert_eq!(send("new@acme.example", "identity").await.status, 201);
        let machine = scene.app.machine_client(&scene.tenant, "").await;
        for coding in ["identity", "Identity", ""] {
            let request = scene.app.post(&scene.tenant.url("/token"), &[("grant_type", "client_credentials")]);
            let answer = request.basic(&machine.client_id(), machine.secret()).header("content-encoding", coding).send().await;
            assert_eq!(answer.status, 200, "{coding}: {}", answer.body);
        }
    }

    async fn a_hundred_thousand_of_anything_are_refused_at_once(app: TestApp) {
        let scene = Scene::new(app).await;
        let (scopes, locales) = ("a ".repeat(100_000), "de ".repeat(333_334));
        let within = ("b ".repeat(25_000), "de ".repeat(18_000), "resource=https%3A%2F%2Fapi.example&".repeat(150));
        let tries = [
            ("scope", scopes.as_str(), false), ("ui_locales", &locales, false), ("scope", &within.0, false),
            // A hint may be ignored, and is, but for its beginning.
            ("ui_locales", &within.1, true), ("claims_locales", &within.1, true), ("acr_values", &within.1, true),
        ];
        for (name, value, fine) in tries {
            let url = scene.rp.authorization_url(&[(name, value)]);
            let (address, query) = url.split_once('?').expect("a query");
            let begun = Instant::now();
            let line = format!("GET /t/acme/authorize?{query} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", host(&scene.app));
            let by_get = drip(&scene.app, line, "").await.answer;
            let by_post = scene.app.http.post(address).body("application/x-www-form-urlencoded", query).send().await;
            assert!(begun.elapsed() < Duration::from_secs(2), "{name}: {:?}", begun.elapsed());
            let by_get = (by_get.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0), by_get.contains("error="));
            let told = by_post.header("location").is_some_and(|location| location.contains("error="));
            for (method, (status, told)) in [("GET", by_get), ("POST", (by_post.status, told))] {
                let refused = (400..500).contains(&status) || (status == 303 && told);
                let good = (200..400).contains(&status) && !told;
                assert!(if fine { good } else { refused }, "{method} {name} {}: {status}", value.len());
            }
        }
        let url = format!("{}&{}", scene.rp.authorization_url(&[]), within.2);
        assert_eq!(scene.app.get(&url).send().await.location_param("error").as_deref(), Some("invalid_target"));
        assert!(!scene.code().await.is_empty());
    }

    async fn what_is_nested_too_deep_is_refused(app: TestApp) {
        let scene = Scene::new(app).await;
        for deep in [
            format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)), format!("{}1{}", r#"{"userinfo":"#.repeat(1_200), "}".repeat(1_200)),
            format!(r#"{{"id_token":{{"acr":{{"values":{}{}}}}}}}"#, "[".repeat(5_000), "]".repeat(5_000)),
        ] {
            let url = scene.rp.authorization_url(&[("claims", &deep)]);
            let answer = scene.app.get(&url).send().await;
            assert_eq!(answer.location_param("error").as_deref(), Some("invalid_request"), "{} {}", answer.status, answer.body);
        }
        let sound = scene.rp.authorization_url(&[("claims", r#"{"userinfo":{"email":{"essential":true}}}"#)]);
        assert_eq!(scene.app.browser().open(&sound).await.answer.status, 200);
    }
}

command_test! {
    fn metadata_nested_too_deep_is_refused(here: Installation) {
        here.tenant("acme");
        let metadata = json!({ "client_name": "Board", "redirect_uris": ["https://board.example/cb"] }).to_string();
        let create = |file: &str| ["client", "create", "--tenant", "acme", "--metadata-file", file].map(str::to_owned);
        for (number, deep) in [
            format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000)),
            metadata.replace("\"Board\"", &format!("{}1{}", r#"{"a":"#.repeat(200_000), "}".repeat(200_000))),
        ].iter().enumerate() {
            let file = here.file(&format!("deep-{number}.json"), deep);
            let done = here.run(&create(&file).each_ref().map(String::as_str));
            assert_eq!((done.code, done.out.as_str()), (1, ""), "{}", done.err);
            assert!(done.err.len() < 2_000, "{}", done.err.len());
        }
        let file = here.file("sound.json", &metadata);
        here.ok(&create(&file).each_ref().map(String::as_str));
    }
}
