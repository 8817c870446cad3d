//! Token introspection (RFC 7662): any client of the tenant that authenticates may ask about a token that it was shown. Whatever isn't good
//! here and now is inactive, and nothing else is said of it.

use std::sync::Arc;

use super::access::AccessRefusal;
use super::client_authentication::{ClientRefusal, Sent};
use super::grants::{TokenRefusal, may_refresh};
use super::issue::subject_of;
use super::provider::{FlowError, Provider};
use super::scopes::{Rules, find_type};
use super::tenancy::{Tenant, TenantAt};
use crate::domain::client::Client;
use crate::domain::grant::{Grant, GrantStage, RefreshToken};
use crate::domain::ids::RefreshTokenId;
use crate::domain::user::User;
use crate::protocol::Params;
use crate::protocol::access_token::AccessTokenClaims;
use crate::protocol::introspection::{
    ActiveToken, IntrospectionRequest, IntrospectionResponse, SignedIntrospection,
};
use crate::protocol::token::TokenType;
use crate::secret::{Handle, Purpose};

/// What is answered, and to whom.
#[derive(Debug)]
pub struct Introspection {
    /// Who asked.
    pub asking: Arc<Client>,
    /// What is said.
    pub response: IntrospectionResponse,
}

/// RFC 9396 §9.2: whoever asks is told the authorization details that are meant for it. The client whose token it is has them all; one that is an
/// API (`token_exchange_subjects` says which) has those of its types; and of one that says of no API that it is that, nobody knows which of several
/// are meant.
fn retain_details(tenant: &Tenant, asking: &Client, claims: &mut AccessTokenClaims) {
    if claims.authorization_details.is_empty() || claims.client_id == asking.id.to_string() {
        return;
    }
    let own = &asking.metadata.token_exchange_subjects;
    let is_api = |identifier: &String| {
        let mut known = tenant.resources.iter();
        known.any(|known| known.identifier == *identifier)
    };
    let says_which = own.iter().any(is_api);
    let single = claims.aud.as_single().is_some();
    claims.authorization_details = claims.authorization_details.retain(|detail| {
        let owner = find_type(&tenant.resources, detail);
        owner.is_some_and(|(owner, _)| {
            if says_which {
                own.contains(&owner.identifier)
            } else {
                single && claims.aud.contains(&owner.identifier)
            }
        })
    });
}

impl Provider {
    /// Answers an introspection request.
    pub async fn introspect(
        &self,
        at: &TenantAt,
        sent: Sent<'_>,
        body: &Params,
    ) -> Result<Introspection, TokenRefusal> {
        let asking = self.authenticate_client(at, sent, body).await?;
        // RFC 7662 §2.1: whoever can't authenticate could only be guessing tokens.
        if asking.is_public() {
            return Err(ClientRefusal::Public.into());
        }
        let request = IntrospectionRequest::from_params(body)?;
        let found = match Handle::parse(Purpose::RefreshToken, request.token.expose()) {
            // Boxed: APIs ask about access tokens, and a future has room for all that it may wait for.
            Some(handle) => Box::pin(self.introspect_refresh_token(at, &handle)).await?,
            None => {
                self.introspect_access_token(at, request.token.expose())
                    .await?
            }
        };
        let response = found.map_or(IntrospectionResponse::Inactive, |mut token| {
            retain_details(&at.tenant, &asking, &mut token.claims);
            IntrospectionResponse::Active(token)
        });
        Ok(Introspection { asking, response })
    }

    /// The answer as a JWT (RFC 9701 §5).
    pub async fn sign_introspected(
        &self,
        at: &TenantAt,
        answer: Introspection,
    ) -> Result<String, FlowError> {
        let claims = SignedIntrospection {
            iss: at.issuer.to_string(),
            aud: answer.asking.id.to_string(),
            iat: self.clock.unix(),
            token_introspection: answer.response,
        };
        self.sign_introspection(&at.tenant, &answer.asking, &claims)
            .await
    }

