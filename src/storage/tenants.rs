//! Tenants as rows: what resolution loads, and what operators change.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::{Map, Value};

use super::changes::Entity;
use super::connection::AnyConnection;
use super::error::{Result, StorageError};
use super::installation::Installation;
use super::postgres;
use super::repo::{Page, PageRequest, Repo};
use super::schema::{domain_owners, tenants};
use super::scope::TenantScope;
use super::types::{DbInstant, DbUuid};
use super::{domains, keys, resources};
use crate::domain::address::Domain;
use crate::domain::branding::Branding;
use crate::domain::ids::TenantId;
use crate::domain::key::KeyRecord;
use crate::domain::resource::Resource;
use crate::domain::settings::TenantSettings;
use crate::domain::tenant::{TenantRecord, TenantStatus};
use crate::protocol::slug::Slug;

/// A tenant to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Its permanent identifier.
    pub id: TenantId,
    /// Its name in addresses.
    pub slug: Slug,
    /// What people read.
    pub name: String,
    /// Its data key, sealed under the master key.
    pub sealed_data_key: Vec<u8>,
}

/// A tenant with everything that a request needs of it.
#[derive(Clone, Debug)]
pub struct LoadedTenant {
    /// The key to its rows.
    pub scope: TenantScope,
    /// Its record.
    pub record: TenantRecord,
    /// Its data key, sealed; none while it is being deleted.
    pub sealed_data_key: Option<Vec<u8>>,
    /// Its custom domains, unverified ones too.
    pub domains: Vec<Domain>,
    /// Its signing keys, the youngest first.
    pub keys: Vec<KeyRecord>,
    /// Its resources.
    pub resources: Vec<Resource>,
}

impl AsRef<TenantScope> for LoadedTenant {
    fn as_ref(&self) -> &TenantScope {
        &self.scope
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = tenants)]
struct TenantRow {
    id: DbUuid,
    slug: String,
    name: String,
    status: String,
    settings: String,
    branding: String,
    sealed_data_key: Option<Vec<u8>>,
    version: i64,
    created_at: DbInstant,
    updated_at: DbInstant,
}

impl TryFrom<TenantRow> for (TenantRecord, Option<Vec<u8>>) {
    type Error = StorageError;

    fn try_from(row: TenantRow) -> Result<Self> {
        let record = TenantRecord {
            id: TenantId::from(row.id.0),
            slug: Slug::parse(&row.slug).map_err(|_| StorageError::Corrupt("tenants.slug"))?,
            name: row.name,
            status: row
                .status
                .parse()
                .map_err(|_| StorageError::Corrupt("tenants.status"))?,
            settings: serde_json::from_str(&row.settings)
                .map_err(|_| StorageError::Corrupt("tenants.settings"))?,
            branding: serde_json::from_str(&row.branding)
                .map_err(|_| StorageError::Corrupt("tenants.branding"))?,
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        };
        Ok((record, row.sealed_data_key))
    }
}

/// A tenant's row as it is inserted, alone or with many.
#[derive(Insertable)]
#[diesel(table_name = tenants, treat_none_as_default_value = false)]
pub(super) struct NewTenantRow<'a> {
    id: DbUuid,
    slug: &'a str,
    name: &'a str,
    name_key: String,
    status: &'static str,
    settings: String,
    branding: String,
    sealed_data_key: &'a [u8],
    version: i64,
    created_at: DbInstant,
    updated_at: DbInstant,
    unused_client_days: i32,
    unused_clients_set_at: Option<DbInstant>,
    audit_event_days: i32,
    audit_event_days_set_at: Option<DbInstant>,
}

impl<'a> NewTenantRow<'a> {
    pub(super) fn new(
        tenant: &'a TenantRecord,
        sealed_data_key: &'a [u8],
        now: DbInstant,
    ) -> Result<Self> {
        Ok(Self {
            id: DbUuid::from(tenant.id),
            slug: tenant.slug.as_str(),
            name: &tenant.name,
            name_key: name_key(&tenant.name),
            status: tenant.status.as_str(),
            settings: settings_text(&tenant.settings)?,
            branding: json(&tenant.branding)?,
            sealed_data_key,
            version: tenant.version,
            created_at: DbInstant(tenant.created_at),
            updated_at: DbInstant(tenant.updated_at),
            unused_client_days: unused_client_days(&tenant.settings),
            // What the file says of times isn't believed: a client of before has its days from its import on.
            unused_clients_set_at: Some(now),
            audit_event_days: audit_event_days(&tenant.settings),
            audit_event_days_set_at: Some(now),
        })
    }
}

