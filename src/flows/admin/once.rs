//! Creations that are asked for twice and done once: the key is written down in the transaction of the creation, and what was shown
//! once, a secret or a link, is kept beside it, sealed, for as long as the key is remembered.

use std::time::Duration;

use uuid::Uuid;

use super::error::{AdminError, By};
use crate::clock::Clock;
use crate::flows::provider::{FlowError, Provider};
use crate::flows::tenancy::Tenant;
use crate::jose::seal::{SealContext, SealError};
use crate::secret::PlainSecret;
use crate::storage::{self, Once, Repo, StorageError};

/// How long a key is remembered.
pub const REMEMBERED: Duration = Duration::from_hours(24);

/// A key that is to be written down with what is made.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    once: Once,
    made: Uuid,
    sealed_secret: Option<Vec<u8>>,
}

impl Claim {
    /// First in a transaction that may end without a creation, once it has held back who could make the same: a repeated request fails by this and
    /// by nothing else, also where it waited for the first one to end.
    pub(super) fn check(claim: Option<&Self>, repo: &mut Repo<'_>) -> storage::Result<()> {
        match claim {
            Some(claim) if repo.find_idempotency_key(&claim.once)?.is_some() => {
                Err(StorageError::KeyUsed)
            }
            _ => Ok(()),
        }
    }

    /// In the transaction of the creation, before it.
    pub(super) fn write(claim: Option<&Self>, repo: &mut Repo<'_>) -> storage::Result<()> {
        match claim {
            Some(claim) => {
                repo.claim_idempotency_key(&claim.once, claim.made, claim.sealed_secret.as_deref())
            }
            None => Ok(()),
        }
    }
}

const fn context(tenant: &Tenant, made: Uuid) -> SealContext {
    SealContext {
        tenant: tenant.record.id.uuid(),
        table: "idempotency_keys.sealed_secret",
        row: made,
    }
}

impl By {
    /// What has to be written down with `made`, if a key was sent.
    pub(super) fn claim(
        &self,
        tenant: &Tenant,
        made: Uuid,
        secret: Option<&PlainSecret>,
        clock: &Clock,
    ) -> Result<Option<Claim>, SealError> {
        let Some(once) = self.once.clone() else {
            return Ok(None);
        };
        let seal = |secret: &PlainSecret| {
            tenant
                .data_key()
                .seal(context(tenant, made), secret.expose().as_bytes(), clock)
        };
        Ok(Some(Claim {
            once,
            made,
            sealed_secret: secret.map(seal).transpose()?,
        }))
    }
}

/// What a key was used for.
#[derive(Debug)]
pub struct Repeated {
    /// The identifier of what was made.
    pub made: Uuid,
    /// What was shown once.
    pub secret: Option<PlainSecret>,
}

impl Provider {
    /// What a request with this key made; refuses a key that was used for something else.
    pub async fn find_repeated(&self, tenant: &Tenant, once: Once) -> Result<Repeated, AdminError> {
        let wanted = once.request_hash;
        let used = self
            .db
            .read(tenant, move |repo| repo.find_idempotency_key(&once))
            .await?
            .ok_or(FlowError::Internal("an idempotency key is gone again"))?;
        if used.request_hash != wanted {
            return Err(AdminError::Repeated);
        }
        let secret = match used.sealed_secret {
            Some(sealed) => {
                let opened = tenant
                    .data_key()
                    .open(context(tenant, used.made), &sealed)?;
                let text = std::str::from_utf8(&opened)
                    .map_err(|_| FlowError::Internal("a sealed secret is no text"))?;
                Some(PlainSecret::new(text.to_owned()))
            }
            None => None,
        };
        Ok(Repeated {
            made: used.made,
            secret,
        })
    }
}
