//! The key to a tenant's rows.

use crate::domain::ids::TenantId;

/// Proof that a tenant was found in the database: only storage makes one, from a row that it read, so that a tenant's identifier
/// taken from a request can't open anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TenantScope(TenantId);

impl TenantScope {
    pub(super) const fn of_stored(id: TenantId) -> Self {
        Self(id)
    }

    /// The tenant.
    pub const fn id(self) -> TenantId {
        self.0
    }
}

impl AsRef<TenantScope> for TenantScope {
    fn as_ref(&self) -> &TenantScope {
        self
    }
}
