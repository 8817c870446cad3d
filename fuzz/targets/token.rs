#![no_main]

tessera_fuzz::target!(oauth::token);
