//! The rules of what a client exchanges (RFC 8693), and of the sessions that it shares on a device (OpenID Connect Native SSO).

use super::document::ClientMetadata;
use super::kinds::GrantType;
use super::rules::{MetadataError, bounded};
use crate::protocol::native_sso::{MAX_GROUP, is_group};
use crate::protocol::scope::Scope;

impl ClientMetadata {
    /// What it may exchange for what, who may act by its tokens, and with whom it shares sessions.
    pub(super) fn check_exchange(&self) -> Result<(), MetadataError> {
        for (field, values) in [
            ("token_exchange_subjects", &self.token_exchange_subjects),
            ("token_exchange_targets", &self.token_exchange_targets),
            ("token_exchange_issuers", &self.token_exchange_issuers),
        ] {
            bounded(field, values, 100)?;
            // Audiences: identifiers of resources or of clients; names of issuers.
            if !values.iter().all(|value| {
                (1..=2048).contains(&value.len())
                    && value.bytes().all(|byte| byte.is_ascii_graphic())
            }) {
                return Err(MetadataError::new(
                    field,
                    "must be texts of 1 to 2048 visible ASCII characters",
                ));
            }
        }
        let may_act = self.token_exchange_may_act.as_deref();
        if may_act.is_some_and(|sub| {
            !(1..=255).contains(&sub.len()) || !sub.bytes().all(|byte| byte.is_ascii_graphic())
        }) {
            return Err(MetadataError::new(
                "token_exchange_may_act",
                "must be a text of 1 to 255 visible ASCII characters: a client_id, or a person's sub",
            ));
        }
        self.check_native_sso()?;
        match &self.token_exchange_scope {
            Some(scope) => Scope::parse(&scope.to_string())
                .map(|_| ())
                .map_err(|error| MetadataError::new("token_exchange_scope", error.to_string())),
            None => Ok(()),
        }
    }

    fn check_native_sso(&self) -> Result<(), MetadataError> {
        let Some(group) = &self.native_sso_group else {
            return Ok(());
        };
        if !is_group(group) {
            return Err(MetadataError::new(
                "native_sso_group",
                format!("must be a text of 1 to {MAX_GROUP} visible ASCII characters"),
            ));
        }
        if !self.allows_grant(GrantType::AuthorizationCode)
            && !self.allows_grant(GrantType::TokenExchange)
        {
            return Err(MetadataError::new(
                "native_sso_group",
                "needs authorization_code among grant_types, to begin sessions that are shared, or token-exchange, to join them",
            ));
        }
        Ok(())
    }
}
