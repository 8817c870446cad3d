//! Token revocation (RFC 7009): a client gives up a token of its own.
//!
//! A refresh token takes its whole grant along (§2.1), a rotated one too. An access token dies alone. A device secret (OpenID Connect Native SSO) can be
//! given up by each application of its group. What isn't the client's, or isn't
//! known, is left alone, and the answer is the same (§2.2).

use std::sync::Arc;

use super::access::AccessRefusal;
use super::client_authentication::Sent;
use super::grants::TokenRefusal;
use super::provider::{FlowError, Provider};
use super::tenancy::TenantAt;
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::client::Client;
use crate::domain::ids::{DeviceSecretId, RefreshTokenId};
use crate::protocol::Params;
use crate::protocol::revocation::RevocationRequest;
use crate::secret::{Handle, Purpose};
use crate::storage::Repo;

/// What a revocation request changed. The client isn't told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The token is good no more. An access token may have been dead before, by the end of its grant: that alone isn't looked at.
    Done,
    /// Nothing: the token is another's, unknown, expired, or was revoked before.
    Unchanged,
}

impl Provider {
    /// Answers a revocation request.
    pub async fn revoke(
        &self,
        at: &TenantAt,
        sent: Sent<'_>,
        body: &Params,
    ) -> Result<Revocation, TokenRefusal> {
        let (client, origin) = (self.authenticate_client(at, sent, body).await?, sent.origin);
        let request = RevocationRequest::from_params(body)?;
        Ok(
            match Handle::parse(Purpose::RefreshToken, request.token.expose()) {
                Some(handle) => {
                    self.revoke_refresh_token(at, &client, &handle, origin)
                        .await?
                }
                None => match Handle::parse(Purpose::DeviceSecret, request.token.expose()) {
                    Some(handle) => {
                        self.revoke_device_secret(at, &client, &handle, origin)
                            .await?
                    }
                    None => {
                        self.revoke_access_token(at, &client, request.token.expose(), origin)
                            .await?
                    }
                },
            },
        )
    }

    /// A device secret is the group's: whichever application of it gives it up, no other signs in by it any more.
    async fn revoke_device_secret(
        &self,
        at: &TenantAt,
        client: &Client,
        handle: &Handle,
        origin: &Origin,
    ) -> Result<Revocation, FlowError> {
        let Some(group) = at.tenant.native_sso_group(client) else {
            return Ok(Revocation::Unchanged);
        };
        let (id, group) = (DeviceSecretId::from(handle.id()), group.to_owned());
        let proof = handle.hash(at.tenant.handle_key(), Purpose::DeviceSecret);
        let (client, origin, tenant) = (client.id, origin.clone(), Arc::clone(&at.tenant));
        let revoke =
            move |repo: &mut Repo<'_>| {
                let found = repo.find_device_secret(id)?;
                let Some(secret) = found.filter(|secret| secret.proof.matches(&proof)) else {
                    return Ok(Revocation::Unchanged);
                };
                let owner = repo.find_client(secret.client_id)?;
                let is_ours = owner
                    .is_some_and(|owner| tenant.native_sso_group(&owner) == Some(group.as_str()));
                if !is_ours || !repo.delete_device_secret(id)? {
                    return Ok(Revocation::Unchanged);
                }
                let mut event = Event::new(Act::DeviceSecretRevoked, Actor::Client(client))
                    .client(client)
                    .from(&origin);
                event.user_id = repo.find_session(secret.session_id)?.map(|of| of.user_id);
                repo.record(event.detail(
                    serde_json::json!({ "device_secret": id, "session": secret.session_id }),
                ))?;
                Ok(Revocation::Done)
            };
        Ok(self.db.write(&*at.tenant, revoke).await?)
    }

    async fn revoke_refresh_token(
        &self,
        at: &TenantAt,
        client: &Client,
        handle: &Handle,
        origin: &Origin,
    ) -> Result<Revocation, FlowError> {
        let id = RefreshTokenId::from(handle.id());
        let proof = handle.hash(at.tenant.handle_key(), Purpose::RefreshToken);
        let (client, origin) = (client.id, origin.clone());
        let revoke = move |repo: &mut Repo<'_>| {
            let Some(token) = repo
                .find_refresh_token(id)?
                .filter(|token| token.proof.matches(&proof))
            else {
                return Ok(Revocation::Unchanged);
            };
            let Some((grant, _)) = repo.find_grant(token.grant_id)? else {
                return Ok(Revocation::Unchanged);
            };
            if grant.client_id != client || !repo.revoke_grant(grant.id)? {
                return Ok(Revocation::Unchanged);
            }
            let event = Event::new(Act::GrantRevoked, Actor::Client(client))
                .user(grant.user_id)
                .client(client)
                .from(&origin);
            repo.record(event.detail(serde_json::json!({ "grant_id": grant.id })))?;
            Ok(Revocation::Done)
        };
        Ok(self.db.write(&*at.tenant, revoke).await?)
    }

    async fn revoke_access_token(
        &self,
        at: &TenantAt,
        client: &Client,
        token: &str,
        origin: &Origin,
    ) -> Result<Revocation, FlowError> {
        let claims = match self.check_form(&at.tenant, token) {
            Ok(claims) if claims.client_id == client.id.to_string() => claims,
            Err(AccessRefusal::Failed(error)) => return Err(error),
            // Another client's, another tenant's, expired, or no token at all.
            _ => return Ok(Revocation::Unchanged),
        };
        let Some(expires_at) = chrono::DateTime::from_timestamp(claims.exp, 0) else {
            return Ok(Revocation::Unchanged);
        };
        let mut event = Event::new(Act::TokenRevoked, Actor::Client(client.id))
            .client(client.id)
            .from(origin);
        event = event.detail(serde_json::json!({ "jti": claims.jti, "grant_id": claims.grant_id }));
        let revoke = move |repo: &mut Repo<'_>| {
            if repo.is_token_revoked(claims.jti)? {
                return Ok(Revocation::Unchanged);
            }
            repo.revoke_token(claims.jti, expires_at)?;
            repo.record(event.clone())?;
            Ok(Revocation::Done)
        };
        match self.db.write(&*at.tenant, revoke).await {
            // Another request has revoked it meanwhile.
            Err(error) if error.is_conflict() => Ok(Revocation::Unchanged),
            result => Ok(result?),
        }
    }
}
