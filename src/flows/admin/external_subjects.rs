//! What issuers of assertions call people (RFC 7523): written down by whoever administers people.

use serde_json::json;

use super::authority::{Area, Permission};
use super::error::{AdminError, By, on_conflict};
use super::once::Claim;
use super::users::beyond;
use crate::domain::audit::Act;
use crate::domain::external_subject::{ExternalSubject, ISSUER_MAX, NAMES_MAX, SUBJECT_MAX};
use crate::domain::ids::{ExternalSubjectId, UserId};
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;
use crate::secret::{HashKey, HashedSecret};
use crate::storage::{self, Page, PageRequest, Repo, WordOf};

/// A person's name at an issuer, to be written down.
#[derive(Clone, Debug)]
pub struct NewExternalSubject {
    /// Who.
    pub user_id: UserId,
    /// At whom.
    pub issuer: String,
    /// The name.
    pub subject: String,
}

/// As it is looked up: both may be long.
pub(in crate::flows) fn name_of(tenant: &Tenant, issuer: &str, subject: &str) -> HashedSecret {
    name_at(tenant.handle_key(), issuer, subject)
}

/// The same for a tenant that isn't made yet.
pub(super) fn name_at(handles: &HashKey, issuer: &str, subject: &str) -> HashedSecret {
    handles.mac("external subject", &[issuer.as_bytes(), subject.as_bytes()])
}

/// What both may be.
pub(super) fn check_name(issuer: &str, subject: &str) -> Result<(), AdminError> {
    check_text("issuer", issuer, ISSUER_MAX)?;
    check_text("subject", subject, SUBJECT_MAX)
}

/// Forgets a name, and ends what was granted by it; says how many grants. `None` where somebody else has forgotten it meanwhile.
fn forget(repo: &mut Repo<'_>, known: &ExternalSubject) -> storage::Result<Option<usize>> {
    if !repo.delete_external_subject(known.id)? {
        return Ok(None);
    }
    repo.revoke_assertion_grants(WordOf::Name(&known.name))
        .map(Some)
}

/// Forgets all names of a person: by each of them its issuer gets tokens for somebody who is to have more power than when it was written down.
/// Says how many there were.
pub(super) fn forget_names(repo: &mut Repo<'_>, user: UserId) -> storage::Result<usize> {
    let mut forgotten = 0;
    loop {
        let names = repo.list_external_subjects(Some(user), None, PageRequest::first(200))?;
        if names.items.is_empty() {
            return Ok(forgotten);
        }
        for known in &names.items {
            forgotten += usize::from(forget(repo, known)?.is_some());
        }
    }
}

fn no_subject(id: ExternalSubjectId) -> AdminError {
    AdminError::NotFound {
        kind: "external subject",
        name: id.to_string(),
        list: Some("tessera external-subject list"),
    }
}

fn check_text(field: &'static str, text: &str, most: usize) -> Result<(), AdminError> {
    let sound = !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control);
    if sound {
        return Ok(());
    }
    Err(AdminError::invalid(
        field,
        format!("has 1 to {most} bytes and no control characters"),
    ))
}

