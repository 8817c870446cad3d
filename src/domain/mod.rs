//! Tenants, people, clients, sessions, grants and keys: entities whose stages are enums that carry each stage's data, so that an
//! illegal stage can't be written. No I/O; what is stored of an entity is `storage`'s business.
#![deny(missing_docs)]

pub mod address;
pub mod audit;
pub mod backchannel_request;
pub mod branding;
pub mod client;
pub mod consent;
pub mod device_code;
pub mod device_secret;
pub mod external_subject;
pub mod grant;
pub mod ids;
pub mod initial_access_token;
pub mod key;
pub mod logout_delivery;
pub mod one_time_link;
pub mod pushed_request;
pub mod resource;
pub mod role;
pub mod session;
pub mod settings;
pub mod tenant;
pub mod throttle;
pub mod user;
