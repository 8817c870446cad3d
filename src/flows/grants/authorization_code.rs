//! The redemption of an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9700 §4.5): checked and consumed in one transaction.
//!
//! A code that comes a second time kills what it gave the first time, whoever of the two was the thief; so does the loser of a race. Only
//! whoever holds the code itself and is its client can do so.

use std::sync::Arc;

use super::device_secret::Issuance;
use super::issued::{
    Decision, GrantedPerson, first_refresh_token, may_refresh, refresh_binding, revoke_replayed,
};
use super::pipeline::Call;
use super::refusal::{GrantRefusal, TokenRefusal};
use crate::domain::client::Client;
use crate::domain::grant::{Grant, GrantStage, PendingCode, RefreshToken};
use crate::domain::ids::GrantId;
use crate::flows::scopes::{Rules, Target};
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::dpop::Confirmation;
use crate::protocol::pkce::CodeVerifier;
use crate::protocol::resource::ResourceIndicator;
use crate::secret::{Handle, HashedSecret, PlainSecret, Purpose};
use crate::storage::{self, HeldGrant, Repo};

/// What the request presents, checked against what is stored.
pub(super) struct Presented {
    pub(super) id: GrantId,
    pub(super) proof: HashedSecret,
    pub(super) issuer: Arc<str>,
    pub(super) proofs: Proofs,
    /// What whoever presents it proved to hold (RFC 9449 §5, RFC 8705 §3).
    pub(super) binding: Option<Confirmation>,
}

/// What the code has to come with.
pub(super) enum Proofs {
    /// What proves that it was sent to whoever asked for it.
    Redirect {
        /// RFC 6749 §4.1.3.
        redirect_uri: Option<String>,
        /// RFC 7636 §4.5.
        code_verifier: Option<CodeVerifier>,
    },
    /// Nothing: the code of a device never left it (RFC 8628 §3.4).
    Device,
    /// Nothing: nor did the name of a backchannel request (OpenID Connect CIBA §10.1).
    Backchannel,
}

impl Proofs {
    /// What is presented, in words.
    const fn what(&self) -> &'static str {
        match self {
            Self::Redirect { .. } => "authorization code",
            Self::Device => "device code",
            Self::Backchannel => "auth_req_id",
        }
    }
}

/// Redeems a code.
pub(super) async fn redeem(
    call: &Call<'_>,
    code: &PlainSecret,
    redirect_uri: Option<String>,
    code_verifier: Option<CodeVerifier>,
) -> Result<Decision, TokenRefusal> {
    let tenant = &call.at.tenant;
    let handle =
        Handle::parse(Purpose::AuthorizationCode, code.expose()).ok_or(GrantRefusal::Unknown)?;
    let presented = Presented {
        id: GrantId::from(handle.id()),
        proof: handle.hash(tenant.handle_key(), Purpose::AuthorizationCode),
        issuer: Arc::clone(&call.at.issuer),
        proofs: Proofs::Redirect {
            redirect_uri,
            code_verifier,
        },
        binding: call.binding,
    };
    redeem_presented(call, presented).await
}

