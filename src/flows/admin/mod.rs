//! What administrators and operators do. The command line calls these flows; whatever else administers (an API, a console) has to come
//! through them too, so that each rule and each audit event exists once.
//!
//! Every flow takes [`By`], who acts and from where, and writes its audit event in the transaction of the act. Updates take the record
//! as it was read and refuse with [`AdminError::Stale`] where somebody else came first.

mod allow;
mod authority;
mod bulk;
mod clients;
mod domains;
mod erasure;
mod error;
mod events;
mod external_subjects;
mod initial_access_tokens;
mod keys;
mod links;
mod logout_deliveries;
mod master_key;
mod once;
mod operators;
mod resources;
mod roles;
mod sessions;
mod tenants;
mod users;

pub use authority::{Area, Authority, DoorError, Permission, Principal, Subject};
pub use bulk::{
    Existing, Exported, ImportFailure, Imported, Mode, NewClientSecret, Problem, SecretKeeper,
    Secrets,
};
pub(in crate::flows) use clients::delete_client_row;
pub use clients::{DEFAULT_SECRET_OVERLAP, RegisteredClient, client_information};
pub use domains::{
    FileProblem, RecordProblem, Unproved, VERIFICATION_PATH, removal_consequences,
    verification_record,
};
pub use error::{AdminError, By};
pub use events::{EventList, Overview, actor_of, operator_of};
pub use external_subjects::NewExternalSubject;
pub(in crate::flows) use external_subjects::name_of as external_name;
pub use initial_access_tokens::{IssuedInitialAccessToken, NewInitialAccessToken};
pub use links::IssuedLink;
pub use once::{REMEMBERED, Repeated};
pub use resources::NewResource;
pub use sessions::ConsentOf;
pub use tenants::{SYSTEM_NAME, change_setting};
pub use users::{CreatedUser, Disabled, NewUser};
