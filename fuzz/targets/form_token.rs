#![no_main]

tessera_fuzz::target!(form_token);
