#![no_main]

tessera_fuzz::target!(oauth::backchannel_request);
