//! What requests look up of a tenant's own, each thing in its cache first.

use std::sync::Arc;

use uuid::Uuid;

use super::caches::{REVOKED_TOKENS, RevokedTokens};
use super::{FlowError, Provider, UserState};
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, GrantId, UserId};
use crate::flows::issue::claims_of;
use crate::flows::tenancy::Tenant;
use crate::storage::GrantSummary;

impl Provider {
    /// A client of the tenant.
    pub async fn find_client(
        &self,
        tenant: &Tenant,
        id: ClientId,
    ) -> Result<Option<Arc<Client>>, FlowError> {
        match self.kept_client(tenant, id) {
            // Boxed here and below: the future of whoever finds it at hand has no room for what asks the database.
            None => Box::pin(self.read_client(tenant, id)).await,
            kept => Ok(kept),
        }
    }

    /// A client as this node last read it, if it keeps it.
    pub(in crate::flows) fn kept_client(
        &self,
        tenant: &Tenant,
        id: ClientId,
    ) -> Option<Arc<Client>> {
        self.caches.clients.get(&(tenant.id(), id))
    }

    /// Keeps a client no longer, of which it is known that it isn't stored any more.
    pub(in crate::flows) fn forget_client(&self, tenant: &Tenant, id: ClientId) {
        self.caches.clients.remove(&(tenant.id(), id));
    }

    /// A client as it is stored at this moment.
    pub(in crate::flows) async fn read_client(
        &self,
        tenant: &Tenant,
        id: ClientId,
    ) -> Result<Option<Arc<Client>>, FlowError> {
        let load = async {
            let found = self
                .db
                .read(tenant, move |repo| repo.find_client(id))
                .await?;
            Ok(found.map(|client| ((tenant.id(), id), Arc::new(client))))
        };
        self.caches.clients.load(load).await
    }

    /// Whether a person exists and is active, and their roles.
    pub async fn find_user_state(
        &self,
        tenant: &Tenant,
        id: UserId,
    ) -> Result<Option<Arc<UserState>>, FlowError> {
        match self.caches.users.get(&(tenant.id(), id)) {
            None => Box::pin(self.read_user_state(tenant, id)).await,
            kept => Ok(kept),
        }
    }

    async fn read_user_state(
        &self,
        tenant: &Tenant,
        id: UserId,
    ) -> Result<Option<Arc<UserState>>, FlowError> {
        let load = async {
            let user = self.db.read(tenant, move |repo| repo.find_user(id)).await?;
            Ok(user.map(|user| {
                let state = UserState {
                    active: user.is_active(),
                    claims: claims_of(&user).to_map(),
                    roles: user.roles,
                };
                ((tenant.id(), id), Arc::new(state))
            }))
        };
        self.caches.users.load(load).await
    }

    /// What must be known of a grant to accept its tokens.
    pub async fn find_grant(
        &self,
        tenant: &Tenant,
        id: GrantId,
    ) -> Result<Option<GrantSummary>, FlowError> {
        let person = |grant: &GrantSummary| (tenant.id(), grant.user_id);
        match self.caches.grants.get(&(tenant.id(), id), person) {
            None => Box::pin(self.read_grant(tenant, id)).await,
            kept => Ok(kept),
        }
    }

    async fn read_grant(
        &self,
        tenant: &Tenant,
        id: GrantId,
    ) -> Result<Option<GrantSummary>, FlowError> {
        let load = async {
            Ok(self
                .db
                .read(tenant, move |repo| repo.find_grant_summary(id))
                .await?)
        };
        self.caches.grants.load(&(tenant.id(), id), load).await
    }

    /// Whether a token that hangs on no grant was revoked.
    pub(in crate::flows) async fn is_token_revoked(
        &self,
        tenant: &Tenant,
        jti: Uuid,
    ) -> Result<bool, FlowError> {
        let revoked = match self.caches.revoked.get(&tenant.id()) {
            None => Box::pin(self.read_revoked_tokens(tenant)).await?,
            kept => kept,
        };
        match revoked.as_deref() {
            Some(RevokedTokens::These(revoked)) => Ok(revoked.contains(&jti)),
            many => {
                if matches!(many, Some(RevokedTokens::TooMany { until }) if *until <= self.now()) {
                    self.caches.revoked.remove(&tenant.id());
                }
                let read = self.db.read(tenant, move |repo| repo.is_token_revoked(jti));
                Ok(Box::pin(read).await?)
            }
        }
    }

    async fn read_revoked_tokens(
        &self,
        tenant: &Tenant,
    ) -> Result<Option<Arc<RevokedTokens>>, FlowError> {
        let until = self.now() + chrono::Duration::minutes(1);
        let load = async {
            let found = self
                .db
                .read(tenant, |repo| repo.list_revoked_tokens(REVOKED_TOKENS + 1))
                .await?;
            let revoked = if found.len() > REVOKED_TOKENS as usize {
                RevokedTokens::TooMany { until }
            } else {
                RevokedTokens::These(found.into_iter().collect())
            };
            Ok(Some((tenant.id(), Arc::new(revoked))))
        };
        self.caches.revoked.load(load).await
    }

    /// Whether a browser application of the tenant lives at the origin (CORS).
    pub async fn is_client_origin(&self, tenant: &Tenant, origin: &str) -> Result<bool, FlowError> {
        let key = (tenant.id(), origin.to_owned());
        let load = async {
            let wanted = origin.to_owned();
            Ok::<_, FlowError>(Some(
                self.db
                    .read(tenant, move |repo| repo.is_client_origin(&wanted))
                    .await?,
            ))
        };
        Ok(self
            .caches
            .origins
            .get_or_load(&key, |_| tenant.id(), load)
            .await?
            .unwrap_or(false))
    }
}
