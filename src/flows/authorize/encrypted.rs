//! Encrypted request objects (RFC 9101 §6.1; OpenID Connect Core §6.1, §10.2): a client's signed object within a JWE to one of the tenant's keys; and
//! ID tokens that come back so as hints (Core §3.1.2.1).
//!
//! What is wrong with one is never told: all that fails before the signature within is looked at fails alike.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::presented::ObjectRefusal;
use crate::clock::span;
use crate::domain::audit::{Actor, Origin};
use crate::domain::client::Client;
use crate::domain::key::KeyAlgorithm;
use crate::flows::Provider;
use crate::flows::keys::{OnlyIf, RotationStart};
use crate::flows::provider::FlowError;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::jose::jwe::{Encrypted, NotDecrypted, is_encrypted};
use crate::jose::keys::DecryptionKey;
use crate::protocol::encryption::KeyManagementAlgorithm;
use crate::protocol::{ErrorCode, OAuthError};

/// Why an object isn't opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::flows) enum EncryptionRefusal {
    /// It is encrypted to a tenant that takes none such, or by a client without keys to sign with.
    #[error("encrypted request objects aren't taken here")]
    NotTaken,
    /// It doesn't open, for whatever reason.
    #[error("the request object can't be decrypted")]
    NotDecrypted,
}

impl From<NotDecrypted> for EncryptionRefusal {
    fn from(_: NotDecrypted) -> Self {
        Self::NotDecrypted
    }
}

impl From<EncryptionRefusal> for OAuthError {
    fn from(refusal: EncryptionRefusal) -> Self {
        let text = match refusal {
            EncryptionRefusal::NotTaken => {
                "encrypted request objects are not taken here; send it signed alone"
            }
            EncryptionRefusal::NotDecrypted => {
                "the request object can't be decrypted: sign it, then encrypt it to a key with use enc of this issuer's jwks_uri, by an alg and enc of its metadata, without compression"
            }
        };
        Self::new(ErrorCode::InvalidRequestObject, text)
    }
}

/// The text within, wiped when it is dropped.
pub(in crate::flows) type Opened = Zeroizing<String>;

impl Provider {
    /// Opens an object that is encrypted, by whichever way is announced; none where it isn't. OpenID Connect Dynamic Client Registration §2 of the
    /// way that a client registered: it "MAY still use other supported encryption algorithms or send unencrypted Request Objects".
    pub(super) async fn decrypt_object(
        &self,
        at: &TenantAt,
        client: &Client,
        object: &str,
    ) -> Result<Option<Opened>, ObjectRefusal> {
        if !is_encrypted(object) {
            return Ok(None);
        }
        // Before any work with keys: whom it could be of, and whether it is what was agreed.
        let has_keys = client.metadata.jwks.is_some() || client.metadata.jwks_uri.is_some();
        if !has_keys || !at.tenant.settings().request_object_encryption {
            return Err(EncryptionRefusal::NotTaken.into());
        }
        let encrypted = Encrypted::parse(object).map_err(EncryptionRefusal::from)?;
        let opened = self.open_encrypted(at, encrypted).await?;
        Ok(Some(opened.ok_or(EncryptionRefusal::NotDecrypted)?))
    }

    /// Opens an ID token that comes back as a hint, encrypted anew (OpenID Connect Core §3.1.2.1: "The Client MAY re-encrypt the signed ID token to
    /// the Authentication Server using a key that enables the server to decrypt the ID Token"). It is for clients whose ID tokens come encrypted, as
    /// nobody else has a reason, and what isn't one of theirs is left to whoever verifies it.
    pub(in crate::flows) async fn decrypt_hint(
        &self,
        at: &TenantAt,
        client: &Client,
        hint: &str,
    ) -> Result<Option<Opened>, FlowError> {
        let takes = at.tenant.settings().request_object_encryption
            && client.metadata.id_token_encryption().is_some();
        if !takes || !is_encrypted(hint) {
            return Ok(None);
        }
        match Encrypted::parse(hint) {
            Ok(encrypted) => self.open_encrypted(at, encrypted).await,
            Err(NotDecrypted) => Ok(None),
        }
    }

    /// The text within what is encrypted to one of the tenant's keys; none where it doesn't open.
    async fn open_encrypted(
        &self,
        at: &TenantAt,
        encrypted: Encrypted,
    ) -> Result<Option<Opened>, FlowError> {
        let alg = encrypted.algorithm;
        let keys: Vec<DecryptionKey> = at
            .tenant
            .keys
            .decrypters(alg, encrypted.kid.as_deref(), self.now())
            .cloned()
            .collect();
        let open = move || {
            let opened = keys.iter().find_map(|key| encrypted.decrypt(key).ok())?;
            let text = std::str::from_utf8(&opened).ok()?;
            Some(Zeroizing::new(text.to_owned()))
        };
        let opened = match alg {
            KeyManagementAlgorithm::EcdhEs => open(),
            KeyManagementAlgorithm::RsaOaep256 => self.blocking(open).await?,
        };
        // Whoever sends what doesn't open starts no rotation, and one that can't be written down holds up nobody.
        if opened.is_some()
            && let Err(error) = self.follow_old_key(&at.tenant, alg).await
        {
            tracing::warn!(%error, tenant = %at.tenant.slug(), "a key that has come of age got no successor");
        }
        Ok(opened)
    }

    /// Gives a key that has come of age a successor, as it is used.
    async fn follow_old_key(
        &self,
        tenant: &Arc<Tenant>,
        algorithm: KeyManagementAlgorithm,
    ) -> Result<(), FlowError> {
        let algorithm = KeyAlgorithm::Encryption(algorithm);
        let age = span(self.config.key_rotation_age);
        if tenant.keys.wants_rotation(algorithm, self.now(), age) {
            self.rotate_key(
                tenant,
                algorithm,
                RotationStart::Immediately,
                Actor::System,
                Origin::default(),
                Some(OnlyIf::OlderThan(age)),
            )
            .await?;
        }
        Ok(())
    }
}
