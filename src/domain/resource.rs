//! A resource: an API that accepts tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::ResourceId;
use crate::clock::Timestamp;
use crate::protocol::authorization_details::DetailsType;

/// The most scopes of one resource: as many as one request may name.
pub const SCOPES_MAX: usize = 100;

/// An API of a tenant, with its audience and scopes (RFC 8707).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// The row's identifier.
    pub id: ResourceId,
    /// The absolute URI that stands as `aud` in its tokens.
    pub identifier: String,
    /// What people read on the consent page.
    pub name: String,
    /// The scopes that it understands.
    pub scopes: Vec<ResourceScope>,
    /// The types of authorization details that it understands (RFC 9396).
    #[serde(rename = "authorization_details_types")]
    pub details_types: Vec<DetailsType>,
    /// Counts up with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One scope of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceScope {
    /// The scope-token.
    pub name: String,
    /// What the consent page says of it; the name where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Resource {
    /// Whether the scope-token belongs to this resource.
    pub fn understands(&self, scope: &str) -> bool {
        self.scopes.iter().any(|known| known.name == scope)
    }

    /// Its own words for a scope-token; empty where it has none.
    pub fn words_of(&self, scope: &str) -> &str {
        let own = self.scopes.iter().find(|known| known.name == scope);
        own.and_then(|own| own.description.as_deref())
            .unwrap_or_default()
    }
}
