#![no_main]

tessera_fuzz::target!(client_assertion);
