#![no_main]

tessera_fuzz::target!(user_code);
