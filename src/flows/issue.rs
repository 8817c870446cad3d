//! The only place where a token is minted: access tokens (RFC 9068, or sealed and opaque), ID tokens (`OpenID` Connect Core §2), logout tokens
//! (Back-Channel Logout §2.4), and answers that are tokens themselves (JARM, signed userinfo, RFC 9701).
//!
//! To be called after the commit that allows it. RSA signatures go through the blocking pool; the others take microseconds and are made
//! here.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use uuid::Uuid;

use super::encryption::NESTED;
use super::provider::{FlowError, Provider};
use super::scopes::{Rules, Target};
use super::tenancy::Tenant;
use crate::domain::backchannel_request::BackchannelRequest;
use crate::domain::client::Client;
use crate::domain::grant::Grant;
use crate::domain::ids::UserId;
use crate::domain::logout_delivery::LogoutDelivery;
use crate::domain::role::Role;
use crate::domain::user::User;
use crate::jose::half_hash::half_hash;
use crate::jose::seal::SealContext;
use crate::protocol::access_token::{self, AccessTokenClaims, Audience};
use crate::protocol::backchannel_authentication::{NOTICE_TYP, NoticeClaims};
use crate::protocol::claims::{StandardClaims, claims_for_scope, may_have};
use crate::protocol::client_metadata::{AccessTokenFormat, SubjectType};
use crate::protocol::dpop::Confirmation;
use crate::protocol::id_token::{self, IdTokenClaims, ReleasedClaims};
use crate::protocol::introspection::{self, SignedIntrospection};
use crate::protocol::jarm::{self, ResponseClaims};
use crate::protocol::json::write_json;
use crate::protocol::logout_token::{self, LogoutTokenClaims};
use crate::protocol::token_exchange::MayAct;
use crate::protocol::userinfo::{self, SignedUserInfo};
use crate::protocol::{Encryption, Scope, SigningAlgorithm};
use crate::secret::Purpose;

/// What access tokens are signed by unless their client says otherwise: every tenant has such a key from its first token on, and it costs the
/// least.
pub const ACCESS_TOKEN_ALGORITHM: SigningAlgorithm = SigningAlgorithm::Es256;

/// How an opaque access token is bound: it has no row.
const fn opaque_context(tenant: &Tenant) -> SealContext {
    SealContext {
        tenant: tenant.record.id.uuid(),
        table: "opaque_access_token",
        row: Uuid::nil(),
    }
}

/// For whom an access token speaks.
#[derive(Clone, Copy)]
pub enum Principal<'a> {
    /// The client itself.
    Client,
    /// A person, by a grant.
    Person {
        /// The grant.
        grant: &'a Grant,
        /// What the person administers at this moment.
        roles: &'a [Role],
    },
}

/// What an access token is to be.
#[derive(Clone, Copy)]
pub struct AccessTokenOrder<'a> {
    /// The tenant's address at which the flow began.
    pub issuer: &'a str,
    /// What it is for.
    pub target: &'a Target,
    /// For whom it speaks.
    pub principal: Principal<'a>,
    /// What it is to be bound to (RFC 9449 §5, RFC 8705 §3).
    pub binding: Option<Confirmation>,
}

/// An access token that was minted.
pub struct MintedAccessToken {
    /// What is handed out.
    pub text: String,
    /// Its life in seconds.
    pub expires_in: i64,
    /// What it says.
    pub claims: Box<AccessTokenClaims>,
}

/// What an ID token says besides who the person is.
#[derive(Clone, Copy, Default)]
pub struct IdTokenBinding<'a> {
    /// The request's nonce; none on a refresh (`OpenID` Connect Core §12.2).
    pub nonce: Option<&'a str>,
    /// The access token that comes with it.
    pub access_token: Option<&'a str>,
    /// The code that comes with it.
    pub code: Option<&'a str>,
    /// What binds it to a device secret (OpenID Connect Native SSO §3.4.1).
    pub ds_hash: Option<&'a str>,
    /// The `state` that comes back with it; none at the token endpoint.
    pub state: Option<&'a str>,
    /// The backchannel authentication request whose tokens are pushed, and the refresh token among them (OpenID Connect CIBA §10.3.1).
    pub pushed: Option<(&'a str, Option<&'a str>)>,
    /// The scope whose claims it holds itself, as no access token is to be had that could fetch them (`OpenID` Connect Core §5.4).
    pub scope: Option<&'a Scope>,
}

