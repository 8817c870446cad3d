//! Signing keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Section;
use crate::clock::Timestamp;
use crate::domain::key::{KeyAlgorithm, KeyRecord, KeyStage};
use crate::flows::admin::{Area, Permission};
use crate::flows::keys::RotationStart;
use crate::http::api::answer::Answer;
use crate::http::api::call::Call;
use crate::http::api::operation::Operation;

/// This section.
pub const SECTION: Section = Section {
    title: "Keys",
    description: "What the tenant's tokens are signed with and, where its settings say so, what requests to it are encrypted to. Private keys never leave the server.",
    operations: &[
        Operation::get("listKeys", "/tenants/{tenant}/keys", |call| Box::pin(list(call)))
            .says("List keys", "The newest first; those that were removed are listed for a month.")
            .needs(Permission::Read(Area::Keys))
            .lists::<TenantKey>(),
        Operation::post("rotateKeys", "/tenants/{tenant}/keys/rotate", |call| Box::pin(rotate(call)))
            .says("Give keys a successor", "It is published first and signs once every verifier can know it; the one before stays published until all that it signed has expired. A key that others encrypt to is replaced at once; the one before decrypts on for a day. An algorithm that has no key yet gets its first, which signs at once.")
            .needs(Permission::Write(Area::Keys))
            .may_take::<KeyRotation>()
            .gives::<RotatedKeys>(),
        Operation::get("getKey", "/tenants/{tenant}/keys/{kid}", |call| Box::pin(get(call)))
            .says("Show a key", "")
            .needs(Permission::Read(Area::Keys))
            .gives::<TenantKey>(),
        Operation::post("revokeKey", "/tenants/{tenant}/keys/{kid}/revoke", |call| Box::pin(revoke(call)))
            .says("Withdraw a key at once", "Nothing that it signed is accepted any more: people sign in again, applications ask for other tokens. For a key that may be known to others.")
            .needs(Permission::Write(Area::Keys))
            .gives::<TenantKey>(),
    ],
};

/// A key.
#[derive(Serialize, JsonSchema)]
struct TenantKey {
    /// Its name, as the key set and the tokens have it.
    kid: String,
    /// The algorithm: of signatures, or of the encryption of requests to the tenant.
    algorithm: KeyAlgorithm,
    /// `published`, `signing`, `retired`, `removed` or `revoked`; `encrypting` for the one that others encrypt to.
    state: &'static str,
    /// From when on it signs, or did.
    #[serde(skip_serializing_if = "Option::is_none")]
    signs_from: Option<Timestamp>,
    /// When its successor began to sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    retired_at: Option<Timestamp>,
    /// When it leaves the key set: all that it signed has expired by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
    /// The public key (RFC 7517).
    public_jwk: Value,
    /// When it was made.
    created_at: Timestamp,
}

/// Which keys get a successor, and from when on it signs.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct KeyRotation {
    /// The key of this algorithm only.
    algorithm: Option<KeyAlgorithm>,
    /// Whether it signs at once. Verifiers that keep the key set have to fetch it again.
    immediately: bool,
}

/// The keys that were made.
#[derive(Serialize, JsonSchema)]
struct RotatedKeys {
    /// The successors, or the first key of an algorithm that had none.
    keys: Vec<TenantKey>,
}

fn view(key: &KeyRecord, now: Timestamp) -> TenantKey {
    let mut view = TenantKey {
        kid: key.kid.clone(),
        algorithm: key.algorithm,
        state: key.state(now).as_str(),
        signs_from: None,
        retired_at: None,
        removed_at: None,
        revoked_at: None,
        public_jwk: key.public_jwk.clone(),
        created_at: key.created_at,
    };
    match key.stage {
        KeyStage::Published { signs_from } => view.signs_from = Some(signs_from),
        KeyStage::Retired {
            signs_from,
            retired_at,
            removed_at,
        } => {
            view.signs_from = Some(signs_from);
            view.retired_at = Some(retired_at);
            view.removed_at = Some(removed_at);
        }
        KeyStage::Revoked { revoked_at } => view.revoked_at = Some(revoked_at),
    }
    view
}

async fn list(call: Call) -> Answer {
    let page = call
        .provider
        .list_signing_keys(call.tenant(), call.page()?)
        .await?;
    let now = call.provider.now();
    Ok(call.list(page, |key| view(key, now)))
}

async fn get(call: Call) -> Answer {
    let key = call
        .provider
        .load_signing_key(call.tenant(), &call.segment("kid"))
        .await?;
    Ok(call.show(&view(&key, call.provider.now())))
}

async fn rotate(call: Call) -> Answer {
    let wanted: KeyRotation = call.json_or_default()?;
    let start = if wanted.immediately {
        RotationStart::Immediately
    } else {
        RotationStart::PublishedFirst
    };
    let made = call
        .provider
        .rotate_signing_keys(call.tenant(), wanted.algorithm, start, &call.by())
        .await?;
    let now = call.provider.now();
    Ok(call.show(&RotatedKeys {
        keys: made.iter().map(|key| view(key, now)).collect(),
    }))
}

async fn revoke(call: Call) -> Answer {
    let key = call
        .provider
        .revoke_signing_key(call.tenant(), &call.segment("kid"), &call.by())
        .await?;
    Ok(call.show(&view(&key, call.provider.now())))
}
