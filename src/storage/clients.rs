//! Clients of a tenant.

use diesel::prelude::*;

use super::changes::Entity;
use super::error::{Result, StorageError};
use super::repo::{Page, PageRequest, Repo};
use super::schema::{client_origins, clients, scoped};
use super::search::without;
use super::types::{DbInstant, DbUuid};
use crate::clock::Timestamp;
use crate::domain::client::{Client, ClientSecrets, KeptSecret, SelfRegistration};
use crate::domain::ids::{ClientId, TenantId};
use crate::protocol::redirect_uri::RedirectUri;
use crate::secret::HashedSecret;

#[derive(Queryable, Selectable)]
#[diesel(table_name = clients)]
struct ClientRow {
    id: DbUuid,
    metadata: String,
    secret_hash: Option<Vec<u8>>,
    secret_created_at: Option<DbInstant>,
    previous_secret_hash: Option<Vec<u8>>,
    previous_secret_expires_at: Option<DbInstant>,
    version: i64,
    created_at: DbInstant,
    updated_at: DbInstant,
    registration_hash: Option<Vec<u8>>,
    initial_access_token_id: Option<DbUuid>,
    software_statement: Option<String>,
    sealed_secret: Option<Vec<u8>>,
    previous_sealed_secret: Option<Vec<u8>>,
    last_used_at: Option<DbInstant>,
    set_by_administrators: Option<String>,
}

impl TryFrom<ClientRow> for Client {
    type Error = StorageError;

    fn try_from(row: ClientRow) -> Result<Self> {
        let hash = |bytes: Vec<u8>| {
            HashedSecret::from_slice(&bytes).ok_or(StorageError::Corrupt("clients.secret_hash"))
        };
        let previous = match (row.previous_secret_hash, row.previous_secret_expires_at) {
            (Some(bytes), Some(until)) => {
                let kept = KeptSecret {
                    hash: hash(bytes)?,
                    sealed: row.previous_sealed_secret,
                };
                Some((kept, until.0))
            }
            _ => None,
        };
        let secret = match row.secret_hash {
            Some(bytes) => Some(ClientSecrets {
                current: KeptSecret {
                    hash: hash(bytes)?,
                    sealed: row.sealed_secret,
                },
                made_at: row.secret_created_at.unwrap_or(row.created_at).0,
                previous,
            }),
            None => None,
        };
        let registration = match row.registration_hash {
            Some(bytes) => Some(SelfRegistration {
                proof: HashedSecret::from_slice(&bytes)
                    .ok_or(StorageError::Corrupt("clients.registration_hash"))?,
                initial_access_token: row.initial_access_token_id.map(|id| id.0.into()),
                software_statement: row.software_statement,
                set_by_administrators: row
                    .set_by_administrators
                    .as_deref()
                    .map(serde_json::from_str)
                    .transpose()
                    .map_err(|_| StorageError::Corrupt("clients.set_by_administrators"))?
                    .unwrap_or_default(),
            }),
            None => None,
        };
        Ok(Self {
            id: ClientId::from(row.id.0),
            metadata: serde_json::from_str(&row.metadata)
                .map_err(|_| StorageError::Corrupt("clients.metadata"))?,
            secret,
            registration,
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            last_used: row.last_used_at.map(|at| at.0).into(),
        })
    }
}

/// A client's row as it is inserted, alone or with many.
#[derive(Insertable)]
#[diesel(table_name = clients, treat_none_as_default_value = false)]
pub(super) struct NewClientRow<'a> {
    tenant_id: DbUuid,
    id: DbUuid,
    name: &'a str,
    name_key: String,
    metadata: String,
    secret_hash: Option<Vec<u8>>,
    secret_created_at: Option<DbInstant>,
    previous_secret_hash: Option<Vec<u8>>,
    previous_secret_expires_at: Option<DbInstant>,
    version: i64,
    created_at: DbInstant,
    updated_at: DbInstant,
    registration_hash: Option<Vec<u8>>,
    initial_access_token_id: Option<DbUuid>,
    software_statement: Option<String>,
    backchannel_logout: bool,
    frontchannel_logout: bool,
    sealed_secret: Option<Vec<u8>>,
    previous_sealed_secret: Option<Vec<u8>>,
    starts_unasked: bool,
    set_by_administrators: Option<String>,
}

