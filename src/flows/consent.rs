//! The person's answer on the consent page. What is asked, and when, is decided by `authorize`.

use super::authorize::{Decision, Flow, Outcome, Step};
use super::browser::CheckedForm;
use super::provider::{FlowError, Provider};
use crate::domain::audit::Origin;
use crate::protocol::OAuthError;
use crate::protocol::redirect_uri::RedirectResponse;

/// What came of an answer.
pub enum Decided {
    /// The client gets its code.
    Granted(RedirectResponse),
    /// The client is told.
    Refused(OAuthError),
    /// Something else has to be done first.
    NotYet,
    /// It was neither yes nor no.
    Unclear,
}

impl Provider {
    /// Takes the person's answer.
    pub async fn decide(
        &self,
        flow: &Flow<'_>,
        form: &CheckedForm,
        origin: &Origin,
    ) -> Result<Decided, FlowError> {
        let decision = match form.input("decision") {
            "allow" => Decision::Allow,
            "deny" => Decision::Deny,
            _ => return Ok(Decided::Unclear),
        };
        if decision == Decision::Deny {
            return Ok(Decided::Refused(
                self.deny(flow, flow.candidate(), origin).await?,
            ));
        }
        // The page names the person whom it asked; a session that has taken their place meanwhile was not asked.
        if flow.interaction.selected.is_none() {
            return Ok(Decided::NotYet);
        }
        Ok(match flow.next(Some(decision), self.now()) {
            Step::Grant(person) => match self.grant(flow, person, Some(decision), origin).await? {
                Outcome::Granted(response) => Decided::Granted(response),
                Outcome::SignedOut => Decided::NotYet,
            },
            Step::Refuse(error) => Decided::Refused(error),
            Step::SignIn(_) | Step::SelectAccount | Step::Consent(_) => Decided::NotYet,
        })
    }
}
