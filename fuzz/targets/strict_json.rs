#![no_main]

tessera_fuzz::target!(jose::strict_json);
