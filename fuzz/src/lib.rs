//! What strangers might send to Tessera, and what must hold of the answer. See [`bodies`]; `fuzz/run` runs it.

#![deny(missing_docs)]

pub mod bodies;

/// Runs the body of this name.
///
/// # Panics
/// Where there is no such target, and where a promise is broken.
pub fn run(name: &str, data: &[u8]) {
    let target = bodies::TARGETS
        .iter()
        .find(|target| target.name == name)
        .unwrap_or_else(|| panic!("there is no target {name}"));
    (target.body)(data);
}

/// A target of `cargo fuzz`: the body of this name.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            $crate::run(stringify!($name), data);
        });
    };
}
