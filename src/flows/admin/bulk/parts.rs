//! Tenants that are larger than a group: written in parts, as a tenant that is being deleted and still has its data key. Nobody finds
//! it, and where its import doesn't come to an end it is deleted, at once or by a server's job. The last part opens it. Whoever begins to
//! delete it meanwhile takes its data key, and with that the import can't go on.

use std::time::Instant;

use super::super::error::AdminError;
use super::super::tenants::{is_sealed_under, other_master_key, tell_operators};
use super::draft::Draft;
use super::import::{BREATH, Current, Importer};
use super::report::Problem;
use crate::domain::audit::Event;
use crate::domain::external_subject::NAMES_MAX;
use crate::domain::ids::{TenantId, UserId};
use crate::domain::tenant::TenantStatus;
use crate::flows::provider::{FlowError, Provider};
use crate::storage::{DatabaseKind, KnownStage, WholeTenant};

/// What came of a part.
enum Appended {
    /// It is written.
    Yes,
    /// The tenant is being deleted.
    Gone,
    /// Somebody has too many names at issuers.
    Overnamed(UserId),
}

impl Importer<'_, '_> {
    /// Writes what there is of the tenant at hand.
    pub(super) async fn write_part(&mut self) -> Result<(), Problem> {
        self.flush().await?;
        let Current::Draft(mut draft) = std::mem::replace(&mut self.current, Current::PassedOver)
        else {
            return Ok(());
        };
        if self.mode.dry_run {
            draft.clear_rows();
            draft.passed = true;
            self.current = Current::Draft(draft);
            return Ok(());
        }
        if draft.begun {
            let part = draft.take_part();
            let written = self.append(&draft, part, None).await;
            draft.clear();
            self.current = Current::Draft(draft);
            return written;
        }
        let problem = Problem::at(Some(draft.line));
        let provider = self.provider;
        provider.complete_keys(&mut draft).await.map_err(&problem)?;
        draft.whole.record.status = TenantStatus::Deleting;
        let (slug, id) = (draft.slug().as_str().to_owned(), draft.id());
        let known = provider
            .db
            .read_installation(move |all| all.find_known_tenants(&[&slug], &[id]));
        let known = known.await.map_err(|error| problem(error.into()))?;
        for known in &known {
            if let Some(error) = self.refusal(&draft, known) {
                return Err(problem(error));
            }
            if known.stage == KnownStage::Whole {
                self.imported.skipped_tenants += 1;
                return Ok(());
            }
            provider
                .delete_unfinished(known.id)
                .await
                .map_err(&problem)?;
        }
        self.keep_secrets(std::slice::from_ref(&*draft), &[])?;
        // Whoever looks after the installation hears of it once it is whole.
        self.insert(&draft, None).await?;
        draft.begun = true;
        draft.clear();
        self.current = Current::Draft(draft);
        Ok(())
    }

    /// Makes a tenant of what there is of it, and tells the operators where `told` says so.
    pub(super) async fn insert(&self, draft: &Draft, told: Option<Event>) -> Result<(), Problem> {
        let problem = Problem::at(Some(draft.line));
        let (whole, fingerprint) = (draft.whole.clone(), self.provider.master().fingerprint());
        let written = self.provider.db.write_installation(move |all| {
            if !is_sealed_under(all, &fingerprint)? {
                return Ok(None);
            }
            all.insert_whole_tenants(&[&whole])?;
            tell_operators(all, told.as_slice())?;
            Ok(Some(()))
        });
        match written.await {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(problem(other_master_key())),
            Err(error) if error.is_conflict() => Err(problem(AdminError::refused(format!(
                "somebody else made a tenant with this slug or id at this moment ({error})"
            )))),
            Err(error) => Err(problem(error.into())),
        }
    }

