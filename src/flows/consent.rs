//! What a request asks a person to allow, and their answer on the consent page. When they are asked is decided by `authorize`.

use super::authorize::{Decision, Flow, Outcome, Step};
use super::browser::CheckedForm;
use super::provider::{FlowError, Provider};
use super::scopes::{ADMIN, OF_PERSONS};
use super::tenancy::Tenant;
use crate::domain::audit::{Event, Origin};
use crate::domain::client::Client;
use crate::domain::consent::Permissions;
use crate::domain::grant::Grant;
use crate::domain::ids::{ClientId, UserId};
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::redirect_uri::RedirectResponse;
use crate::protocol::{OAuthError, Scope};
use crate::storage::{self, Repo};

/// What came of an answer.
pub enum Decided {
    /// The client gets its code.
    Granted(RedirectResponse),
    /// The client is told.
    Refused(OAuthError),
    /// Something else has to be done first.
    NotYet,
    /// The request was answered before.
    Spent,
    /// It was neither yes nor no.
    Unclear,
}

/// A request's scope and resources as pairs: a token counts at those of the resources that understand it, as they are now. Without a
/// resource named, it is the client's default audience that a token is for. Who asks for single claims (`OpenID` Connect Core §5.5) asks for
/// what the scope token of these allows, and has to be allowed that.
pub fn permissions_of(
    tenant: &Tenant,
    admin_api: &str,
    client: &Client,
    (scope, claims): (&Scope, Option<&ClaimsRequest>),
    resources: &[String],
) -> Permissions {
    let implied = claims_for(client, claims).map(|claims| claims.implied_scope());
    let scope = &scope.union(&implied.unwrap_or_default());
    let by_default = client.metadata.default_audience.as_slice();
    let resources = if resources.is_empty() {
        by_default
    } else {
        resources
    };
    let understands = |resource: &str, token: &str| {
        let mut known = tenant.resources.iter();
        if resource == admin_api {
            token == ADMIN
        } else {
            known.any(|known| known.identifier == resource && known.understands(token))
        }
    };
    let counts_at =
        |resource: &str, token: &str| !OF_PERSONS.contains(&token) && understands(resource, token);
    let nowhere = scope
        .iter()
        .filter(|token| !resources.iter().any(|resource| counts_at(resource, token)));
    let mut permissions = Permissions::nowhere(nowhere.collect());
    for resource in resources {
        let there = scope.iter().filter(|token| counts_at(resource, token));
        permissions = permissions.at(resource, there.collect());
    }
    permissions
}

/// The single claims of a request that its client may have: those outside of its scope are left out, as claims are wishes (`OpenID` Connect
/// Core §5.5.1) and nobody was shown them.
pub(super) fn claims_for(client: &Client, asked: Option<&ClaimsRequest>) -> Option<ClaimsRequest> {
    let registered = client.metadata.scope.clone().unwrap_or_default();
    asked.map(|claims| claims.within(&registered))
}

/// Whether what a grant's person has allowed its client covers this, as it is in this transaction.
pub(super) fn is_covered(
    repo: &mut Repo<'_>,
    grant: &Grant,
    asked: &Permissions,
) -> storage::Result<bool> {
    let allowed = repo.find_consent(grant.user_id, grant.client_id)?;
    Ok(allowed.is_some_and(|consent| consent.permissions.cover(asked)))
}

/// Takes back what a person allowed a client, and everything that it got by it; `false` where there was nothing. `event` is what the audit tells of it
/// so far.
pub(super) fn withdraw(
    repo: &mut Repo<'_>,
    (user, client): (UserId, ClientId),
    event: Event,
) -> storage::Result<bool> {
    let had_consent = repo.withdraw_consent(user, client)?;
    if had_consent || repo.has_grant_of_session(user, client)? {
        repo.tell_of_withdrawal(user, client)?;
    }
    // What somebody else vouched for was never allowed, and ends here too.
    let revoked = repo.revoke_grants_of_user(user, Some(client))?;
    if !had_consent && revoked == 0 {
        return Ok(false);
    }
    repo.record(event.detail(serde_json::json!({ "grants_revoked": revoked })))?;
    Ok(true)
}

impl Provider {
    /// Takes the person's answer.
    pub async fn decide(
        &self,
        flow: &Flow<'_>,
        form: &CheckedForm,
        origin: &Origin,
    ) -> Result<Decided, FlowError> {
        let Some(decision) = Decision::find(form) else {
            return Ok(Decided::Unclear);
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
                Outcome::SignedOut | Outcome::Withdrawn => Decided::NotYet,
                Outcome::Spent => Decided::Spent,
            },
            Step::Refuse(error) => Decided::Refused(error),
            Step::SignIn(_) | Step::SelectAccount | Step::Consent(_) => Decided::NotYet,
        })
    }
}
