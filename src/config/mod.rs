//! Settings: typed, validated once, documenting themselves.
//!
//! One table ([`settings`]) names every setting with its type, default and meaning. It alone drives the [`Config`] type, the reading of the TOML
//! file, the environment and the flags (each over the one before), the refusal of unknown keys, and the reference page
//! ([`reference_page`]).
//!
//! Left out: whatever a tenant decides for itself (token lifetimes, password policy); that lives with the tenant.

mod allowed_host;
mod database_url;
mod error;
mod public_url;
mod reference;
mod settings;
mod sources;
mod suggest;
mod trusted_proxies;
mod value;

pub use allowed_host::AllowedHost;
pub use database_url::DatabaseUrl;
pub use error::{ConfigError, ConfigErrors, Origin};
pub use public_url::{Mode, Place, PublicUrl, PublicUrlError, ROOT_SEGMENTS};
pub use reference::reference_page;
pub use settings::{Config, Reach, SETTINGS, Setting};
pub use sources::{Flags, Sources};
pub use suggest::nearest;
pub use trusted_proxies::{Client, ForwardedHeader, Network, Scheme, TrustedProxies};
pub use value::{ByteSize, HeaderName, LogFilter, LogFormat, Value};
