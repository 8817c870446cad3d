#![no_main]

tessera_fuzz::target!(jose::login_hint);