    async fn introspect_access_token(
        &self,
        at: &TenantAt,
        token: &str,
    ) -> Result<Option<ActiveToken>, FlowError> {
        match self.check_access(&at.tenant, token).await {
            Ok(access) => {
                let mut claims = access.claims;
                let cnf = claims.cnf;
                // Whoever asks learns what holds now, not what held when the token was made.
                if let Some(person) = access.person
                    && claims.sid.is_some()
                {
                    claims.roles = person.state.roles.iter().map(ToString::to_string).collect();
                }
                Ok(Some(ActiveToken {
                    claims,
                    token_type: Some(TokenType::of(cnf)),
                    username: None,
                }))
            }
            Err(AccessRefusal::Failed(error)) => Err(error),
            Err(refusal) => {
                tracing::debug!(reason = %refusal, "an inactive token was introspected");
                Ok(None)
            }
        }
    }

    async fn introspect_refresh_token(
        &self,
        at: &TenantAt,
        handle: &Handle,
    ) -> Result<Option<ActiveToken>, FlowError> {
        let tenant = &at.tenant;
        if !tenant.is_active() {
            return Ok(None);
        }
        let id = RefreshTokenId::from(handle.id());
        let proof = handle.hash(tenant.handle_key(), Purpose::RefreshToken);
        let found = self
            .db
            .read(&**tenant, move |repo| {
                let Some(token) = repo
                    .find_refresh_token(id)?
                    .filter(|token| token.proof.matches(&proof))
                else {
                    return Ok(None);
                };
                let Some((grant, _)) = repo.find_grant(token.grant_id)? else {
                    return Ok(None);
                };
                // A grant that isn't offline ends with its session.
                if !grant.offline {
                    let now = repo.now();
                    let session = repo.find_session(grant.session_id)?;
                    if !session.is_some_and(|session| {
                        session.ended_at.is_none() && now < session.expires_at
                    }) {
                        return Ok(None);
                    }
                }
                let user = repo.find_user(grant.user_id)?;
                Ok(user.map(|user| (token, grant, user)))
            })
            .await?;
        let Some((token, grant, user)) = found else {
            return Ok(None);
        };
        let now = self.now();
        let alive = matches!(grant.stage, GrantStage::Redeemed { .. })
            && grant.is_alive(now)
            && tenant.is_issuer(&grant.issuer);
        if !alive || token.rotated.is_some() || now >= token.expires_at || !user.is_active() {
            return Ok(None);
        }
        // A client may have lost its grant type since: what can't be used isn't active.
        let client = self.find_client(tenant, grant.client_id).await?;
        let Some(client) = client.filter(|client| may_refresh(client, &grant)) else {
            return Ok(None);
        };
        let claims = self.refresh_token_claims(at, &client, &grant, &token, &user);
        Ok(Some(ActiveToken {
            claims: Box::new(claims),
            token_type: None,
            username: None,
        }))
    }

    fn refresh_token_claims(
        &self,
        at: &TenantAt,
        client: &Client,
        grant: &Grant,
        token: &RefreshToken,
        user: &User,
    ) -> AccessTokenClaims {
        AccessTokenClaims {
            iss: grant.issuer.clone(),
            sub: subject_of(&at.tenant, client, user.id),
            aud: Rules::new(self, &at.tenant, client).audience(&grant.resources, &grant.issuer),
            exp: token.expires_at.min(grant.expires_at).timestamp(),
            iat: token.created_at.timestamp(),
            jti: token.id.uuid(),
            client_id: client.id.to_string(),
            scope: grant.scope.clone(),
            authorization_details: grant.details.clone(),
            auth_time: Some(grant.auth_time.timestamp()),
            acr: grant.acr.clone(),
            amr: grant.amr.clone(),
            sid: Some(grant.session_id.to_string()),
            roles: user.roles.iter().map(ToString::to_string).collect(),
            groups: Vec::new(),
            tenant: at.tenant.slug().clone(),
            tenant_id: at.tenant.id().uuid(),
            grant_id: Some(grant.id.uuid()),
            act: None,
            may_act: None,
            exchanged: None,
            cnf: token.bound_to,
        }
    }
}
