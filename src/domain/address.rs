//! Custom domains: further addresses at which a tenant is an issuer in full.

use serde::Serialize;

use super::ids::DomainId;
use crate::clock::Timestamp;

/// A custom domain of a tenant, `https://login.acme.com` say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// The row's identifier.
    pub id: DomainId,
    /// Scheme, host and port; the issuer as it stands in tokens.
    pub origin: String,
    /// Whether it has been proved to be the tenant's.
    #[serde(flatten)]
    pub stage: DomainStage,
    /// Whether mail and console name this address.
    pub canonical: bool,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Whether a domain has been proved to be the tenant's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum DomainStage {
    /// Waits for the token at the well-known address.
    Pending {
        /// What must be found there.
        verification_token: String,
    },
    /// Serves the tenant.
    Verified {
        /// Since when.
        verified_at: Timestamp,
    },
}
