//! Tenants from a stream, each whole or not at all, many a commit.
//!
//! While one group is being written the next one is read and checked. A tenant that is larger than a group is written in `parts`.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::super::authority::{Area, Permission};
use super::super::error::{AdminError, By};
use super::super::tenants::{is_sealed_under, other_master_key, tell_operators};
use super::draft::Draft;
use super::format::{ExportLine, FORMAT};
use super::lines::{Line, Lines, Record};
use super::report::{Existing, ImportFailure, Imported, Mode, Problem, SecretKeeper};
use crate::domain::ids::TenantId;
use crate::flows::provider::{FlowError, Provider};
use crate::storage::{self, DatabaseKind, Installation, KnownStage, KnownTenant};

/// Lines of one commit: some tens of milliseconds of the writer's time.
const GROUP_LINES: usize = 1_500;

/// The same in bytes, which bounds what is kept in memory.
const GROUP_BYTES: usize = 4 << 20;

/// On SQLite others get their turn between two commits: for this part of the time that the last one took.
pub(super) const BREATH: u32 = 4;

/// How a group of tenants was written.
enum Written {
    /// Those that are there already, by their place in the group; with `Refuse`, the first of them, and nothing from there on was made.
    Done(Vec<(usize, KnownTenant)>),
    OtherMasterKey,
}

type Group = Arc<Vec<Draft>>;
type Writing = JoinHandle<(storage::Result<Written>, Duration)>;

/// What the lines at hand belong to.
pub(super) enum Current {
    /// Nothing yet, or a tenant that has ended.
    Nothing,
    Draft(Box<Draft>),
    /// A tenant that can't be made or needn't be: its lines are passed over.
    PassedOver,
}

pub(super) struct Importer<'p, 'k> {
    pub(super) provider: &'p Provider,
    pub(super) mode: Mode,
    pub(super) by: &'p By,
    keeper: Option<&'k mut dyn SecretKeeper>,
    pub(super) imported: Imported,
    problems: Vec<Problem>,
    /// Whether each tenant has to say where it ends.
    ends: bool,
    pub(super) current: Current,
    group: Vec<Draft>,
    group_size: (usize, usize),
    writing: Option<(Group, Writing)>,
    slugs: HashMap<String, u64>,
    ids: HashSet<TenantId>,
}

impl Provider {
    /// Makes the tenants of a stream. Those before an error are there afterwards, whole; of the one with the error nothing is.
    pub async fn import_tenants(
        &self,
        source: impl BufRead,
        mode: Mode,
        keeper: Option<&mut dyn SecretKeeper>,
        by: &By,
    ) -> Result<Imported, ImportFailure> {
        let mut importer = Importer::new(self, mode, keeper, by);
        let mut outcome = match by.check(Permission::Write(Area::Tenants)) {
            Ok(()) => importer.read(Lines::new(source)).await,
            Err(error) => Err(Problem::at(None)(error)),
        };
        if outcome.is_err() {
            importer.abandon().await;
        }
        // Also after an error: what stands before it is sound.
        if let Err(problem) = importer.flush().await {
            outcome = Err(problem);
        }
        let problems = std::mem::take(&mut importer.problems);
        ImportFailure::of(outcome, problems, importer.imported)
    }
}

impl<'p, 'k> Importer<'p, 'k> {
    fn new(
        provider: &'p Provider,
        mode: Mode,
        keeper: Option<&'k mut dyn SecretKeeper>,
        by: &'p By,
    ) -> Self {
        Self {
            provider,
            mode,
            by,
            keeper,
            imported: Imported::default(),
            problems: Vec::new(),
            ends: false,
            current: Current::Nothing,
            group: Vec::new(),
            group_size: (0, 0),
            writing: None,
            slugs: HashMap::new(),
            ids: HashSet::new(),
        }
    }
}

impl Importer<'_, '_> {
    async fn read(&mut self, mut lines: Lines<impl BufRead>) -> Result<(), Problem> {
        while let Some(line) = lines.next().map_err(Problem::unreadable)? {
            if let Err(problem) = self.take(line).await {
                if !self.mode.dry_run || problem.line.is_none() {
                    return Err(problem);
                }
                self.problems.push(problem);
            }
            if self.problems.len() >= Problem::MOST {
                return Ok(());
            }
        }
        if let Current::Draft(draft) = &self.current
            && self.ends
        {
            return Err(cut_short(draft));
        }
        self.end_tenant().await
    }

