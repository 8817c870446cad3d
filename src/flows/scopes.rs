//! Which scope and which resources a client may have (RFC 6749 §3.3, RFC 8707 §2): the same rules at every endpoint that grants any.
//!
//! A scope-token is one of `OpenID` Connect's, `tessera:admin`, or one of a tenant's resource. A client may ask for what its metadata names.
//! With resources named, tokens carry only those scope-tokens that one of them understands, besides those of `OpenID` Connect: the others
//! are dropped, and where nothing is left of what was asked for, it is refused.

use super::provider::Provider;
use super::tenancy::Tenant;
use crate::domain::client::Client;
use crate::domain::resource::Resource;
use crate::protocol::access_token::Audience;
use crate::protocol::authorization_details::{
    AuthorizationDetail, AuthorizationDetails, DetailsType,
};
use crate::protocol::client_metadata::GrantType;
use crate::protocol::errors::short;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::{ADDRESS, DEVICE_SSO, EMAIL, OFFLINE_ACCESS, OPENID, PHONE, PROFILE};
use crate::protocol::{ErrorCode, OAuthError, Scope};

/// The scope-token that the admin API asks for. Its audience is [`Rules::admin_api`].
pub const ADMIN: &str = "tessera:admin";

/// The scope-tokens that speak of a person.
pub const OF_PERSONS: [&str; 7] = [
    OPENID,
    PROFILE,
    EMAIL,
    ADDRESS,
    PHONE,
    OFFLINE_ACCESS,
    DEVICE_SSO,
];

/// The most bytes that the resources of one token may have together: a token has to fit into a header.
pub(super) const RESOURCES_MAX: usize = 4096;

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it allows.
    pub scope: Scope,
    /// Where, if that was said.
    pub resources: Vec<String>,
    /// What it allows in objects (RFC 9396).
    pub details: AuthorizationDetails,
}

/// The rules for one client of one tenant.
pub struct Rules<'a> {
    resources: &'a [Resource],
    client: &'a Client,
    admin_api: &'a str,
    /// Whether its sessions may be shared on a device.
    shares_sessions: bool,
}

/// The audience of the admin API.
pub fn admin_api(provider: &Provider) -> String {
    provider.admin_api.clone()
}

impl<'a> Rules<'a> {
    /// For this client.
    pub fn new(provider: &'a Provider, tenant: &'a Tenant, client: &'a Client) -> Self {
        Self::with_admin_api(&provider.admin_api, tenant, client)
    }

    /// For a client of a tenant that isn't made yet, and is to have these resources.
    pub(super) fn of_resources(
        provider: &'a Provider,
        resources: &'a [Resource],
        client: &'a Client,
    ) -> Self {
        Self {
            resources,
            client,
            admin_api: &provider.admin_api,
            shares_sessions: client.metadata.native_sso_group.is_some(),
        }
    }

    /// For closures, which have no provider at hand.
    pub(super) fn with_admin_api(
        admin_api: &'a str,
        tenant: &'a Tenant,
        client: &'a Client,
    ) -> Self {
        Self {
            resources: &tenant.resources,
            client,
            admin_api,
            shares_sessions: tenant.native_sso_group(client).is_some(),
        }
    }

