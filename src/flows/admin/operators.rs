//! Operators: the programs and people of the built-in tenant `system`, who may do everything.

use super::clients::RegisteredClient;
use super::error::{AdminError, By};
use super::users::{CreatedUser, NewUser};
use crate::domain::role::Role;
use crate::domain::tenant::check_display_name;
use crate::flows::provider::Provider;
use crate::flows::scopes::{ADMIN, admin_api};
use crate::protocol::Scope;
use crate::protocol::client_metadata::{ClientMetadata, GrantType};
use crate::protocol::email::EmailAddress;

impl Provider {
    /// Makes a program that may do everything: a client whose tokens are for the administration API.
    pub async fn create_operator_program(
        &self,
        name: &str,
        by: &By,
    ) -> Result<RegisteredClient, AdminError> {
        check_display_name(name).map_err(|error| AdminError::invalid("name", error))?;
        let system = self.ensure_system_tenant().await?;
        let metadata = ClientMetadata {
            client_name: Some(name.to_owned()),
            grant_types: vec![GrantType::ClientCredentials],
            scope: Some([ADMIN].into_iter().collect::<Scope>()),
            default_audience: Some(admin_api(self)),
            ..ClientMetadata::default()
        };
        self.create_client(&system, metadata, by).await
    }

    /// Makes a person who may do everything; they get a one-time link.
    pub async fn create_operator_person(
        &self,
        email: EmailAddress,
        by: &By,
    ) -> Result<CreatedUser, AdminError> {
        let system = self.ensure_system_tenant().await?;
        let new = NewUser {
            roles: vec![Role::Administrator],
            ..NewUser::new(email)
        };
        self.create_user(&system, new, by).await
    }
}
