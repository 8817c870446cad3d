//! What a form says about a new password, and where.

use super::views::{PasswordRules, Problem};
use crate::flows::password_policy::PasswordProblem;
use crate::flows::signin::EntryProblem;
use crate::flows::tenancy::Tenant;
use crate::jose::passwords::MAX_PASSWORD;

/// Beside the new password, and beside its second entry.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewPasswordProblems {
    /// Beside the new password.
    pub new: Option<Problem>,
    /// Beside its second entry.
    pub confirm: Option<Problem>,
}

fn small(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn longest() -> u16 {
    u16::try_from(MAX_PASSWORD).unwrap_or(u16::MAX)
}

/// The rules as the page tells them.
pub fn rules(tenant: &Tenant) -> PasswordRules {
    PasswordRules {
        min_length: small(tenant.settings().password.minimum_length),
        max_length: longest(),
        refuses_common: true,
    }
}

impl From<EntryProblem> for NewPasswordProblems {
    fn from(problem: EntryProblem) -> Self {
        let new = match problem {
            EntryProblem::Differ => {
                return Self {
                    new: None,
                    confirm: Some(Problem::PasswordsDiffer),
                };
            }
            EntryProblem::Missing => Problem::PasswordMissing,
            EntryProblem::Unchanged => Problem::PasswordUnchanged,
            EntryProblem::Policy(PasswordProblem::TooShort { minimum }) => {
                Problem::PasswordTooShort {
                    min: small(minimum),
                }
            }
            EntryProblem::Policy(PasswordProblem::TooLong) => {
                Problem::PasswordTooLong { max: longest() }
            }
            EntryProblem::Policy(PasswordProblem::Common) => Problem::PasswordCommon,
            EntryProblem::Policy(PasswordProblem::OwnName) => Problem::PasswordPersonal,
        };
        Self {
            new: Some(new),
            confirm: None,
        }
    }
}
