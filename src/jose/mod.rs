//! Keys and their life cycle, signing and verification through josekit with explicit algorithm lists, sealing at rest.

pub mod seal;
