#![no_main]

tessera_fuzz::target!(proofs::dpop_proof);
