#![no_main]

tessera_fuzz::target!(strict_json);
