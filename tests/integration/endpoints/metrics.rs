//! What a node that runs says of itself.

use super::connections::{free_port, metric};
use crate::support::browser::Browser;
use crate::support::command::{Installation, command_test};
use crate::support::http::Http;

command_test! {
    fn a_node_says_how_passwords_wait_and_how_old_what_it_knows_is(here: Installation) {
        here.tenant("acme");
        let metrics = free_port();
        let server = here.serve_within(&format!("-n 4096; export TESSERA_METRICS_LISTEN=127.0.0.1:{metrics}"));
        let age = metric(metrics, "tessera_change_feed_age_seconds");
        assert!((0.0..5.0).contains(&age), "{age}");
        let waited = || metric(metrics, "tessera_hashing_wait_seconds_count");
        assert!(waited() < 0.5);
        actix_web::rt::System::new().block_on(async {
            let mut browser = Browser::new(Http::new(server.port()));
            let page = browser.open(&format!("http://localhost:{}/t/acme/login", server.port())).await;
            let fields = [("username", "nobody@acme.example"), ("password", "a wrong password")];
            assert_eq!(browser.submit(&page, &fields).await.answer.status, 400);
        });
        assert!(waited() > 0.5);
        assert!(metric(metrics, "tessera_hashing_refused") < 0.5);
        assert!(metric(metrics, "process_resident_memory_bytes") > 1e6);
    }
}
