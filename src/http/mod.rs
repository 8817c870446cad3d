//! The server: routes, extractors, and the forms that answers take.

pub mod pages;
