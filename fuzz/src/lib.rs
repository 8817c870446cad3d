//! What strangers might send to Tessera, and what must hold of the answer. See [`bodies`]; `fuzz/run` runs it.

#![deny(missing_docs)]

pub mod bodies;

/// A target of `cargo fuzz`: the body at this path, and nothing but it. By the table each target would hold all of them, and libFuzzer looks at
/// every counter of the program after each input.
#[macro_export]
macro_rules! target {
    ($module:ident::$name:ident) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            $crate::bodies::$module::$name(data);
        });
    };
}
