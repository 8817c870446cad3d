#![no_main]

tessera_fuzz::target!(request_uri);