    async fn take(&mut self, line: Line) -> Result<(), Problem> {
        let problem = Problem::at(Some(line.number));
        let record = line.record.map_err(&problem)?;
        match record {
            Record::Export(export) => {
                self.end_unmarked().await?;
                self.ends = true;
                check_format(&export).map_err(problem)
            }
            Record::Tenant(tenant) => {
                self.end_unmarked().await?;
                // Whatever is wrong with it: what follows is its.
                self.current = Current::PassedOver;
                let draft = self.provider.draft(line.number, *tenant);
                let mut draft = draft.map_err(&problem)?;
                draft.waiting.1 = line.length;
                self.check_new(&draft).map_err(problem)?;
                self.current = Current::Draft(Box::new(draft));
                Ok(())
            }
            Record::End(end) => match &self.current {
                Current::Draft(draft) if draft.lines != end.lines => {
                    let told = format!(
                        "says {}, and the tenant has {}: some are missing",
                        end.lines, draft.lines
                    );
                    Err(problem(AdminError::invalid("end.lines", told)))
                }
                Current::Draft(_) => self.end_tenant().await,
                Current::PassedOver => {
                    self.current = Current::Nothing;
                    Ok(())
                }
                Current::Nothing => Err(problem(AdminError::invalid("end", "ends no tenant"))),
            },
            record => match &mut self.current {
                Current::PassedOver => Ok(()),
                Current::Nothing => Err(problem(AdminError::invalid(
                    "line",
                    "belongs to no tenant: a `tenant` line has to stand before it",
                ))),
                Current::Draft(draft) => {
                    draft.lines += 1;
                    draft.waiting.0 += 1;
                    draft.waiting.1 += line.length;
                    let added = self.provider.add_to_draft(draft, record, self.by);
                    added.map_err(&problem)?;
                    if !draft.new_secrets.is_empty() && self.keeper.is_none() && !self.mode.dry_run
                    {
                        return Err(problem(AdminError::invalid(
                            "client.client_secret",
                            "is missing: give the client one, or name a file for the secrets that are made (--secrets-file)",
                        )));
                    }
                    if draft.waiting.0 >= GROUP_LINES || draft.waiting.1 >= GROUP_BYTES {
                        self.write_part().await?;
                    }
                    Ok(())
                }
            },
        }
    }

    fn check_new(&mut self, draft: &Draft) -> Result<(), AdminError> {
        if let Some(first) = self
            .slugs
            .insert(draft.slug().as_str().to_owned(), draft.line)
        {
            let reason = format!("is that of the tenant of line {first} already");
            return Err(AdminError::invalid("tenant.slug", reason));
        }
        if !self.ids.insert(draft.id()) {
            let reason = "is that of another tenant of this file; leave it out for a new one";
            return Err(AdminError::invalid("tenant.id", reason));
        }
        Ok(())
    }

    /// Ends the tenant at hand where the next one begins.
    async fn end_unmarked(&mut self) -> Result<(), Problem> {
        match &self.current {
            Current::Draft(draft) if self.ends => Err(cut_short(draft)),
            _ => self.end_tenant().await,
        }
    }

    async fn end_tenant(&mut self) -> Result<(), Problem> {
        let Current::Draft(mut draft) = std::mem::replace(&mut self.current, Current::Nothing)
        else {
            return Ok(());
        };
        let line = draft.line;
        let problem = Problem::at(Some(line));
        if draft.begun {
            self.current = Current::Draft(draft);
            return self.finish_parts().await;
        }
        let provider = self.provider;
        provider.complete_keys(&mut draft).await.map_err(problem)?;
        let event = draft.event(self.by);
        draft.whole.events.push(event);
        self.group_size.0 += draft.waiting.0;
        self.group_size.1 += draft.waiting.1;
        if self.mode.dry_run {
            // Which it is and how many are in it is all that is asked for from here on.
            draft.clear();
        }
        self.group.push(*draft);
        if self.group_size.0 >= GROUP_LINES || self.group_size.1 >= GROUP_BYTES {
            self.write_group().await?;
        }
        Ok(())
    }

