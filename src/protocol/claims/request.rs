//! The `claims` request parameter (§5.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::standard::scope_of_claim;
use crate::protocol::scope::Scope;

/// The longest parameter, in bytes: as it comes, and as it is printed again.
const MAX_TEXT: usize = 8192;

/// The `claims` request parameter (§5.5).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimsRequest {
    /// Claims to return from the userinfo endpoint; none means that it is asked for voluntarily.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub userinfo: BTreeMap<String, Option<ClaimRequest>>,
    /// Claims to return in the ID token.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub id_token: BTreeMap<String, Option<ClaimRequest>>,
}

/// How one claim is asked for (§5.5.1).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimRequest {
    /// Whether the client needs it for the task at hand. An essential claim that is missing is still no error, `acr` excepted (§5.5.1.1).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
    /// The one value that is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The values that are wanted, the best first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Value>>,
}

impl ClaimRequest {
    /// Whether this value satisfies the request; anything does where no value is named.
    pub fn accepts(&self, value: &Value) -> bool {
        match (&self.value, &self.values) {
            (None, None) => true,
            (one, several) => {
                one.as_ref() == Some(value)
                    || several
                        .as_ref()
                        .is_some_and(|several| several.contains(value))
            }
        }
    }
}

/// Why a `claims` parameter was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClaimsRequest {
    /// Over 8192 bytes, 100 claims, 50 values of one claim, or 8 levels of nesting.
    #[error(
        "claims is too large: at most 8192 bytes, 100 claims, 50 values for each and 8 levels of nesting are accepted"
    )]
    TooLarge,
    /// Not the JSON object of §5.5.
    #[error("claims must be a JSON object as OpenID Connect Core section 5.5 describes it")]
    Malformed,
}

impl ClaimsRequest {
    /// Reads the parameter. Members that §5.5 does not name are ignored, as it demands.
    pub fn parse(text: &str) -> Result<Self, InvalidClaimsRequest> {
        if text.len() > MAX_TEXT || depth(text) > 8 {
            return Err(InvalidClaimsRequest::TooLarge);
        }
        let document: Value =
            serde_json::from_str(text).map_err(|_| InvalidClaimsRequest::Malformed)?;
        // Without this, an array would pass for an object with its members in order.
        if !is_nested_object(&document) {
            return Err(InvalidClaimsRequest::Malformed);
        }
        let request: Self =
            serde_json::from_value(document).map_err(|_| InvalidClaimsRequest::Malformed)?;
        let crowded = |claims: &BTreeMap<String, Option<ClaimRequest>>| {
            claims.len() > 100
                || claims.iter().any(|(name, claim)| {
                    name.len() > 256
                        || claim
                            .as_ref()
                            .and_then(|c| c.values.as_ref())
                            .is_some_and(|v| v.len() > 50)
                })
        };
        if crowded(&request.userinfo) || crowded(&request.id_token) {
            return Err(InvalidClaimsRequest::TooLarge);
        }
        // A request that waits for its person travels as we print it, and `1e15` is printed as `1000000000000000.0`.
        let printed =
            serde_json::to_string(&request).map_err(|_| InvalidClaimsRequest::Malformed)?;
        if printed.len() > MAX_TEXT {
            return Err(InvalidClaimsRequest::TooLarge);
        }
        Ok(request)
    }

    /// The scope tokens whose claims are asked for here one by one: what a person who allows it gives away.
    pub fn implied_scope(&self) -> Scope {
        let names = self.id_token.keys().chain(self.userinfo.keys());
        names.filter_map(|name| scope_of_claim(name)).collect()
    }

    /// Without the claims about a person that no token of `scope` stands for.
    #[must_use]
    pub fn within(&self, scope: &Scope) -> Self {
        let keep = |claims: &BTreeMap<String, Option<ClaimRequest>>| {
            let kept = claims
                .iter()
                .filter(|(name, _)| may_have(Some(scope), name));
            kept.map(|(name, asked)| (name.clone(), asked.clone()))
                .collect()
        };
        Self {
            userinfo: keep(&self.userinfo),
            id_token: keep(&self.id_token),
        }
    }

    /// The subject that must be the one signed in, where the request names one (§5.5.1, §3.1.2.2).
    pub fn required_subject(&self) -> Option<&str> {
        [&self.id_token, &self.userinfo]
            .into_iter()
            .find_map(|claims| claims.get("sub")?.as_ref()?.value.as_ref()?.as_str())
    }
}

/// Whether whoever may ask for this scope may ask for this claim.
pub fn may_have(scope: Option<&Scope>, claim: &str) -> bool {
    scope_of_claim(claim).is_none_or(|token| scope.is_some_and(|scope| scope.contains(token)))
}

/// Whether the document, both its members and each claim in them are objects; a claim may be `null`.
fn is_nested_object(document: &Value) -> bool {
    let sound = |claims: &Value| {
        claims.as_object().is_some_and(|claims| {
            claims
                .values()
                .all(|claim| claim.is_object() || claim.is_null())
        })
    };
    document.is_object()
        && ["userinfo", "id_token"]
            .iter()
            .filter_map(|name| document.get(name))
            .all(sound)
}

