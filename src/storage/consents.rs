//! What people have allowed clients, remembered.

use diesel::prelude::*;
use serde::Deserialize as _;
use serde::de::IntoDeserializer;

use super::connection::on_backend;
use super::error::{Result, StorageError};
use super::repo::{Page, PageRequest, Repo};
use super::schema::{consents, insert_scoped, scoped};
use super::types::{DbInstant, DbUuid};
use crate::domain::consent::Consent;
use crate::domain::ids::{ClientId, UserId};
use crate::protocol::scope::Scope;

#[derive(Queryable, Selectable)]
#[diesel(table_name = consents)]
struct ConsentRow {
    user_id: DbUuid,
    client_id: DbUuid,
    scope: String,
    resources: String,
    created_at: DbInstant,
    updated_at: DbInstant,
}

/// A sum of scopes may be larger than one request's.
fn stored_scope(text: &str) -> Option<Scope> {
    Scope::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(text)).ok()
}

impl TryFrom<ConsentRow> for Consent {
    type Error = StorageError;

    fn try_from(row: ConsentRow) -> Result<Self> {
        Ok(Self {
            user_id: UserId::from(row.user_id.0),
            client_id: ClientId::from(row.client_id.0),
            scope: stored_scope(&row.scope).ok_or(StorageError::Corrupt("consents.scope"))?,
            resources: serde_json::from_str(&row.resources)
                .map_err(|_| StorageError::Corrupt("consents.resources"))?,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

fn resources_text(resources: &[String]) -> Result<String> {
    serde_json::to_string(resources).map_err(|_| StorageError::Corrupt("resources"))
}

impl Repo<'_> {
    /// Finds what a person has allowed a client.
    pub fn find_consent(&mut self, user: UserId, client: ClientId) -> Result<Option<Consent>> {
        scoped::consents(self.tenant)
            .filter(consents::user_id.eq(DbUuid::from(user)))
            .filter(consents::client_id.eq(DbUuid::from(client)))
            .select(ConsentRow::as_select())
            .first(self.connection)
            .optional()?
            .map(Consent::try_from)
            .transpose()
    }

    /// Adds to what a person has allowed a client.
    pub fn merge_consent(
        &mut self,
        user: UserId,
        client: ClientId,
        scope: &Scope,
        resources: &[String],
    ) -> Result<()> {
        let now = self.db_now();
        let Some(known) = self.find_consent(user, client)? else {
            let statement = insert_scoped!(
                self,
                consents,
                (
                    consents::user_id.eq(DbUuid::from(user)),
                    consents::client_id.eq(DbUuid::from(client)),
                    consents::scope.eq(scope.to_string()),
                    consents::resources.eq(resources_text(resources)?),
                    consents::created_at.eq(now),
                    consents::updated_at.eq(now),
                )
            );
            let inserted = on_backend!(&mut *self.connection, inner => statement.on_conflict_do_nothing().execute(inner))?;
            return first_or_again(inserted);
        };
        if known.covers(scope, resources) {
            return Ok(());
        }
        let mut sum = known.scope.union(scope);
        // A sum too large to be read back is begun anew rather than kept.
        if stored_scope(&sum.to_string()).is_none() {
            sum = scope.clone();
        }
        let mut all = known.resources.clone();
        all.extend(
            resources
                .iter()
                .filter(|resource| !known.resources.contains(resource))
                .cloned(),
        );
        let changed = diesel::update(
            scoped::consents(self.tenant)
                .filter(consents::user_id.eq(DbUuid::from(user)))
                .filter(consents::client_id.eq(DbUuid::from(client)))
                .filter(consents::scope.eq(known.scope.to_string()))
                .filter(consents::resources.eq(resources_text(&known.resources)?)),
        )
        .set((
            consents::scope.eq(sum.to_string()),
            consents::resources.eq(resources_text(&all)?),
            consents::updated_at.eq(now),
        ))
        .execute(self.connection)?;
        first_or_again(changed)
    }

    /// Lists what a person has allowed, by client; the page's `after` is a client's id.
    pub fn list_consents(&mut self, user: UserId, page: PageRequest) -> Result<Page<Consent>> {
        let mut query = scoped::consents(self.tenant)
            .filter(consents::user_id.eq(DbUuid::from(user)))
            .select(ConsentRow::as_select())
            .order(consents::client_id.asc())
            .limit(page.rows() + 1)
            .into_boxed();
        if let Some(after) = page.after {
            query = query.filter(consents::client_id.gt(DbUuid(after)));
        }
        let items = query
            .load::<ConsentRow>(self.connection)?
            .into_iter()
            .map(Consent::try_from)
            .collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(items, page, |consent| consent.client_id.uuid()))
    }

    /// Forgets what a person has allowed a client. Revoking the grants made on it is another step.
    pub fn withdraw_consent(&mut self, user: UserId, client: ClientId) -> Result<bool> {
        let deleted = diesel::delete(
            scoped::consents(self.tenant)
                .filter(consents::user_id.eq(DbUuid::from(user)))
                .filter(consents::client_id.eq(DbUuid::from(client))),
        )
        .execute(self.connection)?;
        Ok(deleted == 1)
    }
}

/// Another transaction added something meanwhile: the whole write is run again, on what is there then.
fn first_or_again(changed: usize) -> Result<()> {
    if changed == 1 {
        Ok(())
    } else {
        Err(StorageError::Serialization)
    }
}
