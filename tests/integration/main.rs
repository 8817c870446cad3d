//! The one integration-test binary.
//!
//! Without the filter by tenant (`without-scoping`) it has what is asked of row-level security alone: the rest needn't be built twice.

#![cfg_attr(
    feature = "without-scoping",
    allow(
        dead_code,
        unused_imports,
        unused_macros,
        reason = "what only those tests need that aren't there"
    )
)]

#[cfg(not(feature = "without-scoping"))]
mod endpoints;
mod isolation;
#[cfg(not(feature = "without-scoping"))]
mod regressions;
#[cfg(not(feature = "without-scoping"))]
mod specs;
mod storage;
mod support;
