#![no_main]

tessera_fuzz::target!(backchannel_request);
