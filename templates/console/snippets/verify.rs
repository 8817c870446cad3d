use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Claims {
    pub sub: String,
    pub client_id: String,
    #[serde(default)]
    pub scope: String,
}

/// Load the keys from __ISSUER__/jwks, keep them for as long as its Cache-Control says, and load them again for an unknown `kid`.
pub fn check(token: &str, keys: &JwkSet) -> anyhow::Result<Claims> {
    let header = decode_header(token)?;
    let is_access_token = header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case("at+jwt"));
    anyhow::ensure!(is_access_token, "not an access token");
    let key = header
        .kid
        .as_deref()
        .and_then(|kid| keys.find(kid))
        .ok_or_else(|| anyhow::anyhow!("an unknown key"))?;
    // The key says what it is good for, not the token.
    let algorithm = key
        .common
        .key_algorithm
        .ok_or_else(|| anyhow::anyhow!("a key without algorithm"))?
        .to_string()
        .parse()?;
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&["__ISSUER__"]);
    validation.set_audience(&["__AUDIENCE__"]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Then look at the scope: claims.scope.split(' ').any(|scope| scope == "__FIRST_SCOPE__")
    Ok(decode::<Claims>(token, &DecodingKey::from_jwk(key)?, &validation)?.claims)
}
