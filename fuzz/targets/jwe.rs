#![no_main]

tessera_fuzz::target!(jwe);
