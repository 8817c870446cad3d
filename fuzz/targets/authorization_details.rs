#![no_main]

tessera_fuzz::target!(authorization_details);
