//! The claims of an access token ([RFC 9068](https://www.rfc-editor.org/rfc/rfc9068)), with those that name the tenant and the grant.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use uuid::Uuid;

use super::authorization_details::AuthorizationDetails;
use super::dpop::Confirmation;
use super::scope::Scope;
use super::slug::Slug;
use super::token_exchange::{Actor, Lineage, MayAct};

/// The `typ` header (RFC 9068 §2.1).
pub const TYP: &str = "at+jwt";

/// The claims of an access token. All times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// The tenant's address at which the flow began.
    pub iss: String,
    /// The person, or the client itself where nobody else takes part.
    pub sub: String,
    /// The APIs that it is for.
    pub aud: Audience,
    /// When it expires.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// Its identifier.
    pub jti: Uuid,
    /// The client.
    pub client_id: String,
    /// What it allows.
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    pub scope: Scope,
    /// What it allows in objects (RFC 9396 §9.1).
    #[serde(default, skip_serializing_if = "AuthorizationDetails::is_empty")]
    pub authorization_details: AuthorizationDetails,
    /// When the person signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How well the person signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By what means the person signed in (RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The person's roles (RFC 9068 §2.2.3.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The person's groups (RFC 9068 §2.2.3.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The tenant's slug.
    pub tenant: Slug,
    /// The tenant's permanent identifier.
    pub tenant_id: Uuid,
    /// The grant that it comes from, with which it dies; none where a client acts for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<Uuid>,
    /// The key or certificate that it is bound to (RFC 9449 §6, RFC 8705 §3.1); none where whoever bears it may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// Who acts on the subject's behalf (RFC 8693 §4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// The only party that may act on the subject's behalf by it (RFC 8693 §4.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_act: Option<MayAct>,
    /// Where it comes from, if it was exchanged for another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchanged: Option<Lineage>,
}

/// The audience of a token: one text, or several in an array (RFC 7519 §4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    Single(String),
    /// An array, of one even.
    Several(Vec<String>),
}

/// By hand: what serde derives copies the value before it tries one form after the other, and every presented token has an audience.
impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> de::Visitor<'de> for Either {
            type Value = Audience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or an array of texts")
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Audience, E> {
                Ok(Audience::Single(value.to_owned()))
            }

            fn visit_string<E: de::Error>(self, value: String) -> Result<Audience, E> {
                Ok(Audience::Single(value))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, values: A) -> Result<Audience, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(values))
                    .map(Audience::Several)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl Audience {
    /// The plain form where there is one, an array otherwise.
    pub fn new(mut values: Vec<String>) -> Self {
        if values.len() == 1 {
            Self::Single(values.remove(0))
        } else {
            Self::Several(values)
        }
    }

    /// Whether this value is among them.
    pub fn contains(&self, value: &str) -> bool {
        self.iter().any(|own| own == value)
    }

    /// The value where it is written as one text and not as an array.
    pub fn as_single(&self) -> Option<&str> {
        match self {
            Self::Single(value) => Some(value),
            Self::Several(_) => None,
        }
    }

    /// The values.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let values = match self {
            Self::Single(value) => std::slice::from_ref(value),
            Self::Several(values) => values,
        };
        values.iter().map(String::as_str)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A token of tenant `acme`.
    pub(in crate::protocol) fn example() -> AccessTokenClaims {
        AccessTokenClaims {
            iss: "https://id.example.com/t/acme".into(),
            sub: "5ba552d67".into(),
            aud: Audience::new(vec!["https://rs.example.com/".into()]),
            exp: 1_639_528_912,
            iat: 1_618_354_090,
            jti: Uuid::nil(),
            client_id: "s6BhdRkqt3_".into(),
            scope: Scope::parse("openid profile").unwrap(),
            authorization_details: AuthorizationDetails::default(),
            auth_time: None,
            acr: None,
            amr: Vec::new(),
            sid: None,
            roles: Vec::new(),
            groups: Vec::new(),
            tenant: Slug::parse("acme").unwrap(),
            tenant_id: Uuid::max(),
            grant_id: None,
            act: None,
            may_act: None,
            exchanged: None,
            cnf: None,
        }
    }

    #[test]
    fn only_what_applies_is_written() {
        let json = serde_json::to_value(example()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "iss": "https://id.example.com/t/acme", "sub": "5ba552d67", "aud": "https://rs.example.com/",
                "exp": 1_639_528_912, "iat": 1_618_354_090, "jti": "00000000-0000-0000-0000-000000000000",
                "client_id": "s6BhdRkqt3_", "scope": "openid profile",
                "tenant": "acme", "tenant_id": "ffffffff-ffff-ffff-ffff-ffffffffffff",
            })
        );
        assert_eq!(
            serde_json::from_value::<AccessTokenClaims>(json).unwrap(),
            example()
        );
    }

    #[test]
    fn a_bound_token_says_to_what() {
        let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        let bound = AccessTokenClaims {
            cnf: Some(Confirmation::Key(jkt.parse().unwrap())),
            ..example()
        };
        let mut json = serde_json::to_value(&bound).unwrap();
        assert_eq!(json["cnf"], serde_json::json!({ "jkt": jkt }));
        let read = |json| serde_json::from_value::<AccessTokenClaims>(json);
        assert_eq!(read(json.clone()).unwrap(), bound);
        json["cnf"] = serde_json::json!({ "x5t#S256": jkt });
        let certificate = Confirmation::Certificate(jkt.parse().unwrap());
        let told = read(json.clone()).unwrap();
        assert_eq!(told.cnf, Some(certificate));
        assert_eq!(serde_json::to_value(&told).unwrap(), json);
        // Bound in a way that isn't understood, or in two: not a token that anybody may bear.
        for cnf in [
            serde_json::json!({ "kid": jkt }),
            serde_json::json!({ "jkt": jkt, "x5t#S256": jkt }),
            serde_json::json!({}),
        ] {
            json["cnf"] = cnf;
            assert!(read(json.clone()).is_err());
        }
    }

    #[test]
    fn an_array_is_no_single_audience() {
        let several: Audience = serde_json::from_str(r#"["a"]"#).unwrap();
        assert!(several.contains("a") && several.as_single().is_none());
        for other in ["1", "null", "{}", "[1]", r#"["a",null]"#, r#"[["a"]]"#] {
            assert!(serde_json::from_str::<Audience>(other).is_err(), "{other}");
        }
        assert_eq!(
            serde_json::to_string(&Audience::new(vec!["a".into(), "b".into()])).unwrap(),
            r#"["a","b"]"#
        );
    }

    #[test]
    fn a_claim_twice_is_refused() {
        let text =
            serde_json::to_string(&example())
                .unwrap()
                .replacen('{', r#"{"sub":"mallory","#, 1);
        assert!(serde_json::from_str::<AccessTokenClaims>(&text).is_err());
    }
}
