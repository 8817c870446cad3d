use oauth2::basic::BasicClient;
use oauth2::{AuthType, ClientId, ClientSecret, Scope, TokenResponse, TokenUrl, reqwest};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let http = reqwest::ClientBuilder::new()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let client = BasicClient::new(ClientId::new("__CLIENT_ID__".to_owned()))
        .set_client_secret(ClientSecret::new(std::env::var("OIDC_CLIENT_SECRET")?))
        .set_auth_type(AuthType::__RUST_AUTH__)
        .set_token_uri(TokenUrl::new("__ISSUER__/token".to_owned())?);
    let tokens = client
        .exchange_client_credentials()
        .add_scopes([__SCOPE_LIST__].map(|scope: &str| Scope::new(scope.to_owned())))__RUST_RESOURCE__
        .request_async(&http)
        .await?;
    // Keep it for tokens.expires_in(), then ask for another one.
    let answer = http
        .get("https://api.example.com/")
        .bearer_auth(tokens.access_token().secret())
        .send()
        .await?;
    println!("{}", answer.status());
    Ok(())
}
