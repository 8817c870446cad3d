//! The userinfo endpoint's answer ([OpenID Connect Core §5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)).

use serde::Serialize;

use super::id_token::ReleasedClaims;

/// What is said of the person to whom the access token belongs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UserInfo {
    /// The person, by the same text as in the ID token (§5.3.2).
    pub sub: String,
    /// The claims that the scope and the `claims` parameter ask for.
    #[serde(flatten)]
    pub released: ReleasedClaims,
}

/// The same as the claims of a JWT, signed or encrypted, with `iss` and `aud` among them (§5.3.2).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SignedUserInfo {
    /// The issuer, as the access token names it.
    pub iss: String,
    /// The client.
    pub aud: String,
    /// What is said.
    #[serde(flatten)]
    pub info: UserInfo,
}

/// The media type of answers that are JWTs.
pub const SIGNED_MEDIA_TYPE: &str = "application/jwt";
/// The `typ` header of signed answers.
pub const SIGNED_TYP: &str = "JWT";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_stands_beside_the_claims() {
        let claims = [
            ("email".to_owned(), "ada@example.com".into()),
            ("sub".to_owned(), "x".into()),
        ];
        let info = UserInfo {
            sub: "ada".into(),
            released: ReleasedClaims::new(claims.into_iter().collect()),
        };
        assert_eq!(
            serde_json::to_string(&info).unwrap(),
            r#"{"sub":"ada","email":"ada@example.com"}"#
        );
    }
}
