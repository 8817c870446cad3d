#![no_main]

tessera_fuzz::target!(redirect_uri);
