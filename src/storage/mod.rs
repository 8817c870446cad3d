//! The only code that speaks to a database, and the only place that knows which one runs.
