//! The console: a tenant's administration in a browser, server-rendered and without script.
//!
//! Each page takes a [`Visitor`], asks it for its permission, calls a flow of `flows::admin` and shows a view; no rule of administration
//! lives here. A page belongs to a [`Section`], and [`sections::SECTIONS`] is the one table of them: routes and navigation are made from
//! it. Every page is there twice, for the tenant at whose address the browser is (`/console/…`) and, for operators, for any other
//! (`/console/tenants/{tenant}/…`): [`Visitor::tenant`] is the one in hand.

pub mod administrators;
pub mod audit;
pub mod branding;
pub mod clients;
pub mod clients_edit;
pub mod clients_faults;
pub mod clients_kind;
pub mod clients_samples;
pub mod clients_secret;
pub mod clients_wizard;
pub mod domains;
pub mod entry;
pub mod external_subjects;
pub mod fault;
pub mod home;
pub mod initial_access_tokens;
pub mod kept;
pub mod keys;
pub mod layout;
pub mod logout_deliveries;
pub mod notice;
pub mod parts;
pub mod reasons;
pub mod resources;
pub mod routes;
pub mod samples;
pub mod sections;
pub mod settings;
pub mod sheets;
pub mod sheets_samples;
pub mod shown_once;
pub mod snippets;
pub mod tenants;
pub mod try_it;
pub mod user;
pub mod user_access;
pub mod user_claims;
pub mod users;
pub mod visitor;

pub use layout::Shell;
pub use notice::Notice;
pub use routes::routes;
pub use sections::{Reach, Section};
pub use visitor::Visitor;

#[cfg(test)]
mod tests;
