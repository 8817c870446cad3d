#![no_main]

tessera_fuzz::target!(claims_parameter);
