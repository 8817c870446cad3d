//! The checks of an authorization request, in two steps: what must hold before a redirect is trusted, and then a table of what the
//! client and the tenant allow (RFC 6749 §4.1.1, RFC 7636, RFC 8707, OpenID Connect Core §3.1.2.2).

use std::sync::Arc;

use super::presented::{ObjectRefusal, Presented, PresentedRefusal, Pushed};
use super::{ACR, ACR_VALUES};
use crate::domain::client::Client;
use crate::domain::consent::Permissions;
use crate::domain::ids::ClientId;
use crate::flows::Provider;
use crate::flows::consent::permissions_of;
use crate::flows::hint::check_id_token_hint;
use crate::flows::interaction::Interaction;
use crate::flows::provider::FlowError;
use crate::flows::scopes::{ADMIN, Rules, admin_api};
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::protocol::authorization::{AuthorizationRequest, RedirectTarget};
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::client_metadata::GrantType;
use crate::protocol::redirect_uri::ValidatedRedirect;
use crate::protocol::scope::{DEVICE_SSO, OFFLINE_ACCESS, OPENID};
use crate::protocol::{ErrorCode, OAuthError, Params, ResponseMode, Scope};

/// A request that the client may make. Whether the person agrees is another question.
#[derive(Clone, Debug)]
pub struct CheckedRequest {
    /// The request.
    pub request: AuthorizationRequest,
    /// Who asks.
    pub client: Arc<Client>,
    /// Where the answer goes.
    pub redirect: ValidatedRedirect,
    /// What would be granted.
    pub scope: Scope,
    /// Where that is good.
    pub resources: Vec<String>,
    /// Both, as the person has to allow them.
    pub permissions: Permissions,
    /// The `sub` of the hint, which was verified.
    pub expected_sub: Option<String>,
    /// Under which name it was pushed, if it was.
    pub pushed: Option<Pushed>,
}

impl CheckedRequest {
    /// What travels through the browser while it waits. A hint was verified and may be long: what it said goes on, it itself doesn't.
    pub fn waiting_params(&self) -> Params {
        match &self.pushed {
            Some(pushed) => [
                ("client_id", self.request.client_id.as_str()),
                ("request_uri", &pushed.request_uri),
            ]
            .into_iter()
            .collect(),
            None => self
                .request
                .to_params()
                .iter()
                .filter(|(name, _)| *name != "id_token_hint")
                .collect(),
        }
    }
}

/// Where an answer goes, and to whom.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// Who asks.
    pub client: Arc<Client>,
    /// Where the answer goes.
    pub redirect: ValidatedRedirect,
}

/// Why a request gets no further.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeRefusal {
    /// Client or redirect URI can't be trusted: a page, never a redirect.
    #[error("not redirected: {0}")]
    Page(OAuthError),
    /// The client is told.
    #[error("redirected: {1}")]
    Redirect(Box<Recipient>, OAuthError),
    /// A failure of ours.
    #[error(transparent)]
    Failed(#[from] FlowError),
}

/// What a check looks at.
struct Checking<'a> {
    provider: &'a Provider,
    at: &'a TenantAt,
    client: &'a Client,
    request: &'a AuthorizationRequest,
}

