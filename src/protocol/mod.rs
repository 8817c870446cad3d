//! Pure wire types and rules, one file per specification: no I/O, no actix, no diesel.
