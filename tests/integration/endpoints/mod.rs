//! Endpoints and commands.
