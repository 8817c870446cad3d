#![no_main]

tessera_fuzz::target!(oauth::authorization_details);
