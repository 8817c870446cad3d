//! What issuers of assertions call people.

use diesel::prelude::*;

use super::error::{Result, StorageError};
use super::repo::{Page, PageRequest, Repo};
use super::schema::{external_subjects, insert_scoped, scoped};
use super::search::without;
use super::types::{DbInstant, DbUuid};
use crate::domain::external_subject::ExternalSubject;
use crate::domain::ids::{ExternalSubjectId, TenantId, UserId};
use crate::secret::HashedSecret;

#[derive(Queryable, Selectable)]
#[diesel(table_name = external_subjects)]
struct SubjectRow {
    id: DbUuid,
    user_id: DbUuid,
    issuer: String,
    subject: String,
    name_hash: Vec<u8>,
    created_at: DbInstant,
}

impl TryFrom<SubjectRow> for ExternalSubject {
    type Error = StorageError;

    fn try_from(row: SubjectRow) -> Result<Self> {
        Ok(Self {
            id: ExternalSubjectId::from(row.id.0),
            user_id: UserId::from(row.user_id.0),
            issuer: row.issuer,
            subject: row.subject,
            name: HashedSecret::from_slice(&row.name_hash)
                .ok_or(StorageError::Corrupt("external_subjects.name_hash"))?,
            created_at: row.created_at.0,
        })
    }
}

/// A row as it is inserted with many.
#[derive(Insertable)]
#[diesel(table_name = external_subjects, treat_none_as_default_value = false)]
pub(super) struct NewSubjectRow {
    tenant_id: DbUuid,
    id: DbUuid,
    user_id: DbUuid,
    issuer: String,
    subject: String,
    search_key: String,
    name_hash: Vec<u8>,
    created_at: DbInstant,
}

impl NewSubjectRow {
    pub(super) fn new(tenant: TenantId, subject: &ExternalSubject) -> Self {
        Self {
            tenant_id: DbUuid::from(tenant),
            id: DbUuid::from(subject.id),
            user_id: DbUuid::from(subject.user_id),
            issuer: subject.issuer.clone(),
            subject: subject.subject.clone(),
            search_key: search_key(subject),
            name_hash: subject.name.as_bytes().to_vec(),
            created_at: DbInstant(subject.created_at),
        }
    }
}

/// What it is found by: the name and its issuer's, a line each, whatever their capitals.
fn search_key(subject: &ExternalSubject) -> String {
    format!("{}\n{}", subject.subject, subject.issuer).to_lowercase()
}

impl Repo<'_> {
    /// Writes down what an issuer calls a person. A conflict: it calls somebody so already.
    pub fn insert_external_subject(&mut self, subject: &ExternalSubject) -> Result<()> {
        insert_scoped!(
            self,
            external_subjects,
            (
                external_subjects::id.eq(DbUuid::from(subject.id)),
                external_subjects::user_id.eq(DbUuid::from(subject.user_id)),
                external_subjects::issuer.eq(subject.issuer.clone()),
                external_subjects::subject.eq(subject.subject.clone()),
                external_subjects::search_key.eq(search_key(subject)),
                external_subjects::name_hash.eq(subject.name.as_bytes().to_vec()),
                external_subjects::created_at.eq(DbInstant(subject.created_at)),
            )
        )
        .execute(self.connection)?;
        Ok(())
    }

    /// Finds one.
    pub fn find_external_subject(
        &mut self,
        id: ExternalSubjectId,
    ) -> Result<Option<ExternalSubject>> {
        scoped::external_subjects(self.tenant)
            .filter(external_subjects::id.eq(DbUuid::from(id)))
            .select(SubjectRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(ExternalSubject::try_from)
            .transpose()
    }

    /// Whom an issuer calls so.
    pub fn find_external_subject_named(
        &mut self,
        name: &HashedSecret,
    ) -> Result<Option<ExternalSubject>> {
        scoped::external_subjects(self.tenant)
            .filter(external_subjects::name_hash.eq(name.as_bytes().to_vec()))
            .select(SubjectRow::as_select())
            .get_result(self.connection)
            .optional()?
            .map(ExternalSubject::try_from)
            .transpose()
    }

    /// Lets whoever would forget it wait until this transaction's end; `false` where it was forgotten.
    pub fn hold_external_subject(&mut self, name: &HashedSecret) -> Result<bool> {
        let held = diesel::update(
            scoped::external_subjects(self.tenant)
                .filter(external_subjects::name_hash.eq(name.as_bytes().to_vec())),
        )
        .set(external_subjects::created_at.eq(external_subjects::created_at))
        .execute(self.connection)?;
        Ok(held == 1)
    }

    /// Lists them in the order of their making, of one person or of all; `search` is a part of the name or of its
    /// issuer's, whatever its capitals.
    pub fn list_external_subjects(
        &mut self,
        user: Option<UserId>,
        search: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<ExternalSubject>> {
        let mut query = scoped::external_subjects(self.tenant)
            .select(SubjectRow::as_select())
            .order(external_subjects::id.asc())
            .limit(page.rows() + 1)
            .into_boxed();
        if let Some(user) = user {
            query = query.filter(external_subjects::user_id.eq(DbUuid::from(user)));
        }
        if let Some(text) = search.map(str::trim).filter(|text| !text.is_empty()) {
            query = query.filter(
                without(external_subjects::search_key, text.to_lowercase())
                    .ne(external_subjects::search_key),
            );
        }
        if let Some(after) = page.after {
            query = query.filter(external_subjects::id.gt(DbUuid(after)));
        }
        let items = query
            .load::<SubjectRow>(self.connection)?
            .into_iter()
            .map(ExternalSubject::try_from)
            .collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(items, page, |subject| subject.id.uuid()))
    }

    /// Somebody among these people who has more names than `most`.
    pub fn find_overnamed(&mut self, users: &[UserId], most: i64) -> Result<Option<UserId>> {
        // So many that no statement has too many parameters.
        for users in users.chunks(1000) {
            let users: Vec<_> = users.iter().copied().map(DbUuid::from).collect();
            let found = scoped::external_subjects(self.tenant)
                .filter(external_subjects::user_id.eq_any(users))
                .group_by(external_subjects::user_id)
                .having(diesel::dsl::count_star().gt(most))
                .select(external_subjects::user_id)
                .first::<DbUuid>(self.connection)
                .optional()?;
            if let Some(user) = found {
                return Ok(Some(UserId::from(user.0)));
            }
        }
        Ok(None)
    }

    /// How many names a person has.
    pub fn count_external_subjects(&mut self, user: UserId) -> Result<i64> {
        Ok(scoped::external_subjects(self.tenant)
            .filter(external_subjects::user_id.eq(DbUuid::from(user)))
            .count()
            .get_result::<i64>(self.connection)?)
    }

    /// Forgets one; `false` where there is none.
    pub fn delete_external_subject(&mut self, id: ExternalSubjectId) -> Result<bool> {
        let deleted = diesel::delete(
            scoped::external_subjects(self.tenant)
                .filter(external_subjects::id.eq(DbUuid::from(id))),
        )
        .execute(self.connection)?;
        Ok(deleted == 1)
    }
}
