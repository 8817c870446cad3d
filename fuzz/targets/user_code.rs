#![no_main]

tessera_fuzz::target!(oauth::user_code);
