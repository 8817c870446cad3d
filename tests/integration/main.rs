//! The one integration-test binary.

mod endpoints;
mod isolation;
mod regressions;
mod specs;
mod storage;
mod support;
