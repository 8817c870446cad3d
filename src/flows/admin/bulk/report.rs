//! How an import is to be done, and what came of it.

use std::fmt;
use std::io;

use serde::Serialize;

use super::super::error::AdminError;
use super::clients::NewClientSecret;

/// What becomes of what is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// The import ends there.
    Refuse,
    /// It is passed over, untouched: to go on after an interruption.
    Skip,
}

/// How an import is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Whether everything is only checked.
    pub dry_run: bool,
    /// What becomes of what is there already.
    pub existing: Existing,
}

/// Keeps secrets that an import makes: before the commit that makes them count, so that none is lost.
pub trait SecretKeeper {
    /// Has these on the disk before it returns.
    fn keep(&mut self, secrets: &[NewClientSecret]) -> io::Result<()>;
}

/// What an import made, or would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Tenants.
    pub tenants: u64,
    /// Tenants that were there already.
    pub skipped_tenants: u64,
    /// People.
    pub people: u64,
    /// Those of them who can sign in with the password that they have.
    pub people_with_password: u64,
    /// People who were there already.
    pub skipped_people: u64,
    /// APIs.
    pub resources: u64,
    /// Clients.
    pub clients: u64,
    /// Those of them that name a scope or an API that the tenant hasn't got.
    pub clients_naming_unknown: u64,
    /// Secrets that were made for clients that came without one.
    pub new_client_secrets: u64,
    /// Consents.
    pub consents: u64,
    /// Domains that have to be proved.
    pub domains_to_verify: u64,
}

/// What is wrong, and where.
#[derive(Debug)]
pub struct Problem {
    /// The line, where it is one's.
    pub line: Option<u64>,
    /// What.
    pub error: AdminError,
    hint: &'static str,
}

impl Problem {
    /// A check ends after so many.
    pub const MOST: usize = 20;

    pub(super) fn at(line: Option<u64>) -> impl Fn(AdminError) -> Self {
        move |error| Self {
            line,
            error,
            hint: "",
        }
    }

    #[must_use]
    pub(super) fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    pub(super) fn unreadable(error: io::Error) -> Self {
        Self::at(None)(AdminError::refused(format!(
            "the input can't be read: {error}"
        )))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{}", self.error)?;
        if self.hint.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.hint)
        }
    }
}

/// Why an import ended before its stream did.
#[derive(Debug)]
pub struct ImportFailure {
    /// What is wrong; more than one after a check.
    pub problems: Vec<Problem>,
    /// What had been made by then, and stays.
    pub imported: Imported,
}

impl ImportFailure {
    pub(super) fn of(
        outcome: Result<(), Problem>,
        mut problems: Vec<Problem>,
        imported: Imported,
    ) -> Result<Imported, Self> {
        // Who is there already is found a group at a time, what is wrong with a line at once.
        problems.sort_by_key(|problem| problem.line);
        problems.truncate(Problem::MOST);
        problems.extend(outcome.err());
        if problems.is_empty() {
            Ok(imported)
        } else {
            Err(Self { problems, imported })
        }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        self.problems
            .first()
            .map_or("failed", |problem| problem.error.code())
    }
}
