#![no_main]

tessera_fuzz::target!(http::http);
