//! What a person still has to do before a request can be answered: sign in, choose an account, agree. A pure function of the request and
//! of who is signed in, asked anew each time that the browser comes by.

use chrono::Duration;

use super::checks::CheckedRequest;
use crate::clock::Timestamp;
use crate::domain::settings::ConsentPolicy;
use crate::flows::browser::CheckedForm;
use crate::flows::interaction::Interaction;
use crate::flows::issue::subject_of;
use crate::flows::sessions::SignedIn;
use crate::flows::tenancy::TenantAt;
use crate::protocol::OAuthError;
use crate::protocol::prompt::Prompt;

/// The `acr` of a sign-in by password: an absolute URI, as OpenID Connect Core §2 asks for.
pub const ACR: &str = "urn:tessera:acr:password";

/// Every `acr` that can be stated.
pub const ACR_VALUES: &[&str] = &[ACR];

/// A person's answer on the consent page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allow,
    /// No.
    Deny,
}

impl Decision {
    /// What a form says, if it says either.
    pub fn find(form: &CheckedForm) -> Option<Self> {
        match form.input("decision") {
            "allow" => Some(Self::Allow),
            "deny" => Some(Self::Deny),
            _ => None,
        }
    }
}

/// A request on its way, and who is there.
#[derive(Clone, Copy)]
pub struct Flow<'a> {
    /// The tenant.
    pub at: &'a TenantAt,
    /// The request.
    pub checked: &'a CheckedRequest,
    /// What has been done since it came.
    pub interaction: &'a Interaction,
    /// Who is signed in in this browser, with what they allowed this client.
    pub signed_in: &'a [SignedIn],
}

/// What comes next.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// Somebody must sign in; the person expected, if it is to be somebody certain.
    SignIn(Option<&'a SignedIn>),
    /// An account must be chosen.
    SelectAccount,
    /// This person must be asked.
    Consent(&'a SignedIn),
    /// This person has done everything.
    Grant(&'a SignedIn),
    /// The client is told.
    Refuse(OAuthError),
}

impl<'a> Flow<'a> {
    /// What comes next at `now`; `decision` is the person's answer, where the consent page was just answered.
    pub fn next(&self, decision: Option<Decision>, now: Timestamp) -> Step<'a> {
        let step = self.next_page(decision, now);
        if !self.checked.request.prompt.contains(Prompt::None) {
            return step;
        }
        // OpenID Connect Core §3.1.2.6: never a page.
        match step {
            Step::SignIn(_) => Step::Refuse(OAuthError::login_required(
                "nobody fitting is signed in in this browser",
            )),
            Step::SelectAccount => Step::Refuse(OAuthError::account_selection_required(
                "the person must choose an account",
            )),
            Step::Consent(_) => {
                Step::Refuse(OAuthError::consent_required("the person must be asked"))
            }
            step => step,
        }
    }

    fn next_page(&self, decision: Option<Decision>, now: Timestamp) -> Step<'a> {
        let prompt = &self.checked.request.prompt;
        if prompt.contains(Prompt::SelectAccount)
            && self.interaction.selected.is_none()
            && !self.signed_in.is_empty()
        {
            return Step::SelectAccount;
        }
        let Some(person) = self.candidate() else {
            return Step::SignIn(None);
        };
        if !self.is_expected(person) {
            // OpenID Connect Core §3.1.2.1: whoever was expected isn't the one who came.
            return match self.interaction.selected {
                Some(_) => Step::Refuse(OAuthError::login_required(
                    "somebody else than the expected person signed in",
                )),
                None => Step::SignIn(None),
            };
        }
        if !self.is_fresh(person, now) {
            return Step::SignIn(Some(person));
        }
        if decision != Some(Decision::Allow) && self.wants_consent(person) {
            return Step::Consent(person);
        }
        Step::Grant(person)
    }

    /// The session that the request is about: the one that was chosen, or that of the expected person, or the active one.
    pub fn candidate(&self) -> Option<&'a SignedIn> {
        if let Some(selected) = self.interaction.selected {
            return self
                .signed_in
                .iter()
                .find(|person| person.session.id == selected);
        }
        self.signed_in
            .iter()
            .find(|person| self.is_expected(person))
            .or_else(|| self.signed_in.first())
    }

    fn is_expected(&self, person: &SignedIn) -> bool {
        let claimed = self
            .checked
            .request
            .claims
            .as_ref()
            .and_then(|claims| claims.required_subject());
        let hinted = self.interaction.expected_sub.as_deref();
        if claimed.is_none() && hinted.is_none() {
            return true;
        }
        let sub = subject_of(&self.at.tenant, &self.checked.client, person.user.id);
        [claimed, hinted]
            .into_iter()
            .flatten()
            .all(|expected| expected == sub)
    }

    /// `prompt=login` and `max_age`: a sign-in since the request came satisfies both.
    fn is_fresh(&self, person: &SignedIn, now: Timestamp) -> bool {
        if self.interaction.begun == Some(person.session.id) {
            return true;
        }
        let auth_time = person.session.auth_time;
        let max_age = self
            .checked
            .request
            .max_age
            .or(self.checked.client.metadata.default_max_age);
        let too_old = max_age.is_some_and(|max_age| {
            now - auth_time > Duration::seconds(i64::from(max_age)) || max_age == 0
        });
        !too_old && !self.checked.request.prompt.contains(Prompt::Login)
    }

    fn wants_consent(&self, person: &SignedIn) -> bool {
        if self.checked.request.prompt.contains(Prompt::Consent) {
            return true;
        }
        if self.checked.client.metadata.skip_consent {
            return false;
        }
        // What is asked for in objects is mostly good once, as a payment: it is asked for each time, and nobody remembers more than was shown.
        if !self.checked.request.authorization_details.is_empty() {
            return true;
        }
        let covered = || {
            person
                .consent
                .as_ref()
                .is_some_and(|consent| consent.permissions.cover(&self.checked.permissions))
        };
        match self.at.tenant.settings().consent {
            ConsentPolicy::Always => true,
            ConsentPolicy::Remembered => !covered(),
        }
    }
}
