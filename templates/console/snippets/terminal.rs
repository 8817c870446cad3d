use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata};
use openidconnect::{
    AuthorizationCode, ClientId, CsrfToken, IssuerUrl, Nonce, PkceCodeChallenge, RedirectUrl, Scope, TokenResponse,
    reqwest,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let http = reqwest::ClientBuilder::new()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let issuer = IssuerUrl::new("__ISSUER__".to_owned())?;
    let metadata = CoreProviderMetadata::discover_async(issuer, &http).await?;
    // Any free port: of a loopback address only the port may differ from what is registered.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let redirect = format!("http://{}__REDIRECT_PATH__", listener.local_addr()?);
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new("__CLIENT_ID__".to_owned()), None)
        .set_redirect_uri(RedirectUrl::new(redirect)?);

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes([__SCOPE_LIST_REST__].map(|scope: &str| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    println!("Open {url}");

    let code = wait_for_code(&listener, state.secret())?;
    let tokens = client
        .exchange_code(AuthorizationCode::new(code))?
        .set_pkce_verifier(verifier)
        .request_async(&http)
        .await?;
    let id_token = tokens.id_token().ok_or_else(|| anyhow::anyhow!("there is no ID token"))?;
    let claims = id_token.claims(&client.id_token_verifier(), &nonce)?;
    println!("Signed in: {}", claims.subject().as_str());
    Ok(())
}

fn wait_for_code(listener: &TcpListener, state: &str) -> anyhow::Result<String> {
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line)?;
        let path = line.split(' ').nth(1).unwrap_or_default();
        let address = url::Url::parse("http://127.0.0.1")?.join(path)?;
        let value = |name: &str| address.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
        if value("state").as_deref() == Some(state)
            && let Some(code) = value("code")
        {
            write!(stream, "HTTP/1.1 200 OK\r\n\r\nSigned in. You can close this page.\n")?;
            return Ok(code);
        }
        write!(stream, "HTTP/1.1 400 Bad Request\r\n\r\n")?;
    }
    anyhow::bail!("nobody came back")
}