/// The person's `sub` at this client: their id, or one that only this client's sector knows (`OpenID` Connect Core §8).
pub fn subject_of(tenant: &Tenant, client: &Client, user: UserId) -> String {
    match client.metadata.subject_type {
        SubjectType::Public => user.to_string(),
        SubjectType::Pairwise => {
            let sector = client.sector();
            let hash = tenant.handle_key().mac(
                "pairwise subject",
                &[sector.as_bytes(), user.uuid().as_bytes()],
            );
            URL_SAFE_NO_PAD.encode(hash.as_bytes())
        }
    }
}

/// What the standard claims say of a person, those of their account included.
pub fn claims_of(user: &User) -> StandardClaims {
    StandardClaims {
        email: Some(user.email.as_str().to_owned()),
        email_verified: Some(user.email_verified),
        updated_at: Some(user.updated_at.timestamp()),
        ..user.claims.clone()
    }
}

/// How long the client's access tokens live, in seconds.
pub fn access_token_lifetime(tenant: &Tenant, client: &Client) -> i64 {
    client
        .metadata
        .access_token_lifetime
        .unwrap_or(tenant.settings().access_token_lifetime)
        .into()
}

/// The only party that may act by the client's access tokens (RFC 8693 §4.4), where its administrators named one.
pub(super) fn may_act_by(client: &Client) -> Option<MayAct> {
    let sub = client.metadata.token_exchange_may_act.clone()?;
    Some(MayAct { sub, iss: None })
}

impl Provider {
    /// Mints an access token.
    pub async fn mint_access_token(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        order: AccessTokenOrder<'_>,
    ) -> Result<MintedAccessToken, FlowError> {
        let AccessTokenOrder {
            issuer,
            target,
            principal,
            binding,
        } = order;
        let now = self.clock.unix();
        let audience = Rules::new(self, tenant, client).audience(&target.resources, issuer);
        let mut claims = Box::new(AccessTokenClaims {
            iss: issuer.to_owned(),
            sub: client.id.to_string(),
            aud: audience,
            exp: now + access_token_lifetime(tenant, client),
            iat: now,
            jti: self.clock.uuid_v7(),
            client_id: client.id.to_string(),
            scope: target.scope.clone(),
            authorization_details: target.details.clone(),
            auth_time: None,
            acr: None,
            amr: Vec::new(),
            sid: None,
            roles: Vec::new(),
            groups: Vec::new(),
            tenant: tenant.slug().clone(),
            tenant_id: tenant.id().uuid(),
            grant_id: None,
            act: None,
            may_act: may_act_by(client),
            exchanged: None,
            cnf: binding,
        });
        if let Principal::Person { grant, roles } = principal {
            claims.sub = subject_of(tenant, client, grant.user_id);
            // No token outlives its grant.
            claims.exp = claims.exp.min(grant.expires_at.timestamp());
            claims.auth_time = grant.session().map(|_| grant.auth_time.timestamp());
            claims.acr.clone_from(&grant.acr);
            claims.amr.clone_from(&grant.amr);
            claims.sid = grant.session().map(|session| session.to_string());
            // Of somebody who is vouched for it isn't said what they administer: they haven't signed in, and nobody is named who acts for them.
            if grant.session().is_some() {
                claims.roles = roles.iter().map(ToString::to_string).collect();
            }
            claims.grant_id = Some(grant.id.uuid());
        }
        self.write_access_token(tenant, client, claims).await
    }

    /// An access token that says this, in the form that its client's tokens have.
    pub(super) async fn write_access_token(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        claims: Box<AccessTokenClaims>,
    ) -> Result<MintedAccessToken, FlowError> {
        let text = match client.metadata.access_token_format {
            AccessTokenFormat::Jwt => {
                self.sign(
                    tenant,
                    client.metadata.access_token_signed_response_alg,
                    access_token::TYP,
                    &*claims,
                )
                .await?
            }
            AccessTokenFormat::Opaque => self.seal_access_token(tenant, &claims)?,
        };
        Ok(MintedAccessToken {
            text,
            expires_in: claims.exp - claims.iat,
            claims,
        })
    }

