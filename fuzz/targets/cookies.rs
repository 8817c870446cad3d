#![no_main]

tessera_fuzz::target!(browser::cookies);
