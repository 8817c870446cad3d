//! The only place that opens connections outward.