    /// Begins to write what has gathered, once what was begun before is done.
    async fn write_group(&mut self) -> Result<(), Problem> {
        self.await_writing().await?;
        let group = std::mem::take(&mut self.group);
        self.group_size = (0, 0);
        if group.is_empty() {
            return Ok(());
        }
        let group = Arc::new(group);
        if self.mode.dry_run || group.iter().any(|draft| !draft.new_secrets.is_empty()) {
            let known = self.find_known(&group).await?;
            if self.mode.dry_run {
                self.settle_check(&group, &known);
                return Ok(());
            }
            self.keep_secrets(&group, &known)?;
        }
        let writing = self.submit(Arc::clone(&group));
        self.writing = Some((group, writing));
        // Has it begun before the next lines are read, which blocks this thread.
        tokio::task::yield_now().await;
        Ok(())
    }

    fn submit(&self, group: Group) -> Writing {
        let (db, mode) = (self.provider.db.clone(), self.mode);
        let fingerprint = self.provider.master().fingerprint();
        let by = self.by.clone();
        tokio::spawn(async move {
            let begun = Instant::now();
            let written =
                db.write_installation(move |all| write(all, &group, mode, &fingerprint, &by));
            let written = written.await;
            (written, begun.elapsed())
        })
    }

    async fn await_writing(&mut self) -> Result<(), Problem> {
        let written = self.written().await;
        if written.is_err() {
            // It stands behind what couldn't be made.
            self.group.clear();
        }
        written
    }

    async fn written(&mut self) -> Result<(), Problem> {
        let Some((group, writing)) = self.writing.take() else {
            return Ok(());
        };
        let failed = |error: AdminError| Problem::at(group.first().map(|draft| draft.line))(error);
        let (written, took) = writing
            .await
            .map_err(|_| failed(FlowError::Internal("a write was dropped").into()))?;
        match written {
            Ok(Written::Done(known)) => self.settle(&group, known).await?,
            Ok(Written::OtherMasterKey) => return Err(failed(other_master_key())),
            // Somebody else made one of them at this very moment.
            Err(error) => return Err(failed(error.into())),
        }
        if self.provider.db.kind() == DatabaseKind::Sqlite {
            tokio::time::sleep(took / BREATH).await;
        }
        Ok(())
    }

    /// Counts what a group made, and deals with what was there already.
    async fn settle(
        &mut self,
        group: &[Draft],
        known: Vec<(usize, KnownTenant)>,
    ) -> Result<(), Problem> {
        let refused = known.iter().find_map(|(place, known)| {
            let draft = group.get(*place)?;
            self.refusal(draft, known).map(|error| (*place, error))
        });
        let end = refused.as_ref().map_or(group.len(), |(place, _)| *place);
        let mut again = Vec::new();
        for (place, draft) in group.iter().enumerate().take(end) {
            match known.iter().find(|(known, _)| *known == place) {
                None => self.count(draft),
                Some((_, known)) if known.stage == KnownStage::BeingImported => {
                    again.push((draft, known.id));
                }
                Some(_) => self.imported.skipped_tenants += 1,
            }
        }
        for (draft, id) in again {
            self.take_over(draft, id).await?;
        }
        match refused {
            Some((place, error)) => {
                Err(Problem::at(group.get(place).map(|draft| draft.line))(error))
            }
            None => Ok(()),
        }
    }

    /// The same of a check, which tells of all that can't be made.
    fn settle_check(&mut self, group: &[Draft], known: &[(usize, KnownTenant)]) {
        let known = known.iter().map(|(place, known)| (*place, known));
        let known = known.collect::<HashMap<_, _>>();
        for (place, draft) in group.iter().enumerate() {
            let Some(known) = known.get(&place) else {
                self.count(draft);
                continue;
            };
            match self.refusal(draft, known) {
                Some(error) => {
                    self.problems.push(Problem::at(Some(draft.line))(error));
                    if self.problems.len() >= Problem::MOST {
                        return;
                    }
                }
                None if known.stage == KnownStage::BeingImported => self.count(draft),
                None => self.imported.skipped_tenants += 1,
            }
        }
    }

    pub(super) fn refusal(&self, draft: &Draft, known: &KnownTenant) -> Option<AdminError> {
        if known.slug != draft.slug().as_str() {
            return Some(AdminError::invalid(
                "tenant.id",
                format!(
                    "is that of the tenant `{}`; leave it out for a copy",
                    known.slug
                ),
            ));
        }
        let slug = draft.slug();
        match (known.stage, self.mode.existing) {
            (KnownStage::BeingDeleted, _) => Some(AdminError::refused(format!(
                "the tenant `{slug}` is being deleted; import it once `tessera tenant list` doesn't show it any more"
            ))),
            (_, Existing::Skip) => None,
            (KnownStage::BeingImported, Existing::Refuse) => Some(AdminError::refused(format!(
                "an import of the tenant `{slug}` is under way or was interrupted; begin anew by --skip-existing"
            ))),
            (KnownStage::Whole, Existing::Refuse) => Some(AdminError::Exists {
                kind: "tenant with the slug",
                name: slug.to_string(),
            }),
        }
    }

