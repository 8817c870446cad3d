#![no_main]

tessera_fuzz::target!(jose::request_object);
