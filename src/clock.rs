//! The only source of the current time and of randomness.
