//! Guesses at a password, counted before they are looked at: however many come at once, no more than the policy allows are
//! evaluated within a window.

use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::query_dsl::methods;
use diesel::sql_types::Integer;

use super::connection::on_backend;
use super::error::Result;
use super::repo::Repo;
use super::schema::{insert_scoped, login_failures, scoped};
use super::types::{DbInstant, InstantType};
use crate::domain::settings::LockoutPolicy;
use crate::domain::throttle::Admission;

impl Repo<'_> {
    /// Counts an attempt, if it is within what the policy allows. A refused attempt isn't counted, so that refusals end with the window.
    pub fn admit_attempt(
        &mut self,
        counter: &[u8; 32],
        policy: &LockoutPolicy,
    ) -> Result<Admission> {
        let now = self.clock.now();
        let window = chrono::Duration::seconds(i64::from(policy.window));
        let (elapsed_before, ahead_of) = (DbInstant(now - window), DbInstant(now + window));
        // A window that begins further ahead than it is long was begun by a clock that has been put right since.
        let is_over = || {
            login_failures::window_start
                .le(elapsed_before)
                .or(login_failures::window_start.gt(ahead_of))
        };
        let attempts = i32::try_from(policy.attempts).unwrap_or(i32::MAX);
        let statement = insert_scoped!(
            self,
            login_failures,
            (
                login_failures::counter.eq(counter.to_vec()),
                login_failures::count.eq(1),
                login_failures::window_start.eq(DbInstant(now))
            )
        );
        let admitted = on_backend!(&mut *self.connection, inner => {
            methods::FilterDsl::filter(
                statement.on_conflict((login_failures::tenant_id, login_failures::counter)).do_update().set((
                    login_failures::count.eq(case_when::<_, _, Integer>(is_over(), 1)
                        .otherwise(login_failures::count + 1)),
                    login_failures::window_start
                        .eq(case_when::<_, _, InstantType>(is_over(), DbInstant(now))
                            .otherwise(login_failures::window_start)),
                )),
                is_over().or(login_failures::count.lt(attempts)),
            )
            .execute(inner)
        })?;
        Ok(if admitted == 1 {
            Admission::Admitted
        } else {
            Admission::Refused
        })
    }

    /// Counts an attempt by each of these, if it is within what all of them allow. What is admitted by the first and refused by a later one is counted
    /// by the first all the same.
    pub fn admit_attempts(&mut self, rates: &[([u8; 32], LockoutPolicy)]) -> Result<Admission> {
        for (counter, policy) in rates {
            if self.admit_attempt(counter, policy)? == Admission::Refused {
                return Ok(Admission::Refused);
            }
        }
        Ok(Admission::Admitted)
    }

    /// Whether a further attempt would be refused; it isn't counted.
    pub fn is_attempt_refused(
        &mut self,
        counter: &[u8; 32],
        policy: &LockoutPolicy,
    ) -> Result<bool> {
        let now = self.clock.now();
        let window = chrono::Duration::seconds(i64::from(policy.window));
        let found = scoped::login_failures(self.tenant)
            .filter(login_failures::counter.eq(counter.to_vec()))
            .select((login_failures::count, login_failures::window_start))
            .get_result::<(i32, DbInstant)>(self.connection)
            .optional()?;
        Ok(found.is_some_and(|(count, start)| {
            let is_over = start.0 <= now - window || start.0 > now + window;
            !is_over && i64::from(count) >= i64::from(policy.attempts)
        }))
    }

    /// Forgets failed attempts: one has succeeded.
    pub fn clear_failures(&mut self, counter: &[u8; 32]) -> Result<()> {
        diesel::delete(
            scoped::login_failures(self.tenant)
                .filter(login_failures::counter.eq(counter.to_vec())),
        )
        .execute(self.connection)?;
        Ok(())
    }
}
