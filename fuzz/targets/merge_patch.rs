#![no_main]

tessera_fuzz::target!(merge_patch);
