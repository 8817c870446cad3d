//! Those whose word of a person counts in a tenant (`assertion_issuers`): which of them may vouch to a client, by which keys they sign, and whom they
//! mean. Shared by the assertions that are grants and by the hints of whom a client wants to have asked.

use serde_json::Value;
use uuid::Uuid;

use crate::domain::client::Client;
use crate::domain::ids::UserId;
use crate::domain::settings::{AssertionIssuer, SubjectMapping};
use crate::domain::user::User;
use crate::egress::EgressError;
use crate::flows::Provider;
use crate::flows::admin::external_name;
use crate::flows::tenancy::Tenant;
use crate::jose::keys::VerificationKeys;
use crate::protocol::email::EmailAddress;
use crate::secret::HashedSecret;
use crate::storage::{self, Repo};

/// Why an issuer's word doesn't count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flows) enum Untrusted {
    /// The tenant doesn't trust it.
    Issuer,
    /// It may not vouch to this client.
    Client,
}

/// The trusted issuer of this name, if it may vouch to the client.
pub(in crate::flows) fn find_issuer<'t>(
    tenant: &'t Tenant,
    client: &Client,
    name: &str,
) -> Result<&'t AssertionIssuer, Untrusted> {
    let mut known = tenant.settings().assertion_issuers.iter();
    let issuer = known
        .find(|issuer| issuer.issuer == name)
        .ok_or(Untrusted::Issuer)?;
    if !issuer.may_vouch_to(client.id) {
        return Err(Untrusted::Client);
    }
    Ok(issuer)
}

/// What one use of what an issuer signed is known by: by issuer and not by client, as several clients may bring it, and whatever it is brought for.
pub(in crate::flows) fn name_of_jti(
    tenant: &Tenant,
    issuer: &AssertionIssuer,
    jti: &str,
) -> HashedSecret {
    let parts = [issuer.issuer.as_bytes(), jti.as_bytes()];
    tenant.handle_key().mac("bearer assertion", &parts)
}

impl Provider {
    /// The keys of an issuer, given or published. Without an error they are there, and can't be used.
    pub(in crate::flows) async fn keys_of_issuer(
        &self,
        tenant: &Tenant,
        issuer: &AssertionIssuer,
        kid: Option<&str>,
    ) -> Result<VerificationKeys, Option<EgressError>> {
        let given: Option<&Value> = issuer.jwks.as_ref();
        if let Some(jwks) = given {
            return VerificationKeys::from_jwks(jwks).map_err(|_| None);
        }
        let url = issuer.jwks_uri.as_deref().ok_or(None)?;
        // No client owns these keys: the nil UUID is none's.
        let keys = self.published_keys(tenant, Uuid::nil(), url, kid).await;
        keys.inspect_err(|error| {
            tracing::warn!(tenant = %tenant.slug(), issuer = %issuer.issuer, ?error, "the keys of an issuer of assertions can't be had");
        })
    }
}

/// Whom an issuer means, as it names people.
#[derive(Clone)]
pub(in crate::flows) enum Subject {
    Id(UserId),
    Email(EmailAddress),
    Stored(HashedSecret),
    Nobody,
}

impl Subject {
    /// By what it says: a name, and an address that it has verified.
    pub(in crate::flows) fn of(
        tenant: &Tenant,
        issuer: &AssertionIssuer,
        (name, verified_email): (Option<&str>, Option<&str>),
    ) -> Self {
        let found = match issuer.subjects {
            SubjectMapping::Id => name.and_then(|name| name.parse().ok()).map(Self::Id),
            SubjectMapping::Stored => {
                name.map(|name| Self::Stored(external_name(tenant, &issuer.issuer, name)))
            }
            SubjectMapping::Email => verified_email
                .and_then(|email| EmailAddress::parse(email).ok())
                .map(Self::Email),
        };
        found.unwrap_or(Self::Nobody)
    }

    /// The name that was written down, where they are found by that.
    pub(in crate::flows) fn stored(&self) -> Option<&HashedSecret> {
        match self {
            Self::Stored(name) => Some(name),
            Self::Id(_) | Self::Email(_) | Self::Nobody => None,
        }
    }

    /// The person, whatever may be done with their account.
    pub(in crate::flows) fn find(&self, repo: &mut Repo<'_>) -> storage::Result<Option<User>> {
        match self {
            Self::Id(id) => repo.find_user(*id),
            // Verified here as well: whoever only says that an address is theirs would get what its owner may.
            Self::Email(email) => {
                let found = repo.find_user_by_email(email)?;
                Ok(found.filter(|user| user.email_verified))
            }
            Self::Stored(name) => match repo.find_external_subject_named(name)? {
                Some(known) => repo.find_user(known.user_id),
                None => Ok(None),
            },
            Self::Nobody => Ok(None),
        }
    }
}