type Check = fn(&Checking<'_>) -> Result<(), OAuthError>;

/// Every check that needs nothing but the request, the client and the tenant, in the order in which faults are told.
const CHECKS: [Check; 7] = [
    check_profile,
    check_response_type,
    check_pkce,
    check_resources,
    check_scope,
    |checking| check_essential_acr(checking.request.claims.as_ref()),
    |checking| {
        check_acr_values(
            &checking.at.tenant,
            checking.client,
            &checking.request.acr_values,
        )
    },
];

/// FAPI 2.0: that the client is what its profile demands, and asks as that demands. How its request comes, and with what challenge, is checked beside
/// what others demand of the same.
fn check_profile(checking: &Checking<'_>) -> Result<(), OAuthError> {
    let (tenant, request) = (&checking.at.tenant, checking.request);
    let profile = tenant.check_profile(checking.client).map_err(|error| {
        OAuthError::unauthorized_client(format!(
            "the client may not be used as it is registered: {error}"
        ))
    })?;
    if profile.is_fapi() && request.redirect_uri.is_none() {
        return Err(OAuthError::invalid_request(
            "redirect_uri is missing, which the security profile demands",
        ));
    }
    let signed = request.response_mode.is_some_and(ResponseMode::is_signed);
    if profile.signs_messages() && !signed {
        return Err(OAuthError::invalid_request(
            "response_mode must be jwt, query.jwt, fragment.jwt or form_post.jwt: the security profile demands signed answers",
        ));
    }
    let algorithm = checking.client.metadata.authorization_response_algorithm();
    if profile.is_fapi() && signed && !profile.algorithms().contains(&algorithm) {
        return Err(OAuthError::invalid_request(
            "a signed answer needs authorization_signed_response_alg to be PS256, ES256, EdDSA or Ed25519, which the security profile demands",
        ));
    }
    Ok(())
}

fn check_response_type(checking: &Checking<'_>) -> Result<(), OAuthError> {
    let metadata = &checking.client.metadata;
    let asked = checking.request.response_type;
    if asked.is_front_channel() && !checking.at.tenant.settings().front_channel_tokens {
        return Err(OAuthError::unsupported_response_type(
            "no tokens come through the browser in this tenant; use response_type=code",
        ));
    }
    let granted = |grant: &GrantType| metadata.allows_grant(*grant);
    if metadata.response_types.contains(&asked) && asked.grant_types().iter().all(granted) {
        Ok(())
    } else {
        Err(OAuthError::unauthorized_client(
            "the client has not registered this response_type; name it in the client's response_types",
        ))
    }
}

fn check_pkce(checking: &Checking<'_>) -> Result<(), OAuthError> {
    // RFC 7636 protects the redemption of a code: without one there is nothing to prove.
    if !checking.request.response_type.has_code() {
        return Ok(());
    }
    // RFC 9700 §2.1.1
    let required = checking.client.is_public()
        || checking.client.metadata.require_pkce
        || checking.at.tenant.settings().require_pkce
        || checking.at.tenant.profile_of(checking.client).is_fapi();
    if required && checking.request.code_challenge.is_none() {
        return Err(OAuthError::invalid_request(
            "code_challenge is missing: this client must use PKCE with S256",
        ));
    }
    Ok(())
}

fn check_resources(checking: &Checking<'_>) -> Result<(), OAuthError> {
    rules(checking)
        .check_resources(&checking.request.resources)
        .map(|_| ())
}

fn check_scope(checking: &Checking<'_>) -> Result<(), OAuthError> {
    rules(checking).check_scope(&checking.request.scope)
}

/// OpenID Connect Core §5.5.1.1: an essential `acr` that can't be reached is a failed authentication; a voluntary one never is.
pub(in crate::flows) fn check_essential_acr(
    claims: Option<&ClaimsRequest>,
) -> Result<(), OAuthError> {
    let acr = claims.and_then(|claims| claims.id_token.get("acr")?.as_ref());
    if acr.is_some_and(|acr| acr.essential && !acr.accepts(&ACR.into())) {
        return Err(OAuthError::new(
            ErrorCode::UnmetAuthenticationRequirements,
            "the essential acr can't be reached",
        ));
    }
    Ok(())
}

/// RFC 9470 §5: a resource that demanded an `acr` would refuse a token without it again and again, so the tenant may want the request refused.
/// OpenID Connect Core §3.1.2.1 has them as a wish.
pub(in crate::flows) fn check_acr_values(
    tenant: &Tenant,
    client: &Client,
    asked: &[String],
) -> Result<(), OAuthError> {
    let asked = match asked {
        [] => &client.metadata.default_acr_values,
        asked => asked,
    };
    let reached = || asked.iter().any(|acr| ACR_VALUES.contains(&acr.as_str()));
    if tenant.settings().require_acr_values && !asked.is_empty() && !reached() {
        return Err(OAuthError::new(
            ErrorCode::UnmetAuthenticationRequirements,
            "no sign-in here reaches one of the acr_values; the discovery document names those that can be reached",
        ));
    }
    Ok(())
}

fn rules<'a>(checking: &Checking<'a>) -> Rules<'a> {
    Rules::new(checking.provider, &checking.at.tenant, checking.client)
}

