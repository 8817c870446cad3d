//! People of a tenant.

use std::collections::HashMap;

use diesel::prelude::*;
use uuid::Uuid;

use super::changes::Entity;
use super::connection::AnyConnection;
use super::error::{Result, StorageError};
use super::repo::{Page, PageRequest, Repo};
use super::schema::{insert_scoped, role_assignments, scoped, users};
use super::search::without;
use super::types::{DbInstant, DbUuid};
use crate::domain::ids::{TenantId, UserId};
use crate::domain::role::Role;
use crate::domain::user::{PasswordHash, User, UserStatus};
use crate::protocol::email::EmailAddress;

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(super) struct UserRow {
    id: DbUuid,
    email: String,
    email_verified: bool,
    password_phc: Option<String>,
    password_set_at: Option<DbInstant>,
    password_by_lesser: bool,
    disabled_at: Option<DbInstant>,
    claims: String,
    version: i64,
    created_at: DbInstant,
    updated_at: DbInstant,
}

impl UserRow {
    pub(super) fn with_roles(self, roles: Vec<Role>) -> Result<User> {
        Ok(User {
            id: UserId::from(self.id.0),
            email: EmailAddress::parse(&self.email)
                .map_err(|_| StorageError::Corrupt("users.email"))?,
            email_verified: self.email_verified,
            status: self
                .disabled_at
                .map_or(UserStatus::Active, |since| UserStatus::Disabled {
                    since: since.0,
                }),
            claims: serde_json::from_str(&self.claims)
                .map_err(|_| StorageError::Corrupt("users.claims"))?,
            password: self
                .password_phc
                .zip(self.password_set_at)
                .map(|(phc, set_at)| PasswordHash {
                    phc,
                    set_at: set_at.0,
                    by_lesser: self.password_by_lesser,
                }),
            roles,
            version: self.version,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
        })
    }
}

/// A person's row as it is inserted, alone or with many.
#[derive(Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub(super) struct NewUserRow<'a> {
    tenant_id: DbUuid,
    id: DbUuid,
    email: &'a str,
    email_key: &'a str,
    search_key: String,
    email_verified: bool,
    password_phc: Option<String>,
    password_set_at: Option<DbInstant>,
    password_by_lesser: bool,
    disabled_at: Option<DbInstant>,
    claims: String,
    version: i64,
    created_at: DbInstant,
    updated_at: DbInstant,
}

impl<'a> NewUserRow<'a> {
    pub(super) fn new(tenant: TenantId, user: &'a User) -> Result<Self> {
        let password = user.password.as_ref();
        Ok(Self {
            tenant_id: DbUuid::from(tenant),
            id: DbUuid::from(user.id),
            email: user.email.as_str(),
            email_key: user.email.key(),
            search_key: search_key(user),
            email_verified: user.email_verified,
            password_phc: password.map(|password| password.phc.clone()),
            password_set_at: password.map(|password| DbInstant(password.set_at)),
            password_by_lesser: password.is_some_and(|password| password.by_lesser),
            disabled_at: match user.status {
                UserStatus::Active => None,
                UserStatus::Disabled { since } => Some(DbInstant(since)),
            },
            claims: claims_text(user)?,
            version: user.version,
            created_at: DbInstant(user.created_at),
            updated_at: DbInstant(user.updated_at),
        })
    }
}

/// A role's row as it is inserted with many.
#[derive(Insertable)]
#[diesel(table_name = role_assignments, treat_none_as_default_value = false)]
pub(super) struct NewRoleRow {
    tenant_id: DbUuid,
    user_id: DbUuid,
    role: &'static str,
    created_at: DbInstant,
}

impl NewRoleRow {
    pub(super) fn of(tenant: TenantId, user: &User) -> impl Iterator<Item = Self> {
        let (user_id, created_at) = (DbUuid::from(user.id), DbInstant(user.created_at));
        user.roles.iter().map(move |role| Self {
            tenant_id: DbUuid::from(tenant),
            user_id,
            role: role.as_str(),
            created_at,
        })
    }
}

fn claims_text(user: &User) -> Result<String> {
    serde_json::to_string(&user.claims).map_err(|_| StorageError::Corrupt("a person's claims"))
}

/// Roles as they stand in rows, in their own order.
pub(super) fn parse_roles(texts: Vec<String>) -> Result<Vec<Role>> {
    let mut roles = texts
        .iter()
        .map(|text| text.parse())
        .collect::<std::result::Result<Vec<Role>, _>>()
        .map_err(|_| StorageError::Corrupt("role_assignments.role"))?;
    roles.sort();
    Ok(roles)
}

