//! Authorization responses as JWTs (JWT Secured Authorization Response Mode for OAuth 2.0, JARM, §2.1).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::algorithm::SigningAlgorithm;

/// The `typ` header.
pub const TYP: &str = "JWT";

/// The parameter that holds the JWT (JARM §2.3).
pub const PARAMETER: &str = "response";

/// How long an answer is good, in seconds. JARM §2.1: "A maximum JWT lifetime of 10 minutes is RECOMMENDED."
pub const LIFETIME: i64 = 300;

/// JARM §3, of `authorization_signed_response_alg`: "If unspecified, the default algorithm to use for signing authorization responses is RS256."
pub const DEFAULT_ALGORITHM: SigningAlgorithm = SigningAlgorithm::Rs256;

/// The claims of an answer. Times are in seconds since 1970.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ResponseClaims {
    /// The issuer that answers: the `iss` of RFC 9207, which doesn't stand beside the JWT as well.
    pub iss: String,
    /// The client.
    pub aud: String,
    /// When it expires.
    pub exp: i64,
    /// The parameters of the answer.
    #[serde(flatten)]
    pub parameters: Map<String, Value>,
}

/// Parameters as claims: texts but for `expires_in`, which is a number in JSON (RFC 6749 §5.1).
pub fn claims_of<'a>(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> Map<String, Value> {
    parameters
        .map(|(name, text)| {
            let number = (name == "expires_in").then(|| text.parse::<i64>().ok());
            let value = number.flatten().map_or_else(|| text.into(), Value::from);
            (name.to_owned(), value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_claims_are_the_parameters_and_who_says_them_to_whom() {
        let parameters = [
            ("access_token", "2YotnFZFEjr1zCsicMWpAA"),
            ("token_type", "Bearer"),
            ("expires_in", "3600"),
            ("state", "12"),
        ];
        let claims = ResponseClaims {
            iss: "https://accounts.example.com".into(),
            aud: "s6BhdRkqt3".into(),
            exp: 1_311_281_970,
            parameters: claims_of(parameters.into_iter()),
        };
        assert_eq!(
            serde_json::to_value(&claims).unwrap(),
            serde_json::json!({
                "iss": "https://accounts.example.com", "aud": "s6BhdRkqt3", "exp": 1_311_281_970,
                "access_token": "2YotnFZFEjr1zCsicMWpAA", "token_type": "Bearer", "expires_in": 3600, "state": "12",
            })
        );
        const { assert!(LIFETIME <= 600) };
    }
}
