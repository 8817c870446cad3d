//! What every grant goes through.

use std::sync::Arc;

use super::issued::Decision;
use super::refusal::{GrantRefusal, TokenRefusal};
use super::{
    authorization_code, backchannel, client_credentials, device_code, jwt_bearer, native_sso,
    refresh_token, token_exchange,
};
use crate::domain::audit::Origin;
use crate::domain::client::Client;
use crate::domain::ids::{DeviceSecretId, GrantId, RefreshTokenId};
use crate::flows::Provider;
use crate::flows::client_authentication::Sent;
use crate::flows::dpop::{DpopRefusal, ProofRequest};
use crate::flows::issue::{AccessTokenOrder, IdTokenBinding, Principal};
use crate::flows::scopes::Rules;
use crate::flows::tenancy::TenantAt;
use crate::jose::certificate::ClientCertificate;
use crate::jose::dpop::Proof;
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::client_metadata::GrantType;
use crate::protocol::discovery::paths;
use crate::protocol::dpop::Confirmation;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::OPENID;
use crate::protocol::token::{TokenGrant, TokenRequest, TokenResponse, TokenType};
use crate::protocol::{OAuthError, Params};
use crate::secret::{Handle, HashedSecret, PlainSecret, Purpose};

/// What a grant works with.
pub(super) struct Call<'a> {
    pub(super) provider: &'a Provider,
    pub(super) at: &'a TenantAt,
    pub(super) client: Arc<Client>,
    pub(super) resources: Vec<ResourceIndicator>,
    /// What is asked for in objects (RFC 9396).
    pub(super) details: AuthorizationDetails,
    /// The key or certificate that the sender proved to hold, to which what is issued is bound.
    pub(super) binding: Option<Confirmation>,
    /// The certificate that the sender showed, whether or not tokens are bound to it.
    pub(super) certificate: Option<&'a ClientCertificate>,
    /// The device secret that it brought beside a code or a refresh token.
    pub(super) device_secret: Option<PlainSecret>,
    /// The proof of the key, not spent yet.
    pub(super) proof: Option<Proof>,
    pub(super) origin: &'a Origin,
}