    /// Mints an ID token for a grant's client, by the algorithm that the client registered.
    pub async fn mint_id_token(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        grant: &Grant,
        user: &User,
        binding: IdTokenBinding<'_>,
    ) -> Result<String, FlowError> {
        let now = self.clock.unix();
        let algorithm = client.metadata.id_token_signed_response_alg;
        let bound = |value: Option<&str>| value.map(|value| half_hash(algorithm, value));
        // OpenID Connect Core §5.4: where there is an access token, the claims of the scope are at the userinfo endpoint.
        let by_scope = binding
            .scope
            .iter()
            .flat_map(|scope| scope.iter())
            .flat_map(|token| claims_for_scope(token).iter().map(|name| -> &str { name }));
        let asked = grant
            .claims
            .iter()
            .flat_map(|claims| claims.id_token.keys().map(String::as_str))
            // The client's scope may have been narrowed since.
            .filter(|name| may_have(client.metadata.scope.as_ref(), name))
            .chain(by_scope);
        let claims = IdTokenClaims {
            iss: grant.issuer.clone(),
            sub: subject_of(tenant, client, grant.user_id),
            aud: Audience::Single(client.id.to_string()),
            exp: now + i64::from(tenant.settings().id_token_lifetime),
            iat: now,
            auth_time: Some(grant.auth_time.timestamp()),
            nonce: binding.nonce.map(ToOwned::to_owned),
            acr: grant.acr.clone(),
            amr: grant.amr.clone(),
            at_hash: bound(binding.access_token),
            c_hash: bound(binding.code),
            s_hash: bound(binding.state),
            ds_hash: binding.ds_hash.map(ToOwned::to_owned),
            auth_req_id: binding.pushed.map(|(id, _)| id.to_owned()),
            rt_hash: bound(binding.pushed.and_then(|(_, refresh)| refresh)),
            sid: Some(grant.session_id.to_string()),
            tenant: tenant.slug().clone(),
            tenant_id: tenant.id().uuid(),
            released: ReleasedClaims::new(claims_of(user).select(asked)),
        };
        let encryption = client.metadata.id_token_encryption();
        self.sign_for(
            client,
            (tenant, algorithm, id_token::TYP),
            encryption,
            &claims,
        )
        .await
    }

    /// Mints a logout token, by the algorithms of the client's ID tokens (OpenID Connect Back-Channel Logout §2.4, §2.6).
    pub(super) async fn mint_logout_token(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        delivery: &LogoutDelivery,
    ) -> Result<String, FlowError> {
        let now = self.clock.unix();
        let claims = LogoutTokenClaims {
            iss: delivery.issuer.clone(),
            sub: subject_of(tenant, client, delivery.user_id),
            aud: Audience::Single(client.id.to_string()),
            iat: now,
            exp: now + logout_token::LIFETIME,
            jti: self.clock.uuid_v7(),
            events: LogoutTokenClaims::events(),
            sid: delivery.session_id.to_string(),
        };
        let algorithm = client.metadata.id_token_signed_response_alg;
        let encryption = client.metadata.id_token_encryption();
        self.sign_for(
            client,
            (tenant, algorithm, logout_token::TYP),
            encryption,
            &claims,
        )
        .await
    }

    /// Mints the notice that a person is asked, by the tenant's key, for whatever tells them (see `backchannel`).
    pub(super) async fn mint_backchannel_notice(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        request: &BackchannelRequest,
    ) -> Result<String, FlowError> {
        let now = self.clock.unix();
        let types = request.details.iter();
        let claims = NoticeClaims {
            iss: request.issuer.clone(),
            aud: tenant.settings().backchannel_notice_uri.clone(),
            iat: now,
            exp: request.expires_at.timestamp(),
            jti: self.clock.uuid_v7(),
            sub: request.user_id.to_string(),
            client_id: client.id.to_string(),
            client_name: client.name(),
            scope: request.scope.clone(),
            authorization_details_types: types.map(|detail| detail.kind().to_owned()).collect(),
            binding_message: request.binding_message.clone(),
            request_id: request.id.uuid(),
            url: format!("{}/account/requests/{}", request.issuer, request.id),
        };
        self.sign(tenant, ACCESS_TOKEN_ALGORITHM, NOTICE_TYP, &claims)
            .await
    }

    /// Signs an authorization response, by the algorithm that the client registered, and encrypts it where that wants it (JARM §3).
    pub async fn sign_response(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        claims: &ResponseClaims,
    ) -> Result<String, FlowError> {
        let algorithm = client.metadata.authorization_response_algorithm();
        let encryption = client.metadata.authorization_response_encryption();
        self.sign_for(client, (tenant, algorithm, jarm::TYP), encryption, claims)
            .await
    }

