//! People into a tenant that is there already, and what a person's line has to be.

use std::collections::HashMap;
use std::io::BufRead;
use std::sync::Arc;

use chrono::{Duration, SubsecRound as _};
use serde_json::json;
use uuid::Uuid;

use super::super::authority::{Area, Permission};
use super::super::error::{AdminError, By};
use super::super::users::{check_claims, taken};
use super::format::{UserLine, UserState};
use super::lines::{Lines, Record};
use super::report::{Existing, ImportFailure, Imported, Mode, Problem};
use crate::clock::Timestamp;
use crate::domain::audit::Act;
use crate::domain::ids::UserId;
use crate::domain::user::{PasswordHash, User, UserStatus};
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;
use crate::jose::passwords::check_stored_hash;
use crate::protocol::email::EmailAddress;

/// People of one commit.
const GROUP: usize = 1_000;

/// The same in bytes of their lines.
const GROUP_BYTES: usize = 4 << 20;

/// A moment as the database keeps it; refuses what can't have been.
pub(super) fn moment(
    field: &str,
    at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, AdminError> {
    match at {
        // A day, as clocks and time zones differ.
        Some(at) if at > now + Duration::days(1) || at < Timestamp::UNIX_EPOCH => Err(
            AdminError::invalid(field, "must be after 1970 and not in the future"),
        ),
        at => Ok(at.map(|at| at.trunc_subsecs(6))),
    }
}

/// The person that a line speaks of.
pub(super) fn person(
    line: UserLine,
    now: Timestamp,
    new_id: impl FnOnce() -> Uuid,
) -> Result<User, AdminError> {
    let email =
        EmailAddress::parse(&line.email).map_err(|error| AdminError::invalid("email", error))?;
    check_claims(&line.claims)?;
    if line.id.is_some_and(|id| id.is_nil()) {
        return Err(AdminError::invalid("id", "must not be the nil UUID"));
    }
    let created_at = moment("created_at", line.created_at, now)?.unwrap_or(now);
    let password = match line.password_hash {
        Some(hash) => {
            check_stored_hash(&hash)
                .map_err(|error| AdminError::invalid("password_hash", error))?;
            Some(PasswordHash {
                phc: hash,
                set_at: moment("password_set_at", line.password_set_at, now)?.unwrap_or(created_at),
                by_lesser: line.password_by_lesser,
            })
        }
        None => None,
    };
    let disabled_at = moment("disabled_at", line.disabled_at, now)?;
    let status = match (line.status, disabled_at) {
        (UserState::Active, None) => UserStatus::Active,
        (UserState::Active, Some(_)) => {
            return Err(AdminError::invalid(
                "disabled_at",
                "can't be there unless status is `disabled`",
            ));
        }
        (UserState::Disabled, since) => UserStatus::Disabled {
            since: since.unwrap_or(now),
        },
    };
    let mut roles = line.roles;
    roles.sort_unstable();
    roles.dedup();
    Ok(User {
        id: UserId::from(line.id.unwrap_or_else(new_id)),
        email,
        email_verified: line.email_verified,
        status,
        claims: line.claims,
        password,
        roles,
        version: 1,
        created_at,
        updated_at: moment("updated_at", line.updated_at, now)?.unwrap_or(created_at),
    })
}

/// People that wait for their commit.
#[derive(Default)]
struct Group {
    people: Vec<User>,
    lines: Vec<u64>,
    bytes: usize,
    /// By address, and by identifier: the line where each stands.
    emails: HashMap<String, u64>,
    ids: HashMap<UserId, u64>,
}

impl Group {
    fn add(&mut self, user: User, line: u64) -> Result<(), AdminError> {
        let twice = |field: &str, first: u64| {
            AdminError::invalid(field, format!("stands in line {first} already"))
        };
        if let Some(first) = self.emails.get(user.email.key()) {
            return Err(twice("user.email", *first));
        }
        if let Some(first) = self.ids.get(&user.id) {
            return Err(twice("user.id", *first));
        }
        self.emails.insert(user.email.key().to_owned(), line);
        self.ids.insert(user.id, line);
        self.people.push(user);
        self.lines.push(line);
        Ok(())
    }
}

/// How people are imported, and what came of it so far.
struct Told {
    mode: Mode,
    imported: Imported,
    /// Of a check, which goes on behind what is wrong.
    problems: Vec<Problem>,
}

/// What a commit of people gave.
struct Committed {
    people: u64,
    passwords: u64,
    skipped: u64,
    /// Who is there already, by their place in the group: the first of them, where nobody behind is looked at any more.
    refused: Vec<usize>,
}

impl Provider {
    /// Adds the people of a stream to a tenant, many a commit. Those before an error are there afterwards; nobody else is touched.
    pub async fn import_users(
        &self,
        tenant: &Tenant,
        source: impl BufRead,
        mode: Mode,
        by: &By,
    ) -> Result<Imported, ImportFailure> {
        let mut told = Told {
            mode,
            imported: Imported::default(),
            problems: Vec::new(),
        };
        let outcome = self.import_people(tenant, source, by, &mut told).await;
        ImportFailure::of(outcome, told.problems, told.imported)
    }

    async fn import_people(
        &self,
        tenant: &Tenant,
        source: impl BufRead,
        by: &By,
        told: &mut Told,
    ) -> Result<(), Problem> {
        let mode = told.mode;
        by.check(Permission::Write(Area::Users))
            .map_err(Problem::at(None))?;
        let mut lines = Lines::new(source);
        let mut group = Group::default();
        while let Some(line) = lines.next().map_err(Problem::unreadable)? {
            let number = line.number;
            let user = match line.record {
                Ok(Record::User(user)) => by
                    .authority
                    .check_grant(&user.roles)
                    .and_then(|()| person(*user, self.now(), || self.clock.uuid_v7())),
                Ok(_) => Err(AdminError::invalid(
                    "line",
                    "only `user` lines can be imported into a tenant that is there; \
                     for whole tenants there is `tessera tenant import`",
                )),
                Err(error) => Err(error),
            };
            group.bytes += line.length;
            if let Err(error) = user.and_then(|user| group.add(user, number)) {
                let problem = Problem::at(Some(number))(error);
                if !mode.dry_run {
                    // What stands before it is sound.
                    self.commit_people(tenant, group, by, told).await?;
                    return Err(problem);
                }
                told.problems.push(problem);
            }
            if told.problems.len() >= Problem::MOST {
                break;
            }
            if group.people.len() >= GROUP || group.bytes >= GROUP_BYTES {
                // A check alone remembers the whole file's addresses, as nothing else will.
                let seen = Group {
                    emails: std::mem::take(&mut group.emails),
                    ids: std::mem::take(&mut group.ids),
                    ..Group::default()
                };
                self.commit_people(tenant, group, by, told).await?;
                group = if mode.dry_run { seen } else { Group::default() };
            }
        }
        self.commit_people(tenant, group, by, told).await
    }

    async fn commit_people(
        &self,
        tenant: &Tenant,
        group: Group,
        by: &By,
        told: &mut Told,
    ) -> Result<(), Problem> {
        if group.people.is_empty() {
            return Ok(());
        }
        let mode = told.mode;
        let group = Arc::new(group);
        let committed = if mode.dry_run {
            let wanted = Arc::clone(&group);
            let known = self
                .db
                .read(tenant, move |repo| repo.find_known_people(&wanted.people));
            let known = known
                .await
                .map_err(|error| Problem::at(None)(error.into()))?;
            sort_out(&group.people, &known, mode).1
        } else {
            let (wanted, by) = (Arc::clone(&group), by.clone());
            let written = self.db.write(tenant, move |repo| {
                let known = repo.find_known_people(&wanted.people)?;
                let (new, committed) = sort_out(&wanted.people, &known, mode);
                if !new.is_empty() {
                    repo.insert_users(&new)?;
                    repo.record(by.event(Act::UsersImported).detail(json!({
                        "people": new.len(), "skipped": committed.skipped,
                        "first_line": wanted.lines.first(), "last_line": wanted.lines.last(),
                    })))?;
                }
                Ok(committed)
            });
            written
                .await
                .map_err(|error| Problem::at(None)(error.into()))?
        };
        let imported = &mut told.imported;
        imported.people += committed.people;
        imported.people_with_password += committed.passwords;
        imported.skipped_people += committed.skipped;
        for place in committed.refused {
            let (Some(user), line) = (group.people.get(place), group.lines.get(place)) else {
                continue;
            };
            let problem = Problem::at(line.copied())(taken(&user.email)).hint(
                "the address or the id is taken in this tenant; --skip-existing passes over people whose address is",
            );
            if !mode.dry_run {
                return Err(problem);
            }
            told.problems.push(problem);
        }
        Ok(())
    }
}

/// Who of a group is new, and what becomes of the others: those before the first who is refused count.
fn sort_out<'a>(
    people: &'a [User],
    known: &crate::storage::KnownPeople,
    mode: Mode,
) -> (Vec<&'a User>, Committed) {
    let mut committed = Committed {
        people: 0,
        passwords: 0,
        skipped: 0,
        refused: Vec::new(),
    };
    let mut new = Vec::with_capacity(people.len());
    for (place, user) in people.iter().enumerate() {
        if !known.holds(user) {
            committed.people += 1;
            committed.passwords += u64::from(user.password.is_some());
            new.push(user);
        } else if mode.existing == Existing::Skip && known.email_keys.contains(user.email.key()) {
            committed.skipped += 1;
        } else {
            committed.refused.push(place);
            if !mode.dry_run || committed.refused.len() >= Problem::MOST {
                break;
            }
        }
    }
    (new, committed)
}