    pub(super) fn count(&mut self, draft: &Draft) {
        let (sum, counts) = (&mut self.imported, draft.counts);
        sum.tenants += 1;
        sum.people += counts.people;
        sum.people_with_password += counts.passwords;
        sum.resources += counts.resources;
        sum.clients += counts.clients;
        sum.clients_naming_unknown += counts.clients_naming_unknown;
        sum.new_client_secrets += counts.secrets;
        sum.consents += counts.consents;
        sum.domains_to_verify += counts.domains;
    }

    /// Deletes what an interrupted import left, and makes the tenant.
    async fn take_over(&mut self, draft: &Draft, id: TenantId) -> Result<(), Problem> {
        let problem = Problem::at(Some(draft.line));
        self.provider
            .delete_unfinished(id)
            .await
            .map_err(&problem)?;
        self.insert(draft, Some(draft.told_operators(self.by)))
            .await?;
        self.count(draft);
        Ok(())
    }

    async fn find_known(&self, group: &Group) -> Result<Vec<(usize, KnownTenant)>, Problem> {
        let wanted = Arc::clone(group);
        let read = self
            .provider
            .db
            .read_installation(move |all| find_known(all, &wanted));
        read.await.map_err(|error| Problem::at(None)(error.into()))
    }

    pub(super) fn keep_secrets(
        &mut self,
        group: &[Draft],
        known: &[(usize, KnownTenant)],
    ) -> Result<(), Problem> {
        let is_known = |place: usize, stage: KnownStage| {
            known
                .iter()
                .any(|(known, tenant)| *known == place && tenant.stage == stage)
        };
        let secrets = group.iter().enumerate();
        let secrets = secrets.filter(|(place, _)| !is_known(*place, KnownStage::Whole));
        let secrets = secrets.flat_map(|(_, draft)| draft.new_secrets.iter().cloned());
        let secrets = secrets.collect::<Vec<_>>();
        let Some(keeper) = self.keeper.as_mut().filter(|_| !secrets.is_empty()) else {
            return Ok(());
        };
        keeper.keep(&secrets).map_err(|error| {
            let reason = format!("the file for secrets can't be written: {error}");
            Problem::at(group.first().map(|draft| draft.line))(AdminError::refused(reason))
        })
    }

    pub(super) async fn flush(&mut self) -> Result<(), Problem> {
        self.write_group().await?;
        self.await_writing().await
    }
}

fn write(
    all: &mut Installation<'_>,
    group: &[Draft],
    mode: Mode,
    fingerprint: &str,
    by: &By,
) -> storage::Result<Written> {
    if !is_sealed_under(all, fingerprint)? {
        return Ok(Written::OtherMasterKey);
    }
    let mut known = find_known(all, group)?;
    let passes = |draft: &Draft, known: &KnownTenant| {
        mode.existing == Existing::Skip && known.slug == draft.slug().as_str()
    };
    let refused = known
        .iter()
        .position(|(place, known)| group.get(*place).is_some_and(|draft| !passes(draft, known)));
    let mut end = group.len();
    if let Some(refused) = refused {
        end = known[refused].0;
        known.truncate(refused + 1);
    }
    let places = known
        .iter()
        .map(|(place, _)| *place)
        .collect::<HashSet<_>>();
    let new = group.iter().enumerate().take(end);
    let new = new.filter(|(place, _)| !places.contains(place));
    let new = new.map(|(_, draft)| draft).collect::<Vec<_>>();
    all.insert_whole_tenants(&new.iter().map(|draft| &draft.whole).collect::<Vec<_>>())?;
    let told = new.iter().map(|draft| draft.told_operators(by));
    tell_operators(all, &told.collect::<Vec<_>>())?;
    Ok(Written::Done(known))
}

