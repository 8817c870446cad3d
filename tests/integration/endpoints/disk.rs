//! SECURITY, "Faults": a disk that takes no more. The process may write no further than a limit, as on a full disk; SQLite's own error is
//! the same from there on.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::browser::Browser;
use crate::support::command::{Installation, Server};
use crate::support::http::{Answer, Http};

const PASSWORD: &str = "correct horse battery";

/// Sets the soft limit of what the process may write into any file; the hard one stays, so that everybody may raise it again.
fn limit(server: &Server, bytes: &str) {
    let set = Command::new("prlimit")
        .args([
            "--pid",
            &server.pid().to_string(),
            &format!("--fsize={bytes}:"),
        ])
        .status()
        .expect("prlimit, of util-linux");
    assert!(set.success());
}

async fn attempt(server: &Server, issuer: &str, password: &str) -> Answer {
    let mut browser = Browser::new(Http::new(server.port()));
    let page = browser.open(&format!("{issuer}/login")).await;
    assert_eq!(page.answer.status, 200, "a page needs no write");
    let fields = [("username", "ana@acme.example"), ("password", password)];
    browser.submit(&page, &fields).await.answer
}

#[test]
fn a_full_disk_fails_writes_serves_reads_and_heals() {
    let here = Installation::sqlite().ready();
    here.tenant("acme");
    here.json_with(
        PASSWORD,
        &[
            "user",
            "create",
            "--tenant",
            "acme",
            "--email",
            "ana@acme.example",
            "--password-stdin",
        ],
    );
    let machine = here.json(&[
        "client",
        "create",
        "--tenant",
        "acme",
        "--name",
        "Job",
        "--grant-type",
        "client_credentials",
    ]);
    let server = here.serve_without_xfsz();
    let issuer = format!(
        "{}/t/acme",
        server.document["root"].as_str().expect("a root")
    );
    let http = Http::new(server.port());
    let text = |name: &str| machine[name].as_str().expect("a text");
    actix_web::rt::System::new().block_on(async {
        let get = |path: &str| http.get(&format!("{issuer}{path}")).send();
        let token = || {
            let request = http.post(&format!("{issuer}/token"));
            let request = request.basic(text("client_id"), text("client_secret"));
            request.form(&[("grant_type", "client_credentials")]).send()
        };
        assert_eq!(attempt(&server, &issuer, PASSWORD).await.status, 200);
        assert_eq!(attempt(&server, &issuer, "wrong").await.status, 400);

        limit(&server, "4096");
        for password in [PASSWORD, "wrong", PASSWORD] {
            let answer = attempt(&server, &issuer, password).await;
            answer.expect_error(503, "temporarily_unavailable");
            assert!(answer.header("retry-after").is_some());
            // Neither verifiers nor who only reads notices anything.
            for path in ["/jwks", "/.well-known/openid-configuration", "/login"] {
                assert_eq!(get(path).await.status, 200, "{path}");
            }
            assert_eq!(token().await.status, 200);
        }

        limit(&server, "unlimited");
        let begun = Instant::now();
        // At once, or at the next write, as the writer makes itself a fresh handle.
        while attempt(&server, &issuer, PASSWORD).await.status != 200 {
            assert!(begun.elapsed() < Duration::from_secs(10), "it doesn't heal");
        }
        assert_eq!(attempt(&server, &issuer, "wrong").await.status, 400);
    });
    // What was answered is there, and nothing else is.
    assert_eq!(here.events("acme", "signin.succeeded"), 2);
    assert_eq!(here.events("acme", "signin.failed"), 2);
    let checked = here
        .raw()
        .texts("SELECT integrity_check AS value FROM pragma_integrity_check");
    assert_eq!(checked, ["ok"]);
    assert_eq!(server.terminate().0, Some(0));
}
