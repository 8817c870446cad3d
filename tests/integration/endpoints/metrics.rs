//! What a node that runs says of itself.

use super::connections::{free_port, metric};
use crate::support::command::{Installation, command_test};

command_test! {
    fn a_node_says_how_passwords_wait_and_how_old_what_it_knows_is(here: Installation) {
        let metrics = free_port();
        let _server = here.serve_within(&format!("-n 4096; export TESSERA_METRICS_LISTEN=127.0.0.1:{metrics}"));
        let age = metric(metrics, "tessera_change_feed_age_seconds");
        assert!((0.0..5.0).contains(&age), "{age}");
        for (name, least) in [("tessera_hashing_queue", 0.0), ("tessera_hashing_wait_seconds_count", 0.0), ("tessera_hashing_refused", 0.0), ("process_resident_memory_bytes", 1e6)] {
            assert!(metric(metrics, name) >= least, "{name}");
        }
    }
}
