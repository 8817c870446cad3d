#![no_main]

tessera_fuzz::target!(clients::merge_patch);