impl Provider {
    /// Writes down what an issuer calls a person.
    pub async fn create_external_subject(
        &self,
        tenant: &Tenant,
        new: NewExternalSubject,
        by: &By,
    ) -> Result<ExternalSubject, AdminError> {
        by.check(Permission::Write(Area::Users))?;
        check_name(&new.issuer, &new.subject)?;
        let record = ExternalSubject {
            id: ExternalSubjectId::from(self.clock.uuid_v7()),
            user_id: new.user_id,
            name: name_of(tenant, &new.issuer, &new.subject),
            issuer: new.issuer,
            subject: new.subject,
            created_at: self.now(),
        };
        let claim = by.claim(tenant, record.id.uuid(), None, &self.clock)?;
        let taken = |record: &ExternalSubject| AdminError::Exists {
            kind: "external subject",
            name: record.subject.clone(),
        };
        let (stored, by) = (record.clone(), by.clone());
        let written = self.db.write(tenant, move |repo| {
            // Whoever gives them a role at this moment comes before or after this, and so does another name.
            repo.hold_user(stored.user_id)?;
            Claim::check(claim.as_ref(), repo)?;
            let Some(user) = repo.find_user(stored.user_id)? else {
                return Ok(Err(AdminError::invalid(
                    "user_id",
                    "is nobody of this tenant",
                )));
            };
            // By their name at an issuer one gets tokens for them.
            if let Err(error) = by.authority.check_over(&user) {
                return Ok(Err(error));
            }
            if repo.find_external_subject_named(&stored.name)?.is_some() {
                return Ok(Err(taken(&stored)));
            }
            if repo.count_external_subjects(user.id)? >= NAMES_MAX {
                return Ok(Err(AdminError::refused(format!(
                    "a person has at most {NAMES_MAX} names at issuers"
                ))));
            }
            Claim::write(claim.as_ref(), repo)?;
            repo.insert_external_subject(&stored)?;
            repo.record(
                by.event(Act::ExternalSubjectAdded)
                    .user(user.id)
                    .detail(json!({ "issuer": stored.issuer, "subject": stored.subject })),
            )?;
            Ok(Ok(()))
        });
        written
            .await
            .map_err(|error| on_conflict(error, || taken(&record)))??;
        Ok(record)
    }

    /// The one of this id.
    pub async fn load_external_subject(
        &self,
        tenant: &Tenant,
        id: ExternalSubjectId,
    ) -> Result<ExternalSubject, AdminError> {
        self.db
            .read(tenant, move |repo| repo.find_external_subject(id))
            .await?
            .ok_or_else(|| no_subject(id))
    }

    /// Lists them in the order of their making, of one person or of all.
    pub async fn list_external_subjects(
        &self,
        tenant: &Tenant,
        user: Option<UserId>,
        search: Option<String>,
        page: PageRequest,
    ) -> Result<Page<ExternalSubject>, AdminError> {
        Ok(self
            .db
            .read(tenant, move |repo| {
                repo.list_external_subjects(user, search.as_deref(), page)
            })
            .await?)
    }

    /// The same with the addresses of those whose names they are.
    pub async fn list_named_people(
        &self,
        tenant: &Tenant,
        search: Option<String>,
        page: PageRequest,
    ) -> Result<Page<(ExternalSubject, String)>, AdminError> {
        let read = self.db.read(tenant, move |repo| {
            let found = repo.list_external_subjects(None, search.as_deref(), page)?;
            let mut items = Vec::with_capacity(found.items.len());
            for one in found.items {
                let user = repo.find_user(one.user_id)?;
                let address = user.map_or_else(String::new, |user| user.email.to_string());
                items.push((one, address));
            }
            Ok(Page {
                items,
                next: found.next,
            })
        });
        Ok(read.await?)
    }

    /// Forgets one, and ends what its issuer's word gave by it.
    pub async fn delete_external_subject(
        &self,
        tenant: &Tenant,
        id: ExternalSubjectId,
        by: &By,
    ) -> Result<(), AdminError> {
        by.check(Permission::Write(Area::Users))?;
        let by = by.clone();
        let deleted = self.db.write(tenant, move |repo| {
            let Some(known) = repo.find_external_subject(id)? else {
                return Ok(Err(no_subject(id)));
            };
            if let Some(refusal) = beyond(repo, known.user_id, &by)? {
                return Ok(Err(refusal));
            }
            let Some(ended) = forget(repo, &known)? else {
                return Ok(Err(no_subject(id)));
            };
            repo.record(by.event(Act::ExternalSubjectRemoved).user(known.user_id).detail(
                json!({ "issuer": known.issuer, "subject": known.subject, "grants_revoked": ended }),
            ))?;
            Ok(Ok(()))
        });
        deleted.await?
    }
}
