//! What is kept of clients' secrets: a keyed hash, as a secret is compared and never read. Only `client_secret_jwt` needs the secret itself, as
//! the key of an HMAC: of a client that registers this method, and of no other, it is kept beside the hash, sealed under the tenant's data key.

use zeroize::Zeroizing;

use super::provider::FlowError;
use super::tenancy::Tenant;
use crate::clock::Clock;
use crate::domain::client::KeptSecret;
use crate::domain::ids::{ClientId, TenantId};
use crate::jose::seal::{DataKey, SealContext, SealError};
use crate::protocol::client_metadata::TokenEndpointAuthMethod;
use crate::secret::{HashKey, PlainSecret, generate_client_secret, hash_client_secret};

/// By which a tenant keeps secrets; for one that isn't made yet as well.
pub(super) struct Keeper<'a> {
    /// The tenant.
    pub(super) tenant: TenantId,
    /// What it hashes with.
    pub(super) handles: &'a HashKey,
    /// What it seals under.
    pub(super) data_key: &'a DataKey,
    /// Where nonces come from.
    pub(super) clock: &'a Clock,
}

impl<'a> Keeper<'a> {
    /// Of a tenant.
    pub(super) fn of(tenant: &'a Tenant, clock: &'a Clock) -> Self {
        Self {
            tenant: tenant.id(),
            handles: tenant.handle_key(),
            data_key: tenant.data_key(),
            clock,
        }
    }

    /// What is to be kept of a client's secret.
    pub(super) fn keep(
        &self,
        client: ClientId,
        method: TokenEndpointAuthMethod,
        secret: &PlainSecret,
    ) -> Result<KeptSecret, FlowError> {
        let hash = hash_client_secret(self.handles, client.uuid(), secret.expose())
            .ok_or(FlowError::Internal("a client secret is too long"))?;
        let sealed = if method.reads_secret() {
            let plain = secret.expose().as_bytes();
            let context = context(self.tenant, client);
            Some(self.data_key.seal(context, plain, self.clock)?)
        } else {
            None
        };
        Ok(KeptSecret { hash, sealed })
    }

    /// A new secret, and what is to be kept of it.
    pub(super) fn make(
        &self,
        client: ClientId,
        method: TokenEndpointAuthMethod,
    ) -> Result<(PlainSecret, KeptSecret), FlowError> {
        let secret = generate_client_secret(self.clock);
        let kept = self.keep(client, method, &secret)?;
        Ok((secret, kept))
    }

    /// A secret that was kept to be read.
    pub(super) fn read(
        &self,
        client: ClientId,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.data_key.open(context(self.tenant, client), sealed)
    }
}

const fn context(tenant: TenantId, client: ClientId) -> SealContext {
    SealContext {
        tenant: tenant.uuid(),
        table: "clients.secret",
        row: client.uuid(),
    }
}
