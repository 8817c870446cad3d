//! The rules for clients that ask people by the back channel (OpenID Connect CIBA §4).

use super::{MetadataError, web_url};
use crate::protocol::backchannel_authentication::DeliveryMode;
use crate::protocol::client_metadata::document::ClientMetadata;
use crate::protocol::client_metadata::kinds::GrantType;

impl ClientMetadata {
    /// OpenID Connect CIBA §4
    pub(super) fn check_backchannel(&self) -> Result<(), MetadataError> {
        const ENDPOINT: &str = "backchannel_client_notification_endpoint";
        let mode = self.backchannel_token_delivery_mode;
        if self.allows_grant(GrantType::Ciba) && mode.is_none() {
            return Err(MetadataError::new(
                "backchannel_token_delivery_mode",
                "must be poll, ping or push where ciba is among grant_types",
            ));
        }
        let endpoint = self.backchannel_client_notification_endpoint.as_deref();
        web_url(ENDPOINT, endpoint)?;
        if mode.is_some_and(DeliveryMode::notifies) && endpoint.is_none() {
            return Err(MetadataError::new(
                ENDPOINT,
                "is needed by backchannel_token_delivery_mode ping and push",
            ));
        }
        // Nobody proves anything when tokens are sent.
        if mode == Some(DeliveryMode::Push)
            && (self.dpop_bound_access_tokens || self.tls_client_certificate_bound_access_tokens)
        {
            return Err(MetadataError::new(
                "backchannel_token_delivery_mode",
                "push excludes tokens that are bound to a key or a certificate; use ping",
            ));
        }
        let has_keys = self.jwks.is_some() || self.jwks_uri.is_some();
        if self
            .backchannel_authentication_request_signing_alg
            .is_some()
            && !has_keys
        {
            return Err(MetadataError::new(
                "backchannel_authentication_request_signing_alg",
                "needs jwks or jwks_uri",
            ));
        }
        Ok(())
    }
}