impl<'a> NewClientRow<'a> {
    pub(super) fn new(tenant: TenantId, client: &'a Client) -> Result<Self> {
        let secret = client.secret.as_ref();
        let previous = secret.and_then(|secret| secret.previous.as_ref());
        let registration = client.registration.as_ref();
        Ok(Self {
            tenant_id: DbUuid::from(tenant),
            id: DbUuid::from(client.id),
            name: client.metadata.client_name.as_deref().unwrap_or_default(),
            name_key: name_key(client),
            metadata: metadata_text(client)?,
            secret_hash: secret.map(|secret| secret.current.hash.as_bytes().to_vec()),
            secret_created_at: secret.map(|secret| DbInstant(secret.made_at)),
            previous_secret_hash: previous.map(|(kept, _)| kept.hash.as_bytes().to_vec()),
            previous_secret_expires_at: previous.map(|(_, until)| DbInstant(*until)),
            version: client.version,
            created_at: DbInstant(client.created_at),
            updated_at: DbInstant(client.updated_at),
            registration_hash: registration.map(|own| own.proof.as_bytes().to_vec()),
            initial_access_token_id: registration
                .and_then(|own| own.initial_access_token)
                .map(DbUuid::from),
            software_statement: registration.and_then(|own| own.software_statement.clone()),
            backchannel_logout: client.metadata.backchannel_logout_uri.is_some(),
            frontchannel_logout: client.metadata.frontchannel_logout_uri.is_some(),
            sealed_secret: secret.and_then(|secret| secret.current.sealed.clone()),
            previous_sealed_secret: previous.and_then(|(kept, _)| kept.sealed.clone()),
            starts_unasked: starts_unasked(client),
            set_by_administrators: set_by_administrators(client)?,
        })
    }
}

/// The row of an origin from which a client's browser application calls.
#[derive(Insertable)]
#[diesel(table_name = client_origins, treat_none_as_default_value = false)]
pub(super) struct NewOriginRow {
    tenant_id: DbUuid,
    origin: String,
    client_id: DbUuid,
}

impl NewOriginRow {
    pub(super) fn of(tenant: TenantId, client: &Client) -> impl Iterator<Item = Self> {
        let client_id = DbUuid::from(client.id);
        origins(client).into_iter().map(move |origin| Self {
            tenant_id: DbUuid::from(tenant),
            origin,
            client_id,
        })
    }
}

/// CONTRACT "Tokens": the redirect origins of public clients, and every client's `allowed_origins`.
fn origins(client: &Client) -> Vec<String> {
    let mut origins = client.metadata.allowed_origins.clone();
    if client.is_public() {
        origins.extend(
            client
                .metadata
                .parse_redirect_uris()
                .unwrap_or_default()
                .iter()
                .filter_map(RedirectUri::origin),
        );
    }
    origins.sort_unstable();
    origins.dedup();
    origins
}

fn metadata_text(client: &Client) -> Result<String> {
    serde_json::to_string(&client.metadata).map_err(|_| StorageError::Corrupt("client metadata"))
}

/// Whether people may start it though they never allowed it anything: it is the tenant's own, and says where.
fn starts_unasked(client: &Client) -> bool {
    client.metadata.skip_consent && client.metadata.initiate_login_uri.is_some()
}

/// The members that administrators set, where there are any and the client could change them.
fn set_by_administrators(client: &Client) -> Result<Option<String>> {
    let registration = client.registration.as_ref();
    let set = registration.map(|own| &own.set_by_administrators);
    set.filter(|set| !set.is_empty())
        .map(serde_json::to_string)
        .transpose()
        .map_err(|_| StorageError::Corrupt("client metadata"))
}

