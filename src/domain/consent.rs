//! What a person has allowed a client, remembered.

use serde::Serialize;

use super::ids::{ClientId, UserId};
use crate::clock::Timestamp;
use crate::protocol::scope::Scope;

/// A remembered consent: the sum of what the person allowed the client.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Consent {
    /// Who allowed it.
    pub user_id: UserId,
    /// To whom.
    pub client_id: ClientId,
    /// Every scope allowed so far.
    pub scope: Scope,
    /// Every resource allowed so far.
    pub resources: Vec<String>,
    /// When first.
    pub created_at: Timestamp,
    /// When last.
    pub updated_at: Timestamp,
}

impl Consent {
    /// Whether what is asked for has been allowed before.
    pub fn covers(&self, scope: &Scope, resources: &[String]) -> bool {
        scope.is_subset_of(&self.scope)
            && resources
                .iter()
                .all(|resource| self.resources.contains(resource))
    }
}
