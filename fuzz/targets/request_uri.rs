#![no_main]

tessera_fuzz::target!(encrypted::request_uri);
