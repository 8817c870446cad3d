//! Who administers a tenant.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A role of a tenant. In the built-in tenant `system`, `Administrator` is an operator of the installation.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything in the tenant.
    Administrator,
    /// People and their sessions.
    UserManager,
    /// Clients and resources.
    ClientManager,
    /// Reads everything, changes nothing.
    Auditor,
}

/// The text is none of the roles.
#[derive(Debug, thiserror::Error)]
#[error("unknown role `{0}`; known are administrator, user-manager, client-manager and auditor")]
pub struct UnknownRole(String);

impl Role {
    /// All roles, the strongest first.
    pub const ALL: [Self; 4] = [
        Self::Administrator,
        Self::UserManager,
        Self::ClientManager,
        Self::Auditor,
    ];

    /// The name in tokens, on the command line and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::UserManager => "user-manager",
            Self::ClientManager => "client-manager",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownRole(text.chars().take(64).collect()))
    }
}