/// Which of a group are there already, by slug or identifier, in the order of the group.
fn find_known(
    all: &mut Installation<'_>,
    group: &[Draft],
) -> storage::Result<Vec<(usize, KnownTenant)>> {
    let slugs = group.iter().map(|draft| draft.slug().as_str());
    let ids = group.iter().map(Draft::id).collect::<Vec<_>>();
    let known = all.find_known_tenants(&slugs.collect::<Vec<_>>(), &ids)?;
    let by_slug = known.iter().map(|known| (known.slug.as_str(), known));
    let by_slug = by_slug.collect::<HashMap<_, _>>();
    let by_id = known.iter().map(|known| (known.id, known));
    let by_id = by_id.collect::<HashMap<_, _>>();
    let found = group.iter().enumerate().filter_map(|(place, draft)| {
        let found = by_slug.get(draft.slug().as_str());
        let found = found.or_else(|| by_id.get(&draft.id()))?;
        Some((place, KnownTenant::clone(found)))
    });
    Ok(found.collect())
}

fn check_format(export: &ExportLine) -> Result<(), AdminError> {
    if export.format == FORMAT {
        return Ok(());
    }
    Err(AdminError::invalid(
        "export.format",
        format!("is {}; this program reads {FORMAT}", export.format),
    ))
}

fn cut_short(draft: &Draft) -> Problem {
    let reason = format!(
        "has no `end`: the export was cut short within the tenant `{}`",
        draft.slug()
    );
    Problem::at(Some(draft.line))(AdminError::invalid("tenant", reason))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::flows::provider::FeedUse;
    use crate::jose::seal::MasterKey;
    use crate::storage::{Db, DbOptions, Location, migrate};

    const ID: &str = "018f3a4e-1111-7222-8333-444455556666";

    fn provider(directory: &std::path::Path) -> Provider {
        let location = Location::Sqlite(directory.join("tessera.db"));
        migrate(&location).unwrap();
        let clock = Clock::system();
        let options = DbOptions {
            location,
            connections: 1,
            queue: 16,
            deadline: Duration::from_secs(5),
        };
        let db = Db::open(&options, clock.clone()).unwrap();
        let config = Config::from_toml("public_url = 'https://id.example/t/{tenant}'").unwrap();
        let master = MasterKey::generate(&clock);
        Provider::new(Arc::new(config), db, master, FeedUse::None).unwrap()
    }

    /// What is in memory of a tenant that is checked, in rows and in what they are told apart by.
    fn kept(importer: &Importer<'_, '_>) -> (usize, (usize, usize)) {
        let Current::Draft(draft) = &importer.current else {
            panic!("no tenant at hand");
        };
        let whole = &draft.whole;
        let rows = whole.users.len()
            + whole.clients.len()
            + whole.consents.len()
            + whole.external_subjects.len()
            + draft.new_secrets.len();
        (rows, draft.waiting)
    }

    #[test]
    fn a_check_drops_the_rows_of_each_part() {
        actix_web::rt::System::new().block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let (provider, by) = (provider(directory.path()), By::command_line());
            let mode = Mode {
                dry_run: true,
                existing: Existing::Refuse,
            };
            let mut importer = Importer::new(&provider, mode, None, &by);
            let name = json!({ "user_id": ID, "issuer": "https://idp.example", "subject": "ana" });
            let mut records = vec![
                json!({ "tenant": { "slug": "acme", "name": "Acme" } }),
                json!({ "user": { "id": ID, "email": "ana@acme.example" } }),
                json!({ "client": { "grant_types": ["client_credentials"] } }),
                json!({ "external_subject": name }),
            ];
            let person = |number| json!({ "user": { "email": format!("p{number}@acme.example") } });
            records.extend((0..4 * GROUP_LINES).map(person));
            let text = records.iter().map(ToString::to_string).collect::<Vec<_>>();
            let text = text.join("\n");
            let (mut lines, mut parts) = (Lines::new(text.as_bytes()), 0);
            while let Some(line) = lines.next().unwrap() {
                importer.take(line).await.unwrap();
                let (rows, waiting) = kept(&importer);
                assert!(rows <= waiting.0 + 1, "{rows} rows of {waiting:?}");
                parts += usize::from(waiting == (0, 0) && rows == 0);
            }
            assert_eq!(parts, 4);
            importer.end_tenant().await.unwrap();
            importer.flush().await.unwrap();
            assert_eq!(
                (importer.imported.tenants, importer.imported.people),
                (1, 6_001)
            );
        });
    }
}
