//! The table of the console's sections.

use actix_web::web;

use super::{
    administrators, audit, branding, clients, domains, home, keys, logout_deliveries, resources,
    settings, tenants, users,
};
use crate::flows::admin::Permission;

/// A part of the console with an entry in the navigation.
#[derive(Debug)]
pub struct Section {
    /// Below the console's address: empty, or beginning with `/`.
    pub path: &'static str,
    /// The message that names it.
    pub label: &'static str,
    /// What one must be allowed to, to see it at all.
    pub needs: Option<Permission>,
    /// For which tenants it is there.
    pub reach: Reach,
    /// Its routes, relative to the console's address.
    pub routes: fn(&mut web::ServiceConfig),
}

/// For which tenants a section is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// For each.
    Tenant,
    /// Once, for the installation: at the operators' own console.
    Installation,
}

/// Every section, in the order of the navigation. A new one is added here and nowhere else.
pub static SECTIONS: &[&Section] = &[
    &home::SECTION,
    &users::SECTION,
    &clients::SECTION,
    &resources::SECTION,
    &logout_deliveries::SECTION,
    &settings::SECTION,
    &branding::SECTION,
    &domains::SECTION,
    &keys::SECTION,
    &administrators::SECTION,
    &audit::SECTION,
    &tenants::SECTION,
];
