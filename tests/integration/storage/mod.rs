//! Storage on both databases: tenants kept apart, single use, commits in groups, the change feed, the schema.

mod conformance;
mod faults;
mod feed;
mod fixture;
mod group_commit;
mod plans;
mod repositories;
mod schema;
mod single_use;

/// Somebody, for tests of other parts.
pub fn fixture_user(clock: &tessera::clock::Clock) -> tessera::domain::user::User {
    fixture::user(clock, "ada@acme.example")
}
