//! Notes for the change feed: a write to a cached entity adds a row in the same transaction.

use diesel::prelude::*;
use uuid::Uuid;

use super::connection::AnyConnection;
use super::error::Result;
use super::schema::changes;
use super::types::{DbInstant, DbUuid};
use crate::clock::Timestamp;
use crate::domain::ids::TenantId;

/// A kind of thing that is kept in caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entity {
    /// The tenant itself, its settings, addresses, resources and keys.
    Tenant,
    /// A client.
    Client,
    /// A person: whether they are active, their roles and claims.
    User,
    /// A grant.
    Grant,
    /// The tokens that were revoked one by one.
    RevokedToken,
    /// A logout token that is to be delivered. Told in this process alone: the first to look delivers it.
    LogoutDelivery,
}

impl Entity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Client => "client",
            Self::User => "user",
            Self::Grant => "grant",
            Self::RevokedToken => "revoked_token",
            Self::LogoutDelivery => "logout_delivery",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [
            Self::Tenant,
            Self::Client,
            Self::User,
            Self::Grant,
            Self::RevokedToken,
        ]
        .into_iter()
        .find(|entity| entity.as_str() == text)
    }
}

/// Something that caches keep has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose it is.
    pub tenant: TenantId,
    /// What kind of thing.
    pub entity: Entity,
    /// Which.
    pub id: Uuid,
}

/// What caches are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// These have changed.
    Changes(&'a [Change]),
    /// Anything may have changed: the feed has begun, or was away so long that notes may be gone.
    Everything,
}

pub(super) fn insert(connection: &mut AnyConnection, change: Change, now: Timestamp) -> Result<()> {
    diesel::insert_into(changes::table)
        .values((
            changes::tenant_id.eq(DbUuid::from(change.tenant)),
            changes::entity.eq(change.entity.as_str()),
            changes::entity_id.eq(DbUuid(change.id)),
            changes::created_at.eq(DbInstant(now)),
        ))
        .execute(connection)?;
    Ok(())
}
