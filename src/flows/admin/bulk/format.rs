//! The lines of an export, and of whatever is imported: one JSON object each, whose one member says what it is.
//!
//! `export` stands first in what an export wrote. A `tenant` begins a tenant, and everything up to the next one is that tenant's:
//! `key`, `domain`, `resource`, `user`, `client`, `consent`, `external_subject`, in this order where one needs another. After an `export` line each tenant
//! ends with an `end`, so that a file that was cut short is noticed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::domain::branding::Branding;
use crate::domain::consent::Permissions;
use crate::domain::key::KeyAlgorithm;
use crate::domain::resource::ResourceScope;
use crate::domain::role::Role;
use crate::domain::settings::TenantSettings;
use crate::protocol::authorization_details::DetailsType;
use crate::protocol::claims::StandardClaims;

/// The format that this program writes, and the only one that it reads.
pub const FORMAT: u32 = 1;

/// What stands first in an export.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportLine {
    /// [`FORMAT`].
    pub format: u32,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<Timestamp>,
    /// Whether secrets are in it.
    #[serde(default)]
    pub secrets: bool,
}

/// A tenant.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantLine {
    /// The permanent identifier, to be kept; made where it isn't there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The name in addresses.
    pub slug: String,
    /// What people read.
    pub name: String,
    /// `active` (unless told) or `suspended`.
    #[serde(default)]
    pub status: TenantState,
    /// Those that differ from the defaults, or all.
    #[serde(default)]
    pub settings: TenantSettings,
    /// Logo and colours.
    #[serde(default)]
    pub branding: Branding,
    /// Under which everything of the tenant is sealed and hashed: base64url of 32 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_key: Option<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// Whether a tenant is to be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantState {
    /// In use.
    #[default]
    Active,
    /// Closed.
    Suspended,
}

/// A signing key; it opens by the tenant's data key only.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLine {
    /// The row's identifier, which the seal is bound to.
    pub id: Uuid,
    /// The public name.
    pub kid: String,
    /// What it is for.
    pub algorithm: KeyAlgorithm,
    /// The private JWK, sealed: base64url.
    pub sealed_private_jwk: String,
    /// When it takes over.
    pub signs_from: Timestamp,
    /// When it stops or stopped signing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
    /// When it leaves JWKS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A custom domain. It has to be proved anew wherever it comes to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainLine {
    /// Scheme, host and port.
    pub origin: String,
    /// Whether it was proved where it comes from.
    #[serde(default)]
    pub verified: bool,
    /// Whether it was the canonical address there.
    #[serde(default)]
    pub canonical: bool,
}

/// An API.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceLine {
    /// The absolute URI that stands as `aud`.
    pub identifier: String,
    /// What people read; the identifier unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The scopes that it understands.
    pub scopes: Vec<ResourceScope>,
    /// The types of authorization details that it understands (RFC 9396).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_details_types: Vec<DetailsType>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// A person.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserLine {
    /// The permanent identifier (`sub`), to be kept; made where it isn't there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The address that they sign in with.
    pub email: String,
    /// Whether the address is known to be theirs.
    #[serde(default)]
    pub email_verified: bool,
    /// `active` (unless told) or `disabled`.
    #[serde(default)]
    pub status: UserState,
    /// Since when they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// Their password's hash, as it comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    /// When they set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_set_at: Option<Timestamp>,
    /// Whether somebody with less power than an administrator may know it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub password_by_lesser: bool,
    /// What they administer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// What the standard claims say of them.
    #[serde(default)]
    pub claims: StandardClaims,
    /// When the record was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// Whether a person may sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserState {
    /// They may.
    #[default]
    Active,
    /// They may not.
    Disabled,
}

/// What a client's line has beside RFC 7591's metadata, which stand among these.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientLine {
    /// The identifier, to be kept; made where it isn't there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Uuid>,
    /// Its secret in the clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// RFC 7591 §3.2.1 answers it; a secret here never expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_expires_at: Option<i64>,
    /// Its secret's hash under the tenant's data key: base64url of 32 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_hash: Option<String>,
    /// The secret itself, sealed under the tenant's data key, where its method needs it read (`client_secret_jwt`): base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_client_secret: Option<String>,
    /// When the secret was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_made_at: Option<Timestamp>,
    /// The hash of the secret before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_client_secret_hash: Option<String>,
    /// That one itself, sealed as the present one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_sealed_client_secret: Option<String>,
    /// Until when that one is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_client_secret_until: Option<Timestamp>,
    /// The hash of its registration access token under the tenant's data key, where it registered itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_access_token_hash: Option<String>,
    /// The initial access token that it was registered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_access_token_id: Option<Uuid>,
    /// The software statement that it was registered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_statement: Option<String>,
    /// The members of its metadata that administrators set since.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub set_by_administrators: BTreeSet<String>,
    /// When it was registered, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id_issued_at: Option<i64>,
    /// The same, more exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was changed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

impl ClientLine {
    /// The members that aren't RFC 7591's metadata.
    const OWN: [&'static str; 16] = [
        "client_id",
        "client_secret",
        "client_secret_expires_at",
        "client_secret_hash",
        "sealed_client_secret",
        "client_secret_made_at",
        "previous_client_secret_hash",
        "previous_sealed_client_secret",
        "previous_client_secret_until",
        "registration_access_token_hash",
        "initial_access_token_id",
        "software_statement",
        "set_by_administrators",
        "client_id_issued_at",
        "created_at",
        "updated_at",
    ];

    /// Takes the members of its own out of a client's; metadata remain.
    pub fn split(members: &mut Map<String, Value>) -> Value {
        let own = Self::OWN
            .iter()
            .filter_map(|name| members.remove_entry(*name))
            .filter(|(_, value)| !value.is_null());
        Value::Object(own.collect())
    }
}

/// What a person has allowed a client.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentLine {
    /// Who, one of the tenant's above.
    pub user_id: Uuid,
    /// To whom, one of the tenant's above.
    pub client_id: Uuid,
    /// Scope-tokens by resource; under the empty name those that count at none.
    pub permissions: Permissions,
    /// When first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// What an issuer of assertions calls a person.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalSubjectLine {
    /// Who, one of the tenant's above.
    pub user_id: Uuid,
    /// The `iss` of its assertions.
    pub issuer: String,
    /// Their `sub`.
    pub subject: String,
    /// When it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// The end of a tenant.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndLine {
    /// How many lines the tenant has, from its own to the one before this.
    pub lines: u64,
}
