#![no_main]

tessera_fuzz::target!(addresses::forwarded);