    /// What the userinfo endpoint says as a JWT: signed, encrypted, or one in the other (`OpenID` Connect Core §5.3.2).
    pub async fn seal_userinfo(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        claims: &SignedUserInfo,
    ) -> Result<String, FlowError> {
        let encryption = client.metadata.userinfo_encryption();
        match (client.metadata.userinfo_signed_response_alg, encryption) {
            (None, Some(encryption)) => {
                let json = serde_json::to_string(claims)
                    .map_err(|_| FlowError::Internal("userinfo can't be written"))?;
                self.encrypt(tenant, client, encryption, None, json).await
            }
            (algorithm, encryption) => {
                let algorithm = algorithm.unwrap_or(client.metadata.id_token_signed_response_alg);
                let signed = (tenant, algorithm, userinfo::SIGNED_TYP);
                self.sign_for(client, signed, encryption, claims).await
            }
        }
    }

    /// Signs what the introspection endpoint says to a client, by the algorithm that it registered, and encrypts it where that wants it
    /// (RFC 9701 §5).
    pub async fn sign_introspection(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        claims: &SignedIntrospection,
    ) -> Result<String, FlowError> {
        let algorithm = client.metadata.introspection_algorithm();
        let encryption = client.metadata.introspection_encryption();
        let signed = (tenant, algorithm, introspection::SIGNED_TYP);
        self.sign_for(client, signed, encryption, claims).await
    }

    /// A JWT for a client: signed by the tenant, and encrypted to the client where that wants it (RFC 7519 §5.2).
    async fn sign_for(
        &self,
        client: &Client,
        (tenant, algorithm, typ): (&Arc<Tenant>, SigningAlgorithm, &'static str),
        encryption: Option<Encryption>,
        claims: &(impl Serialize + Clone + Send + 'static),
    ) -> Result<String, FlowError> {
        let signed = self.sign(tenant, algorithm, typ, claims).await?;
        match encryption {
            Some(encryption) => {
                self.encrypt(tenant, client, encryption, Some(NESTED), signed)
                    .await
            }
            None => Ok(signed),
        }
    }

    async fn sign(
        &self,
        tenant: &Arc<Tenant>,
        algorithm: SigningAlgorithm,
        typ: &'static str,
        claims: &(impl Serialize + Clone + Send + 'static),
    ) -> Result<String, FlowError> {
        let key = self.signer(tenant, algorithm).await?;
        Ok(match algorithm {
            SigningAlgorithm::Es256 | SigningAlgorithm::EdDsa | SigningAlgorithm::Ed25519 => {
                key.sign_jwt(typ, claims)?
            }
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
                let claims = claims.clone();
                Box::pin(self.blocking(move || key.sign_jwt(typ, &claims))).await??
            }
        })
    }

    /// An opaque token is its own claims, sealed: it needs no row, and nobody else can read it.
    fn seal_access_token(
        &self,
        tenant: &Tenant,
        claims: &AccessTokenClaims,
    ) -> Result<String, FlowError> {
        let json = write_json(claims)
            .map_err(|_| FlowError::Internal("an access token's claims can't be written"))?;
        let sealed = tenant
            .data_key()
            .seal(opaque_context(tenant), &json, &self.clock)?;
        let mut text = format!("{}_", Purpose::OpaqueAccessToken.prefix());
        URL_SAFE_NO_PAD.encode_string(sealed, &mut text);
        Ok(text)
    }
}

/// Whether the text says of itself that it is an opaque access token.
pub(super) fn is_opaque(text: &str) -> bool {
    text.strip_prefix(Purpose::OpaqueAccessToken.prefix())
        .is_some_and(|rest| rest.starts_with('_'))
}

/// Opens an opaque access token; `None` where it isn't one of this tenant's.
pub(super) fn open_access_token(tenant: &Tenant, text: &str) -> Option<Box<AccessTokenClaims>> {
    let encoded = text
        .strip_prefix(Purpose::OpaqueAccessToken.prefix())?
        .strip_prefix('_')?;
    let sealed = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let json = tenant
        .data_key()
        .open(opaque_context(tenant), &sealed)
        .ok()?;
    serde_json::from_slice(&json).ok()
}
