#![no_main]

tessera_fuzz::target!(oauth::claims_parameter);
