//! A new password as a person enters it: twice, and as the tenant's policy wants it.

use crate::domain::user::User;
use crate::flows::browser::CheckedForm;
use crate::flows::password_policy::{self, check_new_password};
use crate::flows::tenancy::Tenant;
use crate::jose::passwords::prepare;
use crate::secret::PlainSecret;

/// Why a new password isn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryProblem {
    /// None was given.
    #[error("no password")]
    Missing,
    /// The policy refuses it.
    #[error(transparent)]
    Policy(#[from] password_policy::PasswordProblem),
    /// Its second entry differs.
    #[error("the two entries differ")]
    Differ,
    /// It is the one that they have.
    #[error("unchanged")]
    Unchanged,
}

/// Takes the new password of a form, `new_password` and `confirm_password`.
pub fn take_new_password(
    tenant: &Tenant,
    user: &User,
    form: &CheckedForm,
) -> Result<PlainSecret, EntryProblem> {
    let password = form.input("new_password");
    if password.is_empty() {
        return Err(EntryProblem::Missing);
    }
    check_new_password(
        &tenant.settings().password,
        &user.email,
        &tenant.record.name,
        password,
    )?;
    if *prepare(form.input("confirm_password")) != *prepare(password) {
        return Err(EntryProblem::Differ);
    }
    Ok(PlainSecret::new(password.to_owned()))
}