impl Call<'_> {
    pub(super) fn rules(&self) -> Rules<'_> {
        Rules::new(self.provider, &self.at.tenant, &self.client)
    }

    /// Whether the sender proved to hold what a token is bound to.
    pub(super) fn holds(&self, bound_to: Confirmation) -> bool {
        self.binding == Some(bound_to)
            || match bound_to {
                Confirmation::Certificate(thumbprint) => self
                    .certificate
                    .is_some_and(|shown| shown.thumbprint() == thumbprint),
                Confirmation::Key(_) => false,
            }
    }

    /// Spends the proof that came with the request, if one did. Once what else the request needs is known to be there: a row for whatever a
    /// stranger makes up, or for each time that a device asks in vain, is more than they are worth.
    pub(super) async fn spend_proof(&self) -> Result<(), TokenRefusal> {
        if let Some(proof) = &self.proof {
            self.provider
                .spend_proof(&self.at.tenant, &self.client, proof, self.origin)
                .await?;
        }
        Ok(())
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

/// Refuses a proof of a client whose tokens are bound to its certificate, and would not be to the proof's key.
pub(in crate::flows) fn refuse_proof(client: &Client, sent: Sent<'_>) -> Result<(), OAuthError> {
    if client.metadata.tls_client_certificate_bound_access_tokens && !sent.proofs.is_empty() {
        return Err(OAuthError::invalid_request(
            "this client's tokens are bound to its certificate (tls_client_certificate_bound_access_tokens): leave the DPoP proof out",
        ));
    }
    Ok(())
}

impl Provider {
    /// Answers a token request.
    ///
    /// What a machine's request for its own token doesn't wait for is boxed: a future has room for all that it may wait for and is copied whole, and
    /// beside a look at the database an allocation is nothing.
    pub async fn token(
        &self,
        at: &TenantAt,
        sent: Sent<'_>,
        body: &Params,
    ) -> Result<TokenAnswer, TokenRefusal> {
        let client = self.authenticate_client(at, sent, body).await?;
        let request = TokenRequest::from_params(body)?;
        let grant_type = request.grant.grant_type();
        if !client.allows(grant_type) {
            return Err(OAuthError::unauthorized_client(
                "the client may not use this grant type; name it in the client's grant_types",
            )
            .into());
        }
        let (binding, proof) = self.check_binding(at, &client, sent)?;
        let call = Call {
            provider: self,
            at,
            client,
            resources: request.resources,
            details: request.authorization_details,
            binding,
            certificate: sent.certificate,
            device_secret: request.device_secret,
            proof,
            origin: sent.origin,
        };
        // A code that was redeemed for an ID token that can't be given would be lost.
        let encryption = call.client.metadata.id_token_encryption();
        if encryption.is_some() && Box::pin(wants_id_token(&call, &request.grant)).await? {
            Box::pin(self.check_recipient(&at.tenant, &call.client, encryption)).await?;
        }
        if call.proof.is_some() {
            // Anybody can name a public client.
            if call.client.is_public() {
                Box::pin(check_presented(&call, &request.grant)).await?;
            }
            if !matches!(grant_type, GrantType::DeviceCode | GrantType::Ciba) {
                Box::pin(call.spend_proof()).await?;
            }
        }
        let decision = match request.grant {
            TokenGrant::AuthorizationCode {
                code,
                redirect_uri,
                code_verifier,
            } => {
                let redeemed =
                    authorization_code::redeem(&call, &code, redirect_uri, code_verifier);
                Box::pin(redeemed).await?
            }
            TokenGrant::RefreshToken {
                refresh_token,
                scope,
            } => Box::pin(refresh_token::refresh(&call, &refresh_token, scope)).await?,
            TokenGrant::ClientCredentials { scope } => {
                client_credentials::decide(&call, scope.as_ref())?
            }
            TokenGrant::DeviceCode { device_code } => {
                Box::pin(device_code::poll(&call, &device_code)).await?
            }
            TokenGrant::Ciba { auth_req_id } => {
                Box::pin(backchannel::poll(&call, &auth_req_id)).await?
            }
            TokenGrant::JwtBearer { assertion, scope } => {
                Box::pin(jwt_bearer::redeem(&call, &assertion, scope.as_ref())).await?
            }
            TokenGrant::NativeSso(request) => {
                let decision = Box::pin(native_sso::join(&call, &request)).await?;
                let mut response = Box::pin(self.mint(&call, decision)).await?;
                response.issued_token_type = Some(request.requested);
                self.note_issue(&call);
                return Ok(TokenAnswer {
                    grant_type,
                    client: call.client,
                    response,
                });
            }
            TokenGrant::TokenExchange(request) => {
                let response = Box::pin(token_exchange::exchange(&call, *request)).await?;
                return Ok(TokenAnswer {
                    grant_type,
                    client: call.client,
                    response,
                });
            }
        };
        let response = self.mint(&call, decision).await?;
        self.note_issue(&call);
        Ok(TokenAnswer {
            grant_type,
            client: call.client,
            response,
        })
    }

    /// What is issued is bound to one thing. To a certificate, where the client registered so (RFC 8705 §3): one is needed then, and a proof beside it
    /// is refused, as whoever sends it would take the tokens for bound to its key. Otherwise to the key of a proof (RFC 9449 §5), which a client may
    /// have registered to need (§5.2), whatever certificate it authenticates by.
    fn check_binding(
        &self,
        at: &TenantAt,
        client: &Client,
        sent: Sent<'_>,
    ) -> Result<(Option<Confirmation>, Option<Proof>), TokenRefusal> {
        let metadata = &client.metadata;
        if metadata.tls_client_certificate_bound_access_tokens {
            refuse_proof(client, sent)?;
            let Some(certificate) = sent.certificate else {
                return Err(OAuthError::invalid_request(
                    "this client's tokens are bound to its certificate (tls_client_certificate_bound_access_tokens), and the request came without one: send it to the token endpoint among mtls_endpoint_aliases",
                )
                .into());
            };
            let certificate = Confirmation::Certificate(certificate.thumbprint());
            return Ok((Some(certificate), None));
        }
        if sent.proofs.is_empty() {
            if metadata.dpop_bound_access_tokens {
                return Err(DpopRefusal::Missing.into());
            }
            // FAPI 2.0 Security Profile §5.3.2.1: no token that whoever finds it could use.
            if at.tenant.profile_of(client).is_fapi() {
                return Err(OAuthError::invalid_request(
                    "the security profile demands tokens that are bound: send a DPoP proof, or register tls_client_certificate_bound_access_tokens and show the certificate",
                )
                .into());
            }
            return Ok((None, None));
        }
        let request = ProofRequest {
            proofs: sent.proofs,
            method: "POST",
            uri: &format!("{}{}", at.base(), paths::TOKEN),
            origin: sent.origin,
        };
        let proof = self.verify_proof(&at.tenant, client, request, None)?;
        Ok((Some(Confirmation::Key(proof.thumbprint)), Some(proof)))
    }

    /// A client that authenticates is used by that, and was noted then; a public one when it gets something.
    fn note_issue(&self, call: &Call<'_>) {
        if call.client.is_public() {
            self.note_use(&call.at.tenant, &call.client);
        }
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
            binding: call.binding,
        };
        let access = self.mint_access_token(tenant, client, order).await?;
        let shared = decision.shared.as_ref();
        let id_token = match person {
            Some(person) if decision.target.scope.contains(OPENID) => {
                let binding = IdTokenBinding {
                    nonce: person.nonce.as_deref(),
                    access_token: Some(&access.text),
                    ds_hash: shared.map(|shared| shared.ds_hash.as_str()),
                    ..IdTokenBinding::default()
                };
                let id_token =
                    self.mint_id_token(tenant, client, &person.grant, &person.user, binding);
                Some(Box::pin(id_token).await?)
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
            authorization_details: decision.target.details,
            device_secret: shared
                .and_then(|shared| shared.device_secret.as_ref())
                .map(|secret| secret.expose().to_owned()),
            id_token,
        })
    }
}

