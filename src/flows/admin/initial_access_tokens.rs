//! Initial access tokens (RFC 7591 §1.2): made by administrators, for those who are to register clients themselves.

use serde_json::json;

use super::authority::{Area, Permission};
use super::error::{AdminError, By};
use super::once::Claim;
use crate::domain::audit::Act;
use crate::domain::ids::InitialAccessTokenId;
use crate::domain::initial_access_token::{InitialAccessToken, LIFETIME, MAX_USES};
use crate::domain::tenant::check_display_name;
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;
use crate::secret::{Handle, PlainSecret, Purpose};
use crate::storage::{Page, PageRequest};

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewInitialAccessToken {
    /// What it is for.
    pub name: String,
    /// How many clients may be registered with it.
    pub max_uses: u32,
    /// For how many seconds it is good.
    pub lifetime: u32,
}

impl NewInitialAccessToken {
    /// For one client, within a week.
    pub fn for_one(name: String) -> Self {
        Self {
            name,
            max_uses: 1,
            lifetime: 7 * 86_400,
        }
    }
}

/// A token as it was made, shown this once.
#[derive(Clone, Debug)]
pub struct IssuedInitialAccessToken {
    /// What is kept of it.
    pub record: InitialAccessToken,
    /// It.
    pub token: PlainSecret,
}

impl Provider {
    /// Makes a token.
    pub async fn create_initial_access_token(
        &self,
        tenant: &Tenant,
        new: NewInitialAccessToken,
        by: &By,
    ) -> Result<IssuedInitialAccessToken, AdminError> {
        by.check(Permission::Write(Area::Clients))?;
        check_display_name(&new.name).map_err(|error| AdminError::invalid("name", error))?;
        for (field, given, bounds) in [
            ("max_uses", new.max_uses, 1..=MAX_USES),
            ("expires_in", new.lifetime, LIFETIME),
        ] {
            if !bounds.contains(&given) {
                let reason = format!("must be {} to {}", bounds.start(), bounds.end());
                return Err(AdminError::invalid(field, reason));
            }
        }
        let handle = Handle::generate(&self.clock);
        let token = handle.to_text(Purpose::InitialAccessToken);
        let now = self.now();
        let record = InitialAccessToken {
            id: InitialAccessTokenId::from(handle.id()),
            name: new.name,
            proof: handle.hash(tenant.handle_key(), Purpose::InitialAccessToken),
            uses: 0,
            max_uses: new.max_uses,
            created_at: now,
            expires_at: now + chrono::Duration::seconds(new.lifetime.into()),
        };
        let claim = by.claim(tenant, handle.id(), Some(&token), &self.clock)?;
        let (stored, by) = (record.clone(), by.clone());
        self.db
            .write(tenant, move |repo| {
                Claim::write(claim.as_ref(), repo)?;
                repo.insert_initial_access_token(&stored)?;
                repo.record(by.event(Act::InitialAccessTokenCreated).detail(json!({
                    "initial_access_token": { "id": stored.id, "name": stored.name },
                    "max_uses": stored.max_uses, "expires_at": stored.expires_at,
                })))
            })
            .await?;
        Ok(IssuedInitialAccessToken { record, token })
    }

    /// A token as it is stored at this moment, spent and expired ones too.
    pub async fn load_initial_access_token(
        &self,
        tenant: &Tenant,
        id: InitialAccessTokenId,
    ) -> Result<InitialAccessToken, AdminError> {
        self.db
            .read(tenant, move |repo| repo.find_initial_access_token(id))
            .await?
            .ok_or_else(|| AdminError::no_initial_access_token(id))
    }

    /// Lists tokens in the order of their making, spent and expired ones too.
    pub async fn list_initial_access_tokens(
        &self,
        tenant: &Tenant,
        page: PageRequest,
    ) -> Result<Page<InitialAccessToken>, AdminError> {
        Ok(self
            .db
            .read(tenant, move |repo| repo.list_initial_access_tokens(page))
            .await?)
    }

    /// Ends a token. The clients that were registered with it stay.
    pub async fn revoke_initial_access_token(
        &self,
        tenant: &Tenant,
        id: InitialAccessTokenId,
        by: &By,
    ) -> Result<(), AdminError> {
        by.check(Permission::Write(Area::Clients))?;
        let by = by.clone();
        let revoked = self.db.write(tenant, move |repo| {
            let Some(token) = repo.find_initial_access_token(id)? else {
                return Ok(false);
            };
            let done = repo.delete_initial_access_token(id)?;
            if done {
                repo.record(by.event(Act::InitialAccessTokenRevoked).detail(json!({
                    "initial_access_token": { "id": id, "name": token.name }, "uses": token.uses,
                })))?;
            }
            Ok(done)
        });
        if revoked.await? {
            Ok(())
        } else {
            Err(AdminError::no_initial_access_token(id))
        }
    }
}
