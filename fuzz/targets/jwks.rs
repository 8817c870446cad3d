#![no_main]

tessera_fuzz::target!(jose::jwks);
