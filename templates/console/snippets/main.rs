use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreUserInfoClaims};
use openidconnect::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce, PkceCodeChallenge, RedirectUrl,
    OAuth2TokenResponse, Scope, TokenResponse, reqwest,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let http = reqwest::ClientBuilder::new()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let issuer = IssuerUrl::new("__ISSUER__".to_owned())?;
    let metadata = CoreProviderMetadata::discover_async(issuer, &http).await?;
    let secret = ClientSecret::new(std::env::var("OIDC_CLIENT_SECRET")?);
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new("__CLIENT_ID__".to_owned()), Some(secret))
        .set_auth_type(AuthType::__RUST_AUTH__)
        .set_redirect_uri(RedirectUrl::new("__REDIRECT_URI__".to_owned())?);

    // Where the sign-in begins: keep `state`, `nonce` and `verifier` in the browser's session, and redirect to `url`.
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes([__SCOPE_LIST_REST__].map(|scope: &str| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    println!("Open {url}");

    // Where the browser comes back, at __REDIRECT_PATH__: compare `state`, then redeem the code.
    let (returned_state, code) = ask_for_answer()?;
    anyhow::ensure!(returned_state == *state.secret(), "this sign-in was begun elsewhere");
    let tokens = client
        .exchange_code(AuthorizationCode::new(code))?
        .set_pkce_verifier(verifier)
        .request_async(&http)
        .await?;
    let id_token = tokens.id_token().ok_or_else(|| anyhow::anyhow!("there is no ID token"))?;
    let claims = id_token.claims(&client.id_token_verifier(), &nonce)?;
    // Name, e-mail address and the rest; the subject is who it is.
    let person: CoreUserInfoClaims = client
        .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))?
        .request_async(&http)
        .await?;
    println!("Signed in: {} {:?}", claims.subject().as_str(), person.email());
    Ok(())
}

/// In a web application: the query of the request to the redirect URI.
fn ask_for_answer() -> anyhow::Result<(String, String)> {
    println!("Paste the address that the browser came back to:");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let address = url::Url::parse(line.trim())?;
    let value = |name: &str| address.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    value("state").zip(value("code")).ok_or_else(|| anyhow::anyhow!("there is no code in it"))
}
