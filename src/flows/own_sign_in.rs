//! A sign-in by our own authorization endpoint, as the console and its trial begin one: a public client with PKCE and a nonce, which asks
//! and redeems as any application does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::form_urlencoded::Serializer;

use super::browser::issuer_path;
use super::client_authentication::Sent;
use super::grants::TokenRefusal;
use super::provider::Provider;
use super::tenancy::TenantAt;
use crate::clock::Clock;
use crate::domain::audit::Origin;
use crate::domain::ids::ClientId;
use crate::protocol::Params;
use crate::protocol::discovery::paths;
use crate::protocol::token::TokenResponse;

/// Who asks, and where the answer goes.
pub(super) struct OwnClient {
    pub(super) id: ClientId,
    pub(super) redirect_uri: String,
}

/// What is remembered, sealed, until the answer comes.
#[derive(Serialize, Deserialize)]
pub(super) struct Remembered {
    nonce: String,
    code_verifier: String,
}

/// A value that nobody guesses.
pub(super) fn random(clock: &Clock) -> String {
    URL_SAFE_NO_PAD.encode(clock.random_bytes::<32>())
}

impl Remembered {
    pub(super) fn new(clock: &Clock) -> Self {
        Self {
            nonce: random(clock),
            code_verifier: random(clock),
        }
    }

    /// The authorization request; whoever begins may add to it.
    pub(super) fn request(
        &self,
        client: &OwnClient,
        scope: &str,
        state: &str,
    ) -> Serializer<'static, String> {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&self.code_verifier));
        let mut query = Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &client.id.to_string())
            .append_pair("redirect_uri", &client.redirect_uri)
            .append_pair("scope", scope)
            .append_pair("state", state)
            .append_pair("nonce", &self.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        query
    }

    /// Whether an ID token with these claims came of this request.
    pub(super) fn is_answered_by(&self, claims: &Value) -> bool {
        claims.get("nonce").and_then(Value::as_str) == Some(&*self.nonce)
    }
}

/// Where the browser takes a request to.
pub(super) fn location(at: &TenantAt, mut query: Serializer<'static, String>) -> String {
    let (path, query) = (issuer_path(&at.issuer), query.finish());
    format!("{path}{}?{query}", paths::AUTHORIZE)
}

/// A part of a JWT that our own token endpoint has just handed out, as JSON.
pub(super) fn part(token: &str, index: usize) -> Option<Value> {
    let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(index)?).ok()?;
    serde_json::from_slice(&part).ok()
}

impl Provider {
    /// Redeems the code that came.
    pub(super) async fn redeem_own_code(
        &self,
        at: &TenantAt,
        (client, remembered): (&OwnClient, &Remembered),
        code: &str,
        origin: &Origin,
    ) -> Result<TokenResponse, TokenRefusal> {
        let id = client.id.to_string();
        let body: Params = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &client.redirect_uri),
            ("code_verifier", &remembered.code_verifier),
            ("client_id", &id),
        ]
        .into_iter()
        .collect();
        let answer = self.token(at, Sent::alone(origin), &body).await?;
        Ok(answer.response)
    }
}