/// What a person is found by: the address and the names, a line each.
fn search_key(user: &User) -> String {
    let claims = &user.claims;
    let both = claims
        .given_name
        .as_deref()
        .zip(claims.family_name.as_deref());
    let both = both.map(|(given, family)| format!("{given} {family}"));
    let mut lines = vec![user.email.key().to_owned()];
    for name in [
        &claims.name,
        &both,
        &claims.given_name,
        &claims.family_name,
        &claims.nickname,
        &claims.preferred_username,
    ]
    .into_iter()
    .flatten()
    {
        let name = name.to_lowercase();
        if !lines.iter().any(|line| line.contains(&name)) {
            lines.push(name);
        }
    }
    lines.join("\n")
}

impl Repo<'_> {
    /// Adds a person with their roles. A conflict: the address is another's.
    pub fn insert_user(&mut self, user: &User) -> Result<()> {
        let row = NewUserRow::new(self.tenant, user)?;
        diesel::insert_into(users::table)
            .values(row)
            .execute(self.connection)?;
        for role in &user.roles {
            self.insert_role(user.id, *role)?;
        }
        self.note(Entity::User, user.id)
    }

    /// Finds a person.
    pub fn find_user(&mut self, id: UserId) -> Result<Option<User>> {
        let row = scoped::users(self.tenant)
            .filter(users::id.eq(DbUuid::from(id)))
            .select(UserRow::as_select())
            .get_result(self.connection)
            .optional()?;
        self.complete_user(row)
    }

    /// Finds the person with the address, however it is written. That there is nobody takes as many statements, so that the time of an
    /// answer doesn't tell who is here.
    pub fn find_user_by_email(&mut self, email: &EmailAddress) -> Result<Option<User>> {
        let row = scoped::users(self.tenant)
            .filter(users::email_key.eq(email.key().to_owned()))
            .select(UserRow::as_select())
            .get_result(self.connection)
            .optional()?;
        if row.is_none() {
            self.roles_of_one(DbUuid(Uuid::nil()))?;
        }
        self.complete_user(row)
    }

    fn complete_user(&mut self, row: Option<UserRow>) -> Result<Option<User>> {
        let Some(row) = row else { return Ok(None) };
        let roles = self.roles_of_one(row.id)?;
        row.with_roles(roles).map(Some)
    }

    /// Lists people in the order of their making; `search` is a part of their address or of one of their names.
    pub fn list_users(&mut self, search: Option<&str>, page: PageRequest) -> Result<Page<User>> {
        let mut query = scoped::users(self.tenant)
            .select(UserRow::as_select())
            .order(users::id.asc())
            .limit(page.rows() + 1)
            .into_boxed();
        if let Some(text) = search.map(str::trim).filter(|text| !text.is_empty()) {
            query =
                query.filter(without(users::search_key, text.to_lowercase()).ne(users::search_key));
        }
        if let Some(after) = page.after {
            query = query.filter(users::id.gt(DbUuid(after)));
        }
        let rows = query.load::<UserRow>(self.connection)?;
        self.complete_users(rows, page)
    }

    fn complete_users(&mut self, rows: Vec<UserRow>, page: PageRequest) -> Result<Page<User>> {
        let ids = rows.iter().map(|row| row.id).collect::<Vec<_>>();
        let mut roles = self.roles_of(&ids)?;
        let items = rows
            .into_iter()
            .map(|row| {
                let roles = roles.remove(&row.id.0).unwrap_or_default();
                row.with_roles(roles)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(items, page, |user| user.id.uuid()))
    }

    /// Lists whoever has a role, in the order of their making.
    pub fn list_administrators(&mut self, page: PageRequest) -> Result<Page<User>> {
        let appointed = scoped::role_assignments(self.tenant).select(role_assignments::user_id);
        let mut query = scoped::users(self.tenant)
            .filter(users::id.eq_any(appointed))
            .select(UserRow::as_select())
            .order(users::id.asc())
            .limit(page.rows() + 1)
            .into_boxed();
        if let Some(after) = page.after {
            query = query.filter(users::id.gt(DbUuid(after)));
        }
        let rows = query.load::<UserRow>(self.connection)?;
        self.complete_users(rows, page)
    }

    /// How many people the tenant has.
    pub fn count_users(&mut self) -> Result<i64> {
        Ok(scoped::users(self.tenant)
            .count()
            .get_result(self.connection)?)
    }

    /// Replaces address and claims if nobody changed the person since; `false` where somebody did. Password, roles and whether the
    /// person is disabled have functions of their own.
    pub fn update_user(&mut self, user: &User) -> Result<bool> {
        // A link that went to the old address must not set a password any more.
        let known = self.find_user(user.id)?;
        if known.is_some_and(|known| {
            known.version == user.version && known.email.key() != user.email.key()
        }) {
            self.revoke_links(user.id)?;
        }
        let changed = diesel::update(
            scoped::users(self.tenant)
                .filter(users::id.eq(DbUuid::from(user.id)))
                .filter(users::version.eq(user.version)),
        )
        .set((
            users::email.eq(user.email.as_str()),
            users::email_key.eq(user.email.key()),
            users::search_key.eq(search_key(user)),
            users::email_verified.eq(user.email_verified),
            users::claims.eq(claims_text(user)?),
            users::version.eq(user.version + 1),
            users::updated_at.eq(self.db_now()),
        ))
        .execute(self.connection)?;
        self.note_user(user.id, changed)
    }

    /// Gives a person another password, which somebody with less power than an administrator may know or not; one-time links that are out are
    /// good no more.
    pub fn set_password(&mut self, id: UserId, phc: &str, by_lesser: bool) -> Result<()> {
        let now = self.db_now();
        let changed =
            diesel::update(scoped::users(self.tenant).filter(users::id.eq(DbUuid::from(id))))
                .set((
                    users::password_phc.eq(Some(phc.to_owned())),
                    users::password_set_at.eq(Some(now)),
                    users::password_by_lesser.eq(by_lesser),
                    users::version.eq(users::version + 1),
                    users::updated_at.eq(now),
                ))
                .execute(self.connection)?;
        self.note_user(id, changed)?;
        self.revoke_links(id)
    }

    /// Takes a person's password away where somebody with less power than an administrator may know it; whether it was so.
    pub fn forget_lesser_password(&mut self, id: UserId) -> Result<bool> {
        let now = self.db_now();
        let changed = diesel::update(
            scoped::users(self.tenant)
                .filter(users::id.eq(DbUuid::from(id)))
                .filter(users::password_by_lesser.eq(true)),
        )
        .set((
            users::password_phc.eq(None::<String>),
            users::password_set_at.eq(None::<DbInstant>),
            users::password_by_lesser.eq(false),
            users::version.eq(users::version + 1),
            users::updated_at.eq(now),
        ))
        .execute(self.connection)?;
        self.note_user(id, changed)?;
        Ok(changed == 1)
    }

    /// Keeps the same password under other parameters; nothing where it was changed meanwhile. No change of the person: version and
    /// links stay.
    pub fn rehash_password(&mut self, id: UserId, old_phc: &str, new_phc: &str) -> Result<()> {
        diesel::update(
            scoped::users(self.tenant)
                .filter(users::id.eq(DbUuid::from(id)))
                .filter(users::password_phc.eq(Some(old_phc.to_owned()))),
        )
        .set(users::password_phc.eq(Some(new_phc.to_owned())))
        .execute(self.connection)?;
        Ok(())
    }

    /// Closes or opens a person's account; `false` where it is so already.
    pub fn set_user_disabled(&mut self, id: UserId, disabled: bool) -> Result<bool> {
        let now = self.db_now();
        let person = scoped::users(self.tenant).filter(users::id.eq(DbUuid::from(id)));
        let values = (
            users::disabled_at.eq(disabled.then_some(now)),
            users::version.eq(users::version + 1),
            users::updated_at.eq(now),
        );
        let changed = if disabled {
            diesel::update(person.filter(users::disabled_at.is_null()))
                .set(values)
                .execute(self.connection)?
        } else {
            diesel::update(person.filter(users::disabled_at.is_not_null()))
                .set(values)
                .execute(self.connection)?
        };
        self.note_user(id, changed)
    }

    /// Deletes a person with their sessions, grants, consents, roles and links.
    pub fn delete_user(&mut self, id: UserId) -> Result<bool> {
        let deleted =
            diesel::delete(scoped::users(self.tenant).filter(users::id.eq(DbUuid::from(id))))
                .execute(self.connection)?;
        self.note_user(id, deleted)
    }

    /// Grants a role; `false` where the person has it already, or there is no such person.
    pub fn grant_role(&mut self, id: UserId, role: Role) -> Result<bool> {
        let Some(user) = self.find_user(id)? else {
            return Ok(false);
        };
        if user.roles.contains(&role) {
            return Ok(false);
        }
        self.insert_role(id, role)?;
        self.touch_user(id)
    }

    /// Takes a role away; `false` where the person doesn't have it.
    pub fn revoke_role(&mut self, id: UserId, role: Role) -> Result<bool> {
        if !self.delete_role(id, role)? {
            return Ok(false);
        }
        self.touch_user(id)
    }

    /// Gives a person exactly these roles, provided that nobody changed the person since this version; `false` where somebody did.
    pub fn set_roles(&mut self, id: UserId, version: i64, roles: &[Role]) -> Result<bool> {
        // First, as every change of roles touches the person: what is read next is what holds until the end.
        let changed = diesel::update(
            scoped::users(self.tenant)
                .filter(users::id.eq(DbUuid::from(id)))
                .filter(users::version.eq(version)),
        )
        .set((
            users::version.eq(version + 1),
            users::updated_at.eq(self.db_now()),
        ))
        .execute(self.connection)?;
        if !self.note_user(id, changed)? {
            return Ok(false);
        }
        let held = self.roles_of_one(DbUuid::from(id))?;
        for role in Role::ALL {
            match (held.contains(&role), roles.contains(&role)) {
                (false, true) => self.insert_role(id, role)?,
                (true, false) => {
                    self.delete_role(id, role)?;
                }
                _ => {}
            }
        }
        Ok(true)
    }

    /// Holds who administers the tenant until the transaction ends: of two who take each other away, the second waits, and sees what the
    /// first did. SQLite has one writer, and needs no row for that.
    pub fn hold_administrators(&mut self) -> Result<()> {
        if matches!(self.connection, AnyConnection::Postgres(_)) {
            diesel::update(
                scoped::role_assignments(self.tenant)
                    .filter(role_assignments::role.eq(Role::Administrator.as_str())),
            )
            .set(role_assignments::created_at.eq(role_assignments::created_at))
            .execute(self.connection)?;
        }
        Ok(())
    }

    /// Whether somebody else than this person administers the tenant and can sign in: isn't disabled, and has a password, which whoever is only
    /// invited has yet to choose.
    pub fn has_other_administrator(&mut self, id: UserId) -> Result<bool> {
        let appointed = scoped::role_assignments(self.tenant)
            .filter(role_assignments::role.eq(Role::Administrator.as_str()))
            .select(role_assignments::user_id);
        let other = scoped::users(self.tenant)
            .filter(users::id.eq_any(appointed))
            .filter(users::id.ne(DbUuid::from(id)))
            .filter(users::disabled_at.is_null())
            .filter(users::password_phc.is_not_null())
            .select(users::id)
            .limit(1)
            .get_result::<DbUuid>(self.connection)
            .optional()?;
        Ok(other.is_some())
    }

    fn delete_role(&mut self, id: UserId, role: Role) -> Result<bool> {
        let deleted = diesel::delete(
            scoped::role_assignments(self.tenant)
                .filter(role_assignments::user_id.eq(DbUuid::from(id)))
                .filter(role_assignments::role.eq(role.as_str())),
        )
        .execute(self.connection)?;
        Ok(deleted > 0)
    }

    fn insert_role(&mut self, id: UserId, role: Role) -> Result<()> {
        insert_scoped!(
            self,
            role_assignments,
            (
                role_assignments::user_id.eq(DbUuid::from(id)),
                role_assignments::role.eq(role.as_str()),
                role_assignments::created_at.eq(self.db_now()),
            )
        )
        .execute(self.connection)?;
        Ok(())
    }

    /// Lets whoever else changes this person wait until this transaction's end: where something is to hold of what is read of them. PostgreSQL
    /// lets a reader miss what another transaction is about to write; SQLite has one writer, and needs no row for that.
    pub fn hold_user(&mut self, id: UserId) -> Result<()> {
        if matches!(self.connection, AnyConnection::Postgres(_)) {
            diesel::update(scoped::users(self.tenant).filter(users::id.eq(DbUuid::from(id))))
                .set(users::version.eq(users::version))
                .execute(self.connection)?;
        }
        Ok(())
    }

    fn touch_user(&mut self, id: UserId) -> Result<bool> {
        let changed =
            diesel::update(scoped::users(self.tenant).filter(users::id.eq(DbUuid::from(id))))
                .set((
                    users::version.eq(users::version + 1),
                    users::updated_at.eq(self.db_now()),
                ))
                .execute(self.connection)?;
        self.note_user(id, changed)
    }

    fn note_user(&mut self, id: UserId, changed: usize) -> Result<bool> {
        if changed > 0 {
            self.note(Entity::User, id)?;
        }
        Ok(changed > 0)
    }

    /// The roles of each of these people, sorted.
    fn roles_of(&mut self, ids: &[DbUuid]) -> Result<HashMap<Uuid, Vec<Role>>> {
        let rows = scoped::role_assignments(self.tenant)
            .filter(role_assignments::user_id.eq_any(ids.to_vec()))
            .select((role_assignments::user_id, role_assignments::role))
            .load::<(DbUuid, String)>(self.connection)?;
        let mut roles = HashMap::<Uuid, Vec<String>>::new();
        for (user, role) in rows {
            roles.entry(user.0).or_default().push(role);
        }
        roles
            .into_iter()
            .map(|(user, roles)| Ok((user, parse_roles(roles)?)))
            .collect()
    }

    fn roles_of_one(&mut self, id: DbUuid) -> Result<Vec<Role>> {
        let roles = scoped::role_assignments(self.tenant)
            .filter(role_assignments::user_id.eq(id))
            .select(role_assignments::role)
            .load::<String>(self.connection)?;
        parse_roles(roles)
    }
}
