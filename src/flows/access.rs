//! Access tokens at our own endpoints: userinfo, introspection, revocation and administration. A verifier elsewhere sees a signature; here
//! the token's tenant, client, person and grant must be alive too.

use std::sync::Arc;

use serde_json::Value;

use super::dpop::{Beside, DpopRefusal, ProofRequest};
use super::issue::{is_opaque, open_access_token};
use super::provider::{FlowError, Provider, UserState};
use super::tenancy::Tenant;
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, GrantId, UserId};
use crate::jose::jws::{JwsError, Type};
use crate::jose::keys::Expect;
use crate::protocol::access_token::{self, AccessTokenClaims};
use crate::protocol::bearer::Scheme;
use crate::protocol::dpop::{Confirmation, Thumbprint};
use crate::protocol::token_exchange::Lineage;
use crate::protocol::{OAuthError, SigningAlgorithm};
use crate::storage;

/// Why an access token isn't accepted.
#[derive(Debug, thiserror::Error)]
pub enum AccessRefusal {
    /// It isn't a token of the form and type that we sign.
    #[error("not an access token of this tenant: {0}")]
    Signature(#[from] JwsError),
    /// It is opaque and doesn't open, or its claims aren't those of an access token.
    #[error("not an access token of this tenant")]
    Malformed,
    /// It names another tenant, or an address that isn't this tenant's (any more).
    #[error("the token is another tenant's, or of an address that was removed")]
    Issuer,
    /// The tenant is suspended.
    #[error("the tenant is suspended")]
    Suspended,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// The client was deleted.
    #[error("the token's client is gone")]
    Client,
    /// The grant was revoked, or has ended.
    #[error("the token's grant is dead")]
    Grant,
    /// The person was disabled or deleted.
    #[error("the token's person may not use anything")]
    User,
    /// The token itself was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// It is bound to a certificate, and whoever presents it has shown none or another.
    #[error("the token is bound to a certificate, which wasn't shown")]
    Certificate,
    /// It is bound to a key, but was presented as one that anybody may bear.
    #[error("the token is bound to a key, but was presented as Bearer")]
    Bound,
    /// It was presented as bound to a key, and isn't.
    #[error("the token isn't bound to a key, but was presented as DPoP")]
    Unbound,
    /// The proof that its key is held isn't good.
    #[error(transparent)]
    Dpop(DpopRefusal),
    /// A failure of ours.
    #[error(transparent)]
    Failed(#[from] FlowError),
}

impl From<DpopRefusal> for AccessRefusal {
    fn from(refusal: DpopRefusal) -> Self {
        match refusal {
            DpopRefusal::Failed(error) => Self::Failed(error),
            refusal => Self::Dpop(refusal),
        }
    }
}

impl From<storage::StorageError> for AccessRefusal {
    fn from(error: storage::StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<AccessRefusal> for OAuthError {
    fn from(refusal: AccessRefusal) -> Self {
        match refusal {
            AccessRefusal::Failed(error) => error.into(),
            // RFC 6750 §3.1; one answer for all, but for what the holder can mend without asking anybody.
            AccessRefusal::Expired => OAuthError::invalid_token("the access token has expired"),
            AccessRefusal::Bound => OAuthError::invalid_token(
                "the access token is bound to a key: send it as Authorization: DPoP, with a proof in the header field DPoP",
            ),
            AccessRefusal::Unbound => OAuthError::invalid_token(
                "the access token is not bound to a key: send it as Authorization: Bearer",
            ),
            // RFC 8705 §3
            AccessRefusal::Certificate => OAuthError::invalid_token(
                "the access token is bound to a certificate: present it where a certificate is asked for (mtls_endpoint_aliases), with the one that the token was issued to",
            ),
            AccessRefusal::Dpop(refusal) => refusal.into(),
            _ => OAuthError::invalid_token("the access token is not valid here"),
        }
    }
}

/// An access token as it was presented.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The token.
    pub token: &'a str,
    /// By which scheme.
    pub scheme: Scheme,
    /// The request that it came with, and what that proves.
    pub request: ProofRequest<'a>,
    /// The certificate that whoever presents it has shown.
    pub certificate: Option<Thumbprint>,
}

/// An access token that is good here and now.
pub struct Access {
    /// What it says. Half a kilobyte, which is handed on a few times.
    pub claims: Box<AccessTokenClaims>,
    /// Its client.
    pub client: Arc<Client>,
    /// The person for whom it speaks; none where a client acts for itself.
    pub person: Option<Person>,
}

/// The person for whom an access token speaks.
pub struct Person {
    /// Who.
    pub id: UserId,
    /// By which grant.
    pub grant_id: GrantId,
    /// The claims that the grant asked of userinfo one by one.
    pub userinfo_claims: Arc<[String]>,
    /// What is known of them at this moment.
    pub state: Arc<UserState>,
}

impl Provider {
    /// Accepts or refuses an access token that somebody presents, who must hold what it is bound to (RFC 9449 §7, RFC 8705 §3).
    pub async fn check_presented_token(
        &self,
        tenant: &Arc<Tenant>,
        presented: Presented<'_>,
    ) -> Result<Access, AccessRefusal> {
        let access = self.check_access(tenant, presented.token).await?;
        match (access.claims.cnf, presented.scheme) {
            (None, Scheme::Bearer) => {}
            (Some(Confirmation::Certificate(bound)), Scheme::Bearer) => {
                if presented.certificate != Some(bound) {
                    return Err(AccessRefusal::Certificate);
                }
            }
            (None | Some(Confirmation::Certificate(_)), Scheme::Dpop) => {
                return Err(AccessRefusal::Unbound);
            }
            // RFC 9449 §7.2: never downgraded.
            (Some(Confirmation::Key(_)), Scheme::Bearer) => return Err(AccessRefusal::Bound),
            (Some(Confirmation::Key(key)), Scheme::Dpop) => {
                let beside = Beside {
                    token: presented.token,
                    key,
                };
                let check =
                    self.check_proof(tenant, &access.client, presented.request, Some(beside));
                Box::pin(check).await?;
            }
        }
        Ok(access)
    }

    /// Accepts or refuses an access token, whoever presents it. What is looked up comes from caches, which hear of a change within a second.
    pub async fn check_access(
        &self,
        tenant: &Arc<Tenant>,
        token: &str,
    ) -> Result<Access, AccessRefusal> {
        let claims = self.check_form(tenant, token)?;
        let client_id: ClientId = claims
            .client_id
            .parse()
            .map_err(|_| AccessRefusal::Malformed)?;
        let client = self
            .find_client(tenant, client_id)
            .await?
            .ok_or(AccessRefusal::Client)?;
        let (granted_to, before) = match &claims.exchanged {
            None => (client_id, [].as_slice()),
            Some(lineage) => (
                // Boxed like the proof above: what few tokens need would have room in the future of each.
                Box::pin(self.check_lineage(tenant, lineage)).await?,
                lineage.jti.as_slice(),
            ),
        };
        let person = match claims.grant_id.map(GrantId::from) {
            Some(id) => Some(self.check_grant(tenant, id, granted_to).await?),
            None => None,
        };
        for jti in std::iter::once(&claims.jti).chain(before) {
            if self.is_token_revoked(tenant, *jti).await? {
                return Err(AccessRefusal::Revoked);
            }
        }
        Ok(Access {
            claims,
            client,
            person,
        })
    }

    /// What was exchanged hangs on all that it was made from: the clients of the tokens, and the tokens of those who act. Answers whose the
    /// subject's grant is.
    async fn check_lineage(
        &self,
        tenant: &Arc<Tenant>,
        lineage: &Lineage,
    ) -> Result<ClientId, AccessRefusal> {
        let malformed = |_| AccessRefusal::Malformed;
        let first: ClientId = lineage.client_id.parse().map_err(malformed)?;
        for client in std::iter::once(&lineage.client_id).chain(&lineage.clients) {
            let client = client.parse().map_err(malformed)?;
            if self.find_client(tenant, client).await?.is_none() {
                return Err(AccessRefusal::Client);
            }
        }
        for actor in &lineage.actors {
            if let Some(grant) = actor.grant_id {
                let client = actor.client_id.parse().map_err(malformed)?;
                self.check_grant(tenant, GrantId::from(grant), client)
                    .await?;
            }
            for jti in &actor.jti {
                if self.is_token_revoked(tenant, *jti).await? {
                    return Err(AccessRefusal::Revoked);
                }
            }
        }
        Ok(first)
    }

    /// Whether the token is one that we made for this tenant and that hasn't expired; nothing is looked up.
    pub(super) fn check_form(
        &self,
        tenant: &Tenant,
        token: &str,
    ) -> Result<Box<AccessTokenClaims>, AccessRefusal> {
        if !tenant.is_active() {
            return Err(AccessRefusal::Suspended);
        }
        let claims = if is_opaque(token) {
            open_access_token(tenant, token).ok_or(AccessRefusal::Malformed)?
        } else {
            // RFC 9068 §4, RFC 8725 §3.11: the type tells it from an ID token or a logout token of the same key.
            let expect = Expect::own(Type::Required(&[access_token::TYP]), &SigningAlgorithm::ALL);
            let verified = tenant.keys.verification().verify(token, expect)?;
            serde_json::from_value(Value::Object(verified.claims))
                .map_err(|_| AccessRefusal::Malformed)?
        };
        if claims.tenant_id != tenant.id().uuid() || !tenant.is_issuer(&claims.iss) {
            return Err(AccessRefusal::Issuer);
        }
        if self.clock.unix() >= claims.exp {
            return Err(AccessRefusal::Expired);
        }
        Ok(claims)
    }

    async fn check_grant(
        &self,
        tenant: &Tenant,
        id: GrantId,
        client: ClientId,
    ) -> Result<Person, AccessRefusal> {
        let grant = self
            .find_grant(tenant, id)
            .await?
            .ok_or(AccessRefusal::Grant)?;
        if !grant.live || grant.client_id != client || self.now() >= grant.expires_at {
            return Err(AccessRefusal::Grant);
        }
        let state = self
            .find_user_state(tenant, grant.user_id)
            .await?
            .filter(|state| state.active)
            .ok_or(AccessRefusal::User)?;
        Ok(Person {
            id: grant.user_id,
            grant_id: id,
            userinfo_claims: grant.userinfo_claims,
            state,
        })
    }
}