impl Provider {
    /// Checks an authorization request that comes from the client.
    pub async fn check_authorization_request(
        &self,
        at: &TenantAt,
        params: &Params,
    ) -> Result<CheckedRequest, AuthorizeRefusal> {
        let (target, client) = self.load_asking(at, params).await?;
        let presented = match self.find_presented(at, &client, params).await {
            Ok(presented) => Ok(self.open_hint(at, &client, presented).await?),
            refused => refused,
        };
        let checked = self.check_presented(at, &client, target, presented)?;
        self.check_answerable(at, &checked).await?;
        Ok(checked)
    }

    /// Checks one that comes back from one of our own pages.
    pub async fn check_waiting_request(
        &self,
        at: &TenantAt,
        interaction: &Interaction,
    ) -> Result<CheckedRequest, AuthorizeRefusal> {
        let (target, client) = self.load_asking(at, &interaction.params).await?;
        let presented = self
            .find_waiting(at, &client, &interaction.params, interaction.started_at)
            .await;
        let checked = self.check_presented(at, &client, target, presented)?;
        // The client's keys may have gone since: before its person's answer is written down, which would lead to nothing.
        self.check_answerable(at, &checked).await?;
        Ok(checked)
    }

    /// Before anybody signs in for an answer that could never be given: what is to be encrypted has somebody to be encrypted to.
    pub(super) async fn check_answerable(
        &self,
        at: &TenantAt,
        checked: &CheckedRequest,
    ) -> Result<(), AuthorizeRefusal> {
        let (client, metadata) = (&checked.client, &checked.client.metadata);
        if checked.redirect.is_signed() {
            let encryption = metadata.authorization_response_encryption();
            // The error couldn't be told in any other way, either.
            self.check_recipient(&at.tenant, client, encryption).await?;
        }
        if !checked.request.response_type.has_id_token() {
            return Ok(());
        }
        match self
            .check_recipient(&at.tenant, client, metadata.id_token_encryption())
            .await
        {
            Err(error @ FlowError::Recipient(_)) => {
                tracing::info!(client = %client.id, reason = %error, "refused");
                Err(told(client, checked.redirect.clone(), error.into()))
            }
            other => Ok(other?),
        }
    }

    async fn load_asking(
        &self,
        at: &TenantAt,
        params: &Params,
    ) -> Result<(RedirectTarget, Arc<Client>), AuthorizeRefusal> {
        let target = RedirectTarget::from_params(params).map_err(AuthorizeRefusal::Page)?;
        let unknown = || {
            AuthorizeRefusal::Page(OAuthError::invalid_request(
                "client_id is none of this tenant's clients",
            ))
        };
        let id: ClientId = target.client_id.parse().map_err(|_| unknown())?;
        let client = self
            .find_client(&at.tenant, id)
            .await?
            .ok_or_else(unknown)?;
        Ok((target, client))
    }

    /// `target` is what the browser itself names: where a fault is told as long as what counts isn't known.
    fn check_presented(
        &self,
        at: &TenantAt,
        client: &Arc<Client>,
        target: RedirectTarget,
        presented: Result<Presented<'_>, PresentedRefusal>,
    ) -> Result<CheckedRequest, AuthorizeRefusal> {
        let error = match presented {
            Ok(presented) => return self.check_parameters(at, client, presented),
            Err(
                PresentedRefusal::Failed(error)
                | PresentedRefusal::Object(ObjectRefusal::Failed(error)),
            ) => {
                return Err(error.into());
            }
            Err(PresentedRefusal::Pushed(refusal)) => {
                tracing::info!(client = %client.id, reason = %refusal, "a request_uri can't be used");
                return Err(AuthorizeRefusal::Page(refusal.into()));
            }
            Err(PresentedRefusal::Form(error)) => error,
            Err(PresentedRefusal::Object(refusal)) => {
                tracing::info!(client = %client.id, reason = %refusal, "a request object was refused");
                refusal.into()
            }
        };
        let redirect = check_redirect(at, client, target)?;
        Err(told(client, redirect, error))
    }

