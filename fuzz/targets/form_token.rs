#![no_main]

tessera_fuzz::target!(browser::form_token);
