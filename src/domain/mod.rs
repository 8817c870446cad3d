//! Tenants, people, clients, sessions, grants and keys: entities whose stages are enums that carry each stage's data.
