#![no_main]

tessera_fuzz::target!(pages::languages);