/// Whether the code or the refresh token of the request is one that we made, by a look at its row; what else it must be is looked at where it is
/// spent.
async fn check_presented(call: &Call<'_>, grant: &TokenGrant) -> Result<(), TokenRefusal> {
    let (purpose, text) = match grant {
        TokenGrant::AuthorizationCode { code, .. } => (Purpose::AuthorizationCode, code),
        TokenGrant::RefreshToken { refresh_token, .. } => (Purpose::RefreshToken, refresh_token),
        TokenGrant::NativeSso(request) => (Purpose::DeviceSecret, &request.device_secret),
        _ => return Ok(()),
    };
    let tenant = &call.at.tenant;
    let handle = Handle::parse(purpose, text.expose()).ok_or(GrantRefusal::Unknown)?;
    let (id, proof) = (handle.id(), handle.hash(tenant.handle_key(), purpose));
    if purpose == Purpose::AuthorizationCode {
        return check_kept(call, GrantId::from(id), proof).await;
    }
    if purpose == Purpose::DeviceSecret {
        let read = call.provider.db.read(&**tenant, move |repo| {
            let secret = repo.find_device_secret(DeviceSecretId::from(id))?;
            Ok(secret.is_some_and(|secret| secret.proof.matches(&proof)))
        });
        return known(read.await?);
    }
    let read = call.provider.db.read(&**tenant, move |repo| {
        let token = repo.find_refresh_token(RefreshTokenId::from(id))?;
        Ok(token.is_some_and(|token| token.proof.matches(&proof)))
    });
    known(read.await?)
}

/// Whether an ID token is a part of the answer, by a look at what was granted: an answer without one needs no key of the client's. What isn't there, or
/// isn't whoever's who presents it, is refused where it is spent.
async fn wants_id_token(call: &Call<'_>, grant: &TokenGrant) -> Result<bool, TokenRefusal> {
    let (purpose, text) = match grant {
        TokenGrant::AuthorizationCode { code, .. } => (Purpose::AuthorizationCode, code),
        TokenGrant::DeviceCode { device_code } => (Purpose::DeviceCode, device_code),
        TokenGrant::RefreshToken {
            scope: Some(scope), ..
        } if !scope.contains(OPENID) => return Ok(false),
        TokenGrant::RefreshToken { refresh_token, .. } => (Purpose::RefreshToken, refresh_token),
        TokenGrant::NativeSso(request) => {
            let asked = request.scope.as_ref();
            return Ok(asked.is_none_or(|scope| scope.contains(OPENID)));
        }
        other => return Ok(other.grant_type().gives_id_token()),
    };
    let tenant = &call.at.tenant;
    let Some(handle) = Handle::parse(purpose, text.expose()) else {
        return Ok(false);
    };
    let (id, proof) = (handle.id(), handle.hash(tenant.handle_key(), purpose));
    let read = call.provider.db.read(&**tenant, move |repo| {
        let granted = if purpose == Purpose::RefreshToken {
            let token = repo.find_refresh_token(RefreshTokenId::from(id))?;
            match token.filter(|token| token.proof.matches(&proof)) {
                Some(token) => repo.find_grant(token.grant_id)?,
                None => None,
            }
        } else {
            let found = repo.find_grant(GrantId::from(id))?;
            found.filter(|(_, code)| code.proof.matches(&proof))
        };
        Ok(granted.is_some_and(|(grant, _)| grant.scope.contains(OPENID)))
    });
    Ok(read.await?)
}

/// Whether a grant is there whose code is proved to be held.
pub(super) async fn check_kept(
    call: &Call<'_>,
    id: GrantId,
    proof: HashedSecret,
) -> Result<(), TokenRefusal> {
    let read = call.provider.db.read(&*call.at.tenant, move |repo| {
        let found = repo.find_grant(id)?;
        Ok(found.is_some_and(|(_, code)| code.proof.matches(&proof)))
    });
    known(read.await?)
}

fn known(is_known: bool) -> Result<(), TokenRefusal> {
    is_known
        .then_some(())
        .ok_or_else(|| GrantRefusal::Unknown.into())
}
