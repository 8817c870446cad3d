//! Work that no request asks for: expiry, key rotation, the change feed's readers.
