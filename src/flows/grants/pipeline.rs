//! What every grant goes through.

use std::sync::Arc;

use super::issued::Decision;
use super::refusal::TokenRefusal;
use super::{authorization_code, client_credentials, device_code, refresh_token, token_exchange};
use crate::domain::audit::Origin;
use crate::domain::client::Client;
use crate::flows::Provider;
use crate::flows::client_authentication::ClientRefusal;
use crate::flows::dpop::{DpopRefusal, ProofRequest};
use crate::flows::issue::{AccessTokenOrder, IdTokenBinding, Principal};
use crate::flows::scopes::Rules;
use crate::flows::tenancy::TenantAt;
use crate::protocol::client_authentication::ClientCredentials;
use crate::protocol::client_metadata::GrantType;
use crate::protocol::discovery::paths;
use crate::protocol::dpop::Thumbprint;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::OPENID;
use crate::protocol::token::{TokenGrant, TokenRequest, TokenResponse, TokenType};
use crate::protocol::{OAuthError, Params};

/// What a grant works with.
pub(super) struct Call<'a> {
    pub(super) provider: &'a Provider,
    pub(super) at: &'a TenantAt,
    pub(super) client: Arc<Client>,
    pub(super) resources: Vec<ResourceIndicator>,
    /// The key that the sender proved to hold, to which what is issued is bound.
    pub(super) key: Option<Thumbprint>,
    pub(super) origin: &'a Origin,
}

impl Call<'_> {
    pub(super) fn rules(&self) -> Rules<'_> {
        Rules::new(self.provider, &self.at.tenant, &self.client)
    }
}

/// A successful answer of the token endpoint.
#[derive(Debug)]
pub struct TokenAnswer {
    /// By which grant.
    pub grant_type: GrantType,
    /// To whom.
    pub client: Arc<Client>,
    /// The body.
    pub response: TokenResponse,
}

impl Provider {
    /// Answers a token request. `authorization` and `proofs` hold the values of all `Authorization` and `DPoP` headers.
    pub async fn token(
        &self,
        at: &TenantAt,
        authorization: &[&str],
        proofs: &[&str],
        body: &Params,
        origin: &Origin,
    ) -> Result<TokenAnswer, TokenRefusal> {
        let credentials = ClientCredentials::from_request(authorization, body)
            .map_err(ClientRefusal::Malformed)?;
        let client = self.authenticate_client(at, &credentials, origin).await?;
        let request = TokenRequest::from_params(body)?;
        let grant_type = request.grant.grant_type();
        if !client.allows(grant_type) {
            return Err(OAuthError::unauthorized_client(
                "the client may not use this grant type; name it in the client's grant_types",
            )
            .into());
        }
        let key = self.check_token_proof(at, &client, proofs, origin).await?;
        // A code that was redeemed for an ID token that can't be given would be lost.
        if grant_type.gives_id_token() {
            let encryption = client.metadata.id_token_encryption();
            self.check_recipient(&at.tenant, &client, encryption)
                .await?;
        }
        let call = Call {
            provider: self,
            at,
            client,
            resources: request.resources,
            key,
            origin,
        };
        let decision = match request.grant {
            TokenGrant::AuthorizationCode {
                code,
                redirect_uri,
                code_verifier,
            } => authorization_code::redeem(&call, &code, redirect_uri, code_verifier).await?,
            TokenGrant::RefreshToken {
                refresh_token,
                scope,
            } => refresh_token::refresh(&call, &refresh_token, scope).await?,
            TokenGrant::ClientCredentials { scope } => {
                client_credentials::decide(&call, scope.as_ref())?
            }
            TokenGrant::DeviceCode { device_code } => {
                device_code::poll(&call, &device_code).await?
            }
            TokenGrant::TokenExchange(request) => {
                let response = token_exchange::exchange(&call, *request).await?;
                return Ok(TokenAnswer {
                    grant_type,
                    client: call.client,
                    response,
                });
            }
        };
        let response = self.mint(&call, decision).await?;
        Ok(TokenAnswer {
            grant_type,
            client: call.client,
            response,
        })
    }

    /// RFC 9449 §5: a proof at the token endpoint binds what is issued, and §5.2: of a client that registered so, one is needed.
    async fn check_token_proof(
        &self,
        at: &TenantAt,
        client: &Client,
        proofs: &[&str],
        origin: &Origin,
    ) -> Result<Option<Thumbprint>, TokenRefusal> {
        if proofs.is_empty() {
            return if client.metadata.dpop_bound_access_tokens {
                Err(DpopRefusal::Missing.into())
            } else {
                Ok(None)
            };
        }
        let request = ProofRequest {
            proofs,
            method: "POST",
            uri: &format!("{}{}", at.issuer, paths::TOKEN),
            origin,
        };
        Ok(self.find_proof(&at.tenant, client, request).await?)
    }

    async fn mint(
        &self,
        call: &Call<'_>,
        decision: Decision,
    ) -> Result<TokenResponse, TokenRefusal> {
        let (tenant, client) = (&call.at.tenant, &*call.client);
        let person = decision.person.as_deref();
        let (issuer, principal) = match person {
            Some(person) => (
                &*person.grant.issuer,
                Principal::Person {
                    grant: &person.grant,
                    roles: &person.user.roles,
                },
            ),
            None => (&*call.at.issuer, Principal::Client),
        };
        let order = AccessTokenOrder {
            issuer,
            target: &decision.target,
            principal,
            key: call.key,
        };
        let access = self.mint_access_token(tenant, client, order).await?;
        let id_token = match person {
            Some(person) if decision.target.scope.contains(OPENID) => {
                let binding = IdTokenBinding {
                    nonce: person.nonce.as_deref(),
                    access_token: Some(&access.text),
                    ..IdTokenBinding::default()
                };
                Some(
                    self.mint_id_token(tenant, client, &person.grant, &person.user, binding)
                        .await?,
                )
            }
            _ => None,
        };
        Ok(TokenResponse {
            access_token: access.text,
            issued_token_type: None,
            token_type: TokenType::of(access.claims.cnf),
            expires_in: access.expires_in,
            refresh_token: decision
                .refresh_token
                .map(|token| token.expose().to_owned()),
            scope: decision.target.scope,
            id_token,
        })
    }
}