    /// The audience of the admin API.
    pub fn admin_api(&self) -> &'a str {
        self.admin_api
    }

    /// What the client may ask for by its metadata.
    pub fn registered(&self) -> &'a Scope {
        static NONE: Scope = Scope::empty();
        self.client.metadata.scope.as_ref().unwrap_or(&NONE)
    }

    /// Refuses resources that the tenant hasn't got or the client may not name (RFC 8707 §2).
    pub fn check_resources(
        &self,
        requested: &[ResourceIndicator],
    ) -> Result<Vec<String>, OAuthError> {
        let own = &self.client.metadata.resources;
        for resource in requested.iter().map(ResourceIndicator::as_str) {
            if !self.knows(resource) {
                return Err(OAuthError::invalid_target(format!(
                    "the resource `{}` is none of this tenant's; register it, or check its identifier for a typing error",
                    short(resource)
                )));
            }
            if !own.is_empty() && !own.iter().any(|allowed| allowed == resource) {
                return Err(OAuthError::invalid_target(format!(
                    "the client may not ask for the resource `{}`; name it in the client's `resources`",
                    short(resource)
                )));
            }
        }
        if requested
            .iter()
            .map(|resource| resource.as_str().len())
            .sum::<usize>()
            > RESOURCES_MAX
        {
            return Err(OAuthError::invalid_target(
                "these are too many resources for one token; ask for a token for each",
            ));
        }
        Ok(requested.iter().map(ToString::to_string).collect())
    }

    /// Those of resources granted before that are still to be had.
    pub fn remaining_resources(&self, granted: &[String]) -> Vec<String> {
        let own = &self.client.metadata.resources;
        granted
            .iter()
            .filter(|resource| self.knows(resource) && (own.is_empty() || own.contains(resource)))
            .cloned()
            .collect()
    }

    /// Refuses authorization details beyond what the client registered and what a resource here understands (RFC 9396 §5), and says which
    /// resources tokens are for that carry them: those that are named, or else those whose types they are.
    pub fn check_details(
        &self,
        requested: &AuthorizationDetails,
        mut resources: Vec<String>,
    ) -> Result<Vec<String>, OAuthError> {
        let invalid = |description: String| {
            OAuthError::new(ErrorCode::InvalidAuthorizationDetails, description)
        };
        let named = !resources.is_empty();
        for detail in requested.iter() {
            if !self.may_use_type(detail.kind()) {
                return Err(invalid(format!(
                    "the client may not ask for `{}` in authorization_details; name it in the client's `authorization_details_types`",
                    short(detail.kind())
                )));
            }
            let Some((owner, kind)) = self.type_of(detail) else {
                return Err(invalid(format!(
                    "the type `{}` of authorization_details belongs to none of the resources that the client may ask for",
                    short(detail.kind())
                )));
            };
            kind.check_detail(detail, &owner.identifier)?;
            if !resources.contains(&owner.identifier) {
                if named {
                    return Err(invalid(format!(
                        "the type `{}` of authorization_details belongs to another resource than those that are named",
                        short(detail.kind())
                    )));
                }
                resources.push(owner.identifier.clone());
            }
        }
        if resources.iter().map(String::len).sum::<usize>() > RESOURCES_MAX {
            let reason = "the types of authorization_details belong to too many resources for one token; ask for a token for each";
            return Err(invalid(reason.to_owned()));
        }
        Ok(resources)
    }

    fn may_use_type(&self, name: &str) -> bool {
        let types = &self.client.metadata.authorization_details_types;
        types.iter().any(|own| own == name)
    }

    /// The type of an object, and whose it is.
    fn type_of(&self, detail: &AuthorizationDetail) -> Option<(&'a Resource, &'a DetailsType)> {
        let own = &self.client.metadata.resources;
        let (owner, kind) = find_type(self.resources, detail)?;
        (own.is_empty() || own.contains(&owner.identifier)).then_some((owner, kind))
    }

    /// Those of the objects granted before that are still to be had, at these resources.
    fn remaining_details(
        &self,
        granted: &AuthorizationDetails,
        resources: &[String],
    ) -> AuthorizationDetails {
        granted.retain(|detail| {
            self.may_use_type(detail.kind())
                && self.type_of(detail).is_some_and(|(owner, kind)| {
                    resources.contains(&owner.identifier)
                        && kind.check_detail(detail, &owner.identifier).is_ok()
                })
        })
    }

    fn knows(&self, resource: &str) -> bool {
        resource == self.admin_api
            || self
                .resources
                .iter()
                .any(|known| known.identifier == resource)
    }

    /// Refuses a scope beyond what the client registered and what anything here understands.
    pub fn check_scope(&self, requested: &Scope) -> Result<(), OAuthError> {
        let registered = self.registered();
        if let Some(beyond) = requested.iter().find(|token| !registered.contains(token)) {
            return Err(OAuthError::invalid_scope(format!(
                "the client may not ask for the scope `{}`; name it in the client's `scope`",
                short(beyond)
            )));
        }
        match requested.iter().find(|token| !self.understands(token)) {
            Some(unknown) => Err(OAuthError::invalid_scope(format!(
                "the scope `{}` belongs to none of this tenant's resources",
                short(unknown)
            ))),
            None => Ok(()),
        }
    }

    fn is_of_person(&self, token: &str) -> bool {
        OF_PERSONS.contains(&token) && (token != DEVICE_SSO || self.shares_sessions)
    }

    /// Whether anything here understands the scope-token.
    pub fn understands(&self, token: &str) -> bool {
        self.is_of_person(token)
            || token == ADMIN
            || self
                .resources
                .iter()
                .any(|resource| resource.understands(token))
    }

    /// What remains of a scope at these resources; all of it where none is named.
    pub fn scope_at(&self, scope: &Scope, resources: &[String]) -> Scope {
        self.tokens_at(scope.iter(), resources)
    }

    /// The same of some of a scope's tokens.
    pub fn tokens_at<'s>(
        &self,
        tokens: impl Iterator<Item = &'s str>,
        resources: &[String],
    ) -> Scope {
        if resources.is_empty() {
            return tokens.filter(|token| self.understands(token)).collect();
        }
        let fits = |token: &str| {
            self.is_of_person(token)
                || resources.iter().any(|resource| {
                    if *resource == self.admin_api {
                        token == ADMIN
                    } else {
                        self.resources
                            .iter()
                            .any(|known| known.identifier == *resource && known.understands(token))
                    }
                })
        };
        tokens.filter(|token| fits(token)).collect()
    }

    /// What a person is asked to allow: what the request names, or else all that the client registered but what has to be said.
    pub fn scope_to_ask_for(
        &self,
        requested: &Scope,
        resources: &[String],
    ) -> Result<Scope, OAuthError> {
        let scope = if requested.is_empty() {
            // RFC 6749 §3.3: the default where none is asked for; what makes it an OpenID Connect request has to be said.
            self.scope_at(
                &self
                    .registered()
                    .without(OPENID)
                    .without(OFFLINE_ACCESS)
                    .without(DEVICE_SSO),
                resources,
            )
        } else {
            self.require_scope_at(requested, resources)?
        };
        // OpenID Connect Core §11: ignored where no refresh token can come of it.
        Ok(if self.client.allows(GrantType::RefreshToken) {
            scope
        } else {
            scope.without(OFFLINE_ACCESS)
        })
    }

    /// [`Rules::scope_at`] for a scope that was asked for: an error where nothing of it remains.
    pub fn require_scope_at(
        &self,
        requested: &Scope,
        resources: &[String],
    ) -> Result<Scope, OAuthError> {
        let scope = self.scope_at(requested, resources);
        if scope.is_empty() && !requested.is_empty() {
            return Err(OAuthError::invalid_scope(
                "none of the requested scopes belongs to the requested resources",
            ));
        }
        Ok(scope)
    }

    /// `aud`: the resources, else the client's default audience, else the issuer (CONTRACT, "Tokens").
    pub fn audience(&self, resources: &[String], issuer: &str) -> Audience {
        if !resources.is_empty() {
            return Audience::new(resources.to_vec());
        }
        Audience::Single(
            self.client
                .metadata
                .default_audience
                .clone()
                .unwrap_or_else(|| issuer.to_owned()),
        )
    }

    /// What a token of a grant is for: what was granted, less what has been taken from the client or the tenant since, narrowed to what
    /// the request asks for (RFC 6749 §6, RFC 8707 §2.2, RFC 9396 §6).
    pub fn narrow(
        &self,
        granted: &Target,
        scope: Option<&Scope>,
        resources: &[ResourceIndicator],
        details: &AuthorizationDetails,
    ) -> Result<Target, OAuthError> {
        if !granted.details.cover(details) {
            return Err(OAuthError::new(
                ErrorCode::InvalidAuthorizationDetails,
                "the requested authorization_details are wider than what was granted",
            ));
        }
        let mut requested = scope.into_iter().flat_map(Scope::iter);
        if let Some(beyond) = requested.find(|token| !granted.scope.contains(token)) {
            return Err(OAuthError::invalid_scope(format!(
                "the requested scope is wider than what was granted: `{}` wasn't",
                short(beyond)
            )));
        }
        let resources = if resources.is_empty() {
            let remaining = self.remaining_resources(&granted.resources);
            if remaining.is_empty() && !granted.resources.is_empty() {
                return Err(OAuthError::invalid_target(
                    "the granted resources aren't there any more",
                ));
            }
            remaining
        } else {
            let was_granted = |resource: &ResourceIndicator| {
                let resource = resource.as_str();
                let by_default = granted.resources.is_empty()
                    && self.client.metadata.default_audience.as_deref() == Some(resource);
                by_default || granted.resources.iter().any(|known| known == resource)
            };
            if let Some(beyond) = resources.iter().find(|resource| !was_granted(resource)) {
                return Err(OAuthError::invalid_target(format!(
                    "the requested resource `{}` was not granted; name it in the authorization request",
                    short(beyond.as_str())
                )));
            }
            self.check_resources(resources)?
        };
        let wanted = scope
            .unwrap_or(&granted.scope)
            .intersection(self.registered());
        let scope = if scope.is_some() {
            self.require_scope_at(&wanted, &resources)?
        } else {
            self.scope_at(&wanted, &resources)
        };
        let wanted = if details.is_empty() {
            &granted.details
        } else {
            details
        };
        let remaining = self.remaining_details(wanted, &resources);
        if remaining.is_empty() && !details.is_empty() {
            return Err(OAuthError::new(
                ErrorCode::InvalidAuthorizationDetails,
                "none of the requested authorization_details are to be had any more, or not for this resource",
            ));
        }
        Ok(Target {
            scope,
            resources,
            details: remaining,
        })
    }
}

/// The only one of the APIs that a client's scopes are of: what its tokens are for where nothing else is said.
pub fn only_api<'a>(apis: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut apis = apis.into_iter();
    let first = apis.next()?;
    apis.all(|other| other == first).then_some(first)
}

/// [`only_api`] of the tenant's APIs that understand any token of a scope. A token that administers too is asked for by name alone.
pub fn only_api_of<'a>(resources: &'a [Resource], scope: &Scope) -> Option<&'a str> {
    if scope.contains(ADMIN) {
        return None;
    }
    let knows = |resource: &&Resource| scope.iter().any(|token| resource.understands(token));
    only_api(
        resources
            .iter()
            .filter(knows)
            .map(|resource| resource.identifier.as_str()),
    )
}

/// The type of an object among those of resources, and whose it is.
pub fn find_type<'r>(
    resources: &'r [Resource],
    detail: &AuthorizationDetail,
) -> Option<(&'r Resource, &'r DetailsType)> {
    resources.iter().find_map(|resource| {
        let mut types = resource.details_types.iter();
        let kind = types.find(|kind| kind.name == detail.kind())?;
        Some((resource, kind))
    })
}
