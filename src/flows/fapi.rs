//! FAPI 2.0 as a switch (see [`crate::protocol::fapi`]): which profile a client is held to, and what of a request that decides.
//!
//! A client is held to its own profile or its tenant's, whichever demands more; the clients that are built in are held to none, as what an
//! administrator demands of applications must not lock them out of the console.

use super::console;
use super::tenancy::Tenant;
use super::trial::is_stand_in;
use crate::domain::client::Client;
use crate::protocol::client_metadata::MetadataError;
use crate::protocol::fapi::SecurityProfile;

impl Tenant {
    /// The profile that a client of the tenant is held to.
    pub fn profile_of(&self, client: &Client) -> SecurityProfile {
        let wanted = self
            .settings()
            .security_profile
            .max(client.metadata.security_profile);
        if wanted.is_fapi() && (client.id == console::client_id() || is_stand_in(client)) {
            return SecurityProfile::None;
        }
        wanted
    }

    /// The same, provided that the client is as the profile demands.
    pub fn check_profile(&self, client: &Client) -> Result<SecurityProfile, MetadataError> {
        let profile = self.profile_of(client);
        profile.check_client(&client.metadata)?;
        Ok(profile)
    }
}
