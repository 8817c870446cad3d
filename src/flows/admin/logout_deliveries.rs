//! Logout tokens on their way to clients, as those see them who look after the tenant: what failed, why, and once more.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;

use super::authority::{Area, Permission};
use super::error::{AdminError, By};
use crate::domain::audit::Act;
use crate::domain::ids::{ClientId, LogoutDeliveryId};
use crate::domain::logout_delivery::{DeliveryState, LogoutDelivery};
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;
use crate::storage::{Page, PageRequest};

impl Provider {
    /// Lists deliveries, the youngest first; those in one state, or all.
    pub async fn list_logout_deliveries(
        &self,
        tenant: &Tenant,
        state: Option<DeliveryState>,
        page: PageRequest,
    ) -> Result<Page<LogoutDelivery>, AdminError> {
        let read = self
            .db
            .read(tenant, move |repo| repo.list_logout_deliveries(state, page));
        Ok(read.await?)
    }

    /// A delivery as it is at this moment.
    pub async fn load_logout_delivery(
        &self,
        tenant: &Tenant,
        id: LogoutDeliveryId,
    ) -> Result<LogoutDelivery, AdminError> {
        self.db
            .read(tenant, move |repo| repo.find_logout_delivery(id))
            .await?
            .ok_or_else(|| AdminError::no_logout_delivery(id))
    }

    /// What the clients of these deliveries are called.
    pub async fn names_of_clients(
        &self,
        tenant: &Arc<Tenant>,
        deliveries: &[LogoutDelivery],
    ) -> Result<HashMap<ClientId, String>, AdminError> {
        let mut names = HashMap::new();
        for delivery in deliveries {
            let id = delivery.client_id;
            if !names.contains_key(&id)
                && let Some(client) = self.find_client(tenant, id).await?
            {
                names.insert(id, client.name());
            }
        }
        Ok(names)
    }

    /// Has a delivery tried once more, at once. One that has waited for a day is given up again if that fails.
    pub async fn retry_logout_delivery(
        &self,
        tenant: &Tenant,
        id: LogoutDeliveryId,
        by: &By,
    ) -> Result<LogoutDelivery, AdminError> {
        by.check(Permission::Write(Area::Clients))?;
        let by = by.clone();
        let write = self.db.write(tenant, move |repo| {
            let Some(before) = repo.find_logout_delivery(id)? else {
                return Ok(None);
            };
            if !repo.retry_logout_delivery(id)? {
                return Ok(Some(Err(before.state)));
            }
            repo.record(
                by.event(Act::LogoutDeliveryRetried)
                    .client(before.client_id)
                    .user(before.user_id)
                    .detail(json!({ "logout_delivery": id, "kind": before.kind, "session": before.session_id, "request": before.request_id })),
            )?;
            Ok(repo.find_logout_delivery(id)?.map(Ok))
        });
        match write.await? {
            None => Err(AdminError::no_logout_delivery(id)),
            Some(Ok(delivery)) => Ok(delivery),
            Some(Err(DeliveryState::Delivered)) => Err(AdminError::refused(
                "it was delivered; there is nothing to try again",
            )),
            Some(Err(_)) => Err(AdminError::refused("it is being delivered at this moment")),
        }
    }
}