/// Redeems what is a grant's code, whichever kind it is.
pub(super) async fn redeem_presented(
    call: &Call<'_>,
    presented: Presented,
) -> Result<Decision, TokenRefusal> {
    let (provider, tenant) = (call.provider, &call.at.tenant);
    let refresh = Handle::generate(&provider.clock);
    // Neither a device without a browser nor whoever asks a person elsewhere has applications beside it that share what it holds.
    let issuance = match &presented.proofs {
        Proofs::Redirect { .. } => Issuance::of(call),
        Proofs::Device | Proofs::Backchannel => None,
    };
    let work = {
        let (tenant, client, resources, details) = (
            Arc::clone(tenant),
            Arc::clone(&call.client),
            call.resources.clone(),
            call.details.clone(),
        );
        let (admin_api, origin, refresh) = (
            crate::flows::scopes::admin_api(provider),
            call.origin.clone(),
            refresh.clone(),
        );
        move |repo: &mut Repo<'_>| {
            let rules = Rules::with_admin_api(&admin_api, &tenant, &client);
            let HeldGrant {
                grant,
                code,
                user,
                session,
            } = match find(repo, &presented, &client)? {
                Ok(found) => found,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if matches!(grant.stage, GrantStage::Redeemed { .. }) {
                revoke_replayed(repo, &grant, presented.proofs.what(), &origin)?;
                return Ok(Err(GrantRefusal::Replayed));
            }
            let target = match check(repo, &presented, &grant, &code, &client)
                .and_then(|()| narrow(&rules, &grant, &resources, &details))
            {
                Ok(target) => target,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if !user.is_active() {
                return Ok(Err(GrantRefusal::User));
            }
            // A sign-out that came while the code was written down saw no grant to end yet.
            if !grant.offline && session.is_none_or(|session| session.ended) {
                return Ok(Err(GrantRefusal::Dead));
            }
            let token = may_refresh(&client, &grant).then(|| RefreshToken {
                bound_to: refresh_binding(&client, presented.binding),
                ..first_refresh_token(&tenant, &client, &grant, &refresh, repo.now())
            });
            let won = match &token {
                Some(token) => repo.redeem_code(grant.id, token)?,
                None => repo.consume_code(grant.id)?,
            };
            if !won {
                revoke_replayed(repo, &grant, presented.proofs.what(), &origin)?;
                return Ok(Err(GrantRefusal::Replayed));
            }
            let shared = match &issuance {
                Some(issuance) => issuance.issue(repo, &grant, &target.scope)?,
                None => None,
            };
            Ok(Ok((
                target,
                shared,
                Box::new(GrantedPerson {
                    grant,
                    user,
                    nonce: code.nonce,
                }),
                token.is_some(),
            )))
        }
    };
    let (target, shared, person, refreshes) = provider.db.write(&**tenant, work).await??;
    let refresh_token = refreshes.then(|| refresh.to_text(Purpose::RefreshToken));
    Ok(Decision {
        target,
        person: Some(person),
        refresh_token,
        shared,
    })
}

/// The grant of a code, if whoever presents it holds the code and is its client.
fn find(
    repo: &mut Repo<'_>,
    presented: &Presented,
    client: &Client,
) -> storage::Result<Result<HeldGrant, GrantRefusal>> {
    let Some(held) = repo.find_held_grant(presented.id)? else {
        return Ok(Err(GrantRefusal::Unknown));
    };
    if !held.code.proof.matches(&presented.proof) {
        return Ok(Err(GrantRefusal::Unknown));
    }
    if held.grant.client_id != client.id {
        return Ok(Err(GrantRefusal::OtherClient));
    }
    if matches!(held.grant.stage, GrantStage::Revoked { .. }) {
        return Ok(Err(GrantRefusal::Dead));
    }
    // RFC 9449 §10: where the authorization request named a key, whoever redeems the code must hold it. A thief who doesn't ends nothing.
    // One that named none may be bound now.
    let key = presented.binding.and_then(Confirmation::key);
    if held.code.dpop_jkt.is_some() && held.code.dpop_jkt != key {
        return Ok(Err(GrantRefusal::Key));
    }
    Ok(Ok(held))
}

fn check(
    repo: &Repo<'_>,
    presented: &Presented,
    grant: &Grant,
    code: &PendingCode,
    client: &Client,
) -> Result<(), GrantRefusal> {
    let now = repo.now();
    if now >= code.expires_at || now >= grant.expires_at {
        return Err(GrantRefusal::Expired);
    }
    if grant.issuer != *presented.issuer {
        return Err(GrantRefusal::Issuer);
    }
    let Proofs::Redirect {
        redirect_uri,
        code_verifier,
    } = &presented.proofs
    else {
        return Ok(());
    };
    check_redirect_uri(
        code.redirect_uri.as_deref(),
        redirect_uri.as_deref(),
        client,
    )?;
    match (&code.code_challenge, code_verifier) {
        (Some(challenge), Some(verifier)) if challenge.matches(verifier) => Ok(()),
        (Some(_), Some(_)) => Err(GrantRefusal::VerifierWrong),
        (Some(_), None) => Err(GrantRefusal::VerifierMissing),
        // RFC 9700 §2.1.1: a challenge was stripped from the authorization request.
        (None, Some(_)) => Err(GrantRefusal::VerifierUnexpected),
        (None, None) if client.is_public() => Err(GrantRefusal::VerifierMissing),
        (None, None) => Ok(()),
    }
}

/// RFC 6749 §4.1.3: required where the authorization request had it, and identical. Where it hadn't, the one registered URI was meant.
fn check_redirect_uri(
    requested: Option<&str>,
    presented: Option<&str>,
    client: &Client,
) -> Result<(), GrantRefusal> {
    let fits = match (requested, presented) {
        (Some(requested), Some(presented)) => requested == presented,
        (Some(_), None) => false,
        (None, Some(presented)) => client.metadata.redirect_uris == [presented],
        (None, None) => true,
    };
    if fits {
        Ok(())
    } else {
        Err(GrantRefusal::RedirectUri)
    }
}

fn narrow(
    rules: &Rules<'_>,
    grant: &Grant,
    resources: &[ResourceIndicator],
    details: &AuthorizationDetails,
) -> Result<Target, GrantRefusal> {
    let granted = Target {
        scope: grant.scope.clone(),
        resources: grant.resources.clone(),
        details: grant.details.clone(),
    };
    rules
        .narrow(&granted, None, resources, details)
        .map_err(GrantRefusal::Target)
}
