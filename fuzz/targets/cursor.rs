#![no_main]

tessera_fuzz::target!(api::cursor);
