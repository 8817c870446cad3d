#![no_main]

tessera_fuzz::target!(clients::client_metadata);
