#![no_main]

tessera_fuzz::target!(certificates::certificate);
