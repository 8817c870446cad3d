#![no_main]

tessera_fuzz::target!(jose::client_assertion);