    /// Adds a part, and opens the tenant where it is the last: then there are events, the tenant's own and that of the operators.
    async fn append(
        &mut self,
        draft: &Draft,
        part: WholeTenant,
        last: Option<(Event, Event)>,
    ) -> Result<(), Problem> {
        let problem = Problem::at(None);
        let lines = draft.line + draft.lines;
        let told = |error: AdminError| match error {
            AdminError::Failed(FlowError::Storage(error)) if error.is_conflict() => {
                AdminError::refused(format!(
                    "among the {} lines before line {lines} one names a person or client that stands in the tenant already, \
                     or a consent whose person or client doesn't ({error})",
                    draft.waiting.0
                ))
            }
            other => other,
        };
        self.keep_secrets(std::slice::from_ref(draft), &[])?;
        let begun = Instant::now();
        let written = self.provider.db.write_installation(move |all| {
            let Some(scope) = all.continue_import(part.record.id)? else {
                return Ok(Appended::Gone);
            };
            let overnamed = all.tenant(scope, |repo| {
                repo.insert_users(&part.users.iter().collect::<Vec<_>>())?;
                repo.insert_clients(&part.clients)?;
                repo.insert_consents(&part.consents)?;
                repo.insert_external_subjects(&part.external_subjects)?;
                // Counted here, where those of the parts before are.
                let mut named: Vec<_> = part
                    .external_subjects
                    .iter()
                    .map(|one| one.user_id)
                    .collect();
                named.sort_unstable();
                named.dedup();
                if let Some(user) = repo.find_overnamed(&named, NAMES_MAX)? {
                    return Ok(Some(user));
                }
                if let Some((event, _)) = &last {
                    repo.record(event.clone())?;
                }
                Ok(None)
            })?;
            if let Some(user) = overnamed {
                return Ok(Appended::Overnamed(user));
            }
            let Some((_, told)) = &last else {
                return Ok(Appended::Yes);
            };
            if !all.finish_import(&part.record)? {
                return Ok(Appended::Gone);
            }
            tell_operators(all, std::slice::from_ref(told))?;
            Ok(Appended::Yes)
        });
        let written = written.await.map_err(AdminError::from);
        match written.map_err(told).map_err(&problem)? {
            Appended::Yes => {}
            // What was written of the tenant is deleted by whoever hears of the problem.
            Appended::Overnamed(user) => {
                return Err(problem(AdminError::refused(format!(
                    "the person {user} has more than {NAMES_MAX} names at issuers"
                ))));
            }
            Appended::Gone => {
                return Err(problem(AdminError::refused(format!(
                    "somebody began to delete the tenant `{}` while it was being imported",
                    draft.slug()
                ))));
            }
        }
        if self.provider.db.kind() == DatabaseKind::Sqlite {
            tokio::time::sleep(begun.elapsed() / BREATH).await;
        }
        Ok(())
    }

    pub(super) async fn finish_parts(&mut self) -> Result<(), Problem> {
        let Current::Draft(mut draft) = std::mem::replace(&mut self.current, Current::Nothing)
        else {
            return Ok(());
        };
        let mut part = draft.take_part();
        part.record.status = draft.status;
        let events = (draft.event(self.by), draft.told_operators(self.by));
        let written = self.append(&draft, part, Some(events)).await;
        if written.is_ok() {
            self.count(&draft);
        } else {
            self.current = Current::Draft(draft);
        }
        written
    }

    /// Leaves nothing of the tenant at hand behind.
    pub(super) async fn abandon(&mut self) {
        if let Current::Draft(draft) = std::mem::replace(&mut self.current, Current::Nothing)
            && draft.begun
            && let Err(error) = self.provider.delete_unfinished(draft.id()).await
        {
            // A server's job deletes it later.
            tracing::warn!(%error, tenant = %draft.slug(), "what was imported of a tenant can't be deleted yet");
        }
    }
}

impl Provider {
    /// Deletes what an import of a tenant wrote before it ended.
    pub(super) async fn delete_unfinished(&self, id: TenantId) -> Result<(), AdminError> {
        let begun = self
            .db
            .write_installation(move |all| match all.continue_import(id)? {
                Some(_) => all.begin_tenant_deletion(id),
                None => Ok(false),
            });
        if begun.await? {
            self.erase_tenant(id).await?;
        }
        Ok(())
    }
}
