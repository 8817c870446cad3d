#![no_main]

tessera_fuzz::target!(bearer_assertion);