/// What a name is searched by.
fn name_key(client: &Client) -> String {
    let name = client.metadata.client_name.as_deref();
    name.unwrap_or_default().to_lowercase()
}

/// How many applications a person is offered to start.
const STARTED_MAX: i64 = 100;

impl Repo<'_> {
    /// Registers a client.
    pub fn insert_client(&mut self, client: &Client) -> Result<()> {
        let row = NewClientRow::new(self.tenant, client)?;
        diesel::insert_into(clients::table)
            .values(row)
            .execute(self.connection)?;
        self.replace_origins(client)?;
        self.note(Entity::Client, client.id)
    }

    /// Finds a client.
    pub fn find_client(&mut self, id: ClientId) -> Result<Option<Client>> {
        scoped::clients(self.tenant)
            .filter(clients::id.eq(DbUuid::from(id)))
            .select(ClientRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(Client::try_from)
            .transpose()
    }

    /// Lists clients in the order of their making.
    pub fn list_clients(&mut self, page: PageRequest) -> Result<Page<Client>> {
        self.search_clients(None, page)
    }

    /// Lists clients in the order of their making; `search` is a part of their name, or a whole `client_id`.
    pub fn search_clients(
        &mut self,
        search: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<Client>> {
        let mut query = scoped::clients(self.tenant)
            .select(ClientRow::as_select())
            .order(clients::id.asc())
            .limit(page.rows() + 1)
            .into_boxed();
        if let Some(text) = search.map(str::trim).filter(|text| !text.is_empty()) {
            query = match text.parse::<ClientId>() {
                Ok(id) => query.filter(clients::id.eq(DbUuid::from(id))),
                Err(_) => query
                    .filter(without(clients::name_key, text.to_lowercase()).ne(clients::name_key)),
            };
        }
        if let Some(after) = page.after {
            query = query.filter(clients::id.gt(DbUuid(after)));
        }
        let rows = query.load::<ClientRow>(self.connection)?;
        let items = rows
            .into_iter()
            .map(Client::try_from)
            .collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(items, page, |client| client.id.uuid()))
    }

    /// The tenant's own applications that people may start, in the order of their making; those beyond the first of a page are left out.
    pub fn list_clients_to_start(&mut self) -> Result<Vec<Client>> {
        scoped::clients(self.tenant)
            .filter(clients::starts_unasked.eq(true))
            .select(ClientRow::as_select())
            .order(clients::id.asc())
            .limit(STARTED_MAX)
            .load::<ClientRow>(self.connection)?
            .into_iter()
            .map(Client::try_from)
            .collect()
    }

    /// Replaces a client's metadata if nobody changed it since; `false` where somebody did. Secrets stay as they are, but that they can't be
    /// read any more where the client doesn't need that any more.
    pub fn update_client(&mut self, client: &Client) -> Result<bool> {
        let reads = client.metadata.token_endpoint_auth_method.reads_secret();
        let secrets = client.secret.as_ref().filter(|_| reads);
        let previous = secrets.and_then(|secrets| secrets.previous.as_ref());
        let changed = diesel::update(
            scoped::clients(self.tenant)
                .filter(clients::id.eq(DbUuid::from(client.id)))
                .filter(clients::version.eq(client.version)),
        )
        .set((
            clients::name.eq(client.metadata.client_name.clone().unwrap_or_default()),
            clients::name_key.eq(name_key(client)),
            clients::metadata.eq(metadata_text(client)?),
            clients::backchannel_logout.eq(client.metadata.backchannel_logout_uri.is_some()),
            clients::frontchannel_logout.eq(client.metadata.frontchannel_logout_uri.is_some()),
            clients::starts_unasked.eq(starts_unasked(client)),
            clients::set_by_administrators.eq(set_by_administrators(client)?),
            clients::sealed_secret.eq(secrets.and_then(|secrets| secrets.current.sealed.clone())),
            clients::previous_sealed_secret.eq(previous.and_then(|(kept, _)| kept.sealed.clone())),
            clients::version.eq(client.version + 1),
            clients::updated_at.eq(self.db_now()),
        ))
        .execute(self.connection)?;
        if changed == 1 {
            self.replace_origins(client)?;
            self.note(Entity::Client, client.id)?;
        }
        Ok(changed == 1)
    }

    /// Gives a client another secret; the present one stays good until `overlap_until`.
    pub fn rotate_client_secret(
        &mut self,
        id: ClientId,
        secret: &KeptSecret,
        overlap_until: Option<Timestamp>,
    ) -> Result<bool> {
        let Some(client) = self.find_client(id)? else {
            return Ok(false);
        };
        let previous = overlap_until.zip(client.secret);
        let (previous_until, previous) = previous.unzip();
        let previous = previous.map(|secrets| secrets.current);
        let previous_hash = previous.as_ref().map(|kept| kept.hash.as_bytes().to_vec());
        let changed = diesel::update(
            scoped::clients(self.tenant)
                .filter(clients::id.eq(DbUuid::from(id)))
                .filter(clients::version.eq(client.version)),
        )
        .set((
            clients::secret_hash.eq(Some(secret.hash.as_bytes().to_vec())),
            clients::sealed_secret.eq(secret.sealed.clone()),
            clients::secret_created_at.eq(Some(self.db_now())),
            clients::previous_secret_hash.eq(previous_hash),
            clients::previous_sealed_secret.eq(previous.and_then(|kept| kept.sealed)),
            clients::previous_secret_expires_at.eq(previous_until.map(DbInstant)),
            clients::version.eq(client.version + 1),
            clients::updated_at.eq(self.db_now()),
        ))
        .execute(self.connection)?;
        if changed == 1 {
            self.note(Entity::Client, id)?;
        }
        Ok(changed == 1)
    }

    /// Deletes a client with its grants and consents.
    pub fn delete_client(&mut self, id: ClientId) -> Result<bool> {
        let deleted =
            diesel::delete(scoped::clients(self.tenant).filter(clients::id.eq(DbUuid::from(id))))
                .execute(self.connection)?;
        if deleted == 1 {
            self.note(Entity::Client, id)?;
        }
        Ok(deleted == 1)
    }

    /// How many clients have registered themselves without an initial access token.
    pub fn count_strangers_clients(&mut self) -> Result<i64> {
        Ok(scoped::clients(self.tenant)
            .filter(clients::registration_hash.is_not_null())
            .filter(clients::initial_access_token_id.is_null())
            .count()
            .get_result(self.connection)?)
    }

    /// How many have registered themselves with one.
    pub fn count_vouched_clients(&mut self) -> Result<i64> {
        Ok(scoped::clients(self.tenant)
            .filter(clients::registration_hash.is_not_null())
            .filter(clients::initial_access_token_id.is_not_null())
            .count()
            .get_result(self.connection)?)
    }

    /// Whether a browser application of the tenant lives at the origin.
    pub fn is_client_origin(&mut self, origin: &str) -> Result<bool> {
        let found = scoped::client_origins(self.tenant)
            .filter(client_origins::origin.eq(origin.to_owned()))
            .select(client_origins::client_id)
            .first::<DbUuid>(self.connection)
            .optional()?;
        Ok(found.is_some())
    }

    fn replace_origins(&mut self, client: &Client) -> Result<()> {
        diesel::delete(
            scoped::client_origins(self.tenant)
                .filter(client_origins::client_id.eq(DbUuid::from(client.id))),
        )
        .execute(self.connection)?;
        for row in NewOriginRow::of(self.tenant, client) {
            diesel::insert_into(client_origins::table)
                .values(row)
                .execute(self.connection)?;
        }
        Ok(())
    }
}
