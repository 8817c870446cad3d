//! What people have allowed clients, remembered.

use diesel::prelude::*;

use super::connection::on_backend;
use super::error::{Result, StorageError};
use super::repo::{Page, PageRequest, Repo};
use super::schema::{consents, insert_scoped, scoped};
use super::types::{DbInstant, DbUuid};
use crate::domain::consent::{Consent, Permissions};
use crate::domain::ids::{ClientId, TenantId, UserId};

#[derive(Queryable, Selectable)]
#[diesel(table_name = consents)]
struct ConsentRow {
    user_id: DbUuid,
    client_id: DbUuid,
    permissions: String,
    created_at: DbInstant,
    updated_at: DbInstant,
}

impl TryFrom<ConsentRow> for Consent {
    type Error = StorageError;

    fn try_from(row: ConsentRow) -> Result<Self> {
        Ok(Self {
            user_id: UserId::from(row.user_id.0),
            client_id: ClientId::from(row.client_id.0),
            permissions: stored(&row.permissions)
                .ok_or(StorageError::Corrupt("consents.permissions"))?,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

/// A consent's row as it is inserted with many.
#[derive(Insertable)]
#[diesel(table_name = consents, treat_none_as_default_value = false)]
pub(super) struct NewConsentRow {
    tenant_id: DbUuid,
    user_id: DbUuid,
    client_id: DbUuid,
    permissions: String,
    created_at: DbInstant,
    updated_at: DbInstant,
}

impl NewConsentRow {
    pub(super) fn new(tenant: TenantId, consent: &Consent) -> Result<Self> {
        Ok(Self {
            tenant_id: DbUuid::from(tenant),
            user_id: DbUuid::from(consent.user_id),
            client_id: DbUuid::from(consent.client_id),
            permissions: text_of(&consent.permissions)?,
            created_at: DbInstant(consent.created_at),
            updated_at: DbInstant(consent.updated_at),
        })
    }
}

fn stored(text: &str) -> Option<Permissions> {
    serde_json::from_str(text).ok()
}

fn text_of(permissions: &Permissions) -> Result<String> {
    serde_json::to_string(permissions).map_err(|_| StorageError::Corrupt("consents.permissions"))
}

impl Repo<'_> {
    /// Finds what a person has allowed a client.
    pub fn find_consent(&mut self, user: UserId, client: ClientId) -> Result<Option<Consent>> {
        scoped::consents(self.tenant)
            .filter(consents::user_id.eq(DbUuid::from(user)))
            .filter(consents::client_id.eq(DbUuid::from(client)))
            .select(ConsentRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(Consent::try_from)
            .transpose()
    }

    /// Adds to what a person has allowed a client.
    pub fn merge_consent(
        &mut self,
        user: UserId,
        client: ClientId,
        permissions: &Permissions,
    ) -> Result<()> {
        let now = self.db_now();
        let Some(known) = self.find_consent(user, client)? else {
            let statement = insert_scoped!(
                self,
                consents,
                (
                    consents::user_id.eq(DbUuid::from(user)),
                    consents::client_id.eq(DbUuid::from(client)),
                    consents::permissions.eq(text_of(permissions)?),
                    consents::created_at.eq(now),
                    consents::updated_at.eq(now),
                )
            );
            let inserted = on_backend!(&mut *self.connection, inner => statement.on_conflict_do_nothing().execute(inner))?;
            return first_or_again(inserted);
        };
        if known.permissions.cover(permissions) {
            return Ok(());
        }
        let mut sum = text_of(&known.permissions.union(permissions))?;
        // A sum too large to be read back is begun anew rather than kept.
        if sum.len() > Permissions::MAX_BYTES || stored(&sum).is_none() {
            sum = text_of(permissions)?;
        }
        let changed = diesel::update(
            scoped::consents(self.tenant)
                .filter(consents::user_id.eq(DbUuid::from(user)))
                .filter(consents::client_id.eq(DbUuid::from(client)))
                .filter(consents::permissions.eq(text_of(&known.permissions)?)),
        )
        .set((consents::permissions.eq(sum), consents::updated_at.eq(now)))
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
        // Whoever looks at it at this moment to write a grant comes before or after this.
        self.hold_user(user)?;
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