    /// Checks the parameters that count.
    pub(super) fn check_parameters(
        &self,
        at: &TenantAt,
        client: &Arc<Client>,
        presented: Presented<'_>,
    ) -> Result<CheckedRequest, AuthorizeRefusal> {
        let target =
            RedirectTarget::from_params(&presented.params).map_err(AuthorizeRefusal::Page)?;
        let redirect = check_redirect(at, client, target)?;
        // From here on the client is told.
        match self.check_whole(at, client, &presented.params) {
            Ok((request, scope, resources, expected_sub)) => Ok(CheckedRequest {
                permissions: permissions_of(
                    &at.tenant,
                    &admin_api(self),
                    client,
                    (&scope, request.claims.as_ref()),
                    &resources,
                ),
                request,
                redirect,
                client: Arc::clone(client),
                scope,
                resources,
                expected_sub,
                pushed: presented.pushed,
            }),
            Err(error) => Err(told(client, redirect, error)),
        }
    }

    fn check_whole(
        &self,
        at: &TenantAt,
        client: &Client,
        params: &Params,
    ) -> Result<(AuthorizationRequest, Scope, Vec<String>, Option<String>), OAuthError> {
        let request = AuthorizationRequest::from_params(params)?;
        let checking = Checking {
            provider: self,
            at,
            client,
            request: &request,
        };
        for check in CHECKS {
            check(&checking)?;
        }
        let expected_sub = match &request.id_token_hint {
            Some(hint) => Some(check_hint_of(at, client, hint)?),
            None => None,
        };
        let rules = rules(&checking);
        let named = request
            .resources
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        let details = &request.authorization_details;
        let resources = rules.check_details(details, named)?;
        // RFC 9396 §7: what was granted is said beside the access token, which an answer by redirect has no place for.
        let (by_code, at_once) = (
            request.response_type.has_code(),
            request.response_type.has_access_token(),
        );
        if !details.is_empty() && (!by_code || at_once) {
            return Err(OAuthError::invalid_request(
                "authorization_details need a response_type whose only access token comes from the token endpoint; use code",
            ));
        }
        let scope = if request.scope.is_empty() && !details.is_empty() {
            // Whoever says in detail what is to be allowed means no more than that.
            Scope::empty()
        } else {
            rules.scope_to_ask_for(&request.scope, &resources)?
        };
        // Whoever administers has a server, or a page, that can redeem a code: a token of such power doesn't travel in an address.
        if request.response_type.has_access_token() && scope.contains(ADMIN) {
            return Err(OAuthError::invalid_scope(
                "tessera:admin isn't given through the browser; use response_type=code",
            ));
        }
        // OpenID Connect Core §11: ignored where no refresh token can come of it.
        let scope = if request.response_type.has_code() {
            scope
        } else {
            scope.without(OFFLINE_ACCESS).without(DEVICE_SSO)
        };
        // Native SSO §3.4: a device secret is bound to an ID token.
        if scope.contains(DEVICE_SSO) && !scope.contains(OPENID) {
            return Err(OAuthError::invalid_scope(
                "device_sso needs openid beside it: a device secret goes with an ID token",
            ));
        }
        Ok((request, scope, resources, expected_sub))
    }
}

fn told(client: &Arc<Client>, redirect: ValidatedRedirect, error: OAuthError) -> AuthorizeRefusal {
    let client = Arc::clone(client);
    AuthorizeRefusal::Redirect(Box::new(Recipient { client, redirect }), error)
}

fn check_redirect(
    at: &TenantAt,
    client: &Client,
    target: RedirectTarget,
) -> Result<ValidatedRedirect, AuthorizeRefusal> {
    let registered = client.metadata.parse_redirect_uris().map_err(|error| {
        tracing::error!(client = %client.id, %error, "the stored redirect_uris can't be read");
        FlowError::Internal("a client's redirect URIs can't be read")
    })?;
    let redirect =
        ValidatedRedirect::check(&registered, target.redirect_uri.as_deref(), &at.issuer).map_err(
            |mismatch| AuthorizeRefusal::Page(OAuthError::invalid_request(mismatch.to_string())),
        )?;
    Ok(redirect
        .with_state(target.state)
        .with_response_mode(target.response_mode))
}

fn check_hint_of(at: &TenantAt, client: &Client, hint: &str) -> Result<String, OAuthError> {
    let refuse = || {
        OAuthError::invalid_request(
            "id_token_hint is not an ID token that this tenant issued to this client",
        )
    };
    let hint = check_id_token_hint(&at.tenant, hint).map_err(|_| refuse())?;
    if hint
        .audiences
        .iter()
        .any(|audience| *audience == client.id.to_string())
    {
        Ok(hint.sub)
    } else {
        Err(refuse())
    }
}
