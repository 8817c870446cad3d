#![no_main]

tessera_fuzz::target!(dpop_proof);
