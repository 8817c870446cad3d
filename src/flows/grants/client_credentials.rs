//! Client credentials (RFC 6749 §4.4.2): a client acts for itself. Nothing is written.

use super::issued::Decision;
use super::pipeline::Call;
use super::refusal::TokenRefusal;
use crate::flows::scopes::{OF_PERSONS, Target};
use crate::protocol::{OAuthError, Scope};

const NO_PERSON: &str = "there is no person in client_credentials: openid, profile, offline_access and their like can't be had";

/// What the client gets: what it asks for, or all that it registered and the resources understand.
pub(super) fn decide(call: &Call<'_>, requested: Option<&Scope>) -> Result<Decision, TokenRefusal> {
    let rules = call.rules();
    let named = rules.check_resources(&call.resources)?;
    let resources = rules.check_details(&call.details, named)?;
    let scope = if let Some(requested) = requested {
        if requested.iter().any(|token| OF_PERSONS.contains(&token)) {
            return Err(OAuthError::invalid_scope(NO_PERSON).into());
        }
        rules.check_scope(requested)?;
        rules.require_scope_at(requested, &resources)?
    } else if !call.details.is_empty() {
        // Whoever says in detail what a token is to allow means no more than that.
        Scope::empty()
    } else {
        let registered = rules.registered().iter();
        let own = registered.filter(|token| !OF_PERSONS.contains(token));
        rules.tokens_at(own, &resources)
    };
    Ok(Decision {
        target: Target {
            scope,
            resources,
            details: call.details.clone(),
        },
        person: None,
        refresh_token: None,
        shared: None,
    })
}
