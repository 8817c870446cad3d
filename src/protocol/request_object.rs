//! Request objects ([RFC 9101](https://www.rfc-editor.org/rfc/rfc9101), [OpenID Connect Core §6](https://openid.net/specs/openid-connect-core-1_0.html#JWTRequests)):
//! the claims of a JWT as the parameters of an authorization request, and what the parameters beside it count for.
//!
//! Whether the JWT is the client's, and how long it may live, is decided above; addresses of objects are `request_uri`'s.

use serde_json::{Map, Value};

use super::authorization::read_scope;
use super::client_metadata::same_values;
use super::errors::{ErrorCode, OAuthError};
use super::params::Params;
use super::scope::OPENID;

/// The type that RFC 9101 §10.8 gives request objects.
pub const TYP: &str = "oauth-authz-req+jwt";

/// The parameters that a request object may carry: those that the authorization endpoint reads. Whatever else it says is ignored, as in a
/// query.
const PARAMETERS: [&str; 22] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "prompt",
    "display",
    "max_age",
    "ui_locales",
    "claims_locales",
    "id_token_hint",
    "login_hint",
    "acr_values",
    "claims",
    "authorization_details",
    "resource",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "registration",
];

/// Why an object's claims are no authorization request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequestObject {
    /// RFC 9101 §4: neither `request` nor `request_uri` may stand in an object.
    #[error("a request object must not hold {0}")]
    Nested(&'static str),
    /// A claim of another type than the parameter's.
    #[error("{0} in the request object is malformed")]
    Malformed(&'static str),
    /// RFC 9101 §6.3 for `client_id`, OpenID Connect Core §6.1 for it and `response_type`.
    #[error("{0} in the request object differs from that beside it")]
    Differs(&'static str),
}

impl From<InvalidRequestObject> for OAuthError {
    fn from(error: InvalidRequestObject) -> Self {
        Self::new(ErrorCode::InvalidRequestObject, error.to_string())
    }
}

/// What the parameters beside a request object count for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Nothing, but for `client_id`: RFC 9101 §6.3, "MUST only use the parameters in the Request Object".
    Ignored,
    /// They fill in what the object leaves out, and it wins over them: OpenID Connect Core §6.1.
    FillIn,
}

impl Beside {
    /// How a query is meant: one that could stand without the object is OpenID Connect's, which has `response_type` and the scope `openid`
    /// beside it; any other is RFC 9101's.
    pub fn of_query(params: &Params) -> Result<Self, OAuthError> {
        let is_openid = read_scope(params)?.is_some_and(|scope| scope.contains(OPENID));
        Ok(if is_openid && params.get("response_type")?.is_some() {
            Self::FillIn
        } else {
            Self::Ignored
        })
    }
}

/// The parameters that count, of an object's claims and what stands beside it.
pub fn parameters_of(
    claims: &Map<String, Value>,
    outer: &Params,
    beside: Beside,
) -> Result<Params, OAuthError> {
    for name in ["request", "request_uri"] {
        if claims.contains_key(name) {
            return Err(InvalidRequestObject::Nested(name).into());
        }
    }
    let mut pairs = Vec::new();
    for name in PARAMETERS {
        match claims.get(name) {
            Some(value) => pairs.extend(texts(name, value)?.into_iter().map(|text| (name, text))),
            None if beside == Beside::FillIn || name == "client_id" => {
                let texts = outer.iter().filter(|(known, _)| *known == name);
                pairs.extend(texts.map(|(_, text)| (name, text.to_owned())));
            }
            None => {}
        }
    }
    let params: Params = pairs
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    let agreeing: &[_] = match beside {
        Beside::Ignored => &["client_id"],
        Beside::FillIn => &["client_id", "response_type"],
    };
    for name in agreeing.iter().copied() {
        let Some(given) = outer.get(name)? else {
            continue;
        };
        let own = params.get(name)?;
        // RFC 6749 §3.1.1: the order of a response type's values says nothing.
        let agrees = own
            .is_some_and(|own| own == given || name == "response_type" && same_values(own, given));
        if !agrees {
            return Err(InvalidRequestObject::Differs(name).into());
        }
    }
    Ok(params)
}

/// A claim as the parameter's values (RFC 9101 §4: texts are JSON strings, numbers are JSON numbers).
pub(super) fn texts(
    name: &'static str,
    value: &Value,
) -> Result<Vec<String>, InvalidRequestObject> {
    let texts = match (name, value) {
        (_, Value::String(text)) => vec![text.clone()],
        ("max_age" | "requested_expiry", Value::Number(number)) => vec![number.to_string()],
        // RFC 9396 §3: "a JSON array […] in the request object"
        ("claims" | "registration", Value::Object(_))
        | ("authorization_details", Value::Array(_)) => vec![value.to_string()],
        // RFC 8707 §2: several resources are a list there.
        ("resource", Value::Array(values)) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or(InvalidRequestObject::Malformed(name))?,
        _ => return Err(InvalidRequestObject::Malformed(name)),
    };
    // As `Params` refuses it in a query: no database takes it as text.
    if texts.iter().any(|text| text.contains('\0')) {
        return Err(InvalidRequestObject::Malformed(name));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params(query: &str) -> Params {
        Params::parse(query.as_bytes()).unwrap()
    }

    fn read(claims: &Value, outer: &str, beside: Beside) -> Result<String, String> {
        parameters_of(claims.as_object().unwrap(), &params(outer), beside)
            .map(|params| params.to_query())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn values_of_every_kind() {
        let claims = json!({
            "iss": "c", "aud": "https://id.example", "exp": 1, "client_id": "c", "max_age": 60, "unknown": [1],
            "claims": { "userinfo": { "email": null } }, "resource": ["urn:a", "urn:b"], "state": "s",
        });
        assert_eq!(
            read(&claims, "client_id=c", Beside::Ignored).unwrap(),
            "client_id=c&state=s&max_age=60&claims=%7B%22userinfo%22%3A%7B%22email%22%3Anull%7D%7D&resource=urn%3Aa&resource=urn%3Ab"
        );
    }

    #[test]
    fn what_stands_beside_it() {
        let claims = json!({ "client_id": "c", "state": "inside" });
        let outer =
            "client_id=c&response_type=code&scope=openid&state=outside&nonce=n&request=x&unknown=1";
        assert_eq!(
            read(&claims, outer, Beside::Ignored).unwrap(),
            "client_id=c&state=inside"
        );
        assert_eq!(
            read(&claims, outer, Beside::FillIn).unwrap(),
            "client_id=c&response_type=code&scope=openid&state=inside&nonce=n"
        );
        assert_eq!(Beside::of_query(&params(outer)), Ok(Beside::FillIn));
        for query in [
            "client_id=c",
            "client_id=c&response_type=code",
            "client_id=c&scope=openid",
            "client_id=c&response_type=code&scope=email",
        ] {
            assert_eq!(
                Beside::of_query(&params(query)),
                Ok(Beside::Ignored),
                "{query}"
            );
        }
        assert!(
            Beside::of_query(&params("scope=openid&response_type=code&response_type=x")).is_err()
        );
    }

    #[test]
    fn the_client_is_the_same_inside_and_out() {
        assert!(read(&json!({}), "client_id=c", Beside::Ignored).is_ok());
        for beside in [Beside::Ignored, Beside::FillIn] {
            assert!(
                read(&json!({ "client_id": "d" }), "client_id=c", beside)
                    .unwrap_err()
                    .contains("client_id")
            );
        }
        let (claims, outer) = (
            json!({ "response_type": "code" }),
            "client_id=c&response_type=token",
        );
        assert!(read(&claims, outer, Beside::FillIn).is_err());
        assert!(read(&claims, outer, Beside::Ignored).is_ok());
        let claims = json!({ "response_type": "code id_token" });
        for (outer, agrees) in [
            ("client_id=c&response_type=id_token+code", true),
            ("client_id=c&response_type=code+token", false),
        ] {
            assert_eq!(
                read(&claims, outer, Beside::FillIn).is_ok(),
                agrees,
                "{outer}"
            );
        }
    }

    #[test]
    fn faults() {
        for claims in [
            json!({ "request": "x" }),
            json!({ "request_uri": "urn:x" }),
            json!({ "state": 1 }),
            json!({ "state": null }),
            json!({ "scope": ["openid"] }),
            json!({ "claims": [] }),
            json!({ "max_age": {} }),
            json!({ "resource": ["urn:a", 1] }),
            json!({ "redirect_uri": ["https://a.example"] }),
            json!({ "nonce": "a\u{0}b" }),
        ] {
            let error = parameters_of(
                claims.as_object().unwrap(),
                &params("client_id=c"),
                Beside::FillIn,
            )
            .unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidRequestObject, "{claims}");
        }
    }
}
