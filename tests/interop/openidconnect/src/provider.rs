//! The crate's types put together for Tessera: its claims, its metadata, a client, and HTTP by `ureq`.

use anyhow::{Context, Result};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, Client, ClientId, ClientSecret, EmptyExtraTokenFields, EndSessionUrl,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdTokenFields,
    IdTokenVerifier, IntrospectionUrl, IssuerUrl, ProviderMetadataWithLogout, RedirectUrl,
    StandardErrorResponse, StandardTokenResponse,
};
use serde::{Deserialize, Serialize};

use crate::setting::{Registration, Tenant, register};

/// What Tessera adds to an ID token.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TenantClaims {
    pub tenant: String,
    pub tenant_id: String,
}
impl AdditionalClaims for TenantClaims {}

pub type Claims = openidconnect::EmptyAdditionalClaims;
pub type Gender = CoreGenderClaim;
pub type Tokens = StandardTokenResponse<
    IdTokenFields<
        TenantClaims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;
type RelyingParty<Introspection = EndpointNotSet> = Client<
    TenantClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    Introspection,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A registered client that knows its provider by discovery.
pub struct Application {
    pub client: RelyingParty,
    pub registration: Registration,
    metadata: ProviderMetadataWithLogout,
    issuer: IssuerUrl,
}

impl Application {
    pub fn register(
        tenant: &Tenant,
        redirect: &str,
        signed_out: &str,
        signing_alg: &str,
    ) -> Result<Self> {
        let registration = register(tenant, redirect, signed_out, signing_alg)?;
        let issuer = IssuerUrl::new(tenant.issuer.clone())?;
        let metadata = ProviderMetadataWithLogout::discover(&issuer, &http)?;
        let client = Client::from_provider_metadata(
            metadata.clone(),
            ClientId::new(registration.client_id.clone()),
            Some(ClientSecret::new(registration.client_secret.clone())),
        )
        .set_redirect_uri(RedirectUrl::new(redirect.to_owned())?);
        Ok(Self {
            client,
            registration,
            metadata,
            issuer,
        })
    }

    /// Verifies ID tokens of this provider that are meant for `registration`.
    pub fn verifier_for(
        &self,
        registration: &Registration,
    ) -> IdTokenVerifier<'static, CoreJsonWebKey> {
        IdTokenVerifier::new_confidential_client(
            ClientId::new(registration.client_id.clone()),
            ClientSecret::new(registration.client_secret.clone()),
            self.issuer.clone(),
            self.metadata.jwks().clone(),
        )
        .set_allowed_algs(
            self.metadata
                .id_token_signing_alg_values_supported()
                .clone(),
        )
    }

    /// The crate has no field for the introspection endpoint, so its address is read from the metadata beside it.
    pub fn introspecting_client(&self) -> Result<RelyingParty<EndpointSet>> {
        let mut response = ureq::get(format!(
            "{}/.well-known/openid-configuration",
            self.issuer.as_str()
        ))
        .call()?;
        let metadata: serde_json::Value =
            serde_json::from_str(&response.body_mut().read_to_string()?)?;
        let endpoint = metadata["introspection_endpoint"]
            .as_str()
            .context("there is no introspection endpoint")?;
        Ok(self
            .client
            .clone()
            .set_introspection_url(IntrospectionUrl::new(endpoint.to_owned())?))
    }

    pub fn end_session_endpoint(&self) -> Result<EndSessionUrl> {
        self.metadata
            .additional_metadata()
            .end_session_endpoint
            .clone()
            .context("there is no end_session_endpoint")
    }
}

/// The crate's HTTP client; a status that says "error" is an answer like any other.
pub fn http(request: HttpRequest) -> Result<HttpResponse, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .build()
        .into();
    let (parts, mut body) = agent.run(request)?.into_parts();
    let bytes = body.read_to_vec()?;
    Ok(HttpResponse::from_parts(parts, bytes))
}
