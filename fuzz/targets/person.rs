#![no_main]

tessera_fuzz::target!(people::person);
