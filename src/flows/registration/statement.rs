//! Software statements at registration (RFC 7591 §2.3, §3.1.1): whose are believed, and what they decide.

use std::collections::HashSet;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::RegistrationRefusal;
use crate::flows::provider::Provider;
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::jose::software_statement::{StatementRules, UnverifiedStatement, of_verified};
use crate::protocol::client_metadata::MetadataError;

/// The member that carries a statement.
const MEMBER: &str = "software_statement";

/// Takes the statement out of a document, where there is one.
pub(super) fn take(
    document: &mut Map<String, Value>,
) -> Result<Option<String>, RegistrationRefusal> {
    match document.remove(MEMBER) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(statement)) => Ok(Some(statement)),
        Some(_) => Err(RegistrationRefusal::Statement("it must be a text")),
    }
}

/// RFC 7591 §2.3: "If the authorization server determines that the claims in a software statement uniquely identify a piece of software [...]
/// metadata values conveyed in the software statement MUST take precedence over those conveyed using plain JSON elements." A name in another
/// language beside a vouched one would be what people read who speak it, and vouched for by nobody.
fn merge(document: &mut Map<String, Value>, said: Map<String, Value>) {
    let base = |name: &str| -> String {
        let base = name.split_once('#').map_or(name, |(base, _)| base);
        base.to_owned()
    };
    let vouched: HashSet<String> = said.keys().map(|name| base(name)).collect();
    document.retain(|name, _| !vouched.contains(&base(name)));
    document.extend(said);
}

/// Has a statement that was verified before decide what a change may not; the names of what it decides.
pub(super) fn hold(
    document: &mut Map<String, Value>,
    statement: &str,
) -> Result<HashSet<String>, RegistrationRefusal> {
    let said = of_verified(statement).map_err(|error| {
        tracing::error!(%error, "a stored software statement can't be read");
        RegistrationRefusal::Statement("the one that is stored can't be read")
    })?;
    let names = said.keys().cloned().collect();
    merge(document, said);
    Ok(names)
}

/// Refuses a registration without a statement where the tenant wants one.
pub(super) fn check_presence(
    tenant: &Tenant,
    statement: Option<&str>,
) -> Result<(), RegistrationRefusal> {
    if statement.is_none() && tenant.settings().require_software_statement {
        let reason = "is required by this tenant; its administrators say whose are accepted";
        return Err(MetadataError::new(MEMBER, reason).into());
    }
    Ok(())
}

impl Provider {
    /// Verifies a statement by the keys of its issuer, who must be one of those that the tenant trusts, and has it decide.
    pub(super) async fn apply_statement(
        &self,
        at: &TenantAt,
        document: &mut Map<String, Value>,
        statement: &str,
    ) -> Result<(), RegistrationRefusal> {
        let tenant = &at.tenant;
        let unverified = UnverifiedStatement::parse(statement)
            .map_err(|_| RegistrationRefusal::Statement("it must be a signed JWT with iss"))?;
        let trusted = &tenant.settings().software_statement_issuers;
        let issuer = trusted
            .iter()
            .find(|trusted| trusted.issuer == unverified.issuer())
            .ok_or(RegistrationRefusal::StatementIssuer)?;
        // No client owns these keys: the nil UUID is none's.
        let keys = self
            .published_keys(tenant, Uuid::nil(), &issuer.jwks_uri, unverified.kid())
            .await
            .map_err(|error| {
                tracing::warn!(tenant = %tenant.slug(), issuer = %issuer.issuer, ?error, "the keys of an issuer of software statements can't be had");
                match error {
                    Some(error) if error.is_passing() => RegistrationRefusal::StatementKeysLater,
                    _ => RegistrationRefusal::Statement("its issuer's keys can't be had"),
                }
            })?;
        let rules = StatementRules {
            audience: &at.issuer,
            unix: self.clock.unix(),
        };
        let said = unverified
            .verify(&keys, rules)
            .map_err(|error| {
                tracing::info!(tenant = %tenant.slug(), %error, "a software statement was refused");
                RegistrationRefusal::Statement(
                    "it is not signed by its issuer, not good at present, for somebody else, or has no software_id",
                )
            })?;
        merge(document, said.metadata);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else {
            panic!("an object")
        };
        members
    }

    #[test]
    fn what_is_vouched_for_comes_first_in_every_language() {
        let mut document = object(json!({
            "client_name": "Your Bank", "client_name#de": "Ihre Bank", "tos_uri": "https://a.example/tos", "tos_uri#de": "https://a.example/agb",
        }));
        merge(
            &mut document,
            object(json!({ "client_name": "Board", "software_id": "1" })),
        );
        let expected = json!({
            "client_name": "Board", "software_id": "1", "tos_uri": "https://a.example/tos", "tos_uri#de": "https://a.example/agb",
        });
        assert_eq!(Value::Object(document), expected);
        // However the language is spelt, and where only one is vouched for.
        let mut document = object(json!({ "client_name#DE": "Bank", "client_name#de-AT": "Bank" }));
        let said = json!({ "client_name#de": "Brett" });
        merge(&mut document, object(said.clone()));
        assert_eq!(Value::Object(document), said);
    }

    #[test]
    fn a_statement_is_a_text_or_nothing() {
        let mut document = object(json!({ "software_statement": null, "a": 1 }));
        assert!(matches!(take(&mut document), Ok(None)) && document.len() == 1);
        let mut document = object(json!({ "software_statement": "a.b.c" }));
        assert!(matches!(take(&mut document), Ok(Some(_))) && document.is_empty());
        assert!(take(&mut object(json!({ "software_statement": ["a"] }))).is_err());
    }
}