fn load(connection: &mut AnyConnection, row: Option<TenantRow>) -> Result<Option<LoadedTenant>> {
    let Some(row) = row else { return Ok(None) };
    let (record, sealed_data_key): (TenantRecord, _) = row.try_into()?;
    let id = record.id;
    let scope = TenantScope::of_stored(id);
    postgres::narrowed(connection, scope, |connection| {
        Ok(Some(LoadedTenant {
            scope,
            domains: domains::list(connection, id)?,
            keys: keys::list(connection, id)?,
            resources: resources::list(connection, id)?,
            record,
            sealed_data_key,
        }))
    })
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|_| StorageError::Corrupt("a tenant's settings"))
}

/// Settings as they are stored: those alone that aren't as they are by default. While nodes are replaced one by one, those of the version before, which
/// refuse what they don't know, go on reading whatever has no new setting.
fn settings_text(settings: &TenantSettings) -> Result<String> {
    let value = |settings: &TenantSettings| match serde_json::to_value(settings) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(StorageError::Corrupt("a tenant's settings")),
    };
    let (mut stored, default) = (value(settings)?, value(&TenantSettings::default())?);
    keep_unlike(&mut stored, &default);
    json(&stored)
}

/// Keeps what is unlike the default, within objects too: those refuse members that they don't know as well.
fn keep_unlike(stored: &mut Map<String, Value>, default: &Map<String, Value>) {
    stored.retain(|name, value| match (value, default.get(name)) {
        (Value::Object(own), Some(Value::Object(usual))) => {
            keep_unlike(own, usual);
            !own.is_empty()
        }
        (value, usual) => usual != Some(&*value),
    });
}

/// After how many days without use its self-registered clients end.
fn unused_client_days(settings: &TenantSettings) -> i32 {
    i32::try_from(settings.unused_client_days).unwrap_or(i32::MAX)
}

/// After how many days its audit forgets.
fn audit_event_days(settings: &TenantSettings) -> i32 {
    i32::try_from(settings.audit_event_days).unwrap_or(i32::MAX)
}

/// What a name is searched by.
fn name_key(name: &str) -> String {
    name.to_lowercase()
}

/// Sorts behind every text that continues a prefix, in the order of code points.
const BEHIND: char = char::MAX;

/// On PostgreSQL, takes the lock of a tenant's settings until the end of the transaction; SQLite has one writer.
fn lock_settings(connection: &mut AnyConnection, tenant: DbUuid, statement: &str) -> Result<()> {
    if let AnyConnection::Postgres(inner) = connection {
        let (high, low) = tenant.0.as_u64_pair();
        diesel::sql_query(statement)
            .bind::<BigInt, _>((high ^ low).cast_signed())
            .execute(inner)?;
    }
    Ok(())
}

impl Repo<'_> {
    /// Holds the tenant until the end of the transaction: of those who decide by what they find of it as a whole, one goes after the other.
    /// PostgreSQL lets a reader miss what another transaction is about to write; SQLite has one writer, and needs no row for that.
    pub fn hold_tenant(&mut self) -> Result<()> {
        if matches!(self.connection, AnyConnection::Postgres(_)) {
            diesel::update(tenants::table.filter(tenants::id.eq(DbUuid::from(self.tenant))))
                .set(tenants::version.eq(tenants::version))
                .execute(self.connection)?;
        }
        Ok(())
    }

    /// Lets whoever would change the tenant's settings wait until this transaction's end. Gives them where they aren't those of `version` any
    /// more: whoever has read them before may have them from a cache.
    ///
    /// Many may hold them at once, unlike [`Self::hold_tenant`], and whoever waits to change them goes before those who come after: locks of rows
    /// would let the many go on as long as they overlap.
    pub fn hold_settings(&mut self, version: i64) -> Result<Option<TenantSettings>> {
        let id = DbUuid::from(self.tenant);
        let own = || tenants::table.filter(tenants::id.eq(id));
        lock_settings(
            self.connection,
            id,
            "SELECT pg_advisory_xact_lock_shared($1)",
        )?;
        // A statement after the lock's, which sees what was committed meanwhile.
        let stored: i64 = own().select(tenants::version).get_result(self.connection)?;
        if stored == version {
            return Ok(None);
        }
        let settings: String = own()
            .select(tenants::settings)
            .get_result(self.connection)?;
        serde_json::from_str(&settings)
            .map(Some)
            .map_err(|_| StorageError::Corrupt("tenants.settings"))
    }
}