/// How deep the brackets of a JSON text nest.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn single_claims_stand_for_the_scope_that_a_person_is_shown() {
        let asked = ClaimsRequest::parse(
            r#"{"userinfo":{"phone_number":{"essential":true},"sub":null},"id_token":{"name":null,"acr":{"values":["1"]},"phone_number":null}}"#,
        )
        .unwrap();
        let implied = asked.implied_scope();
        assert!(implied.is_subset_of(&"profile phone".parse().unwrap()));
        assert!(implied.contains("profile") && implied.contains("phone"));
        let less = asked.within(&"openid profile".parse().unwrap());
        assert!(less.userinfo.contains_key("sub") && less.userinfo.len() == 1);
        assert!(less.id_token.contains_key("name") && less.id_token.contains_key("acr"));
        assert_eq!(less.implied_scope().to_string(), "profile");
        assert_eq!(asked.within(&implied), asked);
        assert!(ClaimsRequest::default().implied_scope().is_empty());
    }

    #[test]
    fn the_specifications_example() {
        // OpenID Connect Core §5.5.
        let request = ClaimsRequest::parse(
            r#"{"userinfo": {"given_name": {"essential": true}, "nickname": null, "email": {"essential": true},
                "email_verified": {"essential": true}, "picture": null, "http://example.info/claims/groups": null},
                "id_token": {"auth_time": {"essential": true}, "acr": {"values": ["urn:mace:incommon:iap:silver"]}}}"#,
        )
        .unwrap();
        assert_eq!(request.userinfo.len(), 6);
        assert_eq!(request.userinfo["nickname"], None);
        assert!(request.id_token["auth_time"].as_ref().unwrap().essential);
        let acr = request.id_token["acr"].as_ref().unwrap();
        assert!(
            acr.accepts(&"urn:mace:incommon:iap:silver".into()) && !acr.accepts(&"gold".into())
        );
        assert_eq!(request.required_subject(), None);
        let again = ClaimsRequest::parse(&serde_json::to_string(&request).unwrap()).unwrap();
        assert_eq!(again, request);
    }

    #[test]
    fn a_subject_may_be_required_and_unknown_members_are_ignored() {
        let request = ClaimsRequest::parse(
            r#"{"id_token": {"sub": {"value": "248289761001", "purpose": "x"}}, "verified": {}}"#,
        )
        .unwrap();
        assert_eq!(request.required_subject(), Some("248289761001"));
    }

    #[test]
    fn bounds() {
        let deep = format!(
            r#"{{"id_token":{{"acr":{{"value":{}{}}}}}}}"#,
            "[".repeat(4000),
            "]".repeat(4000)
        );
        let long = format!("{{}}{}", " ".repeat(8192));
        let many = (0..101)
            .map(|n| format!(r#""c{n}":null"#))
            .collect::<Vec<_>>()
            .join(",");
        let many = format!(r#"{{"userinfo":{{{many}}}}}"#);
        let values = format!(
            r#"{{"id_token":{{"acr":{{"values":[{}1]}}}}}}"#,
            "1,".repeat(50)
        );
        let growing = format!(
            r#"{{"id_token":{{{}}}}}"#,
            (0..20)
                .map(|n| format!(r#""c{n}":{{"values":[{}1]}}"#, "1e15,".repeat(49)))
                .collect::<Vec<_>>()
                .join(",")
        );
        assert!(growing.len() < MAX_TEXT);
        for text in [&deep, &long, &many, &values, &growing] {
            assert_eq!(
                ClaimsRequest::parse(text),
                Err(InvalidClaimsRequest::TooLarge)
            );
        }
        for text in [
            "",
            "[]",
            "null",
            "{\"userinfo\":[]}",
            "{\"id_token\":{\"acr\":[true]}}",
            "{\"id_token\":null}",
            "{\"id_token\":{\"acr\":true}}",
            "{\"id_token\":{\"acr\":{\"essential\":1}}}",
            "{",
        ] {
            assert_eq!(
                ClaimsRequest::parse(text),
                Err(InvalidClaimsRequest::Malformed),
                "{text}"
            );
        }
        // Brackets in a text do not nest.
        assert!(ClaimsRequest::parse(r#"{"id_token":{"x":{"value":"[[[[[[[[[[\"[[[["}}}"#).is_ok());
    }

    /// Otherwise a request that waits for its person would come back as another.
    #[test]
    fn numbers_come_back_as_they_went() {
        for number in ["3.3333333333333335", "122.416294033786585", "1e308", "-0.0"] {
            let text = format!(r#"{{"userinfo":{{"a":{{"value":{number}}}}}}}"#);
            let request = ClaimsRequest::parse(&text).unwrap();
            let printed = serde_json::to_string(&request).unwrap();
            assert_eq!(ClaimsRequest::parse(&printed).unwrap(), request, "{number}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), inner in "[{}\\[\\]\",:a-z0-9]{0,60}") {
            let _ = ClaimsRequest::parse(&text);
            let _ = ClaimsRequest::parse(&format!("{{\"userinfo\":{inner}}}"));
        }
    }
}
