//! What there is to administer, one file each: what it looks like as JSON, and the operations on it.

use super::operation::Operation;

pub mod administrators;
pub mod clients;
pub mod consents;
pub mod domains;
pub mod events;
pub mod external_subjects;
pub mod initial_access_tokens;
pub mod keys;
pub mod logout_deliveries;
pub mod me;
pub mod resources;
pub mod sessions;
pub mod tenants;
pub mod users;

/// Operations that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// What it is about.
    pub description: &'static str,
    /// What can be done.
    pub operations: &'static [Operation],
}

/// All of them, in the order in which they are described.
pub static SECTIONS: &[Section] = &[
    me::SECTION,
    tenants::SECTION,
    users::SECTION,
    administrators::SECTION,
    external_subjects::SECTION,
    sessions::SECTION,
    consents::SECTION,
    logout_deliveries::SECTION,
    clients::SECTION,
    initial_access_tokens::SECTION,
    resources::SECTION,
    domains::SECTION,
    keys::SECTION,
    events::SECTION,
];
