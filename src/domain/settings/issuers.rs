//! Whom a tenant believes besides itself: issuers of software statements (RFC 7591 §2.3) and of assertions (RFC 7523).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::domain::ids::ClientId;
use crate::protocol::jwks::check_public;
use crate::protocol::scope::{DEVICE_SSO, STANDARD_SCOPES, Scope};
use crate::protocol::uri::parse_web;

/// Somebody whose software statements are believed (RFC 7591 §2.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SoftwareStatementIssuer {
    /// The `iss` of their statements.
    pub issuer: String,
    /// Where they publish the keys that sign them.
    pub jwks_uri: String,
}

/// The most issuers of software statements that a tenant may trust.
pub const MAX_STATEMENT_ISSUERS: usize = 20;

/// The longest name of an issuer, in bytes.
const MAX_ISSUER: usize = 2048;

impl SoftwareStatementIssuer {
    /// What a list of them must be; an error says what is wrong, and with which.
    pub fn check_all(issuers: &[Self]) -> Result<(), String> {
        if issuers.len() > MAX_STATEMENT_ISSUERS {
            return Err(format!("must be {MAX_STATEMENT_ISSUERS} at most"));
        }
        for (place, one) in issuers.iter().enumerate() {
            let name = &one.issuer;
            check_issuer(name)?;
            if issuers
                .iter()
                .take(place)
                .any(|other| other.issuer == *name)
            {
                return Err(format!("names `{name}` twice"));
            }
            parse_web(&one.jwks_uri).map_err(|error| format!("jwks_uri of `{name}`: {error}"))?;
        }
        Ok(())
    }
}

/// Somebody whose assertions get tokens for people (RFC 7523 §2.1, §3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssertionIssuer {
    /// The `iss` of their assertions.
    pub issuer: String,
    /// Where they publish the keys that sign them; or `jwks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Those keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// The clients that may bring them, by `client_id` (1 to 100).
    pub clients: Vec<String>,
    /// How they name people.
    pub subjects: SubjectMapping,
    /// The scopes that they may give: those of the tenant's resources, and none of a person's own.
    #[schemars(with = "String")]
    pub scope: Scope,
    /// For how many seconds an assertion may be good (60 to 3600).
    #[serde(default = "default_assertion_lifetime")]
    #[schemars(range(min = 60, max = 3600))]
    pub max_lifetime: u32,
}

/// How the issuer of an assertion names a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AssertionSubjectMapping")]
pub enum SubjectMapping {
    /// `sub` is their id here.
    Id,
    /// `email` is their address, which both the issuer (`email_verified`) and this tenant have verified.
    Email,
    /// `sub` is what was written down of them for this issuer: their external subject.
    Stored,
}

/// The most issuers of assertions that a tenant may trust.
pub const MAX_ASSERTION_ISSUERS: usize = 20;

const fn default_assertion_lifetime() -> u32 {
    300
}

/// The most bytes that what a tenant says of them may have, their keys included: every process keeps it.
pub const MAX_ASSERTION_ISSUERS_BYTES: usize = 65_536;

impl AssertionIssuer {
    /// What grants are found by that were made by the word of an issuer.
    pub fn key(name: &str) -> [u8; 32] {
        Sha256::digest(name).into()
    }

    /// Whether a client may bring what it signs.
    pub fn may_vouch_to(&self, client: ClientId) -> bool {
        self.clients.contains(&client.to_string())
    }

    /// Whether the word that it gave while it stood in the settings as `before` still counts, to those clients that are its own yet. Other keys may be
    /// the answer to some that were lost; and what it may vouch for no longer was granted on its word.
    pub fn upholds(&self, before: &Self) -> bool {
        before.scope.is_subset_of(&self.scope)
            && (&self.jwks, &self.jwks_uri, self.subjects)
                == (&before.jwks, &before.jwks_uri, before.subjects)
    }

    /// What a list of them must be; an error says what is wrong, and with which.
    pub fn check_all(issuers: &[Self]) -> Result<(), String> {
        if issuers.len() > MAX_ASSERTION_ISSUERS {
            return Err(format!("must be {MAX_ASSERTION_ISSUERS} at most"));
        }
        let bytes = serde_json::to_vec(issuers).map_or(usize::MAX, |text| text.len());
        if bytes > MAX_ASSERTION_ISSUERS_BYTES {
            return Err(format!(
                "must have {MAX_ASSERTION_ISSUERS_BYTES} bytes at most, keys included; name large sets of keys by jwks_uri"
            ));
        }
        for (place, one) in issuers.iter().enumerate() {
            let name = &one.issuer;
            check_issuer(name)?;
            let mut before = issuers.iter().take(place);
            if before.any(|other| other.issuer == *name) {
                return Err(format!("names `{name}` twice"));
            }
            match (&one.jwks_uri, &one.jwks) {
                (Some(uri), None) => {
                    parse_web(uri).map_err(|error| format!("jwks_uri of `{name}`: {error}"))?;
                }
                (None, Some(jwks)) => {
                    check_public(jwks).map_err(|error| format!("jwks of `{name}`: {error}"))?;
                }
                _ => return Err(format!("`{name}` needs either jwks_uri or jwks")),
            }
            let is_id = |id: &String| {
                id.parse::<ClientId>()
                    .is_ok_and(|read| read.to_string() == *id)
            };
            if !(1..=100).contains(&one.clients.len()) || !one.clients.iter().all(is_id) {
                return Err(format!("clients of `{name}` must be 1 to 100 client_ids"));
            }
            let unfit = |token: &str| {
                token.starts_with("tessera:")
                    || token == DEVICE_SSO
                    || STANDARD_SCOPES.contains(&token)
            };
            if let Some(token) = one.scope.iter().find(|token| unfit(token)) {
                return Err(format!(
                    "scope of `{name}` has `{token}`, which no assertion gives: only scopes of the tenant's resources"
                ));
            }
            if !(60..=3600).contains(&one.max_lifetime) {
                return Err(format!("max_lifetime of `{name}` must be 60 to 3600"));
            }
        }
        Ok(())
    }
}

fn check_issuer(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > MAX_ISSUER || name.contains(char::is_whitespace) {
        return Err(format!(
            "an issuer must have 1 to {MAX_ISSUER} bytes and no spaces"
        ));
    }
    Ok(())
}
