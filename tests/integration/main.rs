//! The one integration-test binary.

mod endpoints;
mod regressions;
mod specs;
mod storage;
mod support;
