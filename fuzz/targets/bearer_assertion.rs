#![no_main]

tessera_fuzz::target!(jose::bearer_assertion);
