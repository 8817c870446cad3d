#![no_main]

tessera_fuzz::target!(encrypted::jwe);
