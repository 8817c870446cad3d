#![no_main]

tessera_fuzz::target!(login_hint);
