//! Secrets as types: what is handed out, what is stored of it.
