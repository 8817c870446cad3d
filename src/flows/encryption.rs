//! What is encrypted to a client (RFC 7516; OpenID Connect Core §10.2): by the key of its `jwks` or `jwks_uri` that is for that.
//!
//! A client that registered encryption gets nothing in the clear, but an answer to an introspection that it asks for as plain JSON (RFC 9701 §4):
//! where it has no usable key it is told so, before anything is used up wherever that can be known. RSA goes through the blocking pool; agreement on a key takes microseconds and is made here.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, LazyLock};

use quick_cache::sync::Cache;
use serde_json::Value;

use super::provider::{FlowError, Provider};
use super::tenancy::Tenant;
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, TenantId};
use crate::egress::{EgressError, JwkSet};
use crate::jose::keys::EncryptionKey;
use crate::protocol::encryption::{Encryption, KeyManagementAlgorithm};
use crate::protocol::{ErrorCode, OAuthError};

/// The content type of a nested token (RFC 7519 §5.2).
pub const NESTED: &str = "JWT";

/// Why nothing can be encrypted to a client.
#[derive(Debug, thiserror::Error)]
pub enum NoRecipient {
    /// Its keys can't be fetched.
    #[error("the client's keys can't be fetched: {0}")]
    Keys(EgressError),
    /// None of its keys may be encrypted to in the way that it registered.
    #[error("the client has no key that may be encrypted to by {0}")]
    NoKey(KeyManagementAlgorithm),
}

impl NoRecipient {
    /// Whether the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Keys(error) => error.is_passing(),
            Self::NoKey(_) => false,
        }
    }
}

impl From<&NoRecipient> for OAuthError {
    fn from(refusal: &NoRecipient) -> Self {
        if refusal.is_transient() {
            return Self::temporarily_unavailable(
                "the client's keys can't be fetched at present; try again shortly",
            );
        }
        // What came back from the address is the client's business.
        Self::new(
            ErrorCode::InvalidRequest,
            "this client registered encryption, and its jwks or jwks_uri holds no usable key for that: publish one with use enc that fits the registered alg",
        )
    }
}

impl Provider {
    /// The client's key that is encrypted to in this way.
    pub(super) async fn recipient(
        &self,
        tenant: &Tenant,
        client: &Client,
        encryption: Encryption,
    ) -> Result<EncryptionKey, FlowError> {
        let none = || NoRecipient::NoKey(encryption.alg);
        let choose = |keys: &[Value]| {
            let keys = keys.iter().filter_map(Value::as_object);
            EncryptionKey::choose(keys, encryption.alg).ok_or_else(none)
        };
        if let Some(jwks) = &client.metadata.jwks {
            let version = version_of(client, jwks);
            let name = (tenant.id(), client.id, version, encryption.alg);
            let key = REGISTERED.get_or_insert_with(&name, || {
                let keys = jwks.get("keys").and_then(Value::as_array);
                let key = choose(keys.map(Vec::as_slice).unwrap_or_default())?;
                // Once for each: there are points that read like keys and that nothing can be agreed with.
                key.encrypt(encryption.enc, None, b"").map_err(|_| none())?;
                Ok::<_, NoRecipient>(key)
            });
            return Ok(key?);
        }
        let Some(url) = &client.metadata.jwks_uri else {
            return Err(none().into());
        };
        let (tenant, client) = (tenant.id().uuid(), client.id.uuid());
        let found = |keys: &JwkSet| EncryptionKey::choose(keys.keys.iter(), encryption.alg);
        let set = self
            .client_keys
            .load_until(tenant, client, url, |set| found(set).is_some())
            .await
            .map_err(NoRecipient::Keys)?;
        Ok(found(&set).ok_or_else(none)?)
    }

    /// Makes sure that there is a key, before anything is used up for an answer that could never be given.
    pub(super) async fn check_recipient(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        encryption: Option<Encryption>,
    ) -> Result<(), FlowError> {
        if let Some(encryption) = encryption {
            self.recipient(tenant, client, encryption).await?;
        }
        Ok(())
    }

    /// Encrypts a content to the client; `cty` says what it is.
    pub(super) async fn encrypt(
        &self,
        tenant: &Tenant,
        client: &Client,
        encryption: Encryption,
        cty: Option<&'static str>,
        content: String,
    ) -> Result<String, FlowError> {
        let key = self.recipient(tenant, client, encryption).await?;
        let encrypt = move || key.encrypt(encryption.enc, cty, content.as_bytes());
        let encrypted = match encryption.alg {
            KeyManagementAlgorithm::EcdhEs => encrypt(),
            KeyManagementAlgorithm::RsaOaep256 => self.blocking(encrypt).await?,
        };
        // A key that reads like one and can't be encrypted to is the client's fault.
        Ok(encrypted.map_err(|_| NoRecipient::NoKey(encryption.alg))?)
    }
}

/// Which keys of a client these are, for what is kept of them: an import makes a client anew under its old name, and counts its versions from one.
pub(super) fn version_of(client: &Client, jwks: &Value) -> (i64, u64) {
    let mut hasher = DefaultHasher::new();
    jwks.to_string().hash(&mut hasher);
    (client.version, hasher.finish())
}

type Registered = (TenantId, ClientId, (i64, u64), KeyManagementAlgorithm);

/// The keys of clients' metadata, made ready once for each version of a client.
static REGISTERED: LazyLock<Cache<Registered, EncryptionKey>> = LazyLock::new(|| Cache::new(5_000));