impl Installation<'_> {
    /// Makes a tenant with default settings.
    pub fn insert_tenant(&mut self, tenant: &NewTenant) -> Result<TenantScope> {
        let now = DbInstant(self.clock.now());
        diesel::insert_into(tenants::table)
            .values((
                tenants::id.eq(DbUuid::from(tenant.id)),
                tenants::slug.eq(tenant.slug.as_str()),
                tenants::name.eq(tenant.name.clone()),
                tenants::name_key.eq(name_key(&tenant.name)),
                tenants::status.eq(TenantStatus::Active.as_str()),
                tenants::settings.eq(settings_text(&TenantSettings::default())?),
                tenants::branding.eq(json(&Branding::default())?),
                tenants::sealed_data_key.eq(Some(tenant.sealed_data_key.clone())),
                tenants::version.eq(1),
                tenants::created_at.eq(now),
                tenants::updated_at.eq(now),
            ))
            .execute(self.connection)?;
        self.note(tenant.id, Entity::Tenant, tenant.id)?;
        Ok(TenantScope::of_stored(tenant.id))
    }

    /// Finds a tenant by its slug.
    pub fn find_tenant(&mut self, slug: &Slug) -> Result<Option<LoadedTenant>> {
        let row = tenants::table
            .filter(tenants::slug.eq(slug.as_str()))
            .select(TenantRow::as_select())
            .get_result(self.connection)
            .optional()?;
        load(self.connection, row)
    }

    /// Finds the tenant that owns a verified origin.
    pub fn find_tenant_by_origin(&mut self, origin: &str) -> Result<Option<LoadedTenant>> {
        let row = tenants::table
            .inner_join(domain_owners::table.on(domain_owners::tenant_id.eq(tenants::id)))
            .filter(domain_owners::origin.eq(origin.to_owned()))
            .select(TenantRow::as_select())
            .get_result(self.connection)
            .optional()?;
        load(self.connection, row)
    }

    /// Lists tenants by slug. With `search`, the beginning of a slug or a name, those whose slug fits come first, by slug, and after
    /// them those whose name fits, by name: each part is a range of an index, however many tenants there are. The page's `after` is a
    /// tenant's id.
    pub fn list_tenants(
        &mut self,
        search: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<TenantRecord>> {
        let search = search
            .map(|text| text.trim().to_lowercase())
            .filter(|text| !text.is_empty());
        // PostgreSQL knows no such text, so nobody is called so.
        if search.as_ref().is_some_and(|text| text.contains('\0')) {
            return Ok(Page {
                items: Vec::new(),
                next: None,
            });
        }
        let after = match page.after {
            Some(id) => tenants::table
                .filter(tenants::id.eq(DbUuid(id)))
                .select((tenants::slug, tenants::name_key, tenants::id))
                .get_result::<(String, String, DbUuid)>(self.connection)
                .optional()?,
            None => None,
        };
        let slug_fits = |slug: &str| {
            search
                .as_deref()
                .is_none_or(|prefix| slug.starts_with(prefix))
        };
        let mut rows = Vec::new();
        if after.as_ref().is_none_or(|(slug, ..)| slug_fits(slug)) {
            let after = after.as_ref().map(|(slug, ..)| slug.as_str());
            rows = self.tenants_by_slug(search.as_deref(), after, page.rows() + 1)?;
        }
        let room = page.rows() + 1 - i64::try_from(rows.len()).unwrap_or(i64::MAX);
        if let Some(prefix) = &search
            && room > 0
        {
            let after = after.filter(|(slug, ..)| !slug_fits(slug));
            let after = after.map(|(_, name, id)| (name, id));
            rows.extend(self.tenants_by_name(prefix, after, room)?);
        }
        let items = rows
            .into_iter()
            .map(|row| TryInto::<(TenantRecord, _)>::try_into(row).map(|(record, _)| record))
            .collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(items, page, |tenant| tenant.id.uuid()))
    }

    fn tenants_by_slug(
        &mut self,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<TenantRow>> {
        let mut query = tenants::table
            .select(TenantRow::as_select())
            .order(tenants::slug.asc())
            .limit(limit)
            .into_boxed();
        if let Some(prefix) = prefix {
            // A range instead of LIKE: it is literal, and the index serves it on both databases.
            query = query
                .filter(tenants::slug.ge(prefix.to_owned()))
                .filter(tenants::slug.lt(format!("{prefix}{BEHIND}")));
        }
        if let Some(after) = after {
            query = query.filter(tenants::slug.gt(after.to_owned()));
        }
        Ok(query.load(self.connection)?)
    }

    /// Those whose name begins so, and whose slug doesn't.
    fn tenants_by_name(
        &mut self,
        prefix: &str,
        after: Option<(String, DbUuid)>,
        limit: i64,
    ) -> Result<Vec<TenantRow>> {
        let mut query = tenants::table
            .select(TenantRow::as_select())
            .filter(tenants::name_key.ge(prefix.to_owned()))
            .filter(tenants::name_key.lt(format!("{prefix}{BEHIND}")))
            .filter(
                tenants::slug
                    .lt(prefix.to_owned())
                    .or(tenants::slug.ge(format!("{prefix}{BEHIND}"))),
            )
            .order((tenants::name_key.asc(), tenants::id.asc()))
            .limit(limit)
            .into_boxed();
        if let Some((name, id)) = after {
            query = query
                .filter(tenants::name_key.ge(name.clone()))
                .filter(tenants::name_key.gt(name).or(tenants::id.gt(id)));
        }
        Ok(query.load(self.connection)?)
    }

    /// Replaces name, settings and branding if nobody changed them since; `false` where somebody did.
    pub fn update_tenant(&mut self, tenant: &TenantRecord) -> Result<bool> {
        let id = DbUuid::from(tenant.id);
        lock_settings(self.connection, id, "SELECT pg_advisory_xact_lock($1)")?;
        let changed = diesel::update(
            tenants::table
                .filter(tenants::id.eq(DbUuid::from(tenant.id)))
                .filter(tenants::version.eq(tenant.version)),
        )
        .set((
            tenants::name.eq(tenant.name.clone()),
            tenants::name_key.eq(name_key(&tenant.name)),
            tenants::settings.eq(settings_text(&tenant.settings)?),
            tenants::branding.eq(json(&tenant.branding)?),
            tenants::version.eq(tenant.version + 1),
            tenants::updated_at.eq(DbInstant(self.clock.now())),
        ))
        .execute(self.connection)?;
        if changed == 1 {
            self.set_unused_client_days(tenant)?;
            self.set_audit_event_days(tenant)?;
            self.note(tenant.id, Entity::Tenant, tenant.id)?;
        }
        Ok(changed == 1)
    }

    /// Where the tenant asks for another end of unused clients, the days are counted from now at the earliest: none ends that could not know.
    fn set_unused_client_days(&mut self, tenant: &TenantRecord) -> Result<()> {
        let days = unused_client_days(&tenant.settings);
        diesel::update(
            tenants::table
                .filter(tenants::id.eq(DbUuid::from(tenant.id)))
                .filter(tenants::unused_client_days.ne(days)),
        )
        .set((
            tenants::unused_client_days.eq(days),
            tenants::unused_clients_set_at.eq(Some(DbInstant(self.clock.now()))),
        ))
        .execute(self.connection)?;
        Ok(())
    }

    /// Where the tenant asks for another end of audit events, there is a while before the first go.
    fn set_audit_event_days(&mut self, tenant: &TenantRecord) -> Result<()> {
        let days = audit_event_days(&tenant.settings);
        diesel::update(
            tenants::table
                .filter(tenants::id.eq(DbUuid::from(tenant.id)))
                .filter(tenants::audit_event_days.ne(days)),
        )
        .set((
            tenants::audit_event_days.eq(days),
            tenants::audit_event_days_set_at.eq(Some(DbInstant(self.clock.now()))),
        ))
        .execute(self.connection)?;
        Ok(())
    }

    /// Suspends or resumes a tenant; `false` where it is so already, or is being deleted.
    pub fn set_tenant_status(
        &mut self,
        id: TenantId,
        from: TenantStatus,
        to: TenantStatus,
    ) -> Result<bool> {
        let changed = diesel::update(
            tenants::table
                .filter(tenants::id.eq(DbUuid::from(id)))
                .filter(tenants::status.eq(from.as_str())),
        )
        .set((
            tenants::status.eq(to.as_str()),
            tenants::version.eq(tenants::version + 1),
            // Nobody could use a client of a tenant that was closed.
            tenants::unused_clients_set_at.eq(Some(DbInstant(self.clock.now()))),
            tenants::updated_at.eq(DbInstant(self.clock.now())),
        ))
        .execute(self.connection)?;
        if changed == 1 {
            self.note(id, Entity::Tenant, id)?;
        }
        Ok(changed == 1)
    }

    /// Marks a tenant as being deleted and destroys its data key: nothing sealed for it can be opened from here on. `false` where somebody else
    /// did, or there is no such tenant.
    pub fn begin_tenant_deletion(&mut self, id: TenantId) -> Result<bool> {
        let changed = diesel::update(
            tenants::table
                .filter(tenants::id.eq(DbUuid::from(id)))
                .filter(tenants::sealed_data_key.is_not_null()),
        )
        .set((
            tenants::status.eq(TenantStatus::Deleting.as_str()),
            tenants::sealed_data_key.eq(None::<Vec<u8>>),
            tenants::updated_at.eq(DbInstant(self.clock.now())),
        ))
        .execute(self.connection)?;
        if changed == 1 {
            self.note(id, Entity::Tenant, id)?;
        }
        Ok(changed == 1)
    }

    /// Deletes a tenant with all its rows.
    pub fn delete_tenant(&mut self, id: TenantId) -> Result<bool> {
        let deleted = diesel::delete(tenants::table.filter(tenants::id.eq(DbUuid::from(id))))
            .execute(self.connection)?;
        self.note(id, Entity::Tenant, id)?;
        Ok(deleted == 1)
    }

    /// Sealed data keys of the tenants after `after`, in the order of their ids: for the rotation of the master key.
    pub fn list_data_keys(
        &mut self,
        after: Option<TenantId>,
        limit: i64,
    ) -> Result<Vec<(TenantId, Vec<u8>)>> {
        let mut query = tenants::table
            .select((tenants::id, tenants::sealed_data_key))
            .order(tenants::id.asc())
            .limit(limit)
            .into_boxed();
        if let Some(after) = after {
            query = query.filter(tenants::id.gt(DbUuid::from(after)));
        }
        let rows = query
            .filter(tenants::sealed_data_key.is_not_null())
            .load::<(DbUuid, Option<Vec<u8>>)>(self.connection)?;
        Ok(rows
            .into_iter()
            .filter_map(|(id, sealed)| Some((TenantId::from(id.0), sealed?)))
            .collect())
    }

    /// Replaces how a tenant's data key is sealed. Nobody is told: what is in the caches is as good as before, and whoever dropped it would have to
    /// open the new seal, which a process may not be able to yet.
    pub fn replace_data_key(&mut self, id: TenantId, sealed: &[u8]) -> Result<()> {
        diesel::update(
            tenants::table
                .filter(tenants::id.eq(DbUuid::from(id)))
                .filter(tenants::sealed_data_key.is_not_null()),
        )
        .set(tenants::sealed_data_key.eq(Some(sealed.to_vec())))
        .execute(self.connection)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_by_default_is_not_stored() {
        assert_eq!(settings_text(&TenantSettings::default()).unwrap(), "{}");
        let changed = TenantSettings {
            require_pkce: true,
            audit_event_days: 90,
            ..TenantSettings::default()
        };
        let text = settings_text(&changed).unwrap();
        assert_eq!(text, r#"{"require_pkce":true,"audit_event_days":90}"#);
        let read: TenantSettings = serde_json::from_str(&text).unwrap();
        assert_eq!(read, changed);
        // Nor is it within what has members of its own.
        let mut strict = TenantSettings::default();
        strict.password.minimum_length = 12;
        let text = settings_text(&strict).unwrap();
        assert_eq!(text, r#"{"password":{"minimum_length":12}}"#);
        let read: TenantSettings = serde_json::from_str(&text).unwrap();
        assert_eq!(read, strict);
    }
}
