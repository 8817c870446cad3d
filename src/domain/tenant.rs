//! A tenant: one customer with its own issuer, people, clients, keys and settings.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branding::Branding;
use super::ids::TenantId;
use super::settings::TenantSettings;
use crate::clock::Timestamp;
use crate::protocol::slug::Slug;

/// The slug of the built-in tenant that holds the installation's operators.
pub const SYSTEM_SLUG: &str = crate::protocol::slug::SYSTEM;

/// A tenant as it is stored. What a request works with adds its addresses and keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TenantRecord {
    /// The permanent identifier.
    pub id: TenantId,
    /// The name in addresses.
    pub slug: Slug,
    /// What people read.
    pub name: String,
    /// Whether it may be used.
    pub status: TenantStatus,
    /// Lifetimes and policies.
    pub settings: TenantSettings,
    /// Logo and colours.
    pub branding: Branding,
    /// Counts up with every change; the `ETag` of the administration.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl TenantRecord {
    /// Whether this is the built-in tenant of the operators.
    pub fn is_system(&self) -> bool {
        self.slug.as_str() == SYSTEM_SLUG
    }
}

/// Whether a tenant may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TenantStatus {
    /// In use.
    Active,
    /// Closed on everything but JWKS and discovery; can be resumed.
    Suspended,
    /// Being deleted: as if it weren't there, and its data key is gone.
    Deleting,
}

impl TenantStatus {
    /// The name in the database and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
        }
    }
}

impl fmt::Display for TenantStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no status.
#[derive(Debug, thiserror::Error)]
#[error("unknown status")]
pub struct UnknownStatus;

impl FromStr for TenantStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Active, Self::Suspended, Self::Deleting]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(UnknownStatus)
    }
}

/// The text isn't a name that people can read.
#[derive(Debug, thiserror::Error)]
#[error("a name has 1 to {max} characters, no control characters and no space at its ends", max = DISPLAY_NAME_MAX)]
pub struct InvalidName;

/// The longest name of a tenant, client or resource, in characters.
pub const DISPLAY_NAME_MAX: usize = 200;

/// Checks a name that people read: of a tenant, a client or a resource.
pub fn check_display_name(name: &str) -> Result<(), InvalidName> {
    let length = name.chars().count();
    let sound = (1..=DISPLAY_NAME_MAX).contains(&length)
        && name.trim() == name
        && !name.chars().any(char::is_control);
    if sound { Ok(()) } else { Err(InvalidName) }
}
